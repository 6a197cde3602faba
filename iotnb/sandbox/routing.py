"""Paths to routes: the tree in which an app finds what a request is for."""

from collections.abc import Iterable
from typing import Generic, NamedTuple, Protocol, TypeVar


class Routed(Protocol):
    """What a router needs of a route."""

    @property
    def method(self) -> str:
        """GET, POST ..."""

    @property
    def path(self) -> str:
        """`/devices/{id}/commands`: `{name}` stands for one segment."""


R = TypeVar("R", bound=Routed)


class Match(NamedTuple, Generic[R]):
    """The routes of a path by method, and the values of its variable segments."""

    routes: dict[str, R]
    values: tuple[str, ...]


class _Node(Generic[R]):
    """One segment of the tree of paths."""

    __slots__ = ("names", "other", "routes")

    def __init__(self) -> None:
        self.names: dict[str, _Node[R]] = {}
        self.other: _Node[R] | None = None
        self.routes: dict[str, R] = {}


class Router(Generic[R]):
    """Paths to routes: a name wins over a variable segment; with `fold` names are matched case-blind."""

    def __init__(self, routes: Iterable[R], *, fold: bool = False) -> None:
        self._fold = fold
        self._root: _Node[R] = _Node()
        for route in routes:
            node = self._root
            for segment in route.path.strip("/").split("/"):
                if segment.startswith("{"):
                    node.other = node.other or _Node()
                    node = node.other
                else:
                    node = node.names.setdefault(segment.lower() if fold else segment, _Node())
            if route.method in node.routes:
                raise ValueError(f"two routes for {route.method} {route.path}")
            node.routes[route.method] = route

    def find(self, segments: tuple[str, ...]) -> Match[R] | None:
        """The routes of a path (its decoded segments), or None."""
        return self._walk(self._root, segments, ())

    def _walk(self, node: _Node[R], rest: tuple[str, ...], found: tuple[str, ...]) -> Match[R] | None:
        if not rest:
            return Match(node.routes, found) if node.routes else None
        named = node.names.get(rest[0].lower() if self._fold else rest[0])
        if named is not None:
            match = self._walk(named, rest[1:], found)
            if match is not None:
                return match
        return None if node.other is None else self._walk(node.other, rest[1:], (*found, rest[0]))
