"""`/activities`: the same operations seen over all devices; pages count (operation x device) rows."""

import re
from collections.abc import Sequence
from typing import Any

from iotnb.sandbox.wso2.formats import parse_rfc_822
from iotnb.sandbox.wso2.log import Mapping, Operation
from iotnb.sandbox.wso2.operations import activity, status_of
from iotnb.sandbox.wso2.routes import MGT, routes
from iotnb.sandbox.wso2.state import Platform
from iotnb.sandbox.wso2.wire import Answer, Call, page_of, problem

Json = dict[str, Any]
_WINDOW = 42_300_000  # ms that a list without `since` looks back
_ID = re.compile(r"ACTIVITY_(\d+)")


def _admin(call: Call) -> None:
    """Beside the scope most calls here want the admin role itself."""
    if not call.caller.admin:
        text = "Unauthorized operation! Only admin role can perform this operation."
        raise problem(401, text, code=False)


def _number(text: str) -> int:
    found = _ID.fullmatch(text.strip())
    if found is None:
        raise problem(400, f"Activity id should be in the form ACTIVITY_<number>, not {text}.")
    return int(found[1])


def _joined(platform: Platform, rows: Sequence[Mapping]) -> list[Json]:
    """Rows as activities: what belongs together on this page, and only that, is in one entry."""
    held: dict[int, tuple[Operation, list[Json]]] = {}
    for one in rows:
        held.setdefault(one.operation.id, (one.operation, []))[1].append(status_of(platform, one))
    return [activity(platform, operation, statuses) for operation, statuses in held.values()]


def _listed(platform: Platform, call: Call, rows: list[Mapping]) -> Answer:
    page = page_of(call, platform.switches.default_page)
    return Answer(body={"activities": _joined(platform, page.of(rows)), "count": len(rows)})


def list_activities(platform: Platform, call: Call) -> Answer:
    """GET /activities?since=: those updated after it, the last update last."""
    _admin(call)
    page_of(call, platform.switches.default_page)
    header = call.headers.get("if-modified-since", "")
    text = header or call.one("since")
    since = platform.now() - _WINDOW
    if text:
        found = parse_rfc_822(text)
        if found is None:
            raise problem(400, "Invalid date string is provided in 'If-Modified-Since' header or 'since'")
        since = found
    rows = platform.log.updated_since(since)
    if header and not rows:
        return Answer(304)
    return _listed(platform, call, rows)


def of_code(platform: Platform, call: Call, code: str) -> Answer:
    """GET /activities/type/{operationCode}: of all time."""
    _admin(call)
    return _listed(platform, call, platform.log.updated_since(0, code))


def _one(platform: Platform, number: int) -> Json | None:
    rows = platform.log.mappings(number)
    return _joined(platform, rows)[0] if rows else None


def get_activity(platform: Platform, call: Call, name: str) -> Answer:
    """GET /activities/{ACTIVITY_n}."""
    _admin(call)
    found = _one(platform, _number(name))
    if found is None:
        raise problem(404, "No activity found with the given ID.", code=False)
    return Answer(body=found)


def by_ids(platform: Platform, call: Call) -> Answer:
    """GET /activities/ids?ids=ACTIVITY_1,ACTIVITY_2: those that are there."""
    _admin(call)
    names = [name for name in call.one("ids").split(",") if name.strip()]
    if not names:
        raise problem(400, "Activity Ids shouldn't be empty")
    found = [_one(platform, _number(name)) for name in names]
    there = [one for one in found if one is not None]
    if not there:
        raise problem(404, "No activity found with the given IDs.", code=False)
    return Answer(body={"activities": there, "count": len(there)})


def of_device(platform: Platform, call: Call, name: str, kind: str, device: str) -> Answer:
    """GET /activities/{id}/{type}/{deviceId}: no admin role is needed for the caller's own device."""
    number = _number(name)
    owner = "" if call.caller.admin else call.caller.user
    wanted = platform.inventory.find(kind, device)
    rows = [
        one
        for one in platform.log.mappings(number)
        if (there := platform.inventory.enrolment(one.enrolment)).device == wanted
        and (not owner or there.owner == owner)
    ]
    if not rows:
        raise problem(404, "No activity found with the given ID.", code=False)
    return Answer(body=_joined(platform, rows)[0])


ROUTES = routes(
    f"{MGT}/activities",
    ("GET", "", list_activities, "get-activity"),
    ("GET", "/ids", by_ids, "get-activity"),
    ("GET", "/type/{code}", of_code, "get-activity"),
    ("GET", "/{id}", get_activity, "get-activity"),
    ("GET", "/{id}/{type}/{device}", of_device, "get-activity"),
)
