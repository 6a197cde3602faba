"""A person at a login panel: fills it in, and waits for what comes of it."""

from collections.abc import Callable
from typing import Any

from iotnb.widgets import LoginPanel

Wait = Callable[..., None]


def filled(page: Any, account: dict[str, str], platform: str = "cumulocity", **changes: str) -> LoginPanel:
    """A panel with the account's values typed into it."""
    values = {**account, **changes}
    panel = LoginPanel(platform)
    page.open(panel._guard, *panel.form.secrets.values())
    fitting = [method.name for method in panel.form.methods if set(method.needs) <= set(values)]
    if panel.form.chosen.name not in fitting:  # a person with other credentials says so first
        panel.form.method.value = fitting[-1]
    for name, value in values.items():
        if name in panel.form.inputs:
            panel.form.inputs[name].value = value
    for name, field in panel.form.secrets.items():
        if values.get(name):
            page.type(field, values[name])
    return panel


def settled(wait: Wait, panel: LoginPanel, *states: str) -> None:
    wait(lambda: panel.state in states if states else panel.state != "checking", seconds=15)
