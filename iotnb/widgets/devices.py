"""The device picker: search, filter, sort and select among the devices of a client or of a table."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
import traitlets

from iotnb.errors import ConfigError, Unauthorized, Unsupported
from iotnb.widgets.leaves import GridLeaf
from iotnb.widgets.panel import Panel, Throttle, Tone, sentence
from iotnb.widgets.source import Positions, Query, Selection, Source

if TYPE_CHECKING:
    from iotnb.client import Client

COLUMNS = ("name", "device", "type", "status", "last_seen", "parent")
LOOKS: Mapping[str, tuple[str, str, str, int]] = {  # column: heading, kind, width, least width in pixels
    "name": ("Name", "text", "minmax(0, 5fr)", 230),
    "device": ("Device", "id", "minmax(78px, 1fr)", 84),
    "type": ("Type", "text", "minmax(0, 1.9fr)", 110),
    "status": ("Status", "status", "92px", 92),
    "last_seen": ("Last seen (UTC)", "time", "140px", 140),
    "created": ("Created (UTC)", "time", "140px", 140),
    "parent": ("Parent", "id", "minmax(0, 1.1fr)", 84),
    "owner": ("Owner", "text", "minmax(0, 1.4fr)", 100),
    "labels": ("Labels", "text", "minmax(0, 1.4fr)", 100),
}
OTHER = ("text", "minmax(0, 1.6fr)", 110)
LARGEST_ANSWER = 200  # rows in one message
STEP = 0.25  # seconds between two looks at what a running load has brought


class DevicePicker(Panel):
    """A searchable table of devices to select from; `selection` is a DataFrame of the selected rows.

    `source` is a client, whose devices are loaded in the background and can be used while they arrive, or any
    DataFrame with a `device` column. Further arguments go to `client.devices()` (`text`, `type`, `query`,
    `expand`). `columns` names the columns to show, `text` of a table the first search. Raises ConfigError for
    anything else. `selected` is the number of selected devices and can be observed.
    """

    title = "Device picker"
    selected = traitlets.Int(0)

    def __init__(
        self, source: Client | pd.DataFrame, *, columns: Sequence[str] = COLUMNS, **options: Any
    ) -> None:
        table = source if isinstance(source, pd.DataFrame) else pd.DataFrame({"device": []}, dtype="str")
        if table is not source and not hasattr(source, "devices"):
            raise ConfigError(
                f"DevicePicker shows devices of a client or of a DataFrame, not of {type(source).__name__}: "
                "pass what iotnb.connect() or client.devices() returns"
            )
        if table is source and options:
            raise ConfigError(f"these arguments are for a client, not for a table: {', '.join(options)}")
        self._source = Source(table)
        super().__init__(css="iotnb-picker")
        self._client = None if isinstance(source, pd.DataFrame) else source
        self._options = options
        self._lock = threading.RLock()
        self._selection = Selection()
        self._state = "loading"
        self._loaded: float | None = None
        self._done = threading.Event()
        self._job: Any = None
        self._cancelled = False
        self._columns = [str(name) for name in columns]
        self.grid = GridLeaf(layout=self.plain, columns=[_column(name) for name in self._columns])
        self.grid.on_msg(self.handler(self._receive))
        self._announce = Throttle(self._broadcast)
        self.compose(self.grid)
        if self._client is None:
            self._finish("ready")
        else:
            self.refresh()

    # -- results

    @property
    def devices(self) -> pd.DataFrame:
        """The whole devices table as far as it is loaded."""
        return self._source.frame

    @property
    def selection(self) -> pd.DataFrame:
        """The selected rows of the devices table, in the table's order; all its columns."""
        with self._lock:
            rows: pd.DataFrame = self._source.frame.loc[self._selection.flags(self._source)]
            return rows.reset_index(drop=True)

    @property
    def ids(self) -> list[str]:
        """The ids of the selected devices, as texts."""
        with self._lock:
            return [str(each) for each in self._source.frame["device"][self._selection.flags(self._source)]]

    def code(self) -> str:
        """The same selection as code, for a script or another notebook."""
        arguments = ", ".join(f"{name}={value!r}" for name, value in self._options.items())
        lines = [f"devices = client.devices({arguments})"] if self._client is not None else []
        base, (plus, minus) = self._selection.base, self._selection.exceptions
        if base is None:
            return "\n".join([*lines, f'selection = devices[devices["device"].isin({plus!r})]'])
        if not base:
            chosen = "devices"
        else:
            named = [repr(base.text)] if base.text.strip() else []
            named += [
                f"{name}={list(value)!r}" for name in ("type", "status") if (value := getattr(base, name))
            ]
            chosen = f"iotnb.search(devices, {', '.join(named)})"
            lines.insert(0, "import iotnb")
        lines.append(f"selection = {chosen}")
        if minus:
            lines.append(f'selection = selection[~selection["device"].isin({minus!r})]')
        if plus:
            lines.append(f'more = devices["device"].isin({plus!r})')
            lines.append('selection = devices[more | devices["device"].isin(selection["device"])]')
        return "\n".join(lines)

    def select(self, ids: Iterable[str]) -> None:
        """Selects exactly these devices; ids that are not in the table count when they arrive."""
        with self._lock:
            self._selection.replace(str(each) for each in ids)
        self._chosen()

    def clear(self) -> None:
        """Selects nothing."""
        with self._lock:
            self._selection.clear()
        self._chosen()

    # -- loading

    @property
    def state(self) -> str:
        """loading, ready, empty, partial, error, expired or unsupported."""
        return self._state

    def refresh(self) -> None:
        """Loads the devices again, in the background; the selection stays."""
        if self._client is None:
            raise ConfigError(
                "this picker shows a table that was given to it: make a new picker for a new table"
            )
        self._done.clear()
        self._cancelled = False
        self.explain()
        self._state = "loading"
        self.say("busy", "Loading", "Asking for the devices ...")
        self._tell_state()
        self.work(self._load)

    def cancel(self) -> None:
        """Stops loading; the devices that came stay."""
        if self._state == "loading":
            self._cancelled = True

    def wait(self, timeout: float | None = None) -> DevicePicker:
        """Waits until loading has ended, up to `timeout` seconds; for scripts, a page needs no waiting."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._done.wait(0.1) and not self.closed.is_set():
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"the devices were not loaded within {timeout} s")
        return self

    async def ready(self) -> DevicePicker:
        """Waits until loading has ended without blocking the kernel."""
        while not self._done.is_set() and not self.closed.is_set():
            await asyncio.sleep(0.05)
        return self

    def _load(self, generation: int) -> None:
        client = cast("Client", self._client)  # refresh() has checked it
        first = not len(self._source)
        try:
            job = self._job = client.job("devices", **self._options)
        except Exception as error:  # noqa: BLE001  # what the client does not even try
            self._finish(_failed(error), error=error)
            return
        pause = STEP
        while not job.done():
            if self._cancelled or self.closed.is_set() or generation != self.generation:
                job.cancel()  # it may have been asked for before there was a job
            time.sleep(min(pause, 0.1))
            pause -= 0.1
            if first and pause <= 0:
                began = time.monotonic()
                self._arrived(job.partial)
                pause = max(
                    STEP, 10 * (time.monotonic() - began)
                )  # at most a tenth of the time goes into drawing
        if generation == self.generation and not self.closed.is_set():
            self._end(job, first)

    def _arrived(self, partial: pd.DataFrame | None) -> None:
        if partial is None or len(partial) <= len(self._source):
            return
        self._replace(partial)
        self.say("busy", "Loading", f"{len(partial):,} devices so far; you can search and select already.")
        self._tell_state()

    def _end(self, job: Any, first: bool) -> None:
        try:
            frame = job.result()
        except Exception as error:  # noqa: BLE001  # shown in the panel, whatever it is
            came = job.partial if first else None
            if came is not None and len(came):
                self._replace(came)
            some = came is not None and len(came) > 0
            self._finish("partial" if some or self._cancelled else _failed(error), error=error)
        else:
            self._replace(frame)
            self._finish("ready")

    def _replace(self, frame: pd.DataFrame) -> None:
        source = Source(frame)
        with self._lock:
            self._source = source
        self._chosen()

    def _finish(self, state: str, *, error: BaseException | None = None) -> None:
        count = len(self._source)
        if state == "ready":
            self._loaded = time.time()
            state = "ready" if count else "empty"
        self._state = state
        tone, word, text = self._words(state, count, error)
        self.say(tone, word, text)
        if error is not None and state in {"error", "partial"} and not self._cancelled:
            self.explain(error)
        self._done.set()
        self._tell_state()
        self._announce()

    def _words(self, state: str, count: int, error: BaseException | None) -> tuple[Tone, str, str]:
        where = ""
        if self._client is not None:
            where = f" on {self._client.host}"
        devices = "1 device" if count == 1 else f"{count:,} devices"
        if state == "ready":
            return "good", "Ready", f"{devices}{where}."
        if state == "empty":
            hint = " Register one (the platform's tutorial does it in its first steps), then press Refresh."
            return "idle", "Empty", f"There are no devices{where}." + (hint if where else "")
        if state == "partial":
            cause = "Loading was cancelled." if self._cancelled else sentence(error) if error else ""
            return "warn", "Incomplete", f"{devices} came{where}. {cause}".strip()
        if state == "expired":
            return (
                "warn",
                "Login expired",
                "Log in again, then press Refresh. " + (sentence(error) if error else ""),
            )
        if state == "unsupported":
            return "idle", "Not supported", sentence(error) if error else ""
        return "bad", "Error", sentence(error) if error else ""

    # -- the page

    def face(self) -> str:
        """How many devices, how many selected."""
        return f"{len(self._source):,} devices, {self.selected:,} selected ({self._state})"

    def _chosen(self) -> None:
        with self._lock:
            count = self._selection.count(self._source)
        self.selected = count
        self._announce()

    def _broadcast(self) -> None:
        if not self.closed.is_set():
            self.grid.send({"kind": "changed"})

    def _tell_state(self) -> None:
        if not self.closed.is_set():
            self.grid.send({"kind": "state", **self._shown_state()})

    def _shown_state(self) -> dict[str, Any]:
        return {
            "state": self._state,
            "rows": len(self._source),
            "age": None if self._loaded is None else round(time.time() - self._loaded, 1),
            "refresh": self._client is not None,
            "words": "" if self._state in {"loading", "ready"} else self.status.text,
        }

    def _receive(self, _: Any, content: Mapping[str, Any], __: Any = None) -> None:
        kind = content.get("kind")
        if kind == "rows":
            self._answer(content)
        elif kind == "refresh":
            self.refresh()
        elif kind == "cancel":
            self.cancel()
        elif kind == "ids":
            self.grid.send({"kind": "ids", "view": content.get("view"), "text": "\n".join(self.ids)})
        else:
            self._choose(str(kind), content)

    def _choose(self, kind: str, content: Mapping[str, Any]) -> None:
        with self._lock:
            source, selection = self._source, self._selection
            if kind == "toggle":
                self._toggle(content)
            elif kind == "range":
                selection.set(source, self._between(content), on=True)
            elif kind == "all":
                query, only = _query(content)
                if not only:
                    selection.everything(source, query)
            elif kind == "clear":
                selection.clear()
        self._chosen()

    def _toggle(self, content: Mapping[str, Any]) -> None:
        """One row: named by its id, or by its place where the view has not got the row yet."""
        source, selection = self._source, self._selection
        if "index" in content:
            at = self._order(content)[int(content["index"]) :][:1]
            selection.set(source, at, on=not selection.flags(source)[at].all())
        else:
            found = source.position(str(content["device"]))
            at = np.array([found] if found >= 0 else [], dtype=np.intp)
            selection.set(source, at, on=bool(content["on"]))

    def _between(self, content: Mapping[str, Any]) -> Positions:
        """The rows between two ends in the order of the view that asks; ends are named by index and id."""
        order = self._order(content)
        ends = []
        for index, device in (content["from"], content["to"]):
            at: Positions = np.flatnonzero(order == self._source.position(str(device)))
            if device is None:
                at = at[:0]
            ends.append(int(at[0]) if len(at) else int(index))
        found: Positions = order[max(0, min(ends)) : max(ends) + 1]
        return found

    def _order(self, content: Mapping[str, Any]) -> Positions:
        query, only = _query(content)
        sort = content.get("sort")
        order = self._source.order(query, (str(sort[0]), str(sort[1])) if sort else None)
        return order[self._selection.flags(self._source)[order]] if only else order

    def _answer(self, content: Mapping[str, Any]) -> None:
        with self._lock:
            source = self._source
            order = self._order(content)
            flags = self._selection.flags(source)
            start = max(0, int(content.get("start", 0)))
            positions = order[start : start + min(int(content.get("n", 0)), LARGEST_ANSWER)]
            texts = source.texts(positions, ["device", *self._columns])
            chosen = flags[positions]
            answer: dict[str, Any] = {
                "kind": "rows", "view": content.get("view"), "seq": content.get("seq"), "start": start,
                "total": len(order), "selected": int(flags.sum()),
                "rows": [[row[0], int(on), *row[1:]] for row, on in zip(texts, chosen, strict=True)],
            }  # fmt: skip
            if content.get("facets"):
                answer["facets"] = source.facets(_query(content)[0])
                answer["state"] = self._shown_state()
        self.grid.send(answer)


def _column(name: str) -> dict[str, Any]:
    label, kind, width, least = LOOKS.get(name, (name, *OTHER))
    return {"name": name, "label": label, "kind": kind, "width": width, "min": least}


def _query(content: Mapping[str, Any]) -> tuple[Query, bool]:
    asked = content.get("query") or {}
    names = {name: tuple(str(each) for each in asked.get(name) or ()) for name in ("type", "status")}
    return Query(str(asked.get("text", "")), names["type"], names["status"]), bool(asked.get("only"))


def _failed(error: BaseException) -> str:
    if isinstance(error, Unauthorized):
        return "expired"
    return "unsupported" if isinstance(error, Unsupported) else "error"
