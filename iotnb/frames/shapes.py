"""Other shapes of the table of measurements."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from iotnb import times
from iotnb.errors import ConfigError
from iotnb.frames.cells import NUMBER, TEXT, TIME, Coded
from iotnb.frames.measured import Columns, measurements

FUNCTIONS = ("mean", "min", "max", "sum", "count", "std")
GRID = np.timedelta64(30, "m")  # no zone changes its clocks twice within it


def wide(m: pd.DataFrame) -> pd.DataFrame:
    """One column per (device, series, unit) over a sorted UTC index `time`; a missing unit is "".

    Where one series has several values at one instant, the last of them counts. A column of a series that
    holds text is text, all others are float64.
    """
    names = ["device", "series", "unit"]
    if m.empty:
        columns = pd.MultiIndex.from_arrays([pd.Index([], dtype=TEXT)] * 3, names=names)
        return pd.DataFrame(
            index=pd.DatetimeIndex([], dtype=TIME, name="time"), columns=columns, dtype=NUMBER
        )
    keys = pd.DataFrame({name: m[name].astype(TEXT).fillna("") for name in names})
    groups = keys.groupby(names, sort=True)
    column = groups.ngroup().to_numpy()
    row, index = pd.factorize(m["time"], sort=True)
    columns = pd.MultiIndex.from_frame(keys.drop_duplicates().sort_values(names))
    cells = np.full((len(columns), len(index)), np.nan)
    cells[column, row] = m["value"].to_numpy()
    result = pd.DataFrame(cells.T, index=pd.DatetimeIndex(index, name="time"), columns=columns, copy=False)
    texts = m["text"].notna().to_numpy()
    for position in np.unique(column[texts]):
        rows = column == position
        words = m["text"][rows].astype("object")
        words = words.where(words.notna(), m["value"][rows].map(str, na_action="ignore"))
        cell = pd.Series(None, index=result.index, dtype="object")
        cell.iloc[row[rows]] = words.to_numpy()
        result.isetitem(int(position), cell.astype(TEXT).array)
    return result


def resample(
    m: pd.DataFrame, step: str | times.Interval, *, function: str = "mean", tz: str = "UTC"
) -> pd.DataFrame:
    """Measurements reduced to one value a series and interval: again a table of measurements.

    `step` is an interval such as "15m", "1h", "1d" or "1M", `function` one of mean, min, max, sum, count,
    std. A row's time is the start of its interval, in UTC; `tz` names the zone whose clock and calendar the
    intervals follow ("Europe/Berlin": a day may have 23 or 25 hours). Texts are left out; an interval without
    a value has no row, nor has the std of a single value. Raises ConfigError.
    """
    if function not in FUNCTIONS:
        raise ConfigError(f"function={function!r} is not one of {', '.join(FUNCTIONS)}")
    interval = times.interval(step, name="step") if isinstance(step, str) else step
    kept = (m["value"].notna() & m["time"].notna()).to_numpy()
    parts = [m[name][kept].astype("category") for name in ("device", "series", "unit")]
    # codes instead of names: grouping text is ten times slower, and would drop rows without a unit
    keys: list[Any] = [part.cat.codes.to_numpy() for part in parts]
    begins = interval.floors(m["time"].to_numpy(dtype="M8[us]")[kept], tz)
    made = pd.Series(m["value"].to_numpy()[kept]).groupby([*keys, begins]).agg(function).dropna()
    device, series, unit = (
        Coded(made.index.get_level_values(level).to_numpy(), [str(name) for name in part.cat.categories])
        for level, part in enumerate(parts)
    )
    time = made.index.get_level_values(len(parts)).to_numpy(dtype="M8[us]")
    frame = measurements([Columns(time, device, series, unit, made.to_numpy(dtype=np.float64))])
    frame.attrs.update(m.attrs)
    return frame


def coverage(m: pd.DataFrame, step: str = "1h", *, tz: str = "UTC") -> pd.DataFrame:
    """How much of what was to be expected is there: a row for each series and interval, also the empty ones.

    Columns: time (start of the interval, UTC), device, series, count, expected (float64), share (0 to 1, NaN
    where nothing can be expected). Expected is the interval's length, as far as it lies in the window that
    was loaded, over the median step of the series. `step` and `tz` are those of `resample`.
    """
    interval = times.interval(step, name="step")
    names = ["device", "series"]
    if m.empty:
        return _covered(pd.DataFrame({"time": m["time"], **{name: m[name] for name in names}}), [], [])
    begin, end = _window(m)
    grid = np.unique(interval.floors(np.arange(begin, end, min(_length(interval), GRID)), tz))
    parts = [m[name].astype("category") for name in names]
    groups = pd.DataFrame({name: part.to_numpy() for name, part in zip(names, parts, strict=True)})
    number = groups.groupby(names, observed=True, sort=True).ngroup().to_numpy()
    time = m["time"].to_numpy(dtype="M8[us]")
    count = np.zeros((number.max() + 1, len(grid)), np.int64)
    np.add.at(count, (number, np.searchsorted(grid, time, side="right") - 1), 1)
    inside = np.minimum([*grid[1:], end], end) - np.maximum(grid, begin)
    seconds = inside / np.timedelta64(1, "s")
    steps = np.array([_step(time[number == each]) for each in range(len(count))])
    keys = groups.assign(number=number).drop_duplicates("number").sort_values("number")[names]
    table = keys.loc[keys.index.repeat(len(grid))].reset_index(drop=True)
    table.insert(0, "time", pd.DatetimeIndex(np.tile(grid, len(count))).tz_localize("UTC"))
    return _covered(table, count.ravel(), (seconds / steps[:, None]).ravel())


def _covered(table: pd.DataFrame, count: Any, expected: Any) -> pd.DataFrame:
    wanted: NDArray[np.float64] = np.asarray(expected, dtype=np.float64)
    counted: NDArray[np.int64] = np.asarray(count, dtype=np.int64)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(wanted > 0, np.minimum(counted / wanted, 1.0), np.nan)
    keys = table.astype({"device": "category", "series": "category"})
    return keys.assign(count=counted, expected=wanted, share=share)


def _window(m: pd.DataFrame) -> tuple[np.datetime64, np.datetime64]:
    """The window that was loaded, if the frame tells it and its rows lie in it; else that of its rows."""
    first, last = m["time"].min(), m["time"].max()
    begin, end = first, last + pd.Timedelta(1, "us")
    if told := (m.attrs.get("iotnb") or {}).get("window"):
        start, until = pd.Timestamp(told[0]), pd.Timestamp(told[1])
        if start <= first and last < until:
            begin, end = start, until
    plain = [moment.tz_convert("UTC").tz_localize(None).to_datetime64() for moment in (begin, end)]
    return plain[0].astype("M8[us]"), plain[1].astype("M8[us]")


def _length(interval: times.Interval) -> np.timedelta64:
    return np.timedelta64(interval.span, "us") if interval.span is not None else GRID


def _step(time: NDArray[np.datetime64]) -> float:
    """The median step in seconds; NaN for a single value."""
    steps = np.diff(np.unique(time)) / np.timedelta64(1, "s")
    return float(np.median(steps)) if len(steps) else np.nan
