"""The life of a device: first start, restart, operations, children, replacement."""

import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from iotnb import sandbox
from iotnb.errors import ConfigError, Conflict, Unauthorized
from iotnb.platforms.cumulocity import Cumulocity
from iotnb.platforms.cumulocity.device import LATER, Device
from iotnb.session import Settings

Enter = Callable[..., Cumulocity]


class Raspberry(Device):
    device_type = "c8y_Linux"
    interval = 0.2

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.ticks = 0
        self.version = "3.4.5"

    def inventory(self) -> dict[str, Any]:
        return {"c8y_Mobile": {"imei": "861145013087177"}}

    def changes(self) -> dict[str, Any]:
        return {"c8y_Software": {"pi-driver": self.version}}

    def discover_children(self) -> list[dict[str, Any]]:
        return [{"externalId": f"{self.serial}-relay", "name": "Relay 1", "type": "c8y_Child"}]

    def on_c8y_Restart(self, operation: dict[str, Any]) -> object:  # noqa: N802
        return LATER

    def on_c8y_Command(self, operation: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"c8y_Command": {**operation["c8y_Command"], "result": "Linux"}}

    def on_c8y_Configuration(self, operation: dict[str, Any]) -> None:  # noqa: N802
        if "bad" in operation["c8y_Configuration"]["config"]:
            raise ValueError("line 1: bad")
        self.update({"c8y_Configuration": operation["c8y_Configuration"]})

    def tick(self) -> None:
        self.ticks += 1
        self.measure({"c8y_SignalStrength.rssi": (-53, "dBm"), "c8y_SignalStrength.ber": (0.14, "%")})


@pytest.fixture
def switch_on(
    service: sandbox.Service, client: Cumulocity, fresh: str, tmp_path: Path
) -> Iterator[Callable[..., Raspberry]]:
    made: list[Device] = []

    def switch_on(serial: str = fresh, kind: type[Raspberry] = Raspberry, **options: Any) -> Raspberry:
        file = tmp_path / f"{serial}.json"
        device = kind(
            serial, base_url=service.base_url, bootstrap=service.bootstrap, credentials=file,
            external_id=f"raspi-{serial}", **options,
        )  # fmt: skip
        made.append(device)
        if not file.exists():
            client.portal.register(serial)
            accepting = threading.Thread(target=client.portal.accept, args=(serial,))
            accepting.start()
            device.request_credentials(patience=20, poll=0.1)
            accepting.join()
        return device

    yield switch_on
    for device in made:
        device.stop()


def test_the_first_start(
    switch_on: Callable[..., Raspberry], client: Cumulocity, fresh: str, tmp_path: Path
) -> None:
    device = switch_on().startup()
    found = client.api.identity.get("c8y_Serial", f"raspi-{fresh}")
    assert found["managedObject"]["id"] == device.id
    document = client.api.inventory.get(device.id, withChildren=True)
    assert document["owner"] == f"device_{fresh}"
    assert document["c8y_SupportedOperations"] == ["c8y_Command", "c8y_Configuration", "c8y_Restart"]
    assert document["c8y_Hardware"]["serialNumber"] == fresh
    assert document["c8y_Software"] == {"pi-driver": "3.4.5"}
    assert (
        document["childDevices"]["references"][0]["managedObject"]["id"] == device.children[f"{fresh}-relay"]
    )
    file = tmp_path / f"{fresh}.json"
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    assert "password" not in repr(device)


def test_a_restart_needs_nobody(switch_on: Callable[..., Raspberry], client: Cumulocity, fresh: str) -> None:
    first = switch_on().startup()
    client.api.inventory.update(first.id, {"name": "renamed by a person"})
    first.stop()
    second = switch_on()
    second.version = "3.4.6"
    second.startup()
    assert second.id == first.id
    assert second.children == first.children
    document = client.api.inventory.get(second.id)
    assert document["c8y_Software"] == {"pi-driver": "3.4.6"}
    assert document["name"] == "renamed by a person"
    assert len(client.api.identity.list(second.id)) == 1


def test_every_step_can_be_repeated(
    switch_on: Callable[..., Raspberry], client: Cumulocity, fresh: str
) -> None:
    device = switch_on()
    for _ in range(2):
        device.request_credentials()
        device.look_up()
        device.create()
        device.register()
        device.update(device.changes())
        device.discover()
        device.resume()
        device.subscribe()
        device.pending()
    owned = list(client.api.inventory.list(owner=f"device_{fresh}", fragmentType="c8y_IsDevice"))
    assert len(owned) == 2  # the device and its relay, each once


def test_power_lost_between_creating_and_registering(
    switch_on: Callable[..., Raspberry], client: Cumulocity
) -> None:
    device = switch_on()
    made = device.create()
    device.stop()
    again = switch_on().startup()
    assert again.id == made


