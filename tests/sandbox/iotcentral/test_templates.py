"""Device templates, components, modules, groups, enrollment, and what is merely stored."""

import json
from typing import Any
from urllib.parse import quote

import pytest

PREVIEW = "2022-10-31-preview"
KIND = ["ModelDefinition", "DeviceModel"]


def interface(name: str, *contents: Any, **more: Any) -> dict[str, Any]:
    return {"@id": name, "@type": "Interface", "contents": list(contents), **more}


def wide_model() -> dict[str, Any]:
    """Everything that a reader of models has to take."""
    base = interface("dtmi:t:Base;1", {"@type": "Telemetry", "name": "inherited", "schema": "double"})
    inner = interface(
        "dtmi:t:Inner;1",
        {"@type": ["Telemetry", "Temperature"], "name": "temp", "schema": "double", "unit": "degreeCelsius"},
        {"@type": "Property", "name": "mode", "schema": "dtmi:t:Mode;1", "writable": True},
        schemas=[
            {
                "@id": "dtmi:t:Mode;1",
                "@type": "Enum",
                "valueSchema": "integer",
                "enumValues": [{"name": "on", "enumValue": 1}, {"name": "off", "enumValue": 2}],
            }
        ],
    )
    return interface(
        "dtmi:t:Wide;1",
        {"@type": "Component", "name": "inner", "displayName": {"en": "Inner"}, "schema": inner},
        {"@type": "Component", "name": "thermo", "schema": "dtmi:com:example:Thermostat;1"},
        {"@type": ["Relationship", "EdgeModule"], "name": "edge", "target": [inner]},
        {"@type": ["Property", "Cloud", "StringValue"], "name": "owner", "schema": "string"},
        {
            "@type": ["Telemetry", "Event", "EventValue"],
            "name": "alert",
            "schema": "string",
            "severity": "error",
        },
        {"@type": "Telemetry", "name": "where", "schema": "geopoint"},
        {"@type": "Command", "name": "go"},
        extends=[base],
        displayName="Wide",
    )


def test_templates_are_listed_with_their_models(admin: Any) -> None:
    rows = {one["@id"]: one for one in admin.all("/deviceTemplates")}
    assert {"dtmi:iotnb:plant:Gateway;1", "dtmi:com:example:Thermostat;1"} <= set(rows)
    for row in rows.values():
        assert set(row["@type"]) == set(KIND)
        assert row["etag"].startswith('"~')
        assert row["capabilityModel"]["contents"]
    assert admin.get("/deviceTemplates/dtmi:iotnb:plant:Gateway;1") == rows["dtmi:iotnb:plant:Gateway;1"]
    encoded = quote("dtmi:iotnb:plant:Gateway;1", safe="")
    assert admin.get(f"/deviceTemplates/{encoded}") == rows["dtmi:iotnb:plant:Gateway;1"]


def test_the_phone_model_agrees_with_the_published_one() -> None:
    """The same names, schemas and units as the model that its device names."""
    from iotnb.sandbox.iotcentral.models import PHONE, repository

    found = repository(PHONE)
    assert found is not None
    contents = {item["name"]: item for item in found["contents"]}
    assert set(contents) == {"sensors", "device_info", "lightOn", "writeableProp", "readOnlyProp"}
    fields = contents["lightOn"]["request"]["schema"]["fields"]
    assert {one["name"]: one["schema"] for one in fields} == dict.fromkeys(
        ("duration", "delay", "pulses"), "integer"
    )
    sensors = {item["name"]: item for item in contents["sensors"]["schema"]["contents"]}
    assert sensors["accelerometer"]["schema"] == "vector"
    assert sensors["geolocation"]["schema"] == "geopoint"
    assert sensors["barometer"]["unit"] == "kilopascal"
    assert json.loads(json.dumps(found)) == found


def test_create_change_and_delete_a_template(admin: Any) -> None:
    path = "/deviceTemplates/dtmi:t:Wide;1"
    body = {"@type": KIND, "displayName": "Wide", "capabilityModel": wide_model()}
    made = admin.put(path, body)
    assert made["@id"] == "dtmi:t:Wide;1"
    admin.put("/devices/wide-1", {"template": "dtmi:t:Wide;1", "simulated": True})
    components = admin.get("/devices/wide-1/components")["value"]
    assert components == [
        {"@id": "dtmi:t:Inner;1", "@type": ["Component"], "name": "inner", "displayName": "Inner"},
        {"@id": "dtmi:com:example:Thermostat;1", "@type": ["Component"], "name": "thermo"},
    ]
    modules = admin.get("/devices/wide-1/modules")["value"]
    assert modules == [
        {"@id": "dtmi:t:Inner;1", "@type": ["Relationship", "SemanticType/EdgeModule"], "name": "edge"}
    ]
    assert admin.get("/devices/wide-1/modules/edge/components") == {"value": []}
    assert set(admin.get("/devices/wide-1/telemetry/where")["value"]) == {"lat", "lon", "alt"}
    assert isinstance(admin.get("/devices/wide-1/telemetry/inherited")["value"], float)
    assert admin.get("/devices/wide-1/telemetry/alert") == {}
    changed = admin("PATCH", path, {"displayName": "Wider"}, headers={"If-Match": made["etag"]})
    assert changed.json["displayName"] == "Wider"
    assert admin("PATCH", path, {"displayName": "x"}, headers={"If-Match": made["etag"]}).status == 412
    assert admin("DELETE", path).code == "Conflict"
    admin("DELETE", "/devices/wide-1")
    assert admin("DELETE", path).status == 204
    assert admin("GET", path).code == "NotFound"


