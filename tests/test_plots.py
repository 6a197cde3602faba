"""Plots: what stands in the axes, measured on the artists, and on the drawn pixels where it matters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import dates as mdates
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from iotnb import frames, plots
from iotnb.curves import thin
from iotnb.errors import ConfigError

START = np.datetime64("2026-03-01T00:00", "us")
MINUTE = np.timedelta64(60_000_000, "us")


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    mpl.use("Agg")
    with mpl.rc_context():
        yield
    plt.close("all")


def measured(
    *curves: tuple[str, str, str | None, Any], start: np.datetime64 = START, **origin: Any
) -> pd.DataFrame:
    """A measurements frame of (device, series, unit, values), a value a minute, with provenance."""
    parts = []
    for device, series, unit, values in curves:
        count = len(values)
        parts.append(
            pd.DataFrame(
                {
                    "time": pd.DatetimeIndex(start + np.arange(count) * MINUTE).tz_localize("UTC"),
                    "device": device,
                    "series": series,
                    "value": np.asarray(values, dtype=float),
                    "text": pd.array([None] * count, dtype="str"),
                    "unit": pd.array([unit] * count, dtype="str"),
                }
            )
        )
    m = pd.concat(parts, ignore_index=True)
    for column in ("device", "series", "text", "unit"):
        m[column] = m[column].astype("category")
    m.attrs["iotnb"] = {
        "platform": "cumulocity",
        "host": "127.0.0.1:8000",
        "window": ["2026-03-01T00:00:00.000Z", "2026-03-02T00:00:00.000Z"],
        "complete": True,
        "gaps": [],
        **origin,
    }
    return m


def words(ax: Axes) -> str:
    """All text of the axes' figure that is not empty."""
    found = [text.get_text() for text in ax.figure.findobj(mpl.text.Text)]
    return "\n".join(text for text in found if text)


def curves(ax: Axes) -> list[Any]:
    return [line for line in ax.get_lines() if not line.get_label().startswith("_")] or ax.get_lines()


# -- lines ------------------------------------------------------------------------------------------------


def test_lines_name_what_they_show() -> None:
    m = measured(("4711", "env.T", "°C", [20, 21, 22]), ("4712", "env.T", "°C", [10, 11, 12]))
    ax = plots.lines(m, names={"4711": "boiler"})
    assert ax.get_ylabel() == "env.T [°C]"
    assert ax.get_xlabel() == "time (UTC)"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["boiler", "4712"]
    text = words(ax).replace("\n", " ")
    assert "cumulocity at 127.0.0.1:8000" in text
    assert "2026-03-01 00:00 to 2026-03-02 00:00 UTC" in text
    assert "6 values" in text
    assert "complete" in text
    assert "INCOMPLETE" not in text


def test_each_unit_has_its_own_axes_over_one_time() -> None:
    m = measured(("1", "a.T", "°C", [1, 2]), ("1", "b.H", "%", [40, 50]), ("1", "c.n", None, [7, 8]))
    top = plots.lines(m)
    axes = top.figure.axes
    assert [ax.get_ylabel() for ax in axes] == ["a.T [°C]", "b.H [%]", "c.n"]
    assert axes[0] is top
    assert len({ax.get_xlim() for ax in axes}) == 1
    assert top.get_title(loc="left") == "device 1: 3 series"


def test_units_share_the_axes_that_is_given() -> None:
    figure, given = plt.subplots()
    top = plots.lines(measured(("1", "a.T", "°C", [1, 2]), ("1", "b.H", "%", [40, 50])), ax=given)
    assert top is given
    assert len(figure.axes) == 2
    assert plt.get_fignums() == [figure.number]


def test_a_figure_is_made_once_so_that_a_notebook_shows_it_once() -> None:
    ax = plots.lines(measured(("1", "a.T", "°C", [1, 2])))
    plots.mark(ax, frames.empty("alarms"))
    assert plt.get_fignums() == [ax.figure.number]


def test_a_gap_is_not_bridged() -> None:
    m = measured(("1", "a.T", "°C", np.arange(100)))
    m = m[(m.index < 40) | (m.index >= 60)]
    line = curves(plots.lines(m))[0]
    y = line.get_ydata()
    assert np.isnan(y).sum() == 1
    assert np.isnan(y[40])
    assert list(y[~np.isnan(y)]) == [*range(40), *range(60, 100)]


