"""Long and short names, labels, times: pure functions."""

from datetime import UTC, datetime

import pytest

from iotnb.errors import ConfigError
from iotnb.platforms.tiothub import names
from iotnb.platforms.tiothub.api.dmo import joined, query

LONG = {
    "contentInstance": {
        "content": {"operation": 1, "name": "stays", "labels": ["psk:stays"]},
        "resourceType": 4,
        "resourceID": "67ebf327c8a381a4e97e2668",
        "creationTime": "20250717T140533,829000",
        "stateTag": 10,
    }
}


def test_long_names_become_short_ones_but_what_a_message_holds_stays() -> None:
    found = names.resource(LONG)
    assert found.kind == "m2m:cin"
    assert found == {
        "con": {"operation": 1, "name": "stays", "labels": ["psk:stays"]},
        "ty": 4,
        "ri": "67ebf327c8a381a4e97e2668",
        "ct": "20250717T140533,829000",
        "st": 10,
    }
    assert found.raw == LONG


def test_a_mixed_answer_loses_nothing() -> None:
    answer = {
        "m2m:cnt": {
            "resourceName": "received-msg",
            "currentNrOfInstances": 2,
            "m2m:cin": [{"rn": "a", "con": "1"}],
            "contentInstance": [{"resourceName": "b", "content": "2"}],
        }
    }
    found = names.resource(answer)
    assert found["cni"] == 2
    assert [each["rn"] for each in names.children(found, "m2m:cin")] == ["a", "b"]
    assert names.children(found, "m2m:cin")[1].raw == {"resourceName": "b", "content": "2"}


def test_flex_containers_are_told_apart_by_what_they_define() -> None:
    definition = "com.telekom.iot.orchestrator.provisioningRequestResponse"
    found = names.resource({"flexContainer": {"rn": "r", "cnd": definition, "resSs": 1, "ty": 28}})
    assert found.kind == "dtiot:prRRe"
    tenant = {"m2m:cb": {"m2m:flexContainer": [{"cnd": definition, "ty": 28}, {"cnd": "else", "ty": 28}]}}
    assert len(names.children(names.resource(tenant), "m2m:fcnt")) == 2
    assert len(names.children(names.resource(tenant), "dtiot:prRRe")) == 1


def test_credentials_are_blanked_under_both_names() -> None:
    node = {
        "m2m:nod": {
            "lbl": ["ICCID:8949", "loriot-appkey:00112233", "profile:x"],
            "m2m:crds": [{"crid": "id1", "crse": "c2VjcmV0"}],
        }
    }
    shown = str(names.resource(node)) + str(names.resource(node).raw)
    assert "c2VjcmV0" not in shown
    assert "00112233" not in shown
    assert "ICCID:8949" in shown
    asked = {"dtiot:noPRt": {"requestList": [{"nodeCredentials": ["psk-id:id1", "psk:c2VjcmV0"]}]}}
    assert names.resource(asked)["reqLt"] == [{"nCr": ["psk-id:id1", "psk:********"]}]
    assert "c2VjcmV0" not in str(names.resource(asked).raw)
    hook = names.resource({"AE": {"poah": ["Authorization:Basic abc"]}})
    assert hook["poah"] == ["Authorization:********"]


def test_labels_split_at_the_first_colon_and_stay_text() -> None:
    found = names.labels(["d2c:1.0", "ICCID:08949020000157526886", "note:a:b", "alone"])
    assert found == {"d2c": "1.0", "ICCID": "08949020000157526886", "note": "a:b", "alone": ""}


def test_labels_are_merged_not_replaced() -> None:
    listed = ["d2c:1.0", "ICCID:8949", "site:Bonn", "site:Essen"]
    assert names.merged(listed, {"site": "a:b", "ICCID": None, "new": "x"}) == [
        "d2c:1.0",
        "site:a b",
        "new:x",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20230609T083219,210000", datetime(2023, 6, 9, 8, 32, 19, 210000, UTC)),
        ("20230609T083219", datetime(2023, 6, 9, 8, 32, 19, 0, UTC)),
        ("20230609T083219.21", datetime(2023, 6, 9, 8, 32, 19, 210000, UTC)),
        ("2026-05-22T08:55:26.304Z", datetime(2026, 5, 22, 8, 55, 26, 304000, UTC)),
        ("20231309T083219", None),
        ("now", None),
        (None, None),
        (20230609, None),
    ],
)
def test_times_of_both_forms(text: object, expected: datetime | None) -> None:
    assert names.moment(text) == expected


def test_the_time_of_a_message_is_that_of_its_id() -> None:
    at = names.moment("20230609T083219,210000")
    assert at is not None
    assert int(at.timestamp()) == int("6482e393", 16)


def test_filters_travel_in_the_form_that_servers_understand() -> None:
    at = datetime(2026, 12, 31, 0, 0, tzinfo=UTC)
    assert query({"cra": at, "ty": [13, 14], "lbl": "profile:SCS-UDP", "x": None}) == (
        "cra=20261231T000000&ty=13&ty=14&lbl=profile:SCS-UDP"
    )
    assert query({"atrl": "rn+ri", "ni": "urn:gsma:imei:*8029", "lbl": "a+b&c"}) == (
        "atrl=rn+ri&ni=urn:gsma:imei:*8029&lbl=a%2Bb%26c"
    )


@pytest.mark.parametrize("name", ["", ".", "..", "a/../b"])
def test_a_name_cannot_climb_out_of_its_place(name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be a name"):
        joined("device-communication", name)
