"""One verb of a Live: from when it is to be read next, what was told of it, and its outages."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from iotnb import errors, times
from iotnb.errors import Incomplete
from iotnb.live.batches import Gap
from iotnb.live.told import Changes, Told

AHEAD: Final = timedelta(minutes=1)  # a device's clock may be so much ahead of ours
LONGEST: Final = 30.0  # seconds between two attempts while the platform cannot be read
PASSING: Final = (
    Incomplete,
    errors.ConnectionFailed,
    errors.ServerError,
    errors.RateLimited,
    errors.BadAnswer,
)
"""What may be over at the next attempt."""


@dataclass
class Feed:
    """A verb that is asked when it is `due` (of `time.monotonic`); `since` is until when all was told.

    `begin` is the time from which on rows are told. The first reading (`known` is False) also tells which
    alarms and operations are open; `pushed` verbs are asked only after an outage, or every `check` seconds.
    """

    verb: str
    told: Told
    begin: datetime
    late: timedelta
    reach: timedelta
    every: float
    pushed: bool = False
    check: float = math.inf
    since: datetime = times.EPOCH
    due: float = 0.0
    known: bool = False
    partial: bool = False
    tries: int = 0
    gap: Gap | None = None
    limits: dict[str, Any] = field(default_factory=dict)
    """Further arguments of the verb."""

    def __post_init__(self) -> None:
        self.since = self.begin

    def start(self, now: datetime) -> datetime:
        """From when to read: what comes late is found, and what may still change is followed."""
        if not self.known and isinstance(self.told, Changes):
            return min(self.begin, now - self.reach)
        start = self.since - self.late
        opened = self.told.open()
        if opened is not None:
            start = min(start, opened)
        # what cannot be read whole is not read again from ever longer ago
        return max(start, now - self.reach) if self.partial or self.since > now - self.reach else start

    def horizon(self, now: datetime) -> datetime:
        """Before this, nothing will be read again."""
        return now - self.reach - self.late if isinstance(self.told, Changes) else self.since - self.late

    def window(self, now: datetime) -> Mapping[str, Any]:
        """The arguments with which the verb is called."""
        return {**self.limits, "since": self.start(now), "until": now + AHEAD}

    def failed(self, reason: str, now: float, *, wait: float | None = None) -> float:
        """Notes an outage; the seconds until the next attempt."""
        if self.gap is None:
            self.gap = Gap(self.verb, self.since, reason)
        self.gap.reason = reason
        self.tries += 1
        # with jitter, so that many readers do not come back together
        pause = min(LONGEST, max(self.every, 0.25) * 2.0 ** min(self.tries - 1, 10))
        pause = max(pause * random.uniform(0.75, 1.0), wait or 0.0)  # noqa: S311  # no secret
        self.due = now + pause
        return pause

    def read(self, began: datetime, now: float) -> Gap | None:
        """Notes that everything until `began` was told; the outage that ended, if there was one."""
        gap, self.gap = self.gap, None
        if gap is not None:
            gap.end, gap.fetched = began, self.start(began) <= gap.start
        self.since, self.known, self.partial, self.tries = max(began, self.since), True, False, 0
        self.due = now + (self.check if self.pushed else self.every)
        return gap
