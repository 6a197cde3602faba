"""What the fleet says is what the client loads, where the platform tells less than others do."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from iotnb import sandbox, times
from iotnb.platforms.tiothub import TIoTHub
from iotnb.session import Settings


@pytest.fixture(scope="module")
def still(module: Any) -> Iterator[sandbox.Sandbox]:
    """A sandbox whose clock stands still: its truth does not move while it is compared."""
    clock = sandbox.Clock(frozen=True)
    with sandbox.start({"tiothub": module}, seed=11, devices=12, days=5, clock=clock) as running:
        yield running


@pytest.mark.parametrize(
    "faults", [{}, {"fail_every": 11, "drop_every": 13, "cut_every": 17, "revoke_every": 19}]
)
def test_commands_are_queued_until_they_are_sent(still: sandbox.Sandbox, faults: dict[str, int]) -> None:
    """The platform keeps when a command was queued, then when it was sent; never whether it failed."""
    fleet, now = still.fleet, still.clock.now()
    still.faults.set("tiothub", **faults)
    settings = Settings(backoff=0.01, retries=8, timeout=(5, 20))
    with TIoTHub.login(still["tiothub"].connect, settings=settings) as client:
        frame = client.operations(since=times.from_ms(fleet.start), until=times.from_ms(now))
    still.faults.clear()
    expected: Counter[tuple[str, int, str]] = Counter()
    for device in fleet:
        for operation in fleet.operations(device.index, fleet.start, now):
            waiting = operation.started is None or operation.started > now
            at = operation.created if waiting else operation.started
            assert at is not None
            expected[device.key, at, "PENDING" if waiting else "SUCCESSFUL"] += 1
    commands = frame[frame["kind"] == "command"]
    found = Counter(
        (str(row.device), round(row.time.timestamp() * 1000), str(row.status))
        for row in commands.itertuples()
    )
    assert found == expected
    assert commands["finished"].notna().equals(commands["status"] == "SUCCESSFUL")
    assert frame["failure"].isna().all()


def test_the_last_value_of_each_number_is_the_fleets(still: sandbox.Sandbox) -> None:
    fleet, now = still.fleet, still.clock.now() + 1
    settings = Settings(backoff=0.01, timeout=(5, 20))
    with TIoTHub.login(still["tiothub"].connect, settings=settings) as client:
        newest = client.latest([device.key for device in fleet])
    numbers = newest[newest["value"].notna()]
    found = {
        (str(row.device), str(row.series).split(".")[-1]): (round(row.time.timestamp() * 1000), row.value)
        for row in numbers.itertuples()
    }
    expected = {}
    for device in fleet:
        for group, listed in fleet.groups(device.index).items():
            at = fleet.times(device.index, group, fleet.begin(device.index), now)
            for series in listed:
                if series.kind == "number" and at.size:
                    value = fleet.value(device.index, series, at[-1:])[0]
                    expected[device.key, series.name] = (int(at[-1]), pytest.approx(value, rel=1e-9))
    broken = {key for key in expected if found.get(key, (0, 0))[0] != expected[key][0]}
    assert len(broken) <= 4, broken  # those whose very last message cannot be decoded
    for key in set(expected) - broken:
        assert found[key] == expected[key]
