"""What happened: connection history, rejected messages, diagnostics of the Azure edition, fired rules."""

from collections.abc import Iterator

import numpy as np

from iotnb.sandbox.fleet import HOUR, Alarm
from iotnb.sandbox.fleet.noise import pick, stream
from iotnb.sandbox.iotconnect.feed import lanes
from iotnb.sandbox.iotconnect.registry import Device, registry, unique_of
from iotnb.sandbox.iotconnect.routes import AZ, Route
from iotnb.sandbox.iotconnect.rulebook import fired_by
from iotnb.sandbox.iotconnect.state import DAY, Platform
from iotnb.sandbox.iotconnect.tree import below, entity
from iotnb.sandbox.iotconnect.wire import (
    Answer,
    Call,
    Json,
    conflict,
    day_of,
    invalid,
    listing,
    page_of,
    paged,
    required,
    stamp,
    tokened,
)
from iotnb.sandbox.wire import parse_time

_MOST = 1_000  # fleet devices whose alarms are listed when none is named
_FEW = 20  # devices whose alarms are worked out for the window only
_REJECTED = (
    ("DeviceTelemetry", "InvalidJson", "Unexpected end of JSON input", '{"speed":'),
    ("DeviceTelemetry", "UnknownAttribute", "The attribute is not in the template", '{"uptime": 4711}'),
    ("DeviceTelemetry", "InvalidDataType", "speed must be a NUMBER", '{"speed": "n/a"}'),
)
_CONNECTIONS = {
    "connected": ("deviceConnect", "Informational", "200"),
    "disconnected": ("deviceDisconnect", "Error", "404104"),
}


# connection history


def _life(platform: Platform, device: Device) -> list[Json]:
    """What a device went through, newest first: the fleet's events, and what users did."""
    found: list[tuple[int, str, str, str]] = []
    if device.fleet is not None:
        events = platform.fleet.events(device.fleet, platform.fleet.start, platform.now() + 1)
        found += [(one.time, one.type, "device", one.text) for one in events]
    else:
        found.append((device.created, "Created", "Jo Ferreira", "Device created"))
        if device.acquired_at is not None:
            found.append((device.acquired_at, "Acquired", "device", "Device acquired"))
            found.append((device.acquired_at, "Connected", "device", ""))
    if platform.switches.oddities:
        found += _losses(platform, device)
    return [
        {"status": status, "changeDate": stamp(at), "changeBy": by, "messageText": text}
        for at, status, by, text in sorted(found, key=lambda one: one[0], reverse=True)
    ]


def _losses(platform: Platform, device: Device) -> Iterator[tuple[int, str, str, str]]:
    """The beginnings of the fleet's outages, which its events do not tell."""
    if device.fleet is None:
        return
    fleet, now = platform.fleet, platform.now()
    for start, _ in fleet.links.outages(device.fleet, fleet.begin(device.fleet), now):
        if fleet.alive(device.fleet, start):
            yield start, "Disconnected", "device", "Connection lost"


def lifecycle(platform: Platform, call: Call, unique: str) -> Answer:
    """GET /Device/{uniqueId}/lifecycle."""
    text = call.one("searchtext").lower()
    rows = _life(platform, unique_of(platform, unique))
    rows = [one for one in rows if text in f"{one['status']} {one['messageText']}".lower()]
    return paged(call, rows, ("changeDate", "status", "changeBy"))


# rejected messages


def audit_log(platform: Platform, call: Call) -> Answer:
    """GET /Device/audit-log: what was rejected on one day."""
    day = day_of(call.one("date"))
    if day is None:
        raise invalid(("date", "date is needed: YYYY-MM-DD"))
    page = page_of(call)
    rows = _rejected(platform, day) if platform.switches.oddities else []
    return listing(call, page.cut(rows), total=len(rows))


