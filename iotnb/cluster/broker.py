"""The lender's side of a lent login: it keeps the secrets and hands out turns and the present token."""

from __future__ import annotations

import datetime
import hmac
import json
import pickle
import secrets
import ssl
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import trustme

from iotnb.errors import IotnbError
from iotnb.secret import Sealed, Secret
from iotnb.session import Session

REMEMBERED = 50  # sets of credentials that a late refusal may still name
LARGEST = 64 * 1024  # bytes of one question
LIFE = datetime.timedelta(days=30)  # of the broker's certificate


class Broker:
    """Answers the workers that borrow a login: when a request may go, and with which credentials.

    One broker serves all workers, so that one rate limit and one renewal hold for the whole cluster. It
    speaks HTTPS with an authority of its own (`authority`, PEM) and takes only questions that carry `ticket`.
    """

    def __init__(self, sessions: Sequence[Session], *, host: str) -> None:
        self.ticket = Secret(secrets.token_urlsafe(32))
        self._desks = [_Desk(session) for session in sessions]
        authority = trustme.CA(organization_name="iotnb cluster")
        self.authority = authority.cert_pem.bytes().decode()
        certificate = authority.issue_cert(host, not_after=datetime.datetime.now(datetime.UTC) + LIFE)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        certificate.configure_cert(context)
        self._server = _Server((host, 0), _Handler)
        self._server.broker = self
        # the handshake happens in the thread of its connection: a silent caller holds up nobody
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        shown = f"[{host}]" if ":" in host else host
        self.url = f"https://{shown}:{self._server.server_address[1]}"
        self._thread: threading.Thread | None = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True, name="iotnb-broker"
        )
        self._thread.start()

    def close(self) -> None:
        """Stops answering: what was lent is of no use from now on. Closing twice does no harm."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._server.shutdown()
            thread.join(5)
            self._server.server_close()

    def knows(self, authorization: str) -> bool:
        """Whether a question carries the ticket."""
        expected = f"Bearer {self.ticket.reveal()}"
        return hmac.compare_digest(authorization.encode(), expected.encode())

    def answer(self, question: Mapping[str, Any]) -> Sealed:
        """What one question is answered; raises LookupError or TypeError for one that is none."""
        desk = self._desks[int(question["session"])]
        match question["ask"]:
            case "turn":
                return desk.turn(str(question["path"]), int(question["step"]))
            case "credentials":
                return desk.credentials(int(question["seen"]))
            case "refused":
                return desk.refused(int(question["seen"]))
            case "hold":
                desk.session.pace.hold(float(question["seconds"]))
                return Sealed()
        raise LookupError(question["ask"])


@dataclass
class _Desk:
    """One session of the login, and the credentials that it has handed out, by number."""

    session: Session
    given: deque[tuple[int, Sealed]] = field(default_factory=lambda: deque(maxlen=REMEMBERED), repr=False)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def turn(self, path: str, step: int) -> Sealed:
        seconds, more = self.session.pace.reserve(path, step)
        return Sealed(seconds=seconds, more=more)

    def credentials(self, seen: int) -> Sealed:
        """The present ones with their number; left out where the asker has seen them."""
        with self.lock:  # around both: an older token must not get a later number
            headers = self.session.auth.headers()
            if not self.given or self.given[-1][1] != headers:
                number = self.given[-1][0] + 1 if self.given else 1
                self.given.append((number, headers))
            number = self.given[-1][0]
        return Sealed(number=number) if number == seen else Sealed(number=number, headers=dict(headers))

    def refused(self, seen: int) -> Sealed:
        with self.lock:
            used = next((headers for number, headers in self.given if number == seen), Sealed())
        again = self.session.auth.refused(used)
        return Sealed(again=again)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    broker: Broker

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A worker that goes in mid-request is no error of ours; it asks again, or another does."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 3600  # seconds that a worker's connection may be idle
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        """Answers one question."""
        length = self.headers.get("Content-Length", "")
        size = int(length) if length.isdigit() else 0
        body = self.rfile.read(min(size, 2 * LARGEST))  # read before it is refused, or the refusal is lost
        if not 0 < size <= LARGEST:
            self.close_connection = True
            self._say(400, b"not a question of a worker")
            return
        broker = self.server.broker
        if not broker.knows(self.headers.get("Authorization", "")):
            self._say(403, b"the ticket is not that of this login")
            return
        try:
            self._say(200, json.dumps(broker.answer(json.loads(body))).encode())
        except (LookupError, TypeError, ValueError):
            self._say(400, b"not a question of a worker")
        except IotnbError as error:  # the login has ended, or the token server does not answer
            self._say(409, pickle.dumps(error))

    def _say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing: a notebook's cell is no log."""
