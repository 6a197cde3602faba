"""`/device/agent`: the device's own side; enrol, publish records, fetch operations and answer them."""

import re
from typing import Any

from iotnb.sandbox.wso2.inventory import ACTIVE, REMOVED, Enrolment
from iotnb.sandbox.wso2.log import STATUSES, Mapping
from iotnb.sandbox.wso2.operations import row
from iotnb.sandbox.wso2.routes import MGT, routes
from iotnb.sandbox.wso2.state import Platform
from iotnb.sandbox.wso2.wire import Answer, Call, Refused, identifier, problem

Json = dict[str, Any]
_SILENT = ("INACTIVE", "UNREACHABLE")
_MISMATCH = "Payload does not match with the stream definition"
_WHOLE = re.compile(r"[+-]?\d+")


def pairs(listed: Any) -> Json | None:
    """Properties from `[{name, value}]`, or None for anything else."""
    if not isinstance(listed, list) or not all(isinstance(one, dict) and "name" in one for one in listed):
        return None
    return {str(one["name"]): None if one.get("value") is None else str(one["value"]) for one in listed}


def own(platform: Platform, call: Call, kind: str, name: str) -> Enrolment | None:
    """The caller's enrolment of a device (an administrator's: anybody's), or None."""
    found = platform.inventory.current(kind, name, call.caller.user)
    return platform.inventory.current(kind, name) if found is None and call.caller.admin else found


def enroll(platform: Platform, call: Call) -> Answer:
    """POST /enroll: the caller becomes the owner and the enrolment ACTIVE, whatever the body says."""
    body = call.document()
    kind, name = body.get("type"), identifier(body.get("deviceIdentifier"))
    if not isinstance(kind, str) or not kind or not name:
        raise Refused(400, "Device type or identifier is missing")
    if kind not in platform.types:
        raise Refused(400, f"Device type {kind} is not available")
    there = platform.inventory.current(kind, name, call.caller.user)
    if there is not None and there.status == ACTIVE:
        raise Refused(400, "An active enrolment exists")
    sent = body.get("enrolmentInfo")
    ownership = sent.get("ownership") if isinstance(sent, dict) else None
    definition = (platform.types.get(kind) or {})["deviceTypeMetaDefinition"]
    claimable = definition.get("claimable")
    status = "INACTIVE" if claimable else ACTIVE
    if there is not None and there.status != REMOVED:
        platform.inventory.change(there.id, status=status)
        return Answer(200, True)
    platform.inventory.enroll(
        type=kind,
        identifier=name,
        name=str(body.get("name") or name),
        description=str(body.get("description") or ""),
        owner=call.caller.user,
        ownership=str(ownership or "BYOD"),
        status=status,
        properties=pairs(body.get("properties")) or {},
    )
    return Answer(200, True)


def update(platform: Platform, call: Call, kind: str, name: str) -> Answer:
    """PUT /enroll/{type}/{id}: 202, 304 when nothing is new."""
    body, one = call.document(), own(platform, call, kind, name)
    if one is None:
        if platform.inventory.find(kind, name) is not None:
            raise Refused(401)
        raise Refused(404, "Device does not exist")
    fields = {key: str(body[key]) for key in ("name", "description") if isinstance(body.get(key), str)}
    changed = {key: value for key, value in fields.items() if getattr(one, key) != value}
    if listed := pairs(body.get("properties")):
        changed["properties"] = listed  # type: ignore[assignment]  # stored as JSON
    if not changed:
        return Answer(304)
    platform.inventory.change_device(one.device, **changed)
    return Answer(202, True)


def disenroll(platform: Platform, call: Call, kind: str, name: str) -> Answer:
    """DELETE /enroll/{type}/{id}: 200 also for a removed device, 204 for an unknown one."""
    one = own(platform, call, kind, name)
    if one is None:
        return Answer(204)
    platform.inventory.change(one.id, status=REMOVED)
    return Answer(200, True)


def set_properties(platform: Platform, call: Call, kind: str, name: str) -> Answer:
    """PUT /properties/{type}/{id}: 202; 406 without properties; 400 for an unknown device."""
    listed, one = pairs(call.json()), own(platform, call, kind, name)
    if one is None:
        raise Refused(400, "Device does not exist")
    if not listed:
        raise Refused(406)
    platform.inventory.change_device(one.device, properties=listed)
    return Answer(202, True)


# operations


def wake(platform: Platform, one: Enrolment) -> None:
    """A device that asks for its operations is there again."""
    if one.status in _SILENT:
        platform.inventory.change(one.id, status=ACTIVE)


def _typed(platform: Platform, kind: str) -> None:
    if kind not in platform.types:
        raise Refused(400, f"Device type {kind} is not available")


def pending(platform: Platform, call: Call, kind: str, name: str) -> Answer:
    """GET /pending/operations/{type}/{id}: with payloads, the oldest first; 204 for an unknown device."""
    _typed(platform, kind)
    one = own(platform, call, kind, name)
    if one is None:
        return Answer(204)
    wake(platform, one)
    rows = [row(platform, each, payload=True) for each in platform.log.pending(one)]
    return Answer(body={"operations": rows, "count": len(rows)})


