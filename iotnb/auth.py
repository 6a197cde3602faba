"""Credentials: the fields of a login, ways to log in, and tokens that renew themselves."""

from __future__ import annotations

import base64
import binascii
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from iotnb.errors import ConfigError, LoggedOut, MissingFields
from iotnb.secret import Sealed, Secret


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One of the words that a field takes several of: what it is for, or the words that it stands for."""

    name: str
    help: str = ""
    includes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field of a platform's login: form, CLI, environment and README follow from it.

    `env` names the vendor's own environment variables, besides `IOTNB_<PLATFORM>_<NAME>`.
    A `secret` field is never stored in a profile and never shown; a `path` field names a file. A field with
    `choices` takes one of them, one with `several` any of these words, with blanks between, and others too.
    """

    name: str
    label: str
    help: str = ""
    secret: bool = False
    default: str = ""
    env: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    placeholder: str = ""
    path: bool = False
    several: tuple[Choice, ...] = field(default=(), repr=False)

    def variables(self, platform: str) -> tuple[str, ...]:
        """The environment variables that give this field, ours first."""
        return (f"IOTNB_{platform}_{self.name}".upper(), *self.env)


@dataclass(frozen=True, kw_only=True)
class Method:
    """One way to log in: the fields it needs, and those it uses when they are there."""

    name: str
    label: str
    needs: tuple[str, ...]
    uses: tuple[str, ...] = ()


CA_FILE = Field(
    name="ca_file",
    label="CA file",
    path=True,
    help="PEM file of the authority that the server's certificate comes from, when it is not a public one",
)


def choose_method(
    platform: str, fields: Sequence[Field], methods: Sequence[Method], values: Mapping[str, str | Secret]
) -> Method:
    """The way to log in that `values` allow: the one they name, or the first whose needs are all there.

    Raises MissingFields naming each missing field and the ways to give it, ConfigError for an unknown method.
    """
    wanted = str(values.get("method") or "auto")
    if wanted != "auto":
        named = next((method for method in methods if method.name == wanted), None)
        if named is None:
            names = ", ".join(["auto", *(method.name for method in methods)])
            raise ConfigError(f"{platform} has no login method {wanted!r}: use one of {names}")
        candidates: Sequence[Method] = [named]
    else:
        candidates = methods
    lacking = {method.name: [name for name in method.needs if not values.get(name)] for method in candidates}
    for method in candidates:
        if not lacking[method.name]:
            return method
    # the method of which a person gave most, the later one when tied: the plainest stands last
    nearest = max(reversed(candidates), key=lambda method: len(method.needs) - len(lacking[method.name]))
    missing = lacking[nearest.name]
    by_name = {each.name: each for each in fields}
    ways = []
    for name in missing:
        variables = " or ".join(by_name[name].variables(platform))
        ways.append(f"  {by_name[name].label}: {name}=... in connect(), or {variables} in the environment")
    ways += [
        f"  or, for {other.label}: {', '.join(lacking[other.name])}"
        for other in candidates
        if not {*lacking[other.name]} >= {*missing}
    ]
    raise MissingFields(
        f"the login to {platform} with {nearest.label} lacks {', '.join(missing)}. Give\n" + "\n".join(ways),
        missing,
    )


@dataclass(frozen=True, kw_only=True)
class Witness:
    """Who follows a login: `sent` hears of each request (method, path), `say` what a person has to do.

    What `sent` raises ends the login.
    """

    sent: Callable[[str, str], None]
    say: Callable[[str], None]


_WITNESS: ContextVar[Witness | None] = ContextVar("iotnb_witness", default=None)


@contextmanager
def witnessed(by: Witness) -> Iterator[None]:
    """Lets a witness follow what this thread does in the block."""
    before = _WITNESS.set(by)
    try:
        yield
    finally:
        _WITNESS.reset(before)


def witness() -> Witness | None:
    """The witness of what this thread is doing, if there is one."""
    return _WITNESS.get()


