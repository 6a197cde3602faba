"""Operations: commands to devices, PENDING -> EXECUTING -> SUCCESSFUL or FAILED, oldest first."""

from typing import Any

from iotnb.sandbox.cumulocity import audit
from iotnb.sandbox.cumulocity.history import Chosen, change
from iotnb.sandbox.cumulocity.listing import history_page
from iotnb.sandbox.cumulocity.simulate import carry_out
from iotnb.sandbox.cumulocity.state import Platform, number
from iotnb.sandbox.cumulocity.wire import Answer, Call, Refused, done, encode, format_time, invalid, missing
from iotnb.sandbox.store import Document

STATUSES = ("PENDING", "EXECUTING", "SUCCESSFUL", "FAILED")
_FIXED = frozenset(
    {"id", "self", "deviceId", "deviceName", "deviceExternalIDs", "creationTime", "bulkOperationId"}
)
_NEXT = {"PENDING": ("EXECUTING", "FAILED"), "EXECUTING": ("SUCCESSFUL", "FAILED")}


def rendered(call: Call, one: Document) -> dict[str, Any]:
    """An operation with its links."""
    own = call.url("devicecontrol", "operations", one.id)
    return {"id": str(one.id), "self": own, "deviceId": str(one.source), **one.json()}


def _in_collection(platform: Platform, call: Call, one: Document, *, with_ids: bool) -> dict[str, Any]:
    """The same as it stands in collections: with the device's name, and its external IDs for an agent."""
    document = rendered(call, one)
    name = platform.objects.name(one.source)
    if name is not None:
        document["deviceName"] = name
    if with_ids:
        ids = [{"externalId": value, "type": kind} for kind, value in platform.identities.of(one.source)]
        holder = call.url("identity", "globalIds", one.source, "externalIds")
        document["deviceExternalIDs"] = {"self": holder, "externalIds": ids}
    return document


def chosen_of(platform: Platform, call: Call) -> Chosen:
    """What the parameters of a list or a deletion select."""
    sources: frozenset[int] | None = None
    for name in ("deviceId", "agentId"):
        text = call.one(name)
        if text:
            root = number(text, Refused(422, "devicecontrol/Invalid Data", f"Not an ID: {text}"))
            below = platform.objects.below(root, ("childDevices",)) if name == "agentId" else (root,)
            sources = frozenset(below) if sources is None else sources & frozenset(below)
    fragment, bulk = call.one("fragmentType"), call.one("bulkOperationId")

    def test(one: Document) -> bool:
        body = one.json()
        return (not fragment or fragment in body) and (not bulk or str(body.get("bulkOperationId")) == bulk)

    return Chosen(
        sources=sources,
        statuses=frozenset((call.one("status").upper(),)) if call.one("status") else frozenset(),
        time=call.range("dateFrom", "dateTo"),
        test=test if fragment or bulk else None,
    )


def list_operations(platform: Platform, call: Call) -> Answer:
    """GET /devicecontrol/operations."""
    if call.one("status") and call.one("status").upper() not in STATUSES:
        raise invalid(f"Unknown status {call.one('status')!r}; one of {', '.join(STATUSES)}")
    newest_first = bool(call.one("dateFrom") or call.one("dateTo")) and call.flag("revert")
    with_ids = bool(call.one("agentId"))
    return history_page(
        platform,
        call,
        "operation",
        chosen_of(platform, call),
        lambda one: _in_collection(platform, call, one, with_ids=with_ids),
        newest_first=newest_first,
    )


def not_found(text: str) -> Refused:
    """404 in the platform's words."""
    message = f"Finding device data from database failed : No operation for gid '{text}'!"
    return Refused(404, "devicecontrol/Not Found", message)


def existing(platform: Platform, call: Call, text: str, verb: str) -> Document:
    """The operation of a path, if the user may read or change it."""
    one = platform.history.get("operation", number(text, not_found(text)))
    if one is None:
        raise not_found(text)
    platform.access.check(call.user, "DEVICE_CONTROL", verb, one.source)
    return one


def get_operation(platform: Platform, call: Call, text: str) -> Answer:
    """GET /devicecontrol/operations/{id}."""
    return Answer(body=rendered(call, existing(platform, call, text, "READ")), kind="operation")


def _has_agent(platform: Platform, device: int) -> bool:
    tree = [device, *platform.objects.above(device, ("childDevices",))]
    return any("com_cumulocity_model_Agent" in (platform.objects.view(one) or {}) for one in tree)


