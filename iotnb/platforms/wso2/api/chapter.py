"""What all chapters of the API share: prefixes, path segments, JSON, lists read to their end."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlsplit

from iotnb.errors import BadAnswer, ConfigError, IncompleteWarning
from iotnb.session import Answer, Session

Document = dict[str, Any]
Documents = list[Document]

DEVICES: Final = "/api/device-mgt/v1.0"
ANDROID: Final = "/api/device-mgt/android/v1.0"
CERTIFICATES: Final = "/api/certificate-mgt/v1.0"
LARGEST: Final = 100  # rows on a page; the server sends 20 unless asked, and refuses more


@dataclass(frozen=True)
class Page:
    """One page of a list: its rows, and how many the server counts in all."""

    items: Documents
    count: int
    answer: Answer


def segment(value: object, *, what: str = "an identifier") -> str:
    """One path segment, percent-encoded; raises ConfigError for what is no text or number."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not text.strip() or text in {".", ".."}:
        raise ConfigError(f"{value!r} cannot be {what}: give it as text")
    return quote(text, safe="")


def device(type: str, id: str | int) -> str:
    """The end of the path that names a device: type and identifier together."""
    return f"{segment(type, what='a device type')}/{segment(id, what='a device identifier')}"


def content(answer: Answer) -> Any:
    """What an answer says: JSON decoded, None for nothing, the text where it is no JSON."""
    if not answer.body.strip():
        return None
    try:
        return answer.json()
    except BadAnswer:
        kind = answer.headers.get("Content-Type", "")
        if "html" in kind or answer.text.lstrip()[:1] in ("<", "{", "["):
            raise
        return answer.text


class Chapter:
    """A part of the API; methods take and give the platform's JSON, keys unchanged.

    Every method raises the errors of `iotnb.errors`: NotFound (404), Invalid (400, 406), Conflict (409),
    Forbidden (403 for want of a scope, and what a service refuses with 401), ServerError (500) ...
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def _call(self, method: str, path: str, *, api: str = DEVICES, **options: Any) -> Any:
        return content(self._session.request(method, api + path, **options))

    def _object(self, method: str, path: str, **options: Any) -> Document:
        found = self._call(method, path, **options)
        if found is None:
            return {}
        if not isinstance(found, dict):
            raise BadAnswer(f"{method} {path}: expected a JSON object, got {type(found).__name__}")
        return found

    def _array(self, method: str, path: str, **options: Any) -> Documents:
        found = self._call(method, path, **options)
        if found is None:
            return []
        if not isinstance(found, list):
            raise BadAnswer(f"{method} {path}: expected a JSON array, got {type(found).__name__}")
        return found

    def _pages(
        self,
        path: str,
        keys: Sequence[str],
        *,
        api: str = DEVICES,
        stop: threading.Event | None = None,
        counted: bool = True,
        limit: int = LARGEST,
        rows: Callable[[Documents], int] = len,
        **params: Any,
    ) -> Iterator[Page]:
        """Pages by offset and limit up to the count; `counted=False` where the count is that of the page.

        `rows` tells how many of the rows that the server counts the items of a page are.
        A list that is missing though rows are counted raises BadAnswer: the server withheld it.
        """
        offset = 0
        while True:
            query = {**params, "offset": offset, "limit": limit}
            answer = self._session.get(api + path, params=query, stop=stop)
            page = read(answer, keys)
            yield page
            came = rows(page.items)
            offset += came
            if came < limit or (counted and offset >= page.count):
                return

    def _list(self, path: str, keys: Sequence[str], **options: Any) -> Documents:
        """All rows; read again once when they are not as many as counted, then warned of."""
        return complete(lambda: self._pages(path, keys, **options), path)


def complete(pages: Callable[[], Iterator[Page]], what: str) -> Documents:
    """All rows of the pages; when they differ from the count twice, warns with both numbers."""
    found: Documents = []
    count = 0
    for _ in range(2):
        found = []
        for page in pages():
            found += page.items
            count = page.count
        if len(found) >= count:
            return found
    warnings.warn(
        f"{what}: the server counts {count:,} rows and gave {len(found):,}; they changed while being read",
        IncompleteWarning,
        stacklevel=4,
    )
    return found


def read(answer: Answer, keys: Sequence[str]) -> Page:
    """The page in an answer, its list under one of the keys; nothing for an empty answer."""
    where = f"{answer.method} {urlsplit(answer.url).path}"
    found = content(answer)
    if found is None:  # 204: nothing
        return Page([], 0, answer)
    if not isinstance(found, dict):
        raise BadAnswer(f"{where}: expected a JSON object, got {type(found).__name__}")
    count = found.get("count")
    items = next((found[key] for key in keys if isinstance(found.get(key), list)), None)
    if items is None:
        if not count:
            if count is None:
                raise BadAnswer(f"{where}: the answer holds neither {keys[0]!r} nor a count")
            return Page([], 0, answer)
        raise BadAnswer(f"{where}: the server counts {count} rows and withheld the list {keys[0]!r}")
    return Page(items, count if isinstance(count, int) else len(items), answer)
