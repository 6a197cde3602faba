"""IoTConnect: its client, its REST API over all modules, and commands that are followed to their end."""

from __future__ import annotations

from iotnb.platforms.iotconnect.client import IoTConnect
from iotnb.platforms.iotconnect.following import Sent

__all__ = ["IoTConnect", "Sent"]
