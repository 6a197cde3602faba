"""T IoT Hub: its client, its two APIs (oneM2M device management, connection management), its tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iotnb.platforms import lazily

if TYPE_CHECKING:
    from iotnb.platforms.tiothub.api import device
    from iotnb.platforms.tiothub.client import TIoTHub
    from iotnb.platforms.tiothub.tables import read_csv

__all__ = ["TIoTHub", "device", "read_csv"]

# the login's fields (auth) are known without the client and the pandas that it needs
__getattr__ = lazily(__name__, {"TIoTHub": "client", "device": "api", "read_csv": "tables"})
