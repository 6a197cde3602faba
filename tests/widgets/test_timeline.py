"""The operation timeline without a browser: what the page is told, what the person gets, every state."""

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any, Self

import numpy as np
import pandas as pd
import pytest

import iotnb
from iotnb import frames
from iotnb.auth import Auth
from iotnb.client import Client
from iotnb.errors import ConfigError, Stopped, Unauthorized
from iotnb.session import Session
from iotnb.widgets import OperationTimeline

HOSTILE = "</script><img src=x onerror=alert(1)>"


def history(count: int = 60) -> pd.DataFrame:
    """Operations of seven devices, four kinds, all statuses; every tenth has no recorded end."""
    statuses = ("SUCCESSFUL", "FAILED", "PENDING", "EXECUTING", "CANCELLED")
    made = []
    for i in range(count):
        status = statuses[i % 5]
        open_ended = status in {"PENDING", "EXECUTING"} or i % 10 == 0
        created = pd.Timestamp("2026-03-01T00:00:00Z") + pd.Timedelta(minutes=10 * i)
        made.append(
            {
                "time": created, "operation": f"{i:04d}", "device": f"{i % 7:03d}", "kind": f"kind {i % 4}",
                "status": status,
                "platform_status": status.lower(), "duration": None if open_ended else float(i),
                "failure": "No space" if i % 10 == 1 else "Timed out" if status == "FAILED" else None,
                "finished": None if open_ended else created + pd.Timedelta(seconds=i),
                "parameters": json.dumps({"text": f"command {i}"}),
            }
        )  # fmt: skip
    return frames.table("operations", made)


def ask(page: Any, timeline: OperationTimeline, **content: Any) -> dict[str, Any]:
    """Sends what the page's JavaScript sends; returns what it was told."""
    before = len(page.messages(timeline.leaf))
    page.say(timeline.leaf, {"view": "v1", **content})
    return {each["kind"]: each for each in page.messages(timeline.leaf)[before:]}


def query(page: Any, timeline: OperationTimeline, **filters: Any) -> tuple[dict[str, Any], list[int]]:
    """A question; the answer, and the rows that its bits name."""
    asked = {"text": "", "status": [], "kinds": [], "stuck": False, **filters}
    answer = ask(page, timeline, kind="query", seq=7, query=asked)["rows"]
    bits = np.unpackbits(np.frombuffer(page.buffers[-1][0], np.uint8), bitorder="little")
    return answer, np.flatnonzero(bits[: len(timeline.operations)]).tolist()


class Served(Client):
    """A client whose operations come page by page, as each gate is opened."""

    platform, title = "served", "Served"
    FIELDS = METHODS = ()
    supports = frozenset({"operations", "devices"})

    class rows:  # noqa: N801  # the name of the platforms' modules
        operation = staticmethod(lambda document: dict(document))
        device = staticmethod(lambda document: dict(document))

    def __init__(self, pages: int = 2, *, fails: Exception | None = None) -> None:
        super().__init__(Session("http://127.0.0.1:9", auth=Auth()), None)
        self.gates = [threading.Event() for _ in range(pages)]
        self.fails = fails

    @classmethod
    def login(cls, values: Any, *, settings: Any) -> Self:
        return cls()

    def _operations(self, load: Any, device: Any, window: Any, status: Any) -> Iterator[list[dict[str, Any]]]:
        for number, gate in enumerate(self.gates):
            while not gate.wait(0.01):
                if load.stop.is_set():
                    raise Stopped("stopped while waiting")
            if self.fails is not None:
                raise self.fails
            load.count(pages=1, rows=3)
            yield [
                {"operation": f"{number}-{i}", "device": f"00{i}", "kind": "restart", "status": "FAILED",
                 "time": "2026-03-01T00:00:00Z", "failure": HOSTILE}
                for i in range(3)
            ]  # fmt: skip

    def _devices(self, load: Any, **_: Any) -> Iterator[list[dict[str, Any]]]:
        yield [{"device": f"00{i}", "name": f"Pump {i} {HOSTILE}"} for i in range(3)]

    def open(self) -> Self:
        for gate in self.gates:
            gate.set()
        return self


