"""What goes over the wire on IoTConnect: requests, answers, the envelopes, the shapes of errors, pages.

Names in queries and bodies are matched without regard to case. Lists come in `data` with `count` beside it,
single objects as arrays of one, an empty list as 204 without a body.
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from iotnb.sandbox.iotconnect.ids import fixed
from iotnb.sandbox.wire import JSON, iso, parse_time

Json = dict[str, Any]
Fault = tuple[str, str]
"""One entry of an error's list: the parameter and what is wrong with it."""
LARGEST_PAGE = 1000
EDITIONS = {"v1.1": "v1.1", "v2": "az", "v2.1": "aws"}
"""Prefix to edition."""
PREFIXES = {edition: prefix for prefix, edition in EDITIONS.items()}
"""Edition to prefix."""


class Refused(Exception):
    """An error answer; raised anywhere, sent in one place. `body` replaces the usual shape."""

    def __init__(
        self,
        status: int,
        message: str,
        errors: Sequence[Fault] = (),
        *,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {message}")
        self.status = status
        self.message = message
        self.errors = tuple(errors)
        self.own_body = body
        self.headers = dict(headers or {})

    @property
    def body(self) -> object:
        """The body as it goes out."""
        if self.own_body is not None:
            return self.own_body
        listed = [{"param": param, "message": text} for param, text in self.errors]
        return {"status": self.status, "message": self.message, "error": listed}


def unauthorized(message: str) -> Refused:
    """401: in this one answer `error` is an object."""
    body = {"status": 401, "message": message, "error": {"message": message}, "data": None, "ie": None}
    return Refused(401, message, body=body)


def forbidden(section: str) -> Refused:
    """403: the role is not allowed in a section."""
    return Refused(403, f"You are not authorized for this section: {section}", [("section", section)])


def not_found(param: str, message: str) -> Refused:
    """404: the answer for templates by GUID, users, firmware and upgrades."""
    return Refused(404, message, [(param, message)])


def conflict(param: str, message: str) -> Refused:
    """409: unknown devices, template codes, entities and commands; what exists already; wrong states."""
    return Refused(409, message, [(param, message)])


def invalid(*errors: Fault) -> Refused:
    """412: the request does not fit."""
    return Refused(412, "The request is not valid", errors)


@dataclass(slots=True)
class Answer:
    """What a handler answers; a body is JSON-able, bytes that are sent as they are, or None."""

    status: int = 200
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who a token belongs to."""

    guid: str
    name: str
    role: str


@dataclass(slots=True, kw_only=True)
class Call:
    """One request, with what the front of the app learned about it."""

    method: str
    path: str
    """The path as it was sent, without the query."""
    segments: tuple[str, ...]
    """The path below the prefix, decoded."""
    raw_query: str
    headers: dict[str, str]
    body: bytes
    origin: str
    host: str
    prefix: str = ""
    """v1.1, v2 or v2.1; empty outside of the three."""
    strict: bool = False
    default_page: int = 10
    caller: Caller | None = None
    query: dict[str, str] = field(default_factory=dict)
    """Query parameters, names in small letters, blank ones left out."""

    def __post_init__(self) -> None:
        pairs = parse_qsl(self.raw_query, keep_blank_values=True)
        self.query = {name.lower(): value for name, value in pairs if value != ""}

    @property
    def edition(self) -> str:
        """aws, az or v1.1: what the prefix stands for."""
        return EDITIONS.get(self.prefix, "")

    @property
    def user(self) -> Caller:
        """Who asks; 401 if nobody does."""
        if self.caller is None:
            raise unauthorized("A token is needed.")
        return self.caller

    def one(self, name: str, default: str = "") -> str:
        """A query parameter by its name in small letters."""
        return self.query.get(name, default)

    def flag(self, name: str) -> bool | None:
        """A yes or no in the query; None if it is not given, 412 for any other text."""
        text = self.query.get(name)
        if text is None:
            return None
        found = truth(text)
        if found is None:
            raise invalid((name, f"{text!r} is neither true nor false"))
        return found

    def number(self, name: str, default: int) -> int:
        """A whole number in the query; 412 for any other text."""
        text = self.query.get(name)
        if text is None:
            return default
        try:
            return int(text)
        except ValueError:
            raise invalid((name, f"{text!r} is not a whole number")) from None

    def document(self, *, needed: bool = True) -> Json:
        """The body, an object, its members' names in small letters; 412 for anything else."""
        if not self.body.strip():
            if needed:
                raise invalid(("body", "a JSON object is needed"))
            return {}
        try:
            found = msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise invalid(("body", f"this is not JSON: {error}")) from None
        if not isinstance(found, dict):
            raise invalid(("body", "the body must be a JSON object"))
        return folded(found)


def digits(text: str) -> int | None:
    """The whole number that a text of decimal digits is, or None."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def folded(document: Mapping[str, Any]) -> Json:
    """The same object with its names in small letters."""
    return {str(name).lower(): value for name, value in document.items()}


def truth(value: Any) -> bool | None:
    """True and false as bool, number or text; None for anything else."""
    return {"true": True, "1": True, "false": False, "0": False}.get(str(value).strip().lower())


def required(document: Json, *names: str) -> list[str]:
    """The texts of members that must be there; 412 names every one that is missing or blank."""
    found = {name: document.get(name.lower()) for name in names}
    missing = [(name, f"{name} is required") for name, value in found.items() if value in (None, "", [])]
    if missing:
        raise invalid(*missing)
    return [str(value) for value in found.values()]


def text_of(document: Json, name: str, default: str = "") -> str:
    """A member as text; the default if it is absent or null."""
    value = document.get(name.lower())
    return default if value is None else str(value)


def stamp(ms: int | None) -> str | None:
    """A time as answers print it, or None."""
    return None if ms is None else iso(ms)


def day_of(text: str) -> int | None:
    """Milliseconds of the midnight of a date `yyyy-MM-dd`, or None for any other text."""
    return parse_time(text) if len(text.strip()) == 10 else None


def ok(data: Any, message: str = "Success", *, count: int | None = None) -> Answer:
    """200 with the envelope of single objects and changes."""
    body: Json = {"data": data, "status": 200, "message": message}
    return Answer(body=body if count is None else {**body, "count": count})


def single(document: Json) -> Answer:
    """200 with an array of one."""
    return ok([document], count=1)


def done(message: str = "Success") -> Answer:
    """200 of a change: an empty array."""
    return ok([], message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which part of a list is asked for."""

    first: int
    size: int | None
    """None: everything."""
    sort: str = ""
    descending: bool = False

    def cut(self, rows: Sequence[Any]) -> Sequence[Any]:
        """The part."""
        return rows if self.size is None else rows[self.first : self.first + self.size]


def page_of(call: Call, sortable: Iterable[str] = (), *, ignored: Iterable[str] = ()) -> Page:
    """The paging parameters; 500 for a page below 1, 412 for a sort that cannot be.

    `ignored` are fields that the AWS edition takes and does not sort by.
    """
    number, size = call.number("pagenumber", 1), call.number("pagesize", call.default_page)
    sort, descending = _sort(call, {name.lower() for name in sortable}, {name.lower() for name in ignored})
    if size == -1:
        return Page(first=0, size=None, sort=sort, descending=descending)
    if number < 1 or size < 1:
        raise Refused(500, "An error occurred while processing the request")
    if size > LARGEST_PAGE and call.strict:
        raise invalid(("pageSize", f"pageSize is at most {LARGEST_PAGE}"))
    return Page(first=(number - 1) * size, size=size, sort=sort, descending=descending)


def _sort(call: Call, sortable: set[str], ignored: set[str]) -> tuple[str, bool]:
    text = call.one("sortby").strip()
    if not text:
        return "", False
    name, _, way = text.partition(" ")
    name, way = name.lower(), way.strip().lower()
    if way not in ("asc", "desc", ""):
        raise invalid(("sortBy", f"{way!r} is no direction: asc or desc"))
    if not way and call.edition == "aws":
        raise invalid(("sortBy", "a direction is needed: asc or desc"))
    if name in ignored and call.edition == "aws":
        return "", False
    if name not in sortable | ignored:
        raise invalid(("sortBy", f"there is no sorting by {name!r}"))
    return name, way == "desc"


def listing(call: Call, rows: Sequence[Any], *, total: int, counted: bool = True) -> Answer:
    """A page of a list: 204 without a body if it is empty; `counted` False is `count` -1."""
    if not rows:
        return Answer(status=204)
    count = total if counted else -1
    body: Json = {"data": list(rows), "status": 200, "message": "Success", "count": count}
    if call.edition == "v1.1":
        body["params"] = {"count": count}
    return Answer(body=body)


def whole(call: Call, rows: Sequence[Any]) -> Answer:
    """A list that knows no pages."""
    return listing(call, rows, total=len(rows))


def named(call: Call, kind: str, names: Iterable[str]) -> Answer:
    """A list of words, each with a GUID of its own."""
    return whole(call, [{"guid": fixed(kind, name), "name": name} for name in names])


def paged(call: Call, rows: Sequence[Json], sortable: Iterable[str] = ()) -> Answer:
    """A page of a list that is held whole, sorted by one of the rows' members if that is asked for."""
    page = page_of(call, sortable)
    if page.sort:
        rows = by_member(rows, page.sort, descending=page.descending)
    return listing(call, page.cut(rows), total=len(rows))


def sealed(text: str) -> str:
    """A text in the form of a token."""
    return base64.urlsafe_b64encode(text.encode()).decode()


def opened(token: str) -> str:
    """The text in a token; "" if it is none."""
    try:
        return base64.urlsafe_b64decode(token.encode()).decode()
    except ValueError:
        return ""


def tokened(call: Call, document: Json, rows: Sequence[Any], *, token: str) -> Answer:
    """A page that a body asks for by pageSize and continuationToken; the next token stands beside `data`."""
    size = digits(text_of(document, "pageSize", str(call.default_page)))
    if not size:
        raise invalid(("pageSize", "a whole number above 0"))
    first = digits(opened(text_of(document, "continuationToken", sealed("0"))))
    if first is None:
        raise invalid(("continuationToken", "the token is not valid"))
    end = first + size
    answer = listing(call, rows[first:end], total=len(rows))
    if isinstance(answer.body, dict):
        answer.body[token] = sealed(str(end)) if end < len(rows) else None
    return answer


def by_member(rows: Sequence[Json], name: str, *, descending: bool) -> list[Json]:
    """Rows sorted by a member whose name is in small letters; those without it come first."""

    def key(row: Json) -> tuple[bool, Any]:
        value = next((value for member, value in row.items() if member.lower() == name), None)
        if isinstance(value, str):
            value = value.lower()
        return value is not None, "" if value is None else value

    return sorted(rows, key=key, reverse=descending)
