"""Every notebook: its source is clean; it runs headless against the sandbox, again and backwards, no leaks.

The kernels are real and separate processes. They find the sandbox of this process as those of `iotnb lab`
find theirs: through the environment. nbclient stores the state of all widgets, as it does by default.
"""

from __future__ import annotations

import ast
import asyncio
import base64
import copy
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from iotnb import sandbox

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
SECONDS = 60  # for one cell
DEVICES = "40_cumulocity_device_integration"
DMO = "/api-gw/device-management-orchestrator/v3/eos"
CMO = "/api-gw/connection-management-orchestrator/v5/eos"
WSO2 = "/api/device-mgt/v1.0"
RESOURCES = r"/subscriptions/[\w-]+/resourceGroups/IOTC/providers/Microsoft\.IoTCentral"


@dataclass(frozen=True, kw_only=True)
class About:
    """What is known of one notebook; those of a vendor's tutorial have its headings."""

    platform: str
    """The one that it logs in to, "" for all."""
    headings: tuple[tuple[int, str], ...] = ()
    """The steps of the vendor's tutorial, in its order."""
    own: tuple[str, ...] = ()
    """Headings beside the vendor's."""
    quiet: tuple[str, ...] = ()
    """Headings over text, or over steps, without a request of their own."""
    asked: tuple[tuple[str, str, int], ...] = ()
    """Requests in their order: method, path, and status or its first digit."""


