"""Another project's client, c8y_api, works against the sandbox as it comes from the package index."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import count
from pathlib import Path

import pytest
from c8y_api import (
    AccessDeniedError,
    CumulocityApi,
    CumulocityDeviceRegistry,
    CumulocityRestApi,
    HTTPBearerAuth,
    MissingTfaError,
    UnauthorizedError,
)
from c8y_api.app import SimpleCumulocityApp
from c8y_api.model import (
    Alarm,
    AuditRecord,
    Binary,
    BulkOperation,
    Celsius,
    Count,
    Device,
    DeviceGroup,
    Event,
    ExternalId,
    GlobalRole,
    InventoryRole,
    ManagedObject,
    Measurement,
    Operation,
    ReadPermission,
    TenantOption,
    User,
)
from c8y_tk.analytics import ParallelExecutor, to_data_frame
from c8y_tk.app import CumulocityApp
from callers import DEVICE, GATEWAY, World

from iotnb.sandbox.cumulocity.directory import TOTP_SECRET, totp

START = datetime(2026, 1, 1, tzinfo=UTC)
TEMPERATURE, COUNTER = "c8y_Air.temperature", "c8y_Visits.counter"
Connect = Callable[..., CumulocityApi]
_numbers = count(1)


def named(word: str) -> str:
    """A name that nothing else in the sandbox has."""
    return f"{word}-other-{next(_numbers):04d}"


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def ids(found: list[ManagedObject]) -> list[str]:
    return [one.id for one in found]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Logs users of a sandbox in with the client, and hangs up after the test."""
    made: list[CumulocityApi] = []

    def log_in(world: World, name: str, password: str = "") -> CumulocityApi:
        held = world.info["users"].get(name, {"tenant": "test", "username": name, "password": password})
        made.append(CumulocityApi(world.base, held["tenant"], held["username"], password or held["password"]))
        return made[-1]

    yield log_in
    for one in made:
        one.session.close()


@pytest.fixture
def c8y(world: World, connect: Connect) -> CumulocityApi:
    return connect(world, "admin")


@pytest.fixture
def device(c8y: CumulocityApi) -> Device:
    return Device(c8y, type="c8y_Probe", name=named("probe"), com_cumulocity_model_Agent={}).create()


# login


def test_passwords_and_rights(world: World, c8y: CumulocityApi, connect: Connect) -> None:
    me = c8y.users.get_current()
    assert (c8y.username, me.username, me.enabled) == ("admin", "admin", True)
    assert "ROLE_INVENTORY_ADMIN" in me.effective_permission_ids
    with pytest.raises(UnauthorizedError):
        connect(world, "admin", "wrong").inventory.get(DEVICE)
    reader = connect(world, "reader")
    assert reader.inventory.get(DEVICE).name == c8y.inventory.get(DEVICE).name
    with pytest.raises(AccessDeniedError):
        reader.inventory.create(ManagedObject(name="not allowed"))
    with pytest.raises(KeyError, match="987654321"):
        c8y.inventory.get("987654321")


def test_a_token_instead_of_the_password(world: World) -> None:
    held = world.info["users"]["admin"]
    token, cross_site = CumulocityRestApi.authenticate(world.base, "test", "admin", held["password"])
    assert cross_site
    c8y = CumulocityApi(world.base, "test", auth=HTTPBearerAuth(token))
    assert (c8y.username, c8y.users.get_current().username) == ("admin", "admin")
    assert c8y.device_inventory.get_count() >= len(world.fleet)
    c8y.users.logout_all()
    with pytest.raises(UnauthorizedError):
        c8y.users.get_current()
    c8y.session.close()


def test_a_second_factor(still: World) -> None:
    user = (still.base, "test", "totp", still.info["users"]["totp"]["password"])
    with pytest.raises(MissingTfaError):
        CumulocityRestApi.authenticate(*user)
    code = totp(TOTP_SECRET, still.sandbox.clock.now() / 1000)
    token, _ = CumulocityRestApi.authenticate(*user, tfa_token=code)
    c8y = CumulocityApi(still.base, "test", auth=HTTPBearerAuth(token))
    assert c8y.users.get_current().username == "totp"
    c8y.session.close()


