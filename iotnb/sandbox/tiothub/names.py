"""The two vocabularies of the platform: short oneM2M names inside, long ones accepted and answered."""

from collections.abc import Mapping
from typing import Any

LONG: dict[str, str] = {
    "ty": "resourceType",
    "ri": "resourceID",
    "rn": "resourceName",
    "pi": "parentID",
    "ct": "creationTime",
    "lt": "lastModifiedTime",
    "et": "expirationTime",
    "lbl": "labels",
    "acpi": "accessControlPolicyIDs",
    "cr": "creator",
    "st": "stateTag",
    "con": "content",
    "cnf": "contentInfo",
    "cs": "contentSize",
    "cni": "currentNrOfInstances",
    "cbs": "currentByteSize",
    "mni": "maxNrOfInstances",
    "mbs": "maxByteSize",
    "mia": "maxInstanceAge",
    "api": "App-ID",
    "aei": "AE-ID",
    "apn": "appName",
    "poa": "pointOfAccess",
    "rr": "requestReachability",
    "srv": "supportedReleaseVersions",
    "ni": "nodeID",
    "nu": "notificationURI",
    "enc": "eventNotificationCriteria",
    "nct": "notificationContentType",
    "net": "notificationEventType",
    "cnd": "containerDefinition",
    "mgd": "mgmtDefinition",
    "man": "manufacturer",
    "mod": "model",
    "smod": "subModel",
    "dty": "deviceType",
    "dvnm": "deviceName",
    "dlb": "deviceLabel",
    "dc": "description",
    "fwv": "fwVersion",
    "swv": "swVersion",
    "osv": "osVersion",
    "hwv": "hwVersion",
    "ptl": "protocol",
    "cnty": "country",
    "loc": "location",
    "crid": "credentialID",
    "crse": "credentialSecret",
    "opern": "operation",
    "reqLt": "requestList",
    "noRNe": "nodeResourceName",
    "profe": "profile",
    "nCr": "nodeCredentials",
    "ndvi": "nodeDeviceInfo",
    "nds": "nodes",
    "aes": "applicationEntities",
}
"""Short name to long name of an attribute."""

SHORT: dict[str, str] = {long: short for short, long in LONG.items()}

LONG_KEYS: dict[str, str] = {
    "m2m:cin": "contentInstance",
    "m2m:cnt": "container",
    "m2m:ae": "AE",
    "m2m:nod": "node",
    "m2m:sub": "subscription",
    "m2m:cb": "CSEBase",
    "m2m:dvi": "deviceInfo",
    "m2m:crds": "credentials",
}
"""Key of a resource to its long form."""

TYPE_OF: dict[str, int] = {
    "m2m:acp": 1,
    "m2m:ae": 2,
    "m2m:cnt": 3,
    "m2m:cin": 4,
    "m2m:cb": 5,
    "m2m:grp": 9,
    "m2m:dvi": 13,
    "m2m:crds": 13,
    "m2m:fwr": 13,
    "m2m:bat": 13,
    "m2m:nod": 14,
    "m2m:sub": 23,
    "m2m:flexContainer": 28,
    "dtiot:devGr": 28,
    "dtiot:conGp": 28,
    "dtiot:noPRt": 28,
    "dtiot:prRRe": 28,
    "dtiot:lorAt": 28,
    "dtiot:lorAn": 28,
}
"""Key of a resource to its number."""

_ALIASES: dict[str, str] = {
    **{long.lower(): key for key, long in LONG_KEYS.items()},
    **{key.partition(":")[2].lower(): key for key in TYPE_OF},
    **{key.lower(): key for key in TYPE_OF},
    "m2m:contentinstance": "m2m:cin",
    "m2m:container": "m2m:cnt",
    "m2m:node": "m2m:nod",
    "m2m:subscription": "m2m:sub",
    "m2m:deviceinfo": "m2m:dvi",
    "devicegroup": "dtiot:devGr",
}
_NESTED = ("enc", "ndvi")
_LISTS = ("reqLt",)


def resource_key(name: str) -> str | None:
    """The key with its prefix for any spelling of it, or None."""
    return _ALIASES.get(name.lower())


def shorten(body: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes under their short names; the content of a message stays as it is."""
    out: dict[str, Any] = {}
    for name, value in body.items():
        short = SHORT.get(name, name)
        if short in _NESTED and isinstance(value, dict):
            value = shorten(value)
        elif short in _LISTS and isinstance(value, list):
            value = [shorten(item) if isinstance(item, dict) else item for item in value]
        out[short] = value
    return out


def lengthen(key: str, body: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """A resource's key and attributes under their long names; nested resources too."""
    out: dict[str, Any] = {}
    for name, value in body.items():
        if name in LONG_KEYS and isinstance(value, list):
            pairs = [lengthen(name, item) for item in value]
            out[LONG_KEYS[name]] = [item for _, item in pairs]
        elif name in _NESTED and isinstance(value, dict):
            out[LONG[name]] = {LONG.get(k, k): v for k, v in value.items()}
        else:
            out[LONG.get(name, name)] = value
    return LONG_KEYS.get(key, key), out
