"""The tutorial notebooks as a reader meets them: listed, copied, opened."""

import json
from pathlib import Path

import pytest

from iotnb import tutorials
from iotnb.errors import ConfigError


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_notebook_has_a_title_and_a_summary():
    listed = tutorials.list()
    assert [each.name for each in listed] == sorted(path.stem for path in tutorials.source().glob("*.ipynb"))
    assert listed[0].name == "00_start_here"
    for each in listed:
        assert each.title != each.name, f"{each.name} has no heading"
        assert len(each.summary) > 20, f"{each.name} does not say what it is about"
        assert each.name in repr(listed)


def test_copies_are_the_notebooks_and_come_without_outputs(elsewhere):
    written = tutorials.copy("mine")
    assert sorted(path.name for path in written) == sorted(
        path.name for path in (elsewhere / "mine").iterdir()
    )
    for each in tutorials.list():
        copied = json.loads((elsewhere / "mine" / f"{each.name}.ipynb").read_text("utf-8"))
        assert copied == json.loads(each.path.read_text("utf-8"))
        assert not any(cell.get("outputs") for cell in copied["cells"])


def test_copy_refuses_to_overwrite_and_names_the_files(elsewhere):
    tutorials.copy("mine", names=["00_start_here"])
    mine = elsewhere / "mine" / "00_start_here.ipynb"
    mine.write_text("my own work")
    with pytest.raises(ConfigError, match=r"00_start_here\.ipynb; nothing was copied"):
        tutorials.copy("mine")
    assert [path.name for path in mine.parent.iterdir()] == [mine.name]
    assert mine.read_text() == "my own work"


def test_keep_adds_what_is_missing_and_overwrite_replaces(elsewhere):
    tutorials.copy("mine", names=["00_start_here"])
    mine = elsewhere / "mine" / "00_start_here.ipynb"
    mine.write_text("my own work")
    written = tutorials.copy("mine", keep=True)
    assert mine.read_text() == "my own work"
    assert mine not in [path.absolute() for path in written]
    assert len(written) == len(list(tutorials.source().glob("*.ipynb"))) - 1
    tutorials.copy("mine", overwrite=True)
    assert json.loads(mine.read_text("utf-8"))["cells"]
    with pytest.raises(ConfigError, match="opposites"):
        tutorials.copy("mine", overwrite=True, keep=True)


def test_a_file_in_place_of_the_folder_is_refused(elsewhere):
    (elsewhere / "mine").write_text("")
    with pytest.raises(ConfigError, match="is a file"):
        tutorials.copy("mine")


def test_open_gives_a_link_and_never_touches_work_done(elsewhere):
    opened = tutorials.open("00_start_here")
    assert opened.path == elsewhere / tutorials.FOLDER / "00_start_here.ipynb"
    assert 'href="iotnb-tutorials/00_start_here.ipynb"' in opened._repr_html_()
    opened.path.write_text("my own work")
    assert tutorials.open("00").path.read_text() == "my own work"


def test_an_unknown_tutorial_lists_those_there_are():
    with pytest.raises(ConfigError, match="00_start_here"):
        tutorials.open("99_nothing")
    assert not (Path.cwd() / tutorials.FOLDER).exists()


def test_the_table_escapes_what_it_shows():
    hostile = tutorials.Tutorial("x", "<script>alert(1)</script>", "a & b", Path("x.ipynb"))
    shown = tutorials.Catalogue([hostile])._repr_html_()
    assert "<script" not in shown
    assert "a &amp; b" in shown