def next_pending(platform: Platform, call: Call, kind: str, name: str) -> Answer:
    """GET /next-pending/operation/{type}/{id}: the oldest one, or an empty body."""
    _typed(platform, kind)
    one = own(platform, call, kind, name)
    if one is None:
        raise Refused(400, "Device does not exist")
    wake(platform, one)
    found = platform.log.pending(one)
    return Answer(body=row(platform, found[0], payload=True) if found else None)


def answered(body: Json) -> tuple[int, str, str | None]:
    """Id, status and response of an operation that a device answers; 400 for what is none."""
    number, status = body.get("id"), str(body.get("status") or "").upper()
    if isinstance(number, str) and _WHOLE.fullmatch(number):
        number = int(number)
    if not isinstance(number, int) or isinstance(number, bool) or status not in STATUSES:
        raise Refused(400)
    said = body.get("operationResponse")
    if said is None and body.get("code") == "POLICY_MONITOR":
        said = body.get("payLoad")
    return number, status, None if said is None else str(said)


def mapping_of(platform: Platform, one: Enrolment, number: int) -> Mapping | None:
    """What became of an operation on an enrolment so far, or None if it was never for it."""
    return next((each for each in platform.log.mappings(number) if each.enrolment == one.id), None)


def answer(platform: Platform, call: Call, kind: str, name: str) -> Answer:
    """PUT /operations/{type}/{id}: any status may be written."""
    _typed(platform, kind)
    body, one = call.document(), own(platform, call, kind, name)
    if one is None:
        raise Refused(400, "Device does not exist")
    number, status, said = answered(body)
    mapping = mapping_of(platform, one, number)
    if mapping is None:
        raise Refused(500, "Error occurred while updating the operation")
    platform.log.set(mapping, status, said)
    return Answer(200, True)


def by_status(platform: Platform, call: Call, kind: str, name: str) -> Answer:
    """GET /status/operations/{type}/{id}?status=."""
    status = call.one("status").upper()
    if status not in STATUSES:
        raise Refused(400, "Operation status is missing or unknown")
    _typed(platform, kind)
    one = own(platform, call, kind, name)
    if one is None:
        return Answer(204)
    rows = [each for each in platform.log.history(one) if each.status == status]
    shown = [row(platform, each, payload=True) for each in rows]
    return Answer(body={"operations": shown, "count": len(shown)})


# records


def _value(kind: str, value: Any) -> Any:
    """A published value as the stream holds it: numbers pass through doubles; 400 for what does not fit."""
    if value is None or kind == "STRING":
        return None if value is None else value if isinstance(value, str) else str(value)
    if kind == "BOOL":
        return value if isinstance(value, bool) else str(value).lower() == "true"
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise problem(400, _MISMATCH) from None
    return int(number) if kind in ("INT", "LONG") else number


def _publish(platform: Platform, call: Call, kind: str, name: str, sent: Json | list[Any]) -> Answer:
    attributes = platform.types.attributes(kind)
    if not attributes:
        raise Refused(400)
    # the server looks for the device with type and identifier the wrong way round
    if not call.caller.admin and platform.inventory.current(name, kind, call.caller.user) is None:
        raise problem(401, "Does not have permission to access the device.")
    one = platform.inventory.current(kind, name)
    if one is None:
        raise Refused(400)
    if len(sent) != len(attributes) and not platform.types.is_cached(kind):
        raise problem(400, _MISMATCH)
    if isinstance(sent, list):
        sent = dict(zip((attribute for attribute, _ in attributes), sent, strict=False))
    values = {attribute: _value(form, sent.get(attribute)) for attribute, form in attributes}
    platform.types.cache(kind)
    platform.records.add(one, values)
    return Answer()


def publish(platform: Platform, call: Call, kind: str, name: str) -> Answer:
    """POST /events/publish/{type}/{id}: an object by attribute names."""
    return _publish(platform, call, kind, name, call.document())


def publish_data(platform: Platform, call: Call, kind: str, name: str) -> Answer:
    """POST /events/publish/data/{type}/{id}: an array in the order of the attributes."""
    return _publish(platform, call, kind, name, call.array())


ROUTES = routes(
    f"{MGT}/device/agent",
    ("POST", "/enroll", enroll, "device:enroll"),
    ("PUT", "/enroll/{type}/{id}", update, "device:modify"),
    ("DELETE", "/enroll/{type}/{id}", disenroll, "device:disenroll"),
    ("PUT", "/properties/{type}/{id}", set_properties, "device:modify"),
    ("GET", "/pending/operations/{type}/{id}", pending, "device:operations"),
    ("GET", "/next-pending/operation/{type}/{id}", next_pending, "device:operations"),
    ("PUT", "/operations/{type}/{id}", answer, "device:operations"),
    ("GET", "/status/operations/{type}/{id}", by_status, "device:operations"),
    ("POST", "/events/publish/{type}/{id}", publish, "device:publish-event"),
    ("POST", "/events/publish/data/{type}/{id}", publish_data, "device:publish-event"),
)
