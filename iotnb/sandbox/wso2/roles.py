"""`/roles`: names, permissions and members; internal roles are not listed."""

from typing import Any

from iotnb.sandbox.wso2.routes import MGT, routes
from iotnb.sandbox.wso2.state import Platform
from iotnb.sandbox.wso2.wire import Answer, Call, Refused, page_of, problem

Json = dict[str, Any]
_PAGE = 50


def _get(platform: Platform, name: str) -> Json:
    found: Json | None = platform.accounts.roles.get(name)
    if found is None:
        raise problem(404, f"Role by name {name} does not exist")
    return found


def _listed(platform: Platform, call: Call, prefix: str) -> Answer:
    page = page_of(call, _PAGE)
    names = sorted(name for name in platform.accounts.roles if not name.startswith("Internal/"))
    found = [name for name in names if name.startswith(prefix)]
    return Answer(body={"roles": page.of(found), "count": len(found)})


def list_roles(platform: Platform, call: Call) -> Answer:
    """GET /roles?filter."""
    return _listed(platform, call, call.one("filter"))


def filtered(platform: Platform, call: Call, prefix: str) -> Answer:
    """GET /roles/filter/{prefix}."""
    return _listed(platform, call, prefix)


def _set_users(platform: Platform, role: str, names: Any) -> None:
    """Let exactly these users have a role; 400 for an unknown one."""
    users = platform.accounts.users
    if not isinstance(names, list) or not all(isinstance(one, str) and one in users for one in names):
        raise problem(400, "One of the users does not exist")
    for name, user in users.items():
        rest = [one for one in user["roles"] if one != role]
        roles = [*rest, role] if name in names else rest
        if roles != user["roles"]:
            users.put(name, {**user, "roles": roles})


def add(platform: Platform, call: Call) -> Answer:
    """POST /roles `{"roleName", "permissions", "users"}`: 201 with a text."""
    body = call.document()
    name, users = body.get("roleName"), body.get("users") or []
    if not isinstance(name, str) or not name:
        raise Refused(400)
    if name in platform.accounts.roles:
        raise problem(409, f"Role already exists with name : {name}. Try with another role name.")
    platform.accounts.roles.put(name, {"permissions": _permissions(body)})
    _set_users(platform, name, users)
    return Answer(201, f"Role '{name}' has successfully been added")


def _permissions(body: Json) -> list[str]:
    """The tree's nodes without their common root, which the console sends along."""
    listed = body.get("permissions") or []
    if not isinstance(listed, list):
        raise Refused(400)
    return ["/" + str(one).removeprefix("/permission/admin").strip("/") for one in listed]


def combine(platform: Platform, call: Call, name: str) -> Answer:
    """POST /roles/create-combined-role/{roleName} with role names: a role with all their permissions."""
    if name in platform.accounts.roles:
        raise problem(409, f"Role already exists with name : {name}. Try with another role name.")
    wanted = [_get(platform, str(one))["permissions"] for one in call.array()]
    together = dict.fromkeys(node for nodes in wanted for node in nodes)
    platform.accounts.roles.put(name, {"permissions": list(together)})
    return Answer(201, f"Role '{name}' has successfully been added")


def get_role(platform: Platform, _call: Call, name: str) -> Answer:
    """GET /roles/{roleName}."""
    found = _get(platform, name)
    users = sorted(platform.accounts.with_role(name))
    return Answer(body={"roleName": name, "permissions": found["permissions"], "users": users})


def permissions(platform: Platform, _call: Call, name: str) -> Answer:
    """GET /roles/{roleName}/permissions: the nodes that the role holds."""
    nodes = [{"resourcePath": f"/permission/admin{node}"} for node in _get(platform, name)["permissions"]]
    return Answer(body={"resourcePath": "/permission/admin", "nodeList": nodes})


def update(platform: Platform, call: Call, name: str) -> Answer:
    """PUT /roles/{roleName}: permissions and users as far as they are sent."""
    body, found = call.document(), _get(platform, name)
    if "permissions" in body:
        platform.accounts.roles.put(name, {**found, "permissions": _permissions(body)})
    if "users" in body:
        _set_users(platform, name, body["users"])
    return Answer(200, f"Role '{name}' has successfully been updated")


def set_users(platform: Platform, call: Call, name: str) -> Answer:
    """PUT /roles/{roleName}/users with user names."""
    _get(platform, name)
    _set_users(platform, name, call.array())
    return Answer(200, f"Role '{name}' has successfully been updated with the user list")


def remove(platform: Platform, _call: Call, name: str) -> Answer:
    """DELETE /roles/{roleName}."""
    _get(platform, name)
    _set_users(platform, name, [])
    platform.accounts.roles.drop(name)
    return Answer(200, f"Role '{name}' has successfully been deleted")


ROUTES = routes(
    f"{MGT}/roles",
    ("GET", "", list_roles, "roles:view"),
    ("POST", "", add, "roles:add"),
    ("GET", "/filter/{prefix}", filtered, "roles:view"),
    ("POST", "/create-combined-role/{role}", combine, "roles:create-combined-role"),
    ("GET", "/{role}", get_role, "roles:details"),
    ("PUT", "/{role}", update, "roles:update"),
    ("DELETE", "/{role}", remove, "roles:delete"),
    ("GET", "/{role}/permissions", permissions, "roles:permissions"),
    ("PUT", "/{role}/users", set_users, "roles:add-users"),
)
