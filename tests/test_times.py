"""Every platform's time format in, timezone-aware UTC out; what could be misread is refused."""

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from iotnb import times
from iotnb.errors import ConfigError

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59)
MOMENTS = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=st.just(UTC))


# -- the wire


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2020-03-19T12:03:27.845Z", datetime(2020, 3, 19, 12, 3, 27, 845000, UTC)),
        ("2020-03-19T12:03:27Z", datetime(2020, 3, 19, 12, 3, 27, tzinfo=UTC)),
        ("2020-03-19T12:03Z", datetime(2020, 3, 19, 12, 3, tzinfo=UTC)),
        ("2013-08-30T10:12:24.378+02:00", datetime(2013, 8, 30, 8, 12, 24, 378000, UTC)),
        ("2013-08-30T10:12:24.378+0200", datetime(2013, 8, 30, 8, 12, 24, 378000, UTC)),
        ("2013-08-30T10:12:24-05:30", datetime(2013, 8, 30, 15, 42, 24, tzinfo=UTC)),
        ("2020-01-01t00:00:00z", datetime(2020, 1, 1, tzinfo=UTC)),
        ("2020-01-01 00:00:00Z", datetime(2020, 1, 1, tzinfo=UTC)),
        ("2020-01-01T00:00:00,5Z", datetime(2020, 1, 1, 0, 0, 0, 500000, UTC)),
        ("2020-01-01T00:00:00.123456789Z", datetime(2020, 1, 1, 0, 0, 0, 123456, UTC)),
        (" 2020-01-01T00:00:00Z\n", datetime(2020, 1, 1, tzinfo=UTC)),
        # the two hours of a night in October are told apart by their offsets
        ("2026-10-25T02:30:00+02:00", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        ("2026-10-25T02:30:00+01:00", datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
        ("2020-02-29T23:59:59.999-00:00", datetime(2020, 2, 29, 23, 59, 59, 999000, UTC)),
    ],
)
def test_times_of_servers_are_read(text, moment):
    found = times.from_wire(text)
    assert found == moment
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2020-03-19T12:03:27.845",
        "2020-03-19",
        "2020-03-19T12:03:27.845+02:0",
        "20130-08-30T10:12:24Z",
        "2020-13-01T00:00:00Z",
        "2020-02-30T00:00:00Z",
        "2020-01-01T24:00:00Z",
        "2020-01-01T23:59:60Z",
        "2020-01-01T00:00:00+24:00",
        "2020-01-01T00:00:00+02:60",
        "2020-01-01T00:00:00.1234567890Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "٢٠٢٠-01-01T00:00:00Z",
        "2020-01-01T00:00:00ZZ",
        "1577836800000",
    ],
)
def test_what_is_no_time_is_a_value_error(text):
    with pytest.raises(ValueError):
        times.from_wire(text)
    with pytest.raises(ValueError):
        times.column([text])
    with pytest.raises(ValueError):
        times.column(["2020-03-19T12:03:27.845Z", text])


@given(MOMENTS)
def test_the_wire_brings_back_what_it_took_to_the_millisecond(moment):
    text = times.to_wire(moment)
    assert len(text) == len("2026-01-01T00:00:00.000Z")
    assert times.from_wire(text) == moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@given(MOMENTS, OFFSETS)
def test_an_offset_does_not_change_the_moment(moment, minutes):
    zone = timezone(timedelta(minutes=minutes))
    assert times.from_wire(moment.astimezone(zone).isoformat()) == moment
    assert times.to_wire(moment.astimezone(zone)) == times.to_wire(moment)


@given(st.integers(-62135596800000, 253402300799999))
def test_milliseconds_there_and_back(milliseconds):
    moment = times.from_ms(milliseconds)
    assert moment.tzinfo is UTC
    assert times.to_ms(moment) == milliseconds


@given(MOMENTS)
def test_milliseconds_are_cut_as_on_the_wire(moment):
    assert times.from_ms(times.to_ms(moment)) == times.from_wire(times.to_wire(moment))


# -- columns


def slow(texts):
    return np.array([times.from_wire(text).replace(tzinfo=None) for text in texts], "M8[us]")


@given(st.lists(MOMENTS, max_size=20), st.sampled_from(["seconds", "milliseconds", "microseconds"]))
def test_a_column_is_its_values_one_by_one(moments, precision):
    texts = [moment.replace(tzinfo=None).isoformat(timespec=precision) + "Z" for moment in moments]
    assert times.column(texts).dtype == np.dtype("M8[us]")
    assert times.column(texts).tolist() == slow(texts).tolist()
    assert pd.Series(times.column(texts)).dt.tz_localize("UTC").tolist() == [
        pd.Timestamp(times.from_wire(text)) for text in texts
    ]


