"""The sandboxes of the Cumulocity tests; their users stand in callers.py, for import by name."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from iotnb import sandbox
from iotnb.sandbox.fleet import Clock

sys.path.insert(0, str(Path(__file__).parent))

from callers import NOON, Api, World


@pytest.fixture(scope="session")
def shared() -> Iterator[sandbox.Sandbox]:
    with sandbox.start(["cumulocity"], devices=25, days=10) as running:
        yield running


@pytest.fixture
def world(shared: sandbox.Sandbox) -> Iterator[World]:
    """The shared sandbox; what a test switches is switched back."""
    found = World(shared)
    yield found
    found.close()
    shared.world("cumulocity").switches.clear()
    shared.faults.clear()
    shared.raise_errors()


@pytest.fixture
def admin(world: World) -> Api:
    return world.user("admin")


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON, frozen=True)


@pytest.fixture
def still(clock: Clock) -> Iterator[World]:
    """A sandbox of its own whose clock stands still at noon."""
    with sandbox.start(["cumulocity"], devices=25, days=10, clock=clock) as running:
        found = World(running)
        yield found
        found.close()
        running.raise_errors()


@pytest.fixture
def fresh() -> Iterator[Callable[..., World]]:
    """Makes sandboxes with options of their own and ends them after the test."""
    running: list[World] = []

    def make(**options: Any) -> World:
        running.append(World(sandbox.start(["cumulocity"], **options)))
        return running[-1]

    yield make
    for one in running:
        one.close()
        one.sandbox.raise_errors()
        one.sandbox.stop()
