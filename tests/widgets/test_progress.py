"""Progress in a cell: one line, updated in place, whose last state is the truth."""

import threading
import time
from typing import Any

import pytest

from iotnb.jobs import Progress
from iotnb.widgets import progress


class Shown:
    """Records what is displayed: one list of states per display."""

    def __init__(self) -> None:
        self.lines: list[list[str]] = []

    def display(self, thing: Any, *, display_id: bool) -> "Handle":
        assert display_id
        self.lines.append([thing.data])
        return Handle(self.lines[-1])


class Handle:
    def __init__(self, line: list[str]) -> None:
        self.line = line

    def update(self, thing: Any) -> None:
        self.line.append(thing.data)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    record = Shown()
    monkeypatch.setattr(progress, "display", record.display)
    return record


def test_a_bar_where_the_end_is_known_and_numbers_as_text() -> None:
    markup = progress.to_html(Progress(items_done=5, items_total=20, pages=7, rows=1200, elapsed=3))
    assert 'value="0.250"' in markup
    assert "5 of 20 items" in markup
    assert "1,200 rows" in markup
    assert "<script" not in markup


def test_no_bar_where_the_end_is_unknown() -> None:
    assert "<progress" not in progress.to_html(Progress(pages=3, rows=10, elapsed=1))


def test_twenty_thousand_steps_are_few_messages_with_the_right_end(shown: Shown) -> None:
    line = progress.Line()
    for done in range(20_001):
        line.show(Progress(items_done=done, items_total=20_000, elapsed=1.0), last=done == 20_000)
    assert len(shown.lines) == 1
    assert len(shown.lines[0]) <= 20
    assert "20,000 of 20,000 items" in shown.lines[0][-1]


def test_fast_loads_show_nothing(shown: Shown) -> None:
    progress.Reporter()(Progress(items_done=1, items_total=1, elapsed=0.1))
    assert shown.lines == []


def test_each_load_has_a_line_of_its_own(shown: Shown) -> None:
    report = progress.Reporter()
    report(Progress(items_done=1, items_total=2, elapsed=0.6))
    report(Progress(items_done=2, items_total=2, elapsed=0.601))
    time.sleep(0.02)
    report(Progress(items_done=1, items_total=9, elapsed=5.0))
    assert len(shown.lines) == 2
    assert "2 of 2 items" in shown.lines[0][-1]


def test_a_background_load_draws_nothing(shown: Shown) -> None:
    report = progress.Reporter()
    thread = threading.Thread(target=report, args=(Progress(items_done=1, items_total=2, elapsed=2),))
    thread.start()
    thread.join()
    assert shown.lines == []
