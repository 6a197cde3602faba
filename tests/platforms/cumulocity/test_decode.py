"""Decoding of measurement pages and series answers: both routes say the same, and lose nothing."""

from __future__ import annotations

import gc
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iotnb import frames
from iotnb.errors import BadAnswer
from iotnb.loading import Page
from iotnb.platforms.cumulocity.decode import Decoder, decode_series, next_link

HOST = "https://mytenant.cumulocity.com"
LINK = f"{HOST}/measurement/measurements?source=1&pageSize=2000&currentPage="

VALUES = {  # the vendor's own vector of what is a value and what is none
    "a": {"value": 3.141592653589793, "unit": "RAD"},
    "b": {"value": 42, "unit": "C"},
    "c": {"value": False},
    "d": {"value": [42]},
    "e": 42,
    "f": {"unit": "C"},
    "g": {"val": 42},
    "h": {"subseries": {"value": 42}},
}


def document(number: int, fragments: dict[str, Any], **core: Any) -> dict[str, Any]:
    base = {
        "id": str(20200301 + number),
        "self": f"{HOST}/measurement/measurements/{20200301 + number}",
        "source": {"id": "0251982", "self": f"{HOST}/inventory/managedObjects/0251982"},
        "time": f"2020-03-19T12:{number // 60 % 60:02d}:{number % 60:02d}.845Z",
        "type": "c8y_TemperatureMeasurement",
    }
    return {**base, **core, **fragments}


def body(documents: list[dict[str, Any]], **more: Any) -> bytes:
    page = {"self": LINK + "1", "measurements": documents, "statistics": {"currentPage": 1, "pageSize": 2000}}
    return json.dumps({**page, **more}, ensure_ascii=False).encode()


def rows(page: Page) -> list[tuple[Any, ...]]:
    c = page.columns
    assert c.document is not None
    return [
        (
            c.ids[c.document[i]],
            str(c.time[i]),
            _name(c.device, i),
            _name(c.series, i),
            float(c.value[i]),
            _name(c.unit, i),
        )
        for i in range(len(c))
    ]


def _name(coded: frames.Coded, row: int) -> str | None:
    return coded.names[coded.codes[row]] if coded.codes[row] >= 0 else None


def plain(page: bytes, **options: Any) -> Page:
    """The page by the plain route."""
    decoder = Decoder(**options)
    decoder._shapes = None
    return decoder.decode(page)


def test_a_page_becomes_one_row_per_numeric_series() -> None:
    page = Decoder().decode(
        body(
            [
                document(0, {"c8y_Steam": {"Temperature": {"unit": "C", "value": 100}}}),
                document(1, {"c8y_Signal": {"rssi": {"value": -53, "unit": "dBm"}, "ber": {"value": 0.14}}}),
            ]
        )
    )
    assert rows(page) == [
        ("20200301", "2020-03-19T12:00:00.845000", "0251982", "c8y_Steam.Temperature", 100.0, "C"),
        ("20200302", "2020-03-19T12:00:01.845000", "0251982", "c8y_Signal.ber", 0.14, None),
        ("20200302", "2020-03-19T12:00:01.845000", "0251982", "c8y_Signal.rssi", -53.0, "dBm"),
    ]
    assert (page.count, page.full, page.next) == (2, False, None)
    assert page.first == pd.Timestamp("2020-03-19T12:00:00.845Z")
    assert page.last == pd.Timestamp("2020-03-19T12:00:01.845Z")


@pytest.mark.parametrize("route", [lambda page: Decoder().decode(page), plain])
def test_only_numbers_are_values(route: Any) -> None:
    page = route(
        body([document(0, {"x": VALUES, "note": "text", "flag": True, "list": [{"value": 1}], "gone": None})])
    )
    assert [(name, value, unit) for *_, name, value, unit in rows(page)] == [
        ("x.a", 3.141592653589793, "RAD"),
        ("x.b", 42.0, "C"),
    ]


def test_a_regular_load_is_learnt_once_and_takes_no_plain_page() -> None:
    decoder = Decoder()
    for start in range(0, 5000, 500):
        kinds = [("E", "temperature", "C"), ("V", "rms", "mm/s"), ("B", "level", "%")]
        made = [
            document(
                n,
                {kinds[n % 3][0]: {kinds[n % 3][1]: {"value": n / 7, "unit": kinds[n % 3][2]}}},
                type=f"t{n % 3}",
            )
            for n in range(start, start + 500)
        ]
        page = body(made)
        assert rows(decoder.decode(page)) == rows(plain(page))
    assert (decoder.learnt, decoder.plain) == (1, 0)


