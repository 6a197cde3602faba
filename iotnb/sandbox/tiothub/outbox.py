"""POSTs to webhooks on this machine, in threads of their own: one for each address, so that order is kept.

A delivery has succeeded when the webhook answers 2xx. Otherwise it is tried again after a pause that doubles;
then it has failed. Addresses beyond loopback are never called.
"""

import asyncio
import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from iotnb.sandbox.webhook import ELSEWHERE, on_this_machine, post

_KEPT = 1_000  # deliveries that are remembered


@dataclass(slots=True, kw_only=True)
class Delivery:
    """One notification and what became of it."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    attempts: int
    pause: float
    done: Callable[["Delivery"], None]
    tried: int = 0
    status: int | None = None
    reason: str = ""
    answer: dict[str, str] = field(default_factory=dict)
    """Headers of the webhook's answer, in small letters."""

    @property
    def ok(self) -> bool:
        """True if the webhook took it."""
        return self.status is not None and 200 <= self.status < 300

    def shown(self) -> dict[str, object]:
        """For people who ask why their webhook gets nothing."""
        return {
            "url": self.url,
            "ok": self.ok,
            "tried": self.tried,
            "status": self.status,
            "why": self.reason,
        }


class Outbox:
    """Takes deliveries on the server's loop and reports each one's end there."""

    def __init__(self) -> None:
        self.log: deque[Delivery] = deque(maxlen=_KEPT)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lines: dict[str, queue.SimpleQueue[Delivery | None]] = {}
        self._end = threading.Event()

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Report to this loop."""
        self._loop = loop

    def close(self) -> None:
        """Deliver nothing more; the threads end by themselves."""
        self._end.set()
        for line in self._lines.values():
            line.put(None)
        self._lines.clear()

    def post(self, delivery: Delivery) -> None:
        """Deliver something."""
        self.log.append(delivery)
        if not on_this_machine(delivery.url):
            delivery.reason = ELSEWHERE
            self._report(delivery)
            return
        address = urlsplit(delivery.url).netloc
        line = self._lines.get(address)
        if line is None:
            line = self._lines[address] = queue.SimpleQueue()
            name = f"iotnb-sandbox-webhook-{address}"
            threading.Thread(target=self._work, args=(line,), name=name, daemon=True).start()
        line.put(delivery)

    def _work(self, line: "queue.SimpleQueue[Delivery | None]") -> None:
        while (delivery := line.get()) is not None and not self._end.is_set():
            self._deliver(delivery)

    def _deliver(self, delivery: Delivery) -> None:
        pause = delivery.pause
        for attempt in range(delivery.attempts):
            if attempt and self._end.wait(pause):
                return
            pause = pause * 2 if attempt else pause
            delivery.tried += 1
            reply = post(delivery.url, delivery.headers, delivery.body)
            delivery.status, delivery.reason = reply.status, reply.reason
            delivery.answer = reply.headers or delivery.answer
            if delivery.ok:
                break
        self._report(delivery)

    def _report(self, delivery: Delivery) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the sandbox has ended
                self._loop.call_soon_threadsafe(delivery.done, delivery)
