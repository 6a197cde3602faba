"""The measurement explorer and the plot in a real JupyterLab: keys, mouse, tabs, cancel, axe, limits."""

from collections.abc import Callable
from pathlib import Path

from cells import IMPORTS, MILLIONS
from playwright.sync_api import Page, expect
from rig import Notebook
from test_keys import FOCUSABLE, KEYS

Open = Callable[..., Notebook]

HOSTILE = "</script><img src=x onerror=window.pwned=1>"
EXPLORER = f"""{IMPORTS}
client = iotnb.connect("cumulocity", sandbox=True)
pumps = client.devices(type="c8y_Pump")[:2]
client.api.inventory.update(pumps.device.iloc[1], {{"name": "{HOSTILE}"}})
pumps = client.devices(type="c8y_Pump")[:2]
explorer = iotnb.MeasurementExplorer(client, pumps)
explorer"""


def explorer(open_notebook: Open) -> Notebook:
    book = open_notebook(EXPLORER, viewport={"width": 1500, "height": 1400}).run()
    book.page.wait_for_selector(".iotnb-item[aria-level='2']")
    return book


def loads(book: Notebook) -> None:
    book.button("Load").click()
    book.page.wait_for_selector(".iotnb-explore[data-state='ready']")
    book.page.wait_for_function("() => Number(document.querySelector('.iotnb-plot').dataset.n) > 100")


def looks_right(book: Notebook, state: str, *, part: str = ".iotnb-root") -> None:
    for theme in ("Light", "Dark"):
        book.theme(theme)
        found = book.axe(part)
        assert not found, f"{state}, {theme}:\n" + "\n".join(found)


def window(page: Page) -> str:
    return page.locator(".iotnb-range").first.inner_text()


def moved(page: Page, act: Callable[[], object], *, plot: str = ".iotnb-plot") -> str:
    """Does something that moves the plot's window; returns the window that comes."""
    before = page.locator(plot).first.get_attribute("data-seq")
    act()
    page.wait_for_function(
        "([plot, seq]) => document.querySelector(plot).dataset.seq !== seq", arg=[plot, before]
    )
    page.wait_for_timeout(60)
    return window(page)


def test_all_of_it_by_keyboard_and_every_tab_is_accessible(open_notebook: Open) -> None:
    book = explorer(open_notebook)
    page, keys = book.page, book.page.keyboard
    assert page.evaluate("() => window.pwned") is None
    book.button("Custom").click()
    looks_right(book, "before a load, with a custom range")
    book.button("24 h").click()
    page.get_by_label("Search devices and series").focus()
    keys.type("rms")
    expect(page.locator(".iotnb-item[aria-level='2']")).to_have_count(2)
    keys.press("ArrowDown")
    for key in ("Home", "ArrowRight", "Space", "End", "Enter"):
        keys.press(key)
    expect(page.locator(".iotnb-count")).to_have_text("2 series chosen")
    expect(page.locator(".iotnb-item", has_text=HOSTILE)).to_have_attribute("aria-checked", "mixed")
    keys.press("ArrowLeft")
    active = page.locator(".iotnb-tree").get_attribute("aria-activedescendant")
    expect(page.locator(f"#{active}")).to_have_attribute("aria-level", "1")
    expect(page.locator(".iotnb-estimate")).to_contain_text("values")
    book.field("Alarms").check()
    loads(book)
    book.says("Complete.")
    looks_right(book, "loaded")
    whole = window(page)
    page.locator(".iotnb-chart").focus()
    zoomed = moved(page, lambda: keys.press("+"))
    assert zoomed != whole
    assert moved(page, lambda: keys.press("ArrowRight")) != zoomed
    keys.press("Shift+ArrowRight")
    expect(page.locator(".iotnb-said")).to_contain_text("c8y_Vibration.rms")
    assert moved(page, lambda: keys.press("0")) == whole
    assert HOSTILE in page.locator(".iotnb-plot .iotnb-unseen").first.inner_text()
    expect(page.locator(".iotnb-legend tbody tr")).to_have_count(2)
    page.get_by_role("tab", name="Plot", exact=True).focus()
    expected = {
        "Table": "Rows 1 to 50",
        "Statistics": "Statistics of 2 series",
        "Code": "client.measurements(",
        "HTTP": "Secrets are blanked.",
    }
    for name, text in expected.items():
        keys.press("ArrowRight")
        pane = page.get_by_role("tabpanel", name=name, exact=True)
        expect(pane).to_contain_text(text)
        expect(page.get_by_role("tab", name=name, exact=True)).to_be_focused()
        if name == "HTTP":
            pane.locator("summary").first.click()
        looks_right(book, name, part=".iotnb-pane:not([hidden])")
    assert book.cells() == 1
    assert page.evaluate("() => window.pwned") is None


