"""A running sandbox: the worlds of its platforms, their services, and the server's thread."""

import json
import os
import secrets
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from iotnb.sandbox.certs import Authority, ClientTrust
from iotnb.sandbox.control import Control, Front
from iotnb.sandbox.errors import SandboxError
from iotnb.sandbox.faults import Faults
from iotnb.sandbox.fleet import Clock, Fleet
from iotnb.sandbox.server import LOOPBACK, Listener, Server, bind
from iotnb.sandbox.shaping import Shaping
from iotnb.sandbox.store import Store
from iotnb.sandbox.tokens import Tokens
from iotnb.sandbox.world import Issued, Options, Platform, Request, Service, World


class Sandbox:
    """Made by `start()`; a context manager. `sandbox["cumulocity"]` is a Service."""

    def __init__(
        self,
        platforms: Mapping[str, Platform],
        options: Options,
        *,
        port: int = 0,
        faults: Mapping[str, Any] | None = None,
        switches: Mapping[str, Mapping[str, Any]] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.options = options
        self.clock = clock if clock is not None else Clock()
        self.faults = Faults(platforms, seed=options.seed)
        self.faults.set(None, **(faults or {}))
        self.control_token = secrets.token_urlsafe(24)
        self._issued = Issued()
        self._issued.add(self.control_token, "control token of the sandbox")
        self._platforms = dict(platforms)
        self._switches = {name: dict(part) for name, part in (switches or {}).items()}
        for name in self._switches:
            self.faults[name]  # SandboxError for a platform that is not here
        self._port = port
        self._users = 0
        self._process = os.getpid()
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._folder: Path | None = None
        self._server: Server | None = None
        self._worlds: dict[str, World] = {}
        self._services: dict[str, Service] = {}
        self._fleet = self._first_fleet()

    # fleet

    def _first_fleet(self) -> Fleet:
        """The fleet of the options; with a data file the one that the file was made with."""
        options = self.options
        origin = self._origin()
        start = None
        if origin and [origin.get(k) for k in ("seed", "devices", "days")] == [
            options.seed,
            options.devices,
            options.days,
        ]:
            start = origin["start"]
        fleet = Fleet(options.seed, options.devices, options.days, self.clock, start)
        self._remember(fleet)
        return fleet

    def _origin(self) -> dict[str, Any] | None:
        if self.options.data is None:
            return None
        store = self._open_store("sandbox")
        try:
            found: dict[str, Any] | None = store.setting("fleet", "origin")
            return found
        finally:
            store.close()

    def _remember(self, fleet: Fleet) -> None:
        """Keep the beginning of history in the data file, so that a restart meets the same fleet."""
        if self.options.data is None:
            return
        store = self._open_store("sandbox")
        origin = {"seed": fleet.seed, "devices": len(fleet), "days": fleet.days, "start": fleet.start}
        store.set("fleet", "origin", origin)
        store.close()

    def _open_store(self, namespace: str) -> Store:
        try:
            return Store(self.options.data, namespace=namespace)
        except sqlite3.Error as error:
            raise SandboxError(f"data file {self.options.data} cannot be used: {error}") from None

    @property
    def fleet(self) -> Fleet:
        """The simulated fleet."""
        return self._fleet

    def seed(self, seed: int | None = None, *, devices: int | None = None, days: float | None = None) -> None:
        """Replace the fleet (None keeps a value) and forget what users created."""
        old = self._fleet
        try:
            fleet = Fleet(
                old.seed if seed is None else seed,
                len(old) if devices is None else devices,
                old.days if days is None else days,
                self.clock,
            )
        except ValueError as error:
            raise SandboxError(str(error)) from None
        self._fleet = fleet
        self._remember(fleet)
        self.reset()

    def reset(self) -> None:
        """Forget what users created, the request log and the errors; faults and issued secrets stay."""
        if self._server is not None:
            self._server.call(self._reset)

    def _reset(self) -> None:
        if self._server is not None:
            self._server.errors.clear()
        for world in self._worlds.values():
            world.fleet = self._fleet
            world.store.reset()
            world.requests.clear()
            world.errors.clear()
            for hook in world.on_reset:
                hook()

    # life

    def open(self) -> None:
        """Bind the ports and serve; called by start()."""
        self._folder = Path(tempfile.mkdtemp(prefix="iotnb-sandbox-"))
        listeners: list[Listener] = []
        try:
            self._bind(listeners)
            server = Server(listeners)
            server.start()
        except BaseException:
            for listener in listeners:
                listener.sock.close()
            self._clean()
            raise
        self._server = server
        self._users = 1

    def _bind(self, listeners: list[Listener]) -> None:
        """Make worlds and services, and the listeners on their ports."""
        mutual = [name for name, module in self._platforms.items() if getattr(module, "MUTUAL_TLS", False)]
        folder = self._folder
        authority = Authority(folder) if folder is not None and (self.options.tls or mutual) else None
        ports = iter(range(self._port, self._port + len(self._platforms) + len(mutual)))
        for name, module in self._platforms.items():
            sock = bind(next(ports) if self._port else 0)
            scheme = "https" if self.options.tls else "http"
            port = sock.getsockname()[1]
            service = Service(
                platform=name,
                base_url=f"{scheme}://{LOOPBACK}:{port}",
                port=port,
                ca_file=authority.ca_file if authority else None,
                trust=ClientTrust() if name in mutual else None,
                control_token=self.control_token,
            )
            context = authority.server_context() if authority and self.options.tls else None
            try:
                front = self._app(name, module, service)
            except BaseException:
                sock.close()
                raise
            listeners.append(Listener(sock, front, context))
        for name in mutual:
            service = self._services[name]
            if authority is None or service.trust is None:
                continue
            sock = bind(next(ports) if self._port else 0)
            service.certificate_url = f"https://{LOOPBACK}:{sock.getsockname()[1]}"
            app = next(item.app for item in listeners if item.sock.getsockname()[1] == service.port)
            listeners.append(Listener(sock, app, authority.mutual_context(service.trust)))

    def _app(self, name: str, module: Platform, service: Service) -> Front:
        faults = self.faults[name]
        world = World(
            platform=name,
            options=self.options,
            clock=self.clock,
            fleet=self._fleet,
            store=self._open_store(name),
            tokens=Tokens(
                self.clock,
                life=lambda: faults.settings.token_seconds,
                issued=lambda token: self._issued.add(token, f"{name}: bearer token"),
            ),
            faults=faults,
            secrets=self._issued,
            switches=self._switches.get(name, {}),
        )
        self._worlds[name], self._services[name] = world, service
        service.describe = lambda: module.describe(world, service)
        return Front(Shaping(module.create(world, service), world), Control(world, self).app(), world)

    def share(self) -> bool:
        """Count one more user; False if the sandbox has ended."""
        with self._lock:
            if self._ended.is_set():
                return False
            self._users += 1
            return True

    def stop(self) -> None:
        """One user less; the last one ends the sandbox."""
        with self._lock:
            self._users -= 1
            if self._users <= 0:
                self.close()

    def close(self) -> None:
        """End the sandbox at once, whoever uses it; harmless twice."""
        with self._lock:
            if self._ended.is_set() or self._process != os.getpid():  # a forked child leaves it to its parent
                return
            self._ended.set()
        if self._server is not None:
            self._server.stop()
        self._clean()

    def _clean(self) -> None:
        for world in self._worlds.values():
            world.store.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def wait(self) -> None:
        """Block until the sandbox is stopped; a KeyboardInterrupt gets through."""
        while not self._ended.wait(0.5):
            pass

    @property
    def running(self) -> bool:
        """False once the sandbox has ended."""
        return self._server is not None and not self._ended.is_set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        places = ", ".join(f"{name} at {service.base_url}" for name, service in self._services.items())
        return f"<Sandbox {places}{'' if self.running else ' (ended)'}>"

    # what it offers

    def __getitem__(self, platform: str) -> Service:
        try:
            return self._services[platform]
        except KeyError:
            known = ", ".join(self._services)
            raise SandboxError(f"this sandbox has no platform {platform!r}, only {known}") from None

    def world(self, platform: str) -> World:
        """The inside of a platform, for tests: store, tokens, switches."""
        self[platform]  # SandboxError for an unknown name
        return self._worlds[platform]

    @property
    def platforms(self) -> tuple[str, ...]:
        """The names of the platforms that it serves."""
        return tuple(self._services)

    def info(self) -> dict[str, dict[str, Any]]:
        """Addresses and throw-away credentials by platform: what `iotnb sandbox --json` prints."""
        return {name: service.info() for name, service in self._services.items()}

    def issued(self) -> dict[str, str]:
        """Every secret made in the run, with what it is: nothing of it may appear in any output."""
        return self._issued.all()

    def requests(self, platform: str | None = None) -> list[Request]:
        """The request log, oldest first, without headers, bodies and secrets."""
        worlds = self._worlds.values() if platform is None else [self.world(platform)]
        return sorted((line for world in worlds for line in world.log()), key=lambda line: line.time)

    @property
    def errors(self) -> list[BaseException]:
        """Exceptions that escaped from handlers and background tasks since the start or the last reset."""
        found = [error for world in self._worlds.values() for error in world.errors]
        return found + (self._server.errors if self._server is not None else [])

    def raise_errors(self) -> None:
        """Raise the first exception that escaped from a handler, if any did."""
        for error in self.errors:
            raise error

    def publish(self) -> Path:
        """Write info() to a file that only this user can read (mode 0600) and give its path.

        Another process finds the sandbox when IOTNB_SANDBOX holds that path; the file goes with the sandbox.
        """
        if self._folder is None or not self.running:
            raise SandboxError("the sandbox is not running")
        path = self._folder / "info.json"
        draft = self._folder / f"info.{secrets.token_hex(4)}"
        with os.fdopen(
            os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        ) as file:
            json.dump(self.info(), file)
        draft.replace(path)
        return path
