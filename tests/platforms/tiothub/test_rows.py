"""Rows from documents, without a network."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from iotnb import frames
from iotnb.errors import Unsupported
from iotnb.platforms.tiothub import names, rows, sims

NODE = {
    "rn": "sensor001",
    "ri": "67ebb9d5c8a381a4e97e2614",
    "ni": "urn:gsma:imei:351901000088011",
    "lbl": ["d2c:1.0", "profile:SCS-LwM2M", "ICCID:08949020000157526886", "alone"],
    "ct": "20250401T140735,303000",
}
PRODUCT: dict[str, Any] = {
    "id": "JASPER-08949020000157526886",
    "status": "INACTIVE",
    "connectivityType": "CELLULAR",
    "productOffering": {"name": "1GB"},
    "productCharacteristic": [{"name": "SYSTEM", "value": "JASPER"}],
    "productRelationship": [
        {
            "type": "BUNDLED",
            "product": {
                "@type": "simCard",
                "status": "ACTIVE",
                "productCharacteristic": [
                    {"name": "iccid", "value": "08949020000157526886"},
                    {"name": "imei", "value": "3519010000880199"},
                    {"name": "IMSI", "value": "001010123456789"},
                    {"name": "MSISDN", "value": ""},
                ],
            },
        },
        {
            "type": "BUNDLED",
            "product": {
                "@type": "usageVolume",
                "bucketCounter": [
                    {
                        "value": {"amount": 1401626.776576, "units": "KB"},
                        "consumptionPeriod": {"startDateTime": "2023-05-18T16:08:35.000Z"},
                        "counterType": "USED",
                    }
                ],
            },
        },
    ],
}


def test_a_device_is_a_node_with_its_info() -> None:
    document = {"node": NODE, "info": {"dvnm": "Pump"}, "join": "joined", "last_message": "20250402T000000"}
    row = rows.device(document)
    assert row == {
        "device": "sensor001",
        "name": "Pump",
        "type": "SCS-LwM2M",
        "status": "unknown",
        "last_seen": datetime(2025, 4, 2, tzinfo=UTC),
        "created": datetime(2025, 4, 1, 14, 7, 35, 303000, UTC),
        "parent": None,
        "owner": None,
        "labels": "join:joined, d2c:1.0, ICCID:08949020000157526886, alone",
    }
    assert len(frames.table("devices", [row])) == 1


def test_a_sim_without_a_node_is_a_row_too() -> None:
    row = rows.device({"node": {}, "info": {}, "sim": sims.sim(PRODUCT)})
    assert row["device"] == "JASPER-08949020000157526886"
    assert row["name"] == "08949020000157526886"


def test_a_product_is_flat_and_its_identifiers_are_text() -> None:
    row = sims.sim(PRODUCT)
    assert row["iccid"] == "08949020000157526886"
    assert row["imsi"] == "001010123456789"
    assert row["msisdn"] is None
    assert (row["status"], row["card_status"]) == ("INACTIVE", "ACTIVE")
    assert row["backend"] == "JASPER"
    assert row["usage_kb"] == pytest.approx(1401626.776576)
    assert row["usage_from"] == "2023-05-18T16:08:35.000Z"
    assert sims.sim({})["sim"] is None
    assert sims.sim({"id": "1NCE-8949020000157526001"})["iccid"] == "8949020000157526001"
    assert sims.sim({"id": "INTELSAT-27597"})["iccid"] is None


@pytest.mark.parametrize(
    ("node", "sim", "count", "word"),
    [
        (NODE, sims.sim(PRODUCT), 1, "joined"),  # an IMEISV beside an IMEI: 14 digits count
        (NODE, {**sims.sim(PRODUCT), "imei": "351901000088019"}, 1, "joined"),
        (NODE, {**sims.sim(PRODUCT), "imei": "999901000088011"}, 1, "IMEI differs"),
        (NODE, {**sims.sim(PRODUCT), "imei": None}, 1, "joined"),
        (NODE, None, 1, "SIM not found"),
        (NODE, sims.sim(PRODUCT), 2, "ICCID on several nodes"),
        ({**NODE, "lbl": []}, None, 0, "no SIM"),
    ],
)
def test_how_a_node_and_its_sim_go_together(
    node: dict[str, Any], sim: dict[str, Any] | None, count: int, word: str
) -> None:
    assert sims.verdict(node, sim, count) == word


def test_a_message_is_a_row_for_each_leaf() -> None:
    message = {
        "con": '{"reported":{"temperature":20.5,"state":"ok"}}',
        "cnf": "application/json:0",
        "ct": "20250401T140735,303000",
    }
    made, reason = rows.values(message, "sensor001")
    at = datetime(2025, 4, 1, 14, 7, 35, 303000, UTC)
    assert reason == ""
    assert [(row["time"], row["series"], row["value"], row["text"]) for row in made] == [
        (at, "received-msg:reported.temperature", 20.5, None),
        (at, "received-msg:reported.state", None, "ok"),
    ]


def test_a_message_without_a_readable_time_is_kept_without_one() -> None:
    made, reason = rows.values({"con": "Hello", "ct": "yesterday"}, "sensor001")
    assert made[0]["time"] is None
    assert made[0]["text"] == "Hello"
    assert "yesterday" in reason
    assert frames.measurements([frames.columns(made)])["time"].isna().all()


def test_commands_wait_and_are_sent() -> None:
    queued = {
        "source": "command",
        "store": "outgoing-msg",
        "device": "d",
        "ri": "1",
        "ct": "20250401T140000",
        "con": "GET /3\n",
    }
    row = rows.operation(queued)
    assert (row["status"], row["platform_status"], row["finished"]) == ("PENDING", "queued", None)
    assert row["parameters"] == "GET /3\n"
    sent = {**queued, "store": "sent-msg", "ct": "20250401T141000", "queued_at": "20250401T140000"}
    row = rows.operation(sent)
    assert (row["status"], row["duration"]) == ("SUCCESSFUL", 600.0)
    assert row["finished"] - row["time"] == timedelta(minutes=10)
    moved = {**queued, "store": "sent-msg", "lt": "20250401T140100"}
    assert rows.operation(moved)["duration"] == 60.0
    unknown = rows.operation({**queued, "store": "sent-msg"})
    assert unknown["duration"] is None  # nobody knows when it was queued


@pytest.mark.parametrize(
    ("answer", "status", "failure"),
    [
        (None, "PENDING", None),
        ({"resSs": 1, "ct": "20250320T133941"}, "SUCCESSFUL", None),
        ({"resSs": 2, "geEMe": "Errors: 1", "inEMs": ["bad IMEI"]}, "FAILED", "Errors: 1; bad IMEI"),
    ],
)
def test_provisioning_succeeds_fails_or_waits(
    answer: dict[str, Any] | None, status: str, failure: str | None
) -> None:
    document = {
        "source": "provisioning",
        "request": {"ri": "r1", "opern": 1, "ct": "20250320T133939"},
        "entry": {"noRNe": "sensor001", "ICCID": "08949", "nCr": ["psk:********"]},
        "answer": answer,
        "device": "sensor001",
    }
    row = rows.operation(document)
    assert (row["kind"], row["status"], row["failure"]) == ("provisioning: create", status, failure)
    assert json.loads(row["parameters"])["ICCID"] == "08949"
    assert "psk" not in row["parameters"]
    assert row["duration"] == (2.0 if status == "SUCCESSFUL" else None)


@pytest.mark.parametrize(
    ("state", "status"),
    [("InProgress", "EXECUTING"), ("Completed", "SUCCESSFUL"), ("Failed", "FAILED"), ("Paused", None)],
)
def test_a_change_of_a_sim_has_the_state_of_its_monitor(state: str, status: str | None) -> None:
    created = datetime(2026, 1, 1, tzinfo=UTC)
    row = rows.operation(
        {"source": "sim", "kind": "sim-status", "state": state, "created": created, "product": "P"}
    )
    assert (row["status"], row["platform_status"]) == (status, state)


def test_a_notification_is_an_event() -> None:
    posted = {
        "m2m:sgn": {
            "nev": {"net": 3, "rep": {"m2m:cin": {"con": {"t": 1}, "ri": "9", "ct": "20250401T140735"}}},
            "sur": "eos/device-communication/sensor001/received-msg/s1",
        }
    }
    row = rows.event(posted)
    assert (row["event"], row["device"], row["type"], row["text"]) == ("9", "sensor001", "create", '{"t":1}')
    assert rows.event({"m2m:sgn": {"vrq": True, "sur": "/id-eos/sub1"}})["type"] == "verification"
    assert len(frames.table("events", [rows.event({}), row])) == 2


def test_there_are_no_alarms() -> None:
    with pytest.raises(Unsupported, match="no alarms"):
        rows.alarm({})


@pytest.mark.parametrize("document", [{}, {"node": None}, {"id": "1", "type": None, "name": 5}])
def test_rows_survive_any_document(document: dict[str, Any]) -> None:
    assert set(rows.device(document)) == set(frames.SCHEMAS["devices"])
    assert set(rows.operation(document)) == set(frames.SCHEMAS["operations"])
    for source in ("provisioning", "sim"):
        assert len(frames.table("operations", [rows.operation({**document, "source": source})])) == 1


DOCUMENTS = Path(__file__).parents[2] / "documents" / "tiothub"


def test_the_vendors_products_are_understood() -> None:
    printed = json.loads((DOCUMENTS / "cmo_samples.json").read_text("utf-8"))
    cellular = sims.sim(printed["cellular_product"]["response"])
    assert (cellular["iccid"], cellular["imei"]) == ("8997112212741433747", "3587891011831701")
    assert (cellular["status"], cellular["card_status"]) == ("INACTIVE", "ACTIVE")
    satellite = sims.sim(printed["find"]["response"]["entities"][0])
    assert (satellite["serial"], satellite["iccid"]) == ("27597", None)
    assert satellite["usage_kb"] == pytest.approx(1401626.776576)
    table = pd.DataFrame([cellular, satellite])
    assert table["iccid"].iloc[0] == "8997112212741433747"


def test_the_vendors_message_is_understood() -> None:
    printed = json.loads((DOCUMENTS / "messages.json").read_text("utf-8"))
    for each in printed:
        message = names.resource(each)
        made, reason = rows.values(message, "sensor001")
        assert reason == ""
        assert made[0]["time"] == names.moment(message["ct"])
