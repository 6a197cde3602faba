"""Loads on a real Dask cluster of two processes: the same rows, one login, one rate, no secret anywhere."""

import logging
import os
import pickle
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import distributed
import pandas as pd
import pytest

import iotnb
from iotnb import cluster, sandbox
from iotnb.cluster import lending, lent
from iotnb.cluster.broker import Broker
from iotnb.errors import ConfigError, Incomplete, LoggedOut, ServerError
from iotnb.session import Session, Settings

KEY = ["time", "device", "series"]


@pytest.fixture(scope="module")
def started() -> Iterator[sandbox.Sandbox]:
    with sandbox.start(seed=5, devices=12, days=3, clock=sandbox.Clock(frozen=True)) as running:
        yield running


@pytest.fixture(scope="module")
def dask(home: Any) -> Iterator[Any]:
    """A cluster of two worker processes, encrypted as one across a network must be."""
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=2,
            dashboard_address="127.0.0.1:0",
            security=True,
            protocol="tls://",
        ) as workers,
        distributed.Client(workers) as client,
    ):
        yield client


@pytest.fixture
def client(started: sandbox.Sandbox, dask: Any) -> Iterator[Any]:
    made = iotnb.connect("cumulocity", **started["cumulocity"].connect)
    yield made
    started.faults.clear()
    cluster.end(made)
    made.close()


@pytest.fixture
def until(started: sandbox.Sandbox) -> datetime:
    return datetime.fromtimestamp(started.clock.now() / 1000, UTC)


def same(computed: pd.DataFrame, loaded: pd.DataFrame) -> None:
    """Row by row, apart from the order and from text being categories."""
    text = [name for name in loaded.columns if isinstance(loaded[name].dtype, pd.CategoricalDtype)]
    expected = loaded.astype(dict.fromkeys(text, "str")).sort_values(KEY).reset_index(drop=True)
    found = computed.astype(expected.dtypes.to_dict()).sort_values(KEY).reset_index(drop=True)
    pd.testing.assert_frame_equal(found, expected)


def test_without_a_cluster_it_is_said_how_to_make_one(started):
    with (
        iotnb.connect("cumulocity", **started["cumulocity"].connect) as client,
        pytest.raises(ConfigError, match=r"distributed\.Client"),
    ):
        cluster.measurements(client, ["1"])


@pytest.mark.parametrize("platform", iotnb.platform_names())
def test_the_workers_load_what_the_client_loads(started, dask, until, platform):
    with iotnb.connect(platform, **started[platform].connect) as client:
        devices = sorted(client.devices()["device"])[:5]
        asked = {"since": "30h", "until": until}
        frame = cluster.measurements(client, devices, partition="12h", devices_at_once=3, **asked)
        assert frame.npartitions == (2 * len({*_cuts(until, 30, 12)}) if client.windowed else 2)
        same(frame.compute(), client.measurements(devices, **asked))
        cluster.end(client)


