"""The device picker without a browser: messages in, rows and selections out."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, Self

import pandas as pd
import pytest

import iotnb
from iotnb import frames
from iotnb.client import Client
from iotnb.errors import ConfigError, Stopped, Unauthorized
from iotnb.session import Session
from iotnb.widgets import DevicePicker

HOSTILE = "</script><img src=x onerror=alert(1)>"


def fleet(count: int = 50) -> pd.DataFrame:
    rows = [
        {
            "device": f"{i:05d}",
            "name": f"Pump {i:03d} {'north' if i % 2 else 'south'}" if i != 4 else HOSTILE,
            "type": ["gateway", "sensor"][i % 2],
            "status": ["online", "offline", "unknown"][i % 3],
        }
        for i in range(count)
    ]
    return frames.table("devices", rows)


class Pages(Client):
    """A client whose devices come in pages, each when the test lets it."""

    platform, title, FIELDS, METHODS = "pages", "Pages", (), ()
    supports = frozenset({"devices"})
    rows: Any = SimpleNamespace(device=lambda document: document)

    def __init__(self, pages: int = 3, *, fails: Exception | None = None) -> None:
        super().__init__(Session("http://127.0.0.1:9"), None, user="tester")
        self.gates = [threading.Event() for _ in range(pages)]
        self.fails = fails

    @classmethod
    def login(cls, values: Any, *, settings: Any) -> Self:
        return cls()

    def _devices(self, load: Any, *, text: Any, query: Any, **_: Any) -> Iterator[list[dict[str, Any]]]:
        for number, gate in enumerate(self.gates):
            while not gate.wait(0.01):
                if load.stop.is_set():
                    raise Stopped("stopped while waiting")
            if self.fails is not None and number == len(self.gates) - 1:
                raise self.fails
            names = range(number * 10, number * 10 + 10)
            yield [{"device": f"{i:05d}", "name": f"Pump {i}", "status": "online"} for i in names]

    def open(self) -> None:
        for gate in self.gates:
            gate.set()


def ask(page: Any, picker: DevicePicker, **content: Any) -> dict[str, Any]:
    """Sends what the grid's JavaScript sends; returns the answer with rows, if one came."""
    query = {"text": "", "type": [], "status": [], "only": False, **content.pop("query", {})}
    before = len(page.messages(picker.grid))
    page.say(picker.grid, {"view": "v1", "seq": 1, "query": query, "sort": None, **content})
    answers = [each for each in page.messages(picker.grid)[before:] if each.get("kind") == "rows"]
    return answers[-1] if answers else {}


def rows(page: Any, picker: DevicePicker, **content: Any) -> dict[str, Any]:
    return ask(page, picker, kind="rows", start=0, n=40, facets=True, **content)


