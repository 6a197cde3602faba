"""The tutorial's steps stand in the notebook under their own names, in their order."""

import re
from pathlib import Path

import nbformat

NOTEBOOK = Path(__file__).parents[3] / "notebooks" / "10_tiothub_get_started.ipynb"

TUTORIAL = [
    (1, "Connect Your Application to the T IoT Hub"),
    (2, "You will learn how to"),
    (2, "Prerequisites"),
    (2, "Step 1. Create API credentials in the Application Access Management"),
    (2, "Step 2. Retrieve an API Token (Locally)"),
    (2, "Step 3. Register your application in DMO"),
]


def test_the_headings_are_the_tutorials() -> None:
    found = [
        (len(match[1]), match[2])
        for cell in nbformat.read(NOTEBOOK, as_version=4).cells
        if cell.cell_type == "markdown"
        for match in re.finditer(r"^(#+) (.*)$", cell.source, re.MULTILINE)
    ]
    assert found[: len(TUTORIAL)] == TUTORIAL
    assert found[len(TUTORIAL)] == (2, "What next")


def test_each_step_checks_what_holds() -> None:
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    for step in ("step-2", "step-3", "next"):
        own = [each.source for each in cells if each.cell_type == "code" and each.id.startswith(step)]
        assert any("assert " in source for source in own), step
        assert any("ExchangeView" in source for source in own), step
