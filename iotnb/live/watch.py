"""What `client.live()` gives: a Live, to be iterated for batches."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Final, Self

from iotnb import times
from iotnb.errors import ConfigError, Unsupported
from iotnb.live.batches import Batch, Gap, Waiting
from iotnb.live.engine import STEP, Engine, Plan, Source
from iotnb.live.push import Push

VERBS: Final = ("measurements", "alarms", "operations")
ALL: Final = (*VERBS, "events")


class Live:
    """New measurements, alarms and operations as they arrive: iterate over it for its batches.

    Made by `client.live()`, which explains the arguments. Entering the context or iterating starts it; the
    iteration ends with `stop()`, and raises what ended it otherwise. It also stops when nobody holds it any
    longer, and with the client's `logout()` or `close()`. While a reader is slow, or paused, nothing is
    brought; what happened meanwhile is fetched afterwards.
    """

    def __init__(
        self,
        client: Source,
        devices: list[str] | None = None,
        *,
        verbs: str | Sequence[str] = VERBS,
        series: list[str] | None = None,
        every: str | timedelta = "5s",
        since: str | timedelta | None = None,
        late: str | timedelta = "1m",
        reach: str | timedelta = "6h",
        keep: int = 100_000,
        push: Callable[[tuple[str, ...]], Push | None] | None = None,
        clock: Callable[[], datetime] = times.now,
    ) -> None:
        chosen = _verbs(verbs)
        self.lacking = {
            verb: f"{client.title} has no {verb}" for verb in chosen if verb not in client.supports
        }
        self.verbs = tuple(verb for verb in chosen if verb not in self.lacking)
        if not self.verbs:
            raise Unsupported(f"{'. '.join(self.lacking.values())}: there is nothing to wait for")
        if keep < 1:
            raise ConfigError("keep= is the number of rows that may wait for their reader: 1 or more")
        plan = Plan(
            client, devices, self.verbs, series,
            every=times.span(every, name="every").total_seconds(),
            back=timedelta(0) if since is None else times.span(since, name="since"),
            late=times.span(late, name="late"),
            reach=times.span(reach, name="reach"),
        )  # fmt: skip
        self._engine = Engine(plan, push, clock, Waiting(keep), self.lacking)
        self._finish = weakref.finalize(self, self._engine.stop.set)
        self._finish.atexit = False

    # -- what a reader does

    def start(self) -> Self:
        """Begins to listen; a second call changes nothing."""
        self._engine.begin()
        return self

    def get(self, timeout: float | None = None) -> Batch | None:
        """The next batch; None after `timeout` seconds, or after the end. Raises the error that ended it."""
        self.start()
        engine = self._engine
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = STEP if deadline is None else min(STEP, deadline - time.monotonic())
            batch = engine.waiting.get(max(left, 0.0))
            if batch is not None:
                return batch
            if engine.waiting.over:
                if engine.error is not None:
                    raise engine.error
                return None
            if deadline is not None and time.monotonic() >= deadline:
                return None

    def take(self) -> list[Batch]:
        """All batches that wait, at once; raises nothing."""
        return self._engine.waiting.take()

    def __iter__(self) -> Iterator[Batch]:
        while (batch := self.get()) is not None:
            yield batch

    def pause(self) -> None:
        """Brings nothing more until `resume()`; the subscription stays."""
        self._engine.paused.set()

    def resume(self) -> None:
        """Goes on; what happened meanwhile is fetched first."""
        self._engine.paused.clear()

    def stop(self) -> None:
        """Ends it: unsubscribes, abandons open requests, ends the threads, within a second."""
        self._engine.end()

    cancel = stop

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # -- what it is doing

    @property
    def state(self) -> str:
        """idle, connecting, live, silent, reconnecting, incomplete, behind, paused, stopped or failed."""
        return self._engine.shown()

    @property
    def way(self) -> str:
        """How data come: "long polling", "webhook", "polling every 5 s", or two of them."""
        return self._engine.way

    @property
    def error(self) -> BaseException | None:
        """What ended it, or what it is trying to overcome."""
        return self._engine.error or self._engine.trouble

    @property
    def retry(self) -> float | None:
        """Seconds until the next attempt, while it is reconnecting."""
        return self._engine.retry()

    @property
    def lag(self) -> timedelta | None:
        """How long after the time of its newest row the last batch that was pushed or asked for arrived."""
        return self._engine.lag

    @property
    def quiet(self) -> float:
        """Seconds since the last rows came, or since it was made."""
        return self._engine.quiet

    @property
    def counts(self) -> dict[str, int]:
        """The rows told so far, by verb."""
        return {verb: self._engine.counts[verb] for verb in self.verbs}

    @property
    def reconnects(self) -> int:
        """How many outages are over."""
        return self._engine.reconnects

    @property
    def gaps(self) -> list[Gap]:
        """The last outages, oldest first; one that lasts has no end yet."""
        return list(self._engine.gaps)

    @property
    def notes(self) -> list[str]:
        """Remarks, each once: why a platform is asked instead of listened to, and the like."""
        return list(self._engine.notes)

    def text(self) -> str:
        """The state in words: how it is connected, or what it is waiting for."""
        return self._engine.text()

    def __repr__(self) -> str:
        told = ", ".join(f"{count:,} {verb}" for verb, count in self.counts.items())
        return f"<Live: {self.text()}; {told}>"


def _verbs(given: str | Sequence[str]) -> tuple[str, ...]:
    listed = (given,) if isinstance(given, str) else tuple(given)
    unknown = [each for each in listed if each not in ALL]
    if unknown or not listed:
        raise ConfigError(f"verbs={given!r}: use some of {', '.join(ALL)}")
    return tuple(dict.fromkeys(listed))
