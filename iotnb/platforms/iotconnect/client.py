"""The IoTConnect client: iotnb's verbs on the modules of the platform."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

import pandas as pd

from iotnb import errors, loading, times
from iotnb.arguments import no_series
from iotnb.client import Client, Page, Rows
from iotnb.errors import Unsupported
from iotnb.loading import Load
from iotnb.platforms.iotconnect import auth, history, readers
from iotnb.platforms.iotconnect import rows as documents
from iotnb.platforms.iotconnect.api import Api
from iotnb.platforms.iotconnect.decode import wanted
from iotnb.platforms.iotconnect.following import Journal, Sent
from iotnb.platforms.iotconnect.inventory import Inventory, Known
from iotnb.platforms.iotconnect.model import Model, model
from iotnb.secret import Secret
from iotnb.session import Settings
from iotnb.times import Window

Documents = Iterator[list[dict[str, Any]]]


class IoTConnect(Client):
    """A login to one solution of IoTConnect.

    Besides the verbs: `api` (all modules), `account` (user, role, entity, company, cpid, solution, by the
    token), `edition` (aws, az, v1.1), `environment` and `method`. `command` sends a command to a device,
    `follow` tells what became of it, `sent` lists those of this client; `operations()` knows when these were
    sent, and of all others only when their state changed last.
    """

    platform = "iotconnect"
    title = "IoTConnect"
    FIELDS = auth.FIELDS
    METHODS = auth.METHODS
    supports = frozenset({"devices", "series", "latest", "measurements", "operations", "events", "alarms"})
    rows: ClassVar[Rows] = documents

    def __init__(self, login: auth.Login) -> None:
        first, *others = login.modules.all()
        super().__init__(
            first, Api(login.modules, login.credentials), user=login.user, others=others, login=login
        )
        self.api: Api
        self.method, self.account = login.method, dict(login.account)
        self.edition, self.environment = login.edition, login.environment
        self._credentials = login.credentials
        self._inventory = Inventory(self.api)
        self._journal = Journal(self.api)
        self._found: weakref.WeakKeyDictionary[Load, dict[str, Known]] = weakref.WeakKeyDictionary()
        self._models: weakref.WeakKeyDictionary[Load, dict[str, Model]] = weakref.WeakKeyDictionary()
        self._histories: weakref.WeakKeyDictionary[Load, history.History] = weakref.WeakKeyDictionary()
        self._readers: weakref.WeakKeyDictionary[Load, readers.History] = weakref.WeakKeyDictionary()
        self._lock = threading.RLock()

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
        """What may be shown of this login, with role, entity, company and edition."""
        own = {name: self.account.get(name, "") for name in ("role", "entity", "company")}
        own["edition"] = f"{self.edition}, {self.environment}" if self.environment else self.edition
        return super().facts() | {name: value for name, value in own.items() if value}

    # -- commands -----------------------------------------------------------------------------------------

    def command(self, device: str, command: str, *, parameter: str | None = None) -> Sent:
        """Sends a command of the device's template, named by its wire name or label; see `follow`.

        Raises ConfigError for a device or command that is not there and for a missing parameter, Conflict
        when the platform does not take it.
        """
        known = self._inventory.find(Load(workers=self.session.settings.workers), [device])[device]
        return self._journal.send(device, known, command, parameter)

    def follow(self, sent: Sent, *, timeout: float = 60.0, every: float = 0.5) -> Sent:
        """Waits until a sent command was executed or has failed; after `timeout` seconds as far as it is.

        A command that needs no acknowledgement may stay EXECUTING for ever. `sent.ambiguous` says that the
        same was sent by others too, so that nobody can tell which is which. The history is read every
        `every` seconds at first, then less often.
        """
        return self._journal.follow(sent, timeout=timeout, every=every)

    @property
    def sent(self) -> list[Sent]:
        """The commands that this client sent, oldest first."""
        return self._journal.all()

    # -- hooks ------------------------------------------------------------------------------------------

    def _devices(self, load: Load, *, text: str | None, type: str | None, query: str | None) -> Documents:
        return self._inventory.documents(load, text=text, type=type, query=query)

    def _expanded(self, load: Load, documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Each device with what only its own document tells: properties, certificate, company ..."""
        by_name = {str(each.get("uniqueId")): each for each in documents}
        detail = self._inventory.detail
        whole = dict(loading.each(list(by_name), lambda name: [(name, detail(load, by_name[name]))], load))
        return [whole.get(name, each) for name, each in by_name.items()]

    def _series(self, load: Load, device: str) -> list[dict[str, Any]]:
        known = self._one(load, device)
        there = self._model(load, known.template)
        newest = documents.latest(device, self._last(load, known), there)
        load.note("first: the platform does not tell when a series began")
        return documents.series(device, there.of(known.tag), newest)

    def _latest(self, load: Load, device: str, series: list[str] | None) -> list[dict[str, Any]]:
        known = self._one(load, device)
        found = documents.latest(device, self._last(load, known), self._model(load, known.template))
        return [row for name, row in found.items() if series is None or wanted(name, series)]

    def _reader(
        self,
        load: Load,
        sources: Sequence[str],
        *,
        series: list[str] | None,
        aggregate: times.Interval | None,  # noqa: ARG002  # the platform does not reduce
        function: str,  # noqa: ARG002  # the same
        window: Window,  # noqa: ARG002  # the reader is told it with each device
    ) -> readers.History:
        if self.edition == "v1.1":
            raise Unsupported(
                "the edition v1.1 tells the last value only, no history: log in with edition='az' or 'aws'"
            )
        targets = {}
        for device in sources:
            known = self._one(load, device)
            there = self._model(load, known.template)
            targets[device] = readers.Target(there, _narrow(there, known.version, series))
        made = readers.History(self.api.telemetry, targets, load, series=series)
        self._readers[load] = made
        return made

    def _operations(
        self,
        load: Load,
        device: str | None,
        window: Window,
        status: str | None,  # noqa: ARG002  # the platform has no such filter
    ) -> Documents:
        told = self._told(load, window)
        load.note("time: when the state changed last; the platform tells when it was sent to its sender only")
        for each in [device] if device is not None else self._identifiers(load, None):
            yield from told.operations(each, self._one(load, each))

    def _events(self, load: Load, device: str | None, window: Window, type: str | None) -> Documents:
        told = self._told(load, window)
        for each in [device] if device is not None else self._identifiers(load, None):
            yield from told.events(each, type)

    def _alarms(self, load: Load, device: str | None, window: Window, type: str | None) -> Documents:
        return self._told(load, window).alarms(device, type)

    def _logout(self) -> None:
        if self._credentials is not None:
            self._credentials.forget()  # the server has no logout: the token lives on for its last hours

    # -- what was asked for must exist ----------------------------------------------------------------------

    def _identifiers(self, load: Load, ids: list[str] | None) -> list[str]:
        if ids is None:
            pages = self._pages(load, None, lambda _: self._inventory.documents(load, placed=False))
            ids = [str(documents.device(each)["device"]) for page in pages for each in page]
        self._exist(load, ids)
        return ids

    def _pages(
        self, load: Load, ids: list[str] | None, read: Callable[[str | None], Iterator[Page]]
    ) -> list[Page]:
        if ids is not None:
            self._exist(load, ids)
        return super()._pages(load, ids, read)

    def _exist(self, load: Load, ids: Sequence[str]) -> None:
        """Looks up guid and template of all devices; raises ConfigError for one that is not there."""
        self._found[load] = self._inventory.find(load, ids)

    def _load(
        self,
        verb: str,
        asked: Mapping[str, Any],
        span: Window | None,
        work: Callable[[Load], pd.DataFrame],
        on_error: str,
    ) -> pd.DataFrame:
        series = asked.get("series")

        def checked(load: Load) -> pd.DataFrame:
            frame = work(load)
            reader = self._readers.pop(load, None)
            if reader is not None:
                reader.remarks()
            if series and not load.gaps and not load.stop.is_set():
                self._named(load, series, set(frame["series"].astype("str")))
            return frame

        return super()._load(verb, asked, span, checked, on_error)

    def _named(self, load: Load, series: Sequence[str], came: set[str]) -> None:
        """Raises ConfigError for a series that is in no template of the devices, and did not come either."""
        known = {each.name for there in self._models.get(load, {}).values() for each in there.attributes}
        names = known | came
        if not names:
            return
        for name in series:
            if any(wanted(each, [name]) for each in names):
                continue
            raise no_series(name, names, where="these devices' templates")

    # -- devices and their templates ------------------------------------------------------------------------

    def _one(self, load: Load, device: str) -> Known:
        found = self._found.get(load, {})
        if device not in found:
            found = self._inventory.find(load, [device])
        if device not in found:
            raise errors.NotFound(404, "", "", f"there is no device {device!r}")
        return found[device]

    def _model(self, load: Load, template: str) -> Model:
        """The attributes of a template, read once a load; a template that is gone has none."""
        with self._lock:
            models = self._models.setdefault(load, {})
            if template not in models:
                try:
                    listed = self.api.attributes.list(template, stop=load.stop) if template else []
                except errors.NotFound:
                    load.note(f"the template {template} is not there: its devices have no types and units")
                    listed = []
                load.count(pages=1)
                models[template] = model(listed)
            return models[template]

    def _last(self, load: Load, known: Known) -> list[dict[str, Any]]:
        found = self.api.telemetry.latest(known.guid, stop=load.stop)
        load.count(pages=1, rows=len(found))
        return found

    def _told(self, load: Load, window: Window) -> history.History:
        with self._lock:
            if load not in self._histories:
                self._histories[load] = history.History(self.api, self._journal, load, window)
            return self._histories[load]


def _narrow(there: Model, version: str, series: Sequence[str] | None) -> str:
    """The one attribute to ask the server for; "" where it is several, or one that the template lacks.

    Messages of version 1.0 are asked for by its guid, later ones by its name.
    """
    attribute = there.find(series[0]) if series is not None and len(series) == 1 else None
    if attribute is None or not version:
        return ""
    return attribute.guid if version.startswith("1.") else attribute.name
