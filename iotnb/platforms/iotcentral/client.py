"""The Azure IoT Central client: iotnb's verbs on the platform's API."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

import pandas as pd

from iotnb import loading, times
from iotnb.arguments import no_series
from iotnb.client import Client, Devices, Page, Rows, identifiers
from iotnb.errors import ConfigError, Incomplete
from iotnb.loading import Load, Reader
from iotnb.platforms.iotcentral import address, auth, queries, readers, rows
from iotnb.platforms.iotcentral.api import Api
from iotnb.platforms.iotcentral.api.apps import Apps
from iotnb.platforms.iotcentral.api.chapter import document
from iotnb.platforms.iotcentral.api.query import PATH, RATE
from iotnb.platforms.iotcentral.fleet import Fleet
from iotnb.platforms.iotcentral.happened import Happened
from iotnb.platforms.iotcentral.history import History
from iotnb.platforms.iotcentral.journal import Journal
from iotnb.platforms.iotcentral.model import Capability, Model
from iotnb.secret import Secret
from iotnb.session import Settings
from iotnb.times import Window

Documents = Iterator[list[dict[str, Any]]]

RETENTION = timedelta(days=7)  # for which the platform keeps telemetry
GRACE = timedelta(minutes=1)  # between the moment of asking for seven days and now


class IotCentral(Client):
    """A login to one application of Azure IoT Central, to the management of applications, or to both.

    Besides the verbs: `api` (the REST API), `journal` (what this client has sent to devices), `fleet` (its
    devices and templates), `role` (of an API token), `method` (the way of this login), `dps_url` (where its
    devices register). This platform has no alarms; its events
    are telemetry that a template calls so.
    """

    platform = "iotcentral"
    title = "Azure IoT Central"
    FIELDS = auth.FIELDS
    METHODS = auth.METHODS
    supports = frozenset({"devices", "series", "latest", "measurements", "operations", "events"})
    rows: ClassVar[Rows] = rows

    def __init__(self, login: auth.Login) -> None:
        self.journal = Journal()
        apps = Apps(login.control, subscription=login.subscription, resource_group=login.resource_group)
        api = Api(login.link, apps, self.journal)
        super().__init__(login.session, api, login=login, user=login.user, others=login.others)
        self.api: Api
        self.method, self.role, self.dps_url = login.method, login.role, login.dps_url
        self.fleet = Fleet(self.api)
        self._login = login
        self._documents: weakref.WeakKeyDictionary[Load, dict[str, dict[str, Any]]] = (
            weakref.WeakKeyDictionary()
        )
        self._happened: weakref.WeakKeyDictionary[Load, Happened] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()
        self._histories: weakref.WeakKeyDictionary[Load, History] = weakref.WeakKeyDictionary()
        self._all: weakref.WeakSet[Load] = weakref.WeakSet()  # those that ask for every device

    @classmethod
    def login(cls, values: Mapping[str, str | Secret], *, settings: Settings | None = None) -> Self:
        """Logs in with the values of FIELDS; raises MissingFields, ConfigError, Unauthorized ..."""
        return cls(auth.login(values, settings=settings))

    def enter(self, app: Mapping[str, Any] | str, **credentials: str | Secret) -> Self:
        """A client for another application: its ARM document, or its subdomain.

        `credentials`: `api_token=` or `bearer=`; without them the bearer of this login is used, which opens
        every application that its person is a user of. Management is taken along.
        """
        subdomain = app if isinstance(app, str) else str((app.get("properties") or {}).get("subdomain") or "")
        if not subdomain:
            raise ConfigError(
                "enter() takes an application as api.apps.create() answers it, or its subdomain"
            )
        base, host = self._place(subdomain)
        return type(self)(auth.beside(self._login, base, host=host, credentials=credentials))

    def query_rate(self, rate: float | None = RATE) -> None:
        """Sets how many queries a second are sent; None for no limit. The platform takes one."""
        self._login.link.session.limit(PATH, rate)

    def properties(self, devices: Devices = None) -> pd.DataFrame:
        """Reported, desired and acknowledged values: one row a property of each device.

        Columns: device, property, reported, desired, state (reported, pending, accepted, refused),
        desired_version, ack_code, ack_version, ack_description, updated (UTC). Raises Incomplete.
        """
        load = Load(workers=self.session.settings.workers)
        ids = self._identifiers(load, None if devices is None else identifiers(devices))
        found = loading.each(ids, self._read_properties, load)
        frame = pd.DataFrame(found, columns=list(rows.PROPERTIES))
        frame["updated"] = pd.to_datetime(frame["updated"], format="ISO8601", utc=True)
        for column in ("desired_version", "ack_code", "ack_version"):
            frame[column] = frame[column].astype("Int64")
        if load.gaps:
            message = f"the properties of {load.gaps[0]['item']} cannot be read: {load.gaps[0]['reason']}"
            raise Incomplete(message, partial=frame, gaps=load.gaps)
        return frame

    def templates(self) -> pd.DataFrame:
        """What the device templates define: one row a capability.

        Columns: template, title, capability (telemetry, property, command), name, kind, unit, writable.
        """
        made = [
            {
                "template": model.id,
                "title": model.title,
                "capability": word,
                "name": each.name,
                "kind": each.kind,
                "unit": each.unit,
                "writable": each.writable,
            }
            for model in self.fleet.models(fresh=True).values()
            for word, listed in (
                ("telemetry", model.telemetry),
                ("property", model.properties),
                ("command", model.commands),
            )
            for each in listed
        ]
        names = ["template", "title", "capability", "name", "kind", "unit", "writable"]
        return pd.DataFrame(made, columns=names)

    def facts(self) -> dict[str, str]:
        """What may be shown of this login, with the role of an API token."""
        return super().facts() | ({"role": self.role} if self.role else {})

    # -- hooks ------------------------------------------------------------------------------------------

    def _devices(self, load: Load, *, text: str | None, type: str | None, query: str | None) -> Documents:
        listed = [each for page in self.fleet.pages(load, text=text, type=type, query=query) for each in page]
        before = self.fleet.gateways(load, listed)
        load.note(
            "last_seen, created: the platform's API tells neither; client.latest() shows the last values"
        )
        yield [
            {**each, "gateway": before[str(each["id"])]} if str(each.get("id")) in before else each
            for each in listed
        ]

    def _expanded(self, load: Load, documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Each device with its `properties`, read one by one: reported values, without their metadata."""

        def read(device: str) -> Iterator[tuple[str, dict[str, Any]]]:
            yield device, rows.reported(self.api.properties.get(device, stop=load.stop))

        ids = [str(each["id"]) for each in documents]
        found = dict(loading.each(ids, read, load))
        return [
            {**each, "properties": found[device]} if found.get(device) else each
            for device, each in zip(ids, documents, strict=True)
        ]

    def _series(self, load: Load, device: str) -> list[dict[str, Any]]:
        made = []
        for capability in self._telemetry(load, device):
            last = self._last(load, device, capability).get("timestamp")
            made += [
                {
                    "device": device,
                    "series": name,
                    "unit": capability.unit,
                    "kind": kind,
                    "first": None,
                    "last": last,
                }
                for name, kind in capability.leaves
            ]
        load.note("first: the platform keeps telemetry for 7 days and does not tell when a series began")
        return made

    def _latest(self, load: Load, device: str, series: list[str] | None) -> list[dict[str, Any]]:
        made = []
        for capability in self._telemetry(load, device):
            if series is None or readers.concerned(capability, series):
                document = self._last(load, device, capability)
                made += rows.latest(device, capability, document)
        return [row for row in made if series is None or readers.wanted(row["series"], series)]

    def _reduces(
        self,
        load: Load,
        sources: Sequence[str],
        *,
        series: list[str] | None,
        aggregate: times.Interval,
        function: str,
        window: Window,  # noqa: ARG002  # the same at all times
    ) -> bool:
        chosen = [
            each for template in self._by_template(load, sources) for each in self._asked(template, series)
        ]
        return readers.reducible([each for each in chosen if each.column], aggregate, function)

    def _reader(
        self,
        load: Load,
        sources: Sequence[str],
        *,
        series: list[str] | None,
        aggregate: times.Interval | None,
        function: str,
        window: Window,
    ) -> Reader:
        oldest = self._oldest(load, window)
        groups = self._by_template(load, sources)
        if series is not None:
            self._wanted(groups, series)
        chosen = {template: self._columns(load, template, series) for template in groups}
        parts: list[queries.Part] = []
        for template, devices in groups.items():
            names = [each.column for each in chosen[template]]
            if aggregate is not None and aggregate.span is not None:
                parts += _reducing(template, names, devices, function, aggregate.span)
            else:
                parts += queries.split(template, names, None if load in self._all else devices)
        capabilities = {(template, each.column): each for template in groups for each in chosen[template]}
        if window.end <= oldest:
            parts = []
        return readers.Queries(
            self.api, parts, capabilities, devices=set(sources), series=series, oldest=oldest
        )

    def _oldest(self, load: Load, window: Window) -> datetime:
        """The moment before which nothing is kept; what was asked for before it is a gap."""
        oldest = times.now() - RETENTION
        if window.start < oldest - GRACE:
            load.gap("", window.start, min(oldest, window.end), reason="older than the 7 days that are kept")
        return oldest - GRACE

    def _events(self, load: Load, device: str | None, window: Window, type: str | None) -> Documents:
        def make() -> readers.Queries:
            oldest = self._oldest(load, window)
            known = self._known(load, None if device is None else [device])
            groups = self._by_template(load, list(known))
            parts: list[queries.Part] = []
            capabilities: dict[tuple[str, str], Capability] = {}
            for template, devices in groups.items():
                model = self.fleet.model(template)
                chosen = [
                    each
                    for each in (model.telemetry if model else ())
                    if each.event and each.column and type in {None, each.name, each.own}
                ]
                capabilities.update({(template, each.column): each for each in chosen})
                names = [each.column for each in chosen]
                parts += queries.split(template, names, None if load in self._all else devices)
            if window.end <= oldest:
                parts = []
            return readers.Queries(
                self.api, parts, capabilities, devices=set(known), series=None, oldest=oldest
            )

        with self._lock:
            found = self._happened.setdefault(load, Happened(make, load, window))
        return found.of(device)

    def _parts(self, reader: Reader, sources: Sequence[str]) -> Sequence[str]:
        return list(reader.parts) if isinstance(reader, readers.Queries) else sources

    def _operations(self, load: Load, device: str | None, window: Window, status: str | None) -> Documents:  # noqa: ARG002  # sorted out by the caller
        workers = self.session.settings.workers
        with self._lock:
            history = self._histories.setdefault(
                load, History(self.api, self.fleet, self.journal, load, window, workers)
            )
        if device is None:
            listed = [each for page in self.fleet.pages(load) for each in page]
            return history.of_all(listed)
        return history.of(self._document(load, device))

    def _logout(self) -> None:
        self._login.entra = None  # the service knows no logout: what is left is to forget the tokens

    def _identifiers(self, load: Load, ids: list[str] | None) -> list[str]:
        found = self._known(load, ids)
        return list(found)

    def _pages(
        self, load: Load, ids: list[str] | None, read: Callable[[str | None], Iterator[Page]]
    ) -> list[Page]:
        return super()._pages(load, ids if ids is None else list(self._known(load, ids)), read)

    # -- devices and their templates ------------------------------------------------------------------------

    def _known(self, load: Load, ids: list[str] | None) -> dict[str, dict[str, Any]]:
        """The documents of the devices of a load, but for those that could not be read and are gaps.

        Raises ConfigError for one that is not there.
        """
        if load not in self._documents:
            if ids is None:
                self._all.add(load)
                listed = [each for page in self.fleet.pages(load) for each in page]
                self._documents[load] = {str(each["id"]): each for each in listed}
            else:
                self._documents[load] = self.fleet.documents(load, ids)
        return self._documents[load]

    def _document(self, load: Load, device: str) -> dict[str, Any]:
        known = self._documents.get(load, {})
        return known[device] if device in known else self.api.devices.get(device, stop=load.stop)

    def _telemetry(self, load: Load, device: str) -> Sequence[Capability]:
        model = self._model(load, self._document(load, device))
        return model.measured if model is not None else ()

    def _model(self, load: Load, document: Mapping[str, Any]) -> Model | None:
        template = document.get("template")
        model = self.fleet.model(str(template), load) if template else None
        if model is None:
            load.note(
                "devices without a template have no series: the platform cannot be asked for their data"
            )
        return model

    def _last(self, load: Load, device: str, capability: Capability) -> dict[str, Any]:
        answer = self.api.telemetry.answer(
            device,
            capability.own,
            component=capability.component,
            module=capability.module,
            stop=load.stop,
        )
        load.count(pages=1, size=len(answer.body))
        return {} if answer.status == 404 else document(answer)

    def _by_template(self, load: Load, sources: Sequence[str]) -> dict[str, list[str]]:
        """Template -> its devices among those asked for."""
        known = self._known(load, list(sources))
        groups: dict[str, list[str]] = {}
        for device in sources:
            model = self._model(load, known[device])
            if model is not None:
                groups.setdefault(model.id, []).append(device)
        return groups

    def _asked(self, template: str, series: list[str] | None) -> list[Capability]:
        """The telemetry of a template that was asked for."""
        model = self.fleet.model(template)
        measured = model.measured if model else ()
        return [each for each in measured if series is None or readers.concerned(each, series)]

    def _columns(self, load: Load, template: str, series: list[str] | None) -> list[Capability]:
        """The telemetry of a template that can be queried and was asked for."""
        asked = self._asked(template, series)
        for name in sorted({each.name for each in asked if not each.column}):
            reason = "telemetry of modules cannot be queried; latest() has the last value"
            if series is None:
                load.note(f"{name}: {reason}")
            else:
                load.gap(f"{template}: {name}", reason=reason)
        return [each for each in asked if each.column]

    def _read_properties(self, device: str) -> list[dict[str, Any]]:
        return rows.properties(device, self.api.properties.get(device))

    def _wanted(self, groups: Mapping[str, Any], series: Sequence[str]) -> None:
        """Raises ConfigError for a series that no template of the devices has."""
        models = [model for template in groups if (model := self.fleet.model(template)) is not None]
        telemetry = [each for model in models for each in model.measured]
        for name in series:
            if any(readers.concerned(each, [name]) for each in telemetry):
                continue
            known = {leaf for each in telemetry for leaf, _ in each.leaves}
            raise no_series(name, known, where="these devices' templates")

    def _place(self, subdomain: str) -> tuple[str, str]:
        """Address and host name of another application beside the one of this login."""
        here = self._login.control
        known = here.session.base_url if here.has else self.session.base_url
        if address.local(known):
            return known, f"{subdomain}.{address.DOMAIN}"
        host = urlsplit(self.session.base_url).hostname or ""
        domain = host.partition(".")[2] if host.endswith(f".{address.DOMAIN}") else address.DOMAIN
        return f"https://{subdomain}.{domain}", ""


def _reducing(
    template: str, names: Sequence[str], devices: Sequence[str], function: str, bucket: timedelta
) -> Iterator[queries.Part]:
    """The parts that reduce on the server, device by device: it groups by time only."""
    if names:
        for device in devices:
            yield from queries.reducing(template, names, device, function=function, bucket=bucket)
