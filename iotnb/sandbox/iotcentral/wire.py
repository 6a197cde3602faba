"""What goes over the wire on IoT Central: requests, answers, error bodies, times, etags, pages."""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote

import msgspec

if TYPE_CHECKING:
    from iotnb.sandbox.iotcentral.access import Caller
    from iotnb.sandbox.iotcentral.application import Application

JSON = "application/json"
PAGE, LARGEST_PAGE = 25, 100
PREVIEW = "2022-10-31-preview"
GA = "2022-07-31"
OLD_PREVIEW = "2022-06-30-preview"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DURATION = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")


class Refused(Exception):
    """An error answer; raised anywhere, rendered in one place in the shape of the plane.

    `body` replaces the plane's shape.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        body: object = None,
        **more: Any,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})
        self.body = body
        self.more = more


def invalid(message: str) -> Refused:
    """422: JSON that does not fit."""
    return Refused(422, "InvalidBody", message)


def bad_request(message: str, code: str = "InvalidRequest") -> Refused:
    """400 with words."""
    return Refused(400, code, message)


def not_found(message: str = "The requested resource was not found.") -> Refused:
    """404 of the data plane."""
    return Refused(404, "NotFound", message)


def forbidden(message: str = "You do not have the required permissions for this operation.") -> Refused:
    """403: the role lacks the right."""
    return Refused(403, "Forbidden", message)


@dataclass(slots=True)
class Answer:
    """What a handler answers; a body is JSON-able, bytes that are sent as they are, or None."""

    status: int = 200
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = JSON


@dataclass(slots=True, kw_only=True)
class Call:
    """One request, with what the front of the app learned about it."""

    method: str
    plane: str
    segments: tuple[str, ...]
    """The path below the plane's own prefix, decoded."""
    path: str
    """The path as it was sent, without the query."""
    raw_query: str
    headers: dict[str, str]
    body: bytes
    origin: str
    host: str
    subdomain: str = ""
    pairs: list[tuple[str, str]] = field(default_factory=list)
    version: str = ""
    strict: bool = False
    app: "Application | None" = None
    caller: "Caller | None" = None

    def __post_init__(self) -> None:
        self.pairs = parse_qsl(self.raw_query, keep_blank_values=True)

    def one(self, name: str, default: str = "") -> str:
        """The last value of a query parameter."""
        return next((value for key, value in reversed(self.pairs) if key == name), default)

    def flag(self, name: str) -> bool:
        """True if a query parameter says so."""
        return self.one(name).lower() == "true"

    @property
    def application(self) -> "Application":
        """The application that a request of the data plane is for."""
        if self.app is None:
            raise not_found("Application not found.")
        return self.app

    @property
    def user(self) -> "Caller":
        """Who asks."""
        if self.caller is None:
            raise Refused(401, "Unauthorized", "A token is needed.")
        return self.caller

    @property
    def preview(self) -> bool:
        """Whether the preview parameters count."""
        return self.version.endswith("preview")

    @property
    def on_loopback(self) -> bool:
        """Whether the request came to this machine's own name and not to one of the service's."""
        return not self.host.endswith((".com", ".net"))

    def json(self) -> Any:
        """The decoded body, None without one; 400 for what is no JSON."""
        if not self.body.strip():
            return None
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise bad_request(f"The body is not valid JSON: {error}") from None

    def document(self) -> dict[str, Any]:
        """The body as an object; 400 or 422 for anything else."""
        found = self.json()
        if found is None:
            raise bad_request("The request needs a JSON body.")
        if not isinstance(found, dict):
            raise invalid("The body must be a JSON object.")
        return found

    def form(self) -> dict[str, str]:
        """The fields of a form body."""
        return dict(parse_qsl(self.body.decode(errors="replace"), keep_blank_values=True))


def encode(value: object) -> bytes:
    """JSON in UTF-8."""
    return msgspec.json.encode(value)


def iso(ms: int, digits: int = 3) -> str:
    """Milliseconds as ISO 8601 with `Z` and 0, 3 or 7 digits of a second."""
    at = _EPOCH + timedelta(milliseconds=ms)
    tail = {0: "", 3: f".{at.microsecond // 1000:03d}", 7: f".{at.microsecond:06d}0"}[digits]
    return f"{at:%Y-%m-%dT%H:%M:%S}{tail}Z"


def parse_time(text: str) -> int | None:
    """Milliseconds of an ISO 8601 time (no zone: UTC), or None for any other text."""
    body = re.sub(r"(\.\d{6})\d+", r"\1", text.strip())
    try:
        at = datetime.fromisoformat(body)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return (at - _EPOCH) // timedelta(milliseconds=1)


def parse_duration(text: str) -> int | None:
    """Milliseconds of an ISO 8601 duration (P1D, PT10M), or None."""
    found = _DURATION.fullmatch(text.strip())
    if found is None or text.strip() in ("P", "PT") or text.strip().endswith("T"):
        return None
    weeks, days, hours, minutes = (int(found[n] or 0) for n in range(1, 5))
    seconds = float(found[5] or 0)
    total = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    return total // timedelta(milliseconds=1)


