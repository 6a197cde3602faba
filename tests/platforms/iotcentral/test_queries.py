"""Every query that is generated keeps all limits of the platform."""

import re
import string
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotnb.errors import ConfigError
from iotnb.platforms.iotcentral import queries
from iotnb.platforms.iotcentral.queries import Part

PHONE = "dtmi:azureiot:PhoneAsADevice;2"
START = datetime(2026, 11, 20, 10, 0, 0, 123000, UTC)

name = st.text(string.ascii_letters, min_size=1, max_size=30)
column = st.one_of(name, st.builds("{}.{}".format, name, name))
columns = st.lists(column, min_size=1, max_size=60, unique=True)
template = st.builds("dtmi:{}:{};{}".format, name, name, st.integers(1, 99))
device = st.text(string.ascii_letters + string.digits + "-_.", min_size=1, max_size=40)
devices = st.one_of(st.none(), st.lists(device, min_size=1, max_size=40, unique=True))
moment = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))


def items(query: str) -> list[str]:
    return re.fullmatch(r"SELECT (.+) FROM \S+ WHERE .*", query)[1].split(", ")


def operators(query: str) -> int:
    where = query.partition(" WHERE ")[2]
    return len(re.findall(r" AND | OR | IN | <> | = ", where)) + 1  # WITHIN_WINDOW counted as well


@given(template, columns, devices, moment, st.timedeltas(timedelta(seconds=1), timedelta(days=40)))
def test_every_query_is_within_all_limits(template, columns, devices, start, span):
    parts = queries.split(template, columns, devices)
    for part in parts:
        query = part.query(start, start + span)
        assert len(query) <= 350
        assert len(query) == part.length
        assert len(items(query)) <= 15
        assert operators(query) <= 10
        assert query.count(" FROM ") == 1
        assert f"FROM {template} WHERE WITHIN_WINDOW('" in query


@given(template, columns, devices)
def test_every_column_of_every_device_is_asked_once(template, columns, devices):
    asked = []
    for part in queries.split(template, columns, devices):
        assert items(part.query(START, START))[2:] == [
            f"{each} AS c{i}" for i, each in enumerate(part.columns)
        ]
        asked += [(column, device) for column in part.columns for device in part.devices or (None,)]
    named = queries.quotable(devices) or [None]
    assert sorted(asked, key=repr) == sorted(((c, d) for c in columns for d in named), key=repr)


@given(
    template, columns, device, st.sampled_from(sorted(queries.FUNCTIONS)), st.sampled_from([60, 900, 86400])
)
def test_every_reducing_query_is_within_all_limits(template, columns, device, function, seconds):
    asked = []
    for part in queries.reducing(
        template, columns, device, function=function, bucket=timedelta(seconds=seconds)
    ):
        query = part.query(START, START + timedelta(days=7))
        assert len(query) <= 350
        assert len(items(query)) <= 15
        assert operators(query) <= 10
        assert f"GROUP BY WINDOW({queries.duration(timedelta(seconds=seconds))})" in query
        asked += part.columns
    assert asked == columns


@given(moment, st.timedeltas(timedelta(0), timedelta(days=9)))
def test_a_window_covers_what_was_asked_for_and_more_at_its_start(start, span):
    first, last = (datetime.fromisoformat(each) for each in queries.window(start, start + span).split("/"))
    assert start - timedelta(seconds=1.001) <= first < start
    assert start + span <= last < start + span + timedelta(seconds=1)


def test_the_query_of_the_tutorial():
    part = queries.split(PHONE, ["sensors.accelerometer"], None)[0]
    assert part.query(START, START + timedelta(hours=1)) == (
        "SELECT $id AS d, $ts AS t, sensors.accelerometer AS c0 FROM dtmi:azureiot:PhoneAsADevice;2 "
        "WHERE WITHIN_WINDOW('2026-11-20T10:00:00Z/2026-11-20T11:00:01Z') "
        "AND sensors.accelerometer <> NULL ORDER BY $ts ASC"
    )


def test_devices_are_named_until_it_is_better_to_read_all():
    some = queries.split(PHONE, ["a", "b"], ["one", "two"])
    assert len(some) == 1
    assert "$id IN ['one', 'two']" in some[0].query(START, START)
    assert "$id" not in queries.split(PHONE, ["a"], [f"d{i}" for i in range(40)])[0].query(
        START, START
    ).replace("$id AS d", "")


def test_a_quote_in_an_identifier_never_reaches_a_query():
    part = queries.split(PHONE, ["a"], ["it's", "x"])[0]
    assert "it's" not in part.query(START, START)
    assert part.devices == ()


@pytest.mark.parametrize(
    ("template", "column"),
    [
        ("dtmi:a;1 WHERE", "a"),
        ("", "a"),
        (PHONE, "a b"),
        (PHONE, "a.b.c"),
        (PHONE, "a; DROP"),
        (PHONE, ""),
        (PHONE, "x" * 300),
        ("dtmi:" + "y" * 330 + ";1", "a"),
    ],
)
def test_what_cannot_stand_in_a_query_is_refused(template, column):
    with pytest.raises(ConfigError):
        queries.split(template, [column], None)


def test_a_part_says_what_it_is_about():
    assert Part(PHONE, ("a", "b", "c"), ("phone-001",)).label == "phone-001: a and 2 more"
    assert Part(PHONE, ("a",)).label == f"{PHONE}: a"


@pytest.mark.parametrize(
    ("span", "text"),
    [({"minutes": 10}, "PT10M"), ({"hours": 3}, "PT3H"), ({"days": 1}, "P1D"), ({"seconds": 90}, "PT90S")],
)
def test_durations_are_iso_8601(span, text):
    assert queries.duration(timedelta(**span)) == text
