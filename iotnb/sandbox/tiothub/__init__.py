"""T IoT Hub in the sandbox: token endpoint, device management (oneM2M) and connection management.

Switches (`sandbox.start(switches={"tiothub": {...}})`) are the fields of `state.Switches`.
"""

from typing import Any

from iotnb.sandbox.tiothub import commands, groups, lifecycle, provisioning
from iotnb.sandbox.tiothub.app import App
from iotnb.sandbox.tiothub.clients import FORM, SEEDED_IDS, urls
from iotnb.sandbox.tiothub.platform import Platform
from iotnb.sandbox.tiothub.signing import RS256
from iotnb.sandbox.tiothub.state import TENANT
from iotnb.sandbox.world import Service, World

__all__ = ["App", "create", "describe"]

ORIGIN = "Ciotnb"
_WHAT = "tiothub: secret of "


def create(world: World, service: Service) -> App:
    """The ASGI application of one sandbox; client secrets are made here."""
    world.tokens.signer = RS256()
    platform = Platform(world, service)
    _resume(platform)
    world.on_reset.append(lambda: _reset(platform))
    return App(platform)


def _resume(platform: Platform) -> None:
    """Go on with what a data file holds as open."""
    for part in (commands, provisioning, groups, lifecycle):
        part.resume(platform)


def _reset(platform: Platform) -> None:
    """Start anew on an emptied store and perhaps another fleet; the secrets that every run has stay."""
    platform.forget_plans()
    platform.tree.load()
    platform.messages.load()
    platform.products.load()
    platform.notifier.forget()
    platform.outbox.log.clear()


def describe(world: World, service: Service) -> dict[str, Any]:
    """How to log in: `connect` for iotnb.connect, the other accesses, and the form that adds one."""
    secrets = {
        what.removeprefix(_WHAT): secret
        for secret, what in world.secrets.all().items()
        if what.startswith(_WHAT)
    }
    newer = world.switches.get("edition") in ("2026", 2026)
    accesses = {
        name: {"client_id": client_id, "client_secret": secrets[name]}
        for name, client_id in SEEDED_IDS.items()
        if name in secrets
    }
    common = {**urls(service.base_url), "tenant": TENANT, "origin": ORIGIN, "application_type": "Niotnb"}
    own = (
        {**accesses["newer"], "client_authentication": "basic"}
        if newer
        else {
            **accesses["tutorial"],
            "client_authentication": "form",
            "scope": "openid email profile",
        }
    )
    connect = {**common, **own}
    if service.tls and service.ca_file is not None:
        connect["ca_file"] = str(service.ca_file)
    return {
        "connect": connect,
        "accesses": accesses,
        "application_access_url": f"{service.base_url}/{FORM}",
        "deliveries_url": f"{service.base_url}/{FORM}/deliveries",
    }
