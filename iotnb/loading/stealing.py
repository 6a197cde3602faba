"""Work-stealing windows: one time-keyed collection of one or many sources, read by several workers.

Each worker reads the first page of its window and moves the window's start to the last time it saw; a
worker with nothing to do takes over the later half of the window that has the most left. No page number is
ever computed and nothing is counted beforehand, so a server that scans from the start of a collection costs
nothing extra.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from iotnb import errors, frames, times
from iotnb.frames import Columns
from iotnb.loading.crew import Crew
from iotnb.loading.items import FATAL
from iotnb.loading.load import CANCELLED, Load
from iotnb.loading.reader import Page, Reader, Sink, Span
from iotnb.session import Answer
from iotnb.times import Window

MILLISECOND: Final = 1000  # in microseconds: the unit of all times here, as in the columns
MARGIN: Final = 0.03  # of a page: so much earlier a window is cut, so that its last page reaches its end
WORTH: Final = 0.1  # of a page: less than this is not taken over
LANDED: Final = 20_000  # rows of one window that wait for a sink
HOPELESS: Final = 3  # failures in a row, per worker, until the rest is not tried any more


@dataclass(eq=False, slots=True)
class _Part:
    """A window of one source that one worker reads: [at, end) is left; `seen` are ids at the start of it.

    With a sink, [landed, at) waits in `kept`.
    """

    place: int
    source: str
    start: int
    end: int
    at: int
    density: float | None = None
    link: str | None = None
    seen: set[str] = field(default_factory=set)
    links: set[str] = field(default_factory=set)
    landed: int = 0
    kept: list[Columns] = field(default_factory=list)

    @property
    def edge(self) -> int:
        """Up to here, not included, every row has come."""
        return max(self.start, self.at // MILLISECOND * MILLISECOND)


def windows(reader: Reader, sources: Sequence[str], window: Window, load: Load) -> list[Columns]:
    """All rows of the sources in the window [start, end), each once, ordered by source and time.

    A page that fails (after the session's retries) becomes a gap from where its window stood; so does what
    a stopped load did not reach. When not one page arrived the first error itself is raised, and so is at
    once what would meet every request (no login, a foreign host).
    """
    return _Stealing(reader, [Span(source, window) for source in sources], load).run()


def landing(reader: Reader, spans: Sequence[Span], load: Load, sink: Sink) -> None:
    """The same for windows that differ from source to source; rows go to the sink as they come."""
    _Stealing(reader, spans, load, sink).run()


class _Stealing:
    def __init__(self, reader: Reader, spans: Sequence[Span], load: Load, sink: Sink | None = None) -> None:
        self.reader, self.load, self.sink = reader, load, sink
        bounds = [tuple(map(times.to_us, (span.window.start, span.window.end))) for span in spans]
        self.whole = sum(end - start for start, end in bounds)
        self.waiting = deque(
            _Part(place, span.source, start, end, start, landed=start)
            for place, (span, (start, end)) in enumerate(zip(spans, bounds, strict=True))
        )
        self.active: set[_Part] = set()
        self.open = [1] * len(spans)
        self.found: list[tuple[int, int, int, Columns]] = []
        self.failures: list[tuple[_Part, Exception]] = []
        self.failed_in_a_row = 0
        self.pages, self.documents, self.covered = 0, 0, 0
        self.decoding = threading.Lock()
        self.crew: Crew[_Part] = Crew(load, self.claim, self.read)

    def run(self) -> list[Columns]:
        self.load.begin(len(self.open))
        if self.sink is None:
            self.load.peek = self.peek
        try:
            if self.waiting:
                self.crew.run(start=min(2, len(self.waiting)))
        finally:
            left = [*self.active, *self.waiting]
            with self.decoding:
                for part in left:
                    self.hand_over(part, part.edge)
        if self.failures and self.pages == 0:
            raise self.failures[0][1]
        self.note_gaps(left)
        return self.arrived()

    def arrived(self) -> list[Columns]:
        """What has come so far, ordered by source and time."""
        with self.crew.lock:
            return [columns for *_, columns in sorted(self.found, key=lambda each: each[:3])]

    def peek(self) -> pd.DataFrame:
        """The table of what has come so far."""
        return frames.measurements(self.arrived())

    # -- who reads what: called under the crew's lock ---------------------------------------------------

    def claim(self) -> _Part | None:
        """The next window that nobody reads, or half of one that somebody does."""
        part = self.waiting.popleft() if self.waiting else self.steal()
        if part is not None:
            self.active.add(part)
        return part

    def steal(self) -> _Part | None:
        """Takes over the later part of the window with the most left behind the page on its way."""
        usual = self.documents / self.covered if self.covered and self.documents else None
        most, victim, density = 0.0, None, 0.0
        for part in self.active:
            expected = part.density or usual
            if expected is None:
                continue
            left = (part.end - part.at) * expected / self.reader.page_size - 1.0 + MARGIN
            if left > most:
                most, victim, density = left, part, expected
        if victim is None or most < WORTH:
            return None
        # Whole pages stay with the victim: the one on its way, and half of those behind it.
        pages = 1 + int(most / 2)
        middle = victim.at + int((pages - MARGIN) * self.reader.page_size / density)
        middle = -(-middle // MILLISECOND) * MILLISECOND
        if not victim.at < middle < victim.end:
            return None
        stolen = _Part(
            victim.place, victim.source, middle, victim.end, middle, density=victim.density, landed=middle
        )
        victim.end = middle
        self.open[stolen.place] += 1
        return stolen

    def give_back(self, part: _Part) -> bool:
        """Hands the window to the others when this thread is one too many."""
        with self.crew.lock:
            if self.crew.surplus and not self.crew.ended():
                self.active.discard(part)
                self.waiting.appendleft(part)
                return True
        return False

    # -- reading: on the worker's own thread ------------------------------------------------------------

    def read(self, part: _Part) -> None:
        """Reads a window page by page to its end, which a thief may move towards us meanwhile."""
        while not self.crew.ended():
            if self.give_back(part):
                return
            login = self.load.login
            try:
                answer = self.fetch(part)
                if not self.decode(part, answer):
                    return
            except errors.Unauthorized as error:
                if not self.load.hold(error, login=login):
                    raise
            except errors.Stopped:
                raise
            except FATAL:
                raise
            except errors.IotnbError as error:
                self.fail(part, error)
                return

    def fetch(self, part: _Part) -> Answer:
        stop = self.load.stop
        with self.crew.place():
            if part.link is not None:
                return self.reader.follow(part.link, stop)
            with self.crew.lock:
                start, end = part.at, part.end
            # The wire knows milliseconds: outwards to whole ones, what is too much is dropped in `accept`.
            start, end = start // MILLISECOND * MILLISECOND, -(-end // MILLISECOND) * MILLISECOND
            return self.reader.fetch(part.source, times.from_us(start), times.from_us(end), stop)

    def decode(self, part: _Part, answer: Answer) -> bool:
        """Decodes and keeps a page, one thread at a time; True: the window goes on, False: it is closed."""
        with self.decoding:
            if self.crew.ended():
                return False
            began = time.perf_counter()
            page = self.reader.decode(answer, part.source)
            with self.crew.lock:
                if self.crew.ended():
                    return False
                rows = self.accept(part, page)
                self.failed_in_a_row = 0
                self.pages += 1
                more = self.advance(part, page)
                if not more:
                    self.close(part)
            if not more:
                self.hand_over(part, part.end)
            elif sum(map(len, part.kept)) >= LANDED:
                self.hand_over(part, part.edge)
            self.load.count(pages=1, rows=rows, size=len(answer.body), fraction=self.fraction())
            self.crew.measured(wait=answer.first_byte, work=time.perf_counter() - began)
        return more

    def accept(self, part: _Part, page: Page) -> int:
        """Keeps the rows that belong to the window and were not read before; gives their number."""
        moments = page.times.astype(np.int64)
        wanted = (moments >= part.start) & (moments < part.end)
        if part.seen:
            for place in np.flatnonzero(moments <= part.at).tolist():
                if page.ids[place] in part.seen:
                    wanted[place] = False
        columns = page.columns
        if not wanted.all():
            if columns.document is None:
                raise TypeError("a reader's columns must say which document each row came from")
            columns = columns.take(_rows(columns.document, wanted))
        if len(columns):
            first = int(moments[wanted].min())
            if self.sink is None:
                self.found.append((part.place, first, len(self.found), columns.slim()))
            else:
                part.kept.append(columns.slim())
        return len(columns)

    def hand_over(self, part: _Part, end: int) -> None:
        """Lets the rows before `end` land, those behind it wait. Under `decoding`: one thread at a time."""
        if self.sink is None or (end <= part.landed and not part.start == part.end == end):
            return
        early, late = [], []
        for columns in part.kept:
            before = columns.time.astype(np.int64) < end
            early.append(columns if before.all() else columns.take(before))
            if not before.all():
                late.append(columns.take(~before))
        self.sink.land(part.source, times.from_us(part.landed), times.from_us(end), early)
        part.landed, part.kept = end, late

    def advance(self, part: _Part, page: Page) -> bool:
        """Moves the window's start to the last time seen; True: there is more to read in it."""
        moments = page.times.astype(np.int64)
        before = part.at
        if page.count:
            last = int(moments.max())
            if page.full and (moments[1:] < moments[:-1]).any():
                raise errors.BadAnswer(
                    "the page is not ordered by time, oldest first: it cannot be continued"
                )
            self.note_density(part, page, moments, last)
            if last >= part.end:
                return False
            self.remember(part, page, moments, last)
        if page.full and part.at // MILLISECOND > before // MILLISECOND:
            part.link = None
            part.links.clear()
            return True
        if page.next is None:
            if page.full and part.at < part.end:
                raise errors.BadAnswer(
                    "one instant holds more documents than a page, and the server gives no link to the others"
                )
            return False
        if page.next in part.links:
            raise errors.BadAnswer("the next link leads back to a page that was read already")
        part.links.add(page.next)
        part.link = page.next
        return True

    def remember(self, part: _Part, page: Page, moments: NDArray[np.int64], last: int) -> None:
        """Sets the window's new start and the ids that a request from there will bring again."""
        edge = last // MILLISECOND * MILLISECOND
        again = {page.ids[place] for place in np.flatnonzero(moments >= edge).tolist()}
        if edge > part.at // MILLISECOND * MILLISECOND:
            part.seen = again
        else:
            part.seen |= again
        part.at = max(part.at, last)

    def note_density(self, part: _Part, page: Page, moments: NDArray[np.int64], last: int) -> None:
        span = last - max(part.at, int(moments.min()))
        if span > 0:
            part.density = page.count / span
        self.documents += page.count
        self.covered += max(0, min(last, part.end) - part.at)

    # -- the end of a window ----------------------------------------------------------------------------

    def close(self, part: _Part) -> None:
        self.active.discard(part)
        self.covered += max(0, part.end - part.at)
        self.open[part.place] -= 1
        if self.open[part.place] == 0:
            self.load.count(items=1, fraction=self.fraction())

    def fail(self, part: _Part, error: errors.IotnbError) -> None:
        with self.decoding:
            if not self.crew.ended():
                self.hand_over(part, part.edge)
        with self.crew.lock:
            if self.crew.ended():
                return
            self.failures.append((part, error))
            self.close(part)
            self.failed_in_a_row += 1
            if self.failed_in_a_row >= HOPELESS * max(1, self.load.workers):
                while self.waiting:
                    rest = self.waiting.popleft()
                    self.failures.append((rest, _given_up(self.failed_in_a_row, error)))
                    self.close(rest)

    def fraction(self) -> float:
        return min(1.0, self.covered / max(1, self.whole))

    def note_gaps(self, left: Sequence[_Part]) -> None:
        """One gap for each stretch that is missing, neighbours joined."""
        missing: list[tuple[_Part, str | Exception]] = [*self.failures, *((part, CANCELLED) for part in left)]
        missing.sort(key=lambda each: (each[0].place, each[0].at))
        joined: list[tuple[_Part, str | Exception]] = []
        for part, reason in missing:
            if joined:
                before, words = joined[-1]
                if before.place == part.place and before.end >= part.at and str(words) == str(reason):
                    before.end = part.end
                    continue
            joined.append((part, reason))
        for part, reason in joined:
            self.load.gap(part.source, times.from_us(part.at), times.from_us(part.end), reason=reason)


def _rows(document: NDArray[Any], wanted: NDArray[np.bool_]) -> Any:
    """The rows of the documents wanted: a slice where these are neighbours, which is nearly always."""
    places = np.flatnonzero(wanted)
    if len(places) and places[-1] - places[0] + 1 == len(places):
        return slice(*np.searchsorted(document, [places[0], places[-1] + 1]).tolist())
    return wanted[document]


def _given_up(failures: int, error: Exception) -> errors.IotnbError:
    first = str(error).splitlines()[0]
    return errors.IotnbError(f"not tried after {failures} failures in a row, the last of them: {first}")
