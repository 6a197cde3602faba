"""An archive that is filled: spans of devices land in it, each once, whatever ends the process."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count, pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from iotnb import frames, times
from iotnb.errors import ArchiveError
from iotnb.frames import Columns
from iotnb.storage import files
from iotnb.storage.identity import Identity, described
from iotnb.storage.manifest import NAME, File, Manifest
from iotnb.storage.spans import Span, common
from iotnb.storage.store import Store, as_span, as_window
from iotnb.times import Window

LOCK: Final = "lock.sqlite"
TARGET: Final = 100_000  # rows of a file
MOST: Final = 2_000_000  # rows that wait in memory
AT_ONCE: Final = 4  # files that are written at once: each waits for the disk
PATIENCE: Final = 2.0  # seconds after which what waits is written, however little it is
SMALL: Final = 8  # small files in one place until they become one
KEYS: Final[list[str]] = ["device", "series", "unit", "time"]
WORDS: Final = {"h": "hour", "d": "day", "w": "week", "M": "month", "q": "quarter", "y": "year"}

Place = tuple[int, str]
"""A bucket of devices, and a part of the calendar."""
Again = list[tuple[str, Span]]
"""Spans of devices that are read once more."""


@dataclass(slots=True)
class _Piece:
    """All rows of a device in a span, as they came."""

    device: str
    span: Span
    chunks: list[Columns]


class _Waiting:
    """What has landed and is not on disk."""

    def __init__(self) -> None:
        self.pieces: list[_Piece] = []
        self.rows = 0
        self.start = self.end = 0

    def add(self, piece: _Piece) -> None:
        start, end = piece.span
        self.start = min(start, self.start) if self.pieces else start
        self.end = max(end, self.end) if self.pieces else end
        self.pieces.append(piece)
        self.rows += sum(map(len, piece.chunks))


@contextmanager
def writing(folder: Path, identity: Identity) -> Iterator[Writer]:
    """The archive in a folder, made if there is none, for this process alone.

    What landed is on disk at the end of the block. Raises ArchiveError when another process writes to it,
    when it is of something else, or when it is damaged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = described(folder)
    strange = {each.name for each in folder.iterdir()} - {LOCK, f"{LOCK}-journal", NAME, f"{NAME}-journal"}
    if known is None and strange - {"archive.json.tmp"}:
        raise ArchiveError(f"{folder} is not empty and no archive: name an empty or a new directory")
    with _alone(folder):
        if known is None:
            Manifest.create(folder)
            identity.write(folder)
        else:
            known.check(identity, folder)
        writer = Writer(folder)
        try:
            writer.recover()
            yield writer
        finally:
            try:
                writer.flush()
            finally:
                writer.close()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Holds a lock that the system takes away from a process that is killed."""
    lock = sqlite3.connect(folder / LOCK, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError:
        lock.close()
        raise ArchiveError(
            f"another process, or another load of this one, is writing to the archive {folder}: wait for it "
            "to end, or name another directory"
        ) from None
    try:
        yield
    finally:
        lock.close()


class Writer(Store):
    """An archive that is filled and read; `writing()` makes one."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.undated: dict[str, int] = {}
        self._lock = threading.RLock()
        self._waiting = _Waiting()
        self._written = time.monotonic()
        self._apart = ThreadPoolExecutor(1, "iotnb-archive")
        self._writing: Future[None] | None = None
        self._number = self.manifest.next_number()
        self._began = times.now()

    @property
    def settled(self) -> datetime:
        """The moment before which nothing more is expected to come."""
        moment = self._began - times.span(self.identity.late, name="late")
        step = self.identity.step
        return moment if step is None else step.floor(moment)

    def land(self, source: str, start: datetime, end: datetime, chunks: Sequence[Columns]) -> None:
        """Takes all rows of a device in [start, end); they are on disk after the next flush.

        Rows without a time have no place in an archive: they are counted in `undated`.
        """
        kept = []
        for chunk in chunks:
            dated = ~np.isnat(chunk.time)
            if not dated.all():
                self.undated[source] = self.undated.get(source, 0) + int((~dated).sum())
            kept.append(chunk if dated.all() else chunk.take(dated))
        with self._lock:
            self._waiting.add(_Piece(source, (times.to_us(start), times.to_us(end)), kept))
            if self._waiting.rows >= self._enough() or time.monotonic() - self._written > PATIENCE:
                self._write_apart()

    def flush(self) -> None:
        """Writes what waits, and returns when it is on disk; raises what went wrong with it."""
        with self._lock:
            self._write_apart()
            self._written_out()

    def close(self) -> None:
        """Closes the manifest; what waits is lost without a flush."""
        self._apart.shutdown()
        super().close()

    def _write_apart(self) -> None:
        """Writes what waits on a thread of its own, when the last has been written."""
        self._written_out()
        if self._waiting.pieces:
            waiting, self._waiting = self._waiting, _Waiting()
            self._writing = self._apart.submit(self._write, waiting.pieces)
        self._written = time.monotonic()

    def _written_out(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def doubt(self, window: Window, devices: Iterable[str] | None = None) -> None:
        """Has a window read again by the next load, for data that came later than `late`."""
        names = {device for device, *_ in self.manifest.spans()} if devices is None else set(devices)
        with self.manifest.change():
            for device in sorted(names):
                spans = common([as_span(window)], self.manifest.held(device))
                self.manifest.hold(device, spans, settled=False)

    def record(self, note: Mapping[str, Any]) -> None:
        """Keeps the provenance of a load with the archive."""
        self.manifest.record(note)

    def recover(self) -> None:
        """Finishes what a process that was killed had begun, and takes away what it left."""
        added = [file.path for file in self.manifest.files() if not (self.folder / file.path).exists()]
        for path in added:
            if not (self.folder / f"{path}.tmp").exists():
                raise ArchiveError(f"{self.folder / path} is gone: delete the archive and fill it anew")
        self._finish(added, self.manifest.dropped())
        for temporary in self.folder.glob("platform=*/**/*.parquet.tmp"):
            temporary.unlink()

    # -- from rows that wait to files -----------------------------------------------------------------------

    def _enough(self) -> int:
        """How many rows make files of a good size, given how many places they go to."""
        part = self.identity.part.span or timedelta(days=28)
        parts = (self._waiting.end - self._waiting.start) // (part // timedelta(microseconds=1)) + 1
        return min(MOST, TARGET * parts * self.identity.buckets)

    def _write(self, pieces: list[_Piece]) -> None:
        """First the files, then one transaction that says what they hold, then the files' own names."""
        pieces.sort(key=lambda piece: (piece.device, piece.span))
        placed = dict(self._placed(frames.measurements(c for piece in pieces for c in piece.chunks)))
        again = [
            (piece.device, span)
            for piece in pieces
            for span in common([piece.span], self.manifest.held(piece.device))
        ]
        tables: list[tuple[Place, pd.DataFrame]] = []
        dropped: list[str] = []
        nothing = frames.empty("measurements")
        for place in sorted({*placed, *self._touched(again)}):
            here = [each for each in again if self.bucket(each[0]) == place[0]]
            table, replaced = self._merged(place, placed.get(place, nothing), here)
            tables += [(place, table)] if len(table) else []
            dropped += replaced
        with ThreadPoolExecutor(AT_ONCE) as several:
            added = list(several.map(self._file, tables, count(self._number)))
        self._number += len(added)
        border, step = times.to_us(self.settled), self.identity.step
        with self.manifest.change():
            self.manifest.add(added)
            self.manifest.drop(dropped)
            for piece in pieces:
                start, end = piece.span
                whole = end if step is None else times.to_us(step.floor(times.from_us(end)))
                cut = max(min(border, whole), start)
                self.manifest.hold(piece.device, [(start, cut)], settled=True)
                self.manifest.hold(piece.device, [(cut, end)], settled=False)
        self._finish([file.path for file in added], dropped)

    def _placed(self, frame: pd.DataFrame) -> Iterator[tuple[Place, pd.DataFrame]]:
        """The rows by bucket of devices and part of the calendar."""
        if frame.empty:
            return
        part = self.identity.part
        starts = part.floors(frame["time"].to_numpy("M8[us]"))
        borders = [0, *(np.flatnonzero(starts[1:] != starts[:-1]) + 1).tolist(), len(frame)]
        for first, end in pairwise(borders):  # the rows are in the order of time
            named = str(starts[first].astype("M8[D]" if part.unit in "dwMqy" else "M8[s]"))
            rows = frame if end - first == len(frame) else frame.iloc[first:end]
            for bucket, some in self._bucketed(rows):
                yield (bucket, named.replace(":", "-")), some

    def _bucketed(self, frame: pd.DataFrame) -> Iterator[tuple[int, pd.DataFrame]]:
        """The rows by bucket of devices."""
        buckets = np.array([self.bucket(name) for name in frame["device"].cat.categories])
        of_row = buckets[frame["device"].cat.codes.to_numpy()]
        for bucket in np.unique(buckets).tolist():
            mask = of_row == bucket
            if mask.any():
                yield bucket, frame if mask.all() else frame[mask]

    def _touched(self, again: Again) -> set[Place]:
        """The places with files that may hold rows of spans that are read once more."""
        found = (file for device, span in again for file in self.files([device], as_window(span)))
        return {(file.bucket, file.part) for file in found}

    def _merged(self, place: Place, fresh: pd.DataFrame, again: Again) -> tuple[pd.DataFrame, list[str]]:
        """The table of a new file, and the files that it replaces.

        What is read once more takes the place of what was there, except for rows that did not come again:
        they were deleted or have expired on the server, and stay. Small files become one when there are many.
        """
        kept: list[pd.DataFrame] = []
        before: list[pd.DataFrame] = []
        replaced: list[str] = []
        there = self.manifest.files(places=[place])
        for file in there:
            if any(file.last >= start and file.first < end for _, (start, end) in again):
                table = self._read(file)
                inside = _inside(table, again)
                if inside.any():
                    before.append(table[inside])
                    kept.append(table[~inside])
                    replaced.append(file.path)
        if before:
            old, new = pd.concat(before), fresh[_inside(fresh, again)]
            if _alike(old, new):  # nothing was late: the files stay as they are
                fresh, kept, replaced = fresh[~_inside(fresh, again)], [], []
            else:
                kept.append(old[~_keys(old).isin(_keys(new))])
        small = [file for file in there if file.rows < TARGET // 2 and file.path not in replaced]
        if len(small) >= SMALL and len(fresh):
            kept += [self._read(file) for file in small]
            replaced += [file.path for file in small]
        return (_joined([*kept, fresh]) if kept else fresh), replaced

    def _read(self, file: File) -> pd.DataFrame:
        return frames.measurements([files.read(self.folder / file.path)])

    def _file(self, placed: tuple[Place, pd.DataFrame], number: int) -> File:
        """Writes a file under a temporary name; its own name says from when to when its rows are."""
        place, table = placed
        bucket, part = place
        moments = table["time"].to_numpy("M8[us]")
        first, last = moments.min(), moments.max()
        word = WORDS.get(self.identity.part.unit, "year")
        folder = f"platform={self.identity.platform}/bucket={bucket:02d}/{word}={part}"
        path = f"{folder}/{_stamp(first)}-{_stamp(last)}-{number:06d}.parquet"
        size = files.write(table, self.folder / f"{path}.tmp")
        start, end = (int(moment.astype(np.int64)) for moment in (first, last))
        return File(path, bucket, part, start, end, len(table), size)

    def _finish(self, added: Iterable[str], dropped: Sequence[str]) -> None:
        """Gives new files their own names, and deletes those that they replace."""
        for path in added:
            (self.folder / f"{path}.tmp").replace(self.folder / path)
        for path in dropped:
            (self.folder / path).unlink(missing_ok=True)
        if dropped:
            self.manifest.forget(dropped)


def _inside(table: pd.DataFrame, again: Again) -> NDArray[np.bool_]:
    """The rows that lie in any of the spans."""
    found = np.zeros(len(table), dtype=bool)
    if table.empty:
        return found
    moments = table["time"].to_numpy("M8[us]").astype(np.int64)
    codes = table["device"].cat.codes.to_numpy()
    code = {name: number for number, name in enumerate(table["device"].cat.categories)}
    for device, (start, end) in again:
        if device in code:
            found |= (codes == code[device]) & (moments >= start) & (moments < end)
    return found


def _keys(table: pd.DataFrame) -> pd.MultiIndex:
    words = dict.fromkeys(KEYS[:-1], "object")
    return pd.MultiIndex.from_frame(table[KEYS].astype(words).fillna(dict.fromkeys(words, "")))


def _alike(old: pd.DataFrame, new: pd.DataFrame) -> bool:
    """Whether two tables hold the same rows, in whatever order."""
    if len(old) != len(new):
        return False
    names, order = [*KEYS, "value", "text"], [*KEYS, "value"]
    words = dict.fromkeys((*KEYS[:-1], "text"), "object")
    one, other = (
        table[names].astype(words).fillna(dict.fromkeys(words, "")).sort_values(order, ignore_index=True)
        for table in (old, new)
    )
    return bool(one.equals(other))


def _joined(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Tables of measurements as one, by time."""
    return frames.measurements([frames.chunk(table) for table in tables if len(table)])


def _stamp(moment: np.datetime64) -> str:
    """A moment as part of a file's name."""
    return str(moment.astype("M8[s]")).replace("-", "").replace(":", "") + "Z"
