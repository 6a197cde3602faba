"""The live view without a browser: what it shows, in which words, and when it ends."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pytest

import iotnb
from iotnb import frames, times
from iotnb.client import Client
from iotnb.errors import ConfigError, Unsupported
from iotnb.live import Batch
from iotnb.widgets.live import LiveView
from iotnb.widgets.live_store import CURVES, LISTED, Held

HOSTILE = "</script><img src=x onerror=alert(1)>"
Wait = Callable[..., None]


@pytest.fixture
def client(running: Any) -> Iterator[Client]:
    made = iotnb.connect("cumulocity", **running["cumulocity"].connect)
    yield made
    running.faults.clear()
    made.close()


@pytest.fixture
def device(client: Any) -> str:
    return str(client.api.inventory.create({"name": HOSTILE, "c8y_IsDevice": {}})["id"])


def measure(client: Any, device: str, value: float) -> None:
    document = {"source": {"id": device}, "type": "t", "time": times.to_wire(times.now())}
    client.api.measurements.create({**document, "c8y_T": {"T": {"value": value, "unit": "C"}}})


def raise_alarm(client: Any, device: str, text: str) -> str:
    document = {"source": {"id": device}, "type": text, "text": text, "time": times.to_wire(times.now())}
    return str(client.api.alarms.create({**document, "severity": "MAJOR", "status": "ACTIVE"})["id"])


def threads() -> set[str]:
    names = {each.name for each in threading.enumerate()}
    return {name for name in names if name in {"iotnb-live", "iotnb-realtime", "iotnb Live view clock"}}


def numbers(page: Any, panel: LiveView) -> list[dict[str, Any]]:
    return [each for each in page.messages(panel.leaf) if each["kind"] == "numbers"]


def window(page: Any, panel: LiveView, version: int = 0) -> dict[str, Any]:
    page.say(panel.leaf, {"kind": "window", "view": "v1", "seq": 1, "version": version, "width": 500})
    return [each for each in page.messages(panel.leaf) if each["kind"] == "window"][-1]


def test_what_comes_is_drawn_listed_counted_and_held(client: Any, device: str, page: Any, wait: Wait) -> None:
    measure(client, device, 19.5)
    panel = LiveView(client, device, "c8y_T.T", window="5m", names={device: "Pump 1"})
    page.open(panel._guard)
    wait(lambda: panel.status.word == "Live")
    assert panel.status.text == f"Connected by long polling: Cumulocity at {client.host}."
    for value in (20.5, 21.5):
        measure(client, device, value)
    alarm = raise_alarm(client, device, "too hot")
    made = client.api.operations.create({"deviceId": device, "c8y_Restart": {}})["id"]
    client.api.operations.update(made, {"status": "FAILED", "failureReason": "no power"})
    wait(lambda: len(panel.frame) == 3 and len(panel.happened) >= 3)
    assert panel.frame["value"].tolist() == [19.5, 20.5, 21.5]
    assert list(panel.frame.columns) == list(frames.SCHEMAS["measurements"])
    shown = panel.happened.set_index("identifier")
    assert shown.loc[alarm, ["what", "state", "text"]].tolist() == ["Alarm MAJOR", "ACTIVE", "too hot"]
    assert panel.happened["state"].tolist()[-1] == "FAILED"
    assert panel.happened["text"].tolist()[-1] == "no power"
    wait(lambda: numbers(page, panel)[-1]["counts"] == {"measurements": 3, "alarms": 1, "operations": 2})
    rows = [row for each in numbers(page, panel) for row in each["rows"]]
    assert [row["n"] for row in rows] == sorted({row["n"] for row in rows})
    assert {row["name"] for row in rows} == {"Pump 1"}
    answer = window(page, panel)
    assert answer["points"] == 3
    assert [group["word"] for group in answer["meta"]["groups"]] == ["alarm MAJOR", "operation FAILED"]
    assert 299 < answer["to"] - answer["from"] < 301
    time.sleep(0.6)  # time goes on, and the alarm with it
    assert "meta" not in window(page, panel, answer["version"]), "the page would build its charts anew"
    assert 0 <= panel.live.lag.total_seconds() < 5
    assert repr(panel).endswith("3 measurements, 1 alarms, 2 operations (live)>")


def test_pause_resume_stop_and_start_again(client: Any, device: str, page: Any, wait: Wait) -> None:
    panel = LiveView(client, device, window="5m", names={device: "x"})
    page.open(panel._guard)
    wait(lambda: panel.state == "live")
    panel.pause_button.click()
    assert (panel.status.word, panel.pause_button.disabled, panel.resume_button.disabled) == (
        "Paused",
        True,
        False,
    )
    measure(client, device, 1.0)
    time.sleep(0.4)
    assert panel.frame.empty
    panel.resume_button.click()
    wait(lambda: len(panel.frame) == 1)
    wait(lambda: panel.status.word == "Live")
    panel.stop_button.click()
    assert (panel.status.word, panel.stop_button.disabled) == ("Stopped", True)
    wait(lambda: threads() == {"iotnb Live view clock"})
    assert len(panel.frame) == 1
    assert panel.resume_button.description == "Start again"
    panel.resume_button.click()
    wait(lambda: panel.status.word == "Live" and len(panel.frame) == 1)
    measure(client, device, 2.0)
    wait(lambda: panel.frame["value"].tolist() == [1.0, 2.0])


def test_nothing_runs_after_close(client: Any, device: str, page: Any, wait: Wait) -> None:
    panel = LiveView(client, device, names={device: "x"})
    page.open(panel._guard)
    wait(lambda: panel.state == "live")
    began = time.monotonic()
    panel.close()
    wait(lambda: not threads())
    assert time.monotonic() - began < 1.5
    sent = len(page.sent)
    measure(client, device, 1.0)
    time.sleep(0.7)
    assert len(page.sent) == sent


def test_it_stops_when_no_page_shows_it_and_goes_on_when_one_does(
    client: Any, device: str, page: Any, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iotnb.widgets.live.GRACE", 0.2)
    panel = LiveView(client, device, names={device: "x"})
    wait(lambda: panel.state == "live")
    page.open(panel._guard)
    time.sleep(0.6)
    page.say(panel._guard, {"view": "v1", "open": False})
    wait(lambda: panel.status.word == "Stopped")
    assert panel.status.text == "It stopped because no page shows it any longer."
    page.open(panel._guard)
    wait(lambda: panel.status.word == "Live")
    panel.stop()
    time.sleep(0.6)
    assert panel.state == "stopped", "what a person stopped stays so"


def test_it_stops_by_itself_after_a_while(client: Any, device: str, page: Any, wait: Wait) -> None:
    panel = LiveView(client, device, names={device: "x"}, stop_after="1s")
    page.open(panel._guard)
    wait(lambda: panel.status.word == "Stopped")
    assert "stop_after=" in panel.status.text


def test_few_messages_and_a_sentence_now_and_then(client: Any, device: str, page: Any, wait: Wait) -> None:
    panel = LiveView(client, device, names={device: HOSTILE})
    page.open(panel._guard)
    wait(lambda: panel.state == "live")
    before, began = len(page.sent), time.monotonic()
    for number in range(40):
        raise_alarm(client, device, f"{HOSTILE} {number}")
    wait(lambda: len(panel.happened) == 40)
    time.sleep(0.6)
    assert (len(page.sent) - before) / (time.monotonic() - began) <= 10
    said = [each["text"] for each in page.messages(panel.leaf) if each["kind"] == "said"]
    assert len(said) == 1
    assert HOSTILE in said[0]
    assert HOSTILE not in str(panel._repr_mimebundle_())


def test_trouble_is_told_in_words_and_overcome(
    client: Any, running: Any, device: str, page: Any, wait: Wait
) -> None:
    panel = LiveView(client, device, names={device: "x"})
    page.open(panel._guard)
    wait(lambda: panel.state == "live")
    running.faults.set("cumulocity", path="/notification", drop_every=1)
    measure(client, device, 1.0)
    wait(lambda: len(panel.frame) == 1)  # by the connect that was held
    measure(client, device, 2.0)
    wait(lambda: panel.status.word == "Reconnecting")
    assert "dropped the connection" in panel.status.text
    running.faults.clear()
    wait(lambda: panel.status.word == "Live")
    wait(lambda: panel.frame["value"].tolist() == [1.0, 2.0])
    wait(lambda: numbers(page, panel)[-1]["outages"] >= 1)


def test_what_a_platform_lacks_is_said(running: Any, page: Any, wait: Wait) -> None:
    with iotnb.connect("tiothub", **running["tiothub"].connect) as hub:
        device = hub.devices()["device"].iloc[0]
        panel = LiveView(hub, device, names={device: "x"})
        page.open(panel._guard)
        wait(lambda: panel.status.word == "Live")
        assert "T IoT Hub has no alarms." in panel.status.text
        assert "Connected by webhook" in panel.status.text
        assert numbers(page, panel)[-1]["lacking"] == ["T IoT Hub has no alarms"]
        panel.close()
        with pytest.raises(Unsupported, match="T IoT Hub has no alarms"):
            LiveView(hub, verbs="alarms")


def test_arguments_are_checked_and_the_code_runs(client: Any, device: str) -> None:
    for wrong in ({"window": "2h"}, {"zone": "Mars"}, {"every": "often"}, {"stop_after": "soon"}):
        with pytest.raises(ConfigError):
            LiveView(client, device, **wrong)
    with pytest.raises(ConfigError, match="a DataFrame"):
        LiveView(pd.DataFrame())  # type: ignore[arg-type]
    panel = LiveView(client, device, "c8y_T.T", names={device: "x"})
    code = panel.code().replace("in live:", "in [live.get(timeout=0.01)]:").replace("print(", "str(live, ")
    assert f"client.live(devices=['{device}'], series='c8y_T.T'" in code
    compile(panel.code(), "cell", "exec")


def test_a_longer_window_is_fetched(client: Any, page: Any, wait: Wait) -> None:
    pump = client.devices(type="c8y_Pump")["device"].iloc[0]
    panel = LiveView(client, pump, "c8y_Vibration.rms", window="5m", names={pump: "x"})
    page.open(panel._guard)
    wait(lambda: 3 <= len(panel.frame) <= 7)
    panel.windows["60 min"].value = True
    wait(lambda: 50 <= len(panel.frame) <= 62)
    assert [name for name, button in panel.windows.items() if button.value] == ["60 min"]
    wait(lambda: window(page, panel)["to"] - window(page, panel)["from"] > 3590)


def batch(verb: str, frame: pd.DataFrame) -> Batch:
    return Batch(verb=verb, frame=frame, arrived=times.now(), lag=None, how="push")


def test_what_is_held_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iotnb.widgets.live_store.VALUES", 100)
    now = pd.Timestamp(times.now())
    held = Held({})
    rows = [
        {"time": now - pd.Timedelta(seconds=5000 - n), "device": str(n % 20), "series": "s", "value": n}
        for n in range(5000)
    ]
    held.add([batch("measurements", frames.table("measurements", rows))], times.now())
    assert len(held.frame) == 100
    assert held.frame["value"].iloc[-1] == 4999
    assert held.dropped > 3000
    assert held.left_out == 20 - CURVES
    span = (times.now() - pd.Timedelta("5m"), times.now())
    picture = held.picture(span, zone="UTC", words="", before=None)
    assert len(picture.curves) == CURVES
    alarms = [
        {"time": now, "alarm": str(n), "device": "1", "severity": "MINOR", "status": "ACTIVE", "text": "x"}
        for n in range(LISTED + 50)
    ]
    held.add([batch("alarms", frames.table("alarms", alarms))], times.now())
    assert len(held.table()) == LISTED
    assert held.table()["identifier"].iloc[-1] == str(LISTED + 49)
    assert len(held.rows(LISTED)) == 50
