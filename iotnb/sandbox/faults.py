"""Trouble on demand: every platform of a sandbox can be made slow, strict, forgetful or broken.

Settings come from Python (`sandbox.faults.set("cumulocity", latency=0.1)`), from text
(`"latency=0.1,fail_every=7"`) and over the control endpoint. Counters decide, not chance, so that a
sequence of requests meets the same faults each time.
"""

import math
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from email.utils import formatdate
from typing import Any, Literal

from iotnb.sandbox.errors import SandboxError
from iotnb.sandbox.fleet.noise import stream, unit

Action = Literal["", "drop", "cut", "garble"]
_PAGE = re.compile(r"(?:^|&)(?:currentPage|page|pageNumber|pageNo)=(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultSettings:
    """What goes wrong; the defaults are a server without faults."""

    path: str | None = None
    """Regular expression that a request's path must match for any fault to apply to it."""
    latency: float = 0.0
    """Seconds before the answer begins."""
    jitter: float = 0.0
    """Up to so many seconds more."""
    gzip: bool = True
    """Compress answers for clients that accept it."""
    bandwidth: float | None = None
    """Bytes a second for the body of one answer."""
    slow_body: float = 0.0
    """Seconds over which a body drips out in ten pieces."""
    rate_limit: float | None = None
    """Requests a second; above it 429."""
    retry_after: Literal["seconds", "date"] | None = "seconds"
    """The form of Retry-After on 429; None leaves it out."""
    html: bool = False
    """429 and 503 with the HTML page of a gateway instead of JSON."""
    fail_every: int | None = None
    """503 on every n-th request."""
    fail_page: int | None = None
    """503 once on page n of each query (the page number in its parameters)."""
    drop_every: int | None = None
    """Every n-th connection is reset in the middle of the body."""
    cut_every: int | None = None
    """Every n-th body ends half way, with a clean close before the announced length is reached."""
    garble_every: int | None = None
    """Every n-th body is only the first half, with a Content-Length that agrees: broken JSON."""
    revoke_every: int | None = None
    """The bearer token of every n-th request that has one is revoked just before it is served."""
    token_seconds: float | None = None
    """Life of new tokens."""
    truncate: int = 5000
    """How many rows an answer that cuts silently may hold (read by the platforms)."""
    cost_per_skipped_row: float = 0.0
    """Seconds that each row skipped by a page number costs (read by the platforms)."""


_TRUE, _FALSE = ("true", "on", "yes", "1"), ("false", "off", "no", "0")


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).lower()
    if text not in (*_TRUE, *_FALSE):
        raise ValueError("true or false")
    return text in _TRUE


def _float(value: Any) -> float:
    if isinstance(value, bool) or not math.isfinite(number := float(value)) or number < 0:
        raise ValueError("a number that is not negative")
    return number


def _rate(value: Any) -> float:
    number = _float(value)
    if number == 0:
        raise ValueError("a number above 0")
    return number


def _int(value: Any) -> int:
    if isinstance(value, bool) or int(str(value)) < 1:
        raise ValueError("a whole number from 1 up")
    return int(str(value))


def _retry_after(value: Any) -> Any:
    if value not in ("seconds", "date"):
        raise ValueError("seconds, date or none")
    return value


def _pattern(value: Any) -> str:
    try:
        re.compile(str(value))
    except re.error as error:
        raise ValueError(f"a regular expression ({error})") from None
    return str(value)


_PARSERS: dict[str, Callable[[Any], Any]] = {
    "path": _pattern,
    "latency": _float,
    "jitter": _float,
    "gzip": _bool,
    "bandwidth": _rate,
    "slow_body": _float,
    "rate_limit": _rate,
    "retry_after": _retry_after,
    "html": _bool,
    "fail_every": _int,
    "fail_page": _int,
    "drop_every": _int,
    "cut_every": _int,
    "garble_every": _int,
    "revoke_every": _int,
    "token_seconds": _rate,
    "truncate": _int,
    "cost_per_skipped_row": _float,
}
_OFF = FaultSettings()  # what None means; for retry_after it means to leave the header out


