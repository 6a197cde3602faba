"""Events: what devices report, newest first; `revert=true` means oldest first here."""

from typing import Any

from iotnb.sandbox.cumulocity.history import Chosen
from iotnb.sandbox.cumulocity.listing import delete_chosen, history_page, sources_of
from iotnb.sandbox.cumulocity.query import values_at
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

_FIXED = frozenset({"id", "self", "source", "creationTime", "lastUpdated"})


def rendered(platform: Platform, call: Call, one: Document) -> dict[str, Any]:
    """An event with its links."""
    source: dict[str, Any] = {
        "id": str(one.source),
        "self": call.url("inventory", "managedObjects", one.source),
    }
    name = platform.objects.name(one.source)
    if name is not None:
        source["name"] = name
    head = {"id": str(one.id), "self": call.url("event", "events", one.id), "source": source}
    body = one.json()
    if "c8y_IsBinary" in body:
        body["c8y_IsBinary"] |= {"self": call.url("event", "events", one.id, "binaries")}
    return {**head, **body}


def chosen_of(platform: Platform, call: Call) -> Chosen:
    """What the parameters of a list or a deletion select."""
    fragment, wanted = call.one("fragmentType"), call.one("fragmentValue")

    def test(one: Document) -> bool:
        found = list(values_at(one.json(), fragment.split(".")))
        return wanted in found if wanted else bool(found) or fragment in one.json()

    kind = call.one("type")
    return Chosen(
        sources=sources_of(platform, call, "event"),
        types=frozenset((kind,)) if kind else frozenset(),
        time=call.range("dateFrom", "dateTo"),
        created=call.range("createdFrom", "createdTo"),
        updated=call.range("lastUpdatedFrom", "lastUpdatedTo"),
        test=test if fragment else None,
    )


def list_events(platform: Platform, call: Call) -> Answer:
    """GET /event/events."""
    ranged = any(call.one(name) for name in ("dateFrom", "dateTo", "createdFrom", "createdTo"))
    oldest_first = ranged and call.flag("revert")
    chosen = chosen_of(platform, call)
    return history_page(
        platform,
        call,
        "event",
        chosen,
        lambda one: rendered(platform, call, one),
        newest_first=not oldest_first,
    )


def not_found(text: str) -> Refused:
    """404 in the platform's words."""
    message = f"Finding event from database failed : No event for gid '{text}'!"
    return Refused(404, "event/Not Found", message)


def existing(platform: Platform, call: Call, text: str, verb: str) -> Document:
    """The event of a path, if the user may read or change it."""
    one = platform.history.get("event", number(text, not_found(text)))
    if one is None:
        raise not_found(text)
    platform.access.check(call.user, "EVENT", verb, one.source)
    return one


def get_event(platform: Platform, call: Call, text: str) -> Answer:
    """GET /event/events/{id}."""
    return Answer(body=rendered(platform, call, existing(platform, call, text, "READ")), kind="event")


def create_event(platform: Platform, call: Call) -> Answer:
    """POST /event/events: source, type, text and time are required."""
    body = call.document()
    source = body.get("source")
    absent = [] if isinstance(source, dict) and "id" in source else ["source"]
    absent += [name for name in ("type", "text", "time") if not body.get(name)]
    if absent or not isinstance(source, dict):
        raise missing(*absent)
    if not isinstance(body["type"], str) or not isinstance(body["text"], str):
        raise invalid("Fields type and text must be text")
    at = parse_time(body["time"])
    device = platform.access.source(call.user, "EVENT", "ADMIN", source["id"])
    now = platform.now()
    kept = {name: value for name, value in body.items() if name not in _FIXED}
    kept |= {"creationTime": format_time(now), "lastUpdated": format_time(now)}
    one = Document(
        id=platform.next_id("event"),
        source=device,
        time=at,
        created=now,
        updated=now,
        type=body["type"],
        body=encode(kept),
    )
    if call.mode != "TRANSIENT":
        platform.store.put("event", [one])
    if not call.is_application:
        platform.objects.heard(device)
    document = rendered(platform, call, one)
    announce(platform, call, one, "CREATE", document)
    return call.made("event", document, document["self"])


def announce(platform: Platform, call: Call, one: Document, action: str, document: dict[str, Any]) -> None:
    """Tell the real-time clients, unless the request wants no announcement."""
    if call.mode != "QUIESCENT":
        platform.hub.publish("events", one.source, action, str(one.id) if action == "DELETE" else document)


def save(platform: Platform, one: Document, body: dict[str, Any]) -> Document:
    """Keep a changed event; `lastUpdated` becomes now."""
    now = platform.now()
    changed = {name: value for name, value in {**one.json(), **body}.items() if value is not None}
    made = one._replace(updated=now, body=encode({**changed, "lastUpdated": format_time(now)}))
    platform.history.save("event", made)
    return made


def update_event(platform: Platform, call: Call, text: str) -> Answer:
    """PUT /event/events/{id}: text and fragments; null removes a fragment."""
    one = existing(platform, call, text, "ADMIN")
    body = {name: value for name, value in call.document().items() if name not in {*_FIXED, "type", "time"}}
    if "text" in body and not isinstance(body["text"], str):
        raise invalid("Field text must be text")
    made = save(platform, one, body)
    document = rendered(platform, call, made)
    announce(platform, call, made, "UPDATE", document)
    return call.changed("event", document)


def delete_event(platform: Platform, call: Call, text: str) -> Answer:
    """DELETE /event/events/{id}."""
    one = existing(platform, call, text, "ADMIN")
    platform.history.delete("event", one.id)
    platform.store.unset("attachment", str(one.id))
    announce(platform, call, one, "DELETE", {})
    return done()


def delete_events(platform: Platform, call: Call) -> Answer:
    """DELETE /event/events by source, dates or creation; edition 2024 on refuses a call without any."""
    return delete_chosen(platform, call, "event", chosen_of)


ROUTES = (
    ("GET", "/event/events", list_events),
    ("POST", "/event/events", create_event),
    ("DELETE", "/event/events", delete_events),
    ("GET", "/event/events/{id}", get_event),
    ("PUT", "/event/events/{id}", update_event),
    ("DELETE", "/event/events/{id}", delete_event),
)
