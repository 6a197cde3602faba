"""Coverage: how many values each device has in each hour or day."""

from typing import Any, Final

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm, Normalize

from iotnb.client import Devices, identifiers
from iotnb.errors import ConfigError
from iotnb.plots import style
from iotnb.plots.style import Names

COLUMNS = ("time", "device", "series")
_HOURS_UP_TO: Final = np.timedelta64(4, "D")


def coverage(
    m: pd.DataFrame,
    *,
    ax: Axes | None = None,
    names: Names = None,
    devices: Devices = None,
    per: str | None = None,
    by: str = "device",
    title: str | None = None,
) -> Axes:
    """Draws how many values there are: a row per device, a column per hour or day (UTC), hatched if none.

    `m` is a frame of `client.measurements()`. `devices` (ids, or a frame with a `device` column) have a row
    even if they sent nothing. `per` is "hour" or "day"; by itself hours up to four days, else days.
    `by="series"` gives a row per device and series, and since these come at unlike rates, the colour
    tells the share of what the row's fullest column has. `names` maps device ids to names, as in `lines`.
    """
    if per not in {None, "hour", "day"} or by not in {"device", "series"}:
        raise ConfigError(f'per={per!r}, by={by!r}: per is "hour" or "day", by is "device" or "series"')
    style.checked(m, COLUMNS, verb="measurements")
    if m.empty:
        return style.no_data(ax, m, words="no data")
    time = style.naive(m["time"])
    unit = per or ("hour" if time.max() - time.min() <= _HOURS_UP_TO else "day")
    rows, labels, common = _rows(m, by, names, [] if devices is None else identifiers(devices))
    counts, edges = _counts(time, rows, len(labels), unit)
    only = style.panels(ax, 1, height=1.7 + 0.26 * len(counts))[0]
    _hatch(only)
    told = f"values per {unit}"
    cells, norm = counts.astype(float), _norm(counts)
    if by == "series":
        told = f"% of the row's fullest {unit}"
        fullest = np.maximum(counts.max(axis=1, keepdims=True), 1)
        cells, norm = 100 * counts / fullest, Normalize(vmin=0, vmax=100)
    mesh = only.pcolormesh(
        edges, np.arange(len(counts) + 1) - 0.5, np.where(counts > 0, cells, np.nan), cmap=_colours(),
        norm=norm, linewidth=0.4 if counts.shape[1] <= 120 else 0,
        edgecolors=mpl.rcParams["axes.facecolor"],
    )  # fmt: skip
    _dress(only, labels)
    style.time_axis(only, edges[0], edges[-1])
    bar = only.figure.colorbar(mesh, ax=only, pad=0.01, aspect=30, shrink=0.9)
    bar.set_label(told, fontsize="small")
    bar.ax.tick_params(labelsize="x-small")
    bar.outline.set_visible(False)
    words = f"{common} …: values per {unit}" if common else f"values per {unit}"
    style.heading(only, words if title is None else title)
    style.warn_incomplete([only], m)
    style.source(only, m, what=f"{len(m):,} values in {(counts > 0).mean():.1%} of the cells; hatched: none")
    return only


def _rows(m: pd.DataFrame, by: str, names: Names, wanted: list[str]) -> tuple[Any, list[str], str]:
    """The row of each value, the rows' names in their order, and the words that all names begin with."""
    device = m["device"].astype("category").cat.remove_unused_categories().cat
    sending = [str(each) for each in device.categories]
    silent = [each for each in wanted if each not in set(sending)]
    common, called = style.shown([*sending, *silent], names, most=36)
    labels = [called[each] for each in sending]
    codes = device.codes.to_numpy().astype(np.int64)
    if by == "series":
        series = m["series"].astype("category").cat.remove_unused_categories().cat
        labels = [f"{label}  {each}" for label in labels for each in series.categories]
        codes = codes * len(series.categories) + series.codes.to_numpy()
    used = np.flatnonzero(np.bincount(codes, minlength=len(labels))).tolist()
    used += range(len(labels), len(labels) + len(silent))
    labels += [called[each] for each in silent]
    order = sorted(used, key=lambda each: style.natural(labels[each]))
    row = np.zeros(len(labels), np.int64)
    row[order] = np.arange(len(order))
    return row[codes], [labels[each] for each in order], common


def _counts(time: Any, rows: Any, lanes: int, unit: str) -> tuple[Any, Any]:
    """Counts per row and interval, and the edges of the intervals."""
    width = {"hour": "h", "day": "D"}[unit]
    bins = time.astype(f"M8[{width}]").astype(np.int64)
    first = int(bins.min())
    columns = int(bins.max()) - first + 1
    flat = np.bincount(rows * columns + bins - first, minlength=columns * lanes)
    edges = (np.arange(columns + 1) + first).astype(f"M8[{width}]").astype("M8[us]")
    return flat.reshape(lanes, columns), edges


def _colours() -> LinearSegmentedColormap:
    """Viridis without its ends, which vanish on a dark and on a light background."""
    return LinearSegmentedColormap.from_list("iotnb", mpl.colormaps["viridis"](np.linspace(0.15, 0.95, 64)))


def _norm(counts: Any) -> Normalize:
    """A logarithmic scale where the fullest cell has far more than the typical one."""
    some = counts[counts > 0]
    if some.max() > 30 * max(float(np.median(some)), 1.0):
        return LogNorm(vmin=some.min(), vmax=some.max())
    return Normalize(vmin=0, vmax=some.max())


def _hatch(ax: Axes) -> None:
    ax.patch.set(hatch="////", edgecolor=(mpl.rcParams["text.color"], 0.22), linewidth=0)


def _dress(ax: Axes, names: list[str]) -> None:
    ax.spines[:].set_visible(False)
    ax.set_ylim(len(names) - 0.5, -0.5)
    step = len(names) // 45 + 1
    shown = range(0, len(names), step)
    ax.set_yticks(list(shown), [names[i] for i in shown])
    ax.tick_params(labelsize="small", length=0)
    ax.tick_params(axis="x", length=3)
