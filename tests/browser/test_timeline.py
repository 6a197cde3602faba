"""The operation timeline in a real JupyterLab: filter, click, keys, shortcuts, axe, hostile names, size."""

import json
from collections.abc import Callable
from typing import Any

from cells import IMPORTS, SEARCH
from playwright.sync_api import expect
from rig import Notebook
from test_keys import FOCUSABLE, KEYS

Open = Callable[..., Notebook]

HOSTILE = "</script><img src=x onerror=window.pwned=1>"
CLIENT = f"""{IMPORTS}
client = iotnb.connect("cumulocity", sandbox=True)
client.api.inventory.update("100003", {{"name": "{HOSTILE}"}})
timeline = iotnb.OperationTimeline(client)
timeline"""
MANY = f"""{IMPORTS}
import numpy as np, pandas as pd
from iotnb import frames
n = 10_000
i = np.arange(n)
time = pd.Timestamp("2026-10-01", tz="UTC") + pd.to_timedelta(i * 240, unit="s")
words = np.array(["SUCCESSFUL", "FAILED", "SUCCESSFUL", "PENDING"])[i % 4]
ops = frames.empty("operations").reindex(range(n)).assign(
    time=time.astype("datetime64[us, UTC]"), operation=i.astype(str), device=(i % 200).astype(str),
    kind=np.array(["restart", "firmware"])[i % 2], status=words, platform_status=words,
    finished=(time + pd.to_timedelta(np.where(i % 4 == 3, np.nan, i % 900), unit="s")).astype(time.dtype),
    failure=np.where(i % 4 == 1, "{HOSTILE}", None),
)
ops["duration"] = ops["finished"] - ops["time"]"""


def timeline(open_notebook: Open) -> Notebook:
    book = open_notebook(CLIENT).run()
    book.page.wait_for_selector(".iotnb-timeline[data-state=ready][data-n]")
    return book


def shown(book: Notebook) -> int:
    return int(book.page.locator(".iotnb-timeline").get_attribute("data-n") or -1)


def span(book: Notebook) -> int:
    """The milliseconds that the lanes show."""
    book.page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )
    ends = book.page.locator(".iotnb-timeline").evaluate("(root) => [root.dataset.to, root.dataset.from]")
    return int(ends[0]) - int(ends[1])


def looks_right(book: Notebook, state: str) -> None:
    for theme in ("Dark", "Light"):
        book.theme(theme)
        found = book.axe()
        assert not found, f"{state}, {theme}:\n" + "\n".join(found)


def test_filter_click_and_document(open_notebook: Open) -> None:
    book = timeline(open_notebook)
    page, total = book.page, int(book.ask("print(len(timeline.operations))"))
    assert shown(book) == total
    looks_right(book, "summary")
    page.locator(".tl-chip", has_text="failed").click()
    failed = int(book.ask("print((timeline.operations.status == 'FAILED').sum())"))
    page.wait_for_selector(f'.iotnb-timeline[data-n="{failed}"]')
    expect(page.locator(".iotnb-count")).to_have_text(f"{failed} of {total} operations")
    assert int(book.ask("print(len(timeline.shown))")) == failed
    page.locator(".tl-table [data-i='0']").click()
    document = page.locator(".tl-aside pre")
    expect(document).to_contain_text('"status": "FAILED"')
    chosen = book.ask("print(timeline.selected)")
    assert json.loads(document.inner_text())["id"] == chosen
    looks_right(book, "document")
    page.keyboard.press("Escape")
    expect(page.locator(".tl-aside h4")).to_have_text("Summary")
    page.locator(".tl-reasons button").first.click()
    page.wait_for_function("() => document.querySelector('.iotnb-timeline').dataset.q.startsWith('failure:')")
    assert 0 < shown(book) < failed
    page.get_by_label("Search operations").fill("zzz")
    page.wait_for_selector('.iotnb-timeline[data-n="0"]')
    looks_right(book, "no match")
    book.button("Clear search and filters").click()
    page.wait_for_selector(f'.iotnb-timeline[data-n="{total}"]')
    page.get_by_label("Search operations").fill("onerror")
    page.wait_for_selector(".tl-label[title*='onerror']")
    assert page.evaluate("() => window.pwned") is None
    book.button("Figure for print").click()
    expect(page.get_by_role("link", name="Save as SVG")).to_be_visible()
    assert "Pump" not in json.dumps(book.save()["cells"][0]["outputs"])


