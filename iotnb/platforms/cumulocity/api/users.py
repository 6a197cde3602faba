"""Users: who is logged in, the second factor, and the users of a tenant."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any

from iotnb.platforms.cumulocity.api.chapter import (
    JSON,
    PAGE_SIZE,
    PAGING,
    Chapter,
    Document,
    document,
    known,
    media,
    segment,
)

USER = media("user")
CURRENT = media("currentuser")
TOTP = "/user/currentUser/totpSecret"
FILTERS = PAGING | {"groups", "onlyDevices", "owner", "username", "usernameContains", "withSubusersCount"}


class Users(Chapter):
    """`/user`."""

    def current(self) -> Document:
        """The user that is logged in, with `userName` and `effectiveRoles`."""
        return document(self._get("/user/currentUser", accept=CURRENT))

    def update_current(self, changes: Mapping[str, Any]) -> Document:
        """Changes one's own name, e-mail or phone."""
        return self._send("PUT", "/user/currentUser", dict(changes), content=CURRENT, accept=CURRENT)

    def logout(self) -> None:
        """Ends the session: its token is refused from now on."""
        self._session.post("/user/logout", headers={"Accept": JSON})

    def logout_all(self, tenant: str) -> None:
        """Ends the sessions of all users of a tenant."""
        self._session.post(f"/user/logout/{segment(tenant)}/allUsers", headers={"Accept": JSON})

    # -- the second factor by TOTP, for oneself

    def create_totp_secret(self) -> Document:
        """Makes a new secret: `rawSecret` for the authenticator and `secretQrUrl` with its QR code."""
        return self._send("POST", TOTP, {})

    def totp_activity(self) -> Document:
        """Whether the second factor is in use: `{"isActive": bool}`."""
        return document(self._get(f"{TOTP}/activity"))

    def update_totp_activity(self, *, active: bool) -> None:
        """Switches the second factor on or off."""
        self._send("POST", f"{TOTP}/activity", {"isActive": active})

    def verify_totp(self, code: str) -> None:
        """Checks a code of the authenticator; Forbidden if it is wrong, NotFound if there is no secret."""
        self._send("POST", f"{TOTP}/verify", {"code": code})

    # -- users of a tenant

    def list(self, tenant: str, *, stop: threading.Event | None = None, **filters: Any) -> Iterator[Document]:
        """The users of a tenant; filters are `username`, `groups`, `owner`, `onlyDevices` ..."""
        path = f"/user/{segment(tenant)}/users"
        params = known({"pageSize": PAGE_SIZE, **filters}, FILTERS, where=f"GET {path}")
        for page in self._walk(path, "users", params, accept=media("usercollection"), stop=stop):
            yield from page.items

    def get(self, tenant: str, name: str) -> Document:
        """One user of a tenant."""
        return document(self._get(f"/user/{segment(tenant)}/users/{segment(name)}", accept=USER))

    def find(self, tenant: str, name: str) -> Document | None:
        """One user of a tenant, or None if there is none."""
        return self._find(f"/user/{segment(tenant)}/users/{segment(name)}", accept=USER)

    def create(self, tenant: str, user: Mapping[str, Any]) -> Document:
        """Makes a user from `userName`, `password`, `email` ..."""
        return self._send("POST", f"/user/{segment(tenant)}/users", dict(user), content=USER, accept=USER)

    def update(self, tenant: str, name: str, changes: Mapping[str, Any]) -> Document:
        """Changes a user."""
        path = f"/user/{segment(tenant)}/users/{segment(name)}"
        return self._send("PUT", path, dict(changes), content=USER, accept=USER)

    def delete(self, tenant: str, name: str) -> None:
        """Deletes a user."""
        self._delete(f"/user/{segment(tenant)}/users/{segment(name)}")