class Form:
    """The values of a login as a platform reads them; what nobody gave is the field's default."""

    def __init__(self, values: Mapping[str, str | Secret], fields: Sequence[Field] = ()) -> None:
        self.values: dict[str, str | Secret] = {each.name: each.default for each in fields}
        self.values |= {name: value for name, value in values.items() if value}

    def text(self, name: str) -> str:
        """A value without blanks around it, in clear; "" when it is missing."""
        value = self.values.get(name) or ""
        return (value.reveal() if isinstance(value, Secret) else str(value)).strip()

    def secret(self, name: str) -> Secret:
        """A secret as it was given, blanks and all."""
        return Secret(self.values.get(name) or "")

    def file(self, name: str) -> str:
        """The path of a file; raises ConfigError when there is none."""
        path = Path(self.text(name)).expanduser()
        if not path.is_file():
            raise ConfigError(f"{name}={str(path)!r} is no file")
        return str(path)


@dataclass(frozen=True)
class Token:
    """A token as an authorization server hands it out; `expires` is None when it is not known."""

    value: Secret
    expires: datetime | None = None
    refresh: Secret | None = None
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)


class Auth:
    """No credentials, and the base of those that have some."""

    expires: datetime | None = None

    def headers(self) -> Sealed:
        """The headers that carry the credentials, in clear: for the line that sends them."""
        return Sealed()

    def refused(self, used: Mapping[str, str]) -> bool:  # noqa: ARG002  # the base cannot renew
        """Told of a 401 to a request that carried `used`; True when another try is worthwhile."""
        return False

    def describe(self) -> dict[str, str]:
        """What may be shown: the method, the user, the expiry; never a secret."""
        return {"method": "none"}

    def secrets(self) -> list[Secret]:
        """Every secret in use, for the scrubber."""
        return []

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value}" for name, value in self.describe().items())
        return f"{type(self).__name__}({shown})"


class EndedAuth(Auth):
    """What is left after a logout: every request raises LoggedOut."""

    def __init__(self, user: str) -> None:
        self._user = user

    def headers(self) -> Sealed:
        """Raises LoggedOut."""
        raise LoggedOut(401, "", "", f"{self._user or 'this client'} was logged out: connect again")

    def describe(self) -> dict[str, str]:
        """That it ended."""
        return {"method": "logged out", "user": self._user}


class BasicAuth(Auth):
    """User and password in each request; `tenant` is put before the user as `tenant/user`."""

    def __init__(self, username: str, password: Secret, *, tenant: str = "") -> None:
        if ":" in username:
            raise ConfigError(f"a user name for Basic authentication cannot hold a colon: {username!r}")
        self.username = f"{tenant}/{username}" if tenant and "/" not in username else username
        self._password = password
        self._coded = Secret(base64.b64encode(f"{self.username}:{password.reveal()}".encode()).decode())

    def headers(self) -> Sealed:
        """One Authorization header, UTF-8 inside base64."""
        return Sealed(Authorization=f"Basic {self._coded.reveal()}")

    def describe(self) -> dict[str, str]:
        """Method and user."""
        return {"method": "Basic", "user": self.username}

    def secrets(self) -> list[Secret]:
        """The password, and the form in which it is sent."""
        return [self._password, self._coded]


