"""Attributes, settings, commands, direct methods of a template; look-ups; data types."""

from typing import Any

from iotnb.sandbox.iotconnect.company import USERS
from iotnb.sandbox.iotconnect.models import DATA_TYPES, Attribute, Command, Setting, Template, type_guid
from iotnb.sandbox.iotconnect.registry import device_of
from iotnb.sandbox.iotconnect.routes import AZ, Route
from iotnb.sandbox.iotconnect.schemas import templates
from iotnb.sandbox.iotconnect.state import Platform
from iotnb.sandbox.iotconnect.wire import (
    Answer,
    Call,
    Json,
    by_member,
    conflict,
    invalid,
    ok,
    page_of,
    paged,
    single,
    stamp,
    whole,
)

_AUTHOR = USERS[0].guid


def known(platform: Platform, guid: str) -> Template:
    """The template whose attributes, settings or commands are asked for; 409."""
    found = templates(platform).get(guid.lower())
    if found is None:
        raise conflict("deviceTemplateGuid", f"There is no template {guid}.")
    return found


def attributes(of: Template) -> list[Json]:
    """The attributes as trees."""
    return [_attribute(one, number, of) for number, one in enumerate(of.attributes, start=1)]


def _attribute(one: Attribute, sequence: int, of: Template, parent: str | None = None) -> Json:
    return {
        "guid": one.guid,
        "localName": one.name,
        "description": one.description or None,
        "dataTypeGuid": type_guid(one.type),
        "dataTypeName": one.type,
        "unit": one.unit or None,
        "dataValidation": one.validation,
        "sequence": sequence,
        "tag": one.tag or of.tag,
        "parentTemplateAttributeGuid": parent,
        "attributes": [
            _attribute(child, number, of, one.guid) for number, child in enumerate(one.children, start=1)
        ],
        "aggregateType": None,
        "aggregateTypeCount": 0,
        "tumblingWindow": "",
        "isTemplateAttributeUsed": False,
        "isTagUsed": False,
        "isPowerBIAttributeUsed": False,
        "conditionBitValue": 0,
        "startIndex": None,
        "numChar": None,
        "attributeColor": None,
        "createdDate": stamp(of.created),
        "createdby": _AUTHOR,
        "updatedDate": stamp(of.created),
    }


def setting(one: Setting, of: Template) -> Json:
    """A setting as lists show it."""
    return {
        "guid": one.guid,
        "name": one.name,
        "localName": one.local,
        "dataTypeGuid": type_guid(one.type),
        "dataTypeName": one.type,
        "defaultValue": one.default,
        "dataValidation": one.validation,
        "isReadOnly": one.read_only,
        "tag": None,
        "createdDate": stamp(of.created),
        "createdby": _AUTHOR,
        "updatedDate": stamp(of.created),
    }


def command(one: Command) -> Json:
    """A command: these eleven members and no other."""
    return {
        "guid": one.guid,
        "name": one.name,
        "command": one.command,
        "requiredParam": one.parameter,
        "requiredAck": one.acknowledged,
        "isOTACommand": one.ota,
        "isTemplateCommandUsed": False,
        "tag": one.tag,
        "createdDate": stamp(one.created),
        "updatedDate": stamp(one.created),
        "devices": None,
    }


def list_attributes(platform: Platform, call: Call, guid: str) -> Answer:
    """GET /template-attribute/{templateGuid}: paged; the AWS edition refuses sortBy."""
    of = known(platform, guid)
    if call.edition == "aws" and call.one("sortby"):
        raise invalid(("sortBy", "sortBy is not allowed here"))
    text, tag = call.one("searchtext").lower(), call.one("tag").lower()
    rows = [
        one
        for one in attributes(of)
        if text in one["localName"].lower() and tag in ("", (one["tag"] or "").lower())
    ]
    return paged(call, rows, ("localName", "sequence", "createdDate"))


def list_settings(platform: Platform, call: Call, guid: str) -> Answer:
    """GET /template-setting/{templateGuid}."""
    return _settings(call, known(platform, guid))


def device_settings(platform: Platform, call: Call, guid: str) -> Answer:
    """GET /device/{guid}/template-setting."""
    return _settings(call, known(platform, device_of(platform, guid).template))


def _settings(call: Call, of: Template) -> Answer:
    text = call.one("searchtext").lower()
    rows = [setting(one, of) for one in of.settings if text in f"{one.name} {one.local}".lower()]
    return paged(call, rows, ("name", "localName", "createdDate"))


def list_commands(platform: Platform, call: Call, guid: str) -> Answer:
    """GET /template-command/{templateGuid}."""
    of, text = known(platform, guid), call.one("searchtext").lower()
    rows = [command(one) for one in of.commands if text in f"{one.name} {one.command}".lower()]
    return paged(call, rows, ("name", "command", "createdDate"))


