"""What the fleet of the sandbox says is what the client loads, over real HTTP, with faults on, everywhere."""

import re
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import pytest
from views import VIEWS, View

import iotnb
from iotnb import platforms, sandbox, times
from iotnb.client import Client
from iotnb.errors import IotnbError
from iotnb.sandbox.fleet import Fleet
from iotnb.session import Settings

FAULTS = {
    "none": {},
    "slow": {"latency": 0.005, "jitter": 0.02, "gzip": False},
    "busy": {"fail_every": 7, "html": True},
    "strict": {"rate_limit": 10, "retry_after": None},
    "dropped": {"drop_every": 9},
    "cut": {"cut_every": 8},
    "revoked": {"revoke_every": 6},
    "all at once": {"fail_every": 11, "drop_every": 13, "cut_every": 17, "revoke_every": 19, "jitter": 0.01},
}
HOURS = 60  # more than the vibration of one device that a page of 2,000 holds
Enter = Callable[..., Client]


@pytest.fixture(scope="module")
def started() -> Iterator[sandbox.Sandbox]:
    """A sandbox whose clock stands still: its truth does not move while it is compared."""
    switches = {name: dict(view.switches) for name, view in VIEWS.items() if view.switches}
    clock = sandbox.Clock(frozen=True)
    with sandbox.start(seed=11, devices=12, days=5, clock=clock, switches=switches) as running:
        yield running