ABOUT = {
    "00_start_here": About(platform="cumulocity"),
    "10_tiothub_get_started": About(
        platform="tiothub",
        headings=(
            (1, "Connect Your Application to the T IoT Hub"),
            (2, "You will learn how to"),
            (2, "Prerequisites"),
            (2, "Step 1. Create API credentials in the Application Access Management"),
            (2, "Step 2. Retrieve an API Token (Locally)"),
            (2, "Step 3. Register your application in DMO"),
        ),
        own=(
            "What next",
            "Devices and their SIMs",
            "Changing a SIM",
            "Data",
            "Commands",
            "A device of one's own",
            "A webhook",
            "Clean up",
        ),
        quiet=(
            "Connect Your Application to the T IoT Hub",
            "You will learn how to",
            "Prerequisites",
        ),
        asked=(
            ("POST", r"/application-access", 201),
            ("POST", r"/auth/realms/iothub/protocol/openid-connect/token", 200),
            ("GET", rf"{DMO}/TestApp", 404),
            ("POST", DMO, 201),
            ("GET", rf"{DMO}/TestApp", 200),
            ("GET", DMO, 200),
            ("GET", rf"{CMO}/product", 200),
            ("POST", rf"{CMO}/product/find", 200),
            ("PATCH", rf"{CMO}/product/JASPER-\d+-simCard", 200),
            ("GET", rf"{DMO}/device-communication/[\w-]+/received-msg/la", 200),
            ("POST", rf"{DMO}/device-communication/[\w-]+/outgoing-msg", 201),
            ("POST", rf"{DMO}/device-provisioning/request", 201),
            ("GET", rf"{DMO}/device-provisioning/response/responseToRequest-\w+", 200),
            ("POST", rf"{DMO}/device-communication/notebook-device/received-msg", 201),
            ("DELETE", rf"{DMO}/notebook-device", 200),
            ("DELETE", rf"{DMO}/TestApp", 200),
        ),
    ),
    "20_iotcentral_rest_api": About(
        platform="iotcentral",
        headings=(
            (1, "Tutorial: Use the REST API to manage an Azure IoT Central application"),
            (2, "Prerequisites"),
            (3, "Azure CLI"),
            (3, "Postman"),
            (2, "Import the Postman collection"),
            (2, "Authorize the REST API"),
            (2, "Create an application"),
            (2, "Create the API tokens"),
            (2, "Register a device"),
            (2, "Provision and connect a device"),
            (2, "Query and control the device"),
            (2, "Export telemetry"),
            (2, "Clean up resources"),
            (2, "Next steps"),
        ),
        own=("Before the service ends",),
        quiet=(
            "Tutorial: Use the REST API to manage an Azure IoT Central application",
            "Prerequisites",
            "Azure CLI",
            "Postman",
            "Import the Postman collection",
            "Authorize the REST API",
            "Next steps",
        ),
        asked=(
            ("PUT", rf"{RESOURCES}/iotApps/tutorial-app-\w+", 201),
            ("PUT", r"/api/apiTokens/operator-token", 200),
            ("PUT", r"/api/apiTokens/admin-token", 200),
            ("PUT", r"/api/devices/phone-001", 200),
            ("GET", r"/api/devices/phone-001/credentials", 200),
            ("PUT", r"/0ne\w+/registrations/phone-001/register", 202),
            ("POST", r"/devices/phone-001/messages/events", 204),
            ("GET", r"/api/devices/phone-001", 200),
            ("GET", r"/api/deviceTemplates", 200),
            ("POST", r"/api/query", 200),
            ("GET", r"/api/devices/phone-001/components/device_info/properties", 200),
            ("POST", r"/api/devices/phone-001/commands/lightOn", 201),
            ("PUT", r"/api/dataExport/destinations/webhookdest", 200),
            ("PUT", r"/api/dataExport/exports/telemetryexport", 200),
            ("GET", r"/api/dataExport/exports/telemetryexport", 200),
            ("DELETE", rf"{RESOURCES}/iotApps/tutorial-app-\w+", 200),
        ),
    ),
    "30_wso2_access_token": About(
        platform="wso2",
        headings=(
            (1, "Generating the Access Token"),
            (2, "Obtaining the access token"),
            (3, "1. Encode the client credentials as follows"),
            (3, "2. Generate the Client ID and the Secret ID."),
            (3, "3. Encode the client credentials as follows"),
            (3, "4. Generate the access token using the following command"),
            (2, "Generating a new access token from the refresh token"),
            (2, "What's next?"),
        ),
        own=(
            "Instead of -k",
            "Devices",
            "Telemetry",
            "Operations",
            "Notifications and groups",
            "A device of one's own",
            "Logging out",
        ),
        quiet=("Generating the Access Token", "Obtaining the access token"),
        asked=(
            ("GET", rf"{WSO2}/device-types", 401),
            ("POST", r"/api-application-registration/register", 201),
            ("POST", r"/api-application-registration/register", 406),
            ("POST", r"/api-application-registration/register", 401),
            ("POST", r"/token", 401),
            ("POST", r"/token", 200),
            ("POST", r"/token", 401),
            ("POST", r"/token", 400),
            ("POST", r"/token", 200),
            ("POST", r"/revoke", 200),
            ("GET", rf"{WSO2}/events/firealarm", 403),
            ("GET", rf"{WSO2}/devices", 200),
            ("GET", rf"{WSO2}/events/\w+/\w+", 200),
            ("GET", rf"{WSO2}/devices/\w+/\w+/operations", 400),
            ("GET", rf"{WSO2}/devices/\w+/\w+/operations", 200),
            ("GET", rf"{WSO2}/notifications", 200),
            ("GET", rf"{WSO2}/groups", 200),
            ("POST", rf"{WSO2}/admin/device-types", 200),
            ("POST", rf"{WSO2}/events/notebookalarm", 200),
            ("POST", rf"{WSO2}/device/agent/enroll", 200),
            ("POST", rf"{WSO2}/devices/notebookalarm/operations", 201),
            ("GET", rf"{WSO2}/device/agent/pending/operations/notebookalarm/00123", 200),
            ("PUT", rf"{WSO2}/device/agent/operations/notebookalarm/00123", 200),
            ("POST", rf"{WSO2}/device/agent/events/publish/notebookalarm/00123", 200),
            ("POST", r"/revoke", 200),
        ),
    ),
    DEVICES: About(
        platform="cumulocity",
        headings=(
            (1, "Device integration using REST"),
            (2, "Integration life cycle"),
            (2, "Startup Phase"),
            (3, "Step 0: Request device credentials"),
            (3, "Step 1: Check if the device is already registered"),
            (3, "Step 2: Create the device in the inventory"),
            (3, "Step 3: Register the device"),
            (3, "Step 4: Update the device in the inventory"),
            (3, "Step 5: Discover child devices and create or update them in the inventory"),
            (3, "Step 6: Complete operations and subscribe"),
            (2, "Cycle Phase"),
            (3, "Step 7: Execute operations"),
            (3, "Step 8: Update inventory"),
            (3, "Step 9: Send measurements"),
            (3, "Step 10: Send events"),
            (3, "Step 11: Send alarms"),
            (2, "Replacing a physical device"),
            (2, "Device authentication"),
            (3, "JWT session token retrieval"),
        ),
        quiet=("Device integration using REST", "Startup Phase", "Cycle Phase"),
        asked=(
            ("POST", r"/devicecontrol/newDeviceRequests", 201),
            ("POST", r"/devicecontrol/deviceCredentials", 404),
            ("PUT", r"/devicecontrol/newDeviceRequests/0000000017b769d5", 200),
            ("POST", r"/devicecontrol/deviceCredentials", 201),
            ("GET", r"/identity/externalIds/c8y_Serial/raspi-0000000017b769d5", 404),
            ("POST", r"/inventory/managedObjects", 201),
            ("POST", r"/identity/globalIds/\d+/externalIds", 201),
            ("POST", r"/identity/globalIds/\d+/externalIds", 409),
            ("PUT", r"/inventory/managedObjects/\d+", 200),
            ("POST", r"/inventory/managedObjects/\d+/childDevices", 201),
            ("DELETE", r"/inventory/managedObjects/\d+/childDevices/\d+", 204),
            ("DELETE", r"/inventory/managedObjects/\d+", 204),
            ("POST", r"/devicecontrol/operations", 201),
            ("PUT", r"/devicecontrol/operations/\d+", 200),
            ("POST", r"/notification/operations", 200),
            ("PUT", r"/inventory/managedObjects/\d+", 200),
            ("POST", r"/measurement/measurements", 201),
            ("POST", r"/event/events", 201),
            ("POST", r"/alarm/alarms", 4),
            ("POST", r"/alarm/alarms", 201),
            ("PUT", r"/alarm/alarms/\d+", 200),
            ("DELETE", r"/identity/externalIds/c8y_Serial/raspi-0000000017b769d8", 204),
            ("POST", r"/tenant/tenants/\w+/trusted-certificates", 201),
            ("POST", r"/devicecontrol/deviceAccessToken", 200),
            ("POST", r"/user/logout", 200),
        ),
    ),
    "60_analyze_telemetry": About(platform="cumulocity"),
    "70_operations_across_platforms": About(platform=""),
    "90_beyond_one_machine": About(platform="cumulocity"),
    "50_iotconnect_rest_api": About(
        platform="iotconnect",
        headings=(
            (1, "Getting started with the IoTConnect API"),
            (2, "End Point"),
            (2, "Step 1: Obtain a basic token"),
            (2, "Step 2: Get an access token"),
            (2, "Step 3: Use the access token to make requests"),
            (2, "API requests"),
            (2, "HTTP request headers"),
            (2, "API responses"),
            (3, "HTTP success status codes"),
            (3, "HTTP error status codes"),
            (2, "The HTTP methods"),
        ),
        own=(
            "When the token gets old",
            "Devices as a table",
            "Data",
            "Commands",
            "What happened",
        ),
        quiet=("Getting started with the IoTConnect API",),
        asked=(
            ("GET", r"/api/uisdk/solutionkey/[^/]+/env/poc", 200),
            ("GET", r"/api/v2/Auth/basic-token", 200),
            ("POST", r"/api/v2/Auth/login", 200),
            ("POST", r"/api/v2/Auth/login", 401),
            ("POST", r"/api/v2/Auth/login", 412),
            ("GET", r"/api/v1\.1/Device", 200),
            ("GET", r"/api/v2/Device", 200),
            ("GET", r"/api/v2\.1/Device", 200),
            ("POST", r"/api/v2/Auth/refresh-token", 200),
            ("POST", r"/api/v2/Auth/refresh-token", 409),
            ("GET", r"/api/v2/Device", 204),
            ("POST", r"/api/v2/Device", 412),
            ("GET", r"/api/v2/Device", 401),
            ("GET", r"/api/v2/User", 403),
            ("GET", r"/api/v2/Device/uniqueId/no-such-device", 409),
            ("GET", r"/api/v2/device-template/[0-]+", 404),
            ("PATCH", r"/api/v2/Device", 405),
            ("GET", r"/api/v2/Device", 500),
            ("GET", r"/api/v2/Rule/conditions", 503),
            ("POST", r"/api/v2/Device", 200),
            ("PUT", r"/api/v2/Device/[\w-]+", 200),
            ("DELETE", r"/api/v2/Device/[\w-]+", 200),
            ("GET", r"/api/v2/Telemetry/attribute-history/device/.+", 200),
            ("POST", r"/api/v2/template-command/device/[\w-]+/send", 200),
            ("GET", r"/api/v2/template-command/history", 200),
            ("GET", r"/api/v2/device-template/device/notification", 2),
        ),
    ),
}


