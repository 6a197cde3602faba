"""Device types: their definitions, their features, and the event definition that types their records."""

from typing import Any

from iotnb.sandbox.fleet import Kind
from iotnb.sandbox.fleet.catalog import SERIES
from iotnb.sandbox.shelf import Shelf
from iotnb.sandbox.wso2.base import Base

Json = dict[str, Any]
ANDROID, WINDOWS, FIREALARM, LAMP = "android", "windows", "firealarm", "SmartStreetLamp"
FLEET_TYPES: dict[Kind, str] = {"gateway": "gateway", "sensor": "climate_sensor", "machine": "pump"}
KIND_OF: dict[str, Kind] = {name: kind for kind, name in FLEET_TYPES.items()}
PROPERTIES = ("serial", "imei", "imsi", "iccid", "msisdn", "mac", "model", "site", "firmware", "gateway")
"""What the fleet's devices tell about themselves."""

ANDROID_CODES: dict[str, str] = {
    "DEVICE_RING": "Ring",
    "DEVICE_MUTE": "Mute",
    "REBOOT": "Reboot",
    "DEVICE_LOCATION": "Location",
    "DEVICE_INFO": "Device info",
    "APPLICATION_LIST": "Application list",
    "LOGCAT": "Logcat",
    "CLEAR_PASSWORD": "Clear password",
    "ENTERPRISE_WIPE": "Enterprise wipe",
    "DEVICE_UNLOCK": "Unlock",
    "DEVICE_LOCK": "Lock",
    "WIPE_DATA": "Wipe data",
    "CAMERA": "Camera",
    "NOTIFICATION": "Message",
    "WIFI": "Wi-Fi",
    "VPN": "VPN",
    "ENCRYPT_STORAGE": "Encrypt storage",
    "CHANGE_LOCK_CODE": "Change lock code",
    "PASSCODE_POLICY": "Passcode policy",
    "WEBCLIP": "Web clip",
    "UPGRADE_FIRMWARE": "Upgrade firmware",
}
_LAMP_EVENTS = [("power", "DOUBLE"), ("level", "INT"), ("on", "BOOL"), ("hours", "LONG")]
_FLEET_FEATURES = (
    ("reboot", "Reboot", "Restart the device"),
    ("upgrade-firmware", "Upgrade firmware", "Load and start another firmware"),
    ("configure", "Configure", "Send a configuration"),
    ("command", "Command", "Run a command in the device's shell"),
)


def _features(listed: Any) -> list[Json]:
    return [{"code": code, "name": name, "description": text} for code, name, text in listed]


def _definition(properties: Any, features: Any, text: str) -> Json:
    return {"properties": list(properties), "features": _features(features), "description": text}


def events_of(attributes: list[tuple[str, str]], transport: str) -> Json:
    """An event definition as the server keeps it."""
    listed = [{"name": name, "type": kind} for name, kind in attributes]
    return {"eventAttributes": {"attributes": listed}, "transport": transport}


class Types:
    """Device types by name; each is `{id, name, deviceTypeMetaDefinition}`."""

    def __init__(self, base: Base) -> None:
        self._base = base
        self.load()

    def load(self) -> None:
        """Read what is stored, and make the types that are there from the start."""
        self._types = Shelf(self._base.store, "type")
        self._events = Shelf(self._base.store, "eventdefinition")
        self._cached: set[str] = set()
        if self._base.store.setting("seeded", "types"):
            return
        self._base.store.set("seeded", "types", True)
        codes = [(code, name, f"{name} on the device") for code, name in ANDROID_CODES.items()]
        self.add(ANDROID, _definition(["vendor", "model", "osVersion"], codes, "Android devices"))
        self.add(WINDOWS, _definition(["osVersion"], codes[:4], "Windows devices"))
        if self._base.start == "full":
            self._add_examples()
        if self._base.start != "fresh":
            for kind, name in FLEET_TYPES.items():
                self.add(name, _definition(PROPERTIES, _FLEET_FEATURES, f"The fleet's {kind}s"))
                series = [(one.name, "DOUBLE") for one in SERIES[kind]]
                self.define(name, events_of(series, "MQTT"))

    def _add_examples(self) -> None:
        bulb = [("bulb", "Switch the bulb", "on or off"), ("ring", "Ring", "Ring the alarm")]
        self.add(FIREALARM, _definition(["buildingId", "floorId"], bulb, "Fire alarm"))
        alarm = [("temperature", "DOUBLE"), ("status", "STRING"), ("humidity", "FLOAT")]
        self.define(FIREALARM, events_of(alarm, "HTTP"))
        self.add(LAMP, _definition(["street"], [("dim", "Dim", "Set the level")], "Street lamp"))
        self.define(LAMP, events_of(_LAMP_EVENTS, "MQTT"))

    def __contains__(self, name: str) -> bool:
        return name in self._types

    def names(self) -> list[str]:
        """The names, sorted."""
        return sorted(self._types)

    def get(self, name: str) -> Json | None:
        """One type, or None."""
        found: Json | None = self._types.get(name)
        return found

    def all(self) -> list[Json]:
        """Every type, in the order in which they came."""
        return sorted(self._types.values(), key=lambda one: one["id"])

    def add(self, name: str, definition: Json) -> None:
        """A new type, or a new definition of one that is there."""
        held = self._types.get(name)
        number = held["id"] if held else self._base.store.next_ids("type")[0]
        self._types.put(name, {"id": number, "name": name, "deviceTypeMetaDefinition": definition})

    def features(self, name: str) -> list[Json]:
        """The features of a type as the server lists them."""
        listed = (self._types.get(name) or {}).get("deviceTypeMetaDefinition", {}).get("features") or []
        return [
            {
                "id": number,
                "code": one.get("code"),
                "name": one.get("name"),
                "description": one.get("description"),
                "deviceType": name,
                "metadataEntries": one.get("metadataEntries"),
            }
            for number, one in enumerate(listed, 1)
        ]

    # event definitions

    def events(self, name: str) -> Json | None:
        """The event definition of a type, or None."""
        found: Json | None = self._events.get(name)
        return found

    def attributes(self, name: str) -> list[tuple[str, str]]:
        """Names and types of a type's event attributes."""
        found = self._events.get(name)
        listed = found["eventAttributes"]["attributes"] if found else []
        return [(one["name"], one["type"]) for one in listed]

    def define(self, name: str, definition: Json) -> None:
        """Set the event definition of a type."""
        self._events.put(name, definition)
        self._cached.discard(name)

    def undefine(self, name: str) -> bool:
        """Remove the event definition of a type; False if there was none."""
        self._cached.discard(name)
        return self._events.drop(name)

    def is_cached(self, name: str) -> bool:
        """Whether a first good record was published since the definition changed."""
        return name in self._cached

    def cache(self, name: str) -> None:
        """From now on the number of a record's keys is not looked at."""
        self._cached.add(name)
