"""Every error that iotnb raises; catch `IotnbError` for all of them.

```
IotnbError
├── ConfigError (also ValueError)     what was asked cannot be right
│   └── MissingFields                 a login lacks fields; .fields names them
├── Unsupported                       the platform has no such thing
├── RequestError                      the server answered with a status >= 400
│   ├── Invalid                       400, 422 and what has no class of its own
│   ├── Unauthorized                  401
│   │   ├── SecondFactorRequired      a code of the second factor is missing or wrong
│   │   └── LoggedOut                 this client was logged out
│   ├── Forbidden                     403
│   ├── NotFound                      404
│   ├── Conflict                      409
│   ├── RateLimited                   429
│   └── ServerError                   500 and above
├── ConnectionFailed                  no answer: .kind says dns, refused, tls, timeout, proxy, dropped
├── ForeignHost                       a link or redirect leaves the client's own hosts
├── BadAnswer                         a 2xx answer that is not what the document promises
├── Incomplete                        a load has gaps; .partial holds what came
├── ArchiveError                      an archive is in use, damaged, or of something else
└── Stopped                           cancelled by the user
```
"""

from __future__ import annotations

import email.utils
import html
import re
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from iotnb.secret import Secret, scrub

if TYPE_CHECKING:
    import pandas as pd

WORDS = 300  # characters of a server's own words that go into a message
LONGEST_BODY = 20_000  # bytes of an error page that are looked at for them


class IotnbError(Exception):
    """The root of all errors of iotnb."""

    def __reduce__(self) -> tuple[Any, ...]:
        # errors come back from other processes, and their constructors take more than a message
        return _restored, (type(self), self.args, self.__dict__)


def _restored(cls: type[IotnbError], args: tuple[Any, ...], state: dict[str, Any]) -> IotnbError:
    error = cls.__new__(cls, *args)
    error.__dict__.update(state)
    return error


class ConfigError(IotnbError, ValueError):
    """What was asked cannot be right; the message says what to write instead."""


class MissingFields(ConfigError):
    """A login lacks fields; `fields` names them."""

    def __init__(self, message: str, fields: Sequence[str]) -> None:
        super().__init__(message)
        self.fields = tuple(fields)


class Unsupported(IotnbError):
    """The platform has no such thing; the message says what it has instead."""


class Stopped(IotnbError):
    """The work was cancelled before it was done."""


class ConnectionFailed(IotnbError):
    """No answer came; `kind` is dns, refused, tls, timeout, proxy, dropped or other."""

    def __init__(self, message: str, *, host: str, kind: str, method: str = "", path: str = "") -> None:
        super().__init__(message)
        self.host, self.kind, self.method, self.path = host, kind, method, path


class ForeignHost(IotnbError):
    """A link or redirect leads to a host that is not the client's own; nothing was sent there."""


class BadAnswer(IotnbError):
    """A 2xx answer that is not what the platform's document promises."""


