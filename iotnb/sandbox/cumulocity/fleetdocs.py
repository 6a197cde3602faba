"""The simulated fleet in the platform's words: managed objects, names of fragments, series and types.

Device number i is the managed object 100000 + i; the sites are device groups from 10001 on. A group of
series is one fragment and one measurement type: `environment.temperature` is `c8y_Environment.temperature`.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from iotnb.sandbox.cumulocity.wire import format_time
from iotnb.sandbox.fleet import MINUTE, Alarm, Device, Event, Fleet, Operation, Series
from iotnb.sandbox.fleet.catalog import BLOCK

FIRST_DEVICE = 100_000
FIRST_GROUP = 10_001
RESPONSE_MINUTES = 30
MANY = 2_000  # above this many devices what is expensive to compute is simplified
_SPREAD = 7_919
_SITES_SEARCHED = 1_000  # blocks of devices looked at for the names of the sites
_KEY_SCALE = 10_000_000  # ids of alarms, events, operations: key * scale + device number
_TYPES = {"gateway": "c8y_Linux", "sensor": "c8y_ClimateSensor", "machine": "c8y_Pump"}
_SPECIAL = {
    "offline": "c8y_UnavailabilityAlarm",
    "location_update": "c8y_LocationUpdate",
    "signal": "c8y_SignalStrength",
    "cpu": "c8y_CPUMeasurement",
    "memory": "c8y_MemoryMeasurement",
}
OPERATION_FRAGMENTS = {
    "restart": "c8y_Restart",
    "firmware": "c8y_Firmware",
    "configuration": "c8y_Configuration",
    "command": "c8y_Command",
}
_DESCRIPTIONS = {
    "restart": "Restart device",
    "firmware": "Update firmware",
    "configuration": "Configuration update",
    "command": "Execute shell command",
}


def word(name: str) -> str:
    """A fleet name as a fragment or type: `battery_low` becomes `c8y_BatteryLow`."""
    return _SPECIAL.get(name) or "c8y_" + "".join(part.capitalize() for part in name.split("_"))


def device_id(index: int) -> int:
    """The managed object of a fleet device."""
    return FIRST_DEVICE + index


def thing_id(device: int, key: int) -> int:
    """The id of a fleet alarm, event or operation."""
    return key * _KEY_SCALE + device


def thing_key(number: int) -> tuple[int, int] | None:
    """(device index, key) of an id of `thing_id`, or None for an id that users' documents have."""
    key, device = divmod(number, _KEY_SCALE)
    return (device, key) if key >= BLOCK else None


def numeric(series: tuple[Series, ...]) -> tuple[Series, ...]:
    """The series that a measurement can carry."""
    return tuple(one for one in series if one.kind == "number")


class FleetDocs:
    """The managed objects of a fleet, made when they are looked at."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.sites = self._sites()
        self._upgraded: set[int] = set()
        self._labels: dict[int, tuple[str, str]] = {}
        self.members = lru_cache(maxsize=None)(self._members)

    def _sites(self) -> list[str]:
        found: dict[str, None] = {}
        blocks = min(-(-len(self.fleet) // BLOCK), _SITES_SEARCHED)
        for block in range(blocks):
            found[self.fleet[block * BLOCK].site] = None
        return list(found)

    def _members(self, group: int) -> tuple[int, ...]:
        """The managed objects directly in a site's group: gateways and machines."""
        site = self.sites[group - FIRST_GROUP]
        found: list[int] = []
        for start in range(0, len(self.fleet), BLOCK):
            if self.fleet[start].site == site:
                end = min(start + BLOCK, len(self.fleet))
                found += [device_id(i) for i in range(start, end) if self.fleet.kind(i) != "sensor"]
        return tuple(found)

    def site_of(self, index: int) -> int:
        """The group of a device's site."""
        return FIRST_GROUP + self.sites.index(self.fleet[index - index % BLOCK].site)

    def parent(self, index: int) -> int | None:
        """The gateway in front of a sensor, as an index."""
        return index - index % BLOCK if self.fleet.kind(index) == "sensor" else None

    def upgraded(self, index: int, now: int) -> bool:
        """Whether the fleet's roll-out has reached a device."""
        known = index in self._upgraded or now < self.fleet[index].rollout
        if not known and self.fleet.firmware(index, now) == self.fleet[index].firmware_after:
            self._upgraded.add(index)
        return index in self._upgraded

    def labels(self, index: int) -> tuple[str, str]:
        """Name and serial number, remembered: searches ask for them again and again."""
        found = self._labels.get(index)
        if found is None:
            device = self.fleet[index]
            found = self._labels[index] = (device.name, device.serial)
        return found

    def last_seen(self, index: int, now: int) -> int | None:
        """The newest sample; the last minutes are looked at first, since most devices are on line."""
        newest: int | None = None
        for group in self.fleet.groups(index):
            times = self.fleet.times(index, group, now - 5 * MINUTE, now + 1)
            if times.size and (newest is None or times[-1] > newest):
                newest = int(times[-1])
        return self.fleet.last_seen(index, now) if newest is None else newest

    def group(self, number: int) -> dict[str, Any]:
        """The managed object of a site's group."""
        made = format_time(self.fleet.start)
        return {
            "id": str(number),
            "name": self.sites[number - FIRST_GROUP],
            "type": "c8y_DeviceGroup",
            "owner": "admin",
            "creationTime": made,
            "lastUpdated": made,
            "c8y_IsDeviceGroup": {},
        }


