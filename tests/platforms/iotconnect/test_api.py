"""Every chapter of the API against the sandbox, in the platform's own words."""

import contextlib
import threading
from datetime import UTC, date, datetime, timedelta

import pytest

from iotnb import errors
from iotnb.secret import Secret

NOBODY = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def sensor(client):
    return client.api.devices.get("sensor-0001-01")


@pytest.fixture
def own(client):
    """A device of the test's own; it goes with the test."""
    root = next(each for each in client.api.entities.list() if not each["parentEntityGuid"])
    template = next(
        each for each in client.api.templates.list() if each["code"] and each["name"] == "Pump PX-7"
    )
    name = f"own {threading.get_ident() % 10_000}/ü"
    body = {
        "uniqueId": name,
        "displayName": "Own",
        "entityGuid": root["guid"],
        "deviceTemplateGuid": template["guid"],
    }
    made = client.api.devices.create(body)
    yield {**body, "guid": made["newid"]}
    with contextlib.suppress(errors.NotFound):
        client.api.devices.delete(made["newid"])


# -- devices


def test_a_device_from_its_making_to_its_end(client, own):
    devices = client.api.devices
    with pytest.raises(errors.Conflict):
        devices.create({name: value for name, value in own.items() if name != "guid"})
    found = devices.get(own["uniqueId"])
    assert found["guid"].upper() == own["guid"].upper()
    assert found["displayName"] == "Own"
    devices.update(own["guid"], {"displayName": "Mine", "entityGuid": own["entityGuid"]})
    assert devices.get(own["uniqueId"])["displayName"] == "Mine"
    devices.acquire(own["uniqueId"])
    with pytest.raises(errors.Conflict):
        devices.acquire(own["uniqueId"])
    assert devices.get(own["uniqueId"])["deviceStatus"] == "Acquired"
    devices.release(own["uniqueId"])
    devices.set_active(own["guid"], False)
    with pytest.raises(errors.Conflict):
        devices.acquire(own["uniqueId"])
    assert own["uniqueId"] in {each["uniqueId"] for each in devices.list(Status="inactive")}
    assert own["uniqueId"] in set(client.devices(text="mine")["device"])
    devices.delete(own["guid"])
    with pytest.raises(errors.NotFound):
        devices.get(own["uniqueId"])


def test_a_device_by_guid_is_for_aws(enter, sensor):
    assert enter(edition="aws").api.devices.by_guid(sensor["guid"])["uniqueId"] == sensor["uniqueId"]
    with pytest.raises(errors.NotFound):
        enter(edition="az").api.devices.by_guid(sensor["guid"])


def test_lists_of_devices_by_where_they_are(each, served):
    devices = each.api.devices
    whole = {row["guid"] for row in devices.list()}
    gateway = devices.get("gw-0001")
    assert {row["uniqueId"] for row in devices.children(gateway["guid"])} == {
        served.fleet[i].key for i in served.fleet.children(0)
    }
    assert {row["guid"] for row in devices.of_template(gateway["deviceTemplateGuid"])} <= whole
    assert gateway["guid"] in {row["guid"] for row in devices.of_entity(gateway["entityGuid"])}
    assert {row["guid"] for row in devices.of_company(each.account["company"])} == whole
    assert len(devices.lookup()) >= len(served.fleet)


def test_numbers_about_devices(client):
    devices = client.api.devices
    counters = devices.counters()
    assert counters["total"] == devices.count() == len(devices.lookup(getChildDevice=True))
    assert counters["inActive"] == devices.count(status="inactive")
    assert devices.connected("gw-0001") == bool(devices.get("gw-0001")["isConnected"])
    assert devices.recent_activity(count=3)


def test_settings_are_read_and_wished(client, sensor):
    templates = client.api.settings.list(sensor["deviceTemplateGuid"])
    rows = client.api.devices.settings(sensor["uniqueId"])
    assert {each["localName"] for each in rows} == {each["localName"] for each in templates}
    setting = next(each for each in rows if not each["isReadOnly"])
    value = "INFO" if setting["dataTypeName"] == "STRING" else "30"
    client.api.devices.set_setting(sensor["uniqueId"], setting, value)
    again = next(
        each
        for each in client.api.devices.settings(sensor["uniqueId"])
        if each["localName"] == setting["localName"]
    )
    assert str(again["desiredValue"]) == value
    assert client.api.devices.twin(sensor["uniqueId"])


