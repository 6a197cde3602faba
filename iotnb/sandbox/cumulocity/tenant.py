"""The tenant: itself, its options, its retention rules."""

from typing import Any

from iotnb.sandbox.cumulocity.state import Platform
from iotnb.sandbox.cumulocity.wire import Answer, Call, Refused, done, invalid, missing, sliced

_DATA_TYPES = ("ALARM", "AUDIT", "BULK_OPERATION", "EVENT", "MEASUREMENT", "OPERATION", "*")
_MOST_DAYS = 9_223_372_036
_DEFAULT_DAYS = 60
_SYSTEM = {
    "system/version": "1023.0.0",
    "two-factor-authentication/enabled": "true",
    "files/max.size": "52428800",
}


def seed(platform: Platform) -> None:
    """The retention rule that every tenant has: 60 days for everything."""
    if platform.store.setting("retention", "1") is None:
        rule = {
            "id": "1",
            "dataType": "*",
            "fragmentType": "*",
            "type": "*",
            "source": "*",
            "maximumAge": _DEFAULT_DAYS,
            "editable": True,
        }
        platform.store.set("retention", "1", rule)


def current(platform: Platform, call: Call) -> Answer:
    """GET /tenant/currentTenant: the cheapest way to see that a login works."""
    del platform
    domain = call.headers.get("host", "localhost")
    body = {
        "self": call.url("tenant", "currentTenant"),
        "name": call.user.tenant,
        "domainName": domain.split(":")[0],
        "allowCreateTenants": False,
        "customProperties": {},
        "applications": {
            "references": [],
            "self": call.url("tenant", "tenants", call.user.tenant, "applications"),
        },
    }
    return Answer(body=body, kind="currenttenant")


def get_tenant(platform: Platform, call: Call, tenant: str) -> Answer:
    """GET /tenant/tenants/{id}: one's own tenant only."""
    platform.access.need(call.user, "ROLE_TENANT_MANAGEMENT_READ")
    if tenant != call.user.tenant:
        raise Refused(404, "security/Not Found", f"There is no tenant with id = {tenant}")
    body = {
        "self": call.url("tenant", "tenants", tenant),
        "id": tenant,
        "domain": call.headers.get("host", "localhost"),
        "status": "ACTIVE",
        "company": "iotnb sandbox",
        "parent": "management",
    }
    return Answer(body=body, kind="tenant")


# options


def _option(call: Call, name: str, kept: dict[str, Any]) -> dict[str, Any]:
    category, _, key = name.partition("/")
    return {"self": call.url("tenant", "options", category, key), "category": category, "key": key, **kept}


def _need(platform: Platform, call: Call, verb: str) -> None:
    platform.access.need(call.user, f"ROLE_OPTION_MANAGEMENT_{verb}")


def list_options(platform: Platform, call: Call) -> Answer:
    """GET /tenant/options."""
    _need(platform, call, "READ")
    items = [_option(call, name, kept) for name, kept in platform.store.settings("option").items()]
    return sliced(call, "options", "optioncollection", items)


def _set(platform: Platform, name: str, value: Any) -> dict[str, Any]:
    """Keep an option; 403 for one that is marked as not editable."""
    if not isinstance(value, str):
        raise invalid("Field value must be text")
    kept = platform.store.setting("option", name) or {}
    if kept.get("editable") is False:
        raise Refused(403, "security/Forbidden", f"Option {name} is not editable")
    made = {**kept, "value": value}
    platform.store.set("option", name, made)
    return made


def create_option(platform: Platform, call: Call) -> Answer:
    """POST /tenant/options: answers 200, not 201."""
    _need(platform, call, "ADMIN")
    body = call.document()
    absent = [name for name in ("category", "key", "value") if body.get(name) is None]
    if absent:
        raise missing(*absent)
    name = f"{body['category']}/{body['key']}"
    return call.changed("option", _option(call, name, _set(platform, name, body["value"])))


def get_category(platform: Platform, call: Call, category: str) -> Answer:
    """GET /tenant/options/{category}: key to value."""
    _need(platform, call, "READ")
    found = platform.store.settings("option").items()
    start = f"{category}/"
    return Answer(
        body={name.removeprefix(start): kept["value"] for name, kept in found if name.startswith(start)}
    )


def put_category(platform: Platform, call: Call, category: str) -> Answer:
    """PUT /tenant/options/{category}: several at once."""
    _need(platform, call, "ADMIN")
    body = call.document()
    for key, value in body.items():
        if key != "self":
            _set(platform, f"{category}/{key}", value)
    return get_category(platform, call, category)


def _found(platform: Platform, name: str) -> dict[str, Any]:
    kept: dict[str, Any] | None = platform.store.setting("option", name)
    if kept is None:
        raise Refused(404, "options/Not Found", f"Could not find entity with ID {name}")
    return kept


def get_option(platform: Platform, call: Call, category: str, key: str) -> Answer:
    """GET /tenant/options/{category}/{key}."""
    _need(platform, call, "READ")
    name = f"{category}/{key}"
    return Answer(body=_option(call, name, _found(platform, name)), kind="option")


def put_option(platform: Platform, call: Call, category: str, key: str) -> Answer:
    """PUT /tenant/options/{category}/{key}."""
    _need(platform, call, "ADMIN")
    name, body = f"{category}/{key}", call.document()
    if "value" not in body:
        raise missing("value")
    return call.changed("option", _option(call, name, _set(platform, name, body["value"])))


