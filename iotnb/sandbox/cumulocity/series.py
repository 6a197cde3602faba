"""GET /measurement/measurements/series: values by time, one column per series, cut at 5,000 time stamps."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from iotnb.sandbox.cumulocity.lanes import Lane, Times, Wanted, gather, time_texts
from iotnb.sandbox.cumulocity.measurements import newest_first, numeric_values, units_of
from iotnb.sandbox.cumulocity.state import Platform, number
from iotnb.sandbox.cumulocity.units import Units
from iotnb.sandbox.cumulocity.wire import Answer, Call, Refused, encode, missing
from iotnb.sandbox.fleet import Series

Floats = npt.NDArray[np.float64]
_TYPES = {"DAILY": "1d", "HOURLY": "1h", "MINUTELY": "1m"}
_UNITS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_MONTHS = {"M": 1, "q": 3, "y": 12}
_WEEK = 7 * 86_400_000
_MONDAY = 4 * 86_400_000  # 5 January 1970
_MOST_DOCUMENTS = 200_000


@dataclass(frozen=True, slots=True)
class Parts:
    """Values in the order of time, cut into buckets: bucket n begins at `edges[n]`."""

    values: Floats
    edges: Times

    @property
    def sizes(self) -> Times:
        """How many values each bucket has."""
        return np.diff(self.edges, append=self.values.size)

    def sums(self) -> Floats:
        """The sum of each bucket."""
        return np.asarray(np.add.reduceat(self.values, self.edges))

    def squares(self) -> Floats:
        """The sum of squared distances from the bucket's mean."""
        means = np.repeat(self.sums() / self.sizes, self.sizes)
        return np.asarray(np.add.reduceat((self.values - means) ** 2, self.edges))


FUNCTIONS: dict[str, Callable[[Parts], Floats]] = {
    "min": lambda p: np.asarray(np.minimum.reduceat(p.values, p.edges)),
    "max": lambda p: np.asarray(np.maximum.reduceat(p.values, p.edges)),
    "avg": lambda p: np.asarray(p.sums() / p.sizes),
    "sum": lambda p: p.sums(),
    "count": lambda p: p.sizes.astype(np.float64),
    "stdDevPop": lambda p: np.asarray(np.sqrt(p.squares() / p.sizes)),
    "stdDevSamp": lambda p: np.asarray(np.sqrt(p.squares() / np.maximum(p.sizes - 1, 1))),
}


@dataclass(slots=True)
class Column:
    """One series: its times, ascending, and its values as they are written (integers stay integers)."""

    fragment: str
    name: str
    unit: str = ""
    times: list[Times] = field(default_factory=list)
    texts: list[Sequence[str]] = field(default_factory=list)
    numbers: list[Floats] = field(default_factory=list)

    def add(self, times: Times, values: Floats, texts: Sequence[str]) -> None:
        """Take more values."""
        self.times.append(times)
        self.numbers.append(values)
        self.texts.append(texts)

    def sorted(self) -> tuple[Times, Floats, list[str]]:
        """Everything in the order of time; of two values at one time the later added one stays last."""
        if not self.times:
            return np.empty(0, dtype=np.int64), np.empty(0), []
        times, numbers = np.concatenate(self.times), np.concatenate(self.numbers)
        texts = [text for part in self.texts for text in part]
        if len(self.times) == 1:
            return times, numbers, texts
        order = np.argsort(times, kind="stable")
        return times[order], numbers[order], [texts[n] for n in order.tolist()]


@dataclass(frozen=True, slots=True)
class Buckets:
    """An aggregation interval: `5m`, `1d`, `1q`; UTC, aligned with the calendar."""

    count: int
    unit: str

    @classmethod
    def parse(cls, text: str) -> "Buckets":
        """From `1-999` and one of s m h d w M q y; 422 for anything else."""
        digits, unit = text[:-1], text[-1:]
        good = digits.isascii() and digits.isdigit() and digits[:1] != "0" and len(digits) <= 3
        if not good or unit not in "smhdwMqy":
            raise Refused(422, "measurement/Invalid Data", f"aggregationInterval {text!r} is not understood")
        return cls(int(digits), unit)

    def starts(self, times: Times) -> Times:
        """The beginning of every time's bucket."""
        if self.unit in _UNITS:
            width = self.count * _UNITS[self.unit]
            return times - times % width
        if self.unit == "w":
            width = self.count * _WEEK
            return times - (times - _MONDAY) % width
        months = times.astype("M8[ms]").astype("M8[M]").astype(np.int64)
        months -= months % (self.count * _MONTHS[self.unit])
        return months.astype("M8[M]").astype("M8[ms]").astype(np.int64)


