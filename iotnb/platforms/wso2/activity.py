"""Activities: what is known of an operation beyond its list, looked up singly or for the whole fleet."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from iotnb import errors
from iotnb.loading import Load
from iotnb.platforms.wso2 import moments, rows
from iotnb.platforms.wso2.api import Api, activities

Document = dict[str, Any]

SKEW: Final = timedelta(seconds=2)  # an operation may be stamped up to a second before its creation


class Activities:
    """Activities looked up for one device, each once for one load."""

    def __init__(self, api: Api, load: Load, zone: str) -> None:
        self._api, self._load, self.zone = api, load, zone
        self._refused = ""
        self._lock = threading.Lock()

    def of(self, id: str, device: str) -> tuple[Document, Document]:
        """An activity and its status for a device; empty, and noted, where it cannot be read."""
        if self._refused or not id:
            return {}, {}
        kind, identifier = rows.parts(device)
        try:
            found = self._api.activities.of_device(id, type=kind, device_id=identifier, stop=self._load.stop)
        except errors.Forbidden as error:
            with self._lock:
                self._refused = str(error).splitlines()[0]
            self._load.note(f"activities cannot be read, so what they tell is missing: {self._refused}")
            return {}, {}
        except errors.NotFound:
            return {}, {}
        self._load.count(pages=1)
        check_zone(found.get("createdTimeStamp"), self.zone, self._load)
        listed = activities.statuses(found)
        own = [each for each in listed if named(each) == device]
        return found, (own or listed or [{}])[0]


def fleet(api: Api, load: Load, since: datetime, zone: str) -> list[Document]:
    """All activities that changed after a moment: one document a device, `activity` and `answer` apart.

    Raises Forbidden for a user without the role admin. A list that is shorter than counted is read again
    once, then it is a gap.
    """
    found: list[Document] = []
    count = came = 0
    for _ in range(2):
        found, came = [], 0
        for page in api.activities.pages(since=since - SKEW, stop=load.stop):
            rows_of_page = sum(max(1, len(activities.statuses(each))) for each in page.items)
            load.count(pages=1, rows=rows_of_page, size=len(page.answer.body))
            found += page.items
            count, came = page.count, came + rows_of_page
        if came >= count:
            break
    if came < count:
        load.gap("activities", since, reason=f"the server counts {count:,} rows and gave {came:,}, twice")
    for each in found[:1]:
        check_zone(each.get("createdTimeStamp"), zone, load)
    return [
        {"activity": plain(whole), "answer": status, "device": named(status), "zone": zone}
        for whole in activities.merged(found)
        for status in activities.statuses(whole)
    ]


def check_zone(text: Any, zone: str, load: Load) -> None:
    """Notes it when the letters of a server's time cannot be those of the zone it is read in."""
    if not moments.fits(text, zone):
        load.note(
            f"the server writes its times in {moments.letters(text)}, which is not {zone}: log in with the "
            "right server_tz=..., or times of operations are off by hours"
        )


def plain(activity: Mapping[str, Any]) -> Document:
    """An activity without the statuses of all its devices: that of one stands beside it."""
    return {name: value for name, value in activity.items() if name != "activityStatus"}


def named(status: Mapping[str, Any]) -> str:
    """The device that the status of an activity is about."""
    found = status.get("deviceIdentifier") or {}
    return rows.key(found.get("type"), found.get("id")) or ""
