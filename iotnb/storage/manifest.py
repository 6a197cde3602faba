"""The manifest of an archive: which files it has, which spans of each device they hold, how it was filled.

A SQLite database. It alone says what belongs to the archive: a file that it does not name does not count.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from iotnb.storage.spans import Span, union, without

NAME: Final = "manifest.sqlite"
PATIENCE: Final = 20.0  # seconds that a reader waits for a writer to commit

_TABLES: Final = """
CREATE TABLE files (id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT UNIQUE, bucket INTEGER, part TEXT,
                    first INTEGER, last INTEGER, rows INTEGER, bytes INTEGER);
CREATE INDEX places ON files (bucket, part);
CREATE TABLE dropped (path TEXT PRIMARY KEY);
CREATE TABLE held (device TEXT, start INTEGER, end INTEGER, settled INTEGER);
CREATE INDEX devices ON held (device);
CREATE TABLE loads (id INTEGER PRIMARY KEY AUTOINCREMENT, note TEXT);
"""


@dataclass(frozen=True, slots=True)
class File:
    """One Parquet file: its path in the archive, its place, the times of its rows, and its size."""

    path: str
    bucket: int
    part: str
    first: int
    last: int
    rows: int
    bytes: int


class Manifest:
    """The manifest, opened; every change is one transaction."""

    def __init__(self, folder: Path) -> None:
        self._lock = threading.RLock()
        self._database = sqlite3.connect(
            folder / NAME, timeout=PATIENCE, isolation_level=None, check_same_thread=False
        )
        self._database.execute("PRAGMA synchronous=NORMAL")

    @classmethod
    def create(cls, folder: Path) -> None:
        """Makes the manifest of a new archive, in the place of one that was never finished."""
        (folder / NAME).unlink(missing_ok=True)
        made = cls(folder)
        made._database.executescript(f"BEGIN; {_TABLES} COMMIT;")
        made.close()

    def close(self) -> None:
        """Closes the database."""
        with self._lock:
            self._database.close()

    @contextmanager
    def change(self) -> Iterator[None]:
        """One transaction: all of it, or nothing."""
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    # -- files --------------------------------------------------------------------------------------------

    def files(self, *, places: Iterable[tuple[int, str]] | None = None) -> list[File]:
        """The files of the archive, or those of some places (bucket and part of the calendar)."""
        columns = "SELECT path, bucket, part, first, last, rows, bytes FROM files"
        with self._lock:
            if places is None:
                found = self._database.execute(f"{columns} ORDER BY part, bucket, id").fetchall()
            else:
                where = f"{columns} WHERE bucket = ? AND part = ? ORDER BY id"
                found = [row for place in places for row in self._database.execute(where, place)]
        return [File(*row) for row in found]

    def next_number(self) -> int:
        """A number that no file has had."""
        with self._lock:
            row = self._database.execute("SELECT seq FROM sqlite_sequence WHERE name = 'files'").fetchone()
        return (row[0] if row else 0) + 1

    def add(self, files: Iterable[File]) -> None:
        """Names new files; inside a change."""
        rows = [(f.path, f.bucket, f.part, f.first, f.last, f.rows, f.bytes) for f in files]
        self._database.executemany(
            "INSERT INTO files (path, bucket, part, first, last, rows, bytes) VALUES (?, ?, ?, ?, ?, ?, ?)",
            rows,
        )

    def drop(self, paths: Sequence[str]) -> None:
        """Names files no longer, and remembers that they are to be deleted; inside a change."""
        self._database.executemany("DELETE FROM files WHERE path = ?", [(path,) for path in paths])
        self._database.executemany("INSERT OR IGNORE INTO dropped VALUES (?)", [(path,) for path in paths])

    def dropped(self) -> list[str]:
        """Files that are still to be deleted."""
        with self._lock:
            return [row[0] for row in self._database.execute("SELECT path FROM dropped")]

    def forget(self, paths: Sequence[str]) -> None:
        """The files have been deleted."""
        with self.change():
            self._database.executemany("DELETE FROM dropped WHERE path = ?", [(path,) for path in paths])

    # -- spans --------------------------------------------------------------------------------------------

    def held(self, device: str, *, settled: bool | None = None) -> list[Span]:
        """The spans of a device that are there; `settled` ones are not asked for again."""
        where = "" if settled is None else f" AND settled = {int(settled)}"
        with self._lock:
            found = self._database.execute(
                f"SELECT start, end FROM held WHERE device = ?{where}",  # noqa: S608  # a number
                (device,),
            )
            return union(found.fetchall())

    def hold(self, device: str, spans: Iterable[Span], *, settled: bool) -> None:
        """Notes spans of a device; what was said of them before no longer counts. Inside a change."""
        given = union(spans)
        if not given:
            return
        same = union([*self.held(device, settled=settled), *given])
        other = without(self.held(device, settled=not settled), given)
        self._database.execute("DELETE FROM held WHERE device = ?", (device,))
        for listed, word in ((same, settled), (other, not settled)):
            self._database.executemany(
                "INSERT INTO held VALUES (?, ?, ?, ?)", [(device, a, b, int(word)) for a, b in listed]
            )

    def spans(self) -> list[tuple[str, int, int, bool]]:
        """All spans: device, start, end, whether it is settled."""
        with self._lock:
            found = self._database.execute(
                "SELECT device, start, end, settled FROM held ORDER BY device, start"
            ).fetchall()
        return [(device, start, end, bool(settled)) for device, start, end, settled in found]

    # -- loads --------------------------------------------------------------------------------------------

    def record(self, note: Mapping[str, Any]) -> None:
        """Keeps the provenance of a load."""
        with self.change():
            self._database.execute("INSERT INTO loads (note) VALUES (?)", (json.dumps(note),))

    def loads(self) -> list[dict[str, Any]]:
        """The provenance of each load, oldest first."""
        with self._lock:
            found = self._database.execute("SELECT note FROM loads ORDER BY id").fetchall()
        return [json.loads(row[0]) for row in found]
