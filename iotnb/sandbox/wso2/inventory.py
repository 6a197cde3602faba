"""Devices and enrolments: the fleet's are worked out, all others stored; one row is an enrolment."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from iotnb.sandbox.wso2.accounts import OWNERS
from iotnb.sandbox.wso2.base import Base
from iotnb.sandbox.wso2.kinds import FLEET_TYPES, KIND_OF

Json = dict[str, Any]
ACTIVE, REMOVED, CREATED = "ACTIVE", "REMOVED", "CREATED"
STATUSES = (
    ACTIVE,
    "INACTIVE",
    "UNCLAIMED",
    "UNREACHABLE",
    "SUSPENDED",
    "DISENROLLMENT_REQUESTED",
    REMOVED,
    "BLOCKED",
    CREATED,
)
OWNERSHIPS = ("BYOD", "COPE")
_KEPT = 32  # results of searches that are remembered
_PATIENCE = 3  # ms for each device of the fleet after which all statuses are looked at again


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A device as somebody enrolled it; `fleet` is the number of a simulated device, times are ms."""

    id: int
    device: int
    type: str
    identifier: str
    name: str
    description: str
    owner: str
    ownership: str
    status: str
    created: int
    updated: int
    fleet: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which enrolments: every condition that is not empty must hold."""

    name: str = ""
    type: str = ""
    owner: str = ""
    owner_prefix: str = ""
    owners: frozenset[str] | None = None
    ownership: str = ""
    status: str = ""

    def takes(self, one: Enrolment) -> bool:
        """True if an enrolment matches."""
        return (
            self.takes_owner(one.owner)
            and (not self.type or one.type == self.type)
            and (not self.ownership or one.ownership == self.ownership)
            and (not self.name or like(self.name, one.name))
            and (not self.status or one.status == self.status)
        )

    def takes_owner(self, owner: str) -> bool:
        """True if the owner matches."""
        return (
            (not self.owner or owner == self.owner)
            and owner.startswith(self.owner_prefix)
            and (self.owners is None or owner in self.owners)
        )


@lru_cache(maxsize=64)
def _pattern(prefix: str) -> re.Pattern[str]:
    words = {"%": ".*", "_": "."}
    return re.compile("".join(words.get(char) or re.escape(char) for char in prefix), re.DOTALL)


def like(prefix: str, text: str) -> bool:
    """SQL's `text LIKE 'prefix%'`: `%` and `_` inside of the prefix stand for other text too."""
    return _pattern(prefix).match(text) is not None


