"""POST on the device management side, one function for each kind of resource."""

import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote

from iotnb.sandbox.tiothub import commands, groups, provisioning
from iotnb.sandbox.tiothub.devices import NAME
from iotnb.sandbox.tiothub.names import TYPE_OF, shorten
from iotnb.sandbox.tiothub.platform import Platform
from iotnb.sandbox.tiothub.retrieve import Target, document, present
from iotnb.sandbox.tiothub.rights import need
from iotnb.sandbox.tiothub.tree import ADAPTER, CONNECTIVITY, GROUPS, PROVISIONING, ROOT, Resource
from iotnb.sandbox.tiothub.wire import Answer, Call, debug

FIXED = frozenset(("ri", "pi", "ct", "lt", "ty", "cr", "st", "cs", "aei", "cni", "cbs", "resourceID"))
"""Attributes that only the server sets."""
_COMMON = frozenset(("rn", "lbl", "acpi", "et", "daci", "cr", "hld", "ast"))
_KNOWN: dict[str, frozenset[str]] = {
    "m2m:ae": frozenset(("api", "apn", "poa", "poah", "rr", "srv", "nl", "or", "csz", "ch", "at", "aa")),
    "m2m:cnt": frozenset(("mni", "mbs", "mia", "li", "or", "disr")),
    "m2m:cin": frozenset(("con", "cnf", "or", "conr")),
    "m2m:nod": frozenset(("ni", "hcl", "hael", "hsl", "mgca", "rms", "nid", "nty")),
    "m2m:dvi": frozenset(
        (
            *("mgd", "obis", "obps", "dc", "dlb", "man", "mfdl", "mfd", "mod", "smod", "dty", "dvnm", "fwv"),
            *("swv", "hwv", "osv", "cnty", "loc", "syst", "spur", "purl", "ptl"),
        )
    ),
    "m2m:sub": frozenset(
        ("enc", "exc", "nu", "gpi", "nfu", "bn", "rl", "psn", "pn", "nsp", "ln", "nct", "nec", "su", "nse")
    ),
}
_ANYWHERE = (1, 3, 9, 23)
Made = Answer | Awaitable[Answer]


def create(platform: Platform, call: Call, target: Target) -> Made:
    """POST: checks in the order of a standard server, then one function for each kind."""
    ty = call.ty
    if ty is None:
        raise debug(4000, "Not a NOTIFY request or response: Content-Type lacks ;ty=")
    parent = target.resource
    if target.text is not None or target.fanout:
        raise debug(4005, "CREATE not allowed below a contentInstance")
    need(platform, call, parent, "CREATE")
    if platform.switches.strict and parent.ri == ROOT and ty != 2:
        raise debug(4103, f"originator: {call.originator} has no CREATE privileges for resource: {parent.rn}")
    key, posted = call.resource()
    if platform.switches.strict and key.startswith("dtiot:"):
        raise debug(4000, f"unknown resource type: {key}")
    if TYPE_OF.get(key, 28) != ty:
        raise debug(4000, f"resource type {ty} does not fit the body's {key}")
    body = shorten(posted)
    _check_attributes(platform, key, body)
    check_types(key, body)
    rn = _name(body)
    if ty == 4:
        return _message(platform, call, parent, rn, body)
    if ty == 2:
        return _application(platform, call, parent, rn, body)
    if ty == 23:
        return _subscription(platform, call, parent, rn, body)
    attributes = {name: value for name, value in body.items() if name not in FIXED and name != "rn"}
    if ty == 28:
        return _flex(platform, call, parent, key, rn, posted, attributes)
    _check_place(parent, ty)
    if ty == 14 and not NAME.fullmatch(rn):
        raise debug(4000, f"wrong format for resource name: {rn}")
    return answered(platform, call, _added(platform, call, key, parent, rn, attributes))


def _check_place(parent: Resource, ty: int) -> None:
    fits = {13: parent.ty == 14, 14: parent.ri == ROOT}.get(ty, ty in _ANYWHERE)
    if not fits:
        raise debug(5203, f"invalid child resource type {ty} for parent type {parent.ty}")


