"""The three credentials of Azure IoT Central: API token, token for the application, token for management."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec

from iotnb import times
from iotnb.auth import Auth, BearerAuth, jwt_claims
from iotnb.errors import ConfigError, RequestError
from iotnb.secret import Sealed, Secret

APPLICATION = "https://apps.azureiotcentral.com"
MANAGEMENT = "https://management.azure.com"

# who a token may be made out to: the address, or the id of the service's own application
_AUDIENCES = {
    APPLICATION: APPLICATION,
    "9edfcdd9-0bc5-4bd4-b287-c3afc716aac7": APPLICATION,
    MANAGEMENT: MANAGEMENT,
    "https://management.core.windows.net": MANAGEMENT,
}
_FIELDS = {APPLICATION: "bearer", MANAGEMENT: "management_bearer"}
_WORDS = {
    APPLICATION: "the inside of an application (devices, templates, API tokens)",
    MANAGEMENT: "applications as Azure resources (create, list, delete)",
}

ROLES = {
    "ca310b8d-2f4a-44e0-a36e-957c202cd8d4": "Administrator",
    "344138e9-8de4-4497-8c54-5237e96d6aaf": "Builder",
    "ae2c9854-393b-4f97-8c42-479d70ce626e": "Operator",
    "c495eb57-eb18-489e-9802-62c474e5645c": "Org Admin",
    "b4935647-30e4-4ed3-9074-dcac66c2f8ef": "Org Operator",
    "84cc62c1-dabe-49d3-b16e-8b291232b285": "Org Viewer",
}
"""Identifiers of the built-in roles."""


class ApiTokenAuth(Auth):
    """An API token of one application; it cannot be renewed.

    `id` is the token's name, `application` the id of the application that it opens, `expires` its end; all
    are read from the token. Takes the token itself or the JSON that the service answered with it.
    """

    def __init__(self, token: Secret) -> None:
        text = _inner(token.reveal(), "token")
        parts = re.fullmatch(r"(?:SharedAccessSignature\s+)?(sr=\S+)", text.strip("\"'"))
        fields = dict(parse_qsl(parts[1].replace("+", "%2B"))) if parts else {}
        lacking = [name for name in ("sr", "sig", "skn", "se") if not fields.get(name)]
        if parts is None or lacking or not re.fullmatch(r"\d+", fields["se"]):
            raise ConfigError(
                "api_token= is no API token of IoT Central: it begins with 'SharedAccessSignature sr=' and "
                "holds sig=, skn= and se=. Copy it whole from the answer that created it, or make a new one "
                "under Security > Permissions > API tokens."
            )
        self._token = Secret(f"SharedAccessSignature {parts[1]}")
        raw = next(part for part in parts[1].split("&") if part.startswith("sig="))[4:]
        self._parts = [Secret(raw), Secret(unquote(raw))]
        self.id, self.application = fields["skn"], fields["sr"]
        self.role = ""
        try:
            self.expires: datetime | None = times.from_ms(int(fields["se"]))  # milliseconds, not seconds
        except OverflowError:
            self.expires = None

    def headers(self) -> Sealed:
        """One Authorization header: the token as it is, without a scheme of ours."""
        return Sealed(Authorization=self._token.reveal())

    def describe(self) -> dict[str, str]:
        """Method, token id, role where it is known, expiry; never the signature."""
        shown = {"method": "API token", "user": self.id, "role": self.role}
        if self.expires:
            shown["expires"] = f"{self.expires:%Y-%m-%d %H:%M:%S} UTC"
        return {name: value for name, value in shown.items() if value}

    def secrets(self) -> list[Secret]:
        """The token and its signature."""
        return [self._token, *self._parts]


class Pasted:
    """A bearer token as the vendor's command line prints it: bare, or the JSON around it.

    `subscription` and `directory` are read from the JSON. Raises ConfigError if the token is made out to
    the other audience: this is the mix-up that people meet first.
    """

    def __init__(self, text: Secret, *, audience: str) -> None:
        raw = text.reveal().strip()
        self.subscription = self.directory = ""
        if raw.startswith("{"):
            document = _json(raw)
            self.subscription = str(document.get("subscription") or "")
            self.directory = str(document.get("tenant") or "")
            raw = str(document.get("accessToken") or document.get("access_token") or "")
            if not raw:
                raise ConfigError(f"{_FIELDS[audience]}= is JSON without accessToken: copy it whole")
        self.auth = BearerAuth(Secret(raw))
        self.claims = jwt_claims(Secret(re.sub(r"(?i)^bearer\s+", "", raw)))
        check_audience(self.claims, audience)
        self.directory = self.directory or str(self.claims.get("tid") or "")
        self.user = person(self.claims)


def person(claims: Mapping[str, Any]) -> str:
    """Who a token of Entra ID names: a person's address, else the application's id."""
    names = ("upn", "preferred_username", "unique_name", "appid", "azp", "oid", "sub")
    return next((str(claims[name]) for name in names if claims.get(name)), "")


def audience_of(claims: Mapping[str, Any]) -> str:
    """APPLICATION, MANAGEMENT, or "" when the token does not say or says something else."""
    named = claims.get("aud")
    first = named[0] if isinstance(named, list) and named else named
    return _AUDIENCES.get(str(first or "").rstrip("/"), "")


def check_audience(claims: Mapping[str, Any], audience: str) -> None:
    """Raises ConfigError for a token that is made out to the other part of Azure."""
    found = audience_of(claims)
    if found and found != audience:
        raise ConfigError(
            f"the token in {_FIELDS[audience]}= is for {found}, that is {_WORDS[found]}; here one for "
            f"{audience} is needed, that is {_WORDS[audience]}. Give this token as {_FIELDS[found]}=, and "
            f"get the other with: az account get-access-token --resource {audience}"
        )


def refused(error: RequestError, auth: Auth, *, audience: str) -> RequestError:
    """The same 401 or 403 with what to do about it."""
    late = auth.expires is not None and auth.expires < times.now()
    ended = f"It expired at {times.to_wire(auth.expires)}. " if late and auth.expires else ""
    if error.status == 403:
        hint = (
            "You are logged in, but your role in this application lacks the right. A service principal must "
            "also be a user of the application, with the object id of the *enterprise application*."
        )
    elif isinstance(auth, ApiTokenAuth):
        hint = (
            f"{ended}The API token {auth.id!r} is not accepted: it opens one application only (id "
            f"{auth.application}), and it may have been deleted. Check app_url."
        )
    else:
        hint = (
            f"{ended}Two bearer tokens exist, and neither opens the other's door: this one must be for "
            f"{audience} ({_WORDS[audience]}). Get one with: "
            f"az account get-access-token --resource {audience}"
        )
    return type(error)(
        error.status,
        error.method,
        error.path,
        error.words,
        hint=hint,
        request_id=error.request_id,
        retry_after=error.retry_after,
        body=error.body,
    )


def _inner(text: str, key: str) -> str:
    """The value of a key if the text is a JSON object, else the text."""
    text = text.strip()
    if not text.startswith("{"):
        return text
    return str(_json(text).get(key) or "")


def _json(text: str) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(text.encode())
    except msgspec.DecodeError:
        document = None
    if not isinstance(document, dict):
        raise ConfigError("the pasted text begins like JSON but is none: copy it whole, or the token alone")
    return document
