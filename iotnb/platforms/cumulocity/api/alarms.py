"""Alarms: what needs a person; repeated ones are merged by the platform."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iotnb.errors import BadAnswer
from iotnb.platforms.cumulocity.api.chapter import (
    CHANGES,
    DATES,
    SOURCES,
    Collection,
    Document,
    known,
    media,
    some,
    url,
    wire,
)

FILTERS = DATES | CHANGES | SOURCES | {"type", "status", "severity", "resolved", "revert"}


class Alarms(Collection):
    """`/alarm/alarms`.

    Filters: `source` (with `withSourceDevices`, `withSourceAssets`), `status`, `severity` and `type` (one
    or a list), `resolved` (true: CLEARED, false: the others), `dateFrom`, `dateTo`, `createdFrom`,
    `createdTo`, `lastUpdatedFrom`, `lastUpdatedTo`. The platform lists them newest first and documents no
    other order.
    """

    path, key, one, many = "/alarm/alarms", "alarms", "alarm", "alarmcollection"
    filters = FILTERS

    def count(self, **filters: Any) -> int:
        """How many alarms match; users who see a part of the inventory get at most 100."""
        path = f"{self.path}/count"
        params = known(filters, FILTERS, where=f"GET {path}")
        answer = self._get(path, accept="text/plain, application/json", **params)
        try:
            return int(answer.text.strip())
        except ValueError:
            raise BadAnswer(f"GET {path}: expected a number, got {answer.text[:40]!r}") from None

    def update_many(self, changes: Mapping[str, Any], **filters: Any) -> int:
        """Changes the `status` of all alarms that match at least one filter.

        Returns the status of the answer: 200 when done, 202 when the platform goes on in the background.
        """
        where = f"PUT {self.path}"
        params = known(some(filters, where=where), FILTERS, where=where)
        headers = {"Accept": media(self.one), "Content-Type": media(self.one)}
        pairs = [(name, wire(value)) for name, value in params.items()]
        return self._session.put(url(self.path, pairs), json=dict(changes), headers=headers).status

    def delete(self, id: str) -> None:
        """Deletes one alarm; live platforms do so although the document has only `delete_many`."""
        super().delete(id)

    def delete_many(self, **filters: Any) -> None:
        """Deletes all alarms that match at least one filter."""
        where = f"DELETE {self.path}"
        self._delete(self.path, **known(some(filters, where=where), FILTERS, where=where))

    def upsert(self, document: Mapping[str, Any], *, increment_count: bool = True) -> Document:
        """Creates an alarm or updates the one of the same source and type; newest edition only.

        Returns `{"alarm": .., "previousState": ..}`.
        """
        return self._send(
            "POST",
            f"{self.path}/upsert",
            dict(document),
            content=media(self.one),
            accept=media("alarmUpsertResponse"),
            incrementCount=increment_count,
        )
