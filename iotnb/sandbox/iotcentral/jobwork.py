"""Jobs that users make: they write properties, call commands and change templates, device by device."""

from typing import Any

from iotnb.sandbox.fleet.noise import stream, unit
from iotnb.sandbox.iotcentral.application import Application
from iotnb.sandbox.iotcentral.commands import execute
from iotnb.sandbox.iotcentral.fleetjobs import progress
from iotnb.sandbox.iotcentral.registry import Device
from iotnb.sandbox.iotcentral.twin import Twin, character, is_cloud
from iotnb.sandbox.wire import iso

Json = dict[str, Any]
MEMBERS = ("displayName", "description", "group", "batch", "cancellationThreshold", "data", "organizations")


def _due(app: Application, name: str, held: Json, place: int) -> int:
    """When a device of a job is done."""
    seconds = app.platform.switches.job_seconds
    share = unit(stream(app.platform.fleet.seed, f"job {name}"), place)
    return int(held["at"]) + int((0.5 + 0.5 * share) * seconds * 1000)


def advance(app: Application, name: str) -> Json:
    """Do what has become due in a job, and give the job."""
    held: Json = app.jobs.get(name)
    if held.get("stopped") or held.get("done"):
        return held
    now, results = app.platform.now(), dict(held["results"])
    limit = _limit(held)
    for place, one in enumerate(held["devices"]):
        if one in results or _due(app, name, held, place) > now:
            continue
        device = app.registry.get(one)
        result = "failed" if device is None else _apply(app, device, held["data"])
        if result:
            results[one] = result
        if limit is not None and list(results.values()).count("failed") > limit:
            held = {**held, "stopped": now, "cancelled": True}
            break
    done = len(results) == len(held["devices"]) and not held.get("stopped")
    if results != held["results"] or done or held.get("cancelled"):
        held = {**held, "results": results, **({"done": now} if done else {})}
        app.jobs.put(name, held)
    return held


def _limit(held: Json) -> float | None:
    found = held.get("cancellationThreshold")
    if not found:
        return None
    value = float(found["value"])
    return value * len(held["devices"]) / 100 if found["type"] == "percentage" else value


def _apply(app: Application, device: Device, data: list[Json]) -> str:
    """Do a job's work on a device: completed, failed, or "" while it has to wait."""
    outcome = "completed"
    for one in data:
        if one["type"] == "deviceTemplateMigration":
            app.registry.save(device, {"template": one["template"]})
            continue
        if one["type"] == "deviceManifestMigration":
            app.registry.save(device, {"manifest": app.manifests.get(one["manifest"])})
            continue
        model = app.model(device.template) if device.template == one["target"] else None
        component, _, name = one["path"].rpartition(".")
        part = None if model is None else model.part(component)
        if part is None:
            return "failed"
        if one["type"] == "command":
            if name not in part.commands or not app.registry.online(device):
                return "failed"
            made = execute(app, device, part, name, one.get("value"))
            outcome = outcome if made["responseCode"] < 300 else "failed"
            continue
        item = part.properties.get(name)
        if item is None or not (item.get("writable") or is_cloud(item)):
            return "failed"
        if not is_cloud(item) and not app.registry.online(device):
            return ""
        cloud = frozenset({name}) if is_cloud(item) else frozenset()
        Twin(app, device).write("", component, {name: one.get("value")}, cloud=cloud)
        if not cloud and character(app, device) == "refuses":
            outcome = "failed"
    return outcome


def statuses(held: Json) -> list[tuple[str, str]]:
    """Device and status, for all devices of a job."""
    rest = "cancelled" if held.get("cancelled") else "pending"
    return [(one, held["results"].get(one, rest)) for one in held["devices"]]


def shown(name: str, held: Json) -> Json:
    """A job as the API shows it."""
    out: Json = {"id": name}
    if held.get("scheduledJobId"):
        out["scheduledJobId"] = held["scheduledJobId"]
    out |= {member: held[member] for member in MEMBERS if held.get(member) is not None}
    out |= {"start": iso(held["begun"]), "progress": progress([status for _, status in statuses(held)])}
    if held.get("done"):
        return out | {"end": iso(held["done"]), "status": "complete"}
    if held.get("cancelled"):
        return out | {"end": iso(held["stopped"]), "status": "cancelled"}
    return out | {"status": "stopped" if held.get("stopped") else "running"}


def begin(app: Application, name: str, body: Json, devices: list[str], scheduled: str = "") -> Json:
    """Start a job."""
    now = app.platform.now()
    held = {**body, "devices": devices, "at": now, "begun": now, "results": {}}
    if scheduled:
        held["scheduledJobId"] = scheduled
    app.jobs.put(name, held)
    plan(app, name)
    return held


def plan(app: Application, name: str) -> None:
    """Go on with a job while it runs."""

    def step(_at: int) -> None:
        held = app.jobs.get(name)
        if held is None:
            return
        held = advance(app, name)
        if not held.get("done") and not held.get("stopped"):
            app.platform.after(max(app.platform.switches.job_seconds, 0.1), step)

    app.platform.after(app.platform.switches.job_seconds, step)
