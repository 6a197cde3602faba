"""`%%curl` in an IPython shell: run through the login, refused where it must be, no secret shown."""

from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import iotnb
from iotnb.client import Client

SECRET = "s3cret-word-0815"


@pytest.fixture(scope="module")
def client(running: Any) -> Iterator[Client]:
    with iotnb.connect("cumulocity", **running["cumulocity"].connect) as made:
        yield made


@pytest.fixture
def shell(client: Client) -> Iterator[InteractiveShell]:
    InteractiveShell.clear_instance()
    made = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    made.run_cell("%load_ext iotnb")
    made.user_ns["client"] = client
    yield made
    InteractiveShell.clear_instance()


def run(shell: InteractiveShell, line: str, *cell: str) -> Any:
    done = shell.run_cell(f"%%curl {line}\n" + "\n".join(cell))
    assert done.success
    return done.result


def refused(shell: InteractiveShell, line: str, *cell: str) -> str:
    done = shell.run_cell(f"%%curl {line}\n" + "\n".join(cell))
    assert not done.success
    assert type(done.error_in_exec).__name__ == "UsageError"  # no traceback, which would show the cell
    return str(done.error_in_exec)


def test_a_documented_line_gives_json_and_the_line_of_python(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    found = run(
        shell, "",
        "# a comment of the document",
        "curl -X GET 'https://<tenant>.cumulocity.com/inventory/managedObjects?pageSize=2' \\",
        "  -H 'Authorization: Basic <AUTHORIZATION>' \\",
        "  -H 'Accept: application/json'",
    )  # fmt: skip
    assert len(found["managedObjects"]) == 2
    shown = capsys.readouterr().out
    assert "client.api.inventory.page(pageSize=2)" in shown
    assert "GET /inventory/managedObjects?pageSize=2 -> 200" in shown


def test_a_data_frame_if_asked_for(shell: InteractiveShell) -> None:
    found = run(shell, "--frame", "curl https://mytenant.cumulocity.com/inventory/managedObjects?pageSize=3")
    assert isinstance(found, pd.DataFrame)
    assert len(found) == 3
    assert "id" in found.columns


def test_several_lines_give_several_results(shell: InteractiveShell) -> None:
    first, second = run(
        shell, "", "curl https://localhost/user/currentUser", "curl https://localhost/tenant/currentTenant"
    )
    assert first["userName"] == "admin"
    assert "domainName" in second


def test_placeholders_come_from_the_first_line_and_from_variables(shell: InteractiveShell) -> None:
    line = "curl https://localhost/inventory/managedObjects/<device id>"
    assert run(shell, "device_id=100003", line)["id"] == "100003"
    shell.user_ns["device_id"] = "100004"
    assert run(shell, "", line)["id"] == "100004"


def test_the_client_may_be_named_and_must_be_there(shell: InteractiveShell) -> None:
    line = "curl https://localhost/user/currentUser"
    shell.user_ns["plant"] = shell.user_ns.pop("client")
    assert run(shell, "", line)["userName"] == "admin"
    assert run(shell, "plant", line)["userName"] == "admin"
    assert "nobody is no client" in refused(shell, "nobody", line)
    del shell.user_ns["plant"]
    assert "needs a client" in refused(shell, "", line)


def test_dry_sends_nothing(
    shell: InteractiveShell, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    before = len(client.exchanges)
    assert run(shell, "--dry", "curl -X DELETE https://localhost/inventory/managedObjects/100003") is None
    assert len(client.exchanges) == before
    assert "client.api.inventory.delete('100003')" in capsys.readouterr().out


def test_a_secret_in_the_cell_is_told_and_not_shown_not_even_with_an_error(
    shell: InteractiveShell, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run_cell("%xmode Verbose")
    head = f"-H 'Authorization: Bearer {SECRET}' -u me:{SECRET}"
    run(shell, "", f"curl {head} https://localhost/user/currentUser")
    problem = refused(shell, "", f"curl {head} https://localhost/nothing/there")
    problem += refused(shell, "", f"curl -k {head} https://localhost/user/currentUser")
    problem += refused(shell, "", f"curl {head} https://plant.cumulocity.com/user/currentUser")
    problem += refused(shell, "", f"curl {head} --bogus https://localhost")
    output = capsys.readouterr()
    assert "holds a secret in clear (Authorization, -u)" in output.out
    assert SECRET not in output.out + output.err + problem
    assert SECRET not in "".join(each.http() for each in client.exchanges)
    assert "404 GET /nothing/there" in problem
    assert "-k (--insecure) is refused" in problem


def test_hostile_answers_are_text(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    name = "</script><img src=x onerror=alert(1)>"
    made = run(
        shell, "", 'curl https://localhost/inventory/managedObjects --data-raw \'{"name": "' + name + "\"}'"
    )
    assert made["name"] == name
    assert "inventory.create({'name': '" + name in capsys.readouterr().out


def test_the_html_holds_no_script_and_no_outside_file(client: Client) -> None:
    from iotnb.widgets import magic

    shown = magic.Shown("text", magic.to_html("GET /<b>", "client.api.x('<img src=x>')", ["a <note>"]))
    markup = shown._repr_html_()
    assert "<img" not in markup
    assert "&lt;note&gt;" in markup
    assert "<script" not in markup
    assert "http" not in markup
