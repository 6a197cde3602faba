"""What a device tells about itself: info, location, properties, applications; its document in lists."""

from collections.abc import Callable
from typing import Any

import numpy as np

from iotnb.sandbox.fleet import DAY, Fleet
from iotnb.sandbox.fleet.noise import stream, unit
from iotnb.sandbox.wso2.formats import rfc_822
from iotnb.sandbox.wso2.inventory import Enrolment
from iotnb.sandbox.wso2.state import Platform

Json = dict[str, Any]
DOUBLES = (
    "batteryLevel",
    "internalTotalMemory",
    "internalAvailableMemory",
    "externalTotalMemory",
    "externalAvailableMemory",
    "cpuUsage",
    "totalRAMMemory",
    "availableRAMMemory",
)
_ORDER = (
    "IMEI",
    "IMSI",
    "deviceModel",
    "vendor",
    "osVersion",
    "osBuildDate",
    "batteryLevel",
    "internalTotalMemory",
    "internalAvailableMemory",
    "externalTotalMemory",
    "externalAvailableMemory",
    "operator",
    "connectionType",
    "mobileSignalStrength",
    "ssid",
    "cpuUsage",
    "totalRAMMemory",
    "availableRAMMemory",
    "pluggedIn",
    "updatedTime",
)
_NUMBERS = frozenset((*DOUBLES, "mobileSignalStrength"))


def _reading(series: str) -> Callable[[Fleet, int, int], float]:
    """What a sensor of a fleet device read at a moment, 0.0 where there is none."""

    def read(fleet: Fleet, i: int, at: int) -> float:
        found = fleet.find_series(i, series)
        return 0.0 if found is None else float(fleet.value(i, found, np.array([at], dtype=np.int64))[0])

    return read


_used = _reading("memory.used")
_FLEET_INFO: dict[str, Callable[[Fleet, int, int], Any]] = {
    "IMEI": lambda fleet, i, _: fleet[i].imei,
    "IMSI": lambda fleet, i, _: fleet[i].imsi,
    "deviceModel": lambda fleet, i, _: fleet[i].model,
    "vendor": lambda _fleet, _i, _: "Sandbox Instruments",
    "osVersion": lambda fleet, i, at: fleet.firmware(i, at),
    "osBuildDate": lambda _fleet, _i, _: "1514764800000",
    "batteryLevel": _reading("battery.level"),
    "internalTotalMemory": lambda _fleet, _i, _: 4.0,
    "internalAvailableMemory": lambda fleet, i, _: round(
        3.9 - 2.0 * unit(stream(fleet.seed, "wso2 disk"), i), 2
    ),
    "operator": lambda _fleet, _i, _: "Sandbox Mobile",
    "connectionType": lambda _fleet, _i, _: "MOBILE",
    "mobileSignalStrength": _reading("signal.rssi"),
    "cpuUsage": _reading("cpu.load"),
    "totalRAMMemory": lambda _fleet, _i, _: 1.0,
    "availableRAMMemory": lambda fleet, i, at: round(1.0 - _used(fleet, i, at) / 1024, 3),
    "pluggedIn": lambda fleet, i, _: fleet.kind(i) != "sensor",
    "deviceDetailsMap": lambda fleet, i, _: {"iccid": fleet[i].iccid, "mac": fleet[i].mac},
}


