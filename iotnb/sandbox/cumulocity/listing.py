"""Alarms, events, operations and audit records: their pages, the sources of a list, deleting many."""

from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from typing import Any

from iotnb.sandbox.cumulocity.history import Chosen
from iotnb.sandbox.cumulocity.scan import restricted_page
from iotnb.sandbox.cumulocity.state import Platform, number
from iotnb.sandbox.cumulocity.wire import Answer, Call, Page, Refused, collection, done
from iotnb.sandbox.store import Document

_API = {"alarm": "ALARM", "event": "EVENT", "operation": "DEVICE_CONTROL", "audit": "AUDIT"}
_RELATIONS = {
    "withSourceAssets": "childAssets",
    "withSourceDevices": "childDevices",
    "withSourceAdditions": "childAdditions",
}


def sources_of(platform: Platform, call: Call, api: str) -> frozenset[int] | None:
    """The objects that `source` and the `withSource..` parameters select; None when there is no source."""
    text = call.one("source")
    if not text:
        return None
    source = number(text, Refused(422, f"{api.lower()}/Invalid Data", f"Not an ID: {text}"))
    relations = [relation for name, relation in _RELATIONS.items() if call.flag(name)]
    if call.flag("withSourceChildren") and platform.switches.since("2026"):
        relations = list(_RELATIONS.values())
    return frozenset(platform.objects.below(source, relations) if relations else (source,))


def history_page(
    platform: Platform,
    call: Call,
    kind: str,
    chosen: Chosen,
    render: Callable[[Document], Any],
    *,
    newest_first: bool,
) -> Answer:
    """A page of one kind of item, offset-paged for users who see only a part."""
    api = _API[kind]
    name = {"audit": "auditRecords"}.get(kind, kind + "s")
    media = {"audit": "auditrecordcollection"}.get(kind, kind + "collection")
    visible = None if kind == "audit" else allowed(platform, call, api, chosen)
    found = platform.history.select(kind, chosen, newest_first=newest_first)
    if visible is not None:
        return restricted_page(
            platform,
            call,
            name,
            media,
            lambda skip, count: list(islice(found, skip, skip + count)),
            lambda one: one.source in visible,
            render,
        )
    page = Page.of(call)
    if page.wants_total:
        every = list(found)
        shown, total = every[page.first : page.first + page.size], len(every)
        return collection(call, name, media, map(render, shown), page=page, total=total)
    shown = list(islice(found, page.first, page.first + page.size))
    return collection(call, name, media, map(render, shown), page=page)


def allowed(platform: Platform, call: Call, api: str, chosen: Chosen) -> frozenset[int] | None:
    """The objects that the user may see, None for all; 403 for a single source that is not among them."""
    visible = platform.access.visible(call.user, api)
    if visible is None or chosen.sources is None:
        return visible
    if api != "ALARM" and len(chosen.sources) == 1:
        (source,) = chosen.sources
        platform.access.check(call.user, api, "READ", source)
        return visible | chosen.sources
    return visible


def only(chosen: Chosen, visible: frozenset[int] | None) -> Chosen:
    """The same choice among the objects that a user may see."""
    if visible is None:
        return chosen
    sources = visible if chosen.sources is None else visible & chosen.sources
    return replace(chosen, sources=sources)


def delete_chosen(
    platform: Platform, call: Call, kind: str, select: Callable[[Platform, Call], Chosen]
) -> Answer:
    """Delete what the parameters select; edition 2024 on refuses a call without any."""
    names = ("source", "dateFrom", "dateTo", "createdFrom", "createdTo")
    if platform.switches.since("2024") and not any(call.one(name) for name in names):
        raise Refused(422, f"{kind}/Invalid Data", f"At least one of {', '.join(names)} must be given")
    chosen, api = select(platform, call), _API[kind]
    if chosen.sources is None:
        platform.access.need(call.user, f"ROLE_{api}_ADMIN")
    for source in chosen.sources or ():
        platform.access.check(call.user, api, "ADMIN", source)

    def delete(_: int) -> None:
        platform.history.delete_all(kind, chosen)

    platform.soon(delete)
    return done()
