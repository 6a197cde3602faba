"""How measurements come: straight from the server, or through an archive that keeps what came."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

import numpy as np
import pandas as pd

from iotnb import frames, loading, storage
from iotnb.frames import Columns
from iotnb.hooks import Hooks
from iotnb.loading import Load, Span
from iotnb.storage import Identity, Target, Writer
from iotnb.times import Interval, Window

SLICE: Final = timedelta(
    days=1
)  # what is read at once from a platform that answers for many devices together


@dataclass(frozen=True)
class Question:
    """What was asked of `measurements`; `step` is the interval to reduce to, `devices` None means all."""

    devices: list[str] | None
    series: list[str] | None
    window: Window
    step: Interval | None
    function: str

    def options(self, window: Window | None = None) -> dict[str, Any]:
        """The arguments that hooks share."""
        return {"series": self.series, "function": self.function, "window": window or self.window}


class Measuring(Hooks):
    """The verb `measurements` behind its arguments."""

    def _measured(self, load: Load, asked: Question) -> pd.DataFrame:
        """The table, read from the server."""
        sources = self._identifiers(load, asked.devices)
        step = self._step(load, sources, asked)
        reader = self._reader(load, sources, aggregate=step, **asked.options())
        if isinstance(reader, loading.Whole):
            chunks = loading.whole(reader, sources, asked.window, load)
        else:
            chunks = loading.windows(reader, self._parts(reader, sources), asked.window, load)
        return _reduced(load, frames.measurements(chunks), asked, step)

    def _archived(
        self,
        load: Load,
        asked: Question,
        target: Target,
        identity: Identity,
        note: Callable[[], Mapping[str, Any]],
    ) -> pd.DataFrame:
        """The table, read from an archive after what it lacks was fetched from the server."""
        sources = self._identifiers(load, asked.devices)
        step = self._step(load, sources, asked)
        identity = replace(
            identity,
            series=asked.series,
            aggregate=None if step is None else str(step),
            function=None if step is None else asked.function,
            late=target.late,
            partition=target.partition,
            buckets=storage.buckets(len(sources)),
        )
        with storage.writing(target.folder, identity) as archive:
            load.peek = lambda: archive.frame(sources, asked.window)
            try:
                self._fill(load, archive, sources, asked, step)
                archive.flush()
                for device, count in archive.undated.items():
                    load.gap(
                        device,
                        reason=f"{count} rows without a readable time: an archive has no place for them",
                    )
                archive.record(note())
                frame = archive.frame(sources if target.read else [], asked.window)
            finally:
                load.peek = None
        return _reduced(load, frame, asked, step)

    def _fill(
        self, load: Load, archive: Writer, sources: Sequence[str], asked: Question, step: Interval | None
    ) -> None:
        """Fetches what the archive lacks of the question."""
        spans = [Span(device, each) for device in sources for each in archive.missing(device, asked.window)]
        wanted = list(dict.fromkeys(span.source for span in spans))
        if not wanted:
            load.note("everything came from the archive")
            return
        reader = self._reader(load, wanted, aggregate=step, **asked.options())
        if isinstance(reader, loading.Whole):
            loading.whole_landing(reader, spans, load, archive)
        elif self._parts(reader, wanted) is wanted:
            loading.landing(reader, spans, load, archive)
        else:
            self._by_slices(load, archive, spans, asked, step)

    def _by_slices(
        self, load: Load, archive: Writer, spans: Sequence[Span], asked: Question, step: Interval | None
    ) -> None:
        """Fetches from a platform that answers for many devices together, a day of all of them at a time.

        A day lands when all of it is there, since no answer alone is all of any device.
        """
        lacking: dict[str, list[Window]] = {}
        for span in spans:
            lacking.setdefault(span.source, []).append(span.window)
        alike: dict[tuple[Window, ...], list[str]] = {}
        for device, windows in lacking.items():
            alike.setdefault(tuple(windows), []).append(device)
        for listed, devices in alike.items():
            for window in (part for each in listed for part in _slices(each)):
                before = len(load.gaps)
                reader = self._reader(load, devices, aggregate=step, **asked.options(window))
                if isinstance(reader, loading.Whole):
                    raise TypeError("a platform answers for many devices together, or reads them whole")
                chunks = loading.windows(reader, self._parts(reader, devices), window, load)
                if len(load.gaps) > before:
                    continue
                rows = dict(_by_device(frames.measurements(chunks)))
                for device in devices:
                    archive.land(device, window.start, window.end, [rows[device]] if device in rows else [])

    def _step(self, load: Load, sources: Sequence[str], asked: Question) -> Interval | None:
        """The interval that the server is to reduce to: None when it does not."""
        if asked.step is None:
            return None
        there = self._reduces(load, sources, aggregate=asked.step, **asked.options())
        return asked.step if there else None


def _reduced(load: Load, frame: pd.DataFrame, asked: Question, there: Interval | None) -> pd.DataFrame:
    """The frame as it was asked for: reduced here, when the server did not."""
    step = asked.step
    if step is None or there is not None:
        return frame
    load.note(f"all values were read, and reduced here: the server has no {asked.function} per {step}")
    return frames.resample(frame, step, function=asked.function)


def _slices(window: Window) -> Iterator[Window]:
    start = window.start
    while start < window.end:
        yield Window(start, min(start + SLICE, window.end))
        start += SLICE


def _by_device(frame: pd.DataFrame) -> Iterator[tuple[str, Columns]]:
    """The rows of each device, by time."""
    if frame.empty:
        return
    codes = frame["device"].cat.codes.to_numpy()
    order = np.argsort(codes, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1):
        part = frame.iloc[rows]
        yield str(part["device"].iloc[0]), frames.chunk(part)
