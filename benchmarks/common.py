"""What the benchmarks share: the server process, interleaved rounds, medians, the table that is printed."""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = "IOTNB_BENCH_RESULTS"


def options(description: str | None, **defaults: int) -> argparse.Namespace:
    """--quick, --rounds and the sizes of a benchmark; quick means a fifth of each size and a single round."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="smaller data, one round: a check, not a figure")
    parser.add_argument("--rounds", type=int, default=None)
    for name, value in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=None, help=f"default {value:,}")
    found = parser.parse_args()
    found.rounds = found.rounds or (1 if found.quick else 3)
    for name, value in defaults.items():
        if getattr(found, name) is None:
            setattr(found, name, value // 5 if found.quick else value)
    return found


@dataclass
class Server:
    """The benchmark server, as its parent sees it."""

    url: str
    process: subprocess.Popen[str] = field(repr=False)

    def set(self, **settings: Any) -> None:
        """Sets latency, skip, gzip and data; what is not named is switched off."""
        query = "&".join(f"{name}={value}" for name, value in settings.items())
        urllib.request.urlopen(f"{self.url}/set?{query}").read()

    def sent(self) -> int:
        """Bytes of bodies sent since the last time."""
        return int(urllib.request.urlopen(f"{self.url}/sent").read())


@contextlib.contextmanager
def server(*, values: int = 0, devices: int = 0) -> Iterator[Server]:
    """Starts the server in a process of its own and ends it."""
    command = [sys.executable, str(HERE / "server.py"), "--values", str(values), "--devices", str(devices)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        port = process.stdout.readline().strip()
        yield Server(f"http://127.0.0.1:{port}", process)
    finally:
        process.stdin.close()
        process.terminate()
        process.wait()
        process.stdout.close()


def connect(url: str, **settings: Any) -> Any:
    """A client of iotnb, as a user has it."""
    import iotnb

    return iotnb.connect(
        "cumulocity",
        base_url=url,
        tenant="t1",
        username="bench",
        password="bench",
        method="basic",
        **settings,
    )


def notebook() -> None:
    """Loads what a notebook has loaded, so that the collector has as much to scan as there."""
    import importlib

    for name in ("IPython", "ipywidgets", "matplotlib.pyplot", "pandas", "requests"):
        importlib.import_module(name)
    gc.collect()


def rounds(
    count: int,
    *,
    warm: bool = True,
    clock: Callable[[], float] = time.perf_counter,
    **ways: Callable[[], Any],
) -> dict[str, float]:
    """The median seconds of each way, all ways in turn in each round.

    With `warm` a first round does not count. For work of a single thread `time.process_time` as clock
    leaves out what else the machine does.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(count + warm):
        for name, way in ways.items():
            gc.collect()
            began = clock()
            result = way()
            taken = clock() - began
            del result
            if number >= warm:
                seconds[name].append(taken)
    return {name: statistics.median(found) for name, found in seconds.items()}


class Table:
    """The figures of one benchmark beside their targets."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.rows: list[dict[str, Any]] = []

    def add(
        self, key: str, what: str, value: float, *, must: float, more: bool, unit: str = "x", note: str = ""
    ) -> None:
        """A figure; `more` says whether it must reach `must` or stay below it."""
        met = value >= must if more else value <= must
        self.rows.append({"key": key, "what": what, "value": value, "must": must, "more": more, "unit": unit,
                          "note": note, "met": met})  # fmt: skip

    def show(self) -> None:
        """Prints the table, and leaves the figures for run.py."""
        print(f"\n{self.title}   ({platform.python_version()}, {os.cpu_count()} cores)")
        for row in self.rows:
            print(line(row))
        sys.stdout.flush()
        if path := os.environ.get(RESULTS):
            with Path(path).open("a") as file:
                file.writelines(json.dumps(row) + "\n" for row in self.rows)


def line(row: dict[str, Any]) -> str:
    """One figure as a line."""
    sign = ">=" if row["more"] else "<="
    verdict = "ok" if row["met"] else "MISSED"
    figure = f"{row['value']:,.3g}" if row["value"] < 1000 else f"{row['value']:,.0f}"
    return (
        f"  {row['key']:<4} {row['what']:<62} {figure:>7} {row['unit']:<6} "
        f"must {sign} {row['must']:g}  {verdict:<6} {row['note']}"
    ).rstrip()
