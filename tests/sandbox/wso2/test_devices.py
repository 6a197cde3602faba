"""Lists, details, search, status, renaming, removing: `/devices` and `/admin/devices`."""

import re
from datetime import UTC, datetime

import pytest


def rfc(ms):
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%a, %-d %b %Y %H:%M:%S} +0000"


def test_a_list_has_20_rows_unless_asked_for_more(hub):
    text = hub("GET", "/devices").text
    assert text.startswith(
        '{"devices":[{"id":1,"name":"0001","type":"SmartStreetLamp","description":"register'
    )
    assert text.endswith('}],"count":57}')
    assert '": ' not in text
    assert len(hub.get("/devices")["devices"]) == 20
    assert len(hub.get("/devices", limit=0)["devices"]) == 20
    assert len(hub.get("/devices", limit=100)["devices"]) == 57
    last = hub.get("/devices", offset=50)
    assert (len(last["devices"]), last["count"]) == (7, 57)
    assert hub.get("/devices", offset=500) == {"devices": [], "count": 57}


def test_a_row_is_an_enrolment(hub):
    row = hub.devices()[0]
    assert list(row) == ["id", "name", "type", "description", "deviceIdentifier", "enrolmentInfo"]
    info = row["enrolmentInfo"]
    assert list(info) == ["id", "dateOfEnrolment", "dateOfLastUpdate", "ownership", "status", "owner"]
    assert row["deviceIdentifier"] == "01010100010001"
    assert isinstance(info["dateOfEnrolment"], int)


def test_the_start_state(hub):
    rows = hub.devices()
    assert {row["enrolmentInfo"]["owner"] for row in rows} == {"admin", "user111", "explorer"}
    keys = [(row["type"], row["deviceIdentifier"]) for row in rows]
    twice = [key for key in keys if keys.count(key) == 2]
    assert len(twice) == 2
    statuses = [r["enrolmentInfo"]["status"] for r in rows if (r["type"], r["deviceIdentifier"]) == twice[0]]
    assert statuses == ["REMOVED", "ACTIVE"]
    assert [r["id"] for r in rows if (r["type"], r["deviceIdentifier"]) == twice[0]] == [rows[16]["id"]] * 2
    removed = [key for key, r in zip(keys, rows, strict=True) if r["enrolmentInfo"]["status"] == "REMOVED"]
    assert len(removed) == 2
    assert ("firealarm", "123422") in keys
    assert sum(key[1].startswith("0") for key in keys) > 30


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"limit": 101}, "Request parameter limit should be less than or equal to 100."),
        ({"limit": -1}, "Request parameter limit is a negative value."),
        ({"offset": -1}, "Request parameter offset is s negative value."),
        ({"ownership": "MINE"}, "Invalid ownership type"),
        ({"status": "BROKEN"}, "Invalid status type"),
        ({"since": "yesterday"}, "Invalid date string"),
    ],
)
def test_wrong_parameters(hub, query, message):
    answer = hub("GET", "/devices", params=query)
    assert answer.status_code == 400
    found = answer.json()
    assert list(found) == ["code", "message", "errorItems"]
    assert found["code"] == 400
    assert found["message"].startswith(message)


def test_name_and_role_together_are_refused_without_a_code(hub):
    answer = hub("GET", "/devices?name=a&role=admin")
    assert answer.status_code == 400
    assert list(answer.json()) == ["message", "errorItems"]


def test_a_parameter_that_is_no_number(hub):
    assert hub("GET", "/devices?limit=many").status_code == 404


def test_filters(hub):
    rows = hub.devices()

    def count(**query):
        return hub.get("/devices", **query)["count"]

    def expected(test):
        return sum(1 for row in rows if test(row, row["enrolmentInfo"]))

    assert count(type="android") == expected(lambda r, _: r["type"] == "android") == 17
    assert count(type="andro") == 0
    assert count(name="Pump") == expected(lambda r, _: r["name"].startswith("Pump"))
    assert count(name="pump") == 0
    assert count(name="%0001-01") == expected(lambda r, _: "0001-01" in r["name"]) > 0
    assert count(name="Pu_p ") == count(name="Pump")
    assert count(user="user111") == expected(lambda _, e: e["owner"] == "user111")
    assert count(user="admin@carbon.super") == expected(lambda _, e: e["owner"] == "admin")
    assert count(userPattern="ex") == expected(lambda _, e: e["owner"] == "explorer")
    for status in ("ACTIVE", "REMOVED", "INACTIVE", "UNREACHABLE", "CREATED", "BLOCKED", "SUSPENDED"):
        assert count(status=status) == expected(lambda _, e, s=status: e["status"] == s)
    for ownership in ("BYOD", "COPE"):
        assert count(ownership=ownership) == expected(lambda _, e, o=ownership: e["ownership"] == o)
    both = expected(lambda r, e: r["type"] == "climate_sensor" and e["owner"] == "admin")
    assert count(type="climate_sensor", user="admin") == both > 0
    assert count(groupId=1) == count(roleName="admin") == count(nonsense="x") == 57


