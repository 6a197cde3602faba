"""Who sends a request: Basic, Bearer, cookie with XSRF header; OAI-Secure logins and the login options."""

import base64
import binascii
import secrets
import uuid
from typing import Any

from iotnb.sandbox.cumulocity.people import User
from iotnb.sandbox.cumulocity.state import MANAGEMENT, TENANT, Platform
from iotnb.sandbox.cumulocity.wire import (
    JSON,
    Answer,
    Call,
    Refused,
    encode,
    forbidden,
    parse_query,
    unauthorized,
)
from iotnb.sandbox.tokens import TokenError

SESSION_SECONDS = 7_200
RENEWAL_SECONDS = 3_600
_COOKIE = "authorization"


def authenticate(platform: Platform, call: Call) -> User:
    """The user of a request; 401 for missing, wrong, expired or logged-out credentials."""
    scheme, _, value = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        return _basic(platform, call, value.strip())
    if scheme.lower() == "bearer":
        return _bearer(platform, value.strip())
    cookie = _cookies(call).get(_COOKIE)
    if cookie:
        claims = _claims(platform, cookie)
        if not secrets.compare_digest(call.headers.get("x-xsrf-token", ""), str(claims.get("xsrfToken"))):
            raise unauthorized("Invalid XSRF token")
        return _bearer(platform, cookie)
    raise unauthorized("Full authentication is required to access this resource")


def _basic(platform: Platform, call: Call, value: str) -> User:
    try:
        name, _, password = base64.b64decode(value).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise unauthorized() from None
    tenant, _, bare = name.rpartition("/")
    if not tenant and call.headers.get("host", "").split(".")[0] == TENANT:
        raise forbidden("The tenant ID is no domain of its own: send <tenant>/<user> as the user name")
    user = platform.directory.checked(tenant or TENANT, bare, password)
    if user is None:
        raise unauthorized()
    if user.document.get("enforced"):  # a code that users ask for themselves concerns OAI-Secure only
        trouble = platform.directory.second_factor(user, call.headers.get("tfatoken", ""))
        if trouble:
            raise unauthorized(trouble)
    return user


def _claims(platform: Platform, token: str) -> dict[str, Any]:
    try:
        return platform.tokens.verify(token)
    except TokenError:
        raise unauthorized() from None


def _bearer(platform: Platform, token: str) -> User:
    claims = _claims(platform, token)
    user = platform.directory.user(str(claims.get("ten")), str(claims.get("sub")), token=token)
    if user is None:
        raise unauthorized()
    return user


def _cookies(call: Call) -> dict[str, str]:
    pairs = (part.strip().partition("=") for part in call.headers.get("cookie", "").split(";"))
    return {name: value for name, _, value in pairs}


def issue_token(platform: Platform, call: Call, user: User, *, seconds: float, xsrf: str = "") -> str:
    """A session token of a user, with the claims that clients read."""
    host = call.headers.get("host", "localhost")
    claims = {
        "iss": host,
        "aud": host,
        "sub": user.name,
        "ten": user.tenant,
        "tfa": bool(user.document.get("strategy")),
        "tci": str(uuid.uuid4()),
        "xsrfToken": xsrf,
    }
    return platform.tokens.issue(claims, seconds=seconds)


def _log_in(platform: Platform, call: Call) -> tuple[User, str, str]:
    """(user, token, XSRF token) for the form of a login."""
    form, _ = parse_query(call.body.decode(errors="replace"))
    values = {name: found[0] for name, found in form.items()}
    if values.get("grant_type", "PASSWORD").upper() != "PASSWORD":
        raise unauthorized("Invalid credentials! : Unknown authorization code")
    tenant, _, name = values.get("username", "").rpartition("/")
    tenant = call.one("tenant_id") or tenant or TENANT
    user = platform.directory.checked(tenant, name, values.get("password", ""))
    if user is None:
        raise unauthorized()
    code = values.get("tfa_code") or values.get("tfa_token") or ""
    trouble = platform.directory.second_factor(user, code)
    if trouble:
        raise unauthorized(trouble)
    xsrf = secrets.token_hex(10)
    return user, issue_token(platform, call, user, seconds=SESSION_SECONDS, xsrf=xsrf), xsrf


