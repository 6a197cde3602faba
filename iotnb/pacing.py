"""How fast a session goes: requests a second, requests at once, waits that can be stopped, counters."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass, field

from iotnb.errors import Stopped


@dataclass
class Counters:
    """What a session has done so far; `waited` is in seconds."""

    requests: int = 0
    retries: int = 0
    bytes: int = 0
    waited: float = 0.0
    limited: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, **amounts: float) -> None:
        """Adds to several counters at once; safe between threads."""
        with self.lock:
            for name, amount in amounts.items():
                setattr(self, name, getattr(self, name) + amount)


class Turns:
    """Turns at a rate: `rate` a second, None for as fast as they are asked for."""

    def __init__(self, rate: float | None) -> None:
        self._step = 1.0 / rate if rate else 0.0
        self._next = 0.0
        self._lock = threading.Lock()

    def reserve(self) -> float:
        """Takes the next turn; the seconds until it comes."""
        with self._lock:
            present = time.monotonic()
            turn = max(present, self._next)
            if self._step or turn > present:
                self._next = turn + self._step
        return turn - present

    def hold(self, seconds: float) -> None:
        """Lets nobody's turn come for so many seconds."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)


class Pace:
    """Spreads requests over time and threads, and holds all of them back after a 429.

    `rate` is the most requests a second (None: no limit), `workers` the most at once; `limit` gives one
    path a slower rate of its own.
    """

    def __init__(self, *, rate: float | None, workers: int) -> None:
        self._whole = Turns(rate)
        self._paths: dict[str, Turns] = {}
        self._places = threading.BoundedSemaphore(workers)

    def limit(self, path: str, rate: float | None) -> None:
        """At most `rate` requests a second to this path, besides the pace of all; None for no limit."""
        if rate is None:
            self._paths.pop(path, None)
        else:
            self._paths[path] = Turns(rate)

    def reserve(self, path: str, step: int = 0) -> tuple[float, bool]:
        """Takes one turn of a request: the seconds until it comes, and whether another one follows it.

        The path's own turn (step 0 where it has one) comes before that of all requests.
        """
        own = self._paths.get(path)
        turns = [self._whole] if own is None else [own, self._whole]
        return turns[min(step, len(turns) - 1)].reserve(), step + 1 < len(turns)

    def wait(self, path: str, stop: threading.Event | None) -> None:
        """Waits for the turn of one request to a path; raises Stopped."""
        step, more = 0, True
        while more:
            seconds, more = self.reserve(path, step)
            step += 1
            if seconds:
                wait(seconds, stop)

    def hold(self, seconds: float) -> None:
        """Lets nobody's turn come for so many seconds."""
        self._whole.hold(seconds)

    def place(self, *, paced: bool) -> contextlib.AbstractContextManager[object]:
        """One of the places for requests at once; a long poll (`paced=False`) takes none."""
        return self._places if paced else contextlib.nullcontext()


def wait(seconds: float, stop: threading.Event | None) -> None:
    """Sleeps, and raises Stopped as soon as `stop` is set."""
    if stop is None:
        time.sleep(seconds)
    elif stop.wait(seconds):
        raise Stopped("stopped while waiting to try again")
