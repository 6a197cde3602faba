"""Measurements as curves: cut by series, thinned for drawing, counted, and estimated before they are loaded.

Numpy and pandas only; plots and widgets draw what comes from here. `m` is a frame of `client.measurements()`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from iotnb.errors import ConfigError

GAP: Final = 3
"""A step of more than this many median steps is a gap."""

COLUMNS: Final = ("time", "device", "series", "value", "unit")
STATISTICS: Final = (
    "device", "series", "unit", "count", "min", "mean", "max", "std", "first", "last", "last_value", "step",
    "gaps", "no_number",
)  # fmt: skip
BLOCK: Final = 128  # points whose lowest and highest are looked up once for all zooms

Times = NDArray[np.datetime64]
Values = NDArray[np.float64]
Positions = NDArray[np.integer[Any]]
Names = Mapping[str, str] | pd.DataFrame | None


@dataclass(slots=True)
class Thinned:
    """One curve ready to draw: NaN stands in each gap; `lone` are positions of points without a neighbour.

    `points` counts the values in the window, `drawn` those that are left.
    """

    time: Times
    value: Values
    lone: Positions
    points: int
    drawn: int


@dataclass(slots=True, eq=False)
class Curve:
    """The numbers of one series of one device in one unit, by time; `time` is UTC without a zone.

    `breaks` are the positions at which a new stretch begins: after a step of more than three median steps, or
    after a value that is no number. `no_number` counts those.
    """

    device: str
    series: str
    unit: str
    time: Times
    value: Values
    no_number: int = 0
    step: float = np.nan
    """The median step in seconds."""
    breaks: Positions = field(default_factory=lambda: np.empty(0, np.int64))
    _extremes: Positions | None = field(default=None, repr=False)

    @classmethod
    def of(cls, time: Times, value: Values, *, device: str = "", series: str = "", unit: str = "") -> Curve:
        """A curve from rows in any order; those without a finite number are left out and end a stretch."""
        ticks = time.astype("M8[us]", copy=False).view(np.int64)
        if (ticks[1:] < ticks[:-1]).any():
            order = np.argsort(ticks, kind="stable")
            ticks, value = ticks[order], value[order]
        finite = np.isfinite(value)
        holes = np.empty(0, np.int64)
        if dropped := len(finite) - int(np.count_nonzero(finite)):
            kept = np.flatnonzero(finite)
            ticks, value = ticks[kept], value[kept]
            holes = np.flatnonzero(np.diff(kept) > 1) + 1
        step, breaks = _breaks(ticks)
        return cls(
            device=device, series=series, unit=unit, time=ticks.view("M8[us]"), value=value,
            no_number=dropped, step=step, breaks=np.union1d(breaks, holes) if len(holes) else breaks,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.time)

    def thin(self, start: np.datetime64, end: np.datetime64, *, bins: int) -> Thinned:
        """The lowest and highest value of each of `bins` intervals of [start, end], spikes and gaps kept.

        Takes one point more at each side, so that lines run out of the picture. Few points stay as they are;
        of many, a gap shorter than an interval cannot be seen and is closed.
        """
        ticks = self.time.view(np.int64)
        low, high = (int(limit.astype("M8[us]").view(np.int64)) for limit in (start, end))
        inner = np.searchsorted(ticks, low), np.searchsorted(ticks, high, side="right")
        first, last = max(int(inner[0]) - 1, 0), min(int(inner[1]) + 1, len(ticks))
        breaks = self.breaks[(self.breaks > first) & (self.breaks < last)]
        picks: Positions
        if last - first <= 2 * bins:
            picks = np.arange(first, last)
        else:
            steps = ticks[breaks] - ticks[breaks - 1]
            breaks = breaks[steps >= (high - low) / bins]
            edges = np.linspace(low, high, bins + 1)[1:-1]
            picks = _outline(ticks, self.value, self._pool(first, last, breaks), breaks, edges)
        segment = np.searchsorted(breaks, picks, side="right")
        lone = np.flatnonzero(np.bincount(segment)[segment] == 1) if len(picks) else picks
        holes = np.flatnonzero(np.diff(segment)) + 1
        kept = ticks[picks]
        between = kept[holes - 1] + (kept[holes] - kept[holes - 1]) // 2
        return Thinned(
            time=np.insert(kept, holes, between).view("M8[us]"),
            value=np.insert(self.value[picks], holes, np.nan),
            lone=lone + np.searchsorted(holes, lone, side="right"),
            points=int(inner[1] - inner[0]),
            drawn=len(picks),
        )

    def _pool(self, first: int, last: int, breaks: Positions) -> Positions:
        """Positions among which the extremes of a window are: all, or those of whole blocks."""
        begin, end = -(-first // BLOCK), last // BLOCK
        if end - begin < 1000:
            return np.arange(first, last)
        if self._extremes is None:
            self._extremes = _blocks(self.value)
        inside = self._extremes[2 * begin : 2 * end]
        pool = np.concatenate([np.arange(first, begin * BLOCK), inside, np.arange(end * BLOCK, last)])
        if len(breaks):  # a stable sort is quick with what is sorted but for a few
            pool = np.sort(np.concatenate([pool, breaks - 1, breaks]), kind="stable")
        return pool


def split(m: pd.DataFrame) -> list[Curve]:
    """The frame cut by device, series and unit, in the order of their names; "" is no unit.

    Raises ConfigError for a frame without the columns of measurements or without a time zone.
    """
    missing = [name for name in COLUMNS if name not in getattr(m, "columns", ())]
    if missing:
        raise ConfigError(f"no column {', '.join(missing)}: pass a frame as client.measurements() returns it")
    keys = [m[name].astype("category").cat for name in ("device", "series", "unit")]
    time, value = naive(m["time"]), m["value"].to_numpy(dtype=np.float64)
    code = _coded(keys, len(m))
    found, group = _grouped(code)
    # a stable sort of 16-bit numbers is a radix sort: ten million rows in a tenth of a second
    several = len(found) > 1
    order = np.argsort(group, kind="stable") if several else group
    borders = np.concatenate([[0], np.cumsum(np.bincount(group))]) if several else np.array([0, len(m)])
    made = []
    for position, combined in enumerate(found.tolist()):
        rows = order[borders[position] : borders[position + 1]] if several else slice(None)
        left, parts = combined, []
        for key in reversed(keys):
            left, at = divmod(left, len(key.categories) + 1)
            parts.append(str(key.categories[at - 1]) if at else "")
        unit, series, device = parts
        made.append(Curve.of(time[rows], value[rows], device=device, series=series, unit=unit))
    return made


def thin(time: Times, value: Values, *, start: np.datetime64, end: np.datetime64, bins: int) -> Thinned:
    """`Curve.thin` for two arrays: `time` without a zone, rows in any order."""
    return Curve.of(time, value).thin(start, end, bins=bins)


def statistics(m: pd.DataFrame) -> pd.DataFrame:
    """One row a series: what its numbers are like.

    Columns: device, series, unit, count, min, mean, max, std, first, last (times, UTC), last_value, step (the
    median, timedelta), gaps (steps of more than three median steps, and values that are no number between
    two that are), no_number (rows without a finite number).
    """
    rows = [_described(curve) for curve in split(m)]
    made = pd.DataFrame(rows, columns=list(STATISTICS))
    for name in ("device", "series", "unit"):
        made[name] = made[name].astype("str")
    for name in ("first", "last"):
        made[name] = pd.to_datetime(made[name], utc=True).astype("datetime64[us, UTC]")
    made["step"] = pd.to_timedelta(made["step"], unit="s").astype("timedelta64[us]")
    numbers = dict.fromkeys(("min", "mean", "max", "std", "last_value"), "float64")
    return made.astype({**numbers, "count": "int64", "gaps": "int64", "no_number": "int64"})


def expected(
    known: pd.DataFrame, sample: pd.DataFrame, *, start: pd.Timestamp, end: pd.Timestamp
) -> int | None:
    """About how many values [start, end) holds of the series in `known`, by the steps in a sample of some.

    `known` has the columns device, series, first and last (UTC, missing where nobody knows) of
    `client.series()`. A series that is not in the sample is taken to have the step of its namesake on other
    devices, else the usual step of the sample. None when no two values of the sample follow each other.
    """
    steps = {(curve.device, curve.series): curve.step for curve in split(sample) if curve.step > 0}
    if not steps:
        return None
    usual = float(np.median(list(steps.values())))
    total = 0.0
    for device, series, first, last in known[["device", "series", "first", "last"]].itertuples(index=False):
        namesakes = [step for (_, name), step in steps.items() if name == series]
        step = steps.get((str(device), str(series)), float(np.median(namesakes)) if namesakes else usual)
        begin = start if pd.isna(first) else max(start, first)
        until = end if pd.isna(last) else min(end, last + pd.Timedelta(seconds=step))
        total += max((until - begin).total_seconds(), 0.0) / step
    return round(total)


def naive(times: pd.Series) -> Times:
    """UTC without a zone, as datetime64[us]; ConfigError for a column without a time zone."""
    if getattr(times.dt, "tz", None) is None:
        raise ConfigError(f"column {times.name} has no time zone: frames of a client have one, UTC")
    plain: Times = times.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
    return plain.astype("M8[us]", copy=False)


def titles(names: Names) -> Mapping[str, str]:
    """Device id -> name, from a mapping or from a frame of `client.devices()`."""
    if names is None:
        return {}
    if not isinstance(names, pd.DataFrame):
        return names
    missing = [name for name in ("device", "name") if name not in names.columns]
    if missing:
        raise ConfigError(f"no column {', '.join(missing)}: pass a frame as client.devices() returns it")
    known = names.dropna(subset=["name"])
    return dict(zip(known["device"].astype(str), known["name"].astype(str), strict=True))


def _described(curve: Curve) -> dict[str, Any]:
    row: dict[str, Any] = {
        "device": curve.device, "series": curve.series, "unit": curve.unit, "count": len(curve),
        "gaps": len(curve.breaks), "no_number": curve.no_number, "step": curve.step,
    }  # fmt: skip
    if len(curve):
        value = curve.value
        row |= {"min": value.min(), "mean": value.mean(), "max": value.max(), "last_value": value[-1]}
        row |= {"std": value.std(ddof=1) if len(value) > 1 else np.nan}
        row |= {"first": curve.time[0], "last": curve.time[-1]}
    return row


def _coded(keys: list[Any], rows: int) -> Positions:
    """A number per row for its combination of keys, as small as can be; unit -1 (none) becomes 0."""
    most = math.prod(len(key.categories) + 1 for key in keys)
    code = np.zeros(rows, np.min_scalar_type(-most))
    for key in keys:
        code *= code.dtype.type(len(key.categories) + 1)
        code += key.codes.to_numpy().astype(code.dtype, copy=False)
        code += code.dtype.type(1)
    return code


def _grouped(code: Positions) -> tuple[Any, Any]:
    """The codes that occur, and the position of each row's code among them; a count when they are few."""
    if not len(code) or code.max() > 10_000_000:
        values, position = np.unique(code, return_inverse=True)
        return values, position
    if code.min() == code.max():
        return code[:1], code
    found = np.flatnonzero(np.bincount(code))
    position = np.zeros(found[-1] + 1, np.min_scalar_type(len(found)))
    position[found] = np.arange(len(found))
    return found, position[code]


