"""The shape of every platform's client: public verbs that return DataFrames, and hooks behind them."""

from __future__ import annotations

import abc
import contextvars
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self, cast

import pandas as pd

import iotnb
from iotnb import arguments, frames, loading, markup, times
from iotnb.arguments import Devices, Moment, Since, identifiers
from iotnb.auth import EndedAuth
from iotnb.errors import ConfigError, Incomplete, LoggedOut, Unauthorized
from iotnb.exchange import Exchange
from iotnb.frames import Cells
from iotnb.hooks import VERBS, Documents, Page, Rows
from iotnb.inbox import Inbox
from iotnb.jobs import Job, Progress
from iotnb.live import Live, Push, Wanted
from iotnb.loading import Load
from iotnb.measuring import Measuring, Question
from iotnb.secret import Secret
from iotnb.session import Session, Settings, stopping
from iotnb.storage import Identity, Target

__all__ = [
    "VERBS",
    "Client",
    "Devices",
    "Documents",
    "Moment",
    "Page",
    "Rows",
    "Since",
    "identifiers",
]

STATUSES = ("PENDING", "EXECUTING", "SUCCESSFUL", "FAILED", "CANCELLED")
GAPS = 100  # of them in the provenance, which pandas copies with each selection; errors and jobs hold all
FUNCTIONS = ("mean", "min", "max", "sum", "count", "std")

_IN_BACKGROUND: contextvars.ContextVar[bool] = contextvars.ContextVar("iotnb_job", default=False)


