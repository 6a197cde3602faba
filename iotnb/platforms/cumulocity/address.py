"""The address of a tenant, as people write it and as requests need it."""

from __future__ import annotations

from iotnb import transport


def base_url(text: str, *, name: str = "base_url", verify: bool | str = True) -> str:
    """The address of a tenant as `https://host[:port]`: scheme added, path and slash dropped.

    `name` is the field that it came from. Raises ConfigError, also for `http://` to another machine.
    """
    return transport.server(
        text,
        name=name,
        example="https://mytenant.cumulocity.com",
        credentials="username=... and password=...",
        verify=verify,
    ).url
