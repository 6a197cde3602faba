"""The verbs of a client against the sandbox: provenance, completeness, jobs, interrupt, and no secret."""

import asyncio
import collections
import gc
import json
import logging
import os
import pickle
import subprocess
import sys
import textwrap
import time
import types
import warnings
from collections.abc import Iterator
from datetime import datetime, timedelta

import pandas as pd
import pytest
from views import VIEWS

import iotnb
from iotnb import errors, frames, times
from iotnb.auth import Auth
from iotnb.client import GAPS, VERBS, identifiers
from iotnb.jobs import Job
from iotnb.loading import Load
from iotnb.sandbox import Sandbox
from iotnb.secret import Secret

TIMED = ("measurements", "operations", "events", "alarms")


@pytest.fixture(params=iotnb.platform_names())
def platform(request):
    return request.param


@pytest.fixture
def faults(running: Sandbox, platform: str) -> Iterator[object]:
    """Sets faults of the platform; they end with the test."""
    yield lambda **settings: running.faults.set(platform, **settings)
    running.faults.clear()


@pytest.fixture
def client(running, platform, faults):
    made = iotnb.connect(platform, **running[platform].connect)
    yield made
    made.close()


@pytest.fixture
def hasty(running, platform, faults):
    """A client that tries nothing twice."""
    made = iotnb.connect(platform, retries=0, **running[platform].connect)
    yield made
    made.close()


@pytest.fixture
def ids(client):
    return list(client.devices()["device"])


# -- frames


@pytest.mark.parametrize("verb", VERBS)
def test_each_table_has_its_columns_and_types(client, ids, verb):
    if verb not in client.supports:
        return
    frame = getattr(client, verb)() if verb == "devices" else getattr(client, verb)(ids[:3])
    empty = frames.empty(verb)
    assert list(frame.columns) == list(empty.columns)
    for column in frame.columns:
        kind, wanted = frame[column].dtype, empty[column].dtype
        assert kind == wanted or (isinstance(wanted, pd.CategoricalDtype) and kind.name == "category"), column


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "devices"])
def test_no_data_is_an_empty_table_with_its_columns(client, ids, verb, running):
    if verb not in client.supports:
        return
    # before the fleet was there, and not so long ago that a platform no longer keeps anything
    before = [times.from_ms(running.fleet.start) - timedelta(days=days) for days in (2, 1)]
    options = dict(zip(("since", "until"), before, strict=True)) if verb in TIMED else {}
    for devices in ([], ids[:2]) if verb in TIMED else ([],):
        frame = getattr(client, verb)(devices, **options)
        assert len(frame) == 0
        assert frame.dtypes.to_dict() == frames.empty(verb).dtypes.to_dict()
        assert frame.attrs["iotnb"]["complete"]


@pytest.mark.parametrize("verb", VERBS)
def test_the_provenance_tells_where_a_table_came_from(client, ids, verb):
    if verb not in client.supports:
        return
    before = times.now()
    frame = getattr(client, verb)(**({} if verb == "devices" else {"devices": ids[:2]}))
    note = json.loads(json.dumps(frame.attrs["iotnb"]))
    assert note["verb"] == verb
    assert (note["platform"], note["host"], note["user"]) == (client.platform, client.host, client.user)
    assert note["iotnb"] == iotnb.__version__
    assert (note["complete"], note["gaps"]) == (True, [])
    assert note["pages"] > 0
    assert note["bytes"] > 0 or frame.empty  # an empty list may be an answer without a body
    assert 0 < note["seconds"] < 30
    assert abs(times.from_wire(note["loaded"]) - before) < timedelta(seconds=30)
    assert note["query"].get("devices") == (None if verb == "devices" else ids[:2])
    if verb in TIMED:
        start, end = map(times.from_wire, note["window"])
        assert start < end
    else:
        assert note["window"] is None


def test_the_provenance_holds_the_question(client, ids):
    frame = client.measurements(ids[0], since="2h", until=times.now() - timedelta(hours=1))
    note = frame.attrs["iotnb"]
    start, end = map(times.from_wire, note["window"])
    assert end - start == timedelta(hours=2)
    assert note["query"] == {"devices": [ids[0]]}