def test_a_lonely_value_is_seen() -> None:
    m = measured(("1", "a.T", "°C", np.arange(200.0)))
    m = m[(m.index < 80) | (m.index == 100) | (m.index >= 120)]
    ax = plots.lines(m)
    dots = [line for line in ax.get_lines() if line.get_marker() == "."]
    assert [list(dot.get_ydata()) for dot in dots] == [[100.0]]


def test_a_million_points_become_few_and_no_spike_is_lost() -> None:
    value = np.sin(np.arange(1_000_000) / 50_000)
    value[123_456], value[777_777] = 9, -9
    ax = plots.lines(measured(("1", "a.T", "°C", value)))
    y = curves(ax)[0].get_ydata()
    assert len(y) < 3_000
    assert y.max() == 9
    assert y.min() == -9
    assert "1,000,000 values" in words(ax).replace("\n", " ")


def test_the_thinned_picture_is_the_whole_picture() -> None:
    rng = np.random.default_rng(3)
    m = measured(("1", "a.T", "°C", np.cumsum(rng.normal(size=60_000))))
    pictures = []
    for bins in (1000, 10**6):
        ax = plots.lines(m, bins=bins, title="same")
        ax.figure.supxlabel("same")
        ax.figure.canvas.draw()
        pictures.append(np.asarray(ax.figure.canvas.buffer_rgba())[..., :3].min(axis=2) < 128)
        plt.close("all")
    few, all_points = pictures
    missed = all_points & ~grown(few)
    added = few & ~grown(all_points)
    assert missed.sum() <= 0.01 * all_points.sum()
    assert added.sum() <= 0.01 * all_points.sum()


def grown(picture: Any) -> Any:
    """Dark pixels and their neighbours."""
    padded = np.pad(picture, 1)
    around = [np.roll(np.roll(padded, x, 0), y, 1) for x in (-1, 0, 1) for y in (-1, 0, 1)]
    return np.logical_or.reduce(around)[1:-1, 1:-1]


def test_times_are_drawn_in_utc_whatever_zone_they_come_in() -> None:
    m = measured(("1", "a.T", "°C", [1, 2]))
    m["time"] = m["time"].dt.tz_convert("Asia/Tokyo")
    with mpl.rc_context({"timezone": "America/New_York"}):
        ax = plots.lines(m)
        ax.figure.canvas.draw()
        assert mdates.num2date(curves(ax)[0].get_xdata(orig=False)[0], tz="UTC").isoformat() == (
            "2026-03-01T00:00:00+00:00"
        )
        assert "00:00" in [label.get_text() for label in ax.get_xticklabels()] or "Mar" in words(ax)
    m["time"] = m["time"].dt.tz_localize(None)
    with pytest.raises(ConfigError, match="no time zone"):
        plots.lines(m)


def test_rows_in_any_order_and_without_a_number_are_drawn_right() -> None:
    m = measured(("1", "a.T", "°C", [3, np.nan, np.inf, 1, 2]))
    shuffled = m.iloc[[4, 2, 0, 3, 1]]
    line = curves(plots.lines(shuffled))[0]
    y = line.get_ydata()
    assert list(y[~np.isnan(y)]) == [3, 1, 2]


def test_nothing_to_draw_says_so() -> None:
    assert "no data" in words(plots.lines(frames.empty("measurements")))
    text = measured(("1", "a.state", None, [np.nan, np.nan]))
    assert "none of the 2 values is a number" in words(plots.lines(text))
    assert "no data" in words(plots.operations(frames.empty("operations")))
    assert "no data" in words(plots.coverage(frames.empty("measurements")))


def test_what_all_names_begin_with_is_said_once() -> None:
    m = measured(*[(each, "a.T", "°C", [1, 2]) for each in "123"], ("1", "b.H", "%", [3]))
    names = {each: f"Climate sensor Essen 0002-0{each}" for each in "123"}
    ax = plots.lines(m, names=names)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["0002-01", "0002-02", "0002-03"]
    assert ax.get_title(loc="left") == "Climate sensor Essen …: 3 devices, 2 series"
    ax = plots.coverage(m, names=names, by="series")
    assert [label.get_text() for label in ax.get_yticklabels()][:2] == ["0002-01  a.T", "0002-01  b.H"]


