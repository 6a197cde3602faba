"""Groups of users (global roles), and inventory roles with their assignments to users."""

from typing import Any

from iotnb.sandbox.cumulocity.state import Platform
from iotnb.sandbox.cumulocity.users import group, kept_user, need, own_tenant, rendered, role, role_of
from iotnb.sandbox.cumulocity.wire import Answer, Call, Refused, done, invalid, missing, sliced

_FIRST_MADE = 100


def _found(platform: Platform, text: str) -> dict[str, Any]:
    kept: dict[str, Any] | None = platform.store.setting("group", text)
    if kept is None:
        raise Refused(404, "users/Not Found", f"Group {text} not found")
    return kept


def list_groups(platform: Platform, call: Call, tenant: str) -> Answer:
    """GET /user/{tenant}/groups."""
    own_tenant(call, tenant)
    need(platform, call, "READ")
    kept = sorted(platform.store.settings("group").values(), key=lambda one: one["id"])
    return sliced(call, "groups", "groupcollection", [group(call, tenant, one) for one in kept])


def create_group(platform: Platform, call: Call, tenant: str) -> Answer:
    """POST /user/{tenant}/groups; 409 for a name that is taken."""
    own_tenant(call, tenant)
    need(platform, call, "ADMIN")
    body = call.document()
    name = body.get("name")
    if not isinstance(name, str) or not name:
        raise missing("name")
    if any(one["name"] == name for one in platform.store.settings("group").values()):
        raise Refused(409, "users/Duplicate", f"Group {name} already exists")
    number = platform.store.next_ids("group", start=_FIRST_MADE)[0]
    kept = {"id": number, "name": name, "roles": []}
    kept |= {field: body[field] for field in ("description", "customProperties") if field in body}
    platform.store.set("group", str(number), kept)
    document = group(call, tenant, kept)
    return call.made("group", document, document["self"])


def get_group(platform: Platform, call: Call, tenant: str, text: str) -> Answer:
    """GET /user/{tenant}/groups/{id}."""
    own_tenant(call, tenant)
    need(platform, call, "READ")
    return Answer(body=group(call, tenant, _found(platform, text)), kind="group")


def group_by_name(platform: Platform, call: Call, tenant: str, name: str) -> Answer:
    """GET /user/{tenant}/groupByName/{name}."""
    own_tenant(call, tenant)
    need(platform, call, "READ")
    kept = next((one for one in platform.store.settings("group").values() if one["name"] == name), None)
    if kept is None:
        raise Refused(404, "users/Not Found", f"Group {name} not found")
    return Answer(body=group(call, tenant, kept), kind="group")


def update_group(platform: Platform, call: Call, tenant: str, text: str) -> Answer:
    """PUT /user/{tenant}/groups/{id}."""
    own_tenant(call, tenant)
    need(platform, call, "ADMIN")
    body = call.document()
    kept = _found(platform, text)
    kept |= {field: body[field] for field in ("name", "description", "customProperties") if field in body}
    platform.store.set("group", text, kept)
    return call.changed("group", group(call, tenant, kept))


def delete_group(platform: Platform, call: Call, tenant: str, text: str) -> Answer:
    """DELETE /user/{tenant}/groups/{id}: its users lose its roles."""
    own_tenant(call, tenant)
    need(platform, call, "ADMIN")
    number = _found(platform, text)["id"]
    for one in platform.directory.everyone(tenant):
        if number in one.get("groups", ()):
            platform.directory.save(tenant, {**one, "groups": [n for n in one["groups"] if n != number]})
    platform.store.unset("group", text)
    return done()


def group_roles(platform: Platform, call: Call, tenant: str, text: str) -> Answer:
    """GET /user/{tenant}/groups/{id}/roles."""
    own_tenant(call, tenant)
    own = call.url("user", tenant, "groups", text, "roles")
    items = [{"self": f"{own}/{name}", "role": role(call, name)} for name in _found(platform, text)["roles"]]
    return sliced(call, "references", "rolereferencecollection", items)


def add_group_role(platform: Platform, call: Call, tenant: str, text: str) -> Answer:
    """POST /user/{tenant}/groups/{id}/roles."""
    own_tenant(call, tenant)
    need(platform, call, "ADMIN")
    kept, name = _found(platform, text), role_of(call)
    kept["roles"] = list(dict.fromkeys([*kept["roles"], name]))
    platform.store.set("group", text, kept)
    own = call.url("user", tenant, "groups", text, "roles", name)
    return call.made("rolereference", {"self": own, "role": role(call, name)}, own)


def remove_group_role(platform: Platform, call: Call, tenant: str, text: str, name: str) -> Answer:
    """DELETE /user/{tenant}/groups/{id}/roles/{role}."""
    own_tenant(call, tenant)
    need(platform, call, "ADMIN")
    kept = _found(platform, text)
    kept["roles"] = [one for one in kept["roles"] if one != name]
    platform.store.set("group", text, kept)
    return done()


