"""Things of one kind by their GUIDs: those that every run has, with what users made, changed and removed."""

from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

import msgspec

from iotnb.sandbox.iotconnect.state import Platform


class Known(Protocol):
    """What has a GUID."""

    @property
    def guid(self) -> str:
        """The GUID."""


T = TypeVar("T", bound=Known)


class Kept(Generic[T]):
    """The things of one kind.

    Args:
        kind: the word under which the store keeps them.
        type_: their class, which msgspec knows how to write and read.
        seeded: those that every run has.
    """

    def __init__(self, kind: str, type_: type[T], seeded: Callable[[Platform], Iterable[T]]) -> None:
        self._kind, self._type, self._seeded = kind, type_, seeded

    def all(self, platform: Platform) -> dict[str, T]:
        """Every one by its GUID in small letters."""
        return platform.cached(self._kind, lambda: self._load(platform))

    def _load(self, platform: Platform) -> dict[str, T]:
        found = {one.guid.lower(): one for one in self._seeded(platform)}
        for guid, held in platform.shelf(self._kind).items():
            if held is None:
                found.pop(guid, None)
            else:
                found[guid] = msgspec.convert(held, self._type)
        return found

    def get(self, platform: Platform, guid: str) -> T | None:
        """The one with a GUID, or None."""
        return self.all(platform).get(guid.lower())

    def keep(self, platform: Platform, made: T) -> None:
        """Make or replace one."""
        platform.shelf(self._kind).put(made.guid.lower(), msgspec.to_builtins(made))
        platform.cache.pop(self._kind, None)

    def drop(self, platform: Platform, guid: str) -> None:
        """Remove one."""
        platform.shelf(self._kind).put(guid.lower(), None)
        platform.cache.pop(self._kind, None)