def test_a_device_keeps_its_colour_and_its_series_differ_by_line() -> None:
    m = measured(*[(each, series, "%", [1, 2]) for each in "12" for series in ("a.x", "b.y")])
    looks = [(line.get_color(), line.get_linestyle()) for line in plots.lines(m).get_lines()]
    assert looks[0][0] == looks[1][0] != looks[2][0] == looks[3][0]
    assert looks[0][1] == looks[2][1] != looks[1][1] == looks[3][1]


def test_one_value_has_an_axis() -> None:
    ax = plots.lines(measured(("1", "a.T", "°C", [5])))
    low, high = ax.get_xlim()
    assert high > low
    assert list(curves(ax)[0].get_ydata()) == [5]


def test_many_curves_have_a_legend_that_says_how_many_more() -> None:
    m = measured(*[(str(i), "a.T", "°C", [i, i + 1]) for i in range(30)])
    ax = plots.lines(m)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert len(labels) == 12
    assert labels[-1] == "and 19 more"
    assert len({(line.get_color(), line.get_linestyle()) for line in ax.get_lines()}) == 30


GAP = {
    "item": "1",
    "start": "2026-03-01T00:10:00.000Z",
    "end": "2026-03-01T00:20:00.000Z",
    "reason": "503",
}


def test_an_incomplete_frame_is_marked() -> None:
    m = measured(("1", "a.T", "°C", [1, 2]), complete=False, gaps=[GAP, {**GAP, "item": "2"}])
    ax = plots.lines(m)
    assert ax.get_title(loc="right") == "INCOMPLETE: 2 parts missing"
    assert [patch.get_hatch() for patch in ax.patches] == ["///"]
    right = mdates.num2date(ax.get_xlim()[1], tz="UTC")
    assert right.isoformat() == "2026-03-01T00:20:00+00:00"
    empty = frames.empty("measurements")
    empty.attrs = m.attrs
    assert "INCOMPLETE" in plots.lines(empty).get_title(loc="right")


def test_gaps_without_a_time_are_only_named() -> None:
    gap = {"item": "1", "start": None, "end": None, "reason": "404"}
    ax = plots.lines(measured(("1", "a.T", "°C", [1, 2]), complete=False, gaps=[gap]))
    assert ax.get_title(loc="right") == "INCOMPLETE: 1 part missing"
    assert not ax.patches


def test_a_frame_of_something_else_is_refused_with_the_way_to_go() -> None:
    with pytest.raises(ConfigError, match=r"client\.measurements\(\)"):
        plots.lines(frames.empty("alarms"))
    with pytest.raises(ConfigError, match=r"client\.operations\(\)"):
        plots.operations(frames.empty("events"))
    with pytest.raises(ConfigError, match="bins=0"):
        plots.lines(frames.empty("measurements"), bins=0)
    with pytest.raises(ConfigError, match="per is"):
        plots.coverage(frames.empty("measurements"), per="week")


def test_a_dark_style_is_followed() -> None:
    with plt.style.context("dark_background"):
        ax = plots.lines(measured(("1", "a.T", "°C", [1, 2]), ("2", "a.T", "°C", [1, 2])))
        assert mpl.colors.to_hex(ax.figure.get_facecolor()) == "#000000"
        assert mpl.colors.to_hex(ax.get_legend().get_texts()[0].get_color()) == "#ffffff"
        assert mpl.colors.to_hex(curves(ax)[0].get_color()) == "#8dd3c7"


@given(
    st.lists(
        st.tuples(st.integers(0, 10_000), st.floats(-1e6, 1e6)),
        min_size=1,
        max_size=300,
        unique_by=lambda p: p[0],
    ),
    st.integers(1, 20),
)
def test_thinning_keeps_ends_and_extremes(points: list[tuple[int, float]], bins: int) -> None:
    points.sort()
    time = START + np.array([minute for minute, _ in points]) * MINUTE
    value = np.array([each for _, each in points])
    made = thin(time, value, start=time[0], end=time[-1], bins=bins)
    shown = made.value[~np.isnan(made.value)]
    assert shown.min() == value.min()
    assert shown.max() == value.max()
    assert made.time[0] == time[0]
    assert made.time[-1] == time[-1]
    assert (np.diff(made.time.astype("int64")) >= 0).all()
    assert set(shown) <= set(value)
    assert made.drawn == len(shown)
    if len(points) > 2 * bins:
        assert made.drawn <= 8 * bins + 2