def checked(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with their proper types; SandboxError names what is wrong and what to write."""
    out = {}
    for name, value in settings.items():
        if name not in _PARSERS:
            raise SandboxError(f"there is no fault {name!r}; write one of {', '.join(sorted(_PARSERS))}")
        if value is None or (isinstance(value, str) and value.lower() in ("", "none")):
            out[name] = None if name == "retry_after" else getattr(_OFF, name)
            continue
        try:
            out[name] = _PARSERS[name](value)
        except ValueError as error:
            wanted = (
                str(error)
                if "invalid literal" not in str(error) and "convert" not in str(error)
                else "a number"
            )
            raise SandboxError(f"fault {name}={value!r} cannot be: write {wanted}") from None
    return out


def parse(text: str) -> dict[str, Any]:
    """The settings in a text such as `latency=0.1,fail_every=7`; SandboxError if it is not of that form."""
    pairs = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, equals, value = part.partition("=")
        if not equals:
            raise SandboxError(
                f"faults are name=value pairs with commas between, not {part!r}: latency=0.1,fail_every=7"
            )
        pairs[name.strip()] = value.strip()
    return checked(pairs)


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens to one request."""

    delay: float = 0.0
    status: int = 0
    """429 or 503 instead of an answer, 0 for none."""
    retry_after: str | None = None
    html: bool = False
    revoke: bool = False
    action: Action = ""
    gzip: bool = True
    bandwidth: float | None = None
    slow_body: float = 0.0

    @property
    def name(self) -> str:
        """What the request log says."""
        words = [str(self.status)] if self.status else []
        return "+".join(
            [*words, *(["revoke"] if self.revoke else []), *([self.action] if self.action else [])]
        )


_NOTHING = Plan()


class PlatformFaults:
    """The faults of one platform: settings, counters, and the plan for each request."""

    def __init__(self, *, seed: int = 1) -> None:
        self._lock = threading.Lock()
        self._key = stream(seed, "jitter")
        self._start(FaultSettings())
        self.counts: Counter[str] = Counter()

    def _start(self, settings: FaultSettings) -> None:
        self.settings = settings
        self._pattern = re.compile(settings.path) if settings.path else None
        self._requests = self._answers = self._bearers = 0
        self._failed_pages: set[str] = set()
        self._credit, self._credit_at = max(1.0, settings.rate_limit or 1.0), time.monotonic()

    def set(self, **settings: Any) -> None:
        """Change some settings and begin counting anew; SandboxError if one is wrong."""
        good = checked(settings)
        with self._lock:
            self._start(replace(self.settings, **good))

    def clear(self) -> None:
        """No faults, counters at zero."""
        with self._lock:
            self._start(FaultSettings())
            self.counts.clear()

    def describe(self) -> dict[str, Any]:
        """The settings that differ from the defaults."""
        standard = asdict(FaultSettings())
        return {name: value for name, value in asdict(self.settings).items() if value != standard[name]}

    def plan(self, method: str, path: str, query: str, *, bearer: bool) -> Plan:
        """What happens to the next request; counts it."""
        settings = self.settings
        if self._pattern is not None and not self._pattern.search(path):
            return replace(_NOTHING, gzip=settings.gzip)
        with self._lock:
            plan = self._plan(settings, f"{method} {path}?{query}", query, bearer)
            self.counts["requests"] += 1
            if plan.name:
                self.counts.update(plan.name.split("+"))
        return plan

    def _plan(self, settings: FaultSettings, target: str, query: str, bearer: bool) -> Plan:
        self._requests += 1
        number = self._requests
        delay = settings.latency + settings.jitter * unit(self._key, number)
        wait = self._wait(settings.rate_limit)
        if wait > 0:
            return Plan(delay, 429, _retry_header(settings.retry_after, wait), settings.html)
        if _due(settings.fail_every, number) or self._page_fails(settings.fail_page, target, query):
            return Plan(delay, 503, None, settings.html)
        self._bearers += bearer
        self._answers += 1
        every: tuple[tuple[Action, int | None], ...] = (
            ("drop", settings.drop_every),
            ("cut", settings.cut_every),
            ("garble", settings.garble_every),
        )
        action: Action = next((name for name, n in every if _due(n, self._answers)), "")
        return Plan(
            delay=delay,
            revoke=bearer and _due(settings.revoke_every, self._bearers),
            action=action,
            gzip=settings.gzip,
            bandwidth=settings.bandwidth,
            slow_body=settings.slow_body,
        )

    def _wait(self, rate: float | None) -> float:
        """Seconds until the next request is allowed (0: now); the bucket holds one second's worth."""
        if rate is None:
            return 0.0
        at = time.monotonic()
        self._credit = min(max(1.0, rate), self._credit + (at - self._credit_at) * rate)
        self._credit_at = at
        if self._credit < 1.0:
            return (1.0 - self._credit) / rate
        self._credit -= 1.0
        return 0.0

    def _page_fails(self, page: int | None, target: str, query: str) -> bool:
        if page is None or target in self._failed_pages:
            return False
        found = _PAGE.search(query)
        if (int(found[1]) if found else 1) != page:
            return False
        self._failed_pages.add(target)
        return True


def _due(every: int | None, number: int) -> bool:
    return every is not None and number % every == 0


def _retry_header(form: str | None, wait: float) -> str | None:
    seconds = max(1, math.ceil(wait))
    if form == "date":
        return formatdate(time.time() + seconds, usegmt=True)
    return str(seconds) if form == "seconds" else None


class Faults:
    """The faults of all platforms of a sandbox, by name."""

    def __init__(self, platforms: Iterable[str], *, seed: int = 1) -> None:
        self._platforms = {name: PlatformFaults(seed=seed) for name in platforms}

    def __getitem__(self, platform: str) -> PlatformFaults:
        try:
            return self._platforms[platform]
        except KeyError:
            known = ", ".join(self._platforms)
            raise SandboxError(f"this sandbox has no platform {platform!r}, only {known}") from None

    def set(self, platform: str | None = None, **settings: Any) -> None:
        """Change settings of one platform (None: of all) and count anew; SandboxError if one is wrong."""
        good = checked(settings)
        for faults in self._platforms.values() if platform is None else (self[platform],):
            faults.set(**good)

    def clear(self, platform: str | None = None) -> None:
        """Take all faults away from one platform (None: from all)."""
        for faults in self._platforms.values() if platform is None else (self[platform],):
            faults.clear()
