"""Application entities (`m2m:ae`): the registration that every other request rests on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from iotnb import errors
from iotnb.errors import Conflict, RequestError
from iotnb.platforms.tiothub.api.dmo import AE, Chapter, joined
from iotnb.platforms.tiothub.api.lists import walk
from iotnb.platforms.tiothub.names import Resource

KIND = "m2m:ae"


class Applications(Chapter):
    """Applications of the tenant. `aei`, the id of one, is what it sends as `X-M2M-Origin`."""

    def register(
        self,
        name: str | None = None,
        *,
        application_type: str | None = None,
        labels: Sequence[str] = (),
        poa: Sequence[str] = (),
        poah: Sequence[str] = (),
    ) -> Resource:
        """Registers this client's application, or finds it registered; gives its `m2m:ae`.

        `name` is its resource name (the origin without its C unless given), `poa` the addresses to which the
        platform delivers, `poah` headers (`Name:Value`) that go with deliveries. An application of somebody
        else is never used: raises Conflict when the name is taken by one.
        """
        dmo = self._dmo
        name = name or dmo.origin[1:]
        mine = self._own(name)
        if mine is not None:
            return mine
        body: dict[str, Any] = {"api": application_type or dmo.application_type, "rn": name}
        if labels:
            body["lbl"] = list(labels)
        if poa:
            body["poa"] = list(poa)
        if poah:
            body["poah"] = list(poah)
        if dmo.standard:
            body |= {"rr": True, "srv": ["3"]}
        try:
            # sent again after a lost answer it meets its own registration, which is looked up below
            return dmo.create("", KIND, body, ty=AE, retry=True)
        except (errors.Conflict, errors.Forbidden) as error:
            found = self._own(name) or self.mine()
            if found is None:
                raise _taken(error, name, dmo.origin) from None
            return found

    def mine(self) -> Resource | None:
        """The application that is registered with this client's origin, under whatever name, or None."""
        origin = self._dmo.origin
        try:
            found = next((each for each in self.list() if each.get("aei") == origin), None)
        except errors.Forbidden:
            found = None
        if found is not None:
            return found
        try:  # on a standard server the id of an application is its origin
            direct = self._dmo.find(self._dmo.by_id(origin), rcn=1) or (
                self._dmo.find(joined(origin), rcn=1) if self._dmo.standard else None
            )
        except (errors.Forbidden, errors.Invalid):
            return None
        return direct if direct is not None and direct.get("aei") == origin else None

    def list(self) -> Iterator[Resource]:
        """All applications that one may see."""
        return (each for page in walk(self._dmo, "", KIND, params={"ty": AE}) for each in page)

    def get(self, name: str) -> Resource:
        """One application by its resource name."""
        return self._dmo.retrieve(joined(name), rcn=1)

    def find(self, name: str) -> Resource | None:
        """One application by its resource name, or None."""
        return self._dmo.find(joined(name), rcn=1)

    def update(self, name: str, changes: Mapping[str, Any]) -> Resource:
        """Changes attributes such as `lbl`, `poa`, `poah`; a list replaces the whole list."""
        return self._dmo.update(joined(name), KIND, changes)

    def delete(self, name: str) -> None:
        """Ends a registration; what lies below the application is deleted with it."""
        self._dmo.delete(joined(name))

    def _own(self, name: str) -> Resource | None:
        """The application of this name when it is ours; raises Conflict when it is somebody else's."""
        try:
            found = self.find(name)
        except errors.Forbidden:  # not to be seen: not registered yet, or somebody else's
            return None
        if found is None or found.kind != KIND:
            return None
        if found.get("aei") == self._dmo.origin:
            return found
        raise Conflict(
            409,
            "GET",
            self._dmo.path(joined(name)),
            f"the application {name!r} belongs to {found.get('aei')!r}, not to {self._dmo.origin!r}",
            hint="Register under another name, or connect with origin= set to the id of your application.",
        )


def _taken(error: RequestError, name: str, origin: str) -> RequestError:
    """The refusal of a registration when no application of ours was found."""
    return type(error)(
        error.status,
        error.method,
        error.path,
        error.words,
        hint=f"No application with the id {origin!r} is to be seen, so {name!r} is not ours or the request "
        f"was refused for another reason. Take another name or another origin. {error.hint}",
        request_id=error.request_id,
        body=error.body,
    )