def test_operations_are_carried_out(switch_on: Callable[..., Raspberry], client: Cumulocity) -> None:
    device = switch_on().startup()
    queued = client.portal.send_operation(device.id, "c8y_Command", {"text": "uname"})
    thread = threading.Thread(target=device.cycle, args=(6,))
    thread.start()
    good = client.portal.send_operation(device.id, "c8y_Configuration", {"config": "a=1\n"})
    bad = client.portal.send_operation(device.id, "c8y_Configuration", {"config": "bad"})
    strange = client.portal.send_operation(device.id, "c8y_Relay", {"relayState": "OPEN"})
    child = client.portal.send_operation(
        device.children[f"{device.serial}-relay"], "c8y_Command", {"text": "x"}
    )
    states = {
        each["id"]: client.portal.wait_for(each["id"], timeout=5)
        for each in (queued, good, bad, strange, child)
    }
    assert states[queued["id"]]["c8y_Command"] == {"text": "uname", "result": "Linux"}
    assert states[good["id"]]["status"] == "SUCCESSFUL"
    assert states[bad["id"]]["status"] == "FAILED"
    assert states[bad["id"]]["failureReason"] == "line 1: bad"
    assert "supports c8y_Command" in states[strange["id"]]["failureReason"]
    assert states[child["id"]]["status"] == "SUCCESSFUL"
    assert client.api.inventory.get(device.id)["c8y_Configuration"] == {"config": "a=1\n"}
    device.stop()
    thread.join(5)
    assert device.ticks >= 1
    values = client.measurements(device.id, since="1h")
    assert set(values["series"].astype(str)) == {"c8y_SignalStrength.rssi", "c8y_SignalStrength.ber"}


