"""What shows itself in a notebook: without a script, without a secret, names of servers as text."""

import contextlib
import re
from typing import Any

import pandas as pd
import pytest

import iotnb
from iotnb import errors, markup
from iotnb.jobs import Job

HOSTILE = "</script><img src=x onerror=alert(1)>"


def harmless(text: str) -> bool:
    return not re.search(r"<script|<img|<iframe|<[^>]*\son\w+=|javascript:|https?://|@import|url\(", text)


@pytest.mark.parametrize("platform", iotnb.platform_names())
def test_a_client_shows_who_and_where_and_never_a_secret(running: Any, platform: str) -> None:
    fields = running[platform].connect
    client = iotnb.connect(platform, **fields)
    shown = client._repr_html_()
    assert client.title in shown
    assert client.host in shown
    assert "logged in" in shown
    assert "devices, series" in shown
    assert harmless(shown.replace(client.host, ""))
    for name in {field.name for field in client.FIELDS if field.secret} & {k for k, v in fields.items() if v}:
        assert fields[name] not in shown + repr(client), name
    for secret in client.session.auth.secrets():
        assert secret.reveal() not in shown
    client.logout()
    assert "logged out" in client._repr_html_()


def test_a_certificate_that_is_not_checked_is_said(running: Any) -> None:
    client = iotnb.connect("cumulocity", verify=False, **running["cumulocity"].connect)
    assert "not checked" in client._repr_html_()
    client.logout()


class TestProvenance:
    def test_it_is_a_mapping_and_reads_well(self, running: Any) -> None:
        with iotnb.connect("cumulocity", **running["cumulocity"].connect) as client:
            frame = client.measurements(since="2h")
        found = iotnb.provenance(frame[frame["series"] == frame["series"].iloc[0]])
        assert dict(found) == frame.attrs["iotnb"]
        text, shown = repr(found), found._repr_html_()
        assert text.startswith("measurements() of cumulocity, ")
        for part in (text, shown):
            assert "complete" in part
            assert f"{found['window'][0]} to {found['window'][1]}" in part
            assert client.host in part
        assert harmless(shown)

    def test_gaps_are_said_and_listed(self) -> None:
        frame = pd.DataFrame({"device": ["1"]})
        gap = {"item": HOSTILE, "start": "2026-01-01", "end": "2026-01-02", "reason": "503"}
        frame.attrs["iotnb"] = {"verb": "alarms", "platform": "x", "complete": False, "gaps": [gap] * 30}
        found = iotnb.provenance(frame)
        assert "incomplete, 30 gaps" in repr(found)
        assert "2026-01-01 to 2026-01-02, 503" in repr(found)
        assert "the first 20" in found._repr_html_()
        assert harmless(found._repr_html_())
        assert "&lt;img" in found._repr_html_()

    def test_a_table_from_elsewhere_is_refused(self) -> None:
        with pytest.raises(errors.ConfigError, match="does not tell where it came from"):
            iotnb.provenance(pd.DataFrame())


def ended(job: Job[Any]) -> None:
    with contextlib.suppress(Exception):
        job.result(10)


def test_a_job_shows_how_far_it_is() -> None:
    job = Job(lambda load: load.gap("pump-7", reason=HOSTILE), label="devices").start()
    ended(job)
    shown = job._repr_html_()
    assert "Job: devices" in shown
    assert "partial" in shown
    assert "pump-7" in shown
    assert harmless(shown)

    def broken(_: Any) -> None:
        raise ValueError(f"{HOSTILE} password=hunter2secret")

    failed = Job(broken).start()
    ended(failed)
    assert "failed" in failed._repr_html_()
    assert harmless(failed._repr_html_())
    assert "hunter2secret" not in failed._repr_html_()


def test_everything_that_is_handed_over_is_escaped() -> None:
    made = markup.card(
        HOSTILE,
        markup.facts({HOSTILE: HOSTILE, "empty": ""}),
        markup.table([HOSTILE], [[HOSTILE, None]]),
        markup.fold(HOSTILE, markup.line(HOSTILE, tone=markup.BAD)),
        state=HOSTILE,
    )
    assert harmless(made)
    assert "empty" not in made
