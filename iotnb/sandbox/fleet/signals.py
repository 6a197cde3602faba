"""What the sensors read: daily and weekly patterns, weather, wear, noise, a faulty sensor a block."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from iotnb.sandbox.fleet.catalog import BLOCK, DAY, HOUR, Catalog, Kind
from iotnb.sandbox.fleet.noise import Times, Values, pick, smooth, stream, unit, units

_FAULT_BUCKET = 10 * DAY
_FAULTY: dict[Kind, str] = {
    "gateway": "cpu.load",
    "sensor": "environment.temperature",
    "machine": "vibration.rms",
}


class Fault(NamedTuple):
    """A span in which one sensor is not to be trusted."""

    start: int
    end: int
    stuck: bool
    """True: it repeats its last value; False: every thirtieth value or so is a spike."""


class Battery(NamedTuple):
    """A battery's life: cycle n runs from phase + n * period, and ends with a fresh battery."""

    phase: int
    period: int


_FULL, _EMPTY, LOW = 100.0, 12.0, 20.0
LOW_SHARE = (_FULL - LOW) / (_FULL - _EMPTY)
"""The share of a battery cycle after which the level is under LOW."""


def _wave(times: Times, period: int, peak: int) -> Values:
    """A cosine that is 1 at `peak` (ms into the period) and -1 half a period later."""
    angle = ((times - peak) % period).astype(np.float64)
    angle *= 2.0 * np.pi / period
    return np.cos(angle)


def _limited(values: Values, low: float, high: float) -> Values:
    return np.minimum(np.maximum(values, low), high)


