"""The query language, by itself and over HTTP."""

from typing import Any

import pytest
from callers import Api

from iotnb.sandbox.cumulocity.query import parse
from iotnb.sandbox.cumulocity.wire import Refused

OBJECTS = "/inventory/managedObjects"
PUMP: dict[str, Any] = {
    "id": "1200",
    "name": "Pump Essen 07",
    "type": "c8y_Pump",
    "owner": "admin",
    "creationTime": "2026-03-01T10:00:00.000Z",
    "c8y_IsDevice": {},
    "c8y_Availability": {"status": "AVAILABLE"},
    "level": 3.5,
    "count": 7,
    "on": True,
    "nothing": None,
    "customers": [{"id": "123"}, {"id": "456"}],
    "tags": ["red", "blue"],
    "title": "it's here",
    "a.b": {"c": 1},
}


class Tree:
    def members(self, group: int) -> frozenset[int]:
        return frozenset({1200}) if group == 12 else frozenset()

    def descendants(self, root: int) -> frozenset[int]:
        return frozenset({1200, 5}) if root == 5 else frozenset()

    def text_matches(self, document: Any, text: str) -> bool:
        return text.lower() in document["name"].lower()


def matches(text: str) -> bool:
    query = parse(text)
    low = query.low is None or query.low <= 1200
    return low and (query.high is None or query.high > 1200) and query.matches(PUMP, Tree())


@pytest.mark.parametrize(
    "text",
    [
        "name eq 'Pump Essen 07'",
        "name eq 'pump*'",
        "name eq '*ESSEN*'",
        "type eq c8y_Pump",
        "$filter=type eq c8y_Pump",
        "$filter=(has(c8y_IsDevice) and name eq 'Pump*') $orderby=name asc,id desc",
        "$orderby=name",
        "",
        "has(c8y_Availability.status)",
        "hasany(nope, c8y_IsDevice)",
        "not has(nope)",
        "not (type eq 'x' or type eq 'y')",
        "type eq 'x' or type eq 'c8y_Pump' and owner eq admin",
        "level gt 3.4d and level lt 3.6f",
        "level eq 3.5d",
        "count ge 7 and count le 7",
        "on eq true",
        "nothing eq null",
        "missing.deep eq null",
        "customers.id eq '123'",
        "tags eq 'blue'",
        "title eq 'it''s here'",
        "c8y_Availability.status eq 'AVAILABLE'",
        "creationTime.date gt '2026-02-28T23:59:59+01:00'",
        "creationTime gt '2026-03-01' and creationTime lt '2026-03-02'",
        "bygroupid(3,12)",
        "isinhierarchyof(5)",
        "_id gt '1199'",
        "_id gt 1199 and _id le '1200'",
        "id eq 1200",
        "text eq 'essen'",
        "((name eq 'Pump*'))",
    ],
)
def test_what_matches(text: str) -> None:
    assert matches(text)


@pytest.mark.parametrize(
    "text",
    [
        "name eq 'pump essen 07'",
        "name eq 'Pump'",
        "level eq 3.5",
        "level gt 3.5d",
        "has(nothing)",
        "has(nope)",
        "name eq null",
        "customers.id eq '789'",
        "creationTime.date lt '2026-01-01'",
        "bygroupid(3)",
        "_id gt '1200'",
        "_id lt 1200",
        "type eq 'x' and (type eq 'c8y_Pump' or owner eq admin)",
    ],
)
def test_what_does_not_match(text: str) -> None:
    assert not matches(text)


@pytest.mark.parametrize(
    "text",
    [
        "name ne 'x'",
        "name eq",
        "(name eq 'x'",
        "has(",
        "eq 'x'",
        "name eq 'x' and",
        "name 'x'",
        "bygroupid(x)",
        "a eq 'b' c eq 'd'",
        "'",
    ],
)
def test_what_cannot_be_understood_is_a_422(text: str) -> None:
    with pytest.raises(Refused) as refused:
        parse(text)
    assert refused.value.status == 422


def test_the_refusal_over_http(admin: Api) -> None:
    answer = admin.get(OBJECTS, 422, query="name ne 'x'")
    assert answer["error"] == "inventory/Invalid Data"
    assert answer["message"] == "Find by filter query failed : Query could not be understood."


def test_forms_that_clients_send(admin: Api) -> None:
    name = "RaspPi of the query test"
    device = admin.device(name)
    encoded = "q=%24filter%3D%28has%28c8y_IsDevice%29+and+name+eq+%27RaspPi+of%2A%27%29"
    assert [o["id"] for o in admin.get(f"{OBJECTS}?{encoded}")["managedObjects"]] == [device]
    assert [o["id"] for o in admin.get(f"{OBJECTS}?ids={device}%2C1")["managedObjects"]] == [device]
    group = admin.post(OBJECTS, {"type": "c8y_DeviceGroup", "c8y_IsDeviceGroup": {}})["id"]
    admin.post(f"{OBJECTS}/{group}/childAssets", {"managedObject": {"id": device}})
    found = admin.get(OBJECTS, query=f"$filter=(bygroupid({group}) and owner eq admin)")["managedObjects"]
    assert [o["id"] for o in found] == [device]
    assert [o["id"] for o in admin.get(OBJECTS, query=f"isinhierarchyof({group})")["managedObjects"]] == [
        device,
        group,
    ]
    for blank in " +":  # the plus sign arrives as itself when a client encodes it
        query = f"$filter=(owner eq admin){blank}$orderby=creationTime desc"
        times = [o["creationTime"] for o in admin.get(OBJECTS, query=query, pageSize=2)["managedObjects"]]
        assert len(times) == 2
        assert times == sorted(times, reverse=True)


def test_key_set_paging_by_id_reads_every_device_once(admin: Api) -> None:
    last, found = "0", []
    while True:
        query = f"$filter=(_id gt '{last}' and has(c8y_IsDevice)) $orderby=_id asc"
        page = admin.get(OBJECTS, query=query, pageSize=9)["managedObjects"]
        if not page:
            break
        found += [o["id"] for o in page]
        last = page[-1]["id"]
    assert found == sorted(set(found), key=int)
    total = admin.get(OBJECTS, fragmentType="c8y_IsDevice", pageSize=1, withTotalPages="true")
    assert len(found) == total["statistics"]["totalPages"]


def test_order_by_id_downwards_and_by_name(admin: Api) -> None:
    down = admin.get(OBJECTS, query="$filter=has(c8y_IsDevice) $orderby=_id desc", pageSize=50)[
        "managedObjects"
    ]
    numbers = [int(o["id"]) for o in down]
    assert numbers == sorted(numbers, reverse=True)
    by_name = admin.get(OBJECTS, query="$filter=type eq 'c8y_Pump' $orderby=name desc", pageSize=50)
    names = [o["name"] for o in by_name["managedObjects"]]
    assert names == sorted(names, reverse=True)
