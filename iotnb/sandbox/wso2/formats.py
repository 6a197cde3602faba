"""How WSO2 IoT Server writes things: Gson's JSON, Java's texts for times, the order of a HashMap."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from iotnb.sandbox.wire import encode

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_HTML_SAFE = (
    (b"'", b"\\u0027"),
    (b"<", b"\\u003c"),
    (b">", b"\\u003e"),
    (b"&", b"\\u0026"),
    (b"=", b"\\u003d"),
)
_RFC_822 = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d{1,2}) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d) (\S+)"
)
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)")


def lean(value: Any) -> Any:
    """The value without members that are None: Gson leaves them out."""
    if isinstance(value, dict):
        return {name: lean(one) for name, one in value.items() if one is not None}
    if isinstance(value, list):
        return [lean(one) for one in value]
    return value


def gson(value: object) -> bytes:
    """Compact JSON in UTF-8 as Gson writes it: no nulls, and `' < > & =` as escapes."""
    text = encode(lean(value))
    for plain, escaped in _HTML_SAFE:  # none of these five stands outside of texts in JSON
        text = text.replace(plain, escaped)
    return text


def java_hash(text: str) -> int:
    """String.hashCode() without its sign."""
    found = 0
    for char in text:
        found = (31 * found + ord(char)) & 0xFFFFFFFF
    return found


def hash_order(names: Iterable[str]) -> list[str]:
    """Names in the order in which a java.util.HashMap gives them that was filled in the order given."""
    held = list(names)
    size = 16
    while len(held) > size * 3 // 4:
        size *= 2

    def bucket(name: str) -> int:
        code = java_hash(name)
        return (code ^ (code >> 16)) & (size - 1)

    return sorted(held, key=bucket)


def _at(ms: int, zone: str) -> datetime:
    return (_EPOCH + timedelta(milliseconds=ms)).astimezone(ZoneInfo(zone))


def sql_time(ms: int, zone: str) -> str:
    """java.sql.Timestamp as text: `2016-08-03 14:00:54.603`, in the server's zone, which it does not name."""
    at = _at(ms, zone)
    fraction = f"{at.microsecond // 1000:03d}".rstrip("0") or "0"
    return f"{at:%Y-%m-%d %H:%M:%S}.{fraction}"


def java_date(ms: int, zone: str) -> str:
    """java.util.Date as text: `Thu Oct 06 11:18:47 IST 2016`, in the server's zone."""
    at = _at(ms, zone)
    clock = f"{_DAYS[at.weekday()]} {_MONTHS[at.month - 1]} {at:%d %H:%M:%S}"
    return f"{clock} {at.tzname()} {at.year}"


def rfc_822(ms: int) -> str:
    """`Tue, 6 Mar 2018 06:42:12 +0000`."""
    at = _EPOCH + timedelta(milliseconds=ms)
    return f"{_DAYS[at.weekday()]}, {at.day} {_MONTHS[at.month - 1]} {at:%Y %H:%M:%S} +0000"


def parse_rfc_822(text: str) -> int | None:
    """Milliseconds of such a time (GMT and UTC are known besides offsets), or None for any other text."""
    found = _RFC_822.fullmatch(text.strip())
    if found is None or found[2] not in _MONTHS:
        return None
    shift = _OFFSET.fullmatch(found[7])
    if shift is None and found[7] not in ("GMT", "UTC", "Z"):
        return None
    minutes = 0 if shift is None else (int(shift[2]) * 60 + int(shift[3])) * (-1 if shift[1] == "-" else 1)
    try:
        day, year, hour, minute, second = (int(found[n]) for n in (1, 3, 4, 5, 6))
        zone = timezone(timedelta(minutes=minutes))
        at = datetime(year, _MONTHS.index(found[2]) + 1, day, hour, minute, second, tzinfo=zone)
    except ValueError:
        return None
    return (at - _EPOCH) // timedelta(milliseconds=1)
