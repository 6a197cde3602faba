"""Device groups: stored filters over the devices."""

import re
from collections.abc import Iterator
from typing import Any

from iotnb.sandbox.iotcentral.access import reach
from iotnb.sandbox.iotcentral.application import Application
from iotnb.sandbox.iotcentral.call import Call, check_match, listing, page_of
from iotnb.sandbox.iotcentral.conditions import Condition, ConditionError, chosen, device_filter
from iotnb.sandbox.iotcentral.devices import visible
from iotnb.sandbox.iotcentral.members import Members
from iotnb.sandbox.iotcentral.platform import Platform
from iotnb.sandbox.iotcentral.registry import Device
from iotnb.sandbox.iotcentral.routes import Route
from iotnb.sandbox.iotcentral.templates import filtered, ordered
from iotnb.sandbox.iotcentral.twin import Twin
from iotnb.sandbox.iotcentral.wire import Answer, invalid, not_found, plain_etag

Json = dict[str, Any]
_ID = re.compile(r"[a-zA-Z0-9_-]{1,255}")
_MEMBERS = ("displayName", "filter", "description", "organizations")
SYSTEM = ("id", "template", "provisioned", "simulated", "displayName", "enabled", "organizations")


def shown(name: str, held: Json) -> Json:
    """A group as the API shows it."""
    out = {"id": name, **{member: held[member] for member in _MEMBERS if held.get(member) is not None}}
    return out | {"etag": plain_etag("group", name, held["rev"])}


def fits(app: Application, device: Device, condition: Condition | None) -> bool:
    """Whether a device fulfils the condition of a group or export."""

    def get(path: str) -> Any:
        if path.startswith("$"):
            word = path[1:]
            if word == "id":
                return device.id
            return device.held.get(word) if word in SYSTEM else None
        return Twin(app, device).value(path)

    return chosen(condition, get)


def members(app: Application, held: Json) -> Iterator[Device]:
    """The devices of a group."""
    condition = device_filter(held["filter"])
    own = app.below(set(held["organizations"])) if held.get("organizations") else None
    for device in app.registry:
        inside = own is None or bool(own.intersection(device.organizations))
        if inside and fits(app, device, condition):
            yield device


def find(call: Call, name: str) -> Json:
    """A group; 404 if there is none that the caller may see."""
    held: Json | None = call.application.groups.get(name)
    if held is None or not _visible(call, held):
        raise not_found(f"The device group {name} does not exist.")
    return held


def _visible(call: Call, held: Json) -> bool:
    own = reach(call, "read")
    return own is None or not held.get("organizations") or bool(own.intersection(held["organizations"]))


def list_groups(_platform: Platform, call: Call) -> Answer:
    """GET /deviceGroups."""
    page = page_of(call, filters=True)
    rows = [shown(n, h) for n, h in call.application.groups.items() if _visible(call, h)]
    names = {"id": "id", "displayName": "displayName", "description": "description"}
    return listing(call, ordered(filtered(rows, page.filter, names), page.orderby), page)


def get_group(_platform: Platform, call: Call, name: str) -> Answer:
    """GET /deviceGroups/{id}."""
    return Answer(body=shown(name, find(call, name)))


def _checked(call: Call, name: str, old: Json) -> Json:
    read = Members(call, {"id", *_MEMBERS}, name=name)
    texts = {member: read.text(member) for member in ("displayName", "filter", "description")}
    held = {**old, **{member: text for member, text in texts.items() if text is not None}}
    for member in ("displayName", "filter"):
        if not held.get(member):
            raise invalid(f"{member} is needed.")
    try:
        device_filter(held["filter"])
    except ConditionError as error:
        raise invalid(f"The filter is not valid: {error}.") from None
    organizations = read.texts("organizations")
    if organizations is not None:
        if len(organizations) > 1 or any(one not in call.application.organizations for one in organizations):
            raise invalid("organizations holds one organization that exists.")
        held["organizations"] = organizations
    return held


def put_group(_platform: Platform, call: Call, name: str) -> Answer:
    """PUT /deviceGroups/{id}."""
    if not _ID.fullmatch(name):
        raise invalid("The group id is made of letters, digits, - and _.")
    old = call.application.groups.get(name)
    held = {**_checked(call, name, {}), "rev": old["rev"] + 1 if old else 0}
    call.application.groups.put(name, held)
    return Answer(body=shown(name, held))


def patch_group(_platform: Platform, call: Call, name: str) -> Answer:
    """PATCH /deviceGroups/{id}."""
    old = find(call, name)
    check_match(call, plain_etag("group", name, old["rev"]))
    held = {**_checked(call, name, old), "rev": old["rev"] + 1}
    call.application.groups.put(name, held)
    return Answer(body=shown(name, held))


def delete_group(_platform: Platform, call: Call, name: str) -> Answer:
    """DELETE /deviceGroups/{id}."""
    find(call, name)
    call.application.groups.drop(name)
    return Answer(204)


def list_members(_platform: Platform, call: Call, name: str) -> Answer:
    """GET /deviceGroups/{id}/devices: without etags."""
    held = find(call, name)
    found = [device for device in members(call.application, held) if visible(call, device)]
    return listing(call, [device.shown(etag=False) for device in found])


ROUTES = [
    Route("GET", "/deviceGroups", list_groups),
    Route("GET", "/deviceGroups/{id}", get_group),
    Route("PUT", "/deviceGroups/{id}", put_group, "operate"),
    Route("PATCH", "/deviceGroups/{id}", patch_group, "operate"),
    Route("DELETE", "/deviceGroups/{id}", delete_group, "operate"),
    Route("GET", "/deviceGroups/{id}/devices", list_members),
]
