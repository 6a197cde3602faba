"""Measurements: the fleet's and users', pages, filters, formats, creation, deletion."""

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from callers import DEVICE, NOON, VENDOR, Api, World

PLACE = "/measurement/measurements"
DAY = {"dateFrom": "2025-12-30T00:00:00Z", "dateTo": "2025-12-31T00:00:00Z"}
FROM, TO = 1_767_052_800_000, 1_767_139_200_000


def measurement(
    device: str, time: str = "2026-01-01T00:00:00.000Z", value: float = 1, **more: Any
) -> dict[str, Any]:
    return {
        "source": {"id": device},
        "type": "t_T",
        "time": time,
        "f_F": {"s": {"value": value, "unit": "C"}},
        **more,
    }


def test_what_the_fleet_says_is_what_is_served(still: World) -> None:
    admin, fleet = still.user("admin"), still.fleet
    served = admin.pages(PLACE, "measurements", source=DEVICE, pageSize=2000, revert="false", **DAY)
    found = {
        (m["time"], f"{f}.{s}"): v["value"]
        for m in served
        for f, c in m.items()
        if f.startswith("c8y_")
        for s, v in c.items()
    }
    words = {"environment": "c8y_Environment", "battery": "c8y_Battery", "signal": "c8y_SignalStrength"}
    expected: dict[tuple[str, str], float] = {}
    for group, series in fleet.groups(1).items():
        times = fleet.times(1, group, FROM, TO)
        for one in series:
            for at, value in zip(times.astype("M8[ms]").astype(str), fleet.value(1, one, times), strict=True):
                expected[f"{at}Z", f"{words[group]}.{one.name}"] = float(value)
    assert found == expected
    times_served = [m["time"] for m in served]
    assert times_served == sorted(times_served)
    assert len({m["id"] for m in served}) == len(served)
    one = served[0]
    assert one["source"] == {"id": DEVICE, "self": f"{admin.base}/inventory/managedObjects/{DEVICE}"}
    assert one["self"] == f"{admin.base}{PLACE}/{one['id']}"


def test_pages_of_any_size_hold_the_same_measurements(still: World) -> None:
    admin = still.user("admin")
    whole = admin.get(PLACE, source=DEVICE, pageSize=2000, **DAY)["measurements"]
    pieces = admin.pages(PLACE, "measurements", source=DEVICE, pageSize=333, **DAY)
    assert pieces == whole
    down = admin.get(PLACE, source=DEVICE, pageSize=2000, revert="true", **DAY)["measurements"]
    assert down == whole[::-1]


def test_totals_equal_the_count(still: World) -> None:
    admin = still.user("admin")
    count = len(admin.get(PLACE, source=DEVICE, pageSize=2000, **DAY)["measurements"])
    page = admin.get(PLACE, source=DEVICE, pageSize=1, withTotalPages="true", withTotalElements="true", **DAY)
    assert page["statistics"] == {
        "currentPage": 1,
        "pageSize": 1,
        "totalPages": count,
        "totalElements": count,
    }
    empty = admin.get(PLACE, source="1", pageSize=1, withTotalPages="true")
    assert empty["statistics"]["totalPages"] == 0


def test_the_range_includes_its_start_and_not_its_end(admin: Api) -> None:
    device = admin.device()
    for time in ("2026-01-01T00:00:00.000+00:00", "2026-01-01T00:00:01.000Z"):
        admin.post(PLACE, measurement(device, time))
    found = admin.get(PLACE, source=device, dateFrom="2026-01-01T00:00:00Z", dateTo="2026-01-01T00:00:01Z")
    assert [m["time"] for m in found["measurements"]] == ["2026-01-01T00:00:00.000+00:00"]
    assert (
        len(admin.get(PLACE, source=device, dateFrom="2026-01-01", dateTo="2026-01-02")["measurements"]) == 2
    )
    assert len(admin.get(PLACE, source=device, dateFrom="1970-01-01")["measurements"]) == 2
    raw = admin.get(
        f"{PLACE}?source={device}&dateFrom=2026-01-01T02:00:00+02:00&dateTo=2026-01-01T02:00:01%2B02:00"
    )
    assert len(raw["measurements"]) == 1


@pytest.mark.parametrize(
    "time", ["2020-03-01T00:00:00+02:0", "20130-01-01T00:00:00Z", "yesterday", "2026-13-01T00:00:00Z"]
)
def test_times_that_are_none_are_refused(admin: Api, time: str) -> None:
    assert admin.get(PLACE, 422, dateFrom=time)["error"] == "undefined/validationError"
    admin.post(PLACE, measurement(admin.device(), time), 422)


