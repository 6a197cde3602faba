"""Users, groups (global roles), and oneself: password, second factor."""

import secrets
from typing import Any

from iotnb.sandbox.cumulocity.people import ROLES, hashed, is_password
from iotnb.sandbox.cumulocity.state import Platform
from iotnb.sandbox.cumulocity.wire import (
    Answer,
    Call,
    Refused,
    done,
    forbidden,
    format_time,
    invalid,
    missing,
    sliced,
)

_SECRET = frozenset({"password", "totp", "groups", "roles", "assignments", "strategy", "enforced"})
_LEAST, _MOST = 6, 32
_NAMED = {"owner": "owner", "delegatedby": "delegatedBy"}


def role(call: Call, name: str) -> dict[str, Any]:
    """A role as the platform writes it."""
    return {"id": name, "name": name, "self": call.url("user", "roles", name)}


def rendered(platform: Platform, call: Call, tenant: str, kept: dict[str, Any]) -> dict[str, Any]:
    """A user as the platform writes it, without anything secret."""
    own = call.url("user", tenant, "users", kept["userName"])
    shown = {name: value for name, value in kept.items() if name not in _SECRET}
    groups = [platform.store.setting("group", str(number)) for number in kept.get("groups", ())]
    group_references = [
        {"self": f"{own}/groups/{one['id']}", "group": group(call, tenant, one)} for one in groups if one
    ]
    roles = [{"self": f"{own}/roles/{name}", "role": role(call, name)} for name in kept.get("roles", ())]
    return {
        "id": kept["userName"],
        "self": own,
        **shown,
        "twoFactorAuthenticationEnabled": bool(kept.get("strategy")),
        "supportUserEnabled": False,
        "passwordStrength": "GREEN",
        "groups": {"self": f"{own}/groups", "references": group_references},
        "roles": {"self": f"{own}/roles", "references": roles},
        "devicePermissions": kept.get("devicePermissions", {}),
        "applications": [],
    }


def group(call: Call, tenant: str, kept: dict[str, Any]) -> dict[str, Any]:
    """A group as the platform writes it."""
    own = call.url("user", tenant, "groups", kept["id"])
    roles = [{"self": f"{own}/roles/{name}", "role": role(call, name)} for name in kept["roles"]]
    shown = {name: value for name, value in kept.items() if name != "roles"}
    return {**shown, "self": own, "roles": {"self": f"{own}/roles", "references": roles}}


def own_tenant(call: Call, tenant: str) -> None:
    """403 for another tenant than the user's own."""
    if tenant != call.user.tenant:
        raise forbidden()


def need(platform: Platform, call: Call, verb: str) -> None:
    """403 unless the user may READ or ADMIN users."""
    platform.access.need(call.user, f"ROLE_USER_MANAGEMENT_{verb}")


def kept_user(platform: Platform, tenant: str, name: str) -> dict[str, Any]:
    """A user's stored document; 404 when there is none."""
    found = platform.directory.get(tenant, name)
    if found is None:
        gid = f"ID [type=com_cumulocity_model_idtype_GId, value={name}]"
        message = f"Error retrieving user {name}! : Cannot find document with ID {gid}!"
        raise Refused(404, "users/Not Found", message)
    return found


# oneself


def current(platform: Platform, call: Call) -> Answer:
    """GET /user/currentUser."""
    kept = call.user.document
    kind = "user" if "cumulocity.user+json" in call.accept else "currentuser"
    full = rendered(platform, call, call.user.tenant, kept)
    roles = [role(call, name) for name in sorted(call.user.roles)]
    if kind == "user":
        body = {**full, "effectiveRoles": roles}
    else:
        names = (
            "id",
            "userName",
            "firstName",
            "lastName",
            "phone",
            "email",
            "shouldResetPassword",
            "devicePermissions",
            "lastPasswordChange",
        )
        body = {name: full[name] for name in names if name in full}
        body |= {"self": call.url("user", "currentUser"), "effectiveRoles": roles}
    return Answer(body=body, kind=kind)


