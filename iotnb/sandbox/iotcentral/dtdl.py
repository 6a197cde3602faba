"""Reading a capability model: what a template's devices send, hold and do, by module and component."""

import re
from dataclasses import dataclass, field
from typing import Any

from iotnb.sandbox.iotcentral.models import repository

Json = dict[str, Any]
_NUMBERS = frozenset({"integer", "long", "double", "float"})
DTMI = re.compile(r"dtmi:[A-Za-z][A-Za-z0-9_]*(?::[A-Za-z0-9_]+)*(?:;[1-9][0-9]*)?")


def types_of(item: Json) -> set[str]:
    """The `@type` words of an item."""
    found = item.get("@type")
    return set(found) if isinstance(found, list) else {str(found)}


@dataclass(slots=True)
class Part:
    """One interface as a device has it: the root, a component, a module, or a component of a module."""

    name: str
    id: str
    display: Any = None
    telemetry: dict[str, Json] = field(default_factory=dict)
    properties: dict[str, Json] = field(default_factory=dict)
    commands: dict[str, Json] = field(default_factory=dict)
    schemas: dict[str, Json] = field(default_factory=dict)

    def schema(self, item: Json) -> Any:
        """The schema of an item, with references to the interface's own schemas resolved."""
        found = item.get("schema", "string")
        return self.schemas.get(found, found) if isinstance(found, str) else found


@dataclass(slots=True)
class Model:
    """A capability model, read."""

    root: Part
    components: dict[str, Part] = field(default_factory=dict)
    modules: dict[str, "Model"] = field(default_factory=dict)

    def part(self, component: str) -> Part | None:
        """The root ("") or a component."""
        return self.root if not component else self.components.get(component)

    def parts(self) -> dict[str, Part]:
        """The root under "" and every component by name."""
        return {"": self.root, **self.components}

    def find_telemetry(self, path: str) -> tuple[str, str, Json] | None:
        """(component, name, item) of a telemetry written as `name` or `component.name`, or None."""
        component, _, name = path.rpartition(".")
        part = self.part(component)
        item = None if part is None else part.telemetry.get(name)
        return None if item is None else (component, name, item)


def read(document: Any) -> Model:
    """The model of a capability model document; ValueError says what is wrong with it."""
    if not isinstance(document, dict):
        raise ValueError("the capability model must be an object")
    model = Model(Part("", str(document.get("@id", "")), document.get("displayName")))
    _take(model, model.root, document, set())
    return model


def _take(model: Model, part: Part, document: Json, seen: set[str]) -> None:
    identifier = str(document.get("@id", ""))
    if identifier in seen:
        raise ValueError(f"{identifier} contains itself")
    seen = {*seen, identifier} if identifier else seen
    for schema in document.get("schemas") or ():
        if isinstance(schema, dict) and "@id" in schema:
            part.schemas[schema["@id"]] = schema
    parents = document.get("extends") or []
    for parent in parents if isinstance(parents, list) else [parents]:
        _take(model, part, _interface(parent), seen)
    contents = document.get("contents", [])
    if not isinstance(contents, list):
        raise ValueError("contents must be a list")
    for item in contents:
        if not isinstance(item, dict) or not isinstance(item.get("name"), str):
            raise ValueError("every content needs a name")
        _place(model, part, item, seen)


def _place(model: Model, part: Part, item: Json, seen: set[str]) -> None:
    name, kinds = item["name"], types_of(item)
    if "Telemetry" in kinds:
        part.telemetry[name] = item
    elif "Property" in kinds:
        part.properties[name] = item
    elif "Command" in kinds:
        part.commands[name] = item
    elif "Component" in kinds:
        inner = _interface(item.get("schema"))
        made = Part(name, str(inner.get("@id", "")), item.get("displayName"))
        _take(model, made, inner, seen)
        model.components[name] = made
    elif kinds & {"EdgeModule", "SemanticType/EdgeModule"}:
        targets = item.get("target")
        target = targets[0] if isinstance(targets, list) and targets else targets
        module = read(_interface(target))
        module.root.name, module.root.display = name, item.get("displayName")
        model.modules[name] = module
    elif "Relationship" not in kinds:
        raise ValueError(f"{name} is of no known type: {', '.join(sorted(kinds))}")


def _interface(found: Any) -> Json:
    if isinstance(found, dict):
        return found
    if isinstance(found, str):
        known = repository(found)
        if known is not None:
            return known
        raise ValueError(f"the interface {found} is not known here: write it out")
    raise ValueError("a component needs a schema")


def is_number(schema: Any) -> bool:
    """True for schemas whose values are numbers."""
    return isinstance(schema, str) and schema in _NUMBERS


def fits(schema: Any, value: Any) -> bool:
    """Whether a value is of a schema; composite and unknown schemas take any object."""
    if isinstance(schema, dict):
        kind = next(iter(types_of(schema) & {"Enum", "Object", "Array", "Map"}), "")
        if kind == "Enum":
            return value in [one.get("enumValue") for one in schema.get("enumValues", ())]
        return isinstance(value, list if kind == "Array" else dict)
    if isinstance(value, bool):
        return schema == "boolean" or schema not in {
            *_NUMBERS,
            "string",
            "date",
            "dateTime",
            "time",
            "duration",
        }
    if schema in ("integer", "long"):
        return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if schema in ("double", "float"):
        return isinstance(value, int | float)
    if schema == "boolean":
        return False
    if schema in ("vector", "geopoint"):
        return isinstance(value, dict)
    if schema in ("string", "date", "dateTime", "time", "duration"):
        return isinstance(value, str)
    return True
