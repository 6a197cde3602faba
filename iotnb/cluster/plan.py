"""What a load will cost before it is started: measurements, requests, bytes, hours."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd

from iotnb import times
from iotnb.errors import ConfigError

FRAME_BYTES = 21.0  # of one value in the table of measurements
PARQUET_BYTES = 5.0  # of one value in a Parquet file


def plan(
    devices: int,
    *,
    since: str | timedelta = "365d",
    every: str = "1m",
    values: float = 1.0,
    page: int = 2000,
    seconds_per_request: float = 0.05,
    at_once: int = 8,
    rate: float | None = None,
    bytes_per_measurement: float = 340.0,
) -> pd.DataFrame:
    """The arithmetic of a load: one row a quantity.

    Columns: quantity, amount (float64), unit, how (the sum in words). `every` is the interval between two
    measurements of a device and `values` how many series one carries; `page` measurements come in an answer,
    `at_once` requests run at the same time, and `rate` limits them to so many a second. Measure
    `seconds_per_request` and `bytes_per_measurement` on a sample (`frame.attrs["iotnb"]` has pages, bytes and
    seconds of a load). What a server must send and how long that takes does not depend on the number of
    workers once `at_once` is reached: only a coarser `every` (an aggregate) makes it less.
    """
    step = times.interval(every, name="every").span
    if (
        devices < 1
        or step is None
        or min(page, at_once, values, seconds_per_request, bytes_per_measurement) <= 0
    ):
        raise ConfigError(
            "a plan wants numbers above zero, and every= of a fixed length such as '1m' or '1h'"
        )
    window = times.window(since)
    length = (window.end - window.start).total_seconds()
    each = length / step.total_seconds()
    measurements = devices * each
    requests = devices * -(-each // page)
    hours = requests * seconds_per_request / at_once / 3600
    rows: list[tuple[str, float, str, str]] = [
        ("measurements", measurements, "", f"{devices:,} devices x {each:,.0f} intervals of {every}"),
        ("values", measurements * values, "", f"measurements x {values:g} series"),
        ("requests", requests, "", f"{devices:,} devices x pages of {page:,}, the last one of each not full"),
        (
            "JSON",
            measurements * bytes_per_measurement / 1e9,
            "GB",
            f"measurements x {bytes_per_measurement:,.0f} bytes",
        ),
        ("in memory", measurements * values * FRAME_BYTES / 1e9, "GB", f"values x {FRAME_BYTES:g} bytes"),
        (
            "as Parquet",
            measurements * values * PARQUET_BYTES / 1e9,
            "GB",
            f"values x {PARQUET_BYTES:g} bytes",
        ),
        ("time, by latency", hours, "h", f"requests x {seconds_per_request:g} s / {at_once} at once"),
    ]
    if rate is not None:
        rows.append(("time, by rate", requests / rate / 3600, "h", f"requests / {rate:g} a second"))
    return pd.DataFrame(rows, columns=["quantity", "amount", "unit", "how"]).astype({"amount": "float64"})
