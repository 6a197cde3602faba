"""Operations as bars on a timeline: one lane a device or kind, from creation to the last known change."""

from dataclasses import dataclass
from typing import Any, Final, Literal

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from iotnb.plots import style
from iotnb.plots.style import Names

COLUMNS = ("time", "operation", "device", "status", "finished")
_BAR: Final = 0.56  # of the height of a lane


@dataclass(frozen=True)
class Status:
    """How a status is drawn: colour, hatch of the bar, symbol at its beginning."""

    colour: str
    hatch: str
    symbol: str


STATUSES: Final = {
    "PENDING": Status("#7d828a", "....", "D"),
    "EXECUTING": Status("#3f8fd0", "////", ">"),
    "SUCCESSFUL": Status("#2a9d6f", "", "o"),
    "FAILED": Status("#d1495b", "xxxx", "X"),
    "CANCELLED": Status("#a07b3b", "----", "s"),
}


def look(status: str) -> Status:
    """How a status is drawn, those of other words included."""
    return STATUSES.get(status, Status("#7a5cc0", "++++", "P"))


def operations(
    ops: pd.DataFrame,
    *,
    ax: Axes | Figure | None = None,
    names: Names = None,
    title: str | None = None,
    by: Literal["device", "kind"] = "device",
) -> Axes:
    """Draws a history of operations: a lane per device, or per kind, a bar from created to finished.

    `ops` is a frame of `client.operations()`. The status shows as symbol, pattern, colour and as a word in
    the legend. A bar without a right edge has no recorded end: it reaches to the end of what was asked for
    while the operation is PENDING or EXECUTING, else it is a stub. `names` maps device ids to names, as in
    `lines`.
    """
    style.checked(ops, (*COLUMNS, by), verb="operations")
    if ops.empty:
        return style.no_data(ax, ops, words="no data: no operations in this time")
    begin, end, kind = _spans(ops)
    lanes = list(dict.fromkeys(ops.sort_values("time")[by].astype(str)))
    only = style.panels(ax, 1, height=1.5 + 0.34 * len(lanes))[0]
    row = pd.Categorical(ops[by].astype(str), categories=lanes).codes
    status = ops["status"].astype(str).to_numpy()
    words = [*STATUSES, *sorted(set(status) - set(STATUSES))]
    for word in [word for word in words if word in status]:
        here = status == word
        _draw(only, row[here], begin[here], end[here], kind[here], word)
    common, called = style.shown(lanes, names if by == "device" else None, most=34)
    _dress(only, [called[lane] for lane in lanes])
    style.time_axis(only, *_limits(begin, end))
    count = ops["device"].nunique()
    told = f"{len(ops):,} operations on {count} device{'s' if count > 1 else ''}"
    style.heading(only, title if title is not None else f"{common} …: {told}" if common else told)
    style.legend(only, *_legend(words, status, kind))
    style.warn_incomplete([only], ops)
    style.source(only, ops, what=f"{len(ops):,} operations")
    return only


def _spans(ops: pd.DataFrame) -> tuple[Any, Any, Any]:
    """Begin, end and kind of each bar: "closed", "open" (not over yet) or "stub" (end not recorded)."""
    begin, end = style.naive(ops["time"]), style.naive(ops["finished"])
    known = ~np.isnat(end)
    window = style.provenance(ops).get("window")
    latest = max([begin.max(), *end[known]])
    if window:
        latest = max(latest, np.datetime64(window[1].removesuffix("Z"), "us"))
    going = ops["status"].isin(["PENDING", "EXECUTING"]).to_numpy()
    kind = np.where(known, "closed", np.where(going, "open", "stub"))
    stub = max(latest - begin.min(), np.timedelta64(60, "s")) // 40
    return begin, np.where(known, end, np.where(going, latest, begin + stub)), kind


def _limits(begin: Any, end: Any) -> tuple[Any, Any]:
    first, last = begin.min(), end.max()
    edge = max(last - first, np.timedelta64(60, "s")) // 50
    return first - edge, last + edge


def _draw(ax: Axes, row: Any, begin: Any, end: Any, kind: Any, word: str) -> None:
    shown = look(word)
    edge = mpl.rcParams["axes.facecolor"]
    for lane in np.unique(row):
        low = lane - _BAR / 2
        for closed in (True, False):
            here = (row == lane) & ((kind == "closed") == closed)
            bars = list(zip(begin[here], (end - begin)[here], strict=True))
            fill: dict[str, Any] = {"facecolor": shown.colour, "edgecolor": edge, "linewidth": 0.4}
            if not closed:
                fill = {"facecolor": (shown.colour, 0.25), "edgecolor": shown.colour, "linewidth": 0}
            if bars:
                ax.broken_barh(bars, (low, _BAR), hatch=shown.hatch, zorder=2, **fill)
            if not closed:
                _open_edges(ax, begin[here], end[here], low, shown.colour)
    ax.plot(
        begin, row, linestyle="", marker=shown.symbol, markersize=6.5, color=shown.colour, zorder=3,
        markeredgecolor=edge, markeredgewidth=0.7,
    )  # fmt: skip


def _open_edges(ax: Axes, begin: Any, end: Any, low: float, colour: str) -> None:
    """Dashed upper and lower edges, and none at the right."""
    for height in (low, low + _BAR):
        ax.hlines(
            np.full(len(begin), height),
            begin,
            end,
            colors=colour,
            linestyles="dashed",
            linewidth=0.9,
            zorder=2,
        )


def _dress(ax: Axes, lanes: list[str]) -> None:
    style.tidy(ax, grid="x")
    ax.set_ylim(len(lanes) - 0.4, -0.6)
    step = len(lanes) // 40 + 1
    shown = range(0, len(lanes), step)
    ax.set_yticks(list(shown), [lanes[i] for i in shown])
    ax.tick_params(axis="y", length=0)


def _legend(words: list[str], status: Any, kind: Any) -> tuple[list[Any], list[str]]:
    handles: list[Any] = []
    labels = []
    edge = mpl.rcParams["axes.facecolor"]
    for word in words:
        if count := int((status == word).sum()):
            shown = look(word)
            patch = Patch(facecolor=shown.colour, hatch=shown.hatch, edgecolor=edge, linewidth=0.4)
            symbol = Line2D([], [], linestyle="", marker=shown.symbol, color=shown.colour, markersize=6.5)
            handles.append((patch, symbol))
            labels.append(f"{word} ({count})")
    if (kind != "closed").any():
        handles.append(Line2D([], [], linestyle="dashed", color=mpl.rcParams["text.color"], alpha=0.6))
        labels.append(f"end not recorded ({int((kind != 'closed').sum())})")
    return handles, labels
