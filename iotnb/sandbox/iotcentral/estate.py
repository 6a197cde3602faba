"""The ground of an application: its ids, and the shelves on which everything in it is kept."""

from typing import Any

from iotnb.sandbox.iotcentral.state import State
from iotnb.sandbox.shelf import Shelf

Json = dict[str, Any]
_SHELVES = (
    "tokens",
    "users",
    "organizations",
    "templates",
    "groups",
    "enrollment",
    "twins",
    "commands",
    "jobs",
    "scheduled",
    "relationships",
    "attestations",
    "destinations",
    "exports",
    "dashboards",
    "manifests",
    "uploads",
)


class Estate:
    """Ids and shelves of one application, and when its devices were last heard of."""

    tokens: Shelf
    users: Shelf
    organizations: Shelf
    templates: Shelf
    groups: Shelf
    enrollment: Shelf
    twins: Shelf
    commands: Shelf
    jobs: Shelf
    scheduled: Shelf
    relationships: Shelf
    attestations: Shelf
    destinations: Shelf
    exports: Shelf
    dashboards: Shelf
    manifests: Shelf
    uploads: Shelf

    def __init__(self, platform: State, document: Json) -> None:
        self.platform = platform
        self.document = document
        self.id: str = document["applicationId"]
        self.subdomain: str = document["subdomain"]
        self.id_scope: str = document["idScope"]
        self.has_fleet: bool = document["fleet"]
        for name in _SHELVES:
            setattr(self, name, Shelf(platform.store, f"{self.id}/{name}"))
        self.seen: dict[str, int] = {}
        """The last message of a device over HTTPS, by device id."""
        self.inbox: dict[str, list[Json]] = {}
        """Messages from the cloud that a device has not fetched."""

    def clear(self) -> None:
        """Empty every shelf."""
        for name in _SHELVES:
            getattr(self, name).clear()
