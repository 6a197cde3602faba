"""The device side over HTTPS: derived keys, provisioning, telemetry, messages from the cloud."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from iotnb.sandbox.iotcentral.keys import Signed, derive

PHONE = "dtmi:azureiot:PhoneAsADevice;2"
ACCELEROMETER = (
    f"SELECT $id as ID, $ts as timestamp, sensors.accelerometer FROM {PHONE} "
    "WHERE WITHIN_WINDOW(P1D) AND sensors.accelerometer <> NULL"
)


def test_vectors_of_keys_and_signatures() -> None:
    group = "MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA="
    key = derive(group, "phone-001")
    assert key == "DU49uFn8KWFfZrZrJClY7WDKamKG5Bc/jNRomG2ewew="
    for resource, signature in {
        "0ne00ABCDEF/registrations/phone-001": "hZNfEfhCbtUbRd9D9QWfztw45U1p+p8bflFHyINbJhU=",
        "0ne00ABCDEF%2Fregistrations%2Fphone-001": "ANXX+HSCm+NkfmxbNV+APwgXYzrdkHoZ+dRIVeS7dLM=",
        "iotc-1.azure-devices.net%2Fdevices%2Fphone-001": "0KKLUwRfUkSJpxKyhCwe5YXxw5YeUkwYaWlhJ0PSrZE=",
    }.items():
        signed = Signed(
            f"SharedAccessSignature sr={resource}&sig={signature.replace('+', '%2B')}&se=1893456000"
        )
        assert signed.made_with(key)
        assert not signed.made_with(group)


def test_a_phone_provisions_itself_and_gets_its_template(rig: Any, admin: Any, phone: Any) -> None:
    device = phone("prov-1")
    assert admin.get("/devices/prov-1")["provisioned"] is False
    final = device.register()
    state = final["registrationState"]
    assert state["deviceId"] == state["registrationId"] == "prov-1"
    assert (state["status"], state["substatus"]) == ("assigned", "initialAssignment")
    assert {"assignedHub", "createdDateTimeUtc", "lastUpdatedDateTimeUtc", "etag"} <= set(state)
    found = admin.get("/devices/prov-1")
    assert found["provisioned"] is True
    assert found["template"] == PHONE
    template = admin.get(f"/deviceTemplates/{PHONE}")
    assert template["displayName"] == "IoT Plug and Play mobile"
    info = admin.get("/devices/prov-1/components/device_info/properties")
    assert {
        "manufacturer",
        "model",
        "swVersion",
        "osName",
        "totalStorage",
        "totalMemory",
        "$metadata",
    } <= set(info)
    assert device.dps("POST", "").json["deviceId"] == "prov-1"
    kept = admin.put("/devices/prov-1", {"displayName": "My phone app", "simulated": False, "enabled": True})
    assert (kept["provisioned"], kept["template"]) == (True, PHONE)


def test_registration_needs_the_right_signature(rig: Any, admin: Any, phone: Any) -> None:
    device = phone("prov-2")
    good = device.key
    for key in (
        base64.b64encode(b"x" * 32).decode(),
        admin.get("/devices/gw-0001/credentials")["symmetricKey"]["primaryKey"],
    ):
        device.key = key
        refused = device.dps("PUT", "/register", {})
        assert refused.status == 401
        assert refused.json["errorCode"] == 401002
        assert {"trackingId", "message"} <= set(refused.json)
    device.key = good
    assert device.dps("PUT", "/register", {"registrationId": "other"}).status == 400
    assert device.dps("GET", "/operations/4.none").status == 404
    headers = {"Authorization": "Bearer x"}
    path = f"/{device.scope}/registrations/prov-2/register"
    assert device.caller("PUT", f"{path}?api-version=2019-03-31", {}, headers=headers).status == 401
    assert device.caller("PUT", path, {}, headers=headers).status == 400
    device.scope = "0ne00NOWHERE"
    assert device.dps("PUT", "/register", {}).status == 401


def test_a_blocked_device_stays_out(admin: Any, phone: Any) -> None:
    device = phone("prov-3")
    device.register()
    assert device.send({"battery": 1}).status == 204
    admin("PATCH", "/devices/prov-3", {"enabled": False})
    assert device.dps("PUT", "/register", {}).status == 401
    refused = device.send({"battery": 1})
    assert refused.status == 401
    assert "IotHubUnauthorizedAccess" in refused.json["Message"]


def test_a_device_of_an_enrollment_group_is_made_when_it_comes(rig: Any, admin: Any, phone: Any) -> None:
    body = {"displayName": "G", "type": "iot", "attestation": {"type": "symmetricKey"}}
    group = admin.put("/enrollmentGroups/many", body)["attestation"]["symmetricKey"]["primaryKey"]
    device = phone("prov-template")
    device.name = "from-group-1"
    secret = base64.b64decode(group)
    device.key = base64.b64encode(hmac.new(secret, b"from-group-1", hashlib.sha256).digest()).decode()
    device.register("dtmi:com:example:Thermostat;1")
    found = admin.get("/devices/from-group-1")
    assert (found["provisioned"], found["template"]) == (True, "dtmi:com:example:Thermostat;1")
    device.send({"temperature": 21.5}, "")
    assert admin.get("/devices/from-group-1/telemetry/temperature")["value"] == 21.5
    admin("PATCH", "/enrollmentGroups/many", {"enabled": False})
    assert device.send({"temperature": 22}, "").status == 401


def test_an_unknown_model_leaves_a_device_unassigned(admin: Any, phone: Any) -> None:
    device = phone("prov-4")
    device.register("dtmi:no:such;1")
    found = admin.get("/devices/prov-4")
    assert found["provisioned"] is True
    assert "template" not in found


def test_registrations_are_limited(make: Callable[..., Any], phone: Any) -> None:
    rig = make()
    device = type(phone("prov-limit"))(rig, "x", "", "")
    admin = rig.role()
    admin.put("/devices/x", {})
    found = admin.get("/devices/x/credentials")
    device.scope, device.key = found["idScope"], found["symmetricKey"]["primaryKey"]
    statuses = [device.dps("PUT", "/register", {}).status for _ in range(205)]
    assert statuses[:200] == [202] * 200
    assert 429 in statuses[200:]


# telemetry


def test_telemetry_is_stored_and_queried(admin: Any, phone: Any) -> None:
    device = phone("tele-1")
    device.register()
    sent = {"accelerometer": {"x": 0.1, "y": 0.2, "z": 9.8}}
    assert (device.send(sent).status, device.send({"battery": 97}).status) == (204, 204)
    rows = [row for row in admin.query(ACCELEROMETER) if row["ID"] == "tele-1"]
    assert [row["sensors.accelerometer"] for row in rows] == [sent["accelerometer"]]
    found = admin.get("/devices/tele-1/components/sensors/telemetry/battery")
    assert found["value"] == 97
    assert admin.get("/devices/tele-1/components/sensors/telemetry/gyroscope") == {}
    both = admin.query(
        f"SELECT sensors.battery AS b, sensors.accelerometer AS a FROM {PHONE} "
        "WHERE $id = 'tele-1' ORDER BY $ts"
    )
    assert both == [{"b": None, "a": sent["accelerometer"]}, {"b": 97, "a": None}]
    assert admin.query(f"SELECT AVG(sensors.battery) AS m FROM {PHONE} WHERE $id = 'tele-1'") == [{"m": 97.0}]
    assert "numbers" in admin.refused(f"SELECT AVG(sensors.accelerometer) FROM {PHONE}")


def test_a_message_may_bring_its_own_time(admin: Any, phone: Any) -> None:
    device = phone("tele-2")
    device.register()
    device.send({"battery": 5}, **{"iothub-app-iothub-creation-time-utc": "2021-05-04T21:59:39.153Z"})
    found = admin.get("/devices/tele-2/components/sensors/telemetry/battery")
    assert found == {"value": 5, "timestamp": "2021-05-04T21:59:39.153Z"}
    assert admin.query(f"SELECT sensors.battery FROM {PHONE} WHERE $id = 'tele-2'") == []


def test_a_batch_and_a_chunked_body(admin: Any, phone: Any) -> None:
    device = phone("tele-3")
    device.register()
    encoded = base64.b64encode(json.dumps({"battery": 1}).encode()).decode()
    batch = [
        {"body": encoded, "properties": {"a": "b"}},
        {"body": json.dumps({"battery": 2}), "base64Encoded": False},
    ]
    assert device.send(batch, **{"Content-Type": "application/vnd.microsoft.iothub.json"}).status == 204
    pieces = iter([b'{"batt', b'ery": 3}'])
    connection = device.caller.connection
    from urllib.parse import quote

    resource = quote(f"{device.hub}/devices/tele-3", safe="")
    se = int(time.time()) + 60
    sig = hmac.new(base64.b64decode(device.key), f"{resource}\n{se}".encode(), hashlib.sha256).digest()
    header = (
        f"SharedAccessSignature sr={resource}&sig={quote(base64.b64encode(sig).decode(), safe='')}&se={se}"
    )
    headers = {"Authorization": header, "iothub-app-$.sub": "sensors"}
    path = "/devices/tele-3/messages/events?api-version=2021-04-12"
    connection.request("POST", path, pieces, headers, encode_chunked=True)
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (204, b"")
    rows = admin.query(f"SELECT sensors.battery AS b FROM {PHONE} WHERE $id = 'tele-3' ORDER BY b")
    assert [row["b"] for row in rows] == [1, 2, 3]


def test_what_the_hub_refuses(admin: Any, phone: Any) -> None:
    device = phone("tele-4")
    device.hub = device.caller.connection.host
    assert device.send({"battery": 1}).status == 401  # not provisioned yet
    device.register()
    assert device.send({"battery": "x" * 300_000}).status == 413
    assert device.send("no json").status == 204
    assert device.send([1, 2]).status == 204
    assert admin.get("/devices/tele-4/components/sensors/telemetry/battery") == {}
    broken = device.send("no json", **{"Content-Type": "application/vnd.microsoft.iothub.json"})
    assert broken.status == 400
    device.hub = "elsewhere.example.com"
    assert device.send({"battery": 1}).status == 401


def test_a_command_reaches_the_phone(admin: Any, phone: Any) -> None:
    device = phone("light-1")
    device.register()
    path = "/devices/light-1/commands/lightOn"
    request = {"duration": 3, "delay": 1, "pulses": 2}
    assert admin("POST", path, {"request": request}).status == 408
    assert device.bound().status == 204  # connects
    answer = admin("POST", path, {"request": request})
    assert answer.status == 201
    assert {"id", "request", "response", "responseCode"} == set(answer.json)
    message = device.bound()
    assert message.status == 200
    assert message.json == request
    assert message.headers["iothub-app-method-name"] == "lightOn"
    assert device.bound("DELETE", f"/{message.headers['ETag'].strip(chr(34))}").status == 204
    assert device.bound().status == 204
    assert device.bound("DELETE", "/none").status == 412


def test_a_phone_that_is_silent_is_off_line(make: Callable[..., Any], phone: Any) -> None:
    rig = make()
    admin = rig.role()
    admin.put("/devices/dark", {})
    found = admin.get("/devices/dark/credentials")
    device = type(phone("dark-0"))(rig, "dark", found["idScope"], found["symmetricKey"]["primaryKey"])
    device.register()
    device.send({"battery": 1})
    path, body = "/devices/dark/commands/lightOn", {"request": {"duration": 1, "delay": 1, "pulses": 1}}
    assert admin("POST", path, body).status == 201
    rig.clock.advance(31_000)
    assert admin("POST", path, body).code == "RequestTimeout"


def test_a_phone_that_connects_by_itself(make: Callable[..., Any]) -> None:
    rig = make(switches={"auto_phone": True})
    operator = rig.role("operator")
    operator.put("/devices/phone-001", {"displayName": "My phone app", "simulated": False, "enabled": True})
    assert operator.get("/devices/phone-001")["provisioned"] is False
    operator.get("/devices/phone-001/credentials")
    found = operator.get("/devices/phone-001")
    assert (found["provisioned"], found["template"]) == (True, PHONE)
    rows = operator.query(ACCELEROMETER)
    assert len(rows) > 20
    assert set(rows[0]["sensors.accelerometer"]) == {"x", "y", "z"}
    lamp = operator("POST", "/devices/phone-001/commands/lightOn", {"duration": 3, "delay": 1, "pulses": 2})
    assert lamp.status == 201


@pytest.mark.parametrize("device_host", ["global.azure-devices-provisioning.net", None])
def test_the_hub_is_named_for_the_host_that_was_asked(rig: Any, phone: Any, device_host: str | None) -> None:
    device = phone("hosted" if device_host else "local")
    request = device.caller
    if device_host:
        device.caller = lambda *args, headers, **more: request(
            *args, headers={**headers, "Host": device_host}, **more
        )
    hub = device.register()["registrationState"]["assignedHub"]
    assert hub.endswith(".azure-devices.net") is bool(device_host)
    if device_host:
        device.caller = lambda *args, headers, **more: request(
            *args, headers={**headers, "Host": hub}, **more
        )
    assert device.send({"battery": 1}).status == 204
