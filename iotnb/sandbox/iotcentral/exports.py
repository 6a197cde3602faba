"""Data export: destinations and exports; the pump sends."""

import re
from typing import Any
from urllib.parse import urlsplit

from iotnb.sandbox.iotcentral.call import Call, listing
from iotnb.sandbox.iotcentral.conditions import ConditionError, bare_filter
from iotnb.sandbox.iotcentral.documents import Documents
from iotnb.sandbox.iotcentral.members import Members
from iotnb.sandbox.iotcentral.platform import Platform
from iotnb.sandbox.iotcentral.routes import Route
from iotnb.sandbox.iotcentral.wire import Answer, Refused, invalid

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


def _with_status(out: Json, held: Json) -> Json:
    out["status"] = held["status"]
    return out | {member: held[member] for member in ("errors", "lastExportTime") if held.get(member)}


class Destinations(Documents):
    """Where exports send to."""

    def shown(self, name: str, held: Json) -> Json:
        """The destination with its secrets hidden, and how its deliveries went."""
        return _with_status({"id": name, **masked(held["body"])}, held)

    def checked(self, call: Call, name: str, old: Json) -> Json:
        """A name, a type, and for a webhook its address."""
        sent = Members(call, frozenset(call.document()), read_only=_STATUS, name=name).body
        body = {**old, **{member: value for member, value in sent.items() if member != "id"}}
        if not isinstance(body.get("displayName"), str) or not body["displayName"]:
            raise invalid("displayName is needed.")
        if body.get("type") not in _TYPES:
            raise invalid(f"type is one of {', '.join(_TYPES)}.")
        if body["type"] == "webhook@v1" and not _is_url(body.get("url")):
            raise invalid("url must be an http or https address.")
        return body

    def beside(self, _call: Call) -> Json:
        """Nothing has been delivered yet."""
        return {"status": "waiting"}

    def room(self, call: Call) -> None:
        """At most ten."""
        if len(call.application.destinations) >= _MOST:
            raise invalid(f"An application has at most {_MOST} destinations.")

    def free(self, call: Call, name: str) -> None:
        """Not while an export uses it."""
        if any(name in _targets(held) for held in call.application.exports.values()):
            raise Refused(409, "Conflict", f"An export uses the destination {name}.")

    def exports(self, _platform: Platform, call: Call, name: str) -> Answer:
        """GET /dataExport/destinations/{id}/exports."""
        self.held(call, name)
        chosen = [(n, h) for n, h in call.application.exports.items() if name in _targets(h)]
        return listing(call, [_EXPORTS.shown(n, h) for n, h in chosen])


class Exports(Documents):
    """What is sent where."""

    def shown(self, name: str, held: Json) -> Json:
        """The export, and whether it runs: notStarted, starting, healthy or error."""
        return _with_status({"id": name, **held["body"]}, held)

    def checked(self, call: Call, name: str, old: Json) -> Json:
        """A name, a source, destinations that exist, a filter that can be read."""
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
        _check_targets(call, body.setdefault("destinations", []))
        try:
            bare_filter(str(body.get("filter") or ""))
        except ConditionError as error:
            raise invalid(f"The filter is not valid: {error}.") from None
        if not isinstance(body.get("enrichments", {}), dict):
            raise invalid("enrichments is an object.")
        return body

    def beside(self, call: Call) -> Json:
        """It starts anew whenever it was changed."""
        return {"status": "notStarted", "since": call.application.platform.now()}

    def room(self, call: Call) -> None:
        """At most ten."""
        if len(call.application.exports) >= _MOST:
            raise invalid(f"An application has at most {_MOST} exports.")

    def destinations(self, _platform: Platform, call: Call, name: str) -> Answer:
        """GET /dataExport/exports/{id}/destinations."""
        wanted = _targets(self.held(call, name))
        chosen = [(n, h) for n, h in call.application.destinations.items() if n in wanted]
        return listing(call, [_DESTINATIONS.shown(n, h) for n, h in chosen])


def _targets(held: Json) -> list[str]:
    return [one["id"] for one in held["body"].get("destinations", [])]


def _check_targets(call: Call, targets: Any) -> None:
    if not isinstance(targets, list) or not all(isinstance(one, dict) for one in targets):
        raise invalid("destinations is a list of objects with an id.")
    for one in targets:
        if one.get("id") not in call.application.destinations:
            raise invalid(f"The destination {one.get('id')} does not exist.")


def _is_url(found: Any) -> bool:
    if not isinstance(found, str):
        return False
    try:
        parts = urlsplit(found)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and " " not in found
    except ValueError:
        return False


_DESTINATIONS = Destinations(
    "/dataExport/destinations", "destination", lambda app: app.destinations, read="build"
)
_EXPORTS = Exports("/dataExport/exports", "export", lambda app: app.exports, read="build")
ROUTES = [
    *_DESTINATIONS.routes(),
    Route("GET", "/dataExport/destinations/{id}/exports", _DESTINATIONS.exports, "build", True),
    *_EXPORTS.routes(),
    Route("GET", "/dataExport/exports/{id}/destinations", _EXPORTS.destinations, "build", True),
]
