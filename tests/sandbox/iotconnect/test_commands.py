"""Commands: the fleet's history, sending, acknowledgement over time, sending again, direct methods."""

import pytest

MINUTE, DAY = 60_000, 86_400_000
WORDS = {"PENDING": "In Queue", "EXECUTING": "In Transit", "SUCCESSFUL": "Executed", "FAILED": "Failed"}
MEMBERS = {
    "guid",
    "name",
    "command",
    "requiredParam",
    "requiredAck",
    "isOTACommand",
    "isTemplateCommandUsed",
    "tag",
    "createdDate",
    "updatedDate",
    "devices",
}


@pytest.fixture
def device(site, admin):
    """A sensor that is on line now."""
    return admin.devices()[site.fleet[site.index("sensor", online=True)].key]


def commands(admin, device):
    rows = admin.data(f"/template-command/{device['deviceTemplateGuid']}", pageSize=100)
    return {row["command"]: row for row in rows}


def history(admin, device, **query):
    return admin.data("/template-command/history", deviceGuid=device["guid"], pageSize=1000, **query)


def send(admin, device, word="run", parameter="status"):
    """Send a command and find it: the row that was not there before."""
    before = {row["commandHistoryGuid"] for row in history(admin, device)}
    body = {"commandGuid": commands(admin, device)[word]["guid"], "parameterValue": parameter}
    assert admin.do("POST", f"/template-command/device/{device['guid']}/send", body) == []
    (row,) = [row for row in history(admin, device) if row["commandHistoryGuid"] not in before]
    return row


def state(admin, device, guid):
    return next(row for row in history(admin, device) if row["commandHistoryGuid"] == guid)


def test_rows_of_commands_hold_eleven_members(admin, device):
    rows = commands(admin, device)
    assert set(rows) == {"restart", "run", "configure", "firmware", "blink"}
    assert all(set(row) == MEMBERS for row in rows.values())
    assert {word for word, row in rows.items() if row["isOTACommand"]} == {"firmware"}
    assert not rows["blink"]["requiredAck"]
    assert [
        row["command"]
        for row in admin.data(f"/template-command/{device['deviceTemplateGuid']}", searchText="RUN")
    ] == ["run"]
    assert admin.refused("GET", "/template-command/x")[0] == 409


def test_the_history_is_the_fleets(site, admin, helpers):
    fleet, now, seen = site.fleet, helpers.NOW, set()
    rows = admin.devices()
    for i in range(len(fleet)):
        found = history(admin, rows[fleet[i].key])
        expected = []
        for one in fleet.operations(i, fleet.start, now + 1):
            status = one.status(now)
            words = {"FAILED": one.failure, "SUCCESSFUL": "ok"}.get(status)
            expected.append((WORDS[status], helpers.iso(one.changed(now)), words))
        assert sorted(expected, key=str) == sorted(
            ((row["status"], row["statusDate"], row["statusText"]) for row in found), key=str
        )
        dates = [row["statusDate"] for row in found]
        assert dates == sorted(dates, reverse=True)
        seen |= {row["status"] for row in found}
        assert {row["uniqueId"] for row in found} <= {fleet[i].key}
    assert seen == set(WORDS.values())


def test_the_history_of_all_devices(site, admin, helpers):
    rows = admin.data("/template-command/history", pageSize=-1, pageNumber=-1)
    fleet = site.fleet
    assert len(rows) == sum(len(fleet.operations(i, fleet.start, helpers.NOW + 1)) for i in range(len(fleet)))
    assert len({row["commandHistoryGuid"] for row in rows}) == len(rows)
    failed = admin.data("/template-command/history", pageSize=1000, searchText="failed")
    assert failed == [row for row in rows if "failed" in f"{row['cmdText']} {row['status']}".lower()]
    by_device = admin.data("/template-command/history", pageSize=1000, sortBy="uniqueId asc")
    assert [row["uniqueId"] for row in by_device] == sorted(row["uniqueId"] for row in rows)
    texts = {row["cmdText"].split()[0] for row in rows}
    assert texts == {"restart", "run", "configure", "firmware"}


