"""Rules, fired rules, events, firmware, updates over the air, files."""

import pytest

MINUTE, DAY = 60_000, 86_400_000
NOBODY = "00000000-0000-4000-8000-000000000000"
FIRED = {
    "condition",
    "createdDate",
    "deviceGuid",
    "entityGuid",
    "isAllottedDevice",
    "notificationText",
    "ruleName",
    "severityLevel",
    "telemetry",
    "uniqueId",
}
PATH = "/device-template/device/notification"


# fired rules


def test_the_notifications_are_the_fleets_alarms(site, admin, helpers):
    fleet = site.fleet
    rows = admin.data(PATH, pageSize=-1, pageNumber=-1)
    expected = sorted(
        (helpers.iso(one.time), fleet[i].key, one.text, one.type, one.severity)
        for i in range(len(fleet))
        for one in fleet.alarms(i, fleet.start, helpers.NOW + 1)
    )
    found = [
        (
            row["createdDate"],
            row["uniqueId"],
            row["notificationText"],
            row["ruleName"],
            row["severityLevel"].upper(),
        )
        for row in rows
    ]
    assert found == expected[::-1]
    assert len(found) > 30
    assert all(set(row) == FIRED for row in rows)
    pages = [row for page in range(1, 99) for row in admin.data(PATH, pageSize=25, pageNumber=page)]
    assert pages == rows
    hot = next(row for row in rows if row["ruleName"] == "temperature_high")
    (name,) = hot["telemetry"]
    assert hot["condition"] == f"{name} > 32"


def test_which_notifications(site, admin, helpers):
    rows = admin.data(PATH, pageSize=-1, pageNumber=-1)
    key = rows[0]["uniqueId"]
    assert admin.data(PATH, pageSize=-1, uniqueId=key) == [row for row in rows if row["uniqueId"] == key]
    first, last = (helpers.iso(helpers.NOW - n * DAY)[:10] for n in (6, 3))
    chosen = [row for row in rows if first <= row["createdDate"][:10] <= last]
    assert chosen
    assert admin.data(PATH, pageSize=-1, startDate=first, endDate=last) == chosen
    entity = rows[0]["entityGuid"]
    expected = [row for row in rows if row["entityGuid"] == entity]
    assert admin.data(PATH, pageSize=-1, entityGuid=entity) == expected
    root = admin.data("/Entity")[0]["guid"]
    assert admin.data(PATH, pageSize=-1, entityGuid=root) == rows
    children = {site.fleet[i].key for i in site.fleet.children(0)}
    found = admin.data(PATH, pageSize=-1, parentDeviceUniqueId="gw-0001")
    assert found == [row for row in rows if row["uniqueId"] in children]
    assert admin.refused("GET", PATH, startDate="yesterday") == (412, {"startdate"})
    assert admin.refused("GET", PATH, uniqueId="nobody") == (409, {"uniqueId"})
    assert admin.data(PATH, startDate="2030-01-01") == []
    for edition in ("aws", "v1.1"):
        assert admin("GET", PATH, edition=edition).status_code == 404


# rules


def test_rules(admin):
    rows = admin.data("/Rule", pageSize=100)
    assert {row["name"] for row in rows} == {"temperature_high", "vibration_high", "battery_low", "offline"}
    found = admin.one(f"/Rule/{rows[0]['guid']}")
    assert (found["name"], found["conditionText"]) == (rows[0]["name"], rows[0]["conditionText"])
    assert len(found["attributeGuid"]) == 1
    assert [row["name"] for row in admin.data("/Rule", name="BATTERY")] == ["battery_low"]
    assert {row["template"] for row in admin.data("/Rule", templateName="pump")} == {"Pump PX-7"}
    assert admin.data("/Rule", status="inactive") == []
    assert admin.one("/Rule/counters") == {"smartRule": len(rows)}
    assert {row["operator"] for row in admin.data("/Rule/conditions")} == {"=", "!=", ">", ">=", "<", "<="}
    (change,) = admin.data(f"/Rule/{rows[0]['guid']}/history")
    assert (change["operation"], change["name"]) == ("Created", rows[0]["name"])
    assert admin.refused("GET", f"/Rule/{NOBODY}") == (409, {"ruleGuid"})


