"""The device picker in a real JupyterLab: typing, clicking, keys, limits."""

import json
from collections.abc import Callable
from typing import Any

from cells import FAMILY, FLEET, IMPORTS, READ_GRID, SEARCH
from playwright.sync_api import expect
from rig import Notebook

Open = Callable[..., Notebook]


def picker(open_notebook: Open, count: int = 137, **page: Any) -> Notebook:
    book = open_notebook(IMPORTS + FLEET, f"picker = DevicePicker(fleet({count}))\npicker", **page).run()
    book.page.wait_for_selector(f'.iotnb-grid[data-n="{count}"]')
    return book


def rows(book: Notebook) -> list[dict[str, Any]]:
    return list(book.page.evaluate(READ_GRID))


def ids(book: Notebook) -> list[str]:
    return list(json.loads(book.ask("import json; print(json.dumps(picker.ids))")))


def matches(book: Notebook, count: int) -> None:
    book.page.wait_for_selector(f'.iotnb-grid[data-n="{count}"]')


def test_search_filter_sort_and_select_with_the_mouse(open_notebook: Open) -> None:
    book = picker(open_notebook)
    search = book.page.get_by_label("Search devices")
    search.fill('"hall 5" pump')
    matches(book, 8)
    book.page.get_by_role("button", name="offline", exact=False).click()
    matches(book, 1)
    expect(book.page.locator(".iotnb-chips button[aria-pressed=true]")).to_have_text("offline 1")
    book.page.locator(".iotnb-canvas [data-i='0']").click()
    expect(book.page.locator(".iotnb-count")).to_have_text("1 selected")
    assert ids(book) == ["0004879"]
    search.fill("zzz")
    expect(book.page.locator(".iotnb-notice")).to_contain_text("No device matches.")
    book.button("Clear search and filters").click()
    matches(book, 137)
    heading = book.page.get_by_role("columnheader", name="Name")
    heading.click()
    expect(heading).to_have_attribute("aria-sort", "ascending")
    heading.click()
    expect(heading).to_have_attribute("aria-sort", "descending")
    expect(book.page.locator(".iotnb-canvas [data-i='0']")).to_contain_text("Pump 00136")
    book.button("Only selected").click()
    matches(book, 1)
    assert rows(book)[0]["selected"]
    assert ids(book) == ["0004879"]


def test_the_type_filter_is_a_list_with_counts(open_notebook: Open) -> None:
    book = picker(open_notebook)
    book.page.get_by_role("button", name="Type: all").click()
    box = book.page.get_by_role("checkbox", name="machine 45")
    expect(box).not_to_be_checked()
    box.check()
    matches(book, 45)
    expect(book.page.get_by_role("button", name="Type: machine")).to_be_visible()
    book.page.keyboard.press("Escape")
    expect(book.page.locator(".iotnb-popup")).to_be_hidden()


def test_a_range_over_rows_that_were_never_loaded(open_notebook: Open) -> None:
    book = picker(open_notebook, 20_000)
    book.page.locator(".iotnb-canvas [data-i='1']").click()
    book.page.evaluate("() => { document.querySelector('.iotnb-scroll').scrollTop = 28 * 15000; }")
    book.page.wait_for_function(
        "() => document.querySelector(\".iotnb-canvas [data-i='15003']\")?.textContent.includes('Pump 15003')"
    )
    book.page.locator(".iotnb-canvas [data-i='15003']").click(modifiers=["Shift"])
    expect(book.page.locator(".iotnb-count")).to_have_text("15,003 selected")
    assert book.ask("print(len(picker.selection), picker.ids[0], picker.ids[-1])") == "15003 0004714 0049720"


