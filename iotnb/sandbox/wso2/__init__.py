"""WSO2 IoT Server 3.2.0 in the sandbox: application registration, tokens, device management, Android, agents.

Switches (`sandbox.start(switches={"wso2": {...}})`) are the fields of `base.Switches`.
"""

from typing import Any
from weakref import WeakValueDictionary

from iotnb.sandbox.world import Service, World
from iotnb.sandbox.wso2 import (
    activities,
    agent,
    android,
    devices,
    devicetypes,
    events,
    examples,
    geo,
    groups,
    notifications,
    operations,
    people,
    policies,
    roles,
    search,
    settings,
)
from iotnb.sandbox.wso2.accounts import EXPLORER
from iotnb.sandbox.wso2.app import App
from iotnb.sandbox.wso2.state import Platform

__all__ = ["App", "create", "describe"]

_CHAPTERS = (
    activities,
    agent,
    android,
    devices,
    devicetypes,
    events,
    geo,
    groups,
    notifications,
    operations,
    people,
    policies,
    roles,
    search,
    settings,
)
_platforms: WeakValueDictionary[int, Platform] = WeakValueDictionary()


def create(world: World, service: Service) -> App:
    """The ASGI application of one sandbox; the explorer's password is made here."""
    platform = _platforms[id(world)] = Platform(world, service)
    examples.seed(platform)
    platform.resume()
    world.on_reset.append(lambda: _reset(platform))
    return App(platform, [route for chapter in _CHAPTERS for route in chapter.ROUTES])


def _reset(platform: Platform) -> None:
    """Start anew on an emptied store and perhaps another fleet."""
    platform.reload()
    examples.seed(platform)


def describe(world: World, service: Service) -> dict[str, Any]:
    """How to log in: `connect` for iotnb.connect; beside it the users whose passwords everybody knows."""
    platform = _platforms[id(world)]
    password = platform.accounts.explorer_password
    connect = {"base_url": service.base_url, "username": EXPLORER, "password": password}
    zone = platform.switches.server_tz
    known = ("admin", "user111")
    return {
        "connect": connect if zone == "UTC" else {**connect, "server_tz": zone},
        "users": {name: {"username": name, "password": name} for name in known},
    }
