"""Where measurements come from: lanes of the simulated fleet, computed in arrays, and users' documents.

A lane is one group of series of one fleet device: all its measurements have one type, one fragment and the
same series. Pages and series are cut out of merged lanes; users' documents are merged in by time.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

import numpy as np
import numpy.typing as npt

from iotnb.sandbox.cumulocity.fleetdocs import device_id, numeric, word
from iotnb.sandbox.cumulocity.state import Platform
from iotnb.sandbox.cumulocity.units import Units
from iotnb.sandbox.cumulocity.wire import format_time
from iotnb.sandbox.fleet import Series
from iotnb.sandbox.store import Document, Match

Times = npt.NDArray[np.int64]
_EPOCH = 1_262_304_000_000  # 1 January 2010: ids of fleet measurements are ms since then, group, device
_DEVICE_BITS = 20
_GROUP_BITS = 3
_LATEST_LOOKED_AT = 200
_FOREVER = 1 << 62


@dataclass(frozen=True, slots=True)
class Erased:
    """Measurements of the fleet that somebody deleted; None stands for every device, type or time."""

    source: int | None
    type: str | None
    start: int | None
    end: int | None

    def window(self) -> tuple[int, int]:
        """[start, end) with very early and very late times in place of None."""
        return self.start or 0, _FOREVER if self.end is None else self.end

    def covers(self, lane: "Lane") -> bool:
        """Whether the deletion concerns a lane at all."""
        return self.source in (None, lane.source) and self.type in (None, lane.type)


@dataclass(frozen=True, slots=True)
class Lane:
    """One group of series of one fleet device."""

    owner: "Measured"
    index: int
    number: int  # of the group in its device
    group: str
    series: tuple[Series, ...]

    @property
    def source(self) -> int:
        """The device's managed object."""
        return device_id(self.index)

    @property
    def type(self) -> str:
        """The type of the measurements, which is also the name of their fragment."""
        return word(self.group)

    def times(self, start: int, end: int) -> Times:
        """The times in [start, end) without what was deleted or has expired."""
        fleet = self.owner.platform.fleet
        oldest = self.owner.platform.oldest("MEASUREMENT")
        found = fleet.times(self.index, self.group, max(start, oldest or start), end)
        for gone in self.owner.erased:
            if gone.covers(self):
                low, high = gone.window()
                found = found[(found < low) | (found >= high)]
        if self.owner.hidden and found.size:
            ids = self.ids(found)
            found = found[~np.isin(ids, self.owner.hidden_ids())]
        return found

    def count(self, start: int, end: int) -> int:
        """How many measurements there are in [start, end)."""
        if self.owner.erased or self.owner.hidden:
            return int(self.times(start, end).size)
        oldest = self.owner.platform.oldest("MEASUREMENT")
        return self.owner.platform.fleet.count(self.index, self.group, max(start, oldest or start), end)

    def ids(self, times: Times) -> Times:
        """The ids of the measurements at these times."""
        rest = (self.number << _DEVICE_BITS) | self.index
        return ((times - _EPOCH) << (_DEVICE_BITS + _GROUP_BITS)) | rest

    def values(self, one: Series, times: Times) -> npt.NDArray[np.float64]:
        """What a series reads at these times."""
        return self.owner.platform.fleet.value(self.index, one, times)

    def render(self, times: Times, origin: str, units: Units, zone: tzinfo | None) -> list[str]:
        """The measurements at these times as JSON texts."""
        source = f'{{"self":"{origin}/inventory/managedObjects/{self.source}","id":"{self.source}"}}'
        head = f'{{"self":"{origin}/measurement/measurements/'
        middle = f'","source":{source},"type":"{self.type}","{self.type}":{{'
        ids = list(map(str, self.ids(times).tolist()))
        stamps = time_texts(times, zone)
        columns = []
        for place, one in enumerate(self.series):
            unit, values = units.convert(one.unit, self.values(one, times))
            start = f'{"," if place else ""}"{one.name}":{{"unit":"{unit}","value":'
            columns.append([f"{start}{value!r}}}" for value in values.tolist()])
        bodies = columns[0] if len(columns) == 1 else map("".join, zip(*columns, strict=True))
        return [
            f'{head}{i}","id":"{i}{middle}{body}}},"time":"{stamp}"}}'
            for i, body, stamp in zip(ids, bodies, stamps, strict=True)
        ]


