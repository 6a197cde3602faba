"""What costs money or changes a SIM is done only when it is asked for twice."""

from __future__ import annotations

from iotnb.errors import ConfigError


def ask(confirm: bool, what: str) -> None:
    """Raises ConfigError that says what would be done, unless `confirm` is True."""
    if confirm is not True:
        raise ConfigError(f"nothing was sent: this would {what}. Pass confirm=True to do it.")
