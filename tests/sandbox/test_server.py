import asyncio
import gc
import json
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from iotnb import sandbox
from iotnb.sandbox import SandboxError


def test_it_is_ready_when_start_returns_and_gone_after_stop(tiny: Any, caller: Any) -> None:
    running = sandbox.start({"tiny": tiny})
    url = running["tiny"].base_url
    assert caller(url)("GET", "/hello").json() == {"platform": "tiny", "seed": 1, "n": 0}
    running.stop()
    with pytest.raises(ConnectionRefusedError):
        caller(url)("GET", "/hello")
    assert not running.running


def test_stopping_ends_a_request_that_hangs(tiny: Any, caller: Any) -> None:
    running = sandbox.start({"tiny": tiny})
    outcome: list[BaseException] = []

    def hang() -> None:
        try:
            caller(running["tiny"].base_url, timeout=30)("GET", "/hang")
        except (OSError, HTTPException) as error:
            outcome.append(error)

    thread = threading.Thread(target=hang)
    thread.start()
    time.sleep(0.2)
    began = time.perf_counter()
    running.stop()
    thread.join(10)
    assert time.perf_counter() - began < 10  # the handler sleeps for 60
    assert len(outcome) == 1
    assert running.errors == []


def test_starting_twice_gives_the_same_and_the_last_user_ends_it(tiny: Any) -> None:
    with sandbox.start({"tiny": tiny}, seed=5) as first:
        with sandbox.start({"tiny": tiny}, seed=5) as second:
            assert second is first
        assert first.running
        with sandbox.start({"tiny": tiny}, seed=6) as other:
            assert other is not first
            assert other["tiny"].port != first["tiny"].port
    assert not first.running
    with sandbox.start({"tiny": tiny}, seed=5) as again:
        assert again is not first
        assert again.running


def test_it_starts_inside_a_running_event_loop(tiny: Any, caller: Any) -> None:
    async def cell() -> Any:
        with sandbox.start({"tiny": tiny}) as running:
            return await asyncio.to_thread(caller(running["tiny"].base_url), "GET", "/hello")

    assert asyncio.run(cell()).status == 200


