"""The command line: `iotnb lab | sandbox | demo | tutorials | devices | ... | profiles | doctor`."""

import sys
from collections.abc import Sequence
from typing import NoReturn

import click

import iotnb
from iotnb.cli import data, demo, doctor, export, profile, serve, tutorial
from iotnb.cli.base import EPILOG, Group, State, guarded


@click.group(cls=Group, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(iotnb.__version__, "--version", prog_name="iotnb", message="%(prog)s %(version)s")
def app() -> None:
    """Explore REST IoT platforms: tutorials in JupyterLab, tables in the terminal, a local sandbox."""


for command in (
    serve.lab,
    demo.demo,
    tutorial.tutorials,
    serve.sandbox,
    data.devices,
    data.series,
    data.latest,
    data.measurements,
    data.operations,
    data.events,
    data.alarms,
    export.export,
    profile.profiles,
    doctor.doctor,
):
    app.add_command(command)


def run(arguments: Sequence[str]) -> int:
    """Runs one command line and returns its exit code; errors are one line on standard error."""
    state = State()
    return guarded(
        state, lambda: app.main(list(arguments), prog_name="iotnb", standalone_mode=False, obj=state)
    )


def main() -> NoReturn:
    """The entry point of the `iotnb` command."""
    sys.exit(run(sys.argv[1:]))
