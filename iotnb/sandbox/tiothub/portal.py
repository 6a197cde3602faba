"""A stand-in for the portal's form, which is no part of the platform.

`POST /application-access` does what a person does in the portal under Application access management.
"""

import re
from collections.abc import Callable
from typing import Any

import msgspec

from iotnb.sandbox.tiothub.clients import PERMISSIONS, urls
from iotnb.sandbox.tiothub.platform import Platform
from iotnb.sandbox.tiothub.state import TENANT
from iotnb.sandbox.tiothub.wire import Answer, Call, Refused

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


def form(platform: Platform, call: Call) -> Answer:
    """GET lists the accesses without secrets, POST adds one: name, email, permissions (default all)."""
    page = call.headers.get("origin")
    if page is not None and page.partition("://")[2] != call.headers.get("host"):
        raise Refused(403, {"error": f"not for pages of {page}"})
    by_method: dict[str, Callable[[Platform, Call], Answer]] = {"GET": _list, "POST": _add}
    if call.method not in by_method:
        raise Refused(405, {"error": "write GET or POST"}, headers={"Allow": "GET, POST"})
    return by_method[call.method](platform, call)


def _list(platform: Platform, _call: Call) -> Answer:
    found = [
        {"name": one.name, "client_id": one.id, "permissions": sorted(one.permissions)}
        for one in platform.directory.all()
    ]
    return Answer(body={"applications": found})


def _add(platform: Platform, call: Call) -> Answer:
    try:
        body = msgspec.json.decode(call.body, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise Refused(400, {"error": f"the body must be a JSON object: {error}"}) from None
    name, email = body.get("name"), body.get("email")
    if not isinstance(name, str) or not name.strip():
        raise Refused(400, {"error": "name: the application's nickname is needed"})
    if not isinstance(email, str) or not _EMAIL.fullmatch(email):
        raise Refused(400, {"error": "email: the address of the person responsible is needed"})
    permissions = body.get("permissions", list(PERMISSIONS))
    if not isinstance(permissions, list) or not permissions or not set(permissions) <= set(PERMISSIONS):
        raise Refused(400, {"error": f"permissions: some of {', '.join(PERMISSIONS)}"})
    client_id, secret = platform.directory.add(name.strip(), email, permissions)
    made = {"name": name.strip(), "client_id": client_id, "client_secret": secret}
    return Answer(
        status=201, body={**made, "permissions": permissions, "tenant": TENANT, **urls(call.origin)}
    )
