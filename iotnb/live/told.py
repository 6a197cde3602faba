"""What has been told already: rows by what they say, alarms and operations by their state.

A row may come twice: the platform told of it and an answer holds it, or two answers overlap. A row that is
in the data twice is told twice.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

import numpy as np
import pandas as pd

MINUTE: Final = 60_000_000  # microseconds: rows are remembered, and forgotten, by the minute
TIMELESS: Final = -1
DELAY: Final = 60.0  # seconds for which a message may be behind an answer that holds the same
ENDS: Final = {"SUCCESSFUL": 2, "FAILED": 2, "CANCELLED": 2, "CLEARED": 2, "EXECUTING": 1, "ACKNOWLEDGED": 1}
IDENTIFIERS: Final = {"alarms": "alarm", "operations": "operation", "events": "event"}
STATES: Final = {
    "alarms": ("status", "count", "severity", "time"),
    "operations": ("status", "platform_status", "failure"),
}


class Told(Protocol):
    """Remembers what was told of one verb."""

    def fresh(self, frame: pd.DataFrame, *, push: bool, horizon: datetime) -> pd.DataFrame:
        """The rows that are new; nothing before `horizon` will be asked for again and is remembered."""

    def open(self) -> datetime | None:
        """The time of the oldest row that may still change; None if none may."""


def told(verb: str) -> Told:
    """The memory for a verb."""
    return Changes(verb) if verb in STATES else Rows(verb)


class Rows:
    """For what is said once and never changes: measurements and events."""

    def __init__(self, verb: str) -> None:
        self._names = ("device", "series", "value", "text") if verb == "measurements" else _named(verb)
        self._known: dict[int, dict[Hashable, list[int]]] = {}
        self._touched: dict[int, float] = {}

    def __len__(self) -> int:
        return sum(map(len, self._known.values()))

    def fresh(self, frame: pd.DataFrame, *, push: bool, horizon: datetime) -> pd.DataFrame:
        """The rows that are new: by each way a row is counted, and it is told as often as in any of them."""
        self._forget(_minute(horizon))
        if frame.empty:
            return frame
        now = time.monotonic()
        here: dict[tuple[int, Hashable], int] = {}
        kept = np.zeros(len(frame), bool)
        for place, (minute, key) in enumerate(self._keys(frame)):
            self._touched[minute] = now
            counts = self._known.setdefault(minute, {}).setdefault(key, [0, 0])
            before = max(counts)
            if push:
                counts[0] += 1
            else:
                here[minute, key] = here.get((minute, key), 0) + 1
                counts[1] = max(counts[1], here[minute, key])
            kept[place] = max(counts) > before
        return frame if kept.all() else frame[kept].reset_index(drop=True)

    def _forget(self, limit: int) -> None:
        """Forgets what no answer will hold again; a message of it may still be on its way for a while."""
        now = time.monotonic()
        for minute in [each for each in self._known if TIMELESS < each < limit]:
            if now - self._touched[minute] > DELAY:
                del self._known[minute], self._touched[minute]

    def open(self) -> datetime | None:
        """None: such rows do not change."""
        return None

    def _keys(self, frame: pd.DataFrame) -> Iterator[tuple[int, Hashable]]:
        ticks = _ticks(frame["time"])
        parts = [_plain(frame[name]) for name in self._names]
        for tick, *rest in zip(ticks.tolist(), *parts, strict=True):
            yield (tick // MINUTE if tick >= 0 else TIMELESS), (tick, *rest)


@dataclass(slots=True)
class _State:
    state: tuple[Any, ...]
    order: tuple[Any, ...]
    time: pd.Timestamp
    done: bool
    asked: bool


class Changes:
    """For what changes: each new state of an alarm or an operation is told once.

    A platform's own message may be older than an answer that has come meanwhile: a state that lies before
    the one that an answer told is not told.
    """

    def __init__(self, verb: str) -> None:
        self._verb, self._id = verb, IDENTIFIERS[verb]
        self._known: dict[Hashable, _State] = {}

    def __len__(self) -> int:
        return len(self._known)

    def fresh(self, frame: pd.DataFrame, *, push: bool, horizon: datetime) -> pd.DataFrame:
        """The rows that say something new of their alarm or operation."""
        limit = pd.Timestamp(horizon)
        for name in [name for name, each in self._known.items() if each.time < limit]:
            del self._known[name]
        if frame.empty:
            return frame
        kept = np.zeros(len(frame), bool)
        columns = [_plain(frame[name]) for name in STATES[self._verb]]
        orders = self._orders(frame)
        for place, (name, state, order, at) in enumerate(
            zip(self._names(frame), zip(*columns, strict=True), orders, frame["time"], strict=True)
        ):
            before = self._known.get(name)
            stale = before is not None and push and before.asked and order < before.order
            if stale or (before is not None and before.state == state):
                continue
            done = order[-1] == 2 or state[0] is None  # without a state nothing will change
            self._known[name] = _State(state, order, at, done, asked=not push)
            kept[place] = True
        return frame if kept.all() else frame[kept].reset_index(drop=True)

    def open(self) -> datetime | None:
        """The time of the oldest that is not done."""
        found = [each.time for each in self._known.values() if not each.done and not pd.isna(each.time)]
        return min(found).to_pydatetime() if found else None

    def _names(self, frame: pd.DataFrame) -> list[Hashable]:
        """The identifier of each row; where the platform gives none, all that does not change."""
        fallback = zip(*(_plain(frame[name]) for name in _named(self._verb)[1:]), strict=True)
        ticks = _ticks(frame["time"]).tolist()
        return [
            own if own is not None else (tick, *rest)
            for own, tick, rest in zip(_plain(frame[self._id]), ticks, fallback, strict=True)
        ]

    def _orders(self, frame: pd.DataFrame) -> list[tuple[Any, ...]]:
        ranks = [ENDS.get(str(word), 0) for word in _plain(frame["status"])]
        if self._verb == "operations":
            return [(rank,) for rank in ranks]
        counts = [int(each or 0) for each in _plain(frame["count"])]
        return list(zip(_ticks(frame["time"]).tolist(), counts, ranks, strict=True))


def _named(verb: str) -> tuple[str, ...]:
    """The columns that tell a row from another one, the platform's identifier first."""
    described = {
        "events": ("event", "device", "type", "text"),
        "alarms": ("alarm", "device", "type", "text"),
        "operations": ("operation", "device", "kind", "parameters"),
    }
    return described[verb]


def _ticks(time: pd.Series) -> Any:
    """Microseconds since 1970; negative without a time."""
    return time.dt.tz_localize(None).to_numpy().astype("M8[us]").view(np.int64)


def _minute(moment: datetime) -> int:
    return int(pd.Timestamp(moment).value // 1000 // MINUTE)


def _plain(column: pd.Series) -> Sequence[Any]:
    """The values, None for missing ones: what is no number does not equal itself."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        names = [*column.cat.categories.tolist(), None]
        return [names[code] for code in column.cat.codes.tolist()]
    return [None if missing else value for value, missing in zip(column.tolist(), column.isna(), strict=True)]
