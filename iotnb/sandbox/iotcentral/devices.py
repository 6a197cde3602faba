"""Devices: create, read, list, change, delete; their credentials, attestation and relationships."""

import base64
import binascii
import hashlib
import itertools
import re
from collections.abc import Iterator
from typing import Any

from iotnb.sandbox.iotcentral.access import reach
from iotnb.sandbox.iotcentral.call import Call, check_match, collection, page_of
from iotnb.sandbox.iotcentral.conditions import ConditionError, chosen, odata
from iotnb.sandbox.iotcentral.events import lifecycle
from iotnb.sandbox.iotcentral.members import Members
from iotnb.sandbox.iotcentral.models import PHONE, repository, template_of
from iotnb.sandbox.iotcentral.platform import Platform
from iotnb.sandbox.iotcentral.registry import Device
from iotnb.sandbox.iotcentral.routes import Route
from iotnb.sandbox.iotcentral.wire import Answer, bad_request, device_etag, forbidden, invalid, not_found

Json = dict[str, Any]
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-._:]{0,127}")
_MEMBERS = frozenset(
    {
        "id",
        "etag",
        "displayName",
        "template",
        "enabled",
        "simulated",
        "organizations",
        "type",
        "deploymentManifest",
    }
)
_FIELDS = {
    "id": "id",
    "displayName": "displayName",
    "enabled": "enabled",
    "provisioned": "provisioned",
    "simulated": "simulated",
    "template": "template",
    "scopes": "organizations",
    "organizations": "organizations",
}
_HISTORY = 300_000  # milliseconds of telemetry that a phone has when it connects by itself


def visible(call: Call, device: Device, right: str = "read") -> bool:
    """Whether a device lies where the caller has a right."""
    own = reach(call, right)
    return own is None or bool(own.intersection(device.organizations))


def find(call: Call, name: str, right: str = "read") -> Device:
    """A device; 404 if there is none that the caller may see, 403 if he may only see it."""
    device = call.application.registry.get(name)
    if device is None or not visible(call, device):
        raise not_found(f"The device {name} does not exist.")
    if right != "read" and not visible(call, device, right):
        raise forbidden()
    return device


def _expanded(call: Call, device: Device, *, etag: bool = True) -> Json:
    out = device.shown(etag=etag)
    manifest = device.held.get("manifest")
    if manifest and call.preview and "deploymentManifest" in call.one("expand"):
        out["deploymentManifest"] = manifest
    return out


def list_devices(platform: Platform, call: Call) -> Answer:
    """GET /devices: pages of 25, or of maxpagesize; filter and orderby in the preview."""
    page = page_of(call, filters=True)
    plain = not page.filter and not page.orderby and reach(call, "read") is None
    skip = page.offset if plain else 0
    devices = call.application.registry.after(skip)
    shown: Iterator[Json] = (_expanded(call, device) for device in devices if visible(call, device))
    switches = platform.switches
    if page.filter:
        try:
            condition = odata(page.filter, _FIELDS)
        except ConditionError as error:
            raise bad_request(f"The filter is not valid: {error}") from None
        shown = (row for row in shown if chosen(condition, row.get))
    if page.orderby:
        member, _, way = page.orderby.strip().partition(" ")
        if member != "displayName" or way.strip().lower() not in ("", "asc", "desc"):
            raise bad_request("orderby is displayName, displayName asc or displayName desc.")
        backwards = way.strip().lower() == "desc"
        shown = iter(sorted(shown, key=lambda row: str(row.get("displayName", "")), reverse=backwards))
    first = page.offset - skip
    rows = list(itertools.islice(shown, first, first + page.size + 1))
    return collection(
        call,
        page,
        rows[: page.size],
        more=len(rows) > page.size,
        overlap=switches.overlap_rows,
        loop=switches.loop_page,
    )


def get_device(_platform: Platform, call: Call, name: str) -> Answer:
    """GET /devices/{id}."""
    return Answer(body=_expanded(call, find(call, name)))


