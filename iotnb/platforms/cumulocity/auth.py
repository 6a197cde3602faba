"""Logging in to Cumulocity: the fields, the four ways, and what the platform says when it refuses."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from iotnb import auth, errors
from iotnb.auth import Auth, BasicAuth, BearerAuth, Field, Method, Token, TokenAuth
from iotnb.errors import ConfigError, RequestError
from iotnb.platforms.cumulocity import refusals
from iotnb.platforms.cumulocity.address import base_url
from iotnb.platforms.cumulocity.api import Api
from iotnb.secret import Sealed, Secret
from iotnb.session import Session, Settings

EARLY = (
    3600.0  # seconds before its expiry that a token counts as old; no call renews it, so there is no hurry
)
CERTIFICATE_PORT = 8443

FIELDS = (
    Field(
        name="base_url",
        label="Address",
        help="Address of the tenant. A missing https:// is added, a path is dropped.",
        env=("C8Y_BASEURL",),
        placeholder="https://mytenant.cumulocity.com",
    ),
    Field(
        name="tenant",
        label="Tenant ID",
        help="Needed for device users and wherever the address is not the tenant's own domain.",
        env=("C8Y_TENANT",),
        placeholder="t07007007",
    ),
    Field(name="username", label="User", help="Without the tenant before it.", env=("C8Y_USER",)),
    Field(name="password", label="Password", secret=True, env=("C8Y_PASSWORD",)),
    Field(
        name="tfa_code",
        label="Second factor",
        help="Code of the authenticator or the text message, if the user has a second factor.",
        secret=True,
    ),
    Field(
        name="token",
        label="Token",
        help="A bearer token (JWT) that you have already.",
        secret=True,
        env=("C8Y_TOKEN",),
    ),
    Field(name="certificate", label="Certificate", help="PEM file of the device's certificate.", path=True),
    Field(name="private_key", label="Private key", help="PEM file of its private key.", path=True),
    Field(name="passphrase", label="Passphrase", help="Opens the private key, if it is locked.", secret=True),
    Field(
        name="certificate_chain",
        label="Certificate chain",
        help="PEM file with the certificates between the device's and the trusted one.",
        path=True,
    ),
    Field(
        name="certificate_url",
        label="Certificate address",
        help="Where certificates are exchanged for tokens; port 8443 of the address unless given.",
        placeholder="https://mytenant.cumulocity.com:8443",
    ),
    Field(
        name="application_key",
        label="Application key",
        help="Marks the requests as those of an application: without it each request about a device "
        "counts as a sign of life of that device.",
    ),
    Field(
        name="method",
        label="Method",
        help="auto asks the tenant which ways it offers; device and bootstrap users need basic.",
        default="auto",
        choices=("auto", "basic", "oai", "token", "certificate"),
    ),
)

_ANY = ("tenant", "application_key")
METHODS = (
    Method(name="token", label="a given token", needs=("base_url", "token"), uses=_ANY),
    Method(
        name="certificate",
        label="a device certificate",
        needs=("base_url", "certificate", "private_key"),
        uses=("passphrase", "certificate_chain", "certificate_url", *_ANY),
    ),
    Method(
        name="oai",
        label="user and password (OAI-Secure)",
        needs=("base_url", "username", "password"),
        uses=("tfa_code", *_ANY),
    ),
    Method(
        name="basic",
        label="user and password (Basic)",
        needs=("base_url", "username", "password"),
        uses=_ANY,
    ),
)


@dataclass
class Login:
    """A login that the platform has accepted."""

    session: Session
    method: str
    tenant: str = ""
    user: str = ""
    roles: tuple[str, ...] = ()
    options: list[dict[str, Any]] = field(default_factory=list)  # the tenant's login options


def login(values: Mapping[str, str | Secret], *, settings: Settings | None = None) -> Login:
    """Logs in with the fields of `FIELDS` and asks the platform who and where one is.

    Raises MissingFields or ConfigError for what is missing or cannot be right, SecondFactorRequired if a code
    is needed, Unauthorized for a wrong password, ConnectionFailed if nobody answers.
    """
    settings = settings or Settings()
    method = auth.choose_method("cumulocity", FIELDS, METHODS, values)
    form = _Form(values)
    session = Session(
        base_url(form.text("base_url"), verify=settings.verify),
        settings=settings,
        headers={"X-Cumulocity-Application-Key": form.text("application_key")}
        if form.text("application_key")
        else {},
    )
    try:
        options = _login_options(session)
        chosen = method.name
        if chosen == "oai" and form.text("method") in {"", "auto"}:
            chosen = _offered(options)
        session.auth = _credentials(chosen, form, session, options)
        made = Login(session=session, method=chosen, options=options)
        _identify(made, form)
    except BaseException:
        session.close()
        raise
    return made


class _Form(auth.Form):
    """The values of a login: text, secrets, and the user apart from a tenant written before it."""

    def __init__(self, values: Mapping[str, str | Secret]) -> None:
        super().__init__(values)
        name = self.text("username")
        before, slash, after = name.partition("/")
        self.tenant = self.text("tenant") or (before if slash else "")
        self.user = after if slash else name


def _login_options(session: Session) -> list[dict[str, Any]]:
    """The ways to log in; also the proof that a Cumulocity tenant answers at this address."""
    try:
        return Api(session).tenant.login_options()
    except (errors.Unauthorized, errors.Forbidden):
        return []
    except (errors.NotFound, errors.Invalid, errors.BadAnswer, KeyError) as error:
        raise ConfigError(
            f"{session.base_url} does not answer as a Cumulocity tenant does ({error}). "
            "Give base_url as the address that you open in the browser, like https://mytenant.cumulocity.com"
        ) from None


def _offered(options: list[dict[str, Any]]) -> str:
    """The better way to log in with user and password that the tenant offers."""
    kinds = {str(option.get("type", "")).upper() for option in options}
    if "OAUTH2_INTERNAL" in kinds:
        return "oai"
    if kinds and "BASIC" not in kinds:
        raise ConfigError(
            "this tenant offers single sign-on only: log in in the browser and give token=..., or name the "
            "way with method='basic' for users that exist in the tenant itself, such as devices"
        )
    return "basic"


def _credentials(method: str, form: _Form, session: Session, options: list[dict[str, Any]]) -> Auth:
    if method == "token":
        return BearerAuth(form.secret("token"))
    if method == "basic":
        return BasicAuth(form.user, form.secret("password"), tenant=form.tenant)
    if method == "certificate":
        exchange = _CertificateLogin(form, session)
        held = [form.secret("passphrase")] if form.text("passphrase") else []
        return TokenAuth(exchange, method="certificate", early=EARLY, held=held)
    password = _PasswordLogin(form, session, options)
    return TokenAuth(password, method="OAI-Secure", user=form.user, early=EARLY, held=password.secrets())


class _PasswordLogin:
    """Gets an OAI-Secure token for user and password; once only if a second factor was used."""

    def __init__(self, form: _Form, session: Session, options: list[dict[str, Any]]) -> None:
        self._form, self._session = form, session
        self._password, self._code = form.secret("password"), form.secret("tfa_code")
        self._spent = False
        strategies = (str(option.get("tfaStrategy") or "") for option in options)
        self._strategy = next((strategy.upper() for strategy in strategies if strategy), "")

    def secrets(self) -> list[Secret]:
        return [self._password, *([self._code] if self._code else [])]

    def __call__(self) -> Token:
        if self._spent:
            raise errors.LoggedOut(
                401,
                "POST",
                "/tenant/oauth/token",
                "the session has ended",
                hint="It was opened with a second factor, and each code works once: connect again with a "
                "fresh tfa_code.",
            )
        form = Sealed(grant_type="PASSWORD", username=self._form.user, password=self._password.reveal())
        if self._code:
            form["tfa_code"] = self._code.reveal()
        try:
            answer = self._session.post(
                "/tenant/oauth/token",
                params={"tenant_id": self._form.tenant or None},
                data=form,
                headers={"Accept": "application/json"},
                auth=False,
                retry=not self._code,  # a login creates nothing, but a code works once
            )
        except errors.Unauthorized as error:
            raise refusals.refused(error, code=bool(self._code), strategy=self._strategy) from None
        self._spent = bool(self._code)
        return _token(answer.json(), "access_token", "POST /tenant/oauth/token")


class _CertificateLogin:
    """Exchanges a device's certificate for a token, on a port of its own, as often as one is needed."""

    def __init__(self, form: _Form, session: Session) -> None:
        certificate, key = form.file("certificate"), form.file("private_key")
        passphrase = form.secret("passphrase")
        if not passphrase and "ENCRYPTED" in Path(key).read_text(errors="replace"):
            raise ConfigError(f"the private key {key} is locked: give passphrase=...")
        host = urlsplit(session.base_url).hostname or ""
        default = f"https://{f'[{host}]' if ':' in host else host}:{CERTIFICATE_PORT}"
        given = form.text("certificate_url") or default
        address = base_url(given, name="certificate_url", verify=session.settings.verify)
        if not address.startswith("https://"):
            raise ConfigError(f"certificate_url={address!r}: a certificate needs https://")
        chain = form.file("certificate_chain") if form.text("certificate_chain") else certificate
        blocks = list(dict.fromkeys([*certificate_blocks(certificate), *certificate_blocks(chain)]))
        # the handshake shows the device's own certificate; the header is for what stands above it
        self._header = " ".join(" ".join(block.split()) for block in blocks) if len(blocks) > 1 else ""
        with tempfile.TemporaryDirectory() as folder:
            whole = Path(folder, "chain.pem")  # one file, device first, as a TLS context wants it
            whole.write_text("\n".join(blocks) + "\n")
            settings = replace(session.settings, cert=(str(whole), key), passphrase=passphrase or None)
            self._session = Session(address, settings=settings)
        self._session.exchanges = session.exchanges  # one list: what happened in the order it happened

    def __call__(self) -> Token:
        headers = {"Accept": "application/json"}
        if self._header:
            headers["X-Ssl-Cert-Chain"] = self._header
        path = "/devicecontrol/deviceAccessToken"
        try:
            answer = self._session.post(path, headers=headers, retry=True)  # a login creates nothing
        except RequestError as error:
            raise refusals.again(
                error, type(error), hint=refusals.CERTIFICATE.get(error.status, "")
            ) from None
        except errors.ConnectionFailed as error:
            if error.kind not in {"tls", "dropped"}:
                raise
            words = str(error).splitlines()[0]
            message = f"{words}\nThe server may have refused the certificate: {refusals.UNTRUSTED}"
            raise errors.ConnectionFailed(
                message, host=error.host, kind=error.kind, method="POST", path=path
            ) from None
        finally:
            self._session.close()  # the next token is an hour away
        return _token(answer.json(), "accessToken", f"POST {path}")


