"""From the JSON of IoTConnect to the rows of our tables: pure, no network, no clock.

The platform spells a name now this way, now that (`IsAcquired`, `isAcquired`): names are compared without
their case. A device document is a row of the list with what `inventory` joins to it: `parentUniqueId` and
`entityPath`. An operation is a row of the history with `device`, `command`, and `sent` where this client
sent it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from iotnb.platforms.iotconnect.model import Attribute, Model, cast

Json = Mapping[str, Any]
Row = dict[str, Any]

STATUSES = {
    "inqueue": "PENDING", "0": "PENDING", "intransit": "EXECUTING", "1": "EXECUTING",
    "failed": "FAILED", "2": "FAILED", "executed": "SUCCESSFUL", "3": "SUCCESSFUL",
}  # fmt: skip
"""The states of a command, as words and as the numbers of an acknowledgement."""

SEVERITIES = {
    "critical": "CRITICAL", "major": "MAJOR", "high": "MAJOR", "minor": "MINOR", "medium": "MINOR",
    "warning": "WARNING", "low": "WARNING", "information": "WARNING", "info": "WARNING",
}  # fmt: skip


def get(document: Json, name: str) -> Any:
    """A member by its name, whatever its case."""
    if name in document:
        return document[name]
    wanted = name.lower()
    return next((value for key, value in document.items() if key.lower() == wanted), None)


def text(value: Any) -> str | None:
    """A text as it is, a number as text, nothing for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value) or None


def truth(value: Any) -> bool | None:
    """true, false, 1, 0 and their texts; None for anything else."""
    return {"true": True, "1": True, "false": False, "0": False}.get(str(value).strip().lower())


def time(value: Any) -> datetime | None:
    """A time of the platform; without a zone it is UTC. What is none is missing."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value.strip())
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def device(document: Json) -> Row:
    """One row of the devices table.

    `device` is the `uniqueId`, by which people know it; `type` the template's name; `owner` the path of its
    entity; `last_seen` its last communication. The platform tells no time of creation.
    """
    online = truth(get(document, "isConnected"))
    labels = [
        text(get(document, "deviceStatus")),
        "inactive" if truth(get(document, "isActive")) is False else None,
        text(get(document, "tag")),
    ]
    unique = text(get(document, "uniqueId"))
    return {
        "device": unique,
        "name": text(get(document, "displayName")) or unique,
        "type": text(get(document, "deviceTemplateName")),
        "status": "unknown" if online is None else "online" if online else "offline",
        "last_seen": time(get(document, "lastCommunication")) or time(get(document, "lastActivityDate")),
        "created": None,
        "parent": text(get(document, "parentUniqueId")) or text(get(document, "parentDeviceUniqueId")),
        "owner": text(get(document, "entityPath")) or text(get(document, "entityName")),
        "labels": ", ".join(filter(None, labels)) or None,
    }


def properties(listed: Any) -> dict[str, Any]:
    """Name -> value of a device's custom properties."""
    found = [each for each in listed if isinstance(each, Mapping)] if isinstance(listed, list) else []
    return {
        str(get(each, "name") or get(each, "guid")): get(each, "value")
        for each in found
        if get(each, "name") or get(each, "guid")
    }


def series(device: str, attributes: Sequence[Attribute], newest: Mapping[str, Row]) -> list[Row]:
    """Rows of the series table: the attributes of a template, with the time of their last value."""
    return [
        {
            "device": device,
            "series": each.name,
            "unit": each.unit,
            "kind": each.kind,
            "first": None,
            "last": newest[each.name]["time"] if each.name in newest else None,
        }
        for each in attributes
    ]


