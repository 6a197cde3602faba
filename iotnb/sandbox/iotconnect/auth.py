"""Discovery, basic token, log-in, refresh: everything that needs no access token, and its check."""

import base64
import secrets
import string

from iotnb.sandbox.iotconnect.company import User, claims, user_of
from iotnb.sandbox.iotconnect.routes import Route
from iotnb.sandbox.iotconnect.state import Platform
from iotnb.sandbox.iotconnect.wire import (
    PREFIXES,
    Answer,
    Call,
    Caller,
    Json,
    Refused,
    conflict,
    ok,
    required,
    text_of,
    unauthorized,
)
from iotnb.sandbox.tokens import TokenError

_BASIC_LIFE = 3_600_000  # milliseconds for which a basic token may be used
_REFRESH_LETTERS = 50
_MODULES = (
    *("agent", "auth", "authorize", "certificate", "company", "config", "dashboard", "device", "dps"),
    *("entity", "event", "faq", "file", "firmware", "firmwareOTAUpdate", "firmwareUpgrade", "master"),
    *("property", "role", "rule", "simulator", "solution", "telemetry", "template", "templateAttribute"),
    *("templateCommand", "templateSetting", "user"),
)
_EXCEPTIONS = {("az", "event"): "v1.1", ("v1.1", "auth"): "v2"}
"""Modules whose version is another one than their edition's."""
_MOBILE = ("deviceType", "osName", "osVersion", "deviceToken", "uuid")
_GATEWAY_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body>502 Bad Gateway</body></html>"


def discover(platform: Platform, call: Call, key: str, env: str) -> Answer:
    """GET /api/uisdk/solutionkey/{key}/env/{env}: the base URL of every module."""
    switches = platform.switches
    if platform.fails("discovery", switches.discovery_failures):
        return Answer(502, _GATEWAY_PAGE, content_type="text/html")
    if switches.discovery_null or key != platform.solution_key:
        return Answer(body={"status": 200, "message": "Solution key is not valid", "data": None})
    asked = _asked_edition(call)
    hosts_only = asked in ("", "v1.1") and switches.discovery_hosts
    edition = asked or switches.edition
    found: Json = {}
    for module in _MODULES:
        version = _EXCEPTIONS.get((edition, module), PREFIXES[edition])
        found[f"{module}BaseUrl"] = call.origin if hosts_only else f"{call.origin}/api/{version}"
    return Answer(body={"status": 200, "message": f"Found for {env}", "data": found})


def _asked_edition(call: Call) -> str:
    """What version and pf ask for: 2.1 and aws go together, and 2 and az; "" for neither."""
    version = call.one("version").lower().removeprefix("v")
    named = {"2.1": "aws", "2": "az", "1.1": "v1.1"}.get(version, "")
    platform = call.one("pf").lower()
    return named or (platform if platform in ("aws", "az") else "")


def basic_token(platform: Platform, _call: Call) -> Answer:
    """GET /Auth/basic-token: identifies a caller of the API for the log-in."""
    token = base64.b64encode(secrets.token_bytes(30)).decode()
    platform.basic_tokens[token] = platform.now() + _BASIC_LIFE
    return Answer(
        body={"data": token, "status": 200, "message": "Basic token has been generated successfully"}
    )


def login(platform: Platform, call: Call) -> Answer:
    """POST /Auth/login: the answer is flat, not inside `data`."""
    return _login(platform, call, ())


def mobile_login(platform: Platform, call: Call) -> Answer:
    """POST /Auth/m-login: the same with a description of the telephone."""
    return _login(platform, call, _MOBILE)


def _login(platform: Platform, call: Call, more: tuple[str, ...]) -> Answer:
    _check_basic(platform, call)
    name, password, *_ = required(call.document(), "username", "password", *more)
    if call.headers.get("solution-key", "").strip() != platform.solution_key:
        raise unauthorized("The solution key is missing or not valid.")
    user = platform.person(name, password)
    if user is None:
        raise unauthorized("User name or password is not correct.")
    return _session(platform, user, refreshed=False)


def _check_basic(platform: Platform, call: Call) -> None:
    """401 without a basic token; any text will do unless the server is strict."""
    text = call.headers.get("authorization", "").strip()
    scheme, _, rest = text.partition(" ")
    token = rest.strip() if scheme.lower() == "basic" else text
    if not token:
        raise unauthorized("A basic token is needed.")
    if platform.switches.strict and platform.basic_tokens.get(token, 0) <= platform.now():
        raise unauthorized("The basic token is not valid.")


def _session(platform: Platform, user: User, *, refreshed: bool) -> Answer:
    life = platform.switches.token_life
    held = claims(user, platform.solution_key, refreshed=refreshed)
    plain = user.role.name.isascii()  # the other role is there for clients that must decode URL-safe
    access = platform.tokens.issue(held, seconds=life, plain=plain)
    refresh = "".join(secrets.choice(string.ascii_lowercase) for _ in range(_REFRESH_LETTERS))
    platform.world.issue(refresh, "iotconnect: refresh token")
    platform.refresh_tokens[refresh] = user.guid
    body = {
        "token_type": "bearer",
        "access_token": access,
        "expires_in": int(platform.tokens.seconds(life)),
        "refresh_token": refresh,
        "status": 200,
    }
    return Answer(body=body)


def refresh(platform: Platform, call: Call) -> Answer:
    """POST /Auth/refresh-token: a new pair; a dead token is a 409, and each can be used once."""
    document = call.document()
    required(document, "refreshtoken")
    token = text_of(document, "refreshtoken")
    guid = None if platform.switches.refresh_dead else platform.refresh_tokens.pop(token, None)
    user = None if guid is None else user_of(guid)
    if user is None:
        raise conflict("refreshtoken", "The refresh token is not valid.")
    return _session(platform, user, refreshed=True)


def verify(platform: Platform, call: Call) -> Answer:
    """GET /Auth/verify-token: 200 for a good access token."""
    authenticate(platform, call)
    return ok([], "The token is valid")


def authenticate(platform: Platform, call: Call) -> Caller:
    """The user behind the bearer token of a request; 401 without a good one."""
    scheme, _, token = call.headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise _refusal(platform, "A bearer token is needed.")
    try:
        held = platform.tokens.verify(token.strip())
    except TokenError as error:
        raise _refusal(platform, f"The token is not accepted: {error.reason}.") from None
    inner = held.get("user")
    user = user_of(str(inner.get("id"))) if isinstance(inner, dict) else None
    if user is None:
        raise _refusal(platform, "The token is no access token.")
    return Caller(guid=user.guid, name=user.name, role=user.role.guid)


def _refusal(platform: Platform, message: str) -> Refused:
    if platform.switches.html_401:
        return Refused(401, message, body=b"<html><body><h1>401 Unauthorized</h1></body></html>")
    return unauthorized(message)


ROUTES = [
    Route("GET", "/Auth/basic-token", basic_token, ""),
    Route("POST", "/Auth/login", login, ""),
    Route("POST", "/Auth/m-login", mobile_login, ""),
    Route("POST", "/Auth/refresh-token", refresh, ""),
    Route("GET", "/Auth/verify-token", verify, ""),
]