def test_everything_by_keyboard_and_no_shortcut_fires(open_notebook: Open) -> None:
    book = timeline(open_notebook)
    page, keyboard = book.page, book.page.keyboard
    lanes = page.locator(".tl-scroll")
    lanes.focus()
    for key in ("Home", "ArrowRight"):
        keyboard.press(key)
    second = page.locator(".tl-active").inner_text()
    keyboard.press("ArrowLeft")
    expect(page.locator(".tl-active")).not_to_have_text(second)
    assert lanes.get_attribute("aria-activedescendant") == page.locator(".tl-active").get_attribute("id")
    keyboard.press("ArrowDown")
    said = page.locator(".tl-active").inner_text()
    keyboard.press("Enter")
    expect(page.locator(".tl-aside pre")).to_contain_text('"id"')
    assert page.locator(".tl-status strong").inner_text() in said
    keyboard.press("Escape")
    whole = span(book)
    for key in ("+", "+"):
        keyboard.press(key)
    assert span(book) < whole * 0.5
    keyboard.press("0")
    assert span(book) == whole
    box = page.locator(".tl-canvas").bounding_box()
    assert box
    page.mouse.move(box["x"] + 100, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 5, steps=3)
    page.mouse.up()
    assert span(book) < whole * 0.5
    page.locator(".tl-table").focus()
    for key in ("Home", "ArrowUp", "ArrowRight", "Enter"):
        keyboard.press(key)
    expect(page.get_by_role("columnheader", name="Device")).to_have_attribute("aria-sort", "ascending")
    keyboard.press("/")
    keyboard.type("restart")
    page.wait_for_selector('.iotnb-timeline[data-q="restart"]')
    keyboard.press("Escape")
    page.wait_for_selector('.iotnb-timeline[data-q=""]')
    cells = book.cells()
    for number, (tag, kind) in enumerate(page.evaluate(FOCUSABLE)):
        page.evaluate(FOCUSABLE)
        node = page.locator(f"[data-trial='{number}']:visible")
        node.focus()
        for key in KEYS:
            keyboard.press(key)
        assert book.cells() == cells, f"a key in {tag} {kind} changed the notebook"
        if kind == "search":
            node.fill("")
            page.wait_for_selector('.iotnb-timeline[data-q=""]')


def test_ten_thousand_operations_are_quick_little_and_harmless(open_notebook: Open) -> None:
    book = open_notebook(MANY, "timeline = iotnb.OperationTimeline(ops)\ntimeline")
    book.start(0)
    book.join()
    nodes: Any = "() => document.querySelectorAll('*').length"
    before, book.received = book.page.evaluate(nodes), 0
    book.start(1)
    book.page.wait_for_selector('.iotnb-timeline[data-n="10000"]')
    book.join()
    assert book.received < 600_000
    assert book.page.evaluate(nodes) - before <= 500
    book.received = 0
    for text in ("restart", "device:17", "onerror"):
        print(f"{text}: {book.page.evaluate(SEARCH, text):.0f} ms from the key to the lanes")
    assert book.received / 3 < 12_000
    assert book.page.evaluate("() => window.pwned") is None
    state = book.save()["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    kept = [{k: v for k, v in each["state"].items() if k not in {"_esm", "_css"}} for each in state.values()]
    assert len(json.dumps(kept)) < 5_000
    assert book.path.stat().st_size < 200_000
