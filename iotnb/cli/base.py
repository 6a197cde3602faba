"""What every command shares: exit codes, errors in one line, `--debug`, examples in the help."""

import os
import sys
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from iotnb.errors import ConfigError, Incomplete, IotnbError, MissingFields
from iotnb.secret import scrub

if TYPE_CHECKING:  # it brings pandas, and --help must not wait for that
    from iotnb.client import Client

OK, ERROR, USAGE, INCOMPLETE, INTERRUPTED = 0, 1, 2, 3, 130

EPILOG = """\b
Examples:
  iotnb lab                                  the tutorials in JupyterLab, with a sandbox
  iotnb demo                                 the main job, here in the terminal
  iotnb devices --sandbox                    the devices of the sandbox
  iotnb measurements --profile plant-a --since 7d --parquet week.parquet

\b
Exit codes: 0 done, 1 error, 2 wrong usage or a missing login field, 3 incomplete data, 130 interrupted.
"""


@dataclass
class State:
    """What one run of the command knows: whether to show tracebacks, and whose secrets to blank in them."""

    debug: bool = False
    client: "Client | None" = None


class Command(click.Command):
    """A command with `--debug`, written before or after the command's name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(_debug_option())


class Group(click.Group):
    """A group whose commands all take `--debug`, listed in the order in which they were added."""

    command_class = Command

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(_debug_option())

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Names as added: what a newcomer wants stands first."""
        return list(self.commands)


Group.group_class = Group


def _debug_option() -> click.Option:
    def remember(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            ctx.ensure_object(State).debug = True

    return click.Option(
        ["--debug"],
        is_flag=True,
        expose_value=False,
        callback=remember,
        help="Show the traceback of an error.",
    )


def guarded(state: State, work: Callable[[], Any]) -> int:
    """Runs `work`; every way it can end becomes an exit code and at most one line, unless --debug is on."""
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            result = work()
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "iotnb"
        return _fail(state, f"{error.format_message()} (see '{where} --help')", USAGE)
    except click.ClickException as error:
        return _fail(state, error.format_message(), ERROR)
    except (click.Abort, KeyboardInterrupt):
        return _fail(state, "interrupted", INTERRUPTED)
    except SystemExit as error:
        # click leaves this way when whoever reads our output went away (iotnb devices | head)
        return OK if error.code == 1 else int(error.code or OK)
    except Incomplete as error:
        return _fail(state, str(error), INCOMPLETE)
    except ConfigError as error:
        return _fail(state, str(error) + _advice(error), USAGE)
    except IotnbError as error:
        return _fail(state, str(error), ERROR)
    except OSError as error:
        return _fail(
            state, f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}", ERROR
        )
    except Exception as error:  # noqa: BLE001  # a defect of ours still ends in one line
        again = "" if state.debug else "; run it again with --debug and report what it shows"
        return _fail(state, f"unexpected {type(error).__name__}: {error}{again}", ERROR)
    return result if isinstance(result, int) else OK


def _advice(error: ConfigError) -> str:
    return " (secrets never on the command line)" if isinstance(error, MissingFields) else ""


def _fail(state: State, message: str, code: int) -> int:
    secrets = state.client.session.auth.secrets() if state.client else []
    if state.debug and code != INTERRUPTED:
        click.echo(scrub(traceback.format_exc(), secrets), err=True, nl=False)
    line = _one_line(scrub(message, secrets))
    try:
        click.echo(f"iotnb: {'' if code == INTERRUPTED else 'error: '}{line}", err=True)
    except OSError:  # nobody reads standard error any more: the exit code remains
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123  # for the interpreter's last flush
    return code


def _one_line(message: str) -> str:
    """A message of several lines as one: sentences end, and an indented list follows a colon."""
    joined, listed = "", False
    for line in filter(str.strip, message.splitlines()):
        indented = line.startswith(" ")
        if joined and joined[-1] not in ".:;,!?":
            joined += (";" if listed else ":") if indented else "."
        joined += f" {line.strip()}"
        listed = indented
    return joined.strip()


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    click.echo(f"iotnb: warning: {scrub(str(message))}", err=True)
