"""Subscriptions (`m2m:sub`): the platform POSTs a notification when something happens to a resource."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from iotnb.errors import ConfigError
from iotnb.platforms.tiothub.api.dmo import SUB, Chapter, joined
from iotnb.platforms.tiothub.api.lists import walk
from iotnb.platforms.tiothub.api.messages import RECEIVED, ROOT
from iotnb.platforms.tiothub.names import Resource

KIND = "m2m:sub"
Resources = list[Resource]

EVENTS = {"update": 1, "delete": 2, "create": 3, "delete child": 4}
"""What is notified of: `create` and `delete child` speak of children of the resource."""


class Subscriptions(Chapter):
    """Subscriptions below a resource, by its path; routes are those that groups make for applications."""

    def create(
        self, path: str, url: str, *, name: str | None = None, events: Sequence[str] = ("create",)
    ) -> Resource:
        """Subscribes an address to events of a resource.

        The server first POSTs a verification there (`vrq`), which must be answered with 200 and the header
        `X-M2M-RSC: 2000`; otherwise the subscription is refused (result code 5204).
        """
        unknown = [each for each in events if each not in EVENTS]
        if unknown or not events:
            raise ConfigError(f"events={list(events)!r}: use some of {', '.join(EVENTS)}")
        body = {"nu": [url], "nct": 1, "enc": {"net": [EVENTS[each] for each in events]}}
        if name:
            body["rn"] = name
        return self._dmo.create(joined(path), KIND, body, ty=SUB)

    def list(self, path: str) -> Iterator[Resource]:
        """The subscriptions below a resource."""
        pages = walk(self._dmo, joined(path), KIND, params={"ty": SUB})
        return (each for page in pages for each in page)

    def routes(self, device: str) -> Resources:
        """The subscriptions to what a device sends; none is why a webhook gets nothing.

        Each is named `<group>-<application>-<device>`, or `<group id>-<application id>`.
        """
        return [*self.list(f"{ROOT}/{device}/{RECEIVED}")]

    def delete(self, path: str, name: str) -> None:
        """Ends a subscription."""
        self._dmo.delete(joined(path, name))
