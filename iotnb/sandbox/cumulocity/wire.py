"""What goes over the wire on Cumulocity: requests, answers, errors, media types, times, links."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus

import msgspec

from iotnb.sandbox.cumulocity.people import User

VENDOR = "application/vnd.com.nsn.cumulocity."
ERROR_INFO = "https://www.cumulocity.com/guides/reference-guide/#error_reporting"
JSON = "application/json"
DEFAULT_PAGE = 5
LARGEST_PAGE = 2000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORMS = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s*(Z|z|[+\- ]\d\d:?\d\d|[+\-]\d\d)?)?"
)


class Refused(Exception):
    """An error answer in the platform's shape; raised anywhere, rendered in one place."""

    def __init__(self, status: int, error: str, message: str = "", **more: Any) -> None:
        super().__init__(f"{status} {error}: {message}")
        self.status = status
        self.error = error
        self.message = message
        self.more = more


def invalid(message: str) -> Refused:
    """422 for a document that lacks a field or has a wrong one."""
    return Refused(422, "undefined/validationError", message)


def missing(*fields: str) -> Refused:
    """422 in the platform's words for mandatory fields that are not there."""
    return invalid(f"Following mandatory fields should be included: {','.join(fields)}")


def forbidden(message: str = "Access is denied.") -> Refused:
    """403: the user lacks a role."""
    return Refused(403, "security/Forbidden", message)


def unauthorized(message: str = "Invalid credentials! : Bad credentials") -> Refused:
    """401 in the platform's words."""
    return Refused(401, "security/Unauthorized", message)


def parse_time(text: object, *, strict: bool = False) -> int:
    """Milliseconds since 1970 UTC of an ISO 8601 text; no zone means UTC; nonsense is a 422.

    A blank where the `+` of an offset belongs (sent unescaped in a query) is repaired unless `strict`.
    """
    found = _FORMS.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        raise invalid(f"Not a valid time: {text!r}; ISO 8601 is expected, such as 2020-03-19T12:03:27.845Z")
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    if strict and zone and zone.startswith(" "):
        raise invalid(f"Not a valid time: {text!r}; a plus sign in a query must be sent as %2B")
    try:
        moment = datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=UTC
        )
    except ValueError as error:
        raise invalid(f"Not a valid time: {text!r}; {error}") from None
    milliseconds = (moment - _EPOCH) // timedelta(milliseconds=1)
    milliseconds += int((fraction or "0")[:3].ljust(3, "0"))
    return milliseconds - _offset(zone)


def _offset(zone: str | None) -> int:
    """Milliseconds that a zone such as `+02:00` is ahead of UTC."""
    if zone is None or zone in "Zz":
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    return (-minutes if zone[0] == "-" else minutes) * 60_000


def format_time(milliseconds: int, *, zone: tzinfo | None = None) -> str:
    """`2020-03-19T12:03:27.845Z`; with a zone the local form, `2020-03-19T14:03:27.845+02:00`."""
    moment = _EPOCH + timedelta(milliseconds=milliseconds)
    if zone is not None:
        return moment.astimezone(zone).isoformat(timespec="milliseconds")
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{milliseconds % 1000:03d}Z"


def media(kind: str) -> str:
    """The media type of an answer, such as `measurement` or `alarmcollection`."""
    return f"{VENDOR}{kind}+json;charset=UTF-8;ver=0.9"


def encode(value: object) -> bytes:
    """JSON text."""
    return msgspec.json.encode(value)


@dataclass(slots=True, kw_only=True)
class Answer:
    """What goes back: `body` is a JSON-able value, ready bytes, or None for nothing."""

    status: int = 200
    body: Any = None
    kind: str = ""  # the vendor's type name; empty: plain application/json
    content_type: str = ""  # overrides `kind`
    headers: dict[str, str] = field(default_factory=dict)
    cookies: Sequence[str] = ()
    gzipped: bool = False  # the bytes are already compressed; the client accepts that


