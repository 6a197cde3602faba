"""Jobs: progress, cancel, interrupt, partial results, awaiting, and nothing left behind."""

from __future__ import annotations

import asyncio
import gc
import signal
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pandas as pd
import pytest

from iotnb import errors
from iotnb.jobs import Job, Progress
from iotnb.loading import Load


def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def work_until_stopped(load: Load) -> list[int]:
    """Counts rows until it is stopped, and then says what is missing."""
    rows: list[int] = []
    load.peek = lambda: list(rows)
    while not load.stop.wait(0.005):
        rows.append(len(rows))
        load.count(rows=1, pages=1)
    load.gap("17", reason="cancelled")
    return rows


def test_a_job_runs_in_the_background_and_gives_its_result() -> None:
    job = Job(lambda load: threading.current_thread().name, label="devices")
    assert job.state == "idle"
    assert job.start() is job
    assert job.result() == "iotnb-job-devices"
    assert (job.state, job.done(), job.partial) == ("done", True, "iotnb-job-devices")
    assert job.start().result() == "iotnb-job-devices"


def test_result_starts_a_job_that_was_not_started() -> None:
    assert Job(lambda load: 7).result() == 7


def test_an_error_is_raised_by_result_and_kept() -> None:
    def fail(load: Load) -> int:
        raise errors.Forbidden(403, "GET", "/x", "Access is denied")

    job = Job(fail)
    with pytest.raises(errors.Forbidden, match="403 GET /x"):
        job.result()
    assert job.state == "failed"
    assert isinstance(job.error, errors.Forbidden)
    assert job.partial is None


def test_cancel_keeps_what_came_and_is_loud() -> None:
    job = Job(work_until_stopped, label="measurements").start()
    until(lambda: job.progress.rows > 3)
    job.cancel()
    with pytest.raises(errors.Incomplete, match="measurements was cancelled") as caught:
        job.result()
    assert job.state == "partial"
    assert job.partial == caught.value.partial == list(range(job.progress.rows))
    assert job.gaps == [{"item": "17", "start": "", "end": "", "reason": "cancelled"}]


def test_what_has_arrived_can_be_seen_while_it_runs() -> None:
    job = Job(work_until_stopped).start()
    until(lambda: job.partial is not None and len(job.partial) > 2)
    assert job.state == "running"
    job.cancel()
    until(job.done)


def test_a_job_cancelled_before_its_start_does_nothing() -> None:
    ran: list[int] = []
    job = Job(lambda load: ran.append(1))
    job.cancel()
    with pytest.raises(errors.Incomplete):
        job.result()
    assert (ran, job.state, job.gaps[0]["reason"]) == ([], "partial", "cancelled")


def test_a_cancel_that_comes_too_late_spoils_nothing() -> None:
    job = Job(lambda load: 1)
    assert job.result() == 1
    job.cancel()
    assert (job.state, job.result()) == ("done", 1)


def test_a_result_with_gaps_is_partial_but_returned() -> None:
    def report(load: Load) -> str:
        load.gap("3", reason=errors.NotFound(404, "GET", "/d/3", "no such device", request_id="r1"))
        return "what came"

    job = Job(report)
    assert job.result() == "what came"
    assert job.state == "partial"
    row = job.errors.iloc[0]
    assert (row["item"], row["status"], row["request_id"], row["retryable"]) == ("3", 404, "r1", False)
    assert Job(lambda load: 0).errors.columns.tolist() == [
        "item",
        "status",
        "message",
        "request_id",
        "retryable",
    ]


def test_incomplete_leaves_its_frame_in_partial() -> None:
    frame = pd.DataFrame({"a": [1]})

    def incomplete(load: Load) -> pd.DataFrame:
        raise errors.Incomplete("one part is missing", partial=frame, gaps=[{"item": "1"}])

    job = Job(incomplete)
    with pytest.raises(errors.Incomplete):
        job.result()
    assert job.state == "partial"
    assert job.partial is frame


def test_result_can_wait_for_a_limited_time() -> None:
    job = Job(work_until_stopped)
    with pytest.raises(TimeoutError, match="still running"):
        job.result(timeout=0.15)
    assert job.state == "running"
    job.cancel()
    until(job.done)


# -- progress ---------------------------------------------------------------------------------------------


def test_callbacks_come_at_most_ten_times_a_second_and_the_last_one_always() -> None:
    seen: list[tuple[float, Progress]] = []

    def busy(load: Load) -> None:
        for _ in range(1000):
            load.count(rows=1)
            time.sleep(0.0005)

    job = Job(busy)
    job.on_change(lambda progress: seen.append((time.monotonic(), progress)))
    job.start()
    until(job.done)
    until(lambda: bool(seen) and seen[-1][1].rows == 1000)
    gaps = [later[0] - earlier[0] for earlier, later in pairwise(seen[:-1])]
    assert len(seen) >= 3
    assert all(gap > 0.09 for gap in gaps)
    time.sleep(0.3)
    assert sum(progress.rows == 1000 for _, progress in seen) == 1, "the end was told more than once"


