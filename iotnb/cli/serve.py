"""`iotnb sandbox` and `iotnb lab`: what runs until it is stopped."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

import click

from iotnb import tutorials
from iotnb.cli.base import Command

if TYPE_CHECKING:  # it brings the server, and --help must not wait for that
    from iotnb.sandbox import Sandbox

F = TypeVar("F", bound=Callable[..., Any])

PATIENCE = 15.0
"""So many seconds JupyterLab has to end its kernels before it is killed."""

FIRST = "00_start_here"


@click.command(
    cls=Command,
    short_help="Run the sandbox until it is stopped.",
    epilog="""\b
Examples:
  iotnb sandbox
  iotnb sandbox --platform cumulocity --port 8080 --devices 1000 --days 365
  iotnb sandbox --faults latency=0.1,fail_every=7 --json
  iotnb sandbox --data sandbox.db            what users create survives a restart
""",
)
@click.option(
    "--platform", "platforms", multiple=True, metavar="NAME", help="Only this one; repeat it for more."
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default="a free one",
    help="Port of the first platform.",
)
@click.option("--tls", is_flag=True, help="Serve HTTPS with a throw-away authority.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same fleet.")
@click.option("--devices", type=click.IntRange(1), default=25, show_default=True, help="Size of the fleet.")
@click.option("--days", type=click.IntRange(1), default=30, show_default=True, help="Days of history.")
@click.option("--faults", metavar="NAME=VALUE,...", help="Faults to show, e.g. latency=0.1,fail_every=7.")
@click.option(
    "--data", type=click.Path(dir_okay=False), metavar="FILE", help="Keep what users create in this file."
)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON once ready.")
def sandbox(platforms: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Run the sandbox until it is stopped: a simulated fleet behind the platforms' own APIs.

    It is reached from this machine only.
    """
    with until_stopped() as stopped, _start(list(platforms) or None, **options) as running:
        info = running.info()
        if as_json:
            click.echo(json.dumps(info))
            sys.stdout.flush()
            stopped.wait()
            return
        with published(info) as path:
            _describe(info, path)
            sys.stdout.flush()
            stopped.wait()


def lab_options(command: F) -> F:
    """Gives a command that starts JupyterLab its options: `port`, `no_browser` and `folder`."""
    port = click.option(
        "--port",
        type=click.IntRange(1, 65535),
        help="JupyterLab's port.  [default: the first free from 8888]",
    )
    browser = click.option("--no-browser", is_flag=True, help="Do not open a browser.")
    folder = click.option(
        "--folder",
        type=click.Path(file_okay=False, path_type=Path),
        default=tutorials.FOLDER,
        show_default=True,
        help="Where your copies of the tutorials are; files that are there stay as they are.",
    )
    return port(browser(folder(command)))


@click.command(
    cls=Command,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": True},
    short_help="JupyterLab on the tutorials, with a sandbox.",
    epilog="""\b
Examples:
  iotnb lab
  iotnb lab --port 9999 --no-browser
  iotnb lab --folder ~/work -- --ServerApp.token=''
""",
)
@lab_options
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def lab(port: int | None, no_browser: bool, folder: Path, options: tuple[str, ...]) -> int:
    """Start the sandbox and JupyterLab on the tutorials; Ctrl-C ends both.

    Further OPTIONS go to JupyterLab as they are.
    """
    return start_lab(folder, port=port, browser=not no_browser, options=options)


def start_lab(
    folder: Path,
    *,
    port: int | None = None,
    browser: bool = True,
    options: tuple[str, ...] = (),
    first: str = FIRST,
) -> int:
    """Runs a sandbox and JupyterLab on a folder with the tutorials until either is stopped; an exit code."""
    added = tutorials.copy(folder, keep=True)
    click.echo(
        f"{len(added)} tutorials copied to {folder}" if added else f"the tutorials are in {folder}", err=True
    )
    with until_stopped() as stopped, _start() as running, published(running.info()) as path:
        for name, service in running.info().items():
            click.echo(f"sandbox: {name} at {service['base_url']}", err=True)
        command = _lab_command(folder.resolve(), port, browser, first) + list(options)
        # in a session of its own: Ctrl-C must reach us alone, JupyterLab would ask whether it is meant
        process = subprocess.Popen(
            command,
            env={**os.environ, "IOTNB_SANDBOX": str(path)},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            while process.poll() is None and not stopped.wait(0.1):
                pass
        finally:
            _end(process)
        return 0 if stopped.is_set() else process.returncode


def _lab_command(folder: Path, port: int | None, browser: bool, first: str) -> list[str]:
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        f"--ServerApp.root_dir={folder}",
        f"--LabApp.default_url=/lab/tree/{first}.ipynb",
        "--LabApp.news_url=None",  # no question about news, and no look at the package index
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    if port is not None:
        command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    if not browser:
        command.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    return command


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Asks JupyterLab to end, which ends its kernels; kills its whole group when it does not."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _start(platforms: list[str] | None = None, **options: Any) -> "Sandbox":
    """Starts the sandbox; what it refuses (an unknown platform or fault, a port in use) is wrong usage."""
    from iotnb import sandbox as server

    try:
        return server.start(platforms, **options)
    except server.SandboxError as error:
        raise click.UsageError(str(error)) from None


@contextmanager
def until_stopped() -> Iterator[threading.Event]:
    """An event that SIGINT, SIGTERM and SIGHUP set, in place of ending the process on the spot."""
    stopped = threading.Event()

    def stop(_: int, __: FrameType | None) -> None:
        stopped.set()

    names = ("SIGINT", "SIGTERM", "SIGHUP")
    before = {
        getattr(signal, name): signal.signal(getattr(signal, name), stop)
        for name in names
        if hasattr(signal, name)
    }
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def published(info: Mapping[str, Any]) -> Iterator[Path]:
    """A file, readable by its owner only, that `IOTNB_SANDBOX` can name for other processes."""
    with tempfile.TemporaryDirectory(prefix="iotnb-") as folder:
        path = Path(folder) / "sandbox.json"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(info, file)
        yield path


def _describe(info: Mapping[str, Any], path: Path) -> None:
    """The human form: where each platform is, and throw-away credentials that work nowhere else."""
    for name, service in info.items():
        click.secho(name, bold=True)
        width = max(12, *map(len, service["connect"]))
        for field, value in service["connect"].items():
            click.echo(f"  {field:<{width}} {value}")
        if "bootstrap" in service:
            login = service["bootstrap"]
            click.echo(f"  {'bootstrap':<{width}} {login['tenant']}/{login['username']} {login['password']}")
    click.echo(
        f"\nIn another terminal:\n  export IOTNB_SANDBOX={path}\n  iotnb devices {next(iter(info))} --sandbox"
    )
    click.echo("These credentials were made for this run and work nowhere else. Ctrl-C stops the sandbox.")