def test_what_the_first_page_did_not_show_is_learnt_not_lost() -> None:
    decoder = Decoder()
    first = [document(n, {"T": {"a": {"value": n, "unit": "C"}}}) for n in range(3)]
    later = [
        document(3, {"T": {"a": {"value": 1, "unit": "F"}}}),  # a new unit
        document(4, {"T": {"a": {"value": 1, "unit": "C"}, "b": {"value": 2}}}),  # a new series
        document(5, {"T": {"a": {"value": 1, "unit": "C"}}, "N": {"c": {"value": 3}}}),  # a new fragment
        document(6, {"Z": {"z": {"value": 9, "unit": "V"}}}, type="another"),  # a new type
        document(7, {"T": {"a": {"value": None}}}),  # null where there was a number
        document(8, {"T": {}}),  # the fragment without series
        document(9, {}),  # nothing at all
    ]
    for documents in [first, *([each] for each in later), first + later]:
        page = body(documents)
        assert rows(decoder.decode(page)) == rows(plain(page))
    assert decoder.plain == 0


def test_a_page_that_cannot_be_learnt_spoils_only_itself() -> None:
    decoder = Decoder()
    regular = body([document(n, {"T": {"a": {"value": n, "unit": "C"}}}) for n in range(60)])
    odd = body([document(0, {"T": {"a": {"value": n}}}) for n in (1, "text", 3)])
    decoder.decode(regular)
    assert [row[4] for row in rows(decoder.decode(odd))] == [1.0, 3.0]
    assert decoder.plain == 1
    for _ in range(5):
        assert len(decoder.decode(regular).columns) == 60
    assert decoder.plain == 1


def test_documents_that_never_look_alike_take_the_plain_route_for_good() -> None:
    decoder = Decoder()
    for number in range(40):
        page = body([document(number, {f"f{number}": {"s": {"value": number}}}, type=f"t{number}")])
        assert [row[3:5] for row in rows(decoder.decode(page))] == [(f"f{number}.s", float(number))]
    assert 0 < decoder.plain < 40
    assert decoder.learnt < 20


@pytest.mark.parametrize(
    "fragments",
    [
        {'with "quotes"': {"s": {"value": 1}}},
        {"back\\slash": {"s\n": {"value": 1}}},
        {"Größe_温度": {"série": {"value": 1, "unit": "°C"}}},
        {"a.b": {"c": {"value": 1}}, "a": {"b.c": {"value": 2}}},
        {"T": {"a": {"value": 10**400}}},
        {"T": {"a": {"value": 2**63 + 1}}},
        {"T": {"a": {"value": 1, "unit": 7}, "b": {"value": 2, "unit": ""}, "c": {"value": 3, "unit": None}}},
        {
            "value": {"value": {"value": 1, "value2": 2}},
            "f0": {"s0": {"value": 5}},
            "kind": {"kind": {"value": 6}},
        },
    ],
)
def test_odd_names_numbers_and_units_come_out_alike_on_both_routes(fragments: dict[str, Any]) -> None:
    page = body([document(0, fragments), document(1, {"T": {"a": {"value": 1, "unit": "C"}}})])
    decoder = Decoder()
    assert rows(decoder.decode(page)) == rows(plain(page))
    assert rows(decoder.decode(page)) == rows(plain(page))
    assert len(rows(plain(page))) >= 2


def test_the_last_of_two_equal_keys_counts() -> None:
    one = document(0, {"T": {"a": {"value": 1, "unit": "C"}}})
    regular = body([one])
    text = regular.decode()
    twice = text.replace(
        '"T": {', '"T": {"a": {"value": 7, "unit": "C"}, "b": {"value": 8}}, "T": {'
    ).encode()
    again = text.replace('"value": 1', '"value": "x", "value": 1').encode()
    retyped = text.replace('"type": ', '"type": "other", "type": ').encode()
    decoder = Decoder()
    decoder.decode(regular)
    for page in (twice, again, retyped):
        assert [row[3:] for row in rows(decoder.decode(page))] == [("T.a", 1.0, "C")]


def test_offsets_mixed_in_one_page_become_utc() -> None:
    page = Decoder().decode(
        body(
            [
                document(0, {"T": {"a": {"value": 1}}}, time="2013-08-30T10:12:24.378+02:00"),
                document(1, {"T": {"a": {"value": 1}}}, time="2013-08-30T08:12:24.379Z"),
                document(2, {"T": {"a": {"value": 1}}}, time="2013-08-30T08:12:25Z"),
            ]
        )
    )
    assert [row[1] for row in rows(page)] == [
        "2013-08-30T08:12:24.378000",
        "2013-08-30T08:12:24.379000",
        "2013-08-30T08:12:25.000000",
    ]


