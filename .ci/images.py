"""Makes the pictures of docs/images again, light and dark, from the sandbox; `images.py login` only that one.

The panels are those of a real JupyterLab in a real Chromium, driven as the browser tests drive them. The
fleet is that of seed 1 and its present is today's, so that a picture made tomorrow shows other times.
"""

import io
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from matplotlib import style
from matplotlib.figure import Figure
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
sys.path.insert(0, str(ROOT / "tests" / "browser"))

import rig  # noqa: E402  # it lies beside the tests

import iotnb  # noqa: E402
from iotnb import plots, sandbox  # noqa: E402
from iotnb.cli.serve import published  # noqa: E402

THEMES = ("light", "dark")
SHARP = 1.6
GROUND = dict.fromkeys(["figure.facecolor", "axes.facecolor", "savefig.facecolor"], "#111111")
CLIENT = 'import iotnb\nclient = iotnb.connect("cumulocity", sandbox=True)\n'
PUMPS = CLIENT + 'pumps = client.devices(type="c8y_Pump")[:3]\n'
ASKED = """import contextlib
from iotnb.errors import NotFound
alarm = {"source": {"id": pumps.device[0]}, "type": "c8y_Leak", "text": "Leak at flange 2",
         "severity": "MAJOR", "time": "2026-11-20T10:00:00Z"}
with iotnb.ExchangeView(client) as view:
    client.api.alarms.create(alarm)
    client.api.inventory.supported_series(pumps.device[0])
    with contextlib.suppress(NotFound):
        client.api.identity.get("c8y_Serial", "0815")
view"""
TENANT = {"Address": "https://plant-a.example.com", "Tenant ID": "t4711", "User": "kim"}


def rest(book: rig.Notebook) -> None:
    """Takes the pointer and the focus away from the panel."""
    book.page.mouse.move(1, 1)
    book.page.evaluate("() => document.activeElement.blur()")


def opened(studio: "Studio", *cells: str, width: int = 1180) -> rig.Notebook:
    """A notebook without the side bar, its cells run."""
    page = {"viewport": {"width": width, "height": 1500}, "device_scale_factor": SHARP}
    book = rig.Notebook(studio.browser, studio.lab, cells, **page)
    book.page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
    return book.run()


class Studio:
    """One JupyterLab and one Chromium; takes the pictures."""

    def __init__(self, browser: Browser, lab: rig.Lab, running: sandbox.Sandbox) -> None:
        self.browser, self.lab, self.running = browser, lab, running

    def take(
        self, book: rig.Notebook, name: str, *, part: str = ".iotnb-root", prepare: Callable[[], object] = int
    ) -> None:
        """Photographs one part of a page in both themes."""
        for theme in THEMES:
            book.theme(theme.title())
            book.page.wait_for_timeout(700)  # a plot is drawn anew in the theme's colours
            prepare()
            book.page.wait_for_timeout(250)
            keep(book.page.locator(part).first.screenshot(animations="disabled"), f"{name}-{theme}")
        assert not book.errors, book.errors


def keep(png: bytes, name: str) -> None:
    """Writes a picture with a palette, which is a third of its size."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    small = picture.quantize(256, method=Image.Quantize.MEDIANCUT, kmeans=3, dither=Image.Dither.NONE)
    small.save(IMAGES / f"{name}.png", optimize=True)
    print(f"{name}.png {small.width} x {small.height}", flush=True)


def login(studio: Studio) -> None:
    """The form for a tenant of one's own, half filled in."""
    book = opened(studio, 'import iotnb\niotnb.login("cumulocity")')
    book.field("Password").wait_for()
    for label, text in TENANT.items():
        book.field(label).fill(text)
    book.field("Password").fill("a password that nobody sees")
    studio.take(book, "login", prepare=lambda: rest(book))
    book.close()


