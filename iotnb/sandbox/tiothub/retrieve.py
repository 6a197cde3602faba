"""GET on the device management side: resources with their children, messages, discovery, group fan-out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from iotnb.sandbox.tiothub.messages import Selection
from iotnb.sandbox.tiothub.names import lengthen
from iotnb.sandbox.tiothub.platform import Platform
from iotnb.sandbox.tiothub.rights import visible
from iotnb.sandbox.tiothub.tree import ROOT, STORES, Lazy, Resource
from iotnb.sandbox.tiothub.wanted import Wanted, wanted_of
from iotnb.sandbox.tiothub.wire import Answer, Call, basic_time, debug

_MOST_FOUND = 20_000  # references in one discovery answer
_PAGED = (2, 3, 5)
_SUPPORTED = [1, 2, 3, 4, 5, 9, 13, 14, 23, 28]
_LONG_STORES = ("outgoing-msg", "sent-msg")
_SPECIALS = 2  # la and ol


@dataclass(slots=True)
class Target:
    """What a path leads to: a resource; or a message with its container; or a group's fan-out point."""

    resource: Resource
    text: str | None = None
    fanout: bool = False


@dataclass(slots=True)
class Child:
    """A child as it stands in an answer: a resource, or a message (its JSON text)."""

    key: str
    resource: Resource | None = None
    text: str = ""


# documents


def document(platform: Platform, resource: Resource, *, counted: bool = False) -> dict[str, Any]:
    """The attributes of a resource; `counted` adds the state of a container."""
    switches = platform.switches
    if resource.ri == ROOT:
        return _base(platform)
    out = resource.document(strict=switches.strict, newer=switches.edition == "2026")
    if resource.box is not None and (counted or switches.strict):
        found = platform.messages.select(resource)
        size = sum(len(text) for text in found.render(0, len(found))) if counted else len(found) * 16
        out |= {"cni": len(found), "cbs": size, "mni": switches.retention, "st": len(found)}
    return out


def _base(platform: Platform) -> dict[str, Any]:
    strict = platform.switches.strict
    name = f"id-{ROOT}" if strict else ROOT
    stamp = basic_time(platform.tree.root.created)
    out: dict[str, Any] = {"ri": name, "rn": ROOT, "csi": f"/{name}", "cst": 1, "srt": _SUPPORTED}
    out |= {"srv": ["2a", "3", "4", "5"], "poa": [platform.service.base_url], "pi": "", "ty": 5}
    return {**out, "ct": stamp, "lt": stamp}


def present(platform: Platform, key: str, body: dict[str, Any], *, store: str = "") -> dict[str, Any]:
    """A resource in the vocabulary in force; `store` names the message container that it comes from."""
    words = platform.switches.words
    if words == "long" or (words == "mixed" and store in _LONG_STORES):
        key, body = lengthen(key, msgspec.json.decode(msgspec.json.encode(body), type=dict[str, Any]))
    return {key: body}


# the request


def retrieve(platform: Platform, call: Call, target: Target) -> Answer:
    """GET of what a path led to."""
    wanted = wanted_of(call, platform.switches)
    if target.fanout:
        return _fan_out(platform, call, target.resource, wanted)
    if target.text is not None:
        return _message(platform, target.resource, target.text, wanted)
    resource = target.resource
    if wanted.discovery or wanted.rcn == 11:
        return _discover(platform, call, resource, wanted)
    if wanted.rcn == 0:
        return Answer(rsc=2000)
    children, headers = _children(platform, call, resource, wanted) if wanted.wants_children else ([], {})
    if wanted.rcn == 6:
        return Answer(
            body={"m2m:rrl": {"rrf": [_reference(child) for child in children]}}, headers=headers, rsc=2000
        )
    out: dict[str, Any] = {}
    if wanted.rcn != 8:
        out = document(platform, resource, counted=wanted.rcn == 1)
        out = {name: out[name] for name in wanted.attributes if name in out} if wanted.attributes else out
    if wanted.rcn == 5:
        out["ch"] = [_reference(child) for child in children]
    elif wanted.wants_children:
        out |= _lists(platform, call, children, wanted)
    store = resource.rn if resource.rn in STORES.values() else ""
    return Answer(body=present(platform, resource.key, out, store=store), headers=headers, rsc=2000)


