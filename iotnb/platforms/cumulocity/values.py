"""What a measurement document holds: which of its entries are values, and of what unit.

A series is an entry of a fragment (a top-level object that is none of the document's own keys) whose
``value`` is a number. True and false, text, lists, objects and null are no values; entries without one are
skipped. A unit is text and not empty, else it is missing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final, TypeGuard

CORE: Final = frozenset({"id", "self", "source", "time", "type"})


def is_number(value: Any) -> TypeGuard[int | float]:
    """Whether a JSON value is a number; true and false are none."""
    return type(value) is float or type(value) is int


def is_series(entry: Any) -> bool:
    """Whether an entry of a fragment carries a value."""
    return isinstance(entry, dict) and is_number(entry.get("value"))


def number(value: int | float) -> float:
    """The number as a float; an integer beyond its range is infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def unit_text(unit: Any) -> str | None:
    """A unit as it counts: text that is not empty, else None."""
    return unit if isinstance(unit, str) and unit else None


def unit(entry: dict[str, Any]) -> str | None:
    """The unit of a series' entry."""
    return unit_text(entry.get("unit"))


def is_regular(document: Any) -> bool:
    """Whether a document has its id, source, time and type as text, as the platform's document says."""
    if not isinstance(document, dict):
        return False
    source = document.get("source")
    texts = [document.get("id"), document.get("time"), document.get("type")]
    return (
        all(isinstance(text, str) and text for text in texts)
        and isinstance(source, dict)
        and isinstance(source.get("id"), str)
    )


def series(document: dict[str, Any]) -> Iterator[tuple[str, float, str | None]]:
    """(name, value, unit) of every series of a document, ordered by name ``fragment.series``."""
    found = []
    for fragment, entries in document.items():
        if fragment in CORE or not isinstance(entries, dict):
            continue
        for name, entry in entries.items():
            if is_series(entry):
                found.append((f"{fragment}.{name}", fragment, number(entry["value"]), unit(entry)))
    if len(found) > 1:
        found.sort(key=lambda each: each[:2])
    return ((name, value, unit) for name, _, value, unit in found)
