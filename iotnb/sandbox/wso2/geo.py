"""`/geo-services`: where devices were, fences and other rules, and what fired. Lists hold 100 and no more."""

import math
from collections.abc import Iterator
from typing import Any

import msgspec

from iotnb.sandbox.wso2.details import location
from iotnb.sandbox.wso2.devices import enrolment
from iotnb.sandbox.wso2.inventory import REMOVED, Enrolment
from iotnb.sandbox.wso2.routes import MGT, routes
from iotnb.sandbox.wso2.state import Platform
from iotnb.sandbox.wso2.wire import Answer, Call, Refused, problem

Json = dict[str, Any]
_MOST = 100
_FENCES = ("Within", "Exit", "Stationery", "Traffic")
_TEXTS = ("Speed", "Proximity")
_STATS, _ALERTS = "IOT_PER_DEVICE_STREAM_GEO_FUSEDSPATIALEVENT", "ORG_WSO2_GEO_ALERTNOTIFICATIONS"
_OFF = "Unable to retrive Geo Device stats. Geo Data publishing does not enabled."
Fix = tuple[int, float, float]


def _fixes(platform: Platform, one: Enrolment, start: int, end: int) -> list[Fix]:
    """Times and places that a device reported, oldest first."""
    if one.fleet is None:
        return []
    found = platform.fleet.events(one.fleet, start, end + 1)
    places = [event for event in found if event.type == "location_update"]
    return [(event.time, event.data["latitude"], event.data["longitude"]) for event in places]


def _window(platform: Platform, call: Call, kind: str, name: str) -> tuple[Enrolment | None, int, int]:
    if not platform.switches.geo_publishing:
        raise problem(400, _OFF)
    return enrolment(platform, call, kind, name), call.number("from"), call.number("to")


def _record(table: str, at: int, one: Enrolment, number: int, values: Json) -> Json:
    shown = {"id": one.identifier, "type": one.type, "timeStamp": at, **values}
    return {"id": f"{at}{number}.{one.id:03d}", "tableName": table, "timestamp": at, "values": shown}


def stats(platform: Platform, call: Call, kind: str, name: str) -> Answer:
    """GET /geo-services/stats/{type}/{id}?from&to: ascending, the first 100."""
    one, start, end = _window(platform, call, kind, name)
    fixes = [] if one is None else _fixes(platform, one, start, end)
    rows = [
        _record(_STATS, at, one, 0, {"latitude": north, "longitude": east, "speed": 0.0, "heading": 0.0})
        for at, north, east in fixes[:_MOST]
        if one is not None
    ]
    return Answer(body=rows)


# rules


def _key(kind: str, device: str, rule: str) -> str:
    return f"{rule}\n{kind}\n{device}"


def _rules(platform: Platform, kind: str, device: str, rule: str) -> list[Json]:
    found: list[Json] | None = platform.rules.get(_key(kind, device, rule))
    return found or []


def _known(rule: str) -> None:
    if rule not in (*_FENCES, *_TEXTS):
        raise problem(400, f"Invalid alert type {rule}")


def _geometry(call: Call) -> tuple[Json, Json]:
    """The body of a rule and what its `parseData` says; 400 for what is none."""
    body = call.document()
    data = body.get("parseData")
    try:
        parsed = msgspec.json.decode(data) if isinstance(data, str) else data
    except msgspec.DecodeError:
        raise Refused(400) from None
    if not isinstance(parsed, dict):
        raise Refused(400)
    return body, parsed


def set_rule(platform: Platform, call: Call, rule: str, kind: str, device: str) -> Answer:
    """POST or PUT /geo-services/alerts/{rule}/{type}/{id}; a rule of the same query name is replaced."""
    _known(rule)
    body, parsed = _geometry(call)
    if enrolment(platform, call, kind, device) is None:
        raise problem(400, "Invalid Device Identifiers found.")
    key, name = _key(kind, device, rule), str(body.get("queryName") or "")
    if rule in _TEXTS:
        platform.rules.put(key, [parsed])
        return Answer(200, True)
    fence = parsed.get("geoFenceGeoJSON", parsed)
    kept = [one for one in _rules(platform, kind, device, rule) if one["queryName"] != name]
    made = {
        "geoJson": fence if isinstance(fence, str) else msgspec.json.encode(fence).decode(),
        "queryName": name,
        "areaName": str(body.get("customName") or parsed.get("areaName") or name),
        "createdTime": platform.now(),
        "stationaryTime": parsed.get("stationeryTime"),
        "fluctuationRadius": parsed.get("fluctuationRadius"),
    }
    platform.rules.put(key, [*kept, made])
    return Answer(200, True)


def get_rules(platform: Platform, call: Call, rule: str, kind: str, device: str) -> Answer:
    """GET: an array of fences, or for Speed and Proximity one JSON text."""
    _known(rule)
    enrolment(platform, call, kind, device)
    found = _rules(platform, kind, device, rule)
    if rule in _TEXTS:
        return Answer(body=msgspec.json.encode(found[0]).decode() if found else "{}")
    return Answer(body=found)