def test_the_life_of_a_rule(site, admin):
    template = admin.devices()["sensor-0001-01"]["deviceTemplateGuid"]
    major = next(
        row["guid"] for row in admin.data("/severity-level/lookup", edition="aws") if row["name"] == "Major"
    )
    body = {"ruleType": 1, "templateGuid": template, "name": "damp", "severityLevelGuid": major}
    body |= {"conditionText": "environment.humidity > 80 AND signal.rssi<-90", "ignorePreference": False}
    guid = admin.do("POST", "/Rule", body)[0]["newid"]
    assert len(admin.one(f"/Rule/{guid}")["attributeGuid"]) == 2
    assert admin.refused("POST", "/Rule", body) == (409, {"name"})
    assert admin.refused("POST", "/Rule", {**body, "conditionText": "nonsense > 1"}) == (
        412,
        {"conditionText"},
    )
    site.clock.advance(1000)
    assert admin.do("PUT", f"/Rule/{guid}/status", {"isActive": False}) == []
    assert [row["name"] for row in admin.data("/Rule", status="inactive")] == ["damp"]
    assert admin.do("PUT", f"/Rule/{guid}", {**body, "isActive": True, "name": "very damp"}) == []
    assert [row["operation"] for row in admin.data(f"/Rule/{guid}/history")] == ["Updated", "Created"]
    assert admin.do("DELETE", f"/Rule/{guid}") == []
    assert admin.refused("DELETE", f"/Rule/{guid}")[0] == 409


def test_conditions_are_checked(admin):
    template = admin.devices()["sensor-0001-01"]["deviceTemplateGuid"]
    for text, valid in (
        ("battery.level < 20", True),
        ("battery.level < 20 or environment.temperature >= 30.5", True),
        ("battery < 20", False),
        ("battery.level", False),
    ):
        found = admin.do("POST", "/Rule/verify", {"deviceTemplateGuid": template, "expression": text})[0]
        assert found["isValid"] is valid, text
        assert bool(found["attributes"]) is valid
    assert admin.refused("POST", "/Rule/verify", {})[1] == {"deviceTemplateGuid", "expression"}


def test_the_event_module_keeps_its_own_version(admin):
    for path in ("/Event", "/event-topics", "/deliverymethod", "/severity-level/lookup"):
        assert admin.data(path, edition="v1.1") == admin.data(path, edition="aws")
        assert admin("GET", path).status_code == 404
    topic = admin.data("/event-topics", edition="aws")[0]
    (event,) = admin.data("/Event", eventTopicGuid=topic["guid"], edition="aws")
    assert admin.one(f"/Event/{event['guid']}", edition="aws") == event
    assert admin.data(f"/Event/{event['guid']}/delivery-method", edition="aws")
    assert admin.data("/Event/subscription", edition="aws") == []
    assert admin.refused("GET", f"/Event/{NOBODY}", edition="aws")[0] == 409


# firmware


def test_firmware_of_the_fleet(site, admin):
    rows = {row["deviceTemplateCode"]: row for row in admin.data("/Firmware")}
    device = site.fleet[site.index("sensor")]
    row = rows["CS20"]
    required = {"guid", "name", "hardware", "isDeprecated", "deviceTemplateGuid", "deviceTemplateName"}
    assert required <= set(row)
    versions = {one["software"]: one["isDraft"] for one in row["Upgrades"]}
    assert versions == {
        device.firmware_before: "Released",
        device.firmware_after: "Released",
        "9.0.0": "Draft",
    }
    assert (row["releaseCount"], row["draftCount"]) == (2, 1)
    found = admin.one(f"/Firmware/{row['guid']}")
    assert found["Upgrades"] == row["Upgrades"]
    assert admin.one(f"/Firmware/{row['guid']}", edition="aws")["Upgrades"] == {"Upgrade": row["Upgrades"]}
    assert [one["name"] for one in admin.data("/Firmware", Name=row["name"])] == [row["name"]]
    assert admin.data("/Firmware", Hardware="7") == []
    assert admin.refused("GET", f"/Firmware/{NOBODY}") == (404, {"firmwareGuid"})
    for kind, count in (("Released", 6), ("Draft", 3), ("both", 9)):
        assert len(admin.data("/firmware-upgrade", type=kind)) == count
    assert admin.refused("GET", "/firmware-upgrade") == (412, {"type"})
    assert len(admin.data("/firmware-upgrade", type="both", firmwareguid=row["guid"])) == 3


