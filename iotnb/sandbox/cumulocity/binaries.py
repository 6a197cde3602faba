"""Files: attachments of events and binaries of the inventory; their bytes stay in the store as base64."""

import base64
from typing import Any

import msgspec

from iotnb.sandbox.cumulocity import events
from iotnb.sandbox.cumulocity.inventory import erase, object_number, rendered
from iotnb.sandbox.cumulocity.registration import file_part
from iotnb.sandbox.cumulocity.state import Platform
from iotnb.sandbox.cumulocity.wire import Answer, Call, Page, Refused, collection, done, invalid
from iotnb.sandbox.store import Document

_LARGEST = 50 * 1024 * 1024
_BINARY = "c8y_IsBinary"


def _file(call: Call) -> tuple[bytes, dict[str, Any], dict[str, Any]]:
    """(content, name and type, other fields of the object) of an upload."""
    content, name, kind, fields = file_part(call)
    try:
        extra = msgspec.json.decode(fields["object"], type=dict[str, Any]) if fields.get("object") else {}
    except msgspec.DecodeError as error:
        raise invalid(f"Part object is no JSON object: {error}") from None
    if len(content) > _LARGEST:
        raise Refused(413, "general/Payload Too Large", "The file is larger than 50 MiB")
    about = {"name": extra.pop("name", None) or name or "attachment", "type": extra.pop("type", None) or kind}
    return content, {**about, "length": len(content)}, extra


def _keep(platform: Platform, kind: str, name: str, content: bytes, about: dict[str, Any]) -> None:
    platform.store.set(kind, name, {"about": about, "content": base64.b64encode(content).decode()})


def _download(kept: dict[str, Any]) -> Answer:
    about = kept["about"]
    name = str(about["name"]).replace('"', "").encode("ascii", "replace").decode()
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Answer(body=base64.b64decode(kept["content"]), content_type=about["type"], headers=headers)


# attachments of events


def _attachment(call: Call, about: dict[str, Any], source: str) -> dict[str, Any]:
    return {**about, "source": source, "self": call.url("event", "events", source, "binaries")}


def create_attachment(platform: Platform, call: Call, text: str) -> Answer:
    """POST /event/events/{id}/binaries; 409 when there is one already."""
    one = events.existing(platform, call, text, "ADMIN")
    if platform.store.setting("attachment", text) is not None:
        raise Refused(409, "Duplicate", "Attachment already exists")
    return _attach(platform, call, one, 201)


def put_attachment(platform: Platform, call: Call, text: str) -> Answer:
    """PUT /event/events/{id}/binaries: replaces the attachment."""
    one = events.existing(platform, call, text, "ADMIN")
    if platform.store.setting("attachment", text) is None:
        raise Refused(404, "Not Found", "Attachment not found")
    return _attach(platform, call, one, 201)


def _attach(platform: Platform, call: Call, one: Document, status: int) -> Answer:
    content, about, _ = _file(call)
    _keep(platform, "attachment", str(one.id), content, about)
    events.save(platform, one, {_BINARY: about})
    document = _attachment(call, about, str(one.id))
    answer = call.made("event", document, document["self"], status)
    answer.content_type = "application/json;charset=UTF-8"
    return answer


def get_attachment(platform: Platform, call: Call, text: str) -> Answer:
    """GET /event/events/{id}/binaries."""
    events.existing(platform, call, text, "READ")
    kept = platform.store.setting("attachment", text)
    if kept is None:
        raise Refused(404, "Not Found", "Attachment not found")
    return _download(kept)


def delete_attachment(platform: Platform, call: Call, text: str) -> Answer:
    """DELETE /event/events/{id}/binaries."""
    one = events.existing(platform, call, text, "ADMIN")
    if not platform.store.unset("attachment", text):
        raise Refused(404, "Not Found", "Attachment not found")
    events.save(platform, one, {_BINARY: None})
    return done()


# binaries of the inventory


def _binary(platform: Platform, call: Call, found: int) -> dict[str, Any]:
    return {**rendered(platform, call, found), "self": call.url("inventory", "binaries", found)}


def create_binary(platform: Platform, call: Call) -> Answer:
    """POST /inventory/binaries: a managed object with a file."""
    platform.access.need(call.user, "ROLE_INVENTORY_ADMIN", "ROLE_INVENTORY_CREATE")
    content, about, extra = _file(call)
    fields = {**extra, "name": about["name"], "type": about["type"], "contentType": about["type"]}
    found = platform.objects.create({**fields, "length": len(content), _BINARY: ""}, call.user.name)
    _keep(platform, "binary", str(found), content, about)
    document = _binary(platform, call, found)
    return call.made("managedobject", document, document["self"])


def list_binaries(platform: Platform, call: Call) -> Answer:
    """GET /inventory/binaries."""
    platform.access.need(call.user, "ROLE_INVENTORY_READ")
    page = Page.of(call)
    wanted = call.words("ids")
    found = [
        int(name)
        for name in platform.store.settings("binary")
        if platform.objects.exists(int(name)) and (not wanted or name in wanted)
    ]
    text = call.one("type")
    if text:
        found = [one for one in found if (platform.objects.view(one) or {}).get("type") == text]
    if call.one("owner"):
        found = [one for one in found if platform.objects.owner(one) == call.one("owner")]
    found.sort()
    items = [_binary(platform, call, one) for one in found[page.first : page.first + page.size]]
    return collection(call, "managedObjects", "managedobjectcollection", items, page=page, total=len(found))


def _kept(platform: Platform, text: str) -> tuple[int, dict[str, Any]]:
    found = object_number(platform, text)
    kept = platform.store.setting("binary", text)
    if kept is None:
        raise Refused(404, "inventory/Not Found", f"Binary {text} not found")
    return found, kept


def get_binary(platform: Platform, call: Call, text: str) -> Answer:
    """GET /inventory/binaries/{id}: the file."""
    found, kept = _kept(platform, text)
    platform.access.check(call.user, "INVENTORY", "READ", found)
    return _download(kept)


def put_binary(platform: Platform, call: Call, text: str) -> Answer:
    """PUT /inventory/binaries/{id}: another file."""
    found, kept = _kept(platform, text)
    platform.access.check(call.user, "INVENTORY", "ADMIN", found)
    content, about, _ = _file(call)
    about = {**kept["about"], "type": about["type"], "length": len(content)}
    _keep(platform, "binary", text, content, about)
    platform.objects.update(found, {"contentType": about["type"], "length": len(content)})
    return call.made("managedobject", _binary(platform, call, found), call.url("inventory", "binaries", text))


def delete_binary(platform: Platform, call: Call, text: str) -> Answer:
    """DELETE /inventory/binaries/{id}."""
    found, _ = _kept(platform, text)
    platform.access.check(call.user, "INVENTORY", "ADMIN", found)
    platform.store.unset("binary", text)
    erase(platform, call, found, with_user=False)
    return done()


ROUTES = (
    ("POST", "/event/events/{id}/binaries", create_attachment),
    ("PUT", "/event/events/{id}/binaries", put_attachment),
    ("GET", "/event/events/{id}/binaries", get_attachment),
    ("DELETE", "/event/events/{id}/binaries", delete_attachment),
    ("POST", "/inventory/binaries", create_binary),
    ("GET", "/inventory/binaries", list_binaries),
    ("GET", "/inventory/binaries/{id}", get_binary),
    ("PUT", "/inventory/binaries/{id}", put_binary),
    ("DELETE", "/inventory/binaries/{id}", delete_binary),
)
