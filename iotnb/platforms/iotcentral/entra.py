"""Tokens from Entra ID: by a service principal's secret, or by a person's code in the browser."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from iotnb import auth, errors
from iotnb.auth import Token, TokenAuth
from iotnb.errors import RequestError
from iotnb.platforms.iotcentral.api.chapter import document, segment
from iotnb.secret import Sealed, Secret
from iotnb.session import Answer, Session, Settings

Announce = Callable[[str], None]


class Entra:
    """Tokens from Entra ID, by a service principal's secret or by a person's code in the browser."""

    def __init__(
        self, url: str, directory: str, client_id: str, *, settings: Settings, announce: Announce
    ) -> None:
        self.session = Session(url, settings=replace(settings, rate=None))
        self.path = f"/{segment(directory, what='a directory')}/oauth2/v2.0"
        self.client_id, self.announce = client_id, announce
        self.secret = Secret("")
        self.refresh: Secret | None = None

    def auth(self, audience: str, method: str) -> TokenAuth:
        """Credentials for an audience that renew themselves."""
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
        start = document(
            self.session.post(
                f"{self.path}/devicecode", data={"client_id": self.client_id, "scope": scope}, retry=True
            )
        )
        self.announce(
            str(start.get("message") or f"Open {start['verification_uri']} and enter {start['user_code']}")
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
            answer = self.session.post(f"{self.path}/token", data=form, expect={400, 401}, retry=True)
            if answer.status == 200:
                return answer
            word = document(answer).get("error")
            if word == "slow_down":
                wait += 5.0
            elif word != "authorization_pending" or time.monotonic() > end:
                raise _refusal(answer)
            time.sleep(wait)

    def _ask(self, form: Sealed) -> Answer:
        answer = self.session.post(f"{self.path}/token", data=form, expect={400, 401}, retry=True)
        if answer.status != 200:
            raise _refusal(answer)
        return answer

    def _token(self, answer: Answer) -> Token:
        found = document(answer)
        text = found.get("access_token")
        if not isinstance(text, str) or not text:
            raise errors.BadAnswer("the sign-in answered no access_token")
        value = Secret(text)
        if isinstance(found.get("refresh_token"), str):
            self.refresh = Secret(found["refresh_token"])
        claims = auth.jwt_claims(value)
        seconds = found.get("expires_in")
        expires = auth.jwt_expiry(claims)
        if expires is None and isinstance(seconds, int | float):
            expires = datetime.fromtimestamp(time.time() + seconds, UTC)
        return Token(value=value, expires=expires, refresh=self.refresh, claims=claims)


def _refusal(answer: Answer) -> RequestError:
    """A refusal of Entra ID: its word and the first line of its description."""
    body = document(answer)
    first = str(body.get("error_description") or "").splitlines()
    words = ": ".join(part for part in (str(body.get("error") or ""), first[0] if first else "") if part)
    hint = {
        "invalid_client": "The client secret is wrong or has expired: make a new one.",
        "unauthorized_client": "Check client_id and directory; for a code in the browser the app "
        "registration must allow public client flows.",
        "expired_token": "Nobody signed in in time: connect again.",
        "authorization_declined": "The person declined to sign in.",
    }.get(str(body.get("error")), "Check directory, client_id and client_secret.")
    return errors.Unauthorized(answer.status, "POST", "/oauth2/v2.0/token", words, hint=hint)
