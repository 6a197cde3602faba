"""Each chapter of the API against the sandbox: a life cycle of a device, and what stands around it."""

import inspect
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from iotnb import errors, times
from iotnb.platforms.wso2 import WSO2
from iotnb.platforms.wso2.api import activities
from iotnb.platforms.wso2.api.android import PARAMETERS, PLAIN

TYPE, ID = "boiler", "00422"


@pytest.fixture
def api(whole: WSO2) -> Any:
    return whole.api


@pytest.fixture
def boiler(api: Any) -> Iterator[Any]:
    """A device type with an event definition and one enrolled device, as an administrator makes them."""
    definition = {
        "properties": ["buildingId"],
        "features": [{"code": "ring", "name": "ring", "description": "it rings"}],
        "description": "heats water",
    }
    if TYPE not in api.types.list():
        api.types.create(TYPE, definition)
    api.events.define(TYPE, {"temperature": "DOUBLE", "status": "STRING", "humidity": "FLOAT"})
    assert api.agent.enroll(TYPE, ID, name="boiler 1", properties={"buildingId": "wso2"}) is True
    yield api
    api.agent.disenroll(TYPE, ID)


def test_a_whole_life_of_a_device(boiler: Any, whole: WSO2) -> None:
    api = boiler
    with pytest.raises(errors.Conflict, match="already available"):
        api.types.create(TYPE, {"properties": [], "features": []})
    with pytest.raises(errors.Invalid, match="enrolled already"):
        api.agent.enroll(TYPE, ID, name="boiler 1")
    sent = api.devices.send(TYPE, [ID], code="ring", operation="CONFIG", payload="volume:30%")
    assert sent["activityId"].startswith("ACTIVITY_")
    (waiting,) = [each for each in api.agent.pending(TYPE, ID) if each["code"] == "ring"]
    assert waiting["payLoad"] == "volume:30%"
    assert api.agent.next(TYPE, ID)["id"] == waiting["id"]
    api.agent.answer(TYPE, ID, operation=waiting["id"], status="ERROR", response="no bell")
    assert api.agent.pending(TYPE, ID) == []
    assert [each["id"] for each in api.agent.with_status(TYPE, ID, "ERROR")] == [waiting["id"]]
    frame = whole.operations(f"{TYPE}/{ID}")
    row = frame[frame["operation"] == sent["activityId"]].iloc[0]
    assert (row["status"], row["failure"], row["kind"]) == ("FAILED", "no bell", "ring")

    api.agent.publish(TYPE, ID, {"temperature": 10, "status": "workingh", "humidity": 20})
    time.sleep(0.002)
    api.agent.publish_values(TYPE, ID, [20, "workingh", 20])
    latest = whole.latest(f"{TYPE}/{ID}").set_index("series")
    assert latest.loc["temperature", "value"] == 20.0
    assert latest.loc["status", "text"] == "workingh"
    assert len(whole.measurements(f"{TYPE}/{ID}", since="1h")) >= 6
    last = api.events.last(TYPE, ID).text
    assert (
        '"values":{"temperature":20.0,"humidity":20.0,"_version":"1.0.0","meta_deviceId":"00422","status":"workingh"}'
        in last
    )


def test_publishing_wants_all_attributes(boiler: Any) -> None:
    boiler.types.create("boiler2", {"properties": [], "features": [], "description": "another"})
    boiler.events.define("boiler2", {"a": "INT", "b": "INT"})
    boiler.agent.enroll("boiler2", "1", name="second")
    with pytest.raises(errors.Invalid, match="exactly the attributes"):
        boiler.agent.publish("boiler2", "1", {"a": 1})
    boiler.agent.disenroll("boiler2", "1")


def test_types_and_their_definitions(api: Any) -> None:
    names = api.types.list()
    assert {"android", "windows", "firealarm"} <= set(names)
    assert {each["name"] for each in api.types.details()} == set(names)
    assert api.types.get("firealarm")["name"] == "firealarm"
    assert api.types.get("nothing") == {}
    assert [each["code"] for each in api.types.features("firealarm")]
    assert api.events.definition("firealarm")["transport"] in {"HTTP", "MQTT"}
    assert api.events.definition("windows") is None
    with pytest.raises(errors.Invalid):
        api.events.definition("nothing")


