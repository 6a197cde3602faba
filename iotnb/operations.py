"""What a history of operations says: why they failed, how long they took, which are stuck."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal

import numpy as np
import pandas as pd

from iotnb import times
from iotnb.errors import ConfigError

OPEN: Final = ("PENDING", "EXECUTING")
NO_REASON: Final = "(no reason given)"
_COLUMNS: Final = ("time", "device", "kind", "status", "duration", "failure")


def failures(ops: pd.DataFrame) -> pd.DataFrame:
    """The reasons of FAILED operations, counted: one row a reason, the most frequent first.

    Columns: failure (the platform's words), count, devices (how many), kinds (joined with commas), last (UTC,
    when the newest of them was created). `ops` is a frame of `client.operations()`.
    """
    failed = _checked(ops)[ops["status"] == "FAILED"]
    reasons = failed["failure"].fillna("").astype("str").replace("", NO_REASON)
    groups = failed.groupby(reasons, sort=True)
    found = pd.DataFrame(
        {
            "count": groups.size().astype("int64"),
            "devices": groups["device"].nunique().astype("int64"),
            "kinds": groups["kind"].agg(_joined).astype("str"),
            "last": groups["time"].max(),
        }
    )
    found = found.rename_axis("failure").reset_index()
    return found.sort_values("count", ascending=False, kind="stable", ignore_index=True)


def durations(ops: pd.DataFrame, *, by: Literal["kind", "device"] = "kind") -> pd.DataFrame:
    """How long operations took, from created to finished: one row a kind, or a device.

    Columns: the one of `by`, count (all of them), ended (with a recorded end), failed, median, p95 and
    longest (timedelta, of those with a recorded end; NaT without any). The most frequent first.
    """
    if by not in {"kind", "device"}:
        raise ConfigError(f"by={by!r} is neither 'kind' nor 'device'")
    groups = _checked(ops).groupby(ops[by].astype("str"), sort=True)
    seconds = groups["duration"]
    found = pd.DataFrame(
        {
            "count": groups.size().astype("int64"),
            "ended": seconds.count().astype("int64"),
            "failed": (ops["status"] == "FAILED").groupby(ops[by].astype("str")).sum().astype("int64"),
            "median": seconds.quantile(0.5),
            "p95": seconds.quantile(0.95),
            "longest": seconds.max(),
        }
    )
    found = found.rename_axis(by).reset_index()
    return found.sort_values("count", ascending=False, kind="stable", ignore_index=True)


def stuck(
    ops: pd.DataFrame, *, after: str | timedelta = "1h", now: str | datetime | None = None
) -> pd.DataFrame:
    """The operations that are PENDING or EXECUTING for longer than `after`, the longest first.

    All columns of `ops`, and `waiting` (timedelta, since they were created). `after` is a span such as "1h"
    or "2d"; `now` defaults to the present. Raises ConfigError for what is no span.
    """
    window = times.window(after, now)
    end = pd.Timestamp(window.end)
    late = ops[is_stuck(ops, before=window.start)]
    found = late.assign(waiting=(end - late["time"]).astype("timedelta64[us]"))
    return found.sort_values("waiting", ascending=False, kind="stable", ignore_index=True)


def is_stuck(ops: pd.DataFrame, *, before: datetime) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """One flag a row: PENDING or EXECUTING, and created before a moment."""
    _checked(ops)
    return (ops["status"].isin(OPEN) & (ops["time"] < pd.Timestamp(before))).to_numpy()


def summary(ops: pd.DataFrame) -> str:
    """The history in one sentence: how many on how many devices, when, and how many of each status."""
    count, devices = len(_checked(ops)), ops["device"].nunique()
    if not count:
        return "No operations."
    counts = ops["status"].astype("category").value_counts(sort=False)  # in the order of the vocabulary
    named = ", ".join(f"{n:,} {str(word).lower()}" for word, n in counts.items() if n)
    first, last = (f"{moment:%Y-%m-%d %H:%M}" for moment in (ops["time"].min(), ops["time"].max()))
    return f"{_some(count, 'operation')} on {_some(devices, 'device')}, {first} to {last} UTC: {named}."


def _some(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _joined(values: pd.Series) -> str:
    return ", ".join(sorted({str(value) for value in values.dropna()}))


def _checked(ops: pd.DataFrame) -> pd.DataFrame:
    missing = [name for name in _COLUMNS if name not in getattr(ops, "columns", ())]
    if missing:
        raise ConfigError(f"no column {', '.join(missing)}: pass a frame as client.operations() returns it")
    return ops
