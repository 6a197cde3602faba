"""An archive: what landed is there once, young data are read again, nobody else's data get in."""

import dataclasses
import sqlite3
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from iotnb import storage, times
from iotnb.errors import ArchiveError
from iotnb.frames import Coded, Columns
from iotnb.storage import writer
from iotnb.times import Window

T0 = datetime(2026, 3, 1, 20, tzinfo=UTC)
PLANT = storage.Identity("cumulocity", "plant.example.com", "ann")


def minutes(first, last, *, device="7", value=None, step=1, text=None):
    """A value a minute, from one minute after T0 to before another."""
    count = len(range(first, last, step))
    at = np.arange(first, last, step) * 60_000_000 + times.to_us(T0)
    zeros = np.zeros(count, np.int32)
    values = at % 977 / 10 if value is None else np.full(count, value, float)
    return Columns(
        at.astype("M8[us]"), Coded(zeros, [device]), Coded(zeros, ["c8y_T.t"]), Coded(zeros, ["C"]), values,
        None if text is None else [text] * count,
    )  # fmt: skip


def at(minute):
    return T0 + timedelta(minutes=minute)


def land(archive, first, last, *chunks, device="7"):
    archive.land(device, at(first), at(last), chunks or [minutes(first, last, device=device)])


def rows(folder, **options):
    with storage.Store(folder) as store:
        frame = store.frame(**options)
    assert frame["time"].is_monotonic_increasing
    ago = ((frame["time"] - T0).dt.total_seconds() // 60).astype(int)
    found = list(zip(frame["device"].astype("str"), ago.tolist(), strict=True))
    assert len(set(found)) == len(found)
    return found


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "plant"


def test_what_lands_is_there_and_not_asked_for_again(folder):
    with storage.writing(folder, PLANT) as archive:
        land(archive, 0, 500)
        land(archive, 700, 800)
        land(archive, 0, 10, device="8")
    assert rows(folder) == sorted(
        [*(("7", n) for n in [*range(500), *range(700, 800)]), *(("8", n) for n in range(10))],
        key=lambda row: (row[1], row[0]),
    )
    with storage.Store(folder) as store:
        window = Window(at(-5), at(900))
        assert store.missing("7", window) == [
            Window(at(-5), at(0)), Window(at(500), at(700)), Window(at(800), at(900)),
        ]  # fmt: skip
        assert store.missing("7", Window(at(100), at(500))) == []
        assert store.missing("unknown", window) == [window]


def test_a_span_without_rows_is_known_too(folder):
    with storage.writing(folder, PLANT) as archive:
        land(archive, 0, 60, minutes(0, 0))
        archive.land("8", at(0), at(60), [])
    assert rows(folder) == []
    with storage.Store(folder) as store:
        assert store.missing("7", Window(at(0), at(60))) == store.missing("8", Window(at(0), at(60))) == []


def test_values_texts_and_missing_values_come_back(folder):
    odd = minutes(0, 3, text="open \u2028 😀")
    odd.value[:] = [np.nan, np.inf, -0.0]
    odd.unit.codes[:] = -1
    whole = minutes(3, 2000)
    with storage.writing(folder, PLANT) as archive:
        land(archive, 0, 2000, odd, whole)
    with storage.Store(folder) as store:
        frame = store.frame()
    assert np.isnan(frame["value"].iloc[0])
    assert frame["value"].iloc[1] == np.inf
    np.testing.assert_array_equal(frame["value"].iloc[3:], whole.value)
    assert frame["text"].iloc[:4].tolist()[:3] == ["open \u2028 😀"] * 3
    assert frame["text"].iloc[3:].isna().all()
    assert frame["unit"].isna().sum() == 3
    assert frame.dtypes["time"] == "datetime64[us, UTC]"


def test_devices_and_windows_are_picked(folder):
    many = storage.Identity("cumulocity", "h", "u", buckets=4)
    with storage.writing(folder, many) as archive:
        for number in range(12):
            land(archive, 0, 600, device=f"d{number}")
    with storage.Store(folder) as store:
        assert len({file.bucket for file in store.manifest.files()}) == 4
        one = store.frame({"d3"}, Window(at(100), at(300)))
        assert set(one["device"]) == {"d3"}
        assert len(one) == 200
        assert len(store.files({"d3"})) < len(store.files())
        assert len(store.frame(set())) == 0
    folders = {path.parent.parent.name for path in folder.rglob("*.parquet")}
    assert folders == {"bucket=00", "bucket=01", "bucket=02", "bucket=03"}


def test_files_lie_where_the_calendar_says_and_are_named_for_their_window(folder):
    with storage.writing(folder, PLANT) as archive:
        land(archive, 0, 60 * 24)
    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.parquet"))
    assert found == [
        "platform=cumulocity/bucket=00/day=2026-03-01/20260301T200000Z-20260301T235900Z-000001.parquet",
        "platform=cumulocity/bucket=00/day=2026-03-02/20260302T000000Z-20260302T195900Z-000002.parquet",
    ]


def test_small_files_become_one(folder):
    for start in range(0, 200, 10):
        with storage.writing(folder, PLANT) as archive:
            land(archive, start, start + 10)
    assert len(list(folder.rglob("*.parquet"))) <= writer.SMALL
    assert rows(folder) == [("7", n) for n in range(200)]


def test_large_loads_make_files_of_a_good_size(folder):
    with storage.writing(folder, PLANT) as archive:
        for start in range(0, 240, 20):
            step = minutes(start, start + 20)
            at_once = np.repeat(np.arange(20), 1000)
            land(archive, start, start + 20, step.take(at_once))
    with storage.Store(folder) as store:
        sizes = [file.rows for file in store.manifest.files()]
        assert sum(sizes) == 240_000
    assert len(sizes) <= 4
    assert sum(path.stat().st_size for path in folder.rglob("*.parquet")) < 3 * 240_000


# -- data that come late


def young(folder, late="1h"):
    return storage.Identity("cumulocity", "h", "u", late=late)


def test_what_is_young_is_asked_for_again_and_replaced(folder):
    now = times.now().replace(second=0, microsecond=0)

    def since(minutes_ago, values, ago):
        at_ = np.array([times.to_us(now - timedelta(minutes=n)) for n in minutes_ago]).astype("M8[us]")
        zeros = np.zeros(len(at_), np.int32)
        chunk = Columns(
            at_, Coded(zeros, ["7"]), Coded(zeros, ["t"]), Coded(zeros, ["C"]), np.array(values, float)
        )
        with storage.writing(folder, young(folder)) as archive:
            archive.land("7", now - timedelta(minutes=ago), now, [chunk])

    since([90, 80, 30, 20], [1, 2, 3, 4], ago=120)
    with storage.Store(folder) as store:
        (left,) = store.missing("7", Window(now - timedelta(minutes=120), now))
        assert timedelta(minutes=59) < now - left.start < timedelta(minutes=61)
    # one came late, one has another value, one is gone on the server
    since([30, 25], [3.5, 9], ago=40)
    with storage.Store(folder) as store:
        frame = store.frame()
    ago = ((now - frame["time"]).dt.total_seconds() // 60).astype(int).tolist()
    assert list(zip(ago, frame["value"], strict=True)) == [(90, 1), (80, 2), (30, 3.5), (25, 9), (20, 4)]


def test_what_comes_again_unchanged_leaves_the_files_alone(folder):
    with storage.writing(folder, PLANT) as archive:
        land(archive, 0, 100)
        archive.flush()
        before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.parquet")}
        archive.doubt(Window(at(20), at(50)))
        assert archive.missing("7", Window(at(0), at(100))) == [Window(at(20), at(50))]
        land(archive, 20, 50)
        archive.flush()
        assert archive.missing("7", Window(at(0), at(100))) == []
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.parquet")} == before
    assert rows(folder) == [("7", n) for n in range(100)]


def test_a_window_that_is_read_again_takes_what_came_late(folder):
    with storage.writing(folder, PLANT) as archive:
        land(archive, 0, 400, minutes(0, 400, step=2))
        land(archive, 0, 400, device="8")
    with storage.writing(folder, PLANT) as archive:
        archive.doubt(Window(at(100), at(300)), ["7"])
        assert archive.missing("8", Window(at(0), at(400))) == []
        land(archive, 100, 300)
    assert [n for device, n in rows(folder) if device == "7"] == [
        *range(0, 100, 2), *range(100, 300), *range(300, 400, 2),
    ]  # fmt: skip
    assert [n for device, n in rows(folder) if device == "8"] == list(range(400))


def test_an_interval_that_was_not_over_is_not_settled(folder):
    hourly = storage.Identity("cumulocity", "h", "u", aggregate="1h", function="mean", late="0s")
    with storage.writing(folder, hourly) as archive:
        land(archive, 0, 90, minutes(0, 90, step=60))  # the second hour is half over
    with storage.Store(folder) as store:
        assert store.missing("7", Window(at(0), at(180))) == [Window(at(60), at(180))]
    with storage.writing(folder, hourly) as archive:
        land(archive, 60, 180, minutes(60, 180, step=60, value=5))
    with storage.Store(folder) as store:
        assert store.frame()["value"].tolist()[1:] == [5, 5]


def test_rows_without_a_time_are_counted_not_kept(folder):
    odd = minutes(0, 4)
    odd.time[2] = np.datetime64("NaT")
    with storage.writing(folder, PLANT) as archive:
        land(archive, 0, 4, odd)
        assert archive.undated == {"7": 1}
    assert rows(folder) == [("7", 0), ("7", 1), ("7", 3)]


# -- whose archive it is


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"host": "other.example.com"}, "host plant.example.com.*host other.example.com"),
        ({"user": "bob"}, "user ann.*user bob"),
        ({"platform": "tiothub"}, "platform cumulocity.*platform tiothub"),
        ({"series": ["a"]}, "all series.*series a"),
        ({"aggregate": "1h", "function": "max"}, "no aggregate.*aggregate 1h"),
    ],
)
def test_another_load_does_not_get_in(folder, other, words):
    with storage.writing(folder, PLANT) as archive:
        land(archive, 0, 10)
    load = dataclasses.replace(PLANT, **other)
    with pytest.raises(ArchiveError, match=f"(?s){words}.*another directory"), storage.writing(folder, load):
        pass
    assert len(rows(folder)) == 10


