"""What the simulated devices do by themselves: they carry out operations and go on reporting.

A device takes an operation when it is on line, works on it for as long as the fleet says, and ends it as
SUCCESSFUL or FAILED. What succeeded shows in the inventory: the new configuration, the new firmware.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from iotnb.sandbox.cumulocity.fleetdocs import OPERATION_FRAGMENTS, device_id
from iotnb.sandbox.cumulocity.history import Chosen
from iotnb.sandbox.cumulocity.lanes import Wanted
from iotnb.sandbox.cumulocity.state import Platform
from iotnb.sandbox.cumulocity.units import Units
from iotnb.sandbox.cumulocity.wire import Call
from iotnb.sandbox.fleet import OperationKind, Outcome
from iotnb.sandbox.store import Document, Match

if TYPE_CHECKING:
    from iotnb.sandbox.cumulocity.realtime import Client

_KINDS: dict[str, OperationKind] = {
    "c8y_Restart": "restart",
    "c8y_Firmware": "firmware",
    "c8y_SoftwareUpdate": "firmware",
    "c8y_SoftwareList": "firmware",
    "c8y_Configuration": "configuration",
}
_KEPT = {
    "c8y_Configuration": "c8y_Configuration",
    "c8y_Firmware": "c8y_Firmware",
    "c8y_SoftwareList": "c8y_SoftwareList",
}
_SUPPORTED = frozenset({*OPERATION_FRAGMENTS.values(), *_KINDS})
_MOST_WATCHED = 2_000  # devices whose reports are followed for a subscription to all objects
_UNSUPPORTED_MS = 2_000
REPORTS = ("measurements", "events", "alarms")


class _Apply(Protocol):
    def __call__(
        self, platform: Platform, call: Call, one: Document, body: dict[str, Any], *, own: bool, at: int
    ) -> Document:
        """operations.apply."""
        ...


def own_call(platform: Platform) -> Call:
    """The request that a simulated device would send: links point to the service's own address."""
    return Call(
        method="PUT",
        path="/",
        segments=(),
        query={},
        pairs=(),
        headers={"accept": "*/*"},
        body=b"",
        origin=platform.service.base_url,
    )


def fragment_of(body: dict[str, Any]) -> str:
    """The fragment that says what an operation is about."""
    known = next((name for name in body if name in _SUPPORTED), None)
    return known or next((name for name in body if name.startswith("c8y_")), "")


def plan(platform: Platform, one: Document) -> Outcome | None:
    """How a fleet device deals with an operation; None for an object that is not simulated."""
    index = platform.objects.index(one.source)
    if index is None:
        return None
    fragment = fragment_of(one.json())
    outcome = platform.fleet.outcome(index, one.created, _KINDS.get(fragment, "command"), salt=one.id)
    if fragment not in _SUPPORTED and outcome.started is not None:
        finished = outcome.started + _UNSUPPORTED_MS
        return Outcome(
            outcome.started, finished, True, f"Operation {fragment or 'without fragment'} is not supported"
        )
    return outcome


def carry_out(platform: Platform, one: Document) -> None:
    """Have the simulated device take an operation that was just made, or that a restart left over."""
    outcome = plan(platform, one)
    if outcome is None or outcome.started is None:
        return
    platform.later(outcome.started, partial(_start, platform, one.id))
    if outcome.finished is not None:
        platform.later(outcome.finished, partial(_finish, platform, one.id, outcome))


def resume(platform: Platform) -> None:
    """Go on with the operations that a data file still holds as open."""
    for one in platform.store.select("operation", Match(statuses=("PENDING", "EXECUTING"))):
        carry_out(platform, one)


def _apply() -> _Apply:
    from iotnb.sandbox.cumulocity.operations import apply

    return apply


def _start(platform: Platform, number: int, at: int) -> None:
    one = platform.store.get("operation", number)
    if one is not None and one.status == "PENDING" and platform.objects.exists(one.source):
        _apply()(platform, own_call(platform), one, {"status": "EXECUTING"}, own=True, at=at)


def _finish(platform: Platform, number: int, outcome: Outcome, at: int) -> None:
    one = platform.store.get("operation", number)
    if one is None or one.status != "EXECUTING" or not platform.objects.exists(one.source):
        return
    if outcome.failed:
        body: dict[str, Any] = {"status": "FAILED", "failureReason": outcome.failure}
    else:
        body = {"status": "SUCCESSFUL", **_effect(platform, one)}
    _apply()(platform, own_call(platform), one, body, own=True, at=at)


def _effect(platform: Platform, one: Document) -> dict[str, Any]:
    """Change the inventory as the operation asked; gives what the operation itself gains."""
    body = one.json()
    fragment = fragment_of(body)
    if fragment in _KEPT:
        platform.objects.update(one.source, {_KEPT[fragment]: body[fragment]})
    if fragment == "c8y_Command" and isinstance(body[fragment], dict):
        return {"c8y_Command": {**body[fragment], "result": f"{body[fragment].get('text', '')}: done"}}
    return {}


# what arrives while somebody listens


def report(platform: Platform, since: int, until: int) -> None:
    """Send what the fleet reported in (since, until] to those who subscribed to it."""
    if until <= since:
        return
    chapters: tuple[tuple[str, Callable[[Platform, int, int, int], None]], ...] = (
        ("measurements", _measurements),
        ("events", partial(_items, kind="event")),
        ("alarms", partial(_items, kind="alarm")),
    )
    for name, send in chapters:
        for number in watched_devices(platform, name)[0]:
            send(platform, number, since + 1, until + 1)


def watched_devices(platform: Platform, name: str) -> tuple[list[int], int]:
    """The fleet devices to whose data of a kind somebody subscribed, and how many they are."""
    channels = {channel for client in platform.hub.watchers() for channel in _of(client, name)}
    if f"/{name}/*" in channels:
        count = min(len(platform.fleet), _MOST_WATCHED)
        every = [device_id(i) for i in range(count) if device_id(i) not in platform.objects.hidden]
        return every, len(every)
    numbers = (channel.rpartition("/")[2] for channel in channels)
    ids = [int(text) for text in numbers if text.isdigit()]
    found = [one for one in ids if platform.objects.index(one) is not None and platform.objects.exists(one)]
    return found, len(found)


def _of(client: "Client", name: str) -> list[str]:
    return [channel for channel in client.channels if channel.startswith(f"/{name}/")]


def _measurements(platform: Platform, number: int, start: int, end: int) -> None:
    wanted = Wanted(source=number, start=start, end=end)
    for lane in platform.measured.lanes(wanted):
        for text in lane.render(lane.times(start, end), platform.service.base_url, Units(), None):
            platform.hub.publish("measurements", number, "CREATE", msgspec.Raw(text.encode()))


def _items(platform: Platform, number: int, start: int, end: int, *, kind: str) -> None:
    chosen = Chosen(sources=frozenset((number,)), time=(start, end))
    for one in platform.history.select(kind, chosen, newest_first=False):
        if platform.history.fleet_item(kind, one.id) is not None:
            origin = platform.service.base_url
            links = {"id": str(one.id), "self": f"{origin}/{kind}/{kind}s/{one.id}"}
            source = {"id": str(number), "self": f"{origin}/inventory/managedObjects/{number}"}
            platform.hub.publish(f"{kind}s", number, "CREATE", {**links, "source": source, **one.json()})
