"""Runs one layer of the tests and fails when it ran no test or skipped one.

python .ci/layer.py unit|sandbox|notebooks|browser|packaging [further pytest options]
"""

import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

APART = ("sandbox", "notebooks", "browser", "packaging")
LAYERS = ("unit", *APART)
PARALLEL = ("unit", "sandbox")  # whole files are dealt to two processes; the rest fills the machine alone
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def where(layer: str) -> list[str]:
    """Gives the pytest arguments that select a layer; `unit` is everything that is no other layer."""
    if layer == "unit":
        return ["tests", *(f"--ignore=tests/{name}" for name in APART)]
    return [f"tests/{layer}"]


def complaint(layer: str, report: Path) -> str:
    """Says what is wrong with a layer that pytest itself called good; empty when nothing is."""
    total = skipped = 0
    for suite in ET.parse(report).getroot().iter("testsuite"):
        total += int(suite.get("tests", "0"))
        skipped += int(suite.get("skipped", "0"))
    if total == 0:
        return f"layer {layer}: no test ran"
    if skipped:
        return (
            f"layer {layer}: {skipped} of {total} tests were skipped; a layer is run whole or it has failed"
        )
    print(f"layer {layer}: {total} tests, none skipped", flush=True)
    return ""


def run(layer: str, options: list[str]) -> int:
    """Runs a layer; 0 when every test of it ran and passed."""
    if layer == "browser" and not any(map(shutil.which, CHROMIUM)):
        return failed("layer browser: no Chromium found; install one (Debian: apt-get install chromium)")
    print(f"== layer {layer}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        spread = ["-n", "2", "--dist", "loadfile"] if layer in PARALLEL else []
        command = [sys.executable, "-m", "pytest", "-q", *where(layer), f"--junitxml={report}"]
        command += [*spread, *options]
        code = subprocess.run(command, check=False).returncode
        if code not in (0, 5):  # 5: pytest found no test
            return failed(f"layer {layer}: failed, pytest's exit code is {code}", code)
        problem = complaint(layer, report)
    if problem:
        return failed(problem)
    if "IOTNB_LAYERS" in os.environ:
        with Path(os.environ["IOTNB_LAYERS"]).open("a") as done:
            done.write(f"{layer}\n")
    return 0


def failed(reason: str, code: int = 1) -> int:
    """Prints why a layer counts as failed."""
    print(reason, file=sys.stderr)
    return code


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in LAYERS:
        sys.exit(f"usage: python .ci/layer.py {'|'.join(LAYERS)} [pytest options]")
    sys.exit(run(sys.argv[1], sys.argv[2:]))
