"""One event loop in one thread that serves every platform of a sandbox, with uvicorn's HTTP protocol.

uvicorn.Server is not used: it looks for its end ten times a second and waits for open requests. Here a
stop cancels what hangs and is over at once.
"""

import asyncio
import contextlib
import errno
import functools
import logging
import socket
import ssl
import threading
from collections.abc import Callable
from email.utils import formatdate
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from uvicorn.config import Config
from uvicorn.server import ServerState

from iotnb.sandbox.certs import peer_chain
from iotnb.sandbox.errors import SandboxError
from iotnb.sandbox.shaping import break_connection
from iotnb.sandbox.world import App, Receive, Scope, Send, as_pem

if TYPE_CHECKING or find_spec("httptools") is None:
    from uvicorn.protocols.http.h11_impl import H11Protocol as HttpProtocol
else:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as HttpProtocol

LOOPBACK = "127.0.0.1"
"""The only address that a sandbox ever listens on."""

_KEEP_ALIVE = 75  # seconds that an idle connection stays open
_PATIENCE = 2.0  # seconds for cancelled requests to end
_log = logging.getLogger("iotnb.sandbox")
_log.addHandler(logging.NullHandler())

T = TypeVar("T")


class Listener(NamedTuple):
    """A bound socket, the app that answers there, and its TLS context (None: plain HTTP)."""

    sock: socket.socket
    app: App
    tls: ssl.SSLContext | None


def bind(port: int) -> socket.socket:
    """A socket bound to a loopback port (0: any free one); SandboxError if it is taken."""
    # asyncio sets TCP_NODELAY only where the protocol is named; without it a request loses 40 ms.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((LOOPBACK, port))
        sock.listen(2048)
    except (OSError, OverflowError) as error:
        sock.close()
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise SandboxError(f"port {port} is in use: choose another one, or 0 for any free one") from None
        raise SandboxError(
            f"port {port} cannot be used ({error}): choose one from 1024 to 65535, or 0"
        ) from None
    return sock


class _Protocol(HttpProtocol):
    """uvicorn's HTTP protocol; the app also learns the client's certificates and can break the connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = _log  # keeps the process's own uvicorn loggers out of this
        self.access_log = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        chain = as_pem(peer_chain(transport.get_extra_info("ssl_object")))
        extensions: dict[str, Any] = {"iotnb.break": functools.partial(break_connection, transport)}
        if chain:
            extensions["tls"] = {
                "client_cert_chain": chain,
                "client_cert_name": None,
                "client_cert_error": None,
            }
        app: App = self.app

        async def informed(scope: Scope, receive: Receive, send: Send) -> None:
            scope["extensions"] = {**scope.get("extensions", {}), **extensions}
            await app(scope, receive, send)

        self.app = informed


class Server:
    """The thread; `start()` returns when every listener answers."""

    def __init__(self, listeners: list[Listener]) -> None:
        self._listeners = listeners
        self.errors: list[BaseException] = []
        """Exceptions of background tasks and callbacks that nobody waits for."""
        self._state = ServerState()
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="iotnb-sandbox", daemon=True)

    def start(self) -> None:
        """Serve; raises what went wrong while starting."""
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    def stop(self) -> None:
        """Close the ports, end open requests, and return when the thread has ended; harmless twice."""
        if self._loop is not None and self._end is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join()

    def call(self, function: Callable[[], T]) -> T:
        """Run a function on the server's loop (at once if that is where we are) and give its result."""
        loop = self._loop
        if loop is None or not self._thread.is_alive() or threading.current_thread() is self._thread:
            return function()

        async def work() -> T:
            return function()

        return asyncio.run_coroutine_threadsafe(work(), loop).result()

    def _run(self) -> None:
        loop = asyncio.new_event_loop()
        self._loop = loop
        loop.set_exception_handler(self._record)
        try:
            loop.run_until_complete(self._serve())
        except BaseException as error:  # noqa: BLE001  handed to the thread that waits in start()
            self._failure = error
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()
            self._ready.set()

    def _record(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.errors.append(error if isinstance(error, BaseException) else RuntimeError(context["message"]))

    async def _serve(self) -> None:
        self._end = asyncio.Event()
        servers: list[asyncio.Server] = []
        try:
            servers += [await self._listen(listener) for listener in self._listeners]
            self._dates = asyncio.create_task(self._date())
            self._ready.set()
            await self._end.wait()
        finally:
            self._accept_no_more()
            await _turns()  # connections that are just being accepted join the others
            for server in servers:
                server.close()
            await self._abandon()

    def _accept_no_more(self) -> None:
        """Stop accepting first: a server that closes in the middle of it leaks the connection."""
        loop = asyncio.get_running_loop()
        for listener in self._listeners:
            with contextlib.suppress(NotImplementedError):  # the proactor loop of Windows has no readers
                loop.remove_reader(listener.sock)

    async def _listen(self, listener: Listener) -> asyncio.Server:
        config = Config(
            listener.app,
            http=_Protocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE,
        )
        config.load()
        loop = asyncio.get_running_loop()
        make = functools.partial(_Protocol, config=config, server_state=self._state, app_state={})
        return await loop.create_server(make, sock=listener.sock, ssl=listener.tls)

    async def _date(self) -> None:
        """Keep the Date header fresh."""
        while True:
            self._state.default_headers[:] = [(b"date", formatdate(usegmt=True).encode())]
            await asyncio.sleep(1.0)

    async def _abandon(self) -> None:
        """Break every connection and cancel every open request and background task."""
        for connection in list(self._state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_PATIENCE)
        await _turns()  # aborted transports close their sockets


async def _turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)