def get_series(platform: Platform, call: Call) -> Answer:
    """The endpoint: `source`, `dateFrom`, `dateTo` are required; `series` may be repeated."""
    absent = [name for name in ("source", "dateFrom", "dateTo") if not call.one(name)]
    if absent:
        raise missing(*absent)
    text = call.one("source")
    source = number(text, Refused(422, "measurement/Invalid Data", f"Not an ID: {text}"))
    platform.access.check(call.user, "MEASUREMENT", "READ", source)
    start, end = call.range("dateFrom", "dateTo")
    buckets, functions = _aggregation(platform, call)
    names = _names(platform, source, call)
    down = newest_first(platform, call)
    wanted = Wanted(source=source, start=start, end=end)
    limit = None if buckets else platform.world.faults.settings.truncate + 1
    columns = _columns(platform, wanted, names, limit=limit, down=down, units=units_of(call))
    table = _plain(platform, columns) if buckets is None else _aggregated(columns, buckets, functions)
    return Answer(body=_render(platform, columns, *table, down=down))


def _names(platform: Platform, source: int, call: Call) -> list[tuple[str, str]]:
    """The columns: the series asked for that exist, or all of the device."""
    known = platform.measured.series(source)
    asked = call.query.get("series", [])
    if not asked:
        return known
    pairs = [tuple(name.split(".", 1)) for text in asked for name in text.split(",") if "." in name]
    return [(pair[0], pair[1]) for pair in dict.fromkeys(pairs) if (pair[0], pair[1]) in known]


def _aggregation(platform: Platform, call: Call) -> tuple[Buckets | None, list[str]]:
    """The interval and the functions; 400 for functions without an interval."""
    kind = call.one("aggregationType")
    interval, functions = call.one("aggregationInterval"), call.words("aggregationFunction")
    if not platform.switches.since("2026"):
        interval, functions = "", []
    if functions and not interval:
        raise Refused(400, "measurement/Bad Request", "aggregationFunction needs aggregationInterval")
    unknown = [name for name in functions if name not in FUNCTIONS]
    if unknown:
        raise Refused(
            422, "measurement/Invalid Data", f"aggregationFunction {unknown[0]!r} is not understood"
        )
    if platform.switches.persistence == "legacy" and interval:
        buckets = Buckets.parse(interval)
        unit = buckets.unit if buckets.unit in "dhm" else {"s": "m"}.get(buckets.unit, "d")
        return Buckets(1, unit), ["min", "max"]
    if interval:
        return Buckets.parse(interval), functions or ["min", "max"]
    if not kind:
        return None, []
    if kind not in _TYPES:
        raise Refused(422, "measurement/Invalid Data", f"aggregationType {kind!r} is not understood")
    return Buckets.parse(_TYPES[kind]), ["min", "max"]


def _columns(
    platform: Platform,
    wanted: Wanted,
    names: list[tuple[str, str]],
    *,
    limit: int | None,
    down: bool,
    units: Units,
) -> list[Column]:
    """The values of the fleet and of users; with a limit only as many time stamps as can be shown."""
    columns = {name: Column(*name) for name in names}
    start, end = platform.measured.bounds(wanted)
    lanes = [
        lane
        for lane in platform.measured.lanes(wanted)
        if any((lane.type, one.name) in columns for one in lane.series)
    ]
    if lanes and end > start:
        if limit is not None:
            start, end = _window(lanes, start, end, limit, down=down)
        for lane in lanes:
            _add_lane(columns, lane, lane.times(start, end), units)
    documents = platform.measured.documents(wanted, newest_first=down, skip=0, count=_MOST_DOCUMENTS)
    gathered: dict[tuple[str, str], list[tuple[int, float, str]]] = {}
    for one in documents[::-1] if down else documents:
        for fragment, name, value in numeric_values(msgspec.json.decode(one.body, type=dict[str, Any])):
            column = columns.get((fragment, name))
            if column is not None:
                unit, number = units.convert(str(value.get("unit", "")), value["value"])
                column.unit = unit or column.unit
                gathered.setdefault((fragment, name), []).append((one.time, number, encode(number).decode()))
    for key, rows in gathered.items():
        times, numbers, texts = zip(*rows, strict=True)
        columns[key].add(np.array(times, dtype=np.int64), np.array(numbers, dtype=np.float64), texts)
    return list(columns.values())


