"""`/policies`: what devices must obey; in force on a device only after apply-changes."""

from typing import Any

from iotnb.sandbox.wso2.inventory import REMOVED, Enrolment, Query
from iotnb.sandbox.wso2.routes import MGT, routes
from iotnb.sandbox.wso2.state import Platform
from iotnb.sandbox.wso2.wire import Answer, Call, Refused, page_of, problem

Json = dict[str, Any]


def _all(platform: Platform) -> list[Json]:
    return sorted(platform.policies.values(), key=lambda one: (one["priorityId"], one["id"]))


def _get(platform: Platform, number: str) -> Json:
    found: Json | None = platform.policies.get(number)
    if found is None:
        raise problem(404, f"Policy with id {number} does not exist")
    return found


def list_policies(platform: Platform, call: Call) -> Answer:
    """GET /policies: without a limit none of them, though with their true number."""
    page, found = page_of(call, 0), _all(platform)
    return Answer(body={"policies": page.of(found), "count": len(found)})


def _words(body: Json, name: str) -> list[str]:
    found = body.get(name)
    return [str(one) for one in found] if isinstance(found, list) else []


def _parts(body: Json) -> Json:
    """The members that a client may set; 400 without a name or a profile."""
    profile = body.get("profile")
    if not isinstance(body.get("policyName"), str) or not isinstance(profile, dict):
        raise Refused(400)
    return {
        "policyName": body["policyName"],
        "description": str(body.get("description") or ""),
        "compliance": str(body.get("compliance") or "enforce"),
        "roles": _words(body, "roles"),
        "users": _words(body, "users"),
        "active": bool(body.get("active", False)),
        "ownershipType": str(body.get("ownershipType") or "ANY"),
    }


def _built(number: int, priority: int, parts: Json, body: Json, *, updated: bool) -> Json:
    """A policy with its members in the server's order."""
    sent = body["profile"]
    listed = sent.get("profileFeaturesList")
    features = [
        {
            "id": place,
            "featureCode": one.get("featureCode"),
            "deviceType": one.get("deviceType") or sent.get("deviceType"),
            "content": one.get("content"),
        }
        for place, one in enumerate(listed if isinstance(listed, list) else (), 1)
        if isinstance(one, dict)
    ]
    profile = {
        "profileId": number,
        "profileName": sent.get("profileName"),
        "deviceType": sent.get("deviceType"),
    }
    return {
        "id": number,
        "priorityId": priority,
        "profile": {**profile, "profileFeaturesList": features},
        **parts,
        "updated": updated,
        "profileId": number,
    }


def add(platform: Platform, call: Call) -> Answer:
    """POST /policies: 201 with the policy."""
    body = call.document()
    parts = _parts(body)
    number = platform.store.next_ids("policy")[0]
    policy = _built(number, len(platform.policies), parts, body, updated=False)
    platform.policies.put(str(number), policy)
    return Answer(201, policy)


def get_policy(platform: Platform, _call: Call, number: str) -> Answer:
    """GET /policies/{id}."""
    return Answer(body=_get(platform, number))


def update(platform: Platform, call: Call, number: str) -> Answer:
    """PUT /policies/{id}."""
    found, body = _get(platform, number), call.document()
    body = {"profile": found["profile"], **body}
    parts = _parts({**found, **body})
    policy = _built(found["id"], found["priorityId"], parts, body, updated=True)
    platform.policies.put(number, policy)
    return Answer(200, "Policy has successfully been updated.")


def _chosen(platform: Platform, call: Call) -> list[Json]:
    """The policies whose ids are in the body; 400 for an empty list, 404 for an unknown id."""
    numbers = call.array()
    if not numbers:
        raise problem(400, "Policy Ids should not be empty")
    return [_get(platform, str(one)) for one in numbers]


def activate(platform: Platform, call: Call) -> Answer:
    """POST /policies/activate-policy with `[1]`."""
    for one in _chosen(platform, call):
        platform.policies.put(str(one["id"]), {**one, "active": True, "updated": True})
    return Answer(200, "Selected policies have been successfully activated")


def deactivate(platform: Platform, call: Call) -> Answer:
    """POST /policies/deactivate-policy with `[1]`."""
    for one in _chosen(platform, call):
        platform.policies.put(str(one["id"]), {**one, "active": False, "updated": True})
    return Answer(200, "Selected policies have been successfully deactivated")


def remove(platform: Platform, call: Call) -> Answer:
    """POST /policies/remove-policy with `[1]`."""
    for one in _chosen(platform, call):
        platform.policies.drop(str(one["id"]))
        for enrolment, number in platform.effective.items():
            if number == str(one["id"]):
                platform.effective.drop(enrolment)
    return Answer(200, "Policies have been successfully deleted")


def set_priorities(platform: Platform, call: Call) -> Answer:
    """PUT /policies/priorities with `[{"id", "priority"}]`."""
    wanted = call.array()
    if not all(isinstance(one, dict) and isinstance(one.get("priority"), int) for one in wanted):
        raise Refused(400)
    chosen = [(_get(platform, str(one.get("id"))), one["priority"]) for one in wanted]
    for found, priority in chosen:
        platform.policies.put(str(found["id"]), {**found, "priorityId": priority, "updated": True})
    return Answer(200, "Policy Priorities successfully updated.")


def _for(platform: Platform, policy: Json, one: Enrolment) -> bool:
    """Whether a policy is meant for an enrolment: by ownership, and by role or user where it names any."""
    if policy["ownershipType"] not in ("ANY", "", one.ownership):
        return False
    owners = {*policy["users"]}.union(*(platform.accounts.with_role(role) for role in policy["roles"]))
    return not (policy["users"] or policy["roles"]) or "ANY" in policy["roles"] or one.owner in owners


def apply(platform: Platform, _call: Call) -> Answer:
    """PUT /policies/apply-changes: the active policy of the highest priority counts on each device."""
    platform.effective.clear()
    for policy in reversed([one for one in _all(platform) if one["active"]]):
        kind = str(policy["profile"]["deviceType"])
        for number in platform.inventory.select(Query(type=kind)):
            one = platform.inventory.enrolment(number)
            if one.status != REMOVED and _for(platform, policy, one):
                platform.effective.put(str(number), str(policy["id"]))
    for policy in _all(platform):
        platform.policies.put(str(policy["id"]), {**policy, "updated": False})
    return Answer(200, "Changes have been successfully updated.")


def effective(platform: Platform, _call: Call, kind: str, name: str) -> Answer:
    """GET /policies/effective-policy/{type}/{id}: 404 when none is in force."""
    one = platform.inventory.current(kind, name)
    number = None if one is None else platform.effective.get(str(one.id))
    if number is None:
        raise problem(404, f"No policy is found for the device '{name}'")
    return Answer(body=_get(platform, number))


ROUTES = routes(
    f"{MGT}/policies",
    ("GET", "", list_policies, "policies:get-details"),
    ("POST", "", add, "policies:manage"),
    ("GET", "/{id}", get_policy, "policies:get-policy-details"),
    ("PUT", "/{id}", update, "policies:update"),
    ("POST", "/activate-policy", activate, "policies:activate"),
    ("POST", "/deactivate-policy", deactivate, "policies:deactivate"),
    ("POST", "/remove-policy", remove, "policies:remove"),
    ("PUT", "/apply-changes", apply, "policies:changes"),
    ("PUT", "/priorities", set_priorities, "policies:priorities"),
    ("GET", "/effective-policy/{type}/{id}", effective, "policies:effective-policy"),
)
