"""Paging for users who see only a part: the server scans a budget of documents, numbers are offsets."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from iotnb.sandbox.cumulocity.state import Platform
from iotnb.sandbox.cumulocity.wire import Answer, Call, Page

T = TypeVar("T")
_FACTOR = 10
_LEAST = 100


def restricted_page(
    platform: Platform,
    call: Call,
    name: str,
    kind: str,
    read: Callable[[int, int], Sequence[T]],
    visible: Callable[[T], bool],
    render: Callable[[T], object],
) -> Answer:
    """A page for a user with inventory roles only.

    `read(skip, count)` gives documents in order. `currentPage` is the position (from 1) of the first
    document to look at; the page ends when it is full or the budget is used up, so it may be short or
    empty while more follows. Totals are never known.
    """
    page = Page.of(call)
    budget = platform.switches.scan_budget or _FACTOR * max(page.size, _LEAST)
    start = page.number - 1
    documents = read(start, budget)
    shown: list[object] = []
    scanned = 0
    for document in documents:
        scanned += 1
        if visible(document):
            shown.append(render(document))
            if len(shown) == page.size:
                break
    statistics = {"currentPage": page.number, "pageSize": page.size, "totalPages": None}
    body: dict[str, object] = {"self": call.link(pageSize=page.size, currentPage=page.number)}
    if scanned:
        body["next"] = call.link(pageSize=page.size, currentPage=page.number + scanned)
    if page.number > 1:
        body["prev"] = call.link(pageSize=page.size, currentPage=max(1, page.number - budget))
    body |= {"statistics": statistics, name: shown}
    return Answer(body=body, kind=kind)
