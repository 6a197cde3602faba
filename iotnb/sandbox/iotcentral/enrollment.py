"""Enrollment groups: keys or certificates under which many devices may provision themselves."""

import base64
import binascii
import re
from typing import Any

from iotnb.sandbox.iotcentral.call import Call, check_match, listing
from iotnb.sandbox.iotcentral.devices import thumbprint
from iotnb.sandbox.iotcentral.keys import group_key
from iotnb.sandbox.iotcentral.members import Members
from iotnb.sandbox.iotcentral.platform import Platform
from iotnb.sandbox.iotcentral.routes import Route
from iotnb.sandbox.iotcentral.wire import Answer, group_etag, invalid, not_found

Json = dict[str, Any]
_ID = re.compile(r"[a-zA-Z0-9-]{1,255}")
_ENTRIES = ("primary", "secondary")
_GROUP = "/enrollmentGroups/{id}"
_CERTIFICATE = f"{_GROUP}/certificates/{{entry}}"


def _shown(platform: Platform, call: Call, name: str, held: Json) -> Json:
    out: Json = {"id": name}
    out |= {member: held[member] for member in ("displayName", "enabled", "type", "attestation")}
    for key in held["attestation"].get("symmetricKey", {}).values():
        platform.world.issue(key, f"iotcentral: key of enrollment group {name}")
    if call.preview:
        out["idScope"] = call.application.id_scope
    return out | {"etag": group_etag(name, held["rev"])}


def _held(call: Call, name: str) -> Json:
    held: Json | None = call.application.enrollment.get(name)
    if held is None:
        raise not_found(f"The enrollment group {name} does not exist.")
    return held


def list_groups(platform: Platform, call: Call) -> Answer:
    """GET /enrollmentGroups."""
    return listing(call, [_shown(platform, call, n, h) for n, h in call.application.enrollment.items()])


def get_group(platform: Platform, call: Call, name: str) -> Answer:
    """GET /enrollmentGroups/{id}: the keys come in clear."""
    return Answer(body=_shown(platform, call, name, _held(call, name)))


def _key(found: Any) -> str:
    try:
        if isinstance(found, str) and 16 <= len(base64.b64decode(found, validate=True)) <= 64:
            return found
    except (binascii.Error, ValueError):
        pass
    raise invalid("A key is 16 to 64 bytes in base64.")


def _attestation(platform: Platform, call: Call, name: str, found: Any) -> Json:
    if not isinstance(found, dict) or found.get("type") not in ("symmetricKey", "x509"):
        raise invalid("attestation.type is symmetricKey or x509.")
    if found["type"] == "x509":
        given = (found.get("x509") or {}).get("signingCertificates") or {}
        certificates = {entry: _signing(name, entry, given[entry]) for entry in _ENTRIES if entry in given}
        return {"type": "x509", "x509": {"signingCertificates": certificates}}
    pair = found.get("symmetricKey") or {}
    app = call.application
    return {
        "type": "symmetricKey",
        "symmetricKey": {
            f"{entry}Key": _key(pair[f"{entry}Key"])
            if f"{entry}Key" in pair
            else group_key(platform.secret, app.id, name, entry)
            for entry in _ENTRIES
        },
    }


def _signing(name: str, entry: str, found: Any) -> Json:
    """A signing certificate as it is kept: its thumbprint and whether it is verified."""
    text = found.get("certificate") if isinstance(found, dict) else None
    if not isinstance(text, str) or not text:
        raise invalid("certificate is needed.")
    mark = thumbprint(text)
    return {
        "verified": found.get("verified") is True,
        "info": {"sha1Thumbprint": mark},
        "etag": group_etag(name, entry, mark),
    }


def _checked(platform: Platform, call: Call, name: str, old: Json) -> Json:
    known = {"id", "displayName", "enabled", "type", "attestation", "idScope"}
    members = Members(call, known, name=name)
    held = dict(old)
    display, enabled, kind = members.text("displayName"), members.boolean("enabled"), members.text("type")
    held["displayName"] = display or held.get("displayName") or members.needed("displayName")
    held["enabled"] = held.get("enabled", True) if enabled is None else enabled
    held["type"] = kind or held.get("type") or members.needed("type")
    if held["type"] not in ("iot", "iotEdge"):
        raise invalid("type is iot or iotEdge.")
    if "attestation" in members.body or "attestation" not in held:
        held["attestation"] = _attestation(platform, call, name, members.needed("attestation"))
    return held


