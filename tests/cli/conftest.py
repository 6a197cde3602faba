"""The command line as a person runs it: a process of its own, in a home of its own."""

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

COMMAND = [sys.executable, "-m", "iotnb"]


@dataclass
class Cli:
    """Runs `iotnb` in a folder and with an environment that hold nothing of the developer's."""

    folder: Path
    environment: dict[str, str]

    def __call__(self, *arguments, code=0, stdin=None, **variables):
        done = subprocess.run(
            [*COMMAND, *map(str, arguments)],
            cwd=self.folder,
            env={**self.environment, **variables},
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def start(self, *arguments, **variables):
        """Starts a command that runs until it is stopped."""
        return subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            cwd=self.folder,
            env={**self.environment, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def terminal(self, *arguments, **variables):
        """Runs a command on a terminal of 100 columns; returns what the terminal got."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 100, 0, 0))
        process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            cwd=self.folder,
            env={**self.environment, **variables},
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        shown = b""
        try:
            while block := os.read(ours, 65536):
                shown += block
        except OSError:  # Linux says so when the other end is closed
            pass
        finally:
            os.close(ours)
        assert process.wait(timeout=60) == 0, shown.decode()
        return shown.decode()


def clean_environment(home):
    """The environment less all logins and settings, with a home folder of its own."""
    foreign = ("IOTNB_", "C8Y_", "JUPYTER", "XDG_", "COLUMNS")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return kept | {
        "HOME": str(home),
        "IOTNB_CONFIG_DIR": str(home / "config"),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        "MPLCONFIGDIR": str(home / "mpl"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
    }


@pytest.fixture
def cli(tmp_path):
    return Cli(tmp_path, clean_environment(tmp_path))


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory):
    """`iotnb sandbox --json` in a process of its own: what it prints, and the file that others find it by."""
    home = tmp_path_factory.mktemp("sandbox")
    process = Cli(home, clean_environment(home)).start("sandbox", "--json", "--devices", 6, "--days", 2)
    try:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        path = home / "sandbox.json"
        path.touch(mode=0o600)
        path.write_text(line)
        yield {"info": json.loads(line), "file": str(path)}
    finally:
        stop(process)


class Troubled:
    """A sandbox in trouble: its control address, and the file by which others find it."""

    def __init__(self, control, path):
        self.control, self.path = control, path

    def __call__(self, **faults):
        """Sets faults; returns the environment of a command that is to meet them."""
        answer = requests.post(f"{self.control}/faults", json=faults, timeout=10)
        assert answer.ok, answer.text
        return {"IOTNB_SANDBOX": str(self.path)}

    def met(self):
        """Waits until a request has come to the path that the faults are for."""
        deadline = time.monotonic() + 60
        while not requests.get(self.control, timeout=10).json()["counts"].get("requests"):
            assert time.monotonic() < deadline, "nobody asked"
            time.sleep(0.1)


@pytest.fixture
def troubled(cli):
    """A sandbox whose faults a test sets; stopped when the test ends."""
    process = cli.start("sandbox", "--json", "--devices", 4, "--days", 2)
    line = process.stdout.readline()
    path = cli.folder / "troubled.json"
    path.touch(mode=0o600)
    path.write_text(line)
    yield Troubled(f"{json.loads(line)['cumulocity']['base_url']}/.sandbox", path)
    process.terminate()
    process.communicate(timeout=30)


def stop(process, number=signal.SIGTERM):
    """Sends a signal, waits, and returns exit code, output and errors."""
    if process.poll() is None:
        process.send_signal(number)
    try:
        out, errors = process.communicate(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        out, errors = process.communicate()
        raise AssertionError(f"it did not stop:\n{out}\n{errors}") from None
    return process.returncode, out, errors
