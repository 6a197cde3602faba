"""Tables: the only place where decoded rows become DataFrames.

Every table has fixed core columns in a fixed order with fixed dtypes, also when it has no rows. Times are
``datetime64[us, UTC]``; identifiers are text, so leading zeros survive; words from a small vocabulary are
categoricals. In `measurements` the column ``text`` is a categorical too: it is nearly always missing, and
so it costs one byte a row.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import NoneType
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from . import times

TEXT: Final = "str"
CATEGORY: Final = "category"
TIME: Final = "datetime64[us, UTC]"
SPAN: Final = "timedelta64[us]"
NUMBER: Final = "float64"
COUNT: Final = "Int64"

SCHEMAS: Final[Mapping[str, Mapping[str, str]]] = {
    "devices": {
        "device": TEXT, "name": TEXT, "type": CATEGORY, "status": CATEGORY, "last_seen": TIME,
        "created": TIME, "parent": TEXT, "owner": TEXT, "labels": TEXT,
    },
    "series": {
        "device": CATEGORY, "series": CATEGORY, "unit": CATEGORY, "kind": CATEGORY, "first": TIME,
        "last": TIME,
    },
    "latest": {
        "time": TIME, "device": CATEGORY, "series": CATEGORY, "value": NUMBER, "text": TEXT, "unit": CATEGORY,
        "age": SPAN,
    },
    "measurements": {
        "time": TIME, "device": CATEGORY, "series": CATEGORY, "value": NUMBER, "text": CATEGORY,
        "unit": CATEGORY,
    },
    "operations": {
        "time": TIME, "operation": TEXT, "device": CATEGORY, "kind": CATEGORY, "status": CATEGORY,
        "platform_status": CATEGORY, "finished": TIME, "duration": SPAN, "failure": TEXT, "parameters": TEXT,
    },
    "events": {"time": TIME, "event": TEXT, "device": CATEGORY, "type": CATEGORY, "text": TEXT},
    "alarms": {
        "time": TIME, "alarm": TEXT, "device": CATEGORY, "type": CATEGORY, "severity": CATEGORY,
        "status": CATEGORY, "count": COUNT, "first_seen": TIME, "cleared": TIME, "text": TEXT,
    },
}  # fmt: skip
"""Column -> dtype of every table, in order; the core columns of all platforms."""

VOCABULARIES: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("devices", "status"): ("online", "offline", "unknown"),
    ("series", "kind"): ("number", "text", "bool"),
    ("operations", "status"): ("PENDING", "EXECUTING", "SUCCESSFUL", "FAILED", "CANCELLED"),
    ("alarms", "severity"): ("CRITICAL", "MAJOR", "MINOR", "WARNING"),
    ("alarms", "status"): ("ACTIVE", "ACKNOWLEDGED", "CLEARED"),
}
"""Categories that are always there, in this order; a word outside is added behind them, never dropped."""

Integers = NDArray[np.integer[Any]]


@dataclass(slots=True)
class Coded:
    """Text per row as integer codes into `names`; -1 is missing. Pages of one decoder share one `names`."""

    codes: Integers
    names: list[str]

    def take(self, rows: NDArray[Any] | slice) -> Coded:
        """The rows picked by a mask, a slice or positions."""
        return Coded(self.codes[rows], self.names)


class Names(dict[Any, int]):
    """Hands out codes: ``names[text]`` is the text's code, a new one when it was never seen; None is -1."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self[None] = -1

    def __missing__(self, text: str) -> int:
        code = self[text] = len(self.names)
        self.names.append(text)
        return code

    def coded(self, texts: Iterable[str | None], count: int) -> Coded:
        """The codes of `count` texts."""
        return Coded(np.fromiter(map(self.__getitem__, texts), np.int32, count), self.names)


