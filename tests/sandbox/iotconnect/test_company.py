"""Entities, users, roles and what they may do; templates; the small lists of the old generation."""

import json

import pytest

NOBODY = "00000000-0000-4000-8000-000000000000"


# entities


def test_the_tree_has_three_levels_and_equal_names(site, admin):
    rows = admin.data("/Entity", pageSize=2)
    assert admin("GET", "/Entity").json()["count"] == len(rows) == 15
    by_guid = {row["guid"]: row for row in rows}
    (root,) = [row for row in rows if row["parentEntityGuid"] is None]
    assert (root["name"], root["parentName"]) == ("Avnet - SANDBOX", None)

    def level(row):
        return 1 if row["parentEntityGuid"] is None else 1 + level(by_guid[row["parentEntityGuid"]])

    assert max(map(level, rows)) == 3
    assert all(
        row["parentName"] == by_guid[row["parentEntityGuid"]]["name"] for row in rows if row is not root
    )
    depots = [row for row in rows if row["name"] == "Depot"]
    assert len({row["parentEntityGuid"] for row in depots}) == 2
    assert sum(row["deviceCount"] for row in rows) == len(site.fleet) + 5
    assert sum(row["activeUserCount"] for row in rows) == 2
    assert {row["guid"] for row in admin.data("/Entity/lookup")} == set(by_guid)
    found = admin.one(f"/Entity/{root['guid'].lower()}")
    assert (found["name"], found["parentEntityGuid"]) == (root["name"], None)
    assert {"address", "city", "zipCode", "countryGuid"} <= set(found)
    assert admin.refused("GET", f"/Entity/{NOBODY}") == (409, {"entityGuid"})


def test_the_life_of_an_entity(admin):
    root = admin.data("/Entity")[0]["guid"]
    (made,) = admin.do("POST", "/Entity", {"name": "Annex", "parentEntityGuid": root})
    guid = made["entityGuid"]
    assert admin.one(f"/Entity/{guid}")["parentEntityGuid"] == root
    again = {"name": "annex", "parentEntityGuid": root}
    assert admin.refused("POST", "/Entity", again) == (409, {"name"})
    assert admin.refused("POST", "/Entity", {"name": "x", "parentEntityGuid": NOBODY})[0] == 409
    assert admin.refused("POST", "/Entity", {"name": "x"}) == (412, {"parentEntityGuid"})
    assert admin.do("PUT", f"/Entity/{guid}", {"name": "Annex 2", "description": "new"}) == []
    assert admin.one(f"/Entity/{guid}")["description"] == "new"
    assert admin.refused("DELETE", f"/Entity/{root}") == (409, {"entityGuid"})
    assert admin.do("DELETE", f"/Entity/{guid}") == []
    assert admin.refused("DELETE", f"/Entity/{guid}")[0] == 409


# users and roles


def test_users(admin, helpers):
    rows = {row["userId"]: row for row in admin.data("/User")}
    assert set(rows) == {helpers.ADMIN, helpers.INSPECTOR}
    jo = rows[helpers.ADMIN]
    assert (jo["firstName"], jo["roleName"], jo["entityName"]) == ("Jo", "Admin", "Avnet - SANDBOX")
    assert [row["userId"] for row in admin.data("/User", FirstName="ki")] == [helpers.INSPECTOR]
    assert admin.data("/User", Status="inactive") == admin.data("/User", Email="nobody") == []
    found = admin.one(f"/User/{jo['guid']}")
    assert (found["userGuid"], found["userId"]) == (jo["guid"], helpers.ADMIN)
    assert "guid" not in found
    assert admin.refused("GET", f"/User/{NOBODY}") == (404, {"userGuid"})
    assert admin.one(f"/User/{helpers.ADMIN}/availability")["guid"] == jo["guid"]
    assert admin.refused("GET", "/User/nobody@example.com/availability") == (409, {"email"})
    assert admin.one("/User/count") == {"userCount": 2}
    assert len(admin.data("/User/lookup")) == 2
    assert [row["userId"] for row in admin.data(f"/entity/{jo['entityGuid']}/user")] == [helpers.ADMIN]
    assert [row["userId"] for row in admin.data(f"/role/{jo['roleGuid']}/user")] == [helpers.ADMIN]
    assert [row["userId"] for row in admin.data("/User", sortBy="firstName desc")] == [
        helpers.INSPECTOR,
        helpers.ADMIN,
    ]


