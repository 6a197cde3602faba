"""The kernel's side of a plot: curves, marks and holes, and the answer to a page that asks for a window."""

from __future__ import annotations

import itertools
import zoneinfo
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

import numpy as np
import pandas as pd

from iotnb import curves
from iotnb.curves import Curve, Thinned
from iotnb.errors import ConfigError
from iotnb.widgets.leaves import PlotLeaf
from iotnb.widgets.panel import static_face

POINTS: Final = 20_000  # of all curves in one answer
BINS: Final = (60, 1000)  # least and most intervals of a curve
MARKS: Final = 1000  # alarms, events and operations in one plot
TOLD: Final = 12  # curves that the text summary tells of

_versions = itertools.count(1)


class Drawing:
    """What a plot shows: the curves of a frame, marks over them, and what was not loaded.

    `names` maps device ids to names; times are said in `zone`, an IANA name.
    """

    def __init__(
        self, m: pd.DataFrame, *, names: Mapping[str, str] | None = None, zone: str = "UTC", words: str = ""
    ) -> None:
        self.version = next(_versions)
        self.curves = [curve for curve in curves.split(m) if len(curve)]
        self.names = names or {}
        self.words = words or ("no data" if m.empty else f"None of the {len(m):,} values is a number.")
        self._short = _short({curve.series for curve in self.curves})
        self.holes = _holes(m)
        self.groups: list[dict[str, Any]] = []
        self.marks: list[list[Any]] = []
        self.more = 0
        self._zone_name, self.zone = zone, zone_of(zone)
        self.whole = self._whole()

    def mark(self, frames: Sequence[pd.DataFrame]) -> None:
        """Marks alarms, events and operations, as `iotnb.plots.mark` does, instead of those before."""
        self.groups, found = [], []
        for frame in [frame for frame in frames if len(frame)]:
            from iotnb.plots import marks  # here: it loads matplotlib, which no plot without marks needs

            begin, end = marks.spans(frame, latest=_stamp(self.whole[1]))
            starts, ends = _seconds(begin), _seconds(end)
            for word, (colour, symbol, rows) in marks.groups(frame).items():
                group = len(self.groups)
                self.groups.append(
                    {"word": word, "colour": colour, "symbol": symbol, "count": int(rows.sum())}
                )
                texts = self._texts(frame[rows])
                found += [
                    [a, b, group, text]
                    for a, b, text in zip(starts[rows], ends[rows], texts, strict=True)
                    if a == a  # a row without a time stands nowhere
                ]
        found.sort(key=lambda each: each[0])
        self.marks, self.more = found[:MARKS], max(len(found) - MARKS, 0)
        self.version = next(_versions)

    def answer(self, asked: Mapping[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        """The message and the buffers for a page that asks for a window of so many pixels."""
        start, end = asked.get("from"), asked.get("to")
        if start is None or end is None or not float(end) > float(start):
            start, end = self.whole
        content, buffers = self.window(float(start), float(end), width=int(asked.get("width") or 800))
        content |= {"kind": "window", "view": asked.get("view"), "seq": asked.get("seq")}
        if asked.get("version") != self.version:
            content |= {"version": self.version, "meta": self.meta()}
        return content, buffers

    def meta(self) -> dict[str, Any]:
        """What does not change with the window."""
        return {
            "curves": [self._called(curve) for curve in self.curves], "whole": self.whole,
            "holes": self.holes, "zone": self._zone_name, "words": self.words, "groups": self.groups,
            "marks": self.marks, "more": self.more,
        }  # fmt: skip

    def window(self, start: float, end: float, *, width: int) -> tuple[dict[str, Any], list[bytes]]:
        """The curves between two moments (seconds since 1970), thinned for so many pixels, on one time axis.

        Buffers: the times of all (float64 seconds), then of all curves, one after the other, the positions in
        the times and the values (NaN is a gap), and the positions of lone points.
        """
        bins = max(BINS[0], min(width, BINS[1], POINTS // (2 * max(len(self.curves), 1))))
        limits = [np.datetime64(round(moment * 1e6), "us") for moment in (start, end)]
        thinned = [curve.thin(limits[0], limits[1], bins=bins) for curve in self.curves]
        ticks = [_apart(each.time.view(np.int64)) for each in thinned]
        edges = np.array(limits).view(np.int64)
        axis = np.unique(np.concatenate([edges, *ticks]))
        wide = len(axis) > 65_535
        places = [np.searchsorted(axis, each).astype(np.uint32 if wide else np.uint16) for each in ticks]
        told = [self._numbers(curve, each, limits) for curve, each in zip(self.curves, thinned, strict=True)]
        lone = [place[each.lone].astype(np.uint32) for place, each in zip(places, thinned, strict=True)]
        buffers = [
            (axis / 1e6).tobytes(),
            _joined(places, np.uint16).tobytes(),
            _joined([each.value for each in thinned], np.float64).tobytes(),
            _joined(lone, np.uint32).tobytes(),
        ]
        drawn, points = sum(each.drawn for each in thinned), sum(each.points for each in thinned)
        for row, each in zip(told, lone, strict=True):
            row["lone"] = len(each)
        content = {
            "from": start, "to": end, "wide": wide, "curves": told, "drawn": drawn, "points": points,
            "range": self.range(start, end), "summary": self.summary(start, end, told),
            "note": _note(drawn, points, bins),
        }  # fmt: skip
        return content, buffers

    def range(self, start: float, end: float) -> str:
        """The window in words, with its time zone."""
        digits = "milliseconds" if end - start < 10 else "seconds" if end - start < 7200 else "minutes"
        begin, until = (self._moment(moment).isoformat(" ", digits)[:-6] for moment in (start, end))
        if begin[:10] == until[:10]:
            until = until[11:]
        return f"{begin} to {until} {self._zone_name}"

    def summary(self, start: float, end: float, told: Sequence[Mapping[str, Any]] | None = None) -> str:
        """The picture in words: range, and per series lowest, highest, last value and number of gaps."""
        if not self.curves:
            return self.words
        if told is None:
            told = self.window(start, end, width=BINS[0])[0]["curves"]
        lines = [f"{len(self.curves)} series from {self.range(start, end)}."]
        for curve, row in list(zip(self.curves, told, strict=True))[:TOLD]:
            called = self._called(curve)["label"]
            if not row["points"]:
                lines.append(f"{called}: no values.")
                continue
            unit = f" {curve.unit}" if curve.unit else ""
            gaps = "1 gap" if row["gaps"] == 1 else f"{row['gaps']:,} gaps"
            low, high, last = (f"{row[name]:.7g}{unit}" for name in ("min", "max", "last"))
            lines.append(
                f"{called}: {row['points']:,} values, lowest {low}, highest {high}, last {last}, {gaps}."
            )
        if len(self.curves) > TOLD:
            lines.append(f"And {len(self.curves) - TOLD} more series.")
        lines += [f"{group['word']}: {group['count']:,}." for group in self.groups]
        if self.holes:
            parts = "1 part was" if len(self.holes) == 1 else f"{len(self.holes)} parts were"
            lines.append(f"{parts} not loaded.")
        return " ".join(lines)

    def _called(self, curve: Curve) -> dict[str, str]:
        name = self.names.get(curve.device, curve.device)
        label = f"{name}, {curve.series}" if len({each.device for each in self.curves}) > 1 else curve.series
        return {
            "device": curve.device,
            "name": name,
            "series": curve.series,
            "short": self._short.get(curve.series, curve.series),
            "unit": curve.unit,
            "label": label,
        }

    def _numbers(self, curve: Curve, each: Thinned, limits: Sequence[np.datetime64]) -> dict[str, Any]:
        first, last = np.searchsorted(curve.time, limits[0]), np.searchsorted(curve.time, limits[1], "right")
        inside = each.value[(each.time >= limits[0]) & (each.time <= limits[1])]
        inside = inside[~np.isnan(inside)]
        return {
            "n": len(each.time), "points": each.points,
            "gaps": int(((curve.breaks > first) & (curve.breaks < last)).sum()),
            "min": float(inside.min()) if len(inside) else None,
            "max": float(inside.max()) if len(inside) else None,
            "last": float(curve.value[last - 1]) if last > first else None,
        }  # fmt: skip

    def _whole(self) -> tuple[float, float]:
        """From the first to the last value; what was not loaded belongs to the picture too."""
        if not self.curves:
            return 0.0, 1.0
        start = min([_second(curve.time[0]) for curve in self.curves] + [hole[0] for hole in self.holes])
        end = max([_second(curve.time[-1]) for curve in self.curves] + [hole[1] for hole in self.holes])
        return (start - 60, end + 60) if start == end else (start, end)

    def _moment(self, seconds: float) -> datetime:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).astimezone(self.zone)

    def _texts(self, frame: pd.DataFrame) -> list[str]:
        kind = next(name for name in ("text", "failure", "kind", "type") if name in frame.columns)
        texts = frame[kind].astype("object").where(frame[kind].notna(), "")
        if "kind" in frame.columns:
            texts = frame["kind"].astype(str)
        devices = frame["device"].astype(str)
        return [
            f"{text} ({self.names.get(device, device)})"[:200]
            for text, device in zip(texts, devices, strict=True)
        ]


class SeriesPlot(PlotLeaf):
    """A plot of measurements to zoom and pan, millions of points; shows itself in a notebook.

    `m` is a frame of `client.measurements()`; `marks` are frames of alarms, events or operations. One axis a
    unit; gaps are not bridged; the points stay in the kernel. `names` maps device ids to names (or is a frame
    of `client.devices()`); `zone` is an IANA time zone. Raises ConfigError for another frame or zone.
    """

    def __init__(
        self,
        m: pd.DataFrame,
        *,
        marks: Sequence[pd.DataFrame] = (),
        names: Mapping[str, str] | pd.DataFrame | None = None,
        zone: str = "UTC",
    ) -> None:
        drawing = Drawing(m, names=curves.titles(names), zone=zone)
        drawing.mark(marks)
        self.drawing = drawing
        super().__init__()
        self.on_msg(self._receive)

    def summary(self) -> str:
        """The whole picture in words."""
        return self.drawing.summary(*self.drawing.whole)

    def __repr__(self) -> str:
        return f"<SeriesPlot: {self.summary()}>" if "drawing" in self.__dict__ else super().__repr__()

    def _receive(self, _: Any, content: Mapping[str, Any], __: Any = None) -> None:
        if content.get("kind") == "window":
            self.send(*self.drawing.answer(content))

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = super()._repr_mimebundle_(**kwargs) or ({}, {})
        data["text/plain"] = repr(self)
        data["text/html"] = static_face("Plot", self.summary())
        return data, metadata


def zone_of(name: str) -> tzinfo:
    """The time zone of an IANA name; ConfigError for an unknown one."""
    if name == "UTC":
        return UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(f"there is no time zone {name!r}: write one such as UTC or Europe/Berlin") from None


def _holes(m: pd.DataFrame) -> list[tuple[float, float]]:
    """What was not loaded, in seconds since 1970."""
    origin = m.attrs.get("iotnb") or {}
    return sorted(
        {
            (_stamp_of(gap["start"]), _stamp_of(gap["end"]))
            for gap in origin.get("gaps", ())
            if gap.get("start") and gap.get("end")
        }
    )


def _short(series: set[str]) -> dict[str, str]:
    """Series -> the part behind its last dot, where no other series ends alike."""
    ends = [name.rpartition(".")[2] for name in series]
    return {name: end for name, end in zip(series, ends, strict=True) if end and ends.count(end) == 1}


def _stamp_of(wire: str) -> float:
    return pd.Timestamp(wire).timestamp()


def _stamp(seconds: float) -> pd.Timestamp:
    return pd.Timestamp(round(seconds * 1e6), unit="us", tz="UTC")


def _second(moment: np.datetime64) -> float:
    return int(moment.view(np.int64)) / 1e6


def _seconds(times: pd.Series) -> Any:
    ticks = curves.naive(times).view(np.int64)
    return np.where(ticks == np.iinfo(np.int64).min, np.nan, ticks / 1e6)


def _apart(ticks: Any) -> Any:
    """Two values at one instant keep a place each."""
    same = np.diff(ticks) == 0
    if not same.any():
        return ticks
    moved = ticks.copy()
    moved[1:] += same
    return moved


def _joined(parts: Sequence[Any], kind: Any) -> Any:
    return np.concatenate(parts) if parts else np.empty(0, kind)


def _note(drawn: int, points: int, bins: int) -> str:
    if drawn < points:
        return f"{drawn:,} of {points:,} values drawn: the lowest and highest of {bins:,} intervals a series"
    return f"{points:,} values, all drawn"
