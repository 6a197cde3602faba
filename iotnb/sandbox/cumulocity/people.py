"""Who is calling, and the roles there are."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Any

_APIS = (
    "ALARM",
    "APPLICATION_MANAGEMENT",
    "AUDIT",
    "BULK_OPERATION",
    "DEVICE_CONTROL",
    "EVENT",
    "IDENTITY",
    "INVENTORY",
    "MANAGED_OBJECT",
    "MEASUREMENT",
    "OPTION_MANAGEMENT",
    "RETENTION_RULE",
    "TENANT_MANAGEMENT",
    "USER_MANAGEMENT",
)
ROLES = (
    *(f"ROLE_{api}_{verb}" for api in _APIS for verb in ("READ", "ADMIN")),
    "ROLE_INVENTORY_CREATE",
    "ROLE_USER_MANAGEMENT_OWN_READ",
    "ROLE_USER_MANAGEMENT_OWN_ADMIN",
    "ROLE_USER_MANAGEMENT_CREATE",
    "ROLE_IDENTITY_CREATE",
    "ROLE_TENANT_ADMIN",
    "ROLE_DEVICE",
    "ROLE_DEVICE_BOOTSTRAP",
)
READER_ROLES = (*(f"ROLE_{api}_READ" for api in _APIS), "ROLE_USER_MANAGEMENT_OWN_READ")
OWN_ROLES = ("ROLE_USER_MANAGEMENT_OWN_READ", "ROLE_USER_MANAGEMENT_OWN_ADMIN")
DEVICE_ROLES = ("ROLE_DEVICE", "ROLE_INVENTORY_CREATE", "ROLE_IDENTITY_READ", *OWN_ROLES)
ADMIN_ROLES = tuple(role for role in ROLES if role not in ("ROLE_DEVICE", "ROLE_DEVICE_BOOTSTRAP"))


@dataclass(slots=True, kw_only=True)
class User:
    """An authenticated user: effective global roles, and the user's stored document."""

    tenant: str = ""
    name: str = ""
    roles: frozenset[str] = frozenset()
    document: dict[str, Any] = field(default_factory=dict)
    token: str = ""  # the jti when a token was used

    @property
    def is_device(self) -> bool:
        """Whether this is the user of a device."""
        return "ROLE_DEVICE" in self.roles

    @property
    def assignments(self) -> list[dict[str, Any]]:
        """Inventory roles: `{"id", "managedObject", "roles": [role ids]}` each."""
        found: list[dict[str, Any]] = self.document.get("assignments", [])
        return found

    def has(self, *roles: str) -> bool:
        """Whether the user holds one of the roles."""
        return not self.roles.isdisjoint(roles)


def hashed(password: str) -> dict[str, str]:
    """What is kept of a password."""
    salt = secrets.token_hex(8)
    return {"salt": salt, "hash": hashlib.sha256((salt + password).encode()).hexdigest()}


def is_password(kept: dict[str, str] | None, password: str) -> bool:
    """Whether a password is the one that was hashed."""
    if not kept:
        return False
    found = hashlib.sha256((kept["salt"] + password).encode()).hexdigest()
    return hmac.compare_digest(found, kept["hash"])
