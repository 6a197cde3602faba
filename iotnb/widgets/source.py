"""Search, filters, order and selection over a devices table: the picker without its widget."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from iotnb.errors import ConfigError

Mask = npt.NDArray[np.bool_]
Positions = npt.NDArray[np.intp]

SEARCHED = ("device", "name", "type", "labels", "owner", "kind", "operation", "failure", "parameters")
CHOSEN = ("type", "status", "kind")  # columns that a question may limit to some of their values
CACHED = 8  # questions whose answers are kept: one per view and its last few key strokes
_TOKEN = re.compile(r'(?:([\w.]+):)?(?:"([^"]*)"|(\S+))')


@dataclass(frozen=True)
class Query:
    """What to show: words that must all occur, and allowed types, statuses, kinds (none named = all)."""

    text: str = ""
    type: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.text.strip() or self.type or self.status or self.kind)


def search(
    devices: pd.DataFrame,
    text: str = "",
    *,
    type: Iterable[str] = (),  # noqa: A002  # the column's name
    status: Iterable[str] = (),
    kind: Iterable[str] = (),
) -> pd.DataFrame:
    """The rows of a devices table that match, in the table's order; what the picker's search box does.

    All words of `text` must occur in device, name, type, labels, owner or an expanded text column, in any
    case; `column:word` looks in one column, `"two words"` in quotes are one. `type` and `status` keep the
    rows with one of the named values. A table of operations is searched in the same way, in device, kind,
    operation, failure and parameters; `kind` keeps the named kinds.
    """
    query = Query(text, tuple(type), tuple(status), tuple(kind))
    found: pd.DataFrame = devices.loc[Source(devices).mask(query)]
    return found


class Source:
    """A devices table with its search index; answers which rows, how many and in which order.

    `frame` is any DataFrame with a `device` column; other columns of the devices table may be missing.
    Raises ConfigError when there is no such column. Rows are named by their position in the frame.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        if "device" not in frame.columns:
            raise ConfigError(
                'this table has no "device" column: pass what client.devices() returns, '
                "or rename the column that holds the ids"
            )
        self.frame = frame
        self._columns: dict[str, pa.Array] = {}
        self._codes: dict[str, tuple[npt.NDArray[np.intp], list[str]]] = {}
        self._ranks: dict[str, Positions] = {}
        self._orders: OrderedDict[tuple[Query, tuple[str, str] | None], Positions] = OrderedDict()
        self._lock = threading.RLock()
        self._index: pa.Array | None = None
        self._last: tuple[str, Mask] | None = None

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def ids(self) -> Any:
        """The ids of all devices, as texts."""
        return self.strings("device")

    def strings(self, name: str) -> Any:
        """A column as texts, one for each row; nothing is the empty text."""
        return self._text(name, lower=False)

    def names(self, positions: Positions) -> set[str]:
        """The ids of some rows."""
        return set(self.ids.take(pa.array(positions)).to_pylist())

    def position(self, device: str) -> int:
        """Where a device stands in the frame, -1 when it is not there."""
        return int(pc.index(self.ids, pa.scalar(device, self.ids.type)).as_py())

    def positions(self, devices: Iterable[str]) -> Positions:
        """Where these devices stand in the frame, those that are there."""
        found = pc.index_in(pa.array(list(devices), self.ids.type), value_set=self.ids)
        places: Positions = found.drop_null().to_numpy().astype(np.intp)
        return places

    def mask(self, query: Query) -> Mask:
        """Which rows match, as one flag per row."""
        with self._lock:
            keep = self._matches(query.text).copy()
            for name in CHOSEN:
                if chosen := getattr(query, name):
                    codes, labels = self._coded(name)
                    keep &= np.isin(codes, [code for code, label in enumerate(labels) if label in chosen])
            return keep

    def order(self, query: Query, sort: tuple[str, str] | None = None) -> Positions:
        """The positions of the matching rows in the order of `sort`: a column and ascending or descending."""
        with self._lock:
            key = (query, sort)
            found = self._orders.get(key)
            if found is None:
                ranked = self._rank(sort[0]) if sort and sort[0] in self.frame.columns else None
                if ranked is not None and sort and sort[1] == "descending":
                    ranked = self._backwards(sort[0], ranked)
                if query:
                    keep = self.mask(query)
                    found = np.flatnonzero(keep) if ranked is None else ranked[keep[ranked]]
                else:
                    found = np.arange(len(self.frame)) if ranked is None else ranked
                self._orders[key] = found
                if len(self._orders) > CACHED:
                    self._orders.popitem(last=False)
            else:
                self._orders.move_to_end(key)
            return found

    def facets(
        self, query: Query, names: Sequence[str] = ("type", "status")
    ) -> dict[str, list[tuple[str, int]]]:
        """For each column, each value with the number of rows it would show beside the other filters."""
        with self._lock:
            beside: dict[str, dict[str, Any]] = {name: {name: ()} for name in names}
            return {name: self._counts(name, replace(query, **beside[name])) for name in names}

    def texts(self, positions: Positions, columns: Sequence[str]) -> list[list[str]]:
        """The cells of some rows as they are shown: one list per row. Times are UTC to the minute."""
        part = self.frame.iloc[positions]
        shown = [_shown(part[name]) if name in part.columns else [""] * len(part) for name in columns]
        return [list(row) for row in zip(*shown, strict=True)]

    def _matches(self, text: str) -> Mask:
        """Which rows hold the words; the last answer is kept, since order and each facet ask for the same."""
        if self._last is None or self._last[0] != text:
            keep: Mask = np.ones(len(self.frame), dtype=bool)
            for column, word in self._tokens(text):
                texts = self._searched() if column is None else self._text(column)
                keep &= _flags(pc.match_substring(texts, word))
            self._last = (text, keep)
        return self._last[1]

    def _tokens(self, text: str) -> list[tuple[str | None, str]]:
        found: list[tuple[str | None, str]] = []
        names = {str(name).lower(): str(name) for name in self.frame.columns} | {"id": "device"}
        for match in _TOKEN.finditer(text):
            column, quoted, bare = match.groups()
            word = (quoted if quoted is not None else bare).lower()
            if column is not None and column.lower() not in names:
                found.append(
                    (None, match.group().lower().replace('"', ""))
                )  # "c8y:x" is a word, not a column
            elif word:
                found.append((names[column.lower()] if column else None, word))
        return found

    def _searched(self) -> pa.Array:
        if self._index is None:
            known = set(SEARCHED)
            extra = [
                str(name) for name in self.frame.columns if "." in str(name) and _is_text(self.frame[name])
            ]
            names = [name for name in self.frame.columns if name in known] + extra
            texts = [self._text(name) for name in names]
            self._index = (
                pc.binary_join_element_wise(*texts, pa.scalar("\x1f", pa.large_string()))
                if len(texts) > 1
                else texts[0]
            )
        return self._index

    def _text(self, name: str, *, lower: bool = True) -> pa.Array:
        key = name if lower else f"{name}\x00as it is"
        if key not in self._columns:
            texts = _strings(self.frame[name])
            self._columns[key] = pc.utf8_lower(texts) if lower else texts
        return self._columns[key]

    def _coded(self, name: str) -> tuple[npt.NDArray[np.intp], list[str]]:
        if name not in self._codes:
            if name not in self.frame.columns:
                self._codes[name] = (np.zeros(len(self.frame), dtype=np.intp), [""])
            else:
                values = self.frame[name]
                if not isinstance(values.dtype, pd.CategoricalDtype):
                    values = values.astype("category")
                labels = [str(label) for label in values.cat.categories]
                codes = values.cat.codes.to_numpy().astype(np.intp)
                self._codes[name] = (np.where(codes < 0, len(labels), codes), [*labels, ""])
        return self._codes[name]

    def _counts(self, name: str, query: Query) -> list[tuple[str, int]]:
        if name not in self.frame.columns:
            return []
        codes, labels = self._coded(name)
        counts = np.bincount(codes[self.mask(query)] if query else codes, minlength=len(labels))
        present = np.bincount(codes, minlength=len(labels))
        found = [
            (label, int(n)) for label, n, all_of_it in zip(labels, counts, present, strict=True) if all_of_it
        ]
        return sorted(found, key=lambda pair: (pair[0] == "", pair[0].lower()))

    def _rank(self, name: str) -> Positions:
        """The positions in ascending order of a column, empty values last."""
        if name not in self._ranks:
            values = self.frame[name]
            if pd.api.types.is_datetime64_any_dtype(values) or pd.api.types.is_numeric_dtype(values):
                self._ranks[name] = values.reset_index(drop=True).sort_values(kind="stable").index.to_numpy()
            else:
                texts = self._text(name)
                keys = {"empty": pc.equal(texts, ""), "text": texts}
                if pc.all(pc.or_(keys["empty"], pc.ascii_is_decimal(texts))).as_py():
                    keys = {"empty": keys["empty"], "length": pc.utf8_length(texts), "text": texts}
                order = pc.sort_indices(pa.table(keys), sort_keys=[(key, "ascending") for key in keys])
                self._ranks[name] = order.to_numpy().astype(np.intp)
        return self._ranks[name]

    def _backwards(self, name: str, ranked: Positions) -> Positions:
        values = self.frame[name]
        empty = values.isna().to_numpy() | _flags(pc.equal(self._text(name), ""))
        filled = ranked[~empty[ranked]]
        return np.concatenate([filled[::-1], ranked[empty[ranked]]])


