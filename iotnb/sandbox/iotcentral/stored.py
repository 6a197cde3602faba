"""Dashboards, deployment manifests and file uploads: kept as given, without behaviour."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from iotnb.sandbox.iotcentral.application import Application
from iotnb.sandbox.iotcentral.call import Call, check_match
from iotnb.sandbox.iotcentral.devices import find
from iotnb.sandbox.iotcentral.documents import Documents
from iotnb.sandbox.iotcentral.exports import masked
from iotnb.sandbox.iotcentral.members import Members
from iotnb.sandbox.iotcentral.platform import Platform
from iotnb.sandbox.iotcentral.routes import Route
from iotnb.sandbox.iotcentral.wire import Answer, invalid, not_found, plain_etag
from iotnb.sandbox.shelf import Shelf

Json = dict[str, Any]


class Kept(Documents):
    """Documents of which only one member is needed."""

    def __init__(
        self,
        path: str,
        word: str,
        shelf: Callable[[Application], Shelf],
        known: frozenset[str],
        needed: str,
        defaults: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        super().__init__(path, word, shelf)
        self._known, self._needed, self._defaults = known, needed, dict(defaults)

    def shown(self, name: str, held: Json) -> Json:
        """The document as it was given, with what it has unless given."""
        etag = plain_etag(self.word, name, held["rev"])
        return {"id": name, **self._defaults, **held["body"], "etag": etag}

    def checked(self, call: Call, name: str, old: Json) -> Json:
        """Any members; one must be there."""
        members = Members(call, self._known, read_only={"personal"}, name=name)
        members.text("displayName")
        body = {**old, **{m: v for m, v in members.body.items() if m not in ("id", "etag")}}
        if not body.get(self._needed):
            raise invalid(f"{self._needed} is needed.")
        return body


_DASHBOARDS = Kept(
    "/dashboards",
    "dashboard",
    lambda app: app.dashboards,
    frozenset({"displayName", "tiles", "favorite", "organizations"}),
    "displayName",
    {"personal": False, "favorite": False},
)
_MANIFESTS = Kept(
    "/deploymentManifests",
    "deployment manifest",
    lambda app: app.manifests,
    frozenset({"displayName", "data", "organizations"}),
    "data",
)


def apply_manifest(_platform: Platform, call: Call, name: str) -> Answer:
    """POST /devices/{id}/applyDeploymentManifest."""
    device = find(call, name, "operate")
    body = Members(call, frozenset({"displayName", "data", "organizations"})).body
    if not isinstance(body.get("data"), dict):
        raise invalid("data is needed.")
    call.application.registry.save(device, {"manifest": body})
    return Answer(body={**body, "etag": plain_etag("manifest", name, device.held.get("rev", 0) + 1)})


# file uploads: one document for the application


def get_uploads(_platform: Platform, call: Call) -> Answer:
    """GET /fileUploads."""
    return Answer(body=_uploads(call))


def _uploads(call: Call) -> Json:
    held: Json | None = call.application.uploads.get("only")
    if held is None:
        raise not_found("File uploads are not configured.")
    etag = plain_etag("uploads", call.application.id, held["rev"])
    return {**masked(held["body"]), "state": "succeeded", "etag": etag}


def put_uploads(_platform: Platform, call: Call) -> Answer:
    """PUT and PATCH /fileUploads."""
    shelf = call.application.uploads
    held = shelf.get("only")
    old: Json = {}
    if call.method == "PATCH":
        check_match(call, _uploads(call)["etag"])
        old = held["body"]
    known = frozenset({"account", "connectionString", "container", "sasTtl", "readAccess"})
    members = Members(call, known, read_only={"state"})
    members.boolean("readAccess")
    body = {**old, **{m: v for m, v in members.body.items() if m in known}}
    for member in ("connectionString", "container"):
        if not isinstance(body.get(member), str):
            raise invalid(f"{member} is needed.")
    shelf.put("only", {"body": body, "rev": held["rev"] + 1 if held else 0})
    return Answer(body=_uploads(call))


def delete_uploads(_platform: Platform, call: Call) -> Answer:
    """DELETE /fileUploads."""
    _uploads(call)
    call.application.uploads.drop("only")
    return Answer(204)


ROUTES = [
    *_DASHBOARDS.routes(),
    *_MANIFESTS.routes(),
    Route("POST", "/devices/{id}/applyDeploymentManifest", apply_manifest, "build", True),
    Route("GET", "/fileUploads", get_uploads, "build"),
    Route("PUT", "/fileUploads", put_uploads, "build"),
    Route("PATCH", "/fileUploads", put_uploads, "build"),
    Route("DELETE", "/fileUploads", delete_uploads, "build"),
]
