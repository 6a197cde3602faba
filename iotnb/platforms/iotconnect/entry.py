"""The way in: discovery of the modules, the basic token, the login, and the refresh that each works once."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

from iotnb import auth, errors
from iotnb.auth import Auth, Token
from iotnb.errors import ConfigError, RequestError
from iotnb.platforms.iotconnect.address import MODULES, Edition
from iotnb.platforms.iotconnect.refusals import again
from iotnb.secret import MASK, Sealed, Secret, scrub
from iotnb.session import Answer, Session

TRIES = 7  # more of them for discovery, which fails now and then; none where the user wants none
NAMED = {f"{name.lower()}baseurl": name for name in MODULES}
BACK = "Log in again: the refresh token has been used, has expired, or was ended."


class KeyAuth(Auth):
    """No credentials, but the solution key is kept out of everything that is shown."""

    def __init__(self, key: Secret) -> None:
        self._key = key

    def secrets(self) -> list[Secret]:
        """The solution key."""
        return [self._key] if self._key else []


def discover(
    session: Session, key: Secret, environment: str, editions: Sequence[Edition]
) -> tuple[dict[str, str], Edition]:
    """Module -> base URL as discovery tells it, for the first edition that knows the key.

    Raises Unauthorized for a key that none knows, ConfigError when something else than discovery answers.
    """
    session.auth = KeyAuth(key)
    if session.settings.retries:
        session.settings = replace(session.settings, retries=max(session.settings.retries, TRIES))
    where = _Path(f"/api/uisdk/solutionkey/{quote(key.reveal(), safe='')}/env/{quote(environment, safe='')}")
    answer, words = None, ""
    for edition in editions:
        with _hushed(key):
            answer = session.get(where, params=edition.query, expect=_REFUSALS)
        document = _object(answer)
        data = document.get("data") if document is not None else None
        if document is None or "data" not in document or not isinstance(data, Mapping | None):
            raise ConfigError(
                f"{session.host} does not answer as discovery does ({answer.status}): check discovery_url. "
                "The addresses of your modules can also be given: auth_url=... and device_url=..."
            )
        found = _modules(data or {})
        if answer.status < 400 and {"auth", "device"} <= found.keys():
            return found, edition
        words = words or str(document.get("message") or "")
    asked = ", ".join(each.name for each in editions)
    raise errors.Unauthorized(
        answer.status if answer else 0,
        "GET",
        "/api/uisdk/solutionkey/...",
        words or "no addresses",
        hint=f"The solution key is not known in the environment {environment!r} of the edition {asked}: "
        "check solution_key, environment and edition.",
    )


class _Path(str):
    """A path that holds the solution key: a traceback with values shows it masked."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(f"/api/uisdk/solutionkey/{MASK}/env/...")


