"""Explore REST IoT platforms from a notebook: login and device widgets, DataFrames, a local sandbox.

```python
import iotnb

client = iotnb.connect("cumulocity", sandbox=True)
devices = client.devices()
m = client.measurements(devices.device[:3], since="24h")
iotnb.plots.lines(m)
```
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from iotnb import (
        analysis,
        archive,
        cluster,
        curves,
        errors,
        frames,
        operations,
        plots,
        profiles,
        sandbox,
        tutorials,
    )
    from iotnb.auth import Field, Method
    from iotnb.client import Client
    from iotnb.frames import provenance
    from iotnb.inbox import Inbox
    from iotnb.profiles import Resolved
    from iotnb.secret import Secret
    from iotnb.widgets import (
        DevicePicker,
        ExchangeView,
        LiveView,
        LoginPanel,
        MeasurementExplorer,
        OperationTimeline,
        SeriesPlot,
        Workbench,
        search,
    )

__version__ = "0.1.0"

__all__ = [
    "Client",
    "DevicePicker",
    "ExchangeView",
    "Inbox",
    "LiveView",
    "LoginPanel",
    "MeasurementExplorer",
    "OperationTimeline",
    "Secret",
    "SeriesPlot",
    "Workbench",
    "analysis",
    "archive",
    "cluster",
    "connect",
    "curves",
    "errors",
    "frames",
    "login",
    "operations",
    "platform_class",
    "platform_fields",
    "platform_names",
    "plots",
    "profiles",
    "provenance",
    "resolve",
    "sandbox",
    "search",
    "tutorials",
]

# loaded when first used: a bare import must not cost pandas, matplotlib and ipywidgets
_MODULES = {
    "analysis",
    "archive",
    "cluster",
    "curves",
    "errors",
    "frames",
    "operations",
    "plots",
    "profiles",
    "sandbox",
    "tutorials",
}
_NAMES = {
    "Client": "iotnb.client",
    "DevicePicker": "iotnb.widgets",
    "ExchangeView": "iotnb.widgets",
    "Inbox": "iotnb.inbox",
    "LiveView": "iotnb.widgets",
    "LoginPanel": "iotnb.widgets",
    "MeasurementExplorer": "iotnb.widgets",
    "OperationTimeline": "iotnb.widgets",
    "Secret": "iotnb.secret",
    "SeriesPlot": "iotnb.widgets",
    "Workbench": "iotnb.widgets",
    "provenance": "iotnb.frames",
    "search": "iotnb.widgets",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"iotnb.{name}")
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    raise AttributeError(f"module 'iotnb' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


def connect(
    platform: str,
    *,
    profile: str | None = None,
    sandbox: bool = False,
    ca_file: str | None = None,
    verify: bool = True,
    timeout: float | tuple[float, float] | None = None,
    rate: float | None = None,
    workers: int = 8,
    retries: int = 5,
    **fields: str | Secret | None,
) -> Client:
    """Logs in to a platform and returns its client.

    `fields` are the platform's login fields (`iotnb.platform_class(name).FIELDS`). What is not given comes
    from the environment (`IOTNB_<PLATFORM>_<FIELD>` and the vendor's own names), then the keyring, then the
    `profile`; `client.sources` says where each value came from. `sandbox=True` logs in to the local sandbox,
    starting one when none runs. `ca_file` names the authority that the server's certificate comes from;
    `timeout` is in seconds, or (connect, read); `rate` limits the requests a second, `workers` those at once.

    Raises ConfigError for what cannot be right (MissingFields names the fields and how to give them),
    Unauthorized for wrong credentials, ConnectionFailed when the server cannot be reached.
    """
    from iotnb.secret import Sealed
    from iotnb.session import Settings

    fields = Sealed(fields, ca_file=ca_file)  # a traceback with values would show a password here
    cls = platform_class(platform)
    if sandbox:
        given = {name: value for name, value in fields.items() if value is not None}
        fields = Sealed(_sandbox_login(cls.platform) | given)
    resolved = resolve(cls.platform, fields, profile=profile, environ={} if sandbox else None)
    ca_file = str(resolved.values.pop("ca_file", "")) or None
    if isinstance(timeout, int | float):
        timeout = (min(5.0, float(timeout)), float(timeout))
    settings = Settings(
        verify=ca_file if ca_file and verify else verify,
        timeout=timeout or Settings.timeout,
        rate=rate,
        workers=workers,
        retries=retries,
    )
    client = cls.login(resolved.values, settings=settings)
    client.sources = {
        name: "sandbox" if sandbox and source == "argument" else source
        for name, source in resolved.sources.items()
    }
    client.on_progress = _reporter()
    return client


def login(platform: str | None = None, **fields: Any) -> LoginPanel:
    """The login widget: choose a platform, fill in its fields, log in; then `panel.client` is the client."""
    from iotnb.widgets import LoginPanel

    return LoginPanel(platform, **fields)


def load_ipython_extension(shell: Any) -> None:
    """What `%load_ext iotnb` calls: the cell magic `%%curl`."""
    from iotnb.widgets.magic import CurlMagics

    shell.register_magics(CurlMagics)


def platform_names() -> dict[str, str]:
    """The platforms: name as used in `connect`, and title."""
    from iotnb import platforms

    return {name: platforms.TITLES[name] for name in platforms.PLATFORMS}


def platform_class(platform: str) -> type[Client]:
    """The client class of a platform: FIELDS, METHODS, `supports`; ConfigError for an unknown name."""
    from iotnb import platforms

    return platforms.load(platform)


def platform_fields(platform: str) -> tuple[tuple[Field, ...], tuple[Method, ...]]:
    """A platform's login fields and its ways to log in; ConfigError for an unknown name."""
    from iotnb import platforms

    return platforms.declared(platform)


def resolve(
    platform: str,
    fields: dict[str, Any] | None = None,
    *,
    profile: str | None = None,
    environ: dict[str, str] | None = None,
) -> Resolved:
    """Where each login field's value comes from: argument, environment, keyring, profile or default."""
    from iotnb import profiles
    from iotnb.auth import CA_FILE

    declared, methods = platform_fields(platform)
    return profiles.resolve(
        platform,
        fields=(*declared, CA_FILE),
        methods=methods,
        arguments=fields,
        profile=profile,
        environ=environ,
        keyring=environ is None,  # a sandbox login is not mixed with what a keyring holds for a real tenant
    )


def _sandbox_login(platform: str) -> dict[str, Any]:
    """The login values of a running sandbox, or of one that is started here."""
    from iotnb import sandbox

    info = sandbox.attached()
    if info is None or platform not in info:
        info = (sandbox.current(platform) or sandbox.start()).info()
    return dict(info[platform]["connect"])


def _reporter() -> Any:
    """How verbs show progress: in a notebook's cell, else not at all."""
    import sys

    if "IPython" not in sys.modules:
        return None
    shell = sys.modules["IPython"].get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return None
    from iotnb.widgets.progress import report

    return report