def test_the_order_of_series_is_no_other_load(folder):
    for series in (["a", "b"], ["b", "a", "a"]):
        with storage.writing(folder, storage.Identity("cumulocity", "h", "u", series=series)):
            pass


def test_a_folder_with_other_things_in_it_is_refused(folder):
    folder.mkdir()
    (folder / "thesis.docx").touch()
    with pytest.raises(ArchiveError, match="not empty"), storage.writing(folder, PLANT):
        pass
    assert [path.name for path in folder.iterdir()] == ["thesis.docx"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"platform": 1}', '{"nonsense": 1}'])
def test_a_broken_description_is_said(folder, text):
    folder.mkdir()
    (folder / "archive.json").write_text(text)
    with pytest.raises(ArchiveError, match="not the description"), storage.writing(folder, PLANT):
        pass


def test_a_newer_format_is_refused(folder):
    with storage.writing(folder, PLANT):
        pass
    description = folder / "archive.json"
    description.write_text(description.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(ArchiveError, match="format 2"):
        storage.Store(folder)


def test_no_archive_is_said(folder):
    with pytest.raises(ArchiveError, match="no archive"):
        storage.Store(folder)
    assert not folder.exists()


# -- two at once


def test_a_second_writer_is_refused_and_a_reader_is_not(folder):
    with storage.writing(folder, PLANT) as archive:
        land(archive, 0, 10)
        archive.flush()
        with pytest.raises(ArchiveError, match="is writing to the archive"), storage.writing(folder, PLANT):
            pass
        program = f"""
            from pathlib import Path
            from iotnb import errors, storage
            folder = Path({str(folder)!r})
            try:
                with storage.writing(folder, storage.Identity("cumulocity", {PLANT.host!r}, "ann")):
                    raise SystemExit("it got in")
            except errors.ArchiveError:
                pass
            with storage.Store(folder) as store:
                assert len(store.frame()) == 10
            """
        subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True, timeout=60)
        land(archive, 10, 20)
    with storage.writing(folder, PLANT) as archive:
        land(archive, 20, 30)
    assert len(rows(folder)) == 30


