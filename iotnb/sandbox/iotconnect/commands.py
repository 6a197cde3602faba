"""Commands: sending, history, acknowledgement by a call, re-sending; direct methods of the Azure edition."""

from typing import Any

import msgspec

from iotnb.sandbox.fleet.noise import stream, unit
from iotnb.sandbox.iotconnect import ledger
from iotnb.sandbox.iotconnect.ids import is_guid, new_guid
from iotnb.sandbox.iotconnect.ledger import FAILED, STATES, Sent
from iotnb.sandbox.iotconnect.models import Command
from iotnb.sandbox.iotconnect.registry import Device, connected, device_of, registry, unique_of
from iotnb.sandbox.iotconnect.routes import AWS, AZ, Route
from iotnb.sandbox.iotconnect.schemas import templates
from iotnb.sandbox.iotconnect.state import Platform
from iotnb.sandbox.iotconnect.tree import below, entity
from iotnb.sandbox.iotconnect.wire import (
    Answer,
    Call,
    Json,
    by_member,
    conflict,
    done,
    invalid,
    listing,
    ok,
    page_of,
    paged,
    required,
    stamp,
    text_of,
    tokened,
    truth,
)
from iotnb.sandbox.store import Document, Match

_SORTS = ("statusDate", "uniqueId", "status", "cmdText", "createdByName")
_LONGEST_TEXT = 100
_METHOD = "method"


def _row(platform: Platform, sent: Sent, now: int) -> Json:
    device = registry(platform).by_guid(sent.device)
    parent = None if device is None else registry(platform).by_guid(device.parent or "")
    return {
        "commandHistoryGuid": sent.guid,
        "uniqueId": None if device is None else device.unique,
        "parentDeviceUniqueId": None if parent is None else parent.unique,
        "status": STATES[sent.state(now)],
        "cmdText": sent.text,
        "statusDate": stamp(sent.changed(now)),
        "createdByName": sent.by,
        "isResend": bool(sent.resent),
        "resendHistory": {
            "resendCount": len(sent.resent),
            "execTime": [stamp(at) for at in sent.resent],
        },
        "statusText": sent.words(now),
    }


def _rows(platform: Platform, guid: str, text: str) -> list[Json]:
    """The history of a device or of all, newest change first."""
    now = platform.now()
    found = ledger.of_device(platform, device_of(platform, guid)) if guid else ledger.of_all(platform)
    rows = [_row(platform, one, now) for one in found]
    if text:
        rows = [one for one in rows if text in f"{one['uniqueId']} {one['cmdText']} {one['status']}".lower()]
    return by_member(rows, "statusdate", descending=True)


def history(platform: Platform, call: Call) -> Answer:
    """GET /template-command/history, of one device (deviceGuid) or of all."""
    return paged(call, _rows(platform, call.one("deviceguid"), call.one("searchtext").lower()), _SORTS)


def posted_history(platform: Platform, call: Call) -> Answer:
    """POST /template-command/history: the same in pages with a token; in the AWS edition only."""
    document = call.document(needed=False)
    rows = _rows(platform, text_of(document, "deviceGuid"), text_of(document, "searchText").lower())
    return tokened(call, document, rows, token="continuationToken")


# sending


def _command(platform: Platform, guid: str) -> tuple[str, Command]:
    """A command and the GUID of its template, in small letters; 409."""
    for of, template in templates(platform).items():
        for one in template.commands:
            if one.guid.lower() == guid.lower():
                return of, one
    raise conflict("commandGuid", f"There is no command {guid}.")


def _asked(platform: Platform, document: Json) -> tuple[str, Command, str]:
    """Template, command and parameter of a body; 412 without a parameter that must be there."""
    (guid,) = required(document, "commandGuid")
    of, command = _command(platform, guid)
    parameter = text_of(document, "parametervalue")
    if command.parameter and not parameter.strip():
        raise invalid(("parameterValue", f"{command.name} needs a parameter"))
    return of, command, parameter


def _send(platform: Platform, call: Call, devices: list[Device], document: Json) -> Answer:
    of, command, parameter = _asked(platform, document)
    for device in devices:
        if device.template.lower() != of:
            raise conflict("commandGuid", f"{device.unique} does not have the command {command.name}.")
        if not device.active:
            raise conflict("deviceGuid", f"{device.unique} is inactive.")
    for device in devices:
        ledger.send(platform, device, command, parameter, call.user.name)
    return done("Command sent")


def send_to_device(platform: Platform, call: Call, guid: str) -> Answer:
    """POST /template-command/device/{deviceGuid}/send: no id of the command comes back."""
    return _send(platform, call, [device_of(platform, guid)], call.document())


def send_to_unique(platform: Platform, call: Call, unique: str) -> Answer:
    """POST /device-command/{uniqueId}/send: in the AWS edition only."""
    return _send(platform, call, [unique_of(platform, unique)], call.document())


