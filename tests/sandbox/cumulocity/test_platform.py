"""Tenant, options, retention, users, groups, root documents, identity, errors, tolerances, switches."""

import http.client
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from callers import DEVICE, VENDOR, Api, World

from iotnb import sandbox
from iotnb.sandbox.fleet import Clock

OBJECTS = "/inventory/managedObjects"
APIS = (
    "inventory",
    "identity",
    "measurement",
    "event",
    "alarm",
    "devicecontrol",
    "audit",
    "user",
    "tenant",
    "retention",
    "application",
)


@pytest.mark.parametrize("name", APIS)
def test_root_documents_have_absolute_templates(admin: Api, name: str) -> None:
    answer = admin("GET", f"/{name}", headers={"Accept": f"{VENDOR}{name}api+json"})
    assert answer.headers["Content-Type"].startswith(f"{VENDOR}{name}api+json")
    assert answer.json()["self"] == f"{admin.base}/{name}"
    assert f"{admin.base}/{name}/" in answer.text or name in ("application", "user")


def test_the_platform_document_holds_them_all(admin: Api) -> None:
    found = admin.get("/platform")
    assert (
        found["deviceControl"]["operationsByStatus"]
        == f"{admin.base}/devicecontrol/operations?status={{status}}"
    )
    assert found["inventory"] == admin.get("/inventory")


# identity


@pytest.mark.parametrize("value", ["plain", "0000000017b769d5", "a/b c", "ü%?#", "..", "//x"])
def test_external_ids_are_any_text(admin: Api, value: str) -> None:
    from urllib.parse import quote

    device = admin.device()
    body = {"type": "odd type", "externalId": value, "managedObject": {"id": "1"}}
    made = admin.post(f"/identity/globalIds/{device}/externalIds", body)
    place = f"{admin.base}/identity/externalIds/odd%20type/{quote(value, safe='')}"
    assert made["self"] == place
    parts = urlsplit(place)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    headers = {"Authorization": admin("GET", "/tenant/currentTenant").request.headers["Authorization"]}
    connection.request("GET", parts.path, headers=headers)  # requests would shorten /../
    answer = connection.getresponse()
    assert json.loads(answer.read())["externalId"] == value
    connection.request("DELETE", parts.path, headers=headers)
    assert connection.getresponse().status == 204
    connection.close()


def test_identity_refusals_lists_and_search(admin: Api) -> None:
    device, other = admin.device(), admin.device()
    unknown = admin.post("/identity/globalIds/987654321/externalIds", {"type": "t", "externalId": "x"}, 404)
    assert (unknown["error"], unknown["message"]) == ("identity/Not Found", "Global ID not found")
    for value in (f"one-{device}", f"two-{device}"):
        admin.post(f"/identity/globalIds/{device}/externalIds", {"type": "t", "externalId": value})
    taken = admin.post(
        f"/identity/globalIds/{other}/externalIds", {"type": "t", "externalId": f"one-{device}"}, 409
    )
    assert taken["message"] == "Identity already bound to a different Global ID"
    admin.post(f"/identity/globalIds/{device}/externalIds", {"type": "t"}, 422)
    listed = admin.get(f"/identity/globalIds/{device}/externalIds")["externalIds"]
    assert [e["externalId"] for e in listed] == [f"one-{device}", f"two-{device}"]
    body = {
        "externalIds": [{"type": "t", "externalId": f"one-{device}"}, {"type": "t", "externalId": "nobody"}]
    }
    found = admin.post("/identity/search", body, 200)["externalIds"]
    assert [e["managedObject"]["id"] for e in found] == [device]


def test_fleet_devices_are_known_by_their_serial_number(world: World, admin: Api) -> None:
    serial = world.fleet[1].serial
    assert admin.get(f"/identity/externalIds/c8y_Serial/{serial}")["managedObject"]["id"] == DEVICE
    assert [
        e["externalId"] for e in admin.get(f"/identity/globalIds/{DEVICE}/externalIds")["externalIds"]
    ] == [serial]


# tenant


