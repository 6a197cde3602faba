"""The three child relations of managed objects: childDevices, childAssets, childAdditions."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from iotnb.sandbox.cumulocity.inventory import announce, make, object_number, query_of, rendered
from iotnb.sandbox.cumulocity.objects import CHILDREN
from iotnb.sandbox.cumulocity.state import Platform
from iotnb.sandbox.cumulocity.wire import Answer, Call, Page, Refused, collection, done, invalid


def _reference(platform: Platform, call: Call, parent: int, relation: str, child: int) -> dict[str, Any]:
    own = call.url("inventory", "managedObjects", parent, relation, child)
    return {"managedObject": rendered(platform, call, child), "self": own}


def _target(platform: Platform, entry: Any) -> int:
    """The object that a reference in a body names."""
    found = entry.get("managedObject") if isinstance(entry, Mapping) else None
    if not isinstance(found, Mapping) or not found.get("id"):
        raise invalid("A reference needs managedObject.id")
    return object_number(platform, str(found["id"]))


def add(relation: str, platform: Platform, call: Call, text: str) -> Answer:
    """POST: one reference, several, or a whole new object that is made and linked."""
    parent = object_number(platform, text)
    platform.access.check(call.user, "INVENTORY", "ADMIN", parent)
    body = call.document()
    if isinstance(body.get("references"), list):
        targets = [_target(platform, entry) for entry in body["references"]]
    elif "managedObject" in body and "managedobject+json" not in call.content_type:
        targets = [_target(platform, body)]
    else:
        targets = [make(platform, call, body)]
    for child in targets:
        platform.objects.link(parent, relation, child)
    announce(platform, call, parent, "UPDATE")
    holder = call.url("inventory", "managedObjects", parent, relation)
    references = [_reference(platform, call, parent, relation, child) for child in targets]
    if isinstance(body.get("references"), list):
        answer = {"self": holder, "references": references}
        return call.made("managedobjectreferencecollection", answer, holder)
    if "managedObject" in body:
        return call.made("managedobjectreference", references[0], references[0]["self"])
    location = call.url("inventory", "managedObjects", targets[0])
    return call.made("managedobject", references[0]["managedObject"], location)


def list_children(relation: str, platform: Platform, call: Call, text: str) -> Answer:
    """GET: the children, with the same parameters as the inventory."""
    parent = object_number(platform, text)
    platform.access.check(call.user, "INVENTORY", "READ", parent)
    page, query = Page.of(call), query_of(platform, call)
    found = []
    for child in platform.objects.children(parent, relation):
        view = platform.objects.view(child)
        if view is not None and query.matches(view, platform.objects):
            found.append(child)
    shown = found[page.first : page.first + page.size]
    items = [_reference(platform, call, parent, relation, child) for child in shown]
    return collection(
        call, "references", "managedobjectreferencecollection", items, page=page, total=len(found)
    )


def _child(platform: Platform, parent: int, relation: str, text: str) -> int:
    if not text.isdigit() or int(text) not in platform.objects.children(parent, relation):
        message = f"managedObject {text} is not a child of {parent}"
        raise Refused(422, "inventory/Invalid Data", message)
    return int(text)


def get_child(relation: str, platform: Platform, call: Call, text: str, child: str) -> Answer:
    """GET of one child; 422 when it is none."""
    parent = object_number(platform, text)
    platform.access.check(call.user, "INVENTORY", "READ", parent)
    found = _child(platform, parent, relation, child)
    return Answer(body=_reference(platform, call, parent, relation, found), kind="managedobjectreference")


def remove(relation: str, platform: Platform, call: Call, text: str, child: str) -> Answer:
    """DELETE of one reference; the child itself stays."""
    parent = object_number(platform, text)
    platform.access.check(call.user, "INVENTORY", "ADMIN", parent)
    platform.objects.unlink(parent, relation, _child(platform, parent, relation, child))
    announce(platform, call, parent, "UPDATE")
    return done()


def remove_several(relation: str, platform: Platform, call: Call, text: str) -> Answer:
    """DELETE with a body of references."""
    parent = object_number(platform, text)
    platform.access.check(call.user, "INVENTORY", "ADMIN", parent)
    references = call.document().get("references")
    if not isinstance(references, list):
        raise invalid("A list of references is expected")
    targets = [_target(platform, entry) for entry in references]
    for child in targets:
        _child(platform, parent, relation, str(child))
    for child in targets:
        platform.objects.unlink(parent, relation, child)
    return done()


ROUTES = tuple(
    (method, f"/inventory/managedObjects/{{id}}/{relation}{tail}", partial(handler, relation))
    for relation in CHILDREN
    for method, tail, handler in (
        ("POST", "", add),
        ("GET", "", list_children),
        ("DELETE", "", remove_several),
        ("GET", "/{child}", get_child),
        ("DELETE", "/{child}", remove),
    )
)