def test_the_history_by_body_has_tokens(admin, device):
    rows, token, pages = [], None, 0
    while pages == 0 or token:
        body = {"capability": 1, "pageSize": 30, "continuationToken": token}
        answer = admin("POST", "/template-command/history", body, edition="aws").json()
        rows += answer["data"]
        token, pages = answer["continuationToken"], pages + 1
    assert rows == admin.data("/template-command/history", pageSize=1000)
    assert pages > 2
    body = {"deviceGuid": device["guid"], "pageSize": 100}
    assert admin.do("POST", "/template-command/history", body, edition="aws") == history(admin, device)
    assert admin("POST", "/template-command/history", {}, edition="az").status_code == 404


def test_a_command_and_its_fate(site, admin, device, helpers):
    seen = set()
    for n in range(30):
        row = send(admin, device, parameter=f"test {n}")
        assert (row["status"], row["cmdText"], row["createdByName"]) == (
            "In Transit",
            f"run test {n}",
            "Jo Ferreira",
        )
        assert row["statusDate"] == helpers.iso(site.clock.now())
        assert (row["isResend"], row["resendHistory"]) == (False, {"resendCount": 0, "execTime": []})
        sent = site.clock.now()
        site.clock.advance(15_000)
        later = state(admin, device, row["commandHistoryGuid"])
        seen.add(later["status"])
        if later["status"] == "Failed":
            assert later["statusText"] in ("Command not understood", "Time limit exceeded")
        if later["status"] in ("Failed", "Executed"):
            assert sent < helpers.ms_of(later["statusDate"]) <= sent + 15_000
    assert {"Failed", "Executed"} <= seen


def test_answers_may_be_late(site, admin, device):
    site.switches["answer_seconds"] = 600
    row = send(admin, device)
    site.clock.advance(9 * MINUTE)
    assert state(admin, device, row["commandHistoryGuid"])["status"] == "In Transit"


def test_without_an_acknowledgement_it_is_done_on_delivery(admin, device):
    row = send(admin, device, "blink", "")
    assert (row["status"], row["cmdText"], row["statusText"]) == ("Executed", "blink", "ok")


def test_a_device_that_is_off_line_takes_it_when_it_is_back(site):
    fleet = site.fleet
    i, (start, end) = next(
        (i, span)
        for i in range(len(fleet))
        for span in fleet.links.outages(i, fleet.start, fleet.start + 10 * DAY)
        if fleet.alive(i, span[1] + DAY) and fleet.back_online(i, span[0]) == span[1]
    )
    site.clock.set(start + 1000)
    admin = site.member()
    device = admin.devices()[fleet[i].key]
    assert device["isConnected"] is False
    row = send(admin, device, "blink", "")
    assert row["status"] == "In Queue"
    site.clock.set(end - 1)
    assert state(admin, device, row["commandHistoryGuid"])["status"] == "In Queue"
    site.clock.set(end + 10_000)
    assert state(admin, device, row["commandHistoryGuid"])["status"] == "Executed"


