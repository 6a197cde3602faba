"""The state of one running T IoT Hub sandbox: the world's parts and the switches."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from iotnb.sandbox.errors import SandboxError
from iotnb.sandbox.platform import BasePlatform, check_names
from iotnb.sandbox.world import Service, World

TENANT = "eos"
REALM = "iothub"
DMO = "device-management-orchestrator"
CMO = "connection-management-orchestrator"
_CHOICES: dict[str, tuple[str, ...]] = {
    "edition": ("2023", "2026"),
    "paging": ("", "dmo", "skip", "one-based"),
    "vocabulary": ("", "short", "mixed", "long"),
}


@dataclass(frozen=True, slots=True)
class Switches:
    """What a run may change about the platform; see `update` for the values allowed."""

    edition: str = "2023"  # or 2026: gateway token, rvi 4, result codes, long names in some answers
    strict: bool = False  # a standard oneM2M CSE on the device management side
    paging: str = ""  # dmo, skip or one-based; by default dmo, strict: one-based
    vocabulary: str = ""  # short, mixed or long; by default short, edition 2026: mixed
    plain: bool = False  # lim, ofst, fu, lvl and the filters by time are ignored
    limit_cap: int = 0  # pages are silently cut to this many rows; 0: never
    token_ttl: float = 300.0
    retention: int = 10_000  # messages that a container holds
    broken_messages: bool = True  # some devices send what cannot be decoded
    provisioning_seconds: float = 1.0
    monitor_seconds: float = 3.0
    monitor_never_ends: bool = False
    monitor_fails: bool = False  # every SIM change that has a monitor fails
    backend_rate: float = 10.0  # requests per second that the backend 1NCE allows
    find_fails_every: int = 0  # every n-th id of a find is answered with an error
    next_link: bool = False  # product lists hold a link to the next page
    repeat_page: bool = False  # the second page of a list is the first one again
    empty_first_page: bool = False
    webhook_attempts: int = 3
    webhook_pause: float = 0.2  # seconds before the second attempt; doubles

    def update(self, changes: Mapping[str, Any]) -> "Switches":
        """A copy with some switches changed; SandboxError names what is not understood."""
        check_names(changes, known=[one.name for one in fields(self)])
        for name, value in changes.items():
            choices = _CHOICES.get(name)
            if choices is not None and str(value) not in choices:
                raise SandboxError(f"{name} is one of {', '.join(filter(None, choices))}, not {value!r}")
        changes = {name: str(value) if name in _CHOICES else value for name, value in changes.items()}
        return replace(self, **changes)

    @property
    def dialect(self) -> str:
        """The way of paging in force."""
        return self.paging or ("one-based" if self.strict else "dmo")

    @property
    def words(self) -> str:
        """The vocabulary of answers in force."""
        newer = self.edition == "2026" and not self.strict
        return self.vocabulary or ("mixed" if newer else "short")

    @property
    def release(self) -> str:
        """X-M2M-RVI of the answers."""
        return "3" if self.edition == "2023" or self.strict else "4"


class State(BasePlatform):
    """What everything in the platform stands on: the world's parts and the switches."""

    def __init__(self, world: World, service: Service) -> None:
        super().__init__(world, service)
        self._switches = (repr({}), Switches())

    @property
    def switches(self) -> Switches:
        """The switches as they stand now; SandboxError when one of them is not understood."""
        text = repr(self.world.switches)
        if self._switches[0] != text:
            self._switches = (text, Switches().update(self.world.switches))
        return self._switches[1]
