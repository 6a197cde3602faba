"""`/api/device-mgt/android/v1.0`: commands for phones, and the phone's own side."""

from typing import Any

from iotnb.sandbox.wso2.agent import answered, mapping_of, own, wake
from iotnb.sandbox.wso2.inventory import ACTIVE, REMOVED
from iotnb.sandbox.wso2.kinds import ANDROID
from iotnb.sandbox.wso2.log import ERROR
from iotnb.sandbox.wso2.operations import Targets, dispatch, row
from iotnb.sandbox.wso2.routes import ANDROID_MGT, Handler, Route, routes
from iotnb.sandbox.wso2.state import Platform
from iotnb.sandbox.wso2.wire import Answer, Call, Refused, identifier, problem

Json = dict[str, Any]
_PLAIN = {
    "ring": "DEVICE_RING",
    "mute": "DEVICE_MUTE",
    "reboot": "REBOOT",
    "location": "DEVICE_LOCATION",
    "info": "DEVICE_INFO",
    "applications": "APPLICATION_LIST",
    "logcat": "LOGCAT",
    "clear-password": "CLEAR_PASSWORD",
    "enterprise-wipe": "ENTERPRISE_WIPE",
    "unlock-devices": "DEVICE_UNLOCK",
}
_ONCE = ("DEVICE_LOCATION", "DEVICE_INFO", "APPLICATION_LIST")
_TEXT, _FLAG, _NUMBER, _LIST = (str,), (bool,), (int,), (list,)
Fields = dict[str, tuple[type, ...]]
_WITH_BODY: dict[str, tuple[str, Fields, tuple[str, ...]]] = {
    "lock-devices": ("DEVICE_LOCK", {"message": _TEXT, "hardLockEnabled": _FLAG}, ()),
    "wipe": ("WIPE_DATA", {"pin": _TEXT}, ()),
    "control-camera": ("CAMERA", {"enabled": _FLAG}, ("enabled",)),
    "send-notification": ("NOTIFICATION", {"messageText": _TEXT, "messageTitle": _TEXT}, ("messageText",)),
    "configure-wifi": ("WIFI", {"ssid": _TEXT, "password": _TEXT}, ("ssid",)),
    "configure-vpn": (
        "VPN",
        {"serverAddress": _TEXT, "serverPort": (str, int), "sharedSecret": _TEXT, "dnsServer": _TEXT},
        ("serverAddress",),
    ),
    "encrypt-storage": ("ENCRYPT_STORAGE", {"encrypted": _FLAG}, ("encrypted",)),
    "change-lock-code": ("CHANGE_LOCK_CODE", {"lockCode": _TEXT}, ("lockCode",)),
    "set-password-policy": (
        "PASSCODE_POLICY",
        {
            "maxFailedAttempts": _NUMBER,
            "minLength": _NUMBER,
            "pinHistory": _NUMBER,
            "minComplexChars": _NUMBER,
            "maxPINAgeInDays": _NUMBER,
            "requireAlphanumeric": _FLAG,
            "allowSimple": _FLAG,
        },
        (),
    ),
    "set-webclip": ("WEBCLIP", {"identity": _TEXT, "title": _TEXT, "type": _TEXT}, ("identity", "title")),
    "install-application": (
        "INSTALL_APPLICATION",
        {"appIdentifier": _TEXT, "type": _TEXT, "url": _TEXT, "name": _TEXT},
        ("appIdentifier",),
    ),
    "update-application": (
        "UPDATE_APPLICATION",
        {"appIdentifier": _TEXT, "type": _TEXT, "url": _TEXT, "name": _TEXT},
        ("appIdentifier",),
    ),
    "uninstall-application": (
        "UNINSTALL_APPLICATION",
        {"appIdentifier": _TEXT, "type": _TEXT, "url": _TEXT, "name": _TEXT},
        ("appIdentifier",),
    ),
    "blacklist-applications": ("BLACKLIST_APPLICATIONS", {"appIdentifiers": _LIST}, ("appIdentifiers",)),
    "upgrade-firmware": ("UPGRADE_FIRMWARE", {"schedule": _TEXT, "server": _TEXT}, ()),
    "file-transfer": ("FILE_TRANSFER", {"fileURL": _TEXT, "fileName": _TEXT, "fileLocation": _TEXT}, ()),
}
"""Verb to operation code, the operation's fields with their types, and the fields that must be there."""


def _targets(platform: Platform, call: Call, listed: Any) -> Targets:
    """The devices of a command; 400 if none of them is valid."""
    if not isinstance(listed, list) or not listed:
        raise problem(400, "Device identifiers should not be empty")
    found = Targets(platform, call, ANDROID, listed)
    if not found.valid and not found.foreign:
        raise problem(400, "Invalid Device Identifiers found.")
    return found


def _plain(code: str) -> Handler:
    """A command whose body is a plain array of identifiers."""

    def handler(platform: Platform, call: Call) -> Answer:
        targets = _targets(platform, call, call.json())
        control = "NO_REPEAT" if code in _ONCE else "REPEAT"
        return dispatch(platform, targets, ANDROID, code=code, kind="COMMAND", payload=None, control=control)

    return handler


def _fits(value: Any, kinds: tuple[type, ...]) -> bool:
    return isinstance(value, kinds) and (not isinstance(value, bool) or bool in kinds)


