"""Inventory: managed objects, their children, and what the platform knows about a device."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from iotnb.errors import ConfigError, Unsupported
from iotnb.platforms.cumulocity.api.chapter import (
    JSON,
    PAGE_SIZE,
    PAGING,
    Collection,
    Document,
    Documents,
    document,
    known,
    media,
    segment,
)

KINDS = ("childDevices", "childAssets", "childAdditions")
SWITCHES = frozenset(
    {"skipChildrenNames", "withChildren", "withChildrenCount", "withLatestValues", "withParents"}
)
BATCH = 50  # the most managed objects in one multi-object call


def quoted(value: str) -> str:
    """A text as a literal of the query language: `O'Neill` becomes `'O''Neill'`."""
    return "'" + value.replace("'", "''") + "'"


class Inventory(Collection):
    """`/inventory/managedObjects`.

    `list`, `pages` and `page` take `query` (the query language, for example `"type eq 'c8y_Linux'"` or
    `"$filter=has(c8y_IsDevice) $orderby=name"`), `q` (the same, devices only), `text`, `type` (ignored by the
    platform when `query` is there), `fragmentType`, `ids`, `owner`, `onlyRoots`, `childDeviceId`,
    `childAssetId`, `childAdditionId`, `withParents`, `withGroups`, `withChildren`, `withChildrenCount`,
    `skipChildrenNames`, `withLatestValues`. `withChildren` is always sent, false unless given: its default
    depends on the tenant.
    """

    path, key, one, many = (
        "/inventory/managedObjects",
        "managedObjects",
        "managedobject",
        "managedobjectcollection",
    )
    filters = frozenset(
        {
            "childAdditionId",
            "childAssetId",
            "childDeviceId",
            "fragmentType",
            "ids",
            "onlyRoots",
            "owner",
            "q",
            "query",
            "skipChildrenNames",
            "text",
            "type",
            "withChildren",
            "withChildrenCount",
            "withGroups",
            "withLatestValues",
            "withParents",
        }
    )

    def get(self, id: str, **switches: Any) -> Document:
        """One managed object; the switches `withChildren`, `withParents` ... fill its parts."""
        path = f"{self.path}/{segment(id)}"
        params = known({"withChildren": False, **switches}, SWITCHES, where=f"GET {path}")
        return document(self._get(path, accept=media(self.one), **params))

    def find(self, id: str) -> Document | None:
        """One managed object, or None if there is none."""
        return self._find(f"{self.path}/{segment(id)}?withChildren=false", accept=media(self.one))

    def create_many(self, documents: Sequence[Mapping[str, Any]]) -> Documents:
        """Stores managed objects in calls of 50, each all or nothing; newest edition of the platform only.

        Raises Unsupported on other editions, which would store the whole list as one odd object.
        """
        stored: Documents = []
        for start in range(0, len(documents), BATCH):
            body = {self.key: [dict(each) for each in documents[start : start + BATCH]]}
            page = self._send("POST", self.path, body, content=media(self.many), accept=media(self.many))
            if "id" in page:
                self.delete(str(page["id"]))
                raise Unsupported("this tenant's edition makes one object a call: use create() for each")
            stored.extend(page.get(self.key, []))
        return stored

    def delete(self, id: str, **switches: Any) -> None:
        """Deletes an object with its identities and data; the platform does so in the background.

        `cascade=True` takes the children of devices and groups along, `forceCascade=True` every child,
        `withDeviceUser=True` the user of the device too.
        """
        path = f"{self.path}/{segment(id)}"
        names = {"cascade", "forceCascade", "withDeviceUser"}
        self._delete(path, **known(switches, names, where=f"DELETE {path}"))

    # -- what the platform knows about one device

    def supported_series(self, id: str) -> list[str]:
        """The series of a device as `fragment.series`."""
        return _names(self._json(f"{self.path}/{segment(id)}/supportedSeries"), "c8y_SupportedSeries")

    def supported_measurements(self, id: str) -> list[str]:
        """The measurement fragments of a device."""
        return _names(
            self._json(f"{self.path}/{segment(id)}/supportedMeasurements"), "c8y_SupportedMeasurements"
        )

    def availability(self, id: str) -> Document:
        """Last message, `dataStatus` and `connectionStatus`; NotFound for a device that is not monitored."""
        return document(self._get(f"{self.path}/{segment(id)}/availability"))

    def find_availability(self, id: str) -> Document | None:
        """The same, or None for a device that is not monitored."""
        return self._find(f"{self.path}/{segment(id)}/availability")

    def device_user(self, id: str) -> Document:
        """The user that belongs to a device: `userName` and whether it is `enabled`."""
        accept = media("managedobjectuser")
        return document(self._get(f"{self.path}/{segment(id)}/user", accept=accept))

    def update_device_user(self, id: str, changes: Mapping[str, Any]) -> Document:
        """Changes that user, for example `{"enabled": False}`."""
        kind = media("managedobjectuser")
        return self._send("PUT", f"{self.path}/{segment(id)}/user", dict(changes), content=kind, accept=kind)

    # -- children of three kinds

    def children(
        self,
        id: str,
        *,
        kind: str = "childDevices",
        stop: threading.Event | None = None,
        **filters: Any,
    ) -> Iterator[Document]:
        """The children of one kind (`childDevices`, `childAssets`, `childAdditions`) as managed objects.

        `query`, `withChildrenCount` ... narrow and widen them as in `list`.
        """
        branch = self._branch(id, kind)
        given = {"pageSize": PAGE_SIZE, "withChildren": False, **filters}
        params = known(given, PAGING | {"query", "withChildren", "withChildrenCount"}, where=f"GET {branch}")
        accept = media("managedobjectreferencecollection")
        walk = self._walk(branch, "references", params, accept=accept, stop=stop)
        return (reference["managedObject"] for page in walk for reference in page.items)

    def child(self, id: str, child: str, *, kind: str = "childDevices") -> Document:
        """The reference to one child; Invalid (422) if it is none."""
        accept = media("managedobjectreference")
        return document(self._get(f"{self._branch(id, kind)}/{segment(child)}", accept=accept))

    def add_child(self, id: str, child: str | Mapping[str, Any], *, kind: str = "childDevices") -> Document:
        """Links a child: an id, or a new managed object that is made and linked in one call."""
        if isinstance(child, Mapping):
            content, body = media("managedobject"), dict(child)
        else:
            content, body = media("managedobjectreference"), {"managedObject": {"id": _id(child)}}
        # the document names no media type for the answer to a new reference, hence plain JSON
        return self._send("POST", self._branch(id, kind), body, content=content, accept=JSON)

    def add_children(self, id: str, children: Iterable[str], *, kind: str = "childDevices") -> Document:
        """Links several existing objects in one call."""
        content = media("managedobjectreferencecollection")
        return self._send("POST", self._branch(id, kind), _references(children), content=content, accept=JSON)

    def remove_child(self, id: str, child: str, *, kind: str = "childDevices") -> None:
        """Removes the reference; the child itself stays."""
        self._delete(f"{self._branch(id, kind)}/{segment(child)}")

    def remove_children(self, id: str, children: Iterable[str], *, kind: str = "childDevices") -> None:
        """Removes several references in one call."""
        content = media("managedobjectreferencecollection")
        self._send("DELETE", self._branch(id, kind), _references(children), content=content)

    def _branch(self, id: str, kind: str) -> str:
        if kind not in KINDS:
            raise ConfigError(f"there are no children of kind {kind!r}: use one of {', '.join(KINDS)}")
        return f"{self.path}/{segment(id)}/{kind}"

    def _params(self, filters: Mapping[str, Any]) -> dict[str, Any]:
        return super()._params({"withChildren": False, **filters})


def _references(children: Iterable[str]) -> Document:
    if isinstance(children, str):
        raise ConfigError(f"give a list of ids, not the text {children!r}")
    return {"references": [{"managedObject": {"id": _id(child)}} for child in children]}


def _id(child: str) -> str:
    if not isinstance(child, str) or not child:
        raise ConfigError(
            f"{child!r} cannot be an identifier: give the platform's id as text, such as '2480300'"
        )
    return child


def _names(answer: Any, key: str) -> list[str]:
    found = answer.get(key) if isinstance(answer, Mapping) else None
    return [str(name) for name in found or ()]
