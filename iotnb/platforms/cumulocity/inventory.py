"""The whole inventory of devices: searched by the server, read by key rather than by page number."""

from __future__ import annotations

import operator
import re
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from iotnb.collector import collector_paused
from iotnb.errors import ConfigError, Invalid
from iotnb.loading import ahead
from iotnb.paging import Page
from iotnb.platforms.cumulocity import objects, rows
from iotnb.platforms.cumulocity.api import Api, quoted
from iotnb.platforms.cumulocity.objects import Object, identifier
from iotnb.session import Answer

IS_DEVICE = "has(c8y_IsDevice)"
BATCH = 100  # identifiers in one `ids` filter: they travel in the URL

Document = dict[str, Any]
Documents = list[Document]

_QUERY = re.compile(
    r"^\s*(?:\$filter\s*=(?P<filter>.*?))?\s*(?:\$orderby\s*=(?P<order>.*))?$", re.DOTALL | re.IGNORECASE
)


def search(
    api: Api,
    *,
    text: str | None = None,
    type: str | None = None,
    query: str | None = None,
    stop: threading.Event | None = None,
) -> Iterator[Page]:
    """Pages of device documents with their parents and groups, each device once.

    `text` finds a part of the name (any case), and whole words of id, type, owner and external ids; `type` is
    exact; `query` is the platform's query language, with or without `$filter=` and `$orderby=`.
    """
    condition, order = split(query or "")
    exact = [f"type eq {quoted(type)}"] if type else []
    own = [IS_DEVICE, *exact, *([f"({condition})"] if condition else [])]
    word = (text or "").strip()
    seen: set[str] = set()
    walk = _Walk(api, stop)
    if word:
        own.append(f"name eq {quoted(f'*{word}*')}")
    pages = walk.ordered(own, order) if order else walk.by_key(own)
    yield from _once(pages, seen)
    if word and not condition:  # the platform's word index takes no query beside it, but takes a type
        yield from _once(walk.plain(text=_phrase(word), type=type or None, fragmentType="c8y_IsDevice"), seen)


def _phrase(word: str) -> str:
    """What the word index finds as a whole: it would take `a-b` for any of `a` and `b`."""
    plain = word.replace('"', " ")
    return f'"{plain}"' if re.search(r"[\s/.-]", plain) else plain


def split(query: str) -> tuple[str, str]:
    """Condition and order of a query: `$filter=a $orderby=b` and a bare `a` are the same language."""
    if "$" not in query:
        return query.strip(), ""
    found = _QUERY.match(query)
    if found is None:
        raise ConfigError(f"query={query!r}: write a condition, or $filter=<condition> $orderby=<field>")
    return (found["filter"] or "").strip(), (found["order"] or "").strip()


