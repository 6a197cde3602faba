"""Device twins: what devices report, what is wanted of them, and how they acknowledge it.

Nothing runs in the background: a written property carries the moment of its writing, and whether and when
the device acknowledged it follows from that moment, the device's connection, and its character.
"""

from typing import Any, Literal

import numpy as np

from iotnb.sandbox.fleet.noise import stream, unit
from iotnb.sandbox.iotcentral.application import Application
from iotnb.sandbox.iotcentral.dtdl import Model, Part, types_of
from iotnb.sandbox.iotcentral.lanes import simulated
from iotnb.sandbox.iotcentral.registry import Device
from iotnb.sandbox.wire import iso

Json = dict[str, Any]
Character = Literal["accepts", "slow", "silent", "refuses"]
_INFORMATION = {"manufacturer": "Contoso", "osName": "Linux", "processorManufacturer": "Contoso Silicon"}


def is_cloud(item: Json) -> bool:
    """True for properties that live in the application and never reach the device."""
    return "Cloud" in types_of(item)


def character(app: Application, device: Device) -> Character:
    """How a device deals with wanted properties: most accept; some answer late, never, or with an error."""
    if device.fleet is None:
        return "accepts"
    share = unit(stream(app.platform.fleet.seed, "twin", device.fleet))
    return "accepts" if share < 0.7 else "slow" if share < 0.8 else "silent" if share < 0.9 else "refuses"