def group_users(platform: Platform, call: Call, tenant: str, text: str) -> Answer:
    """GET /user/{tenant}/groups/{id}/users."""
    own_tenant(call, tenant)
    need(platform, call, "READ")
    number = _found(platform, text)["id"]
    members = [one for one in platform.directory.everyone(tenant) if number in one.get("groups", ())]
    own = call.url("user", tenant, "groups", text, "users")
    items = [
        {"self": f"{own}/{one['userName']}", "user": rendered(platform, call, tenant, one)} for one in members
    ]
    return sliced(call, "references", "userreferencecollection", items)


def add_group_user(platform: Platform, call: Call, tenant: str, text: str) -> Answer:
    """POST /user/{tenant}/groups/{id}/users."""
    own_tenant(call, tenant)
    need(platform, call, "ADMIN")
    wanted = call.document().get("user")
    if not isinstance(wanted, dict):
        raise missing("user")
    name = str(wanted.get("self", "")).rstrip("/").rpartition("/")[2] or str(
        wanted.get("id") or wanted.get("userName")
    )
    kept, number = kept_user(platform, tenant, name), _found(platform, text)["id"]
    kept["groups"] = list(dict.fromkeys([*kept.get("groups", ()), number]))
    platform.directory.save(tenant, kept)
    own = call.url("user", tenant, "groups", text, "users", name)
    return call.made("userreference", {"self": own, "user": rendered(platform, call, tenant, kept)}, own)


def remove_group_user(platform: Platform, call: Call, tenant: str, text: str, name: str) -> Answer:
    """DELETE /user/{tenant}/groups/{id}/users/{name}."""
    own_tenant(call, tenant)
    need(platform, call, "ADMIN")
    kept, number = kept_user(platform, tenant, name), _found(platform, text)["id"]
    kept["groups"] = [one for one in kept.get("groups", ()) if one != number]
    platform.directory.save(tenant, kept)
    return done()


# inventory roles


def _inventory_role(call: Call, kept: dict[str, Any]) -> dict[str, Any]:
    return {**kept, "self": call.url("user", "inventoryroles", kept["id"])}


def _inventory(platform: Platform, text: str) -> dict[str, Any]:
    kept: dict[str, Any] | None = platform.store.setting("inventoryrole", text)
    if kept is None:
        raise Refused(404, "users/Not Found", f"Inventory role {text} not found")
    return kept


def list_inventory_roles(platform: Platform, call: Call) -> Answer:
    """GET /user/inventoryroles."""
    need(platform, call, "READ")
    kept = sorted(platform.store.settings("inventoryrole").values(), key=lambda one: one["id"])
    return sliced(call, "roles", "inventoryrolecollection", [_inventory_role(call, one) for one in kept])


