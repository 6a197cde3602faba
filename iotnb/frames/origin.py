"""Where a table came from: what a frame's `attrs["iotnb"]` tells, to be read and to be shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from iotnb import markup
from iotnb.errors import ConfigError

SHOWN = 100  # characters of a value
GAPS = 20  # gaps in the HTML


class Provenance(Mapping[str, Any]):
    """What is known of a table's origin: a mapping that shows itself in a notebook.

    Keys: iotnb, platform, host, user, verb, query, window, loaded, pages, bytes, seconds, complete, gaps,
    notes. It holds no secret.
    """

    def __init__(self, known: Mapping[str, Any], rows: int) -> None:
        self._known, self._rows = dict(known), rows

    def __getitem__(self, key: str) -> Any:
        return self._known[key]

    def __iter__(self) -> Any:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    @property
    def title(self) -> str:
        """One line: ``measurements() of cumulocity, 4,711 rows``."""
        return f"{self.get('verb', 'table')}() of {self.get('platform', '?')}, {self._rows:,} rows"

    @property
    def state(self) -> str:
        """Complete, or how many gaps there are."""
        if self.get("complete", True):
            return "complete"
        count = len(self.get("gaps") or ())
        return f"incomplete, {count:,} gap{'' if count == 1 else 's'}"

    def facts(self) -> dict[str, str]:
        """What is shown, as names and texts."""
        window = self.get("window")
        size = self.get("bytes", 0) / 1e6
        pages = self.get("pages", 0)
        many = "" if pages == 1 else "s"
        cost = f"{pages:,} page{many}, {size:,.1f} MB, {self.get('seconds', 0):g} s"
        query = ", ".join(f"{name}={_short(value)}" for name, value in (self.get("query") or {}).items())
        return {
            "host": str(self.get("host", "")),
            "user": str(self.get("user", "")),
            "asked": query or "everything",
            "window": f"{window[0]} to {window[1]}" if window else "",
            "loaded": f"{self.get('loaded', '')} with iotnb {self.get('iotnb', '')}",
            "cost": cost,
        }

    def __repr__(self) -> str:
        lines = [f"{self.title}: {self.state}"]
        lines += [f"  {name}: {value}" for name, value in self.facts().items() if value]
        lines += [f"  note: {note}" for note in self.get("notes") or ()]
        lines += [f"  gap: {_gap(gap)}" for gap in (self.get("gaps") or ())[:GAPS]]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        whole = bool(self.get("complete", True))
        gaps = list(self.get("gaps") or ())
        parts = [markup.facts(self.facts()), *(markup.line(str(note)) for note in self.get("notes") or ())]
        if gaps:
            names = ("item", "start", "end", "reason")
            rows = [[gap.get(name, "") for name in names] for gap in gaps[:GAPS]]
            more = f" (the first {GAPS})" if len(gaps) > GAPS else ""
            parts.append(markup.fold(f"Gaps{more}", markup.table(names, rows)))
        tone = markup.GOOD if whole else markup.ODD
        return markup.card(self.title, *parts, state=self.state, tone=tone)


def provenance(frame: pd.DataFrame) -> Provenance:
    """Where a table came from, as a mapping that a notebook shows; filters and selections keep it.

    Raises ConfigError for a table that no client has loaded, or that has lost its `attrs`.
    """
    known = frame.attrs.get("iotnb")
    if not isinstance(known, Mapping):
        raise ConfigError(
            'this table does not tell where it came from: it has no attrs["iotnb"]. Tables of a client have '
            "it, and keep it when they are filtered; a table that was joined from several may have lost it"
        )
    return Provenance(known, len(frame))


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _gap(gap: Mapping[str, Any]) -> str:
    span = f"{gap.get('start')} to {gap.get('end')}" if gap.get("start") else ""
    return ", ".join(str(part) for part in (gap.get("item"), span, gap.get("reason")) if part)
