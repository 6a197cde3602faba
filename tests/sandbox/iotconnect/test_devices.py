"""Devices: the fleet's truth in lists and details, filters, and what users do to devices."""

import pytest

DAY = 86_400_000
ODD = {"tracker 7/A", "Pr\u00fcfstand-\u00e41", "tracker+8%", "tracker-9", "tracker-10"}
REQUIRED = {"guid", "uniqueId", "displayName", "isActive", "deviceTemplateGuid", "messageVersion"}


def test_the_list_is_the_fleet(site, admin, helpers):
    rows, fleet, now = admin.devices(), site.fleet, helpers.NOW
    assert set(rows) == {device.key for device in fleet} | ODD
    assert len({row["guid"] for row in rows.values()}) == len(rows)
    templates = {row["guid"]: row for row in admin.data("/device-template")}
    for device in fleet:
        row, i = rows[device.key], device.index
        assert set(row) >= REQUIRED
        assert row["displayName"] == device.name
        assert row["entityName"] == device.site
        assert row["isConnected"] is fleet.online(i, now)
        seen = fleet.last_seen(i, now)
        assert row["lastCommunication"] == (None if seen is None else helpers.iso(seen))
        assert row["IsAcquired"] is (not fleet.links.never(i))
        assert row["deviceStatus"] == ("Available" if fleet.links.never(i) else "Acquired")
        assert row["childDeviceCount"] == len(fleet.children(i))
        assert templates[row["deviceTemplateGuid"]]["name"] == row["deviceTemplateName"]
        assert row["messageVersion"] == ("1.0" if device.kind == "machine" else "2.1")
        if row["lastConnection"] is not None:
            assert helpers.ms_of(row["lastConnection"]) <= now
    assert any(fleet.links.never(i) for i in range(len(fleet)))
    assert {row["deviceStatus"] for row in rows.values()} == {"Acquired", "Available", "Released"}
    assert {row["isActive"] for row in rows.values()} == {True, False}


def test_what_the_fleet_does_not_have_can_be_left_out(site, admin):
    site.switches["oddities"] = False
    assert set(admin.devices()) == {device.key for device in site.fleet}


def test_gateways_and_children(site, admin):
    fleet, rows = site.fleet, admin.devices()
    parents = {row["guid"]: row["parentDeviceGuid"] for row in admin.data("/Device/lookup")}
    for device in fleet:
        parent = None if device.parent is None else rows[fleet[device.parent].key]["guid"]
        assert parents[rows[device.key]["guid"]] == parent
        if device.kind == "gateway":
            path = f"/Device/{rows[device.key]['guid']}/child-device"
            children = admin.data(path, pageSize=100)
            assert {row["uniqueId"] for row in children} == {
                fleet[i].key for i in fleet.children(device.index)
            }
    machine = rows[fleet[site.index("machine")].key]
    assert admin.data(f"/Device/{machine['guid']}/child-device") == []


def test_one_device(site, admin, helpers):
    device = site.fleet[site.index("sensor", online=True)]
    listed = admin.devices()[device.key]
    found = admin.one(f"/Device/uniqueId/{device.key}")
    assert found["guid"] == listed["guid"]
    assert (found["isAcquired"], found["tag"]) == (1, "sensor")
    assert "IsAcquired" not in found
    assert found["parentDeviceUniqueId"] == site.fleet[device.parent].key
    held = {one["name"]: one["value"] for one in found["properties"]}
    assert (held["serial"], held["imei"], held["iccid"]) == (device.serial, device.imei, device.iccid)
    assert held["firmware"] == site.fleet.firmware(device.index, helpers.NOW)
    assert admin.one(f"/Device/{listed['guid'].lower()}", edition="aws") == found
    for edition in ("az", "v1.1"):
        assert admin("GET", f"/Device/{listed['guid']}", edition=edition).status_code == 404
    assert admin.refused("GET", "/Device/uniqueId/nobody") == (409, {"uniqueId"})
    assert admin.refused("GET", "/Device/00000000-0000-4000-8000-000000000000", edition="aws")[0] == 409
    parent = site.fleet[device.parent].key
    assert admin.one(f"/Device/uniqueId/{device.key}", parentDeviceUniqueId=parent)["guid"] == found["guid"]
    assert admin.refused("GET", f"/Device/uniqueId/{device.key}", parentDeviceUniqueId=device.key)[0] == 409


