"""Runs every benchmark, one after the other, and prints all figures once more as one table."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import common

SCRIPTS = (
    "importing",
    "load",
    "large",
    "windows",
    "memory",
    "inventory",
    "series",
    "wire",
    "archive",
    "plotting",
)


def main() -> int:
    """Returns 1 when a benchmark broke down; a target that was missed is printed, not an error."""
    broken = []
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results"
        results.touch()
        environment = {**os.environ, common.RESULTS: str(results)}
        for name in SCRIPTS:
            command = [sys.executable, str(common.HERE / f"{name}.py"), *sys.argv[1:]]
            if subprocess.run(command, env=environment, check=False).returncode:
                broken.append(name)
        rows = [json.loads(line) for line in results.read_text().splitlines()]
    print("\nAll figures: ratios of one run on this machine; seconds of other machines do not compare.")
    for row in rows:
        print(common.line(row))
    missed = sum(not row["met"] for row in rows)
    print(
        f"\n{len(rows) - missed} of {len(rows)} targets met"
        + (f"; broken: {', '.join(broken)}" if broken else "")
    )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