def latest(device: str, documents: Sequence[Json], model: Model) -> dict[str, Row]:
    """Series -> its row of the latest table; of several rows of one attribute the newest counts."""
    by_guid = {each.guid.upper(): each for each in model.attributes}
    found: dict[str, Row] = {}
    for document in documents:
        at, value = time(get(document, "deviceUpdatedDate")), get(document, "attributeValue")
        if at is None or value is None:
            continue
        name = text(get(document, "attributeName")) or ""
        attribute = by_guid.get(str(get(document, "templateAttributeGuid") or "").upper()) or model.find(name)
        if attribute is None:
            attribute = Attribute(name, "", str(get(document, "DataType") or "").upper())
        if attribute.name in found and found[attribute.name]["time"] >= at:
            continue
        number, words, _ = cast(attribute, value)
        found[attribute.name] = {
            "time": at,
            "device": device,
            "series": attribute.name,
            "value": number,
            "text": words,
            "unit": attribute.unit,
        }
    return found


# -- what happened ------------------------------------------------------------------------------------------


def status(value: Any) -> str | None:
    """The state of a command in our words; None for one that no document names."""
    word = "" if value is None else "".join(str(value).split()).replace("-", "").replace("_", "").lower()
    return STATUSES.get(word)


def operation(document: Json) -> Row:
    """One row of the operations table, from a row of the history of commands.

    The platform tells when the state changed last, not when a command was sent: `time` is the first unless
    this client sent it, and `duration` is known for those, and for the last try of one that was sent again.
    """
    word = status(get(document, "status"))
    changed, sent = time(get(document, "statusDate")), time(document.get("sent"))
    again = _resent(document)
    finished = changed if word in {"SUCCESSFUL", "FAILED"} else None
    began = again or sent
    command, whole = text(document.get("command")), text(get(document, "cmdText")) or ""
    name = command or whole.partition(" ")[0]
    failure = text(get(document, "statusText")) or text(get(document, "status"))
    return {
        "time": sent or changed,
        "operation": text(get(document, "commandHistoryGuid")),
        "device": text(document.get("device")) or text(get(document, "uniqueId")),
        "kind": name or None,
        "status": word,
        "platform_status": text(get(document, "status")),
        "finished": finished,
        "duration": finished - began if finished and began and finished >= began else None,
        "failure": failure if word == "FAILED" else None,
        "parameters": whole[len(name) :].strip() or None,
    }


def _resent(document: Json) -> datetime | None:
    """When a command was sent for the last time, if it was sent again."""
    history = get(document, "resendHistory")
    moments = get(history, "execTime") if isinstance(history, Mapping) else None
    found = [at for each in moments if (at := time(each))] if isinstance(moments, list) else []
    return max(found, default=None)


def event(document: Json) -> Row:
    """One row of the events table: a change of a device's connection, or a message that was rejected.

    The platform gives neither an id. `type` is the status, or `rejected: ` and the kind of error.
    """
    if get(document, "changeDate") is None and get(document, "date") is not None:
        words = [text(get(document, name)) for name in ("error", "errorDetail")]
        kind = text(get(document, "type"))
        return {
            "time": time(get(document, "date")),
            "event": None,
            "device": text(get(document, "uniqueId")),
            "type": f"rejected: {kind}" if kind else "rejected",
            "text": ": ".join(filter(None, words)) or None,
        }
    return {
        "time": time(get(document, "changeDate")),
        "event": None,
        "device": text(document.get("device")),
        "type": text(get(document, "status")),
        "text": text(get(document, "messageText")),
    }


def alarm(document: Json) -> Row:
    """One row of the alarms table: a rule that has fired. The platform knows no id and no end of it."""
    level = text(get(document, "severityLevel"))
    at = time(get(document, "createdDate"))
    return {
        "time": at,
        "alarm": None,
        "device": text(get(document, "uniqueId")),
        "type": text(get(document, "ruleName")),
        "severity": SEVERITIES.get((level or "").lower(), level),
        "status": None,
        "count": 1,
        "first_seen": at,
        "cleared": None,
        "text": text(get(document, "notificationText")) or text(get(document, "condition")),
    }
