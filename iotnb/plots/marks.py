"""Events, alarms and operations over a plot of measurements."""

from typing import Any, Final

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import dates as mdates
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from iotnb.errors import ConfigError
from iotnb.plots import style
from iotnb.plots.timeline import STATUSES, look

SEVERITIES: Final = {
    "CRITICAL": ("#c1121f", "X"),
    "MAJOR": ("#e36414", "v"),
    "MINOR": ("#c28e00", "D"),
    "WARNING": ("#3f8fd0", "o"),
}
ODD: Final = {"spike": (style.ALERT, "X"), "still": ("#7a5cc0", "s")}
_OTHER: Final = ("#7a5cc0", "P")
_LINES: Final = 60  # more vertical lines than this hide the curves: then only the symbols are drawn


def mark(ax: Axes, frame: pd.DataFrame) -> Axes:
    """Marks alarms, events, operations or anomalies in a plot made by `lines`; returns the same Axes.

    The frame's own columns tell which they are. Alarms carry a symbol per severity and a band from their
    first to their last moment (to the right edge while not CLEARED); events and operations a symbol and a
    line at their time; anomalies (a frame of `analysis.anomalies()`) a symbol and a band. What lies outside
    of the plot's time is not drawn, but for a margin of 5 %.
    """
    kind_of(frame)  # anything else is refused before something is drawn
    axes = [each for each in ax.get_shared_x_axes().get_siblings(ax) if each.figure is ax.figure]
    _widen(ax, frame["time"])
    low, high = (mdates.num2date(limit, tz="UTC") for limit in ax.get_xlim())  # type: ignore[no-untyped-call]
    begin, end = spans(frame, latest=pd.Timestamp(high))
    seen = (begin <= high) & (end >= low)
    for name, (colour, symbol, rows) in groups(frame[seen]).items():
        starts = style.naive(begin[seen][rows].clip(lower=pd.Timestamp(low)))
        ends = style.naive(end[seen][rows])
        if seen.sum() <= _LINES:
            _lines(axes, starts, ends, colour)
        top = max(axes, key=lambda each: each.get_position().y1)
        _symbols(top, starts, colour, symbol, f"{name} ({len(starts)})")
    return ax


def kind_of(frame: pd.DataFrame) -> str:
    """What the rows are: alarm, event, operation or anomaly; ConfigError for anything else."""
    for kind in ("alarm", "event", "operation"):
        if kind in frame.columns:
            return kind
    if {"time", "end", "kind", "usual"} <= set(frame.columns):
        return "anomaly"
    raise ConfigError(
        "nothing to mark: pass a frame of client.alarms(), .events(), .operations() or analysis.anomalies()"
    )


def spans(frame: pd.DataFrame, *, latest: pd.Timestamp) -> tuple[pd.Series, pd.Series]:
    """When each row begins and ends: an alarm that is not cleared at `latest`; the others are moments."""
    if kind_of(frame) == "anomaly":
        return frame["time"], frame["end"]
    if kind_of(frame) != "alarm":
        return frame["time"], frame["time"]
    begin = frame["first_seen"].fillna(frame["time"])
    return begin, _end(frame, begin, latest)


def _widen(ax: Axes, moments: pd.Series) -> None:
    """Gives room to what happened just before the first value or after the last one."""
    low, high = ax.get_xlim()
    edge = 0.05 * (high - low)
    places = mdates.date2num(style.naive(moments))  # type: ignore[no-untyped-call]
    near = places[(places >= low - edge) & (places <= high + edge)]
    if len(near) and (near.min() < low or near.max() > high):
        pad = 0.01 * (high - low)
        ax.set_xlim(min(low, near.min() - pad), max(high, near.max() + pad))


def _end(alarms: pd.DataFrame, begin: pd.Series, high: pd.Timestamp) -> pd.Series:
    """When each alarm ended: cleared, or still there at the right edge; unknown ends count as a moment."""
    ended = alarms["cleared"].where(alarms["cleared"].notna(), alarms["time"])
    ended = ended.mask((alarms["status"] != "CLEARED").to_numpy(), high)
    return ended.where(ended >= begin, begin)


def groups(frame: pd.DataFrame) -> dict[str, tuple[str, str, Any]]:
    """Word of the legend -> colour, matplotlib's symbol, mask of its rows."""
    kind = kind_of(frame)
    column = {"alarm": "severity", "event": "type", "operation": "status", "anomaly": "kind"}[kind]
    words = frame[column].astype(str)
    if kind == "event" and words.nunique() > 6:  # too many words for symbols: one for all
        return {f"events of {words.nunique()} types": (*_OTHER, np.ones(len(frame), bool))}
    found: dict[str, tuple[str, str, Any]] = {}
    order = {"alarm": list(SEVERITIES), "operation": list(STATUSES)}.get(kind, [])
    for word in sorted(words.unique(), key=lambda each: (order.index(each) if each in order else 99, each)):
        if kind == "alarm":
            colour, symbol = SEVERITIES.get(word, _OTHER)
        elif kind == "anomaly":
            colour, symbol = ODD.get(word, _OTHER)
        elif kind == "operation":
            colour, symbol = look(word).colour, look(word).symbol
        else:
            position = len(found)
            colour, symbol = style.palette()[::-1][position % 6], "P^*d<>"[position % 6]
        found[f"{kind} {word}"] = (colour, symbol, (words == word).to_numpy())
    return found


def _lines(axes: list[Axes], starts: Any, ends: Any, colour: str) -> None:
    for ax in axes:
        limits = ax.get_xlim()
        for start, end in zip(starts, ends, strict=True):
            ax.axvline(start, color=colour, linewidth=0.8, alpha=0.7, zorder=1)
            if end > start:
                ax.axvspan(start, end, color=colour, alpha=0.1, linewidth=0, zorder=0)
        ax.set_xlim(limits)


def _symbols(ax: Axes, starts: Any, colour: str, symbol: str, label: str) -> None:
    """Symbols on the upper edge, and their word behind those that the legend has already."""
    limits = ax.get_xlim()
    handle = Line2D([], [], linestyle="", marker=symbol, color=colour, markersize=6)
    ax.plot(
        starts, np.ones(len(starts)), transform=ax.get_xaxis_transform(), linestyle="", marker=symbol,
        color=colour, markersize=6, clip_on=False, label="_mark", zorder=4,
        markeredgecolor=mpl.rcParams["axes.facecolor"], markeredgewidth=0.5,
    )  # fmt: skip
    ax.set_xlim(limits)
    old = ax.get_legend()
    handles = list(old.legend_handles) if old else []
    words = [text.get_text() for text in old.get_texts()] if old else []
    style.legend(ax, [*handles, handle], [*words, label], most=24)
