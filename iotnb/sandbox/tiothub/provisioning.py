"""Provisioning: a request is accepted at once, carried out a little later, and answered by a response."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from iotnb.sandbox.tiothub.devices import NAME, PROFILES, network_id_fits
from iotnb.sandbox.tiothub.groups import route
from iotnb.sandbox.tiothub.names import shorten
from iotnb.sandbox.tiothub.platform import Platform
from iotnb.sandbox.tiothub.tree import COMMUNICATION, GROUPS, PROVISIONING, STORES, Lazy, Resource
from iotnb.sandbox.tiothub.wire import debug

_REQUEST = "com.telekom.iot.orchestrator.nodeProvisioningRequest"
_RESPONSE = "com.telekom.iot.orchestrator.provisioningRequestResponse"
_ICCID = re.compile(r"\d{19,20}")
_CREATE, _REMOVE = 1, 2
_DONE, _FAILED = 1, 2


class _Problem(Exception):
    """Why one device was not provisioned."""


def request_attributes(body: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a request as posted; 400 if it is none."""
    short = shorten(body)
    if short.get("opern") not in (_CREATE, _REMOVE):
        raise debug(4000, "operation must be 1 (create) or 2 (remove)")
    wanted = short.get("reqLt")
    if not isinstance(wanted, list) or not wanted or not all(isinstance(one, dict) for one in wanted):
        raise debug(4000, "requestList must be a list of at least one device")
    return {"cnd": _REQUEST, **body}


def requested(platform: Platform, request: Resource) -> None:
    """Have a request carried out."""
    at = request.created + int(platform.switches.provisioning_seconds * 1000)
    platform.later(at, partial(_carry_out, platform, request.ri))


def resume(platform: Platform) -> None:
    """Go on with the requests that a data file still holds without a response."""
    for one in list(platform.tree.held.values()):
        if one.key == "dtiot:noPRt" and _response(platform, one) is None:
            requested(platform, one)


def _response(platform: Platform, request: Resource) -> Resource | None:
    return platform.tree.find((PROVISIONING, "response", f"responseToRequest-{request.ri}"))


def _carry_out(platform: Platform, ri: str, _at: int) -> None:
    request = platform.tree.by_ri(ri)
    parent = platform.tree.find((PROVISIONING, "response"))
    if request is None or parent is None:
        return
    body = shorten(request.attributes)
    act: Callable[[Platform, dict[str, Any]], None] = _create if body["opern"] == _CREATE else _remove
    problems: list[str] = []
    for item in body["reqLt"]:
        try:
            act(platform, item)
        except _Problem as problem:
            problems.append(str(problem))
    route(platform)
    number, errors = len(body["reqLt"]), len(problems)
    verb = "provisioned" if body["opern"] == _CREATE else "removed"
    summary = f"Total to be {verb}: {number}; Successfully processed: {number - errors}; Errors: {errors}"
    attributes = {
        "cnd": _RESPONSE,
        "reqRD": ri,
        "resSs": _FAILED if errors else _DONE,
        "geEMe": summary,
        "inEMs": problems,
    }
    rn = f"responseToRequest-{ri}"
    made = platform.tree.add("flexContainer", parent, rn, attributes, creator="CProvisioning")
    platform.notifier.created(
        parent, "flexContainer", made.document(strict=False, newer=platform.switches.edition == "2026")
    )


def _text(item: dict[str, Any], name: str, what: str) -> str:
    value = item.get(name)
    if not isinstance(value, str) or not value:
        raise _Problem(f"{what} is missing")
    return value


def _labels(item: dict[str, Any]) -> list[str]:
    found = item.get("lbl") or []
    return [str(one) for one in found] if isinstance(found, list) else [str(found)]


def _create(platform: Platform, item: dict[str, Any]) -> None:
    """One device with its device info, its credentials and its message stores."""
    tree = platform.tree
    name, network_id = _text(item, "noRNe", "nodeResourceName"), _text(item, "ni", "nodeID")
    profile = _text(item, "profe", "profile")
    if not NAME.fullmatch(name):
        raise _Problem(f"{name}: the name may hold letters, digits and _ : - only")
    if profile not in PROFILES:
        raise _Problem(f"{name}: profile {profile} is unknown")
    if not network_id_fits(profile, network_id):
        raise _Problem(f"{name}: nodeID {network_id} is not valid for profile {profile}")
    iccid = str(item.get("ICCID") or "")
    if iccid and not _ICCID.fullmatch(iccid):
        raise _Problem(f"{name}: ICCID {iccid} is not valid")
    if tree.child(tree.root, name) is not None:
        raise _Problem(f"{name}: a device with this name already exists")
    if _with_network_id(platform, network_id) is not None:
        raise _Problem(f"{name}: nodeID {network_id} is already in use")
    labels = [*_labels(item), f"profile:{profile}", *([f"ICCID:{iccid}"] if iccid else [])]
    attributes = {"ni": network_id, "lbl": labels}
    node = tree.add("m2m:nod", tree.root, name, attributes, creator="CProvisioning")
    info = item.get("ndvi")
    given = {key: value for key, value in info.items() if key != "rn"} if isinstance(info, dict) else {}
    tree.add("m2m:dvi", node, "device-info", {"mgd": 1007, **given}, creator="CProvisioning")
    keys = item.get("nCr")
    pairs = [str(one).partition(":") for one in keys] if isinstance(keys, list) else []
    secrets = {name: value for name, colon, value in pairs if colon}
    if secrets:
        secret = secrets.get("psk", "")
        if secret:
            platform.world.issue(secret, f"tiothub: psk of {name}")
        held = {"mgd": 1029, "dc": "", "crid": secrets.get("psk-id", ""), "crse": secret}
        tree.add("m2m:crds", node, "credentials", held, creator="CProvisioning")
    add_stores(platform, name)
    _join_groups(platform, name, item.get("nodeDeviceGroups") or [])
    platform.notifier.created(tree.root, "m2m:nod", node.document(strict=False, newer=False))


def add_stores(platform: Platform, name: str) -> None:
    """The four message stores of a new device."""
    tree = platform.tree
    line = tree.add("m2m:cnt", tree.communication, name, {}, creator="CProvisioning")
    for store in STORES.values():
        tree.add("m2m:cnt", line, store, {}, creator="CProvisioning")


def _join_groups(platform: Platform, name: str, groups: Any) -> None:
    for group_name in groups if isinstance(groups, list) else []:
        group = platform.tree.find((GROUPS, str(group_name)))
        if group is not None:
            platform.tree.change(group, {"nds": [*group.attributes.get("nds", []), name]})


def _with_network_id(platform: Platform, network_id: str) -> Resource | None:
    for one in platform.tree.children(platform.tree.root):
        if one.ty == 14:
            node = one.get() if isinstance(one, Lazy) else one
            if node.attributes.get("ni") == network_id:
                return node
    return None


def _remove(platform: Platform, item: dict[str, Any]) -> None:
    tree = platform.tree
    name, network_id = str(item.get("noRNe") or ""), str(item.get("ni") or "")
    node = tree.child(tree.root, name) if name else _with_network_id(platform, network_id)
    if node is None or node.ty != 14:
        raise _Problem(f"{name or network_id}: no such device")
    remove_device(platform, node)


def remove_device(platform: Platform, node: Resource) -> list[Resource]:
    """A node and everything that belongs to it, its messages too; gives what went."""
    line = platform.tree.find((COMMUNICATION, node.rn))
    went = platform.remove(line) if line is not None else []
    return [*went, *platform.remove(node)]
