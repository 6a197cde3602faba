"""What a platform gives the loads, and what a load asks of it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from iotnb import times
from iotnb.frames import Columns
from iotnb.session import Answer
from iotnb.times import Window


@dataclass(frozen=True, slots=True)
class Page:
    """One decoded page: `columns` (with `ids` and `document` set) and the time of each document.

    `full`: the page is as large as the server makes it, so there may be more. `next`: the server's link to
    more, None when this is the end. `times` is ``datetime64[us]`` in UTC.
    """

    columns: Columns
    times: NDArray[np.datetime64]
    full: bool
    next: str | None

    @property
    def count(self) -> int:
        """How many documents the page holds."""
        return len(self.times)

    @property
    def ids(self) -> Sequence[str]:
        """What tells each document from all others."""
        return self.columns.ids

    @property
    def first(self) -> datetime | None:
        """The earliest time."""
        return times.from_us(int(self.times.min().astype(np.int64))) if self.count else None

    @property
    def last(self) -> datetime | None:
        """The latest time."""
        return times.from_us(int(self.times.max().astype(np.int64))) if self.count else None


class Reader(Protocol):
    """One platform's way to read one time-keyed collection.

    `fetch` and `follow` run on several threads at once, `decode` on one at a time.
    """

    page_size: int

    def fetch(self, source: str, start: datetime, end: datetime, stop: threading.Event) -> Answer:
        """The first page of [start, end), oldest first, as large as can be; both on whole milliseconds."""
        ...

    def follow(self, link: str, stop: threading.Event) -> Answer:
        """The page behind a link, taken literally."""
        ...

    def decode(self, answer: Answer, source: str) -> Page:
        """The page in an answer; raises BadAnswer."""
        ...


@dataclass(frozen=True, slots=True)
class Span:
    """A source, and a window of it that is to be read."""

    source: str
    window: Window

    def __str__(self) -> str:
        return self.source


class Sink(Protocol):
    """Where rows go that are not to wait in memory for the end of the load."""

    def land(self, source: str, start: datetime, end: datetime, chunks: Sequence[Columns]) -> None:
        """Takes all rows of a source in [start, end): it is asked for neither again, nor in parts."""
        ...
