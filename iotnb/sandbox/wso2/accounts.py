"""Users, roles and what they may do: permissions form a tree, and whoever holds a node holds its children."""

import secrets
from typing import Any

from iotnb.sandbox.shelf import Shelf
from iotnb.sandbox.wso2.base import Base

Json = dict[str, Any]
TENANT = "carbon.super"
ADMIN, DEVICE_USER = "admin", "Internal/devicemgt-user"
EXPLORER = "explorer"
"""An administrator whose password is made for the run: the login that the sandbox hands out."""

OWNERS = ("admin", "user111", EXPLORER)
"""Who owns the devices that are there from the start."""

_DEVICE_USER = [
    "/login",
    "/manage/api/subscribe",
    "/device-mgt/devices/enroll",
    "/device-mgt/devices/disenroll",
    "/device-mgt/devices/owning-device/view",
]


class Accounts:
    """The user store."""

    def __init__(self, base: Base) -> None:
        self._base = base
        self._password = ""
        self.load()

    def load(self) -> None:
        """Read what is stored, and make the users that are always there."""
        self.users = Shelf(self._base.store, "user")
        self.roles = Shelf(self._base.store, "role")
        held = self.users.get(EXPLORER)
        self._password = self._password or (held["password"] if held else secrets.token_urlsafe(15))
        self._base.world.issue(self._password, f"wso2: password of {EXPLORER}")
        if held:
            return
        self.roles.put(ADMIN, {"permissions": ["/"]})
        self.roles.put(DEVICE_USER, {"permissions": _DEVICE_USER})
        for name, password, role, first, last in (
            ("admin", "admin", ADMIN, "admin", "admin"),
            ("user111", "user111", DEVICE_USER, "User", "One"),
            (EXPLORER, self._password, ADMIN, "Explorer", "Notebook"),
        ):
            mail = f"{name}@example.com"
            person = {"username": name, "firstname": first, "lastname": last, "emailAddress": mail}
            self.users.put(name, {**person, "password": password, "roles": [role]})

    @property
    def explorer_password(self) -> str:
        """The password that describe() hands out."""
        return self._password

    @staticmethod
    def plain(name: str) -> str:
        """A user name without the name of the only tenant."""
        return name.removesuffix(f"@{TENANT}").removeprefix("PRIMARY/")

    def checked(self, name: str, password: str) -> str | None:
        """The user's plain name if the password is right, else None."""
        user = self.users.get(self.plain(name))
        return user["username"] if user is not None and user["password"] == password else None

    def is_admin(self, name: str) -> bool:
        """True for users with the role admin."""
        user = self.users.get(name)
        return user is not None and ADMIN in user["roles"]

    def holds(self, name: str, permission: str) -> bool:
        """True if one of the user's roles has the permission or a parent of it."""
        user = self.users.get(name)
        for role in user["roles"] if user is not None else ():
            for node in (self.roles.get(role) or {}).get("permissions", ()):
                if permission == node or permission.startswith(node.rstrip("/") + "/"):
                    return True
        return False

    def with_role(self, role: str) -> set[str]:
        """The users who have a role."""
        return {name for name, user in self.users.items() if role in user["roles"]}
