"""OTA updates: pushed upgrades and how far each device is with them.

The published documents show the paths and the body of a push; the rows here are the sandbox's own. The
fleet's roll-out is one update for each kind of device; later states follow from the moment of the push.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from iotnb.sandbox.fleet import Kind, Operation
from iotnb.sandbox.iotconnect.company import ROOT, USERS
from iotnb.sandbox.iotconnect.ids import fixed, new_guid
from iotnb.sandbox.iotconnect.images import Firmware, Upgrade, find_upgrade, upgrade_guid
from iotnb.sandbox.iotconnect.registry import Device, device_of, registry
from iotnb.sandbox.iotconnect.routes import ALL, AWS, Route
from iotnb.sandbox.iotconnect.state import DAY, Platform
from iotnb.sandbox.iotconnect.tree import below, entity
from iotnb.sandbox.iotconnect.wire import (
    Answer,
    Call,
    Json,
    by_member,
    conflict,
    done,
    invalid,
    not_found,
    paged,
    required,
    stamp,
    text_of,
    truth,
)
from iotnb.sandbox.wire import parse_time

_KIND = "ota"
_MOST = 1_000  # fleet devices whose roll-out is shown
_READ = ALL - AWS  # the AWS edition publishes no list of updates
_ENTITY, _DEVICES = "1", "3"
_WORDS = {"PENDING": "Pending", "EXECUTING": "Sent", "SUCCESSFUL": "Success", "FAILED": "Failed"}


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One device of an update; times are milliseconds, None for what never happens."""

    guid: str
    device: str
    created: int
    starts: int | None
    ends: int | None
    failure: str | None

    def status(self, at: int) -> str:
        """Pending, Sent, Success or Failed."""
        if self.ends is not None and self.ends <= at:
            return "Success" if self.failure is None else "Failed"
        return "Sent" if self.starts is not None and self.starts <= at else "Pending"

    def changed(self, at: int) -> int:
        """The moment of the last change."""
        return max(
            [self.created, *(one for one in (self.starts, self.ends) if one is not None and one <= at)]
        )


class Update(msgspec.Struct, frozen=True, kw_only=True):
    """One push of an upgrade."""

    guid: str
    upgrade: str
    target: str
    entity: str | None
    created: int
    scheduled: int | None
    by: str
    items: tuple[Item, ...]


def _updates(platform: Platform) -> list[Update]:
    """Every update, newest first."""
    pushed = [msgspec.convert(held, Update) for held in platform.shelf(_KIND).values()]
    return sorted([*_rollouts(platform), *pushed], key=lambda one: (one.created, one.guid), reverse=True)


def _rollouts(platform: Platform) -> list[Update]:
    """The fleet's roll-out as far as it has begun."""
    return platform.fresh("rollouts", lambda: list(_made(platform)))


def _made(platform: Platform) -> Iterator[Update]:
    items: dict[Kind, list[Item]] = {}
    for device in list(registry(platform))[:_MOST]:
        operation = None if device.fleet is None else _last_rollout(platform, device.fleet)
        if device.fleet is not None and operation is not None:
            kind = platform.fleet.kind(device.fleet)
            items.setdefault(kind, []).append(_item(device, operation))
    for kind, found in items.items():
        version = next(d for d in platform.fleet if d.kind == kind).firmware_after
        yield Update(
            guid=fixed("ota", kind),
            upgrade=upgrade_guid(kind, version),
            target=_ENTITY,
            entity=ROOT.guid,
            created=min(one.created for one in found),
            scheduled=None,
            by=USERS[0].name,
            items=tuple(found),
        )


def _last_rollout(platform: Platform, i: int) -> Operation | None:
    at = platform.fleet[i].rollout
    found = platform.fleet.operations(i, at, at + 2 * DAY)
    return next((one for one in reversed(found) if one.kind == "firmware"), None)


