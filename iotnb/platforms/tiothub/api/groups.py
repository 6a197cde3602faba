"""Groups: of devices (which devices' messages go to which applications) and of connectivity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from iotnb.platforms.tiothub.api.confirm import ask
from iotnb.platforms.tiothub.api.dmo import FCNT, Chapter, joined
from iotnb.platforms.tiothub.api.lists import walk
from iotnb.platforms.tiothub.names import Resource

DEVICES, CONNECTIVITY = "device-group", "connectivityGroups"
DEFINITION = "com.telekom.iot.orchestrator.deviceGroup"


class _Groups(Chapter):
    root: str
    kind: str
    params: ClassVar[Mapping[str, Any]] = {}

    def list(self) -> Iterator[Resource]:
        """All groups."""
        pages = walk(self._dmo, joined(self.root), self.kind, params=self.params)
        return (each for page in pages for each in page)

    def get(self, name: str) -> Resource:
        """One group by its name."""
        return self._dmo.retrieve(joined(self.root, name))

    def find(self, name: str) -> Resource | None:
        """One group by its name, or None."""
        return self._dmo.find(joined(self.root, name))

    def update(self, name: str, changes: Mapping[str, Any]) -> Resource:
        """Changes attributes of a group; a list replaces the whole list."""
        return self._dmo.update(joined(self.root, name), self.kind, changes)

    def delete(self, name: str) -> None:
        """Deletes a group; its members stay."""
        self._dmo.delete(joined(self.root, name))


class DeviceGroups(_Groups):
    """`device-group`: `nds` are its devices, `aes` the applications that their messages are delivered to."""

    root, kind = DEVICES, "dtiot:devGr"

    def create(
        self,
        name: str,
        *,
        devices: Sequence[str] = (),
        applications: Sequence[str] = (),
        description: str = "",
    ) -> Resource:
        """Creates a group of devices and applications, by their ids or names."""
        body = {
            "cnd": DEFINITION,
            "rn": name,
            "lbl": ["d2c:1.0", f"description:{description}"],
            "nds": list(devices),
            "aes": list(applications),
        }
        return self._dmo.create(joined(self.root), self.kind, body, ty=FCNT)


class ConnectivityGroups(_Groups):
    """`connectivityGroups`: rules for the networks that devices prefer (`conPs`, `priRe`, `liCRr`)."""

    root, kind = CONNECTIVITY, "dtiot:conGp"
    params: ClassVar[Mapping[str, Any]] = {"ty": FCNT}

    def create(self, name: str, body: Mapping[str, Any], *, confirm: bool = False) -> Resource:
        """Creates a group; it changes how SIMs connect, so it asks for `confirm=True`."""
        ask(confirm, f"create the connectivity group {name!r}, which changes how its SIMs connect")
        return self._dmo.create(joined(self.root), self.kind, {"rn": name, **body}, ty=FCNT)

    def update(self, name: str, changes: Mapping[str, Any], *, confirm: bool = False) -> Resource:
        """Changes a group; asks for `confirm=True`."""
        ask(confirm, f"change the connectivity group {name!r}, and with it how its SIMs connect")
        return super().update(name, changes)

    def delete(self, name: str, *, confirm: bool = False) -> None:
        """Deletes a group; asks for `confirm=True`."""
        ask(confirm, f"delete the connectivity group {name!r}, and with it how its SIMs connect")
        super().delete(name)
