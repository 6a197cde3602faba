"""Bayeux long polling: handshake, subscribe, connect, delivery, ends."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from callers import DEVICE, Api, World

OPERATIONS, REALTIME = "/notification/operations", "/notification/realtime"


def send(api: Api, place: str, *messages: dict[str, Any], **headers: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api("POST", place, json=list(messages), headers=headers).json()
    return found


def open_client(api: Api, place: str, *channels: str) -> str:
    hello = send(
        api,
        place,
        {
            "id": "1",
            "channel": "/meta/handshake",
            "version": "1.0",
            "supportedConnectionTypes": ["long-polling"],
        },
    )
    client: str = hello[0]["clientId"]
    for channel in channels:
        answer = send(api, place, {"channel": "/meta/subscribe", "clientId": client, "subscription": channel})
        assert answer[0]["successful"], answer
    return client


def connect(api: Api, place: str, client: str, timeout: int | None = 0, **more: Any) -> list[dict[str, Any]]:
    advice = {} if timeout is None else {"advice": {"timeout": timeout, **more}}
    message = {
        "id": "9",
        "channel": "/meta/connect",
        "clientId": client,
        "connectionType": "long-polling",
        **advice,
    }
    return send(api, place, message)


def test_the_four_messages_answer_as_documented(admin: Api) -> None:
    types = ["callback-polling", "long-polling"]
    hello = send(
        admin,
        OPERATIONS,
        {
            "id": "1",
            "channel": "/meta/handshake",
            "version": "1.0",
            "minimumVersion": "0.9",
            "supportedConnectionTypes": types,
        },
    )[0]
    client = hello["clientId"]
    assert hello == {
        "id": "1",
        "channel": "/meta/handshake",
        "clientId": client,
        "version": "1.0",
        "minimumVersion": "1.0",
        "supportedConnectionTypes": ["long-polling", "smartrest-long-polling", "websocket"],
        "successful": True,
    }
    subscribed = send(
        admin,
        OPERATIONS,
        {"id": "2", "channel": "/meta/subscribe", "clientId": client, "subscription": f"/{DEVICE}"},
    )
    assert subscribed == [
        {
            "id": "2",
            "channel": "/meta/subscribe",
            "clientId": client,
            "subscription": f"/{DEVICE}",
            "successful": True,
        }
    ]
    started = time.monotonic()
    assert connect(admin, OPERATIONS, client)[-1] == {
        "id": "9",
        "channel": "/meta/connect",
        "successful": True,
    }
    assert time.monotonic() - started < 1
    assert send(admin, OPERATIONS, {"channel": "/meta/disconnect", "clientId": client}) == [
        {"channel": "/meta/disconnect", "successful": True}
    ]
    assert connect(admin, OPERATIONS, client)[0]["error"] == "402::Unknown client"


def test_a_held_connect_returns_with_the_new_operation_of_a_child(world: World, admin: Api) -> None:
    agent, child = admin.device(), admin.device()
    admin.post(f"/inventory/managedObjects/{agent}/childDevices", {"managedObject": {"id": child}})
    client = open_client(admin, OPERATIONS, f"/{agent}")
    answers: list[Any] = []
    held = threading.Thread(
        target=lambda: answers.append(connect(world.user("admin"), OPERATIONS, client, 20_000))
    )
    held.start()
    time.sleep(0.2)
    made = admin.post("/devicecontrol/operations", {"deviceId": child, "c8y_Restart": {}})
    held.join(5)
    data = next(m for m in answers[0] if m["channel"] == f"/{agent}")
    assert data["data"] == made
    assert answers[0][-1]["channel"] == "/meta/connect"
    admin.put(f"/devicecontrol/operations/{made['id']}", {"status": "EXECUTING"})
    assert len(connect(admin, OPERATIONS, client)) == 1


def test_what_happens_between_two_connects_is_kept_for_ten_seconds(still: World) -> None:
    admin = still.user("admin")
    device = admin.device()
    client = open_client(admin, OPERATIONS, f"/{device}")
    connect(admin, OPERATIONS, client)
    admin.post("/devicecontrol/operations", {"deviceId": device, "c8y_Restart": {}})
    still.sandbox.clock.advance(9_000)
    assert len(connect(admin, OPERATIONS, client)) == 2
    admin.post("/devicecontrol/operations", {"deviceId": device, "c8y_Restart": {}})
    still.sandbox.clock.advance(11_000)
    assert len(connect(admin, OPERATIONS, client)) == 1


def test_a_conversation_ends_after_the_interval_or_two_hours(still: World) -> None:
    admin = still.user("admin")
    short, long = open_client(admin, OPERATIONS, "/1"), open_client(admin, OPERATIONS, "/1")
    echoed = connect(admin, OPERATIONS, short, 1, interval=3000)[-1]
    assert echoed["advice"] == {"timeout": 1, "interval": 3000}
    connect(admin, OPERATIONS, long)
    still.sandbox.clock.advance(4_000)
    gone = connect(admin, OPERATIONS, short)[0]
    assert (gone["successful"], gone["error"], gone["advice"]["reconnect"]) == (
        False,
        "402::Unknown client",
        "handshake",
    )
    assert connect(admin, OPERATIONS, long)[-1]["successful"]
    still.sandbox.clock.advance(7_201_000)
    assert not connect(admin, OPERATIONS, long)[-1]["successful"]


def test_a_second_connect_ends_the_first(world: World, admin: Api) -> None:
    client = open_client(admin, OPERATIONS, "/1")
    answers: list[Any] = []
    first = threading.Thread(
        target=lambda: answers.append(connect(world.user("admin"), OPERATIONS, client, 20_000))
    )
    first.start()
    time.sleep(0.2)
    connect(admin, OPERATIONS, client)
    first.join(5)
    assert answers[0][-1]["successful"]


@pytest.mark.parametrize("place", [REALTIME, "/cep/realtime", f"{REALTIME}/connect"])
def test_changes_arrive_by_channel_with_their_action(admin: Api, place: str) -> None:
    device = admin.device()
    names = ("measurements", "events", "alarms", "operations", "managedobjects")
    client = open_client(admin, place, *(f"/{name}/{device}" for name in names))
    source = {"source": {"id": device}, "type": "t", "time": "2026-01-01T00:00:00Z"}
    admin.post("/measurement/measurements", {**source, "a": {"b": {"value": 1}}})
    event = admin.post("/event/events", {**source, "text": "x"})
    alarm = admin.post("/alarm/alarms", {**source, "text": "x", "severity": "MINOR"})
    admin.put(f"/alarm/alarms/{alarm['id']}", {"status": "CLEARED"})
    admin.post("/devicecontrol/operations", {"deviceId": device, "c8y_Restart": {}})
    admin.put(f"/inventory/managedObjects/{device}", {"a": 1})
    admin.delete(f"/event/events/{event['id']}")
    found = [
        (m["channel"].split("/")[1], m["data"]["realtimeAction"])
        for m in connect(admin, place, client)
        if "data" in m
    ]
    assert found == [
        ("measurements", "CREATE"),
        ("events", "CREATE"),
        ("alarms", "CREATE"),
        ("alarms", "UPDATE"),
        ("operations", "CREATE"),
        ("managedobjects", "UPDATE"),
        ("events", "DELETE"),
    ]


def test_deletes_carry_only_the_id_and_stars_cover_all_objects(admin: Api) -> None:
    client = open_client(admin, REALTIME, "/managedobjects/*")
    device = admin.device()
    admin.delete(f"/inventory/managedObjects/{device}")
    found = [m["data"] for m in connect(admin, REALTIME, client) if "data" in m]
    assert found[0]["data"]["id"] == device
    assert found[-1] == {"realtimeAction": "DELETE", "data": device}


def test_quiescent_requests_are_not_announced(admin: Api) -> None:
    device = admin.device()
    client = open_client(admin, REALTIME, f"/events/{device}")
    body = {"source": {"id": device}, "type": "t", "text": "x", "time": "2026-01-01T00:00:00Z"}
    admin.post("/event/events", body, **{"X-Cumulocity-Processing-Mode": "QUIESCENT"})
    assert len(connect(admin, REALTIME, client)) == 1


def test_the_fleet_reports_while_somebody_listens(still: World) -> None:
    admin = still.user("admin")
    client = open_client(admin, REALTIME, f"/measurements/{DEVICE}")
    answers: list[Any] = []
    held = threading.Thread(
        target=lambda: answers.append(connect(still.user("admin"), REALTIME, client, 15_000))
    )
    held.start()
    time.sleep(0.3)
    before = still.sandbox.clock.now()
    still.sandbox.clock.advance(180_000)
    held.join(5)
    found = [m["data"]["data"] for m in answers[0] if "data" in m]
    assert found
    expected = still.fleet.times(1, "environment", before + 1, before + 180_001)
    times = {m["time"] for m in found if m["type"] == "c8y_Environment"}
    assert times == {f"{at}Z" for at in expected.astype("M8[ms]").astype(str).tolist()}


def test_simulated_devices_answer_while_a_connect_is_held(still: World) -> None:
    admin = still.user("admin")
    client = open_client(admin, REALTIME, "/operations/*")
    now = still.sandbox.clock.now()
    device = next(100_000 + i for i in range(25) if still.fleet.online(i, now))
    admin.post("/devicecontrol/operations", {"deviceId": str(device), "c8y_Command": {"text": "x"}})
    still.sandbox.clock.advance(5_000)
    found = [m["data"]["data"]["status"] for m in connect(admin, REALTIME, client) if "data" in m]
    assert found[:2] == ["PENDING", "EXECUTING"]


def test_tolerances(admin: Api) -> None:
    bare = admin(
        "POST", OPERATIONS, json={"channel": "/meta/handshake", "version": "1.0"}, headers={"Accept": None}
    )
    client = bare.json()[0]["clientId"]
    assert "id" not in bare.json()[0]
    several = send(
        admin,
        f"{OPERATIONS}/handshake",
        {"id": "a", "channel": "/meta/subscribe", "clientId": client, "subscription": ["/1", "/2"]},
        {"id": "b", "channel": "/meta/unsubscribe", "clientId": client, "subscription": "/1"},
        {"id": "c", "channel": "/meta/connect", "clientId": client, "advice": {"timeout": 0}},
    )
    assert [(m["id"], m["successful"]) for m in several] == [("a", True), ("b", True), ("c", True)]

    def chunks() -> Any:
        yield b'[{"channel":"/meta/handshake",'
        yield b'"version":"1.0"}]'

    assert admin("POST", REALTIME, data=chunks(), headers={"Content-Type": "application/json"}).json()[0][
        "successful"
    ]
    assert admin("POST", OPERATIONS, 400, data=b"[{").json()["error"].startswith("notification")
    strange = send(admin, OPERATIONS, {"channel": "/anything", "clientId": client, "data": {}})
    assert not strange[0]["successful"]


def test_strict_servers_want_connection_types(world: World, admin: Api) -> None:
    world.switch(strict=True)
    refused = send(admin, OPERATIONS, {"channel": "/meta/handshake", "version": "1.0"})[0]
    assert refused["error"] == "402:supportedConnectionTypes:Missing required parameter"
    body = {"channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["long-polling"]}
    assert admin("POST", OPERATIONS, json=[body], headers={"Accept": None}).content == b""


def test_forgotten_clients_and_missing_rights(world: World, admin: Api) -> None:
    client = open_client(admin, OPERATIONS, "/1")
    world.switch(lose_clients=True)
    assert connect(admin, OPERATIONS, client)[0]["error"] == "402::Unknown client"
    world.switch(lose_clients=False)
    admin.post("/user/test/users", {"userName": "norights", "password": "secret-123"})
    nobody = world.login("test/norights", "secret-123")
    assert send(nobody, OPERATIONS, {"channel": "/meta/handshake"})[0]["error"] == "403::Handshake denied"
    restricted = world.user("restricted")
    client = send(restricted, REALTIME, {"channel": "/meta/handshake"})[0]["clientId"]
    outside = admin.device()
    denied = send(
        restricted,
        REALTIME,
        {"channel": "/meta/subscribe", "clientId": client, "subscription": f"/alarms/{outside}"},
    )
    assert not denied[0]["successful"]
    admin.delete("/user/test/users/norights")


def test_stopping_the_sandbox_does_not_wait_for_held_connects(fresh: Callable[..., World]) -> None:
    world = fresh(devices=1, days=1, switches={"cumulocity": {"hold_seconds": 60}})
    admin = world.user("admin")
    client = open_client(admin, OPERATIONS, "/1")

    def hold() -> None:
        with pytest.raises(OSError):
            connect(world.user("admin"), OPERATIONS, client, None)

    held = threading.Thread(target=hold)
    held.start()
    time.sleep(0.2)
    started = time.monotonic()
    world.sandbox.close()
    held.join(5)
    assert not held.is_alive()
    assert time.monotonic() - started < 2
