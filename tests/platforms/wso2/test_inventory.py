"""All devices, not 20; counted; each once; withheld lists and moving ones are told."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from badserver import Seen, reply

from iotnb import errors
from iotnb.platforms.wso2 import WSO2

Enter = Callable[..., WSO2]
DEVICES = "/api/device-mgt/v1.0/devices"


def enrolment(number: int, *, device: int | None = None, status: str = "ACTIVE", owner: str = "admin") -> Any:
    return {
        "id": device or number,
        "name": f"device {device or number}",
        "type": "android",
        "deviceIdentifier": f"{device or number:05d}",
        "enrolmentInfo": {
            "id": number,
            "dateOfEnrolment": 1_500_000_000_000 + number,
            "status": status,
            "owner": owner,
        },
    }


def served(rows: list[Any], *, count: int | None = None) -> Any:
    """The list of devices, in pages as asked for."""

    def step(seen: Seen, sock: Any) -> bool:
        start, limit = int(seen.query.get("offset", 0)), int(seen.query.get("limit", 20))
        part = [each for each in rows if seen.query.get("type", each["type"]) == each["type"]]
        body = {"devices": part[start : start + limit], "count": len(part) if count is None else count}
        return bool(reply(body)(seen, sock))

    return step


def test_all_devices_come_in_pages_of_a_hundred(scripted: SimpleNamespace) -> None:
    scripted.bad.on(DEVICES, served([enrolment(n) for n in range(1, 251)]))
    frame = scripted.client.devices()
    assert len(frame) == 250
    assert frame["device"].iloc[0] == "android/00001"
    assert frame.attrs["iotnb"]["pages"] == 3
    asked = [
        (each.query["offset"], each.query["limit"]) for each in scripted.bad.seen if each.path == DEVICES
    ]
    assert asked == [("0", "100"), ("100", "100"), ("200", "100")]


def test_a_server_that_gives_fewer_than_it_counts_is_read_twice_and_named(scripted: SimpleNamespace) -> None:
    scripted.bad.on(DEVICES, served([enrolment(n) for n in range(1, 51)], count=57))
    with pytest.raises(errors.Incomplete, match="counts 57 enrolments and gave 50") as caught:
        scripted.client.devices()
    assert len(caught.value.partial) == 50
    assert scripted.bad.count(DEVICES) == 2


def test_a_list_that_moved_is_whole_after_the_second_reading(scripted: SimpleNamespace) -> None:
    full = [enrolment(n) for n in range(1, 58)]
    scripted.bad.on(DEVICES, served(full[:55], count=57), served(full))
    frame = scripted.client.devices()
    assert len(frame) == 57
    assert frame.attrs["iotnb"]["complete"]


def test_a_withheld_list_is_no_empty_one(scripted: SimpleNamespace) -> None:
    scripted.bad.on(DEVICES, reply({"count": 57}))
    with pytest.raises(errors.BadAnswer, match="counts 57 rows and withheld the list 'devices'"):
        scripted.client.devices()
    scripted.bad.on(DEVICES, reply({"devices": [], "count": 0}))
    assert len(scripted.client.devices()) == 0
    scripted.bad.on(DEVICES, reply({"count": 0}))
    assert len(scripted.client.devices()) == 0
    scripted.bad.on(DEVICES, reply({"hello": "world"}))
    with pytest.raises(errors.BadAnswer, match="neither 'devices' nor a count"):
        scripted.client.devices()


def test_a_device_with_two_enrolments_is_one_row_though_pages_lie_between(scripted: SimpleNamespace) -> None:
    rows = [enrolment(1, status="REMOVED", owner="before"), *(enrolment(n) for n in range(2, 150))]
    rows.append(enrolment(400, device=1, owner="after"))
    scripted.bad.on(DEVICES, served(rows))
    frame = scripted.client.devices().set_index("device")
    assert frame.index.is_unique
    assert len(frame) == 149
    assert frame.loc["android/00001", "owner"] == "after"
    assert frame.loc["android/00001", "status"] == "online"
    assert "earlier:before REMOVED" in frame.loc["android/00001", "labels"]
    assert frame.attrs["iotnb"]["complete"]


def test_an_error_in_the_middle_is_raised(scripted: SimpleNamespace) -> None:
    scripted.bad.on(DEVICES, served([enrolment(n) for n in range(1, 251)]), reply({"message": "broken"}, 500))
    with pytest.raises(errors.ServerError, match="broken"):
        scripted.client.devices()


# -- against the sandbox


def test_the_sandbox_has_57_rows_and_none_is_lost(client: WSO2, running: Any) -> None:
    frame = client.devices()
    page = client.api.devices.page()
    assert len(page["devices"]) == 20  # what the server gives unless asked
    owners = client.api.devices.list()
    assert len(owners) == page["count"]
    assert len(frame) == len({(each["type"], each["deviceIdentifier"]) for each in owners})
    assert len(frame) < len(owners)  # one was enrolled twice
    twice = frame[frame["labels"].str.contains("earlier:", na=False)]
    assert "android" in set(twice["type"])
    assert frame["device"].str.contains("/0").any()  # leading zeros stay


def test_the_same_identifier_under_two_types_are_two_devices(enter: Enter) -> None:
    client = enter(scopes="all", application_name="two types")
    client.api.agent.enroll("windows", "123422", name="a desk of the same number")
    try:
        frame = client.devices(text="123422")
        assert sorted(frame["device"]) == ["firealarm/123422", "windows/123422"]
        with pytest.raises(errors.ConfigError, match="several devices: firealarm/123422, windows/123422"):
            client.latest("123422")
        assert len(client.latest("firealarm/123422")) == 3
    finally:
        client.api.agent.disenroll("windows", "123422")
        client.api.devices.delete("windows", "123422")


def test_an_identifier_alone_will_do_where_one_type_has_it(client: WSO2) -> None:
    frame = client.latest("0012345")
    assert set(frame["device"]) == {"firealarm/0012345"}


def test_what_is_asked_for_narrows(client: WSO2) -> None:
    assert set(client.devices(type="firealarm")["type"]) == {"firealarm"}
    assert list(client.devices(text="MYHOME")["device"]) == ["firealarm/123422"]
    assert set(client.devices(query="user=user111")["owner"]) == {"user111"}
    assert len(client.devices(query="status=UNREACHABLE&type=android")) >= 1
    assert set(client.devices(query="ownership=COPE", type="android")["type"]) == {"android"}
    assert len(client.devices(type="no_such_type")) == 0


def test_a_role_is_not_paged_and_needs_details(client: WSO2) -> None:
    assert len(client.devices(query="role=admin")) > 20


def test_a_query_that_is_none_is_refused(client: WSO2) -> None:
    with pytest.raises(errors.ConfigError, match="is no condition"):
        client.devices(query="pumps")


def test_withheld_rows_are_loud(client: WSO2, switches: dict[str, Any]) -> None:
    switches["withhold_devices"] = True
    with pytest.raises(errors.BadAnswer, match="withheld"):
        client.devices()


def test_expand_joins_details_and_properties(client: WSO2) -> None:
    frame = client.devices(expand=True).set_index("device")
    row = frame.loc["firealarm/123422"]
    assert row["properties.buildingId"] == "wso2"
    assert row["properties.floorId"] == "2"
    phones = frame[frame["type"] == "android"]
    assert phones["deviceInfo.deviceModel"].notna().any()
    few = client.devices(type="firealarm", expand=True).set_index("device")
    assert few.loc["firealarm/123422", "properties.buildingId"] == "wso2"


def test_a_device_that_is_not_there_is_named_with_its_neighbours(client: WSO2) -> None:
    client.devices()
    with pytest.raises(errors.ConfigError, match=r"no device 'firealarm/123423'.*Near it: firealarm/123422"):
        client.measurements("firealarm/123423")


def test_what_belongs_to_somebody_else_is_told_and_not_a_lost_login(enter: Enter, client: WSO2) -> None:
    foreign = next(iter(client.devices(query="user=admin", type="android")["device"]))
    other = enter(username="user111", password="user111", application_name="of user111")
    with pytest.raises(errors.Forbidden, match="belongs to another user") as caught:
        other.measurements(foreign)
    assert caught.value.status == 401
    assert other.session.auth.renewals == 0  # type: ignore[attr-defined]
