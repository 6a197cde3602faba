"""Certificates: the trusted ones of a tenant, and the token that a device gets for its own (mutual TLS)."""

import re
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.x509.oid import NameOID

from iotnb.sandbox.certs import CertificateError
from iotnb.sandbox.cumulocity.auth import issue_token
from iotnb.sandbox.cumulocity.state import TENANT, Platform
from iotnb.sandbox.cumulocity.wire import (
    JSON,
    Answer,
    Call,
    Refused,
    done,
    forbidden,
    format_time,
    missing,
    sliced,
)

_KIND = "certificate"
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
_LIFE_DEFAULT, _LIFE_LEAST = 3_600, 300


def distrust_all(platform: Platform) -> None:
    """Forget which client certificates the TLS port accepts, and trust those that the store holds."""
    trust = platform.service.trust
    if trust is None:
        return
    trust.clear()
    for kept in platform.store.settings(_KIND).values():
        if kept["status"] == "ENABLED":
            trust.add(_pem(kept["certInPemFormat"]))


def _pem(text: str) -> str:
    """A certificate's PEM with proper line breaks, whatever was sent."""
    found = _PEM.search(text)
    body = "".join((found[1] if found else text).split())
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    return "-----BEGIN CERTIFICATE-----\n" + "\n".join(lines) + "\n-----END CERTIFICATE-----\n"


