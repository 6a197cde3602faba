"""Bulk operations: one operation for each member of a group, a little later each."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from iotnb.sandbox.cumulocity import operations
from iotnb.sandbox.cumulocity.history import Chosen
from iotnb.sandbox.cumulocity.simulate import own_call
from iotnb.sandbox.cumulocity.state import Platform, number
from iotnb.sandbox.cumulocity.wire import (
    Answer,
    Call,
    Refused,
    done,
    format_time,
    invalid,
    missing,
    parse_time,
    sliced,
)
from iotnb.sandbox.store import Document

_KIND = "bulkoperation"


def _progress(platform: Platform, kept: dict[str, Any]) -> Counter[str]:
    """How many of the operations are in which state."""
    wanted = Chosen(test=_child_of(kept["id"]))
    return Counter(one.status for one in platform.history.select("operation", wanted, newest_first=False))


def _general(kept: dict[str, Any], counts: Counter[str], made: int) -> str:
    """The general status that follows from the operations."""
    if kept["status"] == "DELETED":
        return "CANCELED"
    if not made:
        return "SCHEDULED"
    ended = counts["SUCCESSFUL"] + counts["FAILED"]
    if ended < len(kept["targets"]):
        return "EXECUTING_WITH_ERRORS" if counts["FAILED"] else "EXECUTING"
    return "FAILED" if counts["FAILED"] else "SUCCESSFUL"


def rendered(platform: Platform, call: Call, kept: dict[str, Any]) -> dict[str, Any]:
    """A bulk operation with its progress; `id` is an integer, as live platforms send it."""
    counts = _progress(platform, kept)
    made = sum(counts.values())
    status = kept["status"]
    if status != "DELETED":
        status = "COMPLETED" if made >= len(kept["targets"]) else "IN_PROGRESS" if made else "ACTIVE"
    shown = {name: value for name, value in kept.items() if name != "targets"}
    return {
        **shown,
        "self": call.url("devicecontrol", "bulkoperations", kept["id"]),
        "status": status,
        "generalStatus": _general(kept, counts, made),
        "progress": {
            "all": len(kept["targets"]),
            **{name.lower(): counts[name] for name in ("PENDING", "EXECUTING", "FAILED", "SUCCESSFUL")},
        },
    }


def _kept(platform: Platform, text: str) -> dict[str, Any]:
    found: dict[str, Any] | None = platform.store.setting(_KIND, text)
    if found is None:
        message = (
            "Finding bulk operation from database failed : Cannot find document with ID "
            f"ID [type=com_cumulocity_model_idtype_GId, value={text}]!"
        )
        raise Refused(404, "devicecontrol/Not Found", message)
    return found


def list_bulk(platform: Platform, call: Call) -> Answer:
    """GET /devicecontrol/bulkoperations."""
    platform.access.need(call.user, "ROLE_BULK_OPERATION_READ")
    kept = sorted(platform.store.settings(_KIND).values(), key=lambda one: one["id"])
    if not call.flag("withDeleted"):
        kept = [one for one in kept if one["status"] != "DELETED"]
    items = [rendered(platform, call, one) for one in kept]
    return sliced(call, "bulkOperations", "bulkoperationcollection", items)


def _targets(platform: Platform, body: dict[str, Any]) -> list[int]:
    """The devices of a group, or those on which an earlier bulk operation failed."""
    if body.get("groupId"):
        group = number(str(body["groupId"]), invalid("groupId is no ID"))
        if not platform.objects.exists(group):
            raise invalid(f"There is no group {group}")
        below = platform.objects.below(group, ("childAssets",))
        return sorted(one for one in below if "c8y_IsDevice" in (platform.objects.view(one) or {}))
    if not body.get("failedParentId"):
        raise missing("groupId")
    parent = _kept(platform, str(body["failedParentId"]))
    failed = Chosen(statuses=frozenset(("FAILED",)), test=_child_of(parent["id"]))
    return [one.source for one in platform.history.select("operation", failed, newest_first=False)]


def create_bulk(platform: Platform, call: Call) -> Answer:
    """POST /devicecontrol/bulkoperations: from `startDate` on, one every `creationRamp` seconds."""
    platform.access.need(call.user, "ROLE_BULK_OPERATION_ADMIN")
    body = call.document()
    absent = [name for name in ("startDate", "creationRamp", "operationPrototype") if body.get(name) is None]
    if absent:
        raise missing(*absent)
    ramp, prototype = body["creationRamp"], body["operationPrototype"]
    if (
        isinstance(ramp, bool)
        or not isinstance(ramp, int | float)
        or ramp < 0
        or not isinstance(prototype, dict)
    ):
        raise invalid("creationRamp must be a number of seconds and operationPrototype an object")
    start = max(parse_time(body["startDate"]), platform.now())
    targets = _targets(platform, body)
    fields = ("groupId", "failedParentId", "creationRamp", "operationPrototype", "note")
    kept = {name: body[name] for name in fields if body.get(name) is not None}
    kept |= {
        "id": platform.next_id("bulk"),
        "startDate": format_time(start),
        "status": "ACTIVE",
        "targets": targets,
    }
    platform.store.set(_KIND, str(kept["id"]), kept)
    _plan(platform, kept, frozenset())
    document = rendered(platform, call, kept)
    return call.made("bulkoperation", document, document["self"])


def _plan(platform: Platform, kept: dict[str, Any], made: frozenset[int]) -> None:
    """Have the operations made that are not there yet, each at its time."""
    start = parse_time(kept["startDate"])
    for n, device in enumerate(kept["targets"]):
        if device not in made:
            at = start + int(n * kept["creationRamp"] * 1000)
            platform.later(at, partial(_create_one, platform, kept["id"], device))


def resume(platform: Platform) -> None:
    """Go on with the bulk operations that a data file holds."""
    for kept in platform.store.settings(_KIND).values():
        wanted = Chosen(test=_child_of(kept["id"]))
        made = frozenset(
            one.source for one in platform.history.select("operation", wanted, newest_first=False)
        )
        if kept["status"] != "DELETED" and len(made) < len(kept["targets"]):
            _plan(platform, kept, made)


def _child_of(bulk: int) -> Callable[[Document], bool]:
    return lambda one: one.json().get("bulkOperationId") == bulk


def _create_one(platform: Platform, bulk: int, device: int, _: int) -> None:
    """Make the operation of one device, unless the bulk operation was cancelled."""
    kept = platform.store.setting(_KIND, str(bulk))
    if kept is None or kept["status"] == "DELETED" or not platform.objects.exists(device):
        return
    call = own_call(platform)
    call.user.name = "service_bulkoperation"
    operations.create(platform, call, device, {**kept["operationPrototype"], "bulkOperationId": bulk})


def get_bulk(platform: Platform, call: Call, text: str) -> Answer:
    """GET /devicecontrol/bulkoperations/{id}."""
    platform.access.need(call.user, "ROLE_BULK_OPERATION_READ")
    return Answer(body=rendered(platform, call, _kept(platform, text)), kind="bulkoperation")


def update_bulk(platform: Platform, call: Call, text: str) -> Answer:
    """PUT /devicecontrol/bulkoperations/{id}: prototype, ramp and note."""
    platform.access.need(call.user, "ROLE_BULK_OPERATION_ADMIN")
    kept, body = _kept(platform, text), call.document()
    kept |= {name: body[name] for name in ("creationRamp", "operationPrototype", "note") if name in body}
    platform.store.set(_KIND, text, kept)
    return call.changed("bulkoperation", rendered(platform, call, kept))


def delete_bulk(platform: Platform, call: Call, text: str) -> Answer:
    """DELETE /devicecontrol/bulkoperations/{id}: no further operations are made."""
    platform.access.need(call.user, "ROLE_BULK_OPERATION_ADMIN")
    platform.store.set(_KIND, text, {**_kept(platform, text), "status": "DELETED"})
    return done()


ROUTES = (
    ("GET", "/devicecontrol/bulkoperations", list_bulk),
    ("POST", "/devicecontrol/bulkoperations", create_bulk),
    ("GET", "/devicecontrol/bulkoperations/{id}", get_bulk),
    ("PUT", "/devicecontrol/bulkoperations/{id}", update_bulk),
    ("DELETE", "/devicecontrol/bulkoperations/{id}", delete_bulk),
)
