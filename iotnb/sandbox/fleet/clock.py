"""The sandbox's clock: real time by default, movable and stoppable for tests."""

import threading
import time


class Clock:
    """Milliseconds since 1970 UTC; `Clock(at)` starts at that moment, `frozen=True` stands still."""

    def __init__(self, at: int | None = None, *, frozen: bool = False) -> None:
        self._lock = threading.Lock()
        self._offset = 0
        self._frozen: int | None = None
        if at is not None:
            self.set(at)
        if frozen:
            self.freeze()

    def now(self) -> int:
        """The present, in milliseconds."""
        with self._lock:
            return self._now()

    def _now(self) -> int:
        return self._frozen if self._frozen is not None else time.time_ns() // 1_000_000 + self._offset

    @property
    def frozen(self) -> bool:
        """True while the clock stands still."""
        return self._frozen is not None

    def set(self, ms: int | None) -> None:
        """Move to a moment (a running clock runs on, a frozen one stays frozen); None: real time."""
        with self._lock:
            if ms is None:
                self._offset, self._frozen = 0, None
            elif self._frozen is not None:
                self._frozen = ms
            else:
                self._offset += ms - self._now()

    def advance(self, ms: int) -> None:
        """Move forward (or back, if negative)."""
        with self._lock:
            if self._frozen is not None:
                self._frozen += ms
            else:
                self._offset += ms

    def freeze(self) -> None:
        """Stand still at the present moment."""
        with self._lock:
            self._frozen = self._now()

    def resume(self) -> None:
        """Run on from the moment at which the clock stands."""
        with self._lock:
            if self._frozen is not None:
                at, self._frozen = self._frozen, None
                self._offset += at - self._now()
