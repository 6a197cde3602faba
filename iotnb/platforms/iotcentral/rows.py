"""From the JSON of Azure IoT Central to the rows of our tables: pure, no network, no clock."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from iotnb import times
from iotnb.platforms.iotcentral.model import Capability

Json = Mapping[str, Any]

_RESULTS = {
    "completed": "SUCCESSFUL",
    "complete": "SUCCESSFUL",
    "succeeded": "SUCCESSFUL",
    "failed": "FAILED",
    "error": "FAILED",
    "pending": "PENDING",
    "notstarted": "PENDING",
    "scheduled": "PENDING",
    "running": "EXECUTING",
    "executing": "EXECUTING",
    "inprogress": "EXECUTING",
    "cancelled": "CANCELLED",
    "canceled": "CANCELLED",
    "stopped": "CANCELLED",
}
PROPERTIES = (
    "device",
    "property",
    "reported",
    "desired",
    "state",
    "desired_version",
    "ack_code",
    "ack_version",
    "ack_description",
    "updated",
)
"""Columns of the table of properties."""


def text(value: Any) -> str | None:
    """A text as it is, a number as text, nothing for anything else."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def device(document: Json) -> dict[str, Any]:
    """A device; `type` is its template, `parent` its gateway where the client has looked it up (`gateway`).

    The platform tells no times. A device that was never provisioned, or is blocked, is offline; of the
    others nobody knows.
    """
    blocked, provisioned = document.get("enabled") is False, document.get("provisioned")
    organizations = document.get("organizations")
    words = {
        "blocked": blocked,
        "not provisioned": provisioned is False,
        "simulated": document.get("simulated") is True,
        "no template": bool(document) and not document.get("template"),
    }
    kinds = document.get("type")
    labels = [word for word, holds in words.items() if holds]
    labels += [str(kind) for kind in kinds] if isinstance(kinds, list) else []
    return {
        "device": text(document.get("id")),
        "name": text(document.get("displayName")) or text(document.get("id")),
        "type": text(document.get("template")),
        "status": "offline" if blocked or provisioned is False else "unknown",
        "last_seen": None,
        "created": None,
        "parent": text(document.get("gateway")),
        "owner": text(organizations[0]) if isinstance(organizations, list) and organizations else None,
        "labels": labels,
    }


def event(document: Json) -> dict[str, Any]:
    """An event: a value of telemetry that the template calls an event."""
    return {
        "time": document.get("time"),
        "event": text(document.get("id")),
        "device": text(document.get("device")),
        "type": text(document.get("type")),
        "text": text(document.get("text")),
    }


def alarm(document: Json) -> dict[str, Any]:
    """Never asked for: the platform has no alarms."""
    return {"alarm": text(document.get("id")), "device": None, "type": None, "severity": None, "status": None}


# -- telemetry ----------------------------------------------------------------------------------------------


def leaves(capability: Capability, value: Any) -> Iterator[tuple[str, float | None, str | None]]:
    """The series, number and text of each leaf of a telemetry value; nothing for an empty cell."""
    yield from _leaves(capability.name, value, capability.labels)


def _leaves(
    name: str, value: Any, labels: Mapping[Any, str]
) -> Iterator[tuple[str, float | None, str | None]]:
    if value is None:
        return
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(f"{name}.{key}", inner, {})
    elif isinstance(value, bool):
        yield name, float(value), "true" if value else "false"
    elif isinstance(value, int | float):
        yield name, float(value), labels.get(value)
    elif isinstance(value, str):
        yield name, None, labels.get(value, value)
    else:
        yield name, None, json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def cell(row: Json, alias: str, name: str) -> Any:
    """The value of a column in a row of a query.

    How the service names columns of components is not documented: under the alias, under the name as it was
    written, nested, or leaf by leaf (`sensors.accelerometer.x`).
    """
    if alias in row:
        return row[alias]
    if name in row:
        return row[name]
    for key in (alias, name):
        flat = {each[len(key) + 1 :]: value for each, value in row.items() if each.startswith(f"{key}.")}
        if flat:
            return flat
    inner: Any = row
    for word in name.split("."):
        inner = inner.get(word) if isinstance(inner, Mapping) else None
    return inner


def latest(device: str, capability: Capability, document: Json) -> list[dict[str, Any]]:
    """The last value of one telemetry, one row a leaf; none when there never was one."""
    moment = document.get("timestamp")
    if "value" not in document or not isinstance(moment, str):
        return []
    return [
        {
            "time": moment,
            "device": device,
            "series": name,
            "value": value,
            "text": words,
            "unit": capability.unit,
        }
        for name, value, words in leaves(capability, document["value"])
    ]


# -- operations ---------------------------------------------------------------------------------------------


def operation(document: Json) -> dict[str, Any]:
    """An operation: a device's part in a job, the newest call of a command, or an entry of the journal.

    `origin` of the document says which; what it lacks (the platform keeps no times of commands) is missing.
    """
    made = {"job": _job, "command": _command, "journal": _journal}.get(str(document.get("origin")))
    blank = dict.fromkeys(
        ("time", "operation", "device", "kind", "status", "platform_status", "finished", "duration")
    )
    blank |= {"failure": None, "parameters": None}
    return blank if made is None else blank | made(document)


