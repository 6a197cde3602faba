"""The inventory, operations, events and alarms against the sandbox, on each edition."""

import time
from collections import Counter
from datetime import timedelta

import pandas as pd
import pytest
from badserver import reply

from iotnb import errors, frames, times
from iotnb.loading import Load
from iotnb.platforms.iotconnect import IoTConnect, Sent, address
from iotnb.platforms.iotconnect.api import Api, Modules
from iotnb.platforms.iotconnect.following import Journal
from iotnb.platforms.iotconnect.inventory import Inventory, Known, paths_of
from iotnb.session import Settings


def moment(milliseconds):
    return pd.Timestamp(milliseconds, unit="ms", tz="UTC")


# -- devices


def test_the_inventory_is_the_fleets_on_each_edition(each, served):
    frame = each.devices().set_index("device")
    now = served.clock.now()
    for device in served.fleet:
        row = frame.loc[device.key]
        assert row["name"] == device.name
        assert (
            pd.isna(row["parent"])
            if device.parent is None
            else row["parent"] == served.fleet[device.parent].key
        )
        seen = served.fleet.last_seen(device.index, now)
        assert (
            pd.isna(row["last_seen"])
            if seen is None
            else abs(row["last_seen"] - moment(seen)) < timedelta(minutes=5)
        )
        assert row["owner"].split(" / ")[-1] == device.site
    assert frame.index.is_unique


def test_a_count_that_was_not_reported_is_said(enter):
    notes = enter(edition="aws").devices().attrs["iotnb"]["notes"]
    assert any("counted, not reported" in note for note in notes)
    assert not any("counted" in note for note in enter(edition="az").devices().attrs["iotnb"]["notes"])


def test_more_devices_than_a_page_all_come(enter):
    client = enter(edition="aws")
    whole = {row["guid"] for row in client.api.devices.list()}
    small = [row["guid"] for page in client.api.devices.pages(page_size=4) for row in page.items]
    assert len(small) == len(whole)
    assert set(small) == whole


def test_text_searches_names_and_identifiers_also_where_the_server_ignores_names(each):
    assert list(each.devices(text="inactive tr")["name"]) == ["Inactive tracker"]
    assert list(each.devices(text="GW-0001")["device"]) == ["gw-0001"]
    assert len(each.devices(text="nothing like it")) == 0


def test_type_is_the_template_and_query_the_platforms_own(client):
    pumps = client.devices(type="Pump PX-7")
    assert set(pumps["type"]) == {"Pump PX-7"}
    assert len(client.devices(type="Pump")) == 0
    inactive = client.devices(query="Status=inactive")
    assert list(inactive["name"]) == ["Inactive tracker"]
    with pytest.raises(errors.ConfigError, match="no filter 'Colour'"):
        client.devices(query="Colour=red")
    with pytest.raises(errors.ConfigError, match="is no filter"):
        client.devices(query="inactive")


def test_expanded_devices_have_their_properties_as_text(client, served):
    frame = client.devices(expand=True).set_index("device")
    gateway = served.fleet[0]
    row = frame.loc[gateway.key]
    assert (row["properties.imei"], row["properties.iccid"]) == (gateway.imei, gateway.iccid)
    assert row["cpId"] == client.account["cpid"]
    assert len(frame) == len(client.devices())


def test_a_device_that_is_not_there_is_named(client):
    for verb in ("series", "latest", "measurements", "operations", "events"):
        with pytest.raises(errors.ConfigError, match="no device 'gw-9999'"):
            getattr(client, verb)(["gw-0001", "gw-9999"])


def test_a_few_devices_are_found_without_reading_all(enter):
    client = enter()
    client.latest(["gw-0001", "sensor-0001-01"])
    paths = [each.url.split("/api/v2")[-1] for each in client.exchanges]
    assert not [path for path in paths if path.startswith("/Device?")]


def test_paths_of_entities_survive_circles_and_hidden_parents():
    entities = [
        {"guid": "a", "name": "A", "parentEntityGuid": None},
        {"guid": "b", "name": "B", "parentEntityGuid": "A"},
        {"guid": "c", "name": "C", "parentEntityGuid": "not there"},
        {"guid": "x", "name": "X", "parentEntityGuid": "Y"},
        {"guid": "y", "name": "Y", "parentEntityGuid": "x"},
    ]
    paths = paths_of(entities)
    assert (paths["A"], paths["B"], paths["C"]) == ("A", "A / B", "C")
    assert paths["X"] == "Y / X"