def _message(platform: Platform, container: Resource, text: str, wanted: Wanted) -> Answer:
    body = msgspec.json.decode(text, type=dict[str, Any])
    if wanted.attributes:
        body = {name: body[name] for name in wanted.attributes if name in body}
    return Answer(body=present(platform, "m2m:cin", body, store=container.rn), rsc=2000)


def _reference(child: Child) -> dict[str, Any]:
    if child.resource is None:
        body = msgspec.json.decode(child.text, type=dict[str, Any])
        return {"nm": body["rn"], "typ": 4, "val": body["ri"]}
    return {"nm": child.resource.rn, "typ": child.resource.ty, "val": child.resource.ri}


def _lists(platform: Platform, call: Call, children: Iterable[Child], wanted: Wanted) -> dict[str, Any]:
    """Children by key; messages stay JSON texts."""
    out: dict[str, Any] = {}
    texts: list[str] = []
    for child in children:
        if child.resource is None:
            texts.append(child.text)
            continue
        body = document(platform, child.resource)
        if wanted.level > 1:
            below = Wanted(rcn=8, types=wanted.types, level=wanted.level - 1, nested=True)
            grandchildren, _ = _children(platform, call, child.resource, below)
            body |= _lists(platform, call, grandchildren, below)
        key = child.key
        if child.resource.ty == 28 and child.resource.pi == ROOT:
            key = "m2m:flexContainer"
        out.setdefault(key, []).append(body)
    if texts:
        out["m2m:cin"] = msgspec.Raw(f"[{','.join(texts)}]".encode())
    return out


# children and pages


def _children(
    platform: Platform, call: Call, resource: Resource, wanted: Wanted
) -> tuple[list[Child], dict[str, str]]:
    """The page of children that is asked for, and the headers that tell about the rest."""
    if resource.ty not in _PAGED:
        wanted.limit = wanted.offset = None
    if platform.switches.dialect == "one-based":
        return _one_based(platform, call, resource, wanted), {}
    start, limit = wanted.offset or 0, wanted.limit
    if limit is not None and platform.switches.empty_first_page and start == 0:
        return [], {}
    if limit is not None and platform.switches.repeat_page:
        start = max(0, start - limit)
    stop = None if limit is None else start + limit
    found = _fitting(platform, call, resource, wanted, start, stop)
    messages = _messages(platform, resource, wanted)
    total = found.total + len(messages)
    end = total if stop is None else min(stop, total)
    first, last = max(0, start - found.total), max(0, end - found.total)
    page = found.page + [Child("m2m:cin", text=text) for text in _texts(messages, first, last)]
    headers = {"X-M2M-CTS": "1", "X-M2M-CTO": str(end)} if end < total else {}
    return page, headers if platform.switches.dialect == "skip" else {}


@dataclass(slots=True)
class _Found:
    page: list[Child]
    total: int


def _fitting(
    platform: Platform, call: Call, resource: Resource, wanted: Wanted, start: int, stop: int | None
) -> _Found:
    """The resources start to stop - 1 of those that fit, and how many fit; nodes are made only if needed."""
    by_type = not wanted.looks_inside and wanted.window() == (0, 1 << 62) and not platform.switches.strict
    page: list[Child] = []
    total = 0
    for one in platform.tree.children(resource):
        if not wanted.takes_type(one.ty):
            continue
        inside = total >= start and (stop is None or total < stop)
        if by_type and not inside:
            total += 1
            continue
        made = one.get() if isinstance(one, Lazy) else one
        if not visible(platform, call, made):
            continue
        if not by_type and not wanted.fits(document(platform, made)):
            continue
        total += 1
        if inside:
            page.append(Child(made.key, made))
    return _Found(page, total)


def _messages(platform: Platform, resource: Resource, wanted: Wanted) -> Selection | list[str]:
    """The messages of a container that fit."""
    if resource.box is None or not wanted.takes_type(4) or (wanted.nested and not wanted.types):
        return []
    found = platform.messages.select(resource, *wanted.window())
    if not wanted.looks_inside:
        return found
    texts = found.render(0, len(found))
    return [text for text in texts if wanted.fits(msgspec.json.decode(text))]


