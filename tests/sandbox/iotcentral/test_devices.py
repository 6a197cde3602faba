"""Devices, credentials, attestation, relationships; paging, filters, versions."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

PREVIEW, OLD = "2022-10-31-preview", "2022-06-30-preview"
SENSOR, THERMOSTAT = "dtmi:iotnb:plant:ClimateSensor;1", "dtmi:com:example:Thermostat;1"


def test_the_fleet_is_there_under_its_own_names(rig: Any, admin: Any) -> None:
    rows = {one["id"]: one for one in admin.all("/devices")}
    for device in rig.fleet:
        row = rows[device.key]
        assert row["displayName"] == device.name
        assert isinstance(row["etag"], str)
        assert {"simulated", "provisioned", "enabled"} <= set(row)
    assert any("template" not in row for row in rows.values())
    assert any(row["simulated"] for row in rows.values())
    assert any("organizations" not in row for row in rows.values()) or len(rig.fleet) < 50
    never = [device.key for device in rig.fleet if rig.fleet.links.never(device.index)]
    assert never
    for name in never:
        assert rows[name]["provisioned"] is False
        assert "template" not in rows[name]


def test_devices_blocked_after_they_died(make: Callable[..., Any]) -> None:
    rig = make(devices=120, days=20)
    rows = rig.role().all("/devices")
    assert len(rows) == 120
    assert any(not row["enabled"] for row in rows)
    assert len({row["id"] for row in rows}) == 120


def test_create_read_update_delete(admin: Any) -> None:
    body = {"displayName": "My phone app", "simulated": False, "enabled": True}
    made = admin.put("/devices/crud-1", body)
    etag = made.pop("etag")
    assert made == {"id": "crud-1", "provisioned": False, **body}
    padded = etag + "=" * (-len(etag) % 4)
    assert "header" in json.loads(base64.urlsafe_b64decode(padded))
    again = admin.put("/devices/crud-1", {**body, "id": "crud-1", "template": THERMOSTAT})
    assert again["template"] == THERMOSTAT
    assert again["etag"] != etag
    kept = admin.put("/devices/crud-1", body)
    assert kept["template"] == THERMOSTAT
    changed = admin("PATCH", "/devices/crud-1", {"enabled": False})
    assert changed.json["enabled"] is False
    assert admin.get("/devices/crud-1") == changed.json
    gone = admin("DELETE", "/devices/crud-1")
    assert (gone.status, gone.body) == (204, b"")
    assert admin("GET", "/devices/crud-1").code == "NotFound"
    assert admin("DELETE", "/devices/crud-1").status == 404


def test_a_device_of_the_fleet_can_be_changed_and_deleted(make: Callable[..., Any]) -> None:
    rig = make()
    admin = rig.role()
    name = rig.fleet[2].key
    assert admin("PATCH", f"/devices/{name}", {"displayName": "Renamed"}).json["displayName"] == "Renamed"
    assert admin("DELETE", f"/devices/{name}").status == 204
    assert admin("GET", f"/devices/{name}").status == 404
    assert name not in {one["id"] for one in admin.all("/devices")}
    assert name not in {
        row["$id"] for row in admin.query(f"SELECT $id FROM {SENSOR} WHERE WITHIN_WINDOW(PT20M)")
    }
    admin.put(f"/devices/{name}", {"displayName": "New"})
    assert admin.get(f"/devices/{name}")["displayName"] == "New"
    assert admin.get(f"/devices/{name}/properties") == {}
    admin("DELETE", f"/devices/{name}")
    assert admin("GET", f"/devices/{name}").status == 404
    rig.running.reset()
    assert admin.get(f"/devices/{name}")["displayName"] == rig.fleet[2].name


def test_a_large_fleet_is_listed_and_asked_in_time(make: Callable[..., Any]) -> None:
    rig = make(devices=20_000, days=2)
    admin = rig.role()
    started = time.monotonic()
    rows = admin.all("/devices", version=PREVIEW, maxpagesize=100)
    assert len({row["id"] for row in rows}) == 20_000
    name = next(d.key for d in rig.fleet if d.kind == "sensor" and d.index > 15_000)
    for _ in range(20):
        admin.query(
            f"SELECT $ts, environment.humidity FROM {SENSOR} WHERE WITHIN_WINDOW(PT1H) AND $id = '{name}'"
        )
    assert time.monotonic() - started < 8


@pytest.mark.parametrize(
    "body",
    [
        {"enabled": "yes"},
        {"displayName": 5},
        {"provisioned": True},
        {"id": "another"},
        {"template": "dtmi:no:such;1"},
        {"organizations": ["nowhere"]},
        {"organizations": ["plant", "plant-north"]},
        {"organizations": "plant"},
        {"type": ["toaster"]},
        [],
    ],
)
def test_bad_members_are_422(admin: Any, body: Any) -> None:
    answer = admin("PUT", "/devices/bad-1", body)
    assert (answer.status, answer.code) == (422, "InvalidBody")
    error = answer.json["error"]
    assert {"code", "message", "requestId", "time"} == set(error)
    assert error["time"].endswith(" GMT")
    assert admin("GET", "/devices/bad-1").status == 404


def test_broken_bodies_are_400(admin: Any) -> None:
    for body in ("{", "", b"\xff\xfe", "[" * 100_000):
        answer = admin("PUT", "/devices/bad-2", body)
        assert (answer.status, answer.code) == (400, "InvalidRequest")
    assert admin("PUT", "/devices/bad%20id", {}).status == 422


def test_if_match_guards_a_patch(admin: Any) -> None:
    etag = admin.put("/devices/match-1", {})["etag"]
    preview = {"version": PREVIEW}
    wrong = admin("PATCH", "/devices/match-1", {"enabled": False}, headers={"If-Match": '"x"'}, **preview)
    assert (wrong.status, wrong.code) == (412, "PreconditionFailed")
    right = admin("PATCH", "/devices/match-1", {"enabled": False}, headers={"If-Match": etag}, **preview)
    assert right.status == 200
    stale = admin("PATCH", "/devices/match-1", {"enabled": True}, headers={"If-Match": etag}, **preview)
    assert stale.status == 412
    assert admin("PATCH", "/devices/match-1", {}, headers={"If-Match": "*"}, **preview).status == 200


# paging


def test_pages_hold_25_and_link_on(rig: Any, admin: Any) -> None:
    first = admin.get("/devices")
    assert len(first["value"]) == 25
    link = first["nextLink"]
    assert link.startswith(f"{rig.base}/api/devices?")
    assert "%24skiptoken=" in link
    second = admin.get(link)
    assert {one["id"] for one in first["value"]}.isdisjoint(one["id"] for one in second["value"])
    assert "nextLink" not in second
    token = parse_qs(urlsplit(link).query)["$skiptoken"][0]
    bare = rig.role(version="")
    assert bare.get(f"/devices?%24skiptoken={token}") == second
    broken = admin("GET", "/devices?%24skiptoken=nonsense")
    assert (broken.status, broken.code) == (400, "InvalidRequest")


def test_the_link_keeps_the_host_of_the_request(rig: Any, admin: Any) -> None:
    host = f"{rig.info['application']['subdomain']}.azureiotcentral.com"
    link = admin.get("/devices", headers={"Host": host})["nextLink"]
    assert link.startswith(f"http://{host}/api/devices?")


def test_maxpagesize_is_for_previews(rig: Any, admin: Any) -> None:
    assert len(admin.get("/devices", maxpagesize=3)["value"]) == 25
    small = admin.get("/devices", version=PREVIEW, maxpagesize=3)
    assert len(small["value"]) == 3
    assert "maxpagesize=3" in small["nextLink"]
    rows = admin.all("/devices", version=PREVIEW, maxpagesize=7)
    assert len({row["id"] for row in rows}) == len(rows) >= len(rig.fleet)
    assert "nextLink" not in admin.get("/devices", version=PREVIEW, maxpagesize=1000)
    assert len(admin.get("/devices?$top=2", version=OLD)["value"]) == 2


def test_a_page_that_repeats_rows_and_one_that_repeats_itself(make: Callable[..., Any]) -> None:
    rig = make(devices=30)
    admin = rig.role()
    rig.world.switches["overlap_rows"] = 5
    rows = [row["id"] for row in admin.all("/devices")]
    assert len(rows) == 35
    assert len(set(rows)) == 30
    rig.world.switches["loop_page"] = True
    first = admin.get("/devices")
    assert admin.get(first["nextLink"]) == first


def test_odata_filters(rig: Any, admin: Any) -> None:
    def ids(text: str, **more: Any) -> set[str]:
        return {
            one["id"] for one in admin.all("/devices", version=PREVIEW, filter=text, maxpagesize=100, **more)
        }

    fleet = {device.key: device for device in rig.fleet}
    gateways = {name for name, device in fleet.items() if device.kind == "gateway"}
    assert ids("template eq 'dtmi:iotnb:plant:Gateway;1'") == gateways
    assert ids("contains(displayName, 'pump')") >= {n for n, d in fleet.items() if d.kind == "machine"}
    assert not ids("contains(displayName, 'pump') eq false") & {
        n for n, d in fleet.items() if d.kind == "machine"
    }
    assert ids("id eq 'gw-0001' or id eq 'gw-0002'") == {"gw-0001", "gw-0002"}
    assert ids("(simulated eq true) and (provisioned eq true)") <= ids("simulated eq true")
    assert ids("scopes eq 'plant-north'") <= ids("enabled ne false or id gt ''")
    names = [one["displayName"] for one in admin.all("/devices", version=PREVIEW, orderby="displayName desc")]
    assert names == sorted(names, reverse=True)
    assert len(admin.all("/devices?$filter=id%20eq%20'gw-0001'", version=OLD)) == 1


@pytest.mark.parametrize(
    "text", ["id", "id eq", "id like 'x'", "secret eq 'x'", "id eq 'x' and", "id eq 'x", "§"]
)
def test_a_bad_filter_is_400(admin: Any, text: str) -> None:
    answer = admin("GET", "/devices", version=PREVIEW, filter=text)
    assert (answer.status, answer.code) == (400, "InvalidRequest")
    assert admin("GET", "/devices", version=PREVIEW, orderby="id").status == 400


# versions


def test_every_version_of_the_list_is_served(admin: Any) -> None:
    for version in ("1.0", "1.1-preview", "1.2-preview", "2022-05-31", OLD, "2022-07-31", PREVIEW):
        admin.get("/devices", version=version)
    for version in ("", "2099-01-01"):
        answer = admin("GET", "/devices", version=version)
        assert (answer.status, answer.code) == (400, "UnsupportedApiVersion")
    assert admin("GET", "/deviceGroups", version="1.0").code == "NotFound"
    for path in ("/dashboards", "/dataExport/exports", "/deploymentManifests"):
        assert admin("GET", path).code == "NotFound"
        admin.get(path, version=PREVIEW)
    assert admin("POST", "/query", {"query": "x"}).code == "NotFound"


def test_editions_end_old_versions(make: Callable[..., Any]) -> None:
    rig = make(switches={"edition": "preview"})
    admin = rig.role()
    admin.get("/devices", version=PREVIEW)
    assert admin("GET", "/devices", version="1.0").code == "UnsupportedApiVersion"
    rig.world.switches["edition"] = "ga"
    admin.get("/devices")
    assert admin("GET", "/devices", version=PREVIEW).code == "UnsupportedApiVersion"


def test_strict_refuses_what_is_not_in_the_specification(make: Callable[..., Any]) -> None:
    admin = make(switches={"strict": True}).role()
    assert admin("GET", "/devices", filter="id eq 'x'").status == 400
    assert admin("GET", "/devices", version=PREVIEW, maxpagesize=0).status == 422
    assert admin("GET", "/devices", version=PREVIEW, maxpagesize=101).status == 422
    assert admin("PUT", "/devices/strict-1", {"colour": "red"}).status == 422
    assert admin("PUT", "/devices/strict-1", {"displayName": "x"}).status == 200


def test_the_rate_limit_counts_over_all_tokens(make: Callable[..., Any]) -> None:
    rig = make(switches={"rate": True})
    admin, operator = rig.role(), rig.role("operator")
    statuses = [caller("GET", "/roles").status for _ in range(15) for caller in (admin, operator)]
    assert statuses[:20] == [200] * 20
    assert 429 in statuses[20:]
    refused = next(a for a in (admin("GET", "/roles") for _ in range(50)) if a.status == 429)
    assert refused.code == "TooManyRequests"
    assert refused.headers["Retry-After"] is None
    rig.world.switches["retry_after"] = True
    refused = next(a for a in (admin("GET", "/roles") for _ in range(50)) if a.status == 429)
    assert int(refused.headers["Retry-After"]) >= 1


# credentials and attestation


def test_credentials_hold_scope_and_keys(rig: Any, admin: Any) -> None:
    admin.put("/devices/keys-1", {})
    found = admin.get("/devices/keys-1/credentials")
    assert found["idScope"] == rig.info["id_scope"]
    assert found["idScope"].startswith("0ne")
    keys = found["symmetricKey"]
    assert keys["primaryKey"] != keys["secondaryKey"]
    assert len(base64.b64decode(keys["primaryKey"])) == 32
    assert admin.get("/devices/keys-1/credentials") == found
    assert set(keys.values()) <= set(rig.running.issued())
    assert rig.role("viewer")("GET", "/devices/keys-1/credentials").status == 403
    assert admin("GET", "/devices/none/credentials").status == 404


def test_attestations_of_three_kinds(admin: Any) -> None:
    admin.put("/devices/attest-1", {})
    path = "/devices/attest-1/attestation"
    assert admin("GET", path).status == 404
    keys = {n: base64.b64encode(bytes(range(32))).decode() for n in ("primaryKey", "secondaryKey")}
    body: Any = {"type": "symmetricKey", "symmetricKey": keys}
    assert admin.put(path, body) == body
    assert admin.get("/devices/attest-1/credentials")["symmetricKey"] == keys
    tpm = {"type": "tpm", "tpm": {"endorsementKey": "abc"}}
    assert admin.put(path, tpm) == tpm
    assert admin.get("/devices/attest-1/credentials")["tpm"] == tpm["tpm"]
    x509 = {"type": "x509", "x509": {"clientCertificates": {"primary": {"certificate": "QUJD"}}}}
    found = admin.put(path, x509)
    thumbprint = found["x509"]["clientCertificates"]["primary"]
    assert thumbprint == {"info": {"sha1Thumbprint": "3C01BDBB26F358BAB27F267924AA2C9A03FCFDB8"}}
    assert admin.get(path) == found
    assert admin("DELETE", path).status == 204
    assert "symmetricKey" in admin.get("/devices/attest-1/credentials")
    for bad in (
        {},
        {"type": "tpm"},
        {"type": "symmetricKey", "symmetricKey": {"primaryKey": "short"}},
        {"type": "x"},
    ):
        assert admin("PUT", path, bad).status == 422


# relationships


def test_a_gateway_is_related_to_the_sensors_behind_it(rig: Any, admin: Any) -> None:
    gateway = rig.fleet[0].key
    rows = admin.all(f"/devices/{gateway}/relationships")
    assert {row["target"] for row in rows} == {rig.fleet[i].key for i in rig.fleet.children(0)}
    assert {row["source"] for row in rows} == {gateway}
    child = rows[0]["target"]
    assert admin.get(f"/devices/{child}/relationships")["value"] == [rows[0]]
    assert admin.get(f"/devices/{child}/relationships/{rows[0]['id']}") == rows[0]


def test_relationships_are_made_changed_and_removed(admin: Any) -> None:
    for name in ("rel-a", "rel-b", "rel-c"):
        admin.put(f"/devices/{name}", {})
    path = "/devices/rel-a/relationships/r1"
    made = {"id": "r1", "source": "rel-a", "target": "rel-b"}
    assert admin.put(path, {"source": "rel-a", "target": "rel-b"}) == made
    assert admin.get("/devices/rel-b/relationships")["value"] == [made]
    assert admin("PATCH", path, {"target": "rel-c"}).json["target"] == "rel-c"
    for bad in ({"target": "none"}, {"source": "rel-b", "target": "rel-c"}, {"target": "rel-a"}, {}):
        assert admin("PUT", "/devices/rel-a/relationships/bad", bad).status == 422
    assert admin("DELETE", path).status == 204
    assert admin("GET", path).status == 404
