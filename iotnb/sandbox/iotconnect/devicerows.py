"""Devices as answers show them: the row of a list, the detail, the custom properties."""

from iotnb.sandbox.fleet import DAY
from iotnb.sandbox.iotconnect.company import COMPANY, CP_ID, REPORTING_TO, SOLUTION
from iotnb.sandbox.iotconnect.feed import newest_of
from iotnb.sandbox.iotconnect.ids import fixed
from iotnb.sandbox.iotconnect.registry import (
    Device,
    connected,
    properties_of,
    registry,
)
from iotnb.sandbox.iotconnect.schemas import templates
from iotnb.sandbox.iotconnect.state import Platform
from iotnb.sandbox.iotconnect.tree import entity
from iotnb.sandbox.iotconnect.wire import (
    Json,
    stamp,
)


def last_connection(platform: Platform, device: Device, now: int) -> int | None:
    """When a device connected last: after its newest outage, or when it was acquired."""
    if device.fleet is None or platform.fleet.links.never(device.fleet):
        return device.acquired_at if device.acquired or device.released else None
    fleet, i = platform.fleet, device.fleet
    begin = max(fleet.begin(i), now - 14 * DAY)
    ends = [end for start, end in fleet.links.outages(i, begin, now) if end <= now and fleet.alive(i, end)]
    return max(ends, default=fleet.begin(i))


def last_communication(platform: Platform, device: Device, now: int) -> int | None:
    """When a device sent its last message."""
    if device.fleet is not None:
        return platform.fleet.last_seen(device.fleet, now)
    return newest_of(platform, device, now)


def row(platform: Platform, device: Device, now: int) -> Json:
    """A device as lists show it."""
    of = templates(platform)[device.template.lower()]
    place = entity(platform, device.entity)
    return {
        "guid": device.guid,
        "uniqueId": device.unique,
        "displayName": device.name,
        "isConnected": connected(platform, device, now),
        "isActive": device.active,
        "IsAcquired": device.acquired,
        "deviceStatus": device.status,
        "lastConnection": stamp(last_connection(platform, device, now)),
        "lastCommunication": stamp(last_communication(platform, device, now)),
        "lastactivityDate": None,
        "deviceTemplateGuid": device.template,
        "deviceTemplateName": of.name,
        "entityName": None if place is None else place.name,
        "reportingTo": REPORTING_TO,
        "authType": device.auth_type,
        "authenticationType": None,
        "childDeviceCount": len(registry(platform).children(device)),
        "count": 0,
        "messageVersion": of.version,
        "recentAttrValue": None,
        "deviceInfo": None,
        "firmwareupgradeGuid": device.firmware,
        "solutionGuid": SOLUTION,
        "solutionName": None,
        "parentCompanyGuid": None,
        "IsAllottedDevice": 0,
        "allottedDevicePermission": None,
        "isDpsDevice": False,
        "isSharedDevice": False,
        "isSolutionTemplate": False,
        "isType2Support": False,
    }


_CHILD = (
    *("guid", "uniqueId", "displayName", "isConnected", "lastactivityDate", "isActive"),
    *("firmwareupgradeGuid", "deviceTemplateGuid", "deviceTemplateName", "reportingTo", "entityName"),
    "lastCommunication",
)


def child_row(platform: Platform, device: Device, now: int) -> Json:
    """A device as the list of a gateway's devices shows it."""
    found = row(platform, device, now)
    return {name: found[name] for name in _CHILD} | {"tag": device.tag, "isAcquired": device.acquired}


def detail(platform: Platform, device: Device, now: int) -> Json:
    """A device as its own page shows it."""
    of = templates(platform)[device.template.lower()]
    parent = None if device.parent is None else registry(platform).by_guid(device.parent)
    found = row(platform, device, now)
    for name in ("IsAcquired", "lastactivityDate", "firmwareupgradeGuid", "IsAllottedDevice", "count"):
        del found[name]
    if found["lastConnection"] is None:
        del found["lastConnection"]
    return found | {
        "isAcquired": int(device.acquired),
        "lastActivityDate": None,
        "firmwareUpgradeGuid": device.firmware,
        "isAllottedDevice": 0,
        "entityGuid": device.entity,
        "cpId": CP_ID,
        "companyGuid": COMPANY,
        "tag": device.tag,
        "note": device.note,
        "image": None,
        "imageUrl": None,
        "properties": properties(platform, device, now),
        "certificateGuid": None,
        "certificateName": None,
        "certificateType": None,
        "deviceTemplateAuthType": of.auth_type,
        "parentDeviceGuid": device.parent,
        "parentDeviceUniqueId": None if parent is None else parent.unique,
        "isParentAcquired": None if parent is None else int(parent.acquired),
        "isSimulatorOn": 0,
        "isEdgeSupport": of.edge,
        "isIotEdgeEnable": False,
        "isLowBandwidth": False,
        "hasTwin": bool(of.settings),
        "hasDirectMethod": bool(of.methods),
        "fileSupport": False,
        "firmwareAvail": 0,
        "msgCode": None,
    }


def properties(platform: Platform, device: Device, now: int) -> list[Json]:
    """The custom properties of a device."""
    return [
        {
            "guid": fixed("property", name),
            "propertyGuid": fixed("property", name),
            "deviceGuid": device.guid,
            "name": name,
            "value": value,
            "fieldType": "text",
            "options": None,
        }
        for name, value in properties_of(platform, device, now).items()
    ]
