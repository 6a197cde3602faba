"""Device types, groups, users, roles, policies, configuration, certificates."""

import pytest

ANDROID = "/api/device-mgt/android/v1.0"
CERTIFICATES = "/api/certificate-mgt/v1.0/admin/certificates"


@pytest.fixture
def server(start):
    return start(devices=6, days=2)


# types


def test_device_types(server):
    names = ["SmartStreetLamp", "android", "climate_sensor", "firealarm", "gateway", "pump", "windows"]
    assert server.get("/device-types") == {"count": 7, "deviceTypes": names}
    assert [one["code"] for one in server.get("/device-types/firealarm/features")] == ["bulb", "ring"]
    assert server("GET", "/device-types/nonsense/features").status_code == 404
    whole = server.get("/device-types/config")
    assert list(whole[0]) == ["id", "name", "deviceTypeMetaDefinition"]
    assert server.get("/device-types/all") == server.get("/admin/device-types") == whole
    assert server.get("/device-types/config/firealarm") == server.get("/device-types/all/firealarm")
    assert server("GET", "/device-types/config/nonsense").status_code == 204


def test_adding_and_changing_a_type(server):
    definition = {"properties": ["a"], "features": [{"code": "x", "name": "X"}]}
    good = server("POST", "/admin/device-types", {"name": "box", "deviceTypeMetaDefinition": definition})
    assert (good.status_code, good.content) == (200, b"")
    again = server("POST", "/admin/device-types", {"name": "box", "deviceTypeMetaDefinition": definition})
    assert (again.status_code, again.text) == (409, '"Device type already available, box"')
    changed = {"name": "box", "deviceTypeMetaDefinition": {"features": []}}
    assert server("PUT", "/admin/device-types", changed).status_code == 200
    assert server.get("/device-types/box/features") == []
    for body in (
        {"name": "a b", "deviceTypeMetaDefinition": {}},
        {"name": "a/b", "deviceTypeMetaDefinition": {}},
        {"name": "bare"},
    ):
        assert server("POST", "/admin/device-types", body).status_code == 400
    unknown = {"name": "nonsense", "deviceTypeMetaDefinition": {}}
    assert server("PUT", "/admin/device-types", unknown).status_code == 400


# groups


def test_groups_from_the_start(server):
    whole = server("GET", "/groups")
    assert whole.text.startswith(
        '{"deviceGroups":[{"id":1,"description":"Street lamps","name":"lamps","owner":"admin"}'
    )
    assert whole.json()["count"] == server("GET", "/groups/count").json() == 2
    assert server.get("/groups", name="la")["count"] == server.get("/groups", name="lamps")["count"] == 1
    assert server.get("/groups", owner="nobody")["count"] == 0
    lamps = server.get("/groups/id/1/devices")
    assert lamps["count"] == len(lamps["devices"]) == server("GET", "/groups/id/1/devices/count").json() == 8
    assert len(server.get("/groups/id/1/devices", limit=500)["devices"]) == 8
    assert server("GET", "/groups", by="user111").status_code == 403
    assert server("GET", "/admin/groups/count").json() == 2


def test_the_life_of_a_group(server):
    made = server("POST", "/groups", {"name": "new", "description": "d", "id": 2})
    assert (made.status_code, made.content) == (201, b"")
    group = server.get("/groups", name="new")["deviceGroups"][0]
    assert group == {"id": 3, "description": "d", "name": "new", "owner": "admin"}
    again = server("POST", "/groups", {"name": "new"})
    assert again.status_code == 409
    assert isinstance(again.json(), str)
    assert server("PUT", "/groups/id/3", {"id": "3", "name": "newer"}).status_code == 200
    assert server.get("/groups/id/3")["name"] == "newer"
    assert server("PUT", "/groups/id/3", {"name": "lamps"}).status_code == 409
    assert server("PUT", "/groups/id/99", {"name": "x"}).status_code == 409
    for number in ("99", "x"):
        assert server("GET", f"/groups/id/{number}").status_code == 404
    add = [{"id": 123422, "type": "firealarm"}]
    assert server("POST", "/groups/id/3/devices/add", add).status_code == 200
    assert server.get("/groups/device", deviceId="123422", deviceType="firealarm")[0]["name"] == "newer"
    unknown = server("POST", "/groups/id/3/devices/add", [{"id": "none", "type": "firealarm"}])
    assert unknown.status_code == 400
    assert isinstance(unknown.json(), str)
    assign = {"deviceGroupIds": [1], "deviceIdentifier": {"id": "123422", "type": "firealarm"}}
    assert server("POST", "/groups/device/assign", assign).status_code == 200
    found = server.get("/groups/device", deviceId="123422", deviceType="firealarm")
    assert [one["name"] for one in found] == ["lamps"]
    assert server("POST", "/groups/id/1/devices/remove", add).status_code == 200
    assert server("GET", "/groups/id/1/devices/count").json() == 8
    assert server("DELETE", "/groups/id/3").status_code == 200
    gone = server("DELETE", "/groups/id/3")
    assert (gone.status_code, gone.text) == (404, '"Group not found."')


