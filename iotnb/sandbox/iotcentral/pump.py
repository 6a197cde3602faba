"""The pump of data export: moves exports on, and sends what is new to webhooks."""

from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import urlencode

from iotnb.sandbox.iotcentral.application import Application
from iotnb.sandbox.iotcentral.conditions import bare_filter
from iotnb.sandbox.iotcentral.events import head
from iotnb.sandbox.iotcentral.groups import fits
from iotnb.sandbox.iotcentral.lanes import ListLane, lanes
from iotnb.sandbox.iotcentral.outbox import Delivery
from iotnb.sandbox.iotcentral.platform import Platform
from iotnb.sandbox.iotcentral.registry import Device
from iotnb.sandbox.iotcentral.twin import Twin
from iotnb.sandbox.wire import encode, iso

Json = dict[str, Any]
_INVALID = {"code": "InvalidResponse", "message": "The webhook returned a 4xx status code."}
_UNREACHABLE = {"code": "ConnectionFailed", "message": "The webhook could not be reached."}
_WARNING = {"x-sandbox-warning": "the transform was not run"}


class Pump:
    """Looks for what is new in every application and hands it to the outbox."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self._looked: dict[str, int] = {}
        self._read: dict[str, int] = {}
        self._fleet_at: dict[str, int] = {}

    def look(self, now: int) -> None:
        """Move exports on, and send what is new."""
        for app in self.platform.apps:
            if not len(app.exports):
                app.pending.clear()
                continue
            active = [name for name, held in app.exports.items() if self._move(app, name, held, now)]
            pending = list(app.pending)
            app.pending.clear()
            for name in active:
                self._send(app, name, pending, now)

    def _move(self, app: Application, name: str, held: Json, now: int) -> bool:
        """Let an export start; True when it sends."""
        if not held["body"]["enabled"]:
            return False
        if held["status"] in ("notStarted", "starting"):
            step = self.platform.switches.export_seconds * 1000
            age = now - held["since"]
            status = "healthy" if age >= 2 * step else "starting" if age >= step else "notStarted"
            if status != held["status"]:
                app.exports.put(name, {**held, "status": status})
                key = f"{app.id}/{name}"
                self._read[key], self._fleet_at[key] = app.registry.last_message_id(), now
                self._looked[key] = now
            return False
        return True

    def _send(self, app: Application, name: str, pending: list[tuple[Device | None, Json]], now: int) -> None:
        held = app.exports.get(name)
        source = held["body"]["source"]
        messages: Iterator[tuple[Device | None, Json]] = (
            self._telemetry(app, f"{app.id}/{name}", now)
            if source == "telemetry"
            else (one for one in pending if one[1]["messageSource"] == source)
        )
        condition = bare_filter(str(held["body"].get("filter") or ""))
        for device, message in messages:
            if condition is not None and (device is None or not fits(app, device, condition)):
                continue
            self._deliver(app, name, held["body"], device, message)

    def _telemetry(self, app: Application, key: str, now: int) -> Iterator[tuple[Device | None, Json]]:
        """Messages that came since the last look: of devices over HTTPS, of the fleet and simulated ones."""
        by_number = None
        for document in app.registry.new_messages(self._read.setdefault(key, app.registry.last_message_id())):
            self._read[key] = document.id
            by_number = by_number or {device.number: device for device in app.registry}
            device = by_number.get(document.source)
            if device is not None:
                body = document.json()
                yield device, _message(app, device, document.type, body["t"], document.time, body.get("p"))
        if now - self._looked.get(key, 0) < self.platform.switches.export_period * 1000:
            return
        self._looked[key] = now
        since, self._fleet_at[key] = self._fleet_at.get(key, now), now
        for device in app.registry:
            for lane in lanes(app, device):
                if device.fleet is None and isinstance(lane, ListLane):
                    continue  # sent above
                block = lane.block(since + 1, now + 1)
                for place, at in enumerate(block.times.tolist()):
                    values = {n: block.column(n)[place : place + 1].tolist()[0] for n in sorted(lane.names)}
                    values = {n: value for n, value in values.items() if value is not None}
                    if values:
                        yield device, _message(app, device, lane.component, values, at, None)

    def _deliver(self, app: Application, name: str, body: Json, device: Device | None, message: Json) -> None:
        message = {**message, "enrichments": _enrichments(app, body.get("enrichments") or {}, device)}
        message = {key: value for key, value in message.items() if value is not None}
        for target in body["destinations"]:
            held = app.destinations.get(target["id"])
            if held is None or held["body"]["type"] != "webhook@v1":
                continue
            url, headers = _address(held["body"])
            headers |= _WARNING if target.get("transform") else {}
            done = partial(self._done, app, name, target["id"])
            self.platform.outbox.post(
                f"{app.id}/{target['id']}", Delivery(url, headers, encode(message), done)
            )

    def _done(self, app: Application, name: str, target: str, delivery: Delivery) -> None:
        """Keep what became of a delivery in the status of export and destination."""
        bad = self.platform.switches.export_error or not delivery.ok
        error = (
            _INVALID if delivery.status is not None or self.platform.switches.export_error else _UNREACHABLE
        )
        change: Json = {"status": "error", "errors": [error]} if bad else {"status": "healthy", "errors": []}
        if not bad:
            change["lastExportTime"] = iso(self.platform.now())
        for shelf, key in ((app.exports, name), (app.destinations, target)):
            held = shelf.get(key)
            if held is not None and held["status"] != "notStarted":
                shelf.put(key, {**held, **change})


def _message(
    app: Application, device: Device, component: str, values: Json, at: int, properties: Json | None
) -> Json:
    place = {"component": component} if component else {}
    base = head(app, device, "telemetry", at)
    return {**base, "telemetry": values, **place, "messageProperties": properties or {}}


def _address(body: Json) -> tuple[str, dict[str, str]]:
    """Where a webhook is and with which headers it wants to be called."""
    url = body["url"]
    extra = {n: str(one.get("value")) for n, one in (body.get("queryCustomizations") or {}).items()}
    if extra:
        url += ("&" if "?" in url else "?") + urlencode(extra)
    headers = {"Content-Type": "application/json"}
    headers |= {n: str(one.get("value")) for n, one in (body.get("headerCustomizations") or {}).items()}
    authorization = body.get("authorization") or {}
    if authorization.get("type") == "header":
        headers["Authorization"] = str(authorization.get("value"))
    return url, headers


def _enrichments(app: Application, wanted: Json, device: Device | None) -> Json:
    out = {}
    for name, one in wanted.items():
        if not isinstance(one, dict):
            continue
        if "value" in one:
            out[name] = one["value"]
        elif device is not None:
            out[name] = _enriched(app, str(one.get("path", "")), device)
    return {name: value for name, value in out.items() if value is not None}


def _enriched(app: Application, path: str, device: Device) -> Any:
    known = {
        "$displayName": device.held.get("displayName"),
        "$deviceName": device.held.get("displayName"),
        "$templateDisplayName": app.template_name(device.template) if device.template else None,
        "$provisioned": device.held.get("provisioned"),
        "$simulated": device.held.get("simulated"),
    }
    return known[path] if path in known else Twin(app, device).value(path)
