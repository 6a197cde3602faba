"""Tables: fixed columns and dtypes, text that stays text, and small measurements."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotnb import frames, times
from iotnb.frames import Coded, Columns

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def dtypes(frame: pd.DataFrame) -> dict[str, str]:
    return {str(column): str(dtype) for column, dtype in frame.dtypes.items()}


@pytest.mark.parametrize("table", frames.SCHEMAS)
def test_no_data_is_an_empty_frame_with_columns_and_dtypes(table: str) -> None:
    for frame in (frames.empty(table), frames.table(table, [])):
        assert frame.empty
        assert dtypes(frame) == dict(frames.SCHEMAS[table])
    assert dtypes(frames.measurements([])) == dict(frames.SCHEMAS["measurements"])


@pytest.mark.parametrize("table", frames.SCHEMAS)
def test_a_row_of_nothing_has_the_same_dtypes_and_is_all_missing(table: str) -> None:
    frame = frames.table(table, [{}, {}])
    assert dtypes(frame) == dict(frames.SCHEMAS[table])
    assert frame.isna().all(axis=None)
    assert len(frame) == 2


def test_a_device_row() -> None:
    frame = frames.table(
        "devices",
        [
            {
                "device": "0042",
                "name": "Pump",
                "type": "c8y_Linux",
                "status": "online",
                "last_seen": NOON,
                "created": "2026-01-31T13:00:00.000+02:00",
                "parent": None,
                "owner": "admin",
                "labels": ["a", "b"],
            },
            {"device": 43, "status": "asleep"},
        ],
    )
    assert frame["device"].tolist() == ["0042", "43"]
    assert frame["last_seen"].tolist() == [pd.Timestamp(NOON), pd.NaT]
    assert frame["created"][0] == pd.Timestamp("2026-01-31T11:00:00Z")
    assert frame["labels"][0] == "a, b"
    assert frame["status"].cat.categories.tolist() == ["online", "offline", "unknown", "asleep"]


def test_an_operation_row_keeps_durations_and_parameters() -> None:
    frame = frames.table(
        "operations",
        [
            {
                "time": NOON,
                "operation": "0017",
                "device": "1",
                "kind": "restart",
                "status": "FAILED",
                "duration": timedelta(seconds=90),
                "parameters": {"c8y_Restart": {}},
            },
            {"time": NOON, "operation": "18", "device": "1", "duration": 1.5},
        ],
    )
    assert frame["duration"].tolist() == [pd.Timedelta("90s"), pd.Timedelta("1.5s")]
    assert frame["parameters"][0] == '{"c8y_Restart":{}}'
    assert frame["status"].cat.categories.tolist() == [
        "PENDING",
        "EXECUTING",
        "SUCCESSFUL",
        "FAILED",
        "CANCELLED",
    ]


def test_counts_are_whole_numbers_with_gaps() -> None:
    frame = frames.table("alarms", [{"count": 3}, {"count": None}])
    assert frame["count"].tolist()[0] == 3
    assert frame["count"].isna().tolist() == [False, True]


@pytest.mark.parametrize("time", [datetime(2026, 1, 1), 17, "yesterday"])
def test_a_time_without_zone_or_sense_is_refused(time: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        frames.table("events", [{"time": time}])


def test_expand_adds_the_leaves_of_the_documents() -> None:
    documents: list[dict[str, Any]] = [
        {
            "id": "1",
            "name": "Pump",
            "c8y_Hardware": {"serialNumber": "0000017", "revision": 3},
            "c8y_IsDevice": {},
        },
        {"id": "2", "name": "Fan", "tags": ["x", 1], "status": "special"},
    ]
    rows = [{"device": each["id"], "name": each["name"], "status": "online"} for each in documents]
    frame = frames.table("devices", rows, documents=documents)
    assert list(frame.columns[:9]) == list(frames.SCHEMAS["devices"])
    assert frame["c8y_Hardware.serialNumber"][0] == "0000017"
    assert frame["c8y_Hardware.revision"].tolist()[0] == 3
    assert frame["c8y_IsDevice"][0] == "{}"
    assert frame["tags"][1] == '["x",1]'
    assert "document.name" not in frame
    assert frame["document.status"][1] == "special"
    with pytest.raises(ValueError, match="2 rows but 1 documents"):
        frames.table("devices", rows, documents=documents[:1])


# -- measurements -----------------------------------------------------------------------------------------


def chunk(rows: list[tuple[str, str, str, float, str | None]], **more: Any) -> Columns:
    made = frames.columns(
        {"time": time, "device": device, "series": series, "value": value, "unit": unit}
        for time, device, series, value, unit in rows
    )
    for name, value in more.items():
        setattr(made, name, value)
    return made


def test_measurements_are_sorted_and_rows_of_one_instant_keep_their_order() -> None:
    late = chunk(
        [("2026-01-01T02:00:00Z", "1", "T.b", 3.0, "C"), ("2026-01-01T02:00:00Z", "1", "T.a", 4.0, None)]
    )
    early = chunk([("2026-01-01T03:00:00+02:00", "0042", "T.b", 1.0, "F")])
    frame = frames.measurements([late, early])
    assert dtypes(frame) == dict(frames.SCHEMAS["measurements"])
    assert frame["value"].tolist() == [1.0, 3.0, 4.0]
    assert frame["time"][0] == pd.Timestamp("2026-01-01T01:00:00Z")
    assert frame["device"].tolist() == ["0042", "1", "1"]
    assert frame["series"].tolist() == ["T.b", "T.b", "T.a"]
    assert frame["unit"].tolist()[:2] == ["F", "C"]
    assert frame["unit"].isna().tolist() == [False, False, True]
    assert frame["text"].isna().all()
    assert isinstance(frame.index, pd.RangeIndex)


def test_text_is_kept_where_there_is_some() -> None:
    some = chunk([("2026-01-01T00:00:00Z", "1", "door", float("nan"), None)], text=["open"])
    none = chunk([("2026-01-01T00:00:01Z", "1", "T.a", 1.0, "C")])
    frame = frames.measurements([some, none])
    assert frame["text"].tolist()[0] == "open"
    assert frame["text"].isna().tolist() == [False, True]


def test_the_frame_does_not_depend_on_how_codes_were_given() -> None:
    shared = ["unused", "b", "a"]
    times = np.array(["2026-01-01", "2026-01-02"], "M8[us]")
    unit = Coded(np.array([-1, -1], np.int32), [])

    def page(device: Coded) -> Columns:
        return Columns(times, device, device, unit, np.array([1.0, 2.0]))

    same = frames.measurements([page(Coded(np.array([1, 2], np.int32), shared))] * 2)
    apart = frames.measurements(
        [
            page(Coded(np.array([1, 2], np.int32), list(shared))),
            page(Coded(np.array([1, 0], np.int8), ["a", "b"])),
        ]
    )
    pd.testing.assert_frame_equal(same, apart)
    assert same["device"].cat.categories.tolist() == ["a", "b"]


@pytest.mark.parametrize("devices", [25, 2000])
def test_a_value_takes_at_most_24_bytes(devices: int) -> None:
    rows = 100_000
    chance = np.random.default_rng(1)
    page = Columns(
        time=np.arange(rows).astype("M8[s]").astype("M8[us]"),
        device=Coded(
            chance.integers(0, devices, rows).astype(np.int32), [f"{n:08d}" for n in range(devices)]
        ),
        series=Coded(
            chance.integers(0, 8, rows).astype(np.int32), [f"environment.series{n}" for n in range(8)]
        ),
        unit=Coded(chance.integers(-1, 4, rows).astype(np.int32), ["C", "%", "mm/s", "dBm"]),
        value=chance.normal(size=rows),
    )
    frame = frames.measurements([page])
    assert frame.memory_usage(deep=True).sum() / rows <= 24


# -- wide ---------------------------------------------------------------------------------------------------


def measured(*rows: tuple[str, str | None, str, str | None, float | None, str | None]) -> pd.DataFrame:
    names = ("time", "device", "series", "unit", "value", "text")
    made = [dict(zip(names, row, strict=True)) for row in rows]
    return frames.measurements([frames.columns(made)])


def test_values_are_reduced_to_one_a_series_and_interval() -> None:
    found = measured(
        ("2026-03-04T09:59:59.999Z", "7", "t", "C", 1.0, None),
        ("2026-03-04T10:00:00.000Z", "7", "t", "C", 2.0, None),
        ("2026-03-04T10:59:00.000Z", "7", "t", "C", 4.0, None),
        ("2026-03-04T10:59:00.000Z", "7", "t", None, 9.0, None),  # another unit is another series
        ("2026-03-04T10:59:00.000Z", "8", "t", "C", 5.0, None),
        ("2026-03-04T10:59:00.000Z", "8", "state", None, None, "open"),
    )
    hour = times.interval("1h")
    mean = frames.resample(found, hour, function="mean")
    assert mean.dtypes.to_dict() == found.dtypes.to_dict() | {
        name: mean[name].dtype for name in ("device", "series", "unit", "text")
    }
    units = mean["unit"].astype("object").fillna("-")
    rows = list(zip(mean["time"].dt.hour, mean["device"], units, mean["value"], strict=True))
    assert sorted(rows) == [(9, "7", "C", 1.0), (10, "7", "-", 9.0), (10, "7", "C", 3.0), (10, "8", "C", 5.0)]
    assert mean["time"].is_monotonic_increasing
    assert "state" not in set(mean["series"])
    assert frames.resample(found, hour, function="std")["value"].tolist() == [2**0.5]
    assert frames.resample(found, hour, function="count")["value"].tolist() == [1.0, 1.0, 2.0, 1.0]


def test_nothing_to_reduce_is_an_empty_table() -> None:
    texts = measured(("2026-03-04T10:59:00.000Z", "8", "state", None, None, "open"))
    for found in (texts, frames.empty("measurements")):
        made = frames.resample(found, times.interval("1d"), function="sum")
        assert len(made) == 0
        assert made.dtypes.to_dict() == frames.empty("measurements").dtypes.to_dict()


@pytest.mark.parametrize("function", ["mean", "min", "max", "sum", "count", "std"])
@pytest.mark.parametrize("step", ["7s", "15m", "1d"])
def test_reducing_is_what_pandas_says(function: str, step: str) -> None:
    chance = np.random.default_rng(1)
    moments = np.sort(chance.integers(0, 200_000, 500)).astype("M8[s]").astype("M8[us]")
    codes = chance.integers(0, 3, 500)
    columns = Columns(
        moments, Coded(codes, ["a", "b", "c"]), Coded(codes % 2, ["x", "y"]), Coded(codes * 0, ["C"]),
        chance.normal(size=500),
    )  # fmt: skip
    found = frames.measurements([columns])
    made = frames.resample(found, times.interval(step), function=function)
    floor = found["time"].dt.floor(pd.Timedelta(step.replace("d", "D")))
    wanted = found.groupby(["device", "series", floor], observed=True)["value"].agg(function).dropna()
    got = made.set_index(["device", "series", "time"])["value"].sort_index()
    np.testing.assert_allclose(got.to_numpy(), wanted.sort_index().to_numpy())


def test_wide_has_a_column_per_device_series_and_unit() -> None:
    m = frames.measurements(
        [
            chunk(
                [
                    ("2026-01-01T00:00:00Z", "1", "T.a", 1.0, "C"),
                    ("2026-01-01T00:00:00Z", "2", "T.a", 2.0, "C"),
                    ("2026-01-01T00:01:00Z", "1", "T.a", 3.0, "F"),
                    ("2026-01-01T00:01:00Z", "1", "T.b", 4.0, None),
                    ("2026-01-01T00:01:00Z", "1", "T.b", 5.0, None),
                ]
            )
        ]
    )
    w = frames.wide(m)
    assert list(w.columns) == [("1", "T.a", "C"), ("1", "T.a", "F"), ("1", "T.b", ""), ("2", "T.a", "C")]
    assert w.columns.names == ["device", "series", "unit"]
    assert str(w.index.dtype) == "datetime64[us, UTC]"
    assert w[("1", "T.b", "")].tolist()[1] == 5.0  # the last of two at one instant
    assert w[("1", "T.a", "C")].isna().tolist() == [False, True]
    assert frames.wide(frames.empty("measurements")).shape == (0, 0)


def test_wide_keeps_text_as_text() -> None:
    m = frames.measurements(
        [
            chunk(
                [
                    ("2026-01-01T00:00:00Z", "1", "door", float("nan"), None),
                    ("2026-01-01T00:01:00Z", "1", "door", 7.0, None),
                    ("2026-01-01T00:02:00Z", "1", "T.a", 1.5, "C"),
                ],
                text=["open", None, None],
            )
        ]
    )
    w = frames.wide(m)
    assert w[("1", "door", "")].tolist()[:2] == ["open", "7.0"]
    assert w[("1", "T.a", "C")].dtype == np.float64


# -- flat ---------------------------------------------------------------------------------------------------


def test_flat_spells_paths_with_dots_and_keeps_lists_whole() -> None:
    frame = frames.flat(
        [
            {
                "id": "007",
                "c8y_Hardware": {"serialNumber": "0017", "model": {"name": "x"}},
                "list": [{"a": 1}, 2],
            },
            {"id": "8", "n": 1, "x": 1.5, "flag": True, "mixed": 5, "nothing": None, "empty": {}, "none": []},
            {"id": "9", "n": 2, "x": 2, "mixed": "text"},
        ]
    )
    assert frame["c8y_Hardware.serialNumber"][0] == "0017"
    assert frame["c8y_Hardware.model.name"][0] == "x"
    assert frame["list"][0] == '[{"a":1},2]'
    assert dtypes(frame) == {
        "id": "str",
        "c8y_Hardware.serialNumber": "str",
        "c8y_Hardware.model.name": "str",
        "list": "str",
        "n": "Int64",
        "x": "float64",
        "flag": "boolean",
        "mixed": "str",
        "nothing": "str",
        "empty": "str",
        "none": "str",
    }
    assert frame["mixed"].tolist()[1:] == ["5", "text"]
    assert (frame["empty"][1], frame["none"][1]) == ("{}", "[]")
    assert frames.flat([]).shape == (0, 0)
    assert frames.flat([{}, {}]).shape == (2, 0)


def test_long_numbers_are_not_rounded() -> None:
    frame = frames.flat([{"a": 2**60 + 1, "b": 2**70}, {"a": 1.5, "b": 1}])
    assert dtypes(frame) == {"a": "str", "b": "str"}
    assert frame["a"].tolist() == ["1152921504606846977", "1.5"]
    assert frame["b"].tolist() == ["1180591620717411303424", "1"]


def test_paths_that_spell_alike_stay_apart() -> None:
    frame = frames.flat([{"a.b": 1, "a": {"b": 2}}])
    assert frame.iloc[0].to_dict() == {"a.b": 1, "a.b#2": 2}


keys = st.text(st.characters(codec="utf-8", exclude_characters="."), min_size=1, max_size=5)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(keys, values, max_size=4), max_size=4))
def test_flat_loses_no_leaf_of_any_json(documents: list[dict[str, Any]]) -> None:
    frame = frames.flat(documents)
    assert len(frame) == len(documents)
    for row, document in enumerate(documents):
        leaves = dict(_leaves(document, ""))
        for path, value in leaves.items():
            cell = frame[path].iloc[row]
            if value is None:
                assert pd.isna(cell)
            elif isinstance(value, bool | int | float) and not isinstance(cell, str):
                assert cell == value
            else:
                assert cell == (
                    value
                    if isinstance(value, str)
                    else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
                )
        others = [path for path in frame.columns if path not in leaves]
        assert frame.iloc[row][others].isna().all()


def _leaves(value: dict[str, Any], path: str) -> Any:
    for key, inner in value.items():
        if isinstance(inner, dict) and inner:
            yield from _leaves(inner, f"{path}{key}.")
        else:
            yield f"{path}{key}", inner
