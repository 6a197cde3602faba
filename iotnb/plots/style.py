"""What all plots share: figure, time axis, names, the source line, and how missing data look."""

import re
import textwrap
from collections.abc import Sequence
from typing import Any, Final, Literal

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import dates as mdates
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from iotnb.curves import Names as Names
from iotnb.curves import naive as naive
from iotnb.curves import titles
from iotnb.errors import ConfigError

WIDTH: Final = 9.0  # inches; fits a notebook's page
TALLEST: Final = 14.0
OWN: Final = "iotnb"  # marks the figures that were made here
ALERT: Final = "#d1495b"  # reads on white and on black
_COLOURS: Final = (
    "#0072b2", "#d55e00", "#009e73", "#b3528f", "#c28e00", "#3f9fd8", "#7a5cc0", "#6f7378",
)  # fmt: skip  # told apart with any colour vision
_LINES: Final = ("-", "--", ":", "-.")


def checked(frame: pd.DataFrame, columns: Sequence[str], *, verb: str) -> pd.DataFrame:
    """The frame if it has the columns of the verb's table; ConfigError that says what to pass otherwise."""
    missing = [name for name in columns if name not in getattr(frame, "columns", ())]
    if missing:
        raise ConfigError(f"no column {', '.join(missing)}: pass a frame as client.{verb}() returns it")
    return frame


def shown(devices: Sequence[str], names: Names, *, most: int = 28) -> tuple[str, dict[str, str]]:
    """How devices are called in a plot: the words that all names begin with, and per id what follows them.

    Two devices of one name are told apart by a number; a name longer than `most` loses its middle.
    """
    known = titles(names)
    full = _unique([known.get(each, each) for each in devices])
    words = [name.split(" ") for name in full]
    same = 0
    while len(full) > 1 and all(len(each) > same + 1 and each[same] == words[0][same] for each in words):
        same += 1
    common = " ".join(words[0][:same])
    if len(common) < 10:  # hardly worth taking away
        same, common = 0, ""
    left = [" ".join(each[same:]) for each in words]
    return common, {device: _elided(name, most) for device, name in zip(devices, left, strict=True)}


def _elided(name: str, most: int) -> str:
    return name if len(name) <= most else f"{name[: most // 2 - 1]}…{name[-(most // 2) :]}"


def _unique(names: list[str]) -> list[str]:
    """Names of which no two are the same."""
    seen: dict[str, int] = {}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return result


def panels(ax: Axes | Figure | None, count: int, *, height: float) -> list[Axes]:
    """`count` axes, one below the other, that share their x axis; in `ax` if it is given."""
    if ax is None:
        import matplotlib.pyplot as plt  # here: it costs a third of a second

        ax = plt.figure()
    if isinstance(ax, Figure):
        ax.set_size_inches(WIDTH, min(height, TALLEST))
        ax.set_layout_engine("constrained")
        ax.set_gid(OWN)
        return list(ax.subplots(count, 1, sharex=True, squeeze=False)[:, 0])
    if count == 1:
        return [ax]
    from mpl_toolkits.axes_grid1 import make_axes_locatable

    divider = make_axes_locatable(ax)
    return [ax, *(divider.append_axes("bottom", size="100%", pad=0.15, sharex=ax) for _ in range(count - 1))]


def palette() -> list[str]:
    """Colours of the style in use; our own where it is matplotlib's default one."""
    cycle = mpl.rcParams["axes.prop_cycle"].by_key().get("color", [])
    default = mpl.rcParamsDefault["axes.prop_cycle"].by_key()["color"]
    return list(_COLOURS) if not cycle or cycle == default else list(cycle)


