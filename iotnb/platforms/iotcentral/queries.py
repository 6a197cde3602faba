"""Legal queries, generated: 350 characters, 15 columns, 10 operators, one template each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from iotnb.errors import ConfigError

LONGEST = 350  # characters of a query
ITEMS = 15  # of its SELECT
OPERATORS = 10  # of its WHERE
ROWS = 10_000  # of its answer; when there are more, nothing says so
DEVICES = 16  # asked for one template until all of its devices are read and the others dropped

DEVICE, TIME = "d", "t"  # aliases of $id and $ts
FUNCTIONS = {"mean": "AVG", "min": "MIN", "max": "MAX", "sum": "SUM", "count": "COUNT"}

_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?", re.ASCII)
_TEMPLATE = re.compile(r"[A-Za-z][\w:;.-]*", re.ASCII)
_ORDER = " ORDER BY $ts ASC"


@dataclass(frozen=True)
class Part:
    """What one query asks for, but for its span of time: columns of one template, of some devices or all.

    `columns` are the telemetry names in the order of their aliases `c0`, `c1` ... With `function` each
    interval of `bucket` (ISO 8601) is reduced by the server; such a part is about one device.
    """

    template: str
    columns: tuple[str, ...]
    devices: tuple[str, ...] = ()
    function: str = ""
    bucket: str = ""
    bucket_seconds: int = 0

    def query(self, start: datetime, end: datetime) -> str:
        """The query for a span, widened to whole seconds; the ends may or may not be included."""
        return self.shape().replace("$WINDOW", window(start, end, overlap=not self.function))

    def shape(self) -> str:
        """The query with `$WINDOW` in the place of its span."""
        if self.function:
            items = [f"{self.function}({name}) AS c{i}" for i, name in enumerate(self.columns)]
            tail = f" GROUP BY WINDOW({self.bucket})"
        else:
            listed = [f"{name} AS c{i}" for i, name in enumerate(self.columns)]
            items = [f"$id AS {DEVICE}", f"$ts AS {TIME}", *listed]
            tail = ""
        conditions = ["WITHIN_WINDOW('$WINDOW')"]
        if len(self.devices) == 1:
            conditions.append(f"$id = '{self.devices[0]}'")
        elif self.devices:
            conditions.append("$id IN [" + ", ".join(f"'{each}'" for each in self.devices) + "]")
        if len(self.columns) == 1 and not self.function:
            conditions.append(f"{self.columns[0]} <> NULL")
        where = " AND ".join(conditions)
        selected = ", ".join(items)
        # every name in it was checked when the part was made
        return f"SELECT {selected} FROM {self.template} WHERE {where}{tail}{_ORDER}"  # noqa: S608

    @property
    def length(self) -> int:
        """How many characters its queries have."""
        return len(self.shape()) - len("$WINDOW") + 41  # two times of 20 characters and a slash

    @property
    def legal(self) -> bool:
        """Whether its queries keep all limits."""
        items = len(self.columns) + (0 if self.function else 2)
        operators = 1 + (2 if self.devices else 0) + (2 if len(self.columns) == 1 else 0)
        return self.length <= LONGEST and items <= ITEMS and operators <= OPERATORS

    @property
    def label(self) -> str:
        """The part in a few words, for a progress line or a gap."""
        who = self.devices[0] if len(self.devices) == 1 else self.template
        more = f" and {len(self.columns) - 1} more" if len(self.columns) > 1 else ""
        some = f" of {len(self.devices)} devices" if len(self.devices) > 1 else ""
        return f"{who}: {self.columns[0]}{more}{some}"


def window(start: datetime, end: datetime, *, overlap: bool = True) -> str:
    """A span as the query language writes it, in whole seconds, both ends outwards.

    With `overlap` the start lies before the moment asked for even when that is a whole second: whether a row
    at the very start belongs to a span is not documented.
    """
    early = (start - timedelta(milliseconds=overlap)).replace(microsecond=0)
    late = end if end.microsecond == 0 else end.replace(microsecond=0) + timedelta(seconds=1)
    return f"{_seconds(early)}/{_seconds(late)}"


def split(template: str, columns: Sequence[str], devices: Sequence[str] | None) -> list[Part]:
    """The parts that together ask for all columns of the devices; None: of all devices of the template.

    Raises ConfigError for a name that cannot stand in a query, or one too long for any.
    """
    if not columns:
        return []
    named = quotable(devices)
    return [
        part
        for some in _columns(template, columns, max((len(each) for each in named), default=0))
        for part in _devices(template, some, named)
    ]


def reducing(
    template: str, columns: Sequence[str], device: str, *, function: str, bucket: timedelta
) -> list[Part]:
    """The parts in which the server reduces each interval of one device's columns."""
    made: list[Part] = []
    seconds = int(bucket.total_seconds())
    held: list[str] = []

    def part(names: Sequence[str]) -> Part:
        return Part(template, tuple(names), (device,), FUNCTIONS[function], duration(bucket), seconds)

    for name in columns:
        if held and not part([*held, name]).legal:
            made.append(part(held))
            held = []
        held.append(name)
    made.append(part(held))
    for each in made:
        _check(each)
    return made


def quotable(devices: Sequence[str] | None) -> list[str]:
    """The devices to name in queries; none when all are meant, or it is better to read all and drop some."""
    if devices is None or len(devices) > DEVICES or any("'" in each or "\\" in each for each in devices):
        return []
    return list(devices)


def duration(span: timedelta) -> str:
    """A span as `PT10M`, `PT1H`, `P1D`."""
    seconds = int(span.total_seconds())
    for size, form in ((86400, "P{}D"), (3600, "PT{}H"), (60, "PT{}M")):
        if seconds % size == 0:
            return form.format(seconds // size)
    return f"PT{seconds}S"


def _columns(template: str, columns: Sequence[str], longest: int) -> Iterator[tuple[str, ...]]:
    """The columns in groups that leave room for at least one device with an identifier of that length."""
    witness = ("x" * longest,) if longest else ()
    held: tuple[str, ...] = ()
    for name in columns:
        if held and not Part(template, (*held, name), witness).legal:
            yield held
            held = ()
        held = (*held, name)
    yield held


def _devices(template: str, columns: tuple[str, ...], devices: Sequence[str]) -> Iterator[Part]:
    """The devices in groups, as many as a query has room for."""
    held: tuple[str, ...] = ()
    for device in devices:
        if held and not Part(template, columns, (*held, device)).legal:
            yield _check(Part(template, columns, held))
            held = ()
        held = (*held, device)
    yield _check(Part(template, columns, held))


def _check(part: Part) -> Part:
    if not _TEMPLATE.fullmatch(part.template):
        raise ConfigError(f"the template {part.template!r} cannot stand in a query")
    for name in part.columns:
        if not _NAME.fullmatch(name):
            raise ConfigError(f"the telemetry {name!r} cannot stand in a query: see its last value instead")
    if not part.legal:
        raise ConfigError(
            f"no query of {LONGEST} characters has room for the telemetry {part.columns[0]!r} of the "
            f"template {part.template!r}: its last value can still be read"
        )
    return part


def _seconds(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
