"""The state of one running Cumulocity sandbox: the world's parts, the switches, the stores, the ticker."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import tzinfo
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, available_timezones

from iotnb.sandbox.cumulocity.wire import Refused
from iotnb.sandbox.errors import SandboxError
from iotnb.sandbox.platform import BasePlatform, check_names
from iotnb.sandbox.world import Service, World

if TYPE_CHECKING:
    from iotnb.sandbox.cumulocity.access import Access
    from iotnb.sandbox.cumulocity.directory import Directory
    from iotnb.sandbox.cumulocity.history import History
    from iotnb.sandbox.cumulocity.identity import Identities
    from iotnb.sandbox.cumulocity.lanes import Measured
    from iotnb.sandbox.cumulocity.objects import Objects
    from iotnb.sandbox.cumulocity.realtime import Hub

_log = logging.getLogger(__name__)
TENANT = "test"
MANAGEMENT = "management"
EDITIONS = ("10.15", "2024", "2025", "2026", "latest")
DAY = 86_400_000
_CACHE_BYTES = 64 * 1024 * 1024
FIRST_IDS = {
    # where the ids of what users create begin: the numbers of the tutorial
    "object": 2480300,
    "operation": 2593101,
    "alarm": 214600,
    "measurement": 1001,
    "event": 1001,
    "audit": 1001,
    "bulk": 1,
    "retention": 10,
}


@dataclass(frozen=True, slots=True)
class Switches:
    """What a run may change about the platform; see `update` for the values allowed."""

    edition: str = "latest"
    persistence: str = "legacy"  # or timeseries
    strict: bool = False
    credentials_status: int = 201  # or 200
    scan_budget: int = 0  # documents that a restricted user's request scans; 0: 10 x max(pageSize, 100)
    retention: bool = False  # delete what the retention rules say
    hold_seconds: float = 20.0  # how long a real-time connect without advice is held
    without_children: bool = True  # the feature toggle: withChildren defaults to false (edition 2026 on)
    short_rows: bool = False  # series rows end early instead of holding null
    zone: str = ""  # the platform's zone in the times of measurements, such as Europe/Berlin; empty: UTC
    late_delete_seconds: float = 0.0  # deletes take effect this much later
    oai_secure: bool = True  # whether the login options offer OAI-Secure
    lose_clients: bool = False  # Bayeux forgets every client at its next connect

    def update(self, changes: Mapping[str, Any]) -> "Switches":
        """A copy with some switches changed; SandboxError names what is not understood."""
        check_names(changes, known=[one.name for one in fields(self)])
        made = replace(self, **changes)
        for one in fields(self):
            wanted, found = type(one.default), getattr(made, one.name)
            if type(found) is not wanted and not (wanted is float and type(found) is int):
                raise SandboxError(f"switch {one.name} is {wanted.__name__}, not {found!r}")
        if made.edition not in EDITIONS:
            raise SandboxError(f"edition is one of {', '.join(EDITIONS)}, not {made.edition!r}")
        if made.persistence not in ("legacy", "timeseries"):
            raise SandboxError(f"persistence is legacy or timeseries, not {made.persistence!r}")
        if made.credentials_status not in (200, 201):
            raise SandboxError(f"credentials_status is 200 or 201, not {made.credentials_status!r}")
        if made.zone and made.zone not in available_timezones():
            raise SandboxError(f"zone is a name such as Europe/Berlin, not {made.zone!r}")
        return made

    @property
    def tz(self) -> tzinfo | None:
        """The platform's zone, None for UTC."""
        return ZoneInfo(self.zone) if self.zone else None

    def since(self, edition: str) -> bool:
        """Whether the edition in force is this one or a later one."""
        return EDITIONS.index(self.edition) >= EDITIONS.index(edition)

    @property
    def revert_default(self) -> bool:
        """What `revert` means for measurements and series when it is not given."""
        return self.persistence == "timeseries" and self.since("2026")

    @property
    def with_children_default(self) -> bool:
        """What `withChildren` means when it is not given."""
        return not (self.since("2026") and self.without_children)


class Cache:
    """Rendered pages by what they depend on; the oldest go when the bytes are too many."""

    def __init__(self, most_bytes: int = _CACHE_BYTES) -> None:
        self._most = most_bytes
        self._held: OrderedDict[Hashable, bytes] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable) -> bytes | None:
        """A page, which counts as used now."""
        found = self._held.get(key)
        if found is not None:
            self._held.move_to_end(key)
        return found

    def put(self, key: Hashable, page: bytes) -> None:
        """Keep a page."""
        if key in self._held or len(page) > self._most:
            return
        self._held[key] = page
        self._bytes += len(page)
        while self._bytes > self._most:
            self._bytes -= len(self._held.popitem(last=False)[1])

    def clear(self) -> None:
        """Forget every page."""
        self._held.clear()
        self._bytes = 0


class Platform(BasePlatform):
    """Everything a handler needs; one per sandbox and platform."""

    objects: "Objects"
    directory: "Directory"
    access: "Access"
    hub: "Hub"
    identities: "Identities"
    measured: "Measured"
    history: "History"

    def __init__(self, world: World, service: Service) -> None:
        super().__init__(world, service)
        self.cache = Cache()
        self.lock = threading.RLock()
        self._latest = 0
        self._switches = (repr(None), Switches())

    @property
    def switches(self) -> Switches:
        """The switches as they stand now; SandboxError when one of them is not understood."""
        text = repr(self.world.switches)
        if self._switches[0] != text:
            self._switches = (text, Switches().update(self.world.switches))
            self.cache.clear()
        return self._switches[1]

    def say(self, text: str) -> None:
        """One line in the sandbox's log, for what a person would read on a telephone."""
        _log.info("%s", text)

    def next_id(self, kind: str) -> int:
        """A new id of a kind; ids ascend within a kind and never come back."""
        return self.next_ids(kind, 1)[0]

    def next_ids(self, kind: str, count: int) -> range:
        """Several new ids."""
        return self.store.next_ids(kind, count, start=FIRST_IDS.get(kind, 1))

    def tick(self) -> None:
        """Do what has become due; called before every request and by the background loop."""
        now = self.now()
        if now < self._latest:  # the clock was set back: pages of what is now the future must not be served
            self.cache.clear()
        self._latest = now
        super().tick()

    def soon(self, delete: Callable[[int], None]) -> None:
        """Delete now, or later when the switch `late_delete_seconds` says that deletes take their time."""
        late = self.switches.late_delete_seconds
        if late:
            self.later(self.now() + int(late * 1000), delete)
        else:
            delete(self.now())

    def oldest(self, kind: str) -> int | None:
        """The moment before which retention has removed everything of a data type, or None."""
        if not self.switches.retention:
            return None
        rules = [
            rule for rule in self.store.settings("retention").values() if rule["dataType"] in (kind, "*")
        ]
        general = [rule["maximumAge"] for rule in rules if self._is_general(rule)]
        return self.now() - min(general) * DAY if general else None

    @staticmethod
    def _is_general(rule: Mapping[str, Any]) -> bool:
        return all(rule.get(name, "*") == "*" for name in ("fragmentType", "type", "source"))

    def need_edition(self, edition: str) -> None:
        """404 when the edition in force does not have an endpoint yet."""
        if not self.switches.since(edition):
            raise Refused(404, "general/notFound", "No handler found for this path")


def number(text: str, refused: Refused) -> int:
    """An id from a path or a body as a number; anything but decimal digits is the given refusal."""
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        raise refused
    return int(text)