@dataclass
class Run:
    """A notebook after each pass over its cells."""

    passes: list[nbformat.NotebookNode] = field(default_factory=list)
    folder: Path = Path()

    @property
    def first(self) -> nbformat.NotebookNode:
        return self.passes[0]


def read(name: str) -> nbformat.NotebookNode:
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


OURS = ("IOTNB_", "C8Y_", "XDG_", "JUPYTER_", "IPYTHON", "SSL_CERT")
FOREIGN = ("_PROXY", "_CA_BUNDLE", "NETRC")


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[tuple[sandbox.Sandbox, dict[str, str]]]:
    """A running sandbox, and the environment in which a kernel finds it, without the developer's settings."""
    home = tmp_path_factory.mktemp("kernel-home")
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(OURS) and not name.upper().endswith(FOREIGN)
    }
    if pytestconfig.cache:  # the list of fonts takes seconds to make: it outlives the home folder
        env["MPLCONFIGDIR"] = str(pytestconfig.cache.mkdir("matplotlib"))
    with sandbox.start(seed=1, devices=25, days=30) as running:
        file = home / "sandbox.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps(running.info(), default=str))
        own = {"HOME": str(home), "IPYTHONDIR": str(home / "ipython"), sandbox.VARIABLE: str(file)}
        yield running, env | own


