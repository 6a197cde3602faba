"""Jobs: the fleet's history, those that users make, their devices, stop, resume and rerun."""

import re
from typing import Any

from iotnb.sandbox.fleet import Operation
from iotnb.sandbox.iotcentral import groups
from iotnb.sandbox.iotcentral.application import Application
from iotnb.sandbox.iotcentral.call import Call, listing, page_of
from iotnb.sandbox.iotcentral.devices import visible
from iotnb.sandbox.iotcentral.fleetjobs import fleet_job, fleet_status, operations
from iotnb.sandbox.iotcentral.jobwork import MEMBERS, advance, begin, plan, shown, statuses
from iotnb.sandbox.iotcentral.members import Members
from iotnb.sandbox.iotcentral.platform import Platform
from iotnb.sandbox.iotcentral.routes import Route
from iotnb.sandbox.iotcentral.wire import Answer, Refused, invalid, not_found

Json = dict[str, Any]
ID = re.compile(r"[a-zA-Z0-9_-]{1,255}")
_FLEET_ID = re.compile(r"op-(\d+)-(\d+)")
_TYPES = ("property", "cloudProperty", "command", "deviceTemplateMigration", "deviceManifestMigration")


def list_jobs(_platform: Platform, call: Call) -> Answer:
    """GET /jobs: the fleet's history first, then those that users made."""
    app, page = call.application, page_of(call)
    found = [op for op in operations(app) if _may_see(call, app.platform.fleet[op.device].key)]
    names = list(app.jobs)
    rows: list[Any] = [*found, *names]
    part = [
        shown(one, advance(app, one)) if isinstance(one, str) else fleet_job(app, one)
        for one in rows[page.offset : page.offset + page.size]
    ]
    answer = listing(call, rows, page)
    body: Any = answer.body
    body["value"] = part
    return answer


def _may_see(call: Call, name: str) -> bool:
    device = call.application.registry.get(name)
    return device is not None and visible(call, device)


def _fleet_operation(call: Call, name: str) -> Operation | None:
    match, app = _FLEET_ID.fullmatch(name), call.application
    if match is None or not app.has_fleet or int(match[1]) >= len(app.platform.fleet):
        return None
    found = app.platform.fleet.operation(int(match[1]), int(match[2]))
    return found if found is not None and _may_see(call, app.platform.fleet[found.device].key) else None


def _held(call: Call, name: str) -> Json:
    if name not in call.application.jobs:
        raise not_found(f"The job {name} does not exist.")
    return advance(call.application, name)


def get_job(_platform: Platform, call: Call, name: str) -> Answer:
    """GET /jobs/{id}."""
    op = _fleet_operation(call, name)
    return Answer(body=fleet_job(call.application, op) if op else shown(name, _held(call, name)))


def list_devices(platform: Platform, call: Call, name: str) -> Answer:
    """GET /jobs/{id}/devices: one status for each."""
    op = _fleet_operation(call, name)
    if op is not None:
        row = {"id": platform.fleet[op.device].key, "status": fleet_status(op, platform.now())}
        return listing(call, [row])
    return listing(call, [{"id": one, "status": status} for one, status in statuses(_held(call, name))])


def checked(call: Call, name: str, known: frozenset[str]) -> Json:
    """The members of a job's body; 422 for what does not fit."""
    members = Members(call, known, read_only={"start", "end", "progress", "status", "completed"}, name=name)
    app, body = call.application, members.body
    for member in ("displayName", "description", "group"):
        members.text(member)
    if members.needed("group") not in app.groups:
        raise invalid(f"The device group {body['group']} does not exist.")
    data = members.needed("data")
    if not isinstance(data, list) or not data or not all(isinstance(one, dict) for one in data):
        raise invalid("data is a list with at least one entry.")
    if len({one.get("type") for one in data}) > 1:
        raise invalid("All entries of data are of one type.")
    for one in data:
        _check_entry(app, one)
    for member in ("batch", "cancellationThreshold"):
        found = body.get(member)
        if found is not None and (
            not isinstance(found, dict)
            or found.get("type") not in ("number", "percentage")
            or not isinstance(found.get("value"), int | float)
        ):
            raise invalid(f"{member} has a type (number, percentage) and a value.")
    return {member: body[member] for member in (*MEMBERS, "schedule", "enabled") if member in body}


def _check_entry(app: Application, entry: Json) -> None:
    kind = entry.get("type")
    if kind not in _TYPES:
        raise invalid(f"The type of a job's data is one of {', '.join(_TYPES)}.")
    if kind == "deviceTemplateMigration":
        if str(entry.get("template")) not in app.templates:
            raise invalid(f"The device template {entry.get('template')} does not exist.")
    elif kind == "deviceManifestMigration":
        if str(entry.get("manifest")) not in app.manifests:
            raise invalid(f"The deployment manifest {entry.get('manifest')} does not exist.")
    elif not isinstance(entry.get("path"), str) or str(entry.get("target")) not in app.templates:
        raise invalid("An entry of data needs a path and the id of a device template as target.")


def put_job(_platform: Platform, call: Call, name: str) -> Answer:
    """PUT /jobs/{id}: create and run; a job is never changed."""
    if not ID.fullmatch(name):
        raise invalid("The job id is made of letters, digits, - and _.")
    if "schedule" in call.document():
        raise invalid("A job with a schedule is created at /scheduledJobs.")
    if name in call.application.jobs or _fleet_operation(call, name):
        raise Refused(409, "Conflict", f"The job {name} exists.")
    body = checked(call, name, frozenset({"id", *MEMBERS}))
    return Answer(body=shown(name, begin(call.application, name, body, members_of(call, body["group"]))))


def members_of(call: Call, group: str) -> list[str]:
    """The devices of a group on which the caller may run a job."""
    app = call.application
    return [one.id for one in groups.members(app, app.groups.get(group)) if visible(call, one, "operate")]


def stop(platform: Platform, call: Call, name: str) -> Answer:
    """POST /jobs/{id}/stop."""
    held = _held(call, name)
    if not held.get("done") and not held.get("stopped"):
        call.application.jobs.put(name, {**held, "stopped": platform.now()})
    return Answer(204)


def resume(platform: Platform, call: Call, name: str) -> Answer:
    """POST /jobs/{id}/resume."""
    held = _held(call, name)
    if held.get("stopped") and not held.get("cancelled"):
        late = platform.now() - held["stopped"]
        call.application.jobs.put(name, {**held, "stopped": None, "at": held["at"] + late})
        plan(call.application, name)
    return Answer(204)


def rerun(_platform: Platform, call: Call, name: str, new: str) -> Answer:
    """PUT /jobs/{id}/rerun/{newId}: a new job on the devices that failed."""
    held = _held(call, name)
    if new in call.application.jobs:
        raise Refused(409, "Conflict", f"The job {new} exists.")
    failed = [one for one, status in statuses(held) if status == "failed"]
    body = {member: held[member] for member in MEMBERS if member in held}
    return Answer(body=shown(new, begin(call.application, new, body, failed)))


ROUTES = [
    Route("GET", "/jobs", list_jobs),
    Route("GET", "/jobs/{id}", get_job),
    Route("PUT", "/jobs/{id}", put_job, "operate"),
    Route("GET", "/jobs/{id}/devices", list_devices),
    Route("POST", "/jobs/{id}/stop", stop, "operate"),
    Route("POST", "/jobs/{id}/resume", resume, "operate"),
    Route("PUT", "/jobs/{id}/rerun/{new}", rerun, "operate"),
]