@pytest.mark.parametrize("unique", sorted(ODD))
def test_unusual_ids_are_found_encoded(admin, unique):
    from urllib.parse import quote

    found = admin.one(f"/Device/uniqueId/{quote(unique, safe='')}")
    assert found["uniqueId"] == unique
    assert [row["uniqueId"] for row in admin.data("/Device", UniqueId=unique)] == [unique]


def test_filters(site, admin):
    fleet, rows = site.fleet, admin.devices()

    def found(edition="az", **query):
        return {row["uniqueId"] for row in admin.data("/Device", pageSize=100, edition=edition, **query)}

    everything = set(rows)
    assert found(UniqueId="SENSOR-0001") == {key for key in rows if key.startswith("sensor-0001")}
    assert found(Name="gateway") == {device.key for device in fleet if device.kind == "gateway"}
    assert found(Name="gateway", edition="aws") == everything
    assert found(searchText="gw-", edition="v1.1") == {key for key in rows if key.startswith("gw-")}
    assert found(searchText="gw-") == everything
    assert found(TemplateName="pump") == {device.key for device in fleet if device.kind == "machine"}
    site_name = fleet[0].site
    assert found(EntityName=site_name) == {device.key for device in fleet if device.site == site_name}
    assert found(EntityName="depot") == ODD
    assert found(Status="inactive") == {"tracker+8%"}
    assert found(Status="active") == everything - {"tracker+8%"}
    never = {device.key for device in fleet if fleet.links.never(device.index)}
    assert found(Acquired="released") == never | {"tracker+8%", "tracker-9", "tracker-10"}
    assert found(Acquired="inprogress") == set()
    template = rows["gw-0001"]["deviceTemplateGuid"]
    assert found(TemplateGuid=template, edition="aws") == {key for key in rows if key.startswith("gw-")}
    assert found(TemplateGuid=template) == everything
    entity = admin.one("/Device/uniqueId/gw-0001")["entityGuid"]
    assert found(EntityGuid=entity.lower(), edition="aws") == found(EntityName=fleet[0].site)
    assert found(Property="Serial", Value=fleet[3].serial) == {fleet[3].key}
    assert found(isGateway="true") == {key for key in rows if key.startswith("gw-")}
    assert found(isEdge="true") == set()
    assert found(Status="active", UniqueId="tracker") == {"tracker 7/A", "tracker-9", "tracker-10"}
    for name in ("Status", "Acquired", "isGateway"):
        assert admin.refused("GET", "/Device", **{name: "perhaps"})[0] == 412


def test_custom_fields_come_when_asked_for(site, admin):
    plain, full = admin.data("/Device"), admin.data("/Device", customField="true")
    assert "properties" not in plain[0]
    serials = [one["value"] for one in full[0]["properties"] if one["name"] == "serial"]
    assert serials == [site.fleet[0].serial]


def test_devices_of_an_entity_a_template_a_company(site, admin):
    rows, fleet = admin.devices(), site.fleet
    detail = admin.one("/Device/uniqueId/sensor-0001-01")
    found = admin.data(f"/entity/{detail['entityGuid']}/device", pageSize=100)
    assert {row["uniqueId"] for row in found} == {one.key for one in fleet if one.site == fleet[0].site}
    template = detail["deviceTemplateGuid"]
    path = f"/template/{template}/device?templateGuid={template}&pageSize=-1&pageNumber=-1"
    found = admin.data(path, edition="v1.1")
    assert {row["uniqueId"] for row in found} == {one.key for one in fleet if one.kind == "sensor"}
    assert len(admin.data(f"/company/{detail['companyGuid']}/device", pageSize=100)) == len(rows)
    meter = next(one for one in admin.data("/device-template") if one["deviceCount"] == 0)
    assert admin.data(f"/template/{meter['guid']}/device") == []
    nobody = "00000000-0000-4000-8000-000000000000"
    assert admin.refused("GET", f"/entity/{nobody}/device") == (409, {"entityGuid"})
    assert admin.refused("GET", f"/template/{nobody}/device") == (404, {"deviceTemplateGuid"})
    assert admin.refused("GET", f"/company/{nobody}/device") == (409, {"companyGuid"})


