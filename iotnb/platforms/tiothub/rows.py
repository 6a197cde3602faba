"""Pure functions from T IoT Hub's JSON to the rows of the tables; no network, no clock.

A device document is what `client` joins: `node` (`m2m:nod`), `labels`, `info` (`m2m:dvi`), `sim` (a row of
`sims.sim`), `join` and `last_message`. An operation document has a `source` beside what the platform said:
`command`, `provisioning` or `sim`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from iotnb.errors import Unsupported
from iotnb.platforms.tiothub import content, names
from iotnb.platforms.tiothub.api.messages import QUEUED, RECEIVED, SENT
from iotnb.platforms.tiothub.api.products import running

Row = dict[str, Any]

_DONE, _FAILED = ("completed", "done", "success", "successful"), ("failed", "error", "rejected")


def device(document: Mapping[str, Any]) -> Row:
    """One row of the devices table.

    `device` is the node's name (`rn`), by which everything about it is addressed; `name` its `dvnm`, or the
    same; `type` the profile; `last_seen` when its newest message arrived. The platform knows no online or
    offline, so `status` is unknown. `labels` are the node's, and before them `join` (how node and SIM go
    together) and `sim` (its status). A SIM without a node has the id of its product as `device`.
    """
    node, info, sim = (_mapping(document.get(name)) for name in ("node", "info", "sim"))
    labels = names.labels(node.get("lbl"))
    shown = {"join": _text(document.get("join")), "sim": _text(sim.get("status"))}
    shown |= {key: value for key, value in labels.items() if key.lower() != "profile"}
    return {
        "device": _text(node.get("rn")) or _text(sim.get("sim")),
        "name": _text(info.get("dvnm")) or _text(node.get("rn")) or _text(sim.get("iccid")),
        "type": next((value for key, value in labels.items() if key.lower() == "profile"), None),
        "status": "unknown",
        "last_seen": names.moment(document.get("last_message")),
        "created": names.moment(node.get("ct")),
        "parent": _text(labels.get("parent")),
        "owner": _text(node.get("cr")) or _text(sim.get("customer")),
        "labels": ", ".join(
            f"{key}:{value}" if value else key for key, value in shown.items() if value is not None
        )
        or None,
    }


def values(message: Mapping[str, Any], device: str, store: str = RECEIVED) -> tuple[list[Row], str]:
    """The rows of the measurements table from one message, and why it could not be decoded ("" if it could).

    `series` is `<store>:<path of the leaf>`, or the store alone for a text. What cannot be decoded is a row
    with its text; a message without a readable time has none (NaT).
    """
    found = content.decode(message.get("con"), message.get("cnf"))
    at = names.moment(message.get("ct"))
    reason = found.reason
    if at is None:
        reason = reason or f"no time in {message.get('ct')!r}"
    rows = [
        {
            "time": at,
            "device": device,
            "series": f"{store}:{path}" if path else store,
            "value": number,
            "text": text,
            "unit": None,
        }
        for path, number, text in content.leaves(found.value)
    ]
    return rows, reason


def operation(document: Mapping[str, Any]) -> Row:
    """One row of the operations table, from a command, a provisioning entry or a change of a SIM.

    A queued command is PENDING, a sent one SUCCESSFUL: whether the device did it, only its own messages
    tell. `duration` of a sent command is how long it waited, known for those that this client queued.
    """
    source = document.get("source")
    if source == "provisioning":
        return _provisioning(document)
    if source == "sim":
        return _change(document)
    return _command(document)


def _command(document: Mapping[str, Any]) -> Row:
    sent = document.get("store") == SENT
    created, changed = names.moment(document.get("ct")), names.moment(document.get("lt"))
    finished = None
    if sent:
        # moved: its last change is when it was sent; made anew: it was created then
        finished = max((at for at in (created, changed) if at is not None), default=None)
        created = names.moment(document.get("queued_at")) or created
    return {
        "time": created,
        "operation": _text(document.get("ri")) or _text(document.get("id")),
        "device": _text(document.get("device")),
        "kind": "command",
        "status": ("SUCCESSFUL" if sent else "PENDING") if document.get("store") in {SENT, QUEUED} else None,
        "platform_status": {SENT: "sent", QUEUED: "queued"}.get(str(document.get("store"))),
        "finished": finished,
        "duration": _seconds(created, finished) or None,
        "failure": None,
        "parameters": _compact(document.get("con")),
    }


def _provisioning(document: Mapping[str, Any]) -> Row:
    request, answer = _mapping(document.get("request")), document.get("answer")
    entry = _mapping(document.get("entry"))
    created = names.moment(request.get("ct"))
    finished = names.moment(answer.get("ct")) if isinstance(answer, Mapping) else None
    state = answer.get("resSs") if isinstance(answer, Mapping) else None
    word = "PENDING" if answer is None else "SUCCESSFUL" if state == 1 else "FAILED"
    shown = {key: value for key, value in entry.items() if key not in {"nCr", "ndvi"}}
    return {
        "time": created,
        "operation": _text(request.get("ri")),
        "device": _text(document.get("device")),
        "kind": {1: "provisioning: create", 2: "provisioning: remove"}.get(
            request.get("opern") or 0, "provisioning"
        ),
        "status": word,
        "platform_status": None if answer is None else f"resSs {state}",
        "finished": finished,
        "duration": _seconds(created, finished),
        "failure": _failure(answer) if word == "FAILED" else None,
        "parameters": _compact(shown) if shown else None,
    }


def _failure(answer: Any) -> str | None:
    """The words of a provisioning answer: the general ones and those of the devices that failed."""
    listed = answer.get("inEMs")
    single = [each if isinstance(each, str) else _compact(each) for each in listed or []]
    return "; ".join(filter(None, [_text(answer.get("geEMe")), *single])) or None


def _change(document: Mapping[str, Any]) -> Row:
    state = str(document.get("state") or "")
    word = state.lower()
    if word in _DONE:
        status = "SUCCESSFUL"
    elif word in _FAILED:
        status = "FAILED"
    elif running(state):
        status = "EXECUTING"
    else:
        status = None  # a word that no document explains: it is in platform_status
    created, finished = document.get("created"), document.get("finished")
    return {
        "time": created,
        "operation": _text(document.get("monitor")) or _text(document.get("id")),
        "device": _text(document.get("device")),
        "kind": _text(document.get("kind")),
        "status": status,
        "platform_status": state or None,
        "finished": finished,
        "duration": _seconds(created, finished),
        "failure": _text(document.get("failure")) or (state if status == "FAILED" else None),
        "parameters": _compact({"sim": document.get("product"), "value": document.get("wanted")}),
    }


def event(document: Mapping[str, Any]) -> Row:
    """One row of the events table from a notification (`m2m:sgn`) as it was POSTed to a webhook.

    `type` is update, delete, create or delete child; `text` what a created message holds. A verification
    request has the type `verification`.
    """
    inner = _mapping(_mapping(names.short(document)).get("m2m:sgn"))
    about = _mapping(inner.get("nev"))
    resource = names.resource(about.get("rep"))
    kinds = {1: "update", 2: "delete", 3: "create", 4: "delete child"}
    word = "verification" if inner.get("vrq") else kinds.get(about.get("net") or 0)
    return {
        "time": names.moment(resource.get("ct")),
        "event": _text(resource.get("ri")),
        "device": subscribed_device(_text(inner.get("sur"))),
        "type": word,
        "text": _compact(resource.get("con")),
    }


def subscribed_device(path: str | None) -> str | None:
    """The device whose store a subscription's path (`sur`) lies in, or None where the path does not tell."""
    elements = (path or "").split("/")
    if "device-communication" in elements[:-1]:
        return elements[elements.index("device-communication") + 1] or None
    return None


def alarm(document: Mapping[str, Any]) -> Row:  # noqa: ARG001  # there is no such document
    """Raises Unsupported: the platform has no alarms."""
    raise Unsupported("T IoT Hub has no alarms")


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else (end - start).total_seconds()


def _compact(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str | None:
    return str(value) if value not in (None, "") and not isinstance(value, Mapping | list) else None
