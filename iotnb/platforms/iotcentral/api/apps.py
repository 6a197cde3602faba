"""The control plane: applications as Azure resources (Azure Resource Manager)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from iotnb.errors import ConfigError, IotnbError
from iotnb.platforms.iotcentral.api.chapter import Chapter, Document, Documents, Link, document, segment

GROUPS = "2021-04-01"  # the version of the resource groups, which are not IoT Central's own


class Apps(Chapter):
    """`Microsoft.IoTCentral/iotApps` in a subscription; needs the token for management.azure.com.

    An application costs money until it is deleted. Its ARM `name`, its `subdomain` and its `applicationId`
    are three different identifiers.
    """

    root = ""
    version = "2021-06-01"

    def __init__(self, link: Link, *, subscription: str = "", resource_group: str = "") -> None:
        super().__init__(link)
        self.subscription, self.resource_group = subscription, resource_group

    def create_group(self, location: str = "eastus", *, group: str = "") -> Document:
        """Creates the resource group, or leaves it as it is: the tutorial takes it for granted."""
        path = f"/subscriptions/{self._subscription()}/resourcegroups/{self._group(group)}"
        return self._json("PUT", path, json={"location": location}, version=GROUPS)

    def list(self, *, group: str | None = None) -> Documents:
        """The applications of the subscription, or of one resource group."""
        base = f"/subscriptions/{self._subscription()}"
        if group is not None:
            base += f"/resourceGroups/{self._group(group)}"
        return self._list(f"{base}/providers/Microsoft.IoTCentral/iotApps")

    def get(self, name: str, *, group: str = "") -> Document:
        """One application by the name of its resource."""
        return self._json("GET", self._at(name, group))

    def find(self, name: str, *, group: str = "") -> Document | None:
        """One application by the name of its resource, or None."""
        return self._find(self._at(name, group))

    def create(self, name: str, application: Mapping[str, Any], *, group: str = "") -> Document:
        """Creates an application; it is ready when `properties.state` is `created`, see `wait`.

        `application` holds `location`, `sku` (`{"name": "ST2"}`) and `properties` (`displayName`,
        `subdomain`, `template`).
        """
        return self._json("PUT", self._at(name, group), json=dict(application))

    def wait(self, name: str, *, group: str = "", timeout: float = 300.0, every: float = 2.0) -> Document:
        """The application as soon as its state is `created`; raises IotnbError after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while True:
            found = self.find(name, group=group) or {}
            state = (found.get("properties") or {}).get("state", "not there yet")
            if state == "created":
                return found
            if time.monotonic() > deadline:
                raise IotnbError(f"the application {name!r} is still {state!r} after {timeout:.0f} s")
            time.sleep(every)

    def update(self, name: str, changes: Mapping[str, Any], *, group: str = "") -> Document:
        """Changes `properties.displayName`, `sku`, `tags` or `identity`."""
        return self._json("PATCH", self._at(name, group), json=dict(changes))

    def delete(self, name: str, *, group: str = "") -> None:
        """Deletes an application with everything in it."""
        self._request("DELETE", self._at(name, group))

    def name_available(self, name: str) -> Document:
        """Whether a resource name is free: `{"nameAvailable": true, "reason": null, "message": null}`."""
        return self._available("checkNameAvailability", name)

    def subdomain_available(self, subdomain: str) -> Document:
        """Whether a subdomain is free in the whole world; same answer as `name_available`."""
        return self._available("checkSubdomainAvailability", subdomain)

    def templates(self) -> Documents:
        """Application templates; a `template` is written `manifestId@manifestVersion`."""
        path = f"/subscriptions/{self._subscription()}/providers/Microsoft.IoTCentral/appTemplates"
        return list(document(self._request("POST", path)).get("value") or [])

    def operations(self) -> Documents:
        """What the resource provider can do."""
        return self._list("/providers/Microsoft.IoTCentral/operations")

    def _available(self, check: str, name: str) -> Document:
        path = f"/subscriptions/{self._subscription()}/providers/Microsoft.IoTCentral/{check}"
        return self._json("POST", path, json={"name": name, "type": "IoTApps"})

    def _at(self, name: str, group: str) -> str:
        return (
            f"/subscriptions/{self._subscription()}/resourceGroups/{self._group(group)}"
            f"/providers/Microsoft.IoTCentral/iotApps/{segment(name, what='the name of an application')}"
        )

    def _subscription(self) -> str:
        if not self.subscription:
            raise ConfigError("applications belong to a subscription: connect with subscription=...")
        return segment(self.subscription)

    def _group(self, group: str) -> str:
        return segment(group or self.resource_group, what="a resource group")
