"""`iotnb devices | series | ... | alarms` against a sandbox in another process."""

import csv
import io
import json
import os
import signal
import stat
import time

import pandas as pd
import pytest

import iotnb
from iotnb import frames
from iotnb.client import VERBS


@pytest.fixture
def ask(cli, sandbox):
    """Runs a data command on the sandbox."""

    def run(*arguments, **more):
        return cli(*arguments, "--platform", "cumulocity", "--sandbox", IOTNB_SANDBOX=sandbox["file"], **more)

    return run


def records(done):
    return list(csv.DictReader(io.StringIO(done.stdout)))


def test_devices_in_a_pipe_are_a_whole_table(ask):
    done = ask("devices")
    lines = done.stdout.splitlines()
    assert lines[0].split()[:3] == ["device", "name", "type"]
    assert len(lines) == 7
    assert all(line == line.rstrip() for line in lines)
    assert "6 rows from 127.0.0.1" in done.stderr
    assert "complete" in done.stderr


def test_devices_as_csv_have_the_core_columns_and_can_be_searched(ask):
    every = records(ask("devices", "--csv", "-"))
    assert list(every[0]) == list(frames.SCHEMAS["devices"])
    name = every[0]["name"]
    found = records(ask("devices", "--text", name, "--csv", "-"))
    assert name in [each["name"] for each in found]


def test_measurements_of_one_device_and_one_series_in_a_window(ask):
    device = records(ask("devices", "--csv", "-"))[-1]["device"]
    every = records(ask("measurements", "--device", device, "--since", "6h", "--csv", "-"))
    assert {each["device"] for each in every} == {device}
    series = every[0]["series"]
    some = records(ask("measurements", "--device", device, "--series", series, "--since", "6h", "--csv", "-"))
    assert {each["series"] for each in some} == {series}
    assert 0 < len(some) < len(every)
    times = pd.to_datetime([each["time"] for each in some])
    assert times.tz is not None
    assert times.is_monotonic_increasing


def test_the_three_formats_hold_the_same(ask, cli):
    until = pd.Timestamp.now(tz="UTC").floor("s").isoformat()
    done = ask(
        "measurements",
        *("--since", "2h", "--until", until),
        *("--csv", "m.csv", "--json", "m.json", "--parquet", "m.parquet"),
    )
    assert done.stdout == ""
    whole = pd.read_parquet(cli.folder / "m.parquet")
    assert list(whole.columns) == list(frames.SCHEMAS["measurements"])
    assert str(whole["time"].dtype).endswith("UTC]")
    assert whole.attrs["iotnb"]["complete"] is True
    listed = json.loads((cli.folder / "m.json").read_text())
    assert len(listed) == len(whole) > 0
    assert [each["value"] for each in listed] == pytest.approx(whole["value"].tolist())
    assert len(pd.read_csv(cli.folder / "m.csv", dtype={"device": str})) == len(whole)
    before = os.umask(0)
    os.umask(before)
    assert stat.S_IMODE((cli.folder / "m.csv").stat().st_mode) == 0o666 & ~before
    left = [path.name for path in cli.folder.iterdir() if path.is_file()]
    assert sorted(left) == ["m.csv", "m.json", "m.parquet"]


def test_operations_and_their_durations_in_seconds(ask):
    every = records(ask("operations", "--csv", "-"))
    assert every
    assert list(every[0]) == list(frames.SCHEMAS["operations"])
    assert all(float(each["duration"]) >= 0 for each in every if each["duration"])
    done = records(ask("operations", "--status", "successful", "--csv", "-"))
    assert {each["status"] for each in done} <= {"SUCCESSFUL"}


def test_series_and_the_latest_values_of_one_device(ask):
    device = records(ask("devices", "--csv", "-"))[-1]["device"]
    found = records(ask("series", "--device", device, "--csv", "-"))
    assert list(found[0]) == list(frames.SCHEMAS["series"])
    assert {each["device"] for each in found} == {device}
    names = [each["series"] for each in found]
    latest = records(ask("latest", "--device", device, "--csv", "-"))
    assert list(latest[0]) == list(frames.SCHEMAS["latest"])
    assert sorted(each["series"] for each in latest) == sorted(names)
    assert all(float(each["age"]) >= 0 for each in latest)
    one = records(ask("latest", "--device", device, "--series", names[0], "--csv", "-"))
    assert [each["series"] for each in one] == names[:1]


@pytest.mark.parametrize("verb", ["events", "alarms"])
def test_events_and_alarms_of_a_window_and_of_one_type(ask, verb):
    every = records(ask(verb, "--since", "2d", "--csv", "-"))
    assert list(every[0]) == list(frames.SCHEMAS[verb])
    device, kind = every[0]["device"], every[0]["type"]
    some = records(ask(verb, "--since", "2d", "--device", device, "--type", kind, "--csv", "-"))
    assert {(each["device"], each["type"]) for each in some} == {(device, kind)}
    assert 0 < len(some) <= len(every)
    window = ("--since", "2020-01-01T00:00:00Z", "--until", "2020-01-02T00:00:00Z")
    assert "no rows; the columns are time" in ask(verb, *window).stdout