def _checked(call: Call, name: str) -> Json:
    """The writable members of a body that are there."""
    app = call.application
    members = Members(call, _MEMBERS, read_only={"provisioned"}, name=name)
    found: Json = {}
    for member in ("displayName", "template"):
        text = members.text(member)
        if text is not None:
            found[member] = text
    for member in ("enabled", "simulated"):
        flag = members.boolean(member)
        if flag is not None:
            found[member] = flag
    kinds = members.texts("type")
    if kinds is not None:
        if set(kinds) - {"iotEdge"}:
            raise invalid("type is a list that may hold iotEdge.")
        found["type"] = kinds
    if "template" in found and found["template"] not in app.templates:
        raise invalid(f"The device template {found['template']} does not exist.")
    organizations = members.texts("organizations")
    if organizations is not None:
        if len(organizations) > 1 or any(one not in app.organizations for one in organizations):
            raise invalid("organizations holds one organization that exists.")
        found["organizations"] = organizations
    manifest = members.body.get("deploymentManifest")
    if isinstance(manifest, dict):
        found["manifest"] = manifest
    return found


def _check_organization(call: Call, members: Json) -> None:
    own = reach(call, "operate")
    if own is not None and not own.intersection(members.get("organizations") or ()):
        raise forbidden("The device must be in the own organization.")


def put_device(_platform: Platform, call: Call, name: str) -> Answer:
    """PUT /devices/{id}: create, or update what is there; template and provisioning stay."""
    if not _ID.fullmatch(name):
        raise invalid("The device id is made of up to 128 letters, digits, -, ., _ and :.")
    app = call.application
    members = _checked(call, name)
    device = app.registry.get(name)
    if device is not None:
        find(call, name, "operate")
        return Answer(body=_expanded(call, change(call, device, members)))
    _check_organization(call, members)
    simulated = members.get("simulated", False)
    start = {"displayName": name, "simulated": simulated, "provisioned": simulated, "enabled": True}
    device = app.registry.create(name, {**start, **members})
    lifecycle(app, device, "registered")
    return Answer(body=_expanded(call, device))


def change(call: Call, device: Device, members: Json) -> Device:
    """Change a device and tell the exports what changed."""
    app = call.application
    simulated = members.get("simulated")
    if simulated and not device.held.get("simulated"):
        members = {**members, "provisioned": True}
    new = app.registry.save(device, members)
    for member, words in (
        ("displayName", ("displayNameChanged", "displayNameChanged")),
        ("template", ("deviceTemplateChanged", "deviceTemplateChanged")),
        ("enabled", ("disabled", "enabled")),
    ):
        if member in members and members[member] != device.held.get(member):
            lifecycle(app, new, words[bool(members[member])])
    return new


def patch_device(_platform: Platform, call: Call, name: str) -> Answer:
    """PATCH /devices/{id}: If-Match is honoured in the preview."""
    device = find(call, name, "operate")
    if call.preview:
        check_match(call, device_etag(device.id, device.held.get("rev", 0)))
    members = _checked(call, name)
    if "organizations" in members:
        _check_organization(call, members)
    return Answer(body=_expanded(call, change(call, device, members)))


def delete_device(_platform: Platform, call: Call, name: str) -> Answer:
    """DELETE /devices/{id}."""
    device = find(call, name, "operate")
    lifecycle(call.application, device, "deleted")
    call.application.registry.delete(device)
    return Answer(204)


# credentials


def credentials(platform: Platform, call: Call, name: str) -> Answer:
    """GET /devices/{id}/credentials: ID scope and keys, in clear."""
    device = find(call, name, "operate")
    app = call.application
    body: Json = {"idScope": app.id_scope}
    held = app.attestations.get(device.id)
    if held is not None and held["type"] != "symmetricKey":
        body[held["type"]] = held[held["type"]]
        return Answer(body=body)
    primary, secondary = (
        platform.world.issue(key, f"iotcentral: key of device {name}") for key in app.registry.keys(name)
    )
    body["symmetricKey"] = {"primaryKey": primary, "secondaryKey": secondary}
    simulated = device.held.get("simulated") or device.held.get("provisioned")
    if platform.switches.auto_phone and not simulated and device.fleet is None:
        since = platform.now() - _HISTORY
        app.registry.save(device, {"provisioned": True, "template": adopt(call, PHONE), "auto": since})
    return Answer(body=body)


