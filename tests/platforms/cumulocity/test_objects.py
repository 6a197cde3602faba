"""Managed objects of large pages: the same rows and documents as those decoded in full."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from iotnb import frames
from iotnb.platforms.cumulocity import objects, rows

FULL = {
    "id": "2480300",
    "name": "RaspPi",
    "type": "c8y_Linux",
    "owner": "device_0000000017b769d5",
    "creationTime": "2013-08-30T10:12:24.378+02:00",
    "c8y_IsDevice": {},
    "c8y_Hardware": {"serialNumber": "0000000017b769d5"},
    "c8y_Availability": {"status": "UNAVAILABLE", "lastMessage": "2020-01-31T11:22:33.456Z"},
    "c8y_Connection": {"status": "CONNECTED"},
    "deviceParents": {
        "self": "x",
        "references": [{"managedObject": {"id": "77", "name": "gateway"}, "self": "y"}],
    },
    "assetParents": {
        "references": [{"managedObject": {"id": "5", "name": "Hall 1"}}, {"managedObject": {"id": 6}}]
    },
}
DOCUMENTS: list[dict[str, Any]] = [
    FULL,
    {"id": 7},
    {},
    {
        "id": "8",
        "name": None,
        "deviceParents": None,
        "assetParents": {"references": []},
        "c8y_Connection": {},
    },
    {"id": "9", "c8y_Availability": {"status": "MAINTENANCE"}, "c8y_Connection": {"status": "connected"}},
    {"id": "10", "deviceParents": {"references": [{"self": "gone"}]}, "name": "ü😀 \u2028"},
]


def read(documents: list[dict[str, Any]]) -> list[objects.Object]:
    page = objects.page(json.dumps({"managedObjects": documents}).encode())
    return [objects.decoded(each) for each in page["managedObjects"]]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_rows_are_the_same(document: dict[str, Any]) -> None:
    (read_one,) = read([document])
    assert rows.device(read_one) == rows.device(document)


def test_they_are_mappings_like_any_other() -> None:
    (found,) = read([FULL])
    assert dict(found) == FULL
    assert found.get("nothing") is None
    assert "c8y_Hardware" in found
    whole = frames.table("devices", [rows.device(FULL)], documents=[FULL])
    assert frames.table("devices", [rows.device(found)], documents=[found]).equals(whole)


def test_the_direct_parent_counts_where_it_is_known() -> None:
    references = [{"managedObject": {"id": number}} for number in ("1", "2", "3")]
    (found,) = read([{"id": "4", "deviceParents": {"references": references}}])
    assert found.ancestors == ("1", "2", "3")
    assert rows.device(found)["parent"] == "1"
    found.parent = "2"
    assert rows.device(found)["parent"] == "2"


@pytest.mark.parametrize("odd", [{"c8y_Availability": "online"}, {"deviceParents": []}, {"name": ["a"]}])
def test_what_is_not_as_documented_is_read_in_full(odd: dict[str, Any]) -> None:
    document = {"id": "1", **odd}
    plain, other = read([document, {"id": "2"}])
    assert plain == document
    assert isinstance(other, objects.Object)
    assert rows.device(plain)["device"] == "1"


@pytest.mark.parametrize("body", [b"", b"[]", b'{"managedObjects": 1}', b'{"managedObjects": [1'])
def test_what_is_no_page(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        objects.page(body)


def test_times_are_left_to_the_tables() -> None:
    (found,) = read([FULL])
    frame = frames.table("devices", [rows.device(found)])
    assert frame["created"][0] == datetime(2013, 8, 30, 8, 12, 24, 378000, tzinfo=UTC)
