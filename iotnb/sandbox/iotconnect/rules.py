"""Rules, and the subscriptions of the event module, of which there are none."""

import re
from typing import Any

import msgspec

from iotnb.sandbox.iotconnect.company import COMPANY, USERS
from iotnb.sandbox.iotconnect.ids import fixed, new_guid
from iotnb.sandbox.iotconnect.models import Template
from iotnb.sandbox.iotconnect.routes import AWS, OLD, Route
from iotnb.sandbox.iotconnect.rulebook import SEVERITIES, Rule, drop, keep, rules, severity_guid
from iotnb.sandbox.iotconnect.schemas import templates
from iotnb.sandbox.iotconnect.state import Platform
from iotnb.sandbox.iotconnect.tree import entity
from iotnb.sandbox.iotconnect.wire import (
    Answer,
    Call,
    Json,
    conflict,
    done,
    invalid,
    named,
    ok,
    paged,
    required,
    single,
    stamp,
    text_of,
    truth,
    whole,
)

_CONDITIONS = {"=": "Equal", "!=": "Not equal", ">": "Greater", ">=": "Greater or equal", "<": "Less"}
_CONDITIONS |= {"<=": "Less or equal"}
_TERM = re.compile(r"\s*([A-Za-z_][\w.]*)\s*(=|!=|>=|<=|>|<)\s*('[^']*'|\"[^\"]*\"|[-\w.]+)\s*")
_JOIN = re.compile(r"\s+(?:and|or)\s+", re.IGNORECASE)
_TOPICS = ("Device", "Telemetry", "Rule", "Command")
_METHODS = ("Email", "SMS", "Push Notification", "Web Hook")
# the event module is v1.1 in the Azure edition too
_EVENTS = AWS | OLD


def _rule(platform: Platform, guid: str) -> Rule:
    found = rules(platform).get(guid.lower())
    if found is None:
        raise conflict("ruleGuid", f"There is no rule {guid}.")
    return found


def list_rules(platform: Platform, call: Call) -> Answer:
    """GET /Rule."""
    known = templates(platform)
    rows = []
    for one in rules(platform).values():
        of, place = known.get(one.template.lower()), entity(platform, one.entity)
        rows.append(
            {
                "guid": one.guid,
                "name": one.name,
                "template": None if of is None else of.name,
                "entity": None if place is None else place.name,
                "ruleType": "Smart Rule",
                "conditionText": one.condition,
                "isActive": one.active,
                "userCount": 1,
                "roleCount": 0,
                "createdby": USERS[0].name,
                "updatedby": USERS[0].name,
                "createddate": stamp(one.created),
                "updateddate": stamp(one.updated),
                "snoozeTime": one.snooze,
                "isSolutionTemplate": False,
                "solutionName": None,
            }
        )
    for asked, member in (
        ("name", "name"),
        ("templatename", "template"),
        ("entityname", "entity"),
        ("ruletype", "ruleType"),
    ):
        text = call.one(asked).lower()
        rows = [one for one in rows if text in str(one[member]).lower()]
    status = call.one("status").lower()
    rows = [one for one in rows if status in ("", "active" if one["isActive"] else "inactive")]
    return paged(call, rows, ("name", "template", "entity", "createddate", "updateddate"))


def get_rule(platform: Platform, _call: Call, guid: str) -> Answer:
    """GET /Rule/{guid}."""
    one = _rule(platform, guid)
    of = templates(platform).get(one.template.lower())
    named = () if of is None else [a.guid for n, a in of.leaves().items() if n in one.condition]
    return single(
        {
            "guid": one.guid,
            "companyGuid": COMPANY,
            "templateGuid": one.template,
            "attributeGuid": list(named),
            "parentAttributeGuid": None,
            "ruleType": 1,
            "name": one.name,
            "conditionText": one.condition,
            "severityLevelGuid": severity_guid(one.severity),
            "ignorePreference": False,
            "entityGuid": one.entity,
            "applyTo": 1,
            "isActive": one.active,
            "eventSubscriptionGuid": None,
            "eventSubscription": None,
            "tag": None,
            "roles": [],
            "users": [USERS[0].guid],
            "devices": [],
            "snoozeTime": one.snooze,
            "snoozeTimeUnit": 1,
            "ruleAudiences": [],
            "reportingGroupGuid": None,
        }
    )


