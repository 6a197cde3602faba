"""Logging in to IoTConnect: the fields, the ways, and who the token says one is."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from iotnb import auth
from iotnb.auth import Auth, BearerAuth, Field, Method, Token, TokenAuth
from iotnb.errors import ConfigError, MissingFields
from iotnb.platforms.iotconnect import address
from iotnb.platforms.iotconnect.address import EDITIONS, Edition
from iotnb.platforms.iotconnect.api.modules import Modules
from iotnb.platforms.iotconnect.entry import Credentials, account, discover
from iotnb.secret import Secret
from iotnb.session import Session, Settings

EARLY = 600.0  # seconds before its end that a token counts as old: it lives for a day
WORKERS = 4  # requests at once: the platform names no limit, and throttles where it does

_LABELS = {
    "auth_url": "Authentication address",
    "device_url": "Devices address",
    "user_url": "Users address",
    "telemetry_url": "Telemetry address",
    "firmware_url": "Firmware address",
    "event_url": "Events address",
}
_URLS = tuple(_LABELS)

FIELDS = (
    Field(
        name="discovery_url",
        label="Discovery",
        help="Where the addresses of all modules are asked for.",
        default=address.DISCOVERY,
    ),
    Field(
        name="solution_key",
        label="Solution key",
        help="Names your subscription; comes by a support ticket.",
        secret=True,
    ),
    Field(
        name="environment",
        label="Environment",
        help="As the vendor names it: poc, prod, avnet ...",
        default="poc",
    ),
    Field(
        name="edition",
        label="Edition",
        help="The platform on AWS (v2.1) or Azure (v2), or the one of 2020. auto asks for the first two.",
        default="auto",
        choices=("auto", *EDITIONS),
    ),
    Field(name="username", label="User", help="The e-mail address."),
    Field(name="password", label="Password", secret=True),
    Field(name="token", label="Token", help="An access token (JWT) that you have already.", secret=True),
    Field(
        name="refresh_token",
        label="Refresh token",
        help="Renews the given token; each works once.",
        secret=True,
    ),
    *(
        Field(
            name=name,
            label=label,
            help=f"Base URL of the module {name.removesuffix('_url')}, in place of the discovered one.",
            placeholder=f"https://{name.removesuffix('_url')}.iotconnect.io/api/v2",
        )
        for name, label in _LABELS.items()
    ),
    Field(name="method", label="Method", default="auto", choices=("auto", "token", "password")),
)

_PLACE = ("environment", "edition", *_URLS)
METHODS = (
    Method(
        name="token",
        label="a given token",
        needs=("token",),
        uses=("discovery_url", "solution_key", "refresh_token", *_PLACE),
    ),
    Method(
        name="password",
        label="user and password",
        needs=("discovery_url", "solution_key", "username", "password"),
        uses=_PLACE,
    ),
)


@dataclass
class Login:
    """A login that the platform has accepted; `account` is what the token says of it, without the key."""

    modules: Modules
    method: str
    user: str
    environment: str
    edition: str
    account: dict[str, str] = field(default_factory=dict)
    credentials: Credentials | None = None


def login(
    values: Mapping[str, str | Secret],
    *,
    settings: Settings | None = None,
    clock: Callable[[], float] = time.time,
) -> Login:
    """Finds the modules, and logs in with the fields of `FIELDS`.

    `clock` (seconds since 1970) decides when a token is old. Raises MissingFields or ConfigError for what is
    missing or cannot be right, Unauthorized for a wrong key, user or password, ConnectionFailed.
    """
    given = settings or Settings()
    form = _Form(values, given)
    method = auth.choose_method("iotconnect", FIELDS, METHODS, form.values).name
    opened: list[Session] = []
    try:
        urls, edition = _addresses(form, given, opened)
        if not all(map(address.local, urls.values())):  # a sandbox is nobody else's
            given = replace(given, workers=min(given.workers, WORKERS))
        sessions: dict[str, Session] = {}
        for url in urls.values():
            if url not in sessions:
                sessions[url] = _session(url, Auth(), given, opened)
        door = sessions[urls["auth"]]
        credentials = _credentials(method, form, door, clock)
        common = _auth(method, form, credentials, clock)
        for session in sessions.values():
            session.auth = common
        claims = _proven(method, form, door)
        about = account(claims)
        modules = Modules({name: sessions[url] for name, url in urls.items()}, edition=edition.name)
        modules.role = about.get("role", "")
        return Login(
            modules=modules,
            method=method,
            user=about.get("user") or form.text("username") or "token",
            environment=form.text("environment"),
            edition=edition.name,
            account=about,
            credentials=credentials,
        )
    except BaseException:
        for each in opened:
            each.close()
        raise


class _Form(auth.Form):
    """The values of a login, those of `FIELDS` where they are missing, checked one by one."""

    def __init__(self, values: Mapping[str, str | Secret], settings: Settings) -> None:
        super().__init__(values, FIELDS)
        self.urls = {
            name.removesuffix("_url"): address.checked(self.text(name), name=name, verify=settings.verify)
            for name in _URLS
            if self.text(name)
        }
        self.discovery = address.checked(
            self.text("discovery_url"), name="discovery_url", verify=settings.verify
        )
        wanted = self.text("edition")
        if wanted not in {"auto", *EDITIONS}:
            raise ConfigError(f"edition={wanted!r} is not one of auto, {', '.join(EDITIONS)}")
        self.editions = tuple(EDITIONS.values())[:2] if wanted == "auto" else (EDITIONS[wanted],)


def _session(url: str, credentials: Auth, settings: Settings, opened: list[Session]) -> Session:
    """A session with one module; what happened on all of them is one list, in the order it happened."""
    made = Session(url, auth=credentials, settings=settings, pace=opened[0].pace if opened else None)
    if opened:
        made.exchanges, made.counters = opened[0].exchanges, opened[0].counters
    opened.append(made)
    return made


def _addresses(form: _Form, settings: Settings, opened: list[Session]) -> tuple[dict[str, str], Edition]:
    """Module -> base URL, and the edition: discovered, unless the two that every login needs are given."""
    found: dict[str, str] = {}
    edition = form.editions[0]
    if not {"auth", "device"} <= form.urls.keys():
        key = form.secret("solution_key")
        if not key:
            raise MissingFields(
                "without solution_key=... (IOTNB_IOTCONNECT_SOLUTION_KEY) nobody can tell where your modules "
                "are; or give auth_url=... and device_url=...",
                ["solution_key"],
            )
        session = _session(form.discovery, Auth(), settings, opened)
        found, edition = discover(session, key, form.text("environment"), form.editions)
        session.close()  # nothing else is asked there
        for name, url in found.items():
            found[name] = address.checked(url, name=f"{name}BaseUrl of discovery", verify=settings.verify)
    urls = {name: address.versioned(url, name, edition) for name, url in {**found, **form.urls}.items()}
    named = next((each for each in EDITIONS.values() if urls["device"].endswith(f"/{each.version}")), edition)
    return urls, named


def _credentials(method: str, form: _Form, door: Session, clock: Callable[[], float]) -> Credentials | None:
    """What fetches tokens; None for a given token that nothing renews."""
    if method == "token" and not form.text("refresh_token"):
        return None
    known = method == "password"
    made = Credentials(
        door,
        key=form.secret("solution_key"),
        user=form.text("username") if known else "",
        password=form.secret("password") if known else Secret(""),
        clock=clock,
    )
    if not known:
        made.refresh = form.secret("refresh_token")
    return made


def _auth(method: str, form: _Form, credentials: Credentials | None, clock: Callable[[], float]) -> Auth:
    """The credentials that all modules share; nothing is asked for yet."""
    if credentials is None:
        return BearerAuth(form.secret("token"))
    first = None
    if method == "token":
        value = form.secret("token")
        claims = auth.jwt_claims(value)
        first = Token(value, expires=auth.jwt_expiry(claims), refresh=credentials.refresh, claims=claims)
    return TokenAuth(
        credentials,
        method=method if method == "password" else "given token",
        user=form.text("username"),
        early=EARLY,
        first=first,
        held=credentials.secrets(),
        clock=clock,
    )


def _proven(method: str, form: _Form, door: Session) -> Mapping[str, Any]:
    """The claims of a token that the server knows: a new one, or the given one."""
    if method == "token":
        door.get("/Auth/verify-token")  # 401: it has ended
    if isinstance(door.auth, TokenAuth):
        return door.auth.token.claims
    return auth.jwt_claims(form.secret("token"))
