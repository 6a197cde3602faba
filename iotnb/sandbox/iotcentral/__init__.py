"""Azure IoT Central in the sandbox: control plane, data plane, identity, provisioning and device hub."""

from typing import Any
from weakref import WeakValueDictionary

from iotnb.sandbox.iotcentral import (
    arm,
    commands,
    devices,
    dps,
    enrollment,
    entra,
    exports,
    groups,
    hub,
    jobs,
    people,
    properties,
    query,
    relationships,
    scheduled,
    stored,
    telemetry,
    templates,
)
from iotnb.sandbox.iotcentral.app import App
from iotnb.sandbox.iotcentral.application import READY_TOKENS
from iotnb.sandbox.iotcentral.directory import APPS, ARM
from iotnb.sandbox.iotcentral.platform import Platform
from iotnb.sandbox.iotcentral.pump import Pump
from iotnb.sandbox.iotcentral.state import GROUP
from iotnb.sandbox.routing import Router
from iotnb.sandbox.world import Service, World

__all__ = ["App", "create", "describe"]

_CHAPTERS = (
    commands,
    devices,
    enrollment,
    exports,
    groups,
    jobs,
    people,
    properties,
    query,
    relationships,
    scheduled,
    stored,
    telemetry,
    templates,
)
_platforms: WeakValueDictionary[int, Platform] = WeakValueDictionary()


def create(world: World, service: Service) -> App:
    """The ASGI application of one sandbox."""
    platform = _platforms[id(world)] = Platform(world, service)
    world.on_reset.append(lambda: _reset(platform))
    planes = {
        "arm": Router(arm.ROUTES, fold=True),
        "data": Router([route for chapter in _CHAPTERS for route in chapter.ROUTES]),
        "entra": Router(entra.ROUTES),
        "dps": Router(dps.ROUTES),
        "hub": Router(hub.ROUTES),
    }
    platform.watchers.append(Pump(platform).look)
    return App(platform, planes)


def _reset(platform: Platform) -> None:
    """Start anew on an emptied store and perhaps another fleet; secrets and API tokens stay."""
    platform.forget_plans()
    platform.keep_secret()
    platform.operations.clear()
    platform.apps.load()


def describe(world: World, service: Service) -> dict[str, Any]:
    """How to log in: `connect` for iotnb.connect, and beside it every other credential and address."""
    platform = _platforms[id(world)]
    directory, switches, base = platform.directory, platform.switches, service.base_url
    app = platform.apps.get("")
    principals = {
        one.name: {"client_id": one.client_id, "client_secret": one.secret, "object_id": one.object_id}
        for one in directory.principals.values()
    }
    connect = {
        "app_url": base,
        "management_url": base,
        "login_url": base,
        "dps_url": base,
        "subscription": switches.subscription,
        "resource_group": GROUP,
        "directory": switches.tenant,
        "client_id": directory.explorer.client_id,
        "client_secret": directory.explorer.secret,
    }
    out: dict[str, Any] = {
        "connect": connect,
        "bearer": directory.published(APPS)[0],
        "management_bearer": directory.published(ARM)[0],
        "cli": {"application": directory.cli(APPS), "management": directory.cli(ARM)},
        "principals": principals,
        "app_url_of": f"{base}/{{subdomain}}",
    }
    if app is not None:
        out["api_tokens"] = {name: app.token(name) for name in READY_TOKENS if name in app.tokens}
        out["id_scope"] = app.id_scope
        out["application"] = {"name": app.document["name"], "subdomain": app.subdomain, "id": app.id}
    return out
