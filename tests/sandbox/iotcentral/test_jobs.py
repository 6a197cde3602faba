"""Jobs of the fleet's history and of users, scheduled jobs."""

import time
from collections.abc import Callable
from typing import Any

import pytest

SENSOR, CONTROLLER = "dtmi:iotnb:plant:ClimateSensor;1", "dtmi:com:example:TemperatureController;1"


def wait(caller: Any, path: str) -> Any:
    for _ in range(250):
        found = caller.get(path)
        if found["status"] != "running":
            return found
        time.sleep(0.02)
    raise AssertionError("the job never ended")


@pytest.fixture
def simulated(admin: Any) -> str:
    """A group of three simulated controllers."""
    for n in range(3):
        admin.put(f"/devices/job-dev-{n}", {"template": CONTROLLER, "simulated": True})
    rule = f'SELECT * FROM devices WHERE $template = "{CONTROLLER}" AND $simulated = true'
    admin.put("/deviceGroups/job-group", {"displayName": "Job group", "filter": rule})
    return "job-group"


def test_the_fleets_operations_are_jobs(rig: Any, admin: Any) -> None:
    rows = [row for row in admin.all("/jobs") if row["id"].startswith("op-")]
    now = rig.clock.now()
    expected = [op for i in range(len(rig.fleet)) for op in rig.fleet.operations(i, rig.fleet.start, now)]
    assert len(rows) == len(expected)
    starts = {row["id"]: row["start"] for row in rows}
    names = {"SUCCESSFUL": "completed", "FAILED": "failed", "PENDING": "pending", "EXECUTING": "running"}
    statuses = set()
    for op in expected:
        name = f"op-{op.device}-{op.key}"
        assert name in starts
    for op in expected[:12] + expected[-12:]:
        path = f"/jobs/op-{op.device}-{op.key}"
        status = names[op.status(now)]
        statuses.add(status)
        assert admin.get(f"{path}/devices")["value"] == [{"id": rig.fleet[op.device].key, "status": status}]
        job = admin.get(path)
        assert job["status"] == ("complete" if status in ("completed", "failed") else "running")
        assert job["progress"]["total"] == 1
        assert ("end" in job) is (job["status"] == "complete")
    assert "completed" in statuses
    failed = [row for row in rows if row["progress"]["failed"]]
    assert failed
    assert {row["status"] for row in failed} == {"complete"}


def test_a_job_runs_and_writes_properties(admin: Any, simulated: str) -> None:
    body = {
        "displayName": "Set",
        "group": simulated,
        "data": [
            {"type": "property", "target": CONTROLLER, "path": "thermostat1.targetTemperature", "value": 19.5}
        ],
    }
    made = admin.put("/jobs/set-1", body)
    assert {key: made[key] for key in body} == body
    assert made["status"] == "running"
    assert made["progress"] == {"total": 3, "pending": 3, "completed": 0, "failed": 0}
    done = wait(admin, "/jobs/set-1")
    assert done["status"] == "complete"
    assert done["progress"] == {"total": 3, "pending": 0, "completed": 3, "failed": 0}
    assert done["end"] >= done["start"]
    rows = admin.all("/jobs/set-1/devices")
    assert {row["status"] for row in rows} == {"completed"}
    for row in rows:
        found = admin.get(f"/devices/{row['id']}/components/thermostat1/properties")
        assert found["targetTemperature"] == 19.5
    assert admin("PUT", "/jobs/set-1", body).code == "Conflict"


def test_complete_is_not_success_and_a_rerun_takes_what_failed(rig: Any, admin: Any) -> None:
    body = {
        "group": "sensors",
        "data": [{"type": "command", "target": SENSOR, "path": "restart", "value": None}],
    }
    admin.put("/jobs/restart-1", body)
    done = wait(admin, "/jobs/restart-1")
    assert done["status"] == "complete"
    assert done["progress"]["failed"] > 0
    assert done["progress"]["completed"] > 0
    failed = {row["id"] for row in admin.all("/jobs/restart-1/devices") if row["status"] == "failed"}
    offline = {
        d.key
        for d in rig.fleet
        if d.kind == "sensor"
        and not rig.fleet.links.never(d.index)
        and not rig.fleet.online(d.index, rig.clock.now())
    }
    assert offline <= failed
    again = admin.put("/jobs/restart-1/rerun/restart-2", None)
    assert again["id"] == "restart-2"
    assert again["progress"]["total"] == len(failed)
    assert {row["id"] for row in admin.all("/jobs/restart-2/devices")} == failed


