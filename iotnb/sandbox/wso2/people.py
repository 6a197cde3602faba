"""`/users` and `/admin/users`."""

import secrets
from typing import Any

from iotnb.sandbox.wso2.routes import MGT, routes
from iotnb.sandbox.wso2.state import Platform
from iotnb.sandbox.wso2.wire import Answer, Call, page_of, problem

Json = dict[str, Any]
_SHOWN = ("username", "firstname", "lastname", "emailAddress")
_MOST = 100  # users that the user store ever gives
PAGE = 50


def _shown(user: Json) -> Json:
    return {name: user.get(name) for name in _SHOWN}


def _get(platform: Platform, name: str) -> Json:
    found: Json | None = platform.accounts.users.get(platform.accounts.plain(name))
    if found is None:
        raise problem(404, f"User by username: {name} does not exist")
    return found


def _named(platform: Platform, prefix: str) -> list[Json]:
    found = sorted(platform.accounts.users.values(), key=lambda one: str(one["username"]))
    return [_shown(one) for one in found if one["username"].startswith(prefix)]


def list_users(platform: Platform, call: Call) -> Answer:
    """GET /users?filter: the filter is a prefix."""
    page = page_of(call, PAGE)
    found = _named(platform, call.one("filter"))[:_MOST]
    return Answer(body={"users": page.of(found), "count": len(found)})


def count(platform: Platform, _call: Call) -> Answer:
    """GET /users/count: with an empty list."""
    return Answer(body={"users": [], "count": len(platform.accounts.users)})


def search(platform: Platform, call: Call) -> Answer:
    """GET /users/search/usernames?filter: a plain array; without a limit all of them."""
    found = _named(platform, call.one("filter"))
    page = page_of(call, len(found) or 1)
    return Answer(body=page.of(found))


def exists(platform: Platform, call: Call) -> Answer:
    """GET /users/checkUser?username=: a bare bool."""
    return Answer(body=platform.accounts.plain(call.one("username")) in platform.accounts.users)


def get_user(platform: Platform, _call: Call, name: str) -> Answer:
    """GET /users/{username}."""
    return Answer(body=_shown(_get(platform, name)))


def _roles(platform: Platform, body: Json, default: list[str]) -> list[str]:
    wanted = body.get("roles", default)
    if not isinstance(wanted, list) or not all(
        isinstance(role, str) and role in platform.accounts.roles for role in wanted
    ):
        raise problem(400, "One of the roles does not exist")
    return [str(role) for role in wanted]


def add(platform: Platform, call: Call) -> Answer:
    """POST /users: 201; the password comes by mail, so the body's counts or nobody knows it."""
    body = call.document()
    name = body.get("username")
    if not isinstance(name, str) or not name:
        raise problem(400, "The username is missing")
    if name in platform.accounts.users:
        raise problem(409, f"User by username: {name} already exists")
    user = {"username": name, **{key: body.get(key) for key in _SHOWN[1:]}}
    password = str(body.get("password") or secrets.token_urlsafe(12))
    roles = _roles(platform, body, ["Internal/devicemgt-user"])
    platform.accounts.users.put(name, {**user, "password": password, "roles": roles})
    message = f"An invitation mail will be sent to this user: {name}"
    return Answer(201, {"basicUserInfo": _shown(user), "message": message})


def update(platform: Platform, call: Call, name: str) -> Answer:
    """PUT /users/{username}."""
    body, user = call.document(), _get(platform, name)
    changed = {key: body[key] for key in _SHOWN[1:] if isinstance(body.get(key), str)}
    roles = _roles(platform, body, user["roles"])
    platform.accounts.users.put(user["username"], {**user, **changed, "roles": roles})
    return Answer(body=_shown({**user, **changed}))


def remove(platform: Platform, _call: Call, name: str) -> Answer:
    """DELETE /users/{username}."""
    platform.accounts.users.drop(_get(platform, name)["username"])
    return Answer()


def roles_of(platform: Platform, _call: Call, name: str) -> Answer:
    """GET /users/{username}/roles."""
    found = _get(platform, name)["roles"]
    return Answer(body={"roles": found, "count": len(found)})


def _set_password(platform: Platform, user: Json, password: Any) -> Answer:
    if not isinstance(password, str) or not password:
        raise problem(400, "The new password is missing")
    platform.accounts.users.put(user["username"], {**user, "password": password})
    return Answer(200, "UserImpl password by username: " + user["username"] + " was successfully changed.")


def change_password(platform: Platform, call: Call) -> Answer:
    """PUT /users/credentials `{"oldPassword", "newPassword"}`: the caller's own."""
    body, user = call.document(), _get(platform, call.caller.user)
    if body.get("oldPassword") != user["password"]:
        raise problem(400, "Old password does not match")
    return _set_password(platform, user, body.get("newPassword"))


def reset_password(platform: Platform, call: Call, name: str) -> Answer:
    """POST /admin/users/{username}/credentials `{"newPassword"}`."""
    return _set_password(platform, _get(platform, name), call.document().get("newPassword"))


def invite(platform: Platform, call: Call) -> Answer:
    """POST /users/send-invitation with user names; nothing leaves the sandbox."""
    for name in call.array():
        _get(platform, str(name))
    return Answer(200, "Invitation mails have been sent.")


ROUTES = routes(
    f"{MGT}/users",
    ("GET", "", list_users, "users:user-details"),
    ("POST", "", add, "users:add"),
    ("GET", "/count", count, "users:count"),
    ("GET", "/search/usernames", search, "users:search"),
    ("GET", "/checkUser", exists, "users:is-exist"),
    ("PUT", "/credentials", change_password, "users:credentials"),
    ("POST", "/send-invitation", invite, "users:send-invitation"),
    ("GET", "/{username}", get_user, "users:details"),
    ("PUT", "/{username}", update, "users:update"),
    ("DELETE", "/{username}", remove, "users:delete"),
    ("GET", "/{username}/roles", roles_of, "users:roles"),
) + routes(f"{MGT}/admin/users", ("POST", "/{username}/credentials", reset_password, "admin-users:view"))