def _check_attributes(platform: Platform, key: str, body: Mapping[str, Any]) -> None:
    """What a standard server refuses about attributes."""
    if not platform.switches.strict:
        return
    known = _KNOWN.get(key)
    for name, value in body.items():
        if name in FIXED:
            raise debug(4000, f"found non-provision attribute: {name}")
        if known is not None and name not in known and name not in _COMMON:
            raise debug(4000, f"unknown attribute: {name} in resource: {key}")
        if key == "m2m:dvi" and name == "dlb" and not isinstance(value, str):
            raise debug(4000, f"type mismatch: attribute {name} is no text")


def check_types(key: str, body: Mapping[str, Any]) -> None:
    """400 for attributes that the server itself reads and that have the wrong form."""
    for name in ("lbl", "poa", "poah", "mid", "nu"):
        value = body.get(name)
        if value is not None and not _is_texts(value):
            raise debug(4000, f"type mismatch: attribute {name} is a list of texts")
    criteria = body.get("enc")
    if key != "m2m:sub" or criteria is None:
        return
    net = (criteria.get("net") or []) if isinstance(criteria, dict) else None
    if not isinstance(net, list) or not all(type(one) is int and 1 <= one <= 8 for one in net):
        raise debug(4000, "wrong format for attribute enc: net holds numbers from 1 to 8")


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _name(body: Mapping[str, Any]) -> str:
    rn = body.get("rn")
    if rn is None:
        return ""
    if not isinstance(rn, str) or not rn or "/" in rn:
        raise debug(4000, f"wrong format for resource name: {rn}")
    return rn


def _free(platform: Platform, parent: Resource, rn: str) -> None:
    """409/4105 if the name is taken."""
    taken = platform.tree.child(parent, rn) is not None or platform.messages.has_name(parent, rn)
    if taken and platform.switches.strict:
        path = f"{platform.tree.path(parent)}/{rn}"
        raise debug(4105, f"Resource with structured id: {path} already exists")
    if taken:
        raise debug(4105, "Resource already exists")


def _added(
    platform: Platform, call: Call, key: str, parent: Resource, rn: str, attributes: dict[str, Any]
) -> Resource:
    rn = rn or f"{key.partition(':')[2]}{uuid.uuid4().hex[:10]}"
    _free(platform, parent, rn)
    made = platform.tree.add(key, parent, rn, attributes, creator=call.originator)
    platform.notifier.created(parent, made.key, document(platform, made))
    return made


def answered(platform: Platform, call: Call, made: Resource) -> Answer:
    """201 with what was made; `rcn=0` leaves the body out."""
    headers = {"Content-Location": quote(platform.tree.path(made))} if platform.switches.strict else {}
    body = None if call.one("rcn") == "0" else present(platform, made.key, document(platform, made))
    return Answer(status=201, body=body, rsc=2001, headers=headers)


# applications


def _application(platform: Platform, call: Call, parent: Resource, rn: str, body: dict[str, Any]) -> Answer:
    """An application entity; its origin can be registered once."""
    strict = platform.switches.strict
    if parent.ri != ROOT:
        raise debug(5203, f"invalid child resource type 2 for parent type {parent.ty}")
    api = body.get("api")
    if api is None:
        raise debug(4000, "cannot find mandatory attribute in request: api")
    if not isinstance(api, str) or api[:1] not in ("N", "R"):
        raise debug(4000, f'wrong format for ID in attribute "api": {api} (must start with "R" or "N")')
    if strict and "rr" not in body:
        raise debug(4000, "cannot find mandatory attribute in request: rr")
    origin = call.originator if call.originator not in ("", "C") else f"C{uuid.uuid4().hex[:12]}"
    if strict:
        _register_once(platform, origin)
    rn = rn or f"ae{uuid.uuid4().hex[:10]}"
    _free(platform, parent, rn)
    _register_once(platform, origin)
    attributes = {name: value for name, value in body.items() if name not in FIXED and name != "rn"}
    ri = origin if strict else None
    made = platform.tree.add("m2m:ae", parent, rn, {**attributes, "aei": origin}, creator=origin, ri=ri)
    if not strict:
        groups.default_group(platform, made)
        groups.route(platform)
    platform.notifier.created(parent, "m2m:ae", document(platform, made))
    return answered(platform, call, made)