def _cuts(until: datetime, hours: int, step: int) -> list[float]:
    """The calendar's steps that a window back from `until` touches."""
    start = (until - timedelta(hours=hours)).timestamp()
    return list(range(int(start // 3600 // step), int((until.timestamp() - 1e-6) // 3600 // step) + 1))


def test_an_aggregate_is_that_of_the_whole_window(client, until):
    asked = {"since": "2d", "until": until, "aggregate": "1h", "function": "max"}
    same(cluster.measurements(client, partition="1D", **asked).compute(), client.measurements(**asked))


def test_a_graph_is_the_same_for_the_same_question(client, until):
    first, again = (cluster.measurements(client, since="1d", until=until) for _ in range(2))
    assert first.__dask_keys__() == again.__dask_keys__()


def test_no_devices_and_no_data_are_an_empty_frame_with_its_columns(client):
    for devices, until in (([], None), (None, datetime(2001, 1, 1, tzinfo=UTC))):
        frame = cluster.measurements(client, devices, since="1d", until=until).compute()
        assert list(frame.columns) == ["time", "device", "series", "value", "text", "unit"]
        assert frame.empty
        assert frame["value"].dtype == "float64"
        assert str(frame["time"].dtype) == "datetime64[us, UTC]"


# -- one login, one rate ----------------------------------------------------------------------------------


def test_tokens_are_renewed_by_the_lender_alone(started, dask, client, until):
    started.faults.set("cumulocity", revoke_every=30)
    before = len(started.requests("cumulocity"))
    frame = cluster.measurements(client, since="2d", until=until, partition="6h", devices_at_once=6)
    frame.compute()
    paths = Counter(line.path for line in started.requests("cumulocity")[before:])
    logins = sum(count for path, count in paths.items() if "oauth" in path)
    refused = sum(line.status == 401 for line in started.requests("cumulocity")[before:])
    assert refused >= 2
    assert 1 <= logins <= refused  # one for each token that was revoked, not one for each worker


def test_one_rate_holds_for_all_workers(started, dask, until):
    with iotnb.connect("cumulocity", rate=40, **started["cumulocity"].connect) as slow:
        frame = cluster.measurements(slow, since="2d", until=until, partition="6h", devices_at_once=3)
        before, begin = len(started.requests("cumulocity")), time.monotonic()
        frame.compute()
        sent, seconds = len(started.requests("cumulocity")) - before, time.monotonic() - begin
        cluster.end(slow)
    assert sent > 60
    assert seconds >= (sent - 1) / 40


def test_a_server_that_limits_is_waited_for_by_all(started, client, until):
    started.faults.set("cumulocity", rate_limit=15, retry_after="seconds")
    asked = {"since": "1d", "until": until}
    frame = cluster.measurements(client, partition="6h", devices_at_once=6, **asked).compute()
    started.faults.clear()
    same(frame, client.measurements(**asked))


# -- the bad day ------------------------------------------------------------------------------------------


def test_a_lost_worker_loses_nothing(started, dask, client, until):
    started.faults.set("cumulocity", latency=0.15)
    asked = {"since": "2d", "until": until}
    frame = cluster.measurements(client, partition="6h", devices_at_once=3, **asked)
    running = dask.compute(frame)
    killer = threading.Timer(0.5, _kill_one, [dask])
    killer.start()
    found = running.result(timeout=90)
    killer.join()
    started.faults.clear()
    same(found, client.measurements(**asked))


def _kill_one(dask: Any) -> None:
    """As a machine that goes down: without a word to the scheduler."""
    os.kill(next(iter(dask.cluster.workers.values())).pid, signal.SIGKILL)


def test_a_server_that_fails_fails_the_frame(started, client, until):
    started.faults.set("cumulocity", fail_every=1, path="/measurement/")
    with iotnb.connect("cumulocity", retries=0, **started["cumulocity"].connect) as poor:
        devices = list(poor.devices()["device"])[:2]
        frame = cluster.measurements(poor, devices, since="1d", until=until, partition="1w")
        with pytest.raises(ServerError, match="503"):
            frame.compute()
        cluster.end(poor)


def test_after_a_logout_the_workers_say_so(client, until):
    frame = cluster.measurements(client, since="1d", until=until)
    client.logout()
    with pytest.raises(Exception, match="was logged out") as raised:
        frame.compute()
    assert isinstance(raised.value, LoggedOut | Incomplete)
    with pytest.raises(LoggedOut):
        cluster.measurements(client, since="1d", until=until)


def test_a_login_that_was_taken_back_is_named(client, until):
    frame = cluster.measurements(client, since="1d", until=until)
    cluster.end(client)
    with pytest.raises(ConfigError, match="taken back"):
        frame.compute()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"partition": "often"}, "partition='often'"),
        ({"partition": "90m", "aggregate": "1h"}, "multiple of aggregate"),
        ({"partition": "1s", "since": "300d"}, "longer"),
        ({"devices_at_once": 0}, "devices_at_once=0"),
        ({"since": "1 fortnight"}, "since="),
    ],
)
def test_what_cannot_be_right_is_said_before_anything_is_fetched(started, client, options, words):
    before = len(started.requests("cumulocity"))
    with pytest.raises(ConfigError, match=words):
        cluster.measurements(client, ["1"], **options)
    assert len(started.requests("cumulocity")) == before


