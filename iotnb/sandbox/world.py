"""What a platform's app lives in: clock, fleet, store, tokens, faults, and the service it answers for.

A platform is a module of `iotnb.sandbox` with two functions:

    create(world: World, service: Service) -> ASGI app
    describe(world: World, service: Service) -> dict      the platform's value in Sandbox.info()

and, if it needs a port that demands client certificates, `MUTUAL_TLS = True`.
"""

import re
import ssl
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from iotnb.sandbox.certs import ClientTrust
from iotnb.sandbox.faults import PlatformFaults
from iotnb.sandbox.fleet import Clock, Fleet
from iotnb.sandbox.store import Store
from iotnb.sandbox.tokens import Tokens

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_KEPT = 10_000  # requests that the log remembers
_SECRET_NAMES = re.compile(r"(?i)([^&=]*(?:pass|pwd|secret|token|code|key|sig)[^&=]*)=[^&]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a sandbox was started."""

    tls: bool = False
    seed: int = 1
    devices: int = 25
    days: float = 30
    data: Path | None = None
    """The SQLite file in which what users create survives, or None."""


class Request(NamedTuple):
    """One line of the request log; it holds no header, no body and no secret."""

    time: int
    platform: str
    method: str
    path: str
    query: str
    status: int
    bytes: int
    seconds: float
    fault: str


class Issued:
    """Every secret that the sandbox handed out, with what it is; shared by the platforms of a run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._secrets: dict[str, str] = {}

    def add(self, secret: str, what: str) -> None:
        """Remember a secret."""
        with self._lock:
            self._secrets[secret] = what

    def all(self) -> dict[str, str]:
        """Secret to what it is."""
        with self._lock:
            return dict(self._secrets)


@dataclass(kw_only=True)
class World:
    """One platform's view of a sandbox: own store, tokens, faults and switches, shared clock and fleet.

    `fleet` is replaced when the sandbox is seeded anew: read it from here, do not keep it.
    """

    platform: str
    options: Options
    clock: Clock
    fleet: Fleet
    store: Store
    tokens: Tokens
    faults: PlatformFaults
    secrets: Issued
    switches: dict[str, Any] = field(default_factory=dict)
    """The platform's own settings (edition, strict ...); may change while it runs."""
    on_reset: list[Callable[[], None]] = field(default_factory=list)
    """Called on the server's event loop after the store was emptied or the fleet replaced."""
    requests: deque[Request] = field(default_factory=lambda: deque(maxlen=_KEPT))
    errors: list[BaseException] = field(default_factory=list)
    """Exceptions that escaped from a handler."""

    def issue(self, secret: str, what: str) -> str:
        """Record a secret that the sandbox hands out, and give it back."""
        self.secrets.add(secret, what)
        return secret

    def note(self, scope: Scope, *, status: int, size: int, started: float, fault: str) -> None:
        """Add a finished request to the log."""
        query = _SECRET_NAMES.sub(r"\1=***", scope["query_string"].decode("latin-1"))
        seconds = round(time.perf_counter() - started, 6)
        line = Request(
            self.clock.now(),
            self.platform,
            scope["method"],
            scope["path"],
            query,
            status,
            size,
            seconds,
            fault,
        )
        self.requests.append(line)

    def log(self) -> list[Request]:
        """The request log, oldest first, without any secret of the run."""
        secrets = [secret for secret in self.secrets.all() if len(secret) > 5]
        return [_without(line, secrets) for line in tuple(self.requests)]


def _without(line: Request, secrets: Iterable[str]) -> Request:
    for secret in secrets:
        if secret in line.path or secret in line.query:
            line = line._replace(
                path=line.path.replace(secret, "***"), query=line.query.replace(secret, "***")
            )
    return line


@dataclass(kw_only=True)
class Service:
    """Where one platform of a running sandbox answers, and how to log in there."""

    platform: str
    base_url: str
    port: int
    ca_file: Path | None = None
    """The CA of the run (also there without TLS when the platform has a port for client certificates)."""
    certificate_url: str | None = None
    """Base URL of the port that demands a client certificate, for platforms that have one."""
    trust: ClientTrust | None = None
    """The certificates under which clients may connect to that port."""
    control_token: str = ""
    describe: Callable[[], dict[str, Any]] = dict

    @property
    def tls(self) -> bool:
        """True if base_url is https."""
        return self.base_url.startswith("https:")

    def info(self) -> dict[str, Any]:
        """The platform's value in Sandbox.info(): what describe() says plus the addresses."""
        out: dict[str, Any] = {**self.describe()}
        connect = {**out.get("connect", {})}
        if not any(name.endswith("_url") for name in connect):  # several hosts: the platform names its own
            connect["base_url"] = self.base_url
        if self.tls:
            connect["ca_file"] = str(self.ca_file)
        out.update(connect=connect, base_url=self.base_url)
        if self.ca_file is not None:
            out["ca_file"] = str(self.ca_file)
        if self.certificate_url is not None:
            out["certificate_url"] = self.certificate_url
        out["control"] = {"url": f"{self.base_url}/.sandbox/", "token": self.control_token}
        return out

    @property
    def connect(self) -> dict[str, str]:
        """The fields with which iotnb.connect(platform, **fields) logs in."""
        found: dict[str, str] = self.info()["connect"]
        return found

    @property
    def bootstrap(self) -> dict[str, str]:
        """The credentials with which a new device asks for its own; KeyError if the platform has none."""
        found: dict[str, str] = self.info()["bootstrap"]
        return found


class Platform(Protocol):
    """A platform's module: what start() needs of it. `MUTUAL_TLS = True` asks for a second port."""

    def create(self, world: World, service: Service) -> App:
        """The platform's ASGI app."""

    def describe(self, world: World, service: Service) -> dict[str, Any]:
        """connect, bootstrap, users and whatever else a person needs to begin."""


def client_certificates(scope: Mapping[str, Any]) -> list[str]:
    """The certificates (PEM) that the client of a request presented, its own first; [] without any."""
    found: list[str] = scope.get("extensions", {}).get("tls", {}).get("client_cert_chain", [])
    return found


def as_pem(chain: Iterable[bytes]) -> list[str]:
    """DER certificates as PEM text."""
    return [ssl.DER_cert_to_PEM_cert(der) for der in chain]
