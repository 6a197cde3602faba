"""DataFrames to the terminal and to files."""

import functools
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    import pandas as pd

F = TypeVar("F", bound=Callable[..., Any])
ROWS = 40
"""So many rows of a longer table are shown on a terminal."""

WIDEST = 40
"""A cell on a terminal is cut to so many characters."""

_FORMATS = ("csv", "json", "parquet")
_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--csv", type=click.Path(dir_okay=False), metavar="FILE", help="Write CSV; - is standard output."
    ),
    click.option(
        "--json", type=click.Path(dir_okay=False), metavar="FILE", help="Write JSON records; - likewise."
    ),
    click.option(
        "--parquet", type=click.Path(dir_okay=False), metavar="FILE", help="Write Parquet, types kept."
    ),
)


@dataclass(frozen=True)
class Output:
    """The files that a table goes to; without any it is shown."""

    files: dict[str, str]

    def deliver(self, frame: "pd.DataFrame") -> None:
        """Writes the files that were asked for, or shows the table and a line about it on standard error."""
        for kind, name in self.files.items():
            write(frame, kind, name)
            if name != "-":
                click.echo(f"{len(frame):,} rows written to {name}", err=True)
        if not self.files:
            show(frame)


def writing(command: F) -> F:
    """Gives a command `--csv`, `--json` and `--parquet`; it is called with `output=Output(...)`."""

    @functools.wraps(command)
    def wrapped(*args: Any, csv: str | None, json: str | None, parquet: str | None, **kwargs: Any) -> Any:
        asked = dict(zip(_FORMATS, (csv, json, parquet), strict=True))
        files = {kind: name for kind, name in asked.items() if name}
        if files.get("parquet") == "-":
            raise click.UsageError("--parquet needs a file: the format is binary")
        for name in files.values():
            if name != "-" and not Path(name).absolute().parent.is_dir():
                raise click.UsageError(
                    f"there is no folder {Path(name).parent} to write {Path(name).name} to"
                )
        return command(*args, output=Output(files), **kwargs)

    decorated: Any = wrapped
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]  # click's decorators are untyped here


def show(frame: "pd.DataFrame", *, rows: int | None = None) -> None:
    """Prints the columns that hold something: `rows` of them, else 40 on a terminal and all in a pipe."""
    if frame.empty:
        click.echo(f"no rows; the columns are {', '.join(map(str, frame.columns))}")
        return
    terminal = sys.stdout.isatty()
    if rows is None:
        rows = ROWS if terminal else len(frame)
    shown = _texts(
        _some(frame.loc[:, [name for name in frame.columns if _holds_something(frame[name])]], rows)
    )
    if terminal:
        shown = shown.map(lambda text: text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…")
    width = shutil.get_terminal_size().columns if terminal else None
    text = _aligned(shown, frame).to_string(index=False, line_width=width)
    click.echo("\n".join(line.rstrip() for line in text.splitlines()))
    if len(frame) > rows:
        click.echo(f"... {rows} of {len(frame):,} rows: the first and the last")
        if terminal and rows == ROWS:
            click.echo("--csv, --json or --parquet FILE writes all", err=True)


def _some(frame: "pd.DataFrame", rows: int) -> "pd.DataFrame":
    """The first and last rows of a longer table."""
    if len(frame) <= rows:
        return frame
    first = (rows + 1) // 2
    return frame.iloc[[*range(first), *range(len(frame) - rows + first, len(frame))]]


def _aligned(texts: "pd.DataFrame", frame: "pd.DataFrame") -> "pd.DataFrame":
    """Numbers stay on the right, where their digits compare; everything else moves to the left."""
    aligned = {}
    for name in texts.columns:
        if frame[name].dtype.kind in "fiumb":
            aligned[name] = texts[name]
        else:
            width = max(len(name), int(texts[name].str.len().max()))
            aligned[name.ljust(width)] = texts[name].str.ljust(width)
    return type(texts)(aligned)


def write(frame: "pd.DataFrame", kind: str, name: str) -> None:
    """Writes a table whole or not at all; durations become seconds in CSV and JSON."""
    if kind == "parquet":
        _replace(name, lambda path: frame.to_parquet(path, index=False))
        return
    plain = _plain(frame)
    text = (
        plain.to_csv(index=False)
        if kind == "csv"
        else plain.to_json(orient="records", date_format="iso", date_unit="ms", force_ascii=False, indent=1)
        + "\n"
    )
    if name == "-":
        click.echo(text, nl=False)
    else:
        _replace(name, lambda path: path.write_text(text, "utf-8", newline=""))


def _replace(name: str, save: Callable[[Path], object]) -> None:
    target = Path(name)
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.absolute().parent)
    os.close(handle)
    try:
        save(Path(temporary))
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)  # a private temporary file must not make the result private
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _plain(frame: "pd.DataFrame") -> "pd.DataFrame":
    """The table with durations as seconds: a form that every reader of CSV and JSON understands."""
    spans = [name for name in frame.columns if frame[name].dtype.kind == "m"]
    return frame.assign(**{name: frame[name].dt.total_seconds() for name in spans})


def _texts(frame: "pd.DataFrame") -> "pd.DataFrame":
    """The table as a person reads it: times to the second in UTC, numbers with six digits."""
    shown = {}
    for name in frame.columns:
        column = frame[name]
        if column.dtype.kind == "M":
            texts = column.dt.strftime("%Y-%m-%d %H:%M:%SZ")
        elif column.dtype.kind == "m":
            texts = column.dt.round("s").astype(str).str.removeprefix("0 days ")
        elif column.dtype.kind == "f":
            texts = column.map(lambda value: f"{value:.6g}")
        else:
            texts = column.astype(str).str.replace("\n", " ", regex=False)
        shown[name] = texts.astype(object).where(column.notna(), "")
    return type(frame)(shown)


def _holds_something(column: "pd.Series[Any]") -> bool:
    return bool((column.notna() & (column.astype(str) != "")).any())
