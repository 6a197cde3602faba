"""IoTConnect: its client, its REST API over all modules, and commands that are followed to their end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iotnb.platforms import lazily

if TYPE_CHECKING:
    from iotnb.platforms.iotconnect.client import IoTConnect
    from iotnb.platforms.iotconnect.following import Sent

__all__ = ["IoTConnect", "Sent"]

# the login's fields (auth) are known without the client and the pandas that it needs
__getattr__ = lazily(__name__, {"IoTConnect": "client", "Sent": "following"})