def scopes(studio: Studio) -> None:
    """WSO2's form with its list of scopes, then what came of them after the login of a user with few."""
    service = studio.running.info()["wso2"]
    account = {**service["connect"], **service["users"]["user111"]}
    book = opened(studio, 'import iotnb\niotnb.login("wso2")')
    labels = {field.name: field.label for field in iotnb.platform_class("wso2").FIELDS}
    for name in ("base_url", "username", "password"):
        book.field(labels[name]).fill(account[name])
    book.button("Choose: Scopes").click()
    for word in ("android:reboot", "device-types:events", "admin-groups:view"):
        book.field("Search scopes").fill(word)
        book.page.wait_for_timeout(500)
        book.page.locator(".iotnb-choice").first.click()
    book.field("Search scopes").fill("events")
    studio.take(book, "login-scopes", prepare=lambda: rest(book))
    book.button("Log in").click()
    book.says("on 127", timeout=20_000)
    book.button("Show list: Scopes").click()
    studio.take(book, "login-granted", prepare=lambda: rest(book))
    book.close()


def workbench(studio: Studio) -> None:
    """The start notebook's panel, logged in, with a plot."""
    book = opened(
        studio, 'import iotnb\ndesk = iotnb.Workbench("cumulocity", sandbox=True)\ndesk', width=1290
    )
    page = book.page
    book.button("Log in").click()
    page.wait_for_selector(".iotnb-grid[data-n='25']")
    for row in (5, 6):
        page.locator(f".iotnb-canvas [data-i='{row}']").click()
    page.get_by_role("tab", name="Measurements").click()
    page.wait_for_selector(".iotnb-item[aria-level='2']")
    for text in ("temperature", "rms"):
        page.locator(".iotnb-item", has=page.get_by_text(text, exact=True)).first.click()
    book.button("7 d").click()
    loads(book)
    studio.take(book, "workbench", prepare=lambda: rest(book))
    book.close()


def picker(studio: Studio) -> None:
    """The grid with some devices selected."""
    book = opened(studio, CLIENT + "picker = iotnb.DevicePicker(client)\npicker")
    grid = filled(book)
    for row in (5, 6, 7, 9):
        grid.locator(f"[data-i='{row}']").click()
    studio.take(book, "picker", prepare=lambda: rest(book))
    book.close()


def details(studio: Studio) -> None:
    """The grid as a tree, with the row and the document of one device."""
    book = opened(studio, CLIENT + "picker = iotnb.DevicePicker(client)\npicker")
    grid = filled(book)
    book.button("Tree").click()
    book.page.wait_for_timeout(600)  # the rows of the table give way to those of the tree
    grid.locator("[data-i='0'] .iotnb-first").click(position={"x": 15, "y": 12})
    book.page.wait_for_timeout(600)
    grid.locator(".iotnb-row", has_text="Climate sensor Duesseldorf 0001-03").locator(".iotnb-info").click()
    book.page.wait_for_selector(".iotnb-inspect[data-document='shown']")
    studio.take(book, "picker-details", prepare=lambda: rest(book))
    book.close()


def filled(book: rig.Notebook) -> rig.Locator:
    """The grid, when all devices have come."""
    book.page.wait_for_selector(".iotnb-grid[data-n='25']")
    return book.page.locator(".iotnb-canvas")


def loads(book: rig.Notebook) -> None:
    """Presses Load and waits for the plot."""
    book.button("Load").click()
    book.page.wait_for_function("() => Number(document.querySelector('.iotnb-plot')?.dataset.n) > 100")


def explorer(studio: Studio) -> None:
    """Two series of two pumps over a week, with alarms and events."""
    chosen = "explorer.select([(d, s) for d in pumps.device[:2] for s in SERIES])"
    series = 'SERIES = ("c8y_Environment.temperature", "c8y_Vibration.rms")\n'
    book = opened(
        studio, PUMPS + series + "explorer = iotnb.MeasurementExplorer(client, pumps)\nexplorer", width=1290
    )
    page = book.page
    page.wait_for_selector(".iotnb-item[aria-level='2']")
    book.button("7 d").click()
    book.field("Alarms").check()
    book.field("Events").check()
    book.ask(chosen)
    loads(book)
    page.wait_for_function("() => document.querySelector('.iotnb-root').textContent.includes('alarm MAJOR')")
    over = page.locator(".u-over").first.bounding_box()
    assert over

    def point() -> None:
        page.mouse.move(over["x"] + over["width"] * 0.74, over["y"] + 60)

    studio.take(book, "explorer", prepare=point)
    book.close()


