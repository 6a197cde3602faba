"""Gaps, anomalies, and what changed around an event, on series whose oddities are known."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

import iotnb
from iotnb import analysis, frames, sandbox
from iotnb.errors import ConfigError

START = datetime(2026, 5, 1, tzinfo=UTC)


def series(values, *, device="a", name="t", unit="C", step=60, skip=()):
    rows = [
        {
            "time": START + timedelta(seconds=step * n),
            "device": device,
            "series": name,
            "unit": unit,
            "value": float(value),
        }
        for n, value in enumerate(values)
        if n not in skip
    ]
    return frames.table("measurements", rows)


def noise(count, *, seed=1, size=0.1):
    return 20 + size * np.random.default_rng(seed).standard_normal(count)


def at(n):
    return pd.Timestamp(START + timedelta(minutes=n))


def test_gaps_are_found_with_their_length():
    m = pd.concat(
        [series(noise(200), skip=range(50, 80)), series(noise(200), device="b", skip={10, 150, 151, 152})]
    )
    found = analysis.gaps(m)
    assert list(found.columns) == ["device", "series", "start", "end", "duration", "missing"]
    assert found[["device", "missing"]].to_numpy().tolist() == [
        ["a", 30],
        ["b", 3],
    ]  # one value lost is no gap
    assert found.loc[0, "start"] == at(49)
    assert found.loc[0, "end"] == at(80)
    assert found.loc[0, "duration"] == pd.Timedelta(minutes=31)


def test_a_spike_is_found_and_its_height_told():
    values = noise(500)
    values[[100, 300, 301]] = 60, -40, -50
    found = analysis.anomalies(series(values))
    assert found[["kind", "count", "value"]].to_numpy().tolist() == [["spike", 1, 60.0], ["spike", 2, -50.0]]
    assert found["time"].tolist() == [at(100), at(300)]
    assert found.loc[1, "end"] == at(301)
    assert (found["score"] > 100).all()
    assert found["usual"].between(19, 21).all()


def test_a_daily_course_a_step_and_noise_that_comes_and_goes_are_usual():
    day = 20 + 5 * np.sin(np.arange(2880) / 1440 * 2 * np.pi) + noise(2880, size=0.2) - 20
    step = np.concatenate([noise(500), noise(500) + 8])
    runs = np.concatenate([noise(300, size=0.01), noise(300, seed=2, size=3), noise(300, seed=3, size=0.01)])
    for values in (day, step, runs):
        assert len(analysis.anomalies(series(values), threshold=12)) <= 2


def test_a_sensor_that_stands_still_is_found_and_a_switch_is_not():
    values = noise(400)
    values[200:260] = values[200]
    found = analysis.anomalies(series(values))
    assert found[["kind", "count"]].to_numpy().tolist() == [["still", 60]]
    assert np.isnan(found.loc[0, "score"])
    assert analysis.anomalies(series(np.repeat([0, 1, 0], 200))).empty
    assert analysis.anomalies(series(np.ones(300))).empty


def test_the_faulty_sensors_of_the_fleet_are_found():
    with (
        sandbox.start("cumulocity", seed=1, devices=25, days=8, clock=sandbox.Clock(frozen=True)) as running,
        iotnb.connect("cumulocity", **running["cumulocity"].connect) as client,
    ):
        m = client.measurements(series="c8y_Environment.temperature", since="7d")
    found = analysis.anomalies(m)
    per_device = found.groupby(["kind", "device"]).size()
    assert {"spike", "still"} & set(found["kind"])
    assert len(per_device) <= 4  # of 25 devices


def test_what_changed_around_an_operation():
    values = np.concatenate([noise(120), noise(120, seed=2) + 5])
    m = pd.concat(
        [series(values), series(noise(240, seed=3), name="h", unit="%"), series(values, device="b")]
    )
    operation = {"time": START + timedelta(minutes=120), "operation": "1", "device": "a", "kind": "restart"}
    early = {**operation, "operation": "2", "time": START - timedelta(days=1)}
    found = analysis.around(m, frames.table("operations", [operation, early]))
    assert list(found.columns) == list(analysis.AROUND)
    assert found[["device", "what", "series", "n_before", "n_after"]].to_numpy().tolist() == [
        ["a", "restart", "h", 60, 60],
        ["a", "restart", "t", 60, 60],
    ]
    change = found.set_index("series")["change"]
    assert change["t"] == pytest.approx(5, abs=0.1)
    assert change["h"] == pytest.approx(0, abs=0.1)
    assert found.set_index("series")["score"]["t"] > 20


def test_alarms_and_events_have_their_type():
    m = series(noise(240))
    for table in ("alarms", "events"):
        happened = frames.table(table, [{"time": START + timedelta(hours=2), "device": "a", "type": "Hot"}])
        found = analysis.around(m, happened, before="30m", after=timedelta(minutes=10))
        assert found[["what", "n_before", "n_after"]].to_numpy().tolist() == [["Hot", 30, 10]]


def test_nothing_is_an_empty_frame_with_its_columns():
    nothing = frames.empty("measurements")
    for made, columns in (
        (analysis.gaps(nothing), analysis.GAPS),
        (analysis.anomalies(nothing), analysis.ANOMALIES),
        (analysis.around(nothing, frames.empty("operations")), analysis.AROUND),
    ):
        assert made.empty
        assert list(made.columns) == list(columns)
        assert str(made.dtypes[made.columns[0]]) in {"str", "datetime64[us, UTC]"}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda m: analysis.anomalies(m, threshold=0), "threshold=0"),
        (lambda m: analysis.anomalies(m, still=1), "still=1"),
        (lambda m: analysis.around(m, m), "happened="),
        (lambda m: analysis.around(m, frames.empty("events"), before="often"), "before='often'"),
        (lambda m: analysis.gaps(m.drop(columns="device")), "device"),
    ],
)
def test_nonsense_is_told(wrong, words):
    with pytest.raises(ConfigError, match=words):
        wrong(series(noise(50)))
