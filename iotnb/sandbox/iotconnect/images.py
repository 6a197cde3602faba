"""Firmware and its upgrades: those that the fleet was rolled out with, and those that users made."""

import msgspec

from iotnb.sandbox.fleet import Fleet, Kind
from iotnb.sandbox.iotconnect.ids import fixed
from iotnb.sandbox.iotconnect.kept import Kept
from iotnb.sandbox.iotconnect.models import MADE, OF_KIND
from iotnb.sandbox.iotconnect.state import Platform


class Upgrade(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a firmware."""

    guid: str
    software: str
    draft: bool = True
    description: str = ""
    created: int = MADE
    updated: int = MADE


class Firmware(msgspec.Struct, frozen=True, kw_only=True):
    """The software of one hardware of a template."""

    guid: str
    name: str
    hardware: str
    template: str
    description: str = ""
    deprecated: bool = False
    created: int = MADE
    upgrades: tuple[Upgrade, ...] = ()


def upgrade_guid(kind: Kind, version: str) -> str:
    """The GUID of a version that the fleet runs."""
    return fixed("upgrade", kind, version)


def _seeded(fleet: Fleet) -> list[Firmware]:
    """One firmware for each kind of device in the fleet: the old version, the new one, and a draft."""
    found: dict[Kind, Firmware] = {}
    for device in (fleet[i] for i in range(min(len(fleet), 10))):
        if device.kind in found:
            continue
        template = OF_KIND[device.kind]
        versions = ((device.firmware_before, False), (device.firmware_after, False), ("9.0.0", True))
        upgrades = tuple(
            Upgrade(guid=upgrade_guid(device.kind, version), software=version, draft=draft)
            for version, draft in versions
        )
        found[device.kind] = Firmware(
            guid=fixed("firmware", device.kind),
            name=f"{template.code}FW",
            hardware="1.0",
            template=template.guid,
            upgrades=upgrades,
        )
    return list(found.values())


_KEPT = Kept("firmware", Firmware, lambda platform: _seeded(platform.fleet))
firmwares, keep = _KEPT.all, _KEPT.keep


def find_upgrade(platform: Platform, guid: str) -> tuple[Firmware, Upgrade] | None:
    """An upgrade with its firmware, or None."""
    for firmware in firmwares(platform).values():
        for upgrade in firmware.upgrades:
            if upgrade.guid.lower() == guid.lower():
                return firmware, upgrade
    return None
