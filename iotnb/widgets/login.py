"""The login panel: a form over `iotnb.connect` for every platform, the local sandbox one click away."""

from __future__ import annotations

import asyncio
import contextlib
import html
import time
from collections.abc import Callable, Generator, Mapping
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import iotnb
from iotnb import auth, errors, profiles, times
from iotnb.auth import TokenAuth
from iotnb.errors import ConfigError
from iotnb.secret import Secret
from iotnb.widgets import outcome
from iotnb.widgets.form import AUTO, Form, is_code
from iotnb.widgets.leaves import collect
from iotnb.widgets.loginview import LoginView
from iotnb.widgets.panel import Tone, sentence

if TYPE_CHECKING:
    from iotnb.client import Client

SETTLE = 0.15  # seconds until the last key strokes of text fields have surely come from the page
UNSEEN = 5.0  # seconds after which waiting for a login in a panel that no page shows is given up

# What was typed in fields that are no secrets, by platform: running a cell again must not lose it.
_kept: dict[str, dict[str, str]] = {}


class LoginPanel(LoginView):
    """A form that logs in to a platform; `client` is the result.

    `platform` chooses the platform shown first, `profile` a stored connection, `sandbox` the local sandbox;
    further arguments fill fields that are no secrets. Secrets are typed into the page and never become part
    of the notebook. `await panel` waits for the login (ipykernel 7 or newer).
    """

    def __init__(
        self,
        platform: str | None = None,
        *,
        profile: str | None = None,
        sandbox: bool = False,
        clock: Callable[[], datetime] = times.now,
        **fields: str,
    ) -> None:
        super().__init__(platform, profile=profile, sandbox=sandbox)
        self._clock = clock
        self._client: Client | None = None
        self._held: dict[str, Secret] = {}
        self._state = "logged_out"
        self._since = self._until = 0.0
        self._given = {name: str(value) for name, value in fields.items()}
        self._wire()
        self._switch_platform(profile)
        self._check_given(fields)
        self.say("idle", "Logged out")
        self.every(1.0, "tick")

    # -- results

    @property
    def state(self) -> str:
        """The state of the login, one word.

        One of logged_out, missing, checking, logged_in, renewing, expired, refused, forbidden, second_factor,
        unreachable, rate_limited, cancelled, error.
        """
        return self._state

    @property
    def client(self) -> Client:
        """The client of the login; ConfigError while there is none."""
        if self._client is None:
            raise ConfigError(
                f"nobody is logged in yet (the panel says: {self.status.word}): press Log in in the panel, "
                "or use iotnb.connect() in a script"
            )
        return self._client

    async def ready(self, timeout: float | None = None) -> Client:
        """Waits for the login and returns the client; TimeoutError after `timeout` seconds.

        Raises ConfigError where waiting would be for ever: without a page that shows the panel, and with an
        ipykernel that serves no clicks while a cell waits.
        """
        began = time.monotonic()
        while self._client is None:
            waited = time.monotonic() - began
            if timeout is not None and waited > timeout:
                raise TimeoutError(f"nobody logged in within {timeout:g} s")
            if self.closed.is_set():
                raise ConfigError("this login panel was closed: make a new one")
            if self._state != "checking":
                if not _serves_clicks():
                    raise ConfigError(
                        "this kernel (ipykernel 6) serves no clicks while a cell waits: log in first, "
                        "then run this cell"
                    )
                if waited > UNSEEN and not self.seen:
                    raise ConfigError(outcome.unattended(self.name))
            await asyncio.sleep(0.05)
        return self._client

    def __await__(self) -> Generator[Any, None, Client]:
        return self.ready().__await__()

    # -- the form

    def _wire(self) -> None:
        self.platform.observe(self.handler(lambda _: self._switch_platform(None)), "value")
        self.profile.observe(self.handler(lambda _: self._fill()), "value")
        for switch in (self.sandbox, self.options, self.verify):
            switch.observe(self.handler(lambda _: self._draw()), "value")
        self.login.on_click(self.handler(lambda _: self.submit()))
        self.cancel.on_click(self.handler(lambda _: self.stop()))
        self.logout.on_click(self.handler(lambda _: self.leave()))
        self.save.on_click(self.handler(lambda _: self.save_profile()))
        self.forget.on_click(self.handler(lambda _: self.forget_secrets()))
        self.options.observe(self.handler(lambda _: self._look_for_keyring()), "value")
        self.ca_file.on_msg(self._on_enter(self.submit))
        self.save_name.on_msg(self._on_enter(self.save_profile))

    def _on_enter(self, act: Callable[[], None]) -> Callable[..., None]:
        def entered(_: Any, content: Mapping[str, Any], __: Any = None) -> None:
            if content.get("event") == "submit":
                act()

        return self.handler(entered)

    def _switch_platform(self, profile: str | None) -> None:
        """Builds the form of the chosen platform; a login under way is given up."""
        if self._state == "checking":
            self.stop()
        fields, methods = iotnb.platform_fields(self.name)
        self._held.clear()
        self.form = Form(fields, methods, submit=self.handler(self.submit), typed=self._typed)
        self.form.method.observe(self.handler(lambda _: self._switch_method()), "value")
        self.list_profiles(profile or "")
        self._fill()

    def _switch_method(self) -> None:
        self.form.arrange()
        self._draw()

    def _fill(self) -> None:
        """Puts what environment, keyring and profile know into the form, and what was typed before."""
        kept = {} if self.chosen_profile else _kept.get(self.name, {})
        self.form.fill(iotnb.resolve(self.name, profile=self.chosen_profile), {**kept, **self._given})
        self._draw()

    def _check_given(self, fields: Mapping[str, str]) -> None:
        for name in fields:
            if name in self.form.secrets:
                self.close()
                raise ConfigError(
                    f"{name} is a secret: it is typed into the panel, not written into a cell; "
                    "or use iotnb.connect() with the environment or a keyring"
                )
            if name not in self.form.inputs:
                self.close()
                raise ConfigError(f"{self.name} has no field {name!r}: use {', '.join(self.form.inputs)}")

    def _typed(self) -> None:
        _kept[self.name] = self.form.entered()
        self.draw_sent(self._client)

    def _look_for_keyring(self) -> None:
        if self.options.value and not self.keyring.value:
            self.aside(self.tell_keyring)

    def save_profile(self) -> None:
        """Stores what is no secret as a profile, and the secrets in the keyring where that is asked for."""
        name, path = self.store_profile()
        if not self.keep.value:
            self._saved(name, f"Saved without secrets: {path}")
            return
        self.aside(self._keep, name, path)

    def _keep(self, name: str, path: str) -> None:
        """Puts the secrets that are typed into the keyring, as those of a profile; on a worker thread."""
        secrets, late = self._collect()
        self._held |= secrets  # the page has handed them over: the next login need not ask again
        wanted = {field: value for field, value in secrets.items() if not is_code(field)}
        for field, value in wanted.items():
            profiles.keep(self.name, name=field, secret=value, profile=name)
        labels = ", ".join(self.form.fields[field].label for field in wanted)
        lost = " The page did not hand over all of them: save again." if late else ""
        kept = f"in the keyring: {labels}." if labels else "no secret was typed."
        self._saved(name, f"Saved: {path}; {kept}{lost}")

    def _saved(self, name: str, words: str) -> None:
        self.list_profiles(name)
        self._fill()
        self.note.value = html.escape(words)

    def forget_secrets(self) -> None:
        """Removes the secrets of the chosen profile, or those without one, from the keyring."""

        def forget() -> None:
            gone = profiles.forget(
                self.name, fields=list(self.form.fields.values()), profile=self.chosen_profile
            )
            self._fill()
            labels = ", ".join(self.form.fields[name].label for name in gone)
            self.note.value = html.escape(f"Forgotten: {labels}." if gone else "The keyring held none.")

        self.aside(forget)

    # -- logging in and out

    def submit(self, name: str = "", value: Secret | None = None) -> None:
        """What Log in and Enter do; returns at once. At Enter, `name` and `value` are the field's."""
        if self._state == "checking" or self._client is not None:
            return
        self.explain()
        self.form.lacking([])
        self.note.value = ""
        if name and value:
            self._held[name] = value
        where = "Starting the local sandbox" if self.sandbox.value else f"Asking {self.titles[self.name]}"
        self._enter("checking", "busy", "Checking", f"{where} ...")
        self.work(self._attempt)

    def stop(self) -> None:
        """What Cancel does: gives up the login under way; a late success is dropped."""
        self.renew()
        self._held.clear()
        self.form.arrange()
        self.draw_todo("")
        self._enter("cancelled", "idle", "Cancelled", "Nobody is logged in.")

    def leave(self) -> None:
        """What Log out does: ends the login on the server and forgets the secrets."""
        client, self._client = self._client, None
        self._held.clear()
        self._enter("logged_out", "idle", "Logged out", "Ending the login ...")

        def end(generation: int) -> None:
            if client is not None:
                client.logout()
            if generation == self.generation:
                self.say("idle", "Logged out", "The login has been ended.")

        self.work(end)

    def _attempt(self, generation: int) -> None:
        """Collects what was typed and logs in; on a worker thread."""
        secrets: dict[str, Secret] = {}
        try:
            if not self.sandbox.value:
                secrets, late = self._collect()
                if generation != self.generation:
                    return
                self._held = dict(secrets)
                if self._missing(secrets, late):
                    return
            with auth.witnessed(self._witness(generation)):
                client = self._connect(secrets)
        except Exception as error:  # noqa: BLE001  # every failure is a state of the panel
            if generation == self.generation:
                self.draw_todo("")
                self._failed(error, secrets)
            return
        if generation != self.generation or self.closed.is_set():
            with contextlib.suppress(errors.IotnbError):
                client.logout()
            return
        self._arrived(client)

    def _witness(self, generation: int) -> auth.Witness:
        """Follows a login: counts its requests, shows what a person has to do, and ends it after Cancel."""
        count = 0

        def sent(method: str, path: str) -> None:
            nonlocal count
            if generation != self.generation or self.closed.is_set():
                raise errors.Stopped("this login was cancelled")
            count += 1
            self.say("busy", "Checking", f"Request {count}: {method} {path}", note=self.status.note)

        def say(message: str) -> None:
            if generation == self.generation:
                self.draw_todo(message)

        return auth.Witness(sent=sent, say=say)

    def _collect(self) -> tuple[dict[str, Secret], list[str]]:
        """The secrets that were typed, and the names of those that the page did not hand over in time."""
        form, secrets = self.form, dict(self._held)
        time.sleep(SETTLE)
        asked = {name: form.secrets[name] for name in form.shown if name in form.secrets}
        typed = [name for name, field in asked.items() if field.filled]
        secrets |= collect(asked)
        return secrets, [name for name in typed if name not in secrets]

    def _connect(self, secrets: Mapping[str, Secret]) -> Client:
        if self.sandbox.value:
            return iotnb.connect(self.name, sandbox=True)
        given: dict[str, Any] = {**self.connect_options(), **self.form.values(), **secrets}
        return iotnb.connect(self.name, **given)

    def _missing(self, secrets: Mapping[str, Secret], late: list[str]) -> bool:
        """Whether a needed field has no value from anywhere; then it is named and gets the focus."""
        form = self.form
        if late:
            labels = ", ".join(form.fields[name].label for name in late)
            words = f"The page did not hand over {labels} in time; a cell may be running. Press Log in again."
            self._enter("missing", "warn", "Try again", words)
            return True
        known = {**form.resolved.values, **form.values(), **secrets}
        usable = form.methods if form.method.value == AUTO else [form.chosen]
        if any(all(known.get(name) for name in method.needs) for method in usable):
            return False
        self._lack([name for name in form.chosen.needs if not known.get(name)])
        return True

    def _lack(self, names: list[str]) -> None:
        labels = ", ".join(self.form.fields[name].label for name in names if name in self.form.fields)
        unseen = any(name in self.form.secrets for name in names) and not self.seen
        words = f"Missing: {labels}." + (f"\n{outcome.unattended(self.name)}" if unseen else "")
        self._enter("missing", "warn", "Missing", words)
        self.form.lacking(names)

    def _arrived(self, client: Client) -> None:
        self._client = client
        self._held.clear()
        self.draw_todo("")
        self.form.wipe()
        self.form.arrange()
        self._enter("logged_in", "good", "Logged in", _where(client))
        self.tick()

    def _failed(self, error: Exception, secrets: Mapping[str, Secret]) -> None:
        """Turns a failure into a state; secrets are kept only where trying again with them makes sense."""
        if isinstance(error, errors.MissingFields):
            self._held.clear()
            self._lack(list(error.fields))
            return
        known = list(secrets.values())
        found = outcome.of(error, fields=_identity(self.form), secrets=known)
        if not found.keep:
            self._held.clear()
        self._until = time.monotonic() + found.pause
        code_only = found.state == "second_factor"
        if code_only:  # a code serves once
            self._held = {name: value for name, value in self._held.items() if not is_code(name)}
        self.form.arrange(code_only=code_only)
        self._enter(found.state, found.tone, found.word, found.text)
        if found.detailed:
            self.explain(error, secrets=known)
        if found.state in {"refused", "second_factor"}:
            self.form.refuse(found.fields)

    # -- time

    def tick(self) -> None:
        """Looks at the clock: how long a login lasts, whether it has expired, when to try again."""
        if self._state == "checking":
            waited = int(time.monotonic() - self._since)
            self._note(f"{waited} s" if waited >= 2 else "")
        elif self._state == "rate_limited":
            left = int(self._until - time.monotonic()) + 1
            self._note(f"in {left} s" if left > 0 else "now")
        elif self._client is not None:
            self._watch(self._client)

    def _watch(self, client: Client) -> None:
        if not client.logged_in:
            self._client = None
            self._enter("logged_out", "idle", "Logged out", "This client was logged out.")
            return
        renewing = client.session.auth
        if isinstance(renewing, TokenAuth) and renewing.failure is not None:
            self._expire(client, f"It could not be renewed: {sentence(renewing.failure)}")
        elif isinstance(renewing, TokenAuth) and renewing.renewing:
            self._renewing(client, "A new token is asked for; what runs goes on.")
        elif client.expires is not None:
            self._count_down(client, client.expires)

    def _count_down(self, client: Client, end: datetime) -> None:
        left = (end - self._clock()).total_seconds()
        renews = isinstance(client.session.auth, TokenAuth)
        if left > 0:
            if self._state != "logged_in":
                self._enter("logged_in", "good", "Logged in", _where(client))
            self._note(f"expires in {outcome.span(left)}" + (", renews itself" if renews else ""))
        elif renews:
            self._renewing(client, "The next request renews the login.")
        else:
            self._expire(client, "It cannot renew itself: log in again.")

    def _renewing(self, client: Client, words: str) -> None:
        if self._state != "renewing":
            self._enter("renewing", "busy", "Renewing", f"{_where(client)} {words}")

    def _expire(self, client: Client, why: str) -> None:
        self._client = None
        at = f" at {client.expires:%Y-%m-%d %H:%M} UTC" if client.expires else ""
        job = client.last_job
        ended = f" {job.label}() was under way." if job is not None and not job.done() else ""
        self._enter("expired", "warn", "Expired", f"The login ended{at}. {why}{ended}")

    def _note(self, text: str) -> None:
        if self.status.note != text:
            self.status.note = text

    # -- drawing

    def _enter(self, state: str, tone: Tone, word: str, text: str) -> None:
        self._state = state
        self._since = time.monotonic()
        self.say(tone, word, text)
        self._draw()

    def _draw(self) -> None:
        for name, leaf in self.form.secrets.items():
            leaf.placeholder = "kept for the next try; type to replace it" if name in self._held else ""
        self.draw(self._state, self._client)

    def face(self) -> str:
        """Platform and state, without the value of any field."""
        return f"{self.titles[self.name]}: {self.status.word or 'Logged out'}"

    def close(self) -> None:
        """Ends the panel; a client that was handed out goes on living."""
        self.__dict__.get("_held", {}).clear()
        super().close()


def forget() -> None:
    """Forgets what was typed into the fields of login panels of this kernel."""
    _kept.clear()


def _where(client: Client) -> str:
    return f"as {client.user or 'an unnamed user'} on {client.host}."


def _identity(form: Form) -> list[auth.Field]:
    """The fields that say who logs in: those that are needed but no address, and secrets that were given."""
    named = [name for name in form.chosen.needs if not name.endswith("url")]
    return [form.fields[name] for name in named]


def _serves_clicks() -> bool:
    """Whether this kernel handles messages of widgets while a cell awaits."""
    try:
        return int(version("ipykernel").split(".")[0]) >= 7
    except PackageNotFoundError:
        return True
