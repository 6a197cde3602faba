"""The WSO2 IoT Server client: iotnb's verbs on the platform's device management."""

from __future__ import annotations

import difflib
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

import pandas as pd

from iotnb import loading
from iotnb.arguments import no_series
from iotnb.client import Client, Page, Rows
from iotnb.errors import ConfigError, Forbidden
from iotnb.loading import Load
from iotnb.platforms.wso2 import auth, happened, history, readers, scopes
from iotnb.platforms.wso2 import rows as documents
from iotnb.platforms.wso2.api import Api
from iotnb.platforms.wso2.inventory import FEW, Inventory
from iotnb.platforms.wso2.oauth import RenewingAuth
from iotnb.secret import Secret
from iotnb.session import Settings
from iotnb.times import Interval, Window

Documents = Iterator[list[dict[str, Any]]]


class WSO2(Client):
    """A login to one WSO2 IoT Server 3.2.0: an application, and a user or none.

    Besides the verbs: `api` (device management), `scopes` (what was asked for and granted, and what the
    missing ones block), `method` (the way of this login), `server_tz` (the zone in which the server writes
    times without one). Devices are named by type and identifier, `firealarm/123422`; an identifier alone will
    do where only one type has it. Alarms are notifications of failed operations, events are geo alerts and
    the progress of operations; what the platform itself calls events are measurements here.
    """

    platform = "wso2"
    title = "WSO2 IoT Server"
    FIELDS = auth.FIELDS
    METHODS = auth.METHODS
    supports = frozenset({"devices", "series", "latest", "measurements", "operations", "events", "alarms"})
    rows: ClassVar[Rows] = documents

    def __init__(self, login: auth.Login) -> None:
        api = Api(login.session, login.door, login.credentials)
        super().__init__(login.session, api, login=login, user=login.user, others=login.others)
        self.api: Api
        self.method, self.server_tz = login.method, login.server_tz
        self._asked, self._credentials = login.asked, login.credentials
        self._inventory = Inventory(self.api)
        self._lock = threading.Lock()
        self._shared: weakref.WeakKeyDictionary[Load, dict[str, Any]] = weakref.WeakKeyDictionary()
        self._lacking: weakref.WeakKeyDictionary[Load, set[str]] = weakref.WeakKeyDictionary()

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

    @property
    def scopes(self) -> pd.DataFrame:
        """What was asked for and granted: one row a scope.

        Columns: scope, asked, granted (missing for a given token, which does not tell), lost (by a renewal),
        blocks (verbs and calls that a scope which was not granted blocks) and opens.
        """
        held = self._credentials
        found = scopes.report(self._asked, held.granted if held else None, held.lost if held else ())
        frame = pd.DataFrame(found, columns=["scope", "asked", "granted", "lost", "blocks", "opens"])
        return frame.astype({"asked": "boolean", "granted": "boolean", "lost": "boolean"})

    def facts(self) -> dict[str, str]:
        """What may be shown of this login, with how many scopes were granted and what a renewal took."""
        own: dict[str, str] = {}
        held = self._credentials
        if held is not None and held.granted is not None:
            kept = len(set(held.granted) & set(self._asked))
            own["scopes"] = f"{kept} of {len(self._asked)} granted"
            if held.lost:
                own["lost scopes"] = ", ".join(sorted(held.lost))
        return super().facts() | own

    # -- hooks ------------------------------------------------------------------------------------------

    def _devices(self, load: Load, *, text: str | None, type: str | None, query: str | None) -> Documents:
        yield from self._inventory.documents(load, text=text, type=type, query=query)

    def _expanded(self, load: Load, documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return self._inventory.expanded(load, documents)

    def _series(self, load: Load, device: str) -> list[dict[str, Any]]:
        definitions = self._definitions(load)
        types = definitions.of(documents.parts(device)[0])
        reader = readers.Records(self.api, definitions)
        last = readers.look_back(reader, device, types, load)
        first = [row for each in reader.oldest(device, load) for row in documents.values(each, device, types)]
        return readers.described(device, types, last, first)

    def _latest(self, load: Load, device: str, series: list[str] | None) -> list[dict[str, Any]]:
        definitions = self._definitions(load)
        types = definitions.of(documents.parts(device)[0])
        reader = readers.Records(self.api, definitions)
        found = readers.look_back(reader, device, types, load, wanted=series)
        if series is not None:
            with self._lock:
                self._lacking.setdefault(load, set(series)).difference_update({*types, *found})
        return list(found.values())

    def _reader(
        self,
        load: Load,
        sources: Sequence[str],
        *,
        series: list[str] | None,
        aggregate: Interval | None,  # noqa: ARG002  # the server reduces nothing
        function: str,  # noqa: ARG002  # the same
        window: Window,  # noqa: ARG002  # the reader is told it with each device
    ) -> readers.Records:
        definitions = self._definitions(load)
        if series is not None:
            self._named(load, sources, series)
        return readers.Records(self.api, definitions, series=series)

    def _operations(
        self,
        load: Load,
        device: str | None,
        window: Window,
        status: str | None,  # noqa: ARG002  # the platform has no such filter
    ) -> Documents:
        told: history.History = self._once(
            load,
            "history",
            lambda: history.History(
                self.api,
                load,
                window,
                zone=self.server_tz,
                owners=lambda name, fresh: self._owners(load, name, fresh=fresh),
            ),
        )
        if self._by_activities():
            yield from told.by_activities(None if device is None else [device])
        elif device is not None:
            yield from told.of(device)
        else:
            yield from loading.each(self._identifiers(load, None), told.of, load)

    def _events(self, load: Load, device: str | None, window: Window, type: str | None) -> Documents:
        told: happened.Happened = self._once(
            load, "events", lambda: happened.Happened(self.api, load, window, self.server_tz)
        )
        devices = self._identifiers(load, None) if device is None else [device]
        for page in loading.each(devices, told.of, load):
            yield [each for each in page if type in (None, documents.event(each)["type"])]

    def _alarms(self, load: Load, device: str | None, window: Window, type: str | None) -> Documents:
        found = self._once(load, "alarms", lambda: happened.alarms(self.api, load, window, self.server_tz))
        rows = ((each, documents.alarm(each)) for each in found)
        yield [each for each, row in rows if device in (None, row["device"]) and type in (None, row["type"])]

    def _logout(self) -> None:
        if isinstance(self.session.auth, RenewingAuth):
            self.session.auth.revoke()

    # -- what was asked for must exist --------------------------------------------------------------------

    def _identifiers(self, load: Load, ids: list[str] | None) -> list[str]:
        return super()._identifiers(load, None) if ids is None else self._exist(load, ids)

    def _pages(
        self, load: Load, ids: list[str] | None, read: Callable[[str | None], Iterator[Page]]
    ) -> list[Page]:
        return super()._pages(load, None if ids is None else self._exist(load, ids), read)

    def _per_device(
        self,
        table: str,
        load: Load,
        ids: list[str] | None,
        rows: Callable[[str], list[dict[str, Any]]],
    ) -> pd.DataFrame:
        frame = super()._per_device(table, load, ids, rows)
        lacking = self._lacking.pop(load, set())
        if lacking and not load.gaps:
            self._named(load, self._identifiers(load, ids), sorted(lacking))
        return frame

    def _exist(self, load: Load, ids: Sequence[str]) -> list[str]:
        """The devices by their whole names; raises ConfigError for one that there is not."""
        unknown = [each for each in ids if each not in self._inventory.owners]
        bare = [each for each in unknown if "/" not in each]
        if bare or len(unknown) > FEW:
            super()._identifiers(load, None)
            unknown = [each for each in unknown if "/" in each and each not in self._inventory.owners]
        gone = [each for each in loading.each(unknown, lambda each: self._look(each, load), load) if each]
        if gone and not load.gaps:
            raise self._no_device(gone[0])
        return list(dict.fromkeys(self._whole_name(each) for each in ids))

    def _look(self, device: str, load: Load) -> list[str]:
        try:
            return [] if self._inventory.find(device, load) else [device]
        except Forbidden:
            return []  # it is there, and somebody else's: what is asked of it will say so

    def _whole_name(self, device: str) -> str:
        if "/" in device:
            return device
        found = [name for name in self._inventory.owners if documents.parts(name)[1] == device]
        if len(found) > 1:
            raise ConfigError(f"{device!r} is the identifier of several devices: {', '.join(sorted(found))}")
        if not found:
            raise self._no_device(device)
        return found[0]

    def _no_device(self, device: str) -> ConfigError:
        near = difflib.get_close_matches(device, self._inventory.owners, n=2, cutoff=0.6)
        hint = f" Near it: {', '.join(near)}." if near else ""
        return ConfigError(
            f"there is no device {device!r} on {self.host}, or it is not yours.{hint} Devices are named by "
            "type and identifier, such as 'firealarm/123422': column 'device' of client.devices()."
        )

    def _named(self, load: Load, sources: Sequence[str], series: Sequence[str]) -> None:
        """Raises ConfigError for a series that the device types do not define."""
        definitions = self._definitions(load)
        kinds = list(dict.fromkeys(documents.parts(each)[0] for each in sources))
        defined = [definitions.of(each) for each in kinds]
        known = {name for each in defined for name in each}
        lacking = [each for each in series if each not in known]
        if not lacking or not all(defined):
            return  # where nothing is defined records may hold anything
        raise no_series(lacking[0], known, where=f"the {len(sources)} devices")

    # -- helpers ------------------------------------------------------------------------------------------

    def _owners(self, load: Load, device: str, *, fresh: bool) -> list[str]:
        if fresh:
            self._inventory.find(device, load)
        return self._inventory.owners.get(device) or [self.user]

    def _by_activities(self) -> bool:
        """Whether operations can be read from activities only."""
        granted = self._credentials.granted if self._credentials else None
        return bool(scopes.missing("operations", granted)) and "perm:get-activity" in (granted or ())

    def _definitions(self, load: Load) -> readers.Definitions:
        found: readers.Definitions = self._once(
            load, "definitions", lambda: readers.Definitions(self.api, load)
        )
        return found

    def _once(self, load: Load, name: str, make: Callable[[], Any]) -> Any:
        """What several devices of one load share, made when the first of them needs it."""
        with self._lock:
            mine = self._shared.setdefault(load, {"lock": threading.RLock()})
        with mine["lock"]:
            if name not in mine:
                mine[name] = make()
            return mine[name]