def test_entities_of_equal_name_are_told_apart(session, bad):
    """Two halls of one name: the list names the hall only, so the halls are asked for their devices."""
    entities = [
        {"guid": "R", "name": "Avnet", "parentEntityGuid": None},
        {"guid": "N", "name": "North", "parentEntityGuid": "R"},
        {"guid": "S", "name": "South", "parentEntityGuid": "R"},
        {"guid": "N1", "name": "Hall", "parentEntityGuid": "N"},
        {"guid": "S1", "name": "Hall", "parentEntityGuid": "S"},
    ]
    devices = [{"guid": f"D{n}", "uniqueId": f"d{n}", "entityName": "Hall"} for n in range(3)]
    bad.on("/Device", reply({"data": devices, "count": 3}))
    bad.on("/Entity", reply({"data": entities, "count": 5}))
    bad.on("/entity/N1/device", reply({"data": devices[:1], "count": 1}))
    bad.on("/entity/S1/device", reply({"data": devices[1:], "count": 2}))
    api = Api(Modules({"device": session, "user": session}, edition="az"))
    (page,) = Inventory(api).documents(Load())
    assert [each["entityPath"] for each in page] == [
        "Avnet / North / Hall",
        "Avnet / South / Hall",
        "Avnet / South / Hall",
    ]


def test_a_role_that_may_not_see_entities_still_has_devices(session, bad):
    bad.on("/Device", reply({"data": [{"guid": "D", "uniqueId": "d", "entityName": "Hall"}], "count": 1}))
    bad.on("/Entity", reply({"status": 403, "message": "no"}, 403))
    load = Load()
    (page,) = Inventory(Api(Modules({"device": session, "user": session}, edition="az"))).documents(load)
    assert len(page) == 1
    assert any(note.startswith("no paths of entities: 403") for note in load.notes)


# -- operations


def test_the_history_of_commands_is_the_fleets(each, served):
    fleet, now = served.fleet, served.clock.now()
    frame = each.operations(
        [device.key for device in fleet], since=times.from_ms(fleet.start), until=times.from_ms(now)
    )
    frame = frame[~frame["operation"].isin([sent.operation for sent in each.sent])]
    failures = Counter(frame.loc[frame["status"] == "FAILED", "failure"])
    states = Counter(frame["status"].astype("str"))
    expected = [op for device in fleet for op in fleet.operations(device.index, fleet.start, now)]
    assert failures >= Counter(op.failure for op in expected if op.status(now) == "FAILED")
    for status, count in Counter(op.status(now) for op in expected).items():
        assert states[status] >= count, status
    assert set(frame["platform_status"]) <= {"In Queue", "In Transit", "Executed", "Failed"}
    assert any("when the state changed last" in note for note in frame.attrs["iotnb"]["notes"])


def test_operations_can_be_narrowed_to_a_status(client):
    whole = client.operations(since="16d")
    failed = client.operations(since="16d", status="FAILED")
    assert len(failed) == (whole["status"] == "FAILED").sum() > 0
    assert failed["failure"].notna().all()
    assert len(client.operations(since="16d", status="CANCELLED")) == 0


def connected(client, served):
    frame = client.devices(type="Climate sensor CS-20")
    return str(frame.loc[frame["status"] == "online", "device"].iloc[0])


def test_a_command_is_followed_to_its_end_though_sending_gives_no_id(client, served):
    device = connected(client, served)
    sent = client.command(device, "run", parameter="status")
    assert isinstance(sent, Sent)
    assert not sent.ambiguous
    served.clock.advance(15_000)  # devices take their time
    client.follow(sent, timeout=20, every=0.05)
    assert sent.done, sent
    assert sent.operation
    assert sent.latency is not None
    assert timedelta(0) <= sent.latency < timedelta(seconds=60)
    until = times.now() + timedelta(hours=1)
    row = client.operations(device, since="2h", until=until).set_index("operation").loc[sent.operation]
    assert row["time"] == pd.Timestamp(sent.sent).floor("ms")
    assert row["status"] == sent.status
    assert row["duration"] == row["finished"] - row["time"]
    assert (row["kind"], row["parameters"]) == ("run", "status")
    assert client.sent[-1] is sent


