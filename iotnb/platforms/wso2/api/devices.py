"""Devices: the inventory, what is known of each, and its operations as one owner sees them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from iotnb.platforms.wso2.api.chapter import (
    DEVICES,
    Chapter,
    Document,
    Documents,
    Page,
    device,
    read,
    segment,
)

STATUSES = (
    "ACTIVE", "INACTIVE", "UNCLAIMED", "UNREACHABLE", "SUSPENDED", "DISENROLLMENT_REQUESTED", "REMOVED",
    "BLOCKED", "CREATED",
)  # fmt: skip
"""Of an enrolment."""


class Devices(Chapter):
    """`/devices`: rows are enrolments, so a device that changed its owner stands there twice.

    A device is named by its type and its identifier together. Filters of lists: `name` (prefix), `type`,
    `user`, `userPattern`, `role`, `ownership` (BYOD, COPE), `status`, `since`, `requireDeviceInfo`.
    """

    def pages(self, *, stop: threading.Event | None = None, **filters: Any) -> Iterator[Page]:
        """Pages of 100 enrolments; each says how many there are in all."""
        return self._pages("/devices", ("devices",), stop=stop, **filters)

    def list(self, **filters: Any) -> Documents:
        """All enrolments, not the 20 that the server sends unless asked; checked against its count."""
        if filters.get("role") is not None:
            return self.of_role(**filters).items
        return self._list("/devices", ("devices",), **filters)

    def page(self, **params: Any) -> Document:
        """One page as the server sends it: `{"devices":[..],"count":n}`; `offset`, `limit` and filters."""
        return self._object("GET", "/devices", params=params)

    def of_role(self, *, stop: threading.Event | None = None, **filters: Any) -> Page:
        """All enrolments of users with a role: the server does not page here."""
        # without details it would answer the count alone
        params = {"requireDeviceInfo": True, **filters}
        return read(self._session.get(f"{DEVICES}/devices", params=params, stop=stop), ("devices",))

    def mine(self, **filters: Any) -> Documents:
        """All enrolments of the user who is logged in."""
        return self._list("/devices/user-devices", ("devices",), **filters)

    def all_tenants(self, **filters: Any) -> Documents:
        """All devices as an administrator of the super tenant sees them: `name`, `type`, `tenant-domain`."""
        return self._list("/admin/devices", ("devices",), counted=False, **filters)

    def search(self, conditions: Sequence[Mapping[str, Any]]) -> Documents:
        """Devices that meet all conditions, `{"key","value","operator","state"}` with the state AND or OR.

        Keys are those of the details (`deviceModel`, `batteryLevel`), of the location (`city`), or names of
        properties; operators `= > < >= <= <> != !> !< %`, where % means contains.
        """
        return self.found(conditions).items

    def found(self, conditions: Sequence[Mapping[str, Any]], *, stop: threading.Event | None = None) -> Page:
        """The same as the answer comes, all in one."""
        body = {"conditions": [{"operator": "=", "state": "AND", **each} for each in conditions]}
        path = f"{DEVICES}/devices/search-devices"
        return read(self._session.post(path, json=body, retry=True, stop=stop), ("devices",))

    def get(self, type: str, id: str, *, owner: str | None = None) -> Document:
        """One device with all details; NotFound if there is none, Forbidden if it is somebody else's."""
        return self._object("GET", f"/devices/{device(type, id)}", params={"owner": owner})

    def info(self, type: str, id: str) -> Document:
        """Model, system, battery, memory, connection: what the device last told of itself."""
        return self._object("GET", f"/devices/{device(type, id)}/info")

    def location(self, type: str, id: str) -> Document:
        """Latitude, longitude and address; empty when none is known, also for an unknown device."""
        return self._object("GET", f"/devices/{device(type, id)}/location")

    def features(self, type: str, id: str) -> Documents:
        """The operations that its type can carry out."""
        return self._array("GET", f"/devices/{device(type, id)}/features")

    def applications(self, type: str, id: str) -> Documents:
        """The applications that are installed on it."""
        return self._array("GET", f"/devices/{device(type, id)}/applications")

    def effective_policy(self, type: str, id: str) -> Document:
        """The policy that applies to it; empty when none does."""
        return self._object("GET", f"/devices/{device(type, id)}/effective-policy")

    def compliance(self, type: str, id: str) -> Document:
        """Whether it complies with its policy (`complianceData`), as far as one applies."""
        return self._object("GET", f"/devices/{device(type, id)}/compliance-data")

    def known(self, type: str, id: str) -> bool:
        """Whether there is a record of it, also after its removal."""
        return self._session.get(f"{DEVICES}/devices/{device(type, id)}/status").status != 204

    def operations(
        self, type: str, id: str, *, owner: str, stop: threading.Event | None = None
    ) -> Iterator[Page]:
        """Pages of the operations of one of its owners, newest first; the owner is mandatory."""
        path = f"/devices/{device(type, id)}/operations"
        return self._pages(path, ("operations",), owner=owner, stop=stop)

    def send(
        self, type: str, ids: Sequence[str], *, code: str, operation: str = "COMMAND", payload: Any = None
    ) -> Document:
        """Adds an operation for some devices of a type; the answer is its activity.

        `operation` is COMMAND, CONFIG or PROFILE; identifiers that are none come back as INVALID.
        """
        inner = {"code": code, "type": operation, "payLoad": payload}
        body = {
            "deviceIdentifiers": [str(each) for each in ids],
            "operation": {name: value for name, value in inner.items() if value is not None},
        }
        return self._object("POST", f"/devices/{segment(type, what='a device type')}/operations", json=body)

    def change_status(self, type: str, id: str, status: str) -> Any:
        """Sets the status of the enrolment."""
        return self._call("PUT", f"/devices/{device(type, id)}/changestatus", params={"newStatus": status})

    def rename(self, type: str, id: str, name: str) -> Any:
        """Gives the device another name."""
        return self._call("POST", _long(type, id) + "/rename", json={"name": name})

    def delete(self, type: str, id: str) -> Any:
        """Removes the enrolment: its status becomes REMOVED, and the row stays in the list."""
        return self._call("DELETE", _long(type, id))


def _long(type: str, id: str) -> str:
    kind, _, name = device(type, id).partition("/")
    return f"/devices/type/{kind}/id/{name}"
