"""`iotnb export`: measurements into an archive of Parquet files, resumable."""

from typing import Any

import click

from iotnb.cli.base import Command, State
from iotnb.cli.connection import Login, connecting
from iotnb.cli.data import device_option, series_option, since_option, until_option
from iotnb.errors import Incomplete

FUNCTIONS = ("mean", "min", "max", "sum", "count", "std")

_EPILOG = """\b
Examples:
  iotnb export cumulocity --sandbox --since 3d --to plant
  iotnb export --profile plant-a --since 365d --to plant
  iotnb export --profile plant-a --since 365d --aggregate 1h --to plant-hourly

\b
Run it again after an interruption, even kill -9, or to bring the archive up to date: it fetches what is
missing, and nothing twice. Read the archive with iotnb.archive, pandas, DuckDB or Dask.

\b
Exit codes: 0 all of it is there, 1 error (also: another process fills the archive, or it is of another
platform, host, user or query), 2 wrong usage or a missing login field, 3 something could not be fetched:
what came is kept, run it again, 130 interrupted: what came is kept.
"""


@click.command(cls=Command, short_help="Keep measurements in an archive of Parquet files.", epilog=_EPILOG)
@connecting
@device_option
@series_option
@since_option("24h")
@until_option
@click.option(
    "--aggregate", metavar="STEP", help="Intervals such as 15m, 1h or 1d, where the server reduces."
)
@click.option(
    "--function", type=click.Choice(FUNCTIONS), default="mean", show_default=True, help="What to reduce to."
)
@click.option(
    "--to",
    "folder",
    required=True,
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="The directory of the archive; made if there is none.",
)
@click.option(
    "--late",
    default="1h",
    show_default=True,
    metavar="SPAN",
    help="How long data may be on their way: what is younger is fetched again next time. For a new archive.",
)
@click.option(
    "--partition",
    default="1d",
    show_default=True,
    metavar="STEP",
    help="How much of the calendar goes into one folder: 1d, or 1M for little data. For a new archive.",
)
@click.option(
    "--recheck", metavar="SPAN|TIME", help="Fetch again from here on, for data that came later than --late."
)
@click.pass_obj
def export(
    state: State,
    /,
    login: Login,
    folder: str,
    late: str,
    partition: str,
    recheck: str | None,
    **wanted: Any,
) -> None:
    """Keep what the devices of PLATFORM measured in an archive of Parquet files."""
    from pathlib import Path

    from iotnb import archive  # it brings pandas, and --help must not wait for that
    from iotnb.archive import Archive

    # an option that may be repeated and was not given is an empty tuple
    asked: dict[str, Any] = {name: None if value == () else value for name, value in wanted.items()}
    if recheck is not None and (Path(folder) / "archive.json").exists():
        Archive(folder).recheck(asked["devices"], since=recheck, until=asked["until"])
    with login.client(state) as client:
        try:
            made, gap = archive.load(client, folder, late=late, partition=partition, **asked), None
        except Incomplete as error:
            made, gap = Archive(folder), error
        host = client.host
    coverage, files = made.coverage(), made.files()
    size = sum(path.stat().st_size for path in files)
    last = made.loads().iloc[-1]
    click.echo(
        f"{folder}: {made.rows:,} rows of {coverage['device'].nunique():,} devices in {len(files):,} files, "
        f"{size / 1e6:,.1f} MB; {last['pages']:,} pages fetched from {host}" + ("" if gap else ", complete"),
        err=True,
    )
    if gap:
        raise gap