def create(platform: Platform, call: Call, device: int, body: dict[str, Any]) -> Document:
    """Make an operation of a checked body; audit, announcement, and the simulated device follow."""
    now = platform.now()
    kept = {name: value for name, value in body.items() if name not in _FIXED - {"bulkOperationId"}}
    kept |= {"creationTime": format_time(now), "status": "PENDING"}
    one = Document(
        id=platform.next_id("operation"),
        source=device,
        time=now,
        created=now,
        updated=now,
        status="PENDING",
        body=encode(kept),
    )
    if call.mode != "TRANSIENT":
        platform.store.put("operation", [one])
        text = f"Operation created: status='PENDING', deviceId='{device}'"
        words = ("Operation", "Operation created", text)
        audit.record(platform, call, words=words, device=device, thing=one.id, changes=[])
        carry_out(platform, one)
    if call.mode != "QUIESCENT":
        document = rendered(call, one)
        platform.hub.operation(device, document)
        platform.hub.publish("operations", device, "CREATE", document)
    return one


def create_operation(platform: Platform, call: Call) -> Answer:
    """POST /devicecontrol/operations."""
    body = call.document()
    if not body.get("deviceId"):
        raise missing("deviceId")
    device = platform.access.source(call.user, "DEVICE_CONTROL", "ADMIN", body["deviceId"])
    if call.strict and not _has_agent(platform, device):
        raise invalid(f"Device {device} lies in no agent's tree of child devices")
    one = create(platform, call, device, body)
    document = rendered(call, one)
    return call.made("operation", document, document["self"])


def apply(
    platform: Platform,
    call: Call,
    one: Document,
    body: dict[str, Any],
    *,
    own: bool = False,
    at: int | None = None,
) -> Document:
    """Change an operation, with audit record and announcement; `own`: the simulated device does it."""
    old = one.json()
    changed = {name: value for name, value in body.items() if old.get(name) != value}
    merged = {name: value for name, value in {**old, **changed}.items() if value is not None}
    now = platform.now() if at is None else at
    made = one._replace(updated=now, status=merged["status"], body=encode(merged))
    if not changed:
        return one
    platform.history.save("operation", made)
    words = ("Operation", "Operation updated", f"Operation updated: status='{made.status}'")
    changes = [change(name, value, old.get(name)) for name, value in changed.items()]
    writer = None if own else call
    audit.record(platform, writer, words=words, device=one.source, thing=one.id, changes=changes, at=now)
    if call.mode != "QUIESCENT":
        platform.hub.publish("operations", one.source, "UPDATE", rendered(call, made))
    return made


def update_operation(platform: Platform, call: Call, text: str) -> Answer:
    """PUT /devicecontrol/operations/{id}: the status, and with it reason, description and fragments."""
    one = existing(platform, call, text, "ADMIN")
    body = {name: value for name, value in call.document().items() if name not in _FIXED}
    if "status" not in body and (call.strict or not body):
        raise missing("status")
    status = body.get("status", one.status)
    if status not in STATUSES:
        raise invalid(f"Unknown status {status!r}; one of {', '.join(STATUSES)}")
    if call.strict and status != one.status and status not in _NEXT.get(one.status, ()):
        raise invalid(f"An operation cannot go from {one.status} to {status}")
    made = apply(platform, call, one, body)
    return call.changed("operation", rendered(call, made))


def delete_operations(platform: Platform, call: Call) -> Answer:
    """DELETE /devicecontrol/operations by deviceId, agentId, status or dates."""
    names = ("deviceId", "agentId", "status", "dateFrom", "dateTo")
    if platform.switches.since("2024") and not any(call.one(name) for name in names):
        raise Refused(422, "devicecontrol/Invalid Data", f"At least one of {', '.join(names)} must be given")
    chosen = chosen_of(platform, call)
    if chosen.sources is None:
        platform.access.need(call.user, "ROLE_DEVICE_CONTROL_ADMIN")
    for source in chosen.sources or ():
        platform.access.check(call.user, "DEVICE_CONTROL", "ADMIN", source)

    def delete(_: int) -> None:
        platform.history.delete_all("operation", chosen)

    platform.soon(delete)
    return done()


ROUTES = (
    ("GET", "/devicecontrol/operations", list_operations),
    ("POST", "/devicecontrol/operations", create_operation),
    ("DELETE", "/devicecontrol/operations", delete_operations),
    ("GET", "/devicecontrol/operations/{id}", get_operation),
    ("PUT", "/devicecontrol/operations/{id}", update_operation),
)
