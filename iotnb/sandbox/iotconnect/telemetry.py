"""Telemetry: latest values, history by path and by body, recent messages, credentials of the live feed."""

import secrets
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from iotnb.sandbox.iotconnect.company import CP_ID
from iotnb.sandbox.iotconnect.feed import MOST, Feed, Latest, Wanted, latest, plain, read, stamp_of
from iotnb.sandbox.iotconnect.models import Attribute, Template
from iotnb.sandbox.iotconnect.registry import Device, connected, device_of, registry, unique_of
from iotnb.sandbox.iotconnect.routes import ALL, OLD, Route
from iotnb.sandbox.iotconnect.schemas import template, templates
from iotnb.sandbox.iotconnect.state import DAY, Platform
from iotnb.sandbox.iotconnect.wire import (
    Answer,
    Call,
    Json,
    Refused,
    conflict,
    digits,
    folded,
    invalid,
    ok,
    required,
    text_of,
    whole,
)
from iotnb.sandbox.wire import encode, parse_time

_NEW = ALL - OLD
_LONGEST = 7 * DAY
_FEWEST, _MOST_RECENT = 10, 500


def _template_of(platform: Platform, device: Device) -> Template:
    return templates(platform)[device.template.lower()]


# latest values


def latest_values(platform: Platform, call: Call, guid: str) -> Answer:
    """GET /Telemetry/device/{guid}: the newest value of each attribute of the template, as text."""
    device = device_of(platform, guid)
    known = _template_of(platform, device).leaves()
    rows = [_latest_row(call, known[one.name], one) for one in latest(platform, device) if one.name in known]
    if platform.switches.flicker:
        rows = _flickering(platform, rows)
    return whole(call, rows)


def _latest_row(call: Call, attribute: Attribute, one: Latest) -> Json:
    found: Json = {
        "templateAttributeGuid": attribute.guid,
        "attributeName": one.name,
        "displayName": one.name,
        "attributeValue": plain(one.value),
        "DataType": attribute.type,
        "deviceUpdatedDate": stamp_of(one),
        "notificationCount": 0,
        "aggregateType": 0,
        "aggregateTypeValues": None,
        "attributeColor": None,
    }
    return found | {"gatewayUpdatedDate": stamp_of(one)} if call.edition == "az" else found


def _flickering(platform: Platform, rows: list[Json]) -> list[Json]:
    """Every value also as it was on the day before; the new ones are missing in every third answer."""
    platform.counted["flicker"] = platform.counted.get("flicker", 0) + 1
    old = []
    for row in rows:
        at = parse_time(row["deviceUpdatedDate"]) or 0
        one = Latest("", at - DAY, "")
        old.append(row | {"deviceUpdatedDate": stamp_of(one), "attributeValue": "0"})
    return old if platform.counted["flicker"] % 3 == 0 else [*old[::2], *rows[::-1], *old[1::2]]


# history


def _moment(text: str, param: str) -> int:
    at = parse_time(text.strip().replace("+", " ")) if text.strip() else None
    if at is None:
        raise invalid((param, f"{text!r} is no time: YYYY-MM-DD or YYYY-MM-DD HH:mm:ss"))
    return at


def _window(start: str, end: str) -> Wanted:
    """The messages between two times; 412 if they are no times, the wrong way round or too far apart."""
    first, last = _moment(start, "fromDate"), _moment(end, "toDate")
    if last < first:
        raise invalid(("toDate", "toDate is before fromDate"))
    if last - first > _LONGEST:
        raise invalid(("toDate", "the range is longer than 7 days"))
    return Wanted(start=first, end=last)


def _attribute(platform: Platform, device: Device, text: str) -> frozenset[str]:
    """The attribute that a path names: by GUID for message version 1.0, by name for the others."""
    template = _template_of(platform, device)
    known = template.leaves() | {one.name: one for one in template.attributes}
    by_guid = template.version.startswith("1.")
    for name, one in known.items():
        if (one.guid if by_guid else name).lower() == text.lower():
            return frozenset({name.lower()})
    raise conflict("attributeGuid", f"The device has no attribute {text}.")


def _body_size(document: Json) -> int:
    size = digits(text_of(document, "pagesize", str(MOST)))
    if size is None or not 1 <= size <= MOST:
        raise invalid(("pageSize", f"pageSize is a whole number from 1 to {MOST}"))
    return size


def _ascending(call: Call, document: Json) -> bool:
    text = text_of(document, "sortorder").lower()
    if call.edition != "az" or not text:
        return False
    if text not in ("asc", "desc"):
        raise invalid(("sortOrder", "asc or desc"))
    return text == "asc"


