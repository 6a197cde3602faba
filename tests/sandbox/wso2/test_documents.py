"""The tutorial's requests replayed, and the printed samples: the sandbox answers in their words and order."""

import json
from base64 import b64encode
from pathlib import Path

import pytest

DOCUMENTS = Path(__file__).parents[2] / "documents" / "wso2"
TUTORIAL = json.loads((DOCUMENTS / "tutorial.json").read_text())


def test_the_tutorial(start):
    hub = start(devices=1)
    values = {name: " ".join(TUTORIAL[name]) for name in ("asked", "granted", "renewed")}
    auth = {"user": ("admin", "admin")}

    def filled(text):
        for name, value in values.items():
            text = text.replace(f"{{{name}}}", value)
        return text

    for step in TUTORIAL["steps"]:
        request = step["request"]
        if request is None:
            assert b64encode(step["text"].encode()).decode() == step["base64"]
            continue
        hub.switch(**step.get("switches", {}))
        options = {"json": request["json"]} if "json" in request else {}
        if "form" in request:
            options["data"] = {name: filled(text) for name, text in request["form"].items()}
        answer = hub.send(request["method"], request["path"], auth=auth[step["authorization"]], **options)
        wanted = step["answer"]
        assert answer.status_code == wanted["status"], step["step"]
        found = answer.json()
        assert found == wanted.get("json", found), step["step"]
        assert list(found) == wanted.get("members", list(found)), step["step"]
        if "scope" in wanted:
            assert found["scope"] == filled(wanted["scope"]), step["step"]
        assert found.get("expires_in") == wanted.get("expires_in", found.get("expires_in"))
        values |= {name: found[name] for name in ("refresh_token",) if name in found}
        if "client_id" in found:
            auth["client"] = found["client_id"], found["client_secret"]
            auth["swapped client"] = found["client_secret"], found["client_id"]


def test_the_counts_of_the_tutorial():
    asked, granted, renewed = (TUTORIAL[name] for name in ("asked", "granted", "renewed"))
    assert (len(asked), len(set(asked)), len(granted), len(renewed)) == (228, 154, 136, 103)
    lost = set(granted) - set(renewed)
    assert len(lost) == 33
    assert all(scope.startswith("perm:ios:") for scope in lost)


def shape(found):
    """Names in their order and kinds of values; of a list the first entry."""
    if isinstance(found, dict):
        return [(name, shape(value)) for name, value in found.items()]
    if isinstance(found, list):
        return [shape(found[0])] if found else []
    return type(found).__name__


def printed(name):
    return json.loads((DOCUMENTS / f"{name}.json").read_text())


def test_devices_as_printed(hub):
    found = hub.get("/devices", limit=1)
    wanted = printed("devices")
    assert shape(found) == shape(wanted)
    for name in ("id", "name", "type", "description", "deviceIdentifier"):
        assert found["devices"][0][name] == wanted["devices"][0][name]
    assert found["count"] == wanted["count"]


def test_a_definition_as_printed(start):
    hub = start(devices=1)
    wanted = printed("definition")
    assert hub("POST", "/events/windows", wanted).status_code == 200
    assert hub.get("/events/windows") == wanted


def test_records_as_printed(start):
    hub = start(devices=1)
    wanted = printed("records")
    values = {"temperature": 20, "status": "workingh", "humidity": 20}
    hub.clock.set(wanted["records"][0]["timestamp"])
    assert hub("POST", "/device/agent/events/publish/firealarm/123422", values).status_code == 200
    at = hub.clock.now()
    found = hub("GET", f"/events/firealarm/123422?from={at}&to={at}&limit=10")
    assert shape(found.json()) == shape(wanted)
    text = json.dumps({**wanted["records"][0], "id": "*"}, separators=(",", ":"))
    assert json.dumps({**found.json()["records"][0], "id": "*"}, separators=(",", ":")) == text


def test_operations_as_printed(hub):
    wanted = printed("operations")["operations"][0]
    phones = [r for r in hub.devices(type="android") if r["enrolmentInfo"]["status"] == "ACTIVE"]
    rows = [
        one
        for row in phones
        for one in hub.get(
            f"/devices/android/{row['deviceIdentifier']}/operations",
            owner=row["enrolmentInfo"]["owner"],
            limit=100,
        )["operations"]
    ]
    one = next(one for one in rows if one["code"] == wanted["code"])
    members = [(name, kind) for name, kind in shape(one) if name != "enabled"]
    assert members == [(name, kind) for name, kind in shape(wanted) if name != "enabled"]


def test_activities_as_printed(hub):
    wanted = printed("activities")
    found = hub.get("/activities/type/DEVICE_RING", limit=100)
    assert list(found) == list(wanted)
    said = [a for a in found["activities"] if a["activityStatus"][0]["responses"]]
    assert shape(said[0]) == shape(wanted["activities"][0])


@pytest.mark.parametrize("place", ["notifications"])
def test_notifications_as_printed(hub, place):
    wanted, found = printed(place), hub.get("/notifications", limit=1)
    assert shape(found) == shape(wanted)


def test_taking_over_a_device_ends_the_older_enrolment(start):
    hub = start(devices=1)
    role = {"roleName": "enrollers", "permissions": ["/device-mgt/devices"], "users": ["user111"]}
    assert hub("POST", "/roles", role).status_code == 201
    hub.forget()
    body = {"type": "firealarm", "deviceIdentifier": "123422", "name": "taken"}
    assert hub("POST", "/device/agent/enroll", body, by="user111").status_code == 200
    rows = [r["enrolmentInfo"] for r in hub.devices() if r["deviceIdentifier"] == "123422"]
    assert [(r["owner"], r["status"]) for r in rows] == [("admin", "REMOVED"), ("user111", "ACTIVE")]