def test_roles(admin):
    rows = {row["name"]: row for row in admin.data("/Role/lookup")}
    assert set(rows) == {"Admin", "Pr\u00fcfer?"}
    assert admin.one(f"/Role/{rows['Admin']['guid']}")["name"] == "Admin"
    assert {row["userCount"] for row in admin.data("/Role/role-user")} == {1}
    assert admin.refused("GET", f"/Role/{NOBODY}")[0] == 409


def test_who_i_am_is_an_object(site, helpers):
    for email in (helpers.ADMIN, helpers.INSPECTOR):
        found = site.member(email)("GET", "/User/identity").json()["data"]
        assert found["userId"] == email
        assert found["roleName"] == site.info["users"][email]["role"]
        assert {"cpId", "entityGuid", "companyName", "isCompanyAdmin", "pageSize", "permissions"} <= set(
            found
        )


@pytest.mark.parametrize("path", ["/User", "/User/count", "/Role/lookup", f"/User/{NOBODY}"])
def test_a_role_without_the_users_section_gets_403(site, helpers, path):
    assert site.member(helpers.INSPECTOR).refused("GET", path) == (403, {"section"})


def test_a_role_that_reads_changes_nothing(site, helpers):
    kim = site.member(helpers.INSPECTOR)
    assert len(kim.devices()) == len(site.fleet) + 5
    assert kim.data("/Entity")
    guid = kim.devices()["gw-0001"]["guid"]
    for method, path in (
        ("POST", "/Device"),
        ("DELETE", f"/Device/{guid}"),
        ("PUT", "/Device/gw-0001/release"),
        ("POST", "/Entity"),
        ("POST", "/device-template"),
        ("POST", "/Rule"),
        ("POST", "/Firmware"),
    ):
        assert kim.refused(method, path, {}) == (403, {"section"}), path
    assert kim.do("POST", "/Telemetry/device/gw-0001/recent/10", {})["count"] == 10


def test_the_small_lists_of_the_old_generation(admin):
    countries = admin.data("/Master/country", edition="v1.1")
    germany = next(row for row in countries if row["name"] == "Germany")
    assert admin.data(f"/Master/country/{germany['guid']}/state", edition="v1.1")
    assert admin.data("/Master/timezone", edition="v1.1")
    assert admin.refused("GET", f"/Master/country/{NOBODY}/state", edition="v1.1")[0] == 409
    assert admin("GET", "/Master/country").status_code == 404


# templates


def test_templates_in_lists_and_alone(site, admin):
    rows = {row["code"]: row for row in admin.data("/device-template")}
    assert set(rows) == {"IG500", "CS20", "PX7", "TRK1", "EM1"}
    assert {code: row["messageVersion"] for code, row in rows.items() if code == "PX7"} == {"PX7": "1.0"}
    kinds = [site.fleet.kind(i) for i in range(len(site.fleet))]
    assert rows["CS20"]["deviceCount"] == kinds.count("sensor")
    assert rows["EM1"]["deviceCount"] == 0
    for code, row in rows.items():
        by_code = admin.one(f"/device-template/template-code/{code.lower()}")
        by_guid = admin.one(f"/device-template/{row['guid']}", edition="aws")
        assert (by_code["templateCode"], by_code["templateName"]) == (row["code"], row["name"])
        assert not {"code", "name"} & set(by_code)
        assert {**by_code, "directMethods": 0} == {**by_guid, "directMethods": 0}
        assert by_code["isAttachedWithDevice"] is (row["deviceCount"] > 0)
        assert len(by_code["attributes"]) == row["attributeCount"]
        assert len(by_code["commands"]) == row["commandCount"] == 5
    assert [row["code"] for row in admin.data("/device-template", DeviceTemplateName="pump")] == ["PX7"]
    assert [row["code"] for row in admin.data("/device-template", MessageVersion="1.0")] == ["PX7"]
    assert [row["code"] for row in admin.data("/device-template", GatewaySupport="true")] == ["IG500"]
    assert [row["code"] for row in admin.data("/device-template", DeviceCount=0)] == ["EM1"]
    assert admin.data("/device-template", isLowBandwidth="true") == []
    names = [row["name"] for row in admin.data("/device-template", sortBy="name desc")]
    assert names == sorted(names, reverse=True)
    assert {row["code"] for row in admin.data("/device-template/lookup")} == set(rows)
    assert admin.refused("GET", f"/device-template/{NOBODY}") == (404, {"deviceTemplateGuid"})
    assert admin.refused("GET", "/device-template/template-code/ABC") == (409, {"templateCode"})


