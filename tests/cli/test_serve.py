"""`iotnb sandbox` and `iotnb lab`: they start, are found by others, and end cleanly."""

import json
import os
import re
import signal
import socket
import stat
import time
from pathlib import Path
from urllib.parse import urlsplit

import psutil  # ipykernel brings it
import pytest
import requests

from iotnb.cli.serve import published


@pytest.fixture
def started(cli):
    """Starts commands that are stopped when the test ends."""
    running = []

    def start(*arguments, **variables):
        running.append(cli.start(*arguments, **variables))
        return running[-1]

    yield start
    for process in running:
        if process.poll() is None:
            process.terminate()
        try:
            process.communicate(timeout=30)
        except Exception:
            process.kill()
            process.communicate()
            raise


def end(process, number):
    """Sends a signal; returns exit code, the rest of the output, and the errors."""
    process.send_signal(number)
    out, errors = process.communicate(timeout=30)
    return process.returncode, out, errors


def is_open(url):
    host, port = re.search(r"//([^:/]+):(\d+)", url).groups()
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def devices(connect):
    answer = requests.get(
        f"{connect['base_url']}/inventory/managedObjects",
        params={"fragmentType": "c8y_IsDevice", "pageSize": 100},
        auth=(f"{connect['tenant']}/{connect['username']}", connect["password"]),
        verify=connect.get("ca_file", True),
        timeout=10,
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["managedObjects"]


# --- sandbox


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_json_is_one_line_of_working_logins_and_a_signal_ends_it_well(started, number):
    process = started("sandbox", "--json", "--devices", 5, "--days", 1)
    info = json.loads(process.stdout.readline())
    connect = info["cumulocity"]["connect"]
    assert {"base_url", "tenant", "username", "password"} <= connect.keys()
    assert info["cumulocity"]["bootstrap"].keys() == {"tenant", "username", "password"}
    assert len(devices(connect)) == 5
    assert end(process, number) == (0, "", "")
    assert not is_open(connect["base_url"])


def test_people_get_urls_credentials_and_the_way_for_another_terminal(started, cli):
    process = started("sandbox", "--devices", 4, "--days", 1)
    lines = []
    while not lines or "Ctrl-C stops" not in lines[-1]:
        lines.append(process.stdout.readline())
        assert lines[-1], process.stderr.read()
    text = "".join(lines)
    assert re.search(r"base_url +http://127\.0\.0\.1:\d+", text)
    assert re.search(r"password +\S+", text)
    path = re.search(r"export IOTNB_SANDBOX=(\S+)", text)[1]
    assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600
    found = cli("devices", "cumulocity", "--sandbox", "--csv", "-", IOTNB_SANDBOX=path)
    assert len(found.stdout.splitlines()) == 5
    code, _, errors = end(process, signal.SIGINT)
    assert (code, errors) == (0, "")
    assert not Path(path).exists()


def test_port_platform_tls_and_seed_are_obeyed(started):
    port = free_port()
    process = started(
        "sandbox",
        "--platform",
        "cumulocity",
        "--port",
        port,
        "--tls",
        "--seed",
        7,
        "--devices",
        3,
        "--days",
        1,
        "--json",
    )
    info = json.loads(process.stdout.readline())
    connect = info["cumulocity"]["connect"]
    assert list(info) == ["cumulocity"]
    assert connect["base_url"].startswith("https://")
    assert connect["base_url"].endswith(f":{port}")
    names = [each["name"] for each in devices(connect)]
    assert len(names) == 3
    end(process, signal.SIGTERM)
    again = started("sandbox", "--seed", 7, "--devices", 3, "--days", 1, "--json")
    assert names == [
        each["name"] for each in devices(json.loads(again.stdout.readline())["cumulocity"]["connect"])
    ]


def test_what_users_create_survives_in_the_data_file(started, cli):
    kept = ("sandbox", "--json", "--devices", 3, "--days", 1, "--data", "sandbox.db")
    process = started(*kept)
    connect = json.loads(process.stdout.readline())["cumulocity"]["connect"]
    made = requests.post(
        f"{connect['base_url']}/inventory/managedObjects",
        json={"name": "made by hand", "c8y_IsDevice": {}},
        auth=(f"{connect['tenant']}/{connect['username']}", connect["password"]),
        timeout=10,
    )
    assert made.status_code == 201
    assert end(process, signal.SIGTERM)[0] == 0
    process = started(*kept)
    connect = json.loads(process.stdout.readline())["cumulocity"]["connect"]
    assert "made by hand" in [each["name"] for each in devices(connect)]


def test_faults_are_shown(started):
    process = started("sandbox", "--json", "--devices", 3, "--days", 1, "--faults", "fail_every=2")
    connect = json.loads(process.stdout.readline())["cumulocity"]["connect"]
    login = (f"{connect['tenant']}/{connect['username']}", connect["password"])
    url = f"{connect['base_url']}/inventory/managedObjects"
    assert {requests.get(url, auth=login, timeout=10).status_code for _ in range(4)} == {200, 503}


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--platform", "nowhere"], "nowhere"),
        (["--faults", "no_such_fault=1"], "no_such_fault"),
        (["--faults", "latency=soon"], "latency"),
        (["--devices", "0"], "--devices"),
    ],
)
def test_what_cannot_be_is_one_line(cli, arguments, word):
    done = cli("sandbox", *arguments, code=2)
    assert len(done.stderr.splitlines()) == 1
    assert word in done.stderr


