"""Data export (preview): where telemetry and other messages are sent from now on."""

from __future__ import annotations

from iotnb.platforms.iotcentral.api.chapter import PREVIEW, Collection, Documents


class Destinations(Collection):
    """`/api/dataExport/destinations`: `type` webhook@v1, blobstorage@v1, eventhubs@v1 ..."""

    path = "/dataExport/destinations"
    version = PREVIEW

    def exports(self, id: str) -> Documents:
        """The exports that send to a destination."""
        return self._list(f"{self._at(id)}/exports")


class Exports(Collection):
    """`/api/dataExport/exports`: `status` is notStarted, starting, healthy or error (see `errors`)."""

    path = "/dataExport/exports"
    version = PREVIEW

    def destinations(self, id: str) -> Documents:
        """The destinations of an export."""
        return self._list(f"{self._at(id)}/destinations")


class Dashboards(Collection):
    """`/api/dashboards`: those of the whole organization."""

    path = "/dashboards"
    version = PREVIEW


class DeploymentManifests(Collection):
    """`/api/deploymentManifests`: what IoT Edge devices run."""

    path = "/deploymentManifests"
    version = PREVIEW