def test_what_is_known_of_a_device(api: Any) -> None:
    phone = next(each for each in api.devices.list(type="android", status="ACTIVE"))
    identifier = phone["deviceIdentifier"]
    assert api.devices.get("android", identifier)["name"] == phone["name"]
    assert api.devices.info("android", identifier)["deviceModel"]
    assert api.devices.location("android", identifier)["latitude"]
    assert api.devices.location("android", "nobody") == {}
    assert api.devices.features("android", identifier)
    assert isinstance(api.devices.applications("android", identifier), list)
    assert isinstance(api.devices.effective_policy("android", identifier), dict)
    assert api.devices.compliance("android", identifier)["deviceID"]
    assert api.devices.known("android", identifier)
    assert not api.devices.known("android", "nobody")
    with pytest.raises(errors.NotFound, match="device type and identifier together"):
        api.devices.get("android", "nobody")
    model = api.devices.info("android", identifier)["deviceModel"]
    found = api.devices.search([{"key": "deviceModel", "value": model}])
    assert identifier in {each["deviceIdentifier"] for each in found}
    assert len(api.devices.all_tenants()) >= len(api.devices.list(type="android"))


def test_names_and_states_of_devices(boiler: Any) -> None:
    assert boiler.devices.rename(TYPE, ID, "boiler one") is True
    assert boiler.devices.get(TYPE, ID)["name"] == "boiler one"
    assert boiler.devices.change_status(TYPE, ID, "UNREACHABLE")
    assert boiler.devices.list(type=TYPE, status="UNREACHABLE")
    boiler.agent.set_properties(TYPE, ID, {"buildingId": "other"})
    boiler.agent.modify(TYPE, ID, {"name": "boiler two", "enrolmentInfo": {"status": "ACTIVE"}})


def test_activities(api: Any, whole: WSO2) -> None:
    since = times.now() - timedelta(days=30)
    listed = api.activities.list(since=since)
    assert len({each["activityId"] for each in listed}) == len(listed) > 5
    one = listed[0]
    status = activities.statuses(one)[0]["deviceIdentifier"]
    assert api.activities.get(one["activityId"])["code"] == one["code"]
    own = api.activities.of_device(one["activityId"], type=status["type"], device_id=status["id"])
    assert len(activities.statuses(own)) == 1
    assert {each["code"] for each in api.activities.of_code(one["code"])} == {one["code"]}
    two = [each["activityId"] for each in listed[:2]]
    assert {each["activityId"] for each in api.activities.some(two)} == set(two)
    with pytest.raises(errors.NotFound):
        api.activities.get("ACTIVITY_99999999")


def test_an_activity_that_was_cut_at_the_edge_of_a_page_is_one_again() -> None:
    def part(*ids: str) -> Any:
        return {
            "activityId": "ACTIVITY_1",
            "activityStatus": [{"deviceIdentifier": {"type": "t", "id": i}} for i in ids],
        }

    (whole,) = activities.merged([part("1", "2"), part("2", "3")])
    assert [each["deviceIdentifier"]["id"] for each in whole["activityStatus"]] == ["1", "2", "3"]


def test_an_ordinary_user_is_told_that_activities_are_for_admins(enter: Any) -> None:
    client = enter(username="user111", password="user111", application_name="plain user")
    with pytest.raises(errors.Forbidden, match="users with the role admin only"):
        client.api.activities.list(since=times.now() - timedelta(days=1))
    assert client.session.auth.renewals == 0


@pytest.mark.parametrize("verb", sorted(PLAIN))
def test_android_verbs_without_parameters(api: Any, verb: str) -> None:
    phone = api.devices.list(type="android", status="ACTIVE")[0]["deviceIdentifier"]
    sent = api.android.send(verb, [phone], confirm=verb == "enterprise-wipe")
    assert sent["activityId"].startswith("ACTIVITY_")
    assert sent["code"] == PLAIN[verb]