@pytest.fixture(scope="module")
def runs(
    served: tuple[sandbox.Sandbox, dict[str, str]],
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Run | BaseException]:
    """All notebooks that are asked for, each run from top to bottom and then backwards in one kernel."""
    wanted = asked_for(request.session.items, "executed")
    folders = {name: tmp_path_factory.mktemp("notebooks") for name in wanted}
    for name, folder in folders.items():
        shutil.copy(FOLDER / f"{name}.ipynb", folder)
    return two_by_two({name: execute(read(name), served[1], folders[name]) for name in wanted})


@pytest.fixture(scope="module")
def alone(
    served: tuple[sandbox.Sandbox, dict[str, str]],
    runs: dict[str, Run | BaseException],
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[dict[str, Run | BaseException], int]:
    """The same without the sandbox of this process, once each; and how many requests that one got."""
    env = {key: value for key, value in served[1].items() if key != sandbox.VARIABLE}
    wanted = asked_for(request.session.items, "on_its_own")
    count = len(served[0].requests())
    folders = {name: tmp_path_factory.mktemp("alone") for name in wanted}
    made = two_by_two({name: execute(read(name), env, folders[name], again=False) for name in wanted})
    return made, len(served[0].requests()) - count


def asked_for(items: list[pytest.Item], parameter: str) -> list[str]:
    """The notebooks that the tests of this run have as a parameter."""
    params = [item.callspec.params for item in items if hasattr(item, "callspec")]
    return sorted({str(each[parameter]) for each in params if parameter in each})


def two_by_two(works: dict[str, Any]) -> dict[str, Run | BaseException]:
    """What each work gave or raised, never more than two at a time: a kernel fills a core."""

    async def all_of_them() -> list[Run | BaseException]:
        places = asyncio.Semaphore(2)

        async def placed(work: Any) -> Run:
            async with places:
                return await work

        return await asyncio.gather(*map(placed, works.values()), return_exceptions=True)

    return dict(zip(works, asyncio.run(all_of_them()), strict=True))


def done(found: Run | BaseException) -> Run:
    """The run, or what ended it."""
    if isinstance(found, BaseException):
        raise found
    return found


@pytest.fixture
def executed(runs: dict[str, Run | BaseException], request: pytest.FixtureRequest) -> Run:
    """The notebook of the test's parameter, after its two passes."""
    return done(runs[request.param])


async def execute(nb: nbformat.NotebookNode, env: dict[str, str], folder: Path, *, again: bool = True) -> Run:
    """Runs all cells from top to bottom, then `again` backwards in the same kernel."""
    run = Run(folder=folder)
    client = NotebookClient(
        nb, timeout=SECONDS, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    async with client.async_setup_kernel(env=env):
        code = [(index, cell) for index, cell in enumerate(nb.cells) if cell.cell_type == "code"]
        for order in (code, code[::-1]) if again else (code,):
            for index, cell in order:
                await client.async_execute_cell(cell, index)
            client.set_widgets_metadata()
            run.passes.append(copy.deepcopy(nb))
            (folder / f"pass-{len(run.passes)}.ipynb").write_text(nbformat.writes(nb))
    return run


every = pytest.mark.parametrize("executed", NOTEBOOKS, indirect=True)
device = pytest.mark.parametrize("executed", [DEVICES], indirect=True)
TUTORIALS = [name for name in NOTEBOOKS if name in ABOUT and ABOUT[name].headings]
tutorial = pytest.mark.parametrize(
    ("executed", "about"), [(name, ABOUT[name]) for name in TUTORIALS], indirect=["executed"], ids=TUTORIALS
)


# -- secrets ----------------------------------------------------------------------------------------------


def disguises(secret: str, users: list[str]) -> set[str]:
    """How a secret may stand in a file: plain, as URLs and JSON write it, in base64 at any offset."""
    found = {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}
    found |= {base64.b64encode(f"{user}:{secret}".encode()).decode().rstrip("=") for user in users}
    for offset in range(3):
        encoded = base64.b64encode(b"x" * offset + secret.encode()).decode().rstrip("=")
        # the first and last signs also depend on the neighbours
        middle = encoded[(offset * 8 + 5) // 6 + (offset > 0) : -2]
        if len(middle) >= 8:
            found |= {middle, middle.replace("+", "-").replace("/", "_")}
    return found


def told(info: Any, name: str) -> set[str]:
    """The texts that stand under a name anywhere in what the sandbox says of itself."""
    inner = info.values() if isinstance(info, dict) else info if isinstance(info, list) else ()
    found = {text for each in inner for text in told(each, name)}
    if isinstance(info, dict) and isinstance(info.get(name), str):
        found.add(info[name])
    return found


def leaks(text: str, running: sandbox.Sandbox) -> list[str]:
    """What the sandbox issued and the text holds; the names of the secrets, not the secrets."""
    info = running.info()
    people = {*told(info, "username"), *told(info, "client_id"), *re.findall(r"device_[\w.-]+", text)}
    users = sorted({*people, *(f"{tenant}/{each}" for tenant in told(info, "tenant") for each in people)})
    return [
        f"{what}: {len(secret)} characters"
        for secret, what in running.issued().items()
        if any(form in text for form in disguises(secret, users))
    ]


@pytest.mark.notebooks
@every
def test_nothing_that_the_notebook_leaves_holds_a_secret(
    executed: Run, served: tuple[sandbox.Sandbox, dict[str, str]]
) -> None:
    running, env = served
    assert len(running.issued()) >= 3
    for nb in executed.passes:
        assert leaks(nbformat.writes(nb), running) == []
    published = Path(env[sandbox.VARIABLE])  # the one file whose purpose is to tell the credentials
    for folder in (executed.folder, Path(env["HOME"])):
        for path in folder.rglob("*"):
            if path.is_file() and path != published:
                assert leaks(path.read_bytes().decode("latin-1"), running) == [], path.name


@pytest.mark.notebooks
@pytest.mark.parametrize(
    ("platform", "user", "secret"),
    [("cumulocity", "username", "password"), ("tiothub", "client_id", "client_secret")],
)
def test_the_search_for_secrets_finds_them(
    served: tuple[sandbox.Sandbox, dict[str, str]], platform: str, user: str, secret: str
) -> None:
    running, env = served
    cell = f"""
import base64, iotnb, ipywidgets
from urllib.parse import quote
login = iotnb.sandbox.attached()["{platform}"]["connect"]
user, word = login["{user}"], login["{secret}"]
"""
    planted = {
        "plain": "print('password', word)",
        "url": "print('https://h/?p=' + quote(word, safe=''))",
        "pair": "print(base64.b64encode((user + ':' + word).encode()).decode())",
        "inside": "print(base64.b64encode(('{\"password\":\"' + word + '\"}').encode()).decode())",
        "widget": "box = ipywidgets.Password(value=word)",
    }
    notebooks = {
        name: nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell + line)])
        for name, line in planted.items()
    }
    two_by_two(
        {
            name: NotebookClient(nb, timeout=SECONDS, kernel_name="python3").async_execute(env=env)
            for name, nb in notebooks.items()
        }
    )
    for name, nb in notebooks.items():
        assert leaks(nbformat.writes(nb), running), name


