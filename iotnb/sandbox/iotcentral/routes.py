"""Routes: methods and paths of the planes, and what they need."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from iotnb.sandbox.iotcentral.wire import Answer

Handler = Callable[..., Answer | Awaitable[Answer]]


class Route(NamedTuple):
    """One endpoint of the data plane: the right that it needs and whether it is in the preview only."""

    method: str
    path: str
    handler: Handler
    need: str = "read"
    preview: bool = False
