"""The address of a tenant, as people write it and as requests need it."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from iotnb.errors import ConfigError


def base_url(text: str, *, verify: bool | str = True) -> str:
    """The address of a tenant as `https://host[:port]`: scheme added, path and slash dropped.

    Credentials must not travel in clear: `http://` is for this machine only (where it is also the default),
    unless `verify=False` says that the transport need not be trusted. Raises ConfigError.
    """
    address = text.strip()
    if "://" not in address:
        address = ("http://" if _loopback(urlsplit(f"//{address}").hostname) else "https://") + address
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if not re.fullmatch(r"[A-Za-z0-9._:-]+", host) or parts.scheme not in {"http", "https"}:
        raise ConfigError(f"base_url={text!r} is no address: write it as https://mytenant.cumulocity.com")
    if parts.username is not None or parts.password is not None:
        raise ConfigError("base_url must not hold a user or password: give username=... and password=...")
    if parts.scheme == "http" and not _loopback(host) and verify is not False:
        raise ConfigError(
            f"base_url={text!r} would send the password in clear over the network: write https://{host}. "
            "For a test server without TLS on another machine pass verify=False as well."
        )
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}" + (f":{port}" if port else "")


def _loopback(host: str | None) -> bool:
    if host is None:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
