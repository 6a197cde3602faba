"""The token dance: an application is registered, application and user get a token, which is renewed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from iotnb import errors
from iotnb.auth import BasicAuth, Token, TokenAuth
from iotnb.errors import BadAnswer, RequestError, Unauthorized
from iotnb.platforms.wso2 import refusals
from iotnb.secret import Sealed, Secret
from iotnb.session import Session

REGISTER: Final = "/api-application-registration/register"
EARLY: Final = 60.0  # seconds before its end that a token counts as old: it lives for an hour


@dataclass(frozen=True)
class Application:
    """A client application as it was registered."""

    client_id: str
    client_secret: Secret

    @property
    def basic(self) -> BasicAuth:
        """Its credentials as the token endpoint takes them, `client_id:client_secret` in this order."""
        return BasicAuth(self.client_id, self.client_secret)


class Person(BasicAuth):
    """A user whose password also goes into the password grant."""

    def __init__(self, username: str, password: Secret) -> None:
        super().__init__(username, password)
        self.password = password


class Door:
    """Registration and the token endpoint, request by request; answers hold secrets and do not show them."""

    def __init__(self, session: Session, *, token_path: str, revoke_path: str) -> None:
        self.session = session
        self._token_path, self._revoke_path = token_path, revoke_path

    def register(self, person: BasicAuth, body: Mapping[str, Any]) -> Sealed:
        """Registers an application; the same `applicationName` again gives the same keys.

        Raises Unauthorized for a wrong user or password, Invalid (406) for tags that there are not.
        """
        try:
            answer = self.session.post(
                REGISTER,
                json=dict(body),
                headers=person.headers(),
                auth=False,
                retry=True,  # the same name gives the same application
            )
        except RequestError as error:
            raise _registration(error) from None
        found = answer.json()
        if not isinstance(found, dict) or not found.get("client_id"):
            raise BadAnswer(f"POST {REGISTER}: the answer holds no client_id")
        return Sealed(found)

    def grant(self, application: BasicAuth, form: Mapping[str, Any]) -> Sealed:
        """One grant; raises Unauthorized for credentials that are refused, Invalid for the rest of 400."""
        try:
            answer = self.session.post(
                self._token_path,
                data=Sealed(form),
                headers=application.headers(),
                auth=False,
                retry=True,  # a token is made, nothing else
            )
        except RequestError as error:
            raise _grant(error, str(form.get("grant_type"))) from None
        found = answer.json()
        if not isinstance(found, dict) or not isinstance(found.get("access_token"), str):
            raise BadAnswer(f"POST {self._token_path}: the answer holds no access_token")
        return Sealed(found)

    def revoke(self, application: BasicAuth, token: Secret) -> None:
        """Ends a token on the server."""
        self.session.post(
            self._revoke_path,
            data=Sealed(token=token.reveal()),
            headers=application.headers(),
            auth=False,
            retry=True,
        )


class Credentials:
    """Gets and renews the token of one login; `granted` are its scopes, `lost` those that a renewal took.

    A token is renewed with its refresh token, without a scope: the documented `scope=PRODUCTION` is refused.
    When that is refused as well, the password is used if it is there; when the application has been removed,
    it is registered again if it was registered here.
    """

    def __init__(
        self,
        door: Door,
        *,
        asked: Sequence[str],
        person: Person | None = None,
        application: Application | None = None,
        registration: Mapping[str, Any] | None = None,
        refresh: Secret | None = None,
        clock: Callable[[], float],
    ) -> None:
        self.door, self.asked, self.person, self.application = door, tuple(asked), person, application
        self.granted: tuple[str, ...] | None = None
        self.lost: set[str] = set()
        self.registrations = 0
        self._registration, self._refresh, self._clock = registration, refresh, clock
        self._retired: list[Secret] = []
        self._ended = self._worked = False

    def __call__(self) -> Token:
        """A new token by the best way that is left; raises Unauthorized when none is."""
        if self._ended:
            raise errors.LoggedOut(401, "", "", "this login was logged out: connect again")
        if self.application is None:
            self._register()
        try:
            return self._obtain()
        except _ApplicationRefused as error:
            if not self._worked:
                raise
            if self._registration is None:
                raise error.removed() from None
        self._register()  # it was removed on the server; the old refresh token went with it
        self._refresh = None
        return self._obtain()

    def revoke(self, token: Token | None) -> None:
        """Ends the token and its refresh token on the server, where the application is known."""
        self._ended = True
        if self.application is None:
            return
        for each in (token.value, token.refresh) if token is not None else ():
            if each:
                self.door.revoke(self.application.basic, each)

    def secrets(self) -> list[Secret]:
        """Everything secret that this login holds or held."""
        held = [self._refresh] if self._refresh else []
        for each in (self.person, self.application.basic if self.application else None):
            held += each.secrets() if each is not None else []
        return [*held, *self._retired]

    def _register(self) -> None:
        if self.person is None or self._registration is None:
            raise Unauthorized(401, "", "", "there is neither an application nor a user to register one with")
        if self.application is not None:
            self._retired.append(self.application.client_secret)
        found = self.door.register(self.person, self._registration)
        self.application = Application(str(found["client_id"]), Secret(found.get("client_secret", "")))
        self.registrations += 1

    def _obtain(self) -> Token:
        assert self.application is not None  # noqa: S101  # registered before
        basic = self.application.basic
        if self._refresh:
            form = Sealed(grant_type="refresh_token", refresh_token=self._refresh.reveal())
            try:
                return self._taken(self.door.grant(basic, form))
            except Unauthorized as error:
                if isinstance(error, _ApplicationRefused) or self.person is None:
                    raise
                self._refresh = None  # expired, or replaced by another client: the password is still good
        form = Sealed(grant_type="password" if self.person else "client_credentials")
        if self.person is not None:
            form.update(username=self.person.username, password=self.person.password.reveal())
        if self.asked:
            form["scope"] = " ".join(self.asked)
        return self._taken(self.door.grant(basic, form))

    def _taken(self, answer: Sealed) -> Token:
        """The token in an answer; what the answer says of scopes and life counts, not what was asked."""
        self._worked = True
        before = self.granted
        self.granted = tuple(str(answer.get("scope") or "").split())
        self.lost = (self.lost | set(before or ())) - set(self.granted)
        refresh = answer.get("refresh_token")
        if isinstance(refresh, str) and refresh:  # a renewal may leave out the one that stays the same
            self._refresh = Secret(refresh)
        life = answer.get("expires_in")
        expires = None
        if isinstance(life, int | float) and life > 0:
            expires = datetime.fromtimestamp(self._clock() + life, UTC)
        return Token(value=Secret(answer["access_token"]), expires=expires, refresh=self._refresh)


class RenewingAuth(TokenAuth):
    """A TokenAuth that knows the secrets of its credentials, also those that came during the login."""

    def __init__(self, credentials: Credentials, **options: Any) -> None:
        super().__init__(credentials, early=EARLY, **options)
        self.credentials = credentials

    def secrets(self) -> list[Secret]:
        """The tokens, and what they are fetched with."""
        return [*super().secrets(), *self.credentials.secrets()]

    def revoke(self) -> None:
        """Ends the present token on the server."""
        self.credentials.revoke(self._token)


class _ApplicationRefused(Unauthorized):
    """The token endpoint does not know the application, or not this secret of it."""

    def removed(self) -> Unauthorized:
        """The error for one that worked before."""
        hint = (
            "The application was removed on the server since this login began: connect again; without "
            "client_id= a new one is registered."
        )
        return Unauthorized(self.status, self.method, self.path, self.words, hint=hint, body=self.body)


def _registration(error: RequestError) -> RequestError:
    hint = error.hint
    cls: type[RequestError] = type(error)
    if error.status == 401:
        cls, hint = Unauthorized, "User name or password is wrong; a tenant's user is user@tenant.domain."
    elif "should not be empty" in error.words:
        hint = "Name at least one tag: tags='device_agent device_management'."
    elif error.status == 406:
        hint = (
            "Each tag must be a device type of the server, or device_management, device_agent or "
            "scep_management; and the user must be allowed to subscribe."
        )
    elif error.status == 500 and error.words == "false":
        hint = "The server could not make keys for the application: try another application_name."
    return cls(error.status, error.method, error.path, error.words, hint=hint, body=error.body)


def _grant(error: RequestError, grant: str) -> RequestError:
    word = str((error.body or {}).get("error", ""))
    if word == "invalid_client" or error.status == 401:
        hint = "Client id or client secret is wrong, or they are swapped: client_id:client_secret it is."
        return _ApplicationRefused(
            error.status, error.method, error.path, error.words, hint=hint, body=error.body
        )
    hint = error.hint
    cls: type[RequestError] = type(error)
    if word == "invalid_grant":
        cls = Unauthorized
        hint = (
            "The refresh token has expired, or a newer one has taken its place: log in again with user and "
            "password."
            if grant == "refresh_token"
            else "User name or password is wrong; a tenant's user is user@tenant.domain."
        )
    elif word == "invalid_scope":
        hint = "A renewal takes no scope that was not granted before: leave scope out to keep them all."
    return cls(error.status, error.method, error.path, error.words, hint=hint, body=error.body)


def known_answer(answer: Mapping[str, Any]) -> dict[str, Any]:
    """An answer of the token endpoint or the registration to be shown: its secrets as Secrets."""
    shown = ("access_token", "refresh_token", "id_token", "client_secret")
    return {name: Secret(value) if name in shown else value for name, value in answer.items()}


def gateway_says(body: bytes) -> bool:
    """Whether an answer is the refusal of an API gateway that was asked without credentials."""
    refusal = refusals.read(body)
    return refusal.gateway and refusal.code in refusals.SECURITY
