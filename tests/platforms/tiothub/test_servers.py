"""Servers unlike the sandbox: two vocabularies, thin lists, old layouts, and none of T IoT Hub's."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from badserver import BadServer, reply

from iotnb.errors import ConfigError, IotnbError
from iotnb.loading import Load
from iotnb.platforms.tiothub import TIoTHub
from iotnb.platforms.tiothub.api import Api, Dmo
from iotnb.platforms.tiothub.inventory import Inventory
from iotnb.platforms.tiothub.readers import Uplink
from iotnb.session import Session, Settings

Special = Callable[..., TIoTHub]
OPEN = {"edition": "standard", "origin": "CTest", "dialect": "one-based"}


@pytest.mark.parametrize(
    "switches",
    [
        {"vocabulary": "long"},
        {"vocabulary": "mixed"},
        {"edition": "2026"},
        {"plain": True},
        {"limit_cap": 5},
        {"next_link": True},
    ],
)
def test_the_tables_are_the_same_whatever_the_server_is_like(
    special: Special, switches: dict[str, Any]
) -> None:
    usual, other = special(), special(**switches)
    wanted, found = (each.devices(expand=True).set_index("device") for each in (usual, other))
    columns = ["name", "type", "iccid", "imei", "join", "tariff", "labels"]
    pd.testing.assert_frame_equal(found[columns], wanted[columns], check_categorical=False)
    wanted, found = (
        each.series(list(each.devices()["device"][:3]))[["device", "series", "kind"]].astype("str")
        for each in (usual, other)
    )
    pd.testing.assert_frame_equal(
        found.sort_values(["device", "series"], ignore_index=True),
        wanted.sort_values(["device", "series"], ignore_index=True),
    )


def enter(bad: BadServer, **fields: str) -> TIoTHub:
    settings = Settings(timeout=(2, 2), backoff=0.01, retries=1)
    return TIoTHub.login({"dmo_url": f"{bad.base_url}/cse-in", **OPEN, **fields}, settings=settings)


def test_a_server_without_a_login(bad: BadServer) -> None:
    bad.on("/cse-in", reply({"m2m:cb": {"rn": "cse-in", "ri": "id-in", "ty": 5}}))
    with enter(bad) as client:
        assert (client.method, client.tenant, client.user) == ("open", "cse-in", "CTest")
        with pytest.raises(IotnbError, match="no token"):
            client.api.tokens.fetch()
    sent = bad.seen[0]
    assert sent.headers["x-m2m-rvi"] == "3"
    assert sent.headers["x-m2m-origin"] == "CTest"
    assert "authorization" not in sent.headers


def test_what_answers_is_no_such_api(bad: BadServer) -> None:
    bad.on("/cse-in", reply({"hello": "world"}))
    with pytest.raises(ConfigError, match="not as a oneM2M API"):
        enter(bad)
    bad.on("/cse-in", reply(b"<html>hello</html>", kind="text/html"))
    with pytest.raises(ConfigError, match="does not lead to"):
        enter(bad)


def api(bad: BadServer, **options: Any) -> Api:
    settings = Settings(timeout=(2, 2), backoff=0.01, retries=1)
    dmo = Dmo(Session(f"{bad.base_url}/v3", settings=settings), tenant="eos", origin="CTest", **options)
    return Api(dmo, Session(f"{bad.base_url}/v5/eos", settings=settings))


def test_a_result_code_counts_more_than_the_status(bad: BadServer) -> None:
    bad.on("/v3/eos/x", reply({"m2m:dbg": "no such thing"}, 200, X_M2M_RSC="4004"))
    with pytest.raises(IotnbError, match="404 GET /v3/eos/x: no such thing"):
        api(bad).tree.get("x")


def test_each_request_has_an_id_of_its_own(bad: BadServer) -> None:
    bad.on("/v3/eos/x", reply({"m2m:cnt": {"rn": "x"}}))
    chapters = api(bad)
    for _ in range(2):
        chapters.tree.get("x")
    assert len({each.headers["x-m2m-ri"] for each in bad.seen}) == 2


def test_a_thin_list_of_connections_is_completed_as_far_as_it_can_be(bad: BadServer) -> None:
    iccid, gone = "8949020000157526001", "8949020000157526002"
    thin = [{"id": f"TMSP-{iccid}"}, {"id": f"1NCE-{gone}", "status": "ACTIVE"}, {"id": "INTELSAT-27597"}]
    bad.on("/v5/eos/product", reply({"entities": thin}), reply({"entities": []}))
    card = {"@type": "simCard", "productCharacteristic": [{"name": "iccid", "value": iccid}]}
    whole = {"id": f"TMSP-{iccid}", "status": "ACTIVE", "productRelationship": [{"product": card}]}
    problem = {"title": "Error", "detail": f"Product with iccid {gone} not found"}
    bad.on("/v5/eos/product/find", reply({"entities": [whole], "errors": [problem]}))
    bad.on("/v5/eos/product/INTELSAT-27597", reply({"id": "INTELSAT-27597", "productRelationship": []}))
    load = Load()
    rows = {row["sim"]: row for row in Inventory(api(bad), connected=True).sims(load)}
    assert set(rows) == {each["id"] for each in thin}
    assert rows[f"TMSP-{iccid}"]["status"] == "ACTIVE"
    assert rows[f"1NCE-{gone}"]["iccid"] == gone
    assert any(gone in note for note in load.notes)


def test_messages_in_an_older_place_are_found(bad: BadServer) -> None:
    bad.on("/v3/eos/device-communication/old/received-msg", reply({"m2m:dbg": "none"}, 404))
    bad.on("/v3/eos/device-communication/old", reply({"m2m:dbg": "none"}, 404))
    bad.on("/v3/eos/old", reply({"m2m:ae": {"rn": "old", "m2m:cnt": [{"rn": "data"}]}}))
    message = {"ri": "1", "con": {"t": 1.5}, "ct": "20250401T140735"}
    bad.on("/v3/eos/old/data", reply({"m2m:cnt": {"rn": "data", "cni": 1, "m2m:cin": [message]}}))
    found = [row for page in Uplink(api(bad), series=None).rows("old", Load()) for row in page]
    assert [(row["series"], row["value"]) for row in found] == [("data:t", 1.5)]


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (reply({"id": "s", "status": "ACTIVE"}), "Completed"),
        (reply(b"", 202, Location="http://x/monitor/894-1"), "InProgress"),
        (reply({"href": "https://x/v5/eos/monitor/894-1"}, 202), "InProgress"),
        (reply(b'"https://x/v5/eos/monitor/894-1"', 202), "InProgress"),
    ],
)
def test_a_monitor_is_found_wherever_its_link_stands(bad: BadServer, answer: Any, state: str) -> None:
    bad.on("/v5/eos/product/TMSP-894-simCard", answer)
    bad.on("/v5/eos/monitor/894-1", reply({"state": "Whatever"}))
    products = api(bad).products
    change = products.set_status("TMSP-894", "ACTIVE", confirm=True)
    assert change["state"] == state
    if state == "InProgress":
        assert products.wait(change, patience=1)["state"] == "Whatever"  # every other word is final
    assert bad.seen[0].headers["content-type"] == "application/json-patch+json"
