"""The kernel's side of a plot: windows as buffers, gaps, zones, marks, words; and the plot on its own."""

from __future__ import annotations

import base64
import re
import zlib
from typing import Any

import numpy as np
import pandas as pd
import pytest

from iotnb import SeriesPlot, frames
from iotnb.errors import ConfigError
from iotnb.widgets.explorer_plot import MARKS, Drawing
from iotnb.widgets.leaves import ExplorerLeaf, PlotLeaf

HOSTILE = "</script><img src=x onerror=alert(1)>"
START = pd.Timestamp("2026-03-01T00:00Z")


def measured(*series: tuple[str, str, str, int, Any], step: int = 60) -> pd.DataFrame:
    """Series of (device, series, unit, first second, values), a value a minute."""
    parts = []
    for device, name, unit, first, values in series:
        seconds = first + np.arange(len(values)) * step
        part = frames.empty("measurements").reindex(range(len(values)))
        part["time"] = (START + pd.to_timedelta(seconds, unit="s")).astype("datetime64[us, UTC]")
        part["device"], part["series"], part["unit"] = device, name, unit
        part["value"] = np.asarray(values, dtype=float)
        parts.append(part)
    return pd.concat(parts, ignore_index=True).sort_values("time", ignore_index=True)


def read(drawing: Drawing, **asked: Any) -> tuple[dict[str, Any], list[dict[float, float]]]:
    """The answer to a page, and each curve as a mapping of second to value, as the page unpacks it."""
    content, buffers = drawing.answer({"view": "v", "seq": 3, "width": 800, **asked})
    axis = np.frombuffer(buffers[0], np.float64) - START.timestamp()
    at = np.frombuffer(buffers[1], np.uint32 if content["wide"] else np.uint16)
    values = np.frombuffer(buffers[2], np.float64)
    assert (np.diff(axis) > 0).all()
    assert sum(curve["n"] for curve in content["curves"]) == len(at) == len(values)
    found, first = [], 0
    for curve in content["curves"]:
        here = slice(first, first + curve["n"])
        found.append(dict(zip(np.round(axis[at[here]], 6), values[here], strict=True)))
        first += curve["n"]
    return content, found


def test_series_of_unlike_times_share_one_axis_and_keep_their_points() -> None:
    drawing = Drawing(measured(("1", "T", "C", 0, [1, 2, 3]), ("2", "T", "C", 25, [7, 8])))
    content, found = read(drawing)
    assert found == [{0: 1, 60: 2, 120: 3}, {25: 7, 85: 8}]
    assert [curve["name"] for curve in content["meta"]["curves"]] == ["1", "2"]
    assert (content["view"], content["seq"], content["points"]) == ("v", 3, 5)


def test_a_gap_is_a_hole_between_its_neighbours() -> None:
    values = np.arange(40.0)
    m = measured(("1", "T", "C", 0, values)).drop(index=range(10, 30)).reset_index(drop=True)
    content, [curve] = read(Drawing(m))
    holes = [second for second, value in curve.items() if np.isnan(value)]
    assert len(holes) == 1
    assert 9 * 60 < holes[0] < 30 * 60
    assert content["curves"][0]["gaps"] == 1


def test_what_does_not_change_is_sent_once() -> None:
    drawing = Drawing(measured(("1", "T", "C", 0, [1, 2, 3])))
    first, _ = drawing.answer({"view": "v", "seq": 1, "version": 0})
    again, _ = drawing.answer({"view": "v", "seq": 2, "version": first["version"]})
    assert "meta" in first
    assert "meta" not in again
    drawing.mark([])
    assert "meta" in drawing.answer({"view": "v", "seq": 3, "version": first["version"]})[0]


def test_a_window_tells_lowest_highest_and_last_of_what_it_shows() -> None:
    drawing = Drawing(measured(("1", "T", "C", 0, [50, 1, 5, 3, -50])))
    begin = START.timestamp()
    content, _ = read(drawing, **{"from": begin + 60, "to": begin + 180})
    told = content["curves"][0]
    assert (told["min"], told["max"], told["last"], told["points"]) == (1, 5, 3, 3)
    empty, _ = read(drawing, **{"from": begin + 10_000, "to": begin + 20_000})
    assert (empty["curves"][0]["min"], empty["curves"][0]["points"]) == (None, 0)


