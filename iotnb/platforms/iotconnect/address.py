"""Where IoTConnect answers: the address of discovery, and base URLs of its modules by edition."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from iotnb import transport
from iotnb.errors import ConfigError

DISCOVERY = "https://discovery.iotconnect.io"


@dataclass(frozen=True)
class Edition:
    """One generation of the platform: what discovery is asked for, and the version in its base URLs."""

    name: str
    version: str
    query: tuple[tuple[str, str], ...] = ()


EDITIONS = {
    "aws": Edition("aws", "v2.1", (("version", "2.1"), ("pf", "aws"))),
    "az": Edition("az", "v2", (("version", "2"), ("pf", "az"))),
    "v1.1": Edition("v1.1", "v1.1"),
}
"""By name: today's platform on AWS and on Azure, and the generation of 2020."""

MODULES = {
    "auth": (),
    "device": (),
    "user": (),
    "telemetry": (),
    "firmware": (),
    "event": (),
    "template": ("device",),
    "templateAttribute": ("template", "device"),
    "templateSetting": ("template", "device"),
    "templateCommand": ("template", "device"),
    "rule": ("device",),
    "entity": ("user",),
    "role": ("user",),
    "firmwareUpgrade": ("firmware",),
    "firmwareOTAUpdate": ("firmware",),
}
"""The modules that are spoken to, each with those that answer for it when it has no address of its own."""


def checked(text: str, *, name: str, verify: bool | str = True) -> str:
    """An address with its scheme, without query and trailing slash.

    `name` is the field that it came from. Raises ConfigError, also for `http://` to another machine.
    """
    found = transport.server(
        text,
        name=name,
        example="https://host/api/v2",
        credentials="username=... and password=...",
        verify=verify,
    )
    return found.url + re.sub(r"/{2,}", "/", found.path).rstrip("/")


def versioned(url: str, module: str, edition: Edition) -> str:
    """A base URL with its version: that of 2020 ends before it, and its login is one version further."""
    if re.search(r"/api(/|$)", urlsplit(url).path):
        return url
    return f"{url}/api/{'v2' if module == 'auth' and edition.name == 'v1.1' else edition.version}"


def local(url: str) -> bool:
    """Whether an address is on this machine, as that of a sandbox is."""
    return transport.loopback(urlsplit(url).hostname)


def segment(value: object, *, what: str = "an identifier") -> str:
    """One path segment, percent-encoded; a colon stays, as the platform's documents write times.

    Raises ConfigError if it is empty.
    """
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not text.strip() or text in {".", ".."}:
        raise ConfigError(f"{value!r} cannot be {what}: give it as text")
    return quote(text, safe=":")
