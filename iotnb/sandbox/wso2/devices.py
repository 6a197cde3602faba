"""`/devices` and `/admin/devices`: lists, one device, what it tells about itself, and changes."""

from collections.abc import Sequence
from typing import Any

from iotnb.sandbox.wso2.details import applications as installed
from iotnb.sandbox.wso2.details import document, info, location, told_at
from iotnb.sandbox.wso2.formats import parse_rfc_822
from iotnb.sandbox.wso2.inventory import OWNERSHIPS, REMOVED, STATUSES, Enrolment, Query
from iotnb.sandbox.wso2.routes import MGT, routes
from iotnb.sandbox.wso2.state import Platform
from iotnb.sandbox.wso2.wire import Answer, Call, Page, Refused, page_of, problem

Json = dict[str, Any]
_LONGEST = 45  # characters of a type or an identifier


def not_yours() -> Refused:
    """401 of a service: the device belongs to somebody else."""
    return problem(401, "Current logged in user is not authorized to access the given device")


def enrolment(
    platform: Platform, call: Call, kind: str, identifier: str, owner: str = ""
) -> Enrolment | None:
    """The enrolment that a request is about, or None; 401 for somebody else's device."""
    one = platform.inventory.current(kind, identifier, owner)
    if one is not None and not call.caller.admin and one.owner != call.caller.user:
        own = platform.inventory.current(kind, identifier, call.caller.user)
        if own is None or owner:
            raise not_yours()
        return own
    return one


def unknown(kind: str, identifier: str) -> Refused:
    """404 for a device."""
    text = f"Requested device of type '{kind}', which carries id '{identifier}' does not exist"
    return problem(404, text)


def shown(platform: Platform, call: Call, ids: Sequence[int], page: Page | None) -> Answer:
    """A device list; `count` is the number of all matches."""
    switches, whole = platform.switches, call.flag("requireDeviceInfo")
    if page is not None and page.offset and switches.rows_vanish:
        ids = ids[switches.rows_vanish :]
    part = ids if page is None else page.of(ids)
    rows = [document(platform, platform.inventory.enrolment(n), whole=whole) for n in part]
    body: Json = {} if switches.withhold_devices else {"devices": rows}
    return Answer(body={**body, "count": len(ids)})


def _query(platform: Platform, call: Call) -> Query:
    """The conditions of a list; 400 for what is none, 401 for other people's devices."""
    ownership, status = call.one("ownership"), call.one("status")
    if ownership and ownership.upper() not in OWNERSHIPS:
        raise problem(400, f"Invalid ownership type received. Valid types are {' | '.join(OWNERSHIPS)}")
    if status and status.upper() not in STATUSES:
        raise problem(400, f"Invalid status type received. Valid status types are {' | '.join(STATUSES)}")
    owner, pattern, caller = call.one("user"), call.one("userPattern"), call.caller
    if not caller.admin:
        if pattern or platform.accounts.plain(owner or caller.user) != caller.user:
            raise not_yours()
        owner = caller.user
    role = call.one("role")
    return Query(
        name=call.one("name"),
        type=call.one("type"),
        owner=platform.accounts.plain(owner),
        owner_prefix=pattern,
        owners=frozenset(platform.accounts.with_role(role)) if role else None,
        ownership=ownership.upper(),
        status=status.upper(),
    )


def _since(call: Call) -> int | None:
    """The moment after which details must have changed; the header wins over the parameter."""
    text = call.headers.get("if-modified-since") or call.one("since")
    if not text:
        return None
    found = parse_rfc_822(text)
    if found is None:
        raise problem(
            400, "Invalid date string is provided in 'If-Modified-Since' header or 'since' parameter"
        )
    return found


def list_devices(platform: Platform, call: Call) -> Answer:
    """GET /devices."""
    if call.one("name") and call.one("role"):
        raise problem(
            400, "Request contains both name and role parameters. Only one is allowed at once.", code=False
        )
    page = page_of(call, platform.switches.default_page)
    query, since = _query(platform, call), _since(call)
    ids: Sequence[int] = platform.inventory.select(query)
    if since is not None:
        told = ((n, told_at(platform, platform.inventory.enrolment(n))) for n in ids)
        ids = [n for n, at in told if at is not None and at > since]
        if not ids and "if-modified-since" in call.headers:
            return Answer(304)
    if call.one("role"):
        if not call.flag("requireDeviceInfo"):
            return Answer(body={"count": len(ids)})
        return shown(platform, call, ids, None)
    return shown(platform, call, ids, page)


def user_devices(platform: Platform, call: Call) -> Answer:
    """GET /devices/user-devices: the caller's own."""
    page = page_of(call, platform.switches.default_page)
    return shown(platform, call, platform.inventory.select(Query(owner=call.caller.user)), page)


def admin_devices(platform: Platform, call: Call) -> Answer:
    """GET /admin/devices: `count` is the length of the page."""
    if not call.caller.admin or call.one("tenant-domain", "carbon.super") not in ("carbon.super", ""):
        raise problem(401, "Current logged in user is not authorized to perform this operation", code=False)
    page = page_of(call, platform.switches.default_page)
    ids = platform.inventory.select(Query(name=call.one("name"), type=call.one("type")))
    part = page.of(ids)
    rows = [document(platform, platform.inventory.enrolment(n)) for n in part]
    return Answer(body={"devices": rows, "count": len(rows)})


