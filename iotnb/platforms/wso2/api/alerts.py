"""What the platform reports by itself: notifications of failed operations, and geo services."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from iotnb import times
from iotnb.platforms.wso2.api.chapter import Chapter, Document, Documents, Page, device, segment

GEO_LIMIT: Final = 100  # rows of a geo answer; there is no paging
STATUSES: Final = ("NEW", "CHECKED")


class Notifications(Chapter):
    """`/notifications`: raised when an operation fails on a device; they carry no time."""

    def pages(self, *, status: str | None = None, stop: threading.Event | None = None) -> Iterator[Page]:
        """Pages of notifications, all or those that are NEW or CHECKED."""
        return self._pages("/notifications", ("notifications",), status=status, stop=stop)

    def list(self, *, status: str | None = None) -> Documents:
        """All notifications, or those that are NEW or CHECKED."""
        return self._list("/notifications", ("notifications",), status=status)

    def check(self, id: int | str) -> Document:
        """Marks a notification as CHECKED, and gives it."""
        return self._object("PUT", f"/notifications/{segment(id)}/mark-checked")

    def clear(self) -> Any:
        """Marks all notifications as CHECKED."""
        return self._call("PUT", "/notifications/clear-all")


class Geo(Chapter):
    """`/geo-services`: locations and alerts; the server publishes none unless that was switched on.

    An answer holds the first 100 of a window, oldest first, without a way to the others: ask for less.
    """

    def locations(
        self, type: str, id: str, *, start: datetime, end: datetime, stop: threading.Event | None = None
    ) -> Documents:
        """Up to 100 locations of a device: `{id,tableName,timestamp,values}`."""
        return self._rows(f"/geo-services/stats/{device(type, id)}", start, end, stop)

    def alerts(
        self, type: str, id: str, *, start: datetime, end: datetime, stop: threading.Event | None = None
    ) -> Documents:
        """Up to 100 alerts that fired for a device, in the same shape."""
        return self._rows(f"/geo-services/alerts/history/{device(type, id)}", start, end, stop)

    def rules(self, alert: str, *, type: str, id: str) -> Any:
        """The rules of one kind of alert for a device: an array, or for Speed and Proximity a text."""
        return self._call("GET", self._rule(alert, type, id))

    def create_rule(self, alert: str, *, type: str, id: str, document: Any) -> Any:
        """Adds a rule."""
        return self._call("POST", self._rule(alert, type, id), json=document)

    def update_rule(self, alert: str, *, type: str, id: str, document: Any) -> Any:
        """Changes a rule."""
        return self._call("PUT", self._rule(alert, type, id), json=document)

    def delete_rule(self, alert: str, *, type: str, id: str, query: str = "") -> Any:
        """Removes a rule, by its name where the kind has several."""
        return self._call("DELETE", self._rule(alert, type, id), params={"queryName": query or None})

    def clusters(self, *, south: float, north: float, west: float, east: float, zoom: int) -> Any:
        """Devices on a map in clusters, between latitudes and longitudes in degrees."""
        params = {"minLat": south, "maxLat": north, "minLong": west, "maxLong": east, "zoom": zoom}
        return self._call("GET", "/geo-services/stats/device-locations", params=params)

    def _rows(self, path: str, start: datetime, end: datetime, stop: threading.Event | None) -> Documents:
        window = {"from": max(1, times.to_ms(start)), "to": max(1, times.to_ms(end))}
        return self._array("GET", path, params=window, stop=stop)

    def _rule(self, alert: str, type: str, id: str) -> str:
        return f"/geo-services/alerts/{segment(alert, what='a kind of alert')}/{device(type, id)}"
