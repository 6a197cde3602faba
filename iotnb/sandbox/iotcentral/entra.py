"""The identity platform: token and device code endpoints, and the principals that may log in."""

import secrets
from html import escape
from typing import Any

from iotnb.sandbox.iotcentral.call import Call
from iotnb.sandbox.iotcentral.directory import APPS, ARM, DeviceCode, Principal
from iotnb.sandbox.iotcentral.platform import Platform
from iotnb.sandbox.iotcentral.routes import Route
from iotnb.sandbox.iotcentral.wire import Answer, Refused
from iotnb.sandbox.wire import iso

_ALIASES = frozenset({"common", "organizations"})
_NO_STORE = {"Cache-Control": "no-store, no-cache", "Pragma": "no-cache"}
_CODE_LIFE = 900  # seconds
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


def _refused(platform: Platform, status: int, error: str, number: int, text: str) -> Refused:
    body = {
        "error": error,
        "error_description": f"AADSTS{number}: {text}",
        "error_codes": [number],
        "timestamp": iso(platform.now(), 0).replace("T", " "),
        "trace_id": platform.new_guid(),
        "correlation_id": platform.new_guid(),
    }
    return Refused(status, error, text, body=body, headers=_NO_STORE)


def _check_tenant(platform: Platform, tenant: str) -> None:
    if tenant not in _ALIASES and tenant.lower() != platform.switches.tenant.lower():
        raise _refused(platform, 400, "invalid_tenant", 90002, f"Tenant '{tenant}' not found.")


def _audience(platform: Platform, scope: str) -> str:
    """The resource that a scope is for."""
    wanted = [one for one in scope.split() if "://" in one]
    if not wanted:
        raise _refused(
            platform, 400, "invalid_scope", 70011, f"The provided value for scope '{scope}' is not valid."
        )
    resource = wanted[0].rpartition("/")[0].rstrip("/")
    return _known_resource(platform, resource)


def _known_resource(platform: Platform, resource: str) -> str:
    resource = resource.rstrip("/")
    if resource not in (APPS, ARM):
        text = f"The resource principal named {resource} was not found in the tenant."
        raise _refused(platform, 400, "invalid_resource", 500011, text)
    return resource


def token(platform: Platform, call: Call, tenant: str) -> Answer:
    """POST /{tenant}/oauth2/v2.0/token: client credentials, device code, refresh token."""
    _check_tenant(platform, tenant)
    fields = call.form()
    grant = fields.get("grant_type", "")
    if grant == "client_credentials":
        audience = _audience(platform, _field(platform, fields, "scope"))
        principal = _principal(platform, fields)
        return _answer(_tokens(platform, call, audience, _app_claims(principal)))
    if grant == DEVICE_GRANT:
        return _poll(platform, call, fields)
    if grant == "refresh_token":
        held = platform.directory.refresh.get(_field(platform, fields, "refresh_token"))
        if held is None:
            raise _refused(platform, 400, "invalid_grant", 70008, "The refresh token is not valid.")
        scope, client_id = held
        return _person(platform, call, fields.get("scope") or scope, client_id, refresh=True)
    text = f"The app requested an unsupported grant type '{grant}'."
    raise _refused(platform, 400, "unsupported_grant_type", 70003, text)


def token_v1(platform: Platform, call: Call, tenant: str) -> Answer:
    """POST /{tenant}/oauth2/token: the older form with `resource`."""
    _check_tenant(platform, tenant)
    fields = call.form()
    if fields.get("grant_type") != "client_credentials":
        text = "The request body must contain the following parameter: 'grant_type'."
        raise _refused(platform, 400, "invalid_request", 900144, text)
    audience = _known_resource(platform, _field(platform, fields, "resource"))
    claims = _app_claims(_principal(platform, fields))
    return _answer(_tokens(platform, call, audience, claims))


def _field(platform: Platform, fields: dict[str, str], name: str) -> str:
    if not fields.get(name):
        text = f"The request body must contain the following parameter: '{name}'."
        raise _refused(platform, 400, "invalid_request", 900144, text)
    return fields[name]


def _principal(platform: Platform, fields: dict[str, str]) -> Principal:
    name = _field(platform, fields, "client_id")
    found = platform.directory.principals.get(name)
    if found is None:
        text = f"Application with identifier '{name}' was not found in the directory."
        raise _refused(platform, 400, "unauthorized_client", 700016, text)
    secret = _field(platform, fields, "client_secret")
    if not secrets.compare_digest(secret.encode(), found.secret.encode()):
        text = f"Invalid client secret provided for app '{name}'."
        raise _refused(platform, 401, "invalid_client", 7000215, text)
    return found


def _app_claims(principal: Principal) -> dict[str, Any]:
    return {"oid": principal.object_id, "appid": principal.client_id, "idtyp": "app"}


