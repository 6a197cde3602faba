"""Connection management (CMO): products are SIMs and satellite connections, with usage and life cycle."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from iotnb.errors import BadAnswer, ConfigError, IotnbError
from iotnb.platforms.tiothub.api.confirm import ask
from iotnb.session import Answer, Session

Document = dict[str, Any]
Documents = list[Document]

PAGE_SIZE = 100
BATCH = 50  # ICCIDs in one search
CAP = 10_000  # pages of one walk
SIM = "-simCard"
PATCH = "application/json-patch+json"
PATCH_QUERY = "application/json-patch-query+json"
RUNNING = frozenset({"inprogress", "acknowledged", "pending"})
"""States of a monitor that are not final; every other word is, whatever it means."""

_MONITOR = re.compile(r"/monitor/([0-9A-Za-z_.~-]+)")


class Products:
    """Connections by their id (`JASPER-<ICCID>`, `INTELSAT-27597`). JSON as the platform sends it.

    `journal` holds the changes that this client made: the platform keeps no history of them.
    """

    def __init__(self, session: Session | None) -> None:
        self._given = session
        self.journal: list[Document] = []

    @property
    def _session(self) -> Session:
        if self._given is None:
            raise ConfigError("this login has no connection management: connect with cmo_url=... as well")
        return self._given

    def page(
        self,
        *,
        number: int = 1,
        size: int = PAGE_SIZE,
        fields: Iterable[str] = (),
        stop: threading.Event | None = None,
    ) -> Document:
        """One page, counted from 1: `entities`, `statistics`, `links`; `fields` leaves others out."""
        params = {"pageSize": size, "pageNumber": number, "fields": ",".join(fields) or None}
        return self._object(self._session.get("/product", params=params, stop=stop))

    def pages(
        self,
        *,
        fields: Iterable[str] = (),
        size: int = PAGE_SIZE,
        stop: threading.Event | None = None,
    ) -> Iterator[list[Document]]:
        """All products, each once. No total is given: it goes on until nothing new comes."""
        seen: set[str] = set()
        quiet = 0
        wanted = tuple(fields)
        for number in range(1, CAP + 1):
            document = self.page(number=number, size=size, fields=wanted, stop=stop)
            entities = document.get("entities")
            if not isinstance(entities, list):
                raise BadAnswer("GET /product: the answer holds no list 'entities'")
            fresh = [each for each in entities if isinstance(each, dict) and each.get("id") not in seen]
            quiet = 0 if fresh else quiet + 1
            if quiet > (1 if entities or number == 1 else 0):  # an empty first page, or one that came before
                return
            if not fresh:
                continue
            seen.update(str(each.get("id")) for each in fresh)
            yield fresh
        raise BadAnswer(f"GET /product: not at an end after {CAP} pages")

    def list(self, *, fields: Iterable[str] = ()) -> Iterator[Document]:
        """All products."""
        return (each for page in self.pages(fields=fields) for each in page)

    def get(self, id: str, *, stop: threading.Event | None = None) -> Document:
        """One product with its parts in `productRelationship`."""
        return self._object(self._session.get(f"/product/{_segment(id)}", stop=stop))

    def find(
        self,
        iccids: Iterable[str] = (),
        *,
        terminals: Iterable[str] = (),
        stop: threading.Event | None = None,
    ) -> Document:
        """Products by ICCID or terminal serial number: `entities` and, beside them, `errors`.

        Searches for many in several requests. What is not found is in `errors`, and no exception.
        """
        numbers, serials = [*map(_digits, iccids)], [*map(str, terminals)]
        found: Document = {"entities": [], "errors": []}
        while numbers or serials:
            body: Document = {}
            if numbers:
                body["iccidList"] = numbers[:BATCH]
            if serials:
                body["terminalSNList"] = serials[:BATCH]
            numbers, serials = numbers[BATCH:], serials[BATCH:]
            answer = self._session.post(
                "/product/find", json=body, retry=True, stop=stop, expect={404}
            )  # a search changes nothing
            document = self._object(answer)
            problem = [document] if answer.status == 404 else []
            found["entities"] += document.get("entities") or []
            found["errors"] += document.get("errors") or problem
        return found

    def usage(self, id: str) -> Documents:
        """The running counters of a product's current period (`bucketCounter`): no history is kept."""
        return [
            {**counter, "usageType": part.get("usageType")}
            for part in parts(self.get(id))
            if part.get("@type") == "usageVolume"
            for counter in part.get("bucketCounter") or []
        ]

    def set_status(self, id: str, status: str, *, confirm: bool = False) -> Document:
        """Changes the status of a SIM (ACTIVE, INACTIVE ...), which may cost money: `confirm=True`.

        Gives the change as in `journal`: `state` is Completed at once, or that of a `monitor` to follow.
        """
        sim = sim_id(id)
        ask(confirm, f"set the SIM {sim} to {status}, which may change what it costs")
        body = [{"op": "replace", "path": "/status", "value": status}]
        return self._change(sim, "sim-status", body, PATCH, status)

    def set_property(self, id: str, name: str, value: str, *, confirm: bool = False) -> Document:
        """Adds a custom property to a SIM; asks for `confirm=True` because it changes the SIM."""
        sim = sim_id(id)
        ask(confirm, f"set the custom property {name!r} of the SIM {sim} to {value!r}")
        body = [{"op": "add", "path": "customProperty", "value": {"name": name, "value": value}}]
        return self._change(sim, "sim-property", body, PATCH_QUERY, f"{name}={value}")

    def monitor(self, id: str, *, stop: threading.Event | None = None) -> Document:
        """The monitor of a change that takes its time; `state` tells how far it is."""
        return self._object(self._session.get(f"/monitor/{_segment(id)}", stop=stop))

    def refresh(self, change: Document, *, stop: threading.Event | None = None) -> Document:
        """Asks the monitor of a change that is not finished, and notes what it says in the change."""
        if change.get("monitor") and running(change.get("state")):
            state = self.monitor(str(change["monitor"]), stop=stop)
            change["state"] = str(state.get("state") or "")
            change["document"] = state
            if not running(change["state"]):
                change["finished"] = datetime.now(UTC)
        return change

    def wait(
        self,
        change: Document,
        *,
        patience: float = 60.0,
        sleep: Callable[[float], object] = time.sleep,
    ) -> Document:
        """Follows a change to its end; raises IotnbError when it is not finished in time."""
        end = time.monotonic() + patience
        while running(self.refresh(change).get("state")):
            if time.monotonic() >= end:
                raise IotnbError(
                    f"the change of {change['product']} is still {change['state']} after {patience:g} s: "
                    "client.api.products.refresh(change) asks again"
                )
            sleep(min(1.0, max(0.05, end - time.monotonic())))
        return change

    def _change(self, sim: str, kind: str, body: Any, content: str, wanted: str) -> Document:
        change: Document = {
            "product": sim,
            "kind": kind,
            "wanted": wanted,
            "created": datetime.now(UTC),
            "finished": None,
            "monitor": None,
            "state": "",
            "document": None,
        }
        self.journal.append(change)
        try:
            answer = self._session.patch(
                f"/product/{_segment(sim)}", json=body, headers={"Content-Type": content}
            )
        except IotnbError as error:
            change.update(state="Failed", failure=str(error).splitlines()[0], finished=datetime.now(UTC))
            raise
        found = _MONITOR.search(str(answer.headers.get("Location", ""))) or _MONITOR.search(answer.text)
        if answer.body[:1] in (b"{", b"["):
            change["document"] = answer.json()
        if found is not None:
            change.update(monitor=found[1], state="InProgress")
        else:
            change.update(state="Completed", finished=datetime.now(UTC))
        return change

    def _object(self, answer: Answer) -> Document:
        found = answer.json()
        if not isinstance(found, dict):
            raise BadAnswer(f"{answer.method} {answer.url}: expected a JSON object")
        return found


def parts(product: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The parts of a product (simCard, usageVolume, terminal ...), told apart by `@type`."""
    related = product.get("productRelationship")
    found = [each.get("product") for each in related or [] if isinstance(each, Mapping)]
    return [each for each in found if isinstance(each, Mapping)]


def running(state: object) -> bool:
    """Whether a change in this state is not finished."""
    return str(state or "").replace(" ", "").lower() in RUNNING


def sim_id(id: str) -> str:
    """The id of a product's SIM card, `JASPER-<ICCID>-simCard`; that of a terminal stays as it is."""
    _segment(id)
    return id if id.endswith((SIM, "-terminal")) else id + SIM


def _segment(id: object) -> str:
    if not isinstance(id, str) or not id or id in {".", ".."}:
        raise ConfigError(f"{id!r} cannot be a product: give its id as text, such as 'JASPER-8949...'")
    return quote(id, safe="")


def _digits(iccid: object) -> str:
    if not isinstance(iccid, str) or not iccid.strip():
        raise ConfigError(f"{iccid!r} is no ICCID: it is text, since 20 digits do not fit a number")
    return iccid.strip()
