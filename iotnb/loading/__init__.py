"""Loads that are split, fetched at once, and complete or loud.

`windows` reads one time-keyed collection (measurements) of one or many sources, `whole` one that cannot be
asked for a window, `each` does anything else once per item, `ahead` fetches the pages of one walk early.
All loads take a `Load`: how many workers, when to stop, what has arrived, what is missing.
"""

from iotnb.loading.ahead import ahead
from iotnb.loading.crew import Crew
from iotnb.loading.items import each
from iotnb.loading.load import Load, Progress
from iotnb.loading.reader import Page, Reader, Sink, Span
from iotnb.loading.stealing import landing, windows
from iotnb.loading.whole import Whole, whole, whole_landing

__all__ = [
    "Crew",
    "Load",
    "Page",
    "Progress",
    "Reader",
    "Sink",
    "Span",
    "Whole",
    "ahead",
    "each",
    "landing",
    "whole",
    "whole_landing",
    "windows",
]
