"""Jobs: a load on a thread of its own, with progress, cancel, and whatever arrived when it ends early."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Generator
from functools import partial
from typing import Any, Final, Generic, TypeVar, cast

import pandas as pd

from iotnb import errors, markup
from iotnb.loading import Load, Progress
from iotnb.secret import scrub

__all__ = ["Job", "Progress"]

log = logging.getLogger("iotnb")

T = TypeVar("T")
Callback = Callable[[Progress], Any]

STEP: Final = (
    0.1  # seconds: an interrupt arrives between two steps; also the shortest time between two reports
)
SHOWN: Final = 20  # gaps in a job's HTML
GRACE: Final = 5.0  # seconds that an interrupted wait gives the load to hand over what it has


class Job(Generic[T]):
    """One run of `fn(load)` in the background; `start()` it, then wait with `result()`, or `await` it.

    `state` is idle, running, waiting (for a login), cancelling, then done, partial or failed. `partial` is
    what arrived, also while it runs if `fn` offers it; `gaps` and `errors` say what is missing. A job that
    nobody holds any more stops by itself.
    """

    def __init__(
        self, fn: Callable[[Load], T], *, workers: int = 8, label: str = "", resumable: bool = False
    ) -> None:
        self.label = label
        self._run = _Run(fn, Load(workers=workers, resumable=resumable))
        self._stop_when_collected = weakref.finalize(self, self._run.load.stop.set)
        self._stop_when_collected.atexit = False

    def start(self) -> Job[T]:
        """Starts the work; a second call changes nothing."""
        self._run.start(self.label)
        return self

    def cancel(self) -> None:
        """Ends the job early; what came is kept. Takes effect at once, open requests are abandoned."""
        self._run.load.stop.set()
        self._run.touch()

    def resume(self) -> None:
        """Goes on after a new login, when the job is `waiting` for one."""
        self._run.load.resume()

    def done(self) -> bool:
        """Whether the job has ended, in whatever way."""
        return self._run.finished.is_set()

    def result(self, timeout: float | None = None) -> T:
        """Waits for the end and returns what `fn` returned.

        Raises what `fn` raised; Incomplete when the job was cancelled; TimeoutError after `timeout`
        seconds, the job goes on. An interrupt (Ctrl-C, the kernel's stop button) cancels the job, keeps
        `partial`, and is raised. While the caller waits, it is the caller's thread that calls the
        `on_change` callbacks.
        """
        self.start()
        run = self._run
        deadline = None if timeout is None else time.monotonic() + timeout
        with run.waiting():
            try:
                while not run.finished.wait(STEP):
                    run.report()
                    if deadline is not None and time.monotonic() >= deadline:
                        raise TimeoutError(f"the job is still {self.state} after {timeout:g} s")
            except KeyboardInterrupt:
                self.cancel()
                run.finished.wait(GRACE)
                raise
        return self._outcome()

    def on_change(self, callback: Callback) -> Callable[[], None]:
        """Calls `callback(progress)` at most ten times a second, and once more at the end; returns an undo.

        A method is held weakly: it goes with its object. The callback may run on any thread.
        """
        return self._run.subscribe(callback)

    @property
    def state(self) -> str:
        """One of idle, running, waiting, cancelling, done, partial, failed."""
        run = self._run
        if run.state != "running":
            return run.state
        if run.load.stop.is_set():
            return "cancelling"
        return "waiting" if run.load.held is not None else "running"

    @property
    def progress(self) -> Progress:
        """How far it is, as a copy."""
        return self._run.load.snapshot()

    @property
    def partial(self) -> T | None:
        """What has arrived; None while there is nothing to show."""
        run = self._run
        if isinstance(run.error, errors.Incomplete):
            return cast("T", run.error.partial)
        if run.value is None and run.load.peek is not None:
            return cast("T", run.load.peek())
        return run.value

    @property
    def gaps(self) -> list[dict[str, Any]]:
        """What is missing: dicts with item, start, end, reason."""
        return list(self._run.load.gaps)

    @property
    def error(self) -> BaseException | None:
        """What ended the job, if an error did."""
        return self._run.error

    @property
    def errors(self) -> pd.DataFrame:
        """The items that failed: item, status, message, request_id, retryable."""
        frame = pd.DataFrame(
            list(self._run.load.errors), columns=["item", "status", "message", "request_id", "retryable"]
        )
        return frame.astype(
            {"item": "str", "status": "Int64", "message": "str", "request_id": "str", "retryable": "bool"}
        )

    def __await__(self) -> Generator[Any, None, T]:
        return self._finished().__await__()

    def __repr__(self) -> str:
        return f"Job({self.label or 'work'}, {self.state}: {self.progress.text()})"

    def _repr_html_(self) -> str:
        parts = [markup.line(self.progress.text())]
        if self.error is not None:
            parts.append(markup.line(scrub(str(self.error)), tone=markup.BAD))
        if self.gaps:
            names = ("item", "start", "end", "reason")
            rows = [[gap.get(name, "") for name in names] for gap in self.gaps[:SHOWN]]
            parts.append(markup.fold(f"{len(self.gaps):,} gaps", markup.table(names, rows)))
        tone = {"failed": markup.BAD, "partial": markup.ODD, "waiting": markup.ODD}.get(
            self.state, markup.GOOD
        )
        return markup.card(f"Job: {self.label or 'work'}", *parts, state=self.state, tone=tone)

    async def _finished(self) -> T:
        self.start()
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            if not ended.done():
                ended.set_result(None)

        self._run.when_finished(lambda: loop.call_soon_threadsafe(wake))
        try:
            await ended
        except asyncio.CancelledError:
            self.cancel()
            raise
        return self._outcome()

    def _outcome(self) -> T:
        run = self._run
        if run.error is not None:
            raise run.error
        if run.cancelled:
            raise errors.Incomplete(
                f"{self.label or 'the job'} was cancelled: {run.load.progress.rows:,} rows came, "
                "they are in .partial, what is missing is in .gaps",
                partial=cast("pd.DataFrame", run.value),
                gaps=run.load.gaps,
            )
        if run.load.warning:
            _warn(run.load.warning)
        return cast("T", run.value)


class _Run(Generic[T]):
    """What a job and its thread share; the thread never holds the job, so that it can be collected."""

    def __init__(self, fn: Callable[[Load], T], load: Load) -> None:
        self.fn: Callable[[Load], T] | None = fn
        self.load = load
        self.state = "idle"
        self.value: T | None = None
        self.error: BaseException | None = None
        self.cancelled = False
        self.finished = threading.Event()
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], Callback | None]] = []
        self._enders: list[Callable[[], Any]] = []
        self._changed = threading.Event()
        self._reporting = threading.Lock()
        self._reported = 0.0
        self._told_end = False
        self._waiters = 0
        self._reporter = False
        load.changed = self.touch

    def start(self, label: str) -> None:
        with self._lock:
            if self.state != "idle":
                return
            self.state = "running"
            self.load.started = time.monotonic()
        threading.Thread(target=self._work, daemon=True, name=f"iotnb-job-{label}").start()
        self._begin_reporting()

    def _work(self) -> None:
        fn, self.fn = self.fn, None
        load = self.load
        state = "done"
        try:
            if fn is not None and not load.stop.is_set():
                self.value = fn(load)
            self.cancelled = load.stop.is_set()
        except errors.Stopped:
            self.cancelled = True
        except errors.Incomplete as error:
            self.error, state = error, "partial"
        except BaseException as error:  # noqa: BLE001  # raised again by result()
            self.error, state = error, "failed"
        if self.cancelled and not load.gaps:
            load.gap("", reason="cancelled")
        if self.cancelled or (state == "done" and load.gaps):
            state = "partial"
        load.ended = time.monotonic()
        with self._lock:
            self.state = state
            self.finished.set()
            enders, self._enders = self._enders, []
        self.touch()
        for end in enders:
            _quietly(end)

    def when_finished(self, end: Callable[[], Any]) -> None:
        with self._lock:
            if not self.finished.is_set():
                self._enders.append(end)
                return
        end()

    # -- callbacks: from the thread that waits in result(), else from one of our own ---------------------

    def subscribe(self, callback: Callback) -> Callable[[], None]:
        weak = hasattr(callback, "__self__") and hasattr(callback, "__func__")
        reference: Callable[[], Callback | None] = (
            weakref.WeakMethod(cast("Any", callback)) if weak else lambda: callback
        )
        with self._lock:
            self._callbacks.append(reference)

        def undo() -> None:
            with self._lock:
                if reference in self._callbacks:
                    self._callbacks.remove(reference)

        self._begin_reporting()
        return undo

    def touch(self) -> None:
        self._changed.set()

    def waiting(self) -> _Waiting:
        return _Waiting(self)

    def report(self) -> None:
        """Calls the callbacks if anything changed, not too often; the last state is never lost."""
        with self._reporting:
            ended = self.finished.is_set()
            if self._told_end or not self._changed.is_set():
                return
            if not ended and time.monotonic() - self._reported < STEP:
                return
            self._changed.clear()
            self._reported = time.monotonic()
            self._told_end = ended
            progress = self.load.snapshot()
            with self._lock:
                callbacks = [reference() for reference in self._callbacks]
            for callback in callbacks:
                if callback is not None:
                    _quietly(partial(callback, progress))

    def _begin_reporting(self) -> None:
        with self._lock:
            if self._reporter or not self._callbacks or self.state == "idle":
                return
            self._reporter = True
        self.touch()
        threading.Thread(target=self._report_until_end, daemon=True, name="iotnb-job-report").start()

    def _report_until_end(self) -> None:
        while True:
            ended = self.finished.wait(STEP)
            if self._waiters == 0:
                self.report()
            if ended:
                return

    def wait_begins(self) -> None:
        with self._lock:
            self._waiters += 1

    def wait_ends(self) -> None:
        with self._lock:
            self._waiters -= 1
        if self.finished.is_set():
            self.report()


class _Waiting:
    """While somebody waits, the reports are theirs."""

    def __init__(self, run: _Run[Any]) -> None:
        self._run = run

    def __enter__(self) -> None:
        self._run.wait_begins()

    def __exit__(self, *_: object) -> None:
        self._run.wait_ends()


def _quietly(call: Callable[[], Any]) -> None:
    """Calls somebody else's code; its error is theirs and must not end the load."""
    try:
        call()
    except Exception:
        log.exception("a callback of a job failed")


def _warn(message: str) -> None:
    """Warns at the line outside of this package that asked for the result."""
    level, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "iotnb":
        level, frame = level + 1, frame.f_back
    warnings.warn(message, errors.IncompleteWarning, stacklevel=level)
