"""The inventory: create, read, change, delete, list, children, and what is computed."""

from collections.abc import Callable
from typing import Any

import pytest
from callers import DEVICE, GATEWAY, VENDOR, Api, World

OBJECTS = "/inventory/managedObjects"
BLOCKS = ("childDevices", "childAssets", "childAdditions", "deviceParents", "assetParents", "additionParents")


def test_a_created_object_has_links_times_owner_and_six_blocks_of_references(admin: Api) -> None:
    answer = admin("POST", OBJECTS, 201, json={"name": "Relay", "type": "c8y_Child", "x_Y": {"z": 1}})
    made = answer.json()
    assert answer.headers["Location"] == f"{admin.base}{OBJECTS}/{made['id']}" == made["self"]
    assert made["owner"] == "admin"
    assert made["creationTime"] == made["lastUpdated"]
    assert made["x_Y"] == {"z": 1}
    for block in BLOCKS:
        assert made[block] == {"self": f"{made['self']}/{block}", "references": []}


def test_the_body_comes_back_only_if_accept_was_sent_but_location_always(admin: Api) -> None:
    del admin.http.headers["Accept"]
    answer = admin("POST", OBJECTS, 201, json={"name": "quiet"}, headers={"Accept": None})
    assert answer.content == b""
    assert answer.headers["Content-Length"] == "0"
    place = answer.headers["Location"]
    assert admin("PUT", place, json={"a": 1}, headers={"Accept": None}).content == b""
    assert admin("PUT", place, json={"a": 2}, headers={"Accept": "*/*"}).json()["a"] == 2


def test_answers_carry_the_vendor_type(admin: Api) -> None:
    kind = f"{VENDOR}managedObject+json;"
    answer = admin("GET", f"{OBJECTS}/{DEVICE}", headers={"Accept": kind, "Content-Type": "application/json"})
    assert answer.headers["Content-Type"] == f"{VENDOR}managedobject+json;charset=UTF-8;ver=0.9"


def test_put_replaces_fragments_null_removes_and_read_only_fields_are_ignored(admin: Api) -> None:
    device = admin.device(a={"x": 1, "y": 2}, b={"gone": True})
    before = admin.get(f"{OBJECTS}/{device}")
    change = {
        "a": {"x": 3},
        "b": None,
        "id": "1",
        "creationTime": "2000-01-01T00:00:00Z",
        "childDevices": {"references": [1]},
    }
    after = admin.put(f"{OBJECTS}/{device}", change)
    assert after["a"] == {"x": 3}
    assert "b" not in after
    assert (after["id"], after["creationTime"]) == (device, before["creationTime"])
    assert after["childDevices"]["references"] == []
    assert after["lastUpdated"] >= before["lastUpdated"]


@pytest.mark.parametrize("body", [{}, {"id": "whatever"}])
def test_a_put_without_content_is_a_heartbeat_that_answers_with_the_id(
    admin: Api, body: dict[str, Any]
) -> None:
    device = admin.device()
    assert admin.put(f"{OBJECTS}/{device}", body) == {"id": device, "self": f"{admin.base}{OBJECTS}/{device}"}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("number", ["999999999", "abc", "9" * 30])
def test_an_unknown_object_is_a_404_in_the_platforms_words(admin: Api, method: str, number: str) -> None:
    answer = admin(method, f"{OBJECTS}/{number}", 404, json={} if method == "PUT" else None).json()
    assert answer["error"] == "inventory/Not Found"
    assert answer["message"].startswith("Finding device data from database failed")
    assert answer["info"].startswith("https://")


def test_default_page_size_is_5_and_next_stands_on_every_page_that_is_not_empty(admin: Api) -> None:
    page = admin.get(OBJECTS, q="")
    assert page["statistics"] == {"currentPage": 1, "pageSize": 5}
    assert len(page["managedObjects"]) == 5
    assert "currentPage=2" in page["next"]
    assert "prev" not in page
    far = admin.get(OBJECTS, currentPage=9999)
    assert far["managedObjects"] == []
    assert "next" not in far
    assert "currentPage=9998" in far["prev"]


def test_page_sizes_above_2000_are_trimmed_silently(admin: Api) -> None:
    assert admin.get(OBJECTS, pageSize=5000)["statistics"]["pageSize"] == 2000