def test_the_life_of_a_firmware(site, admin):
    template = admin.devices()["gw-0001"]["deviceTemplateGuid"]
    body = {"deviceTemplateGuid": template, "firmwareName": "GWNEW", "hardware": "2.0", "software": "1.0"}
    (made,) = admin.do("POST", "/Firmware", body)
    assert set(made) == {"newId", "firmwareUpgradeGuid"}
    assert admin.refused("POST", "/Firmware", body) == (409, {"firmwareName"})
    (upgrade,) = admin.do("POST", "/firmware-upgrade", {"firmwareGuid": made["newId"], "software": "1.1"})
    guid = upgrade["newId"]
    assert admin.one(f"/firmware-upgrade/{guid}")["isDraft"] == "Draft"
    headers = {"Authorization": f"Bearer {admin.token}"}
    sent = site.http.post(
        f"{site.base}/api/v1.1/File",
        files={"fileData": ("image.bin", b"\x00\x01binary")},
        data={"fileRefGuid": guid, "ModuleType": "firmware"},
        headers=headers,
    )
    assert sent.status_code == 200
    (url,) = admin.one(f"/firmware-upgrade/{guid}")["urls"]
    assert url["name"] == "image.bin"
    assert site.http.get(url["url"]).content == b"\x00\x01binary"
    assert admin.do("PUT", f"/firmware-upgrade/{guid}/publish") == []
    assert admin.one(f"/firmware-upgrade/{guid}")["isDraft"] == "Released"
    assert admin.refused("PUT", f"/firmware-upgrade/{guid}/publish")[0] == 409
    assert admin.do("DELETE", f"/firmware-upgrade/{guid}") == []
    assert admin.refused("GET", f"/firmware-upgrade/{guid}") == (404, {"firmwareUpgradeGuid"})
    assert admin.do("PUT", f"/Firmware/{made['newId']}/deprecate") == []
    assert admin.data("/Firmware", Name="GWNEW") == []
    assert len(admin.data("/Firmware", Name="GWNEW", includeDeprecated="true")) == 1


# updates over the air


def test_the_roll_out_of_the_fleet(site, admin, helpers):
    fleet, words = (
        site.fleet,
        {"SUCCESSFUL": "Success", "FAILED": "Failed", "EXECUTING": "Sent", "PENDING": "Pending"},
    )
    updates = admin.data("/ota-update")
    assert {one["software"] for one in updates} == {one.firmware_after for one in fleet}
    assert admin.data("/ota-update/recent", edition="v1.1") == updates
    told = {}
    for one in updates:
        rows = admin.data(f"/ota-update/{one['guid']}", pageSize=100)
        assert one["deviceCount"] == len(rows)
        for word in words.values():
            chosen = admin.data(f"/ota-update/{one['guid']}/status/{word.lower()}", pageSize=100)
            assert chosen == [row for row in rows if row["status"] == word]
            assert one[f"{word.lower()}Count"] == len(chosen)
        told |= {row["uniqueId"]: (row["status"], row["statusDate"]) for row in rows}
    expected = {}
    for device in fleet:
        done = [
            one
            for one in fleet.operations(device.index, fleet.start, helpers.NOW + 1)
            if one.kind == "firmware"
        ]
        if done:
            last = done[-1]
            status = words[last.status(helpers.NOW)]
            expected[device.key] = (status, helpers.iso(last.changed(helpers.NOW)))
    assert told == expected
    guid = admin.devices()["gw-0001"]["guid"]
    for path in (f"/device/{guid}/ota-update", f"/ota-update/device/{guid}/recent"):
        assert [row["uniqueId"] for row in admin.data(path)] == ["gw-0001"]
    assert len(admin.data("/ota-update/device-update-history", pageSize=100)) == len(told)
    assert admin("GET", "/ota-update", edition="aws").status_code == 404
    assert admin.refused("GET", f"/ota-update/{NOBODY}")[0] == 404


@pytest.fixture
def upgrade(admin):
    rows = admin.data("/firmware-upgrade", type="both", searchText="CS20", pageSize=100)
    return {row["software"]: row["guid"] for row in rows}


