"""Measurements as a Dask DataFrame whose partitions the workers fetch."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from iotnb import frames, times
from iotnb.client import Client, Devices, Moment, Since, identifiers
from iotnb.cluster.lending import Lent, lend
from iotnb.errors import ConfigError

if TYPE_CHECKING:
    import dask.dataframe as dd

AT_ONCE = 100  # devices of one partition, unless asked otherwise
MOST = 100_000  # partitions: more would choke the scheduler


@dataclass(frozen=True)
class Part:
    """What one partition holds: these devices in [start, end)."""

    devices: tuple[str, ...]
    start: datetime
    end: datetime


def measurements(
    client: Client,
    devices: Devices = None,
    *,
    series: str | Sequence[str] | None = None,
    since: Since = "24h",
    until: Moment = None,
    aggregate: str | None = None,
    function: str = "mean",
    partition: str = "1d",
    devices_at_once: int = AT_ONCE,
) -> dd.DataFrame:
    """The frame of `client.measurements()`, as a Dask DataFrame that the present cluster's workers fetch.

    Columns, dtypes and units are the same. Text is text, not
    categories, which would differ between partitions. A partition holds one span of time (`partition`: "6h",
    "1d", "1w", cut as the calendar in UTC does) of at most `devices_at_once` devices. Nothing is fetched
    before it is computed, and the window's end is fixed now. Each partition is complete or raises Incomplete;
    one whose worker is lost is fetched again by another. The login stays in this process: workers ask it for
    each turn and each token, so keep it open. Platforms that cannot be asked for a span are cut by devices
    alone.

    Raises ConfigError when no cluster is connected (`distributed.Client(...)` makes one), or for a cluster
    across a network without TLS.
    """
    cluster = _cluster()
    window = times.window(since, until)
    step = times.interval(partition, name="partition")
    if aggregate is not None:
        window = times.interval(aggregate).aligned(window)
    spans = _spans(window, step) if client.windowed else [window]
    if aggregate is not None and any(times.interval(aggregate).aligned(each) != each for each in spans):
        raise ConfigError(f"partition={partition!r} must be a multiple of aggregate={aggregate!r}")
    sources = identifiers(client.devices()["device"] if devices is None else devices)
    parts = _parts(sources, spans, at_once=devices_at_once)
    options = {"series": series, "aggregate": aggregate, "function": function}
    frame: dd.DataFrame = _joined(lend(client, cluster), parts, options)
    return frame


def _joined(loan: str, parts: list[Part], options: dict[str, Any]) -> Any:
    dd: Any = importlib.import_module("dask.dataframe")  # it ships no complete types
    meta = _plain(frames.empty("measurements"))
    if not parts:
        return dd.from_pandas(meta, npartitions=1)
    return dd.from_map(_fetch, parts, loan=loan, options=options, meta=meta, label="iotnb-measurements")


def _fetch(part: Part, *, loan: str, options: dict[str, Any]) -> pd.DataFrame:
    """One partition, on a worker."""
    from distributed import get_worker

    plugin = get_worker().plugins.get(loan)
    if not isinstance(plugin, Lent):
        raise ConfigError(
            "the login of this frame was taken back, or its client has ended: ask for the frame again"
        )
    frame = plugin.client.measurements(list(part.devices), since=part.start, until=part.end, **options)
    return _plain(frame)


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """With text in place of categories, which would differ from partition to partition."""
    names = [name for name in frame.columns if isinstance(frame[name].dtype, pd.CategoricalDtype)]
    return frame.astype(dict.fromkeys(names, "str"))


def _spans(window: times.Window, step: times.Interval) -> list[times.Window]:
    """The window cut where the steps of the calendar begin: the same cuts whenever it is asked for."""
    made, start = [], window.start
    while start < window.end:
        end = min(step.after(start), window.end)
        made.append(times.Window(start, end))
        start = end
        if len(made) > MOST:
            raise ConfigError(
                f"partition={step} makes more than {MOST:,} spans of this window: use a longer one"
            )
    return made


def _parts(sources: Sequence[str], spans: Sequence[times.Window], *, at_once: int) -> list[Part]:
    if at_once < 1:
        raise ConfigError(f"devices_at_once={at_once} must be at least 1")
    groups = [tuple(sources[n : n + at_once]) for n in range(0, len(sources), at_once)]
    if len(spans) * len(groups) > MOST:
        raise ConfigError(
            f"{len(spans):,} spans of {len(groups):,} groups of devices make more than {MOST:,} partitions: "
            "use a longer partition= or more devices_at_once="
        )
    return [Part(group, span.start, span.end) for span in spans for group in groups]


def _cluster() -> Any:
    """The cluster that this process is connected to."""
    import distributed

    try:
        return distributed.get_client()
    except ValueError:
        raise ConfigError(
            "no Dask cluster is connected: make one with distributed.Client(), or name its scheduler with "
            "distributed.Client('tls://scheduler:8786', security=...)"
        ) from None