@pytest.mark.parametrize("platform", iotnb.platform_names())
def test_the_verbs_of_every_platform_are_commands(cli, sandbox, platform):
    for verb in VERBS:
        asking = (verb, platform, "--sandbox", "--csv", "-")
        supported = verb in iotnb.platform_class(platform).supports
        done = cli(*asking, code=0 if supported else 1, IOTNB_SANDBOX=sandbox["file"])
        if supported:
            assert list(records(done)[0]) == list(frames.SCHEMAS[verb])
        else:
            title = iotnb.platform_class(platform).title
            assert done.stderr.startswith(f"iotnb: error: {title} has no {verb}; it has devices, ")
            assert len(done.stderr.splitlines()) == 1


def test_no_data_is_an_empty_table_not_an_error(ask):
    window = ("--since", "2020-01-01T00:00:00Z", "--until", "2020-01-02T00:00:00Z")
    assert "no rows; the columns are time, device" in ask("measurements", *window).stdout
    assert ask("measurements", *window, "--csv", "-").stdout == "time,device,series,value,text,unit\n"


def test_a_long_table_is_cut_on_a_terminal_only_and_says_so(cli, sandbox):
    arguments = ("measurements", "cumulocity", "--sandbox", "--since", "6h")
    shown = cli.terminal(*arguments, IOTNB_SANDBOX=sandbox["file"])
    assert "--csv, --json or --parquet FILE writes all" in shown
    assert "\r\x1b[K" in shown, "progress was drawn and taken away"
    table = shown.rpartition("\x1b[K")[2].splitlines()
    assert max(map(len, table)) <= 100
    assert len(table) < 100
    whole = cli(*arguments, IOTNB_SANDBOX=sandbox["file"])
    assert "\x1b" not in whole.stderr
    assert len(whole.stdout.splitlines()) > 100


def test_the_reader_of_a_pipe_may_go_away(cli, sandbox):
    process = cli.start(
        "measurements", "cumulocity", "--sandbox", "--since", "2d", IOTNB_SANDBOX=sandbox["file"]
    )
    process.stdout.readline()
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 0
    assert "Traceback" not in errors
    assert "error" not in errors


def test_a_login_from_the_vendors_own_variables(cli, sandbox):
    login = sandbox["info"]["cumulocity"]["connect"]
    variables = {
        "C8Y_BASEURL": login["base_url"],
        "C8Y_TENANT": login["tenant"],
        "C8Y_USER": login["username"],
        "C8Y_PASSWORD": login["password"],
    }
    assert len(records(cli("devices", "cumulocity", "--csv", "-", **variables))) == 6
    wrong = cli("devices", "cumulocity", code=1, **variables | {"C8Y_PASSWORD": "s3ntinel-0042"})
    assert len(wrong.stderr.splitlines()) == 1
    assert "401" in wrong.stderr
    assert "s3ntinel" not in wrong.stderr


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["measurements", "--since", "tomorrow"], "tomorrow"),
        (["measurements", "--since", "2026-01-02T00:00:00Z", "--until", "2026-01-01T00:00:00Z"], "2026-01-0"),
        (["measurements", "--until", "2026-01-01 12:00"], "zone"),
        (["operations", "--since", "-3h"], "-3h"),
    ],
)
def test_a_window_that_cannot_be_is_one_line_that_says_what_to_write(ask, arguments, word):
    done = ask(*arguments, code=2)
    assert len(done.stderr.splitlines()) == 1
    assert word in done.stderr


@pytest.mark.parametrize(
    ("option", "value"), [("--device", "99999999999"), ("--series", "c8y_Environment.temprature")]
)
def test_what_does_not_exist_is_named(ask, option, value):
    done = ask("measurements", option, value, "--since", "1h", code=2)
    assert len(done.stderr.splitlines()) == 1
    assert value in done.stderr


def test_incomplete_data_is_delivered_as_far_as_it_came_and_exit_code_3(cli, troubled):
    variables = troubled(path=r"^/measurement/", fail_every=3)
    done = cli(
        "measurements", "cumulocity", "--sandbox", "--retries", 0, "--json", "part.json", code=3, **variables
    )
    assert "iotnb: error: measurements are incomplete: " in done.stderr.splitlines()[-1]
    assert f"{len(json.loads((cli.folder / 'part.json').read_text())):,} rows came" in done.stderr
    assert (cli.folder / "part.json").stat().st_size > 1000


def test_where_nothing_came_at_all_there_is_no_file(cli, troubled):
    variables = troubled(path=r"^/measurement/", fail_every=1)
    done = cli(
        "measurements", "cumulocity", "--sandbox", "--retries", 0, "--json", "none.json", code=1, **variables
    )
    assert done.stderr.startswith("iotnb: error: 503 GET /measurement/")
    assert not (cli.folder / "none.json").exists()


def test_an_interrupt_ends_soon_with_130_and_writes_no_file(cli, troubled):
    variables = troubled(path=r"^/measurement/", latency=25.0)
    process = cli.start(
        "measurements", "cumulocity", "--sandbox", "--since", "2d", "--csv", "m.csv", **variables
    )
    troubled.met()
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert time.monotonic() - began < 15
    assert out == ""
    assert errors.splitlines()[-1] == "iotnb: interrupted"
    assert not (cli.folder / "m.csv").exists()