# -- marks ------------------------------------------------------------------------------------------------


def alarms(*rows: dict[str, Any]) -> pd.DataFrame:
    base = {"alarm": "1", "device": "1", "type": "hot", "severity": "MAJOR", "status": "ACTIVE", "count": 1}
    return frames.table("alarms", [{**base, **row} for row in rows])


def test_alarms_are_marked_over_all_axes_with_words() -> None:
    m = measured(("1", "a.T", "°C", np.arange(60)), ("1", "b.H", "%", np.arange(60)))
    ax = plots.lines(m)
    limits = ax.get_xlim()
    before = len(ax.patches)
    found = plots.mark(
        ax,
        alarms(
            {"time": "2026-03-01T00:10:00Z", "status": "CLEARED", "cleared": "2026-03-01T00:20:00Z"},
            {"time": "2026-03-01T00:30:00Z", "severity": "CRITICAL"},
            {"time": "2026-04-01T00:00:00Z", "severity": "MINOR"},
        ),
    )
    assert found is ax
    assert ax.get_xlim() == limits
    assert len(ax.patches) - before == 2
    assert len(ax.figure.axes[1].patches) == 2
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels[-2:] == ["alarm CRITICAL (1)", "alarm MAJOR (1)"]
    assert "MINOR" not in words(ax)
    still = max(patch.get_extents().x1 for patch in ax.patches)
    assert still == pytest.approx(ax.transData.transform((limits[1], 0))[0])


def test_events_and_operations_are_marked_too() -> None:
    ax = plots.lines(measured(("1", "a.T", "°C", np.arange(60))))
    plots.mark(
        ax,
        frames.table(
            "events", [{"time": "2026-03-01T00:05:00Z", "event": "1", "device": "1", "type": "door"}]
        ),
    )
    plots.mark(ax, history({"time": "2026-03-01T00:08:00Z", "status": "FAILED"}))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "event door (1)",
        "operation FAILED (1)",
    ]
    with pytest.raises(ConfigError, match="nothing to mark"):
        plots.mark(ax, frames.empty("devices"))


def test_what_happened_just_after_the_last_value_is_marked_too() -> None:
    ax = plots.lines(measured(("1", "a.T", "°C", np.arange(101))))
    low, high = ax.get_xlim()
    plots.mark(ax, alarms({"time": "2026-03-01T01:44:00Z", "first_seen": "2026-03-01T01:44:00Z"}))
    assert ax.get_xlim()[0] == low
    assert high < ax.get_xlim()[1] < high + 0.1 * (high - low)
    assert "alarm MAJOR (1)" in words(ax)


def test_many_marks_leave_the_curves_readable() -> None:
    ax = plots.lines(measured(("1", "a.T", "°C", np.arange(600))))
    lines = len(ax.get_lines())
    rows = [{"time": f"2026-03-01T0{i // 60}:{i % 60:02}:00Z"} for i in range(300)]
    plots.mark(ax, alarms(*rows))
    assert len(ax.get_lines()) == lines + 1


# -- operations -------------------------------------------------------------------------------------------


def history(*rows: dict[str, Any]) -> pd.DataFrame:
    base = {"operation": "1", "device": "1", "kind": "c8y_Restart", "status": "SUCCESSFUL"}
    ops = frames.table("operations", [{**base, **row} for row in rows])
    ops.attrs["iotnb"] = {
        "platform": "cumulocity",
        "host": "h",
        "window": ["2026-03-01T00:00:00Z", "2026-03-02T00:00:00.000Z"],
        "complete": True,
        "gaps": [],
    }
    return ops


def bars(ax: Axes) -> list[Any]:
    found = [each for each in ax.collections if isinstance(each, mpl.collections.PolyCollection)]
    return [path.get_extents() for each in found for path in each.get_paths()]


