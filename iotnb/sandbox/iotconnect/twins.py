"""Twins: desired and reported values of the settings; a connected device reports what is desired."""

from typing import Any

from iotnb.sandbox.iotconnect.company import COMPANY, CP_ID
from iotnb.sandbox.iotconnect.ids import fixed
from iotnb.sandbox.iotconnect.models import NUMBERS, WHOLE, Setting, type_guid
from iotnb.sandbox.iotconnect.registry import Device, connected, unique_of
from iotnb.sandbox.iotconnect.routes import Route
from iotnb.sandbox.iotconnect.schemas import templates
from iotnb.sandbox.iotconnect.state import Platform
from iotnb.sandbox.iotconnect.wire import (
    Answer,
    Call,
    Json,
    conflict,
    done,
    ok,
    required,
    stamp,
    truth,
    whole,
)

_KIND = "twin"
_REPORTS_AFTER = 500  # milliseconds from a desired value to the reported one
_RECENT = 10


def _held(platform: Platform, device: Device, setting: Setting) -> Json:
    """What a user set: value, time, version; empty for a setting that nobody touched."""
    found: Json | None = platform.shelf(_KIND).get(_name(device, setting))
    return found or {}


def _name(device: Device, setting: Setting) -> str:
    return f"{device.guid}/{setting.guid}".lower()


def _row(platform: Platform, device: Device, setting: Setting, now: int) -> Json:
    held = _held(platform, device, setting)
    reported, reported_at = _reported(platform, device, setting, held, now)
    return {
        "guid": fixed("twin", _name(device, setting)),
        "templateSettingGuid": setting.guid,
        "deviceGuid": device.guid,
        "uniqueId": device.unique,
        "companyGuid": COMPANY,
        "entityGuid": device.entity,
        "cpId": CP_ID,
        "name": setting.name,
        "localName": setting.local,
        "dataTypeName": setting.type,
        "daTypeGuid": type_guid(setting.type),
        "desiredValue": held.get("value"),
        "desiredVersion": str(held["version"]) if held else None,
        "desiredUpdatedDate": stamp(held.get("time")),
        "reportedValue": reported,
        "reportedUpdatedDate": stamp(reported_at),
        "createdDate": stamp(device.created),
        "isFault": False,
        "isReadOnly": setting.read_only,
    }


def _reported(
    platform: Platform, device: Device, setting: Setting, held: Json, now: int
) -> tuple[str | None, int | None]:
    """What the device says and since when: a desired value once it was connected."""
    if not device.acquired:
        return None, None
    if device.fleet is not None and setting.local == "firmwareVersion":
        return _firmware(platform, device.fleet, now)
    wanted_at: int | None = held.get("time")
    if wanted_at is not None:
        at = _taken(platform, device, wanted_at)
        if at is not None and at + _REPORTS_AFTER <= now:
            return held["value"], at + _REPORTS_AFTER
        held = held["before"]
    return held.get("value", setting.default), held.get("time", device.created)


def _taken(platform: Platform, device: Device, at: int) -> int | None:
    """The moment from `at` on at which a device is connected, or None."""
    if device.fleet is not None:
        return platform.fleet.back_online(device.fleet, at)
    return at if connected(platform, device, at) else None


def _firmware(platform: Platform, i: int, now: int) -> tuple[str, int]:
    """The version that runs, and since when."""
    fleet = platform.fleet
    events = fleet.events(i, fleet.start, now + 1)
    since = next((one.time for one in events if one.type == "firmware_updated"), fleet[i].created)
    return fleet.firmware(i, now), since


def _rows(platform: Platform, device: Device) -> list[Json]:
    of = templates(platform)[device.template.lower()]
    return [_row(platform, device, one, platform.now()) for one in of.settings]


def list_twin(platform: Platform, call: Call, unique: str) -> Answer:
    """GET /Device/{uniqueId}/twin; `recentlyReported=true`: the ten most recent."""
    rows = _rows(platform, unique_of(platform, unique))
    if call.flag("recentlyreported"):
        told = [one for one in rows if one["reportedUpdatedDate"]]
        rows = sorted(told, key=lambda one: str(one["reportedUpdatedDate"]), reverse=True)[:_RECENT]
    return whole(call, rows)


def twin_json(platform: Platform, _call: Call, unique: str) -> Answer:
    """GET /Device/{uniqueId}/twinjson: the twin as a document."""
    device = unique_of(platform, unique)
    rows = _rows(platform, device)
    document = {
        "deviceId": f"{CP_ID}-{device.unique}",
        "properties": {
            "desired": {
                one["localName"]: one["desiredValue"] for one in rows if one["desiredValue"] is not None
            },
            "reported": {
                one["localName"]: one["reportedValue"] for one in rows if one["reportedValue"] is not None
            },
        },
    }
    return ok([document], count=1)


def set_desired(platform: Platform, call: Call, unique: str) -> Answer:
    """PUT /Device/{uniqueId}/twin."""
    device, document = unique_of(platform, unique), call.document()
    local, value, guid = required(document, "localName", "desiredValue", "templateSettingGuid")
    of = templates(platform)[device.template.lower()]
    setting = next(
        (one for one in of.settings if one.guid.lower() == guid.lower() and one.local == local), None
    )
    if setting is None:
        raise conflict("templateSettingGuid", f"{unique} has no setting {local}.")
    if not device.acquired:
        raise conflict("uniqueId", f"{unique} is not acquired.")
    if setting.read_only:
        raise conflict("localName", f"{local} can only be read.")
    if not _fits(setting.type, value):
        raise conflict("desiredValue", f"{value!r} is no {setting.type}.")
    before = _held(platform, device, setting)
    old = {name: before[name] for name in ("value", "time") if name in before}
    held = {"value": value, "time": platform.now(), "version": before.get("version", 0) + 1, "before": old}
    platform.shelf(_KIND).put(_name(device, setting), held)
    return done()


def _fits(kind: str, value: Any) -> bool:
    if kind in ("BOOLEAN", "BIT"):
        return truth(value) is not None
    if kind not in NUMBERS:
        return True
    try:
        number = float(value)
    except ValueError:
        return False
    return kind not in WHOLE or number.is_integer()


ROUTES = [
    Route("GET", "/Device/{uniqueId}/twin", list_twin, "device"),
    Route("PUT", "/Device/{uniqueId}/twin", set_desired, "device", writes=True),
    Route("GET", "/Device/{uniqueId}/twinjson", twin_json, "device"),
]
