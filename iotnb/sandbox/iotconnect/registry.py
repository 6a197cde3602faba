"""The devices: the fleet's, the odd ones, and those that users made, with what users changed about them."""

from collections.abc import Iterable
from typing import Any

import msgspec

from iotnb.sandbox.fleet import DAY
from iotnb.sandbox.fleet import Device as Simulated
from iotnb.sandbox.fleet.noise import mix, stream
from iotnb.sandbox.iotconnect.company import ROOT, SITES, entity_guid
from iotnb.sandbox.iotconnect.ids import fixed
from iotnb.sandbox.iotconnect.models import OF_KIND, TRACKER
from iotnb.sandbox.iotconnect.state import Platform
from iotnb.sandbox.iotconnect.wire import Json, conflict

MADE, CHANGED = "device", "device-change"
PROPERTIES = ("serial", "model", "firmware", "imei", "iccid", "imsi", "msisdn", "mac", "site")
"""The properties that the company gives to its devices."""


class Device(msgspec.Struct, kw_only=True):
    """One device; times are milliseconds, GUIDs as they are printed."""

    guid: str
    unique: str
    name: str
    template: str
    entity: str
    created: int
    fleet: int | None = None
    """Its number in the fleet."""
    tag: str | None = None
    parent: str | None = None
    """The GUID of the gateway in front of it."""
    active: bool = True
    acquired: bool = False
    released: bool = False
    acquired_at: int | None = None
    odd: int | None = None
    """Its number among the odd devices."""
    note: str | None = None
    auth_type: int = 3
    firmware: str | None = None
    """The GUID of the firmware upgrade that it was made with."""
    properties: dict[str, str] = {}
    """What a user gave it, by the name of the property."""

    @property
    def status(self) -> str:
        """Acquired, Released or Available."""
        return "Acquired" if self.acquired else "Released" if self.released else "Available"