def time_texts(times: Times, zone: tzinfo | None = None) -> list[str]:
    """Times as ISO 8601 texts, in UTC or in the platform's zone."""
    if zone is not None:
        return [format_time(at, zone=zone) for at in times.tolist()]
    texts: list[str] = np.datetime_as_string(times.astype("M8[ms]"), unit="ms").tolist()
    return [text + "Z" for text in texts]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which measurements: [start, end) in milliseconds, None for no bound."""

    source: int | None = None
    types: tuple[str, ...] = ()
    fragment: str = ""
    series: str = ""
    any_fragment: str = ""
    start: int | None = None
    end: int | None = None

    def fits(self, document: Document) -> bool:
        """Whether a user's measurement has the fragment and series asked for."""
        if self.any_fragment and self.any_fragment not in document.json():
            return False
        if not self.fragment and not self.series:
            return True
        pairs = (name.partition(".") for name in document.status.split(" "))
        return any(
            (not self.fragment or self.fragment == fragment) and (not self.series or self.series == series)
            for fragment, _, series in pairs
        )

    @property
    def filters_documents(self) -> bool:
        """Whether users' documents must be looked into."""
        return bool(self.fragment or self.series or self.any_fragment)


class Measured:
    """The measurements of every managed object."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.load()

    def load(self) -> None:
        """Read what the store holds, at the start and after a reset."""
        store = self.platform.store
        self.hidden: set[int] = {int(name) for name in store.settings("measurement-gone")}
        self._hidden_ids: Times | None = None
        self.erased = [Erased(*entry) for entry in store.settings("measurement-erased").values()]
        self._series: dict[int, dict[str, str]] = {int(k): v for k, v in store.settings("series").items()}

    def hidden_ids(self) -> Times:
        """The ids of single fleet measurements that were deleted."""
        if self._hidden_ids is None or self._hidden_ids.size != len(self.hidden):
            self._hidden_ids = np.array(sorted(self.hidden), dtype=np.int64)
        return self._hidden_ids

    # what is measured

    def lanes_of(self, index: int) -> list[Lane]:
        """The lanes of a fleet device."""
        groups = self.platform.fleet.groups(index).items()
        found = ((n, group, numeric(series)) for n, (group, series) in enumerate(groups))
        return [Lane(self, index, n, group, series) for n, group, series in found if series]

    def lanes(self, wanted: Wanted) -> list[Lane]:
        """The fleet's lanes that can hold what is wanted."""
        objects = self.platform.objects
        if wanted.source is None:
            indexes: Iterable[int] = range(len(self.platform.fleet))
        else:
            index = objects.index(wanted.source)
            indexes = () if index is None else (index,)
        alive = (i for i in indexes if device_id(i) not in objects.hidden)
        return [lane for i in alive for lane in self.lanes_of(i) if _lane_fits(lane, wanted)]

    def series(self, number: int) -> list[tuple[str, str]]:
        """(fragment, series) of everything numeric that an object measures or measured."""
        found: dict[tuple[str, str], None] = {}
        index = self.platform.objects.index(number)
        if index is not None and number not in self.platform.objects.hidden:
            for lane in self.lanes_of(index):
                found.update(dict.fromkeys((lane.type, one.name) for one in lane.series))
        for name in self._series.get(number, {}):
            fragment, _, series = name.partition(".")
            found[fragment, series] = None
        return list(found)

    def learn(self, number: int, names: dict[str, str]) -> None:
        """Remember the `fragment.series` of a new measurement, with their units."""
        known = self._series.setdefault(number, {})
        if any(known.get(name) != unit for name, unit in names.items()):
            known.update(names)
            self.platform.store.set("series", str(number), known)

    # reading

    def match(self, wanted: Wanted) -> Match:
        """The condition for users' documents."""
        oldest = self.platform.oldest("MEASUREMENT")
        start = max((at for at in (wanted.start, oldest) if at is not None), default=None)
        return Match(
            sources=None if wanted.source is None else (wanted.source,),
            types=wanted.types or None,
            time=(start, wanted.end),
        )

    def count(self, wanted: Wanted) -> int:
        """How many measurements there are."""
        store = self.platform.store
        if wanted.filters_documents:
            stored = sum(wanted.fits(one) for one in store.select("measurement", self.match(wanted)))
        else:
            stored = store.count("measurement", self.match(wanted))
        start, end = self.bounds(wanted)
        return stored + sum(lane.count(start, end) for lane in self.lanes(wanted))

    def bounds(self, wanted: Wanted) -> tuple[int, int]:
        """The window in which the fleet can have measurements."""
        fleet = self.platform.fleet
        start = fleet.start if wanted.start is None else max(wanted.start, fleet.start)
        end = self.platform.now() + 1
        return start, end if wanted.end is None else min(wanted.end, end)

    def documents(self, wanted: Wanted, *, newest_first: bool, skip: int, count: int) -> list[Document]:
        """Users' measurements, in the order of time."""
        match, select = self.match(wanted), self.platform.store.select
        if not wanted.filters_documents:
            return select("measurement", match, newest_first=newest_first, limit=count, offset=skip)
        found = select("measurement", match, newest_first=newest_first)
        return [one for one in found if wanted.fits(one)][skip : skip + count]

    def rows(self, wanted: Wanted, *, newest_first: bool, skip: int, count: int) -> "Rows":
        """`count` measurements after the first `skip`, of the fleet and of users, in the order of time."""
        lanes = self.lanes(wanted)
        start, end = self.bounds(wanted)
        if not lanes or end <= start:
            documents = self.documents(wanted, newest_first=newest_first, skip=skip, count=count)
            return Rows(lanes, documents, *_order(_EMPTY, _EMPTY, documents, newest_first))
        times, codes = gather(lanes, start, end, skip + count, newest_first=newest_first)
        documents = self.documents(wanted, newest_first=newest_first, skip=0, count=skip + count)
        rows = Rows(lanes, documents, *_order(times, codes, documents, newest_first))
        return rows.cut(skip, count)

    def find(self, number: int) -> tuple[Lane, Times] | None:
        """The lane and the one time of a fleet measurement's id, or None."""
        index = number & ((1 << _DEVICE_BITS) - 1)
        group = (number >> _DEVICE_BITS) & ((1 << _GROUP_BITS) - 1)
        at = (number >> (_DEVICE_BITS + _GROUP_BITS)) + _EPOCH
        exists = index < len(self.platform.fleet) and device_id(index) not in self.platform.objects.hidden
        lane = next((one for one in self.lanes_of(index) if one.number == group), None) if exists else None
        times = lane.times(at, at + 1) if lane is not None else _EMPTY
        return (lane, times) if lane is not None and times.size else None

    def latest_fragments(self, number: int) -> dict[str, Any]:
        """c8y_LatestMeasurements and c8y_PreviousMeasurements: the last two values of every series."""
        blocks: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
        wanted = Wanted(source=number)
        index = self.platform.objects.index(number)
        start, end = self.bounds(wanted)
        for lane in self.lanes(wanted) if index is not None else ():
            times, _ = gather([lane], start, end, 2, newest_first=True)
            for block, at in zip(blocks, times[::-1], strict=False):
                values = {
                    one.name: {
                        "value": float(lane.values(one, np.array([at]))[0]),
                        "unit": one.unit,
                        "time": format_time(int(at)),
                    }
                    for one in lane.series
                }
                block[lane.type] = values
        for one in self.documents(wanted, newest_first=True, skip=0, count=_LATEST_LOOKED_AT):
            _note_latest(blocks, one)
        return {"c8y_LatestMeasurements": blocks[0], "c8y_PreviousMeasurements": blocks[1]}

    # deleting

    def hide(self, number: int) -> None:
        """Delete one measurement of the fleet."""
        self.hidden.add(number)
        self.platform.store.set("measurement-gone", str(number), 1)

    def delete(self, wanted: Wanted) -> None:
        """Delete every measurement of a source, a type and a window."""
        store = self.platform.store
        if wanted.filters_documents:
            gone = [one.id for one in store.select("measurement", self.match(wanted)) if wanted.fits(one)]
            store.drop("measurement", gone)
        else:
            store.delete("measurement", self.match(wanted))
        now = self.platform.now() + 1  # what arrives later stays
        end = now if wanted.end is None else min(wanted.end, now)
        types: tuple[str | None, ...] = wanted.types or ((wanted.fragment or wanted.any_fragment or None),)
        for kind in types:
            entry = Erased(wanted.source, kind, wanted.start, end)
            self.erased.append(entry)
            name = str(len(self.erased))
            store.set("measurement-erased", name, [entry.source, entry.type, entry.start, entry.end])

    def erase(self, number: int) -> None:
        """Forget everything of a deleted object; the fleet's own measurements go with their device."""
        self.platform.store.delete("measurement", Match(sources=(number,)))
        self._series.pop(number, None)
        self.platform.store.unset("series", str(number))