class TestTable:
    def test_columns_travel_as_bytes_and_words_as_lists(self, page: Any) -> None:
        timeline = OperationTimeline(history(), names={"000": "Boiler"})
        data = ask(page, timeline, kind="data")["data"]
        begin, end, device, kind, status, reason, late = page.buffers[-1]
        assert data["n"] == 60
        assert np.frombuffer(begin)[1] == pd.Timestamp("2026-03-01T00:10:00Z").timestamp() * 1000
        assert np.isnan(np.frombuffer(end)).sum() == 30
        assert [data["devices"][i] for i in np.frombuffer(device, np.int32)[:2]] == [
            ["000", "Boiler"],
            ["001", ""],
        ]
        assert [data["kinds"][i] for i in np.frombuffer(kind, np.int32)[:5]] == [
            f"kind {i % 4}" for i in range(5)
        ]
        assert [data["statuses"][i] for i in np.frombuffer(status, np.int32)[:2]] == ["SUCCESSFUL", "FAILED"]
        assert [data["reasons"][i] for i in np.frombuffer(reason, np.int32)[[1, 6]]] == [
            "No space",
            "Timed out",
        ]
        assert sum(late) == 24
        assert data["state"]["state"] == "ready"

    def test_thousands_of_operations_are_little_traffic(self, page: Any) -> None:
        timeline = OperationTimeline(history(10_000))
        data = ask(page, timeline, kind="data")["data"]
        assert len(b"".join(page.buffers[-1])) == 10_000 * 33
        assert len(json.dumps(data)) < 2_000
        answer, found = query(page, timeline, text="no space")
        assert len(found) == 1_000
        assert len(page.buffers[-1][0]) == 1_250
        assert len(json.dumps(answer)) < 3_000

    def test_nothing_of_it_is_in_the_saved_state(self) -> None:
        timeline = OperationTimeline(history(500), names={"000": "Boiler"})
        state = {
            name: value for name, value in timeline.leaf.get_state().items() if name not in {"_esm", "_css"}
        }
        assert "Boiler" not in repr(state)
        assert "command 1" not in repr(state)
        assert len(repr(state)) < 3_000

    def test_filters_and_what_they_leave(self, page: Any) -> None:
        timeline = OperationTimeline(history())
        answer, found = query(page, timeline, status=["FAILED"])
        assert found == list(range(1, 60, 5))
        assert answer["total"] == 12
        assert dict(answer["facets"]["status"])["PENDING"] == 12
        assert [reason for reason, *_ in answer["failures"]] == ["No space", "Timed out"]
        assert answer["sentence"].startswith("12 operations on 7 devices")
        assert timeline.shown["operation"].tolist() == [f"{i:04d}" for i in range(1, 60, 5)]
        _, found = query(page, timeline, status=["FAILED"], kinds=["kind 1", "kind 2"], text="device:001")
        assert found
        assert {(history()["device"][i], history()["status"][i]) for i in found} == {("001", "FAILED")}
        assert {history()["kind"][i] for i in found} <= {"kind 1", "kind 2"}
        _, found = query(page, timeline, stuck=True)
        assert set(history()["status"].iloc[found]) == {"PENDING", "EXECUTING"}
        _, found = query(page, timeline, text="failure:space")
        assert found == list(range(1, 60, 10))

    def test_names_are_searched_too(self, page: Any) -> None:
        timeline = OperationTimeline(history(), names={"003": "Relay house"})
        _, found = query(page, timeline, text="relay")
        assert {history()["device"][i] for i in found} == {"003"}

    def test_filter_from_python_reaches_the_page(self, page: Any) -> None:
        timeline = OperationTimeline(history())
        timeline.filter("space", status=["FAILED"], kind=["kind 1"])
        told = page.messages(timeline.leaf)[-1]
        assert (told["text"], told["status"], told["kinds"]) == ("space", ["FAILED"], ["kind 1"])
        assert (
            len(timeline.shown) == len(timeline.filter("space", status=["FAILED"], kind=["kind 1"]).shown) > 0
        )
        assert len(timeline.filter().shown) == 60

    def test_code_gives_the_same_rows(self, page: Any) -> None:
        timeline = OperationTimeline(history())
        query(page, timeline, text="timed", status=["FAILED"], kinds=["kind 0", "kind 2"])
        names: dict[str, Any] = {"ops": history()}
        exec(timeline.code().rpartition("\n")[0], names)
        assert names["ops"]["operation"].tolist() == timeline.shown["operation"].tolist() != []
        query(page, timeline, stuck=True)
        names = {"ops": history()}
        exec(timeline.code().rpartition("\n")[0], names)
        assert set(names["ops"]["operation"]) == set(timeline.shown["operation"]) != set()

    def test_a_document_is_the_row_when_there_is_no_other(self, page: Any) -> None:
        timeline, seen = OperationTimeline(history()), []
        timeline.observe(lambda change: seen.append(change["new"]), "selected")
        told = ask(page, timeline, kind="document", row=11)["document"]
        assert json.loads(told["text"])["operation"] == "0011"
        assert told["facts"]["failure"] == "No space"
        assert not told["own"]
        ask(page, timeline, kind="closed")
        assert seen == ["0011", ""]

    def test_the_platform_s_document_is_shown_whole_without_secrets(self, page: Any) -> None:
        document = '{"id":"1","c8y_Command":{"text":"x"},"password":"hidden-1"}'
        timeline = OperationTimeline(history(3).assign(document=[document] * 3))
        told = ask(page, timeline, kind="document", row=0)["document"]
        assert told["own"]
        assert json.loads(told["text"])["c8y_Command"] == {"text": "x"}
        assert "hidden-1" not in page.text()

    def test_a_row_that_is_not_there_is_no_error(self, page: Any) -> None:
        assert ask(page, OperationTimeline(history(3)), kind="document", row=99) == {}

    def test_more_reasons_than_a_page_holds(self, page: Any) -> None:
        ops = history(3_000).assign(status="FAILED", failure=[f"reason {i}" for i in range(3_000)])
        timeline = OperationTimeline(ops)
        data = ask(page, timeline, kind="data")["data"]
        codes = np.frombuffer(page.buffers[-1][5], np.int32)
        assert len(data["reasons"]) == 1_001
        assert (codes == 1_000).sum() == 2_000
        assert (codes < 0).sum() == 0

    def test_the_figure_for_print(self, page: Any, wait: Callable[..., None]) -> None:
        timeline = OperationTimeline(history(), names={"000": "Boiler"})
        assert "60 operations on 7 devices" in timeline.figure().axes[0].get_title(loc="left")
        page.say(timeline.leaf, {"view": "v1", "kind": "by", "by": "kind"})
        labels = [each.get_text() for each in timeline.figure().axes[0].get_yticklabels()]
        assert labels == ["kind 0", "kind 1", "kind 2", "kind 3"]
        page.say(timeline.leaf, {"view": "v1", "kind": "figure"})
        wait(lambda: any(each["kind"] == "figure" for each in page.messages(timeline.leaf)))
        png, svg = page.buffers[-1]
        assert png.startswith(b"\x89PNG")
        assert b"<svg" in svg

    def test_the_static_face_holds_numbers_only(self) -> None:
        timeline = OperationTimeline(history().assign(failure=HOSTILE), names={"000": HOSTILE})
        bundle = timeline._repr_mimebundle_()
        assert "60 operations on 7 devices" in bundle["text/html"]
        assert "12 failed" in bundle["text/plain"]
        assert "img" not in bundle["text/html"] + bundle["text/plain"]

    def test_an_empty_history_says_so(self, page: Any) -> None:
        timeline = OperationTimeline(frames.empty("operations"))
        assert timeline.state == "empty"
        assert "There are no operations" in timeline.status.text
        assert ask(page, timeline, kind="data")["data"]["n"] == 0
        assert query(page, timeline)[1] == []

    def test_bad_input_says_what_to_pass(self) -> None:
        with pytest.raises(ConfigError, match=r"client\.operations\(\)"):
            OperationTimeline("cumulocity")  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match=r"client\.operations\(\)"):
            OperationTimeline(frames.empty("devices"))
        with pytest.raises(ConfigError, match="for a client, not for a table"):
            OperationTimeline(history(), status="FAILED")
        with pytest.raises(ConfigError, match="neither 'device' nor 'kind'"):
            OperationTimeline(history(), by="status")  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match="'soon'"):
            OperationTimeline(history(), stuck="soon")

    def test_nonsense_from_the_page_is_shown_not_lost(self, page: Any) -> None:
        timeline = OperationTimeline(history())
        page.say(timeline.leaf, {"kind": "document"})
        assert timeline.status.tone == "bad"
        page.say(timeline.leaf, {"kind": "unheard of"})


