"""What all chapters of the API share: versions, path segments, documents, and lists read to their end."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

from iotnb import paging
from iotnb.errors import BadAnswer, ConfigError
from iotnb.paging import Page
from iotnb.session import Answer, Session

Document = dict[str, Any]
Documents = list[Document]

GA = "2022-07-31"
PREVIEW = "2022-10-31-preview"  # whatever queries, filters, exports
LARGEST = 100  # documents on a page; the service sends 25 unless asked
LISTED = frozenset({"filter", "orderby", "maxpagesize", "expand"})  # known to the preview only


def segment(value: object, *, what: str = "an identifier") -> str:
    """One path segment, percent-encoded (`dtmi:x;1` becomes `dtmi%3Ax%3B1`); raises ConfigError if empty."""
    text = value if isinstance(value, str) else ""
    if not text.strip() or text in {".", ".."}:
        raise ConfigError(f"{value!r} cannot be {what}: give it as text")
    return quote(text, safe="")


def document(answer: Answer) -> Document:
    """The JSON object of an answer; an empty body (202, 204) is an empty object."""
    if not answer.body:
        return {}
    found = answer.json()
    if not isinstance(found, dict):
        raise BadAnswer(
            f"{answer.method} {urlsplit(answer.url).path}: expected a JSON object, got {type(found).__name__}"
        )
    return found


class Link:
    """The way to one application: its session, and the host name under which it is asked.

    `host` is set where one address serves many applications, as a sandbox does; links that the server gives
    with that name are followed at the address that they came from.
    """

    def __init__(self, session: Session | None, *, host: str = "", lacks: str = "") -> None:
        self._session, self.host, self._lacks = session, host, lacks

    @property
    def has(self) -> bool:
        """Whether there is a session."""
        return self._session is not None

    @property
    def session(self) -> Session:
        """The session; raises ConfigError that says what to give when there is none."""
        if self._session is None:
            raise ConfigError(self._lacks)
        return self._session

    def there(self, link: str) -> str:
        """A link of the server as an address that this session may ask."""
        parts = urlsplit(link)
        if self.host and parts.hostname == self.host:
            return self.session.base_url + parts.path + (f"?{parts.query}" if parts.query else "")
        return link


class Chapter:
    """A part of the API of one application; methods take and give the platform's JSON, keys unchanged.

    Every method raises the errors of `iotnb.errors`: NotFound (404), Invalid (400, 422), Forbidden (403) ...
    """

    root: ClassVar[str] = "/api"
    version: ClassVar[str] = GA

    def __init__(self, link: Link) -> None:
        self._link = link

    def _request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        version: str = "",
        **options: Any,
    ) -> Answer:
        """One request with its `api-version`: the preview where a parameter needs it."""
        given = {name: value for name, value in (params or {}).items() if value is not None}
        wanted = version or (PREVIEW if LISTED & given.keys() else self.version)
        query = {"api-version": wanted, **given}
        return self._link.session.request(method, self.root + path, params=query, **options)

    def _json(self, method: str, path: str, **options: Any) -> Document:
        return document(self._request(method, path, **options))

    def _find(self, path: str, *, version: str = "") -> Document | None:
        answer = self._request("GET", path, version=version, expect={404})
        return None if answer.status == 404 else document(answer)

    def _pages(
        self,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        stop: threading.Event | None = None,
        version: str = "",
    ) -> Iterator[Page]:
        """Whole pages; `nextLink` is followed as it is, an absent one and null end the list."""
        first = ""

        def get(link: str) -> Answer:
            if link == first:
                return self._request("GET", path, params=params, stop=stop, version=version)
            return self._link.session.get(self._link.there(link), stop=stop)

        return paging.follow(get, first, items="value", next_link="nextLink")

    def _list(self, path: str, **options: Any) -> Documents:
        return [each for page in self._pages(path, **options) for each in page.items]


class Collection(Chapter):
    """Documents under one path that can be listed, read, created, changed and deleted."""

    path: ClassVar[str]
    pageable: ClassVar[bool] = False  # takes filter, orderby and maxpagesize

    def pages(self, *, stop: threading.Event | None = None, **filters: Any) -> Iterator[Page]:
        """Whole pages with the answers they came in, 100 documents each where that can be asked for."""
        if not self.pageable and filters:
            raise ConfigError(f"GET {self.path} takes no {', '.join(filters)}")
        unknown = filters.keys() - LISTED
        if unknown:
            raise ConfigError(
                f"GET {self.path} has no parameter {min(unknown)!r}: it has {', '.join(sorted(LISTED))}"
            )
        params = {"maxpagesize": LARGEST, **filters} if self.pageable else filters
        return self._pages(self.path, params=params, stop=stop)

    def list(self, *, stop: threading.Event | None = None, **filters: Any) -> Documents:
        """All documents; `filter`, `orderby`, `maxpagesize` in the platform's words where it takes them."""
        return [each for page in self.pages(stop=stop, **filters) for each in page.items]

    def get(self, id: str, *, stop: threading.Event | None = None) -> Document:
        """One document by its id."""
        return self._json("GET", self._at(id), stop=stop)

    def find(self, id: str) -> Document | None:
        """One document by its id, or None if there is none."""
        return self._find(self._at(id))

    def create(self, id: str, document: Mapping[str, Any]) -> Document:
        """Stores a document under an id of your choice; replaces the one that is there."""
        return self._json("PUT", self._at(id), json=dict(document))

    def update(self, id: str, changes: Mapping[str, Any], *, etag: str = "") -> Document:
        """Changes the members that are given; with `etag` only if the document is still that one (412)."""
        if not etag:
            return self._json("PATCH", self._at(id), json=dict(changes))
        headers = {"If-Match": etag}
        return self._json("PATCH", self._at(id), json=dict(changes), headers=headers, version=PREVIEW)

    def delete(self, id: str) -> None:
        """Deletes one document."""
        self._request("DELETE", self._at(id))

    def _at(self, id: str) -> str:
        return f"{self.path}/{segment(id)}"