def history(platform: Platform, call: Call, unique: str, start: str, end: str) -> Answer:
    """GET /Telemetry/attribute-history/device/{uniqueId}/from/{from}/to/{to}."""
    return _by_path(platform, call, unique_of(platform, unique), _window(start, end))


def attribute_history(
    platform: Platform, call: Call, attribute: str, unique: str, start: str, end: str
) -> Answer:
    """GET /Telemetry/attribute-history/attribute/{attr}/device/{uniqueId}/from/{from}/to/{to}."""
    device, wanted = unique_of(platform, unique), _window(start, end)
    wanted = replace(wanted, attributes=_attribute(platform, device, attribute))
    return _by_path(platform, call, device, wanted)


def _by_path(platform: Platform, call: Call, device: Device, wanted: Wanted) -> Answer:
    token = call.one("continuationtoken") if call.edition == "aws" else ""
    found = read(platform, device, replace(wanted, token=token))
    if call.edition != "aws" or platform.switches.telemetry_cut:
        found = Feed(found.items, None)
    return _feed(found, _template_of(platform, device).version)


def _feed(found: Feed, version: str) -> Answer:
    """The envelope of messages: `data` is an object; 204 without any."""
    if not found.items:
        return Answer(status=204)
    tail = {"count": len(found.items), "version": version, "continuationToken": found.token}
    body = b'{"data":{"feed":[' + ",".join(found.items).encode() + b"]," + encode(tail)[1:]
    return Answer(body=body + b',"status":200,"message":"Success"}')


def posted_history(platform: Platform, call: Call, unique: str, attribute: str = "") -> Answer:
    """POST /Telemetry/device/{uniqueId}/attribute-history[/{attr}]: pages with a token."""
    device, document = unique_of(platform, unique), call.document()
    start, end = required(document, "fromDate", "toDate")
    wanted = replace(
        _window(start, end),
        size=_body_size(document),
        token=text_of(document, "continuationtoken"),
        oldest_first=_ascending(call, document),
    )
    named = _names(document.get("attributes")) if call.edition == "aws" else None
    if attribute:
        named = _attribute(platform, device, attribute)
    found = read(platform, device, replace(wanted, attributes=named))
    return _feed(found, _template_of(platform, device).version)


def _names(value: Any) -> frozenset[str] | None:
    if value in (None, [], ""):
        return None
    if not isinstance(value, list):
        raise invalid(("attributes", "a list of names is needed"))
    return frozenset(str(one).lower() for one in value)


def plain_history(platform: Platform, call: Call, unique: str) -> Answer:
    """POST /Telemetry/device/{uniqueId}/history: devices without the vendor's SDK."""
    device, document = unique_of(platform, unique), call.document()
    start, end = required(document, "fromDate", "toDate")
    name = text_of(document, "attributename")
    wanted = replace(
        _window(start, end),
        size=_body_size(document),
        token=text_of(document, "continuationtoken"),
        oldest_first=_ascending(call, document),
        attributes=frozenset({name.lower()}) if name else None,
    )
    return _feed(read(platform, device, wanted), _template_of(platform, device).version)


def recent(platform: Platform, call: Call, unique: str, number: str) -> Answer:
    """POST /Telemetry/device/{uniqueId}/recent/{n}: the newest messages; an empty body is fine."""
    device, document = unique_of(platform, unique), call.document(needed=False)
    count = digits(number)
    if count is None or not _FEWEST <= count <= _MOST_RECENT:
        raise invalid(("dataPoints", f"a whole number from {_FEWEST} to {_MOST_RECENT}"))
    now = platform.now()
    wanted = Wanted(
        start=platform.fleet.start, end=now, size=count, attributes=_names(document.get("filterattrs"))
    )
    for reach in (DAY, 7 * DAY):  # most devices sent enough of late
        found = read(platform, device, replace(wanted, start=now - reach))
        if len(found.items) >= wanted.size:
            break
    else:
        found = read(platform, device, wanted)
    items = found.items[::-1] if _ascending(call, document) else found.items
    return _feed(Feed(items, None), _template_of(platform, device).version)