@dataclass(slots=True, kw_only=True)
class Call:
    """One request, decoded: path segments, parameters, headers in lower case, body, user."""

    method: str
    path: str
    segments: tuple[str, ...]
    query: Mapping[str, list[str]]
    pairs: Sequence[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes
    origin: str
    is_main: bool = True  # false on the port that demands a client certificate
    peer: tuple[str, ...] = ()  # the certificates (PEM) that the client presented there, its own first
    strict: bool = False
    user: User = field(default_factory=User)

    def one(self, name: str, default: str = "") -> str:
        """The first value of a parameter; empty counts as not given."""
        values = self.query.get(name)
        return values[0] if values and values[0] else default

    def words(self, name: str) -> list[str]:
        """A comma list, which may also be repeated."""
        return [word.strip() for text in self.query.get(name, ()) for word in text.split(",") if word.strip()]

    def flag(self, name: str, default: bool = False) -> bool:
        """A boolean parameter; anything but true counts as false."""
        text = self.one(name)
        return text.strip().lower() == "true" if text else default

    def number(self, name: str, default: int) -> int:
        """A whole number; anything else is a 422."""
        text = self.one(name)
        if not text:
            return default
        try:
            return int(text)
        except ValueError:
            raise invalid(f"Parameter {name} must be a number, not {text!r}") from None

    def range(self, low: str, high: str) -> tuple[int | None, int | None]:
        """A half-open time range from two parameters, in milliseconds."""
        texts = self.one(low), self.one(high)
        start, end = (parse_time(text, strict=self.strict) if text else None for text in texts)
        return start, end

    def json(self) -> Any:
        """The decoded body; malformed JSON is the platform's 422."""
        try:
            return msgspec.json.decode(self.body)
        except msgspec.DecodeError as error:
            raise invalid(f"Cannot parse the request body as JSON: {error}") from None

    def document(self) -> dict[str, Any]:
        """The body as one JSON object."""
        value = self.json() if self.body.strip() else {}
        if not isinstance(value, dict):
            raise invalid("The request body must be a JSON object")
        return value

    @property
    def mode(self) -> str:
        """The processing mode: PERSISTENT, TRANSIENT (not stored), QUIESCENT (not announced) or CEP."""
        return self.headers.get("x-cumulocity-processing-mode", "PERSISTENT").strip().upper()

    @property
    def is_application(self) -> bool:
        """Whether an application key marks the request as no device's."""
        return "x-cumulocity-application-key" in self.headers

    @property
    def accept(self) -> str:
        """The Accept header in lower case; empty when none was sent."""
        return self.headers.get("accept", "").lower()

    @property
    def content_type(self) -> str:
        """The bare media type of the body, in lower case."""
        return self.headers.get("content-type", "").split(";")[0].strip().lower()

    def url(self, *segments: object) -> str:
        """An absolute link on the host that the client used; segments are percent-encoded."""
        return self.origin + "".join("/" + quote(str(segment), safe="") for segment in segments)

    def link(self, **changed: int) -> str:
        """This request's own URL with some parameters replaced, these last."""
        kept = [(name, value) for name, value in self.pairs if name not in changed]
        kept += [(name, str(value)) for name, value in changed.items()]
        text = "&".join(f"{quote_plus(n)}={quote_plus(v, safe='')}" for n, v in kept)
        return f"{self.origin}{self.path}?{text}" if text else self.origin + self.path

    def made(self, kind: str, document: object, location: str, status: int = 201) -> Answer:
        """The answer to a POST: Location always, the object only when Accept was sent."""
        body = document if self.accept else None
        return Answer(status=status, body=body, kind=kind, headers={"Location": location})

    def changed(self, kind: str, document: object, status: int = 200) -> Answer:
        """The answer to a PUT: the object only when Accept was sent."""
        return Answer(status=status, body=document if self.accept else None, kind=kind)


NO_CONTENT = 204


def done() -> Answer:
    """204, the answer to a DELETE."""
    return Answer(status=NO_CONTENT)


@dataclass(frozen=True, slots=True)
class Page:
    """The page that a request asks for: number from 1, size, and which totals are wanted."""

    number: int
    size: int
    total_pages: bool
    total_elements: bool

    @classmethod
    def of(cls, call: Call) -> "Page":
        """From the parameters; a size above 2000 is trimmed silently."""
        number = call.number("currentPage", 1)
        size = call.number("pageSize", DEFAULT_PAGE)
        if number < 1 or size < 1:
            raise invalid("currentPage and pageSize must be at least 1")
        return cls(
            number, min(size, LARGEST_PAGE), call.flag("withTotalPages"), call.flag("withTotalElements")
        )

    @property
    def first(self) -> int:
        """How many items come before this page."""
        return (self.number - 1) * self.size

    @property
    def wants_total(self) -> bool:
        """Whether any total was asked for."""
        return self.total_pages or self.total_elements


def page_parts(call: Call, page: Page, shown: int, total: int | None) -> dict[str, Any]:
    """The part of a collection around its items: self, next, prev, statistics.

    `next` stands on every page that is not empty, also on the last one, as on live platforms.
    """
    statistics: dict[str, Any] = {"currentPage": page.number, "pageSize": page.size}
    if total is not None and page.total_pages:
        statistics["totalPages"] = -(-total // page.size)
    if total is not None and page.total_elements:
        statistics["totalElements"] = total
    parts: dict[str, Any] = {"self": call.link(pageSize=page.size, currentPage=page.number)}
    if shown:
        parts["next"] = call.link(pageSize=page.size, currentPage=page.number + 1)
    if page.number > 1:
        parts["prev"] = call.link(pageSize=page.size, currentPage=page.number - 1)
    parts["statistics"] = statistics
    return parts


def collection(
    call: Call, name: str, kind: str, items: Iterable[Any], *, page: Page, total: int | None = None
) -> Answer:
    """One page of a collection; the items are JSON-able or msgspec.Raw."""
    shown = list(items)
    parts = page_parts(call, page, len(shown), total)
    return Answer(body={**parts, name: shown}, kind=kind)


def sliced(call: Call, name: str, kind: str, items: Sequence[Any]) -> Answer:
    """A page of a list that is whole in memory."""
    page = Page.of(call)
    shown = items[page.first : page.first + page.size]
    return collection(call, name, kind, shown, page=page, total=len(items))


def parse_query(raw: str) -> tuple[dict[str, list[str]], list[tuple[str, str]]]:
    """The parameters of a raw query string, as lists by name and as pairs in order."""
    pairs = parse_qsl(raw, keep_blank_values=True)
    by_name: dict[str, list[str]] = {}
    for name, value in pairs:
        by_name.setdefault(name, []).append(value)
    return by_name, pairs
