"""G12: what `import iotnb` costs over an empty interpreter, and how soon a sandbox is ready."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

import common

START = """
import time
began = time.perf_counter()
import iotnb
with iotnb.sandbox.start(["cumulocity"]) as sandbox:
    ready = time.perf_counter()
ended = time.perf_counter()
print(ready - began, ended - ready)
"""


def run(code: str) -> tuple[float, str]:
    began = time.perf_counter()
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return time.perf_counter() - began, found.stdout


def main() -> None:
    options = common.options(__doc__)
    table = common.Table("importing: a fresh interpreter each time")
    times: dict[str, list[float]] = {"pass": [], "import iotnb": [], "start": [], "stop": []}
    for number in range(options.rounds * 2 + 1):
        for code in ("pass", "import iotnb"):
            seconds, _ = run(code)
            if number:
                times[code].append(seconds)
    for _ in range(options.rounds):
        started, stopped = run(START)[1].split()
        times["start"].append(float(started))
        times["stop"].append(float(stopped))
    median = {name: statistics.median(found) * 1000 for name, found in times.items()}
    table.add(
        "G12",
        "import iotnb over an empty interpreter",
        median["import iotnb"] - median["pass"],
        must=60,
        more=False,
        unit="ms",
    )
    table.add(
        "", "sandbox ready, from nothing imported", median["start"] / 1000, must=1, more=False, unit="s"
    )
    table.add("", "sandbox stopped", median["stop"] / 1000, must=0.5, more=False, unit="s")
    table.show()


if __name__ == "__main__":
    main()
