"""Operations of all owners in one frame; alarms with the time of what failed; geo alerts beyond a hundred."""

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from badserver import Seen, reply

from iotnb import errors, sandbox, times
from iotnb.platforms.wso2 import WSO2

Enter = Callable[..., WSO2]
API = "/api/device-mgt/v1.0"
OPERATIONS = f"{API}/devices/android/1/operations"
DAY = {"since": "2016-08-03", "until": "2016-08-04"}


def operation(number: int, created: str, status: str = "COMPLETED", received: str = "") -> Any:
    return {
        "code": "DEVICE_RING",
        "type": "COMMAND",
        "id": number,
        "status": status,
        "receivedTimeStamp": received or created.partition(".")[0] + ".0",
        "createdTimeStamp": created,
        "isEnabled": False,
        "activityId": f"ACTIVITY_{number}",
    }


def paged(rows: list[Any], key: str = "operations", *, count: int | None = None) -> Any:
    def step(seen: Seen, sock: Any) -> bool:
        start, limit = int(seen.query.get("offset", 0)), int(seen.query.get("limit", 20))
        body = {key: rows[start : start + limit], "count": len(rows) if count is None else count}
        return bool(reply(body)(seen, sock))

    return step


@pytest.fixture
def phone(scripted: SimpleNamespace) -> SimpleNamespace:
    """The scripted gateway with one Android device of two owners, one after the other."""
    rows = [
        {"name": "phone", "type": "android", "deviceIdentifier": "1",
         "enrolmentInfo": {"id": n, "owner": owner, "status": status, "dateOfEnrolment": n}}
        for n, owner, status in ((1, "before", "REMOVED"), (2, "after", "ACTIVE"))
    ]  # fmt: skip
    scripted.bad.on(f"{API}/devices/android/1", reply(rows[1]))
    scripted.bad.on(f"{API}/devices", reply({"devices": rows, "count": 2}))
    return scripted


def owned(by: dict[str, list[Any]]) -> Any:
    """The operations of a device as each of its owners sees them."""

    def step(seen: Seen, sock: Any) -> bool:
        found = by.get(seen.query.get("owner", ""))
        if found is None:
            words = {
                "message": "Error occurred while fetching the operations for the device",
                "errorItems": [],
            }
            return bool(reply(words, 500)(seen, sock))
        return bool(paged(found)(seen, sock))

    return step


def test_all_owners_of_a_device_are_joined(phone: SimpleNamespace) -> None:
    after = [operation(n, f"2016-08-03 12:{n - 100:02d}:00.5") for n in range(155, 100, -1)]
    before = [operation(7, "2016-08-03 10:00:00.0")]
    phone.bad.on(OPERATIONS, owned({"after": after, "before": before}))
    frame = phone.client.operations("android/1", **DAY)
    assert len(frame) == 56
    assert frame["time"].is_monotonic_increasing
    assert {each.query["owner"] for each in phone.bad.seen if each.path == OPERATIONS} == {"after", "before"}
    assert "read as UTC (server_tz)" in frame.attrs["iotnb"]["notes"][0]


def test_what_was_created_before_the_window_ends_the_reading(phone: SimpleNamespace) -> None:
    old = [operation(n, f"2016-07-{1 + n // 30:02d} 12:00:00.0") for n in range(300, 0, -1)]
    phone.bad.on(OPERATIONS, owned({"after": [operation(900, "2016-08-03 12:00:00.0"), *old], "before": []}))
    frame = phone.client.operations("android/1", **DAY)
    assert list(frame["operation"]) == ["ACTIVITY_900"]
    assert phone.bad.count(OPERATIONS) == 3  # two pages of one owner, one of the other


def test_operations_that_are_counted_and_do_not_come_are_a_gap(phone: SimpleNamespace) -> None:
    phone.bad.on(OPERATIONS, paged([operation(5, "2016-08-03 12:00:00.0")], count=4))
    with pytest.raises(errors.Incomplete, match="counts 4 operations of after and gave 1"):
        phone.client.operations("android/1", **DAY)


