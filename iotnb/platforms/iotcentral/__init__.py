"""Azure IoT Central: its client, its REST API, the phone of its tutorial, and an archive of what it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iotnb.platforms import lazily

if TYPE_CHECKING:
    from iotnb.platforms.iotcentral.archive import Archive
    from iotnb.platforms.iotcentral.client import IotCentral
    from iotnb.platforms.iotcentral.device import PHONE, Phone, derive_key

__all__ = ["PHONE", "Archive", "IotCentral", "Phone", "derive_key"]

# the login's fields (auth) are known without the client and the pandas that it needs
__getattr__ = lazily(
    __name__,
    {
        "Archive": "archive",
        "IotCentral": "client",
        "PHONE": "device",
        "Phone": "device",
        "derive_key": "device",
    },
)