def test_counts(site, admin, helpers):
    fleet = site.fleet
    rows = admin.devices().values()
    counters = admin.one("/Device/counters")
    assert counters["total"] == len(rows) == counters["active"] + counters["inActive"]
    assert counters["connected"] == sum(row["isConnected"] for row in rows)
    assert counters["acquired"] == sum(row["IsAcquired"] for row in rows)
    assert counters["released"] == 1
    assert admin.one("/Device/count")["deviceCount"] == len(rows)
    assert admin.one("/Device/count", status="inactive")["deviceCount"] == 1
    online = fleet[site.index("sensor", online=True)].key
    assert admin.one("/Device/connection-status", uniqueId=online) == {"isConnected": 1}
    guid = admin.devices()["tracker-10"]["guid"]
    assert admin.one("/Device/connection-status", deviceGuid=guid) == {"isConnected": 0}
    assert admin.refused("GET", "/Device/connection-status")[0] == 412
    assert admin.refused("GET", "/Device/connection-status", uniqueId="nobody")[0] == 409
    listed = admin.data("/Device/recent-activity", count=100, isAcquired="true")
    recent = [row for row in listed if not row["uniqueId"].startswith(("tracker", "Pr"))]
    acquired = {row["uniqueId"] for row in rows if row["IsAcquired"]}
    newest = sorted((one for one in fleet if one.key in acquired), key=lambda one: -one.created)
    assert [row["uniqueId"] for row in recent] == [one.key for one in newest]
    assert recent[0]["createdDate"] == helpers.iso(newest[0].created)
    assert admin.data("/Device/recent-activity", count=3, isAcquired="true") == listed[:3]


def test_connections_follow_the_clock(site, admin):
    fleet, now = site.fleet, site.clock.now()
    for i in range(len(fleet)):
        outages = fleet.links.outages(i, now, now + 10 * DAY)
        if outages and fleet.online(i, outages[0][0] - 1):
            break
    start, _ = outages[0]
    for at, connected in ((start - 1, 1), (start + 1, 0)):
        site.clock.set(at)
        found = site.member().one("/Device/connection-status", uniqueId=fleet[i].key)
        assert found == {"isConnected": connected}


# changes


@pytest.fixture
def body(admin):
    template = next(one for one in admin.data("/device-template") if one["code"] == "CS20")
    root = admin.data("/Entity")[0]
    return {
        "uniqueId": "new 1/\u00e4",
        "displayName": "A new one",
        "deviceTemplateGuid": template["guid"].lower(),
        "entityGuid": root["guid"],
    }


def test_the_life_of_a_device(site, admin, body):
    (made,) = admin.do("POST", "/Device", {**body, "extra": 1})
    assert set(made) == {"newid", "entityGuid", "uniqueId", "parentUniqueId"}
    path = "/Device/uniqueId/new%201%2F%C3%A4"
    found = admin.one(path)
    assert found["guid"] == made["newid"]
    assert (found["displayName"], found["deviceStatus"], found["isConnected"]) == (
        "A new one",
        "Available",
        False,
    )
    assert "lastConnection" not in found
    own = "/Device/new%201%2F%C3%A4"
    assert admin.refused("PUT", f"{own}/release") == (409, {"uniqueId"})
    assert admin.do("PUT", f"{own}/acquire") == []
    assert admin.refused("PUT", f"{own}/acquire") == (409, {"uniqueId"})
    found = admin.one(path)
    assert (found["isAcquired"], found["isConnected"], found["deviceStatus"]) == (1, True, "Acquired")
    assert admin.do("PUT", f"/Device/{made['newid']}/status", {"isActive": False}) == []
    found = admin.one(path)
    assert (found["isActive"], found["isConnected"]) == (False, False)
    admin.do("PUT", f"{own}/release")
    assert admin.one(path)["deviceStatus"] == "Released"
    assert admin.refused("PUT", f"{own}/acquire") == (409, {"uniqueId"})
    serial = next(one for one in admin.data("/Device/property") if one["name"] == "serial")
    change = {"displayName": "Renamed", "entityGuid": admin.data("/Entity")[1]["guid"], "note": "a note"}
    change["properties"] = [{"guid": serial["guid"], "value": "SN-1"}]
    assert admin.do("PUT", f"/Device/{made['newid'].lower()}", change) == []
    found = admin.one(path)
    assert (found["displayName"], found["note"]) == ("Renamed", "a note")
    assert [(one["name"], one["value"]) for one in found["properties"]] == [("serial", "SN-1")]
    assert admin.do("DELETE", f"/Device/{made['newid']}") == []
    assert admin.refused("DELETE", f"/Device/{made['newid']}")[0] == 409
    assert admin.refused("GET", path)[0] == 409


