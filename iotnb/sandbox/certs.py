"""Throw-away certificates: a CA of the run, the server's certificate, the trusted client CAs."""

import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import trustme

_NAMES = ("localhost", "127.0.0.1", "::1")


class CertificateError(ValueError):
    """A certificate that cannot be used as a trusted one."""


class Authority:
    """The CA of one sandbox run; its certificate lies in `ca_file` for clients to verify against."""

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA(organization_name="iotnb sandbox")
        self._leaf = self._ca.issue_cert(*_NAMES, common_name="localhost")
        self.ca_file = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(self.ca_file)

    def server_context(self) -> ssl.SSLContext:
        """A context that presents the server's certificate and asks the client for none."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._leaf.configure_cert(context)
        return context

    def mutual_context(self, trust: "ClientTrust") -> ssl.SSLContext:
        """A context that accepts only clients with a certificate under one of the trusted ones."""
        return trust.attach(self.server_context)


class ClientTrust:
    """The certificates under which clients may connect; a change is valid from the next handshake.

    A trusted certificate need not be a root: an intermediate or the device's own is enough.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._trusted: dict[bytes, bytes] = {}
        self._make: Callable[[], ssl.SSLContext] = lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._current: ssl.SSLContext | None = None

    def attach(self, make: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
        """The context to listen with; `make` gives fresh contexts with the server's certificate."""
        with self._lock:
            self._make = make
            self._rebuild()
        front = _demanding(self._make())
        front.num_tickets = 0  # a resumed session would not be verified again
        front.options |= ssl.OP_NO_TICKET

        def choose(
            connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _front: ssl.SSLContext
        ) -> None:
            if self._current is not None:
                connection.context = self._current

        front.sni_callback = choose  # called for every handshake, with or without a server name
        return front

    def _rebuild(self) -> None:
        context = _demanding(self._make())
        for der in self._trusted.values():
            context.load_verify_locations(cadata=der)
        self._current = context

    def add(self, pem: str) -> None:
        """Trust a certificate (PEM text); CertificateError if it is none."""
        try:
            der = ssl.PEM_cert_to_DER_cert(pem.strip() + "\n")
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=der)
        except (ValueError, ssl.SSLError) as error:
            raise CertificateError(f"not a certificate in PEM form: {error}") from None
        with self._lock:
            self._trusted[der] = der
            self._rebuild()

    def remove(self, pem: str) -> None:
        """Trust a certificate no longer; unknown ones are ignored."""
        with self._lock:
            self._trusted.pop(ssl.PEM_cert_to_DER_cert(pem.strip() + "\n"), None)
            self._rebuild()

    def clear(self) -> None:
        """Trust none."""
        with self._lock:
            self._trusted.clear()
            self._rebuild()


def _demanding(context: ssl.SSLContext) -> ssl.SSLContext:
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    return context


def peer_chain(connection: object) -> list[bytes]:
    """The certificates (DER) that the client presented in a handshake, its own first; [] without TLS."""
    if not isinstance(connection, ssl.SSLObject):
        return []
    own = connection.getpeercert(binary_form=True)
    if own is None:
        return []
    # Public from Python 3.13 on; before that only the inner object has it.
    source = (
        connection if hasattr(connection, "get_unverified_chain") else getattr(connection, "_sslobj", None)
    )
    chain = source.get_unverified_chain() if source is not None else None
    found = [item if isinstance(item, bytes) else item.public_bytes(_DER) for item in chain or ()]
    return found or [own]


_DER = 2  # _ssl.ENCODING_DER
