"""Parquet files of measurements: small on disk, and never half written under their own name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from iotnb import frames
from iotnb.errors import ArchiveError
from iotnb.frames import Coded, Columns

TEXTS: Final = ("device", "series", "text", "unit")
LEVEL: Final = 3  # of zstd: higher ones take twice the time for one percent

SAMPLE: Final = 4096  # values that decide how all of a file are written
DIGITS: Final = 6  # after the point; with more a value is taken for one of full precision

_OPTIONS: Final[dict[str, Any]] = {"compression": "zstd", "compression_level": LEVEL, "store_schema": False}


def write(frame: pd.DataFrame, path: Path) -> int:
    """Writes a table of measurements, gives its bytes; `path` should be a name that nobody reads yet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    # one series after the other: neighbours are alike, so the file is a third smaller than in order of time
    device, series = (frame[name].cat for name in ("device", "series"))
    group = device.codes.to_numpy().astype(np.int64) * len(series.categories) + series.codes.to_numpy()
    small = len(device.categories) * len(series.categories) < 2**16  # these numpy sorts ten times faster
    order = np.argsort(group.astype(np.uint16) if small else group, kind="stable")
    arrays: dict[str, Any] = {
        "time": pa.array(frame["time"].to_numpy("M8[us]")[order], pa.timestamp("us", "UTC"))
    }
    arrays["value"] = pa.array(frame["value"].to_numpy()[order], pa.float64(), from_pandas=True)
    for name in TEXTS:
        codes = frame[name].cat.codes.to_numpy()[order].astype(np.int32)
        names = pa.array([str(each) for each in frame[name].cat.categories], pa.string())
        arrays[name] = pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), names)
    table = pa.table({name: arrays[name] for name in frames.SCHEMAS["measurements"]})
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        pq.write_table(table, file, **_OPTIONS, **_encoding(table["value"].to_numpy()))
        file.flush()
        os.fsync(file.fileno())
        return file.tell()


def _encoding(values: NDArray[np.float64]) -> dict[str, Any]:
    """How the columns are encoded; it depends on the values, of which a sample is looked at.

    Readings of few digits repeat: a dictionary takes 1 to 2 bytes a value. Decimal ones that do not repeat
    compress better as they are (3 to 4 bytes) than split into streams of bytes (6 to 7), which is the best
    for values of full precision.
    """
    sample = values[:: max(1, len(values) // SAMPLE)]
    sample = sample[np.isfinite(sample)]
    times = {"time": "DELTA_BINARY_PACKED"}
    if len(np.unique(sample)) * 2 <= len(sample):
        return {"use_dictionary": [*TEXTS, "value"], "column_encoding": times}
    decimal = bool((np.round(sample, DIGITS) == sample).all())
    split = {**times, "value": "PLAIN" if decimal else "BYTE_STREAM_SPLIT"}
    return {"use_dictionary": list(TEXTS), "column_encoding": split}


def read(path: Path) -> Columns:
    """The rows of a file; raises ArchiveError for one that is damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, read_dictionary=list(TEXTS), partitioning=None).unify_dictionaries()
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException) as error:
        raise ArchiveError(f"{path} cannot be read: {error}. Delete the archive and fill it anew.") from None
    coded = {name: _coded(table[name]) for name in TEXTS}
    words = coded["text"]
    text = None if not words.names else [words.names[code] if code >= 0 else None for code in words.codes]
    return Columns(
        time=table["time"].to_numpy().astype("M8[us]"),
        device=coded["device"],
        series=coded["series"],
        unit=coded["unit"],
        value=table["value"].to_numpy(),
        text=text,
    )


def _coded(column: Any) -> Coded:
    array = column.combine_chunks()
    codes = array.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return Coded(codes, array.dictionary.to_pylist())
