"""The ASGI application: which plane a request is for, routing, authentication, errors in its shape."""

import inspect
import uuid
from collections.abc import Awaitable
from typing import NamedTuple
from urllib.parse import unquote

from iotnb.sandbox.iotcentral.access import app_caller, arm_caller, authorize
from iotnb.sandbox.iotcentral.call import Call
from iotnb.sandbox.iotcentral.events import audit
from iotnb.sandbox.iotcentral.platform import Platform
from iotnb.sandbox.iotcentral.routes import Route
from iotnb.sandbox.iotcentral.state import Bucket
from iotnb.sandbox.iotcentral.wire import (
    GA,
    OLD_PREVIEW,
    PREVIEW,
    Answer,
    Refused,
    bad_request,
    error_body,
    not_found,
)
from iotnb.sandbox.platform import lifespan, whole_body
from iotnb.sandbox.routing import Router
from iotnb.sandbox.wire import encode, headers_of, raw_path, respond
from iotnb.sandbox.world import Receive, Scope, Send

_LATEST = {"ga": (GA,), "preview": (GA, PREVIEW)}
_VERSIONS = (GA, PREVIEW, "1.0", "2022-05-31", "1.1-preview", "1.2-preview", OLD_PREVIEW)
_OF_1_0 = frozenset({"apiTokens", "deviceTemplates", "devices", "roles", "users"})
_ARM_VERSIONS = frozenset({"2021-06-01", "2021-11-01-preview"})
_CENTRAL, _HUB = ".azureiotcentral.com", ".azure-devices.net"
_DPS, _LOGIN = "azure-devices-provisioning.net", ("login.microsoftonline.com", "login.windows.net")


class Target(NamedTuple):
    """Where a request goes."""

    plane: str
    segments: tuple[str, ...]
    subdomain: str = ""


def target_of(host: str, segments: tuple[str, ...]) -> Target | None:
    """The plane of a request: by the service's host names, on any other host by the path."""
    if host.startswith("management.") and host.endswith("azure.com"):
        return Target("arm", segments)
    if host.endswith(_CENTRAL):
        inside = segments[:1] == ("api",)
        return Target("data", segments[1:], host.removesuffix(_CENTRAL)) if inside else None
    if host in _LOGIN:
        return Target("entra", segments)
    if host.endswith(_DPS):
        return Target("dps", segments)
    if host.endswith(_HUB):
        return Target("hub", segments)
    first = segments[0].lower() if segments else ""
    second = segments[1].lower() if len(segments) > 1 else ""
    if first in ("subscriptions", "providers"):
        return Target("arm", segments)
    if first == "api":
        return Target("data", segments[1:])
    if first == "devices" and segments[2:3] == ("messages",):
        return Target("hub", segments)
    if second in ("oauth2", "v2.0", "discovery"):
        return Target("entra", segments)
    if second == "registrations":
        return Target("dps", segments)
    if second == "api":
        return Target("data", segments[2:], segments[0])
    return None


