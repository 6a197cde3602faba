"""Routes: methods and paths of the planes, and the tree that finds them."""

from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple

from iotnb.sandbox.iotcentral.wire import Answer

Handler = Callable[..., Answer | Awaitable[Answer]]


class Route(NamedTuple):
    """One endpoint of the data plane: the right that it needs and whether it is in the preview only."""

    method: str
    path: str
    handler: Handler
    need: str = "read"
    preview: bool = False


class _Node:
    """One segment of the tree of paths."""

    __slots__ = ("names", "other", "routes")

    def __init__(self) -> None:
        self.names: dict[str, _Node] = {}
        self.other: _Node | None = None
        self.routes: dict[str, Route] = {}


class Router:
    """Paths to routes; `{name}` stands for one segment. Names are matched in small letters if `fold`."""

    def __init__(self, routes: Iterable[Route], *, fold: bool = False) -> None:
        self._fold = fold
        self._root = _Node()
        for route in routes:
            node = self._root
            for segment in route.path.strip("/").split("/"):
                if segment.startswith("{"):
                    node.other = node.other or _Node()
                    node = node.other
                else:
                    node = node.names.setdefault(segment.lower() if fold else segment, _Node())
            node.routes[route.method] = route

    def find(self, segments: tuple[str, ...]) -> tuple[dict[str, Route], tuple[str, ...]] | None:
        """The routes of a path and the values of its variable segments, or None."""
        return self._walk(self._root, segments, ())

    def _walk(
        self, node: _Node, rest: tuple[str, ...], found: tuple[str, ...]
    ) -> tuple[dict[str, Route], tuple[str, ...]] | None:
        if not rest:
            return (node.routes, found) if node.routes else None
        named = node.names.get(rest[0].lower() if self._fold else rest[0])
        if named is not None:
            match = self._walk(named, rest[1:], found)
            if match is not None:
                return match
        return None if node.other is None else self._walk(node.other, rest[1:], (*found, rest[0]))