def test_devices_by_role_withhold_the_list(hub):
    short = hub("GET", "/devices?role=admin").text
    assert re.fullmatch(r'\{"count":\d+\}', short)
    whole = hub.get("/devices", role="admin", requireDeviceInfo="true")
    assert len(whole["devices"]) == whole["count"] > 20
    assert {row["enrolmentInfo"]["owner"] for row in whole["devices"]} == {"admin", "explorer"}


def test_since(hub):
    told = [row for row in hub.devices(requireDeviceInfo="true") if "deviceInfo" in row]
    assert len(told) < 57
    assert hub.get("/devices", since=rfc(0))["count"] == len(told)
    half = sorted(parsed(row) for row in told)[len(told) // 2]
    assert hub.get("/devices", since=rfc(half))["count"] == sum(parsed(row) > half for row in told)
    assert hub.get("/devices", since=rfc(hub.clock.now())) == {"devices": [], "count": 0}
    late = hub(
        "GET", "/devices", params={"since": rfc(0)}, headers={"If-Modified-Since": rfc(hub.clock.now())}
    )
    assert (late.status_code, late.content) == (304, b"")


def parsed(row):
    at = datetime.strptime(row["deviceInfo"]["updatedTime"], "%a, %d %b %Y %H:%M:%S %z")
    return int(at.timestamp() * 1000)


def test_somebody_who_is_no_administrator_sees_his_own(hub):
    mine = hub.get("/devices", user="user111", limit=100)
    own = hub("GET", "/devices?limit=100", by="user111").json()
    assert own == mine
    for query in ("user=admin", "userPattern=a"):
        answer = hub("GET", f"/devices?{query}", by="user111")
        assert answer.status_code == 401
        assert answer.json()["code"] == 401
    assert hub("GET", "/devices/user-devices?limit=100", by="user111").json() == mine
    foreign = hub("GET", "/devices/firealarm/123422", by="user111")
    assert foreign.status_code == 401
    assert foreign.json()["message"]


def test_one_device(hub):
    found = hub.get("/devices/firealarm/123422")
    assert found["name"] == "myhomealarmx1"
    assert found["properties"] == [{"name": "buildingId", "value": "wso2"}, {"name": "floorId", "value": "2"}]
    assert hub.get("/devices/firealarm/123422/", owner="admin")["id"] == found["id"]
    answer = hub("GET", "/devices/t/i")
    assert answer.status_code == 404
    assert answer.text == (
        '{"code":404,"message":"Requested device of type \\u0027t\\u0027, which carries id \\u0027i\\u0027 '
        'does not exist","errorItems":[]}'
    )
    assert hub("GET", f"/devices/t/{'i' * 46}").status_code == 400


def test_what_a_phone_tells(hub):
    row = next(r for r in hub.devices(type="android") if r["enrolmentInfo"]["status"] == "ACTIVE")
    place = f"/devices/android/{row['deviceIdentifier']}"
    info = hub.get(f"{place}/info")
    for name in ("batteryLevel", "internalTotalMemory", "externalTotalMemory", "cpuUsage", "totalRAMMemory"):
        assert isinstance(info[name], float), name
    assert isinstance(info["pluggedIn"], bool)
    assert re.fullmatch(r"[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{4} [\d:]{8} \+0000", info["updatedTime"])
    location = hub.get(f"{place}/location")
    assert location == info["location"]
    assert location["deviceIdentifier"] == {"id": row["deviceIdentifier"], "type": "android"}
    apps = hub.get(f"{place}/applications", offset=5, limit=1)
    assert apps[0]["name"] == "IoT Agent"
    assert hub.get(f"{place}/features")[0] == {
        "id": 1,
        "code": "DEVICE_RING",
        "name": "Ring",
        "description": "Ring on the device",
        "deviceType": "android",
    }
    assert hub.get(place)["deviceInfo"] == info
    assert hub.get(f"{place}/compliance-data") == {"deviceID": row["deviceIdentifier"]}


def test_unknown_devices_get_many_answers(hub):
    answers = {
        part: hub("GET", f"/devices/android/none{part}")
        for part in (
            "/info",
            "/location",
            "/features",
            "/applications",
            "/effective-policy",
            "/compliance-data",
        )
    }
    assert {part: answer.status_code for part, answer in answers.items()} == {
        "/info": 404,
        "/location": 200,
        "/features": 200,
        "/applications": 200,
        "/effective-policy": 200,
        "/compliance-data": 200,
    }
    assert answers["/location"].content == answers["/effective-policy"].content == b""
    assert answers["/applications"].json() == []
    assert hub("GET", "/devices/nonsense/x/features").status_code == 404


def test_changes(start):
    hub = start(devices=3)
    assert hub("POST", "/devices/type/firealarm/id/123422/rename", {"name": "hall"}).text == "true"
    assert hub.get("/devices/firealarm/123422")["name"] == "hall"
    assert hub("POST", "/devices/type/firealarm/id/123422/rename", {"name": ""}).status_code == 400
    assert hub("POST", "/devices/type/firealarm/id/none/rename", {"name": "x"}).status_code == 404
    sensor = next(row for row in hub.devices() if row["type"] == "climate_sensor")
    name = sensor["deviceIdentifier"]
    changed = hub("PUT", f"/devices/climate_sensor/{name}/changestatus?newStatus=BLOCKED")
    assert (changed.status_code, changed.json()) == (200, True)
    assert hub("PUT", f"/devices/climate_sensor/{name}/changestatus?newStatus=BLOCKED").json() is False
    assert hub.get(f"/devices/climate_sensor/{name}")["enrolmentInfo"]["status"] == "BLOCKED"
    assert hub("PUT", "/devices/climate_sensor/none/changestatus?newStatus=BLOCKED").content == b""
    gone = hub("DELETE", f"/devices/type/climate_sensor/id/{name}")
    assert (gone.status_code, gone.json()) == (200, True)
    left = hub.devices()
    assert len(left) == 35
    assert next(r for r in left if r["deviceIdentifier"] == name)["enrolmentInfo"]["status"] == "REMOVED"
    assert hub("DELETE", "/devices/type/climate_sensor/id/none").status_code == 404


def test_the_administrators_list_counts_the_page(hub):
    assert hub.get("/admin/devices")["count"] == 20
    assert hub.get("/admin/devices", offset=50)["count"] == 7
    assert hub.get("/admin/devices", type="firealarm")["count"] == 3
    answer = hub("GET", "/admin/devices", by="user111")
    assert answer.status_code == 401
    assert answer.text == (
        '{"message":"Current logged in user is not authorized to perform this operation","errorItems":[]}'
    )


@pytest.mark.parametrize(
    ("conditions", "test"),
    [
        ([("deviceModel", "=", "S8", "AND")], lambda i: i["deviceModel"] == "S8"),
        ([("batteryLevel", ">", "50", "AND")], lambda i: i["batteryLevel"] > 50),
        ([("batteryLevel", "!>", 50, "AND")], lambda i: i["batteryLevel"] <= 50),
        ([("deviceModel", "%", "nexus", "AND")], lambda i: "Nexus" in i["deviceModel"]),
        ([("pluggedIn", "=", "true", "AND")], lambda i: i["pluggedIn"]),
        (
            [("vendor", "=", "LG", "AND"), ("batteryLevel", "<", 60, "AND")],
            lambda i: i["vendor"] == "LG" and i["batteryLevel"] < 60,
        ),
        (
            [("vendor", "=", "LG", "OR"), ("vendor", "=", "Sony", "OR")],
            lambda i: i["vendor"] in ("LG", "Sony"),
        ),
    ],
)
def test_search(hub, conditions, test):
    keys = ("key", "operator", "value", "state")
    body = {"conditions": [dict(zip(keys, one, strict=True)) for one in conditions]}
    found = hub("POST", "/devices/search-devices?limit=1", body).json()
    there = [
        row for row in hub.devices(requireDeviceInfo="true") if row["enrolmentInfo"]["status"] != "REMOVED"
    ]
    expected = [row["id"] for row in there if "deviceInfo" in row and test(row["deviceInfo"])]
    assert [row["id"] for row in found["devices"]] == expected
    assert found["count"] == len(expected) > 0


def test_search_over_places_and_properties(hub):
    def search(key, value, operator="="):
        condition = {"key": key, "value": value, "operator": operator, "state": "AND"}
        return hub("POST", "/devices/search-devices", {"conditions": [condition]}).json()["count"]

    assert search("city", "Colombo") == 15  # two of seventeen rows are removed
    assert search("buildingId", "wso2") == 3
    assert search("site", "Essen") == sum(device.site == "Essen" for device in hub.fleet)
    assert search("nonsense", "x") == 0
    for body in ({}, {"conditions": []}, {"conditions": [{"key": "a", "operator": "~", "value": 1}]}, []):
        assert hub("POST", "/devices/search-devices", body).status_code == 400


def test_rows_that_vanish_and_lists_that_are_withheld(start):
    hub = start(devices=30)
    whole = hub.get("/devices", limit=30)
    hub.switch(rows_vanish=3)
    second = hub.get("/devices", limit=100, offset=30)
    assert len(whole["devices"]) + len(second["devices"]) == whole["count"] - 3
    hub.switch(rows_vanish=None, withhold_devices=True)
    assert hub.get("/devices") == {"count": 62}
    hub.switch(withhold_devices=None, default_page=7)
    assert len(hub.get("/devices")["devices"]) == 7


def test_a_fresh_server_has_nothing(fresh):
    assert fresh("GET", "/devices").text == '{"devices":[],"count":0}'
    assert fresh("GET", "/device-types").text == '{"count":2,"deviceTypes":["android","windows"]}'
    assert fresh("GET", "/groups").text == '{"deviceGroups":[],"count":0}'
    assert fresh("GET", "/policies?limit=10").text == '{"policies":[],"count":0}'
    assert fresh("GET", "/notifications").text == '{"notifications":[],"count":0}'
    assert fresh("GET", "/activities").text == '{"activities":[],"count":0}'