def _item(device: Device, operation: Operation) -> Item:
    return Item(
        guid=fixed("ota-item", device.guid, operation.key),
        device=device.guid,
        created=operation.created,
        starts=operation.started,
        ends=operation.finished,
        failure=operation.failure if operation.failed else None,
    )


# reading


def _row(platform: Platform, one: Update) -> Json:
    now, found = platform.now(), find_upgrade(platform, one.upgrade)
    place = None if one.entity is None else entity(platform, one.entity)
    counts = dict.fromkeys(_WORDS.values(), 0)
    for item in one.items:
        counts[item.status(now)] += 1
    return {
        "guid": one.guid,
        "firmwareUpgradeGuid": one.upgrade,
        "firmwareName": None if found is None else found[0].name,
        "hardware": None if found is None else found[0].hardware,
        "software": None if found is None else found[1].software,
        "target": int(one.target),
        "entityGuid": one.entity,
        "entityName": None if place is None else place.name,
        "scheduledOn": stamp(one.scheduled),
        "createdDate": stamp(one.created),
        "createdByName": one.by,
        "deviceCount": len(one.items),
        **{f"{word.lower()}Count": number for word, number in counts.items()},
    }


def _item_row(platform: Platform, of: Update, item: Item) -> Json:
    now, device = platform.now(), registry(platform).by_guid(item.device)
    found = find_upgrade(platform, of.upgrade)
    status = item.status(now)
    return {
        "guid": item.guid,
        "otaUpdateGuid": of.guid,
        "deviceGuid": item.device,
        "uniqueId": None if device is None else device.unique,
        "displayName": None if device is None else device.name,
        "firmwareUpgradeGuid": of.upgrade,
        "software": None if found is None else found[1].software,
        "status": status,
        "statusText": item.failure if status == "Failed" else None,
        "createdDate": stamp(item.created),
        "statusDate": stamp(item.changed(now)),
    }


def _item_rows(platform: Platform, updates: list[Update], guid: str = "") -> list[Json]:
    """Devices of some updates (or one device of them), newest change first."""
    rows = [
        _item_row(platform, one, item)
        for one in updates
        for item in one.items
        if not guid or item.device.lower() == guid.lower()
    ]
    return by_member(rows, "statusdate", descending=True)


def _update(platform: Platform, guid: str) -> Update:
    found = next((one for one in _updates(platform) if one.guid.lower() == guid.lower()), None)
    if found is None:
        raise not_found("otaUpdateGuid", f"There is no update {guid}.")
    return found


_SORTS = ("createdDate", "software", "firmwareName")
_ITEM_SORTS = ("statusDate", "createdDate", "uniqueId", "status")


def list_updates(platform: Platform, call: Call) -> Answer:
    """GET /ota-update, and /ota-update/recent."""
    return paged(call, [_row(platform, one) for one in _updates(platform)], _SORTS)


def devices_of(platform: Platform, call: Call, guid: str) -> Answer:
    """GET /ota-update/{guid}: its devices."""
    return paged(call, _item_rows(platform, [_update(platform, guid)]), _ITEM_SORTS)


def devices_in(platform: Platform, call: Call, guid: str, status: str) -> Answer:
    """GET /ota-update/{guid}/status/{s}: its devices in one state."""
    rows = _item_rows(platform, [_update(platform, guid)])
    return paged(call, [one for one in rows if one["status"].lower() == status.lower()], _ITEM_SORTS)


def of_device(platform: Platform, call: Call, guid: str) -> Answer:
    """GET /device/{guid}/ota-update, and /ota-update/device/{guid}/recent."""
    device = device_of(platform, guid)
    return paged(call, _item_rows(platform, _updates(platform), device.guid), _ITEM_SORTS)


def history(platform: Platform, call: Call) -> Answer:
    """GET /ota-update/device-update-history: every device of every update."""
    return paged(call, _item_rows(platform, _updates(platform)), _ITEM_SORTS)


# pushing


