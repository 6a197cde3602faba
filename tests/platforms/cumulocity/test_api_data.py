"""Measurements, events, alarms, operations and audit: what devices send and what is sent to them."""

from datetime import UTC, datetime, timedelta

import pytest

from iotnb import sandbox
from iotnb.errors import BadAnswer, ConfigError, Conflict, Invalid, NotFound
from iotnb.platforms.cumulocity import Cumulocity

START = datetime(2026, 1, 1, tzinfo=UTC)


def measurement(device: str, minute: float, value: float = 1.0) -> dict:
    moment = START + timedelta(minutes=minute)
    return {
        "source": {"id": device},
        "type": "t",
        "time": moment.isoformat(timespec="milliseconds"),
        "c8y_SignalStrength": {"rssi": {"value": value, "unit": "dBm"}, "ber": {"value": 0.14, "unit": "%"}},
    }


def test_a_measurement(client: Cumulocity, device: str) -> None:
    made = client.api.measurements.create(measurement(device, 0, -53))
    assert made["c8y_SignalStrength"]["rssi"] == {"value": -53, "unit": "dBm"}
    assert made["source"]["id"] == device
    with pytest.raises(Invalid):
        client.api.measurements.create({"source": {"id": device}})


def test_many_measurements_in_chunks_and_back(client: Cumulocity, device: str) -> None:
    sent = len(client.exchanges)
    made = client.api.measurements.create_many([measurement(device, n, n) for n in range(2500)])
    assert len(made) == 2500
    assert [each.method for each in client.exchanges[sent:]] == ["POST"] * 3
    assert client.api.measurements.count(source=device) == 2500
    found = list(client.api.measurements.list(source=device, pageSize=999))
    assert [each["c8y_SignalStrength"]["rssi"]["value"] for each in found] == list(range(2500))
    asked = client.exchanges[-1].url
    assert "revert=false" in asked
    newest = client.api.measurements.page(source=device, revert=True, pageSize=1)["measurements"][0]
    assert newest["c8y_SignalStrength"]["rssi"]["value"] == 2499
    part = client.api.measurements.list(
        source=device, dateFrom=START + timedelta(minutes=10), dateTo=START + timedelta(minutes=12)
    )
    assert [each["c8y_SignalStrength"]["rssi"]["value"] for each in part] == [10, 11]


def test_a_failed_chunk_says_how_much_is_stored(client: Cumulocity, device: str) -> None:
    documents = [measurement(device, n) for n in range(1000)] + [{"source": {"id": device}}]
    with pytest.raises(Invalid) as caught:
        client.api.measurements.create_many(documents)
    assert "1000 of 1001" in caught.value.__notes__[0]
    assert client.api.measurements.count(source=device) == 1000


def test_the_csv_format(client: Cumulocity, device: str) -> None:
    client.api.measurements.create_many([measurement(device, n, n) for n in range(30)])
    lines = list(client.api.measurements.csv(source=device, pageSize=7))
    assert len(lines) == 60
    assert {"time", "source", "value", "unit"} <= set(lines[0])
    assert {line["source"] for line in lines} == {device}


def test_series_and_their_cut(client: Cumulocity, device: str, running: sandbox.Sandbox) -> None:
    client.api.measurements.create_many([measurement(device, n, n) for n in range(120)])
    end = START + timedelta(days=1)
    running.faults.set("cumulocity", truncate=50)
    cut = client.api.measurements.series(
        device, dateFrom=START, dateTo=end, series=["c8y_SignalStrength.rssi"]
    )
    assert cut["truncated"] is True
    assert len(cut["values"]) == 50
    pages = list(
        client.api.measurements.series_pages(
            device, dateFrom=START, dateTo=end, series="c8y_SignalStrength.rssi"
        )
    )
    assert len(pages) == 3
    merged = {moment for page in pages for moment in page["values"]}
    assert len(merged) == 120
    assert pages[0]["series"] == [{"type": "c8y_SignalStrength", "name": "rssi", "unit": "dBm"}]