def test_a_port_in_use_is_one_line(cli):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = cli("sandbox", "--port", port, code=2)
    assert len(done.stderr.splitlines()) == 1
    assert str(port) in done.stderr


def test_the_file_for_other_processes_is_private_from_the_start():
    before = os.umask(0)
    try:
        with published({"cumulocity": {}}) as path:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert not path.exists()
    finally:
        os.umask(before)


# --- lab


def wait_for(url, process):
    """Polls until a server answers; fails with what the process said when it ends before."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(f"it ended with {process.returncode}:\n{process.stderr.read()}")
        try:
            return requests.get(url, timeout=5)
        except requests.ConnectionError:
            time.sleep(0.1)
    raise AssertionError(f"{url} did not answer")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_lab_serves_the_tutorials_with_a_sandbox_and_ends_both(started, cli, number):
    own = cli.folder / "work" / "00_start_here.ipynb"
    own.parent.mkdir()
    own.write_text('{"cells": [], "metadata": {"mine": true}, "nbformat": 4, "nbformat_minor": 5}')
    config = cli.folder / "jupyter" / "jupyter_server_config.py"
    config.parent.mkdir()
    config.write_text("import os, pathlib; pathlib.Path('seen').write_text(os.environ['IOTNB_SANDBOX'])")
    port = free_port()
    process = started(
        "lab",
        "--no-browser",
        "--port",
        port,
        "--folder",
        "work",
        "--IdentityProvider.token=t0ken",
        "--log-level=INFO",
        JUPYTER_CONFIG_DIR=str(config.parent),
    )
    base = f"http://127.0.0.1:{port}"
    wait_for(f"{base}/api/status?token=t0ken", process)
    listed = requests.get(f"{base}/api/contents?token=t0ken", timeout=10).json()["content"]
    names = {each["name"] for each in listed}
    assert {"00_start_here.ipynb", "40_cumulocity_device_integration.ipynb"} <= names
    assert "mine" in own.read_text(), "a file of one's own stays"
    shown = requests.get(f"{base}/?token=t0ken", timeout=10)
    assert urlsplit(shown.url).path == "/lab/tree/00_start_here.ipynb"

    path = Path((cli.folder / "seen").read_text())
    assert path.name == "sandbox.json"
    connect = json.loads(path.read_text())["cumulocity"]["connect"]
    assert len(devices(connect)) == 25

    assert requests.post(f"{base}/api/kernels?token=t0ken", timeout=20).status_code == 201
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) >= 2, "JupyterLab and the kernel"
    code, _, errors = end(process, number)
    assert code == 0, errors
    assert not path.exists()
    assert not is_open(base)
    assert not is_open(connect["base_url"])
    assert "iotnb: " not in errors, "neither an error nor a warning of ours"
    assert [each for each in family if each.is_running() and each.status() != psutil.STATUS_ZOMBIE] == []


def test_lab_tells_when_its_port_is_taken(cli):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = cli("lab", "--no-browser", "--port", port, code=1)
    assert str(port) in done.stderr
