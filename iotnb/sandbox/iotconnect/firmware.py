"""Firmware and its upgrades: drafts, releases, their files."""

import msgspec

from iotnb.sandbox.iotconnect.company import USERS
from iotnb.sandbox.iotconnect.files import link, of_ref
from iotnb.sandbox.iotconnect.ids import new_guid
from iotnb.sandbox.iotconnect.images import Firmware, Upgrade, find_upgrade, firmwares, keep
from iotnb.sandbox.iotconnect.routes import Route
from iotnb.sandbox.iotconnect.schemas import templates
from iotnb.sandbox.iotconnect.state import Platform
from iotnb.sandbox.iotconnect.wire import (
    Answer,
    Call,
    Json,
    conflict,
    done,
    invalid,
    not_found,
    ok,
    paged,
    required,
    single,
    stamp,
    text_of,
    whole,
)

_AUTHOR = USERS[0].guid
_TYPES = ("released", "draft", "both")


def _firmware(platform: Platform, guid: str) -> Firmware:
    found = firmwares(platform).get(guid.lower())
    if found is None:
        raise not_found("firmwareGuid", f"There is no firmware {guid}.")
    return found


def _upgrade(platform: Platform, guid: str) -> tuple[Firmware, Upgrade]:
    found = find_upgrade(platform, guid)
    if found is None:
        raise not_found("firmwareUpgradeGuid", f"There is no firmware upgrade {guid}.")
    return found


def _row(platform: Platform, call: Call, one: Firmware) -> Json:
    of = templates(platform).get(one.template.lower())
    upgrades = [upgrade_row(platform, call, one, upgrade) for upgrade in one.upgrades]
    return {
        "guid": one.guid,
        "name": one.name,
        "hardware": one.hardware,
        "isDeprecated": one.deprecated,
        "deviceTemplateGuid": one.template,
        "deviceTemplateCode": None if of is None else of.code,
        "deviceTemplateName": None if of is None else of.name,
        "releaseCount": sum(not upgrade.draft for upgrade in one.upgrades),
        "draftCount": sum(upgrade.draft for upgrade in one.upgrades),
        "firmwareDescription": one.description or None,
        "isSolutionTemplate": False,
        "createdDate": stamp(one.created),
        "createdBy": _AUTHOR,
        "updatedDate": stamp(one.created),
        "updatedBy": _AUTHOR,
        "Upgrades": upgrades[::-1],
    }


def upgrade_row(platform: Platform, call: Call, of: Firmware, one: Upgrade) -> Json:
    """An upgrade with the links of its files."""
    files = of_ref(platform, "firmware", one.guid)
    return {
        "guid": one.guid,
        "software": one.software,
        "isDraft": "Draft" if one.draft else "Released",
        "description": one.description or None,
        "firmwareguid": of.guid,
        "name": of.name,
        "hardware": of.hardware,
        "createdDate": stamp(one.created),
        "createdBy": _AUTHOR,
        "updatedDate": stamp(one.updated),
        "updatedBy": _AUTHOR,
        "urls": [{"name": held["name"], "url": link(platform, call, held["guid"])} for held in files],
    }


def list_firmware(platform: Platform, call: Call) -> Answer:
    """GET /Firmware: deprecated ones only if they are asked for."""
    found = [
        one for one in firmwares(platform).values() if call.flag("includedeprecated") or not one.deprecated
    ]
    rows = [_row(platform, call, one) for one in found]
    for asked, member in (("name", "name"), ("hardware", "hardware"), ("templatename", "deviceTemplateName")):
        text = call.one(asked).lower()
        rows = [one for one in rows if text in str(one[member]).lower()]
    text = call.one("searchtext").lower()
    rows = [one for one in rows if text in f"{one['name']} {one['hardware']}".lower()]
    return paged(call, rows, ("name", "hardware", "createdDate", "updatedDate", "deviceTemplateName"))


def get_firmware(platform: Platform, call: Call, guid: str) -> Answer:
    """GET /Firmware/{guid}: the AWS edition nests the upgrades once more."""
    found = _row(platform, call, _firmware(platform, guid))
    if call.edition == "aws":
        found["Upgrades"] = {"Upgrade": found["Upgrades"]}
    return single(found)


def lookup(platform: Platform, call: Call) -> Answer:
    """GET /Firmware/lookup."""
    rows = [
        {"guid": one.guid, "name": one.name, "hardware": one.hardware}
        for one in firmwares(platform).values()
        if not one.deprecated
    ]
    return whole(call, rows)