def batch_history(platform: Platform, call: Call) -> Answer:
    """POST /Telemetry/history: several devices; the AWS edition answers 500 to it."""
    if call.edition == "aws":
        raise Refused(500, "An error occurred while processing the request")
    document = call.document()
    start, end = required(document, "fromDate", "toDate")
    version = text_of(document, "messageversion", "2.0")
    if version not in ("2.0", "2.1"):
        raise invalid(("messageVersion", "2.0 or 2.1"))
    names = document.get("uniqueids")
    if not isinstance(names, list) or not names:
        raise invalid(("uniqueIds", "a list of devices is needed"))
    devices = [unique_of(platform, str(name)) for name in names]
    place, _, token = text_of(document, "continuationtoken").partition(":")
    first = digits(place) if place else 0
    if first is None or first >= len(devices):
        raise invalid(("continuationToken", "the token is not valid"))
    wanted = replace(_window(start, end), oldest_first=_ascending(call, document), token=token)
    items: list[str] = []
    for number in range(first, len(devices)):
        found = read(platform, devices[number], replace(wanted, size=MOST - len(items)))
        items += found.items
        wanted = replace(wanted, token="")
        if found.token is not None or (len(items) == MOST and number + 1 < len(devices)):
            rest = f"{number}:{found.token}" if found.token is not None else f"{number + 1}:"
            return _feed(Feed(items, rest), version)
    return _feed(Feed(items, None), version)


# templates, live feed


def of_templates(platform: Platform, call: Call) -> Answer:
    """POST /Telemetry/template: the latest values of all devices of some templates."""
    wanted = call.document().get("template")
    if not isinstance(wanted, list) or not wanted:
        raise invalid(("template", "a list of templates is needed"))
    rows = []
    for one in wanted:
        asked = folded(one) if isinstance(one, dict) else {}
        (guid,) = required(asked, "templateGuid")
        found = template(platform, guid)
        chosen = {str(text).lower() for text in asked.get("attributes") or ()}
        names = {n: a for n, a in found.leaves().items() if not chosen or a.guid.lower() in chosen}
        rows += [
            _template_row(platform, found, names, device) for device in registry(platform).of_template(guid)
        ]
    return whole(call, rows)


def _template_row(platform: Platform, of: Template, names: dict[str, Attribute], device: Device) -> Json:
    return {
        "deviceUniqueId": device.unique,
        "deviceGuid": device.guid,
        "isConnected": connected(platform, device, platform.now()),
        "displayName": device.name,
        "deviceTemplateName": of.name,
        "attributes": {one.name: plain(one.value) for one in latest(platform, device) if one.name in names},
    }


def reader(platform: Platform, call: Call, unique: str) -> Answer:
    """GET /Telemetry/{uniqueId}/mqtt-reader and stomp-reader: credentials of the live feed."""
    device = unique_of(platform, unique)
    password = platform.world.issue(secrets.token_urlsafe(18), "iotconnect: password of a live feed")
    host, port = urlsplit(call.origin).hostname, urlsplit(call.origin).port
    secure = call.origin.startswith("https")
    topic = f"{CP_ID}-{device.unique}"
    found = {
        "host": host,
        "vhost": "sandbox",
        "vhost-alert": "sandbox-alert",
        "user": f"reader-{device.unique}",
        "password": password,
        "port": port,
        "isSecure": int(secure),
        "cpId": CP_ID,
        "url": f"{'mqtts' if secure else 'mqtt'}://{host}:{port}",
        "wsurl": f"{'wss' if secure else 'ws'}://{host}:{port}/ws",
        "topic": topic,
        "telemetryTopic": f"{topic}/telemetry",
        "notificationTopic": f"{topic}/notification",
    }
    return ok(found)


_PATH = "/Telemetry/attribute-history"
_DEVICE = "/Telemetry/device/{uniqueId}"
ROUTES = [
    Route("GET", "/Telemetry/device/{guid}", latest_values, "telemetry"),
    Route("GET", f"{_PATH}/device/{{uniqueId}}/from/{{from}}/to/{{to}}", history, "telemetry", _NEW),
    Route(
        "GET",
        f"{_PATH}/attribute/{{attr}}/device/{{uniqueId}}/from/{{from}}/to/{{to}}",
        attribute_history,
        "telemetry",
        _NEW,
    ),
    Route("POST", f"{_DEVICE}/attribute-history", posted_history, "telemetry", _NEW),
    Route(
        "POST",
        f"{_DEVICE}/attribute-history/{{attr}}",
        posted_history,
        "telemetry",
        _NEW,
    ),
    Route("POST", f"{_DEVICE}/history", plain_history, "telemetry", _NEW),
    Route("POST", f"{_DEVICE}/recent/{{n}}", recent, "telemetry", _NEW),
    Route("POST", "/Telemetry/history", batch_history, "telemetry", _NEW),
    Route("POST", "/Telemetry/template", of_templates, "telemetry", _NEW),
    Route("GET", "/Telemetry/{uniqueId}/mqtt-reader", reader, "telemetry", _NEW),
    Route("GET", "/Telemetry/{uniqueId}/stomp-reader", reader, "telemetry", _NEW),
]