class Client(Measuring):
    """A login to one platform.

    The verbs (`devices()`, `measurements()`, ...) return DataFrames in iotnb's words; `api` speaks the
    platform's own words and returns its JSON. Each frame's `attrs["iotnb"]` tells where it came from. A
    verb returns everything that the server holds for the question, or raises Incomplete.
    """

    def __init__(
        self, session: Session, api: Any, *, login: Any = None, user: str = "", others: Sequence[Session] = ()
    ) -> None:
        self.session = session
        self._sessions = (session, *others)  # a platform of several hosts has one for each
        self.lendable = login  # what `type(self)(...)` makes an equal client from
        self.api = api
        self.user = user
        self.sources: dict[str, str] = {}
        self.last_job: Job[pd.DataFrame] | None = None
        self.on_progress: Callable[[Progress], None] | None = None
        self._jobs: weakref.WeakSet[Job[pd.DataFrame] | Live] = weakref.WeakSet()

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
        documents: bool = False,
        on_error: str = "raise",
    ) -> pd.DataFrame:
        """The inventory: one row a device.

        Columns: device, name, type, status, last_seen, created, parent, owner, labels. `text` searches names
        and identifiers, `type` is exact, `query` is in the platform's own query language; all are applied by
        the server. `expand=True` adds every scalar of the platform's document as a column under its path,
        `documents=True` the whole of it as JSON text, in the last column `document`; so do the other verbs.
        """
        question = {"text": text, "type": type, "query": query}

        def work(load: Load) -> pd.DataFrame:
            came: list[Cells] = []
            row = self.rows.device

            def read(_: str | None) -> Iterator[Cells]:
                came.clear()  # a load that goes on after a new login starts over
                for page in loading.ahead(self._devices(load, **question)):
                    came.append(frames.cells("devices", page, row, keep=expand, documents=documents))
                    yield came[-1]

            load.peek = lambda: self._table("devices", list(came), expand=expand)
            pages = self._pages(load, None, read)
            if expand:
                whole = [self._expanded(load, page.documents) for page in pages]
                pages = [frames.cells("devices", each, row, keep=True, documents=documents) for each in whole]
            return self._table("devices", pages, expand=expand)

        asked = {**question, "expand": expand or None}
        return self._load("devices", asked, None, work, on_error)

    def series(self, devices: Devices = None, *, on_error: str = "raise") -> pd.DataFrame:
        """What each device measures: one row a series.

        Columns: device, series, unit, kind (number, text, bool), first, last (UTC).
        """

        ids = arguments.devices(devices)

        def work(load: Load) -> pd.DataFrame:
            return self._per_device("series", load, ids, lambda device: self._series(load, device))

        return self._load("series", {"devices": arguments.shown(ids)}, None, work, on_error)

    def latest(
        self, devices: Devices = None, *, series: str | Sequence[str] | None = None, on_error: str = "raise"
    ) -> pd.DataFrame:
        """The last value of each series of each device.

        Columns: time (UTC), device, series, value, text, unit, age (timedelta).
        """
        ids, wanted = arguments.devices(devices), arguments.names(series)

        def work(load: Load) -> pd.DataFrame:
            return self._per_device("latest", load, ids, lambda device: self._latest(load, device, wanted))

        return self._load("latest", {"devices": arguments.shown(ids), "series": wanted}, None, work, on_error)

    def measurements(
        self,
        devices: Devices = None,
        *,
        series: str | Sequence[str] | None = None,
        since: Since = "24h",
        until: Moment = None,
        aggregate: str | None = None,
        function: str = "mean",
        cache: str | PathLike[str] | Target | None = None,
        on_error: str = "raise",
    ) -> pd.DataFrame:
        """Everything measured in [since, until): one row a value, oldest first.

        Columns: time (UTC), device, series, value (float64), text (for what is no number), unit. `since` is a
        span back from `until` ("24h", "7d") or a moment with a zone; `until` defaults to the present.
        `aggregate` ("1m", "1h", "1d", "1M") reduces each interval with `function` (mean, min, max, sum,
        count, std), on the server where it can; a row's time is then the start of its interval, in UTC, the
        first interval is whole, and what is no number is left out. Raises Incomplete with `.partial` and
        `.gaps` when anything is missing, or warns and returns it with `on_error="report"`. `cache` names the
        directory of an archive (see `iotnb.archive`): only what it lacks is fetched, and kept in it.
        """
        ids, wanted, span = arguments.devices(devices), arguments.names(series), times.window(since, until)
        step = None if aggregate is None else times.interval(aggregate)
        if step is not None:
            span = step.aligned(span)
        arguments.word("function", function, FUNCTIONS)
        asked: dict[str, Any] = {"devices": arguments.shown(ids), "series": wanted}
        if step is not None:
            asked |= {"aggregate": str(step), "function": function}

        question = Question(ids, wanted, span, step, function)
        if cache is not None:
            target = cache if isinstance(cache, Target) else Target(Path(cache))
            asked["cache"] = str(target.folder)

        def work(load: Load) -> pd.DataFrame:
            if cache is None:
                return self._measured(load, question)
            began = time.perf_counter()
            return self._archived(
                load,
                question,
                target,
                Identity(self.platform, self.host, self.user),
                lambda: self._provenance("measurements", asked, span, load, time.perf_counter() - began),
            )

        return self._load("measurements", asked, span, work, on_error)

    def operations(
        self,
        devices: Devices = None,
        *,
        since: Since = "30d",
        until: Moment = None,
        status: str | None = None,
        expand: bool = False,
        documents: bool = False,
        on_error: str = "raise",
    ) -> pd.DataFrame:
        """The history of operations sent to devices, oldest first.

        Columns: time (created, UTC), operation, device, kind, status (PENDING, EXECUTING, SUCCESSFUL,
        FAILED, CANCELLED), platform_status, finished (UTC), duration, failure, parameters (JSON text).
        """
        narrow = {"status": arguments.word("status", status, STATUSES)}
        return self._history("operations", devices, (since, until), narrow, expand, documents, on_error)

    def events(
        self,
        devices: Devices = None,
        *,
        since: Since = "7d",
        until: Moment = None,
        type: str | None = None,  # noqa: A002  # the column of this name
        expand: bool = False,
        documents: bool = False,
        on_error: str = "raise",
    ) -> pd.DataFrame:
        """What devices reported to have happened, oldest first.

        Columns: time (UTC), event, device, type, text.
        """
        narrow = {"type": type}
        return self._history("events", devices, (since, until), narrow, expand, documents, on_error)

    def alarms(
        self,
        devices: Devices = None,
        *,
        since: Since = "7d",
        until: Moment = None,
        type: str | None = None,  # noqa: A002  # the column of this name
        expand: bool = False,
        documents: bool = False,
        on_error: str = "raise",
    ) -> pd.DataFrame:
        """Alarms and their state, oldest first.

        Columns: time (last raised, UTC), alarm, device, type, severity (CRITICAL, MAJOR, MINOR, WARNING),
        status (ACTIVE, ACKNOWLEDGED, CLEARED), count, first_seen, cleared (UTC), text.
        """
        narrow = {"type": type}
        return self._history("alarms", devices, (since, until), narrow, expand, documents, on_error)

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

    def live(
        self,
        devices: Devices = None,
        *,
        verbs: str | Sequence[str] = ("measurements", "alarms", "operations"),
        series: str | Sequence[str] | None = None,
        every: str | timedelta = "5s",
        since: str | timedelta | None = None,
        inbox: Inbox | None = None,
        address: str = "",
        **options: Any,
    ) -> Live:
        """What is new, as it arrives: `with client.live() as live: for batch in live: batch.frame ...`.

        A batch holds rows of one verb, in its columns; `since` ("15m") also tells of the time before. Where
        the platform tells of news by itself that is used, else it is asked `every` so often. After an outage
        what was missed is fetched: nothing is lost, nothing comes twice. `inbox` with its public `address` is
        for platforms that post to a webhook. Verbs that the platform lacks are left out, see `lacking`.

        Options: values that arrive more than `late` ("1m") after their time may be missed where the platform
        is asked; alarms and operations are followed for `reach` ("6h"); `keep` rows wait for their reader.
        """
        ids, wanted = arguments.devices(devices), arguments.names(series)

        def push(chosen: tuple[str, ...]) -> Push | None:
            return self._live(Wanted(devices=ids, series=wanted, verbs=chosen, inbox=inbox, address=address))

        made = Live(self, ids, verbs=verbs, series=wanted, every=every, since=since, push=push, **options)
        self._jobs.add(made)
        return made

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
        """The last requests and answers of all its sessions, oldest first, secrets blanked."""
        # some platforms' sessions write into one list
        found = {id(each): each for session in self._sessions for each in list(session.exchanges)}
        return sorted(found.values(), key=lambda exchange: exchange.started)

    @property
    def sessions(self) -> tuple[Session, ...]:
        """The doors to the network: one for each host of the platform."""
        return self._sessions

    @property
    def scopes(self) -> pd.DataFrame | None:
        """What the login asked for and was granted, one row a scope; None where there are no scopes.

        Columns: scope, asked, granted, lost, blocks (what a scope that was not granted blocks) and opens.
        """
        return None

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
        shown = self.facts()
        warning = shown.pop("warning", "")
        counters = self.session.counters
        shown["verbs"] = ", ".join(verb for verb in VERBS if verb in self.supports)
        shown["so far"] = f"{counters.requests:,} requests, {counters.bytes / 1e6:,.1f} MB"
        origins = {name: f"from {source}" for name, source in self.sources.items() if source != "default"}
        parts = [markup.facts({name: text for name, text in shown.items() if name != "platform"})]
        parts += [markup.line(f"Warning: {warning}.", tone=markup.ODD)] if warning else []
        parts += [markup.fold("Where the login's values came from", markup.facts(origins))] if origins else []
        state, tone = ("logged in", markup.GOOD) if self.logged_in else ("logged out", markup.ODD)
        return markup.card(self.title, *parts, state=state, tone=tone)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a client holds a login and cannot be pickled: connect again in the other process")

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
            with stopping(load.stop):
                frame = work(load)
            if verb == "latest":
                frame["age"] = pd.Timestamp(times.now()) - frame["time"]
            note = self._provenance(verb, asked, span, load, time.perf_counter() - began)
            note["bytes"] = note["bytes"] or self.session.counters.bytes - before
            frame.attrs["iotnb"] = note
            if not load.gaps:
                return frame
            message = load.missing(verb, len(frame))
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

    def _history(
        self,
        verb: str,
        devices: Devices,
        window: tuple[Since, Moment],
        narrow: Mapping[str, str | None],
        expand: bool,
        documents: bool,
        on_error: str,
    ) -> pd.DataFrame:
        """What happened in a window: operations, events or alarms, narrowed to one status or type."""
        ids, span = arguments.devices(devices), times.window(*window)
        read, row = getattr(self, f"_{verb}"), getattr(self.rows, verb.removesuffix("s"))
        ((column, wanted),) = narrow.items()

        def work(load: Load) -> pd.DataFrame:
            def pages(device: str | None) -> Iterator[Cells]:
                found = read(load, device, span, wanted)
                for page in loading.ahead(found) if device is None else found:
                    yield frames.cells(verb, page, row, keep=expand, documents=documents)

            frame = self._table(verb, self._pages(load, ids, pages), expand=expand)
            if column == "status" and wanted is not None:  # not every server filters by it
                frame = frame[frame[column] == wanted].reset_index(drop=True)
            return frame

        asked = {"devices": arguments.shown(ids), **narrow, "expand": expand or None}
        return self._load(verb, asked, span, work, on_error)

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

    def _table(self, table: str, pages: Sequence[Cells], *, expand: bool) -> pd.DataFrame:
        """A table from its pages, in the order of time where it has one."""
        made = frames.joined(table, pages, expand=expand)
        if "time" in made.columns:
            made = made.sort_values("time", kind="stable", ignore_index=True)
        return made

    def _per_device(
        self, table: str, load: Load, ids: list[str] | None, rows: Callable[[str], list[dict[str, Any]]]
    ) -> pd.DataFrame:
        """A table whose rows are found device by device."""
        found = loading.each(self._identifiers(load, ids), lambda device: [rows(device)], load)
        return frames.table(table, (row for part in found for row in part))
