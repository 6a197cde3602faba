"""What WSO2 IoT Server says when it refuses, in all its costumes, with the likely cause.

The gateway speaks `am:fault` as XML or JSON, the services JSON with or without a code, a JSON text, plain
text or nothing, the token endpoint OAuth's JSON, the Android service `responseMessage`.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from iotnb import errors
from iotnb.platforms.wso2 import scopes
from iotnb.secret import Secret, scrub

NO_CREDENTIALS, NO_SCOPE = 900902, 900910
SECURITY: Final = range(900900, 901000)
THROTTLED: Final = range(900800, 900900)

MEANINGS: Final[Mapping[int, str]] = {
    900900: "The gateway met an error of its own while it checked the token: try again later.",
    900901: "The token is not known: it was revoked, or a newer one has taken its place. Log in again.",
    900902: "The request carried no token.",
    900903: "The token has expired: log in again.",
    900904: "The token is no longer active: log in again.",
    900905: "This API takes another kind of token.",
    900906: "The API has no such call: check the path.",
    900907: "The API is blocked: ask an administrator of the API store.",
    900908: "The application is not subscribed to this API: register it with the tag of the API (tags=...).",
    900909: "The subscription to this API is not active: register the application again (tags=...).",
}

_XML = re.compile(r"<(?:\w+:)?(code|type|message|description)>(.*?)</(?:\w+:)?\1>", re.DOTALL)


@dataclass(frozen=True)
class Refusal:
    """An error answer taken apart: `code` of the gateway or service (0: none), `words`, `document`.

    `gateway` says that the gateway refused, not the service behind it.
    """

    code: int = 0
    words: str = ""
    gateway: bool = False
    document: dict[str, Any] | None = None


def read(body: bytes) -> Refusal:
    """What an error answer says, in whichever costume; a Refusal without words for an empty body."""
    text = body[: errors.LONGEST_BODY].decode("utf-8", "replace").strip()
    if not text:
        return Refusal()
    if text[0] == "<":
        return _xml(text)
    try:
        document = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return Refusal(words=" ".join(text.split()))
    if isinstance(document, str):
        return Refusal(words=document)
    if not isinstance(document, dict):
        return Refusal(words=" ".join(text.split()))
    fault = document.get("fault")
    if isinstance(fault, dict):
        return Refusal(_code(fault.get("code")), _sentence(fault), gateway=True, document=document)
    if "error_description" in document or isinstance(document.get("error"), str):
        words = [document.get("error"), document.get("error_description")]
        return Refusal(words=": ".join(str(each) for each in words if each), document=document)
    if "responseMessage" in document:
        return Refusal(words=str(document["responseMessage"]), document=document)
    items = document.get("errorItems")
    listed = [str(each["message"]) for each in items or () if isinstance(each, dict) and each.get("message")]
    words = [document.get("message"), *listed]
    shown = "; ".join(dict.fromkeys(str(each) for each in words if each))
    return Refusal(_code(document.get("code")), shown or " ".join(text.split()), document=document)


def error(
    status: int,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    secrets: Sequence[Secret] = (),
    granted: Sequence[str] | None = None,
) -> errors.RequestError:
    """The error for an answer with a status of 400 or more, with the likely cause.

    A 401 of a service is Forbidden: it says "not yours", while one of the gateway says "log in".
    """
    refusal = read(body)
    plain = errors.from_response(status, method, path, headers, body, secrets=secrets)
    hint = _hint(status, method, path, refusal, granted)
    cls = type(plain)
    if status == 401 and not refusal.gateway:
        cls = errors.Forbidden
    words = scrub(refusal.words, secrets) or plain.words
    if refusal.gateway and refusal.code:
        words = f"{refusal.code} {words}"
    return cls(
        status,
        method,
        scrub(path, secrets),
        words[: errors.WORDS] + ("..." if len(words) > errors.WORDS else ""),
        hint=hint or plain.hint,
        request_id=plain.request_id,
        retry_after=plain.retry_after,
        body=plain.body or ({"code": refusal.code, "message": words} if refusal.gateway else None),
    )


def lacks(method: str, path: str, granted: Sequence[str] | None) -> str:
    """Why the gateway refused a call for want of a scope: ``no telemetry: perm:... was not granted``."""
    name = scopes.needed(method, path)
    if not name:
        return "The token lacks the scope of this call: ask for it with scopes=... when you log in."
    known = scopes.KNOWN[name]
    what = ", ".join(f"{verb}()" for verb in known.verbs)
    telemetry = "no telemetry: " if name == "perm:device-types:events:view" else ""
    verdict = f"{name} was not granted"
    if granted is not None and name in granted:
        verdict = f"{name} was granted, yet the gateway refuses it: the application may lack the API's tag"
    return (
        f"{telemetry}{verdict}{f'; it opens {what}' if what else ''}. Ask for it with "
        f"scopes='... {name}', with an application whose tags cover the API (tags='device_agent "
        "device_management') and a user whose role allows it; client.scopes shows what was asked and granted."
    )


def _hint(status: int, method: str, path: str, refusal: Refusal, granted: Sequence[str] | None) -> str:
    if refusal.gateway and refusal.code == NO_SCOPE:
        return lacks(method, path, granted)
    if refusal.code in THROTTLED:
        return (
            "The gateway limits the rate of this application: pass rate=<requests per second> to connect()."
        )
    if refusal.code in MEANINGS:
        return MEANINGS[refusal.code]
    if refusal.gateway and status == 404:
        return "The gateway has no such API: check the address, and that it is the gateway's (port 8243)."
    if refusal.gateway and status >= 500:
        return "The gateway did not reach the server behind it: try again later."
    for part, cause in _CAUSES:
        if part in refusal.words:
            return cause
    if status == 401:
        return "The service says that this is not yours: the device belongs to another user."
    return ""


_CAUSES: Final = (
    ("Only admin role", "Activities of a fleet are shown to users with the role admin only."),
    ("owner should be non empty", "Operations are kept by owner: name the owner of the enrolment."),
    (
        "fetching the operations",
        "The server says so too when there is no such device, or another owner: check type, id and owner.",
    ),
    ("Error on retrieving stats", "The analytics profile of the server must run: telemetry lives there."),
    ("Geo Data publishing", "The server does not publish locations; an administrator can switch that on."),
    ("Invalid values for from/to", "Both times must be given, in milliseconds and above 0."),
    ("Payload does not match", "Publish exactly the attributes of the event definition."),
    ("An active enrolment exists", "The device is enrolled already: disenroll it first, or go on with it."),
    ("Invalid Device Identifiers", "None of the identifiers is a device of this type."),
    ("does not exist", "There is no such device: the key is device type and identifier together."),
    ("carries id", "There is no such device: the key is device type and identifier together."),
    ("Only Command and Config", "The type of an operation is COMMAND, CONFIG or PROFILE."),
    (
        "limit should be less",
        "The server gives at most 100 at once; the lists of client.api page by themselves.",
    ),
)


def _xml(text: str) -> Refusal:
    if "fault" not in text[:400].lower():
        title = re.search(r"<title[^>]*>(.*?)</title>", text, re.DOTALL | re.IGNORECASE)
        words = html.unescape(title[1] if title else re.sub(r"<[^>]*>", " ", text))
        return Refusal(words="an HTML page: " + " ".join(words.split()))
    parts = {name: " ".join(html.unescape(value).split()) for name, value in _XML.findall(text)}
    return Refusal(_code(parts.get("code")), _sentence(parts), gateway=True)


def _sentence(parts: Mapping[str, Any]) -> str:
    words = [str(parts[name]) for name in ("message", "description") if parts.get(name)]
    return ": ".join(dict.fromkeys(words))


def _code(value: Any) -> int:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() else 0
