"""A process that dies at any step of writing: nothing that was named is lost, nothing is there twice."""

import subprocess
import sys
import textwrap
from pathlib import Path

PROGRAM = """
import os, signal, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from iotnb import storage, times
from iotnb.frames import Coded, Columns
from iotnb.storage import writer
from iotnb.times import Window
import pyarrow.parquet

T0 = datetime(2026, 3, 1, 20, tzinfo=UTC)
WINDOW = Window(T0, T0 + timedelta(minutes=240))
IDENTITY = storage.Identity("cumulocity", "h", "u")
STEPS = {"open", "os.rename", "os.remove", "os.mkdir", "sqlite3.connect"}
writer.SMALL = 2  # so that files become one all the time


def minutes(window):
    first, last = (int((moment - T0).total_seconds() // 60) for moment in (window.start, window.end))
    at = (np.arange(first, last) * 60_000_000 + times.to_us(T0)).astype("M8[us]")
    zeros = np.zeros(len(at), np.int32)
    names = (Coded(zeros, [name]) for name in ("7", "t", "C"))
    return Columns(at, *names, np.arange(first, last) * 1.0)


def fill(folder):
    with storage.writing(folder, IDENTITY) as archive:
        archive.doubt(Window(T0 + timedelta(minutes=30), T0 + timedelta(minutes=80)))
        for missing in archive.missing("7", WINDOW):
            start = missing.start
            while start < missing.end:
                part = Window(start, min(start + timedelta(minutes=60), missing.end))
                archive.land("7", part.start, part.end, [minutes(part)])
                archive.flush()
                start = part.end


def check(folder, *, whole):
    with storage.Store(folder) as store:
        found = store.frame()
        held = [w for w in [WINDOW] for w in store.lacking("7", w)]
    values = found["value"].tolist()
    assert len(set(values)) == len(values), "doubled"
    expected = set(range(240))
    for gap in held:
        a, b = (int((moment - T0).total_seconds() // 60) for moment in (gap.start, gap.end))
        expected -= set(range(a, b))
    assert set(values) == expected, "what the manifest promises is not what is there"
    assert not whole or expected == set(range(240))


def die_at(step):
    count = 0

    def hook(event, args):
        nonlocal count
        if event in STEPS and str(folder) in str(args[0]):
            count += 1
            if count == step:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


base = Path(sys.argv[1])
died = 0
for step in range(int(sys.argv[2]), 400, int(sys.argv[3])):
    folder = base / str(step)
    child = os.fork()
    if child == 0:
        die_at(step)
        fill(folder)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        break  # it got through: there are no further steps
    died += 1
    if (folder / "archive.json").exists():
        check(folder, whole=False)
    fill(folder)
    check(folder, whole=True)
    assert not list(folder.rglob("*.tmp")), "something was left behind"
    listed = {str(p.relative_to(folder)) for p in folder.rglob("*.parquet")}
    with storage.Store(folder) as store:
        assert listed == {file.path for file in store.manifest.files()}, "orphans"
print(died)
"""


def test_death_at_any_step_of_writing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(tmp_path), "1", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20
