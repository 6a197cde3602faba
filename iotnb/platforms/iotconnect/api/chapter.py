"""What all chapters of the API share: envelopes, refusals, and lists read to their end."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlsplit

from iotnb import errors
from iotnb.errors import BadAnswer, ConfigError, RequestError
from iotnb.platforms.iotconnect import refusals
from iotnb.platforms.iotconnect.api.modules import Modules
from iotnb.session import Answer

Document = dict[str, Any]
Documents = list[Document]

PAGE_SIZE = 100
REPEATED = 2  # full pages in a row that bring nothing new: the server does not count pages


@dataclass(frozen=True)
class Page:
    """One page of a list: its documents, what the server says that there are, and the answer."""

    items: Documents
    count: int | None
    answer: Answer


@dataclass
class Tally:
    """How a walk over a list went: `reported` is the server's count, None where it told none (or -1)."""

    pages: int = 0
    rows: int = 0
    reported: int | None = None

    @property
    def short(self) -> bool:
        """Whether fewer rows came than the server says that there are."""
        return self.reported is not None and self.rows < self.reported


class Chapter:
    """A part of the API; methods take and give the platform's JSON, names unchanged.

    A list without documents is answered with 204 and is empty here. Every method raises the errors of
    `iotnb.errors`: NotFound (404, and 409 for what does not exist), Conflict (409), Invalid (412) ...
    """

    module: ClassVar[str] = "device"

    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    def _request(
        self,
        method: str,
        path: str,
        *,
        reading: bool | None = None,
        module: str = "",
        **options: Any,
    ) -> Answer:
        """One request; a refusal is raised as what it means, also one that hides in an answer with 200."""
        session = self._modules[module or self.module]
        seeks = method in {"GET", "HEAD"} if reading is None else reading
        if seeks and method == "POST":
            options.setdefault("retry", True)  # it only reads
        try:
            answer = session.request(method, path, **options)
            hidden = _hidden(answer)
            if hidden is not None:
                raise hidden
        except RequestError as error:
            raise refusals.told(error, reading=seeks, role=self._modules.role) from None
        return answer

    def _data(self, method: str, path: str, **options: Any) -> Any:
        """What stands in `data`: a list, an object or a text; None for an empty answer."""
        return envelope(self._request(method, path, **options)).get("data")

    def _one(self, path: str, **options: Any) -> Document:
        """A single object, which comes as a list of one; raises NotFound for an empty list."""
        answer = self._request("GET", path, **options)
        found = _items(answer, envelope(answer))
        if not found:
            raise errors.NotFound(
                answer.status, "GET", urlsplit(answer.url).path, "nothing of that name", hint=""
            )
        return found[0]

    def _few(self, path: str, **options: Any) -> Documents:
        """A list that comes in one answer."""
        answer = self._request("GET", path, **options)
        return _items(answer, envelope(answer))

    def _change(self, method: str, path: str, body: Any = None, **options: Any) -> Documents:
        """What a change is answered with: mostly an empty list."""
        answer = self._request(method, path, json=body, **options)
        return _items(answer, envelope(answer))

    def _pages(
        self,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        page_size: int = PAGE_SIZE,
        sort: str = "",
        stop: threading.Event | None = None,
        tally: Tally | None = None,
        **options: Any,
    ) -> Iterator[Page]:
        """Whole pages. The server's count alone never ends a list, since it may be -1 or that of the page.

        The end is an empty page, one that brings nothing new, or one that is not full when the count has been
        reached.
        """
        if page_size < 1:
            raise ConfigError(f"page_size={page_size} must be at least 1")
        told = tally if tally is not None else Tally()
        given = {name: value for name, value in (params or {}).items() if value is not None}
        seen: set[str] = set()
        number, stale = 1, 0
        while True:
            query = {
                "pageNumber": number,
                "pageSize": page_size,
                **({"sortBy": sort} if sort else {}),
                **given,
            }
            answer = self._request("GET", path, params=query, stop=stop, **options)
            document = envelope(answer)
            items = _items(answer, document)
            count = counted(document)
            told.pages += 1
            if not items:
                return
            ids = {_identity(each) for each in items}
            stale = stale + 1 if ids <= seen else 0
            if stale and len(items) < page_size:
                return  # the last page, once more: so some lists answer what is behind their end
            if stale == REPEATED:
                raise BadAnswer(
                    f"GET {urlsplit(answer.url).path}: page {number} and that before it hold nothing new: "
                    "the list cannot be read to its end"
                )
            seen |= ids
            told.rows = len(seen)
            told.reported = count if count is not None else told.reported
            yield Page(items, count, answer)
            if len(items) < page_size and (told.reported is not None and told.rows >= told.reported):
                return
            number += 1

    def _list(self, path: str, **options: Any) -> Documents:
        """All documents of a list; raises BadAnswer when fewer come than the server counts."""
        tally = options.pop("tally", None) or Tally()
        found: dict[str, Document] = {}
        for page in self._pages(path, tally=tally, **options):
            for each in page.items:
                found.setdefault(_identity(each), each)
        if tally.short:
            raise BadAnswer(f"GET {path}: {tally.reported} were reported, {tally.rows} came")
        return list(found.values())


def envelope(answer: Answer) -> Document:
    """The JSON object around every answer; 204 and an empty body are an empty one."""
    if answer.status == 204 or not answer.body.strip():
        return {}
    found = answer.json()
    if not isinstance(found, dict):
        raise BadAnswer(
            f"{answer.method} {urlsplit(answer.url).path}: expected a JSON object, got {type(found).__name__}"
        )
    return found


def counted(document: Mapping[str, Any]) -> int | None:
    """How many rows the server says that there are: `count`, or that in `params`; None for -1 and none."""
    params = document.get("params")
    for count in (document.get("count"), params.get("count") if isinstance(params, Mapping) else None):
        if isinstance(count, int) and not isinstance(count, bool) and count >= 0:
            return count
    return None


def _hidden(answer: Answer) -> RequestError | None:
    """The refusal in the body of an answer with 200, if there is one."""
    if answer.status >= 300 or len(answer.body) > 4096 or b'"status"' not in answer.body:
        return None
    status = envelope(answer).get("status")
    if not isinstance(status, int) or status < 400:
        return None
    path = urlsplit(answer.url).path
    return errors.from_response(
        status, answer.method, path, answer.headers, answer.body, secrets=answer.secrets
    )


def _items(answer: Answer, document: Mapping[str, Any]) -> Documents:
    data = document.get("data")
    if data is None:
        return []
    if isinstance(data, dict):
        return [data]
    if isinstance(data, list) and all(isinstance(each, dict) for each in data):
        return data
    raise BadAnswer(f"{answer.method} {urlsplit(answer.url).path}: `data` holds no list of objects")


def _identity(document: Mapping[str, Any]) -> str:
    """What tells a document from others: its guid, or all of it."""
    for name in ("guid", "commandHistoryGuid"):
        if document.get(name):
            return str(document[name]).upper()
    return repr(sorted(document.items(), key=lambda each: each[0]))
