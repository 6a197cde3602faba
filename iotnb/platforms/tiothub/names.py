"""The two vocabularies of oneM2M: long names become short ones when they are read; secrets are blanked.

The service answers short or long names, or both mixed. What a message holds (`con`) is the user's own and
stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from iotnb import times
from iotnb.secret import MASK

SHORT = {
    "resourceType": "ty", "resourceID": "ri", "resourceName": "rn", "parentID": "pi",
    "creationTime": "ct", "lastModifiedTime": "lt", "expirationTime": "et", "labels": "lbl",
    "accessControlPolicyIDs": "acpi", "creator": "cr", "stateTag": "st", "nodeID": "ni",
    "containerDefinition": "cnd", "operation": "opern", "requestList": "reqLt",
    "nodeResourceName": "noRNe", "profile": "profe", "nodeCredentials": "nCr", "nodeDeviceInfo": "ndvi",
    "content": "con", "contentInfo": "cnf", "contentSize": "cs", "currentNrOfInstances": "cni",
    "currentByteSize": "cbs", "maxNrOfInstances": "mni", "maxByteSize": "mbs", "maxInstanceAge": "mia",
    "App-ID": "api", "AE-ID": "aei", "appName": "apn", "pointOfAccess": "poa",
    "requestReachability": "rr", "supportedReleaseVersions": "srv", "notificationURI": "nu",
    "eventNotificationCriteria": "enc", "notificationContentType": "nct", "notificationEventType": "net",
    "manufacturer": "man", "model": "mod", "subModel": "smod", "deviceType": "dty", "deviceName": "dvnm",
    "deviceLabel": "dlb", "description": "dc", "fwVersion": "fwv", "swVersion": "swv",
    "osVersion": "osv", "hwVersion": "hwv", "protocol": "ptl", "country": "cnty", "location": "loc",
    "mgmtDefinition": "mgd", "credentialID": "crid", "credentialSecret": "crse", "nodes": "nds",
    "applicationEntities": "aes", "userApi": "useAi", "propagate": "prope",
}  # fmt: skip
"""Long attribute name -> short one."""

KINDS = {
    "contentInstance": "m2m:cin", "container": "m2m:cnt", "AE": "m2m:ae", "node": "m2m:nod",
    "subscription": "m2m:sub", "CSEBase": "m2m:cb", "deviceInfo": "m2m:dvi", "credentials": "m2m:crds",
    "flexContainer": "m2m:fcnt", "cin": "m2m:cin", "cnt": "m2m:cnt", "ae": "m2m:ae", "nod": "m2m:nod",
    "sub": "m2m:sub", "cb": "m2m:cb", "dvi": "m2m:dvi", "crds": "m2m:crds", "fcnt": "m2m:fcnt",
    "sgn": "m2m:sgn", "uril": "m2m:uril", "noPRt": "dtiot:noPRt", "prRRe": "dtiot:prRRe",
    "devGr": "dtiot:devGr", "conGp": "dtiot:conGp", "nodeProvisioningRequest": "dtiot:noPRt",
    "provisioningRequestResponse": "dtiot:prRRe", "deviceGroup": "dtiot:devGr",
}  # fmt: skip
"""Name of a resource type without prefix -> the short one with it."""

DEFINITIONS = {
    "com.telekom.iot.orchestrator.nodeProvisioningRequest": "dtiot:noPRt",
    "com.telekom.iot.orchestrator.provisioningRequestResponse": "dtiot:prRRe",
    "com.telekom.iot.orchestrator.deviceGroup": "dtiot:devGr",
}
"""What a flexContainer is, by its `cnd`: the key around it says only that it is one."""

_MESSAGE = frozenset({"rn", "con", "cnf", "ty", "cs", "st", "cr", "ri", "pi", "ct", "lt", "et"})
_SECRET_LABEL = re.compile(r"(?i)^(psk|loriot-appkey|loriot_appkey|appkey)\s*:")
_TIME = re.compile(r"(\d{8})T(\d{6})(?:[,.](\d{1,9}))?Z?", re.ASCII)


class Resource(dict[str, Any]):
    """A resource with short attribute names; `kind` is its type key. Credentials are blanked."""

    __slots__ = ("_source", "kind")

    def __init__(
        self, attributes: Mapping[str, Any] | None = None, kind: str = "", source: Any = None
    ) -> None:
        super().__init__(attributes or {})
        self.kind, self._source = kind, source

    @property
    def raw(self) -> Any:
        """The JSON as it came, under the server's own names; credentials are blanked here as well."""
        return masked(self._source)


def short(document: Any) -> Any:
    """A JSON value with short names throughout, secrets blanked; message contents stay as they are."""
    if isinstance(document, list):
        return [short(each) for each in document]
    if not isinstance(document, dict):
        return document
    made: dict[str, Any] = {}
    for key, value in document.items():
        type_key = _kind(key, value) if isinstance(value, list | dict) else None
        if type_key:
            inner = _resources(type_key, value)
            # one list under each of its two names: answers mix the vocabularies
            made[type_key] = made[type_key] + inner if isinstance(made.get(type_key), list) else inner
            continue
        short_name = SHORT[key] if key in SHORT else str(key)
        made[short_name] = value if short_name == "con" else blanked(short_name, short(value))
    return made


