"""From documents to rows, without a network."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotnb import frames
from iotnb.platforms.iotcentral import rows
from iotnb.platforms.iotcentral.model import Capability

ACCELERATION = Capability("sensors.accelerometer", "accelerometer", "sensors", "", "vector", unit="g")
VECTOR = {"x": 0.1, "y": 0.2, "z": 9.8}
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def test_the_device_of_the_tutorial():
    document = {
        "id": "phone-001", "etag": "eyJoZWFkZXIi", "displayName": "My phone app", "simulated": False,
        "provisioned": False, "enabled": True,
    }  # fmt: skip
    row = rows.device(document)
    assert (row["device"], row["name"], row["type"]) == ("phone-001", "My phone app", None)
    assert row["status"] == "offline"
    assert row["labels"] == ["not provisioned", "no template"]


def test_a_connected_device_may_be_on_line_or_not():
    document = {
        "id": "007",
        "provisioned": True,
        "enabled": True,
        "template": "dtmi:x;1",
        "organizations": ["north"],
        "gateway": "gw",
    }
    row = rows.device(document)
    assert (row["status"], row["owner"], row["parent"], row["labels"]) == ("unknown", "north", "gw", [])
    assert rows.device({**document, "enabled": False})["labels"] == ["blocked"]


@given(
    st.dictionaries(
        st.sampled_from(
            ["id", "displayName", "template", "enabled", "organizations", "type", "origin", "gateway"]
        ),
        anything,
    )
)
def test_no_document_breaks_a_row(document):
    for table, make in (("devices", rows.device), ("operations", rows.operation)):
        row = make(document)
        assert set(row) <= set(frames.empty(table).columns)
        assert len(frames.table(table, [row])) == 1


@pytest.mark.parametrize(
    "row",
    [
        {"c0": VECTOR},
        {"sensors.accelerometer": VECTOR},
        {"c0.x": 0.1, "c0.y": 0.2, "c0.z": 9.8},
        {"sensors.accelerometer.x": 0.1, "sensors.accelerometer.y": 0.2, "sensors.accelerometer.z": 9.8},
        {"sensors": {"accelerometer": VECTOR}},
    ],
)
def test_a_column_is_found_under_every_name_that_the_service_may_give_it(row):
    value = rows.cell({"d": "phone-001", **row}, "c0", "sensors.accelerometer")
    assert list(rows.leaves(ACCELERATION, value)) == [
        ("sensors.accelerometer.x", 0.1, None),
        ("sensors.accelerometer.y", 0.2, None),
        ("sensors.accelerometer.z", 9.8, None),
    ]


def test_an_empty_cell_is_no_value():
    assert rows.cell({"d": "a", "c0": None}, "c0", "x.y") is None
    assert list(rows.leaves(ACCELERATION, None)) == []
    assert list(rows.leaves(ACCELERATION, {"x": None, "y": 1})) == [("sensors.accelerometer.y", 1.0, None)]


def test_labels_texts_and_truth_values():
    state = Capability("state", "state", "", "", "enum", labels={1: "on", "a": "Alpha"})
    assert list(rows.leaves(state, 1)) == [("state", 1.0, "on")]
    assert list(rows.leaves(state, 7)) == [("state", 7.0, None)]
    assert list(rows.leaves(state, "a")) == [("state", None, "Alpha")]
    assert list(rows.leaves(state, "b")) == [("state", None, "b")]
    assert list(rows.leaves(state, True)) == [("state", 1.0, "true")]
    assert list(rows.leaves(state, [1, 2])) == [("state", None, "[1,2]")]


def test_the_last_value_and_none():
    capability = Capability("t", "t", "", "", "double", unit="C")
    found = rows.latest("d", capability, {"value": 32, "timestamp": "2021-05-04T21:59:39.153Z"})
    assert found == [
        {
            "time": "2021-05-04T21:59:39.153Z",
            "device": "d",
            "series": "t",
            "value": 32.0,
            "text": None,
            "unit": "C",
        }
    ]
    assert rows.latest("d", capability, {}) == []


JOB = {
    "id": "job-1", "status": "complete",
    "start": "2026-05-04T10:00:00.000Z", "end": "2026-05-04T10:00:09.000Z",
    "data": [{"type": "command", "target": "dtmi:x;1", "path": "device_info.reset", "value": 3}],
    "progress": {"total": 1, "pending": 0, "completed": 0, "failed": 1},
}  # fmt: skip


def test_a_complete_job_is_no_success_of_its_devices():
    row = rows.operation({"origin": "job", "job": JOB, "result": {"id": "d1", "status": "failed"}})
    assert (row["operation"], row["device"], row["kind"]) == ("job-1/d1", "d1", "device_info.reset")
    assert (row["status"], row["platform_status"]) == ("FAILED", "failed")
    assert row["failure"]
    assert row["duration"] == timedelta(seconds=9)
    assert json.loads(row["parameters"]) == JOB["data"]


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("completed", "SUCCESSFUL"),
        ("pending", "PENDING"),
        ("running", "EXECUTING"),
        ("stopped", "CANCELLED"),
        ("odd", None),
    ],
)
def test_the_words_of_jobs(word, status):
    row = rows.operation({"origin": "job", "job": JOB, "result": {"id": "d1", "status": word}})
    assert row["status"] == status
    assert (row["finished"] is None) == (status in {None, "PENDING", "EXECUTING"})


@pytest.mark.parametrize(
    ("result", "status"),
    [
        ({"id": "1", "request": 20, "response": 58.79, "responseCode": 200}, "SUCCESSFUL"),
        ({"response": "Success", "responseCode": 200}, "SUCCESSFUL"),
        ({"id": "1", "responseCode": 500, "response": "no"}, "FAILED"),
        ({"id": "1", "request": 3}, "PENDING"),
    ],
)
def test_the_newest_call_of_a_command_bears_no_time(result, status):
    row = rows.operation({"origin": "command", "device": "d", "path": "lightOn", "result": result})
    assert row["status"] == status
    assert row["time"] is None
    assert row["kind"] == "lightOn"


def test_what_the_client_sent_bears_its_times():
    sent = datetime(2026, 1, 1, tzinfo=UTC)
    entry = {
        "origin": "journal",
        "kind": "command",
        "device": "d",
        "path": "lightOn",
        "sent": sent,
        "finished": sent + timedelta(seconds=2),
        "payload": {"pulses": 2},
    }
    done = rows.operation({**entry, "code": 200})
    assert (done["status"], done["duration"], done["parameters"]) == (
        "SUCCESSFUL",
        timedelta(seconds=2),
        '{"pulses":2}',
    )
    assert rows.operation({**entry, "code": 404, "failure": "404 POST"})["status"] == "FAILED"


@pytest.mark.parametrize(
    ("metadata", "state"),
    [
        ({"lastUpdateTime": "2020-07-21T19:06:50.9718608Z"}, "reported"),
        ({"desiredValue": 30, "desiredVersion": 2}, "pending"),
        ({"desiredValue": 35, "ackCode": 200, "ackVersion": 2, "ackDescription": "Processed"}, "accepted"),
        ({"desiredValue": 35, "desiredVersion": 2, "ackCode": 200, "ackVersion": 2}, "accepted"),
        ({"desiredValue": 35, "desiredVersion": 3, "ackCode": 200, "ackVersion": 1}, "pending"),
        ({"desiredValue": 35, "desiredVersion": 2, "ackCode": 400, "ackVersion": 2}, "refused"),
        ({"desiredValue": 35, "ackCode": 102}, "pending"),
    ],
)
def test_accepted_by_the_platform_is_not_yet_by_the_device(metadata, state):
    assert rows.state(metadata) == state


def test_properties_of_components_and_of_the_root():
    found = rows.properties(
        "mx1",
        {
            "deviceinfo": {"manufacturer": "m", "$metadata": {"manufacturer": {}}},
            "settings": {"fanSpeed": 12.5, "$metadata": {"fanSpeed": {"desiredValue": 30}}},
            "serial": "007",
            "place": {"a": 1},
            "$metadata": {"serial": {}, "target": {"desiredValue": 5}, "place": {}},
        },
    )  # fmt: skip
    assert [(each["property"], each["reported"], each["desired"], each["state"]) for each in found] == [
        ("deviceinfo.manufacturer", "m", None, "reported"),
        ("settings.fanSpeed", "12.5", "30", "pending"),
        ("serial", "007", None, "reported"),
        ("place", '{"a":1}', None, "reported"),
        ("target", None, "5", "pending"),
    ]
