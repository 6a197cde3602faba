"""Operation history, adding operations, activities, the simulated answers."""

import re
from datetime import UTC, datetime

import pytest

SQL = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{1,9}")
DATE = re.compile(r"[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d UTC \d{4}")


def ms(text):
    at = datetime.strptime(text + "000" if text[-2] == "." else text, "%Y-%m-%d %H:%M:%S.%f")
    return round(at.replace(tzinfo=UTC).timestamp() * 1000)


def sensor(hub, n=0):
    return [row for row in hub.devices(type="climate_sensor") if row["enrolmentInfo"]["status"] == "ACTIVE"][
        n
    ]


def history(hub, row, **query):
    place = f"/devices/{row['type']}/{row['deviceIdentifier']}/operations"
    return hub.get(place, owner=row["enrolmentInfo"]["owner"], **query)


def send(hub, row, code="command", kind="CONFIG", **operation):
    body = {
        "deviceIdentifiers": [row["deviceIdentifier"]],
        "operation": {"code": code, "type": kind, **operation},
    }
    return hub("POST", f"/devices/{row['type']}/operations", body)


def test_history_of_a_phone(hub):
    rows = [row for row in hub.devices(type="android") if row["enrolmentInfo"]["status"] == "ACTIVE"]
    found = [one for row in rows for one in history(hub, row, limit=100)["operations"]]
    assert {one["status"] for one in found} == {"PENDING", "IN_PROGRESS", "COMPLETED", "ERROR", "REPEATED"}
    for one in found:
        names = [
            "code",
            "type",
            "id",
            "status",
            "receivedTimeStamp",
            "createdTimeStamp",
            "isEnabled",
            "activityId",
        ]
        assert list(one) == (["enabled", *names] if one["type"] == "COMMAND" else names)
        assert SQL.fullmatch(one["receivedTimeStamp"])
        assert one["receivedTimeStamp"].endswith(".0")
        assert SQL.fullmatch(one["createdTimeStamp"])
        assert one["activityId"] == f"ACTIVITY_{one['id']}"
    waiting = next(one for one in found if one["status"] == "PENDING")
    assert 0 <= ms(waiting["createdTimeStamp"]) - ms(waiting["receivedTimeStamp"]) < 1000


def test_the_newest_comes_first_and_pages_agree(hub):
    row = max(hub.devices(type="climate_sensor"), key=lambda r: history(hub, r)["count"])
    whole = history(hub, row, limit=100)
    made = [ms(one["createdTimeStamp"]) for one in whole["operations"]]
    assert made == sorted(made, reverse=True)
    pages = [history(hub, row, limit=2, offset=n)["operations"] for n in range(0, whole["count"], 2)]
    assert [one for page in pages for one in page] == whole["operations"]


def test_the_owner_is_needed_and_unknown_devices_are_500(hub):
    row = sensor(hub)
    place = f"/devices/{row['type']}/{row['deviceIdentifier']}/operations"
    missing = hub("GET", place)
    assert missing.status_code == 400
    assert missing.json()["message"] == "Request parameter owner should be non empty."
    wrong = hub("GET", f"{place}?owner=nobody")
    assert wrong.status_code == 500
    assert "json" not in wrong.headers["content-type"]
    unknown = hub("GET", "/devices/android/none/operations?owner=admin")
    assert unknown.status_code == 500
    assert list(unknown.json()) == ["message", "errorItems"]
    assert unknown.json()["message"].startswith("Error occurred while fetching the operations for the ")
    foreign = hub("GET", "/devices/firealarm/123422/operations?owner=admin", by="user111")
    assert foreign.status_code == 401


def test_times_in_another_zone(start):
    hub = start(devices=2, switches={"server_tz": "Asia/Kolkata"})
    row = hub.devices(type="gateway")[0]
    made = send(hub, row)
    assert re.fullmatch(r"Fri Nov 20 17:30:00 IST 2026", made.json()["createdTimeStamp"])
    assert history(hub, row)["operations"][0]["createdTimeStamp"] == "2026-11-20 17:30:00.0"
    assert hub.service.connect["server_tz"] == "Asia/Kolkata"


