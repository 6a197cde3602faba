"""Live data over real HTTP: what the fleet says arrives once, also after an outage, on every platform."""

import gc
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from views import VIEWS

import iotnb
from iotnb import frames, platforms, sandbox, times
from iotnb.auth import EndedAuth
from iotnb.client import Client
from iotnb.errors import ConfigError, LoggedOut, Unsupported
from iotnb.live import Batch, Live
from iotnb.sandbox.fleet import Fleet
from iotnb.session import Settings

FAULTS: dict[str, dict[str, int]] = {
    "cumulocity": {"fail_every": 2, "drop_every": 3, "revoke_every": 4},
    "": {"fail_every": 11, "drop_every": 13, "cut_every": 17, "revoke_every": 19},
}
STRICT = {"rate_limit": 15, "retry_after": None}
MINUTES = 5  # that the sandbox's clock is moved at once
Enter = Callable[..., Client]


@pytest.fixture(scope="module")
def started() -> Iterator[sandbox.Sandbox]:
    """A sandbox whose clock stands still until a test moves it."""
    switches: dict[str, dict[str, Any]] = {name: dict(view.switches) for name, view in VIEWS.items()}
    clock = sandbox.Clock(frozen=True)
    with sandbox.start(seed=5, devices=6, days=2, clock=clock, switches=switches) as running:
        yield running


@pytest.fixture(params=iotnb.platform_names())
def platform(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def enter(started: sandbox.Sandbox) -> Iterator[Enter]:
    clients: list[Client] = []

    def enter(platform: str, **settings: Any) -> Client:
        chosen = Settings(**{"backoff": 0.01, "retries": 3, "timeout": (2, 10), **settings})
        client = platforms.load(platform).login(started[platform].connect, settings=chosen)
        if platform == "iotcentral":
            client.query_rate(None)  # type: ignore[attr-defined]
        clients.append(client)
        return client

    yield enter
    started.faults.clear()
    for client in clients:
        client.close()
    assert not alive(), "threads of a Live are left"


def alive() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name in {"iotnb-live", "iotnb-realtime"}]


def now(started: sandbox.Sandbox) -> datetime:
    return times.from_ms(started.clock.now())


def numbered(client: Client, fleet: Fleet) -> dict[int, str]:
    """Fleet number -> identifier of the devices, by their names."""
    frame = client.devices()
    by_name = dict(zip(frame["name"], frame["device"], strict=True))
    return {device.index: by_name[device.name] for device in fleet}


def told(batches: list[Batch], ids: dict[int, str], verb: str = "measurements") -> Counter[tuple]:
    """(device number, last part of the series, time in ms) of every number that was told, with its count."""
    numbers = {device: i for i, device in ids.items()}
    found: Counter[tuple] = Counter()
    for batch in batches:
        if batch.verb == verb:
            rows = batch.frame[batch.frame["value"].notna()]
            for row in rows.itertuples():
                at = round(row.time.timestamp() * 1000)
                found[numbers[str(row.device)], str(row.series).split(".")[-1], at] += 1
    return found


def truth(fleet: Fleet, numbers: list[int], start: datetime, until: datetime) -> Counter[tuple]:
    """The same as the fleet says it, in [start, until]."""
    found: Counter[tuple] = Counter()
    for i in numbers:
        for group, listed in fleet.groups(i).items():
            for at in fleet.times(i, group, times.to_ms(start), times.to_ms(until) + 1).tolist():
                found.update((i, series.name, at) for series in listed if series.kind == "number")
    return found


def collect(live: Live, check: Callable[[list[Batch]], bool], seconds: float = 12.0) -> list[Batch]:
    """Batches until a check holds of them."""
    found: list[Batch] = []
    end = time.monotonic() + seconds
    while not check(found):
        assert time.monotonic() < end, f"it did not come in time: {live!r} {live.error} {live.notes}"
        batch = live.get(timeout=0.05)
        if batch is not None:
            found.append(batch)
    return found


