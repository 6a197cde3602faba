"""Operations and what became of them on each enrolment: the fleet's are worked out, all others stored."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from iotnb.sandbox.fleet import Operation as FleetOperation
from iotnb.sandbox.fleet import OperationKind, Outcome
from iotnb.sandbox.fleet.noise import stream, unit
from iotnb.sandbox.store import Document, Match
from iotnb.sandbox.wire import encode
from iotnb.sandbox.wso2.base import Base
from iotnb.sandbox.wso2.inventory import Enrolment, Inventory

Json = dict[str, Any]
PENDING, IN_PROGRESS, COMPLETED, ERROR, REPEATED = "PENDING", "IN_PROGRESS", "COMPLETED", "ERROR", "REPEATED"
STATUSES = (IN_PROGRESS, PENDING, COMPLETED, ERROR, REPEATED)
_STATUS = {"PENDING": PENDING, "EXECUTING": IN_PROGRESS, "SUCCESSFUL": COMPLETED, "FAILED": ERROR}
_FIRST_FLEET = 1_000_000  # ids of the fleet's operations lie above all that users create
_SPAN = 1 << 16  # ids for each fleet device
_KINDS: dict[str, OperationKind] = {
    "reboot": "restart",
    "REBOOT": "restart",
    "upgrade-firmware": "firmware",
    "UPGRADE_FIRMWARE": "firmware",
    "configure": "configuration",
}
_CODES: dict[OperationKind, str] = {
    "restart": "reboot",
    "firmware": "upgrade-firmware",
    "configuration": "configure",
    "command": "command",
}
_PATIENCE = 3  # ms for each device of the fleet
_REASONS = ("Device is busy", "Operation is not supported", "Time limit exceeded")


class Response(NamedTuple):
    """What a device said, and when (ms)."""

    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Operation:
    """A command for one or more devices."""

    id: int
    code: str
    type: str
    created: int
    payload: Any = None
    control: str = "REPEAT"

    @property
    def activity(self) -> str:
        """`ACTIVITY_13`."""
        return f"ACTIVITY_{self.id}"


@dataclass(frozen=True, slots=True)
class Mapping:
    """An operation on one enrolment; `updated` is the full second of the last change of status (ms)."""

    operation: Operation
    enrolment: int
    status: str
    updated: int
    responses: tuple[Response, ...] = ()


class _Listed(NamedTuple):
    """The fleet's operations up to a moment, as they were found for a key."""

    key: tuple[int, ...]
    until: int
    found: list[tuple[int, FleetOperation]]


def _second(ms: int) -> int:
    return ms // 1000 * 1000


def _sent(operation: FleetOperation) -> tuple[str, str, Any]:
    """Code, type and payload of an operation of the fleet."""
    code = _CODES[operation.kind]
    if operation.kind == "restart":
        return code, "COMMAND", None
    if operation.kind == "firmware":
        return code, "PROFILE", operation.parameters
    return code, "CONFIG", operation.parameters["config" if operation.kind == "configuration" else "text"]


