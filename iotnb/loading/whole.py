"""Collections that cannot be asked for a window of time: read whole, one source at a time on each worker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

from iotnb.frames import Columns
from iotnb.loading.items import each
from iotnb.loading.load import Load
from iotnb.loading.reader import Sink, Span
from iotnb.times import Window


@runtime_checkable
class Whole(Protocol):
    """One platform's way to read a collection that it cannot narrow to a window."""

    def read(self, source: str, window: Window, load: Load) -> Iterator[Columns]:
        """The rows of a source in [start, end); counts its pages, and notes gaps where it sees them."""
        ...


def whole(reader: Whole, sources: Sequence[str], window: Window, load: Load) -> list[Columns]:
    """All rows of the sources in the window, in the order of the sources; a source that fails is a gap."""
    return each(sources, lambda source: reader.read(source, window, load), load)


def whole_landing(reader: Whole, spans: Sequence[Span], load: Load, sink: Sink) -> None:
    """The same for windows that differ from source to source; each goes to the sink when it is complete."""

    def read(span: Span) -> Iterator[None]:
        chunks = list(reader.read(span.source, span.window, load))
        if not any(gap["item"] == span.source for gap in list(load.gaps)):
            sink.land(span.source, span.window.start, span.window.end, chunks)
        yield None

    each(spans, read, load)
