"""The same login panel and the same picker in a real JupyterLab, for every platform."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect
from rig import Lab, Notebook

import iotnb

Open = Callable[..., Notebook]


def type_in(book: Notebook, platform: str, fields: dict[str, str]) -> None:
    """Chooses the way that takes these credentials and types them, as a person would."""
    cls = iotnb.platform_class(platform)
    ways = [method for method in cls.METHODS if set(method.needs) <= set(fields)]
    way = max(ways, key=lambda method: len(method.needs))
    if len(cls.METHODS) > 1:
        label = way.label[:1].upper() + way.label[1:]
        book.field("Log in with").select_option(label=label)
    book.button("More options").click()
    labels = {field.name: field.label for field in cls.FIELDS}
    for name in fields.keys() & {*way.needs, *way.uses}:
        shown = book.field(labels[name])
        if shown.evaluate("element => element.tagName") == "SELECT":
            shown.select_option(fields[name])
        else:
            shown.fill(fields[name])


@pytest.mark.parametrize("platform", iotnb.platform_names())
def test_a_person_logs_in_and_picks_a_device(
    open_notebook: Open, lab: Lab, running: Any, platform: str
) -> None:
    fields = {name: value for name, value in running[platform].connect.items() if value}
    book = open_notebook(
        f"import iotnb\npanel = iotnb.login({platform!r})\npanel",
        "picker = iotnb.DevicePicker(panel.client)\npicker",
    )
    book.start(0)
    book.join()
    book.button("Log in").wait_for()
    type_in(book, platform, fields)
    book.button("Log in").click()
    book.says("on 127.0.0.1", timeout=15_000)
    book.start(1)
    book.join()
    grid = book.page.locator(".iotnb-grid")
    expect(grid).to_have_attribute("data-n", re.compile(r"^[1-9]\d*$"), timeout=15_000)
    book.page.locator(".iotnb-canvas [data-i='0']").click()
    expect(book.page.locator(".iotnb-count")).to_have_text("1 selected")
    picked = book.ask("print(*picker.ids)")
    assert picked in book.ask("print(*panel.client.devices()['device'])").split()
    book.save()
    for name in {field.name for field in iotnb.platform_class(platform).FIELDS if field.secret} & set(fields):
        assert lab.search(fields[name]) == [], name