@pytest.mark.parametrize(("aggregate", "function"), [("30m", "mean"), ("1h", "max"), ("1d", "std")])
def test_whoever_reduces_the_values_are_the_same(client, ids, aggregate, function):
    until = times.now() - timedelta(minutes=10)
    made = client.measurements(ids[:2], since="30h", until=until, aggregate=aggregate, function=function)
    note = made.attrs["iotnb"]
    assert note["query"] | {"aggregate": aggregate, "function": function} == note["query"]
    whole = client.measurements(ids[:2], since=note["window"][0], until=until)
    floor = whole["time"].dt.floor(pd.Timedelta(aggregate.replace("d", "D")))
    keys = [whole["device"].astype("str"), whole["series"].astype("str"), floor]
    wanted = whole["value"].groupby(keys).agg(function).dropna()
    got = made.set_index(["device", "series", "time"])["value"]
    assert len(wanted)
    if function == "std":  # of a single value some servers say 0, pandas says nothing
        wanted, got = wanted[wanted > 1e-9], got[got > 1e-9]
    assert got.to_dict() == pytest.approx(wanted.to_dict(), rel=1e-6)


@pytest.mark.parametrize("verb", VERBS)
def test_a_cancelled_job_ends_at_once_whatever_it_asks_first(client, faults, verb):
    if verb not in client.supports:
        return
    faults(latency=1.5)
    job = client.job(verb)
    time.sleep(0.2)
    began = time.monotonic()
    job.cancel()
    with pytest.raises(errors.Incomplete):
        job.result()
    assert time.monotonic() - began < 2.5  # one request that was on its way, not one after the other


@pytest.mark.parametrize("verb", ["devices", "operations", "events", "alarms"])
def test_a_row_can_bring_its_document(client, verb):
    if verb not in client.supports:
        return
    plain = getattr(client, verb)()
    frame = getattr(client, verb)(documents=True)
    assert list(frame.columns) == [*plain.columns, "document"]
    assert len(frame)
    names = {"devices": "device", "operations": "operation", "events": "event", "alarms": "alarm"}
    for row in frame.dropna(subset=names[verb]).head(5).itertuples():
        document = json.loads(row.document)
        assert isinstance(document, dict)
        again = getattr(client.rows, verb.removesuffix("s"))(document)[names[verb]]
        assert str(again) == str(getattr(row, names[verb]))


def test_the_provenance_survives_what_pandas_does(client, ids):
    frame = client.measurements(ids[:2], since="1h")
    assert frame[frame["value"] > 0].attrs["iotnb"]["host"] == client.host


def test_the_provenance_stays_small(client):
    note = client._provenance("measurements", {"devices": None}, None, full_of_gaps(20_000), 1.0)
    assert not note["complete"]
    assert len(note["gaps"]) == GAPS
    assert len(json.dumps(note)) < 20_000


def full_of_gaps(number):
    load = Load()
    for n in range(number):
        load.gap(f"device-{n}", times.now(), times.now(), reason="503 GET /x: busy")
    return load


def test_many_devices_are_counted_in_the_provenance(client, ids):
    query = client.series(ids * 2).attrs["iotnb"]["query"]
    assert query["devices"] == (ids if len(ids) <= 20 else f"{len(ids)} devices")


# -- which devices


def test_devices_can_be_given_in_every_likely_form(client, ids):
    frame = client.devices()
    forms = [
        frame[frame["device"].isin(ids[:2])],
        frame["device"].iloc[:2],
        frame.set_index("name")["device"].iloc[:2],
        ids[:2],
        tuple(ids[:2]),
        [f" {ids[0]} ", ids[1], ids[0]],
        iter(ids[:2]),
        dict.fromkeys(ids[:2]),
        frame["device"].astype("category").iloc[:2],
    ]
    for form in forms:
        assert identifiers(form) == ids[:2]
    assert identifiers(ids[0]) == [ids[0]]
    assert identifiers(frame.iloc[0]) == [ids[0]]
    assert identifiers(17) == ["17"]
    assert identifiers([17, "0018"]) == ["17", "0018"]
    assert list(client.series(frame.iloc[1])["device"].unique()) == [ids[1]]