class Twin:
    """The properties of one device as they stand now."""

    def __init__(self, app: Application, device: Device) -> None:
        self.app = app
        self.device = device
        self.model: Model | None = app.model(device.template)
        self._held: Json = app.twins.get(device.id) or {}

    # reading

    def part(self, module: str, component: str) -> Json:
        """The properties of one interface, flat, with their `$metadata`."""
        model = self.model.modules.get(module) if self.model and module else self.model
        part = None if model is None else model.part(component)
        path = f"{module}/{component}"
        states = self._given(module, part) if part is not None else {}
        for name, held in self._held.get(path, {}).items():
            states[name] = self._after(states.get(name, {}), held)
        out: Json = {name: state["value"] for name, state in states.items() if state.get("value") is not None}
        metadata = {name: _metadata(state) for name, state in states.items()}
        metadata = {name: one for name, one in metadata.items() if one}
        return {**out, "$metadata": metadata} if metadata or out else {}

    def whole(self, module: str = "") -> Json:
        """All interfaces: components nested, the root's properties beside them."""
        model = self.model.modules.get(module) if self.model and module else self.model
        if model is None:
            return {}
        out = self.part(module, "")
        for name in model.components:
            found = self.part(module, name)
            if found:
                out[name] = found
        return out

    def value(self, path: str) -> Any:
        """The value of `name` or `component.name`, or None."""
        component, _, name = path.rpartition(".")
        return self.part("", component).get(name)

    def _given(self, module: str, part: Part) -> dict[str, Json]:
        """What a device reports by itself."""
        device = self.device
        if device.fleet is not None:
            return self._of_fleet(device.fleet, module, part)
        if not device.held.get("provisioned") or device.template is None:
            return {}
        at = device.held["created"]
        values = {}
        for name, item in part.properties.items():
            wanted = "Initialized" in types_of(item)
            if item.get("writable") or is_cloud(item):
                if wanted and "initialValue" in item:
                    values[name] = {"desired": item["initialValue"], "version": 1, "at": at}
                continue
            values[name] = {"value": self._sample(part, name, item), "at": at}
        return values

    def _sample(self, part: Part, name: str, item: Json) -> Any:
        if name in _INFORMATION:
            return _INFORMATION[name]
        known = {
            "model": "Phone",
            "swVersion": "1.0",
            "processorArchitecture": "arm64",
            "serialNumber": self.device.id,
        }
        sizes = {"totalStorage": 64_000_000, "totalMemory": 4_000_000}
        if name in known or name in sizes:
            return known.get(name, sizes.get(name))
        key = stream(self.app.platform.fleet.seed, f"twin {self.device.id} {part.name}.{name}")
        times = np.array([self.device.held["created"]], dtype=np.int64)
        return simulated(part.schema(item), item, name, key, times).tolist()[0]

    def _of_fleet(self, i: int, module: str, part: Part) -> dict[str, Json]:
        fleet = self.app.platform.fleet
        if fleet.links.never(i):
            return {}
        device, now = fleet[i], self.app.platform.now()
        at = max(fleet.start, device.created)
        if module:
            values: Json = {"version": "3.1.4"} if part is self._module_root(module) else {"usedMB": 118.5}
            return {name: {"value": value, "at": at} for name, value in values.items()}
        if part.name == "settings":
            return self._settings(at)
        if part.name == "device_info":
            firmware = fleet.firmware(i, now)
            changed = device.rollout if firmware == device.firmware_after else at
            texts = {**_INFORMATION, "model": device.model, "processorArchitecture": "arm64"}
            sizes = {"totalStorage": 8_000_000.0, "totalMemory": 1_000_000.0}
            found = {name: {"value": value, "at": at} for name, value in (texts | sizes).items()}
            return found | {"swVersion": {"value": firmware, "at": changed}}
        if part.name:
            return {}
        names = ("imei", "iccid", "imsi", "msisdn", "mac", "site")
        found = {name: {"value": getattr(device, name), "at": at} for name in names}
        found["serialNumber"] = {"value": device.serial, "at": at}
        found["installed"] = {"value": iso(device.created), "at": device.created}
        for name in ("site", "installed"):
            found[name]["cloud"] = True
        return found

    def _module_root(self, module: str) -> Part | None:
        return None if self.model is None else self.model.modules[module].root

    def _settings(self, at: int) -> dict[str, Json]:
        """The settings that somebody wrote to the whole fleet, and how this device took them."""
        wanted = {"desired": 60, "version": 3, "at": at}
        level = {"value": "info", "desired": "info", "version": 1, "at": at, **_ack(200, 1, "Processed")}
        kind = character(self.app, self.device)
        interval: Json = {
            "accepts": {"value": 60, **wanted, **_ack(200, 3, "Processed")},
            "slow": {"value": 300, **wanted, **_ack(200, 1, "Processed")},
            "silent": {"value": 300, **wanted},
            "refuses": {"value": 300, **wanted, **_ack(400, 3, "Value out of range")},
        }[kind]
        return {"reportInterval": interval, "logLevel": level}

    def _after(self, state: Json, held: Json) -> Json:
        """A property after what a user wrote to it."""
        if held.get("cloud"):
            return {"value": held["desired"], "at": held["at"], "cloud": True}
        if held["desired"] is None:
            gone: tuple[str, ...] = ("desired", "version", "code", "ackVersion", "description")
            return {name: value for name, value in state.items() if name not in gone}
        new = {"value": state.get("value"), "desired": held["desired"], "version": held["version"]}
        new["at"] = held["at"]
        old: Json = {name: state[name] for name in ("code", "ackVersion", "description") if name in state}
        app, kind = self.app, character(self.app, self.device)
        since = app.registry.reachable(self.device, held["at"])
        due = None if since is None else since + int(app.platform.switches.ack_seconds * 1000)
        if kind in ("silent", "slow") or due is None or due > app.platform.now():
            return {**new, **old}
        if kind == "refuses":
            return {**new, **_ack(400, held["version"], "Value out of range")}
        return {**new, "value": held["desired"], **_ack(200, held["version"], "Processed"), "at": due}

    # writing

    def version(self, module: str, component: str, name: str) -> int:
        """The version that the next wanted value gets."""
        found = self.part(module, component).get("$metadata", {}).get(name, {})
        return int(found.get("desiredVersion", 0)) + 1

    def write(self, module: str, component: str, values: Json, *, cloud: frozenset[str]) -> None:
        """Take wanted values; None takes one back."""
        path, now = f"{module}/{component}", self.app.platform.now()
        old = self._held.get(path, {})
        new = {
            name: {"desired": value, "at": now, "version": self.version(module, component, name)}
            | ({"cloud": True} if name in cloud else {})
            for name, value in values.items()
        }
        self._held = {**self._held, path: {**old, **new}}
        self.app.twins.put(self.device.id, self._held)

    def written(self, module: str, component: str) -> set[str]:
        """The names for which a value is wanted now."""
        metadata = self.part(module, component).get("$metadata", {})
        return {name for name, one in metadata.items() if "desiredValue" in one}


def _ack(code: int, version: int, description: str) -> Json:
    return {"code": code, "ackVersion": version, "description": description}


def _metadata(state: Json) -> Json:
    out: Json = {}
    if "desired" in state:
        out["desiredValue"], out["desiredVersion"] = state["desired"], state["version"]
    if "at" in state and not state.get("cloud"):
        out["lastUpdateTime"] = iso(state["at"], 7)
    if "code" in state:
        out["ackCode"], out["ackVersion"] = state["code"], state["ackVersion"]
        out["ackDescription"] = state["description"]
    return out
