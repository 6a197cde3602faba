"""Tokens of both kinds and both audiences, roles, organizations, users."""

import base64
import json
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, quote, urlencode

import pytest

ADMINISTRATOR, BUILDER = "ca310b8d-2f4a-44e0-a36e-957c202cd8d4", "344138e9-8de4-4497-8c54-5237e96d6aaf"
OPERATOR, ORG_OPERATOR = "ae2c9854-393b-4f97-8c42-479d70ce626e", "b4935647-30e4-4ed3-9074-dcac66c2f8ef"
APPS, ARM = "https://apps.azureiotcentral.com", "https://management.azure.com"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def claims(token: str) -> Any:
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def login(rig: Any, tail: str = "oauth2/v2.0/token", **fields: str) -> Any:
    tenant = fields.pop("tenant", rig.info["connect"]["directory"])
    caller = rig.caller(version="", prefix="")
    return caller("POST", f"/{tenant}/{tail}", urlencode(fields), headers=FORM)


def secret_of(rig: Any, name: str = "explorer") -> dict[str, str]:
    found = rig.info["principals"][name]
    return {"client_id": found["client_id"], "client_secret": found["client_secret"]}


def test_client_credentials_give_a_token_for_one_audience(rig: Any) -> None:
    for audience in (APPS, ARM):
        answer = login(rig, grant_type="client_credentials", scope=f"{audience}/.default", **secret_of(rig))
        assert answer.status == 200
        assert answer.json["token_type"] == "Bearer"
        assert answer.json["expires_in"] == 3599
        assert "refresh_token" not in answer.json
        found = claims(answer.json["access_token"])
        assert found["aud"] == audience
        assert found["tid"] == rig.info["connect"]["directory"]
        assert found["exp"] - time.time() > 3500


def test_the_older_form_takes_a_resource(rig: Any) -> None:
    answer = login(rig, "oauth2/token", grant_type="client_credentials", resource=APPS, **secret_of(rig))
    assert claims(answer.json["access_token"])["aud"] == APPS


@pytest.mark.parametrize(
    ("changes", "status", "error", "number"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_id": "nobody"}, 400, "unauthorized_client", 700016),
        ({"scope": "https://graph.example.com/.default"}, 400, "invalid_resource", 500011),
        ({"scope": "nonsense"}, 400, "invalid_scope", 70011),
        ({"scope": ""}, 400, "invalid_request", 900144),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
        ({"tenant": "elsewhere"}, 400, "invalid_tenant", 90002),
    ],
)
def test_a_refused_login_says_why(
    rig: Any, changes: dict[str, str], status: int, error: str, number: int
) -> None:
    fields = {"grant_type": "client_credentials", "scope": f"{APPS}/.default", **secret_of(rig), **changes}
    answer = login(rig, **fields)
    assert (answer.status, answer.json["error"]) == (status, error)
    assert answer.json["error_codes"] == [number]
    assert answer.json["error_description"].startswith(f"AADSTS{number}: ")
    assert {"timestamp", "trace_id", "correlation_id"} <= set(answer.json)


def test_device_code_waits_for_a_person(make: Callable[..., Any]) -> None:
    rig = make(switches={"approve_after": None})
    started = login(rig, "oauth2/v2.0/devicecode", client_id="cli", scope=f"{APPS}/.default offline_access")
    assert {"user_code", "device_code", "verification_uri", "expires_in", "interval", "message"} == set(
        started.json
    )
    poll = {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "client_id": "cli",
        "device_code": started.json["device_code"],
    }
    pending = login(rig, **poll)
    assert (pending.status, pending.json["error"]) == (400, "authorization_pending")
    assert pending.json["error_codes"] == [70016]
    login(rig, "oauth2/deviceauth", user_code=started.json["user_code"])
    done = login(rig, **poll, code=poll["device_code"])
    assert done.status == 200
    again = login(rig, grant_type="refresh_token", refresh_token=done.json["refresh_token"], client_id="cli")
    rig.caller(f"Bearer {again.json['access_token']}").get("/devices")
    assert login(rig, **poll).json["error"] == "invalid_grant"


