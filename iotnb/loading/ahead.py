"""Pages fetched ahead: the network works on the next ones while somebody works on one."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextvars import copy_context
from typing import Final, TypeVar

T = TypeVar("T")

DEPTH: Final = 2  # pages that wait for their reader
PATIENCE: Final = 0.05  # seconds between two looks at whether the reader has gone


def ahead(pages: Iterator[T], *, depth: int = DEPTH) -> Iterator[T]:
    """The same pages in the same order, taken from `pages` on a thread of its own, `depth` of them early.

    An error of `pages` is raised after the pages before it. When the reader stops early, so does the thread,
    before the next page that it would hand over.
    """
    handed: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(depth)
    gone = threading.Event()

    def hand(page: T | None, error: BaseException | None = None) -> None:
        while not gone.is_set():
            try:
                handed.put((page, error), timeout=PATIENCE)
            except queue.Full:
                continue
            return

    def fill() -> None:
        try:
            for page in pages:
                hand(page)
                if gone.is_set():
                    return
        except BaseException as error:  # noqa: BLE001  # raised where the pages are read
            hand(None, error)
        else:
            hand(None, StopIteration())

    # in the reader's context: the stop of its load ends these requests too
    thread = threading.Thread(target=copy_context().run, args=(fill,), daemon=True, name="iotnb-ahead")
    thread.start()
    try:
        while True:
            page, error = handed.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield page  # type: ignore[misc]  # None only beside an error
    finally:
        gone.set()