def test_everything_by_keyboard_alone(open_notebook: Open) -> None:
    book = picker(open_notebook)
    keyboard = book.page.keyboard
    book.page.locator(".iotnb-scroll").focus()
    for key in ("ArrowDown", "Space", "ArrowDown", "Shift+ArrowDown", "Shift+ArrowDown"):
        keyboard.press(key)
    expect(book.page.locator(".iotnb-count")).to_have_text("4 selected")
    keyboard.press("End")
    keyboard.press("Enter")
    expect(book.page.locator(".iotnb-count")).to_have_text("5 selected")
    assert ids(book)[-1] == "0005119"
    active = book.page.locator(".iotnb-scroll").get_attribute("aria-activedescendant")
    assert book.page.locator(f"#{active}").get_attribute("aria-selected") == "true"
    keyboard.press("/")
    keyboard.type('"hall 3"')
    matches(book, 8)
    keyboard.press("ArrowDown")
    keyboard.press("Control+a")
    expect(book.page.locator(".iotnb-count")).to_have_text("12 selected")
    keyboard.press("Escape")
    matches(book, 137)
    for key in ("Home", "ArrowUp", "ArrowRight", "Enter"):
        keyboard.press(key)
    expect(book.page.get_by_role("columnheader", name="Name")).to_have_attribute("aria-sort", "ascending")
    assert book.cells() == 2


def test_two_views_share_the_selection_and_not_the_scroll(open_notebook: Open) -> None:
    book = open_notebook(IMPORTS + FLEET, "picker = DevicePicker(fleet(500))\npicker", "picker").run()
    book.page.wait_for_function("() => document.querySelectorAll('.iotnb-grid[data-n=\"500\"]').length === 2")
    grids = book.page.locator(".iotnb-grid")
    grids.nth(1).get_by_label("Search devices").fill('"hall 3"')
    book.page.wait_for_selector('.iotnb-grid[data-n="30"]')
    assert grids.nth(0).get_attribute("data-n") == "500"
    grids.nth(1).locator("[data-i='0']").click()
    expect(grids.nth(0).locator("[data-i='3']")).to_have_attribute("aria-selected", "true")
    expect(grids.nth(0).locator(".iotnb-count")).to_have_text("1 selected")


def test_hostile_names_are_text(open_notebook: Open) -> None:
    book = picker(open_notebook)
    assert rows(book)[2]["cells"][1] == "</script><img src=x onerror=window.pwned=1>"
    assert book.page.evaluate("() => window.pwned") is None


def test_the_tree_by_mouse_and_keyboard(open_notebook: Open) -> None:
    book = open_notebook(IMPORTS + FAMILY, "picker = DevicePicker(family(100))\npicker").run()
    matches(book, 100)
    book.button("Tree").click()
    matches(book, 10)
    book.page.locator(".iotnb-canvas [data-i='1'] .iotnb-first").click(position={"x": 15, "y": 12})
    matches(book, 19)
    row = book.page.locator(".iotnb-canvas [data-i='1']")
    expect(row).to_have_attribute("aria-expanded", "true")
    expect(book.page.locator(".iotnb-canvas [data-i='2']")).to_have_attribute("aria-level", "2")
    keyboard = book.page.keyboard
    book.page.locator(".iotnb-scroll").focus()
    for key in ("ArrowDown", "ArrowLeft"):  # from the unfolded row to its first child, and back to it
        keyboard.press(key)
    keyboard.press("ArrowLeft")
    matches(book, 10)
    keyboard.press("ArrowRight")
    matches(book, 19)
    for key in ("ArrowRight", "Space", "Shift+ArrowDown"):
        keyboard.press(key)
    expect(book.page.locator(".iotnb-count")).to_have_text("2 selected")
    assert ids(book) == ["0004744", "0004747"]
    book.page.get_by_label("Search devices").fill("id:0004777")
    matches(book, 2)
    assert [each["cells"][2] for each in rows(book)] == ["0004771", "0004777"]
    book.button("Select all 1").click()
    expect(book.page.locator(".iotnb-count")).to_have_text("3 selected")
    book.button("Clear").click()
    book.page.get_by_label("Search devices").fill("")
    book.button("Unfold all").click()
    matches(book, 100)


