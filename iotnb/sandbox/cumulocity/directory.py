"""The tenants' users and groups, and the ones that every sandbox has from the start."""

import base64
import hmac
import secrets
import struct
from hashlib import sha1
from typing import Any

from iotnb.sandbox.cumulocity.people import (
    ADMIN_ROLES,
    DEVICE_ROLES,
    OWN_ROLES,
    READER_ROLES,
    User,
    hashed,
    is_password,
)
from iotnb.sandbox.cumulocity.state import MANAGEMENT, TENANT, Platform
from iotnb.sandbox.cumulocity.wire import format_time
from iotnb.sandbox.world import World

BOOTSTRAP = "devicebootstrap"
TOTP_SECRET = "5XLQP7HIKZBDH6ZZ"
GROUPS = {
    1: ("business", (*READER_ROLES, *OWN_ROLES, "ROLE_ALARM_ADMIN", "ROLE_DEVICE_CONTROL_ADMIN")),
    2: ("admins", ADMIN_ROLES),
    3: ("devices", DEVICE_ROLES),
    4: ("readers", READER_ROLES),
    5: ("restricted", OWN_ROLES),
    6: ("Global Manager", ADMIN_ROLES),
}
INVENTORY_ROLES = {
    1: ("Reader", [("READ", "*")]),
    2: ("Manager", [("*", "*")]),
    3: ("Operations: All", [("*", "OPERATION"), ("READ", "MANAGED_OBJECT")]),
}
_SEEDED = (("admin", 2), ("reader", 4), ("restricted", 5), ("totp", 2), ("sms", 2))
_STEP_SECONDS = 30
_WHAT = "cumulocity: password of "


def passwords(world: World) -> dict[str, str]:
    """The passwords of the users that every run has, by user name."""
    held = world.secrets.all().items()
    return {what.removeprefix(_WHAT): secret for secret, what in held if what.startswith(_WHAT)}


