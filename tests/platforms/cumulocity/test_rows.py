"""Rows are what a user sees of a document: every column, every state, and documents that lack things."""

import json

import pytest

from iotnb import frames
from iotnb.platforms.cumulocity import rows

RASPBERRY = {
    "id": "2480300",
    "name": "RaspPi BCM2708 0000000017b769d5",
    "type": "c8y_Linux",
    "owner": "device_0000000017b769d5",
    "creationTime": "2013-08-30T10:12:24.378+02:00",
    "c8y_IsDevice": {},
    "c8y_Hardware": {"serialNumber": "0000000017b769d5"},
    "c8y_Availability": {"status": "AVAILABLE", "lastMessage": "2020-01-31T11:22:33.456Z"},
    "deviceParents": {"references": [{"managedObject": {"id": "77", "name": "gateway"}}]},
    "assetParents": {
        "references": [{"managedObject": {"id": "5", "name": "Hall 1"}}, {"managedObject": {"id": "6"}}]
    },
}
MEASUREMENT = {
    "id": "1",
    "source": {"id": "251982"},
    "time": "2020-03-19T12:03:27.845Z",
    "type": "c8y_TemperatureMeasurement",
    "a": {"value": 3.141592653589793, "unit": "RAD"},
    "c8y_Steam": {
        "Temperature": {"unit": "C", "value": 100},
        "broken": {"value": False},
        "list": {"value": [42]},
        "bare": {"value": 7},
    },
    "e": 42,
}


def test_device_has_every_column_of_the_table() -> None:
    assert rows.device(RASPBERRY) == {
        "device": "2480300",
        "name": "RaspPi BCM2708 0000000017b769d5",
        "type": "c8y_Linux",
        "status": "online",
        "last_seen": "2020-01-31T11:22:33.456Z",
        "created": "2013-08-30T10:12:24.378+02:00",
        "parent": "77",
        "owner": "device_0000000017b769d5",
        "labels": "Hall 1, 6",
    }


def test_device_without_anything_but_an_integer_id() -> None:
    row = rows.device({"id": 7})
    assert row.pop("device") == "7"
    assert row.pop("status") == "unknown"
    assert set(row.values()) == {None}


@pytest.mark.parametrize(
    ("availability", "connection", "status"),
    [
        ("AVAILABLE", None, "online"),
        ("UNAVAILABLE", "CONNECTED", "offline"),
        ("MAINTENANCE", "CONNECTED", "online"),
        ("MAINTENANCE", "DISCONNECTED", "offline"),
        ("MAINTENANCE", "MAINTENANCE", "unknown"),
        (None, "DISCONNECTED", "offline"),
        ("available", None, "online"),
        (None, None, "unknown"),
    ],
)
def test_status(availability: str | None, connection: str | None, status: str) -> None:
    document = {"id": "1"}
    document |= {"c8y_Availability": {"status": availability}} if availability else {}
    document |= {"c8y_Connection": {"status": connection}} if connection else {}
    assert rows.device(document)["status"] == status


def test_expanding_keeps_leading_zeros_and_dotted_paths() -> None:
    frame = frames.table("devices", [rows.device(RASPBERRY)], documents=[RASPBERRY])
    assert frame["c8y_Hardware.serialNumber"].tolist() == ["0000000017b769d5"]
    assert str(frame["created"][0]) == "2013-08-30 08:12:24.378000+00:00"


def test_only_numbers_are_values() -> None:
    assert list(rows.values(MEASUREMENT)) == [
        ("c8y_Steam.Temperature", 100, "C"),
        ("c8y_Steam.bare", 7, None),
    ]


def test_latest_of_a_series() -> None:
    assert rows.latest("251982", "c8y_Steam.Temperature", MEASUREMENT) == {
        "time": "2020-03-19T12:03:27.845Z",
        "device": "251982",
        "series": "c8y_Steam.Temperature",
        "value": 100.0,
        "text": None,
        "unit": "C",
    }
    assert rows.latest("251982", "c8y_Steam.broken", MEASUREMENT) is None