def test_a_job_is_stopped_and_resumed(make: Callable[..., Any]) -> None:
    rig = make(switches={"job_seconds": 60})
    admin = rig.role()
    admin.put(
        "/jobs/long-1",
        {"group": "sensors", "data": [{"type": "command", "target": SENSOR, "path": "restart"}]},
    )
    assert admin("POST", "/jobs/long-1/stop").status == 204
    rig.clock.advance(120_000)
    stopped = admin.get("/jobs/long-1")
    assert stopped["status"] == "stopped"
    assert stopped["progress"]["pending"] == stopped["progress"]["total"]
    assert admin("POST", "/jobs/long-1/resume").status == 204
    assert admin.get("/jobs/long-1")["status"] == "running"
    rig.clock.advance(70_000)
    assert admin.get("/jobs/long-1")["status"] == "complete"


def test_too_many_failures_cancel_a_job(make: Callable[..., Any]) -> None:
    rig = make()
    admin = rig.role()
    data = [{"type": "command", "target": CONTROLLER, "path": "restart"}]
    threshold = {"type": "number", "value": 0, "batch": False}
    admin.put("/jobs/doomed", {"group": "sensors", "data": data, "cancellationThreshold": threshold})
    rig.clock.advance(5_000)
    assert admin.get("/jobs/doomed")["status"] == "cancelled"
    assert {row["status"] for row in admin.all("/jobs/doomed/devices")} == {"failed", "cancelled"}


def test_a_template_migration(admin: Any) -> None:
    for n in range(2):
        admin.put(f"/devices/migrate-{n}", {"displayName": f"Migrate {n}"})
    rule = 'SELECT * FROM devices WHERE $displayName = "Migrate 0" OR $displayName = "Migrate 1"'
    admin.put("/deviceGroups/migrants", {"displayName": "M", "filter": rule})
    data = [{"type": "deviceTemplateMigration", "template": CONTROLLER}]
    admin.put("/jobs/migrate", {"group": "migrants", "data": data})
    assert wait(admin, "/jobs/migrate")["progress"]["completed"] == 2
    assert admin.get("/devices/migrate-1")["template"] == CONTROLLER


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"group": "none", "data": [{"type": "command", "target": SENSOR, "path": "restart"}]},
        {"group": "sensors"},
        {"group": "sensors", "data": []},
        {"group": "sensors", "data": [{"type": "x"}]},
        {"group": "sensors", "data": [{"type": "command", "target": "dtmi:no:such;1", "path": "restart"}]},
        {"group": "sensors", "data": [{"type": "deviceTemplateMigration", "template": "dtmi:no:such;1"}]},
        {
            "group": "sensors",
            "data": [
                {"type": "command", "target": SENSOR, "path": "a"},
                {"type": "property", "target": SENSOR, "path": "b"},
            ],
        },
        {
            "group": "sensors",
            "data": [{"type": "command", "target": SENSOR, "path": "restart"}],
            "status": "x",
        },
        {
            "group": "sensors",
            "data": [{"type": "command", "target": SENSOR, "path": "restart"}],
            "batch": {"type": "x"},
        },
    ],
)
def test_a_bad_job_is_422(admin: Any, body: Any) -> None:
    assert admin("PUT", "/jobs/bad", body).code == "InvalidBody"


def test_a_schedule_belongs_to_scheduled_jobs(admin: Any, simulated: str) -> None:
    data = [{"type": "command", "target": CONTROLLER, "path": "reboot", "value": 1}]
    body = {
        "displayName": "Nightly",
        "group": simulated,
        "data": data,
        "schedule": {"start": "2021-01-01T00:00:00Z"},
    }
    refused = admin("PUT", "/jobs/scheduled", body)
    assert refused.code == "InvalidBody"
    assert "/scheduledJobs" in refused.json["error"]["message"]
    made = admin.put("/scheduledJobs/nightly", body)
    assert made["enabled"] is True
    runs: list[Any] = []
    for _ in range(250):
        runs = admin.get("/scheduledJobs/nightly/jobs")["value"]
        if runs:
            break
        time.sleep(0.02)
    assert runs[0]["scheduledJobId"] == "nightly"
    assert wait(admin, f"/jobs/{runs[0]['id']}")["progress"]["completed"] == 3
    found = admin.get("/scheduledJobs/nightly")
    assert found["completed"] is True
    assert found in admin.all("/scheduledJobs")
    changed = admin(
        "PATCH", "/scheduledJobs/nightly", {"enabled": False}, headers={"If-Match": found["etag"]}
    )
    assert changed.json["enabled"] is False
    assert admin("PATCH", "/scheduledJobs/nightly", {}, headers={"If-Match": '"x"'}).status == 412
    for schedule in (
        {},
        {"start": "soon"},
        {"start": "2030-01-01T00:00:00Z", "recurrence": "hourly"},
        {"start": "2030-01-01T00:00:00Z", "end": {"type": "occurrences", "occurrences": 1000}},
    ):
        assert admin("PUT", "/scheduledJobs/bad", {**body, "schedule": schedule}).status == 422
    assert admin("DELETE", "/scheduledJobs/nightly").status == 204
    assert admin("GET", "/scheduledJobs/nightly/jobs").status == 404
