"""An HTTP proxy that leads every CONNECT tunnel to the sandbox, for clients whose host names are fixed.

with sandbox.start("iotcentral", tls=True) as running, Proxy(running["iotcentral"]) as proxy:
    ...  # with proxy.url as https proxy, https://management.azure.com is the sandbox
"""

import contextlib
import selectors
import socket
import socketserver
import threading
from types import TracebackType
from typing import Self

from iotnb.sandbox.server import LOOPBACK
from iotnb.sandbox.world import Service

_CHUNK = 65_536
_SECONDS = 75.0  # without a byte, after which a tunnel is closed


class _Handler(socketserver.StreamRequestHandler):
    """One client: `CONNECT host:port`, then bytes in both directions."""

    def handle(self) -> None:
        """Serve the connection."""
        method = self.rfile.readline(_CHUNK).split(b" ")[0]
        while self.rfile.readline(_CHUNK) not in (b"\r\n", b"\n", b""):
            pass
        if method != b"CONNECT":
            self.wfile.write(
                b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
            return
        port: int = self.server.service_port  # type: ignore[attr-defined]
        with socket.create_connection((LOOPBACK, port), timeout=5) as there:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with contextlib.suppress(OSError):
                _splice(self.connection, there)


def _splice(here: socket.socket, there: socket.socket) -> None:
    with selectors.DefaultSelector() as chosen:
        chosen.register(here, selectors.EVENT_READ, there)
        chosen.register(there, selectors.EVENT_READ, here)
        while ready := chosen.select(_SECONDS):
            for key, _ in ready:
                source: socket.socket = key.fileobj  # type: ignore[assignment]
                data = source.recv(_CHUNK)
                if not data:
                    return
                key.data.sendall(data)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True


class Proxy:
    """A proxy on a free loopback port; a context manager. `url` is what clients take as https proxy."""

    def __init__(self, service: Service) -> None:
        self._server = _Server((LOOPBACK, 0), _Handler)
        self._server.service_port = service.port  # type: ignore[attr-defined]
        self.url = f"http://{LOOPBACK}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        run = self._server.serve_forever
        threading.Thread(target=run, args=(0.02,), name="iotnb-sandbox-proxy", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
