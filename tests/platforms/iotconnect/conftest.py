"""A running IoTConnect sandbox, and logins to it; every test that is not pure talks real HTTP."""

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest

from iotnb import sandbox
from iotnb.platforms.iotconnect import IoTConnect
from iotnb.session import Settings

QUICK = Settings(timeout=(5, 20), backoff=0.01, retries=4)
EDITIONS = ("az", "aws", "v1.1")
Enter = Callable[..., IoTConnect]


@pytest.fixture(scope="session")
def served() -> Iterator[sandbox.Sandbox]:
    """One sandbox for all tests; they make things of their own."""
    module: Any = import_module("iotnb.sandbox.iotconnect")
    with sandbox.start({"iotconnect": module}, seed=3, devices=12, days=16) as running:
        yield running
        running.raise_errors()


@pytest.fixture
def enter(served: sandbox.Sandbox) -> Iterator[Enter]:
    """Logs in as the sandbox says, with some fields changed; `None` leaves a field out."""
    made: list[IoTConnect] = []

    def enter(settings: Settings = QUICK, clock: Any = None, **changes: Any) -> IoTConnect:
        values = {**served["iotconnect"].connect, **changes}
        options = {"clock": clock} if clock else {}
        given = {name: value for name, value in values.items() if value is not None}
        client = IoTConnect.login(given, settings=settings, **options)
        made.append(client)
        return client

    yield enter
    served.faults.clear()
    served.clock.set(None)  # what happens ahead of the present is not asked for
    for client in made:
        client.close()


@pytest.fixture
def client(enter: Enter) -> IoTConnect:
    """The administrator, on Azure."""
    return enter()


@pytest.fixture(params=EDITIONS)
def each(request: pytest.FixtureRequest, enter: Enter) -> IoTConnect:
    """The administrator, on every edition in turn."""
    return enter(edition=request.param)
