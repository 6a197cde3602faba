"""Help, usage errors and exit codes."""

import re
import subprocess
import sys

import pytest

COMMANDS = [
    "lab",
    "demo",
    "tutorials",
    "sandbox",
    "devices",
    "series",
    "latest",
    "measurements",
    "operations",
    "events",
    "alarms",
    "profiles",
    "doctor",
]
NESTED = [
    "tutorials list",
    "tutorials copy",
    "tutorials open",
    "profiles list",
    "profiles show",
    "profiles save",
    "profiles delete",
]


def test_the_help_lists_every_command_and_the_exit_codes(cli):
    shown = cli("--help").stdout
    for name in COMMANDS:
        assert re.search(rf"^  {name} +\S", shown, re.MULTILINE)
    assert "3 incomplete data" in shown
    assert "iotnb lab" in shown


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_examples(cli, name):
    shown = cli(name, "--help").stdout
    assert "Example" in shown
    assert f"iotnb {name}" in shown
    assert "--debug" in shown


@pytest.mark.parametrize("name", NESTED)
def test_the_commands_below_explain_themselves(cli, name):
    shown = cli(*name.split(), "--help").stdout
    assert f"Usage: iotnb {name}" in shown


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("lab", ["--port", "--no-browser"]),
        (
            "sandbox",
            [
                "--platform",
                "--port",
                "--tls",
                "--seed",
                "--devices",
                "--days",
                "--faults",
                "--data",
                "--json",
            ],
        ),
        ("demo", ["--output"]),
        (
            "measurements",
            ["--device", "--since", "--until", "--series", "--csv", "--json", "--parquet", "--profile"],
        ),
    ],
)
def test_the_promised_options_are_there(cli, name, options):
    shown = cli(name, "--help").stdout
    assert [option for option in options if option not in shown] == []


def test_the_version(cli):
    assert re.fullmatch(r"iotnb \d+\.\d+\.\d+\n", cli("--version").stdout)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["devices", "--nonsense"], "No such option"),
        (["sandbox", "--port", "99999"], "99999"),
        (["devices", "cumulocity", "--field", "base_url"], "NAME=VALUE"),
        (["devices", "cumulocity", "--field", "colour=red"], "cumulocity has base_url"),
        (["devices", "nowhere"], "nowhere"),
        (["devices", "cumulocity", "--platform", "other"], "two platforms"),
        (["devices", "cumulocity", "--sandbox", "--profile", "x"], "exclude each other"),
        (["devices", "cumulocity", "--sandbox", "--csv", "missing/folder/x.csv"], "no folder missing/folder"),
        (["devices", "cumulocity", "--sandbox", "--parquet", "-"], "binary"),
        (["operations", "cumulocity", "--sandbox", "--status", "BROKEN"], "BROKEN"),
        (["profiles", "show", "nobody"], "no profile 'nobody'"),
        (["devices", "--profile", "nobody"], "no profile 'nobody'"),
        (["tutorials", "open", "99_nothing"], "no tutorial '99_nothing'"),
        (["demo", "--output", "missing/folder/x.png"], "no folder missing/folder"),
        (["demo", "nowhere"], "no platform 'nowhere'"),
        (["devices", "--sandbox"], "name a platform: cumulocity, "),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(cli, arguments, words):
    done = cli(*arguments, code=2)
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("iotnb: error: ")
    assert words in done.stderr


def test_a_login_without_fields_names_them_and_does_not_ask(cli):
    done = cli("devices", "cumulocity", code=2)
    assert len(done.stderr.splitlines()) == 1
    for words in ("base_url", "C8Y_BASEURL", "IOTNB_CUMULOCITY_BASE_URL"):
        assert words in done.stderr


def test_sentences_of_an_error_stay_sentences_in_its_one_line(cli):
    login = {"C8Y_BASEURL": "http://127.0.0.1:9", "C8Y_USER": "ann", "C8Y_PASSWORD": "s3ntinel-0042"}
    assert (
        "refused the connection. Check host"
        in cli("devices", "cumulocity", "--retries", 0, code=1, **login).stderr
    )
    lacking = cli("devices", "cumulocity", code=2).stderr
    assert re.search(r"Give: \w+: .+ in the environment; \w+: ", lacking), lacking


def test_a_secret_on_the_command_line_is_refused(cli):
    done = cli("devices", "cumulocity", "--field", "password=s3ntinel-0042", code=2)
    assert "IOTNB_CUMULOCITY_PASSWORD" in done.stderr
    assert "s3ntinel" not in done.stderr


def test_a_host_that_nobody_answers_at_is_one_line(cli):
    login = {"C8Y_BASEURL": "http://127.0.0.1:9", "C8Y_USER": "ann", "C8Y_PASSWORD": "s3ntinel-0042"}
    done = cli("devices", "cumulocity", "--retries", 0, code=1, **login)
    assert len(done.stderr.splitlines()) == 1
    assert "127.0.0.1" in done.stderr


@pytest.mark.parametrize("before", [True, False])
def test_debug_shows_the_traceback_without_the_secret(cli, before):
    login = {"C8Y_BASEURL": "http://127.0.0.1:9", "C8Y_USER": "ann", "C8Y_PASSWORD": "s3ntinel-0042"}
    asking = ["devices", "cumulocity", "--retries", 0]
    arguments = ["--debug", *asking] if before else [*asking, "--debug"]
    done = cli(*arguments, code=1, **login)
    assert "Traceback (most recent call last)" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("iotnb: error: ")
    assert "s3ntinel" not in done.stderr


def test_help_does_not_wait_for_the_heavy_libraries(cli):
    heavy = {"pandas", "numpy", "matplotlib", "ipywidgets", "uvicorn"}
    code = f"import sys, iotnb.cli; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=cli.environment,
        cwd=cli.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
