"""The project around the code: its lists agree, its scripts keep their promises, nothing local leaks in."""

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import iotnb

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
# what conda-forge calls otherwise
CONDA_NAMES = {
    "python-build": "build",
    "playwright-python": "playwright",
    "dask": "dask[dataframe,distributed]",
    "python-duckdb": "duckdb",
}
SKIP = "mark." + "skip"
TEXT = {".py", ".md", ".toml", ".yml", ".ipynb", ".js", ".css", ".json", ".txt", ".cfg", "", ".svg", ".html"}


def files():
    """Everything that is or would be committed; in an unpacked sdist, everything."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0:
        found = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    else:
        found = [path for path in ROOT.rglob("*") if not {".venv", "__pycache__"} & set(path.parts)]
    return [path for path in found if path.is_file() and path.suffix in TEXT]


def documentation():
    """The README and the pages below docs/, as one text."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return "\n".join(page.read_text("utf-8") for page in pages)


# --- lists that must agree


def test_conda_and_pip_install_the_same():
    project = PYPROJECT["project"]
    wanted = {*project["dependencies"], *project["optional-dependencies"]["dev"]}
    text = (ROOT / "environment.yml").read_text("utf-8")
    conda, _, pip = text.partition("\ndependencies:\n")[2].partition("\n  - pip:")
    listed = re.findall(r"^  - ([A-Za-z0-9_.-]+)(\S*)", conda, re.MULTILINE)
    from_conda = {CONDA_NAMES.get(name, name) + version for name, version in listed}
    from_pip = set(re.findall(r"^      - (\S+)", pip, re.MULTILINE))
    assert {"pip", f"python{project['requires-python']}"} <= from_conda
    assert from_conda & from_pip == set()
    assert (from_conda | from_pip) - {"pip", f"python{project['requires-python']}"} == wanted


def test_every_module_has_its_place_in_the_stack():
    contracts = PYPROJECT["tool"]["importlinter"]["contracts"]
    stack = next(each for each in contracts if each["type"] == "layers")
    assert stack["exhaustive"]
    placed = {name.strip() for row in stack["layers"] for name in re.split(r"[|:]", row)}
    there = {
        path.stem
        for path in (ROOT / "iotnb").iterdir()
        if (path.suffix == ".py" or (path / "__init__.py").is_file()) and path.stem != "__init__"
    }
    assert placed == there


def test_the_sandbox_is_forbidden_every_other_module():
    contracts = PYPROJECT["tool"]["importlinter"]["contracts"]
    forbidden = next(each for each in contracts if each.get("source_modules") == ["iotnb.sandbox"])
    there = {
        f"iotnb.{path.stem}"
        for path in (ROOT / "iotnb").iterdir()
        if (path.suffix == ".py" or (path / "__init__.py").is_file()) and not path.stem.startswith("__")
    }
    assert there - {"iotnb.sandbox"} <= set(forbidden["forbidden_modules"])
    assert {"requests", "pandas"} <= set(forbidden["forbidden_modules"])


@pytest.mark.parametrize("name", sorted(iotnb.__all__))
def test_every_public_name_is_there_and_documented(name):
    assert getattr(iotnb, name) is not None
    assert re.search(rf"\b{name}\b", documentation()), f"neither README.md nor docs/ mentions {name}"


def test_every_command_is_documented():
    text = documentation()
    shown = subprocess.run(
        [sys.executable, "-m", "iotnb", "--help"], capture_output=True, text=True, check=True
    ).stdout
    commands = re.findall(r"^  ([a-z]+) {2,}\S", shown.partition("Commands:\n")[2], re.MULTILINE)
    assert len(commands) >= 9
    assert [name for name in commands if f"iotnb {name}" not in text] == []


def test_every_notebook_is_documented():
    text = documentation()
    names = [path.stem for path in (ROOT / "notebooks").glob("*.ipynb")]
    assert names
    assert [name for name in names if name not in text] == []


def test_every_make_target_is_explained():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in ("lab", "demo", "test", "check", "bench", "clean"):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
        assert f"make {target} " in makefile.partition("help:")[2]


# --- what must not be committed


def test_nothing_of_one_machine_and_no_package_index_is_named():
    hosts = [
        "pypi" + ".org",
        "python" + "hosted",
        "npmjs" + ".org",
        "deb.debian" + ".org",
        "anaconda" + ".org",
    ]
    places = ["/work" + "/", "/root" + "/", "/tmp/" + "iotnb", "/home" + "/"]
    leaks = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in files()
        for word in hosts + places
        if word in path.read_text("utf-8", errors="replace")
    ]
    assert leaks == []


