"""Secrets that do not show, and the one scrubber that keeps them out of every text."""

from __future__ import annotations

import base64
import hmac
import html
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, NoReturn
from urllib.parse import quote, quote_plus

MASK = "********"


class Secret:
    """A text that shows as a fixed mask everywhere; only auth code calls `reveal()`.

    It cannot be pickled, hashed, or encoded as JSON, and compares in constant time. An empty Secret is false.
    """

    __slots__ = ("_forms", "_text")
    __hash__ = None  # type: ignore[assignment]  # a secret must not become a dictionary key

    def __init__(self, text: str | Secret) -> None:
        self._text: str = text.reveal() if isinstance(text, Secret) else str(text)
        self._forms: tuple[str, ...] | None = None

    def reveal(self) -> str:
        """The text itself, for the line that sends it."""
        return self._text

    def forms(self) -> tuple[str, ...]:
        """The texts in which it may travel: plain, and as URLs, JSON, HTML and base64 write it."""
        if self._forms is None:
            self._forms = _forms(self._text)
        return self._forms

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_bytes(self._text), _bytes(other._text))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied to another process: connect there instead")

    __reduce_ex__ = __reduce__  # type: ignore[assignment]  # pickle asks this one first
    __getstate__ = __reduce__  # other serializers ask this one

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self

    def _repr_html_(self) -> str:
        return MASK


class Sealed(dict[str, Any]):
    """Headers or form fields that hold credentials: a dict that shows only its names.

    A traceback with values (`%xmode Verbose`) prints what functions were called with.
    """

    def __repr__(self) -> str:
        return "{" + ", ".join(f"{name!r}: {MASK}" for name in self) + "}"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        return html.escape(repr(self))


class _Shape(NamedTuple):
    """What betrays a secret; a text that holds none of `signs` (in lower case) is not searched for it."""

    signs: tuple[str, ...]
    pattern: re.Pattern[str]
    replacement: str | Callable[[re.Match[str]], str]


def _basic(match: re.Match[str]) -> str:
    """Blanks what follows `Basic` when it is user and password in base64."""
    coded = match[2].rstrip("=").translate({45: "+", 95: "/"})
    pair = base64.b64decode(coded + "=" * (-len(coded) % 4)) if len(coded) % 4 != 1 else b""
    return f"{match[1]}{MASK}" if b":" in pair else match[0]