@pytest.mark.parametrize(
    "time", ["2020-03-19T12:03:27.845+02:0", "20130-03-19T12:03:27.845Z", "", "yesterday", None]
)
def test_a_time_that_is_none_is_an_error_not_a_guess(time: Any) -> None:
    regular = body([document(0, {"T": {"a": {"value": 1, "unit": "C"}}})])
    decoder = Decoder()
    decoder.decode(regular)
    page = body([document(0, {"T": {"a": {"value": 1, "unit": "C"}}}, time=time)])
    for decode in (decoder.decode, plain):
        with pytest.raises(BadAnswer, match="time"):
            decode(page)


@pytest.mark.parametrize(
    "page", [b"", b"<html>busy</html>", b"[]", b'{"measurements":', b'{"measurements": {}}']
)
def test_what_is_no_collection_is_refused(page: bytes) -> None:
    with pytest.raises(BadAnswer):
        Decoder().decode(page)


def test_documents_without_type_id_or_source_still_give_their_values() -> None:
    made = document(0, {"T": {"a": {"value": 1}}})
    for missing in ("type", "id", "source"):
        page = Decoder().decode(body([{key: value for key, value in made.items() if key != missing}]))
        assert [row[3:] for row in rows(page)] == [("T.a", 1.0, None)]
        assert len(page.ids[0]) > 0


def test_integer_ids_become_text() -> None:
    page = Decoder().decode(body([document(0, {"T": {"a": {"value": 1}}}, id=17, source={"id": 42})]))
    assert rows(page)[0][0] == "17"
    assert rows(page)[0][2] == "42"


def test_only_the_series_asked_for_are_kept() -> None:
    decoder = Decoder(series=["T.b", "U.never"])
    page = body([document(n, {"T": {"a": {"value": 1}, "b": {"value": n}}}) for n in range(3)])
    for _ in range(2):
        found = decoder.decode(page)
        assert [row[3:5] for row in rows(found)] == [("T.b", 0.0), ("T.b", 1.0), ("T.b", 2.0)]
        assert found.count == 3


def test_an_empty_page() -> None:
    page = Decoder().decode(body([]))
    assert (page.count, page.first, page.last, page.next, len(page.columns)) == (0, None, None, None, 0)
    assert frames.measurements([page.columns]).empty


def test_a_full_page_keeps_its_link_and_the_servers_own_page_size_counts() -> None:
    documents = [document(n, {"T": {"a": {"value": 1}}}) for n in range(5)]
    page = Decoder().decode(body(documents, statistics={"currentPage": 1, "pageSize": 5}, next=LINK + "2"))
    assert page.full
    assert page.next == LINK + "2"
    page = Decoder().decode(body(documents, statistics={"currentPage": 1, "pageSize": 2000}, next=LINK + "2"))
    assert not page.full
    assert page.next is None


@pytest.mark.parametrize(
    ("link", "current", "full", "expected"),
    [
        (None, 1, True, None),
        ("", 1, False, None),
        (LINK + "2", 1, False, None),  # sent with a short last page: leads nowhere
        (LINK + "2", 1, True, LINK + "2"),
        (LINK + "20001", 1, False, LINK + "20001"),  # an offset that jumps: a user who sees a part
        (LINK + "20001", 20001, False, None),
        (LINK + "x", 1, False, LINK + "x"),  # nothing to compare: follow rather than lose
        (LINK + "2", None, False, LINK + "2"),
    ],
)
def test_which_links_lead_on(link: str | None, current: int | None, full: bool, expected: str | None) -> None:
    assert next_link(link, current=current, full=full) == expected


def test_the_collector_runs_again_after_every_page() -> None:
    assert gc.isenabled()
    Decoder().decode(body([document(0, {"T": {"a": {"value": 1}}})]))
    with pytest.raises(BadAnswer):
        Decoder().decode(b"nothing")
    assert gc.isenabled()


# -- any page at all: both routes, in any order of pages ------------------------------------------------