def _rejected(platform: Platform, day: int) -> list[Json]:
    """A dozen messages of the odd devices on each day of the history."""
    now, rows = platform.now(), []
    key = stream(platform.fleet.seed, "rejected", day // DAY)
    for hour in range(0, 24, 2):
        at = day + hour * HOUR + pick(key, HOUR, hour)
        kind, error, words, data = _REJECTED[pick(key, len(_REJECTED), 100 + hour)]
        if platform.fleet.start <= at <= now:
            row = {"uniqueId": "tracker 7/A", "date": stamp(at), "type": kind, "error": error}
            rows.append({**row, "errorDetail": words, "data": data})
    return rows[::-1]


# diagnostics


def diagnostics(platform: Platform, call: Call) -> Answer:
    """POST /Device/diagnostics: what the hub of the Azure edition saw, with `pageToken`."""
    document = call.document()
    unique, start, end = required(document, "uniqueId", "fromDate", "toDate")
    device = unique_of(platform, unique)
    first, last = parse_time(start), parse_time(end)
    if first is None or last is None or last < first:
        raise invalid(("fromDate", "fromDate and toDate are times, in this order"))
    rows = [one for one in _seen(device, _life(platform, device)) if _between(one, first, last)]
    return tokened(call, document, rows, token="pageToken")


def _between(row: Json, first: int, last: int) -> bool:
    at = parse_time(row["time"]) or 0
    return first <= at <= last


def _seen(device: Device, life: list[Json]) -> Iterator[Json]:
    for one in life:
        found = _CONNECTIONS.get(one["status"].lower())
        if found is not None:
            operation, level, code = found
            yield {
                "uniqueId": device.unique,
                "authType": "x509Certificate",
                "maskedIpAddress": "192.0.2.*",
                "statusCode": code,
                "time": one["changeDate"],
                "operationName": operation,
                "category": "Connections",
                "level": level,
                "resultDescription": one["messageText"] or None,
                "location": "westeurope",
            }


# fired rules


def notifications(platform: Platform, call: Call) -> Answer:
    """GET /device-template/device/notification: newest first; in the Azure edition only."""
    start, end = _dates(call)
    devices = _named(platform, call)
    if devices is None or len(devices) > _FEW:
        known = None if devices is None else {one.guid for one in devices}
        found = [pair for pair in _alarms(platform) if known is None or pair[0].guid in known]
    else:
        found = [(device, alarm) for device in devices for alarm in _of(platform, device, start, end)]
    chosen = [pair for pair in found if start <= pair[1].time < end]
    chosen.sort(key=lambda pair: (pair[1].time, pair[0].unique), reverse=True)
    page = page_of(call)
    rows = [_notification(platform, device, alarm) for device, alarm in page.cut(chosen)]
    return listing(call, rows, total=len(chosen))


def _dates(call: Call) -> tuple[int, int]:
    """The window of startDate and endDate, whole days, both included."""
    found = []
    for name in ("startdate", "enddate"):
        text = call.one(name)
        day = day_of(text) if text else None
        if text and day is None:
            raise invalid((name, f"{text!r} is no date: yyyy-MM-dd"))
        found.append(day)
    start, end = found
    return (0 if start is None else start), (1 << 62 if end is None else end + DAY)


def _named(platform: Platform, call: Call) -> list[Device] | None:
    """The devices that a query names, or None for all."""
    if call.one("uniqueid"):
        return [unique_of(platform, call.one("uniqueid"))]
    if call.one("parentdeviceuniqueid"):
        return registry(platform).children(unique_of(platform, call.one("parentdeviceuniqueid")))
    guid = call.one("entityguid")
    if not guid:
        return None
    if entity(platform, guid) is None:
        raise conflict("entityGuid", f"There is no entity {guid}.")
    places = below(platform, guid)
    return [one for one in registry(platform) if one.entity.lower() in places]


def _of(platform: Platform, device: Device, start: int, end: int) -> list[Alarm]:
    return [] if device.fleet is None else platform.fleet.alarms(device.fleet, start, end)


def _alarms(platform: Platform) -> list[tuple[Device, Alarm]]:
    """The alarms of all devices (of the fleet's first 1000)."""
    return platform.fresh("alarms", lambda: _every_alarm(platform))


def _every_alarm(platform: Platform) -> list[tuple[Device, Alarm]]:
    devices = [one for one in registry(platform) if one.fleet is not None][:_MOST]
    start, end = platform.fleet.start, platform.now() + 1
    return [(device, alarm) for device in devices for alarm in _of(platform, device, start, end)]


def _notification(platform: Platform, device: Device, alarm: Alarm) -> Json:
    kind = "" if device.fleet is None else platform.fleet.kind(device.fleet)
    rule = fired_by(alarm, kind)
    return {
        "condition": rule.condition,
        "createdDate": stamp(alarm.time),
        "deviceGuid": device.guid,
        "entityGuid": device.entity,
        "isAllottedDevice": 0,
        "notificationText": alarm.text,
        "ruleName": rule.name,
        "severityLevel": alarm.severity.title(),
        "telemetry": _telemetry(platform, device, rule.condition, alarm.time),
        "uniqueId": device.unique,
    }


def _telemetry(platform: Platform, device: Device, condition: str, at: int) -> Json:
    """The value that the rule was about, at the moment when it fired; empty for rules about silence."""
    name = condition.partition(" ")[0]
    for lane in lanes(platform, device):
        if name in lane.names:
            columns = lane.columns(np.array([at], dtype=np.int64))
            return {name: columns[name][0]}
    return {}


ROUTES = [
    Route("GET", "/Device/{uniqueId}/lifecycle", lifecycle, "device"),
    Route("GET", "/Device/audit-log", audit_log, "device"),
    Route("POST", "/Device/diagnostics", diagnostics, "device", AZ),
    Route("GET", "/device-template/device/notification", notifications, "rule", AZ),
]
