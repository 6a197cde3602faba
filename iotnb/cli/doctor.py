"""`iotnb doctor`: what this installation can do, and what stands in its way."""

import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib import metadata, resources
from pathlib import Path

import click

import iotnb
from iotnb import profiles
from iotnb.cli.base import ERROR, OK, Command

PACKAGES = ("jupyterlab", "ipykernel", "ipywidgets", "anywidget", "pandas", "numpy", "matplotlib", "requests")
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

Finding = tuple[str, str, bool]
"""What was looked at, what was found, and whether iotnb works with it."""


@click.command(
    cls=Command,
    short_help="Tell what works here and what does not.",
    epilog="""\b
Example:
  iotnb doctor
Exit code 0 when everything that iotnb needs works, otherwise 1.
""",
)
def doctor() -> int:
    """Show versions, and try the sandbox, the widgets' JavaScript and the keyring."""
    well = True
    for look in (_versions, _kernel, _saving, _keyring, _chromium, _leaves, _sandbox, _attached):
        for name, found, works in _told(look):
            click.echo(f"{'ok  ' if works else 'FAIL'}  {name:<18}  {found}")
            well = well and works
    return OK if well else ERROR


def _told(look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """What one look finds; a look that breaks is a finding too."""
    try:
        yield from look()
    except Exception as error:  # noqa: BLE001  # the doctor reports whatever is wrong
        yield look.__name__.strip("_"), f"{type(error).__name__}: {error}", False


def _versions() -> Iterator[Finding]:
    yield "iotnb", f"{iotnb.__version__} in {Path(iotnb.__file__).parent}", True
    yield "python", f"{platform.python_version()} at {sys.executable}, {platform.system()}", True
    for name in PACKAGES:
        try:
            yield name, metadata.version(name), True
        except metadata.PackageNotFoundError:
            yield name, f"missing: pip install {name}", False


def _kernel() -> Iterator[Finding]:
    """How clicks in widgets and running cells get along: it differs between versions of ipykernel."""
    numbers = re.findall(r"\d+", metadata.version("ipykernel"))
    version = (int(numbers[0]), int(numbers[1]))
    if version < (7, 0):
        told = "clicks wait until the running cell ends; Interrupt stops a cell and a handler"
    elif version < (7, 4):
        told = "clicks are served while a cell runs; Interrupt stops a cell, not a handler"
    else:
        told = "clicks are served while a cell awaits, otherwise after it; Interrupt stops both"
    yield "kernel", told, True


def _saving() -> Iterator[Finding]:
    """Whether JupyterLab writes widget state into notebooks, and how it talks to kernels."""
    from jupyter_core.paths import jupyter_config_dir, jupyter_config_path

    base = os.environ.get("JUPYTERLAB_SETTINGS_DIR") or Path(jupyter_config_dir()) / "lab" / "user-settings"
    setting = Path(base) / "@jupyter-widgets" / "jupyterlab-manager" / "plugin.jupyterlab-settings"
    saved = setting.is_file() and re.search(r'"saveState"\s*:\s*true', setting.read_text("utf-8"))
    yield (
        "widget state",
        "saved with notebooks; iotnb's widgets keep no secret in it" if saved else "not saved",
        True,
    )
    texts = [
        path.read_text("utf-8", errors="replace")
        for folder in jupyter_config_path()
        for path in Path(folder).glob("jupyter*_config.*")
        if path.is_file()
    ]
    ipc = any(re.search(r"""transport["']?\s*[:=]\s*["']ipc""", text) for text in texts)
    yield (
        "kernel transport",
        "ipc" if ipc else "tcp; on a shared machine set KernelManager.transport = 'ipc'",
        True,
    )


def _keyring() -> Iterator[Finding]:
    status = profiles.keyring_status()
    found = (
        status.name if status.available else f"not available: {status.reason}; secrets from the environment"
    )
    yield "keyring", found, True
    yield "profiles", f"{len(profiles.names())} in {profiles.folder()}", True


def _chromium() -> Iterator[Finding]:
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    yield "chromium", path or "not found; only iotnb's own browser tests need it", True


def _leaves() -> Iterator[Finding]:
    """Whether the widgets import and their JavaScript is there and, where node is, well-formed."""
    import iotnb.widgets  # the import itself reads every script and style sheet

    folder = resources.files(iotnb.widgets) / "leaves"
    scripts = [each for each in folder.iterdir() if each.name.endswith((".js", ".mjs"))]
    if not scripts:
        yield "widgets", f"no JavaScript in {folder}: install iotnb again", False
        return
    node = shutil.which("node")
    for script in scripts:
        source = script.read_bytes()
        problem = "" if source.strip() else "empty"
        if node and not problem:
            check = subprocess.run(
                [node, "--input-type=module", "--check"],
                input=source,
                capture_output=True,
                check=False,
                timeout=30,
            )
            problem = (
                check.stderr.decode(errors="replace").strip().replace("\n", " ") if check.returncode else ""
            )
        form = "well-formed" if node else "not checked, there is no node"
        yield f"widget {script.name}", problem or f"{len(source):,} bytes, {form}", not problem


def _sandbox() -> Iterator[Finding]:
    from iotnb import sandbox

    began = time.perf_counter()
    with sandbox.start() as running:
        took = time.perf_counter() - began
        for name, service in running.info().items():
            with iotnb.connect(name, **service["connect"]) as client:
                yield f"sandbox {name}", f"up in {took:.2f} s, {len(client.devices())} devices", True


def _attached() -> Iterator[Finding]:
    from iotnb import sandbox

    if "IOTNB_SANDBOX" not in os.environ:
        yield "IOTNB_SANDBOX", "not set; sandbox=True starts a sandbox in its own process", True
        return
    info = sandbox.attached()
    yield (
        "IOTNB_SANDBOX",
        ", ".join(info) if info else f"{os.environ['IOTNB_SANDBOX']} names no sandbox",
        bool(info),
    )