def test_the_aws_edition_counts_when_it_makes_devices(admin, body):
    (made,) = admin.do("POST", "/Device", body, edition="aws")
    assert made["activeDeviceCount"] + made["inActiveDeviceCount"] == 40


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"deviceTemplateGuid": "00000000-0000-4000-8000-000000000000"}, (409, {"deviceTemplateGuid"})),
        ({"entityGuid": "x"}, (409, {"entityGuid"})),
        ({"uniqueId": "sensor-0001-01"}, (409, {"uniqueId"})),
        ({"parentDeviceGuid": "x"}, (409, {"parentDeviceGuid"})),
        ({"properties": [{"guid": "x", "value": 1}]}, (412, {"properties"})),
        ({"properties": {"serial": 1}}, (412, {"properties"})),
        ({"uniqueId": ""}, (412, {"uniqueId"})),
    ],
)
def test_devices_that_cannot_be_made(admin, body, change, expected):
    assert admin.refused("POST", "/Device", {**body, **change}) == expected


def test_children_need_another_tag_and_go_with_their_gateway(admin, body):
    rows = admin.devices()
    gateway = rows["gw-0001"]["guid"]
    sensor = rows["sensor-0001-01"]["guid"]
    assert admin.refused("POST", "/Device", {**body, "parentDeviceGuid": sensor}) == (409, {"tag"})
    (made,) = admin.do("POST", "/Device", {**body, "parentDeviceGuid": gateway})
    assert made["parentUniqueId"] == "gw-0001"
    assert admin.refused("PUT", "/Device/new%201%2F%C3%A4/acquire") == (409, {"uniqueId"})
    before = len(admin.devices())
    children = admin.devices()["gw-0001"]["childDeviceCount"]
    admin.do("DELETE", f"/Device/{gateway}")
    assert len(admin.devices()) == before - children - 1
    assert "new 1/\u00e4" not in admin.devices()


def test_fleet_devices_can_be_changed_and_come_back_after_a_reset(site, admin):
    row = admin.devices()["gw-0001"]
    admin.do("PUT", f"/Device/{row['guid']}/status", {"isActive": "false"})
    assert admin.devices()["gw-0001"]["isConnected"] is False
    assert admin.refused("PUT", f"/Device/{row['guid']}/status", {"isActive": "perhaps"}) == (
        412,
        {"isActive"},
    )
    site.running.reset()
    assert admin.devices()["gw-0001"] == row


# twin


def test_a_connected_device_reports_what_is_desired(site, admin, helpers):
    key = site.fleet[site.index("sensor", online=True)].key
    rows = {row["localName"]: row for row in admin.data(f"/Device/{key}/twin")}
    assert set(rows) == {"reportInterval", "logLevel", "firmwareVersion"}
    firmware = rows["firmwareVersion"]
    assert firmware["isReadOnly"]
    assert firmware["reportedValue"] == site.fleet.firmware(site.index("sensor", online=True), helpers.NOW)
    interval = rows["reportInterval"]
    assert (interval["desiredValue"], interval["reportedValue"]) == (None, "60")
    wanted = {
        "localName": "reportInterval",
        "desiredValue": "30",
        "templateSettingGuid": interval["templateSettingGuid"],
    }
    assert admin.do("PUT", f"/Device/{key}/twin", wanted) == []
    row = next(one for one in admin.data(f"/Device/{key}/twin") if one["localName"] == "reportInterval")
    assert (row["desiredValue"], row["reportedValue"], row["desiredVersion"]) == ("30", "60", "1")
    site.clock.advance(500)
    row = next(one for one in admin.data(f"/Device/{key}/twin") if one["localName"] == "reportInterval")
    assert (row["reportedValue"], row["reportedUpdatedDate"]) == ("30", helpers.iso(helpers.NOW + 500))
    recent = admin.data(f"/Device/{key}/twin", recentlyReported="true")
    assert recent[0]["localName"] == "reportInterval"
    document = admin.one(f"/Device/{key}/twinjson")
    assert document["properties"]["desired"] == {"reportInterval": "30"}
    assert document["properties"]["reported"]["reportInterval"] == "30"
    assert admin.refused("PUT", f"/Device/{key}/twin", {**wanted, "desiredValue": "x"}) == (
        409,
        {"desiredValue"},
    )
    assert admin.refused("PUT", f"/Device/{key}/twin", {**wanted, "localName": "other"})[0] == 409
    assert admin.refused("PUT", "/Device/tracker-10/twin", wanted)[0] == 409
    read_only = {
        **wanted,
        "localName": "firmwareVersion",
        "templateSettingGuid": firmware["templateSettingGuid"],
    }
    assert admin.refused("PUT", f"/Device/{key}/twin", read_only) == (409, {"localName"})