def test_operations_have_lanes_words_patterns_and_open_ends() -> None:
    ax = plots.operations(
        history(
            {"time": "2026-03-01T01:00:00Z", "finished": "2026-03-01T03:00:00Z"},
            {"time": "2026-03-01T02:00:00Z", "device": "2", "status": "EXECUTING"},
            {"time": "2026-03-01T04:00:00Z", "device": "2", "status": "FAILED"},
        ),
        names={"2": "pump"},
    )
    assert [label.get_text() for label in ax.get_yticklabels()] == ["1", "pump"]
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["EXECUTING (1)", "SUCCESSFUL (1)", "FAILED (1)", "end not recorded (2)"]
    hatches = {each.get_hatch() for each in ax.collections if each.get_hatch()}
    assert hatches == {"////", "xxxx"}
    ends = sorted((extent.width * 24, extent.x1) for extent in bars(ax))
    hours = [round(width, 1) for width, _ in ends]
    assert hours[1:] == [2.0, 22.0]
    assert 0 < hours[0] < 1
    assert mdates.num2date(ends[-1][1], tz="UTC").isoformat() == "2026-03-02T00:00:00+00:00"


def test_a_status_of_another_word_is_drawn_and_named() -> None:
    ax = plots.operations(history({"time": "2026-03-01T01:00:00Z", "status": "REPEATED"}))
    assert "REPEATED (1)" in words(ax)
    assert len(bars(ax)) == 1


def test_operations_by_kind_have_a_lane_per_kind() -> None:
    ax = plots.operations(
        history(
            {"time": "2026-03-01T01:00:00Z", "device": "1"},
            {"time": "2026-03-01T02:00:00Z", "device": "2"},
            {"time": "2026-03-01T04:00:00Z", "device": "2", "kind": "c8y_Firmware"},
        ),
        by="kind",
    )
    assert [label.get_text() for label in ax.get_yticklabels()] == ["c8y_Restart", "c8y_Firmware"]
    assert ax.get_title(loc="left") == "3 operations on 2 devices"


# -- coverage ---------------------------------------------------------------------------------------------


def counts(ax: Axes) -> Any:
    mesh = next(each for each in ax.collections if isinstance(each, mpl.collections.QuadMesh))
    return np.ma.filled(mesh.get_array(), 0)


def test_coverage_counts_every_value_once() -> None:
    m = measured(("10", "a.T", "°C", np.arange(150)), ("2", "a.T", "°C", np.arange(30)))
    m = m[~((m["device"] == "10") & m["time"].dt.hour.eq(1))]
    ax = plots.coverage(m, names={"10": "Sensor 10", "2": "Sensor 2"})
    assert [label.get_text() for label in ax.get_yticklabels()] == ["Sensor 2", "Sensor 10"]
    assert counts(ax).tolist() == [[30, 0, 0], [60, 0, 30]]
    assert ax.patch.get_hatch() == "////"
    assert "values per hour" in words(ax)


def test_coverage_by_day_and_by_series() -> None:
    m = measured(("1", "a.T", "°C", np.arange(3000)), ("1", "b.H", "%", np.arange(1000)))
    ax = plots.coverage(m, per="day", by="series")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["1  a.T", "1  b.H"]
    assert counts(ax).tolist() == [[100, 100, pytest.approx(100 / 12)], [100, 0, 0]]
    assert "% of the row's fullest day" in words(ax)


def test_a_silent_device_has_a_row_if_it_is_asked_for() -> None:
    m = measured(("1", "a.T", "°C", np.arange(90)))
    ax = plots.coverage(m, devices=["1", "9"], names={"9": "mute"})
    assert [label.get_text() for label in ax.get_yticklabels()] == ["1", "mute"]
    assert counts(ax).tolist() == [[60, 30], [0, 0]]
    ax = plots.coverage(m, devices=pd.DataFrame({"device": ["9", "1"]}), by="series")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["1  a.T", "9"]
    assert counts(ax).tolist() == [[100, 50], [0, 0]]


def test_two_devices_of_one_name_stay_two_rows() -> None:
    m = measured(("1", "a.T", "°C", [1]), ("2", "a.T", "°C", [1, 2]))
    devices = frames.table("devices", [{"device": "1", "name": "twin"}, {"device": "2", "name": "twin"}])
    ax = plots.coverage(m, names=devices)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["twin", "twin (2)"]
    assert counts(ax).tolist() == [[1], [2]]
