"""Alarms: raised, merged while they last, acknowledged and cleared."""

from collections.abc import Mapping
from typing import Any

from iotnb.sandbox.cumulocity import audit
from iotnb.sandbox.cumulocity.history import SEVERITIES, Chosen, change
from iotnb.sandbox.cumulocity.listing import allowed, delete_chosen, history_page, only, sources_of
from iotnb.sandbox.cumulocity.state import Platform, number
from iotnb.sandbox.cumulocity.wire import (
    Answer,
    Call,
    Refused,
    done,
    encode,
    format_time,
    invalid,
    missing,
    parse_time,
)
from iotnb.sandbox.store import Document

STATUSES = ("ACTIVE", "ACKNOWLEDGED", "CLEARED")
_FIXED = frozenset(
    {
        "id",
        "self",
        "source",
        "type",
        "time",
        "creationTime",
        "lastUpdated",
        "count",
        "firstOccurrenceTime",
        "history",
    }
)
_MOST_COUNTED = 100  # what a restricted user's count stops at
_MANY = 500  # a bulk change of more alarms goes on in the background


def rendered(platform: Platform, call: Call, one: Document) -> dict[str, Any]:
    """An alarm with its links."""
    source: dict[str, Any] = {
        "id": str(one.source),
        "self": call.url("inventory", "managedObjects", one.source),
    }
    name = platform.objects.name(one.source)
    if name is not None:
        source["name"] = name
    own = call.url("alarm", "alarms", one.id)
    document = {"id": str(one.id), "self": own, "source": source, **one.json()}
    if not platform.switches.since("2026"):
        document["history"] = {"self": f"{own}/history", "auditRecords": []}
    return document


def chosen_of(platform: Platform, call: Call) -> Chosen:
    """What the parameters of a list, a count or a change select."""
    statuses = frozenset(word.upper() for word in call.words("status"))
    if call.one("resolved"):
        statuses = frozenset(("CLEARED",) if call.flag("resolved") else ("ACTIVE", "ACKNOWLEDGED"))
    severities = frozenset(word.upper() for word in call.words("severity"))
    return Chosen(
        sources=sources_of(platform, call, "alarm"),
        types=frozenset(call.words("type")),
        statuses=statuses,
        time=call.range("dateFrom", "dateTo"),
        created=call.range("createdFrom", "createdTo"),
        updated=call.range("lastUpdatedFrom", "lastUpdatedTo"),
        test=(lambda one: one.json().get("severity") in severities) if severities else None,
    )


def list_alarms(platform: Platform, call: Call) -> Answer:
    """GET /alarm/alarms, newest first; needs no role."""
    chosen = chosen_of(platform, call)
    return history_page(
        platform, call, "alarm", chosen, lambda one: rendered(platform, call, one), newest_first=True
    )


def count_alarms(platform: Platform, call: Call) -> Answer:
    """GET /alarm/alarms/count: a bare integer; restricted users see at most 100."""
    chosen = chosen_of(platform, call)
    visible = allowed(platform, call, "ALARM", chosen)
    found = platform.history.select("alarm", only(chosen, visible), newest_first=True)
    total = sum(1 for _ in found)
    if visible is not None:
        total = min(total, _MOST_COUNTED)
    return Answer(body=str(total).encode(), content_type="text/plain;charset=UTF-8")


def not_found(text: str) -> Refused:
    """404 in the platform's words."""
    return Refused(404, "alarm/Not Found", f"Finding alarm from database failed : No alarm for gid '{text}'!")


def existing(platform: Platform, call: Call, text: str, verb: str) -> Document:
    """The alarm of a path, if the user may read or change it."""
    one = platform.history.get("alarm", number(text, not_found(text)))
    if one is None:
        raise not_found(text)
    platform.access.check(call.user, "ALARM", verb, one.source)
    return one


def get_alarm(platform: Platform, call: Call, text: str) -> Answer:
    """GET /alarm/alarms/{id}."""
    return Answer(body=rendered(platform, call, existing(platform, call, text, "READ")), kind="alarm")


def _checked(body: Mapping[str, Any]) -> None:
    """422 for a status or a severity that does not exist."""
    for name, known in (("status", STATUSES), ("severity", SEVERITIES)):
        if name in body and body[name] not in known:
            raise invalid(f"Field {name} must be one of {', '.join(known)}, not {body[name]!r}")


