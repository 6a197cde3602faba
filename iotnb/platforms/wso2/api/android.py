"""Android: operations of the administrator, one call each, and the side of the device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from iotnb.errors import ConfigError
from iotnb.platforms.wso2.api.chapter import ANDROID, Chapter, Document, Documents, segment

PLAIN: Final[Mapping[str, str]] = {
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
"""Verbs without parameters, and the code of the operation that they add."""

PARAMETERS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "lock-devices": ("DEVICE_LOCK", ("message", "hardLockEnabled")),
    "wipe": ("WIPE_DATA", ("pin",)),
    "control-camera": ("CAMERA", ("enabled",)),
    "send-notification": ("NOTIFICATION", ("messageText", "messageTitle")),
    "configure-wifi": ("WIFI", ("ssid", "password")),
    "configure-vpn": ("VPN", ("serverAddress", "serverPort", "sharedSecret", "dnsServer")),
    "encrypt-storage": ("ENCRYPT_STORAGE", ("encrypted",)),
    "change-lock-code": ("CHANGE_LOCK_CODE", ("lockCode",)),
    "set-password-policy": (
        "PASSCODE_POLICY",
        ("maxFailedAttempts", "minLength", "pinHistory", "minComplexChars", "maxPINAgeInDays",
         "requireAlphanumeric", "allowSimple"),
    ),
    "set-webclip": ("WEBCLIP", ("identity", "title", "type")),
    "install-application": ("INSTALL_APPLICATION", ("appIdentifier", "type", "url", "name")),
    "update-application": ("UPDATE_APPLICATION", ("appIdentifier", "type", "url", "name")),
    "uninstall-application": ("UNINSTALL_APPLICATION", ("appIdentifier", "type", "url", "name")),
    "blacklist-applications": ("BLACKLIST_APPLICATIONS", ("appIdentifiers",)),
    "upgrade-firmware": ("UPGRADE_FIRMWARE", ("schedule", "server")),
    "file-transfer": ("FILE_TRANSFER", ()),
}  # fmt: skip
"""Verbs with parameters: the code of the operation, and the names of its parameters."""

WIPING: Final = ("wipe", "enterprise-wipe")


class Android(Chapter):
    """The Android service; each administrator's verb needs the scope `perm:android:<verb>`."""

    def send(
        self,
        verb: str,
        ids: Sequence[str],
        *,
        parameters: Mapping[str, Any] | None = None,
        confirm: bool = False,
    ) -> Document:
        """Adds the operation of a verb (`ring`, `lock-devices` ...) for some devices; gives its activity.

        Wiping destroys what is on the device and asks for `confirm=True`. Raises Invalid (400) when none of
        the identifiers is an Android device, or a parameter is missing.
        """
        if verb not in PLAIN and verb not in PARAMETERS:
            known = ", ".join([*PLAIN, *PARAMETERS])
            raise ConfigError(f"Android has no verb {verb!r}: use one of {known}")
        if verb in WIPING and not confirm:
            raise ConfigError(f"{verb!r} destroys what is on the devices: pass confirm=True to send it")
        body: Any = [str(each) for each in ids]
        if verb in PARAMETERS:
            body = {"deviceIDs": body, "operation": dict(parameters or {})}
        elif parameters:
            raise ConfigError(f"{verb!r} takes no parameters")
        return self._object("POST", f"/admin/devices/{verb}", api=ANDROID, json=body)

    def enroll(self, document: Mapping[str, Any]) -> Document:
        """Enrols a device, as its agent does; it is asked for applications, details and location at once."""
        return self._object("POST", "/devices", api=ANDROID, json=dict(document))

    def status(self, id: str) -> Any:
        """The status of a device as its agent sees it; NotFound when there is none."""
        return self._call("GET", f"/devices/{segment(id)}/status", api=ANDROID)

    def update(self, id: str, document: Mapping[str, Any]) -> Any:
        """Changes the registration of a device."""
        return self._call("PUT", f"/devices/{segment(id)}", api=ANDROID, json=dict(document))

    def disenroll(self, id: str) -> Any:
        """Ends the enrolment of a device."""
        return self._call("DELETE", f"/devices/{segment(id)}", api=ANDROID)

    def report_applications(self, id: str, applications: Sequence[Mapping[str, Any]]) -> Any:
        """Tells which applications are installed on a device."""
        body = [dict(each) for each in applications]
        return self._call("PUT", f"/devices/{segment(id)}/applications", api=ANDROID, json=body)

    def pending(self, id: str, results: Sequence[Mapping[str, Any]] = ()) -> Documents:
        """Hands in results and takes the operations that wait; an ERROR among them raises a notification."""
        body = [dict(each) for each in results]
        return self._array("PUT", f"/devices/{segment(id)}/pending-operations", api=ANDROID, json=body)

    def configuration(self) -> Document:
        """The settings of the Android platform."""
        return self._object("GET", "/configuration", api=ANDROID)

    def set_configuration(self, document: Mapping[str, Any]) -> Any:
        """Changes the settings of the Android platform."""
        return self._call("PUT", "/configuration", api=ANDROID, json=dict(document))

    def license(self) -> Any:
        """The licence text that a person accepts when enrolling."""
        return self._call("GET", "/configuration/license", api=ANDROID)
