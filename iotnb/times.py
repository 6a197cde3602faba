"""Every platform's time format in, timezone-aware UTC out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from iotnb.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np

    Moments = np.ndarray[Any, np.dtype[np.datetime64]]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNITS = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}

MONDAY = datetime(1970, 1, 5, tzinfo=UTC)  # from which weeks are counted
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
MONTHS = {"M": 1, "q": 3, "y": 12}

_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|m|h|d|w)")
_INTERVAL = re.compile(r"([1-9]\d{0,2})(s|min|m|h|d|D|w|W|M|q|y)")
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


@dataclass(frozen=True)
class Interval:
    """A step of time such as 15m, 1h, 1d or 1M, in UTC and in step with the calendar.

    `unit` is s, m, h, d, w (from Monday), M (months), q or y; several of them are counted from 1970.
    """

    count: int
    unit: str

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"

    @property
    def span(self) -> timedelta | None:
        """The length; None for months, quarters and years, which differ in theirs."""
        return timedelta(seconds=self.count * SECONDS[self.unit]) if self.unit in SECONDS else None

    def floor(self, moment: datetime) -> datetime:
        """The start of the interval that a moment lies in."""
        moment = moment.astimezone(UTC)
        try:
            if self.span is not None:
                return moment - (moment - self._origin) % self.span
            month = (moment.year - 1970) * 12 + moment.month - 1
            month -= month % (self.count * MONTHS[self.unit])
            return datetime(1970 + month // 12, month % 12 + 1, 1, tzinfo=UTC)
        except (OverflowError, ValueError):
            return datetime.min.replace(tzinfo=UTC)  # an interval that begins before the year 1

    def floors(self, moments: Moments, tz: str = "UTC") -> Moments:
        """The starts of the intervals that moments (datetime64, UTC) lie in, as datetime64[us], UTC.

        With `tz` the intervals follow the clocks of that zone: a day has 23 or 25 hours when they change, and
        the hour that comes twice is two hours. Raises ConfigError for an unknown zone.
        """
        if tz != "UTC":
            return self._local(moments, zone(tz))
        import numpy as np

        starts: Moments
        if self.span is not None:
            origin = np.datetime64(self._origin.replace(tzinfo=None), "us")
            starts = moments - (moments - origin) % np.timedelta64(self.span, "us")
        else:
            months = moments.astype("M8[M]").astype(np.int64)
            firsts = months - months % (self.count * MONTHS[self.unit])
            starts = firsts.astype("M8[M]").astype("M8[us]")
        return starts

    def _local(self, moments: Moments, zone: ZoneInfo) -> Moments:
        import numpy as np
        import pandas as pd

        wall = pd.DatetimeIndex(moments).tz_localize("UTC").tz_convert(zone).tz_localize(None)
        starts = pd.DatetimeIndex(self.floors(wall.to_numpy()))

        def utc(*, first: bool) -> Moments:
            """What is on the clock twice, taken as the first or the second time."""
            local = starts.tz_localize(
                zone, ambiguous=np.full(len(starts), first), nonexistent="shift_forward"
            )
            plain: Moments = local.tz_convert("UTC").tz_localize(None).to_numpy().astype("M8[us]")
            return plain

        first = utc(first=True)
        if self.span is None or self.span > timedelta(hours=1):
            return first  # a longer interval goes on when the clock is set back
        second = utc(first=False)
        chosen: Moments = np.where(second <= moments, second, first)
        return chosen

    def aligned(self, window: Window) -> Window:
        """The window with its start at the start of an interval, so that the first one is whole."""
        return Window(self.floor(window.start), window.end)

    def after(self, moment: datetime) -> datetime:
        """The start of the interval that follows the one that a moment lies in."""
        start = self.floor(moment)
        if self.span is not None:
            return start + self.span
        month = (start.year - 1970) * 12 + start.month - 1 + self.count * MONTHS[self.unit]
        return datetime(1970 + month // 12, month % 12 + 1, 1, tzinfo=UTC)

    @property
    def _origin(self) -> datetime:
        return MONDAY if self.unit == "w" else EPOCH


def zone(name: str) -> ZoneInfo:
    """A time zone by its IANA name, such as `Europe/Berlin`; raises ConfigError for an unknown one."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise ConfigError(
            f"tz={name!r} is no time zone: write a name such as 'Europe/Berlin', or 'UTC'"
        ) from None


def interval(text: str, *, name: str = "aggregate") -> Interval:
    """An interval as a person writes it, `15m`, `1h`, `1d`, `1M`; raises ConfigError for anything else."""
    found = _INTERVAL.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        raise ConfigError(
            f"{name}={text!r} is no interval: write a number up to 999 and s, m, h, d, w, M (months), "
            "q or y, such as '15m' or '1d'"
        )
    return Interval(int(found[1]), {"min": "m", "D": "d", "W": "w"}.get(found[2], found[2]))


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


def span(given: str | timedelta, *, name: str = "span") -> timedelta:
    """A span of time such as `"1h"` or `"0s"`; raises ConfigError for what is none."""
    found = _span(given)
    if found is None or not timedelta(0) <= found < timedelta.max:
        raise ConfigError(f"{name}={given!r} is no span of time: write one such as '10m' or '24h'")
    return found


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


def to_us(moment: datetime) -> int:
    """Microseconds since 1970, UTC."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def from_us(microseconds: int) -> datetime:
    """The moment at so many microseconds since 1970, UTC."""
    return EPOCH + timedelta(microseconds=microseconds)


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
