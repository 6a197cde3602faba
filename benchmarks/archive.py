"""G10: an archive of Parquet files: its size, what writing costs a load, and ten kill -9."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import common
import numpy as np
from load import WINDOW, load
from server import PAGE, SOURCE

KILLS = 10


def fill(client: Any, folder: Path) -> None:
    """Loads everything into an archive."""
    from iotnb import archive

    archive.load(client, folder, [SOURCE], **WINDOW)


def seconds_of_writing(client: Any, folder: Path) -> tuple[float, float]:
    """The seconds that a load into a new archive took, and for how many of them it was held up by writing."""
    from iotnb.storage import Writer

    held = 0.0
    plain = {name: getattr(Writer, name) for name in ("land", "flush")}

    def timed(name: str) -> Any:
        def call(*arguments: Any) -> None:
            nonlocal held
            began = time.perf_counter()
            plain[name](*arguments)
            held += time.perf_counter() - began

        return call

    try:
        for name in plain:
            setattr(Writer, name, timed(name))
        began = time.perf_counter()
        fill(client, folder)
        return time.perf_counter() - began, held
    finally:
        for name, method in plain.items():
            setattr(Writer, name, method)


def kills(url: str, folder: Path, expected: int, took: float) -> tuple[int, int, list[int]]:
    """Kills a load that takes so many seconds ten times, lets it end, and says what is there.

    Gives rows missing, rows doubled, and rows after each kill.
    """
    from iotnb.archive import Archive

    chance = random.Random(10)
    grown = []
    for number in range(KILLS + 1):
        child = subprocess.Popen(
            [sys.executable, __file__, "--fill", url, str(folder)], stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        child.stdout.readline()
        if number < KILLS:
            time.sleep(chance.uniform(0.1, took))
            os.kill(child.pid, signal.SIGKILL)
        child.communicate()
        grown.append(Archive(folder).check() if (folder / "archive.json").exists() else 0)
    moments = Archive(folder).frame()["time"].to_numpy("M8[us]").astype(np.int64)
    pairs = np.unique(moments, return_counts=True)[1]  # each document has two values
    return expected - int(np.minimum(pairs, 2).sum()), int(np.maximum(pairs - 2, 0).sum()), grown


def main() -> None:
    options = common.options(__doc__, values=1_000_000)
    common.notebook()
    import pyarrow.parquet  # noqa: F401  # not what is measured

    table = common.Table(f"archive: {options.values:,} values")
    base = Path(tempfile.mkdtemp(prefix="iotnb-bench-"))
    try:
        with common.server(values=options.values) as server:
            client = common.connect(server.url)
            load(client)
            for latency in (0.0, 0.05):
                server.set(latency=latency)
                found = [seconds_of_writing(client, base / f"{latency}-{n}") for n in range(options.rounds)]
                took, spent = sorted(found, key=lambda each: each[1] / each[0])[len(found) // 2]
                table.add(
                    "G10",
                    f"writing as a share of the load, {latency * 1000:.0f} ms a request",
                    spent / took,
                    must=0.2,
                    more=False,
                    note=f"{spent:.2f} of {took:.2f} s",
                )
            files = list((base / "0.0-0").rglob("*.parquet"))
            size = sum(path.stat().st_size for path in files)
            table.add(
                "G10",
                "bytes a value on disk",
                size / options.values,
                must=6,
                more=False,
                unit="bytes",
                note=f"{len(files)} files",
            )
            both = common.rounds(
                options.rounds,
                archive=lambda: client.measurements([SOURCE], **WINDOW, cache=base / "0.0-0"),
                server=lambda: load(client),
            )
            table.add(
                "",
                "a load from the archive against one from the server, 50 ms",
                both["server"] / both["archive"],
                must=1,
                more=True,
                note=f"{both['archive']:.2f} s; from the server {both['server']:.2f} s",
            )
            server.set(
                latency=5.0 * 8 / (options.values / 2 / PAGE)
            )  # slow enough for every kill to meet a load
            missing, doubled, grown = kills(server.url, base / "killed", options.values, 5.0)
            middle = sum(0 < rows < options.values for rows in grown)
            for word, count in (("missing", missing), ("doubled", doubled)):
                table.add(
                    "G10",
                    f"rows {word} after {KILLS} kill -9",
                    count,
                    must=0,
                    more=False,
                    unit="rows",
                    note=f"{middle} of them left a part of the rows",
                )
            client.close()
    finally:
        shutil.rmtree(base)
    table.show()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--fill"]:
        own = common.connect(sys.argv[2])
        print("ready", flush=True)
        fill(own, Path(sys.argv[3]))
    else:
        main()
