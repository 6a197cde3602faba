"""G11: a plot of 10,000,000 points against `ax.plot` on a timezone-aware index; its spikes are kept."""

from __future__ import annotations

from typing import Any

import common
import matplotlib as mpl
import numpy as np
import pandas as pd

SPIKES = 20
HEIGHT = 1000.0


def measured(points: int) -> tuple[pd.DataFrame, set[int]]:
    """One series with single values that stand out, and where these are."""
    from iotnb import frames
    from iotnb.frames import Coded, Columns

    chance = np.random.default_rng(5)
    values = np.sin(np.arange(points) / points * 60) * 10 + chance.normal(0, 1, points)
    places = (np.arange(SPIKES) * points // SPIKES) + chance.integers(0, points // SPIKES // 2, SPIKES)
    values[places] = HEIGHT + np.arange(SPIKES)
    zeros = np.zeros(points, np.int8)
    moments = np.datetime64("2026-01-01", "us") + np.arange(points) * np.timedelta64(1, "s")
    columns = Columns(moments, Coded(zeros, ["1"]), Coded(zeros, ["t"]), Coded(zeros, ["C"]), values)
    return frames.measurements([columns]), set(range(SPIKES))


def drawn(frame: pd.DataFrame) -> Any:
    """What a user of iotnb writes."""
    from matplotlib import pyplot

    import iotnb

    axes = np.atleast_1d(iotnb.plots.lines(frame))
    axes[0].figure.canvas.draw()
    pyplot.close("all")
    return axes


def plain(frame: pd.DataFrame) -> None:
    """What a notebook user writes."""
    from matplotlib import pyplot

    series = frame.set_index("time")["value"]
    figure, axes = pyplot.subplots()
    axes.plot(series.index, series)
    figure.canvas.draw()
    pyplot.close("all")


def main() -> None:
    options = common.options(__doc__, points=10_000_000)
    mpl.use("agg")
    frame, spikes = measured(options.points)
    drawn(frame.iloc[:1000])
    plain(frame.iloc[:1000])
    took = common.rounds(options.rounds, warm=False, iotnb=lambda: drawn(frame))
    took |= common.rounds(1, warm=False, plain=lambda: plain(frame))
    heights = np.concatenate([line.get_ydata() for axes in drawn(frame) for line in axes.lines])
    seen = {round(float(height) - HEIGHT) for height in heights if height >= HEIGHT - 0.5}
    table = common.Table(f"plotting: {options.points:,} points")
    table.add(
        "G11",
        "plots.lines() against ax.plot on a timezone-aware index",
        took["plain"] / took["iotnb"],
        must=100,
        more=True,
        note=f"{took['iotnb']:.2f} s; ax.plot {took['plain']:.1f} s",
    )
    table.add(
        "G11",
        "spikes of a single point that are drawn",
        len(seen & spikes),
        must=SPIKES,
        more=True,
        unit="spikes",
    )
    table.show()


if __name__ == "__main__":
    main()
