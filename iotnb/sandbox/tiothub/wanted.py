"""What a retrieve asks for: result content, filters and the page, in the three dialects of paging."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from iotnb.sandbox.tiothub.names import LONG, SHORT
from iotnb.sandbox.tiothub.state import Switches
from iotnb.sandbox.tiothub.wire import Call, debug, parse_basic

_KNOWN = frozenset(
    (
        *("rcn", "ty", "lbl", "cra", "crb", "ms", "us", "sts", "stb", "exa", "exb", "lvl", "lim", "ofst"),
        *("arp", "atrl", "fu", "drt", "fo", "rt", "rp"),
    )
)
_DMO_PAGE = ("limit", "offset")
_CONTENTS = (0, 1, 4, 5, 6, 8, 11)
_EVERYTHING = 10**9
Range = tuple[int | None, int | None]


@dataclass(slots=True, kw_only=True)
class Wanted:
    """The query of a retrieve; ranges in milliseconds, both ends exclusive."""

    rcn: int = 1
    types: frozenset[int] = frozenset()
    labels: tuple[str, ...] = ()
    created: Range = (None, None)
    modified: Range = (None, None)
    tag: Range = (None, None)
    expires: Range = (None, None)
    level: int = 1
    limit: int | None = None
    offset: int | None = None
    matches: list[tuple[str, re.Pattern[str]]] = field(default_factory=list)
    attributes: tuple[str, ...] = ()
    discovery: bool = False
    unstructured: bool = False
    added_path: str = ""
    nested: bool = False
    """True below the first level, where messages are left out unless `ty=4` asks for them."""

    @property
    def wants_children(self) -> bool:
        """True if the answer holds children in any form."""
        return self.rcn in (4, 5, 6, 8, 11)

    def window(self) -> tuple[int, int]:
        """The times [start, end) in which messages can fit; a message is never modified."""
        lows = [low + 1 for low, _ in (self.created, self.modified) if low is not None]
        highs = [high for _, high in (self.created, self.modified) if high is not None]
        return max(lows, default=0), min(highs, default=1 << 62)

    @property
    def looks_inside(self) -> bool:
        """True if messages must be decoded to know which fit."""
        return bool(self.labels or self.matches or self.tag != (None, None) or self.expires != (None, None))

    def takes_type(self, ty: int) -> bool:
        """Whether the filter by type lets a type through."""
        return not self.types or ty in self.types

    def fits(self, document: Mapping[str, Any]) -> bool:
        """Whether a resource passes every filter."""
        if not self.takes_type(document["ty"]):
            return False
        if self.labels and not set(self.labels) & set(document.get("lbl") or ()):
            return False
        times = (("ct", self.created), ("lt", self.modified), ("et", self.expires))
        if not all(_inside(parse_basic(str(document.get(name, ""))), range_) for name, range_ in times):
            return False
        low, high = self.tag
        tag = document.get("st", 0)
        if (low is not None and tag >= low) or (high is not None and tag <= high):
            return False
        return all(_matches(document.get(name), pattern) for name, pattern in self.matches)


def _inside(value: int | None, wanted: Range) -> bool:
    low, high = wanted
    if low is None and high is None:
        return True
    return value is not None and (low is None or value > low) and (high is None or value < high)


def _matches(value: Any, pattern: re.Pattern[str]) -> bool:
    texts = value if isinstance(value, list) else [value]
    return any(text is not None and pattern.fullmatch(str(text)) is not None for text in texts)


def wanted_of(call: Call, switches: Switches) -> Wanted:
    """The query of a request; 400/4000 for what is wrong, in the strict edition for what is unknown."""
    out = Wanted(rcn=_number(call, "rcn", 1))
    if out.rcn not in _CONTENTS:
        raise debug(4000, f"unsupported result content: rcn={out.rcn}")
    out.attributes = _attribute_list(call)
    for text in call.all("ty"):
        out.types |= {_whole("ty", word) for word in text.replace("+", " ").split()}
    out.labels = tuple(call.all("lbl"))
    out.matches = _attribute_matches(call, switches)
    out.added_path = call.one("arp").strip("/")
    if not switches.plain:
        out.created = _times(call, "cra", "crb")
        out.modified = _times(call, "ms", "us")
        out.expires = _times(call, "exa", "exb")
        out.tag = _tags(call)
        out.level = _number(call, "lvl", 1)
        out.discovery = call.one("fu") == "1"
        out.unstructured = call.one("drt") == "2"
    _page(call, switches, out)
    return out


def _page(call: Call, switches: Switches, out: Wanted) -> None:
    names = [("lim", "ofst")] if not switches.plain else []
    if not switches.strict:
        names.insert(0, _DMO_PAGE)
    for limit, offset in names:
        if call.one(limit):
            out.limit = _number(call, limit, _EVERYTHING)
        if call.one(offset):
            out.offset = _number(call, offset, 0)
    if switches.limit_cap:
        out.limit = min(out.limit or _EVERYTHING, switches.limit_cap)


def _whole(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise debug(4000, f"error in argument: {name}={text}")
    return int(text)


def _number(call: Call, name: str, default: int) -> int:
    text = call.one(name)
    return _whole(name, text) if text else default


def _times(call: Call, after: str, before: str) -> Range:
    """Only the basic format counts: any other time is accepted and ignored, as standard servers do."""
    return parse_basic(call.one(after)), parse_basic(call.one(before))


def _tags(call: Call) -> Range:
    smaller, bigger = call.one("sts"), call.one("stb")
    return (_whole("sts", smaller) if smaller else None, _whole("stb", bigger) if bigger else None)


def _attribute_list(call: Call) -> tuple[str, ...]:
    """`atrl=a+b` with a literal plus sign: an encoded one is not understood."""
    raw = call.raw("atrl")
    if raw is None:
        return ()
    names = tuple(SHORT.get(name, name) for name in raw.split("+") if name)
    if not all(name in LONG or name in ("nds", "aes") for name in names):
        raise debug(4000, f"error in argument: atrl={call.one('atrl')}")
    return names


def _attribute_matches(call: Call, switches: Switches) -> list[tuple[str, re.Pattern[str]]]:
    found = []
    for name, value in call.pairs:
        if name in _KNOWN or (name in _DMO_PAGE and not switches.strict):
            continue
        short = SHORT.get(name, name)
        if short not in LONG:
            if switches.strict:
                raise debug(4000, f"unknown or unsupported argument: {name}")
            continue
        pattern = ".*".join(re.escape(part) for part in value.split("*"))
        found.append((short, re.compile(pattern, re.DOTALL)))
    return found
