"""What all panels share: the frame, the status line, wrapped handlers, worker threads, the throttle."""

from __future__ import annotations

import functools
import html
import threading
import time
import traceback
import weakref
from collections.abc import Callable, Sequence
from typing import Any, Literal, ParamSpec

import ipywidgets as ipw

from iotnb import markup
from iotnb.errors import IotnbError, RequestError
from iotnb.secret import Secret, scrub
from iotnb.widgets.leaves import FormGuard, KeyGuard, StatusLine

P = ParamSpec("P")
Tone = Literal["idle", "busy", "good", "warn", "bad"]

RERUN = "A panel needs its kernel: run this cell to use it."


class Panel(ipw.VBox):
    """A box with class `iotnb-root`, a KeyGuard, a status line and a place for error details.

    Handlers go through `handler`, work goes through `work`: an exception in either becomes the panel's
    error state. `close()` ends the panel; late answers of workers are dropped by their generation.
    """

    title = "Panel"

    def __init__(self, *, css: str = "", form: bool = False) -> None:
        self.plain = ipw.Layout()  # shared: each widget more is a message more
        self.status = StatusLine(layout=self.plain)
        self.trouble: ipw.HTML | None = None
        self.generation = 0
        self.closed = threading.Event()
        self._guard = FormGuard(layout=self.plain) if form else KeyGuard(layout=self.plain)
        self._generations = threading.Lock()
        self._saying = threading.Lock()
        super().__init__()
        self.add_class("iotnb-root")
        if css:
            self.add_class(css)

    def compose(self, *parts: ipw.Widget) -> None:
        """Sets the panel's content; the guard and the status line come with it."""
        self.children = (self._guard, *parts, self.status)

    @property
    def seen(self) -> bool:
        """Whether a browser page shows the panel."""
        return self._guard.seen

    def say(self, tone: Tone, word: str, text: str = "", *, note: str = "") -> None:
        """Writes the status line."""
        with self._saying, self.status.hold_sync():  # one message, whichever thread speaks
            for name, value in (("tone", tone), ("word", word), ("text", text), ("note", note)):
                setattr(self.status, name, value)

    def explain(self, error: BaseException | None = None, *, secrets: Sequence[Secret] = ()) -> None:
        """Shows the scrubbed traceback of an error behind a `details` element, or hides the last one."""
        value = "" if error is None else details(error, secrets)
        if self.trouble is None:
            if not value:
                return
            self.trouble = ipw.HTML()
            at = self.children.index(self.status) + 1
            self.children = (*self.children[:at], self.trouble, *self.children[at:])
        if self.trouble.value != value:
            self.trouble.value = value

    def fail(self, error: BaseException, *, secrets: Sequence[Secret] = ()) -> None:
        """The panel's error state: the cause and what to do, in words."""
        self.say("bad", "Error", sentence(error, secrets))
        self.explain(error, secrets=secrets)

    def handler(self, function: Callable[P, object]) -> Callable[P, None]:
        """Wraps a handler so that what it raises is shown in the panel and nowhere lost."""

        @functools.wraps(function)
        def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
            try:
                function(*args, **kwargs)
            except Exception as error:  # noqa: BLE001  # whatever it is, the person at the panel must see it
                self.fail(error)

        return wrapped

    def renew(self) -> int:
        """Starts a new generation: what workers of older ones still deliver is dropped."""
        with self._generations:
            self.generation += 1
            return self.generation

    def work(self, function: Callable[[int], None]) -> threading.Thread:
        """Runs `function(generation)` on a daemon thread; what it raises is shown in the panel."""
        generation = self.renew()

        def run() -> None:
            try:
                function(generation)
            except Exception as error:  # noqa: BLE001  # as in handler()
                if generation == self.generation and not self.closed.is_set():
                    self.fail(error)

        thread = threading.Thread(target=run, name=f"iotnb {self.title}", daemon=True)
        thread.start()
        return thread

    def aside(self, function: Callable[..., object], *arguments: Any) -> None:
        """Runs a function on a thread beside the panel's work; what it raises is shown in the panel."""
        work = self.handler(function)
        name = f"iotnb {self.title} aside"
        threading.Thread(target=work, args=arguments, name=name, daemon=True).start()

    def every(self, seconds: float, method: str) -> None:
        """Calls a method of this panel by name, again and again, until the panel is closed or collected."""
        weak, closed = weakref.ref(self), self.closed

        def run() -> None:
            while not closed.wait(seconds):
                panel = weak()
                if panel is None:
                    return
                panel.handler(getattr(panel, method))()
                del panel

        threading.Thread(target=run, name=f"iotnb {self.title} clock", daemon=True).start()

    def close(self) -> None:
        """Ends the panel: its threads stop, late answers are dropped, its widgets disappear."""
        closed: threading.Event | None = self.__dict__.get("closed")
        if closed is None or closed.is_set():  # None: ipywidgets also closes what could not be made
            return
        closed.set()
        self.renew()
        for child in walk(self):
            if child is not self:
                child.close()
        super().close()

    def face(self) -> str:
        """The panel in one sentence, without the value of any field: what a saved notebook shows."""
        return self.title

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.face()}>"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = super()._repr_mimebundle_(**kwargs) or {}
        bundle["text/plain"] = repr(self)
        bundle["text/html"] = static_face(self.title, self.face())
        return bundle