class TestTable:
    def test_rows_come_with_facets_and_state(self, page: Any) -> None:
        answer = rows(page, DevicePicker(fleet()))
        assert answer["total"] == 50
        assert len(answer["rows"]) == 40
        assert answer["rows"][1][:4] == ["00001", 0, "Pump 001 north", "00001"]
        assert dict(answer["facets"]["type"]) == {"gateway": 25, "sensor": 25}
        assert answer["state"]["state"] == "ready"

    def test_rows_travel_as_messages_not_as_traits(self, page: Any) -> None:
        picker = DevicePicker(fleet(5000))
        rows(page, picker)
        state = {
            name: value for name, value in picker.grid.get_state().items() if name not in {"_esm", "_css"}
        }
        assert len(repr(state)) < 5000
        assert "Pump" not in repr(state)

    def test_one_answer_is_never_large(self, page: Any) -> None:
        answer = ask(page, DevicePicker(fleet(5000)), kind="rows", start=10, n=10**6)
        assert len(answer["rows"]) == 200

    def test_search_filter_and_sort(self, page: Any) -> None:
        answer = rows(
            page,
            DevicePicker(fleet()),
            query={"text": "pump NORTH", "status": ["offline"]},
            sort=["name", "descending"],
        )
        assert [row[0] for row in answer["rows"]][:2] == ["00049", "00043"]
        assert {row[5] for row in answer["rows"]} == {"offline"}

    def test_the_selection_is_a_frame_of_the_table(self, page: Any) -> None:
        picker = DevicePicker(fleet())
        assert len(picker.selection) == 0
        ask(page, picker, kind="toggle", device="00007", on=True)
        ask(page, picker, kind="toggle", device="00003", on=True)
        assert picker.ids == ["00003", "00007"]
        assert list(picker.selection.columns) == list(frames.SCHEMAS["devices"])
        assert picker.selection.dtypes.equals(fleet().dtypes)
        ask(page, picker, kind="toggle", device="00003", on=False)
        assert picker.selected == 1

    def test_a_range_is_resolved_in_the_order_of_the_view(self, page: Any) -> None:
        picker = DevicePicker(fleet())
        ask(page, picker, kind="range", **{"from": [40, None], "to": [42, None]}, sort=["name", "descending"])
        assert picker.ids == ["00007", "00008", "00009"]
        picker.clear()
        ask(page, picker, kind="range", **{"from": [0, "00009"], "to": [0, "00013"]}, query={"text": "north"})
        assert picker.ids == ["00009", "00011", "00013"]

    def test_all_that_match_with_exceptions_is_small_and_exact(self, page: Any) -> None:
        picker = DevicePicker(fleet(20_000))
        ask(page, picker, kind="all", query={"text": "south"})
        ask(page, picker, kind="toggle", device="00002", on=False)
        assert picker.selected == 9_998
        assert '"00002"' in picker.code().replace("'", '"')
        assert len(picker.code()) < 300

    def test_only_the_selected_can_be_shown(self, page: Any) -> None:
        picker = DevicePicker(fleet())
        picker.select(["00001", "00005", "nobody"])
        answer = rows(page, picker, query={"only": True})
        assert [row[0] for row in answer["rows"]] == ["00001", "00005"]
        assert all(row[1] for row in answer["rows"])

    def test_code_gives_the_same_selection(self, page: Any) -> None:
        picker = DevicePicker(fleet())
        ask(page, picker, kind="all", query={"text": "south", "status": ["online", "offline"]})
        ask(page, picker, kind="toggle", device="00000", on=False)
        ask(page, picker, kind="toggle", device="00001", on=True)
        names: dict[str, Any] = {"devices": fleet(), "iotnb": iotnb}
        exec(picker.code(), names)
        assert list(names["selection"]["device"]) == picker.ids
        picker.clear()
        ask(page, picker, kind="all")
        exec(picker.code(), names)
        assert len(names["selection"]) == 50

    def test_code_and_ids_go_to_the_clipboard_of_the_view_that_asked(self, page: Any) -> None:
        picker = DevicePicker(fleet())
        picker.select(["00007", "00003"])
        for what, text in (("ids", "00003\n00007"), ("code", picker.code())):
            page.say(picker.grid, {"kind": what, "view": "v2"})
            assert page.messages(picker.grid)[-1] == {
                "kind": "copy",
                "what": what,
                "view": "v2",
                "text": text,
            }

    def test_the_count_can_be_observed(self, page: Any) -> None:
        picker, seen = DevicePicker(fleet()), []
        picker.observe(lambda change: seen.append(change["new"]), "selected")
        ask(page, picker, kind="all")
        assert seen == [50]

    def test_an_answer_names_its_question(self, page: Any) -> None:
        answer = ask(page, DevicePicker(fleet()), kind="rows", view="other", seq=99, start=0, n=1)
        assert (answer["view"], answer["seq"]) == ("other", 99)

    def test_no_field_values_in_the_static_face(self) -> None:
        bundle = DevicePicker(fleet())._repr_mimebundle_()
        assert "50 devices, 0 selected" in bundle["text/html"]
        assert "onerror" not in bundle["text/html"]

    def test_bad_input_says_what_to_pass(self) -> None:
        with pytest.raises(ConfigError, match=r'no "device" column'):
            DevicePicker(pd.DataFrame({"id": ["1"]}))
        with pytest.raises(ConfigError, match=r"client\.devices\(\)"):
            DevicePicker("cumulocity")  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match="for a client"):
            DevicePicker(fleet(), expand=True)

    def test_nonsense_from_the_page_is_shown_not_lost(self, page: Any) -> None:
        picker = DevicePicker(fleet())
        page.say(picker.grid, {"kind": "toggle"})
        assert picker.status.tone == "bad"

    def test_an_empty_table_says_so(self, page: Any) -> None:
        picker = DevicePicker(frames.empty("devices"))
        assert picker.state == "empty"
        assert rows(page, picker)["state"]["words"].startswith("There are no devices")


