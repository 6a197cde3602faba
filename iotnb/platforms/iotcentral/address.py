"""The addresses of Azure IoT Central, as people paste them and as requests need them."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from iotnb import transport

MANAGEMENT = "https://management.azure.com"
LOGIN = "https://login.microsoftonline.com"
PROVISIONING = "https://global.azure-devices-provisioning.net"
DOMAIN = "azureiotcentral.com"


def checked(text: str, *, name: str, verify: bool | str = True) -> str:
    """An address as `https://host[:port]`: scheme added, path dropped.

    `name` is the field that it came from. Raises ConfigError, also for `http://` to another machine.
    """
    return _server(text, name=name, verify=verify).url


def application(text: str, *, verify: bool | str = True) -> str:
    """The address of an application; its bare subdomain (`my-app`) will do too."""
    name = text.strip()
    if re.fullmatch(r"(?!-)[A-Za-z0-9-]+", name) and name.lower() != "localhost":
        name = f"{name}.{DOMAIN}"
    found = _server(name, name="app_url", verify=verify)
    # a sandbox serves several applications from one address, each below a path of its own
    return found.url + found.path.rstrip("/") if local(found.url) else found.url


def local(url: str) -> bool:
    """Whether an address is on this machine, as that of a sandbox is; not what is no address at all."""
    try:
        return transport.loopback(urlsplit(url).hostname)
    except ValueError:
        return False


def _server(text: str, *, name: str, verify: bool | str) -> transport.Server:
    return transport.server(
        text, name=name, example="https://host", credentials="tokens in their own fields", verify=verify
    )
