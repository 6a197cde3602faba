"""Audit records: who changed which alarm or operation when; the only source of an operation's durations."""

from typing import Any

from iotnb.sandbox.cumulocity.history import Chosen
from iotnb.sandbox.cumulocity.listing import history_page
from iotnb.sandbox.cumulocity.state import Platform, number
from iotnb.sandbox.cumulocity.wire import Answer, Call, Refused, encode, format_time, missing, parse_time
from iotnb.sandbox.store import Document

_DEVICE = "com_cumulocity_model_event_AuditSourceDevice"


def rendered(call: Call, one: Document) -> dict[str, Any]:
    """A record with its links; `source` is the alarm or operation itself."""
    body = one.json()
    source = body.pop("source", "")
    links = {"alarm": "alarm/alarms", "operation": "devicecontrol/operations"}
    place = links.get(one.type.lower(), "inventory/managedObjects")
    return {
        "id": str(one.id),
        "self": call.url("audit", "auditRecords", one.id),
        "source": {"id": source, "self": f"{call.origin}/{place}/{source}"},
        **body,
    }


def record(
    platform: Platform,
    call: Call | None,
    *,
    words: tuple[str, str, str],
    device: int,
    thing: int,
    changes: list[dict[str, Any]],
    at: int | None = None,
) -> None:
    """Write down a change; `words` are type, activity and text; without a call the device itself did it."""
    at = platform.now() if at is None else at
    stamp = format_time(at)
    key = call.headers.get("x-cumulocity-application-key", "") if call is not None else ""
    body = {
        "type": words[0],
        "activity": words[1],
        "text": words[2],
        "user": call.user.name if call is not None else platform.objects.owner(device),
        "application": key,
        "severity": "INFORMATION",
        "time": stamp,
        "creationTime": stamp,
        "changes": changes,
        _DEVICE: {"id": str(device)},
        "source": str(thing),
    }
    _store(platform, body, device, at)


def _store(platform: Platform, body: dict[str, Any], device: int, at: int) -> Document:
    document = Document(
        id=platform.next_id("audit"),
        source=device,
        time=at,
        created=platform.now(),
        updated=at,
        type=body["type"],
        body=encode(body),
    )
    platform.store.put("audit", [document])
    return document


def _devices(platform: Platform, source: str) -> frozenset[int] | None:
    """The devices among whose records those of an operation, an alarm or an object are; None: any."""
    if not (source.isascii() and source.isdigit() and len(source) < 19):
        return None
    thing = int(source)
    found = [platform.history.get(kind, thing) for kind in ("operation", "alarm", "event")]
    devices = {one.source for one in found if one is not None}
    return frozenset({thing, *devices}) if devices or platform.objects.exists(thing) else None


def list_records(platform: Platform, call: Call) -> Answer:
    """GET /audit/auditRecords, newest first."""
    platform.access.need(call.user, "ROLE_AUDIT_READ")
    source, user, application = (call.one(name) for name in ("source", "user", "application"))

    def test(one: Document) -> bool:
        body = one.json()
        if source and body.get("source") != source:
            return False
        if user and body.get("user") != user:
            return False
        return not application or body.get("application") == application

    chosen = Chosen(
        sources=_devices(platform, source) if source else None,
        types=frozenset((call.one("type"),)) if call.one("type") else frozenset(),
        time=call.range("dateFrom", "dateTo"),
        test=test if source or user or application else None,
    )
    return history_page(platform, call, "audit", chosen, lambda one: rendered(call, one), newest_first=True)


def get_record(platform: Platform, call: Call, text: str) -> Answer:
    """GET /audit/auditRecords/{id}."""
    platform.access.need(call.user, "ROLE_AUDIT_READ")
    refused = Refused(
        404, "audit/Not Found", f"Finding audit record from database failed : No audit for gid '{text}'!"
    )
    one = platform.history.get("audit", number(text, refused))
    if one is None:
        raise refused
    return Answer(body=rendered(call, one), kind="auditrecord")


def create_record(platform: Platform, call: Call) -> Answer:
    """POST /audit/auditRecords: any type is taken."""
    platform.access.need(call.user, "ROLE_AUDIT_ADMIN")
    body = call.document()
    absent = [name for name in ("activity", "source", "text", "time", "type") if not body.get(name)]
    if absent:
        raise missing(*absent)
    source = body["source"]
    if not isinstance(source, dict) or "id" not in source:
        raise missing("source.id")
    at = parse_time(body["time"])
    document = {name: value for name, value in body.items() if name not in ("id", "self")}
    document.setdefault("severity", "INFORMATION")
    document.setdefault("user", call.user.name)
    document.setdefault("application", call.headers.get("x-cumulocity-application-key", ""))
    document |= {"creationTime": format_time(platform.now()), "source": str(source["id"])}
    device = int(source["id"]) if str(source["id"]).isdigit() else 0
    one = _store(platform, document, device, at)
    answer = rendered(call, one)
    return call.made("auditrecord", answer, answer["self"])


ROUTES = (
    ("GET", "/audit/auditRecords", list_records),
    ("POST", "/audit/auditRecords", create_record),
    ("GET", "/audit/auditRecords/{id}", get_record),
)