def remove_rule(platform: Platform, call: Call, rule: str, kind: str, device: str) -> Answer:
    """DELETE ?queryName=."""
    _known(rule)
    enrolment(platform, call, kind, device)
    name = call.one("queryName")
    found = _rules(platform, kind, device, rule)
    kept = [] if rule in _TEXTS else [one for one in found if one["queryName"] != name]
    platform.rules.put(_key(kind, device, rule), kept)
    return Answer(200, True)


# what fired


def _inside(ring: list[list[float]], north: float, east: float) -> bool:
    """Whether a point lies in a ring of (longitude, latitude)."""
    found = False
    for (x1, y1), (x2, y2) in zip(ring, ring[1:] + ring[:1], strict=True):
        if (y1 > north) != (y2 > north) and east < (x2 - x1) * (north - y1) / (y2 - y1) + x1:
            found = not found
    return found


def _ring(rule: Json) -> list[list[float]]:
    try:
        shape = msgspec.json.decode(rule["geoJson"])
        shape = shape.get("geometry", shape)
        return [[float(x), float(y)] for x, y, *_ in shape["coordinates"][0]]
    except (msgspec.DecodeError, KeyError, IndexError, TypeError, ValueError, AttributeError):
        return []


def _fired(platform: Platform, one: Enrolment, fixes: list[Fix]) -> Iterator[Json]:
    """An alert each time a device crosses a fence in the direction that the rule watches."""
    for number, rule_type in enumerate(("Within", "Exit")):
        for rule in _rules(platform, one.type, one.identifier, rule_type):
            ring, before = _ring(rule), None
            for at, north, east in fixes:
                inside = len(ring) > 2 and _inside(ring, north, east)
                if inside != before and inside == (rule_type == "Within"):
                    words = f"{'Inside' if inside else 'Outside'} of {rule['areaName']}"
                    place = {"latitude": north, "longitude": east}
                    values = {
                        "state": "ALERTED",
                        "information": words,
                        "queryName": rule["queryName"],
                        **place,
                    }
                    yield _record(_ALERTS, at, one, number, values)
                before = inside


def history(platform: Platform, call: Call, kind: str, name: str) -> Answer:
    """GET /geo-services/alerts/history/{type}/{id}?from&to: ascending, the first 100."""
    one, start, end = _window(platform, call, kind, name)
    if one is None:
        return Answer(body=[])
    found = sorted(_fired(platform, one, _fixes(platform, one, 0, end)), key=lambda each: each["timestamp"])
    return Answer(body=[each for each in found if each["timestamp"] >= start][:_MOST])


def clusters(platform: Platform, call: Call) -> Answer:
    """GET /geo-services/stats/device-locations: devices in a box, joined in squares by zoom."""
    try:
        low, high, west, east = (float(call.one(n)) for n in ("minLat", "maxLat", "minLong", "maxLong"))
    except ValueError:
        raise problem(400, "Invalid parameters found.") from None
    width = 360.0 / 2 ** max(1, min(20, call.number("zoom", 1)))
    squares: dict[tuple[int, int], list[Json]] = {}
    for one in platform.inventory.rows():
        if one.status == REMOVED or not (call.caller.admin or one.owner == call.caller.user):
            continue
        place = location(platform, one)
        if place is None or not (low <= place["latitude"] <= high and west <= place["longitude"] <= east):
            continue
        square = math.floor(place["latitude"] / width), math.floor(place["longitude"] / width)
        squares.setdefault(square, []).append(place)
    return Answer(body=[_cluster(square, places, width) for square, places in sorted(squares.items())])


def _cluster(square: tuple[int, int], places: list[Json], width: float) -> Json:
    south, west = square[0] * width, square[1] * width
    middle = {name: sum(p[name] for p in places) / len(places) for name in ("latitude", "longitude")}
    return {
        "coordinates": middle,
        "southWestBound": {"latitude": south, "longitude": west},
        "northEastBound": {"latitude": south + width, "longitude": west + width},
        "count": len(places),
        "deviceIdentification": places[0]["deviceIdentifier"]["id"],
        "deviceType": places[0]["deviceIdentifier"]["type"],
    }


_VIEW, _MANAGE = "geo-service:analytics-view", "geo-service:alerts-manage"
ROUTES = routes(
    f"{MGT}/geo-services",
    ("GET", "/stats/device-locations", clusters, _VIEW),
    ("GET", "/stats/{type}/{id}", stats, _VIEW),
    ("GET", "/alerts/history/{type}/{id}", history, _MANAGE),
    ("POST", "/alerts/{rule}/{type}/{id}", set_rule, _MANAGE),
    ("PUT", "/alerts/{rule}/{type}/{id}", set_rule, _MANAGE),
    ("GET", "/alerts/{rule}/{type}/{id}", get_rules, _MANAGE),
    ("DELETE", "/alerts/{rule}/{type}/{id}", remove_rule, _MANAGE),
)
