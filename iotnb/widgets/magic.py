"""`%%curl`: runs curl lines of vendors' documents through the client that is logged in."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, magics_class
from IPython.display import display

from iotnb import curl, replay
from iotnb.client import Client
from iotnb.errors import ConfigError, IotnbError
from iotnb.secret import scrub
from iotnb.widgets.exchanges import CODE
from iotnb.widgets.panel import sentence

STYLE = (
    "font:13px/1.5 var(--jp-ui-font-family,sans-serif);color:var(--jp-ui-font-color1,inherit);margin:4px 0"
)


@magics_class
class CurlMagics(Magics):
    """The cell magic `%%curl`."""

    @cell_magic
    def curl(self, line: str, cell: str) -> Any:
        """Runs the curl lines of the cell through a client: `%%curl [client] [--frame] [--dry] [name=value]`.

        The client is the variable of that name, `client` unless it is named. `--frame` gives a DataFrame
        instead of JSON, `--dry` sends nothing. A placeholder such as `<device_id>` is filled from
        `device_id=...` on the first line, or from the variable of its name.
        """
        try:
            return self._run(line, cell)
        except IotnbError as error:
            # no traceback: IPython prints the source of the cell with it, and that may hold a token
            problem = sentence(error)
        raise UsageError(problem)

    def _run(self, line: str, cell: str) -> Any:
        names: dict[str, Any] = self.shell.user_ns if self.shell is not None else {}
        words = line.split()
        frame, dry = "--frame" in words, "--dry" in words
        given = dict(each.split("=", 1) for each in words if "=" in each)
        rest = [each for each in words if "=" not in each and not each.startswith("--")]
        name, client = _client(names, rest)
        values = {**names, **given}
        plans = []
        for each in curl.split(cell):
            request = curl.parse(each)
            warn(request)
            plans.append(replay.plan(request, client, values, name=name))
        results = [_carried_out(each, frame=frame, dry=dry) for each in plans]
        return results[0] if len(results) == 1 else results


def warn(request: curl.Request) -> None:
    """Says that a cell holds a secret in clear, without repeating it."""
    if not request.literals:
        return
    where = ", ".join(dict.fromkeys(request.literals))
    text = (
        f"This cell holds a secret in clear ({where}): it is saved with the notebook and in IPython's "
        "history. It was not used, the client's own login is. Put a placeholder such as <token> in its "
        "place, and revoke the secret if the notebook was shared."
    )
    markup = f"<strong>Secret in the cell.</strong> {html.escape(text)}"
    display(Shown(text, f"<div role='alert' style='{STYLE}'>{markup}</div>"))


class Shown:
    """A text with its HTML."""

    def __init__(self, text: str, markup: str) -> None:
        self._text, self._markup = text, markup

    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str:
        return self._markup


def _client(names: Mapping[str, Any], rest: Sequence[str]) -> tuple[str, Client]:
    """The client that is named, or `client`, or the only one there is."""
    if rest:
        found = names.get(rest[0])
        if not isinstance(found, Client):
            raise ConfigError(f"{rest[0]} is no client: give the name of what iotnb.connect() returned")
        return rest[0], found
    if isinstance(names.get("client"), Client):
        return "client", names["client"]
    there = {
        name: value for name, value in names.items() if isinstance(value, Client) and not name.startswith("_")
    }
    if len(there) != 1:
        known = f" ({', '.join(sorted(there))})" if there else ""
        raise ConfigError(
            f"%%curl needs a client{known}: client = iotnb.connect(...), or name one: %%curl plant"
        )
    return next(iter(there.items()))


def _carried_out(plan: replay.Plan, *, frame: bool, dry: bool) -> Any:
    if dry:
        _tell(plan, "not sent (--dry)")
        return None
    answer = replay.send(plan)
    _tell(plan, f"{answer.status}, {len(answer.body):,} bytes, {answer.elapsed * 1000:.0f} ms")
    return replay.result(answer, frame=frame)


def _tell(plan: replay.Plan, outcome: str) -> None:
    head = f"{plan.method} {scrub(plan.path)} -> {outcome}"
    notes = [scrub(note) for note in plan.notes]
    text = "\n".join([head, plan.line, *(f"({note})" for note in notes)])
    display(Shown(text, to_html(head, plan.line, notes)))


def to_html(head: str, line: str, notes: Sequence[str]) -> str:
    """What was done, the line of Python that does the same, and remarks, as script-free HTML."""
    listed = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
    return (
        f"<div style='{STYLE}'>{html.escape(head)}<br>The same in Python:"
        f"<pre tabindex='0' style='{CODE}'>{html.escape(line)}</pre>"
        + (f"<ul style='margin:2px 0 6px;padding-left:20px;font-size:12px'>{listed}</ul>" if notes else "")
        + "</div>"
    )
