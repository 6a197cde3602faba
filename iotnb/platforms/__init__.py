"""The platforms by name; a platform's code is loaded when it is asked for."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from iotnb.errors import ConfigError

if TYPE_CHECKING:
    from iotnb.auth import Field, Method
    from iotnb.client import Client

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
    module, _, attribute = _place(name).partition(":")
    found: type[Client] = getattr(import_module(module), attribute)
    return found


def declared(name: str) -> tuple[tuple[Field, ...], tuple[Method, ...]]:
    """FIELDS and METHODS of a platform's login, without its client and what that needs."""
    module = import_module(f"{_place(name).partition(':')[0]}.auth")
    return module.FIELDS, module.METHODS


def lazily(package: str, where: Mapping[str, str]) -> Callable[[str], Any]:
    """A package's `__getattr__`: loads the module that holds a name when the name is first used.

    A name that `where` gives no module for is a module itself.
    """

    def found(name: str) -> Any:
        if name not in where:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if not where[name]:
            return import_module(f"{package}.{name}")
        return getattr(import_module(f"{package}.{where[name]}"), name)

    return found


def _place(name: str) -> str:
    known = str(name).strip().lower()
    if known not in PLATFORMS:
        near = difflib.get_close_matches(known, PLATFORMS, n=1, cutoff=0.5)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ConfigError(f"there is no platform {name!r}: use one of {', '.join(PLATFORMS)}.{hint}")
    return PLATFORMS[known]