def push(platform: Platform, call: Call) -> Answer:
    """POST /ota-update: to an entity and those below it (target 1), or to devices (3)."""
    document = call.document()
    guid, target = required(document, "firmwareUpgradeGuid", "target")
    found = find_upgrade(platform, guid)
    if found is None:
        raise not_found("firmwareUpgradeGuid", f"There is no firmware upgrade {guid}.")
    firmware, upgrade = found
    devices = _targets(platform, document, target, firmware)
    if upgrade.draft and (target == _ENTITY or not truth(document.get("istrialdraft"))):
        raise conflict("isTrialDraft", "A draft goes to single devices only, with isTrialDraft.")
    text = text_of(document, "scheduledOn")
    scheduled = parse_time(text) if text else None
    if text and scheduled is None:
        raise invalid(("scheduledOn", f"{text!r} is no time: YYYY-MM-DD HH:mm:ss"))
    made = Update(
        guid=new_guid(),
        upgrade=upgrade.guid,
        target=target,
        entity=text_of(document, "entityGuid") or None,
        created=platform.now(),
        scheduled=scheduled,
        by=call.user.name,
        items=tuple(_planned(platform, one, upgrade, scheduled) for one in devices),
    )
    platform.shelf(_KIND).put(made.guid.lower(), msgspec.to_builtins(made))
    return done("Update pushed")


def _targets(platform: Platform, document: Json, target: str, firmware: Firmware) -> list[Device]:
    """The devices of a push that have the firmware's template; 409 if there are none."""
    if target == _ENTITY:
        (guid,) = required(document, "entityGuid")
        if entity(platform, guid) is None:
            raise conflict("entityGuid", f"There is no entity {guid}.")
        places = below(platform, guid)
        there = registry(platform).of_template(firmware.template)
        found = [one for one in there if one.entity.lower() in places and one.active]
    elif target == _DEVICES:
        named: Any = document.get("deviceguids")
        if not isinstance(named, list) or not named:
            raise invalid(("deviceGuids", "a list of device GUIDs is needed"))
        found = [device_of(platform, str(guid), "deviceGuids") for guid in named]
        for one in found:
            if one.template.lower() != firmware.template.lower():
                raise conflict("deviceGuids", f"{one.unique} has another template than the firmware.")
    else:
        raise invalid(("target", "1 for an entity, 3 for devices"))
    if not found:
        raise conflict("entityGuid", "There is no device that the update could go to.")
    return found


def _planned(platform: Platform, device: Device, upgrade: Upgrade, scheduled: int | None) -> Item:
    """When a device takes the update and how it ends."""
    now = max(platform.now(), scheduled or 0)
    starts: int | None = None
    ends: int | None = None
    failure: str | None = None
    if device.fleet is not None:
        salt = int(new_guid()[:8], 16)
        outcome = platform.fleet.outcome(device.fleet, now, "firmware", salt=salt)
        starts, ends = outcome.started, outcome.finished
        failure = outcome.failure if outcome.failed else None
    elif device.acquired and device.active and device.odd != 1:
        starts, ends = now, now + 60_000
    guid = fixed("ota-item", device.guid, upgrade.guid, now)
    return Item(
        guid=guid, device=device.guid, created=platform.now(), starts=starts, ends=ends, failure=failure
    )


ROUTES = [
    Route("POST", "/ota-update", push, "firmware", writes=True),
    Route("GET", "/ota-update", list_updates, "firmware", _READ),
    Route("GET", "/ota-update/recent", list_updates, "firmware", _READ),
    Route("GET", "/ota-update/device-update-history", history, "firmware", _READ),
    Route("GET", "/ota-update/{guid}", devices_of, "firmware", _READ),
    Route("GET", "/ota-update/{guid}/status/{s}", devices_in, "firmware", _READ),
    Route("GET", "/ota-update/device/{guid}/recent", of_device, "firmware", _READ),
    Route("GET", "/device/{guid}/ota-update", of_device, "firmware", _READ),
]