def test_what_landed_before_an_error_stays(folder):
    def break_down():
        with storage.writing(folder, PLANT) as archive:
            land(archive, 0, 10)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_down()
    assert len(rows(folder)) == 10


# -- damage


def test_damage_is_said(folder):
    with storage.writing(folder, PLANT) as archive:
        land(archive, 0, 100)
    (file,) = folder.rglob("*.parquet")
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    with storage.Store(folder) as store, pytest.raises(ArchiveError, match="cannot be read"):
        store.frame()
    file.unlink()
    with storage.Store(folder) as store, pytest.raises(ArchiveError, match="lacks files"):
        store.frame()
    with pytest.raises(ArchiveError, match="is gone"), storage.writing(folder, PLANT):
        pass


def test_files_of_others_are_neither_read_nor_deleted(folder):
    with storage.writing(folder, PLANT) as archive:
        land(archive, 0, 100)
    (file,) = folder.rglob("*.parquet")
    copy = file.with_name("copy.parquet")
    copy.write_bytes(file.read_bytes())
    with storage.writing(folder, PLANT) as archive:
        land(archive, 100, 120)
    assert copy.exists()
    assert rows(folder) == [("7", n) for n in range(120)]


def test_the_manifest_is_one_transaction(folder):
    with storage.writing(folder, PLANT) as archive:
        land(archive, 0, 10)
        archive.flush()
        with pytest.raises(sqlite3.IntegrityError), archive.manifest.change():  # noqa: PT012  # of both
            archive.manifest.hold("9", [(0, 5)], settled=True)
            archive.manifest.add(archive.manifest.files())  # the same names again
        assert archive.manifest.held("9") == []
        assert isinstance(archive.frame(), pd.DataFrame)