class Registry:
    """Every device, held in memory; made anew when fleet or store are replaced."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._by_guid: dict[str, Device] = {}
        self._by_unique: dict[str, Device] = {}
        self._children: dict[str, list[Device]] = {}
        fleet = platform.fleet
        for simulated in fleet:
            self._add(_of_fleet(platform, simulated))
        if platform.switches.oddities:
            for odd in _odd(platform):
                self._add(odd)
        for held in platform.shelf(MADE).values():
            self._add(msgspec.convert(held, Device))
        for guid, change in platform.shelf(CHANGED).items():
            device = self._by_guid.get(guid)
            if device is not None and change.get("deleted"):
                self._remove(device)
            elif device is not None:
                _apply(device, change)

    def _add(self, device: Device) -> None:
        self._by_guid[device.guid.lower()] = device
        self._by_unique[device.unique] = device
        if device.parent is not None:
            self._children.setdefault(device.parent.lower(), []).append(device)

    def _remove(self, device: Device) -> None:
        del self._by_guid[device.guid.lower()], self._by_unique[device.unique]
        if device.parent is not None:
            self._children[device.parent.lower()].remove(device)

    def __iter__(self) -> Any:
        return iter(self._by_guid.values())

    def __len__(self) -> int:
        return len(self._by_guid)

    def by_guid(self, guid: str) -> Device | None:
        """The device with a GUID, or None."""
        return self._by_guid.get(guid.strip().lower())

    def by_unique(self, unique: str) -> Device | None:
        """The device with its own id, or None."""
        return self._by_unique.get(unique)

    def children(self, device: Device) -> list[Device]:
        """The devices behind a gateway."""
        return self._children.get(device.guid.lower(), [])

    def of_template(self, guid: str) -> list[Device]:
        """The devices of a template."""
        return [one for one in self._by_guid.values() if one.template.lower() == guid.lower()]

    def create(self, device: Device) -> None:
        """A device that a user makes."""
        self._platform.shelf(MADE).put(device.guid.lower(), msgspec.to_builtins(device))
        self._add(device)

    def change(self, device: Device, **values: Any) -> None:
        """What a user changes about a device."""
        _apply(device, values)
        guid = device.guid.lower()
        if guid in self._platform.shelf(MADE):
            self._platform.shelf(MADE).put(guid, msgspec.to_builtins(device))
            return
        held = self._platform.shelf(CHANGED).get(guid) or {}
        self._platform.shelf(CHANGED).put(guid, {**held, **values})

    def delete(self, device: Device) -> None:
        """Remove a device, and those behind it."""
        for child in tuple(self.children(device)):
            self.delete(child)
        self._remove(device)
        if not self._platform.shelf(MADE).drop(device.guid.lower()):
            self._platform.shelf(CHANGED).put(device.guid.lower(), {"deleted": True})


def _apply(device: Device, change: Json) -> None:
    for name, value in change.items():
        setattr(device, name, value)


def registry(platform: Platform) -> Registry:
    """The devices of a sandbox as they are now."""
    return platform.cached("registry", lambda: Registry(platform))


def device_of(platform: Platform, guid: str, param: str = "deviceGuid") -> Device:
    """The device with a GUID; 409."""
    found = registry(platform).by_guid(guid)
    if found is None:
        raise conflict(param, f"There is no device {guid}.")
    return found


def unique_of(platform: Platform, unique: str, param: str = "uniqueId") -> Device:
    """The device with its own id; 409."""
    found = registry(platform).by_unique(unique)
    if found is None:
        raise conflict(param, f"There is no device {unique}.")
    return found


def fleet_guid(platform: Platform, i: int) -> str:
    """The GUID of a fleet device."""
    key = stream(platform.fleet.seed, "iotconnect device", i)
    digits = f"{key:016x}{mix(key):016x}"
    return "-".join((digits[:8], digits[8:12], "4" + digits[13:16], "a" + digits[17:20], digits[20:])).upper()


def _of_fleet(platform: Platform, simulated: Simulated) -> Device:
    i = simulated.index
    template = OF_KIND[simulated.kind]
    never = platform.fleet.links.never(i)
    return Device(
        guid=fleet_guid(platform, i),
        unique=simulated.key,
        name=simulated.name,
        template=template.guid,
        entity=SITES.get(simulated.site, ROOT.guid),
        created=simulated.created,
        fleet=i,
        tag=template.tag,
        parent=None if simulated.parent is None else fleet_guid(platform, simulated.parent),
        acquired=not never,
        acquired_at=None if never else simulated.created,
    )


def _odd(platform: Platform) -> Iterable[Device]:
    """Devices with unusual ids that send unusual messages, and devices in every state."""
    created = platform.fleet.start - 20 * DAY
    depots = entity_guid("Germany", "Depot"), entity_guid("South", "Depot")
    plan: tuple[tuple[str, str, Json], ...] = (
        ("tracker 7/A", "Tracker 7 A", {"acquired": True, "acquired_at": created}),
        ("Pr\u00fcfstand-\u00e41", "Tracker on the test bench", {"acquired": True, "acquired_at": created}),
        ("tracker+8%", "Inactive tracker", {"active": False}),
        ("tracker-9", "Released tracker", {"released": True}),
        ("tracker-10", "New tracker", {}),
    )
    for number, (unique, name, more) in enumerate(plan):
        yield Device(
            guid=fixed("odd", unique),
            unique=unique,
            name=name,
            template=TRACKER.guid,
            entity=depots[number % 2],
            created=created,
            odd=number,
            **more,
        )


def properties_of(platform: Platform, device: Device, now: int) -> dict[str, str]:
    """Name to value of a device's properties."""
    if device.fleet is None:
        return device.properties
    simulated = platform.fleet[device.fleet]
    found = {
        "serial": simulated.serial,
        "model": simulated.model,
        "firmware": platform.fleet.firmware(device.fleet, now),
        "imei": simulated.imei,
        "iccid": simulated.iccid,
        "imsi": simulated.imsi,
        "msisdn": simulated.msisdn,
        "mac": simulated.mac,
        "site": simulated.site,
    }
    return found | device.properties


def connected(platform: Platform, device: Device, now: int) -> bool:
    """Whether a device is connected: the fleet's as the fleet says, others once they are acquired."""
    if not device.active or not device.acquired or device.odd == 1:
        return False
    return device.fleet is None or platform.fleet.online(device.fleet, now)
