"""The REST API of Azure IoT Central, one class a chapter: its own words, JSON in and out."""

from __future__ import annotations

from iotnb.platforms.iotcentral.api.access import ApiTokens, Organizations, Roles, Users
from iotnb.platforms.iotcentral.api.apps import Apps
from iotnb.platforms.iotcentral.api.chapter import Chapter, Document, Link, document, segment
from iotnb.platforms.iotcentral.api.devices import DeviceGroups, Devices, DeviceTemplates, EnrollmentGroups
from iotnb.platforms.iotcentral.api.exports import Dashboards, DeploymentManifests, Destinations, Exports
from iotnb.platforms.iotcentral.api.jobs import Jobs, ScheduledJobs
from iotnb.platforms.iotcentral.api.parts import Commands, Properties, Telemetry, wrapped
from iotnb.platforms.iotcentral.api.query import Query
from iotnb.platforms.iotcentral.journal import Journal

__all__ = ["Api", "Chapter", "Document", "Link", "document", "segment", "wrapped"]


class FileUploads(Chapter):
    """`/api/fileUploads`: the one storage account that devices upload files to."""

    def find(self) -> Document | None:
        """The configuration, or None when there is none."""
        return self._find("/fileUploads")


class Api:
    """The chapters of the API.

    Attributes: `apps` (the control plane), `api_tokens`, `roles`, `users`, `organizations`, `devices`,
    `groups`, `templates`, `enrollment_groups`, `properties`, `commands`, `telemetry`, `query`, `jobs`,
    `scheduled_jobs`, `destinations`, `exports`, `dashboards`, `manifests`, `file_uploads`.
    """

    def __init__(self, link: Link, apps: Apps, journal: Journal) -> None:
        self.apps = apps
        self.api_tokens = ApiTokens(link)
        self.roles = Roles(link)
        self.users = Users(link)
        self.organizations = Organizations(link)
        self.devices = Devices(link)
        self.groups = DeviceGroups(link)
        self.templates = DeviceTemplates(link)
        self.enrollment_groups = EnrollmentGroups(link)
        self.properties = Properties(link, journal)
        self.commands = Commands(link, journal)
        self.telemetry = Telemetry(link)
        self.query = Query(link)
        self.jobs = Jobs(link)
        self.scheduled_jobs = ScheduledJobs(link)
        self.destinations = Destinations(link)
        self.exports = Exports(link)
        self.dashboards = Dashboards(link)
        self.manifests = DeploymentManifests(link)
        self.file_uploads = FileUploads(link)
