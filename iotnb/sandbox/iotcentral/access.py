"""Who may do what: bearer tokens of Entra, API tokens, roles and organizations."""

import hmac
from typing import Any
from urllib.parse import parse_qsl

from iotnb.sandbox.iotcentral.application import Application
from iotnb.sandbox.iotcentral.call import Call
from iotnb.sandbox.iotcentral.directory import APPS, ARM
from iotnb.sandbox.iotcentral.platform import Platform
from iotnb.sandbox.iotcentral.roles import Caller, signature
from iotnb.sandbox.iotcentral.wire import Refused, forbidden
from iotnb.sandbox.tokens import TokenError


def authorize(call: Call, right: str) -> None:
    """403 when the caller has a right nowhere in the application."""
    if right and call.user.organizations(right) == set():
        raise forbidden()


def reach(call: Call, right: str) -> frozenset[str] | None:
    """The organizations, with those below them, in which the caller has a right; None: everything."""
    found = call.user.organizations(right)
    return None if found is None else call.application.below(found)


def _unauthorized(message: str) -> Refused:
    return Refused(401, "Unauthorized", message, headers={"WWW-Authenticate": "Bearer"})


def _bearer(platform: Platform, token: str, audience: str) -> dict[str, Any]:
    try:
        claims = platform.tokens.verify(token.strip())
    except TokenError as error:
        raise _unauthorized(f"The access token is not valid ({error.reason}).") from None
    if str(claims.get("aud", "")).rstrip("/") != audience:
        raise _unauthorized(f"The access token is for the audience {claims.get('aud')}, not for {audience}.")
    return claims


def arm_caller(platform: Platform, call: Call) -> Caller:
    """The caller of a control plane request; 401 without a good management token."""
    scheme, _, token = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise Refused(
            401, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing."
        )
    try:
        claims = _bearer(platform, token, ARM)
    except Refused as refused:
        raise Refused(
            401, "InvalidAuthenticationToken", refused.message, headers={"WWW-Authenticate": "Bearer"}
        ) from None
    return Caller(str(claims.get("upn") or claims.get("appid")), claims=claims)


def app_caller(platform: Platform, call: Call) -> Caller:
    """The caller of a data plane request, by bearer or API token; 401 or 403."""
    header = call.headers.get("authorization", "").strip()
    scheme, _, rest = header.partition(" ")
    if scheme.lower() == "bearer":
        claims = _bearer(platform, rest, APPS)
        roles = call.application.roles_of(claims)
        if roles is None:
            raise forbidden("The signed-in user or service principal is not a user of this application.")
        return Caller(str(claims.get("upn") or claims.get("appid")), roles, claims)
    if scheme.lower() == "sharedaccesssignature":
        return _token_caller(platform, call.application, rest)
    raise _unauthorized("The Authorization header is missing or of an unknown kind.")


# API tokens


def _token_caller(platform: Platform, app: Application, text: str) -> Caller:
    fields = dict(parse_qsl(text.strip()))
    name = fields.get("skn", "")
    held = app.tokens.get(name)
    if fields.get("sr") != app.id:
        raise _unauthorized("The API token belongs to another application.")
    if held is None:
        raise _unauthorized("The API token does not exist.")
    wanted = signature(platform, app.id, name, held["se"], held["serial"])
    given = fields.get("sig", "").replace(" ", "+")
    if fields.get("se") != str(held["se"]) or not hmac.compare_digest(given.encode(), wanted.encode()):
        raise _unauthorized("The API token is not valid.")
    if held["se"] <= platform.now():
        raise _unauthorized("The API token has expired.")
    return Caller(name, tuple((one["role"], one.get("organization")) for one in held["roles"]))
