"""`iotnb export` against a sandbox in another process: resumable, and its exit codes."""

import signal
import time

import pandas as pd
import pytest

from iotnb.archive import Archive

WINDOW = ("--since", "2d")


@pytest.fixture
def ask(cli, sandbox):
    """Runs a command on the sandbox."""

    def run(*arguments, **more):
        return cli(*arguments, "--platform", "cumulocity", "--sandbox", IOTNB_SANDBOX=sandbox["file"], **more)

    return run


def test_what_is_exported_is_what_is_there(ask, tmp_path):
    until = (pd.Timestamp.now("UTC") - pd.Timedelta("5min")).isoformat()
    done = ask("export", *WINDOW, "--until", until, "--to", str(tmp_path / "a"))
    assert done.stdout == ""
    assert "6 devices" in done.stderr
    assert done.stderr.rstrip().endswith("complete")
    ask("measurements", *WINDOW, "--until", until, "--parquet", str(tmp_path / "m.parquet"))
    whole = pd.read_parquet(tmp_path / "m.parquet")
    made = Archive(tmp_path / "a")
    assert made.rows == made.check() == len(whole) > 0
    assert made.frame()["value"].sum() == pytest.approx(whole["value"].sum())


def test_the_second_time_only_the_young_part_is_fetched(ask, tmp_path):
    arguments = ("export", *WINDOW, "--until", "2100-01-01", "--late", "0s", "--to", str(tmp_path / "a"))
    ask(*arguments)
    before = Archive(tmp_path / "a").rows
    ask(*arguments)
    made = Archive(tmp_path / "a")
    assert made.rows >= before
    pages = made.loads()["pages"].tolist()
    assert pages[1] <= pages[0]
    ask(*arguments, "--recheck", "1d")
    assert len(made.loads()) == 3
    assert made.check() == made.rows >= before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("--series", "c8y_Battery.level"), "all series"),
        (("--aggregate", "1h", "--function", "max"), "no aggregate"),
    ],
)
def test_another_query_is_refused(ask, tmp_path, change, words):
    ask("export", "--since", "1h", "--to", tmp_path / "a")
    done = ask("export", "--since", "1h", "--to", tmp_path / "a", *change, code=1)
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("export",),
        ("export", "--to", "x", "--late", "soon"),
        ("export", "--to", "x", "--since", "yesterday-ish"),
    ],
)
def test_wrong_usage(ask, tmp_path, arguments):
    ask(*[tmp_path / "x" if each == "x" else each for each in arguments], code=2)
    assert not (tmp_path / "x").exists()


def test_a_gap_is_said_and_filled_by_running_it_again(cli, troubled):
    variables = troubled(path=r"^/measurement/", fail_every=3)
    arguments = ("export", "cumulocity", "--sandbox", *WINDOW, "--to", "a", "--retries", 0)
    done = cli(*arguments, code=3, **variables)
    assert "measurements are incomplete: " in done.stderr.splitlines()[-1]
    landed = Archive(cli.folder / "a").rows
    done = cli(*arguments, **troubled(fail_every=None, path=None))
    assert done.stderr.rstrip().endswith("complete")
    assert Archive(cli.folder / "a").rows > landed


def test_interrupted_it_keeps_what_came(cli, troubled):
    variables = troubled(path=r"^/measurement/", latency=1.0)
    arguments = ("export", "cumulocity", "--sandbox", *WINDOW, "--workers", 1, "--to", "a")
    process = cli.start(*arguments, **variables)
    troubled.met()
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert errors.splitlines()[-1] == "iotnb: interrupted"
    landed = Archive(cli.folder / "a").check()
    assert landed
    done = cli(*arguments, **troubled(latency=0, path=None))
    assert done.stderr.rstrip().endswith("complete")
    assert Archive(cli.folder / "a").rows > landed