def test_it_listens_on_loopback_only(running: sandbox.Sandbox) -> None:
    assert running["tiny"].base_url.startswith("http://127.0.0.1:")
    addresses = {entry[4][0] for entry in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for address in addresses - {"127.0.0.1"}:
        with pytest.raises(OSError), socket.create_connection((address, running["tiny"].port), timeout=1):
            pass
    table = Path("/proc/net/tcp")  # on Linux: every listening socket of the machine
    rows = [line.split() for line in table.read_text().splitlines()[1:]] if table.exists() else []
    port = f"{running['tiny'].port:04X}"
    mine = {row[1].partition(":")[0] for row in rows if row[3] == "0A" and row[1].endswith(f":{port}")}
    assert mine <= {"0100007F"}


def free_ports(number: int) -> int:
    """The first of some neighbouring free ports, below those that the system gives to others."""
    for base in range(21_000 + os.getpid() % 5000, 32_000, number):
        with ExitStack() as stack:
            try:
                for port in range(base, base + number):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
        return base
    raise AssertionError("no free ports")


def test_the_ports_follow_the_base_port(tiny: Any) -> None:
    base = free_ports(4)
    with sandbox.start({"tiny": tiny, "other": type(tiny)()}, port=base) as running:
        assert running["tiny"].port == base
        assert running["other"].port == base + 1
        assert running["tiny"].certificate_url == f"https://127.0.0.1:{base + 2}"
        with pytest.raises(SandboxError, match=f"port {base} is in use: choose another"):
            sandbox.start({"tiny": tiny}, port=base, seed=99)
    with sandbox.start({"tiny": tiny}, port=base) as running:  # the port is free again at once
        assert running["tiny"].port == base


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"platforms": ["cumulocityy"]}, "no platform 'cumulocityy'; write one of cumulocity"),
        ({"platforms": []}, "at least one platform"),
        ({"faults": "latencyy=1"}, "no fault 'latencyy'; write one of bandwidth"),
        ({"faults": "latency"}, "name=value"),
        ({"port": 70000}, "port 70000"),
        ({"devices": -1}, "devices=-1"),
        ({"days": 0}, "days=0"),
        ({"switches": {"nothing": {}}}, "no platform 'nothing'"),
        ({"data": "/nowhere/at/all.db"}, "data file .* cannot be used"),
    ],
)
def test_wrong_options_are_refused_with_words_that_help(tiny: Any, wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(SandboxError, match=words) as caught:
        sandbox.start(**{"platforms": {"tiny": tiny}, **wrong})
    assert isinstance(caught.value, ValueError)


def test_a_connection_is_kept_alive(call: Any) -> None:
    call("GET", "/hello")
    port = call.connection.sock.getsockname()[1]
    for _ in range(50):
        call("GET", "/hello")
    assert call.connection.sock.getsockname()[1] == port


def test_eight_clients_at_once(running: sandbox.Sandbox, caller: Any) -> None:
    def work(_: int) -> int:
        mine = caller(running["tiny"].base_url)
        return sum(len(mine("GET", "/rows?n=20").json()) for _ in range(25))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [500] * 8
    assert len(running.requests()) == 200


def test_chunked_request_bodies_arrive(call: Any) -> None:
    call.connection.request(
        "POST",
        "/echo",
        iter([b"one ", b"two"]),
        encode_chunked=True,
        headers={"Transfer-Encoding": "chunked"},
    )
    assert call.connection.getresponse().read() == b"one two"


def test_an_exception_in_a_handler_is_a_500_and_can_be_raised_again(tiny: Any, caller: Any) -> None:
    with sandbox.start({"tiny": tiny}) as running:
        mine = caller(running["tiny"].base_url)
        assert [mine("GET", "/broken").status, mine("GET", "/hello").status] == [500, 200]
        with pytest.raises(ZeroDivisionError, match="broken handler"):
            running.raise_errors()
        running.reset()
        running.raise_errors()


def test_an_exception_in_a_background_task_is_kept_too(tiny: Any, caller: Any) -> None:
    with sandbox.start({"tiny": tiny}) as running:
        assert caller(running["tiny"].base_url)("GET", "/later").status == 200
        deadline = time.monotonic() + 5
        while not running.errors and time.monotonic() < deadline:
            gc.collect()  # asyncio reports a failed task when nobody can ask for its result any more
        with pytest.raises(LookupError, match="background task"):
            running.raise_errors()


def test_info_holds_what_connect_needs(running: sandbox.Sandbox) -> None:
    service = running["tiny"]
    info = running.info()
    assert list(info) == ["tiny"]
    assert json.loads(json.dumps(info)) == info
    assert info["tiny"]["connect"] == service.connect
    assert service.connect == {
        "base_url": service.base_url,
        "username": "tiny",
        "password": "tiny-password-8472",
    }
    assert service.bootstrap == {"username": "boot"}
    assert info["tiny"]["control"]["url"] == service.base_url + "/.sandbox/"
    with pytest.raises(SandboxError, match="only tiny"):
        running["cumulocity"]


def test_every_secret_is_on_record_and_none_in_the_log(running: sandbox.Sandbox, call: Any) -> None:
    token = call("POST", "/login").json()["token"]
    call("GET", f"/hello?access_token=abc&q=1&x={token}")
    issued = running.issued()
    assert {token, "tiny-password-8472", running.info()["tiny"]["control"]["token"]} <= issued.keys()
    lines = running.requests("tiny")
    assert [(line.method, line.path, line.status) for line in lines] == [
        ("POST", "/login", 200),
        ("GET", "/hello", 200),
    ]
    assert lines[1].query == "access_token=***&q=1&x=***"
    assert not any(secret in str(lines) for secret in issued)


def test_another_process_finds_a_published_sandbox(
    running: sandbox.Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = running.publish()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    script = "from iotnb import sandbox; print(sandbox.attached()['tiny']['connect']['base_url'])"
    env = {**os.environ, "IOTNB_SANDBOX": str(path)}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == running["tiny"].base_url
    monkeypatch.setenv("IOTNB_SANDBOX", str(path))
    assert sandbox.attached() == running.info()
    held = path.read_text()
    running.close()
    assert sandbox.attached() is None  # the file went with the sandbox
    path.parent.mkdir()
    path.write_text(held)
    assert sandbox.attached() is None  # the file of a killed sandbox: nobody answers
    path.write_text("{}x")
    with pytest.raises(SandboxError, match=r"IOTNB_SANDBOX names .* unset it"):
        sandbox.attached()
    path.unlink()
    path.parent.rmdir()
    monkeypatch.delenv("IOTNB_SANDBOX")
    assert sandbox.attached() is None


def test_a_data_file_brings_back_what_was_there(tiny: Any, tmp_path: Any) -> None:
    data = tmp_path / "plant.db"
    with sandbox.start({"tiny": tiny}, data=data, devices=3, days=2) as running:
        start = running.fleet.start
        running.world("tiny").store.set("kind", "name", {"a": 1})
    time.sleep(0.01)
    clock = sandbox.Clock()
    clock.advance(5 * 3_600_000)
    with sandbox.start({"tiny": tiny}, data=data, devices=3, days=2, clock=clock) as running:
        assert running.world("tiny").store.setting("kind", "name") == {"a": 1}
        assert running.fleet.start == start
        running.reset()
        assert running.world("tiny").store.setting("kind", "name") is None
        assert running.fleet.start == start


def test_the_same_seed_and_clock_give_the_same_fleet(tiny: Any) -> None:
    seen = []
    for _ in range(2):
        clock = sandbox.Clock(1_780_000_000_000, frozen=True)
        with sandbox.start({"tiny": tiny}, seed=3, clock=clock) as running:
            fleet = running.fleet
            times = fleet.times(1, "environment", fleet.start, fleet.clock.now())
            values = [fleet.value(1, series, times).tolist() for series in fleet.groups(1)["environment"]]
            seen.append((list(fleet), times.tolist(), values))
    assert seen[0] == seen[1]


def test_wait_ends_when_the_sandbox_does(tiny: Any) -> None:
    running = sandbox.start({"tiny": tiny})
    thread = threading.Thread(target=running.wait)
    thread.start()
    running.stop()
    thread.join(2)
    assert not thread.is_alive()


def test_a_script_that_forgets_to_stop_ends_all_the_same() -> None:
    script = (
        "from types import SimpleNamespace as N; from starlette.applications import Starlette as S;"
        "from iotnb import sandbox; here = N(create=lambda w, s: S(), describe=lambda w, s: {});"
        "running = sandbox.start({'here': here}, devices=2); print(running.running)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=20, check=False
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "True", "")


def test_rubbish_on_the_socket_does_no_harm(running: sandbox.Sandbox, call: Any) -> None:
    with socket.create_connection(("127.0.0.1", running["tiny"].port), timeout=5) as raw:
        raw.sendall(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 400")
    assert call("GET", "/hello").status == 200
    assert running.errors == []
