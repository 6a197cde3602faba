"""The ASGI application: the gateway in front (paths, tokens, scopes, its faults), the services behind it."""

import asyncio
from collections.abc import Callable
from urllib.parse import unquote

from iotnb.sandbox.platform import lifespan, whole_body
from iotnb.sandbox.routing import Router
from iotnb.sandbox.tokens import TokenError
from iotnb.sandbox.wire import JSON, headers_of, raw_path, respond
from iotnb.sandbox.world import Receive, Scope, Send
from iotnb.sandbox.wso2 import registration, token
from iotnb.sandbox.wso2.routes import ANDROID_MGT, CERTIFICATE_MGT, MGT, Route
from iotnb.sandbox.wso2.state import Platform
from iotnb.sandbox.wso2.wire import Answer, Call, Caller, Fault, Refused, not_served

_TICK = 0.1  # seconds between two looks at what is due
_CONTEXTS = tuple(
    tuple(f"{prefix}/{name}".strip("/").split("/"))
    for prefix, names in (
        (
            MGT,
            (
                "admin/applications admin/authorization admin/publish-artifact admin/devices admin/groups "
                "admin/device-types admin/users device/agent activities configuration devices device-types "
                "events geo-services groups notifications policies remote-session-services roles users"
            ),
        ),
        (ANDROID_MGT, "admin/devices devices configuration events"),
        (CERTIFICATE_MGT, "admin/certificates"),
    )
    for name in names.split()
)
_VERSION = "1.0.0"
_REGISTER = "/api-application-registration"
_OPEN: dict[tuple[str, str], Callable[[Platform, Call], Answer]] = {
    ("POST", f"{_REGISTER}/register"): registration.register,
    ("POST", f"{_REGISTER}/register/tenants"): registration.register_tenant,
    ("DELETE", f"{_REGISTER}/unregister"): registration.unregister,
    ("POST", "/token"): token.token,
    ("POST", "/oauth2/token"): token.token,
    ("POST", "/revoke"): token.revoke,
    ("POST", "/oauth2/revoke"): token.revoke,
}
_OPEN_PATHS = frozenset(path for _, path in _OPEN)
_SECURITY = {
    900901: (401, "Invalid Credentials", "Make sure you have given the correct access token"),
    900902: (
        401,
        "Missing Credentials",
        "Make sure your API invocation call has a header: Authorization: Bearer",
    ),
    900903: (401, "Access Token Expired", "Renew the access token and try again"),
    900906: (
        403,
        "No matching resource found in the API for the given request",
        "Check the API documentation",
    ),
    900910: (403, "The access token does not allow you to access the requested resource", "Check the scopes"),
}


def _security(code: int, path: str) -> Fault:
    status, message, hint = _SECURITY[code]
    description = f"Access failure for API: {path}, version: {_VERSION} status: ({code}) - {message}. {hint}"
    return Fault(status, "security", code, message, description)


class App:
    """WSO2 IoT Server over one Platform."""

    def __init__(self, platform: Platform, routes: list[Route]) -> None:
        self.platform = platform
        self._router = Router(routes)
        self._throttle = (0, 0)
        self._ticker: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry: HTTP only."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await lifespan(receive, send)
            else:
                await send({"type": "websocket.close", "code": 1003})
            return
        if self._ticker is None or self._ticker.done():
            self._ticker = asyncio.ensure_future(self._tick())
        call = self._call(scope, await whole_body(receive))
        self.platform.tick()
        try:
            answer = self._answer(call)
        except Refused as refused:
            answer = refused.answer
        except Fault as fault:
            answer = self._faulty(call, fault)
        body = answer.payload()
        headers = list(answer.headers.items()) + ([("Content-Type", answer.content_type)] if body else [])
        await respond(send, answer.status, body, headers, head=call.method == "HEAD")

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK)
            self.platform.tick()

    def _call(self, scope: Scope, body: bytes) -> Call:
        return Call(
            method=scope["method"].upper(),
            path="/" + "/".join(part for part in raw_path(scope).split("/") if part),
            raw_query=scope.get("query_string", b"").decode("latin-1"),
            headers=headers_of(scope),
            body=body,
            strict=self.platform.switches.strict,
        )

    def _faulty(self, call: Call, fault: Fault) -> Answer:
        """A gateway fault; the runtime's come in the request's own type, save at the token endpoint."""
        form = self.platform.switches.fault_format
        if fault.kind == "runtime":
            own = (
                call.method in ("POST", "PUT")
                and call.content_type == JSON
                and not call.path.endswith("token")
            )
            form = "json" if own else "xml"
        headers = {"WWW-Authenticate": 'OAuth2 realm="WSO2 API Manager"'} if fault.status == 401 else {}
        return fault.answer(form, headers)

    def _answer(self, call: Call) -> Answer:
        open_ = _OPEN.get((call.method, call.path))
        if open_ is not None:
            return open_(self.platform, call)
        if call.path in _OPEN_PATHS:
            raise Refused(405, headers={"Allow": "POST"})
        segments = tuple(unquote(part) for part in call.path.split("/") if part)
        context = next((c for c in _CONTEXTS if segments[: len(c)] == c), None)
        if context is None:
            raise not_served(call.path)
        if segments[len(context) : len(context) + 1] == (_VERSION,):
            segments = context + segments[len(context) + 1 :]
        self._check_throttle()
        self._authenticate(call)
        match = self._router.find(segments)
        route = None if match is None else match.routes.get("GET" if call.method == "HEAD" else call.method)
        if match is None or route is None:
            raise _security(900906, call.path)
        if route.scope and route.scope not in call.caller.scopes:
            raise _security(900910, call.path)
        return route.handler(self.platform, call, *match.values)

    def _authenticate(self, call: Call) -> None:
        """Who calls, by the bearer token."""
        scheme, _, word = call.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not word.strip():
            raise _security(900902, call.path)
        try:
            grant = self.platform.clients.find(word.strip())
        except TokenError as error:
            raise _security(900903 if error.reason == "expired" else 900901, call.path) from None
        admin = self.platform.accounts.is_admin(grant.user)
        call.caller = Caller(grant.user, admin, frozenset(grant.scopes), grant.client_id)

    def _check_throttle(self) -> None:
        """Refuse the next n calls after the switch changed."""
        wanted, left = self.platform.switches.throttle, self._throttle[1]
        if wanted != self._throttle[0]:
            left = wanted
        self._throttle = wanted, max(0, left - 1)
        if left > 0:
            status = self.platform.switches.throttle_status
            raise Fault(status, "throttling", 900800, "Message throttled out", "You have exceeded your quota")
