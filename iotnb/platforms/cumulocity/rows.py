"""Pure functions from Cumulocity's JSON to the rows of the tables; no network, no clock.

A row is a dict with the core columns of its table. Times stay as the platform wrote them (ISO 8601 text
with a zone), identifiers are text even where JSON has an integer, and what the document does not say is None.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from iotnb import times
from iotnb.platforms.cumulocity.objects import Object

Row = dict[str, Any]


class Document(dict[str, Any]):
    """A document of the platform with the audit records that speak about it beside it."""

    audit: Sequence[Mapping[str, Any]] = ()


# The keys of an operation that are its envelope; every other key is a fragment that says what to do.
_ENVELOPE = frozenset(
    {
        "id",
        "self",
        "deviceId",
        "agentId",
        "deviceName",
        "deviceExternalIDs",
        "creationTime",
        "status",
        "failureReason",
        "bulkOperationId",
        "description",
        "deliveryType",
    }
)
_STATUS = {
    "AVAILABLE": "online",
    "UNAVAILABLE": "offline",
    "CONNECTED": "online",
    "DISCONNECTED": "offline",
}
_STATUS = {
    "AVAILABLE": "online",
    "UNAVAILABLE": "offline",
    "CONNECTED": "online",
    "DISCONNECTED": "offline",
}
_OPERATION_STATUS = {"PENDING", "EXECUTING", "SUCCESSFUL", "FAILED"}
_OPERATION_END = {"SUCCESSFUL", "FAILED"}
_SEVERITY = {"CRITICAL", "MAJOR", "MINOR", "WARNING"}
_ALARM_STATUS = {"ACTIVE", "ACKNOWLEDGED", "CLEARED"}


def text(value: object) -> str | None:
    """An identifier or a word as text; JSON integers become digits, None and empty text become None."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def _fragment(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name)
    return found if isinstance(found, Mapping) else {}


