"""The tree of resources as such: any path, any type, discovery with oneM2M's filters."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any

from iotnb.errors import BadAnswer
from iotnb.platforms.tiothub import names
from iotnb.platforms.tiothub.api.dmo import Chapter, joined
from iotnb.platforms.tiothub.api.lists import Walk, walk
from iotnb.platforms.tiothub.names import Resource

UNSTRUCTURED = 2


class Tree(Chapter):
    """Resources by their path below the tenant (`device-communication/sensor001/received-msg`).

    The empty path is the tenant itself (`m2m:cb`).
    """

    def get(self, path: str = "", **params: Any) -> Resource:
        """A resource; `rcn` 4 (with its children) unless given."""
        return self._dmo.retrieve(_below(path), **params)

    def find(self, path: str = "", **params: Any) -> Resource | None:
        """A resource, or None."""
        return self._dmo.find(_below(path), **params)

    def by_id(self, ri: str, **params: Any) -> Resource:
        """A resource by its id (`ri`)."""
        return self._dmo.retrieve(self._dmo.by_id(ri), **params)

    def children(
        self, path: str, kind: str, *, report: Walk | None = None, **params: Any
    ) -> Iterator[Resource]:
        """The children of a type (`m2m:cnt`, `dtiot:noPRt` ...) below a path, page by page."""
        return (each for page in self.pages(path, kind, report=report, **params) for each in page)

    def pages(
        self,
        path: str,
        kind: str,
        *,
        report: Walk | None = None,
        stop: threading.Event | None = None,
        **params: Any,
    ) -> Iterator[list[Resource]]:
        """The same as whole pages; `report` tells afterwards whether they are all."""
        return walk(self._dmo, _below(path), kind, params=params, report=report, stop=stop)

    def discover(self, path: str = "", *, unstructured: bool = False, **filters: Any) -> list[str]:
        """Addresses of the resources that match: `ty`, `lbl`, `ni`, `cra`, `crb`, `ms`, `us`, `lvl` ...

        Times may be aware datetimes. The server may ignore a filter: look at what came.
        """
        params = {"fu": 1, "drt": UNSTRUCTURED if unstructured else None, **filters}
        answer = self._dmo.request("GET", _below(path), params=params)
        document = names.short(answer.json())
        found = document.get("m2m:uril") if isinstance(document, Mapping) else None
        if isinstance(found, Mapping):  # some servers wrap it once more
            found = found.get("m2m:uril")
        if not isinstance(found, list):
            raise BadAnswer(
                f"{answer.status} GET: the answer holds no list m2m:uril; discovery is not served"
            )
        return [str(each) for each in found]

    def create(self, path: str, kind: str, body: Mapping[str, Any], *, ty: int) -> Resource:
        """Creates a resource of a type below a path: `create("", "m2m:cnt", {"rn": "x"}, ty=3)`."""
        return self._dmo.create(_below(path), kind, body, ty=ty)

    def update(self, path: str, kind: str, changes: Mapping[str, Any]) -> Resource:
        """Changes attributes of a resource."""
        return self._dmo.update(_below(path), kind, changes)

    def delete(self, path: str) -> None:
        """Deletes a resource and everything below it."""
        self._dmo.delete(joined(path))


def _below(path: str) -> str:
    return joined(path) if path.strip("/") else ""
