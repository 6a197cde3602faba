"""The organization: entities, the people in it, and their roles."""

from __future__ import annotations

import threading
from typing import Any

from iotnb.platforms.iotconnect.address import segment
from iotnb.platforms.iotconnect.api.chapter import Chapter, Document, Documents


class Entities(Chapter):
    """`/Entity`: the tree of sites and departments; the root's `parentEntityGuid` is null."""

    module = "entity"

    def list(self, *, stop: threading.Event | None = None) -> Documents:
        """All entities, with how many devices and users each has."""
        return self._few("/Entity", stop=stop)

    def get(self, guid: str) -> Document:
        """One entity with its address."""
        return self._one(f"/Entity/{segment(guid)}")

    def lookup(self) -> Documents:
        """Guid, name and parent of all entities."""
        return self._few("/Entity/lookup")


class Users(Chapter):
    """`/User`: people; the list says `guid`, a single one `userGuid`."""

    module = "user"

    def list(self, **filters: Any) -> Documents:
        """All users; `filters`: FirstName, LastName, Email, ContactNo, Role, Entity, Status."""
        return self._list("/User", params=filters)

    def get(self, guid: str) -> Document:
        """One user by guid."""
        return self._one(f"/User/{segment(guid)}")

    def find(self, email: str) -> Document:
        """One user by e-mail address; NotFound when there is none."""
        return self._one(f"/User/{segment(email)}/availability")

    def identity(self) -> Document:
        """Who one is: userId, roleName, entityGuid, companyName, permissions."""
        return self._one("/User/identity")


class Roles(Chapter):
    """`/Role`: what people may do; the platform knows roles only, no scopes."""

    module = "role"

    def list(self) -> Documents:
        """Guid, name and isActive of all roles."""
        return self._few("/Role/lookup")
