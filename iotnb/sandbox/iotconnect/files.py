"""Files of the file module, and the signed links under which their contents are fetched for a while."""

import base64
import hashlib
import hmac
from typing import Any

from iotnb.sandbox.iotconnect.ids import new_guid
from iotnb.sandbox.iotconnect.routes import Route
from iotnb.sandbox.iotconnect.state import Platform
from iotnb.sandbox.iotconnect.wire import (
    Answer,
    Call,
    Json,
    Refused,
    conflict,
    digits,
    done,
    invalid,
    ok,
    required,
    stamp,
    text_of,
)
from iotnb.sandbox.wire import multipart

LINKS = "files"
"""First segment of the links."""
_KIND = "file"
_LIFE = 3_600_000  # milliseconds for which a link is good


def upload(platform: Platform, call: Call) -> Answer:
    """POST /File: multipart with fileRefGuid, ModuleType, Tag and fileData."""
    parts = multipart(call.headers.get("content-type", ""), call.body)
    fields: Json = {one.name.lower(): one.data.decode(errors="replace") for one in parts if not one.filename}
    content = next((one for one in parts if one.name.lower() == "filedata"), None)
    if content is None:
        raise invalid(("fileData", "fileData is required"))
    ref, module = required(fields, "fileRefGuid", "ModuleType")
    guid = new_guid()
    held = {
        "guid": guid,
        "ref": ref,
        "module": module.lower(),
        "name": content.filename or guid,
        "tag": text_of(fields, "tag") or None,
        "created": platform.now(),
        "content": base64.b64encode(content.data).decode(),
    }
    platform.shelf(_KIND).put(guid.lower(), held)
    return ok([{"guid": guid}], count=1)


def of_ref(platform: Platform, module: str, ref: str) -> list[Any]:
    """The files of a module for one reference, oldest first."""
    found = [
        one
        for one in platform.shelf(_KIND).values()
        if (one["module"], one["ref"].lower()) == (module.lower(), ref.lower())
    ]
    return sorted(found, key=lambda one: (one["created"], one["guid"]))


def list_files(platform: Platform, call: Call, module: str, ref: str) -> Answer:
    """GET /File/{module}/{ref}: rows of exactly seven members; 409 without any."""
    found = of_ref(platform, module, ref)
    if not found:
        raise conflict("fileRefGuid", f"There is no file for {ref}.")
    rows = [
        {
            "guid": one["guid"],
            "file": link(platform, call, one["guid"]),
            "name": one["name"],
            "tag": one["tag"],
            "createdDate": stamp(one["created"]),
            "state": "uploaded",
            "key": f"{one['module']}/{one['ref']}/{one['name']}",
        }
        for one in found
    ]
    return ok({"fileData": rows}, count=len(rows))


def delete(platform: Platform, _call: Call, module: str, guid: str) -> Answer:
    """DELETE /File/{module}/{guid}."""
    held = platform.shelf(_KIND).get(guid.lower())
    if held is None or held["module"] != module.lower():
        raise conflict("fileGuid", f"There is no file {guid}.")
    platform.shelf(_KIND).drop(guid.lower())
    return done()


def _sign(platform: Platform, guid: str, expires: int) -> str:
    return hmac.new(platform.secret, f"{guid.lower()}.{expires}".encode(), hashlib.sha256).hexdigest()


def link(platform: Platform, call: Call, guid: str) -> str:
    """A link that is good for an hour and needs no token."""
    expires = platform.now() + _LIFE
    return f"{call.origin}/{LINKS}/{guid}?expires={expires}&sig={_sign(platform, guid, expires)}"


def download(platform: Platform, call: Call) -> Answer:
    """What is behind such a link; 403 when it is too old or not ours."""
    guid = call.segments[1] if len(call.segments) == 2 else ""
    held = platform.shelf(_KIND).get(guid.lower())
    if held is None:
        raise Refused(404, f"There is no file {guid}.")
    expires = digits(call.one("expires")) or 0
    good = hmac.compare_digest(_sign(platform, guid, expires).encode(), call.one("sig").encode())
    if not good or expires <= platform.now():
        raise Refused(403, "The link is no longer good.")
    name = held["name"].replace('"', "").encode("ascii", "replace").decode()
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Answer(200, base64.b64decode(held["content"]), headers, "application/octet-stream")


ROUTES = [
    Route("POST", "/File", upload, "file", writes=True),
    Route("GET", "/File/{module}/{ref}", list_files, "file"),
    Route("DELETE", "/File/{module}/{guid}", delete, "file", writes=True),
]
