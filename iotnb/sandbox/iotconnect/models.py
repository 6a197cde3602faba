"""Device templates: attributes, settings, commands, direct methods; those that every run has."""

import msgspec

from iotnb.sandbox.fleet import Kind
from iotnb.sandbox.fleet.catalog import SERIES
from iotnb.sandbox.iotconnect.ids import fixed

MADE = 1_675_245_600_000  # 1 February 2023, 10 h: when the templates of every run were made
DATA_TYPES = (
    *("NUMBER", "STRING", "OBJECT", "BOOLEAN", "DECIMAL", "INTEGER"),
    *("LONG", "DATE", "TIME", "DATETIME", "BIT", "LATLONG"),
)
WHOLE = frozenset({"INTEGER", "LONG"})
NUMBERS = WHOLE | {"NUMBER", "DECIMAL"}


def type_guid(name: str) -> str:
    """The GUID of a data type."""
    return fixed("datatype", name)


class Attribute(msgspec.Struct, frozen=True, kw_only=True):
    """One telemetry channel; an OBJECT has children."""

    guid: str
    name: str
    type: str
    unit: str = ""
    description: str = ""
    tag: str | None = None
    validation: str | None = None
    children: tuple["Attribute", ...] = ()

    @property
    def word(self) -> str:
        """What is unique in a template."""
        return self.name.lower()


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One twin property."""

    guid: str
    name: str
    local: str
    type: str
    default: str
    read_only: bool = False
    validation: str | None = None

    @property
    def word(self) -> str:
        """What is unique in a template."""
        return self.local.lower()


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """One command; `command` is the word on the wire, `name` the label."""

    guid: str
    name: str
    command: str
    parameter: bool = False
    acknowledged: bool = True
    ota: bool = False
    tag: str | None = None
    created: int = MADE

    @property
    def word(self) -> str:
        """What is unique in a template."""
        return self.command.lower()


class Method(msgspec.Struct, frozen=True, kw_only=True):
    """One direct method."""

    guid: str
    name: str
    timeout: int = 30


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """One device template."""

    guid: str
    code: str
    name: str
    description: str = ""
    version: str = "2.1"
    """The message version: in 1.0 the history of one attribute is asked for by its GUID."""
    auth_type: int = 3
    tag: str | None = None
    edge: bool = False
    created: int = MADE
    attributes: tuple[Attribute, ...] = ()
    settings: tuple[Setting, ...] = ()
    commands: tuple[Command, ...] = ()
    methods: tuple[Method, ...] = ()

    def leaves(self) -> dict[str, Attribute]:
        """Dotted name to attribute, the children in place of the objects."""
        found: dict[str, Attribute] = {}
        for one in self.attributes:
            if one.type == "OBJECT":
                found.update({f"{one.name}.{child.name}": child for child in one.children})
            else:
                found[one.name] = one
        return found


def _attribute(code: str, name: str, kind: str, unit: str = "", *children: tuple[str, str, str]) -> Attribute:
    inner = tuple(
        Attribute(guid=fixed("attribute", code, name, word), name=word, type=word_kind, unit=word_unit)
        for word, word_kind, word_unit in children
    )
    return Attribute(guid=fixed("attribute", code, name), name=name, type=kind, unit=unit, children=inner)


def _fleet_attributes(code: str, kind: Kind) -> tuple[Attribute, ...]:
    """Every group of series is an object."""
    groups: dict[str, list[tuple[str, str, str]]] = {}
    for series in SERIES[kind]:
        groups.setdefault(series.group, []).append((series.name, "DECIMAL", series.unit))
    return tuple(_attribute(code, group, "OBJECT", "", *members) for group, members in groups.items())


def _setting(code: str, local: str, name: str, kind: str, default: str, *, fixed_: bool = False) -> Setting:
    guid = fixed("setting", code, local)
    return Setting(guid=guid, name=name, local=local, type=kind, default=default, read_only=fixed_)


def _settings(code: str) -> tuple[Setting, ...]:
    return (
        _setting(code, "reportInterval", "Report interval", "INTEGER", "60"),
        _setting(code, "logLevel", "Log level", "STRING", "INFO"),
        _setting(code, "firmwareVersion", "Firmware version", "STRING", "", fixed_=True),
    )


def _commands(code: str) -> tuple[Command, ...]:
    plan = (
        ("Restart", "restart", False, True, False),
        ("Run text", "run", True, True, False),
        ("Set configuration", "configure", True, True, False),
        ("Update firmware", "firmware", True, True, True),
        ("Blink", "blink", False, False, False),
    )
    return tuple(
        Command(
            guid=fixed("command", code, word),
            name=name,
            command=word,
            parameter=parameter,
            acknowledged=acknowledged,
            ota=ota,
        )
        for name, word, parameter, acknowledged, ota in plan
    )


def _methods(code: str) -> tuple[Method, ...]:
    return tuple(Method(guid=fixed("method", code, name), name=name) for name in ("getStatus", "selfTest"))


def _template(code: str, name: str, attributes: tuple[Attribute, ...], **more: object) -> Template:
    held = {
        "guid": fixed("template", code),
        "code": code,
        "name": name,
        "attributes": attributes,
        "settings": _settings(code),
        "commands": _commands(code),
        "methods": _methods(code),
        **more,
    }
    return msgspec.convert(held, Template)


_CODES: dict[Kind, tuple[str, str, str, str]] = {
    "gateway": ("IG500", "Gateway IG-500", "2.1", "gateway"),
    "sensor": ("CS20", "Climate sensor CS-20", "2.1", "sensor"),
    "machine": ("PX7", "Pump PX-7", "1.0", ""),
}
OF_KIND: dict[Kind, Template] = {
    kind: _template(code, name, _fleet_attributes(code, kind), version=version, tag=tag or None)
    for kind, (code, name, version, tag) in _CODES.items()
}
"""The template of each kind of fleet device."""
_POSITION = (("latitude", "DECIMAL", "deg"), ("longitude", "DECIMAL", "deg"))
TRACKER = _template(
    "TRK1",
    "Tracker TRK-1",
    (
        _attribute("TRK1", "gps", "OBJECT", "", *_POSITION),
        _attribute("TRK1", "speed", "NUMBER", "km/h"),
        _attribute("TRK1", "satellites", "INTEGER"),
        _attribute("TRK1", "moving", "BOOLEAN"),
        _attribute("TRK1", "state", "STRING"),
    ),
)
METER = _template("EM1", "Energy meter EM-1", (_attribute("EM1", "energy", "DECIMAL", "kWh"),))
"""A template without devices."""
SEEDED = (*OF_KIND.values(), TRACKER, METER)
