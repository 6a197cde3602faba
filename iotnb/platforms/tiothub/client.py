"""The T IoT Hub client: iotnb's verbs on device management (DMO) and connection management (CMO)."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

import pandas as pd

from iotnb import frames, loading, times
from iotnb.arguments import no_series
from iotnb.client import Client, Page, Rows
from iotnb.errors import ConfigError, Forbidden, NotFound
from iotnb.frames import Cells
from iotnb.live import Push, Wanted
from iotnb.loading import Load
from iotnb.platforms.tiothub import auth, history, inventory, readers, sims
from iotnb.platforms.tiothub import rows as documents
from iotnb.platforms.tiothub.api import Api
from iotnb.platforms.tiothub.pushed import MOST, Webhook
from iotnb.secret import Secret
from iotnb.session import Settings
from iotnb.times import Window
from iotnb.transport import loopback

Documents = Iterator[list[dict[str, Any]]]

PROBED = 20  # devices whose messages are read for the names of series that did not come
FEW = 20  # unknown devices that are asked for one by one; for more the nodes are listed


class TIoTHub(Client):
    """A login to one tenant of T IoT Hub, or to a oneM2M server.

    Besides the verbs: `api` (both APIs), `tenant`, `tenants` (that the token is good for), `rights` (`ro` or
    `rw` of DMO and CMO, where the token tells), `origin` (the id of this application) and `method`.
    `devices()` says in `labels` how each node and its SIM go together (`join`), and lists SIMs without a
    node; with `expand=True` it has columns for all of that (iccid, imei, imsi, msisdn, sim, sim_status,
    sim_card_status, tariff, usage_kb, join). `operations(expand=True)` has `waiting`, how long a command
    waited or has been waiting.
    """

    platform = "tiothub"
    title = "T IoT Hub"
    FIELDS = auth.FIELDS
    METHODS = auth.METHODS
    supports = frozenset({"devices", "series", "latest", "measurements", "operations"})
    rows: ClassVar[Rows] = documents
    windowed = False  # its messages have no filter by time

    def __init__(self, login: auth.Login) -> None:
        first, *others = login.api.sessions()
        super().__init__(first, login.api, user=login.user, others=others, login=login)
        self.api: Api
        self.method, self.tenant, self.tenants = login.method, login.tenant, login.tenants
        self.rights, self.origin = login.rights, login.origin
        self._credentials = login.credentials
        self._connected = login.connected
        self._inventory = inventory.Inventory(self.api, connected=login.connected)
        self._seen: set[str] = set()  # nodes
        self._cards: set[str] = set()  # SIMs without a node: they have operations, and no data
        self._histories: weakref.WeakKeyDictionary[Load, history.History] = weakref.WeakKeyDictionary()
        self._asked: weakref.WeakKeyDictionary[Load, list[str]] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    @classmethod
    def login(
        cls,
        values: Mapping[str, str | Secret],
        *,
        settings: Settings | None = None,
        clock: Callable[[], float] = time.time,
    ) -> Self:
        """Logs in with the values of FIELDS; raises MissingFields, ConfigError, Unauthorized ...

        `clock` (seconds since 1970) decides when a token is old enough to be renewed.
        """
        return cls(auth.login(values, settings=settings, clock=clock))

    def facts(self) -> dict[str, str]:
        """What may be shown of this login, with tenant, application and rights."""
        own = {
            "tenant": self.tenant,
            "application": self.origin,
            "rights": ", ".join(f"{part} {right}" for part, right in sorted(self.rights.items())),
        }
        return super().facts() | {name: value for name, value in own.items() if value}

    # -- hooks ------------------------------------------------------------------------------------------

    def _devices(self, load: Load, *, text: str | None, type: str | None, query: str | None) -> Documents:
        for page in self._inventory.documents(load, text=text, type=type, query=query):
            self._seen.update(str(each["node"]["rn"]) for each in page if each.get("node"))
            self._cards.update(str(each["sim"]["sim"]) for each in page if not each.get("node"))
            yield page

    def _series(self, load: Load, device: str) -> list[dict[str, Any]]:
        reader = readers.Uplink(self.api, series=None, silent=self._cards)
        return readers.described([row for page in reader.rows(device, load) for row in page])

    def _latest(self, load: Load, device: str, series: list[str] | None) -> list[dict[str, Any]]:
        reader = readers.Uplink(self.api, series=series, silent=self._cards)
        found = [row for page in reader.rows(device, load) for row in page if reader.wanted(row["series"])]
        return readers.newest(found)

    def _reader(
        self,
        load: Load,  # noqa: ARG002  # the reader is told it with each device
        sources: Sequence[str],  # noqa: ARG002  # the same reader serves all devices
        *,
        series: list[str] | None,
        aggregate: times.Interval | None,  # noqa: ARG002  # the platform does not reduce
        function: str,  # noqa: ARG002  # the same
        window: Window,  # noqa: ARG002  # the reader is told it with each device
    ) -> readers.Uplink:
        return readers.Uplink(self.api, series=series, silent=self._cards)

    def _operations(
        self,
        load: Load,
        device: str | None,
        window: Window,
        status: str | None,  # noqa: ARG002  # the platform has no such filter
    ) -> Documents:
        with self._lock:
            told = self._histories.get(load)
            if told is None:
                told = history.History(self.api, load, window, connected=self._connected)
                self._histories[load] = told
        if device is not None:
            yield from told.of(device, node=device not in self._cards)
        else:
            yield from told.all(self._identifiers(load, None))

    def _live(self, wanted: Wanted) -> Push | None:
        """A webhook, where the platform can reach this machine; it posts messages of devices only."""
        reachable = wanted.inbox is not None or loopback(urlsplit(self.session.base_url).hostname)
        if "measurements" not in wanted.verbs or not reachable:
            return None
        load = Load(workers=self.session.settings.workers)
        devices = [each for each in self._identifiers(load, wanted.devices) if each not in self._cards]
        return Webhook(self.api, devices, wanted) if 0 < len(devices) <= MOST else None

    def _logout(self) -> None:
        if self._credentials is not None:
            self._credentials.forget()  # the server keeps no session that could be ended

    # -- what was asked for must exist ----------------------------------------------------------------------

    def _identifiers(self, load: Load, ids: list[str] | None) -> list[str]:
        if ids is None:
            found = [str(each.get("rn")) for each in self._inventory.nodes(load)]
            self._seen.update(found)
        else:
            self._exist(load, ids)
            found = ids
        self._asked[load] = found
        return found

    def _load(
        self,
        verb: str,
        asked: Mapping[str, Any],
        span: Window | None,
        work: Callable[[Load], pd.DataFrame],
        on_error: str,
    ) -> pd.DataFrame:
        series = asked.get("series")
        if not series:
            return super()._load(verb, asked, span, work, on_error)

        def checked(load: Load) -> pd.DataFrame:
            frame = work(load)
            if not load.gaps:
                self._named(load, series, set(frame["series"].astype("str")))
            return frame

        return super()._load(verb, asked, span, checked, on_error)

    def _named(self, load: Load, series: Sequence[str], came: set[str]) -> None:
        """Raises ConfigError for a series that none of the devices has, in no window."""
        sources = self._asked.get(load, [])
        known = set(came)
        for device in sources[:PROBED]:
            if all(_among(each, known) for each in series) or load.stop.is_set():
                return
            reader = readers.Uplink(self.api, series=None, silent=self._cards)
            known.update(row["series"] for page in reader.rows(device, load) for row in page)
        lacking = [each for each in series if not _among(each, known)]
        if not lacking or not sources or len(sources) > PROBED or load.stop.is_set():
            return
        raise no_series(lacking[0], known, where=f"the {len(sources)} devices")

    def _pages(
        self, load: Load, ids: list[str] | None, read: Callable[[str | None], Iterator[Page]]
    ) -> list[Page]:
        if ids is not None:
            self._exist(load, ids)
        return super()._pages(load, ids, read)

    def _exist(self, load: Load, ids: Sequence[str]) -> None:
        """Raises ConfigError for a device that is not there: its history would be empty."""
        unknown = [each for each in ids if each not in self._seen and each not in self._cards]
        if len(unknown) > FEW:
            self._identifiers(load, None)
            unknown = [each for each in unknown if each not in self._seen]
        if not unknown:
            return
        loading.each(unknown, lambda each: self._look(each, load), load)
        gone = [each for each in unknown if each not in self._seen and each not in self._cards]
        if not gone or load.gaps:
            return
        more = f" (and {len(gone) - 1} more)" if len(gone) > 1 else ""
        raise ConfigError(
            f"there is no device {gone[0]!r}{more} in the tenant {self.tenant!r} on {self.host}. Devices are "
            "named by their resource name, column 'device' of client.devices()."
        )

    def _look(self, device: str, load: Load) -> list[str]:
        """Notes a device if it is there: a node, or a SIM without one."""
        if self.api.nodes.find(device, stop=load.stop) is not None:
            self._seen.add(device)
        elif self._connected and "-" in device:
            try:
                self.api.products.get(device, stop=load.stop)
            except (NotFound, Forbidden):
                return []
            self._cards.add(device)
        return [device]

    # -- further columns ------------------------------------------------------------------------------------

    def _table(self, table: str, pages: Sequence[Cells], *, expand: bool) -> pd.DataFrame:
        frame = super()._table(table, pages, expand=expand)
        if not expand:
            return frame
        if table == "devices":
            return _with_sims(frame, [sims.beside(each) for page in pages for each in page.documents])
        if table == "operations":
            end = frame["finished"].fillna(pd.Timestamp(times.now()))
            waited = (end - frame["time"]).where(frame["kind"] == "command").astype("timedelta64[us]")
            known = frame["status"].eq("PENDING") | frame["duration"].notna()
            frame.insert(len(frames.SCHEMAS[table]), "waiting", waited.where(known))
        return frame


def _among(series: str, known: set[str]) -> bool:
    """Whether a series is there, named with its container or without."""
    return series in known or any(each.partition(":")[2] == series for each in known)


def _with_sims(frame: pd.DataFrame, beside: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """The devices table with the columns of the SIMs behind the core ones; identifiers are text."""
    place = len(frames.SCHEMAS["devices"])
    frame = frame.drop(columns=[name for name in sims.COLUMNS if name in frame.columns])  # of `expand`
    for offset, name in enumerate(sims.COLUMNS):
        values = [row[name] for row in beside]
        dtype = "float64" if name == "usage_kb" else "str"
        frame.insert(place + offset, name, pd.Series(values, index=frame.index, dtype=dtype))
    return frame