_EMPTY: Times = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Rows:
    """Merged measurements: `codes` says which lane, or -1 - n for document n."""

    lanes: Sequence[Lane]
    documents: Sequence[Document]
    times: Times
    codes: Times

    def __len__(self) -> int:
        return int(self.times.size)

    def cut(self, skip: int, count: int) -> "Rows":
        """A slice."""
        part = slice(skip, skip + count)
        return Rows(self.lanes, self.documents, self.times[part], self.codes[part])

    def render(self, origin: str, units: Units, zone: tzinfo | None) -> list[str]:
        """The measurements as JSON texts, in order."""
        out = np.empty(len(self), dtype=object)
        for code in np.unique(self.codes[self.codes >= 0]).tolist():
            places = np.flatnonzero(self.codes == code)
            texts = self.lanes[code].render(self.times[places], origin, units, zone)
            out[places] = texts
        for place in np.flatnonzero(self.codes < 0).tolist():
            out[place] = document_text(self.documents[-1 - int(self.codes[place])], origin, units)
        found: list[str] = out.tolist()
        return found

    def sources(self) -> list[int]:
        """The source of every row."""
        lanes = [lane.source for lane in self.lanes]
        return [lanes[c] if c >= 0 else self.documents[-1 - c].source for c in self.codes.tolist()]


