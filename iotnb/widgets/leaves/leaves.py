"""The Python side of the leaves. Secrets arrive here as single messages and become `Secret` at once."""

from __future__ import annotations

import base64
import itertools
import re
import threading
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from iotnb.secret import Secret

ROUND_SECONDS = 3.0  # how long a round of collecting waits for the browser

_rounds = itertools.count(1)


def _source(*names: str) -> str:
    """The text of leaf files without indentation and comment lines: every saved notebook carries it."""
    text = "\n".join((Path(__file__).parent / name).read_text("utf-8") for name in names)
    return re.sub(r"\n\s+", "\n", re.sub(r"(?m)^\s*//.*$", "", text)).strip()


def _packed(*names: str, library: str = "") -> str:
    """Leaf files compressed, behind a library if there is one: saved notebooks carry a copy of each leaf."""
    packed = base64.b64encode(zlib.compress(f"{library}\n{_source(*names)}".encode(), 9)).decode()
    return f'{_source("packed.js")}\nexport default await unpacked("{packed}");'


def _plotting(*names: str) -> str:
    """Leaf files behind the vendored uPlot, compressed, with its notice in clear."""
    folder = Path(__file__).with_name("uplot")
    version = (folder / "VERSION").read_text("utf-8").strip()
    notice = f"/* with uPlot {version}, (c) 2022 Leon Sorokin, MIT licence */"
    library = (folder / "uPlot.iife.min.js").read_text("utf-8")
    return f"{notice}\n{_packed(*names, library=library)}"


class KeyGuard(anywidget.AnyWidget):
    """Invisible: keeps JupyterLab's one-key shortcuts out of a panel, and carries the panels' style sheet.

    `seen` tells whether a browser page shows the panel.
    """

    _esm = _source("base.js", "guard.js", "keyguard.js")
    _css = _source("panel.css")

    def __init__(self, **traits: Any) -> None:
        self._views: set[str] = set()
        super().__init__(**traits)
        self.on_msg(self._receive)

    @property
    def seen(self) -> bool:
        """Whether any browser page shows the panel."""
        return bool(self._views)

    def _receive(self, _: Any, content: Mapping[str, Any], __: Any = None) -> None:
        change = self._views.add if content.get("open") else self._views.discard
        change(str(content.get("view", "")))


class FormGuard(KeyGuard):
    """The KeyGuard of a panel with a form: it carries the style sheet of forms too."""

    _css = _source("panel.css") + _source("form.css")


class DeskGuard(KeyGuard):
    """The KeyGuard of the workbench: it carries the style sheet of its tabs too."""

    _css = _source("panel.css") + _source("desk.css")


class StatusLine(anywidget.AnyWidget):
    """The panel's state in words: a chip, a sentence that screen readers announce, and a note beside it."""

    _esm = _source("base.js", "status.js")
    tone = traitlets.Unicode("idle").tag(sync=True)
    word = traitlets.Unicode("").tag(sync=True)
    text = traitlets.Unicode("").tag(sync=True)
    note = traitlets.Unicode("").tag(sync=True)


class ChoiceLeaf(anywidget.AnyWidget):
    """The page side of a list of many words, such as scopes; the words travel as messages."""

    _esm = _packed("base.js", "guard.js", "choices.js")
    _css = _source("choices.css")
    label = traitlets.Unicode("Words").tag(sync=True)
    hint = traitlets.Unicode("").tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)
    report = traitlets.Bool(False).tag(sync=True)


class GridLeaf(anywidget.AnyWidget):
    """The device grid's page side; rows travel as messages, only the column names are synced."""

    _esm = _packed("base.js", "words.js", "guard.js", "menu.js", "inspector.js", "grid.js")
    _css = _source("grid.css", "inspector.css")
    columns: traitlets.List[Any] = traitlets.List().tag(sync=True)
    label = traitlets.Unicode("Devices").tag(sync=True)


class TimelineLeaf(anywidget.AnyWidget):
    """The page side of the operation timeline; operations, documents and figures travel as messages."""

    _esm = _source(
        "base.js", "words.js", "guard.js", "menu.js", "print.js", "timeline_marks.js", "timeline_lanes.js",
        "timeline_table.js", "timeline.js",
    )  # fmt: skip
    _css = _source("grid.css", "timeline.css")
    label = traitlets.Unicode("Operations").tag(sync=True)