def test_a_window_that_makes_no_sense_is_the_whole() -> None:
    drawing = Drawing(measured(("1", "T", "C", 0, [1, 2, 3])))
    for asked in ({}, {"from": 5, "to": 5}, {"from": 9, "to": 1}, {"from": None, "to": 4}):
        content, _ = read(drawing, **asked)
        assert (content["from"], content["to"]) == drawing.whole


def test_two_values_at_one_instant_are_both_drawn() -> None:
    m = pd.concat([measured(("1", "T", "C", 0, [1, 2, 3])), measured(("1", "T", "C", 60, [99]))])
    _, [curve] = read(Drawing(m))
    assert set(curve.values()) == {1, 2, 3, 99}


def test_many_points_are_few_bytes() -> None:
    drawing = Drawing(measured(("1", "T", "C", 0, np.sin(np.arange(300_000) / 900)), step=1))
    content, buffers = drawing.answer({"width": 900})
    assert content["drawn"] <= 1_900
    assert sum(len(each) for each in buffers) < 40_000
    assert content["note"].startswith("1,")
    assert "of 300,000 values drawn" in content["note"]


def test_fifty_series_are_not_fifty_times_the_points() -> None:
    wave = np.sin(np.arange(20_000) / 50)
    drawing = Drawing(measured(*((str(i), "T", "C", i, wave + i) for i in range(50))))
    assert drawing.answer({"width": 1000})[0]["drawn"] <= 25_000


def test_times_are_said_in_the_zone() -> None:
    m = measured(("1", "T", "C", 0, [1, 2, 3]))
    begin = START.timestamp()
    assert Drawing(m).range(begin, begin + 86400) == "2026-03-01 00:00 to 2026-03-02 00:00 UTC"
    berlin = Drawing(m, zone="Europe/Berlin")
    assert berlin.range(begin, begin + 7199) == "2026-03-01 01:00:00 to 02:59:59 Europe/Berlin"
    with pytest.raises(ConfigError, match="Europe/Berlin"):
        Drawing(m, zone="Mars/Olympus")


def test_the_summary_tells_a_screen_reader_what_is_to_be_seen() -> None:
    m = measured(("1", "env.T", "C", 0, [20, 21.5, 19]), ("1", "state", "", 0, [1, 0, 1]))
    m = m[~((m["series"] == "state") & (m["value"] == 0))]
    text = Drawing(m).summary(*Drawing(m).whole)
    assert "2 series from 2026-03-01 00:00:00 to 00:02:00 UTC." in text
    assert "env.T: 3 values, lowest 19 C, highest 21.5 C, last 19 C, 0 gaps." in text
    assert Drawing(frames.empty("measurements"), words="Nothing yet.").summary(0, 1) == "Nothing yet."


def test_what_was_not_loaded_is_a_hole_of_the_picture() -> None:
    m = measured(("1", "T", "C", 0, [1, 2, 3]))
    gap = {"item": "1", "start": "2026-03-01T00:10:00.000Z", "end": "2026-03-01T00:20:00.000Z", "reason": "x"}
    m.attrs["iotnb"] = {"complete": False, "gaps": [gap, {"item": "2", "start": "", "end": ""}]}
    drawing = Drawing(m)
    begin = START.timestamp()
    assert drawing.holes == [(begin + 600, begin + 1200)]
    assert drawing.whole == (begin, begin + 1200)
    assert "1 parts were not loaded" not in drawing.summary(*drawing.whole)
    assert "1 part was not loaded" in drawing.summary(*drawing.whole)


def alarms(count: int = 1, **row: Any) -> pd.DataFrame:
    base = {
        "alarm": "1",
        "device": "1",
        "type": "hot",
        "severity": "MAJOR",
        "status": "ACTIVE",
        "text": "Hot",
    }
    base["time"] = "2026-03-01T00:01:00Z"
    return frames.table("alarms", [{**base, **row} for _ in range(count)])


