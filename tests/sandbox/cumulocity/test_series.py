"""The series endpoint: rows and columns, the cut at 5,000 time stamps, aggregation, editions."""

from typing import Any

import numpy as np
import pytest
from callers import DEVICE, Api, World

PLACE = "/measurement/measurements/series"
DAY = {"dateFrom": "2025-12-30T00:00:00Z", "dateTo": "2025-12-31T00:00:00Z"}
FROM, TO = 1_767_052_800_000, 1_767_139_200_000
TEMPERATURE = "c8y_Environment.temperature"


def fill(admin: Api, device: str, count: int, *, step: int = 10, series: str = "s") -> None:
    bodies = []
    for n in range(count):
        at = np.datetime64("2026-01-01T00:00:00") + np.timedelta64(n * step, "s")
        content = {"f": {series: {"value": n, "unit": "C"}}}
        bodies.append({"source": {"id": device}, "type": "t", "time": f"{at}Z", **content})
    admin.post("/measurement/measurements", {"measurements": bodies})


def window(device: str, **more: Any) -> dict[str, Any]:
    return {"source": device, "dateFrom": "2025-01-01", "dateTo": "2027-01-01", **more}


def test_what_the_fleet_says_is_what_the_series_hold(still: World) -> None:
    admin, fleet = still.user("admin"), still.fleet
    found = admin.get(PLACE, source=DEVICE, series=[TEMPERATURE, "c8y_SignalStrength.rssi"], **DAY)
    assert found["series"] == [
        {"unit": "C", "name": "temperature", "type": "c8y_Environment"},
        {"unit": "dBm", "name": "rssi", "type": "c8y_SignalStrength"},
    ]
    assert found["truncated"] is False
    for column, (group, name) in enumerate((("environment", "temperature"), ("signal", "rssi"))):
        one = next(s for s in fleet.groups(1)[group] if s.name == name)
        times = fleet.times(1, group, FROM, TO)
        values = fleet.value(1, one, times).tolist()
        expected = {
            f"{at}Z": value
            for at, value in zip(times.astype("M8[ms]").astype(str).tolist(), values, strict=True)
        }
        served = {at: row[column]["min"] for at, row in found["values"].items() if row[column] is not None}
        assert served == expected
    assert all(row[0] is None or row[0]["min"] == row[0]["max"] for row in found["values"].values())


def test_all_series_come_when_none_is_asked_for_and_unknown_ones_are_left_out(admin: Api) -> None:
    names = admin.get(f"/inventory/managedObjects/{DEVICE}/supportedSeries")["c8y_SupportedSeries"]
    asked = {"source": DEVICE, "dateFrom": "2026-01-01", "dateTo": "2026-01-02"}
    assert [f"{s['type']}.{s['name']}" for s in admin.get(PLACE, **asked)["series"]] == names
    assert admin.get(PLACE, series="c8y_Nobody.has", **asked) == {
        "values": {},
        "series": [],
        "truncated": False,
    }


@pytest.mark.parametrize("absent", ["source", "dateFrom", "dateTo"])
def test_required_parameters(admin: Api, absent: str) -> None:
    asked = window(DEVICE)
    del asked[absent]
    assert absent in admin.get(PLACE, 422, **asked)["message"]


def test_five_thousand_time_stamps_and_no_next(admin: Api) -> None:
    device = admin.device()
    fill(admin, device, 5000)
    assert admin.get(PLACE, **window(device))["truncated"] is False
    admin.post(
        "/measurement/measurements",
        {"source": {"id": device}, "type": "t", "time": "2026-02-01T00:00:00Z", "f": {"s": {"value": -1}}},
    )
    found = admin.get(PLACE, **window(device))
    assert found["truncated"] is True
    assert "next" not in found
    rows = list(found["values"].items())
    assert len(rows) == 5000
    assert rows[0] == ("2026-01-01T00:00:00.000Z", [{"min": 0, "max": 0}])
    newest = admin.get(PLACE, **window(device, revert="true"))
    assert next(iter(newest["values"])) == "2026-02-01T00:00:00.000Z"
    assert newest["truncated"] is True
    rest = admin.get(PLACE, **window(device, dateFrom=rows[-1][0]))
    assert next(iter(rest["values"])) == rows[-1][0]
    assert list(rest["values"])[-1] == "2026-02-01T00:00:00.000Z"


def test_the_cut_of_the_fleet_can_be_walked_without_loss(still: World) -> None:
    admin = still.user("admin")
    still.sandbox.faults.set("cumulocity", truncate=400)
    start, seen = DAY["dateFrom"], {}
    while True:
        found = admin.get(
            PLACE, source=DEVICE, series=TEMPERATURE, dateFrom=start, dateTo=DAY["dateTo"], revert="false"
        )
        assert len(found["values"]) <= 400
        seen |= found["values"]
        if not found["truncated"]:
            break
        start = max(found["values"])
    assert len(seen) == still.fleet.count(1, "environment", FROM, TO)


