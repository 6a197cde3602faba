"""The login panel, and the picker over 100,000 devices, in a real JupyterLab: how soon they are there.

Needs Chromium; one JupyterLab for all rounds, a new kernel and page for each.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

import common
from playwright.sync_api import Browser, sync_playwright

BROWSER_TESTS = common.HERE.parent / "tests" / "browser"
sys.path.insert(0, str(BROWSER_TESTS))

import cells  # noqa: E402  # from there
import rig  # noqa: E402  # the same

SEARCHES = ("pump", "pump 0123", "0314159", "zzz", "hall 7 sensor")
WORDS = ("n", "no", "nor", "nort 01")


def seen(browser: Browser, lab: rig.Lab, devices: int) -> tuple[float, list[float]]:
    """Seconds from the cell's start to the first rows, and milliseconds from each key stroke to its rows."""
    made = f"{cells.IMPORTS}{cells.FLEET}table = fleet({devices})"
    with rig.Notebook(browser, lab, [made, "picker = DevicePicker(table)\npicker"]) as book:
        book.start(0)
        book.join()
        began = time.perf_counter()
        book.start(1)
        book.page.wait_for_selector(f'.iotnb-grid[data-n="{devices}"]', timeout=60_000)
        first = time.perf_counter() - began
        book.join()
        book.page.evaluate(cells.SEARCH, "p")
        return first, [float(book.page.evaluate(cells.SEARCH, text)) for text in SEARCHES]


def login(browser: Browser, lab: rig.Lab) -> float:
    """Seconds from the cell's start to a form that can be typed into, in a kernel that has loaded nothing."""
    with rig.Notebook(browser, lab, ["import iotnb\niotnb.login()"]) as book:
        began = time.perf_counter()
        book.start(0)
        book.page.locator(".iotnb-secret input").first.wait_for(timeout=60_000)
        ready = time.perf_counter() - began
        book.join()
        return ready


def in_kernel(devices: int, rounds: int) -> float:
    """Milliseconds of one search and its counts, without a page."""
    from iotnb.widgets.source import Query, Source

    names: dict[str, object] = {}
    exec(cells.FLEET, names)
    source = Source(names["fleet"](devices))  # type: ignore[operator]
    source.order(Query("pump"))

    def search() -> None:
        for word in WORDS:
            source.order(Query(word))
            source.facets(Query(word))

    return common.rounds(rounds, search=search)["search"] / len(WORDS) * 1000


def main() -> None:
    options = common.options(__doc__, devices=100_000)
    table = common.Table(f"panels: {options.devices:,} devices")
    path = rig.chromium()
    if not path:
        sys.exit("picker: no Chromium found: install one (Debian: apt-get install chromium)")
    firsts, strokes, logins = [], [], []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        lab = rig.Lab(Path(folder))
        browser = playwright.chromium.launch(executable_path=path, args=rig.FLAGS)
        try:
            for _ in range(options.rounds):
                logins.append(login(browser, lab))
                first, each = seen(browser, lab, options.devices)
                firsts.append(first)
                strokes += each
        finally:
            browser.close()
            lab.close()
    table.add("", "the cell to the login panel", statistics.median(logins), must=1.0, more=False, unit="s")
    table.add("", "the cell to the first rows", statistics.median(firsts), must=1.5, more=False, unit="s")
    table.add("", "a key stroke to its rows", statistics.median(strokes), must=150, more=False, unit="ms")
    kernel = in_kernel(options.devices, options.rounds)
    table.add("", "of that in the kernel: search and counts", kernel, must=40, more=False, unit="ms")
    table.show()


if __name__ == "__main__":
    main()