def _new(platform: Platform, call: Call) -> tuple[dict[str, Any], int, int]:
    """(body, source, time) of a checked alarm; 422 when something mandatory is missing."""
    body = call.document()
    source = body.get("source")
    absent = [] if isinstance(source, dict) and "id" in source else ["source"]
    absent += [name for name in ("type", "text", "severity", "time") if not body.get(name)]
    if absent or not isinstance(source, dict):
        raise missing(*absent)
    _checked(body)
    at = parse_time(body["time"])
    device = platform.access.source(call.user, "ALARM", "ADMIN", source["id"])
    mapping = platform.store.setting("option", f"alarm.type.mapping/{body['type']}")
    if mapping is not None:
        severity, _, text = str(mapping["value"]).partition("|")
        body |= {"severity": severity, "text": text or body["text"]}
    return body, device, at


def _suppressed(platform: Platform, body: Mapping[str, Any], device: int) -> bool:
    """Whether an alarm is not stored: mapped to NONE, or its device is in maintenance."""
    required = (platform.objects.view(device) or {}).get("c8y_RequiredAvailability")
    minutes = required.get("responseInterval") if isinstance(required, dict) else None
    return body["severity"] == "NONE" or (isinstance(minutes, int | float) and minutes <= 0)


def _lasting(platform: Platform, body: Mapping[str, Any], device: int) -> Document | None:
    """The alarm of the same source and type that is not cleared."""
    chosen = Chosen(
        sources=frozenset((device,)),
        types=frozenset((body["type"],)),
        statuses=frozenset(("ACTIVE", "ACKNOWLEDGED")),
    )
    return next(platform.history.select("alarm", chosen, newest_first=True), None)


def create_alarm(platform: Platform, call: Call) -> Answer:
    """POST /alarm/alarms: a repeated one is merged into the one that lasts, also with 201."""
    body, device, at = _new(platform, call)
    if _suppressed(platform, body, device):
        document = {**body, "self": call.url("alarm", "alarms", "null")}
        return call.made("alarm", document, document["self"])
    if not call.is_application:
        platform.objects.heard(device)
    held = _lasting(platform, body, device)
    if held is None:
        one, action = _store(platform, call, body, device, at), "CREATE"
    else:
        one, action = _merge(platform, held, at), "UPDATE"
        platform.history.save("alarm", one)
    document = rendered(platform, call, one)
    announce(platform, call, one, action, document)
    return call.made("alarm", document, document["self"])


def _store(platform: Platform, call: Call, body: dict[str, Any], device: int, at: int) -> Document:
    now = platform.now()
    kept = {name: value for name, value in body.items() if name not in _FIXED}
    kept |= {"type": body["type"], "time": body["time"], "status": body.get("status", "ACTIVE"), "count": 1}
    kept |= {"creationTime": format_time(now), "lastUpdated": format_time(now)}
    one = Document(
        id=platform.next_id("alarm"),
        source=device,
        time=at,
        created=now,
        updated=now,
        type=body["type"],
        status=kept["status"],
        body=encode(kept),
    )
    if call.mode != "TRANSIENT":
        platform.store.put("alarm", [one])
        words = ("Alarm", "Alarm created", f"Alarm created: {body['text']}")
        audit.record(platform, call, words=words, device=device, thing=one.id, changes=[])
    return one


def _merge(platform: Platform, held: Document, at: int) -> Document:
    """One more occurrence: the count grows, the time moves, nothing else changes."""
    now, body = platform.now(), held.json()
    body.setdefault("firstOccurrenceTime", body["time"])
    body |= {"count": int(body.get("count", 1)) + 1, "time": format_time(at), "lastUpdated": format_time(now)}
    return held._replace(time=at, updated=now, body=encode(body))


def upsert_alarm(platform: Platform, call: Call) -> Answer:
    """POST /alarm/alarms/upsert (latest edition): create, or change the one that lasts."""
    platform.need_edition("latest")
    body, device, at = _new(platform, call)
    held = _lasting(platform, body, device)
    if held is None:
        one = _store(platform, call, body, device, at)
        document = rendered(platform, call, one)
        announce(platform, call, one, "CREATE", document)
        return Answer(status=201, body={"alarm": document}, kind="alarmUpsertResponse")
    before = rendered(platform, call, held)
    merged = _merge(platform, held, at) if call.flag("incrementCount", True) else held
    fields = {name: value for name, value in body.items() if name not in _FIXED}
    after = apply(platform, call, merged, fields)
    answer = {"alarm": rendered(platform, call, after), "previousState": before}
    return Answer(status=200, body=answer, kind="alarmUpsertResponse")


