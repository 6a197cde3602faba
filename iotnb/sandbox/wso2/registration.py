"""Registering client applications: `/api-application-registration`, with the user's own name and password."""

import base64
import binascii
from typing import Any

from iotnb.sandbox.wire import encode
from iotnb.sandbox.wso2.accounts import TENANT
from iotnb.sandbox.wso2.state import Platform
from iotnb.sandbox.wso2.wire import TEXT, Answer, Call, Refused, not_served

FIXED_TAGS = ("device_management", "scep_management", "device_agent")


def basic(call: Call) -> tuple[str, str] | None:
    """Name and secret of a Basic header, or None for anything else."""
    scheme, _, value = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, secret = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (name, secret) if colon else None


def _text(status: int, text: str) -> Refused:
    return Refused(status, text.encode(), content_type=TEXT)


def _user(platform: Platform, call: Call) -> str:
    """The user behind the Basic header; 401 for none."""
    given = basic(call)
    user = platform.accounts.checked(*given) if given else None
    if user is None:
        raise Refused(401, headers={"WWW-Authenticate": 'Basic realm="WSO2"'})
    return user


def register(platform: Platform, call: Call) -> Answer:
    """POST /register: 201 with id and secret; the same name gives the same ones."""
    user = _user(platform, call)
    body = call.document()
    tags: Any = body.get("tags")
    if not isinstance(tags, list) or not tags:
        raise _text(406, "Tags should not be empty")
    known = {*FIXED_TAGS, *platform.types.names()}
    may = platform.accounts.holds(user, "/manage/api/subscribe")
    if not may or any(tag not in known for tag in tags):
        raise _text(406, "APIs(Tags) are not allowed to this user.")
    name = body.get("applicationName")
    validity = str(body.get("validityPeriod") or "3600")
    try:
        seconds = float(validity)
    except ValueError:
        seconds = 0.0
    if not isinstance(name, str) or not name.strip() or seconds <= 0:
        raise Refused(500, b"false")
    application = platform.clients.register(
        owner=user,
        name=name,
        tags=[str(tag) for tag in tags],
        all_domains=bool(body.get("isAllowedToAllDomains")),
        validity=seconds,
    )
    return Answer(201, encode({"client_secret": application.secret, "client_id": application.client_id}))


def register_tenant(platform: Platform, call: Call) -> Answer:
    """POST /register/tenants: for the only tenant that there is."""
    user = _user(platform, call)
    name = call.one("applicationName")
    if call.one("tenantDomain") != TENANT or not name or not platform.accounts.is_admin(user):
        raise Refused(406)
    application = platform.clients.register(
        owner=user, name=name, tags=["device_management"], all_domains=False, validity=3600.0
    )
    return Answer(201, encode({"client_secret": application.secret, "client_id": application.client_id}))


def unregister(_platform: Platform, call: Call) -> Answer:
    """DELETE /unregister: the gateway knows it, and nothing stands behind it."""
    raise not_served(call.path)
