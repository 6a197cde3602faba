"""Device types, and the events (telemetry) that are defined for them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from iotnb import times
from iotnb.errors import BadAnswer
from iotnb.platforms.wso2.api.chapter import DEVICES, Chapter, Document, Documents, content, device, segment
from iotnb.session import Answer

ATTRIBUTE_TYPES: Final = ("STRING", "LONG", "BOOL", "INT", "FLOAT", "DOUBLE")


class Types(Chapter):
    """Device types (`firealarm`): each has features and may have an event definition."""

    def list(self) -> list[str]:
        """The names of all device types."""
        found = self._call("GET", "/device-types")
        names = found.get("deviceTypes") if isinstance(found, dict) else found
        if not isinstance(names, list):
            raise BadAnswer("GET /device-types: the answer holds no list of device types")
        return [str(each.get("name") if isinstance(each, dict) else each) for each in names]

    def details(self) -> Documents:
        """All device types with their meta definition: `{id,name,deviceTypeMetaDefinition}`."""
        return self._array("GET", "/device-types/config")

    def get(self, type: str) -> Document:
        """One device type with its meta definition; empty when there is none."""
        return self._object("GET", f"/device-types/config/{segment(type, what='a device type')}")

    def features(self, type: str) -> Documents:
        """The operations that devices of the type can carry out."""
        return self._array("GET", f"/device-types/{segment(type, what='a device type')}/features")

    def create(self, name: str, definition: Mapping[str, Any]) -> Any:
        """Creates a device type with `properties`, `features` and `description`; Conflict if it is there."""
        body = {"name": name, "deviceTypeMetaDefinition": dict(definition)}
        return self._call("POST", "/admin/device-types", json=body)

    def update(self, name: str, definition: Mapping[str, Any]) -> Any:
        """Changes a device type."""
        body = {"name": name, "deviceTypeMetaDefinition": dict(definition)}
        return self._call("PUT", "/admin/device-types", json=body)


class Events(Chapter):
    """`/events`: telemetry. Each device type defines its attributes; a record holds values for them."""

    def define(self, type: str, attributes: Mapping[str, str], *, transport: str = "HTTP") -> Any:
        """Defines the attributes of a device type: name to type (STRING LONG BOOL INT FLOAT DOUBLE)."""
        listed = [{"name": name, "type": kind} for name, kind in attributes.items()]
        body = {"eventAttributes": {"attributes": listed}, "transport": transport}
        return self._call("POST", self._of(type), json=body)

    def definition(self, type: str, *, stop: threading.Event | None = None) -> Document | None:
        """The definition of a device type, or None when there is none."""
        found = content(self._session.get(DEVICES + self._of(type), stop=stop))
        return found if isinstance(found, dict) else None

    def undefine(self, type: str) -> Any:
        """Removes the definition of a device type."""
        return self._call("DELETE", self._of(type))

    def page(
        self,
        type: str,
        id: str,
        *,
        start: datetime,
        end: datetime,
        offset: int = 0,
        limit: int = 100,
        stop: threading.Event | None = None,
    ) -> Answer:
        """One slice of the records in [start, end], newest first: `{"records":[..],"count":n}` of all."""
        # 0 is refused as missing, and a part of a millisecond still belongs to the window
        params = {
            "from": max(1, times.to_ms(start)),
            "to": max(1, times.to_ms(end)),
            "offset": offset,
            "limit": limit,
        }
        return self._session.get(f"{DEVICES}/events/{device(type, id)}", params=params, stop=stop)

    def last(self, type: str, id: str, *, stop: threading.Event | None = None) -> Answer:
        """The newest record: the same shape, at most one."""
        return self._session.get(f"{DEVICES}/events/last-known/{device(type, id)}", stop=stop)

    def _of(self, type: str) -> str:
        return f"/events/{segment(type, what='a device type')}"