def test_a_push_and_its_fate(site, admin, upgrade, helpers):
    rows = admin.devices()
    sensors = [row for key, row in rows.items() if key.startswith("sensor") and row["isConnected"]][:3]
    guid = next(guid for version, guid in upgrade.items() if version != "9.0.0")
    body = {"firmwareUpgradeGuid": guid, "target": 3, "deviceGuids": [row["guid"] for row in sensors]}
    assert admin.do("POST", "/ota-update", {**body, "isForceUpdate": True}, edition="aws") == []
    update = admin.data("/ota-update")[0]
    assert (update["deviceCount"], update["createdDate"]) == (3, helpers.iso(helpers.NOW))
    assert update["pendingCount"] == 3
    site.clock.advance(30 * MINUTE)
    statuses = {row["status"] for row in admin.data(f"/ota-update/{update['guid']}")}
    assert statuses <= {"Success", "Failed", "Sent", "Pending"}
    assert "Pending" not in statuses
    later = {**body, "scheduledOn": helpers.moment(site.clock.now() + DAY)}
    admin.do("POST", "/ota-update", later)
    site.clock.advance(DAY // 2)
    update = site.member().data("/ota-update")[0]
    assert update["pendingCount"] == 3


def test_what_cannot_be_pushed(admin, upgrade):
    gateway, sensor = (admin.devices()[key]["guid"] for key in ("gw-0001", "sensor-0001-01"))
    draft = {"firmwareUpgradeGuid": upgrade["9.0.0"], "target": 3, "deviceGuids": [sensor]}
    assert admin.refused("POST", "/ota-update", draft) == (409, {"isTrialDraft"})
    assert admin.do("POST", "/ota-update", {**draft, "isTrialDraft": True}) == []
    root = admin.data("/Entity")[0]["guid"]
    everywhere = {
        "firmwareUpgradeGuid": upgrade["9.0.0"],
        "target": 1,
        "entityGuid": root,
        "isTrialDraft": True,
    }
    assert admin.refused("POST", "/ota-update", everywhere) == (409, {"isTrialDraft"})
    released = {**everywhere, "firmwareUpgradeGuid": next(iter(upgrade.values()))}
    assert admin.do("POST", "/ota-update", released) == []
    assert admin.refused("POST", "/ota-update", {**draft, "deviceGuids": [gateway]}) == (409, {"deviceGuids"})
    assert admin.refused("POST", "/ota-update", {**draft, "deviceGuids": []}) == (412, {"deviceGuids"})
    assert admin.refused("POST", "/ota-update", {**draft, "target": 2}) == (412, {"target"})
    assert admin.refused("POST", "/ota-update", {**draft, "firmwareUpgradeGuid": NOBODY})[0] == 404
    late = {**draft, "isTrialDraft": True, "scheduledOn": "soon"}
    assert admin.refused("POST", "/ota-update", late) == (412, {"scheduledOn"})


# files


def test_files(site, admin):
    headers = {"Authorization": f"Bearer {admin.token}"}
    url = f"{site.base}/api/v2/File"
    fields = {"FILEREFGUID": NOBODY, "moduleType": "custom", "Tag": "t-1"}
    guids = [
        site.http.post(url, files={"fileData": (name, data)}, data=fields, headers=headers).json()["data"][0][
            "guid"
        ]
        for name, data in (("a.txt", b"first"), ("b \u00e4.bin", bytes(range(256))))
    ]
    answer = admin("GET", f"/File/custom/{NOBODY}").json()["data"]
    rows = {row["guid"]: row for row in answer["fileData"]}
    assert set(rows) == set(guids)
    assert all(
        set(row) == {"guid", "file", "name", "tag", "createdDate", "state", "key"} for row in rows.values()
    )
    second = rows[guids[1]]
    assert (second["name"], second["tag"]) == ("b \u00e4.bin", "t-1")
    assert site.http.get(second["file"]).content == bytes(range(256))
    assert site.http.get(second["file"][:-1] + "x").status_code == 403
    assert site.http.get(second["file"].replace("expires=", "expires=9")).status_code == 403
    assert site.http.get(f"{site.base}/files/{NOBODY}").status_code == 404
    site.clock.advance(3_600_000)
    assert site.http.get(second["file"]).status_code == 403
    assert admin.do("DELETE", f"/File/custom/{guids[0]}") == []
    assert admin.refused("DELETE", f"/File/custom/{guids[0]}")[0] == 409
    assert admin.refused("DELETE", f"/File/firmware/{guids[1]}")[0] == 409
    assert admin.refused("GET", f"/File/firmware/{NOBODY}") == (409, {"fileRefGuid"})
    bare = site.http.post(url, data={"fileRefGuid": "x"}, headers=headers)
    assert bare.status_code == 412
