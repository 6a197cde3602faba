"""Policies, general settings, and the certificates of devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from iotnb.platforms.wso2.api.chapter import CERTIFICATES, Chapter, Document, Documents, device, segment


class Policies(Chapter):
    """`/policies`; what changes here reaches devices only after `apply()`."""

    def list(self) -> Documents:
        """All policies; asked without a limit the server would give none and count them all."""
        return self._list("/policies", ("policies",))

    def get(self, id: int | str) -> Document:
        """One policy by its number."""
        return self._object("GET", f"/policies/{segment(id)}")

    def create(self, document: Mapping[str, Any]) -> Document:
        """Creates a policy: policyName, profile, ownershipType, roles, users, compliance, active."""
        return self._object("POST", "/policies", json=dict(document))

    def update(self, id: int | str, document: Mapping[str, Any]) -> Any:
        """Changes a policy."""
        return self._call("PUT", f"/policies/{segment(id)}", json=dict(document))

    def remove(self, ids: Sequence[int]) -> Any:
        """Removes policies by their numbers."""
        return self._call("POST", "/policies/remove-policy", json=list(ids))

    def activate(self, ids: Sequence[int]) -> Any:
        """Makes policies active."""
        return self._call("POST", "/policies/activate-policy", json=list(ids))

    def deactivate(self, ids: Sequence[int]) -> Any:
        """Makes policies inactive."""
        return self._call("POST", "/policies/deactivate-policy", json=list(ids))

    def apply(self) -> Any:
        """Brings all changes to the devices."""
        return self._call("PUT", "/policies/apply-changes")

    def set_priorities(self, priorities: Mapping[int, int]) -> Any:
        """Sets which policy counts first: number of the policy to its priority."""
        body = [{"id": number, "priority": place} for number, place in priorities.items()]
        return self._call("PUT", "/policies/priorities", json=body)

    def effective(self, type: str, id: str) -> Document:
        """The policy that applies to a device; NotFound when none does."""
        return self._object("GET", f"/policies/effective-policy/{device(type, id)}")


class Configuration(Chapter):
    """`/configuration`: the general settings of the platform."""

    def get(self) -> Document:
        """The settings: `{"type","configuration":[{"name","contentType","value"}]}`."""
        return self._object("GET", "/configuration")

    def update(self, document: Mapping[str, Any]) -> Any:
        """Changes the settings."""
        return self._call("PUT", "/configuration", json=dict(document))


class Certificates(Chapter):
    """Certificates of devices, by their serial numbers."""

    def list(self) -> Documents:
        """All certificates."""
        return self._list("/admin/certificates", ("certificates", "certificateList"), api=CERTIFICATES)

    def get(self, serial: str) -> Documents:
        """The certificates with a serial number; none gives an empty list."""
        return self._array("GET", f"/admin/certificates/{segment(serial)}", api=CERTIFICATES)

    def create(self, serial: str, pem: str) -> Any:
        """Adds a certificate."""
        body = [{"serial": serial, "pem": pem}]
        return self._call("POST", "/admin/certificates", api=CERTIFICATES, json=body)

    def delete(self, serial: str) -> Any:
        """Removes a certificate."""
        return self._call("DELETE", f"/admin/certificates/{segment(serial)}", api=CERTIFICATES)

    def verify(self, pem: str, *, type: str = "android") -> Any:
        """Whether a certificate is one of those: `valid` or `invalid`."""
        path = f"/admin/certificates/verify/{segment(type)}"
        return self._call("POST", path, api=CERTIFICATES, json={"pem": pem}, retry=True)
