"""Event records: the samples of the fleet, worked out, and what devices published, stored; newest first."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from iotnb.sandbox.fleet import Series
from iotnb.sandbox.store import Document, Match
from iotnb.sandbox.wire import encode
from iotnb.sandbox.wso2.base import Base
from iotnb.sandbox.wso2.formats import gson, hash_order
from iotnb.sandbox.wso2.inventory import Enrolment

Times = npt.NDArray[np.int64]
Json = dict[str, Any]
TENANT_ID = -1234
_META = ("_version", "meta_deviceId")
_KEPT = 32  # windows whose times are remembered: pages of one window, and of its parts, come one by one


def table_name(type: str) -> str:  # noqa: A002  the platform's own word
    """The table of a type's stream: `IOT_PER_DEVICE_STREAM_CARBON_SUPER_FIREALARM`."""
    stream = f"iot.per.device.stream.carbon.super.{type}".replace(" ", ".")
    return stream.replace(".", "_").upper()


class Window(NamedTuple):
    """The samples of a fleet device in a span: times in order, and the lane and position of each."""

    times: Times
    lane: npt.NDArray[np.int64]
    lanes: list[tuple[tuple[Series, ...], Times]]


class Found(NamedTuple):
    """A page of records as JSON texts, and how many match altogether."""

    records: list[bytes]
    total: int


class Records:
    """Reads and adds the records of devices."""

    def __init__(self, base: Base) -> None:
        self._base = base
        self._windows: OrderedDict[tuple[int, ...], tuple[int, Window]] = OrderedDict()

    def load(self) -> None:
        """Forget what is remembered: the fleet may be another one."""
        self._windows.clear()

    def add(self, one: Enrolment, values: Json, *, at: int | None = None) -> None:
        """Keep what a device published."""
        self.add_many(one, [(self._base.now() if at is None else at, values)])

    def add_many(self, one: Enrolment, rows: list[tuple[int, Json]]) -> None:
        """Keep several records of a device with their times."""
        numbers = self._base.store.next_ids("record", len(rows))
        documents = [
            Document(number, source=one.device, time=at, created=at, updated=at, body=encode(values))
            for number, (at, values) in zip(numbers, rows, strict=True)
        ]
        self._base.store.put("record", documents)

    def select(self, one: Enrolment, start: int, end: int, offset: int, limit: int) -> Found:
        """Records from `start` to `end` (ms, both included), the newest first."""
        end = min(end, self._base.now() - int(self._base.switches.index_delay * 1000))
        match = Match(sources=(one.device,), time=(start, end + 1))
        stored = self._base.store.count("record", match) if end >= start else 0
        if one.fleet is None or end < start:
            found = self._stored(match, limit, offset) if stored and limit else []
            return Found([self._shown(one, document) for document in found], stored)
        window = self._window(one.fleet, start, end)
        if not stored:
            size = window.times.size
            first, last = max(0, size - offset - limit), max(0, size - offset)
            return Found(self._render(one, window, first, last)[::-1], int(size))
        return self._merged(one, window, self._stored(match, -1, 0), offset, limit)

    def newest(self, one: Enrolment, oldest: int) -> Found:
        """The newest record since a moment; looks near the present first, where it mostly is."""
        now = self._base.now()
        for start in (now - 3_600_000, now - 86_400_000, oldest):
            found = self.select(one, start, now, 0, 1)
            if found.records:
                return Found(found.records, 1)
        return Found([], 0)

    def _stored(self, match: Match, limit: int, offset: int) -> list[Document]:
        return self._base.store.select("record", match, newest_first=True, limit=limit, offset=offset)

    def _merged(
        self, one: Enrolment, window: Window, stored: list[Document], offset: int, limit: int
    ) -> Found:
        """A fleet device for which somebody published records too."""
        own = [(document.time, self._shown(one, document)) for document in stored]
        rest = self._render(one, window, 0, window.times.size)
        rows = [*own, *zip(window.times.tolist(), rest, strict=True)]
        rows.sort(key=lambda row: row[0], reverse=True)
        return Found([text for _, text in rows[offset : offset + limit]], len(rows))

    def _window(self, index: int, start: int, end: int) -> Window:
        fleet = self._base.fleet
        key = (fleet.seed, fleet.start, index, start)
        last, found = self._windows.get(key, (0, None))
        if found is None or end > last:
            lanes = [
                (listed, fleet.times(index, group, start, end + 1))
                for group, listed in fleet.groups(index).items()
            ]
            times = np.concatenate([at for _, at in lanes])
            order = np.argsort(times, kind="stable")
            places = np.repeat(np.arange(len(lanes)), [at.size for _, at in lanes])
            found = Window(times[order], places[order], lanes)
            self._windows[key] = end, found
            if len(self._windows) > _KEPT:
                self._windows.popitem(last=False)
        size = int(np.searchsorted(found.times, end, "right"))
        return Window(found.times[:size], found.lane[:size], found.lanes)

    def _render(self, one: Enrolment, window: Window, first: int, last: int) -> list[bytes]:
        """The records first to last - 1 of a fleet device, in order of time."""
        fleet, index = self._base.fleet, one.fleet
        out: list[bytes] = [b""] * max(0, last - first)
        if index is None or not out:
            return out
        times, lane = window.times[first:last], window.lane[first:last]
        for number, (series, _) in enumerate(window.lanes):
            where = np.flatnonzero(lane == number)
            if not where.size:
                continue
            at = times[where]
            columns = [fleet.value(index, each, at).tolist() for each in series]
            names = [each.name for each in series]
            shape = _shaper(one, names)
            for place, ms, values in zip(
                where.tolist(), at.tolist(), zip(*columns, strict=True), strict=True
            ):
                held = dict(zip(names, values, strict=True))
                out[place] = shape(held, ms, f"{ms}{number}.{index:03d}")
        return out

    def _shown(self, one: Enrolment, document: Document) -> bytes:
        values = document.json()
        return _shaper(one, list(values))(values, document.time, f"{document.time}0.{document.id:03d}")


def _shaper(one: Enrolment, names: list[str]) -> Callable[[Json, int, str], bytes]:
    """Writes records that have the same names: the order of a HashMap is found once."""
    # the two that the server adds go in first: so they stand in the buckets that they share with others
    order = hash_order([*_META, *names])
    fixed = {"_version": "1.0.0", "meta_deviceId": one.identifier}
    head = {"tenantId": TENANT_ID, "tableName": table_name(one.type)}

    def shape(values: Json, at: int, number: str) -> bytes:
        held = {**fixed, **values}
        shown = {name: held[name] for name in order if held[name] is not None}
        return gson({**head, "values": shown, "timestamp": at, "id": number})

    return shape
