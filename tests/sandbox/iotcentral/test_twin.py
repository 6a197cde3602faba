"""Properties desired, reported and acknowledged; commands."""

import re
import time
from collections.abc import Callable
from typing import Any

import pytest

CONTROLLER = "dtmi:com:example:TemperatureController;1"
SETTINGS = "components/settings/properties"


def fates(rig: Any, admin: Any) -> dict[str, str]:
    """Device to how it took the setting that everybody got."""
    found = {}
    for device in rig.fleet:
        if rig.fleet.links.never(device.index):
            continue
        one = admin.get(f"/devices/{device.key}/{SETTINGS}")["$metadata"]["reportInterval"]
        if "ackCode" not in one:
            found[device.key] = "silent"
        elif one["ackCode"] >= 400:
            found[device.key] = "refuses"
        else:
            found[device.key] = "accepts" if one["ackVersion"] == one["desiredVersion"] else "slow"
    return found


def online(rig: Any, name: str) -> bool:
    return bool(rig.fleet.online(rig.fleet.index_of(name), rig.clock.now()))


def test_a_device_reports_what_the_fleet_says(rig: Any, admin: Any) -> None:
    device = rig.fleet[0]
    found = admin.get(f"/devices/{device.key}/properties")
    assert found["serialNumber"] == device.serial
    assert (found["imei"], found["iccid"]) == (device.imei, device.iccid)
    assert found["device_info"]["swVersion"] == rig.fleet.firmware(0, rig.clock.now())
    stamp = found["$metadata"]["imei"]["lastUpdateTime"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z", stamp)
    assert found["settings"] == admin.get(f"/devices/{device.key}/{SETTINGS}")
    assert "site" not in found["$metadata"]
    assert found["site"] == device.site


def test_devices_take_settings_differently(rig: Any, admin: Any) -> None:
    assert set(fates(rig, admin).values()) >= {"accepts", "silent"}
    assert len(set(fates(rig, admin).values())) >= 3


def test_a_written_property_is_accepted_then_acknowledged(rig: Any, admin: Any) -> None:
    name = next(n for n, fate in fates(rig, admin).items() if fate == "accepts" and online(rig, n))
    before = admin.get(f"/devices/{name}/{SETTINGS}")["$metadata"]["reportInterval"]["desiredVersion"]
    answer = admin("PATCH", f"/devices/{name}/properties", {"settings": {"reportInterval": 30}})
    assert answer.status == 202
    assert answer.json == {"settings": {"$metadata": {"reportInterval": {"desiredValue": 30}}}}
    found = admin.get(f"/devices/{name}/{SETTINGS}")
    one = found["$metadata"]["reportInterval"]
    assert found["reportInterval"] == one["desiredValue"] == 30
    assert one["desiredVersion"] == one["ackVersion"] == before + 1
    assert (one["ackCode"], one["ackDescription"]) == (200, "Processed")


@pytest.mark.parametrize("fate", ["silent", "slow", "refuses"])
def test_some_devices_never_accept(rig: Any, admin: Any, fate: str) -> None:
    name = next((n for n, one in fates(rig, admin).items() if one == fate and online(rig, n)), None)
    if name is None:
        name = next(n for n, one in fates(rig, admin).items() if one == fate)
    old = admin.get(f"/devices/{name}/{SETTINGS}")
    admin("PATCH", f"/devices/{name}/{SETTINGS}", {"reportInterval": 15})
    found = admin.get(f"/devices/{name}/{SETTINGS}")
    one = found["$metadata"]["reportInterval"]
    assert found["reportInterval"] == old["reportInterval"]
    assert one["desiredValue"] == 15
    assert one.get("ackVersion") != one["desiredVersion"] or one["ackCode"] >= 400


def test_an_acknowledgement_takes_its_time(make: Callable[..., Any]) -> None:
    rig = make(switches={"ack_seconds": 60})
    admin = rig.role()
    admin.put("/devices/ack-1", {"template": "dtmi:com:example:Thermostat;1", "simulated": True})
    path = "/devices/ack-1/properties"
    assert admin("PATCH", path, {"targetTemperature": 21.5}).status == 202
    pending = admin.get(path)
    assert "targetTemperature" not in pending
    assert "ackCode" not in pending["$metadata"]["targetTemperature"]
    rig.clock.advance(61_000)
    assert admin.get(path)["targetTemperature"] == 21.5


def test_put_replaces_and_null_takes_back(admin: Any) -> None:
    admin.put("/devices/twin-1", {"template": CONTROLLER, "simulated": True})
    path = "/devices/twin-1/properties"
    admin("PATCH", path, {"thermostat1": {"targetTemperature": 20}, "thermostat2": {"targetTemperature": 22}})
    assert admin("PUT", path, {"thermostat1": {"targetTemperature": 25}}).status == 202
    found = admin.get(path)
    assert found["thermostat1"]["$metadata"]["targetTemperature"]["desiredValue"] == 25
    assert "targetTemperature" not in found["thermostat2"]["$metadata"]
    admin("PATCH", path, {"thermostat1": {"targetTemperature": None}})
    assert "desiredValue" not in str(admin.get(path)["thermostat1"])


def test_cloud_properties_are_set_at_once(rig: Any, admin: Any) -> None:
    name = rig.fleet[3].key
    answer = admin("PATCH", f"/devices/{name}/properties", {"site": "Moved"})
    assert (answer.status, answer.json) == (202, {"site": "Moved"})
    assert admin.get(f"/devices/{name}/properties")["site"] == "Moved"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("properties", {"settings": {"reportInterval": "soon"}}, 422),
        ("properties", {"settings": {"nothing": 1}}, 422),
        ("properties", {"settings": 5}, 422),
        ("properties", {"imei": "1"}, 422),
        ("properties", [], 422),
        (SETTINGS, {"logLevel": "loud"}, 422),
        (SETTINGS, {"$metadata": {}, "logLevel": "debug"}, 202),
        ("components/none/properties", {}, 404),
    ],
)
def test_bad_properties(admin: Any, path: str, body: Any, status: int) -> None:
    assert admin("PATCH", f"/devices/gw-0001/{path}", body).status == status