class _Walk:
    """One reading of the inventory."""

    def __init__(self, api: Api, stop: threading.Event | None) -> None:
        self._api, self._stop = api, stop
        self._ancestors: dict[str, tuple[str, ...]] = {}

    def plain(self, **filters: Any) -> Iterator[Page]:
        """Pages by next link."""
        return map(self._decoded, self._raw(**filters))

    def ordered(self, conditions: Iterable[str], order: str) -> Iterator[Page]:
        """Pages by next link in an order of one's own."""
        return self.plain(query=f"$filter=({' and '.join(conditions)}) $orderby={order}")

    def by_key(self, conditions: Iterable[str]) -> Iterator[Page]:
        """Pages that each begin after the last id of the one before: as fast at the end as at the beginning.

        A platform that does not take the condition on `_id`, or does not keep to it, is read by next link.
        """
        listed = list(conditions)
        last = ""
        for raw in ahead(self._keyed(listed)):  # the next one is asked for before this one is decoded
            page = None if raw is None else self._decoded(raw)
            if page is None or not _ascending(page.items, last):
                yield from self.plain(query=f"$filter=({' and '.join(listed)})")
                return
            yield page
            last = identifier(page.items[-1])

    def _keyed(self, conditions: list[str]) -> Iterator[Page | None]:
        """Pages that each begin after the last id of the one before; None if this platform cannot do it."""
        last, page = "", self._after(conditions, "")
        while page is not None and page.items:
            yield page
            last, before = identifier(page.items[-1]), last
            if last == before:
                return  # it goes in circles, which the reader of the page says as well
            page = self._after(conditions, last)
        if page is None:
            yield None

    def _after(self, conditions: list[str], last: str) -> Page | None:
        """The next page with devices after `last` (empty at the end); None if this platform cannot do it."""
        key = [f"_id gt {quoted(last)}"] if last else []
        query = f"$filter=({' and '.join([*key, *conditions])}) $orderby=_id asc"
        try:
            # several requests only for a user who sees a part of the inventory and gets empty pages first
            for page in self._raw(query=query):
                if page.items:
                    break
        except Invalid:
            if not last:
                self._check(conditions)
            return None
        return page

    def _raw(self, **filters: Any) -> Iterator[Page]:
        """Pages by next link whose objects are not decoded."""
        wanted = {"withParents": True, "withGroups": True, **filters}
        return self._api.inventory.walk(stop=self._stop, read=_shallow, **wanted)

    def _decoded(self, raw: Page) -> Page:
        """A page with its objects, and the parent of each."""
        with collector_paused():
            page = Page([objects.decoded(each) for each in raw.items], raw.document, raw.answer)
        self._find_parents(page)
        return page

    def _check(self, conditions: list[str]) -> None:
        """Raises the server's own words if it is the condition of the user that it does not understand."""
        self._api.inventory.page(query=f"$filter=({' and '.join(conditions)})", pageSize=1)

    def _find_parents(self, page: Page) -> None:
        """Finds the direct parent of each device: the platform names all of its ancestors in no order."""
        decoded = [each for each in page.items if isinstance(each, Object)]
        self._ancestors.update({each.id: each.ancestors for each in decoded})
        several = [each for each in decoded if len(each.ancestors) > 1]
        unknown = sorted({name for each in several for name in each.ancestors} - self._ancestors.keys())
        for start in range(0, len(unknown), BATCH):
            ids = unknown[start : start + BATCH]
            for document in self._api.inventory.list(ids=ids, withParents=True, stop=self._stop):
                parents = rows.references(document, "deviceParents")
                self._ancestors[str(document["id"])] = tuple(str(parent.get("id")) for parent in parents)
        for each in several:  # the deepest of them is the parent
            each.parent = max(each.ancestors, key=lambda name: len(self._ancestors.get(name, ())))


def _shallow(answer: Answer) -> Answer:
    return _Shallow(**{name: getattr(answer, name) for name in answer.__dataclass_fields__})


class _Shallow(Answer):
    """An answer with a page of managed objects, whose `json()` decodes them as far as needed."""

    def json(self) -> Any:
        """The page; one that is not quite as documented is decoded in the ordinary way."""
        try:
            with collector_paused():
                return objects.page(self.body)
        except msgspec.DecodeError:
            return super().json()


def _once(pages: Iterable[Page], seen: set[str]) -> Iterator[Page]:
    """The pages without the devices that came before."""
    for page in pages:
        ids = list(map(identifier, page.items))
        if len(set(ids)) == len(ids) and seen.isdisjoint(ids):
            seen.update(ids)
            yield page
            continue
        fresh = []
        for each, name in zip(page.items, ids, strict=True):
            if name not in seen:
                seen.add(name)
                fresh.append(each)
        yield Page(fresh, page.document, page.answer)


def _ascending(items: Documents, last: str) -> bool:
    """Whether ids only grow, from `last` on; anything else means that the server sorts in another way."""
    ids = [*([last] if last else []), *map(identifier, items)]
    if not "".join(ids).isdecimal() or not all(ids):
        return False
    numbers = list(map(int, ids))
    return all(map(operator.lt, numbers, numbers[1:]))


def missing(api: Api, ids: Iterable[str], *, stop: threading.Event | None = None) -> list[str]:
    """Those of the ids that no managed object has, or that this user cannot see."""
    listed = list(ids)
    found: set[str] = set()
    plausible = [each for each in listed if each.isdecimal()]
    for start in range(0, len(plausible), BATCH):
        part = plausible[start : start + BATCH]
        found.update(
            str(each["id"]) for each in api.inventory.list(ids=part, stop=stop, skipChildrenNames=True)
        )
    return [each for each in listed if each not in found]


def named(api: Api, name: str) -> Documents:
    """The devices with this name or external id, five at most: what somebody meant who gave no device id."""
    exact = api.inventory.page(query=f"$filter=({IS_DEVICE} and name eq {quoted(name)})")
    if not exact["managedObjects"]:
        exact = api.inventory.page(text=_phrase(name), fragmentType="c8y_IsDevice")
    found: Documents = exact["managedObjects"]
    return found
