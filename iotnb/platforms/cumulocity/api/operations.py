"""Device control: operations, and the bulk operations that make them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iotnb.platforms.cumulocity.api.chapter import DATES, Collection, Reading, known, some

FILTERS = DATES | {"agentId", "bulkOperationId", "deviceId", "fragmentType", "status", "revert"}


class Operations(Collection):
    """`/devicecontrol/operations`: PENDING, EXECUTING, then SUCCESSFUL or FAILED.

    Filters: `deviceId`, `agentId` (its child devices too), `status` (one), `fragmentType`, `bulkOperationId`,
    `dateFrom`, `dateTo`, `revert`. `revert` is always sent, false (oldest first) unless given.
    """

    path, key, one, many = "/devicecontrol/operations", "operations", "operation", "operationcollection"
    filters = FILTERS

    def delete(self, id: str) -> None:
        """Not in the platform's document: raises what the server answers; `delete_many` is documented."""
        super().delete(id)

    def delete_many(self, **filters: Any) -> None:
        """Deletes by `deviceId`, `agentId`, `status`, `dateFrom`, `dateTo`; at least one of them."""
        where = f"DELETE {self.path}"
        names = FILTERS - {"revert", "fragmentType", "bulkOperationId"}
        self._delete(self.path, **known(some(filters, where=where), names, where=where))

    def _params(self, filters: Mapping[str, Any]) -> dict[str, Any]:
        return {"revert": False, **super()._params(filters)}


class BulkOperations(Reading):
    """`/devicecontrol/bulkoperations`: one operation per member of a group, spread over time.

    `generalStatus` tells the course, `progress` how many operations are in which state.
    `list(bulkOperationId=..)` of the operations chapter gives the operations themselves.
    """

    path, key, one, many = (
        "/devicecontrol/bulkoperations",
        "bulkOperations",
        "bulkoperation",
        "bulkoperationcollection",
    )
    filters = frozenset()