@pytest.fixture(params=iotnb.platform_names())
def platform(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def view(platform: str) -> View:
    """How the fleet appears on the platform."""
    return VIEWS[platform]


@pytest.fixture
def enter(started: sandbox.Sandbox, platform: str) -> Iterator[Enter]:
    """Logs in, with faults on from the first request."""
    clients: list[Client] = []

    def enter(**faults: object) -> Client:
        started.faults.set(platform, **faults)
        settings = Settings(backoff=0.01, retries=6, timeout=(5, 20))
        client = platforms.load(platform).login(started[platform].connect, settings=settings)
        clients.append(client)
        return client

    yield enter
    started.faults.clear()
    for client in clients:
        client.close()


def fleet_ids(client: Client, fleet: Fleet) -> dict[int, str]:
    """Fleet number -> the platform's identifier, by the names of the devices."""
    frame = client.devices()
    by_name = dict(zip(frame["name"], frame["device"], strict=True))
    return {device.index: by_name[device.name] for device in fleet}


def end(started: sandbox.Sandbox) -> int:
    return started.clock.now() // 1000 * 1000


def truth(fleet: Fleet, numbers: list[int], start: int, until: int) -> dict[tuple[int, str], np.ndarray]:
    """(device, last part of a series' name) -> times in ms and values, for all that is a number."""
    found = {}
    for i in numbers:
        for group, listed in fleet.groups(i).items():
            at = fleet.times(i, group, start, until)
            for series in listed:
                if series.kind == "number" and at.size:
                    found[i, series.name] = np.array([at, fleet.value(i, series, at)])
    return found


def numeric(frame: pd.DataFrame, view: View) -> pd.DataFrame:
    """The rows of a frame that are numbers; where a platform has others, they have a text."""
    numbers = frame["value"].notna()
    assert view.texts or numbers.all()
    assert frame.loc[~numbers, "text"].notna().all()
    return frame[numbers]


def loaded(frame: pd.DataFrame, ids: dict[int, str]) -> dict[tuple[int, str], np.ndarray]:
    """The same from a frame of measurements."""
    numbers = {device: i for i, device in ids.items()}
    found = {}
    for (device, series), part in frame.groupby(["device", "series"], observed=True):
        at = part["time"].dt.tz_localize(None).to_numpy().astype("M8[ms]").astype("int64")
        found[numbers[str(device)], str(series).split(".")[-1]] = np.array([at, part["value"].to_numpy()])
    return found


@pytest.mark.parametrize("name", FAULTS)
def test_measurements_are_the_fleets(enter: Enter, started: sandbox.Sandbox, view: View, name: str) -> None:
    client = enter(**FAULTS[name])
    ids = fleet_ids(client, started.fleet)
    numbers = [0, 1, 2, len(ids) - 1]
    until = end(started)
    start = until - HOURS * 3_600_000
    frame = client.measurements(
        [ids[i] for i in numbers], since=times.from_ms(start), until=times.from_ms(until)
    )
    expected = truth(started.fleet, numbers, start, until)
    got = loaded(numeric(frame, view), ids)
    assert set(got) == set(expected)
    for key, pairs in expected.items():
        np.testing.assert_array_equal(got[key][0], pairs[0], err_msg=f"times of {key}")
        np.testing.assert_allclose(got[key][1], pairs[1], rtol=1e-9, err_msg=f"values of {key}")
    assert frame["time"].is_monotonic_increasing
    provenance = frame.attrs["iotnb"]
    assert provenance["complete"]
    assert provenance["window"] == [times.to_wire(times.from_ms(at)) for at in (start, until)]
    units = {s.name: s.unit for i in numbers for s in started.fleet.series(i) if s.kind == "number"}
    for series, unit in frame[["series", "unit"]].astype("str").drop_duplicates().itertuples(index=False):
        assert unit == units[series.split(".")[-1]] if view.units else pd.isna(unit)
    counts = started.faults[client.platform].counts
    # a busy machine may be too slow to meet a limit of the rate
    assert {*counts} - {"requests"} or name in {"none", "slow", "strict"}, "the test met no fault"


def test_a_window_is_closed_on_the_left_and_open_on_the_right(
    enter: Enter, started: sandbox.Sandbox, view: View
) -> None:
    client = enter()
    ids = fleet_ids(client, started.fleet)
    group = next(iter(started.fleet.groups(1)))
    at = started.fleet.times(1, group, end(started) - 6 * 3_600_000, end(started))
    first, last = int(at[3]), int(at[8])
    frame = client.measurements(ids[1], since=times.from_ms(first), until=times.from_ms(last))
    expected = truth(started.fleet, [1], first, last)
    assert {key: pairs[0].tolist() for key, pairs in loaded(numeric(frame, view), ids).items()} == {
        key: pairs[0].tolist() for key, pairs in expected.items()
    }


@pytest.mark.parametrize(
    "faults", [{"garble_every": 5}, {"fail_every": 1}, {"drop_every": 2, "fail_every": 3}]
)
def test_what_cannot_be_read_is_complete_or_loud(
    enter: Enter, started: sandbox.Sandbox, view: View, faults: dict[str, int]
) -> None:
    client = enter()
    ids = fleet_ids(client, started.fleet)
    until = end(started)
    start = until - 24 * 3_600_000
    started.faults.set(client.platform, **faults)
    try:
        frame = client.measurements(since=times.from_ms(start), until=times.from_ms(until))
    except IotnbError:
        return
    expected = truth(started.fleet, list(ids), start, until)
    assert len(numeric(frame, view)) == sum(pairs.shape[1] for pairs in expected.values())


@pytest.mark.parametrize("name", ["none", "all at once"])
def test_the_inventory_is_the_fleets(enter: Enter, started: sandbox.Sandbox, view: View, name: str) -> None:
    client = enter(**FAULTS[name])
    frame = client.devices().set_index("name")
    fleet = started.fleet
    assert set(frame.index) >= {device.name for device in fleet}
    assert frame["device"].is_unique
    by_id = {row.device: name for name, row in frame.iterrows()}
    for device in fleet:
        row = frame.loc[device.name]
        assert isinstance(row["device"], str)
        if view.created:
            assert row["created"] == pd.Timestamp(device.created, unit="ms", tz="UTC")
        else:
            assert pd.isna(row["created"])
        if device.parent is None or not view.parents:
            assert pd.isna(row["parent"])
        else:
            assert by_id[row["parent"]] == fleet[device.parent].name
        seen = fleet.last_seen(device.index, started.clock.now())
        if seen is None:
            assert row["status"] != "online"
        elif not fleet.online(device.index, started.clock.now()):
            assert row["status"] in {"offline", "unknown"}
        if seen is not None and pd.notna(row["last_seen"]):
            assert row["last_seen"] == pd.Timestamp(seen, unit="ms", tz="UTC")


def test_what_devices_measure_and_measured_last_is_the_fleets(
    enter: Enter, started: sandbox.Sandbox, view: View
) -> None:
    client = enter()
    fleet = started.fleet
    ids = fleet_ids(client, fleet)
    numbers = {device: i for i, device in ids.items()}
    now = started.clock.now() + 1
    series, latest = client.series(list(ids.values())), client.latest(list(ids.values()))
    expected = {}
    for i in ids:
        for (_, name), pairs in truth(fleet, [i], fleet.begin(i), now).items():
            expected[i, name] = pairs[:, -1]
    found = {
        (numbers[row.device], row.series.split(".")[-1]): (row.time.timestamp() * 1000, row.value)
        for row in numeric(latest, view).itertuples()
    }
    assert set(found) == set(expected)
    for key, (at, value) in expected.items():
        assert found[key] == (pytest.approx(at, abs=0.5), pytest.approx(value, rel=1e-9))
    described = {(numbers[row.device], row.series.split(".")[-1]): row for row in series.itertuples()}
    assert set(described) >= set(expected)
    for key, (at, _) in expected.items():
        assert described[key].kind == "number"
        assert described[key].last.timestamp() * 1000 == pytest.approx(at, abs=0.5)


@pytest.mark.parametrize("name", ["none", "all at once"])
def test_the_operation_history_is_the_fleets(
    enter: Enter, started: sandbox.Sandbox, view: View, name: str
) -> None:
    client = enter(**FAULTS[name])
    if "operations" not in client.supports:
        return
    fleet, now = started.fleet, started.clock.now()
    ids = fleet_ids(client, fleet)
    frame = client.operations(list(ids.values()), since=times.from_ms(fleet.start), until=times.from_ms(now))
    frame = frame[frame["kind"].isin(view.kinds)] if view.kinds else frame
    expected = Counter(
        (device, *view.operation(operation, now))[: 4 if view.failures else 3]
        for i, device in ids.items()
        for operation in fleet.operations(i, fleet.start, now)
    )
    found = Counter(
        (row.device, round(row.time.timestamp() * 1000), row.status, row.failure)[: 4 if view.failures else 3]
        for row in frame.fillna({"failure": ""}).itertuples()
    )
    assert found == expected
    assert frame.loc[frame["status"] == "FAILED", "failure"].notna().all()
    assert frame["time"].is_monotonic_increasing
    done = frame[frame["status"].isin(["SUCCESSFUL", "FAILED"])]
    assert done["finished"].notna().all()
    durations = done["duration"] if view.durations else done["duration"].dropna()
    assert (durations >= pd.Timedelta(0)).all()


@pytest.mark.parametrize("verb", ["events", "alarms"])
def test_events_and_alarms_are_the_fleets(
    enter: Enter, started: sandbox.Sandbox, view: View, verb: str
) -> None:
    client = enter(**FAULTS["all at once"])
    if verb not in client.supports or verb not in view.reports:
        return
    fleet, now = started.fleet, started.clock.now()
    ids = fleet_ids(client, fleet)
    frame = getattr(client, verb)(
        list(ids.values()), since=times.from_ms(fleet.start), until=times.from_ms(now)
    )
    expected = Counter(
        (ids[i], each.time, each.text) for i in ids for each in getattr(fleet, verb)(i, fleet.start, now)
    )
    found = Counter((row.device, round(row.time.timestamp() * 1000), row.text) for row in frame.itertuples())
    assert found == expected
    if verb == "alarms":
        severities = Counter(each.severity for i in ids for each in fleet.alarms(i, fleet.start, now))
        assert Counter(frame["severity"].astype("str")) == severities


def test_identifiers_stay_text(enter: Enter, started: sandbox.Sandbox) -> None:
    client = enter()
    frame = client.devices(expand=True)
    gateway = next(device for device in started.fleet if device.kind == "gateway")
    cells = {str(value) for value in frame[frame["name"] == gateway.name].iloc[0]}
    assert {gateway.imei, gateway.iccid, gateway.serial} <= cells
    assert re.fullmatch(r"\d+", gateway.iccid)
