"""What goes over the wire on IoT Central: answers, refusals and their bodies, durations, etags."""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import formatdate
from typing import Any

from iotnb.sandbox.wire import JSON, encode

PREVIEW = "2022-10-31-preview"
GA = "2022-07-31"
OLD_PREVIEW = "2022-06-30-preview"
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
