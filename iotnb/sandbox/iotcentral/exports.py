"""Data export: destinations and exports; the pump sends."""

import re
from typing import Any
from urllib.parse import urlsplit

from iotnb.sandbox.iotcentral.conditions import ConditionError, bare_filter
from iotnb.sandbox.iotcentral.members import Members
from iotnb.sandbox.iotcentral.routes import Route
from iotnb.sandbox.iotcentral.state import Platform
from iotnb.sandbox.iotcentral.wire import (
    Answer,
    Call,
    Refused,
    check_match,
    invalid,
    listing,
    not_found,
    plain_etag,
)

Json = dict[str, Any]
SOURCES = (
    "telemetry",
    "properties",
    "deviceLifecycle",
    "deviceTemplateLifecycle",
    "deviceConnectivity",
    "audit",
)
_TYPES = (
    "blobstorage@v1",
    "dataexplorer@v1",
    "eventhubs@v1",
    "servicebusqueue@v1",
    "servicebustopic@v1",
    "webhook@v1",
)
_MOST = 10  # exports, and destinations
_STATUS = frozenset({"status", "errors", "lastExportTime"})
_SECRET = re.compile(r"(?i)((?:AccountKey|SharedAccessKey)=)[^;]*")
_HIDDEN = "*****"


# destinations


def masked(found: Any, name: str = "") -> Any:
    """A document with its secrets hidden."""
    if isinstance(found, dict):
        if found.get("secret") is True and "value" in found:
            return {**found, "value": _HIDDEN}
        if found.get("type") == "header" and "value" in found:
            return {**found, "value": _HIDDEN}
        return {key: masked(value, key) for key, value in found.items()}
    if isinstance(found, list):
        return [masked(one, name) for one in found]
    if name == "connectionString" and isinstance(found, str):
        return _SECRET.sub(rf"\1{_HIDDEN}", found)
    return _HIDDEN if name == "clientSecret" and isinstance(found, str) else found


def _destination(name: str, held: Json) -> Json:
    out = {"id": name, **masked(held["body"]), "status": held["status"]}
    return out | {member: held[member] for member in ("errors", "lastExportTime") if held.get(member)}


def _held_destination(call: Call, name: str) -> Json:
    held: Json | None = call.application.destinations.get(name)
    if held is None:
        raise not_found(f"The destination {name} does not exist.")
    return held


def list_destinations(_platform: Platform, call: Call) -> Answer:
    """GET /dataExport/destinations."""
    return listing(call, [_destination(n, h) for n, h in call.application.destinations.items()])


def get_destination(_platform: Platform, call: Call, name: str) -> Answer:
    """GET /dataExport/destinations/{id}."""
    return Answer(body=_destination(name, _held_destination(call, name)))


def _checked_destination(call: Call, name: str, old: Json) -> Json:
    sent = Members(call, frozenset(call.document()), read_only=_STATUS, name=name).body
    body = {**old, **{member: value for member, value in sent.items() if member != "id"}}
    if not isinstance(body.get("displayName"), str) or not body["displayName"]:
        raise invalid("displayName is needed.")
    if body.get("type") not in _TYPES:
        raise invalid(f"type is one of {', '.join(_TYPES)}.")
    if body["type"] == "webhook@v1" and not _is_url(body.get("url")):
        raise invalid("url must be an http or https address.")
    return body


def _is_url(found: Any) -> bool:
    if not isinstance(found, str):
        return False
    try:
        parts = urlsplit(found)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and " " not in found
    except ValueError:
        return False


def put_destination(_platform: Platform, call: Call, name: str) -> Answer:
    """PUT /dataExport/destinations/{id}."""
    shelf = call.application.destinations
    body = _checked_destination(call, name, {})
    if name not in shelf and len(shelf) >= _MOST:
        raise invalid(f"An application has at most {_MOST} destinations.")
    return _keep_destination(call, name, body)


def _keep_destination(call: Call, name: str, body: Json) -> Answer:
    old = call.application.destinations.get(name)
    held = {"body": body, "status": "waiting", "rev": old["rev"] + 1 if old else 0}
    call.application.destinations.put(name, held)
    return Answer(body=_destination(name, held))


def patch_destination(_platform: Platform, call: Call, name: str) -> Answer:
    """PATCH /dataExport/destinations/{id}."""
    held = _held_destination(call, name)
    check_match(call, plain_etag("destination", name, held["rev"]))
    return _keep_destination(call, name, _checked_destination(call, name, held["body"]))


def delete_destination(_platform: Platform, call: Call, name: str) -> Answer:
    """DELETE /dataExport/destinations/{id}: not while an export uses it."""
    _held_destination(call, name)
    if any(name in _targets(held) for held in call.application.exports.values()):
        raise Refused(409, "Conflict", f"An export uses the destination {name}.")
    call.application.destinations.drop(name)
    return Answer(204)


