"""The local sandbox: every platform's documented API on loopback, over one simulated fleet.

    with sandbox.start() as running:
        running["cumulocity"].connect      # fields for iotnb.connect("cumulocity", **fields)

Starting twice with the same options gives the running sandbox; it ends with its last user.
"""

import atexit
import json
import os
import socket
import threading
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from iotnb.sandbox.errors import SandboxError
from iotnb.sandbox.faults import Faults, checked, parse
from iotnb.sandbox.fleet import Clock
from iotnb.sandbox.running import Sandbox
from iotnb.sandbox.world import Options, Platform, Service

__all__ = [
    "PLATFORMS",
    "VARIABLE",
    "Clock",
    "Faults",
    "Sandbox",
    "SandboxError",
    "Service",
    "attached",
    "current",
    "start",
]

PLATFORMS: dict[str, str] = {
    "cumulocity": "iotnb.sandbox.cumulocity",
    "tiothub": "iotnb.sandbox.tiothub",
    "iotcentral": "iotnb.sandbox.iotcentral",
    "wso2": "iotnb.sandbox.wso2",
    "iotconnect": "iotnb.sandbox.iotconnect",
}
"""Platform name to module; one line adds a platform."""

VARIABLE = "IOTNB_SANDBOX"
"""Environment variable that holds the path of the info file of a sandbox in another process."""

_running: dict[tuple[object, ...], Sandbox] = {}
_lock = threading.RLock()


def start(
    platforms: Sequence[str] | Mapping[str, Platform] | str | None = None,
    *,
    port: int = 0,
    tls: bool = False,
    seed: int = 1,
    devices: int = 25,
    days: float = 30,
    faults: str | Mapping[str, Any] | None = None,
    data: str | Path | None = None,
    switches: Mapping[str, Mapping[str, Any]] | None = None,
    clock: Clock | None = None,
) -> Sandbox:
    """Start a sandbox, or take the running one with the same options; ready when it returns.

    Args:
        platforms: names (default: all); or a mapping of names to modules of your own.
        port: the first platform's port, the next ones follow; 0 takes free ones.
        tls: https with a throw-away CA (`Service.ca_file`).
        seed: decides every simulated value.
        devices: size of the fleet.
        days: length of the fleet's history.
        faults: see `FaultSettings`; a mapping, or text such as "latency=0.1,fail_every=7".
        data: file in which what users create survives; default: memory.
        switches: settings of single platforms, by platform name.
        clock: a clock of your own; default: real time.

    Raises SandboxError (a ValueError) for an unknown platform, wrong faults or a port in use.
    """
    wanted = parse(faults) if isinstance(faults, str) else checked(faults or {})
    _check(port, devices, days)
    modules = _modules(platforms)
    path = None if data is None else Path(data).expanduser().resolve()
    options = Options(tls=tls, seed=seed, devices=devices, days=days, data=path)
    text = json.dumps([wanted, {name: dict(part) for name, part in (switches or {}).items()}], sort_keys=True)
    key = (
        os.getpid(),
        tuple((n, id(m)) for n, m in modules.items()),
        port,
        options,
        text,
        id(clock) if clock else 0,
    )
    with _lock:
        found = _running.get(key)
        if found is not None and found.share():
            return found
        for old in [old for old, ended in _running.items() if not ended.running]:
            del _running[old]
        sandbox = Sandbox(modules, options, port=port, faults=wanted, switches=switches or {}, clock=clock)
        sandbox.open()
        _running[key] = sandbox
        return sandbox


def current(platform: str) -> Sandbox | None:
    """The sandbox of this process that was started last and has a platform, or None."""
    with _lock:
        mine = [sandbox for key, sandbox in _running.items() if key[0] == os.getpid() and sandbox.running]
    return next((sandbox for sandbox in reversed(mine) if platform in sandbox.info()), None)


def _modules(platforms: Sequence[str] | Mapping[str, Platform] | str | None) -> dict[str, Platform]:
    if isinstance(platforms, Mapping):
        return dict(platforms)
    names = [platforms] if isinstance(platforms, str) else list(PLATFORMS if platforms is None else platforms)
    if not names:
        raise SandboxError(f"name at least one platform: {', '.join(PLATFORMS)}")
    for name in names:
        if name not in PLATFORMS:
            raise SandboxError(f"the sandbox has no platform {name!r}; write one of {', '.join(PLATFORMS)}")
    return {name: cast("Platform", import_module(PLATFORMS[name])) for name in names}


def _check(port: int, devices: int, days: float) -> None:
    if not 0 <= port <= 65535:
        raise SandboxError(f"port {port} is none: choose one from 1024 to 65535, or 0 for any free one")
    if devices < 0:
        raise SandboxError(f"devices={devices}: a fleet has 0 devices or more")
    if not 0 < days <= 3660:
        raise SandboxError(f"days={days}: the history is longer than 0 and at most 3660 days")


def attached() -> dict[str, Any] | None:
    """The info() of a sandbox that another process published, or None if there is none that answers.

    Raises SandboxError if the variable IOTNB_SANDBOX names a file that holds no such info.
    """
    path = os.environ.get(VARIABLE)
    if not path:
        return None
    try:
        info = json.loads(Path(path).read_text(encoding="utf-8"))
        addresses = [urlsplit(value["base_url"]) for value in info.values()]
    except OSError:
        return None  # the sandbox has ended and taken its file along
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SandboxError(f"{VARIABLE} names {path}, which is no sandbox's info file: unset it") from None
    for address in addresses:
        try:
            socket.create_connection((address.hostname or "", address.port or 0), timeout=2).close()
        except OSError:
            return None
    return cast("dict[str, Any]", info)


@atexit.register
def _stop_all() -> None:
    with _lock:
        for key, sandbox in list(_running.items()):
            if key[0] == os.getpid():
                sandbox.close()
