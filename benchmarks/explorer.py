"""A plot of 10,000,000 points in a real JupyterLab: how soon it shows, how quick a zoom is, how big the file.

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

KEYS = ("+", "+", "ArrowLeft", "+", "-", "ArrowRight")
ZOOM = """(key) => new Promise((done) => {
  const plot = document.querySelector('.iotnb-plot'), began = performance.now();
  const seen = new MutationObserver(() => { seen.disconnect(); done(performance.now() - began); });
  seen.observe(plot, { attributeFilter: ['data-seq'] });
  plot.querySelector('.iotnb-chart').dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
})"""


def seen(browser: Browser, lab: rig.Lab, points: int) -> tuple[float, float, list[float], int]:
    """Seconds to the plot with and without making the data, milliseconds of each zoom, bytes of the file."""
    shown = f"table = series({points})\niotnb.SeriesPlot(table)"
    timed = f"import time; t = time.perf_counter(); series({points}); print(time.perf_counter() - t)"
    with rig.Notebook(browser, lab, [cells.MILLIONS, shown]) as book:
        book.start(0)
        book.join()
        making = float(book.ask(timed))
        began = time.perf_counter()
        book.start(1)
        book.page.wait_for_selector(".iotnb-plot[data-n]", timeout=60_000)
        first = time.perf_counter() - began
        book.join()
        book.page.evaluate(ZOOM, "0")
        zooms = []
        for key in KEYS:
            zooms.append(float(book.page.evaluate(ZOOM, key)))
            time.sleep(0.1)
        book.save()
        return first, first - making, zooms, book.path.stat().st_size


def in_kernel(points: int, rounds: int) -> dict[str, float]:
    """Processor seconds of cutting a frame into curves, of a window of the whole, and of a hundredth."""
    from iotnb.widgets.explorer_plot import Drawing

    names: dict[str, object] = {}
    exec(cells.MILLIONS, names)
    table = names["series"](points)  # type: ignore[operator]
    drawing = Drawing(table)
    start, end = drawing.whole
    return common.rounds(
        rounds,
        clock=time.process_time,
        cut=lambda: Drawing(table),
        whole=lambda: drawing.window(start, end, width=900),
        part=lambda: drawing.window(start, start + (end - start) / 100, width=900),
    )


def main() -> None:
    options = common.options(__doc__, points=10_000_000)
    table = common.Table(f"explorer: {options.points:,} points in one plot")
    path = rig.chromium()
    if not path:
        sys.exit("explorer: no Chromium found: install one (Debian: apt-get install chromium)")
    firsts, plots, zooms, sizes = [], [], [], []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        lab = rig.Lab(Path(folder))
        browser = playwright.chromium.launch(executable_path=path, args=rig.FLAGS)
        try:
            for _ in range(options.rounds):
                first, plot, each, size = seen(browser, lab, options.points)
                firsts.append(first)
                plots.append(plot)
                zooms += each
                sizes.append(size)
        finally:
            browser.close()
            lab.close()
    kernel = in_kernel(options.points, options.rounds)
    figures = [
        ("the cell, data made in it, to the plot", statistics.median(firsts), 2.0, "s",
         f"{statistics.median(plots):.2f} s of it for the plot"),
        ("a key stroke that zooms or pans to its points", statistics.median(zooms), 25, "ms",
         f"{min(zooms):.0f} to {max(zooms):.0f}"),
        ("of that in the kernel: the whole, thinned", kernel["whole"] * 1000, 15, "ms",
         f"a hundredth of it {kernel['part'] * 1000:.1f} ms; the frame cut once {kernel['cut']:.2f} s"),
        ("the saved notebook with the plot", max(sizes) / 1000, 65, "kB", ""),
    ]  # fmt: skip
    for what, value, must, unit, note in figures:
        table.add("", what, value, must=must, more=False, unit=unit, note=note)
    table.show()


if __name__ == "__main__":
    main()
