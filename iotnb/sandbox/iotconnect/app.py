"""The ASGI application: prefixes, hosts, routing, authentication, roles, errors in their shapes."""

from urllib.parse import unquote

from iotnb.sandbox.iotconnect import auth, files
from iotnb.sandbox.iotconnect.company import user_of
from iotnb.sandbox.iotconnect.routes import Route
from iotnb.sandbox.iotconnect.state import Platform
from iotnb.sandbox.iotconnect.wire import EDITIONS, Answer, Call, Refused, forbidden
from iotnb.sandbox.platform import lifespan, whole_body
from iotnb.sandbox.routing import Router
from iotnb.sandbox.wire import encode, headers_of, raw_path, respond
from iotnb.sandbox.world import Receive, Scope, Send

_CORS = (
    ("access-control-allow-origin", "*"),
    ("access-control-allow-methods", "GET, POST, PUT, DELETE, OPTIONS"),
    ("access-control-allow-headers", "*"),
)
_DOMAIN = ".iotconnect.io"
_MODULES = ("user", "master", "telemetry", "firmware", "event", "file")
_MODULE_OF_SECTION = {"": "auth", "entity": "user"} | {name: name for name in _MODULES}
"""Section to the module that serves it; every other is of the device module."""


class App:
    """IoTConnect over one Platform."""

    def __init__(self, platform: Platform, routes: list[Route]) -> None:
        self.platform = platform
        self._router = Router(routes, fold=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry: HTTP only."""
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1003})
            return
        call = _call(scope, await whole_body(receive))
        try:
            answer = self._answer(call)
        except Refused as refused:
            html = isinstance(refused.body, bytes)
            kind = "text/html" if html else "application/json"
            answer = Answer(refused.status, refused.body, refused.headers, kind)
        await _send(call, answer, send)

    def _answer(self, call: Call) -> Answer:
        if call.method == "OPTIONS":
            return Answer(status=204)
        switches = self.platform.switches
        call.strict, call.default_page = switches.strict, switches.page_default
        names = _small(call.segments)
        if names[:3] == ("api", "uisdk", "solutionkey"):
            return self._discovery(call)
        if names[:1] == (files.LINKS,):
            return files.download(self.platform, call)
        prefix = names[1] if names[:1] == ("api",) and len(names) > 2 else ""
        if prefix not in EDITIONS:
            raise Refused(404, f"Nothing is served at {call.path}.")
        call.prefix, call.segments = prefix, call.segments[2:]
        route, values = self._find(call)
        if switches.fail_next and self.platform.fails("requests", switches.fail_next):
            raise Refused(500, "An error occurred while processing the request")
        if route.section:
            call.caller = auth.authenticate(self.platform, call)
            _check_role(call, route)
        answer = route.handler(self.platform, call, *values)
        if switches.count_unknown and isinstance(answer.body, dict) and "count" in answer.body:
            answer.body["count"] = -1
        return answer

    def _discovery(self, call: Call) -> Answer:
        if len(call.segments) != 6 or call.segments[4].lower() != "env":
            raise Refused(404, f"Nothing is served at {call.path}.")
        if call.method != "GET":
            raise Refused(405, "Only GET is allowed here.", headers={"Allow": "GET"})
        return auth.discover(self.platform, call, call.segments[3], call.segments[5])

    def _find(self, call: Call) -> tuple[Route, tuple[str, ...]]:
        """The route of a request and the values in its path; 404 or 405."""
        match = self._router.find(call.segments)
        if match is None:
            raise Refused(404, f"There is no resource {call.path}.")
        method = "GET" if call.method == "HEAD" else call.method
        route = match.routes.get(method)
        if route is None:
            allowed = ", ".join(sorted(match.routes))
            raise Refused(405, f"{call.method} is not allowed here.", headers={"Allow": allowed})
        if call.edition not in route.editions or not _serves(call.host, route.section):
            raise Refused(404, f"There is no resource {call.method} {call.path}.")
        return route, match.values


def _small(segments: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(one.lower() for one in segments)


def _serves(host: str, section: str) -> bool:
    """Whether a host has a section: the vendor's hosts have one module each, this machine has all."""
    if not host.endswith(_DOMAIN):
        return True
    return _MODULE_OF_SECTION.get(section, "device") in host.removesuffix(_DOMAIN)


def _check_role(call: Call, route: Route) -> None:
    """403 for a section that the caller's role does not have."""
    user = user_of(call.user.guid)
    role = None if user is None else user.role
    if (
        role is None
        or (route.section == "user" and not role.reads_users)
        or (route.writes and not role.writes)
    ):
        raise forbidden(route.section)


def _call(scope: Scope, body: bytes) -> Call:
    headers, raw = headers_of(scope), raw_path(scope)
    netloc = headers.get("host", "localhost")
    return Call(
        method=scope["method"].upper(),
        path=raw,
        segments=tuple(unquote(part) for part in raw.split("/") if part),
        raw_query=scope.get("query_string", b"").decode("latin-1"),
        headers=headers,
        body=body,
        origin=f"{scope.get('scheme', 'http')}://{netloc}",
        host=netloc.rsplit(":", 1)[0].lower(),
    )


async def _send(call: Call, answer: Answer, send: Send) -> None:
    found = answer.body
    body = b"" if found is None else found if isinstance(found, bytes) else encode(found)
    kind = [("content-type", answer.content_type)] if body else []
    await respond(
        send, answer.status, body, [*kind, *_CORS, *answer.headers.items()], head=call.method == "HEAD"
    )
