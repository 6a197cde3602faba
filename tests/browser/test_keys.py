"""JupyterLab's one-key shortcuts typed into every control of every panel."""

import time
from collections.abc import Callable

from cells import FAMILY, IMPORTS
from playwright.sync_api import expect
from rig import Notebook

FOCUSABLE = """() => {
  const nodes = document.querySelectorAll('.iotnb-root :is(button, input, select, summary, [tabindex])');
  const usable = (node) => node.offsetParent !== null && !node.disabled && node.tabIndex >= 0;
  const shown = [...nodes].filter(usable);
  shown.forEach((node, i) => { node.dataset.trial = i; });
  return shown.map((node) => [node.tagName.toLowerCase(), node.type || '']);
}"""
SAVED = """() => new Promise((done) => {
  const context = window.jupyterapp.shell.currentWidget.context;
  const timer = setTimeout(() => done(false), 5000);
  const listen = (_, state) => {
    if (state !== 'completed') return;
    context.saveState.disconnect(listen); clearTimeout(timer); done(true);
  };
  context.saveState.connect(listen);
})"""
KEYS = ["b", "x", "d", "d", "a", "j"]


def panels(open_notebook: Callable[..., Notebook]) -> Notebook:
    book = open_notebook(
        IMPORTS + FAMILY,
        "panel = iotnb.login('wso2')\npanel.options.value = True\npanel",
        "picker = DevicePicker(family(40))\npicker",
    ).run()
    book.page.wait_for_selector('.iotnb-grid[data-n="40"]')
    book.field("Password").wait_for()
    book.button("Choose: Scopes").click()
    book.page.locator(".iotnb-canvas [data-i='1'] .iotnb-info").click()
    book.page.wait_for_selector(".iotnb-inspect[data-document='shown']")
    expect(book.page.locator(".iotnb-below")).to_contain_text(".")  # a keyring was looked for
    return book


def test_no_shortcut_fires_in_any_control_and_ctrl_s_still_saves(
    open_notebook: Callable[..., Notebook],
) -> None:
    book = panels(open_notebook)
    controls = book.page.evaluate(FOCUSABLE)
    assert len(controls) >= 20
    for number, (tag, kind) in enumerate(controls):
        book.page.evaluate(FOCUSABLE)  # a list that changes shows its fields anew
        node = book.page.locator(f"[data-trial='{number}']")
        before = node.input_value() if tag == "select" else ""
        node.focus()
        for key in KEYS:
            book.page.keyboard.press(key)
        assert book.cells() == 3, f"a key in {tag} {kind} changed the notebook"
        if kind in {"text", "search", "password"}:
            node.fill("")
        if tag == "select":  # letters choose in a list, as they should
            node.select_option(before)
            restored(book, len(controls))
    for kind in ("button", "select-one", "checkbox", ""):
        controls = book.page.evaluate(FOCUSABLE)
        number = next(i for i, (_, each) in enumerate(controls) if each == kind)
        book.page.locator(f"[data-trial='{number}']").focus()
        # a panel that is drawn anew takes the focus away: the key belongs to the control that has it
        book.page.wait_for_function(f"() => document.activeElement.dataset.trial === '{number}'")
        # JupyterLab drops a save that is asked for while it still finishes the one before
        assert any(saves(book) for _ in range(4)), f"Ctrl+S in a {kind or 'grid'} did not save"


def restored(book: Notebook, controls: int) -> None:
    """Waits until the form that a list chose anew is as it was before."""
    choose = book.button("Choose: Scopes")
    for _ in range(50):
        if choose.is_visible():
            choose.click()
        if len(book.page.evaluate(FOCUSABLE)) == controls:
            break
        time.sleep(0.1)
    time.sleep(0.3)  # what the kernel still sends
    book.page.evaluate(FOCUSABLE)


def saves(book: Notebook) -> bool:
    """Whether Ctrl+S, pressed where the focus is, saves the notebook."""
    book.page.evaluate(f"() => {{ window.iotnbSaved = ({SAVED})(); }}")
    book.page.keyboard.press("Control+s")
    return bool(book.page.evaluate("() => window.iotnbSaved"))


def test_ctrl_a_in_the_grid_selects_devices_not_cells(open_notebook: Callable[..., Notebook]) -> None:
    book = panels(open_notebook)
    book.page.locator(".iotnb-scroll").focus()
    book.page.keyboard.press("Control+a")
    book.page.wait_for_function("() => document.querySelector('.iotnb-count').textContent === '40 selected'")
    assert book.page.locator(".jp-Cell.jp-mod-selected").count() <= 1


def test_the_guard_goes_with_the_panel(open_notebook: Callable[..., Notebook]) -> None:
    book = panels(open_notebook)
    book.ask("panel.close(); picker.close()")
    book.page.wait_for_function("() => document.querySelectorAll('.iotnb-root').length === 0")
    book.page.evaluate("() => window.jupyterapp.commands.execute('notebook:enter-command-mode')")
    book.page.keyboard.press("b")
    book.page.wait_for_function("() => window.jupyterapp.shell.currentWidget.content.widgets.length === 4")
