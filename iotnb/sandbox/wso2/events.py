"""`/events`: what this platform calls events is telemetry; definitions, records, the last known record."""

from typing import Any

from iotnb.sandbox.wire import JSON
from iotnb.sandbox.wso2.inventory import Enrolment
from iotnb.sandbox.wso2.records import Found, table_name
from iotnb.sandbox.wso2.routes import MGT, routes
from iotnb.sandbox.wso2.state import Platform
from iotnb.sandbox.wso2.wire import Answer, Call, Refused, problem

Json = dict[str, Any]
ATTRIBUTE_TYPES = ("STRING", "LONG", "BOOL", "INT", "FLOAT", "DOUBLE")
_TRANSPORTS = ("HTTP", "MQTT")
_FIRST = 946_684_800_000  # 1 January 2000: no record is older


def _known(platform: Platform, kind: str) -> None:
    if kind not in platform.types:
        raise Refused(400)


def define(platform: Platform, call: Call, kind: str) -> Answer:
    """POST /events/{type}: the attributes of a type's records."""
    _known(platform, kind)
    body = call.document()
    attributes, transport = body.get("eventAttributes"), body.get("transport")
    listed = attributes.get("attributes") if isinstance(attributes, dict) else None
    if not isinstance(listed, list) or not listed or transport not in _TRANSPORTS:
        raise Refused(400)
    for one in listed:
        if not isinstance(one, dict) or one.get("type") not in ATTRIBUTE_TYPES or not one.get("name"):
            raise Refused(400)
    kept = [{"name": str(one["name"]), "type": one["type"]} for one in listed]
    platform.types.define(kind, {"eventAttributes": {"attributes": kept}, "transport": transport})
    return Answer()


def definition(platform: Platform, _call: Call, kind: str) -> Answer:
    """GET /events/{type}: 204 without one."""
    _known(platform, kind)
    found = platform.types.events(kind)
    return Answer(204) if found is None else Answer(body=found)


def undefine(platform: Platform, _call: Call, kind: str) -> Answer:
    """DELETE /events/{type}."""
    if kind not in platform.types:
        raise Refused(400, "Device type does not exist")
    return Answer(200 if platform.types.undefine(kind) else 204)


def _device(platform: Platform, call: Call, kind: str, name: str) -> Enrolment | None:
    """The device of a request; 401 without a body if it is not the caller's, 500 if analytics is off."""
    _known(platform, kind)
    owner = "" if call.caller.admin else call.caller.user
    one = platform.inventory.current(kind, name, owner)
    if one is None and not call.caller.admin:
        raise Refused(401)
    if platform.switches.analytics == "off":
        table = table_name(kind)
        raise Refused(500, f"Error on retrieving stats on table {table} with query meta_deviceId:{name}")
    return one


def _shown(found: Found) -> Answer:
    return Answer(
        body=b'{"records":[%s],"count":%d}' % (b",".join(found.records), found.total), content_type=JSON
    )


def records(platform: Platform, call: Call, kind: str, name: str) -> Answer:
    """GET /events/{type}/{id}?from&to&offset&limit: `count` is the number of all matches."""
    _known(platform, kind)
    start, end = call.number("from"), call.number("to")
    if not start or not end:
        raise problem(400, "Invalid values for from/to")
    one = _device(platform, call, kind, name)
    offset, limit = max(0, call.number("offset")), max(0, call.number("limit"))
    return _shown(Found([], 0) if one is None else platform.records.select(one, start, end, offset, limit))


def last_known(platform: Platform, call: Call, kind: str, name: str) -> Answer:
    """GET /events/last-known/{type}/{id}: the newest record, or none."""
    one = _device(platform, call, kind, name)
    return _shown(Found([], 0) if one is None else platform.records.newest(one, _FIRST))


ROUTES = routes(
    f"{MGT}/events",
    ("POST", "/{type}", define, "device-types:events"),
    ("GET", "/{type}", definition, "device-types:events:view"),
    ("DELETE", "/{type}", undefine, "device-types:events"),
    ("GET", "/{type}/{id}", records, "device-types:events:view"),
    ("GET", "/last-known/{type}/{id}", last_known, "device-types:events:view"),
)
