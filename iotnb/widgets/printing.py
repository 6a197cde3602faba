"""Figures for print: drawn without pyplot, so that a worker thread may do it, and handed over as files."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

PIXELS = 200  # a inch, of a PNG


def figure(draw: Callable[[Any], object]) -> Any:
    """A matplotlib Figure that `draw(figure)` has filled; pyplot does not know it."""
    from matplotlib.figure import Figure  # here: a panel that never prints need not load it

    made = Figure()
    draw(made)
    return made


def rendered(draw: Callable[[Any], object]) -> dict[str, bytes]:
    """The figure as the bytes of a "png" and an "svg" file, without the time of their making."""
    made = figure(draw)
    files = {}
    for kind in ("png", "svg"):
        target = io.BytesIO()
        made.savefig(target, format=kind, dpi=PIXELS, metadata={"Date": None} if kind == "svg" else None)
        files[kind] = target.getvalue()
    return files
