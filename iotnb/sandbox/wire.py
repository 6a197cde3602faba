"""What every platform's wire code needs: JSON, times, a request's parts, sending an answer."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from email.parser import BytesParser
from email.policy import HTTP
from typing import NamedTuple

import msgspec

from iotnb.sandbox.world import Scope, Send

JSON = "application/json"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FINE = re.compile(r"(\.\d{6})\d+")


def encode(value: object) -> bytes:
    """JSON in UTF-8."""
    return msgspec.json.encode(value)


def iso(ms: int, digits: int = 3) -> str:
    """Milliseconds as ISO 8601 with `Z` and 0, 3 or 7 digits of a second."""
    at = _EPOCH + timedelta(milliseconds=ms)
    tail = {0: "", 3: f".{at.microsecond // 1000:03d}", 7: f".{at.microsecond:06d}0"}[digits]
    return f"{at:%Y-%m-%dT%H:%M:%S}{tail}Z"


def parse_time(text: str) -> int | None:
    """Milliseconds of an ISO 8601 time (no zone: UTC; a date: its midnight), or None for any other text."""
    try:
        at = datetime.fromisoformat(_FINE.sub(r"\1", text.strip()))
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return (at - _EPOCH) // timedelta(milliseconds=1)


class Part(NamedTuple):
    """One part of a multipart body; `filename` is empty for a plain field."""

    name: str
    filename: str
    media: str
    data: bytes


def multipart(content_type: str, body: bytes) -> list[Part]:
    """The parts of a multipart body; [] for any other content type."""
    if not content_type.lower().startswith("multipart/"):
        return []
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1")
    found = []
    for part in BytesParser(policy=HTTP).parsebytes(head + body).iter_parts():
        name = str(part.get_param("name", header="content-disposition") or "")
        content = part.get_payload(decode=True)
        data = content if isinstance(content, bytes) else b""
        found.append(Part(name, part.get_filename() or "", part.get_content_type(), data))
    return found


def headers_of(scope: Scope) -> dict[str, str]:
    """A request's headers, names in small letters."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def raw_path(scope: Scope) -> str:
    """A request's path as it was sent, still percent-encoded, without the query."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.decode("latin-1").partition("?")[0]


async def respond(
    send: Send, status: int, body: bytes, headers: Iterable[tuple[str, str]], *, head: bool = False
) -> None:
    """Send one answer; 204 goes out without a body and length, the answer to HEAD without a body."""
    pairs = [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in headers]
    if status != 204:
        pairs.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": b"" if head or status == 204 else body})
