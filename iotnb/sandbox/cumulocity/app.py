"""The ASGI application: routing on raw paths, authentication, errors in the platform's shape."""

import asyncio
import inspect
import zlib
from collections.abc import Awaitable, Callable, Iterable
from urllib.parse import unquote

from iotnb.sandbox.cumulocity.auth import PUBLIC, authenticate, error_body
from iotnb.sandbox.cumulocity.state import Platform
from iotnb.sandbox.cumulocity.wire import (
    ERROR_INFO,
    JSON,
    Answer,
    Call,
    Page,
    Refused,
    encode,
    media,
    parse_query,
)
from iotnb.sandbox.errors import SandboxError
from iotnb.sandbox.platform import lifespan, whole_body
from iotnb.sandbox.world import Receive, Scope, Send

Handler = Callable[..., Answer | Awaitable[Answer]]
Route = tuple[str, str, Handler]
_MUTUAL = "/devicecontrol/deviceAccessToken"  # all that the port for client certificates serves
_PLAIN_BODIES = frozenset(  # where the document itself asks for application/json, a form or a file
    {
        "acceptAll",
        "binaries",
        "bulkNewDeviceRequests",
        "cep",
        "notification",
        "oauth",
        "options",
        "password",
        "search",
        "totpSecret",
        "trusted-certificates",
    }
)
_VERBS = frozenset({"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"})


class _Node:
    """One segment of the tree of paths."""

    __slots__ = ("handlers", "names", "other", "template")

    def __init__(self) -> None:
        self.names: dict[str, _Node] = {}
        self.other: _Node | None = None
        self.handlers: dict[str, Handler] = {}
        self.template = ""


