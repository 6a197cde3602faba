"""The fleet's history as jobs: every operation is a job on one device, begun when the operation was made."""

import re
from typing import Any

from iotnb.sandbox.fleet import Operation
from iotnb.sandbox.iotcentral.application import Application
from iotnb.sandbox.iotcentral.models import FLEET
from iotnb.sandbox.wire import iso

Json = dict[str, Any]
_MOST = 1_000  # devices of the fleet whose operations are shown as jobs
_FRESH = 5_000  # milliseconds for which the list of the fleet's jobs is kept
_GROUP = {"gateway": "gateways", "sensor": "sensors", "machine": "pumps"}


def operations(app: Application) -> list[Operation]:
    """The fleet's operations, oldest first."""
    if not app.has_fleet:
        return []
    fleet, now = app.platform.fleet, app.platform.now()
    held = app.operations
    if held is None or held[0] is not fleet or not 0 <= now - held[1] < _FRESH:
        found = [
            op for i in range(min(len(fleet), _MOST)) for op in fleet.operations(i, fleet.start, now + 1)
        ]
        held = app.operations = (fleet, now, sorted(found, key=lambda op: (op.created, op.device, op.key)))
    return held[2]


def fleet_job(app: Application, op: Operation) -> Json:
    """An operation of the fleet as the API shows a job."""
    fleet, now = app.platform.fleet, app.platform.now()
    kind = fleet.kind(op.device)
    target = FLEET[kind]
    if op.kind == "configuration":
        found = re.search(r"report\.interval=(\d+)", op.parameters.get("config", ""))
        value: Any = int(found[1]) if found else 60
        data: Json = {"type": "property", "target": target, "path": "settings.reportInterval", "value": value}
    else:
        path = {"restart": "restart", "firmware": "updateFirmware", "command": "runText"}[op.kind]
        value = op.parameters.get("text") if op.kind == "command" else op.parameters or None
        data = {"type": "command", "target": target, "path": path, "value": value}
    words = {"restart": "Restart", "firmware": "Firmware", "command": "Run text", "configuration": "Settings"}
    status = fleet_status(op, now)
    out: Json = {
        "id": f"op-{op.device}-{op.key}",
        "displayName": f"{words[op.kind]}: {fleet[op.device].key}",
        "group": _GROUP[kind],
        "data": [data],
        "start": iso(op.created),
        "progress": progress([status]),
        "status": "complete" if status in ("completed", "failed") else "running",
    }
    if op.finished is not None and op.finished <= now:
        out["end"] = iso(op.finished)
    return out


def fleet_status(op: Operation, now: int) -> str:
    """What the API says about the one device of such a job."""
    words = {"PENDING": "pending", "EXECUTING": "running", "SUCCESSFUL": "completed", "FAILED": "failed"}
    return words[op.status(now)]


def progress(statuses: list[str]) -> Json:
    """How many devices are done, failed or still to come."""
    done, failed = statuses.count("completed"), statuses.count("failed")
    return {
        "total": len(statuses),
        "pending": len(statuses) - done - failed,
        "completed": done,
        "failed": failed,
    }
