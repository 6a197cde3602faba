"""Groups of devices."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

from iotnb.platforms.wso2.api.chapter import Chapter, Document, Documents, Page, segment

Names = list[str]

KEYS = ("deviceGroups", "groups")  # the server's own name first, then the one of its documents


class Groups(Chapter):
    """`/groups`; a group is addressed by its number."""

    def list(self, **filters: Any) -> Documents:
        """All groups that one may see; filters `name` and `owner`."""
        return self._list("/groups", KEYS, **filters)

    def all(self, **filters: Any) -> Documents:
        """All groups of the tenant, for administrators."""
        return self._list("/admin/groups", KEYS, **filters)

    def count(self) -> int:
        """How many groups one may see."""
        return int(self._call("GET", "/groups/count"))

    def count_all(self) -> int:
        """How many groups the tenant has, for administrators."""
        return int(self._call("GET", "/admin/groups/count"))

    def get(self, id: int | str) -> Document:
        """One group by its number."""
        return self._object("GET", self._at(id))

    def create(self, name: str, *, description: str = "") -> Any:
        """Creates a group; `list(name=...)` then tells its number. Conflict if there is one."""
        return self._call("POST", "/groups", json={"name": name, "description": description})

    def update(self, id: int | str, *, name: str, description: str = "") -> Any:
        """Changes a group; the server calls an unknown one a conflict, too."""
        return self._call("PUT", self._at(id), json={"name": name, "description": description})

    def delete(self, id: int | str) -> Any:
        """Deletes a group; its devices stay."""
        return self._call("DELETE", self._at(id))

    def devices(self, id: int | str, **params: Any) -> Documents:
        """All devices of a group."""
        return self._list(f"{self._at(id)}/devices", ("devices",), **params)

    def pages(self, id: int | str, *, stop: threading.Event | None = None) -> Iterator[Page]:
        """Pages of the devices of a group."""
        return self._pages(f"{self._at(id)}/devices", ("devices",), stop=stop)

    def device_count(self, id: int | str) -> int:
        """How many devices a group has."""
        return int(self._call("GET", f"{self._at(id)}/devices/count"))

    def add(self, id: int | str, devices: Sequence[tuple[str, str]]) -> Any:
        """Puts devices, each (type, identifier), into a group."""
        return self._call("POST", f"{self._at(id)}/devices/add", json=_identifiers(devices))

    def remove(self, id: int | str, devices: Sequence[tuple[str, str]]) -> Any:
        """Takes devices, each (type, identifier), out of a group."""
        return self._call("POST", f"{self._at(id)}/devices/remove", json=_identifiers(devices))

    def of_device(self, type: str, id: str) -> Documents:
        """The groups that a device is in."""
        return self._array("GET", "/groups/device", params={"deviceId": id, "deviceType": type})

    def assign(self, type: str, id: str, *, groups: Sequence[int]) -> Any:
        """Puts a device into these groups and no others."""
        body = {"deviceGroupIds": list(groups), "deviceIdentifier": {"id": str(id), "type": type}}
        return self._call("POST", "/groups/device/assign", json=body)

    def share(self, id: int | str, roles: Sequence[str]) -> Any:
        """Shares a group with roles."""
        return self._call("POST", f"{self._at(id)}/share", json=list(roles))

    def roles(self, id: int | str) -> Names:
        """The roles that a group is shared with."""
        return [str(each) for each in self._object("GET", f"{self._at(id)}/roles").get("roles") or []]

    def _at(self, id: int | str) -> str:
        return f"/groups/id/{segment(id, what='the number of a group')}"


def _identifiers(devices: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"id": str(name), "type": kind} for kind, name in devices]
