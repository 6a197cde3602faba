"""Event definitions, records, the last known one; what devices publish."""

import json

import pytest

ALARM = {
    "eventAttributes": {
        "attributes": [
            {"name": "temperature", "type": "DOUBLE"},
            {"name": "status", "type": "STRING"},
            {"name": "humidity", "type": "FLOAT"},
        ]
    },
    "transport": "HTTP",
}


def window(hub, days=1):
    return {"from": hub.clock.now() - days * 86_400_000, "to": hub.clock.now()}


def test_definitions(start):
    hub = start(devices=1)
    assert hub.get("/events/firealarm") == ALARM
    assert hub("GET", "/events/windows").status_code == 204
    assert hub("GET", "/events/nonsense").status_code == 400
    assert hub.get("/events/climate_sensor")["transport"] == "MQTT"
    new = {"eventAttributes": {"attributes": [{"name": "a", "type": "LONG"}]}, "transport": "MQTT"}
    answer = hub("POST", "/events/windows", new)
    assert (answer.status_code, answer.content) == (200, b"")
    assert hub.get("/events/windows") == new
    assert hub("DELETE", "/events/windows").status_code == 200
    assert hub("DELETE", "/events/windows").status_code == 204
    unknown = hub("DELETE", "/events/nonsense")
    assert (unknown.status_code, unknown.text) == (400, '"Device type does not exist"')


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("windows", {"transport": "HTTP"}),
        ("windows", {"eventAttributes": {"attributes": [{"name": "a", "type": "INT"}]}}),
        ("windows", {"eventAttributes": {"attributes": [{"name": "a", "type": "INT"}]}, "transport": "COAP"}),
        (
            "windows",
            {"eventAttributes": {"attributes": [{"name": "a", "type": "NUMBER"}]}, "transport": "HTTP"},
        ),
        ("windows", {"eventAttributes": {"attributes": []}, "transport": "HTTP"}),
        ("nonsense", ALARM),
    ],
)
def test_definitions_that_are_none(hub, kind, body):
    answer = hub("POST", f"/events/{kind}", body)
    assert (answer.status_code, answer.content) == (400, b"")


def test_records_come_newest_first_with_the_number_of_all(hub):
    whole = hub.get("/events/firealarm/123422", limit=1000, **window(hub))
    assert whole["count"] == len(whole["records"]) == 96
    times = [one["timestamp"] for one in whole["records"]]
    assert times == sorted(times, reverse=True)
    one = whole["records"][0]
    assert list(one) == ["tenantId", "tableName", "values", "timestamp", "id"]
    assert one["tenantId"] == -1234
    assert one["tableName"] == "IOT_PER_DEVICE_STREAM_CARBON_SUPER_FIREALARM"
    assert list(one["values"]) == ["temperature", "humidity", "_version", "meta_deviceId", "status"]
    assert isinstance(one["values"]["temperature"], float)
    pages = [hub.get("/events/firealarm/123422", limit=10, offset=n, **window(hub)) for n in range(0, 96, 10)]
    assert [r for page in pages for r in page["records"]] == whole["records"]
    assert {page["count"] for page in pages} == {96}
    assert len({r["id"] for r in whole["records"]}) == 96


def test_both_ends_of_a_window_are_in_it(hub):
    times = [r["timestamp"] for r in hub.get("/events/firealarm/123422", limit=5, **window(hub))["records"]]
    found = hub.get("/events/firealarm/123422", limit=100, **{"from": times[3], "to": times[1]})
    assert [one["timestamp"] for one in found["records"]] == times[1:4]


def test_a_limit_of_0_gives_the_number_alone(hub):
    assert hub.get("/events/firealarm/123422", **window(hub)) == {"records": [], "count": 96}


@pytest.mark.parametrize("query", ["", "from=5", "to=5", "from=0&to=5", "from=5&to=0"])
def test_a_window_needs_both_ends(hub, query):
    answer = hub("GET", f"/events/firealarm/123422?{query}")
    assert answer.status_code == 400
    assert answer.json()["message"] == "Invalid values for from/to"


def test_unknown_types_devices_and_owners(hub):
    query = window(hub)
    unknown = hub("GET", "/events/nonsense/x", params=query)
    assert (unknown.status_code, unknown.content) == (400, b"")
    assert hub.get("/events/firealarm/none", limit=5, **query) == {"records": [], "count": 0}
    assert hub.get("/events/last-known/firealarm/000077") == {"records": [], "count": 0}
    foreign = hub("GET", "/events/firealarm/123422", params=query, by="user111")
    assert (foreign.status_code, foreign.content) == (401, b"")
    assert hub("GET", "/events/last-known/firealarm/123422", by="user111").status_code == 401


