"""The thread behind a Live: it listens, asks, tells each row once, and stops at once."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import pandas as pd

from iotnb.errors import Forbidden, Incomplete, IotnbError, RateLimited, Stopped, Unauthorized, Unsupported
from iotnb.live.batches import Batch, Gap, Waiting, lag
from iotnb.live.feed import PASSING, Feed
from iotnb.live.push import Push
from iotnb.live.told import Changes, told

STEP: Final = 0.1  # seconds: how long a request to stop or to pause may have to wait
CHECK: Final = 12  # times `every`: how often a doubtful push is compared with what the verbs say
GAPS: Final = 100  # outages that are remembered
QUIET: Final = 30.0  # seconds without news after which a Live counts as silent


class Source(Protocol):
    """What a Live needs of a client."""

    @property
    def title(self) -> str:
        """The platform's name for people."""

    @property
    def supports(self) -> frozenset[str]:
        """The verbs that the platform has."""

    def job(self, verb: str, *args: Any, **kwargs: Any) -> Any:
        """A started job for a verb."""


class Plan:
    """What was asked of a Live."""

    def __init__(
        self,
        client: Source,
        devices: list[str] | None,
        verbs: tuple[str, ...],
        series: list[str] | None,
        *,
        every: float,
        back: timedelta,
        late: timedelta,
        reach: timedelta,
    ) -> None:
        self.client, self.devices, self.verbs, self.series = client, devices, verbs, series
        self.every, self.back, self.late, self.reach = every, back, late, max(reach, late)

    def feed(self, verb: str, begin: datetime) -> Feed:
        """What is known of a verb at the beginning."""
        limits = {"series": self.series} if verb == "measurements" and self.series is not None else {}
        return Feed(verb, told(verb), begin, self.late, self.reach, self.every, limits=limits)

    def words(self) -> str:
        """How verbs are asked."""
        return f"polling every {self.every:g} s"