def test_an_operation_goes_its_way_on_a_simulated_device(start):
    hub = start(devices=12)
    row = sensor(hub)
    answer = send(hub, row, "command", payLoad="status")
    assert answer.status_code == 201
    made = answer.json()
    assert list(made) == ["activityId", "code", "type", "createdTimeStamp", "activityStatus"]
    device = {"id": row["deviceIdentifier"], "type": "climate_sensor"}
    assert made["activityStatus"] == [{"deviceIdentifier": device, "status": "PENDING"}]
    number = int(made["activityId"].removeprefix("ACTIVITY_"))
    index = hub.fleet.index_of(row["deviceIdentifier"])
    fate = hub.fleet.outcome(index, hub.clock.now(), "command", salt=number)

    def status():
        return history(hub, row)["operations"][0]["status"]

    assert status() == "PENDING"
    assert fate.started is not None
    hub.clock.set(fate.started)
    assert status() == "IN_PROGRESS"
    if fate.finished is not None:
        hub.clock.set(fate.finished)
        assert status() == ("ERROR" if fate.failed else "COMPLETED")
        one = hub.get(f"/activities/{made['activityId']}")["activityStatus"][0]
        assert one["responses"][0]["response"] == (fate.failure if fate.failed else "OK")
        assert ms(one["responses"][0]["receivedTimeStamp"]) == fate.finished
    assert history(hub, row)["operations"][0]["activityId"] == made["activityId"]


def test_nothing_answers_when_the_simulation_is_off(start):
    hub = start(devices=12, switches={"simulate": False})
    row = sensor(hub)
    send(hub, row)
    hub.clock.advance(86_400_000)
    assert next(o for o in history(hub, row)["operations"] if o["id"] < 1_000_000)["status"] == "PENDING"


def test_several_devices_of_which_some_are_none(hub):
    names = [row["deviceIdentifier"] for row in hub.devices(type="firealarm")]
    body = {"deviceIdentifiers": [123422, "none", names[1]], "operation": {"code": "ring", "type": "CONFIG"}}
    made = hub("POST", "/devices/firealarm/operations", body)
    assert made.status_code == 201
    assert [(one["deviceIdentifier"]["id"], one["status"]) for one in made.json()["activityStatus"]] == [
        ("123422", "PENDING"),
        (names[1], "PENDING"),
        ("none", "INVALID"),
    ]
    whole = hub.get(f"/activities/{made.json()['activityId']}")
    assert len(whole["activityStatus"]) == 2
    assert DATE.fullmatch(whole["activityStatus"][0]["updatedTimestamp"])


def test_devices_of_others_get_no_activity(hub):
    body = {"deviceIdentifiers": ["123422"], "operation": {"code": "ring", "type": "COMMAND"}}
    made = hub("POST", "/devices/firealarm/operations", body, by="user111")
    assert made.status_code == 201
    assert "activityId" not in made.json()
    assert made.json()["activityStatus"][0]["status"] == "UNAUTHORIZED"


RING = {"code": "ring", "type": "CONFIG"}


@pytest.mark.parametrize(
    ("kind", "body", "status", "text"),
    [
        ("firealarm", {"operation": RING}, 400, ""),
        ("firealarm", {"deviceIdentifiers": ["123422"]}, 400, ""),
        ("firealarm", {"deviceIdentifiers": [], "operation": RING}, 400, ""),
        ("nonsense", {"deviceIdentifiers": ["123422"], "operation": RING}, 400, ""),
        ("firealarm", "{broken", 400, ""),
        (
            "firealarm",
            {"deviceIdentifiers": ["123422"], "operation": {"code": "x", "type": "POLICY"}},
            406,
            '"Only Command and Config operation is supported through this api"',
        ),
        (
            "firealarm",
            {"deviceIdentifiers": ["none"], "operation": RING},
            500,
            '{"message":"Invalid Device Identifiers found.","errorItems":[]}',
        ),
    ],
)
def test_operations_that_cannot_be(hub, kind, body, status, text):
    answer = hub("POST", f"/devices/{kind}/operations", body)
    assert (answer.status_code, answer.text) == (status, text)


def test_what_is_not_repeated_replaces_the_waiting_one(start):
    hub = start(devices=1)
    alarm = hub.get("/devices/firealarm/123422")
    first = send(hub, alarm, "check", "COMMAND", control="NO_REPEAT").json()
    hub.clock.advance(1000)
    second = send(hub, alarm, "check", "COMMAND", control="NO_REPEAT").json()
    found = {one["activityId"]: one["status"] for one in history(hub, alarm)["operations"]}
    assert found == {first["activityId"]: "REPEATED", second["activityId"]: "PENDING"}


# activities


