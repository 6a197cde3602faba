"""The tutorial notebooks: list them, copy them into a folder of one's own, open one."""

import html
import json
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from iotnb.errors import ConfigError

FOLDER = "iotnb-tutorials"
"""The folder, below the current one, that `open` and `iotnb lab` copy the tutorials to."""


@dataclass(frozen=True)
class Tutorial:
    """One notebook: its name without `.ipynb`, its title, a sentence about it, and where it lies."""

    name: str
    title: str
    summary: str
    path: Path


class Catalogue(tuple[Tutorial, ...]):
    """All tutorials in the order to read them; shows itself as a table."""

    __slots__ = ()

    def __repr__(self) -> str:
        width = max((len(each.name) for each in self), default=0)
        return "\n".join(f"{each.name:<{width}}  {each.title}" for each in self)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{html.escape(each.name)}</td><td>{html.escape(each.title)}</td>"
            f"<td>{html.escape(each.summary)}</td></tr>"
            for each in self
        )
        head = "<tr><th>name</th><th>title</th><th>about</th></tr>"
        return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"


@dataclass(frozen=True)
class Opened:
    """A tutorial in the reader's own folder; in a notebook it shows as a link that JupyterLab opens."""

    name: str
    path: Path

    def __repr__(self) -> str:
        return f"{self.path}  (open it in JupyterLab, or run: iotnb tutorials open {self.name})"

    def _repr_html_(self) -> str:
        link = quote(Path(os.path.relpath(self.path)).as_posix())
        return f'<a href="{html.escape(link)}">{html.escape(self.path.name)}</a>'


def source() -> Path:
    """The folder of the notebooks as shipped: inside the installed package, or the checkout's `notebooks`."""
    package = Path(__file__).resolve().parent
    for folder in (package / "_notebooks", package.parent / "notebooks"):
        if next(folder.glob("*.ipynb"), None):
            return folder
    raise ConfigError(f"this installation of iotnb has no tutorials: {package} holds none; install it again")


def catalogue() -> Catalogue:
    """All tutorials, in the order to read them."""
    return Catalogue(_read(path) for path in sorted(source().glob("*.ipynb")))


def copy(
    folder: str | Path, *, overwrite: bool = False, keep: bool = False, names: Iterable[str] = ()
) -> Sequence[Path]:
    """Copies the tutorials, or those in `names`, into `folder`; returns the files that were written.

    Files that are there already are a ConfigError that names them, and then nothing is copied: with
    `overwrite` they are replaced, with `keep` they stay as they are.
    """
    if overwrite and keep:
        raise ConfigError("overwrite and keep are opposites: choose one")
    target = Path(folder).expanduser()
    if target.exists() and not target.is_dir():
        raise ConfigError(f"{target} is a file: name a folder")
    chosen = tuple(find(name).path for name in names) or _files(source())
    there = [path.name for path in chosen if (target / path.name).exists()]
    if there and not (overwrite or keep):
        raise ConfigError(
            f"{target} already has {', '.join(there)}; nothing was copied. "
            "Choose another folder, or say overwrite to replace them or keep to leave them"
        )
    target.mkdir(parents=True, exist_ok=True)
    written = []
    for path in chosen:
        if keep and path.name in there:
            continue
        written.append(target / path.name)
        shutil.copyfile(path, target / path.name)
    return written


def find(name: str) -> Tutorial:
    """The tutorial of that name; a beginning that fits only one is enough. ConfigError names them all."""
    every = catalogue()
    wanted = name.removesuffix(".ipynb")
    fitting = [each for each in every if each.name == wanted] or [
        each for each in every if each.name.startswith(wanted)
    ]
    if len(fitting) != 1:
        problem = "several tutorials begin with" if fitting else "there is no tutorial"
        raise ConfigError(f"{problem} {name!r}: choose one of {', '.join(each.name for each in every)}")
    return fitting[0]


def _files(folder: Path) -> Sequence[Path]:
    """The notebooks, and the files beside them that they use."""
    return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))


def _read(path: Path) -> Tutorial:
    """Title and summary: the first heading, and the first paragraph after it."""
    title, summary = path.stem, ""
    cells = json.loads(path.read_text("utf-8")).get("cells", [])
    text = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    blocks = [block.strip() for block in text.split("\n\n") if block.strip()]
    for position, block in enumerate(blocks):
        if block.startswith("# "):
            heading, _, rest = block.partition("\n")
            title = heading[2:].strip()
            following = [rest.strip(), *blocks[position + 1 : position + 2]]
            summary = next((part for part in following if part and not part.startswith("#")), "")
            break
    plain = " ".join(summary.replace("**", "").split())  # Markdown's bold
    return Tutorial(path.stem, title, plain, path)


def _open(name: str, *, folder: str | Path = FOLDER) -> Opened:
    """Copies one tutorial into `folder`, unless it is there already, and returns a link to it."""
    found = find(name)
    copy(folder, keep=True, names=[found.name])
    return Opened(found.name, (Path(folder).expanduser() / found.path.name).resolve())


# The public words are those a reader types after `tutorials.`; inside this module they stay the built-ins.
list = catalogue  # noqa: A001
open = _open  # noqa: A001
