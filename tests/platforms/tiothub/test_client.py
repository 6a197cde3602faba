"""The verbs over real HTTP: complete or loud, identifiers as text, times in UTC."""

import io
from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from iotnb import frames, sandbox, times
from iotnb.client import VERBS
from iotnb.errors import ConfigError, Incomplete, IncompleteWarning, IotnbError, Unsupported
from iotnb.platforms.tiothub import TIoTHub, read_csv
from iotnb.session import Settings

Enter = Callable[..., TIoTHub]
Special = Callable[..., TIoTHub]

IDENTIFIERS = ["device", "iccid", "imei", "imsi", "msisdn", "sim"]


def test_devices_are_joined_with_their_sims(client: TIoTHub, running: sandbox.Sandbox) -> None:
    plain, frame = client.devices(), client.devices(expand=True)
    assert list(plain.columns) == list(frames.SCHEMAS["devices"])
    assert plain["labels"].str.contains("join:IMEI differs").sum() == (frame["join"] == "IMEI differs").sum()
    core = list(frames.SCHEMAS["devices"])
    assert list(frame.columns[: len(core)]) == core
    names = set(frame["name"])
    assert {device.name for device in running.fleet} <= names
    joins = frame["join"].value_counts()
    assert {"joined", "IMEI differs", "SIM not found", "no SIM", "SIM without node"} <= set(joins.index)
    joined = frame[frame["join"] == "joined"]
    by_name = {device.name: device for device in running.fleet}
    for row in joined[joined["name"].isin(by_name)].itertuples():
        assert row.iccid == by_name[row.name].iccid
        assert row.sim.endswith(row.iccid)
        assert row.sim_status in {"ACTIVE", "INACTIVE"}
    assert frame.attrs["iotnb"]["complete"]
    assert frame["created"].dt.tz is not None


def test_identifiers_are_text_through_list_join_csv_and_back(client: TIoTHub) -> None:
    frame = client.devices(expand=True)
    assert {len(each) for each in frame["iccid"].dropna()} >= {19, 20}
    for name in IDENTIFIERS:
        assert frame[name].dtype == "str"
        assert not frame[name].dropna().str.contains(r"\.|e\+", regex=True).any()
    other = pd.DataFrame({"iccid": frame["iccid"].dropna(), "hall": "B"})
    assert set(frame.merge(other, on="iccid")["iccid"]) == set(other["iccid"])
    file = io.StringIO(frame.to_csv(index=False))
    back = read_csv(file)
    for name in IDENTIFIERS:
        pd.testing.assert_series_equal(back[name], frame[name], check_dtype=False)
    assert back["created"].dtype == frame["created"].dtype
    ruined = pd.read_csv(io.StringIO(frame.to_csv(index=False)))
    assert ruined["iccid"].dtype != "str", "plain pandas would do as well: read_csv is not needed"


def test_expand_gives_every_scalar_of_both_sides(client: TIoTHub) -> None:
    frame = client.devices(expand=True)
    assert frame.columns.is_unique
    assert {"node.ni", "labels.profile", "info.mod", "sim.msisdn", "sim.backend"} <= set(frame.columns)
    assert not frame.astype("str").apply(lambda column: column.str.contains("crse")).any(axis=None)


def test_devices_are_searched(client: TIoTHub) -> None:
    everything = client.devices(expand=True)
    kind = str(everything["type"].dropna().iloc[0])
    assert set(client.devices(type=kind)["type"]) == {kind}
    one = everything[everything["join"] == "joined"].iloc[0]
    assert one["device"] in set(client.devices(text=one["iccid"])["device"])
    assert set(client.devices(query=f"lbl=profile:{kind}")["type"].astype("str")) == {kind}
    with pytest.raises(ConfigError, match="lbl=profile"):
        client.devices(query="nonsense")


def test_measurements_are_those_of_the_fleet(client: TIoTHub, running: sandbox.Sandbox) -> None:
    fleet = running.fleet
    until = running.clock.now() - 60_000
    start = until - 36 * 3_600_000
    devices = [fleet[i].key for i in (0, 1, 2)]
    frame = client.measurements(devices, since=times.from_ms(start), until=times.from_ms(until))
    assert frame.attrs["iotnb"]["complete"]
    assert frame["time"].is_monotonic_increasing
    for i in (0, 1, 2):
        for group, listed in fleet.groups(i).items():
            at = fleet.times(i, group, start, until)
            for series in (each for each in listed if each.kind == "number"):
                mine = frame[
                    (frame["device"] == fleet[i].key) & frame["series"].str.endswith(f".{series.name}")
                ]
                broken = len(at) - len(mine)
                assert 0 <= broken <= 3, (series.name, len(at), len(mine))
                if not broken:
                    np.testing.assert_allclose(mine["value"], fleet.value(i, series, at))