def test_another_owner_meanwhile_is_looked_up_again(phone: SimpleNamespace) -> None:
    phone.bad.on(OPERATIONS, owned({"after": [operation(5, "2016-08-03 12:00:00.0")], "before": []}))
    assert len(phone.client.operations("android/1", **DAY)) == 1
    new = {
        "name": "phone",
        "type": "android",
        "deviceIdentifier": "1",
        "enrolmentInfo": {"id": 3, "owner": "third"},
    }
    phone.bad.on(f"{API}/devices/android/1", reply(new))
    phone.bad.on(f"{API}/devices", reply({"devices": [new], "count": 1}))
    phone.bad.on(OPERATIONS, owned({"third": [operation(6, "2016-08-03 13:00:00.0")]}))
    assert list(phone.client.operations("android/1", **DAY)["operation"]) == ["ACTIVITY_6"]


def test_a_device_whose_operations_cannot_be_read_is_named(phone: SimpleNamespace) -> None:
    phone.bad.on(OPERATIONS, owned({}))
    with pytest.raises(errors.ServerError, match="no such device, or another owner"):
        phone.client.operations("android/1", **DAY)


def test_states_failure_and_latency(phone: SimpleNamespace) -> None:
    told = [
        operation(3, "2016-08-03 12:00:03.25", "ERROR", "2016-08-03 12:00:09.0"),
        operation(2, "2016-08-03 12:00:02.5", "PENDING", "2016-08-03 12:00:02.0"),
        operation(1, "2016-08-03 12:00:01.5", "COMPLETED", "2016-08-03 12:00:04.0"),
    ]
    phone.bad.on(OPERATIONS, owned({"after": told, "before": []}))
    status = {
        "deviceIdentifier": {"id": "1", "type": "android"},
        "status": "ERROR",
        "responses": [{"response": "no network", "receivedTimeStamp": "2016-08-03 12:00:09.0"}],
        "updatedTimestamp": "Wed Aug 03 12:00:09 IST 2016",
    }
    activity = {
        "activityId": "ACTIVITY_3",
        "createdTimeStamp": "Wed Aug 03 12:00:03 IST 2016",
        "activityStatus": [status],
    }
    phone.bad.on(f"{API}/activities/ACTIVITY_3/android/1", reply(activity))
    frame = phone.client.operations("android/1", **DAY).set_index("operation")
    assert frame["status"].astype(str).to_dict() == {
        "ACTIVITY_1": "SUCCESSFUL", "ACTIVITY_2": "PENDING", "ACTIVITY_3": "FAILED",
    }  # fmt: skip
    assert frame.loc["ACTIVITY_3", "failure"] == "no network"
    assert frame.loc["ACTIVITY_1", "duration"] == pd.Timedelta(seconds=2.5)
    assert pd.isna(frame.loc["ACTIVITY_2", "duration"])
    notes = frame.attrs["iotnb"]["notes"]
    assert any("in IST, which is not UTC" in note for note in notes)
    failed = phone.client.operations("android/1", status="FAILED", **DAY)
    assert list(failed["operation"]) == ["ACTIVITY_3"]


def test_without_the_right_to_activities_failures_are_still_told(phone: SimpleNamespace) -> None:
    told = [operation(n, f"2016-08-03 12:00:{n:02d}.0", "ERROR") for n in (4, 3)]
    phone.bad.on(OPERATIONS, owned({"after": told, "before": []}))
    fault = {"fault": {"code": 900910, "message": "no scope", "description": "x"}}
    path = f"{API}/activities/ACTIVITY_4/android/1"
    phone.bad.on(path, reply(fault, 403))
    frame = phone.client.operations("android/1", **DAY)
    assert list(frame["failure"]) == ["ERROR", "ERROR"]
    assert any("activities cannot be read" in note for note in frame.attrs["iotnb"]["notes"])
    assert phone.bad.count(f"{API}/activities/ACTIVITY_3/android/1") == 0  # it was not asked again


# -- geo alerts


def alert(number: int, at: int) -> Any:
    return {
        "id": f"a{number}",
        "timestamp": at,
        "values": {"alertType": "Speed", "information": f"fast {number}"},
    }


