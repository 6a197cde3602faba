"""The query language with its limits, and last values: what comes back is what the fleet says."""

import re
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

PREVIEW = "2022-10-31-preview"
SENSOR, GATEWAY, PUMP = (f"dtmi:iotnb:plant:{name};1" for name in ("ClimateSensor", "Gateway", "Pump"))
DAY = 86_400_000


@pytest.fixture(scope="module")
def still() -> Any:
    """A sandbox whose clock stands still."""
    from iotnb import sandbox
    from iotnb.sandbox import iotcentral

    with sandbox.start(
        {"iotcentral": iotcentral}, devices=14, days=12, clock=sandbox.Clock(frozen=True)
    ) as run:
        yield run
        run.raise_errors()


@pytest.fixture
def ask(still: Any, rig: Any) -> Any:
    found = type(rig)(still)
    yield found.role()
    found.close()


def ms(text: str) -> int:
    return int(np.datetime64(text.removesuffix("Z"), "ms").astype(np.int64))


def wire(at: int) -> str:
    return f"{np.datetime64(at, 'ms')}Z"


def test_rows_are_the_fleets(still: Any, ask: Any) -> None:
    fleet, now = still.fleet, still.clock.now()
    rows = ask.query(
        f"SELECT $id as device, $ts as timestamp, environment.temperature FROM {SENSOR} "
        "WHERE WITHIN_WINDOW(PT3H) AND environment.temperature <> NULL"
    )
    expected = set()
    for device in fleet:
        if device.kind == "sensor":
            times = fleet.times(device.index, "environment", now - 3 * 3_600_000, now + 1)
            series = fleet.find_series(device.index, "environment.temperature")
            values = fleet.value(device.index, series, times)
            expected |= {
                (device.key, wire(t), v) for t, v in zip(times.tolist(), values.tolist(), strict=True)
            }
    assert {(r["device"], r["timestamp"], r["environment.temperature"]) for r in rows} == expected
    assert len(rows) == len(expected)
    stamps = [row["timestamp"] for row in rows]
    assert stamps == sorted(stamps)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", stamps[0])


def test_other_components_come_as_rows_with_empty_cells(ask: Any) -> None:
    rows = ask.query(f"SELECT environment.temperature, signal.rssi FROM {SENSOR} WHERE WITHIN_WINDOW(PT2H)")
    assert {(row["environment.temperature"] is None, row["signal.rssi"] is None) for row in rows} >= {
        (False, True),
        (True, False),
    }


def test_a_full_answer_is_cut_without_a_sign(ask: Any) -> None:
    text = f"SELECT $id AS d, $ts AS t FROM {SENSOR} WHERE WITHIN_WINDOW(P7D) ORDER BY t"
    rows = ask.query(text)
    assert len(rows) == 10_000
    newest = ask.query(f"{text} DESC")
    assert len(newest) == 10_000
    assert newest[0]["t"] > rows[-1]["t"]
    assert [row["t"] for row in newest] == sorted((row["t"] for row in newest), reverse=True)
    assert ask.query(text.replace("SELECT", "SELECT TOP 7")) == rows[:7]


def test_windows_include_their_start_and_not_their_end(still: Any, ask: Any) -> None:
    fleet = still.fleet
    times = fleet.times(1, "environment", still.clock.now() - 3_600_000 * 5, still.clock.now())
    low, high = int(times[3]), int(times[9])
    window = f"WITHIN_WINDOW('{wire(low)}/{wire(high)}')"
    rows = ask.query(
        f"SELECT $ts, environment.humidity FROM {SENSOR} WHERE {window} AND $id = '{fleet[1].key}' "
        "AND environment.humidity <> NULL"
    )
    assert [ms(row["$ts"]) for row in rows] == times[3:9].tolist()
    seconds = "WITHIN_WINDOW('2021-06-13T13:00:00Z/2021-06-13T15:30:00Z')"
    assert ask.query(f"SELECT $id FROM {SENSOR} WHERE {seconds}") == []


