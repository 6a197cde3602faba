"""Below a session: addresses, TLS and the connection pool, and what a failed connection failed of."""

from __future__ import annotations

import gzip
import ipaddress
import os
import re
import ssl
import zlib
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from iotnb.errors import ConfigError
from iotnb.secret import Secret, scrub

# what sending a request and reading its body can raise
FAILURES = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)

ADVICE = {
    "dns": "Check the base URL for a typing error, and the network.",
    "refused": "Check host and port of the base URL, and that the server runs.",
    "tls": "If the server's certificate comes from an authority of its own, pass ca_file='authority.pem'.",
    "timeout": "Check the network, or pass a longer timeout=(connect, read) in seconds to connect().",
    "proxy": "Check the proxy in the environment (HTTPS_PROXY, HTTP_PROXY, NO_PROXY).",
    "dropped": "Try again; if it stays, a proxy or the server cuts connections.",
    "other": "Check the base URL and the network.",
}


class Adapter(HTTPAdapter):
    """The connection pool, with a TLS context of our own when a client certificate is used."""

    def __init__(self, context: ssl.SSLContext | None, **options: Any) -> None:
        self._context = context
        super().__init__(**options)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Hands the context to the pool."""
        if self._context is not None:
            options["ssl_context"] = self._context
        super().init_poolmanager(*args, **options)


class Server(NamedTuple):
    """A server as someone named it: `url` is scheme, host and port, `path` what was pasted behind them."""

    url: str
    path: str


def server(text: str, *, name: str, example: str, credentials: str, verify: bool | str = True) -> Server:
    """An address as people write it, taken apart: scheme added, query dropped.

    Credentials must not travel in clear: `http://` is for this machine only (where it is also the default),
    unless `verify=False` says that the transport need not be trusted. `name` is the field that the address
    came from, `example` how to write it, `credentials` what to give instead of a user in it.
    Raises ConfigError.
    """
    address = text.strip()
    try:
        if "://" not in address:
            address = ("http://" if loopback(urlsplit(f"//{address}").hostname) else "https://") + address
        parts = urlsplit(address)
        host, port, user = parts.hostname or "", parts.port, "@" in parts.netloc
    except ValueError:
        parts = urlsplit("")
        host, port, user = "", None, "@" in address
    if user:
        raise ConfigError(f"{name} must not hold a user or password: give {credentials}")
    if not re.fullmatch(r"[A-Za-z0-9._:-]+", host) or parts.scheme not in {"http", "https"}:
        raise ConfigError(f"{name}={scrub(text)!r} is no address: write it as {example}")
    shown = f"[{host}]" if ":" in host else host
    if parts.scheme == "http" and not loopback(host) and verify is not False:
        raise ConfigError(
            f"{name}={scrub(text)!r} would send credentials in clear over the net: write https://{shown}. "
            "For a test server without TLS on another machine pass verify=False as well."
        )
    return Server(f"{parts.scheme}://{shown}" + (f":{port}" if port else ""), parts.path)


def loopback(host: str | None) -> bool:
    """Whether a host is this machine."""
    if host is None:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def base(url: str) -> tuple[str, str, int]:
    """The origin of a base URL; raises ConfigError for what cannot be one."""
    try:
        parts = parse_url(url)
    except LocationParseError:
        parts = parse_url("")
    if parts.auth is not None:
        raise ConfigError("the base URL holds a user: write it as https://host, user and password apart")
    if parts.scheme not in {"http", "https"} or not parts.host or parts.query or parts.fragment:
        raise ConfigError(f"{scrub(url)!r} is no base URL: write it as https://host")
    return origin(url)


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port, as the library that sends it reads them; no host if a user stands before it."""
    try:
        parts = parse_url(url)
    except LocationParseError:
        raise ConfigError(f"{scrub(url)!r} is no URL: write it as https://host") from None
    scheme, host = parts.scheme or "", "" if parts.auth is not None else (parts.host or "")
    return scheme, host.lower(), parts.port or (443 if scheme == "https" else 80)


def unzipped(body: bytes) -> bytes:
    """A gzip body unpacked whole: the library below would take one that was cut short for a whole one."""
    try:
        return gzip.decompress(body)
    except (EOFError, OSError, zlib.error) as error:
        raise urllib3.exceptions.DecodeError(f"the gzip body is broken ({error})") from None


