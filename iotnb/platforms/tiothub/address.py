"""The three addresses of T IoT Hub, as people paste them and as requests need them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from iotnb import transport
from iotnb.errors import ConfigError

DMO = "device-management-orchestrator"
CMO = "connection-management-orchestrator"
VERSIONS = {DMO: "v3", CMO: "v5"}
NAME = re.compile(r"[0-9A-Za-z_.~:-]+")


@dataclass(frozen=True)
class Api:
    """One API of a tenant: `root` is the address above the tenant, without a slash at its end."""

    root: str
    tenant: str

    @property
    def url(self) -> str:
        """The address of the tenant itself."""
        return f"{self.root}/{self.tenant}"


def checked(text: str, *, name: str, verify: bool | str = True) -> str:
    """An address with its scheme, without query and trailing slash.

    `name` is the field that it came from. Raises ConfigError, also for `http://` to another machine.
    """
    found = transport.server(
        text,
        name=name,
        example="https://host/path",
        credentials="client_id=... and client_secret=...",
        verify=verify,
    )
    return found.url + re.sub(r"/{2,}", "/", found.path).rstrip("/")


def origin(url: str) -> str:
    """Scheme, host and port of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def api(address: str, tenant: str, *, part: str, name: str, whole: bool = False) -> Api | None:
    """Where an API of a tenant answers; None when neither the address nor `tenant` says which tenant.

    `address` is the full address with the tenant at its end, the one above it, or host and prefix only.
    `part` is DMO or CMO. `whole`: the last element of the path is the tenant, whatever stands before it.
    Raises ConfigError when the address names another tenant than `tenant`.
    """
    if tenant and not NAME.fullmatch(tenant):
        raise ConfigError(f"tenant={tenant!r} is no tenant name: it is one word, such as 'eos'")
    head, found, tail = address.partition(f"/{part}")
    last = address.rpartition("/")[2] if urlsplit(address).path else ""
    if found:
        root, given = _split(head + found, tail.strip("/"), part)
    elif last and (whole or last == tenant):
        root, given = address.rpartition("/")[0], last
    elif whole:
        root, given = address, ""
    else:
        root, given = f"{_prefixed(address)}/{part}/{VERSIONS[part]}", ""
    if given and tenant and given != tenant:
        raise ConfigError(
            f"{name} ends in the tenant {given!r}, but tenant={tenant!r}: leave one of them out"
        )
    return Api(root, given or tenant) if given or tenant else None


def _split(head: str, tail: str, part: str) -> tuple[str, str]:
    """The root and the tenant (or "") from what stands before and behind the name of the API."""
    elements = [each for each in tail.split("/") if each and each != "~"]
    if elements and re.fullmatch(r"v\d+", elements[0]):
        version = elements.pop(0)
        return f"{head}/{version}", elements[0] if elements else ""
    if elements:  # the links that the platform prints lack the version
        return head, elements[0]
    return f"{head}/{VERSIONS[part]}", ""


def _prefixed(address: str) -> str:
    """Host and prefix of the API's gateway: the portal of 2023 keeps it under `/api-gw`."""
    parts = urlsplit(address)
    if not parts.path and re.fullmatch(r"(?:[\w-]+\.)*myiot-[a-z]+\.com", parts.hostname or ""):
        return f"{address}/api-gw"
    return address
