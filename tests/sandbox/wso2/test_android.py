"""Android: the commands of the administrator, the phone's own side, notifications."""

import pytest

ANDROID = "/api/device-mgt/android/v1.0"


def phones(hub, status="ACTIVE"):
    rows = hub.devices(type="android")
    return [row["deviceIdentifier"] for row in rows if row["enrolmentInfo"]["status"] == status]


PLAIN = {
    "ring": "DEVICE_RING",
    "mute": "DEVICE_MUTE",
    "reboot": "REBOOT",
    "location": "DEVICE_LOCATION",
    "info": "DEVICE_INFO",
    "applications": "APPLICATION_LIST",
    "logcat": "LOGCAT",
    "clear-password": "CLEAR_PASSWORD",
    "enterprise-wipe": "ENTERPRISE_WIPE",
    "unlock-devices": "DEVICE_UNLOCK",
}


@pytest.mark.parametrize(("verb", "code"), PLAIN.items())
def test_commands_with_a_plain_array(hub, verb, code):
    name = phones(hub)[0]
    answer = hub("POST", f"{ANDROID}/admin/devices/{verb}", [name, "none"])
    assert answer.status_code == 201
    made = answer.json()
    assert (made["code"], made["type"]) == (code, "COMMAND")
    assert [one["status"] for one in made["activityStatus"]] == ["PENDING", "INVALID"]
    for body in ([], ["none"], {}, "x"):
        assert hub("POST", f"{ANDROID}/admin/devices/{verb}", body).status_code == 400


PASSCODE = {"maxFailedAttempts": 3, "minLength": 6, "pinHistory": 1, "requireAlphanumeric": True}
BODIES = {
    "lock-devices": ("DEVICE_LOCK", {"message": "m", "hardLockEnabled": False}, {"hardLockEnabled": "no"}),
    "wipe": ("WIPE_DATA", {"pin": "1234"}, {"pin": 1234}),
    "control-camera": ("CAMERA", {"enabled": False}, {}),
    "send-notification": ("NOTIFICATION", {"messageText": "t", "messageTitle": "m"}, {"messageTitle": "m"}),
    "configure-wifi": ("WIFI", {"ssid": "s", "password": "p"}, {"password": "p"}),
    "configure-vpn": ("VPN", {"serverAddress": "a", "serverPort": "1"}, {"serverPort": "1"}),
    "encrypt-storage": ("ENCRYPT_STORAGE", {"encrypted": True}, {"encrypted": "yes"}),
    "change-lock-code": ("CHANGE_LOCK_CODE", {"lockCode": "1234"}, {}),
    "set-password-policy": ("PASSCODE_POLICY", PASSCODE, {"minLength": "six"}),
    "set-webclip": ("WEBCLIP", {"identity": "http://x", "title": "t", "type": "install"}, {"title": "t"}),
    "install-application": ("INSTALL_APPLICATION", {"appIdentifier": "a", "type": "public"}, {"type": "x"}),
    "update-application": ("UPDATE_APPLICATION", {"appIdentifier": "a"}, {}),
    "uninstall-application": ("UNINSTALL_APPLICATION", {"appIdentifier": "a"}, {"appIdentifier": 7}),
    "blacklist-applications": ("BLACKLIST_APPLICATIONS", {"appIdentifiers": ["a"]}, {"appIdentifiers": "a"}),
    "upgrade-firmware": ("UPGRADE_FIRMWARE", {"schedule": "2027-01-01", "server": "s"}, {"server": 5}),
    "file-transfer": ("FILE_TRANSFER", {"fileURL": "u"}, {"fileURL": 1}),
}


@pytest.mark.parametrize("verb", BODIES)
def test_commands_with_a_body(hub, verb):
    code, good, bad = BODIES[verb]
    name = phones(hub)[1]
    answer = hub("POST", f"{ANDROID}/admin/devices/{verb}", {"deviceIDs": [name], "operation": good})
    assert answer.status_code == 201
    assert (answer.json()["code"], answer.json()["type"]) == (code, "PROFILE")
    for body in (
        {"deviceIDs": [name], "operation": bad},
        {"deviceIDs": [name]},
        {"deviceIDs": [], "operation": good},
        {"deviceIDs": ["none"], "operation": good},
    ):
        refused = hub("POST", f"{ANDROID}/admin/devices/{verb}", body)
        assert refused.status_code == 400
        assert refused.json()["code"] == 400


PHONE = {
    "name": "GT-I9500",
    "type": "android",
    "deviceIdentifier": "d24f870f390352a41234",
    "enrolmentInfo": {"ownership": "BYOD"},
    "properties": [{"name": "vendor", "value": "samsung"}, {"name": "IMEI", "value": "352099001761481"}],
}
NAME = PHONE["deviceIdentifier"]


