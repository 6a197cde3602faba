"""What a live view holds: the last hour of values, the last alarms and operations, and the moving picture."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import pandas as pd

from iotnb import frames
from iotnb.live import Batch
from iotnb.widgets.explorer_plot import Drawing

HOUR: Final = timedelta(hours=1)
VALUES: Final = 200_000  # values that are held at most
CURVES: Final = 12  # series of devices that are drawn at most
LISTED: Final = 200  # alarms and operations that are held
FOREVER: Final = 4_102_444_800.0  # the year 2100, in seconds since 1970
TONES: Final = {
    "CRITICAL": "bad", "MAJOR": "bad", "MINOR": "warn", "WARNING": "warn", "CLEARED": "good",
    "FAILED": "bad", "SUCCESSFUL": "good", "EXECUTING": "busy", "PENDING": "idle", "CANCELLED": "idle",
    "ACKNOWLEDGED": "idle",
}  # fmt: skip
COLUMNS: Final = ("time", "what", "state", "device", "text", "identifier")


class Held:
    """The values and happenings of a live view; the oldest give way, and are counted in `dropped`."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = dict(names)
        self.frame = frames.empty("measurements")
        self.dropped = 0
        self.version = 0
        self._rows: deque[dict[str, Any]] = deque(maxlen=LISTED)
        self._marks: dict[str, pd.DataFrame] = {}
        self._numbers = itertools.count(1)
        self._order: dict[tuple[str, str], None] = {}

    def add(self, batches: list[Batch], now: datetime) -> bool:
        """Takes batches; whether anything changed, also by growing old."""
        values = [batch.frame for batch in batches if batch.verb == "measurements" and len(batch)]
        for batch in batches:
            if batch.verb in {"alarms", "operations"} and len(batch):
                self._happened(batch)
        if values:
            parts = [frames.chunk(part) for part in (self.frame, *values) if len(part)]
            self.frame = frames.measurements(parts)
            for part in values:
                self._order.update(
                    dict.fromkeys(zip(part["device"].astype(str), part["series"].astype(str), strict=True))
                )
        old = int(self.frame["time"].searchsorted(pd.Timestamp(now - HOUR))) if len(self.frame) else 0
        over = max(len(self.frame) - old - VALUES, 0)
        self.dropped += over
        if old + over:
            self.frame = self.frame.iloc[old + over :].reset_index(drop=True)
        self.version += bool(batches or old or over)
        return bool(batches or old or over)

    def rows(self, after: int = 0) -> list[dict[str, Any]]:
        """Alarms and operations in the order of their coming, those behind number `after`."""
        return [
            {**row, "name": self.names.get(row["device"], row["device"])}
            for row in self._rows
            if row["n"] > after
        ]

    def table(self) -> pd.DataFrame:
        """Alarms and operations as they came: time (UTC), what, state, device, text, identifier."""
        made = pd.DataFrame(
            [{name: row[name] for name in COLUMNS} for row in self._rows], columns=list(COLUMNS)
        )
        made["time"] = pd.to_datetime(made["time"], unit="s", utc=True).astype("datetime64[us, UTC]")
        return made

    def picture(
        self, span: tuple[datetime, datetime], *, zone: str, words: str, before: Moving | None
    ) -> Moving:
        """What the page draws now."""
        shown = self.frame
        if len(self._order) > CURVES:
            first = pd.MultiIndex.from_tuples(list(self._order)[:CURVES])
            keys = pd.MultiIndex.from_frame(shown[["device", "series"]].astype("str"))
            shown = shown[keys.isin(first)]
        return Moving(shown, self._marks, span, self.names, zone=zone, words=words, before=before)

    @property
    def left_out(self) -> int:
        """How many series are not drawn, because there are too many."""
        return max(len(self._order) - CURVES, 0)

    def _happened(self, batch: Batch) -> None:
        held = self._marks.get(batch.verb)
        key = batch.verb.removesuffix("s")
        joined = batch.frame if held is None else pd.concat([held, batch.frame], ignore_index=True)
        same = joined[key].notna() & joined[key].duplicated(keep="last")
        self._marks[batch.verb] = joined[~same].tail(LISTED).reset_index(drop=True)
        for row in batch.frame.to_dict("records"):
            self._rows.append(_told(key, row, next(self._numbers)))


class Moving(Drawing):
    """A picture of the last minutes: `whole` is those minutes, and the page keeps its charts while it can."""

    def __init__(
        self,
        m: pd.DataFrame,
        marks: Mapping[str, pd.DataFrame],
        span: tuple[datetime, datetime],
        names: Mapping[str, str],
        *,
        zone: str,
        words: str,
        before: Moving | None,
    ) -> None:
        super().__init__(m, names=names, zone=zone, words=words)
        # an alarm that is still active ends beyond every picture: its mark does not move with the present
        self.whole = (span[0].timestamp(), FOREVER)
        start = pd.Timestamp(span[0])
        inside = [frame[_still(frame, start)] for frame in marks.values()]
        if any(len(frame) for frame in inside):
            self.mark(inside)
        self.whole = (span[0].timestamp(), span[1].timestamp())
        self._looks = self._appearance()
        if before is not None and before.looks == self._looks:
            self.version = before.version

    @property
    def looks(self) -> dict[str, Any]:
        """What the page builds its charts and its legend from."""
        return self._looks

    def _appearance(self) -> dict[str, Any]:
        meta = self.meta()
        return {name: meta[name] for name in ("curves", "groups", "marks", "more", "zone", "words")}


def _still(frame: pd.DataFrame, start: pd.Timestamp) -> pd.Series:
    """The rows that reach into the picture."""
    inside: pd.Series = frame["time"] >= start
    if "alarm" in frame.columns:
        inside |= frame["status"].astype("str").ne("CLEARED") & frame["status"].notna()
    return inside


def _told(key: str, row: Mapping[Any, Any], number: int) -> dict[str, Any]:
    """An alarm or an operation as the page lists it."""
    state = _word(row["status"])
    if key == "alarm":
        severity = _word(row["severity"])
        what, tone = f"Alarm {severity}".strip(), TONES.get(severity, "warn")
        tone = TONES.get(state, tone) if state != "ACTIVE" else tone
        text = _word(row["text"]) or _word(row["type"])
    else:
        what, tone = f"Operation {_word(row['kind'])}".strip(), TONES.get(state, "idle")
        text = _word(row["failure"])
        state = state or _word(row["platform_status"])
    at = row["time"]
    return {
        "n": number, "time": None if pd.isna(at) else at.timestamp(), "what": what, "state": state,
        "tone": tone, "device": _word(row["device"]), "text": text, "identifier": _word(row[key]),
    }  # fmt: skip


def _word(value: Any) -> str:
    return "" if value is None or pd.isna(value) else str(value)
