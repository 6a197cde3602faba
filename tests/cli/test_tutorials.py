"""`iotnb tutorials`: the notebooks from the command line."""

import json


def test_list_shows_names_and_titles(cli):
    shown = cli("tutorials", "list").stdout
    assert "00_start_here" in shown
    assert "40_cumulocity_device_integration" in shown


def test_copy_refuses_to_overwrite_until_told(cli):
    copied = cli("tutorials", "copy", "mine").stdout.splitlines()
    assert "mine/00_start_here.ipynb" in copied
    mine = cli.folder / "mine" / "00_start_here.ipynb"
    mine.write_text("my own work")
    refused = cli("tutorials", "copy", "mine", code=2)
    assert "00_start_here.ipynb" in refused.stderr
    assert cli("tutorials", "copy", "mine", "--keep").stdout == ""
    assert mine.read_text() == "my own work"
    cli("tutorials", "copy", "mine", "--overwrite", "--name", "00_start_here")
    assert json.loads(mine.read_text())["cells"]


def test_without_a_folder_they_go_beside_the_reader(cli):
    cli("tutorials", "copy")
    assert (cli.folder / "iotnb-tutorials" / "00_start_here.ipynb").is_file()
