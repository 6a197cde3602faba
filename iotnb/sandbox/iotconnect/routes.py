"""One endpoint: method and path, the section that roles are checked for, the editions that have it."""

from collections.abc import Callable
from typing import NamedTuple

from iotnb.sandbox.iotconnect.wire import Answer

Handler = Callable[..., Answer]
ALL = frozenset({"aws", "az", "v1.1"})
AWS, AZ, OLD = frozenset({"aws"}), frozenset({"az"}), frozenset({"v1.1"})


class Route(NamedTuple):
    """One endpoint below the prefixes; handlers take the platform, the call and the path's values."""

    method: str
    path: str
    handler: Handler
    section: str
    """A word for people, and what roles are checked for; "" needs no token."""
    editions: frozenset[str] = ALL
    writes: bool = False
    """Whether a role that only reads is refused."""
