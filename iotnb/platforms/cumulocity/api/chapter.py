"""What all chapters of the API share: media types, URLs, checked filters, pages and single documents."""

from __future__ import annotations

import difflib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from iotnb import paging, times
from iotnb.errors import BadAnswer, ConfigError
from iotnb.paging import Page
from iotnb.session import Answer, Session

Document = dict[str, Any]
Documents = list[Document]

JSON = "application/json"
PAGE_SIZE = 2000  # the largest page; a larger number is trimmed by the server without a word
PAGING = frozenset({"currentPage", "pageSize", "withTotalPages", "withTotalElements"})
DATES = frozenset({"dateFrom", "dateTo"})
CHANGES = frozenset({"createdFrom", "createdTo", "lastUpdatedFrom", "lastUpdatedTo"})
SOURCES = frozenset(
    {
        "source",
        "withSourceAssets",
        "withSourceDevices",
        "withSourceChildren",
        "withSourceAdditions",
    }
)
BEGINNING = "1970-01-01"  # `revert` acts only on a query with a date bound


def media(name: str) -> str:
    """The vendor media type, `application/vnd.com.nsn.cumulocity.<name>+json`."""
    return f"application/vnd.com.nsn.cumulocity.{name}+json"


def segment(value: object) -> str:
    """One path segment, percent-encoded; raises ConfigError for what cannot be one (empty, `.`, `..`)."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if text in {"", ".", ".."}:
        raise ConfigError(
            f"{value!r} cannot be an identifier: give the platform's id as text, such as '2480300'"
        )
    return quote(text, safe="")


def wire(value: Any) -> str | None:
    """A filter's value as it stands in the URL: times in UTC, `true`/`false`, lists with commas."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return times.to_wire(times.parse(value, name="time"))
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, Iterable):
        return ",".join(text for item in value if (text := wire(item)) is not None)
    raise ConfigError(
        f"a filter cannot be {value!r}: give text, a number, a time, a boolean or a list of them"
    )


def url(path: str, params: Iterable[tuple[str, str | None]] = ()) -> str:
    """A path with its query; a blank is `%20` and a plus `%2B`, so that neither is taken for the other."""
    query = urlencode([(name, value) for name, value in params if value is not None], quote_via=quote)
    return f"{path}?{query}" if query else path


