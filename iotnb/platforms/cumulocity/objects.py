"""Managed objects of large inventories: what the table needs is decoded at once, the rest on demand.

A page of 2,000 objects as plain dicts costs five times the memory of its bytes and most of the time of a
load.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec


class Named(msgspec.Struct, gc=False):
    """An object that a reference points to."""

    id: str | int | None = None
    name: str | int | None = None


class Reference(msgspec.Struct, gc=False):
    """One reference."""

    managedObject: Named | None = None  # noqa: N815  # the platform's key


class References(msgspec.Struct, gc=False):
    """A block of references."""

    references: list[Reference] | None = None

    def ids(self) -> tuple[str, ...]:
        """The ids of these objects."""
        return tuple(str(each.id) for each in self.objects() if each.id is not None)

    def objects(self) -> list[Named]:
        """The objects that the references point to."""
        return [each.managedObject for each in self.references or () if each.managedObject is not None]


class State(msgspec.Struct, gc=False):
    """`c8y_Availability` or `c8y_Connection`."""

    status: str | None = None
    lastMessage: str | None = None  # noqa: N815  # the platform's key


class Core(msgspec.Struct, gc=False):
    """The part of a managed object that the devices table shows."""

    id: str | int | None = None
    name: str | int | None = None
    type: str | int | None = None
    owner: str | int | None = None
    creationTime: str | None = None  # noqa: N815  # the platform's key
    deviceParents: References | None = None  # noqa: N815  # the same
    assetParents: References | None = None  # noqa: N815  # the same
    c8y_Availability: State | None = None  # noqa: N815  # the same
    c8y_Connection: State | None = None  # noqa: N815  # the same


class Object(Mapping[str, Any]):
    """A managed object that is a mapping like any other, decoded when somebody looks into it.

    `core` is there from the start, with the `id` as text. `ancestors` are the ids in `deviceParents`: the
    parent and all above it, in no order; `parent` is the direct one, where that was found.
    """

    __slots__ = ("_raw", "_whole", "ancestors", "core", "id", "parent")

    def __init__(self, raw: msgspec.Raw, core: Core) -> None:
        self._raw, self.core = raw, core
        self._whole: dict[str, Any] | None = None
        self.id = "" if core.id is None else str(core.id)
        found = core.deviceParents
        self.ancestors = found.ids() if found is not None and found.references else ()
        self.parent = ""

    def _document(self) -> dict[str, Any]:
        if self._whole is None:
            self._whole = msgspec.json.decode(self._raw)
        return self._whole

    def __getitem__(self, key: str) -> Any:
        return self._document()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._document())

    def __len__(self) -> int:
        return len(self._document())

    def __repr__(self) -> str:
        return f"Object({self.id!r}, {self.core.name!r})"


class _Identified(msgspec.Struct, gc=False):
    id: str | int | None = None


class _Page(msgspec.Struct):
    managedObjects: list[msgspec.Raw]  # noqa: N815  # the platform's key
    next: str | None = None
    statistics: dict[str, Any] | None = None


_PAGE = msgspec.json.Decoder(_Page)
_CORE = msgspec.json.Decoder(Core)
_IDENTIFIED = msgspec.json.Decoder(_Identified)


def page(body: bytes) -> dict[str, Any]:
    """A page of the inventory whose managed objects are not decoded: `decoded` does that.

    Raises msgspec.DecodeError for what is no such page.
    """
    found = _PAGE.decode(body)
    return {"managedObjects": found.managedObjects, "next": found.next, "statistics": found.statistics}


def decoded(raw: Any) -> Any:
    """An `Object` for a managed object of a `page`, a plain dict for an odd one; dicts stay as they are."""
    if not isinstance(raw, msgspec.Raw):
        return raw
    try:
        return Object(raw, _CORE.decode(raw))
    except msgspec.ValidationError:  # people may store anything, also under the platform's own names
        return msgspec.json.decode(raw, type=dict[str, Any])


def identifier(found: Any) -> str:
    """The id of a managed object, decoded or not."""
    if isinstance(found, Object):
        return found.id
    if isinstance(found, msgspec.Raw):
        try:
            return str(_IDENTIFIED.decode(found).id)
        except msgspec.ValidationError:
            found = msgspec.json.decode(found)
    return str(found.get("id"))