@contextmanager
def _hushed(key: Secret) -> Iterator[None]:
    """Keeps the key out of the log of the library below, which writes every path at level DEBUG."""
    library = logging.getLogger("urllib3.connectionpool")

    def blank(record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(scrub(each, [key]) if isinstance(each, str) else each for each in record.args)
        return True

    library.addFilter(blank)
    try:
        yield
    finally:
        library.removeFilter(blank)


_REFUSALS = frozenset(range(400, 500)) - {408, 429}


def _object(answer: Answer) -> dict[str, Any] | None:
    try:
        document = answer.json()
    except errors.BadAnswer:
        return None
    return document if isinstance(document, dict) else None


def _modules(data: Mapping[str, Any]) -> dict[str, str]:
    """The base URLs of the modules that are spoken to; names are compared without their case."""
    return {
        NAMED[name.lower()]: url
        for name, url in data.items()
        if name.lower() in NAMED and isinstance(url, str) and url
    }


class Credentials:
    """Fetches tokens: by refresh while that works, otherwise by a login, if there is a password."""

    def __init__(
        self,
        session: Session,
        *,
        key: Secret,
        user: str = "",
        password: Secret,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.session = session
        self._key, self._user, self._password, self._clock = key, user, password, clock
        self.refresh: Secret | None = None

    def secrets(self) -> list[Secret]:
        """The password and the solution key, where they are known."""
        return [each for each in (self._password, self._key) if each]

    def forget(self) -> None:
        """Forgets all secrets: there are no further tokens."""
        self._key = self._password = Secret("")
        self.refresh = None

    def __call__(self) -> Token:
        """A new token; raises Unauthorized when the session has ended and nothing is left to renew it."""
        if self.refresh:
            try:
                return self.taken(self.renew(self.refresh))
            except (errors.Conflict, errors.Unauthorized, errors.NotFound, errors.Invalid) as error:
                self.refresh = None
                dead = again(
                    error, errors.Unauthorized, words=f"the session has ended ({_said(error)})", hint=BACK
                )
            if not self._password:
                raise dead from None
        if not self._password:
            raise errors.Unauthorized(401, "", "", "the session has ended", hint=BACK)
        return self.taken(self.log_in(self.basic_token()))

    def basic_token(self) -> Secret:
        """What names the caller in the next request; given to everybody."""
        answer = self.session.get("/Auth/basic-token", auth=False, expect={404})
        document = _object(answer)
        token = (document or {}).get("data")
        if answer.status >= 400 or not isinstance(token, str) or not token:
            raise ConfigError(
                f"{self.session.base_url} does not answer as the auth module does ({answer.status}): check "
                "auth_url and the edition"
            )
        return Secret(token)

    def log_in(self, basic: Secret) -> Sealed:
        """The answer to user and password, whole; raises Unauthorized."""
        headers = Sealed({"Authorization": f"Basic {basic.reveal()}", "solution-key": self._key.reveal()})
        body = Sealed(username=self._user, password=self._password.reveal())
        try:  # a login creates nothing: it may be repeated
            answer = self.session.post("/Auth/login", json=body, headers=headers, auth=False, retry=True)
        except errors.Unauthorized as error:
            hint = (
                "User name, password or solution key is wrong, or the user may not enter this solution: "
                "check username, password and solution_key."
            )
            raise again(error, errors.Unauthorized, hint=hint) from None
        return self._tokens(answer)

    def renew(self, refresh: Secret) -> Sealed:
        """The answer to a refresh token, whole, with the next one in it; the old one is used up."""
        body = Sealed(refreshtoken=refresh.reveal())
        return self._tokens(self.session.post("/Auth/refresh-token", json=body, auth=False, retry=True))

    def taken(self, answer: Mapping[str, Any]) -> Token:
        """A token from an answer; the next refresh token is kept for the next time."""
        value = Secret(answer["access_token"])
        claims = auth.jwt_claims(value)
        life = answer.get("expires_in")
        if isinstance(life, int | float) and life > 0:  # the server's own measure: clocks may differ
            expires: datetime | None = datetime.fromtimestamp(self._clock() + life, UTC)
        else:
            expires = auth.jwt_expiry(claims)
        refresh = answer.get("refresh_token")
        self.refresh = Secret(refresh) if isinstance(refresh, str) and refresh else None
        return Token(value=value, expires=expires, refresh=self.refresh, claims=claims)

    def _tokens(self, answer: Answer) -> Sealed:
        document = Sealed(_object(answer) or {})
        if not isinstance(document.get("access_token"), str):
            path = urlsplit(answer.url).path
            raise errors.BadAnswer(
                f"{answer.status} {answer.method} {path}: the answer holds no access_token"
            )
        return document


def _said(error: RequestError) -> str:
    return f"{error.status}: {error.words}" if error.words else str(error.status)


def account(claims: Mapping[str, Any]) -> dict[str, str]:
    """Who a token says one is: user, role, entity, company, cpid, solution; never the solution key."""
    about = claims.get("user")
    named = {
        "user": "userId",
        "role": "roleName",
        "entity": "entityGuid",
        "company": "companyId",
        "cpid": "cpId",
        "solution": "solutionGuid",
    }
    held = about if isinstance(about, Mapping) else {}
    return {ours: str(held[theirs]) for ours, theirs in named.items() if held.get(theirs)}