def told_at(platform: Platform, one: Enrolment) -> int | None:
    """The moment (ms) at which a device last told about itself, or None if it never did."""
    own: int | None = platform.inventory.more(one.device).get("told")
    if one.fleet is None or own is not None:
        return own
    fleet, now = platform.fleet, platform.now()
    dead = fleet.links.dead_since(one.fleet)
    end = now if dead is None else min(now, dead)
    begin = fleet.begin(one.fleet)
    if fleet.links.never(one.fleet) or end < begin:
        return None
    daily = int(unit(stream(fleet.seed, "wso2 told"), one.fleet) * DAY)
    return max(begin, (end - daily) // DAY * DAY + daily) // 1000 * 1000


def info(platform: Platform, one: Enrolment) -> Json | None:
    """DeviceInfo with all its numbers, or None for a device that never told anything."""
    at = told_at(platform, one)
    if at is None:
        return None
    held = platform.inventory.more(one.device).get("info", {})
    shown: Json = {name: _told(platform, one, held, name, at) for name in _ORDER}
    shown["pluggedIn"] = bool(shown["pluggedIn"])
    shown["updatedTime"] = rfc_822(at)
    shown["location"] = location(platform, one)
    shown["deviceDetailsMap"] = _told(platform, one, held, "deviceDetailsMap", at) or {}
    return shown


def detail(platform: Platform, one: Enrolment, name: str) -> Any:
    """One member of DeviceInfo, without working out the others; None if the device never told."""
    at = told_at(platform, one)
    held = platform.inventory.more(one.device).get("info", {})
    return None if at is None else _told(platform, one, held, name, at)


def _told(platform: Platform, one: Enrolment, held: Json, name: str, at: int) -> Any:
    value = held.get(name)
    if value is None and one.fleet is not None and name in _FLEET_INFO:
        value = _FLEET_INFO[name](platform.fleet, one.fleet, at)
    return float(value or 0.0) if name in _NUMBERS else value


def properties(platform: Platform, one: Enrolment) -> list[Json]:
    """The properties of a device, name and value."""
    held = platform.inventory.more(one.device).get("properties")
    if held is None and one.fleet is not None:
        held = _fleet_properties(platform, one.fleet)
    return [{"name": name, "value": value} for name, value in (held or {}).items()]


def _fleet_properties(platform: Platform, i: int) -> Json:
    fleet = platform.fleet
    device = fleet[i]
    found = {
        "serial": device.serial,
        "imei": device.imei,
        "imsi": device.imsi,
        "iccid": device.iccid,
        "msisdn": device.msisdn,
        "mac": device.mac,
        "model": device.model,
        "site": device.site,
        "firmware": fleet.firmware(i, platform.now()),
    }
    return found if device.parent is None else {**found, "gateway": fleet[device.parent].serial}


def location(platform: Platform, one: Enrolment) -> Json | None:
    """DeviceLocation, or None for a device that never told where it is."""
    at = told_at(platform, one)
    held = platform.inventory.more(one.device).get("location")
    if held is None and one.fleet is not None:
        device = platform.fleet[one.fleet]
        held = {"latitude": device.latitude, "longitude": device.longitude, "city": device.site}
    if held is None or at is None:
        return None
    words = {name: held.get(name) for name in ("street1", "street2", "city", "state", "zip", "country")}
    return {
        "deviceId": one.device,
        "deviceIdentifier": {"id": one.identifier, "type": one.type},
        "latitude": float(held.get("latitude", 0.0)),
        "longitude": float(held.get("longitude", 0.0)),
        **words,
        "updatedTime": rfc_822(at),
    }


def applications(platform: Platform, one: Enrolment) -> list[Json]:
    """The applications installed on a device."""
    found: list[Json] = platform.inventory.more(one.device).get("applications", [])
    return found


def document(platform: Platform, one: Enrolment, *, whole: bool = False) -> Json:
    """A device as lists hold it; `whole` adds properties, info and applications."""
    shown: Json = {
        "id": one.device,
        "name": one.name,
        "type": one.type,
        "description": one.description or None,
        "deviceIdentifier": one.identifier,
        "enrolmentInfo": {
            "id": one.id,
            "dateOfEnrolment": one.created,
            "dateOfLastUpdate": one.updated,
            "ownership": one.ownership,
            "status": one.status,
            "owner": one.owner,
        },
    }
    if whole:
        shown["properties"] = properties(platform, one)
        shown["deviceInfo"] = info(platform, one)
        shown["applications"] = applications(platform, one)
    return shown
