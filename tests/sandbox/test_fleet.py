import time
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iotnb.sandbox.fleet import DAY, HOUR, MINUTE, Clock, Fleet
from iotnb.sandbox.fleet.noise import stream, unit, units

NOW = 1_780_000_000_000  # a Thursday in May 2026


def make(seed: int = 1, devices: int = 25, days: float = 30, at: int = NOW) -> Fleet:
    return Fleet(seed, devices, days, Clock(at, frozen=True))


FLEET = make()
moments = st.integers(FLEET.start - DAY, NOW + DAY)
indexes = st.integers(0, len(FLEET) - 1)
windows = st.tuples(moments, moments, moments).map(sorted)


def everything(fleet: Fleet) -> list[object]:
    """All that a fleet says about a day, in comparable form."""
    out: list[object] = list(fleet)
    start, end = NOW - DAY, NOW
    for i in range(len(fleet)):
        for group, members in fleet.groups(i).items():
            times = fleet.times(i, group, start, end)
            out.append(times.tolist())
            out += [fleet.value(i, series, times).tolist() for series in members]
        out += [
            fleet.alarms(i, fleet.start, end),
            fleet.events(i, start, end),
            fleet.operations(i, start, end),
        ]
    return out


def test_same_seed_same_fleet() -> None:
    assert everything(make()) == everything(make())


def test_another_seed_is_another_fleet() -> None:
    assert everything(make(seed=1)) != everything(make(seed=2))


def test_scalar_and_array_hashes_agree() -> None:
    key = stream(7, "anything", 3)
    numbers = np.array([-5, 0, 1, 2**40], dtype=np.int64)
    assert units(key, numbers).tolist() == [unit(key, int(n)) for n in numbers]


@given(indexes, windows, st.data())
@settings(max_examples=60, deadline=None)
def test_samples_do_not_depend_on_the_window(i: int, window: list[int], data: st.DataObject) -> None:
    a, b, c = window
    group = data.draw(st.sampled_from(sorted(FLEET.groups(i))))
    left, right, whole = FLEET.times(i, group, a, b), FLEET.times(i, group, b, c), FLEET.times(i, group, a, c)
    assert np.array_equal(np.concatenate([left, right]), whole)
    assert FLEET.count(i, group, a, c) == whole.size
    assert (np.diff(whole) > 0).all()
    assert not whole.size or (whole[0] >= max(a, FLEET.start) and whole[-1] < c and whole[-1] <= NOW)
    for series in FLEET.groups(i)[group]:
        values = FLEET.value(i, series, whole)
        assert np.array_equal(
            np.concatenate([FLEET.value(i, series, left), FLEET.value(i, series, right)]), values
        )
        assert np.isfinite(values).all()


@given(indexes, windows)
@settings(max_examples=60, deadline=None)
def test_history_does_not_depend_on_the_window(i: int, window: list[int]) -> None:
    a, b, c = window
    for read in (FLEET.alarms, FLEET.events, FLEET.operations):
        assert [*read(i, a, b), *read(i, b, c)] == list(read(i, a, c))


@given(indexes)
@settings(max_examples=25, deadline=None)
def test_keys_are_unique_and_find_their_thing(i: int) -> None:
    for read, find in (
        (FLEET.alarms, FLEET.alarm),
        (FLEET.events, FLEET.event),
        (FLEET.operations, FLEET.operation),
    ):
        found = read(i, 0, NOW + DAY)
        assert len({item.key for item in found}) == len(found)
        for item in found:
            assert find(i, item.key) == item
            assert find(i, item.key + 7 * 16 * 400) is None


def test_values_of_any_order_and_subset_are_the_same() -> None:
    for series in FLEET.series(5):
        times = FLEET.times(5, series.group, NOW - DAY, NOW)
        values = FLEET.value(5, series, times)
        assert np.array_equal(FLEET.value(5, series, times[::-1]), values[::-1])
        assert FLEET.value(5, series, times[3:4])[0] == values[3]


def test_nothing_is_later_than_the_clock_and_the_present_keeps_arriving() -> None:
    fleet = make()
    before = fleet.count(1, "environment", NOW - HOUR, NOW + HOUR)
    fleet.clock.advance(30 * MINUTE)
    after = fleet.times(1, "environment", NOW - HOUR, NOW + HOUR)
    assert after[-1] <= NOW + 30 * MINUTE
    assert before < after.size <= before + 31


def test_the_default_fleet_has_what_a_person_looks_for() -> None:
    devices = list(FLEET)
    assert {device.kind for device in devices} == {"gateway", "sensor", "machine"}
    status = [FLEET.online(device.index, NOW) for device in devices]
    assert 2 <= status.count(False) <= 8
    assert any(FLEET.last_seen(device.index) is None for device in devices)
    operations = [op for device in devices for op in FLEET.operations(device.index, 0, NOW)]
    rollout = [op for op in operations if op.kind == "firmware"]
    assert {op.status(NOW) for op in rollout} >= {"SUCCESSFUL", "FAILED", "EXECUTING", "PENDING"}
    assert all(op.failure for op in operations if op.failed)
    versions = {FLEET.firmware(d.index, NOW) == d.firmware_after for d in devices}
    assert versions == {True, False}
    alarms = {alarm.type for device in devices for alarm in FLEET.alarms(device.index, 0, NOW)}
    assert alarms >= {"temperature_high", "battery_low", "offline"}
    assert any(FLEET.signals.faults(device.index, FLEET.start, NOW) for device in devices)


