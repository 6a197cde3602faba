"""What a platform offers that tells of new data by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import pandas as pd

News = tuple[str, pd.DataFrame]
"""A verb, and rows of its table."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be told: of which devices (None: all), which series (None: all), which verbs.

    `inbox` is an `iotnb.Inbox` of the user's, `address` the public URL under which a cloud reaches it.
    """

    devices: list[str] | None
    series: list[str] | None
    verbs: tuple[str, ...]
    inbox: Any = None
    address: str = ""

    def of_device(self, device: object) -> bool:
        """Whether a device was asked for."""
        return self.devices is None or device in self.devices


class Push(Protocol):
    """A running subscription. All calls come from one thread, but for `stop`, which may come from another.

    `way` names it in words, `verbs` are those that it tells of. `losses` counts what may have been missed:
    when it grows, the verbs are asked. `heard` grows whenever everything that happened before is known to
    have been told. `trouble` says why it is not connected now. `doubtful` says that single messages may
    vanish without a sign, so that the verbs are asked from time to time all the same.
    """

    way: str
    verbs: frozenset[str]
    doubtful: bool

    def start(self) -> None:
        """Subscribes; raises IotnbError when the platform does not grant it."""

    def take(self, timeout: float) -> list[News]:
        """What has come, all of it; waits up to `timeout` seconds for the first. Raises what ended it."""

    @property
    def losses(self) -> int:
        """How often something may have been missed."""

    @property
    def heard(self) -> float:
        """A number that grows with each sign that nothing is outstanding."""

    @property
    def trouble(self) -> str:
        """Why it is not connected; empty while it is."""

    def stop(self) -> None:
        """Unsubscribes; nothing of it runs afterwards. Stopping twice does no harm."""