@pytest.mark.parametrize(
    "wrong",
    [pd.DataFrame({"id": ["1"]}), [1.0], ["1", None], [""], ["  "], [float("nan")], [pd.NA], 2.5, [True]],
)
def test_what_is_no_device_is_refused(client, wrong):
    with pytest.raises(errors.ConfigError, match="devices="):
        client.measurements(wrong)


def test_a_device_that_is_not_there_is_named(client, ids):
    with pytest.raises(errors.IotnbError, match="no-such-device"):
        client.measurements([ids[0], "no-such-device"])


def test_a_series_that_nobody_has_is_named(client, ids):
    with pytest.raises(errors.IotnbError, match="no_such_series"):
        client.measurements(ids[:2], series="no_such_series")


# -- what cannot be asked


@pytest.mark.parametrize("verb", TIMED)
@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"since": datetime(2026, 1, 1)}, "has no time zone"),
        ({"since": "2026-01-01T00:00"}, "has no time zone"),
        ({"since": "2026-01-02", "until": "2026-01-01"}, "backwards"),
        ({"since": "a while"}, "'24h' or '7d'"),
        ({"on_error": "ignore"}, "'raise' nor 'report'"),
    ],
)
def test_questions_that_cannot_be_right_are_refused_before_anything_is_sent(client, verb, options, advice):
    sent = client.session.counters.requests
    with pytest.raises(errors.ConfigError, match=advice):
        getattr(client, verb)(**options)
    assert client.session.counters.requests == sent


@pytest.mark.parametrize(
    ("verb", "options", "advice"),
    [
        ("measurements", {"function": "median"}, "mean, min, max"),
        ("measurements", {"series": []}, "series= is empty"),
        ("operations", {"status": "BROKEN"}, "SUCCESSFUL"),
    ],
)
def test_words_that_are_not_known_are_answered_with_those_that_are(client, verb, options, advice):
    with pytest.raises(errors.ConfigError, match=advice):
        getattr(client, verb)(**options)


def test_a_verb_that_is_none_is_refused(client):
    with pytest.raises(errors.ConfigError, match="use one of devices, series"):
        client.job("telemetry")


# -- complete or loud


def test_what_is_missing_is_raised_with_what_came(hasty, ids, faults, running):
    having = set(hasty.series(ids)["device"].astype("str"))  # a device without data has no row
    assert len(having) >= len(running.fleet)
    faults(fail_every=5)
    with pytest.raises(errors.Incomplete) as caught:
        hasty.series(ids)
    error = caught.value
    assert error.gaps
    assert all(set(gap) == {"item", "start", "end", "reason"} for gap in error.gaps)
    missing = {gap["item"] for gap in error.gaps}
    assert missing <= set(ids)
    assert set(error.partial["device"].astype("str")) == having - missing
    assert "503" in error.gaps[0]["reason"]
    assert str(len(error.partial)) in str(error)
    assert ".partial" in str(error)
    assert 'on_error="report"' in str(error)
    assert error.partial.attrs["iotnb"]["complete"] is False
    assert error.partial.attrs["iotnb"]["gaps"] == error.gaps
    assert hasty.last_job.state == "partial"
    assert len(hasty.last_job.errors) == len(error.gaps)


def test_report_returns_what_came_and_warns_where_it_was_asked(hasty, ids, faults):
    faults(fail_every=5)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        frame = hasty.series(ids, on_error="report")
    assert [warning.category for warning in caught] == [errors.IncompleteWarning]
    assert caught[0].filename == __file__
    assert "series are incomplete" in str(caught[0].message)
    assert not frame.attrs["iotnb"]["complete"]
    assert 0 < frame["device"].nunique() < len(ids)
    with pytest.warns(errors.IncompleteWarning):
        hasty.job("series", ids, on_error="report").result()


def test_when_nothing_comes_the_error_itself_is_raised(hasty, ids, faults):
    faults(fail_every=1)
    with pytest.raises(errors.ServerError, match="503"):
        hasty.series(ids)