def announce(platform: Platform, call: Call, one: Document, action: str, document: Any) -> None:
    """Tell the real-time clients, unless the request wants no announcement."""
    if call.mode != "QUIESCENT":
        platform.hub.publish("alarms", one.source, action, document)


def apply(platform: Platform, call: Call, one: Document, body: Mapping[str, Any]) -> Document:
    """Change an alarm, with audit record and announcement; without a change neither."""
    old = one.json()
    changed = {name: value for name, value in body.items() if old.get(name) != value}
    if not changed:
        platform.history.save("alarm", one)
        return one
    now = platform.now()
    merged = {name: value for name, value in {**old, **changed}.items() if value is not None}
    made = one._replace(
        updated=now, status=merged["status"], body=encode({**merged, "lastUpdated": format_time(now)})
    )
    platform.history.save("alarm", made)
    words = ("Alarm", "Alarm updated", f"Alarm updated: {', '.join(changed)}")
    changes = [change(name, value, old.get(name)) for name, value in changed.items()]
    audit.record(platform, call, words=words, device=one.source, thing=one.id, changes=changes)
    announce(platform, call, made, "UPDATE", rendered(platform, call, made))
    return made


def update_alarm(platform: Platform, call: Call, text: str) -> Answer:
    """PUT /alarm/alarms/{id}: text, status, severity, fragments; strict refuses other fields."""
    one = existing(platform, call, text, "ADMIN")
    body = call.document()
    _checked(body)
    if call.strict and (fixed := sorted(_FIXED & body.keys())):
        raise invalid(f"Fields cannot be changed: {', '.join(fixed)}")
    made = apply(platform, call, one, {name: value for name, value in body.items() if name not in _FIXED})
    return call.changed("alarm", rendered(platform, call, made))


def update_alarms(platform: Platform, call: Call) -> Answer:
    """PUT /alarm/alarms with a filter: one status for many; 202 when the rest follows in the background."""
    names = (
        "source",
        "status",
        "severity",
        "type",
        "resolved",
        "dateFrom",
        "dateTo",
        "createdFrom",
        "createdTo",
    )
    if not any(call.one(name) for name in names):
        raise Refused(422, "alarm/Invalid Data", "At least one filter must be given")
    body = call.document()
    if "status" not in body:
        raise missing("status")
    _checked(body)
    chosen = chosen_of(platform, call)
    visible = allowed(platform, call, "ALARM", chosen)
    found = list(platform.history.select("alarm", only(chosen, visible), newest_first=False))
    for one in found:
        platform.access.check(call.user, "ALARM", "ADMIN", one.source)

    def change_all(_: int) -> None:
        for one in found:
            apply(platform, call, one, {"status": body["status"]})

    if len(found) > _MANY:
        platform.later(platform.now() + _MANY, change_all)
        return Answer(status=202)
    change_all(platform.now())
    return Answer()


def delete_alarm(platform: Platform, call: Call, text: str) -> Answer:
    """DELETE /alarm/alarms/{id}: not in the document, but live platforms do it."""
    one = existing(platform, call, text, "ADMIN")
    platform.history.delete("alarm", one.id)
    announce(platform, call, one, "DELETE", str(one.id))
    return done()


def delete_alarms(platform: Platform, call: Call) -> Answer:
    """DELETE /alarm/alarms by source, dates or creation; edition 2024 on refuses a call without any."""
    return delete_chosen(platform, call, "alarm", chosen_of)


ROUTES = (
    ("GET", "/alarm/alarms", list_alarms),
    ("POST", "/alarm/alarms", create_alarm),
    ("PUT", "/alarm/alarms", update_alarms),
    ("DELETE", "/alarm/alarms", delete_alarms),
    ("GET", "/alarm/alarms/count", count_alarms),
    ("POST", "/alarm/alarms/upsert", upsert_alarm),
    ("GET", "/alarm/alarms/{id}", get_alarm),
    ("PUT", "/alarm/alarms/{id}", update_alarm),
    ("DELETE", "/alarm/alarms/{id}", delete_alarm),
)
