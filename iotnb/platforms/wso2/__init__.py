"""WSO2 IoT Server: its client, its device management API, and what its scopes open."""

from __future__ import annotations

from iotnb.platforms.wso2 import scopes
from iotnb.platforms.wso2.client import WSO2

__all__ = ["WSO2", "scopes"]
