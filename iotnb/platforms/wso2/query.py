"""What `devices(query=...)` understands: filters of the device list, a group, or conditions of the search."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from iotnb.errors import ConfigError

FILTERS: Final = ("name", "type", "user", "userPattern", "role", "ownership", "status", "since")
"""Of the list of devices; `name` and `userPattern` are prefixes."""

_CONDITION = re.compile(r"\s*([A-Za-z][\w.]*)\s*(>=|<=|<>|!=|!>|!<|=|>|<|%)\s*(.+?)\s*")


@dataclass(frozen=True)
class Query:
    """Either filters of the list, or the number of a group, or conditions of the search."""

    filters: dict[str, str] = field(default_factory=dict)
    group: str = ""
    conditions: list[dict[str, Any]] = field(default_factory=list)


def parse(text: str | None) -> Query:
    """`status=ACTIVE&user=admin`, `group=3`, or `deviceModel%S8&batteryLevel<20` (| for or).

    Keys that are no filters of the list are searched for in details, location and properties of the devices.
    Raises ConfigError for what is neither.
    """
    if text is None or not text.strip():
        return Query()
    pieces = re.split(r"([&|])", text.strip().lstrip("?"))
    found = []
    for place in range(0, len(pieces), 2):
        match = _CONDITION.fullmatch(pieces[place])
        if match is None:
            raise ConfigError(
                f"query={text!r} holds {pieces[place]!r}, which is no condition: write status=ACTIVE, "
                "group=3, or conditions such as deviceModel%S8&batteryLevel<20, joined by & or |"
            )
        joint = pieces[place - 1] if place else "&"
        found.append((match[1], match[2], match[3], joint))
    plain = all(operator == "=" and joint == "&" for _, operator, _, joint in found)
    if plain and len(found) == 1 and found[0][0] in {"group", "groupId"}:
        return Query(group=found[0][2])
    if plain and all(name in FILTERS for name, *_ in found):
        return Query(filters={name: value for name, _, value, _ in found})
    return Query(
        conditions=[
            {"key": name, "value": value, "operator": operator, "state": "OR" if joint == "|" else "AND"}
            for name, operator, value, joint in found
        ]
    )
