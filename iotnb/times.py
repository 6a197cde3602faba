"""Every platform's time format in, timezone-aware UTC out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from iotnb.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNITS = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}

_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|m|h|d|w)")
_ISO = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?"
    r"(?:([Zz])|([+-])(\d{2}):?(\d{2}))",
    re.ASCII,
)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True)
class Window:
    """A span of time [start, end), both timezone-aware UTC."""

    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        """The length in seconds."""
        return (self.end - self.start).total_seconds()


def now() -> datetime:
    """The present moment, UTC."""
    return datetime.now(UTC)


def window(
    since: str | datetime | date | timedelta | None,
    until: str | datetime | date | None = None,
    *,
    now: datetime | None = None,
) -> Window:
    """The window between two moments; `since` may be a span back from `until`, such as `"24h"` or `"7d"`.

    Spans count in s, m, h, d, w. `until` defaults to the present; `since=None` means since 1970.
    Raises ConfigError for a time without zone, nonsense, or a window that is empty or runs backwards.
    """
    present = now or datetime.now(UTC)
    end = present if until is None else parse(until, name="until")
    if since is None:
        start = EPOCH
    elif (span := _span(since)) is not None:
        try:
            start = end - span
        except OverflowError:
            raise ConfigError(f"since={since!r} reaches back too far: give a shorter span") from None
    else:
        start = parse(since, name="since")
    if start == end:
        raise ConfigError(
            f"the window is empty: since and until are both {to_wire(start)}. Give a longer span."
        )
    if start > end:
        raise ConfigError(
            f"the window runs backwards: since is {to_wire(start)}, until is {to_wire(end)}. "
            "Swap them, or leave until out to end at the present."
        )
    return Window(start, end)


def _span(since: Any) -> timedelta | None:
    """A span of time, or None for what is none; longer than any calendar when it is out of range."""
    if isinstance(since, timedelta):
        return since
    match = _SPAN.fullmatch(since.strip().lower()) if isinstance(since, str) else None
    if match is None:
        return None
    try:
        return timedelta(**{UNITS[match[2]]: float(match[1])})
    except OverflowError:
        return timedelta.max


def parse(value: Any, *, name: str = "time") -> datetime:
    """A moment given by a person: ISO 8601 with a zone, a plain day (UTC), or an aware datetime.

    Raises ConfigError for a moment without zone: it would mean another instant on another machine.
    """
    if isinstance(value, datetime):  # a pandas Timestamp is one too
        moment = value.to_pydatetime(warn=False) if hasattr(value, "to_pydatetime") else value
        if moment != moment:  # pandas' NaT, a datetime that equals nothing
            raise ConfigError(f"{name}={value} is no time: leave it out, or give one")
        if moment.tzinfo is None:
            raise ConfigError(
                f"{name}={value!s} has no time zone: write it with one, for example "
                f"'{moment.isoformat()}Z' for UTC, or value.replace(tzinfo=datetime.UTC)"
            )
        return _utc(moment, name)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, str):
        text = value.strip()
        if text.lower() == "now":
            return datetime.now(UTC)
        if _DAY.fullmatch(text):
            text += "T00:00:00Z"
        try:
            return from_wire(text)
        except ValueError:
            pass
        try:
            naive = datetime.fromisoformat(text)
        except ValueError:
            naive = None
        if naive is not None and naive.tzinfo is not None:
            return _utc(naive, name)
        if naive is not None:
            raise ConfigError(f"{name}={value!r} has no time zone: write '{text}Z' for UTC or '{text}+02:00'")
    raise ConfigError(
        f"{name}={value!r} is no time that I understand: write a span such as '24h' or '7d', "
        "a day such as '2026-01-31', or ISO 8601 with a zone such as '2026-01-31T08:00:00Z'"
    )


def _utc(moment: datetime, name: str) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ConfigError(f"{name}={moment.isoformat()} is outside the years 1 to 9999 in UTC") from None


def from_wire(text: str) -> datetime:
    """An ISO 8601 time with a zone, as servers send it, in UTC.

    Takes `2020-03-19T12:03:27.845Z`, `2013-08-30T10:12:24.378+02:00`, decimals kept to microseconds.
    Raises ValueError for anything else, such as the `+02:0` or the year `20130` of some documents.
    """
    match = _ISO.fullmatch(text.strip())
    if not match:
        raise ValueError(f"not an ISO 8601 time with a zone: {text!r}")
    *digits, fraction, _zulu, sign, off_hours, off_minutes = match.groups()
    year, month, day, hour, minute, second = (int(part or 0) for part in digits)
    micro = int((fraction or "0")[:6].ljust(6, "0"))
    moment = datetime(year, month, day, hour, minute, second, micro, tzinfo=UTC)
    if sign:
        if int(off_hours) > 23 or int(off_minutes) > 59:
            raise ValueError(f"not a time zone offset: {text!r}")
        offset = timedelta(hours=int(off_hours), minutes=int(off_minutes))
        try:
            moment = moment - offset if sign == "+" else moment + offset
        except OverflowError:
            raise ValueError(f"outside the years 1 to 9999 in UTC: {text!r}") from None
    return moment


def to_wire(moment: datetime) -> str:
    """A moment as `2026-01-01T00:00:00.000Z`; cut to milliseconds, as the platforms store them."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def to_ms(moment: datetime) -> int:
    """Milliseconds since 1970, UTC."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


def from_ms(milliseconds: int) -> datetime:
    """The moment at so many milliseconds since 1970, UTC."""
    return EPOCH + timedelta(milliseconds=milliseconds)


def column(texts: Sequence[str]) -> np.ndarray[Any, np.dtype[np.datetime64]]:
    """Server times as a numpy column of datetime64[us], UTC.

    The usual fixed form (`2020-03-19T12:03:27.845Z`) is read in one sweep, everything else one by one.
    Raises ValueError as `from_wire` does.
    """
    import numpy as np

    if not len(texts):
        return np.empty(0, "M8[us]")
    if _fixed_form(texts):
        # numpy checks the rest; it is handed the texts without the Z: with it, large arrays crashed 2.4.6
        cells = np.frombuffer("".join(texts).encode(), np.uint8).reshape(len(texts), -1)
        moments = np.ascontiguousarray(cells[:, :-1]).view(f"S{len(texts[0]) - 1}").ravel().astype("M8[us]")
        if moments.min() >= np.datetime64("0001-01-01"):
            return moments
    return np.array([from_wire(text).replace(tzinfo=None) for text in texts], "M8[us]")


def _fixed_form(texts: Sequence[str]) -> bool:
    """Whether all are digits in the form `2020-03-19T12:03:27[.845[000]]Z`, alike in length."""
    length = len(texts[0])
    if length not in {20, 24, 27} or set(map(len, texts)) != {length}:
        return False
    joined, count = "".join(texts), len(texts)
    marks = {4: "-", 7: "-", 10: "T", 13: ":", 16: ":", 19: ".", length - 1: "Z"}
    if any(joined[place::length] != mark * count for place, mark in marks.items()):
        return False
    others = joined.encode("utf-8", "replace").translate(None, b"0123456789")
    return len(others) == len(marks) * count
