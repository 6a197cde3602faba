"""What happened to the devices: alarms that follow from the values, events, operations, outcomes.

Everything is decided a day (UTC) at a time, so that a window costs its days and any two windows agree.
A key is the number of the day on which a thing began (since 1970) times 16 plus a slot: unique in its
device and collection, stable, and enough to find the thing again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import numpy as np

from iotnb.sandbox.fleet.catalog import DAY, HOUR, MINUTE, Device, Series
from iotnb.sandbox.fleet.noise import Values, pick, stream, unit
from iotnb.sandbox.fleet.signals import LOW, LOW_SHARE

if TYPE_CHECKING:
    from iotnb.sandbox.fleet.fleet import Fleet

SLOTS = 16
_SCAN = 10  # alarms look at every tenth sample
_UNSEEN = 15 * MINUTE  # an outage this long raises an alarm

OperationKind = Literal["restart", "firmware", "configuration", "command"]


@dataclass(frozen=True, slots=True)
class Alarm:
    """A device's alarm; `cleared` is None while it is active (by the fleet's clock)."""

    key: int
    device: int
    time: int
    type: str
    text: str
    severity: Literal["CRITICAL", "MAJOR", "MINOR", "WARNING"]
    cleared: int | None
    count: int


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a device reported."""

    key: int
    device: int
    time: int
    type: str
    text: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a device deals with an operation: None for what never happens."""

    started: int | None
    finished: int | None
    failed: bool
    failure: str


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of the past; `started` and `finished` may still lie ahead of the clock, or be None."""

    key: int
    device: int
    created: int
    kind: OperationKind
    parameters: dict[str, Any]
    started: int | None
    finished: int | None
    failed: bool
    failure: str

    def status(self, at: int) -> Literal["PENDING", "EXECUTING", "SUCCESSFUL", "FAILED"]:
        """The state at a moment (ms)."""
        if self.finished is not None and self.finished <= at:
            return "FAILED" if self.failed else "SUCCESSFUL"
        return "EXECUTING" if self.started is not None and self.started <= at else "PENDING"

    def changed(self, at: int) -> int:
        """The moment of the last change of state up to `at`."""
        return max(
            t
            for t in (self.created, self.started, self.finished)
            if t is not None and t <= max(at, self.created)
        )


class _Timed(Protocol):
    @property
    def key(self) -> int: ...


T = TypeVar("T", bound=_Timed)

_FAILURES: dict[OperationKind, tuple[str, ...]] = {
    "restart": ("Restart refused: process busy", "Watchdog did not answer"),
    "firmware": (
        "Checksum of the image does not match",
        "Not enough space on the device",
        "Download interrupted",
    ),
    "configuration": ("Unknown key in line 2", "File system is read-only"),
    "command": ("Command not understood", "Time limit exceeded"),
}
_DURATION: dict[OperationKind, tuple[int, int]] = {
    "restart": (20_000, 90_000),
    "firmware": (2 * MINUTE, 9 * MINUTE),
    "configuration": (1_000, 9_000),
    "command": (400, 5_000),
}
_COMMANDS = ("status", "log level debug", "log level info", "sync time", "list processes")


