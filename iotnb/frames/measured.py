"""The table of measurements: from decoded pages, and reduced to intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from iotnb.frames.cells import Coded, Integers, Names, as_numbers, as_text, as_times, categorical
from iotnb.frames.tables import empty


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
        return Names().coded((as_text(row.get(name)) for row in listed), count)

    text = [as_text(row.get("text")) for row in listed]
    return Columns(
        time=as_times([row.get("time") for row in listed]),
        device=coded("device"),
        series=coded("series"),
        unit=coded("unit"),
        value=as_numbers([row.get("value") for row in listed]),
        text=text if any(t is not None for t in text) else None,
    )


def chunk(m: pd.DataFrame) -> Columns:
    """A table of measurements, or some of its rows, as one page."""
    device, series, unit, text = (
        Coded(m[name].cat.codes.to_numpy(), [str(each) for each in m[name].cat.categories])
        for name in ("device", "series", "unit", "text")
    )
    words = [text.names[code] if code >= 0 else None for code in text.codes] if text.names else None
    return Columns(m["time"].to_numpy("M8[us]"), device, series, unit, m["value"].to_numpy(), words)


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
        return categorical(arranged(codes), names)

    data: dict[str, Any] = {
        "time": pd.DatetimeIndex(arranged(time)).tz_localize("UTC"),
        "device": category(lambda page: page.device),
        "series": category(lambda page: page.series),
        "value": arranged(np.concatenate([page.value for page in pages])),
        "text": categorical(np.full(len(time), -1, np.int8), [])
        if all(page.text is None for page in pages)
        else category(_text_codes),
        "unit": category(lambda page: page.unit),
    }
    return pd.DataFrame(data, copy=False)


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
