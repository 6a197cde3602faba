"""The Entra tenant: a person, service principals, and the tokens that they were given."""

import secrets
from dataclasses import dataclass
from typing import Any

from iotnb.sandbox.iotcentral.state import State
from iotnb.sandbox.wire import iso

APPS, ARM = "https://apps.azureiotcentral.com", "https://management.azure.com"
PERSON = "person@example.com"


@dataclass(slots=True)
class Principal:
    """A service principal: an application registration with its secret and its enterprise application."""

    client_id: str
    object_id: str
    secret: str
    name: str


@dataclass(slots=True)
class DeviceCode:
    """A login that waits for a person."""

    user_code: str
    client_id: str
    scope: str
    made: int
    state: str = "pending"  # approved, declined
    polled: int = 0


class Directory:
    """One Entra tenant: a person, two service principals, and what they were given."""

    def __init__(self, platform: State) -> None:
        self.platform = platform
        self.person = platform.guid("person")
        made = [self._principal("explorer"), self._principal("stranger")]
        self.principals = {one.client_id: one for one in made}
        self.explorer, self.stranger = made
        self.codes: dict[str, DeviceCode] = {}
        self.refresh: dict[str, tuple[str, str]] = {}
        """Refresh token -> scope and client id of the person's login."""
        self._published: dict[str, tuple[str, int]] = {}

    def _principal(self, name: str) -> Principal:
        secret = self.platform.world.issue(secrets.token_urlsafe(24), f"iotcentral: client secret of {name}")
        return Principal(self.platform.guid("client", name), self.platform.guid("object", name), secret, name)

    def person_claims(self) -> dict[str, Any]:
        """The claims of the person's tokens."""
        return {"oid": self.person, "upn": PERSON, "name": "Sandbox Person", "scp": "user_impersonation"}

    def issue(self, origin: str, audience: str, claims: dict[str, Any]) -> str:
        """A signed access token for one audience."""
        switches = self.platform.switches
        issuer = f"{origin}/{switches.tenant}/v2.0"
        common = {"aud": audience, "iss": issuer, "tid": switches.tenant, "ver": "1.0"}
        return self.platform.tokens.issue({**common, **claims}, seconds=switches.bearer_seconds)

    def identity(self, origin: str, client_id: str) -> str:
        """A signed identity token, which says to a client who the person is."""
        claims = {**self.person_claims(), "sub": self.person, "preferred_username": PERSON, "ver": "2.0"}
        del claims["scp"]
        return self.issue(origin, client_id, claims)

    def published(self, audience: str) -> tuple[str, int]:
        """The person's token for an audience, made anew when half of its life is over, and its expiry."""
        now = self.platform.now()
        held = self._published.get(audience)
        life = int(self.platform.tokens.seconds(self.platform.switches.bearer_seconds) * 1000)
        if held is None or held[1] - now < life // 2:
            token = self.issue(self.platform.service.base_url, audience, self.person_claims())
            held = self._published[audience] = (token, now + life)
        return held

    def cli(self, audience: str) -> dict[str, str]:
        """A token in the form in which the vendor's command line prints it."""
        token, expires = self.published(audience)
        switches = self.platform.switches
        return {
            "accessToken": token,
            "expiresOn": iso(expires, 0).replace("T", " ").removesuffix("Z") + ".000000",
            "subscription": switches.subscription,
            "tenant": switches.tenant,
            "tokenType": "Bearer",
        }