def test_what_happened_to_a_connection(client, served):
    pages = list(client.api.devices.lifecycle("gw-0001"))
    moments = [row["changeDate"] for page in pages for row in page.items]
    assert moments == sorted(moments, reverse=True)
    assert moments
    days = [date.fromtimestamp(served.clock.now() / 1000) - timedelta(days=n) for n in range(16)]
    assert any(client.api.devices.rejected(day) for day in days)


def test_diagnostics_are_for_azure(enter):
    today, before = f"{datetime.now(UTC):%Y-%m-%d}", f"{datetime.now(UTC) - timedelta(days=3):%Y-%m-%d}"
    assert "data" in enter(edition="az").api.devices.diagnostics("gw-0001", before, today)
    with pytest.raises(errors.NotFound):
        enter(edition="aws").api.devices.diagnostics("gw-0001", before, today)


# -- templates


def test_templates_are_named_in_two_ways(each):
    templates = each.api.templates
    rows = templates.list()
    one = templates.get(rows[0]["guid"])
    assert (one["templateCode"], one["templateName"]) == (rows[0]["code"], rows[0]["name"])
    assert templates.by_code(rows[0]["code"])["guid"] == one["guid"]
    assert {row["guid"] for row in templates.lookup()} == {row["guid"] for row in rows}
    assert {row["name"] for row in templates.data_types()} >= {"STRING", "NUMBER", "BOOLEAN"}
    with pytest.raises(errors.NotFound) as caught:
        templates.get(NOBODY)
    assert caught.value.status == 404
    with pytest.raises(errors.NotFound) as caught:
        templates.by_code("nosuch")
    assert caught.value.status == 409


def test_a_template_comes_as_a_file_and_goes(client):
    document = {
        "code": "nbtest",
        "name": "Notebook test",
        "authType": 5,
        "messageVersion": "2.1",
        "attributes": [{"name": "temperature", "type": "DECIMAL", "unit": "C"}],
    }
    made = client.api.templates.quick(document)
    assert client.api.templates.by_code("nbtest")["guid"] == made["deviceTemplateGuid"]
    client.api.templates.delete(made["deviceTemplateGuid"])
    with pytest.raises(errors.NotFound):
        client.api.templates.by_code("nbtest")


def test_a_template_with_devices_stays(client, sensor):
    with pytest.raises(errors.Conflict):
        client.api.templates.delete(sensor["deviceTemplateGuid"])


# -- telemetry


