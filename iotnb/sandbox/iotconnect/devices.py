"""Lists of devices: all, those of an entity, a template, a company, a gateway; filters and order."""

from collections.abc import Callable, Iterable
from typing import Any

from iotnb.sandbox.iotconnect.company import COMPANY
from iotnb.sandbox.iotconnect.devicerows import (
    child_row,
    last_communication,
    last_connection,
    properties,
    row,
)
from iotnb.sandbox.iotconnect.registry import (
    Device,
    device_of,
    properties_of,
    registry,
)
from iotnb.sandbox.iotconnect.routes import Route
from iotnb.sandbox.iotconnect.schemas import template, templates
from iotnb.sandbox.iotconnect.state import Platform
from iotnb.sandbox.iotconnect.tree import entities, entity
from iotnb.sandbox.iotconnect.wire import (
    Answer,
    Call,
    Page,
    conflict,
    invalid,
    listing,
    page_of,
)

Wanted = Callable[[Device], bool]
_SORTS = ("uniqueId", "lastConnection", "lastCommunication")


def list_devices(platform: Platform, call: Call) -> Answer:
    """GET /Device."""
    return _listed(platform, call, registry(platform))


def of_entity(platform: Platform, call: Call, guid: str) -> Answer:
    """GET /entity/{guid}/device: the devices of one entity, not of those below it."""
    if entity(platform, guid) is None:
        raise conflict("entityGuid", f"There is no entity {guid}.")
    return _listed(platform, call, (d for d in registry(platform) if d.entity.lower() == guid.lower()))


def of_template(platform: Platform, call: Call, guid: str) -> Answer:
    """GET /template/{guid}/device."""
    template(platform, guid)
    return _listed(platform, call, registry(platform).of_template(guid))


def of_company(platform: Platform, call: Call, guid: str) -> Answer:
    """GET /company/{guid}/device."""
    if guid.lower() != COMPANY.lower():
        raise conflict("companyGuid", f"There is no company {guid}.")
    return _listed(platform, call, registry(platform))


def children(platform: Platform, call: Call, guid: str) -> Answer:
    """GET /Device/{guid}/child-device: shorter rows."""
    found = registry(platform).children(device_of(platform, guid))
    page, now = page_of(call, _SORTS), platform.now()
    part = page.cut(_sorted(platform, found, page, now))
    return listing(call, [child_row(platform, one, now) for one in part], total=len(found))


def _listed(platform: Platform, call: Call, devices: Iterable[Device]) -> Answer:
    """A page of devices; only the rows of the page are worked out in full."""
    page = page_of(call, _SORTS, ignored=("displayName",))
    wanted = [check for check in _filters(platform, call) if check is not None]
    found = [one for one in devices if all(check(one) for check in wanted)]
    now = platform.now()
    part = page.cut(_sorted(platform, found, page, now))
    rows = [row(platform, one, now) for one in part]
    if call.flag("customfield"):
        for shown, one in zip(rows, part, strict=True):
            shown["properties"] = properties(platform, one, now)
    if call.flag("includerecentvalue"):
        for shown in rows:
            shown["recentAttrValue"] = []
    return listing(call, rows, total=len(found), counted=call.edition != "aws")


def _sorted(platform: Platform, found: list[Device], page: Page, now: int) -> list[Device]:
    if not page.sort:
        return found
    keys: dict[str, Callable[[Device], Any]] = {
        "uniqueid": lambda one: one.unique.lower(),
        "displayname": lambda one: one.name.lower(),
        "lastconnection": lambda one: last_connection(platform, one, now) or 0,
        "lastcommunication": lambda one: last_communication(platform, one, now) or 0,
    }
    return sorted(found, key=keys[page.sort], reverse=page.descending)


def _filters(platform: Platform, call: Call) -> Iterable[Wanted | None]:
    """The conditions of a query."""
    yield _contains(call.one("uniqueid"), lambda one: one.unique)
    if call.edition != "aws":
        yield _contains(call.one("name"), lambda one: one.name)
    text = call.one("searchtext") if call.edition == "v1.1" else ""
    yield _contains(text, lambda one: f"{one.unique} {one.name}")
    yield _named(call.one("templatename"), {g: t.name for g, t in templates(platform).items()}, "template")
    yield _named(call.one("entityname"), {g: e.name for g, e in entities(platform).items()}, "entity")
    yield _is(call.one("templateguid") if call.edition == "aws" else "", "template")
    yield _is(call.one("entityguid") if call.edition == "aws" else "", "entity")
    yield _status(call.one("status").lower())
    yield _acquired(call.one("acquired").lower())
    yield _property(platform, call.one("property"), call.one("value"))
    yield _flags(platform, call)


def _contains(text: str, of: Callable[[Device], str]) -> Wanted | None:
    low = text.strip().lower()
    return (lambda one: low in of(one).lower()) if low else None


def _named(text: str, names: dict[str, str], member: str) -> Wanted | None:
    if not text:
        return None
    found = {guid for guid, name in names.items() if text.lower() in name.lower()}
    return lambda one: getattr(one, member).lower() in found


def _is(guid: str, member: str) -> Wanted | None:
    return (lambda one: getattr(one, member).lower() == guid.lower()) if guid else None


def _status(text: str) -> Wanted | None:
    if text not in ("", "active", "inactive"):
        raise invalid(("Status", "active or inactive"))
    return (lambda one: one.active is (text == "active")) if text else None


def _acquired(text: str) -> Wanted | None:
    if text not in ("", "acquired", "released", "inprogress"):
        raise invalid(("Acquired", "acquired, released or inprogress"))
    if text == "inprogress":
        return lambda _one: False
    return (lambda one: one.acquired is (text == "acquired")) if text else None


def _property(platform: Platform, name: str, value: str) -> Wanted | None:
    if not name:
        return None
    now = platform.now()

    def has(one: Device) -> bool:
        held = {key.lower(): text for key, text in properties_of(platform, one, now).items()}
        return name.lower() in held and value.lower() in held[name.lower()].lower()

    return has


def _flags(platform: Platform, call: Call) -> Wanted | None:
    gateway, edge = call.flag("isgateway"), call.flag("isedge")
    none = any(call.flag(name) for name in ("islowbandwidth", "isiotedgeenable", "greengrass", "wireless"))
    if gateway is None and edge is None and not none:
        return None
    known = templates(platform)

    def has(one: Device) -> bool:
        is_gateway = bool(registry(platform).children(one))
        fits = gateway in (None, is_gateway) and edge in (None, known[one.template.lower()].edge)
        return fits and not none

    return has


ROUTES = [
    Route("GET", "/Device", list_devices, "device"),
    Route("GET", "/Device/{guid}/child-device", children, "device"),
    Route("GET", "/entity/{guid}/device", of_entity, "device"),
    Route("GET", "/template/{guid}/device", of_template, "device"),
    Route("GET", "/company/{guid}/device", of_company, "device"),
]