class Chapter:
    """A part of the API on one session; its methods take and give the platform's JSON, keys unchanged.

    Every method raises the errors of `iotnb.errors`: NotFound (404), Invalid (400, 422), Forbidden (403) ...
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def _get(self, path: str, *, accept: str = JSON, **params: Any) -> Answer:
        pairs = [(name, wire(value)) for name, value in params.items()]
        return self._session.get(url(path, pairs), headers={"Accept": accept})

    def _json(self, path: str, *, accept: str = JSON, **params: Any) -> Any:
        return self._get(path, accept=accept, **params).json()

    def _find(self, path: str, *, accept: str = JSON) -> Document | None:
        """The document, or None where 404 is one of the expected answers."""
        answer = self._session.get(path, headers={"Accept": accept}, expect={404})
        return None if answer.status == 404 else document(answer)

    def _send(
        self, method: str, path: str, body: Any, *, content: str = JSON, accept: str = JSON, **params: Any
    ) -> Document:
        """POST or PUT of JSON; `Accept` is always sent, since without it the platform answers no body."""
        pairs = [(name, wire(value)) for name, value in params.items()]
        headers = {"Accept": accept, "Content-Type": content}
        return document(self._session.request(method, url(path, pairs), json=body, headers=headers))

    def _delete(self, path: str, **params: Any) -> None:
        pairs = [(name, wire(value)) for name, value in params.items()]
        self._session.delete(url(path, pairs), headers={"Accept": JSON})

    def _walk(
        self,
        path: str,
        key: str,
        params: Mapping[str, Any],
        *,
        accept: str = JSON,
        stop: threading.Event | None = None,
        read: Callable[[Answer], Answer] = lambda answer: answer,
    ) -> Iterator[Page]:
        """All pages from the first on, whole, by following `next` literally.

        Users who see only a part of the inventory get short or empty pages with more behind them, and page
        numbers that are offsets: `paging.follow` knows when such a walk is over.
        """

        def get(link: str) -> Answer:
            return read(self._session.get(link, headers={"Accept": accept}, stop=stop))

        first = url(path, [(name, wire(value)) for name, value in params.items()])
        return paging.follow(get, first, items=key, number="currentPage")


def document(answer: Answer) -> Document:
    """The JSON object of an answer; an empty body (204, 202) is an empty object."""
    if not answer.body:
        return {}
    found = answer.json()
    if not isinstance(found, dict):
        raise BadAnswer(f"{answer.method} {answer.url}: expected a JSON object, got {type(found).__name__}")
    return found


class Reading(Chapter):
    """A collection that can be listed and read; the base of the chapters about stored documents.

    Filters are the platform's own parameter names, such as `source="2480300"` or `dateFrom=...`; a time
    may be an aware datetime, several values a list. An unknown name raises ConfigError, because the server
    would ignore it and answer everything.
    """

    path: ClassVar[str]
    key: ClassVar[str]  # the name of the list in a page
    one: ClassVar[str]  # media type of one document
    many: ClassVar[str]  # media type of a page
    filters: ClassVar[frozenset[str]]

    def list(self, *, stop: threading.Event | None = None, **filters: Any) -> Iterator[Document]:
        """All documents that match, read page by page; oldest first where there is an order."""
        walk = self.walk(stop=stop, **filters)  # checks the filters now, not at the first document
        return (each for page in walk for each in page.items)

    def pages(self, *, stop: threading.Event | None = None, **filters: Any) -> Iterator[Document]:
        """The same as whole pages of JSON; 2,000 documents each unless `pageSize` says otherwise."""
        walk = self.walk(stop=stop, **filters)
        return (page.document for page in walk)

    def walk(
        self,
        *,
        stop: threading.Event | None = None,
        read: Callable[[Answer], Answer] = lambda answer: answer,
        **filters: Any,
    ) -> Iterator[Page]:
        """The same with the answers that the pages came in; `read` may give an answer another `json()`."""
        params = self._params({"pageSize": PAGE_SIZE, **filters})
        return self._walk(self.path, self.key, params, accept=media(self.many), stop=stop, read=read)

    def page(self, **filters: Any) -> Document:
        """One page as the platform sends it: five documents unless `pageSize` is given."""
        found: Document = self._json(self.path, accept=media(self.many), **self._params(filters))
        return found

    def get(self, id: str) -> Document:
        """One document by its id."""
        return document(self._get(f"{self.path}/{segment(id)}", accept=media(self.one)))

    def find(self, id: str) -> Document | None:
        """One document by its id, or None if there is none."""
        return self._find(f"{self.path}/{segment(id)}", accept=media(self.one))

    def create(self, document: Mapping[str, Any]) -> Document:
        """Stores a document and gives it back as stored, with `id` and `self`."""
        return self._send("POST", self.path, dict(document), content=media(self.one), accept=media(self.one))

    def _params(self, filters: Mapping[str, Any]) -> dict[str, Any]:
        """The checked filters of a query; chapters with an order add `revert`."""
        return known(filters, self.filters | PAGING, where=f"GET {self.path}")


class Collection(Reading):
    """A collection whose documents can also be changed and deleted."""

    def update(self, id: str, changes: Mapping[str, Any]) -> Document:
        """Changes one document; only the keys given. Returns the document as it is now."""
        path = f"{self.path}/{segment(id)}"
        return self._send("PUT", path, dict(changes), content=media(self.one), accept=media(self.one))

    def delete(self, id: str) -> None:
        """Deletes one document."""
        self._delete(f"{self.path}/{segment(id)}")


def known(filters: Mapping[str, Any], names: Iterable[str], *, where: str) -> dict[str, Any]:
    """The filters if all their names are known; raises ConfigError with the nearest names otherwise."""
    allowed = sorted(names)
    for name in filters:
        if name not in allowed:
            near = difflib.get_close_matches(name, allowed, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(allowed)}."
            raise ConfigError(f"{where} has no parameter {name!r}: {hint}")
    return dict(filters)


def bounded(filters: Mapping[str, Any], *, revert: bool) -> dict[str, Any]:
    """The filters with an explicit order, and a date bound, without which the platform ignores the order."""
    ordered = {"revert": revert, **filters}
    if filters.get("dateFrom") is None and filters.get("dateTo") is None:
        ordered["dateFrom"] = BEGINNING
    return ordered


def some(filters: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """The filters if there is at least one; raises ConfigError, because the call would concern everything."""
    given = {name: value for name, value in filters.items() if value is not None}
    if not given:
        raise ConfigError(f"{where} needs at least one filter, so that it cannot hit everything by mistake")
    return given
