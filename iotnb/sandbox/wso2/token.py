"""The token endpoint and revocation: password, refresh token and client credentials."""

from urllib.parse import unquote_plus

from iotnb.sandbox.wire import encode
from iotnb.sandbox.wso2.clients import Application
from iotnb.sandbox.wso2.registration import basic
from iotnb.sandbox.wso2.scopes import NOT_IN_TUTORIAL, granted
from iotnb.sandbox.wso2.state import Platform
from iotnb.sandbox.wso2.wire import FORM, Answer, Call, backend_failure, oauth_error

Form = dict[str, str]
_PRIVATE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_TUTORIAL_TAGS = ["device_management"]
_UNKNOWN = "Persisted access token data not found"


def form(call: Call) -> Form:
    """The fields of the body: raw blanks and an empty field are taken unless the sandbox is strict."""
    text = call.body.decode(errors="replace")
    if call.strict and (call.content_type != FORM or " " in text or "&=" in text):
        raise oauth_error(400, "invalid_request", "Malformed form body")
    fields: Form = {}
    for part in text.split("&"):
        name, _, value = part.partition("=")
        if not name:
            continue
        if call.strict and name in fields:
            raise oauth_error(400, "invalid_request", f"The parameter {name} is repeated")
        fields[unquote_plus(name).strip()] = unquote_plus(value).strip("\r\n")
    return fields


def _client(platform: Platform, call: Call, fields: Form) -> Application:
    """The application behind the Basic header, or (unless strict) behind the fields of the body."""
    given = basic(call)
    if given is None and not call.strict and "authorization" not in call.headers:
        given = fields.get("client_id", ""), fields.get("client_secret", "")
    application = platform.clients.application(given[0]) if given else None
    if given is None or application is None or application.secret != given[1]:
        raise oauth_error(401, "invalid_client", "Client Authentication failed.")
    return application


def token(platform: Platform, call: Call) -> Answer:
    """POST /token."""
    if platform.switches.token_fault:
        raise backend_failure()
    fields = form(call)
    grant_type = fields.get("grant_type", "")
    if not grant_type:
        raise oauth_error(400, "invalid_request", "Missing grant_type parameter value")
    application = _client(platform, call, fields)
    handler = _GRANTS.get(grant_type)
    if handler is None:
        raise oauth_error(400, "unsupported_grant_type", f"Unsupported grant_type value {grant_type}")
    return Answer(200, encode(handler(platform, application, fields)), dict(_PRIVATE))


def _narrowed(platform: Platform, application: Application, user: str, asked: str) -> list[str]:
    tutorial = platform.switches.scope_profile == "tutorial" and application.tags == _TUTORIAL_TAGS
    without = NOT_IN_TUTORIAL if tutorial else frozenset()
    return granted(asked.split(), lambda node: platform.accounts.holds(user, node), without=without)


def _password(platform: Platform, application: Application, fields: Form) -> object:
    name = fields.get("username", "")
    user = platform.accounts.checked(name, fields.get("password", ""))
    if user is None:
        raise oauth_error(400, "invalid_grant", f"Authentication failed for {name}")
    scopes = _narrowed(platform, application, user, fields.get("scope", ""))
    clients, switches = platform.clients, platform.switches
    living = clients.living(application.client_id, user, scopes) if switches.reuse_token else None
    made = living or clients.issue(application.client_id, user, scopes, seconds=switches.token_life)
    return clients.shown(made)


def _refresh(platform: Platform, application: Application, fields: Form) -> object:
    clients, switches = platform.clients, platform.switches
    old = clients.by_refresh(fields.get("refresh_token", ""))
    if old is None or old.client_id != application.client_id:
        raise oauth_error(400, "invalid_grant", _UNKNOWN)
    if old.refresh_expires <= platform.now():
        raise oauth_error(400, "invalid_grant", "Refresh token is expired.")
    asked = fields.get("scope", "").split()
    if not set(asked) <= set(old.scopes):
        raise oauth_error(400, "invalid_scope", "Invalid Scope!")
    scopes = asked or old.scopes
    if switches.refresh_drops_ios:
        scopes = [scope for scope in scopes if not scope.startswith("perm:ios:")]
    rotate = switches.renew_refresh_token or switches.refresh_drops_ios
    return clients.shown(clients.renew(old, scopes, seconds=switches.token_life, rotate=rotate))


def _client_credentials(platform: Platform, application: Application, fields: Form) -> object:
    scopes = _narrowed(platform, application, application.owner, fields.get("scope", ""))
    seconds, clients = application.validity, platform.clients
    made = clients.issue(application.client_id, application.owner, scopes, seconds=seconds, refreshable=False)
    return clients.shown(made)


_GRANTS = {"password": _password, "refresh_token": _refresh, "client_credentials": _client_credentials}


def revoke(platform: Platform, call: Call) -> Answer:
    """POST /revoke: 200 for any token; only the application's own ones end."""
    fields = form(call)
    application = _client(platform, call, fields)
    word = fields.get("token", "")
    if not word:
        raise oauth_error(400, "invalid_request", "Required parameters missing")
    platform.clients.revoke(word, application.client_id)
    return Answer(200, None, dict(_PRIVATE))
