"""The ASGI middleware that lets the faults happen, compresses answers, and keeps the request log."""

import asyncio
import hashlib
import json
import socket
import struct
import threading
import time
import zlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from iotnb.sandbox.faults import Plan
from iotnb.sandbox.world import App, Message, Receive, Scope, Send, World

_SMALL = 600  # bytes that are not worth compressing
_LARGE = 128 * 1024  # bytes whose compression is worth a thread: zlib lets the event loop run on
_MOST_PACKED = 64 * 2**20  # bytes of compressed bodies that are kept
_GZIP = 31  # zlib's word for a gzip frame
_PIECES = 10
_PIECE_SECONDS = 0.02

Pairs = list[tuple[bytes, bytes]]


class Shaping:
    """Wraps a platform's app: faults, gzip, log, and a 500 with a record for exceptions."""

    def __init__(self, app: App, world: World) -> None:
        self._app = app
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        headers: Pairs = scope["headers"]
        bearer = _bearer(headers)
        query = scope["query_string"].decode("latin-1")
        plan = self._world.faults.plan(scope["method"], scope["path"], query, bearer=bearer is not None)
        if plan.revoke and bearer is not None:
            self._world.tokens.revoke(bearer)
        world = self._world

        def finished(status: int, size: int) -> None:
            world.note(scope, status=status, size=size, started=started, fault=plan.name)

        out = Answer(scope, send, plan, finished)
        try:
            if plan.delay:
                await asyncio.sleep(plan.delay)
            if plan.status:
                await _refuse(out, plan)
            else:
                await self._app(scope, receive, out)
        except Exception as error:  # noqa: BLE001  whatever a handler raises is kept for the test to see
            self._world.errors.append(error)
            await out.fail()
        finally:
            out.close()


def _bearer(headers: Pairs) -> str | None:
    """The bearer token of a request, from the header or from the cookie `authorization`."""
    for name, value in headers:
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return value[7:].decode("latin-1").strip()
        if name == b"cookie":
            for part in value.decode("latin-1").split(";"):
                key, _, text = part.strip().partition("=")
                if key == "authorization" and text:
                    return text
    return None