def _register_once(platform: Platform, origin: str) -> None:
    for one in platform.tree.held.values():
        if one.ty == 2 and one.attributes.get("aei") == origin:
            raise debug(4117, f"Originator has already registered: {origin}")


# messages and subscriptions


def _message(platform: Platform, call: Call, parent: Resource, rn: str, body: dict[str, Any]) -> Answer:
    if parent.box is None:
        raise debug(5203, f"invalid child resource type 4 for parent type {parent.ty}")
    if "con" not in body:
        raise debug(4000, "cannot find mandatory attribute in request: con")
    info = body.get("cnf", "")
    if not isinstance(info, str):
        raise debug(4000, "type mismatch: attribute cnf is no text")
    if rn:
        _free(platform, parent, rn)
    made = platform.messages.add(
        parent, body["con"], creator=call.originator, info=info, rn=rn, labels=body.get("lbl")
    )
    platform.notifier.created(parent, "m2m:cin", made)
    commands.queued(platform, parent, made)
    commands.uplink(platform, parent)
    shown = None if call.one("rcn") == "0" else present(platform, "m2m:cin", made, store=parent.rn)
    return Answer(status=201, body=shown, rsc=2001)


def _subscription(platform: Platform, call: Call, parent: Resource, rn: str, body: dict[str, Any]) -> Made:
    if not body.get("nu"):
        raise debug(4000, "cannot find mandatory attribute in request: nu (a list of addresses)")
    check_types("m2m:sub", body)
    attributes = {name: value for name, value in body.items() if name not in FIXED and name != "rn"}
    platform.notifier.report()  # what came before is not the new subscription's
    made = _added(platform, call, "m2m:sub", parent, rn, attributes)
    if platform.switches.strict:
        return _verified(platform, call, made)
    return answered(platform, call, made)


async def _verified(platform: Platform, call: Call, made: Resource) -> Answer:
    try:
        await platform.notifier.verify(made, call.originator)
    except BaseException:
        platform.remove(made)
        raise
    return answered(platform, call, made)


# flex containers of the platform


def _flex(
    platform: Platform,
    call: Call,
    parent: Resource,
    key: str,
    rn: str,
    posted: Mapping[str, Any],
    attributes: dict[str, Any],
) -> Answer:
    """Device groups, connectivity groups, provisioning requests, LoRaWAN accounts and applications."""
    tree = platform.tree
    homes: dict[str, Resource | None] = {
        "dtiot:devGr": tree.find((GROUPS,)),
        "dtiot:conGp": tree.find((CONNECTIVITY,)),
        "dtiot:noPRt": tree.find((PROVISIONING, "request")),
        "dtiot:lorAt": tree.find((ADAPTER,)),
    }
    home = homes.get(key, parent)
    if home is None or home.ri != parent.ri or (key == "dtiot:lorAn" and parent.key != "dtiot:lorAt"):
        raise debug(5203, f"invalid child resource type {key} for {tree.path(parent)}")
    after: Callable[[Resource], None] = _nothing
    if key == "dtiot:devGr":
        attributes, after = groups.group_attributes(attributes), lambda _: groups.route(platform)
    elif key == "dtiot:conGp":
        attributes = groups.connectivity_attributes(attributes)
        after = lambda made: groups.connect(platform, made)  # noqa: E731  one of four small acts
    elif key == "dtiot:noPRt":
        kept = {name: value for name, value in posted.items() if name not in ("rn", "resourceName", *FIXED)}
        attributes = provisioning.request_attributes(kept)
        after = lambda made: provisioning.requested(platform, made)  # noqa: E731
    elif key in ("dtiot:lorAt", "dtiot:lorAn"):
        attributes = groups.lorawan_attributes(key, attributes)
    made = _added(platform, call, key, parent, rn, attributes)
    after(made)
    answer = answered(platform, call, made)
    if call.full_names and isinstance(answer.body, dict):
        for resource in answer.body.values():
            resource |= {"resourceID": made.ri, "resourceName": made.rn}
    return answer


def _nothing(_made: Resource) -> None:
    """Nothing follows."""
