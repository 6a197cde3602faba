"""The platforms by name; a platform's code is loaded when it is asked for."""

from __future__ import annotations

import difflib
from importlib import import_module

from iotnb.client import Client
from iotnb.errors import ConfigError

PLATFORMS = {
    "cumulocity": "iotnb.platforms.cumulocity:Cumulocity",
    "tiothub": "iotnb.platforms.tiothub:TIoTHub",
    "iotcentral": "iotnb.platforms.iotcentral:IotCentral",
    "wso2": "iotnb.platforms.wso2:WSO2",
    "iotconnect": "iotnb.platforms.iotconnect:IoTConnect",
}
"""Name -> where its class is."""

TITLES = {
    "cumulocity": "Cumulocity",
    "tiothub": "T IoT Hub",
    "iotcentral": "Azure IoT Central",
    "wso2": "WSO2 IoT Server",
    "iotconnect": "IoTConnect",
}
"""Name -> title, as the class has it too: a list of platforms need not load them all."""


def load(name: str) -> type[Client]:
    """The client class of a platform; raises ConfigError that lists the names if there is none."""
    known = str(name).strip().lower()
    if known not in PLATFORMS:
        near = difflib.get_close_matches(known, PLATFORMS, n=1, cutoff=0.5)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ConfigError(f"there is no platform {name!r}: use one of {', '.join(PLATFORMS)}.{hint}")
    module, _, attribute = PLATFORMS[known].partition(":")
    found: type[Client] = getattr(import_module(module), attribute)
    return found
