"""A running WSO2 sandbox, logins to it, and a gateway that says what a test wants."""

import importlib
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from badserver import BadServer, reply

from iotnb import sandbox
from iotnb.platforms.wso2 import WSO2
from iotnb.session import Settings

Enter = Callable[..., WSO2]

API = "/api/device-mgt/v1.0"
QUICK = Settings(timeout=(5, 20), backoff=0.01)


def fault(code: int, message: str, status: int, *, namespace: str = "security") -> Any:
    """A refusal of the gateway as XML."""
    prefix = "amt" if namespace == "throttling" else "ams"
    text = (
        f'<{prefix}:fault xmlns:{prefix}="http://wso2.org/apimanager/{namespace}"><{prefix}:code>{code}'
        f"</{prefix}:code><{prefix}:message>{message}</{prefix}:message><{prefix}:description>Access failure"
        f" for API: /x &amp; more</{prefix}:description></{prefix}:fault>"
    )
    return reply(text.encode(), status, kind="application/xml")


@pytest.fixture(scope="session")
def module() -> Any:
    return importlib.import_module("iotnb.sandbox.wso2")


@pytest.fixture(scope="session")
def running(module: Any) -> Iterator[sandbox.Sandbox]:
    with sandbox.start({"wso2": module}, seed=3, devices=12, days=3) as started:
        yield started


@pytest.fixture
def service(running: sandbox.Sandbox) -> Iterator[sandbox.Service]:
    yield running["wso2"]
    running.faults.clear()
    running.world("wso2").switches.clear()


@pytest.fixture
def switches(running: sandbox.Sandbox, service: sandbox.Service) -> dict[str, Any]:
    """What the server may be made to do; it ends with the test."""
    return running.world("wso2").switches


@pytest.fixture
def opened() -> Iterator[list[WSO2]]:
    clients: list[WSO2] = []
    yield clients
    for client in clients:
        client.close()


@pytest.fixture
def enter(service: sandbox.Service, opened: list[WSO2]) -> Enter:
    """Logs in as the sandbox says, with some fields changed; `None` leaves a field out."""

    def enter(**fields: Any) -> WSO2:
        options = {name: fields.pop(name) for name in ("settings", "clock") if name in fields}
        options.setdefault("settings", QUICK)
        values = {**service.connect, **fields}
        client = WSO2.login({k: v for k, v in values.items() if v is not None}, **options)
        opened.append(client)
        return client

    return enter


@pytest.fixture
def client(enter: Enter) -> WSO2:
    return enter()


@pytest.fixture
def whole(enter: Enter) -> WSO2:
    """A login with every scope."""
    return enter(scopes="all")


@pytest.fixture
def scripted(bad: BadServer, opened: list[WSO2]) -> SimpleNamespace:
    """A gateway whose answers a test writes, and a login to it with a given token."""
    probe = f"{API}/device-types"
    bad.on(probe, fault(900902, "Missing Credentials", 401), reply({"count": 0, "deviceTypes": []}))
    made = WSO2.login({"base_url": bad.base_url, "token": "168v5699-5678-rt61"}, settings=QUICK)
    opened.append(made)
    return SimpleNamespace(bad=bad, client=made)
