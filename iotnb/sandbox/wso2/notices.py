"""Notifications: what the server says when an operation failed on a device; they have no time."""

from typing import Any

from iotnb.sandbox.shelf import Shelf
from iotnb.sandbox.wso2.base import Base
from iotnb.sandbox.wso2.inventory import Enrolment

Json = dict[str, Any]
NEW, CHECKED = "NEW", "CHECKED"


class Notices:
    """All notifications in the order in which they came."""

    def __init__(self, base: Base) -> None:
        self._base = base
        self.load()

    def load(self) -> None:
        """Read what is stored."""
        self._held = Shelf(self._base.store, "notification")

    def add(self, one: Enrolment, *, code: str, operation: int) -> None:
        """Tell that an operation failed."""
        number = self._base.store.next_ids("notification")[0]
        text = f"{code} operation failed to execute on device {one.name} (ID: {one.identifier})"
        self._held.put(
            str(number),
            {
                "id": number,
                "description": text,
                "operationId": operation,
                "status": NEW,
                "deviceIdentifier": one.identifier,
                "deviceName": one.name,
                "deviceType": one.type,
            },
        )

    def all(self, status: str = "") -> list[Json]:
        """The notifications of a status, or all of them."""
        found = sorted(self._held.values(), key=lambda one: one["id"])
        return [one for one in found if not status or one["status"] == status]

    def get(self, number: str) -> Json | None:
        """A notification by its id, or None."""
        found: Json | None = self._held.get(number)
        return found

    def check(self, one: Json) -> Json:
        """Mark a notification as seen."""
        changed = {**one, "status": CHECKED}
        self._held.put(str(one["id"]), changed)
        return changed