def test_tenant_options(admin: Api) -> None:
    place = "/tenant/options/my.category/my.key"
    assert admin.get(place, 404)["error"] == "options/Not Found"
    made = admin.post("/tenant/options", {"category": "my.category", "key": "my.key", "value": "1"}, 200)
    assert (made["category"], made["key"], made["value"]) == ("my.category", "my.key", "1")
    assert admin.put(place, {"value": "2"})["value"] == "2"
    assert admin.get("/tenant/options/my.category") == {"my.key": "2"}
    assert admin.put("/tenant/options/my.category", {"other": "3"}) == {"my.key": "2", "other": "3"}
    admin.put(f"{place}/editable", {"editable": False})
    assert admin.put(place, {"value": "4"}, 403)["error"] == "security/Forbidden"
    admin.delete(place)
    admin.get(place, 404)


def test_retention_rules(admin: Api) -> None:
    made = admin.post("/retention/retentions", {"dataType": "EVENT", "maximumAge": 20})
    assert (made["fragmentType"], made["editable"]) == ("*", True)
    place = f"/retention/retentions/{made['id']}"
    assert admin.put(place, {"maximumAge": 30})["maximumAge"] == 30
    assert made["id"] in [r["id"] for r in admin.get("/retention/retentions")["retentionRules"]]
    admin.post("/retention/retentions", {"dataType": "NOTHING", "maximumAge": 1}, 422)
    admin.post("/retention/retentions", {"dataType": "*"}, 422)
    admin.delete(place)
    assert admin.get(place, 404)["error"] == "retention/Not Found"


def test_users_groups_and_roles(world: World, admin: Api) -> None:
    made = admin.post(
        "/user/test/users", {"userName": "somebody", "password": "secret-123", "email": "a@example.com"}
    )
    assert made["id"] == "somebody"
    assert "password" not in made
    admin.post("/user/test/users", {"userName": "somebody"}, 409)
    admin.post("/user/test/users", {"userName": "weak", "password": "short"}, 422)
    admin.get("/user/other/users", 403)
    missing = admin.get("/user/test/users/nobody", 404)
    assert (missing["error"], missing["message"].startswith("Error retrieving user nobody!")) == (
        "users/Not Found",
        True,
    )
    own = world.login("test/somebody", "secret-123")
    own.get(OBJECTS, 403)
    group = admin.post("/user/test/groups", {"name": "lookers"})
    admin.post(
        f"/user/test/groups/{group['id']}/roles", {"role": {"self": "/user/roles/ROLE_INVENTORY_READ"}}
    )
    admin.post(f"/user/test/groups/{group['id']}/users", {"user": {"self": made["self"]}})
    own.get(OBJECTS)
    assert admin.get("/user/test/groupByName/lookers")["id"] == group["id"]
    assert [u["user"]["id"] for u in admin.get(f"/user/test/groups/{group['id']}/users")["references"]] == [
        "somebody"
    ]
    admin.delete(f"/user/test/groups/{group['id']}")
    own.get(OBJECTS, 403)
    own.put("/user/currentUser/password", {"currentUserPassword": "wrong", "newPassword": "secret-456"}, 403)
    own.put("/user/currentUser/password", {"currentUserPassword": "secret-123", "newPassword": "secret-456"})
    own.get("/user/currentUser", 401)
    changed = admin.put("/user/test/users/somebody", {"firstName": "Some", "enabled": False})
    assert (changed["firstName"], changed["enabled"]) == ("Some", False)
    world.login("test/somebody", "secret-456").get("/user/currentUser", 401)
    admin.delete("/user/test/users/somebody")


def test_inventory_roles_can_be_assigned(world: World, admin: Api) -> None:
    group = admin.post(OBJECTS, {"type": "c8y_DeviceGroup", "c8y_IsDeviceGroup": {}})["id"]
    device = admin.device()
    admin.post(f"{OBJECTS}/{group}/childAssets", {"managedObject": {"id": device}})
    admin.post("/user/test/users", {"userName": "partial", "password": "secret-123"})
    role = admin.post(
        "/user/inventoryroles",
        {"name": "look", "permissions": [{"permission": "READ", "scope": "MANAGED_OBJECT", "type": "*"}]},
    )
    place = "/user/test/users/partial/roles/inventory"
    made = admin.post(place, {"managedObject": group, "roles": [{"id": role["id"]}]}, 200)
    assert [r["name"] for r in made["roles"]] == ["look"]
    user = world.login("test/partial", "secret-123")
    assert user.get(f"{OBJECTS}/{device}")["id"] == device
    user.put(f"{OBJECTS}/{device}", {"a": 1}, 403)
    user.get("/event/events", 403, source=device)
    assert [a["id"] for a in admin.get(place)["inventoryAssignments"]] == [made["id"]]
    admin.delete(f"{place}/{made['id']}")
    user.get(f"{OBJECTS}/{device}", 403)
    admin.delete("/user/test/users/partial")


