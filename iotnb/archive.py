"""Archives: measurements kept on disk, filled from a platform as they come, and read by many tools.

```python
from iotnb import archive

archive.load(client, "plant", since="90d")           # kill it at any moment, and run it again
m = client.measurements(since="7d", cache="plant")    # only what the archive lacks is fetched
m = archive.Archive("plant").frame(ids, since="30d")  # or without the platform
```

An archive is a directory of Parquet files (`platform=.../bucket=.../day=.../*.parquet`) with a manifest that
says which spans of which devices it holds. A file has its name only when it is complete, and belongs to the
archive only when the manifest names it; so an end at any moment, also by kill -9, loses nothing that landed
and brings nothing twice. One process fills an archive at a time, any number read it meanwhile.

What was younger than `late` (an hour) when it was read may not have been complete: it is read again the next
time. `Archive.recheck` has more of it read again.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd

import iotnb
from iotnb import arguments, frames, storage, times
from iotnb.arguments import Devices, Moment, Since
from iotnb.client import Client
from iotnb.errors import ArchiveError, ConfigError
from iotnb.storage import Store, Target
from iotnb.storage import files as parquet
from iotnb.times import Window


def load(
    client: Client,
    path: str | PathLike[str],
    devices: Devices = None,
    *,
    series: str | Sequence[str] | None = None,
    since: Since = "24h",
    until: Moment = None,
    aggregate: str | None = None,
    function: str = "mean",
    late: str = storage.LATE,
    partition: str = "1d",
    on_error: str = "raise",
) -> Archive:
    """Fills an archive with what it lacks of `client.measurements(...)`, without holding it in memory.

    A new one is made with `late` and `partition` (how much of the calendar goes into one folder: "1d", "1M"
    where devices send little); one that is there keeps its own. Raises Incomplete when something is missing:
    what came is in the archive, and the next load fetches exactly the rest. Raises ArchiveError when another
    process fills it, or when it is of another platform, host, user, series or aggregate. Where the server
    does not reduce to `aggregate`, the archive keeps all values.
    """
    times.interval(partition, name="partition")
    times.span(late, name="late")
    client.measurements(
        devices,
        series=series,
        since=since,
        until=until,
        aggregate=aggregate,
        function=function,
        cache=Target(Path(path), late=late, partition=partition, read=False),
        on_error=on_error,
    )
    return Archive(path)


class Archive:
    """An archive that is there; raises ArchiveError when there is none.

    `platform`, `host`, `user`, `series`, `aggregate` and `function` say what it holds.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        with Store(self.path) as store:
            self._identity = store.identity
        known = self._identity
        self.platform, self.host, self.user = known.platform, known.host, known.user
        self.series, self.aggregate, self.function = known.series, known.aggregate, known.function

    def frame(
        self,
        devices: Devices = None,
        *,
        series: str | Sequence[str] | None = None,
        since: Since = None,
        until: Moment = None,
    ) -> pd.DataFrame:
        """What it holds, as `client.measurements()` gives it.

        `attrs["iotnb"]` says in `complete` and `gaps` whether the window is there for each of its devices.
        Columns: time (UTC), device, series, value (float64), text, unit.
        """
        ids, names = arguments.devices(devices), arguments.names(series)
        window = None if since is None and until is None else times.window(since, until)
        with Store(self.path) as store:
            found = store.frame(ids, window)
            note = self._provenance(store, ids, names, window)
        if names is not None:
            found = found[found["series"].isin(names)].reset_index(drop=True)
            found["series"] = found["series"].cat.remove_unused_categories()
        found.attrs["iotnb"] = note
        return found

    def coverage(self) -> pd.DataFrame:
        """Which spans it holds: one row a device and span.

        Columns: device, start, end (UTC), settled (False: too young when it was read, and read again by the
        next load).
        """
        with Store(self.path) as store:
            spans = store.manifest.spans()
        made = pd.DataFrame(spans, columns=["device", "start", "end", "settled"])
        moments = {name: pd.to_datetime(made[name], unit="us", utc=True) for name in ("start", "end")}
        return made.assign(**moments).astype({"device": "str", "settled": "bool"})

    def loads(self) -> pd.DataFrame:
        """The loads that filled it, oldest first: their provenance, one row each."""
        with Store(self.path) as store:
            return pd.DataFrame([dict(note) for note in store.loads()])

    def files(self) -> list[Path]:
        """Its Parquet files, for other readers: time, device, series, value, text, unit."""
        with Store(self.path) as store:
            return store.paths()

    @property
    def rows(self) -> int:
        """How many rows it holds."""
        with Store(self.path) as store:
            return sum(file.rows for file in store.manifest.files())

    def check(self) -> int:
        """Reads every file, and gives the number of rows; raises ArchiveError for one that is damaged."""
        with Store(self.path) as store:
            rows = 0
            for file in store.manifest.files():
                found = len(parquet.read(store.path(file)))
                if found != file.rows:
                    raise ArchiveError(f"{self.path / file.path} holds {found} rows and had {file.rows}")
                rows += found
        return rows

    def recheck(self, devices: Devices = None, *, since: Since, until: Moment = None) -> None:
        """Has the next load read a window again, for data that came later than `late`.

        Rows that come take the place of what is there; those that do not come again (expired, deleted) stay.
        """
        with storage.writing(self.path, self._identity) as writer:
            writer.doubt(times.window(since, until), arguments.devices(devices))

    # -- other tools ----------------------------------------------------------------------------------------

    def dataset(self) -> Any:
        """A `pyarrow.dataset.Dataset` of its files, with `platform`, `bucket` and `day` as columns."""
        import pyarrow as pa
        from pyarrow import dataset

        schema = pa.schema(
            [
                ("time", pa.timestamp("us", "UTC")),
                *((name, pa.float64() if name == "value" else pa.string()) for name in _NAMES[1:]),
            ]
        )
        paths = [str(path) for path in self.files()]
        hive = dataset.HivePartitioning.discover(infer_dictionary=False)
        made = dataset.dataset(paths, format="parquet", partitioning=hive, partition_base_dir=str(self.path))
        return (
            made.replace_schema(pa.unify_schemas([schema, made.schema.remove_metadata()])) if paths else made
        )

    def duckdb(self, connection: Any = None) -> Any:
        """A DuckDB connection with the view `measurements`; needs `pip install iotnb[archive]`."""
        try:
            import duckdb
        except ModuleNotFoundError:
            raise ConfigError("DuckDB is not installed: pip install 'iotnb[archive]'") from None
        found = duckdb.connect() if connection is None else connection
        listed = ", ".join("'" + str(path).replace("'", "''") + "'" for path in self.files())
        source = f"read_parquet([{listed}], hive_partitioning = true)" if listed else _NOTHING
        found.execute(f"CREATE OR REPLACE TEMP VIEW measurements AS SELECT * FROM {source}")  # noqa: S608  # paths
        return found

    def dask(self) -> Any:
        """A Dask DataFrame with one partition a file; needs `pip install iotnb[cluster]`."""
        try:
            from dask import dataframe
        except ModuleNotFoundError:
            raise ConfigError("Dask is not installed: pip install 'iotnb[cluster]'") from None
        meta = _plain(frames.empty("measurements"))
        paths = self.files()
        if not paths:
            return dataframe.from_pandas(meta, npartitions=1)  # type: ignore[no-untyped-call]
        listed = [str(path) for path in paths]
        return dataframe.from_map(_partition, listed, meta=meta)  # type: ignore[no-untyped-call]

    def __repr__(self) -> str:
        return f"Archive({str(self.path)!r}: {self.platform} of {self.user} on {self.host})"

    def _provenance(
        self, store: Store, ids: list[str] | None, names: list[str] | None, window: Window | None
    ) -> dict[str, Any]:
        known = sorted({device for device, *_ in store.manifest.spans()}) if ids is None else ids
        lacking = [
            {"item": device, "start": times.to_wire(span.start), "end": times.to_wire(span.end)}
            for device in known
            for span in (store.lacking(device, window) if window else ())
        ]
        last = store.loads()[-1:] or [{}]
        return {
            "iotnb": iotnb.__version__,
            "platform": self.platform,
            "host": self.host,
            "user": self.user,
            "verb": "measurements",
            "query": {"devices": arguments.shown(ids), "series": names, "cache": str(self.path)},
            "window": [times.to_wire(window.start), times.to_wire(window.end)] if window else None,
            "loaded": last[0].get("loaded"),
            "complete": not lacking,
            "gaps": lacking[:100],
        }


_NAMES = list(frames.SCHEMAS["measurements"])
_NOTHING = (
    "(SELECT NULL::TIMESTAMPTZ AS time, NULL::VARCHAR AS device, NULL::VARCHAR AS series, "
    "NULL::DOUBLE AS value, NULL::VARCHAR AS text, NULL::VARCHAR AS unit WHERE false)"
)


def _partition(path: str) -> pd.DataFrame:
    return _plain(frames.measurements([parquet.read(Path(path))]))


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Text instead of categories: partitions have different ones."""
    return frame.astype(dict.fromkeys(("device", "series", "text", "unit"), "str"))
