"""The inventory: devices with those behind gateways and the paths of their entities, and who is who."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from iotnb import errors, loading
from iotnb.errors import ConfigError
from iotnb.loading import Load
from iotnb.platforms.iotconnect import rows
from iotnb.platforms.iotconnect.api import Api, Document, Tally
from iotnb.platforms.iotconnect.api.devices import checked

FEW = 20  # unknown devices that are asked for one by one; for more all are listed


@dataclass(frozen=True)
class Known:
    """What a call about a device needs besides its name."""

    guid: str
    template: str
    tag: str | None = None
    version: str = ""
    """Of its messages; where it is unknown, nothing can be asked for by attribute."""


class Inventory:
    """Reads devices for one client, and remembers guid and template of those it has seen."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._known: dict[str, Known] = {}
        self._lock = threading.Lock()

    def documents(
        self,
        load: Load,
        *,
        text: str | None = None,
        type: str | None = None,
        query: str | None = None,
        placed: bool = True,
    ) -> Iterator[list[Document]]:
        """Device documents, those behind gateways among them, by `uniqueId`; the filters of a person applied.

        `query` is the platform's: `Status=inactive&TemplateName=Pump`. What it leaves out is not looked for
        behind gateways either. Without `placed` nobody asks where in the organization they are.
        """
        filters = _filters(query)
        tally = Tally()
        found: dict[str, Document] = {}
        for page in self._api.devices.pages(tally=tally, stop=load.stop, **filters):
            load.count(pages=1, rows=len(page.items), size=len(page.answer.body))
            for each in page.items:
                found.setdefault(_guid(each), each)
        if tally.short:
            load.gap("devices", reason=f"{tally.reported} were reported, {tally.rows} came")
        if tally.reported is None:
            load.note(f"{tally.rows} devices were counted, not reported: the server told no number")
        if not filters:
            self._behind(load, found)
        if placed:
            self._placed(load, list(found.values()))
        self._remember(found.values())
        yield [each for each in found.values() if _matches(each, text, type)]

    def find(self, load: Load, ids: Sequence[str]) -> dict[str, Known]:
        """Guid and template of devices; raises ConfigError for one that is not there."""
        lacking = [each for each in ids if each not in self._known]
        if 0 < len(lacking) <= FEW:
            loading.each(lacking, lambda each: self._look(load, each), load)
            lacking = [each for each in lacking if each not in self._known]
        if lacking and not load.gaps and not load.stop.is_set():
            for _ in self.documents(load, placed=False):
                pass
            lacking = [each for each in lacking if each not in self._known]
        if lacking and not load.gaps and not load.stop.is_set():
            more = f" (and {len(lacking) - 1} more)" if len(lacking) > 1 else ""
            raise ConfigError(
                f"there is no device {lacking[0]!r}{more}. Devices are named by their uniqueId, column "
                "'device' of client.devices()."
            )
        return {each: self._known[each] for each in ids if each in self._known}

    def detail(self, load: Load, document: Mapping[str, Any]) -> Document:
        """A device's document with all that the platform tells of a single one; properties by their name."""
        unique, parent = str(rows.get(document, "uniqueId")), rows.get(document, "parentUniqueId")
        more = self._api.devices.get(unique, parent=parent or "", stop=load.stop)
        names = {name.lower() for name in document}
        whole = {**document, **{name: value for name, value in more.items() if name.lower() not in names}}
        named = rows.properties(more.get("properties") or document.get("properties"))
        whole.pop("properties", None)
        return {**whole, "properties": named} if named else whole

    # -- what is joined -------------------------------------------------------------------------------------

    def _behind(self, load: Load, found: dict[str, Document]) -> None:
        """Adds the devices behind gateways, and names the gateway in their documents."""
        gateways = [each for each in found.values() if (rows.get(each, "childDeviceCount") or 0) > 0]

        def children(gateway: Document) -> Iterable[tuple[str, Document]]:
            name = str(rows.get(gateway, "uniqueId"))
            for each in self._api.devices.children(str(rows.get(gateway, "guid")), stop=load.stop):
                yield name, each

        listed = loading.each([_Gateway(each) for each in gateways], children, load)
        load.count(pages=len(gateways))
        for name, child in listed:
            there = found.setdefault(_guid(child), child)
            there["parentUniqueId"] = name
            if rows.get(there, "tag") is None and rows.get(child, "tag"):
                there["tag"] = rows.get(child, "tag")

    def _placed(self, load: Load, documents: Sequence[Document]) -> None:
        """Adds `entityPath`. The list names entities only: of equal names the devices are asked for."""
        try:
            entities = self._api.entities.list(stop=load.stop) if documents else []
        except (errors.Forbidden, errors.NotFound) as error:
            load.note(f"no paths of entities: {str(error).splitlines()[0]}")
            return
        paths = paths_of(entities)
        names = Counter(str(rows.get(each, "name")) for each in entities)
        by_name = {str(rows.get(each, "name")): paths[_guid(each)] for each in entities}
        several = {name for name, count in names.items() if count > 1}
        used = {str(rows.get(each, "entityName")) for each in documents}
        places: dict[str, str] = {}
        for each in sorted(entities, key=lambda each: paths[_guid(each)].count("/")):
            if str(rows.get(each, "name")) in several & used:
                for device in self._api.devices.of_entity(str(rows.get(each, "guid")), stop=load.stop):
                    places[_guid(device)] = paths[_guid(each)]  # the deepest of them stays
        for each in documents:
            name = str(rows.get(each, "entityName"))
            own = str(rows.get(each, "entityGuid") or "").upper()
            path = paths.get(own) or (places.get(_guid(each)) if name in several else by_name.get(name))
            if path:
                each["entityPath"] = path

    # -- who is who -----------------------------------------------------------------------------------------

    def _look(self, load: Load, device: str) -> list[str]:
        """Remembers a device if it is there under its own name alone."""
        try:
            found = self._api.devices.get(device, stop=load.stop)
        except errors.NotFound:
            return []
        if rows.get(found, "uniqueId") in {None, device}:
            self._remember([{**found, "uniqueId": device}])
        load.count(pages=1)
        return [device]

    def _remember(self, documents: Iterable[Mapping[str, Any]]) -> None:
        with self._lock:
            for each in documents:
                unique, guid = rows.text(rows.get(each, "uniqueId")), rows.text(rows.get(each, "guid"))
                if unique and guid:
                    template = rows.text(rows.get(each, "deviceTemplateGuid")) or ""
                    tag = rows.text(rows.get(each, "tag"))
                    version = rows.text(rows.get(each, "messageVersion")) or ""
                    self._known[unique] = Known(guid, template, tag, version)


