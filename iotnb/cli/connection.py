"""The options that say where to log in, and the login itself."""

import functools
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

import iotnb
from iotnb import profiles
from iotnb.cli.base import State

if TYPE_CHECKING:  # they bring pandas, and --help must not wait for that
    from iotnb.client import Client
    from iotnb.jobs import Progress

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.argument("platform", required=False),
    click.option("--platform", "platform_option", metavar="NAME", help="The platform, e.g. cumulocity."),
    click.option("--profile", metavar="NAME", help="A saved connection (see 'iotnb profiles')."),
    click.option("--sandbox", is_flag=True, help="Log in to the sandbox; one is started when none runs."),
    click.option(
        "--field",
        "fields",
        multiple=True,
        metavar="NAME=VALUE",
        help="A login field; no secrets, they come from the environment or the keyring.",
    ),
    click.option("--ca-file", type=click.Path(dir_okay=False), help="The server's authority, a PEM file."),
    click.option("--insecure", is_flag=True, help="Do not check the server's certificate."),
    click.option(
        "--retries",
        type=click.IntRange(0),
        default=5,
        show_default=True,
        help="How often a failed read is tried again.",
    ),
    click.option("--rate", type=float, help="At most so many requests a second."),
    click.option(
        "--workers", type=click.IntRange(1, 64), default=8, show_default=True, help="Requests at once."
    ),
)


@dataclass(frozen=True)
class Login:
    """Where to log in, as the options say it."""

    platform: str
    profile: str | None
    sandbox: bool
    fields: dict[str, Any]
    settings: dict[str, Any]

    @contextmanager
    def client(self, state: State) -> "Iterator[Client]":
        """Logs in, shows progress while the block runs, and closes the connections."""
        if self.settings.get("verify") is False:
            click.echo("iotnb: warning: the server's certificate is not checked", err=True)
        client = iotnb.connect(
            self.platform, profile=self.profile, sandbox=self.sandbox, **self.settings, **self.fields
        )
        state.client = client
        bar = Bar()
        client.on_progress = bar.show
        try:
            with client:
                yield client
        finally:
            bar.clear()


class Bar:
    """Progress in one line of standard error, when that is a terminal."""

    def __init__(self) -> None:
        self._stream = sys.stderr if sys.stderr.isatty() else None
        self._next = 0.0
        self._lock = threading.Lock()  # workers report from their own threads

    def show(self, progress: "Progress") -> None:
        """Draws the line anew, ten times a second at most."""
        if self._stream is None:
            return
        with self._lock:
            if time.monotonic() >= self._next:
                self._next = time.monotonic() + 0.1
                width = shutil.get_terminal_size().columns - 1
                self._stream.write(f"\r\x1b[K{progress.text()[:width]}")
                self._stream.flush()

    def clear(self) -> None:
        """Takes the line away, so that the result stands alone."""
        if self._stream is not None:
            with self._lock:
                self._next = float("inf")
                self._stream.write("\r\x1b[K")
                self._stream.flush()


def connecting(command: F) -> F:
    """Gives a command the options of a login; it is called with `login=Login(...)` in their place."""

    @functools.wraps(command)
    def wrapped(
        *args: Any,
        platform: str | None,
        platform_option: str | None,
        profile: str | None,
        sandbox: bool,
        fields: tuple[str, ...],
        ca_file: str | None,
        insecure: bool,
        rate: float | None,
        workers: int,
        retries: int,
        **kwargs: Any,
    ) -> Any:
        if platform and platform_option and platform != platform_option:
            raise click.UsageError(f"two platforms are named: {platform} and {platform_option}")
        if sandbox and profile:
            raise click.UsageError("--sandbox and --profile exclude each other")
        settings: dict[str, Any] = {"ca_file": ca_file, "rate": rate, "workers": workers, "retries": retries}
        if insecure:
            settings["verify"] = False
        name = choose_platform(platform or platform_option, profile)
        login = Login(name, profile, sandbox, parse_fields(name, fields), settings)
        return command(*args, login=login, **kwargs)

    decorated: Any = wrapped
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]  # click's decorators are untyped here


def choose_platform(named: str | None, profile: str | None) -> str:
    """The platform that was named, the profile's, or the only one there is."""
    if named:
        return named
    if profile:
        return profiles.load(profile).platform
    known = list(iotnb.platform_names())
    if len(known) == 1:
        return known[0]
    raise click.UsageError(f"name a platform: {', '.join(known)}")


def parse_fields(platform: str, texts: tuple[str, ...]) -> dict[str, Any]:
    """`name=value` texts as a dictionary; unknown and secret fields are refused."""
    known = {each.name: each for each in iotnb.platform_class(platform).FIELDS}
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise click.UsageError(f"--field {text}: write it as NAME=VALUE")
        if name not in known:
            raise click.UsageError(f"--field {name}: {platform} has {', '.join(known)}")
        if known[name].secret:
            variable = known[name].variables(platform)[0]
            raise click.UsageError(
                f"--field {name} is a secret, and a command line can be read by others: set {variable} "
                "or keep it in a keyring ('iotnb profiles save --keyring')"
            )
        values[name] = value
    return values
