"""How measurements are read: windows of at most seven days, tokens followed, values typed by the template."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from iotnb import times
from iotnb.errors import BadAnswer
from iotnb.loading import Load, Page
from iotnb.platforms.iotconnect.api.telemetry import LARGEST, LONGEST, Telemetry, floor, moment
from iotnb.platforms.iotconnect.decode import Decoder
from iotnb.platforms.iotconnect.model import Model
from iotnb.session import Answer
from iotnb.times import EPOCH

SHORTEST = timedelta(minutes=1)
FILLED = 0.9  # of an answer: as much as the next window is meant to hold
SHOWN = 8  # names in a remark


@dataclass(frozen=True)
class Target:
    """A device that is read: its model, and the one attribute to ask for ("" for all of them)."""

    model: Model
    attribute: str = ""


@dataclass(frozen=True)
class Reply(Answer):
    """All messages of one window; `since` is what was asked for, `until` where the window ends."""

    items: Sequence[Mapping[str, Any]] = ()
    since: datetime = EPOCH
    until: datetime = EPOCH
    end: datetime = EPOCH


class History:
    """Reads what devices sent, window by window, oldest first.

    `series` narrows to some names. What is not in a template, or does not fit its type, is kept and counted:
    `remarks` tells it afterwards.
    """

    page_size = LARGEST

    def __init__(
        self,
        telemetry: Telemetry,
        targets: Mapping[str, Target],
        load: Load,
        *,
        series: Sequence[str] | None = None,
    ) -> None:
        self._telemetry, self._targets, self._load = telemetry, targets, load
        self._decoder = Decoder(series=series)
        self._spans: dict[str, timedelta] = {}
        self._lock = threading.Lock()
        self._came: set[str] = set()

    def fetch(self, source: str, start: datetime, end: datetime, stop: threading.Event) -> Reply:
        """The first window of [start, end): seven days, or as long as one answer will hold."""
        with self._lock:
            span = self._spans.get(source, LONGEST)
        until = min(end, floor(start) + span)
        return self._read(source, start, until, end, stop)

    def follow(self, link: str, stop: threading.Event) -> Reply:
        """The window behind one that held nothing new; the link is our own: device, start and end."""
        start, end, source = link.split(" ", 2)
        return self.fetch(source, times.from_wire(start), times.from_wire(end), stop)

    def _read(
        self, source: str, start: datetime, until: datetime, end: datetime, stop: threading.Event
    ) -> Reply:
        target = self._targets[source]
        found = self._telemetry.window(source, start, until, attribute=target.attribute, stop=stop)
        *earlier, last = found.answers
        if earlier:
            self._load.count(pages=len(earlier), size=sum(len(each.body) for each in earlier))
        span = (until - start).total_seconds()
        if found.items and span > 0:
            wanted = timedelta(seconds=span * LARGEST * FILLED / len(found.items))
            with self._lock:
                self._spans[source] = max(SHORTEST, min(LONGEST, floor(EPOCH + wanted) - EPOCH))
        return Reply(**vars(last), items=found.items, since=start, until=until, end=end)

    def decode(self, answer: Answer, source: str) -> Page:
        """The messages of a window as columns, one document a message."""
        if not isinstance(answer, Reply):
            raise BadAnswer("an answer that is not of this reader")
        moments = _moments(answer.items)
        # the wire knows whole seconds: what lies before the start was read with the window before
        keep = np.flatnonzero(moments >= np.datetime64(answer.since.replace(tzinfo=None), "us"))
        items, moments = [answer.items[i] for i in keep.tolist()], moments[keep]
        columns = self._decoder.columns(source, items, moments, self._targets[source].model)
        if len(columns):
            self._came.add(source)
        columns.ids = _Identities(items)
        more = answer.until < answer.end
        link = f"{times.to_wire(answer.until)} {times.to_wire(answer.end)} {source}" if more else None
        return Page(columns=columns, times=moments, full=more, next=link)

    def remarks(self) -> None:
        """Notes what was met: devices without data, values outside the template, values of a wrong type."""
        silent = [each for each in self._targets if each not in self._came]
        if silent:
            self._load.note(
                f"no data in the window: {len(silent)} of {len(self._targets)} devices: {_few(silent)}"
            )
        if self._decoder.strange:
            self._load.note(f"not in the template: {_few(sorted(self._decoder.strange))}")
        for name, count in sorted(self._decoder.unfit.items()):
            self._load.note(f"{count} values of {name} do not fit its type and are kept as text")


class _Identities(Sequence[str]):
    """What tells each message from others; made when asked for, which is at the edges of windows only."""

    def __init__(self, items: Sequence[Mapping[str, Any]]) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, place: Any) -> Any:
        return f"{self._items[place].get('dTime')} {self._items[place].get('attr')}"


def _moments(items: Sequence[Mapping[str, Any]]) -> np.ndarray[Any, np.dtype[np.datetime64]]:
    texts = [str(each.get("dTime")) for each in items]
    try:
        return times.column(texts).astype("M8[us]")
    except ValueError:  # one without a zone, or with too few digits: one by one
        return np.array([moment(each).replace(tzinfo=None) for each in items], "M8[us]")


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
