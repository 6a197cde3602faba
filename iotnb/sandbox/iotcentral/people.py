"""API tokens, roles, users and organizations."""

import re
from collections.abc import Sequence
from typing import Any

from iotnb.sandbox.iotcentral.access import reach
from iotnb.sandbox.iotcentral.application import YEAR, Application
from iotnb.sandbox.iotcentral.call import Call, listing
from iotnb.sandbox.iotcentral.members import Members
from iotnb.sandbox.iotcentral.platform import Platform
from iotnb.sandbox.iotcentral.roles import ORG_ROLES, ROLES
from iotnb.sandbox.iotcentral.routes import Route
from iotnb.sandbox.iotcentral.wire import Answer, Refused, forbidden, invalid, not_found
from iotnb.sandbox.wire import iso, parse_time

Json = dict[str, Any]
_TOKEN_ID = re.compile(r"[a-zA-Z0-9_-]{1,255}")
_ORGANIZATION_ID = re.compile(r"(?!-)[a-z0-9-]{1,47}[a-z0-9]")
_USER_ID = re.compile(r"[a-zA-Z0-9_-]{1,48}")
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def _roles(call: Call, found: Any) -> list[Json]:
    """Checked role assignments; 422, or 403 when they reach beyond the caller's own organization."""
    app = call.application
    if not isinstance(found, list) or not found:
        raise invalid("roles must be a list with at least one role.")
    out = []
    for one in found:
        if not isinstance(one, dict) or one.get("role") not in ROLES:
            raise invalid(f"The role {one.get('role') if isinstance(one, dict) else one!r} does not exist.")
        organization = one.get("organization")
        if organization is not None and organization not in app.organizations:
            raise invalid(f"The organization {organization!r} does not exist.")
        word = "with" if organization is None else "without"
        if (one["role"] in ORG_ROLES) != (organization is not None):
            raise invalid(f"The role {ROLES[one['role']]} is assigned {word} an organization.")
        out.append({"role": one["role"], **({"organization": organization} if organization else {})})
    _check_reach(call, out)
    return out


def _check_reach(call: Call, roles: Sequence[Json]) -> None:
    own = reach(call, "admin")
    if own is not None and any(one.get("organization") not in own for one in roles):
        raise forbidden("Only the own organization can be managed.")


def _visible(call: Call, roles: Sequence[Json]) -> bool:
    own = reach(call, "admin")
    return own is None or any(one.get("organization") in own for one in roles)


# API tokens


def _token(name: str, held: Json) -> Json:
    return {"id": name, "roles": held["roles"], "expiry": iso(held["se"])}


def list_tokens(_platform: Platform, call: Call) -> Answer:
    """GET /apiTokens: never with a value."""
    rows = [_token(n, h) for n, h in call.application.tokens.items() if _visible(call, h["roles"])]
    return listing(call, rows)


def get_token(_platform: Platform, call: Call, name: str) -> Answer:
    """GET /apiTokens/{id}: without its value."""
    held = call.application.tokens.get(name)
    if held is None or not _visible(call, held["roles"]):
        raise not_found(f"The API token {name} does not exist.")
    return Answer(body=_token(name, held))


def put_token(platform: Platform, call: Call, name: str) -> Answer:
    """PUT /apiTokens/{id}: the only answer with the value; an existing one gets a new value."""
    if not _TOKEN_ID.fullmatch(name):
        raise invalid("The token id is made of letters, digits, - and _.")
    members = Members(call, {"id", "roles", "expiry"}, read_only={"token"}, name=name)
    expiry = platform.now() + YEAR
    text = members.text("expiry")
    if text is not None:
        at = parse_time(text)
        if at is None or at <= platform.now():
            raise invalid("expiry is an ISO 8601 time in the future.")
        expiry = at
    app = call.application
    value = app.new_token(name, _roles(call, members.body.get("roles")), expiry)
    return Answer(body={**_token(name, app.tokens.get(name)), "token": value})


def delete_token(_platform: Platform, call: Call, name: str) -> Answer:
    """DELETE /apiTokens/{id}."""
    held = call.application.tokens.get(name)
    if held is None:
        raise not_found(f"The API token {name} does not exist.")
    _check_reach(call, held["roles"])
    call.application.tokens.drop(name)
    return Answer(204)


# roles


def list_roles(_platform: Platform, call: Call) -> Answer:
    """GET /roles."""
    return listing(call, [{"id": name, "displayName": display} for name, display in ROLES.items()])


def get_role(_platform: Platform, _call: Call, name: str) -> Answer:
    """GET /roles/{id}."""
    if name not in ROLES:
        raise not_found(f"The role {name} does not exist.")
    return Answer(body={"id": name, "displayName": ROLES[name]})


# users


def list_users(_platform: Platform, call: Call) -> Answer:
    """GET /users."""
    return listing(call, [one for one in call.application.users.values() if _visible(call, one["roles"])])


def get_user(_platform: Platform, call: Call, name: str) -> Answer:
    """GET /users/{id}."""
    return Answer(body=_user(call, name))


def _user(call: Call, name: str) -> Json:
    held: Json | None = call.application.users.get(name)
    if held is None or not _visible(call, held["roles"]):
        raise not_found(f"The user {name} does not exist.")
    return held