@pytest.mark.parametrize(
    "change",
    [
        {"capabilityModel": None},
        {"capabilityModel": {"contents": [{"@type": "Telemetry"}]}},
        {"capabilityModel": {"contents": [{"@type": "Gadget", "name": "x"}]}},
        {"capabilityModel": {"contents": [{"@type": "Component", "name": "x", "schema": "dtmi:un:known;1"}]}},
        {"capabilityModel": {"contents": "x"}},
        {"@type": ["Something"]},
        {"@id": "dtmi:another:one;1"},
        {"displayName": 5},
    ],
)
def test_a_bad_template_is_422(admin: Any, change: Any) -> None:
    body = {"@type": KIND, "capabilityModel": interface("dtmi:t:Bad;1"), **change}
    answer = admin("PUT", "/deviceTemplates/dtmi:t:Bad;1", body)
    assert (answer.status, answer.code) == (422, "InvalidBody")
    assert admin("PUT", "/deviceTemplates/no-dtmi", {"@type": KIND, "capabilityModel": {}}).status == 422


def test_modules_of_a_gateway(admin: Any) -> None:
    assert [one["name"] for one in admin.get("/devices/gw-0001/modules")["value"]] == ["collector"]
    path = "/devices/gw-0001/modules/collector"
    assert [one["name"] for one in admin.get(f"{path}/components")["value"]] == ["storage"]
    assert admin.get(f"{path}/telemetry/queueLength") == {}
    found = admin.get(f"{path}/properties")
    assert found["version"] == "3.1.4"
    assert found["storage"]["usedMB"] == 118.5
    assert admin.get(f"{path}/components/storage/properties")["usedMB"] == 118.5
    assert admin("PATCH", f"{path}/properties", {"maxQueue": 5}).json == {
        "$metadata": {"maxQueue": {"desiredValue": 5}}
    }
    assert admin("POST", f"{path}/commands/flush", {}).status in (201, 408)
    for tail in ("/modules/none/properties", "/modules/none/components", "/components/none/properties"):
        assert admin("GET", f"/devices/gw-0001{tail}").status == 404


# groups


def test_groups_choose_devices(rig: Any, admin: Any) -> None:
    rows = {one["id"]: one for one in admin.all("/deviceGroups")}
    assert {"gateways", "sensors", "pumps"} <= set(rows)
    members = admin.all("/deviceGroups/gateways/devices")
    assert {one["id"] for one in members} == {d.key for d in rig.fleet if d.kind == "gateway"}
    assert all("etag" not in one for one in members)
    text = (
        'SELECT * FROM devices WHERE $template = "dtmi:iotnb:plant:ClimateSensor;1" '
        'AND site = "{}" AND $provisioned = true'
    )
    site = rig.fleet[1].site
    made = admin.put("/deviceGroups/by-site", {"displayName": "By site", "filter": text.format(site)})
    assert made["id"] == "by-site"
    chosen = {one["id"] for one in admin.all("/deviceGroups/by-site/devices")}
    assert chosen == {
        d.key
        for d in rig.fleet
        if d.kind == "sensor" and d.site == site and not rig.fleet.links.never(d.index)
    }
    changed = admin(
        "PATCH", "/deviceGroups/by-site", {"description": "x"}, headers={"If-Match": made["etag"]}
    )
    assert changed.json["description"] == "x"
    assert admin("PATCH", "/deviceGroups/by-site", {}, headers={"If-Match": made["etag"]}).status == 412
    admin.put(
        "/deviceGroups/slow",
        {"displayName": "Slow", "filter": "SELECT * FROM devices WHERE settings.reportInterval > 60"},
    )
    assert admin.all("/deviceGroups/slow/devices")
    found = admin.all("/deviceGroups", version=PREVIEW, filter="contains(displayName, 'site')")
    assert [one["id"] for one in found] == ["by-site"]
    assert admin("DELETE", "/deviceGroups/by-site").status == 204
    assert admin("GET", "/deviceGroups/by-site/devices").status == 404


@pytest.mark.parametrize(
    "body",
    [
        {"displayName": "x"},
        {"filter": "SELECT * FROM devices"},
        {"displayName": "x", "filter": "SELECT $id FROM devices"},
        {"displayName": "x", "filter": "SELECT * FROM devices WHERE"},
        {"displayName": "x", "filter": "SELECT * FROM devices", "organizations": ["none"]},
    ],
)
def test_a_bad_group_is_422(admin: Any, body: Any) -> None:
    assert admin("PUT", "/deviceGroups/bad", body).code == "InvalidBody"
    assert admin("PUT", "/deviceGroups/bad.name", {"displayName": "x", "filter": "x"}).status == 422