def test_two_measurements_at_one_instant_become_one_row(admin: Api) -> None:
    device = admin.device()
    for value in (1, 2):
        body = {
            "source": {"id": device},
            "type": "t",
            "time": "2026-01-01T00:00:00Z",
            "f": {"s": {"value": value}},
        }
        admin.post("/measurement/measurements", body)
    assert admin.get(PLACE, **window(device))["values"] == {
        "2026-01-01T00:00:00.000Z": [{"min": 2, "max": 2}]
    }
    assert len(admin.get("/measurement/measurements", source=device)["measurements"]) == 2


def test_gaps_are_null_and_rows_are_short_in_old_editions(world: World, admin: Api) -> None:
    device = admin.device()
    fill(admin, device, 1, series="a")
    fill(admin, device, 2, series="b")
    found = admin.get(PLACE, **window(device, series=["f.b", "f.a"]))["values"]
    assert list(found.values())[1] == [{"min": 1, "max": 1}, None]
    world.switch(edition="2024")
    assert list(admin.get(PLACE, **window(device, series=["f.b", "f.a"]))["values"].values())[1] == [
        {"min": 1, "max": 1}
    ]


@pytest.mark.parametrize(("kind", "rows"), [("MINUTELY", 17), ("HOURLY", 1), ("DAILY", 1)])
def test_legacy_aggregation(admin: Api, kind: str, rows: int) -> None:
    device = admin.device()
    fill(admin, device, 100)
    found = admin.get(PLACE, **window(device, aggregationType=kind))["values"]
    assert len(found) == rows
    assert found["2026-01-01T00:00:00.000Z"] == [{"min": 0.0, "max": 5.0 if kind == "MINUTELY" else 99.0}]


def test_interval_and_functions_on_time_series_persistence(world: World, admin: Api) -> None:
    world.switch(persistence="timeseries")
    device = admin.device()
    fill(admin, device, 60, step=60)
    functions = ["min", "max", "avg", "sum", "count", "stdDevPop", "stdDevSamp"]
    asked = window(
        device,
        revert="false",
        aggregationInterval="30m",
        aggregationFunction=functions,
        aggregationType="DAILY",
    )
    found = admin.get(PLACE, **asked)["values"]
    values = np.arange(30.0)
    assert list(found) == ["2026-01-01T00:00:00.000Z", "2026-01-01T00:30:00.000Z"]
    row = found["2026-01-01T00:00:00.000Z"][0]
    assert list(row) == functions
    expected = [0, 29, values.mean(), values.sum(), 30, values.std(), values.std(ddof=1)]
    assert list(row.values()) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("interval", "first"),
    [("1w", "2025-12-29"), ("1M", "2026-01-01"), ("1q", "2026-01-01"), ("1y", "2026-01-01")],
)
def test_calendar_intervals(world: World, admin: Api, interval: str, first: str) -> None:
    world.switch(persistence="timeseries")
    device = admin.device()
    fill(admin, device, 3, step=86_400)
    found = admin.get(PLACE, **window(device, aggregationInterval=interval))["values"]
    assert found == {f"{first}T00:00:00.000Z": [{"min": 0.0, "max": 2.0}]}


def test_functions_without_interval_and_nonsense_intervals(world: World, admin: Api) -> None:
    admin.get(PLACE, 400, **window(DEVICE, aggregationFunction="avg"))
    world.switch(persistence="timeseries")
    for interval in ("0m", "01h", "1000s", "h", "5x", "-1d"):
        admin.get(PLACE, 422, **window(DEVICE, aggregationInterval=interval))
    admin.get(PLACE, 422, **window(DEVICE, aggregationInterval="1h", aggregationFunction="median"))


def test_legacy_persistence_ignores_functions_and_rounds_the_interval(admin: Api) -> None:
    device = admin.device()
    fill(admin, device, 100)
    found = admin.get(PLACE, **window(device, aggregationInterval="5m", aggregationFunction="avg"))["values"]
    assert len(found) == 17
    assert found["2026-01-01T00:00:00.000Z"] == [{"min": 0.0, "max": 5.0}]


def test_series_names_may_change_units_and_lack_one(admin: Api) -> None:
    device = admin.device()
    body = {"source": {"id": device}, "type": "t", "time": "2026-01-01T00:00:00Z", "f": {"s": {"value": 1}}}
    admin.post("/measurement/measurements", body)
    assert admin.get(PLACE, **window(device))["series"] == [{"name": "s", "type": "f"}]
