"""Azure IoT Central: its client, its REST API, the phone of its tutorial, and an archive of what it holds."""

from __future__ import annotations

from iotnb.platforms.iotcentral.archive import Archive
from iotnb.platforms.iotcentral.client import IotCentral
from iotnb.platforms.iotcentral.device import PHONE, Phone, derive_key

__all__ = ["PHONE", "Archive", "IotCentral", "Phone", "derive_key"]
