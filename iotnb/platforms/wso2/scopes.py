"""Scopes: what each opens, what a login asked for and got, and what the missing ones block."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from iotnb.errors import ConfigError
from iotnb.platforms.wso2 import opens

PREFIX = "perm:"

_VERBS: Final[Mapping[str, tuple[str, ...]]] = {
    "devices:view": ("devices",),
    "device-types:events:view": ("series", "latest", "measurements"),
    "devices:operations": ("operations",),
    "notifications:view": ("alarms",),
}
_PARTS: Final[Mapping[str, str]] = {
    "get-activity": "failure reasons in operations(), times in alarms(), progress in events()",
    "geo-service:alerts-manage": "geo alerts in events()",
}


@dataclass(frozen=True)
class Scope:
    """One scope: the calls that it opens, the verbs of a client that need it, and what else lives of it."""

    name: str
    calls: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    parts: str = ""

    @property
    def opens(self) -> str:
        """Verbs and calls in one line: ``devices(); GET /devices, GET /devices/user-devices``."""
        words = ", ".join(f"{verb}()" for verb in self.verbs)
        return "; ".join(each for each in (words, self.parts, ", ".join(self.calls)) if each)


def _table() -> dict[str, Scope]:
    made: dict[str, Scope] = {}
    for line in re.sub(r"\n +", " ", opens.OPENS.strip()).splitlines():
        short, _, calls = line.partition(":: ")
        listed = tuple(calls.split(", "))
        made[PREFIX + short] = Scope(PREFIX + short, listed, _VERBS.get(short, ()), _PARTS.get(short, ""))
    for short in opens.SILENT.split():
        made[PREFIX + short] = Scope(PREFIX + short)
    return dict(sorted(made.items()))


KNOWN: Final[Mapping[str, Scope]] = _table()
"""Every scope of 3.2.0 by its name: the data of a picker."""

EXPLORE: Final = tuple(
    PREFIX + each
    for each in (
        "devices:view", "devices:details", "devices:search", "devices:operations", "devices:features",
        "devices:applications", "devices:effective-policy", "devices:compliance-data", "device-types:types",
        "device-types:features", "device-types:events:view", "get-activity", "notifications:view",
        "groups:groups", "groups:groups-view", "groups:devices", "groups:devices-count",
        "geo-service:analytics-view", "geo-service:alerts-manage",
    )
)  # fmt: skip
"""What the verbs of a client and a look around need; `devices:operations` also allows to send operations."""

TUTORIAL: Final = tuple(
    PREFIX + each
    for each in (
        *opens.TUTORIAL_FIRST.split(),
        *(each for each in opens.TUTORIAL_FIRST.split() if each not in set(opens.TUTORIAL_ONCE.split())),
        *opens.TUTORIAL_LAST.split(),
    )
)
"""The 228 scopes that the vendor's tutorial asks for, in its order, 74 of them for a second time."""

SETS: Final[Mapping[str, tuple[str, ...]]] = {
    "explore": EXPLORE,
    "all": tuple(KNOWN),
    "tutorial": TUTORIAL,
}
"""Words that stand for many scopes."""

MEANING: Final[Mapping[str, str]] = {
    "explore": "what the verbs of a client and a look around need",
    "all": "every scope of version 3.2.0",
    "tutorial": "what the vendor's tutorial asks for",
}
"""What each of these words is for."""


def asked(text: str | Iterable[str]) -> tuple[str, ...]:
    """The scopes in a text, each once: names with or without `perm:`, and `explore`, `all`, `tutorial`."""
    words = text.replace(",", " ").split() if isinstance(text, str) else list(text)
    found: list[str] = []
    for word in words:
        if word in SETS:
            found += SETS[word]
        elif PREFIX + word in KNOWN:
            found.append(PREFIX + word)
        else:
            found.append(word)
    for each in found:
        if not re.fullmatch(r"[!#-\[\]-~]+", each):
            raise ConfigError(
                f"scopes= holds {each!r}, which is no scope: write names such as perm:devices:view"
            )
    return tuple(dict.fromkeys(found))


def needed(method: str, path: str) -> str:
    """The scope that a call needs (`GET`, `/api/device-mgt/v1.0/devices`); "" where it is not known."""
    short = _short(path)
    for verb, pattern, scope in _PATTERNS:
        if verb == method and pattern.fullmatch(short):
            return scope
    return ""


def report(
    wanted: Sequence[str], granted: Sequence[str] | None, lost: Iterable[str] = ()
) -> list[dict[str, Any]]:
    """One row a scope: `scope`, `asked`, `granted`, `lost` (by a renewal), `blocks` and `opens`.

    The scopes are those asked for, those granted, and those that a verb needs. `granted` is None where the
    login does not tell: then nothing is known to be blocked.
    """
    verbs = [name for name, each in KNOWN.items() if each.verbs]
    gone, has, given = set(lost), set(wanted), None if granted is None else set(granted)
    rows = []
    for name in sorted({*wanted, *(granted or ()), *verbs, *gone}):
        known = KNOWN.get(name, Scope(name))
        is_granted = None if given is None else name in given
        rows.append(
            {
                "scope": name,
                "asked": name in has,
                "granted": is_granted,
                "lost": name in gone,
                "blocks": known.opens if is_granted is False else "",
                "opens": known.opens,
            }
        )
    return rows


def missing(verb: str, granted: Iterable[str] | None) -> list[str]:
    """The scopes that a verb needs and that were not granted; empty where nothing is known."""
    if granted is None:
        return []
    has = set(granted)
    return [name for name, each in KNOWN.items() if verb in each.verbs and name not in has]


def _short(path: str) -> str:
    """A path as the table writes it, without API prefix, `/1.0.0` behind the context, or slash at the end."""
    text = re.sub(r"/{2,}", "/", path.partition("?")[0]).rstrip("/")
    text = text.replace("/api/device-mgt/android/v1.0", "/android", 1)
    text = text.replace("/api/device-mgt/v1.0", "", 1)
    text = text.replace("/api/certificate-mgt/v1.0/admin", "", 1)
    return re.sub(r"^(/[a-z-]+)/1\.0\.0(?=/|$)", r"\1", text)


def _patterns() -> list[tuple[str, re.Pattern[str], str]]:
    calls = [(call, name) for name, each in KNOWN.items() for call in each.calls]
    calls.sort(key=lambda each: each[0].count("{"))  # /users/count before /users/{name}
    made = []
    for call, name in calls:
        verb, _, path = call.partition(" ")
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))
        made.append((verb, re.compile(pattern), name))
    return made


_PATTERNS: Final = _patterns()