def certificate_blocks(path: str) -> list[str]:
    """The certificates of a PEM file, each as PEM text; a private key in it is left out."""
    blocks = re.findall(
        r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", Path(path).read_text(), re.DOTALL
    )
    if not blocks:
        raise ConfigError(f"{path} holds no certificate in PEM format (-----BEGIN CERTIFICATE-----)")
    return blocks


def _token(answer: Any, key: str, where: str) -> Token:
    text = answer.get(key) if isinstance(answer, dict) else None
    if not isinstance(text, str) or not text:
        raise errors.BadAnswer(f"{where}: the answer holds no {key}")
    value = Secret(text)
    claims = auth.jwt_claims(value)
    return Token(value=value, expires=auth.jwt_expiry(claims), claims=claims)


def _identify(made: Login, form: _Form) -> None:
    """Asks where and who one is; a user without the right to ask is logged in all the same."""
    api = Api(made.session)
    try:
        try:
            made.tenant = str(api.tenant.current().get("name", ""))
        except errors.Forbidden:
            made.tenant = form.tenant
        try:
            user = api.users.current()
        except errors.Forbidden:
            user = {}
    except errors.Unauthorized as error:
        if made.method in {"oai", "certificate"}:
            raise  # refused when the token was asked for, and explained there
        raise refusals.refused(error, method=made.method, expires=made.session.auth.expires) from None
    claims = made.session.auth.describe()
    made.user = str(user.get("userName") or form.user or claims.get("user", ""))
    roles = user.get("effectiveRoles") or ()
    made.roles = tuple(sorted({str(role.get("id")) for role in roles if isinstance(role, Mapping)}))