def _software(device: Device) -> list[dict[str, str]]:
    return [
        {"name": "agent", "version": "3.4.5", "url": ""},
        {"name": f"{device.model.lower()}-driver", "version": "1.2.0", "url": ""},
    ]


class FleetObject(Mapping[str, Any]):
    """One fleet device as a managed object; each fragment is made only when it is asked for."""

    __slots__ = ("_now", "_online", "docs", "index")

    def __init__(self, docs: FleetDocs, index: int, now: int) -> None:
        self.docs = docs
        self.index = index
        self._now = now
        self._online: bool | None = None

    def __getitem__(self, key: str) -> Any:
        if key == "id":
            return str(FIRST_DEVICE + self.index)
        if key not in self._keys():
            raise KeyError(key)
        return _MAKE[key](self)

    def whole(self) -> dict[str, Any]:
        """Every fragment that has a value, as a new dict."""
        made = ((key, _MAKE[key](self)) for key in self._keys())
        return {key: value for key, value in made if value is not None}

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys())

    def __len__(self) -> int:
        return len(self._keys())

    def _keys(self) -> tuple[str, ...]:
        return KEYS[self.docs.fleet.kind(self.index)]

    @property
    def device(self) -> Device:
        """The fleet's own record."""
        return self.docs.fleet[self.index]

    def last_updated(self) -> int:
        """The last change of the document: creation or the roll-out of the new firmware."""
        device = self.device
        return device.rollout if self.docs.upgraded(self.index, self._now) else device.created

    def firmware(self) -> dict[str, str]:
        """c8y_Firmware as it is now."""
        device = self.device
        new = self.docs.upgraded(self.index, self._now)
        model, version = device.model.lower(), device.firmware_after if new else device.firmware_before
        url = f"https://firmware.example.com/{model}/{version}.bin"
        return {"name": f"{model}-firmware", "version": version, "url": url}

    def is_online(self) -> bool:
        """Whether the device is connected now; worked out once."""
        if self._online is None:
            self._online = self.docs.fleet.online(self.index, self._now)
        return self._online

    def availability(self) -> dict[str, str] | None:
        """c8y_Availability; None for a device that never reported.

        In a large fleet a connected device reported at some moment of the last minute: which one is told
        by /availability, since working it out for every device of a page would take most of the time.
        """
        if len(self.docs.fleet) > MANY and self.is_online():
            seen: int | None = self._now - self.index * _SPREAD % MINUTE
        else:
            seen = self.docs.last_seen(self.index, self._now)
        if seen is None:
            return None
        fresh = self._now - seen <= RESPONSE_MINUTES * MINUTE
        return {"status": "AVAILABLE" if fresh else "UNAVAILABLE", "lastMessage": format_time(seen)}

    def connection(self) -> dict[str, str]:
        """c8y_Connection as it is now."""
        return {"status": "CONNECTED" if self.is_online() else "DISCONNECTED"}


