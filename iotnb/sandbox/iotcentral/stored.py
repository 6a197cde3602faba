"""Dashboards, deployment manifests and file uploads: kept as given, without behaviour."""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from iotnb.sandbox.iotcentral.application import Application
from iotnb.sandbox.iotcentral.devices import find
from iotnb.sandbox.iotcentral.exports import masked
from iotnb.sandbox.iotcentral.members import Members
from iotnb.sandbox.iotcentral.routes import Route
from iotnb.sandbox.iotcentral.shelf import Shelf
from iotnb.sandbox.iotcentral.state import Platform
from iotnb.sandbox.iotcentral.templates import filtered, ordered
from iotnb.sandbox.iotcentral.wire import (
    Answer,
    Call,
    check_match,
    invalid,
    listing,
    not_found,
    page_of,
    plain_etag,
)

Json = dict[str, Any]
_ID = re.compile(r"[a-zA-Z0-9:;_-]{1,255}")


class Kept:
    """Five handlers for one kind of document."""

    def __init__(
        self,
        path: str,
        word: str,
        shelf: Callable[[Application], Shelf],
        known: frozenset[str],
        needed: str,
        defaults: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self.path = path
        self.word = word
        self._shelf = shelf
        self._known = known
        self._needed = needed
        self._defaults = dict(defaults)

    def routes(self) -> list[Route]:
        """The endpoints; all are in the preview only."""
        one = f"{self.path}/{{id}}"
        return [
            Route("GET", self.path, self.list, "read", True),
            Route("GET", one, self.get, "read", True),
            Route("PUT", one, self.put, "build", True),
            Route("PATCH", one, self.patch, "build", True),
            Route("DELETE", one, self.delete, "build", True),
        ]

    def _shown(self, name: str, held: Json) -> Json:
        return {
            "id": name,
            **self._defaults,
            **held["body"],
            "etag": plain_etag(self.word, name, held["rev"]),
        }

    def _held(self, call: Call, name: str) -> Json:
        held: Json | None = self._shelf(call.application).get(name)
        if held is None:
            raise not_found(f"The {self.word} {name} does not exist.")
        return held

    def list(self, _platform: Platform, call: Call) -> Answer:
        """GET the collection."""
        page = page_of(call, filters=True)
        rows = [self._shown(n, h) for n, h in self._shelf(call.application).items()]
        names = {"id": "id", "displayName": "displayName"}
        return listing(call, ordered(filtered(rows, page.filter, names), page.orderby), page)

    def get(self, _platform: Platform, call: Call, name: str) -> Answer:
        """GET one."""
        return Answer(body=self._shown(name, self._held(call, name)))

    def put(self, _platform: Platform, call: Call, name: str) -> Answer:
        """PUT one."""
        if not _ID.fullmatch(name):
            raise invalid(f"The id of a {self.word} is made of letters, digits, :, ;, - and _.")
        return self._keep(call, name, {})

    def patch(self, _platform: Platform, call: Call, name: str) -> Answer:
        """PATCH one."""
        held = self._held(call, name)
        check_match(call, plain_etag(self.word, name, held["rev"]))
        return self._keep(call, name, held["body"])

    def _keep(self, call: Call, name: str, old: Json) -> Answer:
        members = Members(call, self._known, read_only={"personal"}, name=name)
        members.text("displayName")
        body = {**old, **{m: v for m, v in members.body.items() if m not in ("id", "etag")}}
        if not body.get(self._needed):
            raise invalid(f"{self._needed} is needed.")
        shelf = self._shelf(call.application)
        held = shelf.get(name)
        shelf.put(name, {"body": body, "rev": held["rev"] + 1 if held else 0})
        return Answer(body=self._shown(name, shelf.get(name)))

    def delete(self, _platform: Platform, call: Call, name: str) -> Answer:
        """DELETE one."""
        self._held(call, name)
        self._shelf(call.application).drop(name)
        return Answer(204)


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
