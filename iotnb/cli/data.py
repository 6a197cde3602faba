"""`iotnb devices | series | latest | measurements | operations | events | alarms`: tables."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from iotnb.cli.base import Command, State
from iotnb.cli.connection import Login, connecting
from iotnb.cli.tables import Output, writing
from iotnb.errors import Incomplete

F = TypeVar("F", bound=Callable[..., Any])

device_option = click.option(
    "--device", "devices", multiple=True, metavar="ID", help="Only this device; repeat it for more."
)
series_option = click.option(
    "--series", multiple=True, metavar="NAME", help="Only this series; repeat it for more."
)
_type = click.option("--type", help="Only those of this type.")
until_option = click.option(
    "--until", metavar="TIME", help="The end, e.g. 2026-01-31T12:00:00Z.  [default: now]"
)


def since_option(default: str) -> Callable[[F], F]:
    """The option `--since` with a default."""
    return click.option(
        "--since",
        default=default,
        show_default=True,
        metavar="SPAN|TIME",
        help="A span such as 30m, 24h, 7d or a time with its zone.",
    )


def _table(short_help: str, *examples: str) -> Callable[[Callable[..., None]], click.Command]:
    """A command with the options of a login and an output; called with state, login, output and its own."""
    epilog = "\b\nExamples:\n" + "".join(f"  {each}\n" for each in examples)
    command = click.command(cls=Command, short_help=short_help, epilog=epilog)
    return lambda work: command(connecting(writing(click.pass_obj(work))))


@_table(
    "Show devices as a table.",
    "iotnb devices --sandbox",
    "iotnb devices --profile plant-a --text pump --csv pumps.csv",
)
@click.option("--text", help="Only devices whose name or identifiers hold this.")
@_type
@click.option("--query", help="A query in the platform's own language.")
def devices(state: State, login: Login, output: Output, **wanted: Any) -> None:
    """Show the devices of PLATFORM."""
    _deliver(state, login, output, "devices", **wanted)


@_table(
    "Show what devices measure.",
    "iotnb series --sandbox",
    "iotnb series --profile plant-a --device 4711",
)
@device_option
def series(state: State, login: Login, output: Output, **wanted: Any) -> None:
    """Show the series of the devices of PLATFORM: what each measures, since when and until when."""
    _deliver(state, login, output, "series", **wanted)


@_table(
    "Show the last value of each series.",
    "iotnb latest --sandbox",
    "iotnb latest --profile plant-a --series c8y_Battery.level --csv batteries.csv",
)
@device_option
@series_option
def latest(state: State, login: Login, output: Output, **wanted: Any) -> None:
    """Show the last value of each series of the devices of PLATFORM, and how old it is."""
    _deliver(state, login, output, "latest", **wanted)


@_table(
    "Load measurements as a table.",
    "iotnb measurements --sandbox --since 2h",
    "iotnb measurements --profile plant-a --device 4711 --since 7d --parquet week.parquet",
)
@device_option
@series_option
@since_option("24h")
@until_option
def measurements(state: State, login: Login, output: Output, **wanted: Any) -> None:
    """Load what the devices of PLATFORM measured: one row a value."""
    _deliver(state, login, output, "measurements", **wanted)


@_table(
    "Show operations as a table.",
    "iotnb operations --sandbox",
    "iotnb operations --profile plant-a --status FAILED --since 7d --json failed.json",
)
@device_option
@click.option(
    "--status",
    type=click.Choice(["PENDING", "EXECUTING", "SUCCESSFUL", "FAILED", "CANCELLED"], case_sensitive=False),
    help="Only operations in this state.",
)
@since_option("30d")
@until_option
def operations(state: State, login: Login, output: Output, **wanted: Any) -> None:
    """Show the history of the operations that were sent to the devices of PLATFORM."""
    _deliver(state, login, output, "operations", **wanted)


@_table(
    "Show events as a table.",
    "iotnb events --sandbox",
    "iotnb events --profile plant-a --type c8y_LocationUpdate --since 24h --json positions.json",
)
@device_option
@_type
@since_option("7d")
@until_option
def events(state: State, login: Login, output: Output, **wanted: Any) -> None:
    """Show what the devices of PLATFORM reported to have happened."""
    _deliver(state, login, output, "events", **wanted)


@_table(
    "Show alarms as a table.",
    "iotnb alarms --sandbox",
    "iotnb alarms --profile plant-a --device 4711 --since 30d --csv alarms.csv",
)
@device_option
@_type
@since_option("7d")
@until_option
def alarms(state: State, login: Login, output: Output, **wanted: Any) -> None:
    """Show the alarms of the devices of PLATFORM, and what became of them."""
    _deliver(state, login, output, "alarms", **wanted)


def _deliver(state: State, login: Login, output: Output, verb: str, **wanted: Any) -> None:
    """Loads one table and hands it over; an incomplete one is handed over as far as it came, then told of."""
    # an option that may be repeated and was not given is an empty tuple
    asked = {name: None if value == () else value for name, value in wanted.items()}
    with login.client(state) as client:
        try:
            frame, gap = getattr(client, verb)(**asked), None
        except Incomplete as error:
            frame, gap = error.partial, error
    output.deliver(frame)
    if gap:
        raise gap
    if not output.files:
        click.echo(f"{len(frame):,} rows from {client.host}, complete", err=True)
