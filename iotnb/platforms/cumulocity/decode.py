"""Measurement pages and series answers from bytes to columns; pure: no network, no clock.

`Decoder.decode` takes a page of ``GET /measurement/measurements``. It learns structs from the first page
and reads the following ones typed; a page that does not fit is learnt and read again, and what cannot be
learnt takes the plain route, which yields the same columns. `decode_series` takes an answer of
``.../measurements/series``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from itertools import chain
from operator import attrgetter
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from iotnb.collector import collector_paused
from iotnb.errors import BadAnswer, ConfigError
from iotnb.frames import Coded, Columns, Names
from iotnb.loading import Page
from iotnb.platforms.cumulocity import values
from iotnb.platforms.cumulocity.learnt import Shapes, Unlearnable
from iotnb.times import column as utc_column

PAGE_SIZE: Final = 2000
SAMPLE: Final = 50  # documents that usually show all that a page holds

_NUMBER: Final = re.compile(r"[?&]currentPage=(\d+)(?:&|$)")


class Decoder:
    """Decodes the pages of one load; not for several threads at once.

    `series` (``fragment.series``) keeps only these; a page's documents may hold more than was asked for.
    Raises BadAnswer for a body that is no measurement collection, or holds a time that is none.
    """

    def __init__(self, *, page_size: int = PAGE_SIZE, series: Collection[str] | None = None) -> None:
        self.page_size = page_size
        self.pages = 0
        self.learnt = 0
        self.plain = 0
        self._wanted = None if series is None else frozenset(series)
        self._devices, self._series, self._units = Names(), Names(), Names()
        self._shapes: Shapes | None = Shapes(self._devices, self._series, self._units)

    def decode(self, body: bytes) -> Page:
        """One page: its rows in document order, inside a document by name of the series."""
        self.pages += 1
        page = self._typed(body)
        if page is None:
            with collector_paused():
                self.plain += 1
                page = self._read(_document(body))
        return page

    def _typed(self, body: bytes) -> Page | None:
        """The page by the structs known; learns when they do not fit; None: take the plain route."""
        shapes = self._shapes
        if shapes is None:
            return None
        for step in (0, SAMPLE, None):
            if step != 0 and not self._learn(shapes, body, step):
                return None
            try:
                found = shapes.decode(body)
            except msgspec.DecodeError:
                continue
            try:
                columns, time = shapes.columns(found.measurements)
            except ValueError as error:
                raise BadAnswer(f"a measurement of the page has no valid time: {error}") from None
            return self._page(columns, time, found.next, found.statistics)
        return None

    def _learn(self, shapes: Shapes, body: bytes, most: int | None) -> bool:
        """Learns the first documents of a page, or all; given up for good when it never pays."""
        if most is not None:
            self.learnt += 1
            if self.learnt > 8 + self.pages // 16:
                self._shapes = None
                return False
        with collector_paused():
            documents = _document(body)["measurements"]
            try:
                shapes.learn(documents[:most])
            except Unlearnable:
                return False
        return bool(documents)

    def _read(self, found: dict[str, Any]) -> Page:
        """The plain route: dicts, value by value."""
        documents = found["measurements"]
        texts, ids, places, names, value, units = [], [], [], [], [], []
        for place, document in enumerate(documents):
            if not isinstance(document, dict):
                raise BadAnswer(f"a measurement of the page is no object but {document!r:.80}")
            texts.append(str(document.get("time")))
            ids.append(_key(document))
            for name, amount, unit in values.series(document):
                places.append(place)
                names.append(name)
                value.append(amount)
                units.append(unit)
        time = self._time(texts)
        count = len(places)
        document_of = np.array(places, dtype=np.int32)
        devices = self._devices.coded(map(_device, documents), len(documents)).codes
        columns = Columns(
            time[document_of], Coded(devices[document_of], self._devices.names),
            self._series.coded(map(_valid, names), count), self._units.coded(map(_valid, units), count),
            np.array(value, dtype=np.float64), None, ids, document_of,
        )  # fmt: skip
        return self._page(columns, time, found.get("next"), found.get("statistics"))

    def _time(self, texts: list[str]) -> NDArray[np.datetime64]:
        try:
            return utc_column(texts)
        except ValueError as error:
            raise BadAnswer(f"a measurement of the page has no valid time: {error}") from None

    def _page(self, columns: Columns, time: NDArray[np.datetime64], link: Any, statistics: Any) -> Page:
        if self._wanted is not None:
            codes = [code for name, code in self._series.items() if name in self._wanted]
            columns = columns.take(np.isin(columns.series.codes, codes))
        size, current = _statistics(statistics)
        size = min(self.page_size, size or self.page_size)
        return Page(
            columns=columns,
            times=time,
            full=len(time) >= size,
            next=next_link(link, current=current, full=len(time) >= size),
        )


def next_link(link: Any, *, current: int | None, full: bool) -> str | None:
    """The link that leads to more, or None when the page is the last one.

    Servers send a link with a short last page too. It leads on only when its number jumps: users who see a
    part of the inventory get pages of what one scan found, and the number is then an offset. Without
    numbers to compare the link counts.
    """
    if not isinstance(link, str) or not link:
        return None
    number = _NUMBER.search(link)
    if full or current is None or number is None or int(number[1]) - current > 1:
        return link
    return None


def decode_series(body: bytes, device: str, *, statistic: str | None = None) -> Page:
    """The rows of a series answer for `device`, ordered by time; `full` when the server cut it.

    A value that was not aggregated has min = max = value. Of an aggregated one the row's value is `statistic`
    (a function's name, "min", "max" ...), or the mean of min and max when none is named. Missing entries,
    short rows and empty objects are no rows. The time keys are the page's ids.
    """
    try:
        found = _SERIES_ANSWER.decode(body)
    except msgspec.DecodeError:
        with collector_paused():
            found = _series_answer(_json(body))
    try:
        time = utc_column(list(found.values))
    except ValueError as error:
        raise BadAnswer(f"a time of the series answer is not valid: {error}") from None
    described = [entry for entry in found.series or [] if isinstance(entry, dict)]
    value = _grid(list(found.values.values()), len(described), statistic)
    keys = list(found.values)
    if (time[1:] < time[:-1]).any():
        order = np.argsort(time, kind="stable")
        time, value, keys = time[order], value[order], [keys[place] for place in order]
    document, column = np.nonzero(~np.isnan(value))
    names, units, devices = Names(), Names(), Names()
    series = np.array([names[_name(entry)] for entry in described], dtype=np.int32)
    unit = np.array([units[_valid(values.unit(entry))] for entry in described], dtype=np.int32)
    columns = Columns(
        time=time[document],
        device=Coded(np.full(len(document), devices[device], np.int32), devices.names),
        series=Coded(series[column], names.names),
        unit=Coded(unit[column], units.names),
        value=value[document, column],
        ids=keys,
        document=document.astype(np.int32),
    )
    return Page(columns=columns, times=time, full=bool(found.truncated), next=None)


_Amount = float | None


class _Entry(msgspec.Struct, frozen=True, gc=False):
    """What a time holds of one series: the statistics that the platform knows."""

    min: _Amount = None
    max: _Amount = None
    avg: _Amount = None
    sum: _Amount = None
    count: _Amount = None
    stdDevPop: _Amount = None  # noqa: N815  # the platform's word
    stdDevSamp: _Amount = None  # noqa: N815  # the same


class _SeriesAnswer(msgspec.Struct, gc=False):
    values: dict[str, list[_Entry | None]]
    series: Any = None
    truncated: Any = False


_EMPTY: Final = _Entry()
_SERIES_ANSWER: Final = msgspec.json.Decoder(_SeriesAnswer)


def _series_answer(found: Any) -> _SeriesAnswer:
    """An answer that is not as the platform's document says: what can be read of it."""
    if not isinstance(found, dict) or not isinstance(found.get("values"), dict):
        raise BadAnswer("the series answer holds no object 'values'")
    rows = {
        key: [_entry(entry) for entry in row] if isinstance(row, list) else []
        for key, row in found["values"].items()
    }
    return _SeriesAnswer(rows, found.get("series"), found.get("truncated"))


def _entry(found: Any) -> _Entry | None:
    if not isinstance(found, dict):
        return None
    known = {name: values.number(found[name]) for name in _Entry.__struct_fields__ if _is_amount(found, name)}
    return _Entry(**known)


def _is_amount(found: dict[str, Any], name: str) -> bool:
    return values.is_number(found.get(name))


def _grid(rows: list[list[_Entry | None]], width: int, statistic: str | None) -> NDArray[np.float64]:
    """Values by time and series, NaN where there is none."""
    if any(len(row) != width for row in rows):
        rows = [[*row, *[None] * width][:width] for row in rows]
    flat = [_EMPTY if entry is None else entry for entry in chain.from_iterable(rows)]
    if statistic is not None:
        if statistic not in _Entry.__struct_fields__:
            raise ConfigError(f"statistic={statistic!r} is not one of {', '.join(_Entry.__struct_fields__)}")
        return _amounts(flat, statistic).reshape(len(rows), width)
    low, high = _amounts(flat, "min"), _amounts(flat, "max")
    low, high = np.where(np.isnan(low), high, low), np.where(np.isnan(high), low, high)
    return np.where(low == high, low, low / 2 + high / 2).reshape(len(rows), width)


def _amounts(entries: list[_Entry], name: str) -> NDArray[np.float64]:
    return np.array(list(map(attrgetter(name), entries)), dtype=np.float64)


def _name(entry: dict[str, Any]) -> str:
    return str(_valid(f"{entry.get('type')}.{entry.get('name')}"))


def _document(body: bytes) -> dict[str, Any]:
    found = _json(body)
    if not isinstance(found, dict) or not isinstance(found.get("measurements"), list):
        raise BadAnswer("the answer holds no list 'measurements'")
    return found


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        pass  # stricter than the standard library, which takes NaN, 1e400 and lone surrogates
    try:
        return json.loads(body)
    except ValueError as error:
        raise BadAnswer(f"expected JSON, got {len(body):,} bytes: {body[:80]!r} ({error})") from None


def _statistics(found: Any) -> tuple[int | None, int | None]:
    if not isinstance(found, dict):
        return None, None
    size, current = found.get("pageSize"), found.get("currentPage")
    return (size if type(size) is int and size > 0 else None), (current if type(current) is int else None)


def _key(document: dict[str, Any]) -> str:
    """What tells a document from others: its id, else all of it."""
    found = document.get("id")
    return str(found) if found not in (None, "") else json.dumps(document, sort_keys=True)


def _device(document: dict[str, Any]) -> str | None:
    source = document.get("source")
    found = source.get("id") if isinstance(source, dict) else None
    return None if found is None else _valid(str(found))


def _valid(text: Any) -> Any:
    """Text that a table can hold: half a surrogate pair becomes a replacement character."""
    if text is None or text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
