"""Which scopes there are, the permission behind each, what the tutorial's client loses, and their order.

Scopes and permissions stand in the annotations of the server's interfaces; the rest was asked for in the
tutorial. Scopes without a permission of their own are there for those who hold everything.
"""

from collections.abc import Callable, Iterable

_VIEW = "/device-mgt/devices/owning-device/view"
_OPERATE = "/device-mgt/devices/owning-device/operations/android"

_BY_PERMISSION: dict[str, str] = {
    _VIEW: (
        "devices:view devices:details devices:update devices:delete devices:search devices:features "
        "devices:applications devices:operations devices:effective-policy devices:compliance-data "
        "device:operations device-types:types device-types:features device-types:events:view get-activity "
        "admin:devices:view"
    ),
    "/device-mgt/devices/owning-device/add": "device:enroll",
    "/device-mgt/devices/owning-device/remove": "device:disenroll",
    "/device-mgt/devices/owning-device/modify": "device:modify",
    "/device-mgt/devices/owning-device/event": "device:publish-event",
    "/device-mgt/devices/owning-device/view-analytics": "geo-service:analytics-view",
    "/device-mgt/devices/owning-device/manage-alerts": "geo-service:alerts-manage",
    "/device-mgt/devices/change-status": "devices:change-status",
    "/device-mgt/devices/enroll/android": "android:enroll android:view-configuration",
    "/device-mgt/devices/disenroll/android": "android:disenroll",
    "/device-mgt/device-type/add": "device-types:events",
    "/device-mgt/devicetype/deploy": "devicetype:deployment",
    "/device-mgt/admin/device-type": "admin:device-type",
    "/device-mgt/admin/groups/view": "admin-groups:view admin-groups:count",
    "/device-mgt/groups/view": "groups:groups groups:groups-view groups:count",
    "/device-mgt/groups/add": "groups:add",
    "/device-mgt/groups/update": "groups:update",
    "/device-mgt/groups/remove": "groups:remove",
    "/device-mgt/groups/share": "groups:share",
    "/device-mgt/groups/roles/view": "groups:roles",
    "/device-mgt/groups/devices/view": "groups:device groups:devices groups:devices-count",
    "/device-mgt/groups/devices/add": "groups:devices-add groups:assign",
    "/device-mgt/groups/devices/remove": "groups:devices-remove",
    "/device-mgt/notifications/view": "notifications:view notifications:mark-checked",
    "/device-mgt/policies/view": "policies:get-details policies:get-policy-details policies:effective-policy",
    "/device-mgt/policies/manage": (
        "policies:manage policies:update policies:remove policies:activate policies:deactivate "
        "policies:changes policies:priorities"
    ),
    "/device-mgt/roles/view": "roles:view roles:details roles:permissions",
    "/device-mgt/roles/manage": (
        "roles:add roles:add-users roles:update roles:delete roles:create-combined-role"
    ),
    "/device-mgt/users/view": (
        "users:details users:count users:roles users:user-details users:search users:is-exist"
    ),
    "/device-mgt/users/manage": "users:add users:update users:delete users:send-invitation admin-users:view",
    "/login": "users:credentials",
    "/device-mgt/applications/manage": "applications:install applications:uninstall",
    "/device-mgt/authorization/verify": "authorization:verify",
    "/device-mgt/platform-configurations/view": "view-configuration",
    "/device-mgt/platform-configurations/manage": "manage-configuration android:manage-configuration",
    "/device-mgt/certificates/manage": (
        "admin:certificates:add admin:certificates:delete admin:certificates:details "
        "admin:certificates:verify admin:certificates:view"
    ),
    "/": (
        "sign-csr admin admin:topics:view dashboard:vulnerabilities dashboard:non-compliant-count "
        "dashboard:non-compliant dashboard:by-groups dashboard:device-counts "
        "dashboard:feature-non-compliant dashboard:count-overview dashboard:filtered-count dashboard:details"
    ),
}

_ANDROID: dict[str, str] = {
    "applications": "applications",
    "blacklist-applications": "blacklist-app",
    "change-lock-code": "change-lock-code",
    "clear-password": "clear-password",
    "configure-vpn": "vpn",
    "configure-wifi": "wifi",
    "control-camera": "camera",
    "encrypt-storage": "encrypt",
    "enterprise-wipe": "enterprise-wipe",
    "file-transfer": "file-transfer",
    "info": "info",
    "install-application": "install-app",
    "location": "location",
    "lock-devices": "lock",
    "logcat": "logcat",
    "mute": "mute",
    "reboot": "reboot",
    "ring": "ring",
    "send-notification": "send-notification",
    "set-password-policy": "password-policy",
    "set-webclip": "webclip",
    "uninstall-application": "uninstall-app",
    "unlock-devices": "unlock",
    "update-application": "update-app",
    "upgrade-firmware": "upgrade",
    "wipe": "wipe",
}
"""Verbs of the Android API to the last word of the permission."""

_IOS = (
    "airplay apn app-list app-lock app-to-per-app-vpn applications cal-subscription caldav cellular "
    "clear-passcode device-info email enroll enterprise-app enterprise-wipe get-restrictions ldap location "
    "lock notification passcode-policy per-app-vpn profile-list remove-application remove-profile "
    "restriction ring store-application view-device vpn webclip wifi wipe-data"
)

PERMISSION: dict[str, str] = {
    **{f"perm:{scope}": node for node, scopes in _BY_PERMISSION.items() for scope in scopes.split()},
    **{f"perm:android:{verb}": f"{_OPERATE}/{word}" for verb, word in _ANDROID.items()},
    **{f"perm:ios:{word}": "/" for word in _IOS.split()},
    "perm:remote-session-service:connect": "/device-mgt/devices/owning-device/remote-session",
}
"""Every scope that the server knows to the permission that a user needs for it."""

_LOST = (
    "admin admin:device-type admin:topics:view dashboard:by-groups dashboard:count-overview "
    "dashboard:details dashboard:device-counts dashboard:feature-non-compliant dashboard:filtered-count "
    "dashboard:non-compliant dashboard:non-compliant-count dashboard:vulnerabilities device-types:events "
    "device-types:events:view devicetype:deployment geo-service:alerts-manage geo-service:analytics-view "
    "sign-csr"
)
NOT_IN_TUTORIAL = frozenset(f"perm:{scope}" for scope in _LOST.split())
"""The 18 scopes that the tutorial asks for and is not granted."""

_LAST = [f"perm:device:{word}" for word in ("enroll", "disenroll", "modify", "operations", "publish-event")]
DEFAULT = "default"
"""The scope of a token that would have none."""


def granted(asked: Iterable[str], holds: Callable[[str], bool], *, without: frozenset[str]) -> list[str]:
    """The scopes that remain of those asked for, in the order in which the server lists them."""
    known = {scope for scope in asked if scope in PERMISSION and scope not in without}
    return ordered(scope for scope in known if holds(PERMISSION[scope])) or [DEFAULT]


def ordered(scopes: Iterable[str]) -> list[str]:
    """Scopes by the alphabet, the five of the device's side last, as the tutorial's answers show them."""
    held = set(scopes)
    return sorted(held.difference(_LAST)) + [scope for scope in _LAST if scope in held]