def exports_of(_platform: Platform, call: Call, name: str) -> Answer:
    """GET /dataExport/destinations/{id}/exports."""
    _held_destination(call, name)
    chosen = [(n, h) for n, h in call.application.exports.items() if name in _targets(h)]
    return listing(call, [_export(n, h) for n, h in chosen])


# exports


def _targets(held: Json) -> list[str]:
    return [one["id"] for one in held["body"].get("destinations", [])]


def _export(name: str, held: Json) -> Json:
    out = {"id": name, **held["body"], "status": held["status"]}
    return out | {member: held[member] for member in ("errors", "lastExportTime") if held.get(member)}


def _held_export(call: Call, name: str) -> Json:
    held: Json | None = call.application.exports.get(name)
    if held is None:
        raise not_found(f"The export {name} does not exist.")
    return held


def list_exports(_platform: Platform, call: Call) -> Answer:
    """GET /dataExport/exports."""
    return listing(call, [_export(n, h) for n, h in call.application.exports.items()])


def get_export(_platform: Platform, call: Call, name: str) -> Answer:
    """GET /dataExport/exports/{id}: notStarted, starting, healthy or error."""
    return Answer(body=_export(name, _held_export(call, name)))


def _checked_export(call: Call, name: str, old: Json) -> Json:
    known = {"id", "displayName", "enabled", "source", "filter", "enrichments", "destinations"}
    members = Members(call, known, read_only=_STATUS, name=name)
    body = {**old, **{m: v for m, v in members.body.items() if m in known and m != "id"}}
    members.text("displayName")
    if not body.get("displayName"):
        raise invalid("displayName is needed.")
    if not isinstance(body.setdefault("enabled", False), bool):
        raise invalid("enabled must be a boolean.")
    if body.get("source") not in SOURCES:
        raise invalid(f"source is one of {', '.join(SOURCES)}.")
    targets = body.setdefault("destinations", [])
    if not isinstance(targets, list) or not all(isinstance(one, dict) for one in targets):
        raise invalid("destinations is a list of objects with an id.")
    for one in targets:
        if one.get("id") not in call.application.destinations:
            raise invalid(f"The destination {one.get('id')} does not exist.")
    try:
        bare_filter(str(body.get("filter") or ""))
    except ConditionError as error:
        raise invalid(f"The filter is not valid: {error}.") from None
    if not isinstance(body.get("enrichments", {}), dict):
        raise invalid("enrichments is an object.")
    return body


def put_export(_platform: Platform, call: Call, name: str) -> Answer:
    """PUT /dataExport/exports/{id}."""
    shelf = call.application.exports
    body = _checked_export(call, name, {})
    if name not in shelf and len(shelf) >= _MOST:
        raise invalid(f"An application has at most {_MOST} exports.")
    return _keep_export(call, name, body)


def patch_export(_platform: Platform, call: Call, name: str) -> Answer:
    """PATCH /dataExport/exports/{id}."""
    held = _held_export(call, name)
    check_match(call, plain_etag("export", name, held["rev"]))
    return _keep_export(call, name, _checked_export(call, name, held["body"]))


def _keep_export(call: Call, name: str, body: Json) -> Answer:
    app = call.application
    old = app.exports.get(name)
    held = {"body": body, "status": "notStarted", "rev": old["rev"] + 1 if old else 0}
    held["since"] = app.platform.now()
    app.exports.put(name, held)
    return Answer(body=_export(name, held))


def delete_export(_platform: Platform, call: Call, name: str) -> Answer:
    """DELETE /dataExport/exports/{id}."""
    _held_export(call, name)
    call.application.exports.drop(name)
    return Answer(204)


def destinations_of(_platform: Platform, call: Call, name: str) -> Answer:
    """GET /dataExport/exports/{id}/destinations."""
    wanted = _targets(_held_export(call, name))
    chosen = [(n, h) for n, h in call.application.destinations.items() if n in wanted]
    return listing(call, [_destination(n, h) for n, h in chosen])


_DESTINATION, _EXPORT = "/dataExport/destinations/{id}", "/dataExport/exports/{id}"
ROUTES = [
    Route("GET", "/dataExport/destinations", list_destinations, "build", True),
    Route("GET", _DESTINATION, get_destination, "build", True),
    Route("PUT", _DESTINATION, put_destination, "build", True),
    Route("PATCH", _DESTINATION, patch_destination, "build", True),
    Route("DELETE", _DESTINATION, delete_destination, "build", True),
    Route("GET", f"{_DESTINATION}/exports", exports_of, "build", True),
    Route("GET", "/dataExport/exports", list_exports, "build", True),
    Route("GET", _EXPORT, get_export, "build", True),
    Route("PUT", _EXPORT, put_export, "build", True),
    Route("PATCH", _EXPORT, patch_export, "build", True),
    Route("DELETE", _EXPORT, delete_export, "build", True),
    Route("GET", f"{_EXPORT}/destinations", destinations_of, "build", True),
]
