"""Application accesses: client ids, secrets and permissions."""

import hmac
import secrets
import uuid
from typing import Any

from iotnb.sandbox.tiothub.state import CMO, DMO, REALM, TENANT, State
from iotnb.sandbox.tiothub.wire import Client

PERMISSIONS = (f"ro%{CMO}", f"rw%{CMO}", f"ro%{DMO}", f"rw%{DMO}")
TUTORIAL_ID = "5722e237-c93a-4bff-a3bd-8c3f4a385ab3"
NEWER_ID = "t-iot-hub--sandbox001--056e86c6-0000-4000-8000-afbe9451987f"
READER_ID = "7d1f0a52-1111-4000-8000-0b9d5b0c2a77"
_READ_ONLY = (f"ro%{CMO}", f"ro%{DMO}")
_SEEDED = (
    (TUTORIAL_ID, "tutorial", PERMISSIONS),
    (NEWER_ID, "newer", PERMISSIONS),
    (READER_ID, "reader", _READ_ONLY),
)
SEEDED_IDS = {name: client_id for client_id, name, _ in _SEEDED}
"""The accesses that every run has, by name."""
FORM = "application-access"


class Directory:
    """The accesses by client id; those that every run has keep their secrets through a reset."""

    def __init__(self, platform: State) -> None:
        self.platform = platform
        self.seeded = {
            name: (client_id, platform.world.issue(secrets.token_urlsafe(24), f"tiothub: secret of {name}"))
            for client_id, name, _ in _SEEDED
        }

    def client(self, client_id: str) -> Client | None:
        """An access, or None."""
        found = self._entry(client_id)
        return Client(client_id, found["name"], frozenset(found["permissions"])) if found else None

    def checked(self, client_id: str, secret: str) -> Client | None:
        """The access if id and secret belong together, else None."""
        found = self._entry(client_id)
        if found is None or not hmac.compare_digest(found["secret"].encode(), secret.encode()):
            return None
        return self.client(client_id)

    def _entry(self, client_id: str) -> dict[str, Any] | None:
        for seeded_id, name, permissions in _SEEDED:
            if client_id == seeded_id:
                return {"name": name, "secret": self.seeded[name][1], "permissions": permissions}
        found: dict[str, Any] | None = self.platform.store.setting("client", client_id)
        return found

    def add(self, name: str, email: str, permissions: list[str]) -> tuple[str, str]:
        """A new access; gives its id and secret."""
        newer = self.platform.switches.edition == "2026"
        token = "".join(secrets.choice("abcdefghijkmnpqrstuvwxyz23456789") for _ in range(10))
        client_id = f"t-iot-hub--{token}--{uuid.uuid4()}" if newer else str(uuid.uuid4())
        secret = self.platform.world.issue(secrets.token_urlsafe(24), f"tiothub: secret of {name}")
        entry = {"name": name, "email": email, "secret": secret, "permissions": permissions}
        self.platform.store.set("client", client_id, entry)
        return client_id, secret

    def all(self) -> list[Client]:
        """Every access."""
        ids = [client_id for client_id, _, _ in _SEEDED] + list(self.platform.store.settings("client"))
        return [found for found in map(self.client, ids) if found is not None]


def urls(origin: str) -> dict[str, str]:
    """The three addresses that the portal shows beside an access."""
    return {
        "token_url": f"{origin}/auth/realms/{REALM}/protocol/openid-connect/token",
        "dmo_url": f"{origin}/api-gw/{DMO}/v3/{TENANT}",
        "cmo_url": f"{origin}/api-gw/{CMO}/v5/{TENANT}",
    }