def _tokens(platform: Platform, call: Call, audience: str, claims: dict[str, Any]) -> dict[str, Any]:
    life = int(platform.tokens.seconds(platform.switches.bearer_seconds))
    seconds = max(life - 1, 0) if life > 60 else life
    body: dict[str, Any] = {"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds}
    body["access_token"] = platform.directory.issue(call.origin, audience, claims)
    return body


def _person(platform: Platform, call: Call, scope: str, client_id: str, *, refresh: bool) -> Answer:
    """The person's tokens: with `openid` in the scope one of identity, and one to refresh them with."""
    directory, audience = platform.directory, _audience(platform, scope)
    body = _tokens(platform, call, audience, directory.person_claims())
    body["scope"] = scope
    if "openid" in scope.split():
        body["id_token"] = directory.identity(call.origin, client_id)
    if refresh:
        made = platform.world.issue(secrets.token_urlsafe(32), "iotcentral: refresh token")
        directory.refresh[made] = (f"{audience}/.default", client_id)
        body["refresh_token"] = made
    return _answer(body)


def _answer(body: dict[str, Any]) -> Answer:
    return Answer(body=body, headers=dict(_NO_STORE))


# device code


def devicecode(platform: Platform, call: Call, tenant: str) -> Answer:
    """POST /{tenant}/oauth2/v2.0/devicecode: begin a login on another screen."""
    _check_tenant(platform, tenant)
    fields = call.form()
    client, scope = _field(platform, fields, "client_id"), _field(platform, fields, "scope")
    _audience(platform, scope)
    letters = "".join(secrets.choice(_LETTERS) for _ in range(8))
    code = platform.world.issue(secrets.token_urlsafe(32), "iotcentral: device code")
    user_code = f"{letters[:4]}-{letters[4:]}"
    platform.directory.codes[code] = DeviceCode(user_code, client, scope, platform.now())
    place = f"{call.origin}/{tenant}/oauth2/deviceauth"
    body = {
        "user_code": user_code,
        "device_code": code,
        "verification_uri": place,
        "expires_in": _CODE_LIFE,
        "interval": platform.switches.poll_interval,
        "message": f"To sign in, open the page {place} and enter the code {user_code}.",
    }
    return _answer(body)


def _poll(platform: Platform, call: Call, fields: dict[str, str]) -> Answer:
    code = fields.get("device_code") or fields.get("code") or ""
    held = platform.directory.codes.get(code)
    if held is None or held.client_id != fields.get("client_id", held.client_id):
        raise _refused(platform, 400, "invalid_grant", 70000, "The device code is not valid.")
    now, switches = platform.now(), platform.switches
    if now - held.made > _CODE_LIFE * 1000:
        raise _refused(platform, 400, "expired_token", 70020, "The device code has expired.")
    auto = switches.approve_after
    if held.state == "pending" and auto is not None and now - held.made >= auto * 1000:
        held.state = "approved"
    if held.state == "declined":
        raise _refused(platform, 400, "authorization_declined", 70018, "The person declined.")
    if held.state == "pending":
        early = switches.strict and now - held.polled < switches.poll_interval * 1000
        held.polled = now
        if early:
            raise _refused(platform, 400, "slow_down", 70016, "Poll less often.")
        text = "OAuth 2.0 device flow error. Authorization is pending. Continue polling."
        raise _refused(platform, 400, "authorization_pending", 70016, text)
    del platform.directory.codes[code]
    offline = "offline_access" in held.scope.split()
    return _person(platform, call, held.scope, held.client_id, refresh=offline)


def deviceauth(platform: Platform, call: Call, tenant: str) -> Answer:
    """GET shows the page on which a person enters a code, POST takes `user_code` and `decline`."""
    _check_tenant(platform, tenant)
    fields = call.form() if call.method == "POST" else dict(call.pairs)
    code = fields.get("user_code", "").strip().upper()
    held = next((one for one in platform.directory.codes.values() if one.user_code == code), None)
    text = "Enter the code."
    if call.method == "POST":
        if held is None:
            text = "That code did not work."
        else:
            held.state = "declined" if fields.get("decline") else "approved"
            text = f"You have {held.state} the login. Close this page."
    page = (
        f"<!doctype html><title>Sign in</title><h1>Sandbox login</h1><p>{text}</p>"
        f'<form method="post"><input name="user_code" value="{escape(code)}"> <button>Allow</button> '
        '<button name="decline" value="1">Decline</button></form>'
    )
    return Answer(body=page.encode(), content_type="text/html; charset=utf-8")


def configuration(platform: Platform, call: Call, tenant: str) -> Answer:
    """GET /{tenant}/v2.0/.well-known/openid-configuration."""
    _check_tenant(platform, tenant)
    base = f"{call.origin}/{tenant}"
    return Answer(
        body={
            "issuer": f"{call.origin}/{platform.switches.tenant}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": ["HS256"],
            "scopes_supported": ["openid", "profile", "offline_access"],
        }
    )


def keys(platform: Platform, _call: Call, tenant: str) -> Answer:
    """GET /{tenant}/discovery/v2.0/keys: empty, the sandbox signs with a secret of its own (HS256)."""
    _check_tenant(platform, tenant)
    return Answer(body={"keys": []})


ROUTES = [
    Route("POST", "/{tenant}/oauth2/v2.0/token", token),
    Route("POST", "/{tenant}/oauth2/token", token_v1),
    Route("POST", "/{tenant}/oauth2/v2.0/devicecode", devicecode),
    Route("GET", "/{tenant}/oauth2/deviceauth", deviceauth),
    Route("POST", "/{tenant}/oauth2/deviceauth", deviceauth),
    Route("GET", "/{tenant}/v2.0/.well-known/openid-configuration", configuration),
    Route("GET", "/{tenant}/discovery/v2.0/keys", keys),
]
