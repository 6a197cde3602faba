"""One JupyterLab and one Chromium for a run of browser tests, shut off from the developer's own Jupyter."""

import base64
import contextlib
import ctypes
import itertools
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import nbformat
from playwright.sync_api import Browser, Locator, Page, expect

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# read before the fixture that takes the developer's own variables away
AXE = os.environ.get("IOTNB_AXE", "")
FURTHER = [each for each in os.environ.get("IOTNB_KERNELS", "").split(os.pathsep) if each]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
SETTINGS: dict[str, dict[str, Any]] = {
    "@jupyterlab/apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    "@jupyterlab/apputils-extension/kernels-settings": {"commsOverSubshells": "perCommTarget"},
    "@jupyter-widgets/jupyterlab-manager/plugin": {"saveState": True},
}
READY = """async () => {
  const app = window.jupyterapp;
  if (!app) return 'no app';
  await app.restored;
  const panel = app.shell.currentWidget;
  if (!panel || !panel.context || !document.querySelector('.jp-Notebook .jp-Cell')) return 'no notebook';
  await panel.context.ready;
  await panel.sessionContext.ready;
  const kernel = panel.sessionContext.session && panel.sessionContext.session.kernel;
  if (!kernel) return 'no kernel';
  await kernel.info;
  if (kernel.connectionStatus !== 'connected') return kernel.connectionStatus;
  return kernel.status === 'idle' ? 'ready' : kernel.status;
}"""
ASK = """async (code) => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const future = kernel.requestExecute({ code, store_history: false });
  let text = '';
  future.onIOPub = (message) => {
    if (message.header.msg_type === 'stream') text += message.content.text;
    if (message.header.msg_type === 'error') text += message.content.ename + ': ' + message.content.evalue;
  };
  await future.done;
  return text;
}"""
RUN = """async (index) => {
  const app = window.jupyterapp;
  app.shell.currentWidget.content.activeCellIndex = index;
  window.iotnbRun = app.commands.execute('notebook:run-cell');
}"""


def chromium() -> str:
    """The browser's path, or empty."""
    return next((found for name in CHROMIUM if (found := shutil.which(name))), "")


def kernels() -> list[str]:
    """The Pythons whose kernels are tried: this one, and those that IOTNB_KERNELS names (as in PATH)."""
    return [sys.executable, *FURTHER]


def names() -> list[str]:
    """The names of their kernels, this Python's first."""
    return [f"trial{number}" for number in range(len(kernels()))]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _die_with_parent() -> None:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


