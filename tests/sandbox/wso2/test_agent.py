"""The device's own side: enrolment, properties, fetching and answering operations, one whole life."""

import pytest

ALARM_TYPE = {
    "name": "firealarm",
    "deviceTypeMetaDefinition": {
        "properties": ["buildingId", "floorId"],
        "features": [{"code": "bulb", "name": "bulb", "description": "x"}, {"code": "ring", "name": "ring"}],
        "description": "fire alarm",
    },
}
ALARM_EVENTS = {
    "eventAttributes": {
        "attributes": [
            {"name": "temperature", "type": "DOUBLE"},
            {"name": "status", "type": "STRING"},
            {"name": "humidity", "type": "FLOAT"},
        ]
    },
    "transport": "HTTP",
}
ALARM = {
    "name": "myhomealarmx1",
    "type": "firealarm",
    "description": "d",
    "deviceIdentifier": "123422",
    "enrolmentInfo": {"ownership": "BYOD", "status": "CREATED", "owner": "somebody"},
    "properties": [{"name": "buildingId", "value": "wso2"}, {"name": "floorId", "value": "2"}],
}
AGENT = "/device/agent"


def enroll(hub, **changes):
    return hub("POST", f"{AGENT}/enroll", {**ALARM, **changes})


def test_a_whole_life_on_a_fresh_server(fresh):
    hub = fresh
    assert hub("POST", "/admin/device-types", ALARM_TYPE).status_code == 200
    assert hub("POST", "/admin/device-types", ALARM_TYPE).text == '"Device type already available, firealarm"'
    assert hub("POST", "/events/firealarm", ALARM_EVENTS).status_code == 200
    enrolled = enroll(hub)
    assert (enrolled.status_code, enrolled.text) == (200, "true")
    row = hub.get("/devices")["devices"][0]
    assert (row["id"], row["enrolmentInfo"]["id"]) == (1, 1)
    assert (row["enrolmentInfo"]["owner"], row["enrolmentInfo"]["status"]) == ("admin", "ACTIVE")
    body = {
        "deviceIdentifiers": [123422],
        "operation": {"code": "ring", "type": "CONFIG", "payLoad": "volume:30%"},
    }
    made = hub("POST", "/devices/firealarm/operations", body)
    assert made.status_code == 201
    assert made.json()["activityId"] == "ACTIVITY_1"
    pending = hub.get(f"{AGENT}/pending/operations/firealarm/123422")
    assert pending["count"] == 1
    one = pending["operations"][0]
    assert (one["id"], one["code"], one["type"], one["payLoad"]) == (1, "ring", "CONFIG", "volume:30%")
    values = {"temperature": 20, "status": "workingh", "humidity": 20}
    assert hub("POST", f"{AGENT}/events/publish/firealarm/123422", values).status_code == 200
    text = hub("GET", "/events/last-known/firealarm/123422").text
    assert '"values":{"temperature":20.0,"humidity":20.0,"_version":"1.0.0","meta_deviceId":"123422"' in text
    answer = {"id": 1, "status": "COMPLETED", "operationResponse": "rang"}
    assert hub("PUT", f"{AGENT}/operations/firealarm/123422", answer).status_code == 200
    assert hub.get(f"{AGENT}/pending/operations/firealarm/123422") == {"operations": [], "count": 0}
    status = hub.get("/activities/ACTIVITY_1")["activityStatus"][0]
    assert (status["status"], status["responses"][0]["response"]) == ("COMPLETED", "rang")
    assert hub("DELETE", f"{AGENT}/enroll/firealarm/123422").status_code == 200
    assert hub.get("/devices")["devices"][0]["enrolmentInfo"]["status"] == "REMOVED"
    assert hub.fleet is not None


def test_the_same_identifier_under_two_types(start):
    hub = start(devices=1)
    for kind in ("firealarm", "windows"):
        assert enroll(hub, type=kind, deviceIdentifier=123422578912).status_code == 200
        assert hub.get(f"/devices/{kind}/123422578912")["type"] == kind


def test_enrolling_again(start):
    hub = start(devices=1)
    again = enroll(hub)
    assert (again.status_code, again.text) == (400, '"An active enrolment exists"')
    assert hub("DELETE", f"{AGENT}/enroll/firealarm/123422").status_code == 200
    assert hub("DELETE", f"{AGENT}/enroll/firealarm/123422").status_code == 200
    assert hub("DELETE", f"{AGENT}/enroll/firealarm/none").status_code == 204
    assert enroll(hub, name="second life").status_code == 200
    rows = [row for row in hub.devices() if row["deviceIdentifier"] == "123422"]
    assert [row["enrolmentInfo"]["status"] for row in rows] == ["REMOVED", "ACTIVE"]
    assert {row["name"] for row in rows} == {"second life"}
    assert len({row["id"] for row in rows}) == 1


@pytest.mark.parametrize(
    "changes", [{"type": None}, {"deviceIdentifier": ""}, {"type": "nonsense"}], ids=["type", "id", "unknown"]
)
def test_enrolments_that_cannot_be(hub, changes):
    answer = enroll(hub, **changes)
    assert answer.status_code == 400
    assert answer.text.startswith('"')


