"""What changed around operations, alarms or events."""

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from iotnb.plots import style

COLUMNS: Final = ("what", "series", "change", "score")
WIDEST: Final = 12.0  # scores beyond are drawn at the edge


def changes(found: pd.DataFrame, *, ax: Axes | Figure | None = None, title: str | None = None) -> Axes:
    """Draws how much series changed around what happened: a row per kind and series, a dot per occasion.

    `found` is a frame of `analysis.around()`. The change is in units of the spread before (score), so that
    series of unlike units share an axis; the bar is the median. What lies beyond 12 is drawn at the edge.
    Rows are ordered by the median, so that what moved most stands at the top.
    """
    style.checked(found, COLUMNS, verb="measurements")
    known = found.dropna(subset=["score"])
    if known.empty:
        return style.no_data(ax, found, words="nothing happened with values before and after it")
    groups = known.groupby(["what", "series"])["score"]
    order = groups.median().sort_values(key=np.abs)
    only = style.panels(ax, 1, height=1.5 + 0.3 * len(order))[0]
    edge = max(2.0, min(WIDEST, float(known["score"].abs().max())) * 1.05)
    rng = np.random.default_rng(0)  # the same picture each time
    for row, (key, median) in enumerate(order.items()):
        score = groups.get_group(key).clip(-edge, edge)
        place = row + rng.uniform(-0.18, 0.18, len(score))
        colour = style.palette()[0]
        only.plot(score, place, linestyle="", marker="o", markersize=4, alpha=0.55, color=colour)
        middle = float(np.clip(median, -edge, edge))
        only.plot([middle, middle], [row - 0.34, row + 0.34], linewidth=2.4, color=style.palette()[1])
    only.axvline(0, linewidth=0.8, alpha=0.6, color="0.5", zorder=0)
    only.set_yticks(
        range(len(order)), [f"{what}:  {series}" for what, series in order.index], fontsize="small"
    )
    only.set_ylim(-0.6, len(order) - 0.4)
    only.set_xlim(-edge, edge)
    style.tidy(only, grid="x")
    only.set_xlabel("change, in spreads of the values before", fontsize="small", loc="left")
    style.heading(only, "What changed" if title is None else title)
    style.source(only, found, what=f"{len(known):,} pairs of before and after; bar: median")
    return only
