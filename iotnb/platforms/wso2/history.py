"""The history of operations, by device and owner, and what failed operations were told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from iotnb import errors
from iotnb.loading import Load
from iotnb.platforms.wso2 import activity, moments, rows
from iotnb.platforms.wso2.api import Api
from iotnb.times import Window

Document = dict[str, Any]


class History:
    """The operation documents of one load, created in a window."""

    def __init__(
        self,
        api: Api,
        load: Load,
        window: Window,
        *,
        zone: str,
        owners: Callable[[str, bool], Sequence[str]],
    ) -> None:
        self._api, self._load, self._window, self._zone = api, load, window, zone
        self._owners = owners
        self._activities = activity.Activities(api, load, zone)
        self._lock = threading.Lock()
        self._fleet: list[Document] | None = None
        load.note(
            f"the server writes the times of operations without a zone: they were read as {zone} (server_tz)"
        )

    def of(self, device: str) -> Iterator[list[Document]]:
        """The operations of one device, of all its owners; each owner's list is checked for its count."""
        try:
            yield from self._owned(device, self._owners(device, False))
        except errors.ServerError as error:
            again = self._owners(device, True)  # the server says so, too, when the owner is another one now
            if "fetching the operations" not in error.words or not again:
                raise
            yield from self._owned(device, again)

    def by_activities(self, devices: Sequence[str] | None) -> Iterator[list[Document]]:
        """The operations from the activities of the fleet: times to the second, administrators only."""
        with self._lock:
            if self._fleet is None:
                self._load.note(
                    "read from activities, because perm:devices:operations was not granted: times are whole "
                    "seconds"
                )
                self._fleet = self._inside(
                    activity.fleet(self._api, self._load, self._window.start, self._zone)
                )
        yield [each for each in self._fleet if devices is None or each["device"] in devices]

    def _owned(self, device: str, owners: Sequence[str]) -> Iterator[list[Document]]:
        kind, identifier = rows.parts(device)
        seen: set[Any] = set()
        for owner in owners:
            for attempt in range(2):
                counted = came = 0
                whole = True
                for page in self._api.devices.operations(kind, identifier, owner=owner, stop=self._load.stop):
                    self._load.count(pages=1, rows=len(page.items), size=len(page.answer.body))
                    counted, came = page.count, came + len(page.items)
                    fresh = [each for each in page.items if _id(each) not in seen]
                    seen.update(map(_id, fresh))
                    made = [{"operation": each, "device": device, "zone": self._zone} for each in fresh]
                    yield self._answered(self._inside(made))
                    if self._older(page.items):
                        whole = False  # newest first: all that follow were created before the window
                        break
                if not whole or came >= counted:
                    break
                if attempt:
                    self._load.gap(
                        device,
                        self._window.start,
                        self._window.end,
                        reason=f"the server counts {counted:,} operations of {owner} and gave {came:,}, "
                        "twice",
                    )

    def _older(self, items: Sequence[Mapping[str, Any]]) -> bool:
        """Whether a whole page, in falling order, was created before the window."""
        at = [moments.moment(each.get("createdTimeStamp"), self._zone) for each in items]
        known = [each for each in at if each is not None]
        falling = all(one >= other for one, other in pairwise(known))
        return bool(known) and len(known) == len(at) and falling and known[0] < self._window.start

    def _inside(self, documents: Sequence[Document]) -> list[Document]:
        kept = []
        for each in documents:
            at = rows.operation(each)["time"]
            if at is None or self._window.start <= at < self._window.end:
                kept.append(each)
        return kept

    def _answered(self, documents: list[Document]) -> list[Document]:
        """Adds to failed operations what their device answered: the list does not hold it."""
        for each in documents:
            if each["operation"].get("status") == "ERROR":
                number = str(each["operation"].get("activityId") or "")
                _, answer = self._activities.of(number, each["device"])
                if answer:
                    each["answer"] = answer
        return documents


def _id(operation: Mapping[str, Any]) -> Any:
    return operation.get("activityId") or operation.get("id")