class Lab:
    """A JupyterLab server of its own: settings, kernels, history and notebooks below one folder."""

    alive = "/api/status"

    def __init__(self, root: Path, *, env: Mapping[str, str] | None = None) -> None:
        self.root = root
        self.env = dict(env or {})
        self.token = secrets.token_hex(16)
        self.port = free_port()
        self.folders = {
            name: root / name for name in ("config", "data", "runtime", "ipython", "settings", "workspaces")
        }
        self.notebooks = root / "notebooks"
        self.home = root / "home"
        for folder in (*self.folders.values(), self.notebooks, self.home):
            folder.mkdir(parents=True)
        self._configure()
        self._names = itertools.count(1)
        self.log = root / "lab.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self._command(),
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment(),
                cwd=root,
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )
        self._await_answer()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _configure(self) -> None:
        for name, values in SETTINGS.items():
            path = self.folders["settings"] / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values))
        for name, python in zip(names(), kernels(), strict=True):
            folder = self.folders["data"] / "kernels" / name
            folder.mkdir(parents=True)
            spec = {
                "argv": [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
                "display_name": f"Python ({name})",
                "language": "python",
            }
            (folder / "kernel.json").write_text(json.dumps(spec))

    def _command(self) -> list[str]:
        options = [
            "--no-browser",
            "--ServerApp.open_browser=False",
            "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={self.port}",
            "--ServerApp.port_retries=0",
            f"--IdentityProvider.token={self.token}",
            f"--ServerApp.root_dir={self.notebooks}",
            "--LabApp.news_url=None",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            "--LabApp.expose_app_in_browser=True",
        ]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            options.append("--allow-root")
        return [sys.executable, "-m", "jupyter", "lab", *options]

    def _environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("JUPYTER", "IPYTHON", "IOTNB", "C8Y", "COLUMNS"))
        }
        variables = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "IPYTHONDIR": "ipython",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        }
        return {
            **kept,
            **{name: str(self.folders[folder]) for name, folder in variables.items()},
            "JUPYTER_PLATFORM_DIRS": "1",
            "HOME": str(self.home),
            "IOTNB_CONFIG_DIR": str(self.home / "iotnb"),
            "C8Y_TENANT": "t-from-the-environment",
            **self.env,
        }

    def _await_answer(self) -> None:
        limit = time.monotonic() + 60
        while time.monotonic() < limit:
            if self.process.poll() is not None:
                break
            try:
                self.fetch("GET", self.alive)
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)
            else:
                return
        tail = "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-40:])
        self.close()
        raise RuntimeError(f"JupyterLab did not start:\n{tail}")

    def request(self, method: str, path: str) -> Any:
        body = self.fetch(method, path)
        return json.loads(body) if body else None

    def fetch(self, method: str, path: str) -> bytes:
        request = urllib.request.Request(
            self.url + path, method=method, headers={"Authorization": f"token {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return bytes(answer.read())

    def write(self, cells: Sequence[str], *, kernel: str = "trial0") -> str:
        """A new notebook in the server's folder; returns its name."""
        book = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(source) for source in cells],
            metadata={"kernelspec": {"name": kernel, "display_name": kernel, "language": "python"}},
        )
        name = f"trial-{next(self._names)}.ipynb"
        nbformat.write(book, self.notebooks / name)
        return name

    def end_kernels(self) -> None:
        for session in self.request("GET", "/api/sessions"):
            self.request("DELETE", f"/api/sessions/{session['id']}")

    def search(self, secret: str, *, user: str = "") -> list[str]:
        """The files below the server's root that hold a secret, plain, URL-encoded or in base64."""
        plain = secret.encode()
        forms = {plain, urllib.parse.quote(secret, safe="").encode()}
        for text in (plain, f"{user}:{secret}".encode()):
            forms |= {base64.b64encode(text), base64.b64encode(text).rstrip(b"=")}
        found = []
        for path in self.root.rglob("*"):
            if path.is_file() and not path.is_socket():
                content = path.read_bytes()
                if any(form in content for form in forms):
                    found.append(str(path.relative_to(self.root)))
        return found

    def close(self) -> None:
        if self.process.poll() is None:
            with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
                self.end_kernels()
        group = self.process.pid
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
            self.process.wait(5)


