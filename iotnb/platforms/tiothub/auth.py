"""Logging in to T IoT Hub: the fields, the client credentials in both styles, tenant and rights."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from iotnb import auth, errors
from iotnb.auth import BasicAuth, Field, Method, Token, TokenAuth
from iotnb.errors import ConfigError, MissingFields
from iotnb.platforms.tiothub import address
from iotnb.platforms.tiothub.api import DIALECTS, Api, Dmo
from iotnb.secret import Sealed, Secret
from iotnb.session import Session, Settings

EARLY = 10.0  # seconds before its end that a token counts as old: it lives for 300
CMO_RATE = 10.0  # requests a second that the strictest backend takes
FORM_SCOPE = "openid"  # the tutorial sends it with the form style; the header style sends none

FIELDS = (
    Field(
        name="token_url",
        label="Token URL",
        help="Token Issuer URL of Application Access Management.",
        placeholder="https://iam.example.com/auth/realms/iothub/protocol/openid-connect/token",
    ),
    Field(
        name="dmo_url",
        label="DMO URL",
        help="API URL of device management, with the tenant at its end; host and tenant apart will do too.",
        placeholder="https://myiot-t.com/api-gw/device-management-orchestrator/v3/eos",
    ),
    Field(
        name="cmo_url",
        label="CMO URL",
        help="API URL of connection management. Without it there are no SIMs.",
        placeholder="https://myiot-t.com/api-gw/connection-management-orchestrator/v5/eos",
    ),
    Field(
        name="tenant",
        label="Tenant",
        help="Name of the tenant. Read from the URL or the token where they say it.",
        placeholder="eos",
    ),
    Field(name="client_id", label="Client ID", help="From Application access management."),
    Field(name="client_secret", label="Client secret", secret=True),
    Field(
        name="client_authentication",
        label="Client authentication",
        help="Where id and secret are sent: form fields, or a Basic header. auto tries both.",
        default="auto",
        choices=("auto", "form", "basic"),
    ),
    Field(name="scope", label="Scope", help="Scopes to ask for; the platform adds its own."),
    Field(
        name="origin",
        label="Application ID",
        help="X-M2M-Origin: the id of your registered application. It begins with C.",
        default="Ciotnb",
    ),
    Field(
        name="application_type",
        label="Application type",
        help="App-ID under which the application is registered. It begins with N.",
        default="Niotnb",
    ),
    Field(
        name="dialect",
        label="Paging",
        help="How lists are paged: dmo (limit, offset), skip (X-M2M-CTS headers) or one-based (lim, ofst).",
        default="dmo",
        choices=DIALECTS,
    ),
    Field(
        name="edition",
        label="Edition",
        help="standard speaks strict oneM2M: release header, rr and srv when registering.",
        placeholder="standard",
    ),
    Field(
        name="method",
        label="Method",
        help="open is for a oneM2M server without a login.",
        default="auto",
        choices=("auto", "credentials", "open"),
    ),
)

_ANY = ("cmo_url", "tenant", "application_type", "dialect")
METHODS = (
    Method(
        name="open",
        label="no login (a oneM2M server of one's own)",
        needs=("dmo_url", "origin", "edition"),
        uses=_ANY,
    ),
    Method(
        name="credentials",
        label="client id and secret",
        needs=("token_url", "dmo_url", "client_id", "client_secret"),
        uses=("client_authentication", "scope", "origin", "edition", *_ANY),
    ),
)

_ORIGIN = re.compile(r"[CS][0-9A-Za-z._-]+")
_TYPE = re.compile(r"[NRr][0-9A-Za-z._-]+")
_REFUSED = {"invalid_client", "unauthorized_client"}


@dataclass
class Login:
    """A login that the platform has accepted; `rights` are `ro` or `rw` of DMO and CMO by the token."""

    api: Api
    method: str
    user: str
    tenant: str
    origin: str
    connected: bool
    credentials: ClientCredentials | None = None
    tenants: tuple[str, ...] = ()
    rights: dict[str, str] = field(default_factory=dict)


def login(
    values: Mapping[str, str | Secret],
    *,
    settings: Settings | None = None,
    clock: Callable[[], float] = time.time,
) -> Login:
    """Logs in with the fields of `FIELDS`, finds the tenant, and looks whether it answers.

    `clock` decides when a token is old. Raises MissingFields or ConfigError for what is missing or cannot be
    right, Unauthorized for a wrong id or secret, ConnectionFailed if nobody answers.
    """
    settings = settings or Settings()
    form = _Form(values)
    method = _method(values, form)
    opened: list[Session] = []
    try:
        credentials = None
        token_auth = auth.Auth()
        claims: Mapping[str, Any] = {}
        if method.name == "credentials":
            credentials = ClientCredentials(form, settings, clock)
            opened.append(credentials.session)
            token_auth = credentials.auth
            claims = credentials.auth.token.claims
        dmo_at, cmo_at = _addresses(form, settings, claims)
        common = credentials.session if credentials else None
        dmo = _session(dmo_at.root, token_auth, settings, common)
        opened.append(dmo)
        cmo = None
        if cmo_at is not None:
            rate = min(settings.rate or CMO_RATE, CMO_RATE)
            cmo = _session(cmo_at.url, token_auth, replace(settings, rate=rate), dmo)
            opened.append(cmo)
        door = Dmo(
            dmo,
            tenant=dmo_at.tenant,
            origin=form.origin,
            application_type=form.application_type,
            standard=form.standard,
            dialect=form.text("dialect") or DIALECTS[0],
        )
        _look(door)
        return Login(
            api=Api(door, cmo, credentials),
            method=method.name,
            user=form.text("client_id") or form.origin,
            tenant=dmo_at.tenant,
            origin=form.origin,
            connected=cmo is not None,
            credentials=credentials,
            tenants=_tenants(claims),
            rights=rights(claims),
        )
    except BaseException:
        for each in opened:
            each.close()
        raise


def _method(values: Mapping[str, str | Secret], form: _Form) -> Method:
    """The method; the open one only where nothing speaks of a login."""
    wanted = dict(values)
    speaks = any(form.text(name) for name in ("token_url", "client_id", "client_secret"))
    if form.text("method") in {"", "auto"}:
        wanted["method"] = "credentials" if speaks or not form.standard else "open"
    return auth.choose_method("tiothub", FIELDS, METHODS, {"origin": form.origin, **wanted})


class _Form(auth.Form):
    """The values of a login, checked one by one."""

    def __init__(self, values: Mapping[str, str | Secret]) -> None:
        super().__init__(values, FIELDS)
        self.origin = self.text("origin")
        self.application_type = self.text("application_type")
        edition = self.text("edition").lower()
        if edition not in {"", "tiothub", "standard"}:
            raise ConfigError(f"edition={edition!r} is none: leave it out for T IoT Hub, or write 'standard'")
        self.standard = edition == "standard"
        if not _ORIGIN.fullmatch(self.origin):
            raise ConfigError(
                f"origin={self.origin!r} is no application id: it begins with C, such as 'CAppTest'"
            )
        if not _TYPE.fullmatch(self.application_type):
            raise ConfigError(
                f"application_type={self.application_type!r} is no App-ID: it begins with N, such as 'NTest'"
            )
        for name, allowed in (("dialect", DIALECTS), ("client_authentication", ("auto", "form", "basic"))):
            if self.text(name) and self.text(name) not in allowed:
                raise ConfigError(f"{name}={self.text(name)!r} is not one of {', '.join(allowed)}")


class ClientCredentials:
    """Gets tokens for a client id and secret; each lives for 300 s and there is none to refresh it with."""

    def __init__(self, form: _Form, settings: Settings, clock: Callable[[], float]) -> None:
        self.url = address.checked(form.text("token_url"), name="token_url", verify=settings.verify)
        self._id, self._secret = form.text("client_id"), form.secret("client_secret")
        self._scope, self._clock = form.text("scope"), clock
        basic = BasicAuth(self._id, self._secret)
        # its credentials are sent where the style says so; they are known to the scrubber in any case
        self.session = Session(address.origin(self.url), auth=basic, settings=settings)
        wanted = form.text("client_authentication") or "auto"
        self.style = wanted if wanted != "auto" else ""
        self.auth = TokenAuth(
            self,
            method="client credentials",
            user=self._id,
            early=EARLY,
            held=basic.secrets(),
            clock=clock,
        )

    def __call__(self) -> Token:
        """A new token, in the style that works."""
        answer = self.ask()
        value = Secret(answer["access_token"])
        claims = auth.jwt_claims(value)
        life = answer.get("expires_in")
        if isinstance(life, int | float) and life > 0:  # the server's own measure: clocks may differ
            expires: datetime | None = datetime.fromtimestamp(self._clock() + life, UTC)
        else:
            expires = auth.jwt_expiry(claims)
        return Token(value=value, expires=expires, claims=claims)

    def forget(self) -> None:
        """Forgets the secret: there are no further tokens."""
        self._secret = Secret("")

    def ask(self, *, scope: str | None = None) -> Sealed:
        """The answer of the token endpoint, whole; raises Unauthorized."""
        if not self._secret:
            raise errors.LoggedOut(401, "", "", f"{self._id} was logged out: connect again")
        first = "basic" if self._id.startswith("t-iot-hub--") else "form"
        styles = [self.style] if self.style else [first, "form" if first == "basic" else "basic"]
        refusal: errors.RequestError | None = None
        for style in styles:
            try:
                answer = self._post(style, self._scope if scope is None else scope)
            except (errors.Unauthorized, errors.Invalid) as error:
                if str((error.body or {}).get("error", "")) not in _REFUSED and error.status != 401:
                    raise
                refusal = refusal or error
                continue
            self.style = style
            return answer
        assert refusal is not None  # noqa: S101  # the loop ran at least once
        raise errors.Unauthorized(
            401,
            refusal.method,
            refusal.path,
            refusal.words,
            hint="Client id or secret is wrong, or they belong to another token URL: copy them again from "
            "Application access management.",
            request_id=refusal.request_id,
            body=refusal.body,
        ) from None

    def _post(self, style: str, scope: str) -> Sealed:
        form = Sealed(grant_type="client_credentials")
        if style == "form":
            form.update(client_id=self._id, client_secret=self._secret.reveal())
        if scope or style == "form":
            form["scope"] = scope or FORM_SCOPE
        try:
            answer = self.session.post(
                self.url,
                data=form,
                headers={"Accept": "application/json"},
                auth=style == "basic",
                retry=True,  # a token is made, nothing else
            )
        except errors.NotFound as error:
            raise ConfigError(
                f"token_url={self.url!r} is no token address ({error.words or 404}): it ends in "
                "/protocol/openid-connect/token"
            ) from None
        try:
            document = answer.json()
        except errors.BadAnswer as error:
            raise ConfigError(f"token_url={self.url!r} is no token address ({error})") from None
        if not isinstance(document, dict) or not isinstance(document.get("access_token"), str):
            raise errors.BadAnswer(f"POST {self.url}: the answer holds no access_token")
        return Sealed(document)


def _session(root: str, credentials: auth.Auth, settings: Settings, beside: Session | None) -> Session:
    """A session with one host; what happened on all of them is one list, in the order it happened."""
    made = Session(root, auth=credentials, settings=settings)
    if beside is not None:
        made.exchanges, made.counters = beside.exchanges, beside.counters
    return made


def _addresses(
    form: _Form, settings: Settings, claims: Mapping[str, Any]
) -> tuple[address.Api, address.Api | None]:
    """Where DMO and CMO answer; the tenant comes from the field, a URL or the token."""
    listed = _tenants(claims)
    tenant = form.text("tenant")
    dmo_url = address.checked(form.text("dmo_url"), name="dmo_url", verify=settings.verify)
    dmo = address.api(dmo_url, tenant, part=address.DMO, name="dmo_url", whole=form.standard)
    cmo_url = form.text("cmo_url")
    cmo = None
    if cmo_url:
        cmo_url = address.checked(cmo_url, name="cmo_url", verify=settings.verify)
        cmo = address.api(cmo_url, tenant, part=address.CMO, name="cmo_url")
    known = dmo or cmo
    guess = known.tenant if known else listed[0] if len(listed) == 1 else ""
    if not guess:
        several = f" The token is good for {', '.join(listed)}." if listed else ""
        raise MissingFields(
            f"neither tenant= nor dmo_url says which tenant, nor does the token alone.{several} Give\n"
            "  Tenant: tenant=... in connect(), or IOTNB_TIOTHUB_TENANT in the environment",
            ["tenant"],
        )
    if dmo is None:
        dmo = address.api(dmo_url, guess, part=address.DMO, name="dmo_url", whole=form.standard)
    if cmo is None and cmo_url:
        cmo = address.api(cmo_url, guess, part=address.CMO, name="cmo_url")
    if dmo is None:
        raise MissingFields("dmo_url names no tenant: give tenant=...", ["tenant"])
    return dmo, cmo


def _tenants(claims: Mapping[str, Any]) -> tuple[str, ...]:
    listed = claims.get("tenants")
    return tuple(str(each) for each in listed) if isinstance(listed, list) else ()


def rights(claims: Mapping[str, Any]) -> dict[str, str]:
    """`{"DMO": "rw", "CMO": "ro"}` from a token's roles (`rw%device-management-orchestrator` ...).

    Empty when the token does not tell: tokens of newer gateways hold no roles.
    """
    access = claims.get("realm_access")
    roles = access.get("roles") if isinstance(access, Mapping) else None
    made: dict[str, str] = {}
    for role in roles if isinstance(roles, list) else []:
        right, _, part = str(role).partition("%")
        name = {address.DMO: "DMO", address.CMO: "CMO"}.get(part)
        if name and right in {"ro", "rw"} and made.get(name) != "rw":
            made[name] = right
    return made


def _look(dmo: Dmo) -> None:
    """Asks the tenant for itself; an application that is not registered yet may be refused that."""
    try:
        found = dmo.retrieve("", rcn=1)
    except errors.Forbidden:
        return
    except errors.NotFound as error:
        raise ConfigError(
            f"there is no tenant {dmo.tenant!r} at {dmo.session.base_url} ({error.words or 404}): check "
            "dmo_url and tenant"
        ) from None
    except errors.BadAnswer as error:
        raise ConfigError(f"dmo_url does not lead to a oneM2M API ({error})") from None
    if not found:
        raise ConfigError(f"{dmo.session.base_url} answers, but not as a oneM2M API does: check dmo_url")
