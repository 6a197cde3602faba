"""The measurement explorer: choose series, a time and a resolution; load, look, and take along."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from iotnb import curves, frames
from iotnb.errors import ConfigError, IotnbError
from iotnb.widgets import explorer_sheets as sheets
from iotnb.widgets.exchanges import ExchangeView
from iotnb.widgets.explorer_choice import SeriesChooser
from iotnb.widgets.explorer_plot import Drawing
from iotnb.widgets.explorer_tree import Pair
from iotnb.widgets.panel import Tone, sentence
from iotnb.widgets.printing import figure, rendered

if TYPE_CHECKING:
    from iotnb.client import Client

DOWNLOAD: Final = 300_000  # rows that are handed to the browser as a file
NOTHING_YET: Final = "Choose series at the left and press Load."


class MeasurementExplorer(SeriesChooser):
    """Measurements of a client: a tree of series, a time, a resolution; plot, table, statistics, code, HTTP.

    `devices` are identifiers or a frame of `client.devices()` (a picker's selection); without it all devices
    of the client are offered. `zone` is the IANA time zone in which times are shown and typed. `frame` holds
    what was loaded, `code()` the same as code, `figure()` draws it for print. Times in `frame` are UTC.
    """

    def __init__(
        self,
        client: Client,
        devices: pd.DataFrame | pd.Series | Iterable[str] | str | None = None,
        *,
        zone: str = "UTC",
    ) -> None:
        if not hasattr(client, "measurements"):
            raise ConfigError(
                f"MeasurementExplorer explores a client, not a {type(client).__name__}: "
                "pass what iotnb.connect() returns"
            )
        super().__init__(client, devices, zone=zone)
        self._frame = frames.empty("measurements")
        self._marks: dict[str, pd.DataFrame] = {}
        self._fresh = True
        self._asked: dict[str, Any] = {}
        self._view: ExchangeView | None = None
        self._drawing = Drawing(self._frame, words=NOTHING_YET)
        self._state = "idle"
        self._done.set()
        self._listen()
        self.greet()
        self.offer(everything=devices is None)

    # -- results

    @property
    def frame(self) -> pd.DataFrame:
        """The loaded measurements: time (UTC), device, series, value, text, unit."""
        return self._frame

    @property
    def marks(self) -> dict[str, pd.DataFrame]:
        """The loaded alarms, events and operations, by verb."""
        return dict(self._marks)

    def statistics(self) -> pd.DataFrame:
        """One row a loaded series: count, min, mean, max, std, first, last, last_value, step, gaps."""
        return curves.statistics(self._frame)

    def figure(self) -> Any:
        """A matplotlib Figure of what was loaded, with its marks, to be saved or shown in a cell."""
        return figure(lambda empty: self._print(self._frame, empty))

    def save(self, path: str | Path) -> Path:
        """Writes what was loaded to a .csv or .parquet file; ConfigError for another ending."""
        target = Path(path)
        target.write_bytes(_file(self._frame, target.suffix.removeprefix(".").lower()))
        return target

    def code(self) -> str:
        """The same load as code, for a script or another notebook."""
        return sheets.code(self._asked or self._question(), self._pairs(), self._marks)

    def load(self) -> None:
        """Loads the chosen series, in the background; `wait()` waits for it."""
        self._asked = self._question()
        self._fresh = False
        self.load_button.disabled, self.cancel_button.disabled = True, False
        self._view = ExchangeView(self.client)
        self._view.__enter__()
        self.refresh()

    def cancel(self) -> None:
        """Stops loading; what came stays."""
        super().cancel()
        if self._state == "loading":
            self.cancel_button.disabled = True
            self.say("busy", "Cancelling", "Waiting for the request that is on its way ...")

    # -- the load: hooks of LoadingPanel

    def _job(self, client: Client) -> Any:
        return client.job("measurements", **self._asked)

    def _rows(self) -> int:
        return len(self._frame) if self._fresh else 0

    def _take(self, frame: pd.DataFrame) -> None:
        self._frame = _only(frame, self._pairs())
        self._fresh = True
        self._marks = {}
        self._draw()

    def _changed(self) -> None:
        if not self.closed.is_set() and self.leaf is not None:
            self.leaf.send({"kind": "changed"})

    def _arrived(self, job: Any, first: bool) -> None:  # noqa: ARG002  # a hook's signature
        progress = job.progress
        if self._cancelled:
            return
        self.say("busy", "Loading", progress.text())
        self._tell_progress(progress.fraction)

    def _finish(self, state: str, *, error: BaseException | None = None) -> None:
        if not self._fresh:  # nothing came: what is shown must not look like the answer
            self._take(frames.empty("measurements"))
        if self._view is not None:
            self._view.__exit__(None, None, None)
        super()._finish(state, error=error)
        self.load_button.disabled, self.cancel_button.disabled = False, True
        if len(self._frame):
            self.aside(self._load_marks)

    def _words(self, state: str, count: int, error: BaseException | None) -> tuple[Tone, str, str]:
        if state == "empty":
            return "idle", "No data", "The chosen series have no values in this time."
        tone, word, text = super()._words(state, count, error)
        if state == "ready":
            return tone, word, sheets.told(self._frame, self.zone_name)
        return tone, word, text

    def _shown_state(self) -> dict[str, Any]:
        self._tell_progress(None)
        return super()._shown_state()

    # -- the form

    def _listen(self) -> None:
        self.load_button.on_click(self.handler(lambda _: self.load()))
        self.cancel_button.on_click(self.handler(lambda _: self.cancel()))
        for field in (self.start, self.end, self.aggregate, *self.ranges.values()):
            field.observe(self.handler(lambda _: self._later()), "value")
        self.zone.observe(self.handler(self._rezone), "value")
        for box in self.overlays.values():
            box.observe(self.handler(lambda _: self.aside(self._load_marks)), "value")
        if self.leaf is not None:
            self.leaf.on_msg(self.handler(self._receive))

    def _rezone(self, _: Any) -> None:
        _ = self.tz  # an unknown zone is an error now, not at the next load
        self.explain()
        self._draw()
        self._changed()
        if self._state in {"ready", "empty", "partial"}:
            self.say(*self._words(self._state, len(self._frame), None))

    def _question(self) -> dict[str, Any]:
        """The arguments of `client.measurements` for what is chosen; ConfigError when nothing is."""
        pairs = self._pairs()
        if not pairs:
            raise ConfigError("no series is chosen: choose at least one in the tree")
        since, until = self.window
        asked: dict[str, Any] = {
            "devices": list(dict.fromkeys(device for device, _ in pairs)),
            "series": list(dict.fromkeys(name for _, name in pairs)),
            "since": since,
            "until": until,
            **self.reduction(),
        }
        return {name: value for name, value in asked.items() if value is not None}

    # -- marks, drawing, files

    def _load_marks(self) -> None:
        frame, missing = self._frame, []
        devices = list(dict.fromkeys(frame["device"].astype(str)))
        window = (frame.attrs.get("iotnb") or {}).get("window")
        marks: dict[str, pd.DataFrame] = {}
        for verb, box in self.overlays.items():
            if not box.value or not devices or not window:
                continue
            held = self._marks.get(verb)
            try:
                marks[verb] = (
                    held
                    if held is not None
                    else self.client.job(verb, devices, since=window[0], until=window[1]).result()
                )
            except IotnbError as error:
                missing.append(f"{verb} could not be loaded: {sentence(error)}")
        if frame is not self._frame or self.closed.is_set():
            return
        if marks.keys() != self._marks.keys():
            self._marks = marks
            self._draw()
            self._changed()
        if missing:
            self.say("warn", "Incomplete", " ".join([self.status.text, *missing]))

    def _draw(self) -> None:
        words = NOTHING_YET if not self._asked else "No values in this time." if self._frame.empty else ""
        drawing = Drawing(self._frame, names=self._tree.names, zone=self.zone_name, words=words)
        drawing.mark(list(self._marks.values()))
        self._drawing = drawing

    def _print(self, frame: pd.DataFrame, empty: Any) -> None:
        from iotnb import plots  # here: it loads matplotlib

        axes = plots.lines(frame, ax=empty, names=self._tree.names)
        for marks in self._marks.values():
            if len(marks) and len(frame):
                plots.mark(axes, marks)

    def _send_print(self, content: Mapping[str, Any]) -> None:
        frame = _between(self._frame, content.get("from"), content.get("to"))
        files = rendered(lambda empty: self._print(frame, empty))
        alt = self._drawing.summary(*self._drawing.whole)
        message = {"kind": "print", "view": content.get("view"), "name": "measurements", "alt": alt}
        self._tell(message | {"kinds": list(files)}, list(files.values()))

    def _send_file(self, content: Mapping[str, Any]) -> None:
        kind = str(content["kind"])
        if len(self._frame) > DOWNLOAD:
            raise ConfigError(
                f"{len(self._frame):,} rows are too many for the browser: write them where the kernel runs, "
                f"with explorer.save('measurements.{kind}')"
            )
        message = {"kind": "file", "view": content.get("view"), "name": "measurements", "type": kind}
        self._tell(message, [_file(self._frame, kind)])

    def _send_sheet(self, content: Mapping[str, Any]) -> None:
        name, page = str(content.get("name")), int(content.get("page") or 0)
        if name == "Table":
            blocks = sheets.table(self._frame, page, names=self._tree.names, zone=self.zone_name)
        elif name == "Statistics":
            blocks = sheets.statistics(self._frame, names=self._tree.names, zone=self.zone_name)
        elif name == "Code":
            blocks = [{"kind": "code", "label": "The same as code", "code": self._code_or_hint()}]
        else:
            blocks = sheets.exchanges(self._view.exchanges if self._view is not None else [])
        self._tell({"kind": "sheet", "view": content.get("view"), "name": name, "blocks": blocks})

    def _code_or_hint(self) -> str:
        try:
            return self.code()
        except ConfigError as error:
            return f"# {error}"

    # -- the page

    def face(self) -> str:
        """How much is chosen and how much is loaded."""
        return f"{len(self._tree.chosen):,} series chosen, {len(self._frame):,} values loaded ({self._state})"

    def _tell_progress(self, share: float | None) -> None:
        self._tell({"kind": "progress", "share": share, "state": self._state, "rows": len(self._frame)})

    def _receive(self, _: Any, content: Mapping[str, Any], __: Any = None) -> None:
        kind = content.get("kind")
        if kind == "window":
            self._tell(*self._drawing.answer(content))
        elif kind == "hello":
            self._tell_tree()
            self._tell_progress(None)
        elif kind == "find":
            self._tree.text = str(content.get("text", ""))[:200]
            self._tell_tree()
        elif kind in {"open", "check"}:
            act = self._tree.open if kind == "open" else self._tree.check
            self._need(act(str(content.get("key", "")), bool(content.get("on"))))
            self._chosen() if kind == "check" else self._tell_tree()
        elif kind == "clear":
            self.select([])
        elif kind == "sheet":
            self.aside(self._send_sheet, content)
        elif kind == "print":
            self.aside(self._send_print, content)
        elif kind in {"csv", "parquet"}:
            self.aside(self._send_file, content)


def _only(frame: pd.DataFrame, pairs: list[Pair]) -> pd.DataFrame:
    """The rows of the chosen pairs: the verb answers for each device with each of the series."""
    devices, series = ({pair[at] for pair in pairs} for at in (0, 1))
    if not pairs or len(devices) * len(series) == len(pairs):
        return frame
    wanted = pd.MultiIndex.from_tuples(pairs)
    kept = frame[["device", "series"]].astype("str")
    found: pd.DataFrame = frame[pd.MultiIndex.from_frame(kept).isin(wanted)].reset_index(drop=True)
    return found


def _between(frame: pd.DataFrame, start: Any, end: Any) -> pd.DataFrame:
    if start is None or end is None:
        return frame
    limits = [pd.Timestamp(round(float(moment) * 1e6), unit="us", tz="UTC") for moment in (start, end)]
    return frame[(frame["time"] >= limits[0]) & (frame["time"] <= limits[1])]


def _file(frame: pd.DataFrame, kind: str) -> bytes:
    if kind == "csv":
        return frame.to_csv(index=False, date_format="%Y-%m-%dT%H:%M:%S.%fZ").encode()
    if kind == "parquet":
        target = io.BytesIO()
        frame.to_parquet(target, index=False)
        return target.getvalue()
    raise ConfigError(f"a file of the kind {kind!r} cannot be written: use .csv or .parquet")
