"""Notifications are really POSTed, to a receiver on this machine."""

from collections.abc import Callable, Iterator

import pytest

from iotnb.inbox import Inbox
from iotnb.platforms.tiothub import TIoTHub, rows

Special = Callable[..., TIoTHub]


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with Inbox() as made:
        yield made


def test_a_subscription_brings_each_message(client: TIoTHub, inbox: Inbox, fresh: str) -> None:
    device = str(next(client.api.nodes.list())["rn"])
    path = f"device-communication/{device}/received-msg"
    client.api.subscriptions.create(path, inbox.url, name=fresh)
    assert fresh in {each["rn"] for each in client.api.subscriptions.routes(device)}
    client.api.messages.create(device, {"hello": fresh}, format="application/json:0")

    def mine() -> list[dict[str, object]]:
        return [row for each in inbox.deliveries if fresh in str((row := rows.event(each.body))["text"])]

    for count in range(1, 50):
        inbox.wait(count, timeout=20)
        if mine():
            break
    assert mine()[0]["type"] == "create"
    client.api.subscriptions.delete(path, fresh)
    assert fresh not in {each["rn"] for each in client.api.subscriptions.routes(device)}


def test_a_strict_server_verifies_the_address_first(special: Special, inbox: Inbox, fresh: str) -> None:
    client = special({"edition": "standard", "dialect": "one-based", "origin": f"C{fresh}"}, strict=True)
    client.api.applications.register(fresh)
    client.api.tree.create(fresh, "m2m:cnt", {"rn": "data"}, ty=3)
    client.api.subscriptions.create(f"{fresh}/data", inbox.url, name="s1")
    assert rows.event(inbox.wait(1, timeout=20)[0].body)["type"] == "verification"
    client.api.tree.create(f"{fresh}/data", "m2m:cin", {"con": "7"}, ty=4)
    event = rows.event(inbox.wait(2, timeout=20)[1].body)
    assert (event["type"], event["text"]) == ("create", "7")


def test_a_group_routes_messages_to_an_application(client: TIoTHub, inbox: Inbox, fresh: str) -> None:
    device = str(next(client.api.nodes.list())["rn"])
    client.api.tree.create("", "m2m:ae", {"api": "NTest", "rn": fresh, "poa": [inbox.url]}, ty=2)
    client.api.groups.create(f"{fresh}-route", devices=[device], applications=[fresh])
    assert any(f"{fresh}-route" in str(each["rn"]) for each in client.api.subscriptions.routes(device))
    client.api.messages.create(device, "to the application")
    arrived = inbox.wait(1, timeout=20)
    assert any("to the application" in str(each.body) for each in arrived) or inbox.wait(2, timeout=20)
    client.api.groups.delete(f"{fresh}-route")
    client.api.applications.delete(fresh)