def working(times: Times) -> Values:
    """1 in the working hours (Monday to Friday, 5 to 20 h UTC), with ramps of half an hour, else 0."""
    hour = (times % DAY) / HOUR
    shift = np.clip(np.minimum(hour - 5.0, 20.0 - hour) * 2.0, 0.0, 1.0)
    weekday = (times // DAY + 3) % 7  # 1 January 1970 was a Thursday
    return np.asarray(np.where(weekday < 5, shift, 0.0))


class Signals:
    """The values of every series of every device, as pure functions of time."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._seed = catalog.seed
        self._curves: dict[str, Callable[[int, Times], Values]] = {
            "environment.temperature": self._temperature,
            "environment.humidity": self._humidity,
            "vibration.rms": self._rms,
            "vibration.peak": self._peak,
            "signal.rssi": self._rssi,
            "signal.ber": self._ber,
            "battery.level": self._level,
            "cpu.load": self._cpu,
            "memory.used": self._memory,
        }

    def read(self, i: int, series: str, times: Times) -> Values:
        """What device i reports for a series at some times (any order)."""
        curve = self._curves[series]
        values = curve(i, times)
        if times.size and self._is_faulty(i) and series == _FAULTY[self._catalog.kind(i)]:
            self._break(i, curve, times, values)
        return values

    def may_exceed(self, i: int, series: str, limit: float, start: int, end: int) -> bool:
        """False when no value in the window can be above the limit: spares a scan."""
        if series == _FAULTY[self._catalog.kind(i)] and self.faults(i, start, end):
            return True
        if series == "environment.temperature":
            return self._warmth(i) + 9.6 > limit
        return True

    # faults

    def _is_faulty(self, i: int) -> bool:
        """One device a block, never the gateway, and never one of the first block's last four."""
        block, place = divmod(i, BLOCK)
        return place == 1 + pick(stream(self._seed, "faulty"), 4, block)

    def faults(self, i: int, start: int, end: int) -> list[Fault]:
        """The sensor faults of a device that touch a window: one every ten days if it is a faulty one."""
        if not self._is_faulty(i) or end <= start:
            return []
        key = stream(self._seed, "fault", i)
        found = []
        for bucket in range(start // _FAULT_BUCKET, (end - 1) // _FAULT_BUCKET + 1):
            begin = bucket * _FAULT_BUCKET + int(unit(key, 3 * bucket) * 9 * DAY)
            length = 5 * HOUR + int(unit(key, 3 * bucket + 1) * 12 * HOUR)
            found.append(Fault(begin, begin + length, unit(key, 3 * bucket + 2) < 0.5))
        return [fault for fault in found if fault.start < end and fault.end > start]

    def _break(self, i: int, curve: Callable[[int, Times], Values], times: Times, values: Values) -> None:
        for fault in self.faults(i, int(times.min()), int(times.max()) + 1):
            hit = (times >= fault.start) & (times < fault.end)
            if fault.stuck:
                values[hit] = curve(i, np.array([fault.start], dtype=np.int64))[0]
            else:
                spike = hit & (units(stream(self._seed, "spike", i), times) < 1 / 30)
                values[spike] = np.round(np.abs(values[spike]) * 2.2 + 9.0, 2)

    # curves

    def _of(self, label: str, i: int, low: float, high: float) -> float:
        """A property of a device, uniform in [low, high)."""
        return low + (high - low) * unit(stream(self._seed, label), i)

    def _noise(self, label: str, i: int, times: Times) -> Values:
        """Noise in [-1, 1), new at every moment."""
        out = units(stream(self._seed, label, i), times)
        out *= 2.0
        out -= 1.0
        return out

    def _warmth(self, i: int) -> float:
        """The mean temperature at a device; every fourth stands in a hot place."""
        hot = 6.0 if pick(stream(self._seed, "hot"), 4, i) == 0 else 0.0
        return self._of("warmth", i, 17.0, 22.0) + hot

    def _warm(self, i: int, times: Times) -> Values:
        weather = smooth(stream(self._seed, "weather", i // BLOCK), times, 18 * HOUR)
        out = _wave(times, DAY, 14 * HOUR + 30 * 60_000)
        out *= self._of("daily", i, 1.5, 3.5)
        out += 3.8 * weather
        out += 1.8 * working(times)
        out += self._warmth(i)
        return out

    def _temperature(self, i: int, times: Times) -> Values:
        return np.round(self._warm(i, times) + 0.3 * self._noise("temperature", i, times), 2)

    def _humidity(self, i: int, times: Times) -> Values:
        front = smooth(stream(self._seed, "front", i // BLOCK), times, 30 * HOUR)
        out = 58.0 - 1.7 * (self._warm(i, times) - 20.0) + 11.0 * front
        out += 0.8 * self._noise("humidity", i, times)
        return np.round(_limited(out, 8.0, 99.9), 1)

    def _shake(self, i: int, times: Times) -> Values:
        """Vibration without noise: idle hum, load in working hours, wear until the bearing is replaced."""
        period = int(self._of("wear", i, 30, 60) * DAY)
        worn = ((times + int(self._of("wear phase", i, 0, 1) * period)) % period) / period
        load = 2.2 + 0.5 * smooth(stream(self._seed, "load", i), times, 2 * HOUR)
        load += 6.0 * worn**4
        return np.asarray(0.12 + working(times) * load, dtype=np.float64)

    def _rms(self, i: int, times: Times) -> Values:
        return np.round(self._shake(i, times) * (1.0 + 0.06 * self._noise("rms", i, times)), 3)

    def _peak(self, i: int, times: Times) -> Values:
        return np.round(self._rms(i, times) * (3.0 + 0.6 * self._noise("peak", i, times)), 3)

    def _rssi(self, i: int, times: Times) -> Values:
        slow = smooth(stream(self._seed, "radio", i), times, 3 * HOUR)
        out = self._of("rssi", i, -97.0, -62.0) + 4.0 * slow - 2.0 * working(times)
        return np.round(out + 2.0 * self._noise("rssi", i, times)) + 0.0

    def _ber(self, i: int, times: Times) -> Values:
        bad = np.clip(-84.0 - self._rssi(i, times), 0.0, None)
        return np.round(0.14 * (1.0 + bad) * (1.0 + 0.8 * self._noise("ber", i, times)), 2)

    def battery(self, i: int) -> Battery:
        """The battery cycle of a sensor."""
        period = int(self._of("battery", i, 25, 70) * DAY)
        return Battery(int(self._of("battery phase", i, 0, 1) * period), period)

    def _level(self, i: int, times: Times) -> Values:
        phase, period = self.battery(i)
        used = ((times - phase) % period) / period
        return np.round(_FULL - (_FULL - _EMPTY) * used, 1)

    def _cpu(self, i: int, times: Times) -> Values:
        out = self._of("cpu", i, 8.0, 22.0) + 18.0 * working(times)
        out += 6.0 * smooth(stream(self._seed, "cpu slow", i), times, HOUR)
        burst = units(stream(self._seed, "cpu burst", i), times)
        out += 40.0 * burst**12
        return np.round(_limited(out, 0.5, 100.0), 1)

    def _memory(self, i: int, times: Times) -> Values:
        leak = ((times + int(self._of("memory phase", i, 0, 7) * DAY)) % (7 * DAY)) / (7 * DAY)
        out = self._of("memory", i, 210.0, 340.0) + 320.0 * leak
        return np.asarray(np.round(out + 12.0 * self._noise("memory", i, times), 1), dtype=np.float64)
