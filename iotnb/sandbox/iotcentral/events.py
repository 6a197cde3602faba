"""What happens in an application, told to its data exports."""

from typing import Any

from iotnb.sandbox.iotcentral.application import Application
from iotnb.sandbox.iotcentral.call import Call
from iotnb.sandbox.iotcentral.registry import Device
from iotnb.sandbox.wire import iso

Json = dict[str, Any]
_CHANGES = frozenset({"PUT", "PATCH", "POST", "DELETE"})


def head(app: Application, device: Device, source: str, at: int) -> Json:
    """The members that every exported message about a device has."""
    return {
        "applicationId": app.id,
        "messageSource": source,
        "deviceId": device.id,
        "schema": "default@v1",
        "templateId": device.template,
        "enqueuedTime": iso(at),
    }


def lifecycle(app: Application, device: Device, kind: str) -> None:
    """registered, deleted, provisioned, enabled, disabled, displayNameChanged, deviceTemplateChanged."""
    now = app.platform.now()
    app.pending.append((device, {**head(app, device, "deviceLifecycle", now), "messageType": kind}))


def connectivity(app: Application, device: Device, kind: str) -> None:
    """connected, disconnected."""
    now = app.platform.now()
    app.pending.append((device, {**head(app, device, "deviceConnectivity", now), "messageType": kind}))


def properties(app: Application, device: Device, kind: str, component: str, values: Json) -> None:
    """cloudPropertyChange, devicePropertyDesiredChange, devicePropertyReportedChange."""
    place = {"component": component} if component else {}
    rows = [{"name": name, "value": value, **place} for name, value in values.items()]
    message = {**head(app, device, "properties", app.platform.now()), "messageType": kind, "properties": rows}
    app.pending.append((device, message))


def template_changed(app: Application, template: str, kind: str) -> None:
    """created, updated, deleted: the life of a template."""
    message = {
        "applicationId": app.id,
        "messageSource": "deviceTemplateLifecycle",
        "schema": "default@v1",
        "templateId": template,
        "enqueuedTime": iso(app.platform.now()),
        "messageType": kind,
    }
    app.pending.append((None, message))


def audit(call: Call, status: int) -> None:
    """A change that somebody made over REST, for exports of the source audit."""
    app = call.app
    if app is None or call.caller is None or call.method not in _CHANGES or status >= 400:
        return
    kind = "deleted" if call.method == "DELETE" else "updated"
    message = {
        "applicationId": app.id,
        "messageSource": "audit",
        "schema": "default@v1",
        "enqueuedTime": iso(app.platform.now()),
        "messageType": "created" if status == 201 else kind,
        "resource": {"type": call.segments[0], "id": "/".join(call.segments[1:])},
        "actor": {"id": call.caller.name, "type": "user" if call.caller.claims else "apiToken"},
    }
    app.pending.append((None, message))