def _resources(key: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_resources(key, each) if isinstance(each, dict) else each for each in value]
    if value.keys() <= _MESSAGE:  # a message in short names: most of what is ever read
        return Resource(value, key, value)
    made = short(value)
    return Resource(made, kind(key, made), value)


def blanked(name: str, value: Any) -> Any:
    """A value of an attribute without credentials (`crse`, `psk:...`, `loriot-appkey:...`)."""
    if name in {"crse", "credentialSecret"} and value:
        return MASK
    if isinstance(value, list) and name in {"lbl", "labels", "nCr", "nodeCredentials"}:
        return [_blank(each) for each in value]
    if isinstance(value, list) and name == "poah":  # headers for a webhook: their values are credentials
        return [f"{str(each).partition(':')[0]}:{MASK}" for each in value]
    return value


def masked(document: Any) -> Any:
    """A JSON value under its own names with credentials blanked."""
    if isinstance(document, list):
        return [masked(each) for each in document]
    if isinstance(document, Mapping):
        return {
            key: value if key in {"con", "content"} else blanked(key, masked(value))
            for key, value in document.items()
        }
    return document


def resource(document: Any) -> Resource:
    """The one resource in an answer such as `{"m2m:nod": {...}}`; empty when there is none."""
    normal = short(document)
    for key, value in normal.items() if isinstance(normal, dict) else ():
        if isinstance(value, dict):
            return Resource(value, kind(key, value), document)
    return Resource(source=document)


def children(parent: Mapping[str, Any], wanted: str) -> list[Resource]:
    """The children of a type (`m2m:cin`, or `m2m:fcnt` for any flexContainer) in a resource."""
    found = []
    for key, value in parent.items():
        for each in value if isinstance(value, list) else [value]:
            if not isinstance(each, Mapping) or ":" not in key:
                continue
            made = each if isinstance(each, Resource) else Resource(each, kind(key, each), each)
            if wanted in (made.kind, key) or (wanted == "m2m:fcnt" and each.get("ty") == 28):
                found.append(made)
    return found


def kind(key: str, document: Mapping[str, Any]) -> str:
    """The type key of a resource; flexContainers are told apart by their definition."""
    return DEFINITIONS.get(str(document.get("cnd", "")), key)


def _kind(key: str, value: Any) -> str:
    """The type key that a key stands for, or "" when it is an attribute."""
    holds = isinstance(value, Mapping) or (
        isinstance(value, list) and all(isinstance(each, Mapping) for each in value)
    )
    if not holds and key not in {"uril", "m2m:uril"}:
        return ""
    prefix, colon, name = key.rpartition(":")
    if name in KINDS and (not colon or prefix in {"m2m", "dtiot"}):
        return KINDS[name]
    return ""


def _blank(label: Any) -> Any:
    found = _SECRET_LABEL.match(label) if isinstance(label, str) else None
    return f"{found[0]}{MASK}" if found else label


def labels(listed: Any) -> dict[str, str]:
    """Labels `key:value` as a mapping, split at the first colon; values are text. The last of a key wins."""
    made: dict[str, str] = {}
    for each in listed if isinstance(listed, list) else []:
        key, _, value = str(each).partition(":")
        made[key] = value
    return made


def merged(listed: Iterable[str], changes: Mapping[str, str | None]) -> list[str]:
    """The labels with some keys set, or removed where the value is None; the others stay in their order.

    A blank replaces a colon inside a value, as the clients of the platform do.
    """
    left = {key: value for key, value in changes.items() if value is not None}
    made = []
    for each in listed:
        key = str(each).partition(":")[0]
        if key not in changes:
            made.append(each)
        elif key in left:
            made.append(f"{key}:{left.pop(key).replace(':', ' ')}")
    return made + [f"{key}:{value.replace(':', ' ')}" for key, value in left.items()]


def moment(text: Any) -> datetime | None:
    """A time of the wire, `20230609T083219,210000` (UTC) or ISO 8601; None for what is none."""
    if not isinstance(text, str):
        return None
    found = _TIME.fullmatch(text.strip())
    try:
        if found is None:
            return times.from_wire(text)
        micro = int((found[3] or "0")[:6].ljust(6, "0"))
        day, clock = found[1], found[2]
        return datetime(
            int(day[:4]),
            int(day[4:6]),
            int(day[6:]),
            int(clock[:2]),
            int(clock[2:4]),
            int(clock[4:]),
            micro,
            UTC,
        )
    except ValueError:
        return None


def basic(at: datetime) -> str:
    """A moment as filters want it, `20261231T000000`: an ISO time would be ignored without a word."""
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%S}"