# errors and tolerances


@pytest.mark.parametrize(
    "place",
    [OBJECTS, "/measurement/measurements", "/event/events", "/alarm/alarms", "/devicecontrol/operations"],
)
@pytest.mark.parametrize("text", ['{"a":1,}', "{", "[]", '"x"', "NaN", "\x00"])
def test_malformed_bodies_are_a_422_in_the_platforms_shape(admin: Api, place: str, text: str) -> None:
    answer = admin("POST", place, 422, data=text.encode(), headers={"Content-Type": "application/json"})
    assert answer.headers["Content-Type"].startswith(f"{VENDOR}error+json")
    assert answer.json().keys() == {"error", "message", "info"}


def test_wrong_verbs_unknown_paths_and_types(admin: Api) -> None:
    admin("PUT", "/devicecontrol/newDeviceRequests", 405)
    admin("PATCH", f"{OBJECTS}/{DEVICE}", 405)
    assert admin("GET", "/nowhere/at/all", 404).json()["error"] == "general/Not Found"
    admin("GET", OBJECTS, 406, headers={"Accept": "image/png"})
    admin("GET", "/measurement/measurements", 406, headers={"Accept": "application/vnd.ms-excel"})


def test_the_verb_can_be_overridden(admin: Api) -> None:
    device = admin.device()
    answer = admin("POST", f"{OBJECTS}/{device}", 200, json={"a": 1}, headers={"X-HTTP-METHOD": "PUT"})
    assert answer.json()["a"] == 1


def test_chunked_bodies_strange_headers_and_parameters_are_taken(admin: Api) -> None:
    def chunks() -> Any:
        yield b'{"name":'
        yield b'"chunked"}'

    headers = {"Content-Type": "application/vnd.com.nsn.cumulocity.managedObject+json;", "UseXBasic": "true"}
    assert admin("POST", OBJECTS, 201, data=chunks(), headers=headers).json()["name"] == "chunked"
    admin.get(OBJECTS, filter="x", asValues="true", revert="false", currentPage=1)
    admin("DELETE", f"{OBJECTS}/{admin.device()}", 204, headers={"Accept": None})
    head = admin("HEAD", f"{OBJECTS}/{DEVICE}")
    assert head.content == b""


def test_strict_mode_wants_vendor_types_and_good_times(world: World, admin: Api) -> None:
    world.switch(strict=True)
    admin.post(OBJECTS, {"name": "x"}, 415)
    device = admin.post(OBJECTS, {"name": "x"}, 201, **{"Content-Type": f"{VENDOR}managedobject+json"})["id"]
    admin.get(f"/event/events?source={device}&dateFrom=2026-01-01T00:00:00+02:00", 422)
    body = {
        "source": {"id": device},
        "type": "t",
        "text": "x",
        "severity": "MINOR",
        "time": "2026-01-01T00:00:00Z",
    }
    kind = {"Content-Type": f"{VENDOR}alarm+json"}
    alarm = admin.post("/alarm/alarms", body, 201, **kind)
    admin.put(f"/alarm/alarms/{alarm['id']}", {"status": "CLEARED", "source": {"id": device}}, 422, **kind)


# switches


def test_editions(world: World, admin: Api) -> None:
    gateway = f"{OBJECTS}/100000"
    world.switch(edition="2025")
    assert admin.get(gateway)["childDevices"]["references"]
    assert admin.get(gateway, withChildren="false")["childDevices"]["references"] == []
    admin.post("/identity/search", {"externalIds": []}, 404)
    world.switch(edition="2026")
    assert admin.get(gateway)["childDevices"]["references"] == []
    world.switch(without_children=False)
    assert admin.get(gateway)["childDevices"]["references"]
    query = {"query": "name eq 'gateway*'", "pageSize": 1, "withTotalPages": "true"}
    assert admin.get(OBJECTS, **query)["statistics"]["totalPages"] > 0
    world.switch(edition="10.15")
    assert admin.get(OBJECTS, **query)["statistics"]["totalPages"] == 0
    admin("DELETE", "/event/events", 204, params={"type": "nobody"})


