"""What a device template says a device can do: its capability model (DTDL) as flat lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

NUMBERS = {"integer", "long", "double", "float"}
LEAVES = {"vector": ("x", "y", "z"), "geopoint": ("lat", "lon", "alt")}
DEEPEST = 8  # levels of extends and objects

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Capability:
    """One telemetry, property or command; `name` is `[module/][component.]name`.

    `kind` is the schema's: integer, double, boolean, string, enum, vector, geopoint, object ... `fields` are
    the leaves of an object, `labels` the display names of an enum's values, `event` marks telemetry that
    the template calls an event.
    """

    name: str
    own: str
    component: str
    module: str
    kind: str
    unit: str | None = None
    title: str = ""
    writable: bool = False
    event: bool = False
    fields: tuple[tuple[str, str], ...] = ()
    labels: Mapping[Any, str] = field(default_factory=dict)
    request: str = ""

    @property
    def leaves(self) -> list[tuple[str, str]]:
        """The series that its values become, each with its kind (number, text, bool)."""
        if self.kind in LEAVES:
            return [(f"{self.name}.{leaf}", "number") for leaf in LEAVES[self.kind]]
        if self.kind == "object" and self.fields:
            return [(f"{self.name}.{leaf}", plain(kind)) for leaf, kind in self.fields]
        kind = plain(self.kind)
        if self.kind == "enum" and self.labels and all(isinstance(each, int) for each in self.labels):
            kind = "number"
        return [(self.name, kind)]

    @property
    def column(self) -> str:
        """How the query language names it; modules have no name there."""
        return "" if self.module else self.name


@dataclass(frozen=True)
class Model:
    """A device template: `id`, `title`, and its capabilities."""

    id: str
    title: str
    telemetry: tuple[Capability, ...]
    properties: tuple[Capability, ...]
    commands: tuple[Capability, ...]
    interfaces: frozenset[str]
    gateway: bool

    @property
    def measured(self) -> list[Capability]:
        """The telemetry that is measured; the rest are events."""
        return [each for each in self.telemetry if not each.event]

    @property
    def migrates(self) -> bool:
        """Whether the vendor's migration tool can move its devices: it has the command DeviceMove."""
        return "dtmi:azureiot:DeviceMigration;1" in self.interfaces or any(
            command.own == "DeviceMove" for command in self.commands
        )


def read(template: Json) -> Model:
    """The model of a template as the service prints it; what it does not understand is left out."""
    root = template.get("capabilityModel")
    reader = _Reader(template)
    if isinstance(root, Mapping):
        reader.interface(root, component="", module="", depth=0)
    return Model(
        id=str(template.get("@id") or ""),
        title=words(template.get("displayName")),
        telemetry=tuple(reader.found["Telemetry"]),
        properties=tuple(reader.found["Property"]),
        commands=tuple(reader.found["Command"]),
        interfaces=frozenset(reader.interfaces),
        gateway=reader.gateway,
    )


def plain(kind: str) -> str:
    """The kind of a series: number, text or bool."""
    return "number" if kind in NUMBERS else "bool" if kind == "boolean" else "text"


def types(node: Any) -> list[str]:
    """The `@type` of a node, which is a text or a list of them."""
    found = node.get("@type") if isinstance(node, Mapping) else None
    return [str(each) for each in found] if isinstance(found, list) else [str(found)] if found else []


def words(text: Any) -> str:
    """A text that may come with languages: `"Pressure"` or `{"en": "Pressure"}`."""
    if isinstance(text, Mapping):
        text = text.get("en") or next(iter(text.values()), "")
    return text if isinstance(text, str) else ""


