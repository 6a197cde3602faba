"""The wheel and the sdist: built, installed far from the checkout, and used.

Only here the package index is asked: for the dependencies.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.packaging

ROOT = Path(__file__).parent.parent.parent
VERSION = re.search(r'__version__ = "(.+)"', (ROOT / "iotnb" / "__init__.py").read_text("utf-8"))[1]
NOTEBOOKS = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))


def run(command, *, cwd, code=0):
    """Runs a command as a user would, with nothing of the checkout or of this environment in reach."""
    inner = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "IOTNB_SANDBOX", "PYTHONWARNINGS"}
    environment = {name: value for name, value in os.environ.items() if name not in inner}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == code, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


def uv():
    """The path of a uv that runs, or None."""
    path = shutil.which("uv")
    if path is None:
        return None
    return (
        path
        if subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0
        else None
    )


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """The folder with a wheel and an sdist; the wheel is built from the sdist, so both must be whole."""
    folder = tmp_path_factory.mktemp("dist")
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT], cwd=folder)
    return folder


@pytest.fixture(scope="session")
def wheel(built):
    return built / f"iotnb-{VERSION}-py3-none-any.whl"


@pytest.fixture(scope="session")
def installed(wheel, tmp_path_factory):
    """The folder of the commands of a fresh environment that holds the wheel and nothing of ours besides."""
    folder = tmp_path_factory.mktemp("elsewhere") / "env"
    python = folder / "bin" / "python"
    if uv():
        run([uv(), "venv", "--python", sys.executable, folder], cwd=folder.parent)
        run([uv(), "pip", "install", "--python", python, wheel], cwd=folder.parent)
    else:
        run([sys.executable, "-m", "venv", folder], cwd=folder.parent)
        run([python, "-m", "pip", "install", "--disable-pip-version-check", wheel], cwd=folder.parent)
    return folder / "bin"


def test_the_wheel_holds_code_notebooks_scripts_and_styles_and_no_tests(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    sources = {
        path
        for path in (ROOT / "iotnb").rglob("*")
        if path.is_file() and path.suffix in {".py", ".js", ".css"}
    }
    assert {path.relative_to(ROOT).as_posix() for path in sources} <= names
    assert {f"iotnb/_notebooks/{name}" for name in NOTEBOOKS} <= names
    assert "iotnb/py.typed" in names
    assert f"iotnb-{VERSION}.dist-info/licenses/LICENSE" in names
    vendored = "iotnb/widgets/leaves/uplot"
    assert {f"{vendored}/LICENSE", f"{vendored}/VERSION"} <= names
    assert f"iotnb-{VERSION}.dist-info/licenses/{vendored}/LICENSE" in names
    assert {name.partition("/")[0] for name in names} == {"iotnb", f"iotnb-{VERSION}.dist-info"}
    assert not [name for name in names if name.endswith((".pyc", ".ipynb_checkpoints"))]


def test_the_sdist_holds_what_its_own_tests_need(built):
    with tarfile.open(built / f"iotnb-{VERSION}.tar.gz") as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = [
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE",
        "Makefile",
        "environment.yml",
        "pyproject.toml",
    ]
    wanted += [".ci/run", ".ci/venv", ".ci/layer.py", "tests/test_project.py", "benchmarks/run.py"]
    wanted += [f"notebooks/{name}" for name in NOTEBOOKS]
    assert set(wanted) <= names


def test_it_is_this_installation_that_is_tried(installed, tmp_path):
    shown = run([installed / "python", "-c", "import iotnb; print(iotnb.__file__)"], cwd=tmp_path).stdout
    assert str(ROOT) not in shown
    assert run([installed / "iotnb", "--version"], cwd=tmp_path).stdout == f"iotnb {VERSION}\n"


def test_the_demo_runs_and_draws(installed, tmp_path):
    done = run([installed / "iotnb", "demo", "--output", "fleet.png"], cwd=tmp_path)
    assert "logged in to the sandbox" in done.stdout
    assert re.search(r"\d+ devices", done.stdout)
    assert re.search(r"[\d,]+ values of the last 24 hours", done.stdout)
    picture = (tmp_path / "fleet.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 10_000
    assert done.stderr == ""


def test_the_tutorials_can_be_copied(installed, tmp_path):
    run([installed / "iotnb", "tutorials", "copy", "mine"], cwd=tmp_path)
    for name in NOTEBOOKS:
        assert (tmp_path / "mine" / name).read_bytes() == (ROOT / "notebooks" / name).read_bytes()
    again = run([installed / "iotnb", "tutorials", "copy", "mine"], cwd=tmp_path, code=2)
    assert NOTEBOOKS[0] in again.stderr


def test_the_doctor_finds_the_installation_well(installed, tmp_path):
    done = run([installed / "iotnb", "doctor"], cwd=tmp_path)
    assert "FAIL" not in done.stdout
    assert re.search(r"ok\s+widget .+\.js", done.stdout)


def test_the_command_and_the_extras_are_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["scripts"] == {"iotnb": "iotnb.cli:main"}
    assert set(project["optional-dependencies"]) == {"archive", "cluster", "keyring", "mpl", "dev"}
