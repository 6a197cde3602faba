"""Where devices were, fences, and what fired; off unless the server publishes places."""

import json
from itertools import pairwise

import pytest

GEO = "/geo-services"


@pytest.fixture(scope="module")
def hub(start):
    return start(devices=60, days=60, switches={"geo_publishing": True})


@pytest.fixture(scope="module")
def gateway(hub):
    """The gateway that reported most places: number and identifier."""
    fleet = hub.fleet
    most = max(range(0, 60, 10), key=lambda i: len(places(fleet, i)))
    return most, fleet[most].serial


def places(fleet, i):
    found = fleet.events(i, fleet.start, fleet.clock.now() + 1)
    return [event for event in found if event.type == "location_update"]


def window(hub):
    return {"from": hub.fleet.start, "to": hub.clock.now()}


def test_publishing_is_off_by_default(start):
    off = start(devices=1)
    for path in ("/stats/gateway/x", "/alerts/history/gateway/x"):
        answer = off("GET", GEO + path, params={"from": 1, "to": 2})
        assert answer.status_code == 400
        text = "Unable to retrive Geo Device stats. Geo Data publishing does not enabled."
        assert answer.json()["message"] == text


def test_stats_ascend(hub, gateway):
    index, name = gateway
    found = hub.get(f"{GEO}/stats/gateway/{name}", **window(hub))
    expected = places(hub.fleet, index)
    assert len(found) == len(expected) > 5
    assert [one["timestamp"] for one in found] == [event.time for event in expected]
    assert list(found[0]) == ["id", "tableName", "timestamp", "values"]
    assert found[0]["values"]["latitude"] == expected[0].data["latitude"]
    assert hub.get(f"{GEO}/stats/gateway/{name}", **{"from": 1, "to": 2}) == []


def test_no_more_than_100(hub, gateway, start):
    long = start(devices=60, days=700, switches={"geo_publishing": True, "start": "fleet"})
    index, name = gateway[0], long.fleet[gateway[0]].serial
    assert len(places(long.fleet, index)) > 100
    found = long.get(f"{GEO}/stats/gateway/{name}", **window(long))
    assert [one["timestamp"] for one in found] == [e.time for e in places(long.fleet, index)[:100]]


def test_fences_and_what_they_tell(hub, gateway):
    index, name = gateway
    fixes = [(e.data["longitude"], e.data["latitude"]) for e in places(hub.fleet, index)]
    middle = sorted(x for x, _ in fixes)[len(fixes) // 2]
    west = [[middle - 1, -90], [middle, -90], [middle, 90], [middle - 1, 90]]
    shape = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [west]}}
    for rule in ("Within", "Exit"):
        body = {
            "parseData": json.dumps({"geoFenceGeoJSON": shape}),
            "queryName": "yard",
            "customName": "Yard",
        }
        assert hub("POST", f"{GEO}/alerts/{rule}/gateway/{name}", body).status_code == 200
        kept = hub.get(f"{GEO}/alerts/{rule}/gateway/{name}")
        assert [(one["queryName"], one["areaName"]) for one in kept] == [("yard", "Yard")]
        assert kept[0]["createdTime"] == hub.clock.now()
    fired = hub.get(f"{GEO}/alerts/history/gateway/{name}", **window(hub))
    inside = [x < middle for x, _ in fixes]
    changes = 1 + sum(a != b for a, b in pairwise(inside))
    assert len(fired) == changes
    assert [one["timestamp"] for one in fired] == sorted(one["timestamp"] for one in fired)
    words = {one["values"]["information"] for one in fired}
    assert words == {"Inside of Yard", "Outside of Yard"}
    assert hub("DELETE", f"{GEO}/alerts/Exit/gateway/{name}?queryName=yard").status_code == 200
    assert hub.get(f"{GEO}/alerts/Exit/gateway/{name}") == []


def test_speed_is_one_text(hub, gateway):
    place = f"{GEO}/alerts/Speed/gateway/{gateway[1]}"
    assert hub.get(place) == "{}"
    assert hub("PUT", place, {"parseData": '{"speedAlertValue":"20"}'}).status_code == 200
    assert json.loads(hub.get(place)) == {"speedAlertValue": "20"}


def test_rules_that_cannot_be(hub, gateway):
    good = {"parseData": "{}", "queryName": "q"}
    assert hub("POST", f"{GEO}/alerts/Sideways/gateway/{gateway[1]}", good).status_code == 400
    assert hub("POST", f"{GEO}/alerts/Within/gateway/none", good).status_code == 400
    assert hub("POST", f"{GEO}/alerts/Within/gateway/{gateway[1]}", {"parseData": "{"}).status_code == 400


def test_clusters(hub):
    box = {"minLat": -90, "maxLat": 90, "minLong": -180, "maxLong": 180}
    world = hub.get(f"{GEO}/stats/device-locations", zoom=1, **box)
    near = hub.get(f"{GEO}/stats/device-locations", zoom=20, **box)
    assert sum(one["count"] for one in world) == sum(one["count"] for one in near) > 60
    assert len(world) < len(near)
    assert hub("GET", f"{GEO}/stats/device-locations?minLat=x").status_code == 400
