"""Templates by GUID and code: those that every run has, and those that users made."""

from iotnb.sandbox.iotconnect.kept import Kept
from iotnb.sandbox.iotconnect.models import SEEDED, Template
from iotnb.sandbox.iotconnect.state import Platform
from iotnb.sandbox.iotconnect.wire import conflict, not_found

_KEPT = Kept("template", Template, lambda _: SEEDED)
templates, keep, drop = _KEPT.all, _KEPT.keep, _KEPT.drop


def template(platform: Platform, guid: str) -> Template:
    """The template with a GUID; 404."""
    found = _KEPT.get(platform, guid)
    if found is None:
        raise not_found("deviceTemplateGuid", f"There is no template {guid}.")
    return found


def of_code(platform: Platform, code: str) -> Template:
    """The template with a code; 409."""
    found = next((t for t in templates(platform).values() if t.code.lower() == code.lower()), None)
    if found is None:
        raise conflict("templateCode", f"There is no template with the code {code}.")
    return found
