"""The provisioning service: a device registers with a signature and learns its hub."""

from typing import Any

from iotnb.sandbox.iotcentral.application import Application
from iotnb.sandbox.iotcentral.call import Call
from iotnb.sandbox.iotcentral.events import lifecycle
from iotnb.sandbox.iotcentral.keys import Signed, derive
from iotnb.sandbox.iotcentral.models import repository, template_of
from iotnb.sandbox.iotcentral.platform import Platform
from iotnb.sandbox.iotcentral.registry import Device
from iotnb.sandbox.iotcentral.routes import Route
from iotnb.sandbox.iotcentral.wire import Answer, Refused, bad_request, digest
from iotnb.sandbox.wire import iso

Json = dict[str, Any]
_VERSIONS = frozenset({"2019-03-31", "2021-06-01", "2021-10-01", "2018-11-01"})


def _unauthorized() -> Refused:
    return Refused(401, "Unauthorized", "Unauthorized")


def signed_keys(app: Application, name: str) -> list[str]:
    """Every key with which a device may sign: its own, and those from enabled enrollment groups."""
    held = app.attestations.get(name)
    if held is not None and held["type"] != "symmetricKey":
        return []
    return [*app.registry.keys(name), *group_keys(app, name)]


def group_keys(app: Application, name: str) -> list[str]:
    """The keys of a device that follow from the enabled enrollment groups."""
    found = []
    for group in app.enrollment.values():
        if group["enabled"]:
            found += [derive(key, name) for key in group["attestation"].get("symmetricKey", {}).values()]
    return found


def _authenticate(platform: Platform, call: Call, scope: str, name: str) -> Application:
    if call.one("api-version") not in _VERSIONS:
        raise bad_request("api-version is not supported")
    app = platform.apps.by_scope(scope)
    signed = Signed(call.headers.get("authorization", ""))
    resource = f"{scope}/registrations/{name}"
    if app is None or not signed.ok or not signed.names(resource) or signed.policy != "registration":
        raise _unauthorized()
    if signed.expires * 1000 <= platform.now():
        raise _unauthorized()
    device = app.registry.get(name)
    keys = signed_keys(app, name) if device is not None else group_keys(app, name)
    if not any(signed.made_with(key) for key in keys):
        raise _unauthorized()
    if device is not None and not device.held.get("enabled", True):
        raise _unauthorized()
    return app


def register(platform: Platform, call: Call, scope: str, name: str) -> Answer:
    """PUT /{idScope}/registrations/{id}/register: 202, assigning."""
    app = _authenticate(platform, call, scope, name)
    body = call.json() or {}
    if not isinstance(body, dict) or body.get("registrationId", name) != name:
        raise bad_request("registrationId must be the one in the path")
    wait = platform.registrations.take()
    if wait:
        raise platform.too_fast(wait)
    payload = body.get("payload") or {}
    model = payload.get("modelId") or payload.get("iotcModelId") if isinstance(payload, dict) else None
    operation = f"4.{digest(app.id, name)}.{platform.new_guid()}"
    document = {"scope": scope, "id": name, "at": platform.now(), "model": model, "app": app.subdomain}
    platform.operations[operation] = document
    headers = {"Retry-After": "1"} if platform.switches.strict else {}
    return Answer(202, {"operationId": operation, "status": "assigning"}, headers=headers)


def operation(platform: Platform, call: Call, scope: str, name: str, identifier: str) -> Answer:
    """GET /{idScope}/registrations/{id}/operations/{opId}: assigning, then assigned."""
    app = _authenticate(platform, call, scope, name)
    held = platform.operations.get(identifier)
    if held is None or (held["scope"], held["id"]) != (scope, name):
        raise Refused(404, "NotFound", "Operation not found")
    if platform.now() - held["at"] < platform.switches.assign_seconds * 1000:
        return Answer(body={"operationId": identifier, "status": "assigning"})
    if not held.get("done"):
        _provision(app, name, held["model"])
        held["done"] = platform.now()
    return Answer(
        body={
            "operationId": identifier,
            "status": "assigned",
            "registrationState": _state(platform, call, app, name, held),
        }
    )


def _state(platform: Platform, call: Call, app: Application, name: str, held: Json) -> Json:
    # On loopback the hub is where the request came to; the service's own names are kept for its own hosts.
    hub = call.origin.partition("://")[2] if call.on_loopback else app.hub
    return {
        "registrationId": name,
        "createdDateTimeUtc": iso(held["at"], 7),
        "assignedHub": hub,
        "deviceId": name,
        "status": "assigned",
        "substatus": "initialAssignment",
        "lastUpdatedDateTimeUtc": iso(held.get("done", platform.now()), 7),
        "etag": digest("registration", name, held["at"]),
    }


def lookup(platform: Platform, call: Call, scope: str, name: str) -> Answer:
    """POST /{idScope}/registrations/{id}: the state of a device that has registered."""
    app = _authenticate(platform, call, scope, name)
    found = [held for held in platform.operations.values() if (held["scope"], held["id"]) == (scope, name)]
    if not found:
        raise Refused(404, "NotFound", "Registration not found")
    return Answer(body=_state(platform, call, app, name, found[-1]))


def _provision(app: Application, name: str, model: Any) -> Device:
    """Give a device its place: made if it is new, with the template of the model that it named."""
    device = app.registry.get(name)
    if device is None:
        members = {"displayName": name, "simulated": False, "provisioned": False, "enabled": True}
        device = app.registry.create(name, members)
        lifecycle(app, device, "registered")
    changes: Json = {"provisioned": True}
    if isinstance(model, str) and device.template is None:
        if model not in app.templates:
            published = repository(model)
            if published is not None:
                app.templates.put(model, {**template_of(published), "rev": 0})
        if model in app.templates:
            changes["template"] = model
    changed = app.registry.save(device, changes)
    if not device.held.get("provisioned"):
        lifecycle(app, changed, "provisioned")
    if changed.template != device.template:
        lifecycle(app, changed, "deviceTemplateChanged")
    return changed


ROUTES = [
    Route("PUT", "/{scope}/registrations/{id}/register", register),
    Route("GET", "/{scope}/registrations/{id}/operations/{op}", operation),
    Route("POST", "/{scope}/registrations/{id}", lookup),
]
