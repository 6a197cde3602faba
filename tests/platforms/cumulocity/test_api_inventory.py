"""The inventory and identity chapters."""

import pytest

from iotnb import sandbox
from iotnb.errors import ConfigError, Conflict, Invalid, NotFound, Unsupported
from iotnb.platforms.cumulocity import Cumulocity


def last_query(client: Cumulocity) -> str:
    return client.exchanges[-1].url


def test_a_document_comes_back_as_it_was_stored(client: Cumulocity, fresh: str) -> None:
    sent = {
        "name": fresh,
        "type": "c8y_Linux",
        "c8y_IsDevice": {},
        "c8y_Hardware": {"serialNumber": "0000017"},
    }
    made = client.api.inventory.create(sent)
    assert {key: made[key] for key in sent} == sent
    assert client.api.inventory.get(made["id"]) == made | {"lastUpdated": made["lastUpdated"]}
    changed = client.api.inventory.update(made["id"], {"c8y_Hardware": {"model": "x"}, "type": None})
    assert changed["c8y_Hardware"] == {"model": "x"}
    client.api.inventory.delete(made["id"])
    assert client.api.inventory.find(made["id"]) is None
    with pytest.raises(NotFound, match="Finding device data"):
        client.api.inventory.get(made["id"])


def test_children_are_asked_for_explicitly(client: Cumulocity, device: str) -> None:
    client.api.inventory.get(device)
    assert "withChildren=false" in last_query(client)
    client.api.inventory.page(withChildren=True)
    assert "withChildren=true" in last_query(client)
    next(client.api.inventory.list(type="c8y_Linux"))
    assert "withChildren=false" in last_query(client)
    assert "pageSize=2000" in last_query(client)


def test_the_query_language(client: Cumulocity, fresh: str) -> None:
    made = client.api.inventory.create(
        {"name": f"{fresh} O'Neill+1", "c8y_IsDevice": {}, "c8y_Test": {"n": 7}}
    )
    query = f"has(c8y_IsDevice) and name eq '{fresh} O''Neill+1'"
    for spelled in (query, f"$filter=({query}) $orderby=name asc"):
        assert [each["id"] for each in client.api.inventory.list(query=spelled)] == [made["id"]]
    assert "%2B" in last_query(client)
    with pytest.raises(Invalid, match="could not be understood"):
        list(client.api.inventory.list(query="has("))


def test_lists_cross_pages(client: Cumulocity) -> None:
    whole = [each["id"] for each in client.api.inventory.list(fragmentType="c8y_IsDevice")]
    small = [each["id"] for each in client.api.inventory.list(fragmentType="c8y_IsDevice", pageSize=4)]
    assert small == whole
    assert len(set(whole)) == len(whole) >= 25
    pages = list(client.api.inventory.pages(fragmentType="c8y_IsDevice", pageSize=10))
    assert [len(page["managedObjects"]) for page in pages][:2] == [10, 10]


def test_one_page_is_as_the_platform_sends_it(client: Cumulocity) -> None:
    page = client.api.inventory.page(fragmentType="c8y_IsDevice", withTotalPages=True)
    assert len(page["managedObjects"]) == 5
    assert page["statistics"]["pageSize"] == 5
    assert page["statistics"]["totalPages"] >= 5


def test_a_filter_that_the_platform_would_ignore_is_refused(client: Cumulocity) -> None:
    with pytest.raises(ConfigError, match="did you mean fragmentType"):
        client.api.inventory.list(fragmenttype="c8y_IsDevice")


@pytest.mark.parametrize("bad", ["", ".", "..", None, True, 1.5])
def test_what_is_no_identifier_is_refused_before_anything_is_sent(client: Cumulocity, bad: object) -> None:
    sent = len(client.exchanges)
    for call in (client.api.inventory.get, client.api.inventory.delete):
        with pytest.raises(ConfigError, match="cannot be an identifier"):
            call(bad)  # type: ignore[arg-type]
    assert len(client.exchanges) == sent


