"""One request: its parts, who asks and for which application; the page of a list that it asks for."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote

import msgspec

from iotnb.sandbox.iotcentral.application import Application
from iotnb.sandbox.iotcentral.roles import Caller
from iotnb.sandbox.iotcentral.wire import OLD_PREVIEW, Answer, Refused, bad_request, invalid, not_found
from iotnb.sandbox.wire import encode

PAGE, LARGEST_PAGE = 25, 100


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
    app: Application | None = None
    caller: Caller | None = None

    def __post_init__(self) -> None:
        self.pairs = parse_qsl(self.raw_query, keep_blank_values=True)

    def one(self, name: str, default: str = "") -> str:
        """The last value of a query parameter."""
        return next((value for key, value in reversed(self.pairs) if key == name), default)

    def flag(self, name: str) -> bool:
        """True if a query parameter says so."""
        return self.one(name).lower() == "true"

    @property
    def application(self) -> Application:
        """The application that a request of the data plane is for."""
        if self.app is None:
            raise not_found("Application not found.")
        return self.app

    @property
    def user(self) -> Caller:
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


def check_match(call: Call, etag: str) -> None:
    """412 when If-Match names another etag."""
    wanted = call.headers.get("if-match", "").strip()
    if not wanted or wanted == "*":
        return
    known = {etag, etag.strip('"')}
    if not known & {part.strip() for part in wanted.split(",")} and wanted not in known:
        raise Refused(412, "PreconditionFailed", "The etag does not match the resource's.")


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
