"""External IDs: a type and a value that name one managed object, unique in the tenant."""

from typing import Any

from iotnb.sandbox.cumulocity.fleetdocs import device_id
from iotnb.sandbox.cumulocity.state import Platform, number
from iotnb.sandbox.cumulocity.wire import Answer, Call, Refused, done, invalid, missing

SERIAL = "c8y_Serial"
Key = tuple[str, str]


class Identities:
    """(type, value) to managed object: the fleet's serial numbers and what users registered."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.load()

    def load(self) -> None:
        """Read what the store holds, at the start and after a reset."""
        store = self.platform.store
        self._made: dict[Key, int] = {_key(name): found for name, found in store.settings("identity").items()}
        self._by_object: dict[int, dict[Key, None]] = {}
        for key, found in self._made.items():
            self._by_object.setdefault(found, {})[key] = None
        self._gone: set[Key] = {_key(name) for name in store.settings("identity-gone")}

    def find(self, kind: str, value: str) -> int | None:
        """The managed object with this external ID, or None."""
        found = self._made.get((kind, value))
        if found is not None:
            return found
        index = self.platform.fleet.index_of(value) if kind == SERIAL else None
        if (
            index is None
            or self.platform.objects.docs.labels(index)[1] != value
            or (kind, value) in self._gone
        ):
            return None
        return device_id(index) if self.platform.objects.exists(device_id(index)) else None

    def of(self, found: int) -> list[Key]:
        """The external IDs of a managed object."""
        index = self.platform.objects.index(found)
        keys: list[Key] = []
        if index is not None:
            key = (SERIAL, self.platform.objects.docs.labels(index)[1])
            keys += [key] if key not in self._gone and key not in self._made else []
        return keys + list(self._by_object.get(found, ()))

    def add(self, kind: str, value: str, found: int) -> None:
        """Register; 409 when the external ID belongs to an object already."""
        if self.find(kind, value) is not None:
            raise Refused(409, "identity/Duplicate", "Identity already bound to a different Global ID")
        self._made[kind, value] = found
        self._by_object.setdefault(found, {})[kind, value] = None
        self.platform.store.set("identity", _name((kind, value)), found)

    def remove(self, kind: str, value: str) -> None:
        """Unregister."""
        key = (kind, value)
        found = self._made.pop(key, None)
        if found is not None:
            self._by_object[found].pop(key, None)
            self.platform.store.unset("identity", _name(key))
        else:
            self._gone.add(key)
            self.platform.store.set("identity-gone", _name(key), 1)

    def erase(self, found: int) -> None:
        """Unregister everything of a deleted object."""
        for kind, value in self.of(found):
            self.remove(kind, value)


def _name(key: Key) -> str:
    return f"{len(key[0])}:{key[0]}{key[1]}"


def _key(name: str) -> Key:
    length, _, rest = name.partition(":")
    return rest[: int(length)], rest[int(length) :]


def rendered(call: Call, key: Key, found: int) -> dict[str, Any]:
    """An external ID as the platform writes it."""
    kind, value = key
    return {
        "externalId": value,
        "type": kind,
        "managedObject": {"id": str(found), "self": call.url("inventory", "managedObjects", found)},
        "self": call.url("identity", "externalIds", kind, value),
    }


def _found(platform: Platform, kind: str, value: str) -> int:
    found = platform.identities.find(kind, value)
    if found is None:
        message = f"External id not found; external id = ID [type={kind}, value={value}]"
        raise Refused(404, "identity/Not Found", message)
    return found


def get_external(platform: Platform, call: Call, kind: str, value: str) -> Answer:
    """GET /identity/externalIds/{type}/{externalId}."""
    platform.access.need(call.user, "ROLE_IDENTITY_READ")
    return Answer(body=rendered(call, (kind, value), _found(platform, kind, value)), kind="externalid")


def delete_external(platform: Platform, call: Call, kind: str, value: str) -> Answer:
    """DELETE /identity/externalIds/{type}/{externalId}."""
    found = _found(platform, kind, value)
    platform.access.check(call.user, "IDENTITY", "ADMIN", found)
    platform.identities.remove(kind, value)
    return done()


def _object(platform: Platform, text: str) -> int:
    missing_object = Refused(404, "identity/Not Found", "Global ID not found")
    found = number(text, missing_object)
    if not platform.objects.exists(found):
        raise missing_object
    return found


def list_external(platform: Platform, call: Call, text: str) -> Answer:
    """GET /identity/globalIds/{id}/externalIds: all of them, without paging."""
    found = _object(platform, text)
    platform.access.check(call.user, "IDENTITY", "READ", found)
    items = [rendered(call, key, found) for key in platform.identities.of(found)]
    return Answer(body={"self": call.link(), "externalIds": items}, kind="externalidcollection")


def create_external(platform: Platform, call: Call, text: str) -> Answer:
    """POST /identity/globalIds/{id}/externalIds."""
    found = _object(platform, text)
    platform.access.check(call.user, "IDENTITY", "ADMIN", found)
    key = external_key(call.document())
    platform.identities.add(*key, found)
    document = rendered(call, key, found)
    return call.made("externalid", document, document["self"])


def external_key(body: Any) -> Key:
    """Type and value of a body; 422 when one is missing."""
    body = body if isinstance(body, dict) else {}
    absent = [
        name for name in ("type", "externalId") if not isinstance(body.get(name), str) or not body[name]
    ]
    if absent:
        raise missing(*absent)
    return body["type"], body["externalId"]


def search(platform: Platform, call: Call) -> Answer:
    """POST /identity/search: several external IDs at once; unknown ones are left out."""
    platform.need_edition("latest")
    platform.access.need(call.user, "ROLE_IDENTITY_READ")
    entries = call.document().get("externalIds", [])
    if not isinstance(entries, list):
        raise invalid("externalIds must be a list")
    keys = [external_key(entry) for entry in entries]
    hits = [(key, platform.identities.find(*key)) for key in keys]
    items = [rendered(call, key, found) for key, found in hits if found is not None]
    return Answer(body={"self": call.link(), "externalIds": items}, kind="externalidcollection")


def register_all(platform: Platform, keys: list[Key], found: int) -> None:
    """Register the `externalIds` of a created object; nothing is registered when one is taken."""
    if any(platform.identities.find(*key) is not None for key in keys):
        raise Refused(409, "identity/Duplicate", "Identity already bound to a different Global ID")
    for key in keys:
        platform.identities.add(*key, found)


ROUTES = (
    ("GET", "/identity/externalIds/{type}/{id}", get_external),
    ("DELETE", "/identity/externalIds/{type}/{id}", delete_external),
    ("GET", "/identity/globalIds/{id}/externalIds", list_external),
    ("POST", "/identity/globalIds/{id}/externalIds", create_external),
    ("POST", "/identity/search", search),
)
