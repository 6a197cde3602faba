"""Loads that are split, fetched at once, and complete or loud.

`windows` reads one time-keyed collection (measurements) of one or many sources, `each` does anything else
once per item. Both take a `Load`: how many workers, when to stop, what has arrived, what is missing.
"""

from iotnb.loading.crew import Crew
from iotnb.loading.items import each
from iotnb.loading.load import Load, Progress
from iotnb.loading.stealing import Page, Reader, windows

__all__ = ["Crew", "Load", "Page", "Progress", "Reader", "each", "windows"]
