"""Loads that are split, fetched at once, and complete or loud.

`windows` reads one time-keyed collection (measurements) of one or many sources, `whole` one that cannot be
asked for a window, `each` does anything else once per item. All take a `Load`: how many workers, when to
stop, what has arrived, what is missing.
"""

from iotnb.loading.crew import Crew
from iotnb.loading.items import each
from iotnb.loading.load import Load, Progress
from iotnb.loading.stealing import Page, Reader, windows
from iotnb.loading.whole import Whole, whole

__all__ = ["Crew", "Load", "Page", "Progress", "Reader", "Whole", "each", "whole", "windows"]
