"""Nodes (`m2m:nod`): the devices, their device-info and their labels."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any

from iotnb import errors
from iotnb.platforms.tiothub import names
from iotnb.platforms.tiothub.api.dmo import DVI, NODE, Chapter, joined
from iotnb.platforms.tiothub.api.lists import Walk, walk
from iotnb.platforms.tiothub.names import Resource

KIND, INFO = "m2m:nod", "m2m:dvi"
DEVICE_INFO = "device-info"


class Nodes(Chapter):
    """Devices by their resource name (`rn`); lists give nodes without children, so without device-info."""

    def pages(
        self, *, report: Walk | None = None, stop: threading.Event | None = None, **filters: Any
    ) -> Iterator[list[Resource]]:
        """Pages of nodes; `filters` are those of oneM2M (`lbl`, `ni`, `cra` ...), applied by the server.

        `report` tells afterwards whether they are all.
        """
        return walk(self._dmo, "", KIND, params={"ty": NODE, **filters}, report=report, stop=stop)

    def list(self, **filters: Any) -> Iterator[Resource]:
        """All nodes, page by page."""
        return (each for page in self.pages(**filters) for each in page)

    def get(self, name: str, *, stop: threading.Event | None = None) -> Resource:
        """One node with its children `m2m:dvi` and `m2m:crds` (blanked)."""
        return self._dmo.retrieve(joined(name), stop=stop)

    def find(self, name: str, *, stop: threading.Event | None = None) -> Resource | None:
        """One node by its name, or None."""
        found = self._dmo.find(joined(name), stop=stop)
        return found if found is not None and found.kind == KIND else None

    def by_id(self, ri: str) -> Resource:
        """One node by its id."""
        return self._dmo.retrieve(self._dmo.by_id(ri))

    def info(self, name: str) -> Resource | None:
        """The device-info of a node, or None: `man`, `mod`, `fwv`, `swv` ..."""
        return next(iter(names.children(self.get(name), INFO)), None)

    def update_info(self, name: str, changes: Mapping[str, Any]) -> Resource:
        """Changes attributes of the device-info, or creates it where there is none."""
        path = joined(name, DEVICE_INFO)
        try:
            return self._dmo.update(path, INFO, changes)
        except errors.NotFound:
            body = {"rn": DEVICE_INFO, "mgd": 1007, **changes}
            return self._dmo.create(joined(name), INFO, body, ty=DVI)

    def labels(self, name: str) -> dict[str, str]:
        """The labels of a node as a mapping; values are text (`d2c` is "1.0")."""
        return names.labels(self._dmo.retrieve(joined(name), rcn=1).get("lbl"))

    def set_labels(self, name: str, changes: Mapping[str, str | None]) -> Resource:
        """Sets some labels, or removes them where the value is None; all others stay.

        The platform replaces the whole list, so it is read first; a change of somebody else between the two
        requests would be lost. A colon inside a value becomes a blank.
        """
        answer = self._dmo.request("GET", joined(name), params={"rcn": 1})
        document = answer.json()
        inner = next((each for each in document.values() if isinstance(each, Mapping)), {})
        listed = inner.get("lbl", inner.get("labels")) or []  # as stored: a blanked one must not go back
        return self._dmo.update(joined(name), KIND, {"lbl": names.merged(listed, changes)})

    def delete(self, name: str) -> None:
        """Deletes a node, with all its messages and its whole history."""
        self._dmo.delete(joined(name))