def test_device_code_declined_and_expired(make: Callable[..., Any]) -> None:
    rig = make(switches={"approve_after": None})
    grant = "urn:ietf:params:oauth:grant-type:device_code"
    codes = [
        login(rig, "oauth2/v2.0/devicecode", client_id="cli", scope=f"{APPS}/.default").json for _ in "ab"
    ]
    login(rig, "oauth2/deviceauth", user_code=codes[0]["user_code"], decline="1")
    declined = login(rig, grant_type=grant, client_id="cli", device_code=codes[0]["device_code"])
    assert declined.json["error"] == "authorization_declined"
    rig.clock.advance(901_000)
    expired = login(rig, grant_type=grant, client_id="cli", device_code=codes[1]["device_code"])
    assert expired.json["error"] == "expired_token"


def test_device_code_is_approved_by_itself_after_a_while(rig: Any) -> None:
    started = login(rig, "oauth2/v2.0/devicecode", client_id="cli", scope=f"{APPS}/user_impersonation").json
    time.sleep(0.15)
    grant = "urn:ietf:params:oauth:grant-type:device_code"
    done = login(rig, grant_type=grant, client_id="cli", device_code=started["device_code"])
    assert "refresh_token" not in done.json
    rig.caller(f"Bearer {done.json['access_token']}").get("/roles")


def test_the_discovery_document_names_the_endpoints(rig: Any) -> None:
    tenant = rig.info["connect"]["directory"]
    found = rig.caller(version="", prefix="").get(f"/{tenant}/v2.0/.well-known/openid-configuration")
    assert found["token_endpoint"] == f"{rig.base}/{tenant}/oauth2/v2.0/token"
    assert found["device_authorization_endpoint"].endswith("/devicecode")


def test_published_bearers_are_for_one_audience_each(rig: Any) -> None:
    bearer, management = rig.info["bearer"], rig.info["management_bearer"]
    rig.caller(f"Bearer {bearer}").get("/devices")
    answer = rig.caller(f"Bearer {management}")("GET", "/devices")
    assert (answer.status, answer.code) == (401, "Unauthorized")
    assert ARM in answer.json["error"]["message"]
    subscription = rig.info["connect"]["subscription"]
    control = rig.caller(f"Bearer {bearer}", version="2021-06-01", prefix=f"/subscriptions/{subscription}")
    refused = control("GET", "/providers/Microsoft.IoTCentral/iotApps")
    assert refused.status == 401
    assert APPS in refused.json["error"]["message"]


def test_the_command_lines_form_of_a_token(rig: Any) -> None:
    found = rig.info["cli"]["application"]
    assert set(found) == {"accessToken", "expiresOn", "subscription", "tenant", "tokenType"}
    assert claims(found["accessToken"])["aud"] == APPS


def test_tokens_expire(make: Callable[..., Any]) -> None:
    rig = make()
    caller = rig.caller(f"Bearer {rig.info['bearer']}")
    caller.get("/devices")
    rig.clock.advance(3_700_000)
    answer = caller("GET", "/devices")
    assert (answer.status, answer.code) == (401, "Unauthorized")
    assert "expired" in answer.json["error"]["message"]


def test_without_or_with_nonsense_credentials(rig: Any) -> None:
    for token in ("", "Bearer nonsense", "Basic abc", "SharedAccessSignature nonsense"):
        answer = rig.caller(token)("GET", "/devices")
        assert (answer.status, answer.code) == (401, "Unauthorized")


def test_a_stranger_is_no_user_until_he_is_made_one(rig: Any, admin: Any) -> None:
    scope = f"{APPS}/.default"
    token = login(rig, grant_type="client_credentials", scope=scope, **secret_of(rig, "stranger")).json
    caller = rig.caller(f"Bearer {token['access_token']}")
    answer = caller("GET", "/devices")
    assert (answer.status, answer.code) == (403, "Forbidden")
    user = {
        "type": "servicePrincipal",
        "tenantId": rig.info["connect"]["directory"],
        "objectId": rig.info["principals"]["stranger"]["object_id"],
        "roles": [{"role": OPERATOR}],
    }
    assert admin.put("/users/the-stranger", user) == {"id": "the-stranger", **user}
    caller.get("/devices")
    assert caller("PUT", "/users/other", user).status == 403
    assert admin("DELETE", "/users/the-stranger").status == 204
    assert caller("GET", "/devices").status == 403


# API tokens


def test_an_api_token_is_shown_once(rig: Any, admin: Any) -> None:
    made = admin.put("/apiTokens/once", {"roles": [{"role": OPERATOR}]})
    assert set(made) == {"id", "roles", "expiry", "token"}
    head, _, rest = made["token"].partition(" ")
    fields = parse_qs(rest)
    assert head == "SharedAccessSignature"
    assert fields["sr"] == [rig.info["application"]["id"]]
    assert fields["skn"] == ["once"]
    year = int(fields["se"][0]) / 1000 - time.time()
    assert 364 * 86_400 < year < 366 * 86_400
    assert [part.partition("=")[0] for part in rest.split("&")] == ["sr", "sig", "skn", "se"]
    assert "token" not in admin.get("/apiTokens/once")
    assert all("token" not in one for one in admin.all("/apiTokens"))
    rig.caller(made["token"]).get("/devices")