def operations(studio: Studio) -> None:
    """A month of operations of the fleet."""
    book = opened(studio, CLIENT + "timeline = iotnb.OperationTimeline(client)\ntimeline")
    book.page.wait_for_selector(".iotnb-timeline[data-state=ready][data-n]")
    studio.take(book, "operations", prepare=lambda: rest(book))
    book.close()


def exchanges(studio: Studio) -> None:
    """What a cell asked and got, one request of it opened."""
    book = opened(studio, PUMPS, ASKED, width=980)
    shown = book.page.locator(".jp-Cell").nth(1).locator(".jp-OutputArea-output.jp-RenderedHTMLCommon").last
    shown.locator("summary").first.click()
    shown.evaluate("node => { node.id = 'picture'; node.style.padding = '4px 12px 12px'; }")
    studio.take(book, "exchanges", part="#picture")
    book.close()


def live(studio: Studio) -> None:
    """What arrives now."""
    cell = PUMPS + 'view = iotnb.LiveView(client, pumps[:2], series=SERIES, names=pumps, window="60m")\nview'
    book = opened(studio, 'SERIES = ["c8y_Environment.temperature", "c8y_Vibration.rms"]\n' + cell)
    book.page.wait_for_function("() => Number(document.querySelector('.iotnb-plot')?.dataset.n) > 20")
    studio.take(book, "live", prepare=lambda: rest(book))
    book.close()


def figures(_: Studio | None) -> None:
    """The plots of iotnb.plots, which need no page."""
    client = iotnb.connect("cumulocity", sandbox=True)
    devices = client.devices()
    pumps = devices[devices["type"] == "c8y_Pump"]
    some = client.measurements(
        pumps[:2], series=["c8y_Environment.temperature", "c8y_Vibration.rms"], since="3d"
    )
    alarms = client.alarms(pumps[:2], since="3d")
    week = client.measurements(devices[:8], since="7d")
    ops = client.operations(devices[9:19], since="30d")

    def lines(empty: Figure) -> None:
        plots.mark(plots.lines(some, names=devices, ax=empty), alarms)

    drawn: dict[str, tuple[tuple[float, float], Callable[[Figure], object]]] = {
        "plot-lines": ((9, 5.4), lines),
        "plot-operations": ((9, 5.4), lambda empty: plots.operations(ops, names=devices, ax=empty)),
        "plot-coverage": (
            (9, 5.4),
            lambda empty: plots.coverage(week, devices=devices[:8], names=devices, ax=empty),
        ),
    }
    for theme in THEMES:
        with style.context(["dark_background", GROUND] if theme == "dark" else "default"):
            for name, (size, draw) in drawn.items():
                figure = Figure(figsize=size, layout="constrained")
                draw(figure)
                png = io.BytesIO()
                figure.savefig(png, dpi=100 * SHARP, bbox_inches="tight", pad_inches=0.15)
                keep(png.getvalue(), f"{name}-{theme}")


PANELS = (login, scopes, workbench, picker, details, explorer, operations, exchanges, live)


def main(wanted: list[str]) -> int:
    """Makes all pictures, or those that are named; 2 for a name that there is not."""
    names = [each.__name__ for each in PANELS] + ["plots"]
    if set(wanted) - set(names):
        print(f"usage: images.py [{' '.join(names)}]", file=sys.stderr)
        return 2
    panels = [each for each in PANELS if not wanted or each.__name__ in wanted]
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sandbox.start(seed=1) as running:
        if not wanted or "plots" in wanted:
            figures(None)
        if not panels:
            return 0
        with published(running.info()) as path, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=rig.chromium(), args=rig.FLAGS)
            lab = rig.Lab(Path(folder), env={sandbox.VARIABLE: str(path)})
            try:
                for panel in panels:
                    panel(Studio(browser, lab, running))
            finally:
                browser.close()
                lab.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
