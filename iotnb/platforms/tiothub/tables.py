"""Tables in files: identifiers of 20 digits survive a CSV only if nobody takes them for numbers."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import pandas as pd

IDENTIFIERS = (
    "device", "name", "parent", "owner", "labels", "iccid", "imei", "imsi", "msisdn", "sim", "operation",
    "serial",
)  # fmt: skip
TIMES = ("time", "last_seen", "created", "finished", "first", "last")


def read_csv(path: str | Path | IO[str]) -> pd.DataFrame:
    """A table written with `frame.to_csv(path, index=False)`, with identifiers as text and times in UTC.

    `pandas.read_csv` alone would turn ICCIDs into numbers and round them.
    """
    head = pd.read_csv(path, nrows=0)
    if hasattr(path, "seek"):
        path.seek(0)
    text = {name: "str" for name in head.columns if _is_text(str(name))}
    frame: pd.DataFrame = pd.read_csv(path, dtype=text)
    for name in TIMES:
        if name in frame.columns:
            frame[name] = pd.to_datetime(frame[name], utc=True, format="ISO8601").astype(
                "datetime64[us, UTC]"
            )
    return frame


def _is_text(name: str) -> bool:
    last: Any = name.rpartition(".")[2].lower()
    return name in IDENTIFIERS or last in IDENTIFIERS or name.startswith(("node.", "labels.", "info."))