class Incomplete(IotnbError):
    """A load has gaps: `partial` is the DataFrame of what came, `gaps` lists what is missing.

    Each gap is a dict with `item` (a device or ""), `start`, `end` (ISO 8601, UTC) and `reason`.
    """

    def __init__(self, message: str, *, partial: pd.DataFrame, gaps: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(message)
        self.partial = partial
        self.gaps = [dict(gap) for gap in gaps]


class ArchiveError(IotnbError):
    """An archive cannot be used: another process fills it, it is of another query, or it is damaged."""


class IncompleteWarning(UserWarning):
    """A frame was returned with gaps because `on_error="report"` asked for it."""


class RequestError(IotnbError):
    """The server answered with an error; the message holds its own words and what to do.

    Attributes: `status`, `method`, `path`, `words` (of the server), `request_id`, `retry_after`
    (seconds or None), `retryable`, `body` (the decoded JSON error or None).
    """

    def __init__(
        self,
        status: int,
        method: str,
        path: str,
        words: str,
        *,
        hint: str = "",
        request_id: str = "",
        retry_after: float | None = None,
        body: dict[str, Any] | None = None,
    ) -> None:
        where = f"{status} {method} {path}" if method else ""
        message = ": ".join(part for part in (where, words) if part)
        super().__init__(f"{message}\n{hint}" if hint else message)
        self.status, self.method, self.path, self.words = status, method, path, words
        self.request_id, self.retry_after, self.body = request_id, retry_after, body
        self.hint = hint

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later."""
        return self.status in {429, 502, 503, 504}


class Invalid(RequestError):
    """400, 422 or another 4xx: the server did not accept the request as it stands."""


class Unauthorized(RequestError):
    """401: the credentials are wrong, expired or missing."""


class SecondFactorRequired(Unauthorized):
    """401: the code of the second factor is missing or wrong; `strategy` is TOTP, SMS or empty."""

    strategy = ""


class LoggedOut(Unauthorized):
    """This client was logged out; connect again."""


class Forbidden(RequestError):
    """403: logged in, but without the right to do this."""


class NotFound(RequestError):
    """404: no such thing on the server."""


class Conflict(RequestError):
    """409: it exists already, or is in use."""


class RateLimited(RequestError):
    """429: too many requests, and retrying did not help within the allowed attempts."""


class ServerError(RequestError):
    """5xx: the server or a gateway before it failed."""


CLASSES: dict[int, type[RequestError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    429: RateLimited,
}

HINTS = {
    401: "The credentials are wrong, expired or missing: log in again.",
    403: "You are logged in, but lack the right to do this: ask an administrator of the tenant for the role.",
    405: "The server does not know this verb here: check the base URL.",
    429: "The server limits the rate: pass rate=<requests per second> to connect(), or try again later.",
    502: "A gateway before the server failed: try again later.",
    503: "The server is overloaded or in maintenance: try again later.",
    504: "The server took too long: ask for a shorter window, or try again later.",
}


def retry_after(headers: Mapping[str, str], *, now: float | None = None) -> float | None:
    """The seconds that a `Retry-After` header asks for, in either form, or None."""
    text = headers.get("Retry-After", "").strip()
    if not text:
        return None
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, moment.timestamp() - (time.time() if now is None else now))


def from_response(
    status: int,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    secrets: Sequence[Secret] = (),
    hint: str = "",
) -> RequestError:
    """The error for an answer with a status >= 400, in the server's own words, secrets blanked."""
    document, words = _words(headers, body)
    shown = scrub(words, secrets)  # blanked before it is cut: half a secret would not be recognized
    cls = CLASSES.get(status) or (ServerError if status >= 500 else Invalid)
    return cls(
        status,
        method,
        scrub(path, secrets),
        shown if len(shown) <= WORDS else shown[:WORDS] + "...",
        hint=hint or HINTS.get(status, ""),
        request_id=headers.get("X-Request-Id", "") or headers.get("x-ms-request-id", ""),
        retry_after=retry_after(headers),
        body=_blanked(document, secrets),
    )


_SENTENCES = ("error", "code", "message", "error_description", "description", "detail", "m2m:dbg")


def _words(headers: Mapping[str, str], body: bytes) -> tuple[dict[str, Any] | None, str]:
    """The decoded error document (if it is one) and the sentence to show."""
    try:
        document = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return None, _plain(headers, body)
    if not isinstance(document, dict):
        return None, _plain(headers, body)
    inner = document.get("error")
    source = inner if isinstance(inner, dict) else document
    found = [source.get(key) for key in _SENTENCES]
    words = [text for text in found if isinstance(text, str) and text]
    return document, ": ".join(dict.fromkeys(words)) or _plain(headers, body)


def _blanked(document: dict[str, Any] | None, secrets: Sequence[Secret]) -> dict[str, Any] | None:
    """The error document without the secrets that it may repeat."""
    if document is None:
        return None
    try:
        blanked = msgspec.json.decode(scrub(msgspec.json.encode(document).decode(), secrets))
    except msgspec.DecodeError:  # the mask swallowed a quote
        return None
    return blanked if isinstance(blanked, dict) else None


def _plain(headers: Mapping[str, str], body: bytes) -> str:
    text = body[:LONGEST_BODY].decode("utf-8", "replace")
    if "html" in headers.get("Content-Type", "").lower() or text.lstrip()[:1] == "<":
        title = re.search(r"<title[^>]*>(.*?)</title>", text, re.DOTALL | re.IGNORECASE)
        text = "an HTML page: " + html.unescape(title[1] if title else re.sub(r"<[^>]*>", " ", text))
    return " ".join(text.split())
