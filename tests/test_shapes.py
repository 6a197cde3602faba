"""Resampling and coverage of measurements, also where clocks are changed."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotnb import frames, times
from iotnb.errors import ConfigError

BERLIN = ZoneInfo("Europe/Berlin")
AUTUMN = datetime(2026, 10, 25, tzinfo=BERLIN)  # 25 hours
SPRING = datetime(2026, 3, 29, tzinfo=BERLIN)  # 23 hours


def minutes(start: datetime, end: datetime, *, step: int = 1, device: str = "a", value: float = 1.0):
    count = int((end.astimezone(UTC) - start.astimezone(UTC)) / timedelta(minutes=step))
    rows = [
        {
            "time": start.astimezone(UTC) + timedelta(minutes=step * n),
            "device": device,
            "series": "s",
            "value": value,
        }
        for n in range(count)
    ]
    return frames.table("measurements", rows)


@pytest.mark.parametrize(("day", "hours"), [(AUTUMN, 25), (SPRING, 23), (AUTUMN + timedelta(days=1), 24)])
def test_a_day_is_as_long_as_the_clock_makes_it(day, hours):
    m = minutes(day - timedelta(days=1), day + timedelta(days=2))
    per_day = frames.resample(m, "1d", function="count", tz="Europe/Berlin").set_index("time")["value"]
    assert per_day[day.astimezone(UTC)] == hours * 60
    assert len(per_day) == 3
    per_hour = frames.resample(m, "1h", function="count", tz="Europe/Berlin")
    inside = per_hour["time"].between(day.astimezone(UTC), (day + timedelta(days=1)).astimezone(UTC), "left")
    assert inside.sum() == hours
    assert (per_hour["value"] == 60).all()  # the hour that comes twice is two hours


def test_a_zone_of_half_hours_has_hours_of_its_own():
    m = minutes(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 3, tzinfo=UTC))
    starts = frames.resample(m, "1h", function="count", tz="Asia/Kolkata")
    assert [f"{at:%H:%M}" for at in starts["time"]] == ["23:30", "00:30", "01:30", "02:30"]
    assert starts["value"].tolist() == [30, 60, 60, 30]


def test_six_hours_go_on_when_the_clock_is_set_back():
    m = minutes(AUTUMN, AUTUMN + timedelta(days=1))
    assert frames.resample(m, "6h", function="count", tz="Europe/Berlin")["value"].tolist() == [
        420,
        360,
        360,
        360,
    ]


def test_months_begin_in_the_zone():
    m = minutes(datetime(2026, 2, 27, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC), step=60)
    made = frames.resample(m, "1M", function="count", tz="America/New_York")
    assert made["time"].dt.tz_convert("America/New_York").dt.strftime("%m-%d %H:%M").tolist() == [
        "02-01 00:00",
        "03-01 00:00",
    ]
    assert made["value"].sum() == len(m)


@given(
    at=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),
    step=st.sampled_from(["1m", "15m", "1h", "6h", "1d", "1w", "1M", "1y"]),
    name=st.sampled_from(["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]),
)
def test_no_interval_starts_after_its_values_and_a_start_is_its_own_start(at, step, name):
    interval = times.interval(step)
    moment = np.array([at], dtype="M8[us]")
    start = interval.floors(moment, name)
    assert start <= moment
    assert interval.floors(start, name) == start


def test_the_rest_of_the_frame_is_as_before():
    m = minutes(AUTUMN, AUTUMN + timedelta(hours=2))
    m.attrs["iotnb"] = {"complete": True}
    made = frames.resample(m, "1h")
    assert list(made.columns) == list(frames.SCHEMAS["measurements"])
    assert made.attrs == m.attrs
    assert frames.resample(frames.empty("measurements"), "1h").empty


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"step": "often"}, "step='often'"),
        ({"step": "1h", "tz": "Europe/Bonn"}, "Europe/Bonn"),
        ({"step": "1h", "function": "mode"}, "function='mode'"),
    ],
)
def test_nonsense_is_told(options, words):
    with pytest.raises(ConfigError, match=words):
        frames.resample(minutes(AUTUMN, AUTUMN + timedelta(hours=1)), **options)


def test_coverage_counts_against_what_was_to_be_expected():
    start = datetime(2026, 5, 1, tzinfo=UTC)
    whole = minutes(start, start + timedelta(hours=4), device="whole")
    holes = minutes(start, start + timedelta(hours=1, minutes=30), device="holes")
    m = pd.concat([whole, holes], ignore_index=True)
    m.attrs["iotnb"] = {"window": ["2026-05-01T00:00:00.000Z", "2026-05-01T04:00:00.000Z"]}
    told = frames.coverage(m)
    assert list(told.columns) == ["time", "device", "series", "count", "expected", "share"]
    assert len(told) == 8
    share = told.set_index(["device", "time"])["share"]
    assert (share["whole"] == 1).all()
    assert share["holes"].tolist() == [1.0, 0.5, 0.0, 0.0]
    assert (told["expected"] == 60).all()
    assert told["count"].sum() == len(m)


def test_coverage_of_a_day_with_25_hours_is_no_more_than_all():
    m = minutes(AUTUMN - timedelta(days=1), AUTUMN + timedelta(days=2), step=10)
    told = frames.coverage(m, "1d", tz="Europe/Berlin")
    assert told["count"].tolist() == [144, 150, 144]
    assert told["share"].min() > 0.999


def test_half_an_interval_at_the_edge_of_the_window_is_not_half_a_gap():
    start = datetime(2026, 5, 1, 0, 30, tzinfo=UTC)
    m = minutes(start, start + timedelta(hours=1))
    assert frames.coverage(m)["share"].tolist() == [1.0, 1.0]


def test_a_single_value_says_nothing_of_what_was_to_be_expected():
    start = datetime(2026, 5, 1, tzinfo=UTC)
    told = frames.coverage(minutes(start, start + timedelta(minutes=1)))
    assert told["count"].tolist() == [1]
    assert told["share"].isna().all()
    assert frames.coverage(frames.empty("measurements")).empty