def related() -> pd.DataFrame:
    """Five gateways with nine sensors each, and a document for each row."""
    frame = fleet()
    frame["parent"] = pd.Series([f"{i // 10 * 10:05d}" if i % 10 else None for i in range(50)], dtype="str")
    frame["document"] = [f'{{"id":"{i:05d}","password":"p-4711"}}' for i in range(50)]
    return frame


class TestTree:
    def test_the_page_is_told_whether_there_is_one(self, page: Any) -> None:
        assert rows(page, DevicePicker(related()))["state"]["tree"]
        assert not rows(page, DevicePicker(fleet()))["state"]["tree"]

    def test_lines_say_depth_children_unfolded_and_match(self, page: Any) -> None:
        answer = rows(page, DevicePicker(related()), tree={"opened": ["00010"]})
        assert answer["total"] == 14
        assert answer["lines"][:4] == [[0, 9, 0, 1], [0, 9, 1, 1], [1, 0, 0, 1], [1, 0, 0, 1]]
        assert answer["rows"][2][0] == "00011"

    def test_what_matches_is_unfolded_below_its_parents(self, page: Any) -> None:
        picker = DevicePicker(related())
        answer = rows(page, picker, query={"text": "id:00034"}, tree={})
        assert [row[0] for row in answer["rows"]] == ["00030", "00034"]
        assert answer["lines"] == [[0, 1, 1, 0], [1, 0, 0, 1]]
        assert (answer["total"], answer["matching"]) == (2, 1)
        ask(page, picker, kind="all", query={"text": "id:00034"})
        assert picker.ids == ["00034"]
        folded = rows(page, picker, query={"text": "id:00034"}, tree={"shut": ["00030"]})
        assert [row[0] for row in folded["rows"]] == ["00030"]

    def test_only_selected_and_everything_unfolded(self, page: Any) -> None:
        picker = DevicePicker(related())
        picker.select(["00025"])
        answer = rows(page, picker, query={"only": True}, tree={})
        assert [row[0] for row in answer["rows"]] == ["00020", "00025"]
        assert rows(page, picker, tree={"every": True})["total"] == 50

    def test_a_range_follows_the_lines_that_are_seen(self, page: Any) -> None:
        picker = DevicePicker(related())
        ask(
            page,
            picker,
            kind="range",
            **{"from": [0, "00000"], "to": [2, "00001"]},
            tree={"opened": ["00000"]},
        )
        assert picker.ids == ["00000", "00001"]
        picker.clear()
        ask(page, picker, kind="range", **{"from": [0, "00000"], "to": [1, "00010"]}, tree={})
        assert picker.ids == ["00000", "00010"]


class TestDetails:
    def test_the_row_and_the_document_of_the_table(self, page: Any) -> None:
        picker = DevicePicker(related())
        page.say(picker.grid, {"kind": "details", "view": "v1", "device": "00004"})
        (answer,) = page.messages(picker.grid)[-1:]
        assert answer["kind"] == "details"
        assert ["Name", HOSTILE] in answer["row"]
        assert '"id": "00004"' in answer["document"]
        assert "p-4711" not in answer["document"]

    def test_a_table_without_documents_says_how_to_get_them(self, page: Any) -> None:
        picker = DevicePicker(fleet())
        page.say(picker.grid, {"kind": "details", "view": "v1", "device": "00004"})
        assert page.messages(picker.grid)[-1]["document"] == ""

    @pytest.mark.parametrize("platform", iotnb.platform_names())
    def test_the_document_is_asked_for_when_it_is_wanted(
        self, page: Any, running: Any, wait: Callable[..., None], platform: str
    ) -> None:
        client = iotnb.connect(platform, **running[platform].connect)
        picker = DevicePicker(client).wait(20)
        device = picker.devices["device"].iloc[-1]
        page.say(picker.grid, {"kind": "details", "view": "v7", "device": device})
        assert page.messages(picker.grid)[-1]["document"] is None

        def documents() -> list[dict[str, Any]]:
            return [each for each in page.messages(picker.grid) if each["kind"] == "document"]

        wait(documents)
        assert documents()[0]["problem"] == ""
        assert (documents()[0]["view"], documents()[0]["device"]) == ("v7", device)
        assert documents()[0]["text"].startswith("{\n  ")
        client.logout()
        page.say(picker.grid, {"kind": "details", "view": "v7", "device": device})
        wait(lambda: len(documents()) == 2)
        assert "logged out" in documents()[1]["problem"]


