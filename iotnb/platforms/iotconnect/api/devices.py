"""Devices: the inventory, their states, settings (twin) and what happened to their connection."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from iotnb.errors import ConfigError
from iotnb.platforms.iotconnect.address import segment
from iotnb.platforms.iotconnect.api.chapter import Chapter, Document, Documents, Page, Tally

FILTERS = (
    "UniqueId", "Name", "TemplateName", "EntityName", "Status", "Property", "Value", "Acquired",
    "TemplateGuid", "EntityGuid", "IncludeRecentValue", "customField", "isEdge", "isGateway",
    "isLowBandwidth", "isIotEdgeEnable", "greenGrass", "wireless", "certificateGuid", "searchText",
)  # fmt: skip
"""What the list of devices can be asked for; some editions ignore some of them."""

SORT = "uniqueId asc"  # an order that stays while pages are read; without a direction AWS answers 412


class Devices(Chapter):
    """`/Device`: `guid` is the platform's id of a device, `uniqueId` its own; calls take one or the other."""

    def pages(
        self,
        *,
        page_size: int = 100,
        sort: str = SORT,
        stop: threading.Event | None = None,
        tally: Tally | None = None,
        **filters: Any,
    ) -> Iterator[Page]:
        """Whole pages of devices, by `uniqueId`; `filters` are those of `FILTERS`, whatever their case."""
        return self._pages(
            "/Device", params=checked(filters), page_size=page_size, sort=sort, stop=stop, tally=tally
        )

    def list(self, *, sort: str = SORT, stop: threading.Event | None = None, **filters: Any) -> Documents:
        """All devices, by `uniqueId`. `Name` and `UniqueId` search within the text; AWS ignores `Name`."""
        return self._list("/Device", params=checked(filters), sort=sort, stop=stop)

    def get(self, unique_id: str, *, parent: str = "", stop: threading.Event | None = None) -> Document:
        """One device by its `uniqueId`, with properties and entity; `parent` is the gateway's."""
        path = f"/Device/uniqueId/{segment(unique_id)}"
        return self._one(path, params={"parentDeviceUniqueId": parent or None}, stop=stop)

    def by_guid(self, guid: str) -> Document:
        """One device by its `guid`; on AWS only, elsewhere NotFound."""
        return self._one(f"/Device/{segment(guid)}")

    def lookup(self, *, stop: threading.Event | None = None, **filters: Any) -> Documents:
        """Ids, names, templates and versions of all devices in one answer.

        `filters`: deviceTemplateGuid, tag, iotEdgeEnabled, getChildDevice, excludeEdge, deviceEntityGuid.
        """
        return self._few("/Device/lookup", params=filters, stop=stop)

    def children(self, guid: str, *, stop: threading.Event | None = None) -> Documents:
        """The devices behind a gateway."""
        return self._list(f"/Device/{segment(guid)}/child-device", stop=stop)

    def of_entity(self, guid: str, *, stop: threading.Event | None = None) -> Documents:
        """The devices of an entity."""
        return self._list(f"/entity/{segment(guid)}/device", sort=SORT, stop=stop)

    def of_template(self, guid: str, *, stop: threading.Event | None = None) -> Documents:
        """The devices of a template."""
        return self._list(f"/template/{segment(guid)}/device", sort=SORT, stop=stop)

    def of_company(self, guid: str, *, stop: threading.Event | None = None) -> Documents:
        """The devices of a company."""
        return self._list(f"/company/{segment(guid)}/device", sort=SORT, stop=stop)

    def counters(self) -> Document:
        """How many are active, connected, acquired ... and in all."""
        return self._one("/Device/counters")

    def count(self, *, status: str | None = None) -> int:
        """How many there are, of one status (`active`, `inactive`) or of all."""
        return int(self._one("/Device/count", params={"status": status})["deviceCount"])

    def connected(self, unique_id: str) -> bool:
        """Whether a device is connected now."""
        found = self._one("/Device/connection-status", params={"uniqueId": unique_id})
        return bool(found["isConnected"])

    def recent_activity(self, *, count: int | None = None, **filters: Any) -> Documents:
        """The devices with the latest changes; `filters`: isAcquired, isConnected, isOtaupdate, isActive."""
        return self._few("/Device/recent-activity", params={"count": count, **filters})

    # -- changes --------------------------------------------------------------------------------------------

    def create(self, document: Mapping[str, Any]) -> Document:
        """Creates a device: uniqueId, displayName, deviceTemplateGuid, entityGuid; gives `newid`."""
        return (self._change("POST", "/Device", dict(document)) or [{}])[0]

    def update(self, guid: str, changes: Mapping[str, Any]) -> None:
        """Changes displayName and entityGuid (both needed), note, properties."""
        self._change("PUT", f"/Device/{segment(guid)}", dict(changes))

    def delete(self, guid: str) -> None:
        """Deletes a device."""
        self._change("DELETE", f"/Device/{segment(guid)}")

    def set_active(self, guid: str, active: bool) -> None:
        """Switches a device on or off; an inactive one cannot connect."""
        self._change("PUT", f"/Device/{segment(guid)}/status", {"isActive": active})

    def acquire(self, unique_id: str) -> None:
        """Gives a device its identity at the broker; Conflict when it is inactive or has one."""
        self._change("PUT", f"/Device/{segment(unique_id)}/acquire", {})

    def release(self, unique_id: str) -> None:
        """Takes that identity away."""
        self._change("PUT", f"/Device/{segment(unique_id)}/release", {})

    # -- settings and history -------------------------------------------------------------------------------

    def settings(
        self, unique_id: str, *, recently: bool = False, stop: threading.Event | None = None
    ) -> Documents:
        """The settings (twin): desired and reported values; `recently` gives the ten reported last."""
        path = f"/Device/{segment(unique_id)}/twin"
        return self._few(path, params={"recentlyReported": recently or None}, stop=stop)

    def set_setting(self, unique_id: str, setting: Mapping[str, Any], value: Any) -> None:
        """Wishes a value of a setting; `setting` is its row: localName and guid or templateSettingGuid."""
        guid = setting.get("templateSettingGuid") or setting.get("guid")
        body = {"localName": setting["localName"], "desiredValue": value, "templateSettingGuid": guid}
        self._change("PUT", f"/Device/{segment(unique_id)}/twin", body)

    def twin(self, unique_id: str) -> Document:
        """The document of all settings, as the broker keeps it."""
        return self._one(f"/Device/{segment(unique_id)}/twinjson")

    def lifecycle(
        self, unique_id: str, *, stop: threading.Event | None = None, tally: Tally | None = None
    ) -> Iterator[Page]:
        """Pages of the history of a device's connection, newest first: status, changeDate, messageText."""
        path = f"/Device/{segment(unique_id)}/lifecycle"
        return self._pages(path, sort="changeDate desc", stop=stop, tally=tally)

    def rejected(self, day: date | str, *, stop: threading.Event | None = None) -> Documents:
        """The messages of one day (UTC) that the platform has rejected: uniqueId, date, error, data."""
        return self._list("/Device/audit-log", params={"date": str(day)}, stop=stop)

    def diagnostics(self, unique_id: str, start: str, end: str, **options: Any) -> Document:
        """What the broker has logged about a device (Azure); `pageToken` in `options` asks for more."""
        body = {"uniqueId": unique_id, "fromDate": start, "toDate": end, **options}
        answer = self._request("POST", "/Device/diagnostics", json=body, reading=True)
        return dict(answer.json()) if answer.body else {"data": []}


def checked(filters: Mapping[str, Any]) -> dict[str, Any]:
    """The filters in the platform's spelling; raises ConfigError for one that there is not."""
    known = {name.lower(): name for name in FILTERS}
    unknown = [name for name in filters if name.lower() not in known]
    if unknown:
        raise ConfigError(f"GET /Device has no filter {unknown[0]!r}: it has {', '.join(FILTERS)}")
    return {known[name.lower()]: value for name, value in filters.items()}