class PlotLeaf(anywidget.AnyWidget):
    """The page side of a plot on its own; the points of each window travel as messages."""

    _esm = _plotting("base.js", "words.js", "guard.js", "plot.js", "plotleaf.js")
    _css = _source("panel.css", "uplot/uPlot.min.css", "plot.css")


class ExplorerLeaf(anywidget.AnyWidget):
    """The page side of the measurement explorer: tree of series, tabs, plot; their content is messages."""

    _esm = _plotting(
        "base.js", "words.js", "guard.js", "print.js", "plot.js", "plottree.js", "plotsheets.js",
        "plotexplorer.js",
    )  # fmt: skip
    _css = _source("uplot/uPlot.min.css", "plot.css", "plotexplorer.css")


class LiveLeaf(anywidget.AnyWidget):
    """The page side of the live view: numbers, moving plot, alarms and operations; all come as messages."""

    _esm = _plotting("base.js", "words.js", "guard.js", "plot.js", "live.js")
    _css = _source("uplot/uPlot.min.css", "plot.css", "live.css")


class SecretField(anywidget.AnyWidget):
    """A field whose value lives in the page only, until Enter or a round of `collect` hands it over.

    The page tells whether something is typed, never what or how much. No trait holds the value, so no saved
    notebook can. `on_submit` is called with a Secret at Enter.
    """

    _esm = _source("base.js", "guard.js", "secret.js")
    label = traitlets.Unicode("Secret").tag(sync=True)
    hint = traitlets.Unicode("").tag(sync=True)
    placeholder = traitlets.Unicode("").tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)
    invalid = traitlets.Bool(False).tag(sync=True)

    def __init__(self, *, on_submit: Callable[[Secret], None] | None = None, **traits: Any) -> None:
        self._on_submit = on_submit
        self._views: dict[str, bool] = {}  # view -> something is typed there
        self._answers: dict[int, Secret] = {}
        self._changed = threading.Condition()
        super().__init__(**traits)
        self.on_msg(self._receive)

    @property
    def seen(self) -> bool:
        """Whether any browser page shows the field."""
        return bool(self._views)

    @property
    def filled(self) -> bool:
        """Whether something is typed in any view."""
        return any(self._views.values())

    def wipe(self) -> None:
        """Empties the field in every view."""
        self.send({"do": "clear"})

    def ask(self, number: int) -> None:
        """Asks every view for its value, as part of round `number`."""
        self.send({"do": "collect", "round": number})

    def answer(self, number: int, deadline: float) -> Secret | None:
        """The value handed over in round `number`, or None at the deadline (of `time.monotonic`)."""
        with self._changed:
            while number not in self._answers:
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    # views that said they were filled and did not answer are gone: a page that was reloaded
                    self._views = {view: False for view, filled in self._views.items() if not filled}
                    return None
            return self._answers.pop(number)

    def _receive(self, _: Any, content: Mapping[str, Any], __: Any = None) -> None:
        kind, view = content.get("kind"), str(content.get("view", ""))
        submitted: Secret | None = None
        with self._changed:
            if kind == "view" and not content.get("open"):
                self._views.pop(view, None)
            elif kind in {"view", "filled"}:
                self._views[view] = bool(content.get("filled"))
            elif kind == "value":
                self._views[view] = False
                self._answers.setdefault(int(content.get("round", 0)), Secret(str(content.get("value", ""))))
                self._changed.notify_all()
            elif kind == "submit":
                self._views[view] = False
                submitted = Secret(str(content.get("value", "")))
        if submitted is not None and self._on_submit:
            self._on_submit(submitted)


def collect(fields: Mapping[str, SecretField], *, seconds: float = ROUND_SECONDS) -> dict[str, Secret]:
    """What is typed in the fields, asked for in one round; fields with nothing typed are left out at once.

    Waits up to `seconds` for the browser: call it from a worker thread, never from a handler.
    """
    number = next(_rounds)
    asked: Sequence[tuple[str, SecretField]] = [
        (name, field) for name, field in fields.items() if field.filled
    ]
    for _, field in asked:
        field.ask(number)
    deadline = time.monotonic() + seconds
    answers = {name: field.answer(number, deadline) for name, field in asked}
    return {name: value for name, value in answers.items() if value}
