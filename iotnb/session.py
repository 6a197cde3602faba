"""The one door to the network: URL, credentials, timeouts, retries, pacing, errors, exchanges."""

from __future__ import annotations

import logging
import math
import random
import re
import threading
import time
from collections import deque
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import msgspec
import requests
from requests.structures import CaseInsensitiveDict
from requests.utils import get_environ_proxies

import iotnb
from iotnb import errors, times, transport
from iotnb.auth import Auth, witness
from iotnb.collector import collector_paused
from iotnb.exchange import Exchange
from iotnb.pacing import Counters, Pace, wait
from iotnb.secret import Sealed, Secret, scrub

log = logging.getLogger("iotnb")

Params = Mapping[str, Any] | Iterable[tuple[str, Any]]

IDEMPOTENT = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}
OVERLOADED = {502, 503, 504}
RENEWALS = 2  # of tokens that never worked: a second one because the first may be revoked while it travels
ENDINGS = 30  # tokens that worked and then ended which one request may meet beside other threads
REDIRECTS = 5
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
LONGEST_WAIT = 30.0  # seconds between two attempts, unless the server asks for more


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a session talks to its server.

    `verify` is True (the system's authorities), a path of a CA file, or False (no check, not advised);
    `cert` the paths of a client certificate and its key, `passphrase` opens the key. `timeout` is
    (connect, read) in seconds; `retries` how often a failed request is tried again, `backoff` the first
    wait in seconds, `patience` how many seconds a request may wait for a server that limits the rate.
    `rate` is the most requests a second (None: no limit), `workers` the most at once, `exchanges` how
    many are remembered.
    """

    verify: bool | str = True
    cert: tuple[str, str] | None = None
    passphrase: Secret | None = None
    timeout: tuple[float, float] = (5.0, 30.0)
    retries: int = 5
    backoff: float = 0.5
    patience: float = 120.0
    rate: float | None = None
    workers: int = 8
    exchanges: int = 200

    def __post_init__(self) -> None:
        if not all(0 < seconds < math.inf for seconds in self.timeout):
            raise errors.ConfigError(f"timeout={self.timeout} must be two positive numbers of seconds")
        if self.rate is not None and not 0 < self.rate < math.inf:
            raise errors.ConfigError(f"rate={self.rate} must be a positive number of requests a second")
        if self.workers < 1 or self.retries < 0:
            raise errors.ConfigError(
                f"workers={self.workers} must be at least 1, and retries={self.retries} at least 0"
            )


_STOP: ContextVar[threading.Event | None] = ContextVar("iotnb_stop", default=None)


@contextmanager
def stopping(stop: threading.Event) -> Iterator[None]:
    """Requests of this thread end early when the event is set, unless they are given another one."""
    token = _STOP.set(stop)
    try:
        yield
    finally:
        _STOP.reset(token)


@dataclass(frozen=True)
class Answer:
    """An answer that was read to its end; `elapsed` and `first_byte` are in seconds."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str
    method: str
    elapsed: float
    first_byte: float
    secrets: Sequence[Secret] = ()  # to keep out of an error that quotes the body

    def __repr__(self) -> str:
        url = scrub(self.url, self.secrets)
        return f"Answer({self.status} {self.method} {url}, {len(self.body):,} bytes)"

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body decoded; raises BadAnswer when it is no JSON."""
        try:
            with collector_paused():
                return msgspec.json.decode(self.body)
        except msgspec.DecodeError as error:
            what = self._no_json(str(error))
        raise errors.BadAnswer(what)

    def _no_json(self, reason: str) -> str:
        kind = self.headers.get("Content-Type", "no content type")
        start = scrub(" ".join(self.text[:2000].split()), self.secrets)[:120]
        address = urlsplit(self.url)
        path = scrub(address.path, self.secrets)
        return (
            f"{self.status} {self.method} {path}: expected JSON, got {kind} ({len(self.body):,} bytes, "
            f"{reason}): {start!r}. Check that the base URL is that of the API: {address.netloc} gave this."
        )


class Session:
    """Requests to one server, with its credentials and nobody else's.

    A status >= 400 raises the matching class of `iotnb.errors`, unless it is in `expect`. Requests that
    may be repeated safely are, after 429, 502, 503, 504 and dropped connections; a POST only after 429,
    which comes before anything is done. A 401 renews the token once and tries again. Redirects and
    links to another host raise ForeignHost before anything is sent there.
    """

    def __init__(
        self,
        base_url: str,
        *,
        auth: Auth | None = None,
        settings: Settings | None = None,
        headers: Mapping[str, str] | None = None,
        pace: Pace | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.auth = auth or Auth()
        self.settings = settings or Settings()
        self.exchanges: deque[Exchange] = deque(maxlen=self.settings.exchanges)
        self.counters = Counters()
        self.extra_headers = dict(headers or {})
        self._origin = transport.base(self.base_url)
        self._headers = {
            "User-Agent": f"iotnb/{iotnb.__version__}",
            "Accept-Encoding": "gzip",
            "Accept": "application/json",
            **self.extra_headers,
        }
        self.pace = pace or Pace(rate=self.settings.rate, workers=self.settings.workers)
        self._reached = False
        self._worked: set[int] = set()  # credentials that were accepted, as numbers that do not show them
        self._verify = transport.authorities(self.settings.verify)
        # proxies are read once: asking the environment for each request costs more than the request
        self._proxies = Sealed(get_environ_proxies(self.base_url))  # their URLs may hold a password
        self._http = requests.Session()
        # a token in a cookie would go out beside the credentials, and outlive a logout
        self._http.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self._http.trust_env = False  # neither .netrc nor REQUESTS_CA_BUNDLE may override what was asked for
        adapter = transport.Adapter(
            transport.context(self._verify, self.settings.cert, self.settings.passphrase),
            pool_connections=2,
            pool_maxsize=self.settings.workers + 4,
        )
        self._http.mount("https://", adapter)
        self._http.mount("http://", adapter)

    @property
    def host(self) -> str:
        """Host, with the port where it is not the usual one."""
        return urlsplit(self.base_url).netloc

    def get(self, path: str, **options: Any) -> Answer:
        """GET; options as in `request`."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> Answer:
        """POST; options as in `request`."""
        return self.request("POST", path, **options)

    def put(self, path: str, **options: Any) -> Answer:
        """PUT; options as in `request`."""
        return self.request("PUT", path, **options)

    def patch(self, path: str, **options: Any) -> Answer:
        """PATCH; options as in `request`."""
        return self.request("PATCH", path, **options)

    def delete(self, path: str, **options: Any) -> Answer:
        """DELETE; options as in `request`."""
        return self.request("DELETE", path, **options)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        json: Any = None,
        data: Mapping[str, str] | bytes | None = None,
        headers: Mapping[str, str | None] | None = None,
        expect: Container[int] = (),
        retry: bool | None = None,
        timeout: tuple[float, float] | None = None,
        stop: threading.Event | None = None,
        auth: bool = True,
        paced: bool = True,
    ) -> Answer:
        """One request, tried again where that is safe, and its whole answer.

        `path` is absolute on this server, or a full URL of it (a next link). Parameters that are None are
        left out, booleans become true and false. A header that is None is not sent. `expect` lists statuses
        that are returned instead of raised; `retry` overrides what is safe; `auth=False` sends no
        credentials; `paced=False` keeps a long poll out of the pacing. Raises RequestError,
        ConnectionFailed, ForeignHost, Stopped.
        """
        url = self.url(path, params)
        sent, body = self._prepare(json, data, headers)
        call = _Call(
            method=method.upper(),
            url=url,
            headers=sent,
            body=body,
            timeout=timeout or self.settings.timeout,
            safe=method.upper() in IDEMPOTENT if retry is None else retry,
            stop=stop if stop is not None else _STOP.get(),
            auth=auth,
            paced=paced,
            deadline=time.monotonic() + self.settings.patience,
        )
        while True:
            answer = self._attempt(call)
            if answer is None:
                continue
            if answer.status in {301, 302, 303, 307, 308} and answer.status not in expect:
                self._redirect(call, answer)
                continue
            if answer.status < 400 or answer.status in expect:
                return answer
            raise self.refusal(answer)

    def url(self, path: str, params: Params | None = None) -> str:
        """The full URL of a path or link of this server; raises ForeignHost for any other."""
        url = path if _ABSOLUTE.match(path) else self.base_url + "/" + path.lstrip("/")
        foreign = self._foreign(url, "the link")
        if foreign is not None:
            raise foreign
        pairs = [(name, _text(value)) for name, value in _pairs(params) if value is not None]
        if not pairs:
            return url
        return url + ("&" if "?" in url else "?") + urlencode(pairs)

    def limit(self, path: str, rate: float | None) -> None:
        """Paces the requests to one path of their own: at most `rate` a second, None for no limit.

        For a server that allows less there than elsewhere; the pace of the whole session holds as well.
        """
        self.pace.limit(urlsplit(self.url(path)).path, rate)

    def judged(self, answer: Answer, *, auth: bool) -> Answer:  # noqa: ARG002  # for those that need it
        """What an answer means in HTTP's words; a platform with words of its own overrides it.

        It is asked before anything is decided by the status. `auth` says whether credentials were sent.
        """
        return answer

    def refusal(self, answer: Answer) -> errors.RequestError:
        """The error for an answer with a status of 400 or more; a platform may know more of its cause."""
        return errors.from_response(
            answer.status,
            answer.method,
            urlsplit(answer.url).path,
            answer.headers,
            answer.body,
            secrets=self.auth.secrets(),
        )

    def close(self) -> None:
        """Closes the pooled connections."""
        self._http.close()

    def __repr__(self) -> str:
        return f"Session({self.base_url}, {self.auth!r})"

    # -- one attempt ----------------------------------------------------------------------------------

    def _attempt(self, call: _Call) -> Answer | None:
        """One try: the answer to hand on, or None when it has to be tried again (the wait is over then)."""
        credentials = Sealed()
        try:
            if call.paced:
                self.pace.wait(urlsplit(call.url).path, call.stop)
            if call.auth:
                credentials = self.auth.headers()
            answer = self.judged(self._send(call, credentials), auth=call.auth)
        except transport.FAILURES as error:
            failed = self._failure(call, error)
            if not self._again(call, failed):
                raise failed from None
            self._sleep(call, self._delay(call))
            return None
        self._reached = True
        if call.auth and answer.status != 401:
            self._worked.add(_number(credentials))
        if answer.status == 401 and call.auth and self._renewed(call, credentials):
            return None
        if answer.status == 429 and self._wait_for_rate(call, answer):
            return None
        if answer.status in OVERLOADED and call.safe and call.tries < self.settings.retries:
            asked = errors.retry_after(answer.headers)
            if asked is None or asked <= self.settings.patience:
                self._sleep(call, asked if asked is not None else self._delay(call))
                return None
        return answer

    def _send(self, call: _Call, credentials: Sealed) -> Answer:
        """Sends the request and reads the answer to its end."""
        if call.stop is not None and call.stop.is_set():
            raise errors.Stopped("stopped before the request was sent")
        headers = Sealed(call.headers | credentials)
        prepared = _prepared(call, headers)
        secrets = self.auth.secrets()
        exchange = Exchange.begin(call.method, call.url, headers, call.body, times.now(), secrets)
        if (follows := witness()) is not None:
            follows.sent(call.method, urlsplit(exchange.url).path)
        self.exchanges.append(exchange)
        started = time.perf_counter()
        try:
            with self.pace.place(paced=call.paced):
                response = self._http.send(
                    prepared,
                    stream=True,
                    timeout=call.timeout,
                    verify=self._verify,
                    proxies=self._proxies,
                    allow_redirects=False,
                )
                first_byte = time.perf_counter() - started
                body = self._read(response, call)
        except BaseException as error:
            exchange.error = scrub(str(error) or type(error).__name__, secrets)[:300]
            exchange.elapsed = time.perf_counter() - started
            if isinstance(error, KeyboardInterrupt):  # from here on: the frames below hold headers in clear
                raise KeyboardInterrupt from None
            raise
        exchange.elapsed = time.perf_counter() - started
        exchange.answered(response.status_code, response.reason or "", response.headers, body, secrets)
        self.counters.add(requests=1, bytes=len(body))
        log.debug(
            "%s %s %s %.0f ms", response.status_code, call.method, exchange.url, exchange.elapsed * 1000
        )
        headers_seen = CaseInsensitiveDict(response.headers)
        return Answer(
            response.status_code,
            headers_seen,
            body,
            call.url,
            call.method,
            exchange.elapsed,
            first_byte,
            secrets,
        )

    def _read(self, response: requests.Response, call: _Call) -> bytes:
        """The whole body, decoded; a slow one may be stopped between two pieces."""
        raw = response.raw
        zipped = response.headers.get("Content-Encoding", "").lower() == "gzip"
        try:
            if call.stop is None:
                body = bytes(raw.read(decode_content=not zipped))
            else:
                pieces = []
                # read1 gives what is there, without waiting for more
                while piece := raw.read1(1 << 20, decode_content=not zipped):
                    pieces.append(piece)
                    if call.stop.is_set():
                        raise errors.Stopped("stopped while an answer was arriving")
                body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            return transport.unzipped(body) if zipped else body
        except BaseException:
            raw.close()  # half-read: not to be used again
            raise
        finally:
            raw.release_conn()

    # -- what to do when it fails -----------------------------------------------------------------------

    def _failure(self, call: _Call, error: Exception) -> errors.ConnectionFailed:
        kind, words = transport.diagnose(error)
        host = urlsplit(call.url).netloc
        advice = transport.ADVICE[kind]
        if kind in {"dropped", "timeout"} and not call.safe:
            advice = (
                "The server may have carried out the request all the same: look before you send it again."
            )
        path = self._path(call)
        message = f"{call.method} {path}: {words.format(host=host)}\n{advice}"
        return errors.ConnectionFailed(message, host=host, kind=kind, method=call.method, path=path)

    def _renewed(self, call: _Call, credentials: Sealed) -> bool:
        """Whether a 401 is worth another try, with other credentials.

        What worked and is refused has ended, by a renewal elsewhere or a revocation: it is renewed however
        often that happens. What never worked is renewed a few times.
        """
        call.endings += 1
        call.renewals += _number(credentials) not in self._worked
        return call.renewals <= RENEWALS and call.endings <= ENDINGS and self.auth.refused(credentials)

    def _again(self, call: _Call, failed: errors.ConnectionFailed) -> bool:
        """Whether another try is safe and may help: not for a host that never answered."""
        if call.tries >= self.settings.retries or not self._reached:
            return False
        if failed.kind in {"refused", "dns"}:  # nothing was sent
            return True
        return call.safe and failed.kind in {"dropped", "timeout", "other"}

    def _wait_for_rate(self, call: _Call, answer: Answer) -> bool:
        """Waits as a 429 asks, all threads together; False when that would take longer than patience."""
        self.counters.add(limited=1)
        asked = errors.retry_after(answer.headers)
        seconds = asked if asked is not None else self._delay(call)
        if time.monotonic() + seconds > call.deadline:
            return False
        self.pace.hold(seconds)
        self._sleep(call, seconds)
        return True

    def _delay(self, call: _Call) -> float:
        """The next wait: doubled each time, with jitter so that threads do not come back together."""
        longest = min(LONGEST_WAIT, self.settings.backoff * 2.0**call.tries)
        return longest * random.uniform(0.5, 1.0)  # noqa: S311  # jitter, not a secret

    def _sleep(self, call: _Call, seconds: float) -> None:
        call.tries += 1
        self.counters.add(retries=1, waited=seconds)
        log.debug("waiting %.2f s before trying %s again", seconds, call.method)
        wait(seconds, call.stop)

    def _redirect(self, call: _Call, answer: Answer) -> None:
        where = f"{answer.status} {call.method} {self._path(call)}"
        target = urljoin(call.url, answer.headers.get("Location", ""))
        shown = scrub(target, self.auth.secrets())
        foreign = self._foreign(target, f"{where}: the redirect")
        if foreign is not None:
            raise foreign
        if call.method not in {"GET", "HEAD"} and answer.status not in {307, 308}:
            raise errors.BadAnswer(f"{where}: redirected to {shown}; use that address as base URL")
        call.redirects += 1
        if call.redirects > REDIRECTS:
            raise errors.BadAnswer(f"{where}: redirected {REDIRECTS} times, gave up")
        call.url = target

    # -- helpers ----------------------------------------------------------------------------------------

    def _path(self, call: _Call) -> str:
        return scrub(urlsplit(call.url).path, self.auth.secrets())

    # Errors are made here and raised elsewhere: a traceback with values (`%xmode Verbose`) shows what stands
    # in the line that raises, and a body or URL there may hold a secret.

    def _foreign(self, url: str, what: str) -> errors.ForeignHost | None:
        """The refusal of a URL that is not this server's."""
        scheme, host, port = transport.origin(url)
        own = self._origin
        if (scheme, host, port) == own or (
            host == own[1] and (own[0], scheme, port) == ("http", "https", 443)
        ):
            return None
        return errors.ForeignHost(
            f"{what} leads to {scheme}://{host}:{port}, not to {self.base_url}: nothing was sent there, "
            "because it would hand your credentials to another host. If it is the same platform, "
            "connect with that address as base URL."
        )

    def _prepare(
        self, json: Any, data: Mapping[str, str] | bytes | None, headers: Mapping[str, str | None] | None
    ) -> tuple[dict[str, str], bytes | None]:
        merged: dict[str, str | None] = dict(self._headers)
        body: bytes | None = None
        if json is not None:
            merged["Content-Type"] = "application/json"
            body = msgspec.json.encode(json)
        elif isinstance(data, bytes):
            body = data
        elif data is not None:
            merged["Content-Type"] = "application/x-www-form-urlencoded"
            body = urlencode(data).encode()
        merged.update(headers or {})
        return {name: value for name, value in merged.items() if value is not None}, body


