"""Who may do what on the device management side: the origin of a request and, if strict, its privileges.

Without strictness any origin `C...` reads and writes everything. A standard server lets an application see
its own resources and the shared ones, but not those of other applications.
"""

from iotnb.sandbox.tiothub.platform import Platform
from iotnb.sandbox.tiothub.tree import ROOT, Resource
from iotnb.sandbox.tiothub.wire import Call, debug

_SHARED = ("CProvisioning", "CDevice-Group", "CNI-IPE", "CLoriot", "CFleetDashboard")


def owner(platform: Platform, resource: Resource) -> str:
    """The `aei` of the application below which a resource lies, or an empty text."""
    at: Resource | None = resource
    while at is not None and at.ri != ROOT:
        if at.ty == 2:
            return str(at.attributes.get("aei", ""))
        at = platform.tree.parent(at)
    return ""


def visible(platform: Platform, call: Call, resource: Resource) -> bool:
    """Whether the origin may see a resource."""
    if not platform.switches.strict or resource.ty not in (1, 2, 3, 9, 23, 28):
        return True
    found = owner(platform, resource)
    return not found or found == call.originator or found in _SHARED


def need(platform: Platform, call: Call, resource: Resource, operation: str) -> None:
    """403/4103 if the origin may not do this."""
    if not visible(platform, call, resource):
        raise debug(
            4103, f"originator: {call.originator} has no {operation} privileges for resource: {resource.ri}"
        )


def check_origin(platform: Platform, call: Call, *, creates_ae: bool) -> None:
    """400 without an origin, 403/4107 (strict) for one that is no application's; lax: 400 for both."""
    origin = call.originator
    if creates_ae and platform.switches.strict and origin in ("", "C"):
        return  # the server makes up a name
    if not origin:
        raise debug(4000, "X-M2M-Origin is missing: name the application that was registered")
    if origin[0] not in "CS":
        if platform.switches.strict:
            raise debug(4107, f"security association required for originator: {origin}")
        raise debug(4000, f"X-M2M-Origin must start with C: {origin}")


def check_release(platform: Platform, call: Call) -> None:
    """What a standard server asks of the headers of every request."""
    if not platform.switches.strict:
        return
    release = call.headers.get("x-m2m-rvi", "").strip()
    if not release:
        raise debug(4001, "release version indicator is missing in request")
    if release not in ("2a", "3", "4", "5"):
        raise debug(4001, f"release version is not supported: {release} (supported: 2a, 3, 4, 5)")
    if not call.request_id:
        raise debug(4000, "request identifier parameter is mandatory in request")