class Notebook:
    """One notebook open in one page. Console errors and requests that leave loopback are collected."""

    def __init__(
        self, browser: Browser, lab: Lab, cells: Sequence[str], *, kernel: str = "trial0", **page: Any
    ) -> None:
        self.lab = lab
        self.name = lab.write(cells, kernel=kernel)
        self.path = lab.notebooks / self.name
        self.page: Page = browser.new_page(**{"viewport": {"width": 1280, "height": 1400}, **page})
        self.page.set_default_timeout(10_000)
        self.errors: list[str] = []
        self.foreign: list[str] = []
        self.received = 0
        self.page.on("console", lambda message: message.type == "error" and self.errors.append(message.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self._saw(request.url))
        self.page.on("websocket", lambda socket: socket.on("framereceived", self._count))
        self.page.goto(
            f"{lab.url}/lab/tree/{self.name}?reset&token={lab.token}", wait_until="domcontentloaded"
        )
        limit = time.monotonic() + 60
        while (state := self._state()) != "ready":
            if time.monotonic() > limit:
                raise RuntimeError(f"the notebook did not open: {state}")
            time.sleep(0.1)

    def _state(self) -> str:
        self.page.wait_for_load_state("domcontentloaded")
        return str(self.page.evaluate(READY))

    def _saw(self, url: str) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in {"data", "blob"} and parts.hostname not in {"127.0.0.1", "localhost"}:
            self.foreign.append(url)

    def _count(self, frame: str | bytes) -> None:
        self.received += len(frame)

    def run(self) -> Self:
        """Runs all cells to their end."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
        return self

    def start(self, index: int) -> None:
        """Starts one cell and does not wait for it; see `join`."""
        self.page.evaluate(RUN, index)

    def join(self) -> None:
        """Waits for the cell that `start` started."""
        self.page.evaluate("() => window.iotnbRun")

    def ask(self, code: str) -> str:
        """What some code prints in the kernel, without a cell and outside the history."""
        return str(self.page.evaluate(ASK, code)).strip()

    def save(self) -> dict[str, Any]:
        """Saves as Ctrl+S does; returns the file's content."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        time.sleep(0.6)  # the manager's own delayed writes
        return dict(json.loads(self.path.read_text()))

    def theme(self, name: str) -> None:
        self.page.evaluate(
            "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })",
            f"JupyterLab {name}",
        )
        self.page.wait_for_selector(
            f"body[data-jp-theme-light='{'false' if name == 'Dark' else 'true'}']", state="attached"
        )
        self.page.wait_for_function(
            "() => getComputedStyle(document.body).getPropertyValue('--jp-layout-color1').trim() !== ''"
        )

    def cells(self) -> int:
        return int(self.page.evaluate("() => window.jupyterapp.shell.currentWidget.content.widgets.length"))

    def panel(self, number: int = 0) -> Locator:
        return self.page.locator(".jp-Notebook .iotnb-root").nth(number)

    def button(self, name: str) -> Locator:
        return self.page.locator(".jp-Notebook").get_by_role("button", name=name, exact=True).first

    def field(self, name: str) -> Locator:
        return self.page.locator(".jp-Notebook").get_by_label(name, exact=True).first

    def says(self, text: str, *, timeout: float = 8_000) -> None:
        """Waits until the panel's status line holds a text."""
        expect(self.page.locator(".jp-Notebook .iotnb-status-text").first).to_contain_text(
            text, timeout=timeout
        )

    def axe(self, selector: str = ".iotnb-root") -> list[str]:
        """What axe-core finds inside a selector: violations and what it could not decide."""
        assert AXE, (
            "IOTNB_AXE names no file: npm install axe-core into a temporary folder and point to axe.min.js"
        )
        source = Path(AXE).read_text("utf-8")
        self.page.evaluate(f"() => {{ if (!window.axe) {{ {source}\n }} }}")
        found = self.page.evaluate(
            """async (selector) => {
              const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
              const only = { runOnly: { type: 'tag', values: tags } };
              const result = await window.axe.run({ include: [[selector]] }, only);
              const why = (each) => (each.failureSummary || '').slice(0, 300);
              const node = (each) => each.html.slice(0, 160) + ' | ' + why(each);
              const show = (kind) => (each) =>
                kind + ' ' + each.id + ' ' + each.impact + ': ' + each.nodes.map(node).join(' || ');
              return [...result.violations.map(show('violation')),
                ...result.incomplete.map(show('incomplete'))];
            }""",
            selector,
        )
        return [str(each) for each in found]

    def close(self) -> None:
        self.page.close()
        self.lab.end_kernels()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def clean(books: Sequence[Notebook]) -> Iterator[str]:
    """What went wrong in pages beside what a test looked at."""
    for book in books:
        yield from (f"console error: {each}" for each in book.errors)
        yield from (f"request that left loopback: {each}" for each in book.foreign)