async def _refuse(send: Send, plan: Plan) -> None:
    """429 or 503 in front of the platform's app."""
    words = {429: "Too Many Requests", 503: "Service Unavailable"}[plan.status]
    if plan.html:
        page = f"<html><head><title>{plan.status} {words}</title></head><body><h1>{words}</h1></body></html>"
        kind, body = b"text/html", page.encode()
    else:
        info = "a fault that this sandbox was told to make"
        kind, body = (
            b"application/json",
            json.dumps({"error": words, "message": words, "info": info}).encode(),
        )
    headers: Pairs = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    if plan.retry_after is not None:
        headers.append((b"retry-after", plan.retry_after.encode()))
    await send({"type": "http.response.start", "status": plan.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Answer:
    """The `send` that an app gets: compresses, slows down, cuts."""

    def __init__(self, scope: Scope, send: Send, plan: Plan, finished: Callable[[int, int], None]) -> None:
        self.status = 0
        self.size = 0
        self._finished: Callable[[int, int], None] | None = finished
        self._send = send
        self._plan = plan
        self._start: Message | None = None
        self._coder: zlib._Compress | None = None
        self._over = False  # the answer is complete, or the connection broken: nothing more is sent
        accepted = next((v for k, v in scope["headers"] if k == b"accept-encoding"), b"")
        self._gzip = plan.gzip and b"gzip" in accepted.lower()
        self._break: Callable[[bool], Awaitable[None]] = scope.get("extensions", {}).get(
            "iotnb.break", _ignore
        )

    async def __call__(self, message: Message) -> None:
        """Take one ASGI message from the app."""
        if self._over:
            return
        if message["type"] == "http.response.start":
            self.status, self._start = message["status"], message
            return
        if message["type"] != "http.response.body":
            await self._send(message)
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        if self._start is not None:
            start, self._start = self._start, None
            body = await self._begin(start, body, more)
        elif self._coder is not None:
            body = self._coder.compress(body) + (b"" if more else self._coder.flush())
        await self._deliver(body, more)

    def close(self) -> None:
        """Report the answer once, just before its last bytes leave: whoever has them finds it in the log."""
        if self._finished is not None:
            self._finished(self.status, self.size)
            self._finished = None

    async def fail(self) -> None:
        """500 if the answer has not begun, a broken connection if it has, nothing if it is complete."""
        if self._over:
            return
        if self.status and self._start is None:
            await self._break(True)
            return
        self._gzip = False
        body = b'{"error":"sandbox/Internal Error","message":"a handler failed; see Sandbox.errors"}'
        headers: Pairs = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
        await self({"type": "http.response.start", "status": 500, "headers": headers})
        await self({"type": "http.response.body", "body": body})

    async def _begin(self, start: Message, body: bytes, more: bool) -> bytes:
        """Send the head, compressed and garbled as planned; gives the first piece of the body."""
        headers: Pairs = [(k.lower(), v) for k, v in start.get("headers", [])]
        coded = any(k == b"content-encoding" for k, _ in headers) or start["status"] in (204, 304)
        if self._plan.action == "garble" and not more and len(body) > 1:
            body = body[: len(body) // 2]
            headers = _with(headers, b"content-length", str(len(body)).encode())
        if self._gzip and not coded and (more or len(body) >= _SMALL):
            if more:
                self._coder = zlib.compressobj(1, zlib.DEFLATED, _GZIP)
                headers = [(k, v) for k, v in headers if k != b"content-length"]
                body = self._coder.compress(body)
            else:
                body = await _compressed(body)
                headers = _with(headers, b"content-length", str(len(body)).encode())
            headers += [(b"content-encoding", b"gzip"), (b"vary", b"accept-encoding")]
        if self._plan.action == "drop" and not body and not more:
            self._over = True
            self.close()
            await self._break(True)
            return b""
        await self._send({**start, "headers": headers})
        return body

    async def _deliver(self, body: bytes, more: bool) -> None:
        if self._over:
            return
        if self._plan.action in ("drop", "cut") and body:
            half = body[: len(body) // 2]
            self.size += len(half)
            self._over = True
            self.close()
            await self._send({"type": "http.response.body", "body": half, "more_body": True})
            await self._break(self._plan.action == "drop")
            return
        for piece, pause, last in self._pieces(body):
            if pause:
                await asyncio.sleep(pause)
            self.size += len(piece)
            if last and not more:
                self._over = True
                self.close()
            await self._send({"type": "http.response.body", "body": piece, "more_body": more or not last})

    def _pieces(self, body: bytes) -> list[tuple[bytes, float, bool]]:
        """The body in pieces, each with the seconds to wait before it and whether it is the last."""
        seconds = self._plan.slow_body
        if self._plan.bandwidth is not None:
            seconds = max(seconds, len(body) / self._plan.bandwidth)
        if not seconds or len(body) < 2:
            return [(body, 0.0, True)]
        wanted = max(_PIECES, int(seconds / _PIECE_SECONDS)) if self._plan.bandwidth else _PIECES
        number = min(wanted, len(body))
        width = -(-len(body) // number)
        pieces = [body[at : at + width] for at in range(0, len(body), width)]
        pause = seconds / len(pieces)
        return [(piece, pause, n == len(pieces)) for n, piece in enumerate(pieces, 1)]


def _with(headers: Pairs, name: bytes, value: bytes) -> Pairs:
    return [*((k, v) for k, v in headers if k != name), (name, value)]


class Packed:
    """Large bodies that were compressed lately: a page that is asked for again costs a look-up."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[bytes, bytes] = OrderedDict()
        self._bytes = 0

    def get(self, body: bytes) -> bytes:
        """The body in gzip form."""
        key = hashlib.sha1(body, usedforsecurity=False).digest()
        with self._lock:
            packed = self._held.get(key)
            if packed is not None:
                self._held.move_to_end(key)
                return packed
        packed = _gzip(body)
        with self._lock:
            if key not in self._held:
                self._held[key] = packed
                self._bytes += len(packed)
            while self._bytes > _MOST_PACKED:
                self._bytes -= len(self._held.popitem(last=False)[1])
        return packed


_packed = Packed()


def _gzip(body: bytes) -> bytes:
    coder = zlib.compressobj(1, zlib.DEFLATED, _GZIP)
    return coder.compress(body) + coder.flush()


async def _compressed(body: bytes) -> bytes:
    return await asyncio.to_thread(_packed.get, body) if len(body) > _LARGE else _gzip(body)


async def _ignore(_reset: bool) -> None:
    """For servers that cannot break a connection."""


async def break_connection(transport: asyncio.Transport, reset: bool) -> None:
    """End a connection: with a reset (what is not yet sent is lost), or with a clean close."""
    if reset:
        await asyncio.sleep(0.01)  # lets the bytes before the break reach the client
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    else:
        transport.close()
    for _ in range(3):  # the protocol learns of it in a later turn of the loop
        await asyncio.sleep(0)