def test_android_verbs_with_parameters_and_without_sense(api: Any) -> None:
    phone = api.devices.list(type="android", status="ACTIVE")[0]["deviceIdentifier"]
    parameters = {"messageText": "noon", "messageTitle": "lunch"}
    sent = api.android.send("send-notification", [phone], parameters=parameters)
    assert sent["code"] == PARAMETERS["send-notification"][0]
    with pytest.raises(errors.ConfigError, match="no verb 'explode'"):
        api.android.send("explode", [phone])
    with pytest.raises(errors.ConfigError, match="confirm=True"):
        api.android.send("wipe", [phone], parameters={"pin": "1"})
    with pytest.raises(errors.ConfigError, match="takes no parameters"):
        api.android.send("ring", [phone], parameters={"a": 1})
    with pytest.raises(errors.Invalid):
        api.android.send("ring", ["nobody"])


def test_the_side_of_an_android_device(api: Any, whole: WSO2) -> None:
    document = {
        "name": "agent",
        "type": "android",
        "deviceIdentifier": "agent1",
        "enrolmentInfo": {"ownership": "BYOD"},
    }
    answer = api.android.enroll(document)
    assert answer["responseCode"] == "OK" or "success" in answer["responseMessage"]
    waiting = api.android.pending("agent1")
    assert {"APPLICATION_LIST", "DEVICE_INFO", "DEVICE_LOCATION"} <= {each["code"] for each in waiting}
    location = next(each for each in waiting if each["code"] == "DEVICE_LOCATION")
    result = {**location, "status": "ERROR", "operationResponse": "no fix"}
    before = len(api.notifications.list())
    api.android.pending("agent1", [result])
    told = api.notifications.list(status="NEW")
    assert len(api.notifications.list()) == before + 1
    raised = next(each for each in told if each["deviceIdentifier"] == "agent1")
    alarms = whole.alarms("android/agent1")
    assert alarms["status"].tolist() == ["ACTIVE"]
    assert alarms["type"].tolist() == ["DEVICE_LOCATION"]
    assert api.notifications.check(raised["id"])["status"] == "CHECKED"
    assert whole.alarms("android/agent1")["status"].tolist() == ["CLEARED"]
    api.android.report_applications("agent1", [{"name": "Mail", "version": "1"}])
    assert "ACTIVE" in str(api.android.status("agent1"))
    api.android.disenroll("agent1")
    with pytest.raises(errors.NotFound):
        api.android.status("never-there")


def test_groups(api: Any) -> None:
    before = len(api.groups.list())
    api.groups.create("pump room", description="where pumps are")
    with pytest.raises(errors.Conflict):
        api.groups.create("pump room")
    (group,) = api.groups.list(name="pump room")
    number = group["id"]
    assert api.groups.count() == before + 1
    assert api.groups.count_all() >= api.groups.count()
    assert len(api.groups.all()) == api.groups.count_all()
    devices = [(each["type"], each["deviceIdentifier"]) for each in api.devices.list(type="android")[:3]]
    api.groups.add(number, devices)
    assert api.groups.device_count(number) == 3
    assert [each["deviceIdentifier"] for each in api.groups.devices(number)] == [name for _, name in devices]
    assert number in {each["id"] for each in api.groups.of_device(*devices[0])}
    api.groups.remove(number, devices[:1])
    assert api.groups.device_count(number) == 2
    api.groups.assign(*devices[0], groups=[number])
    assert api.groups.device_count(number) == 3
    api.groups.share(number, ["admin"])
    assert "admin" in api.groups.roles(number)
    api.groups.update(number, name="pump hall")
    assert api.groups.get(number)["name"] == "pump hall"
    api.groups.delete(number)
    with pytest.raises(errors.NotFound):
        api.groups.get(number)


def test_a_group_is_a_query_of_devices(whole: WSO2) -> None:
    group = whole.api.groups.list()[0]
    found = whole.devices(query=f"group={group['id']}")
    assert len(found) == whole.api.groups.device_count(group["id"]) > 0


def test_users_and_roles(api: Any) -> None:
    assert {"admin", "user111"} <= {each["username"] for each in api.users.list()}
    assert api.users.count() == len(api.users.list())
    assert {"username": "user111"}.items() <= api.users.get("user111").items()
    assert [each["username"] for each in api.users.search("user1")] == ["user111"]
    with pytest.raises(errors.NotFound):
        api.users.get("nobody")
    person = {
        "username": "newcomer",
        "firstname": "New",
        "lastname": "Comer",
        "emailAddress": "n@example.com",
    }
    assert api.users.create({**person, "roles": []})
    with pytest.raises(errors.Conflict):
        api.users.create({**person, "roles": []})
    assert "admin" in api.roles.list()
    api.roles.create("operators", users=["newcomer"])
    assert "operators" in api.roles.list()
    assert api.roles.filtered("oper") == ["operators"]
    api.roles.combine("operators and more", ["operators", "admin"])
    assert "operators and more" in api.roles.list()
    api.users.invite(["newcomer"])