def test_series_takes_the_newest_unit() -> None:
    old = {"time": "2019-01-01T00:00:00Z", "x": {"y": {"value": 1, "unit": "F"}}}
    new = {"time": "2020-01-01T00:00:00Z", "x": {"y": {"value": 1, "unit": "C"}}}
    row = rows.series("1", "x.y", first=old, last=new)
    assert (row["unit"], row["first"], row["last"]) == ("C", old["time"], new["time"])
    assert rows.series("1", "x.y") == {
        "device": "1", "series": "x.y", "unit": None, "kind": "number", "first": None, "last": None,
    }  # fmt: skip


OPERATION = {
    "id": "2593101",
    "deviceId": "2480300",
    "deviceName": "RaspPi",
    "deviceExternalIDs": {"externalIds": []},
    "creationTime": "2013-08-29T19:49:15.239+02:00",
    "status": "FAILED",
    "failureReason": "no power",
    "description": "Restart",
    "c8y_Configuration": {"config": "größe=1\n"},
    "c8y_Extra": {},
}


def test_operation_without_audit_knows_no_end() -> None:
    row = rows.operation(OPERATION)
    assert row["kind"] == "c8y_Configuration"
    assert row["status"] == row["platform_status"] == "FAILED"
    assert row["failure"] == "no power"
    assert row["parameters"] == '{"config":"größe=1\\n"}'
    assert json.loads(row["parameters"]) == OPERATION["c8y_Configuration"]
    assert row["finished"] is None
    assert row["duration"] is None


def test_operation_with_audit_ends_at_the_last_change_and_never_in_1970() -> None:
    document = rows.Document(OPERATION)
    document.audit = [
        {"time": "1970-01-01T00:00:00Z", "creationTime": "2013-08-29T17:49:20.000Z",
         "changes": [{"attribute": "status", "newValue": "EXECUTING", "previousValue": "PENDING"}]},
        {"time": "1970-01-01T00:00:00Z", "creationTime": "2013-08-29T19:50:15.239+02:00",
         "changes": [{"attribute": "failureReason", "newValue": "no power"},
                     {"attribute": "status", "newValue": "FAILED", "previousValue": "PENDING"}]},
    ]  # fmt: skip
    row = rows.operation(document)
    assert row["finished"] == "2013-08-29T19:50:15.239+02:00"
    assert row["duration"] == 60.0


def test_operation_ids_of_bulk_operations_are_text() -> None:
    row = rows.operation(
        {"id": 139, "deviceId": 7, "status": "PENDING", "creationTime": "2020-01-01T00:00:00Z"}
    )
    assert (row["operation"], row["device"], row["kind"], row["parameters"]) == ("139", "7", None, None)


def test_a_fragment_that_is_no_object_is_still_the_kind() -> None:
    assert rows.kind({"id": "1", "status": "PENDING", "note": "x"}) == "note"
    assert rows.kind({"id": "1", "note": "x", "c8y_Restart": {}}) == "c8y_Restart"


def test_event() -> None:
    document = {
        "id": "5",
        "source": {"id": "2480300"},
        "type": "LocationUpdate",
        "text": "moved",
        "time": "t",
    }
    assert rows.event(document) == {
        "time": "t", "event": "5", "device": "2480300", "type": "LocationUpdate", "text": "moved",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("more", "first_seen", "cleared", "count"),
    [
        ({"count": 1}, "T", None, 1),
        ({}, "T", None, 1),
        ({"count": 3, "firstOccurrenceTime": "F"}, "F", None, 3),
        ({"count": 3}, "C", None, 3),
        ({"count": 1, "status": "CLEARED"}, "T", "U", 1),
    ],
)
def test_alarm(more: dict, first_seen: str, cleared: str | None, count: int) -> None:
    document = {
        "id": "214600", "source": {"id": "2480300"}, "type": "c8y_PowerAlarm", "text": "lost power",
        "severity": "MAJOR", "status": "ACTIVE", "time": "T", "creationTime": "C", "lastUpdated": "U",
    } | more  # fmt: skip
    row = rows.alarm(document)
    assert (row["first_seen"], row["cleared"], row["count"]) == (first_seen, cleared, count)
    assert row["severity"] == "MAJOR"
    assert row["device"] == "2480300"
