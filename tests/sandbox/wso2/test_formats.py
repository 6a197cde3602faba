"""How the server writes: Gson's JSON, the order of a Java map, the five forms of time."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iotnb.sandbox.wso2 import formats

AT = 1_470_232_854_603  # 3 August 2016, 14:00:54.603 UTC


def test_json_is_compact_without_nulls_and_safe_in_a_page() -> None:
    written = formats.gson({"a": "it's <b> & c=d", "gone": None, "list": [{"x": None}, 20.0]})
    assert written == b'{"a":"it\\u0027s \\u003cb\\u003e \\u0026 c\\u003dd","list":[{},20.0]}'


@settings(max_examples=40)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)  # type: ignore[arg-type]
def test_what_is_written_reads_back_without_nulls(value: object) -> None:
    try:
        written = formats.gson(value)
    except (OverflowError, UnicodeEncodeError):
        return  # beyond 64 bits, or half a character
    assert json.loads(written) == formats.lean(value)


def test_values_of_a_record_have_the_order_of_a_java_map() -> None:
    names = ["_version", "meta_deviceId", "temperature", "status", "humidity"]
    assert formats.hash_order(names) == ["temperature", "humidity", "_version", "meta_deviceId", "status"]


def test_a_large_map_has_more_buckets() -> None:
    names = [f"attribute{n}" for n in range(13)]
    buckets = [(h ^ h >> 16) & 31 for h in map(formats.java_hash, formats.hash_order(names))]
    assert buckets == sorted(buckets)
    assert formats.java_hash("hello") == 99162322


@pytest.mark.parametrize(
    ("zone", "sql", "date"),
    [
        ("UTC", "2016-08-03 14:00:54.603", "Wed Aug 03 14:00:54 UTC 2016"),
        ("Asia/Kolkata", "2016-08-03 19:30:54.603", "Wed Aug 03 19:30:54 IST 2016"),
    ],
)
def test_times_in_the_servers_zone(zone: str, sql: str, date: str) -> None:
    assert formats.sql_time(AT, zone) == sql
    assert formats.java_date(AT, zone) == date


@pytest.mark.parametrize(("ms", "tail"), [(0, ".0"), (200, ".2"), (603, ".603"), (10, ".01")])
def test_fractions_lose_their_last_zeros(ms: int, tail: str) -> None:
    assert formats.sql_time(AT - 603 + ms, "UTC").endswith("54" + tail)


def test_marked_times() -> None:
    assert formats.rfc_822(1_520_318_532_000) == "Tue, 6 Mar 2018 06:42:12 +0000"
    assert formats.parse_rfc_822("Tue, 6 Mar 2018 06:42:12 +0000") == 1_520_318_532_000
    assert formats.parse_rfc_822("Tue, 06 Mar 2018 12:12:12 +0530") == 1_520_318_532_000
    assert formats.parse_rfc_822("Fri, 12 Aug 2016 11:38:00 GMT") == 1_471_001_880_000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2018-03-06T06:42:12Z",
        "1520318532000",
        "Tue, 6 Mar 2018 06:42:12",
        "Tue, 6 Foo 2018 06:42:12 GMT",
        "Tue, 36 Mar 2018 06:42:12 GMT",
        "Tue, 6 Mar 2018 06:42:12 CEST",
    ],
)
def test_other_times_are_not_understood(text: str) -> None:
    assert formats.parse_rfc_822(text) is None
