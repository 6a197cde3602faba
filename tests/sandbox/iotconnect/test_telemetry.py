"""Telemetry: what the fleet measured, across pages, windows and forms of the request."""

import numpy as np
import pytest

HOUR, DAY = 3_600_000, 86_400_000


def truth(fleet, i, start, end):
    """The messages of a fleet device in [start, end), newest first: (time, {group: {name: value}})."""
    found = []
    for group, series in fleet.groups(i).items():
        times = fleet.times(i, group, start, end)
        columns = [fleet.value(i, one, times).tolist() for one in series]
        for n, at in enumerate(times.tolist()):
            found.append(
                (at, {group: {one.name: column[n] for one, column in zip(series, columns, strict=True)}})
            )
    return sorted(found, key=lambda one: -one[0])


def shown(helpers, messages):
    return [(helpers.iso(at), attr) for at, attr in messages]


def pairs(feed):
    return [(one["dTime"], one["attr"]) for one in feed]


@pytest.mark.parametrize("kind", ["gateway", "sensor", "machine"])
def test_a_day_is_the_fleets(site, admin, helpers, kind):
    i = site.index(kind, online=True)
    end = helpers.NOW // 1000 * 1000
    for edition in ("az", "aws"):
        feed = admin.history(site.fleet[i].key, end - DAY, end, edition=edition)
        assert pairs(feed) == shown(helpers, truth(site.fleet, i, end - DAY, end + 1))
        assert {one["uniqueId"] for one in feed} == {site.fleet[i].key}
    assert len(feed) > 200


def test_a_week_of_a_busy_device_is_more_than_a_page(site, admin, helpers):
    fleet, end = site.fleet, helpers.NOW // 1000 * 1000
    i = next(i for i in range(len(fleet)) if len(truth(fleet, i, end - 7 * DAY, end + 1)) > 10_050)
    expected = shown(helpers, truth(fleet, i, end - 7 * DAY, end + 1))
    assert pairs(admin.history(fleet[i].key, end - 7 * DAY, end, edition="aws")) == expected
    cut = admin.history(fleet[i].key, end - 7 * DAY, end)
    assert pairs(cut) == expected[:10_000]
    site.switches["telemetry_cut"] = True
    assert len(admin.history(fleet[i].key, end - 7 * DAY, end, edition="aws")) == 10_000


def test_windows_hold_both_ends_and_add_up(site, admin, helpers):
    i = site.index("sensor", online=True)
    key, end = site.fleet[i].key, helpers.NOW // 1000 * 1000
    whole = pairs(admin.history(key, end - 2 * HOUR, end))
    first, second = admin.history(key, end - HOUR, end), admin.history(key, end - 2 * HOUR, end - HOUR)
    assert pairs(first) + pairs(second) == whole
    at = next(at for at, _ in truth(site.fleet, i, end - HOUR, end))
    path = f"/Telemetry/attribute-history/device/{key}/from/{helpers.iso(at)}/to/{helpers.iso(at)}"
    assert [one["dTime"] for one in admin.data(path)["feed"]] == [helpers.iso(at)]
    path = f"/Telemetry/attribute-history/device/{key}/from/{helpers.iso(at + 1)}/to/{helpers.iso(at + 1)}"
    assert admin.data(path) == []


def test_forms_of_a_time(site, admin, helpers):
    key, end = site.fleet[site.index("sensor", online=True)].key, helpers.NOW
    day = helpers.iso(end - DAY)[:10]
    path = f"/Telemetry/attribute-history/device/{key}"
    wanted = admin.data(f"{path}/from/{day}/to/{helpers.iso(end)[:10]}")
    for start, stop in (
        (f"{day}%2000:00:00", helpers.iso(end)[:10]),
        (f"{day}+00:00:00", helpers.iso(end)[:10]),
        (f"{day}T00:00:00Z", f"{helpers.iso(end)[:10]}T00:00:00.000Z"),
    ):
        assert admin.data(f"{path}/from/{start}/to/{stop}") == wanted
    assert wanted["version"] == "2.1"
    for start, stop in (("yesterday", day), (day, "2026-13-01"), (helpers.iso(end)[:10], day)):
        assert admin.refused("GET", f"{path}/from/{start}/to/{stop}")[0] == 412