def test_series_reduced_by_the_server(client: Cumulocity, device: str) -> None:
    client.api.measurements.create_many([measurement(device, n, n) for n in range(120)])
    found = client.api.measurements.series(
        device, dateFrom=START, dateTo=START + timedelta(days=1), series=["c8y_SignalStrength.rssi"],
        aggregationType="HOURLY",
    )  # fmt: skip
    assert [row[0] for row in found["values"].values()] == [{"min": 0, "max": 59}, {"min": 60, "max": 119}]


def test_a_series_that_cannot_get_on_is_loud(
    client: Cumulocity, device: str, running: sandbox.Sandbox
) -> None:
    client.api.measurements.create_many([measurement(device, n, n) for n in range(3)])
    running.faults.set("cumulocity", truncate=1)
    with pytest.raises(BadAnswer, match="does not get past"):
        list(client.api.measurements.series_pages(device, dateFrom=START, dateTo=START + timedelta(days=1)))


def test_a_series_needs_its_window(client: Cumulocity, device: str) -> None:
    with pytest.raises(ConfigError, match="dateTo"):
        client.api.measurements.series(device, dateFrom=START)


def test_measurements_are_not_deleted_without_a_bound(client: Cumulocity, device: str) -> None:
    client.api.measurements.create(measurement(device, 0))
    for filters in ({}, {"type": "t"}):
        with pytest.raises(ConfigError):
            client.api.measurements.delete_many(**filters)
    client.api.measurements.delete_many(source=device)
    assert client.api.measurements.count(source=device) == 0


# -- events ----------------------------------------------------------------------------------------------


def event(device: str, minute: int) -> dict:
    moment = (START + timedelta(minutes=minute)).isoformat()
    return {"source": {"id": device}, "type": "LocationUpdate", "text": f"moved {minute}", "time": moment}


def test_events_come_oldest_first(client: Cumulocity, device: str) -> None:
    for minute in (3, 1, 2):
        client.api.events.create(event(device, minute))
    assert [each["text"] for each in client.api.events.list(source=device)] == [
        "moved 1",
        "moved 2",
        "moved 3",
    ]
    assert "revert=true" in client.exchanges[-1].url
    assert "dateFrom=1970-01-01" in client.exchanges[-1].url
    newest = client.api.events.list(source=device, revert=False)
    assert next(newest)["text"] == "moved 3"


def test_an_event_can_be_changed_and_deleted(client: Cumulocity, device: str) -> None:
    made = client.api.events.create(event(device, 1))
    changed = client.api.events.update(
        made["id"], {"text": "corrected", "c8y_Position": {"lat": 51.2, "lng": 6.1}}
    )
    assert changed["text"] == "corrected"
    assert client.api.events.get(made["id"])["c8y_Position"] == {"lat": 51.2, "lng": 6.1}
    client.api.events.delete(made["id"])
    assert client.api.events.find(made["id"]) is None
    with pytest.raises(ConfigError, match="at least one filter"):
        client.api.events.delete_many()


def test_a_file_at_an_event(client: Cumulocity, device: str) -> None:
    events, made = client.api.events, client.api.events.create(event(device, 1))["id"]
    assert events.find_binary(made) is None
    with pytest.raises(NotFound):
        events.binary(made)
    content = bytes(range(256)) * 10
    events.create_binary(made, content, name='lo"g.bin')
    assert events.binary(made) == content
    assert events.get(made)["c8y_IsBinary"]["length"] == len(content)
    with pytest.raises(Conflict):
        events.create_binary(made, content)
    events.update_binary(made, b"text", type="text/plain", name="log.txt")
    assert events.find_binary(made) == b"text"
    events.delete_binary(made)
    assert events.find_binary(made) is None


# -- alarms ----------------------------------------------------------------------------------------------


