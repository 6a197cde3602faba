"""Writes the parts of README.md and docs/ that follow from the code; `--check` tells whether they are right.

A part stands between `<!-- made: NAME -->` and `<!-- end -->`; PARTS says what makes it.
"""

import itertools
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat

import iotnb
from iotnb.client import VERBS
from iotnb.frames import SCHEMAS

ROOT = Path(__file__).parent.parent
PAGES = ("README.md", "docs/platforms.md")
NOTEBOOKS = {
    "tiothub": "10_tiothub_get_started",
    "iotcentral": "20_iotcentral_rest_api",
    "wso2": "30_wso2_access_token",
    "cumulocity": "40_cumulocity_device_integration",
    "iotconnect": "50_iotconnect_rest_api",
}
"""The notebook that follows the platform's own tutorial."""
ROWS = {
    "devices": "a device",
    "series": "a series of a device",
    "latest": "the last value of a series",
    "measurements": "a value",
    "operations": "an operation",
    "events": "an event",
    "alarms": "an alarm",
}
_PART = re.compile(r"(<!-- made: ([\w-]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
_CALL = re.compile(
    rf"\b(?:api\.(?:\w+\.)?[a-z]\w*|portal\.\w+|(?:{'|'.join(VERBS)}|login|logout|enter))(?=\()"
)


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def platforms() -> str:
    """Platforms by verbs, and by the steps of their tutorials, in each one's order."""
    names = iotnb.platform_names()
    has = {name: iotnb.platform_class(name).supports for name in names}
    rows = [["name", *(f"`{name}`" for name in names)]]
    rows += [[f"`{verb}()`", *("yes" if verb in has[name] else "no" for name in names)] for verb in VERBS]
    rows.append(["notebook", *(f"`{NOTEBOOKS[name]}`" for name in names)])
    walks = [[step for step, calls in steps(name) if calls is not None] for name in names]
    for number, row in enumerate(itertools.zip_longest(*walks, fillvalue=""), 1):
        rows.append([f"{number}", *row])
    return table(["", *names.values()], rows)


def schemas() -> str:
    """The columns of each table."""
    rows = [[f"`client.{name}()`", ROWS[name], ", ".join(columns)] for name, columns in SCHEMAS.items()]
    return table(["verb", "one row is", "columns"], rows)


def fields(platform: str) -> str:
    """The fields of a platform's login."""
    rows = []
    for field in iotnb.platform_class(platform).FIELDS:
        note = " Secret." if field.secret else f" Default: `{field.default}`." if field.default else ""
        told = f"{field.label}. {field.help}".strip() + note
        rows.append([f"`{field.name}`", told, ", ".join(f"`{name}`" for name in field.env)])
    return table(["field", "what it is", "vendor's variable"], rows)


def steps(platform: str) -> Iterator[tuple[str, list[str] | None]]:
    """The headings of a platform's notebook, and the calls below each; None where nothing runs."""
    found: dict[str, list[str]] = {}
    notebook = nbformat.read(ROOT / "notebooks" / f"{NOTEBOOKS[platform]}.ipynb", as_version=4)
    headings: list[str] = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            headings += re.findall(r"^#{1,4} (.+)$", cell.source, re.MULTILINE)
        elif headings:
            found.setdefault(headings[-1], []).extend(_CALL.findall(cell.source))
    for each in headings:
        yield each, list(dict.fromkeys(found[each])) if each in found else None


def walked(platform: str) -> str:
    """What each step of the tutorial does in the notebook."""
    rows = []
    for step, calls in steps(platform):
        shown = ", ".join(f"`{call}`" for call in calls or ())
        rows.append([step, shown or ("text" if calls is None else "requests")])
    return table(["step", "calls"], rows)


PARTS: dict[str, Callable[[], str]] = {
    "platforms": platforms,
    "schemas": schemas,
    **{f"fields-{name}": lambda name=name: fields(name) for name in NOTEBOOKS},
    **{f"steps-{name}": lambda name=name: walked(name) for name in NOTEBOOKS},
}


def renewed(text: str) -> str:
    """A page with all its parts made anew."""
    return _PART.sub(lambda part: f"{part[1]}{PARTS[part[2]]()}{part[4]}", text)


def main() -> int:
    """Returns 1 with `--check` when a page is not what the code says."""
    wrong = []
    for name in PAGES:
        page = ROOT / name
        text = page.read_text("utf-8")
        if renewed(text) != text:
            wrong.append(name)
            if "--check" not in sys.argv:
                page.write_text(renewed(text), "utf-8")
    if wrong:
        print(f"{', '.join(wrong)}: {'run make docs' if '--check' in sys.argv else 'written anew'}")
    return 1 if wrong and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
