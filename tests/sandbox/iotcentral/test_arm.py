"""The control plane: applications, their data plane, resource groups."""

from collections.abc import Callable
from typing import Any

import pytest

PROVIDER = "/providers/Microsoft.IoTCentral"
APPS = f"/resourceGroups/IOTC{PROVIDER}/iotApps"


def app_body(subdomain: str, **properties: Any) -> dict[str, Any]:
    return {
        "location": "eastus",
        "sku": {"name": "ST2"},
        "properties": {
            "displayName": "Contoso app",
            "subdomain": subdomain,
            "template": "iotc-pnp-preview@1.0.0",
            **properties,
        },
        "identity": {"type": "SystemAssigned"},
    }


@pytest.fixture
def arm(rig: Any) -> Any:
    return rig.arm()


def test_create_get_list_change_delete(rig: Any, arm: Any) -> None:
    made = arm("PUT", f"{APPS}/first-app", app_body("first-sub"))
    assert made.status == 201
    found = made.json
    assert found["id"].endswith("/resourcegroups/IOTC/providers/Microsoft.IoTCentral/IoTApps/first-app")
    assert found["type"] == "Microsoft.IoTCentral/IoTApps"
    assert found["properties"]["state"] == "created"
    assert found["properties"]["subdomain"] == "first-sub"
    assert set(found["identity"]) == {"type", "tenantId", "principalId"}
    assert arm.get(f"{APPS}/first-app") == found
    assert arm.get("/resourcegroups/iotc/providers/microsoft.iotcentral/IOTAPPS/FIRST-APP") == found
    for path in (f"{PROVIDER}/iotApps", APPS):
        listed = arm.get(path)
        assert found in listed["value"]
        assert listed["nextLink"] is None
    again = arm("PUT", f"{APPS}/first-app", app_body("first-sub", displayName="Renamed"))
    assert again.status == 200
    assert again.json["properties"]["applicationId"] == found["properties"]["applicationId"]
    patched = arm("PATCH", f"{APPS}/first-app", {"tags": {"a": "b"}, "sku": {"name": "ST1"}})
    assert patched.json["tags"] == {"a": "b"}
    assert patched.json["sku"] == {"name": "ST1"}
    deleted = arm("DELETE", f"{APPS}/first-app")
    assert (deleted.status, deleted.body) == (200, b"")
    assert arm("DELETE", f"{APPS}/first-app").status == 204
    assert arm("GET", f"{APPS}/first-app").json["error"]["code"] == "ResourceNotFound"


def test_the_stray_parameter_of_the_tutorial_is_ignored(arm: Any) -> None:
    answer = arm("PUT", f"{APPS}/stray-app?=", app_body("stray-app"))
    assert answer.status == 201


def test_an_application_has_a_data_plane_until_it_is_deleted(rig: Any, arm: Any) -> None:
    assert arm("PUT", f"{APPS}/alive-app", app_body("alive-app")).status == 201
    token = f"Bearer {rig.info['bearer']}"
    by_host, by_path = rig.caller(token), rig.caller(token, prefix="/alive-app/api")
    host = {"Host": "alive-app.azureiotcentral.com"}
    assert by_path.get("/devices") == {"value": []}
    assert by_path.get("/deviceTemplates") == {"value": []}
    by_host.put("/devices/one", {"displayName": "One"}, headers=host)
    assert [one["id"] for one in by_path.get("/devices")["value"]] == ["one"]
    assert rig.role()("GET", "/devices/one").status == 404
    default = rig.info["api_tokens"]["sandbox-administrator"]
    assert rig.caller(default, prefix="/alive-app/api")("GET", "/devices").status == 401
    assert arm("DELETE", f"{APPS}/alive-app").status == 200
    for caller, more in ((by_host, {"headers": host}), (by_path, {})):
        answer = caller("GET", "/devices", **more)
        assert (answer.status, answer.code) == (404, "NotFound")
    assert arm("PUT", f"{APPS}/alive-app", app_body("alive-app")).status == 201
    assert by_path.get("/devices") == {"value": []}


def test_names_and_subdomains_are_unique(arm: Any) -> None:
    assert arm("PUT", f"{APPS}/taken-app", app_body("taken-sub")).status == 201
    clash = arm("PUT", f"{APPS}/other-app", app_body("taken-sub"))
    assert (clash.status, clash.json["error"]["code"]) == (409, "SubdomainNotAvailable")
    for check, name in (("checkNameAvailability", "taken-app"), ("checkSubdomainAvailability", "taken-sub")):
        taken = arm("POST", f"{PROVIDER}/{check}", {"name": name, "type": "IoTApps"}).json
        assert taken["nameAvailable"] is False
        assert taken["reason"] == "AlreadyExists"
        free = arm("POST", f"{PROVIDER}/{check}", {"name": "free-one", "type": "IoTApps"}).json
        assert free == {"nameAvailable": True, "reason": None, "message": None}
        assert arm("POST", f"{PROVIDER}/{check}", {"name": "12345"}).json["reason"] == "Invalid"
        assert arm("POST", f"{PROVIDER}/{check}", {"type": "IoTApps"}).status == 400


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        (f"{APPS}/12345", app_body("good-name"), 400, "InvalidResourceName"),
        (f"{APPS}/bad-sub", app_body("-bad"), 400, "InvalidSubdomain"),
        (f"{APPS}/no-sku", {"location": "eastus"}, 400, "InvalidSku"),
        (f"{APPS}/no-place", {"sku": {"name": "ST2"}}, 400, "LocationRequired"),
        (f"{APPS}/odd", {**app_body("odd-app"), "properties": "x"}, 400, "InvalidRequestContent"),
        (f"/resourceGroups/NONE{PROVIDER}/iotApps/lost", app_body("lost-app"), 404, "ResourceGroupNotFound"),
    ],
)
def test_a_bad_application_is_refused(arm: Any, path: str, body: Any, status: int, code: str) -> None:
    answer = arm("PUT", path, body)
    assert (answer.status, answer.json["error"]["code"]) == (status, code)