def put_user(_platform: Platform, call: Call, name: str) -> Answer:
    """PUT /users/{id}: type email, servicePrincipal or adGroup."""
    if not _USER_ID.fullmatch(name):
        raise invalid("The user id is made of up to 48 letters, digits, - and _.")
    known = {"id", "type", "email", "tenantId", "objectId", "roles"}
    body = Members(call, known, name=name).body
    document = {"id": name, "type": body.get("type"), "roles": _roles(call, body.get("roles"))}
    if body.get("type") == "email":
        if not isinstance(body.get("email"), str) or "@" not in body["email"]:
            raise invalid("email must be an address.")
        document["email"] = body["email"]
    elif body.get("type") in ("servicePrincipal", "adGroup"):
        for member in ("tenantId", "objectId"):
            if not isinstance(body.get(member), str) or not _GUID.fullmatch(body[member]):
                raise invalid(f"{member} must be a GUID.")
            document[member] = body[member]
    else:
        raise invalid("type is email, servicePrincipal or adGroup.")
    call.application.users.put(name, document)
    return Answer(body=document)


def patch_user(_platform: Platform, call: Call, name: str) -> Answer:
    """PATCH /users/{id}: other roles."""
    held = _user(call, name)
    body = Members(call, {"id", "type", "email", "tenantId", "objectId", "roles"}, name=name).body
    if body.get("type", held["type"]) != held["type"]:
        raise invalid("The type of a user cannot be changed.")
    changed = {**held, **({"roles": _roles(call, body["roles"])} if "roles" in body else {})}
    call.application.users.put(name, changed)
    return Answer(body=changed)


def delete_user(_platform: Platform, call: Call, name: str) -> Answer:
    """DELETE /users/{id}."""
    _check_reach(call, _user(call, name)["roles"])
    call.application.users.drop(name)
    return Answer(204)


# organizations


def list_organizations(_platform: Platform, call: Call) -> Answer:
    """GET /organizations: to org roles their own part of the tree."""
    own = reach(call, "read")
    rows = [_organization(d) for n, d in call.application.organizations.items() if own is None or n in own]
    return listing(call, rows)


def _organization(held: Json) -> Json:
    return {name: value for name, value in held.items() if name != "rev"}


def get_organization(_platform: Platform, call: Call, name: str) -> Answer:
    """GET /organizations/{id}."""
    return Answer(body=_organization(_held_organization(call, name)))


def _held_organization(call: Call, name: str) -> Json:
    held: Json | None = call.application.organizations.get(name)
    own = reach(call, "read")
    if held is None or (own is not None and name not in own):
        raise not_found(f"The organization {name} does not exist.")
    return held


def put_organization(_platform: Platform, call: Call, name: str) -> Answer:
    """PUT /organizations/{id}."""
    if not _ORGANIZATION_ID.fullmatch(name):
        raise invalid("The organization id is made of small letters, digits and -.")
    return _keep_organization(call, name, {"id": name, "displayName": name})


def patch_organization(_platform: Platform, call: Call, name: str) -> Answer:
    """PATCH /organizations/{id}."""
    held = _held_organization(call, name)
    return _keep_organization(call, name, held)


def _keep_organization(call: Call, name: str, start: Json) -> Answer:
    app = call.application
    members = Members(call, {"id", "displayName", "parent"}, name=name)
    document = dict(start)
    for member in ("displayName", "parent"):
        value = members.text(member)
        if value is not None:
            document[member] = value
    parent = document.get("parent")
    if parent is not None and (parent not in app.organizations or parent in app.below({name})):
        raise invalid(f"The parent organization {parent!r} does not exist or is below {name}.")
    own = reach(call, "admin")
    if own is not None and parent not in own:
        raise forbidden("Only the own organization can be managed.")
    app.organizations.put(name, document)
    return Answer(body=_organization(document))


def delete_organization(_platform: Platform, call: Call, name: str) -> Answer:
    """DELETE /organizations/{id}: not while something belongs to it."""
    _held_organization(call, name)
    app = call.application
    if _in_use(app, name):
        raise Refused(409, "Conflict", f"The organization {name} is in use.")
    app.organizations.drop(name)
    return Answer(204)


def _in_use(app: Application, name: str) -> bool:
    if any(one.get("parent") == name for one in app.organizations.values()):
        return True
    return any(name in device.organizations for device in app.registry)


ROUTES = [
    Route("GET", "/apiTokens", list_tokens, "admin"),
    Route("GET", "/apiTokens/{id}", get_token, "admin"),
    Route("PUT", "/apiTokens/{id}", put_token, "admin"),
    Route("DELETE", "/apiTokens/{id}", delete_token, "admin"),
    Route("GET", "/roles", list_roles),
    Route("GET", "/roles/{id}", get_role),
    Route("GET", "/users", list_users, "admin"),
    Route("GET", "/users/{id}", get_user, "admin"),
    Route("PUT", "/users/{id}", put_user, "admin"),
    Route("PATCH", "/users/{id}", patch_user, "admin"),
    Route("DELETE", "/users/{id}", delete_user, "admin"),
    Route("GET", "/organizations", list_organizations),
    Route("GET", "/organizations/{id}", get_organization),
    Route("PUT", "/organizations/{id}", put_organization, "admin"),
    Route("PATCH", "/organizations/{id}", patch_organization, "admin"),
    Route("DELETE", "/organizations/{id}", delete_organization, "admin"),
]
