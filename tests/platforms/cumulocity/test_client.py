"""The verbs against the simulated fleet: whole tenants, single devices, restricted users, wrong questions."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from iotnb import sandbox
from iotnb.errors import ConfigError, Incomplete, Invalid
from iotnb.platforms.cumulocity import Cumulocity
from iotnb.sandbox.cumulocity.fleetdocs import word

Enter = Callable[..., Cumulocity]

START = datetime(2026, 1, 1, tzinfo=UTC)


def fleet_id(index: int) -> str:
    return str(100_000 + index)


# -- devices ---------------------------------------------------------------------------------------------


def test_all_devices_of_the_fleet_with_parents_and_groups(
    client: Cumulocity, running: sandbox.Sandbox
) -> None:
    frame = client.devices().set_index("device")
    fleet = running.fleet
    for index in range(len(fleet)):
        row, device = frame.loc[fleet_id(index)], fleet[index]
        assert row["name"] == device.name
        assert row["owner"] == f"device_{device.serial}"
        parent = None if device.parent is None else fleet_id(device.parent)
        assert (row["parent"] if isinstance(row["parent"], str) else None) == parent
        assert row["status"] in {"online", "offline", "unknown"}
        if device.kind != "sensor":
            assert row["labels"] == device.site
    provenance = client.devices().attrs["iotnb"]
    assert provenance["complete"]
    assert provenance["pages"] >= 1


def test_devices_are_searched_by_the_server(client: Cumulocity, running: sandbox.Sandbox) -> None:
    fleet = running.fleet
    device = fleet[0]
    assert client.devices(text=device.name)["device"].tolist()[0] == fleet_id(0)
    part = client.devices(text=device.name[:4].upper())
    assert fleet_id(0) in set(part["device"])
    typed = client.devices(type="c8y_ClimateSensor")
    assert set(typed["type"]) == {"c8y_ClimateSensor"}
    assert len(typed) == sum(fleet[i].kind == "sensor" for i in range(len(fleet)))
    both = client.devices(type="c8y_Linux", query="name eq '*'")
    assert set(both["type"]) == {"c8y_Linux"}
    assert client.devices(text=fleet[3].serial)["device"].tolist() == [fleet_id(3)]
    assert client.devices(text="nothing has this name").empty
    assert client.devices(text="it's").empty


def test_odd_documents_do_no_harm(client: Cumulocity, fresh: str) -> None:
    odd = {"name": fresh, "c8y_IsDevice": {}, "c8y_Connection": "by cable", "c8y_Test": [1]}
    made = client.api.inventory.create(odd)["id"]
    frame = client.devices(text=fresh, expand=True)
    assert frame["device"].tolist() == [made]
    assert frame["status"].tolist() == ["unknown"]
    assert frame["c8y_Test"].tolist() == ["[1]"]
    client.api.inventory.delete(made)


def test_the_nearest_of_all_ancestors_is_the_parent(client: Cumulocity, fresh: str) -> None:
    ids = [client.api.inventory.create({"name": f"{fresh} {n}", "c8y_IsDevice": {}})["id"] for n in range(4)]
    for upper, lower in zip(ids[1:], ids, strict=False):  # the highest id on top
        client.api.inventory.add_child(upper, lower)
    frame = client.devices(text=fresh).set_index("device")
    assert [frame.loc[each, "parent"] for each in ids[:3]] == ids[1:]
    for each in ids:
        client.api.inventory.delete(each)


def test_an_order_of_ones_own_is_kept_by_the_documents(client: Cumulocity) -> None:
    names = client.devices(query="$filter=has(c8y_Hardware) $orderby=name desc")["name"].tolist()
    assert names == sorted(names, reverse=True)


def test_a_query_that_the_server_does_not_understand(client: Cumulocity) -> None:
    with pytest.raises(Invalid, match="could not be understood"):
        client.devices(query="has(")


def test_expanding_gives_the_platforms_own_fields(client: Cumulocity, running: sandbox.Sandbox) -> None:
    frame = client.devices(expand=True).set_index("device")
    assert frame.loc[fleet_id(3), "c8y_Hardware.serialNumber"] == running.fleet[3].serial


def test_many_devices_are_read_by_key() -> None:
    with sandbox.start("cumulocity", devices=4300, days=1) as started:
        client = Cumulocity.login(started["cumulocity"].connect)
        frame = client.devices()
        assert len(frame) == frame["device"].nunique() == 4300
        asked = [each.url for each in client.exchanges if "managedObjects" in each.url]
        assert sum("_id%20gt" in url for url in asked) >= 2
        assert not any("currentPage=2" in url for url in asked)
        client.close()


def test_a_restricted_user_sees_all_that_is_theirs(
    enter: Enter, users: dict[str, dict[str, str]], running: sandbox.Sandbox, client: Cumulocity
) -> None:
    restricted = enter(**users["restricted"])
    frame = restricted.devices()
    site = client.api.inventory.get("10001")["name"]
    theirs = {row["device"] for _, row in client.devices().iterrows() if row["labels"] == site}
    assert theirs
    assert theirs <= set(frame["device"])
    assert len(frame) < 25


def test_a_small_part_of_the_inventory_is_found_behind_empty_pages(fresh: str) -> None:
    switches = {"cumulocity": {"scan_budget": 3}}
    with sandbox.start("cumulocity", seed=7, devices=45, days=1, switches=switches) as started:
        connect = started["cumulocity"].connect
        admin = Cumulocity.login(connect)
        everything = admin.devices()
        theirs = everything[everything["device"] >= fleet_id(40)].dropna(subset="labels")
        site = admin.api.inventory.create(
            {"name": fresh, "type": "c8y_DeviceGroup", "c8y_IsDeviceGroup": {}}
        )["id"]
        admin.api.inventory.add_children(site, theirs["device"], kind="childAssets")
        admin.api.users.create(
            "test", {"userName": fresh, "password": f"Secret-{fresh}", "email": "a@example.com"}
        )
        role = {"managedObject": site, "roles": [{"id": 1}]}
        admin.session.post(f"/user/test/users/{fresh}/roles/inventory", json=role)
        with Cumulocity.login({**connect, "username": fresh, "password": f"Secret-{fresh}"}) as restricted:
            found = restricted.devices()["device"].tolist()
            assert set(theirs["device"]) <= set(found) <= set(everything["device"][40:])
            pages = list(restricted.api.inventory.pages(fragmentType="c8y_IsDevice", pageSize=2))
            assert not pages[0]["managedObjects"]
            assert [each["id"] for page in pages for each in page["managedObjects"]] == found
        admin.close()


# -- measurements ----------------------------------------------------------------------------------------


def fleet_values(
    running: sandbox.Sandbox, index: int, start: datetime, end: datetime
) -> dict[str, np.ndarray]:
    """What the fleet says about a device: values by `c8y_Group.name`, in the order of time."""
    fleet, found = running.fleet, {}
    low, high = (int(moment.timestamp() * 1000) for moment in (start, end))
    for group, series in fleet.groups(index).items():
        times = fleet.times(index, group, low, high)
        for one in series:
            if one.kind == "number":
                found[f"{word(group)}.{one.name}"] = fleet.value(index, one, times)
    return found


@pytest.fixture
def day() -> tuple[datetime, datetime]:
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    return end - timedelta(hours=24), end


def test_measurements_are_the_fleets(
    client: Cumulocity, running: sandbox.Sandbox, day: tuple[datetime, datetime]
) -> None:
    start, end = day
    frame = client.measurements([fleet_id(i) for i in range(6)], since=start, until=end)
    for index in range(6):
        mine = frame[frame["device"] == fleet_id(index)]
        expected = fleet_values(running, index, start, end)
        got = {str(name): part["value"].to_numpy() for name, part in mine.groupby("series", observed=True)}
        assert set(got) == {name for name, values in expected.items() if len(values)}
        for name, values in got.items():
            np.testing.assert_array_equal(values, expected[name])
    assert frame["time"].is_monotonic_increasing
    assert frame["time"].min() >= pd.Timestamp(start)
    assert frame["time"].max() < pd.Timestamp(end)
    assert frame.attrs["iotnb"]["complete"]


@pytest.mark.parametrize(
    "faults", [{"fail_every": 5}, {"drop_every": 6}, {"cut_every": 7}, {"rate_limit": 200}]
)
def test_faults_cost_nothing(
    client: Cumulocity, running: sandbox.Sandbox, day: tuple[datetime, datetime], faults: dict
) -> None:
    start, end = day
    whole = client.measurements([fleet_id(0), fleet_id(1)], since=start, until=end)
    running.faults.set("cumulocity", path="/measurement/", **faults)
    again = client.measurements([fleet_id(0), fleet_id(1)], since=start, until=end)
    pd.testing.assert_frame_equal(whole, again, check_like=False)


def test_one_series_is_filtered_by_the_server(client: Cumulocity, day: tuple[datetime, datetime]) -> None:
    name = client.api.inventory.supported_series(fleet_id(0))[0]
    frame = client.measurements(fleet_id(0), series=name, since=day[0], until=day[1])
    assert frame["series"].unique().tolist() == [name]
    assert "valueFragmentSeries=" in client.exchanges[-1].url


@pytest.fixture(scope="module")
def modern() -> Iterator[Cumulocity]:
    """A tenant that reduces with every function and interval."""
    switches = {"cumulocity": {"persistence": "timeseries"}}
    with (
        sandbox.start("cumulocity", seed=9, devices=3, days=2, switches=switches) as started,
        Cumulocity.login(started["cumulocity"].connect) as client,
    ):
        yield client


@pytest.mark.parametrize("kind", ["legacy", "modern"])
def test_values_of_one_day_in_hours(client: Cumulocity, modern: Cumulocity, kind: str, fresh: str) -> None:
    client = modern if kind == "modern" else client
    device = client.api.inventory.create({"name": fresh, "c8y_IsDevice": {}})["id"]
    client.api.measurements.create_many(
        [
            {"source": {"id": device}, "type": "t", "time": (START + timedelta(minutes=n)).isoformat(),
             "x": {"y": {"value": n, "unit": "C"}, "z": {"value": 1}}}
            for n in range(180)
        ]
    )  # fmt: skip
    window = {"since": START + timedelta(minutes=70), "until": START + timedelta(hours=3), "series": "x.y"}
    mean = client.measurements(device, aggregate="1h", **window)
    assert mean["value"].tolist() == [89.5, 149.5]
    assert mean["time"].tolist() == [pd.Timestamp(START + timedelta(hours=h)) for h in (1, 2)]
    assert mean["unit"].astype(str).tolist() == ["C", "C"]
    expected = {"min": [60, 120], "max": [119, 179], "count": [60, 60], "sum": [5370, 8970]}
    for function, values in expected.items():
        found = client.measurements(device, aggregate="1h", function=function, **window)
        assert found["value"].tolist() == values
        assert found.dtypes.to_dict() == mean.dtypes.to_dict()
    assert len(client.measurements(device, aggregate="10m", function="max", **window)) == 11
    notes = mean.attrs["iotnb"]["notes"]
    assert any("reduced here" in note for note in notes) == (kind == "legacy")
    with pytest.raises(ConfigError, match="15m"):
        client.measurements(device, aggregate="hourly", **window)


@pytest.mark.parametrize("aggregate", ["1m", "15m", "2h", "1d", "1w"])
@pytest.mark.parametrize("function", ["mean", "min", "std", "count"])
def test_reducing_here_and_there_gives_the_same(modern: Cumulocity, aggregate: str, function: str) -> None:
    window = {"since": "30h", "until": datetime.now(UTC).replace(minute=0, second=0, microsecond=0)}
    there = modern.measurements(fleet_id(0), aggregate=aggregate, function=function, **window)
    modern._functions = False
    try:
        here = modern.measurements(fleet_id(0), aggregate=aggregate, function=function, **window)
    finally:
        modern._functions = None
    keys = ["time", "series"]
    there, here = (each.sort_values(keys, ignore_index=True) for each in (there, here))
    if function == "std":  # of a single value the server may say 0, pandas says nothing
        there, here = (each[each["value"] > 1e-9].reset_index(drop=True) for each in (there, here))
    pd.testing.assert_frame_equal(there, here, check_categorical=False, rtol=1e-9, check_freq=False)


def test_reduced_series_are_followed_past_the_cut(
    client: Cumulocity, running: sandbox.Sandbox, day: tuple[datetime, datetime]
) -> None:
    window = {"since": day[0], "until": day[1], "aggregate": "1m", "function": "max"}
    whole = client.measurements(fleet_id(0), **window)
    running.faults.set("cumulocity", truncate=20)
    again = client.measurements(fleet_id(0), **window)
    pd.testing.assert_frame_equal(whole, again)
    assert len(client.exchanges)


@pytest.mark.parametrize("persistence", ["legacy", "timeseries"])
def test_both_kinds_of_tenants_give_the_same(persistence: str) -> None:
    with sandbox.start(
        "cumulocity", seed=3, devices=3, days=2, switches={"cumulocity": {"persistence": persistence}}
    ) as started:
        client = Cumulocity.login(started["cumulocity"].connect)
        end = datetime.fromtimestamp(started.clock.now() / 1000, UTC) - timedelta(hours=1)
        start = end - timedelta(hours=6)
        frame = client.measurements([fleet_id(0)], since=start, until=end)
        expected = fleet_values(started, 0, start, end)
        assert len(frame) == sum(map(len, expected.values()))
        assert frame["time"].is_monotonic_increasing
        client.close()


# -- series and latest -----------------------------------------------------------------------------------


def test_series_say_unit_and_span(client: Cumulocity, device: str) -> None:
    for hour, fragment in ((0, "a"), (1, "b"), (2, "a")):
        moment = (START + timedelta(hours=hour)).isoformat()
        body = {"one": {"value": hour, "unit": "C"}} | ({"two": {"value": 7}} if hour == 0 else {})
        client.api.measurements.create(
            {"source": {"id": device}, "type": "t", "time": moment, fragment: body}
        )
    frame = client.series(device).set_index("series")
    assert frame.loc["a.one", "first"] == pd.Timestamp(START)
    assert frame.loc["a.one", "last"] == pd.Timestamp(START + timedelta(hours=2))
    assert frame.loc["a.two", "last"] == pd.Timestamp(START)
    assert (
        frame.loc["b.one", "first"] == frame.loc["b.one", "last"] == pd.Timestamp(START + timedelta(hours=1))
    )
    assert frame.loc["a.one", "unit"] == "C"
    assert pd.isna(frame.loc["a.two", "unit"])
    now = client.latest(device).set_index("series")
    assert now.loc["a.one", "value"] == 2
    assert now.loc["a.two", "value"] == 7
    assert now.loc["a.one", "age"] > pd.Timedelta(0)
    assert client.latest(device, series="b.one")["value"].tolist() == [1]


def test_latest_of_the_fleet_is_recent(client: Cumulocity) -> None:
    frame = client.latest([fleet_id(i) for i in range(4)])
    assert frame["device"].nunique() >= 1
    assert frame["time"].max() <= pd.Timestamp.now("UTC")


# -- operations, events, alarms --------------------------------------------------------------------------


def test_operations_of_the_fleet(client: Cumulocity, running: sandbox.Sandbox) -> None:
    frame = client.operations(since="10d")
    mine = frame[frame["device"].astype(str).str.startswith("1000")]
    assert len(mine)
    assert set(mine["status"]) <= {"PENDING", "EXECUTING", "SUCCESSFUL", "FAILED"}
    assert mine["time"].is_monotonic_increasing
    failed = mine[mine["status"] == "FAILED"]
    assert failed["failure"].notna().all()
    one = client.operations(fleet_id(0), since="10d")
    assert set(one["operation"]) == set(mine[mine["device"] == fleet_id(0)]["operation"])


def test_an_operation_that_was_carried_out_has_its_duration(client: Cumulocity, device: str) -> None:
    ids = [client.api.operations.create({"deviceId": device, "c8y_Restart": {}})["id"] for _ in range(3)]
    for number, state in zip(ids, ["SUCCESSFUL", "FAILED", "EXECUTING"], strict=True):
        client.api.operations.update(number, {"status": "EXECUTING"})
        if state != "EXECUTING":
            client.api.operations.update(number, {"status": state, "failureReason": "x"})
    frame = client.operations(device, since="1h").set_index("operation")
    assert frame["status"].astype(str).to_dict() == dict(
        zip(ids, ["SUCCESSFUL", "FAILED", "EXECUTING"], strict=True)
    )
    assert frame["duration"].notna().tolist() == [True, True, False]
    assert (frame["duration"].dropna() >= pd.Timedelta(0)).all()
    assert frame["kind"].astype(str).unique().tolist() == ["c8y_Restart"]
    assert len(client.operations(device, status="FAILED")) == 1
    assert client.operations(device, status="CANCELLED").empty


def test_a_reader_without_the_audit_log_gets_operations_without_their_end(
    enter: Enter, users: dict[str, dict[str, str]], client: Cumulocity, running: sandbox.Sandbox
) -> None:
    restricted = enter(**users["restricted"])
    mine = restricted.devices()["device"].tolist()
    frame = restricted.operations(mine, since="10d")
    assert set(frame["device"].astype(str)) <= set(mine)
    if frame["status"].isin(["SUCCESSFUL", "FAILED"]).any():
        assert any("audit" in note for note in frame.attrs["iotnb"]["notes"])


def test_a_long_history_is_continued_in_time(
    client: Cumulocity, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from iotnb.platforms.cumulocity.api import chapter

    monkeypatch.setattr(chapter, "PAGE_SIZE", 10)
    texts = []
    for number in range(45):
        moment = START + timedelta(
            seconds=number // 15
        )  # fifteen events in one instant fill more than a page
        client.api.events.create(
            {"source": {"id": device}, "type": "t", "text": str(number), "time": moment.isoformat()}
        )
        texts.append(str(number))
    frame = client.events(device, since=START, until=START + timedelta(days=1))
    assert sorted(frame["text"], key=int) == texts
    assert frame["time"].is_monotonic_increasing


def test_events_and_alarms_of_the_fleet(client: Cumulocity) -> None:
    events = client.events(since="10d")
    assert len(events)
    kind = str(events["type"].iloc[0])
    assert set(client.events(since="10d", type=kind)["type"].astype(str)) == {kind}
    alarms = client.alarms(since="10d")
    assert set(alarms["status"].astype(str)) <= {"ACTIVE", "ACKNOWLEDGED", "CLEARED"}
    cleared = alarms[alarms["status"] == "CLEARED"]
    assert (cleared["cleared"] >= cleared["first_seen"]).all()
    assert (alarms["count"] >= 1).all()


# -- wrong questions --------------------------------------------------------------------------------------


def test_a_device_that_does_not_exist_is_named(client: Cumulocity) -> None:
    for verb in ("measurements", "series", "latest", "operations", "events", "alarms"):
        with pytest.raises(ConfigError, match="no device '999999999'"):
            getattr(client, verb)(["100000", "999999999"])


def test_a_name_instead_of_an_id_is_recognised(client: Cumulocity, running: sandbox.Sandbox) -> None:
    with pytest.raises(ConfigError, match=f"is '{fleet_id(2)}'"):
        client.measurements(running.fleet[2].name)


@pytest.mark.parametrize("verb", ["measurements", "latest"])
def test_a_series_that_nobody_has_names_near_ones(client: Cumulocity, verb: str) -> None:
    name = client.api.inventory.supported_series(fleet_id(0))[0]
    with pytest.raises(ConfigError, match="Near it:") as caught:
        getattr(client, verb)(fleet_id(0), series=name + "x")
    assert name in str(caught.value)


def test_an_old_window_says_that_its_data_have_expired(client: Cumulocity, device: str) -> None:
    frame = client.measurements(device, since="2013-01-01", until="2013-12-31")
    assert frame.empty
    assert any("probably expired" in note for note in frame.attrs["iotnb"]["notes"])


def test_a_failing_server_is_loud(client: Cumulocity, running: sandbox.Sandbox, enter: Enter) -> None:
    from iotnb.session import Settings

    hasty = enter(settings=Settings(retries=0))
    hasty.devices()
    running.faults.set("cumulocity", path="/event/", fail_every=2)
    with pytest.raises(Incomplete) as caught:
        hasty.events([fleet_id(i) for i in range(6)], since="10d")
    assert caught.value.gaps
    assert caught.value.partial.attrs["iotnb"]["complete"] is False
