"""Aggregates of a query: one row for the window, or one for each bucket of GROUP BY WINDOW."""

from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from iotnb.sandbox.iotcentral.conditions import ConditionError
from iotnb.sandbox.iotcentral.dtdl import Model, is_number
from iotnb.sandbox.iotcentral.lanes import Block
from iotnb.sandbox.iotcentral.querytext import Item, Query
from iotnb.sandbox.wire import iso

_NUMERIC = frozenset({"SUM", "MAX", "MIN", "AVG"})


class _Total(Protocol):
    def add(self, bucket: int, times: NDArray[np.int64], values: NDArray[Any]) -> None:
        """Take the values of one bucket of one block; none of them is empty."""

    def get(self, bucket: int) -> Any:
        """The result for a bucket."""


class _Numbers:
    """SUM, AVG, MIN, MAX and COUNT."""

    def __init__(self, function: str) -> None:
        self._function = function
        self._held: dict[int, list[float]] = {}

    def add(self, bucket: int, _times: NDArray[np.int64], values: NDArray[Any]) -> None:
        """Take the values of one bucket of one block."""
        if self._function == "COUNT":
            part = [0.0, float(values.size), 0.0, 0.0]
        else:
            numbers = values.astype(np.float64)
            part = [float(numbers.sum()), float(values.size), float(numbers.min()), float(numbers.max())]
        old = self._held.get(bucket)
        if old is not None:
            part = [old[0] + part[0], old[1] + part[1], min(old[2], part[2]), max(old[3], part[3])]
        self._held[bucket] = part

    def get(self, bucket: int) -> Any:
        """The result for a bucket; None where there was no value, 0 for COUNT."""
        found = self._held.get(bucket)
        if self._function == "COUNT":
            return 0 if found is None else int(found[1])
        if found is None:
            return None
        total, count, low, high = found
        return {"SUM": total, "AVG": total / count, "MIN": low, "MAX": high}[self._function]


class _Ends:
    """FIRST and LAST, by time."""

    def __init__(self, function: str) -> None:
        self._last = function == "LAST"
        self._held: dict[int, tuple[int, Any]] = {}

    def add(self, bucket: int, times: NDArray[np.int64], values: NDArray[Any]) -> None:
        """Take the values of one bucket of one block."""
        place = -1 if self._last else 0
        at, value = int(times[place]), values[place : place + 1 or None].tolist()[0]
        old = self._held.get(bucket)
        if old is None or (at > old[0] if self._last else at < old[0]):
            self._held[bucket] = (at, value)

    def get(self, bucket: int) -> Any:
        """The result for a bucket."""
        found = self._held.get(bucket)
        return None if found is None else found[1]


def _total(item: Item, model: Model) -> _Total:
    if item.function in _NUMERIC:
        found = model.find_telemetry(item.path)
        schema = None if found is None else found[2].get("schema")
        if not is_number(schema):
            raise ConditionError(f"{item.function} takes numbers, {item.path} is none")
    return _Ends(item.function) if item.function in ("FIRST", "LAST") else _Numbers(item.function)


def aggregate(
    query: Query, blocks: Iterable[tuple[Block, NDArray[np.bool_] | bool]], model: Model
) -> list[dict[str, Any]]:
    """The rows of a query with aggregates; buckets without any message are left out."""
    totals = {item.key: (item, _total(item, model)) for item in query.items if item.function}
    seen: set[int] = set()
    for block, mask in blocks:
        rows = np.arange(block.times.size) if mask is True else np.flatnonzero(mask)
        if not rows.size:
            continue
        times = block.times[rows]
        marks = times // query.width if query.width else np.zeros(times.size, dtype=np.int64)
        edges = np.concatenate(([0], np.flatnonzero(np.diff(marks)) + 1, [times.size]))
        seen.update(marks[edges[:-1]].tolist())
        for item, total in totals.values():
            _take(block, item, total, rows, times, marks, edges)
    return [_row(query, totals, bucket) for bucket in sorted(seen)]


def _take(
    block: Block,
    item: Item,
    total: _Total,
    rows: NDArray[np.int64],
    times: NDArray[np.int64],
    marks: NDArray[np.int64],
    edges: NDArray[np.int64],
) -> None:
    component, _, name = item.path.rpartition(".")
    if item.path.startswith("$"):
        values: NDArray[Any] = np.full(rows.size, block.lane.device.id, dtype=object)
    elif component == block.lane.component and name in block.lane.names:
        values = block.column(name, rows)
    else:
        return
    for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        part, at = values[low:high], times[low:high]
        if part.dtype == object:
            full = np.fromiter((one is not None for one in part.tolist()), dtype=bool, count=part.size)
            part, at = part[full], at[full]
        if part.size:
            total.add(int(marks[low]), at, part)


def _row(query: Query, totals: dict[str, tuple[Item, _Total]], bucket: int) -> dict[str, Any]:
    row: dict[str, Any] = {}
    stamp = iso(bucket * query.width, 0) if query.width else None
    named = [item.key for item in query.items if item.path == "$ts" and not item.function]
    if stamp is not None and not named:
        row["$ts"] = stamp
    for item in query.items:
        row[item.key] = totals[item.key][1].get(bucket) if item.function else stamp
    return row
