"""`/groups`: named sets of devices, shared with roles; the list's key on the wire is `deviceGroups`."""

from typing import Any

from iotnb.sandbox.wso2.details import document
from iotnb.sandbox.wso2.inventory import Enrolment
from iotnb.sandbox.wso2.routes import MGT, routes
from iotnb.sandbox.wso2.state import Platform
from iotnb.sandbox.wso2.wire import Answer, Call, Refused, identifier, page_of

Json = dict[str, Any]
_SHOWN = ("id", "description", "name", "owner")


def _shown(group: Json) -> Json:
    return {name: group[name] for name in _SHOWN}


def _all(platform: Platform) -> list[Json]:
    return sorted(platform.groups.values(), key=lambda one: one["id"])


def _visible(platform: Platform, call: Call) -> list[Json]:
    """The groups that the caller owns or that are shared with one of his roles."""
    roles = set((platform.accounts.users.get(call.caller.user) or {}).get("roles", ()))
    return [one for one in _all(platform) if one["owner"] == call.caller.user or roles & set(one["roles"])]


def _get(platform: Platform, number: str) -> Json:
    """A group by the id in a path; 404 for an unknown one or for what is no number."""
    found: Json | None = platform.groups.get(number) if number.isdecimal() else None
    if found is None:
        raise Refused(404, "Group not found.")
    return found


def _put(platform: Platform, group: Json) -> None:
    platform.groups.put(str(group["id"]), group)


def _listed(platform: Platform, call: Call, groups: list[Json]) -> Answer:
    page = page_of(call, platform.switches.default_page)
    name, owner = call.one("name"), call.one("owner")
    found = [g for g in groups if g["name"].startswith(name) and (not owner or g["owner"] == owner)]
    return Answer(body={"deviceGroups": [_shown(one) for one in page.of(found)], "count": len(found)})


def list_groups(platform: Platform, call: Call) -> Answer:
    """GET /groups?name&owner."""
    return _listed(platform, call, _visible(platform, call))


def list_all(platform: Platform, call: Call) -> Answer:
    """GET /admin/groups: everybody's."""
    return _listed(platform, call, _all(platform))


def count(platform: Platform, call: Call) -> Answer:
    """GET /groups/count: a bare number."""
    return Answer(body=len(_visible(platform, call)))


def count_all(platform: Platform, _call: Call) -> Answer:
    """GET /admin/groups/count: a bare number."""
    return Answer(body=len(platform.groups))


def add(platform: Platform, call: Call) -> Answer:
    """POST /groups: 201 without a body; an id in the body is ignored."""
    body = call.document()
    name = body.get("name")
    if not isinstance(name, str) or not name:
        raise Refused(400)
    if any(one["name"] == name for one in platform.groups.values()):
        raise Refused(409, f"Group name ({name}) already exists.")
    number = platform.store.next_ids("group")[0]
    held = {"id": number, "description": str(body.get("description") or ""), "name": name}
    _put(platform, {**held, "owner": call.caller.user, "roles": [], "devices": []})
    return Answer(201)


def get_group(platform: Platform, _call: Call, number: str) -> Answer:
    """GET /groups/id/{id}."""
    return Answer(body=_shown(_get(platform, number)))


def update(platform: Platform, call: Call, number: str) -> Answer:
    """PUT /groups/id/{id}: 409 for a name that is taken, and for an unknown group too."""
    body = call.document()
    name = body.get("name")
    found = platform.groups.get(number)
    taken = any(one["name"] == name and str(one["id"]) != number for one in platform.groups.values())
    if found is None or taken:
        raise Refused(409, f"Group name ({name}) already exists.")
    changed = {key: body[key] for key in ("name", "description") if isinstance(body.get(key), str)}
    _put(platform, {**found, **changed})
    return Answer()


def remove(platform: Platform, _call: Call, number: str) -> Answer:
    """DELETE /groups/id/{id}."""
    platform.groups.drop(str(_get(platform, number)["id"]))
    return Answer()


# devices


def _members(platform: Platform, group: Json) -> list[Enrolment]:
    return [found[-1] for n in group["devices"] if (found := platform.inventory.enrolments_of(n))]