def test_totals_come_on_request_and_page_size_1_counts(admin: Api) -> None:
    query = "type eq 'c8y_Counted'"
    assert admin.get(OBJECTS, query=query, pageSize=1, withTotalPages="true")["statistics"]["totalPages"] == 0
    for _ in range(3):
        admin.post(OBJECTS, {"type": "c8y_Counted"})
    counted = admin.get(OBJECTS, query=query, pageSize=1, withTotalPages="true", withTotalElements="true")
    assert counted["statistics"] == {"currentPage": 1, "pageSize": 1, "totalPages": 3, "totalElements": 3}


def test_following_next_reads_everything_once_in_the_order_of_ids(admin: Api) -> None:
    found = [
        int(one["id"])
        for one in admin.pages(OBJECTS, "managedObjects", pageSize=7, fragmentType="c8y_IsDevice")
    ]
    assert found == sorted(set(found))
    assert {*range(100_000, 100_025)} <= set(found)


def test_links_are_made_from_the_host_header(admin: Api) -> None:
    page = admin("GET", OBJECTS, headers={"Host": "mytenant.example.com"}).json()
    assert page["self"].startswith("http://mytenant.example.com/inventory/managedObjects?")
    assert page["next"].startswith("http://mytenant.example.com/")


@pytest.mark.parametrize("name", ["pageSize", "currentPage"])
@pytest.mark.parametrize("value", ["0", "-1", "x"])
def test_nonsense_page_numbers_are_refused(admin: Api, name: str, value: str) -> None:
    admin.get(OBJECTS, 422, **{name: value})


def test_filters_by_type_fragment_ids_owner_and_text(admin: Api) -> None:
    one = admin.device("unmistakable-alpha/7", marker_F={})
    assert [o["id"] for o in admin.get(OBJECTS, fragmentType="marker_F")["managedObjects"]] == [one]
    assert [o["id"] for o in admin.get(OBJECTS, ids=f"{one},{DEVICE}")["managedObjects"]] == [one, DEVICE]
    assert [o["id"] for o in admin.get(OBJECTS, text="unmistakable")["managedObjects"]] == [one]
    assert [o["id"] for o in admin.get(OBJECTS, text="alpha nonsense")["managedObjects"]] == [one]
    assert [o["id"] for o in admin.get(OBJECTS, text='"mistakable-alpha/7"')["managedObjects"]] == [one]
    assert [o["id"] for o in admin.get(OBJECTS, text="'unmistakable thing'")["managedObjects"]] == [one]
    assert admin.get(OBJECTS, text="mistakab")["managedObjects"] == []
    owned = admin.get(OBJECTS, owner="admin", pageSize=2000)["managedObjects"]
    assert one in [o["id"] for o in owned]
    types = {o["type"] for o in admin.get(OBJECTS, type="c8y_Linux", pageSize=100)["managedObjects"]}
    assert types == {"c8y_Linux"}


def test_text_finds_external_ids(admin: Api) -> None:
    serial = admin.get(f"{OBJECTS}/{DEVICE}")["c8y_Hardware"]["serialNumber"]
    assert [o["id"] for o in admin.get(OBJECTS, text=serial)["managedObjects"]] == [DEVICE]


def test_type_is_ignored_when_query_is_given_and_q_means_devices(admin: Api) -> None:
    page = admin.get(OBJECTS, query="type eq 'c8y_Pump'", type="c8y_Linux", pageSize=100)
    assert {o["type"] for o in page["managedObjects"]} == {"c8y_Pump"}
    found = admin.get(OBJECTS, q="$filter=(name eq '*')", pageSize=2000)["managedObjects"]
    assert found
    assert all("c8y_IsDevice" in one for one in found)


def test_children_are_shown_only_when_asked_for(admin: Api) -> None:
    plain = admin.get(f"{OBJECTS}/{GATEWAY}")
    assert plain["childDevices"]["references"] == []
    full = admin.get(f"{OBJECTS}/{GATEWAY}", withChildren="true", withChildrenCount="true")
    references = full["childDevices"]["references"]
    assert len(references) == full["childDevices"]["count"] > 3
    assert references[0]["managedObject"].keys() == {"id", "name", "self"}
    assert "count" not in full["childAssets"]
    short = admin.get(f"{OBJECTS}/{GATEWAY}", withChildren="true", skipChildrenNames="true")
    assert "name" not in short["childDevices"]["references"][0]["managedObject"]


