"""Application accesses: client ids, secrets, permissions, and a stand-in for the portal's form.

The form is no part of the platform: `POST /application-access` does what a person does in the portal under
Application access management.
"""

import hmac
import re
import secrets
import uuid
from collections.abc import Callable
from typing import Any

import msgspec

from iotnb.sandbox.tiothub.state import CMO, DMO, REALM, TENANT, Platform
from iotnb.sandbox.tiothub.wire import Answer, Call, Client, Refused

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
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
FORM = "application-access"


class Directory:
    """The accesses by client id; those that every run has keep their secrets through a reset."""

    def __init__(self, platform: Platform) -> None:
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


def form(platform: Platform, call: Call) -> Answer:
    """GET lists the accesses without secrets, POST adds one: name, email, permissions (default all)."""
    page = call.headers.get("origin")
    if page is not None and page.partition("://")[2] != call.headers.get("host"):
        raise Refused(403, {"error": f"not for pages of {page}"})
    by_method: dict[str, Callable[[Platform, Call], Answer]] = {"GET": _list, "POST": _add}
    if call.method not in by_method:
        raise Refused(405, {"error": "write GET or POST"}, headers={"Allow": "GET, POST"})
    return by_method[call.method](platform, call)


def _list(platform: Platform, _call: Call) -> Answer:
    found = [
        {"name": one.name, "client_id": one.id, "permissions": sorted(one.permissions)}
        for one in platform.directory.all()
    ]
    return Answer(body={"applications": found})


def _add(platform: Platform, call: Call) -> Answer:
    try:
        body = msgspec.json.decode(call.body, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise Refused(400, {"error": f"the body must be a JSON object: {error}"}) from None
    name, email = body.get("name"), body.get("email")
    if not isinstance(name, str) or not name.strip():
        raise Refused(400, {"error": "name: the application's nickname is needed"})
    if not isinstance(email, str) or not _EMAIL.fullmatch(email):
        raise Refused(400, {"error": "email: the address of the person responsible is needed"})
    permissions = body.get("permissions", list(PERMISSIONS))
    if not isinstance(permissions, list) or not permissions or not set(permissions) <= set(PERMISSIONS):
        raise Refused(400, {"error": f"permissions: some of {', '.join(PERMISSIONS)}"})
    client_id, secret = platform.directory.add(name.strip(), email, permissions)
    made = {"name": name.strip(), "client_id": client_id, "client_secret": secret}
    return Answer(
        status=201, body={**made, "permissions": permissions, "tenant": TENANT, **urls(call.origin)}
    )
