"""Telemetry: newest first, in slices, each record once, none missing; typed by its definition."""

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from badserver import Seen, reply

from iotnb import errors, times
from iotnb.platforms.wso2 import WSO2

Enter = Callable[..., WSO2]
API = "/api/device-mgt/v1.0"
DEVICE = f"{API}/devices/firealarm/1"
EVENTS = f"{API}/events/firealarm/1"
DEFINITION = {
    "eventAttributes": {"attributes": [{"name": "temperature", "type": "DOUBLE"}]},
    "transport": "HTTP",
}
NOON = 1_700_000_000_000


def record(at: int, value: float, **more: Any) -> Any:
    return {
        "values": {"temperature": value, "_version": "1.0.0", "meta_deviceId": "1"},
        "timestamp": at,
        **more,
    }


class Store:
    """Records as the platform keeps them; `until_included` and `rule` are what is not established of it."""

    def __init__(self, records: list[Any], *, until_included: bool = True, short: int = 0) -> None:
        self.records, self.until_included, self.short = records, until_included, short
        self.offsets: list[int] = []
        self.limits: set[int] = set()

    def __call__(self, seen: Seen, sock: Any) -> bool:
        start, end = int(seen.query["from"]), int(seen.query["to"]) + self.until_included
        offset, limit = int(seen.query["offset"]), int(seen.query["limit"])
        self.offsets.append(offset)
        self.limits.add(limit)
        found = sorted(
            (r for r in self.records if start <= r["timestamp"] < end), key=lambda r: -r["timestamp"]
        )
        part = found[offset : offset + limit]
        mixed = part[1::2] + part[::2]  # the slice is the newest, its own order is anything
        return bool(reply({"records": mixed, "count": len(found) + self.short})(seen, sock))


@pytest.fixture
def stored(scripted: SimpleNamespace) -> Callable[..., Store]:
    """Puts records behind the scripted gateway."""
    own = {"name": "alarm", "type": "firealarm", "deviceIdentifier": "1", "enrolmentInfo": {"owner": "admin"}}
    scripted.bad.on(DEVICE, reply(own))
    scripted.bad.on(f"{API}/devices", reply({"devices": [own], "count": 1}))
    scripted.bad.on(f"{API}/events/firealarm", reply(DEFINITION))

    def stored(records: list[Any], **options: Any) -> Store:
        store = Store(records, **options)
        scripted.bad.on(EVENTS, store)
        newest = sorted(records, key=lambda r: -r["timestamp"])[:1]
        scripted.bad.on(
            f"{API}/events/last-known/firealarm/1", reply({"records": newest, "count": len(newest)})
        )
        return store

    return stored


def loaded(scripted: SimpleNamespace, seconds: int = 3_600, **options: Any) -> pd.DataFrame:
    since = times.from_ms(NOON)
    frame: pd.DataFrame = scripted.client.measurements(
        "firealarm/1", since=since, until=since + timedelta(seconds=seconds), **options
    )
    return frame


@pytest.mark.parametrize("until_included", [True, False])
def test_a_long_window_is_read_in_slices_without_deep_offsets(
    scripted: SimpleNamespace, stored: Callable[..., Store], until_included: bool
) -> None:
    records = [record(NOON + 10_000 * n, float(n), id=f"r{n}") for n in range(360)]
    store = stored(records, until_included=until_included)
    frame = loaded(scripted)
    assert frame["value"].tolist() == [float(n) for n in range(360)]
    assert frame["time"].is_monotonic_increasing
    assert store.limits == {100}
    assert set(store.offsets) == {0}
    assert frame.attrs["iotnb"]["complete"]


def test_the_window_is_closed_on_the_left_and_open_on_the_right(
    scripted: SimpleNamespace, stored: Callable[..., Store]
) -> None:
    stored([record(NOON - 1, 0.0), record(NOON, 1.0), record(NOON + 9_999, 2.0), record(NOON + 10_000, 3.0)])
    assert loaded(scripted, 10)["value"].tolist() == [1.0, 2.0]