def test_a_phones_life(start):
    hub = start(devices=1)
    place = f"{ANDROID}/devices"
    gone = hub("GET", f"{place}/{NAME}/status")
    assert gone.status_code == 404
    assert gone.json()["message"] == f"No Android device is found upon the id '{NAME}'"
    enrolled = hub("POST", place, PHONE)
    assert enrolled.status_code == 200
    assert enrolled.text == (
        '{"responseCode":"OK","responseMessage":"Android device, which carries the id '
        f'\\u0027{NAME}\\u0027 has successfully been enrolled"}}'
    )
    assert hub.get("/devices/android/" + NAME)["deviceInfo"]["IMEI"] == "352099001761481"
    status = hub("GET", f"{place}/{NAME}/status").json()["responseMessage"]
    assert status == f"Status of android device that carries the id '{NAME}' is ACTIVE"
    pending = hub("PUT", f"{place}/{NAME}/pending-operations", [])
    assert pending.status_code == 201
    assert [one["code"] for one in pending.json()] == ["APPLICATION_LIST", "DEVICE_INFO", "DEVICE_LOCATION"]
    first, second, third = pending.json()
    results = [
        {**first, "status": "COMPLETED", "operationResponse": "'[]'"},
        {"code": "DEVICE_LOCATION", "type": "COMMAND", "id": third["id"], "status": "ERROR"},
    ]
    left = hub("PUT", f"{place}/{NAME}/pending-operations", results)
    assert [one["id"] for one in left.json()] == [second["id"]]
    said = hub.get(f"/activities/{first['activityId']}")["activityStatus"][0]["responses"]
    assert said[0]["response"] == "[]"
    new = hub.get("/notifications", status="NEW", limit=100)["notifications"][-1]
    assert (
        new["description"] == f"DEVICE_LOCATION operation failed to execute on device GT-I9500 (ID: {NAME})"
    )
    assert new["operationId"] == third["id"]
    assert hub("PUT", f"{place}/{NAME}", {"name": "renamed"}).status_code == 202
    assert hub("PUT", f"{place}/{NAME}/applications", [{"name": "Mail"}]).status_code == 202
    assert hub("PUT", f"{place}/none/applications", []).status_code == 500
    assert hub("PUT", f"{place}/none/pending-operations", []).status_code == 404
    ended = hub("DELETE", f"{place}/{NAME}").json()["responseMessage"]
    assert ended == f"Android device that carries id '{NAME}' has successfully dis-enrolled"
    assert hub("GET", f"{place}/{NAME}/status").json()["responseMessage"].endswith("is REMOVED")
    assert hub("POST", place, "{broken").status_code == 400


def test_asking_wakes_a_silent_phone(start):
    hub = start(devices=1)
    name = phones(hub, "UNREACHABLE")[0]
    assert hub("PUT", f"{ANDROID}/devices/{name}/pending-operations", []).status_code == 201
    assert hub.get(f"/devices/android/{name}")["enrolmentInfo"]["status"] == "ACTIVE"


def test_simulated_phones_answer_and_failures_are_told(start):
    hub = start(devices=1)
    before = hub.get("/notifications", limit=100)["count"]
    names = phones(hub)
    made = [hub("POST", f"{ANDROID}/admin/devices/ring", names).json()["activityId"] for _ in range(4)]
    hub.clock.advance(500)
    one = hub.get(f"/activities/{made[0]}")["activityStatus"]
    assert {each["status"] for each in one} >= {"IN_PROGRESS"}
    hub.clock.advance(5_000)
    ended = [each for name in made for each in hub.get(f"/activities/{name}")["activityStatus"]]
    assert {each["status"] for each in ended} == {"COMPLETED", "ERROR"}
    failed = sum(each["status"] == "ERROR" for each in ended)
    assert hub.get("/notifications", limit=100)["count"] == before + failed


# notifications


def test_notifications(start):
    hub = start(devices=1)
    found = hub.get("/notifications")
    assert found["count"] == len(found["notifications"]) == 3
    one = found["notifications"][0]
    assert list(one) == [
        "id",
        "description",
        "operationId",
        "status",
        "deviceIdentifier",
        "deviceName",
        "deviceType",
    ]
    activity = hub.get(f"/activities/ACTIVITY_{one['operationId']}/android/{one['deviceIdentifier']}")
    assert activity["activityStatus"][0]["status"] == "ERROR"
    checked = hub("PUT", f"/notifications/{one['id']}/mark-checked")
    assert checked.json() == {**one, "status": "CHECKED"}
    assert hub.get("/notifications", status="CHECKED")["count"] == 1
    assert hub.get("/notifications", status="NEW")["count"] == 2
    assert hub("GET", "/notifications?status=OLD").status_code == 400
    assert hub("PUT", "/notifications/99/mark-checked").status_code == 404
    assert hub("PUT", "/notifications/clear-all").status_code == 200
    assert hub.get("/notifications", status="NEW") == {"notifications": [], "count": 0}
