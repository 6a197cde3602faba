"""The README says what is: its tables follow from the code, its code runs, its commands exist."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import iotnb

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
PLATFORMS = (ROOT / "docs" / "platforms.md").read_text("utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands():
    lines = [line.split("#")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    return sorted({line for line in lines if line.startswith("iotnb ")})


def test_the_tables_are_those_of_the_code():
    done = subprocess.run(
        [sys.executable, ROOT / ".ci" / "docs.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("platform", sorted(iotnb.platform_names()))
def test_each_platform_has_its_fields_and_the_steps_of_its_tutorial(platform):
    for part in (f"fields-{platform}", f"steps-{platform}"):
        assert f"<!-- made: {part} -->" in PLATFORMS


def test_the_example_runs_as_printed(tmp_path):
    example = "\n".join(blocks("python"))
    (tmp_path / "example.py").write_text(example)
    done = subprocess.run(
        [sys.executable, "-W", "error", "example.py"],
        cwd=tmp_path,
        env={"MPLBACKEND": "agg", "HOME": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", commands())
def test_each_command_exists_with_its_options(command):
    words = shlex.split(command)[1:]
    names = [word for word in words if not word.startswith("-")]
    shown = ""
    for depth in (2, 1):  # a subcommand, or a command with an argument
        called = [sys.executable, "-m", "iotnb", *names[:depth], "--help"]
        done = subprocess.run(called, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            shown += done.stdout
    assert shown
    for option in (word for word in words if word.startswith("--")):
        assert option in shown


def test_every_picture_is_there():
    pictures = re.findall(r'(?:src="|srcset="|\]\()(docs/images/[^")]+)', README)
    assert [name for name in pictures if not (ROOT / name).is_file()] == []
