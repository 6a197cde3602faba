"""WSO2 IoT Server: its client, its device management API, and what its scopes open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iotnb.platforms import lazily

if TYPE_CHECKING:
    from iotnb.platforms.wso2 import scopes
    from iotnb.platforms.wso2.client import WSO2

__all__ = ["WSO2", "scopes"]

# the login's fields (auth) are known without the client and the pandas that it needs
__getattr__ = lazily(__name__, {"WSO2": "client", "scopes": ""})
