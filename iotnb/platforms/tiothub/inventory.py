"""The inventory: nodes with their device-info, their last message and their SIM, and SIMs without a node."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from iotnb import errors, loading
from iotnb.errors import ConfigError, IotnbError
from iotnb.loading import Load
from iotnb.loading.items import FATAL
from iotnb.platforms.tiothub import names, rows, sims
from iotnb.platforms.tiothub.api import Api, Walk
from iotnb.platforms.tiothub.api.dmo import DVI, NODE
from iotnb.platforms.tiothub.api.lists import TRUNCATED, UNKNOWN
from iotnb.platforms.tiothub.api.messages import RECEIVED, ROOT
from iotnb.platforms.tiothub.api.nodes import INFO, KIND
from iotnb.platforms.tiothub.api.products import BATCH
from iotnb.platforms.tiothub.names import Resource

Document = dict[str, Any]

ASKED = 2_000  # nodes that are each asked for their newest message
PAGE = 1_000


class Inventory:
    """Reads devices for one client; `connected` says whether there is connection management to join."""

    def __init__(self, api: Api, *, connected: bool) -> None:
        self._api, self._connected = api, connected
        self._at_once = True  # until the server is seen not to serve device-info in one answer
        self._lock = threading.Lock()

    def documents(
        self, load: Load, *, text: str | None, type: str | None, query: str | None
    ) -> Iterator[list[Document]]:
        """Pages of device documents; SIMs without a node come last, where nothing narrows the nodes."""
        nodes = self.nodes(load, query)
        cards = self._sims(load)
        by_iccid = sims.by_iccid(cards or [])
        usage = Counter(number for node in nodes if (number := sims.iccid_of(node)))
        infos = self._infos(nodes, load)
        if len(nodes) > ASKED:
            load.note(
                f"last_seen is left out for more than {ASKED} nodes; client.latest(ids) tells it for some"
            )
        for start in range(0, len(nodes), PAGE):
            part = nodes[start : start + PAGE]

            def made(node: Resource) -> Iterator[Document]:
                number = sims.iccid_of(node) or ""
                row = by_iccid.get(number)
                join = sims.verdict(node, row, usage[number]) if cards is not None else ""
                yield self._document(node, infos, row, join, load, last=len(nodes) <= ASKED)

            found = loading.each(part, made, load)
            yield [each for each in found if _matches(each, text, type)]
        if query is None and cards is not None:
            orphans = [row for row in cards if row["iccid"] not in usage or not row["iccid"]]
            listed = [{"sim": row, "join": sims.ORPHAN} for row in orphans]
            yield [each for each in listed if _matches(each, text, type)]

    def nodes(self, load: Load, query: str | None = None) -> list[Resource]:
        """All nodes, without children; says so when they are not all."""
        report = Walk()
        found: list[Resource] = []
        requests = size = 0
        for page in self._api.nodes.pages(report=report, stop=load.stop, **_filters(query)):
            load.count(pages=report.requests - requests, rows=len(page), size=report.size - size)
            requests, size = report.requests, report.size
            found += page
        if report.state == TRUNCATED:
            load.gap("nodes", reason=f"not all came: {report.reason}")
        elif report.state == UNKNOWN:
            load.note(f"whether all nodes came is unknown: {report.reason}")
        return found

    # -- device-info and last message -----------------------------------------------------------------------

    def _document(
        self,
        node: Resource,
        infos: Mapping[str, Mapping[str, Any]],
        row: Mapping[str, Any] | None,
        join: str,
        load: Load,
        *,
        last: bool,
    ) -> Document:
        name = str(node.get("rn"))
        info = infos.get(str(node.get("ri")))
        newest = None
        try:
            if info is None:
                full = self._api.nodes.get(name, stop=load.stop)
                info = next(iter(names.children(full, INFO)), {})
            if last:
                newest = self._api.tree.find(f"{ROOT}/{name}/{RECEIVED}/la", stop=load.stop)
        except errors.Stopped:
            raise
        except FATAL:
            raise
        except IotnbError as error:
            load.gap(name, reason=error)
        own: Document = {
            key: value for key, value in node.items() if not isinstance(value, Mapping) and ":" not in key
        }
        made: Document = {
            "node": own,
            "labels": names.labels(node.get("lbl")),
            "info": {key: value for key, value in (info or {}).items() if key not in {"ri", "pi"}},
            "sim": dict(row or {}),
            "join": join,
            "last_message": newest.get("ct") if newest else None,
        }
        return {key: value for key, value in made.items() if value}

    def _infos(self, nodes: Sequence[Resource], load: Load) -> dict[str, Mapping[str, Any]]:
        """Device-info by node id, as far as one answer gives it; nodes that are missing are asked singly."""
        with self._lock:
            if not self._at_once or len(nodes) < 2:
                return {}
        try:
            tree = self._api.tree.get("", rcn=8, ty=[NODE, DVI], lvl=2, stop=load.stop)
        except FATAL:
            raise
        except IotnbError:
            tree = Resource()
        load.count(pages=1)
        found: dict[str, Mapping[str, Any]] = {}
        some = False
        for node in names.children(tree, KIND):
            inner = next(iter(names.children(node, INFO)), None)
            some = some or inner is not None
            found[str(node.get("ri"))] = inner or {}
        if not some:
            with self._lock:
                self._at_once = False
            return {}
        return found

    # -- SIMs -----------------------------------------------------------------------------------------------

    def _sims(self, load: Load) -> list[Document] | None:
        """All SIMs as flat rows; None when there is no connection management, or no right to it."""
        if not self._connected:
            load.note("no SIMs are joined: this login has no cmo_url")
            return None
        try:
            return self.sims(load)
        except errors.Forbidden as error:
            load.note(f"no SIMs are joined: {str(error).splitlines()[0]}")
        except errors.Stopped:
            raise
        except FATAL:
            raise
        except IotnbError as error:
            load.gap("SIMs", reason=error)
        return None

    def sims(self, load: Load) -> list[Document]:
        """All connections as rows of `sims.sim`; a list that gives a few fields only is completed."""
        products: dict[str, Document] = {}
        for page in self._api.products.pages(stop=load.stop):
            load.count(pages=1, rows=len(page))
            products.update({str(each.get("id")): each for each in page})
        thin = [each for each in products.values() if not sims.whole(each)]
        numbers = {number: str(each.get("id")) for each in thin if (number := sims.sim(each)["iccid"])}
        listed = list(numbers)
        for start in range(0, len(listed), BATCH):
            found = self._api.products.find(listed[start : start + BATCH], stop=load.stop)
            load.count(pages=1)
            products.update({str(each.get("id")): each for each in found["entities"]})
            for problem in found["errors"]:
                load.note(
                    f"a SIM without details: {problem.get('detail') or problem.get('title') or problem}"
                )
        rest = [str(each.get("id")) for each in thin if str(each.get("id")) not in numbers.values()]
        for product in loading.each(rest, lambda each: [self._api.products.get(each, stop=load.stop)], load):
            products[str(product.get("id"))] = product
        return [sims.sim(each) for each in products.values()]


def _filters(query: str | None) -> dict[str, Any]:
    """`lbl=profile:SCS-UDP&ni=urn:*` as filters; raises ConfigError for what is none."""
    if query is None or not query.strip():
        return {}
    pairs = parse_qsl(query.strip().lstrip("?"), keep_blank_values=True)
    if not pairs or any(not value for _, value in pairs):
        raise ConfigError(
            f"query={query!r} is no filter: write oneM2M's, such as 'lbl=profile:SCS-LwM2M' or "
            "'ni=urn:gsma:imei:*8029', joined by &"
        )
    found: dict[str, Any] = {}
    for name, value in pairs:
        found[name] = [*found[name], value] if name in found else [value]
    return found


def _matches(document: Document, text: str | None, type: str | None) -> bool:
    row = rows.device(document)
    if type is not None and row["type"] != type:
        return False
    if not text:
        return True
    node, sim = document.get("node", {}), document.get("sim", {})
    held = [row["device"], row["name"], row["labels"], node.get("ni"), node.get("ri"), *node.get("lbl", [])]
    held += [sim.get(name) for name in ("iccid", "imei", "imsi", "msisdn", "serial")]
    return any(text.casefold() in str(each).casefold() for each in held if each)