def test_activities_look_back_11_hours_and_45_minutes(start):
    hub = start(devices=1)

    def rings(**query):
        return sum(one["code"] == "ring" for one in hub.get("/activities", limit=100, **query)["activities"])

    assert rings() == 0
    send(hub, hub.get("/devices/firealarm/123422"), "ring", "COMMAND")
    assert rings() == 1
    hub.clock.advance(42_299_000)
    assert rings() == 1
    hub.clock.advance(2_000)
    assert rings() == 0
    assert rings(since="Fri, 20 Nov 2026 11:59:59 +0000") == 1
    late = hub("GET", "/activities", headers={"If-Modified-Since": "Sat, 21 Nov 2026 23:00:00 GMT"})
    assert (late.status_code, late.content) == (304, b"")
    assert hub("GET", "/activities?since=yesterday").status_code == 400
    assert hub("GET", "/activities?limit=101").status_code == 400


def test_pages_of_activities_count_devices_and_cut_activities(hub):
    since = {"since": "Sat, 1 Jan 2000 00:00:00 GMT"}
    whole = hub.get("/activities", limit=100, **since)
    rows = [
        (a["activityId"], s["deviceIdentifier"]["id"])
        for a in whole["activities"]
        for s in a["activityStatus"]
    ]
    assert len(rows) == min(100, whole["count"])
    big = next(a for a in whole["activities"] if len(a["activityStatus"]) > 1)
    found = []
    seen = []
    for offset in range(0, len(rows), 3):
        page = hub.get("/activities", limit=3, offset=offset, **since)
        assert page["count"] == whole["count"]
        pairs = [
            (a["activityId"], s["deviceIdentifier"]["id"])
            for a in page["activities"]
            for s in a["activityStatus"]
        ]
        assert len(pairs) <= 3
        found += pairs
        seen += [a["activityId"] for a in page["activities"]]
    assert sorted(found) == sorted(rows[: len(found)])
    assert big["activityId"] in seen


def test_the_last_update_comes_last(hub):
    whole = hub.get("/activities", limit=100, since="Sat, 1 Jan 2000 00:00:00 GMT")["activities"]
    times = [
        datetime.strptime(s["updatedTimestamp"], "%a %b %d %H:%M:%S %Z %Y")
        for a in whole
        for s in a["activityStatus"]
        if len(a["activityStatus"]) == 1
    ]
    assert times == sorted(times)


def test_activities_of_a_code(hub):
    found = hub.get("/activities/type/DEVICE_RING", limit=100)
    assert found["count"] > 5
    assert {one["code"] for one in found["activities"]} == {"DEVICE_RING"}
    assert hub.get("/activities/type/NOTHING") == {"activities": [], "count": 0}
    fleet = hub.get("/activities/type/upgrade-firmware", limit=100)
    now = hub.clock.now()
    rolled = [
        o for i in range(25) for o in hub.fleet.operations(i, hub.fleet.start, now) if o.kind == "firmware"
    ]
    assert fleet["count"] == len(rolled)


def test_single_activities(hub):
    one = hub.get("/activities/ACTIVITY_1")
    assert (one["activityId"], one["code"], len(one["activityStatus"])) == ("ACTIVITY_1", "DEVICE_RING", 3)
    assert DATE.fullmatch(one["createdTimeStamp"])
    for name, status in (("1", 400), ("ACTIVITY_x", 400), ("ACTIVITY_99999", 404), ("ACTIVITY_1999999", 404)):
        answer = hub("GET", f"/activities/{name}")
        assert answer.status_code == status, name
        assert ("code" in answer.json()) == (status == 400)
    two = hub.get("/activities/ids", ids="ACTIVITY_1,ACTIVITY_2,ACTIVITY_99999")
    assert [each["activityId"] for each in two["activities"]] == ["ACTIVITY_1", "ACTIVITY_2"]
    assert hub("GET", "/activities/ids?ids=").status_code == 400
    assert hub("GET", "/activities/ids?ids=ACTIVITY_99999").status_code == 404


def test_an_activity_on_one_device(hub):
    whole = hub.get("/activities/ACTIVITY_1")
    wanted = whole["activityStatus"][1]["deviceIdentifier"]
    found = hub.get(f"/activities/ACTIVITY_1/android/{wanted['id']}")
    assert found["activityStatus"] == [whole["activityStatus"][1]]
    assert hub("GET", "/activities/ACTIVITY_1/android/none").status_code == 404


def test_activities_are_for_administrators(hub):
    text = "Unauthorized operation! Only admin role can perform this operation."
    for path in ("", "/type/DEVICE_RING", "/ACTIVITY_1", "/ids?ids=ACTIVITY_1"):
        answer = hub("GET", f"/activities{path}", by="user111")
        assert answer.status_code == 401, path
        assert answer.json()["message"] == text
    own = next(s["deviceIdentifier"]["id"] for s in hub.get("/activities/ACTIVITY_1")["activityStatus"])
    assert hub("GET", f"/activities/ACTIVITY_1/android/{own}", by="user111").status_code in (200, 404)
