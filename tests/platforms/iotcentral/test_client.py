"""The client against the sandbox, over real HTTP."""

import json
import threading
import time
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from iotnb import errors, times
from iotnb.platforms.iotcentral import IotCentral, Phone
from iotnb.sandbox.running import Sandbox
from iotnb.secret import Secret
from iotnb.session import Settings

QUICK = Settings(backoff=0.01, retries=4, timeout=(5, 20), rate=500)


def lots(client: IotCentral) -> pd.DataFrame:
    return client.measurements(since="6h", until=times.now())


# -- logging in


def test_who_one_is_and_for_how_long(client, served):
    facts = client.facts()
    assert facts["user"]
    assert facts["role"] == "Administrator"
    assert client.expires > times.now() + timedelta(days=1)
    shown = f"{client!r}{client._repr_html_()}{facts}"
    for secret in served.issued():
        assert secret not in shown


def test_a_token_that_was_altered_is_refused_with_words(enter, served):
    token = served.info()["iotcentral"]["api_tokens"]["sandbox-administrator"]
    with pytest.raises(errors.Unauthorized) as caught:
        enter(api_token=token.replace("sig=", "sig=A"))
    assert "opens one application only" in str(caught.value)
    assert token not in str(caught.value)


def test_a_person_logs_in_with_the_token_of_the_command_line(enter, served):
    connect = served.info()["iotcentral"]
    client = enter(method="bearer")
    assert client.user
    assert client.api.roles.list()
    with pytest.raises(errors.ConfigError, match="management_bearer="):
        enter(method="bearer", bearer=connect["management_bearer"])
    with pytest.raises(errors.ConfigError, match="Give this token as bearer="):
        enter(management_bearer=connect["bearer"])


def test_what_the_command_line_prints_is_taken_whole(enter, served):
    printed = served.info()["iotcentral"]["cli"]
    both = {
        "bearer": json.dumps(printed["application"]),
        "management_bearer": json.dumps(printed["management"]),
    }
    client = enter(method="bearer", subscription="", **both)
    assert client.api.apps.subscription == printed["management"]["subscription"]
    assert client.api.apps.list()


def test_a_service_principal_opens_both_and_renews_itself(enter, served):
    client = enter(method="client_credentials", api_token="", bearer="", management_bearer="")
    assert client.user == served["iotcentral"].connect["client_id"]
    assert client.api.apps.list()
    assert client.devices()["device"].is_unique
    first = client.session.auth.token.value
    served.faults.set("iotcentral", revoke_every=3)
    for _ in range(4):
        client.api.roles.list()
    assert client.session.auth.token.value != first
    with pytest.raises(errors.Unauthorized, match="invalid_client"):
        enter(method="client_credentials", client_secret="wrong")
    with pytest.raises(errors.Unauthorized, match="directory"):
        enter(method="client_credentials", directory="nowhere")


def test_of_several_credentials_the_plainest_opens(enter):
    assert enter().method == "api_token"
    assert enter(api_token="").method == "bearer"
    assert enter(api_token="", bearer="").method == "client_credentials"
    nothing = dict.fromkeys(("api_token", "bearer", "client_secret", "client_id", "app_url"), "")
    assert enter(**nothing).method == "management"


def test_a_principal_that_is_no_user_of_the_application_is_told(enter, served):
    stranger = served.info()["iotcentral"]["principals"]["stranger"]
    with pytest.raises(errors.Forbidden, match="enterprise application"):
        enter(
            method="client_credentials",
            client_id=stranger["client_id"],
            client_secret=stranger["client_secret"],
        )


def test_a_person_signs_in_with_a_code_in_the_browser(enter, capsys):
    client = enter(method="device_code", management_bearer="")
    assert "sign in" in capsys.readouterr().out.lower()
    assert "@" in client.user
    assert client.devices()["device"].is_unique
    assert client.api.apps.list()


def test_management_alone_lists_applications_and_opens_none(enter):
    client = enter(method="management")
    assert client.api.apps.list()
    with pytest.raises(errors.ConfigError, match="opens no application"):
        client.devices()


