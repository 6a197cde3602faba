"""The token endpoint (client credentials as Keycloak does it), its keys, its discovery document."""

import base64
import binascii
import uuid
from typing import Any
from urllib.parse import parse_qs, unquote

from iotnb.sandbox.tiothub.platform import Platform
from iotnb.sandbox.tiothub.signing import RS256, at_hash
from iotnb.sandbox.tiothub.state import TENANT
from iotnb.sandbox.tiothub.wire import Answer, Call, Client, Refused
from iotnb.sandbox.tokens import TokenError

_FORM = "application/x-www-form-urlencoded"
_NOT_BEFORE = 1681129780  # of the realm in the tutorial
_LONG = 60.0  # seconds from which a fraction of one does not matter
_PUBLIC = {"Cache-Control": "no-store", "Pragma": "no-cache"}


def authenticate(platform: Platform, call: Call) -> Client:
    """The access behind the bearer token of a request; 401 without a good one."""
    scheme, _, token = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise _unauthorized("no bearer token")
    try:
        claims = platform.tokens.verify(token.strip())
    except TokenError as error:
        raise _unauthorized(f"token {error.reason}") from None
    client = platform.directory.client(str(claims.get("clientId"))) if claims.get("typ") == "Bearer" else None
    if client is None:
        raise _unauthorized("not an access token")
    return client


def _unauthorized(why: str) -> Refused:
    headers = {"WWW-Authenticate": f'Bearer error="invalid_token", error_description="{why}"'}
    return Refused(401, {"error": "Unauthorized", "message": why}, headers=headers)


def _oauth_error(status: int, error: str, text: str) -> Refused:
    return Refused(status, {"error": error, "error_description": text}, headers=_PUBLIC)


def _refused_client(platform: Platform) -> Refused:
    """The words differ between generations of the server."""
    if platform.switches.strict:
        return _oauth_error(401, "invalid_client", "client authentication failed")
    return _oauth_error(401, "unauthorized_client", "Invalid client or Invalid client credentials")


def token(platform: Platform, call: Call, realm: str) -> Answer:
    """POST .../token: form fields or HTTP Basic; any scope is accepted."""
    if call.method != "POST":
        raise Refused(405, {"error": "RESTEASY003650: No resource method found"}, headers={"Allow": "POST"})
    if call.content_type != _FORM:
        raise _oauth_error(400, "invalid_request", f"the body must be {_FORM}")
    fields = {
        name: values[-1]
        for name, values in parse_qs(call.body.decode(errors="replace"), keep_blank_values=True).items()
    }
    grant = fields.get("grant_type")
    if not grant:
        raise _oauth_error(400, "invalid_request", "missing required parameter 'grant_type'")
    if grant != "client_credentials":
        raise _oauth_error(400, "unsupported_grant_type", f"unsupported grant_type {grant}")
    client = _client(platform, call, fields)
    if client is None:
        raise _refused_client(platform)
    issuer = f"{call.origin}{call.prefix}/auth/realms/{realm}"
    return Answer(body=_issue(platform, client, issuer, fields.get("scope", "")), headers=dict(_PUBLIC))


def _client(platform: Platform, call: Call, fields: dict[str, str]) -> Client | None:
    scheme, _, value = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return platform.directory.checked(fields.get("client_id", ""), fields.get("client_secret", ""))
    try:
        name, _, secret = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    # RFC 6749 2.3.1 encodes both as form values; most clients do not: plain ones are accepted too
    plain = platform.directory.checked(name, secret)
    return plain or platform.directory.checked(unquote(name), unquote(secret))


def _issue(platform: Platform, client: Client, issuer: str, asked: str) -> dict[str, Any]:
    """The answer; default scopes are added to those asked for, unknown ones are left out."""
    newer = platform.switches.edition == "2026"
    openid = "openid" in asked.split() and not newer
    scope = "client-origin profile email" if newer else "openid email profile" if openid else "profile email"
    subject = str(uuid.uuid5(uuid.NAMESPACE_URL, client.id))
    common: dict[str, Any] = {"iss": issuer, "sub": subject, "azp": client.id, "acr": "1"}
    person = {
        "clientHost": "127.0.0.1",
        "email_verified": False,
        "clientId": client.id,
        "preferred_username": f"service-account-{client.id}",
        "clientAddress": "127.0.0.1",
    }
    claims: dict[str, Any] = {**common, "typ": "Bearer", "scope": scope}
    if newer:
        claims |= {"originZone": "space", "originStargate": issuer.partition("/auth/")[0]}
    else:
        roles = sorted(client.permissions, key=lambda role: role[3:] + role[:3])
        claims |= {"realm_access": {"roles": roles}, "tenants": [TENANT]}
    seconds = platform.switches.token_ttl
    life = _life(platform, seconds)
    access = platform.tokens.issue({**claims, **person}, seconds=life)
    answer: dict[str, Any] = {
        "access_token": access,
        "expires_in": int(platform.tokens.seconds(seconds)),
        "refresh_expires_in": 0,
        "token_type": "Bearer",
    }
    if openid:
        identity = {**common, "aud": client.id, "typ": "ID", "auth_time": 0, "at_hash": at_hash(access)}
        identity |= {"tenants": [TENANT], **person}
        answer["id_token"] = platform.tokens.issue(identity, seconds=life)
    answer["not-before-policy"] = 0 if newer else _NOT_BEFORE
    answer["scope"] = scope
    return answer


def _life(platform: Platform, seconds: float) -> float:
    """A long life ends on a full second, so that `exp` - `iat` is what `expires_in` says."""
    return seconds - platform.now() % 1000 / 1000 if seconds >= _LONG else seconds


def certs(_platform: Platform, _call: Call, _realm: str) -> Answer:
    """GET .../certs: the published key."""
    return Answer(body=RS256().jwks())


def configuration(_platform: Platform, call: Call, realm: str) -> Answer:
    """GET .../.well-known/openid-configuration."""
    issuer = f"{call.origin}{call.prefix}/auth/realms/{realm}"
    connect = f"{issuer}/protocol/openid-connect"
    return Answer(
        body={
            "issuer": issuer,
            "token_endpoint": f"{connect}/token",
            "jwks_uri": f"{connect}/certs",
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "email", "profile"],
        }
    )