def test_filters_by_type_fragment_and_series(admin: Api) -> None:
    device = admin.device()
    admin.post(PLACE, measurement(device))
    admin.post(PLACE, {**measurement(device), "type": "other", "g_G": {"u": {"value": 2}}})
    assert len(admin.get(PLACE, source=device, type="other")["measurements"]) == 1
    assert len(admin.get(PLACE, source=device, valueFragmentType="f_F")["measurements"]) == 2
    assert (
        len(admin.get(PLACE, source=device, valueFragmentType="g_G", valueFragmentSeries="u")["measurements"])
        == 1
    )
    assert (
        admin.get(PLACE, source=device, valueFragmentType="g_G", valueFragmentSeries="s")["measurements"]
        == []
    )
    kinds = {
        m["type"]
        for m in admin.get(PLACE, source=DEVICE, valueFragmentType="c8y_Battery", pageSize=50)["measurements"]
    }
    assert kinds == {"c8y_Battery"}
    assert {m["type"] for m in admin.get(PLACE, type="c8y_CPUMeasurement", pageSize=50)["measurements"]} == {
        "c8y_CPUMeasurement"
    }


def test_users_measurements_on_a_fleet_device_stand_in_the_order_of_time(admin: Api) -> None:
    first = admin.get(PLACE, source=DEVICE, pageSize=3, dateFrom="1970-01-01", revert="true")["measurements"]
    time = first[1]["time"].replace("Z", "+00:00")
    made = admin.post(PLACE, measurement(DEVICE, time))
    around = admin.get(PLACE, source=DEVICE, pageSize=50, dateFrom=first[2]["time"])["measurements"]
    times = [m["time"].replace("+00:00", "Z") for m in around]
    assert times == sorted(times)
    assert made["id"] in [m["id"] for m in around]
    admin.delete(f"{PLACE}/{made['id']}")


def test_a_batch_is_all_or_nothing_and_large_ones_work(admin: Api) -> None:
    device = admin.device()
    kind = {"Content-Type": f"{VENDOR}measurementcollection+json"}
    batch = [
        measurement(device, f"2026-01-01T{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}.000Z", n)
        for n in range(5000)
    ]
    answer = admin("POST", PLACE, 201, json={"measurements": batch}, headers={**kind, "Accept": None})
    assert answer.content == b""
    served = admin.pages(PLACE, "measurements", source=device, pageSize=2000)
    assert [m["f_F"]["s"]["value"] for m in served] == list(range(5000))
    broken = {"measurements": [measurement(device), {"source": {"id": device}}]}
    assert "type" in admin.post(PLACE, broken, 422, **kind)["message"]
    count = admin.get(PLACE, source=device, pageSize=1, withTotalPages="true")["statistics"]["totalPages"]
    assert count == 5000


@pytest.mark.parametrize("absent", ["source", "type", "time"])
def test_mandatory_fields(admin: Api, absent: str) -> None:
    body = measurement(admin.device())
    del body[absent]
    answer = admin.post(PLACE, body, 422)
    assert answer["message"] == f"Following mandatory fields should be included: {absent}"


def test_an_unknown_source_is_refused(admin: Api) -> None:
    assert admin.post(PLACE, measurement("987654321"), 422)["error"] == "undefined/validationError"


def test_integers_stay_integers_and_large_ones_exact(admin: Api) -> None:
    device = admin.device()
    for value in (42, 9007199254740993, 0.1, 1e300):
        text = admin("POST", PLACE, 201, json=measurement(device, value=value)).text
        assert f'"value":{value!r}'.replace("e+", "e") in text


def test_csv_has_one_line_per_series(still: World) -> None:
    admin = still.user("admin")
    asked = {"source": DEVICE, "pageSize": "10", "valueFragmentType": "c8y_Environment", **DAY}
    answer = admin("GET", PLACE, params=asked, headers={"Accept": "text/csv"})
    assert answer.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows[0] == ["time", "source", "device_name", "fragment.series", "value", "unit"]
    served = admin.get(PLACE, **asked)["measurements"]
    values = [float(v["value"]) for m in served for v in m["c8y_Environment"].values()]
    assert [float(row[4]) for row in rows[1:]] == values
    assert rows[1][3] == "c8y_Environment.temperature"
    assert rows[1][2] == still.fleet[1].name
    past = admin("GET", PLACE, params={**asked, "currentPage": "9999"}, headers={"Accept": "text/csv"})
    assert len(past.text.splitlines()) == 1


def test_imperial_units_are_converted(still: World) -> None:
    admin = still.user("admin")
    asked = {"source": DEVICE, "pageSize": "3", "valueFragmentType": "c8y_Environment", **DAY}
    metric = admin.get(PLACE, **asked)["measurements"]
    header = {"X-Cumulocity-System-Of-Units": "imperial"}
    imperial = admin("GET", PLACE, params=asked, headers=header).json()["measurements"]
    for one, other in zip(metric, imperial, strict=True):
        celsius = one["c8y_Environment"]["temperature"]["value"]
        assert other["c8y_Environment"]["temperature"]["value"] == pytest.approx(celsius * 1.8 + 32)
        assert other["c8y_Environment"]["temperature"]["unit"] == "F"