def update_current(platform: Platform, call: Call) -> Answer:
    """PUT /user/currentUser: name, telephone, address."""
    body, kept = call.document(), call.user.document
    kept |= {name: body[name] for name in ("firstName", "lastName", "phone", "email") if name in body}
    platform.directory.save(call.user.tenant, kept)
    return call.changed("currentuser", rendered(platform, call, call.user.tenant, kept))


def _check_password(password: object) -> str:
    if not isinstance(password, str) or not _LEAST <= len(password) <= _MOST:
        raise invalid(f"A password has {_LEAST} to {_MOST} characters")
    return password


def change_password(platform: Platform, call: Call) -> Answer:
    """PUT /user/currentUser/password."""
    body, kept = call.document(), call.user.document
    absent = [name for name in ("currentUserPassword", "newPassword") if not body.get(name)]
    if absent:
        raise missing(*absent)
    if not is_password(kept.get("password"), str(body["currentUserPassword"])):
        raise Refused(403, "security/Forbidden", "The current password is wrong")
    kept |= {
        "password": hashed(_check_password(body["newPassword"])),
        "lastPasswordChange": format_time(platform.now()),
    }
    platform.directory.save(call.user.tenant, kept)
    return call.changed("currentuser", rendered(platform, call, call.user.tenant, kept))


