"""What fleet devices say beside their samples: events as text, commands of the past, and their answers."""

import base64
import re
from typing import Any

from iotnb.sandbox.fleet import Event, Operation
from iotnb.sandbox.tiothub.devices import LWM2M, Projection, profile_of
from iotnb.sandbox.tiothub.lanes import Message, message, message_ri
from iotnb.sandbox.tiothub.state import State
from iotnb.sandbox.tiothub.tree import QUEUED, RECEIVED, SENT

_EVENT, _REPLY, _COMMAND = 0x40, 0x60, 0x80
_TEXT, _JSON = "text/plain:0", "application/json:0"
_BROKEN_EVERY = 4
_GET_3 = re.compile(r"\s*GET\s+/3(/0)?\s*")


def command_text(i: int, one: Operation) -> tuple[str | dict[str, Any], str]:
    """`con` and `cnf` of a command of the past: LwM2M text, or a JSON object for other profiles."""
    if profile_of(i) != LWM2M:
        return {"command": one.kind, **one.parameters}, _JSON
    if one.kind == "restart":
        return "EXEC /3/0/4\n", ""
    if one.kind == "firmware":
        return f"PUT /5/0/1 {one.parameters['url']}\n", ""
    if one.kind == "configuration":
        return f"PUT /1/0/1 {one.parameters['config'].split()[0].rpartition('=')[2]}\n", ""
    return "GET /3\n", ""


def reply(devices: Projection, i: int, command: Any, at: int, failure: str) -> tuple[Any, str]:
    """`con` and `cnf` of a device's answer; `failure` empty means that all went well."""
    if profile_of(i) != LWM2M:
        return {"result": failure or "ok"}, _JSON
    if failure:
        return f"5.00 {failure}", _TEXT
    if isinstance(command, str) and _GET_3.fullmatch(command):
        return devices.read_object_3(i, at), _JSON
    return "2.04 Changed", _TEXT


def events(platform: State, i: int, code: int, parent: str, start: int, end: int) -> list[Message]:
    """The device's events in [start, end) as text messages; every fourth device event cannot be decoded."""
    out = []
    for one in platform.fleet.events(i, start, end):
        ri = message_ri(one.time, code, i, _EVENT + one.key % 16)
        content, info = _event(platform, i, one)
        out.append(Message(one.time, message(at=one.time, ri=ri, parent=parent, content=content, info=info)))
    return out


def _event(platform: State, i: int, one: Event) -> tuple[str, str]:
    turn = (one.key // 16 + i) % (2 * _BROKEN_EVERY)
    if platform.switches.broken_messages and turn == 0:
        return '{"reported":{"event":"' + one.type, _JSON  # the rest was lost on the way
    if platform.switches.broken_messages and turn == _BROKEN_EVERY:
        return one.text, "text/plain:1"  # says base64 and is not
    if turn == 1:
        return base64.b64encode(one.text.encode()).decode(), "text/plain:1"
    return one.text, _TEXT


def history(devices: Projection, i: int, code: int, parent: str, start: int, end: int) -> list[Message]:
    """Commands of the past: queued or sent ones, or in received-msg the answers to them."""
    fleet, now = devices.platform.fleet, devices.platform.now()
    out: list[Message] = []
    for one in fleet.operations(i, fleet.start, now + 1):
        started = one.started is not None and one.started <= now
        finished = one.finished is not None and one.finished <= now
        if code == QUEUED and not started:
            at, lane = one.created, _COMMAND + one.key % 16
        elif code == SENT and started and one.started is not None:
            at, lane = one.started, _COMMAND + one.key % 16
        elif code == RECEIVED and finished and one.finished is not None:
            at, lane = one.finished, _REPLY + one.key % 16
        else:
            continue
        if start <= at < end:
            content, info = command_text(i, one)
            if code == RECEIVED:
                content, info = reply(devices, i, content, at, one.failure if one.failed else "")
            ri = message_ri(at, code, i, lane)
            creator = "CNI-IPE" if code == RECEIVED else "CFleetDashboard"
            text = message(at=at, ri=ri, parent=parent, content=content, info=info, creator=creator)
            out.append(Message(at, text))
    return sorted(out)