@pytest.mark.parametrize("kind", ["childDevices", "childAssets", "childAdditions"])
def test_children_of_three_kinds(client: Cumulocity, device: str, fresh: str, kind: str) -> None:
    inventory = client.api.inventory
    first = inventory.create({"name": f"{fresh} 1"})["id"]
    inventory.add_child(device, first, kind=kind)
    inventory.add_child(device, {"name": f"{fresh} 2"}, kind=kind)
    more = [inventory.create({"name": f"{fresh} {n}"})["id"] for n in range(3, 9)]
    inventory.add_children(device, more, kind=kind)
    found = {each["name"]: each["id"] for each in inventory.children(device, kind=kind, pageSize=3)}
    assert set(found) == {f"{fresh} {n}" for n in range(1, 9)}
    assert inventory.child(device, first, kind=kind)["managedObject"]["id"] == first
    inventory.remove_child(device, first, kind=kind)
    inventory.remove_children(device, more, kind=kind)
    assert [each["name"] for each in inventory.children(device, kind=kind)] == [f"{fresh} 2"]
    with pytest.raises(Invalid, match="not a child"):
        inventory.child(device, first, kind=kind)
    for each in found.values():
        inventory.delete(each)


def test_an_unknown_kind_of_children(client: Cumulocity, device: str) -> None:
    with pytest.raises(ConfigError, match="childAssets"):
        list(client.api.inventory.children(device, kind="children"))


def test_what_the_platform_knows_about_a_device(client: Cumulocity, device: str) -> None:
    assert client.api.inventory.supported_series(device) == []
    assert client.api.inventory.find_availability(device) is None
    with pytest.raises(NotFound):
        client.api.inventory.availability(device)
    client.api.measurements.create(
        {"source": {"id": device}, "type": "t", "time": "2026-01-01T00:00:00Z", "x": {"y": {"value": 1}}}
    )
    assert client.api.inventory.supported_series(device) == ["x.y"]
    assert client.api.inventory.supported_measurements(device) == ["x"]


def test_availability_of_a_monitored_device(client: Cumulocity) -> None:
    known = client.api.inventory.availability("100000")
    assert known["dataStatus"] in {"AVAILABLE", "UNAVAILABLE"}
    assert client.api.inventory.find_availability("100000") is not None


def test_many_objects_in_one_call(client: Cumulocity, fresh: str) -> None:
    made = client.api.inventory.create_many([{"name": f"{fresh}-{n}"} for n in range(60)])
    assert len({each["id"] for each in made}) == 60
    for each in made:
        client.api.inventory.delete(each["id"])


def test_many_objects_on_an_edition_that_cannot() -> None:
    with (
        sandbox.start(
            "cumulocity", devices=1, days=1, switches={"cumulocity": {"edition": "2025"}}
        ) as started,
        Cumulocity.login(started["cumulocity"].connect) as client,
    ):
        before = len(list(client.api.inventory.list()))
        with pytest.raises(Unsupported, match="create"):
            client.api.inventory.create_many([{"name": "a"}, {"name": "b"}])
        assert len(list(client.api.inventory.list())) == before


# -- identity ------------------------------------------------------------------------------------------------


def test_an_external_identifier(client: Cumulocity, device: str, fresh: str) -> None:
    name = f"raspi/{fresh} +%ä?#"
    assert client.api.identity.find("c8y_Serial", name) is None
    with pytest.raises(NotFound, match=r"(?i)external id not found"):
        client.api.identity.get("c8y_Serial", name)
    made = client.api.identity.create(device, {"type": "c8y_Serial", "externalId": name})
    assert made["externalId"] == name
    assert client.api.identity.get("c8y_Serial", name)["managedObject"]["id"] == device
    assert [each["externalId"] for each in client.api.identity.list(device)] == [name]
    assert (
        client.api.identity.search([{"type": "c8y_Serial", "externalId": name}])[0]["managedObject"]["id"]
        == device
    )
    other = client.api.inventory.create({"name": fresh})["id"]
    with pytest.raises(Conflict):
        client.api.identity.create(other, {"type": "c8y_Serial", "externalId": name})
    client.api.identity.delete("c8y_Serial", name)
    assert client.api.identity.list(device) == []
    client.api.inventory.delete(other)


def test_leading_zeros_stay(client: Cumulocity, device: str, fresh: str) -> None:
    client.api.identity.create(device, {"type": "c8y_IMEI", "externalId": f"000{fresh}"})
    assert client.api.identity.list(device)[0]["externalId"] == f"000{fresh}"