def create_totp(platform: Platform, call: Call) -> Answer:
    """POST /user/currentUser/totpSecret: a new secret, which is not yet active."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    secret = platform.world.issue(
        "".join(secrets.choice(alphabet) for _ in range(32)), f"cumulocity: TOTP secret of {call.user.name}"
    )
    kept = call.user.document | {"totp": {"secret": secret, "active": False}}
    platform.directory.save(call.user.tenant, kept)
    link = f"otpauth://totp/{call.user.name}?secret={secret}&issuer=sandbox"
    return Answer(body={"rawSecret": secret, "secretQrUrl": link})


def _totp(call: Call) -> dict[str, Any]:
    found: dict[str, Any] | None = call.user.document.get("totp")
    if not found:
        raise Refused(404, "users/Not Found", "User does not have a TOTP secret configured")
    return found


def get_activity(platform: Platform, call: Call) -> Answer:
    """GET /user/currentUser/totpSecret/activity."""
    del platform
    return Answer(body={"isActive": bool(_totp(call).get("active"))})


def set_activity(platform: Platform, call: Call) -> Answer:
    """POST .../activity: from now on logins need a code."""
    active = bool(call.document().get("isActive"))
    if not active and _totp(call).get("active"):
        raise Refused(409, "users/Conflict", "Cannot deactivate TOTP setup!")
    kept = call.user.document | {
        "totp": {**_totp(call), "active": active},
        "strategy": "TOTP" if active else "",
    }
    platform.directory.save(call.user.tenant, kept)
    return done()


def verify_totp(platform: Platform, call: Call) -> Answer:
    """POST .../verify: 204 for the right code, 403 for a wrong one."""
    found = _totp(call)
    if not found.get("secret"):
        raise Refused(404, "users/Not Found", "User does not have a TOTP secret configured")
    if not platform.directory.is_totp(found["secret"], str(call.document().get("code", ""))):
        raise Refused(403, "security/Forbidden", "Invalid verification code")
    return done()


# users


def list_users(platform: Platform, call: Call, tenant: str) -> Answer:
    """GET /user/{tenant}/users."""
    own_tenant(call, tenant)
    need(platform, call, "READ")
    everyone = platform.directory.everyone(tenant)
    start = call.one("username").lower()
    if start:
        everyone = [one for one in everyone if one["userName"].lower().startswith(start)]
    if call.words("groups"):
        wanted = set(call.words("groups"))
        everyone = [one for one in everyone if wanted & {str(number) for number in one.get("groups", ())}]
    if call.one("owner"):
        everyone = [one for one in everyone if one.get("owner") == call.one("owner")]
    if call.flag("onlyDevices"):
        everyone = [one for one in everyone if one["userName"].startswith("device_")]
    items = [rendered(platform, call, tenant, one) for one in everyone]
    return sliced(call, "users", "usercollection", items)


def create_user(platform: Platform, call: Call, tenant: str) -> Answer:
    """POST /user/{tenant}/users; 409 for a name that is taken."""
    own_tenant(call, tenant)
    platform.access.need(call.user, "ROLE_USER_MANAGEMENT_ADMIN", "ROLE_USER_MANAGEMENT_CREATE")
    body = call.document()
    name = body.get("userName") or body.get("id")
    if not isinstance(name, str) or not name:
        raise missing("userName")
    if platform.directory.get(tenant, name) is not None:
        raise Refused(409, "users/Duplicate", f"User {name} already exists")
    password = _check_password(body["password"]) if body.get("password") else ""
    kept = platform.directory.new(name, body, password=password, groups=[])
    platform.directory.save(tenant, kept)
    document = rendered(platform, call, tenant, kept)
    return call.made("user", document, document["self"])


def get_user(platform: Platform, call: Call, tenant: str, name: str) -> Answer:
    """GET /user/{tenant}/users/{id} and /userByName/{name}."""
    own_tenant(call, tenant)
    if name != call.user.name:
        need(platform, call, "READ")
    kept = kept_user(platform, tenant, name)
    return Answer(body=rendered(platform, call, tenant, kept), kind="user")


def update_user(platform: Platform, call: Call, tenant: str, name: str) -> Answer:
    """PUT /user/{tenant}/users/{id}."""
    own_tenant(call, tenant)
    need(platform, call, "ADMIN")
    kept, body = kept_user(platform, tenant, name), call.document()
    fields = (
        "firstName",
        "lastName",
        "phone",
        "email",
        "enabled",
        "displayName",
        "customProperties",
        "owner",
        "newsletter",
        "shouldResetPassword",
    )
    kept |= {field: body[field] for field in fields if field in body}
    if body.get("password"):
        kept |= {
            "password": hashed(_check_password(body["password"])),
            "lastPasswordChange": format_time(platform.now()),
        }
    platform.directory.save(tenant, kept)
    return call.changed("user", rendered(platform, call, tenant, kept))


def delete_user(platform: Platform, call: Call, tenant: str, name: str) -> Answer:
    """DELETE /user/{tenant}/users/{id}."""
    own_tenant(call, tenant)
    need(platform, call, "ADMIN")
    kept_user(platform, tenant, name)
    platform.directory.remove(tenant, name)
    return done()


def get_tfa(platform: Platform, call: Call, tenant: str, name: str) -> Answer:
    """GET /user/{tenant}/users/{id}/tfa."""
    own_tenant(call, tenant)
    kept = kept_user(platform, tenant, name)
    strategy = kept.get("strategy", "")
    body = {"tfaEnabled": bool(strategy), "tfaEnforced": bool(strategy), "strategy": strategy or "TOTP"}
    return Answer(body=body)


def revoke_totp(platform: Platform, call: Call, tenant: str, name: str) -> Answer:
    """DELETE /user/{tenant}/users/{id}/totpSecret/revoke: logins need no code any more."""
    own_tenant(call, tenant)
    need(platform, call, "ADMIN")
    kept = kept_user(platform, tenant, name)
    platform.directory.save(tenant, {**kept, "totp": {"active": False}, "strategy": "", "enforced": False})
    return done()


def put_named(platform: Platform, call: Call, tenant: str, name: str) -> Answer:
    """PUT /user/{tenant}/users/{id}/owner or /delegatedby: another user's name."""
    own_tenant(call, tenant)
    need(platform, call, "ADMIN")
    field = _NAMED[call.segments[-1]]
    kept, other = kept_user(platform, tenant, name), str(call.document().get(field, ""))
    kept_user(platform, tenant, other)
    kept |= {field: other}
    platform.directory.save(tenant, kept)
    return call.changed("user", rendered(platform, call, tenant, kept))


def delete_named(platform: Platform, call: Call, tenant: str, name: str) -> Answer:
    """DELETE /user/{tenant}/users/{id}/owner or /delegatedby."""
    own_tenant(call, tenant)
    need(platform, call, "ADMIN")
    kept = kept_user(platform, tenant, name)
    kept.pop(_NAMED[call.segments[-1]], None)
    platform.directory.save(tenant, kept)
    return done()