def test_geo_alerts_beyond_a_hundred_are_read_by_moving_the_start(phone: SimpleNamespace) -> None:
    begin = times.to_ms(times.parse("2016-08-03"))
    every = [alert(n, begin + 1000 * (n // 2)) for n in range(250)]

    def first_hundred(seen: Seen, sock: Any) -> bool:
        start, end = int(seen.query["from"]), int(seen.query["to"])
        return bool(reply([each for each in every if start <= each["timestamp"] <= end][:100])(seen, sock))

    phone.bad.on(f"{API}/geo-services/alerts/history/android/1", first_hundred)
    phone.bad.on(f"{API}/activities", reply({"activities": [], "count": 0}))
    frame = phone.client.events("android/1", **DAY)
    assert len(frame) == 250
    assert frame["event"].is_unique
    assert set(frame["type"].astype(str)) == {"Speed"}
    assert frame.loc[0, "text"] == "fast 0"
    assert len(phone.client.events("android/1", type="Within", **DAY)) == 0


def test_a_moment_with_more_alerts_than_an_answer_is_a_gap(phone: SimpleNamespace) -> None:
    at = times.to_ms(times.parse("2016-08-03T12:00:00Z"))
    phone.bad.on(f"{API}/geo-services/alerts/history/android/1", reply([alert(n, at) for n in range(100)]))
    phone.bad.on(f"{API}/activities", reply({"activities": [], "count": 0}))
    with pytest.raises(errors.Incomplete, match="one moment holds more geo alerts"):
        phone.client.events("android/1", **DAY)


# -- notifications


def test_notifications_have_the_time_of_the_operation_that_failed(phone: SimpleNamespace) -> None:
    told = [
        {"id": n, "operationId": n,
         "description": "REBOOT operation failed to execute on device phone (ID: 1)",
         "status": status, "deviceIdentifier": "1", "deviceName": "phone", "deviceType": "android"}
        for n, status in ((1, "NEW"), (2, "CHECKED"), (3, "NEW"))
    ]  # fmt: skip
    phone.bad.on(f"{API}/notifications", paged(told, "notifications"))
    for n, day in ((1, "03"), (2, "05")):
        status = {
            "deviceIdentifier": {"id": "1", "type": "android"},
            "updatedTimestamp": f"Wed Aug {day} 12:00:09 UTC 2016",
        }
        activity = {"activityId": f"ACTIVITY_{n}", "code": "REBOOT", "activityStatus": [status]}
        phone.bad.on(f"{API}/activities/ACTIVITY_{n}/android/1", reply(activity))
    frame = phone.client.alarms("android/1", **DAY).set_index("alarm")
    assert set(frame.index) == {"1", "3"}  # the second is of another day; the third has no time
    assert frame.loc["1", "time"] == pd.Timestamp("2016-08-03T12:00:09Z")
    assert frame.loc["1", "status"] == "ACTIVE"
    assert pd.isna(frame.loc["3", "time"])
    notes = frame.attrs["iotnb"]["notes"]
    assert any("carry no time" in note for note in notes)
    assert any("kept without a time" in note for note in notes)
    assert len(phone.client.alarms("android/1", type="REBOOT", **DAY)) == 2


# -- against the sandbox


def test_a_fleets_operations_in_one_frame(client: WSO2) -> None:
    frame = client.operations(since="30d")
    assert frame["device"].nunique() > 10
    done = frame[frame["status"] == "SUCCESSFUL"]
    assert (done["duration"] >= pd.Timedelta(0)).all()
    failed = frame[frame["status"] == "FAILED"]
    assert len(failed) > 0
    assert (failed["failure"] != "ERROR").any()
    assert frame.attrs["iotnb"]["complete"]


def test_times_of_a_server_elsewhere_are_utc(
    enter: Enter, client: WSO2, running: sandbox.Sandbox, switches: dict[str, Any]
) -> None:
    here = client.operations(since="30d").set_index("operation")["time"]
    switches["server_tz"] = "Asia/Kolkata"
    there = enter(server_tz="Asia/Kolkata").operations(since="30d")
    assert "read as Asia/Kolkata" in there.attrs["iotnb"]["notes"][0]
    both = here.to_frame("here").join(there.set_index("operation")["time"].rename("there"), how="inner")
    assert len(both) > 10
    assert (both["here"] == both["there"]).all()
    wrong = client.operations(since="60d", until=times.now() + timedelta(days=1))
    assert any("which is not UTC" in note for note in wrong.attrs["iotnb"]["notes"])


def test_without_operations_activities_tell_them(enter: Enter, client: WSO2) -> None:
    narrow = enter(scopes="devices:view devices:details get-activity", application_name="activities only")
    assert not narrow.scopes.set_index("scope").loc["perm:devices:operations", "granted"]
    frame = narrow.operations(since="30d")
    assert any("read from activities" in note for note in frame.attrs["iotnb"]["notes"])
    fleet = ("gateway", "climate_sensor", "pump")  # other tests enrol other devices again and again
    expected = client.operations(since="30d")
    expected = expected[expected["device"].str.startswith(fleet)]
    assert set(expected["operation"]) == set(frame.loc[frame["device"].str.startswith(fleet), "operation"])
    one = expected["device"].iloc[0]
    assert set(narrow.operations(one, since="30d")["device"]) == {one}


def test_alarms_are_the_notifications(client: WSO2) -> None:
    frame = client.alarms(since="30d")
    told = client.api.notifications.list()
    assert len(frame) == len(told) >= 3
    assert frame["time"].notna().all()
    assert set(frame["status"].astype(str)) <= {"ACTIVE", "CLEARED"}
    assert frame["text"].str.contains("failed").all()


def test_a_server_without_locations_has_no_geo_alerts_and_says_so(client: WSO2) -> None:
    frame = client.events(since="2d")
    assert any("publishes no locations" in note for note in frame.attrs["iotnb"]["notes"])
    assert frame["type"].astype(str).str.startswith("operation ").all()


def test_events_are_the_progress_of_operations_and_geo_alerts(
    whole: WSO2, switches: dict[str, Any], running: sandbox.Sandbox
) -> None:
    operations = whole.operations(since="30d")
    done = operations[operations["status"] == "SUCCESSFUL"]
    events = whole.events(since="30d")
    assert set(done["operation"]) <= set(events["event"])
    both = events.merge(done, left_on=["event", "device"], right_on=["operation", "device"])
    assert len(both) == len(done) > 5
    assert (both["time_x"].dt.floor("s") == both["finished"].dt.floor("s")).all()
    one = done["device"].iloc[0]
    assert set(whole.events(one, since="30d")["device"].astype(str)) == {str(one)}
    only = whole.events(since="30d", type="operation COMPLETED")
    assert set(only["type"].astype(str)) == {"operation COMPLETED"}


def test_an_ordinary_user_has_geo_alerts_and_is_told_what_is_missing(
    enter: Enter, switches: dict[str, Any]
) -> None:
    plain = {"username": "user111", "password": "user111", "application_name": "events of user111"}
    client = enter(**plain)
    mine = client.devices()["device"].iloc[0]
    missing = client.scopes.set_index("scope").loc["perm:geo-service:alerts-manage"]
    if missing["granted"]:
        frame = client.events(mine, since="2d")
        assert any("progress of operations are left out" in note for note in frame.attrs["iotnb"]["notes"])
    else:
        with pytest.raises(errors.Forbidden):
            client.events(mine, since="2d")


def test_without_geo_alerts_the_progress_is_still_told(enter: Enter) -> None:
    client = enter(scopes="devices:view devices:details get-activity", application_name="no geo")
    frame = client.events(since="30d")
    assert len(frame) > 5
    assert any("geo alerts are left out: 403" in note for note in frame.attrs["iotnb"]["notes"])


def test_neither_kind_of_events_is_an_error_that_says_so(enter: Enter) -> None:
    client = enter(scopes="devices:view devices:details", application_name="no events")
    with pytest.raises(errors.Forbidden, match="was not granted"):
        client.events(since="2d")
