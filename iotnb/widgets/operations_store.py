"""A history of operations as the timeline's page wants it: arrays, words, a mask and facts a question."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from iotnb import frames, operations, times
from iotnb.errors import ConfigError
from iotnb.secret import scrub
from iotnb.widgets import details
from iotnb.widgets.source import Mask, Query, Source

REASONS = 1000  # different reasons of failure that a page holds; rarer ones are read with the document
LONGEST_REASON = 160  # characters of a reason in the table; the document holds all of it
FACTS = 6  # lines of each table in the summary
OTHER = "(another reason: open the operation)"


EMPTY = frames.empty("operations")

_numbers = itertools.count(1)


class Store:
    """A history as the page wants it: columns of numbers, lists of words, a mask and facts per question."""

    def __init__(self, frame: pd.DataFrame, names: Mapping[str, str], stuck: str | timedelta) -> None:
        operations.summary(frame)  # refuses what is no table of operations
        if not frame.empty and frame["time"].dt.tz is None:
            raise ConfigError("column time has no time zone: frames of a client have one, UTC")
        self.number = next(_numbers)  # a page knows by it whether an answer is about the rows that it has
        self.frame = frame
        self._names = names
        self._now = times.now()
        self.late: Mask = operations.is_stuck(frame, before=times.window(stuck, self._now).start)
        self._stuck = stuck
        called = frame["device"].astype("str").map(lambda each: names.get(each, ""))
        self._source = Source(frame.assign(name=called.astype("str")))

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def devices(self) -> list[str]:
        """The devices that have operations."""
        return sorted({str(each) for each in self.frame["device"].dropna().unique()})

    def mask(self, query: Query, only_stuck: bool) -> Mask:
        """Which rows match."""
        found = self._source.mask(query)
        return found & self.late if only_stuck else found

    def columns(self) -> tuple[dict[str, Any], list[bytes]]:
        """The words, and one array a column: begin, end (ms), device, kind, status, reason, stuck."""
        frame = self.frame
        statuses = list(frames.VOCABULARIES["operations", "status"])
        statuses += sorted(set(frame["status"].astype("str")) - set(statuses))
        devices, kinds = self.devices, sorted({str(each) for each in frame["kind"].dropna().unique()})
        reasons = self._reasons()
        codes = _codes(frame["failure"].fillna("").astype("str").str.slice(0, LONGEST_REASON), reasons)
        if len(reasons) == REASONS:
            codes[(codes < 0) & frame["failure"].notna().to_numpy()] = REASONS
        arrays: list[Any] = [
            _milliseconds(frame["time"]),
            _milliseconds(frame["finished"]),
            _codes(frame["device"].astype("str"), devices),
            _codes(frame["kind"].astype("str"), kinds),
            _codes(frame["status"].astype("str"), statuses),
            codes,
            self.late.astype(np.uint8),
        ]
        told = {
            "data": self.number, "n": len(frame), "statuses": statuses, "kinds": kinds,
            "devices": [[each, self._names.get(each, "")] for each in devices],
            "reasons": [*reasons, OTHER], "now": self._now.timestamp() * 1000, "window": self._window(),
            "complete": bool(self._origin.get("complete", True)),
        }  # fmt: skip
        return told, [each.tobytes() for each in arrays]

    def facts(self, mask: Mask, query: Query) -> dict[str, Any]:
        """Counts beside each filter, and the summary of the rows that match."""
        rows = self.frame.loc[mask]
        failed, spans = operations.failures(rows), operations.durations(rows)
        return {
            "facets": self._source.facets(query, ("status", "kind")),
            "late": int((self.late & mask).sum()),
            "sentence": operations.summary(rows),
            "failures": [
                [str(reason)[:LONGEST_REASON], int(count), int(devices)]
                for reason, count, devices in _first(failed, "failure", "count", "devices")
            ],
            "reasons": len(failed),
            "durations": [
                [str(kind), int(count), _seconds(median), _seconds(p95), int(bad)]
                for kind, count, median, p95, bad in _first(spans, "kind", "count", "median", "p95", "failed")
            ],
        }

    def document(self, row: int) -> dict[str, Any]:
        """One operation whole: its row in words, and the platform's document as indented JSON."""
        cells = self.frame.iloc[row]
        facts = {
            name: "" if pd.isna(cells[name]) else str(cells[name])
            for name in ("operation", "device", "platform_status", "failure")
            if name in cells.index
        }
        facts["name"] = self._names.get(facts["device"], "")
        raw = cells.get(details.DOCUMENT)
        own = isinstance(raw, str)
        text = raw if isinstance(raw, str) else json.dumps(_plain(cells), ensure_ascii=False)
        return {
            "facts": {name: scrub(value) for name, value in facts.items()},
            "text": details.pretty(text),
            "own": own,
        }

    def _reasons(self) -> list[str]:
        texts = self.frame["failure"].dropna().astype("str").str.slice(0, LONGEST_REASON)
        return [str(each) for each in texts.value_counts().index[:REASONS]]

    @property
    def _origin(self) -> Mapping[str, Any]:
        found = self.frame.attrs.get("iotnb")
        return found if isinstance(found, dict) else {}

    def _window(self) -> list[float] | None:
        window = self._origin.get("window")
        return [times.from_wire(each).timestamp() * 1000 for each in window] if window else None


def packed(mask: Mask) -> bytes:
    """One bit a row, the first row in the lowest bit."""
    return np.packbits(mask, bitorder="little").tobytes()


def _first(table: pd.DataFrame, *names: str) -> Iterator[tuple[Any, ...]]:
    """The first rows of some columns."""
    return zip(*(table[name].head(FACTS) for name in names), strict=True)


def _codes(values: pd.Series, words: Sequence[str]) -> np.ndarray[Any, Any]:
    """The place of each value among words, -1 for none."""
    return pd.Index(list(words), dtype="str").get_indexer(pd.Index(values)).astype(np.int32)


def _milliseconds(values: pd.Series) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Moments as milliseconds since 1970, NaN for none."""
    naive = values.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype("M8[us]")
    return np.where(np.isnat(naive), np.nan, naive.astype("int64") / 1000.0)


def _seconds(span: Any) -> float | None:
    return None if pd.isna(span) else float(pd.Timedelta(span).total_seconds())


def _plain(cells: pd.Series) -> dict[str, Any]:
    return {str(name): None if pd.isna(value) else str(value) for name, value in cells.items()}