def test_attributes_have_types_units_and_children(site, admin):
    rows = {row["code"]: row["guid"] for row in admin.data("/device-template")}
    for kind, code in (("gateway", "IG500"), ("sensor", "CS20"), ("machine", "PX7")):
        series = site.fleet.series(site.index(kind))
        found = admin.data(f"/template-attribute/{rows[code]}", pageSize=1000)
        leaves = {}
        for row in found:
            assert row["dataTypeName"] == "OBJECT"
            for child in row["attributes"]:
                assert child["parentTemplateAttributeGuid"] == row["guid"]
                leaves[f"{row['localName']}.{child['localName']}"] = child["unit"]
        assert leaves == {one.key: one.unit for one in series}
        assert [row["sequence"] for row in found] == list(range(1, len(found) + 1))
    tracker = {
        row["localName"]: row["dataTypeName"] for row in admin.data(f"/template-attribute/{rows['TRK1']}")
    }
    assert tracker == {
        "gps": "OBJECT",
        "speed": "NUMBER",
        "satellites": "INTEGER",
        "moving": "BOOLEAN",
        "state": "STRING",
    }
    path = f"/template-attribute/{rows['TRK1']}"
    assert len(admin.data(path, pageSize=2)) == 2
    assert admin("GET", path, pageSize=2).json()["count"] == 5
    assert admin.refused("GET", path, sortBy="sequence asc", edition="aws") == (412, {"sortBy"})
    assert len(admin.data(path, sortBy="sequence asc")) == 5
    assert [row["localName"] for row in admin.data(path, searchtext="SP")] == ["gps", "speed"][1:]
    lookup = admin.data(f"{path}/lookup")
    assert sum(row["parentTemplateAttributeGuid"] is not None for row in lookup) == 2
    assert admin.refused("GET", f"/template-attribute/{NOBODY}") == (409, {"deviceTemplateGuid"})
    types = {row["name"] for row in admin.data("/device-template/datatype")}
    assert {"STRING", "NUMBER", "BOOLEAN", "DECIMAL", "OBJECT"} <= types


def test_settings_and_look_ups(admin):
    device = admin.devices()["gw-0001"]
    guid = device["deviceTemplateGuid"]
    rows = admin.data(f"/template-setting/{guid}")
    assert [row["localName"] for row in rows] == ["reportInterval", "logLevel", "firmwareVersion"]
    assert rows == admin.data(f"/device/{device['guid']}/template-setting")
    assert len(admin.data(f"/template-setting/{guid}/lookup", isReadOnly="true")) == 1
    assert {row["command"] for row in admin.data(f"/template-command/{guid}/lookup")} >= {"run", "blink"}
    assert admin.data(f"/device-template/{guid}/tag-lookup") == [{"tag": "gateway", "templateTag": True}]
    assert set(admin.one(f"/device-template/{guid}/lookup")) == {"attributes", "settings", "commands"}


