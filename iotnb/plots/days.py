"""The usual day: what a series is like at each hour, to compare devices."""

from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from iotnb import times
from iotnb.curves import Curve, split
from iotnb.plots import style
from iotnb.plots.style import Names

HALF_HOURS: Final = 48
BAND: Final = (10, 90)  # per cent of the days between which the band lies


def daily(
    m: pd.DataFrame,
    *,
    ax: Axes | Figure | None = None,
    names: Names = None,
    tz: str = "UTC",
    title: str | None = None,
) -> Axes:
    """Draws the usual day of each device: the median of each half hour, and the band of most values.

    `m` is a frame of `client.measurements()`; more than one unit gives axes one below the other. `tz` names
    the zone whose clock is meant ("Europe/Berlin"): what people do follows it, also when clocks change. The
    band holds the values from the 10th to the 90th per cent; with more than six curves only the medians are
    drawn. `names` maps device ids to names, as in `lines`.
    """
    zone = times.zone(tz)
    curves = [curve for curve in split(m) if len(curve)]
    if not curves:
        return style.no_data(ax, m, words="no data")
    units = list(dict.fromkeys(curve.unit for curve in curves))
    axes = style.panels(ax, len(units), height=3.4 if len(units) == 1 else 1.2 + 2.1 * len(units))
    common, called = style.shown(sorted({curve.device for curve in curves}, key=style.natural), names)
    for each, unit in zip(axes, units, strict=True):
        here = [curve for curve in curves if curve.unit == unit]
        handles, labels = [], []
        for position, curve in enumerate(here):
            handles.append(_draw(each, curve, zone, style.look(position), band=len(here) <= 6))
            labels.append(_label(curve, here, called))
        style.tidy(each)
        series = {curve.series for curve in here}
        what = next(iter(series)).replace(".", ".\n", 1) if len(series) == 1 else ""
        each.set_ylabel(f"{what} [{unit}]".strip() if unit else what or "no unit", fontsize="small")
        if len(here) > 1:
            style.legend(each, handles, labels)
    _hours(axes[-1], tz)
    words = f"{common} …: the usual day" if common else "The usual day"
    style.heading(axes[0], words if title is None else title)
    style.corner(axes[0], m)  # hatches would have no place: the axis is no longer that of the data
    style.source(axes[-1], m, what=f"{len(m):,} values; line: median, band: {BAND[0]} to {BAND[1]} %")
    return axes[0]


def _draw(ax: Axes, curve: Curve, zone: Any, look: dict[str, Any], *, band: bool) -> Any:
    local = pd.DatetimeIndex(curve.time).tz_localize("UTC").tz_convert(zone)
    place = np.asarray(local.hour * 2 + local.minute // 30)
    groups = pd.Series(curve.value).groupby(place)
    hours = (np.arange(HALF_HOURS) + 0.5) / 2
    usual = groups.median().reindex(range(HALF_HOURS)).to_numpy()
    if band:
        low, high = (groups.quantile(share / 100).reindex(range(HALF_HOURS)).to_numpy() for share in BAND)
        ax.fill_between(hours, low, high, color=look["color"], alpha=0.15, linewidth=0)
    return ax.plot(hours, usual, linewidth=1.6, **look)[0]


def _label(curve: Curve, here: list[Curve], called: dict[str, str]) -> str:
    if len({each.device for each in here}) == 1:
        return curve.series
    one = len({each.series for each in here}) == 1
    return called[curve.device] if one else f"{called[curve.device]}  {curve.series}"


def _hours(ax: Axes, tz: str) -> None:
    ax.set_xlim(0, 24)
    ax.set_xticks(range(0, 25, 3), [f"{hour:02d}:00" for hour in range(0, 25, 3)])
    ax.set_xlabel(f"time of day ({tz})", fontsize="small", loc="left")