def test_unmodeled_properties_in_the_preview(admin: Any) -> None:
    path, preview = "/devices/gw-0001/properties", {"version": "2022-10-31-preview", "unmodeled": "true"}
    assert admin("PATCH", path, {"colour": "red"}, **preview).status == 202
    assert admin("PATCH", path, {"colour": "red"}).status == 422


def test_a_device_without_template_has_no_properties(admin: Any) -> None:
    admin.put("/devices/bare-1", {})
    assert admin.get("/devices/bare-1/properties") == {}
    assert admin.get("/devices/bare-1/components") == {"value": []}
    assert admin("GET", "/devices/bare-1/commands/x").status == 404


# commands


def test_a_command_is_answered_and_the_newest_call_kept(admin: Any) -> None:
    admin.put("/devices/cmd-1", {"template": CONTROLLER, "simulated": True})
    path = "/devices/cmd-1/commands/reboot"
    assert admin.get(path) == {"value": []}
    first = admin("POST", path, {"request": 5})
    assert first.status == 201
    assert first.json["request"] == 5
    assert first.json["responseCode"] == 200
    second = admin("POST", path, {"request": 7, "connectionTimeout": 5, "responseTimeout": 10})
    assert admin.get(path) == {"value": [second.json]}
    assert second.json["id"] != first.json["id"]
    report = admin(
        "POST",
        "/devices/cmd-1/components/thermostat1/commands/getMaxMinReport",
        {"request": "2021-01-01T00:00:00Z"},
    )
    assert {"startTime", "endTime"} <= set(report.json["response"])


def test_a_command_without_the_wrapper_loses_its_payload(make: Callable[..., Any]) -> None:
    rig = make()
    admin = rig.role()
    admin.put("/devices/cmd-2", {"template": CONTROLLER, "simulated": True})
    path = "/devices/cmd-2/commands/reboot"
    answer = admin("POST", path, {"delay": 5})
    assert answer.status == 201
    assert "request" in answer.headers["x-sandbox-warning"]
    assert "request" not in answer.json
    assert admin("POST", path).headers["x-sandbox-warning"] is None
    rig.world.switches["commands_time_out"] = True
    assert admin("POST", path, {"request": 5}).code == "RequestTimeout"
    rig.world.switches["commands_time_out"] = False
    assert admin("POST", path, {"request": 5}).status == 201
    rig.world.switches["strict"] = True
    assert admin("POST", path, {"delay": 5}).code == "RequestTimeout"


def test_a_device_that_is_off_line_times_out(rig: Any, admin: Any) -> None:
    name = next(d.key for d in rig.fleet if not rig.fleet.links.never(d.index) and not online(rig, d.key))
    started = time.monotonic()
    answer = admin("POST", f"/devices/{name}/commands/restart", {"connectionTimeout": 30})
    assert (answer.status, answer.code) == (408, "RequestTimeout")
    assert answer.json["error"]["message"].startswith("Request timeout waiting for the device.")
    assert time.monotonic() - started < 2
    assert admin.get(f"/devices/{name}/commands/restart") == {"value": []}


def test_some_commands_fail_on_the_device(rig: Any, admin: Any) -> None:
    name = next(d.key for d in rig.fleet if online(rig, d.key))
    codes = {
        admin("POST", f"/devices/{name}/commands/runText", {"request": "status"}).json["responseCode"]
        for _ in range(60)
    }
    assert codes == {200, 500}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"request": 1, "connectionTimeout": 31}, 422),
        ({"request": 1, "connectionTimeout": "5"}, 422),
        ({"request": 1, "responseTimeout": 4}, 422),
        ([1], 422),
        ("{", 400),
    ],
)
def test_bad_commands(admin: Any, body: Any, status: int) -> None:
    admin.put("/devices/cmd-3", {"template": CONTROLLER, "simulated": True})
    assert admin("POST", "/devices/cmd-3/commands/reboot", body).status == status
    assert admin("POST", "/devices/cmd-3/commands/nothing", {}).status == 404
    assert admin("POST", "/devices/cmd-3/components/none/commands/reboot", {}).status == 404
