"""Work that is done once per item: many devices at once, results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from iotnb import errors
from iotnb.loading.crew import Crew
from iotnb.loading.load import CANCELLED, Load

Item = TypeVar("Item")
Result = TypeVar("Result")

FATAL = (errors.Unauthorized, errors.ForeignHost, errors.ConfigError, errors.Unsupported)
"""What would meet every other item as well: it ends the load instead of leaving a gap."""


def each(items: Sequence[Item], fn: Callable[[Item], Iterable[Result]], load: Load) -> list[Result]:
    """All that `fn` yields for every item, in the order of the items; up to `load.workers` at once.

    An item that fails becomes a gap; what it had yielded before stays. When no item succeeds the first
    error itself is raised, and so is at once what would meet them all (no login, a foreign host). When the
    load is stopped, what came is returned and every item that was not finished is a gap.
    """
    results: list[list[Result]] = [[] for _ in items]
    waiting = deque(range(len(items)))
    unfinished = set(waiting)
    failures: list[tuple[int, errors.IotnbError]] = []
    load.begin(len(items))

    def carry(place: int) -> None:
        try:
            with crew.place():
                _collect(items[place], fn, load, results[place])
        except errors.Stopped:
            raise
        except FATAL:
            raise
        except errors.IotnbError as error:
            with crew.lock:
                if crew.ended():
                    return
                unfinished.discard(place)
                failures.append((place, error))
            load.count(items=1)
        else:
            with crew.lock:
                if crew.ended():
                    return
                unfinished.discard(place)
            load.count(items=1)
            crew.measured(wait=1.0, work=1e-3)

    crew: Crew[int] = Crew(load, lambda: waiting.popleft() if waiting else None, carry)
    if items:
        crew.run(start=load.workers)
    failures.sort(key=lambda each: each[0])
    if failures and len(failures) == len(items):
        raise failures[0][1]
    for place, error in failures:
        load.gap(str(items[place]), reason=error)
    for place in sorted(unfinished):
        load.gap(str(items[place]), reason=CANCELLED)
    return [result for found in results for result in list(found)]


def _collect(item: Item, fn: Callable[[Item], Iterable[Result]], load: Load, found: list[Result]) -> None:
    """Runs `fn` to its end; after a login that expired it starts over when somebody logs in again."""
    while True:
        found.clear()
        login = load.login
        try:
            for result in fn(item):
                found.append(result)
                if load.stop.is_set():
                    raise errors.Stopped("stopped between two pages")
        except errors.Unauthorized as error:
            if not load.hold(error, login=login):
                raise
        else:
            return
