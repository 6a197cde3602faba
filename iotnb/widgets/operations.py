"""The operation timeline: what devices were told to do, when, how it ended, and what is stuck."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, Self, cast

import pandas as pd
import traitlets

from iotnb import operations, times
from iotnb.errors import ConfigError
from iotnb.widgets.leaves import TimelineLeaf
from iotnb.widgets.loads import LoadingPanel
from iotnb.widgets.operations_store import EMPTY, Store, packed
from iotnb.widgets.printing import figure, rendered
from iotnb.widgets.source import Query

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from iotnb.client import Client

Names = Mapping[str, str] | pd.DataFrame | None


class OperationTimeline(LoadingPanel):
    """The history of operations as swim lanes, with a table, a summary and each operation's document.

    `source` is a client, or a frame of `client.operations()`. `devices` limits the history to some devices (a
    picker's selection also brings their names); `since` and `until` are as in `client.operations()`, and so
    are further arguments (`status`, `expand`). `by` is what a lane stands for, `stuck` how long an operation
    may be PENDING or EXECUTING before it counts as stuck, `names` a mapping or a devices table with names.
    `selected` is the id of the operation whose document is open, and can be observed.
    """

    title = "Operation timeline"
    noun, nouns = "operation", "operations"
    advice = "Ask for a longer time (since=), or for other devices."
    selected = traitlets.Unicode("")

    def __init__(
        self,
        source: Client | pd.DataFrame,
        devices: Any = None,
        *,
        since: str | datetime | timedelta | None = "30d",
        until: str | datetime | None = None,
        by: Literal["device", "kind"] = "device",
        stuck: str | timedelta = "1h",
        names: Names = None,
        **options: Any,
    ) -> None:
        given = isinstance(source, pd.DataFrame)
        if not given and not hasattr(source, "operations"):
            raise ConfigError(
                "OperationTimeline shows operations of a client or of a DataFrame, not of "
                f"{type(source).__name__}: pass what iotnb.connect() or client.operations() returns"
            )
        if given and (devices is not None or options):
            raise ConfigError("devices= and further arguments are for a client, not for a table")
        if by not in {"device", "kind"}:
            raise ConfigError(f"by={by!r} is neither 'device' nor 'kind'")
        times.window(stuck)  # refuses what is no span, before anything is loaded
        self._store = Store(source if isinstance(source, pd.DataFrame) else EMPTY, {}, stuck)
        super().__init__(source, css="iotnb-operations")
        named = devices if names is None and isinstance(devices, pd.DataFrame) else names
        self._names = _titles(named)
        self._lock = threading.RLock()
        self._devices, self._stuck, self._by = devices, stuck, by
        self._asked = {"since": since, "until": until, **options}
        self._query, self._only_stuck = Query(), False
        self.leaf = TimelineLeaf(layout=self.plain)
        self.leaf.on_msg(self.handler(self._receive))
        self.compose(self.leaf)
        if given:
            self._take(cast("pd.DataFrame", source))
        self.begin()

    # -- results

    @property
    def operations(self) -> pd.DataFrame:
        """The whole history as it was loaded: the table of `client.operations()`."""
        return self._store.frame

    @property
    def shown(self) -> pd.DataFrame:
        """The rows that the filters of the panel let through."""
        with self._lock:
            mask = self._store.mask(self._query, self._only_stuck)
            rows: pd.DataFrame = self._store.frame.loc[mask]
        return rows.reset_index(drop=True)

    def filter(
        self,
        text: str = "",
        *,
        status: Sequence[str] = (),
        kind: Sequence[str] = (),
        stuck: bool = False,
    ) -> Self:
        """Shows only what matches, as the controls of the panel do; without arguments everything again."""
        with self._lock:
            self._query = Query(text, (), tuple(status), tuple(kind))
            self._only_stuck = stuck
        self._tell({"kind": "filter", **self._filters()})
        return self

    def code(self) -> str:
        """The rows of `shown` as code, for a script or another notebook."""
        told = {name: value for name, value in self._asked.items() if value is not None}
        if self._devices is not None:
            ids = sorted(set(self._store.frame["device"].astype(str)))
            told = {"devices": ids, **told} if isinstance(self._devices, pd.DataFrame) else told
            told = told if "devices" in told else {"devices": self._devices, **told}
        arguments = ", ".join(f"{name}={value!r}" for name, value in told.items())
        lines = ["import iotnb", ""]
        if self._client is not None:
            lines.append(f"ops = client.operations({arguments})")
        if self._only_stuck:
            lines.append(f"ops = iotnb.operations.stuck(ops, after={self._stuck!r})")
        query = self._query
        named = [repr(query.text)] if query.text.strip() else []
        named += [f"{name}={list(value)!r}" for name in ("status", "kind") if (value := getattr(query, name))]
        lines += [f"ops = iotnb.search(ops, {', '.join(named)})"] if named else []
        return "\n".join([*lines, "iotnb.plots.operations(ops)"])

    def figure(self) -> Figure:
        """What is shown as a figure for print, made by `iotnb.plots.operations`."""
        made: Figure = figure(self._draw)
        return made

    def _draw(self, figure: Figure) -> None:
        from iotnb import plots  # here: a panel that never prints need not load matplotlib

        plots.operations(self.shown, ax=figure, names=self._names, by=self._by)

    # -- loading

    def _job(self, client: Client) -> Any:
        return client.job("operations", self._devices, documents=True, **self._asked)

    def _rows(self) -> int:
        return len(self._store)

    def _take(self, frame: pd.DataFrame) -> None:
        store = Store(frame, self._names, self._stuck)
        with self._lock:
            self._store = store

    def _changed(self) -> None:
        self._tell({"kind": "changed"})

    def _after(self, client: Client, generation: int) -> None:
        """The names of the devices, where nobody gave them: the lanes have ids until then."""
        known = self._store.devices
        if all(each in self._names for each in known) or "devices" not in client.supports:
            return
        found = _titles(client.job("devices").result())
        if generation == self.generation and not self.closed.is_set():
            self._names = {each: found[each] for each in known if each in found} | self._names
            self._take(self._store.frame)
            self._changed()

    # -- the page

    def face(self) -> str:
        """How many operations, on how many devices, how they ended."""
        return f"{operations.summary(self._store.frame)} ({self._state})"

    def _tell(self, content: Mapping[str, Any], buffers: Sequence[bytes] | None = None) -> None:
        if not self.closed.is_set() and self.leaf is not None:
            self.leaf.send(dict(content), buffers=buffers)

    def _filters(self) -> dict[str, Any]:
        query = self._query
        return {
            "text": query.text, "status": list(query.status), "kinds": list(query.kind),
            "stuck": self._only_stuck,
        }  # fmt: skip

    def _receive(self, _: Any, content: Mapping[str, Any], __: Any = None) -> None:
        kind, view = content.get("kind"), content.get("view")
        if kind == "data":
            self._send_data(view)
        elif kind == "query":
            self._answer(content)
        elif kind == "document":
            self._open(view, int(content["row"]))
        elif kind == "closed":
            self.selected = ""
        elif kind == "by":
            self._by = "kind" if content.get("by") == "kind" else "device"
        elif kind == "code":
            self._tell({"kind": "code", "view": view, "text": self.code()})
        elif kind == "figure":
            threading.Thread(target=self.handler(self._print), args=(view,), daemon=True).start()
        elif kind == "refresh":
            self.refresh()
        elif kind == "cancel":
            self.cancel()

    def _send_data(self, view: Any) -> None:
        with self._lock:
            store = self._store
            told, buffers = store.columns()
            told |= {"kind": "data", "view": view, "by": self._by, "filter": self._filters()}
            told |= {"state": self._shown_state(), "stuck": str(self._stuck)}
        self._tell(told, buffers)

    def _answer(self, content: Mapping[str, Any]) -> None:
        asked = content.get("query") or {}
        names = {name: tuple(str(each) for each in asked.get(name) or ()) for name in ("status", "kinds")}
        query = Query(str(asked.get("text", "")), (), names["status"], names["kinds"])
        with self._lock:
            self._query, self._only_stuck, store = query, bool(asked.get("stuck")), self._store
            mask = store.mask(query, self._only_stuck)
        told = {
            "kind": "rows", "view": content.get("view"), "seq": content.get("seq"), "data": store.number,
            "total": int(mask.sum()), **store.facts(mask, query),
        }  # fmt: skip
        self._tell(told, [packed(mask)])

    def _open(self, view: Any, row: int) -> None:
        with self._lock:
            store = self._store
        if not 0 <= row < len(store):
            return
        self.selected = str(store.frame["operation"].iloc[row])
        self._tell({"kind": "document", "view": view, "row": row, **store.document(row)})

    def _print(self, view: Any) -> None:
        made = rendered(self._draw)
        self._tell({"kind": "figure", "view": view}, [made["png"], made["svg"]])


def _titles(names: Names) -> dict[str, str]:
    """Device id -> name, of a mapping or of a devices table; empty for a table without names."""
    if isinstance(names, pd.DataFrame):
        if "name" not in names.columns:
            return {}
        named = names.dropna(subset=["name"])
        return dict(zip(named["device"].astype(str), named["name"].astype(str), strict=True))
    return {str(device): str(name) for device, name in (names or {}).items()}
