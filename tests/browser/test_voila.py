"""The start notebook as a dashboard: served by Voila, used in a real Chromium."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from rig import Lab

from iotnb import sandbox
from iotnb.cli.serve import published

START = Path(__file__).parents[2] / "notebooks" / "00_start_here.ipynb"
ICONS = re.compile(r"https://cdn\.jsdelivr\.net/npm/@fortawesome/")
"""What Voila's own page asks of the world: the style sheets of an icon font, which no panel uses."""


class Voila(Lab):
    """A Voila server that renders the start notebook for everyone who asks."""

    alive = "/voila/static/voila-style.js"

    def _command(self) -> list[str]:
        options = [
            "--no-browser",
            "--Voila.ip=127.0.0.1",
            f"--port={self.port}",
            "--Voila.port_retries=0",
            "--strip_sources=True",
        ]
        return [sys.executable, "-m", "voila", str(START), *options]


@pytest.fixture
def voila(tmp_path: Path, running: sandbox.Sandbox) -> Iterator[Voila]:
    with published(running.info()) as path:
        server = Voila(tmp_path / "voila", env={sandbox.VARIABLE: str(path)})
        yield server
        server.close()


def opened(browser: Browser, server: Voila) -> tuple[Page, list[str], list[str]]:
    """The rendered page, its errors, and what it asked of other machines."""
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    errors: list[str] = []
    foreign: list[str] = []

    def refuse(route: Route) -> None:
        foreign.append(route.request.url)
        route.abort()

    page.route(re.compile(r"^https?://(?!127\.0\.0\.1)"), refuse)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(server.url, wait_until="domcontentloaded", timeout=60_000)
    return page, errors, foreign


def test_the_start_notebook_is_a_dashboard(browser: Browser, voila: Voila, running: sandbox.Sandbox) -> None:
    page, errors, foreign = opened(browser, voila)
    enter = page.get_by_role("button", name="Log in", exact=True)
    enter.click(timeout=60_000)
    grid = page.locator(".iotnb-grid").first
    expect(grid).to_have_attribute("data-n", "12", timeout=20_000)
    page.get_by_label("Search devices").fill("pump")
    page.locator(".iotnb-canvas [data-i='0']").click()
    expect(page.get_by_role("tab", name="Devices (1)")).to_be_visible()
    page.get_by_role("tab", name="Measurements").click()
    page.locator(".iotnb-item[aria-level='2']").first.click()
    page.get_by_role("button", name="Load", exact=True).click()
    expect(page.locator(".iotnb-plot .iotnb-legend tbody tr")).to_have_count(1)
    assert page.locator("img").count() >= 2
    assert page.get_by_text("import iotnb").count() == 0
    assert errors == []
    assert [url for url in foreign if not ICONS.match(url)] == []
    for secret, what in running.issued().items():
        assert secret not in page.content(), what
    page.close()
