"""Archives over real HTTP: the same rows as without, only what is missing is asked for, whatever dies."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pyarrow.compute as pc
import pytest

import iotnb
from iotnb import archive, platforms, sandbox, times
from iotnb.archive import Archive
from iotnb.errors import ArchiveError, ConfigError, Incomplete
from iotnb.session import Settings

QUICK = Settings(backoff=0.01, retries=2, timeout=(5, 20))
WORDS = ("device", "series", "unit", "text")


@pytest.fixture(scope="module")
def started():
    """A sandbox whose clock stands still."""
    clock = sandbox.Clock(frozen=True)
    with sandbox.start(seed=4, devices=6, days=4, clock=clock) as running:
        yield running


@pytest.fixture(params=iotnb.platform_names())
def platform(request):
    return request.param


@pytest.fixture
def enter(started):
    clients = []

    def enter(platform="cumulocity", **faults):
        started.faults.set(platform, **faults)
        clients.append(platforms.load(platform).login(started[platform].connect, settings=QUICK))
        return clients[-1]

    yield enter
    started.faults.clear()
    for client in clients:
        client.close()


@pytest.fixture
def until(started):
    return times.from_ms(started.clock.now() // 1000 * 1000)


def tidy(frame):
    """The rows in an order that does not depend on how they came."""
    words = (frame[name].astype("object").fillna("") for name in WORDS)
    moments = frame["time"].astype("datetime64[us, UTC]").astype("int64")
    return sorted(zip(moments, *words, frame["value"].fillna(-1e99), strict=True))


def asked(client, since=0):
    """The windows of measurements that a Cumulocity client asked for: device, from, to."""
    found = []
    for exchange in list(client.exchanges)[since:]:
        parts = urlsplit(exchange.url)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/measurement/measurements" and "dateTo" in query:
            found.append(
                (query["source"], times.from_wire(query["dateFrom"]), times.from_wire(query["dateTo"]))
            )
    return found


def assert_nothing_settled_was_asked_for(coverage, requests):
    """Requests begin on whole milliseconds, so they may reach one of them into what is there."""
    assert requests
    settled = coverage[coverage["settled"]]
    for device, low, high in requests:
        for row in settled[settled["device"] == device].itertuples():
            assert high <= row.start or low >= row.end - timedelta(milliseconds=1)


# -- cache=


def test_with_an_archive_the_rows_are_the_same(enter, platform, until, tmp_path):
    client = enter(platform)
    ids = client.devices()["device"].dropna().tolist()[:5]
    whole = {"since": "30h", "until": until}
    plain = client.measurements(ids, **whole)
    assert len(plain)
    part = client.measurements(ids[:3], since="20h", until=until - timedelta(hours=4), cache=tmp_path / "a")
    assert 0 < len(part) < len(plain)
    first = client.measurements(ids, **whole, cache=tmp_path / "a")
    again = client.measurements(ids, **whole, cache=tmp_path / "a")
    assert tidy(first) == tidy(again) == tidy(plain)
    assert first["time"].is_monotonic_increasing
    assert {n: str(d) for n, d in first.dtypes.items()} == {n: str(d) for n, d in plain.dtypes.items()}
    note = again.attrs["iotnb"]
    assert note["query"]["cache"] == str(tmp_path / "a")
    assert note["complete"]
    assert note["notes"].count("everything came from the archive") == (note["pages"] == 0)


@pytest.mark.parametrize(("aggregate", "function"), [("1h", "max"), ("2h", "mean")])
def test_reduced_values_are_the_same_too(enter, platform, until, tmp_path, aggregate, function):
    client = enter(platform)
    ids = client.devices()["device"].dropna().tolist()[:3]
    options = {"aggregate": aggregate, "function": function, "cache": tmp_path / "a"}
    moments = [until - timedelta(hours=5, minutes=20), until - timedelta(hours=1, minutes=10), until]
    for moment in moments:
        kept = client.measurements(ids, since="28h", until=moment, **options)
        plain = client.measurements(ids, since="28h", until=moment, aggregate=aggregate, function=function)
        assert len(plain)
        assert tidy(kept) == tidy(plain)


def test_only_what_is_missing_is_asked_for(enter, until, tmp_path):
    client = enter()
    ids = client.devices()["device"].tolist()[:3]
    client.measurements(ids[:2], since="30h", until=until - timedelta(hours=10), cache=tmp_path / "a")
    before = len(client.exchanges)
    client.measurements(ids, since="40h", until=until, cache=tmp_path / "a")
    start, held = until - timedelta(hours=40), (until - timedelta(hours=40), until - timedelta(hours=10))
    for device, low, high in asked(client, before):
        assert low >= start
        if device in ids[:2]:
            assert high <= held[0] or low >= held[1], "what was there was asked for again"
    assert {device for device, *_ in asked(client, before)} == set(ids)


def test_a_page_that_fails_leaves_a_gap_that_the_next_load_fills(enter, started, until, tmp_path):
    client = enter(fail_every=3)
    ids = client.devices()["device"].tolist()
    client.session.settings = Settings(backoff=0.001, retries=0)
    with pytest.raises(Incomplete) as caught:
        client.measurements(ids, since="4d", until=until, cache=tmp_path / "a")
    gaps = caught.value.gaps
    assert gaps
    assert tidy(caught.value.partial) == tidy(Archive(tmp_path / "a").frame())
    started.faults.clear()
    coverage, before = Archive(tmp_path / "a").coverage(), len(client.exchanges)
    whole = client.measurements(ids, since="4d", until=until, cache=tmp_path / "a")
    assert_nothing_settled_was_asked_for(coverage, asked(client, before))
    assert {gap["item"] for gap in gaps} <= {device for device, *_ in asked(client, before)}
    assert tidy(whole) == tidy(client.measurements(ids, since="4d", until=until))


def test_a_cancelled_load_keeps_what_landed(enter, until, tmp_path):
    client = enter(latency=0.05)
    job = client.job("measurements", since="4d", until=until, cache=tmp_path / "a")
    while job.progress.pages < 6 and not job.done():
        time.sleep(0.005)
    job.cancel()
    with pytest.raises(Incomplete):
        job.result()
    landed = Archive(tmp_path / "a")
    assert landed.check() == len(job.partial)
    assert len(job.partial)
    coverage, before = landed.coverage(), len(client.exchanges)
    whole = client.measurements(since="4d", until=until, cache=tmp_path / "a")
    assert_nothing_settled_was_asked_for(coverage, asked(client, before))
    assert tidy(whole) == tidy(client.measurements(since="4d", until=until))


def test_the_archive_is_of_one_login_and_one_question(enter, until, tmp_path):
    client = enter()
    device = client.devices()["device"].iloc[0]
    client.measurements(device, since="2h", until=until, cache=tmp_path / "a")
    series = client.series(device)["series"].astype("str").iloc[0]
    with pytest.raises(ArchiveError, match=r"all series.*another directory"):
        client.measurements(device, series=series, since="2h", until=until, cache=tmp_path / "a")
    with pytest.raises(ArchiveError, match=r"platform cumulocity.*platform tiothub"):
        enter("tiothub").measurements([], since="2h", cache=tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "letter.txt").touch()
    with pytest.raises(ArchiveError, match="not empty"):
        client.measurements(device, since="2h", cache=tmp_path / "b")


# -- iotnb.archive


@pytest.fixture(scope="module")
def filled(started, tmp_path_factory):
    """An archive of four days of all devices, and the same rows without one."""
    path = tmp_path_factory.mktemp("archives") / "it's a plant"
    end = times.from_ms(started.clock.now() // 1000 * 1000)
    with platforms.load("cumulocity").login(started["cumulocity"].connect, settings=QUICK) as client:
        made = archive.load(client, path, since="4d", until=end)
        return made, client.measurements(since="4d", until=end), end


def test_it_says_what_it_holds(filled, started):
    made, frame, end = filled
    assert (made.platform, made.user) == ("cumulocity", "admin")
    assert repr(made).startswith("Archive(")
    assert made.check() == len(frame)
    coverage = made.coverage()
    assert coverage.columns.tolist() == ["device", "start", "end", "settled"]
    assert set(frame["device"]) <= set(coverage["device"])
    per_device = coverage.groupby("device").agg({"start": "min", "end": "max"})
    assert (per_device["start"] == end - timedelta(days=4)).all()
    assert (per_device["end"] == end).all()
    assert coverage[~coverage["settled"]]["start"].min() >= end - timedelta(hours=1, minutes=1)
    (load,) = made.loads().to_dict("records")
    assert load["verb"] == "measurements"
    assert load["complete"]
    assert load["pages"] > 0


def test_pandas_reads_it(filled):
    made, frame, end = filled
    assert tidy(made.frame()) == tidy(frame)
    ids = sorted(set(frame["device"].astype("str")))[:2]
    series = frame["series"].astype("str").iloc[0]
    some = made.frame(ids, series=series, since="1d", until=end)
    known = frame[frame["device"].isin(ids) & (frame["series"] == series)]
    assert tidy(some) == tidy(known[known["time"] >= end - timedelta(days=1)])
    assert list(some["series"].cat.categories) == [series]
    note = json.loads(json.dumps(some.attrs["iotnb"]))
    assert note["complete"]
    assert note["host"] == made.host
    later = made.frame(ids, since="5d", until=end + timedelta(hours=1)).attrs["iotnb"]
    assert not later["complete"]
    assert len(later["gaps"]) == 4


def test_arrow_duckdb_and_dask_read_it(filled):
    made, frame, _ = filled
    day = str(frame["time"].dt.date.iloc[len(frame) // 2])
    wanted = int((frame["time"].dt.date.astype(str) == day).sum())
    dataset = made.dataset()
    assert dataset.count_rows() == len(frame)
    assert dataset.count_rows(filter=pc.field("day") == day) == wanted
    assert dataset.schema.names[:6] == list(frame.columns)
    with made.duckdb() as connection:
        found = connection.execute(
            "SELECT count(*), sum(value) FROM measurements WHERE day = ?", [day]
        ).fetchone()
        assert found[0] == wanted
        assert found[1] == pytest.approx(frame[frame["time"].dt.date.astype(str) == day]["value"].sum())
    spread = made.dask()
    means = spread.groupby("series")["value"].mean().compute(scheduler="sync")
    expected = frame.groupby(frame["series"].astype("str"))["value"].mean()
    assert means.to_dict() == pytest.approx(expected.to_dict())


def test_an_archive_without_rows_is_read_as_one_without_rows(enter, tmp_path):
    made = archive.load(enter(), tmp_path / "a", [], since="1h")
    assert len(made.frame()) == made.check() == made.dataset().count_rows() == len(made.dask()) == 0
    with made.duckdb() as connection:
        assert connection.execute("SELECT * FROM measurements").fetchall() == []


def test_a_window_is_read_again_on_request(enter, until, tmp_path):
    client = enter()
    device = client.api.inventory.create({"name": "late", "c8y_IsDevice": {}})["id"]

    def send(*minutes):
        client.api.measurements.create_many(
            [
                {
                    "source": {"id": device},
                    "type": "t",
                    "time": times.to_wire(until - timedelta(days=2, minutes=n)),
                    "x": {"y": {"value": n}},
                }
                for n in minutes
            ]
        )

    send(10, 30)
    made = archive.load(client, tmp_path / "a", device, since="3d", until=until)
    send(20)
    assert archive.load(client, tmp_path / "a", device, since="3d", until=until).frame()[
        "value"
    ].tolist() == [30, 10]
    made.recheck(since="49h", until=until)
    before = len(client.exchanges)
    again = archive.load(client, tmp_path / "a", device, since="3d", until=until)
    assert again.frame()["value"].tolist() == [30, 20, 10]
    assert min(low for _, low, _ in asked(client, before)) == until - timedelta(hours=49)
    assert len(again.loads()) == 3


@pytest.mark.parametrize("options", [{"late": "soon"}, {"partition": "daily"}])
def test_nonsense_is_refused_before_anything_is_made(enter, tmp_path, options):
    with pytest.raises(ConfigError):
        archive.load(enter(), tmp_path / "a", since="1h", **options)
    assert not (tmp_path / "a").exists()


def test_no_archive_is_said(tmp_path):
    with pytest.raises(ArchiveError, match="no archive"):
        Archive(tmp_path)


# -- kill -9

CHILDREN = """
import os, signal, sys, threading
from datetime import datetime
from iotnb import archive, platforms, times
from iotnb.loading import stealing
from iotnb.session import Settings
from iotnb.storage import writer
import iotnb.archive, pyarrow.parquet, pyarrow.dataset

