"""What the fleet says is what the API returns, page by page; trouble on demand; a large fleet; restarts."""

import time
from collections import Counter
from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import pytest
import requests

from iotnb import sandbox
from iotnb.sandbox import wso2 as module

STATUS = {"PENDING": "PENDING", "EXECUTING": "IN_PROGRESS", "SUCCESSFUL": "COMPLETED", "FAILED": "ERROR"}
TYPES = {"gateway": "gateway", "sensor": "climate_sensor", "machine": "pump"}


@pytest.fixture(scope="module")
def hub(start):
    return start(devices=35, days=20, seed=4, switches={"start": "fleet"})


def test_the_inventory(hub):
    fleet, now = hub.fleet, hub.clock.now()
    rows = hub.devices(requireDeviceInfo="true")
    assert [row["deviceIdentifier"] for row in rows] == [device.serial for device in fleet]
    for device, row in zip(fleet, rows, strict=True):
        assert row["name"] == device.name
        assert row["type"] == TYPES[device.kind]
        assert row["enrolmentInfo"]["dateOfEnrolment"] == device.created
        assert (row["enrolmentInfo"]["status"] == "ACTIVE") == fleet.online(device.index, now)
        told = {one["name"]: one["value"] for one in row["properties"]}
        assert (told["imei"], told["iccid"], told["serial"]) == (device.imei, device.iccid, device.serial)
        assert told["firmware"] == fleet.firmware(device.index, now)
        assert ("deviceInfo" in row) == (not fleet.links.never(device.index))
    assert {row["enrolmentInfo"]["status"] for row in rows} == {
        "ACTIVE",
        "INACTIVE",
        "CREATED",
        "UNREACHABLE",
    }


def records(hub, i, start, end, limit):
    device = hub.fleet[i]
    found, offset = [], 0
    while True:
        query = {"from": start, "to": end, "offset": offset, "limit": limit}
        page = hub.get(f"/events/{TYPES[device.kind]}/{device.serial}", **query)
        found += page["records"]
        offset += limit
        if len(page["records"]) < limit:
            assert len(found) == page["count"]
            return found


@pytest.mark.parametrize("i", [0, 1, 9])
def test_the_records(hub, i):
    fleet, now = hub.fleet, hub.clock.now()
    start = now - 6 * 3_600_000
    found = records(hub, i, start, now, 100)
    times = [one["timestamp"] for one in found]
    assert times == sorted(times, reverse=True)
    count = 0
    for group, listed in fleet.groups(i).items():
        at = fleet.times(i, group, start, now + 1)
        names = {series.name for series in listed}
        mine = [one for one in reversed(found) if names <= one["values"].keys()]
        assert [one["timestamp"] for one in mine] == at.tolist()
        assert all(one["values"].keys() == names | {"_version", "meta_deviceId"} for one in mine)
        for series in listed:
            values = np.array([one["values"][series.name] for one in mine])
            np.testing.assert_array_equal(values, fleet.value(i, series, at))
        count += at.size
    assert count == len(found) > 0
    last = hub.get(f"/events/last-known/{TYPES[fleet.kind(i)]}/{fleet[i].serial}")
    assert last["records"][0]["timestamp"] == fleet.last_seen(i)


def test_nothing_lies_in_the_future(hub):
    now = hub.clock.now()
    assert records(hub, 1, now + 1, now + 86_400_000, 10) == []


def test_the_operations(hub):
    fleet, now = hub.fleet, hub.clock.now()
    statuses = Counter()
    for row in hub.devices():
        i = fleet.index_of(row["deviceIdentifier"])
        place = f"/devices/{row['type']}/{row['deviceIdentifier']}/operations"
        found = hub.get(place, owner=row["enrolmentInfo"]["owner"], limit=100)
        expected = fleet.operations(i, fleet.start, now + 1)[::-1]
        assert found["count"] == len(expected)
        for one, operation in zip(found["operations"], expected, strict=True):
            at = datetime.fromisoformat(one["createdTimeStamp"].ljust(23, "0")).replace(tzinfo=UTC)
            assert round(at.timestamp() * 1000) == operation.created
            assert one["status"] == STATUS[operation.status(now)]
            statuses[one["status"]] += 1
            if one["status"] == "ERROR":
                seen = hub.get(f"/activities/{one['activityId']}/{row['type']}/{row['deviceIdentifier']}")
                assert seen["activityStatus"][0]["responses"][0]["response"] == operation.failure
    assert statuses["ERROR"] > 0 < statuses["COMPLETED"]


def test_activities_are_the_same_operations(hub):
    fleet, now = hub.fleet, hub.clock.now()
    found = Counter()
    offset = 0
    while True:
        page = hub.get("/activities", since="Sat, 1 Jan 2000 00:00:00 GMT", limit=100, offset=offset)
        rows = [(a["activityId"], s["status"]) for a in page["activities"] for s in a["activityStatus"]]
        found.update(status for _, status in rows)
        offset += len(rows)
        if len(rows) < 100:
            break
    expected = Counter(
        STATUS[one.status(now)]
        for i in range(len(fleet))
        for one in fleet.operations(i, fleet.start, now + 1)
    )
    assert found == expected
    assert offset == page["count"]