def test_the_range_is_at_most_seven_days(site, admin, helpers):
    key, end = site.fleet[1].key, helpers.NOW // 1000 * 1000
    assert admin.history(key, end - 7 * DAY, end)
    path = "/Telemetry/attribute-history/device/{}/from/{}/to/{}"
    for edition in ("az", "aws"):
        longer = path.format(key, helpers.moment(end - 7 * DAY - 1000), helpers.moment(end))
        assert admin.refused("GET", longer, edition=edition) == (412, {"toDate"})
    body = {"fromDate": helpers.moment(end - 8 * DAY), "toDate": helpers.moment(end)}
    assert admin.refused("POST", f"/Telemetry/device/{key}/history", body) == (412, {"toDate"})


def test_one_attribute_by_name_or_by_guid(site, admin, helpers):
    end = helpers.NOW // 1000 * 1000
    span = f"from/{helpers.moment(end - DAY)}/to/{helpers.moment(end)}"
    sensor, pump = (site.fleet[site.index(kind, online=True)] for kind in ("sensor", "machine"))

    def attributes(device):
        template = admin.devices()[device.key]["deviceTemplateGuid"]
        rows = admin.data(f"/template-attribute/{template}", pageSize=1000)
        return {
            f"{row['localName']}.{one['localName']}": one["guid"] for row in rows for one in row["attributes"]
        }

    def get(device, attribute):
        return f"/Telemetry/attribute-history/attribute/{attribute}/device/{device.key}/{span}"

    feed = admin.data(get(sensor, "battery.level"))["feed"]
    expected = truth(site.fleet, sensor.index, end - DAY, end + 1)
    assert pairs(feed) == shown(helpers, [one for one in expected if "battery" in one[1]])
    humidity = admin.data(get(sensor, "environment.humidity"))["feed"]
    assert all(set(one["attr"]["environment"]) == {"humidity"} for one in humidity)
    assert admin.refused("GET", get(sensor, attributes(sensor)["battery.level"]))[0] == 409
    assert admin.refused("GET", get(pump, "vibration.rms"))[0] == 409
    by_guid = admin.data(get(pump, attributes(pump)["vibration.rms"]))
    assert by_guid["version"] == "1.0"
    assert {name for one in by_guid["feed"] for name in one["attr"]["vibration"]} == {"rms"}
    assert admin.data(f"{get(sensor, 'nothing')}".replace("nothing", "signal"))["count"] > 50


