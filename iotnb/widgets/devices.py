"""The device picker: search, filter, sort and select among the devices of a client or of a table."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import traitlets

from iotnb.errors import ConfigError, IotnbError
from iotnb.widgets import details
from iotnb.widgets.leaves import GridLeaf
from iotnb.widgets.loads import LoadingPanel
from iotnb.widgets.panel import Throttle, sentence
from iotnb.widgets.source import Mask, Positions, Query, Selection, Source
from iotnb.widgets.tree import Lines, Tree

if TYPE_CHECKING:
    from iotnb.client import Client
    from iotnb.jobs import Job

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


class DevicePicker(LoadingPanel):
    """A searchable table of devices to select from; `selection` is a DataFrame of the selected rows.

    `source` is a client, whose devices are loaded in the background and can be used while they arrive, or any
    DataFrame with a `device` column. Further arguments go to `client.devices()` (`text`, `type`, `query`,
    `expand`, `documents`). `columns` names the columns to show. Raises ConfigError for anything else.
    `selected` is the number of selected devices and can be observed. Where rows name others of the table as
    their `parent`, the page offers them as a tree. The details of a device show its row and the platform's
    document, which is asked for then, unless the table has a column `document`.
    """

    title = "Device picker"
    noun, nouns = "device", "devices"
    advice = "Register one (the platform's tutorial does it in its first steps), then press Refresh."
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
        self._tree: tuple[Source, Tree] | None = None
        self._asking: Job[pd.DataFrame] | None = None
        super().__init__(source, css="iotnb-picker")
        self._options = options
        self._lock = threading.RLock()
        self._selection = Selection()
        self._columns = [str(name) for name in columns]
        self.grid = self.leaf = GridLeaf(layout=self.plain, columns=[_column(name) for name in self._columns])
        self.grid.on_msg(self.handler(self._receive))
        self._announce = Throttle(self._broadcast)
        self.compose(self.grid)
        self.begin()

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

    def _job(self, client: Client) -> Any:
        return client.job("devices", **self._options)

    def _rows(self) -> int:
        return len(self._source)

    def _take(self, frame: pd.DataFrame) -> None:
        source = Source(frame)
        with self._lock:
            self._source = source
        self._chosen()

    def _changed(self) -> None:
        self._announce()

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

    def _receive(self, _: Any, content: Mapping[str, Any], __: Any = None) -> None:
        kind = content.get("kind")
        if kind == "rows":
            self._answer(content)
        elif kind == "refresh":
            self.refresh()
        elif kind == "cancel":
            self.cancel()
        elif kind in {"ids", "code"}:
            text = self.code() if kind == "code" else "\n".join(self.ids)
            self.grid.send({"kind": "copy", "what": kind, "view": content.get("view"), "text": text})
        elif kind == "details":
            self._tell_details(str(content["device"]), content.get("view"))
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
        return self._flat(content) if content.get("tree") is None else self._lines(content).positions

    def _flat(self, content: Mapping[str, Any]) -> Positions:
        query, only = _query(content)
        order = self._source.order(query, _sort(content))
        return order[self._selection.flags(self._source)[order]] if only else order

    def _lines(self, content: Mapping[str, Any]) -> Lines:
        """The tree of a view: what matches below all that stands above it; each unfolded as the view says."""
        source, tree, (query, only) = self._source, self._below(), _query(content)
        asked = content["tree"]
        ranked, opened = source.order(Query(), _sort(content)), np.zeros(len(source), dtype=bool)
        if query or only:
            wanted = self._wanted(content)
            ranked = ranked[tree.with_ancestors(wanted)[ranked]]
            opened = tree.above(wanted)
        opened |= bool(asked.get("every"))
        for name, on in (("opened", True), ("shut", False)):
            opened[source.positions([str(each) for each in asked.get(name) or ()])] = on
        return tree.lines(ranked, opened)

    def _wanted(self, content: Mapping[str, Any]) -> Mask:
        """Which rows match the view's question."""
        query, only = _query(content)
        wanted = self._source.mask(query)
        return wanted & self._selection.flags(self._source) if only else wanted

    def _below(self) -> Tree:
        """The tree of the present table, made when it is first needed."""
        if self._tree is None or self._tree[0] is not self._source:
            self._tree = (self._source, Tree(self._source))
        return self._tree[1]

    def _answer(self, content: Mapping[str, Any]) -> None:
        with self._lock:
            source = self._source
            lines = None if content.get("tree") is None else self._lines(content)
            order = self._flat(content) if lines is None else lines.positions
            flags = self._selection.flags(source)
            start = max(0, int(content.get("start", 0)))
            part = slice(start, start + min(int(content.get("n", 0)), LARGEST_ANSWER))
            positions = order[part]
            texts = source.texts(positions, ["device", *self._columns])
            chosen = flags[positions]
            answer: dict[str, Any] = {
                "kind": "rows", "view": content.get("view"), "seq": content.get("seq"), "start": start,
                "total": len(order), "selected": int(flags.sum()),
                "rows": [[row[0], int(on), *row[1:]] for row, on in zip(texts, chosen, strict=True)],
            }  # fmt: skip
            answer["matching"] = answer["total"]
            if lines is not None:
                wanted = self._wanted(content)
                answer["matching"] = int(wanted.sum())
                shape = (lines.depths, lines.children, lines.opened, wanted[order])
                answer["lines"] = [
                    [int(value) for value in line]
                    for line in zip(*(each[part] for each in shape), strict=True)
                ]
            if content.get("facets"):
                answer["facets"] = source.facets(_query(content)[0])
                answer["state"] = self._shown_state()
        self.grid.send(answer)

    def _shown_state(self) -> dict[str, Any]:
        with self._lock:
            return {**super()._shown_state(), "tree": bool(self._below())}

    # -- details

    def _tell_details(self, device: str, view: Any) -> None:
        """Sends the row of a device, and its document: of the table, or of the client, which takes time."""
        with self._lock:
            at = self._source.position(device)
            frame = self._source.frame
        if at < 0:
            return
        answer = {"kind": "details", "view": view, "device": device, "row": details.row(frame, at, _label)}
        known = details.document(frame, at)
        if known or self._client is None:
            self.grid.send({**answer, "document": known})
            return
        self.grid.send({**answer, "document": None})  # not known yet
        name = details.text(frame["name"].iloc[at]) if "name" in frame.columns else ""
        self.aside(self._fetch, device, name, view)

    def _fetch(self, device: str, name: str, view: Any) -> None:
        """Asks the client for the document of one device; a question of before is given up."""
        before, client = self._asking, self._client
        if before is not None:
            before.cancel()
        if client is None:
            return
        answer = {"kind": "document", "view": view, "device": device}
        text = ""
        try:
            for words in (device, name):  # not every server searches ids
                job = self._asking = client.job("devices", text=words, documents=True)
                text = details.of(job.result(), device)
                if text or not name:
                    break
        except IotnbError as error:
            self.grid.send({**answer, "text": "", "problem": sentence(error)})
            return
        problem = "" if text else f"{client.host} finds this device neither by its id nor by its name."
        if not self.closed.is_set():
            self.grid.send({**answer, "text": text, "problem": problem})


def _column(name: str) -> dict[str, Any]:
    label, kind, width, least = LOOKS.get(name, (name, *OTHER))
    return {"name": name, "label": label, "kind": kind, "width": width, "min": least}


def _label(name: str) -> str:
    return LOOKS[name][0] if name in LOOKS else name


def _sort(content: Mapping[str, Any]) -> tuple[str, str] | None:
    sort = content.get("sort")
    return (str(sort[0]), str(sort[1])) if sort else None


def _query(content: Mapping[str, Any]) -> tuple[Query, bool]:
    asked = content.get("query") or {}
    names = {name: tuple(str(each) for each in asked.get(name) or ()) for name in ("type", "status")}
    return Query(str(asked.get("text", "")), names["type"], names["status"]), bool(asked.get("only"))
