"""A running sandbox, and logins to it; every test talks real HTTP."""

import base64
import hmac
import struct
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from iotnb import sandbox
from iotnb.platforms.cumulocity import Cumulocity
from iotnb.session import Settings

TOTP_SECRET = "5XLQP7HIKZBDH6ZZ"


@pytest.fixture(scope="session")
def running() -> Iterator[sandbox.Sandbox]:
    with sandbox.start("cumulocity", seed=7, devices=25, days=10) as started:
        yield started


@pytest.fixture
def service(running: sandbox.Sandbox) -> Iterator[sandbox.Service]:
    yield running["cumulocity"]
    running.faults.clear()


@pytest.fixture
def enter(service: sandbox.Service) -> Iterator[Callable[..., Cumulocity]]:
    """Logs in as the sandbox says, with some fields changed; `None` leaves a field out."""
    opened: list[Cumulocity] = []

    def enter(**fields: Any) -> Cumulocity:
        settings = fields.pop("settings", Settings(timeout=(5, 20)))
        values = {**service.connect, **fields}
        client = Cumulocity.login({k: v for k, v in values.items() if v is not None}, settings=settings)
        opened.append(client)
        return client

    yield enter
    for client in opened:
        client.close()


@pytest.fixture
def client(enter: Callable[..., Cumulocity]) -> Cumulocity:
    return enter()


@pytest.fixture
def fresh() -> str:
    """A name that nothing else has."""
    return f"t{uuid.uuid4().hex[:12]}"


@pytest.fixture
def device(client: Cumulocity, fresh: str) -> Iterator[str]:
    """A device of its own for a test: the id of its object."""
    made = client.api.inventory.create(
        {"name": fresh, "type": "test", "c8y_IsDevice": {}, "com_cumulocity_model_Agent": {}}
    )
    yield made["id"]
    if client.logged_in and client.api.inventory.find(made["id"]):
        client.api.inventory.delete(made["id"])


def totp(moment: float | None = None) -> str:
    """The authenticator of the sandbox's user `totp` (RFC 6238)."""
    counter = struct.pack(">Q", int(time.time() if moment is None else moment) // 30)
    digest = hmac.new(base64.b32decode(TOTP_SECRET), counter, "sha1").digest()
    place = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[place : place + 4])[0] & 0x7FFFFFFF) % 1_000_000:06d}"


@pytest.fixture
def code() -> Callable[[], str]:
    return totp


@pytest.fixture
def users(service: sandbox.Service) -> dict[str, dict[str, str]]:
    """The sandbox's users by name: `username` and `password` of each."""
    found: dict[str, dict[str, str]] = service.info()["users"]
    return found