@dataclass(slots=True)
class Columns:
    """One decoded page of measurements: equally long arrays, one row per value.

    `time` is ``datetime64[us]`` in UTC. `ids` and `document` say which of the platform's documents a row
    came from, for dropping documents that were read twice; `slim()` forgets them.
    """

    time: NDArray[np.datetime64]
    device: Coded
    series: Coded
    unit: Coded
    value: NDArray[np.float64]
    text: list[str | None] | None = None
    ids: Sequence[str] = ()
    document: Integers | None = None

    def __len__(self) -> int:
        return len(self.time)

    def take(self, rows: NDArray[Any] | slice) -> Columns:
        """The rows picked by a mask, a slice or positions, in that order."""
        text = None if self.text is None else [self.text[i] for i in np.arange(len(self))[rows]]
        document = None if self.document is None else self.document[rows]
        return Columns(
            self.time[rows], self.device.take(rows), self.series.take(rows), self.unit.take(rows),
            self.value[rows], text, self.ids, document,
        )  # fmt: skip

    def slim(self) -> Columns:
        """The same rows without the documents they came from."""
        return Columns(self.time, self.device, self.series, self.unit, self.value, self.text)


def columns(rows: Iterable[Mapping[str, Any]]) -> Columns:
    """Columns from rows with the keys of `measurements`: the plain way for platforms with small pages."""
    listed = list(rows)
    count = len(listed)

    def coded(name: str) -> Coded:
        return Names().coded((_text(row.get(name)) for row in listed), count)

    text = [_text(row.get("text")) for row in listed]
    return Columns(
        time=_times([row.get("time") for row in listed]),
        device=coded("device"),
        series=coded("series"),
        unit=coded("unit"),
        value=_numbers([row.get("value") for row in listed]),
        text=text if any(t is not None for t in text) else None,
    )


def empty(table: str) -> pd.DataFrame:
    """The table without rows: its columns, in order, with their dtypes."""
    return pd.DataFrame({column: _column(table, column, []) for column in SCHEMAS[table]})


def table(
    name: str, rows: Iterable[Mapping[str, Any]], *, documents: Sequence[Mapping[str, Any]] | None = None
) -> pd.DataFrame:
    """Table `name` from one mapping per row; missing keys are missing values.

    Times may be datetimes with a zone or ISO 8601 texts with one; durations timedeltas or seconds; lists in
    text columns are joined with ", ", mappings become JSON text. With `documents`, as many as rows, every
    leaf of the platform's document follows as a column under its dotted path; where a path is also the name
    of a core column it is left out if it says the same, else it becomes ``document.<path>``.
    """
    listed = list(rows)
    core = {column: _column(name, column, [row.get(column) for row in listed]) for column in SCHEMAS[name]}
    frame = pd.DataFrame(core, index=pd.RangeIndex(len(listed)), copy=False)
    if documents is None:
        return frame
    if len(documents) != len(listed):
        raise ValueError(f"{len(listed)} rows but {len(documents)} documents")
    leaves = flat(documents)
    for path in [path for path in leaves.columns if path in core]:
        if _same(frame[path], leaves[path]):
            leaves = leaves.drop(columns=path)
        else:
            leaves = leaves.rename(columns={path: _free(f"document.{path}", set(leaves.columns))})
    return pd.concat([frame, leaves], axis=1)


def measurements(chunks: Iterable[Columns]) -> pd.DataFrame:
    """The table `measurements` from decoded pages, by time; rows of one instant keep the pages' order."""
    pages = [chunk for chunk in chunks if len(chunk)]
    if not pages:
        return empty("measurements")
    time = np.concatenate([page.time for page in pages])
    order = None if (time[1:] >= time[:-1]).all() else np.argsort(time, kind="stable")

    def arranged(values: NDArray[Any]) -> NDArray[Any]:
        return values if order is None else values[order]

    def category(part: Callable[[Columns], Coded]) -> pd.Categorical:
        codes, names = _joined([part(page) for page in pages])
        return _categorical(arranged(codes), names)

    data: dict[str, Any] = {
        "time": pd.DatetimeIndex(arranged(time)).tz_localize("UTC"),
        "device": category(lambda page: page.device),
        "series": category(lambda page: page.series),
        "value": arranged(np.concatenate([page.value for page in pages])),
        "text": _categorical(np.full(len(time), -1, np.int8), [])
        if all(page.text is None for page in pages)
        else category(_text_codes),
        "unit": category(lambda page: page.unit),
    }
    return pd.DataFrame(data, copy=False)


