"""Jobs: one command, property or template for all devices of a group."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from iotnb.platforms.iotcentral.api.chapter import LARGEST, Collection, Document, Documents, segment


class Jobs(Collection):
    """`/api/jobs`: `status` complete says that a job has ended, not that it succeeded: see `progress`."""

    path = "/jobs"

    def list(self, *, stop: threading.Event | None = None, **filters: Any) -> Documents:
        """All jobs; takes `maxpagesize`."""
        pages = self._pages(self.path, params={"maxpagesize": LARGEST, **filters}, stop=stop)
        return [each for page in pages for each in page.items]

    def devices(self, id: str, *, stop: threading.Event | None = None) -> Documents:
        """The devices of a job, each with its `status`."""
        return self._list(f"{self._at(id)}/devices", stop=stop)

    def stop(self, id: str) -> None:
        """Stops a running job."""
        self._request("POST", f"{self._at(id)}/stop")

    def resume(self, id: str) -> None:
        """Lets a stopped job go on."""
        self._request("POST", f"{self._at(id)}/resume")

    def rerun(self, id: str, new: str) -> Document:
        """Runs a job again for the devices that failed, as a job of its own with the id `new`."""
        return self._json("PUT", f"{self._at(id)}/rerun/{segment(new)}")

    def update(self, id: str, changes: Mapping[str, Any], *, etag: str = "") -> Document:
        """Not in the platform's document: a job cannot be changed; raises what the server answers."""
        return super().update(id, changes, etag=etag)


class ScheduledJobs(Collection):
    """`/api/scheduledJobs`: jobs that repeat."""

    path = "/scheduledJobs"

    def jobs(self, id: str) -> Documents:
        """The jobs that a schedule has started."""
        return self._list(f"{self._at(id)}/jobs")
