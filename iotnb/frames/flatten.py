"""Any JSON as a table: one column a leaf."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pandas as pd

from iotnb.frames.cells import COUNT, TEXT, as_json, as_numbers


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
        data[free_name(".".join(path), data)] = _leaf_column(cells, len(listed))
    return pd.DataFrame(data, index=index, columns=pd.Index(list(data), dtype=TEXT))


def _leaves(value: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, inner in value.items():
        here = (*path, str(key))
        if isinstance(inner, Mapping) and inner:
            yield from _leaves(inner, here)
        elif isinstance(inner, (Mapping, list, tuple)):
            yield here, as_json(inner)
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
        return as_numbers(values)
    return pd.array([v if v is None or isinstance(v, str) else as_json(v) for v in values], dtype=TEXT)


def _exact(number: int | float | None) -> bool:
    """Whether a number is the same as float64; long identifiers written as numbers are not."""
    return not isinstance(number, int) or (abs(number) < 2**1000 and int(float(number)) == number)


def free_name(name: str, taken: Iterable[str]) -> str:
    """The name, or the first of name#2, name#3 that is not taken."""
    used = taken if isinstance(taken, (dict, set)) else set(taken)
    candidate, number = name, 1
    while candidate in used:
        number += 1
        candidate = f"{name}#{number}"
    return candidate