def test_somebody_else_sees_the_same_command_without_its_time_of_sending(client, enter, served):
    device = connected(client, served)
    sent = client.command(device, "run", parameter="sync time")
    served.clock.advance(15_000)
    client.follow(sent, timeout=20, every=0.05)
    later = times.now() + timedelta(hours=1)  # the clock of the sandbox has been put forward
    row = enter().operations(device, since="2h", until=later).set_index("operation").loc[sent.operation]
    assert pd.isna(row["duration"])
    assert row["time"] == row["finished"] == pd.Timestamp(sent.finished)


def test_a_command_by_its_label_and_one_that_is_not_there(client, served):
    device = connected(client, served)
    template = client.api.devices.get(device)["deviceTemplateGuid"]
    listed = client.api.commands.list(template)
    named = next(each for each in listed if each["command"] == "restart")
    assert client.command(device, named["name"]).name == "restart"
    assert client.command(device, named["guid"].lower()).name == "restart"
    with pytest.raises(errors.ConfigError, match=r"no command 'dance'\. It has .*restart"):
        client.command(device, "dance")
    needing = next(each for each in listed if each["requiredParam"])
    with pytest.raises(errors.ConfigError, match="needs parameter="):
        client.command(device, needing["command"])


def test_a_command_that_does_not_end_in_time_is_returned_as_far_as_it_is(client, served):
    offline = client.devices(type="Pump PX-7")
    device = str(offline.loc[offline["status"] == "offline", "device"].iloc[0])
    began = time.monotonic()
    sent = client.follow(client.command(device, "restart"), timeout=0.3, every=0.05)
    assert time.monotonic() - began < 5
    assert (sent.status, sent.done, sent.latency) == ("PENDING", False, None)
    assert sent.platform_status == "In Queue"


class Desk:
    """A server with a history of commands that a test writes."""

    def __init__(self, bad):
        self.history, self.bad = [], bad
        self.commands = [{"guid": "C", "command": "reboot", "name": "Reboot", "requiredAck": True}]
        bad.on("/template-command/T", self._say(lambda: self.commands))
        bad.on("/template-command/history", self._say(lambda: self.history))
        bad.on("/template-command/device/G/send", reply({"data": [], "status": 200}))

    def _say(self, listed):
        return lambda seen, sock: reply({"data": listed(), "count": len(listed()), "status": 200})(seen, sock)

    def add(self, guid, text="reboot", status="In Queue", **more):
        self.history.insert(
            0, {"commandHistoryGuid": guid, "cmdText": text, "status": status, "statusDate": None, **more}
        )


@pytest.fixture
def desk(bad):
    return Desk(bad)


@pytest.fixture
def journal(session):
    return Journal(Api(Modules({"device": session}, edition="az")))


KNOWN = Known("G", "T")


def test_what_was_there_before_is_not_what_was_sent(journal, desk):
    desk.add("h1", status="Executed")
    sent = journal.send("d", KNOWN, "reboot", None)
    journal.look("G")
    assert (sent.operation, sent.ambiguous) == ("", False)
    desk.add("h2", text="reboot now")
    desk.add("h3")
    journal.look("G")
    assert sent.operation == "H3"


def test_two_new_ones_are_ambiguous_until_one_is_known(journal, desk):
    sent = journal.send("d", KNOWN, "reboot", None)
    desk.add("h1")
    desk.add("h2")
    assert [row.get("sent") for row in journal.look("G")] == [None, None]
    assert (sent.ambiguous, sent.operation, sent.done) == (True, "", False)


def test_two_of_ones_own_are_told_apart_by_their_order(journal, desk):
    first = journal.send("d", KNOWN, "reboot", None)
    desk.add("h1")
    second = journal.send("d", KNOWN, "reboot", None)
    desk.add("h2")
    journal.look("G")
    assert (first.operation, second.operation) == ("H1", "H2")
    assert not first.ambiguous
    assert not second.ambiguous


def test_the_text_with_a_parameter_may_be_joined_in_any_way(journal, desk):
    sent = journal.send("d", KNOWN, "reboot", "5")
    desk.add("h1", text="reboot5", status="2", statusDate=times.to_wire(times.now()), statusText="busy")
    journal.follow(sent, timeout=5, every=0.01)
    assert (sent.operation, sent.status, sent.words) == ("H1", "FAILED", "busy")