class Engine:
    """What a Live and its thread share; the thread never holds the Live, so that it can be collected."""

    def __init__(
        self,
        plan: Plan,
        push: Callable[[tuple[str, ...]], Push | None] | None,
        clock: Callable[[], datetime],
        waiting: Waiting,
        lacking: dict[str, str],
    ) -> None:
        self.plan, self.clock, self.waiting, self._lacking = plan, clock, waiting, lacking
        self.stop, self.paused = threading.Event(), threading.Event()
        self.state, self.way = "idle", plan.words()
        self.error: BaseException | None = None
        self.trouble: BaseException | None = None
        self.lag: timedelta | None = None
        self.counts: Counter[str] = Counter()
        self.gaps: deque[Gap] = deque(maxlen=GAPS)
        self.notes: list[str] = []
        self.reconnects = 0
        self._make = push
        self._push: Push | None = None
        self._feeds: list[Feed] = []
        self._before = clock()
        self._heard, self._losses = -math.inf, 0
        self._behind = False
        self._last = time.monotonic()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    # -- from outside

    def begin(self) -> None:
        """Starts the thread; once."""
        with self._lock:
            if self._thread is not None:
                return
            self.state = "stopped" if self.stop.is_set() else "connecting"
            self._thread = threading.Thread(target=self._run, daemon=True, name="iotnb-live")
            self._thread.start()

    def end(self) -> None:
        """Stops the thread and waits for it, a second at most."""
        self.stop.set()
        thread = self._thread
        if thread is None:
            self.state = "stopped"
            self.waiting.end()
        elif thread is not threading.current_thread():
            thread.join(1.0)

    def shown(self) -> str:
        """The state, in one word."""
        if self.state in {"idle", "stopped", "failed", "connecting"}:
            return self.state
        if self.paused.is_set():
            return "paused"
        if self.trouble is not None:
            return "incomplete" if isinstance(self.trouble, Incomplete) else "reconnecting"
        if self._behind:
            return "behind"
        return "silent" if self.quiet > max(QUIET, 3 * self.plan.every) else "live"

    @property
    def quiet(self) -> float:
        """Seconds since the last rows came."""
        return time.monotonic() - self._last

    def retry(self) -> float | None:
        """Seconds until the next attempt, in an outage."""
        due = [feed.due for feed in self._feeds if feed.gap is not None]
        if self.trouble is None or not due:
            return None
        return max(min(due) - time.monotonic(), 0.0)

    def text(self) -> str:
        """The state in words."""
        state = self.shown()
        if state == "live":
            return f"connected by {self.way}" if self._push is not None else self.way
        if state == "silent":
            return f"{self.way}, nothing new for {self.quiet:.0f} s"
        if state in {"reconnecting", "incomplete"}:
            seconds = self.retry()
            when = f" in {seconds:.0f} s" if seconds else ""
            doing = "reconnecting" if state == "reconnecting" else "asking again"
            return f"{doing}{when}: {_line(self.trouble)}"
        if state == "failed":
            return f"failed: {_line(self.error)}"
        words: dict[str, str] = {"behind": "waiting for its reader", "idle": "not started"}
        return words.get(state, state)

    # -- the thread

    def _run(self) -> None:
        try:
            self._open()
            while not self.stop.is_set():
                self._step()
        except Stopped:
            pass
        except Exception as error:  # noqa: BLE001  # whatever ends the thread is raised by get()
            if not self.stop.is_set():
                self.error = error
        finally:
            self.state = "stopped" if self.error is None else "failed"
            self.waiting.end()
            if self._push is not None:
                self._push.stop()

    def _open(self) -> None:
        """Subscribes where the platform tells by itself, and decides what is asked."""
        if self._make is not None:
            try:
                push = self._make(self.plan.verbs)
                if push is not None:
                    self._push = push
                    push.start()
            except Unauthorized:
                raise
            except IotnbError as error:
                self._note(f"{self.plan.words()}, because: {_line(error)}")
                if self._push is not None:
                    self._push.stop()
                self._push = None
        begin = self.clock()
        self._feeds = [self.plan.feed(verb, begin - self.plan.back) for verb in self.plan.verbs]
        if self._push is not None:
            self._losses, asked = self._push.losses, []
            for feed in self._feeds:
                feed.pushed = feed.verb in self._push.verbs
                asked += [] if feed.pushed else [feed.verb]
                if feed.pushed and self._push.doubtful:
                    feed.check = CHECK * max(self.plan.every, STEP)
                if feed.pushed and feed.verb in {"measurements", "events"} and not self.plan.back:
                    feed.known, feed.due = True, time.monotonic() + feed.check
            self.way = self._push.way + (f", {' and '.join(asked)} by {self.plan.words()}" if asked else "")
        if all(feed.known for feed in self._feeds):
            self.state = "live"
        self._before = begin

    def _step(self) -> None:
        """One round: listen for a moment, then ask what is due."""
        if self.paused.is_set() or self.waiting.full:
            self._hold()
            return
        if self._behind:
            self._behind = False
            for feed in self._feeds:
                feed.due = 0.0
        if self._push is not None:
            self._hear(self._push)
        else:
            due = min(feed.due for feed in self._feeds)
            self.stop.wait(min(max(due - time.monotonic(), 0.0), STEP))
        for feed in list(self._feeds):
            if feed.due <= time.monotonic() and not (self.stop.is_set() or self.paused.is_set()):
                self._ask(feed)

    def _hold(self) -> None:
        """Brings nothing: what the platform tells meanwhile is left out, and asked for afterwards."""
        self._behind = True
        if self._push is None:
            self.stop.wait(STEP)
            return
        self._losses = self._push.losses
        self._push.take(STEP)

    def _hear(self, push: Push) -> None:
        """Tells what the platform says by itself; after an outage its verbs are asked."""
        began, losses, heard = self.clock(), push.losses, push.heard
        due = min(feed.due for feed in self._feeds) - time.monotonic()
        news = push.take(min(max(due, 0.0), STEP))
        if self.paused.is_set():
            self._behind = True  # left out, and asked for afterwards
            return
        for verb, frame in news:
            feed = next((each for each in self._feeds if each.verb == verb), None)
            if feed is not None:
                horizon = feed.horizon(began)
                self._tell(feed, feed.told.fresh(frame, push=True, horizon=horizon), how="push")
        pushed = [feed for feed in self._feeds if feed.pushed]
        if push.trouble:
            self.trouble = IotnbError(push.trouble)
            for feed in pushed:
                if feed.gap is None:
                    self._open_gap(feed, push.trouble)
        elif losses != self._losses:
            self._losses = losses
            for feed in pushed:
                self._open_gap(feed, "the connection was interrupted")
                feed.due = 0.0
        elif heard > self._heard:
            self._heard = heard
            for feed in pushed:
                if feed.known and feed.gap is None:
                    feed.since = max(feed.since, self._before)
        self._before = began

    def _open_gap(self, feed: Feed, reason: str) -> None:
        if feed.gap is None:
            feed.gap = Gap(feed.verb, feed.since, reason)
            self.gaps.append(feed.gap)

    # -- asking

    def _ask(self, feed: Feed) -> None:
        """Reads one verb, and tells what is new of it."""
        began = self.clock()
        try:
            frame, missing = self._read(feed, began), None
        except Incomplete as error:
            frame, missing = error.partial, error
        except PASSING as error:
            self._fails(feed, error)
            return
        except (Forbidden, Unsupported) as error:
            self._drop(feed, error)
            return
        if self.stop.is_set():
            return
        frame = self._begun(feed, frame)
        # before the feed moves on: until then everything is remembered that the answer may repeat
        rows = feed.told.fresh(frame, push=False, horizon=feed.horizon(began))
        if missing is not None:
            self._tell(feed, rows, how="asked")
            self._fails(feed, missing)
            feed.partial = True
            return
        gap = feed.read(began, time.monotonic())
        if gap is not None:
            self.reconnects += 1
        if all(each.gap is None for each in self._feeds):
            self.trouble = None
        if self.state == "connecting" and all(each.known for each in self._feeds):
            self.state = "live"
        self._tell(feed, rows, how="asked", gap=gap)

    def _read(self, feed: Feed, began: datetime) -> pd.DataFrame:
        """The answer of the verb; what it needs to be tried again for is shown meanwhile."""
        job = self.plan.client.job(feed.verb, self.plan.devices, **feed.window(began))
        while not job.done():
            if self.stop.wait(STEP / 5):
                job.cancel()
                raise Stopped("stopped")
            if self.trouble is None and job.progress.retries > 1:
                self.trouble = IotnbError("the platform does not answer as it should")
        found: pd.DataFrame = job.result()
        return found

    def _begun(self, feed: Feed, frame: pd.DataFrame) -> pd.DataFrame:
        """What happened since the beginning; what is older is noted, so that its changes are told."""
        old = frame["time"] < pd.Timestamp(feed.begin)
        if not feed.known:
            old |= frame["time"].isna()
        elif isinstance(feed.told, Changes):
            return frame
        if not old.any():
            return frame
        feed.told.fresh(frame[old], push=False, horizon=feed.horizon(self.clock()))
        return frame[~old].reset_index(drop=True)

    def _fails(self, feed: Feed, error: BaseException) -> None:
        wait = error.retry_after if isinstance(error, RateLimited) else None
        self._open_gap(feed, _line(error))
        feed.failed(_line(error), time.monotonic(), wait=wait)
        self.trouble = error

    def _drop(self, feed: Feed, error: IotnbError) -> None:
        """Goes on without a verb that this login may not use, or that this edition does not have."""
        self._feeds.remove(feed)
        self._lacking[feed.verb] = _line(error)
        self._note(f"no {feed.verb}: {_line(error)}")
        if not self._feeds:
            raise error

    # -- telling

    def _tell(self, feed: Feed, rows: pd.DataFrame, *, how: str, gap: Gap | None = None) -> None:
        arrived = self.clock()
        if rows.empty and gap is None:
            return
        self._last = time.monotonic()
        behind = lag(rows, arrived)
        if behind is not None and gap is None:
            self.lag = behind
        self.counts[feed.verb] += len(rows)
        self.waiting.put(Batch(verb=feed.verb, frame=rows, arrived=arrived, lag=behind, how=how, gap=gap))

    def _note(self, words: str) -> None:
        if words not in self.notes:
            self.notes.append(words)


def _line(error: object) -> str:
    """The first line of an error's message."""
    return (str(error) or type(error).__name__).splitlines()[0]
