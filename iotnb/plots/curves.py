"""Measurements as lines: one axes a unit, one curve a device and series."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from iotnb.curves import Curve, split
from iotnb.errors import ConfigError
from iotnb.plots import style
from iotnb.plots.style import Names


def lines(
    m: pd.DataFrame,
    *,
    ax: Axes | Figure | None = None,
    names: Names = None,
    title: str | None = None,
    bins: int = 1000,
) -> Axes:
    """Draws measurements over time, one axes per unit, one line per device and series.

    `m` is a frame of `client.measurements()`. More than one unit gives axes one below the other: the upper
    one is returned, `ax.figure.axes` holds all. A step of more than three times the median step is a gap and
    stays one. Of many points the lowest and highest in each of `bins` intervals are drawn, so no spike is
    lost. `names` maps device ids to names: a mapping or a frame of `client.devices()`. `ax` may also be an
    empty `matplotlib.figure.Figure`, which is then drawn without pyplot. No numbers to draw is an Axes that
    says so.
    """
    if bins < 1:
        raise ConfigError(f"bins={bins} must be at least 1")
    curves = [curve for curve in split(m) if len(curve)]
    if not curves:
        words = "no data" if m.empty else f"no data: none of the {len(m):,} values is a number"
        return style.no_data(ax, m, words=words)
    units = list(dict.fromkeys(curve.unit for curve in curves))
    axes = style.panels(ax, len(units), height=3.4 if len(units) == 1 else 1.2 + 2.1 * len(units))
    start, end = _limits(curves, m)
    common, called = style.shown(sorted({curve.device for curve in curves}, key=style.natural), names)
    drawn = points = 0
    told: list[str] = []
    for each, unit in zip(axes, units, strict=True):
        here = [curve for curve in curves if curve.unit == unit]
        labels = _labels(here, called)
        for curve, look in zip(here, _looks(here, curves), strict=True):
            drawn += _draw(each, curve, look, (start, end), bins)
            points += len(curve.time)
        _dress(each, here, [] if labels == told else labels, small=isinstance(ax, Axes) and len(units) > 1)
        told = labels
    style.time_axis(axes[-1], start, end)
    for each in axes[:-1]:
        each.tick_params(labelbottom=False)
    style.heading(axes[0], title if title is not None else _title(curves, common, called))
    style.warn_incomplete(axes, m)
    what = f"{points:,} values"
    if drawn < points:
        what += f", {drawn:,} drawn (lowest and highest of {bins:,} intervals)"
    style.source(axes[-1], m, what=what)
    return axes[0]


def _limits(curves: list[Curve], m: pd.DataFrame) -> tuple[np.datetime64, np.datetime64]:
    """From the first to the last value; what was not loaded belongs to the picture too."""
    spans = style.gap_spans(m)
    start = min([curve.time.min() for curve in curves] + [span[0] for span in spans])
    end = max([curve.time.max() for curve in curves] + [span[1] for span in spans])
    return start, end


def _draw(ax: Axes, curve: Curve, look: dict[str, Any], limits: tuple[Any, Any], bins: int) -> int:
    thinned = curve.thin(*limits, bins=bins)
    few = thinned.points <= 60
    ax.plot(thinned.time, thinned.value, linewidth=1.2, marker="." if few else "", markersize=5, **look)
    if len(thinned.lone) and not few:
        lone = thinned.time[thinned.lone], thinned.value[thinned.lone]
        ax.plot(*lone, linestyle="", marker=".", markersize=3, color=look["color"], label="_lone")
    return thinned.drawn


def _dress(ax: Axes, curves: list[Curve], labels: list[str], *, small: bool) -> None:
    """Axis label, margins and legend; small axes have room in the legend only."""
    style.tidy(ax)
    series = list(dict.fromkeys(curve.series for curve in curves))
    unit = curves[0].unit
    name = series[0] if len(series) == 1 and not small else ""
    if len(name) > 20:
        name = name.replace(".", ".\n", 1)
    ax.set_ylabel(f"{name} [{unit}]".strip() if unit else name or "no unit", fontsize="small")
    ax.margins(y=0.08)
    handles = [line for line in ax.get_lines() if line.get_label() != "_lone"]
    if labels and (small or len(curves) > 1):
        style.legend(ax, handles, labels)


def _looks(here: list[Curve], curves: list[Curve]) -> list[dict[str, Any]]:
    """A device has one colour in all axes, its series differ by line; of one device each has a colour."""
    devices = list(dict.fromkeys(curve.device for curve in curves))
    if len(devices) == 1:
        series = list(dict.fromkeys(curve.series for curve in curves))
        return [style.look(series.index(curve.series)) for curve in here]
    place = {device: position for position, device in enumerate(devices)}
    series = list(dict.fromkeys(curve.series for curve in here))
    return [style.look(place[curve.device], variant=series.index(curve.series)) for curve in here]


def _labels(here: list[Curve], called: dict[str, str]) -> list[str]:
    """The shortest words that tell the curves of one axes apart."""
    if len(called) == 1:
        return [curve.series for curve in here]
    if len({curve.series for curve in here}) == 1:
        return [called[curve.device] for curve in here]
    return [f"{called[curve.device]}  {curve.series}" for curve in here]


def _title(curves: list[Curve], common: str, called: dict[str, str]) -> str:
    series = list(dict.fromkeys(curve.series for curve in curves))
    what = series[0] if len(series) == 1 else f"{len(series)} series"
    if len(called) > 1:
        return f"{common} …: {len(called)} devices, {what}" if common else f"{len(called)} devices, {what}"
    device, name = next(iter(called.items()))
    return f"{name if name != device else f'device {device}'}: {what}"
