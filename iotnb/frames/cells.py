"""Columns of tables: their schemas, and values of any kind as arrays of the right dtype."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import NoneType
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from iotnb import times

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


def as_json(value: Any) -> str:
    """JSON as a cell of text holds it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def as_text(value: Any) -> str | None:
    """One cell of a text column; lists are joined with commas, None is missing."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (list, tuple, set, frozenset)):
        return ", ".join(str(item) for item in value)
    if isinstance(value, Mapping):
        return as_json(value)
    return None if value is pd.NaT or value is pd.NA or value != value else str(value)


def as_texts(values: list[Any]) -> list[str | None]:
    """The cells of a text column."""
    return values if set(map(type, values)) <= {str, NoneType} else [as_text(value) for value in values]


def typed(table: str, column: str, values: list[Any]) -> Any:
    """The values of a core column with its dtype."""
    dtype = SCHEMAS[table][column]
    if dtype == TEXT:
        return pd.array(as_texts(values), dtype=TEXT)
    if dtype == CATEGORY:
        names = Names()
        coded = names.coded(as_texts(values), len(values))
        return categorical(coded.codes, coded.names, VOCABULARIES.get((table, column), ()))
    if dtype == TIME:
        return pd.DatetimeIndex(as_times(values)).tz_localize("UTC")
    if dtype == SPAN:
        return pd.array(as_spans(values), dtype=SPAN)
    if dtype == COUNT:
        return pd.array([None if value is None else int(value) for value in values], dtype=COUNT)
    return as_numbers(values)


def as_numbers(values: list[Any]) -> NDArray[np.float64]:
    """float64; None is missing."""
    return np.array(values, dtype=np.float64) if values else np.empty(0, np.float64)


def as_times(values: list[Any]) -> NDArray[np.datetime64]:
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


def as_spans(values: list[Any]) -> NDArray[np.timedelta64]:
    """timedelta64[us] from timedeltas and seconds."""
    missing = np.timedelta64("NaT", "us")

    def span(value: Any) -> Any:
        if value is None or value is pd.NaT or value != value:
            return missing
        return np.timedelta64(value if isinstance(value, timedelta) else timedelta(seconds=value), "us")

    return np.array([span(value) for value in values], dtype="m8[us]")


def categorical(codes: Integers, names: Sequence[str], vocabulary: Sequence[str] = ()) -> pd.Categorical:
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
