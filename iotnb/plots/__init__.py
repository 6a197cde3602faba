"""Plots: a frame of a client's verb in, a matplotlib Axes out.

Colours, fonts and backgrounds follow `matplotlib.rcParams`: `plt.style.use("dark_background")` makes them
dark. Times are UTC. Every figure says where its frame came from, and shows it when the frame is incomplete.
Without `ax=` a figure is made by pyplot, so that a notebook shows it once, below the cell that made it.
"""

from iotnb.plots.changes import changes
from iotnb.plots.curves import lines
from iotnb.plots.days import daily
from iotnb.plots.heatmap import coverage
from iotnb.plots.marks import mark
from iotnb.plots.timeline import operations

__all__ = ["changes", "coverage", "daily", "lines", "mark", "operations"]