def _with_body(code: str, fields: Fields, needed: tuple[str, ...]) -> Handler:
    """A command with `{"deviceIDs", "operation"}`; 400 for a missing or wrongly typed field."""

    def handler(platform: Platform, call: Call) -> Answer:
        body = call.document()
        operation = body.get("operation")
        if not isinstance(operation, dict) or any(name not in operation for name in needed):
            raise problem(400, "The payload is incomplete: a field of the operation is missing")
        for name, kinds in fields.items():
            if name in operation and not _fits(operation[name], kinds):
                raise problem(400, f"The field {name} of the operation has a wrong type")
        targets = _targets(platform, call, body.get("deviceIDs"))
        payload = {name: operation[name] for name in fields if name in operation}
        return dispatch(platform, targets, ANDROID, code=code, kind="PROFILE", payload=payload)

    return handler


# the phone's side


def _said(text: str, *, status: int = 200) -> Answer:
    words = {200: "OK", 202: "Accepted"}[status]
    return Answer(status, {"responseCode": words, "responseMessage": text})


def enroll(platform: Platform, call: Call) -> Answer:
    """POST /devices: also asks the phone at once for its applications, its state and its place."""
    body = call.document()
    name = identifier(body.get("deviceIdentifier"))
    if not name:
        raise problem(400, "The device identifier is missing")
    sent = body.get("enrolmentInfo")
    ownership = sent.get("ownership") if isinstance(sent, dict) else None
    there = platform.inventory.current(ANDROID, name, call.caller.user)
    listed = body.get("properties")
    held = {str(p.get("name")): p.get("value") for p in listed} if isinstance(listed, list) else {}
    if there is None or there.status == REMOVED:
        there = platform.inventory.enroll(
            type=ANDROID,
            identifier=name,
            name=str(body.get("name") or name),
            description=str(body.get("description") or ""),
            owner=call.caller.user,
            ownership=str(ownership or "BYOD"),
            status=ACTIVE,
            properties=held,
            told=platform.now() // 1000 * 1000,
            info={key: held[key] for key in ("IMEI", "IMSI", "vendor", "osVersion") if held.get(key)},
        )
    else:
        platform.inventory.change(there.id, status=ACTIVE)
    for code in ("APPLICATION_LIST", "DEVICE_INFO", "DEVICE_LOCATION"):
        platform.log.add(code, "COMMAND", None, [there], control="NO_REPEAT")
    return _said(f"Android device, which carries the id '{name}' has successfully been enrolled")


def status(platform: Platform, call: Call, name: str) -> Answer:
    """GET /devices/{id}/status."""
    one = own(platform, call, ANDROID, name)
    if one is None:
        raise problem(404, f"No Android device is found upon the id '{name}'")
    return _said(f"Status of android device that carries the id '{name}' is {one.status}")


def modify(platform: Platform, call: Call, name: str) -> Answer:
    """PUT /devices/{id}: 202."""
    body, one = call.document(), own(platform, call, ANDROID, name)
    if one is None:
        raise problem(404, f"No Android device is found upon the id '{name}'")
    fields = {key: str(body[key]) for key in ("name", "description") if isinstance(body.get(key), str)}
    if fields:
        platform.inventory.change_device(one.device, **fields)
    return _said(f"Enrollment of Android device that carries the id '{name}' has been modified", status=202)


def disenroll(platform: Platform, call: Call, name: str) -> Answer:
    """DELETE /devices/{id}."""
    one = own(platform, call, ANDROID, name)
    if one is None:
        raise problem(404, f"No Android device is found upon the id '{name}'")
    platform.inventory.change(one.id, status=REMOVED)
    return _said(f"Android device that carries id '{name}' has successfully dis-enrolled")


def set_applications(platform: Platform, call: Call, name: str) -> Answer:
    """PUT /devices/{id}/applications: 202, 500 for an unknown phone."""
    listed, one = call.array(), own(platform, call, ANDROID, name)
    if one is None:
        raise problem(500, f"Error occurred while modifying the application list of the device '{name}'")
    kept = [each for each in listed if isinstance(each, dict)]
    platform.inventory.change_device(one.device, applications=kept)
    return _said("Device information has modified successfully.", status=202)


def pending(platform: Platform, call: Call, name: str) -> Answer:
    """PUT /devices/{id}/pending-operations: takes results, gives what is to do; an ERROR tells somebody."""
    one = own(platform, call, ANDROID, name)
    if one is None:
        raise problem(404, f"No Android device is found upon the id '{name}'")
    results = call.json()
    for each in results if isinstance(results, list) else ():
        if not isinstance(each, dict):
            raise Refused(400)
        number, result, said = answered(each)
        mapping = mapping_of(platform, one, number)
        if mapping is None:
            continue
        platform.log.set(mapping, result, None if said is None else said.strip("'"))
        if result == ERROR:
            code = str(each.get("code") or mapping.operation.code)
            platform.notices.add(one, code=code, operation=number)
    wake(platform, one)
    rows = [row(platform, each, payload=True) for each in platform.log.pending(one)]
    return Answer(201, rows)


ROUTES: list[Route] = [
    *routes(
        f"{ANDROID_MGT}/admin/devices",
        *(("POST", f"/{verb}", _plain(code), f"android:{verb}") for verb, code in _PLAIN.items()),
        *(("POST", f"/{verb}", _with_body(*parts), f"android:{verb}") for verb, parts in _WITH_BODY.items()),
    ),
    *routes(
        f"{ANDROID_MGT}/devices",
        ("POST", "", enroll, "android:enroll"),
        ("GET", "/{id}/status", status, "android:enroll"),
        ("PUT", "/{id}", modify, "android:enroll"),
        ("DELETE", "/{id}", disenroll, "android:disenroll"),
        ("PUT", "/{id}/applications", set_applications, "android:enroll"),
        ("PUT", "/{id}/pending-operations", pending, "android:enroll"),
    ),
]