def until_live(live: Live, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while live.state == "connecting":
        assert time.monotonic() < end, f"{live!r}"
        time.sleep(0.01)


def rest(live: Live, seconds: float = 0.3) -> list[Batch]:
    """What still comes within a moment."""
    time.sleep(seconds)
    return live.take()


@pytest.mark.parametrize("trouble", ["all at once", "strict"])
def test_nothing_is_lost_and_nothing_comes_twice(
    enter: Enter, started: sandbox.Sandbox, platform: str, trouble: str
) -> None:
    client = enter(platform, retries=2)
    ids = numbered(client, started.fleet)
    numbers = [0, 1, 2]
    begin = now(started)
    devices = [ids[i] for i in numbers]
    with client.live(devices, verbs="measurements", every="0.1s", clock=lambda: now(started)) as live:
        until_live(live)
        faults = STRICT if trouble == "strict" else FAULTS.get(platform, FAULTS[""])
        started.faults.set(platform, **faults)
        batches: list[Batch] = []
        for _ in range(2):
            started.clock.advance(MINUTES * 60_000)
            expected = truth(started.fleet, numbers, begin, now(started))
            batches += collect(
                live,
                lambda found: told([*batches, *found], ids).keys() >= expected.keys(),  # noqa: B023
            )
        if trouble == "all at once":  # a webhook is compared with what the verb says a little later
            within(lambda: {*started.faults[platform].counts} - {"requests"}, live)
        batches += rest(live)
        assert told(batches, ids) == expected
        assert expected
        assert sum(map(len, batches)) == live.counts["measurements"]
        assert list(batches[0].frame.columns) == list(frames.SCHEMAS["measurements"])
        assert all(begin <= batch.arrived <= now(started) for batch in batches)
        started.faults.clear()
    assert live.state == "stopped"


def test_an_outage_is_told_and_what_was_missed_is_fetched(
    enter: Enter, started: sandbox.Sandbox, platform: str
) -> None:
    client = enter(platform, retries=0)
    ids = numbered(client, started.fleet)
    begin = now(started)
    with client.live(
        [ids[1]], verbs="measurements", every="0.1s", late="20s", clock=lambda: now(started)
    ) as live:
        until_live(live)
        started.faults.set(platform, drop_every=1)
        before: list[Batch] = []
        for _ in range(40):
            started.clock.advance(60_000)  # a long poll that is held is only cut when there is news
            before += rest(live, 0.1)
            if live.state in {"reconnecting", "incomplete"}:
                break
        assert live.state in {"reconnecting", "incomplete"}, live
        assert live.gaps[-1].end is None
        assert live.error is not None
        assert any(word in live.text() for word in ("reconnecting", "asking again"))
        started.clock.advance(8 * MINUTES * 60_000)
        time.sleep(0.3)
        expected = truth(started.fleet, [1], begin, now(started))
        before += live.take()
        assert platform == "tiothub" or len(told(before, ids)) < len(expected) / 2  # it posts all the same
        started.faults.clear()
        batches = before + collect(live, lambda found: told([*before, *found], ids).keys() >= expected.keys())
        within(lambda: live.state == "live", live)
        batches += rest(live)
        assert told(batches, ids) == expected
        assert live.reconnects >= 1
        assert any(batch.gap is not None and batch.gap.fetched for batch in batches)
        assert all(gap.end is not None and gap.fetched for gap in live.gaps)


def test_what_happens_in_a_pause_is_fetched_when_it_ends(
    enter: Enter, started: sandbox.Sandbox, platform: str
) -> None:
    client = enter(platform)
    ids = numbered(client, started.fleet)
    begin = now(started)
    with client.live([ids[0]], verbs="measurements", every="0.1s", clock=lambda: now(started)) as live:
        until_live(live)
        live.pause()
        assert live.state == "paused"
        time.sleep(0.25)
        live.take()
        requests = len(started.requests(platform))
        started.clock.advance(MINUTES * 60_000)
        assert not [batch for batch in rest(live, 0.4) if len(batch)]
        # a long poll stays open in a pause
        asked = [each for each in started.requests(platform)[requests:] if "realtime" not in each.path]
        assert not asked
        live.resume()
        missed = truth(started.fleet, [0], begin, now(started))
        batches = collect(live, lambda found: told(found, ids).keys() >= missed.keys())
        assert told(batches + rest(live), ids) == missed


def test_a_slow_reader_costs_no_memory_and_misses_nothing(
    enter: Enter, started: sandbox.Sandbox, platform: str
) -> None:
    client = enter(platform)
    ids = numbered(client, started.fleet)
    begin = now(started)
    with client.live(
        [ids[1]], verbs="measurements", every="0.1s", keep=5, clock=lambda: now(started)
    ) as live:
        until_live(live)
        for _ in range(4):
            started.clock.advance(MINUTES * 60_000)
            time.sleep(0.15)
        within(lambda: live.state == "behind", live)
        expected = truth(started.fleet, [1], begin, now(started))
        assert live.counts["measurements"] < sum(expected.values())
        batches = collect(live, lambda found: told(found, ids).keys() >= expected.keys())
        assert told(batches + rest(live), ids) == expected


def test_each_new_state_of_an_operation_is_told_once(
    enter: Enter, started: sandbox.Sandbox, platform: str
) -> None:
    client = enter(platform)
    ids = list(numbered(client, started.fleet).values())
    begin = now(started)
    wanted = [verb for verb in ("operations", "alarms") if verb in client.supports]
    with client.live(
        ids, verbs=wanted, every="0.1s", reach="12d", late="10m", clock=lambda: now(started)
    ) as live:
        until_live(live)
        time.sleep(0.5)
        assert not [batch for batch in live.take() if len(batch)], "old ones were told as new"
        for _ in range(20):
            started.clock.advance(12 * 3_600_000)
            if enough(started.fleet, begin, now(started)):
                break
        frames_now = {verb: getattr(client, verb)(ids, since=begin, until=now(started)) for verb in wanted}
        if platform == "cumulocity":  # a long poll of the sandbox looks back for minutes only
            live.pause()
            time.sleep(0.3)
            live.resume()
        batches = collect(live, lambda found: known(found, wanted) >= known_of(frames_now, begin))
        batches += rest(live)
        states = known(batches, wanted)
        assert len(states) == sum(len(batch) for batch in batches), "a state was told twice"
    assert known_of(frames_now, begin)


def enough(fleet: Fleet, start: datetime, until: datetime) -> bool:
    """Whether the fleet had some operations in a time."""
    span = times.to_ms(start), times.to_ms(until)
    return sum(len(list(fleet.operations(device.index, *span))) for device in fleet) >= 3


def known(batches: list[Batch], verbs: list[str]) -> set[tuple]:
    return {each for batch in batches for each in described(batch.verb, batch.frame) if batch.verb in verbs}


def known_of(found: dict[str, pd.DataFrame], begin: datetime) -> set[tuple]:
    return {each for verb, frame in found.items() for each in described(verb, frame[frame["time"] >= begin])}


def described(verb: str, frame: pd.DataFrame) -> list[tuple]:
    """What tells one state of an alarm or an operation from all others."""
    key = verb.removesuffix("s")
    return [
        (
            row[key],
            row["status"],
            str(row.get("count")),
            row["device"],
            row["time"] if verb == "alarms" else "",
        )
        for row in frame.astype("object").where(frame.notna(), None).to_dict("records")
    ]


def test_changes_by_long_polling_come_in_order_and_survive_an_interruption(
    enter: Enter, started: sandbox.Sandbox
) -> None:
    client: Any = enter("cumulocity", retries=0)
    device = client.api.inventory.create({"name": "live trial", "c8y_IsDevice": {}})["id"]
    clock = lambda: now(started)  # noqa: E731
    with client.live(device, verbs=("alarms", "operations"), clock=clock) as live:
        until_live(live)
        made = client.api.operations.create({"deviceId": device, "c8y_Restart": {}})["id"]
        for status in ("EXECUTING", "FAILED"):
            client.api.operations.update(made, {"status": status, "failureReason": "no power"})
        alarm = {
            "source": {"id": device},
            "type": "t",
            "text": "hot",
            "severity": "MAJOR",
            "status": "ACTIVE",
        }
        raised = client.api.alarms.create({**alarm, "time": times.to_wire(now(started))})["id"]
        batches = collect(live, lambda found: sum(map(len, found)) >= 4)
        assert states(batches, "operations") == [(made, "PENDING"), (made, "EXECUTING"), (made, "FAILED")]
        assert states(batches, "alarms") == [(raised, "ACTIVE")]
        assert {batch.how for batch in batches} == {"push"}
        started.faults.set("cumulocity", path="/notification", drop_every=1)
        client.api.alarms.update(raised, {"status": "ACKNOWLEDGED"})  # by the connect that is held
        collect(live, lambda found: (raised, "ACKNOWLEDGED") in states(found, "alarms"))
        client.api.alarms.update(raised, {"status": "CLEARED"})
        within(lambda: live.state == "reconnecting", live)
        second = client.api.operations.create({"deviceId": device, "c8y_Restart": {}})["id"]
        started.faults.clear()
        batches = collect(live, lambda found: (raised, "CLEARED") in states(found, "alarms"))
        within(lambda: live.state == "live", live)
        batches += rest(live)
        assert states(batches, "alarms")[-1] == (raised, "CLEARED")
        assert states(batches, "operations") == [(second, "PENDING")]
        assert [gap.verb for gap in live.gaps if gap.fetched]


def states(batches: list[Batch], verb: str) -> list[tuple[str, str]]:
    key = verb.removesuffix("s")
    return [
        (row[key], row["status"])
        for batch in batches
        if batch.verb == verb
        for row in batch.frame.to_dict("records")
    ]


def test_a_webhook_that_cannot_be_reached_is_replaced_by_asking() -> None:
    with (
        sandbox.start("tiothub", devices=3, days=1, switches={"tiothub": {"strict": True}}) as strict,
        iotnb.connect(
            "tiothub", **strict["tiothub"].connect, edition="standard", dialect="one-based"
        ) as client,
        iotnb.Inbox() as inbox,
    ):
        hub: Any = client
        device = hub.devices()["device"].iloc[0]
        with hub.live(device, inbox=inbox, address="http://127.0.0.1:9/x", verbs="measurements") as live:
            until_live(live)
            assert live.way == "polling every 5 s"
            assert "verification" in " ".join(live.notes)
        assert hub.api.subscriptions.routes(device) == []
        with hub.live(device, verbs="measurements") as live:
            until_live(live)
            assert live.way == "webhook"


def test_a_webhook_is_unsubscribed(enter: Enter, started: sandbox.Sandbox) -> None:
    client: Any = enter("tiothub")
    device = numbered(client, started.fleet)[1]
    with client.live(device, verbs="measurements") as live:
        until_live(live)
        assert live.way == "webhook"
        assert len(client.api.subscriptions.routes(device)) == 1
    assert client.api.subscriptions.routes(device) == []
    with iotnb.Inbox() as inbox:
        with client.live(device, inbox=inbox, every="1s") as live:
            until_live(live)
            assert live.way == "webhook, operations by polling every 1 s"
            assert live.lacking == {"alarms": "T IoT Hub has no alarms"}
        assert "closed" not in repr(inbox)


def test_since_also_tells_of_the_time_before(enter: Enter, started: sandbox.Sandbox, platform: str) -> None:
    client = enter(platform)
    ids = numbered(client, started.fleet)
    begin = now(started) - timedelta(minutes=10)
    expected = truth(started.fleet, [2], begin, now(started))
    assert expected
    with client.live([ids[2]], verbs="measurements", since="10m", clock=lambda: now(started)) as live:
        batches = collect(live, lambda found: told(found, ids).keys() >= expected.keys())
    assert told(batches, ids) == expected


def test_it_stops_within_a_second_however_it_ends(
    enter: Enter, started: sandbox.Sandbox, platform: str
) -> None:
    client = enter(platform)
    device = next(iter(numbered(client, started.fleet).values()))
    live = client.live(device).start()
    until_live(live)
    began = time.monotonic()
    live.stop()
    assert time.monotonic() - began < 1
    assert not alive()
    live.take()
    assert (live.state, live.get()) == ("stopped", None)
    for _ in client.live(device, since="6h", clock=lambda: now(started)):
        break  # nobody holds it any longer
    gc.collect()
    within(lambda: not alive())
    live = client.live(device).start()
    gone = weakref.ref(live)
    del live
    gc.collect()
    assert gone() is None
    within(lambda: not alive())
    live = client.live(device).start()
    until_live(live)
    started.faults.set(platform, latency=2.0, path="^(?!/notification)")
    time.sleep(0.1)
    began = time.monotonic()
    live.stop()
    assert time.monotonic() - began < 1.1
    started.faults.clear()
    live = client.live(device).start()
    client.logout()
    within(lambda: not alive())
    assert live.state == "stopped"


def test_a_login_that_has_ended_is_raised_and_not_waited_for(
    enter: Enter, started: sandbox.Sandbox, platform: str
) -> None:
    client = enter(platform)
    live = client.live(verbs="measurements", every="0.1s").start()
    until_live(live)
    for session in client.sessions:
        session.auth = EndedAuth("somebody")
    started.clock.advance(60_000)  # a long poll that is held notices it with the next news
    with pytest.raises(LoggedOut):
        for _ in live:
            pass
    assert live.state == "failed"
    assert "logged out" in live.text()


def test_what_cannot_be_is_said_at_once(enter: Enter) -> None:
    hub = enter("tiothub")
    with pytest.raises(Unsupported, match="T IoT Hub has no alarms"):
        hub.live(verbs="alarms")
    for wrong in ({"verbs": "devices"}, {"verbs": ()}, {"every": "soon"}, {"keep": 0}, {"since": "x"}):
        with pytest.raises(ConfigError):
            hub.live(**wrong)
    with pytest.raises(ConfigError, match="no device"):
        next(iter(hub.live("nobody", verbs="measurements", inbox=None, every="0.1s")))


def within(check: Callable[[], object], live: Live | None = None, seconds: float = 8.0) -> None:
    """Waits until something holds."""
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, f"it did not happen in time: {live!r}"
        time.sleep(0.01)
