"""Operations, events and alarms over a long time, and the audit records that tell when they changed."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from iotnb import times
from iotnb.errors import Forbidden
from iotnb.loading import Load
from iotnb.paging import Page
from iotnb.platforms.cumulocity.api import Api
from iotnb.platforms.cumulocity.api.chapter import Reading
from iotnb.platforms.cumulocity.rows import Document
from iotnb.times import Window

Documents = list[dict[str, Any]]

AUDIT_PAGES = 25  # audit records are read for all operations together up to so many pages, then one by one
AUDIT_MISSES = 20  # lookups without any record until the rest is not asked for: they are not kept that long


def oldest_first(
    chapter: Reading, key: str, window: Window, load: Load, **filters: Any
) -> Iterator[Documents]:
    """Pages of a collection that the server sorts by time `key`, each continued where the last one ended.

    Deep pages are slow on the server, so a full page is followed by a new question from its last time on, and
    what was seen already is dropped. A page that is not in order, or lies in one instant, is followed by
    its link.
    """
    start, seen = window.start, set[str]()
    while True:
        onward: datetime | None = None
        for page in chapter.walk(
            dateFrom=times.to_wire(start), dateTo=until(window.end), stop=load.stop, **filters
        ):
            yield _fresh(page, seen, load)
            onward = _last(page, key, start)
            if onward is not None:
                break
        if onward is None:
            return
        start = onward


def by_link(chapter: Reading, window: Window, load: Load, **filters: Any) -> Iterator[Documents]:
    """Pages of a collection in the server's own order, by next link."""
    seen: set[str] = set()
    bounds: dict[str, Any] = {"dateFrom": times.to_wire(window.start), "dateTo": until(window.end)}
    for page in chapter.walk(**bounds, stop=load.stop, **filters):
        yield _fresh(page, seen, load)


def until(moment: datetime) -> str:
    """The end of a window for the wire: the next whole millisecond, because the platform stores those."""
    return times.to_wire(moment + timedelta(microseconds=-moment.microsecond % 1000))


def _fresh(page: Page, seen: set[str], load: Load) -> Documents:
    fresh = [each for each in page.items if str(each.get("id")) not in seen]
    seen.update(str(each.get("id")) for each in fresh)
    load.count(pages=1, rows=len(fresh), size=len(page.answer.body))
    return fresh


def _last(page: Page, key: str, start: datetime) -> datetime | None:
    """Where the next question may begin; None to go on by link, which is always right."""
    size = page.document.get("statistics", {}).get("pageSize")
    if not page.document.get("next") or not isinstance(size, int) or len(page.items) < size:
        return None
    moments = [times.from_wire(str(each.get(key))) for each in page.items]
    in_order = all(a <= b for a, b in pairwise(moments))
    return moments[-1] if in_order and moments[-1] > max(moments[0], start) else None


class Trail:
    """The audit records about operations of one load, by operation; read once for all of its devices."""

    def __init__(self, api: Api, load: Load, start: datetime) -> None:
        # a proxy, because whoever keeps trails by load would otherwise keep the loads as well
        self._api, self._load, self._start = api, weakref.proxy(load), start
        self._lock = threading.Lock()
        self._known: dict[str, Documents] | None = None
        self._misses = 0
        self._closed = ""

    def attach(self, operations: Iterable[Mapping[str, Any]]) -> Documents:
        """The operations with their audit records beside them; those that are finished are looked up."""
        found: Documents = []
        for each in operations:
            document = Document(each)
            if str(each.get("status")) in {"SUCCESSFUL", "FAILED"}:
                document.audit = self._of(str(each.get("id")))
            found.append(document)
        return found

    def _of(self, operation: str) -> Documents:
        with self._lock:
            if self._known is None:
                self._known = {}
                self._guard(self._sweep)
            if operation not in self._known and not self._closed and self._misses < AUDIT_MISSES:
                self._guard(lambda: self._look_up(operation))
                if self._misses == AUDIT_MISSES:
                    self._load.note(
                        "the audit log holds nothing about some operations: "
                        "their `finished` and `duration` are unknown"
                    )
            return self._known.get(operation, [])

    def _guard(self, read: Callable[[], None]) -> None:
        try:
            read()
        except Forbidden:
            self._closed = "no right to read the audit log"
            self._load.note(
                "you may not read the audit log (ROLE_AUDIT_READ): "
                "`finished` and `duration` of operations are unknown"
            )

    def _sweep(self) -> None:
        """Reads all records about operations since the window's start."""
        walk = self._api.audit.walk(
            type="Operation", dateFrom=times.to_wire(self._start), stop=self._load.stop
        )
        for number, page in enumerate(walk, 1):
            self._keep(page.items)
            if number == AUDIT_PAGES:
                return

    def _look_up(self, operation: str) -> None:
        """Reads the records about one operation, whose `time` may be wrong and outside every window."""
        records = list(self._api.audit.list(source=operation, stop=self._load.stop))
        self._misses = 0 if records else self._misses + 1
        self._keep(records)

    def _keep(self, records: Documents) -> None:
        known = self._known if self._known is not None else {}
        for record in records:
            source = record.get("source")
            if isinstance(source, Mapping) and source.get("id") is not None:
                known.setdefault(str(source["id"]), []).append(record)