def _window(lanes: list[Lane], start: int, end: int, limit: int, *, down: bool) -> tuple[int, int]:
    """The part of a window that holds at least `limit` time stamps, if the whole has so many."""
    need = limit
    while True:
        times, _ = gather(lanes, start, end, need, newest_first=down)
        unique = np.unique(times)
        if unique.size >= limit or times.size < need:
            break
        need *= 2
    if unique.size < limit:
        return start, end
    return (int(unique[-limit]), end) if down else (start, int(unique[limit - 1]) + 1)


def _add_lane(columns: dict[tuple[str, str], Column], lane: Lane, times: Times, units: Units) -> None:
    for one in lane.series:
        column = columns.get((lane.type, one.name))
        if column is not None:
            column.unit, values = _values(lane, one, times, units)
            column.add(times, values, list(map(repr, values.tolist())))


def _values(lane: Lane, one: Series, times: Times, units: Units) -> tuple[str, Floats]:
    return units.convert(one.unit, lane.values(one, times))


def _plain(platform: Platform, columns: list[Column]) -> tuple[Times, list[dict[int, str]], bool, int]:
    """(times, cells by time for every column, True, the most rows) without aggregation: min = max = value."""
    cells: list[dict[int, str]] = []
    for column in columns:
        times, _, texts = column.sorted()
        pairs = zip(times.tolist(), texts, strict=True)
        cells.append({at: f'{{"min":{text},"max":{text}}}' for at, text in pairs})
    return _all_times(cells), cells, True, platform.world.faults.settings.truncate


def _aggregated(
    columns: list[Column], buckets: Buckets, functions: Iterable[str]
) -> tuple[Times, list[dict[int, str]], bool, int]:
    """The same with one row per bucket and the functions' names as keys."""
    cells: list[dict[int, str]] = []
    wanted = list(functions)
    for column in columns:
        times, values, _ = column.sorted()
        starts = buckets.starts(times)
        edges = np.flatnonzero(np.diff(starts, prepend=starts[:1] - 1)) if starts.size else starts
        found: dict[int, str] = {}
        if starts.size:
            parts = Parts(values, edges)
            rows = zip(*(map(repr, FUNCTIONS[name](parts).tolist()) for name in wanted), strict=True)
            texts = (",".join(f'"{n}":{v}' for n, v in zip(wanted, row, strict=True)) for row in rows)
            found = {at: f"{{{text}}}" for at, text in zip(starts[edges].tolist(), texts, strict=True)}
        cells.append(found)
    return _all_times(cells), cells, False, 5000


def _all_times(cells: list[dict[int, str]]) -> Times:
    return np.unique(np.fromiter((at for column in cells for at in column), dtype=np.int64))


def _render(
    platform: Platform,
    columns: list[Column],
    times: Times,
    cells: list[dict[int, str]],
    cut: bool,
    most: int,
    *,
    down: bool,
) -> bytes:
    """The answer's JSON: rows in the order asked for, the first `most` of them."""
    ordered = times[::-1] if down else times
    truncated = ordered.size > most
    ordered = ordered[:most]
    short = platform.switches.short_rows or not platform.switches.since("2025")
    gap = "{}" if not cut else "null"
    zone = platform.switches.tz
    rows = []
    for at, text in zip(ordered.tolist(), time_texts(ordered, zone), strict=True):
        row = [column.get(at, gap) for column in cells]
        if short:
            while row and row[-1] == gap:
                row.pop()
        rows.append(f'"{text}":[{",".join(row)}]')
    names = [{"unit": c.unit, "name": c.name, "type": c.fragment} for c in columns]
    listed = encode([{k: v for k, v in one.items() if v or k != "unit"} for one in names]).decode()
    return (
        f'{{"values":{{{",".join(rows)}}},"series":{listed},"truncated":{str(truncated).lower()}}}'.encode()
    )


ROUTES = (("GET", "/measurement/measurements/series", get_series),)