@pytest.mark.parametrize("seed", [2, 3, 11])
def test_other_seeds_have_offline_devices_and_failed_operations_too(seed: int) -> None:
    fleet = make(seed)
    assert any(not fleet.online(i, NOW) for i in range(len(fleet)))
    assert any(op.failed for i in range(len(fleet)) for op in fleet.operations(i, 0, NOW))


def test_gateways_have_their_sensors_behind_them() -> None:
    for device in FLEET:
        children = FLEET.children(device.index)
        assert bool(children) == (device.kind == "gateway")
        assert all(FLEET[i].parent == device.index and FLEET[i].kind == "sensor" for i in children)
        assert device.parent is None or device.index in FLEET.children(device.parent)


def test_a_sensor_is_silent_while_its_gateway_is_off_line() -> None:
    gateway = next(i for i in (0, 10, 20) if FLEET.links.outages(i, FLEET.start, NOW - DAY))
    start, end = FLEET.links.outages(gateway, FLEET.start, NOW - DAY)[0]
    assert not FLEET.online(gateway, start)
    for i in FLEET.children(gateway):
        assert not FLEET.online(i, start)
        assert FLEET.count(i, "environment", start, end) == 0


def test_devices_are_found_by_key_and_serial_number() -> None:
    for device in FLEET:
        assert FLEET.index_of(device.key) == device.index
        assert FLEET.index_of(device.serial) == device.index
        assert device.serial.startswith("0000000")
    for wrong in ("gw-0009", "gw-0000", "sensor-0001-99", "0000000000000001", "00000000zzzzzzzz", "", "x"):
        assert FLEET.index_of(wrong) is None
    with pytest.raises(IndexError, match="25 devices"):
        FLEET[25]
    with pytest.raises(KeyError, match="no group 'pressure'"):
        FLEET.times(0, "pressure", 0, NOW)


def test_identifiers_are_unique_text_with_their_check_digits() -> None:
    fleet = make(devices=3000)
    for name in ("key", "serial", "imei", "iccid", "imsi", "msisdn", "mac"):
        assert len({getattr(device, name) for device in fleet}) == 3000
    for device in list(fleet)[:50]:
        for digits in (device.imei, device.iccid):
            doubled = [int(d) * (2 - n % 2) for n, d in enumerate(reversed(digits), 1)]
            total = sum(
                int(d) if n % 2 == 0 else sum(divmod(2 * int(d), 10)) for n, d in enumerate(reversed(digits))
            )
            assert total % 10 == 0, doubled
        assert len(device.imei) == 15
        assert len(device.iccid) in (19, 20)


def test_temperature_follows_the_day() -> None:
    series = FLEET.find_series(1, "environment.temperature")
    assert series is not None
    times = FLEET.times(1, "environment", NOW - 14 * DAY, NOW)
    values, hour = FLEET.value(1, series, times), (times % DAY) // HOUR
    assert values[hour == 14].mean() > values[hour == 3].mean() + 2


def test_machines_rest_at_night_and_at_weekends() -> None:
    machine = next(device.index for device in FLEET if device.kind == "machine")
    series = FLEET.find_series(machine, "vibration.rms")
    assert series is not None
    times = FLEET.times(machine, "vibration", FLEET.start, NOW)
    values, hour, day = FLEET.value(machine, series, times), (times % DAY) // HOUR, (times // DAY + 3) % 7
    assert values[(hour == 10) & (day < 5)].mean() > 5 * values[(hour == 10) & (day >= 5)].mean()
    assert values[(hour == 10) & (day < 5)].mean() > 5 * values[(hour == 1) & (day < 5)].mean()


def test_a_sensor_fault_is_stuck_or_full_of_spikes() -> None:
    seen = set()
    for device in make(devices=60):
        if device.kind != "sensor":
            continue
        series = FLEET.find_series(1, "environment.temperature")
        assert series is not None
        fleet = make(devices=60)
        for fault in fleet.signals.faults(device.index, fleet.start, NOW):
            times = np.arange(max(fault.start, fleet.start), min(fault.end, NOW), MINUTE)
            values = fleet.value(device.index, series, times)
            seen.add(fault.stuck)
            if fault.stuck:
                assert np.unique(values).size == 1
            else:
                assert (np.abs(np.diff(values)) > 15).any()
    assert seen == {True, False}


def test_temperature_alarms_follow_from_the_values() -> None:
    fleet, found = make(devices=60), 0
    for device in fleet:
        series = fleet.find_series(device.index, "environment.temperature")
        for alarm in fleet.alarms(device.index, NOW - 20 * DAY, NOW):
            if alarm.type == "temperature_high":
                assert series is not None
                found += 1
                at = np.array([alarm.time])
                assert fleet.times(device.index, "environment", alarm.time, alarm.time + 1).tolist() == [
                    alarm.time
                ]
                assert fleet.value(device.index, series, at)[0] > series.high
                assert alarm.cleared is None or alarm.cleared > alarm.time
    assert found > 5


