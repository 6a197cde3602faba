"""The control plane: resource groups, applications, availability of names, application templates."""

import re
from typing import Any

from iotnb.sandbox.iotcentral.application import Application
from iotnb.sandbox.iotcentral.call import Call
from iotnb.sandbox.iotcentral.platform import Platform
from iotnb.sandbox.iotcentral.roles import ADMINISTRATOR
from iotnb.sandbox.iotcentral.routes import Route
from iotnb.sandbox.iotcentral.wire import Answer, Refused

Json = dict[str, Any]
_NAME = re.compile(r"(?![0-9]+$)(?!-)[a-zA-Z0-9-]{2,99}[a-zA-Z0-9]")
_SKUS = ("ST0", "ST1", "ST2")
_TYPE = "Microsoft.IoTCentral/IoTApps"
_APP = "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.IoTCentral/iotApps/{name}"
_GROUP = "/subscriptions/{s}/resourceGroups/{g}"
_PROVIDER = "/subscriptions/{s}/providers/Microsoft.IoTCentral"


def _refused(status: int, code: str, message: str, target: str = "") -> Refused:
    return Refused(status, code, message, target=target) if target else Refused(status, code, message)


def _check_subscription(platform: Platform, subscription: str) -> None:
    if subscription.lower() != platform.switches.subscription.lower():
        message = f"The subscription '{subscription}' could not be found."
        raise _refused(404, "SubscriptionNotFound", message)


