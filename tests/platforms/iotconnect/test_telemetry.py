"""Measurements: windows of seven days, tokens, cut answers, types; what the fleet says is what comes."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
from badserver import BadServer, reply

from iotnb import errors, times
from iotnb.loading import Load, windows
from iotnb.platforms.iotconnect.api import Api, Modules
from iotnb.platforms.iotconnect.api.telemetry import joined, split, stamp
from iotnb.platforms.iotconnect.model import Attribute, Model
from iotnb.platforms.iotconnect.readers import History, Target
from iotnb.session import Session, Settings

DAY = timedelta(days=1)


def day(number, hour=0, second=0, micro=0):
    return datetime(2026, 6, 1, tzinfo=UTC) + timedelta(
        days=number - 1, hours=hour, seconds=second, microseconds=micro
    )


# -- windows and paths


def test_a_long_span_is_split_into_sevens_of_days_that_share_their_edges():
    edges = [(start.day, end.day) for start, end in split(day(1), day(20))]
    assert edges == [(1, 8), (8, 15), (15, 20)]
    assert split(day(1), day(8)) == [(day(1), day(8))]
    inside = split(day(1, micro=500), day(8, micro=500))
    assert inside == [(day(1), day(8)), (day(8), day(8, second=1))]
    assert all(end - start <= timedelta(days=7) for start, end in inside)


def test_the_path_is_that_of_the_document(session, bad):
    api = Api(Modules({"device": session, "telemetry": session}, edition="az"))
    with pytest.raises(errors.NotFound):
        api.telemetry.page("a b/c", datetime(2026, 6, 24, tzinfo=UTC), datetime(2026, 6, 25, tzinfo=UTC))
    assert bad.seen[-1].path == (
        "/Telemetry/attribute-history/device/a%20b%2Fc/from/2026-06-24%2000:00:00/to/2026-06-25%2000:00:00"
    )


def test_times_of_another_zone_go_out_in_utc():
    assert (
        stamp(datetime(2026, 6, 24, 2, tzinfo=UTC) + timedelta(microseconds=999_999)) == "2026-06-24 02:00:00"
    )
    assert stamp(times.parse("2026-06-24T02:00:00+02:00")) == "2026-06-24 00:00:00"


def message(at, **attr):
    return {"uniqueId": "d", "dTime": times.to_wire(at), "attr": attr}


def test_neighbours_keep_equal_messages_of_the_shared_second_once():
    edge = day(8)
    first = [message(day(7), a=1), message(edge, a=2), message(day(8, micro=400_000), a=3)]
    second = [message(edge, a=2), message(day(8, micro=400_000), a=3), message(day(8, micro=400_000), a=4)]
    second.append(message(day(9), a=2))
    assert [each["attr"]["a"] for each in joined(first, second, edge)] == [1, 2, 3, 4, 2]
    assert joined([], second, edge) == second


# -- a server that cuts


class Cutting:
    """Serves messages as the platform does: newest first, at most `largest`; `asked` holds what was asked."""

    def __init__(self, bad: BadServer, messages, *, largest, token=False, count=True):
        self.messages = sorted(messages, key=lambda each: each["dTime"], reverse=True)
        self.largest, self.token, self.count = largest, token, count
        self.asked = []
        bad.otherwise(self.answer)

    def answer(self, seen, sock):
        parts = [unquote(part) for part in seen.path.split("/")]
        start, end = (
            times.from_wire(parts[parts.index(name) + 1].replace(" ", "T") + "Z") for name in ("from", "to")
        )
        assert end - start <= timedelta(days=7)
        held = [each for each in self.messages if start <= times.from_wire(each["dTime"]) <= end]
        first = int(seen.query.get("continuationToken", 0))
        self.asked.append((start, end, first))
        feed = held[first : first + self.largest]
        more = first + self.largest < len(held) and self.token
        data = {"feed": feed, "continuationToken": str(first + self.largest) if more else None}
        if self.count:
            data["count"] = len(held)
        return reply({"data": data, "status": 200})(seen, sock)


@pytest.fixture
def api(session: Session) -> Api:
    return Api(Modules({"device": session, "telemetry": session}, edition="az"))


MESSAGES = [message(day(1) + number * timedelta(minutes=7), n=number) for number in range(2000)]


def test_tokens_are_followed_to_the_end(api, bad):
    server = Cutting(bad, MESSAGES, largest=300, token=True, count=False)
    feed = api.telemetry.window("d", day(1), day(8))
    assert [each["attr"]["n"] for each in feed.items] == list(range(1441))  # the last second belongs to it
    assert len(feed.answers) == len(server.asked) == 5


def test_a_token_that_comes_again_is_no_endless_loop(api, bad):
    bad.otherwise(reply({"data": {"feed": [], "continuationToken": "again"}, "status": 200}))
    with pytest.raises(errors.BadAnswer, match="second time"):
        api.telemetry.window("d", day(1), day(8))


def test_an_answer_that_was_cut_without_a_token_is_read_in_halves(api, bad):
    server = Cutting(bad, MESSAGES, largest=300)
    feed = api.telemetry.window("d", day(1), day(8))
    assert [each["attr"]["n"] for each in feed.items] == list(range(1441))
    assert len(server.asked) > 5


def test_the_same_where_no_count_tells_but_the_answer_is_full(api, bad, monkeypatch):
    monkeypatch.setattr("iotnb.platforms.iotconnect.api.telemetry.LARGEST", 300)
    Cutting(bad, MESSAGES, largest=300, count=False)
    feed = api.telemetry.window("d", day(1), day(8))
    assert [each["attr"]["n"] for each in feed.items] == list(range(1441))


def test_a_second_that_holds_too_much_is_told(api, bad):
    Cutting(bad, [message(day(1, micro=number * 1000), n=number) for number in range(20)], largest=10)
    with pytest.raises(errors.BadAnswer, match="more messages in the second of 2026-06-01 00:00:00"):
        api.telemetry.window("d", day(1), day(2))


def test_a_history_of_any_length_comes_whole_and_once(api, bad):
    server = Cutting(bad, MESSAGES, largest=10_000)
    found = api.telemetry.history("d", day(1), day(20))
    assert [each["attr"]["n"] for each in found] == list(range(2000))
    assert [(start.day, end.day) for start, end, _ in server.asked] == [(1, 8), (8, 15), (15, 20)]


@pytest.mark.parametrize("workers", [1, 6])
@pytest.mark.parametrize("token", [True, False])
def test_the_reader_brings_each_message_of_the_window_once(api, bad, workers, token):
    """Gaps longer than a window, many messages in one instant, edges within a second; several at once."""
    crowd = [message(day(3, micro=590_000), n=5000 + number) for number in range(5)]
    late = [message(day(25) + number * timedelta(milliseconds=300), n=6000 + number) for number in range(50)]
    Cutting(bad, [*MESSAGES, *crowd, *late], largest=200, token=token)
    load = Load(workers=workers)
    model = Model([Attribute("n", "G", "INTEGER")])
    reader = History(api.telemetry, {"d": Target(model)}, load)
    window = times.Window(day(1, second=1), day(25, second=7, micro=800_000))
    found = windows(reader, ["d"], window, load)
    assert not load.gaps
    values = Counter(int(value) for columns in found for value in columns.value)
    assert set(values.values()) == {1}
    inside = [
        each
        for each in [*MESSAGES, *crowd, *late]
        if window.start <= times.from_wire(each["dTime"]) < window.end
    ]
    assert set(values) == {each["attr"]["n"] for each in inside}


# -- the sandbox, over all editions


def truth(served, index, start, end):
    """Series -> times (ms) and values, of one device of the fleet."""
    fleet, found = served.fleet, {}
    for group, listed in fleet.groups(index).items():
        at = fleet.times(index, group, start, end)
        for series in listed:
            found[series.key] = np.array([at, fleet.value(index, series, at)])
    return {name: pairs for name, pairs in found.items() if pairs.size}


def of(frame):
    found = {}
    for series, part in frame.groupby("series", observed=True):
        at = part["time"].dt.tz_localize(None).to_numpy().astype("M8[ms]").astype("int64")
        found[str(series)] = np.array([at, part["value"].to_numpy()])
    return found


def assert_same(found, expected):
    assert set(found) == set(expected)
    for name, pairs in expected.items():
        np.testing.assert_array_equal(found[name][0], pairs[0], err_msg=name)
        np.testing.assert_allclose(found[name][1], pairs[1], err_msg=name)


@pytest.mark.parametrize("edition", ["az", "aws"])
def test_more_than_seven_days_are_the_fleets(enter, served, edition):
    client = enter(edition=edition)
    device = next(each for each in served.fleet if each.kind == "machine")
    end = served.clock.now() // 1000 * 1000
    start = end - 16 * 86_400_000
    frame = client.measurements(device.key, since=times.from_ms(start), until=times.from_ms(end))
    assert_same(of(frame), truth(served, device.index, start, end))
    assert frame.attrs["iotnb"]["complete"]
    assert frame.attrs["iotnb"]["pages"] >= 4
    units = frame.drop_duplicates("series").set_index("series")["unit"]
    assert {series.key: series.unit for series in served.fleet.series(device.index)} == dict(units)


@pytest.mark.parametrize("kind", ["machine", "sensor"])
def test_a_single_series_is_asked_for_alone(enter, served, kind):
    """Machines send messages of version 1.0, whose attributes are asked for by guid."""
    client = enter()
    device = next(each for each in served.fleet if each.kind == kind)
    frame = client.measurements(device.key, series="environment.temperature", since="2h")
    assert set(frame["series"]) == {"environment.temperature"}
    path = client.exchanges[-1].url
    assert ("/attribute/environment.temperature/" in path) == (kind == "sensor")
    assert "/attribute-history/attribute/" in path
    whole = client.measurements(device.key, series=["environment"], since="2h")
    assert "/attribute-history/device/" in client.exchanges[-1].url
    assert set(whole["series"]) == {"environment.temperature", "environment.humidity"}


def test_a_series_that_nobody_has_is_answered_with_the_nearest(client, served):
    with pytest.raises(
        errors.ConfigError, match=r"'environment\.temprature'.*Near it: environment\.temperature"
    ):
        client.measurements(served.fleet[1].key, series="environment.temprature", since="1h")
    with pytest.raises(errors.ConfigError, match="has a series 'x'"):
        client.latest(served.fleet[1].key, series="x")


def test_what_is_outside_the_template_or_of_the_wrong_type_is_kept_and_told(client):
    tracker = client.devices(type="Tracker TRK-1", text="tracker 7/A")["device"].iloc[0]
    frame = client.measurements(tracker, since="3d")
    notes = frame.attrs["iotnb"]["notes"]
    assert any(note.startswith("not in the template: ") for note in notes)
    assert any("do not fit its type and are kept as text" in note for note in notes)
    strange = next(note for note in notes if note.startswith("not in")).removeprefix("not in the template: ")
    assert frame.loc[frame["series"] == strange, "unit"].isna().all()
    assert (frame["series"] == strange).any()
    wrong = next(note for note in notes if "do not fit" in note).split()[3]
    rows = frame[frame["series"] == wrong]
    assert rows.loc[rows["value"].isna(), "text"].notna().all()
    assert rows["value"].isna().any()


def test_a_device_without_data_is_an_empty_table_and_told(client, served):
    silent = client.devices(text="New tracker")["device"].iloc[0]
    frame = client.measurements(silent, since="7d")
    assert len(frame) == 0
    assert frame.attrs["iotnb"]["complete"]
    assert any("no data in the window: 1 of 1 devices" in note for note in frame.attrs["iotnb"]["notes"])
    assert len(client.latest(silent)) == 0
    rows = client.series(silent)
    assert len(rows)
    assert rows["last"].isna().all()


def test_identifiers_with_blanks_slashes_and_umlauts_are_read(client):
    odd = [each for each in client.devices()["device"] if not each.isascii() or set(" /+%") & set(each)]
    assert len(odd) >= 3
    assert set(client.latest(odd)["device"]) <= set(odd)
    assert set(client.measurements(odd, since="6d")["device"]) <= set(odd)
    assert set(client.series(odd)["device"]) == set(odd)


def test_reduction_is_the_cores(client, served):
    frame = client.measurements(served.fleet[0].key, since="1d", aggregate="1h")
    assert frame["time"].dt.minute.eq(0).all()
    assert any("reduced here" in note for note in frame.attrs["iotnb"]["notes"])


@pytest.mark.parametrize(
    "faults",
    [{"fail_every": 3}, {"drop_every": 3}, {"cut_every": 3}, {"rate_limit": 4}, {"revoke_every": 3}],
)
def test_a_bad_day_changes_nothing(enter, served, faults):
    # of several requests at once none would get through while every third token is revoked
    client = enter(settings=Settings(backoff=0.01, workers=1 if "revoke_every" in faults else 4))
    ids = [device.key for device in served.fleet][:4]
    end = times.from_ms(served.clock.now() - 3_600_000)
    calm = client.measurements(ids, since="12h", until=end)
    served.faults.set("iotconnect", **faults)
    stormy = client.measurements(ids, since="12h", until=end)
    assert set(served.faults["iotconnect"].counts) - {"requests"}, "the test met no fault"
    served.faults.clear()
    pd.testing.assert_frame_equal(calm, stormy, check_like=True)
    assert stormy.attrs["iotnb"]["complete"]


def test_what_does_not_come_is_a_gap_with_its_span(enter, served):
    client = enter(settings=Settings(retries=0))
    ids = [device.key for device in served.fleet][:8]
    client.devices()
    served.faults.set("iotconnect", fail_every=3, path="attribute-history")
    with pytest.raises(errors.Incomplete) as caught:
        client.measurements(ids, since="2h")
    assert {gap["item"] for gap in caught.value.gaps} < set(ids)
    assert all(gap["start"] and gap["end"] and "503" in gap["reason"] for gap in caught.value.gaps)
    assert {gap["item"] for gap in caught.value.gaps}.isdisjoint(
        set(caught.value.partial["device"].astype("str"))
    )


def test_recent_messages_hold_what_is_outside_the_template_too(client):
    messages = client.api.telemetry.recent("tracker 7/A", 10)
    assert len(messages) == 10
    frame = client.measurements("tracker 7/A", since="3d")
    assert set(frame["series"].astype("str")) >= {
        name for each in messages for name in each["attr"] if name != "gps"
    }
