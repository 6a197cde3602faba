"""The state of one load: how far it is, when to stop, what is missing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from iotnb import errors, times
from iotnb.pacing import Counters

CANCELLED: Final = "cancelled"
SHOWN: Final = 3  # gaps in a message


@dataclass
class Progress:
    """How far a load is; a copy that no longer changes when it is handed to a callback.

    `items_*` count devices (or what else the load goes through), `fraction` is the share done (None:
    unknown), `bytes` are decoded ones, `waited` is the time spent waiting for the server to accept requests
    again. All times in seconds; `eta` is the time that is left, None while nothing is known about it.
    """

    items_done: int = 0
    items_total: int | None = None
    pages: int = 0
    rows: int = 0
    bytes: int = 0
    retries: int = 0
    waited: float = 0.0
    elapsed: float = 0.0
    fraction: float | None = None

    @property
    def eta(self) -> float | None:
        """Seconds left, by the share done so far."""
        done = self.fraction
        if done is None and self.items_total:
            done = self.items_done / self.items_total
        if not done or self.elapsed < 0.2:
            return None
        return self.elapsed * (1.0 - min(done, 1.0)) / done

    def text(self) -> str:
        """One line: ``3 of 25 devices, 120 pages, 480,000 rows, 12.3 MB, 4 s, about 9 s left``."""
        parts = []
        if self.items_total is not None and self.items_total > 1:
            parts.append(f"{self.items_done:,} of {self.items_total:,} items")
        parts.append(f"{self.pages:,} page{'' if self.pages == 1 else 's'}")
        parts.append(f"{self.rows:,} row{'' if self.rows == 1 else 's'}")
        parts.append(f"{self.bytes / 1e6:,.1f} MB")
        parts.append(f"{self.elapsed:,.1f} s")
        if self.retries:
            parts.append(f"{self.retries:,} retries, {self.waited:,.0f} s waited")
        if self.eta:
            parts.append(f"about {self.eta:,.0f} s left")
        return ", ".join(parts)


@dataclass(eq=False)
class Load:
    """What one run of a verb shares between its threads.

    Set `stop` to end it early: what came is kept and what is missing becomes a gap. `changed` is called,
    from any thread, whenever a number of `progress` changed. `notes` are remarks for the provenance,
    `warning` is what `Job.result` warns of in its caller's thread. `peek`, if the verb sets it, gives what
    has arrived so far as the verb would return it. `resumable` says that somebody is there to log in again:
    `hold` then waits for `resume`; `login` counts these.
    """

    workers: int = 8
    stop: threading.Event = field(default_factory=threading.Event)
    progress: Progress = field(default_factory=Progress)
    gaps: list[dict[str, Any]] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)
    changed: Callable[[], None] = field(default=lambda: None)
    peek: Callable[[], Any] | None = None
    resumable: bool = False
    held: BaseException | None = None
    login: int = 0
    notes: list[str] = field(default_factory=list)
    warning: str = ""
    started: float = field(default_factory=time.monotonic)
    ended: float | None = None

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._resumed = threading.Condition(self._lock)
        self._counters: Counters | None = None
        self._baseline = (0, 0.0)

    @property
    def pages(self) -> int:
        """Pages read so far."""
        return self.progress.pages

    @property
    def bytes(self) -> int:
        """Decoded bytes read so far."""
        return self.progress.bytes

    def watch(self, counters: Counters) -> None:
        """Counts a session's retries and waits from now on as this load's."""
        self._counters = counters
        self._baseline = (counters.retries, counters.waited)

    @property
    def pressure(self) -> int:
        """How often the server asked for less, or failed, since `watch`."""
        return 0 if self._counters is None else self._counters.retries - self._baseline[0]

    def begin(self, items: int) -> None:
        """A part of the load that goes through so many items starts."""
        with self._lock:
            self.progress.items_total, self.progress.items_done, self.progress.fraction = items, 0, None
        self.changed()

    def count(
        self, *, items: int = 0, pages: int = 0, rows: int = 0, size: int = 0, fraction: float | None = None
    ) -> None:
        """Adds to the progress; `fraction` replaces the share done. Safe between threads."""
        with self._lock:
            progress = self.progress
            progress.items_done += items
            progress.pages += pages
            progress.rows += rows
            progress.bytes += size
            if fraction is not None:
                progress.fraction = max(fraction, progress.fraction or 0.0)
        self.changed()

    def snapshot(self) -> Progress:
        """The progress now, as a copy, with elapsed time, retries and waits."""
        with self._lock:
            waited = 0.0 if self._counters is None else self._counters.waited - self._baseline[1]
            return replace(
                self.progress,
                elapsed=(self.ended or time.monotonic()) - self.started,
                retries=self.pressure,
                waited=waited,
            )

    def gap(
        self,
        item: str,
        start: datetime | None = None,
        end: datetime | None = None,
        *,
        reason: str | BaseException,
    ) -> None:
        """Notes that something is missing: `item` from `start` to `end` (None: all of it), and why."""
        words = str(reason) or type(reason).__name__
        entry = {
            "item": item,
            "start": "" if start is None else times.to_wire(start),
            "end": "" if end is None else times.to_wire(end),
            "reason": words.splitlines()[0],
        }
        with self._lock:
            self.gaps.append(entry)
            if isinstance(reason, BaseException):
                self.errors.append(
                    {
                        "item": item,
                        "status": getattr(reason, "status", None),
                        "message": words,
                        "request_id": getattr(reason, "request_id", ""),
                        "retryable": bool(
                            getattr(reason, "retryable", isinstance(reason, errors.ConnectionFailed))
                        ),
                    }
                )
        self.changed()

    def missing(self, verb: str, rows: int) -> str:
        """The message of a load with gaps that brought so many rows."""
        shown = []
        for gap in self.gaps[:SHOWN]:
            what = gap["item"] or "all devices"
            span = f" from {gap['start']} to {gap['end']}" if gap["start"] else ""
            shown.append(f"  {what}{span}: {gap['reason']}")
        count = len(self.gaps)
        parts = f"{count} parts are" if count > 1 else "1 part is"
        lines = [f"{verb} are incomplete: {rows:,} rows came, {parts} missing", *shown]
        if count > SHOWN:
            lines.append(f"  and {count - SHOWN} more")
        lines.append(
            "The rows that came are in .partial of this error, what is missing in .gaps; ask again for the "
            'gaps, or pass on_error="report" to get the rows with a warning.'
        )
        return "\n".join(lines)

    def note(self, words: str) -> None:
        """A remark for the provenance, once however often it is made."""
        with self._lock:
            if words not in self.notes:
                self.notes.append(words)

    def hold(self, error: BaseException, *, login: int) -> bool:
        """Waits until somebody logged in again; False when nobody will, or the load was stopped.

        `login` is what `self.login` was before the request: one that was on its way while somebody logged
        in is just tried again.
        """
        if not self.resumable:
            return False
        with self._resumed:
            if self.login == login:
                self.held = error
        self.changed()
        with self._resumed:
            while self.login == login and not self.stop.is_set():
                self._resumed.wait(0.1)
            return not self.stop.is_set()

    def resume(self) -> None:
        """Lets a held load go on."""
        with self._resumed:
            self.held = None
            self.login += 1
            self._resumed.notify_all()
        self.changed()
