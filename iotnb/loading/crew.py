"""Worker threads of one load: they claim units of work, grow by what is measured, and back off."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Generic, TypeVar

from iotnb import errors
from iotnb.loading.load import Load
from iotnb.session import stopping

Unit = TypeVar("Unit")

PATIENCE: Final = 0.05  # seconds between two looks at the stop event
RECOVERY: Final = 16  # units without a complaint of the server until one request more at once is tried
SPARE: Final = 2  # threads more than requests at once: some work on an answer while others ask


class Crew(Generic[Unit]):
    """Threads that claim units and carry them out until nothing is left and nobody has one in hand.

    `claim()` is called under `lock` and gives a unit, or None: nothing now. `carry(unit)` runs without the
    lock; an error that it raises ends the crew and is raised by `run()`. What asks the server goes through
    `place()`: `target` requests at once, `load.workers` at most. On `load.stop` `run()` returns within 0.1 s;
    threads still in a request find `ended()` when it is over.
    """

    def __init__(self, load: Load, claim: Callable[[], Unit | None], carry: Callable[[Unit], None]) -> None:
        self.load = load
        mutex = threading.RLock()
        self.lock = threading.Condition(mutex)
        self._control = threading.Condition(mutex)
        self._free = threading.Condition(mutex)
        self._asking = 0
        self._closed = False
        self.target = 1
        self._claim, self._carry = claim, carry
        self._alive = self._busy = 0
        self._error: BaseException | None = None
        self._limit = self._most = max(1, load.workers)
        self._pressure = load.pressure
        self._calm = 0
        self._waits: deque[float] = deque(maxlen=8)

    def run(self, start: int) -> None:
        """Asks `start` things at once at first; returns when all is done or the load was stopped."""
        with self.lock:
            self.target = min(start, self._limit)
            try:
                while not self._closed and not self.load.stop.is_set():
                    while self._alive < self._wanted:
                        self._alive += 1
                        threading.Thread(target=self._work, daemon=True, name="iotnb-load").start()
                    self._control.wait(PATIENCE)
            finally:
                self._close()
        if self._error is not None:
            raise self._error

    def measured(self, *, wait: float, work: float) -> None:
        """Tells how long a unit waited for the network and how long it needed the processor (seconds).

        As many requests at once are useful as answers come while one is worked on. The shortest of the last
        waits counts: the others contain the time in which a thread had an answer and no turn.
        """
        with self.lock:
            self._waits.append(wait)
            useful = math.ceil(min(self._waits) / max(work, 1e-4))
            pressure = self.load.pressure
            if pressure > self._pressure:
                self._limit, self._calm = max(1, self._limit // 2), 0
            else:
                self._calm += 1
                if self._calm >= RECOVERY and self._limit < self._most:
                    self._limit, self._calm = self._limit + 1, 0
            self._pressure = pressure
            self.target = max(1, min(useful, self._limit))
            if self._alive < self._wanted:
                self._control.notify()
            self._free.notify_all()
            self.lock.notify_all()

    @contextmanager
    def place(self) -> Iterator[None]:
        """One of the `target` places for a request; raises Stopped when the crew ends before one is free."""
        with self.lock:
            while self._asking >= self.target:
                if self._closed or self.load.stop.is_set():
                    raise errors.Stopped("stopped before the request was sent")
                self._free.wait(PATIENCE)
            self._asking += 1
        try:
            yield
        finally:
            with self.lock:
                self._asking -= 1
                self._free.notify()

    def ended(self) -> bool:
        """Whether the crew has ended: what a thread still brings is too late."""
        return self._closed

    @property
    def surplus(self) -> bool:
        """Whether there are more threads than are wanted now; one with a unit in hand may give it back."""
        return self._alive > self._wanted

    @property
    def _wanted(self) -> int:
        return self.target + (SPARE if self.target >= 4 else 1)

    def _close(self) -> None:
        self._closed = True
        for condition in (self.lock, self._control, self._free):
            condition.notify_all()

    def _work(self) -> None:
        with stopping(self.load.stop):
            self._carry_on()

    def _carry_on(self) -> None:
        while (unit := self._next()) is not None:
            try:
                self._carry(unit)
            except errors.Stopped:
                pass  # the load's stop is set; run() sees it too
            except BaseException as error:  # noqa: BLE001  # handed to run(), which raises it
                with self.lock:
                    self._error = self._error or error
                    self._close()
            with self.lock:
                self._busy -= 1
                self.lock.notify_all()

    def _next(self) -> Unit | None:
        with self.lock:
            while not self._closed and not self.load.stop.is_set() and not self.surplus:
                unit = self._claim()
                if unit is not None:
                    self._busy += 1
                    return unit
                if self._busy == 0:
                    self._close()
                    break
                self.lock.wait(PATIENCE)
            self._alive -= 1
            return None
