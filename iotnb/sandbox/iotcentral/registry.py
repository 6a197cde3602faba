"""The devices of an application: the fleet's, with what users changed on them, and those that users made."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from iotnb.sandbox.fleet import DAY
from iotnb.sandbox.fleet.catalog import BLOCK
from iotnb.sandbox.iotcentral.estate import Estate
from iotnb.sandbox.iotcentral.keys import own_key
from iotnb.sandbox.iotcentral.models import FLEET
from iotnb.sandbox.iotcentral.wire import device_etag
from iotnb.sandbox.shelf import Shelf
from iotnb.sandbox.store import Document, Match
from iotnb.sandbox.wire import encode

Json = dict[str, Any]
_FIRST = 10_000_000  # numbers of devices that users made; below: 1 + the fleet's number
_MEMBERS = ("displayName", "template", "simulated", "provisioned", "enabled", "organizations", "type")


@dataclass(frozen=True, slots=True)
class Device:
    """A device as it stands: its document, its number, and which device of the fleet it is."""

    id: str
    number: int
    fleet: int | None
    held: Json

    @property
    def template(self) -> str | None:
        """The id of its template."""
        found: str | None = self.held.get("template")
        return found

    @property
    def organizations(self) -> tuple[str, ...]:
        """Where it belongs; empty: to the whole application."""
        return tuple(self.held.get("organizations") or ())

    def shown(self, *, etag: bool = True) -> Json:
        """The document of the API; what is not set is left out."""
        out: Json = {"id": self.id}
        if etag:
            out["etag"] = device_etag(self.id, self.held.get("rev", 0))
        out.update({name: self.held[name] for name in _MEMBERS if self.held.get(name) is not None})
        return out


class Registry:
    """Look-up, listing and changes of devices."""

    def __init__(self, app: Estate) -> None:
        self.app = app
        self.shelf = Shelf(app.platform.store, f"{app.id}/devices")
        self._kind = f"message-{app.id}"

    # reading

    def __iter__(self) -> Iterator[Device]:
        return self.after(0)

    def after(self, count: int) -> Iterator[Device]:
        """The devices behind the first `count`; skipping costs nothing while none of the fleet is gone."""
        size = len(self._indexes())
        if count and not any(held.get("gone") or held.get("shadows") for held in self.shelf.values()):
            skipped = min(count, size)
            rest = itertools.chain(self._of_fleet(skipped), self._own())
            return itertools.islice(rest, count - skipped, None)
        return itertools.islice(itertools.chain(self._of_fleet(0), self._own()), count, None)

    def _of_fleet(self, start: int) -> Iterator[Device]:
        for i in self._indexes()[start:]:
            found = self._fleet_device(i)
            if found is not None:
                yield found

    def _own(self) -> Iterator[Device]:
        for name, held in self.shelf.items():
            if held.get("own"):
                yield Device(name, held["number"], None, held)

    def _indexes(self) -> range:
        return range(len(self.app.platform.fleet)) if self.app.has_fleet else range(0)

    def get(self, name: str) -> Device | None:
        """A device by its id, or None."""
        held = self.shelf.get(name)
        if held is not None and held.get("own"):
            return Device(name, held["number"], None, held)
        index = self.app.platform.fleet.index_of(name) if self.app.has_fleet else None
        if index is None or self.app.platform.fleet[index].key != name:
            return None
        return self._fleet_device(index)

    def _fleet_device(self, i: int) -> Device | None:
        """A device of the fleet with its changes, or None when it was deleted."""
        fleet = self.app.platform.fleet
        device = fleet[i]
        held = self.shelf.get(device.key)
        if held is not None and (held.get("gone") or held.get("own")):
            return None
        now = fleet.clock.now()
        never, dead = fleet.links.never(i), fleet.links.dead_since(i)
        block, place = divmod(i, BLOCK)
        blocked = dead is not None and dead <= now and block % 2 == 1
        document: Json = {
            "displayName": device.name,
            "template": None if never else FLEET[device.kind],
            "simulated": block % 2 == 0 and place == 8,
            "provisioned": not never and device.created <= now,
            "enabled": not blocked,
            "created": device.created,
            "rev": int(blocked),
        }
        region = block % 5
        if region != 4:
            document["organizations"] = ["plant-north" if region % 2 == 0 else "plant-south"]
        return Device(device.key, i + 1, i, {**document, **(held or {})})

    def online(self, device: Device) -> bool:
        """Whether a device is connected now."""
        platform = self.app.platform
        now = platform.now()
        if not device.held.get("enabled", True):
            return False
        if device.fleet is not None:
            return platform.fleet.online(device.fleet, now)
        if device.held.get("auto") or device.held.get("simulated"):
            return True
        seen = self.app.seen.get(device.id)
        return seen is not None and now - seen <= platform.switches.presence_seconds * 1000

    def reachable(self, device: Device, at: int) -> int | None:
        """The first moment from `at` on at which a device is connected, or None if that is not known."""
        if device.fleet is not None:
            return self.app.platform.fleet.back_online(device.fleet, at)
        return at if self.online(device) else None

    # changing

    def save(self, device: Device, changes: Json) -> Device:
        """Change members of a device; its etag changes too."""
        old = self.shelf.get(device.id) or {}
        rev = device.held.get("rev", 0) + 1
        held = {**old, **changes, "rev": rev}
        self.shelf.put(device.id, held)
        found = self.get(device.id)
        assert found is not None  # noqa: S101  it was just written
        return found

    def create(self, name: str, members: Json) -> Device:
        """A new device."""
        platform = self.app.platform
        number = _FIRST + platform.store.next_ids(f"device-{self.app.id}")[0]
        held = {"own": True, "number": number, "created": platform.now(), "rev": 0, **members}
        if name in self.shelf:  # a device of the fleet had this id and was deleted
            held["shadows"] = True
        self.shelf.put(name, held)
        return Device(name, number, None, held)

    def delete(self, device: Device) -> None:
        """Remove a device with its messages; one of the fleet stays away."""
        if device.fleet is None:
            self.shelf.drop(device.id)
            fleet = self.app.platform.fleet
            index = fleet.index_of(device.id) if self.app.has_fleet else None
            if index is not None and fleet[index].key == device.id:
                self.shelf.put(device.id, {"gone": True})
        else:
            self.shelf.put(device.id, {"gone": True})
        self.app.platform.store.delete(self._kind, Match(sources=(device.number,)))
        self.app.twins.drop(device.id)
        self.app.attestations.drop(device.id)
        self.app.seen.pop(device.id, None)
        self.app.inbox.pop(device.id, None)
        for name in self.app.commands:
            if name.startswith(f"{device.id}\n"):
                self.app.commands.drop(name)
        for name, one in self.app.relationships.items():
            if device.id in (one.get("source"), one.get("target")):
                self.app.relationships.drop(name)

    def erase(self) -> None:
        """Forget every device and message of a deleted application."""
        self.shelf.clear()
        self.app.platform.store.delete(self._kind)

    # keys

    def keys(self, name: str) -> tuple[str, str]:
        """Primary and secondary key of a device."""
        held = self.app.attestations.get(name)
        if held is not None and "symmetricKey" in held:
            pair = held["symmetricKey"]
            return pair["primaryKey"], pair["secondaryKey"]
        secret = self.app.platform.secret
        return own_key(secret, self.app.id, name, "primary"), own_key(secret, self.app.id, name, "secondary")

    # messages of users' devices

    def add_message(self, device: Device, at: int, component: str, values: Json, more: Json) -> None:
        """Keep one telemetry message."""
        store = self.app.platform.store
        if device.fleet is not None and not self.sends(device):
            self.shelf.put(device.id, {**(self.shelf.get(device.id) or {}), "sends": True})
        number = store.next_ids(self._kind)[0]
        body = encode({"t": values, **more})
        now = self.app.platform.now()
        store.put(self._kind, [Document(number, device.number, at, now, now, component, "", body)])

    def messages(self, device: Device, start: int, end: int) -> list[Document]:
        """The messages of a device in [start, end), in the order of time."""
        return self.app.platform.store.select(self._kind, Match(sources=(device.number,), time=(start, end)))

    def sends(self, device: Device) -> bool:
        """Whether a device of the fleet has ever sent something over HTTPS."""
        return bool((self.shelf.get(device.id) or {}).get("sends"))

    def components(self, device: Device) -> list[str]:
        """The components from which messages of a device are held."""
        return self.app.platform.store.types(self._kind, device.number)

    def newest_message(self, device: Device, component: str, end: int) -> list[Document]:
        """The newest messages of one component of a device, newest first."""
        match = Match(sources=(device.number,), types=(component,), time=(None, end))
        return self.app.platform.store.select(self._kind, match, newest_first=True, limit=200)

    def new_messages(self, after: int) -> list[Document]:
        """The messages that came after the one with an id."""
        return self.app.platform.store.select(self._kind, Match(ids=(after + 1, None)), order="id")

    def last_message_id(self) -> int:
        """The id of the newest message, 0 without any."""
        found = self.app.platform.store.select(self._kind, order="id", newest_first=True, limit=1)
        return found[0].id if found else 0


def oldest(platform_now: int, days: float) -> int:
    """The moment before which retention has removed telemetry."""
    return platform_now - int(days * DAY)