def references(document: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The managed objects that the reference block `name` (`deviceParents`, `childDevices` ...) points to."""
    found = _fragment(document, name).get("references")
    items = found if isinstance(found, Sequence) and not isinstance(found, str) else ()
    objects = (item.get("managedObject") for item in items if isinstance(item, Mapping))
    return [item for item in objects if isinstance(item, Mapping)]


def status(document: Mapping[str, Any]) -> str:
    """`online`, `offline` or `unknown`, from `c8y_Availability`, else from `c8y_Connection`.

    Availability says whether data arrived in time, connection whether a push connection stands. A device in
    maintenance is judged by its connection; a device that the platform does not monitor is `unknown`.
    """
    for name in ("c8y_Availability", "c8y_Connection"):
        word = str(_fragment(document, name).get("status", "")).upper()
        if word in _STATUS:
            return _STATUS[word]
    return "unknown"


def device(document: Mapping[str, Any]) -> Row:
    """One row of the devices table from a managed object read with `withParents` and `withGroups`.

    `parent` is the first reference of `deviceParents`; `labels` the names of the groups (`assetParents`).
    """
    if isinstance(document, Object):
        return _quick(document)
    parents = references(document, "deviceParents")
    groups = references(document, "assetParents")
    labels = [name for group in groups if (name := text(group.get("name")) or text(group.get("id")))]
    return {
        "device": text(document.get("id")),
        "name": text(document.get("name")),
        "type": text(document.get("type")),
        "status": status(document),
        "last_seen": text(_fragment(document, "c8y_Availability").get("lastMessage")),
        "created": text(document.get("creationTime")),
        "parent": text(parents[0].get("id")) if parents else None,
        "owner": text(document.get("owner")),
        "labels": ", ".join(labels) or None,
    }


def _quick(document: Object) -> Row:
    """The same row from what is decoded of the object already."""
    core, labels, state = document.core, None, "unknown"
    seen = core.c8y_Availability
    for part in (seen, core.c8y_Connection):
        if part is not None and (word := _STATUS.get((part.status or "").upper())):
            state = word
            break
    if core.assetParents is not None and core.assetParents.references:
        labels = ", ".join(str(each.name or each.id) for each in core.assetParents.objects()) or None
    return {
        "device": text(core.id),
        "name": text(core.name),
        "type": text(core.type),
        "status": state,
        "last_seen": seen.lastMessage if seen is not None else None,
        "created": core.creationTime,
        "parent": document.parent or next(iter(document.ancestors), None),
        "owner": text(core.owner),
        "labels": labels,
    }


def split(series: str) -> tuple[str, str]:
    """Fragment and series of `fragment.series`; names hold no dot, so the first one divides."""
    fragment, _, name = series.partition(".")
    return fragment, name


def values(document: Mapping[str, Any]) -> Iterable[tuple[str, Any, str | None]]:
    """The (series, value, unit) of one measurement document, numbers only, in the document's order."""
    for fragment, block in document.items():
        if not isinstance(block, Mapping) or fragment == "source":
            continue
        for name, entry in block.items():
            if not isinstance(entry, Mapping):
                continue
            value = entry.get("value")
            if isinstance(value, int | float) and not isinstance(value, bool):
                yield f"{fragment}.{name}", value, text(entry.get("unit"))


def series(
    device: str,
    name: str,
    *,
    first: Mapping[str, Any] | None = None,
    last: Mapping[str, Any] | None = None,
) -> Row:
    """One row of the series table; `first` and `last` are its oldest and newest measurement."""
    unit = next((found for document in (last, first) if (found := _unit(document, name))), None)
    return {
        "device": device,
        "series": name,
        "unit": unit,
        "kind": "number",  # the platform stores nothing else as a series
        "first": text((first or {}).get("time")),
        "last": text((last or {}).get("time")),
    }


def _unit(document: Mapping[str, Any] | None, name: str) -> str | None:
    return next((unit for found, _, unit in values(document or {}) if found == name), None)


def latest(device: str, name: str, document: Mapping[str, Any]) -> Row | None:
    """One row of the latest table from a measurement; None if it does not hold the series."""
    for found, value, unit in values(document):
        if found == name:
            return {
                "time": text(document.get("time")),
                "device": device,
                "series": name,
                "value": float(value),
                "text": None,
                "unit": unit,
            }
    return None


def kind(document: Mapping[str, Any]) -> str | None:
    """What an operation does: its first fragment that holds an object, else its first fragment."""
    fragments = [name for name in document if name not in _ENVELOPE]
    return next((name for name in fragments if isinstance(document[name], Mapping | list)), None) or next(
        iter(fragments), None
    )


def operation(document: Mapping[str, Any]) -> Row:
    """One row of the operations table.

    The platform stores only when an operation was created: `finished` comes from the audit records that a
    `Document` carries and is None without them; `duration` is the time from creation to that end, in seconds.
    """
    what = kind(document)
    word = str(document.get("status", "")).upper()
    created = text(document.get("creationTime"))
    finished = changed(getattr(document, "audit", ()), _OPERATION_END) if word in _OPERATION_END else None
    return {
        "time": created,
        "operation": text(document.get("id")),
        "device": text(document.get("deviceId")),
        "kind": what,
        "status": word if word in _OPERATION_STATUS else None,
        "platform_status": text(document.get("status")),
        "finished": finished,
        "duration": seconds(created, finished),
        "failure": text(document.get("failureReason")),
        "parameters": compact(document[what]) if what else None,
    }


def seconds(start: str | None, end: str | None) -> float | None:
    """The seconds between two times of the wire; None if one is missing."""
    if start is None or end is None:
        return None
    return (times.from_wire(end) - times.from_wire(start)).total_seconds()


def compact(value: object) -> str:
    """A JSON value as one line of text without blanks."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def changed(audit: Iterable[Mapping[str, Any]], words: Iterable[str]) -> str | None:
    """When the audit records say that `status` last became one of the words; None if they do not.

    Reads `newValue` only, and `creationTime` rather than `time`: real records have repeated
    `previousValue`s and a `time` of 1970.
    """
    wanted = set(words)
    moments = [
        str(moment)
        for record in audit
        for change in record.get("changes") or ()
        if isinstance(change, Mapping)
        and change.get("attribute") == "status"
        and str(change.get("newValue", "")).upper() in wanted
        and (moment := record.get("creationTime") or record.get("time"))
    ]
    return max(moments, key=times.from_wire, default=None)


def event(document: Mapping[str, Any]) -> Row:
    """One row of the events table."""
    return {
        "time": text(document.get("time")),
        "event": text(document.get("id")),
        "device": text(_fragment(document, "source").get("id")),
        "type": text(document.get("type")),
        "text": text(document.get("text")),
    }


def alarm(document: Mapping[str, Any]) -> Row:
    """One row of the alarms table.

    Repeated alarms are merged by the platform: `count` says how often, `time` is the last occurrence and
    `first_seen` the first one. `cleared` comes from audit records if the `Document` carries them, else it is
    the last change of an alarm that is CLEARED (the platform never merges into a cleared alarm).
    """
    word = str(document.get("status", "")).upper()
    severity = str(document.get("severity", "")).upper()
    count = document.get("count")
    cleared = None
    if word == "CLEARED":
        cleared = changed(getattr(document, "audit", ()), {"CLEARED"}) or text(document.get("lastUpdated"))
    first = document.get("firstOccurrenceTime")
    if not first:
        first = (
            document.get("time") if not isinstance(count, int) or count <= 1 else document.get("creationTime")
        )
    return {
        "time": text(document.get("time")),
        "alarm": text(document.get("id")),
        "device": text(_fragment(document, "source").get("id")),
        "type": text(document.get("type")),
        "severity": severity if severity in _SEVERITY else None,
        "status": word if word in _ALARM_STATUS else None,
        "count": count if isinstance(count, int) and not isinstance(count, bool) else 1,
        "first_seen": text(first),
        "cleared": cleared,
        "text": text(document.get("text")),
    }