def test_credentials_do_not_cross_a_network_in_clear():
    lending.check("tls", "192.0.2.7")
    lending.check("tcp", "127.0.0.1")
    with pytest.raises(ConfigError, match="TLS"):
        lending.check("tcp", "192.0.2.7")


# -- secrets ----------------------------------------------------------------------------------------------


def test_no_secret_in_graph_logs_events_or_dashboard(started, dask, client, until, caplog):
    caplog.set_level(logging.DEBUG)
    dask.run(_loud)
    frame = cluster.measurements(client, since="1d", until=until, partition="6h")
    frame.compute()
    (loan,) = lending.loans(client)
    words = {*started.issued().values(), loan.broker.ticket.reveal()}
    words |= {secret.reveal() for secret in client.session.auth.secrets()}
    words = {word for word in words if len(word) > 5}
    shown = [
        pickle.dumps(dict(frame.__dask_graph__())).decode("latin-1"),
        repr(frame.dask),
        caplog.text,
        repr(dask.get_worker_logs(nanny=False)),
        repr(dask.get_scheduler_logs()),
        repr(dask.run_on_scheduler(_events)),
        repr(dask.run(_plugins)),
        *map(
            _page,
            ("/info/main/workers.html", "/info/main/logs.html", "/info/main/exceptions.html", "/metrics"),
            [dask] * 4,
        ),
    ]
    assert "iotnb-measurements" in shown[1] or "iotnb-measurements" in shown[0]
    for text in shown:
        assert not [word for word in words if word in text]


def _page(path: str, dask: Any) -> str:
    """A page of the dashboard's server, as somebody on this machine can read it."""
    base = urlsplit(dask.cluster.scheduler.address)
    port = dask.cluster.scheduler.http_server.port
    with urlopen(f"http://{base.hostname}:{port}{path}", timeout=10) as answer:
        return str(answer.read().decode())


def _loud() -> None:
    logging.getLogger("distributed").setLevel(logging.DEBUG)


def _events(dask_scheduler: Any) -> Any:
    tasks = [(key, repr(task.run_spec)) for key, task in dask_scheduler.tasks.items()]
    return (
        list(dask_scheduler._broker._topics.items()) + tasks if hasattr(dask_scheduler, "_broker") else tasks
    )


def _plugins(dask_worker: Any) -> Any:
    return {name: (repr(plugin), str(plugin)) for name, plugin in dask_worker.plugins.items()}


def test_what_is_packed_holds_no_secret(started, client):
    for platform in iotnb.platform_names():
        with iotnb.connect(platform, **started[platform].connect) as other:
            parcel, sessions = lent.pack(other, workers=2)
            packed = pickle.dumps(parcel.doors) + parcel.login
            known = [word for word in started.issued().values() if len(word) > 5]
            known += [secret.reveal() for each in sessions for secret in each.auth.secrets()]
            assert sessions
            assert not [word for word in known if word.encode() in packed]


def test_the_broker_takes_only_questions_with_its_ticket(started, client):
    broker = Broker([client.session], host="127.0.0.1")
    try:
        for headers in ({}, {"Authorization": "Bearer guess"}):
            answer = _post(broker, headers)
            assert answer.status == 403
            assert b"Bearer" not in answer.body
        for question in (
            {},
            [],
            {"ask": "everything", "session": 0},
            {"ask": "turn", "session": 7},
            "x" * 70_000,
        ):
            assert (
                _post(broker, {"Authorization": f"Bearer {broker.ticket.reveal()}"}, question).status == 400
            )
    finally:
        broker.close()
        broker.close()


def _post(broker: Broker, headers: dict[str, str], question: Any = None) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "authority.pem"
        file.write_text(broker.authority)
        session = Session(broker.url, settings=Settings(verify=str(file)))
        try:
            asked = {"ask": "credentials", "session": 0, "seen": 0} if question is None else question
            return session.post("/", json=asked, headers=headers, expect={400, 403})
        finally:
            session.close()