class Router:
    """Paths to handlers; `{name}` stands for one segment, which a handler receives decoded."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.root = _Node()
        for method, template, handler in routes:
            node = self.root
            for segment in template.strip("/").split("/"):
                if segment.startswith("{"):
                    node.other = node.other or _Node()
                    node = node.other
                else:
                    node = node.names.setdefault(segment, _Node())
            node.handlers[method] = handler
            node.template = template

    def find(self, segments: tuple[str, ...]) -> tuple[_Node, tuple[str, ...]] | None:
        """The node of a path and the values of its variable segments, or None."""
        return self._walk(self.root, segments, ())

    def _walk(
        self, node: _Node, rest: tuple[str, ...], found: tuple[str, ...]
    ) -> tuple[_Node, tuple[str, ...]] | None:
        if not rest:
            return (node, found) if node.handlers else None
        named = node.names.get(rest[0])
        if named is not None:
            match = self._walk(named, rest[1:], found)
            if match is not None:
                return match
        return None if node.other is None else self._walk(node.other, rest[1:], (*found, rest[0]))


class App:
    """Cumulocity's REST API over one Platform."""

    def __init__(self, platform: Platform, routes: Iterable[Route]) -> None:
        self.platform = platform
        self.router = Router(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry: HTTP only."""
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1003})
        else:
            await self._http(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = _call(scope, await whole_body(receive))
        call.is_main = scope.get("server", (None, None))[1] in (self.platform.service.port, None)
        try:
            call.strict = self.platform.switches.strict
            answer = await self._answer(call, receive)
        except SandboxError as error:  # a switch that is none, set while the sandbox runs
            wrong = Refused(500, "sandbox/Wrong Switch", str(error))
            answer = Answer(status=500, body=error_body(wrong, ERROR_INFO), content_type=media("error"))
        except Refused as refused:
            answer = Answer(
                status=refused.status, body=error_body(refused, ERROR_INFO), content_type=media("error")
            )
        faults = self.platform.world.faults.settings
        packed = faults.gzip and not faults.garble_every and "gzip" in call.headers.get("accept-encoding", "")
        await _send(call, answer, send, packed=packed)

    async def _answer(self, call: Call, receive: Receive) -> Answer:
        platform = self.platform
        match = self.router.find(call.segments)
        if match is None or not (call.is_main or match[0].template == _MUTUAL):
            raise Refused(404, "general/Not Found", f"No handler found for {call.method} {call.path}")
        node, values = match
        handler = node.handlers.get("GET" if call.method == "HEAD" else call.method)
        if handler is None:
            if call.method == "OPTIONS":
                return Answer(status=200, headers={"Allow": ", ".join(sorted(node.handlers))})
            raise Refused(405, "general/methodNotAllowed", f"Request method '{call.method}' not supported")
        with platform.lock:
            platform.tick()
            if node.template not in PUBLIC and call.is_main:
                call.user = authenticate(platform, call)
            _check_types(call)
            answer = handler(platform, call, *values)
        if inspect.isawaitable(answer):
            return await _unless_gone(answer, receive)
        await self._deep(call)
        return answer

    async def _deep(self, call: Call) -> None:
        """Let a page cost time for every row before it, as on a server that scans from the start."""
        cost = self.platform.world.faults.settings.cost_per_skipped_row
        if cost and call.method == "GET" and call.one("currentPage"):
            await asyncio.sleep(cost * Page.of(call).first)


async def _unless_gone(answer: Awaitable[Answer], receive: Receive) -> Answer:
    """Wait for an answer, but give it up when the client hangs up."""
    work = asyncio.ensure_future(answer)
    gone = asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
        return work.result() if work.done() else Answer(status=499)
    finally:
        for task in (work, gone):
            task.cancel()
        await asyncio.gather(work, gone, return_exceptions=True)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _check_types(call: Call) -> None:
    """406 when nothing acceptable can be sent; in strict mode 415 for a body that is not of a vendor type."""
    accept = call.accept
    known = (
        "*/*",
        "application/*",
        "json",
        "text/csv",
        "text/plain",
        "octet-stream",
        "multipart",
    )
    if accept and not any(one in accept for one in known) and "binaries" not in call.segments:
        raise Refused(406, "general/notAcceptable", "Could not find acceptable representation")
    if not call.strict or call.method not in ("POST", "PUT") or not call.body:
        return
    if _PLAIN_BODIES.isdisjoint(call.segments) and not call.content_type.startswith(
        "application/vnd.com.nsn.cumulocity."
    ):
        raise Refused(
            415, "general/unsupportedMediaType", f"Content type '{call.content_type}' not supported"
        )


def _call(scope: Scope, body: bytes) -> Call:
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        headers[name.decode("latin-1").lower()] = value.decode("latin-1")
    raw = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").split("?")[0]
    segments = tuple(unquote(part) for part in raw.split("/") if part)
    query, pairs = parse_query(scope.get("query_string", b"").decode("latin-1"))
    method = scope["method"].upper()
    override = headers.get("x-http-method", "").upper()
    if method == "POST" and override in _VERBS:
        method = override
    host = headers.get("host", "localhost")
    chain: list[str] = scope.get("extensions", {}).get("tls", {}).get("client_cert_chain", [])
    return Call(
        method=method,
        path="/" + "/".join(part for part in raw.split("/") if part),
        segments=segments,
        query=query,
        pairs=pairs,
        headers=headers,
        body=body,
        origin=f"{scope.get('scheme', 'http')}://{host}",
        peer=tuple(chain),
    )


async def _send(call: Call, answer: Answer, send: Send, *, packed: bool) -> None:
    """Send an answer; one that is compressed already goes out so if it may."""
    body = (
        b"" if answer.body is None else answer.body if isinstance(answer.body, bytes) else encode(answer.body)
    )
    headers: list[tuple[bytes, bytes]] = []
    if body:
        kind = answer.content_type or (media(answer.kind) if answer.kind else JSON)
        if answer.kind and not answer.content_type and _plain(call.accept):
            kind = JSON + ";charset=UTF-8"
        headers.append((b"content-type", kind.encode()))
    if answer.gzipped and packed:
        headers.append((b"content-encoding", b"gzip"))
    elif answer.gzipped:
        body = zlib.decompress(body, 31)
    if answer.status != 204:
        headers.append((b"content-length", str(len(body)).encode()))
    headers += [(name.encode(), value.encode("latin-1")) for name, value in answer.headers.items()]
    headers += [(b"set-cookie", cookie.encode()) for cookie in answer.cookies]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if call.method == "HEAD" else body})


def _plain(accept: str) -> bool:
    """Whether the client asked for plain JSON and for no vendor type."""
    return JSON in accept and "vnd.com" not in accept and "*/*" not in accept
