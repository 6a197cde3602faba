"""Documents of the server become rows; nothing is made up."""

import json
from pathlib import Path
from typing import Any

import pytest

from iotnb import frames, times
from iotnb.platforms.wso2 import rows

DOCUMENTS = Path(__file__).parents[2] / "documents" / "wso2"


def document(name: str) -> Any:
    return json.loads((DOCUMENTS / f"{name}.json").read_text())


def at(text: str) -> Any:
    return times.from_wire(text)


def test_a_device_is_named_by_type_and_identifier() -> None:
    listed = document("devices")["devices"]
    row = rows.device(listed[0])
    assert row["device"] == "SmartStreetLamp/01010100010001"
    assert (row["name"], row["type"], row["owner"]) == ("0001", "SmartStreetLamp", "admin")
    assert row["created"] == at("2018-03-22T08:57:29.753Z")
    assert (row["status"], row["last_seen"], row["parent"]) == ("online", None, None)
    assert row["labels"] == "status:ACTIVE, ownership:BYOD"


@pytest.mark.parametrize(
    ("status", "shown"),
    [("ACTIVE", "online"), ("INACTIVE", "offline"), ("UNREACHABLE", "offline"), ("CREATED", "unknown"),
     ("REMOVED", "unknown"), (None, "unknown")],
)  # fmt: skip
def test_an_enrolment_tells_whether_a_device_is_there(status: str | None, shown: str) -> None:
    assert rows.device({"enrolmentInfo": {"status": status}})["status"] == shown


def test_earlier_enrolments_are_labels_and_the_first_counts_as_created() -> None:
    old = {"id": 1, "owner": "admin", "status": "REMOVED", "dateOfEnrolment": 1_500_000_000_000}
    new = {"id": 2, "owner": "user111", "status": "ACTIVE", "dateOfEnrolment": 1_600_000_000_000}
    row = rows.device(
        {"type": "t", "deviceIdentifier": "007", "enrolmentInfo": new, "enrolments": [old, new]}
    )
    assert row["device"] == "t/007"
    assert row["created"] == times.from_ms(1_500_000_000_000)
    assert row["owner"] == "user111"
    assert row["labels"] == "status:ACTIVE, earlier:admin REMOVED"
    assert rows.before(old, new)
    assert not rows.before(new, old)
    assert rows.before(old | {"id": 5}, new | {"dateOfEnrolment": 1})  # removed counts less than old


def test_a_record_is_typed_by_its_definition() -> None:
    types = rows.attributes(document("definition"))
    assert types == {"temperature": "DOUBLE", "status": "STRING", "humidity": "FLOAT"}
    made = rows.values(document("records")["records"][0], "firealarm/123422", types)
    assert {(row["series"], row["value"], row["text"]) for row in made} == {
        ("temperature", 20.0, None),
        ("humidity", 20.0, None),
        ("status", None, "workingh"),
    }
    assert {row["time"] for row in made} == {at("2018-03-06T06:42:12.000Z")}


@pytest.mark.parametrize(
    ("value", "kind", "number", "text"),
    [
        (20.0, "DOUBLE", 20.0, None),
        (7, "LONG", 7.0, None),
        (2**53 + 1, "LONG", None, str(2**53 + 1)),
        (True, "BOOL", None, "true"),
        ("010", "STRING", None, "010"),
        (12, "STRING", None, "12"),
        (1.5, "", 1.5, None),
        ("x", "", None, "x"),
        ([1, 2], "", None, "[1,2]"),
    ],
)
def test_values_keep_their_kind(value: Any, kind: str, number: float | None, text: str | None) -> None:
    made = rows.values({"timestamp": 1, "values": {"a": value}}, "t/1", {"a": kind} if kind else {})
    assert [(row["value"], row["text"]) for row in made] == [(number, text)]


def test_what_the_server_adds_is_left_out_unless_it_is_defined() -> None:
    record = {"timestamp": 1, "values": {"meta_x": 1, "_version": "1", "a": None, "b": 2}}
    assert [row["series"] for row in rows.values(record, "t/1", {})] == ["b"]
    assert {row["series"] for row in rows.values(record, "t/1", {"meta_x": "INT", "b": "INT"})} == {
        "meta_x",
        "b",
    }


def test_records_are_told_apart() -> None:
    one = {"timestamp": 1, "values": {"a": 1, "b": 2}}
    assert rows.record_key(one) == rows.record_key({"timestamp": 1, "values": {"b": 2, "a": 1}})
    assert rows.record_key(one) != rows.record_key({"timestamp": 1, "values": {"a": 1, "b": 3}})
    assert rows.record_key(one | {"id": "x"}) == "x"