def rule_history(platform: Platform, call: Call, guid: str) -> Answer:
    """GET /Rule/{guid}/history: who changed the rule, not when it fired."""
    one = _rule(platform, guid)
    changes = [("Created", one.created)] + ([("Updated", one.updated)] if one.updated > one.created else [])
    rows = [
        {
            "guid": fixed("rule-history", one.guid, at),
            "name": one.name,
            "userName": USERS[0].name,
            "createdDate": stamp(at),
            "operation": word,
        }
        for word, at in reversed(changes)
    ]
    return whole(call, rows)


def counters(platform: Platform, _call: Call) -> Answer:
    """GET /Rule/counters."""
    return single({"smartRule": len(rules(platform))})


def conditions(_platform: Platform, _call: Call) -> Answer:
    """GET /Rule/conditions."""
    rows = [
        {"guid": fixed("condition", sign), "condition": name, "bitValue": 1 << n, "operator": sign}
        for n, (sign, name) in enumerate(_CONDITIONS.items())
    ]
    return ok(rows, count=len(rows))


def _template(platform: Platform, guid: str, param: str) -> Template:
    found = templates(platform).get(guid.lower())
    if found is None:
        raise conflict(param, f"There is no template {guid}.")
    return found


def _attributes(of: Template, expression: str) -> list[str] | None:
    """The names in an expression such as `a > 1 and b = 'x'`, or None if it is none about the template."""
    known = {name.lower(): name for name in of.leaves()}
    found = []
    for part in _JOIN.split(expression):
        term = _TERM.fullmatch(part)
        name = None if term is None else known.get(term[1].lower())
        if name is None:
            return None
        found.append(name)
    return found


def verify(platform: Platform, call: Call) -> Answer:
    """POST /Rule/verify."""
    guid, expression = required(call.document(), "deviceTemplateGuid", "expression")
    of = _template(platform, guid, "deviceTemplateGuid")
    found = _attributes(of, expression)
    leaves = of.leaves()
    named = [{"guid": leaves[name].guid, "localName": name} for name in found or ()]
    return single({"isValid": found is not None, "attributes": named, "tags": []})


def _changed(platform: Platform, document: Json, base: Rule | None) -> Rule:
    """The rule that a body describes; 409 and 412 for what cannot be."""
    guid, name, severity, condition = required(
        document, "templateGuid", "name", "severityLevelGuid", "conditionText"
    )
    of = _template(platform, guid, "templateGuid")
    if _attributes(of, condition) is None:
        raise invalid(("conditionText", f"{condition!r} is no condition on {of.name}"))
    level = next((one for one in SEVERITIES if severity_guid(one).lower() == severity.lower()), None)
    if level is None:
        raise conflict("severityLevelGuid", f"There is no severity {severity}.")
    twin = next((one for one in rules(platform).values() if one.name.lower() == name.lower()), None)
    if twin is not None and (base is None or twin.guid != base.guid):
        raise conflict("name", f"There is already a rule {name}.")
    now = platform.now()
    held: dict[str, Any] = {"template": of.guid, "name": name, "condition": condition, "severity": level}
    active = truth(document.get("isactive"))
    if base is None:
        return Rule(guid=new_guid(), created=now, updated=now, active=active is not False, **held)
    place = text_of(document, "entityGuid", base.entity)
    held |= {"entity": place, "updated": now, "active": base.active if active is None else active}
    return msgspec.structs.replace(base, **held)


