"""Provisioning: requests that create or remove devices, and the answers that follow."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from iotnb.errors import ConfigError, IotnbError
from iotnb.platforms.tiothub.api.dmo import FCNT, Chapter, joined
from iotnb.platforms.tiothub.api.lists import walk
from iotnb.platforms.tiothub.names import Resource

KIND, ANSWER = "dtiot:noPRt", "dtiot:prRRe"
DEFINITION = "com.telekom.iot.orchestrator.nodeProvisioningRequest"
REQUESTS, RESPONSES = "device-provisioning/request", "device-provisioning/response"
CREATE, REMOVE = 1, 2
DONE = 1  # `resSs` of a request in which everything succeeded


class Provisioning(Chapter):
    """`device-provisioning`: a request is accepted at once and answered some seconds later."""

    def request(
        self, devices: Iterable[Mapping[str, Any]], *, operation: int = CREATE, name: str | None = None
    ) -> Resource:
        """Asks for devices to be created (1) or removed (2); each as in `device()`. Gives the request."""
        listed = [dict(each) for each in devices]
        if not listed:
            raise ConfigError("a provisioning request needs at least one device")
        body = {
            "cnd": DEFINITION,
            "rn": name or f"device_provisioning_request_{datetime.now(UTC):%Y%m%d-%H%M%S-%f}",
            "operation": operation,
            "requestList": listed,
        }
        return self._dmo.create(joined(REQUESTS), KIND, body, ty=FCNT, full_names=True)

    def result(self, request: str | Mapping[str, Any]) -> Resource | None:
        """The answer to a request (or its `ri`), or None while there is none.

        `resSs` 1 is success; else `geEMe` and `inEMs` say what failed.
        """
        ri = request if isinstance(request, str) else str(request.get("ri", ""))
        return self._dmo.find(joined(RESPONSES, f"responseToRequest-{ri}"))

    def wait(
        self,
        request: str | Mapping[str, Any],
        *,
        patience: float = 30.0,
        sleep: Callable[[float], object] = time.sleep,
    ) -> Resource:
        """The answer to a request, asked for each second; raises IotnbError when none came in time."""
        end = time.monotonic() + patience
        while True:
            found = self.result(request)
            if found is not None:
                return found
            if time.monotonic() >= end:
                raise IotnbError(
                    f"no answer to the provisioning request within {patience:g} s: it may come yet, ask for "
                    "client.api.provisioning.result(...) again"
                )
            sleep(min(1.0, max(0.05, end - time.monotonic())))

    def requests(self) -> Iterator[Resource]:
        """All requests that are kept."""
        return (each for page in walk(self._dmo, joined(REQUESTS), KIND) for each in page)

    def responses(self) -> Iterator[Resource]:
        """All answers that are kept."""
        pages = walk(self._dmo, joined(RESPONSES), "m2m:fcnt")
        return (each for page in pages for each in page)


def device(
    name: str,
    *,
    imei: str = "",
    node_id: str = "",
    iccid: str = "",
    profile: str = "SCS-LwM2M",
    labels: Iterable[str] = ("d2c:1.0",),
    credentials: Iterable[str] = (),
    info: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """One entry of a provisioning request; `imei` or a whole `node_id` (`urn:dev:deveui:...`)."""
    if not imei and not node_id:
        raise ConfigError(f"the device {name!r} needs imei=... or node_id=...")
    entry: dict[str, Any] = {
        "nodeID": node_id or f"urn:gsma:imei:{imei}",
        "nodeResourceName": name,
        "profile": profile,
        "lbl": list(labels),
    }
    if iccid:
        entry["ICCID"] = iccid
    if credentials:
        entry["nodeCredentials"] = list(credentials)
    if info is not None:
        entry["ndvi"] = {"rn": "device-info", "mgd": 1007, "lbl": ["d2c:1.0"], **info}
    return entry