def test_a_token_put_again_replaces_the_old_value(rig: Any, admin: Any) -> None:
    first = admin.put("/apiTokens/twice", {"roles": [{"role": OPERATOR}]})["token"]
    second = admin.put("/apiTokens/twice", {"roles": [{"role": OPERATOR}]})["token"]
    assert first != second
    assert rig.caller(first)("GET", "/devices").status == 401
    rig.caller(second).get("/devices")
    assert admin("DELETE", "/apiTokens/twice").status == 204
    assert rig.caller(second)("GET", "/devices").status == 401
    assert admin("GET", "/apiTokens/twice").code == "NotFound"


def test_an_altered_or_expired_token_is_refused(make: Callable[..., Any]) -> None:
    rig = make()
    admin = rig.role()
    expiry = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() + 60))
    made = admin.put("/apiTokens/short", {"roles": [{"role": OPERATOR}], "expiry": expiry})
    assert made["expiry"] == expiry
    token = made["token"]
    rig.caller(token).get("/devices")
    later = re.sub(r"se=\d+", "se=4102444800000", token)
    renamed = token.replace("skn=short", "skn=sandbox-administrator")
    other = re.sub(r"sr=[^&]+", "sr=6ebd8fd3-6e34-419e-908f-9be61ec6f6d6", token)
    for bad in (later, renamed, other, token.replace("sig=", "sig=A")):
        assert rig.caller(bad)("GET", "/devices").status == 401
    rig.clock.advance(61_000)
    assert rig.caller(token)("GET", "/devices").status == 401


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"roles": []},
        {"roles": [{"role": "no-such-role"}]},
        {"roles": [{"role": ORG_OPERATOR}]},
        {"roles": [{"role": OPERATOR, "organization": "plant"}]},
        {"roles": [{"role": ORG_OPERATOR, "organization": "nowhere"}]},
        {"roles": [{"role": OPERATOR}], "expiry": "2001-01-01T00:00:00Z"},
        {"roles": [{"role": OPERATOR}], "token": "SharedAccessSignature sr=x"},
    ],
)
def test_a_bad_api_token_is_422(admin: Any, body: Any) -> None:
    answer = admin("PUT", "/apiTokens/bad", body)
    assert (answer.status, answer.code) == (422, "InvalidBody")


def test_roles_are_enforced(rig: Any) -> None:
    device = {"displayName": "Made by a role"}
    model = {
        "@type": ["ModelDefinition", "DeviceModel"],
        "capabilityModel": {"@id": "dtmi:a:b;1", "contents": []},
    }
    hook = {"displayName": "x", "type": "webhook@v1", "url": "http://127.0.0.1:9/"}
    actions: list[tuple[str, str, Any, dict[str, Any], set[str]]] = [
        ("GET", "/devices", None, {}, {"administrator", "builder", "operator", "viewer"}),
        ("PUT", "/devices/role-1", device, {}, {"administrator", "builder", "operator"}),
        ("PUT", "/deviceTemplates/dtmi:a:b;1", model, {}, {"administrator", "builder"}),
        ("GET", "/apiTokens", None, {}, {"administrator"}),
        ("GET", "/users", None, {}, {"administrator"}),
        (
            "PUT",
            "/dataExport/destinations/role",
            hook,
            {"version": "2022-10-31-preview"},
            {"administrator", "builder"},
        ),
        ("GET", "/roles", None, {}, {"administrator", "builder", "operator", "viewer"}),
    ]
    for method, path, body, more, allowed in actions:
        for role in ("administrator", "builder", "operator", "viewer"):
            answer = rig.role(role)(method, path, body, **more)
            assert answer.status == (200 if role in allowed else 403), (role, method, path, answer.body)