# -- running ----------------------------------------------------------------------------------------------


@pytest.mark.notebooks
@every
def test_every_cell_runs_and_runs_again(executed: Run) -> None:
    assert len(executed.passes) == 2
    for nb in executed.passes:
        for cell in nb.cells:
            problems = [each for each in cell.get("outputs", ()) if each.output_type == "error"]
            assert not problems, cell.id
            warned = [each.text for each in cell.get("outputs", ()) if each.get("name") == "stderr"]
            assert not warned, f"{cell.id}: {warned}"


@pytest.mark.notebooks
@device
def test_after_a_restart_of_the_kernel_the_device_is_met_again(
    executed: Run, served: tuple[sandbox.Sandbox, dict[str, str]], tmp_path: Path
) -> None:
    """The platform remembers what the new kernel does not: objects, identities, device users."""
    before = printed(executed.first)
    assert "this device is new" in before
    run = asyncio.run(execute(read(DEVICES), served[1], tmp_path, again=False))
    number = re.search(r"device (\d+) belongs to", before)
    assert number
    assert f"this device is known as {number[1]}" in printed(run.first)
    assert leaks(nbformat.writes(run.first), served[0]) == []


@pytest.mark.notebooks
@pytest.mark.parametrize("on_its_own", NOTEBOOKS)
def test_without_a_published_sandbox_the_notebook_starts_its_own(
    alone: tuple[dict[str, Run | BaseException], int], on_its_own: str
) -> None:
    made, asked = alone
    assert done(made[on_its_own]).passes
    assert asked == 0, "a notebook found the sandbox of this process"