def test_analytics_may_be_off(hub):
    hub.switch(analytics="off")
    try:
        answer = hub("GET", "/events/last-known/firealarm/123422")
    finally:
        hub.switch(analytics=None)
    assert answer.status_code == 500
    assert json.loads(answer.text).startswith("Error on retrieving stats on table IOT_PER_DEVICE_STREAM_")


def publish(hub, values, kind="firealarm", name="123422", part="", by="admin"):
    return hub("POST", f"/device/agent/events/publish{part}/{kind}/{name}", values, by=by)


def test_publishing_by_name_and_in_order(start):
    hub = start(devices=1)
    good = publish(hub, {"temperature": 10, "status": "workingh", "humidity": 20})
    assert (good.status_code, good.content) == (200, b"")
    hub.clock.advance(1000)
    assert publish(hub, [20, "workingh", 20], part="/data").status_code == 200
    text = hub("GET", "/events/last-known/firealarm/123422").text
    wanted = (
        '{"temperature":20.0,"humidity":20.0,"_version":"1.0.0","meta_deviceId":"123422","status":"workingh"}'
    )
    assert wanted in text
    found = json.loads(text)
    assert (found["count"], found["records"][0]["timestamp"]) == (1, hub.clock.now())


def test_the_number_of_keys_counts_until_the_first_good_record(start):
    hub = start(devices=1)
    short = publish(hub, {"temperature": 1})
    assert short.status_code == 400
    assert short.json()["message"] == "Payload does not match with the stream definition"
    assert publish(hub, {"temperature": 1, "status": "a", "humidity": 2}).status_code == 200
    hub.clock.advance(1000)
    assert publish(hub, {"temperature": 3}).status_code == 200
    assert publish(hub, {"temperature": 3, "more": 4, "x": 1, "y": 1}).status_code == 200
    values = hub.get("/events/last-known/firealarm/123422")["records"][0]["values"]
    assert values == {"temperature": 3.0, "_version": "1.0.0", "meta_deviceId": "123422"}
    assert hub("POST", "/events/firealarm", ALARM).status_code == 200
    assert publish(hub, {"temperature": 3}).status_code == 400


def test_values_pass_through_doubles(start):
    hub = start(devices=1)
    lamp = hub.devices(type="SmartStreetLamp")[0]["deviceIdentifier"]
    sent = {"power": 41, "level": 7.9, "on": True, "hours": "12"}
    assert publish(hub, sent, "SmartStreetLamp", lamp).status_code == 200
    values = hub.get(f"/events/last-known/SmartStreetLamp/{lamp}")["records"][0]["values"]
    assert (values["power"], values["level"], values["on"], values["hours"]) == (41.0, 7, True, 12)
    assert (
        publish(
            hub, {"power": 1, "level": "high", "on": True, "hours": 1}, "SmartStreetLamp", lamp
        ).status_code
        == 400
    )


def test_publishing_that_cannot_be(start):
    hub = start(devices=1)
    assert publish(hub, {"a": 1}, "windows", "x").status_code == 400
    assert publish(hub, {"temperature": 1, "status": "a", "humidity": 2}, name="none").status_code == 400
    assert publish(hub, "[1,", part="/data").status_code == 400
    own = hub.login(hub.register("admin"), scope="perm:device:publish-event")["access_token"]
    assert own
    scopes = hub("GET", "/devices?limit=1", by="user111")
    assert scopes.status_code == 200


def test_a_record_can_be_read_after_a_while(start):
    hub = start(devices=1, switches={"index_delay": 10})
    publish(hub, {"temperature": 77, "status": "a", "humidity": 2})
    before = hub.get("/events/last-known/firealarm/123422")["records"][0]["values"]["temperature"]
    hub.clock.advance(10_000)
    after = hub.get("/events/last-known/firealarm/123422")["records"][0]["values"]["temperature"]
    assert before != after == 77.0


def test_records_of_a_fleet_device_and_published_ones_are_one_list(start):
    hub = start(devices=5)
    name = hub.devices(type="climate_sensor")[0]["deviceIdentifier"]
    before = hub.get(f"/events/climate_sensor/{name}", limit=10, **window(hub))
    hub.clock.advance(500)
    sent = {a["name"]: 1 for a in hub.get("/events/climate_sensor")["eventAttributes"]["attributes"]}
    assert publish(hub, sent, "climate_sensor", name).status_code == 200
    start_at = hub.clock.now() - 86_400_500
    after = hub.get(f"/events/climate_sensor/{name}", limit=10, **{"from": start_at, "to": hub.clock.now()})
    assert after["count"] == before["count"] + 1
    assert after["records"][0]["values"]["temperature"] == 1.0
    assert after["records"][1:] == before["records"][:9]