stealing.LANDED, writer.TARGET = 300, 400  # small data, many files
where, until, connect = sys.argv[1], times.from_wire(sys.argv[2]), eval(sys.argv[3])
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for _ in sys.stdin:
    child = os.fork()
    if child == 0:
        client = platforms.load("cumulocity").login(connect, settings=Settings(backoff=0.01, workers=2))
        client.devices()
        print(os.getpid(), flush=True)
        archive.load(client, where, since="4d", until=until)
        print("done", flush=True)
        os._exit(0)
"""


def test_ten_times_kill_9(enter, started, until, tmp_path):
    """A load that is killed ten times at random moments: nothing is missing in the end, nothing doubled."""
    chance = random.Random(9)
    client = enter()
    truth = tidy(client.measurements(since="4d", until=until))
    client = enter(latency=0.1)
    connect = repr(started["cumulocity"].connect)
    command = [sys.executable, "-c", CHILDREN, str(tmp_path / "a"), times.to_wire(until), connect]
    grown = [0]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        for number in range(10):
            files = set((tmp_path / "a").rglob("*.parquet"))
            parent.stdin.write("go\n")
            parent.stdin.flush()
            child = int(parent.stdout.readline())
            deadline = time.monotonic() + 20
            while (
                number % 2 and _alive(child) and time.monotonic() < deadline
            ):  # every second one dies soon after rows landed
                if set((tmp_path / "a").rglob("*.parquet")) - files:
                    break
                time.sleep(0.002)
            time.sleep(chance.uniform(0.0, 0.05 if number % 2 else 0.3))
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            while _alive(child):
                time.sleep(0.002)
            if not (tmp_path / "a" / "archive.json").exists():
                continue
            made = Archive(tmp_path / "a")
            rows = tidy(made.frame())
            assert made.check() == len(rows)
            assert len(set(rows)) == len(rows), "doubled"
            assert set(rows) <= set(truth)
            grown.append(len(rows))
        parent.stdin.close()
        parent.terminate()
    assert grown == sorted(grown), "what had landed is gone"
    assert len({rows for rows in grown if 0 < rows < len(truth)}) > 1, "no kill came in the middle"
    coverage = Archive(tmp_path / "a").coverage()
    before = len(client.exchanges)
    made = archive.load(client, tmp_path / "a", since="4d", until=until)
    assert tidy(made.frame()) == truth
    assert_nothing_settled_was_asked_for(coverage, asked(client, before))
    assert not list((tmp_path / "a").rglob("*.tmp"))


def _alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
