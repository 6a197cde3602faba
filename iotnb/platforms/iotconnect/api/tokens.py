"""The auth module: the steps of the login one by one, and what the token in use says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iotnb import auth
from iotnb.errors import ConfigError
from iotnb.platforms.iotconnect.api.chapter import Chapter, envelope
from iotnb.platforms.iotconnect.entry import Credentials
from iotnb.secret import Secret

SHOWN = ("access_token", "refresh_token")


class Tokens(Chapter):
    """`/Auth`: what `connect()` has done already, to be looked at; the tokens in answers are Secrets."""

    module = "auth"

    def __init__(self, modules: Any, credentials: Credentials | None) -> None:
        super().__init__(modules)
        self._source = credentials

    def basic(self) -> dict[str, Any]:
        """Asks for a basic token, which everybody is given: `data`, `status`, `message`."""
        return envelope(self._request("GET", "/Auth/basic-token", auth=False))

    def log_in(self, basic: str | Secret) -> dict[str, Any]:
        """Logs in anew beside the login in use, with its user, password and solution key."""
        return _masked(self._known().log_in(Secret(basic)))

    def refresh(self) -> dict[str, Any]:
        """Renews the token in use: the old refresh token is used up, the answer holds the next one."""
        source = self._known()
        used = source.session.auth
        before = used.headers()
        used.refused(before)  # as if the server had refused it: all modules then go on with the new one
        token = used.token if isinstance(used, auth.TokenAuth) else None
        if token is None:
            raise ConfigError("this login was made with a token alone: there is nothing to renew it with")
        return {"access_token": token.value, "refresh_token": token.refresh, "expires": token.expires}

    def verify(self) -> bool:
        """Whether the server knows the token in use; raises Unauthorized when it has ended for good."""
        return self._request("GET", "/Auth/verify-token").status < 300

    def claims(self) -> dict[str, Any]:
        """What the token in use says: `exp`, `iss`, `user` ... (not verified); without the solution key."""
        session = self._modules[self.module]
        if isinstance(session.auth, auth.TokenAuth):
            claims = dict(session.auth.token.claims)
        else:
            words = str(session.auth.headers().get("Authorization", "")).split()
            claims = auth.jwt_claims(Secret(words[-1])) if words else {}
        about = claims.get("user")
        if isinstance(about, Mapping):
            claims["user"] = {name: value for name, value in about.items() if name != "solutionKey"}
        return claims

    def _known(self) -> Credentials:
        if self._source is None or not self._source.secrets():
            raise ConfigError("this login has no password: it was made with token=...")
        return self._source


def _masked(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {name: Secret(value) if name in SHOWN else value for name, value in answer.items()}
