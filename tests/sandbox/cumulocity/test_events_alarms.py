"""Events with their attachments, and alarms with merging, counting and bulk changes."""

from typing import Any

import pytest
from callers import DEVICE, Api, World

EVENTS, ALARMS = "/event/events", "/alarm/alarms"


def event(device: str, time: str = "2026-01-01T00:00:00Z", **more: Any) -> dict[str, Any]:
    return {"source": {"id": device}, "type": "c8y_T", "text": "something", "time": time, **more}


def alarm(device: str, kind: str = "c8y_A", **more: Any) -> dict[str, Any]:
    body = {
        "source": {"id": device},
        "type": kind,
        "text": "hot",
        "severity": "MAJOR",
        "time": "2026-01-01T00:00:00Z",
    }
    return {**body, **more}


# events


def test_events_are_newest_first_and_revert_means_oldest_first(admin: Api) -> None:
    device = admin.device()
    for n in range(3):
        admin.post(EVENTS, event(device, f"2026-01-01T00:00:0{n}Z"))
    times = [e["time"] for e in admin.get(EVENTS, source=device)["events"]]
    assert times == sorted(times, reverse=True)
    assert [e["time"] for e in admin.get(EVENTS, source=device, revert="true")["events"]] == times
    ranged = admin.get(EVENTS, source=device, revert="true", dateFrom="1970-01-01")["events"]
    assert [e["time"] for e in ranged] == times[::-1]


def test_an_event_can_be_changed_in_text_and_fragments_only(admin: Api) -> None:
    made = admin.post(EVENTS, event(admin.device(), x={"y": 1}, gone={}))
    assert made.keys() >= {"id", "self", "creationTime", "lastUpdated", "source"}
    changed = admin.put(
        f"{EVENTS}/{made['id']}",
        {"text": "other", "x": {"z": 2}, "gone": None, "type": "no", "time": "2000-01-01"},
    )
    assert (changed["text"], changed["x"], changed["type"], changed["time"]) == (
        "other",
        {"z": 2},
        "c8y_T",
        made["time"],
    )
    assert "gone" not in changed
    admin.delete(f"{EVENTS}/{made['id']}")
    assert admin.get(f"{EVENTS}/{made['id']}", 404)["error"] == "event/Not Found"


def test_event_filters(still: World) -> None:
    admin = still.user("admin")
    device = admin.device()
    admin.post(EVENTS, event(device, c8y_Position={"lat": 1}, word="blue"))
    still.sandbox.clock.advance(60_000)
    admin.post(EVENTS, event(device, type="other"))
    assert len(admin.get(EVENTS, source=device, type="other")["events"]) == 1
    assert len(admin.get(EVENTS, source=device, fragmentType="c8y_Position")["events"]) == 1
    assert len(admin.get(EVENTS, source=device, fragmentType="word", fragmentValue="blue")["events"]) == 1
    assert admin.get(EVENTS, source=device, fragmentType="word", fragmentValue="red")["events"] == []
    assert len(admin.get(EVENTS, source=device, createdFrom="2026-01-01T12:00:30Z")["events"]) == 1
    assert len(admin.get(EVENTS, source=device, lastUpdatedTo="2026-01-01T12:00:30Z")["events"]) == 1


def test_events_of_children_come_with_the_source_on_request(admin: Api) -> None:
    parent, child = admin.device(), admin.device()
    admin.post(f"/inventory/managedObjects/{parent}/childDevices", {"managedObject": {"id": child}})
    admin.post(EVENTS, event(child))
    assert admin.get(EVENTS, source=parent)["events"] == []
    assert len(admin.get(EVENTS, source=parent, withSourceDevices="true")["events"]) == 1
    assert len(admin.get(EVENTS, source=parent, withSourceChildren="true")["events"]) == 1


def test_fleet_events_are_served_changed_and_deleted(still: World) -> None:
    admin = still.user("admin")
    served = admin.pages(EVENTS, "events", pageSize=2000)
    start, now = still.fleet.start, still.sandbox.clock.now()
    expected = sum(len(still.fleet.events(i, start - 86_400_000, now + 1)) for i in range(25))
    assert len(served) == len({e["id"] for e in served}) == expected
    assert admin.put(f"{EVENTS}/{served[0]['id']}", {"text": "mine"})["text"] == "mine"
    assert admin.get(EVENTS, pageSize=1)["events"][0]["text"] == "mine"
    admin.delete(f"{EVENTS}/{served[0]['id']}")
    assert admin.get(EVENTS, pageSize=1)["events"][0]["id"] == served[1]["id"]