class TokenAuth(Auth):
    """A token that renews itself: ahead of its expiry, and once when the server refuses it.

    `fetch` gets a new token from the server and raises what `connect` should raise. Many threads that
    find the token old cause one fetch. `early` is how many seconds before the expiry a token counts as
    old, at most half of its life.
    """

    def __init__(
        self,
        fetch: Callable[[], Token],
        *,
        method: str = "token",
        user: str = "",
        scheme: str = "Bearer",
        early: float = 60.0,
        first: Token | None = None,
        held: Sequence[Secret] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._fetch, self._method, self._user, self._scheme = fetch, method, user, scheme
        self._early, self._clock = early, clock
        self._held = list(held)
        self._lock = threading.Lock()
        self._token = first
        self._renew_at = self._moment(first)
        self._retired: list[Secret] = []
        self._fetches = 0
        self._failure: Exception | None = None
        self.renewals = 0

    @property
    def expires(self) -> datetime | None:  # type: ignore[override]  # read-only here, a plain attribute in the base
        """When the present token expires, if that is known."""
        return self._token.expires if self._token else None

    @property
    def renewing(self) -> bool:
        """Whether a token is being fetched right now."""
        return self._lock.locked()

    @property
    def failure(self) -> Exception | None:
        """Why the last fetch failed; None when it did not."""
        return self._failure

    @property
    def token(self) -> Token:
        """The present token, fetched or renewed when needed."""
        token = self._token
        if token is not None and self._clock() < self._renew_at:
            return token
        return self._renew(token)

    def headers(self) -> Sealed:
        """One Authorization header with a token that is not about to expire."""
        return Sealed(Authorization=f"{self._scheme} {self.token.value.reveal()}")

    def refused(self, used: Mapping[str, str]) -> bool:
        """Renews, unless another thread already has; True when the next try carries another token."""
        before = self._token
        if before is None or used.get("Authorization") != f"{self._scheme} {before.value.reveal()}":
            return True  # the refused request carried an older token
        return self._renew(before).value != before.value

    def describe(self) -> dict[str, str]:
        """Method, user and expiry."""
        shown = {"method": self._method, "user": self._user}
        if self.expires:
            shown["expires"] = f"{self.expires:%Y-%m-%d %H:%M:%S} UTC"
        return {name: value for name, value in shown.items() if value}

    def secrets(self) -> list[Secret]:
        """The tokens of this session and what they are fetched with."""
        return [*(_parts(self._token) if self._token else []), *self._retired, *self._held]

    def _renew(self, stale: Token | None) -> Token:
        before = self._fetches
        with self._lock:
            if self._token is not None and self._token is not stale:
                return self._token  # another thread was faster
            if self._failure is not None and self._fetches != before:
                raise self._failure  # it failed for another thread just now: a wrong password locks accounts
            self._failure = None
            try:
                fresh = self._fetch()
            except Exception as error:
                self._failure = error
                raise
            finally:
                self._fetches += 1
            if self._token is not None:
                self._retired = [*self._retired, *_parts(self._token)][-20:]
                self.renewals += 1
            self._token, self._renew_at = fresh, self._moment(fresh)
            return fresh

    def _moment(self, token: Token | None) -> float:
        if token is None:
            return float("-inf")
        if token.expires is None:
            return float("inf")
        now, end = self._clock(), token.expires.timestamp()
        if end <= now:  # this machine's clock is wrong, not the server that has just issued it
            return float("inf")
        return end - min(self._early, (end - now) / 2)


def _parts(token: Token) -> list[Secret]:
    return [token.value, token.refresh] if token.refresh else [token.value]


class BearerAuth(Auth):
    """A given bearer token; it cannot be renewed."""

    def __init__(self, token: Secret, *, scheme: str = "Bearer") -> None:
        words = token.reveal().strip().strip("\"'").split()
        if len(words) == 2 and words[0].lower() == scheme.lower():
            del words[0]  # pasted with the scheme before it
        if len(words) != 1 or not words[0].isascii() or not words[0].isprintable():
            raise ConfigError(
                "token= is no token: it must be one word of ASCII characters; copy it again, without the "
                "dots that stand for a shortened text"
            )
        self._token = Secret(words[0])
        self._scheme = scheme
        self._claims = jwt_claims(self._token)
        self.expires = jwt_expiry(self._claims)

    def headers(self) -> Sealed:
        """One Authorization header."""
        return Sealed(Authorization=f"{self._scheme} {self._token.reveal()}")

    def describe(self) -> dict[str, str]:
        """Method, the user the token names, and its expiry."""
        shown = {"method": "given token", "user": str(self._claims.get("sub", ""))}
        if self.expires:
            shown["expires"] = f"{self.expires:%Y-%m-%d %H:%M:%S} UTC"
        return {name: value for name, value in shown.items() if value}

    def secrets(self) -> list[Secret]:
        """The token."""
        return [self._token]


def jwt_claims(token: Secret) -> dict[str, Any]:
    """The claims of a JWT, not verified; empty when it is none. Takes padding and both base64 alphabets."""
    parts = token.reveal().split(".")
    if len(parts) < 2:
        return {}
    payload = parts[1].rstrip("=").replace("+", "-").replace("/", "_")
    try:
        claims = msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (binascii.Error, msgspec.DecodeError, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}


def jwt_expiry(claims: Mapping[str, Any]) -> datetime | None:
    """When a token with these claims expires, or None."""
    moment = claims.get("exp")
    if not isinstance(moment, int | float):
        return None
    try:
        return datetime.fromtimestamp(moment, UTC)
    except (OverflowError, ValueError, OSError):
        return None
