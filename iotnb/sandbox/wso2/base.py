"""The ground of a running WSO2 sandbox: its switches, the clock, the store and the fleet."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any
from zoneinfo import ZoneInfo

from iotnb.sandbox.errors import SandboxError
from iotnb.sandbox.platform import BasePlatform, check_names
from iotnb.sandbox.world import Service, World

_CHOICES: dict[str, tuple[str, ...]] = {
    "start": ("full", "fleet", "fresh"),
    "scope_profile": ("tutorial", "full"),
    "fault_format": ("xml", "json"),
    "analytics": ("on", "off"),
}


@dataclass(frozen=True, slots=True)
class Switches:
    """What a run may change about the platform."""

    start: str = "full"  # fleet: without the printed examples; fresh: only users and two device types
    strict: bool = False  # 400 for malformed input that the server takes
    server_tz: str = "UTC"  # the zone of the times that do not name one, or name it ambiguously
    token_life: float = 3600.0
    refresh_life: float = 15_552_000.0
    renew_refresh_token: bool = False  # a refresh also gives another refresh token
    reuse_token: bool = True  # a second password grant gives the living token again
    scope_profile: str = "tutorial"  # full: no scope is withheld from clients with the tutorial's tag
    refresh_drops_ios: bool = False  # a refresh loses the perm:ios scopes, as the tutorial prints it
    fault_format: str = "xml"  # json: the twin of the gateway's faults
    index_delay: float = 0.0  # seconds until a record can be read
    analytics: str = "on"  # off: events answer 500
    geo_publishing: bool = False
    default_page: int = 20
    simulate: bool = True  # the fleet's devices and some examples answer operations
    token_fault: bool = False  # the token endpoint's key manager cannot be reached
    forget_clients: int = 0  # another number: every application registered so far is gone
    rows_vanish: int = 0  # so many devices are gone once a first page of a list was read
    withhold_devices: bool = False  # device lists come without the key `devices`
    throttle: int = 0  # the next n calls are throttled, each time the number changes
    throttle_status: int = 429

    def update(self, changes: Mapping[str, Any]) -> "Switches":
        """A copy with some switches changed; SandboxError names what is not understood."""
        check_names(changes, known=[one.name for one in fields(self)])
        for name, choices in _CHOICES.items():
            if name in changes and changes[name] not in choices:
                raise SandboxError(f"{name} is one of {', '.join(choices)}, not {changes[name]!r}")
        try:
            ZoneInfo(str(changes.get("server_tz", "UTC")))
        except (KeyError, ValueError):
            raise SandboxError(
                f"server_tz is a zone such as Asia/Kolkata, not {changes['server_tz']!r}"
            ) from None
        return replace(self, **changes)


class Base(BasePlatform):
    """The world's parts and the switches; every part of the platform's state stands on it."""

    def __init__(self, world: World, service: Service) -> None:
        super().__init__(world, service)
        self._switches = (repr({}), Switches())
        self.start = self.switches.start
        """What there was at the last reset; a changed switch counts from the next one on."""

    @property
    def switches(self) -> Switches:
        """The switches as they stand now; SandboxError when one of them is not understood."""
        text = repr(self.world.switches)
        if self._switches[0] != text:
            self._switches = (text, Switches().update(self.world.switches))
        return self._switches[1]

    @property
    def fleet_size(self) -> int:
        """How many devices of the fleet are enrolled here."""
        return 0 if self.start == "fresh" else len(self.fleet)

    def after(self, seconds: float, act: Any) -> None:
        """Have something done after some seconds of the sandbox's clock; `act` receives the moment."""
        self.later(self.now() + int(seconds * 1000), act)