def test_passwords_are_changed_and_not_shown(whole: WSO2, enter: Any) -> None:
    person = {"username": "changer", "firstname": "C", "lastname": "H", "emailAddress": "c@example.com"}
    whole.api.users.create({**person, "roles": ["Internal/devicemgt-user"]})
    whole.api.users.set_password("changer", "first-pass-77")
    own = enter(username="changer", password="first-pass-77", scopes="all", application_name="changer")
    own.api.users.change_password("first-pass-77", "second-pass-88")
    assert enter(username="changer", password="second-pass-88", application_name="changer 2").logged_in
    with pytest.raises(errors.Unauthorized):
        enter(username="changer", password="first-pass-77", application_name="changer 3")
    for each in (*whole.exchanges, *own.exchanges):
        assert "pass-77" not in each.http()
        assert "pass-88" not in each.http()


def test_policies(api: Any) -> None:
    before = api.policies.list()
    profile = {
        "profileName": "quiet",
        "deviceType": "android",
        "profileFeaturesList": [
            {"featureCode": "CAMERA", "deviceType": "android", "content": {"enabled": False}}
        ],
    }
    made = api.policies.create(
        {"policyName": "quiet", "description": "", "compliance": "enforce", "ownershipType": "BYOD",
         "active": False, "profile": profile, "roles": ["ANY"], "users": []}
    )  # fmt: skip
    assert len(api.policies.list()) == len(before) + 1  # asked without a limit the server gives none
    number = made["id"]
    assert "activated" in str(api.policies.activate([number]))
    api.policies.set_priorities({number: 1})
    assert "success" in str(api.policies.apply())
    assert api.policies.get(number)["policyName"] == "quiet"
    api.policies.deactivate([number])
    api.policies.remove([number])
    with pytest.raises(errors.NotFound):
        api.policies.get(number)


def test_settings_and_certificates(api: Any) -> None:
    assert "configuration" in api.configuration.get()
    assert "configuration" in api.android.configuration()
    assert api.certificates.get("0815") == []
    api.certificates.create("0815", "-----BEGIN CERTIFICATE-----")
    assert len(api.certificates.get("0815")) == 1
    assert any("0815" in str(each) for each in api.certificates.list())
    api.certificates.delete("0815")
    with pytest.raises(errors.NotFound):
        api.certificates.delete("0815")


def test_geo_services(api: Any, switches: dict[str, Any]) -> None:
    phone = api.devices.list(type="android", status="ACTIVE")[0]["deviceIdentifier"]
    window = {"start": times.now() - timedelta(days=2), "end": times.now()}
    with pytest.raises(errors.Invalid, match="does not publish locations"):
        api.geo.locations("android", phone, **window)
    switches["geo_publishing"] = True
    assert len(api.geo.locations("android", phone, **window)) <= 100
    assert isinstance(api.geo.alerts("android", phone, **window), list)
    assert isinstance(api.geo.rules("Within", type="android", id=phone), list)


def test_every_method_is_documented_and_types_its_answer(api: Any) -> None:
    chapters = vars(api)
    assert len(chapters) == 16
    for name, chapter in chapters.items():
        for method, found in inspect.getmembers(type(chapter), inspect.isfunction):
            if not method.startswith("_"):
                assert inspect.getdoc(found), f"{name}.{method}"
                assert "return" in found.__annotations__, f"{name}.{method}"


@pytest.mark.parametrize("wrong", ["", " ", ".", "..", None, 1.5, True])
def test_what_is_no_identifier_is_refused_before_anything_is_sent(api: Any, whole: WSO2, wrong: Any) -> None:
    sent = whole.session.counters.requests
    with pytest.raises(errors.ConfigError, match="cannot be"):
        api.devices.info("android", wrong)
    assert whole.session.counters.requests == sent


def test_an_identifier_is_one_segment_whatever_it_holds(api: Any) -> None:
    with pytest.raises(errors.NotFound):
        api.devices.get("android", "a/../b?c=d")