def oauth(platform: Platform, call: Call) -> Answer:
    """POST /tenant/oauth: two cookies and an empty body."""
    _, token, xsrf = _log_in(platform, call)
    secure = "; Secure" if call.origin.startswith("https") else ""
    cookies = (f"{_COOKIE}={token}; Path=/; HttpOnly{secure}", f"XSRF-TOKEN={xsrf}; Path=/{secure}")
    return Answer(cookies=cookies)


def oauth_token(platform: Platform, call: Call) -> Answer:
    """POST /tenant/oauth/token: the token in the body."""
    _, token, _ = _log_in(platform, call)
    return Answer(body={"access_token": token}, content_type=JSON)


def logout(platform: Platform, call: Call) -> Answer:
    """POST /user/logout: the token is invalid from now on."""
    if call.user.token:
        platform.tokens.revoke(call.user.token)
    secure = "; Secure" if call.origin.startswith("https") else ""
    gone = f"=deleted; Path=/; Max-Age=0{secure}"
    return Answer(cookies=(_COOKIE + gone, "XSRF-TOKEN" + gone))


def logout_all(platform: Platform, call: Call, tenant: str) -> Answer:
    """POST /user/logout/{tenant}/allUsers."""
    platform.need_edition("2024")
    platform.access.need(call.user, "ROLE_USER_MANAGEMENT_ADMIN")
    if tenant != call.user.tenant:
        raise forbidden()
    platform.tokens.expire_all()
    return Answer()


def login_options(platform: Platform, call: Call) -> Answer:
    """GET /tenant/loginOptions: how one may log in here; needs no authentication."""
    if call.one("tenantId") and call.flag("management"):
        raise Refused(400, "LoginOptions/Bad Request", "Only one of tenantId and management may be given")
    tenant = MANAGEMENT if call.flag("management") else call.one("tenantId", TENANT)
    if tenant not in (TENANT, MANAGEMENT):
        raise Refused(404, "security/Not Found", f"There is no tenant with id = {tenant}")
    host = call.headers.get("host", "localhost")
    internal = {
        "id": "924997e5-863c-4532-96f9-cbe6dc5f8902",
        "self": call.url("tenant", "loginOptions", "OAUTH2_INTERNAL"),
        "type": "OAUTH2_INTERNAL",
        "grantType": "PASSWORD",
        "userManagementSource": "INTERNAL",
        "visibleOnLoginPage": True,
        "tfaStrategy": "TOTP",
        "initRequest": f"{call.origin}/tenant/oauth?tenant_id={tenant}",
        "loginRedirectDomain": host,
        "enforceStrength": True,
        "greenMinLength": 8,
        "sessionConfiguration": {
            "absoluteTimeoutMillis": SESSION_SECONDS * 1000,
            "renewalTimeoutMillis": RENEWAL_SECONDS * 1000,
            "userAgentValidationRequired": False,
            "maximumNumberOfParallelSessions": 5,
        },
    }
    basic = {
        "id": "a1b2c3d4-4b62-a8f1-a00b-a63c89ce0001",
        "self": call.url("tenant", "loginOptions", "BASIC"),
        "type": "BASIC",
        "userManagementSource": "INTERNAL",
        "visibleOnLoginPage": False,
        "authenticationRestrictions": {"forbiddenClients": ["WEB_BROWSERS"]},
    }
    options = [internal, basic] if platform.switches.oai_secure else [basic]
    return Answer(
        body={"self": call.url("tenant", "loginOptions") + "/", "loginOptions": options},
        kind="loginoptioncollection",
    )


def error_body(refused: Refused, info: str) -> bytes:
    """An error in the platform's shape."""
    body = {"error": refused.error, "message": refused.message, "info": info, **refused.more}
    return encode({name: value for name, value in body.items() if value not in ("", None)})


ROUTES = (
    ("POST", "/tenant/oauth", oauth),
    ("POST", "/tenant/oauth/token", oauth_token),
    ("GET", "/tenant/loginOptions", login_options),
    ("POST", "/user/logout", logout),
    ("POST", "/user/logout/{tenant}/allUsers", logout_all),
)
PUBLIC = frozenset({"/tenant/oauth", "/tenant/oauth/token", "/tenant/loginOptions"})
