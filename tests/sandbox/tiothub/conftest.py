"""A T IoT Hub sandbox behind plain HTTP calls, and a webhook on loopback."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from iotnb import sandbox
from iotnb.sandbox import Clock
from iotnb.sandbox import tiothub as module

NOON = 1_795_176_000_000  # 20 November 2026, 12:00 UTC: every run sees the same fleet
FORM = "application/x-www-form-urlencoded"


class Reply(SimpleNamespace):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Hub:
    """One sandbox and a keep-alive connection to it."""

    def __init__(self, running: sandbox.Sandbox) -> None:
        self.running = running
        self.service = running["tiothub"]
        self.connect = self.service.connect
        self.info = self.service.info()
        self.clock = running.clock
        self.origin = "CTest"
        self._connection = http.client.HTTPConnection("127.0.0.1", self.service.port, timeout=10)
        self._tokens: dict[str, tuple[int, str]] = {}

    def close(self) -> None:
        self._connection.close()

    def send(self, method: str, url: str, headers: dict[str, str] | None = None, body: Any = None) -> Reply:
        if isinstance(body, dict | list):
            body = json.dumps(body)
        parts = urlsplit(url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        self._connection.request(method, target, body, headers or {})
        answer = self._connection.getresponse()
        return Reply(status=answer.status, headers=answer.headers, body=answer.read())

    def ask_token(self, access: str = "tutorial", **fields: str) -> Reply:
        form = {"grant_type": "client_credentials", **self.info["accesses"][access], **fields}
        return self.send("POST", self.connect["token_url"], {"Content-Type": FORM}, urlencode(form))

    def token(self, access: str = "tutorial") -> str:
        at, token = self._tokens.get(access, (0, ""))
        if self.clock.now() - at > 200_000 or not token:
            token = self.ask_token(access).json()["access_token"]
            self._tokens[access] = (self.clock.now(), token)
        return token

    def dmo(
        self,
        method: str,
        path: str = "",
        body: Any = None,
        *,
        ty: int | None = None,
        origin: str | None = None,
        access: str = "tutorial",
        headers: dict[str, str] | None = None,
    ) -> Reply:
        sent = {"Authorization": f"Bearer {self.token(access)}", "Accept": "application/json"}
        sent |= {"X-M2M-Origin": self.origin if origin is None else origin, "X-M2M-RI": "123"}
        sent["Content-Type"] = "application/json" + (f";ty={ty}" if ty is not None else "")
        sent |= headers or {}
        sent = {name: value for name, value in sent.items() if value != ""}
        url = path if path.startswith("http") else self.connect["dmo_url"] + path
        return self.send(method, url, sent, body)

    def cmo(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        access: str = "tutorial",
        content_type: str = "application/json",
    ) -> Reply:
        sent = {"Authorization": f"Bearer {self.token(access)}", "Accept": "application/json"}
        sent["Content-Type"] = content_type
        url = path if path.startswith("http") else self.connect["cmo_url"] + path
        return self.send(method, url, sent, body)

    def by_id(self, ri: str) -> str:
        base, _, tenant = self.connect["dmo_url"].rpartition("/")
        return f"{base}/~/{tenant}/{ri}"

    def switch(self, **changes: Any) -> None:
        reply = self.send("POST", f"{self.service.base_url}/.sandbox/switches", {}, changes)
        assert reply.status == 200, reply.body

    def until(self, look: Callable[[], Any], seconds: float = 5.0) -> Any:
        end = time.monotonic() + seconds
        while not (found := look()):
            assert time.monotonic() < end, "it did not happen in time"
            time.sleep(0.02)
        return found


@pytest.fixture(scope="module")
def start() -> Iterator[Callable[..., Hub]]:
    """Starts sandboxes and ends them after the module; frozen clock unless told otherwise."""
    made: list[Hub] = []

    def make(**options: Any) -> Hub:
        options = {"devices": 25, "days": 3, "clock": Clock(NOON, frozen=True), **options}
        switches = options.pop("switches", {})
        running = sandbox.start({"tiothub": module}, switches={"tiothub": switches}, **options)
        made.append(Hub(running))
        return made[-1]

    yield make
    for hub in made:
        hub.close()
        hub.running.stop()
    for hub in made:
        hub.running.raise_errors()


@pytest.fixture(scope="module")
def hub(start: Callable[..., Hub]) -> Hub:
    return start()


class Hook(ThreadingHTTPServer):
    """A webhook that keeps what it got; `answers` holds the statuses of the next answers."""

    daemon_threads = True

    def __init__(self) -> None:
        self.got: list[Any] = []
        self.headers: list[dict[str, str]] = []
        self.answers: list[int] = []
        self.confirms = True
        hook = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status = hook.answers.pop(0) if hook.answers else 200
                hook.headers.append({k.lower(): v for k, v in self.headers.items()})
                hook.got.append(body)
                self.send_response(status)
                if hook.confirms:
                    self.send_header("X-M2M-RSC", "2000")
                    self.send_header("X-M2M-RI", self.headers["X-M2M-RI"])
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                """Say nothing."""

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/hook?x=1"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def end(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()

    def contents(self) -> list[Any]:
        """What the messages said that were notified."""
        signs = [one["m2m:sgn"]["nev"]["rep"]["m2m:cin"] for one in self.got if "nev" in one["m2m:sgn"]]
        return [one["con"] for one in signs]


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.end()
