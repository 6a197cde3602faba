"""`/notifications`: what failed on devices."""

from iotnb.sandbox.wso2.notices import CHECKED, NEW
from iotnb.sandbox.wso2.routes import MGT, routes
from iotnb.sandbox.wso2.state import Platform
from iotnb.sandbox.wso2.wire import Answer, Call, page_of, problem


def list_notifications(platform: Platform, call: Call) -> Answer:
    """GET /notifications?status=NEW|CHECKED."""
    page, status = page_of(call, platform.switches.default_page), call.one("status")
    if status not in ("", NEW, CHECKED):
        raise problem(400, f"Invalid status type received. Valid status types are {NEW} | {CHECKED}")
    found = platform.notices.all(status)
    return Answer(body={"notifications": page.of(found), "count": len(found)})


def check(platform: Platform, _call: Call, number: str) -> Answer:
    """PUT /notifications/{id}/mark-checked: the notification as it is now."""
    found = platform.notices.get(number)
    if found is None:
        raise problem(404, f"Notification with id {number} does not exist")
    return Answer(body=platform.notices.check(found))


def clear(platform: Platform, _call: Call) -> Answer:
    """PUT /notifications/clear-all."""
    for one in platform.notices.all(NEW):
        platform.notices.check(one)
    return Answer(200, "All notifications have been successfully cleared.")


ROUTES = routes(
    f"{MGT}/notifications",
    ("GET", "", list_notifications, "notifications:view"),
    ("PUT", "/{id}/mark-checked", check, "notifications:mark-checked"),
    ("PUT", "/clear-all", clear, "notifications:mark-checked"),
)