def test_activities_follow_the_clock(start):
    hub = start(devices=20, days=5, switches={"start": "fleet"})
    fleet = hub.fleet
    for _ in range(3):
        now = hub.clock.now()
        made = sum(len(fleet.operations(i, fleet.start, now + 1)) for i in range(20))
        assert hub.get("/activities", since="Sat, 1 Jan 2000 00:00:00 GMT")["count"] == made
        hub.clock.advance(2 * 86_400_000)


@pytest.mark.parametrize(
    ("faults", "status"), [({"fail_every": 1}, 503), ({"rate_limit": 0.001}, 429)], ids=["503", "429"]
)
def test_refusals_on_demand(start, faults, status):
    hub = start(devices=3)
    hub.token()
    hub.running.faults.set("wso2", **faults)
    hub.send("GET", "/token")
    answer = hub("GET", "/devices")
    assert answer.status_code == status
    hub.running.faults.clear()
    assert hub("GET", "/devices").status_code == 200


def test_latency_and_broken_connections(start):
    hub = start(devices=3)
    hub.token()
    hub.running.faults.set("wso2", latency=0.1)
    begun = time.perf_counter()
    hub("GET", "/device-types")
    assert time.perf_counter() - begun >= 0.1
    hub.running.faults.set("wso2", latency=0, drop_every=1)
    with pytest.raises(requests.exceptions.RequestException):
        hub("GET", "/device-types")
    hub.running.faults.clear()


def test_tokens_may_live_shortly_or_be_revoked(start):
    hub = start(devices=3)
    hub.running.faults.set("wso2", token_seconds=5)
    client = hub.register()
    found = hub.login(client, scope="perm:devices:view")
    assert found["expires_in"] == 5
    headers = {"Authorization": f"Bearer {found['access_token']}"}
    place = "/api/device-mgt/v1.0/devices"
    assert hub.send("GET", place, headers=headers).status_code == 200
    hub.clock.advance(5_000)
    assert "900903" in hub.send("GET", place, headers=headers).text
    again = hub.login(client, scope="perm:devices:view")
    assert again["access_token"] != found["access_token"]
    hub.running.faults.set("wso2", revoke_every=1)
    headers = {"Authorization": f"Bearer {again['access_token']}"}
    answer = hub.send("GET", place, headers=headers)
    assert (answer.status_code, "900901" in answer.text) == (401, True)
    hub.running.faults.clear()


def test_a_reset_forgets_what_was_made_and_keeps_logins(start):
    hub = start(devices=3)
    before = hub.devices()
    body = {"type": "firealarm", "deviceIdentifier": "777", "name": "new"}
    assert hub("POST", "/device/agent/enroll", body).status_code == 200
    assert len(hub.devices()) == len(before) + 1
    hub.switch(start="fleet")
    hub.running.seed(7, devices=5)
    rows = hub.devices()
    assert [row["name"] for row in rows] == [device.name for device in hub.running.fleet]
    hub.switch(start=None)
    hub.running.reset()
    assert len(hub.devices()) == 37


def test_a_data_file_outlives_the_sandbox(tmp_path):
    options = {"devices": 4, "days": 2, "data": tmp_path / "wso2.sqlite"}
    register = "/api-application-registration/register"
    body = {"applicationName": "kept", "tags": ["device_management", "device_agent"]}
    seen = []
    for _ in range(2):
        with sandbox.start({"wso2": module}, **options) as running:
            base = running["wso2"].base_url
            keys = requests.post(base + register, json=body, auth=("admin", "admin"), timeout=10).json()
            client = keys["client_id"], keys["client_secret"]
            form = {"grant_type": "password", "username": "admin", "password": "admin"}
            form["scope"] = "perm:devices:view perm:device:enroll perm:devices:update"
            token = requests.post(base + "/token", data=form, auth=client, timeout=10).json()
            headers = {"Authorization": f"Bearer {token['access_token']}"}
            place = f"{base}/api/device-mgt/v1.0"
            new = {"type": "windows", "deviceIdentifier": f"pc-{len(seen)}", "name": f"PC {len(seen)}"}
            done = requests.post(f"{place}/device/agent/enroll", json=new, headers=headers, timeout=10)
            assert done.status_code == 200
            rows = requests.get(f"{place}/devices?limit=100", headers=headers, timeout=10).json()
            seen.append(SimpleNamespace(keys=keys, rows=rows, password=running["wso2"].connect["password"]))
            running.raise_errors()
    first, second = seen
    assert first.keys == second.keys
    assert first.password == second.password
    assert second.rows["count"] == first.rows["count"] + 1 == 38
    assert [row["id"] for row in second.rows["devices"][:37]] == [row["id"] for row in first.rows["devices"]]


def test_a_fleet_of_20000_is_listed_quickly(start):
    hub = start(devices=20_000, switches={"start": "fleet"})
    hub.token()
    begun = time.perf_counter()
    for offset in range(0, 20_000, 2_000):
        page = hub.get("/devices", limit=100, offset=offset)
        assert (len(page["devices"]), page["count"]) == (100, 20_000)
    assert time.perf_counter() - begun < 10
    begun = time.perf_counter()
    pumps = [hub.get("/devices", type="pump", limit=100, offset=n)["count"] for n in range(0, 1000, 100)]
    assert len(set(pumps)) == 1
    assert time.perf_counter() - begun < 10
