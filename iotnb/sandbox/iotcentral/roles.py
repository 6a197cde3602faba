"""Roles and what they allow, callers, and the text of API tokens."""

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from iotnb.sandbox.iotcentral.state import State

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


def token_text(platform: State, application_id: str, name: str, expiry: int, serial: int) -> str:
    """An API token as the service shows it once."""
    sig = signature(platform, application_id, name, expiry, serial)
    return (
        f"SharedAccessSignature sr={application_id}&sig={quote(sig, safe='')}&skn={quote(name)}&se={expiry}"
    )


def signature(platform: State, application_id: str, name: str, expiry: int, serial: int) -> str:
    """The part of an API token that only the server can make."""
    text = f"{application_id}\n{name}\n{expiry}\n{serial}"
    return base64.b64encode(hmac.new(platform.secret, text.encode(), hashlib.sha256).digest()).decode()
