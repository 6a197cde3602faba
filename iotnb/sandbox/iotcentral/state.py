"""The state of one running IoT Central sandbox: the world's parts, the switches, what is due when."""

import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from iotnb.sandbox.errors import SandboxError
from iotnb.sandbox.iotcentral.wire import Refused
from iotnb.sandbox.platform import BasePlatform, check_names
from iotnb.sandbox.world import Service, World

DAY = 86_400_000
SUBSCRIPTION = "4f0c8b1e-6d2a-4c57-9a3f-0e1b2c3d4e5f"
TENANT = "8a1de2c0-37b5-4e0d-b6a4-5d9f1c7e2b30"
GROUP = "IOTC"
DEFAULT_APP = "plant-explorer"
_EDITIONS = ("ga", "preview", "deprecated")


@dataclass(frozen=True, slots=True)
class Switches:
    """What a run may change about the platform."""

    edition: str = "deprecated"  # versions served: ga only, preview too, or the deprecated ones as well
    strict: bool = False  # refuse what the specification does not list
    auto_phone: bool = False  # a device whose credentials were read connects by itself as a phone
    rate: bool = False  # 1 query and 20 other calls a second for each application
    retry_after: bool = False  # whether 429 says how long to wait
    retention_days: float = 7.0
    lro: float = 0.0  # seconds for which a new application is not ready (202); 0: ready at once
    bearer_seconds: float = 3600.0
    creator_is_admin: bool = True  # whoever creates an application is its administrator
    approve_after: float | None = 0.5  # seconds after which a device code is approved; None: by hand
    poll_interval: int = 1  # seconds between two polls for a device code
    assign_seconds: float = 0.2  # that provisioning takes
    export_seconds: float = 1.0  # from notStarted to starting, and again to healthy
    export_error: bool = False  # every delivery fails
    export_period: float = 1.0  # seconds between two looks for new messages of the fleet
    ack_seconds: float = 0.5  # after which a device acknowledges a property
    command_wait: float = 0.2  # the longest wait for a device that is off line
    commands_time_out: bool = False  # no device answers a command
    presence_seconds: float = 30.0  # for which a device counts as on line after its last message
    job_seconds: float = 1.0  # that a device needs for a job's step
    overlap_rows: int = 0  # rows of a page that come again on the next one
    loop_page: bool = False  # the next page is the same one
    events: bool = True  # fleet templates hold events, and devices send them
    subscription: str = SUBSCRIPTION
    tenant: str = TENANT

    def update(self, changes: Mapping[str, Any]) -> "Switches":
        """A copy with some switches changed; SandboxError names what is not understood."""
        check_names(changes, known=[one.name for one in fields(self)])
        made = replace(self, **changes)
        if made.edition not in _EDITIONS:
            raise SandboxError(f"edition is one of {', '.join(_EDITIONS)}, not {made.edition!r}")
        return made


class Bucket:
    """So many calls a second of real time, no more; `burst` may come at once."""

    def __init__(self, rate: float, *, burst: float = 1.0) -> None:
        self._rate, self._burst = rate, max(1.0, burst)
        self._credit, self._at = self._burst, time.monotonic()

    def take(self) -> float:
        """0 if a call is allowed now, else the seconds to wait."""
        at = time.monotonic()
        self._credit = min(self._burst, self._credit + (at - self._at) * self._rate)
        self._at = at
        if self._credit < 1.0:
            return (1.0 - self._credit) / self._rate
        self._credit -= 1.0
        return 0.0


class State(BasePlatform):
    """What everything in the platform stands on: the world's parts, switches, secrets, what is due."""

    def __init__(self, world: World, service: Service) -> None:
        super().__init__(world, service)
        held = self.store.setting("server", "secret")
        self.secret: bytes = bytes.fromhex(held) if held else secrets.token_bytes(32)
        self.started = world.clock.now()
        self.keep_secret()
        self._numbers = 0
        self._switches = (repr({}), Switches())
        self.operations: dict[str, dict[str, Any]] = {}
        """Registrations with the provisioning service, by operation id."""
        self.registrations = Bucket(200 / 60, burst=200)
        self.watchers: list[Callable[[int], None]] = []
        """Called on every tick while the sandbox runs."""

    def keep_secret(self) -> None:
        """Write the server's secret to the store, so that tokens outlive a restart."""
        self.store.set("server", "secret", self.secret.hex())

    @property
    def switches(self) -> Switches:
        """The switches as they stand now; SandboxError when one of them is not understood."""
        text = repr(self.world.switches)
        if self._switches[0] != text:
            self._switches = (text, Switches().update(self.world.switches))
        return self._switches[1]

    def guid(self, *parts: object) -> str:
        """A GUID that follows from the seed and some words."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"iotnb/{self.fleet.seed}/{'/'.join(map(str, parts))}"))

    def new_guid(self) -> str:
        """A GUID that was never there."""
        return str(uuid.uuid4())

    def after(self, seconds: float, act: Callable[[int], None]) -> None:
        """Have something done after some seconds of the sandbox's clock; `act` receives the moment."""
        self.later(self.now() + int(seconds * 1000), act)

    def tick(self) -> None:
        """Do what has become due; called before every request and by the background task."""
        now = self.now()
        super().tick()
        for watch in tuple(self.watchers):
            watch(now)

    def too_fast(self, wait: float) -> Refused:
        """429, with Retry-After if the switch says so."""
        headers = {"Retry-After": str(max(1, round(wait + 0.5)))} if self.switches.retry_after else {}
        return Refused(429, "TooManyRequests", "Too many requests. Try again later.", headers=headers)
