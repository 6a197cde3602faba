"""The progress of verbs in a cell: one line with a bar; its last state stays in the notebook's file."""

from __future__ import annotations

import html
import threading
import time
from typing import TYPE_CHECKING, Any

from IPython.display import HTML, display

from iotnb.widgets.panel import Throttle

if TYPE_CHECKING:
    from iotnb.jobs import Progress

PATIENCE = 0.5  # seconds: what is faster than that shows no progress

LINE = (
    '<div style="font:13px var(--jp-ui-font-family,sans-serif);'
    'color:var(--jp-ui-font-color1,inherit);padding:2px 0">'
    "{bar}{text}</div>"
)


class Line:
    """One line of progress in the output of the running cell; `show` may be called as often as one likes."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._shown = ""
        self._write = Throttle(self._draw, later=False)

    def show(self, progress: Progress, *, last: bool = False) -> None:
        """Draws the progress, at most ten times a second; the last state at once."""
        self._write(progress)
        if last:
            self._write.flush()

    def _draw(self, progress: Progress) -> None:
        markup = to_html(progress)
        if markup == self._shown:
            return
        self._shown = markup
        if self._handle is None:
            self._handle = display(HTML(markup), display_id=True)
        else:
            self._handle.update(HTML(markup))


class Reporter:
    """Gives each load of the main thread a line of its own; callable with its progress.

    Loads of panels and background jobs are drawn by whoever started them, so other threads draw nothing.
    """

    def __init__(self) -> None:
        self._line: Line | None = None
        self._began = 0.0

    def __call__(self, progress: Progress) -> None:
        """Takes a load's progress; called at most ten times a second, and once at its end."""
        if threading.current_thread() is not threading.main_thread() or progress.elapsed < PATIENCE:
            return
        began = time.monotonic() - progress.elapsed
        if self._line is None or abs(began - self._began) > PATIENCE * 0.8:
            self._line, self._began = Line(), began
        self._line.show(progress, last=True)


report = Reporter()


def share(progress: Progress) -> float | None:
    """The share that is done, 0 to 1; None when the end is not known."""
    if progress.fraction is not None:
        return min(max(progress.fraction, 0.0), 1.0)
    if progress.items_total:
        return min(progress.items_done / progress.items_total, 1.0)
    return None


def to_html(progress: Progress) -> str:
    """The progress as HTML: a bar when the end is known, and the numbers as text."""
    done = share(progress)
    bar = ""
    if done is not None:
        bar = (
            f'<progress value="{done:.3f}" max="1" aria-label="Progress" '
            f'style="width:180px;vertical-align:middle;margin-right:10px">{done:.0%}</progress>'
        )
    return LINE.format(bar=bar, text=html.escape(progress.text()))