class History:
    """Alarms, events and operations of a fleet."""

    def __init__(self, fleet: "Fleet") -> None:
        self._fleet = fleet
        self._seed = fleet.seed

    def _clip(self, start: int, end: int) -> tuple[int, int]:
        """The part of a window in which there is history: clients like to ask from 1970 on."""
        return max(start, self._fleet.start), min(end, self._fleet.clock.now() + 1)

    # alarms

    def alarms(self, i: int, start: int, end: int) -> list[Alarm]:
        """Alarms raised in [start, end) and not after the clock's now, in order of time."""
        start, end = self._clip(start, end)
        first, last = _days(start, end)
        found = [*self._over(i, "environment.temperature", 0, first, last)]
        found += self._over(i, "vibration.rms", 1, first, last)
        found += self._flat(i, first, last)
        found += self._lost(i, first, last)
        return sorted((a for a in found if start <= a.time < end), key=lambda a: (a.time, a.key))

    def _over(self, i: int, name: str, slot: int, first: int, last: int) -> Iterator[Alarm]:
        """One alarm for every day on which a value passes its upper limit; it counts the passes."""
        series = self._fleet.find_series(i, name)
        if series is None or not self._fleet.signals.may_exceed(
            i, name, series.high, first * DAY, last * DAY
        ):
            return
        times = self._fleet.times(i, series.group, first * DAY, last * DAY, step=_SCAN)
        values = self._fleet.value(i, series, times)
        over = values > series.high
        if not over.any():
            return
        day = times // DAY
        for number in np.unique(day[over]).tolist():
            low, high = np.searchsorted(day, [number, number + 1]).tolist()
            yield self._over_alarm(i, series, slot, number, times[low:high].tolist(), values[low:high])

    def _over_alarm(
        self, i: int, series: Series, slot: int, day: int, times: list[int], values: Values
    ) -> Alarm:
        over = values > series.high
        passes = int(over[0]) + int(np.count_nonzero(over[1:] & ~over[:-1]))
        at, last = int(np.argmax(over)), int(len(over) - 1 - np.argmax(over[::-1]))
        midnight = (day + 1) * DAY
        cleared: int | None = times[last + 1] if last + 1 < len(times) else midnight
        if cleared == midnight and self._fleet.clock.now() < midnight:
            cleared = None
        top = float(values.max())
        word = series.name if series.group == "environment" else series.group
        return Alarm(
            key=day * SLOTS + slot,
            device=i,
            time=times[at],
            type=f"{word}_high",
            text=f"{word.capitalize()} {values[at]:g} {series.unit} is above {series.high:g} {series.unit}",
            severity="CRITICAL" if top > 1.12 * series.high else "MAJOR",
            cleared=cleared,
            count=passes,
        )

    def _flat(self, i: int, first: int, last: int) -> Iterator[Alarm]:
        """Battery low, from the crossing of the limit until the battery is replaced."""
        if self._fleet.find_series(i, "battery.level") is None:
            return
        now = self._fleet.clock.now()
        battery = self._fleet.signals.battery(i)
        used = int(LOW_SHARE * battery.period)
        for cycle in range(*_cycles(battery.phase + used, battery.period, first * DAY, last * DAY)):
            at = battery.phase + cycle * battery.period + used
            replaced = battery.phase + (cycle + 1) * battery.period
            if self._fleet.alive(i, at):
                cleared = replaced if replaced <= now and self._fleet.alive(i, replaced) else None
                text = f"Battery under {LOW:g} %"
                yield Alarm(at // DAY * SLOTS + 2, i, at, "battery_low", text, "MINOR", cleared, 1)

    def _lost(self, i: int, first: int, last: int) -> Iterator[Alarm]:
        """Silent for a quarter of an hour; devices behind a silent gateway raise no alarm of their own."""
        now = self._fleet.clock.now()
        severity: Literal["CRITICAL", "MAJOR"] = "CRITICAL" if self._fleet.kind(i) == "gateway" else "MAJOR"
        for start, end in self._fleet.links.outages(i, first * DAY - DAY, last * DAY):
            if end - start > _UNSEEN and self._fleet.alive(i, start):
                cleared = end if end <= now and self._fleet.alive(i, end) else None
                key = start // DAY * SLOTS + 3
                yield Alarm(
                    key, i, start + _UNSEEN, "offline", "No data from the device", severity, cleared, 1
                )
        dead = self._fleet.links.dead_since(i)
        if dead is not None and first * DAY <= dead + _UNSEEN < last * DAY and self._fleet.alive(i, dead - 1):
            key = dead // DAY * SLOTS + 4
            yield Alarm(key, i, dead + _UNSEEN, "offline", "No data from the device", severity, None, 1)

    # events

    def events(self, i: int, start: int, end: int) -> list[Event]:
        """Events in [start, end) and not after the clock's now, in order of time."""
        start, end = self._clip(start, end)
        first, last = _days(start, end)
        found = [*self._daily_events(i, first, last), *self._returns(i, first, last)]
        found += self._replacements(i, first, last)
        done = self.upgraded(i)
        if done is not None:
            device = self._fleet[i]
            data = {"from": device.firmware_before, "to": device.firmware_after}
            text = f"Firmware {device.firmware_after} is running"
            found.append(Event(done // DAY * SLOTS + 9, i, done, "firmware_updated", text, data))
        return sorted((e for e in found if start <= e.time < end), key=lambda e: (e.time, e.key))

    def _daily_events(self, i: int, first: int, last: int) -> Iterator[Event]:
        device = self._fleet[i]
        key = stream(self._seed, "event", i)
        for day in range(first, last):
            at = day * DAY + int(unit(key, 4 * day) * DAY)
            if unit(key, 4 * day + 1) < 0.3 and self._fleet.online(i, at):
                kind, text, data = _daily(device, unit(key, 4 * day + 2))
                yield Event(day * SLOTS, i, at, kind, text, data)

    def _returns(self, i: int, first: int, last: int) -> Iterator[Event]:
        for start, end in self._fleet.links.outages(i, first * DAY - DAY, last * DAY):
            if self._fleet.alive(i, start) and self._fleet.online(i, end):
                data = {"seconds": (end - start) // 1000}
                yield Event(start // DAY * SLOTS + 1, i, end, "connected", "Connection is back", data)

    def _replacements(self, i: int, first: int, last: int) -> Iterator[Event]:
        if self._fleet.find_series(i, "battery.level") is None:
            return
        battery = self._fleet.signals.battery(i)
        for cycle in range(*_cycles(battery.phase, battery.period, first * DAY, last * DAY)):
            at = battery.phase + cycle * battery.period
            if self._fleet.alive(i, at):
                yield Event(
                    at // DAY * SLOTS + 2, i, at, "battery_replaced", "Battery replaced", {"level": 100.0}
                )

    # operations

    def operations(self, i: int, start: int, end: int) -> list[Operation]:
        """Operations created in [start, end) and not after the clock's now, in order of time."""
        start, end = self._clip(start, end)
        first, last = _days(start, end)
        found = [op for day in range(first, last) for op in self._daily_operations(i, day)]
        found += self._rollout(i)
        start = max(start, self._fleet.begin(i))
        chosen = (op for op in found if start <= op.created < end)
        return sorted(chosen, key=lambda op: (op.created, op.key))

    def _daily_operations(self, i: int, day: int) -> Iterator[Operation]:
        chance = 0.5 if self._fleet.kind(i) == "sensor" else 1.0
        key = stream(self._seed, "operation", i)
        plan: tuple[tuple[OperationKind, float], ...] = (
            ("restart", 0.03),
            ("configuration", 0.05),
            ("command", 0.08),
        )
        for slot, (kind, share) in enumerate(plan):
            n = (day * SLOTS + slot) * 3
            if unit(key, n) < share * chance:
                created = day * DAY + 6 * HOUR + int(unit(key, n + 1) * 12 * HOUR)
                yield self._operation(
                    i, day * SLOTS + slot, created, kind, self._parameters(kind, key, n + 2)
                )

    def _parameters(self, kind: OperationKind, key: int, n: int) -> dict[str, Any]:
        if kind == "configuration":
            return {"config": f"report.interval={10 * (1 + pick(key, 6, n))}\nlog.level=INFO\n"}
        if kind == "command":
            return {"text": _COMMANDS[pick(key, len(_COMMANDS), n)]}
        return {}

    def _operation(
        self, i: int, key: int, created: int, kind: OperationKind, parameters: dict[str, Any]
    ) -> Operation:
        out = self.outcome(i, created, kind, salt=key)
        return Operation(
            key, i, created, kind, parameters, out.started, out.finished, out.failed, out.failure
        )

    def _rollout(self, i: int) -> list[Operation]:
        """The firmware operation of a device, and a second one a day later if the first failed."""
        device = self._fleet[i]
        image = {
            "name": f"{device.model.lower()}-firmware",
            "version": device.firmware_after,
            "url": f"https://firmware.example.com/{device.model.lower()}/{device.firmware_after}.bin",
        }
        ops = []
        for attempt, at in enumerate((device.rollout, device.rollout + DAY)):
            op = self._operation(i, at // DAY * SLOTS + 8 + attempt, at, "firmware", image)
            ops.append(op)
            if not op.failed:
                break
        return ops

    def upgraded(self, i: int) -> int | None:
        """The moment at which the new firmware runs, or None if it never does."""
        last = self._rollout(i)[-1]
        return last.finished if not last.failed and last.created >= self._fleet.begin(i) else None

    def outcome(self, i: int, created: int, kind: OperationKind, *, salt: int = 0) -> Outcome:
        """How device i carries out an operation made at `created`; `salt` tells equal ones apart.

        A device that is off line starts when it is back; a dead one never does. Some operations
        fail, a few stay EXECUTING for ever, and a very few are never picked up.
        """
        key = stream(self._seed, "outcome", i, salt)
        online = self._fleet.back_online(i, created)
        if online is None or unit(key, 0) < 0.01:
            return Outcome(None, None, False, "")
        started = online + 300 + int(unit(key, 1) * (20_000 if kind == "firmware" else 4_000))
        fate = unit(key, 2)
        stuck, failing = (0.08, 0.3) if kind == "firmware" else (0.02, 0.1)
        if fate < stuck:
            return Outcome(started, None, False, "")
        low, high = _DURATION[kind]
        finished = started + low + int(unit(key, 3) * (high - low))
        failed = fate < failing
        reasons = _FAILURES[kind]
        return Outcome(started, finished, failed, reasons[pick(key, len(reasons), 4)] if failed else "")


def _days(start: int, end: int) -> tuple[int, int]:
    """The days (first, last + 1) that a window touches."""
    return start // DAY, (end - 1) // DAY + 1 if end > start else start // DAY


def _cycles(phase: int, period: int, start: int, end: int) -> tuple[int, int]:
    """The numbers n (first, last + 1) with phase + n * period in [start, end)."""
    return -((phase - start) // period), -((phase - end) // period)


def _daily(device: Device, share: float) -> tuple[str, str, dict[str, Any]]:
    """Type, text and data of the event that a kind of device reports now and then."""
    if device.kind == "sensor":
        return "door_opened", "Door of the cabinet opened", {"seconds": 20 + int(share * 400)}
    if device.kind == "machine":
        return "tool_changed", "Tool changed", {"tool": 1 + int(share * 12)}
    position = {
        "latitude": round(device.latitude + 0.0004 * (share - 0.5), 6),
        "longitude": round(device.longitude + 0.0004 * (0.5 - share), 6),
        "altitude": round(40.0 + 60.0 * share, 1),
    }
    return "location_update", "Location updated", position


def by_key(found: list[T], key: int) -> T | None:
    """The item with this key, or None."""
    return next((item for item in found if item.key == key), None)
