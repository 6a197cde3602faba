"""G6, G7: the highest memory of a load over its start, and what the resulting frame holds a value."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import common
from load import SOURCE, WINDOW, load, notebook_loop

MEGABYTE = 1e6


def status(name: str) -> int:
    """A figure of this process in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    raise LookupError(name)


def child(url: str, way: str) -> None:
    """In a process of its own: a small load to warm up, then how far memory rises in the real one."""
    common.notebook()
    client = common.connect(url)
    client.measurements([SOURCE], since=WINDOW["since"], until="2026-01-01T06:00:00Z")
    Path("/proc/self/clear_refs").write_text("5")  # the highest mark starts anew
    start = status("VmRSS")
    frame = load(client) if way == "iotnb" else notebook_loop(url)
    peak = status("VmHWM")
    print(peak - start, frame.memory_usage(deep=True).sum() / len(frame))


def measured(url: str, way: str) -> tuple[float, float]:
    found = subprocess.run(
        [sys.executable, __file__, "--child", url, way], check=True, capture_output=True, text=True
    )
    peak, held = found.stdout.split()
    return float(peak), float(held)


def main() -> None:
    options = common.options(__doc__, values=1_000_000)
    table = common.Table(f"memory: {options.values:,} values")
    with common.server(values=options.values) as server:
        peak, held = measured(server.url, "iotnb")
        server.set(latency=0.05)
        slow, _ = measured(server.url, "iotnb")
        server.set()
        loop, plain = measured(server.url, "loop")
    share = 1_000_000 / options.values
    note = f"loop {loop / MEGABYTE:,.0f} MB"
    table.add(
        "G6",
        "peak over start, 0 ms, for 1 M values",
        peak / MEGABYTE * share,
        must=200,
        more=False,
        unit="MB",
        note=note,
    )
    table.add("G6", "the same at 50 ms, 8 workers", slow / MEGABYTE * share, must=200, more=False, unit="MB")
    table.add(
        "G7", "bytes a value of the frame", held, must=24, more=False, unit="bytes", note=f"loop {plain:.0f}"
    )
    table.show()


if __name__ == "__main__":
    if "--child" in sys.argv:
        child(*sys.argv[-2:])
    else:
        main()
