"""What all panels share: nothing that goes wrong is lost, late answers are, and updates are throttled."""

import gc
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import ipywidgets as ipw

from iotnb.errors import NotFound
from iotnb.widgets.panel import Panel, Throttle


class Sample(Panel):
    title = "Sample <panel>"

    def __init__(self) -> None:
        super().__init__()
        self.ticks = 0
        self.compose(ipw.Label("content"))

    def tick(self) -> None:
        self.ticks += 1


def test_an_exception_in_a_handler_is_shown_in_the_panel() -> None:
    panel = Sample()

    def broken(_: Any) -> None:
        raise NotFound(404, "GET", "/x", "no such <device>", request_id="r-77")

    panel.handler(broken)(None)
    assert panel.status.tone == "bad"
    assert "no such <device>" in panel.status.text
    assert "r-77" in panel.status.text
    assert panel.trouble is not None
    assert "<details>" in panel.trouble.value
    assert "no such &lt;device&gt;" in panel.trouble.value


def test_a_traceback_is_scrubbed() -> None:
    panel = Sample()

    def broken() -> None:
        raise ValueError("sent Authorization: Bearer abcdefgh12345678 and password=hunter2secret")

    panel.handler(broken)()
    shown = panel.status.text + (panel.trouble.value if panel.trouble else "")
    assert "ValueError" in shown
    assert "abcdefgh12345678" not in shown
    assert "hunter2secret" not in shown


def test_an_exception_in_a_worker_is_shown_in_the_panel() -> None:
    panel = Sample()

    def broken(_: int) -> None:
        raise RuntimeError("worker broke")

    panel.work(broken).join(5)
    assert "worker broke" in panel.status.text


def test_a_worker_of_an_older_generation_is_not_heard() -> None:
    panel = Sample()
    go = threading.Event()

    def late(_: int) -> None:
        go.wait(5)
        raise RuntimeError("too late")

    thread = panel.work(late)
    panel.renew()
    go.set()
    thread.join(5)
    assert "too late" not in panel.status.text


def test_a_handler_does_not_wait_for_work() -> None:
    panel = Sample()
    go = threading.Event()
    thread = panel.work(lambda _: go.wait(60))
    assert thread.is_alive()
    go.set()
    thread.join(5)


def test_clocks_stop_with_the_panel_and_do_not_keep_it() -> None:
    panel = Sample()
    panel.every(0.01, "tick")
    time.sleep(0.1)
    assert panel.ticks > 2
    panel.close()
    before = panel.ticks
    time.sleep(0.05)
    assert panel.ticks <= before + 1


def test_closing_closes_everything_inside() -> None:
    panel = Sample()
    inside = list(panel.children)
    panel.close()
    assert all(child.comm is None for child in inside)
    panel.close()


def test_the_static_face_is_escaped_and_free_of_widgets() -> None:
    bundle = Sample()._repr_mimebundle_()
    assert "Sample &lt;panel&gt;" in bundle["text/html"]
    assert "<script" not in bundle["text/html"]
    assert bundle["text/plain"] == "<Sample: Sample <panel>>"
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_a_throttle_lets_the_last_call_through(wait: Callable[..., None]) -> None:
    seen: list[int] = []
    throttle = Throttle(seen.append, rate=10)
    for number in range(20_000):
        throttle(number)
    wait(lambda: seen and seen[-1] == 19_999)
    assert len(seen) <= 5


def test_a_throttle_without_a_timer_waits_for_flush() -> None:
    seen: list[int] = []
    throttle = Throttle(seen.append, rate=1, later=False)
    throttle(1)
    throttle(2)
    throttle(3)
    assert seen == [1]
    throttle.flush()
    assert seen == [1, 3]


def test_a_dropped_panel_can_be_collected() -> None:
    panel = Sample()
    panel.every(0.01, "tick")
    panel.close()
    reference = weakref.ref(panel)
    del panel
    time.sleep(0.05)
    gc.collect()
    assert reference() is None
