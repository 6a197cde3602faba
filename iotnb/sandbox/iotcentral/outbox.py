"""POSTs to webhooks on this machine, from threads of their own: one for each destination at a time."""

import asyncio
import contextlib
import ssl
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from iotnb.sandbox.webhook import ELSEWHERE, on_this_machine, post

_MOST_WAITING = 1_000
# a receiver on this machine has a certificate of its own making
_TRUSTING = ssl._create_unverified_context()  # noqa: S323, SLF001


@dataclass(slots=True)
class Delivery:
    """One message for a webhook, and what became of it."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    done: Callable[["Delivery"], None]
    status: int | None = None
    reason: str = ""

    @property
    def ok(self) -> bool:
        """True if the webhook took it."""
        return self.status is not None and 200 <= self.status < 300


class Outbox:
    """Takes deliveries on the server's loop and reports each one's end there; idle threads end."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._lines: dict[str, deque[Delivery]] = {}
        self._end = threading.Event()

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Report to this loop."""
        self._loop = loop
        self._end.clear()

    def close(self) -> None:
        """Deliver nothing more."""
        self._end.set()
        with self._lock:
            for line in self._lines.values():
                line.clear()

    def post(self, line: str, delivery: Delivery) -> None:
        """Deliver something; deliveries of one line keep their order."""
        if not on_this_machine(delivery.url):
            delivery.reason = ELSEWHERE
            delivery.done(delivery)
            return
        with self._lock:
            waiting = self._lines.get(line)
            if waiting is not None:
                if len(waiting) < _MOST_WAITING:
                    waiting.append(delivery)
                return
            self._lines[line] = deque([delivery])
        threading.Thread(target=self._work, args=(line,), name="iotnb-sandbox-export", daemon=True).start()

    def _work(self, line: str) -> None:
        while True:
            with self._lock:
                waiting = self._lines[line]
                if not waiting or self._end.is_set():
                    del self._lines[line]
                    return
                delivery = waiting.popleft()
            reply = post(delivery.url, delivery.headers, delivery.body, context=_TRUSTING)
            delivery.status, delivery.reason = reply.status, reply.reason
            loop = self._loop
            if loop is not None:
                with contextlib.suppress(RuntimeError):  # the sandbox has ended
                    loop.call_soon_threadsafe(delivery.done, delivery)
