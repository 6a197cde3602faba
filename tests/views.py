"""How the one simulated fleet appears on each platform, for the tests that hold for all of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from iotnb.sandbox.fleet.history import Operation


def carried_out(operation: Operation, now: int) -> tuple[int, str, str]:
    """Time, status and failure where the platform tells how an operation ended."""
    status = operation.status(now)
    return operation.created, status, operation.failure if status == "FAILED" else ""


def changed_last(operation: Operation, now: int) -> tuple[int, str, str]:
    """The same where the platform knows only when the state changed last."""
    _, status, failure = carried_out(operation, now)
    return operation.changed(now), status, failure


def queued_then_sent(operation: Operation, now: int) -> tuple[int, str, str]:
    """The same where the platform knows only when a command was queued, and then when it was sent."""
    if operation.started is None or operation.started > now:
        return operation.created, "PENDING", ""
    return operation.started, "SUCCESSFUL", ""


@dataclass(frozen=True, kw_only=True)
class View:
    """One platform's sight of the fleet, and of a login; the defaults are of one that tells everything."""

    switches: Mapping[str, Any] = field(default_factory=dict)
    """Of its sandbox, so that all of the fleet can be read."""
    units: bool = True
    """Whether series have their units."""
    parents: bool = True
    """Whether devices name their gateways."""
    texts: bool = False
    """Whether measurements also hold values that are no numbers."""
    created: bool = True
    """Whether devices tell when they were made."""
    kinds: tuple[str, ...] = ()
    """Kinds of the operations that are the fleet's; empty: all are."""
    operation: Callable[[Operation, int], tuple[int, str, str]] = carried_out
    """How an operation of the fleet looks at a moment."""
    failures: bool = True
    """Whether failed operations tell why in the fleet's words; otherwise they only tell something."""
    durations: bool = True
    """Whether each finished operation tells how long it took."""
    reports: tuple[str, ...] = ("events", "alarms")
    """Which of events and alarms are the fleet's; the others tell of something else, tested elsewhere."""
    told_first: tuple[str, ...] = ()
    """Login fields that are addresses which get the secret before anything has answered."""
    ends_tokens: bool = True
    """Whether a logout ends the token on the server; otherwise it lives for its last minutes."""


VIEWS = {
    "cumulocity": View(),
    "tiothub": View(
        switches={"broken_messages": False},
        units=False,
        parents=False,
        texts=True,
        kinds=("command",),
        operation=queued_then_sent,
        durations=False,
        told_first=("token_url",),
        ends_tokens=False,
    ),
    "iotcentral": View(created=False, failures=False, ends_tokens=False),
    "wso2": View(switches={"start": "fleet"}, units=False, parents=False, reports=()),
    "iotconnect": View(
        switches={"oddities": False},
        created=False,
        operation=changed_last,
        durations=False,
        ends_tokens=False,
    ),
}
"""Platform name -> its view; a new platform is one entry."""
