"""The fleet: devices, their samples and what happened to them, with no state or history in memory."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from iotnb.sandbox.fleet.catalog import DAY, HOUR, SERIES, Catalog, Device, Kind, Series
from iotnb.sandbox.fleet.clock import Clock
from iotnb.sandbox.fleet.connectivity import LONGEST, Connectivity, Span
from iotnb.sandbox.fleet.history import (
    SLOTS,
    Alarm,
    Event,
    History,
    Operation,
    OperationKind,
    Outcome,
    by_key,
)
from iotnb.sandbox.fleet.noise import Times, Values, stream, unit, units
from iotnb.sandbox.fleet.signals import Signals

_EMPTY: Times = np.empty(0, dtype=np.int64)


class _Grid:
    """The sample times of one group of a device: sample k is due at k * interval + offset, and jitters."""

    def __init__(self, key: int, interval: int) -> None:
        self.interval = interval
        self._key = key
        self._jitter = min(2_000, interval // 8)
        self._offset = int(unit(key, -1) * (interval - self._jitter))

    def time(self, k: int) -> int:
        """The time of sample k."""
        return k * self.interval + self._offset + int(unit(self._key, k) * self._jitter)

    def times(self, k: Times) -> Times:
        """The times of samples k."""
        out = (units(self._key, k) * self._jitter).astype(np.int64)
        out += k * self.interval
        out += self._offset
        return out

    def first(self, at: int) -> int:
        """The number of the first sample at or after a moment (jitter never reaches the next sample)."""
        k = (at - self._offset) // self.interval
        return k if self.time(k) >= at else k + 1


class Fleet:
    """Simulated gateways, sensors and machines; every value is a function of (seed, device, series, time).

    Args:
        seed: the same seed, clock and size give the same fleet.
        devices: how many; 100,000 cost no more memory than ten.
        days: length of the history at the moment the fleet is made; it grows with the clock.
        clock: nothing later than its now is ever reported.
        start: the beginning of history (ms), if an earlier fleet is to come back; else clock - days.

    Devices are numbered 0 to len - 1; times are integer milliseconds (UTC), windows are [start, end).
    """

    def __init__(
        self,
        seed: int = 1,
        devices: int = 25,
        days: float = 30,
        clock: Clock | None = None,
        start: int | None = None,
    ) -> None:
        if devices < 0 or days <= 0:
            raise ValueError(f"a fleet needs devices >= 0 and days > 0, not {devices} and {days}")
        self.seed, self.days = seed, days
        self.clock = clock if clock is not None else Clock()
        self.start = int(self.clock.now() - days * DAY) // HOUR * HOUR if start is None else start
        self._catalog = Catalog(seed, devices, self.start, days)
        self.links = Connectivity(self._catalog)
        self.signals = Signals(self._catalog)
        self._history = History(self)
        self._grid = lru_cache(maxsize=16_384)(self._make_grid)

    # devices

    def __len__(self) -> int:
        return self._catalog.size

    def __getitem__(self, i: int) -> Device:
        return self._catalog.device(i)

    def __iter__(self) -> Iterator[Device]:
        return (self._catalog.device(i) for i in range(len(self)))

    def kind(self, i: int) -> Kind:
        """gateway, sensor or machine (cheaper than making the Device)."""
        return self._catalog.kind(i)

    def children(self, i: int) -> range:
        """The devices behind a gateway; empty for any other device."""
        return self._catalog.children(i)

    def index_of(self, text: str) -> int | None:
        """The device with this key or serial number, or None."""
        return self._catalog.index_of(text)

    def series(self, i: int) -> tuple[Series, ...]:
        """What a device measures."""
        return SERIES[self.kind(i)]

    def groups(self, i: int) -> dict[str, tuple[Series, ...]]:
        """The series by group; the series of a group share their sample times."""
        out: dict[str, tuple[Series, ...]] = {}
        for series in self.series(i):
            out[series.group] = (*out.get(series.group, ()), series)
        return out

    def find_series(self, i: int, name: str) -> Series | None:
        """The series of a device by its dotted name, or None."""
        return next((s for s in self.series(i) if s.key == name), None)

    # connection

    def begin(self, i: int) -> int:
        """The moment from which a device may have data: the fleet's start, or its own creation."""
        return max(self.start, self[i].created)

    def alive(self, i: int, at: int) -> bool:
        """True between a device's creation and its death, whether on line or not."""
        if self.links.never(i) or at < self[i].created:
            return False
        dead = self.links.dead_since(i)
        return dead is None or at < dead

    def online(self, i: int, at: int) -> bool:
        """True if the device is connected at a moment."""
        return self.alive(i, at) and self.links.silent(i, at) is None

    def back_online(self, i: int, at: int) -> int | None:
        """The first moment from `at` on at which the device is connected, or None if it never is again."""
        at = max(at, self[i].created)
        outage = self.links.silent(i, at)
        while outage is not None:
            at = outage[1]
            outage = self.links.silent(i, at)
        return at if self.alive(i, at) else None

    def last_seen(self, i: int, now: int | None = None) -> int | None:
        """The time of the newest sample up to `now` (default: the clock), or None."""
        end = (self.clock.now() if now is None else now) + 1
        dead = self.links.dead_since(i)
        if dead is not None:
            end = min(end, dead)
        # A gap is never longer than an outage of the device and one of its gateway end to end.
        found: int | None = None
        for reach in (HOUR, 4 * LONGEST, end - self.start):
            for group in self.groups(i):
                times = self.times(i, group, end - reach, end)
                if times.size and (found is None or times[-1] > found):
                    found = int(times[-1])
            if found is not None:
                return found
        return None

    def firmware(self, i: int, at: int) -> str:
        """The firmware version that runs at a moment."""
        done = self._history.upgraded(i)
        return self[i].firmware_after if done is not None and done <= at else self[i].firmware_before

    # samples

    def _make_grid(self, i: int, group: str) -> _Grid:
        interval = next((s.interval for s in self.series(i) if s.group == group), None)
        if interval is None:
            raise KeyError(f"device {i} has no group {group!r}, only {', '.join(self.groups(i))}")
        return _Grid(stream(self.seed, f"grid {group}", i), interval)

    def _bounds(self, i: int, start: int, end: int) -> Span:
        """The part of a window in which the device can have samples (empty: end <= start)."""
        if self.links.never(i):
            return start, start
        end = min(end, self.clock.now() + 1)
        dead = self.links.dead_since(i)
        return max(start, self.begin(i)), end if dead is None else min(end, dead)

    def times(self, i: int, group: str, start: int, end: int, *, step: int = 1) -> Times:
        """Ascending sample times of a group in [start, end), not beyond the clock, gaps left out.

        With `step` only samples whose number is a multiple of it: a coarse but consistent scan.
        """
        grid = self._grid(i, group)
        start, end = self._bounds(i, start, end)
        if end <= start:
            return _EMPTY
        low, high = grid.first(start), grid.first(end)
        times = grid.times(np.arange(low + -low % step, high, step, dtype=np.int64))
        gaps = self.links.gaps(i, start, end)
        if not gaps or not times.size:
            return times
        keep = np.ones(times.size, dtype=bool)
        for a, b in np.searchsorted(times, np.array(gaps, dtype=np.int64)).tolist():
            keep[a:b] = False
        return times[keep]

    def count(self, i: int, group: str, start: int, end: int) -> int:
        """How many samples times() would give, without making them."""
        grid = self._grid(i, group)
        start, end = self._bounds(i, start, end)
        if end <= start:
            return 0
        lost = sum(grid.first(b) - grid.first(a) for a, b in self.links.gaps(i, start, end))
        return grid.first(end) - grid.first(start) - lost

    def value(self, i: int, series: Series, times: Times) -> Values:
        """The values of a series at some times; a sensor fault shows as a stuck or spiking span."""
        return self.signals.read(i, series.key, np.asarray(times, dtype=np.int64))

    # history

    def alarms(self, i: int, start: int, end: int) -> list[Alarm]:
        """Alarms raised in [start, end): too hot, too much vibration, battery low, off line."""
        return self._history.alarms(i, start, end)

    def events(self, i: int, start: int, end: int) -> list[Event]:
        """Events in [start, end)."""
        return self._history.events(i, start, end)

    def operations(self, i: int, start: int, end: int) -> list[Operation]:
        """Operations created in [start, end), the firmware roll-out among them."""
        return self._history.operations(i, start, end)

    def alarm(self, i: int, key: int) -> Alarm | None:
        """The alarm with this key, or None."""
        return by_key(self.alarms(i, *_around(key)), key)

    def event(self, i: int, key: int) -> Event | None:
        """The event with this key, or None."""
        return by_key(self.events(i, *_around(key)), key)

    def operation(self, i: int, key: int) -> Operation | None:
        """The operation with this key, or None."""
        return by_key(self.operations(i, *_around(key)), key)

    def outcome(self, i: int, created: int, kind: OperationKind, *, salt: int = 0) -> Outcome:
        """How device i would carry out an operation created at a moment (ms)."""
        return self._history.outcome(i, created, kind, salt=salt)


def _around(key: int) -> Span:
    """The window in which the thing with a key lies: the day in the key and the one after."""
    day = key // SLOTS
    return day * DAY, (day + 2) * DAY
