"""Fixtures of the browser tests: one JupyterLab and one Chromium per run, a page per notebook."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import rig
from playwright.sync_api import Browser, sync_playwright


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[rig.Lab]:
    server = rig.Lab(tmp_path_factory.mktemp("lab"))
    yield server
    server.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = rig.chromium()
    assert path, "no Chromium found: install one (Debian: apt-get install chromium)"
    with sync_playwright() as playwright:
        instance = playwright.chromium.launch(executable_path=path, args=rig.FLAGS)
        yield instance
        instance.close()


@pytest.fixture
def kernel() -> str:
    """The newest ipykernel; a test that is for all of them is parametrized with `rig.names()`."""
    return rig.names()[0]


@pytest.fixture
def open_notebook(lab: rig.Lab, browser: Browser, kernel: str) -> Iterator[Callable[..., rig.Notebook]]:
    books: list[rig.Notebook] = []

    def open_one(*cells: str, **page: Any) -> rig.Notebook:
        book = rig.Notebook(browser, lab, list(cells), kernel=kernel, **page)
        books.append(book)
        return book

    yield open_one
    for book in books:
        book.close()
    wrong = list(rig.clean(books))
    assert not wrong, "\n".join(wrong)
