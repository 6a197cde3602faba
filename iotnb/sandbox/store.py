"""What users create in a sandbox: documents and settings in SQLite, in memory or in a file.

A document has an id, a source (the device it belongs to), times, a type and a status, all indexed, and a
JSON body that comes back as it was put. Settings are named JSON values: users, options, identities.
"""

import sqlite3
import threading
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

_TABLES = """
CREATE TABLE IF NOT EXISTS {ns}_document (
  kind TEXT NOT NULL, id INTEGER NOT NULL, source INTEGER NOT NULL, time INTEGER NOT NULL,
  created INTEGER NOT NULL, updated INTEGER NOT NULL, type TEXT NOT NULL, status TEXT NOT NULL,
  body BLOB NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS {ns}_by_source ON {ns}_document (kind, source, time, id);
CREATE INDEX IF NOT EXISTS {ns}_by_time ON {ns}_document (kind, time, id);
CREATE TABLE IF NOT EXISTS {ns}_setting (
  kind TEXT NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (kind, name)) WITHOUT ROWID;
"""
_COLUMNS = "id, source, time, created, updated, type, status, body"
_MOST_PARAMETERS = 500  # SQLite limits the parameters of one statement


class Document(NamedTuple):
    """One stored document; times are milliseconds since 1970 UTC, `body` is JSON text in UTF-8."""

    id: int  # the columns stand in the order of _COLUMNS
    source: int = 0
    time: int = 0
    created: int = 0
    updated: int = 0
    type: str = ""
    status: str = ""
    body: bytes = b"{}"

    def json(self) -> dict[str, Any]:
        """The decoded body: a new dict on every call."""
        return msgspec.json.decode(self.body, type=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Which documents: every condition given must hold; ranges are [from, to) in milliseconds."""

    sources: Collection[int] | None = None
    types: Collection[str] | None = None
    statuses: Collection[str] | None = None
    time: tuple[int | None, int | None] = (None, None)
    created: tuple[int | None, int | None] = (None, None)
    updated: tuple[int | None, int | None] = (None, None)
    ids: tuple[int | None, int | None] = (None, None)

    def where(self) -> tuple[str, list[Any]]:
        """The SQL conditions and their parameters."""
        parts: list[str] = []
        values: list[Any] = []
        for column, wanted in (("source", self.sources), ("type", self.types), ("status", self.statuses)):
            if wanted is None:
                continue
            if len(wanted) > _MOST_PARAMETERS:  # a JSON array is one parameter, however long
                parts.append(f"{column} IN (SELECT value FROM json_each(?))")  # noqa: S608  a word of ours
                values.append(msgspec.json.encode(list(wanted)).decode())
            else:
                parts.append(f"{column} IN ({','.join('?' * len(wanted))})")
                values += list(wanted)
        ranges = (("time", self.time), ("created", self.created), ("updated", self.updated), ("id", self.ids))
        for column, (low, high) in ranges:
            if low is not None:
                parts.append(f"{column} >= ?")
                values.append(low)
            if high is not None:
                parts.append(f"{column} < ?")
                values.append(high)
        return "".join(f" AND {part}" for part in parts), values


EVERY = Match()


class Store:
    """Documents and settings of one platform; safe to use from several threads.

    `path` None keeps everything in memory. With a path the file survives restarts; several platforms
    share one file, each under its own `namespace`. `version` grows with every change, for caches.
    """

    def __init__(self, path: str | Path | None = None, *, namespace: str) -> None:
        if not namespace.isidentifier():
            raise ValueError(f"a namespace is a plain word, not {namespace!r}")
        self.path = None if path is None else Path(path)
        self.version = 0
        self._ns = namespace
        self._lock = threading.RLock()
        self._next: dict[str, int] = {}
        name = ":memory:" if self.path is None else str(self.path)
        self._db = sqlite3.connect(name, check_same_thread=False, isolation_level=None, timeout=30)
        if self.path is not None:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_TABLES.format(ns=namespace))

    def close(self) -> None:
        """End the use of the file; a later call raises sqlite3.ProgrammingError."""
        with self._lock:
            self._db.close()

    def reset(self) -> None:
        """Forget every document and setting of this namespace; ids start again."""
        with self._lock:
            self._db.execute(f"DELETE FROM {self._ns}_document")  # noqa: S608  the namespace is a checked word
            self._db.execute(f"DELETE FROM {self._ns}_setting")  # noqa: S608
            self._next.clear()
            self.version += 1

    def next_ids(self, kind: str, count: int = 1, *, start: int = 1) -> range:
        """Reserve `count` ids above every id of the kind ever given out; the first one is `start`."""
        with self._lock:
            first = self._next.get(kind)
            if first is None:
                stored = self.setting("counter", kind)
                first = int(stored) if stored is not None else start
            first = max(first, start)
            self._next[kind] = first + count
            self.set("counter", kind, first + count)
            return range(first, first + count)

    def put(self, kind: str, documents: Iterable[Document]) -> None:
        """Insert or replace documents, all or none."""
        rows = [
            (kind, d.id, d.source, d.time, d.created, d.updated, d.type, d.status, d.body) for d in documents
        ]
        sql = f"INSERT OR REPLACE INTO {self._ns}_document VALUES (?,?,?,?,?,?,?,?,?)"  # noqa: S608
        with self._lock:
            self._db.execute("BEGIN")
            try:
                self._db.executemany(sql, rows)
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
            self.version += 1

    def get(self, kind: str, id: int) -> Document | None:  # noqa: A002  the document's own word
        """One document, or None."""
        sql = f"SELECT {_COLUMNS} FROM {self._ns}_document WHERE kind=? AND id=?"  # noqa: S608
        with self._lock:
            row = self._db.execute(sql, (kind, id)).fetchone()
        return None if row is None else Document._make(row)

    def select(
        self,
        kind: str,
        match: Match = EVERY,
        *,
        order: str = "time",
        newest_first: bool = False,
        limit: int = -1,
        offset: int = 0,
    ) -> list[Document]:
        """Documents of a kind, ordered by `time` or `id`; equal times are ordered by id."""
        where, values = match.where()
        way = " DESC" if newest_first else ""
        by = f"time{way}, id{way}" if order == "time" else f"id{way}"
        sql = (
            f"SELECT {_COLUMNS} FROM {self._ns}_document WHERE kind=?{where}"  # noqa: S608
            f" ORDER BY {by} LIMIT ? OFFSET ?"
        )
        with self._lock:
            rows = self._db.execute(sql, (kind, *values, limit, offset)).fetchall()
        return list(map(Document._make, rows))

    def count(self, kind: str, match: Match = EVERY) -> int:
        """How many documents match."""
        where, values = match.where()
        sql = f"SELECT count(*) FROM {self._ns}_document WHERE kind=?{where}"  # noqa: S608
        with self._lock:
            return int(self._db.execute(sql, (kind, *values)).fetchone()[0])

    def types(self, kind: str, source: int) -> list[str]:
        """The distinct types of one source's documents, sorted."""
        sql = f"SELECT DISTINCT type FROM {self._ns}_document WHERE kind=? AND source=? ORDER BY type"  # noqa: S608
        with self._lock:
            return [row[0] for row in self._db.execute(sql, (kind, source))]

    def delete(self, kind: str, match: Match = EVERY) -> int:
        """Remove what matches; returns how many documents went."""
        where, values = match.where()
        sql = f"DELETE FROM {self._ns}_document WHERE kind=?{where}"  # noqa: S608
        with self._lock:
            gone = self._db.execute(sql, (kind, *values)).rowcount
            if gone:
                self.version += 1
        return gone

    def drop(self, kind: str, ids: Sequence[int]) -> None:
        """Remove documents by id."""
        sql = f"DELETE FROM {self._ns}_document WHERE kind=? AND id=?"  # noqa: S608
        with self._lock:
            self._db.executemany(sql, [(kind, one) for one in ids])
            self.version += 1

    def set(self, kind: str, name: str, value: object) -> None:
        """Keep one JSON-able value under a kind and a name."""
        sql = f"INSERT OR REPLACE INTO {self._ns}_setting VALUES (?,?,?)"  # noqa: S608
        with self._lock:
            self._db.execute(sql, (kind, name, msgspec.json.encode(value)))
            self.version += 1

    def setting(self, kind: str, name: str) -> Any:
        """One value, or None."""
        sql = f"SELECT body FROM {self._ns}_setting WHERE kind=? AND name=?"  # noqa: S608
        with self._lock:
            row = self._db.execute(sql, (kind, name)).fetchone()
        return None if row is None else msgspec.json.decode(row[0])

    def settings(self, kind: str) -> dict[str, Any]:
        """Every value of a kind by name."""
        sql = f"SELECT name, body FROM {self._ns}_setting WHERE kind=? ORDER BY name"  # noqa: S608
        with self._lock:
            rows = self._db.execute(sql, (kind,)).fetchall()
        return {name: msgspec.json.decode(body) for name, body in rows}

    def unset(self, kind: str, name: str) -> bool:
        """Remove one value; False when there was none."""
        sql = f"DELETE FROM {self._ns}_setting WHERE kind=? AND name=?"  # noqa: S608
        with self._lock:
            gone = self._db.execute(sql, (kind, name)).rowcount > 0
            self.version += gone
        return gone
