"""Sent commands and their fate, which follows from the moment of sending: the history of every device.

The fleet's operations stand in it as commands. What a user sends is a document of the store that holds when
the device takes the command and when it answers; the state at a moment is read off these times.
"""

import hashlib
from collections.abc import Iterable

import msgspec

from iotnb.sandbox.fleet import Operation, OperationKind
from iotnb.sandbox.fleet.noise import stream, unit
from iotnb.sandbox.iotconnect.ids import new_guid
from iotnb.sandbox.iotconnect.models import Command
from iotnb.sandbox.iotconnect.registry import Device, connected, registry
from iotnb.sandbox.iotconnect.state import Platform
from iotnb.sandbox.store import Document, Match

STATES = ("In Queue", "In Transit", "Failed", "Executed")
QUEUED, TRANSIT, FAILED, EXECUTED = range(4)
_KIND = "command"
_WORDS: dict[str, OperationKind] = {
    "restart": "restart",
    "configure": "configuration",
    "firmware": "firmware",
}
_MOST = 1_000  # fleet devices that a history over all devices shows
_KEYS = 48  # bits of an operation's key in the GUID of its row


class Sent(msgspec.Struct, kw_only=True):
    """One row of the history; times are milliseconds, None for what never happens."""

    guid: str
    device: str
    text: str
    by: str
    created: int
    number: int = 0
    starts: int | None = None
    ends: int | None = None
    failure: str | None = None
    forced: int | None = None
    """A state that was set by a call, and since when."""
    forced_at: int = 0
    forced_text: str | None = None
    resent: list[int] = []
    kind: OperationKind = "command"
    acknowledged: bool = True

    def state(self, at: int) -> int:
        """The state at a moment, as the number that calls use."""
        if self.forced is not None:
            return self.forced
        if self.ends is not None and self.ends <= at:
            return EXECUTED if self.failure is None else FAILED
        return TRANSIT if self.starts is not None and self.starts <= at else QUEUED

    def changed(self, at: int) -> int:
        """The moment of the last change of state."""
        if self.forced is not None:
            return self.forced_at
        times = (*self.resent, self.starts, self.ends)
        return max([self.created, *(one for one in times if one is not None and one <= at)])

    def words(self, at: int) -> str | None:
        """The status text at a moment."""
        if self.forced is not None:
            return self.forced_text
        return {FAILED: self.failure, EXECUTED: "ok"}.get(self.state(at))


def send(platform: Platform, device: Device, command: Command, parameter: str, by: str) -> Sent:
    """A command goes to a device: what will become of it is decided here."""
    number = platform.store.next_ids(_KIND)[0]
    sent = Sent(
        guid=new_guid(),
        device=device.guid,
        text=f"{command.command} {parameter}" if parameter else command.command,
        by=by,
        created=platform.now(),
        number=number,
        kind=_WORDS.get(command.command, "command"),
        acknowledged=command.acknowledged,
    )
    _plan(platform, device, sent)
    _put(platform, device, sent)
    return sent


def _plan(platform: Platform, device: Device, sent: Sent) -> None:
    """When the device takes the command and when it answers."""
    now, salt = platform.now(), sent.number + 1_000_000 * len(sent.resent)
    wait = int(platform.switches.answer_seconds * 1000)
    there = connected(platform, device, now)
    sent.starts = now if there else None
    sent.ends = sent.failure = sent.forced = None
    if device.fleet is not None:
        outcome = platform.fleet.outcome(device.fleet, now, sent.kind, salt=salt)
        sent.starts = sent.starts if there else outcome.started
        sent.ends = None if outcome.finished is None else outcome.finished + wait
        sent.failure = outcome.failure if outcome.failed else None
    elif there:
        key = stream(platform.fleet.seed, "command", salt)
        sent.ends = now + 500 + int(3_000 * unit(key)) + wait
        sent.failure = "Command not understood" if unit(key, 1) < 0.1 else None
    if not sent.acknowledged:
        sent.ends, sent.failure = sent.starts, None


