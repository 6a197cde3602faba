"""The public names of the package, and how little a bare import costs."""

import importlib
import json
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import iotnb

HEAVY = {"pandas", "numpy", "matplotlib", "ipywidgets", "anywidget", "IPython", "starlette", "uvicorn"}
HEAVY |= {"requests", "pyarrow", "cryptography", "click", "jupyterlab"}


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_all_names_are_there_and_sorted():
    assert iotnb.__all__ == sorted(iotnb.__all__)
    for name in iotnb.__all__:
        assert getattr(iotnb, name) is not None
        assert name in dir(iotnb)


def test_every_module_of_all_is_a_module_and_every_other_name_is_documented():
    for name in iotnb.__all__:
        thing = getattr(iotnb, name)
        assert thing.__doc__, name
        if not isinstance(thing, type) and not callable(thing):
            assert thing is importlib.import_module(f"iotnb.{name}")


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = iotnb.no_such_name
    assert not hasattr(iotnb, "no_such_name")


def test_a_star_import_brings_the_public_names():
    names: dict[str, object] = {}
    exec("from iotnb import *", names)
    assert sorted(set(names) - {"__builtins__"}) == iotnb.__all__


def test_a_bare_import_loads_nothing_heavy():
    code = (
        "import sys, json, iotnb; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    assert not HEAVY & set(json.loads(run(code)))


def test_names_and_fields_of_platforms_need_no_notebook():
    code = (
        "import sys, iotnb; iotnb.platform_names(); print(*({'ipywidgets', 'matplotlib'} & set(sys.modules)))"
    )
    assert not run(code).split()


def test_the_version_is_that_of_the_installed_package():
    assert re.fullmatch(r"\d+\.\d+\.\d+(\w+)?", iotnb.__version__)


def test_every_module_can_be_imported_on_its_own():
    root = Path(iotnb.__file__).parent
    names = [
        ".".join(("iotnb", *path.relative_to(root).with_suffix("").parts)).removesuffix(".__init__")
        for path in sorted(root.rglob("*.py"))
        if path.name != "__main__.py" and "_notebooks" not in path.parts
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in names:
            assert importlib.import_module(name).__doc__, f"{name} has no docstring"
    # in reverse, in a fresh process: no module counts on another one having been imported first
    run("import importlib\n" + "\n".join(f"importlib.import_module({name!r})" for name in reversed(names)))
