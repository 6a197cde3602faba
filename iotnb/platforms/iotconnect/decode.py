"""Messages into columns: each value under its dotted name, cast to its type; numbers take the quick way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iotnb.frames import Coded, Columns, Names
from iotnb.platforms.iotconnect.model import WHOLE, Attribute, Model, cast, leaves

Json = Mapping[str, Any]


@dataclass(slots=True)
class _Series:
    """What is known of one series of one template; `quick`: the classes of values that need no cast."""

    name: str
    code: int
    unit: int
    attribute: Attribute | None
    quick: frozenset[type]


@dataclass
class _Made:
    """The rows of one page while they are made."""

    series: list[int] = field(default_factory=list)
    unit: list[int] = field(default_factory=list)
    value: list[Any] = field(default_factory=list)
    text: list[str | None] = field(default_factory=list)
    document: list[int] = field(default_factory=list)
    texts: int = 0


class Decoder:
    """Decodes messages for one load, on one thread at a time.

    `series` narrows to some names. `strange` counts values that are in no template, `unfit` those that do not
    fit their type and stay text.
    """

    def __init__(self, *, series: Sequence[str] | None = None) -> None:
        self._wanted = None if series is None else tuple(series)
        self._devices, self._names, self._units = Names(), Names(), Names()
        self._known: dict[tuple[int, tuple[str, ...]], _Series | None] = {}
        self.strange: Counter[str] = Counter()
        self.unfit: Counter[str] = Counter()

    def columns(
        self, device: str, items: Sequence[Json], moments: NDArray[np.datetime64], model: Model
    ) -> Columns:
        """The values of messages of one device; `moments` are their times."""
        made = _Made()
        for number, item in enumerate(items):
            held = item.get("attr")
            for key, value in held.items() if isinstance(held, dict) else ():
                if value.__class__ is dict:
                    for inner, deeper in value.items():
                        self._take(made, number, model, (key, inner), deeper)
                else:
                    self._take(made, number, model, (key,), value)
        document = np.array(made.document, np.int32)
        return Columns(
            time=moments[document],
            device=Coded(np.full(len(document), self._devices[device], np.int32), self._devices.names),
            series=Coded(np.array(made.series, np.int32), self._names.names),
            unit=Coded(np.array(made.unit, np.int32), self._units.names),
            value=np.array(made.value, np.float64),
            text=made.text if made.texts else None,
            document=document,
        )

    def _take(self, made: _Made, number: int, model: Model, path: tuple[str, ...], value: Any) -> None:
        """One value, or what is nested in it."""
        if value is None:
            return
        if value.__class__ is dict:
            for name, inner in leaves(value):
                self._take(made, number, model, (*path, name), inner)
            return
        key = (id(model), path)
        known = self._known[key] if key in self._known else self._learn(key, model, ".".join(path))
        if known is None:
            return
        made.series.append(known.code)
        made.unit.append(known.unit)
        made.document.append(number)
        if value.__class__ in known.quick:
            made.value.append(value)
            made.text.append(None)
            return
        amount, words, fits = cast(known.attribute, value)
        if known.attribute is None:
            self.strange[known.name] += 1
        elif not fits:
            self.unfit[known.name] += 1
        made.value.append(np.nan if amount is None else amount)
        made.text.append(words)
        made.texts += words is not None

    def _learn(self, key: tuple[int, tuple[str, ...]], model: Model, name: str) -> _Series | None:
        """What is known of a series that is seen for the first time; None for one that was not asked for."""
        found = None
        if self._wanted is None or wanted(name, self._wanted):
            attribute = model.find(name)
            quick: frozenset[type] = frozenset()
            if attribute is not None and attribute.kind == "number":
                quick = frozenset({int} if attribute.type in WHOLE else {int, float})
            unit = self._units[attribute.unit if attribute else None]
            found = _Series(name, self._names[name], unit, attribute, quick)
        self._known[key] = found
        return found


def wanted(name: str, asked: Sequence[str]) -> bool:
    """Whether a series was asked for: by its name, or that of the object that it is part of."""
    return any(name == each or name.startswith(f"{each}.") for each in asked)