def test_errors_of_the_control_plane(rig: Any, arm: Any) -> None:
    assert arm("GET", APPS, version="").json["error"]["code"] == "MissingApiVersionParameter"
    assert arm("GET", APPS, version="1999-01-01").json["error"]["code"] == "NoRegisteredProviderFound"
    other = rig.caller(arm.token, version="2021-06-01", prefix="/subscriptions/none")
    assert other("GET", f"{PROVIDER}/iotApps").json["error"]["code"] == "SubscriptionNotFound"
    assert rig.caller("", version="2021-06-01", prefix=arm.prefix)("GET", APPS).status == 401
    assert arm("PUT", f"{APPS}/broken", "{").status == 400


def test_templates_and_operations_of_the_provider(rig: Any, arm: Any) -> None:
    rows = arm("POST", f"{PROVIDER}/appTemplates").json["value"]
    assert "iotc-pnp-preview" in [row["manifestId"] for row in rows]
    assert {"manifestVersion", "name", "title", "order", "description", "industry", "locations"} <= set(
        rows[0]
    )
    root = rig.caller(arm.token, version="2021-06-01", prefix="")
    names = [row["name"] for row in root.get(f"{PROVIDER}/operations")["value"]]
    assert "Microsoft.IoTCentral/IoTApps/write" in names


def test_resource_groups(arm: Any) -> None:
    made = arm("PUT", "/resourcegroups/Mine", {"location": "eastus"}, version="2021-04-01")
    assert made.status == 201
    assert made.json["properties"] == {"provisioningState": "Succeeded"}
    assert arm("PUT", "/resourceGroups/mine", {"location": "eastus"}, version="2021-04-01").status == 200
    assert "Mine" in [row["name"] for row in arm.get("/resourceGroups", version="2021-04-01")["value"]]
    path = f"/resourceGroups/Mine{PROVIDER}/iotApps/in-mine"
    assert arm("PUT", path, app_body("in-mine")).status == 201
    assert arm("DELETE", "/resourceGroups/Mine", version="2021-04-01").status == 200
    assert arm("GET", path).json["error"]["code"] == "ResourceGroupNotFound"
    assert arm("PUT", "/resourceGroups/none", {}, version="2021-04-01").status == 400


def test_strict_has_no_resource_group_from_the_start(make: Callable[..., Any]) -> None:
    arm = make(switches={"strict": True}).arm()
    assert arm("PUT", f"{APPS}/early", app_body("early-app")).json["error"]["code"] == "ResourceGroupNotFound"
    assert arm("PUT", "/resourceGroups/IOTC", {"location": "x"}, version="2021-04-01").status == 201
    assert arm("PUT", f"{APPS}/early", app_body("early-app")).status == 201
    odd = {**app_body("odd-sku"), "sku": {"name": "F1"}}
    assert arm("PUT", f"{APPS}/odd-sku", odd).json["error"]["code"] == "InvalidSku"


def test_a_long_running_creation_is_polled(make: Callable[..., Any]) -> None:
    rig = make(switches={"lro": 60})
    arm = rig.arm()
    answer = arm("PUT", f"{APPS}/slow-app", app_body("slow-app"))
    assert (answer.status, answer.body) == (202, b"")
    assert arm.get(f"{APPS}/slow-app")["properties"]["state"] == "creating"
    rig.clock.advance(61_000)
    assert arm.get(f"{APPS}/slow-app")["properties"]["state"] == "created"


def test_a_creator_need_not_be_administrator(make: Callable[..., Any]) -> None:
    rig = make(switches={"creator_is_admin": False})
    from urllib.parse import urlencode

    known = rig.info["principals"]["explorer"]
    fields = {"grant_type": "client_credentials", **known}
    tokens = {}
    for audience in ("apps.azureiotcentral", "management.azure"):
        body = urlencode({**fields, "scope": f"https://{audience}.com/.default"})
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        path = f"/{rig.info['connect']['directory']}/oauth2/v2.0/token"
        answer = rig.caller(version="", prefix="")("POST", path, body, headers=headers)
        tokens[audience] = f"Bearer {answer.json['access_token']}"
    arm = rig.arm()
    arm.token = tokens["management.azure"]
    assert arm("PUT", f"{APPS}/by-robot", app_body("by-robot")).status == 201
    robot = rig.caller(tokens["apps.azureiotcentral"], prefix="/by-robot/api")
    assert robot("GET", "/devices").status == 403
    rig.caller(f"Bearer {rig.info['bearer']}", prefix="/by-robot/api").get("/devices")
