"""Real-time notifications by Bayeux long polling, as an iterator or as callbacks on a thread.

A conversation is a handshake, subscriptions, and one `/meta/connect` after another that the server holds
open until there is news. The server forgets a client that stays away; it then says so (402), and a new
handshake follows.
"""

from __future__ import annotations

import itertools
import json
import logging
import queue
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from iotnb import errors
from iotnb.errors import (
    BadAnswer,
    ConfigError,
    ConnectionFailed,
    IotnbError,
    RateLimited,
    ServerError,
    Stopped,
)
from iotnb.platforms.cumulocity.api import Api

log = logging.getLogger("iotnb")

REALTIME = "/notification/realtime"
OPERATIONS = "/notification/operations"

HOLD = 30.0  # seconds for which the server may hold a connect open
REMEMBERED = 10_000  # notifications by which a repeated one is recognised
WAITING = 100_000  # notifications that may wait for their reader
LONGEST_PAUSE = 30.0  # seconds between two attempts while the server cannot be reached
PASSING = (ConnectionFailed, ServerError, RateLimited, BadAnswer)  # what may be over at the next attempt


@dataclass(frozen=True)
class Notice:
    """One notification: `action` is CREATE, UPDATE or DELETE, `data` the document (of a DELETE its id)."""

    channel: str
    action: str
    id: str
    data: Mapping[str, Any]


class Forgotten(IotnbError):
    """The server does not know this client (any more): a new handshake is due."""


class Refused(IotnbError):
    """The server refuses a channel or the handshake; the message holds its words."""


