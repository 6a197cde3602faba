"""A page without a browser: it records what widgets send and answers as the leaves' JavaScript would."""

import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import comm
import ipywidgets
import pytest
from comm.base_comm import BaseComm
from ipywidgets.widgets.widget import _instances

from iotnb.widgets import Panel, login
from iotnb.widgets.leaves import SecretField


class Page:
    """What a browser page sees and does; `sent` lists (comm id, message) of all widgets."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.buffers: list[list[bytes]] = []  # of the messages in `sent` that had any
        self._values: dict[str, tuple[SecretField, str]] = {}

    def publish(self, comm_id: str, kind: str, data: Mapping[str, Any] | None) -> None:
        if kind == "comm_open":
            self.sent.append((comm_id, {"state": dict((data or {}).get("state", {}))}))
        elif kind == "comm_msg" and data is not None:
            self.sent.append((comm_id, dict(data)))
            content = data.get("content") or {}
            if data.get("method") == "custom" and content.get("do") == "collect" and comm_id in self._values:
                field, value = self._values.pop(comm_id)
                answer = {"kind": "value", "view": "v1", "round": content["round"], "value": value}
                threading.Timer(0.02, self.say, (field, answer)).start()

    def say(self, widget: ipywidgets.Widget, content: Mapping[str, Any]) -> None:
        """A custom message from the page."""
        widget._handle_custom_msg(dict(content), [])

    def open(self, *widgets: ipywidgets.Widget, view: str = "v1") -> None:
        """The page shows leaves."""
        for widget in widgets:
            self.say(widget, {"kind": "view", "view": view, "open": True})

    def type(self, field: SecretField, value: str, *, answers: bool = True) -> None:
        """Somebody types into a secret field; the page hands it over when it is asked."""
        self.open(field)
        self.say(field, {"kind": "filled", "view": "v1", "filled": True})
        if answers:
            self._values[field.comm.comm_id] = (field, value)

    def messages(self, widget: ipywidgets.Widget) -> list[dict[str, Any]]:
        """The custom messages that a widget sent."""
        own = widget.comm.comm_id
        return [
            dict(data["content"])
            for name, data in self.sent
            if name == own and data.get("method") == "custom"
        ]

    def text(self) -> str:
        """All that was ever sent to the page, as one text."""
        return repr(self.sent)


@pytest.fixture(autouse=True)
def page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Page]:
    shown = Page()

    class Recorded(BaseComm):  # type: ignore[misc]
        def publish_msg(
            self, msg_type: str, data: Any = None, metadata: Any = None, buffers: Any = None, **_: Any
        ) -> None:
            shown.publish(self.comm_id, msg_type, data)
            if buffers:
                shown.buffers.append([bytes(each) for each in buffers])

    monkeypatch.setattr(comm, "create_comm", lambda *args, **kwargs: Recorded(*args, **kwargs))
    monkeypatch.setenv("IOTNB_CONFIG_DIR", str(tmp_path / "config"))
    login.forget()
    yield shown
    for widget in list(_instances.values()):
        if isinstance(widget, Panel):
            widget.close()


@pytest.fixture
def account(running: Any) -> Iterator[dict[str, str]]:
    """What logs in to the sandbox; faults that a test makes end with it."""
    yield dict(running["cumulocity"].connect)
    running.faults.clear()


def eventually(check: Callable[[], Any], *, seconds: float = 8.0) -> None:
    """Waits until a check holds."""
    done = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if check():
            return
        done.wait(0.02)
    raise AssertionError("it did not happen in time")


@pytest.fixture
def wait() -> Callable[..., None]:
    return eventually
