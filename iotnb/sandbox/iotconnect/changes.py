"""Devices to change: making, editing, removing, acquiring and releasing them."""

from typing import Any

from iotnb.sandbox.iotconnect import ledger
from iotnb.sandbox.iotconnect.ids import fixed, new_guid
from iotnb.sandbox.iotconnect.registry import PROPERTIES, Device, device_of, registry, unique_of
from iotnb.sandbox.iotconnect.routes import Route
from iotnb.sandbox.iotconnect.schemas import templates
from iotnb.sandbox.iotconnect.state import Platform
from iotnb.sandbox.iotconnect.tree import entity
from iotnb.sandbox.iotconnect.wire import (
    Answer,
    Call,
    Json,
    conflict,
    done,
    folded,
    invalid,
    ok,
    required,
    text_of,
    truth,
)

_NAMES = {fixed("property", name).lower(): name for name in PROPERTIES}


def _properties(document: Json) -> dict[str, str]:
    """The properties of a body by name; 412 for a property that there is not."""
    given: Any = document.get("properties")
    if given is None:
        return {}
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise invalid(("properties", "a list of {guid, value} is needed"))
    found = {}
    for one in map(folded, given):
        name = _NAMES.get(text_of(one, "guid").lower())
        if name is None:
            raise invalid(("properties", f"there is no property {one.get('guid')}"))
        found[name] = text_of(one, "value")
    return found


def create(platform: Platform, call: Call) -> Answer:
    """POST /Device."""
    document = call.document()
    unique, template_guid, name, entity_guid = required(
        document, "uniqueId", "deviceTemplateGuid", "displayName", "entityGuid"
    )
    known = templates(platform).get(template_guid.lower())
    place = entity(platform, entity_guid)
    if known is None:
        raise conflict("deviceTemplateGuid", f"There is no template {template_guid}.")
    if place is None:
        raise conflict("entityGuid", f"There is no entity {entity_guid}.")
    if not known.attributes:
        raise conflict("deviceTemplateGuid", f"The template {known.code} has no attributes.")
    if registry(platform).by_unique(unique) is not None:
        raise conflict("uniqueId", f"There is already a device {unique}.")
    tag = text_of(document, "tag") or known.tag
    parent = _parent(platform, document, tag)
    device = Device(
        guid=new_guid(),
        unique=unique,
        name=name,
        template=known.guid,
        entity=place.guid,
        created=platform.now(),
        tag=tag,
        parent=None if parent is None else parent.guid,
        note=text_of(document, "note") or None,
        auth_type=known.auth_type,
        firmware=text_of(document, "firmwareUpgradeGuid") or None,
        properties=_properties(document),
    )
    registry(platform).create(device)
    made = {
        "newid": device.guid,
        "entityGuid": device.entity,
        "uniqueId": device.unique,
        "parentUniqueId": None if parent is None else parent.unique,
    }
    if call.edition == "aws":
        active = sum(one.active for one in registry(platform))
        inactive = len(registry(platform)) - active
        made |= {"activeDeviceCount": active, "inActiveDeviceCount": inactive, "ggDeviceScript": None}
    return ok([made], count=1)


def _parent(platform: Platform, document: Json, tag: str | None) -> Device | None:
    guid = text_of(document, "parentDeviceGuid")
    if not guid:
        return None
    found = device_of(platform, guid, "parentDeviceGuid")
    if (found.tag or "") == (tag or ""):
        raise conflict("tag", "A device and its parent have different tags.")
    return found


def update(platform: Platform, call: Call, guid: str) -> Answer:
    """PUT /Device/{guid}."""
    device, document = device_of(platform, guid), call.document()
    name, entity_guid = required(document, "displayName", "entityGuid")
    place = entity(platform, entity_guid)
    if place is None:
        raise conflict("entityGuid", f"There is no entity {entity_guid}.")
    changes: Json = {"name": name, "entity": place.guid}
    if "note" in document:
        changes["note"] = text_of(document, "note") or None
    if document.get("properties"):
        changes["properties"] = device.properties | _properties(document)
    registry(platform).change(device, **changes)
    return done()


def delete(platform: Platform, _call: Call, guid: str) -> Answer:
    """DELETE /Device/{guid}: with the devices behind it."""
    registry(platform).delete(device_of(platform, guid))
    return done()


def set_status(platform: Platform, call: Call, guid: str) -> Answer:
    """PUT /Device/{guid}/status: an inactive device is disconnected."""
    device, document = device_of(platform, guid), call.document()
    (text,) = required(document, "isActive")
    active = truth(text)
    if active is None:
        raise invalid(("isActive", "true or false"))
    registry(platform).change(device, active=active)
    return done()


def set_properties(platform: Platform, call: Call, guid: str) -> Answer:
    """PUT /Device/{guid}/properties."""
    device, document = device_of(platform, guid), call.document()
    required(document, "properties")
    registry(platform).change(device, properties=device.properties | _properties(document))
    return done()


def acquire(platform: Platform, _call: Call, unique: str) -> Answer:
    """PUT /Device/{uniqueId}/acquire: the device fetches its identity, and takes what waits for it."""
    device = unique_of(platform, unique)
    if not device.active:
        raise conflict("uniqueId", f"{unique} is inactive.")
    if device.acquired:
        raise conflict("uniqueId", f"{unique} is already acquired.")
    _no_child(device)
    now = platform.now()
    registry(platform).change(device, acquired=True, released=False, acquired_at=now)
    ledger.wake(platform, device)
    return done()


def release(platform: Platform, _call: Call, unique: str) -> Answer:
    """PUT /Device/{uniqueId}/release."""
    device = unique_of(platform, unique)
    if not device.acquired:
        raise conflict("uniqueId", f"{unique} is not acquired.")
    _no_child(device)
    registry(platform).change(device, acquired=False, released=True)
    return done()


def _no_child(device: Device) -> None:
    if device.parent is not None:
        raise conflict("uniqueId", f"{device.unique} is a child device: acquire or release its gateway.")


ROUTES = [
    Route("POST", "/Device", create, "device", writes=True),
    Route("PUT", "/Device/{guid}", update, "device", writes=True),
    Route("DELETE", "/Device/{guid}", delete, "device", writes=True),
    Route("PUT", "/Device/{guid}/status", set_status, "device", writes=True),
    Route("PUT", "/Device/{guid}/properties", set_properties, "device", writes=True),
    Route("PUT", "/Device/{uniqueId}/acquire", acquire, "device", writes=True),
    Route("PUT", "/Device/{uniqueId}/release", release, "device", writes=True),
]