def _texts(found: Selection | Sequence[str], first: int, last: int) -> Sequence[str]:
    if first >= last:
        return []
    return found.render(first, last) if isinstance(found, Selection) else found[first:last]


def _one_based(platform: Platform, call: Call, resource: Resource, wanted: Wanted) -> list[Child]:
    """`lim` and `ofst` count all direct children, `la` and `ol` too, before any filter; past the end: all."""
    if wanted.offset == 0:
        raise debug(4000, "error in argument: ofst=0")
    kids = [one.get() if isinstance(one, Lazy) else one for one in platform.tree.children(resource)]
    kids = [one for one in kids if visible(platform, call, one)]
    specials = 0 if resource.box is None else _SPECIALS
    messages = platform.messages.select(resource, *((0, 0) if wanted.nested and not wanted.types else ()))
    total = specials + len(kids) + len(messages)
    start = (wanted.offset or 1) - 1
    stop = total if wanted.limit is None else start + wanted.limit
    if start >= total:
        start, stop = 0, total
    shown = kids[max(0, start - specials) : max(0, stop - specials)]
    page = [Child(one.key, one) for one in shown if wanted.fits(document(platform, one))]
    before = specials + len(kids)
    texts = messages.render(max(0, start - before), max(0, stop - before))
    return page + [Child("m2m:cin", text=text) for text in texts if wanted.fits(msgspec.json.decode(text))]


# discovery and groups


def _discover(platform: Platform, call: Call, resource: Resource, wanted: Wanted) -> Answer:
    """References to every descendant that fits."""
    level = wanted.level if call.one("lvl") else 99
    found: list[str] = []
    _walk(platform, call, resource, platform.tree.path(resource), wanted, level, found)
    start = wanted.offset or 0
    if platform.switches.dialect == "one-based" and start:
        start -= 1
    most = _MOST_FOUND if wanted.limit is None else min(wanted.limit, _MOST_FOUND)
    page = found[start : start + most]
    headers = {}
    if start + len(page) < len(found):
        headers = {"X-M2M-CTS": "1", "X-M2M-CTO": str(start + len(page))}
    return Answer(body={"m2m:uril": page}, headers=headers, rsc=2000)


def _walk(
    platform: Platform, call: Call, at: Resource, path: str, wanted: Wanted, level: int, found: list[str]
) -> None:
    if level == 0 or len(found) > _MOST_FOUND:
        return
    for one in platform.tree.children(at):
        if isinstance(one, Lazy) and wanted.types == {2}:
            continue  # a device has no applications below it
        child = one.get() if isinstance(one, Lazy) else one
        if not visible(platform, call, child):
            continue
        below = f"{path}/{child.rn}"
        if wanted.fits(document(platform, child)):
            found.append(_uri(child.ri, below, wanted))
        if wanted.types != {14}:
            _walk(platform, call, child, below, wanted, level - 1, found)
    messages = _messages(platform, at, wanted) if wanted.types & {4} or not wanted.types else []
    for text in _texts(messages, 0, min(len(messages), _MOST_FOUND)):
        body = msgspec.json.decode(text, type=dict[str, Any])
        found.append(_uri(body["ri"], f"{path}/{body['rn']}", wanted))


def _uri(ri: str, path: str, wanted: Wanted) -> str:
    structured = f"{path}/{wanted.added_path}" if wanted.added_path else path
    return f"/id-{ROOT}/{ri}" if wanted.unstructured else structured


def _fan_out(platform: Platform, call: Call, group: Resource, wanted: Wanted) -> Answer:
    """GET <group>/fopt: what every member answers."""
    replies = []
    for member in group.attributes.get("mid") or []:
        name = str(member).removeprefix(f"{ROOT}/")
        found = platform.tree.by_ri(name) or platform.tree.find(tuple(name.split("/")))
        reply: dict[str, Any] = {"rqi": call.request_id, "rvi": platform.switches.release}
        if found is None or not visible(platform, call, found):
            reply |= {"rsc": 4004, "pc": {"m2m:dbg": f"No resource with this ID: {member}"}}
        else:
            body = document(platform, found, counted=wanted.rcn == 1)
            reply |= {"rsc": 2000, "pc": {found.key: body}}
        replies.append(reply)
    return Answer(body={"m2m:agr": {"m2m:rsp": replies}}, rsc=2000)