def test_one_moment_with_more_records_than_a_slice(
    scripted: SimpleNamespace, stored: Callable[..., Store]
) -> None:
    crowd = [record(NOON + 5_000, float(n), id=f"c{n}") for n in range(250)]
    store = stored([record(NOON, -1.0, id="first"), *crowd, record(NOON + 9_000, -2.0, id="last")])
    frame = loaded(scripted)
    assert sorted(frame["value"]) == sorted([-1.0, -2.0, *(float(n) for n in range(250))])
    assert max(store.offsets) > 0


def test_records_without_an_id_are_told_apart_by_time_and_values(
    scripted: SimpleNamespace, stored: Callable[..., Store]
) -> None:
    stored([record(NOON + 1000 * (n // 2), float(n)) for n in range(240)])
    assert sorted(loaded(scripted)["value"]) == [float(n) for n in range(240)]


def test_records_that_are_counted_and_do_not_come_are_a_gap(
    scripted: SimpleNamespace, stored: Callable[..., Store]
) -> None:
    stored([record(NOON + 1000 * n, float(n)) for n in range(30)], short=3)
    with pytest.raises(errors.Incomplete, match="counts 33 records and gave 30") as caught:
        loaded(scripted)
    assert len(caught.value.partial) == 30
    assert caught.value.gaps[0]["item"] == "firealarm/1"
    with pytest.warns(errors.IncompleteWarning):
        assert len(loaded(scripted, on_error="report")) == 30


def test_records_that_a_second_reading_brings_are_taken(
    scripted: SimpleNamespace, stored: Callable[..., Store]
) -> None:
    records = [record(NOON + 1000 * n, float(n)) for n in range(30)]
    store = stored(records)
    scripted.bad.on(EVENTS, reply({"records": records[:20], "count": 30}), store)
    frame = loaded(scripted)
    assert len(frame) == 30
    assert frame["value"].is_unique


def test_an_answer_that_is_none_is_refused(scripted: SimpleNamespace, stored: Callable[..., Store]) -> None:
    stored([])
    scripted.bad.on(EVENTS, reply({"records": "many", "count": 3}))
    with pytest.raises(errors.BadAnswer, match="no list 'records' with its count"):
        loaded(scripted)


def test_nothing_is_an_empty_table(scripted: SimpleNamespace, stored: Callable[..., Store]) -> None:
    stored([])
    assert len(loaded(scripted)) == 0
    scripted.bad.on(EVENTS, reply(b"", 204))
    assert len(loaded(scripted)) == 0


def test_the_end_of_the_window_stays_where_it_was(
    scripted: SimpleNamespace, stored: Callable[..., Store]
) -> None:
    """New records shift offsets: the end is fixed when the load begins."""
    stored([record(NOON + 10_000 * n, float(n), id=f"r{n}") for n in range(250)])
    loaded(scripted)
    ends = [int(each.query["to"]) for each in scripted.bad.seen if each.path == EVENTS]
    assert ends[0] == NOON + 3_600_000
    assert ends == sorted(ends, reverse=True)


def test_without_a_definition_values_keep_what_json_says(
    scripted: SimpleNamespace, stored: Callable[..., Store]
) -> None:
    stored([{"values": {"a": 1.5, "b": "open", "c": True, "_version": "1"}, "timestamp": NOON}])
    scripted.bad.on(f"{API}/events/firealarm", reply(b"", 204))
    frame = loaded(scripted).set_index("series")
    assert frame.loc["a", "value"] == 1.5
    assert frame.loc["b", "text"] == "open"
    assert frame.loc["c", "text"] == "true"
    assert set(frame.index) == {"a", "b", "c"}
    series = scripted.client.series("firealarm/1").set_index("series")
    assert series["kind"].astype(str).to_dict() == {"a": "number", "b": "text", "c": "bool"}


def test_the_last_value_of_a_rare_series_is_looked_for(
    scripted: SimpleNamespace, stored: Callable[..., Store]
) -> None:
    often = [record(NOON + 1000 * n, float(n), id=f"o{n}") for n in range(150)]
    rare = {"values": {"status": "low"}, "timestamp": NOON - 1, "id": "rare"}
    stored([*often, rare])
    both = [{"name": "temperature", "type": "DOUBLE"}, {"name": "status", "type": "STRING"}]
    scripted.bad.on(f"{API}/events/firealarm", reply({"eventAttributes": {"attributes": both}}))
    frame = scripted.client.latest("firealarm/1").set_index("series")
    assert frame.loc["temperature", "value"] == 149.0
    assert frame.loc["status", "text"] == "low"
    only = scripted.client.latest("firealarm/1", series="status")
    assert list(only["series"]) == ["status"]


def test_a_series_that_no_record_has_is_noted_and_costs_a_bounded_search(
    scripted: SimpleNamespace, stored: Callable[..., Store]
) -> None:
    stored([record(NOON + 1000 * n, float(n), id=f"o{n}") for n in range(1_500)])
    both = [{"name": "temperature", "type": "DOUBLE"}, {"name": "never", "type": "INT"}]
    scripted.bad.on(f"{API}/events/firealarm", reply({"eventAttributes": {"attributes": both}}))
    frame = scripted.client.latest("firealarm/1")
    assert list(frame["series"]) == ["temperature"]
    assert "hold no value of never" in frame.attrs["iotnb"]["notes"][0]
    assert frame.attrs["iotnb"]["pages"] <= 14


# -- against the sandbox


def test_the_tutorials_alarm_is_typed_by_its_definition(client: WSO2) -> None:
    series = client.series("firealarm/123422").set_index("series")
    assert series["kind"].astype(str).to_dict() == {
        "temperature": "number",
        "status": "text",
        "humidity": "number",
    }
    assert (series["first"] < series["last"]).all()
    frame = client.measurements("firealarm/123422", since="6h")
    texts = frame[frame["series"] == "status"]
    assert set(texts["text"].astype(str)) <= {"working", "alarm"}
    assert texts["value"].isna().all()
    assert frame.loc[frame["series"] == "temperature", "value"].notna().all()
    latest = client.latest("firealarm/123422").set_index("series")
    assert latest["time"].nunique() == 1
    assert (latest["time"].iloc[0] == series["last"]).all()


def test_an_alarm_that_never_published_has_series_and_no_values(client: WSO2) -> None:
    assert len(client.series("firealarm/000077")) == 3
    assert len(client.latest("firealarm/000077")) == 0
    assert len(client.measurements("firealarm/000077", since="3d")) == 0


def test_a_series_is_asked_for_by_name(client: WSO2) -> None:
    frame = client.measurements("firealarm/123422", series="humidity", since="6h")
    assert set(frame["series"].astype(str)) == {"humidity"}
    for verb in ("measurements", "latest"):
        with pytest.raises(
            errors.ConfigError, match=r"no.*series 'humidty'|has a series 'humidty'.*humidity"
        ):
            getattr(client, verb)("firealarm/123422", series="humidty")


def test_the_core_reduces_what_the_server_does_not(client: WSO2) -> None:
    window = {"since": "2d", "until": times.now() - timedelta(hours=1)}
    reduced = client.measurements(
        "firealarm/123422", series="temperature", aggregate="1h", function="max", **window
    )
    span = [times.from_wire(each) for each in reduced.attrs["iotnb"]["window"]]
    plain = client.measurements("firealarm/123422", series="temperature", since=span[0], until=span[1])
    assert len(reduced) == plain["time"].dt.floor("1h").nunique()
    assert reduced["value"].max() == plain["value"].max()


def test_analytics_that_do_not_run_are_named(client: WSO2, switches: dict[str, Any]) -> None:
    switches["analytics"] = "off"
    with pytest.raises(errors.ServerError, match="analytics profile of the server must run"):
        client.measurements("firealarm/123422")
