"""Where WSO2 IoT Server answers: its API gateway, and its own port for tokens."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from iotnb import transport

GATEWAY_PORT, CORE_PORT = 8243, 9443


@dataclass(frozen=True)
class Places:
    """`tokens` is where applications register and tokens are issued, `gateway` where the APIs are.

    `token_path` and `revoke_path` are those of the gateway, or of the server's own port 9443.
    """

    tokens: str
    gateway: str
    token_path: str = "/token"
    revoke_path: str = "/revoke"


def places(base_url: str, gateway_url: str = "", *, verify: bool | str = True) -> Places:
    """Both addresses; the APIs are at `base_url` too, unless it is the server's own port, 9443.

    Raises ConfigError for what is no address, and for `http://` to another machine.
    """
    tokens = _server(base_url, "base_url", verify)
    core = urlsplit(tokens).port == CORE_PORT
    if gateway_url:
        gateway = _server(gateway_url, "gateway_url", verify)
    elif core:
        gateway = tokens.rpartition(":")[0] + f":{GATEWAY_PORT}"
    else:
        gateway = tokens
    return Places(tokens, gateway, "/oauth2/token", "/oauth2/revoke") if core else Places(tokens, gateway)


def _server(text: str, name: str, verify: bool | str) -> str:
    found = transport.server(
        text,
        name=name,
        example=f"https://host:{GATEWAY_PORT}",
        credentials="username=... and password=...",
        verify=verify,
    )
    return found.url  # a path that was pasted belongs to one of the APIs