def test_a_claimable_type_starts_inactive(start):
    hub = start(devices=1)
    definition = {**ALARM_TYPE["deviceTypeMetaDefinition"], "claimable": True}
    assert (
        hub(
            "POST", "/admin/device-types", {"name": "box", "deviceTypeMetaDefinition": definition}
        ).status_code
        == 200
    )
    assert enroll(hub, type="box").status_code == 200
    assert hub.get("/devices/box/123422")["enrolmentInfo"]["status"] == "INACTIVE"
    assert hub("GET", f"{AGENT}/pending/operations/box/123422").status_code == 200
    assert hub.get("/devices/box/123422")["enrolmentInfo"]["status"] == "ACTIVE"


def test_modifying(start):
    hub = start(devices=1)
    place = f"{AGENT}/enroll/firealarm/123422"
    assert hub("PUT", place, {"name": "new", "unknown": 1}).status_code == 202
    assert hub("PUT", place, {"name": "new"}).status_code == 304
    assert hub("PUT", f"{AGENT}/enroll/firealarm/none", {"name": "new"}).status_code == 404
    properties = f"{AGENT}/properties/firealarm/123422"
    assert hub("PUT", properties, [{"name": "floorId", "value": "9"}]).status_code == 202
    assert hub.get("/devices/firealarm/123422")["properties"] == [{"name": "floorId", "value": "9"}]
    assert hub("PUT", properties, []).status_code == 406
    assert hub("PUT", f"{AGENT}/properties/firealarm/none", [{"name": "a", "value": "b"}]).status_code == 400


def test_fetching_and_answering(start):
    hub = start(devices=1)
    for n, payload in enumerate(("first", {"a": 1})):
        operation = {"code": "bulb", "type": ("CONFIG", "PROFILE")[n], "payLoad": payload}
        hub(
            "POST", "/devices/firealarm/operations", {"deviceIdentifiers": ["123422"], "operation": operation}
        )
        hub.clock.advance(1000)
    both = hub.get(f"{AGENT}/pending/operations/firealarm/123422")["operations"]
    assert [one["payLoad"] for one in both] == ["first", '{"a":1}']
    oldest = hub.get(f"{AGENT}/next-pending/operation/firealarm/123422")
    assert oldest == both[0]
    put = f"{AGENT}/operations/firealarm/123422"
    assert hub("PUT", put, {"id": oldest["id"], "status": "IN_PROGRESS"}).status_code == 200
    assert hub.get(f"{AGENT}/next-pending/operation/firealarm/123422")["id"] == both[1]["id"]
    done = {"id": oldest["id"], "status": "ERROR", "operationResponse": "stuck", "payLoad": "ignored"}
    assert hub("PUT", put, done).status_code == 200
    failed = hub.get(f"{AGENT}/status/operations/firealarm/123422", status="ERROR")
    assert [one["id"] for one in failed["operations"]] == [oldest["id"]]
    said = hub.get(f"/activities/{oldest['activityId']}")["activityStatus"][0]["responses"]
    assert [one["response"] for one in said] == ["stuck"]
    assert hub("PUT", put, {"id": 9999, "status": "COMPLETED"}).status_code == 500
    assert hub("PUT", put, {"id": oldest["id"], "status": "DONE"}).status_code == 400
    assert hub("GET", f"{AGENT}/status/operations/firealarm/123422").status_code == 400


def test_only_the_policy_monitor_answers_with_a_payload(start):
    hub = start(devices=1)
    for code in ("POLICY_MONITOR", "other"):
        operation = {"code": code, "type": "COMMAND"}
        body = {"deviceIdentifiers": ["123422"], "operation": operation}
        activity = hub("POST", "/devices/firealarm/operations", body).json()["activityId"]
        sent = {"id": int(activity[9:]), "code": code, "status": "COMPLETED", "payLoad": "[]"}
        assert hub("PUT", f"{AGENT}/operations/firealarm/123422", sent).status_code == 200
        said = hub.get(f"/activities/{activity}")["activityStatus"][0]["responses"]
        assert [one["response"] for one in said] == (["[]"] if code == "POLICY_MONITOR" else [])


def test_unknown_devices_and_types(hub):
    assert hub("GET", f"{AGENT}/pending/operations/firealarm/none").status_code == 204
    assert hub("GET", f"{AGENT}/pending/operations/nonsense/x").status_code == 400
    assert hub("GET", f"{AGENT}/next-pending/operation/firealarm/none").status_code == 400
    empty = hub("GET", f"{AGENT}/next-pending/operation/firealarm/0012345")
    assert (empty.status_code, empty.content) == (200, b"")


def test_nobody_elses_device_publishes_and_ones_own_neither(start):
    hub = start(devices=1)
    role = {
        "roleName": "publishers",
        "permissions": ["/device-mgt/devices/owning-device"],
        "users": ["user111"],
    }
    assert hub("POST", "/roles", role).status_code == 201
    hub.forget()
    assert (
        hub("POST", f"{AGENT}/enroll", {**ALARM, "deviceIdentifier": "777"}, by="user111").status_code == 200
    )
    assert hub.get("/devices/firealarm/777")["enrolmentInfo"]["owner"] == "user111"
    values = {"temperature": 1, "status": "a", "humidity": 2}
    answer = hub("POST", f"{AGENT}/events/publish/firealarm/777", values, by="user111")
    assert answer.status_code == 401
    assert answer.json()["message"] == "Does not have permission to access the device."
