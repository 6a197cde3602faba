"""Devices: the inventory, credentials, attestation, parts, relationships, and the groups they are in."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any

from iotnb.paging import Page
from iotnb.platforms.iotcentral.api.chapter import LARGEST, Collection, Document, Documents, segment


class Devices(Collection):
    """`/api/devices`: `id` is free text that the creator chooses; there are no times in the documents."""

    path = "/devices"
    pageable = True

    def credentials(self, id: str) -> Document:
        """`idScope` and the device's keys, in clear: mask them before you show them."""
        return self._json("GET", f"{self._at(id)}/credentials")

    def attestation(self, id: str) -> Document:
        """How a single device proves who it is: `type` symmetricKey, x509 or tpm."""
        return self._json("GET", f"{self._at(id)}/attestation")

    def set_attestation(self, id: str, attestation: Mapping[str, Any]) -> Document:
        """Gives a device keys or certificates of its own."""
        return self._json("PUT", f"{self._at(id)}/attestation", json=dict(attestation))

    def delete_attestation(self, id: str) -> None:
        """Takes a device's own keys away: those of its enrollment group hold again."""
        self._request("DELETE", f"{self._at(id)}/attestation")

    def components(self, id: str, *, module: str = "") -> Documents:
        """The components of a device, or of one of its modules."""
        part = f"/modules/{segment(module)}" if module else ""
        return self._list(f"{self._at(id)}{part}/components")

    def modules(self, id: str) -> Documents:
        """The modules of an IoT Edge device."""
        return self._list(f"{self._at(id)}/modules")

    def relationships(self, id: str, *, stop: threading.Event | None = None) -> Documents:
        """Gateway (`source`) and downstream device (`target`), in both directions."""
        return self._list(f"{self._at(id)}/relationships", params={"maxpagesize": LARGEST}, stop=stop)

    def relate(self, id: str, relationship: str, document: Mapping[str, Any]) -> Document:
        """Puts a downstream device behind a gateway: `{"source": ..., "target": ...}`."""
        path = f"{self._at(id)}/relationships/{segment(relationship)}"
        return self._json("PUT", path, json=dict(document))

    def unrelate(self, id: str, relationship: str) -> None:
        """Deletes a relationship."""
        self._request("DELETE", f"{self._at(id)}/relationships/{segment(relationship)}")


class DeviceGroups(Collection):
    """`/api/deviceGroups`: a stored filter, `SELECT * FROM devices WHERE $template = "dtmi:x;1"`."""

    path = "/deviceGroups"
    pageable = True

    def devices(self, id: str, *, stop: threading.Event | None = None) -> Iterator[Page]:
        """Pages of the devices in a group, without their etags."""
        return self._pages(f"{self._at(id)}/devices", params={"maxpagesize": LARGEST}, stop=stop)


class DeviceTemplates(Collection):
    """`/api/deviceTemplates`: published templates with their DTDL capability models."""

    path = "/deviceTemplates"
    pageable = True


class EnrollmentGroups(Collection):
    """`/api/enrollmentGroups`: how many devices prove who they are; keys come in clear."""

    path = "/enrollmentGroups"
