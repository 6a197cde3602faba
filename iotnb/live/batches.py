"""What a Live hands over, and the bounded store in which it waits for its reader."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd


@dataclass
class Gap:
    """A time in which nothing was told of a verb: `end` is None while it lasts.

    `fetched` says whether what was missed has come since, by the ordinary verb; when it is False after the
    end, `reason` says what is not there.
    """

    verb: str
    start: datetime
    reason: str
    end: datetime | None = None
    fetched: bool = False


@dataclass(frozen=True, kw_only=True)
class Batch:
    """New rows of one verb: `frame` has the columns of that verb's table.

    `arrived` is when they came here (UTC), `lag` how much later that is than the time of their newest row
    (None without a time; below zero when a device's clock is ahead). `how` is `push` when the platform told
    of them by itself, `asked` when it was asked. `gap` is the outage whose rows these are, which may be none.
    """

    verb: str
    frame: pd.DataFrame
    arrived: datetime
    lag: timedelta | None
    how: str
    gap: Gap | None = None

    def __len__(self) -> int:
        return len(self.frame)


def lag(frame: pd.DataFrame, arrived: datetime) -> timedelta | None:
    """How long after the time of its newest row a frame arrived."""
    newest = frame["time"].max() if len(frame) else pd.NaT
    return None if pd.isna(newest) else (pd.Timestamp(arrived) - newest).to_pytimedelta()


class Waiting:
    """Batches that wait for a reader; `full` when they hold `most` rows, until half of them are read."""

    def __init__(self, most: int) -> None:
        self.rows = 0
        self._most = most
        self._held: deque[Batch] = deque()
        self._changed = threading.Condition()
        self._full = self._ended = False

    @property
    def full(self) -> bool:
        """Whether no more is to be brought now."""
        with self._changed:
            self._full = self.rows >= (self._most / 2 if self._full else self._most)
            return self._full

    def put(self, batch: Batch) -> None:
        """Adds a batch."""
        with self._changed:
            self._held.append(batch)
            self.rows += len(batch)
            self._changed.notify_all()

    def end(self) -> None:
        """No more will come."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def get(self, seconds: float) -> Batch | None:
        """The oldest batch; None after so many seconds, or when all is read and no more will come."""
        with self._changed:
            if not self._held and not self._ended:
                self._changed.wait(seconds)
            if not self._held:
                return None
            batch = self._held.popleft()
            self.rows -= len(batch)
            return batch

    def take(self) -> list[Batch]:
        """All that waits."""
        with self._changed:
            found, self.rows = list(self._held), 0
            self._held.clear()
            return found

    @property
    def over(self) -> bool:
        """Whether all is read and no more will come."""
        with self._changed:
            return self._ended and not self._held