class _Gateway(dict[str, Any]):
    """A gateway's document that is named by its `uniqueId` where something is missing."""

    def __str__(self) -> str:
        return str(rows.get(self, "uniqueId"))


def paths_of(entities: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Guid (upper case) -> `Company / Site / Hall`; one whose parent may not be seen begins its path."""
    by_guid = {_guid(each): each for each in entities}

    def path(guid: str, below: frozenset[str]) -> str:
        each = by_guid[guid]
        name = str(rows.get(each, "name"))
        above = str(rows.get(each, "parentEntityGuid") or "").upper()
        if above not in by_guid or above in below:
            return name
        return f"{path(above, below | {guid})} / {name}"

    return {guid: path(guid, frozenset({guid})) for guid in by_guid}


def _guid(document: Mapping[str, Any]) -> str:
    return str(rows.get(document, "guid")).upper()


def _filters(query: str | None) -> dict[str, Any]:
    """`Status=inactive&TemplateName=Pump` as filters; raises ConfigError for what is none."""
    if query is None or not query.strip():
        return {}
    pairs = parse_qsl(query.strip().lstrip("?"), keep_blank_values=True)
    if not pairs or any(not value for _, value in pairs):
        raise ConfigError(
            f"query={query!r} is no filter: write the platform's, such as 'Status=inactive' or "
            "'TemplateName=Pump&Acquired=released', joined by &"
        )
    return checked(dict(pairs))


def _matches(document: Mapping[str, Any], text: str | None, type: str | None) -> bool:
    row = rows.device(document)
    if type is not None and row["type"] != type:
        return False
    held = (row["device"], row["name"], rows.get(document, "guid"))
    return not text or any(text.casefold() in str(each).casefold() for each in held if each)