@pytest.fixture
def document():
    return {
        "code": "NEW1",
        "name": "A new template",
        "authType": 3,
        "attributes": [
            {"name": "level", "type": "NUMBER", "unit": "m"},
            {
                "localName": "pos",
                "dataTypeName": "OBJECT",
                "attributes": [{"localName": "x", "dataTypeName": "DECIMAL"}],
            },
        ],
        "commands": [{"name": "Go", "command": "go", "requiredParam": False, "requiredAck": True}],
        "settings": [{"name": "Speed", "localName": "speed", "dataTypeName": "INTEGER", "defaultValue": 1}],
    }


def quick(site, admin, text, *, edition="v2", field="file"):
    headers = {"Authorization": f"Bearer {admin.token}"}
    url = f"{site.base}/api/{edition}/device-template/quick"
    return site.http.post(url, files={field: ("template.json", text)}, headers=headers)


def test_a_template_from_a_file(site, admin, document):
    answer = quick(site, admin, json.dumps(document))
    guid = answer.json()["data"][0]["deviceTemplateGuid"]
    assert {row["localName"] for row in admin.data(f"/template-attribute/{guid}")} == {"level", "pos"}
    assert [row["command"] for row in admin.data(f"/template-command/{guid}")] == ["go"]
    assert admin.data(f"/template-setting/{guid}")[0]["defaultValue"] == "1"
    again = quick(site, admin, json.dumps(document), edition="v2.1")
    assert (again.status_code, again.json()["error"][0]["param"]) == (409, "code")
    for text in ("{", "[]", json.dumps({**document, "code": "too long a code"})):
        assert quick(site, admin, text).status_code == 412
    assert quick(site, admin, "{}", field="other").status_code == 412
    wrong = {**document, "code": "NEW2", "attributes": [{"name": "a", "type": "COLOUR"}]}
    assert quick(site, admin, json.dumps(wrong)).json()["error"][0]["param"] == "dataTypeGuid"
    assert admin.do("PUT", f"/device-template/{guid}", {"name": "Renamed"}) == []
    assert admin.one(f"/device-template/{guid}")["templateName"] == "Renamed"
    assert admin.do("DELETE", f"/device-template/{guid}") == []
    assert admin.refused("DELETE", f"/device-template/{guid}")[0] == 404


def test_a_template_part_by_part(admin):
    number = next(row["guid"] for row in admin.data("/device-template/datatype") if row["name"] == "NUMBER")
    body = {"code": "PART1", "isEdgeSupport": False, "authType": 3, "name": "Parts"}
    guid = admin.do("POST", "/device-template", body)[0]["deviceTemplateGuid"]
    root = admin.data("/Entity")[0]["guid"]
    device = {"uniqueId": "d", "displayName": "d", "deviceTemplateGuid": guid, "entityGuid": root}
    assert admin.refused("POST", "/Device", device) == (409, {"deviceTemplateGuid"})
    attribute = {"localName": "a", "deviceTemplateGuid": guid, "dataTypeGuid": number, "unit": "m"}
    made = admin.do("POST", "/template-attribute", attribute)[0]["newid"]
    assert admin.refused("POST", "/template-attribute", attribute) == (409, {"localName"})
    assert admin.data(f"/template-attribute/{guid}")[0]["guid"] == made
    command = {
        "name": "Go",
        "deviceTemplateGuid": guid,
        "command": "go",
        "requiredParam": False,
        "requiredAck": True,
    }
    sent = admin.do("POST", "/template-command", command)[0]["newid"]
    setting = {
        "name": "S",
        "localName": "s",
        "deviceTemplateGuid": guid,
        "dataTypeGuid": number,
        "defaultValue": "1",
    }
    admin.do("POST", "/template-setting", setting)
    admin.do("POST", "/Device", device)
    assert admin.refused("DELETE", f"/device-template/{guid}") == (409, {"deviceTemplateGuid"})
    assert admin.do("DELETE", f"/template-command/{sent}") == []
    assert admin.data(f"/template-command/{guid}") == []
    assert admin.refused("DELETE", f"/template-command/{sent}")[0] == 409
    assert admin.do("DELETE", f"/template-attribute/{made}") == []
    missing = admin.refused("POST", "/device-template", {"code": "X"})
    assert missing == (412, {"isEdgeSupport", "authType", "name"})
