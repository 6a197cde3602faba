"""Structs learnt from measurement documents: typed decoding that takes what it knows and refuses the rest.

One frozen struct per measurement type, one per fragment, one per series; a document that holds anything a
struct does not foresee raises `msgspec.ValidationError`, so nothing can be left out unnoticed. What no such
struct can tell apart (a series that is a number here and a text there) is `Unlearnable`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import reduce
from operator import attrgetter, or_
from typing import Any, Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from iotnb.frames import Coded, Columns, Names
from iotnb.platforms.cumulocity import values
from iotnb.times import column as utc_column

MOST_TYPES: Final = 150
MOST_FIELDS: Final = 64  # of one type; a wider struct costs more than the plain route

_PLAIN: Final = re.compile(r'[^"\\\x00-\x1f]*')


class Unlearnable(Exception):
    """These documents do not fit one struct per type."""


class _OddEntry(msgspec.Struct, frozen=True, gc=False):
    """An entry of a fragment that is no series; a number in `value` would make it one, so it is refused."""

    value: bool | str | list[Any] | dict[str, Any] | None = None


_ODD_ENTRY = bool | int | float | str | list[Any] | _OddEntry | None
_ODD_FRAGMENT = bool | int | float | str | list[Any] | dict[str, _ODD_ENTRY] | None


class _Source(msgspec.Struct, frozen=True, gc=False):
    id: str


@dataclass
class _Fragment:
    """What was seen of one fragment of one type: its series with their units, and what is no series."""

    series: dict[str, set[str | None]] = field(default_factory=dict)
    without_number: set[str] = field(default_factory=set)
    null: set[str] = field(default_factory=set)
    odd: set[str] = field(default_factory=set)
    plain: bool = False

    def learn(self, fragment: Any) -> None:
        if not isinstance(fragment, dict):
            self.plain = True
            return
        for name, entry in fragment.items():
            if values.is_series(entry):
                self.series.setdefault(name, set()).add(values.unit(entry))
            elif isinstance(entry, dict) and entry.get("value", 0) is None:
                self.null.add(name)
            else:
                self.odd.add(name)

    def struct(self) -> Any:
        """The msgspec type of this fragment."""
        if not self.series:
            return _ODD_FRAGMENT
        if self.plain or self.odd & self.series.keys():
            raise Unlearnable("a series that is not always one")
        fields: list[tuple[str, Any, Any]] = []
        rename = {}
        for number, name in enumerate(sorted(self.series)):
            series = _series_struct(self.series[name], nullable=name in self.null)
            fields.append((f"s{number}", series, series(np.nan, *_first_unit(self.series[name]))))
            rename[f"s{number}"] = _plain(name)
        for number, name in enumerate(sorted((self.odd | self.null) - self.series.keys())):
            fields.append((f"x{number}", _ODD_ENTRY, None))
            rename[f"x{number}"] = _plain(name)
        return msgspec.defstruct(
            "Fragment", fields, rename=rename, frozen=True, gc=False, forbid_unknown_fields=True
        )


def _plain(name: str) -> str:
    if not _PLAIN.fullmatch(name):
        raise Unlearnable("a name that JSON writes with an escape")
    return name


def _first_unit(units: set[str | None]) -> tuple[str | None, ...]:
    return (next(iter(units)),)


def _series_struct(units: set[str | None], *, nullable: bool) -> Any:
    """`value` and `unit` of a series; the unit is a literal while there is only one, or none at all."""
    unit: Any
    if units == {None}:
        unit = ("unit", None | Literal[""], None)
    elif len(units) == 1:
        unit = ("unit", Literal[tuple(units)])  # a literal made at run time
    else:
        unit = ("unit", str | None, None)
    number: Any = float | None if nullable else float
    return msgspec.defstruct("Series", [("value", number), unit], frozen=True, gc=False)


@dataclass
class _Layout:
    """Measurement types whose values lie at the same places of their structs, so that they are read together.

    `read` gets the values; by `kind`, the number of the type, `series` and `units` hold their codes.
    `varying` gets the units that differ from document to document.
    """

    places: tuple[str, ...]
    read: tuple[Callable[[Any], Any], ...]
    nullable: bool
    varying: tuple[tuple[int, Callable[[Any], Any]], ...]
    series: NDArray[np.int32]
    units: NDArray[np.int32]


# name, fragment, place in the struct, units, whether it may be null
_Series = tuple[str, str, str, set[str | None], bool]


class Shapes:
    """All that was learnt so far; `learn()` adds to it and makes the structs and their decoder."""

    def __init__(self, devices: Names, series: Names, units: Names) -> None:
        self._devices, self._series, self._units = devices, series, units
        self._types: dict[str, dict[str, _Fragment]] = {}
        self._layouts: list[_Layout] = []
        self._layout_of: NDArray[np.intp] = np.empty(0, np.intp)
        self.decode: Callable[[bytes], Any] = _unknown

    def learn(self, documents: Sequence[Any]) -> None:
        """Adds documents and builds anew; raises Unlearnable and then stays as it was."""
        types = deepcopy(self._types)
        for document in documents:
            if not values.is_regular(document):
                raise Unlearnable("a document without type, id, source or time")
            fragments = types.setdefault(document["type"], {})
            for name, fragment in document.items():
                if name not in values.CORE:
                    fragments.setdefault(name, _Fragment()).learn(fragment)
        if len(types) > MOST_TYPES:
            raise Unlearnable("too many types")
        if types:
            self._build(types)
        self._types = types

    def _build(self, types: Mapping[str, Mapping[str, _Fragment]]) -> None:
        structs = []
        found = []
        for kind, (name, fragments) in enumerate(types.items()):
            struct, series = self._struct(name, kind, fragments)
            structs.append(struct)
            found.append(series)
        self._lay_out(found)
        documents: Any = list[reduce(or_, structs)]  # type: ignore[misc]  # a union made at run time
        fields: list[Any] = [("measurements", documents), ("next", Any, None), ("statistics", Any, None)]
        page = msgspec.defstruct("Page", fields, gc=False)
        self.decode = msgspec.json.Decoder(page).decode

    def _struct(self, name: str, kind: int, fragments: Mapping[str, _Fragment]) -> tuple[Any, list[_Series]]:
        """The struct of one type, and its series ordered by name."""
        if sum(len(fragment.series) for fragment in fragments.values()) > MOST_FIELDS:
            raise Unlearnable("a type with too many series")
        fields: list[Any] = [("id", str), ("source", _Source), ("time", str), ("self_", Any, None)]
        rename = {"self_": "self"}
        found: list[_Series] = []
        for number, (key, fragment) in enumerate(sorted(fragments.items())):
            struct = fragment.struct()
            fields.append((f"f{number}", struct, struct() if fragment.series else None))
            rename[f"f{number}"] = _plain(key)
            for inner, series in enumerate(sorted(fragment.series)):
                place = f"f{number}.s{inner}"
                units, null = fragment.series[series], series in fragment.null
                found.append((f"{key}.{series}", key, place, units, null))
        struct = msgspec.defstruct(
            "Measurement", fields, rename=rename, frozen=True, gc=False, forbid_unknown_fields=True,
            tag_field="type", tag=name, namespace={"kind": kind},
        )  # fmt: skip
        return struct, sorted(found, key=lambda each: each[:2])

    def _lay_out(self, found: Sequence[Sequence[_Series]]) -> None:
        """Groups the types by where their values lie."""
        self._layouts = []
        numbers: dict[tuple[Any, ...], int] = {}
        of = []
        for kind, series in enumerate(found):
            places = tuple(place for _, _, place, *_ in series)
            varies = tuple(len(units) > 1 for *_, units, _ in series)
            number = numbers.setdefault((places, varies), len(numbers))
            if number == len(self._layouts):
                self._layouts.append(_layout(places, varies, len(found)))
            layout = self._layouts[number]
            layout.nullable |= any(nullable for *_, nullable in series)
            layout.series[kind] = [self._series[name] for name, *_ in series]
            layout.units[kind] = [self._units[next(iter(units))] for *_, units, _ in series]
            of.append(number)
        self._layout_of = np.array(of, np.intp)

    def columns(self, documents: Sequence[Any]) -> tuple[Columns, NDArray[np.datetime64]]:
        """The rows of decoded documents, in their order, and each document's time."""
        count = len(documents)
        time = utc_column(list(map(_TIME, documents)))
        device = self._device(list(map(_DEVICE, documents)))
        blocks = self._blocks(documents)
        if len(blocks) == 1:
            value, series, unit = self._values(*blocks[0][1:])
            document = np.repeat(np.arange(count, dtype=np.int32), value.shape[1])
            value, series, unit = value.ravel(), series.ravel(), unit.ravel()
        else:
            value, series, unit, document = self._woven(blocks, count)
        rows = Columns(
            time[document], Coded(device[document], self._devices.names), Coded(series, self._series.names),
            Coded(unit, self._units.names), value, None, _Ids(documents), document,
        )  # fmt: skip
        absent = np.isnan(value)
        return (rows.take(~absent) if absent.any() else rows), time

    def _device(self, names: list[str]) -> NDArray[np.int32]:
        """The codes of the documents' devices; a page of one device, the usual one, is looked up once."""
        if names and names.count(names[0]) == len(names):
            return np.full(len(names), self._devices[names[0]], np.int32)
        return self._devices.coded(names, len(names)).codes.astype(np.int32, copy=False)

    def _woven(self, blocks: Sequence[_Block], count: int) -> tuple[Any, Any, Any, Any]:
        """The values of several blocks in the order of the documents."""
        widths = np.zeros(count, np.int64)
        for places, layout, *_ in blocks:
            widths[places] = len(layout.read)
        starts = np.cumsum(widths) - widths
        total = int(widths.sum())
        value, series, unit = np.empty(total), np.empty(total, np.int32), np.empty(total, np.int32)
        for places, layout, members, kinds in blocks:
            cells = starts[places][:, None] + np.arange(len(layout.read))
            value[cells], series[cells], unit[cells] = self._values(layout, members, kinds)
        return value, series, unit, np.repeat(np.arange(count, dtype=np.int32), widths)

    def _values(
        self, layout: _Layout, members: Sequence[Any], kinds: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.int32]]:
        """Values and codes of a block's documents: one line a document, one column a series."""
        count = len(members)
        value = np.empty((count, len(layout.read)))
        for place, read in enumerate(layout.read):
            numbers = map(read, members)
            value[:, place] = list(numbers) if layout.nullable else np.fromiter(numbers, np.float64, count)
        series, unit = layout.series[kinds], layout.units[kinds]
        for place, read in layout.varying:
            unit[:, place] = self._units.coded(map(values.unit_text, map(read, members)), count).codes
        return value, series, unit

    def _blocks(self, documents: Sequence[Any]) -> list[_Block]:
        """The documents of each layout, with their places in the page and their kinds."""
        kinds = np.frombuffer(bytes(map(_KIND, documents)), np.uint8)
        if len(self._layouts) == 1:
            return [(np.arange(len(documents)), self._layouts[0], documents, kinds)]
        layouts = self._layout_of[kinds]
        everything = np.empty(len(documents), dtype=object)
        everything[:] = documents
        blocks: list[_Block] = []
        for number, layout in enumerate(self._layouts):
            places = np.flatnonzero(layouts == number)
            blocks.append((places, layout, everything[places].tolist(), kinds[places]))
        return blocks


def _unknown(body: bytes) -> Any:
    """What decodes before anything was learnt."""
    raise msgspec.ValidationError(f"nothing learnt yet of {len(body)} bytes")


_Block = tuple[NDArray[np.intp], _Layout, Sequence[Any], NDArray[np.uint8]]


def _layout(places: tuple[str, ...], varies: tuple[bool, ...], kinds: int) -> _Layout:
    return _Layout(
        places=places,
        read=tuple(attrgetter(f"{place}.value") for place in places),
        nullable=False,
        varying=tuple((n, attrgetter(f"{place}.unit")) for n, place in enumerate(places) if varies[n]),
        series=np.zeros((kinds, len(places)), np.int32),
        units=np.zeros((kinds, len(places)), np.int32),
    )


class _Ids(Sequence[str]):
    """The ids of decoded documents, looked up when somebody asks: mostly for the last one of a page."""

    def __init__(self, documents: Sequence[Any]) -> None:
        self._documents = documents

    def __len__(self) -> int:
        return len(self._documents)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [document.id for document in self._documents[place]]
        return self._documents[place].id


_TIME: Final = attrgetter("time")
_DEVICE: Final = attrgetter("source.id")
_KIND: Final = attrgetter("kind")