def test_a_wrong_address_is_told(enter):
    with pytest.raises(errors.ConnectionFailed):
        enter(app_url="http://127.0.0.1:9")


# -- the inventory


def test_every_device_once_with_its_gateway(client, served):
    frame = client.devices()
    assert frame["device"].is_unique
    assert len(frame) >= len(served.fleet)
    by_name = frame.set_index("name")
    for device in served.fleet:
        row = by_name.loc[device.name]
        if device.parent is not None:
            assert row["parent"] == by_name.loc[served.fleet[device.parent].name, "device"]
    assert set(frame["status"]) <= {"offline", "unknown"}
    assert frame["last_seen"].isna().all()
    assert any("last_seen" in note for note in frame.attrs["iotnb"]["notes"])


def test_expanding_brings_the_properties_as_text(client, served):
    frame = client.devices(expand=True)
    gateway = next(device for device in served.fleet if device.kind == "gateway")
    row = frame[frame["name"] == gateway.name].iloc[0]
    assert {gateway.imei, gateway.iccid, gateway.serial} <= {str(value) for value in row}
    assert not any("$metadata" in column for column in frame.columns)


def test_devices_are_found_by_the_server(client, served):
    device = client.devices().dropna(subset=["type"]).iloc[0]
    assert device["device"] in client.devices(text=device["name"])["device"].tolist()
    assert client.devices(text=device["device"])["device"].tolist() == [device["device"]]
    same = client.devices(type=device["type"])
    assert set(same["type"]) == {device["type"]}
    title = client.fleet.models()[device["type"]].title
    assert client.devices(type=title)["device"].tolist() == same["device"].tolist()
    every = client.devices()
    known = every[~every["labels"].str.contains("not provisioned")]["device"].tolist()
    assert client.devices(query="provisioned eq true")["device"].tolist() == known
    assert client.devices(text="o'clock'").empty
    with pytest.raises(errors.ConfigError, match="device template"):
        client.devices(type="no such template")
    with pytest.raises(errors.Invalid):
        client.devices(query="nonsense ((")


def test_a_device_that_is_not_there_is_told(client):
    with pytest.raises(errors.ConfigError, match="no device 'nobody'"):
        client.measurements("nobody")
    named = client.devices().iloc[0]
    if named["name"] != named["device"]:
        with pytest.raises(errors.ConfigError, match=named["device"]):
            client.latest(named["name"])


# -- telemetry


def fleet_devices(client: IotCentral, served: Sandbox) -> dict[int, str]:
    frame = client.devices()
    by_name = dict(zip(frame["name"], frame["device"], strict=True))
    return {device.index: by_name[device.name] for device in served.fleet}


def numbers(served: Sandbox, device: int, start: int, end: int) -> dict[str, list[tuple[int, float]]]:
    found = {}
    for group, listed in served.fleet.groups(device).items():
        at = served.fleet.times(device, group, start, end)
        for series in listed:
            if series.kind == "number" and at.size:
                values = served.fleet.value(device, series, at)
                found[series.name] = list(zip(at.tolist(), values.tolist(), strict=True))
    return found


