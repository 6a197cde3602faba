"""Alarms, events, operations and audit records: the fleet's past and users' documents in one order of time.

A fleet item that a user changes is copied into the store and shadowed from then on; one that a user
deletes is only shadowed. Bodies lack id, source and links: the chapters add them when they render.
"""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from iotnb.sandbox.cumulocity.fleetdocs import (
    OPERATION_FRAGMENTS,
    alarm_document,
    device_id,
    event_document,
    operation_document,
    thing_id,
    thing_key,
)
from iotnb.sandbox.cumulocity.state import DAY, Platform
from iotnb.sandbox.cumulocity.wire import encode, format_time
from iotnb.sandbox.fleet import Alarm, Event, Operation
from iotnb.sandbox.store import Document, Match

Range = tuple[int | None, int | None]
KINDS = ("alarm", "event", "operation", "audit")
_DATA_TYPES = {"alarm": "ALARM", "event": "EVENT", "operation": "OPERATION", "audit": "AUDIT"}
_AUDIT_SCALE = 8  # ids of fleet audit records: id of the operation or alarm * 8 + number of the record
_ALARM_RECORD = 4
_LOOK_BACK = 4 * DAY  # how long after its creation an operation or alarm may still write records
SEVERITIES = ("CRITICAL", "MAJOR", "MINOR", "WARNING")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which items; ranges are [from, to) in milliseconds."""

    sources: frozenset[int] | None = None
    types: frozenset[str] = frozenset()
    statuses: frozenset[str] = frozenset()
    time: Range = (None, None)
    created: Range = (None, None)
    updated: Range = (None, None)
    test: Callable[[Document], bool] | None = None

    def fits(self, one: Document) -> bool:
        """Whether an item satisfies every condition but that on its source."""
        if (self.types and one.type not in self.types) or (self.statuses and one.status not in self.statuses):
            return False
        spans = ((self.time, one.time), (self.created, one.created), (self.updated, one.updated))
        return all(_inside(span, at) for span, at in spans) and (self.test is None or self.test(one))

    def match(self, oldest: int | None) -> Match:
        """The condition for users' documents, as far as the store can judge it."""
        start = max((at for at in (self.time[0], oldest) if at is not None), default=None)
        return Match(
            sources=self.sources,
            types=self.types or None,
            statuses=self.statuses or None,
            time=(start, self.time[1]),
            created=self.created,
            updated=self.updated,
        )


def _inside(span: Range, at: int) -> bool:
    low, high = span
    return (low is None or at >= low) and (high is None or at < high)


