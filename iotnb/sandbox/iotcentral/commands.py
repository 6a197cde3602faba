"""Commands: called over REST, answered by the simulated devices; only the newest call can be read."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import numpy as np

from iotnb.sandbox.fleet.noise import stream, unit
from iotnb.sandbox.iotcentral.application import Application
from iotnb.sandbox.iotcentral.call import Call, listing
from iotnb.sandbox.iotcentral.devices import find
from iotnb.sandbox.iotcentral.dtdl import Part
from iotnb.sandbox.iotcentral.lanes import lanes, simulated
from iotnb.sandbox.iotcentral.platform import Platform
from iotnb.sandbox.iotcentral.registry import Device
from iotnb.sandbox.iotcentral.routes import Route
from iotnb.sandbox.iotcentral.telemetry import part_of
from iotnb.sandbox.iotcentral.wire import Answer, Refused, invalid, not_found
from iotnb.sandbox.wire import encode, iso, parse_time

Json = dict[str, Any]
_MEMBERS = frozenset({"id", "request", "connectionTimeout", "responseTimeout", "response", "responseCode"})
_WARNING = "The body has no member request: the device received a command without payload."
_FAILURES = ("Command not understood", "Time limit exceeded")


def timed_out() -> Refused:
    """408: the device did not answer."""
    message = (
        "Request timeout waiting for the device. "
        "You can contact support at https://aka.ms/iotcentral-support. "
        "Please include the following information."
    )
    return Refused(408, "RequestTimeout", message)


def _found(
    call: Call, name: str, module: str, component: str, command: str, right: str
) -> tuple[Device, Part]:
    device = find(call, name, right)
    part = part_of(call, device, module, component)
    if command not in part.commands:
        raise not_found(f"The device {name} has no command {command}.")
    return device, part


def _key(device: Device, module: str, component: str, command: str) -> str:
    return f"{device.id}\n{module}\n{component}\n{command}"


def history(_platform: Platform, call: Call, name: str, module: str, component: str, command: str) -> Answer:
    """GET: the newest call and no other."""
    device, _ = _found(call, name, module, component, command, "read")
    held = call.application.commands.get(_key(device, module, component, command))
    shown = [{k: v for k, v in held.items() if k != "number"}] if held else []
    return listing(call, shown)


def run(
    platform: Platform, call: Call, name: str, module: str, component: str, command: str
) -> Answer | Awaitable[Answer]:
    """POST: 201 with the device's response, 408 when it is off line or does not answer."""
    device, part = _found(call, name, module, component, command, "operate")
    found = call.json()
    body: Json = {} if found is None else found
    if not isinstance(body, dict):
        raise invalid("The body must be a JSON object.")
    wait = _seconds(body, "connectionTimeout", 0, 30, 0)
    _seconds(body, "responseTimeout", 5, 30, 30)
    unwrapped = bool(set(body) - _MEMBERS) and "request" not in body
    app = call.application
    switches = platform.switches
    lost = switches.commands_time_out or (unwrapped and call.strict)
    if lost or not app.registry.online(device):
        return _give_up(min(wait, switches.command_wait))
    held = execute(app, device, part, command, body.get("request"), module=module)
    app.commands.put(_key(device, module, component, command), held)
    headers = {"x-sandbox-warning": _WARNING} if unwrapped else {}
    return Answer(201, {k: v for k, v in held.items() if k != "number"}, headers=headers)


async def _give_up(seconds: float) -> Answer:
    await asyncio.sleep(seconds)
    raise timed_out()


def _seconds(body: Json, member: str, low: int, high: int, default: int) -> int:
    found = body.get(member, default)
    if not isinstance(found, int) or isinstance(found, bool) or not low <= found <= high:
        raise invalid(f"{member} is a whole number from {low} to {high}.")
    return found


def execute(
    app: Application, device: Device, part: Part, command: str, request: Any, *, module: str = ""
) -> Json:
    """Have a device carry out a command: id, request, response, responseCode."""
    platform = app.platform
    number = platform.store.next_ids(f"command-{app.id}")[0]
    out: Json = {"id": platform.new_guid(), "number": number}
    if request is not None:
        out["request"] = request
    if device.fleet is not None:
        share = unit(stream(platform.fleet.seed, "command", device.fleet), number)
        if share < 0.08:
            reason = _FAILURES[number % len(_FAILURES)]
            return out | {"response": {"error": reason}, "responseCode": 500}
    elif not device.held.get("simulated") and not device.held.get("auto"):
        deliver(app, device, part, command, request)
    return out | {"response": _response(app, device, part, command, request, module), "responseCode": 200}


def deliver(app: Application, device: Device, part: Part, command: str, request: Any) -> None:
    """Put a command where a device that speaks HTTPS fetches it."""
    line = app.inbox.setdefault(device.id, [])
    properties = {"method-name": f"{part.name}:{command}" if part.name else command}
    line.append({"etag": app.platform.new_guid(), "body": encode(request), "properties": properties})
    del line[:-50]  # the hub holds 50 messages for a device


def _response(app: Application, device: Device, part: Part, command: str, request: Any, module: str) -> Any:
    if command == "getMaxMinReport" and not module:
        return _report(app, device, part.name, request)
    payload = part.commands[command].get("response")
    if not isinstance(payload, dict):
        return "Success" if command == "lightOn" else None
    if command == "runText":
        return f"ok: {request}" if request is not None else "ok"
    key = stream(app.platform.fleet.seed, f"response {device.id} {command}")
    times = np.array([app.platform.now()], dtype=np.int64)
    return simulated(part.schema(payload), payload, command, key, times).tolist()[0]


def _report(app: Application, device: Device, component: str, since: Any) -> Json:
    """Largest, smallest and mean temperature since a time, from what the device really sent."""
    now = app.platform.now()
    start = parse_time(since) if isinstance(since, str) else None
    start = now - 86_400_000 if start is None else start
    values: list[float] = []
    for lane in lanes(app, device):
        if lane.component == component and "temperature" in lane.names:
            column = lane.block(start, now + 1).column("temperature").tolist()
            values += [one for one in column if isinstance(one, int | float)]
    if not values:
        return {"startTime": iso(start), "endTime": iso(now)}
    return {
        "maxTemp": max(values),
        "minTemp": min(values),
        "avgTemp": round(sum(values) / len(values), 3),
        "startTime": iso(start),
        "endTime": iso(now),
    }


def _routes(method: str, path: str, need: str) -> Route:
    act = run if method == "POST" else history
    module, component = "{m}" in path, "{c}" in path

    def handler(platform: Platform, call: Call, name: str, *rest: str) -> Answer | Awaitable[Answer]:
        parts = list(rest)
        in_module = parts.pop(0) if module else ""
        in_component = parts.pop(0) if component else ""
        return act(platform, call, name, in_module, in_component, parts[0])

    return Route(method, path, handler, need)


ROUTES = [
    _routes(method, f"/devices/{{id}}{place}/commands/{{n}}", need)
    for method, need in (("GET", "read"), ("POST", "operate"))
    for place in ("", "/components/{c}", "/modules/{m}", "/modules/{m}/components/{c}")
]
