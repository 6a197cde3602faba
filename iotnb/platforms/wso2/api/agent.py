"""The side of the device: enrol, publish events, take operations and answer them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from iotnb.platforms.wso2.api.chapter import Chapter, Document, Documents, device


class Agent(Chapter):
    """`/device/agent`: what a device, or a gateway for it, calls; scopes `perm:device:*`."""

    def enroll(
        self,
        type: str,
        id: str,
        *,
        name: str,
        description: str = "",
        ownership: str = "BYOD",
        properties: Mapping[str, str] | None = None,
    ) -> Any:
        """Enrols a device; its owner is who is logged in, its status ACTIVE. Invalid if it is enrolled."""
        listed = [{"name": key, "value": value} for key, value in (properties or {}).items()]
        body = {
            "name": name,
            "type": type,
            "description": description,
            "deviceIdentifier": str(id),
            "enrolmentInfo": {"ownership": ownership, "status": "ACTIVE"},
            "properties": listed,
        }
        return self._call("POST", "/device/agent/enroll", json=body)

    def modify(self, type: str, id: str, document: Mapping[str, Any]) -> Any:
        """Changes name, description and the like of an enrolled device."""
        return self._call("PUT", f"/device/agent/enroll/{device(type, id)}", json=dict(document))

    def disenroll(self, type: str, id: str) -> Any:
        """Ends the enrolment; the device stays in lists as REMOVED."""
        return self._call("DELETE", f"/device/agent/enroll/{device(type, id)}")

    def set_properties(self, type: str, id: str, properties: Mapping[str, str]) -> Any:
        """Sets properties of a device."""
        body = [{"name": key, "value": value} for key, value in properties.items()]
        return self._call("PUT", f"/device/agent/properties/{device(type, id)}", json=body)

    def publish(self, type: str, id: str, values: Mapping[str, Any]) -> Any:
        """Publishes one record: a value for each attribute of the event definition, no more and no less."""
        return self._call("POST", f"/device/agent/events/publish/{device(type, id)}", json=dict(values))

    def publish_values(self, type: str, id: str, values: Sequence[Any]) -> Any:
        """The same with the values alone, in the order of the attributes."""
        path = f"/device/agent/events/publish/data/{device(type, id)}"
        return self._call("POST", path, json=list(values))

    def pending(self, type: str, id: str) -> Documents:
        """The operations that wait, oldest first, with their `payLoad`."""
        path = f"/device/agent/pending/operations/{device(type, id)}"
        return self._object("GET", path).get("operations") or []

    def next(self, type: str, id: str) -> Document:
        """The oldest operation that waits, or empty."""
        return self._object("GET", f"/device/agent/next-pending/operation/{device(type, id)}")

    def answer(self, type: str, id: str, *, operation: int, status: str, response: str = "") -> Any:
        """Tells how far an operation is: IN_PROGRESS, COMPLETED or ERROR, and what the device says."""
        body = {"id": operation, "status": status, "operationResponse": response or None}
        sent = {name: value for name, value in body.items() if value is not None}
        return self._call("PUT", f"/device/agent/operations/{device(type, id)}", json=sent)

    def with_status(self, type: str, id: str, status: str) -> Documents:
        """The operations in one status."""
        path = f"/device/agent/status/operations/{device(type, id)}"
        return self._object("GET", path, params={"status": status}).get("operations") or []
