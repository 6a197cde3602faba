"""IoTConnect in the sandbox: discovery, log-in and every module under the prefixes v1.1, v2 and v2.1.

Switches (`sandbox.start(switches={"iotconnect": {...}})`) are the fields of `state.Switches`.
"""

from typing import Any
from weakref import WeakValueDictionary

from iotnb.sandbox.iotconnect import (
    auth,
    changes,
    commands,
    devicefacts,
    devices,
    drafting,
    files,
    firmware,
    journal,
    ota,
    people,
    places,
    rules,
    telemetry,
    templateparts,
    templates,
    twins,
)
from iotnb.sandbox.iotconnect.app import App
from iotnb.sandbox.iotconnect.company import USERS
from iotnb.sandbox.iotconnect.state import Platform
from iotnb.sandbox.world import Service, World

__all__ = ["App", "create", "describe"]

ENVIRONMENT = "poc"
_CHAPTERS = (
    auth,
    changes,
    commands,
    devicefacts,
    devices,
    drafting,
    files,
    firmware,
    journal,
    ota,
    people,
    places,
    rules,
    telemetry,
    templateparts,
    templates,
    twins,
)
_platforms: WeakValueDictionary[int, Platform] = WeakValueDictionary()


def create(world: World, service: Service) -> App:
    """The ASGI application of one sandbox; solution key and passwords are made here."""
    platform = _platforms[id(world)] = Platform(world, service)
    world.on_reset.append(platform.forget)
    return App(platform, [route for chapter in _CHAPTERS for route in chapter.ROUTES])


def describe(world: World, service: Service) -> dict[str, Any]:
    """How to log in: `connect` for iotnb.connect, and the users with their roles."""
    platform = _platforms[id(world)]
    users = {
        user.email: {"password": platform.passwords[user.email], "role": user.role.name} for user in USERS
    }
    connect = {
        "discovery_url": service.base_url,
        "solution_key": platform.solution_key,
        "environment": ENVIRONMENT,
        "edition": platform.switches.edition,
        "username": USERS[0].email,
        "password": platform.passwords[USERS[0].email],
    }
    return {"connect": connect, "users": users}