@given(
    st.lists(st.tuples(MOMENTS, OFFSETS, st.sampled_from(["auto", "milliseconds"])), min_size=1, max_size=8)
)
def test_a_column_of_mixed_forms_is_its_values_too(cases):
    texts = []
    for moment, minutes, precision in cases:
        zoned = moment.astimezone(timezone(timedelta(minutes=minutes)))
        texts.append(zoned.isoformat(timespec=precision).replace("+00:00", "Z"))
    assert times.column(texts).tolist() == slow(texts).tolist()


@given(st.lists(st.text("0123456789-:.TZ+ ", min_size=20, max_size=27), min_size=1, max_size=3))
def test_the_fast_path_accepts_nothing_that_the_slow_one_refuses(texts):
    try:
        expected = slow(texts).tolist()
    except ValueError:
        with pytest.raises(ValueError):
            times.column(texts)
    else:
        assert times.column(texts).tolist() == expected


@given(MOMENTS, st.integers(0, 23), st.sampled_from("0123456789-:.TZ"))
def test_a_changed_sign_is_read_alike_on_both_paths(moment, place, sign):
    good = times.to_wire(moment)
    changed = good[:place] + sign + good[place + 1 :]
    assume(changed != good)
    for texts in ([changed], [good, changed], [changed, good, good]):
        try:
            expected = slow(texts).tolist()
        except ValueError:
            with pytest.raises(ValueError):
                times.column(texts)
        else:
            assert times.column(texts).tolist() == expected


def test_an_empty_column_has_its_type():
    assert times.column([]).dtype == np.dtype("M8[us]")


def test_large_columns_are_read_in_one_sweep():
    texts = [times.to_wire(times.from_ms(1_700_000_000_000 + 1_000 * n)) for n in range(200_000)]
    made = times.column(texts)
    assert made[0] == np.datetime64("2023-11-14T22:13:20")
    assert (np.diff(made) == np.timedelta64(1, "s")).all()


# -- what people write


@pytest.mark.parametrize(
    ("given_value", "moment"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        (date(2026, 1, 31), datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T08:00:00Z", datetime(2026, 1, 31, 8, tzinfo=UTC)),
        ("2026-01-31T08:00:00+02", datetime(2026, 1, 31, 6, tzinfo=UTC)),
        ("2026-01-31 08:00+02:00", datetime(2026, 1, 31, 6, tzinfo=UTC)),
        ("20260131T080000Z", datetime(2026, 1, 31, 8, tzinfo=UTC)),
        (datetime(2026, 7, 1, 8, tzinfo=ZoneInfo("Europe/Berlin")), datetime(2026, 7, 1, 6, tzinfo=UTC)),
        (datetime(2026, 1, 1, 8, tzinfo=ZoneInfo("Europe/Berlin")), datetime(2026, 1, 1, 7, tzinfo=UTC)),
        (
            datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1),
            datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
        ),
        (pd.Timestamp("2026-07-01 08:00", tz="Europe/Berlin"), datetime(2026, 7, 1, 6, tzinfo=UTC)),
        (pd.Timestamp(1, unit="ns", tz="UTC"), datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_moments_of_people_are_read(given_value, moment):
    found = times.parse(given_value)
    assert found == moment
    assert type(found) is datetime
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    ("given_value", "advice"),
    [
        (datetime(2026, 1, 31, 8), "'2026-01-31T08:00:00Z' for UTC"),
        (pd.Timestamp("2026-01-31 08:00"), "'2026-01-31T08:00:00Z' for UTC"),
        ("2026-01-31T08:00:00", "'2026-01-31T08:00:00Z' for UTC or '2026-01-31T08:00:00+02:00'"),
        ("2026-01-31 08:00", "has no time zone"),
        (pd.NaT, "is no time"),
        (None, "'24h' or '7d'"),
        (5, "'24h' or '7d'"),
        (True, "'24h' or '7d'"),
        ("last week", "'24h' or '7d'"),
        ("2026-02-30", "'24h' or '7d'"),
        ("31.01.2026", "ISO 8601 with a zone"),
        (np.datetime64("2026-01-31"), "ISO 8601 with a zone"),
        (datetime.max.replace(tzinfo=timezone(timedelta(hours=-5))), "outside the years"),
        ("", "'24h' or '7d'"),
    ],
)
def test_what_could_be_misread_is_refused_with_advice(given_value, advice):
    with pytest.raises(ConfigError) as caught:
        times.parse(given_value, name="until")
    assert str(caught.value).startswith("until=")
    assert advice in str(caught.value)


@pytest.mark.parametrize(
    ("since", "seconds"),
    [
        ("30s", 30),
        ("30m", 1800),
        ("30min", 1800),
        ("24h", 86400),
        ("7d", 604800),
        ("2w", 1209600),
        (" 24 H ", 86400),
        ("1.5h", 5400),
        (timedelta(hours=3), 10800),
        (NOON - timedelta(days=1), 86400),
        ("2026-03-01", 43200),
    ],
)
def test_a_window_reaches_back_from_the_present(since, seconds):
    window = times.window(since, now=NOON)
    assert (window.end, window.seconds) == (NOON, seconds)


def test_a_window_reaches_back_from_until():
    window = times.window("1h", "2026-02-01T00:00:00Z", now=NOON)
    assert times.to_wire(window.start) == "2026-01-31T23:00:00.000Z"
    assert times.to_wire(window.end) == "2026-02-01T00:00:00.000Z"


def test_a_window_without_since_begins_with_the_epoch():
    assert times.window(None, now=NOON).start == datetime(1970, 1, 1, tzinfo=UTC)


def test_a_window_ends_now():
    before = datetime.now(UTC)
    assert before <= times.window("1h").end <= datetime.now(UTC)


def test_a_day_of_a_window_may_have_23_hours():
    berlin = ZoneInfo("Europe/Berlin")
    window = times.window(datetime(2026, 3, 29, tzinfo=berlin), datetime(2026, 3, 30, tzinfo=berlin))
    assert window.seconds == 23 * 3600


@pytest.mark.parametrize(
    ("since", "until", "advice"),
    [
        ("2026-02-02", "2026-02-01", "backwards"),
        ("0h", None, "is empty"),
        (timedelta(hours=-1), None, "backwards"),
        ("2027-01-01", None, "Swap them"),
        (datetime(2026, 1, 1), None, "since=2026-01-01 00:00:00 has no time zone"),
        ("1h", "2026-01-01T00:00", "until='2026-01-01T00:00' has no time zone"),
        ("99999999999d", None, "too far"),
        ("999999d", None, "too far"),
        (timedelta.max, None, "too far"),
        ("7 days", None, "'24h' or '7d'"),
        (7, None, "'24h' or '7d'"),
    ],
)
def test_windows_that_cannot_be_are_refused_with_advice(since, until, advice):
    with pytest.raises(ConfigError) as caught:
        times.window(since, until, now=NOON)
    assert advice in str(caught.value)


@given(st.timedeltas(timedelta(microseconds=1), timedelta(days=20_000)))
def test_a_window_is_as_long_as_asked(span):
    assert times.window(span, now=NOON).seconds == pytest.approx(span.total_seconds())


# -- intervals


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("1m", "1m"),
        ("15min", "15m"),
        ("1h", "1h"),
        ("2M", "2M"),
        (" 1d ", "1d"),
        ("1q", "1q"),
        ("999s", "999s"),
    ],
)
def test_intervals_are_read(text, meant):
    assert str(times.interval(text)) == meant