class _Reader:
    def __init__(self, template: Json) -> None:
        self.known: dict[str, Json] = {}
        self.found: dict[str, list[Capability]] = {"Telemetry": [], "Property": [], "Command": []}
        self.interfaces: set[str] = set()
        self.gateway = False
        self._names: set[tuple[str, str]] = set()
        self._index(template)

    def _index(self, node: Any) -> None:
        """Everything that is spelled out somewhere and may be referred to by its identifier elsewhere."""
        if isinstance(node, Mapping):
            name = node.get("@id")
            if isinstance(name, str) and len(node) > 1:
                self.known.setdefault(name, node)
            node = list(node.values())
        if isinstance(node, list):
            for each in node:
                self._index(each)

    def _resolved(self, node: Any) -> Any:
        if isinstance(node, str):
            return self.known.get(node, node)
        if isinstance(node, Mapping) and set(node) == {"@id"}:
            return self.known.get(str(node["@id"]), node)
        return node

    def interface(self, node: Any, *, component: str, module: str, depth: int) -> None:
        node = self._resolved(node)
        if not isinstance(node, Mapping) or depth > DEEPEST:
            return
        if isinstance(node.get("@id"), str):
            self.interfaces.add(node["@id"])
        for each in _several(node.get("extends")):
            self.interface(each, component=component, module=module, depth=depth + 1)
        for content in _several(node.get("contents")):
            if isinstance(content, Mapping) and isinstance(content.get("name"), str):
                self._content(content, component, module, depth)

    def _content(self, content: Json, component: str, module: str, depth: int) -> None:
        kinds, name = types(content), content["name"]
        if "Component" in kinds:
            self.interface(content.get("schema"), component=name, module=module, depth=depth + 1)
        elif "Relationship" in kinds:
            if any(kind.rpartition("/")[2] == "EdgeModule" for kind in kinds):
                for target in _several(content.get("target")):
                    self.interface(target, component="", module=name, depth=depth + 1)
            else:
                self.gateway = True
        for kind in ("Telemetry", "Property", "Command"):
            if kind in kinds:
                made = self._capability(content, kinds, component, module)
                if (kind, made.name) not in self._names:
                    self._names.add((kind, made.name))
                    self.found[kind].append(made)

    def _capability(self, content: Json, kinds: list[str], component: str, module: str) -> Capability:
        own = content["name"]
        schema = self._resolved(content.get("schema"))
        kind = self._kind(schema)
        name = f"{component}.{own}" if component else own
        unit = words(content.get("displayUnit")) or words(content.get("unit")).rpartition("/")[2]
        request = self._resolved((content.get("request") or {}).get("schema")) if "Command" in kinds else None
        return Capability(
            name=f"{module}/{name}" if module else name,
            own=own,
            component=component,
            module=module,
            kind=kind,
            unit=unit or None,
            title=words(content.get("displayName")),
            writable=content.get("writable") is True,
            event="Event" in kinds,
            fields=tuple(self._fields(schema, "", 0)) if kind == "object" else (),
            labels=_labels(schema) if kind == "enum" else {},
            request=self._kind(request) if request is not None else "",
        )

    def _kind(self, schema: Any) -> str:
        if isinstance(schema, str):
            return schema.rpartition(":")[2].partition(";")[0] if schema.startswith("dtmi:") else schema
        names = [kind.lower() for kind in types(schema)]
        return next((name for name in names if name in {"object", "enum", "array", "map"}), "object")

    def _fields(self, schema: Any, before: str, depth: int) -> Iterator[tuple[str, str]]:
        for each in _several(schema.get("fields") if isinstance(schema, Mapping) else None):
            if not isinstance(each, Mapping) or not isinstance(each.get("name"), str):
                continue
            inner, path = self._resolved(each.get("schema")), before + each["name"]
            kind = self._kind(inner)
            if kind == "object" and depth < DEEPEST:
                yield from self._fields(inner, f"{path}.", depth + 1)
            elif kind in LEAVES:
                yield from ((f"{path}.{leaf}", "double") for leaf in LEAVES[kind])
            else:
                yield path, kind


def _labels(schema: Any) -> dict[Any, str]:
    """The display names of an enum's values."""
    values = _several(schema.get("enumValues") if isinstance(schema, Mapping) else None)
    return {
        each["enumValue"]: words(each.get("displayName")) or str(each.get("name") or each["enumValue"])
        for each in values
        if isinstance(each, Mapping) and isinstance(each.get("enumValue"), int | str)
    }


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