def add_role(platform: Platform, call: Call, tenant: str, name: str) -> Answer:
    """POST /user/{tenant}/users/{id}/roles."""
    own_tenant(call, tenant)
    need(platform, call, "ADMIN")
    kept, found = kept_user(platform, tenant, name), role_of(call)
    kept["roles"] = list(dict.fromkeys([*kept.get("roles", ()), found]))
    platform.directory.save(tenant, kept)
    own = call.url("user", tenant, "users", name, "roles", found)
    return call.made("rolereference", {"self": own, "role": role(call, found)}, own)


def role_of(call: Call) -> str:
    """The role that a body names by `role.self`, `role.id` or `role.name`; 422 for an unknown one."""
    wanted = call.document().get("role")
    if not isinstance(wanted, dict):
        raise missing("role")
    name = (
        str(wanted.get("self", "")).rstrip("/").rpartition("/")[2] or wanted.get("id") or wanted.get("name")
    )
    if name not in ROLES:
        raise invalid(f"There is no role {name!r}")
    return str(name)


def remove_role(platform: Platform, call: Call, tenant: str, name: str, found: str) -> Answer:
    """DELETE /user/{tenant}/users/{id}/roles/{role}."""
    own_tenant(call, tenant)
    need(platform, call, "ADMIN")
    kept = kept_user(platform, tenant, name)
    kept["roles"] = [one for one in kept.get("roles", ()) if one != found]
    platform.directory.save(tenant, kept)
    return done()


def user_groups(platform: Platform, call: Call, tenant: str, name: str) -> Answer:
    """GET /user/{tenant}/users/{id}/groups."""
    own_tenant(call, tenant)
    kept = kept_user(platform, tenant, name)
    groups = [platform.store.setting("group", str(number)) for number in kept.get("groups", ())]
    items = [{"self": call.link(), "group": group(call, tenant, one)} for one in groups if one]
    return sliced(call, "references", "groupreferencecollection", items)


# roles


def list_roles(platform: Platform, call: Call) -> Answer:
    """GET /user/roles."""
    need(platform, call, "READ")
    return sliced(call, "roles", "rolecollection", [role(call, name) for name in ROLES])


def get_role(platform: Platform, call: Call, name: str) -> Answer:
    """GET /user/roles/{name}."""
    need(platform, call, "READ")
    if name not in ROLES:
        raise Refused(404, "users/Not Found", f"Role {name} not found")
    return Answer(body=role(call, name), kind="role")


ROUTES = (
    ("GET", "/user/currentUser", current),
    ("PUT", "/user/currentUser", update_current),
    ("PUT", "/user/currentUser/password", change_password),
    ("POST", "/user/currentUser/totpSecret", create_totp),
    ("GET", "/user/currentUser/totpSecret/activity", get_activity),
    ("POST", "/user/currentUser/totpSecret/activity", set_activity),
    ("POST", "/user/currentUser/totpSecret/verify", verify_totp),
    ("GET", "/user/roles", list_roles),
    ("GET", "/user/roles/{name}", get_role),
    ("GET", "/user/{tenant}/users", list_users),
    ("POST", "/user/{tenant}/users", create_user),
    ("GET", "/user/{tenant}/users/{name}", get_user),
    ("PUT", "/user/{tenant}/users/{name}", update_user),
    ("DELETE", "/user/{tenant}/users/{name}", delete_user),
    ("GET", "/user/{tenant}/users/{name}/tfa", get_tfa),
    ("GET", "/user/{tenant}/users/{name}/groups", user_groups),
    ("DELETE", "/user/{tenant}/users/{name}/totpSecret/revoke", revoke_totp),
    *(
        (method, f"/user/{{tenant}}/users/{{name}}/{tail}", handler)
        for tail in _NAMED
        for method, handler in (("PUT", put_named), ("DELETE", delete_named))
    ),
    ("POST", "/user/{tenant}/users/{name}/roles", add_role),
    ("DELETE", "/user/{tenant}/users/{name}/roles/{role}", remove_role),
    ("GET", "/user/{tenant}/userByName/{name}", get_user),
)