def _permissions(body: dict[str, Any]) -> list[dict[str, Any]]:
    found = body.get("permissions", [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise invalid("permissions must be a list of objects")
    standard = {"permission": "READ", "type": "*", "scope": "*"}
    made: list[dict[str, Any]] = []
    for one in found:  # an id that a client got stays, a new permission gets the next one
        highest = max((int(other["id"]) for other in [*found, *made] if other.get("id")), default=0)
        made.append({**standard, **one, "id": int(one.get("id") or highest + 1)})
    return made


def create_inventory_role(platform: Platform, call: Call) -> Answer:
    """POST /user/inventoryroles."""
    need(platform, call, "ADMIN")
    body = call.document()
    if not body.get("name"):
        raise missing("name")
    number = platform.store.next_ids("inventoryrole", start=_FIRST_MADE)[0]
    kept = {"id": number, "name": body["name"], "description": body.get("description", "")}
    kept["permissions"] = _permissions(body)
    platform.store.set("inventoryrole", str(number), kept)
    document = _inventory_role(call, kept)
    return call.made("inventoryrole", document, document["self"])


def get_inventory_role(platform: Platform, call: Call, text: str) -> Answer:
    """GET /user/inventoryroles/{id}."""
    need(platform, call, "READ")
    return Answer(body=_inventory_role(call, _inventory(platform, text)), kind="inventoryrole")


def update_inventory_role(platform: Platform, call: Call, text: str) -> Answer:
    """PUT /user/inventoryroles/{id}."""
    need(platform, call, "ADMIN")
    kept, body = _inventory(platform, text), call.document()
    kept |= {name: body[name] for name in ("name", "description") if name in body}
    if "permissions" in body:
        kept["permissions"] = _permissions(body)
    platform.store.set("inventoryrole", text, kept)
    return call.changed("inventoryrole", _inventory_role(call, kept))


def delete_inventory_role(platform: Platform, call: Call, text: str) -> Answer:
    """DELETE /user/inventoryroles/{id}."""
    need(platform, call, "ADMIN")
    _inventory(platform, text)
    platform.store.unset("inventoryrole", text)
    return done()


def _assignment(
    platform: Platform, call: Call, tenant: str, name: str, kept: dict[str, Any]
) -> dict[str, Any]:
    own = call.url("user", tenant, "users", name, "roles", "inventory", kept["id"])
    roles = [platform.store.setting("inventoryrole", str(number)) for number in kept["roles"]]
    shown = [_inventory_role(call, one) for one in roles if one]
    return {"id": kept["id"], "managedObject": kept["managedObject"], "roles": shown, "self": own}


def list_assignments(platform: Platform, call: Call, tenant: str, name: str) -> Answer:
    """GET /user/{tenant}/users/{id}/roles/inventory."""
    own_tenant(call, tenant)
    kept = kept_user(platform, tenant, name)
    items = [_assignment(platform, call, tenant, name, one) for one in kept.get("assignments", ())]
    return Answer(
        body={"self": call.link(), "inventoryAssignments": items}, kind="inventoryassignmentcollection"
    )


def _role_ids(body: dict[str, Any]) -> list[int]:
    roles = body.get("roles")
    if not isinstance(roles, list) or not all(
        isinstance(one, dict) and str(one.get("id")).isdigit() for one in roles
    ):
        raise missing("roles")
    return [int(one["id"]) for one in roles]


def create_assignment(platform: Platform, call: Call, tenant: str, name: str) -> Answer:
    """POST /user/{tenant}/users/{id}/roles/inventory: answers 200."""
    own_tenant(call, tenant)
    need(platform, call, "ADMIN")
    body, kept = call.document(), kept_user(platform, tenant, name)
    if not str(body.get("managedObject", "")).isdigit():
        raise missing("managedObject")
    held = kept.get("assignments", [])
    number = max((one["id"] for one in held), default=0) + 1
    one = {"id": number, "managedObject": str(body["managedObject"]), "roles": _role_ids(body)}
    platform.directory.save(tenant, {**kept, "assignments": [*held, one]})
    return call.changed("inventoryassignment", _assignment(platform, call, tenant, name, one))


def _one(platform: Platform, tenant: str, name: str, text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    kept = kept_user(platform, tenant, name)
    one = next((one for one in kept.get("assignments", ()) if str(one["id"]) == text), None)
    if one is None:
        raise Refused(404, "users/Not Found", f"Inventory assignment {text} not found")
    return kept, one


def get_assignment(platform: Platform, call: Call, tenant: str, name: str, text: str) -> Answer:
    """GET /user/{tenant}/users/{id}/roles/inventory/{assignment}."""
    own_tenant(call, tenant)
    _, one = _one(platform, tenant, name, text)
    return Answer(body=_assignment(platform, call, tenant, name, one), kind="inventoryassignment")


def update_assignment(platform: Platform, call: Call, tenant: str, name: str, text: str) -> Answer:
    """PUT /user/{tenant}/users/{id}/roles/inventory/{assignment}."""
    own_tenant(call, tenant)
    need(platform, call, "ADMIN")
    kept, one = _one(platform, tenant, name, text)
    one["roles"] = _role_ids(call.document())
    platform.directory.save(tenant, kept)
    return call.changed("inventoryassignment", _assignment(platform, call, tenant, name, one))


def delete_assignment(platform: Platform, call: Call, tenant: str, name: str, text: str) -> Answer:
    """DELETE /user/{tenant}/users/{id}/roles/inventory/{assignment}."""
    own_tenant(call, tenant)
    need(platform, call, "ADMIN")
    kept, one = _one(platform, tenant, name, text)
    kept["assignments"] = [other for other in kept["assignments"] if other is not one]
    platform.directory.save(tenant, kept)
    return done()


_GROUP = "/user/{tenant}/groups/{id}"
_ASSIGNED = "/user/{tenant}/users/{name}/roles/inventory"
ROUTES = (
    ("GET", "/user/{tenant}/groups", list_groups),
    ("POST", "/user/{tenant}/groups", create_group),
    ("GET", _GROUP, get_group),
    ("PUT", _GROUP, update_group),
    ("DELETE", _GROUP, delete_group),
    ("GET", _GROUP + "/roles", group_roles),
    ("POST", _GROUP + "/roles", add_group_role),
    ("DELETE", _GROUP + "/roles/{role}", remove_group_role),
    ("GET", _GROUP + "/users", group_users),
    ("POST", _GROUP + "/users", add_group_user),
    ("DELETE", _GROUP + "/users/{name}", remove_group_user),
    ("GET", "/user/{tenant}/groupByName/{name}", group_by_name),
    ("GET", "/user/inventoryroles", list_inventory_roles),
    ("POST", "/user/inventoryroles", create_inventory_role),
    ("GET", "/user/inventoryroles/{id}", get_inventory_role),
    ("PUT", "/user/inventoryroles/{id}", update_inventory_role),
    ("DELETE", "/user/inventoryroles/{id}", delete_inventory_role),
    ("GET", _ASSIGNED, list_assignments),
    ("POST", _ASSIGNED, create_assignment),
    ("GET", _ASSIGNED + "/{id}", get_assignment),
    ("PUT", _ASSIGNED + "/{id}", update_assignment),
    ("DELETE", _ASSIGNED + "/{id}", delete_assignment),
)