def test_parents_are_all_ancestors_on_request(admin: Api) -> None:
    top, middle, leaf = (admin.device(name) for name in ("top", "middle", "leaf"))
    admin.post(f"{OBJECTS}/{top}/childDevices", {"managedObject": {"id": middle}})
    admin.post(f"{OBJECTS}/{middle}/childDevices", {"managedObject": {"id": leaf}})
    assert admin.get(f"{OBJECTS}/{leaf}")["deviceParents"]["references"] == []
    shown = admin.get(f"{OBJECTS}/{leaf}", withParents="true")["deviceParents"]["references"]
    assert [r["managedObject"]["name"] for r in shown] == ["middle", "top"]
    groups = admin.get(f"{OBJECTS}/{GATEWAY}", withGroups="true")["assetParents"]["references"]
    assert groups[0]["managedObject"]["id"].startswith("100")
    assert [o["id"] for o in admin.get(OBJECTS, childDeviceId=leaf)["managedObjects"]] == [middle]


@pytest.mark.parametrize("relation", ["childDevices", "childAssets", "childAdditions"])
def test_each_relation_links_lists_and_unlinks(admin: Api, relation: str) -> None:
    parent, child, other = admin.device(), admin.device("first"), admin.device("second")
    place = f"{OBJECTS}/{parent}/{relation}"
    made = admin.post(place, {"managedObject": {"id": child}})
    assert made["managedObject"]["id"] == child
    assert made["self"] == f"{admin.base}{place}/{child}"
    admin.post(place, {"references": [{"managedObject": {"id": other}}]})
    listed = admin.get(place, withTotalPages="true")
    assert [r["managedObject"]["name"] for r in listed["references"]] == ["first", "second"]
    assert listed["statistics"]["totalPages"] == 1
    assert admin.get(f"{place}/{child}")["managedObject"]["id"] == child
    admin.delete(f"{place}/{child}")
    refusal = admin.get(f"{place}/{child}", 422)
    assert refusal["error"] == "inventory/Invalid Data"
    assert refusal["message"] == f"managedObject {child} is not a child of {parent}"
    admin("DELETE", place, 204, json={"references": [{"managedObject": {"id": other}}]})
    assert admin.get(place)["references"] == []
    assert admin.get(f"{OBJECTS}/{child}")["name"] == "first"


def test_a_whole_new_object_posted_to_a_relation_is_made_and_linked(admin: Api) -> None:
    parent = admin.device()
    kind = {"Content-Type": f"{VENDOR}managedobject+json"}
    made = admin("POST", f"{OBJECTS}/{parent}/childDevices", 201, json={"name": "both"}, headers=kind).json()
    assert admin.get(f"{OBJECTS}/{made['id']}")["name"] == "both"
    assert [
        r["managedObject"]["id"] for r in admin.get(f"{OBJECTS}/{parent}/childDevices")["references"]
    ] == [made["id"]]


def test_fleet_devices_can_be_changed_linked_hidden_and_come_back_after_a_reset(
    fresh: Callable[..., World],
) -> None:
    world = fresh(devices=12, days=1)
    admin = world.user("admin")
    admin.put(f"{OBJECTS}/{DEVICE}", {"name": "renamed", "c8y_Notes": "mine", "c8y_Position": None})
    assert [o["id"] for o in admin.get(OBJECTS, query="name eq 'renamed'")["managedObjects"]] == [DEVICE]
    changed = admin.get(f"{OBJECTS}/{DEVICE}")
    assert changed["c8y_Notes"] == "mine"
    assert "c8y_Position" not in changed
    before = len(admin.get(f"{OBJECTS}/{GATEWAY}/childDevices", pageSize=100)["references"])
    admin.delete(f"{OBJECTS}/{GATEWAY}/childDevices/{DEVICE}")
    assert len(admin.get(f"{OBJECTS}/{GATEWAY}/childDevices", pageSize=100)["references"]) == before - 1
    admin.delete(f"{OBJECTS}/{DEVICE}")
    admin.get(f"{OBJECTS}/{DEVICE}", 404)
    assert admin.get("/measurement/measurements", source=DEVICE)["measurements"] == []
    assert (
        admin.get(OBJECTS, q="has(type)", pageSize=1, withTotalPages="true")["statistics"]["totalPages"] == 11
    )
    world.sandbox.reset()
    assert admin.get(f"{OBJECTS}/{DEVICE}")["name"].startswith("Climate sensor")


