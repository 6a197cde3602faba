"""Who may do what: global roles, ownership, and inventory roles on groups."""

from typing import Any

from iotnb.sandbox.cumulocity.people import User
from iotnb.sandbox.cumulocity.state import Platform
from iotnb.sandbox.cumulocity.wire import Refused, forbidden

_SCOPES = {"INVENTORY": "MANAGED_OBJECT", "DEVICE_CONTROL": "OPERATION"}
_ALL_RELATIONS = ("childDevices", "childAssets", "childAdditions")


class Access:
    """Answers of the kind: may this user read the alarms of that device?"""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self._visible: dict[tuple[str, str, int], frozenset[int]] = {}

    def need(self, user: User, *roles: str) -> None:
        """403 unless the user holds one of the roles."""
        if not user.has(*roles):
            raise forbidden()

    def everywhere(self, user: User, api: str, verb: str) -> bool:
        """Whether a global role covers every object; the inventory has two names for its roles."""
        names = {f"ROLE_{api}_{verb}"}
        if api == "INVENTORY":
            names.add(f"ROLE_MANAGED_OBJECT_{verb}")
        return user.has(*names)

    def may(self, user: User, api: str, verb: str, number: int) -> bool:
        """Whether a global role, ownership or an inventory role allows it on one object."""
        if self.everywhere(user, api, verb) or self.owns(user, number):
            return True
        return any(
            number in self.platform.objects.descendants(group)
            for group, permissions in self._grants(user)
            if _grants(permissions, api, verb)
        )

    def check(self, user: User, api: str, verb: str, number: int) -> None:
        """403 unless allowed."""
        if not self.may(user, api, verb, number):
            raise forbidden()

    def owns(self, user: User, number: int) -> bool:
        """Whether the user owns the object, or an agent above it."""
        objects = self.platform.objects
        if objects.owner(number) == user.name:
            return True
        return user.is_device and any(
            objects.owner(above) == user.name for above in objects.above(number, ("childDevices",))
        )

    def _grants(self, user: User) -> list[tuple[int, list[dict[str, Any]]]]:
        """(object, permissions) of the user's inventory roles."""
        roles = self.platform.store.settings("inventoryrole") if user.assignments else {}
        found: list[tuple[int, list[dict[str, Any]]]] = []
        for one in user.assignments:
            permissions: list[dict[str, Any]] = []
            for role in one["roles"]:
                permissions += roles.get(str(role), {}).get("permissions", [])
            found.append((int(one["managedObject"]), permissions))
        return found

    def visible(self, user: User, api: str) -> frozenset[int] | None:
        """The objects whose data a user may read; None means all of them.

        Refuses with 403 a user who has neither the role nor any inventory role nor is a device.
        """
        if self.everywhere(user, api, "READ"):
            return None
        if not user.assignments and not user.is_device and api != "ALARM":
            raise forbidden()
        key = (user.name, api, self.platform.store.version)
        found = self._visible.get(key)
        if found is None:
            self._visible.clear()
            found = self._visible[key] = self._all_visible(user, api)
        return found

    def _all_visible(self, user: User, api: str) -> frozenset[int]:
        objects = self.platform.objects
        seen: set[int] = set()
        for group, permissions in self._grants(user):
            if _grants(permissions, api, "READ"):
                seen |= objects.descendants(group)
        for number, document in objects.made.items():
            if document.get("owner") == user.name:
                seen.update(objects.below(number, _ALL_RELATIONS) if user.is_device else (number,))
        changed = (n for n, over in objects.overlay.items() if over.get("owner") == user.name)
        seen.update(n for n in changed if n not in objects.hidden)
        return frozenset(seen)

    def source(self, user: User, api: str, verb: str, text: object) -> int:
        """The object that a document belongs to: 422 when it does not exist, 403 when not allowed."""
        words = str(text)
        number = int(words) if words.isascii() and words.isdigit() and len(words) < 19 else -1
        if number < 0 or not self.platform.objects.exists(number):
            message = f"Finding device data from database failed : No managedObject for id '{words}'!"
            raise Refused(422, "undefined/validationError", message)
        self.check(user, api, verb, number)
        return number


def _grants(permissions: list[dict[str, Any]], api: str, verb: str) -> bool:
    """Whether one of an inventory role's permissions covers an API and a verb."""
    scope = _SCOPES.get(api, api)
    return any(
        one.get("scope", "*") in ("*", scope)
        and (
            one.get("permission", "READ") in ("*", verb) or (verb == "READ" and one["permission"] == "ADMIN")
        )
        for one in permissions
    )
