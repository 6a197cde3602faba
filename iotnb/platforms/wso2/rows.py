"""Pure functions from WSO2 IoT Server's JSON to the rows of the tables; no network, no clock.

A device document is a row of `/devices` with all `enrolments` of the device. An operation document holds
the `operation` or `activity` as it came, the `device`, the `zone` of the server, and for a failed one
the `answer` of the device. An alarm document holds the `notification` and the `activity` of it; an event
document an `alert`, or an `activity` with its `answer`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from iotnb.platforms.wso2 import moments

Row = dict[str, Any]

EXACT: Final = 2**53  # whole numbers beyond are kept as text: float64 would round them
NUMBERS: Final = frozenset({"DOUBLE", "FLOAT", "INT", "LONG"})
KINDS: Final[Mapping[str, str]] = {"STRING": "text", "BOOL": "bool", **dict.fromkeys(NUMBERS, "number")}

_ONLINE: Final[Mapping[str, str]] = {"ACTIVE": "online", "INACTIVE": "offline", "UNREACHABLE": "offline"}
_STATUSES: Final[Mapping[str, str]] = {
    "PENDING": "PENDING",
    "IN_PROGRESS": "EXECUTING",
    "COMPLETED": "SUCCESSFUL",
    "ERROR": "FAILED",
    "REPEATED": "CANCELLED",
    "INVALID": "FAILED",
    "UNAUTHORIZED": "FAILED",
}
_GONE: Final = ("REMOVED", "DISENROLLMENT_REQUESTED")


def key(type: Any, id: Any) -> str | None:
    """How a device is named: its type and identifier together, `firealarm/123422`; None without either."""
    parts = [str(each) for each in (type, id) if each not in (None, "")]
    return "/".join(parts) or None


def parts(device: str) -> tuple[str, str]:
    """Type and identifier of a device; the type is "" where only an identifier was given."""
    kind, slash, identifier = device.partition("/")
    return (kind, identifier) if slash else ("", kind)


def device(document: Mapping[str, Any]) -> Row:
    """One row of the devices table, of the enrolment that counts now.

    `device` is type and identifier (`firealarm/123422`): other types may have the same identifier.
    `status`: ACTIVE is online, INACTIVE and UNREACHABLE are offline. `created` is the first enrolment.
    `last_seen` is empty: the platform does not tell when it heard from a device; `latest()` does.
    """
    enrolments = [each for each in document.get("enrolments") or () if isinstance(each, Mapping)]
    now = _mapping(document.get("enrolmentInfo"))
    dates = [moments.moment(each.get("dateOfEnrolment")) for each in (*enrolments, now)]
    status = _text(now.get("status"))
    shown = {
        "status": status,
        "ownership": _text(now.get("ownership")),
        "earlier": ", ".join(_earlier(enrolments, now)) or None,
    }
    return {
        "device": key(document.get("type"), document.get("deviceIdentifier")),
        "name": _text(document.get("name")) or _text(document.get("deviceIdentifier")),
        "type": _text(document.get("type")),
        "status": _ONLINE.get(status or "", "unknown"),
        "last_seen": None,
        "created": min((at for at in dates if at is not None), default=None),
        "parent": None,
        "owner": _text(now.get("owner")),
        "labels": ", ".join(f"{name}:{value}" for name, value in shown.items() if value) or None,
    }


def _earlier(enrolments: Sequence[Mapping[str, Any]], now: Mapping[str, Any]) -> Iterator[str]:
    for each in enrolments:
        if each.get("id") != now.get("id"):
            yield f"{each.get('owner')} {each.get('status')}"


def before(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether an enrolment counts less than another: a removed one, or the older one."""
    return _rank(one) < _rank(other)


def _rank(enrolment: Mapping[str, Any]) -> tuple[bool, int, int]:
    numbers = [enrolment.get(name) for name in ("dateOfEnrolment", "id")]
    first, second = (each if isinstance(each, int) else 0 for each in numbers)
    return enrolment.get("status") not in _GONE, first, second


# -- measurements


def attributes(definition: Mapping[str, Any] | None) -> dict[str, str]:
    """Attribute -> type of an event definition (`temperature` -> `DOUBLE`)."""
    inner = _mapping(_mapping(definition).get("eventAttributes"))
    listed = inner.get("attributes")
    return {
        str(each["name"]): str(each.get("type") or "STRING").upper()
        for each in (listed if isinstance(listed, list) else ())
        if isinstance(each, Mapping) and each.get("name")
    }


def values(record: Mapping[str, Any], device: str, types: Mapping[str, str]) -> list[Row]:
    """The rows of the measurements table from one record; `types` are the attributes of its definition.

    true and false, texts, and whole numbers that float64 cannot hold stand in `text`. What the server adds to
    a record (`meta_deviceId`, `_version`) is left out, and so is null.
    """
    at = moments.moment(record.get("timestamp"))
    made = []
    for name, value in _mapping(record.get("values")).items():
        if value is None or (name not in types and (name.startswith("meta_") or name == "_version")):
            continue
        number, text = _typed(value, types.get(name, ""))
        made.append(
            {"time": at, "device": device, "series": name, "value": number, "text": text, "unit": None}
        )
    return made


