"""The state of one running IoTConnect sandbox: the world's parts, the switches, what the store holds."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from iotnb.sandbox.errors import SandboxError
from iotnb.sandbox.iotconnect.company import USERS, User
from iotnb.sandbox.iotconnect.ids import fixed
from iotnb.sandbox.iotconnect.wire import PREFIXES
from iotnb.sandbox.platform import BasePlatform, check_names
from iotnb.sandbox.shelf import Shelf
from iotnb.sandbox.world import Service, World

DAY = 86_400_000
T = TypeVar("T")
_FRESH = 5_000  # milliseconds


@dataclass(frozen=True, slots=True)
class Switches:
    """What a run may change about the platform."""

    edition: str = "az"  # or aws, v1.1: what describe() says
    strict: bool = False  # basic tokens must be this server's, pages hold at most 1000 rows
    oddities: bool = True  # devices that the fleet does not have, odd messages, rejected ones
    token_life: float = 86_400.0  # seconds
    page_default: int = 10
    count_unknown: bool = False  # every list says -1
    discovery_failures: int = 0  # the first n calls of discovery get a gateway's page, 502
    discovery_null: bool = False  # discovery knows no key: data is null
    discovery_hosts: bool = True  # without a version the addresses end before /api, as v1.1 clients expect
    refresh_dead: bool = False  # no refresh token is accepted
    html_401: bool = False  # 401 with the page of a proxy
    fail_next: int = 0  # the next n calls get 500
    text_values: bool = False  # numbers in telemetry are text
    flicker: bool = False  # latest values come several times and go back now and then
    telemetry_cut: bool = False  # the history by path ends at 10000 messages and gives no token
    answer_seconds: float = 0.0  # that devices wait in addition before they answer a command

    def update(self, changes: Mapping[str, Any]) -> "Switches":
        """A copy with some switches changed; SandboxError names what is not understood."""
        check_names(changes, known=[one.name for one in fields(self)])
        made = replace(self, **changes)
        if made.edition not in PREFIXES:
            raise SandboxError(f"edition is one of {', '.join(PREFIXES)}, not {made.edition!r}")
        return made


class Platform(BasePlatform):
    """Everything a handler needs; one per sandbox and platform."""

    def __init__(self, world: World, service: Service) -> None:
        super().__init__(world, service)
        self._switches = (repr({}), Switches())
        self._shelves: dict[str, Shelf] = {}
        self.counted: dict[str, int] = {}
        """How often something happened since the switches changed: what fails only so many times."""
        self.cache: dict[str, Any] = {}
        """What was worked out from fleet and store; emptied when they are replaced."""
        self.solution_key = world.issue(secrets.token_urlsafe(24), "iotconnect: solution key")
        self.passwords = {
            user.email: world.issue(secrets.token_urlsafe(12), f"iotconnect: password of {user.email}")
            for user in USERS
        }
        self.secret = secrets.token_bytes(32)
        """Signs the links of files."""
        self.basic_tokens: dict[str, int] = {}
        """Basic token to the moment at which it ends."""
        self.refresh_tokens: dict[str, str] = {}
        """Refresh token to the user's GUID."""

    @property
    def switches(self) -> Switches:
        """The switches as they stand now; SandboxError when one of them is not understood."""
        text = repr(self.world.switches)
        if self._switches[0] != text:
            self._switches = (text, Switches().update(self.world.switches))
            self.counted.clear()
            self.cache.clear()
        return self._switches[1]

    def cached(self, name: str, make: Callable[[], T]) -> T:
        """What `make` gives, worked out once for the store, fleet and switches as they are."""
        _ = self.switches  # empties the cache when they have changed
        if name not in self.cache:
            self.cache[name] = make()
        found: T = self.cache[name]
        return found

    def fresh(self, name: str, make: Callable[[], T]) -> T:
        """What `make` gives, worked out anew after some seconds of the clock and after every change."""
        _ = self.switches
        now, held = self.now(), self.cache.get(name)
        if held is None or held[0] != self.store.version or not 0 <= now - held[1] < _FRESH:
            held = self.cache[name] = (self.store.version, now, make())
        found: T = held[2]
        return found

    def fails(self, name: str, most: int) -> bool:
        """True for the first `most` times that this is asked since the switches changed."""
        self.counted[name] = self.counted.get(name, 0) + 1
        return self.counted[name] <= most

    def shelf(self, kind: str) -> Shelf:
        """What users created or changed of a kind, by GUID in small letters."""
        if kind not in self._shelves:
            self._shelves[kind] = Shelf(self.store, kind)
        return self._shelves[kind]

    def forget(self) -> None:
        """Read everything anew after the store was emptied or the fleet replaced."""
        self._shelves.clear()
        self.cache.clear()

    def person(self, email: str, password: str) -> User | None:
        """The user with this name and password, or None."""
        user = next((one for one in USERS if one.email == email.strip().lower()), None)
        if user is None:
            return None
        known, given = self.passwords[user.email].encode(), password.encode(errors="replace")
        return user if secrets.compare_digest(known, given) else None

    def guid(self, *parts: object) -> str:
        """A GUID that follows from the seed and some words."""
        return fixed(self.fleet.seed, *parts)
