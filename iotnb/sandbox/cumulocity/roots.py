"""The root documents of every API, with URI templates, and the applications that a client may ask about."""

from functools import partial
from typing import Any

from iotnb.sandbox.cumulocity.state import TENANT, Platform
from iotnb.sandbox.cumulocity.wire import Answer, Call, Refused, sliced

_TREES: dict[str, dict[str, Any]] = {
    "inventory": {
        "managedObjects": {"references": [], "self": "/inventory/managedObjects"},
        "managedObjectsForType": "/inventory/managedObjects?type={type}",
        "managedObjectsForFragmentType": "/inventory/managedObjects?fragmentType={fragmentType}",
        "managedObjectsForListOfIds": "/inventory/managedObjects?ids={ids}",
        "managedObjectsForText": "/inventory/managedObjects?text={text}",
    },
    "identity": {
        "externalId": "/identity/externalIds/{type}/{externalId}",
        "externalIdsOfGlobalId": "/identity/globalIds/{globalId}/externalIds",
    },
    "measurement": {
        "measurements": {"self": "/measurement/measurements"},
        "measurementsForSource": "/measurement/measurements?source={source}",
        "measurementsForSourceAndType": "/measurement/measurements?source={source}&type={type}",
        "measurementsForValueFragmentType": "/measurement/measurements?valueFragmentType={valueFragmentType}",
        "measurementsForType": "/measurement/measurements?type={type}",
        "measurementsForDate": "/measurement/measurements?dateFrom={dateFrom}&dateTo={dateTo}",
        "measurementsForSourceAndDate": (
            "/measurement/measurements?source={source}&dateFrom={dateFrom}&dateTo={dateTo}"
        ),
    },
    "event": {
        "events": {"self": "/event/events"},
        "eventsForSource": "/event/events?source={source}",
        "eventsForType": "/event/events?type={type}",
        "eventsForTime": "/event/events?dateFrom={dateFrom}&dateTo={dateTo}",
        "eventsForFragmentType": "/event/events?fragmentType={fragmentType}",
        "eventsForSourceAndTime": "/event/events?source={source}&dateFrom={dateFrom}&dateTo={dateTo}",
        "eventsForSourceAndType": "/event/events?source={source}&type={type}",
    },
    "alarm": {
        "alarms": {"self": "/alarm/alarms"},
        "alarmsForSource": "/alarm/alarms?source={source}",
        "alarmsForStatus": "/alarm/alarms?status={status}",
        "alarmsForTime": "/alarm/alarms?dateFrom={dateFrom}&dateTo={dateTo}",
        "alarmsForSourceAndTime": "/alarm/alarms?source={source}&dateFrom={dateFrom}&dateTo={dateTo}",
        "alarmsForStatusAndTime": "/alarm/alarms?status={status}&dateFrom={dateFrom}&dateTo={dateTo}",
        "alarmsForSourceAndStatus": "/alarm/alarms?source={source}&status={status}",
    },
    "devicecontrol": {
        "operations": {"self": "/devicecontrol/operations"},
        "operationsByStatus": "/devicecontrol/operations?status={status}",
        "operationsByAgentId": "/devicecontrol/operations?agentId={agentId}",
        "operationsByAgentIdAndStatus": "/devicecontrol/operations?agentId={agentId}&status={status}",
        "operationsByDeviceId": "/devicecontrol/operations?deviceId={deviceId}",
        "operationsByDeviceIdAndStatus": "/devicecontrol/operations?deviceId={deviceId}&status={status}",
    },
    "audit": {
        "auditRecords": {"self": "/audit/auditRecords"},
        "auditRecordsForType": "/audit/auditRecords?type={type}",
        "auditRecordsForUser": "/audit/auditRecords?user={user}",
        "auditRecordsForUserAndType": "/audit/auditRecords?user={user}&type={type}",
        "auditRecordsForTypeAndApplication": "/audit/auditRecords?type={type}&application={application}",
        "auditRecordsForUserAndApplication": "/audit/auditRecords?user={user}&application={application}",
        "auditRecordsForApplication": "/audit/auditRecords?application={application}",
    },
    "user": {
        "users": "/user/{realm}/users",
        "userByName": "/user/{realm}/userByName/{userName}",
        "currentUser": "/user/currentUser",
        "groups": "/user/{realm}/groups",
        "groupByName": "/user/{realm}/groupByName/{groupName}",
        "roles": "/user/roles",
    },
    "tenant": {
        "tenants": {"self": "/tenant/tenants"},
        "options": {"self": "/tenant/options"},
        "tenantOption": "/tenant/options/{category}/{key}",
        "tenantOptionsForCategory": "/tenant/options/{category}",
        "tenantSystemOptions": "/tenant/system/options",
    },
    "retention": {"retentions": {"self": "/retention/retentions"}},
    "application": {
        "applications": {"self": "/application/applications"},
        "applicationById": "/application/applications/{id}",
        "applicationsByName": "/application/applicationsByName/{name}",
        "applicationsByOwner": "/application/applicationsByOwner/{tenant}",
    },
}
_NAMES = {"devicecontrol": "deviceControl"}
_APPLICATIONS = ((1, "administration"), (2, "devicemanagement"), (3, "cockpit"))