def create(platform: Platform, call: Call) -> Answer:
    """POST /Rule."""
    made = _changed(platform, call.document(), None)
    keep(platform, made)
    return ok([{"newid": made.guid}], count=1)


def update(platform: Platform, call: Call, guid: str) -> Answer:
    """PUT /Rule/{guid}."""
    keep(platform, _changed(platform, call.document(), _rule(platform, guid)))
    return done()


def set_status(platform: Platform, call: Call, guid: str) -> Answer:
    """PUT /Rule/{guid}/status."""
    one, document = _rule(platform, guid), call.document()
    (text,) = required(document, "isActive")
    active = truth(text)
    if active is None:
        raise invalid(("isActive", "true or false"))
    keep(platform, msgspec.structs.replace(one, active=active, updated=platform.now()))
    return done()


def delete(platform: Platform, _call: Call, guid: str) -> Answer:
    """DELETE /Rule/{guid}."""
    drop(platform, _rule(platform, guid).guid)
    return done()


# events


def severities(_platform: Platform, call: Call) -> Answer:
    """GET /severity-level/lookup."""
    return named(call, "severity", SEVERITIES)


def topics(_platform: Platform, call: Call) -> Answer:
    """GET /event-topics."""
    return named(call, "topic", _TOPICS)


def methods(_platform: Platform, call: Call) -> Answer:
    """GET /deliverymethod."""
    return named(call, "delivery", _METHODS)


def events(_platform: Platform, call: Call) -> Answer:
    """GET /Event: the events that one may subscribe to, of one topic or of all."""
    wanted = call.one("eventtopicguid").lower()
    rows = [
        {"guid": fixed("event", topic), "name": f"{topic} event", "eventTopicGuid": fixed("topic", topic)}
        for topic in _TOPICS
        if wanted in ("", fixed("topic", topic).lower())
    ]
    return whole(call, rows)


def get_event(_platform: Platform, _call: Call, guid: str) -> Answer:
    """GET /Event/{id}."""
    topic = _topic(guid)
    name = f"{topic} event"
    return single({"guid": fixed("event", topic), "name": name, "eventTopicGuid": fixed("topic", topic)})


def _topic(guid: str) -> str:
    found = next((one for one in _TOPICS if fixed("event", one).lower() == guid.lower()), None)
    if found is None:
        raise conflict("eventGuid", f"There is no event {guid}.")
    return found


def event_methods(_platform: Platform, call: Call, guid: str) -> Answer:
    """GET /Event/{id}/delivery-method."""
    _topic(guid)
    return named(call, "delivery", _METHODS)


def subscriptions(_platform: Platform, _call: Call) -> Answer:
    """GET /Event/subscription: there are none."""
    return Answer(status=204)


ROUTES = [
    Route("GET", "/Rule", list_rules, "rule"),
    Route("GET", "/Rule/counters", counters, "rule"),
    Route("GET", "/Rule/conditions", conditions, "rule"),
    Route("GET", "/Rule/{guid}", get_rule, "rule"),
    Route("GET", "/Rule/{guid}/history", rule_history, "rule"),
    Route("POST", "/Rule/verify", verify, "rule"),
    Route("POST", "/Rule", create, "rule", writes=True),
    Route("PUT", "/Rule/{guid}", update, "rule", writes=True),
    Route("PUT", "/Rule/{guid}/status", set_status, "rule", writes=True),
    Route("DELETE", "/Rule/{guid}", delete, "rule", writes=True),
    Route("GET", "/severity-level/lookup", severities, "event", _EVENTS),
    Route("GET", "/event-topics", topics, "event", _EVENTS),
    Route("GET", "/deliverymethod", methods, "event", _EVENTS),
    Route("GET", "/Event", events, "event", _EVENTS),
    Route("GET", "/Event/subscription", subscriptions, "event", _EVENTS),
    Route("GET", "/Event/{guid}", get_event, "event", _EVENTS),
    Route("GET", "/Event/{guid}/delivery-method", event_methods, "event", _EVENTS),
]
