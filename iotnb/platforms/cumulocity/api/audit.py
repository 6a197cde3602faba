"""Audit: the only source for when an operation or an alarm changed its state."""

from __future__ import annotations

from iotnb.platforms.cumulocity.api.chapter import DATES, Reading


class Audit(Reading):
    """`/audit/auditRecords`.

    Filters: `type` (Operation, Alarm, Inventory, User ...), `source` (the id of the operation or alarm
    itself), `user`, `application`, `dateFrom`, `dateTo`. `changes` holds attribute and `newValue`;
    `creationTime` is the moment to rely on, `time` can be 1970.
    """

    path, key, one, many = "/audit/auditRecords", "auditRecords", "auditrecord", "auditrecordcollection"
    filters = DATES | {"type", "source", "user", "application"}