def look(position: int, *, variant: int = 0) -> dict[str, Any]:
    """Colour and line style of the n-th curve: 32 that differ; a variant has the colour, and another line."""
    colours = palette()
    return {
        "color": colours[position % len(colours)],
        "linestyle": _LINES[(position // len(colours) + variant) % len(_LINES)],
    }


def tidy(ax: Axes, *, grid: Literal["x", "y"] = "y") -> None:
    """Only the spines and grid lines that help to read."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(visible=True, axis=grid, alpha=0.25, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.tick_params(labelsize="small")


def time_axis(ax: Axes, start: Any, end: Any) -> None:
    """The x axis in UTC, whatever zone matplotlib is set to."""
    if start == end:  # one moment still needs an axis
        start, end = start - np.timedelta64(1, "m"), end + np.timedelta64(1, "m")
    locator: Any = mdates.AutoDateLocator(tz="UTC", minticks=4, maxticks=9)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    formatter: Any = mdates.ConciseDateFormatter(locator, tz="UTC")  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_formatter(formatter)
    ax.set_xlim(start, end)
    ax.xaxis.get_offset_text().set_fontsize("small")
    ax.set_xlabel("time (UTC)", fontsize="small", loc="left")


def heading(ax: Axes, text: str) -> None:
    """The title, at the left."""
    ax.set_title(text, loc="left", fontsize="medium", fontweight="bold")


def legend(ax: Axes, handles: Sequence[Any], labels: Sequence[str], *, most: int = 12) -> None:
    """A legend beside the axes; a long one is cut and says so."""
    shown, words = list(handles), list(labels)
    if len(words) > most:
        shown = [*shown[: most - 1], Line2D([], [], linestyle="")]
        words = [*words[: most - 1], f"and {len(words) - most + 1} more"]
    ax.legend(
        shown, words, loc="upper left", bbox_to_anchor=(1.0, 1.03), frameon=False, fontsize="small",
        handlelength=1.8, borderaxespad=0.2,
    )  # fmt: skip


def natural(name: str) -> list[Any]:
    """A sort key that puts "Sensor 2" before "Sensor 10"."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def provenance(frame: pd.DataFrame) -> dict[str, Any]:
    """Where the frame came from, or an empty mapping."""
    found = frame.attrs.get("iotnb")
    return found if isinstance(found, dict) else {}


def source(ax: Axes, frame: pd.DataFrame, *, what: str) -> None:
    """The line below the axes that says where the data came from, and the mark of an incomplete frame."""
    origin = provenance(frame)
    parts = [what]
    if origin:
        parts.insert(0, f"{origin.get('platform', '')} at {origin.get('host', '')}")
        window = origin.get("window")
        if window:
            parts.append(f"asked for {_minute(window[0])} to {_minute(window[1])} UTC")
        parts.append("complete" if origin.get("complete", True) else "INCOMPLETE")
    else:
        parts.append("source not recorded")
    root = ax.get_figure(root=True)
    text = "  ·  ".join(parts)
    if root is not None and root.get_gid() == OWN:
        root.supxlabel(textwrap.fill(text, 172), x=0.005, ha="left", fontsize="x-small", alpha=0.7)
        return
    inches = ax.get_position().width * (root.get_figwidth() if root else WIDTH)
    text = textwrap.fill(text, width=max(int(17.4 * inches), 30))
    down = -34 if ax.get_xlabel() else -22
    ax.annotate(
        text, (0, 0), (0, down), xycoords="axes fraction", textcoords="offset points", va="top",
        fontsize="x-small", alpha=0.7, annotation_clip=False,
    )  # fmt: skip


def warn_incomplete(axes: Sequence[Axes], frame: pd.DataFrame) -> None:
    """Hatches what was not loaded and says so in the corner; nothing if the frame is complete."""
    corner(axes[0], frame)
    if provenance(frame).get("complete", True):
        return
    for start, end in gap_spans(frame):
        for ax in axes:
            ax.axvspan(start, end, fc="none", ec=ALERT, alpha=0.45, hatch="///", linewidth=0, zorder=0)


def corner(ax: Axes, frame: pd.DataFrame) -> None:
    """Says in the corner that the frame is incomplete; nothing if it is complete."""
    if provenance(frame).get("complete", True):
        return
    number = max(len(provenance(frame).get("gaps", ())), 1)
    text = f"INCOMPLETE: {number} part{'s' if number > 1 else ''} missing"
    ax.set_title(text, loc="right", fontsize="small", fontweight="bold", color=ALERT)


def gap_spans(frame: pd.DataFrame) -> list[tuple[Any, Any]]:
    """The (start, end) of the gaps of an incomplete frame, overlapping ones joined."""
    spans: list[tuple[Any, Any]] = []
    found = []
    for gap in provenance(frame).get("gaps", ()):
        limits = pd.to_datetime([gap.get("start"), gap.get("end")], utc=True, format="ISO8601")
        if not limits.isna().any():
            found.append(tuple(limits.tz_localize(None).to_numpy().astype("M8[us]")))
    for start, end in sorted(found):
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], end))
        else:
            spans.append((start, end))
    return spans


def no_data(ax: Axes | Figure | None, frame: pd.DataFrame, *, words: str) -> Axes:
    """Axes that say that there is nothing to draw, and why as far as it is known."""
    only = panels(ax, 1, height=2.2)[0]
    only.set(xticks=[], yticks=[])
    only.spines[:].set_alpha(0.3)
    place: dict[str, Any] = {"ha": "center", "va": "center", "transform": only.transAxes}
    only.text(0.5, 0.5, words, fontsize="large", alpha=0.75, **place)
    source(only, frame, what="no data")
    corner(only, frame)
    return only


def _minute(wire: str) -> str:
    return str(wire)[:16].replace("T", " ")
