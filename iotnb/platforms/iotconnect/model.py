"""What a template says that devices send: its attributes as flat series, and values cast to their types."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]

NUMBERS = {"NUMBER", "DECIMAL", "INTEGER", "LONG"}
WHOLE = {"INTEGER", "LONG"}
TRUTHS = {"BOOLEAN", "BIT"}
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_TRUTH = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True)
class Attribute:
    """One series of a template; `name` is dotted (`gps.latitude`), `type` the platform's word."""

    name: str
    guid: str
    type: str
    unit: str | None = None
    tag: str = ""

    @property
    def kind(self) -> str:
        """Its kind in the table of series: number, text, bool."""
        return "number" if self.type in NUMBERS else "bool" if self.type in TRUTHS else "text"


class Model:
    """The attributes of one template, those of OBJECTs by their children."""

    def __init__(self, attributes: Sequence[Attribute] = ()) -> None:
        self.attributes = tuple(attributes)
        self._by_name: dict[str, Attribute] = {}
        for each in attributes:
            self._by_name.setdefault(each.name, each)

    def find(self, name: str) -> Attribute | None:
        """The attribute of a dotted name, or None."""
        return self._by_name.get(name)

    def of(self, tag: str | None) -> list[Attribute]:
        """What devices with a tag send: gateways and what is behind them share a template; None is all."""
        return [each for each in self.attributes if not tag or not each.tag or each.tag == tag]


def model(documents: Sequence[Json]) -> Model:
    """The model of a template's attributes; children nested in `attributes` or naming their parent."""
    rows: dict[str, tuple[Json, str]] = {}
    for document, parent in _nested(documents, ""):
        guid = _text(document.get("guid")).upper() or f"?{len(rows)}"
        above = _text(document.get("parentTemplateAttributeGuid")).upper() or parent
        rows.setdefault(guid, (document, above))
    parents = {above for _, above in rows.values()}
    found = []
    for guid, (document, _) in sorted(rows.items(), key=lambda each: _order(each[0], rows)):
        kind = _text(document.get("dataTypeName")).upper()
        if guid not in parents and kind != "OBJECT":
            found.append(
                Attribute(
                    name=_path(guid, rows),
                    guid=_text(document.get("guid")),
                    type=kind,
                    unit=_text(document.get("unit")) or None,
                    tag=_tag(guid, rows),
                )
            )
    return Model(found)


def _nested(documents: Sequence[Json], parent: str) -> Iterator[tuple[Json, str]]:
    for document in documents:
        yield document, parent
        inner = document.get("attributes")
        if isinstance(inner, list):
            held = [each for each in inner if isinstance(each, Mapping)]
            yield from _nested(held, _text(document.get("guid")).upper())


def _path(guid: str, rows: Mapping[str, tuple[Json, str]]) -> str:
    """The dotted name of an attribute; one that is dotted already is left as it is."""
    document, above = rows[guid]
    name = _text(document.get("localName"))
    if above not in rows or above == guid:
        return name
    before = _path(above, rows)
    return name if name.startswith(f"{before}.") else f"{before}.{name}"


def _tag(guid: str, rows: Mapping[str, tuple[Json, str]]) -> str:
    document, above = rows[guid]
    return _text(document.get("tag")) or (_tag(above, rows) if above in rows and above != guid else "")


def _order(guid: str, rows: Mapping[str, tuple[Json, str]]) -> tuple[tuple[int, str], ...]:
    """Where an attribute stands: its number, behind that of the object that it is part of."""
    document, above = rows[guid]
    number = document.get("sequence")
    own = (number if isinstance(number, int) else 0, _text(document.get("localName")))
    return (*_order(above, rows), own) if above in rows and above != guid else (own,)


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted names and values of what a message holds, nested or dotted; null is no value."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from leaves(inner, f"{name}.{key}" if name else str(key))
    elif value is not None:
        yield name, value


def cast(attribute: Attribute | None, value: Any) -> tuple[float | None, str | None, bool]:
    """Number and text of a value, and whether it fits the type of its attribute (None: it has none).

    A value that does not fit stays text. Texts are taken for numbers with a decimal point only.
    """
    if attribute is None:
        return *_plain(value), True
    if attribute.type in NUMBERS:
        number = _number(value, whole=attribute.type in WHOLE)
        return (number, None, True) if number is not None else (None, _shown(value), False)
    if attribute.type in TRUTHS:
        truth = value if isinstance(value, bool) else _TRUTH.get(str(value).strip().lower())
        return (*_plain(truth), True) if truth is not None else (None, _shown(value), False)
    return None, _shown(value), True


def _number(value: Any, *, whole: bool) -> float | None:
    if isinstance(value, str):
        text = value.strip()
        value = float(text) if _NUMBER.fullmatch(text) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return None if whole and value != int(value) else float(value)


def _plain(value: Any) -> tuple[float | None, str | None]:
    if isinstance(value, bool):
        return float(value), "true" if value else "false"
    if isinstance(value, int | float):
        return float(value), None
    return None, _shown(value)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _text(value: Any) -> str:
    return "" if value is None or isinstance(value, Mapping | list) else str(value)