class Notifications:
    """Notifications of some channels.

    Channels of `/notification/realtime` are `/operations/<id>`, `/alarms/<id>`, `/events/<id>`,
    `/measurements/<id>` and `/managedobjects/<id>`, where `*` stands for every id; those of
    `/notification/operations` are `/<id of the agent>`. Iterate over it, or give callbacks with `on`:

        with Notifications(api, ["/alarms/*"]) as live:
            for notice in live:
                ...

    Each notification comes once. `handshakes` counts the conversations: after a second one, notifications
    of the time between may be missing. Entering the context starts; `stop` ends it at once, also from
    another thread.
    """

    def __init__(
        self, api: Api, channels: Iterable[str] = (), *, endpoint: str = REALTIME, hold: float = HOLD
    ) -> None:
        self._api, self._endpoint, self._hold = api, endpoint, hold
        self._channels = OrderedDict((self._channel(each), None) for each in channels)
        self._callbacks: list[tuple[str, Callable[[Notice], object]]] = []
        self._client = ""
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._queue: queue.Queue[Notice | None] = queue.Queue(WAITING)
        self._calls: queue.Queue[Notice | None] = queue.Queue(WAITING)
        self._known: OrderedDict[str, Counter[str]] = OrderedDict()
        self._threads: list[threading.Thread] = []
        self._error: Exception | None = None
        self.handshakes = 0
        self.heard = 0.0  # of time.monotonic: when the server answered a connect
        self.interruptions = 0  # after each of these, notifications may be missing
        self.interrupted: Exception | None = None
        self.failures: deque[Exception] = deque(maxlen=100)

    # -- what a user does ---------------------------------------------------------------------------------

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels that are subscribed to."""
        return tuple(self._channels)

    @property
    def running(self) -> bool:
        """Whether the conversation goes on."""
        return any(thread.is_alive() for thread in self._threads) and not self._stop.is_set()

    @property
    def waiting(self) -> bool:
        """Whether a notification can be had at once."""
        return not self._queue.empty()

    def subscribe(self, channel: str) -> None:
        """Adds a channel, before or after the start; raises Refused if the server does not grant it."""
        name = self._channel(channel)
        with self._lock:
            if self._client:
                self._ask("subscribe", name)
            self._channels[name] = None

    def unsubscribe(self, channel: str) -> None:
        """Gives a channel up."""
        name = self._channel(channel)
        with self._lock:
            self._channels.pop(name, None)
            if self._client:
                self._ask("unsubscribe", name)

    def on(self, channel: str, callback: Callable[[Notice], object]) -> None:
        """Subscribes and calls `callback(notice)` for each notification, on a thread of its own.

        What has a callback does not come out of the iterator. An error that a callback raises is kept in
        `failures` and logged; the others go on.
        """
        self._callbacks.append((self._channel(channel), callback))
        self.subscribe(channel)

    def start(self) -> Self:
        """Shakes hands and subscribes, then listens in the background; nothing is missed from then on."""
        if self.running:
            return self
        # an event and queues of its own, so that a thread of an earlier run has nothing to do with this one
        self._stop, self._error = threading.Event(), None
        self._queue, self._calls = queue.Queue(WAITING), queue.Queue(WAITING)
        self._converse()
        self._threads = [
            threading.Thread(target=self._listen, args=(self._stop,), daemon=True, name="iotnb-realtime"),
            threading.Thread(target=self._call, args=(self._calls,), daemon=True, name="iotnb-callbacks"),
        ]
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        """Ends the conversation at once; the server lets go of the connect that it holds."""
        if self._stop.is_set():
            return
        self._stop.set()
        client, self._client = self._client, ""
        if client:
            self._part(client)
        self._queue_put(self._queue, None)
        self._queue_put(self._calls, None)
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(0.5)

    def _part(self, client: str) -> None:
        """Takes leave of the server, which ends the connect that it holds; tried three times."""
        for _ in range(3):
            try:
                # not stoppable by `_stop`, which is set: this very message is what ends the held connect
                self._send([{"channel": "/meta/disconnect", "clientId": client}], timeout=(2.0, 2.0))
            except PASSING as error:
                log.debug("disconnect: %s", error)
                if isinstance(error, ConnectionFailed) and error.kind in {"refused", "dns", "timeout"}:
                    return
            except IotnbError as error:
                log.debug("disconnect: %s", error)
                return
            else:
                return

    def get(self, timeout: float | None = None) -> Notice | None:
        """The next notification, or None after `timeout` seconds or the end.

        Raises the error that ended the conversation, if one did.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = 0.1 if deadline is None else min(0.1, deadline - time.monotonic())
            try:
                # in short steps, so that the interrupt of a notebook arrives
                notice = self._queue.get(timeout=max(left, 0.001))
            except queue.Empty:
                notice = None
                if not self._stop.is_set() and self._error is None:
                    if deadline is not None and time.monotonic() >= deadline:
                        return None
                    continue
            if notice is None and self._error is not None:
                raise self._error
            return notice

    def __iter__(self) -> Iterator[Notice]:
        if not self._threads:
            self.start()
        while (notice := self.get()) is not None:
            yield notice

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = "listening" if self.running else "stopped"
        return f"Notifications({', '.join(self._channels)}; {state})"

    # -- the conversation -----------------------------------------------------------------------------------

    def _converse(self) -> None:
        """Handshake and subscriptions."""
        reply = self._one(
            self._send(
                [
                    {
                        "channel": "/meta/handshake",
                        "version": "1.0",
                        "supportedConnectionTypes": ["long-polling"],
                    }
                ]
            ),
            "/meta/handshake",
        )
        client = reply.get("clientId")
        if not isinstance(client, str) or not client:
            raise BadAnswer(f"POST {self._endpoint}: the answer to the handshake holds no clientId")
        with self._lock:
            self._client = client
            self.handshakes += 1
            for channel in self._channels:
                self._ask("subscribe", channel)

    def _ask(self, verb: str, channel: str) -> None:
        """Subscribes to a channel or gives it up."""
        message = {"channel": f"/meta/{verb}", "clientId": self._client, "subscription": channel}
        self._one(self._send([message]), f"/meta/{verb}")

    def _listen(self, stop: threading.Event) -> None:
        """One connect after another until the end; a forgotten client starts over."""
        failed, quick, forgotten = 0, 0, 0
        while not stop.is_set():
            began = time.monotonic()
            try:
                if not self._client:
                    self._converse()
                    self.interruptions += 1
                # after a failure an answer at once tells that the conversation goes on
                brought = self._connect(stop, hold=0.0 if failed else self._hold)
                failed = forgotten = 0
                self.interrupted, self.heard = None, time.monotonic()
            except Stopped:
                return
            except Forgotten:
                self._client = ""
                # at once the first time; a server that forgets everybody at once is not to be hammered
                stop.wait(min(LONGEST_PAUSE, 0.1 * 2.0**forgotten) if forgotten else 0)
                forgotten += 1
                continue
            except PASSING as error:
                if stop.is_set():
                    return
                self.failures.append(error)
                self.interrupted = error
                self.interruptions += 1
                failed += 1
                stop.wait(min(LONGEST_PAUSE, 0.25 * 2.0**failed))
                continue
            except Exception as error:  # noqa: BLE001  # whatever ends the thread is raised by get()
                if not stop.is_set():
                    self._error = error
                    self._queue_put(self._queue, None)
                return
            # an empty answer is followed at once, but not in a circle without rest
            quick = 0 if brought or time.monotonic() - began > 0.2 else quick + 1
            if quick > 3:
                stop.wait(min(1.0, 0.1 * quick))

    def _connect(self, stop: threading.Event, *, hold: float) -> int:
        """One held request; gives how many notifications it brought."""
        message = {
            "channel": "/meta/connect",
            "clientId": self._client,
            "connectionType": "long-polling",
            "advice": {"timeout": int(hold * 1000)},
        }
        replies = self._send([message], timeout=(5.0, hold + 30.0), stop=stop, paced=False)
        if stop.is_set():
            return 0
        brought = 0
        for reply in replies:
            channel = str(reply.get("channel", ""))
            if not channel.startswith("/meta/"):
                brought += self._deliver(channel, reply.get("data"))
        if any(reply.get("channel") == "/meta/connect" for reply in replies):
            self._one(replies, "/meta/connect")
        return brought

    def _send(self, messages: list[dict[str, Any]], **options: Any) -> list[dict[str, Any]]:
        numbered = [{"id": str(next(self._numbers)), **message} for message in messages]
        return self._api.realtime.send(numbered, endpoint=self._endpoint, **options)

    def _one(self, replies: list[dict[str, Any]], channel: str) -> dict[str, Any]:
        """The reply of this meta channel; raises Forgotten or Refused if it says so."""
        reply = next((each for each in replies if each.get("channel") == channel), None)
        if reply is None:
            raise BadAnswer(f"POST {self._endpoint}: no reply to {channel}")
        if reply.get("successful", True):
            return reply
        words = str(reply.get("error", "not successful"))
        advice = reply.get("advice")
        again = isinstance(advice, Mapping) and advice.get("reconnect") == "handshake"
        if channel != "/meta/handshake" and (again or words.startswith("402")):
            raise Forgotten(words)
        which = f" of {reply['subscription']}" if reply.get("subscription") else ""
        raise Refused(f"POST {self._endpoint}: {channel}{which} was refused: {words}")

    # -- delivery -------------------------------------------------------------------------------------------

    def _deliver(self, channel: str, data: Any) -> int:
        count = 0
        for item in data if isinstance(data, list) else [data]:
            notice = _notice(channel, item)
            if notice is None or self._repeated(notice):
                continue
            count += 1
            called = any(_covers(pattern, channel) for pattern, _ in self._callbacks)
            self._queue_put(self._calls if called else self._queue, notice)
        return count

    def _repeated(self, notice: Notice) -> bool:
        """Whether this notification came before, by another channel that covers it too."""
        store = notice.channel.rpartition("/")[0]
        body = "" if self._endpoint == OPERATIONS else json.dumps(notice.data, sort_keys=True)
        seen = self._known.setdefault(f"{store} {notice.action} {notice.id} {hash(body)}", Counter())
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        delivered = max(seen.values(), default=0)
        seen[notice.channel] += 1
        if self._endpoint == OPERATIONS:
            return delivered > 0
        # the same again on one channel did happen again; on a second channel it is the echo of the first
        return seen[notice.channel] <= delivered

    def _queue_put(self, target: queue.Queue[Notice | None], notice: Notice | None) -> None:
        while True:
            try:
                target.put_nowait(notice)
            except queue.Full:
                # nobody reads: the oldest gives way, and that is not kept quiet
                try:
                    target.get_nowait()
                except queue.Empty:
                    continue
                self.interruptions += 1
                self.failures.append(
                    errors.IotnbError(f"a notification was dropped: {WAITING:,} are waiting")
                )
            else:
                return

    def _call(self, calls: queue.Queue[Notice | None]) -> None:
        """Calls the callbacks, one notification after another."""
        while (notice := calls.get()) is not None:
            for pattern, callback in list(self._callbacks):
                if _covers(pattern, notice.channel):
                    try:
                        callback(notice)
                    except Exception as error:
                        self.failures.append(error)
                        log.exception("a callback for %s failed", notice.channel)

    def _channel(self, name: str) -> str:
        parts = [part for part in str(name).strip().split("/") if part]
        wanted = 1 if self._endpoint == OPERATIONS else 2
        if len(parts) != wanted:
            form = "/<id>" if wanted == 1 else "/alarms/<id> or /alarms/*"
            raise ConfigError(f"{name!r} is no channel of {self._endpoint}: write it as {form}")
        return "/" + "/".join(parts)


def _notice(channel: str, item: Any) -> Notice | None:
    """A notification from the data of a message: wrapped with its action, or the bare document."""
    if not isinstance(item, Mapping):
        return None
    action, data = str(item.get("realtimeAction") or "CREATE"), item
    if "realtimeAction" in item:
        inner = item.get("data")
        # of a deleted document only the id comes, as text
        data = inner if isinstance(inner, Mapping) else {"id": str(inner if inner is not None else "")}
    return Notice(channel, action, str(data.get("id", "")), data)


def _covers(pattern: str, channel: str) -> bool:
    store, _, wanted = pattern.rpartition("/")
    return pattern == channel or (wanted == "*" and channel.rpartition("/")[0] == store)