# what happened


def test_the_life_cycle_is_what_the_fleet_went_through(site, admin, helpers):
    fleet = site.fleet
    site.switches["oddities"] = False
    for i in (0, 3, site.index("machine")):
        path = f"/Device/{fleet[i].key}/lifecycle"
        rows = admin.data(path, pageSize=1000)
        expected = [
            (one.type, helpers.iso(one.time), one.text)
            for one in fleet.events(i, fleet.start, helpers.NOW + 1)
        ]
        assert [(row["status"], row["changeDate"], row["messageText"]) for row in rows] == expected[::-1]
        assert admin.data(path, pageSize=1000, sortBy="changeDate asc") == rows[::-1]
        if rows:
            word = rows[0]["messageText"][:6]
            chosen = admin.data(path, pageSize=1000, searchtext=word.upper())
            assert chosen == [row for row in rows if row["messageText"].startswith(word)]


def test_the_life_cycle_also_tells_losses_and_what_users_did(site, admin):
    statuses = {row["status"] for row in admin.data("/Device/tracker%207%2FA/lifecycle")}
    assert statuses == {"Created", "Acquired", "Connected"}
    told = set()
    for device in site.fleet:
        told |= {row["status"] for row in admin.data(f"/Device/{device.key}/lifecycle", pageSize=500)}
    assert {"Disconnected", "connected"} <= told


def test_rejected_messages_are_asked_for_by_the_day(admin, helpers):
    day = helpers.iso(helpers.NOW - DAY)[:10]
    rows = admin.data("/Device/audit-log", date=day, pageSize=100)
    assert len(rows) == 12
    assert all(row["date"].startswith(day) for row in rows)
    assert set(rows[0]) == {"uniqueId", "date", "type", "error", "errorDetail", "data"}
    assert admin.data("/Device/audit-log", date="2030-01-01") == []
    assert admin.refused("GET", "/Device/audit-log") == (412, {"date"})
    assert admin.refused("GET", "/Device/audit-log", date="yesterday") == (412, {"date"})


def test_diagnostics_in_one_edition(site, admin, helpers):
    fleet = site.fleet
    i = next(i for i in range(len(fleet)) if len(fleet.links.outages(i, fleet.begin(i), helpers.NOW)) > 1)
    body = {
        "uniqueId": fleet[i].key,
        "fromDate": helpers.moment(fleet.start),
        "toDate": helpers.moment(helpers.NOW),
    }
    first = admin("POST", "/Device/diagnostics", {**body, "pageSize": 1}).json()
    rest = admin(
        "POST", "/Device/diagnostics", {**body, "continuationToken": first["pageToken"], "pageSize": 99}
    )
    rows = first["data"] + rest.json()["data"]
    assert rest.json()["pageToken"] is None
    assert {row["operationName"] for row in rows} == {"deviceConnect", "deviceDisconnect"}
    life = admin.data(f"/Device/{fleet[i].key}/lifecycle", pageSize=1000)
    told = [row for row in life if row["status"].lower() in ("connected", "disconnected")]
    assert [row["time"] for row in rows] == [row["changeDate"] for row in told]
    assert admin.refused("POST", "/Device/diagnostics", {})[0] == 412
    assert admin("POST", "/Device/diagnostics", body, edition="aws").status_code == 404
