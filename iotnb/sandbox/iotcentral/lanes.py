"""Telemetry messages as columns: of the fleet, of simulated devices, and of what devices sent over HTTPS.

A lane is one component of one device ("" for the root). Its messages in a window form a block: times and one
column for each telemetry. Values of the fleet are worked out when a column is asked for.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from iotnb.sandbox.fleet.catalog import HOUR
from iotnb.sandbox.fleet.noise import Times, smooth, stream, units
from iotnb.sandbox.iotcentral.application import Application
from iotnb.sandbox.iotcentral.dtdl import Part, types_of
from iotnb.sandbox.iotcentral.registry import Device

Json = dict[str, Any]
Column = NDArray[Any]
_EMPTY: Times = np.empty(0, dtype=np.int64)
_SIMULATED = 10_000  # milliseconds between two messages of a simulated device
_RANGES = {"battery": (20.0, 100.0), "barometer": (98.0, 103.0), "temperature": (15.0, 30.0)}
_WEEK = 7 * 24 * HOUR


class Block:
    """Messages of one lane: ascending times, and columns (float64, or objects; None is what is absent)."""

    def __init__(self, lane: "Lane", times: Times, read: Callable[[str, Times], Column]) -> None:
        self.lane = lane
        self.times = times
        self._read = read
        self._held: dict[str, Column] = {}

    def column(self, name: str, at: Times | None = None) -> Column:
        """The values of a telemetry, of all messages or of those with the given numbers."""
        if at is not None and name not in self._held:
            return self._read(name, at)
        if name not in self._held:
            self._held[name] = self._read(name, np.arange(self.times.size))
        found = self._held[name]
        return found if at is None else found[at]


class Lane(Protocol):
    """One component of one device."""

    device: Device
    component: str
    names: frozenset[str]
    """The telemetry that its messages may hold."""
    rate: float
    """Messages a millisecond, about."""

    def block(self, start: int, end: int) -> Block:
        """The messages in [start, end)."""

    def newest(self, name: str, end: int) -> tuple[int, Any] | None:
        """Time and value of the newest message before `end` that holds a telemetry, or None."""


class GroupLane:
    """A group of series of a device of the fleet."""

    def __init__(self, app: Application, device: Device, index: int, group: str) -> None:
        self.device = device
        self.component = group
        self._fleet = app.platform.fleet
        self._index = index
        self._series = {one.name: one for one in self._fleet.groups(index)[group]}
        self.names = frozenset(self._series)
        self.rate = 1.0 / min(one.interval for one in self._series.values())

    def _end(self, end: int) -> int:
        stopped: int | None = self.device.held.get("stopped")
        return end if stopped is None else min(end, stopped)

    def block(self, start: int, end: int) -> Block:
        """The messages in [start, end)."""
        times = self._fleet.times(self._index, self.component, start, self._end(end))

        def read(name: str, at: Times) -> Column:
            return self._fleet.value(self._index, self._series[name], times[at])

        return Block(self, times, read)

    def newest(self, name: str, end: int) -> tuple[int, Any] | None:
        """Time and value of the newest message, looking back further and further."""
        end = self._end(end)
        for reach in (2 * HOUR, 48 * HOUR, _WEEK, end - self._fleet.start):
            times = self._fleet.times(self._index, self.component, end - reach, end)
            if times.size:
                at = times[-1:]
                return int(at[0]), float(self._fleet.value(self._index, self._series[name], at)[0])
        return None


class ListLane:
    """Messages that are held as documents: what devices sent, and the events of the fleet."""

    def __init__(
        self,
        device: Device,
        component: str,
        names: frozenset[str],
        load: Callable[[int, int], list[tuple[int, Json]]],
        newest: Callable[[str, int], tuple[int, Any] | None],
    ) -> None:
        self.device = device
        self.component = component
        self.names = names
        self.rate = 0.0
        self._load = load
        self._newest = newest

    def block(self, start: int, end: int) -> Block:
        """The messages in [start, end)."""
        rows = self._load(start, end)
        times = np.array([at for at, _ in rows], dtype=np.int64) if rows else _EMPTY

        def read(name: str, at: Times) -> Column:
            out = np.empty(at.size, dtype=object)
            for place, number in enumerate(at.tolist()):
                out[place] = rows[number][1].get(name)
            return out

        return Block(self, times, read)

    def newest(self, name: str, end: int) -> tuple[int, Any] | None:
        """Time and value of the newest message that holds a telemetry."""
        return self._newest(name, end)


class SimulatedLane:
    """What a simulated device sends from one component of its template: every value follows from the time."""

    def __init__(self, app: Application, device: Device, part: Part) -> None:
        self.device = device
        self.component = part.name
        items = {n: item for n, item in part.telemetry.items() if "Event" not in types_of(item)}
        self.names = frozenset(items)
        self.rate = 1.0 / _SIMULATED
        self._schemas = {name: (part.schema(item), item) for name, item in items.items()}
        self._seed = app.platform.fleet.seed
        self._clock = app.platform.clock
        self._begin: int = device.held.get("auto") or device.held["created"]

    def block(self, start: int, end: int) -> Block:
        """The messages in [start, end)."""
        end = min(end, self._clock.now() + 1, self.device.held.get("stopped") or end)
        low = max(0, -((self._begin - start) // _SIMULATED))
        high = -((self._begin - end) // _SIMULATED)
        times = self._begin + np.arange(low, max(low, high), dtype=np.int64) * _SIMULATED

        def read(name: str, at: Times) -> Column:
            return self.values(name, times[at])

        return Block(self, times, read)

    def values(self, name: str, times: Times) -> Column:
        """The values of a telemetry at some times."""
        schema, item = self._schemas[name]
        path = f"sim {self.device.id} {self.component}.{name}"
        return simulated(schema, item, name, stream(self._seed, path), times)

    def newest(self, name: str, end: int) -> tuple[int, Any] | None:
        """Time and value of the newest message."""
        block = self.block(end - 2 * _SIMULATED, end)
        if not block.times.size:
            return None
        return int(block.times[-1]), self.values(name, block.times[-1:]).tolist()[0]


def _numbers(key: int, times: Times, low: float, high: float) -> NDArray[np.float64]:
    slow = smooth(key, times, HOUR)
    share = 0.5 + 0.4 * slow + 0.1 * (2.0 * units(key, times) - 1.0)
    return np.asarray(low + (high - low) * share)


def _objects(rows: Iterable[Any], size: int) -> Column:
    out = np.empty(size, dtype=object)
    for place, row in enumerate(rows):
        out[place] = row
    return out


def simulated(schema: Any, item: Json, name: str, key: int, times: Times) -> Column:
    """Values of a schema at some times, decided by a key."""
    if isinstance(schema, dict):
        return _composite(schema, key, times)
    if schema in ("vector", "geopoint"):
        ranges = {"x": (-1.0, 1.0), "y": (-1.0, 1.0), "z": (9.3, 10.3)}
        if schema == "geopoint":
            ranges = {"lat": (51.40, 51.50), "lon": (6.95, 7.05), "alt": (60.0, 120.0)}
        parts = [np.round(_numbers(key + n, times, *span), 5) for n, span in enumerate(ranges.values())]
        rows = (dict(zip(ranges, row, strict=True)) for row in zip(*(p.tolist() for p in parts), strict=True))
        return _objects(rows, times.size)
    low, high = _RANGES.get(name, (0.0, 100.0))
    values = _numbers(key, times, float(item.get("minValue", low)), float(item.get("maxValue", high)))
    if schema in ("double", "float"):
        return np.round(values, 3)
    if schema in ("integer", "long"):
        return _objects((int(one) for one in np.round(values).tolist()), times.size)
    if schema == "boolean":
        return _objects((one > (low + high) / 2 for one in values.tolist()), times.size)
    if schema in ("date", "dateTime"):
        texts = np.datetime_as_string(times.astype("M8[ms]"), unit="D" if schema == "date" else "ms")
        return _objects((f"{t}" if schema == "date" else f"{t}Z" for t in texts.tolist()), times.size)
    return _objects((f"{name} {int(one)}" for one in values.tolist()), times.size)


def _composite(schema: Json, key: int, times: Times) -> Column:
    kinds = types_of(schema)
    if "Enum" in kinds:
        choices = [one.get("enumValue") for one in schema.get("enumValues", ())] or [None]
        picked = (units(key, times) * len(choices)).astype(np.int64)
        return _objects((choices[n] for n in picked.tolist()), times.size)
    if "Object" in kinds:
        fields = [one for one in schema.get("fields", ()) if isinstance(one, dict) and "name" in one]
        columns = {
            one["name"]: simulated(one.get("schema", "double"), one, one["name"], key + n, times).tolist()
            for n, one in enumerate(fields, 1)
        }
        return _objects(
            ({n: column[i] for n, column in columns.items()} for i in range(times.size)), times.size
        )
    return _objects(([] if "Array" in kinds else {} for _ in range(times.size)), times.size)


def lanes(app: Application, device: Device) -> list[Lane]:
    """Everything that a device sends."""
    found: list[Lane] = []
    model = app.model(device.template)
    if device.fleet is not None and model is not None:
        index = device.fleet
        found += [GroupLane(app, device, index, group) for group in app.platform.fleet.groups(index)]
        if model.root.telemetry:
            found.append(_event_lane(app, device, device.fleet, frozenset(model.root.telemetry)))
    elif model is not None and (device.held.get("simulated") or device.held.get("auto")):
        parts = [part for part in model.parts().values() if part.telemetry]
        found += [SimulatedLane(app, device, part) for part in parts]
    if device.fleet is None or app.registry.sends(device):
        found += _stored_lanes(app, device)
    return found


def _event_lane(app: Application, device: Device, index: int, names: frozenset[str]) -> ListLane:
    fleet = app.platform.fleet

    def load(start: int, end: int) -> list[tuple[int, Json]]:
        return [(one.time, {one.type: one.text}) for one in fleet.events(index, start, end)]

    def newest(name: str, end: int) -> tuple[int, Any] | None:
        found = [one for one in fleet.events(index, fleet.start, end) if one.type == name]
        return (found[-1].time, found[-1].text) if found else None

    return ListLane(device, "", names, load, newest)


def _stored_lanes(app: Application, device: Device) -> Sequence[ListLane]:
    registry = app.registry
    components = registry.components(device)

    def lane(component: str) -> ListLane:
        def load(start: int, end: int) -> list[tuple[int, Json]]:
            found = registry.messages(device, start, end)
            return [(one.time, one.json()["t"]) for one in found if one.type == component]

        def newest(name: str, end: int) -> tuple[int, Any] | None:
            for one in registry.newest_message(device, component, end):
                values = one.json()["t"]
                if name in values:
                    return one.time, values[name]
            return None

        model = app.model(device.template)
        part = None if model is None else model.part(component)
        return ListLane(device, component, frozenset(part.telemetry if part else ()), load, newest)

    return [lane(component) for component in components]