def test_retention_cuts_silently(still: Any, ask: Any) -> None:
    oldest = ask.query(f"SELECT TOP 1 $ts AS t FROM {SENSOR} WHERE WITHIN_WINDOW(P30D)")[0]["t"]
    assert 0 <= ms(oldest) - (still.clock.now() - 7 * DAY) < 10 * 60_000
    without = ask.query(f"SELECT TOP 1 $ts AS t FROM {SENSOR}")
    assert without[0]["t"] == oldest
    still.world("iotcentral").switches["retention_days"] = 2
    cut = ask.query(f"SELECT TOP 1 $ts AS t FROM {SENSOR} WHERE WITHIN_WINDOW(P30D)")[0]["t"]
    assert ms(cut) >= still.clock.now() - 2 * DAY
    still.world("iotcentral").switches.clear()


def test_conditions_of_every_kind(still: Any, ask: Any) -> None:
    columns = "$id AS d, environment.temperature AS t, $simulated AS s"
    base = f"SELECT {columns} FROM {SENSOR} WHERE WITHIN_WINDOW(PT1H)"
    everything = [row for row in ask.query(base) if row["t"] is not None]
    values = sorted(row["t"] for row in everything)
    middle = values[len(values) // 2]
    first = still.fleet[1].key
    for condition, check in {
        f"t > {middle}": lambda r: r["t"] > middle,
        f"t >= {middle}": lambda r: r["t"] >= middle,
        f"t < {middle}": lambda r: r["t"] < middle,
        f"environment.temperature <= {middle}": lambda r: r["t"] <= middle,
        f"t = {middle}": lambda r: r["t"] == middle,
        f"t != {middle} AND t <> NULL": lambda r: r["t"] != middle,
        f"t > {middle} AND $id='{first}'": lambda r: r["t"] > middle and r["d"] == first,
        f"(t > {middle} OR $id = '{first}') AND t <> NULL": lambda r: r["t"] > middle or r["d"] == first,
        f"$id IN ['{first}', 'nobody'] AND t <> NULL": lambda r: r["d"] == first,
        f"t IN [{values[0]}, {values[-1]}]": lambda r: r["t"] in (values[0], values[-1]),
        "s = true AND t <> NULL": lambda r: r["s"],
        "$provisioned = true and t <> null": lambda r: True,
    }.items():
        rows = ask.query(f"{base} AND {condition}")
        wanted = [row for row in everything if check(row)]
        assert sorted(map(str, rows)) == sorted(map(str, wanted)), condition


def test_order_by_values(ask: Any) -> None:
    rule = f"FROM {SENSOR} WHERE WITHIN_WINDOW(PT2H) AND t <> NULL"
    text = f"SELECT TOP 40 environment.temperature AS t, $ts {rule}"
    rows = ask.query(f"{text} ORDER BY t DESC, $ts")
    temperatures = [row["t"] for row in rows]
    assert temperatures == sorted(temperatures, reverse=True)
    assert set(rows[0]) == {"t", "$ts"}
    hidden = ask.query(f"{text} ORDER BY environment.humidity")
    assert set(hidden[0]) == {"t", "$ts"}


def test_aggregates_without_and_with_buckets(still: Any, ask: Any) -> None:
    name = still.fleet[1].key
    rule = f"FROM {SENSOR} WHERE WITHIN_WINDOW(P1D) AND $id = '{name}' AND environment.temperature <> NULL"
    rows = ask.query(f"SELECT $ts, environment.temperature AS t {rule}")
    values = np.array([row["t"] for row in rows])
    column = "environment.temperature"
    functions = ", ".join(f"{f}({column}) AS {f}" for f in ("MIN", "MAX", "SUM", "COUNT", "AVG"))
    found = ask.query(f"SELECT {functions} {rule}")
    found[0] |= ask.query(f"SELECT FIRST({column}), LAST({column}) {rule}")[0]
    assert len(found) == 1
    assert found[0] == {
        "MIN": values.min(),
        "MAX": values.max(),
        "SUM": pytest.approx(values.sum()),
        "COUNT": len(values),
        "AVG": pytest.approx(values.mean()),
        "first_environment.temperature": values[0],
        "last_environment.temperature": values[-1],
    }
    buckets = ask.query(f"SELECT AVG(environment.temperature), COUNT($id) AS n {rule} GROUP BY WINDOW(PT6H)")
    assert sum(row["n"] for row in buckets) == len(values)
    for row in buckets:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT(00|06|12|18):00:00Z", row["$ts"])
        low = ms(row["$ts"])
        inside = [r["t"] for r in rows if low <= ms(r["$ts"]) < low + 6 * 3_600_000]
        assert row["avg_environment.temperature"] == pytest.approx(np.mean(inside))
    backwards = ask.query(
        f"SELECT $ts AS at, MAX(environment.temperature) AS m {rule} GROUP BY WINDOW(PT6H) ORDER BY at DESC"
    )
    assert [row["at"] for row in backwards] == [row["$ts"] for row in buckets][::-1]
    nothing = ask.query(f"SELECT AVG(environment.temperature) FROM {SENSOR} WHERE $id = 'nobody'")
    assert nothing == []


def test_events_are_telemetry(still: Any, ask: Any) -> None:
    now = still.clock.now()
    expected = [
        (still.fleet[i].key, wire(one.time), one.text)
        for i in range(len(still.fleet))
        if still.fleet.kind(i) == "machine"
        for one in still.fleet.events(i, now - 7 * DAY, now + 1)
        if one.type == "tool_changed"
    ]
    assert expected
    rows = ask.query(f"SELECT $id AS d, $ts AS t, tool_changed AS e FROM {PUMP} WHERE e <> NULL")
    assert sorted((row["d"], row["t"], row["e"]) for row in rows) == sorted(expected)


def test_a_query_of_350_characters_and_one_more(ask: Any) -> None:
    text = f"SELECT $id FROM {SENSOR} WHERE WITHIN_WINDOW(PT1H) AND $id IN ['"
    full = text + "x" * (350 - len(text) - 2) + "']"
    assert len(full) == 350
    assert ask.query(full) == []
    assert "350 characters" in ask.refused(full.replace("xx", "xxx", 1))


def test_fifteen_columns_and_ten_operators(ask: Any) -> None:
    names = [f"$id AS a{n}" for n in range(16)]
    assert len(ask.query(f"SELECT TOP 1 {', '.join(names[:15])} FROM {SENSOR}")[0]) == 15
    assert "15 columns" in ask.refused(f"SELECT {', '.join(names)} FROM {SENSOR}")
    five = " OR ".join(["$id = 'a'"] * 5)
    assert ask.query(f"SELECT $id FROM {SENSOR} WHERE {five}") == []
    assert "10 operators" in ask.refused(f"SELECT $id FROM {SENSOR} WHERE {five} OR $id = 'a'")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "SELECT"),
        ("SELECT * FROM {s}", "* is not supported"),
        ("SELECT COUNT(*) FROM {s}", "not supported"),
        ("SELECT $id FROM undefined", "device template"),
        ("SELECT $id FROM '{s}'", "device template"),
        ("SELECT $id FROM dtmi:no:such;1", "no device template"),
        ("SELECT $id FROM {s}, {s}", "one device template"),
        ("SELECT nothing FROM {s}", "no telemetry nothing"),
        ("SELECT temperature FROM {s}", "no telemetry temperature"),
        ("SELECT site FROM {s}", "no telemetry site"),
        ("SELECT $id FROM {s} WHERE nothing > 1", "no telemetry nothing"),
        ("SELECT $id FROM {s} WHERE", "expected a name"),
        ("SELECT $id FROM {s} WHERE $id", "expected a comparison"),
        ("SELECT $id FROM {s} WHERE $id =", "expected a value"),
        ("SELECT $id FROM {s} WHERE ($id = 'a'", "expected )"),
        ("SELECT $id FROM {s} WHERE $id = 'a", "cannot read"),
        ("SELECT $id FROM {s} WHERE WITHIN_WINDOW(soon)", "no duration"),
        ("SELECT $id FROM {s} WHERE WITHIN_WINDOW('2021-01-02/2021-01-01')", "pair of times"),
        ("SELECT $id FROM {s} WHERE WITHIN_WINDOW('a/b')", "pair of times"),
        ("SELECT $id FROM {s} GROUP BY WINDOW(PT1H)", "aggregate"),
        ("SELECT $id, AVG(environment.temperature) FROM {s}", "beside an aggregate"),
        ("SELECT AVG(environment.temperature) FROM {s} GROUP BY $id", "WINDOW"),
        ("SELECT AVG(environment.temperature) FROM {s} GROUP BY WINDOW(1)", "duration"),
        ("SELECT AVG(door_opened) FROM {s}", "numbers"),
        ("SELECT TOP 0 $id FROM {s}", "TOP"),
        ("SELECT TOP x $id FROM {s}", "TOP takes"),
        ("SELECT $id, $id FROM {s}", "same name"),
        ("SELECT $id FROM {s} ORDER BY nothing", "no telemetry nothing"),
        ("SELECT $id FROM {s} LIMIT 5", "unexpected 'LIMIT'"),
        ("DROP TABLE devices", "SELECT"),
    ],
)
def test_a_bad_query_is_400_in_words(ask: Any, text: str, words: str) -> None:
    assert words in ask.refused(text.format(s=SENSOR))