def wake(platform: Platform, device: Device) -> None:
    """A device that nobody simulated has connected: it takes what waits for it."""
    for sent in _stored(platform, device):
        if sent.state(platform.now()) == QUEUED:
            _plan(platform, device, sent)
            _put(platform, device, sent)


def resend(platform: Platform, device: Device, sent: Sent) -> None:
    """A failed command goes out once more."""
    sent.resent.append(platform.now())
    _plan(platform, device, sent)
    _put(platform, device, sent)


def force(platform: Platform, device: Device, sent: Sent, state: int, text: str | None) -> None:
    """A state that a call sets."""
    sent.forced, sent.forced_at, sent.forced_text = state, platform.now(), text
    _put(platform, device, sent)


def _number(guid: str) -> int:
    """The number under which the store keeps what belongs to a GUID."""
    return int.from_bytes(hashlib.sha256(guid.lower().encode()).digest()[:7])


def _put(platform: Platform, device: Device, sent: Sent) -> None:
    document = Document(
        id=_number(sent.guid),
        source=_number(device.guid),
        time=sent.created,
        body=msgspec.json.encode(sent),
    )
    platform.store.put(_KIND, [document])


def _stored(platform: Platform, device: Device | None) -> list[Sent]:
    match = Match() if device is None else Match(sources=(_number(device.guid),))
    found = [msgspec.json.decode(one.body, type=Sent) for one in platform.store.select(_KIND, match)]
    return [one for one in found if device is None or one.device == device.guid]


def of_device(platform: Platform, device: Device) -> list[Sent]:
    """Every command that a device was sent."""
    return list(_merged(_simulated(platform, device), _stored(platform, device)))


def of_all(platform: Platform) -> list[Sent]:
    """The commands of all devices (of the fleet's first 1000)."""
    simulated = platform.fresh("history", lambda: _every_simulated(platform))
    return list(_merged(simulated, _stored(platform, None)))


def _every_simulated(platform: Platform) -> list[Sent]:
    devices = [one for one in registry(platform) if one.fleet is not None][:_MOST]
    return [sent for device in devices for sent in _simulated(platform, device)]


def _merged(simulated: Iterable[Sent], stored: list[Sent]) -> Iterable[Sent]:
    """The fleet's rows, those that a call changed as they are in the store."""
    changed = {one.guid for one in stored}
    yield from (one for one in simulated if one.guid not in changed)
    yield from stored


def _simulated(platform: Platform, device: Device) -> list[Sent]:
    if device.fleet is None:
        return []
    fleet = platform.fleet
    found = fleet.operations(device.fleet, fleet.start, platform.now() + 1)
    return [_of_fleet(device, one) for one in found]


def _of_fleet(device: Device, operation: Operation) -> Sent:
    """An operation of the fleet as a row; its GUID is the device's with the operation's key at the end."""
    key = f"{operation.key & (1 << _KEYS) - 1:012X}"
    return Sent(
        guid=device.guid[:24] + key,
        device=device.guid,
        text=_text(operation),
        by="Jo Ferreira",
        created=operation.created,
        starts=operation.started,
        ends=operation.finished,
        failure=operation.failure if operation.failed else None,
        kind=operation.kind,
    )


def _text(operation: Operation) -> str:
    values = operation.parameters
    if operation.kind == "command":
        return f"run {values.get('text', '')}".strip()
    if operation.kind == "firmware":
        return f"firmware {values.get('version', '')}".strip()
    if operation.kind == "configuration":
        return f"configure {values.get('config', '')}".strip()
    return "restart"


def find(platform: Platform, guid: str, device: Device | None = None) -> Sent | None:
    """A row of the history by its GUID, or None."""
    wanted = guid.strip().lower()
    if device is None:
        stored = platform.store.get(_KIND, _number(guid)) if len(wanted) == 36 else None
        if stored is not None:
            return msgspec.json.decode(stored.body, type=Sent)
        head = wanted[:24]
        device = next((one for one in registry(platform) if one.guid[:24].lower() == head), None)
        if device is None:
            return None
    return next((one for one in of_device(platform, device) if one.guid.lower() == wanted), None)