def _job(document: Json) -> dict[str, Any]:
    job, result = document["job"], document["result"]
    status = str(result.get("status") or "")
    word = _RESULTS.get(status.lower().replace("_", ""))
    start, end = _moment(job.get("start")), _moment(job.get("end"))
    done = word in {"SUCCESSFUL", "FAILED", "CANCELLED"}
    failure = result.get("error") or result.get("message")
    if word == "FAILED" and not failure:
        failure = f"the job says no more than {status!r}"
    return {
        "time": start,
        "operation": f"{job.get('id')}/{result.get('id')}",
        "device": text(result.get("id")),
        "kind": _kind(job.get("data")),
        "status": word,
        "platform_status": status or None,
        "finished": end if done else None,
        "duration": end - start if done and start and end else None,
        "failure": text(failure),
        "parameters": _json(job.get("data")),
    }


def _command(document: Json) -> dict[str, Any]:
    result = document["result"]
    code = result.get("responseCode")
    path = document.get("path")
    return {
        "operation": text(result.get("id")) or f"{document.get('device')}/{path}",
        "device": text(document.get("device")),
        "kind": text(path),
        "status": _outcome(code, answered="response" in result),
        "platform_status": text(code),
        "failure": f"the device answered {code}: {_json(result.get('response'))}"
        if isinstance(code, int) and code >= 400
        else None,
        "parameters": _json(result.get("request")),
    }


def _journal(document: Json) -> dict[str, Any]:
    sent, finished = document.get("sent"), document.get("finished")
    code = document.get("code")
    failed = document.get("failure") or None
    if document.get("kind") == "property":
        status = "FAILED" if failed else str(document.get("state") or "PENDING")
    else:
        status = "FAILED" if failed else _outcome(code, answered=True)
        if status == "FAILED" and not failed:
            failed = f"the device answered {code}"
    done = status in {"SUCCESSFUL", "FAILED"}
    return {
        "time": sent,
        "operation": text(document.get("id")),
        "device": text(document.get("device")),
        "kind": text(document.get("path")) or text(document.get("kind")),
        "status": status,
        "platform_status": text(code),
        "finished": finished if done else None,
        "duration": finished - sent if done and finished and sent else None,
        "failure": text(failed),
        "parameters": _json(document.get("payload")),
    }


def _outcome(code: Any, *, answered: bool) -> str:
    if isinstance(code, int) and not isinstance(code, bool):
        return "SUCCESSFUL" if 200 <= code < 300 else "PENDING" if code < 200 else "FAILED"
    return "SUCCESSFUL" if answered else "PENDING"


def _kind(data: Any) -> str | None:
    """What a job does: the command's path, else the word for its type."""
    first = data[0] if isinstance(data, Sequence) and not isinstance(data, str) and data else {}
    if not isinstance(first, Mapping):
        return None
    kind = text(first.get("type"))
    return text(first.get("path")) or kind if kind == "command" else kind


# -- properties ---------------------------------------------------------------------------------------------


def properties(device: str, document: Json) -> list[dict[str, Any]]:
    """The properties of one device, one row each; components and modules stand before the name.

    `state`: `reported` (nobody asked for a value), `pending`, `accepted` or `refused`.
    """
    return list(_properties(device, document, ""))


def _properties(device: str, document: Json, before: str) -> Iterator[dict[str, Any]]:
    about = document.get("$metadata")
    metadata = about if isinstance(about, Mapping) else {}
    for name in dict.fromkeys([*document, *metadata]):
        if name.startswith("$"):
            continue
        value, notes = document.get(name), metadata.get(name)
        if notes is None and isinstance(value, Mapping) and "$metadata" in value:
            yield from _properties(device, value, f"{before}{name}.")
            continue
        known = notes if isinstance(notes, Mapping) else {}
        yield {
            "device": device,
            "property": before + name,
            "reported": _shown(value),
            "desired": _shown(known.get("desiredValue")),
            "state": state(known),
            "desired_version": known.get("desiredVersion"),
            "ack_code": known.get("ackCode"),
            "ack_version": known.get("ackVersion"),
            "ack_description": text(known.get("ackDescription")),
            "updated": text(known.get("lastUpdateTime")),
        }


def reported(document: Json) -> dict[str, Any]:
    """A document of properties without its `$metadata`: the values, as they are nested."""
    return {
        name: reported(value) if isinstance(value, Mapping) else value
        for name, value in document.items()
        if not name.startswith("$")
    }


def state(metadata: Json) -> str:
    """What became of a desired value, by the `$metadata` of its property."""
    if "desiredValue" not in metadata:
        return "reported"
    code, asked = metadata.get("ackCode"), metadata.get("desiredVersion")
    if not isinstance(code, int):
        return "pending"
    if asked is not None and metadata.get("ackVersion") != asked:
        return "pending"  # the device acknowledged an older wish
    return "accepted" if 200 <= code < 300 else "refused" if code >= 400 else "pending"


def _shown(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else _json(value)


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _moment(value: Any) -> Any:
    """A time of the wire as a datetime; what is none is missing."""
    try:
        return times.from_wire(value) if isinstance(value, str) else None
    except ValueError:
        return None