@dataclass
class _Call:
    """One request on its way through its attempts; shows neither headers nor body."""

    method: str
    url: str = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)
    timeout: tuple[float, float]
    safe: bool
    stop: threading.Event | None
    auth: bool
    paced: bool
    deadline: float
    tries: int = 0
    renewals: int = 0
    endings: int = 0
    redirects: int = 0


def _prepared(call: _Call, headers: Sealed) -> requests.PreparedRequest:
    try:
        return requests.Request(call.method, call.url, headers=headers, data=call.body).prepare()
    except (requests.RequestException, UnicodeError) as error:  # its words may hold a header
        what = f"{call.method} {scrub(call.url)} cannot be sent ({type(error).__name__})"
    raise errors.ConfigError(
        f"{what}: check the address, and that user, token and other values hold no line breaks or signs "
        "that cannot be typed"
    )


def _number(credentials: Mapping[str, str]) -> int:
    """One number for the same credentials, of which they cannot be read."""
    return hash(tuple(credentials.values()))


def _pairs(params: Params | None) -> Iterable[tuple[str, Any]]:
    if params is None:
        return ()
    listed = params.items() if isinstance(params, Mapping) else params
    return (
        (name, each)
        for name, value in listed
        for each in (value if isinstance(value, list | tuple) else [value])
    )


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
