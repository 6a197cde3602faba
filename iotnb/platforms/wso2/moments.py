"""The five forms in which WSO2 IoT Server writes a time, all read as UTC; pure functions.

Epoch milliseconds (enrolments, events, geo), `2016-08-03 14:01:02.603` (operations and responses, in the
server's zone, which the text does not name), `Thu Oct 06 11:18:47 IST 2016` (activities, in the server's
zone; the letters are ambiguous), `Tue, 6 Mar 2018 06:42:12 +0000`
(details, `since`), epoch seconds (updates).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from iotnb import times
from iotnb.errors import ConfigError

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
SECONDS = 100_000_000_000  # a number below is seconds: as milliseconds it would lie before March 1973

_LOCAL = re.compile(r"(\d{4})-(\d{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?", re.ASCII)
_JAVA = re.compile(
    r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) +(\d{1,2}) (\d{2}):(\d{2}):(\d{2}) (\S+) (\d{4})", re.ASCII
)
_MAIL = re.compile(
    r"(?:[A-Z][a-z]{2}, )?(\d{1,2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) (?:([+-])(\d{2})(\d{2})|"
    r"(GMT|UTC|Z))",
    re.ASCII,
)


def zone(name: str) -> ZoneInfo:
    """The time zone of that name (`UTC`, `Asia/Kolkata`); raises ConfigError for one that there is not."""
    try:
        return ZoneInfo(name.strip() or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(
            f"server_tz={name!r} is no time zone: write its name, such as 'UTC', 'Asia/Kolkata' or "
            "'Europe/Berlin'"
        ) from None


def moment(value: Any, server_tz: str = "UTC") -> datetime | None:
    """A time in any of the five forms, UTC; None for what is none (an operation never stamped has "").

    `server_tz` names the zone of those that do not name theirs, and of those that name it by letters.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _number(value)
    text = value.strip() if isinstance(value, str) else ""
    try:
        if match := _LOCAL.fullmatch(text):
            *parts, fraction = match.groups()
            micro = int((fraction or "0")[:6].ljust(6, "0"))
            return _from_zone([int(part) for part in parts], micro, server_tz)
        if match := _JAVA.fullmatch(text):
            month, day, hour, minute, second, letters, year = match.groups()
            parts_of = [int(year), MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second)]
            return _from_zone(parts_of, 0, "UTC" if letters in {"UTC", "GMT", "Z"} else server_tz)
        if match := _MAIL.fullmatch(text):
            return _marked(match)
        return times.from_wire(text)
    except (ValueError, OverflowError):
        return None


def letters(value: Any) -> str:
    """The zone's letters in a Java date (`IST`), or ""."""
    match = _JAVA.fullmatch(value) if isinstance(value, str) else None
    return match[6] if match else ""


def fits(value: Any, server_tz: str) -> bool:
    """Whether the letters in a Java date can be those of the zone; True for what has none."""
    found, at = letters(value), moment(value, server_tz)
    if not found or at is None or found in {"UTC", "GMT", "Z"}:
        return not found or server_tz in {"UTC", "GMT", "Etc/UTC"} or found not in {"UTC", "GMT", "Z"}
    name = at.astimezone(zone(server_tz)).tzname() or ""
    return name == found or not name.isalpha()


def mail(at: datetime) -> str:
    """A moment as `since` wants it: `Tue, 06 Mar 2018 06:42:12 +0000`."""
    return format_datetime(at.astimezone(UTC))


def _number(value: int | float) -> datetime | None:
    if value != value or value <= 0:
        return None
    milliseconds = value * 1000 if value < SECONDS else value
    try:
        return times.from_ms(int(milliseconds))
    except OverflowError:
        return None


def _from_zone(parts: list[int], micro: int, server_tz: str) -> datetime:
    year, month, day, hour, minute, second = parts
    local = datetime(year, month, day, hour, minute, second, micro, tzinfo=zone(server_tz))
    return local.astimezone(UTC)


def _marked(match: re.Match[str]) -> datetime:
    day, month, year, hour, minute, second, sign, hours, minutes, _ = match.groups()
    naive = datetime(
        int(year), MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second), tzinfo=UTC
    )
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    return naive - offset if sign == "+" else naive + offset