def test_deleting_a_device_takes_its_data_and_leaves_its_children(admin: Api) -> None:
    device, child = admin.device(), admin.device("child")
    admin.post(f"{OBJECTS}/{device}/childDevices", {"managedObject": {"id": child}})
    admin.post(
        f"/identity/globalIds/{device}/externalIds", {"type": "c8y_Serial", "externalId": f"s-{device}"}
    )
    now = "2026-01-01T00:00:00.000+00:00"
    source = {"source": {"id": device}, "type": "t", "time": now}
    admin.post("/measurement/measurements", {**source, "a": {"b": {"value": 1}}})
    event = admin.post("/event/events", {**source, "text": "x"})["id"]
    alarm = admin.post("/alarm/alarms", {**source, "text": "x", "severity": "MINOR"})["id"]
    operation = admin.post("/devicecontrol/operations", {"deviceId": device, "c8y_Restart": {}})["id"]
    admin.delete(f"{OBJECTS}/{device}")
    admin.get(f"/identity/externalIds/c8y_Serial/s-{device}", 404)
    assert admin.get("/measurement/measurements", source=device)["measurements"] == []
    for place in (
        f"/event/events/{event}",
        f"/alarm/alarms/{alarm}",
        f"/devicecontrol/operations/{operation}",
    ):
        admin.get(place, 404)
    assert admin.get(f"{OBJECTS}/{child}", withParents="true")["deviceParents"]["references"] == []


def test_deleting_a_group_takes_subgroups_and_members_only_with_cascade(admin: Api) -> None:
    def tree() -> tuple[str, str, str]:
        group = admin.post(OBJECTS, {"type": "c8y_DeviceGroup", "c8y_IsDeviceGroup": {}})["id"]
        below = admin.post(OBJECTS, {"type": "c8y_DeviceSubGroup", "c8y_IsDeviceGroup": {}})["id"]
        member = admin.device()
        admin.post(f"{OBJECTS}/{group}/childAssets", {"managedObject": {"id": below}})
        admin.post(f"{OBJECTS}/{below}/childAssets", {"managedObject": {"id": member}})
        return group, below, member

    group, below, member = tree()
    admin.delete(f"{OBJECTS}/{group}")
    admin.get(f"{OBJECTS}/{below}", 404)
    admin.get(f"{OBJECTS}/{member}")
    group, below, member = tree()
    admin.delete(f"{OBJECTS}/{group}", cascade="true")
    admin.get(f"{OBJECTS}/{member}", 404)


def test_force_cascade_removes_a_whole_tree(admin: Api) -> None:
    top = admin.post(OBJECTS, {"name": "asset"})["id"]
    below = admin.device()
    admin.post(f"{OBJECTS}/{top}/childAdditions", {"managedObject": {"id": below}})
    admin.delete(f"{OBJECTS}/{top}", forceCascade="true")
    admin.get(f"{OBJECTS}/{below}", 404)


def test_supported_series_lists_numeric_series_only(admin: Api) -> None:
    device = admin.device()
    vector = {
        "a": {"value": 3.141592653589793, "unit": "RAD"},
        "b": {"value": 42, "unit": "C"},
        "c": {"value": False},
        "d": {"value": [42]},
        "e": 42,
        "f": {"unit": "C"},
        "g": {"val": 42},
        "h": {"subseries": {"value": 42}},
    }
    body = {
        "source": {"id": device},
        "type": "t",
        "time": "2026-01-01T00:00:00Z",
        "m_X": vector,
        "plain": {"text": "kept"},
    }
    made = admin.post("/measurement/measurements", body)
    assert made["m_X"] == {"a": vector["a"], "b": vector["b"]}
    assert made["plain"] == {"text": "kept"}
    assert admin.get(f"{OBJECTS}/{device}/supportedSeries") == {"c8y_SupportedSeries": ["m_X.a", "m_X.b"]}
    assert admin.get(f"{OBJECTS}/{device}/supportedMeasurements") == {"c8y_SupportedMeasurements": ["m_X"]}


