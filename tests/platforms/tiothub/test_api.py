"""Each chapter of the two APIs against the sandbox, in the platform's own words."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from iotnb import sandbox
from iotnb.errors import ConfigError, Conflict, Forbidden, Invalid, IotnbError, NotFound
from iotnb.platforms.tiothub import TIoTHub, device
from iotnb.platforms.tiothub.api.products import sim_id

Enter = Callable[..., TIoTHub]
Special = Callable[..., TIoTHub]


@pytest.fixture
def first(client: TIoTHub) -> str:
    """The name of a device."""
    return str(next(client.api.nodes.list())["rn"])


# -- applications -----------------------------------------------------------------------------------------


def test_a_registration_is_made_once(enter: Enter, fresh: str) -> None:
    client = enter(origin=f"C{fresh}")
    made = client.api.applications.register(fresh)
    assert (made["aei"], made["rn"], made["pi"]) == (f"C{fresh}", fresh, "eos")
    again = client.api.applications.register(fresh)
    assert again["ri"] == made["ri"]
    assert [each["ri"] for each in client.api.applications.list() if each["aei"] == f"C{fresh}"] == [
        made["ri"]
    ]
    assert client.api.applications.mine() == client.api.applications.get(fresh)
    client.api.applications.delete(fresh)
    assert client.api.applications.find(fresh) is None


def test_somebody_elses_application_is_never_used(enter: Enter, fresh: str) -> None:
    enter(origin=f"C{fresh}").api.applications.register(fresh)
    other = enter(origin=f"C{fresh}-other")
    with pytest.raises(Conflict, match=f"belongs to 'C{fresh}'"):
        other.api.applications.register(fresh)


STRICT = {"edition": "standard", "dialect": "one-based"}


def test_both_faces_of_already_registered_on_a_strict_server(special: Special, fresh: str) -> None:
    client = special({**STRICT, "origin": f"C{fresh}"}, strict=True)
    made = client.api.applications.register(fresh)
    assert made["aei"] == f"C{fresh}"
    # the same origin under another name is refused with 403 and 4117, which ends in our own
    assert client.api.applications.register(f"{fresh}-2")["rn"] == fresh
    assert client.api.applications.register(fresh)["rn"] == fresh
    values = {**client.running["tiothub"].connect, **STRICT, "origin": f"C{fresh}-other"}  # type: ignore[attr-defined]
    with TIoTHub.login(values) as other, pytest.raises((Conflict, Forbidden)) as caught:
        other.api.applications.register(fresh)  # 409 and 4105: theirs, and not to be seen
    assert "not ours" in str(caught.value) or "belongs to" in str(caught.value)


def test_a_strict_server_says_its_result_code(special: Special, fresh: str) -> None:
    client = special({**STRICT, "origin": f"C{fresh}"}, strict=True)
    client.api.applications.register(fresh)
    with pytest.raises(Invalid, match="4000"):
        client.api.applications.update(fresh, {"api": "Nother"})
    with pytest.raises(NotFound, match="4004"):
        client.api.tree.get("nothing")


def test_a_strict_server_without_its_edition_is_explained(special: Special) -> None:
    with pytest.raises(IotnbError, match="edition='standard'"):
        special({"dialect": "one-based"}, strict=True)


# -- nodes ------------------------------------------------------------------------------------------------


def test_a_node_has_its_info_and_hides_its_credentials(client: TIoTHub, first: str) -> None:
    node = client.api.nodes.get(first)
    info = client.api.nodes.info(first)
    assert node.kind == "m2m:nod"
    assert info is not None
    assert info["mgd"] == 1007
    for each in node.get("m2m:crds", []):
        assert each["crse"] == "********"
    assert client.api.nodes.by_id(node["ri"])["rn"] == first
    assert client.api.nodes.find("nobody") is None
    with pytest.raises(NotFound, match="nobody"):
        client.api.nodes.get("nobody")


def test_labels_are_read_merged_and_written(client: TIoTHub, first: str) -> None:
    before = client.api.nodes.labels(first)
    client.api.nodes.set_labels(first, {"hall": "B:2"})
    assert client.api.nodes.labels(first) == {**before, "hall": "B 2"}
    client.api.nodes.set_labels(first, {"hall": None})
    assert client.api.nodes.labels(first) == before


def test_a_blanked_label_is_not_written_back(client: TIoTHub) -> None:
    nodes = client.api.nodes.list()
    name = next(str(each["rn"]) for each in nodes if "loriot-appkey:********" in each["lbl"])
    client.api.nodes.set_labels(name, {"hall": "1"})
    answer = client.api.nodes._dmo.request("GET", f"/{name}", params={"rcn": 1}).text
    assert "loriot-appkey:" in answer
    assert "loriot-appkey:****" not in answer
    client.api.nodes.set_labels(name, {"hall": None})


def test_device_info_is_changed(client: TIoTHub, first: str) -> None:
    before = client.api.nodes.info(first)
    assert before is not None
    changed = client.api.nodes.update_info(first, {"dc": "by a test"})
    assert changed["dc"] == "by a test"
    after = client.api.nodes.info(first)
    assert after is not None
    assert (after["dc"], after["mod"]) == ("by a test", before["mod"])


def test_discovery(client: TIoTHub, first: str) -> None:
    found = client.api.tree.discover(ty=14)
    assert any(each.endswith(f"/{first}") for each in found)
    label = next(each for each in client.api.nodes.get(first)["lbl"] if each.startswith("profile:"))
    narrowed = [str(each["rn"]) for each in client.api.nodes.list(lbl=label)]
    assert first in narrowed
    assert len(narrowed) < len(found)
    assert client.api.tree.get()["rn"] == "eos"


# -- messages and commands --------------------------------------------------------------------------------


def test_messages_of_a_device(client: TIoTHub, first: str, fresh: str) -> None:
    made = client.api.messages.create(
        first, {"reported": {"t": 1.5}}, format="application/json:0", name=fresh
    )
    assert made["ri"]
    newest = client.api.messages.latest(first)
    assert newest is not None
    assert client.api.messages.get(first, fresh)["con"] == {"reported": {"t": 1.5}}
    oldest = client.api.messages.oldest(first)
    assert oldest is not None
    assert oldest["ct"] < newest["ct"]
    listed = client.api.messages.list(first)
    assert [each["ct"] for each in listed] == sorted(each["ct"] for each in listed)
    assert fresh in {each["rn"] for each in listed}
    assert f"device-communication/{first}/received-msg" in client.api.messages.containers(first)
    with pytest.raises(ConfigError, match="outgoing-msg"):
        client.api.messages.list(first, "inbox")
    with pytest.raises(NotFound):
        client.api.messages.list("nobody")


def test_a_command_is_queued_and_can_be_taken_back(client: TIoTHub, fresh: str) -> None:
    name = provisioned(client, fresh)
    made = client.api.commands.send(name, "GET /3\n")
    assert [each["con"] for each in client.api.commands.queued(name)] == ["GET /3\n"]
    assert client.api.commands.sent(name) == []
    assert client.api.commands.cancel(name, made["rn"])
    assert not client.api.commands.cancel(name, made["rn"])
    with pytest.raises(ConfigError, match="needs content"):
        client.api.commands.send(name, "")


# -- provisioning -----------------------------------------------------------------------------------------


def provisioned(client: TIoTHub, name: str) -> str:
    """A new device of this name."""
    imei = f"35190{int(name[1:9], 16) % 10**9:010d}"
    request = client.api.provisioning.request([device(name, imei=imei, profile="SCS-UDP")])
    answer = client.api.provisioning.wait(request, patience=20)
    assert answer["resSs"] == 1, answer
    return name


def test_a_device_is_provisioned_and_removed(client: TIoTHub, fresh: str) -> None:
    provisioned(client, fresh)
    assert client.api.nodes.labels(fresh)["profile"] == "SCS-UDP"
    row = client.devices(text=fresh, expand=True).iloc[0]
    assert (row["device"], row["join"]) == (fresh, "no SIM")
    client.api.nodes.delete(fresh)
    assert client.api.nodes.find(fresh) is None


def test_a_bad_request_says_why(client: TIoTHub, fresh: str) -> None:
    request = client.api.provisioning.request([device(fresh, imei="12", profile="SCS-UDP")])
    answer = client.api.provisioning.wait(request, patience=20)
    assert answer["resSs"] != 1
    row = client.operations(since="1h").set_index("operation").loc[request["ri"]]
    assert (row["status"], row["device"], row["kind"]) == ("FAILED", fresh, "provisioning: create")
    assert row["failure"]
    with pytest.raises(ConfigError, match="at least one device"):
        client.api.provisioning.request([])
    with pytest.raises(ConfigError, match="imei"):
        device(fresh)


def test_patience_ends(client: TIoTHub) -> None:
    assert client.api.provisioning.result("0" * 24) is None
    with pytest.raises(IotnbError, match="no answer"):
        client.api.provisioning.wait("0" * 24, patience=0)


def test_no_credential_of_a_request_is_shown(client: TIoTHub, fresh: str) -> None:
    entry = device(fresh, imei="351901000088011", credentials=["psk-id:id1", "psk:c2VjcmV0LXBzay0xMjM="])
    made = client.api.provisioning.request([entry])
    assert "c2VjcmV0" not in str(made)
    assert not [each for each in client.exchanges if "c2VjcmV0" in each.http() + each.curl()]


# -- groups and subscriptions -----------------------------------------------------------------------------


def test_device_groups(client: TIoTHub, first: str, fresh: str) -> None:
    made = client.api.groups.create(fresh, devices=[first], description="a test")
    assert made.kind == "dtiot:devGr"
    assert fresh in {str(each["rn"]) for each in client.api.groups.list()}
    assert client.api.groups.get(fresh)["nds"]
    client.api.groups.update(fresh, {"nds": []})
    assert client.api.groups.get(fresh)["nds"] == []
    client.api.groups.delete(fresh)
    assert client.api.groups.find(fresh) is None


def test_connectivity_groups_ask_twice(client: TIoTHub, fresh: str) -> None:
    body: dict[str, Any] = {"conPs": [], "liCRr": 1}
    with pytest.raises(ConfigError, match="confirm=True"):
        client.api.connectivity_groups.create(fresh, body)
    client.api.connectivity_groups.create(fresh, body, confirm=True)
    assert fresh in {str(each["rn"]) for each in client.api.connectivity_groups.list()}
    with pytest.raises(ConfigError, match="nothing was sent"):
        client.api.connectivity_groups.delete(fresh)
    client.api.connectivity_groups.delete(fresh, confirm=True)


def test_a_subscription_without_a_listener_is_refused(special: Special, fresh: str) -> None:
    client = special({**STRICT, "origin": f"C{fresh}"}, strict=True)
    client.api.applications.register(fresh)
    client.api.tree.create(fresh, "m2m:cnt", {"rn": "data"}, ty=3)
    path = f"{fresh}/data"
    with pytest.raises(IotnbError, match="5204"):
        client.api.subscriptions.create(path, "http://127.0.0.1:9/hook", name=fresh)
    with pytest.raises(ConfigError, match="delete child"):
        client.api.subscriptions.create(path, "http://127.0.0.1:9/hook", events=["birth"])
    assert list(client.api.subscriptions.list(path)) == []


# -- connection management --------------------------------------------------------------------------------


def test_products_are_listed_found_and_read(client: TIoTHub) -> None:
    thin = list(client.api.products.list(fields=["id", "status"]))
    assert len({each["id"] for each in thin}) == len(thin) > 5
    few = [each for page in client.api.products.pages(size=3) for each in page]
    assert {each["id"] for each in few} == {each["id"] for each in thin}
    iccid = "8997112212741433747"
    found = client.api.products.find([iccid, "8907160000000000533"], terminals=["27597"])
    assert {each["id"] for each in found["entities"]} == {f"JASPER-{iccid}", "INTELSAT-27597"}
    assert "8907160000000000533" in found["errors"][0]["detail"]
    assert client.api.products.get(f"JASPER-{iccid}")["@type"] == "IoTConnection"
    assert client.api.products.usage("INTELSAT-27597")[0]["value"]["units"] == "KB"
    with pytest.raises(NotFound, match="not found"):
        client.api.products.get("JASPER-1")
    with pytest.raises(ConfigError, match="ICCID"):
        client.api.products.find([8997112212741433747])  # type: ignore[list-item]


def test_what_changes_a_sim_asks_first(client: TIoTHub) -> None:
    count = client.session.counters.requests
    for call in (
        lambda: client.api.products.set_status("JASPER-8997112212741433749", "INACTIVE"),
        lambda: client.api.products.set_property("JASPER-8997112212741433749", "a", "b"),
        lambda: client.api.products.set_status("X-1", "ACTIVE", confirm="yes"),  # type: ignore[arg-type]
    ):
        with pytest.raises(ConfigError, match="nothing was sent: this would set"):
            call()
    assert client.session.counters.requests == count


def test_a_sim_is_changed_at_once(enter: Enter) -> None:
    client = enter()
    product = "JASPER-8997112212741433749"
    change = client.api.products.set_status(product, "INACTIVE", confirm=True)
    assert (change["state"], change["monitor"]) == ("Completed", None)
    row = client.devices(expand=True).set_index("device").loc[product]
    assert row["sim_card_status"] == "INACTIVE"
    client.api.products.set_property(product, "colour", "blue", confirm=True)
    client.api.products.set_status(product, "ACTIVE", confirm=True)
    ops = client.operations(since="1h")
    mine = ops[ops["device"] == product]
    assert mine["kind"].astype("str").tolist() == ["sim-status", "sim-property", "sim-status"]
    assert set(mine["status"]) == {"SUCCESSFUL"}
    assert product in mine["parameters"].iloc[0]


def test_a_sim_that_takes_its_time_is_followed(special: Special) -> None:
    client = special(monitor_seconds=1)
    change = client.api.products.set_status("TMSP-89490200001575268860", "ACTIVE", confirm=True)
    assert change["state"] == "InProgress"
    assert change["monitor"].startswith("89490200001575268860-")
    assert client.operations(since="1h")["status"].astype("str").tolist()[-1] == "EXECUTING"
    with pytest.raises(IotnbError, match="still InProgress"):
        client.api.products.wait(change, patience=0)
    assert client.api.products.wait(change, patience=20)["state"] == "Completed"
    row = client.operations(since="1h").iloc[-1]
    assert row["status"] == "SUCCESSFUL"
    assert row["duration"].total_seconds() > 0


def test_a_change_that_is_refused_is_in_the_journal(client: TIoTHub) -> None:
    with pytest.raises(IotnbError):
        client.api.products.set_status("JASPER-8997112212741433749", "PURPLE", confirm=True)
    assert client.api.products.journal[-1]["state"] == "Failed"
    row = client.operations(since="1h").iloc[-1]
    assert (row["status"], row["platform_status"]) == ("FAILED", "Failed")
    assert "400" in row["failure"]


def test_without_connection_management_there_are_no_sims(enter: Enter) -> None:
    client = enter(cmo_url=None)
    frame = client.devices(expand=True)
    assert frame["sim"].isna().all()
    assert "no cmo_url" in str(frame.attrs["iotnb"]["notes"])
    with pytest.raises(ConfigError, match="cmo_url"):
        client.api.products.page()


def test_sim_ids() -> None:
    assert sim_id("JASPER-8949") == "JASPER-8949-simCard"
    assert sim_id("JASPER-8949-simCard") == "JASPER-8949-simCard"
    with pytest.raises(ConfigError, match="text"):
        sim_id(8949)  # type: ignore[arg-type]


def test_the_backend_of_ten_requests_a_second(special: Special, running: sandbox.Sandbox) -> None:
    client = special(devices=30, backend_rate=10)
    thin = [each["id"] for each in client.api.products.list(fields=["id"]) if each["id"].startswith("1NCE")]
    assert thin
    for _ in range(30 // len(thin) + 1):
        for product in thin:
            assert json.dumps(client.api.products.get(product))
