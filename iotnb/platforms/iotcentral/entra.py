"""Tokens from Entra ID: by a service principal's secret, or by a person's code in the browser."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from iotnb import auth, errors
from iotnb.auth import Token, TokenAuth
from iotnb.errors import ConfigError, RequestError
from iotnb.platforms.iotcentral.api.chapter import document, segment
from iotnb.secret import Sealed, Secret
from iotnb.session import Answer, Session, Settings

Announce = Callable[[str], None]

_HINTS = {
    "invalid_client": "The client secret is wrong or has expired: make a new one.",
    "unauthorized_client": "Check client_id and directory; for a code in the browser the app "
    "registration must allow public client flows.",
    "expired_token": "Nobody signed in in time: connect again.",
    "authorization_declined": "The person declined to sign in.",
    "invalid_tenant": "There is no such directory: check directory.",
}


class Entra:
    """Tokens from Entra ID, by a service principal's secret or by a person's code in the browser."""

    def __init__(
        self, url: str, directory: str, client_id: str, *, settings: Settings, announce: Announce
    ) -> None:
        self.session = Session(url, settings=replace(settings, rate=None))
        self.directory = f"/{segment(directory, what='a directory')}"
        self.path = f"{self.directory}/oauth2/v2.0"
        self.client_id, self.announce = client_id, announce
        self.secret = Secret("")
        self.refresh: Secret | None = None
        self._met = False

    def auth(self, audience: str, method: str) -> TokenAuth:
        """Credentials for an audience that renew themselves."""
        self._meet()
        fetch = self._by_secret if method == "client_credentials" else self._by_person

        held = [self.secret] if self.secret else []
        made = TokenAuth(
            lambda: fetch(audience), method=method.replace("_", " "), user=self.client_id, held=held
        )
        _ = made.token  # now, so that a wrong secret is told at the login
        return made

    def _by_secret(self, audience: str) -> Token:
        form = Sealed(
            grant_type="client_credentials",
            client_id=self.client_id,
            client_secret=self.secret.reveal(),
            scope=f"{audience}/.default",
        )
        return self._token(self._ask(form))

    def _by_person(self, audience: str) -> Token:
        if self.refresh is not None:
            form = Sealed(
                grant_type="refresh_token",
                client_id=self.client_id,
                refresh_token=self.refresh.reveal(),
                scope=f"{audience}/.default offline_access",
            )
            return self._token(self._ask(form))
        scope = f"{audience}/user_impersonation offline_access"
        start = self._body(self._post("devicecode", {"client_id": self.client_id, "scope": scope}))
        if not isinstance(start.get("device_code"), str):
            raise self._stranger("it gives no device_code")
        self.announce(
            str(
                start.get("message")
                or f"Open {start.get('verification_uri')} and enter {start.get('user_code')}"
            )
        )
        return self._token(self._poll(start))

    def _poll(self, start: Mapping[str, Any]) -> Answer:
        """Asks until the person has signed in; raises Unauthorized when they did not."""
        wait, end = (
            float(start.get("interval") or 5),
            time.monotonic() + float(start.get("expires_in") or 900),
        )
        form = Sealed(
            grant_type="urn:ietf:params:oauth:grant-type:device_code",
            client_id=self.client_id,
            device_code=str(start["device_code"]),
        )
        while True:
            answer = self._post("token", form)
            if answer.status == 200:
                return answer
            word = self._body(answer).get("error")
            if word == "slow_down":
                wait += 5.0
            elif word != "authorization_pending" or time.monotonic() > end:
                raise self._refusal(answer)
            time.sleep(wait)

    def _ask(self, form: Sealed) -> Answer:
        answer = self._post("token", form)
        if answer.status != 200:
            raise self._refusal(answer)
        return answer

    def _meet(self) -> None:
        """Asks the server what it is, before it is told any secret; raises ConfigError for another one."""
        if self._met:
            return
        path = f"{self.directory}/v2.0/.well-known/openid-configuration"
        answer = self.session.get(path, expect={400, 404})
        if answer.status == 404:
            raise self._stranger(f"404 GET {path}")
        body = self._body(answer)
        if answer.status == 400 and body.get("error"):
            raise self._refusal(answer)
        if not isinstance(body.get("token_endpoint"), str):
            raise self._stranger("it names no token_endpoint")
        self._met = True

    def _post(self, what: str, form: Mapping[str, str]) -> Answer:
        """A request that makes no more than a token or a code, and may be sent twice."""
        return self.session.post(f"{self.path}/{what}", data=form, expect={400, 401}, retry=True)

    def _body(self, answer: Answer) -> dict[str, Any]:
        try:
            return document(answer)
        except errors.BadAnswer as error:
            reason = str(error)
        raise self._stranger(reason)

    def _stranger(self, reason: str) -> ConfigError:
        """The error for a server that is not the one where people sign in."""
        return ConfigError(
            f"login_url={self.session.base_url!r} does not answer as Entra ID does ({reason}): check it"
        )

    def _token(self, answer: Answer) -> Token:
        found = self._body(answer)
        text = found.get("access_token")
        if not isinstance(text, str) or not text:
            raise self._stranger("it gives no access_token")
        value = Secret(text)
        if isinstance(found.get("refresh_token"), str):
            self.refresh = Secret(found["refresh_token"])
        claims = auth.jwt_claims(value)
        seconds = found.get("expires_in")
        expires = auth.jwt_expiry(claims)
        if expires is None and isinstance(seconds, int | float):
            expires = datetime.fromtimestamp(time.time() + seconds, UTC)
        return Token(value=value, expires=expires, refresh=self.refresh, claims=claims)

    def _refusal(self, answer: Answer) -> RequestError:
        """A refusal of Entra ID: its word and the first line of its description."""
        body = self._body(answer)
        first = str(body.get("error_description") or "").splitlines()
        words = ": ".join(part for part in (str(body.get("error") or ""), first[0] if first else "") if part)
        hint = _HINTS.get(str(body.get("error")), "Check directory, client_id and client_secret.")
        return errors.Unauthorized(answer.status, answer.method, urlsplit(answer.url).path, words, hint=hint)