def test_a_microservice_takes_its_login_from_the_environment(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = world.info["users"]["admin"]
    for name, value in [("BASEURL", world.base), ("TENANT", "test"), ("USER", "admin")]:
        monkeypatch.setenv(f"C8Y_{name}", value)
    monkeypatch.setenv("C8Y_PASSWORD", held["password"])
    with SimpleCumulocityApp() as app:
        reader = world.info["users"]["reader"]
        token, _ = CumulocityRestApi.authenticate(world.base, "test", "reader", reader["password"])
        caller = app.get_user_instance(headers={"Authorization": f"Bearer {token}"})
        visitor = app.get_user_instance(cookies={"authorization": token})
        assert app.users.get_current().username == "admin"
        assert caller is visitor
        assert caller.users.get_current().username == "reader"
        for one in (app, caller):
            one.session.close()


def test_a_notebook_logs_in_over_tls_and_keeps_the_token(
    fresh: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = fresh(devices=2, days=1, tls=True)
    held = world.info["connect"]
    monkeypatch.setattr(CumulocityApp, "_cached_passwords", {})
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", held["ca_file"])
    monkeypatch.setenv("C8Y_TOKEN", "")
    for name, value in [("BASEURL", world.base), ("TENANT", "test"), ("USER", "admin")]:
        monkeypatch.setenv(f"C8Y_{name}", value)
    monkeypatch.setenv("C8Y_PASSWORD", held["password"])
    first = CumulocityApp()
    for name in ("BASEURL", "TENANT", "USER", "PASSWORD"):
        monkeypatch.delenv(f"C8Y_{name}")
    second = CumulocityApp()
    for one in (first, second):
        assert (one.base_url, one.tenant_id, one.username) == (world.base, "test", "admin")
        assert one.device_inventory.get_count() == 2
        one.session.close()


def test_what_the_client_says_in_its_headers(world: World, c8y: CumulocityApi, device: Device) -> None:
    password = world.info["users"]["admin"]["password"]
    keyed = CumulocityApi(
        world.base, "test", "admin", password, application_key="their-app", processing_mode="TRANSIENT"
    )
    keyed.measurements.create(
        Measurement(type="c8y_Gone", source=device.id, time="now", c8y_Gone={"x": Count(1)})
    )
    assert c8y.measurements.get_count(source=device.id) == 0
    record = AuditRecord(
        keyed, type="Inventory", time="now", source=device.id, activity="a", text="t"
    ).create()
    assert record.application == "their-app"
    keyed.session.close()


# inventory


def test_an_object_lives_and_dies(c8y: CumulocityApi) -> None:
    made = ManagedObject(c8y, type="c8y_Room", name=named("room"), c8y_Size={"width": 4, "doors": [1, 2]})
    room = made.create()
    assert (room.name, room.owner, room.c8y_Size.doors[1]) == (made.name, "admin", 2)
    assert room.creation_datetime <= datetime.now(UTC) + timedelta(seconds=1)
    room.name = named("room")
    room.c8y_Size.width = 5
    room["c8y_Floor"] = {"level": -1}
    room.update()
    again = c8y.inventory.get(room.id)
    assert (again.name, again.c8y_Size.width, again.c8y_Floor.level) == (room.name, 5, -1)
    assert list(again.get("c8y_Size.doors")) == [1, 2]
    other = ManagedObject(c8y, name=named("room")).create()
    c8y.inventory.apply_to({"c8y_Floor": {"level": 3}}, room.id, other.id)
    assert [one.reload().c8y_Floor.level for one in (room, other)] == [3, 3]
    room.delete()
    c8y.inventory.delete(other)
    with pytest.raises(KeyError):
        room.reload()


def test_objects_are_found_by_what_they_hold(c8y: CumulocityApi) -> None:
    kind, mark = named("c8y_Kind").replace("-", "_"), named("c8y_Mark").replace("-", "_")
    names = [f"{kind} {word}" for word in ("Beryllium", "Caesium", "Argon")]
    for position, name in enumerate(names):
        more = {mark: {"position": position}} if position else {}
        c8y.inventory.create(ManagedObject(type=kind, name=name, **more))
    found = c8y.inventory.get_all(type=kind)
    assert [one.name for one in found] == names
    assert c8y.inventory.get_count(type=kind) == 3
    assert [one.name for one in c8y.inventory.get_all(type=kind, page_size=1)] == names
    assert [one.name for one in c8y.inventory.get_all(type=kind, limit=2)] == names[:2]
    assert ids(c8y.inventory.get_all(fragment=mark)) == ids(found[1:])
    assert ids(c8y.inventory.get_all(ids=ids(found[::2]))) == ids(found[::2])
    assert c8y.inventory.get_by(name=names[1]).id == found[1].id
    assert c8y.inventory.get_by(text="argon").id == found[2].id
    assert ids(c8y.inventory.get_all(text="Beryllium Argon")) == ids(found[::2])
    with pytest.raises(ValueError, match="Ambiguous"):
        c8y.inventory.get_by(name=f"{kind}*")
    ordered = c8y.inventory.get_all(name=f"{kind}*", owner="admin", order_by="name desc", as_values="name")
    assert ordered == sorted(names, reverse=True)
    query = f"$filter=(type eq '{kind}' and {mark}.position gt 0) $orderby=name"
    assert c8y.inventory.get_all(query=query, as_values=["name", f"{mark}.position", ("x", "none")]) == [
        (names[2], 2, "none"),
        (names[1], 1, "none"),
    ]
    assert c8y.inventory.get_all(expression=f"type={kind}&pageSize=10&withTotalPages=true")


def test_the_fleet_is_a_list_of_devices(world: World, c8y: CumulocityApi) -> None:
    serial = world.fleet[1].serial
    devices = {one.id: one for one in c8y.device_inventory.get_all(type="c8y_ClimateSensor")}
    assert devices[DEVICE].is_device
    assert devices[DEVICE].c8y_Hardware.serialNumber == serial
    name = c8y.inventory.get(DEVICE).name
    assert ids(c8y.device_inventory.get_all(name=f"{name[:-1]}*", page_size=3)).count(DEVICE) == 1
    assert c8y.device_inventory.get_count(fragment="c8y_Hardware") >= len(world.fleet)
    latest = c8y.device_inventory.get(DEVICE, with_latest_values=True).c8y_LatestMeasurements
    assert latest.c8y_Environment.temperature.unit == "C"
    one = c8y.inventory.get(DEVICE)
    assert set(one.get_supported_series()) >= {"c8y_Environment.temperature", "c8y_Environment.humidity"}
    assert "c8y_Environment" in c8y.inventory.get_supported_measurements(DEVICE)
    gateway = c8y.device_inventory.get(GATEWAY, with_children=True)
    assert {str(100_000 + n) for n in world.fleet.children(0)} <= set(ids(gateway.child_devices))
    assert GATEWAY in ids(c8y.device_inventory.get(DEVICE, with_parents=True).parent_devices)


def test_a_monitored_device_tells_when_it_was_last_seen(c8y: CumulocityApi) -> None:
    seen = c8y.inventory.get_latest_availability(DEVICE)
    assert (seen.device_id, seen.external_id) == (DEVICE, c8y.identity.get_all(DEVICE)[0].external_id)
    assert seen.interval == c8y.inventory.get(DEVICE).c8y_RequiredAvailability.responseInterval
    assert seen.data_status in {"AVAILABLE", "UNAVAILABLE"}
    assert seen.last_message_date <= datetime.now(UTC)


def test_children_come_and_go(c8y: CumulocityApi, device: Device) -> None:
    kinds = ("device", "asset", "addition")
    made = [
        Device(c8y, name=named("child")).create(),
        ManagedObject(c8y, name=named("asset")).create(),
        ManagedObject(c8y, name=named("addition")).create(),
    ]

    def below() -> list[list[str]]:
        found = c8y.inventory.get(device.id, with_children=True)
        return [ids(held) for held in (found.child_devices, found.child_assets, found.child_additions)]

    device.add_child_device(made[0])
    device.add_child_asset(made[1].id)
    device.add_child_addition(made[2])
    assert below() == [[made[0].id], [made[1].id], [made[2].id]]
    c8y.events.create(Event(type="c8y_Seen", source=made[0].id, time=at(0), text="seen below"))
    seen = c8y.events.get_all(source=device.id, with_source_devices=True)
    assert [(one.source, one.text) for one in seen] == [(made[0].id, "seen below")]
    parents = c8y.inventory.get(made[0].id, with_parents=True).parent_devices
    assert [(one.id, one.name) for one in parents] == [(device.id, device.name)]
    for kind, child in zip(kinds[1:], made[1:], strict=True):
        getattr(device, f"unassign_child_{kind}")(child)
    assert below() == [[made[0].id], [], []]
    device.delete_tree()
    for gone in (device, made[0]):
        with pytest.raises(KeyError):
            c8y.inventory.get(gone.id)
    assert ids(c8y.inventory.get_all(ids=ids(made[1:]))) == ids(made[1:])


def test_groups_of_devices(c8y: CumulocityApi, device: Device) -> None:
    root = DeviceGroup(c8y, root=True, name=named("site")).create()
    halls = [root.create_child(name=named("hall")) for _ in range(2)]
    loose = DeviceGroup(c8y, name=named("hall")).create()
    root.assign_child_group(loose)
    assert ids(c8y.group_inventory.get_all(parent=root.id)) == ids([*halls, loose])
    assert c8y.group_inventory.get_count(parent=root.id) == 3
    assert root.id in ids(c8y.group_inventory.get_all(type=DeviceGroup.ROOT_TYPE))
    root.unassign_child_group(loose)
    halls[0].add_child_asset(device)
    assert ids(c8y.device_inventory.get_all(parent=halls[0].id)) == [device.id]
    hierarchy = f"$filter=isinhierarchyof({root.id})"
    assert set(ids(c8y.inventory.get_all(query=hierarchy))) >= {device.id, *ids(halls)}
    c8y.group_inventory.delete_trees(root)
    assert ids(c8y.group_inventory.get_all(name=loose.name)) == [loose.id]
    with pytest.raises(KeyError):
        c8y.group_inventory.get(halls[1].id)


def test_external_ids(c8y: CumulocityApi, device: Device) -> None:
    serial, second = named("000"), named("imei")
    c8y.identity.create(serial, "c8y_Serial", device.id)
    ExternalId(c8y, second, "c8y_Imei", device.id).create()
    assert c8y.identity.get_id(serial, "c8y_Serial") == device.id
    assert c8y.identity.get_object(second, "c8y_Imei").name == device.name
    assert {one.external_id for one in c8y.identity.get_all(device.id)} == {serial, second}
    with pytest.raises(ValueError, match="409"):
        c8y.identity.create(serial, "c8y_Serial", DEVICE)
    c8y.identity.delete(serial, "c8y_Serial")
    with pytest.raises(KeyError):
        c8y.identity.get(serial, "c8y_Serial")


def test_files(c8y: CumulocityApi, tmp_path: Path) -> None:
    place, body = tmp_path / "firmware.bin", bytes(range(256)) * 300
    place.write_bytes(body)
    kept = c8y.binaries.upload(str(place), name=named("firmware.bin"), type="application/octet-stream")
    assert c8y.binaries.read_file(kept.id) == body
    note = Binary(c8y, type="text/plain", name=named("note.txt"), file=BytesIO("ä".encode())).create()
    assert (note.is_binary, note.content_type, note.length) == (True, "text/plain", 2)
    assert note.read_file() == "ä".encode()
    assert set(ids(c8y.binaries.get_all(owner="admin"))) >= {kept.id, note.id}
    texts = ids(c8y.binaries.get_all(type="text/plain"))
    assert note.id in texts
    assert kept.id not in texts
    c8y.binaries.update(note.id, BytesIO(b"new"), type="text/plain")
    assert note.read_file() == b"new"
    note.delete()
    c8y.binaries.delete(kept.id)
    for one in (kept, note):
        with pytest.raises(KeyError):
            c8y.binaries.read_file(one.id)


# measurements


def fill(c8y: CumulocityApi, device: Device) -> None:
    """A temperature every minute for three hours; a counter every ten minutes in the first."""
    air = [
        Measurement(type="c8y_Air", source=device.id, time=at(n), c8y_Air={"temperature": Celsius(n / 2)})
        for n in range(180)
    ]
    visits = [
        Measurement(type="c8y_Visits", source=device.id, time=at(n), c8y_Visits={"counter": Count(n)})
        for n in range(0, 60, 10)
    ]
    c8y.measurements.create(*air, *visits)


def test_measurements_are_kept_listed_and_deleted(c8y: CumulocityApi, device: Device) -> None:
    fill(c8y, device)
    source = device.id
    assert c8y.measurements.get_count(source=source) == 186
    found = c8y.measurements.get_all(source=source, series=TEMPERATURE, page_size=50)
    assert [one.datetime for one in found] == [at(n) for n in range(180)]
    assert [one.c8y_Air.temperature.value for one in found] == [n / 2 for n in range(180)]
    assert (found[0].get_series(), found[0].c8y_Air.temperature.unit) == ([TEMPERATURE], "°C")
    assert c8y.measurements.get(found[7].id).c8y_Air.temperature.value == 3.5
    hour = c8y.measurements.get_all(source=source, type="c8y_Air", after=at(60), before=at(120))
    assert [one.datetime for one in (hour[0], hour[-1])] == [at(60), at(119)]
    newest = c8y.measurements.get_all(source=source, after=at(0), reverse=True, limit=3)
    assert [one.datetime for one in newest] == [at(179), at(178), at(177)]
    assert c8y.measurements.get_last(source=source, series=COUNTER).c8y_Visits.counter.value == 50
    counted = c8y.measurements.get_all(
        source=source, type="c8y_Visits", as_values=["type", "c8y_Visits.counter.value"]
    )
    assert counted == [("c8y_Visits", n) for n in range(0, 60, 10)]
    one = Measurement(c8y, type="c8y_Now", source=source, time="now", c8y_Now={"x": Count(1)}).create()
    assert c8y.measurements.get_all(source=source, max_age=timedelta(minutes=5))[0].id == one.id
    one.delete()
    c8y.measurements.delete_by(source=source, type="c8y_Air")
    assert c8y.measurements.get_count(source=source) == 6


def test_series_become_lists_and_tables(c8y: CumulocityApi, device: Device) -> None:
    fill(c8y, device)
    window = {"source": device.id, "after": at(0), "before": at(180)}
    series = c8y.measurements.get_series(**window, series=[TEMPERATURE, COUNTER])
    assert [(one.series, one.unit) for one in series.specs] == [(TEMPERATURE, "°C"), (COUNTER, "#")]
    assert not series.truncated
    assert series.collect(series=TEMPERATURE, value="min") == [n / 2 for n in range(180)]
    assert series.collect(series=COUNTER, value="max", timestamps="datetime")[1] == (at(10), 10)
    assert series.collect(series=[TEMPERATURE, COUNTER], value="max")[:2] == [(0.0, 0), (0.5, None)]
    hours = c8y.measurements.collect_series(**window, series=TEMPERATURE, aggregation="HOURLY")
    assert hours == [(0.0, 29.5), (30.0, 59.5), (60.0, 89.5)]
    table = to_data_frame(series, series=[TEMPERATURE, COUNTER], value="max", timestamps="datetime")
    assert list(table.columns) == ["c8y_Air_temperature", "c8y_Visits_counter"]
    assert (len(table), table["c8y_Air_temperature"].mean(), table["c8y_Visits_counter"].sum()) == (
        180,
        44.75,
        150,
    )


def test_aggregation_functions(world: World, c8y: CumulocityApi, device: Device) -> None:
    world.switch(persistence="timeseries")
    fill(c8y, device)
    functions = ["avg", "count", "max"]
    series = c8y.measurements.get_series(
        source=device.id,
        series=TEMPERATURE,
        aggregation_interval="90m",
        aggregation_function=functions,
        after=at(0),
        before=at(180),
        reverse=False,
    )
    assert series.collect(series=TEMPERATURE, value="count") == [90, 90]
    assert [dict(row[0]) for row in series["values"].values()] == [
        {"avg": 22.25, "count": 90, "max": 44.5},
        {"avg": 67.25, "count": 90, "max": 89.5},
    ]


def test_the_history_of_the_fleet(world: World, c8y: CumulocityApi) -> None:
    start = datetime.fromtimestamp(world.fleet.start / 1000, UTC)
    window = {"after": start, "before": start + timedelta(hours=12)}
    end = world.fleet.start + 12 * 3_600_000
    there = world.fleet.count(1, "environment", world.fleet.start, end)
    asked = {"source": DEVICE, "type": "c8y_Environment", **window}
    found = c8y.measurements.get_all(**asked, page_size=100)
    assert len(found) == len({one.id for one in found}) == there == c8y.measurements.get_count(**asked)
    assert [one.time for one in found] == sorted(one.time for one in found)
    values = c8y.measurements.collect_series(
        source=DEVICE, series="c8y_Environment.temperature", value="max", **window
    )
    assert values == [one.c8y_Environment.temperature.value for one in found]


# events


def test_events_with_their_files(c8y: CumulocityApi, device: Device, tmp_path: Path) -> None:
    source = device.id
    for n in range(5):
        more = {"c8y_Door": {"state": "open" if n % 2 else "shut"}} if n else {}
        c8y.events.create(Event(type="c8y_Door", source=source, time=at(n), text=f"event {n}", **more))
    assert [one.text for one in c8y.events.get_all(source=source)] == [f"event {n}" for n in (4, 3, 2, 1, 0)]
    oldest = c8y.events.get_all(source=source, after=at(0), reverse=True, page_size=2)
    assert [one.datetime for one in oldest] == [at(n) for n in range(5)]
    assert c8y.events.get_count(source=source, fragment="c8y_Door") == 4
    assert [one.text for one in c8y.events.get_all(source=source, after=at(1), before=at(3))] == [
        "event 2",
        "event 1",
    ]
    last = c8y.events.get_last(source=source, type="c8y_Door")
    assert (last.text, last.c8y_Door.state) == ("event 4", "shut")
    last.text = "the last one"
    last["c8y_Note"] = {"by": "me"}
    last.update()
    assert c8y.events.get(last.id).as_tuple("text", "c8y_Note.by", ("c8y_No.such", 0)) == (
        "the last one",
        "me",
        0,
    )
    photo = tmp_path / "photo.png"
    photo.write_bytes(b"\x89PNG first")
    last.create_attachment(str(photo), content_type="image/png")
    again = c8y.events.get(last.id)
    assert (again.has_attachment(), again.c8y_IsBinary.type) == (True, "image/png")
    with pytest.raises(ValueError, match="409"):
        last.create_attachment(BytesIO(b"x"))
    c8y.events.update_attachment(last.id, BytesIO(b"second"), content_type="image/png")
    assert last.download_attachment() == b"second"
    last.delete_attachment()
    with pytest.raises(KeyError):
        c8y.events.download_attachment(last.id)
    c8y.events.delete_by(source=source, before=at(2))
    assert c8y.events.get_count(source=source) == 3


def test_many_pages_at_once(c8y: CumulocityApi, device: Device) -> None:
    for n in range(60):
        c8y.events.create(Event(type="c8y_Tick", source=device.id, time=at(n), text=str(n)))
    rows = ParallelExecutor.as_list(c8y.events, workers=4, source=device.id, page_size=7)
    assert sorted(int(one.text) for one in rows) == list(range(60))


# alarms


def test_alarms_merge_until_they_are_cleared(c8y: CumulocityApi, device: Device) -> None:
    def raised(minute: int) -> Alarm:
        alarm = Alarm(
            c8y, type="c8y_Hot", source=device.id, time=at(minute), text="hot", severity=Alarm.Severity.MAJOR
        )
        return alarm.create()

    first, second = raised(0), raised(1)
    assert (first.status, first.count) == (Alarm.Status.ACTIVE, 1)
    assert (second.id, second.count, second.datetime) == (first.id, 2, at(1))
    assert c8y.inventory.get(device.id).c8y_ActiveAlarmsStatus.major == 1
    second.status = Alarm.Status.ACKNOWLEDGED
    second.severity = Alarm.Severity.MINOR
    assert second.update().severity == "MINOR"
    assert raised(2).count == 3
    assert c8y.alarms.get(first.id).status == "ACKNOWLEDGED"
    c8y.alarms.apply_to({"status": "CLEARED"}, first.id)
    third = raised(3)
    assert third.id != first.id
    assert third.count == 1
    assert ids(c8y.alarms.get_all(source=device.id, resolved="true")) == [first.id]
    assert ids(c8y.alarms.get_all(source=device.id)) == [third.id, first.id]


def test_alarms_are_counted_changed_and_deleted_by_filters(c8y: CumulocityApi, device: Device) -> None:
    severities = ["CRITICAL", "MAJOR", "MAJOR", "WARNING"]
    for n, severity in enumerate(severities):
        c8y.alarms.create(
            Alarm(type=f"c8y_A{n}", source=device.id, time=at(n), text="text", severity=severity)
        )
    assert c8y.alarms.count(source=device.id) == 4
    assert c8y.alarms.count(source=device.id, severity="MAJOR,WARNING", after=at(2)) == 2
    assert [one.type for one in c8y.alarms.get_all(source=device.id, type="c8y_A0,c8y_A3")] == [
        "c8y_A3",
        "c8y_A0",
    ]
    c8y.alarms.apply_by(Alarm(status="CLEARED"), source=device.id, severity="MAJOR")
    assert c8y.alarms.count(source=device.id, status="ACTIVE") == 2
    c8y.alarms.delete(c8y.alarms.get_all(source=device.id, type="c8y_A0")[0])
    assert c8y.alarms.count(source=device.id) == 3
    c8y.alarms.delete_by(source=device.id)
    assert c8y.alarms.count(source=device.id) == 0


# operations and their audit records


def test_an_operation_and_what_was_recorded_of_it(c8y: CumulocityApi, device: Device) -> None:
    made = Operation(c8y, device_id=device.id, description="restart it", c8y_Restart={}).create()
    assert (made.status, made.description) == (Operation.Status.PENDING, "restart it")
    waiting = c8y.operations.get_all(agent_id=device.id, status="PENDING", fragment="c8y_Restart")
    assert ids(waiting) == [made.id]
    for status in (Operation.Status.EXECUTING, Operation.Status.SUCCESSFUL):
        waiting[0].status = status
        waiting[0].update()
    other = Operation(c8y, device_id=device.id, c8y_Command={"text": "uptime"}).create()
    assert c8y.operations.get_last(device_id=device.id).c8y_Command.text == "uptime"
    assert c8y.operations.get(made.id).status == "SUCCESSFUL"
    assert ids(c8y.operations.get_all(device_id=device.id, max_age=timedelta(minutes=5))) == [
        made.id,
        other.id,
    ]
    assert c8y.operations.get_count(device_id=device.id) == 2
    records = c8y.audit_records.get_all(source=made.id, type=AuditRecord.Type.OPERATION)
    changed = [(c.previous_value, c.new_value) for one in records for c in one.changes or []]
    assert [one for one in changed if "PENDING" in one or "SUCCESSFUL" in one][:2] == [
        ("EXECUTING", "SUCCESSFUL"),
        ("PENDING", "EXECUTING"),
    ]
    c8y.operations.delete_by(device_id=device.id, status="PENDING")
    assert ids(c8y.operations.get_all(device_id=device.id)) == [made.id]


def test_audit_records_of_ones_own(c8y: CumulocityApi, device: Device) -> None:
    record = AuditRecord(
        c8y,
        type=AuditRecord.Type.INVENTORY,
        time="now",
        source=device.id,
        activity="moved",
        text="to hall 2",
        severity=AuditRecord.Severity.WARNING,
    ).create()
    kept = c8y.audit_records.get(record.id)
    assert (kept.activity, kept.text, kept.user, kept.source) == ("moved", "to hall 2", "admin", device.id)
    assert record.id in ids(c8y.audit_records.get_all(user="admin", max_age=timedelta(minutes=5)))


def test_a_bulk_operation_goes_through_its_group(still: World, connect: Connect) -> None:
    c8y = connect(still, "admin")
    group = DeviceGroup(c8y, root=True, name="to be restarted").create()
    members = [Device(c8y, name=f"member {n}").create() for n in range(3)]
    for one in members:
        group.add_child_asset(one)
    now = datetime.fromtimestamp(still.sandbox.clock.now() / 1000, UTC)
    bulk = BulkOperation(
        c8y,
        group_id=group.id,
        start_time=now + timedelta(minutes=1),
        creation_ramp=30,
        operation_prototype={"c8y_Restart": {}},
    ).create()
    assert c8y.bulk_operations.get_count() == 1
    still.sandbox.clock.advance(180_000)
    found = c8y.operations.get_all(bulk_id=bulk.id)
    assert sorted(one.device_id for one in found) == ids(members)
    for one in found:
        one.status = Operation.Status.SUCCESSFUL
        one.update()
    ended = c8y.bulk_operations.get(bulk.id)
    assert (ended.status, ended.general_status) == (BulkOperation.Status.COMPLETED, "SUCCESSFUL")


# devices that come new


def test_a_new_device_waits_to_be_accepted_and_reports(world: World, c8y: CumulocityApi) -> None:
    held, name = world.info["bootstrap"], named("new")
    registry = CumulocityDeviceRegistry(world.base, held["tenant"], held["username"], held["password"])
    c8y.device_inventory.request(name)
    with pytest.raises(ValueError, match="422"):
        c8y.device_inventory.accept(name)
    with ThreadPoolExecutor(1) as pool:
        arriving = pool.submit(registry.await_connection, name, timeout="20s", pause="1s")
        while c8y.get(f"/devicecontrol/newDeviceRequests/{name}")["status"] != "PENDING_ACCEPTANCE":
            assert not arriving.done()
            time.sleep(0.01)
        c8y.device_inventory.accept(name)
        own = arriving.result(20)
    assert (own.tenant_id, own.username) == ("test", f"device_{name}")
    made = Device(own, type="c8y_New", name=name, com_cumulocity_model_Agent={}).create()
    assert made.owner == f"device_{name}"
    own.identity.create(name, "c8y_Serial", made.id)
    own.measurements.create(Measurement(type="c8y_X", source=made.id, time="now", c8y_X={"x": Count(1)}))
    own.events.create(Event(type="c8y_Start", source=made.id, time="now", text="started"))
    Operation(c8y, device_id=made.id, c8y_Restart={}).create()
    operation = own.operations.get_all(agent_id=made.id, status="PENDING")[0]
    operation.status = Operation.Status.EXECUTING
    assert operation.update().status == "EXECUTING"
    assert own.measurements.get_last(source=made.id).c8y_X.x.value == 1
    with pytest.raises(AccessDeniedError):
        own.inventory.get(DEVICE)
    theirs = c8y.device_inventory.get(made.id)
    assert theirs.get_user().enabled
    theirs.delete(with_device_user=True)
    with pytest.raises(UnauthorizedError):
        own.users.get_current()
    own.session.close()


# people


def test_users_roles_and_passwords(world: World, c8y: CumulocityApi, connect: Connect) -> None:
    name = named("anna")
    user = User(c8y, username=name, password="first-Secret-1", email="anna@example.com").create()
    anna = connect(world, name, "first-Secret-1")
    with pytest.raises(AccessDeniedError):
        anna.inventory.get(DEVICE)
    role = GlobalRole(c8y, name=named("viewers"), description="look, do not touch").create()
    role.add_permissions("ROLE_INVENTORY_READ", "ROLE_EVENT_READ")
    user.assign_global_role(role.id)
    assert anna.inventory.get(DEVICE).id == DEVICE
    assert c8y.global_roles.get(role.id).permission_ids == {"ROLE_INVENTORY_READ", "ROLE_EVENT_READ"}
    assert [one.name for one in user.retrieve_global_roles()] == [role.name]
    assert [one.username for one in c8y.users.get_all(groups=int(role.id))] == [name]
    assert c8y.users.get(name).global_role_ids == {role.id}
    me = anna.users.get_current()
    me.first_name = "Anna"
    assert me.update().first_name == "Anna"
    with pytest.raises(AccessDeniedError):
        me.update_password("not the password", "second-Secret-2")
    me.update_password("first-Secret-1", "second-Secret-2")
    assert anna.inventory.get(DEVICE).id == DEVICE
    with pytest.raises(UnauthorizedError):
        connect(world, name, "first-Secret-1").users.get_current()
    user.unassign_global_role(role.id)
    with pytest.raises(AccessDeniedError):
        anna.inventory.get(DEVICE)
    user.set_owner("admin")
    assert c8y.users.get(name).owner == "admin"
    assert [one.username for one in c8y.users.get_all(username=name)] == [name]
    role.delete()
    user.delete()
    with pytest.raises(KeyError):
        c8y.users.get(name)


def test_inventory_roles_open_one_group(
    world: World, c8y: CumulocityApi, connect: Connect, device: Device
) -> None:
    name, group = named("ben"), DeviceGroup(c8y, root=True, name=named("theirs")).create()
    group.add_child_asset(device)
    user = User(c8y, username=name, password="some-Secret-3").create()
    permissions = [ReadPermission("MANAGED_OBJECT"), ReadPermission("EVENT")]
    role = InventoryRole(c8y, name=named("reading"), permissions=permissions).create()
    user.assign_inventory_roles(group.id, role)
    ben = connect(world, name, "some-Secret-3")
    assert ben.inventory.get(device.id).name == device.name
    assert ben.events.get_all(source=device.id) == []
    with pytest.raises(AccessDeniedError):
        ben.inventory.get(DEVICE)
    (assignment,) = user.retrieve_inventory_role_assignments()
    assert (assignment.managed_object, [one.id for one in assignment.roles]) == (group.id, [role.id])
    user.unassign_inventory_roles(assignment.id)
    with pytest.raises(AccessDeniedError):
        ben.inventory.get(device.id)
    user.delete()
    role.delete()


def test_a_user_sets_up_a_second_factor(world: World, c8y: CumulocityApi, connect: Connect) -> None:
    name = named("cleo")
    user = User(c8y, username=name, password="some-Secret-4").create()
    me = connect(world, name, "some-Secret-4").users.get_current()
    assert not me.get_totp_enabled()
    secret, _ = me.generate_totp_secret()
    me.enable_totp()
    assert not me.is_valid_totp("000000")
    assert me.is_valid_totp(totp(secret, world.sandbox.clock.now() / 1000))
    assert c8y.users.get_tfa_settings(name).enabled
    c8y.users.revoke_totp_secret(name)
    user.delete()


# the tenant


def test_tenant_options(c8y: CumulocityApi) -> None:
    category = named("other.clients")
    c8y.tenant_options.set_value(category, "color", "red")
    option = TenantOption(c8y, category, "size", "5").create()
    option.value = "6"
    option.update()
    c8y.tenant_options.update_by(category, {"color": "blue", "shape": "round"})
    assert c8y.tenant_options.get_value(category, "size") == "6"
    assert c8y.tenant_options.get_all_mapped(category) == {"color": "blue", "size": "6", "shape": "round"}
    assert ("color", "blue") in [(one.key, one.value) for one in c8y.tenant_options.get_all()]
    c8y.tenant_options.delete_by(category, "color")
    with pytest.raises(KeyError):
        c8y.tenant_options.get(category, "color")


def test_the_tenant_and_its_applications(c8y: CumulocityApi) -> None:
    assert c8y.tenants.get_current().all_applications == []
    assert (c8y.tenants.get("test").id, c8y.tenants.get("test").status) == ("test", "ACTIVE")
    (cockpit,) = c8y.applications.get_all(name="cockpit", type="EXTERNAL,HOSTED")
    assert c8y.applications.get(cockpit.id).type == "HOSTED"
    assert c8y.applications.get_all(type="MICROSERVICE") == c8y.applications.get_all(owner="test") == []
