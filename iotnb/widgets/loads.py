"""Panels over a table that a client loads: in the background, with progress, cancel, refresh and age."""

from __future__ import annotations

import abc
import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any, ClassVar, Self

import anywidget
import pandas as pd

from iotnb.errors import ConfigError, Unauthorized, Unsupported
from iotnb.widgets.panel import Panel, Tone, sentence

if TYPE_CHECKING:
    from iotnb.client import Client

STEP = 0.25  # seconds between two looks at what a running load has brought


class LoadingPanel(Panel):
    """A panel over one table: of a client, which loads it, or one that was given.

    A subclass says what the rows are called, which job brings them (`_job`), takes them (`_take`), and tells
    its page what changed (`_changed`). `leaf` is the widget that shows the rows.
    """

    noun: ClassVar[str] = "row"
    nouns: ClassVar[str] = "rows"
    advice: ClassVar[str] = ""  # what to do when the server has none

    def __init__(self, source: Client | pd.DataFrame, **panel: Any) -> None:
        super().__init__(**panel)
        self._client = None if isinstance(source, pd.DataFrame) else source
        self._state = "loading"
        self._loaded: float | None = None
        self._done = threading.Event()
        self._running: Any = None
        self._cancelled = False
        self.leaf: anywidget.AnyWidget | None = None

    def begin(self) -> None:
        """Loads, or shows the table that was given; the last line of a subclass's constructor."""
        if self._client is None:
            self._finish("ready")
        else:
            self.refresh()

    # -- what a subclass says

    @abc.abstractmethod
    def _job(self, client: Client) -> Any:
        """The started job that brings the table."""

    @abc.abstractmethod
    def _take(self, frame: pd.DataFrame) -> None:
        """Shows these rows from now on."""

    @abc.abstractmethod
    def _rows(self) -> int:
        """How many rows are there."""

    @abc.abstractmethod
    def _changed(self) -> None:
        """Tells the page that there are other rows."""

    def _after(self, client: Client, generation: int) -> None:
        """What is loaded when the rows are there: on the same thread, and not waited for."""

    # -- for its user

    @property
    def state(self) -> str:
        """loading, ready, empty, partial, error, expired or unsupported."""
        return self._state

    def refresh(self) -> None:
        """Loads again, in the background; the rows stay until the new ones are there."""
        if self._client is None:
            raise ConfigError(
                "this panel shows a table that was given to it: make a new panel for a new table"
            )
        self._done.clear()
        self._cancelled = False
        self.explain()
        self._state = "loading"
        self.say("busy", "Loading", f"Asking for the {self.nouns} ...")
        self._tell_state()
        self.work(self._load)

    def cancel(self) -> None:
        """Stops loading; the rows that came stay."""
        if self._state == "loading":
            self._cancelled = True

    def wait(self, timeout: float | None = None) -> Self:
        """Waits until loading has ended, up to `timeout` seconds; for scripts, a page needs no waiting."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._done.wait(0.1) and not self.closed.is_set():
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"the {self.nouns} were not loaded within {timeout} s")
        return self

    async def ready(self) -> Self:
        """Waits until loading has ended without blocking the kernel."""
        while not self._done.is_set() and not self.closed.is_set():
            await asyncio.sleep(0.05)
        return self

    # -- loading

    def _load(self, generation: int) -> None:
        client = self._client
        if client is None:  # refresh() has checked it
            return
        first = not self._rows()
        try:
            job = self._running = self._job(client)
        except Exception as error:  # noqa: BLE001  # what the client does not even try
            self._finish(_failed(error), error=error)
            return
        pause = STEP
        while not job.done():
            if self._cancelled or self.closed.is_set() or generation != self.generation:
                job.cancel()  # it may have been asked for before there was a job
            time.sleep(min(pause, 0.1))
            pause -= 0.1
            if pause <= 0 and not self.closed.is_set() and generation == self.generation:
                began = time.monotonic()
                self._arrived(job, first)
                # at most a tenth of the time goes into drawing
                pause = max(STEP, 10 * (time.monotonic() - began))
        if generation == self.generation and not self.closed.is_set():
            self._end(job, first)
            if self._state == "ready":
                self._after(client, generation)

    def _arrived(self, job: Any, first: bool) -> None:
        partial = job.partial if first else None
        if partial is None or not len(partial):
            self.say("busy", "Loading", job.progress.text())
        elif len(partial) > self._rows():
            self._take(partial)
            text = f"{len(partial):,} {self.nouns} so far; you can search and select already."
            self.say("busy", "Loading", text)
            self._tell_state()

    def _end(self, job: Any, first: bool) -> None:
        try:
            frame = job.result()
        except Exception as error:  # noqa: BLE001  # shown in the panel, whatever it is
            came = job.partial if first else None
            if came is not None and len(came):
                self._take(came)
            some = came is not None and len(came) > 0
            self._finish("partial" if some or self._cancelled else _failed(error), error=error)
        else:
            self._take(frame)
            self._finish("ready")

    def _finish(self, state: str, *, error: BaseException | None = None) -> None:
        count = self._rows()
        if state == "ready":
            self._loaded = time.time()
            state = "ready" if count else "empty"
        self._state = state
        tone, word, text = self._words(state, count, error)
        self.say(tone, word, text)
        if error is not None and state in {"error", "partial"} and not self._cancelled:
            self.explain(error)
        self._done.set()
        self._tell_state()
        self._changed()

    def _words(self, state: str, count: int, error: BaseException | None) -> tuple[Tone, str, str]:
        where = "" if self._client is None else f" on {self._client.host}"
        there = f"1 {self.noun}" if count == 1 else f"{count:,} {self.nouns}"
        if state == "ready":
            return "good", "Ready", f"{there}{where}."
        if state == "empty":
            hint = f" {self.advice}" if where and self.advice else ""
            return "idle", "Empty", f"There are no {self.nouns}{where}.{hint}"
        words = sentence(error) if error else ""
        if state == "partial":
            cause = "Loading was cancelled." if self._cancelled else words
            return "warn", "Incomplete", f"{there} came{where}. {cause}".strip()
        if state == "expired":
            return "warn", "Login expired", f"Log in again, then press Refresh. {words}"
        if state == "unsupported":
            return "idle", "Not supported", words
        return "bad", "Error", words

    # -- the page

    def _tell_state(self) -> None:
        if not self.closed.is_set() and self.leaf is not None:
            self.leaf.send({"kind": "state", **self._shown_state()})

    def _shown_state(self) -> dict[str, Any]:
        return {
            "state": self._state,
            "rows": self._rows(),
            "age": None if self._loaded is None else round(time.time() - self._loaded, 1),
            "refresh": self._client is not None,
            "words": "" if self._state in {"loading", "ready"} else self.status.text,
        }


def _failed(error: BaseException) -> str:
    if isinstance(error, Unauthorized):
        return "expired"
    return "unsupported" if isinstance(error, Unsupported) else "error"