names = st.sampled_from(["a", "b", "c8y_Temperature", "T", "value", "unit", "größe", "x.y", 'q"', "温"])
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "C", "5", "°C"]),
)
series_entries = st.one_of(
    st.fixed_dictionaries(
        {"value": st.floats(-1e9, 1e9) | st.integers(-(2**64), 2**64)},
        optional={"unit": st.sampled_from(["C", "F"])},
    ),
    st.fixed_dictionaries({}, optional={"value": scalars, "unit": scalars, "extra": scalars}),
)
oddities = st.one_of(
    scalars,
    st.lists(scalars, max_size=2),
    st.fixed_dictionaries(
        {"value": st.lists(scalars, max_size=2) | st.dictionaries(names, scalars, max_size=2)}
    ),
    st.dictionaries(names, st.dictionaries(names, series_entries, max_size=2), max_size=2),
)
fragments = st.dictionaries(
    names, st.dictionaries(names, series_entries | oddities, max_size=3) | oddities, max_size=3
)
times = st.sampled_from(
    [
        "2020-03-19T12:03:27.845Z",
        "2020-03-19T12:03:27.845+02:00",
        "2020-03-19T12:03:28Z",
        "2020-10-25T02:30:00.123456+01:00",
    ]
)
cores = st.fixed_dictionaries(
    {
        "time": times,
        "id": st.integers(1, 99).map(str),
        "source": st.sampled_from([{"id": "007"}, {"id": "42", "name": "pump"}]),
    },
    optional={"type": st.sampled_from(["t", "u", "größe", 'q"'])},
)
documents = st.builds(lambda core, more: {**core, **more}, cores, fragments)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.lists(documents, max_size=6), min_size=1, max_size=5))
def test_any_documents_give_the_same_rows_on_both_routes(pages: list[list[dict[str, Any]]]) -> None:
    decoder = Decoder()
    for found in pages:
        page = body(found)
        typed, reference = decoder.decode(page), plain(page)
        assert rows(typed) == rows(reference)
        assert list(typed.ids) == list(reference.ids)
        assert (typed.times == reference.times).all()


@settings(max_examples=200, deadline=None)
@given(st.lists(documents, max_size=6))
def test_every_number_of_a_series_is_a_row(found: list[dict[str, Any]]) -> None:
    expected = sorted(
        (f"{fragment}.{name}", float(entry["value"]))
        for each in found
        for fragment, entries in each.items()
        if fragment not in {"id", "self", "source", "time", "type"} and isinstance(entries, dict)
        for name, entry in entries.items()
        if isinstance(entry, dict) and type(entry.get("value")) in (int, float)
    )
    assert sorted(row[3:5] for row in rows(Decoder().decode(body(found)))) == expected


# -- series answers ---------------------------------------------------------------------------------------

SERIES = {
    "values": {
        "2023-04-04T16:00:00.000Z": [{"min": 10.0, "max": 39.0}],
        "2023-04-04T13:00:00.000Z": [{"min": 16.0, "max": 24.0}, {"min": 1, "max": 1}],
        "2023-04-04T19:00:00.000+01:00": [{"max": 7.0}, None],
        "2023-04-04T17:00:00.000Z": [{}, {"min": 5, "max": 6}],
    },
    "series": [
        {"unit": "PSI", "name": "c8y_AvgPressure", "type": "c8y_Pressure"},
        {"name": "c8y_Value", "type": "c8y_Counter"},
    ],
    "truncated": False,
}


def test_a_series_answer_survives_short_rows_null_and_offsets() -> None:
    page = decode_series(json.dumps(SERIES).encode(), "0042", statistic="max")
    assert [row[1:] for row in rows(page)] == [
        ("2023-04-04T13:00:00.000000", "0042", "c8y_Pressure.c8y_AvgPressure", 24.0, "PSI"),
        ("2023-04-04T13:00:00.000000", "0042", "c8y_Counter.c8y_Value", 1.0, None),
        ("2023-04-04T16:00:00.000000", "0042", "c8y_Pressure.c8y_AvgPressure", 39.0, "PSI"),
        ("2023-04-04T17:00:00.000000", "0042", "c8y_Counter.c8y_Value", 6.0, None),
        ("2023-04-04T18:00:00.000000", "0042", "c8y_Pressure.c8y_AvgPressure", 7.0, "PSI"),
    ]
    assert not page.full


def test_a_truncated_series_answer_says_so_and_empty_ones_are_empty() -> None:
    assert decode_series(json.dumps({**SERIES, "truncated": True}).encode(), "1", statistic="min").full
    page = decode_series(b'{"values":{},"series":[],"truncated":false}', "1")
    assert (page.count, page.full, len(page.columns)) == (0, False, 0)
    with pytest.raises(BadAnswer):
        decode_series(b'{"error":"x"}', "1")
    with pytest.raises(BadAnswer, match="time"):
        decode_series(b'{"values":{"noon":[]},"series":[]}', "1")


def test_values_that_were_not_aggregated_are_read_without_naming_a_statistic() -> None:
    answer = {
        "values": {"2023-04-04T13:00:00.000Z": [{"min": 3, "max": 3}, {"min": 2.5, "max": 2.5}]},
        "series": [{"name": "a", "type": "T"}, {"name": "b", "type": "T", "unit": "C"}],
        "truncated": False,
    }
    page = decode_series(json.dumps(answer).encode(), "1")
    assert [row[3:] for row in rows(page)] == [("T.a", 3.0, None), ("T.b", 2.5, "C")]
    assert page.columns.value.dtype == np.float64
