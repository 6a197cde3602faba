"""The front of the device management side: who asks, in which way, and what the path leads to."""

from collections.abc import Awaitable

from iotnb.sandbox.tiothub.change import delete, update
from iotnb.sandbox.tiothub.create import create
from iotnb.sandbox.tiothub.platform import Platform
from iotnb.sandbox.tiothub.retrieve import Target, retrieve
from iotnb.sandbox.tiothub.rights import check_origin, check_release, need
from iotnb.sandbox.tiothub.state import DMO
from iotnb.sandbox.tiothub.tree import ROOT, Resource
from iotnb.sandbox.tiothub.wire import Answer, Call, Refused, basic_time, debug, not_allowed
from iotnb.sandbox.wire import iso

_TENANTS = (ROOT, f"id-{ROOT}")
_LATEST, _OLDEST, _FANOUT = ("la", "latest"), ("ol", "oldest"), ("fopt", "fanOutPoint")
_METHODS = {"GET": "R", "HEAD": "R", "POST": "W", "PUT": "W", "DELETE": "W"}


def dmo(platform: Platform, call: Call) -> Answer | Awaitable[Answer]:
    """One request; the path after the version is in `call.segments`."""
    if call.method not in _METHODS:
        raise not_allowed(call.method)
    if call.client is None or not call.client.may(DMO, write=_METHODS[call.method] == "W"):
        raise Refused(403, {"m2m:dbg": "the access lacks the permission"}, rsc=4103)
    check_release(platform, call)
    creates_ae = call.method == "POST" and call.ty == 2
    if call.method == "POST" and call.ty is None:
        raise debug(4000, "Not a NOTIFY request or response: Content-Type lacks ;ty=")
    check_origin(platform, call, creates_ae=creates_ae)
    target = resolve(platform, call)
    if call.method == "POST":
        return create(platform, call, target)
    if call.method == "PUT":
        return update(platform, call, target)
    if call.method == "DELETE":
        return delete(platform, call, target)
    need(platform, call, target.resource, "RETRIEVE")
    found = retrieve(platform, call, target)
    if platform.switches.strict and call.headers.get("accept", "") == "application/xml":
        found.body = None  # as a standard server does that knows no XML
    return found


def headers(platform: Platform, call: Call, rsc: int | None, *, failed: bool) -> dict[str, str]:
    """The oneM2M headers of an answer, which differ between the editions."""
    switches = platform.switches
    out = {"X-M2M-RVI": switches.release}
    if call.request_id:
        out["X-M2M-RI"] = call.request_id
    if rsc is not None and (failed or switches.strict or switches.edition == "2026"):
        out["X-M2M-RSC"] = str(rsc)
    if switches.strict:
        out["X-M2M-OT"] = basic_time(platform.now())
    elif switches.edition == "2026":
        out["X-M2M-OT"] = iso(platform.now())
        out["X-Service-Responder"] = DMO
    return out


def resolve(platform: Platform, call: Call) -> Target:
    """What the path leads to; 404/4004 if nothing."""
    tree, names = platform.tree, call.segments
    if names[:1] == ("~",):
        if len(names) < 2 or names[1] not in _TENANTS:
            raise debug(4004, "resource not found")
        names = names[2:]
        at = tree.root
        if names and names[0] in (ROOT, "-"):
            names = names[1:]
        elif names:
            return _by_id(platform, names)
    elif names[:1] in ((ROOT,), ("-",)):
        at, names = tree.root, names[1:]
    elif platform.switches.strict and names:
        return _by_id(platform, names)
    else:
        raise debug(4004, "resource not found")
    return _descend(platform, at, names)


def _by_id(platform: Platform, names: tuple[str, ...]) -> Target:
    found = platform.tree.by_ri(names[0])
    if found is not None:
        return _descend(platform, found, names[1:])
    message = platform.messages.by_ri(names[0]) if len(names) == 1 else None
    if message is None:
        raise _missing(platform, "/".join(names))
    return Target(message[0], text=message[1])


def _missing(platform: Platform, path: str) -> Refused:
    strict = platform.switches.strict
    return debug(4004, f"No resource with this ID: {path}" if strict else "Resource not found")


def _descend(platform: Platform, at: Resource, names: tuple[str, ...]) -> Target:
    for place, name in enumerate(names):
        child = platform.tree.child(at, name)
        if child is not None:
            at = child
            continue
        found = _special(platform, at, name) if place == len(names) - 1 else None
        if found is None:
            raise _missing(platform, f"{platform.tree.path(at)}/{'/'.join(names[place:])}")
        return found
    return Target(at)


def _special(platform: Platform, at: Resource, name: str) -> Target | None:
    """The newest, the oldest or a named message; the fan-out point of a group."""
    if at.key == "m2m:grp" and name in _FANOUT:
        return Target(at, fanout=True)
    if at.box is None:
        return None
    if name in _LATEST or name in _OLDEST:
        latest = name in _LATEST
        text = platform.messages.latest(at) if latest else platform.messages.oldest(at)
        if text is None:
            raise debug(4004, f"no instance for <{'latest' if latest else 'oldest'}>")
        return Target(at, text=text)
    text = platform.messages.by_name(at, name)
    return Target(at, text=text) if text is not None else None