def test_time_series_tenants_read_newest_first_since_2026(world: World, admin: Api) -> None:
    def order(**params: str) -> str:
        page = admin.get("/measurement/measurements", source=DEVICE, pageSize=3, **params)["measurements"]
        times = [m["time"] for m in page]
        assert times in (sorted(times), sorted(times, reverse=True))
        return "up" if times == sorted(times) else "down"

    since = {"dateFrom": "1970-01-01"}
    assert (order(), order(**since), order(**since, revert="true"), order(revert="true")) == (
        "up",
        "up",
        "down",
        "up",
    )
    world.switch(persistence="timeseries")
    assert (order(), order(**since), order(**since, revert="false")) == ("down", "down", "up")
    first = admin.get("/measurement/measurements", source=DEVICE, pageSize=1)["measurements"][0]["id"]
    admin.get(f"/measurement/measurements/{first}", 422)
    admin(
        "DELETE",
        "/measurement/measurements",
        422,
        params={"source": DEVICE, "dateFrom": "2026-01-01T00:30:00Z"},
    )
    world.switch(edition="2025")
    assert order(**since) == "up"


def test_late_deletes_take_effect_when_time_has_passed(still: World) -> None:
    still.switch(late_delete_seconds=5)
    admin = still.user("admin")
    device = admin.device()
    admin.delete(f"{OBJECTS}/{device}")
    admin.get(f"{OBJECTS}/{device}")
    still.sandbox.clock.advance(6_000)
    admin.get(f"{OBJECTS}/{device}", 404)


def test_the_platforms_zone_in_answers_changes_with_summer_time(fresh: Callable[..., World]) -> None:
    clock = Clock(
        1_774_782_000_000, frozen=True
    )  # 29 March 2026, 11:00 UTC: the night before, clocks changed
    world = fresh(devices=2, days=2, clock=clock, switches={"cumulocity": {"zone": "Europe/Berlin"}})
    admin = world.user("admin")
    page = admin.pages("/measurement/measurements", "measurements", source=DEVICE, pageSize=2000)
    assert {m["time"][-6:] for m in page} == {"+01:00", "+02:00"}
    window = {"source": DEVICE, "dateFrom": "2026-03-29T00:00:00Z", "dateTo": "2026-03-29T02:00:00Z"}
    keys = list(admin.get("/measurement/measurements/series", **window)["values"])
    assert {key[-6:] for key in keys} == {"+01:00", "+02:00"}
    world.switch(zone="")
    assert admin.get("/measurement/measurements", source=DEVICE, pageSize=1)["measurements"][0][
        "time"
    ].endswith("Z")


def test_switches_come_over_the_control_endpoint(world: World, admin: Api) -> None:
    held = world.info["control"]
    headers = {"Authorization": f"Bearer {held['token']}"}
    admin("POST", held["url"] + "switches", json={"credentials_status": 200}, headers=headers)
    assert world.sandbox.world("cumulocity").switches == {"credentials_status": 200}


def test_a_cost_of_deep_pages(world: World, admin: Api) -> None:
    world.sandbox.faults.set("cumulocity", cost_per_skipped_row=0.01)
    slow = admin(
        "GET", "/measurement/measurements", params={"source": DEVICE, "pageSize": "10", "currentPage": "3"}
    )
    quick = admin("GET", "/measurement/measurements", params={"source": DEVICE, "pageSize": "10"})
    assert slow.elapsed.total_seconds() > 0.2 > quick.elapsed.total_seconds()


def test_strict_mode_takes_plain_json_where_the_document_does(world: World, admin: Api) -> None:
    world.switch(strict=True)
    admin.post("/identity/search", {"externalIds": []}, 200)
    admin.put("/tenant/options/strict/key", {"value": "1"})
    admin.delete("/tenant/options/strict/key")
    admin.put(
        "/user/currentUser/password", {"currentUserPassword": "wrong", "newPassword": "secret-456"}, 403
    )
    admin("POST", "/devicecontrol/newDeviceRequests/acceptAll", 200, json={})


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"edition": "1999"}, "edition is one of"),
        ({"nope": 1}, "unknown switch nope"),
        ({"strict": "yes"}, "strict is bool"),
    ],
)
def test_wrong_switches_are_named(
    fresh: Callable[..., World], world: World, admin: Api, wrong: dict[str, Any], words: str
) -> None:
    with pytest.raises(sandbox.SandboxError, match=words):
        fresh(devices=1, switches={"cumulocity": wrong})
    world.switch(**wrong)
    assert words in admin("GET", OBJECTS, 500).json()["message"]