def test_what_cannot_be_decoded_is_kept_and_said(client: TIoTHub) -> None:
    frame = client.measurements(since="3d")
    texts = frame[frame["series"] == "received-msg"]
    assert len(texts) > 0
    assert texts["text"].notna().all()
    assert any("could not be decoded" in note for note in frame.attrs["iotnb"]["notes"])


def test_no_filter_of_time_is_believed(special: Special) -> None:
    client = special(plain=True)
    device = str(next(client.api.nodes.list())["rn"])
    frame = client.measurements(device, since="6h")
    everything = client.measurements(device, since="2d")
    begin = pd.Timestamp(frame.attrs["iotnb"]["window"][0])
    assert len(frame) > 0
    assert len(everything[everything["time"] >= begin]) - len(frame) in range(6)  # new ones arrive


def test_series_can_be_named(client: TIoTHub) -> None:
    described = client.series(client.devices()["device"].iloc[0])
    number = described[described["kind"] == "number"].iloc[0]
    found = client.measurements(number["device"], series=number["series"], since="3d")
    assert set(found["series"]) == {number["series"]}
    assert found["time"].min() >= number["first"]
    short = str(number["series"]).partition(":")[2]
    assert len(client.measurements(number["device"], series=short, since="3d")) >= len(found)
    with pytest.raises(ConfigError, match=r"has a series 'reported.nothing'"):
        client.measurements(number["device"], series="reported.nothing", since="1d")
    with pytest.raises(ConfigError, match="Near it"):
        client.latest(number["device"], series=str(number["series"])[:-1])
    old = client.measurements(
        number["device"], series=number["series"], since="2020-01-01", until="2020-01-02"
    )
    assert old.empty


def test_latest_is_the_last_of_each_series(client: TIoTHub) -> None:
    device = client.devices()["device"].iloc[1]
    frame = client.measurements(device, since="3d")
    last = frame.dropna(subset="value").groupby("series", observed=True)["time"].max()
    newest = client.latest(device).set_index("series")
    for series, at in last.items():
        assert newest.loc[series, "time"] >= at
    assert (newest["age"] >= pd.Timedelta(0)).all()


def test_values_are_reduced_here(client: TIoTHub) -> None:
    device = client.devices()["device"].iloc[1]
    window = {"since": "2d", "until": times.now() - timedelta(hours=1)}
    whole = client.measurements(device, **window)
    hourly = client.measurements(device, aggregate="1h", function="max", **window)
    assert any("reduced here" in note for note in hourly.attrs["iotnb"]["notes"])
    assert (hourly["time"].dt.floor("1h") == hourly["time"]).all()
    series = str(hourly["series"].iloc[-1])
    expected = whole[whole["series"] == series].groupby(whole["time"].dt.floor("1h"))["value"].max().dropna()
    got = hourly[hourly["series"] == series].set_index("time")["value"]
    np.testing.assert_allclose(got.iloc[1:-1], expected.reindex(got.index).iloc[1:-1])
    with pytest.raises(ConfigError, match="no interval"):
        client.measurements(device, aggregate="yearly")


def test_operations_are_commands_with_their_waiting_time(client: TIoTHub) -> None:
    frame = client.operations(since="3d", expand=True)
    assert {"SUCCESSFUL"} <= set(frame["status"])
    assert frame["time"].is_monotonic_increasing
    queued = frame[frame["status"] == "PENDING"]
    assert (queued["waiting"] > pd.Timedelta(0)).all()
    assert list(frame.columns).index("waiting") == len(frames.SCHEMAS["operations"])
    device = frame["device"].iloc[0]
    own = client.operations(device, since="3d")
    assert len(own) == (frame["device"] == device).sum()
    assert set(client.operations(since="3d", status="SUCCESSFUL")["status"]) == {"SUCCESSFUL"}


def test_a_command_of_this_client_knows_how_long_it_waited(special: Special) -> None:
    client = special()
    for device in client.devices()["device"].iloc[:6]:
        client.api.commands.send(str(device), "GET /3\n")
    clock = client.running.clock  # type: ignore[attr-defined]
    clock.advance(3_600_000)
    frame = client.operations(since="2h", expand=True, until=times.from_ms(clock.now()))
    sent = frame[frame["platform_status"] == "sent"]
    assert len(sent) > 0
    assert (sent["waiting"] > pd.Timedelta(0)).any()
    assert (sent["waiting"].dropna() == sent["duration"].dropna()).all()


