"""Identity: external identifiers such as serial numbers, and the managed objects that they belong to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from iotnb.platforms.cumulocity.api.chapter import Chapter, Document, Documents, document, media, segment

ONE = media("externalid")
MANY = media("externalidcollection")


class Identity(Chapter):
    """`/identity`. An identifier is a type (`c8y_Serial`, `c8y_IMEI` ...) and a value, unique per tenant."""

    def get(self, type: str, external_id: str) -> Document:
        """The mapping of an external identifier, with `managedObject.id`; NotFound if nobody has it."""
        return document(self._get(_path(type, external_id), accept=ONE))

    def find(self, type: str, external_id: str) -> Document | None:
        """The same, or None if nobody has it: the ordinary question of a device that starts."""
        return self._find(_path(type, external_id), accept=ONE)

    def list(self, id: str) -> Documents:
        """All external identifiers of a managed object (the platform does not page them)."""
        page = document(self._get(f"/identity/globalIds/{segment(id)}/externalIds", accept=MANY))
        found: Documents = page["externalIds"]
        return found

    def create(self, id: str, external_id: Mapping[str, str]) -> Document:
        """Binds `{"type": .., "externalId": ..}` to a managed object; Conflict if another one has it."""
        path = f"/identity/globalIds/{segment(id)}/externalIds"
        return self._send("POST", path, dict(external_id), content=ONE, accept=ONE)

    def delete(self, type: str, external_id: str) -> None:
        """Frees an external identifier."""
        self._delete(_path(type, external_id))

    def search(self, external_ids: Iterable[Mapping[str, str]]) -> Documents:
        """The mappings of several identifiers at once; newest edition of the platform only."""
        body = {"externalIds": [dict(each) for each in external_ids]}
        found: Documents = self._send("POST", "/identity/search", body, accept=MANY)["externalIds"]
        return found


def _path(kind: str, external_id: str) -> str:
    return f"/identity/externalIds/{segment(kind)}/{segment(external_id)}"
