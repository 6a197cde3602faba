"""What a history of operations says: reasons counted, durations per kind, stuck ones, one sentence."""

from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from iotnb import frames, operations
from iotnb.errors import ConfigError

NOW = "2026-03-02T00:00:00Z"


def history(*rows: dict[str, Any]) -> pd.DataFrame:
    base = {
        "operation": "1",
        "device": "1",
        "kind": "restart",
        "status": "SUCCESSFUL",
        "time": "2026-03-01T00:00:00Z",
    }
    return frames.table("operations", [{**base, **row} for row in rows])


def test_reasons_are_counted_the_most_frequent_first() -> None:
    found = operations.failures(
        history(
            {"status": "FAILED", "failure": "No space", "device": "1"},
            {"status": "FAILED", "failure": "Timed out", "device": "2", "kind": "firmware"},
            {"status": "FAILED", "failure": "Timed out", "device": "2", "time": "2026-03-01T05:00:00Z"},
            {"status": "FAILED", "device": "3"},
            {"status": "SUCCESSFUL", "failure": "of an earlier try"},
        )
    )
    assert list(found.columns) == ["failure", "count", "devices", "kinds", "last"]
    assert found["failure"].tolist() == ["Timed out", operations.NO_REASON, "No space"]
    assert found["count"].tolist() == [2, 1, 1]
    assert found.loc[0, "kinds"] == "firmware, restart"
    assert found.loc[0, "devices"] == 1
    assert found.loc[0, "last"] == pd.Timestamp("2026-03-01T05:00:00Z")


def test_durations_are_of_those_that_ended() -> None:
    found = operations.durations(
        history(
            *({"kind": "restart", "duration": seconds} for seconds in (1, 2, 3)),
            {"kind": "restart", "status": "PENDING"},
            {"kind": "firmware", "status": "FAILED"},
        )
    )
    assert found["kind"].tolist() == ["restart", "firmware"]
    assert found[["count", "ended", "failed"]].values.tolist() == [[4, 3, 0], [1, 0, 1]]
    assert found.loc[0, "median"] == timedelta(seconds=2)
    assert found.loc[0, "p95"] == timedelta(seconds=2.9)
    assert found.loc[0, "longest"] == timedelta(seconds=3)
    assert pd.isna(found.loc[1, "median"])


def test_durations_by_device() -> None:
    found = operations.durations(history({"device": "7", "duration": 4}, {"device": "8"}), by="device")
    assert found["device"].tolist() == ["7", "8"]
    with pytest.raises(ConfigError, match="neither 'kind' nor 'device'"):
        operations.durations(history(), by="status")  # type: ignore[arg-type]


def test_stuck_are_the_open_ones_that_wait_too_long() -> None:
    ops = history(
        {"operation": "a", "status": "PENDING", "time": "2026-03-01T22:30:00Z"},
        {"operation": "b", "status": "EXECUTING", "time": "2026-03-01T20:00:00Z"},
        {"operation": "c", "status": "PENDING", "time": "2026-03-01T23:30:00Z"},
        {"operation": "d", "status": "FAILED"},
    )
    found = operations.stuck(ops, now=NOW)
    assert found["operation"].tolist() == ["b", "a"]
    assert found["waiting"].tolist() == [timedelta(hours=4), timedelta(hours=1.5)]
    assert operations.stuck(ops, after="3h", now=NOW)["operation"].tolist() == ["b"]
    assert operations.stuck(ops, after=timedelta(minutes=1), now=NOW)["operation"].tolist() == ["b", "a", "c"]
    with pytest.raises(ConfigError, match="since='soon'"):
        operations.stuck(ops, after="soon")


def test_a_sentence_in_the_order_of_the_vocabulary() -> None:
    ops = history({"status": "FAILED"}, {"status": "PENDING", "device": "2"}, {"status": "REPEATED"})
    span = "2026-03-01 00:00 to 2026-03-01 00:00 UTC"
    told = f"3 operations on 2 devices, {span}: 1 pending, 1 failed, 1 repeated."
    assert operations.summary(ops) == told
    assert operations.summary(history()) == "No operations."


def test_nothing_is_a_table_with_its_columns() -> None:
    nothing = frames.empty("operations")
    assert list(operations.failures(nothing).columns) == ["failure", "count", "devices", "kinds", "last"]
    assert len(operations.durations(nothing)) == 0
    assert list(operations.stuck(nothing).columns) == [*frames.SCHEMAS["operations"], "waiting"]


def test_another_table_is_refused() -> None:
    for function in (operations.failures, operations.durations, operations.stuck, operations.summary):
        with pytest.raises(ConfigError, match=r"client\.operations\(\)"):
            function(frames.empty("devices"))  # type: ignore[operator]