def create(platform: Platform, call: Call) -> Answer:
    """POST /Firmware: with a draft of its first version."""
    document = call.document()
    guid, name, hardware, software = required(
        document, "deviceTemplateGuid", "firmwareName", "hardware", "software"
    )
    of = templates(platform).get(guid.lower())
    if of is None:
        raise conflict("deviceTemplateGuid", f"There is no template {guid}.")
    if any(one.name.lower() == name.lower() for one in firmwares(platform).values()):
        raise conflict("firmwareName", f"There is already a firmware {name}.")
    now = platform.now()
    upgrade = Upgrade(
        guid=new_guid(),
        software=software,
        description=text_of(document, "firmwareUpgradeDescription"),
        created=now,
        updated=now,
    )
    made = Firmware(
        guid=new_guid(),
        name=name,
        hardware=hardware,
        template=of.guid,
        description=text_of(document, "firmwareDescription"),
        created=now,
        upgrades=(upgrade,),
    )
    keep(platform, made)
    return ok([{"newId": made.guid, "firmwareUpgradeGuid": upgrade.guid}], count=1)


def deprecate(platform: Platform, _call: Call, guid: str) -> Answer:
    """PUT /Firmware/{guid}/deprecate."""
    one = _firmware(platform, guid)
    if one.deprecated:
        raise conflict("firmwareGuid", f"{one.name} is deprecated already.")
    keep(platform, msgspec.structs.replace(one, deprecated=True))
    return done()


# upgrades


def list_upgrades(platform: Platform, call: Call) -> Answer:
    """GET /firmware-upgrade: `type` must say which."""
    wanted = call.one("type").lower()
    if wanted not in _TYPES:
        raise invalid(("type", "type is required: Released, Draft or both"))
    of, text = call.one("firmwareguid").lower(), call.one("searchtext").lower()
    rows = [
        upgrade_row(platform, call, firmware, one)
        for guid, firmware in firmwares(platform).items()
        for one in firmware.upgrades
        if of in ("", guid)
        and wanted in ("both", "draft" if one.draft else "released")
        and text in f"{firmware.name} {one.software}".lower()
    ]
    return paged(call, rows, ("software", "name", "createdDate", "updatedDate"))


def get_upgrade(platform: Platform, call: Call, guid: str) -> Answer:
    """GET /firmware-upgrade/{guid}; 404."""
    return single(upgrade_row(platform, call, *_upgrade(platform, guid)))


def create_upgrade(platform: Platform, call: Call) -> Answer:
    """POST /firmware-upgrade: a draft."""
    document = call.document()
    guid, software = required(document, "firmwareGuid", "software")
    of, now = _firmware(platform, guid), platform.now()
    if any(one.software == software for one in of.upgrades):
        raise conflict("software", f"{of.name} has a version {software} already.")
    description = text_of(document, "description")
    made = Upgrade(guid=new_guid(), software=software, description=description, created=now, updated=now)
    keep(platform, msgspec.structs.replace(of, upgrades=(*of.upgrades, made)))
    return ok([{"newId": made.guid}], count=1)


def publish(platform: Platform, _call: Call, guid: str) -> Answer:
    """PUT /firmware-upgrade/{guid}/publish: a draft becomes a release."""
    of, one = _upgrade(platform, guid)
    if not one.draft:
        raise conflict("firmwareUpgradeGuid", f"{one.software} is released already.")
    released = msgspec.structs.replace(one, draft=False, updated=platform.now())
    upgrades = tuple(released if each is one else each for each in of.upgrades)
    keep(platform, msgspec.structs.replace(of, upgrades=upgrades))
    return done()


def delete_upgrade(platform: Platform, _call: Call, guid: str) -> Answer:
    """DELETE /firmware-upgrade/{guid}."""
    of, one = _upgrade(platform, guid)
    keep(
        platform, msgspec.structs.replace(of, upgrades=tuple(each for each in of.upgrades if each is not one))
    )
    return done()


ROUTES = [
    Route("GET", "/Firmware", list_firmware, "firmware"),
    Route("GET", "/Firmware/lookup", lookup, "firmware"),
    Route("GET", "/Firmware/{guid}", get_firmware, "firmware"),
    Route("POST", "/Firmware", create, "firmware", writes=True),
    Route("PUT", "/Firmware/{guid}/deprecate", deprecate, "firmware", writes=True),
    Route("GET", "/firmware-upgrade", list_upgrades, "firmware"),
    Route("GET", "/firmware-upgrade/{guid}", get_upgrade, "firmware"),
    Route("POST", "/firmware-upgrade", create_upgrade, "firmware", writes=True),
    Route("PUT", "/firmware-upgrade/{guid}/publish", publish, "firmware", writes=True),
    Route("DELETE", "/firmware-upgrade/{guid}", delete_upgrade, "firmware", writes=True),
]