def document_text(document: Document, origin: str, units: Units) -> str:
    """A user's measurement as JSON text; the stored body lacks id, source and links."""
    number, source = document.id, document.source
    body = units.convert_body(document.body) if units else document.body.decode()
    return (
        f'{{"self":"{origin}/measurement/measurements/{number}","id":"{number}",'
        f'"source":{{"self":"{origin}/inventory/managedObjects/{source}","id":"{source}"}},{body[1:]}'
    )


def _order(
    times: Times, codes: Times, documents: Sequence[Document], newest_first: bool
) -> tuple[Times, Times]:
    """Times and codes of lanes and documents together, sorted by time."""
    if documents:
        own = np.array([one.time for one in documents], dtype=np.int64)
        own_codes = -1 - np.arange(len(documents), dtype=np.int64)
        if newest_first:
            own, own_codes = own[::-1], own_codes[::-1]
        times, codes = np.concatenate((times, own)), np.concatenate((codes, own_codes))
        order = np.argsort(times, kind="stable")
        times, codes = times[order], codes[order]
    return (times[::-1], codes[::-1]) if newest_first else (times, codes)


def gather(
    lanes: Sequence[Lane], start: int, end: int, need: int, *, newest_first: bool = False
) -> tuple[Times, Times]:
    """At least `need` times nearest to the end where reading begins, ascending, with their lanes' numbers.

    The window is widened step by step, so that the first page of a long history costs little.
    """
    rate = sum(1.0 / min(one.interval for one in lane.series) for lane in lanes)
    width = int(1.15 * need / rate) + min(one.interval for lane in lanes for one in lane.series)
    while True:
        low, high = (max(start, end - width), end) if newest_first else (start, min(end, start + width))
        parts = [lane.times(low, high) for lane in lanes]
        found = sum(part.size for part in parts)
        if found >= need or high - low >= end - start:
            break
        width = min(width * 2, end - start)
    times = np.concatenate(parts) if parts else _EMPTY
    codes = np.repeat(np.arange(len(lanes), dtype=np.int64), [part.size for part in parts])
    if len(lanes) > 1:
        order = np.argsort(times, kind="stable")
        times, codes = times[order], codes[order]
    return times, codes


def _lane_fits(lane: Lane, wanted: Wanted) -> bool:
    if wanted.types and lane.type not in wanted.types:
        return False
    if any(name and name != lane.type for name in (wanted.fragment, wanted.any_fragment)):
        return False
    return not wanted.series or any(one.name == wanted.series for one in lane.series)


def _note_latest(blocks: tuple[dict[str, Any], dict[str, Any]], document: Document) -> None:
    """Take the values of a document into the first block that lacks their series."""
    body = document.json()
    for name in filter(None, document.status.split(" ")):
        fragment, _, series = name.partition(".")
        value = {**body[fragment][series], "time": body["time"]}
        for block in blocks:
            held = block.setdefault(fragment, {})
            if series not in held:
                held[series] = value
                break