def digest(*parts: object) -> str:
    """16 hex digits that follow from some values."""
    text = "|".join(str(part) for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def plain_etag(*parts: object) -> str:
    """An etag as most resources print it: `"d900e57f-0000-..."` with its quotes."""
    mark = digest(*parts)
    return f'"{mark[:8]}-0000-0d00-0000-{mark[8:]}0000"'


def device_etag(*parts: object) -> str:
    """A device's etag: base64url of a JSON object, without padding."""
    text = encode({"header": plain_etag(*parts)})
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def template_etag(*parts: object) -> str:
    """A template's etag: `"~...="` with its quotes."""
    return f'"~{base64.b64encode(digest(*parts).encode()).decode()}"'


def group_etag(*parts: object) -> str:
    """An enrollment group's etag: base64."""
    return base64.b64encode(plain_etag(*parts).encode()).decode()


def check_match(call: Call, etag: str) -> None:
    """412 when If-Match names another etag."""
    wanted = call.headers.get("if-match", "").strip()
    if not wanted or wanted == "*":
        return
    known = {etag, etag.strip('"')}
    if not known & {part.strip() for part in wanted.split(",")} and wanted not in known:
        raise Refused(412, "PreconditionFailed", "The etag does not match the resource's.")


def error_body(plane: str, refused: Refused, request_id: str, now: int) -> object:
    """The body of an error in the shape of its plane."""
    if refused.body is not None:
        return refused.body
    if plane == "arm":
        return {"error": {"code": refused.code, "message": refused.message, **refused.more}}
    if plane == "dps":
        number = {400: 400004, 401: 401002, 404: 404201, 429: 429001}.get(
            refused.status, refused.status * 1000
        )
        return {"errorCode": number, "trackingId": request_id, "message": refused.message or refused.code}
    if plane == "hub":
        return {"Message": f"ErrorCode:{refused.code};{refused.message}", "ExceptionMessage": request_id}
    at = formatdate(now / 1000, usegmt=True)
    return {"error": {"code": refused.code, "message": refused.message, "requestId": request_id, "time": at}}


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is asked for, and how it is chosen."""

    offset: int
    size: int
    filter: str
    orderby: str


def page_of(call: Call, *, filters: bool = False, sizes: bool = True) -> Page:
    """The paging parameters that count for a version; a skip token carries all of them."""
    token = call.one("$skiptoken")
    if token:
        try:
            held = msgspec.json.decode(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
            return Page(int(held["o"]), int(held["s"]), str(held["f"]), str(held["b"]))
        except (ValueError, KeyError, TypeError, msgspec.DecodeError):
            raise bad_request("The $skiptoken is not valid.") from None
    mark = "$" if call.version == OLD_PREVIEW else ""
    names = {
        "filter": f"{mark}filter",
        "size": "$top" if mark else "maxpagesize",
        "orderby": f"{mark}orderby",
    }
    if not call.preview:
        used = [name for name in ("filter", "orderby", "maxpagesize") if call.one(name)]
        if used and call.strict:
            raise bad_request(f"The parameter {used[0]} is not known in api-version {call.version}.")
        return Page(0, PAGE, "", "")
    size = _size(call, call.one(names["size"])) if sizes else PAGE
    if not filters:
        return Page(0, size, "", "")
    return Page(0, size, call.one(names["filter"]), call.one(names["orderby"]))


def _size(call: Call, text: str) -> int:
    if not text:
        return PAGE
    try:
        size = int(text)
    except ValueError:
        raise bad_request("maxpagesize is a whole number from 1 to 100.") from None
    if not 1 <= size <= LARGEST_PAGE and call.strict:
        raise invalid("maxpagesize is a whole number from 1 to 100.")
    return min(max(size, 1), LARGEST_PAGE)


def collection(
    call: Call, page: Page, rows: Sequence[object], *, more: bool, overlap: int = 0, loop: bool = False
) -> Answer:
    """A page `{"value": [...], "nextLink": ...}`; the link is there only when there is more.

    `overlap` lets the next page begin so many rows earlier, `loop` lets it be this one again.
    """
    body: dict[str, Any] = {"value": list(rows)}
    if more:
        step = 0 if loop else max(1, len(rows) - overlap)
        held = {"o": page.offset + step, "s": page.size, "f": page.filter, "b": page.orderby}
        token = base64.urlsafe_b64encode(encode(held)).rstrip(b"=").decode()
        query = f"api-version={quote(call.version)}"
        if page.size != PAGE:
            query += f"&maxpagesize={page.size}"
        body["nextLink"] = f"{call.origin}{call.path}?{query}&%24skiptoken={quote(token)}"
    return Answer(body=body)


def listing(call: Call, rows: Sequence[object], page: Page | None = None) -> Answer:
    """A page of a list that is held whole."""
    page = page or page_of(call)
    part = rows[page.offset : page.offset + page.size]
    return collection(call, page, part, more=page.offset + page.size < len(rows))