def test_an_operation_with_its_latency() -> None:
    told = document("operations")["operations"][0]
    row = rows.operation({"operation": told, "device": "android/d24f", "zone": "UTC"})
    assert row["operation"] == "ACTIVITY_13"
    assert (row["kind"], row["status"], row["platform_status"]) == ("DEVICE_RING", "SUCCESSFUL", "COMPLETED")
    assert row["time"] == at("2016-08-03T14:00:54.603Z")
    assert row["finished"] == at("2016-08-03T14:01:02.000Z")
    assert row["duration"] == pytest.approx(7.397)
    kolkata = rows.operation({"operation": told, "device": "android/d24f", "zone": "Asia/Kolkata"})
    assert kolkata["time"] == at("2016-08-03T08:30:54.603Z")
    assert kolkata["duration"] == row["duration"]


def test_a_waiting_operation_has_no_latency_though_it_carries_a_stamp() -> None:
    told = {
        "status": "PENDING",
        "createdTimeStamp": "2016-08-03 14:00:54.603",
        "receivedTimeStamp": "2016-08-03 14:00:54.0",
    }
    row = rows.operation({"operation": told})
    assert (row["status"], row["finished"], row["duration"]) == ("PENDING", None, None)


def test_latency_is_never_negative() -> None:
    told = {
        "status": "COMPLETED",
        "createdTimeStamp": "2016-08-03 14:00:54.603",
        "receivedTimeStamp": "2016-08-03 14:00:54.0",
    }
    row = rows.operation({"operation": told})
    assert row["finished"] == row["time"]
    assert row["duration"] == 0.0


@pytest.mark.parametrize(
    ("status", "shown"),
    [("PENDING", "PENDING"), ("IN_PROGRESS", "EXECUTING"), ("COMPLETED", "SUCCESSFUL"), ("ERROR", "FAILED"),
     ("REPEATED", "CANCELLED"), ("INVALID", "FAILED"), ("SOMETHING", None)],
)  # fmt: skip
def test_states_of_operations(status: str, shown: str | None) -> None:
    row = rows.operation({"operation": {"status": status}})
    assert (row["status"], row["platform_status"]) == (shown, status)


def test_a_failed_operation_says_what_the_device_answered() -> None:
    activity = document("activities")["activities"][0]
    status = activity["activityStatus"][0]
    failed = {"operation": {"status": "ERROR"}, "answer": status | {"status": "ERROR"}}
    assert rows.operation(failed)["failure"] == "not reachable"
    assert rows.operation({"operation": {"status": "ERROR"}})["failure"] == "ERROR"


def test_an_activity_is_an_operation_too() -> None:
    activity = document("activities")["activities"][0]
    status = activity["activityStatus"][0]
    row = rows.operation(
        {"activity": activity, "answer": status, "device": "android/d24f", "zone": "Asia/Kolkata"}
    )
    assert row["time"] == at("2016-10-06T05:48:47.000Z")
    assert (row["operation"], row["status"], row["finished"]) == ("ACTIVITY_1", "PENDING", None)
    done = rows.operation(
        {"activity": activity, "answer": status | {"status": "COMPLETED"}, "zone": "Asia/Kolkata"}
    )
    assert done["finished"] == at("2016-10-06T05:48:47.000Z")


def test_a_notification_is_an_alarm_with_the_time_of_its_operation() -> None:
    told = document("notifications")["notifications"][0]
    row = rows.alarm({"notification": told})
    assert (row["alarm"], row["device"], row["status"]) == ("1", "android/X", "ACTIVE")
    assert row["type"] == "DEVICE_LOCATION"
    assert row["time"] is None
    assert row["severity"] is None
    timed = rows.alarm(
        {
            "notification": told | {"status": "CHECKED"},
            "answer": {"updatedTimestamp": "Thu Oct 06 11:18:47 UTC 2016"},
        }
    )
    assert timed["time"] == at("2016-10-06T11:18:47.000Z")
    assert timed["status"] == "CLEARED"


def test_the_progress_of_an_operation_is_an_event() -> None:
    activity = document("activities")["activities"][0]
    status = activity["activityStatus"][0]
    told = {"activity": activity, "answer": status, "device": "android/d24f", "zone": "Asia/Kolkata"}
    row = rows.event(told)
    assert (row["event"], row["type"]) == ("ACTIVITY_1", "operation PENDING")
    assert row["text"] == "DEVICE_RING: not reachable"
    assert row["time"] == at("2016-10-06T05:48:47.000Z")
    del status["updatedTimestamp"]
    assert rows.event(told)["time"] == at("2016-10-06T05:48:50.100Z")  # its last answer


def test_rows_make_tables() -> None:
    made = [rows.device(each) for each in document("devices")["devices"]]
    assert list(frames.table("devices", made)["device"]) == ["SmartStreetLamp/01010100010001"]
    assert frames.table("alarms", [rows.alarm({})]).shape[0] == 1
    assert (
        frames.table("events", [rows.event({"alert": {"timestamp": 5, "values": {"a": 1}}})]).loc[0, "text"]
        == '{"a":1}'
    )