def alarm(device: str, kind: str = "c8y_PowerAlarm") -> dict:
    return {
        "source": {"id": device}, "type": kind, "text": "lost power", "severity": "MAJOR", "status": "ACTIVE",
        "time": START.isoformat(),
    }  # fmt: skip


def test_alarms_are_merged_counted_and_cleared(client: Cumulocity, device: str) -> None:
    alarms = client.api.alarms
    first = alarms.create(alarm(device))
    assert alarms.create(alarm(device))["id"] == first["id"]
    assert alarms.get(first["id"])["count"] == 2
    alarms.create(alarm(device, "c8y_Other"))
    assert alarms.count(source=device) == 2
    assert alarms.count(source=device, type=["c8y_PowerAlarm", "c8y_Third"]) == 1
    assert alarms.update(first["id"], {"status": "CLEARED"})["status"] == "CLEARED"
    assert [each["type"] for each in alarms.list(source=device, resolved=False)] == ["c8y_Other"]
    assert alarms.update_many({"status": "ACKNOWLEDGED"}, source=device, status=["ACTIVE"]) in {200, 202}
    assert [each["status"] for each in alarms.list(source=device, resolved=False)] == ["ACKNOWLEDGED"]
    with pytest.raises(ConfigError, match="at least one filter"):
        alarms.update_many({"status": "CLEARED"})
    alarms.delete_many(source=device)
    assert alarms.count(source=device) == 0


def test_upsert(client: Cumulocity, device: str) -> None:
    made = client.api.alarms.upsert(alarm(device))
    again = client.api.alarms.upsert({**alarm(device), "severity": "CRITICAL"})
    assert again["alarm"]["id"] == made["alarm"]["id"]
    assert again["alarm"]["severity"] == "CRITICAL"
    assert again["previousState"]


# -- operations ------------------------------------------------------------------------------------------


def test_an_operation_and_its_audit(client: Cumulocity, device: str) -> None:
    operations = client.api.operations
    made = operations.create({"deviceId": device, "description": "Restart", "c8y_Restart": {}})
    assert made["status"] == "PENDING"
    operations.update(made["id"], {"status": "EXECUTING"})
    done = operations.update(made["id"], {"status": "FAILED", "failureReason": "no power"})
    assert done["failureReason"] == "no power"
    records = list(client.api.audit.list(source=made["id"]))
    values = [change.get("newValue") for record in records for change in record.get("changes", [])]
    assert {"EXECUTING", "FAILED"} <= set(values)
    assert client.api.audit.get(records[0]["id"])["id"] == records[0]["id"]
    with pytest.raises(NotFound, match="No operation for gid"):
        operations.get("999999999")
    with pytest.raises(Invalid, match="status"):
        operations.update(made["id"], {})


def test_operations_by_device_and_state(client: Cumulocity, device: str) -> None:
    ids = [client.api.operations.create({"deviceId": device, "c8y_Restart": {}})["id"] for _ in range(7)]
    client.api.operations.update(ids[0], {"status": "EXECUTING"})
    assert [each["id"] for each in client.api.operations.list(deviceId=device, pageSize=2)] == ids
    assert [each["id"] for each in client.api.operations.list(agentId=device, status="PENDING")] == ids[1:]
    assert "revert=false" in client.exchanges[-1].url
    newest = client.api.operations.page(deviceId=device, revert=True, dateFrom="1970-01-01")
    assert newest["operations"][0]["id"] == ids[-1]
    client.api.operations.delete_many(deviceId=device)
    assert list(client.api.operations.list(deviceId=device)) == []
    with pytest.raises(ConfigError):
        client.api.operations.delete_many()


def test_bulk_operations_can_be_read(client: Cumulocity) -> None:
    assert isinstance(list(client.api.bulk_operations.list()), list)
    with pytest.raises(NotFound):
        client.api.bulk_operations.get("1237")
