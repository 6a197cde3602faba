"""T IoT Hub: its client, its two APIs (oneM2M device management, connection management), its tables."""

from __future__ import annotations

from iotnb.platforms.tiothub.api import device
from iotnb.platforms.tiothub.client import TIoTHub
from iotnb.platforms.tiothub.tables import read_csv

__all__ = ["TIoTHub", "device", "read_csv"]