def test_a_command_whose_request_failed_is_remembered_since_it_may_have_gone_out(journal, desk, bad):
    bad.on("/template-command/device/G/send", reply({"status": 500, "message": "oops"}, 500))
    with pytest.raises(errors.ServerError):
        journal.send("d", KNOWN, "reboot", None)
    desk.add("h1", status="Executed", statusDate=times.to_wire(times.now() + timedelta(seconds=1)))
    journal.look("G")
    assert [each.operation for each in journal.all()] == ["H1"]


# -- events and alarms


def test_events_are_the_fleets_and_rejected_messages(each, served):
    fleet, now = served.fleet, served.clock.now()
    frame = each.events(
        [device.key for device in fleet], since=times.from_ms(fleet.start), until=times.from_ms(now)
    )
    found = Counter(
        (str(row.device), round(row.time.timestamp() * 1000), row.text) for row in frame.itertuples()
    )
    expected = Counter(
        (device.key, event.time, event.text)
        for device in fleet
        for event in fleet.events(device.index, fleet.start, now)
    )
    assert found >= expected
    assert frame["time"].is_monotonic_increasing
    kind = frame["type"].mode()[0]
    only = each.events(
        [device.key for device in fleet],
        since=times.from_ms(fleet.start),
        until=times.from_ms(now),
        type=kind,
    )
    assert len(only) == (frame["type"] == kind).sum()


def test_rejected_messages_are_events(client):
    frame = client.events(since="16d")
    rejected = frame[frame["type"].astype("str").str.startswith("rejected")]
    assert len(rejected)
    assert rejected["text"].notna().all()


def test_a_long_span_of_events_says_what_was_not_asked_for(client):
    with pytest.raises(errors.Incomplete, match="told day by day") as caught:
        client.events("gw-0001", since="800d")
    assert len(caught.value.partial)
    asked = [each for each in client.exchanges if "/audit-log" in each.url]
    assert len(asked) <= 400


def test_alarms_are_rules_that_fired_where_the_edition_lists_them(enter, served):
    fleet, now = served.fleet, served.clock.now()
    client = enter(edition="az")
    frame = client.alarms(
        [device.key for device in fleet], since=times.from_ms(fleet.start), until=times.from_ms(now)
    )
    expected = Counter(
        (device.key, alarm.time, alarm.type, alarm.severity)
        for device in fleet
        for alarm in fleet.alarms(device.index, fleet.start, now)
    )
    found = Counter(
        (str(row.device), round(row.time.timestamp() * 1000), str(row.type), str(row.severity))
        for row in frame.itertuples()
    )
    assert found == expected
    assert len(client.alarms(since=times.from_ms(fleet.start), until=times.from_ms(now))) >= len(frame)
    with pytest.raises(errors.Unsupported, match="this edition lists no fired alarms"):
        enter(edition="aws").alarms("gw-0001")


# -- tables without rows, and what is asked for at once


@pytest.mark.parametrize("verb", ["operations", "events", "alarms", "measurements"])
def test_nothing_is_an_empty_table_with_its_columns(client, verb):
    frame = getattr(client, verb)(["gw-0001"], since="2001-01-01", until="2001-01-02")
    assert len(frame) == 0
    assert frame.dtypes.to_dict() == frames.empty(verb).dtypes.to_dict()


def test_the_edition_of_2020_tells_no_history(enter):
    client = enter(edition="v1.1")
    assert client.edition == "v1.1"
    assert len(client.latest("gw-0001"))
    with pytest.raises(errors.Unsupported, match="the last value only"):
        client.measurements("gw-0001")


def test_on_a_tenant_of_ones_own_four_requests_at_once_are_enough(monkeypatch, bad):
    """Only this machine can be asked here, so what counts as this machine is turned around."""
    monkeypatch.setattr(address, "local", lambda url: False)
    bad.on("/api/v2.1/Auth/basic-token", reply({"data": "x"}))
    bad.on("/api/v2.1/Auth/login", reply({"access_token": "e30.e30.x", "expires_in": 3600}))
    base = f"{bad.base_url}/api/v2.1"
    values = {
        "solution_key": "key-1",
        "username": "u",
        "password": "p-1",
        "auth_url": base,
        "device_url": base,
    }
    with IoTConnect.login(values, settings=Settings(workers=8)) as client:
        assert client.session.settings.workers == 4
        assert (client.user, client.account) == ("u", {})