class History:
    """The items of every kind, by kind and id."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self._make: dict[str, Callable[[int, int, int], list[Document]]] = {
            "alarm": self._alarms,
            "event": self._events,
            "operation": self._operations,
            "audit": self._audits,
        }
        self.load()

    def load(self) -> None:
        """Read what the store holds, at the start and after a reset."""
        store = self.platform.store
        self._shadow = {kind: {int(name) for name in store.settings(f"shadow-{kind}")} for kind in KINDS}
        self._counts: dict[int, tuple[tuple[int, int], dict[str, int] | None]] = {}

    # the fleet's items

    def _alarms(self, index: int, start: int, end: int) -> list[Document]:
        return [self._alarm(found) for found in self.platform.fleet.alarms(index, start, end)]

    def _alarm(self, found: Alarm) -> Document:
        document = alarm_document(found)
        return Document(
            id=thing_id(found.device, found.key),
            source=device_id(found.device),
            time=found.time,
            created=found.time,
            updated=found.time if found.cleared is None else found.cleared,
            type=document["type"],
            status=document["status"],
            body=encode(document),
        )

    def _events(self, index: int, start: int, end: int) -> list[Document]:
        return [self._event(found) for found in self.platform.fleet.events(index, start, end)]

    def _event(self, found: Event) -> Document:
        document = event_document(found)
        return Document(
            id=thing_id(found.device, found.key),
            source=device_id(found.device),
            time=found.time,
            created=found.time,
            updated=found.time,
            type=document["type"],
            body=encode(document),
        )

    def _operations(self, index: int, start: int, end: int) -> list[Document]:
        return [self._operation(found) for found in self.platform.fleet.operations(index, start, end)]

    def _operation(self, found: Operation) -> Document:
        now = self.platform.now()
        document = operation_document(found, now)
        return Document(
            id=thing_id(found.device, found.key),
            source=device_id(found.device),
            time=found.created,
            created=found.created,
            updated=found.changed(now),
            type=OPERATION_FRAGMENTS[found.kind],
            status=document["status"],
            body=encode(document),
        )

    def _audits(self, index: int, start: int, end: int) -> list[Document]:
        fleet, now = self.platform.fleet, self.platform.now()
        records: list[Document] = []
        for operation in fleet.operations(index, start - _LOOK_BACK, end):
            records += operation_records(operation)
        for alarm in fleet.alarms(index, start - _LOOK_BACK, end):
            records += alarm_records(alarm)
        return [one for one in records if start <= one.time < end and one.time <= now]

    def fleet_item(self, kind: str, number: int) -> Document | None:
        """One item of the fleet that nobody changed, or None."""
        if number in self._shadow[kind]:
            return None
        if kind == "audit":
            return self._fleet_audit(number)
        key = thing_key(number)
        if key is None or key[0] >= len(self.platform.fleet):
            return None
        if device_id(key[0]) in self.platform.objects.hidden:
            return None
        fleet = self.platform.fleet
        if kind == "alarm":
            alarm = fleet.alarm(*key)
            return self._alarm(alarm) if alarm is not None else None
        if kind == "event":
            event = fleet.event(*key)
            return self._event(event) if event is not None else None
        operation = fleet.operation(*key)
        return self._operation(operation) if operation is not None else None

    def _fleet_audit(self, number: int) -> Document | None:
        key = thing_key(number // _AUDIT_SCALE)
        if key is None or key[0] >= len(self.platform.fleet):
            return None
        operation, alarm = self.platform.fleet.operation(*key), self.platform.fleet.alarm(*key)
        records = operation_records(operation) if operation is not None else []
        records += alarm_records(alarm) if alarm is not None else []
        return next((one for one in records if one.id == number and one.time <= self.platform.now()), None)

    # reading

    def get(self, kind: str, number: int) -> Document | None:
        """One item, of users or of the fleet, or None."""
        return self.platform.store.get(kind, number) or self.fleet_item(kind, number)

    def select(self, kind: str, chosen: Chosen, *, newest_first: bool) -> Iterator[Document]:
        """Items in the order of time (equal times by id)."""
        oldest = self.platform.oldest(_DATA_TYPES[kind])
        stored = self._stored(kind, chosen.match(oldest), newest_first=newest_first)
        own = (one for one in stored if chosen.test is None or chosen.test(one))
        simulated = self._simulated(kind, chosen, oldest, newest_first=newest_first)
        return heapq.merge(own, simulated, key=lambda one: (one.time, one.id), reverse=newest_first)

    def _stored(self, kind: str, match: Match, *, newest_first: bool) -> Iterator[Document]:
        """Users' documents in batches of growing size, so that a first page costs little."""
        skip, count = 0, 100
        while True:
            batch = self.platform.store.select(
                kind, match, newest_first=newest_first, limit=count, offset=skip
            )
            yield from batch
            if len(batch) < count:
                return
            skip, count = skip + count, count * 4

    def _simulated(
        self, kind: str, chosen: Chosen, oldest: int | None, *, newest_first: bool
    ) -> Iterator[Document]:
        """The fleet's items, found in windows of growing width, so that a first page costs little."""
        objects, shadow = self.platform.objects, self._shadow[kind]
        if chosen.sources is None:
            indexes = [i for i in range(len(self.platform.fleet)) if device_id(i) not in objects.hidden]
        else:
            live = (n for n in sorted(chosen.sources) if n not in objects.hidden)
            indexes = [index for n in live if (index := objects.index(n)) is not None]
        if not indexes:
            return
        first = self.platform.fleet.start - DAY
        start = max(at for at in (chosen.time[0], first, oldest) if at is not None)
        end = self.platform.now() + 1
        end = end if chosen.time[1] is None else min(end, chosen.time[1])
        width = DAY
        while start < end:
            low, high = (max(start, end - width), end) if newest_first else (start, min(end, start + width))
            found = [one for i in indexes for one in self._make[kind](i, low, high)]
            found.sort(key=lambda one: (one.time, one.id), reverse=newest_first)
            yield from (one for one in found if one.id not in shadow and chosen.fits(one))
            start, end = (start, low) if newest_first else (high, end)
            width *= 4

    def alarm_counts(self, number: int) -> dict[str, int] | None:
        """Alarms that are not cleared, by severity; None for an object that never had one."""
        key = (self.platform.store.version, self.platform.now() // 60_000)
        held = self._counts.get(number)
        if held is not None and held[0] == key:
            return held[1]
        counts: dict[str, int] | None = None
        for one in self.select("alarm", Chosen(sources=frozenset((number,))), newest_first=True):
            counts = counts or {name.lower(): 0 for name in SEVERITIES}
            if one.status != "CLEARED":
                counts[str(one.json().get("severity", "")).lower()] += 1
        self._counts[number] = (key, counts)
        return counts

    # writing

    def save(self, kind: str, document: Document) -> None:
        """Keep an item; one of the fleet is copied and shadowed."""
        if thing_key(document.id) is not None:
            self._hide(kind, document.id)
        self.platform.store.put(kind, [document])

    def _hide(self, kind: str, number: int) -> None:
        if number not in self._shadow[kind]:
            self._shadow[kind].add(number)
            self.platform.store.set(f"shadow-{kind}", str(number), 1)

    def delete(self, kind: str, number: int) -> None:
        """Remove one item."""
        if thing_key(number) is not None:
            self._hide(kind, number)
        self.platform.store.drop(kind, [number])

    def delete_all(self, kind: str, chosen: Chosen) -> int:
        """Remove every item that is chosen; returns how many."""
        found = list(self.select(kind, chosen, newest_first=False))
        for one in found:
            self.delete(kind, one.id)
        return len(found)

    def erase(self, number: int) -> None:
        """Forget everything of a deleted object; the fleet's own items go with their device."""
        for kind in ("alarm", "event", "operation"):
            self.platform.store.delete(kind, Match(sources=(number,)))


def change(attribute: str, new: object, old: object) -> dict[str, Any]:
    """One entry of an audit record's `changes`."""
    kind = type(new).__name__ if new is not None else "str"
    names = {"str": "java.lang.String", "int": "java.lang.Integer", "bool": "java.lang.Boolean"}
    entry = {
        "attribute": attribute,
        "changeType": "REPLACED",
        "newValue": new,
        "type": names.get(kind, "java.lang.Object"),
    }
    return entry if old is None else {**entry, "previousValue": old}


def _record(
    number: int, device: int, at: int, thing: int, words: tuple[str, str, str], changes: list[dict[str, Any]]
) -> Document:
    """An audit record of the fleet; `words` are type, activity and text."""
    stamp = format_time(at)
    body = {
        "type": words[0],
        "activity": words[1],
        "text": words[2],
        "user": "admin" if changes == [] else f"device_{device}",
        "application": "devicemanagement" if changes == [] else "",
        "severity": "INFORMATION",
        "time": stamp,
        "creationTime": stamp,
        "changes": changes,
        "com_cumulocity_model_event_AuditSourceDevice": {"id": str(device)},
        "source": str(thing),
    }
    return Document(
        id=number, source=device, time=at, created=at, updated=at, type=words[0], body=encode(body)
    )


def operation_records(operation: Operation) -> list[Document]:
    """The audit records of a fleet operation, those of the future included."""
    thing, device = thing_id(operation.device, operation.key), device_id(operation.device)
    end = "FAILED" if operation.failed else "SUCCESSFUL"
    states = [(operation.started, "EXECUTING", "PENDING"), (operation.finished, end, "EXECUTING")]
    text = f"Operation created: status='PENDING', deviceId='{device}'"
    words = ("Operation", "Operation created", text)
    records = [_record(thing * _AUDIT_SCALE, device, operation.created, thing, words, [])]
    for n, (at, new, old) in enumerate(states, 1):
        if at is not None:
            words = ("Operation", "Operation updated", f"Operation updated: status='{new}'")
            records.append(
                _record(thing * _AUDIT_SCALE + n, device, at, thing, words, [change("status", new, old)])
            )
    return records


def alarm_records(alarm: Alarm) -> list[Document]:
    """The audit records of a fleet alarm."""
    thing, device = thing_id(alarm.device, alarm.key), device_id(alarm.device)
    number = thing * _AUDIT_SCALE + _ALARM_RECORD
    records = [_record(number, device, alarm.time, thing, ("Alarm", "Alarm created", alarm.text), [])]
    if alarm.cleared is not None:
        changes = [change("status", "CLEARED", "ACTIVE")]
        words = ("Alarm", "Alarm updated", "Alarm updated: status='CLEARED'")
        records.append(_record(number + 1, device, alarm.cleared, thing, words, changes))
    return records
