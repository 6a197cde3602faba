"""Platform configuration (general and Android's, with its license), and the certificate service."""

from typing import Any

from iotnb.sandbox.wso2.routes import ANDROID_MGT, CERTIFICATE_MGT, MGT, Handler, routes
from iotnb.sandbox.wso2.state import Platform
from iotnb.sandbox.wso2.wire import TEXT, Answer, Call, Refused, page_of, problem

Json = dict[str, Any]
_LICENSE = "This sandbox device agent comes without any warranty."
_DEFAULTS: dict[str, list[Json]] = {
    "general": [{"name": "notifierFrequency", "contentType": "text", "value": "3600"}],
    "android": [
        {"name": "notifierType", "contentType": "text", "value": "1"},
        {"name": "notifierFrequency", "contentType": "text", "value": "60"},
        {"name": "androidEula", "contentType": "text", "value": _LICENSE},
    ],
}
_MOST = 100_000  # certificates on a page


def _entries(platform: Platform, kind: str) -> list[Json]:
    found: list[Json] | None = platform.configuration.get(kind)
    return _DEFAULTS[kind] if found is None else found


def _get(kind: str) -> Handler:
    """GET: `{"type", "configuration": [...]}`."""

    def handler(platform: Platform, _call: Call) -> Answer:
        return Answer(body={"type": kind, "configuration": _entries(platform, kind)})

    return handler


def _set(kind: str) -> Handler:
    """PUT: replaces the entries."""

    def handler(platform: Platform, call: Call) -> Answer:
        listed = call.document().get("configuration")
        if not isinstance(listed, list) or not all(isinstance(one, dict) and "name" in one for one in listed):
            raise problem(400, "The payload of the configuration is incorrect")
        platform.configuration.put(kind, listed)
        return Answer(200, "Configuration has been updated successfully.")

    return handler


def license_text(platform: Platform, _call: Call) -> Answer:
    """GET /configuration/license: plain text."""
    entries = {one["name"]: one.get("value") for one in _entries(platform, "android")}
    return Answer(200, str(entries.get("androidEula") or "").encode(), content_type=TEXT)


# certificates


def add_certificates(platform: Platform, call: Call) -> Answer:
    """POST /admin/certificates with `[{"serial", "pem"}]`."""
    sent = call.array()
    if not sent or not all(isinstance(one, dict) and one.get("serial") and one.get("pem") for one in sent):
        raise problem(400, "Each certificate needs a serial and a pem")
    for one in sent:
        held = {"serialNumber": str(one["serial"]), "tenantId": -1234, "commonName": str(one["serial"])}
        platform.certificates.put(str(one["serial"]), {**held, "certificate": str(one["pem"])})
    return Answer(201, "Added successfully.")


def list_certificates(platform: Platform, call: Call) -> Answer:
    """GET /admin/certificates: a page of up to 100,000."""
    page = page_of(call, platform.switches.default_page, most=_MOST)
    found = platform.certificates.values()
    return Answer(body={"certificates": page.of(found), "count": len(found)})


def get_certificate(platform: Platform, _call: Call, serial: str) -> Answer:
    """GET /admin/certificates/{serial}: an array, empty for an unknown one."""
    found = platform.certificates.get(serial)
    return Answer(body=[] if found is None else [found])


def remove_certificate(platform: Platform, _call: Call, serial: str) -> Answer:
    """DELETE /admin/certificates/{serial}."""
    if not platform.certificates.drop(serial):
        raise Refused(404)
    return Answer(body=True)


def verify(platform: Platform, call: Call) -> Answer:
    """POST /admin/certificates/verify/android `{"pem"}`: whether it is one of those kept."""
    pem = call.document().get("pem")
    if not isinstance(pem, str):
        raise problem(400, "The pem is missing")
    known = {one["certificate"].strip() for one in platform.certificates.values()}
    return Answer(body="valid" if pem.strip() in known else "invalid")


ROUTES = [
    *routes(
        f"{MGT}/configuration",
        ("GET", "", _get("general"), "view-configuration"),
        ("PUT", "", _set("general"), "manage-configuration"),
    ),
    *routes(
        f"{ANDROID_MGT}/configuration",
        ("GET", "", _get("android"), "android:view-configuration"),
        ("PUT", "", _set("android"), "android:manage-configuration"),
        ("GET", "/license", license_text, "android:enroll"),
    ),
    *routes(
        f"{CERTIFICATE_MGT}/admin/certificates",
        ("POST", "", add_certificates, "admin:certificates:add"),
        ("GET", "", list_certificates, "admin:certificates:view"),
        ("GET", "/{serial}", get_certificate, "admin:certificates:details"),
        ("DELETE", "/{serial}", remove_certificate, "admin:certificates:delete"),
        ("POST", "/verify/android", verify, "admin:certificates:verify"),
    ),
]
