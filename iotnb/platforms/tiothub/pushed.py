"""What devices send, posted to this machine: a subscription for each device, to a webhook of ours."""

from __future__ import annotations

import logging
import queue
from collections.abc import Mapping, Sequence
from typing import Any, Final

from iotnb import frames
from iotnb.errors import IotnbError
from iotnb.inbox import Delivery, Inbox
from iotnb.live import Wanted
from iotnb.live.push import News
from iotnb.platforms.tiothub import rows
from iotnb.platforms.tiothub.api import Api
from iotnb.platforms.tiothub.api.messages import RECEIVED, ROOT

log = logging.getLogger("iotnb")

MOST: Final = 50  # devices that are subscribed to; more are asked instead
KIND: Final = "m2m:cin"


class Webhook:
    """New messages of devices, by subscriptions to an Inbox (see `iotnb.live.Push`).

    `inbox` is the user's, reached under `address`, or one of our own that ends with `stop`.
    """

    way = "webhook"
    verbs = frozenset({"measurements"})
    doubtful = True  # a delivery that fails is tried again a few times, and then dropped without a sign
    heard = 0.0
    trouble = ""

    def __init__(self, api: Api, devices: Sequence[str], wanted: Wanted) -> None:
        self._api, self._devices, self._series = api, list(devices), wanted.series
        self._given, self._address = wanted.inbox, wanted.address
        self._inbox: Inbox | None = None
        self._made: dict[str, str] = {}
        self._came: queue.SimpleQueue[Delivery] = queue.SimpleQueue()
        self._stopped = False

    def start(self) -> None:
        """Subscribes to each device; when one is refused, those that were made end again."""
        self._inbox = self._given if self._given is not None else Inbox(keep=1)
        self._inbox.on_delivery(self._take)
        address = (self._address or self._inbox.url).rstrip("/")
        try:
            for number, device in enumerate(self._devices):
                path = f"{ROOT}/{device}/{RECEIVED}"
                made = self._api.subscriptions.create(path, f"{address}/{number}")
                self._made[path] = str(made["rn"])
        except IotnbError:
            self.stop()
            raise

    def take(self, timeout: float) -> list[News]:
        """The values of all messages that have come."""
        found: list[dict[str, Any]] = []
        try:
            delivery = self._came.get(timeout=timeout)
            while True:
                found += self._rows(delivery)
                delivery = self._came.get_nowait()
        except queue.Empty:
            pass
        return [("measurements", frames.table("measurements", found))] if found else []

    @property
    def losses(self) -> int:
        """None is noticed: this is why the verb is asked as well."""
        return 0

    def stop(self) -> None:
        """Ends the subscriptions, and the inbox if it is our own."""
        self._stopped = True
        while self._made:
            path, name = self._made.popitem()
            try:
                self._api.subscriptions.delete(path, name)
            except IotnbError as error:
                log.warning("the subscription %s/%s could not be ended: %s", path, name, error)
        if self._inbox is not None and self._given is None:
            self._inbox.close()

    def _take(self, delivery: Delivery) -> None:
        if not self._stopped:
            self._came.put(delivery)

    def _rows(self, delivery: Delivery) -> list[dict[str, Any]]:
        """The values of one notification; nothing for a verification, or for what is none of ours."""
        message = _message(delivery.body)
        number = delivery.path.strip("/")
        if message is None or not number.isdigit() or int(number) >= len(self._devices):
            return []
        found, _ = rows.values(message, self._devices[int(number)], RECEIVED)
        return [row for row in found if self._series is None or _named(row["series"], self._series)]


def _message(body: object) -> Mapping[str, Any] | None:
    """The message that a notification holds."""
    found: object = body
    for name in ("m2m:sgn", "nev", "rep", KIND):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else None


def _named(series: str, wanted: Sequence[str]) -> bool:
    return series in wanted or series.partition(":")[2] in wanted