def _check_group(platform: Platform, subscription: str, group: str) -> Json:
    _check_subscription(platform, subscription)
    found: Json | None = platform.apps.resource_groups.get(group.lower())
    if found is None:
        raise _refused(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")
    return found


def _find(platform: Platform, subscription: str, group: str, name: str) -> Application:
    _check_group(platform, subscription, group)
    app = platform.apps.find(group, name)
    if app is None:
        message = f"The Resource '{_TYPE}/{name}' under resource group '{group}' was not found."
        raise _refused(404, "ResourceNotFound", message)
    return app


def shown(platform: Platform, app: Application) -> Json:
    """An application as the control plane shows it."""
    held, switches = app.document, platform.switches
    ready = platform.now() - held["created"] >= switches.lro * 1000 or held["fleet"]
    place = f"/subscriptions/{switches.subscription}"
    out: Json = {
        "id": f"{place}/resourcegroups/{held['group']}/providers/{_TYPE}/{held['name']}",
        "name": held["name"],
        "type": _TYPE,
        "location": held["location"],
        "tags": held["tags"],
        "sku": held["sku"],
        "properties": {
            "applicationId": app.id,
            "displayName": held["displayName"],
            "subdomain": app.subdomain,
            "template": held["template"],
            "state": "created" if ready else "creating",
        },
    }
    if held.get("identity") == "SystemAssigned":
        out["identity"] = {
            "type": "SystemAssigned",
            "tenantId": switches.tenant,
            "principalId": held["principalId"],
        }
    return out


# resource groups


def put_group(platform: Platform, call: Call, subscription: str, group: str) -> Answer:
    """PUT a resource group: 201, or 200 when it is there already."""
    _check_subscription(platform, subscription)
    location = call.document().get("location")
    if not isinstance(location, str) or not location:
        raise _refused(400, "LocationRequired", "The location property is required for this definition.")
    shelf = platform.apps.resource_groups
    new = group.lower() not in shelf
    if new:
        shelf.put(group.lower(), {"name": group, "location": location})
    return Answer(201 if new else 200, _group(platform, shelf.get(group.lower())))


def _group(platform: Platform, held: Json) -> Json:
    return {
        "id": f"/subscriptions/{platform.switches.subscription}/resourceGroups/{held['name']}",
        "name": held["name"],
        "type": "Microsoft.Resources/resourceGroups",
        "location": held["location"],
        "properties": {"provisioningState": "Succeeded"},
    }


def get_group(platform: Platform, _call: Call, subscription: str, group: str) -> Answer:
    """GET a resource group."""
    return Answer(body=_group(platform, _check_group(platform, subscription, group)))


def list_groups(platform: Platform, _call: Call, subscription: str) -> Answer:
    """GET the resource groups of the subscription."""
    _check_subscription(platform, subscription)
    return Answer(body={"value": [_group(platform, held) for held in platform.apps.resource_groups.values()]})


def delete_group(platform: Platform, _call: Call, subscription: str, group: str) -> Answer:
    """DELETE a resource group with its applications."""
    _check_group(platform, subscription, group)
    for app in platform.apps:
        if app.document["group"].lower() == group.lower():
            platform.apps.delete(app)
    platform.apps.resource_groups.drop(group.lower())
    return Answer(200)


# applications


def put_app(platform: Platform, call: Call, subscription: str, group: str, name: str) -> Answer:
    """PUT an application: 201 and ready, 200 for an update, 202 with the switch `lro`."""
    _check_group(platform, subscription, group)
    body = call.document()
    properties = _members(body, "properties")
    sku = _members(body, "sku").get("name")
    if not isinstance(body.get("location"), str):
        raise _refused(400, "LocationRequired", "The location property is required for this definition.")
    if not isinstance(sku, str) or (call.strict and sku not in _SKUS):
        raise _refused(400, "InvalidSku", f"The sku name is one of {', '.join(_SKUS)}.", "sku")
    if not _NAME.fullmatch(name):
        raise _refused(400, "InvalidResourceName", f"The resource name '{name}' is not valid.", "name")
    subdomain = str(properties.get("subdomain") or name)
    if not _NAME.fullmatch(subdomain):
        raise _refused(400, "InvalidSubdomain", f"The subdomain '{subdomain}' is not valid.", "subdomain")
    members = {
        "displayName": str(properties.get("displayName") or name),
        "location": body["location"],
        "sku": {"name": sku},
        "template": str(properties.get("template") or "iotc-pnp-preview@1.0.0"),
        "tags": body.get("tags") or {},
        "identity": _members(body, "identity").get("type", "None"),
    }
    app = platform.apps.find(group, name)
    if app is not None:
        app.document.update(members)
        platform.apps.keep(app)
        return Answer(200, shown(platform, app))
    if platform.apps.get(subdomain) is not None:
        raise _refused(409, "SubdomainNotAvailable", f"The subdomain '{subdomain}' is taken.", "subdomain")
    if any(one.document["name"].lower() == name.lower() for one in platform.apps):
        raise _refused(409, "NameNotAvailable", f"The name '{name}' is taken.", "name")
    found = platform.apps.resource_groups.get(group.lower())
    app = platform.apps.create(found["name"], name, subdomain, members, _creator(platform, call))
    return Answer(202) if platform.switches.lro else Answer(201, shown(platform, app))


def _members(body: Json, name: str) -> Json:
    found = body.get(name) or {}
    if not isinstance(found, dict):
        raise _refused(400, "InvalidRequestContent", f"{name} must be an object.", name)
    return found


def _creator(platform: Platform, call: Call) -> Json:
    """The user that an application begins with."""
    claims = call.user.claims
    roles = [{"role": ADMINISTRATOR}]
    own = platform.switches.creator_is_admin
    if claims.get("idtyp") == "app" and own:
        principal = {"type": "servicePrincipal", "tenantId": claims["tid"], "objectId": claims["oid"]}
        return {"id": claims["oid"], **principal, "roles": roles}
    return {"id": "person", "type": "email", "email": "person@example.com", "roles": roles}


def get_app(platform: Platform, _call: Call, subscription: str, group: str, name: str) -> Answer:
    """GET an application."""
    return Answer(body=shown(platform, _find(platform, subscription, group, name)))


def patch_app(platform: Platform, call: Call, subscription: str, group: str, name: str) -> Answer:
    """PATCH display name, sku, tags or identity."""
    app = _find(platform, subscription, group, name)
    body = call.document()
    properties = _members(body, "properties")
    if "subdomain" in properties and properties["subdomain"] != app.subdomain:
        raise _refused(400, "InvalidRequestContent", "The subdomain cannot be changed.", "subdomain")
    if "displayName" in properties:
        app.document["displayName"] = str(properties["displayName"])
    if "sku" in body:
        app.document["sku"] = {"name": str(_members(body, "sku").get("name"))}
    if "tags" in body:
        app.document["tags"] = _members(body, "tags")
    if "identity" in body:
        app.document["identity"] = _members(body, "identity").get("type", "None")
    platform.apps.keep(app)
    return Answer(body=shown(platform, app))


def delete_app(platform: Platform, _call: Call, subscription: str, group: str, name: str) -> Answer:
    """DELETE an application: 200, and its data plane is closed; 204 when there is none."""
    _check_group(platform, subscription, group)
    app = platform.apps.find(group, name)
    if app is None:
        return Answer(204)
    platform.apps.delete(app)
    return Answer(200)


def list_apps(platform: Platform, _call: Call, subscription: str, group: str = "") -> Answer:
    """GET the applications of the subscription or of a resource group."""
    if group:
        _check_group(platform, subscription, group)
    _check_subscription(platform, subscription)
    chosen = (app for app in platform.apps if not group or app.document["group"].lower() == group.lower())
    return Answer(body={"value": [shown(platform, app) for app in chosen], "nextLink": None})


def _available(taken: bool, what: str) -> Answer:
    if not taken:
        return Answer(body={"nameAvailable": True, "reason": None, "message": None})
    message = f"{what} is not available: somebody has it."
    return Answer(body={"nameAvailable": False, "reason": "AlreadyExists", "message": message})


def _wanted(call: Call) -> str:
    body = call.document()
    name, kind = body.get("name"), body.get("type", "IoTApps")
    if not isinstance(name, str) or not name:
        raise _refused(400, "InvalidRequestContent", "name is needed.", "name")
    if str(kind).lower().rpartition("/")[2] != "iotapps":
        raise _refused(400, "InvalidRequestContent", "type is IoTApps.", "type")
    return name


def check_name(platform: Platform, call: Call, subscription: str) -> Answer:
    """POST checkNameAvailability."""
    _check_subscription(platform, subscription)
    name = _wanted(call)
    if not _NAME.fullmatch(name):
        body = {"nameAvailable": False, "reason": "Invalid", "message": f"'{name}' is not a valid name."}
        return Answer(body=body)
    taken = any(app.document["name"].lower() == name.lower() for app in platform.apps)
    return _available(taken, f"The name '{name}'")


def check_subdomain(platform: Platform, call: Call, subscription: str) -> Answer:
    """POST checkSubdomainAvailability."""
    _check_subscription(platform, subscription)
    name = _wanted(call)
    if not _NAME.fullmatch(name):
        body = {"nameAvailable": False, "reason": "Invalid", "message": f"'{name}' is not a valid subdomain."}
        return Answer(body=body)
    return _available(platform.apps.get(name) is not None, f"The subdomain '{name}'")


_TEMPLATES = (
    ("iotc-pnp-preview", "Custom application", "An empty application.", ""),
    (
        "iotc-condition",
        "In-store analytics: condition monitoring",
        "Watches the climate of a shop.",
        "Retail",
    ),
    ("iotc-consumption", "Water consumption monitoring", "Watches flow and valves.", "Government"),
)


def app_templates(platform: Platform, _call: Call, subscription: str) -> Answer:
    """POST appTemplates: what an application can be made from."""
    _check_subscription(platform, subscription)
    places = [
        {"id": "unitedstates", "displayName": "United States"},
        {"id": "europe", "displayName": "Europe"},
    ]
    rows = [
        {
            "manifestId": name,
            "manifestVersion": "1.0.0",
            "name": title,
            "title": title,
            "order": 99.0 - n,
            "description": text,
            "industry": industry,
            "locations": places,
        }
        for n, (name, title, text, industry) in enumerate(_TEMPLATES)
    ]
    return Answer(body={"value": rows, "nextLink": None})


def operations(_platform: Platform, _call: Call) -> Answer:
    """GET the operations of the resource provider."""
    words = {
        f"{_TYPE[:20]}/IoTApps/read": "Get an application",
        f"{_TYPE[:20]}/IoTApps/write": "Create or update an application",
        f"{_TYPE[:20]}/IoTApps/delete": "Delete an application",
        f"{_TYPE[:20]}/checkNameAvailability/action": "Check whether a resource name is available",
        f"{_TYPE[:20]}/checkSubdomainAvailability/action": "Check whether a subdomain is available",
        f"{_TYPE[:20]}/appTemplates/action": "List the application templates",
        f"{_TYPE[:20]}/operations/read": "List the operations",
    }
    rows = [
        {
            "name": name,
            "display": {
                "provider": "Azure IoT Central",
                "resource": "IoTApps",
                "operation": text,
                "description": text,
            },
        }
        for name, text in words.items()
    ]
    return Answer(body={"value": rows, "nextLink": None})


ROUTES = [
    Route("PUT", _GROUP, put_group),
    Route("GET", _GROUP, get_group),
    Route("DELETE", _GROUP, delete_group),
    Route("GET", "/subscriptions/{s}/resourceGroups", list_groups),
    Route("PUT", _APP, put_app),
    Route("GET", _APP, get_app),
    Route("PATCH", _APP, patch_app),
    Route("DELETE", _APP, delete_app),
    Route("GET", _APP.rpartition("/")[0], list_apps),
    Route("GET", f"{_PROVIDER}/iotApps", list_apps),
    Route("POST", f"{_PROVIDER}/checkNameAvailability", check_name),
    Route("POST", f"{_PROVIDER}/checkSubdomainAvailability", check_subdomain),
    Route("POST", f"{_PROVIDER}/appTemplates", app_templates),
    Route("GET", "/providers/Microsoft.IoTCentral/operations", operations),
]
