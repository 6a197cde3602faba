"""JSON documents by name in the store, held in memory too: what users create on a platform."""

from collections.abc import Iterator
from typing import Any

from iotnb.sandbox.store import Store


class Shelf:
    """Documents of one kind; reads cost a look-up, writes go to the store at once."""

    def __init__(self, store: Store, kind: str) -> None:
        self._store = store
        self.kind = kind
        self._held: dict[str, Any] = store.settings(kind)

    def __contains__(self, name: str) -> bool:
        return name in self._held

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._held))

    def __len__(self) -> int:
        return len(self._held)

    def get(self, name: str) -> Any:
        """A document or None; change it only with put()."""
        return self._held.get(name)

    def items(self) -> list[tuple[str, Any]]:
        """Names and documents in the order in which they came."""
        return list(self._held.items())

    def values(self) -> list[Any]:
        """The documents."""
        return list(self._held.values())

    def put(self, name: str, document: Any) -> None:
        """Keep a document under a name."""
        self._held[name] = document
        self._store.set(self.kind, name, document)

    def drop(self, name: str) -> bool:
        """Remove a document; False if there was none."""
        if self._held.pop(name, None) is None:
            return False
        self._store.unset(self.kind, name)
        return True

    def clear(self) -> None:
        """Remove every document."""
        for name in tuple(self._held):
            self.drop(name)