def diagnose(error: BaseException) -> tuple[str, str]:
    """The kind of a failed connection and words for it, where `{host}` stands for the host."""
    chain = _chain(error)
    for kind, classes, words in _KINDS:
        if any(isinstance(each, classes) for each in chain):
            return kind, words + (_tls_reason(chain) if kind == "tls" else "")
    return "other", f"no answer from {{host}} ({type(error).__name__})"


def _chain(error: BaseException) -> list[BaseException]:
    """An exception and what caused it: urllib3 keeps the cause in `reason` or in the arguments."""
    chain: list[BaseException] = []
    seen: BaseException | None = error
    while seen is not None and len(chain) < 8:
        chain.append(seen)
        held = [getattr(seen, "reason", None), seen.__cause__, seen.__context__, *seen.args]
        seen = next((each for each in held if isinstance(each, BaseException) and each not in chain), None)
    return chain


_KINDS: tuple[tuple[str, tuple[type[BaseException], ...], str], ...] = (
    (
        "proxy",
        (requests.exceptions.ProxyError, urllib3.exceptions.ProxyError),
        "the proxy did not reach {host}",
    ),
    (
        "dropped",
        (ssl.SSLEOFError, ssl.SSLZeroReturnError),
        "{host} cut the TLS connection off: check that it speaks https on this port",
    ),
    (
        "tls",
        (requests.exceptions.SSLError, urllib3.exceptions.SSLError, ssl.SSLError),
        "no trusted TLS connection to {host}",
    ),
    ("dns", (urllib3.exceptions.NameResolutionError,), "the name {host} cannot be resolved"),
    ("refused", (ConnectionRefusedError,), "{host} refused the connection"),
    (
        "timeout",
        (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError, TimeoutError),
        "{host} did not answer in time",
    ),
    (
        "dropped",
        (
            urllib3.exceptions.ProtocolError,
            urllib3.exceptions.DecodeError,
            requests.exceptions.ChunkedEncodingError,
            ConnectionError,
        ),
        "{host} dropped the connection before the answer was whole",
    ),
    ("other", (urllib3.exceptions.NewConnectionError,), "no connection to {host}"),
)


def _tls_reason(chain: list[BaseException]) -> str:
    words = [str(getattr(each, "verify_message", "") or getattr(each, "reason", "") or "") for each in chain]
    reason = next((word for word in reversed(words) if word and "(" not in word), "")
    if reason == "WRONG_VERSION_NUMBER":
        return ": it does not speak https on this port"
    return f" ({reason})" if reason else ""


def authorities(verify: bool | str) -> bool | str:
    """What to check the server against: what was asked for, else the environment's bundle, read once."""
    if isinstance(verify, str):
        path = os.path.expanduser(verify)  # noqa: PTH111  # requests takes a text
        if not os.path.exists(path):  # noqa: PTH110  # the same
            raise ConfigError(f"the CA file {verify!r} does not exist")
        _check_authorities(path)
        return path
    if verify:
        for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            bundle = os.environ.get(variable)
            if bundle and not os.path.exists(bundle):  # noqa: PTH110  # the same
                raise ConfigError(f"{variable} names {bundle!r}, which does not exist: correct or unset it")
            if bundle:
                return bundle
        return True
    return False


def _check_authorities(path: str) -> None:
    folder = os.path.isdir(path)  # noqa: PTH112  # a text as above
    try:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        made.load_verify_locations(cafile=None if folder else path, capath=path if folder else None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"the CA file {path!r} holds no certificates in PEM format ({error})") from None


def context(
    verify: bool | str, certificate: tuple[str, str] | None, passphrase: Secret | None
) -> ssl.SSLContext | None:
    """A TLS context with the client's certificate, or None without one; raises ConfigError."""
    if certificate is None:
        return None
    path, key = certificate
    try:
        made = ssl.create_default_context(cafile=verify if isinstance(verify, str) else None)
        made.load_cert_chain(path, key, password=lambda: passphrase.reveal() if passphrase else "")
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"the client certificate {path} with key {key} cannot be used ({error}): "
            "both must be PEM files that belong together, and the passphrase must fit"
        ) from None
    if verify is False:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made