def test_the_waiting_thread_itself_calls_the_callbacks() -> None:
    threads: list[str] = []

    def busy(load: Load) -> None:
        for _ in range(40):
            load.count(rows=1)
            time.sleep(0.01)

    job = Job(busy)
    job.on_change(lambda progress: threads.append(threading.current_thread().name))
    job.result()
    assert len(threads) >= 2
    assert set(threads[1:]) == {threading.current_thread().name}


def test_a_callback_that_fails_does_not_hurt_the_job(caplog: pytest.LogCaptureFixture) -> None:
    job = Job(lambda load: load.count(rows=1))
    job.on_change(lambda progress: 1 / 0)
    job.result()
    assert job.state == "done"
    assert "a callback of a job failed" in caplog.text


def test_callbacks_can_be_taken_back_and_methods_are_held_weakly() -> None:
    seen: list[str] = []

    class Panel:
        def changed(self, progress: Progress) -> None:
            seen.append("panel")

    panel = Panel()
    job = Job(work_until_stopped)
    undo = job.on_change(lambda progress: seen.append("plain"))
    job.on_change(panel.changed)
    job.start()
    until(lambda: {"panel", "plain"} <= set(seen))
    undo()
    del panel
    gc.collect()
    time.sleep(0.15)
    seen.clear()
    time.sleep(0.3)
    assert seen == []
    job.cancel()
    until(job.done)


def test_elapsed_stands_still_at_the_end() -> None:
    job = Job(lambda load: time.sleep(0.05))
    job.result()
    first = job.progress.elapsed
    time.sleep(0.05)
    assert 0.05 <= first == job.progress.elapsed
    assert "done" in repr(job)


# -- waiting for a login ------------------------------------------------------------------------------------


def test_a_job_waits_for_a_new_login_and_goes_on() -> None:
    def work(load: Load) -> str:
        assert load.hold(errors.Unauthorized(401, "GET", "/x", "expired"), login=load.login)
        return "finished"

    job = Job(work, resumable=True).start()
    until(lambda: job.state == "waiting")
    job.resume()
    assert job.result() == "finished"


def test_a_waiting_job_can_be_cancelled_and_one_without_a_panel_never_waits() -> None:
    def work(load: Load) -> bool:
        return load.hold(errors.Unauthorized(401, "GET", "/x", "expired"), login=load.login)

    job = Job(work, resumable=True).start()
    until(lambda: job.state == "waiting")
    job.cancel()
    until(job.done)
    assert Job(work).result() is False


# -- awaiting -----------------------------------------------------------------------------------------------


def test_a_job_can_be_awaited_while_the_loop_goes_on() -> None:
    async def main() -> tuple[str, int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        ticking = asyncio.ensure_future(tick())
        result = await Job(lambda load: time.sleep(0.2) or "slept")
        ticking.cancel()
        return result, ticks

    result, ticks = asyncio.run(main())
    assert result == "slept"
    assert ticks > 5


def test_awaiting_raises_what_the_job_raised() -> None:
    async def main() -> None:
        await Job(lambda load: 1 // 0)

    with pytest.raises(ZeroDivisionError):
        asyncio.run(main())


def test_cancelling_the_awaiting_task_stops_the_work_behind_it() -> None:
    job = Job(work_until_stopped)

    async def main() -> None:
        task = asyncio.ensure_future(_awaited(job))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    until(job.done)
    assert job.state == "partial"


async def _awaited(job: Job[Any]) -> Any:
    return await job


# -- interrupts and the garbage collector ------------------------------------------------------------


def test_an_interrupt_keeps_the_partial_result() -> None:
    program = textwrap.dedent(
        """
        import sys, time
        from iotnb.jobs import Job

        def work(load):
            rows = []
            print("started", flush=True)
            while not load.stop.wait(0.01):
                rows.append(len(rows))
            return rows

        job = Job(work)
        try:
            job.result()
        except KeyboardInterrupt:
            print(job.state, len(job.partial) > 3, job.gaps[0]["reason"], flush=True)
        """
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30)[0] == "partial True cancelled\n"
    assert process.returncode == 0


def test_a_job_that_nobody_holds_stops_its_threads() -> None:
    job = Job(work_until_stopped, label="forgotten")
    job.on_change(lambda progress: None)
    job.start()
    gone = weakref.ref(job)
    del job
    gc.collect()
    assert gone() is None
    until(lambda: not any("forgotten" in thread.name for thread in threading.enumerate()))