def test_availability_appears_after_traffic_that_is_no_applications(world: World, admin: Api) -> None:
    device = admin.device(c8y_RequiredAvailability={"responseInterval": 10})
    place = f"{OBJECTS}/{device}/availability"
    admin.get(place, 404)
    event = {"source": {"id": device}, "type": "t", "text": "x", "time": "2026-01-01T00:00:00Z"}
    world.user("admin", **{"X-Cumulocity-Application-Key": "explorer"}).post("/event/events", event)
    admin.get(place, 404)
    admin.post("/event/events", event)
    found = admin.get(place)
    assert (found["deviceId"], found["interval"], found["dataStatus"]) == (device, 10, "AVAILABLE")
    assert found["connectionStatus"] == "DISCONNECTED"
    assert admin.get(f"{OBJECTS}/{device}")["c8y_Availability"]["status"] == "AVAILABLE"


def test_latest_values_stand_in_the_object_on_request(admin: Api) -> None:
    device = admin.device()
    for second, value in ((1, 5), (2, 6)):
        time = f"2026-01-01T00:00:0{second}.000Z"
        admin.post(
            "/measurement/measurements",
            {"source": {"id": device}, "type": "t", "time": time, "f": {"s": {"value": value, "unit": "C"}}},
        )
    found = admin.get(f"{OBJECTS}/{device}", withLatestValues="true")
    assert found["c8y_LatestMeasurements"] == {
        "f": {"s": {"value": 6, "unit": "C", "time": "2026-01-01T00:00:02.000Z"}}
    }
    assert found["c8y_PreviousMeasurements"]["f"]["s"]["value"] == 5
    assert (
        "c8y_Environment"
        in admin.get(f"{OBJECTS}/{DEVICE}", withLatestValues="true")["c8y_LatestMeasurements"]
    )


def test_several_objects_at_once_and_external_ids_on_creation(admin: Api) -> None:
    body = {"managedObjects": [{"name": "one"}, {"name": "two"}]}
    made = admin.post(OBJECTS, body, **{"Content-Type": f"{VENDOR}managedobjectcollection+json"})[
        "managedObjects"
    ]
    assert [one["name"] for one in made] == ["one", "two"]
    admin.post(OBJECTS, {"managedObjects": [{}] * 51}, 422)
    entry = {"type": "c8y_Serial", "externalId": f"on-creation-{made[0]['id']}"}
    device = admin.post(OBJECTS, {"name": "x", "externalIds": [entry]})["id"]
    assert (
        admin.get(f"/identity/externalIds/c8y_Serial/{entry['externalId']}")["managedObject"]["id"] == device
    )
    admin.post(OBJECTS, {"name": "y", "externalIds": [entry]}, 409)


def test_binaries_are_objects_with_a_file(admin: Api) -> None:
    files = {
        "object": (None, '{"name": "notes.txt", "type": "text/plain"}'),
        "file": ("notes.txt", b"some bytes", "text/plain"),
    }
    made = admin("POST", "/inventory/binaries", 201, files=files).json()
    assert made["name"] == "notes.txt"
    assert admin("GET", f"/inventory/binaries/{made['id']}").content == b"some bytes"
    admin(
        "PUT",
        f"/inventory/binaries/{made['id']}",
        201,
        data=b"others",
        headers={"Content-Type": "text/plain"},
    )
    assert admin("GET", f"/inventory/binaries/{made['id']}").content == b"others"
    assert made["id"] in [o["id"] for o in admin.get("/inventory/binaries", pageSize=100)["managedObjects"]]
    admin.delete(f"/inventory/binaries/{made['id']}")
    admin.get(f"/inventory/managedObjects/{made['id']}", 404)


def test_the_device_user_can_be_switched_off(world: World, admin: Api) -> None:
    admin.post("/user/test/users", {"userName": "device_x1", "password": "secret-123"})
    device = admin.device(owner="device_x1")
    place = f"{OBJECTS}/{device}/user"
    assert admin.get(place)["enabled"] is True
    own = world.login("test/device_x1", "secret-123")
    own.get("/tenant/currentTenant")
    assert admin.put(place, {"enabled": False})["enabled"] is False
    own.get("/tenant/currentTenant", 401)
    admin.delete(f"{OBJECTS}/{device}", withDeviceUser="true")
    admin.get("/user/test/users/device_x1", 404)
    admin.put(f"{OBJECTS}/{admin.device()}/user", {"enabled": False}, 403)