def delete_option(platform: Platform, call: Call, category: str, key: str) -> Answer:
    """DELETE /tenant/options/{category}/{key}."""
    _need(platform, call, "ADMIN")
    _found(platform, f"{category}/{key}")
    platform.store.unset("option", f"{category}/{key}")
    return done()


def put_editable(platform: Platform, call: Call, category: str, key: str) -> Answer:
    """PUT /tenant/options/{category}/{key}/editable."""
    _need(platform, call, "ADMIN")
    name = f"{category}/{key}"
    kept = _found(platform, name) | {"editable": bool(call.document().get("editable", True))}
    platform.store.set("option", name, kept)
    return call.changed("option", _option(call, name, kept))


def list_system(platform: Platform, call: Call) -> Answer:
    """GET /tenant/system/options."""
    del platform
    parts = ((name.split("/"), value) for name, value in _SYSTEM.items())
    items = [{"category": category, "key": key, "value": value} for (category, key), value in parts]
    return Answer(body={"self": call.link(), "options": items}, kind="optioncollection")


def get_system(platform: Platform, call: Call, category: str, key: str) -> Answer:
    """GET /tenant/system/options/{category}/{key}."""
    del platform
    value = _SYSTEM.get(f"{category}/{key}")
    if value is None:
        raise Refused(404, "options/Not Found", f"Could not find entity with ID {category}/{key}")
    return Answer(body={"category": category, "key": key, "value": value, "self": call.link()}, kind="option")


# retention


def _rule(call: Call, kept: dict[str, Any]) -> dict[str, Any]:
    return {**kept, "self": call.url("retention", "retentions", kept["id"])}


def list_rules(platform: Platform, call: Call) -> Answer:
    """GET /retention/retentions."""
    platform.access.need(call.user, "ROLE_RETENTION_RULE_READ")
    rules = [_rule(call, kept) for kept in platform.store.settings("retention").values()]
    return sliced(call, "retentionRules", "retentionrulecollection", rules)


def _checked(body: dict[str, Any]) -> dict[str, Any]:
    age = body.get("maximumAge")
    if isinstance(age, bool) or not isinstance(age, int) or not 0 <= age <= _MOST_DAYS:
        raise invalid("maximumAge must be a number of days") if age is not None else missing("maximumAge")
    if body.get("dataType", "*") not in _DATA_TYPES:
        raise invalid(f"dataType must be one of {', '.join(_DATA_TYPES)}")
    standard = dict.fromkeys(("dataType", "fragmentType", "type", "source"), "*")
    return {name: body.get(name) or value for name, value in standard.items()} | {"maximumAge": age}


def create_rule(platform: Platform, call: Call) -> Answer:
    """POST /retention/retentions."""
    platform.access.need(call.user, "ROLE_RETENTION_RULE_ADMIN")
    kept = {"id": str(platform.next_id("retention")), **_checked(call.document()), "editable": True}
    platform.store.set("retention", kept["id"], kept)
    document = _rule(call, kept)
    return call.made("retentionrule", document, document["self"])


def _existing(platform: Platform, text: str) -> dict[str, Any]:
    kept: dict[str, Any] | None = platform.store.setting("retention", text)
    if kept is None:
        raise Refused(404, "retention/Not Found", f"Could not find retention rule by ID {text}")
    return kept


def get_rule(platform: Platform, call: Call, text: str) -> Answer:
    """GET /retention/retentions/{id}."""
    platform.access.need(call.user, "ROLE_RETENTION_RULE_READ")
    return Answer(body=_rule(call, _existing(platform, text)), kind="retentionrule")


def update_rule(platform: Platform, call: Call, text: str) -> Answer:
    """PUT /retention/retentions/{id}."""
    platform.access.need(call.user, "ROLE_RETENTION_RULE_ADMIN")
    kept = _existing(platform, text)
    kept |= _checked({**kept, **call.document()})
    platform.store.set("retention", text, kept)
    return call.changed("retentionrule", _rule(call, kept))


def delete_rule(platform: Platform, call: Call, text: str) -> Answer:
    """DELETE /retention/retentions/{id}."""
    platform.access.need(call.user, "ROLE_RETENTION_RULE_ADMIN")
    platform.store.unset("retention", _existing(platform, text)["id"])
    return done()


_OPTION = "/tenant/options/{category}/{key}"
ROUTES = (
    ("GET", "/tenant/currentTenant", current),
    ("GET", "/tenant/tenants/{id}", get_tenant),
    ("GET", "/tenant/options", list_options),
    ("POST", "/tenant/options", create_option),
    ("GET", "/tenant/options/{category}", get_category),
    ("PUT", "/tenant/options/{category}", put_category),
    ("GET", _OPTION, get_option),
    ("PUT", _OPTION, put_option),
    ("DELETE", _OPTION, delete_option),
    ("PUT", _OPTION + "/editable", put_editable),
    ("GET", "/tenant/system/options", list_system),
    ("GET", "/tenant/system/options/{category}/{key}", get_system),
    ("GET", "/retention/retentions", list_rules),
    ("POST", "/retention/retentions", create_rule),
    ("GET", "/retention/retentions/{id}", get_rule),
    ("PUT", "/retention/retentions/{id}", update_rule),
    ("DELETE", "/retention/retentions/{id}", delete_rule),
)
