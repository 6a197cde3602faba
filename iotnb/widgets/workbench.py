"""The workbench: login, devices, measurements, operations and a live view as tabs that know each other."""

from __future__ import annotations

import html
import threading
from typing import TYPE_CHECKING, Any, Final

import ipywidgets as ipw

from iotnb import frames
from iotnb.widgets.devices import DevicePicker
from iotnb.widgets.explorer import MeasurementExplorer
from iotnb.widgets.leaves import DeskGuard
from iotnb.widgets.live import LiveView
from iotnb.widgets.login import LoginPanel
from iotnb.widgets.operations import OperationTimeline
from iotnb.widgets.panel import Panel

if TYPE_CHECKING:
    import pandas as pd

    from iotnb.client import Client

INSIDE: Final = frozenset({"logged_in", "renewing"})
LOGIN, DEVICES, MEASUREMENTS, OPERATIONS, LIVE, CODE = range(6)
TITLES: Final = ("Log in", "Devices", "Measurements", "Operations", "Live", "Code")
NEXT: Final = {
    LOGIN: "Choose a platform and press Log in. The local sandbox needs no account.",
    DEVICES: "Choose devices: click rows, or search and press Space. Then open Measurements or Operations.",
    MEASUREMENTS: "Choose series at the left and press Load. Without chosen devices all are offered.",
    OPERATIONS: "What was sent to the chosen devices in the last 30 days; without a choice, to all.",
    LIVE: "What arrives now. It stops when another tab is opened.",
    CODE: "The same as Python, for a cell or a script.",
}
LOCKED: Final = '<p class="iotnb-locked">Log in first: this tab opens then.</p>'


