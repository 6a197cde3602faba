"""What stands in the explorer's tabs beside the plot, and in its lines: all as data, nothing as HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from iotnb import curves, times
from iotnb.secret import scrub
from iotnb.widgets.exchanges import summary
from iotnb.widgets.explorer_plot import zone_of

if TYPE_CHECKING:
    from iotnb.exchange import Exchange

PAGE: Final = 50  # rows of a page
EXCHANGES: Final = 20  # the newest ones
MINUTE: Final = {"m": 1, "h": 60, "d": 1440}

Blocks = list[dict[str, Any]]


def table(frame: pd.DataFrame, page: int, *, names: Mapping[str, str], zone: str) -> Blocks:
    """One page of the loaded rows."""
    if frame.empty:
        return [_text("Nothing is loaded.")]
    pages = -(-len(frame) // PAGE)
    page = min(max(page, 0), pages - 1)
    part = frame.iloc[page * PAGE : (page + 1) * PAGE]
    moments = _times(part["time"], zone)
    rows = [
        [moment, names.get(device, device), series, value, text, unit]
        for moment, device, series, value, text, unit in zip(
            moments, part["device"].astype(str), part["series"].astype(str), map(_number, part["value"]),
            _strings(part["text"]), _strings(part["unit"]), strict=True,
        )
    ]  # fmt: skip
    first = page * PAGE + 1
    return [
        {
            "kind": "table", "caption": f"Rows {first:,} to {first + len(rows) - 1:,} of {len(frame):,}",
            "columns": [f"Time ({zone})", "Device", "Series", "Value", "Text", "Unit"], "numbers": [3],
            "rows": rows, "page": page, "pages": pages,
            "hint": "In Python: explorer.frame, times in UTC.",
        }
    ]  # fmt: skip


def statistics(frame: pd.DataFrame, *, names: Mapping[str, str], zone: str) -> Blocks:
    """The statistics of each loaded series."""
    made = curves.statistics(frame)
    if made.empty:
        return [_text("Nothing is loaded.")]
    first, last = (_times(made[name], zone) for name in ("first", "last"))
    rows = [
        [
            names.get(row["device"], row["device"]), row["series"], row["unit"], f"{row['count']:,}",
            *(_number(row[name]) for name in ("min", "mean", "max", "std", "last_value")),
            f"{row['gaps']:,}", _lasting(row["step"]), first[at], last[at],
        ]
        for at, row in enumerate(made.to_dict("records"))
    ]  # fmt: skip
    columns = [
        "Device", "Series", "Unit", "Values", "Lowest", "Mean", "Highest", "Std. deviation", "Last value",
        "Gaps", "Usual step", f"First ({zone})", f"Last ({zone})",
    ]  # fmt: skip
    return [
        {
            "kind": "table", "caption": f"Statistics of {len(made)} series", "columns": columns, "rows": rows,
            "numbers": list(range(3, 11)), "page": 0, "pages": 1,
            "hint": "A gap is a step of more than three times the usual one, or values that are no numbers. "
            "In Python: explorer.statistics().",
        }
    ]  # fmt: skip


def code(
    asked: Mapping[str, Any], pairs: Sequence[tuple[str, str]], marks: Mapping[str, pd.DataFrame]
) -> str:
    """The load as Python."""
    devices, series = asked["devices"], asked["series"]
    rest = "".join(f", {name}={asked[name]!r}" for name in asked if name not in {"devices", "series"})
    lines = ["import iotnb", "", f"devices = {devices!r}", f"series = {series!r}"]
    lines.append(f"m = client.measurements(devices, series=series{rest})")
    if len(devices) * len(series) != len(pairs):
        lines += [
            f"chosen = {list(pairs)!r}",
            'm = m[[pair in chosen for pair in zip(m["device"], m["series"])]]',
        ]
    lines.append("iotnb.curves.statistics(m)")
    since = "".join(f", {name}={asked[name]!r}" for name in ("since", "until") if name in asked)
    lines += [f"{verb} = client.{verb}(devices{since})" for verb in marks]
    lines.append(f"iotnb.SeriesPlot(m{', marks=[' + ', '.join(marks) + ']' if marks else ''})")
    lines.append("ax = iotnb.plots.lines(m)")
    lines += [f"iotnb.plots.mark(ax, {verb})" for verb in marks]
    return "\n".join(lines)


def exchanges(found: Sequence[Exchange]) -> Blocks:
    """What the last load asked and got, newest last, secrets blanked."""
    if not found:
        return [_text("Nothing was sent yet.")]
    shown = list(found)[-EXCHANGES:]
    blocks: Blocks = [
        {"kind": "exchange", "title": summary(each), "http": scrub(each.http()), "curl": scrub(each.curl())}
        for each in shown
    ]
    asked = f"{len(found):,} request{'' if len(found) == 1 else 's'} of the last load"
    left = f"; the first {len(found) - len(shown):,} are left out" if len(found) > len(shown) else ""
    return [_text(f"{asked}{left}. Secrets are blanked."), *blocks]


def told(frame: pd.DataFrame, zone: str) -> str:
    """A loaded frame in one line: how much, of when, complete or not, and who reduced it."""
    note = frame.attrs.get("iotnb") or {}
    pairs = len(frame[["device", "series"]].drop_duplicates()) if len(frame) < 10_000_000 else 0
    parts = [f"{len(frame):,} values of {pairs:,} series" if pairs else f"{len(frame):,} values"]
    if note.get("window"):
        begin, until = (_moment(pd.Timestamp(each), zone) for each in note["window"])
        parts[0] += f", {begin} to {until} {zone}"
    parts.append(
        "Complete" if note.get("complete", True) else f"Incomplete: {len(note['gaps'])} parts missing"
    )
    query = note.get("query") or {}
    if query.get("aggregate"):
        here = any("reduced here" in each for each in note.get("notes", ()))
        who = "by pandas, here" if here else "by the server"
        parts.append(f"Reduced to the {query.get('function', 'mean')} of {query['aggregate']} {who}")
    return ". ".join(parts) + "."


def size(
    known: pd.DataFrame, samples: Sequence[pd.DataFrame], span: times.Window, aggregate: str | None
) -> str:
    """About how much a load will bring, in words."""
    start, end = pd.Timestamp(span.start), pd.Timestamp(span.end)
    sample = pd.concat([each for each in samples if len(each)] or list(samples[:1]))
    count = curves.expected(known, sample, start=start, end=end)
    if count is None:
        return "How much it will be is not known: the series have no two values."
    sent = sum((each.attrs.get("iotnb") or {}).get("bytes", 0) for each in samples)
    weight = f", {_bytes(count * sent / len(sample))} to load" if sent else ""
    if aggregate:
        minutes = int(aggregate[:-1]) * MINUTE[aggregate[-1]]
        reduced = min(count, round(len(known) * span.seconds / 60 / minutes) + len(known))
        return f"About {reduced:,} values, of {count:,} raw ones (read where the server cannot reduce)."
    return f"About {count:,} values{weight}."


def _text(text: str) -> dict[str, Any]:
    return {"kind": "text", "text": text}


def _times(moments: pd.Series, zone: str) -> list[str]:
    local = moments.dt.tz_convert(zone_of(zone))
    return ["" if pd.isna(each) else each.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] for each in local]


def _moment(moment: pd.Timestamp, zone: str) -> str:
    return moment.tz_convert(zone_of(zone)).strftime("%Y-%m-%d %H:%M")


def _number(value: Any) -> str:
    return "" if pd.isna(value) else f"{value:.7g}"


def _strings(values: pd.Series) -> list[str]:
    return ["" if pd.isna(each) else str(each) for each in values]


def _lasting(step: Any) -> str:
    if pd.isna(step):
        return ""
    seconds = step.total_seconds()
    for name, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.3g} {name}"
    return f"{seconds:.3g} s"


def _bytes(count: float) -> str:
    return f"{count / 1e6:,.1f} MB" if count >= 1e6 else f"{max(count / 1e3, 1):,.0f} kB"