def test_one_measurement_by_id_and_its_deletion(still: World) -> None:
    admin = still.user("admin")
    first, second = admin.get(PLACE, source=DEVICE, pageSize=2, **DAY)["measurements"]
    assert admin.get(f"{PLACE}/{first['id']}") == first
    admin.delete(f"{PLACE}/{first['id']}")
    admin.get(f"{PLACE}/{first['id']}", 404)
    assert admin.get(PLACE, source=DEVICE, pageSize=1, **DAY)["measurements"] == [second]


def test_deleting_a_window_leaves_the_rest(still: World) -> None:
    admin = still.user("admin")
    own = admin.post(PLACE, measurement(DEVICE, "2025-12-30T06:30:00Z"))
    admin.delete(PLACE, source=DEVICE, dateFrom="2025-12-30T06:00:00Z", dateTo="2025-12-30T07:00:00Z")
    times = [m["time"] for m in admin.pages(PLACE, "measurements", source=DEVICE, pageSize=2000, **DAY)]
    assert not [t for t in times if "2025-12-30T06:" in t]
    assert [t for t in times if "2025-12-30T05:" in t]
    assert [t for t in times if "2025-12-30T07:" in t]
    admin.get(f"{PLACE}/{own['id']}", 404)
    count = admin.get(PLACE, source=DEVICE, pageSize=1, withTotalPages="true", **DAY)["statistics"][
        "totalPages"
    ]
    assert count == len(times)
    assert admin.get(PLACE, source="100002", dateFrom="2025-12-30T06:00:00Z", dateTo="2025-12-30T07:00:00Z")[
        "measurements"
    ]


def test_deletion_needs_a_filter(admin: Api) -> None:
    admin("DELETE", PLACE, 422)
    admin("DELETE", PLACE, 422, params={"type": "t"})


def test_transient_is_not_stored_and_json_stream_is_the_same_json(admin: Api) -> None:
    device = admin.device()
    made = admin(
        "POST", PLACE, 201, json=measurement(device), headers={"X-Cumulocity-Processing-Mode": "TRANSIENT"}
    )
    assert made.json()["f_F"]
    assert admin.get(PLACE, source=device)["measurements"] == []
    asked = {"source": DEVICE, "pageSize": "3"}
    stream = admin("GET", PLACE, params=asked, headers={"Accept": "application/json-stream"})
    assert stream.json()["measurements"] == admin.get(PLACE, **asked)["measurements"]


def test_large_pages_come_compressed_and_equal_the_plain_ones(still: World) -> None:
    admin = still.user("admin")
    asked = {"source": DEVICE, "pageSize": "2000", **DAY}
    bodies = []
    for encoding in ("gzip", "identity", "gzip", "identity"):
        answer = admin("GET", PLACE, params=asked, headers={"Accept-Encoding": encoding})
        assert answer.headers.get("Content-Encoding", "identity") == encoding
        bodies.append(answer.json())
    assert bodies[0] == bodies[1] == bodies[2] == bodies[3]
    made = admin.post(PLACE, measurement(DEVICE, "2025-12-30T00:00:00.001Z"))
    assert made["id"] in [m["id"] for m in admin.get(PLACE, **asked)["measurements"]]


def test_the_present_keeps_arriving(still: World) -> None:
    admin, asked = (
        still.user("admin"),
        {"source": DEVICE, "dateFrom": "2026-01-01T11:00:00Z", "pageSize": 2000},
    )
    before = admin.get(PLACE, **asked)["measurements"]
    assert all(m["time"] <= "2026-01-01T12:00:00.000Z" for m in before)
    still.sandbox.clock.advance(600_000)
    after = admin.get(PLACE, **asked)["measurements"]
    assert after[: len(before)] == before
    assert len(after) >= len(before)
    assert still.sandbox.clock.now() == NOON + 600_000


def test_retention_hides_what_is_too_old(fresh: Callable[..., World]) -> None:
    world = fresh(devices=3, days=90, switches={"cumulocity": {"retention": True}})
    admin = world.user("admin")
    oldest = admin.get(PLACE, source=DEVICE, pageSize=1, dateFrom="1970-01-01", revert="false")[
        "measurements"
    ][0]
    world.switch(retention=False)
    first = admin.get(PLACE, source=DEVICE, pageSize=1, dateFrom="1970-01-01", revert="false")[
        "measurements"
    ][0]
    assert first["time"] < oldest["time"]
    rule = admin.get("/retention/retentions")["retentionRules"][0]
    assert (rule["dataType"], rule["maximumAge"], rule["editable"]) == ("*", 60, True)


def test_what_arrives_after_a_deletion_stays(still: World) -> None:
    admin = still.user("admin")
    admin.delete(PLACE, source=DEVICE)
    assert admin.get(PLACE, source=DEVICE)["measurements"] == []
    still.sandbox.clock.advance(3_600_000)
    times = [m["time"] for m in admin.get(PLACE, source=DEVICE, pageSize=200)["measurements"]]
    assert times
    assert min(times) > "2026-01-01T12:00:00"