def test_the_body_of_a_query(ask: Any) -> None:
    for body in ({}, {"query": 5}, []):
        assert ask("POST", "/query", body, version=PREVIEW).code == "InvalidBody"
    assert ask("POST", "/query", "nonsense", version=PREVIEW).code == "InvalidRequest"
    assert ask("GET", "/query", version=PREVIEW).status == 405


def test_queries_come_once_a_second(make: Callable[..., Any]) -> None:
    rig = make(switches={"rate": True})
    admin = rig.role()
    body = {"query": f"SELECT TOP 1 $id FROM {SENSOR}"}
    assert admin("POST", "/query", body, version=PREVIEW).status == 200
    assert admin("POST", "/query", body, version=PREVIEW).code == "TooManyRequests"
    admin.get("/devices")
    time.sleep(1.05)
    assert admin("POST", "/query", body, version=PREVIEW).status == 200


# last values


def test_last_values_are_the_fleets(still: Any, ask: Any) -> None:
    fleet, now = still.fleet, still.clock.now()
    for i in range(len(fleet)):
        for group, series in fleet.groups(i).items():
            times = fleet.times(i, group, fleet.start, now + 1)
            for one in series:
                found = ask.get(f"/devices/{fleet[i].key}/components/{group}/telemetry/{one.name}")
                if not times.size:
                    assert found == {}
                    continue
                value = float(fleet.value(i, one, times[-1:])[0])
                assert found == {"value": value, "timestamp": wire(int(times[-1]))}