def totp(secret: str, seconds: float) -> str:
    """The six digits of RFC 6238 (SHA-1, 30 s) for a base 32 secret at a Unix time."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8), casefold=True)
    digest = hmac.new(key, struct.pack(">Q", int(seconds) // _STEP_SECONDS), sha1).digest()
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at : at + 4])[0] & 0x7FFFFFFF) % 1_000_000:06d}"


class Directory:
    """Users by tenant and name; their documents are kept in the store, passwords only as hashes."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.passwords: dict[str, str] = {}  # of the users that every run has
        self.codes: dict[str, str] = {}  # the codes sent by SMS that still wait
        for name, _ in (*_SEEDED, (BOOTSTRAP, 0)):
            self.passwords[name] = platform.world.issue(secrets.token_urlsafe(12), _WHAT + name)
        self.seed()

    def seed(self) -> None:
        """Make the users, groups and inventory roles that are always there."""
        store = self.platform.store
        for number, (name, roles) in GROUPS.items():
            if store.setting("group", str(number)) is None:
                store.set("group", str(number), {"id": number, "name": name, "roles": list(roles)})
        for number, (name, permissions) in INVENTORY_ROLES.items():
            if store.setting("inventoryrole", str(number)) is None:
                rights = [
                    {"id": n, "permission": verb, "type": "*", "scope": scope}
                    for n, (verb, scope) in enumerate(permissions, 1)
                ]
                store.set("inventoryrole", str(number), {"id": number, "name": name, "permissions": rights})
        for name, group in _SEEDED:
            self._seed_user(name, group)
        boot = self.new(BOOTSTRAP, {"email": ""}, password=self.passwords[BOOTSTRAP], groups=[])
        self.save(MANAGEMENT, {**boot, "roles": ["ROLE_DEVICE_BOOTSTRAP"]})

    def _seed_user(self, name: str, group: int) -> None:
        kept = self.get(TENANT, name)
        if kept is not None:  # a file from an earlier run: the user stays, the password is this run's
            self.save(TENANT, {**kept, "password": hashed(self.passwords[name])})
            return
        document = self.new(name, {}, password=self.passwords[name], groups=[group])
        if name == "totp":
            document |= {
                "strategy": "TOTP",
                "enforced": True,
                "totp": {"secret": TOTP_SECRET, "active": True},
            }
        elif name == "sms":
            document |= {"strategy": "SMS", "enforced": True, "phone": "+491700000000"}
        elif name == "restricted":
            document["assignments"] = [{"id": 1, "managedObject": "10001", "roles": [2]}]
        self.save(TENANT, document)

    def new(self, name: str, body: dict[str, Any], *, password: str, groups: list[int]) -> dict[str, Any]:
        """A user's document that is not yet saved."""
        fields = ("firstName", "lastName", "phone", "email", "displayName", "customProperties", "owner")
        kept = {key: body[key] for key in fields if body.get(key) is not None}
        return {
            "email": f"{name}@example.com",
            "customProperties": {},
            **kept,
            "userName": name,
            "enabled": body.get("enabled", True),
            "newsletter": body.get("newsletter", False),
            "shouldResetPassword": bool(body.get("shouldResetPassword", not password)),
            "lastPasswordChange": format_time(self.platform.now()),
            "password": hashed(password) if password else None,
            "groups": groups,
            "roles": [],
            "assignments": [],
        }

    def get(self, tenant: str, name: str) -> dict[str, Any] | None:
        """A user's stored document, or None."""
        found: dict[str, Any] | None = self.platform.store.setting(f"user:{tenant}", name)
        return found

    def everyone(self, tenant: str) -> list[dict[str, Any]]:
        """The documents of a tenant's users, by name."""
        return list(self.platform.store.settings(f"user:{tenant}").values())

    def save(self, tenant: str, document: dict[str, Any]) -> None:
        """Keep a user's document."""
        self.platform.store.set(f"user:{tenant}", document["userName"], document)

    def remove(self, tenant: str, name: str) -> bool:
        """Delete a user; False when there was none."""
        return self.platform.store.unset(f"user:{tenant}", name)

    def roles(self, document: dict[str, Any]) -> frozenset[str]:
        """The effective roles: the user's own and those of the groups."""
        found = set(document.get("roles", ()))
        for number in document.get("groups", ()):
            group = self.platform.store.setting("group", str(number))
            found.update(group["roles"] if group else ())
        return frozenset(found)

    def user(self, tenant: str, name: str, *, token: str = "") -> User | None:
        """The user with effective roles; None when there is none or it is disabled."""
        document = self.get(tenant, name)
        if document is None or not document.get("enabled", True):
            return None
        return User(tenant=tenant, name=name, roles=self.roles(document), document=document, token=token)

    def checked(self, tenant: str, name: str, password: str) -> User | None:
        """The user if the password is right, else None."""
        user = self.user(tenant, name)
        return user if user is not None and is_password(user.document.get("password"), password) else None

    def device_user(self, name: str, *, password: str = "") -> dict[str, Any]:
        """Make, or make anew, the user of a device."""
        document = self.new(name, {"email": ""}, password=password, groups=[3])
        self.save(TENANT, document)
        return document

    # the second factor

    def second_factor(self, user: User, code: str) -> str:
        """What is wrong with the code of a user who needs one, in the platform's words; else empty."""
        strategy = user.document.get("strategy", "")
        if not strategy:
            return ""
        code = "" if code == "undefined" else code.strip()
        if strategy == "SMS":
            return self._sms(user, code)
        kept = user.document.get("totp") or {}
        if not kept.get("secret"):
            return "TFA TOTP setup required"
        if not code:
            return "TFA TOTP code required"
        return "" if self.is_totp(kept["secret"], code) else "TFA TOTP code invalid"

    def is_totp(self, secret: str, code: str) -> bool:
        """Whether a code is right now, was it half a minute ago, or will be in half a minute."""
        seconds = self.platform.now() / 1000
        moments = (seconds - _STEP_SECONDS, seconds, seconds + _STEP_SECONDS)
        return any(hmac.compare_digest(totp(secret, at), code) for at in moments)

    def _sms(self, user: User, code: str) -> str:
        waiting = self.codes.get(user.name)
        if code and waiting and hmac.compare_digest(waiting, code):
            del self.codes[user.name]
            return ""
        if code:
            return "TFA code invalid"
        self.codes[user.name] = self.platform.world.issue(
            f"{secrets.randbelow(1_000_000):06d}", "cumulocity: SMS code"
        )
        self.platform.say(f"SMS to {user.document.get('phone', '')}: your code is {self.codes[user.name]}")
        return "TFA code required"