_MAKE: dict[str, Callable[[FleetObject], Any]] = {
    "id": lambda o: str(FIRST_DEVICE + o.index),
    "name": lambda o: o.docs.labels(o.index)[0],
    "type": lambda o: _TYPES[o.docs.fleet.kind(o.index)],
    "owner": lambda o: "device_" + o.docs.labels(o.index)[1],
    "creationTime": lambda o: format_time(o.device.created),
    "lastUpdated": lambda o: format_time(o.last_updated()),
    "c8y_IsDevice": lambda _: {},
    "com_cumulocity_model_Agent": lambda _: {},
    "c8y_SupportedOperations": lambda _: [*OPERATION_FRAGMENTS.values()],
    "c8y_Hardware": lambda o: {
        "model": o.device.model,
        "serialNumber": o.device.serial,
        "revision": "1.0",
    },
    "c8y_Firmware": lambda o: o.firmware(),
    "c8y_SoftwareList": lambda o: _software(o.device),
    "c8y_Configuration": lambda _: {"config": "report.interval=60\nlog.level=INFO\n"},
    "c8y_Mobile": lambda o: {
        "imei": o.device.imei,
        "iccid": o.device.iccid,
        "imsi": o.device.imsi,
        "msisdn": o.device.msisdn,
    },
    "c8y_Network": lambda o: {"c8y_LAN": {"mac": o.device.mac, "name": "eth0", "enabled": 1}},
    "c8y_Position": lambda o: {"lat": o.device.latitude, "lng": o.device.longitude, "alt": 40.0},
    "c8y_RequiredAvailability": lambda _: {"responseInterval": RESPONSE_MINUTES},
    "c8y_Availability": lambda o: o.availability(),
    "c8y_Connection": lambda o: o.connection(),
}
_ALL = tuple(_MAKE)
_LEAF = tuple(k for k in _ALL if k not in ("com_cumulocity_model_Agent", "c8y_Mobile", "c8y_SoftwareList"))
KEYS: dict[str, tuple[str, ...]] = {"gateway": _ALL, "machine": _ALL, "sensor": _LEAF}
EVERYWHERE = frozenset(_LEAF) - {"c8y_Availability"}
ANYWHERE = frozenset(_ALL) | {"c8y_ActiveAlarmsStatus"}
TYPES = frozenset(_TYPES.values())


def alarm_document(found: Alarm) -> dict[str, Any]:
    """A fleet alarm without source, id and links."""
    status = "CLEARED" if found.cleared is not None else "ACTIVE"
    document: dict[str, Any] = {
        "type": word(found.type) if found.type in _SPECIAL else word(found.type) + "Alarm",
        "text": found.text,
        "severity": found.severity,
        "status": status,
        "time": format_time(found.time),
        "creationTime": format_time(found.time),
        "lastUpdated": format_time(found.time if found.cleared is None else found.cleared),
        "count": found.count,
    }
    if found.count > 1:
        document["firstOccurrenceTime"] = document["time"]
    return document


def event_document(found: Event) -> dict[str, Any]:
    """A fleet event without source, id and links; the data stand in a fragment named by the type."""
    made = format_time(found.time)
    kind = word(found.type)
    if found.type == "location_update":
        data = found.data
        position = {"lat": data.get("latitude"), "lng": data.get("longitude"), "alt": data.get("altitude")}
        extra: dict[str, Any] = {"c8y_Position": position}
    else:
        extra = {kind: found.data}
    return {
        "type": kind,
        "text": found.text,
        "time": made,
        "creationTime": made,
        "lastUpdated": made,
        **extra,
    }


def operation_document(found: Operation, now: int) -> dict[str, Any]:
    """A fleet operation without device, id and links, in the state of this moment."""
    fragment = dict(found.parameters)
    status = found.status(now)
    if found.kind == "command" and status == "SUCCESSFUL":
        fragment["result"] = "done"
    document: dict[str, Any] = {
        "creationTime": format_time(found.created),
        "status": status,
        "description": _DESCRIPTIONS[found.kind],
        OPERATION_FRAGMENTS[found.kind]: fragment,
    }
    if status == "FAILED":
        document["failureReason"] = found.failure
    return document
