"""How messages become measurements: whole containers are read, decoded, and kept where they fall."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from iotnb import frames, times
from iotnb.frames import Columns
from iotnb.loading import Load
from iotnb.platforms.tiothub import names, rows
from iotnb.platforms.tiothub.api import Api, Walk
from iotnb.platforms.tiothub.api.lists import COMPLETE, TRUNCATED, UNKNOWN
from iotnb.platforms.tiothub.api.messages import KIND, RECEIVED, ROOT, STORES
from iotnb.platforms.tiothub.names import Resource
from iotnb.times import Window

Row = dict[str, Any]

MARGIN = timedelta(hours=1)  # what a filter by time is asked for beyond the window


class Uplink:
    """Reads what devices sent. The platform has no filter of time that can be relied upon.

    `series` narrows to some names, with or without the container before the colon; `silent` are sources that
    have no messages.
    """

    def __init__(self, api: Api, *, series: Sequence[str] | None, silent: Container[str] = ()) -> None:
        self._api, self._series = api, None if series is None else set(series)
        self._silent = silent
        # a one-based server is better compared with what it says that it holds
        self._narrow = api.dialect != "one-based"

    def read(self, source: str, window: Window, load: Load) -> Iterator[Columns]:
        """The values of one device in the window, page by page."""
        names_seen: set[str] = set()
        for page in self.rows(source, load, window):
            inside = [row for row in page if _inside(row["time"], window)]
            names_seen.update(row["series"] for row in inside)
            found = [row for row in inside if self.wanted(row["series"])]
            if found:
                load.count(rows=len(found))
                yield frames.columns(found)
        if self._series is not None and names_seen and not any(map(self.wanted, names_seen)):
            shown = ", ".join(sorted(names_seen)[:8])
            load.note(f"{source} has none of the series asked for in this window; it has {shown}")

    def rows(self, source: str, load: Load, window: Window | None = None) -> Iterator[list[Row]]:
        """The rows of all messages of a device, page by page; what is missing becomes a gap."""
        if source in self._silent:
            return
        broken, reason = 0, ""
        for path, page in self._messages(source, load, window):
            made: list[Row] = []
            for message in page:
                if window is not None and not _inside(names.moment(message.get("ct")), window):
                    continue
                listed, why = rows.values(message, source, path.rpartition("/")[2])
                made += listed
                if why:
                    broken, reason = broken + 1, reason or why
            yield made
        if broken:
            load.note(
                f"{broken} messages of {source} could not be decoded and are kept as text, the first because "
                f"of: {reason}"
            )

    def wanted(self, series: str) -> bool:
        """Whether a series is among those asked for."""
        if self._series is None:
            return True
        return series in self._series or series.partition(":")[2] in self._series

    def _messages(
        self, source: str, load: Load, window: Window | None
    ) -> Iterator[tuple[str, list[Resource]]]:
        """Pages of a device's messages with the path of their container; at least those in the window."""
        usual = f"{ROOT}/{source}/{RECEIVED}"
        if window is not None and self._narrow:
            newest = self._api.tree.find(f"{usual}/la", stop=load.stop)
            at = names.moment(newest.get("ct")) if newest else None
            if at is not None:
                if at < window.start:
                    return
                found = self._narrowed(usual, window, at, load)
                if found is not None:
                    yield usual, found
                    return
        for path, report in self._containers(source, load):
            oldest: datetime | None = None
            for page in self._pages(path, report, load):
                moments = [at for each in page if (at := names.moment(each.get("ct")))]
                oldest = min([*moments, *([oldest] if oldest else [])], default=None)
                yield path, page
            self._judge(source, report, oldest, window, load)

    def _narrowed(self, path: str, window: Window, newest: datetime, load: Load) -> list[Resource] | None:
        """What the server gives for "created after"; None when the answer shows that it cannot be trusted.

        The newest message must be among them, none may be older than asked for, and none may be missing.
        """
        report = Walk()
        start = window.start - MARGIN
        found = [each for page in self._pages(path, report, load, cra=start) for each in page]
        moments = [names.moment(each.get("ct")) for each in found]
        fits = any(at is not None and at >= newest for at in moments)
        if fits and report.state == COMPLETE and all(at is not None and at >= start for at in moments):
            return found
        self._narrow = False  # ignored or misread: the others are read whole from now on
        return None

    def _containers(self, source: str, load: Load) -> list[tuple[str, Walk]]:
        """The containers of a device's own messages, in the usual place or in an older one.

        Each with what it says that it holds, before it is read: the platform tells it to this question only.
        """
        usual = f"{ROOT}/{source}/{RECEIVED}"
        found = self._api.tree.find(usual, rcn=1, stop=load.stop)
        if found is not None:
            return [(usual, Walk(total=found.get("cni"), mni=found.get("mni")))]
        return [
            (path, Walk())
            for path in self._api.messages.containers(source)
            if path.rpartition("/")[2] not in STORES[1:]
        ]

    def _pages(self, path: str, report: Walk, load: Load, **filters: Any) -> Iterator[list[Resource]]:
        requests = size = 0
        for page in self._api.tree.pages(path, KIND, report=report, stop=load.stop, **filters):
            load.count(pages=report.requests - requests, size=report.size - size)
            requests, size = report.requests, report.size
            yield page

    def _judge(
        self, source: str, report: Walk, oldest: datetime | None, window: Window | None, load: Load
    ) -> None:
        """Says it when messages are missing, or when older ones have been dropped by the platform."""
        span = (window.start, window.end) if window else (None, None)
        if report.state == TRUNCATED:
            load.gap(source, *span, reason=f"not all messages came: {report.reason}")
        elif report.state == UNKNOWN:
            load.note(f"whether all messages of {source} came is unknown: {report.reason}")
        if report.mni and report.seen >= report.mni and oldest and window and window.start < oldest:
            load.note(
                f"the platform keeps {report.mni} messages of {source}: those before "
                f"{times.to_wire(oldest)} have been dropped"
            )


def described(found: Sequence[Row]) -> list[Row]:
    """Rows of the series table from rows of measurements of one device."""
    made: dict[str, Row] = {}
    for row in found:
        kind = (
            "number" if row["value"] is not None else "bool" if row["text"] in ("true", "false") else "text"
        )
        entry = made.setdefault(
            row["series"],
            {
                "device": row["device"],
                "series": row["series"],
                "unit": None,
                "kind": kind,
                "first": None,
                "last": None,
            },
        )
        if entry["kind"] != kind:
            entry["kind"] = "text" if "text" in (kind, entry["kind"]) else "number"
        if row["time"] is not None:
            entry["first"] = min(row["time"], entry["first"] or row["time"])
            entry["last"] = max(row["time"], entry["last"] or row["time"])
    return list(made.values())


def newest(found: Sequence[Row]) -> list[Row]:
    """The last row of each series."""
    made: dict[str, Row] = {}
    for row in found:
        before = made.get(row["series"])
        if before is None or _key(row) >= _key(before):
            made[row["series"]] = row
    return list(made.values())


def _key(row: Row) -> datetime:
    at: datetime = row["time"] or times.EPOCH
    return at


def _inside(at: datetime | None, window: Window) -> bool:
    """Whether a time lies in the window; a message whose time cannot be read is kept."""
    return at is None or window.start <= at < window.end