def test_marks_have_the_words_and_colours_of_the_print_figure() -> None:
    drawing = Drawing(measured(("1", "T", "C", 0, [1, 2, 3])), names={"1": HOSTILE})
    events = frames.table(
        "events", [{"time": "2026-03-01T00:00:30Z", "event": "7", "device": "1", "type": "door"}]
    )
    drawing.mark([alarms(), events, frames.empty("operations")])
    meta = drawing.meta()
    assert [group["word"] for group in meta["groups"]] == ["alarm MAJOR", "event door"]
    assert meta["groups"][0]["symbol"] == "v"
    (event_start, event_end, _, _), (start, end, group, text) = meta["marks"]
    begin = START.timestamp()
    assert (event_start, event_end) == (begin + 30, begin + 30)
    assert (start, end, group) == (begin + 60, begin + 120, 0)
    assert text == f"Hot ({HOSTILE})"
    assert "1 times alarm MAJOR." not in drawing.summary(*drawing.whole)
    assert "alarm MAJOR: 1." in drawing.summary(*drawing.whole)


def test_very_many_marks_are_cut_and_counted() -> None:
    drawing = Drawing(measured(("1", "T", "C", 0, [1, 2, 3])))
    drawing.mark([alarms(MARKS + 30)])
    assert len(drawing.meta()["marks"]) == MARKS
    assert drawing.meta()["more"] == 30
    assert drawing.meta()["groups"][0]["count"] == MARKS + 30


class TestSeriesPlot:
    def test_it_answers_its_page(self, page: Any) -> None:
        plot = SeriesPlot(measured(("1", "T", "C", 0, [1, 2, 3])))
        page.say(plot, {"kind": "window", "view": "v9", "seq": 1, "width": 700})
        answer = page.messages(plot)[-1]
        assert (answer["kind"], answer["view"], answer["drawn"]) == ("window", "v9", 3)

    def test_its_static_face_says_what_is_to_be_seen_and_escapes(self) -> None:
        m = measured(("1", "env.T", "C", 0, [1, 2, 3]), ("2", "env.T", "C", 0, [1, 2, 3]))
        data, _ = SeriesPlot(m, names={"1": HOSTILE})._repr_mimebundle_()
        assert "highest 3 C" in data["text/html"]
        assert "<img" not in data["text/html"]
        assert "<script" not in data["text/html"]
        assert "env.T: 3 values" in data["text/plain"]

    def test_no_point_is_in_a_trait(self, page: Any) -> None:
        plot = SeriesPlot(measured(("1", "T", "C", 0, np.arange(50_000.0))))
        kept = {name: value for name, value in plot.get_state().items() if name not in {"_esm", "_css"}}
        assert len(repr(kept)) < 1000

    def test_a_frame_without_numbers_says_so(self) -> None:
        assert "no data" in SeriesPlot(frames.empty("measurements")).summary()
        assert (
            "None of the 2 values is a number"
            in SeriesPlot(measured(("1", "s", "", 0, [np.nan, np.nan]))).summary()
        )

    def test_names_may_be_a_frame_of_devices(self) -> None:
        names = frames.table("devices", [{"device": "1", "name": "Boiler"}])
        m = measured(("1", "T", "C", 0, [1, 2]), ("2", "T", "C", 0, [1, 2]))
        assert "Boiler, T" in SeriesPlot(m, names=names).summary()
        with pytest.raises(ConfigError, match=r"client\.devices\(\)"):
            SeriesPlot(m, names=frames.empty("events"))


@pytest.mark.parametrize("leaf", [PlotLeaf, ExplorerLeaf])
def test_the_leaves_load_nothing_from_outside_and_write_no_html(leaf: type[Any]) -> None:
    shell, style = leaf._esm, leaf._css
    packed = re.search(r'unpacked\("([^"]+)"\);', shell)
    assert packed
    library, code = zlib.decompress(base64.b64decode(packed[1])).decode().split("\nfunction make", 1)
    assert library.startswith("/*! https://github.com/leeoniya/uPlot (v1.6.32) */")
    assert "export default" in code
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", code + style + shell)
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|@import", library + code + style
    )
    assert "uPlot 1.6.32" in shell
    assert "MIT licence" in shell
    assert len(shell) < 45_000


def test_the_chart_library_is_there_with_its_licence_as_published() -> None:
    from importlib.resources import files

    folder = files("iotnb.widgets.leaves") / "uplot"
    assert (folder / "VERSION").read_text("utf-8").strip() == "1.6.32"
    assert "(v1.6.32)" in (folder / "uPlot.iife.min.js").read_text("utf-8")[:80]
    licence = (folder / "LICENSE").read_text("utf-8")
    assert "The MIT License" in licence
    assert "Leon Sorokin" in licence
    assert ".u-over" in (folder / "uPlot.min.css").read_text("utf-8")