def devices(platform: Platform, call: Call, number: str) -> Answer:
    """GET /groups/id/{id}/devices: the limit has no upper bound here."""
    page = page_of(call, platform.switches.default_page, most=None)
    found = _members(platform, _get(platform, number))
    return Answer(body={"devices": [document(platform, one) for one in page.of(found)], "count": len(found)})


def count_devices(platform: Platform, _call: Call, number: str) -> Answer:
    """GET /groups/id/{id}/devices/count: a bare number."""
    return Answer(body=len(_members(platform, _get(platform, number))))


def _named(platform: Platform, one: Any) -> int:
    """The id of the device in `{"id", "type"}`; 400 with a text for an unknown one."""
    name = identifier(one.get("id")) if isinstance(one, dict) else None
    found = platform.inventory.find(str(one.get("type")), name) if name else None
    if found is None:
        raise Refused(400, "Device not found for the given device identifier.")
    return found


def add_devices(platform: Platform, call: Call, number: str) -> Answer:
    """POST /groups/id/{id}/devices/add."""
    group = _get(platform, number)
    wanted = [_named(platform, one) for one in call.array()]
    _put(platform, {**group, "devices": [*dict.fromkeys([*group["devices"], *wanted])]})
    return Answer()


def remove_devices(platform: Platform, call: Call, number: str) -> Answer:
    """POST /groups/id/{id}/devices/remove."""
    group = _get(platform, number)
    gone = {_named(platform, one) for one in call.array()}
    _put(platform, {**group, "devices": [n for n in group["devices"] if n not in gone]})
    return Answer()


def of_device(platform: Platform, call: Call) -> Answer:
    """GET /groups/device?deviceId&deviceType: a plain array of groups."""
    device = platform.inventory.find(call.one("deviceType"), call.one("deviceId"))
    return Answer(body=[_shown(one) for one in _all(platform) if device in one["devices"]])


def assign(platform: Platform, call: Call) -> Answer:
    """POST /groups/device/assign: the device is in these groups and in no other."""
    body = call.document()
    wanted = body.get("deviceGroupIds")
    if not isinstance(wanted, list):
        raise Refused(400)
    device = _named(platform, body.get("deviceIdentifier"))
    numbers = {str(_get(platform, str(one))["id"]) for one in wanted}
    for group in _all(platform):
        rest = [n for n in group["devices"] if n != device]
        _put(platform, {**group, "devices": [*rest, device] if str(group["id"]) in numbers else rest})
    return Answer()


def share(platform: Platform, call: Call, number: str) -> Answer:
    """POST /groups/id/{id}/share with a list of roles; 400 for an unknown one."""
    group, wanted = _get(platform, number), [str(one) for one in call.array()]
    if any(role not in platform.accounts.roles for role in wanted):
        raise Refused(400, "Role does not exist.")
    _put(platform, {**group, "roles": wanted})
    return Answer()


def roles(platform: Platform, _call: Call, number: str) -> Answer:
    """GET /groups/id/{id}/roles."""
    found = _get(platform, number)["roles"]
    return Answer(body={"roles": found, "count": len(found)})


ROUTES = routes(
    f"{MGT}/groups",
    ("GET", "", list_groups, "groups:groups"),
    ("GET", "/count", count, "groups:count"),
    ("POST", "", add, "groups:add"),
    ("GET", "/id/{id}", get_group, "groups:groups-view"),
    ("PUT", "/id/{id}", update, "groups:update"),
    ("DELETE", "/id/{id}", remove, "groups:remove"),
    ("POST", "/id/{id}/share", share, "groups:share"),
    ("GET", "/id/{id}/roles", roles, "groups:roles"),
    ("GET", "/id/{id}/devices", devices, "groups:devices"),
    ("GET", "/id/{id}/devices/count", count_devices, "groups:devices-count"),
    ("POST", "/id/{id}/devices/add", add_devices, "groups:devices-add"),
    ("POST", "/id/{id}/devices/remove", remove_devices, "groups:devices-remove"),
    ("POST", "/device/assign", assign, "groups:assign"),
    ("GET", "/device", of_device, "groups:device"),
) + routes(
    f"{MGT}/admin/groups",
    ("GET", "", list_all, "admin-groups:view"),
    ("GET", "/count", count_all, "admin-groups:count"),
)