def test_a_login_that_expires_in_the_middle_is_renewed_silently(client, faults):
    faults(token_seconds=2)
    client.session.auth.refused(client.session.auth.headers())  # the next token is a short one
    renewals = client.session.auth.renewals
    ended = time.monotonic() + 5
    while client.session.auth.renewals == renewals and time.monotonic() < ended:
        assert len(client.devices())
        time.sleep(0.1)
    assert client.session.auth.renewals > renewals


# -- jobs


def test_a_verb_can_run_in_the_background(client, ids):
    job = client.job("measurements", ids[:3], since="2h")
    assert isinstance(job, Job)
    frame = job.result(timeout=20)
    assert frame.equals(
        client.measurements(ids[:3], since=frame.attrs["iotnb"]["window"][0], until=None).head(len(frame))
    )
    assert job.state == "done"
    assert job.progress.rows == len(frame)
    assert not job.gaps


def test_a_job_can_be_awaited(client, ids):
    async def both():
        first, second = client.job("series", ids[:2]), client.job("devices")
        return await first, await second

    series, devices = asyncio.run(both())
    assert set(series["device"]) == set(ids[:2])
    assert list(devices["device"]) == ids


def test_a_job_that_is_cancelled_keeps_what_came(client, ids, faults):
    faults(latency=20)
    job = client.job("latest", ids)
    time.sleep(0.7)
    began = time.monotonic()
    job.cancel()
    with pytest.raises(errors.Incomplete, match="cancelled"):
        job.result()
    assert time.monotonic() - began < 10
    assert list(job.partial.columns) == list(frames.empty("latest").columns)
    assert job.gaps


def test_progress_is_reported_while_it_loads(client, ids, faults):
    faults(latency=0.05)
    seen = []
    client.on_progress = seen.append
    frame = client.latest(ids)
    assert len(seen) > 1
    assert seen[-1].items_done == seen[-1].items_total == len(ids)
    assert seen[0].items_done < len(ids)
    assert len(frame)


INTERRUPTED = """
    import json, os, signal, sys, threading
    import iotnb

    client = iotnb.connect(sys.argv[1], **json.loads(sys.argv[2]))
    interrupt = threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGINT))

    def first_values(progress):
        if progress.rows > 100 and interrupt.ident is None:
            interrupt.start()

    client.on_progress = first_values
    try:
        client.measurements(since="3d")
    except KeyboardInterrupt:
        client.on_progress = None
        job = client.last_job
        frame = job.partial
        print(json.dumps([job.state, len(frame), list(frame.columns), len(job.gaps), len(job.gaps[0])]))
    print(len(client.devices()))
"""


