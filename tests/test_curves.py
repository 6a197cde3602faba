"""Curves: cut, thinned, counted and estimated, checked against the slow way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotnb import curves, frames
from iotnb.curves import BLOCK, Curve
from iotnb.errors import ConfigError

START = np.datetime64("2026-03-01T00:00", "us")
SECOND = np.timedelta64(1_000_000, "us")


def curve(values: Any, *, step: int = 1) -> Curve:
    values = np.asarray(values, dtype=float)
    return Curve.of(START + np.arange(len(values)) * step * SECOND, values)


def frame(*rows: tuple[int, str, str, float | None, str | None]) -> pd.DataFrame:
    """Rows of (second, device, series, value, unit)."""
    base = pd.Timestamp(START, tz="UTC")
    return frames.measurements(
        [
            frames.columns(
                {
                    "time": (base + pd.Timedelta(seconds=second)).to_pydatetime(),
                    "device": device,
                    "series": series,
                    "value": np.nan if value is None else value,
                    "text": "off" if value is None else None,
                    "unit": unit,
                }
                for second, device, series, value, unit in rows
            )
        ]
    )


def test_a_frame_is_cut_by_device_series_and_unit() -> None:
    m = frame((0, "2", "T", 1, "C"), (0, "1", "T", 2, "C"), (1, "1", "T", 3, None), (2, "1", "H", 4, "%"))
    found = [(each.device, each.series, each.unit, list(each.value)) for each in curves.split(m)]
    assert found == [
        ("1", "H", "%", [4]),
        ("1", "T", "", [3]),
        ("1", "T", "C", [2]),
        ("2", "T", "C", [1]),
    ]
    assert curves.split(frames.empty("measurements")) == []


def test_many_devices_with_many_series_stay_apart() -> None:
    rows = [(0, f"d{i}", f"s{j}", i * 100 + j, f"u{j % 3}") for i in range(90) for j in range(20)]
    found = {(each.device, each.series): each.value[0] for each in curves.split(frame(*rows))}
    assert found == {(f"d{i}", f"s{j}"): i * 100 + j for i in range(90) for j in range(20)}


def test_a_frame_of_something_else_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"client\.measurements\(\)"):
        curves.split(frames.empty("events"))
    naive = frame((0, "1", "T", 1, "C"))
    naive["time"] = naive["time"].dt.tz_localize(None)
    with pytest.raises(ConfigError, match="no time zone"):
        curves.split(naive)


def test_what_is_no_number_ends_a_stretch() -> None:
    made = curve([1, 2, np.nan, 4, np.inf, np.inf, 7])
    assert list(made.value) == [1, 2, 4, 7]
    assert list(made.breaks) == [2, 3]
    assert made.no_number == 3
    drawn = made.thin(made.time[0], made.time[-1], bins=100)
    assert np.isnan(drawn.value).sum() == 2
    assert list(drawn.value[drawn.lone]) == [4, 7]


def test_a_window_takes_one_point_more_at_each_side() -> None:
    made = curve(np.arange(100)).thin(START + 40 * SECOND, START + 50 * SECOND, bins=50)
    assert list(made.value) == list(range(39, 52))
    assert made.points == 11


def test_a_window_without_a_value_is_empty_and_not_an_error() -> None:
    made = curve([1.0, 2.0])
    later = made.thin(START + 1000 * SECOND, START + 2000 * SECOND, bins=50)
    assert later.points == 0
    nothing = curve([]).thin(START, START + SECOND, bins=50)
    assert (len(nothing.time), nothing.points, nothing.drawn) == (0, 0, 0)


@pytest.mark.parametrize("share", [1.0, 0.31, 0.02])
def test_no_spike_of_a_long_curve_is_lost_whatever_the_zoom(share: float) -> None:
    rng = np.random.default_rng(7)
    count = 3_000 * BLOCK + 17
    value = rng.normal(size=count)
    spikes = rng.choice(count, 60, replace=False)
    value[spikes] = rng.choice([-50, 50], 60) + rng.normal(size=60)
    made = curve(value)
    first = int(count * (1 - share) / 2)
    last = first + int(count * share) - 1
    drawn = made.thin(made.time[first], made.time[last], bins=800)
    inside = value[first : last + 1]
    assert drawn.points == len(inside)
    assert drawn.drawn <= 4 * 800
    seen = set(drawn.value[~np.isnan(drawn.value)])
    bins = np.minimum(np.arange(len(inside)) * 800 // len(inside), 799)
    lost = [
        spike
        for spike in inside[np.abs(inside) > 40]
        # two spikes of one sign in one interval are one stroke on screen: the higher one counts
        if spike not in seen and abs(spike) == np.abs(inside[bins == bins[list(inside).index(spike)]]).max()
    ]
    assert lost == []
    assert np.nanmax(drawn.value) >= inside.max()
    assert np.nanmin(drawn.value) <= inside.min()


def test_gaps_of_a_long_curve_stay_gaps_when_they_can_be_seen() -> None:
    count = 400_000
    keep = np.ones(count, bool)
    keep[100_000:130_000] = False
    keep[300_000:300_010] = False
    time = START + np.arange(count)[keep] * SECOND
    made = Curve.of(time, np.sin(np.arange(count) / 900)[keep])
    assert len(made.breaks) == 2
    assert np.isnan(made.thin(time[0], time[-1], bins=500).value).sum() == 1
    near = made.thin(START + 299_900 * SECOND, START + 300_100 * SECOND, bins=500)
    assert np.isnan(near.value).sum() == 1


@given(st.lists(st.tuples(st.integers(0, 500), st.sampled_from([1.0, 2.0, -3.0, np.nan])), max_size=80))
def test_rows_in_any_order_with_doubles_and_holes_give_a_curve(points: list[tuple[int, float]]) -> None:
    time = START + np.array([second for second, _ in points], dtype=int) * SECOND
    made = Curve.of(time, np.array([value for _, value in points], dtype=float))
    assert len(made) + made.no_number == len(points)
    assert (np.diff(made.time.astype("int64")) >= 0).all()
    assert sorted(made.value) == sorted(value for _, value in points if value == value)
    drawn = made.thin(START, START + 500 * SECOND, bins=10)
    assert set(drawn.value[~np.isnan(drawn.value)]) == set(made.value)
    assert (np.diff(drawn.time.astype("int64")) >= 0).all()


def test_statistics_are_those_of_pandas() -> None:
    rng = np.random.default_rng(1)
    rows = [(i * 10, "1", "T", float(v), "C") for i, v in enumerate(rng.normal(20, 3, 500))]
    rows = rows[:200] + rows[210:]
    m = frame(*rows, (5, "1", "state", None, None), (0, "2", "T", 7.0, "C"))
    made = curves.statistics(m)
    assert list(made.columns) == list(curves.STATISTICS)
    assert list(made["device"] + made["series"]) == ["1T", "1state", "2T"]
    values = m["value"][(m["device"] == "1") & (m["series"] == "T")]
    row = made.iloc[0]
    wanted = [values.min(), values.mean(), values.max(), values.std()]
    assert [row["min"], row["mean"], row["max"], row["std"]] == pytest.approx(wanted)
    assert (row["count"], row["gaps"], row["no_number"]) == (490, 1, 0)
    assert row["last_value"] == values.iloc[-1]
    assert row["last"] == m["time"].max()
    assert row["step"] == pd.Timedelta("10s")
    text, single = made.iloc[1], made.iloc[2]
    assert (text["count"], text["no_number"]) == (0, 1)
    assert np.isnan(text["mean"])
    assert pd.isna(text["first"])
    assert (single["count"], single["min"], single["max"]) == (1, 7, 7)
    assert np.isnan(single["std"])


def test_statistics_of_nothing_have_their_columns() -> None:
    made = curves.statistics(frames.empty("measurements"))
    assert list(made.columns) == list(curves.STATISTICS)
    assert len(made) == 0
    assert str(made["first"].dtype) == "datetime64[us, UTC]"


def known(*rows: tuple[str, str, Any, Any]) -> pd.DataFrame:
    made = pd.DataFrame(rows, columns=["device", "series", "first", "last"])
    for name in ("first", "last"):
        made[name] = pd.to_datetime(made[name], utc=True)
    return made


def test_an_estimate_follows_the_steps_of_a_sample() -> None:
    sample = frame(*[(i * 60, "1", "T", 1.0, "C") for i in range(15)])
    start, end = pd.Timestamp("2026-02-28T00:00Z"), pd.Timestamp("2026-03-01T00:00Z")
    always = ("2026-01-01T00:00Z", "2026-03-01T00:15Z")
    one = curves.expected(known(("1", "T", *always)), sample, start=start, end=end)
    assert one == 1440
    namesake = known(("1", "T", *always), ("2", "T", *always), ("2", "H", None, None))
    assert curves.expected(namesake, sample, start=start, end=end) == 3 * 1440
    ended = known(("1", "T", "2026-01-01T00:00Z", "2026-02-28T12:00Z"))
    assert curves.expected(ended, sample, start=start, end=end) == 721
    before = known(("1", "T", "2026-01-01T00:00Z", "2026-01-02T00:00Z"))
    assert curves.expected(before, sample, start=start, end=end) == 0
    assert curves.expected(namesake, sample.iloc[:1], start=start, end=end) is None