class App:
    """IoT Central and its neighbours over one Platform."""

    def __init__(self, platform: Platform, planes: dict[str, Router[Route]]) -> None:
        self.platform = platform
        self.planes = planes
        self._buckets: dict[tuple[str, str], Bucket] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry: HTTP only."""
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1003})
            return
        self.platform.run()
        call = _call(scope, await whole_body(receive))
        call.strict = self.platform.switches.strict
        identifier = str(uuid.uuid4())
        try:
            answer = self._answer(call)
            answer = await answer if inspect.isawaitable(answer) else answer
            audit(call, answer.status)
        except Refused as refused:
            answer = self._refusal(call, refused, identifier)
        answer.headers.setdefault("x-ms-request-id", identifier)
        await _send(call, answer, send)

    def _refusal(self, call: Call, refused: Refused, identifier: str) -> Answer:
        body = error_body(call.plane, refused, identifier, self.platform.now())
        headers = dict(refused.headers)
        if call.plane in ("data", "arm"):
            headers["x-ms-error-code"] = refused.code
        return Answer(status=refused.status, body=body, headers=headers)

    def _answer(self, call: Call) -> Answer | Awaitable[Answer]:
        platform = self.platform
        platform.tick()
        if not call.plane:
            raise Refused(404, "NotFound", f"Nothing is served at {call.path}.")
        if call.plane == "data":
            self._enter(call)
        elif call.plane == "arm":
            call.caller = arm_caller(platform, call)
            _check_arm_version(call)
        match = self.planes[call.plane].find(call.segments)
        if match is None:
            raise not_found(f"There is no resource {call.path}.")
        routes, values = match
        method = "GET" if call.method == "HEAD" else call.method
        route = routes.get(method)
        if route is None:
            allowed = ", ".join(sorted(routes))
            message = f"The method {call.method} is not allowed here."
            raise Refused(405, "MethodNotAllowed", message, headers={"Allow": allowed})
        if call.plane == "data":
            self._check(call, route)
        return route.handler(platform, call, *values)

    def _enter(self, call: Call) -> None:
        """Application, caller and version of a data plane request."""
        platform = self.platform
        call.app = platform.apps.get(call.subdomain)
        if call.app is None:
            raise not_found("The application was not found.")
        call.caller = app_caller(platform, call)
        call.version = call.one("api-version") or (PREVIEW if call.one("$skiptoken") else "")
        served = _LATEST.get(platform.switches.edition, _VERSIONS)
        if call.version not in served:
            what = (
                f"The api-version '{call.version}' is not supported."
                if call.version
                else "An api-version is needed."
            )
            raise bad_request(f"{what} Supported: {', '.join(served)}.", "UnsupportedApiVersion")

    def _check(self, call: Call, route: Route) -> None:
        if route.preview and not call.preview:
            raise not_found(f"There is no resource {call.path} in api-version {call.version}.")
        if call.version == "1.0" and call.segments[0] not in _OF_1_0:
            raise not_found(f"There is no resource {call.path} in api-version 1.0.")
        if self.platform.switches.rate:
            query = call.segments[0] == "query"
            key = call.application.id, "query" if query else "other"
            bucket = self._buckets.get(key)
            if bucket is None:
                bucket = self._buckets[key] = Bucket(1.0) if query else Bucket(20.0, burst=20)
            wait = bucket.take()
            if wait:
                raise self.platform.too_fast(wait)
        authorize(call, route.need)


def _check_arm_version(call: Call) -> None:
    version = call.one("api-version")
    if not version:
        message = "The api-version query parameter (?api-version=) is required for all requests."
        raise Refused(400, "MissingApiVersionParameter", message)
    central = any(segment.lower() == "microsoft.iotcentral" for segment in call.segments)
    if central and version not in _ARM_VERSIONS:
        message = f"No registered resource provider found for API version '{version}'."
        raise Refused(400, "NoRegisteredProviderFound", message)


def _call(scope: Scope, body: bytes) -> Call:
    headers, raw = headers_of(scope), raw_path(scope)
    segments = tuple(unquote(part) for part in raw.split("/") if part)
    netloc = headers.get("host", "localhost")
    host = netloc.rsplit(":", 1)[0].lower() if not netloc.endswith("]") else netloc
    target = target_of(host, segments) or Target("", segments)
    return Call(
        method=scope["method"].upper(),
        plane=target.plane,
        segments=target.segments,
        path="/" + "/".join(part for part in raw.split("/") if part),
        raw_query=scope.get("query_string", b"").decode("latin-1"),
        headers=headers,
        body=body,
        origin=f"{scope.get('scheme', 'http')}://{netloc}",
        host=host,
        subdomain=target.subdomain,
    )


async def _send(call: Call, answer: Answer, send: Send) -> None:
    found = answer.body
    body = b"" if found is None else found if isinstance(found, bytes) else encode(found)
    kind = [("content-type", answer.content_type)] if body else []
    headers = [*kind, *answer.headers.items()]
    await respond(send, answer.status, body, headers, head=call.method == "HEAD")
