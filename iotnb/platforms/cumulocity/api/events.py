"""Events: what happened on a device, with an optional file attached."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iotnb.platforms.cumulocity.api.chapter import (
    CHANGES,
    DATES,
    JSON,
    SOURCES,
    Collection,
    Document,
    bounded,
    document,
    known,
    segment,
    some,
)

FILTERS = DATES | CHANGES | SOURCES | {"type", "fragmentType", "fragmentValue", "revert"}


class Events(Collection):
    """`/event/events`.

    Filters: `source` (with `withSourceDevices`, `withSourceAssets` for its children too), `type`,
    `fragmentType`, `fragmentValue`, `dateFrom`, `dateTo`, `createdFrom`, `createdTo`, `lastUpdatedFrom`,
    `lastUpdatedTo`, `revert`. For events `revert=true` means oldest first, the opposite of measurements;
    it is always sent, true unless given.
    """

    path, key, one, many = "/event/events", "events", "event", "eventcollection"
    filters = FILTERS

    def delete_many(self, **filters: Any) -> None:
        """Deletes all events that match; the platform wants at least one filter."""
        where = f"DELETE {self.path}"
        self._delete(self.path, **known(some(filters, where=where), FILTERS - {"revert"}, where=where))

    def binary(self, id: str) -> bytes:
        """The attached file; NotFound if there is none."""
        return self._get(self._file(id), accept="*/*").body

    def find_binary(self, id: str) -> bytes | None:
        """The attached file, or None if there is none."""
        answer = self._session.get(self._file(id), headers={"Accept": "*/*"}, expect={404})
        return None if answer.status == 404 else answer.body

    def create_binary(
        self,
        id: str,
        content: bytes,
        *,
        name: str = "",
        type: str = "application/octet-stream",
    ) -> Document:
        """Attaches a file (50 MiB at most by default); Conflict if the event has one already."""
        return self._upload("POST", id, content, name, type)

    def update_binary(
        self,
        id: str,
        content: bytes,
        *,
        name: str = "",
        type: str = "application/octet-stream",
    ) -> Document:
        """Replaces the attached file."""
        return self._upload("PUT", id, content, name, type)

    def delete_binary(self, id: str) -> None:
        """Removes the attached file; the event stays."""
        self._delete(self._file(id))

    def _file(self, id: str) -> str:
        return f"{self.path}/{segment(id)}/binaries"

    def _upload(self, method: str, id: str, content: bytes, name: str, kind: str) -> Document:
        headers = {"Accept": JSON, "Content-Type": kind}
        if name:
            plain = name.replace("\\", "_").replace('"', "_")
            headers["Content-Disposition"] = f'attachment; filename="{plain}"'
        return document(self._session.request(method, self._file(id), data=content, headers=headers))

    def _params(self, filters: Mapping[str, Any]) -> dict[str, Any]:
        return bounded(super()._params(filters), revert=True)
