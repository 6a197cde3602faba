"""`iotnb demo`: the main job without a notebook."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

import iotnb
from iotnb.cli.base import Command, State
from iotnb.cli.connection import Login
from iotnb.cli.tables import show

if TYPE_CHECKING:
    import pandas as pd

    from iotnb.client import Client

PLOTTED = 4
"""So many devices are drawn: more lines than that cannot be told apart."""


@click.command(
    cls=Command,
    short_help="The main job, here in the terminal.",
    epilog="""\b
Examples:
  iotnb demo
  iotnb demo tiothub --output ~/fleet.png
""",
)
@click.argument("platform", required=False)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default="iotnb-demo.png",
    show_default=True,
    help="Where the picture goes.",
)
@click.pass_obj
def demo(state: State, platform: str | None, output: Path) -> None:
    """Log in to the sandbox, list its devices, load a day and the operations, draw a picture.

    PLATFORM is the one to show, the first of all unless named.
    """
    if not output.absolute().parent.is_dir():
        raise click.UsageError(f"there is no folder {output.parent} to write {output.name} to")
    name = platform or next(iter(iotnb.platform_names()))
    title = iotnb.platform_class(name).title
    with Login(name, None, True, {}, {}).client(state) as client:
        _tell(client, title, output)


def _tell(client: "Client", title: str, output: Path) -> None:
    _heading(f"{title}: logged in to the sandbox at {client.host} as {client.user}")
    devices = client.devices()
    _heading(f"{len(devices):,} devices")
    show(devices[["device", "name", "type", "status", "last_seen"]], rows=12)
    measured = client.measurements(since="24h")
    _heading(f"{len(measured):,} values of the last 24 hours")
    show(_statistics(measured), rows=20)
    operations = client.operations(since="30d")
    _heading(f"{len(operations):,} operations of the last 30 days")
    show(operations.drop(columns=["operation", "parameters"]).tail(12), rows=12)
    figure = iotnb.plots.lines(_one_series(measured)).get_figure(root=True)
    if figure is not None:  # only an Axes taken off its figure has none
        figure.savefig(output, dpi=120)
    _heading(f"picture written to {output}")


def _heading(text: str) -> None:
    click.secho(f"\n{text}", bold=True)


def _statistics(measured: "pd.DataFrame") -> "pd.DataFrame":
    """One row a series: how many values, from the lowest to the highest."""
    numbers = measured[measured["value"].notna()]
    groups = numbers.groupby(["series", "unit"], observed=True, dropna=False)["value"]
    return groups.agg(["count", "min", "mean", "max"]).reset_index()


def _one_series(measured: "pd.DataFrame") -> "pd.DataFrame":
    """The temperature, or whatever most devices measure, of the first few devices that have it."""
    measured = measured[measured["value"].notna()]
    names = measured["series"].value_counts().index
    wanted = next(
        (name for name in names if "temperature" in str(name).lower()), names[0] if len(names) else None
    )
    chosen = measured[measured["series"] == wanted]
    return chosen[chosen["device"].isin(chosen["device"].unique()[:PLOTTED])]