class Throttle:
    """Lets a function run at most `rate` times per second; the last call is always carried out.

    With `later=False` a call that comes too early is kept until `flush()`; otherwise a timer does that.
    """

    def __init__(self, function: Callable[..., object], *, rate: float = 10.0, later: bool = True) -> None:
        self._function, self._gap, self._later = function, 1 / rate, later
        self._lock = threading.Lock()
        self._next = 0.0
        self._held: tuple[Any, ...] | None = None
        self._timer: threading.Timer | None = None

    def __call__(self, *args: Any) -> None:
        """Calls now, or keeps the arguments for later and forgets those it kept before."""
        with self._lock:
            now = time.monotonic()
            if now < self._next:
                self._held = args
                if self._later and self._timer is None:
                    self._timer = threading.Timer(self._next - now, self.flush)
                    self._timer.daemon = True
                    self._timer.start()
                return
            self._next, self._held = now + self._gap, None
        self._function(*args)

    def flush(self) -> None:
        """Carries out the call that is kept, if there is one."""
        with self._lock:
            held, self._held, self._timer = self._held, None, None
            self._next = time.monotonic() + self._gap
        if held is not None:
            self._function(*held)


def static_face(title: str, text: str) -> str:
    """What a saved notebook shows of a widget once its kernel is gone: HTML without a script."""
    dim = f'<div style="margin:4px 0 0;font-size:12px;{markup.DIM}">{RERUN}</div>'
    return markup.card(title, markup.line(text), dim)


def walk(widget: ipw.Widget) -> list[ipw.Widget]:
    """The widget and everything inside it."""
    inner = [each for child in getattr(widget, "children", ()) for each in walk(child)]
    return [widget, *inner]


def sentence(error: BaseException, secrets: Sequence[Secret] = ()) -> str:
    """An error as words for a person: its message, scrubbed, with the request id when there is one."""
    text = scrub(str(error), secrets) or type(error).__name__
    if not isinstance(error, IotnbError):
        text = f"{type(error).__name__}: {text}"
    if isinstance(error, RequestError) and error.request_id:
        text = f"{text}\nRequest id: {error.request_id}"
    return text


def details(error: BaseException, secrets: Sequence[Secret] = ()) -> str:
    """The scrubbed traceback behind a `details` element."""
    lines = "".join(traceback.format_exception(error))
    shown = html.escape(scrub(lines, secrets))
    return f'<details><summary>Details</summary><pre tabindex="0">{shown}</pre></details>'