def _typed(value: Any, kind: str) -> tuple[float | None, str | None]:
    if isinstance(value, bool):
        return None, "true" if value else "false"
    if isinstance(value, int | float) and kind != "STRING":
        if isinstance(value, int) and abs(value) > EXACT:
            return None, str(value)
        return float(value), None
    return None, value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def record_key(record: Mapping[str, Any]) -> str:
    """What tells a record from all others: its id, or lacking it time and values."""
    if record.get("id") not in (None, ""):
        return str(record["id"])
    return json.dumps([record.get("timestamp"), record.get("values")], sort_keys=True)


# -- operations


def operation(document: Mapping[str, Any]) -> Row:
    """One row of the operations table: one operation as it went on one device.

    `finished` is the second of the last change of one that is COMPLETED or ERROR, and never before the
    operation was created. REPEATED (another one took its place) is CANCELLED. `failure` is what the device
    answered.
    """
    zone = str(document.get("zone") or "UTC")
    told = _mapping(document.get("operation")) or _mapping(document.get("activity"))
    answer = _mapping(document.get("answer"))
    created = moments.moment(told.get("createdTimeStamp") or told.get("createdTimestamp"), zone)
    status = _text(told.get("status")) or _text(answer.get("status"))
    word = _STATUSES.get(status or "")
    changed = _changed(told, answer, zone)
    finished = None
    if word in {"SUCCESSFUL", "FAILED"} and changed is not None:
        finished = changed if created is None else max(changed, created)
    return {
        "time": created,
        "operation": _text(told.get("activityId")) or _text(told.get("id")),
        "device": _text(document.get("device")),
        "kind": _text(told.get("code")),
        "status": word,
        "platform_status": status,
        "finished": finished,
        "duration": None if finished is None or created is None else (finished - created).total_seconds(),
        "failure": (said(answer) or status) if word == "FAILED" else None,
        "parameters": _compact(told.get("payLoad")),
    }


def _changed(told: Mapping[str, Any], answer: Mapping[str, Any], zone: str) -> datetime | None:
    """When an operation last changed: on the operation itself, or on the status of its activity."""
    return moments.moment(told.get("receivedTimeStamp"), zone) or status_time(answer, zone)


def status_time(status: Mapping[str, Any], zone: str) -> datetime | None:
    """When the status of an activity last changed: its own time stamp, else that of its last answer."""
    stamped = moments.moment(status.get("updatedTimestamp") or status.get("updatedTimeStamp"), zone)
    answers = [moments.moment(each.get("receivedTimeStamp"), zone) for each in _answers(status)]
    return stamped or max((at for at in answers if at is not None), default=None)


def said(status: Mapping[str, Any]) -> str | None:
    """What a device answered, in the order of its answers."""
    words = [_text(each.get("response")) for each in _answers(status)]
    return "; ".join(each for each in words if each) or None


def _answers(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = status.get("responses")
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


# -- alarms and events


def alarm(document: Mapping[str, Any]) -> Row:
    """One row of the alarms table from a notification: an operation that failed on a device.

    A notification carries no time: `time` is when the operation failed, where its activity tells. The
    platform knows no severities. NEW is ACTIVE, CHECKED is CLEARED.
    """
    told = _mapping(document.get("notification"))
    at = status_time(_mapping(document.get("answer")), str(document.get("zone") or "UTC"))
    words = _text(told.get("description"))
    status = {"NEW": "ACTIVE", "CHECKED": "CLEARED"}.get(str(told.get("status")))
    code = _text(_mapping(document.get("activity")).get("code"))
    return {
        "time": at,
        "alarm": _text(told.get("id")),
        "device": key(told.get("deviceType"), told.get("deviceIdentifier")),
        "type": code or ((words or "").partition(" operation failed")[0] or None),
        "severity": None,
        "status": status,
        "count": 1,
        "first_seen": at,
        "cleared": None,
        "text": words,
    }


def event(document: Mapping[str, Any]) -> Row:
    """One row of the events table from a geo alert that fired, or from the progress of an operation.

    The progress is the last change of the operation on the device: `type` says to which state, `text` which
    operation and what the device answered.
    """
    if "alert" not in document:
        return _progress(document)
    told = _mapping(document.get("alert"))
    inside = _mapping(told.get("values"))
    kind = next((inside[name] for name in ("alertType", "type", "state") if inside.get(name)), None)
    words = next((inside[name] for name in ("information", "message") if inside.get(name)), None)
    return {
        "time": moments.moment(told.get("timestamp")),
        "event": _text(told.get("id")),
        "device": _text(document.get("device")),
        "type": _text(kind) or "geo alert",
        "text": _text(words) or (_compact(dict(inside)) if inside else None),
    }


def _progress(document: Mapping[str, Any]) -> Row:
    told, answer = _mapping(document.get("activity")), _mapping(document.get("answer"))
    status = _text(answer.get("status"))
    words = [_text(told.get("code")), said(answer)]
    return {
        "time": status_time(answer, str(document.get("zone") or "UTC")),
        "event": _text(told.get("activityId")),
        "device": _text(document.get("device")),
        "type": f"operation {status}" if status else None,
        "text": ": ".join(each for each in words if each) or None,
    }


def _compact(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str | None:
    return str(value) if value not in (None, "") and not isinstance(value, Mapping | list) else None
