"""Activities: operations seen over all their devices, with what each device answered."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from datetime import datetime

from iotnb.platforms.wso2 import moments
from iotnb.platforms.wso2.api.chapter import Chapter, Document, Documents, Page, device, segment

KEYS = ("activities",)


class Activities(Chapter):
    """`/activities`; a user without the role admin is shown the ones of a device only.

    Lists count rows of operation and device: an activity over many devices is cut at the edge of a page
    and goes on on the next one.
    """

    def pages(self, *, since: datetime, stop: threading.Event | None = None) -> Iterator[Page]:
        """Pages of activities that changed after `since`; without it the server would look back 12 hours."""
        return self._pages("/activities", KEYS, since=moments.mail(since), stop=stop, rows=_rows)

    def list(self, *, since: datetime) -> Documents:
        """All activities that changed after `since`, each whole."""
        return merged([each for page in self.pages(since=since) for each in page.items])

    def of_code(self, code: str) -> Documents:
        """All activities of one operation, such as DEVICE_RING, of all time."""
        path = f"/activities/type/{segment(code, what='an operation code')}"
        return merged([each for page in self._pages(path, KEYS, rows=_rows) for each in page.items])

    def get(self, id: str) -> Document:
        """One activity by its id, `ACTIVITY_<number>`, over all its devices."""
        return self._object("GET", f"/activities/{segment(id)}")

    def some(self, ids: Sequence[str]) -> Documents:
        """Some activities by their ids; NotFound when there is none of them."""
        found = self._call("GET", "/activities/ids", params={"ids": ",".join(ids)})
        if isinstance(found, dict):
            found = next((found[key] for key in KEYS if key in found), [])
        return list(found or [])

    def of_device(
        self, id: str, *, type: str, device_id: str, stop: threading.Event | None = None
    ) -> Document:
        """One activity for one device, with the answers of that device; needs no role."""
        return self._object("GET", f"/activities/{segment(id)}/{device(type, device_id)}", stop=stop)


def statuses(activity: Document) -> Documents:
    """The status of each device of an activity."""
    found = activity.get("activityStatus") or activity.get("activityStatuses") or []
    return [each for each in found if isinstance(each, dict)]


def merged(activities: Documents) -> Documents:
    """Activities that were cut at the edge of a page put together again, by activity and device."""
    made: dict[str, Document] = {}
    for each in activities:
        key = str(each.get("activityId"))
        whole = made.setdefault(key, {**each, "activityStatus": []})
        seen = {_device(status) for status in whole["activityStatus"]}
        whole["activityStatus"] += [status for status in statuses(each) if _device(status) not in seen]
    return list(made.values())


def _device(status: Document) -> tuple[str, str]:
    found = status.get("deviceIdentifier") or {}
    return str(found.get("type")), str(found.get("id"))


def _rows(items: Documents) -> int:
    """How many rows of operation and device a page holds."""
    return sum(max(1, len(statuses(each))) for each in items)
