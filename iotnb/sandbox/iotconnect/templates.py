"""Templates to read: list and detail."""

from iotnb.sandbox.iotconnect.company import USERS
from iotnb.sandbox.iotconnect.models import Template
from iotnb.sandbox.iotconnect.registry import registry
from iotnb.sandbox.iotconnect.routes import Route
from iotnb.sandbox.iotconnect.rulebook import rules
from iotnb.sandbox.iotconnect.schemas import of_code, template, templates
from iotnb.sandbox.iotconnect.state import Platform
from iotnb.sandbox.iotconnect.templateparts import attributes, command, setting
from iotnb.sandbox.iotconnect.wire import (
    Answer,
    Call,
    Json,
    paged,
    single,
    stamp,
)

_AUTHOR = USERS[0].guid
_SORTS = (
    "name",
    "code",
    "createdDate",
    "updatedDate",
    "authType",
    "deviceCount",
    "attributeCount",
    "commandCount",
)
_COUNTS = {
    "attributecount": "attributeCount",
    "twinpropertycount": "settingCount",
    "commandcount": "commandCount",
    "devicecount": "deviceCount",
    "rulecount": "ruleCount",
    "directmethodcount": "directMethodCount",
}


def row(platform: Platform, of: Template, devices: int) -> Json:
    """A template as lists show it: `code` and `name`."""
    return {
        "guid": of.guid,
        "code": of.code,
        "name": of.name,
        "description": of.description,
        "firmwareGuid": None,
        "createdDate": stamp(of.created),
        "updatedDate": stamp(of.created),
        "attributeCount": len(of.attributes),
        "settingCount": len(of.settings),
        "commandCount": len(of.commands),
        "directMethodCount": len(of.methods),
        "deviceCount": devices,
        "ruleCount": sum(rule.template.lower() == of.guid.lower() for rule in rules(platform).values()),
        "isValidateTemplate": True,
        "isValidEdgeSupport": True,
        "isValidType2Support": True,
        "tag": of.tag,
        "authType": of.auth_type,
        "authenticationType": None,
        "isEdgeSupport": of.edge,
        "gatewaySupport": of.tag == "gateway",
        "isLowBandwidth": False,
        "isIotEdgeEnable": False,
        "isSolutionTemplate": False,
        "solutionName": None,
        "messageVersion": of.version,
        "fileSupport": False,
    }


def _device_counts(platform: Platform) -> dict[str, int]:
    found: dict[str, int] = {}
    for device in registry(platform):
        found[device.template.lower()] = found.get(device.template.lower(), 0) + 1
    return found


def list_templates(platform: Platform, call: Call) -> Answer:
    """GET /device-template."""
    counts = _device_counts(platform)
    rows = [row(platform, one, counts.get(guid, 0)) for guid, one in templates(platform).items()]
    name = (call.one("devicetemplatename") or call.one("searchtext")).lower()
    rows = [one for one in rows if name in one["name"].lower() or name == one["code"].lower()]
    for asked, member in (
        ("authtype", "authType"),
        ("messageversion", "messageVersion"),
        *_COUNTS.items(),
    ):
        text = call.one(asked)
        rows = [one for one in rows if not text or str(one[member]) == text]
    for asked, member in (("edgesupport", "isEdgeSupport"), ("gatewaysupport", "gatewaySupport")):
        wanted = call.flag(asked)
        rows = [one for one in rows if wanted in (None, one[member])]
    if any(
        call.flag(one) for one in ("islowbandwidth", "isiotedgeenable", "issphere", "greengrass", "wireless")
    ):
        rows = []
    return paged(call, rows, _SORTS)


def detail(platform: Platform, call: Call, guid: str) -> Answer:
    """GET /device-template/{guid}; 404."""
    return _detail(platform, call, template(platform, guid))


def detail_by_code(platform: Platform, call: Call, code: str) -> Answer:
    """GET /device-template/template-code/{code}; 409."""
    return _detail(platform, call, of_code(platform, code))


def _detail(platform: Platform, call: Call, of: Template) -> Answer:
    found: Json = {
        "guid": of.guid,
        "templateCode": of.code,
        "templateName": of.name,
        "description": of.description,
        "createdDate": stamp(of.created),
        "createdBy": _AUTHOR,
        "updatedDate": stamp(of.created),
        "updatedBy": _AUTHOR,
        "firmwareGuid": None,
        "firmwareName": None,
        "isEdgeSupport": of.edge,
        "authType": of.auth_type,
        "tag": of.tag,
        "attributes": attributes(of),
        "settings": [setting(one, of) for one in of.settings],
        "commands": [command(one) for one in of.commands],
        "directMethods": [
            {
                "guid": one.guid,
                "methodName": one.name,
                "responseTimeoutSecond": one.timeout,
                "createdBy": _AUTHOR,
                "createdDate": stamp(of.created),
            }
            for one in of.methods
        ],
        "isAttachedWithDevice": bool(registry(platform).of_template(of.guid)),
        "isLowBandwidth": False,
        "isIotEdgeEnable": False,
        "isSolutionTemplate": False,
        "messageVersion": of.version,
    }
    if call.edition == "aws":
        del found["directMethods"]
    return single(found)


ROUTES = [
    Route("GET", "/device-template", list_templates, "template"),
    Route("GET", "/device-template/template-code/{code}", detail_by_code, "template"),
    Route("GET", "/device-template/{guid}", detail, "template"),
]
