"""The ASGI application: paths under any prefix, tokens, errors in the shape of each part, ticks."""

import asyncio
import contextlib
import inspect
import re
from collections.abc import Awaitable
from typing import Any
from urllib.parse import unquote

from iotnb.sandbox.platform import whole_body
from iotnb.sandbox.tiothub import clients, cmo, dmo, portal, token
from iotnb.sandbox.tiothub.platform import Platform
from iotnb.sandbox.tiothub.state import CMO, DMO
from iotnb.sandbox.tiothub.wire import Answer, Call, Refused
from iotnb.sandbox.wire import encode, headers_of, raw_path, respond
from iotnb.sandbox.world import Receive, Scope, Send

_TOKEN = re.compile(
    r"(?P<prefix>.*?)/auth/realms/(?P<realm>[^/]+)/"
    r"(?P<what>protocol/openid-connect/(?:token|certs)|\.well-known/openid-configuration)/?"
)
_DMO = re.compile(rf"(?P<prefix>.*?)/{DMO}/v3/(?P<rest>.+)")
_CMO = re.compile(rf"(?P<prefix>.*?)/{CMO}(?:/v5)?/(?P<tenant>[^/]+)/(?P<rest>.+)")
_FORM = re.compile(rf"(?P<prefix>.*?)/{clients.FORM}(?P<rest>/deliveries)?/?")
_TICK = 0.1  # seconds between two looks at what is due
_REPORT_TICKS = 3  # ticks between two looks at what the fleet reports
_PENDING_TICKS = 20  # ticks between two attempts for notifications that wait


class App:
    """T IoT Hub over one Platform."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self._ticker: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry: HTTP only."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1003})
            return
        if self._ticker is None:
            self.platform.outbox.attach(asyncio.get_running_loop())
            self._ticker = asyncio.create_task(self._tick())
        call = _call(scope, await whole_body(receive))
        self.platform.tick()
        try:
            answer = self._answer(call)
            answer = await answer if inspect.isawaitable(answer) else answer
            failed = False
        except Refused as refused:
            answer, failed = _refusal(refused), True
        await _send(self.platform, call, answer, send, failed=failed)

    def _answer(self, call: Call) -> Answer | Awaitable[Answer]:
        platform = self.platform
        for pattern, handler in ((_TOKEN, self._token), (_DMO, self._dmo), (_CMO, self._cmo)):
            found = pattern.fullmatch(call.path)
            if found is not None:
                call.prefix = unquote(found["prefix"])
                return handler(call, found)
        form = _FORM.fullmatch(call.path)
        if form is not None and form["rest"]:
            return Answer(body={"deliveries": [one.shown() for one in platform.outbox.log]})
        if form is not None:
            return portal.form(platform, call)
        raise Refused(404, {"error": "Not Found", "message": f"no such path: {call.path}"})

    def _token(self, call: Call, found: "re.Match[str]") -> Answer:
        realm, what = unquote(found["realm"]), found["what"]
        if what.endswith("token"):
            return token.token(self.platform, call, realm)
        return (token.certs if what.endswith("certs") else token.configuration)(self.platform, call, realm)

    def _dmo(self, call: Call, found: "re.Match[str]") -> Answer | Awaitable[Answer]:
        call.segments = _segments(found["rest"])
        call.client = token.authenticate(self.platform, call)
        return dmo.dmo(self.platform, call)

    def _cmo(self, call: Call, found: "re.Match[str]") -> Answer:
        call.tenant, call.segments = unquote(found["tenant"]), _segments(found["rest"])
        call.client = token.authenticate(self.platform, call)
        return cmo.cmo(self.platform, call)

    async def _tick(self) -> None:
        """What happens by itself: due plans, the fleet's reports, notifications that wait."""
        turn = 0
        try:
            while True:
                await asyncio.sleep(_TICK)
                turn += 1
                try:
                    self._turn(turn)
                except Exception as error:  # noqa: BLE001  kept for the test to see; the clock goes on
                    self.platform.world.errors.append(error)
        finally:
            self.platform.outbox.close()

    def _turn(self, turn: int) -> None:
        self.platform.tick()
        if turn % _REPORT_TICKS == 0:
            self.platform.notifier.report()
        if turn % _PENDING_TICKS == 0:
            self.platform.notifier.try_pending()


def _segments(rest: str) -> tuple[str, ...]:
    return tuple(unquote(part) for part in rest.split("/") if part)


def _call(scope: Scope, body: bytes) -> Call:
    headers = headers_of(scope)
    host = headers.get("host", "localhost")
    return Call(
        method=scope["method"].upper(),
        path=raw_path(scope),
        raw_query=scope.get("query_string", b"").decode("latin-1"),
        headers=headers,
        body=body,
        origin=f"{scope.get('scheme', 'http')}://{host}",
    )


def _refusal(refused: Refused) -> Answer:
    return Answer(
        status=refused.status,
        body=refused.body,
        headers=refused.headers,
        content_type=refused.content_type,
        rsc=refused.rsc,
    )


async def _send(platform: Platform, call: Call, answer: Answer, send: Send, *, failed: bool) -> None:
    body: Any = answer.body
    body = b"" if body is None else body if isinstance(body, bytes) else encode(body)
    headers = dict(answer.headers)
    if f"/{DMO}/" in call.path:
        headers |= dmo.headers(platform, call, answer.rsc, failed=failed)
    if body:
        headers["Content-Type"] = answer.content_type
    with contextlib.suppress(ConnectionError):
        await respond(send, answer.status, body, headers.items(), head=call.method == "HEAD")
