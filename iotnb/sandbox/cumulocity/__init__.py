"""Cumulocity in the sandbox: its REST API over the simulated fleet and over what users create."""

from collections.abc import Iterable
from typing import Any

from iotnb.sandbox.cumulocity import (
    alarms,
    audit,
    auth,
    binaries,
    bulk,
    certificates,
    children,
    directory,
    events,
    groups,
    identity,
    inventory,
    measurements,
    operations,
    realtime,
    registration,
    roots,
    series,
    tenant,
    users,
)
from iotnb.sandbox.cumulocity.access import Access
from iotnb.sandbox.cumulocity.app import App, Route
from iotnb.sandbox.cumulocity.directory import BOOTSTRAP, TOTP_SECRET, Directory
from iotnb.sandbox.cumulocity.history import History
from iotnb.sandbox.cumulocity.identity import Identities
from iotnb.sandbox.cumulocity.lanes import Measured
from iotnb.sandbox.cumulocity.objects import Objects
from iotnb.sandbox.cumulocity.realtime import Hub
from iotnb.sandbox.cumulocity.simulate import resume
from iotnb.sandbox.cumulocity.state import MANAGEMENT, TENANT, Platform
from iotnb.sandbox.world import Service, World

__all__ = ["MUTUAL_TLS", "App", "create", "describe"]

MUTUAL_TLS = True  # the device access token has a port of its own that demands a client certificate

_CHAPTERS = (
    alarms,
    audit,
    auth,
    binaries,
    bulk,
    certificates,
    children,
    events,
    groups,
    identity,
    inventory,
    measurements,
    operations,
    realtime,
    registration,
    roots,
    series,
    tenant,
    users,
)


def create(world: World, service: Service) -> App:
    """The ASGI application of one sandbox; users and passwords are made here."""
    platform = Platform(world, service)
    platform.hub = Hub(platform)
    platform.objects = Objects(platform)
    platform.identities = Identities(platform)
    platform.measured = Measured(platform)
    platform.history = History(platform)
    platform.access = Access(platform)
    platform.directory = Directory(platform)
    tenant.seed(platform)
    if platform.switches.strict:  # looked at here so that a wrong switch stops the start
        platform.say("strict mode: vendor types, state changes and times are checked")
    resume(platform)
    bulk.resume(platform)
    world.on_reset.append(lambda: _reset(platform))
    routes: Iterable[Route] = [route for chapter in _CHAPTERS for route in chapter.ROUTES]
    return App(platform, routes)


def _reset(platform: Platform) -> None:
    """Start anew on an emptied store and perhaps another fleet; the users' passwords stay."""
    platform.forget_plans()
    platform.hub.forget()
    platform.cache.clear()
    platform.objects = Objects(platform)
    for part in (platform.identities, platform.measured, platform.history):
        part.load()
    platform.directory.seed()
    tenant.seed(platform)
    certificates.distrust_all(platform)


def describe(world: World, service: Service) -> dict[str, Any]:
    """How to log in: `connect` for iotnb.connect, `bootstrap` for devices, and the other users."""
    passwords = directory.passwords(world)
    users = {
        name: {"tenant": TENANT, "username": name, "password": passwords[name]}
        for name in ("admin", "reader", "restricted", "totp", "sms")
    }
    users["totp"]["totp_secret"] = TOTP_SECRET
    connect = {"base_url": service.base_url, **users["admin"]}
    if service.tls and service.ca_file is not None:
        connect["ca_file"] = str(service.ca_file)
    bootstrap = {"tenant": MANAGEMENT, "username": BOOTSTRAP, "password": passwords[BOOTSTRAP]}
    return {"connect": connect, "bootstrap": bootstrap, "users": users}
