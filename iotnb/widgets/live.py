"""The live view: measurements as a moving plot, alarms and operations as they come, and how late they are."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import ipywidgets as ipw
import pandas as pd

from iotnb import times
from iotnb.arguments import identifiers
from iotnb.curves import titles
from iotnb.errors import ConfigError, IotnbError
from iotnb.live import Live
from iotnb.widgets.explorer_plot import zone_of
from iotnb.widgets.leaves import LiveLeaf
from iotnb.widgets.live_store import CURVES, Held, Moving
from iotnb.widgets.panel import Panel, Tone, sentence

if TYPE_CHECKING:
    from iotnb.client import Client

WINDOWS: Final = {"5 min": "5m", "15 min": "15m", "60 min": "60m"}
TICK: Final = 0.5  # seconds between two looks at what has come: few messages, and a plot that moves
GRACE: Final = 2.0  # seconds without a page that shows the panel: a page that reloads is back by then
ANNOUNCE: Final = 10.0  # seconds between two sentences for a screen reader
TOLD: Final = 100  # alarms and operations that a page lists
STATES: Final[Mapping[str, tuple[Tone, str]]] = {
    "idle": ("idle", "Not started"),
    "connecting": ("busy", "Connecting"),
    "live": ("good", "Live"),
    "silent": ("idle", "Silent"),
    "reconnecting": ("warn", "Reconnecting"),
    "incomplete": ("warn", "Incomplete"),
    "behind": ("warn", "Catching up"),
    "paused": ("idle", "Paused"),
    "stopped": ("idle", "Stopped"),
    "failed": ("bad", "Error"),
}


class LiveView(Panel):
    """The last minutes of some series as a moving plot, with alarms and operations as they come.

    `devices` and `series` choose what to watch (None: all; the first 12 curves are drawn), `window` is how
    much of it is shown (5m, 15m or 60m), `every` how often a platform is asked that does not tell by itself.
    `names` is a mapping or a devices table with names, `zone` an IANA time zone. It stops by itself when it
    is closed, when no page shows it any longer, and after `stop_after` (None: never). Further options are
    those of `client.live()`. Raises Unsupported where a platform has nothing to watch.
    """

    title = "Live view"

    def __init__(
        self,
        client: Client,
        devices: Any = None,
        series: str | Sequence[str] | None = None,
        *,
        verbs: str | Sequence[str] = ("measurements", "alarms", "operations"),
        window: str = "15m",
        every: str | timedelta = "5s",
        names: Mapping[str, str] | pd.DataFrame | None = None,
        zone: str = "UTC",
        stop_after: str | timedelta | None = "30m",
        **options: Any,
    ) -> None:
        if not hasattr(client, "live"):
            raise ConfigError(
                f"LiveView shows what a client tells, not a {type(client).__name__}: pass what "
                "iotnb.connect() returns"
            )
        if window not in WINDOWS.values():
            raise ConfigError(f"window={window!r}: use one of {', '.join(WINDOWS.values())}")
        zone_of(zone)
        self._most = None if stop_after is None else times.span(stop_after, name="stop_after")
        self._client, self._zone = client, zone
        self._asked = {"verbs": verbs, "every": every, **options}
        self._devices = None if devices is None else identifiers(devices)
        self._series = series
        self._known = dict(titles(_named(devices) if names is None else names))
        self._length = window
        live = self._made()  # what cannot be is said before there is a panel
        super().__init__(css="iotnb-live", form=True)
        self._lock = threading.RLock()
        self._held, self._live = Held(self._known), live
        self._picture = self._held.picture(self._span(), zone=zone, words="", before=None)
        self._told, self._reason = 0, ""
        self._seen_at: float | None = None
        self._shown: tuple[Any, ...] = ()
        self._announced, self._unsaid = 0.0, 0
        self._arrange()
        self._begin(live)
        self.every(TICK, "_tick")

    def _arrange(self) -> None:
        self.pause_button = ipw.Button(description="Pause")
        self.resume_button = ipw.Button(description="Resume")
        self.stop_button = ipw.Button(description="Stop")
        self.windows = {
            text: ipw.ToggleButton(description=text, value=value == self._length)
            for text, value in WINDOWS.items()
        }
        self.pause_button.on_click(self.handler(lambda _: self.pause()))
        self.resume_button.on_click(self.handler(lambda _: self.resume()))
        self.stop_button.on_click(self.handler(lambda _: self.stop()))
        for text, button in self.windows.items():
            button.observe(self.handler(lambda change, text=text: self._choose(text, change["new"])), "value")
        label = ipw.HTML('<span class="iotnb-label">Show the last</span>')
        chosen = ipw.Box([label, *self.windows.values()]).add_class("iotnb-ranges")
        acts = ipw.Box([self.pause_button, self.resume_button, self.stop_button]).add_class("iotnb-ranges")
        self.leaf = LiveLeaf(layout=self.plain)
        self.leaf.on_msg(self.handler(self._receive))
        bar = ipw.Box([acts, chosen]).add_class("iotnb-livebar")
        self.children = (self._guard, bar, self.status, self.leaf)

    # -- for its user

    @property
    def live(self) -> Live:
        """The subscription behind the view: its lag, counts, gaps and notes."""
        return self._live

    @property
    def frame(self) -> pd.DataFrame:
        """The values that are held, at most those of the last hour: a table of `client.measurements()`."""
        return self._held.frame

    @property
    def happened(self) -> pd.DataFrame:
        """Alarms and operations as they came: time (UTC), what, state, device, text, identifier."""
        return self._held.table()

    @property
    def state(self) -> str:
        """connecting, live, silent, reconnecting, incomplete, behind, paused, stopped or failed."""
        return self._live.state

    def pause(self) -> None:
        """Stands still; what happens meanwhile is fetched at `resume()`."""
        self._live.pause()
        self._look()

    def resume(self) -> None:
        """Goes on; after a stop it begins anew."""
        with self._lock:
            if self._live.state in {"stopped", "failed"}:
                self._begin(self._made())
            else:
                self._live.resume()
        self._look()

    def stop(self) -> None:
        """Ends it: unsubscribes and ends its threads. What came stays."""
        self._end("")

    def close(self) -> None:
        """Stops, and ends the panel."""
        live: Live | None = self.__dict__.get("_live")
        if live is not None:
            live.stop()
        super().close()

    def code(self) -> str:
        """The same without a panel, for a script or another notebook."""
        told = {"devices": self._devices, "series": self._series, **self._asked}
        arguments = ", ".join(f"{name}={value!r}" for name, value in told.items() if value is not None)
        lines = ["import iotnb", "", f"with client.live({arguments}) as live:", "    for batch in live:"]
        return "\n".join([*lines, "        print(batch.verb, batch.arrived, batch.lag, len(batch.frame))"])

    def face(self) -> str:
        """The state, and how much came."""
        counts = ", ".join(f"{count:,} {verb}" for verb, count in self._live.counts.items())
        return f"{counts} ({self._live.state})"

    # -- beginning and ending

    def _made(self) -> Live:
        return self._client.live(self._devices, series=self._series, since=self._length, **self._asked)

    def _begin(self, live: Live) -> None:
        self._live = live.start()
        self._held = Held(self._known)
        self._told, self._reason, self._unsaid = 0, "", 0
        self._started = time.monotonic()
        self._seen_at = None
        if not self._known and "devices" in self._client.supports:
            self.work(self._learn)
        self._tell({"kind": "begin", "lacking": list(live.lacking.values())})
        self._look()

    def _learn(self, generation: int) -> None:
        """The names of the devices, where nobody gave them."""
        job = self._client.job("devices")
        while not job.done():
            if self.closed.wait(0.1):
                job.cancel()
        try:
            found = titles(job.result())
        except IotnbError:
            return  # what has no name is shown by its id
        if generation == self.generation:
            kept = None if self._devices is None else set(self._devices)
            self._known = {each: name for each, name in found.items() if kept is None or each in kept}
            self._held.names = dict(self._known)
            self._told = 0

    def _end(self, reason: str) -> None:
        self._reason = reason
        self._live.stop()
        self._look()

    def _choose(self, text: str, on: bool) -> None:
        """One window is chosen at a time; a longer one begins anew, to fetch what is missing."""
        others = [button for name, button in self.windows.items() if name != text]
        if not on:
            if not any(button.value for button in others):
                self.windows[text].value = True
            return
        longer = times.span(WINDOWS[text]) > times.span(self._length)
        self._length = WINDOWS[text]
        for button in others:
            button.value = False
        if longer and self._live.state not in {"stopped", "failed"}:
            paused = self._live.state == "paused"
            self._live.stop()
            with self._lock:
                self._begin(self._made())
            if paused:
                self._live.pause()
        self._draw(force=True)

    # -- the clock

    def _tick(self) -> None:
        """Twice a second: takes what has come and tells the page."""
        self._attend()
        with self._lock:
            came = self._live.take()
            changed = self._held.add(came, times.now())
            moving = self._live.state in {"live", "silent", "connecting", "reconnecting", "incomplete"}
            if changed or moving:
                self._draw()
            self._announce(came)
        self._look()

    def _attend(self) -> None:
        """Stops where nobody looks any longer, and goes on when somebody does again."""
        ended = self._live.state in {"stopped", "failed"}
        if self.seen:
            self._seen_at = time.monotonic()
            if self._reason == UNSEEN and ended:
                self.resume()
        elif self._seen_at is not None and time.monotonic() - self._seen_at > GRACE and not ended:
            self._end(UNSEEN)
        if (
            self._most is not None
            and not ended
            and time.monotonic() - self._started > self._most.total_seconds()
        ):
            self._end(f"It stopped by itself after {self._most.total_seconds() / 60:g} min (stop_after=).")

    def _span(self) -> tuple[Any, Any]:
        now = times.now()
        return now - times.span(self._length), now

    def _draw(self, *, force: bool = False) -> None:
        words = "Waiting for values ..." if self._live.state == "connecting" else "No values in this time."
        if "measurements" in self._live.lacking:
            words = self._live.lacking["measurements"]
        self._picture = self._held.picture(
            self._span(), zone=self._zone, words=words, before=None if force else self._picture
        )
        if self.seen:
            self._tell({"kind": "changed"})

    # -- the words

    def _look(self) -> None:
        """The state in words, the numbers, and which buttons make sense."""
        live, state = self._live, self._live.state
        tone, word = STATES[state]
        note = f"next attempt in {live.retry:.0f} s" if live.retry else ""
        self.say(tone, word, self._words(live, state), note=note)
        if state == "failed" and live.error is not None:
            self.explain(live.error)
        elif self.trouble is not None:
            self.explain()
        ended = state in {"stopped", "failed"}
        self.pause_button.disabled = ended or state == "paused"
        self.resume_button.disabled = not (ended or state == "paused")
        self.resume_button.description = "Start again" if ended else "Resume"
        self.stop_button.disabled = ended
        self._numbers(state)

    def _words(self, live: Live, state: str) -> str:
        where = f"{self._client.title} at {self._client.host}"
        if state in {"live", "silent"}:
            way = live.way if live.way.startswith("polling") else f"connected by {live.way}"
            text = f"{way[0].upper()}{way[1:]}: {where}."
        elif state == "connecting":
            text = f"{where}."
        elif state in {"reconnecting", "incomplete", "failed"} and live.error is not None:
            text = sentence(live.error)
        elif state == "paused":
            text = "What happens meanwhile is fetched when you resume."
        elif state == "behind":
            text = "More came than could be shown at once."
        else:
            text = self._reason or "What came stays. Start again begins anew."
        lacking = [f"{words}." for words in live.lacking.values()] if state in {"live", "silent"} else []
        return " ".join([text, *lacking, *live.notes])

    def _numbers(self, state: str) -> None:
        live, held = self._live, self._held
        lag = None if live.lag is None else round(live.lag.total_seconds(), 1)
        shown = (
            state,
            lag,
            tuple(live.counts.items()),
            len(held.frame),
            held.dropped,
            live.reconnects,
            held.left_out,
        )
        fresh = held.rows(self._told)[-TOLD:]
        if shown == self._shown and not fresh:
            return
        self._shown = shown
        if fresh:
            self._told = fresh[-1]["n"]
        self._tell({"kind": "numbers", **self._facts(), "rows": fresh})

    def _facts(self) -> dict[str, Any]:
        live, held = self._live, self._held
        drawn = f"The first {CURVES} series are drawn, {held.left_out} more are not." if held.left_out else ""
        dropped = f"{held.dropped:,} older values were let go." if held.dropped else ""
        return {
            "state": live.state,
            "lag": None if live.lag is None else live.lag.total_seconds(),
            "quiet": round(live.quiet, 1),
            "counts": live.counts,
            "held": len(held.frame),
            "outages": live.reconnects,
            "zone": self._zone,
            "remarks": " ".join(filter(None, (drawn, dropped))),
            "lacking": list(live.lacking.values()),
        }

    def _announce(self, came: list[Any]) -> None:
        """A sentence for screen readers about what came, now and then."""
        self._unsaid += sum(len(batch) for batch in came if batch.verb in {"alarms", "operations"})
        now = time.monotonic()
        if not self._unsaid or now - self._announced < ANNOUNCE:
            return
        last = self._held.rows()[-1]
        number = "1 is new" if self._unsaid == 1 else f"{self._unsaid} are new"
        words = " ".join(filter(None, (last["what"], last["state"], last["text"])))
        self._tell(
            {"kind": "said", "text": f"Alarms and operations: {number}. Last: {words}, {last['name']}."}
        )
        self._announced, self._unsaid = now, 0

    # -- the page

    def _tell(self, content: Mapping[str, Any], buffers: Sequence[bytes] | None = None) -> None:
        if not self.closed.is_set():
            self.leaf.send(dict(content), buffers=buffers)

    def _receive(self, _: Any, content: Mapping[str, Any], __: Any = None) -> None:
        if content.get("kind") == "window":
            self._tell(*self._picture.answer(content))
        elif content.get("kind") == "hello":
            self._tell({"kind": "numbers", **self._facts(), "rows": self._held.rows()[-TOLD:], "all": True})


UNSEEN: Final = "It stopped because no page shows it any longer."


def _named(devices: Any) -> pd.DataFrame | None:
    """The table of devices that was given, if it has names."""
    named = isinstance(devices, pd.DataFrame) and {"device", "name"} <= set(devices.columns)
    return devices if named else None


__all__ = ["LiveView", "Moving"]
