"""The tree of series: what is open, what is chosen, what a search leaves."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from iotnb import frames
from iotnb.widgets.explorer_tree import LARGEST, SeriesTree

HOSTILE = "</script><img src=x onerror=alert(1)>"


def devices(*ids: str, names: dict[str, str] | None = None) -> pd.DataFrame:
    return frames.table("devices", [{"device": each, "name": (names or {}).get(each)} for each in ids])


def learned(tree: SeriesTree, device: str, *series: str) -> None:
    last = "2026-03-01T08:00:00Z"
    table = [
        {"device": device, "series": each, "unit": "C", "kind": "number", "last": last} for each in series
    ]
    values = [{"device": device, "series": each, "value": 21.5, "unit": "C", "time": last} for each in series]
    tree.learn([device], frames.table("series", table), frames.table("latest", values))


def shown(tree: SeriesTree) -> list[str]:
    return ["  " * (row["level"] - 1) + row["name"] for row in tree.rows()[0]]


def row(tree: SeriesTree, name: str) -> dict[str, Any]:
    return next(each for each in tree.rows()[0] if each["name"] == name)


@pytest.fixture
def tree() -> SeriesTree:
    made = SeriesTree(devices("1", "2", names={"1": "Pump north", "2": HOSTILE}))
    learned(made, "1", "env.temperature", "env.humidity")
    return made


def test_a_device_opens_to_its_series_with_unit_and_last_value(tree: SeriesTree) -> None:
    assert shown(tree) == ["Pump north", HOSTILE]
    assert tree.open("1", True) == []
    assert shown(tree) == ["Pump north", "  temperature", "  humidity", HOSTILE]
    leaf = row(tree, "temperature")
    assert (leaf["more"], leaf["part"], leaf["open"]) == ("21.5 C", "env", None)
    assert "2026-03-01 08:00 UTC" in leaf["title"]
    assert (leaf["at"], leaf["of"]) == (1, 2)
    assert (row(tree, HOSTILE)["at"], row(tree, HOSTILE)["of"]) == (2, 2)


def test_a_device_that_was_never_opened_must_be_learned_first(tree: SeriesTree) -> None:
    assert tree.open("2", True) == ["2"]
    learned(tree, "2", "load")
    assert shown(tree)[-1] == "  load"
    assert tree.open("2", True) == []


def test_a_device_chosen_before_its_series_are_known_is_chosen_with_all_of_them(tree: SeriesTree) -> None:
    assert tree.check("2", True) == ["2"]
    assert row(tree, HOSTILE)["more"] == "loading ..."
    assert row(tree, HOSTILE)["checked"] == "true"
    learned(tree, "2", "load", "used")
    assert list(tree.chosen) == [("2", "load"), ("2", "used")]


def test_a_device_is_ticked_in_part_when_some_of_its_series_are(tree: SeriesTree) -> None:
    tree.open("1", True)
    tree.check(row(tree, "humidity")["key"], True)
    assert row(tree, "Pump north")["checked"] == "mixed"
    tree.check("1", True)
    assert row(tree, "Pump north")["checked"] == "true"
    tree.check("1", False)
    assert tree.chosen == {}


def test_many_series_are_grouped_by_component(tree: SeriesTree) -> None:
    tree.extend(devices("3"))
    learned(tree, "3", *(f"axis{i}.{name}" for i in range(3) for name in ("x", "y", "z")), "alone")
    tree.open("3", True)
    assert shown(tree)[-4:] == ["  axis0", "  axis1", "  axis2", "  alone"]
    group = row(tree, "axis1")
    tree.open(group["key"], True)
    assert shown(tree)[-5:] == ["    x", "    y", "    z", "  axis2", "  alone"]
    tree.check(group["key"], True)
    assert list(tree.chosen) == [("3", "axis1.x"), ("3", "axis1.y"), ("3", "axis1.z")]
    assert row(tree, "axis1")["checked"] == "true"


def test_a_search_finds_devices_and_series_by_several_words(tree: SeriesTree) -> None:
    tree.text = "NORTH humid"
    assert shown(tree) == ["Pump north", "  humidity"]
    tree.text = "onerror"
    assert shown(tree) == [HOSTILE]
    tree.text = "nothing like it"
    assert shown(tree) == []


def test_of_many_devices_the_rest_is_counted_and_found_by_a_search() -> None:
    tree = SeriesTree(devices(*(f"{i:05d}" for i in range(LARGEST + 250))))
    rows, left = tree.rows()
    assert (len(rows), left) == (LARGEST, 250)
    tree.text = f"{LARGEST + 200:05d}"
    assert shown(tree) == [f"{LARGEST + 200:05d}"]


def test_what_is_chosen_without_being_known_has_no_times(tree: SeriesTree) -> None:
    tree.choose([("1", "env.humidity"), ("9", "ghost")])
    known = tree.known()
    assert list(known["series"]) == ["env.humidity", "ghost"]
    assert list(known["last"].isna()) == [False, True]
    assert str(known["last"].dtype).endswith("UTC]")