def loaded(frame: pd.DataFrame, device: str) -> dict[str, list[tuple[int, float]]]:
    rows = frame[(frame["device"] == device) & frame["value"].notna()]
    found: dict[str, list[tuple[int, float]]] = {}
    for row in rows.itertuples():
        found.setdefault(str(row.series).split(".")[-1], []).append((row.time.value // 1_000_000, row.value))
    return found


@pytest.mark.parametrize(
    "faults",
    [{}, {"fail_every": 4}, {"drop_every": 5, "cut_every": 7}, {"rate_limit": 15, "retry_after": None}],
)
def test_measurements_are_the_fleets(enter, served, faults):
    client = enter()
    ids = fleet_devices(client, served)
    end = served.clock.now() // 1000 * 1000
    start = end - 30 * 3_600_000
    served.faults.set("iotcentral", **faults)
    chosen = list(ids)[:3]
    frame = client.measurements(
        [ids[i] for i in chosen], since=times.from_ms(start), until=times.from_ms(end)
    )
    assert frame.attrs["iotnb"]["complete"]
    for i in chosen:
        expected, got = numbers(served, i, start, end), loaded(frame, ids[i])
        assert set(got) == set(expected)
        for name, pairs in expected.items():
            assert [at for at, _ in got[name]] == [at for at, _ in pairs], name
            np.testing.assert_allclose([v for _, v in got[name]], [v for _, v in pairs], rtol=1e-9)


def test_answers_that_are_cut_are_continued(enter, served):
    client = enter()
    frame = client.measurements(since="48h")
    pumps = frame[frame["device"].astype("str").str.startswith("machine")]
    assert len(pumps[["device", "time"]].drop_duplicates()) > 10_000  # rows of the answers, if it were one
    ids = fleet_devices(client, served)
    window = [times.to_ms(times.from_wire(text)) for text in frame.attrs["iotnb"]["window"]]
    for i, device in ids.items():
        expected = numbers(served, i, *window)
        got = loaded(frame, device)
        assert {name: len(pairs) for name, pairs in got.items()} == {
            name: len(pairs) for name, pairs in expected.items()
        }
    keys = frame[["time", "device", "series"]]
    assert not keys.duplicated().any()


def test_what_is_older_than_seven_days_is_a_gap(client):
    device = client.devices().dropna(subset=["type"])["device"].iloc[0]
    with pytest.raises(errors.Incomplete) as caught:
        client.measurements(device, since="9d")
    assert "7 days" in caught.value.gaps[0]["reason"]
    assert len(caught.value.partial)
    assert client.measurements(device, since="7d").attrs["iotnb"]["complete"]


def test_the_telemetry_of_a_module_is_read_as_last_value_only(client):
    models = client.fleet.models().values()
    model, module = next((m, each) for m in models for each in m.telemetry if each.module)
    device = client.devices(type=model.id)["device"].iloc[0]
    everything = client.measurements(device, since="1h")
    assert any(module.name in note for note in everything.attrs["iotnb"]["notes"])
    with pytest.raises(errors.Incomplete, match="cannot be queried"):
        client.measurements(device, since="1h", series=module.name)
    assert module.name in set(client.series(device)["series"])


def test_one_series_of_one_device(client, served):
    series = client.series(client.devices().dropna(subset=["type"])["device"].iloc[:1])
    name = series.dropna(subset=["last"])["series"].iloc[0]
    device = series["device"].iloc[0]
    frame = client.measurements(device, series=str(name), since="6h")
    assert set(frame["series"]) == {name}
    with pytest.raises(errors.ConfigError, match="none of these devices' templates"):
        client.measurements(device, series="no.such", since="6h")


@pytest.mark.parametrize(
    ("aggregate", "function"), [("1h", "mean"), ("1h", "max"), ("15m", "count"), ("1h", "std")]
)
def test_reduced_by_the_server_or_here_it_is_the_same(client, served, aggregate, function):
    ids = fleet_devices(client, served)
    raw = client.measurements(ids[0], since="6h")
    until = times.from_wire(raw.attrs["iotnb"]["window"][1])
    reduced = client.measurements(ids[0], since="6h", until=until, aggregate=aggregate, function=function)
    start = pd.Timestamp(reduced.attrs["iotnb"]["window"][0])
    raw = client.measurements(ids[0], since=start.to_pydatetime(), until=until)
    raw = raw[raw["value"].notna()]
    expected = (
        raw.groupby(["series", raw["time"].dt.floor(aggregate.replace("m", "min"))], observed=True)["value"]
        .agg(function)
        .dropna()
    )
    got = reduced.set_index(["series", "time"])["value"]
    assert len(got) == len(expected)
    for (series, time_), value in expected.items():
        assert got[(series, time_)] == pytest.approx(value, rel=1e-6), (series, time_)


def test_queries_keep_the_pace_of_one_a_second(enter):
    client = enter()
    client.query_rate(5.0)
    began = time.monotonic()
    for _ in range(4):
        client.api.query.run("SELECT TOP 1 $id AS d FROM dtmi:iotnb:plant:Gateway;1")
    assert time.monotonic() - began > 0.55


def test_last_values_and_series(client, served):
    ids = fleet_devices(client, served)
    latest, series = client.latest(ids[0]), client.series(ids[0])
    end = served.clock.now()
    expected = {name: pairs[-1] for name, pairs in numbers(served, 0, served.fleet.start, end).items()}
    got = {str(row.series).split(".")[-1]: row for row in latest.itertuples() if not np.isnan(row.value)}
    assert set(got) == set(expected)
    units = {each.name: each.unit for each in served.fleet.series(0)}
    for name, row in got.items():
        assert row.unit == units[name]
    assert set(latest["series"]) <= set(series["series"])
    assert (latest["age"] >= pd.Timedelta(0)).all()
    one = str(latest["series"].iloc[0])
    assert client.latest(ids[0], series=one)["series"].tolist() == [one]


def test_a_load_can_be_stopped(client):
    job = client.job("measurements", since="72h")
    threading.Timer(0.05, job.cancel).start()
    while not job.done():
        time.sleep(0.02)
    assert job.state in {"cancelled", "done", "partial"}


# -- events, alarms, operations


def test_events_are_telemetry_that_is_called_so(client, served):
    ids = fleet_devices(client, served)
    end = served.clock.now()
    start = end - 48 * 3_600_000
    frame = client.events(list(ids.values()), since=times.from_ms(start), until=times.from_ms(end))
    kinds = {each.own for model in client.fleet.models().values() for each in model.telemetry if each.event}
    expected = {
        (ids[i], each.time, each.text)
        for i in ids
        for each in served.fleet.events(i, start, end)
        if each.type in kinds
    }
    assert expected
    got = {(row.device, row.time.value // 1_000_000, row.text) for row in frame.itertuples()}
    assert got == expected
    assert client.events(ids[0], since="48h", type="no such").empty


def test_alarms_are_not_there_and_said_so(client):
    before = client.session.counters.requests
    with pytest.raises(errors.Unsupported, match="Azure IoT Central has no alarms"):
        client.alarms()
    assert client.session.counters.requests == before


# -- an application of one's own, a phone in it


@pytest.fixture(scope="module")
def rented(served):
    """A fresh application with an operator, and a phone that is connected."""
    info = served.info()["iotcentral"]
    given = {"bearer": info["bearer"], "management_bearer": info["management_bearer"], "method": "bearer"}
    client = IotCentral.login({**info["connect"], **given}, settings=QUICK)
    name = "test-app-4711"
    client.api.apps.create_group()
    properties = {"displayName": "Test", "subdomain": name, "template": "iotc-pnp-preview@1.0.0"}
    document = {"location": "eastus", "sku": {"name": "ST2"}, "properties": properties}
    client.api.apps.create(name, document)
    app = client.api.apps.wait(name, every=0.1)
    inside = client.enter(app)
    roles = [{"role": "ca310b8d-2f4a-44e0-a36e-957c202cd8d4"}]
    token = inside.api.api_tokens.create("admin-token", {"roles": roles})["token"]
    admin = client.enter(app, api_token=Secret(token))
    admin.query_rate(None)
    admin.api.devices.create(
        "phone-001", {"displayName": "My phone app", "simulated": False, "enabled": True}
    )
    credentials = admin.api.devices.credentials("phone-001")
    phone = Phone(
        "phone-001",
        id_scope=credentials["idScope"],
        key=credentials["symmetricKey"]["primaryKey"],
        dps_url=client.dps_url,
        interval=0.1,
        settings=QUICK,
    )
    assert not admin.api.devices.get("phone-001")["provisioned"]
    phone.register(every=0.1)
    with phone:
        while phone.sent < 5:
            assert not phone.failures, phone.failures
            time.sleep(0.05)
        yield admin, phone
    client.api.apps.delete(name)
    with pytest.raises(errors.RequestError):
        admin.api.devices.list()
    for each in (client, inside, admin):
        each.close()


def test_the_phone_is_provisioned_and_has_its_template(rented):
    admin, phone = rented
    device = admin.api.devices.get("phone-001")
    assert device["provisioned"]
    assert device["template"] == "dtmi:azureiot:PhoneAsADevice;2"
    row = admin.devices().set_index("device").loc["phone-001"]
    assert row["name"] == "My phone app"
    assert "phone-001" in repr(phone)


def test_its_vectors_are_series_with_the_components_name(rented):
    admin, _ = rented
    frame = admin.measurements("phone-001", since="1h")
    assert {f"sensors.accelerometer.{leaf}" for leaf in "xyz"} <= set(frame["series"])
    assert {"sensors.geolocation.lat", "sensors.barometer"} <= set(frame["series"])
    assert set(frame[frame["series"] == "sensors.barometer"]["unit"]) == {"kilopascal"}
    gravity = frame[frame["series"] == "sensors.accelerometer.z"]["value"]
    assert gravity.between(9, 10.5).all()
    latest = admin.latest("phone-001", series="sensors.accelerometer")
    assert sorted(latest["series"]) == [f"sensors.accelerometer.{leaf}" for leaf in "xyz"]
    only = admin.measurements("phone-001", since="1h", series="sensors.accelerometer.x")
    assert set(only["series"]) == {"sensors.accelerometer.x"}


def test_a_command_is_wrapped_and_remembered_with_its_time(rented):
    admin, _ = rented
    payload = {"duration": 3, "delay": 1, "pulses": 2}
    answer = admin.api.commands.call("phone-001", "lightOn", payload)
    assert answer.get("responseCode", 200) == 200
    sent = admin.exchanges[-1]
    assert '"request"' in str(sent.request_body)
    frame = admin.operations("phone-001")
    row = frame[frame["kind"] == "lightOn"].iloc[-1]
    assert row["status"] == "SUCCESSFUL"
    assert pd.notna(row["time"])
    assert '"pulses":2' in row["parameters"]
    assert len(frame[frame["kind"] == "lightOn"]) == 1
    with pytest.raises(errors.RequestError):
        admin.api.commands.call("phone-001", "noSuchCommand")
    failed = admin.operations("phone-001", status="FAILED")
    assert failed["failure"].str.contains("404|422|400").all()
    with pytest.raises(errors.ConfigError, match="response_timeout"):
        admin.api.commands.call("phone-001", "lightOn", response_timeout=60)


def test_a_property_is_accepted_by_the_device_later(rented):
    admin, _ = rented
    admin.api.properties.update("phone-001", {"writeableProp": "hello"})
    deadline = time.monotonic() + 10
    while True:
        frame = admin.properties("phone-001").set_index("property")
        if frame.loc["writeableProp", "state"] == "accepted":
            break
        assert frame.loc["writeableProp", "state"] == "pending"
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert frame.loc["writeableProp", "desired"] == "hello"
    row = admin.operations("phone-001").query("kind == 'property'").iloc[-1]
    assert row["status"] == "SUCCESSFUL"


def test_a_wrong_key_is_refused_by_the_provisioning_service(rented, served):
    _, phone = rented
    stranger = Phone(
        "phone-001",
        id_scope=phone.id_scope,
        key="MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA=",
        dps_url=phone.dps_url,
        settings=QUICK,
    )
    with pytest.raises(errors.Unauthorized, match="does not accept the key"):
        stranger.register(every=0.1)


def test_a_role_that_lacks_the_right_is_told(rented):
    admin, _ = rented
    roles = [{"role": "ae2c9854-393b-4f97-8c42-479d70ce626e"}]
    token = admin.api.api_tokens.create("operator-token", {"roles": roles})["token"]
    operator = admin.enter("test-app-4711", api_token=Secret(token))
    try:
        with pytest.raises(errors.Forbidden):
            operator.api.destinations.create(
                "d", {"displayName": "d", "type": "webhook@v1", "url": "http://127.0.0.1:9"}
            )
        assert operator.devices()["device"].tolist()
    finally:
        operator.close()
