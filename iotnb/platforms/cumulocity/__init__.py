"""Cumulocity: its client, its REST API, real-time notifications and the life of a device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iotnb.platforms import lazily

if TYPE_CHECKING:
    from iotnb.platforms.cumulocity.client import Cumulocity
    from iotnb.platforms.cumulocity.device import LATER, Device
    from iotnb.platforms.cumulocity.realtime import Notice, Notifications

__all__ = ["LATER", "Cumulocity", "Device", "Notice", "Notifications"]

# the login's fields (auth) are known without the client and the pandas that it needs
__getattr__ = lazily(
    __name__,
    {
        "Cumulocity": "client",
        "Device": "device",
        "LATER": "device",
        "Notice": "realtime",
        "Notifications": "realtime",
    },
)