def printed(nb: nbformat.NotebookNode) -> str:
    """What all cells have printed."""
    outputs = [output for cell in nb.cells for output in cell.get("outputs", ())]
    return "".join(output.text for output in outputs if output.output_type == "stream")


@pytest.mark.notebooks
@every
def test_each_plot_is_shown_once(executed: Run) -> None:
    plotting = [
        cell
        for cell in executed.first.cells
        if cell.cell_type == "code" and re.search(r"\bplots\.\w+\(", cell.source)
    ]
    assert plotting
    for cell in plotting:
        pictures = [each for each in cell.outputs if "image/png" in each.get("data", {})]
        assert len(pictures) == 1, cell.id
        assert not [each for each in cell.outputs if each.output_type == "execute_result"], cell.id


@pytest.mark.notebooks
@every
def test_outputs_bring_no_script_and_load_nothing(executed: Run) -> None:
    for cell in executed.first.cells:
        for output in cell.get("outputs", ()):
            markup = "".join(output.get("data", {}).get("text/html", ""))
            assert "<script" not in markup.lower(), cell.id
            assert not re.search(r"""(src|href)=["']?\s*(https?:)?//""", markup), cell.id


def sections(nb: nbformat.NotebookNode) -> dict[str, list[nbformat.NotebookNode]]:
    """Heading -> the cells below it, up to the next heading."""
    found: dict[str, list[nbformat.NotebookNode]] = {}
    here: list[nbformat.NotebookNode] = []
    for cell in nb.cells:
        title = re.match(r"#+ (.*)", cell.source) if cell.cell_type == "markdown" else None
        if title:
            here = found.setdefault(title[1], [])
        here.append(cell)
    return found


@pytest.mark.notebooks
@tutorial
def test_each_step_shows_its_exchange_and_checks_its_result(executed: Run, about: About) -> None:
    every = [title for _, title in about.headings] + [*about.own]
    titles = [title for title in every if title not in about.quiet]
    assert titles
    found = sections(executed.first)
    steps = {title: found[title] for title in titles}
    for title, cells in steps.items():
        code = [cell for cell in cells if cell.cell_type == "code"]
        assert any("assert " in cell.source for cell in code), f"{title}: nothing is checked"
        shown = "".join(
            "".join(output.get("data", {}).get("text/html", "")) for cell in code for output in cell.outputs
        )
        assert "<details" in shown, f"{title}: no exchange is shown"
        assert re.search(r"HTTP/1.1 \d{3}", shown), f"{title}: no answer is shown"
        printed = "".join(
            output.text for cell in code for output in cell.outputs if output.output_type == "stream"
        )
        assert printed.strip(), f"{title}: says nothing about what holds"


