"""`/device-types` and `/admin/device-types`."""

import re
from typing import Any

from iotnb.sandbox.wso2.routes import MGT, routes
from iotnb.sandbox.wso2.state import Platform
from iotnb.sandbox.wso2.wire import Answer, Call, Refused, problem

Json = dict[str, Any]
_NAME = re.compile(r"[^ /]+")


def names(platform: Platform, _call: Call) -> Answer:
    """GET /device-types: the names alone."""
    listed = platform.types.names()
    return Answer(body={"count": len(listed), "deviceTypes": listed})


def features(platform: Platform, _call: Call, name: str) -> Answer:
    """GET /device-types/{type}/features."""
    if name not in platform.types:
        raise problem(404, f"Device type '{name}' is not found")
    return Answer(body=platform.types.features(name))


def details(platform: Platform, _call: Call) -> Answer:
    """GET /device-types/config (and /all): every type with its definition."""
    return Answer(body=platform.types.all())


def detail(platform: Platform, _call: Call, name: str) -> Answer:
    """GET /device-types/config/{type} (and /all/{type}): 204 for an unknown one."""
    found = platform.types.get(name)
    return Answer(204) if found is None else Answer(body=found)


def _parsed(call: Call) -> tuple[str, Json]:
    """Name and definition of the body; 400 without a body for what is missing or wrong."""
    body = call.document()
    name, definition = body.get("name"), body.get("deviceTypeMetaDefinition")
    if not isinstance(name, str) or _NAME.fullmatch(name) is None or not isinstance(definition, dict):
        raise Refused(400)
    return name, definition


def add(platform: Platform, call: Call) -> Answer:
    """POST /admin/device-types: 200 without a body."""
    name, definition = _parsed(call)
    if name in platform.types:
        raise Refused(409, f"Device type already available, {name}")
    platform.types.add(name, definition)
    return Answer()


def update(platform: Platform, call: Call) -> Answer:
    """PUT /admin/device-types."""
    name, definition = _parsed(call)
    if name not in platform.types:
        raise Refused(400, f"Device type does not exist, {name}")
    platform.types.add(name, definition)
    return Answer()


ROUTES = routes(
    f"{MGT}/device-types",
    ("GET", "", names, "device-types:types"),
    ("GET", "/{type}/features", features, "device-types:features"),
    ("GET", "/config", details, "device-types:types"),
    ("GET", "/config/{type}", detail, "device-types:types"),
    ("GET", "/all", details, "device-types:types"),
    ("GET", "/all/{type}", detail, "device-types:types"),
) + routes(
    f"{MGT}/admin/device-types",
    ("GET", "", details, "admin:device-type"),
    ("POST", "", add, "admin:device-type"),
    ("PUT", "", update, "admin:device-type"),
)