def test_details_show_row_and_document_as_text(open_notebook: Open) -> None:
    book = open_notebook(IMPORTS + FAMILY, "picker = DevicePicker(family(100))\npicker").run()
    matches(book, 100)
    details = book.page.get_by_role("region", name="Details", exact=True)
    book.page.locator(".iotnb-canvas [data-i='2'] .iotnb-info").click()
    expect(details.locator("h3")).to_have_text("</script><img src=x onerror=window.pwned=1>")
    expect(details.locator("pre")).to_contain_text('"note": "<b>bold</b>"')
    expect(details.locator("pre")).not_to_contain_text("p-4711-leak")
    assert book.page.evaluate("() => window.pwned") is None
    expect(book.page.locator(".iotnb-count")).to_have_text("0 selected")
    book.page.locator(".iotnb-scroll").focus()
    book.page.keyboard.press("ArrowDown")
    expect(details.locator("h3")).to_have_text("Pump 00003, hall 3")
    book.page.keyboard.press("Escape")
    expect(details).to_be_hidden()
    book.page.keyboard.press("i")
    expect(details).to_be_visible()
    details.get_by_role("button", name="Close details").click()
    expect(book.page.locator(".iotnb-scroll")).to_be_focused()
    saved = book.save()
    assert "p-4711-leak" not in json.dumps([saved["metadata"], saved["cells"][1]])


def test_what_goes_wrong_in_a_handler_is_shown_in_the_panel(open_notebook: Open) -> None:
    book = picker(open_notebook)
    book.ask("picker.grid.unobserve_all(); picker._choose = None")
    book.page.locator(".iotnb-canvas [data-i='1']").click()
    book.says("TypeError")
    expect(book.panel().locator("summary")).to_have_text("Details")


def test_a_hundred_thousand_devices_are_little_traffic_and_few_nodes(open_notebook: Open) -> None:
    book = open_notebook(IMPORTS + FLEET + "table = fleet(100_000)", "picker = DevicePicker(table)\npicker")
    book.start(0)
    book.join()
    nodes = "() => document.querySelectorAll('*').length"
    before, book.received = book.page.evaluate(nodes), 0
    book.start(1)
    book.page.wait_for_selector('.iotnb-grid[data-n="100000"]')
    traffic = book.received
    book.join()
    assert traffic <= 60_000
    assert book.page.evaluate(nodes) - before <= 300
    book.page.evaluate(SEARCH, "p")
    book.received = 0
    searches = ("pump", "pump 0123", "0314159", "zzz", "hall 7 sensor")
    for text in searches:
        book.page.evaluate(SEARCH, text)
    assert book.received / len(searches) <= 10_000


def test_the_saved_state_is_small_however_much_is_selected(open_notebook: Open) -> None:
    book = picker(open_notebook, 100_000)
    book.page.locator(".iotnb-scroll").focus()
    book.page.evaluate(SEARCH, "pump")
    book.page.keyboard.press("Control+a")
    expect(book.page.locator(".iotnb-count")).to_have_text("99,999 selected")
    state = book.save()["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    code = {"_esm", "_css"}
    kept = sum(
        len(json.dumps({k: v for k, v in each["state"].items() if k not in code})) for each in state.values()
    )
    assert kept <= 5_000
    assert book.path.stat().st_size < 150_000


def test_a_saved_picker_reads_well_without_a_kernel(open_notebook: Open) -> None:
    book = picker(open_notebook)
    output = book.save()["cells"][1]["outputs"][0]["data"]
    assert "137 devices, 0 selected" in "".join(output["text/html"])
    assert "<script" not in "".join(output["text/html"])
    assert "Pump" not in "".join(output["text/html"] + output["text/plain"])


def test_after_a_kernel_restart_the_page_says_what_to_do(open_notebook: Open) -> None:
    book = picker(open_notebook)
    book.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    book.says("run the cell again", timeout=20_000)
