"""A running T IoT Hub sandbox, and logins to it; every test that is not pure talks real HTTP."""

import importlib
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from iotnb import sandbox
from iotnb.platforms.tiothub import TIoTHub
from iotnb.session import Settings

MODULE = "iotnb.sandbox.tiothub"
Enter = Callable[..., TIoTHub]


@pytest.fixture(scope="session")
def module() -> Any:
    return importlib.import_module(MODULE)


@pytest.fixture(scope="session")
def running(module: Any) -> Iterator[sandbox.Sandbox]:
    with sandbox.start({"tiothub": module}, seed=3, devices=12, days=3) as started:
        yield started


@pytest.fixture
def service(running: sandbox.Sandbox) -> Iterator[sandbox.Service]:
    yield running["tiothub"]
    running.faults.clear()


@pytest.fixture
def opened() -> Iterator[list[TIoTHub]]:
    clients: list[TIoTHub] = []
    yield clients
    for client in clients:
        client.close()


@pytest.fixture
def enter(service: sandbox.Service, opened: list[TIoTHub]) -> Enter:
    """Logs in as the sandbox says, with some fields changed; `None` leaves a field out."""

    def enter(**fields: Any) -> TIoTHub:
        options = {name: fields.pop(name) for name in ("settings", "clock") if name in fields}
        options.setdefault("settings", Settings(timeout=(5, 20), backoff=0.01))
        values = {**service.connect, **fields}
        client = TIoTHub.login({k: v for k, v in values.items() if v is not None}, **options)
        opened.append(client)
        return client

    return enter


@pytest.fixture
def client(enter: Enter) -> TIoTHub:
    return enter()


@pytest.fixture
def special(module: Any, opened: list[TIoTHub]) -> Iterator[Callable[..., TIoTHub]]:
    """A login to a sandbox of its own with some switches; `fields` change the login."""
    started: list[sandbox.Sandbox] = []

    def special(fields: dict[str, Any] | None = None, /, **switches: Any) -> TIoTHub:
        size = {name: switches.pop(name, default) for name, default in (("devices", 6), ("days", 1))}
        running = sandbox.start({"tiothub": module}, seed=3, switches={"tiothub": switches}, **size)
        started.append(running)
        values = {**running["tiothub"].connect, **(fields or {})}
        client = TIoTHub.login(values, settings=Settings(timeout=(5, 20), backoff=0.01))
        client.running = running  # type: ignore[attr-defined]  # for tests that look behind
        opened.append(client)
        return client

    yield special
    for running in started:
        running.close()


@pytest.fixture
def fresh() -> str:
    """A name that nothing else has."""
    return f"t{uuid.uuid4().hex[:12]}"
