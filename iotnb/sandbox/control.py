"""The control endpoint `/.sandbox/`: state, faults, reset, seed, clock, log. Faults never hit it.

| request | effect |
|---|---|
| GET /.sandbox/ | state of the sandbox as this platform sees it |
| POST /.sandbox/faults | set faults (JSON object or text `latency=0.1`); DELETE clears them |
| POST /.sandbox/switches | change the platform's switches |
| POST /.sandbox/reset | forget what users created |
| POST /.sandbox/seed | another fleet: `{"seed": 2, "devices": 50, "days": 7}` |
| POST /.sandbox/clock | `{"set": ms or ISO text or null, "advance": ms, "freeze": true or false}` |
| POST /.sandbox/tokens | `{"action": "expire"}`: every token so far has expired |
| GET /.sandbox/requests | the request log without secrets; DELETE empties it |
| GET /.sandbox/fleet | summary of the fleet, `?devices=true` with its devices |
| GET /.sandbox/issued | secrets of the run; needs `Authorization: Bearer <control token>` |
"""

import hmac
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from iotnb.sandbox.errors import SandboxError
from iotnb.sandbox.faults import checked, parse
from iotnb.sandbox.fleet import Clock
from iotnb.sandbox.world import App, Receive, Scope, Send, World

PREFIX = "/.sandbox"


class Desk(Protocol):
    """What the control endpoint asks of the sandbox as a whole."""

    control_token: str

    def reset(self) -> None:
        """Forget what users created."""

    def seed(self, seed: int | None = None, *, devices: int | None = None, days: float | None = None) -> None:
        """Replace the fleet."""


class Front:
    """The app of a port: the control endpoint under its prefix, the platform everywhere else."""

    def __init__(self, platform: App, control: App, world: World) -> None:
        self._platform = platform
        self._control = control
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path = scope.get("path", "")
        if path != PREFIX and not path.startswith(PREFIX + "/"):
            await self._platform(scope, receive, send)
            return
        try:
            await self._control(scope, receive, send)
        except Exception as error:  # noqa: BLE001  Starlette has answered 500; the test shall see why
            self._world.errors.append(error)


Handler = Callable[[Request], Awaitable[Response]]


