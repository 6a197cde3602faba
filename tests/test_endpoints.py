"""Lines of `client.api` found by rehearsal: nothing is sent, and each line sends what it is said to send."""

from collections.abc import Iterator
from typing import Any

import pytest

import iotnb
from iotnb import endpoints
from iotnb.client import Client


@pytest.fixture(scope="module")
def client(running: Any) -> Iterator[Client]:
    with iotnb.connect("cumulocity", **running["cumulocity"].connect) as made:
        yield made


@pytest.fixture(scope="module")
def known(client: Client) -> list[endpoints.Endpoint]:
    return endpoints.endpoints(client)


@pytest.mark.parametrize("platform", sorted(iotnb.platform_names()))
def test_a_rehearsal_sends_nothing_and_leaves_no_trace(running: Any, platform: str) -> None:
    with iotnb.connect(platform, **running[platform].connect) as client:
        sessions = client.sessions
        before = [len(session.exchanges) for session in sessions]
        auths = [session.auth for session in sessions]
        found = endpoints.endpoints(client)
        assert [len(session.exchanges) for session in sessions] == before
        assert [session.auth for session in sessions] == auths
        assert len({each.call for each in found}) >= 40
        assert {each.sent.session for each in found} <= set(sessions)


@pytest.mark.parametrize(
    ("method", "path", "more", "line"),
    [
        ("GET", "/inventory/managedObjects/17", {}, "inventory.get('17')"),
        ("GET", "/inventory/managedObjects", {"query": [("pageSize", "5")]}, "inventory.page(pageSize=5)"),
        ("POST", "/inventory/managedObjects", {"body": {"name": "a"}}, "inventory.create({'name': 'a'})"),
        ("PUT", "/inventory/managedObjects/1", {"body": {"x": 1}}, "inventory.update('1', {'x': 1})"),
        ("DELETE", "/inventory/managedObjects/1", {}, "inventory.delete('1')"),
        ("GET", "/identity/externalIds/c8y_Serial/a%20b", {}, "identity.get('c8y_Serial', 'a b')"),
        (
            "POST", "/inventory/managedObjects/1/childDevices", {"body": {"managedObject": {"id": "7"}}},
            "inventory.add_child('1', '7')",
        ),
        ("GET", "/user/currentUser", {}, "users.current()"),
        ("get", "/devicecontrol/operations/9", {}, "operations.get('9')"),
    ],
)  # fmt: skip
def test_the_line_of_a_documented_request(
    known: list[endpoints.Endpoint], method: str, path: str, more: dict[str, Any], line: str
) -> None:
    found = endpoints.find(known, method, path, **more)
    assert found is not None
    assert found.line == f"client.api.{line}"


def test_the_line_sends_what_was_asked(client: Client, known: list[endpoints.Endpoint]) -> None:
    query = [("type", "c8y_Pump"), ("pageSize", "3"), ("withChildren", "false")]
    found = endpoints.find(known, "GET", "/inventory/managedObjects", query=query)
    assert found is not None
    assert found.differences == []
    eval(found.line, {"client": client})
    sent = client.exchanges[-1]
    assert sent.method == "GET"
    assert sorted(sent.url.partition("?")[2].split("&")) == sorted(f"{name}={value}" for name, value in query)


def test_what_a_line_does_otherwise_is_said(known: list[endpoints.Endpoint]) -> None:
    found = endpoints.find(known, "GET", "/inventory/managedObjects/17", query=[("bogus", "1")])
    assert found is not None
    assert "it does not send bogus=1" in found.differences
    other = endpoints.find(known, "DELETE", "/inventory/managedObjects/17", body={"a": 1})
    assert other is not None
    assert "it sends another body" in other.differences


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/nothing/there"), ("PATCH", "/inventory/managedObjects/1"), ("GET", "/"), ("GET", "")],
)
def test_a_request_that_no_method_sends(known: list[endpoints.Endpoint], method: str, path: str) -> None:
    assert endpoints.find(known, method, path) is None


def test_what_a_document_leaves_open_is_filled_by_the_login(running: Any) -> None:
    with iotnb.connect("tiothub", **running["tiothub"].connect) as hub:
        known = endpoints.endpoints(hub)
        path = "/api-gw/device-management-orchestrator/v3/<your_tenant_name>"
        body = {"m2m:ae": {"api": "N<your_application_type>", "rn": "demo"}}
        found = endpoints.find(known, "POST", path, body=body, name="hub")
        assert found is not None
        assert found.line == "hub.api.applications.register(name='demo')"
        assert found.path == "/" + hub.api._dmo.tenant
        assert found.headers["X-M2M-Origin"] == hub.api._dmo.origin
        below = endpoints.find(known, "GET", f"{path}/device-communication/x1/received-msg/la")
        assert below is not None
        assert below.line == "client.api.messages.latest('x1')"
