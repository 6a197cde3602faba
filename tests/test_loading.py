"""Windows and items over real HTTP: complete or loud, whatever the server does."""

from __future__ import annotations

import json
import random
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

import iotnb
from iotnb import errors, frames, sandbox, times
from iotnb.loading import Load, Page, Span, ahead, each, landing, windows
from iotnb.platforms.cumulocity.decode import Decoder
from iotnb.session import Answer, Session, Settings
from iotnb.times import Window

T0 = datetime(2026, 1, 1, tzinfo=UTC)
DAY = Window(T0, T0 + timedelta(days=1))
MS_A_DAY = 86_400_000


class Collection:
    """A server of measurements: ascending, [from, to), paged; each of its oddities is a switch."""

    def __init__(self) -> None:
        self.moments: dict[str, list[int]] = {}  # milliseconds after T0, ascending, per source
        self.cap = 2000
        self.latency = 0.0
        self.inclusive = False
        self.links = True
        self.repeat_links = False
        self.newest_first = False
        self.hidden: Callable[[int], bool] | None = (
            None  # a user who sees a part: pages of what one scan finds
        )
        self.budget = 100
        self.fail: Callable[[dict[str, str], int], int] = lambda query, number: 0  # a status, 0: none
        self.on_request: Callable[[int], None] = lambda number: None
        self.requests: list[dict[str, str]] = []
        self.at_once = 0
        self.most_at_once = 0
        self.lock = threading.Lock()
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.http.daemon_threads = True
        self.thread = threading.Thread(
            target=lambda: self.http.serve_forever(poll_interval=0.01), daemon=True
        )
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()

    def answer(self, query: dict[str, str]) -> dict[str, Any]:
        moments = self.moments[query["source"]]
        low, high = (_ms(query["dateFrom"]), _ms(query["dateTo"]))
        first = bisect_left(moments, low)
        last = bisect_left(moments, high + 1 if self.inclusive else high)
        size, number = min(int(query["pageSize"]), self.cap), int(query.get("currentPage", 1))
        places = list(range(first, last))
        if self.newest_first:
            places.reverse()
        if self.hidden is None:
            chosen = places[(number - 1) * size : number * size]
            following = number + 1 if chosen else None
        else:
            scanned = places[number - 1 : number - 1 + self.budget]
            chosen = [place for place in scanned if not self.hidden(place)][:size]
            reached = number + (scanned.index(chosen[-1]) + 1 if len(chosen) == size else len(scanned))
            following = reached if scanned else None
        if self.repeat_links:
            following = number
        link = None
        if following is not None and self.links:
            link = f"{self.url}/measurement/measurements?{urlencode({**query, 'currentPage': following})}"
        return {
            "measurements": [self._document(query["source"], place, moments[place]) for place in chosen],
            "statistics": {"currentPage": number, "pageSize": size},
            **({"next": link} if link else {}),
        }

    def _document(self, source: str, place: int, moment: int) -> dict[str, Any]:
        return {
            "id": f"{source}-{place:06d}",
            "source": {"id": source},
            "time": times.to_wire(T0 + timedelta(milliseconds=moment)),
            "type": "t",
            "T": {"a": {"value": place, "unit": "C"}},
        }

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                query = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
                with server.lock:
                    server.requests.append(query)
                    number = len(server.requests)
                    server.at_once += 1
                    server.most_at_once = max(server.most_at_once, server.at_once)
                server.on_request(number)
                if server.latency:
                    time.sleep(server.latency)
                status = server.fail(query, number)
                body = json.dumps(
                    {"error": "x/Failed", "message": "no"} if status else server.answer(query)
                ).encode()
                with server.lock:
                    server.at_once -= 1
                self.send_response(status or 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None: ...

        return Handler


def _ms(text: str) -> int:
    return round((times.from_wire(text) - T0) / timedelta(milliseconds=1))


class Documents:
    """A reader as a platform writes it."""

    def __init__(self, session: Session, page_size: int) -> None:
        self.session, self.page_size = session, page_size
        self.decoder = Decoder(page_size=page_size)

    def fetch(self, source: str, start: datetime, end: datetime, stop: threading.Event) -> Answer:
        return self.session.get(
            "/measurement/measurements",
            params={
                "source": source,
                "dateFrom": times.to_wire(start),
                "dateTo": times.to_wire(end),
                "revert": False,
                "pageSize": self.page_size,
            },
            stop=stop,
        )

    def follow(self, link: str, stop: threading.Event) -> Answer:
        return self.session.get(link, stop=stop)

    def decode(self, answer: Answer, source: str) -> Page:
        return self.decoder.decode(answer.body)


@pytest.fixture
def server() -> Iterator[Collection]:
    collection = Collection()
    yield collection
    collection.close()


@pytest.fixture
def session(server: Collection) -> Iterator[Session]:
    session = Session(server.url, settings=Settings(retries=1, backoff=0.01))
    yield session
    session.close()


def load_all(
    server: Collection, session: Session, *, page_size: int = 50, window: Window = DAY, **options: Any
) -> tuple[pd.DataFrame, Load]:
    load = Load(**options)
    reader = Documents(session, page_size)
    frame = frames.measurements(windows(reader, sorted(server.moments), window, load))
    return frame, load


def assert_complete(frame: pd.DataFrame, server: Collection, window: Window = DAY) -> None:
    """Every measurement of the window exactly once, at its time."""
    low, high = ((moment - T0) / timedelta(milliseconds=1) for moment in (window.start, window.end))
    expected = {
        (source, place): moment
        for source, moments in server.moments.items()
        for place, moment in enumerate(moments)
        if low <= moment < high and not (server.hidden is not None and server.hidden(place))
    }
    milliseconds = ((frame["time"] - pd.Timestamp(T0)) // pd.Timedelta(milliseconds=1)).tolist()
    found = dict(
        zip(zip(frame["device"], frame["value"].astype(int), strict=True), milliseconds, strict=True)
    )
    assert len(frame) == len(found), "a measurement came twice"
    assert found == expected
    assert frame["time"].is_monotonic_increasing


def uniform(count: int) -> list[int]:
    return [place * MS_A_DAY // count for place in range(count)]


def bursty(count: int, seed: int = 1) -> list[int]:
    chance = random.Random(seed)
    centres = [chance.randrange(MS_A_DAY) for _ in range(4)]
    moments = [int(chance.gauss(chance.choice(centres), 60_000)) for _ in range(count - count // 50)]
    moments += [chance.randrange(MS_A_DAY) for _ in range(count // 50)]
    return sorted(min(max(moment, 0), MS_A_DAY - 1) for moment in moments)


@pytest.mark.parametrize(
    "moments",
    [uniform(3000), bursty(3000), [0], [MS_A_DAY - 1], []],
    ids=["uniform", "bursty", "first", "last", "none"],
)
@pytest.mark.parametrize("latency", [0.0, 0.01])
def test_every_measurement_comes_exactly_once(
    server: Collection, session: Session, moments: list[int], latency: float
) -> None:
    server.moments, server.latency = {"1": moments}, latency
    frame, load = load_all(server, session)
    assert_complete(frame, server)
    assert load.gaps == []
    assert load.snapshot().rows == len(frame)
    assert load.pages == len(server.requests)
    assert all("currentPage" not in query for query in server.requests), "a deep page was asked for"
    assert all(query["revert"] == "false" for query in server.requests)


def test_several_sources_share_the_workers(server: Collection, session: Session) -> None:
    server.moments = {"small": uniform(3), "big": bursty(4000), "none": [], "007": uniform(700)}
    server.latency = 0.01
    frame, load = load_all(server, session)
    assert_complete(frame, server)
    progress = load.snapshot()
    assert (progress.items_done, progress.items_total) == (4, 4)
    assert 4 < server.most_at_once <= 8


def test_few_documents_take_one_request(server: Collection, session: Session) -> None:
    server.moments, server.latency = {"1": uniform(20)}, 0.02
    load_all(server, session)
    assert len(server.requests) == 1


def test_workers_grow_only_where_waiting_pays_and_never_past_the_limit(
    server: Collection, session: Session
) -> None:
    server.moments, server.latency = {"1": uniform(2000)}, 0.03
    load_all(server, session, workers=3)
    assert server.most_at_once == 3


def test_windows_come_close_to_the_ideal_number_of_rounds(server: Collection, session: Session) -> None:
    for moments in (uniform(8000), bursty(8000)):
        server.moments, server.requests = {"1": moments}, []
        load_all(server, session)
        assert len(server.requests) <= 8000 / 50 * 1.35


def test_a_full_page_at_one_instant_is_paged_inside(server: Collection, session: Session) -> None:
    burst = [1_000_000] * 333
    server.moments = {"1": sorted([*uniform(400), *burst])}
    frame, load = load_all(server, session)
    assert_complete(frame, server)
    assert any("currentPage" in query for query in server.requests)
    assert load.gaps == []


def test_many_instants_with_several_documents_each(server: Collection, session: Session) -> None:
    server.moments = {"1": sorted(moment // 60_000 * 60_000 for moment in bursty(2000))}
    frame, _ = load_all(server, session, page_size=7)
    assert_complete(frame, server)


def test_one_instant_larger_than_a_page_without_links_is_a_gap_not_a_loss(
    server: Collection, session: Session
) -> None:
    server.moments, server.links = {"1": sorted([*uniform(100), *[1_000_000] * 120])}, False
    _, load = load_all(server, session)
    assert [gap["item"] for gap in load.gaps] == ["1"]
    assert "one instant holds more documents than a page" in load.gaps[0]["reason"]
    assert load.gaps[0]["start"] == "2026-01-01T00:16:40.000Z"


@pytest.mark.parametrize("inclusive", [True, False])
def test_an_inclusive_upper_bound_doubles_nothing_at_the_joints(
    server: Collection, session: Session, inclusive: bool
) -> None:
    server.moments, server.inclusive, server.latency = (
        {"1": [s * 1000 for s in range(3600)]},
        inclusive,
        0.002,
    )
    window = Window(T0, T0 + timedelta(seconds=3000))
    frame, _ = load_all(server, session, window=window)
    assert_complete(frame, server, window)
    assert len(frame) == 3000


def test_a_window_finer_than_a_millisecond_keeps_its_bounds(server: Collection, session: Session) -> None:
    server.moments = {"1": list(range(100))}
    window = Window(T0 + timedelta(microseconds=10_500), T0 + timedelta(microseconds=20_500))
    frame, _ = load_all(server, session, window=window)
    assert frame["value"].tolist() == list(range(11, 21))


def test_a_smaller_page_than_asked_for_is_no_end(server: Collection, session: Session) -> None:
    server.moments, server.cap = {"1": uniform(500)}, 20
    frame, _ = load_all(server, session, page_size=50)
    assert_complete(frame, server)


@pytest.mark.parametrize("seed", range(4))
def test_a_user_who_sees_a_part_gets_all_of_that_part(
    server: Collection, session: Session, seed: int
) -> None:
    chance = random.Random(seed)
    edges = sorted(chance.sample(range(3000), 6))
    hidden = [place for low, high in zip(edges[::2], edges[1::2], strict=True) for place in range(low, high)]
    server.moments, server.hidden = {"1": uniform(3000)}, set(hidden).__contains__
    server.latency = 0.002
    frame, load = load_all(server, session)
    assert_complete(frame, server)
    assert load.gaps == []


def test_a_failing_page_becomes_a_gap_and_the_rest_is_there(server: Collection, session: Session) -> None:
    noon, one = "2026-01-01T12:00:00.000Z", "2026-01-01T13:00:00.000Z"
    server.moments, server.latency = {"1": uniform(2000)}, 0.005
    server.fail = lambda query, number: 503 if noon <= query["dateFrom"] < one else 0
    frame, load = load_all(server, session)
    assert load.gaps
    assert all(
        gap["item"] == "1" and "503 GET /measurement/measurements" in gap["reason"] for gap in load.gaps
    )
    found = set(frame["value"].astype(int))
    for place, moment in enumerate(server.moments["1"]):
        wire = times.to_wire(T0 + timedelta(milliseconds=moment))
        missing = any(gap["start"] <= wire < gap["end"] for gap in load.gaps)
        assert missing or place in found, f"{wire} is neither there nor named as missing"
    failed = load.errors[0]
    assert (failed["status"], failed["retryable"], failed["item"]) == (503, True, "1")


def test_one_failing_source_does_not_take_the_others_along(server: Collection, session: Session) -> None:
    server.moments = {str(number): uniform(120) for number in range(6)}
    server.fail = lambda query, number: 404 if query["source"] == "3" else 0
    frame, load = load_all(server, session)
    assert sorted(frame["device"].unique()) == ["0", "1", "2", "4", "5"]
    assert [(gap["item"], gap["start"], gap["end"]) for gap in load.gaps] == [
        ("3", "2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z")
    ]


def test_a_page_that_fails_once_is_retried_by_the_session(server: Collection, session: Session) -> None:
    server.moments = {"1": uniform(1000)}
    server.fail = lambda query, number: 503 if number in {3, 9} else 0
    load = Load()
    load.watch(session.counters)
    frame = frames.measurements(windows(Documents(session, 50), ["1"], DAY, load))
    assert_complete(frame, server)
    assert load.snapshot().retries == 2


def test_when_nothing_arrives_the_error_itself_is_raised(server: Collection, session: Session) -> None:
    server.moments = {"1": [], "2": []}
    server.fail = lambda query, number: 404
    with pytest.raises(errors.NotFound, match="404 GET /measurement/measurements"):
        load_all(server, session)


def test_a_lost_login_ends_the_load_at_once(server: Collection, session: Session) -> None:
    server.moments = {str(number): uniform(100) for number in range(40)}
    server.fail = lambda query, number: 401 if number > 5 else 0
    with pytest.raises(errors.Unauthorized):
        load_all(server, session)
    assert len(server.requests) < 40


def test_a_resumable_load_waits_for_a_new_login_and_goes_on(server: Collection, session: Session) -> None:
    server.moments = {"1": uniform(1000)}
    logged_in = threading.Event()
    server.fail = lambda query, number: 0 if number < 5 or logged_in.is_set() else 401
    load = Load(resumable=True)
    found: list[pd.DataFrame] = []
    thread = threading.Thread(
        target=lambda: found.append(frames.measurements(windows(Documents(session, 50), ["1"], DAY, load)))
    )
    thread.start()
    deadline = time.monotonic() + 5
    while load.held is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert isinstance(load.held, errors.Unauthorized)
    logged_in.set()
    load.resume()
    thread.join(10)
    assert_complete(found[0], server)
    assert load.gaps == []


def test_a_server_that_is_gone_is_not_asked_a_thousand_times(server: Collection, session: Session) -> None:
    server.moments = {f"{number:04d}": uniform(10) for number in range(300)}
    server.fail = lambda query, number: 0 if number < 10 else 500
    _, load = load_all(server, session, workers=2)
    assert len(server.requests) < 60
    assert len(load.gaps) > 280
    assert "not tried after" in load.gaps[-1]["reason"]


def test_the_wrong_order_is_refused(server: Collection, session: Session) -> None:
    server.moments, server.newest_first = {"1": uniform(500)}, True
    frame, load = load_all(server, session)
    assert load.gaps
    assert all("oldest first" in gap["reason"] for gap in load.gaps)
    assert len(frame) < 500


def test_a_link_that_leads_back_is_a_gap_not_a_loop(server: Collection, session: Session) -> None:
    server.moments, server.repeat_links = {"1": [5_000] * 200}, True
    frame, load = load_all(server, session)
    assert len(frame) == 50
    assert "leads back" in load.gaps[0]["reason"]
    assert len(server.requests) < 30  # those of the windows beside it, and no loop


def test_what_arrives_while_loading_disturbs_nothing(server: Collection, session: Session) -> None:
    present = MS_A_DAY // 2
    server.moments = {"1": [moment for moment in uniform(2000) if moment < present]}
    window = Window(T0, T0 + timedelta(milliseconds=present))

    def arrive(number: int) -> None:
        with server.lock:
            server.moments["1"].append(present + number * 100)

    server.on_request = arrive
    frame, _ = load_all(server, session, window=window)
    assert_complete(frame, server, window)


def test_a_stopped_load_keeps_what_came_and_names_the_rest(server: Collection, session: Session) -> None:
    server.moments, server.latency = {"1": uniform(2000), "2": uniform(2000)}, 0.02
    load = Load()
    server.on_request = lambda number: load.stop.set() if number == 12 else None
    frame = frames.measurements(windows(Documents(session, 50), ["1", "2"], DAY, load))
    assert len(server.requests) <= 12 + load.workers  # what was on its way, and nothing after it
    assert 0 < len(frame) < 4000
    assert {gap["reason"] for gap in load.gaps} == {"cancelled"}
    assert load.peek is not None
    pd.testing.assert_frame_equal(load.peek(), frame)
    found = set(zip(frame["device"], frame["value"].astype(int), strict=True))
    for source, moments in server.moments.items():
        for place, moment in enumerate(moments):
            wire = times.to_wire(T0 + timedelta(milliseconds=moment))
            named = any(gap["item"] == source and gap["start"] <= wire < gap["end"] for gap in load.gaps)
            assert named or (source, place) in found


def test_stopping_does_not_wait_for_a_slow_answer(server: Collection, session: Session) -> None:
    server.moments, server.latency = {"1": uniform(100)}, 60.0
    load = Load()
    threading.Timer(0.2, load.stop.set).start()
    began = time.monotonic()
    assert windows(Documents(session, 50), ["1"], DAY, load) == []
    assert time.monotonic() - began < 10
    assert load.gaps[0]["reason"] == "cancelled"


def test_the_same_rows_in_the_same_order_however_the_work_was_split(
    server: Collection, session: Session
) -> None:
    server.moments = {"2": bursty(1500, 2), "1": sorted(moment // 1000 * 1000 for moment in bursty(1500, 3))}
    one, _ = load_all(server, session, workers=1)
    server.latency = 0.005
    many, _ = load_all(server, session, workers=8)
    pd.testing.assert_frame_equal(one, many)


def test_a_server_that_complains_gets_fewer_requests_at_once(server: Collection) -> None:
    server.moments, server.latency = {"1": uniform(6000)}, 0.01
    server.fail = lambda query, number: 429 if server.at_once > 3 else 0
    session = Session(server.url, settings=Settings(retries=8, backoff=0.01))
    load = Load()
    load.watch(session.counters)
    frame = frames.measurements(windows(Documents(session, 50), ["1"], DAY, load))
    assert_complete(frame, server)
    assert load.snapshot().retries > 0
    assert len(server.requests) < 250
    session.close()


class WithoutNetwork:
    """The same server asked directly: thousands of odd histories in little time."""

    def __init__(self, server: Collection, page_size: int) -> None:
        self.server, self.page_size = server, page_size
        self.decoder = Decoder(page_size=page_size)

    def fetch(self, source: str, start: datetime, end: datetime, stop: threading.Event) -> Answer:
        bounds = {"dateFrom": times.to_wire(start), "dateTo": times.to_wire(end)}
        return self._answer({"source": source, **bounds, "pageSize": str(self.page_size)})

    def follow(self, link: str, stop: threading.Event) -> Answer:
        return self._answer({key: values[0] for key, values in parse_qs(urlsplit(link).query).items()})

    def decode(self, answer: Answer, source: str) -> Page:
        return self.decoder.decode(answer.body)

    def _answer(self, query: dict[str, str]) -> Answer:
        body = json.dumps(self.server.answer(query)).encode()
        return Answer(200, {}, body, "", "GET", 0.05, 0.05)  # as if it were slow: all workers take part


@pytest.fixture(scope="module")
def quiet() -> Iterator[Collection]:
    collection = Collection()
    yield collection
    collection.close()


@examples(max_examples=200)
@given(data=st.data())
def test_any_history_comes_whole_with_any_page_size(quiet: Collection, data: st.DataObject) -> None:
    moment = st.integers(0, 40) | st.integers(0, MS_A_DAY - 1) | st.sampled_from([5_000, 5_001, 60_000])
    histories = st.lists(moment, max_size=120).map(sorted)
    quiet.moments = data.draw(st.dictionaries(st.sampled_from(["1", "2", "03"]), histories, min_size=1))
    quiet.inclusive = data.draw(st.booleans())
    quiet.budget = data.draw(st.integers(10, 40))
    hidden = data.draw(st.none() | st.sets(st.integers(0, 120), max_size=60))
    quiet.hidden = None if hidden is None else hidden.__contains__
    low, high = sorted(data.draw(st.lists(st.integers(0, MS_A_DAY), min_size=2, max_size=2, unique=True)))
    window = Window(T0 + timedelta(milliseconds=low), T0 + timedelta(milliseconds=high))
    load = Load(workers=data.draw(st.integers(1, 8)))
    reader = WithoutNetwork(quiet, data.draw(st.integers(2, 9)))
    frame = frames.measurements(windows(reader, sorted(quiet.moments), window, load))
    assert load.gaps == []
    assert_complete(frame, quiet, window)


# -- ahead ------------------------------------------------------------------------------------------------


def test_pages_are_fetched_while_one_is_worked_on() -> None:
    asked: list[int] = []

    def pages() -> Iterator[int]:
        for number in range(6):
            asked.append(number)
            yield number

    found = []
    for page in ahead(pages(), depth=2):
        found.append(page)
        deadline = time.monotonic() + 5
        while len(asked) < min(6, page + 3) and time.monotonic() < deadline:
            time.sleep(0.001)
        assert len(asked) >= min(6, page + 3), "nothing was asked for in the meantime"
        assert len(asked) <= page + 4, "more than two wait"
    assert found == list(range(6))


def test_an_error_comes_after_the_pages_before_it() -> None:
    def pages() -> Iterator[str]:
        yield "a"
        raise errors.BadAnswer("the second page is broken")

    walk = ahead(pages())
    assert next(walk) == "a"
    with pytest.raises(errors.BadAnswer, match="second page"):
        next(walk)


def test_a_reader_that_stops_early_stops_the_walk() -> None:
    closed = threading.Event()

    def pages() -> Iterator[int]:
        try:
            yield from range(1000)
        finally:
            closed.set()

    walk = ahead(pages())
    assert next(walk) == 0
    walk.close()  # type: ignore[attr-defined]  # it is a generator
    assert closed.wait(5)
    assert not [thread for thread in threading.enumerate() if thread.name == "iotnb-ahead" and _lives(thread)]


def _lives(thread: threading.Thread) -> bool:
    thread.join(2)
    return thread.is_alive()


# -- landing ----------------------------------------------------------------------------------------------


class Shelf:
    """What lands, and that it fits together."""

    def __init__(self) -> None:
        self.landed: list[tuple[str, datetime, datetime, list[frames.Columns]]] = []

    def land(self, source: str, start: datetime, end: datetime, chunks: Sequence[frames.Columns]) -> None:
        self.landed.append((source, start, end, list(chunks)))

    def frame(self) -> pd.DataFrame:
        return frames.measurements(chunk for *_, chunks in self.landed for chunk in chunks)

    def check(self) -> dict[str, list[tuple[datetime, datetime]]]:
        """Spans by source; none overlaps another, and every row lies in its own."""
        for _, start, end, chunks in self.landed:
            for chunk in chunks:
                assert ((chunk.time >= _naive(start)) & (chunk.time < _naive(end))).all()
        spans: dict[str, list[tuple[datetime, datetime]]] = {}
        for source, start, end, _ in sorted(self.landed, key=lambda each: each[:3]):
            before = spans.setdefault(source, [])
            assert not before or before[-1][1] <= start, "landed twice"
            before.append((start, end))
        return spans


def _naive(moment: datetime) -> Any:
    return np.datetime64(moment.replace(tzinfo=None), "us")


@examples(max_examples=100)
@given(data=st.data())
def test_what_lands_is_what_comes_with_any_page_size(quiet: Collection, data: st.DataObject) -> None:
    moment = st.integers(0, 40) | st.integers(0, MS_A_DAY - 1) | st.sampled_from([5_000, 5_001, 60_000])
    histories = st.lists(moment, max_size=80).map(sorted)
    quiet.moments = data.draw(st.dictionaries(st.sampled_from(["1", "2", "03"]), histories, min_size=1))
    quiet.inclusive, quiet.hidden = data.draw(st.booleans()), None
    spans = [Span(source, DAY) for source in sorted(quiet.moments)]
    load, shelf = Load(workers=data.draw(st.integers(1, 8))), Shelf()
    landing(WithoutNetwork(quiet, data.draw(st.integers(2, 9))), spans, load, shelf)
    assert load.gaps == []
    assert_complete(shelf.frame(), quiet)
    whole = shelf.check()
    for source in quiet.moments:
        assert (whole[source][0][0], whole[source][-1][1]) == (DAY.start, DAY.end)
        assert all(a[1] == b[0] for a, b in pairwise(whole[source]))


@pytest.mark.parametrize("how", ["fail", "stop"])
def test_what_ends_early_lands_up_to_its_gap(server: Collection, session: Session, how: str) -> None:
    server.moments = {"1": list(range(0, MS_A_DAY, 60_000)), "2": list(range(0, MS_A_DAY, 90_000))}
    load, shelf = Load(workers=3), Shelf()
    if how == "fail":
        server.fail = lambda query, number: 500 if number > 6 else 0
    else:
        server.on_request = lambda number: load.stop.set() if number == 7 else None
    landing(Documents(session, 50), [Span("1", DAY), Span("2", DAY)], load, shelf)
    spans = shelf.check()
    assert spans
    gaps = [(gap["item"], times.from_wire(gap["start"]), times.from_wire(gap["end"])) for gap in load.gaps]
    assert gaps
    for source in server.moments:
        covered = sum((b - a for a, b in spans.get(source, [])), timedelta())
        missing = sum((b - a for item, a, b in gaps if item == source), timedelta())
        assert covered + missing == DAY.end - DAY.start
    found = shelf.frame()
    for source, moments in server.moments.items():
        landed = [T0 + timedelta(milliseconds=moment) for moment in moments]
        known = [m for m in landed if any(a <= m < b for a, b in spans.get(source, []))]
        assert found[found["device"] == source]["time"].drop_duplicates().tolist() == known


# -- each -------------------------------------------------------------------------------------------------


def test_each_gives_results_in_the_order_of_the_items() -> None:
    load = Load()

    def pages(item: int) -> Iterator[str]:
        time.sleep(0.02 * (5 - item))
        yield f"{item}a"
        yield f"{item}b"

    assert each(range(5), pages, load) == ["0a", "0b", "1a", "1b", "2a", "2b", "3a", "3b", "4a", "4b"]
    assert load.snapshot().items_done == 5
    assert each([], pages, load) == []


def test_each_runs_several_items_at_once() -> None:
    together = threading.Barrier(8, timeout=20)  # it lets nobody on until eight have come
    load = Load(workers=8)
    assert sorted(each(range(8), lambda item: [together.wait()], load)) == list(range(8))
    assert load.gaps == []


def test_each_keeps_what_an_item_gave_before_it_failed_and_names_it() -> None:
    def pages(item: str) -> Iterator[str]:
        yield item
        if item == "b":
            raise errors.ConnectionFailed("GET /x: dropped", host="h", kind="dropped")

    load = Load()
    assert each(["a", "b", "c"], pages, load) == ["a", "b", "c"]
    assert [(gap["item"], gap["reason"]) for gap in load.gaps] == [("b", "GET /x: dropped")]
    assert load.errors[0]["retryable"] is True


def test_each_raises_when_no_item_succeeds_and_for_errors_of_the_program() -> None:
    def refuse(item: str) -> list[str]:
        raise errors.Forbidden(403, "GET", f"/{item}", "Access is denied")

    with pytest.raises(errors.Forbidden, match="/a"):
        each(["a", "b"], refuse, Load())
    with pytest.raises(ZeroDivisionError):
        each([1, 0], lambda item: [1 // item], Load())


def test_each_stops_between_pages() -> None:
    load = Load()

    def endless(item: str) -> Iterator[int]:
        number = 0
        while True:
            number += 1
            if number == 100:
                load.stop.set()
            yield number

    found = each(["x"], endless, load)
    assert len(found) >= 99
    assert load.gaps == [{"item": "x", "start": "", "end": "", "reason": "cancelled"}]


def test_the_progress_line_says_what_a_person_wants_to_know() -> None:
    load = Load()
    load.begin(25)
    load.count(items=3, pages=120, rows=480_000, size=12_300_000, fraction=0.25)
    load.started -= 4.0
    text = load.snapshot().text()
    assert text.startswith("3 of 25 items, 120 pages, 480,000 rows, 12.3 MB, 4.0 s")
    assert "about 12 s left" in text


# -- the sandbox --------------------------------------------------------------------------------------------


def _patiently(client: Any, ids: list[str], span: dict[str, str]) -> set[tuple[Any, ...]]:
    """What the documented API holds, read page after page, one device after the other."""
    found = set()
    for device in ids:
        bounds = {"dateFrom": span["since"], "dateTo": span["until"]}
        for document in client.api.measurements.list(source=device, **bounds):
            for fragment, entries in document.items():
                for name, entry in entries.items() if isinstance(entries, dict) else ():
                    if isinstance(entry, dict) and "value" in entry:
                        moment = pd.Timestamp(document["time"])
                        found.add((moment, device, f"{fragment}.{name}", entry["value"], entry.get("unit")))
    return found


def test_the_sandbox_with_faults_gives_what_a_patient_reader_finds() -> None:
    with sandbox.start(["cumulocity"], seed=7, devices=6, days=2) as running:
        client = iotnb.connect("cumulocity", method="basic", **running["cumulocity"].connect)
        ids = client.devices()["device"].tolist()
        present = times.now()
        span = {"since": times.to_wire(present - timedelta(days=1)), "until": times.to_wire(present)}
        expected = _patiently(client, ids, span)
        running.faults.set("cumulocity", fail_every=5, latency=0.002, path="/measurement/")
        frame = client.measurements(ids, **span)
        client.close()
    frame = frame.astype({"device": "object", "series": "object", "unit": "object"})
    found = set(frame[["time", "device", "series", "value", "unit"]].itertuples(index=False, name=None))
    assert len(frame) == len(found) > 1000
    assert found == expected
