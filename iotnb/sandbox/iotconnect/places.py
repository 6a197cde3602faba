"""Entities, and the small lists of the master module."""

from dataclasses import replace

from iotnb.sandbox.iotconnect.company import (
    COMPANY,
    ROOT,
    TIMEZONE,
    USERS,
    Entity,
)
from iotnb.sandbox.iotconnect.ids import fixed, new_guid
from iotnb.sandbox.iotconnect.registry import registry
from iotnb.sandbox.iotconnect.routes import OLD, Route
from iotnb.sandbox.iotconnect.state import Platform
from iotnb.sandbox.iotconnect.tree import drop, entities, keep, known_entity
from iotnb.sandbox.iotconnect.wire import (
    Answer,
    Call,
    Json,
    conflict,
    done,
    named,
    ok,
    required,
    single,
    stamp,
    text_of,
    whole,
)

_COUNTRIES = {
    "Germany": ("North Rhine-Westphalia", "Saxony"),
    "Netherlands": ("Utrecht", "Limburg"),
    "Italy": ("Piedmont", "Lazio"),
}


# entities


def list_entities(platform: Platform, call: Call) -> Answer:
    """GET /Entity: the whole tree, no paging."""
    known = entities(platform)
    devices: dict[str, int] = {}
    for device in registry(platform):
        devices[device.entity.lower()] = devices.get(device.entity.lower(), 0) + 1
    rows = []
    for guid, one in known.items():
        parent = known.get((one.parent or "").lower())
        rows.append(
            {
                "guid": one.guid,
                "name": one.name,
                "parentEntityGuid": one.parent,
                "parentName": None if parent is None else parent.name,
                "description": one.description or None,
                "childEntityLabel": one.label,
                "activeUserCount": sum(user.entity.lower() == guid for user in USERS),
                "inActiveUserCount": 0,
                "deviceCount": devices.get(guid, 0),
                "createdDate": stamp(one.created),
                "updatedDate": stamp(one.created),
            }
        )
    return whole(call, rows)


def get_entity(platform: Platform, _call: Call, guid: str) -> Answer:
    """GET /Entity/{guid}; 409."""
    one = known_entity(platform, guid)
    nothing = ("address", "address2", "city", "zipCode", "stateGuid", "countryGuid", "entityInfo")
    found: Json = {
        "guid": one.guid,
        "name": one.name,
        "parentEntityGuid": one.parent,
        "description": one.description or None,
        "childEntityLabel": one.label,
        "companyGuid": COMPANY,
        "isDeleted": False,
        "createdDate": stamp(one.created),
        "createdBy": USERS[0].guid,
        "updatedDate": stamp(one.created),
        "updatedBy": USERS[0].guid,
        "timezoneGuid": TIMEZONE,
        "defaultuserGuid": None,
    }
    return single(found | dict.fromkeys(nothing))


def entity_lookup(platform: Platform, call: Call) -> Answer:
    """GET /Entity/lookup."""
    rows = [
        {"guid": one.guid, "name": one.name, "parentEntityGuid": one.parent}
        for one in entities(platform).values()
    ]
    return whole(call, rows)


def create_entity(platform: Platform, call: Call) -> Answer:
    """POST /Entity."""
    document = call.document()
    name, parent = required(document, "name", "parentEntityGuid")
    above = known_entity(platform, parent)
    _free(platform, name, above.guid)
    made = Entity(
        guid=new_guid(),
        name=name,
        parent=above.guid,
        label=text_of(document, "childEntityLabel", "Area"),
        description=text_of(document, "description"),
        created=platform.now(),
    )
    keep(platform, made)
    return ok([{"entityGuid": made.guid, "invitationGuid": None, "userGuid": None}], count=1)


def _free(platform: Platform, name: str, parent: str | None, own: str = "") -> None:
    """409 if an entity beside it has the name."""
    for one in entities(platform).values():
        if (one.name.lower(), one.parent) == (name.lower(), parent) and one.guid != own:
            raise conflict("name", f"There is already an entity {name} here.")


def update_entity(platform: Platform, call: Call, guid: str) -> Answer:
    """PUT /Entity/{guid}."""
    one, document = known_entity(platform, guid), call.document()
    (name,) = required(document, "name")
    _free(platform, name, one.parent, one.guid)
    description = text_of(document, "description", one.description)
    label = text_of(document, "childEntityLabel", one.label)
    keep(platform, replace(one, name=name, description=description, label=label))
    return done()


def delete_entity(platform: Platform, _call: Call, guid: str) -> Answer:
    """DELETE /Entity/{guid}: one without entities, devices and users."""
    one = known_entity(platform, guid)
    used = (
        one.guid == ROOT.guid
        or any(other.parent == one.guid for other in entities(platform).values())
        or any(device.entity == one.guid for device in registry(platform))
        or any(user.entity == one.guid for user in USERS)
    )
    if used:
        raise conflict("entityGuid", f"{one.name} is in use.")
    drop(platform, one.guid)
    return done()


# master


def countries(_platform: Platform, call: Call) -> Answer:
    """GET /Master/country."""
    return named(call, "country", tuple(_COUNTRIES))


def states(_platform: Platform, call: Call, guid: str) -> Answer:
    """GET /Master/country/{guid}/state."""
    name = next((one for one in _COUNTRIES if fixed("country", one).lower() == guid.lower()), None)
    if name is None:
        raise conflict("countryGuid", f"There is no country {guid}.")
    return named(call, "state", _COUNTRIES[name])


def timezones(_platform: Platform, call: Call) -> Answer:
    """GET /Master/timezone."""
    rows = [{"guid": TIMEZONE, "name": "UTC", "gmt": "GMT+00:00"}]
    return whole(call, rows)


ROUTES = [
    Route("GET", "/Entity", list_entities, "entity"),
    Route("GET", "/Entity/lookup", entity_lookup, "entity"),
    Route("GET", "/Entity/{guid}", get_entity, "entity"),
    Route("POST", "/Entity", create_entity, "entity", writes=True),
    Route("PUT", "/Entity/{guid}", update_entity, "entity", writes=True),
    Route("DELETE", "/Entity/{guid}", delete_entity, "entity", writes=True),
    Route("GET", "/Master/country", countries, "master", OLD),
    Route("GET", "/Master/country/{guid}/state", states, "master", OLD),
    Route("GET", "/Master/timezone", timezones, "master", OLD),
]