_HEADERS = "authorization|proxy-authorization|cookie|set-cookie|x-xsrf-token|solution-key|x-api-key"
_HEADER_SIGNS = ("authorization", "cookie", "token", "key")
_NAMES = (
    r"\w*(?:passw(?:or)?d|passphrase|secret)|pass|pwd|token|"
    r"(?:access|refresh|id|session|security|xsrf|csrf|bearer|auth|api|sas|device|enrollment|registration)[_-]?token|"
    r"tfa[_-]?(?:code|token)|secret[_-]?qr[_-]?url|crse|sig|"
    r"(?:solution|shared[_-]?access|primary|secondary|account|private|subscription|api)[_-]?key|"
    r"shared[_-]?access[_-]?signature"
)
_NAME_SIGNS = ("pass", "pwd", "secret", "token", "tfa", "crse", "sig", "key", "authorization", "cookie")
_PLACE = r"(?!<[^<>\s]*>)"  # what stands in <angle brackets> is a placeholder, to be read
_SHAPES = (
    # Cookie: a="b"; c=d   holds quotes of its own: a whole line, or up to the quote before its name
    _Shape(
        ("cookie",),
        re.compile(r"(?im)^([ \t<>*]*(?:cookie|set-cookie)[ \t]*:[ \t]*)[^\r\n]+"),
        rf"\1{MASK}",
    ),
    _Shape(
        ("cookie",),
        re.compile(r"(?i)((['\"])(?:cookie|set-cookie)[ \t]*:[ \t]*)[^\r\n]*?(?=\2)"),
        rf"\1{MASK}",
    ),
    # Authorization: Bearer ...   (a line, or the rest of one up to a quote)
    _Shape(
        _HEADER_SIGNS,
        re.compile(
            rf"(?i)\b((?:{_HEADERS})[ \t]*[:=][ \t]*+(?:(?:Bearer|Basic|SharedAccessSignature)[ \t]++)?+)"
            rf"{_PLACE}[^\r\n'\"]+"
        ),
        rf"\1{MASK}",
    ),
    # "password": "..."   in JSON and in a Python repr; cut off at the end, too
    _Shape(
        _NAME_SIGNS,
        re.compile(
            rf"(?is)(['\"](?:{_NAMES}|{_HEADERS})['\"]\s*:\s*b?)(['\"]){_PLACE}"
            rf"(?:\\.|(?!\2)[^\\])*(?:\2|\\?\Z)"
        ),
        rf"\1\2{MASK}\2",
    ),
    # \"password\": \"...\"   in JSON inside JSON
    _Shape(
        ('\\"',),
        re.compile(
            rf"(?is)(?<!\\)((\\{{1,7}})\"(?:{_NAMES}|{_HEADERS})\2\"\s*:\s*\2\"){_PLACE}"
            rf"(?:(?!(?<!\\)\2\").)*"
        ),
        rf"\1{MASK}",
    ),
    _Shape(
        ("password", "tfa"),
        re.compile(r"(?i)(['\"](?:\w*password|tfa_?(?:code|token))['\"]\s*:\s*)\d+"),
        rf'\1"{MASK}"',
    ),
    # password=...   in forms, URLs and connection strings; the code of OAuth only where it is a parameter
    _Shape(
        ("=",),
        re.compile(rf"(?i)((?:^|[?&;,\s'\"])(?:{_NAMES})=){_PLACE}[^&;\s\"'<>]+"),
        rf"\1{MASK}",
    ),
    _Shape(("code=",), re.compile(rf"(?i)([?&]code=){_PLACE}[^&;\s\"'<>]+"), rf"\1{MASK}"),
    _Shape(("code=",), re.compile(r"(?i)^(code=)[^&;\s\"'<>]+(?=&)"), rf"\1{MASK}"),
    _Shape(("@",), re.compile(r"(\w://[^/\s:@'\"]*:)[^/\s@'\"]+(?=@)"), rf"\1{MASK}"),
    _Shape(
        ("sharedaccesssignature",),
        re.compile(r"\bSharedAccessSignature\s+[^\s\"'<>]+"),
        f"SharedAccessSignature {MASK}",
    ),
    # "psk:..." and "loriot-appkey:..." in lists of labels and credentials, headers for a webhook (oneM2M)
    _Shape(
        ("psk", "appkey"),
        re.compile(r"(?i)(['\"](?:psk|(?:loriot[-_])?appkey)\s*:\s*)(?=[^'\"\s])[^'\"\\]+"),
        rf"\1{MASK}",
    ),
    _Shape(("poah",), re.compile(r"(['\"]poah['\"]\s*:\s*\[)[^\]]*"), rf'\1"{MASK}"'),
    # a word alone after Bearer or Basic is prose ("Basic authentication")
    _Shape(
        ("bearer",),
        re.compile(r"\b(Bearer\s+)(?=[A-Za-z+/=._~-]*\d|[A-Za-z+/=._~-]{20})[A-Za-z0-9+/=._~-]{8,}"),
        rf"\1{MASK}",
    ),
    _Shape(("basic",), re.compile(r"\b(Basic\s+)([A-Za-z0-9+/_-]{4,}={0,2})"), _basic),
    _Shape(("eyj",), re.compile(r"\beyJ[A-Za-z0-9_=+/-]{8,}(?:\.[A-Za-z0-9_=+/-]*){1,4}"), MASK),
    _Shape(
        ("private key-----",),
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:[^-]|-(?!----))*(?:-----END [A-Z ]*-----)?"),
        MASK,
    ),
)
_SECRET_HEADER = re.compile(rf"(?i)^(?:{_HEADERS})$")


def scrub(text: str, secrets: Iterable[Secret] = ()) -> str:
    """The text with secrets blanked: by shape, and by value in each form that a value travels in."""
    for form in sorted((form for secret in secrets for form in secret.forms()), key=len, reverse=True):
        if form in text:
            text = text.replace(form, MASK)
    lowered = text.lower()
    for shape in _SHAPES:
        if any(sign in lowered for sign in shape.signs):
            text = shape.pattern.sub(shape.replacement, text)
    return text


def scrub_headers(headers: Mapping[str, str], secrets: Iterable[Secret] = ()) -> dict[str, str]:
    """The headers with credentials blanked; the scheme of an Authorization header stays readable."""
    known = list(secrets)
    shown: dict[str, str] = {}
    for name, value in headers.items():
        if _SECRET_HEADER.match(name):
            scheme = re.match(r"(Bearer|Basic|SharedAccessSignature)\s", value)
            shown[name] = f"{scheme.group(1)} {MASK}" if scheme else MASK
        else:
            shown[name] = scrub(value, known)
    return shown


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # an environment variable may hold what is no UTF-8


def _forms(text: str) -> tuple[str, ...]:
    if len(text) < 4:  # shorter ones would blank ordinary words; shapes still catch them in their fields
        return ()
    raw = _bytes(text)
    coded = base64.b64encode(raw).decode()
    forms = {text, html.escape(text), json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
    forms |= {quote(raw, safe=""), quote(raw), quote_plus(raw)}
    forms |= {coded, coded.rstrip("="), coded.translate({43: "-", 47: "_"})}
    return tuple(forms)
