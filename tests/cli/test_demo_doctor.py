"""`iotnb demo` and `iotnb doctor`: the whole installation in one command each."""

import re

import pytest

import iotnb


@pytest.mark.parametrize("platform", ["", *iotnb.platform_names()])
def test_the_demo_does_the_main_job_and_draws(cli, platform):
    done = cli("demo", *platform.split(), "--output", "fleet.png")
    title = iotnb.platform_class(platform or "cumulocity").title
    assert f"{title}: logged in to the sandbox at 127.0.0.1" in done.stdout
    assert int(re.search(r"(\d+) devices", done.stdout)[1]) >= 25
    for heading in ("values of the last 24 hours", "operations of the last 30 days"):
        assert heading in done.stdout
    assert re.search(r"count +min +mean +max", done.stdout)
    assert (cli.folder / "fleet.png").read_bytes().startswith(b"\x89PNG")
    assert done.stderr == ""


def test_the_doctor_tells_what_works(cli):
    shown = cli("doctor").stdout
    for name in (
        "iotnb",
        "python",
        "jupyterlab",
        "kernel",
        "keyring",
        "chromium",
        *(f"sandbox {name}" for name in iotnb.platform_names()),
        "IOTNB_SANDBOX",
    ):
        assert re.search(rf"^ok +{name} ", shown, re.MULTILINE), name
    assert re.search(r"^ok +widget \w+\.js +[\d,]+ bytes", shown, re.MULTILINE)
    assert "not available: the keyring is switched off" in shown
    assert "FAIL" not in shown


def test_the_doctor_fails_when_something_is_broken(cli):
    done = cli("doctor", code=1, IOTNB_SANDBOX=str(cli.folder / "gone.json"))
    assert re.search(r"^FAIL +\S.*gone\.json", done.stdout, re.MULTILINE)