def _breaks(ticks: Positions) -> tuple[float, Positions]:
    """The median step in seconds, and the positions at which a new stretch begins after a gap."""
    steps = np.diff(ticks)
    sample = steps[:: len(steps) // 100_000 + 1]  # the median of a sample is good enough to know a gap
    sample = sample[sample > 0]
    if not len(sample):
        return np.nan, np.empty(0, np.int64)
    median = float(np.median(sample))
    return median / 1e6, np.flatnonzero(steps > GAP * median) + 1


def _blocks(value: Values) -> Positions:
    """Positions of the lowest and the highest value of each whole block, two a block, in order."""
    whole = value[: len(value) // BLOCK * BLOCK].reshape(-1, BLOCK)
    at = np.stack([whole.argmin(axis=1), whole.argmax(axis=1)], axis=1)
    at.sort(axis=1)
    at += (np.arange(len(whole)) * BLOCK)[:, None]
    return at.ravel()


def _outline(
    ticks: Positions, value: Values, pool: Positions, breaks: Positions, edges: NDArray[np.float64]
) -> Positions:
    """Positions of the lowest and highest value of each interval, and of each stretch's first and last."""
    cuts = np.searchsorted(ticks[pool], edges)
    begins = np.searchsorted(pool, breaks)
    borders = np.unique(np.concatenate([[0], cuts, begins, [len(pool)]]))
    starts, here = borders[:-1], value[pool]
    interval = np.repeat(np.arange(len(starts)), np.diff(borders))
    picks: list[Positions] = [np.array([0, len(pool) - 1]), begins, begins - 1]
    for extremes in (np.minimum.reduceat(here, starts), np.maximum.reduceat(here, starts)):
        at = np.flatnonzero(here == extremes[interval])  # at least one in each interval: its first counts
        picks.append(at[np.searchsorted(interval[at], np.arange(len(starts)))])
    return pool[np.unique(np.concatenate(picks))]