# enrollment groups


def test_enrollment_groups_hold_keys(rig: Any, admin: Any) -> None:
    body = {
        "displayName": "My group",
        "enabled": True,
        "type": "iot",
        "attestation": {"type": "symmetricKey"},
    }
    made = admin.put("/enrollmentGroups/mine", body)
    keys = made["attestation"]["symmetricKey"]
    assert set(keys) == {"primaryKey", "secondaryKey"}
    assert "idScope" not in made
    shown = admin.get("/enrollmentGroups/mine", version=PREVIEW)
    assert shown["idScope"] == rig.info["id_scope"]
    changed = admin("PATCH", "/enrollmentGroups/mine", {"enabled": False}, headers={"If-Match": made["etag"]})
    assert changed.json["enabled"] is False
    assert changed.json["attestation"]["symmetricKey"] == keys
    assert {"SAS-IoT-Devices", "mine"} <= {one["id"] for one in admin.all("/enrollmentGroups")}
    assert admin("GET", "/enrollmentGroups/mine/certificates/primary").status == 422
    assert admin("DELETE", "/enrollmentGroups/mine").status == 204
    for bad in ({}, {**body, "type": "x"}, {**body, "attestation": {"type": "tpm"}}, {**body, "enabled": 1}):
        assert admin("PUT", "/enrollmentGroups/bad", bad).status == 422


def test_certificates_of_an_enrollment_group(admin: Any) -> None:
    body = {"displayName": "X", "type": "iot", "attestation": {"type": "x509"}}
    admin.put("/enrollmentGroups/certs", body)
    path = "/enrollmentGroups/certs/certificates/primary"
    assert admin("GET", path).status == 404
    made = admin.put(path, {"verified": False, "certificate": "QUJD"})
    assert made["info"] == {"sha1Thumbprint": "3C01BDBB26F358BAB27F267924AA2C9A03FCFDB8"}
    assert made["verified"] is False
    assert admin("POST", f"{path}/generateVerificationCode").json["verificationCode"]
    assert admin("POST", f"{path}/verify", {"certificate": "QUJD"}).status == 204
    assert admin.get(path)["verified"] is True
    assert admin("DELETE", path).status == 204
    assert admin("GET", path).status == 404
    assert admin("PUT", "/enrollmentGroups/certs/certificates/third", {}).status == 422


# documents without behaviour


@pytest.mark.parametrize(
    ("path", "body", "needed"),
    [
        ("/dashboards", {"displayName": "Mine", "tiles": [{"displayName": "a"}]}, "displayName"),
        ("/deploymentManifests", {"displayName": "M", "data": {"modulesContent": {}}}, "data"),
    ],
)
def test_documents_are_kept_as_given(admin: Any, path: str, body: dict[str, Any], needed: str) -> None:
    preview = {"version": PREVIEW}
    made = admin.put(f"{path}/one", body, **preview)
    assert {key: made[key] for key in body} == body
    assert made["id"] == "one"
    assert admin.get(f"{path}/one", **preview) == made
    assert made in admin.all(path, **preview)
    changed = admin("PATCH", f"{path}/one", {"displayName": "Other"}, **preview)
    assert changed.json["displayName"] == "Other"
    stale = admin("PATCH", f"{path}/one", {}, headers={"If-Match": made["etag"]}, **preview)
    assert stale.status == 412
    without = {key: value for key, value in body.items() if key != needed}
    assert admin("PUT", f"{path}/two", without, **preview).status == 422
    assert admin("DELETE", f"{path}/one", **preview).status == 204
    assert admin("GET", f"{path}/one", **preview).status == 404


def test_a_manifest_is_applied_and_expanded(admin: Any) -> None:
    preview = {"version": PREVIEW}
    admin.put("/devices/edge-1", {"type": ["iotEdge"]}, **preview)
    body = {"data": {"modulesContent": {"$edgeAgent": {}}}}
    applied = admin("POST", "/devices/edge-1/applyDeploymentManifest", body, **preview).json
    assert applied.pop("etag")
    assert applied == body
    assert admin.get("/devices/edge-1", expand="deploymentManifest", **preview)["deploymentManifest"] == body
    assert "deploymentManifest" not in admin.get("/devices/edge-1")
    assert admin("POST", "/devices/edge-1/applyDeploymentManifest", {}, **preview).status == 422


def test_file_uploads_hide_the_account_key(admin: Any) -> None:
    assert admin("GET", "/fileUploads").status == 404
    secret = "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=c2VjcmV0;EndpointSuffix=x"
    made = admin.put("/fileUploads", {"connectionString": secret, "container": "c"})
    assert "AccountKey=*****;" in made["connectionString"]
    assert made["state"] == "succeeded"
    assert admin("PATCH", "/fileUploads", {"readAccess": True}).json["readAccess"] is True
    assert admin("PUT", "/fileUploads", {"container": "c"}).status == 422
    assert admin("DELETE", "/fileUploads").status == 204