def test_a_result_that_could_not_be_reported_is_reported_again(
    switch_on: Callable[..., Raspberry], client: Cumulocity, running: sandbox.Sandbox
) -> None:
    class Unlucky(Raspberry):
        calls = 0

        def on_c8y_Command(self, operation: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
            self.calls += 1
            running.faults.set("cumulocity", path="^/devicecontrol/operations/", fail_every=1)
            return {"c8y_Command": {"text": "x", "result": "y"}}

    device = switch_on(kind=Unlucky, settings=Settings(retries=0))
    with device:
        sent = client.portal.send_operation(device.id, "c8y_Command", {"text": "x"})
        end = time.monotonic() + 5
        while not device.failures and time.monotonic() < end:
            time.sleep(0.05)
        assert device.failures
        running.faults.clear()
        assert client.portal.wait_for(sent["id"], timeout=5)["c8y_Command"]["result"] == "y"
    assert device.calls == 1


def test_a_server_that_forgets_every_conversation_costs_time_only(fresh: str) -> None:
    switches = {"cumulocity": {"lose_clients": True}}
    with sandbox.start("cumulocity", devices=1, days=1, switches=switches) as started:
        service = started["cumulocity"]
        client = Cumulocity.login(service.connect)
        login = {name: service.connect[name] for name in ("tenant", "username", "password")}
        with Raspberry(fresh, base_url=service.base_url, login=login) as device:
            sent = client.portal.send_operation(device.id, "c8y_Command", {"text": "x"})
            assert client.portal.wait_for(sent["id"], timeout=8)["status"] == "SUCCESSFUL"
            assert device.subscribe().handshakes < 20
        client.close()


def test_operations_sent_while_it_was_off_are_not_lost(
    switch_on: Callable[..., Raspberry], client: Cumulocity
) -> None:
    device = switch_on().startup()
    device.stop()
    sent = client.portal.send_operation(device.id, "c8y_Command", {"text": "x"})
    switch_on().startup()
    assert client.api.operations.get(sent["id"])["status"] == "SUCCESSFUL"


def test_a_restart_is_finished_after_the_restart(
    switch_on: Callable[..., Raspberry], client: Cumulocity
) -> None:
    device = switch_on().startup()
    restart = client.portal.send_operation(device.id, "c8y_Restart")
    stuck = client.portal.send_operation(device.id, "c8y_Firmware")
    client.api.operations.update(stuck["id"], {"status": "EXECUTING"})
    device.execute(restart)
    assert client.api.operations.get(restart["id"])["status"] == "EXECUTING"
    device.stop()
    switch_on().startup()
    assert client.api.operations.get(restart["id"])["status"] == "SUCCESSFUL"
    failed = client.api.operations.get(stuck["id"])
    assert failed["status"] == "FAILED"
    assert "interrupted" in failed["failureReason"]


def test_events_and_alarms(switch_on: Callable[..., Raspberry], client: Cumulocity) -> None:
    device = switch_on().startup()
    device.event("Location updated", type="LocationUpdate", c8y_Position={"lat": 51.2, "lng": 6.1})
    for _ in range(2):
        device.alarm("Tracker lost power", type="c8y_PowerAlarm")
    alarms = client.alarms(device.id, since="1h")
    assert alarms["count"].tolist() == [2]
    assert device.clear("c8y_PowerAlarm") == 1
    assert client.alarms(device.id, since="1h")["status"].tolist() == ["CLEARED"]
    assert client.events(device.id, since="1h")["text"].tolist() == ["Location updated"]
    with pytest.raises(ConfigError, match=r"fragment\.series"):
        device.measure({"rssi": 1})
    with pytest.raises(ConfigError, match="time zone"):
        device.event("x", type="t", time="2026-01-01T00:00:00")


def test_nobody_accepts(service: sandbox.Service, fresh: str) -> None:
    device = Device(fresh, base_url=service.base_url, bootstrap=service.bootstrap)
    began = time.monotonic()
    with pytest.raises(ConfigError, match="nobody accepted"):
        device.request_credentials(patience=0.5, poll=0.1)
    assert 0.4 <= time.monotonic() - began < 30
    with pytest.raises(ConfigError, match="no credentials yet"):
        device.look_up()


def test_a_file_that_cannot_be_written_is_told_before_the_credentials_are_spent(
    service: sandbox.Service, fresh: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    device = Device(
        fresh,
        base_url=service.base_url,
        bootstrap=service.bootstrap,
        credentials=tmp_path / "file" / "x.json",
    )
    with pytest.raises(ConfigError, match="cannot be kept"):
        device.request_credentials()
    assert not device.exchanges


def test_without_bootstrap_user_and_file(service: sandbox.Service, fresh: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="bootstrap="):
        Device(fresh, base_url=service.base_url, credentials=tmp_path / "none.json").startup()


@pytest.mark.parametrize("text", ["", "[]", '{"tenantId": "t"}', "not json"])
def test_a_spoilt_file(service: sandbox.Service, fresh: str, tmp_path: Path, text: str) -> None:
    file = tmp_path / "x.json"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(ConfigError, match="delete it"):
        Device(fresh, base_url=service.base_url, credentials=file).startup()


def test_a_file_that_others_can_read(service: sandbox.Service, fresh: str, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text('{"tenantId": "t", "username": "u", "password": "p"}')
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        Device(fresh, base_url=service.base_url, credentials=file).startup()


def test_credentials_that_are_refused(service: sandbox.Service, fresh: str, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text('{"tenantId": "test", "username": "device_gone", "password": "p"}')
    file.chmod(0o600)
    with pytest.raises(Unauthorized):
        Device(fresh, base_url=service.base_url, credentials=file).startup()


def test_an_identifier_that_another_object_has(
    switch_on: Callable[..., Raspberry], client: Cumulocity
) -> None:
    device = switch_on()
    device.create()
    other = client.api.inventory.create({"name": "other"})["id"]
    client.api.identity.create(other, {"type": "c8y_Serial", "externalId": device.external_id})
    with pytest.raises(Conflict):
        device.register()
    client.api.inventory.delete(other)


def test_a_context_starts_and_stops_it(switch_on: Callable[..., Raspberry], client: Cumulocity) -> None:
    device = switch_on()
    with device:
        sent = client.portal.send_operation(device.id, "c8y_Command", {"text": "x"})
        assert client.portal.wait_for(sent["id"], timeout=5)["status"] == "SUCCESSFUL"
        began = time.monotonic()
    assert time.monotonic() - began < 20
    assert device.exchanges


def test_a_physical_device_is_replaced(
    switch_on: Callable[..., Raspberry], client: Cumulocity, fresh: str
) -> None:
    old = switch_on().startup()
    old.measure({"x.y": 1})
    old.stop()
    new = switch_on(f"{fresh}n").startup()
    new_object, relay = new.id, old.children[f"{fresh}-relay"]
    new.stop()
    assert client.portal.owner(new_object) == f"device_{fresh}n"
    assert client.portal.external_ids(new_object) == [{"type": "c8y_Serial", "externalId": f"raspi-{fresh}n"}]
    done = client.portal.replace_device(old.id, new_object)
    assert done["owner"] == client.portal.owner(old.id) == client.portal.owner(relay) == f"device_{fresh}n"
    assert client.api.inventory.find(new_object) is None
    again = switch_on(f"{fresh}n").startup()
    assert again.id == old.id
    again.measure({"x.y": 2})
    values = client.measurements(old.id, series="x.y", since="1h")
    assert values["value"].tolist() == [1, 2]
