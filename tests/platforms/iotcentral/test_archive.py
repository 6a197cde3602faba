"""The inventory and the archive, and the export to a webhook."""

import json
import time

import pandas as pd
import pytest

from iotnb import errors
from iotnb.inbox import Inbox
from iotnb.platforms.iotcentral import Archive
from iotnb.platforms.iotcentral.archive import HIDDEN, blanked


def test_everything_in_the_application_is_counted(client, served):
    summary = Archive(client).summary().set_index("kind")
    assert summary.loc["devices", "documents"] == len(client.devices())
    assert summary.loc["templates", "documents"] == len(client.fleet.models())
    assert {"groups", "jobs", "roles", "users", "enrollment_groups", "exports"} <= set(summary.index)


def test_what_a_role_may_not_read_is_noted(enter, served):
    viewer = enter(api_token=served.info()["iotcentral"]["api_tokens"]["sandbox-viewer"])
    archive = Archive(viewer)
    summary = archive.summary().set_index("kind")
    assert archive.refused
    for kind, reason in archive.refused.items():
        assert "403" in reason
        assert pd.isna(summary.loc[kind, "documents"])


def test_readiness_says_why_not(client):
    ready = Archive(client).readiness().set_index("device")
    devices = client.devices().set_index("device")
    assert set(ready.index) == set(devices.index)
    for device, row in ready.iterrows():
        if pd.isna(devices.loc[device, "type"]):
            assert "no template" in row["reason"]
        assert row["ready"] == (row["reason"] == "")


def test_it_is_written_to_files_without_secrets(client, served, tmp_path):
    folder = tmp_path / "archive"
    files = Archive(client).save(folder, since="1h").set_index("file")
    about = json.loads((folder / "archive.json").read_text())
    assert {each["file"] for each in about["files"]} == set(files.index)
    assert (
        pd.read_parquet(folder / "measurements.parquet").shape[0] == files.loc["measurements.parquet", "rows"]
    )
    assert files.loc["measurements.parquet", "rows"] > 0
    assert len(json.loads((folder / "devices.json").read_text())) == files.loc["devices.json", "rows"]
    assert len(pd.read_csv(folder / "readiness.csv", dtype=str)) == files.loc["readiness.csv", "rows"]
    for path in folder.iterdir():
        held = path.read_bytes().decode("latin-1")
        for secret in served.issued():
            assert secret not in held, path.name
    with pytest.raises(errors.ConfigError, match="not empty"):
        Archive(client).save(folder)


def test_tables_hold_a_row_a_document(client):
    tables = Archive(client).tables()
    assert len(tables["templates"]) == len(client.fleet.models())
    assert "@id" in tables["templates"].columns


def test_keys_are_blanked_wherever_they_stand():
    document = {
        "attestation": {"symmetricKey": {"primaryKey": "a", "secondaryKey": "b"}},
        "headerCustomizations": {
            "x": {"value": "hidden", "secret": True},
            "y": {"value": "seen", "secret": False},
        },
        "authorization": {"type": "header", "value": "hidden"},
        "data": [{"value": "seen", "token": "hidden"}],
        "connectionString": "hidden",
        "token": None,
    }
    found = json.dumps(blanked(document))
    assert "hidden" not in found
    assert found.count("seen") == 2
    assert found.count(HIDDEN) == 6
    assert document["connectionString"] == "hidden"


def test_an_export_is_posted_to_the_inbox(client):
    with Inbox() as inbox:
        api = client.api
        destination = {"displayName": "here", "type": "webhook@v1", "url": inbox.url}
        assert api.destinations.create("here", {"id": "here", **destination})["type"] == "webhook@v1"
        document = {
            "id": "all",
            "displayName": "all",
            "enabled": True,
            "source": "telemetry",
            "destinations": [{"id": "here"}],
        }
        assert api.exports.create("all", document)["status"] == "notStarted"
        deadline = time.monotonic() + 20
        while (found := api.exports.get("all"))["status"] != "healthy":
            assert found["status"] in {"notStarted", "starting"}, found
            assert time.monotonic() < deadline
            time.sleep(0.1)
        inbox.wait(1, timeout=30)
        frame = inbox.frame()
        assert set(frame["messageSource"]) == {"telemetry"}
        assert set(frame["deviceId"]) <= set(client.devices()["device"])
        api.exports.delete("all")
        api.destinations.delete("here")
        assert api.exports.find("all") is None


def test_a_job_is_an_operation_of_each_of_its_devices(client):
    model = next(each for each in client.fleet.models().values() if each.commands)
    command = next(each for each in model.commands if not each.module)
    group = {"displayName": "all of them", "filter": f'SELECT * FROM devices WHERE $template = "{model.id}"'}
    client.api.groups.create("all-of-them", group)
    members = [each["id"] for page in client.api.groups.devices("all-of-them") for each in page.items]
    assert members
    data = [{"type": "command", "target": model.id, "path": command.name, "value": {}}]
    client.api.jobs.create("job-test-1", {"displayName": "Try", "group": "all-of-them", "data": data})
    frame = client.operations(since="1h", expand=True)
    rows = frame[frame["operation"].str.startswith("job-test-1/")]
    assert sorted(rows["device"]) == sorted(members)
    assert set(rows["kind"]) == {command.name}
    deadline = time.monotonic() + 20
    while rows["status"].isin(["PENDING", "EXECUTING"]).any():
        assert time.monotonic() < deadline, rows[["status", "platform_status"]]
        time.sleep(0.2)
        rows = client.operations(members, since="1h")
        rows = rows[rows["operation"].str.startswith("job-test-1/")]
    assert rows["platform_status"].notna().all()