class TestClient:
    def test_devices_load_in_the_background(self, page: Any) -> None:
        client = Pages()
        picker = DevicePicker(client)
        assert picker.state == "loading"
        client.open()
        picker.wait(10)
        assert picker.state == "ready"
        assert len(picker.devices) == 30
        assert picker.devices.attrs["iotnb"]["verb"] == "devices"
        assert "30 devices on 127.0.0.1:9" in picker.status.text

    def test_rows_can_be_used_while_loading(self, page: Any, wait: Callable[..., None]) -> None:
        client = Pages()
        picker = DevicePicker(client)
        client.gates[0].set()
        wait(lambda: rows(page, picker)["total"] == 10)
        ask(page, picker, kind="all", query={"text": "pump"})
        assert picker.selected == 10
        client.open()
        picker.wait(10)
        assert picker.selected == 30

    def test_cancel_keeps_what_came(self, page: Any, wait: Callable[..., None]) -> None:
        client = Pages()
        picker = DevicePicker(client)
        client.gates[0].set()
        wait(lambda: len(picker.devices) == 10)
        page.say(picker.grid, {"kind": "cancel"})
        picker.wait(10)
        assert picker.state == "partial"
        assert len(picker.devices) == 10
        assert "10 devices came" in picker.status.text
        assert "cancelled" in picker.status.text

    def test_an_error_after_some_pages_keeps_them_and_says_why(self, wait: Callable[..., None]) -> None:
        client = Pages(fails=ConnectionError("the cable is out"))
        picker = DevicePicker(client)
        client.gates[0].set()
        wait(lambda: len(picker.devices) == 10)
        client.open()
        picker.wait(10)
        assert picker.state in {"partial", "error"}
        assert len(picker.devices) >= 10
        assert "the cable is out" in picker.status.text

    def test_refresh_keeps_the_selection_and_the_rows_meanwhile(self, page: Any) -> None:
        client = Pages()
        client.open()
        picker = DevicePicker(client).wait(10)
        picker.select(["00003"])
        client.gates = [threading.Event()]
        page.say(picker.grid, {"kind": "refresh"})
        assert picker.state == "loading"
        assert len(picker.devices) == 30
        client.open()
        picker.wait(10)
        assert len(picker.devices) == 10
        assert picker.ids == ["00003"]

    def test_an_expired_login_reads_unlike_an_error(self) -> None:
        client = Pages(1, fails=Unauthorized(401, "GET", "/inventory", "expired"))
        client.open()
        picker = DevicePicker(client).wait(10)
        assert picker.state in {"expired", "partial"}
        assert "Log in again" in picker.status.text

    def test_unsupported_is_a_state(self) -> None:
        client = Pages()
        client.supports = frozenset()  # type: ignore[misc]
        picker = DevicePicker(client).wait(10)
        assert picker.state == "unsupported"
        assert "has no devices" in picker.status.text

    def test_closing_stops_the_load(self, wait: Callable[..., None]) -> None:
        client = Pages()
        picker = DevicePicker(client)
        wait(lambda: client.last_job is not None)
        picker.close()
        assert client.last_job is not None
        wait(client.last_job.done)

    def test_it_can_be_awaited(self) -> None:
        client = Pages()
        client.open()
        picker = asyncio.run(DevicePicker(client).ready())
        assert len(picker.devices) == 30

    def test_waiting_has_a_limit(self) -> None:
        with pytest.raises(TimeoutError, match=r"0\.2"):
            DevicePicker(Pages()).wait(0.2)

    def test_the_code_asks_the_client_the_same(self) -> None:
        client = Pages()
        client.open()
        picker = DevicePicker(client, text="Pump").wait(10)
        picker.select(["00001"])
        assert picker.code().splitlines()[0] == "devices = client.devices(text='Pump')"
