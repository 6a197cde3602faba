"""Bayeux against the sandbox: delivery, order, loss of the conversation, and stopping at once."""

import threading
import time
from collections.abc import Callable

import pytest

from iotnb import sandbox
from iotnb.errors import ConfigError, LoggedOut, Unauthorized
from iotnb.platforms.cumulocity import Cumulocity
from iotnb.platforms.cumulocity.realtime import OPERATIONS, Notice, Notifications

Enter = Callable[..., Cumulocity]


def event(client: Cumulocity, device: str, text: str) -> dict:
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return client.api.events.create({"source": {"id": device}, "type": "t", "text": text, "time": moment})


def collect(live: Notifications, count: int, seconds: float = 5.0) -> list[Notice]:
    found: list[Notice] = []
    end = time.monotonic() + seconds
    while len(found) < count and time.monotonic() < end:
        notice = live.get(timeout=end - time.monotonic())
        if notice is not None:
            found.append(notice)
    return found


def test_what_happens_arrives_in_order(client: Cumulocity, device: str) -> None:
    with client.listen(f"/events/{device}") as live:
        made = [event(client, device, f"n{number}")["id"] for number in range(20)]
        found = collect(live, 20)
        assert [notice.id for notice in found] == made
        assert {notice.action for notice in found} == {"CREATE"}
        client.api.events.update(made[0], {"text": "changed"})
        client.api.events.delete(made[1])
        changed, gone = collect(live, 2)
        assert (changed.action, changed.data["text"]) == ("UPDATE", "changed")
        assert (gone.action, gone.id) == ("DELETE", made[1])


def test_a_star_covers_all_devices_and_nothing_comes_twice(client: Cumulocity, device: str) -> None:
    with client.listen("/events/*", f"/events/{device}") as live:
        made = event(client, device, "once")["id"]
        found = [notice for notice in collect(live, 3, seconds=1.0) if notice.data["source"]["id"] == device]
        assert [notice.id for notice in found] == [made]


def test_what_happens_again_is_told_again(client: Cumulocity, device: str) -> None:
    made = client.api.operations.create({"deviceId": device, "c8y_Restart": {}})["id"]
    with client.listen("/operations/*", f"/operations/{device}") as live:
        for status in ("EXECUTING", "PENDING", "EXECUTING"):
            client.api.operations.update(made, {"status": status})
        found = [notice for notice in collect(live, 4, seconds=1.5) if notice.id == made]
        assert [notice.data["status"] for notice in found] == ["EXECUTING", "PENDING", "EXECUTING"]


def test_stores_are_apart(client: Cumulocity, device: str) -> None:
    with client.listen(f"/measurements/{device}", f"/managedobjects/{device}") as live:
        event(client, device, "not asked for")
        client.api.inventory.update(device, {"x": 1})
        assert [notice.channel for notice in collect(live, 2, seconds=1.0)] == [f"/managedobjects/{device}"]


def test_channels_can_be_added_and_given_up(client: Cumulocity, device: str) -> None:
    with client.listen() as live:
        live.subscribe(f"events/{device}")
        event(client, device, "one")
        assert [notice.data["text"] for notice in collect(live, 1)] == ["one"]
        live.unsubscribe(f"/events/{device}")
        assert live.channels == ()
        event(client, device, "two")
        assert collect(live, 1, seconds=0.5) == []


def test_callbacks_run_on_a_thread_and_their_errors_do_no_harm(client: Cumulocity, device: str) -> None:
    seen: list[str] = []
    done = threading.Event()

    def callback(notice: Notice) -> None:
        seen.append(notice.data["text"])
        if len(seen) == 1:
            raise RuntimeError("mine")
        done.set()

    live = client.listen()
    live.on(f"/events/{device}", callback)
    with live:
        event(client, device, "a")
        event(client, device, "b")
        assert done.wait(5)
    assert seen == ["a", "b"]
    assert [str(error) for error in live.failures] == ["mine"]


def test_stopping_is_immediate(client: Cumulocity, device: str) -> None:
    live = client.listen(f"/events/{device}").start()
    ended: list[float] = []
    thread = threading.Thread(target=lambda: (list(live), ended.append(time.monotonic())))
    thread.start()
    time.sleep(0.5)
    began = time.monotonic()
    live.stop()
    thread.join(10)
    assert ended
    assert ended[0] - began < 10  # the server may hold a connect for 30
    assert not live.running
    live.stop()


def test_it_can_be_started_again(client: Cumulocity, device: str) -> None:
    live = client.listen(f"/events/{device}")
    for text in ("first", "second"):
        with live:
            event(client, device, text)
            assert [notice.data["text"] for notice in collect(live, 1)] == [text]


def test_a_forgotten_client_shakes_hands_again(
    device: str, client: Cumulocity, running: sandbox.Sandbox
) -> None:
    live = Notifications(client.api, [f"/events/{device}"], hold=0.3)
    with live:
        with live._lock:
            live._client = "somebody-else"
        end = time.monotonic() + 5
        while live.handshakes < 2 and time.monotonic() < end:
            time.sleep(0.05)
        assert live.handshakes == 2
        event(client, device, "after")
        assert [notice.data["text"] for notice in collect(live, 1)] == ["after"]


def test_it_outlives_a_server_that_fails_for_a_while(
    client: Cumulocity, device: str, running: sandbox.Sandbox
) -> None:
    with Notifications(client.api, [f"/events/{device}"], hold=0.2) as live:
        running.faults.set("cumulocity", path="/notification/", fail_every=2)
        time.sleep(1.5)
        running.faults.clear()
        assert live.failures
        event(client, device, "still here")
        assert "still here" in [notice.data["text"] for notice in collect(live, 1, seconds=10)]


def test_operations_come_bare_and_once(client: Cumulocity, device: str) -> None:
    with Notifications(client.api, [f"/{device}"], endpoint=OPERATIONS) as live:
        made = client.api.operations.create({"deviceId": device, "c8y_Restart": {}})
        (notice,) = collect(live, 1)
        assert notice.id == made["id"]
        assert notice.data["status"] == "PENDING"
        client.api.operations.update(made["id"], {"status": "EXECUTING"})
        assert collect(live, 1, seconds=0.5) == []


@pytest.mark.parametrize("name", ["", "/", "events", "/events/1/2"])
def test_what_is_no_channel(client: Cumulocity, name: str) -> None:
    with pytest.raises(ConfigError, match="no channel"):
        client.listen(name)


def test_without_a_login_it_ends_with_the_error(enter: Enter, device: str) -> None:
    listener = enter()
    live = Notifications(listener.api, [f"/events/{device}"], hold=0.2).start()
    listener.logout()
    with pytest.raises((LoggedOut, Unauthorized)):
        live.get(timeout=5)
    live.stop()
