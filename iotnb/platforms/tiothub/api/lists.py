"""Lists of children, whole: three ways of paging, none of which says reliably where the end is.

What came is remembered by `ri`, so that a row is given once, however often the server repeats it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from iotnb.platforms.tiothub import names
from iotnb.platforms.tiothub.api.dmo import Dmo, read
from iotnb.platforms.tiothub.names import Resource
from iotnb.session import Answer

DIALECTS = ("dmo", "skip", "one-based")
PAGE_SIZE = 1000
CAP = 10_000  # requests of one walk

COMPLETE, TRUNCATED, UNKNOWN = "complete", "truncated", "unknown"


@dataclass
class Walk:
    """How a walk over a list went: `state` is complete, truncated or unknown, `reason` says why.

    `total` is what the parent says that it holds (`cni` of a message container), if it does; `mni` is how
    many it keeps.
    """

    state: str = UNKNOWN
    reason: str = "not read to its end"
    seen: int = 0
    requests: int = 0
    size: int = 0
    total: int | None = None
    mni: int | None = None

    def end(self, state: str, reason: str = "") -> None:
        """Notes how it ended; a known total has the last word. A complete list needs no reason."""
        if self.total is not None and self.seen < self.total:
            state, reason = TRUNCATED, f"{self.seen} of {self.total} came"
        elif self.total is not None and state == UNKNOWN:
            state, reason = COMPLETE, ""
        self.state, self.reason = state, "" if state == COMPLETE else reason


def walk(
    dmo: Dmo,
    below: str,
    kind: str,
    *,
    params: Mapping[str, Any] | None = None,
    report: Walk | None = None,
    page_size: int | None = None,
    stop: threading.Event | None = None,
) -> Iterator[list[Resource]]:
    """Pages of the children of a type below a path; `report` tells afterwards whether they are all.

    `page_size` is 1,000 (dmo, skip); a one-based server is asked without a limit unless it is given.
    """
    walker = _Walk(dmo, below, kind, dict(params or {}), report or Walk(), stop)
    if dmo.dialect == "skip":
        return walker.skip(page_size or PAGE_SIZE)
    if dmo.dialect == "one-based":
        return walker.one_based(page_size)
    return walker.dmo(page_size or PAGE_SIZE)


class _Walk:
    def __init__(
        self,
        dmo: Dmo,
        below: str,
        kind: str,
        params: dict[str, Any],
        report: Walk,
        stop: threading.Event | None,
    ) -> None:
        self._dmo, self._below, self._kind, self._params = dmo, below, kind, params
        self._report, self._stop = report, stop
        self._seen: set[str] = set()
        self._latest: Answer | None = None

    def dmo(self, size: int) -> Iterator[list[Resource]]:
        """By `limit` and `offset`: goes on behind what came until nothing new comes."""
        quiet = skipped = 0
        while self._report.requests < CAP:
            items, fresh = self._ask(limit=size, offset=skipped + len(self._seen))
            if fresh:
                quiet = 0
                yield fresh
                if self._all():
                    return self._report.end(COMPLETE)
                continue  # also after a short page: a limit that is capped in silence looks like an end
            if self._all() or (not items and self._seen):
                state = UNKNOWN if skipped else COMPLETE
                return self._report.end(state, "a page was empty or came again, and more came behind it")
            if items and len(items) != size and self._covers(items):
                return self._report.end(COMPLETE)  # it ignores both parameters and gives everything
            quiet += 1  # an empty first page, or one that came before: asked for again, then passed over
            if quiet == 2:
                skipped += len(items) or size
            elif quiet > 2:
                return self._report.end(TRUNCATED if items else COMPLETE, "the server repeats one page")
        return self._report.end(TRUNCATED, f"stopped after {CAP} requests")

    def skip(self, size: int) -> Iterator[list[Resource]]:
        """By `lim` and `ofst`: goes on while `X-M2M-CTS` is 1, from where `X-M2M-CTO` says."""
        offset = 0
        while self._report.requests < CAP:
            items, fresh = self._ask(lim=size, ofst=offset)
            if fresh:
                yield fresh
            headers = self._latest.headers if self._latest else {}
            following = str(headers.get("X-M2M-CTO", ""))
            if str(headers.get("X-M2M-CTS", "")).strip() == "1":
                if not following.isdigit() or int(following) <= offset:
                    return self._report.end(TRUNCATED, "the server says that there is more, but not where")
                offset = int(following)
            elif len(items) < size or not fresh:
                return self._report.end(COMPLETE)
            else:
                offset += len(items)  # a full page of a server that has not heard of CTS
        return self._report.end(TRUNCATED, f"stopped after {CAP} requests")

    def one_based(self, size: int | None) -> Iterator[list[Resource]]:
        """Without a limit at once; with one until a page repeats everything, as it does past the end."""
        if size is None:
            _, fresh = self._ask()
            if fresh:
                yield fresh
            return self._report.end(UNKNOWN, "the server does not tell how many there are")
        offset = 1
        while self._report.requests < CAP:
            items, fresh = self._ask(lim=size, ofst=offset)
            before = len(self._seen) - len(fresh)
            if fresh:
                yield fresh
            if len(items) > size or (items and not fresh and self._covers(items)) or self._all():
                return self._report.end(COMPLETE)
            if items and before and not fresh:
                return self._report.end(UNKNOWN, "the server repeats a page")
            offset += size  # an empty page is none that ends it: it counts what the filter leaves out
        return self._report.end(TRUNCATED, f"stopped after {CAP} requests")

    def _ask(self, **paging: int) -> tuple[list[Resource], list[Resource]]:
        """What came, and what of it is new."""
        params = {"rcn": 4, **self._params, **paging}
        answer = self._dmo.request("GET", self._below, params=params, stop=self._stop)
        parent = read(answer)
        self._latest = answer
        self._report.requests += 1
        self._report.size += len(answer.body)
        for name in ("cni", "mni"):
            value = parent.get(name)
            if isinstance(value, int) and not isinstance(value, bool) and not self._filtered():
                setattr(self._report, "total" if name == "cni" else "mni", value)
        items = names.children(parent, self._kind)
        fresh = [each for each in items if self._new(each)]
        self._report.seen = len(self._seen)
        return items, fresh

    def _filtered(self) -> bool:
        return bool(set(self._params) - {"rcn", "ty"})

    def _new(self, item: Resource) -> bool:
        key = _key(item)
        if key in self._seen:
            return False
        self._seen.add(key)
        return True

    def _all(self) -> bool:
        return self._report.total is not None and len(self._seen) >= self._report.total

    def _covers(self, items: list[Resource]) -> bool:
        return {_key(each) for each in items} >= self._seen


def _key(item: Resource) -> str:
    return str(item.get("ri") or item.get("rn") or sorted(map(str, item.items())))