def adopt(call: Call, model: str) -> str:
    """The template of a published model, made if the application does not have it yet."""
    templates = call.application.templates
    if model not in templates:
        templates.put(model, {**template_of(repository(model) or {"@id": model}), "rev": 0})
    return model


def get_attestation(platform: Platform, call: Call, name: str) -> Answer:
    """GET /devices/{id}/attestation."""
    find(call, name, "operate")
    return Answer(body=_attestation(platform, call, name))


def _attestation(platform: Platform, call: Call, name: str) -> Json:
    held: Json | None = call.application.attestations.get(name)
    if held is None:
        raise not_found(f"The device {name} has no individual attestation.")
    for key in held.get("symmetricKey", {}).values():
        platform.world.issue(key, f"iotcentral: key of device {name}")
    return held


def put_attestation(platform: Platform, call: Call, name: str) -> Answer:
    """PUT /devices/{id}/attestation: symmetricKey, x509 or tpm."""
    find(call, name, "operate")
    body = Members(call, {"type", "symmetricKey", "x509", "tpm"}).body
    kind = body.get("type")
    if kind not in ("symmetricKey", "x509", "tpm"):
        raise invalid("type is symmetricKey, x509 or tpm.")
    part = body.get(kind)
    if not isinstance(part, dict):
        raise invalid(f"{kind} is needed.")
    held: Json = {"type": kind, kind: part}
    if kind == "symmetricKey":
        held[kind] = {entry: _key(part.get(entry), entry) for entry in ("primaryKey", "secondaryKey")}
    elif kind == "tpm" and not isinstance(part.get("endorsementKey"), str):
        raise invalid("endorsementKey is needed.")
    elif kind == "x509":
        held[kind] = {"clientCertificates": _certificates(part.get("clientCertificates"))}
    call.application.attestations.put(name, held)
    return Answer(body=_attestation(platform, call, name))


def _key(found: Any, entry: str) -> str:
    try:
        good = isinstance(found, str) and 16 <= len(base64.b64decode(found, validate=True)) <= 64
    except (binascii.Error, ValueError):
        good = False
    if not good:
        raise invalid(f"{entry} must be 16 to 64 bytes in base64.")
    return str(found)


def thumbprint(certificate: str) -> str:
    """The SHA-1 thumbprint of a certificate in PEM or base64, in hex."""
    lines = [line for line in certificate.split("\n") if line.strip() and not line.startswith("-----")]
    try:
        found = base64.b64decode("".join(lines), validate=True)
    except (binascii.Error, ValueError):
        found = certificate.encode()
    return hashlib.sha1(found, usedforsecurity=False).hexdigest().upper()


def _certificates(found: Any) -> Json:
    if not isinstance(found, dict) or not isinstance(found.get("primary"), dict):
        raise invalid("clientCertificates.primary is needed.")
    out = {}
    for entry in ("primary", "secondary"):
        one = found.get(entry)
        if one is None:
            continue
        text = one.get("certificate") if isinstance(one, dict) else None
        if not isinstance(text, str) or not text:
            raise invalid(f"{entry}.certificate is needed.")
        out[entry] = {"info": {"sha1Thumbprint": thumbprint(text)}}
    return out


def delete_attestation(_platform: Platform, call: Call, name: str) -> Answer:
    """DELETE /devices/{id}/attestation: the device is back in its enrollment group."""
    find(call, name, "operate")
    if not call.application.attestations.drop(name):
        raise not_found(f"The device {name} has no individual attestation.")
    return Answer(204)


ROUTES = [
    Route("GET", "/devices", list_devices),
    Route("GET", "/devices/{id}", get_device),
    Route("PUT", "/devices/{id}", put_device, "operate"),
    Route("PATCH", "/devices/{id}", patch_device, "operate"),
    Route("DELETE", "/devices/{id}", delete_device, "operate"),
    Route("GET", "/devices/{id}/credentials", credentials, "operate"),
    Route("GET", "/devices/{id}/attestation", get_attestation, "operate"),
    Route("PUT", "/devices/{id}/attestation", put_attestation, "operate"),
    Route("PATCH", "/devices/{id}/attestation", put_attestation, "operate"),
    Route("DELETE", "/devices/{id}/attestation", delete_attestation, "operate"),
]
