"""The vendor's own REST client, unchanged, against the sandbox: in a process of its own, as its users run it.

It knows one discovery address and https only: the process sends what goes to that host to the sandbox
instead. Everything behind it comes from discovery.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CLIENT = Path(__file__).parent / "vendorclient.py"


@pytest.fixture(scope="module", params=["aws", "az"])
def told(request, shared, tmp_path_factory):
    """What the client's calls gave, by name."""
    connect = shared.service.connect
    home = tmp_path_factory.mktemp("vendor")
    environment = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    environment |= {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "IOTC_USER": connect["username"],
        "IOTC_PASS": connect["password"],
        "IOTC_SKEY": connect["solution_key"],
        "IOTC_PF": request.param,
        "IOTC_ENV": connect["environment"],
        "SANDBOX": shared.base,
    }
    shared.switches["discovery_failures"] = 1
    duid = shared.fleet[shared.index("sensor", online=True)].key
    arguments = [sys.executable, str(CLIENT), duid, str(shared.clock.now() / 1000)]
    done = subprocess.run(arguments, env=environment, cwd=home, capture_output=True, text=True, timeout=60)
    shared.switches.clear()
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    yield {**found, "edition": request.param}
    shared.running.reset()


def test_it_logs_in_and_reads_its_token(told, shared):
    assert told["base"] == f"{shared.base}/api/{'v2.1' if told['edition'] == 'aws' else 'v2'}"
    assert told["own user"] == shared.service.connect["username"]
    assert told["refreshed"] is True


def test_it_finds_every_device_page_by_page(told, shared):
    assert len(told["devices"]) == len(shared.fleet) + 5
    assert set(told["devices"]) >= {device.key for device in shared.fleet}
    assert told["total"] == (None if told["edition"] == "aws" else len(shared.fleet) + 5)
    assert told["by recency"] == sorted(told["by recency"], key=lambda one: one or "", reverse=True)
    assert told["one device"] == "gw-0001"
    assert told["no device"] is None


def test_it_reads_templates_entities_and_users(told):
    assert told["template codes"] == ["CS20", "EM1", "IG500", "PX7", "TRK1"]
    assert told["no template"] is told["no template guid"] is told["no entity"] is told["no user"] is None
    assert set(told["attributes"]) == {"environment", "battery", "signal"}
    assert told["root"] == "Avnet - SANDBOX"
    assert told["users"] == ["jo@example.com", "kim@example.com"]


def test_it_reads_telemetry(told, shared):
    fleet = shared.fleet
    i = shared.index("sensor", online=True)
    end = shared.clock.now()
    count = sum(fleet.times(i, group, end - 3_600_000, end + 1).size for group in fleet.groups(i))
    assert told["history"] == count
    assert told["recent"] == 20
    assert set(told["latest"]) == {one.key for one in fleet.series(i)}


def test_it_sends_a_command_and_pushes_an_update(told):
    assert told["command sent"] is True
    assert told["upgrades"] == [["1.0", "Draft"], ["2.0", "Released"]]
    assert told["uploaded"] == "image.bin"
    assert told["pushed"] is True


def test_it_makes_and_removes_what_it_needs(told):
    assert told["made"] == "vendor-device"
    assert told["gone"] is True
    assert told["template gone"] is True
    assert told["attached"] == 409
    assert told["device config"]["uid"] == "vendor-device"
    assert told["files"] == ["file.txt"]
    assert told["no files"] == []
