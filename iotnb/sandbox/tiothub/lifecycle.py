"""Changes of a SIM: its status (at once, or followed by a monitor) and its custom properties."""

from functools import partial
from typing import Any

import msgspec

from iotnb.sandbox.tiothub.platform import Platform
from iotnb.sandbox.tiothub.problems import correlation, problem
from iotnb.sandbox.tiothub.sims import ASYNCHRONOUS, Connection
from iotnb.sandbox.tiothub.state import CMO, TENANT
from iotnb.sandbox.tiothub.wire import Answer, Call
from iotnb.sandbox.wire import iso

_PATCH, _PROPERTY = "application/json-patch+json", "application/json-patch-query+json"
_STATUSES = ("ACTIVE", "INACTIVE")
_ENDS = ("Completed", "Failed")


def patch(platform: Platform, call: Call, product_id: str) -> Answer:
    """PATCH of a SIM card or terminal; the content type says what is changed."""
    found = platform.products.find(product_id)
    if found is None:
        raise problem(call, 404, f"Product with id {product_id} not found")
    connection, part = found
    if part not in ("simCard", "terminal"):
        raise problem(call, 400, f"Product {product_id} cannot be changed: use its simCard")
    if call.content_type not in (_PATCH, _PROPERTY):
        raise problem(call, 415, f"Content-Type must be {_PATCH} or {_PROPERTY}")
    steps = _steps(call)
    if call.content_type == _PROPERTY:
        return _properties(platform, call, connection, part, steps)
    return _status(platform, call, connection, part, steps)


def _steps(call: Call) -> list[dict[str, Any]]:
    try:
        found = call.json()
    except msgspec.DecodeError as error:
        raise problem(call, 400, f"The body is not JSON: {error}") from None
    if not isinstance(found, list) or not found or not all(isinstance(one, dict) for one in found):
        raise problem(call, 400, "The body must be a list of operations")
    return found


# status


def _status(
    platform: Platform, call: Call, connection: Connection, part: str, steps: list[dict[str, Any]]
) -> Answer:
    if part != "simCard":
        raise problem(call, 400, f"{connection.backend} does not offer to change the status")
    step = steps[0]
    if len(steps) != 1 or step.get("op") != "replace" or step.get("path") != "/status":
        raise problem(call, 400, "Only one operation is known: replace /status")
    value = step.get("value")
    if value not in _STATUSES:
        raise problem(call, 400, f"status must be one of {', '.join(_STATUSES)}, not {value}")
    if connection.backend in ASYNCHRONOUS:
        return _monitored(platform, call, connection, str(value))
    apply(platform, connection, str(value), platform.now())
    base = f"{call.origin}{call.prefix}"
    return Answer(body={**platform.products.part(connection, part, base), **correlation()})


def apply(platform: Platform, connection: Connection, value: str, at: int) -> None:
    """Give a SIM its new status."""
    stamp = iso(at)
    changes = {"status": value, "updated": stamp}
    if value == "ACTIVE":
        changes["activated"] = stamp
    platform.products.set_state(connection, **changes)


def _monitored(platform: Platform, call: Call, connection: Connection, value: str) -> Answer:
    """202 with a monitor that tells when the backend is done."""
    at = platform.now()
    monitor_id = f"{connection.number}-{at}"
    while platform.store.setting("monitor", monitor_id) is not None:
        at += 1
        monitor_id = f"{connection.number}-{at}"
    switches = platform.switches
    entry = {
        "connection": connection.id,
        "value": value,
        "at": at,
        "due": at + int(switches.monitor_seconds * 1000),
        "fails": switches.monitor_fails,
        "endless": switches.monitor_never_ends,
        "state": "InProgress",
    }
    platform.store.set("monitor", monitor_id, entry)
    _follow(platform, monitor_id, entry)
    body = _monitor_body(call, monitor_id, entry)
    return Answer(status=202, body=body, headers={"Location": body["href"]})


def _follow(platform: Platform, monitor_id: str, entry: dict[str, Any]) -> None:
    if not entry["endless"]:
        platform.later(entry["due"], partial(_finish, platform, monitor_id))


def _finish(platform: Platform, monitor_id: str, at: int) -> None:
    entry = platform.store.setting("monitor", monitor_id)
    found = platform.products.find(entry["connection"]) if entry is not None else None
    if entry is None or found is None or entry["state"] != "InProgress":
        return
    platform.store.set("monitor", monitor_id, {**entry, "state": _ENDS[bool(entry["fails"])]})
    if not entry["fails"]:
        apply(platform, found[0], entry["value"], at)


def resume(platform: Platform) -> None:
    """Go on with the changes that a data file still holds as in progress."""
    for monitor_id, entry in platform.store.settings("monitor").items():
        if entry["state"] == "InProgress":
            _follow(platform, monitor_id, entry)


def monitor(platform: Platform, call: Call, monitor_id: str) -> Answer:
    """GET of a monitor."""
    entry = platform.store.setting("monitor", monitor_id)
    if entry is None:
        raise problem(call, 404, f"Monitor with id {monitor_id} not found")
    return Answer(body=_monitor_body(call, monitor_id, entry))


def _monitor_body(call: Call, monitor_id: str, entry: dict[str, Any]) -> dict[str, Any]:
    api = f"{call.origin}{call.prefix}/{CMO}/v5/{TENANT}"
    status = {"InProgress": 202, "Completed": 200}.get(entry["state"], 500)
    request = {
        "method": "PATCH",
        "to": f"{api}/product/{entry['connection']}-simCard",
        "body": [{"op": "replace", "path": "/status", "value": entry["value"]}],
    }
    return {
        "id": monitor_id,
        "href": f"{api}/monitor/{monitor_id}",
        "request": request,
        "response": {"header": [], "statusCode": status},
        "sourceHref": f"{api}/product/{entry['connection']}-simCard",
        "state": entry["state"],
    }


# custom properties


def _properties(
    platform: Platform, call: Call, connection: Connection, part: str, steps: list[dict[str, Any]]
) -> Answer:
    """Add, replace or remove properties by name; answers all of them."""
    held = platform.products.state(connection).get("custom", {})
    properties = {one["name"]: one["value"] for one in held.get(part, [])}
    for step in steps:
        value = step.get("value")
        known = step.get("op") in ("add", "replace", "remove") and step.get("path") == "customProperty"
        if not known or not isinstance(value, dict) or not isinstance(value.get("name"), str):
            raise problem(call, 400, "Operations add, replace or remove a customProperty with a name")
        if step["op"] == "remove":
            properties.pop(value["name"], None)
        elif isinstance(value.get("value"), str):
            properties[value["name"]] = value["value"]
        else:
            raise problem(call, 400, f"The value of {value['name']} must be a text")
    listed = [{"name": name, "value": value} for name, value in properties.items()]
    platform.products.set_state(connection, custom={**held, part: listed})
    return Answer(body={"customProperty": listed, "@baseType": "product", "@type": part, **correlation()})
