"""`iotnb devices`, `measurements` and `operations`: a table to the terminal or to a file."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from iotnb.cli.base import Command, State
from iotnb.cli.connection import Login, connecting
from iotnb.cli.tables import Output, writing
from iotnb.errors import Incomplete

F = TypeVar("F", bound=Callable[..., Any])

_device = click.option(
    "--device", "devices", multiple=True, metavar="ID", help="Only this device; repeat it for more."
)
_until = click.option("--until", metavar="TIME", help="The end, e.g. 2026-01-31T12:00:00Z.  [default: now]")


def _since(default: str) -> Callable[[F], F]:
    return click.option(
        "--since",
        default=default,
        show_default=True,
        metavar="SPAN|TIME",
        help="A span such as 30m, 24h, 7d or a time with its zone.",
    )


@click.command(
    cls=Command,
    short_help="Show devices as a table.",
    epilog="""\b
Examples:
  iotnb devices --sandbox
  iotnb devices --profile plant-a --text pump --csv pumps.csv
""",
)
@connecting
@writing
@click.option("--text", help="Only devices whose name or identifiers hold this.")
@click.option("--type", "kind", help="Only devices of this type.")
@click.option("--query", help="A query in the platform's own language.")
@click.pass_obj
def devices(
    state: State, login: Login, output: Output, text: str | None, kind: str | None, query: str | None
) -> None:
    """Show the devices of PLATFORM."""
    _deliver(state, login, output, "devices", text=text, type=kind, query=query)


@click.command(
    cls=Command,
    short_help="Load measurements as a table.",
    epilog="""\b
Examples:
  iotnb measurements --sandbox --since 2h
  iotnb measurements --profile plant-a --device 4711 --since 7d --parquet week.parquet
""",
)
@connecting
@writing
@_device
@click.option("--series", multiple=True, metavar="NAME", help="Only this series; repeat it for more.")
@_since("24h")
@_until
@click.pass_obj
def measurements(
    state: State,
    login: Login,
    output: Output,
    devices: tuple[str, ...],
    series: tuple[str, ...],
    since: str,
    until: str | None,
) -> None:
    """Load what the devices of PLATFORM measured: one row a value."""
    wanted = {
        "devices": list(devices) or None,
        "series": list(series) or None,
        "since": since,
        "until": until,
    }
    _deliver(state, login, output, "measurements", **wanted)


@click.command(
    cls=Command,
    short_help="Show operations as a table.",
    epilog="""\b
Examples:
  iotnb operations --sandbox
  iotnb operations --profile plant-a --status FAILED --since 7d --json failed.json
""",
)
@connecting
@writing
@_device
@click.option(
    "--status",
    type=click.Choice(["PENDING", "EXECUTING", "SUCCESSFUL", "FAILED", "CANCELLED"], case_sensitive=False),
    help="Only operations in this state.",
)
@_since("30d")
@_until
@click.pass_obj
def operations(
    state: State,
    login: Login,
    output: Output,
    devices: tuple[str, ...],
    status: str | None,
    since: str,
    until: str | None,
) -> None:
    """Show the history of the operations that were sent to the devices of PLATFORM."""
    wanted = {"devices": list(devices) or None, "status": status, "since": since, "until": until}
    _deliver(state, login, output, "operations", **wanted)


def _deliver(state: State, login: Login, output: Output, verb: str, **wanted: Any) -> None:
    """Loads one table and hands it over; an incomplete one is handed over as far as it came, then told of."""
    with login.client(state) as client:
        try:
            frame, gap = getattr(client, verb)(**wanted), None
        except Incomplete as error:
            frame, gap = error.partial, error
    output.deliver(frame)
    if gap:
        raise gap
    if not output.files:
        click.echo(f"{len(frame):,} rows from {client.host}, complete", err=True)