@pytest.mark.notebooks
@tutorial
def test_the_tutorial_makes_what_it_says(
    executed: Run, about: About, served: tuple[sandbox.Sandbox, dict[str, str]]
) -> None:
    """The requests of the tutorial have truly been made, in its order, as the server saw them."""
    asked = [(line.method, line.path, line.status) for line in served[0].requests(about.platform)]
    assert about.asked
    position = 0
    for method, path, status in about.asked:
        for at in range(position, len(asked)):
            seen = asked[at]
            same = seen[2] == status or seen[2] // 100 == status
            if seen[0] == method and re.fullmatch(path, seen[1]) and same:
                position = at + 1
                break
        else:
            pytest.fail(f"after request {position}: no {method} {path} -> {status}")


# -- sources ----------------------------------------------------------------------------------------------


def test_every_notebook_is_known_here() -> None:
    assert NOTEBOOKS
    assert set(NOTEBOOKS) <= set(ABOUT)


def test_the_first_notebook_links_to_all_others() -> None:
    text = "".join(cell.source for cell in read("00_start_here").cells if cell.cell_type == "markdown")
    linked = re.findall(r"^\| \[(\w+)\]\((\w+)\.ipynb\) \| \S.+ \|$", text, re.MULTILINE)
    assert linked == [(name, name) for name in NOTEBOOKS[1:]]


@pytest.mark.parametrize("name", TUTORIALS)
def test_the_headings_mirror_the_tutorial(name: str) -> None:
    found = [
        (len(match[1]), match[2])
        for cell in read(name).cells
        if cell.cell_type == "markdown"
        for match in re.finditer(r"^(#+) (.*)$", cell.source, re.MULTILINE)
    ]
    about = ABOUT[name]
    assert [each for each in found if each[1] not in about.own] == [*about.headings]
    assert [title for _, title in found if title in about.own] == [*about.own]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_source_is_clean(name: str) -> None:
    text = (FOLDER / f"{name}.ipynb").read_text("utf-8")
    document = json.loads(text)
    nbformat.validate(nbformat.from_dict(document))
    assert (document["nbformat"], document["nbformat_minor"]) == (4, 5)
    assert text == json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    assert set(document["metadata"]) == {"kernelspec", "language_info"}
    ids = [cell["id"] for cell in document["cells"]]
    assert len(set(ids)) == len(ids)
    for cell in document["cells"]:
        assert re.fullmatch(r"[a-z0-9][a-z0-9-]*[a-z0-9]", cell["id"]), (
            "ids are words, so that they do not change"
        )
        assert cell["metadata"] == {}
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
            ast.parse("".join(cell["source"]))


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_first_cells_say_how_to_use_a_tenant_of_ones_own(name: str) -> None:
    code = [cell.source for cell in read(name).cells if cell.cell_type == "code"]
    login = next(source for source in code if "iotnb.connect(" in source)
    assert code.index(login) <= 1
    named = f'"{ABOUT[name].platform}"' if ABOUT[name].platform else "name"
    assert f"iotnb.connect({named}, sandbox=True)" in login
    assert re.search(rf"# .*iotnb\.connect\({named}, profile=", login)


SECRET_WORDS = re.compile(r"passw|token|secret|passphrase|api_?key|tfa", re.IGNORECASE)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_no_cell_holds_a_secret_literal(name: str) -> None:
    """No argument, key or variable with a name that sounds like a secret is given a text."""
    for cell in read(name).cells:
        if cell.cell_type != "code":
            continue
        for node in ast.walk(ast.parse(cell.source)):
            for word, value in named_texts(node):
                assert not (SECRET_WORDS.search(word) and value), cell.id
        assert not re.search(r"eyJ[\w-]{10,}", cell.source), cell.id


def named_texts(node: Any) -> Iterator[tuple[str, str]]:
    """The (name, text) pairs of arguments, dictionaries and assignments."""
    pairs: list[tuple[str, ast.expr | None]] = []
    if isinstance(node, ast.Call):
        pairs = [(each.arg or "", each.value) for each in node.keywords]
    elif isinstance(node, ast.Dict):
        pairs = [
            (str(key.value), value)
            for key, value in zip(node.keys, node.values, strict=True)
            if isinstance(key, ast.Constant)
        ]
    elif isinstance(node, ast.Assign):
        pairs = [(each.id, node.value) for each in node.targets if isinstance(each, ast.Name)]
    for name, value in pairs:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield name, value.value


@pytest.mark.notebooks
def test_a_cell_that_fails_fails_the_run(
    served: tuple[sandbox.Sandbox, dict[str, str]], tmp_path: Path
) -> None:
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("assert False, 'seen'")])
    with pytest.raises(CellExecutionError, match="seen"):
        asyncio.run(execute(nb, served[1], tmp_path))
