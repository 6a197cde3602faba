"""Applications and tokens: the steps of the vendor's tutorial, beside the login that is in use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from iotnb.auth import BasicAuth
from iotnb.errors import Unsupported
from iotnb.platforms.wso2 import oauth, scopes
from iotnb.platforms.wso2.oauth import Credentials, Door, Person
from iotnb.secret import Sealed, Secret

FIXED_TAGS = ("device_management", "device_agent", "scep_management")
"""Tags that are always there, beside the names of the device types."""

Keys = Mapping[str, Any]


class _Access:
    def __init__(self, door: Door, credentials: Credentials | None) -> None:
        self._door, self._credentials = door, credentials

    def _person(self, username: str, password: Secret | str | None) -> Person:
        if password is not None:
            return Person(username, Secret(password))
        held = self._credentials.person if self._credentials else None
        if held is None:
            raise Unsupported("this login holds no password: pass username= and password=")
        return held

    def _basic(self, keys: Keys | None) -> BasicAuth:
        if keys is not None:
            return BasicAuth(str(keys["client_id"]), Secret(keys["client_secret"]))
        held = self._credentials.application if self._credentials else None
        if held is None:
            raise Unsupported("this login holds no application: pass the keys of one")
        return held.basic


class Applications(_Access):
    """Client applications: with the password of the login unless another user is given."""

    def register(
        self,
        name: str,
        *,
        tags: Sequence[str],
        username: str = "",
        password: Secret | str | None = None,
        validity: str | None = None,
        all_domains: bool = False,
    ) -> dict[str, Any]:
        """Registers an application: `client_id`, and `client_secret` as a Secret; again gives the same.

        `validity` is the life of its tokens in seconds, as text; its APIs are those of the tags.
        """
        body: dict[str, Any] = {"applicationName": name, "tags": list(tags)}
        if all_domains:
            body["isAllowedToAllDomains"] = True
        if validity is not None:
            body["validityPeriod"] = validity
        return oauth.known_answer(self._door.register(self._person(username, password), body))


class Tokens(_Access):
    """The token endpoint; `keys` are those of an application (None: the one of this login).

    Answers are as they come, tokens as Secrets; `scope` in them is what was granted.
    """

    def password(
        self,
        scope: str | Iterable[str],
        *,
        keys: Keys | None = None,
        username: str = "",
        password: Secret | str | None = None,
    ) -> dict[str, Any]:
        """A token for application and user; scopes that are not allowed are dropped without a word."""
        person = self._person(username, password)
        form = Sealed(
            grant_type="password",
            username=person.username,
            password=person.password.reveal(),
            scope=" ".join(scopes.asked(scope)),
        )
        return oauth.known_answer(self._door.grant(self._basic(keys), form))

    def refresh(
        self, refresh_token: Secret | str, *, keys: Keys | None = None, scope: str | None = None
    ) -> dict[str, Any]:
        """A new token for a refresh token; with a scope that was not granted the server refuses it."""
        form = Sealed(grant_type="refresh_token", refresh_token=Secret(refresh_token).reveal())
        if scope is not None:
            form["scope"] = scope
        return oauth.known_answer(self._door.grant(self._basic(keys), form))

    def client(self, scope: str | Iterable[str] = "", *, keys: Keys | None = None) -> dict[str, Any]:
        """A token for the application alone; it comes without a refresh token."""
        form = Sealed(grant_type="client_credentials")
        wanted = " ".join(scopes.asked(scope))
        if wanted:
            form["scope"] = wanted
        return oauth.known_answer(self._door.grant(self._basic(keys), form))

    def revoke(self, token: Secret | str, *, keys: Keys | None = None) -> None:
        """Ends a token: calls with it are then refused with 900901."""
        self._door.revoke(self._basic(keys), Secret(token))
