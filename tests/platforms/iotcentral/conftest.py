"""A sandbox with the one platform, and logins to it."""

from collections.abc import Callable, Iterator
from importlib import import_module

import pytest

from iotnb import sandbox
from iotnb.platforms.iotcentral import IotCentral
from iotnb.sandbox.running import Sandbox
from iotnb.session import Settings

QUICK = Settings(backoff=0.01, retries=4, timeout=(5, 20), rate=500)
Enter = Callable[..., IotCentral]


@pytest.fixture(scope="session")
def served() -> Iterator[Sandbox]:
    """One sandbox for all tests; they make things of their own."""
    module = import_module("iotnb.sandbox.iotcentral")
    quick = {"iotcentral": {"export_seconds": 0.1, "export_period": 0.2, "job_seconds": 0.2}}
    with sandbox.start({"iotcentral": module}, seed=3, devices=12, days=3, switches=quick) as running:  # type: ignore[dict-item]
        yield running


@pytest.fixture
def enter(served: Sandbox) -> Iterator[Enter]:
    """Logs in; the queries of the client are not paced, as most tests are not about the pace."""
    made: list[IotCentral] = []

    def enter(settings: Settings = QUICK, **changes: str) -> IotCentral:
        info = served.info()["iotcentral"]
        fields = {
            **info["connect"],
            "api_token": info["api_tokens"]["sandbox-administrator"],
            "bearer": info["bearer"],
            "management_bearer": info["management_bearer"],
        }
        client = IotCentral.login({**fields, **changes}, settings=settings)
        if client.method != "management":
            client.query_rate(None)
        made.append(client)
        return client

    yield enter
    served.faults.clear()
    for client in made:
        client.close()


@pytest.fixture
def client(enter: Enter) -> IotCentral:
    """An administrator, with the token for management beside."""
    return enter()