class Selection:
    """Which rows of a source are selected: a question (all that match) plus and minus single rows.

    Kept as a question, "all that match" also holds for rows that arrive later.
    """

    def __init__(self) -> None:
        self.base: Query | None = None
        self._plus: set[str] = set()
        self._minus: set[str] = set()
        self._flags: tuple[Source, Mask] | None = None

    def flags(self, source: Source) -> Mask:
        """One flag per row of the source."""
        if self._flags is None or self._flags[0] is not source:
            keep = self._based(source)
            for ids, on in ((self._plus, True), (self._minus, False)):
                if ids:
                    keep[_flags(pc.is_in(source.ids, pa.array(sorted(ids), source.ids.type)))] = on
            self._flags = (source, keep)
        return self._flags[1]

    def count(self, source: Source) -> int:
        """How many rows are selected."""
        return int(self.flags(source).sum())

    def set(self, source: Source, positions: Positions, on: bool) -> None:
        """Selects or deselects rows."""
        flags = self.flags(source)
        changed = positions[flags[positions] != on]
        inside = self._based(source)[changed]
        inner, outer = source.names(changed[inside]), source.names(changed[~inside])
        if on:
            self._minus -= inner
            self._plus |= outer
        else:
            self._minus |= inner
            self._plus -= outer
        flags[changed] = on

    def everything(self, source: Source, query: Query) -> None:
        """Adds all that match `query`, now and when rows arrive later."""
        # one question at a time: of an earlier one, the rows that it has found stay
        self._plus = source.names(np.flatnonzero(self.flags(source) & ~source.mask(query)))
        self.base, self._minus, self._flags = query, set(), None

    def clear(self) -> None:
        """Selects nothing."""
        self.base, self._flags = None, None
        self._plus, self._minus = set(), set()

    def replace(self, ids: Iterable[str]) -> None:
        """Selects exactly these devices."""
        self.clear()
        self._plus = set(ids)

    @property
    def exceptions(self) -> tuple[list[str], list[str]]:
        """The single rows beside the question: selected ones, deselected ones."""
        return sorted(self._plus), sorted(self._minus)

    def _based(self, source: Source) -> Mask:
        return source.mask(self.base) if self.base is not None else np.zeros(len(source), dtype=bool)