def test_attachments(admin: Api) -> None:
    place = f"{EVENTS}/{admin.post(EVENTS, event(admin.device()))['id']}/binaries"
    missing = admin.get(place, 404)
    assert (missing["error"], missing["message"]) == ("Not Found", "Attachment not found")
    admin("POST", place, 201, data=b"log text", headers={"Content-Type": "text/plain"})
    twice = admin("POST", place, 409, data=b"x").json()
    assert (twice["error"], twice["message"]) == ("Duplicate", "Attachment already exists")
    assert admin("GET", place).content == b"log text"
    about = admin.get(place.removesuffix("/binaries"))["c8y_IsBinary"]
    assert (about["length"], about["type"]) == (8, "text/plain")
    admin("PUT", place, 201, files={"file": ("a.txt", b"newer", "text/plain")})
    assert admin("GET", place).content == b"newer"
    admin.delete(place)
    assert "c8y_IsBinary" not in admin.get(place.removesuffix("/binaries"))


@pytest.mark.parametrize("absent", ["source", "type", "text", "time"])
def test_mandatory_fields_of_an_event(admin: Api, absent: str) -> None:
    body = event(DEVICE)
    del body[absent]
    assert admin.post(EVENTS, body, 422)["message"].endswith(absent)


@pytest.mark.parametrize("place", [EVENTS, ALARMS, "/devicecontrol/operations"])
def test_bulk_deletion_needs_a_filter_since_2024(world: World, admin: Api, place: str) -> None:
    admin("DELETE", place, 422)
    device = admin.device()
    admin("DELETE", place, 204, params={"source": device, "deviceId": device})


# alarms


def test_a_repeated_alarm_is_merged_and_still_201(admin: Api) -> None:
    device = admin.device("tracker")
    first = admin.post(ALARMS, alarm(device))
    assert (first["count"], first["status"], first["source"]["name"]) == (1, "ACTIVE", "tracker")
    assert "firstOccurrenceTime" not in first
    second = admin.post(ALARMS, alarm(device, time="2026-01-01T01:00:00Z", severity="MINOR", text="ignored"))
    assert (second["id"], second["count"], second["severity"], second["text"]) == (
        first["id"],
        2,
        "MAJOR",
        "hot",
    )
    assert second["time"].startswith("2026-01-01T01:00:00")
    assert second["firstOccurrenceTime"].startswith("2026-01-01T00:00:00")
    admin.put(f"{ALARMS}/{first['id']}", {"status": "ACKNOWLEDGED"})
    assert admin.post(ALARMS, alarm(device))["count"] == 3
    admin.put(f"{ALARMS}/{first['id']}", {"status": "CLEARED"})
    again = admin.post(ALARMS, alarm(device))
    assert (again["id"] != first["id"], again["count"]) == (True, 1)


def test_alarm_filters_and_the_bare_count(admin: Api) -> None:
    device = admin.device()
    for n, severity in enumerate(("CRITICAL", "MAJOR", "MINOR", "WARNING")):
        made = admin.post(ALARMS, alarm(device, f"kind_{n}", severity=severity))
        if n:
            admin.put(f"{ALARMS}/{made['id']}", {"status": ("", "ACKNOWLEDGED", "CLEARED", "CLEARED")[n]})

    def count(**filters: str) -> int:
        answer = admin(
            "GET", f"{ALARMS}/count", params={"source": device, **filters}, headers={"Accept": "text/plain"}
        )
        assert answer.headers["Content-Type"].startswith("text/plain")
        page = admin("GET", ALARMS, params={"source": device, "pageSize": "100", **filters}).json()
        listed = len(page["alarms"])
        assert int(answer.text) == listed
        return listed

    assert count() == 4
    assert count(status="ACTIVE,ACKNOWLEDGED") == 2
    assert count(severity="CRITICAL,WARNING") == 2
    assert count(resolved="true") == 2
    assert count(resolved="false", status="CLEARED") == 2
    assert count(type="kind_1,kind_2") == 2


def test_alarm_changes_write_audit_and_no_change_writes_none(admin: Api) -> None:
    made = admin.post(ALARMS, alarm(admin.device()))

    def records() -> list[Any]:
        found: list[Any] = admin.get("/audit/auditRecords", source=made["id"], pageSize=50)["auditRecords"]
        return found

    admin.put(f"{ALARMS}/{made['id']}", {"status": "ACKNOWLEDGED", "id": made["id"], "source": {"id": "1"}})
    before = records()
    assert [r["activity"] for r in before] == ["Alarm updated", "Alarm created"]
    change = before[0]["changes"][0]
    assert (change["attribute"], change["newValue"], change["previousValue"]) == (
        "status",
        "ACKNOWLEDGED",
        "ACTIVE",
    )
    admin.put(f"{ALARMS}/{made['id']}", {"status": "ACKNOWLEDGED"})
    assert len(records()) == 2