def send(platform: Platform, call: Call) -> Answer:
    """POST /template-command/send: to an entity (applyTo 1) or to devices (2)."""
    document = call.document()
    of, _, _ = _asked(platform, document)
    to = text_of(document, "applyto")
    if truth(document.get("isscheduledcommand")):
        raise invalid(("isScheduledCommand", "this sandbox keeps no schedules: send at once"))
    if to == "1":
        (guid,) = required(document, "entityGuid")
        if entity(platform, guid) is None:
            raise conflict("entityGuid", f"There is no entity {guid}.")
        places = below(platform, guid) if truth(document.get("isrecursive")) else {guid.lower()}
        found = [
            one for one in registry(platform).of_template(of) if one.entity.lower() in places and one.active
        ]
    elif to == "2":
        named: Any = document.get("devices")
        if not isinstance(named, list) or not named:
            raise invalid(("devices", "a list of device GUIDs is needed"))
        found = [device_of(platform, str(guid), "devices") for guid in named]
    else:
        raise invalid(("applyTo", "1 for an entity, 2 for devices"))
    if not found:
        raise conflict("entityGuid", "There is no device that the command could go to.")
    return _send(platform, call, found, document)


# fate


def set_status(platform: Platform, call: Call, guid: str) -> Answer:
    """PUT /template-command/{deviceGuid}/status: a device's acknowledgement by a call."""
    device, document = device_of(platform, guid), call.document()
    ack, status = required(document, "ackId", "status")
    text = document.get("statustext")
    if status not in ("0", "1", "2", "3"):
        raise invalid(("status", "0 In Queue, 1 In Transit, 2 Failed, 3 Executed"))
    if text is not None and len(str(text)) > _LONGEST_TEXT:
        raise invalid(("statusText", f"at most {_LONGEST_TEXT} characters"))
    sent = ledger.find(platform, ack, device)
    if sent is None:
        raise conflict("ackId", f"{device.unique} was not sent the command {ack}.")
    ledger.force(platform, device, sent, int(status), None if text is None else str(text))
    return done()


def resend(platform: Platform, call: Call, guid: str) -> Answer:
    """PUT /template-command/history/{commandHistoryGuid}/re-send: failed ones, to a connected device."""
    _ = call.user
    sent = ledger.find(platform, guid) if is_guid(guid) else None
    device = None if sent is None else registry(platform).by_guid(sent.device)
    if sent is None or device is None:
        raise conflict("commandHistoryGuid", f"There is no command {guid}.")
    if sent.state(platform.now()) != FAILED:
        raise conflict("commandHistoryGuid", "Only failed commands can be sent again.")
    if not connected(platform, device, platform.now()):
        raise conflict("commandHistoryGuid", f"{device.unique} is not connected.")
    ledger.resend(platform, device, sent)
    return done()


def schedules(_platform: Platform, _call: Call) -> Answer:
    """GET /template-command/CommandSchedule: there are none."""
    return Answer(status=204)


# direct methods


def call_method(platform: Platform, call: Call, guid: str) -> Answer:
    """POST /Device/{guid}/direct-method: a command that is answered at once."""
    device, document = device_of(platform, guid), call.document()
    method, name, _ = required(document, "templateDirectMethodGuid", "methodName", "responseTimeoutInSeconds")
    if "payload" not in document:
        raise invalid(("payload", "payload is required"))
    known = templates(platform)[device.template.lower()].methods
    found = next((one for one in known if one.guid.lower() == method.lower()), None)
    if found is None or found.name != name:
        raise conflict("templateDirectMethodGuid", f"{device.unique} has no method {name}.")
    now = platform.now()
    if not connected(platform, device, now):
        raise conflict("deviceGuid", f"{device.unique} is not connected.")
    number = platform.store.next_ids(_METHOD)[0]
    failed = unit(stream(platform.fleet.seed, "method", number)) < 0.05
    answer = {"error": "busy"} if failed else {"method": name, "result": "ok", "time": stamp(now)}
    held = {
        "guid": new_guid(),
        "methodName": name,
        "requestJson": msgspec.json.encode(document["payload"]).decode(),
        "responseJson": msgspec.json.encode(answer).decode(),
        "status": "500" if failed else "200",
        "responseTimeoutSecond": found.timeout,
        "createdDate": stamp(now),
        "createBy": call.user.name,
    }
    source = int(device.guid[:8], 16)
    body = msgspec.json.encode({**held, "device": device.guid})
    platform.store.put(_METHOD, [Document(id=number, source=source, time=now, body=body)])
    return ok([{name: held[name] for name in ("guid", "status", "responseJson")}], count=1)


def method_history(platform: Platform, call: Call, guid: str) -> Answer:
    """GET /Device/{guid}/direct-method: newest first."""
    device = device_of(platform, guid)
    match = Match(sources=(int(device.guid[:8], 16),))
    rows = []
    for one in platform.store.select(_METHOD, match, newest_first=True):
        held = one.json()
        if held.pop("device") == device.guid:
            rows.append(held)
    page = page_of(call)
    return listing(call, page.cut(rows), total=len(rows))


ROUTES = [
    Route("GET", "/template-command/history", history, "command"),
    Route("POST", "/template-command/history", posted_history, "command", AWS),
    Route("GET", "/template-command/CommandSchedule", schedules, "command"),
    Route("POST", "/template-command/send", send, "command", writes=True),
    Route("POST", "/template-command/device/{guid}/send", send_to_device, "command", writes=True),
    Route("POST", "/device-command/{uniqueId}/send", send_to_unique, "command", AWS, writes=True),
    Route("PUT", "/template-command/{guid}/status", set_status, "command", writes=True),
    Route("PUT", "/template-command/history/{guid}/re-send", resend, "command", writes=True),
    Route("GET", "/Device/{guid}/direct-method", method_history, "command", AZ),
    Route("POST", "/Device/{guid}/direct-method", call_method, "command", AZ, writes=True),
]