def test_a_new_device_takes_it_when_it_is_acquired(site, admin, device):
    root = admin.data("/Entity")[0]["guid"]
    body = {"uniqueId": "fresh", "displayName": "Fresh", "entityGuid": root}
    body["deviceTemplateGuid"] = device["deviceTemplateGuid"]
    admin.do("POST", "/Device", body)
    fresh = admin.devices()["fresh"]
    row = send(admin, fresh, "run", "x")
    site.clock.advance(DAY // 2)
    assert state(admin, fresh, row["commandHistoryGuid"])["status"] == "In Queue"
    admin.do("PUT", "/Device/fresh/acquire")
    assert state(admin, fresh, row["commandHistoryGuid"])["status"] == "In Transit"
    site.clock.advance(MINUTE)
    assert state(admin, fresh, row["commandHistoryGuid"])["status"] in ("Executed", "Failed")


def test_what_cannot_be_sent(admin, device):
    rows = commands(admin, device)
    url = f"/template-command/device/{device['guid']}/send"
    nobody = "00000000-0000-4000-8000-000000000000"
    run, restart = {"commandGuid": rows["run"]["guid"]}, {"commandGuid": rows["restart"]["guid"]}
    assert admin.refused("POST", url, {}) == (412, {"commandGuid"})
    assert admin.refused("POST", url, {"commandGuid": nobody}) == (409, {"commandGuid"})
    assert admin.refused("POST", url, run) == (412, {"parameterValue"})
    assert admin.refused("POST", url, {**run, "parameterValue": None}) == (412, {"parameterValue"})
    assert admin.refused("POST", f"/template-command/device/{nobody}/send", restart) == (409, {"deviceGuid"})
    gateway = admin.devices()["gw-0001"]["guid"]
    assert admin.refused("POST", f"/template-command/device/{gateway}/send", restart) == (
        409,
        {"commandGuid"},
    )
    before = history(admin, device)
    assert (
        admin.do("POST", url, {"COMMANDGUID": restart["commandGuid"].lower(), "parametervalue": None}) == []
    )
    assert len(history(admin, device)) == len(before) + 1


def test_several_devices_and_entities(site, admin, device):
    rows = admin.devices()
    sensors = [row for key, row in rows.items() if key.startswith("sensor-0001")]
    body = {"commandGuid": commands(admin, device)["blink"]["guid"], "applyTo": 2}
    body["devices"] = [row["guid"] for row in sensors]
    assert admin.do("POST", "/template-command/send", body) == []
    assert all(history(admin, row)[0]["cmdText"] == "blink" for row in sensors)
    root = admin.data("/Entity")[0]["guid"]
    entity = {"commandGuid": body["commandGuid"], "applyTo": 1, "entityGuid": root}
    assert admin.refused("POST", "/template-command/send", entity) == (409, {"entityGuid"})
    assert admin.do("POST", "/template-command/send", {**entity, "isRecursive": True}) == []
    total = [
        row for row in admin.data("/template-command/history", pageSize=1000) if row["cmdText"] == "blink"
    ]
    assert len(total) == len(sensors) + sum(key.startswith("sensor") for key in rows)
    for wrong in (
        {"applyTo": 3},
        {"applyTo": 2},
        {"applyTo": 2, "devices": []},
        {"isScheduledCommand": True},
    ):
        assert (
            admin.refused("POST", "/template-command/send", {"commandGuid": body["commandGuid"], **wrong})[0]
            == 412
        )
    assert admin.data("/template-command/CommandSchedule") == []


def test_sending_by_the_devices_own_id(admin, device):
    body = {"commandGuid": commands(admin, device)["blink"]["guid"]}
    url = f"/device-command/{device['uniqueId']}/send"
    assert admin.do("POST", url, body, edition="aws") == []
    assert history(admin, device)[0]["cmdText"] == "blink"
    assert admin("POST", url, body).status_code == 404


def test_an_acknowledgement_by_a_call(site, admin, device, helpers):
    row = send(admin, device)
    url, ack = f"/template-command/{device['guid']}/status", row["commandHistoryGuid"]
    for number, word in enumerate(("In Queue", "In Transit", "Failed", "Executed")):
        site.clock.advance(1000)
        assert admin.do("PUT", url, {"ackId": ack.lower(), "status": number, "statusText": "by hand"}) == []
        now = state(admin, device, ack)
        assert (now["status"], now["statusText"]) == (word, "by hand")
        assert now["statusDate"] == helpers.iso(site.clock.now())
    assert admin.refused("PUT", url, {"ackId": ack, "status": 4}) == (412, {"status"})
    assert admin.refused("PUT", url, {"ackId": "x", "status": 1}) == (409, {"ackId"})
    assert admin.refused("PUT", url, {"ackId": ack, "status": 1, "statusText": "x" * 101}) == (
        412,
        {"statusText"},
    )
    assert admin.refused("PUT", url, {})[1] == {"ackId", "status"}


def test_only_failed_commands_go_out_again(site, admin, device, helpers):
    row = send(admin, device)
    ack = row["commandHistoryGuid"]
    url = f"/template-command/history/{ack}/re-send"
    assert admin.refused("PUT", url) == (409, {"commandHistoryGuid"})
    admin.do("PUT", f"/template-command/{device['guid']}/status", {"ackId": ack, "status": 2})
    site.clock.advance(1000)
    assert admin.do("PUT", url) == []
    now = state(admin, device, ack)
    assert (now["status"], now["isResend"]) == ("In Transit", True)
    assert now["resendHistory"] == {"resendCount": 1, "execTime": [helpers.iso(site.clock.now())]}
    assert admin.refused("PUT", "/template-command/history/x/re-send")[0] == 409


def test_a_failed_operation_of_the_fleet_goes_out_again(admin):
    rows = admin.devices()
    failed = next(
        row
        for row in admin.data("/template-command/history", pageSize=1000, searchText="Failed")
        if row["status"] == "Failed" and rows[row["uniqueId"]]["isConnected"]
    )
    device = rows[failed["uniqueId"]]
    before = history(admin, device)
    assert admin.do("PUT", f"/template-command/history/{failed['commandHistoryGuid'].lower()}/re-send") == []
    now = state(admin, device, failed["commandHistoryGuid"])
    assert (now["status"], now["isResend"], now["cmdText"]) == ("In Transit", True, failed["cmdText"])
    assert len(history(admin, device)) == len(before)
    admin.do(
        "PUT",
        f"/template-command/{device['guid']}/status",
        {"ackId": failed["commandHistoryGuid"], "status": 2},
    )
    admin.do("PUT", f"/Device/{device['guid']}/status", {"isActive": False})
    path = f"/template-command/history/{failed['commandHistoryGuid']}/re-send"
    assert admin.refused("PUT", path) == (409, {"commandHistoryGuid"})


def test_direct_methods(site, admin, device, helpers):
    methods = {
        row["methodName"]: row
        for row in admin.data(f"/template-direct-method/{device['deviceTemplateGuid']}")
    }
    url = f"/Device/{device['guid']}/direct-method"
    body = {"templateDirectMethodGuid": methods["selfTest"]["guid"], "methodName": "selfTest"}
    body |= {"responseTimeoutInSeconds": 10, "payload": {"deep": [1, None]}}
    answers = [admin.do("POST", url, body)[0] for _ in range(3)]
    assert all(set(one) == {"guid", "status", "responseJson"} for one in answers)
    assert helpers.json.loads(answers[0]["responseJson"])
    rows = admin.data(url)
    assert [row["guid"] for row in rows] == [one["guid"] for one in answers][::-1]
    assert helpers.json.loads(rows[0]["requestJson"]) == {"deep": [1, None]}
    assert admin.refused("POST", url, {**body, "methodName": "other"}) == (409, {"templateDirectMethodGuid"})
    assert admin.refused("POST", url, {})[1] >= {"methodName"}
    fresh = admin.devices()["tracker-10"]["guid"]
    assert admin.data(f"/Device/{fresh}/direct-method") == []
    assert admin("GET", url, edition="aws").status_code == 404


def test_who_only_reads_sends_nothing(site, admin, device, helpers):
    kim = site.member(helpers.INSPECTOR)
    body = {"commandGuid": commands(kim, device)["blink"]["guid"]}
    url = f"/template-command/device/{device['guid']}/send"
    assert kim.refused("POST", url, body) == (403, {"section"})
    assert history(kim, device) == history(admin, device)
