"""Registered client applications and their tokens: opaque texts in the shape of a UUID."""

import secrets
import string
import uuid
from dataclasses import asdict, dataclass
from typing import Any

from iotnb.sandbox.tokens import TokenError
from iotnb.sandbox.wso2.base import Base
from iotnb.sandbox.wso2.scopes import ordered

_LETTERS = string.ascii_letters + string.digits + "_"


@dataclass(slots=True)
class Application:
    """One registered application."""

    name: str
    owner: str
    client_id: str
    secret: str
    tags: list[str]
    all_domains: bool
    validity: float
    generation: int


@dataclass(slots=True)
class Grant:
    """One access token with the refresh token beside it; times in ms."""

    access: str
    refresh: str
    client_id: str
    user: str
    scopes: list[str]
    expires: int
    refresh_expires: int


def _key() -> str:
    """28 characters that end in `a`, as the server's keys do."""
    return "".join(secrets.choice(_LETTERS) for _ in range(27)) + "a"


class Clients:
    """Applications by client id, grants by token; they outlive a reset as all secrets of a run do."""

    def __init__(self, base: Base) -> None:
        self._base = base
        store = base.store
        found = [Application(**one) for one in store.settings("application").values()]
        self._applications = {one.client_id: one for one in found}
        grants = [Grant(**one) for one in store.settings("grant").values()]
        self._by_access = {one.access: one for one in grants}
        self._by_refresh = {one.refresh: one for one in grants if one.refresh}
        for grant in grants:
            base.tokens.keep(grant.access, expires=grant.expires)

    def save(self) -> None:
        """Write everything to the store again."""
        for application in self._applications.values():
            self._base.store.set("application", application.client_id, asdict(application))
        for grant in self._by_access.values():
            self._base.store.set("grant", grant.access, asdict(grant))

    # applications

    def _forget(self) -> None:
        """Remove what was registered before the switch `forget_clients` changed."""
        now = self._base.switches.forget_clients
        for client_id, one in list(self._applications.items()):
            if one.generation != now:
                del self._applications[client_id]
                self._base.store.unset("application", client_id)
                for grant in [g for g in self._by_access.values() if g.client_id == client_id]:
                    self._drop(grant)

    def application(self, client_id: str) -> Application | None:
        """The application with this id, or None."""
        self._forget()
        return self._applications.get(client_id)

    def register(
        self, *, owner: str, name: str, tags: list[str], all_domains: bool, validity: float
    ) -> Application:
        """A new application, or the one of this name with further tags."""
        self._forget()
        found = next((a for a in self._applications.values() if (a.owner, a.name) == (owner, name)), None)
        if found is None:
            issue, what = self._base.world.issue, f"of the application {name}"
            generation = self._base.switches.forget_clients
            found = Application(
                name,
                owner,
                _key(),
                issue(_key(), f"wso2: secret {what}"),
                [],
                all_domains,
                validity,
                generation,
            )
            self._applications[found.client_id] = found
        found.tags += [tag for tag in dict.fromkeys(tags) if tag not in found.tags]
        self._base.store.set("application", found.client_id, asdict(found))
        return found

    # tokens

    def living(self, client_id: str, user: str, scopes: list[str]) -> Grant | None:
        """A grant for the same client, user and scopes whose token still lives, or None."""
        for grant in self._by_access.values():
            same = (grant.client_id, grant.user, grant.scopes) == (client_id, user, scopes)
            if same and grant.refresh and self.left(grant) > 0:
                return grant
        return None

    def left(self, grant: Grant) -> int:
        """The milliseconds for which a token is still good; 0 for one that is not."""
        try:
            self._base.tokens.check(grant.access)
        except TokenError:
            return 0
        return max(0, grant.expires - self._base.now())

    def issue(
        self, client_id: str, user: str, scopes: list[str], *, seconds: float, refreshable: bool = True
    ) -> Grant:
        """A new access token, with a new refresh token unless told otherwise."""
        ends = self._base.now() + int(self._base.switches.refresh_life * 1000)
        refresh = self._base.world.issue(str(uuid.uuid4()), "wso2: refresh token") if refreshable else ""
        return self._keep(client_id, user, scopes, seconds, refresh, ends)

    def renew(self, old: Grant, scopes: list[str], *, seconds: float, rotate: bool) -> Grant:
        """Another access token in the place of an older one; the refresh token stays unless `rotate`."""
        self._drop(old)
        if rotate:
            return self.issue(old.client_id, old.user, scopes, seconds=seconds)
        return self._keep(old.client_id, old.user, scopes, seconds, old.refresh, old.refresh_expires)

    def _keep(
        self, client_id: str, user: str, scopes: list[str], seconds: float, refresh: str, ends: int
    ) -> Grant:
        base = self._base
        expires = base.now() + int(base.tokens.seconds(seconds) * 1000)
        grant = Grant(str(uuid.uuid4()), refresh, client_id, user, ordered(scopes), expires, ends)
        base.tokens.keep(grant.access, expires=expires)
        self._by_access[grant.access] = grant
        if refresh:
            self._by_refresh[refresh] = grant
        base.store.set("grant", grant.access, asdict(grant))
        return grant

    def by_refresh(self, token: str) -> Grant | None:
        """The newest grant of a refresh token, or None."""
        self._forget()
        return self._by_refresh.get(token)

    def revoke(self, token: str, client_id: str) -> None:
        """End an access token, or a refresh token with its access token; what is not the client's stays."""
        grant = self._by_access.get(token) or self._by_refresh.get(token)
        if grant is not None and grant.client_id == client_id:
            self._drop(grant)

    def _drop(self, grant: Grant) -> None:
        self._by_access.pop(grant.access, None)
        if self._by_refresh.get(grant.refresh) is grant:
            del self._by_refresh[grant.refresh]
        self._base.store.unset("grant", grant.access)

    def find(self, token: str) -> Grant:
        """The grant of a good access token; TokenError says what is wrong with any other."""
        self._forget()
        grant = self._by_access.get(token)
        if grant is None:
            raise TokenError("malformed")
        self._base.tokens.check(token)
        return grant

    def shown(self, grant: Grant) -> dict[str, Any]:
        """The answer of the token endpoint."""
        return {
            "access_token": grant.access,
            **({"refresh_token": grant.refresh} if grant.refresh else {}),
            "scope": " ".join(grant.scopes),
            "token_type": "Bearer",
            "expires_in": -(-self.left(grant) // 1000),
        }
