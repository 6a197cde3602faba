"""The shape of every platform's client: public verbs that return DataFrames, and hooks behind them."""

from __future__ import annotations

import abc
import contextvars
import html
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, ClassVar, NoReturn, Protocol, Self, cast

import pandas as pd

import iotnb
from iotnb import frames, loading, times
from iotnb.auth import EndedAuth, Field, Method
from iotnb.errors import ConfigError, Incomplete, LoggedOut, Unauthorized, Unsupported
from iotnb.exchange import Exchange
from iotnb.jobs import Job, Progress
from iotnb.loading import Load
from iotnb.secret import Secret
from iotnb.session import Session, Settings

VERBS = ("devices", "series", "latest", "measurements", "operations", "events", "alarms")
STATUSES = ("PENDING", "EXECUTING", "SUCCESSFUL", "FAILED", "CANCELLED")
GAPS = 100  # of them in the provenance, which pandas copies with each selection; errors and jobs hold all
FUNCTIONS = ("mean", "min", "max", "sum", "count", "std")

Devices = pd.DataFrame | pd.Series | Iterable[str] | str | None
Moment = str | datetime | None
Since = str | datetime | timedelta | None
Documents = Iterator[list[dict[str, Any]]]

_IN_BACKGROUND: contextvars.ContextVar[bool] = contextvars.ContextVar("iotnb_job", default=False)


class Rows(Protocol):
    """A platform's `rows` module: pure functions from its JSON to the rows of our tables."""

    def device(self, document: Mapping[str, Any], /) -> dict[str, Any]: ...  # noqa: D102
    def operation(self, document: Mapping[str, Any], /) -> dict[str, Any]: ...  # noqa: D102
    def event(self, document: Mapping[str, Any], /) -> dict[str, Any]: ...  # noqa: D102
    def alarm(self, document: Mapping[str, Any], /) -> dict[str, Any]: ...  # noqa: D102