def wide(m: pd.DataFrame) -> pd.DataFrame:
    """One column per (device, series, unit) over a sorted UTC index `time`; a missing unit is "".

    Where one series has several values at one instant, the last of them counts. A column of a series that
    holds text is text, all others are float64.
    """
    names = ["device", "series", "unit"]
    if m.empty:
        columns = pd.MultiIndex.from_arrays([pd.Index([], dtype=TEXT)] * 3, names=names)
        return pd.DataFrame(
            index=pd.DatetimeIndex([], dtype=TIME, name="time"), columns=columns, dtype=NUMBER
        )
    keys = pd.DataFrame({name: m[name].astype(TEXT).fillna("") for name in names})
    groups = keys.groupby(names, sort=True)
    column = groups.ngroup().to_numpy()
    row, index = pd.factorize(m["time"], sort=True)
    columns = pd.MultiIndex.from_frame(keys.drop_duplicates().sort_values(names))
    cells = np.full((len(columns), len(index)), np.nan)
    cells[column, row] = m["value"].to_numpy()
    result = pd.DataFrame(cells.T, index=pd.DatetimeIndex(index, name="time"), columns=columns, copy=False)
    texts = m["text"].notna().to_numpy()
    for position in np.unique(column[texts]):
        rows = column == position
        words = m["text"][rows].astype("object")
        words = words.where(words.notna(), m["value"][rows].map(str, na_action="ignore"))
        cell = pd.Series(None, index=result.index, dtype="object")
        cell.iloc[row[rows]] = words.to_numpy()
        result.isetitem(int(position), cell.astype(TEXT).array)
    return result