@pytest.mark.parametrize("path", ["attribute-history", "history"])
def test_history_by_body_comes_in_pages(site, admin, helpers, path):
    i = site.index("sensor", online=True)
    url, end = f"/Telemetry/device/{site.fleet[i].key}/{path}", helpers.NOW // 1000 * 1000
    body = {"fromDate": helpers.moment(end - 6 * HOUR), "toDate": helpers.moment(end), "pageSize": 100}
    expected = shown(helpers, truth(site.fleet, i, end - 6 * HOUR, end + 1))
    for order in ("desc", "asc"):
        found, token, pages = [], None, 0
        while pages == 0 or token:
            data = admin.do("POST", url, {**body, "sortOrder": order, "continuationToken": token})
            found += pairs(data["feed"])
            token, pages = data["continuationToken"], pages + 1
        assert found == (expected if order == "desc" else expected[::-1])
        assert pages == -(-len(expected) // 100)
    assert admin.refused("POST", url, {**body, "pageSize": 10_001}) == (412, {"pageSize"})
    assert admin.refused("POST", url, {**body, "continuationToken": "no"}) == (412, {"continuationToken"})
    assert admin.refused("POST", url, {**body, "sortOrder": "up"}) == (412, {"sortOrder"})
    assert admin.refused("POST", url, {})[1] == {"fromDate", "toDate"}
    assert pairs(admin.do("POST", url, {**body, "sortOrder": "asc"}, edition="aws")["feed"]) == expected[:100]


def test_history_by_body_of_some_attributes(site, admin, helpers):
    key, end = site.fleet[site.index("sensor", online=True)].key, helpers.NOW
    body = {"FROMDATE": helpers.moment(end - DAY), "todate": helpers.moment(end)}
    url = f"/Telemetry/device/{key}"
    named = {**body, "attributes": ["battery.level"]}
    for edition, groups in (("aws", {"battery"}), ("az", {"battery", "environment", "signal"})):
        feed = admin.do("POST", f"{url}/attribute-history", named, edition=edition)["feed"]
        assert {group for one in feed for group in one["attr"]} == groups
    feed = admin.do("POST", f"{url}/attribute-history/battery.level", body)["feed"]
    assert {group for one in feed for group in one["attr"]} == {"battery"}
    again = admin.do("POST", f"{url}/history", {**body, "attributeName": "battery.level"})["feed"]
    assert again == feed


def test_recent_messages(site, admin, helpers):
    i = site.index("sensor", online=True)
    url, now = f"/Telemetry/device/{site.fleet[i].key}/recent", helpers.NOW
    expected = shown(helpers, truth(site.fleet, i, now - DAY, now + 1))
    for n in (10, 50, 500):
        data = admin.do("POST", f"{url}/{n}", {})
        assert pairs(data["feed"]) == expected[:n]
        assert data["count"] == n
    assert pairs(admin.do("POST", f"{url}/10", None)["feed"]) == expected[:10]
    assert pairs(admin.do("POST", f"{url}/10", {"sortOrder": "asc"})["feed"]) == expected[:10][::-1]
    chosen = admin.do("POST", f"{url}/20", {"filterAttrs": ["battery.level"]})["feed"]
    assert pairs(chosen) == [one for one in expected if "battery" in one[1]][:20]
    for n in ("9", "501", "many", "-10"):
        assert admin.refused("POST", f"{url}/{n}", {}) == (412, {"dataPoints"})
    assert admin("POST", "/Telemetry/device/tracker-10/recent/10", {}).status_code == 204
    assert admin.refused("POST", "/Telemetry/device/nobody/recent/10", {}) == (409, {"uniqueId"})


def test_the_latest_values(site, admin, helpers):
    fleet, rows, now = site.fleet, admin.devices(), helpers.NOW
    for i in range(len(fleet)):
        found = admin.data(f"/Telemetry/device/{rows[fleet[i].key]['guid']}")
        expected = {}
        for group, series in fleet.groups(i).items():
            times = fleet.times(i, group, fleet.start, now + 1)
            for one in series if times.size else ():
                value = fleet.value(i, one, times[-1:])[0]
                expected[one.key] = (helpers.iso(int(times[-1])), float(value))
        got = {
            row["attributeName"]: (row["deviceUpdatedDate"], float(row["attributeValue"])) for row in found
        }
        assert got == expected
        assert all(isinstance(row["attributeValue"], str) and row["DataType"] == "DECIMAL" for row in found)
    guid = rows["gw-0001"]["guid"]
    for edition in ("az", "aws", "v1.1"):
        row = admin.data(f"/Telemetry/device/{guid.lower()}", edition=edition)[0]
        assert ("gatewayUpdatedDate" in row) is (edition == "az")
    assert admin.data(f"/Telemetry/device/{rows['tracker-10']['guid']}") == []
    assert admin.refused("GET", "/Telemetry/device/x")[0] == 409


def test_latest_values_flicker(site, admin):
    guid = admin.devices()["gw-0001"]["guid"]
    calm = {row["attributeName"]: row for row in admin.data(f"/Telemetry/device/{guid}")}
    site.switches["flicker"] = True
    newest = []
    for _ in range(3):
        rows = admin.data(f"/Telemetry/device/{guid}")
        best = {}
        for row in rows:
            held = best.get(row["attributeName"])
            if held is None or row["deviceUpdatedDate"] > held["deviceUpdatedDate"]:
                best[row["attributeName"]] = row
        newest.append(best)
    assert newest[0] == newest[1] == calm
    assert newest[2] != calm
    assert len(rows) == len(calm)


def test_several_devices_at_once(site, admin, helpers):
    fleet, end = site.fleet, helpers.NOW // 1000 * 1000
    numbers = [site.index("gateway", online=True), site.index("sensor", online=True), site.index("machine")]
    keys = [fleet[i].key for i in numbers]
    body = {"uniqueIds": keys, "fromDate": helpers.moment(end - 4 * DAY), "toDate": helpers.moment(end)}
    found, token = [], None
    while True:
        data = admin.do("POST", "/Telemetry/history", {**body, "continuationToken": token})
        assert len(data["feed"]) <= 10_000
        found += [(one["uniqueId"], one["dTime"], one["attr"]) for one in data["feed"]]
        token = data["continuationToken"]
        if token is None:
            break
    expected = [
        (fleet[i].key, *one)
        for i in numbers
        for one in shown(helpers, truth(fleet, i, end - 4 * DAY, end + 1))
    ]
    assert found == expected
    assert len(found) > 10_000
    assert admin.refused("POST", "/Telemetry/history", body, edition="aws")[0] == 500
    assert admin("POST", "/Telemetry/history", body, edition="v1.1").status_code == 404
    assert admin.refused("POST", "/Telemetry/history", {**body, "messageVersion": "3"}) == (
        412,
        {"messageVersion"},
    )
    assert admin.refused("POST", "/Telemetry/history", {**body, "uniqueIds": ["nobody"]}) == (
        409,
        {"uniqueId"},
    )
    assert admin.refused("POST", "/Telemetry/history", {**body, "continuationToken": "7:"})[0] == 412


def test_unusual_devices_send_unusual_messages(site, admin, helpers):
    end = helpers.NOW // 1000 * 1000
    feed = admin.history("tracker 7/A", end - 7 * DAY, end, edition="aws")
    assert len(feed) > 10_000 - 1440
    speeds = [one["attr"]["speed"] for one in feed]
    assert "n/a" in speeds
    assert any(isinstance(one, float) for one in speeds)
    first = feed[0]["attr"]
    assert set(first) == {"gps", "speed", "satellites", "moving", "state", "uptime"}
    assert set(first["gps"]) == {"latitude", "longitude"}
    assert isinstance(first["moving"], bool)
    assert isinstance(first["satellites"], int)
    guid = admin.devices()["tracker 7/A"]["guid"]
    latest = {row["attributeName"] for row in admin.data(f"/Telemetry/device/{guid}")}
    assert latest == {"gps.latitude", "gps.longitude", "speed", "satellites", "moving", "state"}
    times = np.array(
        [helpers.ms_of(one["dTime"]) for one in admin.history("tracker 7/A", end - 14 * DAY, end - 7 * DAY)]
    )
    assert np.diff(times[::-1]).max() > DAY
    assert admin.history("Pr\u00fcfstand-\u00e41", end - DAY, end) == []
    assert admin.history("Pr\u00fcfstand-\u00e41", end - 5 * DAY, end)


def test_numbers_may_be_text(site, admin, helpers):
    site.switches["text_values"] = True
    end = helpers.NOW
    feed = admin.history(site.fleet[0].key, end - HOUR, end)
    assert {type(value) for one in feed for part in one["attr"].values() for value in part.values()} == {str}


def test_nothing_is_told_of_the_future(site, admin, helpers):
    i = site.index("sensor", online=True)
    now = helpers.NOW
    feed = admin.history(site.fleet[i].key, now - HOUR, now + DAY)
    assert max(helpers.ms_of(one["dTime"]) for one in feed) <= now
    site.clock.advance(HOUR)
    later = admin.history(site.fleet[i].key, now - HOUR, now + DAY)
    assert len(later) > len(feed)
    assert later[-len(feed) :] == feed


def test_the_values_of_a_template(site, admin):
    rows = admin.devices()
    template = rows["gw-0001"]["deviceTemplateGuid"]
    level = admin.data(f"/template-attribute/{template}")[0]["attributes"][0]
    wanted = {"template": [{"templateGuid": template, "attributes": [level["guid"]]}]}
    found = {row["deviceUniqueId"]: row for row in admin.do("POST", "/Telemetry/template", wanted)}
    assert set(found) == {key for key in rows if key.startswith("gw-")}
    latest = {row["attributeName"]: row for row in admin.data(f"/Telemetry/device/{rows['gw-0001']['guid']}")}
    assert found["gw-0001"]["attributes"] == {"cpu.load": latest["cpu.load"]["attributeValue"]}
    assert admin.refused("POST", "/Telemetry/template", {}) == (412, {"template"})
    assert admin.refused("POST", "/Telemetry/template", {"template": [{"templateguid": "x"}]})[0] == 404


def test_the_live_feed_has_credentials(site, admin):
    for path in ("mqtt-reader", "stomp-reader"):
        found = admin.data(f"/Telemetry/gw-0001/{path}")
        assert {"host", "vhost", "user", "password", "port", "isSecure", "cpId", "topic", "wsurl"} <= set(
            found
        )
        assert found["password"] in site.running.issued()
    assert admin.refused("GET", "/Telemetry/nobody/mqtt-reader")[0] == 409


def test_the_old_generation_knows_the_latest_values_only(admin):
    for path in ("attribute-history/device/gw-0001/from/2026-06-16/to/2026-06-17", "gw-0001/mqtt-reader"):
        assert admin("GET", f"/Telemetry/{path}", edition="v1.1").status_code == 404