def test_the_history_by_post_and_by_path_are_the_same(client, served):
    end = datetime.fromtimestamp(served.clock.now() // 60_000 * 60 - 3600, UTC)
    start = end - timedelta(hours=3)
    telemetry = client.api.telemetry
    path = telemetry.page("sensor-0001-01", start, end)
    post = telemetry.attribute_history("sensor-0001-01", start, end)
    assert sorted(each["dTime"] for each in path["feed"]) == sorted(each["dTime"] for each in post["feed"])
    assert [each["dTime"] for each in path["feed"]] == sorted(
        (each["dTime"] for each in path["feed"]), reverse=True
    )
    several = telemetry.devices_history(["sensor-0001-01", "gw-0001"], start, end)
    assert {each["uniqueId"] for each in several["feed"]} == {"sensor-0001-01", "gw-0001"}


def test_the_history_of_several_devices_fails_on_aws(enter):
    end = datetime.now(UTC)
    with pytest.raises(errors.ServerError):
        enter(edition="aws").api.telemetry.devices_history(["gw-0001"], end - timedelta(hours=1), end)


def test_more_than_seven_days_at_once_are_refused_by_the_server(client):
    end = datetime.now(UTC)
    with pytest.raises(errors.Invalid) as caught:
        client.api.telemetry.page("gw-0001", end - timedelta(days=8), end)
    assert caught.value.status == 412


def test_the_last_values_of_a_template(client, sensor):
    listed = client.api.attributes.list(sensor["deviceTemplateGuid"])
    guids = [child["guid"] for each in listed for child in (each.get("attributes") or [each])]
    found = client.api.telemetry.of_templates({sensor["deviceTemplateGuid"]: guids})
    assert sensor["uniqueId"] in {each["deviceUniqueId"] for each in found}


def test_the_way_into_the_live_feed(client):
    found = client.api.telemetry.reader("gw-0001")
    assert {"host", "password", "topic"} <= found.keys()
    with pytest.raises(errors.ConfigError, match="mqtt, stomp"):
        client.api.telemetry.reader("gw-0001", "amqp")


# -- commands


def test_commands_are_sent_to_several_and_acknowledged(client, own):
    commands = client.api.commands
    restart = next(each for each in commands.list(own["deviceTemplateGuid"]) if each["command"] == "restart")
    assert set(restart) == {
        "guid", "name", "command", "requiredParam", "requiredAck", "isOTACommand", "isTemplateCommandUsed",
        "tag", "createdDate", "updatedDate", "devices",
    }  # fmt: skip
    commands.send_to(restart["guid"], devices=[own["guid"]])
    (row,) = commands.history(own["guid"])
    commands.acknowledge(own["guid"], row["commandHistoryGuid"], 2, "no power")
    (row,) = commands.history(own["guid"])
    assert (row["status"], row["statusText"]) == ("Failed", "no power")
    with pytest.raises(errors.Invalid):
        commands.acknowledge(own["guid"], row["commandHistoryGuid"], 2, "x" * 101)
    with pytest.raises(errors.Conflict):
        commands.acknowledge(own["guid"], NOBODY, 3)
    frame = client.operations(own["uniqueId"])
    assert list(frame["status"]) == ["FAILED"]
    assert list(frame["failure"]) == ["no power"]


def test_a_command_to_nobody_is_not_found(client, sensor):
    command = client.api.commands.list(sensor["deviceTemplateGuid"])[0]
    with pytest.raises(errors.NotFound):
        client.api.commands.send(NOBODY, command["guid"])


def test_direct_methods_answer_at_once_on_azure(enter, sensor):
    client = enter(edition="az")
    listed = client.session.get(f"/template-direct-method/{sensor['deviceTemplateGuid']}").json()["data"]
    answer = client.api.methods.call(sensor["guid"], listed[0], {"level": 1})
    assert {"guid", "status", "responseJson"} <= answer.keys()
    assert answer["guid"] in {each["guid"] for each in client.api.methods.history(sensor["guid"])}
    with pytest.raises(errors.NotFound):
        enter(edition="aws").api.methods.history(sensor["guid"])


# -- organization, rules, firmware


def test_the_organization(each):
    entities = each.api.entities.list()
    root = next(one for one in entities if one["parentEntityGuid"] is None)
    assert each.api.entities.get(root["guid"])["name"] == root["name"]
    assert {one["guid"] for one in each.api.entities.lookup()} == {one["guid"] for one in entities}
    with pytest.raises(errors.NotFound):
        each.api.entities.get(NOBODY)
    users = each.api.users.list()
    assert each.user in {one["userId"] for one in users}
    assert each.api.users.get(users[0]["guid"])["userGuid"] == users[0]["guid"]
    assert each.api.users.find(each.user)["userId"] == each.user
    assert each.api.users.identity()["userId"] == each.user
    assert each.account["role"] in {one["name"] for one in each.api.roles.list()}
    with pytest.raises(errors.NotFound):
        each.api.users.find("nobody@example.com")


def test_rules_and_what_they_have_fired(client, served):
    rules = client.api.rules.list()
    assert rules
    one = client.api.rules.get(rules[0]["guid"])
    assert one["name"] == rules[0]["name"]
    assert client.api.rules.counters()
    assert client.api.rules.conditions()
    assert isinstance(client.api.rules.history(rules[0]["guid"]), list)
    end = datetime.fromtimestamp(served.clock.now() / 1000, UTC).date()
    fired = client.api.notifications.list(end - timedelta(days=16), end + timedelta(days=1))
    assert {each["ruleName"] for each in fired} <= {each["name"] for each in rules}
    mine = client.api.notifications.list(
        end - timedelta(days=16), end + timedelta(days=1), unique_id=fired[0]["uniqueId"]
    )
    assert {each["uniqueId"] for each in mine} == {fired[0]["uniqueId"]}


def test_an_expression_is_verified_without_making_a_rule(client, sensor):
    count = len(client.api.rules.list())
    assert client.api.rules.verify(sensor["deviceTemplateGuid"], "environment.temperature > 30")["isValid"]
    assert not client.api.rules.verify(sensor["deviceTemplateGuid"], "nothing.like_it > 30")["isValid"]
    assert len(client.api.rules.list()) == count


def test_the_module_of_events_holds_subscriptions(client):
    events = client.api.events
    for listed in (events.topics(), events.list(), events.delivery_methods(), events.severities()):
        assert isinstance(listed, list)
    assert events.severities()
    assert isinstance(events.subscriptions(), list)


def test_firmware_from_a_draft_to_a_roll_out(client, own):
    firmware = client.api.firmware
    made = firmware.create(own["deviceTemplateGuid"], "nbfw", "rev-a", "9.9.9")
    assert "nbfw" in {each["name"] for each in firmware.list(Name="nbfw")}
    assert isinstance(firmware.get(made["newId"])["Upgrades"], list)
    upgrade = made["firmwareUpgradeGuid"]
    assert upgrade.upper() in {each["guid"].upper() for each in client.api.upgrades.list("Draft")}
    client.api.upgrades.publish(upgrade)
    assert client.api.upgrades.get(upgrade)["isDraft"] == "Released"
    client.api.ota.send(upgrade, devices=[own["guid"]])
    assert len(client.api.ota.of_device(own["guid"])) == 1
    rollout = next(
        each for each in client.api.ota.list() if each["firmwareUpgradeGuid"].upper() == upgrade.upper()
    )
    assert [each["uniqueId"] for each in client.api.ota.get(rollout["guid"])] == [own["uniqueId"]]
    assert isinstance(client.api.ota.recent(own["guid"]), list)
    assert isinstance(client.api.ota.history(), list)
    firmware.deprecate(made["newId"])
    assert firmware.get(made["newId"])["isDeprecated"]
    with pytest.raises(errors.NotFound):
        firmware.get(NOBODY)
    with pytest.raises(errors.ConfigError, match="Released, Draft, both"):
        client.api.upgrades.list("released ones")


def test_the_state_of_roll_outs_is_not_told_on_aws(enter):
    client = enter(edition="aws")
    assert client.api.firmware.list()
    one = client.api.firmware.get(client.api.firmware.list()[0]["guid"])
    assert isinstance(one["Upgrades"], list)  # nested there
    with pytest.raises(errors.NotFound):
        client.api.ota.list()


# -- the login


def test_the_steps_of_the_login_one_by_one(client):
    tokens = client.api.tokens
    basic = tokens.basic()
    answer = tokens.log_in(basic["data"])
    assert isinstance(answer["access_token"], Secret)
    assert isinstance(answer["refresh_token"], Secret)
    assert (answer["token_type"], answer["expires_in"]) == ("bearer", 86400)
    assert tokens.verify()
    claims = tokens.claims()
    assert claims["user"]["userId"] == client.user
    assert "solutionKey" not in claims["user"]


def test_the_addresses_are_those_of_the_edition(enter):
    for edition, version in (("az", "v2"), ("aws", "v2.1"), ("v1.1", "v1.1")):
        api = enter(edition=edition).api
        assert api.addresses()["device"].endswith(f"/api/{version}")
        assert api.session("template").base_url == api.addresses()["template"]
    assert enter(edition="v1.1").api.addresses()["auth"].endswith("/api/v2")
    assert enter(edition="az").api.addresses()["event"].endswith("/api/v1.1")
    with pytest.raises(errors.ConfigError, match="no module 'faq': use one of auth"):
        api.session("faq")