@pytest.mark.parametrize(
    "text", ["", "1", "h", "0h", "01h", "1000s", "1 hour", "-1h", "1.5h", "1H", "hourly", 15, None]
)
def test_what_is_no_interval_says_what_to_write(text):
    with pytest.raises(ConfigError, match=r"no interval.*such as '15m'"):
        times.interval(text)


STARTS = [
    ("10s", datetime(2026, 3, 4, 9, 3, 20, tzinfo=UTC)),
    ("1m", datetime(2026, 3, 4, 9, 3, tzinfo=UTC)),
    ("15m", datetime(2026, 3, 4, 9, 0, tzinfo=UTC)),
    ("1d", datetime(2026, 3, 4, tzinfo=UTC)),
    ("1w", datetime(2026, 3, 2, tzinfo=UTC)),  # a Monday
    ("1M", datetime(2026, 3, 1, tzinfo=UTC)),
    ("1q", datetime(2026, 1, 1, tzinfo=UTC)),
    ("1y", datetime(2026, 1, 1, tzinfo=UTC)),
    ("10y", datetime(2020, 1, 1, tzinfo=UTC)),
]


@pytest.mark.parametrize(("text", "start"), STARTS)
def test_a_window_begins_with_a_whole_interval(text, start):
    end = datetime(2026, 3, 5, 12, tzinfo=UTC)
    window = times.Window(datetime(2026, 3, 4, 9, 3, 22, 5, tzinfo=UTC), end)
    assert times.interval(text).aligned(window) == times.Window(start, end)


def test_an_interval_that_began_before_all_calendars_begins_with_the_calendar():
    early = datetime(1, 1, 1, 12, tzinfo=UTC)
    for text in ("999d", "999w", "999M", "999y"):
        assert times.interval(text).floor(early) == datetime(1, 1, 1, tzinfo=UTC)


@given(
    moment=st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)),
    count=st.integers(1, 999),
    unit=st.sampled_from(sorted({*times.SECONDS, *times.MONTHS})),
)
def test_one_moment_and_a_column_of_them_begin_alike(moment, count, unit):
    step = times.Interval(count, unit)
    start = step.floor(moment.replace(tzinfo=UTC))
    assert step.floor(start) == start <= moment.replace(tzinfo=UTC)
    column = step.floors(np.array([moment], "M8[us]"))
    assert column.dtype == "M8[us]"
    assert column.tolist() == [start.replace(tzinfo=None)]
    if step.span is not None:
        assert moment.replace(tzinfo=UTC) - start < step.span