def fleet_owner(i: int) -> str:
    """The owner of a fleet device: four in a row have the same."""
    return OWNERS[i // 4 % len(OWNERS)]


def fleet_ownership(i: int) -> str:
    """Every fourth fleet device belongs to the company."""
    return OWNERSHIPS[i % 4 == 0]


class Inventory:
    """All devices of the sandbox. Ids grow from 1: the examples, the fleet, then what users enroll."""

    def __init__(self, base: Base) -> None:
        self._base = base
        self.load()

    def load(self) -> None:
        """Read what is stored."""
        store = self._base.store
        self._devices: dict[int, Json] = {int(n): one for n, one in store.settings("device").items()}
        self._enrolments: dict[int, Json] = {int(n): one for n, one in store.settings("enrolment").items()}
        placed = store.setting("fleet", "first")
        self._first = (placed[0], placed[1]) if placed else (1, 1)
        self._size = self._base.fleet_size if placed else 0
        self._found: dict[tuple[object, ...], list[int]] = {}
        self._index: dict[tuple[str, str], int] = {}
        self._by_device: dict[int, list[int]] = {}
        for number, one in self._devices.items():
            if "identifier" in one:
                self._index[one["type"], one["identifier"]] = number
        for number, one in sorted(self._enrolments.items()):
            if "device" in one:
                self._by_device.setdefault(one["device"], []).append(number)

    def place_fleet(self) -> None:
        """Give the fleet's devices their ids: the next ones."""
        store, size = self._base.store, self._base.fleet_size
        self._first = (store.next_ids("device", size).start, store.next_ids("enrolment", size).start)
        self._size = size
        store.set("fleet", "first", self._first)

    # reading

    def __len__(self) -> int:
        return self._size + sum("device" in one for one in self._enrolments.values())

    def ids(self) -> list[int]:
        """The ids of all enrolments in the order of lists."""
        first = self._first[1]
        own = [number for number, one in self._enrolments.items() if "device" in one]
        return (
            sorted([*own, *range(first, first + self._size)]) if own else [*range(first, first + self._size)]
        )

    def _fleet_of(self, number: int, place: int) -> int | None:
        index = number - self._first[place]
        return index if 0 <= index < self._size else None

    def enrolment(self, number: int) -> Enrolment:
        """An enrolment by its id; KeyError for none."""
        held = self._enrolments.get(number, {})
        index = self._fleet_of(number, 1)
        if index is None:
            device = self._devices[held["device"]]
            members = {name: device[name] for name in ("type", "identifier", "name", "description")}
            return Enrolment(id=number, **members, **held)
        one = self._fleet_row(index)
        device = self._devices.get(one.device, {})
        named = {name: device[name] for name in ("name", "description") if name in device}
        return replace(one, **named, **held) if named or held else one

    def of_fleet(self, i: int) -> int:
        """The id of the first enrolment of a fleet device."""
        return self._first[1] + i

    def _fleet_row(self, i: int) -> Enrolment:
        fleet, now = self._base.fleet, self._base.now()
        device = fleet[i]
        status, updated = ACTIVE, device.created
        dead = fleet.links.dead_since(i)
        if fleet.links.never(i):
            status = CREATED
        elif dead is not None and dead <= now:
            status, updated = "INACTIVE", dead
        elif (silent := fleet.links.silent(i, now)) is not None:
            status, updated = "UNREACHABLE", silent[0]
        return Enrolment(
            id=self._first[1] + i,
            device=self._first[0] + i,
            type=FLEET_TYPES[device.kind],
            identifier=device.serial,
            name=device.name,
            description=f"{device.model} in {device.site}",
            owner=fleet_owner(i),
            ownership=fleet_ownership(i),
            status=status,
            created=device.created,
            updated=max(updated, device.created),
            fleet=i,
        )

    def find(self, type: str, identifier: str) -> int | None:  # noqa: A002  the platform's own word
        """The id of a device, or None."""
        found = self._index.get((type, identifier))
        if found is not None or type not in KIND_OF:
            return found
        index = self._base.fleet.index_of(identifier)
        if index is None or index >= self._size:
            return None
        device = self._base.fleet[index]
        same = device.serial == identifier and device.kind == KIND_OF[type]
        return self._first[0] + index if same else None

    def enrolments_of(self, device: int) -> list[Enrolment]:
        """Every enrolment of a device, oldest first."""
        index = self._fleet_of(device, 0)
        own = [self.enrolment(number) for number in self._by_device.get(device, ())]
        return own if index is None else [self.enrolment(self._first[1] + index), *own]

    def current(self, type: str, identifier: str, owner: str = "") -> Enrolment | None:  # noqa: A002
        """The enrolment that counts for a device (of one owner): the newest one that is not removed, or None.

        If all are removed it is the newest of them.
        """
        device = self.find(type, identifier)
        found = [] if device is None else self.enrolments_of(device)
        found = [one for one in found if not owner or one.owner == owner]
        left = [one for one in found if one.status != REMOVED]
        found = left or found
        return found[-1] if found else None

    def more(self, device: int) -> Json:
        """What is stored about a device besides its name: properties, info, location, applications."""
        return self._devices.get(device, {})

    def rows(self) -> Iterator[Enrolment]:
        """All enrolments."""
        return (self.enrolment(number) for number in self.ids())

    def select(self, query: Query) -> list[int]:
        """The ids of the enrolments that match, in the order of lists."""
        if query == Query():
            return self.ids()
        age = self._base.now() // max(1, self._size * _PATIENCE) if query.status else 0
        key = (query, self._base.store.version, self._base.fleet.seed, age)
        if key not in self._found:
            if len(self._found) >= _KEPT:
                self._found.clear()
            self._found[key] = [number for number in self.ids() if self._takes(query, number)]
        return self._found[key]

    def _takes(self, query: Query, number: int) -> bool:
        """Looks at what costs nothing first: a fleet has many devices."""
        index = self._fleet_of(number, 1)
        if index is not None and number not in self._enrolments:
            kind = FLEET_TYPES[self._base.fleet.kind(index)] if query.type else ""
            if kind != query.type or not query.takes_owner(fleet_owner(index)):
                return False
            if query.ownership not in ("", fleet_ownership(index)):
                return False
            if not (query.name or query.status):
                return True
        return query.takes(self.enrolment(number))

    # changing

    def change(self, number: int, **fields: Any) -> None:
        """Change an enrolment: status, owner, ownership ...; the moment is kept."""
        held = {**self._enrolments.get(number, {}), **fields, "updated": self._base.now()}
        self._enrolments[number] = held
        self._base.store.set("enrolment", str(number), held)

    def change_device(self, device: int, **fields: Any) -> None:
        """Change a device: name, description, properties, info, location, applications."""
        held = {**self._devices.get(device, {}), **fields}
        self._devices[device] = held
        self._base.store.set("device", str(device), held)

    def enroll(
        self,
        *,
        type: str,  # noqa: A002
        identifier: str,
        name: str,
        description: str,
        owner: str,
        ownership: str,
        status: str,
        at: int | None = None,
        **more: Any,
    ) -> Enrolment:
        """A new enrolment, and the device itself if it is not there yet; whoever had it has it no longer."""
        now = self._base.now() if at is None else at
        device = self.find(type, identifier)
        if device is None:
            device = self._base.store.next_ids("device")[0]
            self._index[type, identifier] = device
            self.change_device(device, type=type, identifier=identifier)
        for one in self.enrolments_of(device):
            if one.status != REMOVED:
                self.change(one.id, status=REMOVED)
        self.change_device(device, name=name, description=description, **more)
        number = self._base.store.next_ids("enrolment")[0]
        held: Json = {"device": device, "owner": owner, "ownership": ownership, "status": status}
        held |= {"created": now, "updated": now}
        self._enrolments[number] = held
        self._by_device.setdefault(device, []).append(number)
        self._base.store.set("enrolment", str(number), held)
        return self.enrolment(number)
