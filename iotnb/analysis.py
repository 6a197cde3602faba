"""What measurements say: where they are missing, what is odd in them, what changed around an event.

Pandas in, pandas out: `m` is a frame of `client.measurements()`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from iotnb import times
from iotnb.curves import Curve, naive, split
from iotnb.errors import ConfigError

GAPS: Final = ("device", "series", "start", "end", "duration", "missing")
ANOMALIES: Final = ("time", "end", "device", "series", "unit", "kind", "value", "usual", "score", "count")
AROUND: Final = (
    "time", "device", "what", "series", "unit", "before", "after", "change", "score", "n_before", "n_after",
)  # fmt: skip
NEIGHBOURS: Final = 31  # values whose median is the usual one
NORMAL: Final = 1.4826  # standard deviation of normal noise over its median absolute deviation


def gaps(m: pd.DataFrame) -> pd.DataFrame:
    """Where a series was silent for more than three of its usual steps: one row a gap, the longest first.

    Columns: device, series, start (time of the last value before it, UTC), end (of the first one after it),
    duration (timedelta), missing (about how many values).
    """
    rows: list[dict[str, Any]] = []
    for curve in split(m):
        for at in curve.breaks:
            begin, end = curve.time[at - 1], curve.time[at]
            seconds = (end - begin) / np.timedelta64(1, "s")
            missing = max(round(seconds / curve.step) - 1, 0) if curve.step > 0 else 0
            rows.append({"device": curve.device, "series": curve.series, "start": begin, "end": end,
                         "missing": missing})  # fmt: skip
    made = pd.DataFrame(rows, columns=[name for name in GAPS if name != "duration"])
    for name in ("start", "end"):
        made[name] = pd.to_datetime(made[name], utc=True).astype("datetime64[us, UTC]")
    made["duration"] = (made["end"] - made["start"]).astype("timedelta64[us]")
    made = made.astype({"device": "str", "series": "str", "missing": "int64"})[list(GAPS)]
    return made.sort_values("duration", ascending=False, kind="stable", ignore_index=True)


def anomalies(m: pd.DataFrame, *, threshold: float = 8.0, still: int = 30) -> pd.DataFrame:
    """Spikes, and values that stand still: one row an episode, oldest first.

    A spike is farther from the median of its neighbours than `threshold` times the usual distance of this
    series (robust: an anomaly does not make itself usual). A series stands still when `still` or more values
    in a row are the same, though it usually moves. Columns: time and end (UTC), device, series, unit, kind
    (spike, still), value (the farthest of the episode), usual (the neighbours' median there), score (how many
    times the usual distance; NaN for still), count (values in the episode).
    """
    if threshold <= 0 or still < 3:
        raise ConfigError(f"threshold={threshold} must be above 0, and still={still} at least 3")
    rows: list[dict[str, Any]] = []
    for curve in split(m):
        if len(curve) >= NEIGHBOURS:
            rows += _spikes(curve, threshold)
            rows += _still(curve, still)
    made = pd.DataFrame(rows, columns=list(ANOMALIES))
    for name in ("time", "end"):
        made[name] = pd.to_datetime(made[name], utc=True).astype("datetime64[us, UTC]")
    numbers = dict.fromkeys(("value", "usual", "score"), "float64")
    texts = dict.fromkeys(("device", "series", "unit", "kind"), "str")
    return made.astype({**numbers, **texts, "count": "int64"}).sort_values(
        "time", kind="stable", ignore_index=True
    )


def around(
    m: pd.DataFrame,
    happened: pd.DataFrame,
    *,
    before: str | timedelta = "1h",
    after: str | timedelta = "1h",
) -> pd.DataFrame:
    """What each series of a device was like before and after something happened to it.

    `happened` is a frame of `client.operations()`, `alarms()` or `events()`. One row for each of them and
    each series of its device with values on both sides. Columns: time (UTC), device, what (its kind or type),
    series, unit, before and after (means), change (after - before), score (the change over the spread of the
    values before), n_before, n_after. What happened comes to the side `after`.
    """
    named = next((name for name in ("kind", "type") if name in happened.columns), "")
    if not named or "time" not in happened.columns or "device" not in happened.columns:
        raise ConfigError("happened= is no frame of client.operations(), alarms() or events()")
    left, right = (_ticks(span, name) for span, name in ((before, "before"), (after, "after")))
    by_device: dict[str, list[Curve]] = {}
    for curve in split(m):
        by_device.setdefault(curve.device, []).append(curve)
    rows = []
    moments = naive(happened["time"])
    for moment, device, what in zip(moments, happened["device"].astype(str), happened[named], strict=True):
        for curve in by_device.get(device, ()):
            found = _sides(curve, moment, left, right)
            if found is not None:
                rows.append({"time": moment, "device": device, "what": str(what), "series": curve.series,
                             "unit": curve.unit, **found})  # fmt: skip
    made = pd.DataFrame(rows, columns=list(AROUND))
    made["time"] = pd.to_datetime(made["time"], utc=True).astype("datetime64[us, UTC]")
    numbers = dict.fromkeys(("before", "after", "change", "score"), "float64")
    texts = dict.fromkeys(("device", "what", "series", "unit"), "str")
    made = made.astype({**numbers, **texts, "n_before": "int64", "n_after": "int64"})
    made.attrs.update(m.attrs)
    return made


def _spikes(curve: Curve, threshold: float) -> list[dict[str, Any]]:
    value = curve.value
    usual = _median_near(value)
    distance = np.abs(value - usual)
    moved = distance[distance > 0]
    if not len(moved):
        return []
    # noise that comes and goes, as a machine runs, is no anomaly: what counts is the noise nearby, if greater
    spread = NORMAL * np.maximum(_median_near(distance), np.median(moved))
    score = distance / spread
    return [
        _episode(curve, first, last, "spike", usual, score)
        for first, last in _runs(score > threshold, curve.breaks)
    ]


def _median_near(value: NDArray[np.float64]) -> NDArray[np.float64]:
    near = pd.Series(value).rolling(NEIGHBOURS, center=True, min_periods=NEIGHBOURS // 2)
    found: NDArray[np.float64] = near.median().to_numpy()
    return found


def _still(curve: Curve, least: int) -> list[dict[str, Any]]:
    same = np.concatenate([[False], curve.value[1:] == curve.value[:-1]])
    if same.mean() > 0.5:  # a counter, a switch: to stand still is what it does
        return []
    nothing = np.full(len(curve), np.nan)
    return [
        _episode(curve, first - 1, last, "still", curve.value, nothing)
        for first, last in _runs(same, curve.breaks)
        if last - first + 1 >= least
    ]


def _episode(
    curve: Curve, first: int, last: int, kind: str, usual: NDArray[np.float64], score: NDArray[np.float64]
) -> dict[str, Any]:
    """The row of the values [first, last)."""
    part = score[first:last]
    at = first if np.isnan(part).all() else first + int(np.nanargmax(part))
    return {
        "time": curve.time[first], "end": curve.time[last - 1], "device": curve.device,
        "series": curve.series, "unit": curve.unit, "kind": kind, "value": curve.value[at],
        "usual": usual[at], "score": score[at], "count": last - first,
    }  # fmt: skip


def _runs(flags: NDArray[np.bool_], breaks: NDArray[Any]) -> list[tuple[int, int]]:
    """The stretches [first, last) in which all flags are up; a gap in the data ends one."""
    cut = np.zeros(len(flags) + 1, bool)
    cut[breaks] = True
    begins = flags & (np.concatenate([[True], ~flags[:-1]]) | cut[:-1])
    ends = flags & (np.concatenate([~flags[1:], [True]]) | cut[1:])
    return list(zip(np.flatnonzero(begins).tolist(), (np.flatnonzero(ends) + 1).tolist(), strict=True))


def _ticks(span: str | timedelta, name: str) -> np.timedelta64:
    try:
        window = times.window(span, "2000-01-01T00:00:00Z")
    except ConfigError:
        raise ConfigError(f"{name}={span!r} is no span: write it as '1h' or '30m'") from None
    return np.timedelta64(window.end - window.start, "us")


def _sides(
    curve: Curve, moment: np.datetime64, left: np.timedelta64, right: np.timedelta64
) -> dict[str, Any] | None:
    """The means on both sides of a moment, or None where one side is empty."""
    edges = np.array([moment - left, moment, moment + right], dtype="M8[us]")
    first, middle, last = np.searchsorted(curve.time, edges)
    if first == middle or middle == last:
        return None
    ahead, behind = curve.value[first:middle], curve.value[middle:last]
    change = float(behind.mean() - ahead.mean())
    spread = float(ahead.std(ddof=1)) if len(ahead) > 1 else np.nan
    return {
        "before": ahead.mean(), "after": behind.mean(), "change": change,
        "score": change / spread if spread else np.nan, "n_before": len(ahead), "n_after": len(behind),
    }  # fmt: skip
