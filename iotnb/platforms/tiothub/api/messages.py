"""Messages (`m2m:cin`): what devices sent, what was delivered, what waits and what was sent to devices."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from typing import Any

from iotnb import errors
from iotnb.errors import ConfigError
from iotnb.platforms.tiothub import names
from iotnb.platforms.tiothub.api.dmo import CIN, CNT, Chapter, joined
from iotnb.platforms.tiothub.api.lists import Walk, walk
from iotnb.platforms.tiothub.names import Resource

KIND = "m2m:cin"
ROOT = "device-communication"
RECEIVED, DELIVERED, QUEUED, SENT = "received-msg", "sent-received-msg", "outgoing-msg", "sent-msg"
Paths = list[str]

STORES = (RECEIVED, DELIVERED, QUEUED, SENT)
"""Received from the device; delivered to the applications; queued for the device; sent to it."""


class Messages(Chapter):
    """Messages of a device (by its name) in one of its stores; `received-msg` unless another is named."""

    def pages(
        self,
        device: str,
        store: str = RECEIVED,
        *,
        report: Walk | None = None,
        stop: threading.Event | None = None,
    ) -> Iterator[list[Resource]]:
        """Pages of messages; `report` tells afterwards whether they are all. No order is promised."""
        return walk(self._dmo, container(device, store), KIND, report=report, stop=stop)

    def list(self, device: str, store: str = RECEIVED) -> list[Resource]:
        """All messages, by creation time and id."""
        found = [each for page in self.pages(device, store) for each in page]
        return sorted(found, key=lambda each: (str(each.get("ct", "")), str(each.get("ri", ""))))

    def latest(self, device: str, store: str = RECEIVED) -> Resource | None:
        """The newest message, or None when there is none."""
        return self._dmo.find(container(device, store) + "/la")

    def oldest(self, device: str, store: str = RECEIVED) -> Resource | None:
        """The oldest message that is kept, or None."""
        return self._dmo.find(container(device, store) + "/ol")

    def get(self, device: str, name: str, store: str = RECEIVED) -> Resource:
        """One message by its resource name."""
        return self._dmo.retrieve(container(device, store) + joined(name))

    def state(self, device: str, store: str = RECEIVED) -> Resource:
        """The store itself without messages: `cni` how many it holds, `mni` how many it keeps, `st`."""
        return self._dmo.retrieve(container(device, store), rcn=1)

    def containers(self, device: str) -> Paths:
        """Where a device's messages lie: paths below the tenant.

        Usually `device-communication/<device>/...`; an older layout keeps containers under the device's own
        resource.
        """
        found = self._dmo.find(joined(ROOT, device), ty=CNT)
        if found is not None:
            base = f"{ROOT}/{device}"
        else:
            found, base = self._dmo.find(joined(device)), device
        return [f"{base}/{each['rn']}" for each in names.children(found or {}, "m2m:cnt") if each.get("rn")]

    def create(
        self, device: str, content: Any, *, format: str = "text/plain:0", name: str | None = None
    ) -> Resource:
        """Stores a test message as if the device had sent it; `format` is `<mime>:<encoding>` (`cnf`)."""
        body = {"rn": name or str(uuid.uuid4()), "con": content, "cnf": format}
        return self._dmo.create(container(device, RECEIVED), KIND, body, ty=CIN)


class Commands(Chapter):
    """Commands to a device: queued in `outgoing-msg`, moved to `sent-msg` when the device was reached.

    `journal` holds what this client sent, since the platform does not keep when a sent one was queued.
    """

    def __init__(self, dmo: Any) -> None:
        super().__init__(dmo)
        self.journal: list[dict[str, Any]] = []

    def send(self, device: str, content: Any, *, format: str | None = None) -> Resource:
        """Queues a command (`"GET /3\\n"` for an LwM2M device) and gives the message as queued."""
        if content is None or content == "":
            raise ConfigError("a command needs content, such as 'GET /3' for an LwM2M device")
        body = {"con": content} if format is None else {"con": content, "cnf": format}
        made = self._dmo.create(container(device, QUEUED), KIND, body, ty=CIN)
        self.journal.append({"device": device, "con": content, "ct": made.get("ct"), "rn": made.get("rn")})
        return made

    def queued(self, device: str) -> list[Resource]:
        """Commands that wait for the device."""
        return Messages(self._dmo).list(device, QUEUED)

    def sent(self, device: str) -> list[Resource]:
        """Commands that the device was sent."""
        return Messages(self._dmo).list(device, SENT)

    def cancel(self, device: str, name: str) -> bool:
        """Takes a command out of the queue by its resource name; False when it is no longer there."""
        try:
            self._dmo.delete(container(device, QUEUED) + joined(name))
        except errors.NotFound:
            return False
        return True


def container(device: str, store: str) -> str:
    """The path of a store of a device; raises ConfigError for a store that there is not."""
    if store not in STORES:
        raise ConfigError(f"store={store!r} is not one of {', '.join(STORES)}")
    return joined(ROOT, device, store)
