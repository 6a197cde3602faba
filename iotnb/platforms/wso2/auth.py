"""Logging in to WSO2 IoT Server: the fields, the four ways, and the proof that a gateway answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from iotnb import auth, errors
from iotnb.auth import BearerAuth, Choice, Field, Method
from iotnb.errors import ConfigError, IotnbError
from iotnb.platforms.wso2 import address, moments, oauth, refusals, scopes
from iotnb.platforms.wso2.gateway import Gateway
from iotnb.platforms.wso2.oauth import Application, Credentials, Door, Person, RenewingAuth
from iotnb.secret import Secret
from iotnb.session import Settings

PROBE = "/api/device-mgt/v1.0/device-types"
APPLICATION, TAGS, SCOPES = "iotnb", "device_agent device_management", "explore"

FIELDS = (
    Field(
        name="base_url",
        label="Address",
        help="Address of the API gateway, where applications also register and tokens are issued.",
        placeholder="https://localhost:8243",
    ),
    Field(
        name="gateway_url",
        label="API gateway",
        help="Address of the gateway, where the address above is that of the server itself (port 9443).",
        placeholder="https://localhost:8243",
    ),
    Field(name="username", label="User", help="A tenant's user is user@tenant.domain."),
    Field(name="password", label="Password", secret=True),
    Field(
        name="application_name",
        label="Application",
        help="Name under which an application is registered; the same name gives the same keys.",
        default=APPLICATION,
    ),
    Field(
        name="tags",
        label="Tags",
        help="APIs to subscribe to: device types, device_management, device_agent, scep_management.",
        default=TAGS,
    ),
    Field(
        name="scopes",
        label="Scopes",
        help="Scopes to ask for, or explore, all, tutorial; what is not allowed is dropped silently.",
        default=SCOPES,
        several=tuple(
            [
                Choice(name=name, help=scopes.MEANING[name], includes=names)
                for name, names in scopes.SETS.items()
            ]
            + [Choice(name=name, help=each.opens) for name, each in scopes.KNOWN.items()]
        ),
    ),
    Field(name="client_id", label="Client ID", help="Of an application that is registered already."),
    Field(name="client_secret", label="Client secret", secret=True),
    Field(
        name="refresh_token",
        label="Refresh token",
        help="Of an earlier login; renews the token without the password.",
        secret=True,
    ),
    Field(name="token", label="Token", help="An access token that you have already.", secret=True),
    Field(
        name="server_tz",
        label="Server's time zone",
        help="Zone of the server, which writes the times of operations without one.",
        default="UTC",
    ),
    Field(
        name="method",
        label="Method",
        help="client logs in the application alone, without a user.",
        default="auto",
        choices=("auto", "token", "refresh", "password", "client"),
    ),
)

_ANY = ("gateway_url", "server_tz")
METHODS = (
    Method(
        name="token",
        label="a given token",
        needs=("base_url", "token"),
        uses=("refresh_token", "client_id", "client_secret", "scopes", *_ANY),
    ),
    Method(
        name="refresh",
        label="a refresh token",
        needs=("base_url", "client_id", "client_secret", "refresh_token"),
        uses=("scopes", *_ANY),
    ),
    Method(
        name="client",
        label="client id and secret alone",
        needs=("base_url", "client_id", "client_secret"),
        uses=("scopes", *_ANY),
    ),
    Method(
        name="password",
        label="user and password",
        needs=("base_url", "username", "password"),
        uses=("application_name", "tags", "scopes", "client_id", "client_secret", *_ANY),
    ),
)


@dataclass
class Login:
    """A login that the platform has accepted; `credentials` is None for a token that cannot be renewed."""

    session: Gateway
    door: Door
    method: str
    user: str
    server_tz: str
    asked: tuple[str, ...]
    credentials: Credentials | None = None

    @property
    def others(self) -> tuple[Gateway, ...]:
        """The session with the server itself, where that is another one."""
        other = self.door.session
        return (other,) if isinstance(other, Gateway) and other is not self.session else ()


def login(
    values: Mapping[str, str | Secret],
    *,
    settings: Settings | None = None,
    clock: Callable[[], float] = time.time,
) -> Login:
    """Logs in with the fields of `FIELDS`; the gateway is asked without credentials first.

    `clock` decides when a token is old. Raises MissingFields or ConfigError for what is missing or cannot be
    right, Unauthorized for wrong credentials, ConnectionFailed if nobody answers.
    """
    settings = settings or Settings()
    form = _Form(values)
    method = _method(values, form)
    places = address.places(form.text("base_url"), form.text("gateway_url"), verify=settings.verify)
    session = Gateway(places.gateway, settings=settings)
    tokens = session
    if places.tokens != places.gateway:
        tokens = Gateway(places.tokens, settings=settings)
        tokens.exchanges, tokens.counters = session.exchanges, session.counters
    door = Door(tokens, token_path=places.token_path, revoke_path=places.revoke_path)
    made = Login(
        session=session,
        door=door,
        method=method.name,
        user=form.user(method.name),
        server_tz=form.zone,
        asked=form.scopes,
    )
    try:
        _probe(session)
        if tokens is not session:
            _probe_tokens(tokens, places.token_path)
        _enter(made, form, clock)
    except BaseException:
        for each in {session, tokens}:
            each.close()
        raise
    return made


def _method(values: Mapping[str, str | Secret], form: _Form) -> Method:
    """The method; user and password before the application alone, where both are there."""
    wanted = dict(values)
    whole = all(form.text(name) for name in ("username", "password"))
    tokens = any(form.text(name) for name in ("token", "refresh_token"))
    if form.text("method") in {"", "auto"} and whole and not tokens:
        wanted["method"] = "password"
    return auth.choose_method("wso2", FIELDS, METHODS, wanted)


class _Form(auth.Form):
    """The values of a login, checked one by one."""

    def __init__(self, values: Mapping[str, str | Secret]) -> None:
        super().__init__(values)
        self.zone = moments.zone(self.text("server_tz")).key
        self.scopes = scopes.asked(self.text("scopes") or SCOPES)
        self.tags = (self.text("tags") or TAGS).replace(",", " ").split()
        if bool(self.text("client_id")) != bool(self.text("client_secret")):
            given, lacking = (
                ("client_id", "client_secret")
                if self.text("client_id")
                else (
                    "client_secret",
                    "client_id",
                )
            )
            raise ConfigError(f"{given}= is given without {lacking}=: give both, or neither")

    def user(self, method: str) -> str:
        """Who logs in with a method, to be shown."""
        if method == "password":
            return self.text("username")
        return self.text("client_id") or "a given token"

    @property
    def application(self) -> Application | None:
        if not self.text("client_id"):
            return None
        return Application(self.text("client_id"), self.secret("client_secret"))

    @property
    def registration(self) -> dict[str, Any]:
        name = self.text("application_name") or APPLICATION
        return {"applicationName": name, "tags": self.tags, "isAllowedToAllDomains": False}


def _enter(made: Login, form: _Form, clock: Callable[[], float]) -> None:
    """Gets the first token, or shows the given one to the gateway."""
    if made.method == "token" and not (form.text("refresh_token") and form.text("client_id")):
        given = BearerAuth(form.secret("token"))
        made.session.auth = given
        _show(made.session)
        return
    person = Person(form.text("username"), form.secret("password")) if made.method == "password" else None
    refresh = form.secret("refresh_token") if made.method in {"token", "refresh"} else None
    application = form.application
    credentials = Credentials(
        made.door,
        asked=form.scopes,
        person=person,
        application=application,
        registration=form.registration if person is not None and application is None else None,
        refresh=refresh,
        clock=clock,
    )
    first = auth.Token(form.secret("token"), refresh=refresh) if made.method == "token" else None
    label = {"password": "password grant", "client": "client credentials", "refresh": "refresh token"}
    renewing = RenewingAuth(
        credentials, method=label.get(made.method, "given token"), user=made.user, first=first, clock=clock
    )
    made.credentials = credentials
    made.session.auth = renewing
    made.session.granted = lambda: credentials.granted
    for other in made.others:
        other.auth = renewing
    if first is not None:
        _show(made.session)
    else:
        _ = renewing.token


def _show(session: Gateway) -> None:
    """Asks for something small with a given token: a 403 shows that it is alive, too."""
    session.get(PROBE, expect={403})


def _probe(session: Gateway) -> None:
    """Proof that a gateway of WSO2 answers, before any secret is sent there."""
    try:
        answer = session.get(PROBE, auth=False, expect={401, 403})
    except (errors.RequestError, errors.BadAnswer) as error:
        raise _foreign(session, str(error).splitlines()[0]) from None
    if not oauth.gateway_says(answer.body):
        raise _foreign(session, f"{answer.status} GET {PROBE} without the gateway's own words")


def _probe_tokens(session: Gateway, path: str) -> None:
    """The same for the server's own port: it refuses a token request that holds nothing."""
    try:
        answer = session.post(path, data={"grant_type": ""}, auth=False, expect={400, 401}, retry=True)
    except (errors.RequestError, errors.BadAnswer) as error:
        raise _foreign(session, str(error).splitlines()[0]) from None
    if "error" not in (refusals.read(answer.body).document or {}):
        raise _foreign(session, f"{answer.status} POST {path} without the words of a token endpoint")


def _foreign(session: Gateway, words: str) -> IotnbError:
    return ConfigError(
        f"{session.base_url} does not answer as the API gateway of WSO2 IoT Server does ({words}). Give "
        f"base_url as the gateway's address, like https://host:{address.GATEWAY_PORT}"
    )