def test_there_are_neither_events_nor_alarms(client: TIoTHub) -> None:
    assert client.supports == frozenset(VERBS) - {"events", "alarms"}
    for verb in ("events", "alarms"):
        with pytest.raises(Unsupported, match="T IoT Hub has no"):
            getattr(client, verb)()


@pytest.mark.parametrize("verb", ["measurements", "latest", "series", "operations"])
def test_an_unknown_device_is_no_empty_table(client: TIoTHub, verb: str) -> None:
    with pytest.raises(ConfigError, match="no device 'nobody'"):
        getattr(client, verb)("nobody")


@pytest.mark.parametrize("verb", ["measurements", "latest", "series", "operations"])
def test_a_sim_without_a_node_has_no_data(enter: Enter, verb: str) -> None:
    client = enter()
    orphan = "JASPER-8997112212741433747"
    assert getattr(client, verb)(orphan).empty
    assert orphan in set(client.devices()["device"])
    assert getattr(client, verb)([orphan]).empty
    assert len(client.latest(client.devices())) > 0


def test_a_device_without_messages_has_an_empty_table(client: TIoTHub) -> None:
    frame = client.measurements(client.devices()["device"].iloc[0], since="2020-01-01", until="2020-01-02")
    assert frame.empty
    assert list(frame.columns) == list(frames.SCHEMAS["measurements"])


FAULTS = [
    {"fail_every": 7, "html": True},
    {"drop_every": 9},
    {"cut_every": 8},
    {"revoke_every": 6},
    {"rate_limit": 30, "retry_after": None},
    {"jitter": 0.01, "fail_every": 11, "drop_every": 13, "revoke_every": 19},
]


@pytest.mark.parametrize("faults", FAULTS)
def test_under_faults_everything_comes_all_the_same(
    enter: Enter, running: sandbox.Sandbox, faults: dict[str, object]
) -> None:
    client = enter(settings=Settings(timeout=(5, 20), backoff=0.01, retries=8))
    until = times.from_ms(running.clock.now() - 60_000)
    before = client.measurements(since=until - timedelta(hours=12), until=until)
    inventory = client.devices()
    running.faults.set("tiothub", **faults)
    after = client.measurements(since=until - timedelta(hours=12), until=until)
    assert len(after) == len(before)
    assert after.attrs["iotnb"]["complete"]
    assert set(client.devices()["device"]) >= set(inventory["device"])


def test_what_is_missing_is_loud(enter: Enter, running: sandbox.Sandbox) -> None:
    client = enter(settings=Settings(timeout=(5, 20), backoff=0.01, retries=0))
    devices = list(client.devices()["device"].iloc[:4])
    running.faults.set("tiothub", fail_every=1, path=f"device-communication/{devices[0]}/")
    with pytest.raises(Incomplete, match=devices[0]) as caught:
        client.measurements(devices, since="6h")
    assert {gap["item"] for gap in caught.value.gaps} == {devices[0]}
    assert set(caught.value.partial["device"]) <= set(devices[1:])
    with pytest.warns(IncompleteWarning):
        client.measurements(devices, since="6h", on_error="report")
    running.faults.set("tiothub", fail_every=1, path="connection-management")
    with pytest.raises(Incomplete, match="SIMs"):
        client.devices()


def test_when_nothing_answers_the_error_itself_comes(enter: Enter, running: sandbox.Sandbox) -> None:
    client = enter(settings=Settings(timeout=(5, 20), backoff=0.01, retries=0))
    running.faults.set("tiothub", fail_every=1)
    with pytest.raises(IotnbError, match="503"):
        client.devices()


def test_a_standard_server_answers_the_same_verbs(special: Special, fresh: str) -> None:
    client = special(
        {"edition": "standard", "dialect": "one-based", "origin": f"C{fresh}", "cmo_url": ""}, strict=True
    )
    client.api.applications.register(fresh)
    made = client.api.tree.create(fresh, "m2m:cnt", {"rn": "data"}, ty=3)
    assert made["rn"] == "data"
    for value in (1, 2, 3):
        client.api.tree.create(
            f"{fresh}/data", "m2m:cin", {"con": str(value), "cnf": "application/json:0"}, ty=4
        )
    found = [each["con"] for each in client.api.tree.children(f"{fresh}/data", "m2m:cin")]
    assert found == ["1", "2", "3"]
    frame = client.devices()
    assert list(frame.columns[:3]) == ["device", "name", "type"]
