"""Who may do what: bearer tokens of Entra, API tokens, roles and organizations."""

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote

from iotnb.sandbox.iotcentral.state import Platform
from iotnb.sandbox.iotcentral.wire import Call, Refused, forbidden
from iotnb.sandbox.tokens import TokenError

if TYPE_CHECKING:
    from iotnb.sandbox.iotcentral.application import Application

APPS, ARM = "https://apps.azureiotcentral.com", "https://management.azure.com"
ADMINISTRATOR = "ca310b8d-2f4a-44e0-a36e-957c202cd8d4"
BUILDER = "344138e9-8de4-4497-8c54-5237e96d6aaf"
OPERATOR = "ae2c9854-393b-4f97-8c42-479d70ce626e"
ORG_ADMIN = "c495eb57-eb18-489e-9802-62c474e5645c"
ORG_OPERATOR = "b4935647-30e4-4ed3-9074-dcac66c2f8ef"
ORG_VIEWER = "84cc62c1-dabe-49d3-b16e-8b291232b285"
ROLES = {
    ADMINISTRATOR: "Administrator",
    BUILDER: "Builder",
    OPERATOR: "Operator",
    ORG_ADMIN: "Org Admin",
    ORG_OPERATOR: "Org Operator",
    ORG_VIEWER: "Org Viewer",
}
ORG_ROLES = frozenset({ORG_ADMIN, ORG_OPERATOR, ORG_VIEWER})
_RIGHTS = {
    # right: roles that have it in the whole application, and org roles that have it in their organization
    "admin": {ADMINISTRATOR, ORG_ADMIN},
    "build": {ADMINISTRATOR, BUILDER},
    "operate": {ADMINISTRATOR, BUILDER, OPERATOR, ORG_ADMIN, ORG_OPERATOR},
    "read": {*ROLES},
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever asks, with the roles that count in the application: (role, organization or None)."""

    name: str
    roles: tuple[tuple[str, str | None], ...] = ()
    claims: dict[str, Any] = field(default_factory=dict)

    def organizations(self, right: str) -> set[str] | None:
        """The organizations in which the caller has a right; None: everywhere."""
        held = [(role, org) for role, org in self.roles if role in _RIGHTS[right]]
        if any(org is None for _, org in held):
            return None
        return {org for _, org in held if org is not None}


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


def token_text(platform: Platform, application_id: str, name: str, expiry: int, serial: int) -> str:
    """An API token as the service shows it once."""
    sig = _signature(platform, application_id, name, expiry, serial)
    return (
        f"SharedAccessSignature sr={application_id}&sig={quote(sig, safe='')}&skn={quote(name)}&se={expiry}"
    )


def _signature(platform: Platform, application_id: str, name: str, expiry: int, serial: int) -> str:
    text = f"{application_id}\n{name}\n{expiry}\n{serial}"
    return base64.b64encode(hmac.new(platform.secret, text.encode(), hashlib.sha256).digest()).decode()


def _token_caller(platform: Platform, app: "Application", text: str) -> Caller:
    fields = dict(parse_qsl(text.strip()))
    name = fields.get("skn", "")
    held = app.tokens.get(name)
    if fields.get("sr") != app.id:
        raise _unauthorized("The API token belongs to another application.")
    if held is None:
        raise _unauthorized("The API token does not exist.")
    wanted = _signature(platform, app.id, name, held["se"], held["serial"])
    given = fields.get("sig", "").replace(" ", "+")
    if fields.get("se") != str(held["se"]) or not hmac.compare_digest(given.encode(), wanted.encode()):
        raise _unauthorized("The API token is not valid.")
    if held["se"] <= platform.now():
        raise _unauthorized("The API token has expired.")
    return Caller(name, tuple((one["role"], one.get("organization")) for one in held["roles"]))