def test_bulk_clear_and_single_delete(admin: Api) -> None:
    device = admin.device()
    ids = [admin.post(ALARMS, alarm(device, f"k{n}"))["id"] for n in range(3)]
    admin("PUT", ALARMS, 422, json={"status": "CLEARED"})
    answer = admin(
        "PUT", ALARMS, 200, params={"source": device, "status": "ACTIVE"}, json={"status": "CLEARED"}
    )
    assert answer.content == b""
    assert {a["status"] for a in admin.get(ALARMS, source=device)["alarms"]} == {"CLEARED"}
    admin.delete(f"{ALARMS}/{ids[0]}")
    assert admin.get(f"{ALARMS}/{ids[0]}", 404)["error"] == "alarm/Not Found"


def test_maintenance_mode_and_type_mapping(admin: Api) -> None:
    device = admin.device(c8y_RequiredAvailability={"responseInterval": -1})
    assert admin.post(ALARMS, alarm(device))["self"].endswith("/alarm/alarms/null")
    assert admin.get(ALARMS, source=device)["alarms"] == []
    other = admin.device()
    admin.put("/tenant/options/alarm.type.mapping/mapped_T", {"value": "CRITICAL|Mapped text"})
    admin.put("/tenant/options/alarm.type.mapping/dropped_T", {"value": "NONE"})
    made = admin.post(ALARMS, alarm(other, "mapped_T"))
    assert (made["severity"], made["text"]) == ("CRITICAL", "Mapped text")
    assert admin.post(ALARMS, alarm(other, "dropped_T"))["self"].endswith("/null")


def test_upsert(admin: Api) -> None:
    device = admin.device()
    made = admin.post(f"{ALARMS}/upsert", alarm(device))
    assert made["alarm"]["count"] == 1
    again = admin.post(f"{ALARMS}/upsert", alarm(device, severity="MINOR"), 200)
    assert (again["alarm"]["severity"], again["alarm"]["count"]) == ("MINOR", 2)
    assert again["previousState"]["severity"] == "MAJOR"


@pytest.mark.parametrize(("name", "value"), [("status", "GONE"), ("severity", "AWFUL")])
def test_unknown_words_are_refused(admin: Api, name: str, value: str) -> None:
    made = admin.post(ALARMS, alarm(admin.device()))
    admin.put(f"{ALARMS}/{made['id']}", {name: value}, 422)
    admin.post(ALARMS, alarm(DEVICE, **{name: value}), 422)


def test_fleet_alarms_are_served_counted_and_can_be_cleared(still: World) -> None:
    admin = still.user("admin")
    served = admin.pages(ALARMS, "alarms", pageSize=2000)
    start, now = still.fleet.start, still.sandbox.clock.now()
    expected = [a for i in range(25) for a in still.fleet.alarms(i, start - 86_400_000, now + 1)]
    assert len(served) == len(expected) > 0
    assert sum(a["status"] == "ACTIVE" for a in served) == sum(a.cleared is None for a in expected)
    active = next(a for a in served if a["status"] == "ACTIVE")
    place = f"/inventory/managedObjects/{active['source']['id']}"
    before = admin.get(place)["c8y_ActiveAlarmsStatus"][active["severity"].lower()]
    admin.put(f"{ALARMS}/{active['id']}", {"status": "CLEARED"})
    assert admin.get(f"{ALARMS}/{active['id']}")["status"] == "CLEARED"
    assert admin.get(place)["c8y_ActiveAlarmsStatus"][active["severity"].lower()] == before - 1


def test_trailing_and_double_slashes(admin: Api) -> None:
    made = admin.post(f"{ALARMS}/", alarm(admin.device()))
    assert admin.put(f"{ALARMS}//{made['id']}", {"status": "CLEARED"})["status"] == "CLEARED"
    assert admin.get(f"{ALARMS}/", pageSize=1)["alarms"]


def test_history_stands_in_alarms_of_old_editions(world: World, admin: Api) -> None:
    made = admin.post(ALARMS, alarm(admin.device()))
    assert "history" not in made
    world.switch(edition="2025")
    assert "history" in admin.get(f"{ALARMS}/{made['id']}")
    admin.post(f"{ALARMS}/upsert", alarm(DEVICE), 404)