def put_group(platform: Platform, call: Call, name: str) -> Answer:
    """PUT /enrollmentGroups/{id}: keys are made when none are given."""
    if not _ID.fullmatch(name):
        raise invalid("The enrollment group id is made of letters, digits and -.")
    old = call.application.enrollment.get(name)
    held = {**_checked(platform, call, name, {}), "rev": old["rev"] + 1 if old else 0}
    call.application.enrollment.put(name, held)
    return Answer(body=_shown(platform, call, name, held))


def patch_group(platform: Platform, call: Call, name: str) -> Answer:
    """PATCH /enrollmentGroups/{id}."""
    old = _held(call, name)
    check_match(call, group_etag(name, old["rev"]))
    held = {**_checked(platform, call, name, old), "rev": old["rev"] + 1}
    call.application.enrollment.put(name, held)
    return Answer(body=_shown(platform, call, name, held))


def delete_group(_platform: Platform, call: Call, name: str) -> Answer:
    """DELETE /enrollmentGroups/{id}."""
    _held(call, name)
    call.application.enrollment.drop(name)
    return Answer(204)


# certificates


def _certificates(call: Call, name: str, entry: str) -> tuple[Json, Json]:
    held = _held(call, name)
    if entry not in _ENTRIES:
        raise invalid("The entry is primary or secondary.")
    if held["attestation"]["type"] != "x509":
        raise invalid(f"The enrollment group {name} has no certificates.")
    return held, dict(held["attestation"]["x509"]["signingCertificates"])


def _keep(call: Call, name: str, held: Json, certificates: Json) -> None:
    attestation = {"type": "x509", "x509": {"signingCertificates": certificates}}
    call.application.enrollment.put(name, {**held, "attestation": attestation, "rev": held["rev"] + 1})


def _certificate(call: Call, name: str, entry: str) -> Json:
    found: Json | None = _certificates(call, name, entry)[1].get(entry)
    if found is None:
        raise not_found(f"The enrollment group {name} has no {entry} certificate.")
    return found


def get_certificate(_platform: Platform, call: Call, name: str, entry: str) -> Answer:
    """GET .../certificates/{entry}: the thumbprint, not the certificate."""
    return Answer(body=_certificate(call, name, entry))


def put_certificate(_platform: Platform, call: Call, name: str, entry: str) -> Answer:
    """PUT .../certificates/{entry}."""
    held, certificates = _certificates(call, name, entry)
    members = Members(call, {"certificate", "verified", "info"})
    members.boolean("verified")
    certificates[entry] = _signing(name, entry, members.body)
    _keep(call, name, held, certificates)
    return Answer(body=certificates[entry])


def delete_certificate(_platform: Platform, call: Call, name: str, entry: str) -> Answer:
    """DELETE .../certificates/{entry}."""
    _certificate(call, name, entry)
    held, certificates = _certificates(call, name, entry)
    del certificates[entry]
    _keep(call, name, held, certificates)
    return Answer(204)


def verification_code(platform: Platform, call: Call, name: str, entry: str) -> Answer:
    """POST .../certificates/{entry}/generateVerificationCode."""
    _certificate(call, name, entry)
    code = platform.guid("verification", call.application.id, name, entry).replace("-", "").upper()
    return Answer(body={"verificationCode": code})


def verify(_platform: Platform, call: Call, name: str, entry: str) -> Answer:
    """POST .../certificates/{entry}/verify."""
    found = _certificate(call, name, entry)
    if not Members(call, {"certificate"}).text("certificate"):
        raise invalid("certificate is needed.")
    held, certificates = _certificates(call, name, entry)
    certificates[entry] = {**found, "verified": True}
    _keep(call, name, held, certificates)
    return Answer(204)


ROUTES = [
    Route("GET", "/enrollmentGroups", list_groups, "operate"),
    Route("GET", _GROUP, get_group, "operate"),
    Route("PUT", _GROUP, put_group, "build"),
    Route("PATCH", _GROUP, patch_group, "build"),
    Route("DELETE", _GROUP, delete_group, "build"),
    Route("GET", _CERTIFICATE, get_certificate, "operate"),
    Route("PUT", _CERTIFICATE, put_certificate, "build"),
    Route("DELETE", _CERTIFICATE, delete_certificate, "build"),
    Route("POST", f"{_CERTIFICATE}/generateVerificationCode", verification_code, "build"),
    Route("POST", f"{_CERTIFICATE}/verify", verify, "build"),
]