def test_an_alarm_is_active_until_the_clock_has_passed_its_end() -> None:
    fleet = make()
    alarm = next(a for i in range(25) for a in fleet.alarms(i, 0, NOW) if a.type == "offline" and a.cleared)
    assert alarm.cleared is not None
    fleet.clock.set(alarm.cleared - 1)
    then = fleet.alarm(alarm.device, alarm.key)
    assert then is not None
    assert then.cleared is None
    fleet.clock.set(alarm.time - 1)
    assert fleet.alarm(alarm.device, alarm.key) is None


def test_operations_wait_until_the_device_is_on_line() -> None:
    fleet = make(devices=400)
    waited = 0
    for i in range(400):
        for op in fleet.operations(i, 0, NOW):
            if op.started is not None:
                assert fleet.online(i, op.started - 25_000) or fleet.online(i, op.started)
                waited += not fleet.online(i, op.created)
                assert op.finished is None or op.finished > op.started > op.created
    assert waited


def test_status_of_an_operation_follows_the_clock() -> None:
    op = next(op for op in FLEET.operations(0, 0, NOW) if op.started and op.finished and not op.failed)
    assert op.started is not None
    assert op.finished is not None
    assert [op.status(at) for at in (op.created, op.started, op.finished)] == [
        "PENDING",
        "EXECUTING",
        "SUCCESSFUL",
    ]
    assert [op.changed(at) for at in (op.created, op.started, op.finished)] == [
        op.created,
        op.started,
        op.finished,
    ]


def test_last_seen_is_the_newest_sample() -> None:
    for i in range(len(FLEET)):
        newest = [FLEET.times(i, group, 0, NOW + 1) for group in FLEET.groups(i)]
        expected = max((int(times[-1]) for times in newest if times.size), default=None)
        assert FLEET.last_seen(i) == expected


def test_a_year_of_two_devices_is_a_million_values() -> None:
    fleet = make(devices=10_000, days=365)
    series = fleet.find_series(1, "environment.temperature")
    assert series is not None
    times = [fleet.times(i, "environment", 0, NOW) for i in (1, 2)]
    values = [fleet.value(i, series, t) for i, t in zip((1, 2), times, strict=True)]
    assert sum(map(len, values)) > 950_000
    assert all(np.isfinite(each).all() for each in values)


def test_a_small_window_costs_no_history() -> None:
    tracemalloc.start()
    try:
        fleet = make(devices=100_000, days=3650)
        for i in range(0, 100_000, 1000):
            fleet.count(i, "signal", NOW - HOUR, NOW)
            fleet.alarms(i, NOW - DAY, NOW)
            fleet.operations(i, NOW - DAY, NOW)
            fleet.last_seen(i)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_500_000  # the times of one group of one device over the ten years are more


def test_groups_share_their_times_and_cover_all_series() -> None:
    for i in (0, 1, 6):
        groups = FLEET.groups(i)
        assert [s for members in groups.values() for s in members] == list(FLEET.series(i))
        assert all(len({s.interval for s in members}) == 1 for members in groups.values())


def test_samples_come_about_once_an_interval() -> None:
    times = FLEET.times(1, "environment", NOW - DAY, NOW)
    steps = np.diff(times)
    assert abs(np.median(steps) - MINUTE) < 100
    assert all(b - a > 50_000 for a, b in pairwise(times.tolist()))


@pytest.mark.parametrize(("devices", "days"), [(-1, 3), (3, 0), (3, -1)])
def test_impossible_fleets_are_refused(devices: int, days: float) -> None:
    with pytest.raises(ValueError, match="a fleet needs"):
        make(devices=devices, days=days)


def test_an_empty_fleet_is_a_fleet() -> None:
    assert list(make(devices=0)) == []


def test_the_clock_moves_stands_and_runs() -> None:
    clock = Clock(NOW)
    assert 0 <= clock.now() - NOW < 5000
    clock.freeze()
    stood = clock.now()
    time.sleep(0.01)
    assert clock.now() == stood
    clock.advance(HOUR)
    assert clock.now() == stood + HOUR
    clock.set(NOW)
    assert clock.now() == NOW
    clock.resume()
    time.sleep(0.01)
    assert NOW < clock.now() < NOW + 5000
    clock.set(None)
    assert abs(clock.now() - time.time() * 1000) < 5000
    assert not clock.frozen


def test_a_scan_is_only_spared_where_no_value_passes_the_limit() -> None:
    fleet = make(devices=200, days=10)
    spared = 0
    for device in fleet:
        series = fleet.find_series(device.index, "environment.temperature")
        if series is None or fleet.signals.may_exceed(
            device.index, series.key, series.high, fleet.start, NOW
        ):
            continue
        spared += 1
        times = fleet.times(device.index, "environment", fleet.start, NOW)
        assert not (fleet.value(device.index, series, times) > series.high).any()
    assert spared > 50
