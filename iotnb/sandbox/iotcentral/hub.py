"""The device hub over HTTPS: telemetry in, messages from the cloud out."""

import base64
import binascii
from typing import Any

import msgspec

from iotnb.sandbox.iotcentral.application import Application
from iotnb.sandbox.iotcentral.call import Call
from iotnb.sandbox.iotcentral.dps import signed_keys
from iotnb.sandbox.iotcentral.events import connectivity
from iotnb.sandbox.iotcentral.keys import Signed
from iotnb.sandbox.iotcentral.platform import Platform
from iotnb.sandbox.iotcentral.registry import Device
from iotnb.sandbox.iotcentral.routes import Route
from iotnb.sandbox.iotcentral.wire import Answer, Refused
from iotnb.sandbox.wire import parse_time

Json = dict[str, Any]
_LARGEST = 256 * 1024
_BATCH = "application/vnd.microsoft.iothub.json"
_PROPERTY = "iothub-app-"
_CREATED = "iothub-creation-time-utc"


def _refused(status: int, code: str, message: str) -> Refused:
    return Refused(status, code, message)


def _authenticate(platform: Platform, call: Call, name: str) -> tuple[Application, Device]:
    """The device behind a signature, in whichever application knows it."""
    if not call.one("api-version"):
        raise _refused(400, "InvalidProtocolVersion", "api-version is needed")
    signed = Signed(call.headers.get("authorization", ""))
    unauthorized = _refused(401, "IotHubUnauthorizedAccess", "Unauthorized")
    if not signed.ok or not signed.resource or signed.expires * 1000 <= platform.now():
        raise unauthorized
    if not call.on_loopback and not signed.names(f"{call.host}/devices/{name}"):
        raise unauthorized
    resource = signed.names(
        f"{call.host}/devices/{name}",
        f"{call.origin.partition('://')[2]}/devices/{name}",
        *(f"{app.hub}/devices/{name}" for app in platform.apps),
    )
    if not resource:
        raise unauthorized
    for app in platform.apps:
        device = app.registry.get(name)
        if device is None or (not call.on_loopback and call.host != app.hub):
            continue
        if any(signed.made_with(key) for key in signed_keys(app, name)):
            if not device.held.get("enabled", True) or not device.held.get("provisioned"):
                raise unauthorized
            return app, device
    raise unauthorized


def _seen(app: Application, device: Device) -> None:
    if not app.registry.online(device):
        app.seen[device.id] = app.platform.now()
        connectivity(app, device, "connected")
    app.seen[device.id] = app.platform.now()


def receive(platform: Platform, call: Call, name: str) -> Answer:
    """POST /devices/{id}/messages/events: one message, or a batch; 204."""
    app, device = _authenticate(platform, call, name)
    if len(call.body) > _LARGEST:
        raise _refused(413, "MessageTooLarge", f"A message has at most {_LARGEST} bytes")
    _seen(app, device)
    properties = {
        header[len(_PROPERTY) :]: value
        for header, value in call.headers.items()
        if header.startswith(_PROPERTY)
    }
    if call.headers.get("content-type", "").startswith(_BATCH):
        for one in _batch(call):
            _take(app, device, _body_of(one), {**properties, **_texts(one.get("properties"))})
    else:
        _take(app, device, call.body, properties)
    return Answer(204)


def _batch(call: Call) -> list[Json]:
    try:
        found = msgspec.json.decode(call.body, type=list[dict[str, Any]])
    except msgspec.DecodeError as error:
        raise _refused(400, "InvalidMessage", str(error)) from None
    return found


def _body_of(one: Json) -> bytes:
    body = one.get("body", "")
    if not isinstance(body, str):
        return msgspec.json.encode(body)
    if one.get("base64Encoded", True):
        try:
            return base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError):
            return body.encode()
    return body.encode()


def _texts(found: Any) -> dict[str, str]:
    return {str(k).lower(): str(v) for k, v in found.items()} if isinstance(found, dict) else {}


def _take(app: Application, device: Device, body: bytes, properties: dict[str, str]) -> None:
    """Keep the values of a message; what is no JSON object is accepted and holds no telemetry."""
    try:
        values = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return
    if not isinstance(values, dict):
        return
    now = app.platform.now()
    at = parse_time(properties.get(_CREATED, "")) if properties.get(_CREATED) else None
    at = now if at is None else min(at, now)
    component = properties.get("$.sub", "")
    more = {name: text for name, text in properties.items() if not name.startswith("$.") and name != _CREATED}
    app.registry.add_message(device, at, component, values, {"p": more} if more else {})


def fetch(platform: Platform, call: Call, name: str) -> Answer:
    """GET /devices/{id}/messages/devicebound: the oldest message with its lock in ETag, 204 without any."""
    app, device = _authenticate(platform, call, name)
    _seen(app, device)
    line = app.inbox.get(device.id) or []
    if not line:
        return Answer(204)
    found = line[0]
    headers = {"ETag": f'"{found["etag"]}"', "iothub-messageid": found["etag"]}
    headers |= {f"{_PROPERTY}{key}": value for key, value in found["properties"].items()}
    return Answer(body=found["body"], headers=headers)


def complete(platform: Platform, call: Call, name: str, etag: str) -> Answer:
    """DELETE /devices/{id}/messages/devicebound/{etag}: the message is done with."""
    app, device = _authenticate(platform, call, name)
    line = app.inbox.get(device.id) or []
    left = [one for one in line if one["etag"] != etag.strip('"')]
    if len(left) == len(line):
        raise _refused(412, "DeviceMessageLockLost", "There is no such message")
    app.inbox[device.id] = left
    return Answer(204)


ROUTES = [
    Route("POST", "/devices/{id}/messages/events", receive),
    Route("GET", "/devices/{id}/messages/devicebound", fetch),
    Route("DELETE", "/devices/{id}/messages/devicebound/{etag}", complete),
]
