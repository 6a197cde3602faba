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

    `core` is there from the start; `parent` says which of the ancestors is the direct one, where that was
    found.
    """

    __slots__ = ("_raw", "_whole", "core", "parent")

    def __init__(self, raw: msgspec.Raw, core: Core) -> None:
        self._raw, self.core = raw, core
        self._whole: dict[str, Any] | None = None
        self.parent = ""

    @property
    def id(self) -> str:
        """The id as text."""
        return "" if self.core.id is None else str(self.core.id)

    def ancestors(self) -> list[str]:
        """The ids in `deviceParents`: the parent and all above it, in no order."""
        block = self.core.deviceParents
        return [str(each.id) for each in block.objects() if each.id is not None] if block else []

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


class _Page(msgspec.Struct):
    managedObjects: list[msgspec.Raw]  # noqa: N815  # the platform's key
    next: str | None = None
    statistics: dict[str, Any] | None = None


_PAGE = msgspec.json.Decoder(_Page)
_CORE = msgspec.json.Decoder(Core)


def page(body: bytes) -> dict[str, Any]:
    """A page of the inventory with an `Object` for each managed object, a plain dict for an odd one.

    Raises msgspec.DecodeError for what is no such page.
    """
    found = _PAGE.decode(body)
    objects = [_object(raw) for raw in found.managedObjects]
    return {"managedObjects": objects, "next": found.next, "statistics": found.statistics}


def _object(raw: msgspec.Raw) -> Object | dict[str, Any]:
    try:
        return Object(raw, _CORE.decode(raw))
    except msgspec.ValidationError:  # people may store anything, also under the platform's own names
        return msgspec.json.decode(raw, type=dict[str, Any])