def test_sharing_a_group(server):
    assert server("POST", "/groups/id/1/share", ["nonsense"]).status_code == 400
    assert server("POST", "/groups/id/1/share", ["Internal/devicemgt-user"]).status_code == 200
    assert server.get("/groups/id/1/roles") == {"roles": ["Internal/devicemgt-user"], "count": 1}
    role = {
        "roleName": "readers",
        "permissions": ["/permission/admin/device-mgt/groups"],
        "users": ["user111"],
    }
    assert server("POST", "/roles", role).status_code == 201
    server.forget()
    assert [g["name"] for g in server.get("/groups", by="user111")["deviceGroups"]] == ["lamps"]


# users and roles


def test_users(server):
    whole = server.get("/users")
    assert [one["username"] for one in whole["users"]] == ["admin", "explorer", "user111"]
    assert list(whole["users"][0]) == ["username", "firstname", "lastname", "emailAddress"]
    assert "password" not in str(whole)
    assert server.get("/users", filter="us")["count"] == 1
    assert server("GET", "/users/count").text == '{"users":[],"count":3}'
    assert len(server.get("/users/search/usernames", filter="")) == 3
    assert len(server.get("/users/search/usernames", limit=2)) == 2
    assert server.get("/users/user111")["username"] == "user111"
    assert server("GET", "/users/nobody").status_code == 404
    assert server.get("/users/user111/roles") == {"roles": ["Internal/devicemgt-user"], "count": 1}
    assert server("GET", "/users/checkUser?username=admin").json() is True
    assert server("GET", "/users/checkUser?username=nobody").json() is False


def test_the_life_of_a_user(server):
    body = {
        "username": "ann",
        "firstname": "Ann",
        "lastname": "B",
        "emailAddress": "a@example.com",
        "password": "secret7",
    }
    made = server("POST", "/users", {**body, "roles": ["admin"]})
    assert made.status_code == 201
    assert list(made.json()) == ["basicUserInfo", "message"]
    assert server("POST", "/users", body).status_code == 409
    assert server("POST", "/users", {}).status_code == 400
    assert (
        server("PUT", "/users/ann", {"firstname": "Anna", "roles": ["Internal/devicemgt-user"]}).status_code
        == 200
    )
    assert server.get("/users/ann")["firstname"] == "Anna"
    client = server.register()
    login = {"grant_type": "password", "username": "ann", "scope": "perm:users:credentials"}
    token = server.ask(client, **login, password="secret7").json()["access_token"]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    place = "/api/device-mgt/v1.0/users/credentials"
    wrong = server.send("PUT", place, json={"oldPassword": "no", "newPassword": "x"}, headers=headers)
    assert wrong.status_code == 400
    right = server.send(
        "PUT", place, json={"oldPassword": "secret7", "newPassword": "secret8"}, headers=headers
    )
    assert right.status_code == 200
    assert server.ask(client, **login, password="secret7").status_code == 400
    assert server.ask(client, **login, password="secret8").status_code == 200
    assert server("POST", "/admin/users/ann/credentials", {"newPassword": "secret9"}).status_code == 200
    assert server.ask(client, **login, password="secret9").status_code == 200
    assert server("POST", "/users/send-invitation", ["ann"]).status_code == 200
    assert server("DELETE", "/users/ann").status_code == 200
    assert server("DELETE", "/users/ann").status_code == 404


def test_roles(server):
    assert server("GET", "/roles").text == '{"roles":["admin"],"count":1}'
    made = server("POST", "/roles", {"roleName": "viewers", "users": ["user111"]})
    assert made.status_code == 201
    assert isinstance(made.json(), str)
    assert server("POST", "/roles", {"roleName": "viewers"}).status_code == 409
    assert server.get("/roles", filter="vi") == {"roles": ["viewers"], "count": 1}
    assert server.get("/roles/filter/ad") == {"roles": ["admin"], "count": 1}
    assert server.get("/roles/viewers")["users"] == ["user111"]
    assert server("PUT", "/roles/viewers", {"permissions": ["/device-mgt/users/view"]}).status_code == 200
    assert server.get("/roles/viewers/permissions")["nodeList"] == [
        {"resourcePath": "/permission/admin/device-mgt/users/view"}
    ]
    server.forget()
    assert server.get("/users", by="user111")["count"] == 3
    assert server("PUT", "/roles/viewers/users", []).status_code == 200
    both = ["viewers", "Internal/devicemgt-user"]
    assert server("POST", "/roles/create-combined-role/all", both).status_code == 201
    assert "/login" in server.get("/roles/all")["permissions"]
    assert server("DELETE", "/roles/viewers").status_code == 200
    assert server("GET", "/roles/viewers").status_code == 404


