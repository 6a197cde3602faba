"""The Cumulocity client: iotnb's verbs on the platform's API."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar, Self

import pandas as pd

from iotnb import times
from iotnb.arguments import no_series
from iotnb.client import Client, Page, Rows
from iotnb.errors import BadAnswer, ConfigError, RequestError
from iotnb.live import Push, Wanted
from iotnb.loading import Load, Reader
from iotnb.platforms.cumulocity import auth, history, inventory, objects, readers
from iotnb.platforms.cumulocity import rows as documents
from iotnb.platforms.cumulocity.api import Api
from iotnb.platforms.cumulocity.portal import Portal
from iotnb.platforms.cumulocity.pushed import LongPolling
from iotnb.platforms.cumulocity.realtime import Notifications
from iotnb.secret import Secret
from iotnb.session import Settings
from iotnb.times import Window

Documents = Iterator[list[dict[str, Any]]]

RETENTION = 60  # days that a tenant keeps data unless its rules say otherwise
PROBED = 200  # devices that are asked for their series before a series counts as unknown


class Cumulocity(Client):
    """A login to one Cumulocity tenant.

    Besides the verbs: `api` (the REST API), `tenant` (its id), `roles` (of the user), `portal` (what a person
    does in the web interface), `method` (the way of this login) and `login_options` (the ways to log in that
    the tenant offers).
    """

    platform = "cumulocity"
    title = "Cumulocity"
    FIELDS = auth.FIELDS
    METHODS = auth.METHODS
    supports = frozenset({"devices", "series", "latest", "measurements", "operations", "events", "alarms"})
    rows: ClassVar[Rows] = documents

    def __init__(self, login: auth.Login) -> None:
        super().__init__(login.session, Api(login.session), user=login.user, login=login)
        self.api: Api
        self.method, self.tenant, self.roles = login.method, login.tenant, login.roles
        self.login_options = login.options
        self.portal = Portal(self.api, tenant=login.tenant)
        self._seen: set[str] = set()
        self._kept: dict[str, int] | None = None
        self._lacking: weakref.WeakKeyDictionary[Load, set[str]] = weakref.WeakKeyDictionary()
        self._trails: weakref.WeakKeyDictionary[Load, history.Trail] = weakref.WeakKeyDictionary()
        self._functions: bool | None = None
        self._lock = threading.Lock()

    @classmethod
    def login(cls, values: Mapping[str, str | Secret], *, settings: Settings | None = None) -> Self:
        """Logs in with the values of FIELDS; raises MissingFields, SecondFactorRequired, Unauthorized ..."""
        return cls(auth.login(values, settings=settings))

    def listen(self, *channels: str) -> Notifications:
        """Real-time notifications of channels such as `/alarms/*` or `/measurements/2480300`.

        Use it as `with client.listen("/alarms/*") as live: for notice in live: ...`.
        """
        return Notifications(self.api, channels)

    def facts(self) -> dict[str, str]:
        """What may be shown of this login, with the tenant."""
        return super().facts() | ({"tenant": self.tenant} if self.tenant else {})

    # -- hooks ------------------------------------------------------------------------------------------

    def _devices(self, load: Load, *, text: str | None, type: str | None, query: str | None) -> Documents:
        for page in inventory.search(self.api, text=text, type=type, query=query, stop=load.stop):
            load.count(pages=1, rows=len(page.items), size=len(page.answer.body))
            self._seen.update(map(objects.identifier, page.items))
            yield page.items

    def _series(self, load: Load, device: str) -> list[dict[str, Any]]:
        names = self.api.inventory.supported_series(device)
        first = self._ends(load, device, names, newest=False)
        last = self._ends(load, device, names, newest=True)
        return [documents.series(device, name, first=first.get(name), last=last.get(name)) for name in names]

    def _latest(self, load: Load, device: str, series: list[str] | None) -> list[dict[str, Any]]:
        names = self.api.inventory.supported_series(device)
        if series is not None:
            names = [name for name in series if name in names]
            with self._lock:
                self._lacking.setdefault(load, set(series)).difference_update(names)
        found = self._ends(load, device, names, newest=True)
        made = (documents.latest(device, name, found[name]) for name in names if name in found)
        return [row for row in made if row is not None]

    def _reduces(
        self,
        load: Load,  # noqa: ARG002  # of the hook
        sources: Sequence[str],
        *,
        series: list[str] | None,  # noqa: ARG002  # the same for all series
        aggregate: times.Interval,
        function: str,
        window: Window,  # noqa: ARG002  # and at all times
    ) -> bool:
        if readers.by_server(aggregate, function):
            return True
        if self._functions is None:
            self._functions = readers.functions_known(self.api, sources)
        return self._functions

    def _reader(
        self,
        load: Load,
        sources: Sequence[str],  # the same reader serves all devices
        *,
        series: list[str] | None,
        aggregate: times.Interval | None,
        function: str,
        window: Window,
    ) -> Reader:
        if series is not None:
            self._wanted(load, sources, series)
        self._expiry(load, "MEASUREMENT", window)
        if aggregate is None:
            return readers.Measurements(self.api, series=series)
        return readers.Aggregates(self.api, series=series, aggregate=aggregate, function=function)

    def _operations(self, load: Load, device: str | None, window: Window, status: str | None) -> Documents:
        self._expiry(load, "OPERATION", window)
        if status == "CANCELLED":
            return  # the platform knows no such state; asked for, it would answer 422
        with self._lock:
            trail = self._trails.setdefault(load, history.Trail(self.api, load, window.start))
        pages = history.oldest_first(
            self.api.operations, "creationTime", window, load, deviceId=device, status=status
        )
        for page in pages:
            yield trail.attach(page)

    def _events(self, load: Load, device: str | None, window: Window, type: str | None) -> Documents:
        self._expiry(load, "EVENT", window)
        return history.oldest_first(self.api.events, "time", window, load, source=device, type=type)

    def _alarms(self, load: Load, device: str | None, window: Window, type: str | None) -> Documents:
        self._expiry(load, "ALARM", window)
        return history.by_link(self.api.alarms, window, load, source=device, type=type)

    def _live(self, wanted: Wanted) -> Push:
        return LongPolling(self.api, wanted)

    def _logout(self) -> None:
        if self.method != "basic":  # Basic has no session on the server that could end
            self.api.users.logout()

    # -- what was asked for must exist --------------------------------------------------------------------

    def _identifiers(self, load: Load, ids: list[str] | None) -> list[str]:
        if ids is not None:
            self._exist(load, ids)
        return super()._identifiers(load, ids)

    def _pages(
        self, load: Load, ids: list[str] | None, read: Callable[[str | None], Iterator[Page]]
    ) -> list[Page]:
        if ids is not None:
            self._exist(load, ids)
        return super()._pages(load, ids, read)

    def _per_device(
        self, table: str, load: Load, ids: list[str] | None, rows: Callable[[str], list[dict[str, Any]]]
    ) -> pd.DataFrame:
        frame = super()._per_device(table, load, ids, rows)
        lacking = self._lacking.pop(load, set())
        if lacking and not load.gaps:
            self._wanted(load, self._identifiers(load, ids), sorted(lacking))
        return frame

    def _exist(self, load: Load, ids: Sequence[str]) -> None:
        """Raises ConfigError for a device that is not there: the platform would answer an empty history."""
        unknown = [each for each in ids if each not in self._seen]
        if not unknown:
            return
        gone = inventory.missing(self.api, unknown, stop=load.stop)
        self._seen.update(set(unknown) - set(gone))
        if not gone:
            return
        meant = inventory.named(self.api, gone[0])
        if meant:
            shown = ", ".join(f"{each.get('name')!r} is {each.get('id')!r}" for each in meant)
            hint = f"Devices are named by the platform's id: {shown}."
        else:
            hint = "It was deleted, or you may not see it; client.devices(text=...) finds what is there."
        more = f" (and {len(gone) - 1} more)" if len(gone) > 1 else ""
        raise ConfigError(f"there is no device {gone[0]!r}{more} on {self.host}. {hint}")

    def _wanted(self, load: Load, sources: Sequence[str], series: Sequence[str]) -> None:
        """Raises ConfigError for a series that none of the devices has."""
        lacking, known = set(series), set[str]()
        for device in sources[:PROBED]:
            if not lacking or load.stop.is_set():
                return
            found = self.api.inventory.supported_series(device)
            known.update(found)
            lacking.difference_update(found)
        if not lacking or len(sources) > PROBED:
            return
        raise no_series(min(lacking), known, where=f"the {len(sources)} devices")

    # -- helpers ------------------------------------------------------------------------------------------

    def _ends(
        self, load: Load, device: str, names: Sequence[str], *, newest: bool
    ) -> dict[str, dict[str, Any]]:
        """The oldest or newest measurement of each series; one serves all series that it holds."""
        found: dict[str, dict[str, Any]] = {}
        for name in names:
            if name in found or load.stop.is_set():
                continue
            fragment, series = documents.split(name)
            for narrow in ({}, {"valueFragmentSeries": series}):
                document = self._end(load, device, newest, valueFragmentType=fragment, **narrow)
                if document is None:
                    break
                # series of this fragment that the document holds are settled; others may end elsewhere
                held = {
                    each for each, _, _ in documents.values(document) if documents.split(each)[0] == fragment
                }
                found.update({each: document for each in held & set(names) if each not in found})
                if name in held:
                    break
        return found

    def _end(self, load: Load, device: str, newest: bool, **filters: str) -> dict[str, Any] | None:
        page = self.api.measurements.page(source=device, revert=newest, pageSize=1, **filters)
        load.count(pages=1)
        found = page.get("measurements") or []
        return found[0] if found else None

    def _expiry(self, load: Load, kind: str, window: Window) -> None:
        """Notes in the provenance that the window begins before what the tenant keeps."""
        age = times.now() - window.start
        if age < timedelta(days=1):
            return
        days = self._retention().get(kind)
        if days is not None and age > timedelta(days=days):
            begin = times.to_wire(times.now() - timedelta(days=days))
            load.note(
                f"{kind.lower()}s before {begin} have probably expired: the tenant keeps them for {days} days"
            )

    def _retention(self) -> dict[str, int]:
        """The days that each kind of data is kept, by the tenant's general rules; read once."""
        with self._lock:
            if self._kept is None:
                self._kept = _general_rules(self.api)
            return self._kept


def _general_rules(api: Api) -> dict[str, int]:
    kinds = ("MEASUREMENT", "OPERATION", "EVENT", "ALARM")
    try:
        rules = list(api.retentions.list())
    except (RequestError, BadAnswer):  # without the right to read them the usual ones are assumed
        return dict.fromkeys(kinds, RETENTION)
    kept: dict[str, int] = {}
    for kind in kinds:
        ages = [
            int(rule["maximumAge"])
            for rule in rules
            if rule.get("dataType") in {kind, "*"}
            and all(rule.get(part, "*") == "*" for part in ("fragmentType", "type", "source"))
            and isinstance(rule.get("maximumAge"), int)
        ]
        if ages:
            kept[kind] = max(ages)  # where several rules match, the longest one counts
    return kept