class Client(abc.ABC):
    """A login to one platform.

    The verbs (`devices()`, `measurements()`, ...) return DataFrames in iotnb's words; `api` speaks the
    platform's own words and returns its JSON. Each frame's `attrs["iotnb"]` tells where it came from. A
    verb returns everything that the server holds for the question, or raises Incomplete.
    """

    platform: ClassVar[str]
    title: ClassVar[str]
    FIELDS: ClassVar[tuple[Field, ...]]
    METHODS: ClassVar[tuple[Method, ...]]
    supports: ClassVar[frozenset[str]]
    rows: ClassVar[Rows]

    def __init__(self, session: Session, api: Any, *, user: str = "", others: Sequence[Session] = ()) -> None:
        self.session = session
        self._sessions = (session, *others)  # a platform of several hosts has one for each
        self.api = api
        self.user = user
        self.sources: dict[str, str] = {}
        self.last_job: Job[pd.DataFrame] | None = None
        self.on_progress: Callable[[Progress], None] | None = None
        self._jobs: weakref.WeakSet[Job[pd.DataFrame]] = weakref.WeakSet()

    @classmethod
    @abc.abstractmethod
    def login(cls, values: Mapping[str, str | Secret], *, settings: Settings) -> Self:
        """Logs in with the values of FIELDS; raises MissingFields, Unauthorized, ConnectionFailed."""

    # -- the verbs --------------------------------------------------------------------------------------

    def devices(
        self,
        *,
        text: str | None = None,
        type: str | None = None,  # noqa: A002  # the column of this name
        query: str | None = None,
        expand: bool = False,
        on_error: str = "raise",
    ) -> pd.DataFrame:
        """The inventory: one row a device.

        Columns: device, name, type, status, last_seen, created, parent, owner, labels. `text` searches names
        and identifiers, `type` is exact, `query` is in the platform's own query language; all are applied by
        the server. `expand=True` adds every scalar of the platform's document as a column under its path.
        """
        asked = {"text": text, "type": type, "query": query, "expand": expand or None}

        def work(load: Load) -> pd.DataFrame:
            came: list[list[dict[str, Any]]] = []

            def read(_: str | None) -> Documents:
                came.clear()  # a load that goes on after a new login starts over
                for page in self._devices(load, text=text, type=type, query=query):
                    came.append(page)
                    yield page

            load.peek = lambda: self._table("devices", list(came), self.rows.device, expand)
            pages = self._pages(load, None, read)
            if expand:
                pages = [self._expanded(load, page) for page in pages]
            return self._table("devices", pages, self.rows.device, expand)

        return self._load("devices", asked, None, work, on_error)

    def series(self, devices: Devices = None, *, on_error: str = "raise") -> pd.DataFrame:
        """What each device measures: one row a series.

        Columns: device, series, unit, kind (number, text, bool), first, last (UTC).
        """

        ids = _ids(devices)

        def work(load: Load) -> pd.DataFrame:
            return self._per_device("series", load, ids, lambda device: self._series(load, device))

        return self._load("series", {"devices": _shown(ids)}, None, work, on_error)

    def latest(
        self, devices: Devices = None, *, series: str | Sequence[str] | None = None, on_error: str = "raise"
    ) -> pd.DataFrame:
        """The last value of each series of each device.

        Columns: time (UTC), device, series, value, text, unit, age (timedelta).
        """
        ids, wanted = _ids(devices), _names(series)

        def work(load: Load) -> pd.DataFrame:
            return self._per_device("latest", load, ids, lambda device: self._latest(load, device, wanted))

        return self._load("latest", {"devices": _shown(ids), "series": wanted}, None, work, on_error)

    def measurements(
        self,
        devices: Devices = None,
        *,
        series: str | Sequence[str] | None = None,
        since: Since = "24h",
        until: Moment = None,
        aggregate: str | None = None,
        function: str = "mean",
        on_error: str = "raise",
    ) -> pd.DataFrame:
        """Everything measured in [since, until): one row a value, oldest first.

        Columns: time (UTC), device, series, value (float64), text (for what is no number), unit. `since` is a
        span back from `until` ("24h", "7d") or a moment with a zone; `until` defaults to the present.
        `aggregate` ("1m", "1h", "1d") has the server reduce each interval with `function` (mean, min, max,
        sum, count, std); a row's time is then the start of its interval,
        and the first interval is whole. Raises Incomplete with `.partial`
        and `.gaps` when anything is missing, or warns and returns it with `on_error="report"`.
        """
        ids, wanted, span = _ids(devices), _names(series), times.window(since, until)
        span = self._aligned(span, aggregate)
        if function not in FUNCTIONS:
            raise ConfigError(f"function={function!r} is not one of {', '.join(FUNCTIONS)}")
        asked = {"devices": _shown(ids), "series": wanted, "aggregate": aggregate}
        if aggregate:
            asked["function"] = function

        def work(load: Load) -> pd.DataFrame:
            sources = self._identifiers(load, ids)
            reader = self._reader(
                load, sources, series=wanted, aggregate=aggregate, function=function, window=span
            )
            if isinstance(reader, loading.Whole):
                return frames.measurements(loading.whole(reader, sources, span, load))
            return frames.measurements(loading.windows(reader, self._parts(reader, sources), span, load))

        return self._load("measurements", asked, span, work, on_error)

    def operations(
        self,
        devices: Devices = None,
        *,
        since: Since = "30d",
        until: Moment = None,
        status: str | None = None,
        expand: bool = False,
        on_error: str = "raise",
    ) -> pd.DataFrame:
        """The history of operations sent to devices, oldest first.

        Columns: time (created, UTC), operation, device, kind, status (PENDING, EXECUTING, SUCCESSFUL,
        FAILED, CANCELLED), platform_status, finished (UTC), duration, failure, parameters (JSON text).
        """
        if status is not None and status not in STATUSES:
            raise ConfigError(f"status={status!r} is not one of {', '.join(STATUSES)}")
        ids, span = _ids(devices), times.window(since, until)
        asked = {"devices": _shown(ids), "status": status, "expand": expand or None}

        def work(load: Load) -> pd.DataFrame:
            pages = self._pages(load, ids, lambda device: self._operations(load, device, span, status))
            frame = self._table("operations", pages, self.rows.operation, expand)
            return frame if status is None else frame[frame["status"] == status].reset_index(drop=True)

        return self._load("operations", asked, span, work, on_error)

    def events(
        self,
        devices: Devices = None,
        *,
        since: Since = "7d",
        until: Moment = None,
        type: str | None = None,  # noqa: A002  # the column of this name
        expand: bool = False,
        on_error: str = "raise",
    ) -> pd.DataFrame:
        """What devices reported to have happened, oldest first.

        Columns: time (UTC), event, device, type, text.
        """
        span = times.window(since, until)
        return self._reports("events", devices, span, type, expand, on_error)

    def alarms(
        self,
        devices: Devices = None,
        *,
        since: Since = "7d",
        until: Moment = None,
        type: str | None = None,  # noqa: A002  # the column of this name
        expand: bool = False,
        on_error: str = "raise",
    ) -> pd.DataFrame:
        """Alarms and their state, oldest first.

        Columns: time (last raised, UTC), alarm, device, type, severity (CRITICAL, MAJOR, MINOR, WARNING),
        status (ACTIVE, ACKNOWLEDGED, CLEARED), count, first_seen, cleared (UTC), text.
        """
        span = times.window(since, until)
        return self._reports("alarms", devices, span, type, expand, on_error)

    def job(self, verb: str, *args: Any, **kwargs: Any) -> Job[pd.DataFrame]:
        """The same as `client.<verb>(...)` in the background: a started Job with progress and cancel().

        It can be awaited: `frame = await client.job("measurements", ids, since="7d")`.
        """
        if verb not in VERBS:
            raise ConfigError(f"{verb!r} is no verb of a client: use one of {', '.join(VERBS)}")
        token = _IN_BACKGROUND.set(True)
        try:
            return cast("Job[pd.DataFrame]", getattr(self, verb)(*args, **kwargs))
        finally:
            _IN_BACKGROUND.reset(token)

    # -- the login --------------------------------------------------------------------------------------

    @property
    def host(self) -> str:
        """The server's host, with its port where that is not the usual one."""
        return self.session.host

    @property
    def expires(self) -> datetime | None:
        """When the present login expires (UTC), or None when it does not or nobody knows."""
        return self.session.auth.expires

    @property
    def exchanges(self) -> list[Exchange]:
        """The last requests and answers, oldest first, secrets blanked."""
        return list(self.session.exchanges)

    @property
    def logged_in(self) -> bool:
        """False after logout()."""
        return not isinstance(self.session.auth, EndedAuth)

    def logout(self) -> None:
        """Ends the login on the server where it can be ended, stops running jobs, forgets the secrets."""
        for job in list(self._jobs):
            job.cancel()
        try:
            if self.logged_in:
                self._logout()
        except Unauthorized:
            pass  # it had ended already
        finally:
            for session in self._sessions:
                session.auth = EndedAuth(self.user)

    def close(self) -> None:
        """Stops running jobs and closes the connections; the login on the server stays."""
        for job in list(self._jobs):
            job.cancel()
        for session in self._sessions:
            session.close()

    def facts(self) -> dict[str, str]:
        """What may be shown of this login: never a secret."""
        shown = {"platform": self.title, "host": self.host, "user": self.user, **self.session.auth.describe()}
        shown["user"] = self.user or shown["user"]
        if self.session.settings.verify is False:
            shown["warning"] = "the server's certificate is not checked (verify=False)"
        return {name: value for name, value in shown.items() if value}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.facts().items())})"
        )

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
            f"<td style='text-align:left'>{html.escape(value)}</td></tr>"
            for name, value in self.facts().items()
        )
        return f"<table style='color:var(--jp-content-font-color1,inherit)'>{cells}</table>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a client holds a login and cannot be pickled: connect again in the other process")

    # -- the hooks of a platform --------------------------------------------------------------------------

    def _devices(self, load: Load, *, text: str | None, type: str | None, query: str | None) -> Documents:  # noqa: A002
        """Pages of the platform's device documents."""
        raise self._unsupported()

    def _expanded(self, load: Load, documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The documents for `expand=True`, with what the platform keeps of a device in another place."""
        return documents

    def _series(self, load: Load, device: str) -> list[dict[str, Any]]:
        """Rows of the series table for one device."""
        raise self._unsupported()

    def _latest(self, load: Load, device: str, series: list[str] | None) -> list[dict[str, Any]]:
        """Rows of the latest table for one device; `age` is filled in by the caller."""
        raise self._unsupported()

    def _reader(
        self,
        load: Load,
        sources: Sequence[str],
        *,
        series: list[str] | None,
        aggregate: str | None,
        function: str,
        window: times.Window,
    ) -> loading.Reader | loading.Whole:
        """How this platform's measurements are read."""
        raise self._unsupported()

    def _parts(self, reader: loading.Reader, sources: Sequence[str]) -> Sequence[str]:
        """What the reader reads one by one: the devices, unless the platform answers for many at once."""
        return sources

    def _aligned(self, window: times.Window, aggregate: str | None) -> times.Window:
        """The window, widened where the platform's intervals begin before it."""
        return window

    def _operations(
        self, load: Load, device: str | None, window: times.Window, status: str | None
    ) -> Documents:
        """Pages of operation documents of one device, or of all; created in the window, oldest first."""
        raise self._unsupported()

    def _events(self, load: Load, device: str | None, window: times.Window, type: str | None) -> Documents:  # noqa: A002
        """Pages of event documents of one device, or of all."""
        raise self._unsupported()

    def _alarms(self, load: Load, device: str | None, window: times.Window, type: str | None) -> Documents:  # noqa: A002
        """Pages of alarm documents of one device, or of all."""
        raise self._unsupported()

    def _logout(self) -> None:  # noqa: B027  # not every platform can
        """Ends the login on the server, where the platform can."""

    # -- what the verbs share -----------------------------------------------------------------------------

    def _load(
        self,
        verb: str,
        asked: Mapping[str, Any],
        span: times.Window | None,
        work: Callable[[Load], pd.DataFrame],
        on_error: str,
    ) -> pd.DataFrame:
        """Runs `work` as a Job, stamps its frame with provenance, and is loud about gaps."""
        if on_error not in {"raise", "report"}:
            raise ConfigError(f"on_error={on_error!r} is neither 'raise' nor 'report'")
        if verb not in self.supports:
            raise self._unsupported(verb)
        if not self.logged_in:
            raise LoggedOut(401, "", "", f"{self.user or 'this client'} was logged out: connect again")

        def run(load: Load) -> pd.DataFrame:
            began, before = time.perf_counter(), self.session.counters.bytes
            load.watch(self.session.counters)
            frame = work(load)
            if verb == "latest":
                frame["age"] = pd.Timestamp(times.now()) - frame["time"]
            note = self._provenance(verb, asked, span, load, time.perf_counter() - began)
            note["bytes"] = note["bytes"] or self.session.counters.bytes - before
            frame.attrs["iotnb"] = note
            if not load.gaps:
                return frame
            message = _gap_message(verb, load.gaps, len(frame))
            if on_error == "raise":
                raise Incomplete(message, partial=frame, gaps=load.gaps)
            load.warning = message
            return frame

        job: Job[pd.DataFrame] = Job(run, workers=self.session.settings.workers, label=verb)
        if self.on_progress is not None:
            job.on_change(self.on_progress)
        self._jobs.add(job)
        self.last_job = job
        job.start()
        if _IN_BACKGROUND.get():
            return cast("pd.DataFrame", job)
        return job.result()

    def _reports(
        self, verb: str, devices: Devices, span: times.Window, kind: str | None, expand: bool, on_error: str
    ) -> pd.DataFrame:
        """Events or alarms: what devices sent in a window, of one type or of all."""
        read, row = (self._events, self.rows.event) if verb == "events" else (self._alarms, self.rows.alarm)
        ids = _ids(devices)
        asked = {"devices": _shown(ids), "type": kind, "expand": expand or None}

        def work(load: Load) -> pd.DataFrame:
            pages = self._pages(load, ids, lambda device: read(load, device, span, kind))
            return self._table(verb, pages, row, expand)

        return self._load(verb, asked, span, work, on_error)

    def _unsupported(self, verb: str = "such table") -> Unsupported:
        has = ", ".join(each for each in VERBS if each in self.supports)
        return Unsupported(f"{self.title} has no {verb}; it has {has}")

    def _provenance(
        self, verb: str, asked: Mapping[str, Any], span: times.Window | None, load: Load, seconds: float
    ) -> dict[str, Any]:
        return {
            "iotnb": iotnb.__version__,
            "platform": self.platform,
            "host": self.host,
            "user": self.user,
            "verb": verb,
            "query": {name: value for name, value in asked.items() if value is not None},
            "window": [times.to_wire(span.start), times.to_wire(span.end)] if span else None,
            "loaded": times.to_wire(times.now()),
            "pages": load.pages,
            "bytes": load.bytes,
            "seconds": round(seconds, 3),
            "complete": not load.gaps,
            "gaps": load.gaps[:GAPS],
            "notes": list(load.notes),
        }

    def _pages(
        self, load: Load, ids: list[str] | None, read: Callable[[str | None], Documents]
    ) -> list[list[dict[str, Any]]]:
        """Pages of documents: device by device at once, or in a single walk over all of them."""
        if ids is None:
            return loading.each([""], lambda _: read(None), load)
        return loading.each(ids, read, load)

    def _table(
        self,
        table: str,
        pages: Iterable[list[dict[str, Any]]],
        row: Callable[[Mapping[str, Any]], dict[str, Any]],
        expand: bool,
    ) -> pd.DataFrame:
        """A table from pages of documents, in the order of time where it has one."""
        documents = [document for page in pages for document in page]
        made = frames.table(table, map(row, documents), documents=documents if expand else None)
        if "time" in made.columns:
            made = made.sort_values("time", kind="stable", ignore_index=True)
        return made

    def _per_device(
        self, table: str, load: Load, ids: list[str] | None, rows: Callable[[str], list[dict[str, Any]]]
    ) -> pd.DataFrame:
        """A table whose rows are found device by device."""
        found = loading.each(self._identifiers(load, ids), lambda device: [rows(device)], load)
        return frames.table(table, (row for part in found for row in part))

    def _identifiers(self, load: Load, ids: list[str] | None) -> list[str]:
        """The devices that a verb was asked for; None means all that the server has."""
        if ids is not None:
            return ids
        pages = self._pages(load, None, lambda _: self._devices(load, text=None, type=None, query=None))
        return [str(self.rows.device(document)["device"]) for page in pages for document in page]


def identifiers(devices: pd.DataFrame | pd.Series | Iterable[Any] | str) -> list[str]:
    """Device identifiers as text, each once, in the given order.

    Takes a DataFrame with a `device` column (a picker's selection), a Series, an iterable, or one identifier.
    """
    if isinstance(devices, pd.DataFrame) and "device" not in devices.columns:
        raise ConfigError("devices= is a DataFrame without a column 'device': pass one of client.devices()")
    # a single row of a table of devices is a Series with the columns' names
    if isinstance(devices, pd.DataFrame) or (isinstance(devices, pd.Series) and "device" in devices.index):
        devices = devices["device"]
    listed: list[Any] = [devices] if pd.api.types.is_scalar(devices) else list(devices)
    for each in listed:
        if each is None or isinstance(each, float | bool) or pd.isna(each) or not str(each).strip():
            raise ConfigError(f"devices= holds {each!r}: a device identifier is text, such as '2480300'")
    return list(dict.fromkeys(str(each).strip() for each in listed))


def _names(series: str | Sequence[str] | None) -> list[str] | None:
    if series is None:
        return None
    names = [series] if isinstance(series, str) else [str(each) for each in series]
    if not names:
        raise ConfigError("series= is empty: name at least one, or leave it out for all")
    return names


def _ids(devices: Devices) -> list[str] | None:
    return None if devices is None else identifiers(devices)


def _shown(ids: list[str] | None) -> Any:
    """What the provenance says of the devices: small, however many there are."""
    return f"{len(ids)} devices" if ids is not None and len(ids) > 20 else ids


def _gap_message(verb: str, gaps: Sequence[Mapping[str, Any]], rows: int) -> str:
    shown = []
    for gap in gaps[:3]:
        what = gap.get("item") or "all devices"
        span = f" from {gap['start']} to {gap['end']}" if gap.get("start") else ""
        shown.append(f"  {what}{span}: {gap.get('reason', '')}")
    missing = f"{len(gaps)} parts are" if len(gaps) > 1 else "1 part is"
    lines = [f"{verb} are incomplete: {rows:,} rows came, {missing} missing", *shown]
    if len(gaps) > 3:
        lines.append(f"  and {len(gaps) - 3} more")
    lines.append(
        "The rows that came are in .partial of this error, what is missing in .gaps; ask again for the gaps, "
        'or pass on_error="report" to get the rows with a warning.'
    )
    return "\n".join(lines)