def test_last_values_that_are_not_there(ask: Any) -> None:
    for path in (
        "/devices/none/telemetry/x",
        "/devices/gw-0001/telemetry/nothing",
        "/devices/gw-0001/components/none/telemetry/load",
        "/devices/gw-0001/components/cpu/telemetry/nothing",
        "/devices/gw-0001/modules/none/telemetry/x",
    ):
        assert ask("GET", path).code == "NotFound"
    assert set(ask.get("/devices/sensor-0001-01/telemetry/door_opened")) <= {"value", "timestamp"}


def test_simulated_devices_send_by_themselves(make: Callable[..., Any]) -> None:
    rig = make()
    admin = rig.role()
    made = admin.put(
        "/devices/sim-1", {"template": "dtmi:com:example:TemperatureController;1", "simulated": True}
    )
    assert made["provisioned"] is True
    rig.clock.advance(3_600_000)
    rule = "FROM dtmi:com:example:TemperatureController;1 WHERE WITHIN_WINDOW(PT30M)"
    rows = admin.query(f"SELECT $ts AS t, thermostat1.temperature AS x {rule} AND x <> NULL")
    assert 175 <= len(rows) <= 181
    again = admin.query(f"SELECT $ts AS t, thermostat1.temperature AS x {rule} AND x <> NULL")
    assert {row["t"]: row["x"] for row in again}.items() >= {row["t"]: row["x"] for row in rows[1:]}.items()
    report = admin(
        "POST", "/devices/sim-1/components/thermostat2/commands/getMaxMinReport", {"request": None}
    )
    assert (
        report.json["response"]["minTemp"]
        <= report.json["response"]["avgTemp"]
        <= report.json["response"]["maxTemp"]
    )
    assert admin.get("/devices/sim-1/telemetry/workingSet")["value"] >= 0
    assert admin("PATCH", "/devices/sim-1", {"enabled": False}).status == 200
    assert admin("POST", "/devices/sim-1/commands/reboot", {"request": 1}).status == 408