class TestClient:
    def test_it_loads_in_the_background_with_documents_and_names(
        self, page: Any, wait: Callable[..., None]
    ) -> None:
        client = Served()
        timeline = OperationTimeline(client, since="7d")
        assert timeline.state == "loading"
        assert ask(page, timeline, kind="data")["data"]["state"]["state"] == "loading"
        client.open()
        assert timeline.wait(10).state == "ready"
        assert "6 operations on 127.0.0.1:9" in timeline.status.text
        wait(lambda: ask(page, timeline, kind="data")["data"]["devices"][0] == ["000", f"Pump 0 {HOSTILE}"])
        told = ask(page, timeline, kind="document", row=0)["document"]
        assert told["own"]
        assert json.loads(told["text"])["failure"] == HOSTILE
        assert timeline.code().startswith("import iotnb\n\nops = client.operations(since='7d')")

    def test_progress_is_told_while_it_loads(self, wait: Callable[..., None]) -> None:
        client = Served()
        timeline = OperationTimeline(client)
        client.gates[0].set()
        wait(lambda: "3 rows" in timeline.status.text)
        assert timeline.status.word == "Loading"
        timeline.close()

    def test_cancel_keeps_what_came(self, page: Any, wait: Callable[..., None]) -> None:
        client = Served()
        timeline = OperationTimeline(client)
        client.gates[0].set()
        wait(lambda: "3 rows" in timeline.status.text)
        page.say(timeline.leaf, {"kind": "cancel"})
        timeline.wait(10)
        assert timeline.state == "partial"
        assert "cancelled" in timeline.status.text
        assert len(timeline.operations) == 3

    @pytest.mark.parametrize(
        ("error", "state", "words"),
        [
            (ConnectionError("the cable is out"), "error", "the cable is out"),
            (Unauthorized(401, "GET", "/x", "expired"), "expired", "Log in again"),
        ],
    )
    def test_what_goes_wrong_is_a_state(self, error: Exception, state: str, words: str) -> None:
        timeline = OperationTimeline(Served(fails=error).open()).wait(10)
        assert timeline.state == state
        assert words in timeline.status.text

    def test_unsupported_is_a_state(self) -> None:
        client = Served()
        client.supports = frozenset({"devices"})  # type: ignore[misc]
        timeline = OperationTimeline(client).wait(10)
        assert timeline.state == "unsupported"
        assert "has no operations" in timeline.status.text

    def test_names_from_a_selection_need_no_second_load(self, page: Any) -> None:
        client = Served().open()
        client.supports = frozenset({"operations"})  # type: ignore[misc]
        chosen = frames.table("devices", [{"device": f"00{i}", "name": f"Relay {i}"} for i in range(3)])
        timeline = OperationTimeline(client, chosen).wait(10)
        assert ask(page, timeline, kind="data")["data"]["devices"][2] == ["002", "Relay 2"]
        assert "devices=['000', '001', '002']" in timeline.code()

    def test_refresh_keeps_the_rows_meanwhile_and_the_filter(self, page: Any) -> None:
        client = Served().open()
        timeline = OperationTimeline(client).wait(10)
        timeline.filter("pump 1")
        client.gates = [threading.Event()]
        page.say(timeline.leaf, {"kind": "refresh"})
        assert timeline.state == "loading"
        assert len(timeline.operations) == 6
        client.open()
        timeline.wait(10)
        assert len(timeline.operations) == 3
        assert ask(page, timeline, kind="data")["data"]["filter"]["text"] == "pump 1"

    def test_closing_stops_the_load(self, wait: Callable[..., None]) -> None:
        client = Served()
        timeline = OperationTimeline(client)
        wait(lambda: client.last_job is not None)
        timeline.close()
        assert client.last_job is not None
        wait(client.last_job.done)

    def test_the_sandbox_s_history(self, page: Any, account: dict[str, str]) -> None:
        with iotnb.connect("cumulocity", **account) as client:
            timeline = OperationTimeline(client, since="3d").wait(30)
            assert timeline.state == "ready"
            told = ask(page, timeline, kind="document", row=0)["document"]
            assert json.loads(told["text"])["id"] == timeline.operations["operation"][0]
            assert "document" in timeline.operations.columns
