"""What the platform reports: notifications are alarms, geo alerts and progress of operations are events."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from iotnb import errors, loading
from iotnb.loading import Load
from iotnb.platforms.wso2 import activity, moments, rows
from iotnb.platforms.wso2.api import Api
from iotnb.platforms.wso2.api.alerts import GEO_LIMIT
from iotnb.times import Window

Document = dict[str, Any]


def alarms(api: Api, load: Load, window: Window, zone: str) -> list[Document]:
    """Notifications of failed operations with the activity that each speaks of; those in the window.

    One whose time cannot be found out is kept, and noted.
    """
    told: dict[Any, Document] = {}
    count = 0
    for _ in range(2):
        for page in api.notifications.pages(stop=load.stop):
            load.count(pages=1, rows=len(page.items), size=len(page.answer.body))
            told.update({each.get("id"): each for each in page.items})
            count = page.count
        if len(told) >= count:
            break
    if len(told) < count:
        load.gap("notifications", reason=f"the server counts {count:,} and gave {len(told):,}, twice")
    lookup = activity.Activities(api, load, zone)

    def made(notification: Document) -> Iterator[Document]:
        device = rows.key(notification.get("deviceType"), notification.get("deviceIdentifier")) or ""
        number = notification.get("operationId")
        whole, answer = lookup.of(f"ACTIVITY_{number}" if number else "", device)
        yield {
            "notification": notification,
            "activity": activity.plain(whole),
            "answer": answer,
            "zone": zone,
        }

    found = loading.each(list(told.values()), made, load)
    load.note("notifications carry no time: each has that of the failed operation which it speaks of")
    kept = []
    for each in found:
        at = rows.alarm(each)["time"]
        if at is None:
            load.note("notifications whose operation is not known any more are kept without a time")
        if at is None or window.start <= at < window.end:
            kept.append(each)
    return kept


class Happened:
    """The event documents of one load; raises Forbidden only when neither kind may be read."""

    def __init__(self, api: Api, load: Load, window: Window, zone: str) -> None:
        self._api, self._load, self._window, self._zone = api, load, window, zone
        self._refused: dict[str, errors.Forbidden] = {}
        self._lock = threading.Lock()
        self._progress: list[Document] | None = None

    def of(self, device: str) -> Iterator[list[Document]]:
        """The events of one device: the last change of each operation, and geo alerts."""
        yield [each for each in self.progress() if each["device"] == device]
        if len(self._refused) > 1:
            raise self._refused["geo alerts"]
        if "geo alerts" not in self._refused:
            try:
                yield from self._geo_alerts(device)
            except errors.Forbidden as error:
                if error.status == 401:  # of this device: it is somebody else's
                    raise
                self._left_out("geo alerts", error)

    def progress(self) -> list[Document]:
        """The last change of each operation on each device, in the window; read once for all devices."""
        with self._lock:
            if self._progress is None:
                try:
                    found = activity.fleet(self._api, self._load, self._window.start, self._zone)
                    self._load.note(f"times of activities were read as {self._zone} (server_tz)")
                except errors.Forbidden as error:
                    self._left_out("progress of operations", error)
                    found = []
                self._progress = [each for each in found if _within(rows.event(each)["time"], self._window)]
            return self._progress

    def _left_out(self, what: str, error: errors.Forbidden) -> None:
        self._refused[what] = error
        if len(self._refused) > 1:
            raise error
        self._load.note(f"{what} are left out: {str(error).splitlines()[0]}")

    def _geo_alerts(self, device: str) -> Iterator[list[Document]]:
        """Geo alerts of one device, oldest first; a server that publishes no locations has none."""
        kind, identifier = rows.parts(device)
        window, load = self._window, self._load
        start, seen = window.start, set[str]()
        while True:
            try:
                found = self._api.geo.alerts(kind, identifier, start=start, end=window.end, stop=load.stop)
            except errors.Invalid as error:
                if "publishing" not in error.words:
                    raise
                load.count(pages=1)
                load.note(f"the server publishes no locations, so there are no geo alerts: {error.words}")
                return
            load.count(pages=1, rows=len(found))
            fresh = [each for each in found if rows.record_key(each) not in seen]
            seen.update(map(rows.record_key, fresh))
            made = [{"alert": each, "device": device} for each in fresh]
            yield [each for each in made if _within(rows.event(each)["time"], window)]
            if len(found) < GEO_LIMIT:
                return
            last = max((at for each in found if (at := moments.moment(each.get("timestamp")))), default=start)
            if not fresh or last <= start:
                load.gap(device, start, window.end, reason="one moment holds more geo alerts than an answer")
                return
            start = last


def _within(at: datetime | None, window: Window) -> bool:
    return at is None or window.start <= at < window.end