def _certificate(text: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(_pem(text).encode())
    except ValueError:
        message = "Cannot parse X509 certificate. : Incomplete data"
        raise Refused(400, "Device Certificates/Bad Request", message) from None


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def rendered(call: Call, kept: dict[str, Any]) -> dict[str, Any]:
    """A trusted certificate with its link."""
    own = call.url("tenant", "tenants", TENANT, "trusted-certificates", kept["fingerprint"])
    return {**kept, "self": own}


def _tenant(call: Call, tenant: str) -> None:
    if tenant != call.user.tenant:
        raise forbidden()


def list_certificates(platform: Platform, call: Call, tenant: str) -> Answer:
    """GET /tenant/tenants/{id}/trusted-certificates."""
    _tenant(call, tenant)
    platform.access.need(call.user, "ROLE_TENANT_MANAGEMENT_READ", "ROLE_TENANT_ADMIN")
    items = [rendered(call, kept) for kept in platform.store.settings(_KIND).values()]
    return sliced(call, "certificates", "", items)


def create_certificate(platform: Platform, call: Call, tenant: str) -> Answer:
    """POST: trust a certificate; 409 for one that is there already, 422 for no certificate."""
    _tenant(call, tenant)
    platform.access.need(call.user, "ROLE_TENANT_MANAGEMENT_ADMIN", "ROLE_TENANT_ADMIN")
    body = call.document()
    absent = [name for name in ("certInPemFormat", "status") if not body.get(name)]
    if absent:
        raise missing(*absent)
    try:
        certificate = _certificate(str(body["certInPemFormat"]))
    except Refused as refused:
        raise Refused(422, "Device Certificates/Invalid Data", refused.message) from None
    fingerprint = certificate.fingerprint(SHA1()).hex()  # noqa: S303  the platform's own key for certificates
    if platform.store.setting(_KIND, fingerprint) is not None:
        raise Refused(
            409, "Device Certificates/Duplicate", f"Certificate with fingerprint {fingerprint} already exists"
        )
    kept = {
        "fingerprint": fingerprint,
        "name": body.get("name") or certificate.subject.rfc4514_string(),
        "status": body["status"],
        "autoRegistrationEnabled": bool(body.get("autoRegistrationEnabled", False)),
        "certInPemFormat": _pem(str(body["certInPemFormat"])),
        "issuer": certificate.issuer.rfc4514_string(),
        "subject": certificate.subject.rfc4514_string(),
        "serialNumber": str(certificate.serial_number),
        "algorithmName": str(certificate.signature_algorithm_oid.dotted_string),
        "version": 3,
        "notBefore": format_time(_milliseconds(certificate.not_valid_before_utc)),
        "notAfter": format_time(_milliseconds(certificate.not_valid_after_utc)),
        "proofOfPossessionValid": True,
    }
    _keep(platform, kept)
    document = rendered(call, kept)
    return call.made("", document, document["self"])


def _keep(platform: Platform, kept: dict[str, Any]) -> None:
    trust = platform.service.trust
    if trust is not None:
        try:
            change = trust.add if kept["status"] == "ENABLED" else trust.remove
            change(kept["certInPemFormat"])
        except CertificateError as error:
            raise Refused(422, "Device Certificates/Invalid Data", str(error)) from None
    platform.store.set(_KIND, kept["fingerprint"], kept)


def _kept(platform: Platform, fingerprint: str) -> dict[str, Any]:
    found: dict[str, Any] | None = platform.store.setting(_KIND, fingerprint)
    if found is None:
        raise Refused(404, "Device Certificates/Not Found", f"Certificate {fingerprint} not found")
    return found


def get_certificate(platform: Platform, call: Call, tenant: str, fingerprint: str) -> Answer:
    """GET of one trusted certificate."""
    _tenant(call, tenant)
    platform.access.need(call.user, "ROLE_TENANT_MANAGEMENT_READ", "ROLE_TENANT_ADMIN")
    return Answer(body=rendered(call, _kept(platform, fingerprint)), kind="")


def update_certificate(platform: Platform, call: Call, tenant: str, fingerprint: str) -> Answer:
    """PUT: name, status ENABLED or DISABLED, automatic registration."""
    _tenant(call, tenant)
    platform.access.need(call.user, "ROLE_TENANT_MANAGEMENT_ADMIN", "ROLE_TENANT_ADMIN")
    body, kept = call.document(), _kept(platform, fingerprint)
    kept |= {name: body[name] for name in ("name", "status", "autoRegistrationEnabled") if name in body}
    _keep(platform, kept)
    return call.changed("", rendered(call, kept))


def delete_certificate(platform: Platform, call: Call, tenant: str, fingerprint: str) -> Answer:
    """DELETE: trust it no longer."""
    _tenant(call, tenant)
    platform.access.need(call.user, "ROLE_TENANT_MANAGEMENT_ADMIN", "ROLE_TENANT_ADMIN")
    kept = _kept(platform, fingerprint)
    if platform.service.trust is not None:
        platform.service.trust.remove(kept["certInPemFormat"])
    platform.store.unset(_KIND, fingerprint)
    return done()


# the token


def access_token(platform: Platform, call: Call) -> Answer:
    """POST /devicecontrol/deviceAccessToken on the port for client certificates."""
    platform.need_edition("2025")
    if call.is_main or not call.peer:
        raise Refused(404, "Not Found", "This feature is disabled, please contact system administrator.")
    leaf = _certificate(call.peer[0])
    header = call.headers.get("x-ssl-cert-chain", "")
    chain = [_certificate(one.group(0)) for one in _PEM.finditer(header)]
    if header.strip() and not chain:
        raise Refused(
            400, "Device Certificates/Bad Request", "Cannot parse X509 certificate. : Incomplete data"
        )
    anchor = _anchor(platform, [leaf, *(one for one in chain if one != leaf)])
    names = leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if not names or not str(names[0].value):
        raise Refused(422, "Invalid Data", "Cannot process certificate data.")
    name = str(names[0].value)
    user = platform.directory.user(TENANT, f"device_{name}") or platform.directory.user(TENANT, name)
    if user is None:
        if not anchor["autoRegistrationEnabled"]:
            error = "Auto registeration is failed for device/Unprocessable Entity"
            raise Refused(422, error, f"Device {name} is not registered, and the certificate registers none")
        platform.directory.device_user(name)
        user = platform.directory.user(TENANT, name)
    if user is None:
        raise Refused(422, "Invalid Data", "Cannot process certificate data.")
    token = issue_token(platform, call, user, seconds=_life(platform))
    answer = {"accessToken": token, "idToken": None, "expiresIn": None, "refreshToken": None, "info": None}
    return Answer(body=answer, content_type=JSON)


def _life(platform: Platform) -> float:
    """Seconds that a device's token lives: a tenant option, at least five minutes."""
    option = platform.store.setting("option", "oauth.internal/device-token.lifespan.seconds")
    value = str(option["value"]) if option else ""
    return max(_LIFE_LEAST, int(value)) if value.isdigit() else _LIFE_DEFAULT


def _anchor(platform: Platform, chain: list[x509.Certificate]) -> dict[str, Any]:
    """The trusted certificate under which a chain, its leaf first, stands; 401 when there is none."""
    every: list[dict[str, Any]] = list(platform.store.settings(_KIND).values())
    trusted = [kept for kept in every if kept["status"] == "ENABLED"]
    now = datetime.fromtimestamp(platform.now() / 1000, UTC)
    for place, one in enumerate(chain):
        if not one.not_valid_before_utc <= now <= one.not_valid_after_utc:
            break
        for kept in trusted:
            root = _certificate(kept["certInPemFormat"])
            if root == one or _issued(one, root):
                return kept
        if place + 1 < len(chain) and not _issued(one, chain[place + 1]):
            break
    raise Refused(401, "security/Unauthorized", "Invalid certificate chain!")


def _issued(one: x509.Certificate, by: x509.Certificate) -> bool:
    """Whether one certificate carries another one's signature."""
    try:
        one.verify_directly_issued_by(by)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


_LIST = "/tenant/tenants/{tenant}/trusted-certificates"
ROUTES = (
    ("GET", _LIST, list_certificates),
    ("POST", _LIST, create_certificate),
    ("GET", _LIST + "/{fingerprint}", get_certificate),
    ("PUT", _LIST + "/{fingerprint}", update_certificate),
    ("DELETE", _LIST + "/{fingerprint}", delete_certificate),
    ("POST", "/devicecontrol/deviceAccessToken", access_token),
)
