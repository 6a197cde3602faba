"""Firmware, its versions, and how far they have been rolled out over the air (OTA)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from iotnb.errors import ConfigError
from iotnb.platforms.iotconnect.address import segment
from iotnb.platforms.iotconnect.api.chapter import Chapter, Document, Documents

KINDS = ("Released", "Draft", "both")
ENTITY, DEVICES = 1, 3  # whom a roll-out is for


class Firmware(Chapter):
    """`/Firmware`: one for a template and a hardware; its versions are upgrades."""

    module = "firmware"

    def list(self, **filters: Any) -> Documents:
        """All firmware; `filters`: Name, Hardware, searchText. `Upgrades` come in any order."""
        return self._list("/Firmware", params=filters)

    def get(self, guid: str) -> Document:
        """One firmware; its `Upgrades` as a list, also where the platform nests them."""
        found = dict(self._one(f"/Firmware/{segment(guid)}"))
        inner = found.get("Upgrades")
        if isinstance(inner, Mapping):
            listed = inner.get("Upgrade")
            found["Upgrades"] = listed if isinstance(listed, list) else [listed] if listed else []
        return found

    def create(self, template: str, name: str, hardware: str, software: str) -> Document:
        """Creates firmware with a first version; gives `newId` and `firmwareUpgradeGuid`."""
        body = {
            "deviceTemplateGuid": template,
            "firmwareName": name,
            "hardware": hardware,
            "software": software,
        }
        return (self._change("POST", "/Firmware", body) or [{}])[0]

    def deprecate(self, guid: str) -> None:
        """Takes firmware out of use."""
        self._change("PUT", f"/Firmware/{segment(guid)}/deprecate")


class Upgrades(Chapter):
    """`/firmware-upgrade`: the versions of firmware, drafts and released ones."""

    module = "firmwareUpgrade"

    def list(self, kind: str = "both") -> Documents:
        """All versions that are `Released`, a `Draft`, or `both`."""
        if kind not in KINDS:
            raise ConfigError(f"kind={kind!r} is not one of {', '.join(KINDS)}")
        return self._list("/firmware-upgrade", params={"type": kind})

    def get(self, guid: str) -> Document:
        """One version with its files (`urls`)."""
        return self._one(f"/firmware-upgrade/{segment(guid)}")

    def create(self, document: Mapping[str, Any]) -> Document:
        """Creates a draft: firmwareGuid, software ..."""
        return (self._change("POST", "/firmware-upgrade", dict(document)) or [{}])[0]

    def publish(self, guid: str) -> None:
        """Releases a draft."""
        self._change("PUT", f"/firmware-upgrade/{segment(guid)}/publish")

    def delete(self, guid: str) -> None:
        """Deletes a draft."""
        self._change("DELETE", f"/firmware-upgrade/{segment(guid)}")


class Ota(Chapter):
    """`/ota-update`: roll-outs. AWS publishes how to start one, not how to read them (then NotFound)."""

    module = "firmwareOTAUpdate"

    def send(
        self,
        upgrade: str,
        *,
        devices: Sequence[str] = (),
        entity: str = "",
        at: str | None = None,
        force: bool = False,
        trial: bool = False,
    ) -> Documents:
        """Rolls a version out to devices by their guids, or to an entity; `at` as `2026-01-31 08:00:00`."""
        to: dict[str, Any] = {"target": DEVICES, "deviceGuids": list(devices)}
        if entity:
            to = {"target": ENTITY, "entityGuid": entity}
        body = {"firmwareUpgradeGuid": upgrade, **to, "isForceUpdate": force, "isTrialDraft": trial}
        return self._change("POST", "/ota-update", body | ({"scheduledOn": at} if at else {}))

    def list(self) -> Documents:
        """All roll-outs."""
        return self._list("/ota-update")

    def get(self, guid: str, *, status: str | None = None) -> Documents:
        """The devices of a roll-out and how far each is, of one status or of all."""
        part = f"/status/{segment(status)}" if status is not None else ""
        return self._list(f"/ota-update/{segment(guid)}{part}")

    def recent(self, device_guid: str | None = None) -> Documents:
        """The latest roll-outs, of one device or of all."""
        part = f"/device/{segment(device_guid)}" if device_guid else ""
        return self._few(f"/ota-update{part}/recent")

    def of_device(self, device_guid: str) -> Documents:
        """The roll-outs that a device was part of."""
        return self._list(f"/device/{segment(device_guid)}/ota-update")

    def history(self, **filters: Any) -> Documents:
        """What was updated on which device."""
        return self._list("/ota-update/device-update-history", params=filters)