def test_mouse_files_and_cancel(open_notebook: Open, tmp_path: Path) -> None:
    book = explorer(open_notebook)
    page = book.page
    for name in ("rms", "temperature"):
        page.locator(".iotnb-item", has=page.get_by_text(name, exact=True)).first.click()
    loads(book)
    whole = window(page)
    over = page.locator(".iotnb-chart .u-over").first.bounding_box()
    assert over
    left, top = over["x"] + over["width"] * 0.3, over["y"] + over["height"] / 2
    page.mouse.move(left, top)
    assert page.locator(".iotnb-legend td.iotnb-num").first.inner_text() != ""

    def drag(*, shift: bool = False) -> None:
        if shift:
            page.keyboard.down("Shift")
        page.mouse.move(left, top)
        page.mouse.down()
        page.mouse.move(left + 120, top, steps=4)
        page.mouse.up()
        page.keyboard.up("Shift")

    zoomed = moved(page, drag)
    assert zoomed != whole
    assert moved(page, lambda: drag(shift=True)) != zoomed
    assert moved(page, lambda: page.mouse.dblclick(left, top)) == whole
    page.locator(".iotnb-search, .iotnb-explore input[type=search]").first.focus()
    page.mouse.move(left, top)
    page.mouse.wheel(0, -100)
    page.wait_for_timeout(150)
    assert window(page) == whole
    page.locator(".iotnb-chart").focus()
    assert moved(page, lambda: page.mouse.wheel(0, -100)) != whole
    with page.expect_download() as started:
        book.button("CSV").click()
    lines = Path(started.value.path()).read_text("utf-8").splitlines()
    assert lines[0] == "time,device,series,value,text,unit"
    assert len(lines) - 1 == int(book.ask("print(len(explorer.frame))"))
    book.button("Figure for print").click()
    expect(page.locator(".iotnb-print img")).to_be_visible(timeout=20_000)
    expect(page.get_by_role("link", name="Save as SVG")).to_be_visible()
    book.ask("iotnb.sandbox.current('cumulocity').faults.set('cumulocity', latency=1)")
    book.button("Load").click()
    expect(page.locator(".iotnb-progress")).to_be_visible()
    book.button("Cancel").click()
    book.says("cancelled", timeout=15_000)
    expect(book.button("Load")).to_be_enabled()


def test_no_shortcut_of_jupyterlab_fires_in_any_control(open_notebook: Open) -> None:
    book = explorer(open_notebook)
    page = book.page
    page.locator(".iotnb-item", has=page.get_by_text("rms", exact=True)).first.click()
    loads(book)
    book.button("Custom").click()
    book.field("From").wait_for()
    seen = set()
    controls = page.evaluate(FOCUSABLE)
    for number, (tag, kind) in enumerate(controls):
        page.evaluate(FOCUSABLE)
        page.locator(f"[data-trial='{number}']").focus()
        seen.add(page.evaluate("() => document.activeElement.getAttribute('role') || ''"))
        for key in KEYS:
            page.keyboard.press(key)
        assert book.cells() == 1, f"a key in {tag} {kind} changed the notebook"
        if tag == "input" and kind in {"search", "text"}:
            page.locator(f"[data-trial='{number}']").fill("UTC" if kind == "text" else "")
    assert len(controls) >= 20
    assert {"tree", "tab", "application"} <= seen


def test_two_million_points_alone_in_two_views(open_notebook: Open) -> None:
    book = open_notebook(MILLIONS, "plot = iotnb.SeriesPlot(series(2_000_000))\nplot", "plot").run()
    page = book.page
    page.wait_for_function("() => document.querySelectorAll('.iotnb-plot[data-n]').length === 2")
    first, second = page.locator(".iotnb-plot").nth(0), page.locator(".iotnb-plot").nth(1)
    for plot in (first, second):
        expect(plot.locator(".iotnb-legend")).to_contain_text("42")
        expect(plot.locator(".iotnb-drawn")).to_contain_text("of 1,666,666 values drawn")
        assert int(plot.get_attribute("data-n") or 0) <= 2_100
    whole = window(page)
    second.locator(".iotnb-chart").focus()
    book.received = 0
    for key in ("+", "+", "ArrowLeft", "+", "-", "0"):
        seq = second.get_attribute("data-seq")
        page.keyboard.press(key)
        page.wait_for_function(
            "(seq) => document.querySelectorAll('.iotnb-plot')[1].dataset.seq !== seq", arg=seq
        )
    assert book.received <= 250_000
    assert window(page) == whole
    page.keyboard.press("b")
    assert book.cells() == 3
    book.save()
    assert book.path.stat().st_size <= 65_000
