"""The history of operations: commands, provisioning, and the changes of SIMs that this client made."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from iotnb import errors, loading
from iotnb.errors import IotnbError
from iotnb.loading import Load
from iotnb.loading.items import FATAL
from iotnb.platforms.tiothub import names, rows, sims
from iotnb.platforms.tiothub.api import Api, Walk
from iotnb.platforms.tiothub.api.lists import TRUNCATED, UNKNOWN
from iotnb.platforms.tiothub.api.messages import QUEUED, SENT
from iotnb.platforms.tiothub.api.products import SIM
from iotnb.times import Window

Document = dict[str, Any]

_NUMBER = re.compile(r"\d{18,22}")


class History:
    """The operation documents of one load."""

    def __init__(self, api: Api, load: Load, window: Window, *, connected: bool) -> None:
        self._api, self._load, self._window, self._connected = api, load, window, connected
        self._lock = threading.Lock()
        self._provisioned: list[Document] | None = None
        self._changes: list[Document] | None = None

    def of(self, device: str, *, node: bool = True) -> Iterator[list[Document]]:
        """The operations of one device in the window; a SIM that is in no node has no commands."""
        if node:
            yield self._inside(self._commands(device))
        yield self._inside(each for each in self._shared() if each["device"] == device)

    def all(self, devices: list[str]) -> Iterator[list[Document]]:
        """The operations of all devices, and of SIMs and devices that are no nodes."""
        yield self._inside(loading.each(devices, self._commands, self._load))
        yield self._inside(self._shared())

    def _inside(self, documents: Any) -> list[Document]:
        kept = []
        for each in documents:
            at = rows.operation(each)["time"]
            if at is None or self._window.start <= at < self._window.end:
                kept.append(each)
        return kept

    def _shared(self) -> list[Document]:
        """What is not kept by device, read once for all of them."""
        with self._lock:
            if self._provisioned is None or self._changes is None:
                self._provisioned = list(self._provisioning())
                self._changes = list(self._sim_changes())
            return [*self._provisioned, *self._changes]

    # -- commands -------------------------------------------------------------------------------------------

    def _commands(self, device: str) -> list[Document]:
        waiting = self._store(device, QUEUED)
        sent = self._store(device, SENT)
        sent.sort(key=lambda each: (str(each.get("ct")), str(each.get("ri"))))
        _when_queued(sent, [each for each in self._api.commands.journal if each["device"] == device], waiting)
        return [*waiting, *sent]

    def _store(self, device: str, store: str) -> list[Document]:
        report = Walk()
        found: list[Document] = []
        try:
            for page in self._api.messages.pages(device, store, report=report, stop=self._load.stop):
                found += [{**each, "source": "command", "store": store, "device": device} for each in page]
                self._load.count(pages=1, rows=len(page))
        except errors.NotFound:  # a device of an older layout has no such store
            return []
        if report.state == TRUNCATED:
            self._load.gap(device, reason=f"not all of {store} came: {report.reason}")
        elif report.state == UNKNOWN:
            self._load.note(f"whether all commands of {device} came is unknown: {report.reason}")
        return found

    # -- provisioning ---------------------------------------------------------------------------------------

    def _provisioning(self) -> Iterator[Document]:
        try:
            requests = list(self._api.provisioning.requests())
            answers = list(self._api.provisioning.responses()) if requests else []
        except errors.NotFound:
            return
        except errors.Forbidden as error:
            self._load.note(f"provisioning is left out: {str(error).splitlines()[0]}")
            return
        by_request: dict[str, Mapping[str, Any]] = {}
        for answer in answers:
            name = str(answer.get("rn", ""))
            by_request[str(answer.get("reqRD") or name.rpartition("-")[2])] = answer
        for request in requests:
            answer_to = by_request.get(str(request.get("ri")))
            for entry in request.get("reqLt") or [{}]:
                inner = entry if isinstance(entry, Mapping) else {}
                yield {
                    "source": "provisioning",
                    "request": {key: value for key, value in request.items() if key != "reqLt"},
                    "entry": dict(inner),
                    "answer": answer_to,
                    "device": inner.get("noRNe"),
                }

    # -- SIMs -----------------------------------------------------------------------------------------------

    def _sim_changes(self) -> Iterator[Document]:
        journal = self._api.products.journal if self._connected else []
        if not journal:
            return
        by_iccid = {
            number: str(node.get("rn"))
            for page in self._api.nodes.pages(stop=self._load.stop)
            for node in page
            if (number := sims.iccid_of(node))
        }
        for place, change in enumerate(journal):
            try:
                self._api.products.refresh(change, stop=self._load.stop)
            except errors.Stopped:
                raise
            except FATAL:
                raise
            except IotnbError as error:
                self._load.note(f"the monitor of {change['product']} did not answer: {error}")
            found = _NUMBER.search(str(change["product"]))
            device = by_iccid.get(found[0]) if found else None
            document = {key: value for key, value in change.items() if key != "document"}
            own = {"source": "sim", "id": f"{change['product']}#{place + 1}"}
            yield {**document, **own, "device": device or str(change["product"]).removesuffix(SIM)}


def _when_queued(sent: list[Document], journal: list[Document], waiting: list[Document]) -> None:
    """Tells sent commands when they were queued, where this client queued them: by content and order."""
    still = {str(each.get("rn")) for each in waiting}
    left = [each for each in journal if str(each.get("rn")) not in still]
    for document in sent:
        at = names.moment(document.get("ct"))
        for entry in left:
            queued = names.moment(entry.get("ct"))
            if entry["con"] == document.get("con") and queued and at and queued <= at:
                document["queued_at"] = entry["ct"]
                left.remove(entry)
                break
