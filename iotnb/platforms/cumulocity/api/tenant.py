"""Tenant: where one is, how one may log in, options, retention rules and trusted certificates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from iotnb.platforms.cumulocity.api.chapter import (
    PAGE_SIZE,
    Chapter,
    Collection,
    Document,
    Documents,
    document,
    media,
    segment,
)

OPTION = media("option")


class Tenant(Chapter):
    """`/tenant`."""

    def current(self) -> Document:
        """The tenant of the login: `name` is its id, `domainName` its domain."""
        return document(self._get("/tenant/currentTenant", accept=media("currenttenant")))

    def login_options(self, *, tenant: str = "") -> Documents:
        """The ways to log in that the tenant offers; needs no authentication and sends none."""
        path = "/tenant/loginOptions" + (f"?tenantId={segment(tenant)}" if tenant else "")
        headers = {"Accept": media("loginoptioncollection")}
        found: Documents = document(self._session.get(path, headers=headers, auth=False))["loginOptions"]
        return found

    # -- options

    def options(self) -> Iterator[Document]:
        """All options of the tenant as `category`, `key`, `value`."""
        pages = self._walk(
            "/tenant/options", "options", {"pageSize": PAGE_SIZE}, accept=media("optioncollection")
        )
        for page in pages:
            yield from page.items

    def option(self, category: str, key: str) -> Document:
        """One option; NotFound if it is not set."""
        return document(self._get(_option(category, key), accept=OPTION))

    def find_option(self, category: str, key: str) -> Document | None:
        """One option, or None if it is not set."""
        return self._find(_option(category, key), accept=OPTION)

    def create_option(self, option: Mapping[str, str]) -> Document:
        """Sets an option given as `category`, `key`, `value`; the platform answers 200 here."""
        return self._send("POST", "/tenant/options", dict(option), content=OPTION, accept=OPTION)

    def update_option(self, category: str, key: str, value: str) -> Document:
        """Changes an option."""
        return self._send("PUT", _option(category, key), {"value": value}, accept=OPTION)

    def delete_option(self, category: str, key: str) -> None:
        """Removes an option, so that its default is back."""
        self._delete(_option(category, key))

    # -- certificates of those whom the tenant trusts to make device certificates

    def trusted_certificates(self, tenant: str) -> Iterator[Document]:
        """The certificates of the authorities whose devices may log in."""
        for page in self._walk(_certificates(tenant), "certificates", {"pageSize": PAGE_SIZE}):
            yield from page.items

    def trusted_certificate(self, tenant: str, fingerprint: str) -> Document:
        """One trusted certificate."""
        return document(self._get(f"{_certificates(tenant)}/{segment(fingerprint)}"))

    def create_trusted_certificate(self, tenant: str, certificate: Mapping[str, Any]) -> Document:
        """Uploads one: `name`, `status`, `autoRegistrationEnabled`, `certInPemFormat`; Conflict if known."""
        return self._send("POST", _certificates(tenant), dict(certificate))

    def update_trusted_certificate(
        self, tenant: str, fingerprint: str, changes: Mapping[str, Any]
    ) -> Document:
        """Changes a trusted certificate, for example `{"status": "DISABLED"}`."""
        return self._send("PUT", f"{_certificates(tenant)}/{segment(fingerprint)}", dict(changes))

    def delete_trusted_certificate(self, tenant: str, fingerprint: str) -> None:
        """Removes a trusted certificate: its devices cannot log in any more."""
        self._delete(f"{_certificates(tenant)}/{segment(fingerprint)}")


class Retentions(Collection):
    """`/retention/retentions`: what the platform deletes when it is `maximumAge` days old."""

    path, key, one, many = (
        "/retention/retentions",
        "retentionRules",
        "retentionrule",
        "retentionrulecollection",
    )
    filters = frozenset()


def _option(category: str, key: str) -> str:
    return f"/tenant/options/{segment(category)}/{segment(key)}"


def _certificates(tenant: str) -> str:
    return f"/tenant/tenants/{segment(tenant)}/trusted-certificates"