def _absolute(origin: str, value: Any) -> Any:
    """The same tree with every path made a link."""
    if isinstance(value, str):
        return origin + value if value.startswith("/") else value
    if isinstance(value, dict):
        return {name: _absolute(origin, part) for name, part in value.items()}
    return value


def _root(name: str, call: Call) -> dict[str, Any]:
    found: dict[str, Any] = _absolute(call.origin, _TREES[name])
    return {"self": f"{call.origin}/{name}", **found}


def root(name: str, platform: Platform, call: Call) -> Answer:
    """GET of one API's root document."""
    del platform
    return Answer(body=_root(name, call), kind=f"{name}api")


def platform_root(platform: Platform, call: Call) -> Answer:
    """GET /platform: all of them."""
    del platform
    parts = {_NAMES.get(name, name): _root(name, call) for name in _TREES}
    return Answer(body={"self": f"{call.origin}/platform", **parts}, kind="platformapi")


def _application(call: Call, number: int, name: str) -> dict[str, Any]:
    own = call.url("application", "applications", number)
    return {
        "id": str(number),
        "self": own,
        "name": name,
        "key": f"{name}-application-key",
        "type": "HOSTED",
        "availability": "MARKET",
        "contextPath": name,
        "owner": {"self": call.url("tenant", "tenants", "management"), "tenant": {"id": "management"}},
    }


def list_applications(platform: Platform, call: Call, *values: str) -> Answer:
    """GET of applications: the three that every tenant has."""
    platform.access.need(call.user, "ROLE_APPLICATION_MANAGEMENT_READ")
    name = values[0] if values and "applicationsByName" in call.segments else call.one("name")
    items = [_application(call, *one) for one in _APPLICATIONS if not name or one[1] == name]
    hosted = not call.words("type") or "HOSTED" in call.words("type")
    if not hosted or TENANT in (call.one("owner"), *values):
        items = []
    return sliced(call, "applications", "applicationcollection", items)


def get_application(platform: Platform, call: Call, text: str) -> Answer:
    """GET /application/applications/{id}."""
    platform.access.need(call.user, "ROLE_APPLICATION_MANAGEMENT_READ")
    found = next((one for one in _APPLICATIONS if str(one[0]) == text), None)
    if found is None:
        raise Refused(404, "application/Not Found", f"Application with ID {text} not found")
    return Answer(body=_application(call, *found), kind="application")


ROUTES = (
    ("GET", "/platform", platform_root),
    *(("GET", f"/{name}", partial(root, name)) for name in _TREES),
    ("GET", "/application/applications", list_applications),
    ("GET", "/application/applications/{id}", get_application),
    ("GET", "/application/applicationsByName/{name}", list_applications),
    ("GET", "/application/applicationsByOwner/{tenant}", list_applications),
    ("GET", "/application/applicationsByTenant/{tenant}", list_applications),
)
