"""Single devices, look-ups without pages, counts."""

from iotnb.sandbox.iotconnect.devicerows import detail
from iotnb.sandbox.iotconnect.ids import fixed
from iotnb.sandbox.iotconnect.registry import (
    PROPERTIES,
    Device,
    connected,
    device_of,
    registry,
    unique_of,
)
from iotnb.sandbox.iotconnect.routes import AWS, Route
from iotnb.sandbox.iotconnect.schemas import templates
from iotnb.sandbox.iotconnect.state import Platform
from iotnb.sandbox.iotconnect.tree import entity
from iotnb.sandbox.iotconnect.wire import (
    Answer,
    Call,
    Json,
    conflict,
    invalid,
    ok,
    single,
    stamp,
    whole,
)


def get_device(platform: Platform, _call: Call, guid: str) -> Answer:
    """GET /Device/{guid}: in the AWS edition only."""
    return single(detail(platform, device_of(platform, guid), platform.now()))


def get_by_unique(platform: Platform, call: Call, unique: str) -> Answer:
    """GET /Device/uniqueId/{uniqueId}."""
    found = unique_of(platform, unique)
    parent = call.one("parentdeviceuniqueid")
    if parent:
        above = None if found.parent is None else registry(platform).by_guid(found.parent)
        if above is None or above.unique != parent:
            raise conflict("parentDeviceUniqueId", f"{unique} is no child of {parent}.")
    return single(detail(platform, found, platform.now()))


def lookup(platform: Platform, call: Call) -> Answer:
    """GET /Device/lookup: short rows of every device, no paging."""
    known = templates(platform)
    found = [
        one
        for one in registry(platform)
        if _looked_up(call, one)
        and (call.flag("excludeedge") is not True or not known[one.template.lower()].edge)
        and call.flag("iotedgeenabled") is not True
    ]
    rows = []
    for one in found:
        of, parent = known[one.template.lower()], registry(platform).by_guid(one.parent or "")
        rows.append(
            {
                "guid": one.guid,
                "uniqueId": one.unique,
                "displayName": one.name,
                "parentDeviceGuid": one.parent,
                "isAcquired": int(one.acquired),
                "isActive": one.active,
                "isEdgeSupport": of.edge,
                "isParentAcquired": parent is not None and parent.acquired,
                "deviceTemplateGuid": one.template,
                "messageVersion": of.version,
            }
        )
    return whole(call, rows)


def _looked_up(call: Call, one: Device) -> bool:
    wanted = (
        (call.one("devicetemplateguid"), one.template),
        (call.one("deviceentityguid"), one.entity),
        (call.one("tag"), one.tag or ""),
    )
    if call.flag("getchilddevice") is False and one.parent is not None:
        return False
    return all(not text or text.lower() == held.lower() for text, held in wanted)


def _counts(platform: Platform) -> Json:
    now = platform.now()
    found = list(registry(platform))
    active = sum(one.active for one in found)
    acquired = sum(one.acquired for one in found)
    online = sum(connected(platform, one, now) for one in found)
    return {
        "active": active,
        "inActive": len(found) - active,
        "connected": online,
        "disConnected": len(found) - online,
        "acquired": acquired,
        "available": sum(one.status == "Available" for one in found),
        "total": len(found),
        "released": sum(one.released for one in found),
        "unAssociatedDevice": 0,
    }


def counters(platform: Platform, _call: Call) -> Answer:
    """GET /Device/counters."""
    return single(platform.fresh("counters", lambda: _counts(platform)))


def count(platform: Platform, call: Call) -> Answer:
    """GET /Device/count."""
    status = call.one("status").lower()
    if status not in ("", "active", "inactive"):
        raise invalid(("status", "active or inactive"))
    wanted = (True, False) if not status else (status == "active",)
    return single({"deviceCount": sum(one.active in wanted for one in registry(platform))})


def connection_status(platform: Platform, call: Call) -> Answer:
    """GET /Device/connection-status, by uniqueId or deviceGuid."""
    if call.one("deviceguid"):
        found = device_of(platform, call.one("deviceguid"))
    elif call.one("uniqueid"):
        found = unique_of(platform, call.one("uniqueid"))
    else:
        raise invalid(("uniqueId", "uniqueId or deviceGuid is required"))
    return single({"isConnected": int(connected(platform, found, platform.now()))})


def recent_activity(platform: Platform, call: Call) -> Answer:
    """GET /Device/recent-activity: the newest devices first."""
    now, most = platform.now(), call.number("count", 10)
    acquired, online = call.flag("isacquired"), call.flag("isconnected")
    active = call.flag("isactive")
    rows = []
    for one in sorted(registry(platform), key=lambda one: one.created, reverse=True):
        fits = acquired in (None, one.acquired) and active in (None, one.active)
        if not fits or online not in (None, connected(platform, one, now)):
            continue
        place = entity(platform, one.entity)
        rows.append(
            {
                "uniqueId": one.unique,
                "deviceName": one.name,
                "entityName": None if place is None else place.name,
                "createdDate": stamp(one.created),
                "type2Support": False,
                "edgeSupport": False,
                "lowbandWidth": False,
                "iotEdgeEnable": False,
            }
        )
        if len(rows) >= most:
            break
    return whole(call, rows)


def list_properties(_platform: Platform, _call: Call) -> Answer:
    """GET /Device/property: the properties that devices may have."""
    rows = [
        {"guid": fixed("property", name), "name": name, "fieldType": "text", "options": None, "value": None}
        for name in PROPERTIES
    ]
    return ok(rows, count=len(rows))


ROUTES = [
    Route("GET", "/Device/lookup", lookup, "device"),
    Route("GET", "/Device/counters", counters, "device"),
    Route("GET", "/Device/count", count, "device"),
    Route("GET", "/Device/connection-status", connection_status, "device"),
    Route("GET", "/Device/recent-activity", recent_activity, "device"),
    Route("GET", "/Device/property", list_properties, "device"),
    Route("GET", "/Device/uniqueId/{uniqueId}", get_by_unique, "device"),
    Route("GET", "/Device/{guid}", get_device, "device", AWS),
]