def flat(documents: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """One row per JSON document, one column per leaf under its dotted path (``c8y_Hardware.serialNumber``).

    Lists stay whole, as JSON text; so does an empty object ("{}": markers such as ``c8y_IsDevice`` stay
    visible). Columns of whole numbers are Int64, of numbers float64, of true/false boolean, of text str; a
    column of several kinds is text, with JSON for what was none. Null is missing. Two different paths that
    spell alike (``{"a.b": 1, "a": {"b": 2}}``) stay apart: the second is named ``a.b#2``.
    """
    listed = list(documents)
    leaves: dict[tuple[str, ...], dict[int, Any]] = {}
    for row, document in enumerate(listed):
        for path, value in _leaves(document, ()):
            leaves.setdefault(path, {})[row] = value
    index = pd.RangeIndex(len(listed))
    data: dict[str, Any] = {}
    for path, cells in leaves.items():
        data[_free(".".join(path), data)] = _leaf_column(cells, len(listed))
    return pd.DataFrame(data, index=index, columns=pd.Index(list(data), dtype=TEXT))


def _leaves(value: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, inner in value.items():
        here = (*path, str(key))
        if isinstance(inner, Mapping) and inner:
            yield from _leaves(inner, here)
        elif isinstance(inner, (Mapping, list, tuple)):
            yield here, _json(inner)
        else:
            yield here, inner


def _leaf_column(cells: Mapping[int, Any], count: int) -> Any:
    kinds = {type(value) for value in cells.values() if value is not None}
    values = [cells.get(row) for row in range(count)]
    if kinds == {bool}:
        return pd.array(values, dtype="boolean")
    if kinds == {int} and all(-(2**63) <= value < 2**63 for value in cells.values() if value is not None):
        return pd.array(values, dtype=COUNT)
    if float in kinds and kinds <= {int, float} and all(map(_exact, values)):
        return _numbers(values)
    return pd.array([v if v is None or isinstance(v, str) else _json(v) for v in values], dtype=TEXT)


def _exact(number: int | float | None) -> bool:
    """Whether a number is the same as float64; long identifiers written as numbers are not."""
    return not isinstance(number, int) or (abs(number) < 2**1000 and int(float(number)) == number)


def _free(name: str, taken: Iterable[str]) -> str:
    used = taken if isinstance(taken, (dict, set)) else set(taken)
    candidate, number = name, 1
    while candidate in used:
        number += 1
        candidate = f"{name}#{number}"
    return candidate


def _same(core: pd.Series, leaf: pd.Series) -> bool:
    if len(core) == 0:
        return True
    left, right = core.astype("object"), leaf.astype("object")
    return bool(((left == right) | (left.isna() & right.isna())).all())


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (list, tuple, set, frozenset)):
        return ", ".join(str(item) for item in value)
    if isinstance(value, Mapping):
        return _json(value)
    return None if value is pd.NaT or value is pd.NA or value != value else str(value)


def _texts(values: list[Any]) -> list[str | None]:
    return values if set(map(type, values)) <= {str, NoneType} else [_text(value) for value in values]


def _column(table: str, column: str, values: list[Any]) -> Any:
    dtype = SCHEMAS[table][column]
    if dtype == TEXT:
        return pd.array(_texts(values), dtype=TEXT)
    if dtype == CATEGORY:
        names = Names()
        coded = names.coded(_texts(values), len(values))
        return _categorical(coded.codes, coded.names, VOCABULARIES.get((table, column), ()))
    if dtype == TIME:
        return pd.DatetimeIndex(_times(values)).tz_localize("UTC")
    if dtype == SPAN:
        return pd.array(_spans(values), dtype=SPAN)
    if dtype == COUNT:
        return pd.array([None if value is None else int(value) for value in values], dtype=COUNT)
    return _numbers(values)


def _numbers(values: list[Any]) -> NDArray[np.float64]:
    return np.array(values, dtype=np.float64) if values else np.empty(0, np.float64)


def _times(values: list[Any]) -> NDArray[np.datetime64]:
    """UTC without a zone; texts in one sweep, everything else value by value; a naive time is refused."""
    kinds = set(map(type, values))
    if kinds == {str}:
        return times.column(values)
    result = np.full(len(values), np.datetime64("NaT", "us"), dtype="M8[us]")
    texts = [i for i, value in enumerate(values) if isinstance(value, str)]
    if texts:
        result[texts] = times.column([values[i] for i in texts])
    for i, value in enumerate(values) if kinds - {str, NoneType} else ():
        if value is None or value is pd.NaT or isinstance(value, str):
            continue
        if isinstance(value, datetime):
            if value.tzinfo is None:
                raise ValueError(f"{value!r} has no time zone")
            result[i] = (value - _EPOCH) // _MICROSECOND
        elif isinstance(value, np.datetime64):
            result[i] = value
        else:
            raise TypeError(f"{value!r} is no time")
    return result


_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_MICROSECOND: Final = timedelta(microseconds=1)


def _spans(values: list[Any]) -> NDArray[np.timedelta64]:
    missing = np.timedelta64("NaT", "us")

    def span(value: Any) -> Any:
        if value is None or value is pd.NaT or value != value:
            return missing
        return np.timedelta64(value if isinstance(value, timedelta) else timedelta(seconds=value), "us")

    return np.array([span(value) for value in values], dtype="m8[us]")


def _text_codes(page: Columns) -> Coded:
    if page.text is None:
        return Coded(np.full(len(page), -1, np.int8), [])
    return Names().coded(page.text, len(page))


def _joined(parts: list[Coded]) -> tuple[Integers, list[str]]:
    """All codes in one array over one list of names; free of charge when the parts share their list."""
    first = parts[0].names
    if all(part.names is first or not part.names for part in parts) and (
        first or not any(p.names for p in parts)
    ):
        return np.concatenate([part.codes for part in parts]), first
    names = Names()
    maps: dict[int, Integers] = {}
    codes = []
    for part in parts:
        if id(part.names) not in maps:
            # One entry more than names: code -1 picks the last one, which says missing again.
            maps[id(part.names)] = np.array([*(names[name] for name in part.names), -1], dtype=np.int32)
        codes.append(maps[id(part.names)][part.codes])
    return np.concatenate(codes), names.names


def _categorical(codes: Integers, names: Sequence[str], vocabulary: Sequence[str] = ()) -> pd.Categorical:
    """Categories: the vocabulary, then what else is used, sorted; codes as small as can be."""
    present = np.zeros(len(names) + 1, dtype=bool)  # one more than names: code -1 is the last
    present[codes] = True
    used = {name for name, seen in zip(names, present, strict=False) if seen}
    final = [*vocabulary, *sorted(used.difference(vocabulary))]
    position = {name: code for code, name in enumerate(final)}
    small = np.min_scalar_type(-max(len(final), 1))
    lookup = np.array([*(position.get(name, -1) for name in names), -1], dtype=small)
    dtype = pd.CategoricalDtype(pd.Index(final, dtype=TEXT))
    return pd.Categorical.from_codes(lookup[codes], dtype=dtype, validate=False)
