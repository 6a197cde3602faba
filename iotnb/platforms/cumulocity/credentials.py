"""The credentials of a device in a file that only its owner can read."""

from __future__ import annotations

import json
import os
import stat
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from iotnb.errors import ConfigError
from iotnb.platforms.cumulocity.api import Api
from iotnb.secret import Secret


@dataclass(frozen=True)
class Credentials:
    """What the platform hands out to a device."""

    tenant: str
    username: str
    password: Secret


def ask(
    api: Api, serial: str, *, patience: float, poll: float, stop: threading.Event | None = None
) -> Credentials:
    """Asks every `poll` seconds until a person accepts the device; `api` is that of the bootstrap user.

    Raises ConfigError after `patience` seconds, and when `stop` is set.
    """
    deadline, wait = time.monotonic() + patience, stop or threading.Event()
    while (found := api.registration.find_credentials(serial)) is None:
        left = deadline - time.monotonic()
        if left <= 0 or wait.wait(min(poll, left)):
            raise ConfigError(
                f"nobody accepted the device {serial!r} in {patience:g} s: register and accept it in Device "
                "management, or with client.portal.register(...) and client.portal.accept(...)"
            )
    return Credentials(str(found["tenantId"]), str(found["username"]), Secret(str(found["password"])))


def prepare(path: Path) -> None:
    """Makes sure that the file can be written: the platform hands credentials out only once."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise ConfigError(
            f"credentials cannot be kept in {path} ({error.strerror}): name another file"
        ) from None


def store(path: Path, credentials: Credentials) -> None:
    """Writes the file with mode 0600, whole or not at all."""
    text = json.dumps(
        {
            "tenantId": credentials.tenant,
            "username": credentials.username,
            "password": credentials.password.reveal(),
        }
    )
    # mkstemp makes the file with mode 0600, and the new one takes the old one's place in one step
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def load(path: Path) -> Credentials | None:
    """What the file holds; None without a file. Raises ConfigError for a file that others can read."""
    if not path.exists():
        return None
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise ConfigError(
            f"others can read the credentials in {path}: chmod 600 it, or delete it and register anew"
        )
    try:
        found = json.loads(path.read_text())
        return Credentials(str(found["tenantId"]), str(found["username"]), Secret(str(found["password"])))
    except (ValueError, KeyError, TypeError):
        raise ConfigError(f"{path} holds no credentials of a device: delete it to register anew") from None