class Log:
    """The operation history. A stored mapping that is `simulated` goes on by itself as the device would."""

    def __init__(self, base: Base, inventory: Inventory) -> None:
        self._base = base
        self._inventory = inventory
        self.load()

    def load(self) -> None:
        """Read what was written about the fleet's operations, and forget what is remembered of them."""
        held = self._base.store.settings("fleetmapping")
        self._written: dict[int, Json] = {int(number): body for number, body in held.items()}
        self._listed: _Listed = _Listed((), 0, [])

    # adding

    def add(
        self,
        code: str,
        kind: str,
        payload: Any,
        enrolments: Iterable[Enrolment],
        *,
        control: str = "REPEAT",
        at: int | None = None,
    ) -> Operation:
        """A new operation, PENDING on each enrolment; NO_REPEAT makes older ones of its code REPEATED."""
        store, now = self._base.store, self._base.now() if at is None else at
        operation = Operation(store.next_ids("operation")[0], code, kind, now, payload, control)
        mappings = []
        for one in enrolments:
            if control == "NO_REPEAT":
                for old in self.history(one):
                    if old.operation.code == code and old.status == PENDING:
                        self.set(old, REPEATED)
            mappings.append(self._new(operation, one))
        body = {"code": code, "type": kind, "payload": payload, "control": control}
        body["mappings"] = [mapping.id for mapping in mappings]
        store.put("operation", [Document(operation.id, time=now, created=now, type=code, body=encode(body))])
        store.put("mapping", mappings)
        return operation

    def _new(self, operation: Operation, one: Enrolment) -> Document:
        simulated = one.fleet is not None or bool(self._inventory.more(one.device).get("simulated"))
        body: Json = {"operation": operation.id, "status": PENDING, "updated": _second(operation.created)}
        body |= {"responses": [], "simulated": simulated and self._base.switches.simulate}
        number = self._base.store.next_ids("mapping")[0]
        return Document(
            number, source=one.id, time=operation.created, created=operation.created, body=encode(body)
        )

    # reading

    def operation(self, number: int) -> Operation | None:
        """An operation by its id, or None."""
        document = self._base.store.get("operation", number)
        if document is not None:
            return self._stored_operation(document)
        found = self._fleet_operation(number)
        return None if found is None else self._of_fleet(*found).operation

    def mappings(self, number: int) -> list[Mapping]:
        """What became of an operation on each of its enrolments."""
        document = self._base.store.get("operation", number)
        if document is None:
            found = self._fleet_operation(number)
            return [] if found is None else [self._of_fleet(*found)]
        operation = self._stored_operation(document)
        held = (self._base.store.get("mapping", one) for one in document.json()["mappings"])
        return [self._stored(one, operation) for one in held if one is not None]

    def history(self, one: Enrolment) -> list[Mapping]:
        """Every operation of an enrolment, the newest first."""
        found = [self._stored(each) for each in self._base.store.select("mapping", Match(sources=(one.id,)))]
        if one.fleet is not None:
            fleet = self._base.fleet
            listed = fleet.operations(one.fleet, fleet.start, self._base.now() + 1)
            found += [self._of_fleet(one.fleet, each) for each in listed]
        return sorted(found, key=lambda each: (each.operation.created, each.operation.id), reverse=True)

    def pending(self, one: Enrolment) -> list[Mapping]:
        """What an enrolment has still to do, the oldest first."""
        return [each for each in reversed(self.history(one)) if each.status == PENDING]

    def updated_since(self, since: int, code: str = "") -> list[Mapping]:
        """Mappings that changed after a moment (of one code), the last change last."""
        found = [self._stored(each) for each in self._base.store.select("mapping")]
        now = self._base.now()
        for i, each in self._fleet_operations(since):
            if (not code or _CODES[each.kind] == code) and (each.changed(now) > since or self._written):
                found.append(self._of_fleet(i, each))
        found = [each for each in found if each.updated > since and (not code or each.operation.code == code)]
        return sorted(found, key=lambda each: (each.updated, each.operation.id, each.enrolment))

    # the fleet's

    def _fleet_operations(self, since: int) -> list[tuple[int, FleetOperation]]:
        """The fleet's operations made since a while before a moment; kept, as pages follow each other."""
        fleet, now, size = self._base.fleet, self._base.now(), self._base.fleet_size
        # a device that was off line carries out what is days old; no outage comes near to this
        start = max(fleet.start, since // 3_600_000 * 3_600_000 - 7 * 86_400_000)
        key = (fleet.seed, fleet.start, size, start)
        held = self._listed
        if held.key != key or now < held.until:
            held = _Listed(key, start - 1, [])
        if now - held.until > size * _PATIENCE:  # a large fleet is looked at less often
            added = [(i, one) for i in range(size) for one in fleet.operations(i, held.until + 1, now + 1)]
            held = _Listed(key, now, held.found + added)
        self._listed = held
        return held.found

    def _fleet_operation(self, number: int) -> tuple[int, FleetOperation] | None:
        index, rest = divmod(number - _FIRST_FLEET, _SPAN)
        if number < _FIRST_FLEET or index >= self._base.fleet_size:
            return None
        fleet = self._base.fleet
        found = fleet.operation(index, rest + self._key_base())
        return None if found is None else (index, found)

    def _key_base(self) -> int:
        """The keys of the fleet's operations count from the day before its first one."""
        return (self._base.fleet.start // 86_400_000 - 1) * 16

    def _of_fleet(self, i: int, one: FleetOperation) -> Mapping:
        code, kind, payload = _sent(one)
        number = _FIRST_FLEET + i * _SPAN + one.key - self._key_base()
        operation = Operation(number, code, kind, one.created, payload)
        enrolment = self._inventory.of_fleet(i)
        held = self._written.get(number)
        if held is not None:
            return _mapping(operation, enrolment, held)
        now = self._base.now()
        responses: tuple[Response, ...] = ()
        if one.finished is not None and one.finished <= now:
            responses = (Response(one.failure if one.failed else "OK", one.finished),)
        return Mapping(operation, enrolment, _STATUS[one.status(now)], _second(one.changed(now)), responses)

    # the stored ones

    @staticmethod
    def _stored_operation(document: Document) -> Operation:
        body = document.json()
        return Operation(
            document.id, body["code"], body["type"], document.time, body["payload"], body["control"]
        )

    def _stored(self, document: Document, operation: Operation | None = None) -> Mapping:
        body = document.json()
        if operation is None:
            held = self._base.store.get("operation", body["operation"])
            if held is None:
                raise LookupError(f"operation {body['operation']} is gone")
            operation = self._stored_operation(held)
        if not body["simulated"]:
            return _mapping(operation, document.source, body)
        return self._simulated(operation, document.source)

    def outcome(self, operation: Operation, one: Enrolment) -> Outcome:
        """How a simulated device deals with an operation."""
        if one.fleet is not None:
            kind = _KINDS.get(operation.code, "command")
            return self._base.fleet.outcome(one.fleet, operation.created, kind, salt=operation.id)
        key = stream(self._base.fleet.seed, "wso2 answer", one.id, operation.id)
        started = operation.created + 500
        finished = started + int(unit(key, 0) * 4_500)
        failed = unit(key, 1) < 0.15
        reason = _REASONS[int(unit(key, 2) * len(_REASONS))] if failed else ""
        return Outcome(started, finished, failed, reason)

    def _simulated(self, operation: Operation, enrolment: int) -> Mapping:
        now, out = self._base.now(), self.outcome(operation, self._inventory.enrolment(enrolment))
        if out.finished is not None and out.finished <= now:
            response = Response(out.failure if out.failed else "OK", out.finished)
            status = ERROR if out.failed else COMPLETED
            return Mapping(operation, enrolment, status, _second(out.finished), (response,))
        if out.started is not None and out.started <= now:
            return Mapping(operation, enrolment, IN_PROGRESS, _second(out.started))
        return Mapping(operation, enrolment, PENDING, _second(operation.created))

    # changing

    def set(
        self, mapping: Mapping, status: str, response: str | None = None, *, at: int | None = None
    ) -> None:
        """Write a status, whatever the old one, and what the device said."""
        now = self._base.now() if at is None else at
        said = list(mapping.responses) + ([] if response is None else [Response(response, now)])
        body: Json = {"status": status, "updated": _second(now), "responses": said, "simulated": False}
        number = mapping.operation.id
        document = next((d for d in self._documents(number) if d.source == mapping.enrolment), None)
        if document is None:
            self._written[number] = body
            self._base.store.set("fleetmapping", str(number), body)
            return
        changed = document._replace(updated=now, body=encode(body | {"operation": number}))
        self._base.store.put("mapping", [changed])

    def _documents(self, number: int) -> list[Document]:
        held = self._base.store.get("operation", number)
        found = [self._base.store.get("mapping", one) for one in held.json()["mappings"]] if held else []
        return [one for one in found if one is not None]


def _mapping(operation: Operation, enrolment: int, body: Json) -> Mapping:
    said = tuple(Response(text, at) for text, at in body["responses"])
    return Mapping(operation, enrolment, body["status"], body["updated"], said)
