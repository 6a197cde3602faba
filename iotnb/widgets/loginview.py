"""What the login panel looks like: its widgets, and which of them are shown in which state."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import ipywidgets as ipw

import iotnb
from iotnb import profiles
from iotnb.auth import CA_FILE
from iotnb.errors import ConfigError
from iotnb.secret import MASK
from iotnb.widgets.choices import ChoiceReport
from iotnb.widgets.form import Form
from iotnb.widgets.panel import Panel

if TYPE_CHECKING:
    from iotnb.client import Client

NO_PROFILE = "(none)"
UNCHECKED = "The server's certificate is not checked: anybody on the way can read and change the traffic."


class LoginView(Panel):
    """The widgets of the login panel; `LoginPanel` gives them their behaviour."""

    title = "Log in"
    form: Form

    def __init__(self, platform: str | None, *, profile: str | None, sandbox: bool) -> None:
        titles: dict[str, str] = iotnb.platform_names()
        if platform is None and profile is not None:
            platform = profiles.load(profile).platform
        if platform is not None and platform not in titles:
            raise ConfigError(f"there is no platform {platform!r}: use one of {', '.join(titles)}")
        super().__init__(css="iotnb-login", form=True)
        self.titles = titles
        options = [(title, name) for name, title in titles.items()]
        chosen = platform or options[0][1]
        self.platform = ipw.Dropdown(description="Platform", options=options, value=chosen)
        self.profile = ipw.Dropdown(description="Profile", options=[NO_PROFILE])
        self.sandbox = ipw.Checkbox(
            description="Use the local sandbox: nothing to type, nothing leaves this machine",
            indent=False,
            value=sandbox,
        )
        self.ca_file = ipw.Text(
            description="CA file (PEM)", placeholder="for a server with its own certificate"
        )
        self.verify = ipw.Checkbox(
            description="Check the server's certificate (TLS)", indent=False, value=True
        )
        self.save_name = ipw.Text(description="Save as profile, without secrets", placeholder="plant-a")
        self.save = ipw.Button(description="Save profile")
        self.keep = ipw.Checkbox(
            description="Keep the secrets too, in this machine's keyring", indent=False, value=False
        )
        self.keyring = ipw.HTML()
        self.forget = ipw.Button(description="Forget the kept secrets")
        self.options = ipw.ToggleButton(description="More options")
        self.login = ipw.Button(description="Log in", button_style="primary")
        self.cancel, self.logout = ipw.Button(description="Cancel"), ipw.Button(description="Log out")
        self.warning, self.note, self.facts, self.sent = ipw.HTML(), ipw.HTML(), ipw.HTML(), ipw.HTML()
        self.heading, self.todo = ipw.HTML(), ipw.HTML()
        self.granted: ChoiceReport | None = None
        self._arrange()

    def _arrange(self) -> None:
        for field in (self.platform, self.profile, self.ca_file, self.save_name):
            field.add_class("iotnb-field")
        for switch in (self.sandbox, self.verify, self.keep):
            switch.add_class("iotnb-switch")
        self.sandbox.add_class("iotnb-callout")
        self.ca_file.add_class("iotnb-wide")
        self.warning.add_class("iotnb-warning")
        self.note.add_class("iotnb-hint")
        self.keyring.add_class("iotnb-hint").add_class("iotnb-below")
        self.todo.add_class("iotnb-todo")
        self._saving = ipw.Box([self.save_name, self.save]).add_class("iotnb-saving")
        self._slot, self._rare, self._came = ipw.VBox(), ipw.VBox(), ipw.VBox()
        self.compose(
            self.heading,
            self.warning,
            ipw.Box([self.platform, self.profile]).add_class("iotnb-row2"),
            self.sandbox,
            self._slot,
            self._rare,
            self.facts,
            self._came,
            self.todo,
            ipw.Box([self.login, self.cancel, self.logout, self.options, self.forget]).add_class(
                "iotnb-actions"
            ),
            self.note,
        )
        self.children = (*self.children, self.sent)
        self.draw_todo("")

    @property
    def name(self) -> str:
        """The name of the chosen platform."""
        return str(self.platform.value)

    @property
    def chosen_profile(self) -> str | None:
        """The name of the chosen profile."""
        return None if self.profile.value == NO_PROFILE else str(self.profile.value)

    def connect_options(self) -> dict[str, Any]:
        """The arguments of `connect` beside the fields."""
        chosen: dict[str, Any] = {}
        if self.chosen_profile:
            chosen["profile"] = self.chosen_profile
        if self.ca_file.value.strip():
            chosen["ca_file"] = self.ca_file.value.strip()
        if not self.verify.value:
            chosen["verify"] = False
        return chosen

    def code(self) -> str:
        """The same login as code; secrets are left to the environment, the keyring or an argument."""
        if self.sandbox.value:
            return f"client = iotnb.connect({self.name!r}, sandbox=True)"
        given = {**self.connect_options(), **self.form.values()}
        arguments = [repr(self.name), *(f"{name}={value!r}" for name, value in given.items())]
        return f"client = iotnb.connect({', '.join(arguments)})"

    def list_profiles(self, chosen: str | None = None) -> None:
        """Offers the stored profiles of the chosen platform."""
        names = [name for name in profiles.names() if _platform_of(name) == self.name]
        if self.profile.options != (NO_PROFILE, *names):
            self.profile.options = (NO_PROFILE, *names)
        if chosen is not None:
            self.profile.value = chosen if chosen in names else NO_PROFILE

    def store_profile(self) -> tuple[str, str]:
        """Stores the fields that are no secrets under the name that was typed; returns name and path."""
        name = self.save_name.value.strip()
        values = {**self.form.entered(), **self.form.values(), "ca_file": self.ca_file.value.strip()}
        fields = (*self.form.fields.values(), CA_FILE)
        path = profiles.save(name, platform=self.name, fields=fields, values=values)
        return name, str(path)

    def tell_keyring(self) -> None:
        """Says whether secrets can be kept here, and why not; looks for a keyring, which takes a moment."""
        status = profiles.keyring_status()
        self.keep.disabled = not status.available
        words = f"By {status.name}." if status.available else f"No keyring here: {status.reason}."
        self.keyring.value = html.escape(words)

    def draw(self, state: str, client: Client | None) -> None:
        """Shows what belongs to a state and hides the rest."""
        inside, busy, sandbox = client is not None, state == "checking", bool(self.sandbox.value)
        form = not inside and not sandbox
        code = state == "second_factor"
        show(self.platform, not inside)
        show(self.profile, form and len(self.profile.options) > 1)
        show(self.sandbox, not inside and not code)
        show(self.options, form and not code)
        show(self.login, not inside)
        show(self.cancel, busy or state in {"second_factor", "rate_limited"})
        show(self.logout, inside)
        show(self.facts, inside)
        show(self.forget, not inside and not busy and "keyring" in self.form.resolved.sources.values())
        self.draw_granted(client)
        self._slot.children = (self.form.box,) if form else ()
        rare = form and not code and self.options.value
        self._rare.children = (
            (self.form.more, self.ca_file, self.verify, self._saving, self.keep, self.keyring) if rare else ()
        )
        for widget in (self.login, self.platform, self.profile, self.sandbox, self.save):
            widget.disabled = busy
        self.form.enable(not busy)
        unchecked = (client.session.settings.verify is False) if client else form and not self.verify.value
        self.warning.value = UNCHECKED if unchecked else ""
        show(self.warning, unchecked)
        title = html.escape(client.title if client is not None else "Log in")
        self.heading.value = f'<div class="iotnb-title">{title}</div>'
        self.facts.value = table(_facts(client)) if client is not None else ""
        self.draw_sent(client)

    def draw_granted(self, client: Client | None) -> None:
        """Shows what came of the scopes that were asked for, where the platform has scopes."""
        if client is None or client.scopes is None:
            if self.granted is not None:
                self._came.children, self.granted = (), None
        elif self.granted is None:
            report = ChoiceReport(lambda: client.scopes, label="Scopes", hint="Log out to ask for others.")
            self._came.children, self.granted = (report,), report

    def draw_todo(self, text: str) -> None:
        """What a person has to do elsewhere, such as to enter a code; written once, its address is a link."""
        value = f"<div>{linked(text)}</div>" if text else ""
        if self.todo.value != value:
            self.todo.value = value
        show(self.todo, bool(text))

    def draw_sent(self, client: Client | None) -> None:
        """Writes what is sent: before the login what would be, then the exchanges; secrets blanked."""
        if client is not None:
            from iotnb.widgets import exchanges  # what it loads would keep the empty form waiting

            body = exchanges.to_html(client.exchanges)
        else:
            body = f'<pre tabindex="0">{html.escape(self.code())}</pre>'
            body += "" if self.sandbox.value else table(self._origins())
        tense = "is" if client is None else "was"
        value = f"<details><summary>What {tense} sent</summary>{body}</details>"
        if self.sent.value != value:
            self.sent.value = value

    def _origins(self) -> dict[str, str]:
        """Field by field, the value that is no secret, and where it comes from."""
        typed, known, rows = self.form.values(), self.form.resolved.sources, {}
        for name in self.form.active:
            secret, source = name in self.form.secrets, known.get(name, "")
            if name in typed:
                rows[self.form.fields[name].label] = f"{typed[name]} (typed here)"
            elif source and source != "default":
                shown = MASK if secret else self.form.known(name)
                rows[self.form.fields[name].label] = f"{shown} (from {source})"
            elif secret:
                rows[self.form.fields[name].label] = f"{MASK} (typed here, never shown)"
        return rows


def table(facts: Mapping[str, str]) -> str:
    """Names and values as an HTML table."""
    rows = "".join(
        f'<tr><th scope="row">{html.escape(name)}</th><td>{html.escape(str(value))}</td></tr>'
        for name, value in facts.items()
    )
    return f'<table class="iotnb-facts">{rows}</table>' if rows else ""


def linked(text: str) -> str:
    """A text as HTML in which web addresses are links."""
    parts = re.split(r"(https?://[^\s<>\"']*[^\s<>\"'.,;:!?)])", text)
    link = '<a href="{0}" target="_blank" rel="noopener noreferrer">{0}</a>'
    return "".join(
        link.format(html.escape(part)) if at % 2 else html.escape(part) for at, part in enumerate(parts)
    )


def _facts(client: Client) -> dict[str, str]:
    return {name: value for name, value in client.facts().items() if name not in {"platform", "warning"}}


def show(widget: ipw.Widget, on: bool) -> None:
    """Shows or hides a widget."""
    display = None if on else "none"
    if widget.layout.display != display:
        widget.layout.display = display


def _platform_of(profile: str) -> str:
    """The platform of a profile; empty when the profile cannot be read."""
    try:
        return profiles.load(profile).platform
    except ConfigError:
        return ""
