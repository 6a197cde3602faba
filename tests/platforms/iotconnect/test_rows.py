"""Documents into rows, in all the spellings that the platform uses; pure."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from iotnb import frames
from iotnb.platforms.iotconnect import rows
from iotnb.platforms.iotconnect.model import model

SAMPLES = json.loads((Path(__file__).parents[2] / "documents" / "iotconnect" / "answers.json").read_text())


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_the_device_of_the_document():
    row = rows.device(SAMPLES["device list"]["data"][0])
    assert row == {
        "device": "acg-ssc-VM1",
        "name": "ACG SSC VM1",
        "type": "ACG Self Signed Cert 1",
        "status": "offline",
        "last_seen": at("2022-11-28T16:29:12.483"),
        "created": None,
        "parent": None,
        "owner": "Engineering Lab",
        "labels": "Acquired",
    }


def test_names_are_compared_without_their_case_and_numbers_are_truths():
    row = rows.device(
        {"UNIQUEID": "0017", "isconnected": 1, "ISACTIVE": 0, "lastactivityDate": "2026-01-01T00:00:00Z"}
    )
    assert (row["device"], row["status"], row["labels"]) == ("0017", "online", "inactive")
    assert row["last_seen"] == at("2026-01-01T00:00:00")


def test_a_path_of_the_entity_goes_before_its_name_and_a_gateway_is_the_parent():
    row = rows.device(
        {"uniqueId": "d", "entityName": "Hall", "entityPath": "A / B / Hall", "parentUniqueId": "gw"}
    )
    assert (row["owner"], row["parent"]) == ("A / B / Hall", "gw")


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("In Queue", "PENDING"), ("InTransit", "EXECUTING"), ("in transit", "EXECUTING"),
        ("FAILED", "FAILED"), ("Executed", "SUCCESSFUL"), (0, "PENDING"), ("1", "EXECUTING"),
        (2, "FAILED"), (3, "SUCCESSFUL"), ("In-Queue", "PENDING"), (None, None), ("Delayed", None),
    ],
)  # fmt: skip
def test_the_states_of_commands(word, status):
    assert rows.status(word) == status


def test_a_command_of_somebody_else_has_no_time_of_sending():
    row = rows.operation({**SAMPLES["command history"]["data"][0], "device": "dev-1", "command": "reboot"})
    assert (row["status"], row["kind"], row["platform_status"]) == ("SUCCESSFUL", "reboot", "Executed")
    assert row["time"] == row["finished"] == at("2026-06-24T17:25:01")
    assert row["duration"] is None
    assert (row["failure"], row["parameters"]) == (None, None)


def test_a_command_of_this_client_has_its_latency():
    document = {
        **SAMPLES["command history"]["data"][0],
        "command": "reboot",
        "sent": "2026-06-24T17:24:58.500Z",
    }
    row = rows.operation(document)
    assert row["time"] == at("2026-06-24T17:24:58.500")
    assert row["duration"] == timedelta(seconds=2.5)


def test_a_command_that_was_sent_again_is_measured_from_then():
    again = {"resendCount": 2, "execTime": ["2026-06-24T17:24:50.000Z", "2026-06-24T17:25:00.000Z"]}
    document = {**SAMPLES["command history"]["data"][0], "isResend": True, "resendHistory": again}
    assert rows.operation({**document, "sent": "2026-06-20T00:00:00Z"})["duration"] == timedelta(seconds=1)


def test_a_clock_that_is_ahead_makes_no_negative_latency():
    document = {**SAMPLES["command history"]["data"][0], "sent": "2026-06-24T17:25:02.000Z"}
    assert rows.operation(document)["duration"] is None


def test_a_failed_command_says_why_or_at_least_that():
    failed = {
        "status": "Failed",
        "cmdText": "run log level debug",
        "command": "run",
        "statusText": "no such word",
    }
    row = rows.operation(failed)
    assert (row["failure"], row["parameters"]) == ("no such word", "log level debug")
    assert rows.operation({**failed, "statusText": None})["failure"] == "Failed"
    assert rows.operation({**failed, "status": "Executed"})["failure"] is None


def test_events_are_changes_of_the_connection_and_rejected_messages():
    row = rows.event({**SAMPLES["lifecycle"]["data"][0], "device": "dev-1"})
    assert (row["time"], row["device"]) == (at("2022-11-28T16:10:00.223"), "dev-1")
    assert (row["event"], row["type"], row["text"]) == (None, "Connected", None)
    rejected = rows.event(SAMPLES["audit log"]["data"][0])
    assert (rejected["device"], rejected["type"]) == ("dev-1", "rejected: Validation")
    assert rejected["text"] == "Invalid data: speed is no number"


@pytest.mark.parametrize(
    ("level", "severity"),
    [("Critical", "CRITICAL"), ("major", "MAJOR"), ("Minor", "MINOR"), ("Information", "WARNING")],
)
def test_rules_that_fired_are_alarms(level, severity):
    row = rows.alarm({**SAMPLES["notification"]["data"][0], "severityLevel": level})
    assert (row["severity"], row["type"], row["device"]) == (severity, "warm", "dev-1")
    assert (row["text"], row["status"], row["cleared"]) == ("Too warm", None, None)


def test_a_severity_that_no_document_names_is_kept():
    frame = frames.table(
        "alarms", [rows.alarm({"severityLevel": "Fatal", "createdDate": "2026-01-01T00:00:00Z"})]
    )
    assert list(frame["severity"]) == ["Fatal"]


def test_of_several_last_values_of_one_attribute_the_newest_counts():
    there = model([{"guid": "A3", "localName": "temperature", "dataTypeName": "DECIMAL", "unit": "C"}])
    listed = [
        {
            "attributeName": "temperature",
            "attributeValue": value,
            "deviceUpdatedDate": f"2026-06-24T17:2{minute}:00Z",
        }
        for value, minute in (("20.5", 3), ("21.5", 5), ("19.5", 1))
    ]
    (row,) = rows.latest("dev-1", listed, there).values()
    assert (row["value"], row["unit"], row["time"]) == (21.5, "C", at("2026-06-24T17:25:00"))


def test_a_last_value_is_found_by_the_guid_of_its_attribute():
    there = model(
        [
            {"guid": "A1", "localName": "gps", "dataTypeName": "OBJECT"},
            {
                "guid": "a2",
                "localName": "latitude",
                "dataTypeName": "DECIMAL",
                "parentTemplateAttributeGuid": "A1",
            },
        ]
    )
    document = {
        "templateAttributeGuid": "A2",
        "attributeName": "latitude",
        "attributeValue": "48.1",
        "deviceUpdatedDate": "2026-06-24T17:25:00Z",
    }
    assert rows.latest("dev-1", [document], there)["gps.latitude"]["value"] == 48.1


@pytest.mark.parametrize(
    "text", ["2026-06-24T17:23:59.590Z", "2026-06-24T17:23:59.59", "2026-06-24 17:23:59.590"]
)
def test_times_without_a_zone_are_utc(text):
    assert rows.time(text) == at("2026-06-24T17:23:59.590")


@pytest.mark.parametrize("text", ["", "soon", None, 5, "0001-01-01T00:00:00+14:00"])
def test_what_is_no_time_is_missing(text):
    assert rows.time(text) is None


def test_properties_are_named():
    listed = [{"guid": "P1", "name": "imei", "value": "0010"}, {"guid": "P2", "value": "x"}, "?"]
    assert rows.properties(listed) == {"imei": "0010", "P2": "x"}
    assert rows.properties(None) == {}
