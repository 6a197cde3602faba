"""What goes over the wire on T IoT Hub: requests, answers, the error shapes of its three parts, times."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from iotnb.sandbox.tiothub.names import resource_key
from iotnb.sandbox.wire import JSON

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BASIC = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(?:,(\d{1,9}))?")
_TY = re.compile(r";\s*ty\s*=\s*(\d+)")

STATUS_OF: dict[int, int] = {
    2000: 200,
    2001: 201,
    2002: 200,
    2004: 200,
    4000: 400,
    4001: 501,
    4004: 404,
    4005: 405,
    4008: 504,
    4015: 415,
    4102: 400,
    4103: 403,
    4105: 409,
    4107: 403,
    4117: 403,
    5000: 500,
    5103: 404,
    5105: 403,
    5203: 403,
    5204: 500,
    5207: 406,
}
"""oneM2M result code to HTTP status."""


class Refused(Exception):
    """An error answer: status, body and headers as they go out; raised anywhere, sent in one place."""

    def __init__(
        self,
        status: int,
        body: object,
        *,
        rsc: int | None = None,
        headers: Mapping[str, str] | None = None,
        content_type: str = JSON,
    ) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body
        self.rsc = rsc
        self.headers = dict(headers or {})
        self.content_type = content_type


def debug(rsc: int, text: str) -> Refused:
    """An error of the device management side: oneM2M result code and `m2m:dbg`."""
    return Refused(STATUS_OF[rsc], {"m2m:dbg": text}, rsc=rsc)


def not_allowed(method: str) -> Refused:
    """405 as a container answers it: a page for people."""
    page = f"<html><body><h1>405 Method Not Allowed</h1><p>{method}</p></body></html>"
    return Refused(405, page.encode(), rsc=4005, content_type="text/html")


@dataclass(slots=True)
class Answer:
    """What a handler answers; a body is JSON-able, bytes that are sent as they are, or None."""

    status: int = 200
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = JSON
    rsc: int | None = None


@dataclass(slots=True)
class Client:
    """An application access: who a token belongs to and what it may do."""

    id: str
    name: str
    permissions: frozenset[str]

    def may(self, service: str, *, write: bool) -> bool:
        """True if the permissions hold read (or write) for a service."""
        return f"rw%{service}" in self.permissions or (not write and f"ro%{service}" in self.permissions)


@dataclass(slots=True)
class Call:
    """One request, with what the front of the app learned about it."""

    method: str
    path: str
    raw_query: str
    headers: dict[str, str]
    body: bytes
    origin: str
    prefix: str = ""
    """The part of the path in front of the service's own."""
    tenant: str = ""
    segments: tuple[str, ...] = ()
    """What follows the tenant, decoded."""
    client: Client | None = None
    pairs: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pairs = parse_qsl(self.raw_query, keep_blank_values=True)

    def one(self, name: str, default: str = "") -> str:
        """The last value of a query parameter."""
        return next((value for key, value in reversed(self.pairs) if key == name), default)

    def all(self, name: str) -> list[str]:
        """Every value of a query parameter."""
        return [value for key, value in self.pairs if key == name]

    def raw(self, name: str) -> str | None:
        """A query parameter as it was sent, not decoded, or None."""
        parts = (part.partition("=") for part in self.raw_query.split("&"))
        return next((value for key, _, value in parts if key == name), None)

    @property
    def originator(self) -> str:
        """X-M2M-Origin."""
        return self.headers.get("x-m2m-origin", "").strip()

    @property
    def request_id(self) -> str:
        """X-M2M-RI."""
        return self.headers.get("x-m2m-ri", "").strip()

    @property
    def content_type(self) -> str:
        """The media type of the body without parameters, in small letters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def ty(self) -> int | None:
        """The resource type behind `;ty=` in the content type."""
        found = _TY.search(self.headers.get("content-type", ""))
        return int(found[1]) if found else None

    @property
    def full_names(self) -> bool:
        """Whether the request asks for long names with `fullName: true`."""
        return self.headers.get("fullname", "").strip().lower() == "true"

    def json(self) -> Any:
        """The decoded body; msgspec.DecodeError for what is no JSON."""
        return msgspec.json.decode(self.body)

    def resource(self) -> tuple[str, dict[str, Any]]:
        """Key and attributes of the one resource in the body, as posted; 400 for anything else."""
        try:
            body = self.json()
        except msgspec.DecodeError as error:
            raise debug(4000, f"Malformed request/content? {error}") from None
        if not isinstance(body, dict) or len(body) != 1:
            raise debug(4000, "Malformed request/content? one resource is expected")
        ((name, attributes),) = body.items()
        if not isinstance(attributes, dict):
            raise debug(4000, "Malformed request/content? a resource is an object")
        return resource_key(name) or name, attributes


def basic_time(ms: int) -> str:
    """Milliseconds as DMO prints times: `20230609T083219,210000`."""
    at = _EPOCH + timedelta(milliseconds=ms)
    return f"{at:%Y%m%dT%H%M%S},{at.microsecond:06d}"


def parse_basic(text: str) -> int | None:
    """Milliseconds of a time in the basic format, or None for any other text."""
    found = _BASIC.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(found[n]) for n in range(1, 7))
    try:
        at = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return int(at.timestamp()) * 1000 + int((found[7] or "0").ljust(3, "0")[:3])