class Workbench(Panel):
    """All panels in one: log in, choose devices, then their measurements, operations and what arrives now.

    The arguments are those of `LoginPanel`. A login fills the other tabs, a choice of devices is what they
    show; logging out empties them. The panels are `login`, `picker`, `explorer`, `timeline` and `live`: None
    until their tab has been opened. `client`, `selection` and `code()` carry on in a cell.
    """

    title = "Workbench"

    def __init__(
        self, platform: str | None = None, *, profile: str | None = None, sandbox: bool = False, **fields: Any
    ) -> None:
        super().__init__(css="iotnb-desk")
        self._guard.close()
        self._guard = DeskGuard(layout=self.plain)
        self.login = LoginPanel(platform, profile=profile, sandbox=sandbox, **fields)
        self.picker: DevicePicker | None = None
        self.explorer: MeasurementExplorer | None = None
        self.timeline: OperationTimeline | None = None
        self.live: LiveView | None = None
        self._client: Client | None = None
        self._shown: dict[int, list[str]] = {}  # tab -> the devices that its panel was made for
        self._lock = threading.RLock()
        self._pages = [ipw.VBox([self.login]), *(ipw.VBox([ipw.HTML(LOCKED)]) for _ in TITLES[1:])]
        self.tabs = ipw.Tab(self._pages, titles=TITLES, selected_index=LOGIN)
        self.login.status.observe(self.handler(lambda _: self._follow()), "word")
        self.tabs.observe(self.handler(lambda _: self.aside(self._open)), "selected_index")
        self.compose(self.tabs)
        self._guide()

    # -- results

    @property
    def client(self) -> Client | None:
        """The client of the login; None while nobody is logged in."""
        return self._client

    @property
    def selection(self) -> pd.DataFrame:
        """The chosen devices: rows of `client.devices()`; empty before a choice."""
        return frames.empty("devices") if self.picker is None else self.picker.selection

    def code(self) -> str:
        """What the tabs show, as code: the login, the choice, the loads."""
        parts = [self.login.code()]
        parts += [self.picker.code()] if self.picker is not None else []
        if self.explorer is not None and len(self.explorer.frame):
            parts.append(self.explorer.code())
        parts += [self.timeline.code()] if self.timeline is not None else []
        bodies = [part.removeprefix("import iotnb").strip("\n") for part in parts]
        return "\n\n".join(["import iotnb", *bodies])

    def close(self) -> None:
        """Ends the workbench and its panels; the client stays logged in."""
        if "login" in self.__dict__:
            self.login.status.unobserve_all()
        super().close()

    def face(self) -> str:
        """Whether somebody is logged in, and how many devices are chosen."""
        count = 0 if self.picker is None else self.picker.selected
        return f"{self.login.status.word}, {count:,} devices chosen"

    # -- following

    def _follow(self) -> None:
        """Looks whether the login is another one now; called on the login's thread, which must not wait."""
        now = self.login.client if self.login.state in INSIDE else None
        ended = self.login.state == "logged_out"  # an expired login keeps what it loaded on the screen
        if now is not self._client and (now is not None or ended):
            before, self._client = self._client, now
            self.aside(self._begin, before, now)

    def _begin(self, before: Client | None, client: Client | None) -> None:
        """Empties the tabs and fills them for another client; the choice of devices stays on one platform."""
        with self._lock:
            kept = self.picker.ids if self.picker is not None else []
            self._drop(*range(DEVICES, CODE + 1))
            if client is not self._client:  # yet another login came meanwhile
                return
            if client is None:
                self.tabs.selected_index = LOGIN
                self._count()
                return
            self.picker = DevicePicker(client)
            if before is not None and before.platform == client.platform:
                self.picker.select(kept)
            self.picker.observe(self.handler(lambda _: self._count()), "selected")
            self._pages[DEVICES].children = (self.picker,)
            self._count()
            if self.tabs.selected_index == LOGIN:
                self.tabs.selected_index = DEVICES
            else:
                self._open()

    def _open(self) -> None:
        """Fills the tab that is shown, if the choice of devices is another than when it was filled."""
        with self._lock:
            tab = self.tabs.selected_index
            self._guide()
            if tab != LIVE and self.live is not None:
                self._drop(LIVE)
            if self._client is None or self.picker is None or tab in {LOGIN, DEVICES, None}:
                return
            if tab == CODE:
                text = html.escape(self.code())
                self._put(CODE, ipw.HTML(f'<pre class="iotnb-code" tabindex="0">{text}</pre>'))
            elif self._shown.get(tab) != self.picker.ids:
                self._drop(tab)
                self._shown[tab] = self.picker.ids
                self._put(tab, self._make(tab, self._client))

    def _make(self, tab: int, client: Client) -> Panel:
        chosen = self.selection if len(self.selection) else None
        if tab == MEASUREMENTS:
            self.explorer = MeasurementExplorer(client, chosen)
            return self.explorer
        if tab == OPERATIONS:
            names = self.picker.devices if self.picker is not None and len(self.picker.devices) else None
            self.timeline = OperationTimeline(client, chosen, names=names)
            return self.timeline
        self.live = LiveView(client, chosen)
        return self.live

    def _put(self, tab: int, widget: ipw.Widget) -> None:
        gone = self._pages[tab].children
        self._pages[tab].children = (widget,)
        for each in gone:
            each.close()

    def _drop(self, *tabs: int) -> None:
        """Closes the panels of some tabs."""
        names = {DEVICES: "picker", MEASUREMENTS: "explorer", OPERATIONS: "timeline", LIVE: "live"}
        for tab in tabs:
            self._shown.pop(tab, None)
            if tab in names:
                setattr(self, names[tab], None)
            self._put(tab, ipw.HTML(LOCKED if self._client is None else ""))

    # -- words

    def _count(self) -> None:
        count = 0 if self.picker is None else self.picker.selected
        title = f"{TITLES[DEVICES]} ({count:,})" if count else TITLES[DEVICES]
        if self.tabs.titles[DEVICES] != title:
            self.tabs.set_title(DEVICES, title)

    def _guide(self) -> None:
        tab = self.tabs.selected_index or LOGIN
        words = NEXT[tab] if self._client is not None else NEXT[LOGIN]
        if self._client is not None and tab == LOGIN:
            words = "The other tabs are open."
        self.say("idle", "Next", words)
