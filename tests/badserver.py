"""A real HTTP server on real sockets that misbehaves: each path has a script, one step per request."""

import gzip
import http
import json
import socket
import socketserver
import ssl
import struct
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]  # names in lower case
    body: bytes
    connection: int
    at: float = field(default_factory=time.monotonic)

    @property
    def form(self) -> dict[str, str]:
        """The fields of a form."""
        return dict(parse_qsl(self.body.decode()))


Step = Callable[[Seen, socket.socket], bool]  # answers on the socket; True keeps the connection


class BadServer:
    """Answers as `on(path, *steps)` says; the last step goes on for ever. `seen` holds the requests."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.seen: list[Seen] = []
        self.connections = 0
        self.now = self.peak = 0  # requests being answered: at present, and at most
        self._steps: dict[str, list[Step]] = defaultdict(list)
        self._otherwise: Step | None = None
        self._lock = threading.Lock()
        self._server = _Listener(self, tls)
        scheme = "https" if tls else "http"
        self.port: int = self._server.server_address[1]
        self.base_url = f"{scheme}://127.0.0.1:{self.port}"

    def on(self, path: str, *steps: Step) -> None:
        """From now on a path is answered by these steps, in this order."""
        with self._lock:
            self._steps[path] = list(steps)

    def otherwise(self, step: Step) -> None:
        """From now on a path without steps of its own is answered by this one."""
        self._otherwise = step

    def count(self, path: str, method: str | None = None) -> int:
        """How many requests a path has seen."""
        return sum(each.path == path and method in {None, each.method} for each in list(self.seen))

    def take(self, request: Seen) -> Step:
        """The next step for a request."""
        with self._lock:
            self.seen.append(request)
            steps = self._steps.get(request.path)
            if not steps and self._otherwise is not None:
                return self._otherwise
            if not steps:
                return reply({"error": "not/found", "message": f"nothing at {request.path}"}, 404)
            return steps.pop(0) if len(steps) > 1 else steps[0]

    def busy(self, change: int) -> None:
        """Counts the requests that are being answered."""
        with self._lock:
            self.now += change
            self.peak = max(self.peak, self.now)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, owner: BadServer, tls: ssl.SSLContext | None) -> None:
        self.owner, self.tls = owner, tls
        super().__init__(("127.0.0.1", 0), _Connection)

    def handle_error(self, *_: object) -> None:
        """A client that goes away is no error here."""


class _Connection(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        listener: Any = self.server
        owner: BadServer = listener.owner
        sock: socket.socket = self.request
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if listener.tls is not None:
            sock = self.request = listener.tls.wrap_socket(sock, server_side=True)
        owner.connections += 1
        number = owner.connections
        with sock, sock.makefile("rb") as file:
            while (seen := _read(file, number)) is not None:
                step = owner.take(seen)
                owner.busy(1)
                try:
                    keep = step(seen, sock)
                finally:
                    owner.busy(-1)
                if not keep:
                    return


def _read(file: Any, connection: int) -> Seen | None:
    line = file.readline().decode("latin-1").split()
    if len(line) != 3:
        return None
    headers: dict[str, str] = {}
    while text := file.readline().decode("latin-1").strip():
        name, _, value = text.partition(":")
        headers[name.strip().lower()] = value.strip()
    body = file.read(int(headers.get("content-length", 0)))
    parts = urlsplit(line[1])
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return Seen(line[0], parts.path, query, headers, body, connection)


def head(status: int, headers: Mapping[str, object]) -> bytes:
    """A status line and headers."""
    lines = [f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def reply(
    body: object = None, status: int = 200, /, *, kind: str = "application/json", **headers: object
) -> Step:
    """A whole answer; what is no bytes goes out as JSON. Underscores in header names become hyphens."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()

    def step(seen: Seen, sock: socket.socket) -> bool:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sock.sendall(head(status, {"Content-Type": kind, "Content-Length": len(raw), **named}))
        if seen.method != "HEAD":
            sock.sendall(raw)
        return True

    return step


def raw(data: bytes, *, reset: bool = False) -> Step:
    """Exactly these bytes, then the end of the connection, in order or by a reset."""

    def step(_: Seen, sock: socket.socket) -> bool:
        sock.sendall(data)
        if reset:
            time.sleep(0.05)  # the bytes get there first
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
        return False

    return step


def dripping(body: bytes, *, delay: float, size: int = 1) -> Step:
    """A body that comes in small pieces, `delay` seconds apart."""

    def step(_: Seen, sock: socket.socket) -> bool:
        sock.sendall(head(200, {"Content-Type": "application/json", "Content-Length": len(body)}))
        for start in range(0, len(body), size):
            sock.sendall(body[start : start + size])
            time.sleep(delay)
        return True

    return step


def silent(seconds: float) -> Step:
    """No answer at all for a while."""

    def step(_: Seen, sock: socket.socket) -> bool:
        time.sleep(seconds)
        return False

    return step


def slow(then: Step, seconds: float) -> Step:
    """An answer after a wait."""

    def step(seen: Seen, sock: socket.socket) -> bool:
        time.sleep(seconds)
        return then(seen, sock)

    return step


def redirect(target: str, status: int = 302) -> Step:
    """A redirect."""
    return reply({}, status, Location=target)


def chunked(*pieces: bytes, end: bytes = b"0\r\n\r\n") -> Step:
    """A chunked body with an end that may be broken."""
    parts = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    start = head(200, {"Content-Type": "application/json", "Transfer-Encoding": "chunked"})
    return raw(start + parts + end)


def zipped(body: bytes) -> bytes:
    """A body in gzip."""
    return gzip.compress(body)
