"""Operations, the simulated devices that carry them out, bulk operations, audit records."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from callers import DEVICE, GATEWAY, NOON, Api, World

from iotnb.sandbox.fleet import Clock

PLACE, AUDIT, BULK = "/devicecontrol/operations", "/audit/auditRecords", "/devicecontrol/bulkoperations"
MINUTE = 60_000


def make(admin: Api, device: str, **fragments: Any) -> dict[str, Any]:
    made: dict[str, Any] = admin.post(
        PLACE, {"deviceId": device, "description": "d", **(fragments or {"c8y_Restart": {}})}
    )
    return made


def listed(admin: Api, **filters: str) -> list[Any]:
    found: list[Any] = admin("GET", PLACE, params={"pageSize": "100", **filters}).json()["operations"]
    return found


def test_an_operation_goes_from_pending_over_executing_to_its_end(admin: Api) -> None:
    device = admin.device()
    made = make(admin, device)
    assert (made["status"], made["deviceId"]) == ("PENDING", device)
    assert made["self"] == f"{admin.base}{PLACE}/{made['id']}"
    assert "deviceName" not in made
    place = f"{PLACE}/{made['id']}"
    assert admin.put(place, {"status": "EXECUTING"})["status"] == "EXECUTING"
    ended = admin.put(
        place, {"status": "FAILED", "failureReason": "no power", "id": made["id"], "c8y_Extra": {"a": 1}}
    )
    assert (ended["failureReason"], ended["c8y_Extra"]) == ("no power", {"a": 1})
    other = make(admin, device)
    assert admin.put(f"{PLACE}/{other['id']}", {"status": "FAILED"})["status"] == "FAILED"


def test_refusals(world: World, admin: Api) -> None:
    made = make(admin, admin.device())
    assert (
        admin.put(f"{PLACE}/{made['id']}", {}, 422)["message"]
        == "Following mandatory fields should be included: status"
    )
    admin.put(f"{PLACE}/{made['id']}", {"status": "DONE"}, 422)
    unknown = admin.put(f"{PLACE}/123", {"status": "FAILED"}, 404)
    assert unknown["message"] == "Finding device data from database failed : No operation for gid '123'!"
    admin.post(PLACE, {"c8y_Restart": {}}, 422)
    admin.post(PLACE, {"deviceId": "987654321", "c8y_Restart": {}}, 422)
    vendor = {"Content-Type": "application/vnd.com.nsn.cumulocity.operation+json"}
    world.switch(strict=True)
    admin.put(f"{PLACE}/{made['id']}", {"status": "SUCCESSFUL"}, 422, **vendor)
    outside = admin.post(
        "/inventory/managedObjects",
        {"name": "x"},
        201,
        **{"Content-Type": "application/vnd.com.nsn.cumulocity.managedobject+json"},
    )
    admin.post(PLACE, {"deviceId": outside["id"], "c8y_Restart": {}}, 422, **vendor)


def test_lists_are_oldest_first_with_ascending_ids(admin: Api) -> None:
    device = admin.device("named")
    ids = [make(admin, device)["id"] for _ in range(3)]
    assert [o["id"] for o in listed(admin, deviceId=device)] == ids == sorted(ids, key=int)
    assert [o["id"] for o in listed(admin, deviceId=device, revert="true")] == ids
    assert [o["id"] for o in listed(admin, deviceId=device, revert="true", dateFrom="1970-01-01")] == ids[
        ::-1
    ]
    assert {o["deviceName"] for o in listed(admin, deviceId=device)} == {"named"}


def test_an_agent_sees_the_operations_of_its_children_with_external_ids(admin: Api) -> None:
    agent, child = admin.device(), admin.device()
    admin.post(f"/inventory/managedObjects/{agent}/childDevices", {"managedObject": {"id": child}})
    admin.post(f"/identity/globalIds/{child}/externalIds", {"type": "c8y_Serial", "externalId": f"c-{child}"})
    made = make(admin, child)
    assert listed(admin, deviceId=agent) == []
    found = listed(admin, agentId=agent, status="PENDING")
    assert [o["id"] for o in found] == [made["id"]]
    assert found[0]["deviceExternalIDs"]["externalIds"] == [
        {"externalId": f"c-{child}", "type": "c8y_Serial"}
    ]
    assert "deviceExternalIDs" not in listed(admin, deviceId=child)[0]
    assert listed(admin, agentId=agent, fragmentType="c8y_Restart")
    assert listed(admin, agentId=agent, fragmentType="c8y_Command") == []
    admin.delete(PLACE, agentId=agent)
    admin.get(f"{PLACE}/{made['id']}", 404)


def outcomes(still: World, admin: Api, count: int, **fragments: Any) -> list[dict[str, Any]]:
    """Send operations to fleet devices that are on line, let time pass, and read them again."""
    now = still.sandbox.clock.now()
    targets = [100_000 + i for i in range(25) if still.fleet.online(i, now)][:count]
    made = [make(admin, str(n), **fragments)["id"] for n in targets]
    assert {admin.get(f"{PLACE}/{one}")["status"] for one in made} == {"PENDING"}
    for _ in range(40):
        still.sandbox.clock.advance(30_000)
        states = [admin.get(f"{PLACE}/{one}") for one in made]
        if all(o["status"] in ("SUCCESSFUL", "FAILED") for o in states):
            break
    return states


def test_simulated_devices_carry_out_operations(still: World) -> None:
    admin = still.user("admin")
    states = outcomes(still, admin, 12, c8y_Command={"text": "status"})
    done = [o for o in states if o["status"] == "SUCCESSFUL"]
    assert len(done) >= 8
    assert all(o["c8y_Command"] == {"text": "status", "result": "status: done"} for o in done)
    assert all(o["failureReason"] for o in states if o["status"] == "FAILED")
    records = admin.get(AUDIT, source=done[0]["id"], pageSize=10)["auditRecords"]
    changes = [
        (r["activity"], [c["newValue"] for c in r["changes"] if c["attribute"] == "status"]) for r in records
    ]
    assert changes == [
        ("Operation updated", ["SUCCESSFUL"]),
        ("Operation updated", ["EXECUTING"]),
        ("Operation created", []),
    ]
    assert records[0]["com_cumulocity_model_event_AuditSourceDevice"]["id"] == done[0]["deviceId"]
    assert records[2]["creationTime"] < records[1]["creationTime"] < records[0]["creationTime"]


def test_a_successful_configuration_shows_in_the_inventory(still: World) -> None:
    admin = still.user("admin")
    wanted = {"config": "report.interval=5\n"}
    for one in outcomes(still, admin, 6, c8y_Configuration=wanted):
        shown = admin.get(f"/inventory/managedObjects/{one['deviceId']}")["c8y_Configuration"]
        assert (shown == wanted) == (one["status"] == "SUCCESSFUL")


def test_what_no_device_supports_fails_with_a_reason(still: World) -> None:
    for one in outcomes(still, still.user("admin"), 2, c8y_MakeCoffee={}):
        assert one["status"] == "FAILED"
        assert "c8y_MakeCoffee" in one["failureReason"]


def test_fleet_history_is_served_with_states_and_audit(still: World) -> None:
    admin, now = still.user("admin"), still.sandbox.clock.now()
    served = admin.pages(PLACE, "operations", pageSize=2000)
    expected = [
        o for i in range(25) for o in still.fleet.operations(i, still.fleet.start - 86_400_000, now + 1)
    ]
    assert len(served) == len(expected) > 0
    times = [o["creationTime"] for o in served]
    assert times == sorted(times)
    assert {o["status"] for o in served} == {o.status(now) for o in expected}
    failed = [o for o in served if o["status"] == "FAILED"]
    assert all(o["failureReason"] for o in failed)
    assert admin.get(f"{PLACE}/{served[0]['id']}")["creationTime"] == served[0]["creationTime"]
    audit = admin.get(AUDIT, source=served[0]["id"], type="Operation")["auditRecords"]
    assert audit[-1]["creationTime"] == served[0]["creationTime"]
    one = next(o for o in served if o["status"] in ("PENDING", "EXECUTING"))
    assert (
        admin.put(f"{PLACE}/{one['id']}", {"status": "FAILED", "failureReason": "given up"})["status"]
        == "FAILED"
    )
    assert [o["id"] for o in listed(admin, deviceId=one["deviceId"], status="FAILED", pageSize="2000")].count(
        one["id"]
    ) == 1


# bulk


def test_a_bulk_operation_makes_one_operation_for_each_member_in_turn(still: World) -> None:
    admin = still.user("admin")
    group = admin.post("/inventory/managedObjects", {"type": "c8y_DeviceGroup", "c8y_IsDeviceGroup": {}})[
        "id"
    ]
    members = [admin.device() for _ in range(3)]
    for one in members:
        admin.post(f"/inventory/managedObjects/{group}/childAssets", {"managedObject": {"id": one}})
    body = {
        "groupId": group,
        "startDate": "2026-01-01T12:01:00Z",
        "creationRamp": 60,
        "operationPrototype": {"c8y_Restart": {}},
    }
    made = admin.post(BULK, body)
    assert isinstance(made["id"], int)
    assert (made["status"], made["generalStatus"], made["progress"]["all"]) == ("ACTIVE", "SCHEDULED", 3)
    still.sandbox.clock.advance(61_000)
    assert admin.get(f"{BULK}/{made['id']}")["progress"]["pending"] == 1
    still.sandbox.clock.advance(120_000)
    running = admin.get(f"{BULK}/{made['id']}")
    assert (running["status"], running["generalStatus"], running["progress"]["pending"]) == (
        "COMPLETED",
        "EXECUTING",
        3,
    )
    children = listed(admin, bulkOperationId=str(made["id"]))
    assert sorted(o["deviceId"] for o in children) == members
    for one in children:
        admin.put(f"{PLACE}/{one['id']}", {"status": "FAILED", "failureReason": "x"})
    assert admin.get(f"{BULK}/{made['id']}")["generalStatus"] == "FAILED"
    later = {**body, "startDate": "2026-01-01T13:00:00Z", "groupId": None}
    again = admin.post(BULK, {**later, "failedParentId": made["id"]})
    assert again["progress"]["all"] == 3
    admin.delete(f"{BULK}/{again['id']}")
    still.sandbox.clock.advance(7_200_000)
    assert listed(admin, bulkOperationId=str(again["id"])) == []
    assert admin.get(BULK)["bulkOperations"][0]["id"] == made["id"]
    text = admin.get(f"{BULK}/1237", 404)["message"]
    assert text == (
        "Finding bulk operation from database failed : Cannot find document with ID "
        "ID [type=com_cumulocity_model_idtype_GId, value=1237]!"
    )


# audit


def test_audit_records_of_any_type_are_taken_and_filtered(world: World, admin: Api) -> None:
    keyed = world.user("admin", **{"X-Cumulocity-Application-Key": "my-key"})
    body = {
        "activity": "Looked",
        "source": {"id": DEVICE},
        "text": "t",
        "time": "2026-01-01T00:00:00Z",
        "type": "Whatever",
    }
    made = keyed.post(AUDIT, body)
    assert (made["user"], made["application"], made["source"]["id"]) == ("admin", "my-key", DEVICE)
    assert admin.get(f"{AUDIT}/{made['id']}")["activity"] == "Looked"
    for name, value in (("type", "Whatever"), ("application", "my-key")):
        assert made["id"] in [r["id"] for r in admin.get(AUDIT, pageSize=50, **{name: value})["auditRecords"]]
    found = admin.get(AUDIT, source=DEVICE, user="admin", dateFrom="2026-01-01", dateTo="2026-01-02")[
        "auditRecords"
    ]
    assert made["id"] in [r["id"] for r in found]
    assert admin.get(AUDIT, user="nobody")["auditRecords"] == []
    assert "activity" in admin.post(AUDIT, {"type": "x"}, 422)["message"]


@pytest.mark.parametrize("kind", ["Operation", "Alarm"])
def test_audit_is_newest_first(admin: Api, kind: str) -> None:
    make(admin, GATEWAY)
    records = admin.get(AUDIT, type=kind, pageSize=2000)["auditRecords"]
    times = [r["creationTime"] for r in records]
    assert records
    assert {r["type"] for r in records} == {kind}
    assert times == sorted(times, reverse=True)


def test_a_bulk_operation_goes_on_after_a_restart(fresh: Callable[..., World], tmp_path: Path) -> None:
    clock = Clock(NOON, frozen=True)
    options: dict[str, Any] = {"devices": 2, "days": 1, "data": tmp_path / "data.sqlite", "clock": clock}
    first = fresh(**options)
    admin = first.user("admin")
    group = admin.post("/inventory/managedObjects", {"type": "c8y_DeviceGroup", "c8y_IsDeviceGroup": {}})[
        "id"
    ]
    for _ in range(2):
        admin.post(
            f"/inventory/managedObjects/{group}/childAssets", {"managedObject": {"id": admin.device()}}
        )
    body = {"groupId": group, "startDate": "2026-01-01T12:00:00Z", "creationRamp": 60}
    made = admin.post(BULK, {**body, "operationPrototype": {"c8y_Restart": {}}})
    assert admin.get(f"{BULK}/{made['id']}")["progress"]["pending"] == 1
    first.sandbox.stop()
    clock.advance(61_000)
    admin = fresh(**options).user("admin")
    assert admin.get(f"{BULK}/{made['id']}")["progress"]["pending"] == 2