# look-ups: complete, without pages


def lookup(platform: Platform, call: Call) -> Answer:
    """GET /device-template/lookup."""
    wanted, gateway, edge = call.flag("hasattribute"), call.flag("isgateway"), call.flag("isedge")
    rows = [
        {
            "guid": one.guid,
            "name": one.name,
            "code": one.code,
            "authType": one.auth_type,
            "tag": one.tag,
            "messageVersion": one.version,
            "isEdgeSupport": one.edge,
            "isIotEdgeEnable": False,
            "isType2Support": False,
            "isSolutionTemplate": False,
            "solutionName": None,
        }
        for one in templates(platform).values()
        if wanted in (None, bool(one.attributes))
        and gateway in (None, one.tag == "gateway")
        and edge in (None, one.edge)
    ]
    return whole(call, by_member(rows, "name", descending=False))


def parts_lookup(platform: Platform, _call: Call, guid: str) -> Answer:
    """GET /device-template/{guid}/lookup: the names of all parts."""
    of = known(platform, guid)
    leaves: dict[str, Any] = of.leaves()
    return single(
        {
            "attributes": [{"guid": one.guid, "localName": name} for name, one in leaves.items()],
            "settings": [{"guid": one.guid, "localName": one.local} for one in of.settings],
            "commands": [{"guid": one.guid, "name": one.name} for one in of.commands],
        }
    )


def attribute_lookup(platform: Platform, call: Call, guid: str) -> Answer:
    """GET /template-attribute/{templateGuid}/lookup: parents and children as rows of their own."""
    rows: list[Json] = []
    for one in known(platform, guid).attributes:
        for each, parent in ((one, None), *((child, one.guid) for child in one.children)):
            rows.append(
                {
                    "guid": each.guid,
                    "localname": each.name,
                    "isTemplateAttributeUsed": False,
                    "parentTemplateAttributeGuid": parent,
                }
            )
    return whole(call, rows)


def setting_lookup(platform: Platform, call: Call, guid: str) -> Answer:
    """GET /template-setting/{templateGuid}/lookup."""
    of, wanted = known(platform, guid), call.flag("isreadonly")
    names = ("guid", "name", "localName", "defaultValue", "dataTypeName", "dataValidation", "isReadOnly")
    rows = [setting(one, of) for one in of.settings if wanted in (None, one.read_only)]
    return whole(call, [{name: one[name] for name in names} for one in rows])


def command_lookup(platform: Platform, call: Call, guid: str) -> Answer:
    """GET /template-command/{templateGuid}/lookup."""
    rows = [
        {"guid": one.guid, "name": one.name, "command": one.command, "requiredParam": one.parameter}
        for one in known(platform, guid).commands
    ]
    return whole(call, rows)


def tag_lookup(platform: Platform, call: Call, guid: str) -> Answer:
    """GET /device-template/{guid}/tag-lookup."""
    tag = known(platform, guid).tag
    return whole(call, [{"tag": tag, "templateTag": True}] if tag else [])


def data_types(_platform: Platform, _call: Call) -> Answer:
    """GET /device-template/datatype."""
    rows = [
        {
            "guid": type_guid(name),
            "name": name,
            "target": 3,
            "conditionBitValue": 0,
            "description": name.title(),
        }
        for name in DATA_TYPES
    ]
    return ok(rows, count=len(rows))


def method_list(platform: Platform, call: Call, guid: str) -> Answer:
    """GET /template-direct-method/{templateGuid}: in the Azure edition only."""
    of = known(platform, guid)
    page_of(call)
    rows = [
        {
            "guid": one.guid,
            "methodName": one.name,
            "responseTimeoutSecond": one.timeout,
            "createdDate": stamp(of.created),
            "createBy": _AUTHOR,
        }
        for one in of.methods
    ]
    return whole(call, rows)


ROUTES = [
    Route("GET", "/device-template/lookup", lookup, "template"),
    Route("GET", "/device-template/datatype", data_types, "template"),
    Route("GET", "/device-template/{guid}/lookup", parts_lookup, "template"),
    Route("GET", "/device-template/{guid}/tag-lookup", tag_lookup, "template"),
    Route("GET", "/template-attribute/{guid}", list_attributes, "template"),
    Route("GET", "/template-attribute/{guid}/lookup", attribute_lookup, "template"),
    Route("GET", "/template-setting/{guid}", list_settings, "template"),
    Route("GET", "/template-setting/{guid}/lookup", setting_lookup, "template"),
    Route("GET", "/device/{guid}/template-setting", device_settings, "template"),
    Route("GET", "/template-command/{guid}", list_commands, "command"),
    Route("GET", "/template-command/{guid}/lookup", command_lookup, "command"),
    Route("GET", "/template-direct-method/{guid}", method_list, "template", AZ),
]
