"""`iotnb tutorials list | copy | open`."""

from pathlib import Path

import click

from iotnb import tutorials as library
from iotnb.cli.base import Group
from iotnb.cli.serve import lab_options, start_lab

_folder = click.argument(
    "folder", type=click.Path(file_okay=False, path_type=Path), default=library.FOLDER, required=False
)


@click.group(
    cls=Group,
    short_help="List, copy and open the notebooks.",
    epilog="""\b
Examples:
  iotnb tutorials list
  iotnb tutorials copy ~/iot
  iotnb tutorials open 40_cumulocity
""",
)
def tutorials() -> None:
    """List the tutorial notebooks, copy them, open one in JupyterLab."""


@tutorials.command("list")
def show() -> None:
    """Show the tutorials in the order to read them."""
    for each in library.catalogue():
        click.secho(each.name, bold=True, nl=False)
        click.echo(f"  {each.title}\n    {each.summary}")


@tutorials.command()
@_folder
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
@click.option("--keep", is_flag=True, help="Leave files that are there as they are, and add the others.")
@click.option("--name", "names", multiple=True, help="Only this one; repeat it for more.")
def copy(folder: Path, overwrite: bool, keep: bool, names: tuple[str, ...]) -> None:
    """Copy the tutorials to FOLDER, by default ./iotnb-tutorials; nothing is overwritten unless told."""
    for path in library.copy(folder, overwrite=overwrite, keep=keep, names=names):
        click.echo(path)


@tutorials.command("open")
@click.argument("name")
@lab_options
def start(name: str, port: int | None, no_browser: bool, folder: Path) -> int:
    """Open the tutorial NAME in JupyterLab, with a sandbox; the beginning of its name is enough."""
    return start_lab(folder, port=port, browser=not no_browser, first=library.find(name).name)
