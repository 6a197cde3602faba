"""Which devices there are, which template each has, and what the template says: read once, kept."""

from __future__ import annotations

import difflib
import re
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from iotnb import loading
from iotnb.errors import ConfigError, NotFound
from iotnb.loading import Load
from iotnb.platforms.iotcentral import model
from iotnb.platforms.iotcentral.api import Api
from iotnb.platforms.iotcentral.model import Model

Document = dict[str, Any]

ONE_BY_ONE = 20  # devices that are asked for singly; for more the whole list is read, 100 a page
GATEWAYS = 100  # devices up to which each is asked for its relationships: there is no list of them all


class Fleet:
    """The devices and templates of one application, as far as they have been seen."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._models: dict[str, Model] = {}
        self._lock = threading.Lock()

    def pages(
        self, load: Load, *, text: str | None = None, type: str | None = None, query: str | None = None
    ) -> Iterator[list[Document]]:
        """Pages of device documents that match; each device once, also when pages overlap."""
        seen: set[str] = set()
        for page in self._api.devices.pages(stop=load.stop, **self._filter(text, type, query)):
            fresh = [each for each in page.items if each.get("id") not in seen]
            seen.update(str(each.get("id")) for each in fresh)
            load.count(pages=1, rows=len(fresh), size=len(page.answer.body))
            yield fresh

    def _filter(self, text: str | None, type: str | None, query: str | None) -> dict[str, str]:
        parts = []
        if text:
            parts.append(f"(contains(displayName, {literal(text)}) or id eq {literal(text)})")
        if type:
            parts.append(f"template eq {literal(self.template(type))}")
        if query:
            parts.append(f"({query})" if parts else query)
        return {"filter": " and ".join(parts)} if parts else {}

    def template(self, name: str) -> str:
        """The id of a template given by its id or display name; raises ConfigError with the near ones."""
        if name.startswith(("dtmi:", "urn:")):
            return name
        found = [each.id for each in self.models(fresh=True).values() if each.title == name]
        if len(found) == 1:
            return found[0]
        if found:
            raise ConfigError(f"type={name!r}: {len(found)} templates have this name: give one of {found}")
        titles = {each.title for each in self._models.values()}
        near = difflib.get_close_matches(name, sorted(titles), n=3, cutoff=0.4) or sorted(titles)
        raise ConfigError(f"there is no device template {name!r}: it has {', '.join(near) or 'none'}")

    def models(self, load: Load | None = None, *, fresh: bool = False) -> dict[str, Model]:
        """Template id -> model of all published templates."""
        with self._lock:
            if fresh or not self._models:
                listed = self._api.templates.list(stop=load.stop if load else None)
                self._models = {each.id: each for each in map(model.read, listed)}
            return dict(self._models)

    def model(self, template: str, load: Load | None = None) -> Model | None:
        """The model of a template, or None if it is not published."""
        return self.models(load).get(template) or self.models(load, fresh=True).get(template)

    def documents(self, load: Load, ids: Sequence[str]) -> dict[str, Document]:
        """The documents of devices; raises ConfigError for one that is not there.

        One that cannot be read is left out, and a gap of the load.
        """
        if len(ids) <= ONE_BY_ONE:
            return dict(loading.each(ids, lambda device: [(device, self._read(load, device))], load))
        listed = {str(each.get("id")): each for page in self.pages(load) for each in page}
        for device in ids:
            if device not in listed:
                raise self._gone(load, device)
        return {device: listed[device] for device in ids}

    def _read(self, load: Load, device: str) -> Document:
        try:
            return self._api.devices.get(device, stop=load.stop)
        except NotFound:
            raise self._gone(load, device) from None

    def _gone(self, load: Load, device: str) -> ConfigError:
        return ConfigError(f"there is no device {device!r} in this application. {self._hint(load, device)}")

    def _hint(self, load: Load, name: str) -> str:
        pages = self._api.devices.pages(stop=load.stop, filter=f"displayName eq {literal(name)}")
        named = [str(each.get("id")) for page in pages for each in page.items][:3]
        if named:
            return f"Devices are named by their id: {name!r} is the display name of {', '.join(named)}."
        return "It was deleted, or you may not see it; client.devices(text=...) finds what is there."

    def gateways(self, load: Load, documents: Sequence[Document]) -> dict[str, str]:
        """Device -> the gateway in front of it.

        There is no list of all relationships, and each gateway names its devices: up to 100 devices all are
        asked, of more only those whose template says that they are gateways.
        """
        asked = [str(each["id"]) for each in documents]
        if len(asked) > GATEWAYS:
            kinds = {each.id for each in self.models(load).values() if each.gateway}
            asked = [str(each["id"]) for each in documents if each.get("template") in kinds]
            load.note("parent: only devices whose template says that they are gateways were asked")
        found = (self._relationships(load, device) for device in asked)
        return {str(each.get("target")): str(each.get("source")) for listed in found for each in listed}

    def _relationships(self, load: Load, device: str) -> list[Document]:
        try:
            return self._api.devices.relationships(device, stop=load.stop)
        except NotFound:  # deleted since it was listed
            return []


def literal(text: str) -> str:
    """A text as a filter writes it, in single quotes that are doubled inside."""
    return "'" + re.sub("'", "''", text) + "'"