def test_an_interrupt_keeps_what_came_and_leaves_the_client_usable(running, platform, faults, client):
    faults(path="measurement", latency=0.5)
    code = textwrap.dedent(INTERRUPTED)
    done = subprocess.run(
        [sys.executable, "-c", code, platform, json.dumps(running[platform].connect)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    (state, rows, columns, gaps, parts), devices = map(json.loads, done.stdout.splitlines())
    assert state == "partial"
    assert rows > 0
    assert columns == list(frames.empty("measurements").columns)
    assert gaps > 0
    assert parts == 4
    assert devices == len(client.devices())


# -- ending


def test_after_a_logout_every_call_says_so(client, ids):
    client.logout()
    assert not client.logged_in
    for verb in client.supports:
        with pytest.raises(errors.LoggedOut, match="logged out: connect again"):
            getattr(client, verb)()
    with pytest.raises(errors.LoggedOut, match="logged out: connect again"):
        client.session.get("/")
    assert "logged out" in repr(client)
    client.logout()


def test_a_logout_ends_the_token_on_the_server_if_that_can(running, platform, faults):
    client = iotnb.connect(platform, **running[platform].connect)
    client.devices()
    last = client.exchanges[-1]
    used = {name: value for name, value in last.request_headers.items() if name.lower() != "authorization"}
    used |= client.session.auth.headers()
    assert client.session.get(last.url, auth=False, headers=used).status == 200
    client.logout()
    answer = client.session.get(last.url, auth=False, headers=used, expect={401})
    assert answer.status == (401 if VIEWS[platform].ends_tokens else 200)


def test_a_logout_stops_running_jobs(client, ids, faults):
    faults(latency=0.3)
    job = client.job("latest", ids)
    time.sleep(0.2)
    client.logout()
    with pytest.raises(errors.IotnbError):
        job.result(timeout=5)
    assert job.done()


def test_a_client_is_a_context_manager(running, platform):
    with iotnb.connect(platform, **running[platform].connect) as client:
        assert len(client.devices())


# -- nothing shows


def test_a_client_cannot_be_pickled_and_says_why(client):
    for way in (pickle.dumps, lambda each: pickle.dumps({"client": each}, protocol=2)):
        with pytest.raises(TypeError, match="connect again in the other process"):
            way(client)


def test_what_is_shown_of_a_client_is_who_where_and_until_when(client, running):
    facts = client.facts()
    assert facts["platform"] == client.title
    assert facts["host"] == client.host
    assert facts["user"] == client.user
    for text in (repr(client), str(client), client._repr_html_(), repr(facts)):
        assert client.host in text
        assert client.user in text
        assert not any(secret in text for secret in running.issued())


def test_html_of_a_client_is_escaped(client):
    client.user = "<script>alert(1)</script>"
    assert "<script>" not in client._repr_html_()


def texts(root: object) -> Iterator[str]:
    """Every text that can be reached from an object, the credentials' own object left out."""
    seen: set[int] = set()
    waiting = collections.deque([root])
    dull = (type, types.ModuleType, types.FunctionType, types.CodeType, types.FrameType, Auth, Secret)
    while waiting:
        each = waiting.popleft()
        if id(each) in seen or isinstance(each, dull):
            continue
        seen.add(id(each))
        if isinstance(each, str):
            yield each
        elif isinstance(each, bytes | bytearray):
            yield bytes(each).decode("latin-1")
        else:
            waiting.extend(gc.get_referents(each))


def test_issued_secrets_are_in_the_credentials_only(running, platform, faults, caplog, capfd, tmp_path):
    shown: list[str] = []
    with caplog.at_level(logging.DEBUG):
        # one worker: of many requests at once none would get through while every second token is revoked
        client = iotnb.connect(platform, workers=1, **running[platform].connect)
        ids = list(client.devices()["device"])
        tables = [getattr(client, verb)(ids[:2]) for verb in VERBS if verb in client.supports - {"devices"}]
        hasty = iotnb.connect(platform, retries=0, **running[platform].connect)
        faults(revoke_every=2)
        tables.append(client.devices(expand=True))
        faults(revoke_every=None, fail_every=3)
        for _ in range(3):
            try:
                tables.append(hasty.latest(ids))
            except errors.IotnbError as error:
                shown += [str(error), repr(vars(error)), repr(pickle.dumps(error))]
        # another secret that the sandbox made, in place of the right one
        fields = {field.name for field in iotnb.platform_class(platform).FIELDS if field.secret}
        right = running[platform].connect
        wrong = next(each for each in running.issued() if each not in right.values())
        with pytest.raises(errors.IotnbError) as caught:
            iotnb.connect(platform, **right | dict.fromkeys(fields & set(right), wrong))
        shown += [str(caught.value), repr(vars(caught.value))]
    for number, table in enumerate(tables):
        path = tmp_path / f"{number}.parquet"
        table.to_parquet(path)
        shown += [
            path.read_bytes().decode("latin-1"),
            repr(table.attrs),
            repr(pickle.dumps(table)),
            table.to_html(),
        ]
    for exchange in (*client.exchanges, *hasty.exchanges):
        shown += [exchange.http(), exchange.curl(), exchange._repr_html_(), repr(exchange)]
    shown += [
        repr(vars(client)),
        repr(client.sources),
        repr(dict(os.environ)),
        repr(gc.get_referents(client)),
    ]
    shown += [record.getMessage() + repr(vars(record)) for record in caplog.records]
    shown += [*capfd.readouterr()]
    reached = list(texts(client))
    assert any(client.session.base_url in text for text in reached)
    shown += reached
    issued = [secret for secret in running.issued() if len(secret) > 5]
    assert len(issued) > 3
    assert len(shown) > 500
    for text in shown:
        assert not any(secret in text for secret in issued), text[:2000]
