"""The store: documents and settings, in memory and in a file."""

import threading
from pathlib import Path

import pytest

from iotnb.sandbox.store import Document, Match, Store


def documents(count: int) -> list[Document]:
    return [
        Document(id=n, source=n % 3, time=n * 10, created=n, type=f"t{n % 2}", body=b"{}")
        for n in range(1, count + 1)
    ]


def test_what_is_put_comes_back_filtered_and_in_order() -> None:
    store = Store(namespace="one")
    store.put("event", documents(30))
    assert [d.id for d in store.select("event", Match(sources=(1,)), limit=3)] == [1, 4, 7]
    assert [d.id for d in store.select("event", Match(sources=(1,)), newest_first=True, limit=2)] == [28, 25]
    assert [d.id for d in store.select("event", Match(time=(100, 130)))] == [10, 11, 12]
    assert [d.id for d in store.select("event", Match(types=("t0",), ids=(5, 9)), order="id")] == [6, 8]
    assert [d.id for d in store.select("event", offset=28)] == [29, 30]
    assert store.count("event", Match(created=(None, 6))) == 5
    assert store.types("event", 1) == ["t0", "t1"]
    assert store.get("event", 7) == documents(30)[6]
    assert store.get("event", 99) is None
    assert store.count("alarm") == 0
    many = Match(sources=range(1, 2000))
    assert store.count("event", many) == 20
    store.close()


def test_deleting_and_version() -> None:
    store = Store(namespace="one")
    store.put("event", documents(5))
    before = store.version
    assert store.delete("event", Match(sources=(1,))) == 2
    store.drop("event", [2])
    assert [d.id for d in store.select("event")] == [3, 5]
    assert store.version > before
    held = store.version
    assert store.delete("event", Match(sources=(77,))) == 0
    assert store.version == held
    store.close()


def test_putting_is_all_or_nothing() -> None:
    store = Store(namespace="one")
    broken = Document(id=2, body=object())  # type: ignore[arg-type]
    with pytest.raises(Exception, match="type"):
        store.put("event", [Document(id=1), broken])
    assert store.count("event") == 0
    store.close()


def test_ids_ascend_and_never_come_back(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    store = Store(path, namespace="one")
    assert list(store.next_ids("event", 3, start=100)) == [100, 101, 102]
    store.close()
    again = Store(path, namespace="one")
    assert list(again.next_ids("event", start=100)) == [103]
    again.reset()
    assert list(again.next_ids("event", start=100)) == [100]
    again.close()


def test_a_file_survives_and_namespaces_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    one, two = Store(path, namespace="one"), Store(path, namespace="two")
    one.put("event", documents(2))
    one.set("user", "a", {"x": [1, None, "ü"]})
    assert two.count("event") == 0
    assert two.settings("user") == {}
    two.reset()
    one.close()
    two.close()
    again = Store(path, namespace="one")
    assert again.count("event") == 2
    assert again.setting("user", "a") == {"x": [1, None, "ü"]}
    assert again.settings("user") == {"a": {"x": [1, None, "ü"]}}
    assert again.unset("user", "a")
    assert not again.unset("user", "a")
    assert again.setting("user", "a") is None
    again.close()
    with pytest.raises(ValueError, match="plain word"):
        Store(path, namespace="not a word")


def test_many_threads_write_and_read(tmp_path: Path) -> None:
    store = Store(tmp_path / "a.sqlite", namespace="one")

    def work() -> None:
        for _ in range(50):
            (number,) = store.next_ids("event")
            store.put("event", [Document(id=number)])
            assert store.get("event", number) is not None

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [d.id for d in store.select("event", order="id")] == list(range(1, 401))
    store.close()
