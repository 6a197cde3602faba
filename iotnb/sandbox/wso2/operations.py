"""Operation history of a device, and adding operations; the pieces that activities and Android share."""

from collections.abc import Iterable
from typing import Any

from iotnb.sandbox.wire import encode
from iotnb.sandbox.wso2.devices import enrolment, not_yours
from iotnb.sandbox.wso2.formats import java_date, sql_time
from iotnb.sandbox.wso2.inventory import REMOVED, Enrolment
from iotnb.sandbox.wso2.log import Mapping, Operation
from iotnb.sandbox.wso2.routes import MGT, routes
from iotnb.sandbox.wso2.state import Platform
from iotnb.sandbox.wso2.wire import Answer, Call, Refused, identifier, page_of, problem

Json = dict[str, Any]
_ADDED_HERE = ("COMMAND", "CONFIG", "PROFILE")


def row(platform: Platform, one: Mapping, *, payload: bool = False) -> Json:
    """An operation as lists hold it: its two times are in the server's zone and do not say so."""
    zone, operation = platform.switches.server_tz, one.operation
    shown: Json = {"enabled": False} if operation.type == "COMMAND" else {}
    shown |= {"code": operation.code, "type": operation.type, "id": operation.id}
    if payload:
        shown["payLoad"] = _payload(operation)
    return {
        **shown,
        "status": one.status,
        "receivedTimeStamp": sql_time(one.updated, zone),
        "createdTimeStamp": sql_time(operation.created, zone),
        "isEnabled": False,
        "activityId": operation.activity,
    }


def _payload(operation: Operation) -> Any:
    """The payload as a device gets it: a PROFILE's is a text that holds JSON."""
    held = operation.payload
    if operation.type != "PROFILE" or held is None or isinstance(held, str):
        return held
    return encode(held).decode()


def status_of(platform: Platform, mapping: Mapping) -> Json:
    """What became of an activity on one device."""
    zone, one = platform.switches.server_tz, platform.inventory.enrolment(mapping.enrolment)
    said = [{"response": r.text, "receivedTimeStamp": sql_time(r.at, zone)} for r in mapping.responses]
    return {
        "deviceIdentifier": {"id": one.identifier, "type": one.type},
        "status": mapping.status,
        "responses": said,
        "updatedTimestamp": java_date(mapping.updated, zone),
    }


def activity(platform: Platform, operation: Operation, statuses: list[Json]) -> Json:
    """An operation seen over its devices."""
    return {
        "activityId": operation.activity,
        "code": operation.code,
        "type": operation.type,
        "createdTimeStamp": java_date(operation.created, platform.switches.server_tz),
        "activityStatus": statuses,
    }


def history(platform: Platform, call: Call, kind: str, name: str) -> Answer:
    """GET /devices/{type}/{id}/operations: the owner is needed, the newest comes first."""
    owner = platform.accounts.plain(call.one("owner"))
    if not owner:
        raise problem(400, "Request parameter owner should be non empty.")
    page = page_of(call, platform.switches.default_page)
    one = platform.inventory.current(kind, name)
    if one is None:
        what = f"'{kind}' device, which carries the id '{name}'"
        raise problem(500, f"Error occurred while fetching the operations for the {what}", code=False)
    if not call.caller.admin and owner != call.caller.user:
        raise not_yours()
    one = platform.inventory.current(kind, name, owner)
    if one is None:
        raise Refused(500, b"Internal Server Error", content_type="text/plain")
    rows = platform.log.history(one)
    return Answer(body={"operations": [row(platform, each) for each in page.of(rows)], "count": len(rows)})


class Targets:
    """The devices of a new operation: valid ones, those of others, and what is none."""

    def __init__(self, platform: Platform, call: Call, kind: str, wanted: Iterable[Any]) -> None:
        self.valid: list[Enrolment] = []
        self.foreign: list[str] = []
        self.invalid: list[str] = []
        for each in dict.fromkeys(identifier(one) or "" for one in wanted):
            try:
                one = enrolment(platform, call, kind, each)
            except Refused:
                self.foreign.append(each)
                continue
            if one is None or one.status == REMOVED:
                self.invalid.append(each)
            else:
                self.valid.append(one)

    def statuses(self, kind: str) -> list[Json]:
        """The answer's entries."""
        listed = [(one.identifier, "PENDING") for one in self.valid]
        listed += [(each, "INVALID") for each in self.invalid]
        listed += [(each, "UNAUTHORIZED") for each in self.foreign]
        return [{"deviceIdentifier": {"id": name, "type": kind}, "status": status} for name, status in listed]


def dispatch(
    platform: Platform,
    targets: Targets,
    device_type: str,
    *,
    code: str,
    kind: str,
    payload: Any,
    control: str = "REPEAT",
) -> Answer:
    """Make the operation: 201 with the activity, without an id if none of the devices may be commanded."""
    statuses = targets.statuses(device_type)
    if not targets.valid:
        return Answer(201, {"code": code, "type": kind, "activityStatus": statuses})
    operation = platform.log.add(code, kind, payload, targets.valid, control=control)
    for one in targets.valid:
        platform.watch(operation, one)
    return Answer(201, activity(platform, operation, statuses))


def add(platform: Platform, call: Call, device_type: str) -> Answer:
    """POST /devices/{type}/operations."""
    body = call.document()
    wanted, operation = body.get("deviceIdentifiers"), body.get("operation")
    if not isinstance(wanted, list) or not wanted or not isinstance(operation, dict):
        raise Refused(400)
    if device_type not in platform.types or not isinstance(operation.get("code"), str):
        raise Refused(400)
    if call.strict and not all(isinstance(each, str) for each in wanted):
        raise Refused(400)
    kind = str(operation.get("type") or "").upper()
    if kind not in _ADDED_HERE:
        raise Refused(406, "Only Command and Config operation is supported through this api")
    targets = Targets(platform, call, device_type, wanted)
    if not targets.valid and not targets.foreign:
        raise problem(500, "Invalid Device Identifiers found.", code=False)
    control = "NO_REPEAT" if operation.get("control") == "NO_REPEAT" else "REPEAT"
    payload = operation.get("payLoad")
    return dispatch(
        platform, targets, device_type, code=operation["code"], kind=kind, payload=payload, control=control
    )


ROUTES = routes(
    f"{MGT}/devices",
    ("GET", "/{type}/{id}/operations", history, "devices:operations"),
    ("POST", "/{type}/operations", add, "devices:operations"),
)
