"""What goes over the wire on WSO2 IoT Server: requests, answers, and every costume of its errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

import msgspec

from iotnb.sandbox.wire import JSON, encode
from iotnb.sandbox.wso2.formats import gson

Json = dict[str, Any]
TEXT, XML, FORM = "text/plain", "application/xml", "application/x-www-form-urlencoded"
_SPACES = {
    "security": ("ams", "http://wso2.org/apimanager/security"),
    "throttling": ("amt", "http://wso2.org/apimanager/throttling"),
    "runtime": ("am", "http://wso2.org/apimanager"),
}


@dataclass(slots=True)
class Answer:
    """What a handler answers: bytes go out as they are, None as an empty body, the rest as Gson's JSON."""

    status: int = 200
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = JSON

    def payload(self) -> bytes:
        """The body's bytes."""
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else gson(self.body)


class Refused(Exception):
    """An error answer; raised anywhere, sent in one place."""

    def __init__(
        self,
        status: int,
        body: object = None,
        *,
        content_type: str = JSON,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {body!r}")
        self.answer = Answer(status, body, dict(headers or {}), content_type)


class Fault(Exception):
    """An error of the gateway in front of the services: a code in XML or JSON."""

    def __init__(
        self,
        status: int,
        kind: str,
        code: int,
        message: str,
        description: str,
        *,
        type: str = "",  # noqa: A002
    ) -> None:
        super().__init__(f"{status} {code} {message}")
        self.status, self.kind, self.code = status, kind, code
        self.message, self.description, self.type = message, description, type

    def answer(self, form: str, headers: Mapping[str, str] | None = None) -> Answer:
        """The fault as `xml` or `json`."""
        members = {
            "code": self.code,
            "type": self.type,
            "message": self.message,
            "description": self.description,
        }
        members = {name: value for name, value in members.items() if value != ""}
        if form == "json":
            return Answer(self.status, encode({"fault": members}), dict(headers or {}))
        prefix, space = _SPACES[self.kind]
        inside = "".join(f"<{prefix}:{n}>{escape(str(v))}</{prefix}:{n}>" for n, v in members.items())
        text = f'<{prefix}:fault xmlns:{prefix}="{space}">{inside}</{prefix}:fault>'
        return Answer(self.status, text.encode(), dict(headers or {}), XML)


def problem(status: int, message: str, *, code: bool = True, items: Sequence[Json] = ()) -> Refused:
    """A service's JSON error; without `code` the member is left out, as many services do."""
    body: Json = {"code": status} if code else {}
    return Refused(status, body | {"message": message, "errorItems": list(items)})


def oauth_error(status: int, error: str, description: str) -> Refused:
    """The token endpoint's JSON error."""
    headers = {"WWW-Authenticate": 'Basic realm="WSO2"'} if status == 401 else {}
    return Refused(status, encode({"error_description": description, "error": error}), headers=headers)


def not_served(path: str) -> Fault:
    """404 of the gateway: no API has this path."""
    description = f"The requested resource ({path}) is not available."
    return Fault(404, "runtime", 404, "Not Found", description, type="Status report")


def backend_failure() -> Fault:
    """500 of the gateway: what stands behind it did not answer."""
    return Fault(
        500, "runtime", 101503, "Runtime Error", "Error connecting to the back end", type="Status report"
    )


@dataclass(slots=True)
class Caller:
    """Who a token speaks for."""

    user: str
    admin: bool
    scopes: frozenset[str] = frozenset()
    client_id: str = ""


@dataclass(slots=True, kw_only=True)
class Call:
    """One request, with what the front of the app learned about it."""

    method: str
    path: str
    raw_query: str
    headers: dict[str, str]
    body: bytes
    strict: bool = False
    caller: Caller = field(default_factory=lambda: Caller("", admin=False))
    pairs: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pairs = parse_qsl(self.raw_query, keep_blank_values=True)

    def one(self, name: str, default: str = "") -> str:
        """The first value of a query parameter."""
        return next((value for key, value in self.pairs if key == name), default)

    def flag(self, name: str) -> bool:
        """True if a query parameter says so."""
        return self.one(name).lower() == "true"

    def number(self, name: str, default: int = 0) -> int:
        """A query parameter as a whole number; 404 for other text, as JAX-RS has it."""
        text = self.one(name).strip()
        if not text:
            return default
        try:
            found = int(text)
        except ValueError:
            raise Refused(404) from None
        if abs(found) >= 2**63:  # more than a Java long holds
            raise Refused(404)
        return found

    @property
    def content_type(self) -> str:
        """The media type of the body without parameters, in small letters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def json(self) -> Any:
        """The decoded body, None without one; 400 with an empty body for what is no JSON."""
        if not self.body.strip():
            return None
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Refused(400) from None

    def document(self) -> Json:
        """The body as an object; 400 with an empty body for anything else."""
        found = self.json()
        if not isinstance(found, dict):
            raise Refused(400)
        return found

    def array(self) -> list[Any]:
        """The body as an array; 400 with an empty body for anything else."""
        found = self.json()
        if not isinstance(found, list):
            raise Refused(400)
        return found


def identifier(value: Any) -> str | None:
    """A device identifier from JSON as text: clients send numbers too; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


@dataclass(frozen=True, slots=True)
class Page:
    """Which rows of a list are wanted."""

    offset: int
    limit: int

    def of(self, rows: Sequence[Any]) -> Sequence[Any]:
        """The rows of the page."""
        return rows[self.offset : self.offset + self.limit]


def page_of(call: Call, default: int, *, most: int | None = 100) -> Page:
    """The paging parameters; a limit of 0 is the default, 400 beyond the bounds."""
    offset, limit = call.number("offset"), call.number("limit")
    if offset < 0:
        raise problem(400, "Request parameter offset is s negative value.")
    if limit < 0:
        raise problem(400, "Request parameter limit is a negative value.")
    if most is not None and limit > most:
        raise problem(400, f"Request parameter limit should be less than or equal to {most}.")
    return Page(offset, limit or default)