def test_org_roles_see_their_own_organization(rig: Any, admin: Any) -> None:
    token = admin.put(
        "/apiTokens/north-operator", {"roles": [{"role": ORG_OPERATOR, "organization": "plant-north"}]}
    )["token"]
    north = rig.caller(token)
    rows = north.all("/devices")
    assert rows
    assert {tuple(one["organizations"]) for one in rows} == {("plant-north",)}
    assert len(rows) < len(admin.all("/devices"))
    foreign = next(one["id"] for one in admin.all("/devices") if one.get("organizations") == ["plant-south"])
    assert north("GET", f"/devices/{foreign}").status == 404
    assert north("PUT", "/devices/north-1", {"organizations": ["plant-south"]}).status == 403
    assert north("PUT", "/devices/north-1", {}).status == 403
    north.put("/devices/north-1", {"organizations": ["plant-north"]})
    assert {one["id"] for one in north.get("/organizations")["value"]} == {"plant-north"}
    sensors = "SELECT $id FROM dtmi:iotnb:plant:ClimateSensor;1 WHERE WITHIN_WINDOW(PT30M)"
    assert {row["$id"] for row in north.query(sensors)} < {row["$id"] for row in admin.query(sensors)}
    assert rig.role("viewer")("PATCH", f"/devices/{rows[0]['id']}", {"enabled": True}).status == 403


def test_an_org_admin_manages_its_own_organization_only(rig: Any, admin: Any) -> None:
    role = "c495eb57-eb18-489e-9802-62c474e5645c"
    token = admin.put("/apiTokens/south-admin", {"roles": [{"role": role, "organization": "plant-south"}]})
    south = rig.caller(token["token"])
    south.put("/apiTokens/south-viewer", {"roles": [{"role": ORG_OPERATOR, "organization": "plant-south"}]})
    assert south("PUT", "/apiTokens/all", {"roles": [{"role": ADMINISTRATOR}]}).status == 403
    north = {"roles": [{"role": ORG_OPERATOR, "organization": "plant-north"}]}
    assert south("PUT", "/apiTokens/north", north).status == 403
    assert {one["id"] for one in south.get("/apiTokens")["value"]} == {"south-admin", "south-viewer"}


# users and organizations


def test_users_of_every_type(admin: Any) -> None:
    guid = "65e13aac-1443-4c49-9d49-57b87197cfff"
    email = {"type": "email", "email": "bob@example.com", "roles": [{"role": BUILDER}]}
    assert admin.put("/users/bob", email) == {"id": "bob", **email}
    group = {"type": "adGroup", "tenantId": guid, "objectId": guid, "roles": [{"role": OPERATOR}]}
    admin.put("/users/team", group)
    assert {"bob", "team"} <= {one["id"] for one in admin.all("/users")}
    changed = admin("PATCH", "/users/bob", {"roles": [{"role": OPERATOR}]})
    assert changed.json["roles"] == [{"role": OPERATOR}]
    assert admin("PATCH", "/users/bob", {"type": "adGroup"}).status == 422
    for bad in (
        {**email, "email": "bob"},
        {**group, "objectId": "x"},
        {"type": "robot", "roles": email["roles"]},
    ):
        assert admin("PUT", "/users/bad", bad).status == 422
    for name in ("bob", "team"):
        assert admin("DELETE", f"/users/{name}").status == 204
    assert admin("GET", "/users/bob").status == 404


def test_roles_are_six(admin: Any) -> None:
    rows = admin.get("/roles")["value"]
    assert {row["displayName"] for row in rows} == {
        "Administrator",
        "Builder",
        "Operator",
        "Org Admin",
        "Org Operator",
        "Org Viewer",
    }
    assert admin.get(f"/roles/{OPERATOR}") == {"id": OPERATOR, "displayName": "Operator"}
    assert admin("GET", "/roles/nobody").code == "NotFound"


def test_organizations_form_a_tree(admin: Any) -> None:
    assert admin.put("/organizations/seattle", {"displayName": "Seattle", "parent": "plant"}) == {
        "id": "seattle",
        "displayName": "Seattle",
        "parent": "plant",
    }
    assert admin("PATCH", "/organizations/plant", {"parent": "seattle"}).status == 422
    assert admin("PUT", "/organizations/Bad_Name", {}).status == 422
    assert admin("DELETE", "/organizations/plant").code == "Conflict"
    assert admin("DELETE", "/organizations/seattle").status == 204


def test_secrets_are_recorded_and_never_in_the_log(rig: Any, admin: Any) -> None:
    token = admin.put("/apiTokens/logged", {"roles": [{"role": OPERATOR}]})["token"]
    assert token in rig.running.issued()
    rig.caller(token)("GET", f"/devices?sig={quote(token)}")
    assert "SharedAccessSignature" not in str(rig.running.requests())