class Control:
    """The handlers of the control endpoint of one platform."""

    def __init__(self, world: World, desk: Desk) -> None:
        self._world = world
        self._desk = desk

    def app(self) -> App:
        """The ASGI app."""
        plan: list[tuple[str, str, Handler]] = [
            ("GET", "/", self.state),
            ("GET", "", self.state),
            ("GET", "/faults", self.state),
            ("POST", "/faults", self.faults),
            ("DELETE", "/faults", self.clear),
            ("POST", "/switches", self.switches),
            ("POST", "/reset", self.reset),
            ("POST", "/seed", self.seed),
            ("POST", "/clock", self.clock),
            ("POST", "/tokens", self.tokens),
            ("GET", "/requests", self.requests),
            ("DELETE", "/requests", self.forget),
            ("GET", "/fleet", self.fleet),
            ("GET", "/issued", self.issued),
        ]
        routes = [Route(PREFIX + path, _guarded(handler), methods=[method]) for method, path, handler in plan]
        return Starlette(routes=routes)

    def _state(self) -> dict[str, Any]:
        world = self._world
        return {
            "platform": world.platform,
            "clock": world.clock.now(),
            "frozen": world.clock.frozen,
            "seed": world.fleet.seed,
            "devices": len(world.fleet),
            "days": world.fleet.days,
            "faults": world.faults.describe(),
            "counts": dict(world.faults.counts),
            "switches": world.switches,
            "requests": len(world.requests),
            "errors": [repr(error) for error in world.errors],
        }

    async def state(self, _request: Request) -> Response:
        """The state of the sandbox as this platform sees it."""
        return JSONResponse(self._state())

    async def faults(self, request: Request) -> Response:
        """Set faults from a JSON object or from text."""
        body = (await request.body()).decode()
        settings = checked(_object(body)) if body.lstrip().startswith("{") else parse(body)
        self._world.faults.set(**settings)
        return JSONResponse(self._state())

    async def clear(self, _request: Request) -> Response:
        """No faults."""
        self._world.faults.clear()
        return JSONResponse(self._state())

    async def switches(self, request: Request) -> Response:
        """Change the platform's switches; null removes one."""
        for name, value in _object((await request.body()).decode()).items():
            if value is None:
                self._world.switches.pop(name, None)
            else:
                self._world.switches[name] = value
        return JSONResponse(self._state())

    async def reset(self, _request: Request) -> Response:
        """Forget what users created."""
        self._desk.reset()
        return JSONResponse(self._state())

    async def seed(self, request: Request) -> Response:
        """Another fleet."""
        wanted = _object((await request.body()).decode())
        number, devices, days = wanted.get("seed"), wanted.get("devices"), wanted.get("days")
        for name, value in (("seed", number), ("devices", devices)):
            if value is not None and not isinstance(value, int):
                raise SandboxError(f"{name} is a whole number, not {value!r}")
        if days is not None and not isinstance(days, int | float):
            raise SandboxError(f"days is a number, not {days!r}")
        self._desk.seed(number, devices=devices, days=days)
        return JSONResponse(self._state())

    async def clock(self, request: Request) -> Response:
        """Set, advance, freeze or free the clock."""
        move(self._world.clock, _object((await request.body()).decode()))
        return JSONResponse(self._state())

    async def tokens(self, request: Request) -> Response:
        """Expire all tokens."""
        if _object((await request.body()).decode()).get("action") != "expire":
            raise SandboxError('write {"action": "expire"}')
        self._world.tokens.expire_all()
        return JSONResponse(self._state())

    async def requests(self, _request: Request) -> Response:
        """The request log."""
        return JSONResponse({"requests": [line._asdict() for line in self._world.log()]})

    async def forget(self, _request: Request) -> Response:
        """Empty the request log."""
        self._world.requests.clear()
        return Response(status_code=204)

    async def fleet(self, request: Request) -> Response:
        """Summary of the fleet."""
        fleet = self._world.fleet
        out: dict[str, Any] = {
            "seed": fleet.seed,
            "devices": len(fleet),
            "start": fleet.start,
            "now": fleet.clock.now(),
            "kinds": Counter(fleet.kind(i) for i in range(len(fleet))),
        }
        if request.query_params.get("devices") == "true":
            now = out["now"]
            out["list"] = [{**asdict(device), "online": fleet.online(device.index, now)} for device in fleet]
        return JSONResponse(out)

    async def issued(self, request: Request) -> Response:
        """Every secret of the run, for those who hold the control token."""
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self._desk.control_token}".encode()):
            return JSONResponse({"error": "the control token of info() is needed"}, status_code=401)
        found = [{"secret": secret, "what": what} for secret, what in self._world.secrets.all().items()]
        return JSONResponse({"issued": found})


def _guarded(handler: Handler) -> Handler:
    """The handler with wrong input as 400, and without a door for web pages of other origins."""

    async def guarded(request: Request) -> Response:
        origin = request.headers.get("origin")
        if origin is not None and origin.partition("://")[2] != request.headers.get("host"):
            return JSONResponse({"error": f"not for pages of {origin}"}, status_code=403)
        try:
            return await handler(request)
        except (SandboxError, UnicodeDecodeError) as error:
            return JSONResponse({"error": str(error)}, status_code=400)

    return guarded


def _object(body: str) -> dict[str, Any]:
    try:
        found = json.loads(body) if body.strip() else {}
    except ValueError as error:
        raise SandboxError(f"the body is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise SandboxError("the body must be a JSON object")
    return found


def move(clock: Clock, wanted: dict[str, Any]) -> None:
    """Set, advance, freeze or free a clock as the control endpoint's body says; SandboxError if it cannot."""
    unknown = wanted.keys() - {"set", "advance", "freeze"}
    if unknown or not wanted:
        raise SandboxError("write set, advance or freeze")
    if "set" in wanted:
        clock.set(_moment(wanted["set"]))
    if "advance" in wanted:
        if not isinstance(wanted["advance"], int):
            raise SandboxError("advance is a whole number of milliseconds")
        clock.advance(wanted["advance"])
    if "freeze" in wanted:
        (clock.freeze if wanted["freeze"] else clock.resume)()


def _moment(value: Any) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        raise SandboxError(f"set is milliseconds, ISO text or null, not {value!r}") from None
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
