"""What this client has sent to devices, with the times that the platform does not keep."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from iotnb import times
from iotnb.errors import IotnbError

KEPT = 10_000


@dataclass
class Entry:
    """One command or property write: what was sent, when, and what came back.

    `kind` is command or property, `status` that of the HTTP answer (None: no answer came), `result` the
    answer's document, `failure` why it failed.
    """

    kind: str
    device: str
    name: str
    component: str
    module: str
    payload: Any
    sent: datetime
    finished: datetime | None = None
    status: int | None = None
    result: dict[str, Any] = field(default_factory=dict)
    failure: str = ""


class Journal:
    """The last 10,000 commands and property writes of one client, oldest first."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._lock = threading.Lock()

    @contextmanager
    def write(
        self, kind: str, device: str, name: str, component: str, module: str, payload: Any
    ) -> Iterator[Entry]:
        """Notes what is sent in this block, also when it fails."""
        entry = Entry(kind, device, name, component, module, payload, times.now())
        with self._lock:
            self._entries.append(entry)
        try:
            yield entry
        except IotnbError as error:
            entry.failure = str(error).splitlines()[0]
            raise
        finally:
            entry.finished = times.now()

    def __iter__(self) -> Iterator[Entry]:
        with self._lock:
            return iter(list(self._entries))

    def __len__(self) -> int:
        return len(self._entries)
