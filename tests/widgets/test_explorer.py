"""The measurement explorer without a browser, against the sandbox: choose, estimate, load, take along."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import iotnb
from iotnb import MeasurementExplorer
from iotnb.errors import ConfigError
from iotnb.widgets.explorer import DOWNLOAD
from iotnb.widgets.explorer_view import moment_in, zone_of

TEMPERATURE, VIBRATION = "c8y_Environment.temperature", "c8y_Vibration.rms"


@pytest.fixture
def client(account: dict[str, str]) -> Iterator[Any]:
    made = iotnb.connect("cumulocity", **account)
    yield made
    made.close()


@pytest.fixture
def pumps(client: Any) -> pd.DataFrame:
    devices = client.devices()
    return devices[(devices["type"] == "c8y_Pump") & (devices["status"] == "online")][:2]


@pytest.fixture
def explorer(client: Any, pumps: pd.DataFrame, page: Any, wait: Callable[..., None]) -> MeasurementExplorer:
    made = MeasurementExplorer(client, pumps)
    wait(lambda: tree(page, made) and "mm/s" in repr(tree(page, made)))
    return made


def tree(page: Any, explorer: MeasurementExplorer) -> list[dict[str, Any]]:
    """The rows of the tree as the page saw them last."""
    sent = [each for each in page.messages(explorer.leaf) if each["kind"] == "tree"]
    return sent[-1]["rows"] if sent else []


def chosen(explorer: MeasurementExplorer, pumps: pd.DataFrame, *series: str) -> MeasurementExplorer:
    explorer.select((device, name) for device in pumps["device"] for name in series)
    return explorer


def loaded(explorer: MeasurementExplorer, pumps: pd.DataFrame, *series: str) -> MeasurementExplorer:
    chosen(explorer, pumps, *(series or (VIBRATION,))).load()
    return explorer.wait(20)


def answer(browser: Any, explorer: MeasurementExplorer, wait: Callable[..., None], **content: Any) -> Any:
    """Sends what the page sends and returns the first answer to it."""
    before = len(browser.messages(explorer.leaf))
    browser.say(explorer.leaf, {"view": "v1", **content})
    wanted = {"csv": "file", "parquet": "file"}.get(content["kind"], content["kind"])

    def found() -> list[Any]:
        return [each for each in browser.messages(explorer.leaf)[before:] if each["kind"] == wanted]

    wait(found)
    return found()[0]


class TestTree:
    def test_series_come_with_units_and_last_values(self, explorer: Any, page: Any, client: Any) -> None:
        rows = tree(page, explorer)
        first = next(row for row in rows if row["name"] == "rms")
        device = first["key"].split("\x1f")[0]
        latest = client.latest([device], series=VIBRATION).iloc[0]
        assert first["more"].endswith(" mm/s")
        assert float(first["more"].split()[0]) == pytest.approx(latest["value"], abs=5)
        assert first["part"] == "c8y_Vibration"

    def test_ticking_a_device_chooses_its_series(self, explorer: Any, page: Any, pumps: Any) -> None:
        page.say(explorer.leaf, {"kind": "check", "key": pumps["device"].iloc[0], "on": True})
        assert set(explorer.selection["device"]) == {pumps["device"].iloc[0]}
        assert len(explorer.selection) == 6
        assert page.messages(explorer.leaf)[-1]["count"] == "6 series chosen"

    def test_without_devices_all_are_offered_and_learned_when_opened(
        self, client: Any, page: Any, wait: Callable[..., None]
    ) -> None:
        explorer = MeasurementExplorer(client)
        wait(lambda: len(tree(page, explorer)) >= 12)
        last = tree(page, explorer)[-1]
        assert last["more"] == ""
        page.say(explorer.leaf, {"kind": "open", "key": last["key"], "on": True})
        wait(lambda: tree(page, explorer)[-1]["level"] == 2)

    def test_what_is_no_client_is_refused(self) -> None:
        with pytest.raises(ConfigError, match=r"iotnb\.connect\(\)"):
            MeasurementExplorer(pd.DataFrame())  # type: ignore[arg-type]


class TestLoad:
    def test_what_is_loaded_is_what_the_verb_gives(self, explorer: Any, pumps: Any, client: Any) -> None:
        loaded(explorer, pumps, VIBRATION)
        window = explorer.frame.attrs["iotnb"]["window"]
        same = client.measurements(pumps, series=VIBRATION, since=window[0], until=window[1])
        pd.testing.assert_frame_equal(explorer.frame, same)
        assert explorer.status.word == "Ready"
        assert f"{len(same):,} values of 2 series" in explorer.status.text
        assert "Complete." in explorer.status.text

    def test_only_the_chosen_pairs_are_kept(self, explorer: Any, pumps: Any) -> None:
        first, second = pumps["device"]
        explorer.select([(first, VIBRATION), (second, TEMPERATURE)])
        explorer.load()
        explorer.wait(20)
        got = set(
            zip(explorer.frame["device"].astype(str), explorer.frame["series"].astype(str), strict=True)
        )
        assert got == {(first, VIBRATION), (second, TEMPERATURE)}

    def test_the_code_gives_the_same_frame(self, explorer: Any, pumps: Any, client: Any) -> None:
        explorer.aggregate.value, explorer.function.value = "1h", "max"
        first, second = pumps["device"]
        explorer.select([(first, VIBRATION), (second, TEMPERATURE)])
        explorer.load()
        explorer.wait(20)
        code = explorer.code()
        assert "aggregate='1h', function='max'" in code
        names: dict[str, Any] = {"client": client}
        exec(code.split("iotnb.curves.statistics")[0], names)
        made = names["m"].reset_index(drop=True)
        pd.testing.assert_frame_equal(
            made.iloc[:-4], explorer.frame.iloc[: len(made) - 4], check_categorical=False
        )

    def test_it_says_who_reduced(self, explorer: Any, pumps: Any, running: Any) -> None:
        explorer.aggregate.value, explorer.function.value = "1h", "max"
        loaded(explorer, pumps)
        assert "Reduced to the max of 1h by the server." in explorer.status.text
        explorer.function.value = "std"
        loaded(explorer, pumps)
        assert "Reduced to the std of 1h by pandas, here." in explorer.status.text

    def test_nothing_chosen_is_said(self, explorer: Any) -> None:
        explorer.load_button.click()
        assert explorer.status.word == "Error"
        assert "no series is chosen" in explorer.status.text

    def test_no_values_are_a_state_of_their_own(self, explorer: Any, pumps: Any) -> None:
        explorer.ranges["Custom"].value = True
        explorer.start.value, explorer.end.value = datetime(2020, 7, 1), datetime(2020, 7, 2)
        loaded(explorer, pumps)
        assert (explorer.state, explorer.status.word) == ("empty", "No data")

    def test_cancel_ends_a_slow_load_and_says_so(self, explorer: Any, pumps: Any, running: Any) -> None:
        running.faults.set("cumulocity", latency=0.7)
        chosen(explorer, pumps, VIBRATION).load()
        assert explorer.load_button.disabled
        assert not explorer.cancel_button.disabled
        explorer.cancel_button.click()
        assert explorer.status.word == "Cancelling"
        explorer.wait(8)
        assert (explorer.state, explorer.status.word) == ("partial", "Incomplete")
        assert "cancelled" in explorer.status.text
        assert not explorer.load_button.disabled

    def test_a_cancelled_load_does_not_leave_the_picture_of_the_one_before(
        self, explorer: Any, pumps: Any, running: Any, page: Any, wait: Callable[..., None]
    ) -> None:
        loaded(explorer, pumps)
        running.faults.set("cumulocity", latency=0.7)
        explorer.load()
        explorer.cancel()
        explorer.wait(8)
        assert len(explorer.frame) == 0
        shown = answer(page, explorer, wait, kind="window", seq=9, width=800)
        assert shown["points"] == 0
        assert "No values" in shown["summary"]

    def test_a_late_answer_of_an_older_load_is_dropped(
        self, explorer: Any, pumps: Any, running: Any, wait: Callable[..., None]
    ) -> None:
        running.faults.set("cumulocity", latency=0.5)
        chosen(explorer, pumps, TEMPERATURE).load()
        running.faults.clear()
        loaded(explorer, pumps, VIBRATION)
        assert threading.Event().wait(0.8) is False
        assert set(explorer.frame["series"].astype(str)) == {VIBRATION}

    def test_an_error_of_the_server_is_shown_with_what_to_do(
        self, explorer: Any, pumps: Any, running: Any
    ) -> None:
        explorer.client.logout()
        loaded(explorer, pumps)
        assert (explorer.state, explorer.status.word) == ("expired", "Login expired")
        assert "connect again" in explorer.status.text

    def test_progress_is_at_most_ten_messages_a_second(
        self, explorer: Any, pumps: Any, running: Any, page: Any
    ) -> None:
        running.faults.set("cumulocity", latency=0.3)
        before = len(page.messages(explorer.leaf))
        loaded(explorer, pumps)
        sent = [each for each in page.messages(explorer.leaf)[before:] if each["kind"] == "progress"]
        assert sent[-1]["state"] == "ready"
        assert sent[-1]["rows"] == len(explorer.frame)
        assert len(sent) <= 20


class TestRange:
    def test_one_range_is_chosen_at_a_time(self, explorer: Any) -> None:
        explorer.ranges["7 d"].value = True
        assert [name for name, button in explorer.ranges.items() if button.value] == ["7 d"]
        explorer.ranges["7 d"].value = False
        assert explorer.window == ("7d", None)

    def test_a_custom_range_is_meant_in_the_chosen_zone(self, explorer: Any, pumps: Any) -> None:
        explorer.zone.value = "Europe/Berlin"
        explorer.ranges["Custom"].value = True
        assert explorer.custom.layout.display == ""
        explorer.start.value, explorer.end.value = datetime(2026, 7, 1, 8), datetime(2026, 7, 1, 9)
        assert explorer.window == ("2026-07-01T06:00:00.000Z", "2026-07-01T07:00:00.000Z")

    def test_a_range_that_cannot_be_is_said_at_once(
        self, explorer: Any, pumps: Any, wait: Callable[..., None]
    ) -> None:
        chosen(explorer, pumps, VIBRATION)
        explorer.ranges["Custom"].value = True
        explorer.start.value, explorer.end.value = datetime(2026, 7, 2), datetime(2026, 7, 1)
        wait(lambda: "runs backwards" in explorer.estimate.value)
        explorer.end.value = None
        explorer.load_button.click()
        assert "To is missing" in explorer.status.text

    def test_a_time_that_the_clocks_skip_is_refused_and_one_that_repeats_is_the_first(self) -> None:
        berlin = zone_of("Europe/Berlin")
        with pytest.raises(ConfigError, match="does not exist in Europe/Berlin"):
            moment_in(datetime(2026, 3, 29, 2, 30), berlin, name="Europe/Berlin")
        twice = moment_in(datetime(2026, 10, 25, 2, 30), berlin, name="Europe/Berlin")
        assert twice == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)

    def test_an_unknown_zone_is_an_error_in_the_panel(self, explorer: Any) -> None:
        explorer.zone.value = "Mars/Olympus"
        assert "there is no time zone 'Mars/Olympus'" in explorer.status.text

    def test_the_estimate_is_near_what_comes(
        self, explorer: Any, pumps: Any, wait: Callable[..., None]
    ) -> None:
        chosen(explorer, pumps, VIBRATION)
        wait(lambda: "values" in explorer.estimate.value)
        text = explorer.estimate.value
        explorer.load()
        explorer.wait(20)
        guessed = int(text.split()[1].replace(",", ""))
        assert guessed == pytest.approx(len(explorer.frame), rel=0.1)
        assert "to load" in text
        explorer.aggregate.value = "1h"
        wait(lambda: "raw ones" in explorer.estimate.value)
        assert 40 <= int(explorer.estimate.value.split()[1]) <= 60

    def test_the_estimate_knows_series_of_unlike_steps(
        self, client: Any, page: Any, wait: Callable[..., None]
    ) -> None:
        gateway = client.devices(type="c8y_Linux")["device"].iloc[0]
        explorer = MeasurementExplorer(client, [gateway])
        wait(lambda: len(tree(page, explorer)) > 3)
        explorer.select([(gateway, "c8y_CPUMeasurement.load"), (gateway, "c8y_SignalStrength.rssi")])
        wait(lambda: "values" in explorer.estimate.value)
        text = explorer.estimate.value
        explorer.load()
        explorer.wait(20)
        assert int(text.split()[1].replace(",", "")) == pytest.approx(len(explorer.frame), rel=0.03)


class TestTabs:
    def test_the_table_has_pages(
        self, explorer: Any, pumps: Any, page: Any, wait: Callable[..., None]
    ) -> None:
        loaded(explorer, pumps)
        first = answer(page, explorer, wait, kind="sheet", name="Table", page=0)["blocks"][0]
        last = answer(page, explorer, wait, kind="sheet", name="Table", page=10**9)["blocks"][0]
        assert len(first["rows"]) == 50
        assert first["columns"][0] == "Time (UTC)"
        assert last["page"] == last["pages"] - 1
        assert last["caption"].endswith(f"of {len(explorer.frame):,}")
        assert first["rows"][0][1] in set(pumps["name"])
        assert float(first["rows"][0][3]) == pytest.approx(explorer.frame["value"].iloc[0])

    def test_statistics_are_those_of_the_function(
        self, explorer: Any, pumps: Any, page: Any, wait: Callable[..., None]
    ) -> None:
        loaded(explorer, pumps)
        block = answer(page, explorer, wait, kind="sheet", name="Statistics")["blocks"][0]
        assert len(block["rows"]) == 2
        row = dict(zip(block["columns"], block["rows"][0], strict=True))
        made = explorer.statistics().iloc[0]
        assert row["Values"] == f"{made['count']:,}"
        assert float(row["Mean"]) == pytest.approx(made["mean"], rel=1e-5)
        assert row["Usual step"] == "1 min"

    def test_http_shows_the_requests_of_the_load_and_no_secret(
        self, explorer: Any, pumps: Any, page: Any, wait: Callable[..., None], running: Any
    ) -> None:
        loaded(explorer, pumps)
        blocks = answer(page, explorer, wait, kind="sheet", name="HTTP")["blocks"]
        assert "of the last load" in blocks[0]["text"]
        read = next(block for block in blocks[1:] if "/measurement/measurements" in block["title"])
        assert "HTTP/1.1 200" in read["http"]
        assert read["curl"].startswith("curl ")
        assert not [secret for secret in running.issued() if secret in page.text()]

    def test_tabs_before_a_load_say_what_to_do(
        self, explorer: Any, page: Any, wait: Callable[..., None]
    ) -> None:
        for name in ("Table", "Statistics", "HTTP"):
            blocks = answer(page, explorer, wait, kind="sheet", name=name)["blocks"]
            assert "Nothing" in blocks[0]["text"]
        code = answer(page, explorer, wait, kind="sheet", name="Code")["blocks"][0]["code"]
        assert code == "# no series is chosen: choose at least one in the tree"


class TestMarks:
    def test_chosen_marks_come_with_the_load(
        self, explorer: Any, pumps: Any, page: Any, wait: Callable[..., None]
    ) -> None:
        explorer.overlays["events"].value = True
        explorer.ranges["7 d"].value = True
        loaded(explorer, pumps)
        wait(lambda: "events" in explorer.marks)
        wait(lambda: answer(page, explorer, wait, kind="window", seq=1, width=800)["meta"]["marks"])
        explorer.overlays["events"].value = False
        wait(lambda: not explorer.marks)

    def test_what_a_platform_does_not_have_is_not_offered_and_said(self, running: Any) -> None:
        with iotnb.connect("tiothub", **running["tiothub"].connect) as client:
            explorer = MeasurementExplorer(client, [])
            assert set(explorer.overlays) == {"operations"}
            assert "T IoT Hub has no alarms and no events to mark." in explorer.status.text


class TestTakeAlong:
    def test_csv_and_parquet_hold_the_frame(self, explorer: Any, pumps: Any, tmp_path: Path) -> None:
        loaded(explorer, pumps)
        table = pd.read_csv(explorer.save(tmp_path / "m.csv"), dtype={"device": "str"})
        assert list(table["device"]) == list(explorer.frame["device"].astype(str))
        assert table["time"].iloc[0].endswith("Z")
        assert list(pd.to_datetime(table["time"])) == list(explorer.frame["time"])
        stored = pd.read_parquet(explorer.save(tmp_path / "m.parquet"))
        assert stored["time"].equals(explorer.frame["time"])
        with pytest.raises(ConfigError, match=r"\.csv or \.parquet"):
            explorer.save(tmp_path / "m.xlsx")

    def test_the_page_gets_files(
        self, explorer: Any, pumps: Any, page: Any, wait: Callable[..., None]
    ) -> None:
        loaded(explorer, pumps)
        for kind in ("csv", "parquet"):
            got = answer(page, explorer, wait, kind=kind)
            assert (got["name"], got["type"]) == ("measurements", kind)

    def test_too_much_for_the_browser_is_said_with_the_way_to_go(
        self, explorer: Any, pumps: Any, page: Any, wait: Callable[..., None]
    ) -> None:
        loaded(explorer, pumps)
        explorer._frame = pd.concat([explorer.frame] * (DOWNLOAD // len(explorer.frame) + 1))
        page.say(explorer.leaf, {"kind": "csv", "view": "v1"})
        wait(lambda: "explorer.save('measurements.csv')" in explorer.status.text)

    def test_the_figure_for_print_is_a_picture_and_a_figure(
        self, explorer: Any, pumps: Any, page: Any, wait: Callable[..., None]
    ) -> None:
        loaded(explorer, pumps, VIBRATION, TEMPERATURE)
        begin = explorer.frame["time"].iloc[0].timestamp()
        got = answer(page, explorer, wait, kind="print", **{"from": begin, "to": begin + 7200})
        assert got["kinds"] == ["png", "svg"]
        assert "lowest" in got["alt"]
        figure = explorer.figure()
        assert len(figure.axes) == 2
        assert any("[mm/s]" in axes.get_ylabel() for axes in figure.axes)


class TestPanel:
    def test_its_static_face_has_no_names_and_no_script(self, explorer: Any, pumps: Any) -> None:
        loaded(explorer, pumps)
        bundle = explorer._repr_mimebundle_()
        assert "2 series chosen" in bundle["text/html"]
        assert "<script" not in bundle["text/html"]
        assert "2 series chosen" in bundle["text/plain"]

    def test_traits_stay_small_whatever_is_loaded(self, explorer: Any, pumps: Any) -> None:
        loaded(explorer, pumps)
        inner = [explorer]
        for each in inner:
            inner += getattr(each, "children", ())
        kept = sum(
            len(
                json.dumps(
                    {k: v for k, v in each.get_state().items() if k not in {"_esm", "_css"}}, default=str
                )
            )
            for each in inner
        )
        assert kept < 20_000

    def test_after_closing_nothing_is_sent_any_more(
        self, explorer: Any, pumps: Any, page: Any, running: Any
    ) -> None:
        running.faults.set("cumulocity", latency=0.4)
        chosen(explorer, pumps, VIBRATION).load()
        explorer.close()
        before = len(page.sent)
        assert threading.Event().wait(0.9) is False
        assert len(page.sent) == before
