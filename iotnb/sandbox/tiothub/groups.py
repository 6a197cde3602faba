"""Device groups with the routing that follows from them, connectivity groups, and LoRaWAN destinations."""

from functools import partial
from typing import Any

from iotnb.sandbox.tiothub.notify import CHILD_CREATED, ROUTE, listed
from iotnb.sandbox.tiothub.platform import Platform
from iotnb.sandbox.tiothub.tree import COMMUNICATION, CONNECTIVITY, GROUPS, ROOT, Resource
from iotnb.sandbox.tiothub.wire import debug

_GROUP = "com.telekom.iot.orchestrator.deviceGroup"
_CONNECTIVITY_MS = 1_500
_NOT_EXECUTED, _OK = 0, 2
_LORAWAN = {
    "dtiot:lorAt": {"userApi": "useAi"},
    "dtiot:lorAn": {"propagate": "prope", "name": "nm"},
}


def group_attributes(body: dict[str, Any]) -> dict[str, Any]:
    """A device group's attributes; 400 if its members are no lists of texts."""
    given = {name: value for name, value in body.items() if value is not None}
    out = {"cnd": _GROUP, "tsn": "dtiot:devGr", "nds": [], "aes": [], **given}
    for name in ("nds", "aes"):
        if not isinstance(out[name], list) or not all(isinstance(one, str) for one in out[name]):
            raise debug(4000, f"type mismatch: {name} is a list of names or ids")
    return out


def default_group(platform: Platform, application: Resource) -> None:
    """The group that comes with an application, named like it."""
    groups = platform.tree.find((GROUPS,))
    if groups is None or platform.tree.child(groups, application.rn) is not None:
        return
    attributes = group_attributes({"lbl": ["d2c:1.0", "description:"], "aes": [application.rn]})
    platform.tree.add("dtiot:devGr", groups, application.rn, attributes, creator=application.creator)


def _member(platform: Platform, name: str) -> Resource | None:
    """A node or an application by name or id."""
    name = name.removeprefix(f"{ROOT}/")
    return platform.tree.child(platform.tree.root, name) or platform.tree.by_ri(name)


def route(platform: Platform) -> None:
    """Make the subscriptions that the groups ask for, named group-application-device; drop the others."""
    wanted = _routes(platform)
    present = [
        one
        for one in platform.tree.held.values()
        if one.ty == 23 and any(label.startswith(f"{ROUTE}:") for label in listed(one.attributes.get("lbl")))
    ]
    for one in present:
        key = (one.pi, one.rn)
        if key not in wanted or wanted[key][1]["nu"] != one.attributes.get("nu"):
            platform.remove(one)
        else:
            del wanted[key]
    for (_, rn), (store, attributes, creator) in wanted.items():
        platform.tree.add("m2m:sub", store, rn, attributes, creator=creator)


Routes = dict[tuple[str, str], tuple[Resource, dict[str, Any], str]]


def _routes(platform: Platform) -> Routes:
    """(container id, name) to the container, the subscription's attributes and its creator."""
    tree, out = platform.tree, Routes()
    groups = [one for one in tree.held.values() if one.key == "dtiot:devGr"]
    for group in groups:
        applications = [_member(platform, name) for name in group.attributes.get("aes") or []]
        reached = [one for one in applications if one is not None and one.attributes.get("poa")]
        devices = (_member(platform, name) for name in group.attributes.get("nds") or []) if reached else ()
        for device in devices:
            store = tree.find((COMMUNICATION, device.rn, "received-msg")) if device is not None else None
            if store is None or device is None:
                continue
            for application in reached:
                attributes = {
                    "nu": listed(application.attributes["poa"]),
                    "nct": 1,
                    "enc": {"net": [CHILD_CREATED]},
                    "lbl": [f"{ROUTE}:{group.rn}/{application.rn}"],
                }
                rn = f"{group.rn}-{application.rn}-{device.rn}"
                out[store.ri, rn] = (store, attributes, str(application.attributes.get("aei")))
    return out


def forget_application(platform: Platform, application: Resource) -> None:
    """After an application went: its default group goes too, other groups lose it."""
    names = {application.rn, application.ri, f"{ROOT}/{application.rn}"}
    for group in [one for one in platform.tree.held.values() if one.key == "dtiot:devGr"]:
        if group.rn == application.rn and group.creator == application.creator:
            platform.remove(group)
        elif names & set(group.attributes.get("aes") or []):
            left = [one for one in group.attributes["aes"] if one not in names]
            platform.tree.change(group, {"aes": left})
    route(platform)


# connectivity groups


def connectivity_attributes(body: dict[str, Any]) -> dict[str, Any]:
    """A connectivity group's attributes; it is not yet executed."""
    out = {**body, "updTe": _NOT_EXECUTED, "errMe": ""}
    points = out.setdefault("conPs", [])
    if not isinstance(points, list) or not all(isinstance(one, dict) for one in points):
        raise debug(4000, "type mismatch: conPs is a list of objects with coPID, coPTe and netID")
    return out


def connect(platform: Platform, group: Resource) -> None:
    """Have a connectivity group carried out."""
    platform.later(platform.now() + _CONNECTIVITY_MS, partial(_connected, platform, group.ri))


def _connected(platform: Platform, ri: str, _at: int) -> None:
    group = platform.tree.by_ri(ri)
    if group is None:
        return
    ids = [str(point.get("coPID")) for point in group.attributes.get("conPs") or []]
    unknown = [one for one in ids if platform.products.find(one) is None]
    if unknown:
        change = {"updTe": _NOT_EXECUTED, "errMe": f"Connectivity not found: {', '.join(unknown)}"}
    else:
        change = {"updTe": _OK, "errMe": ""}
    platform.tree.change(group, change)


def resume(platform: Platform) -> None:
    """Go on with what a data file still holds as not executed."""
    parent = platform.tree.find((CONNECTIVITY,))
    for one in list(platform.tree.held.values()):
        if parent is not None and one.pi == parent.ri and one.attributes.get("updTe") == _NOT_EXECUTED:
            connect(platform, one)


# LoRaWAN


def lorawan_attributes(key: str, body: dict[str, Any]) -> dict[str, Any]:
    """An account's or application's attributes under the names that the platform keeps."""
    out = {_LORAWAN[key].get(name, name): value for name, value in body.items()}
    if isinstance(out.get("hexId"), str):
        out["hexId"] = out["hexId"].upper()
    return out
