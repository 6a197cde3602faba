"""The inventory: all enrolments, checked against the server's count, one document a device."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator, Mapping
from typing import Any

from iotnb import errors, loading
from iotnb.loading import Load
from iotnb.platforms.wso2 import query as queries
from iotnb.platforms.wso2 import rows
from iotnb.platforms.wso2.api import Api
from iotnb.platforms.wso2.api.chapter import Page

Document = dict[str, Any]

FEW = 20  # devices that are asked for one by one rather than by reading the whole list


class Inventory:
    """Reads devices for one client; `owners` are those that it has seen, by device."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._lock = threading.Lock()
        self._details: weakref.WeakKeyDictionary[Load, dict[str, Document]] = weakref.WeakKeyDictionary()
        self.owners: dict[str, list[str]] = {}

    def documents(
        self, load: Load, *, text: str | None, type: str | None, query: str | None
    ) -> Iterator[list[Document]]:
        """Device documents, each device once with all its enrolments: they may stand on any page.

        All pages are read before the first document comes; what came before an error or a stop comes, too.
        """
        asked = queries.parse(query)
        made: dict[str, Document] = {}
        try:
            self._read(load, asked, type, made)
        finally:
            yield [each for each in made.values() if _matches(each, text, type)]
        with self._lock:
            self.owners.update({name: _owners(each) for name, each in made.items()})

    def _read(self, load: Load, asked: queries.Query, type: str | None, made: dict[str, Document]) -> None:
        """Fills `made` with all devices; reads again once when enrolments are missing, then notes a gap."""
        seen: set[Any] = set()
        count = 0
        for attempt in range(2):
            if attempt and len(seen) >= count:
                break
            for page in self._pages(load, asked, type):
                count = page.count
                load.count(pages=1, rows=len(page.items), size=len(page.answer.body))
                fresh = [each for each in page.items if _place(each) not in seen]
                seen.update(map(_place, fresh))
                for row in fresh:
                    _join(row, made)
        if len(seen) < count:
            load.gap(
                "devices",
                reason=f"the server counts {count:,} enrolments and gave {len(seen):,}, in two readings: the "
                "list moved while it was read",
            )

    def find(self, device: str, load: Load) -> bool:
        """Whether there is a device; notes its owners, also the earlier ones."""
        kind, identifier = rows.parts(device)
        try:
            found = self._api.devices.get(kind, identifier)
        except errors.NotFound:
            return False
        load.count(pages=1)
        name = str(found.get("name") or "")
        owners = _owners(found)
        for page in self._api.devices.pages(type=kind, name=name or None, stop=load.stop):
            load.count(pages=1)
            for each in page.items:
                if str(each.get("deviceIdentifier")) == identifier:
                    owners += [owner for owner in _owners(each) if owner not in owners]
        with self._lock:
            self.owners[device] = owners
        return True

    def expanded(self, load: Load, documents: list[Document]) -> list[Document]:
        """The documents with details (`deviceInfo`), location, and `properties` by name."""
        with self._lock:
            known = self._details.get(load)
        if known is None and len(documents) <= FEW:
            return loading.each(documents, lambda each: [self._detailed(each)], load)
        if known is None:
            known = {}
            for page in self._api.devices.pages(requireDeviceInfo=True, stop=load.stop):
                load.count(pages=1, size=len(page.answer.body))
                for each in page.items:
                    known.setdefault(_name(each), each)
            with self._lock:
                self._details[load] = known
        return [_with_details(each, known.get(_name(each), {})) for each in documents]

    def _detailed(self, document: Document) -> Document:
        kind, identifier = rows.parts(_name(document))
        try:
            found = self._api.devices.get(kind, identifier)
        except (errors.NotFound, errors.Forbidden):
            return document  # removed meanwhile, or somebody else's: the row stays as it was listed
        return _with_details(document, found)

    def _pages(self, load: Load, asked: queries.Query, type: str | None) -> Iterator[Page]:
        if asked.group:
            yield from self._api.groups.pages(asked.group, stop=load.stop)
            return
        if asked.conditions:
            yield self._api.devices.found(asked.conditions, stop=load.stop)
            return
        filters = {**asked.filters, **({"type": type} if type is not None else {})}
        if "role" in filters:  # no paging there, and without details no list either
            yield self._api.devices.of_role(stop=load.stop, **filters)
            return
        yield from self._api.devices.pages(stop=load.stop, **filters)


def _place(row: Mapping[str, Any]) -> tuple[str, Any]:
    """What a row of the list is about: a device and one of its enrolments."""
    return _name(row), _enrolment(row).get("id")


def _join(row: Mapping[str, Any], made: dict[str, Document]) -> None:
    """Makes a document for a device, or adds its enrolment to the one that is there."""
    name, enrolment = _name(row), dict(_enrolment(row))
    known = made.get(name)
    if known is None:
        made[name] = {**row, "enrolments": [enrolment]}
        return
    known["enrolments"].append(enrolment)
    if rows.before(_enrolment(known), enrolment):  # this one counts now
        known.update({key: value for key, value in row.items() if key != "enrolments"})


def _owners(document: Mapping[str, Any]) -> list[str]:
    listed = [_enrolment(document), *(document.get("enrolments") or ())]
    return list(dict.fromkeys(str(each["owner"]) for each in listed if each.get("owner")))


def _enrolment(document: Mapping[str, Any]) -> Mapping[str, Any]:
    found = document.get("enrolmentInfo")
    return found if isinstance(found, Mapping) else {}


def _name(document: Mapping[str, Any]) -> str:
    return rows.key(document.get("type"), document.get("deviceIdentifier")) or ""


def _with_details(document: Document, found: Mapping[str, Any]) -> Document:
    listed = found.get("properties")
    named = {
        str(each.get("name")): each.get("value")
        for each in (listed if isinstance(listed, list) else ())
        if isinstance(each, Mapping)
    }
    own = {name: value for name, value in found.items() if name not in document and name != "properties"}
    return {**document, **own, **({"properties": named} if named else {})}


def _matches(document: Mapping[str, Any], text: str | None, type: str | None) -> bool:
    """Whether a device has a text in its name, identifier or description, and is of a type."""
    if type is not None and document.get("type") != type:
        return False
    if not text:
        return True
    held = [document.get(name) for name in ("name", "deviceIdentifier", "description", "type")]
    return any(text.casefold() in str(each).casefold() for each in held if each)