# policies

POLICY = {
    "policyName": "camera off",
    "description": "d",
    "compliance": "enforce",
    "ownershipType": "BYOD",
    "active": True,
    "profile": {
        "profileName": "p",
        "deviceType": "android",
        "profileFeaturesList": [
            {"featureCode": "CAMERA", "deviceType": "android", "content": {"enabled": False}}
        ],
    },
    "roles": [],
    "users": ["user111"],
}


def test_policies_without_a_limit_are_none(server):
    assert server("GET", "/policies").text == '{"policies":[],"count":2}'
    whole = server("GET", "/policies?limit=10")
    assert whole.text.startswith('{"policies":[{"id":1,"priorityId":0,"profile":{"profileId":1,')
    assert len(whole.json()["policies"]) == 2


def test_the_life_of_a_policy(server):
    made = server("POST", "/policies", POLICY)
    assert made.status_code == 201
    number = made.json()["id"]
    assert (number, made.json()["priorityId"], made.json()["profileId"]) == (3, 2, 3)
    assert server.get("/policies/3")["policyName"] == "camera off"
    assert server("GET", "/policies/99").status_code == 404
    changed = server("PUT", "/policies/3", {**POLICY, "description": "new"})
    assert changed.text == '"Policy has successfully been updated."'
    assert server.get("/policies/3")["description"] == "new"
    for verb, text in (("deactivate", "deactivated"), ("activate", "activated")):
        answer = server("POST", f"/policies/{verb}-policy", [3])
        assert answer.text == f'"Selected policies have been successfully {text}"'
    first = server("PUT", "/policies/priorities", [{"id": 3, "priority": 0}, {"id": 1, "priority": 1}])
    assert first.text == '"Policy Priorities successfully updated."'
    phone = next(
        row["deviceIdentifier"]
        for row in server.devices(type="android", user="user111", ownership="BYOD")
        if row["enrolmentInfo"]["status"] == "ACTIVE"
    )
    assert server("GET", f"/policies/effective-policy/android/{phone}").status_code == 404
    assert server("GET", f"/devices/android/{phone}/effective-policy").content == b""
    applied = server("PUT", "/policies/apply-changes")
    assert applied.text == '"Changes have been successfully updated."'
    assert server.get(f"/policies/effective-policy/android/{phone}")["id"] == 3
    assert server.get(f"/devices/android/{phone}/effective-policy")["id"] == 3
    assert server.get(f"/devices/android/{phone}/compliance-data")["complianceData"]["policyId"] == 3
    assert server("GET", "/policies/effective-policy/android/none").status_code == 404
    assert server("POST", "/policies/remove-policy", [3]).status_code == 200
    assert server("GET", "/policies/3").status_code == 404
    assert server("GET", f"/policies/effective-policy/android/{phone}").status_code == 404
    assert server("POST", "/policies/remove-policy", []).status_code == 400
    assert server("POST", "/policies", {"policyName": "x"}).status_code == 400


# configuration and certificates


@pytest.mark.parametrize("place", ["/configuration", f"{ANDROID}/configuration"])
def test_configuration(server, place):
    before = server.get(place)
    assert list(before) == ["type", "configuration"]
    entry = {"name": "androidEula", "contentType": "text", "value": "be good"}
    assert server("PUT", place, {"type": before["type"], "configuration": [entry]}).status_code == 200
    assert server.get(place) == {"type": before["type"], "configuration": [entry]}
    assert server("PUT", place, {"configuration": "none"}).status_code == 400


def test_the_license_is_a_text(server):
    answer = server("GET", f"{ANDROID}/configuration/license")
    assert answer.headers["content-type"] == "text/plain"
    assert answer.text.startswith("This sandbox")


def test_certificates(server):
    added = server("POST", CERTIFICATES, [{"serial": "12438035315552875930", "pem": "-----BEGIN-----"}])
    assert added.status_code == 201
    assert server.get(CERTIFICATES, limit=100_000)["count"] == 1
    assert server("GET", f"{CERTIFICATES}?limit=100001").status_code == 400
    assert server.get(f"{CERTIFICATES}/12438035315552875930")[0]["serialNumber"] == "12438035315552875930"
    assert server.get(f"{CERTIFICATES}/none") == []
    verify = f"{CERTIFICATES}/verify/android"
    assert server("POST", verify, {"pem": "-----BEGIN-----"}).text == '"valid"'
    assert server("POST", verify, {"pem": "x"}).text == '"invalid"'
    assert server("DELETE", f"{CERTIFICATES}/12438035315552875930").status_code == 200
    assert server("DELETE", f"{CERTIFICATES}/12438035315552875930").status_code == 404
    assert server("POST", CERTIFICATES, [{"serial": "1"}]).status_code == 400
