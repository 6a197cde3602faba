"""The start notebook as a newcomer uses it, with the mouse alone, on the newest and an older ipykernel."""

import re
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
import rig
from cells import IMPORTS
from playwright.sync_api import expect
from rig import Notebook
from test_keys import FOCUSABLE, KEYS

import iotnb

Open = Callable[..., Notebook]

FILE = Path(__file__).parents[2] / "notebooks" / "00_start_here.ipynb"
CELLS = [cell.source for cell in nbformat.read(FILE, as_version=4).cells if cell.cell_type == "code"]
EXPLORER = f"""{IMPORTS}
client = iotnb.connect("cumulocity", sandbox=True)
explorer = iotnb.MeasurementExplorer(client, client.devices(type="c8y_Pump")[:2])
explorer"""

every_kernel = pytest.mark.parametrize("kernel", rig.names())


def run(book: Notebook, index: int) -> None:
    book.start(index)
    book.join()


def opens(book: Notebook, tab: str) -> None:
    book.page.get_by_role("tab", name=re.compile(rf"^{tab}\b")).first.click()


def log_in(book: Notebook) -> None:
    book.button("Log in").click()
    grid = book.page.locator(".iotnb-grid").first
    expect(grid).to_have_attribute("data-n", re.compile(r"^[1-9]\d*$"), timeout=20_000)


def has(book: Notebook, kernel: str) -> None:
    """A run with one kernel only would prove nothing about the other."""
    assert len(rig.names()) > 1, "IOTNB_KERNELS names no older kernel: run make test-browser"
    major = book.ask("import ipykernel; print(ipykernel.__version__)").split(".")[0]
    assert major == ("7" if kernel == rig.names()[0] else "6")


@every_kernel
def test_from_the_login_to_a_plot_and_operations_without_a_key(open_notebook: Open, kernel: str) -> None:
    book = open_notebook(*CELLS)
    page, began = book.page, time.monotonic()
    run(book, 0)
    log_in(book)
    page.locator(".iotnb-canvas [data-i='1']").click()
    page.locator(".iotnb-canvas [data-i='2']").click()
    expect(page.get_by_role("tab", name="Devices (2)")).to_be_visible()
    opens(book, "Measurements")
    expect(page.locator(".iotnb-item[aria-level='1']")).to_have_count(2)
    page.locator(".iotnb-item[aria-level='2']").first.click()
    book.button("Load").click()
    page.wait_for_function("() => Number(document.querySelector('.iotnb-plot')?.dataset.n) > 100")
    opens(book, "Operations")
    page.wait_for_selector(".iotnb-timeline[data-state=ready][data-n]")
    print(f"{kernel}: login, devices, plot and operations in {time.monotonic() - began:.1f} s")
    has(book, kernel)
    picked = book.ask("print(*desk.selection.device)").split()
    assert len(picked) == 2
    assert {*book.ask("print(*desk.timeline.operations.device)").split()} <= {*picked}
    loaded = book.ask("f = desk.explorer.frame\nprint(len(f) > 1000, f.device.nunique(), f.series.nunique())")
    assert loaded == "True 1 1"
    for index in (1, 2):
        run(book, index)
    assert book.ask("print(*chosen.device)").split() == picked
    opens(book, "Log in")
    book.button("Log out").click()
    expect(page.get_by_text("Log in first", exact=False).first).to_be_attached()
    assert book.ask("print(desk.client, len(desk.selection), desk.picker)") == "None 0 None"


@every_kernel
def test_cancel_pressed_during_a_blocking_cell_is_served(open_notebook: Open, kernel: str) -> None:
    book = open_notebook(EXPLORER, "import time\ntime.sleep(1.5)")
    run(book, 0)
    page = book.page
    page.locator(".iotnb-item[aria-level='2']").first.click()
    has(book, kernel)
    book.button("30 d").click()
    book.ask("iotnb.sandbox.current('cumulocity').faults.set('cumulocity', latency=3)")
    book.button("Load").click()
    expect(book.button("Cancel")).to_be_enabled()
    book.start(1)
    book.button("Cancel").click()
    book.join()
    book.says("cancelled", timeout=15_000)
    expect(book.button("Load")).to_be_enabled()


def test_another_platform_fills_the_same_tabs_and_the_code_runs(open_notebook: Open) -> None:
    book = open_notebook("import iotnb\ndesk = iotnb.Workbench('cumulocity', sandbox=True)\ndesk")
    page = book.page
    run(book, 0)
    book.field("Platform").select_option(label=iotnb.platform_names()["tiothub"])
    log_in(book)
    page.locator(".iotnb-canvas [data-i='1']").click()
    expect(page.get_by_role("tab", name="Devices (1)")).to_be_visible()
    opens(book, "Operations")
    page.wait_for_selector(".iotnb-timeline[data-state=ready]")
    opens(book, "Code")
    shown = page.locator(".iotnb-code")
    expect(shown).to_contain_text("iotnb.connect('tiothub', sandbox=True)")
    said = book.ask(f"{shown.inner_text()}\nprint(selection.device.tolist() == desk.picker.ids, len(ops))")
    assert said == f"True {len_of(book, 'desk.timeline.operations')}"
    for theme in ("Dark", "Light"):
        book.theme(theme)
        found = book.axe(".iotnb-desk")
        assert not found, f"{theme}:\n" + "\n".join(found)
    cells = book.cells()
    for number, (tag, kind) in enumerate(page.evaluate(FOCUSABLE)):
        page.locator(f"[data-trial='{number}']").focus()
        for key in KEYS:
            page.keyboard.press(key)
        assert book.cells() == cells, f"a key in {tag} {kind} changed the notebook"


def len_of(book: Notebook, table: str) -> int:
    return int(book.ask(f"print(len({table}))"))
