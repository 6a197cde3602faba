"""Scheduled jobs: stored, and run for the first time when their start has come."""

from typing import Any

from iotnb.sandbox.iotcentral.application import Application
from iotnb.sandbox.iotcentral.call import Call, check_match, listing
from iotnb.sandbox.iotcentral.jobs import ID, checked, members_of
from iotnb.sandbox.iotcentral.jobwork import MEMBERS, advance, begin, shown
from iotnb.sandbox.iotcentral.members import Members
from iotnb.sandbox.iotcentral.platform import Platform
from iotnb.sandbox.iotcentral.routes import Route
from iotnb.sandbox.iotcentral.wire import Answer, invalid, not_found, plain_etag
from iotnb.sandbox.wire import parse_time

Json = dict[str, Any]
_SCHEDULED = frozenset({"id", "etag", "schedule", "enabled", *MEMBERS})


def _scheduled(name: str, held: Json) -> Json:
    out = {"id": name, **{m: held[m] for m in (*MEMBERS, "schedule", "enabled") if held.get(m) is not None}}
    return out | {
        "completed": bool(held.get("completed")),
        "etag": plain_etag("scheduled", name, held["rev"]),
    }


def _check_schedule(found: Any) -> None:
    if not isinstance(found, dict) or parse_time(str(found.get("start"))) is None:
        raise invalid("schedule.start is an ISO 8601 time.")
    if found.get("recurrence") not in (None, "daily", "weekly", "monthly"):
        raise invalid("schedule.recurrence is daily, weekly or monthly.")
    end = found.get("end")
    if end is None:
        return
    kind = end.get("type") if isinstance(end, dict) else None
    number = end.get("occurrences") if isinstance(end, dict) else None
    if kind == "occurrences" and isinstance(number, int) and 1 <= number <= 999:
        return
    if kind != "date" or not isinstance(end.get("date"), str):
        raise invalid("schedule.end is a date, or 1 to 999 occurrences.")


def list_scheduled(_platform: Platform, call: Call) -> Answer:
    """GET /scheduledJobs."""
    return listing(call, [_scheduled(n, h) for n, h in call.application.scheduled.items()])


def _held_schedule(call: Call, name: str) -> Json:
    held: Json | None = call.application.scheduled.get(name)
    if held is None:
        raise not_found(f"The scheduled job {name} does not exist.")
    return held


def get_scheduled(_platform: Platform, call: Call, name: str) -> Answer:
    """GET /scheduledJobs/{id}."""
    return Answer(body=_scheduled(name, _held_schedule(call, name)))


def put_scheduled(platform: Platform, call: Call, name: str) -> Answer:
    """PUT /scheduledJobs/{id}: its first run begins at schedule.start."""
    if not ID.fullmatch(name):
        raise invalid("The job id is made of letters, digits, - and _.")
    body = checked(call, name, _SCHEDULED)
    _check_schedule(body.get("schedule"))
    old = call.application.scheduled.get(name)
    held = {"enabled": True, **body, "rev": old["rev"] + 1 if old else 0}
    call.application.scheduled.put(name, held)
    start = parse_time(str(body["schedule"]["start"])) or 0
    app, devices = call.application, members_of(call, body["group"])
    platform.after(max(0.0, (start - platform.now()) / 1000), lambda _at: _run_scheduled(app, name, devices))
    return Answer(body=_scheduled(name, held))


def _run_scheduled(app: Application, name: str, devices: list[str]) -> None:
    held = app.scheduled.get(name)
    if held is None or not held.get("enabled"):
        return
    body = {member: held[member] for member in MEMBERS if member in held}
    begin(
        app,
        app.platform.new_guid(),
        {**body, "displayName": f"{held.get('displayName', name)} - 1"},
        devices,
        name,
    )
    if not held["schedule"].get("recurrence"):
        app.scheduled.put(name, {**held, "completed": True})


def patch_scheduled(_platform: Platform, call: Call, name: str) -> Answer:
    """PATCH /scheduledJobs/{id}."""
    old = _held_schedule(call, name)
    check_match(call, plain_etag("scheduled", name, old["rev"]))
    body = Members(call, _SCHEDULED, read_only={"completed"}, name=name).body
    if "schedule" in body:
        _check_schedule(body["schedule"])
    changes = {m: v for m, v in body.items() if m in (*MEMBERS, "schedule", "enabled")}
    held = {**old, **changes, "rev": old["rev"] + 1}
    call.application.scheduled.put(name, held)
    return Answer(body=_scheduled(name, held))


def delete_scheduled(_platform: Platform, call: Call, name: str) -> Answer:
    """DELETE /scheduledJobs/{id}."""
    _held_schedule(call, name)
    call.application.scheduled.drop(name)
    return Answer(204)


def list_runs(_platform: Platform, call: Call, name: str) -> Answer:
    """GET /scheduledJobs/{id}/jobs: its runs."""
    _held_schedule(call, name)
    app = call.application
    runs = [n for n, held in app.jobs.items() if held.get("scheduledJobId") == name]
    return listing(call, [shown(n, advance(app, n)) for n in runs])


ROUTES = [
    Route("GET", "/scheduledJobs", list_scheduled),
    Route("GET", "/scheduledJobs/{id}", get_scheduled),
    Route("PUT", "/scheduledJobs/{id}", put_scheduled, "operate"),
    Route("PATCH", "/scheduledJobs/{id}", patch_scheduled, "operate"),
    Route("DELETE", "/scheduledJobs/{id}", delete_scheduled, "operate"),
    Route("GET", "/scheduledJobs/{id}/jobs", list_runs),
]