def test_nothing_is_left_for_later():
    words = [
        "TO" + "DO",
        "FIX" + "ME",
        "XX" + "X",
        "raise NotImplemented" + "Error",
        "pytest." + "skip",
        "mark." + "xfail",
    ]
    words += [SKIP, "importor" + "skip"]
    left = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in files()
        if path.suffix == ".py"
        for word in words
        if re.search(rf"(?<![A-Za-z]){re.escape(word)}", path.read_text("utf-8"))
    ]
    assert left == []


def test_notebooks_are_committed_without_outputs():
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        document = json.loads(path.read_text("utf-8"))
        assert "widgets" not in document["metadata"], path.name
        for cell in document["cells"]:
            assert not cell.get("outputs"), path.name
            assert cell.get("execution_count") is None, path.name


def test_every_test_file_tests_something():
    for path in (ROOT / "tests").rglob("test_*.py"):
        names = [
            node.name
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
        ]
        assert names, f"{path.name} holds no test"


def test_the_licence_is_the_apache_licence():
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert PYPROJECT["project"]["license"] == "Apache-2.0 AND MIT"


# --- the scripts


@pytest.fixture
def old_python(tmp_path):
    """An interpreter that says it is Python 3.9."""
    path = tmp_path / "python3.9"
    path.write_text('#!/bin/sh\ncase "$2" in *"version_info <"*) exit 1 ;; *) echo 3.9 ;; esac\n')
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("uv", ["uv", ""])
def test_an_old_python_gets_one_clear_line(tmp_path, old_python, uv):
    done = subprocess.run(
        ["sh", str(ROOT / ".ci" / "venv")],
        cwd=tmp_path,
        env={**os.environ, "PYTHON": str(old_python), "UV": uv, "VENV": ".venv"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1
    assert "needs Python 3.11 or newer" in lines[0]
    assert "3.9" in lines[0]
    assert not (tmp_path / ".venv").exists()


def run_layer(folder, *, layer="sandbox", path=None):
    return subprocess.run(
        [sys.executable, str(ROOT / ".ci" / "layer.py"), layer, "-p", "no:cacheprovider"],
        cwd=folder,
        env={
            **os.environ,
            "IOTNB_LAYERS": str(folder / "layers"),
            **({"PATH": path} if path is not None else {}),
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("def test_a(): pass", ""),
        ("def test_a(): assert False", "failed"),
        (
            f"import pytest\ndef test_a(): pass\n@pytest.{SKIP}\ndef test_b(): pass",
            "1 of 2 tests were skipped",
        ),
        ("x = 1", "no test ran"),
    ],
    ids=["good", "failing", "skipping", "empty"],
)
def test_a_layer_fails_when_it_skips_or_runs_nothing(tmp_path, body, words):
    (tmp_path / "tests" / "sandbox").mkdir(parents=True)
    (tmp_path / "tests" / "sandbox" / "test_it.py").write_text(body)
    done = run_layer(tmp_path)
    assert (done.returncode == 0) == (not words), done.stdout + done.stderr
    assert words in done.stderr
    recorded = (tmp_path / "layers").read_text() if (tmp_path / "layers").exists() else ""
    assert recorded == ("" if words else "sandbox\n")


def test_without_chromium_the_browser_layer_says_how_to_get_it(tmp_path):
    done = run_layer(tmp_path, layer="browser", path=str(tmp_path))
    assert done.returncode == 1
    assert "apt-get install chromium" in done.stderr


def test_make_test_runs_the_checks_and_every_layer():
    steps = subprocess.run(
        ["make", "--dry-run", "test", "UV=", f"VENV={sys.prefix}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    wanted = ["ruff check", "ruff format --check", "mypy --strict", "lint-imports"]
    wanted += [f"layer.py {layer}" for layer in ("unit", "sandbox", "notebooks", "browser", "packaging")]
    positions = [steps.find(step) for step in wanted]
    assert -1 not in positions, steps
    assert positions == sorted(positions)


def test_the_ci_script_is_strict_and_well_formed():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "set -euo pipefail" in script.read_text("utf-8")
    subprocess.run(["bash", "-n", str(script)], check=True)