def _flags(array: Any) -> Mask:
    flags: Mask = pc.fill_null(array, False).to_numpy(zero_copy_only=False)
    return flags.copy()


def _is_text(values: pd.Series[Any]) -> bool:
    return pd.api.types.is_string_dtype(values) and not isinstance(values.dtype, pd.CategoricalDtype)


def _strings(values: pd.Series[Any]) -> pa.Array:
    """A column as texts: nothing is the empty text, lists are joined with commas."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype("str")
    elif values.dtype == object:
        values = values.map(_joined).astype("str")
    elif not _is_text(values):
        values = pd.Series(_shown(values), dtype="str")
    array = pa.array(values, from_pandas=True)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    return pc.fill_null(array.cast(pa.large_string()), "")


def _joined(value: Any) -> str:
    if isinstance(value, list | tuple | set | frozenset | np.ndarray):
        return ", ".join(str(each) for each in value)
    return (
        ""
        if value is None or value is pd.NaT or (isinstance(value, float) and np.isnan(value))
        else str(value)
    )


def _shown(values: pd.Series[Any]) -> list[str]:
    if pd.api.types.is_datetime64_any_dtype(values):
        zoned = values.dt.tz_convert("UTC") if values.dt.tz is not None else values
        texts = zoned.dt.strftime("%Y-%m-%d %H:%M")
        return [text if isinstance(text, str) else "" for text in texts]
    return [_joined(value) for value in values.astype(object)]