def get_device(platform: Platform, call: Call, kind: str, identifier: str) -> Answer:
    """GET /devices/{type}/{id}."""
    if max(len(kind), len(identifier)) > _LONGEST:
        raise problem(400, f"Device type and identifier have at most {_LONGEST} characters.")
    one = enrolment(platform, call, kind, identifier, platform.accounts.plain(call.one("owner")))
    if one is None:
        raise unknown(kind, identifier)
    return Answer(body=document(platform, one, whole=True))


def get_info(platform: Platform, call: Call, kind: str, identifier: str) -> Answer:
    """GET .../info: empty for a device that never told."""
    one = enrolment(platform, call, kind, identifier)
    if one is None:
        raise unknown(kind, identifier)
    return Answer(body=info(platform, one))


def get_location(platform: Platform, call: Call, kind: str, identifier: str) -> Answer:
    """GET .../location: 200 without a body for what is not known."""
    one = enrolment(platform, call, kind, identifier)
    return Answer(body=None if one is None else location(platform, one))


def get_features(platform: Platform, _call: Call, kind: str, _identifier: str) -> Answer:
    """GET .../features: those of the type, whether the device is there or not."""
    if kind not in platform.types:
        raise problem(404, f"Requested device type '{kind}' does not exist")
    return Answer(body=platform.types.features(kind))


def get_applications(platform: Platform, call: Call, kind: str, identifier: str) -> Answer:
    """GET .../applications: a plain array, all of them."""
    one = enrolment(platform, call, kind, identifier)
    return Answer(body=[] if one is None else installed(platform, one))


def get_effective_policy(platform: Platform, call: Call, kind: str, identifier: str) -> Answer:
    """GET .../effective-policy: the policy in force, or an empty body."""
    one = enrolment(platform, call, kind, identifier)
    name = None if one is None else platform.effective.get(str(one.id))
    return Answer(body=None if name is None else platform.policies.get(name))


def get_compliance(platform: Platform, call: Call, kind: str, identifier: str) -> Answer:
    """GET .../compliance-data: 200 also without a policy or a device."""
    one = enrolment(platform, call, kind, identifier)
    body: Json = {"deviceID": identifier}
    name = None if one is None else platform.effective.get(str(one.id))
    if one is not None and name is not None:
        policy = platform.policies.get(name) or {}
        body["complianceData"] = {
            "id": one.id,
            "enrolmentId": one.id,
            "policyId": policy.get("id", 0),
            "status": True,
            "attempts": 0,
            "complianceFeatures": [],
        }
        body["code"] = 200
    return Answer(body=body)


def get_status(platform: Platform, _call: Call, kind: str, identifier: str) -> Answer:
    """GET .../status: 200 if there is a record, also of a removed device, else 204."""
    return Answer(200 if platform.inventory.find(kind, identifier) is not None else 204)


def change_status(platform: Platform, call: Call, kind: str, identifier: str) -> Answer:
    """PUT .../changestatus?newStatus=: 200 with a bool."""
    one, status = enrolment(platform, call, kind, identifier), call.one("newStatus").upper()
    if one is None:
        raise Refused(404)
    if status not in STATUSES:
        raise Refused(404)  # JAX-RS: a parameter that is no value of the enumeration
    changed = one.status != status
    if changed:
        platform.inventory.change(one.id, status=status)
    return Answer(body=changed)


def rename(platform: Platform, call: Call, kind: str, identifier: str) -> Answer:
    """POST /devices/type/{t}/id/{i}/rename: 201 `true`."""
    body, one = call.document(), enrolment(platform, call, kind, identifier)
    if one is None:
        raise Refused(404)
    name = body.get("name")
    if not isinstance(name, str) or not name.strip():
        raise Refused(400)
    platform.inventory.change_device(one.device, name=name)
    return Answer(201, True)


def delete(platform: Platform, call: Call, kind: str, identifier: str) -> Answer:
    """DELETE /devices/type/{t}/id/{i}: the enrolment is REMOVED and stays in the list."""
    one = enrolment(platform, call, kind, identifier)
    if one is None:
        raise Refused(404)
    platform.inventory.change(one.id, status=REMOVED)
    return Answer(200, True)


ROUTES = routes(
    f"{MGT}/devices",
    ("GET", "", list_devices, "devices:view"),
    ("GET", "/user-devices", user_devices, "devices:view"),
    ("GET", "/{type}/{id}", get_device, "devices:details"),
    ("PUT", "/{type}/{id}", get_status, "devices:view"),
    ("GET", "/{type}/{id}/info", get_info, "devices:details"),
    ("GET", "/{type}/{id}/location", get_location, "devices:details"),
    ("GET", "/{type}/{id}/features", get_features, "devices:features"),
    ("GET", "/{type}/{id}/applications", get_applications, "devices:applications"),
    ("GET", "/{type}/{id}/effective-policy", get_effective_policy, "devices:effective-policy"),
    ("GET", "/{type}/{id}/compliance-data", get_compliance, "devices:compliance-data"),
    ("GET", "/{type}/{id}/status", get_status, ""),
    ("PUT", "/{type}/{id}/changestatus", change_status, "devices:change-status"),
    ("POST", "/type/{type}/id/{id}/rename", rename, "devices:update"),
    ("DELETE", "/type/{type}/id/{id}", delete, "devices:delete"),
) + routes(f"{MGT}/admin/devices", ("GET", "", admin_devices, "admin:devices:view"))
