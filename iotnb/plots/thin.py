"""Fewer points, the same picture: the lowest and highest value of each interval, gaps kept."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

GAP = 3
"""A step of more than this many median steps is a gap."""

Times = NDArray[np.datetime64]
Values = NDArray[np.float64]
Positions = NDArray[np.integer[Any]]


@dataclass(slots=True)
class Thinned:
    """One curve ready to draw: NaN stands in each gap; `lone` are positions of points without a neighbour."""

    time: Times
    value: Values
    lone: Positions
    points: int
    drawn: int


def thin(time: Times, value: Values, *, start: np.datetime64, end: np.datetime64, bins: int) -> Thinned:
    """At most about two points per interval of [start, end], spikes and gaps kept; `time` without a zone.

    Rows without a finite value are left out. A gap shorter than an interval cannot be seen and is closed when
    there are more points than the intervals can show.
    """
    finite = np.isfinite(value)
    if not finite.all():
        time, value = time[finite], value[finite]
    ticks = time.astype("M8[us]").view(np.int64)
    if (ticks[1:] < ticks[:-1]).any():
        order = np.argsort(ticks, kind="stable")
        ticks, value = ticks[order], value[order]
    low, high = (int(limit.astype("M8[us]").view(np.int64)) for limit in (start, end))
    crowded = len(ticks) > 2 * bins
    breaks = _breaks(ticks, at_least=(high - low) / bins if crowded else 0)
    picks: Positions = np.arange(len(ticks))
    if crowded:
        picks = _extremes(ticks, value, breaks, np.linspace(low, high, bins + 1))
    segment = np.searchsorted(breaks, picks, side="right")
    lone = np.flatnonzero(np.bincount(segment)[segment] == 1) if len(picks) else picks
    holes = np.flatnonzero(np.diff(segment)) + 1
    kept = ticks[picks].view("M8[us]")
    return Thinned(
        time=np.insert(kept, holes, kept[holes]),
        value=np.insert(value[picks], holes, np.nan),
        lone=lone + np.searchsorted(holes, lone, side="right"),
        points=len(ticks),
        drawn=len(picks),
    )


def _breaks(ticks: Positions, *, at_least: float) -> Positions:
    """Positions at which a new stretch begins after a gap."""
    steps = np.diff(ticks)
    sample = steps[:: len(steps) // 100_000 + 1]  # the median of a sample is good enough to know a gap
    sample = sample[sample > 0]
    if not len(sample):
        return np.empty(0, np.int64)
    return np.flatnonzero(steps > max(GAP * float(np.median(sample)), at_least)) + 1


def _extremes(ticks: Positions, value: Values, breaks: Positions, edges: NDArray[np.float64]) -> Positions:
    """Positions of the lowest and highest value of each interval, and of each stretch's first and last."""
    cuts = np.searchsorted(ticks, edges[1:-1])
    borders = np.unique(np.concatenate([[0], cuts, breaks, [len(ticks)]]))
    picks = [0, len(ticks) - 1, *breaks, *(breaks - 1)]
    for first, last in zip(borders[:-1].tolist(), borders[1:].tolist(), strict=True):
        part = value[first:last]
        picks += [first + int(part.argmin()), first + int(part.argmax())]
    return np.unique(np.array(picks, dtype=np.int64))
