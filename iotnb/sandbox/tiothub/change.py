"""PUT and DELETE on the device management side."""

from typing import Any

from iotnb.sandbox.tiothub import groups, provisioning
from iotnb.sandbox.tiothub.create import FIXED, check_types
from iotnb.sandbox.tiothub.names import shorten
from iotnb.sandbox.tiothub.notify import CHILD_DELETED, DELETED, UPDATED
from iotnb.sandbox.tiothub.platform import Platform
from iotnb.sandbox.tiothub.retrieve import Target, document, present
from iotnb.sandbox.tiothub.rights import need
from iotnb.sandbox.tiothub.tree import ROOT, Resource
from iotnb.sandbox.tiothub.wire import Answer, Call, debug

_IMMUTABLE = FIXED | {"rn", "api", "cnd"}


def update(platform: Platform, call: Call, target: Target) -> Answer:
    """PUT: the attributes given replace the old ones whole (labels too), null removes one."""
    resource = target.resource
    if target.text is not None or target.fanout:
        raise debug(4005, "UPDATE not allowed for type: 4")
    need(platform, call, resource, "UPDATE")
    if resource.ri == ROOT:
        raise debug(4005, "UPDATE not allowed for type: 5")
    key, posted = call.resource()
    if key != resource.key:
        raise debug(4000, f"the body's {key} does not fit the resource's {resource.key}")
    changes = _changes(platform, resource, shorten(posted))
    changed = platform.tree.change(resource, changes)
    _follow_up(platform, changed)
    body = document(platform, changed)
    answer = changed.key
    modified = {**{name: body.get(name) for name in changes}, "lt": body["lt"]}
    platform.notifier.happened(changed, UPDATED, answer, body, modified=modified)
    rcn = call.one("rcn", "1")
    if rcn == "0":
        return Answer(rsc=2004)
    return Answer(body=present(platform, answer, {"lt": body["lt"]} if rcn == "9" else body), rsc=2004)


def _changes(platform: Platform, resource: Resource, body: dict[str, Any]) -> dict[str, Any]:
    """What may change; strict: 400 for anything else, lax: the rest is left out."""
    if platform.switches.strict:
        for name in body:
            if name in _IMMUTABLE:
                raise debug(4000, f"found non-provision attribute: {name}")
        if resource.key == "m2m:dvi" and not isinstance(body.get("dlb", ""), str):
            raise debug(4000, "type mismatch: attribute dlb is no text")
    if resource.key == "dtiot:noPRt":
        raise debug(4005, "UPDATE not allowed for a provisioning request")
    check_types(resource.key, body)
    changes = {name: value for name, value in body.items() if name not in _IMMUTABLE}
    if resource.key == "dtiot:devGr":
        groups.group_attributes(changes)
    if resource.key == "dtiot:conGp":
        changes = groups.connectivity_attributes({**resource.attributes, **changes})
    if resource.key in ("dtiot:lorAt", "dtiot:lorAn"):
        changes = groups.lorawan_attributes(resource.key, changes)
    return changes


def _follow_up(platform: Platform, changed: Resource) -> None:
    if changed.key == "dtiot:devGr" or changed.ty == 2:
        groups.route(platform)
    if changed.key == "dtiot:conGp":
        groups.connect(platform, changed)


def delete(platform: Platform, call: Call, target: Target) -> Answer:
    """DELETE: a device takes all its data along, an application its default group."""
    resource = target.resource
    need(platform, call, resource, "DELETE")
    if target.fanout or resource.ri == ROOT:
        raise debug(4005, "DELETE not allowed for type: 5")
    if target.text is not None:
        return _delete_message(platform, resource, target.text)
    if resource.ri[8:9] == "e" and resource.key in ("m2m:ae", "m2m:cnt"):
        raise debug(4103, f"originator: {call.originator} has no DELETE privileges for: {resource.rn}")
    parent = platform.tree.parent(resource)
    told = document(platform, resource)
    key = resource.key
    platform.notifier.happened(resource, DELETED, key, told)
    for subscription in [resource] if resource.ty == 23 else platform.notifier.subscriptions(resource):
        platform.notifier.ended(subscription)
    if resource.ty == 14:
        provisioning.remove_device(platform, resource)
    else:
        platform.remove(resource)
    if resource.ty == 2:
        groups.forget_application(platform, resource)
    elif resource.key in ("dtiot:devGr", "m2m:nod"):
        groups.route(platform)
    if parent is not None:
        platform.notifier.happened(parent, CHILD_DELETED, key, told)
    return Answer(rsc=2002)


def _delete_message(platform: Platform, container: Resource, text: str) -> Answer:
    body = platform.messages.decode(text)
    platform.messages.remove(container, body["ri"])
    platform.notifier.happened(container, CHILD_DELETED, "m2m:cin", body)
    return Answer(rsc=2002)
