"""A webhook receiver on this machine: what is posted to its URL becomes a DataFrame."""

from __future__ import annotations

import html
import json
import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from iotnb import times
from iotnb.errors import ConfigError, IotnbError
from iotnb.secret import scrub, scrub_headers

if TYPE_CHECKING:
    import pandas as pd

LARGEST = 4 * 1024 * 1024  # bytes of one delivery
PATIENCE = 20.0  # seconds that a sender may take for one delivery


@dataclass(frozen=True)
class Delivery:
    """One request that arrived: `body` is decoded JSON, or the text when it is none."""

    number: int
    time: datetime
    method: str
    path: str
    headers: Mapping[str, str]
    body: Any
    size: int


class Inbox:
    """Takes webhooks at `url` from the moment it is made; use it in a `with`, or `close()` it.

    It listens on loopback only: a cloud reaches it through a tunnel of your own, whose public address then
    stands for `url`. The path of `url` holds a random word, and only requests to it are taken. The last
    `keep` deliveries are kept, and no more than `limit` bytes of them. `status` is what senders are answered;
    a function gets each Delivery and gives the status (to see what a sender does with a refusal).
    Credentials in headers are blanked.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        keep: int = 1000,
        limit: int = 64 * 1024 * 1024,
        status: int | Callable[[Delivery], int] = 200,
    ) -> None:
        if not 0 <= port <= 65535 or keep < 1 or limit < 1:
            raise ConfigError("port= is 0 to 65535 (0: any that is free), keep= and limit= are 1 or more")
        self.status = status
        self.received = 0
        self._keep, self._limit = keep, limit
        self._held: deque[Delivery] = deque()
        self._size = 0
        self._arrived = threading.Condition()
        self._callbacks: list[Callable[[Delivery], None]] = []
        self._path = f"/{secrets.token_urlsafe(9)}"
        try:
            self._server = _Server(("127.0.0.1", port), _Handler)
        except OSError as error:
            raise ConfigError(f"port {port} cannot be used ({error.strerror}): take another, or 0") from None
        self._server.inbox = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}{self._path}"
        self._thread: threading.Thread | None = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True, name="iotnb-inbox"
        )
        self._thread.start()

    # -- what has arrived ---------------------------------------------------------------------------------

    @property
    def deliveries(self) -> list[Delivery]:
        """What is kept, oldest first."""
        with self._arrived:
            return list(self._held)

    @property
    def dropped(self) -> int:
        """How many older deliveries were let go to keep within `keep` and `limit`."""
        with self._arrived:
            return self.received - len(self._held)

    def frame(self) -> pd.DataFrame:
        """The deliveries as a table: number, time (UTC), path, then one column a leaf of the JSON body.

        A body that is a list of objects gives a row each; one that is no JSON stands in the column `body`.
        """
        import pandas as pd

        from iotnb import frames

        rows = [(each, document) for each in self.deliveries for document in _documents(each.body)]
        head = pd.DataFrame(
            {
                "number": pd.array([each.number for each, _ in rows], dtype="int64"),
                "time": pd.DatetimeIndex([each.time for each, _ in rows], dtype="datetime64[us, UTC]"),
                "path": pd.array([each.path for each, _ in rows], dtype="str"),
            }
        )
        leaves = frames.flat(document for _, document in rows)
        clashes = {name: f"body.{name}" for name in leaves.columns if name in head.columns}
        return pd.concat([head, leaves.rename(columns=clashes)], axis=1)

    def wait(self, count: int = 1, *, timeout: float = 60.0) -> list[Delivery]:
        """The deliveries, as soon as `count` have come; raises IotnbError after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while True:
            with self._arrived:
                if self.received >= count:
                    return list(self._held)
                # in small steps: an interrupt of the kernel reaches the main thread between them
                self._arrived.wait(0.1)
            if time.monotonic() > deadline:
                raise IotnbError(
                    f"{self.received} of {count} deliveries came within {timeout:g} s. Check that the sender "
                    "uses this inbox's url, and that it can reach this machine."
                )

    def live(self, *, timeout: float | None = None) -> Iterator[Delivery]:
        """Deliveries from now on, as they arrive; ends after `timeout` seconds of silence or with close()."""
        return self._after(self.received, timeout)  # now is when it is called, not when it is first asked

    def _after(self, seen: int, timeout: float | None) -> Iterator[Delivery]:
        while True:
            quiet = time.monotonic()
            with self._arrived:
                while self.received == seen and self._thread is not None:
                    self._arrived.wait(0.1)
                    if timeout is not None and time.monotonic() - quiet > timeout:
                        return
                if self.received == seen:
                    return  # closed
                fresh = [each for each in self._held if each.number > seen]
                seen = self.received  # also when some were dropped before anybody saw them
            yield from fresh

    def on_delivery(self, callback: Callable[[Delivery], None]) -> None:
        """Has `callback` called with each delivery, from a thread of the receiver."""
        self._callbacks.append(callback)

    def clear(self) -> None:
        """Forgets what is kept; the numbers go on."""
        with self._arrived:
            self._held.clear()
            self._size = 0

    def close(self) -> None:
        """Stops listening; what was received stays. Closing twice does no harm."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._server.shutdown()
            thread.join(5)
            self._server.server_close()
            with self._arrived:
                self._arrived.notify_all()

    # -- what arrives ---------------------------------------------------------------------------------------

    def take(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> int:
        """Keeps one request and gives the status to answer; 404 for another path than the inbox's own."""
        own, _, rest = path.partition("?")
        if own != self._path and not own.startswith(f"{self._path}/"):
            return 404
        with self._arrived:
            number = self.received + 1
            below = own[len(self._path) :] or "/"
            shown = scrub(below + (f"?{rest}" if rest else ""))
            delivery = Delivery(
                number, times.now(), method, shown, scrub_headers(headers), _decoded(body), len(body)
            )
            self.received = number
            self._held.append(delivery)
            self._size += delivery.size
            while len(self._held) > self._keep or (self._size > self._limit and len(self._held) > 1):
                self._size -= self._held.popleft().size
            self._arrived.notify_all()
        for callback in list(self._callbacks):
            callback(delivery)
        return self.status(delivery) if callable(self.status) else self.status

    def __len__(self) -> int:
        return len(self.deliveries)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "" if self._thread is not None else ", closed"
        return f"Inbox({self.url}, {self.received} received{state})"

    def _repr_html_(self) -> str:
        return f"<code>{html.escape(repr(self))}</code>"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # a port is free again at once; elsewhere than on POSIX this would let two inboxes share one
    allow_reuse_address = os.name == "posix"
    inbox: Inbox

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sender that hangs up in mid-request is no error of ours."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = PATIENCE
    server: _Server

    def handle_delivery(self) -> None:
        """Reads one request to its end and answers it."""
        body = self._body()
        if body is None:
            self.close_connection = True
            return
        status = self.server.inbox.take(self.command, self.path, dict(self.headers.items()), body)
        self.send_response(status)
        asked = self.headers.get("X-M2M-RI", "")
        if asked and asked.isprintable():  # oneM2M: a subscription's verification wants this answer
            self.send_header("X-M2M-RI", asked)
            self.send_header("X-M2M-RSC", "2000" if status < 400 else "4000")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _body(self) -> bytes | None:
        """The body of the request, also a chunked one; None after an error was answered."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self._chunks()
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit():
            self.send_error(400, "Content-Length is no number")
            return None
        if int(length) > LARGEST:
            self.send_error(413, "too large")
            return None
        return self.rfile.read(int(length))

    def _chunks(self) -> bytes | None:
        pieces: list[bytes] = []
        size = 0
        while True:
            line = self.rfile.readline(100).split(b";")[0].strip()
            try:
                length = int(line, 16)
            except ValueError:
                length = -1
            size += length
            if length < 0 or size > LARGEST:
                self.send_error(400 if length < 0 else 413, "the chunks cannot be read")
                return None
            if length == 0:
                while self.rfile.readline(1000).strip():
                    pass  # trailers
                return b"".join(pieces)
            pieces.append(self.rfile.read(length))
            self.rfile.readline(10)

    do_POST = do_PUT = do_PATCH = do_GET = do_DELETE = do_OPTIONS = do_HEAD = handle_delivery  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing: a notebook's cell is no log."""


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body.decode("utf-8", "replace")


def _documents(body: Any) -> list[dict[str, Any]]:
    """The rows of one delivery."""
    if isinstance(body, dict):
        return [body]
    if isinstance(body, list) and body and all(isinstance(each, dict) for each in body):
        return body
    return [{"body": body}] if body not in ("", None) else [{}]
