"""Search, filters, order and selection over a devices table, without a widget."""

import numpy as np
import pandas as pd
import pytest

from iotnb import frames
from iotnb.errors import ConfigError
from iotnb.widgets.source import Query, Selection, Source, search


def fleet(count: int = 60) -> pd.DataFrame:
    rows = [
        {
            "device": f"{i:05d}",
            "name": f"Pump {i:03d} hall {'north' if i % 2 else 'south'}",
            "type": ["c8y_Linux", "c8y_Sensor", None][i % 3],
            "status": ["online", "offline"][i % 2],
            "last_seen": f"2026-11-20T08:{i % 60:02d}:00.000Z" if i % 7 else None,
            "created": "2025-01-01T00:00:00.000Z",
            "owner": "service_agent",
        }
        for i in range(count)
    ]
    return frames.table("devices", rows)


def ids(source: Source, query: Query, sort: tuple[str, str] | None = None) -> list[str]:
    return [str(each) for each in source.frame["device"].iloc[source.order(query, sort)]]


class TestSearch:
    def test_all_words_must_occur_in_any_case(self) -> None:
        found = search(fleet(), "PUMP north 01")
        assert list(found["device"]) == [f"{i:05d}" for i in (1, 11, 13, 15, 17, 19)]

    def test_a_word_may_be_part_of_an_id_with_leading_zeros(self) -> None:
        assert list(search(fleet(), "00007")["device"]) == ["00007"]

    def test_a_named_column_is_the_only_one_searched(self) -> None:
        assert len(search(fleet(), "name:linux")) == 0
        assert len(search(fleet(), "type:linux")) == 20
        assert len(search(fleet(), "status:online pump")) == 30
        assert list(search(fleet(), "id:00012")["device"]) == ["00012"]

    def test_quotes_keep_words_together(self) -> None:
        assert len(search(fleet(), '"hall north"')) == 30
        assert len(search(fleet(), '"north hall"')) == 0

    def test_a_colon_in_an_identifier_is_no_column(self) -> None:
        frame = pd.DataFrame({"device": ["urn:dev:1", "urn:dev:2"]}, dtype="str")
        assert list(search(frame, "urn:dev:2")["device"]) == ["urn:dev:2"]

    def test_expanded_text_columns_are_searched(self) -> None:
        frame = fleet(3)
        frame["c8y_Hardware.serialNumber"] = pd.Series(["007", "008", None], dtype="str")
        assert list(search(frame, "008")["device"]) == ["00001"]

    def test_types_and_statuses_filter(self) -> None:
        found = search(fleet(), type=["c8y_Linux", "c8y_Sensor"], status=["offline"])
        assert set(found["type"]) == {"c8y_Linux", "c8y_Sensor"}
        assert set(found["status"]) == {"offline"}
        assert len(search(fleet(), type=[""])) == 20

    def test_special_characters_are_plain_text(self) -> None:
        frame = pd.DataFrame({"device": ["1", "2"], "name": ["a.*b", "ab"]}, dtype="str")
        assert list(search(frame, ".*")["device"]) == ["1"]

    def test_a_table_without_ids_is_refused(self) -> None:
        with pytest.raises(ConfigError, match='no "device" column'):
            Source(pd.DataFrame({"name": ["a"]}))

    def test_an_empty_table_answers(self) -> None:
        source = Source(frames.empty("devices"))
        assert ids(source, Query("x")) == []
        assert ids(source, Query(), ("name", "descending")) == []
        assert source.facets(Query()) == {"type": [], "status": []}


class TestOrder:
    def test_text_sorts_without_case(self) -> None:
        frame = pd.DataFrame({"device": ["1", "2", "3"], "name": ["beta", "Alpha", "gamma"]}, dtype="str")
        assert ids(Source(frame), Query(), ("name", "ascending")) == ["2", "1", "3"]
        assert ids(Source(frame), Query(), ("name", "descending")) == ["3", "1", "2"]

    def test_numeric_ids_sort_by_their_size(self) -> None:
        frame = pd.DataFrame({"device": ["100", "9", "20"]}, dtype="str")
        assert ids(Source(frame), Query(), ("device", "ascending")) == ["9", "20", "100"]

    def test_empty_values_are_last_in_both_directions(self) -> None:
        source = Source(fleet(15))
        for way in ("ascending", "descending"):
            assert set(ids(source, Query(), ("last_seen", way))[-3:]) == {"00000", "00007", "00014"}

    def test_times_sort_by_time(self) -> None:
        found = ids(Source(fleet(15)), Query(), ("last_seen", "descending"))
        assert found[:3] == ["00013", "00012", "00011"]


class TestFacets:
    def test_each_value_counts_what_it_would_show(self) -> None:
        facets = Source(fleet()).facets(Query("", ("c8y_Linux",), ("online",)))
        assert dict(facets["type"]) == {"c8y_Linux": 10, "c8y_Sensor": 10, "": 10}
        assert dict(facets["status"]) == {"online": 10, "offline": 10}

    def test_a_value_without_matches_stays_visible(self) -> None:
        assert dict(Source(fleet()).facets(Query("00001"))["status"]) == {"offline": 1, "online": 0}


class TestTexts:
    def test_cells_are_texts_and_times_utc(self) -> None:
        source = Source(fleet(2))
        cells = source.texts(np.array([1]), ["device", "type", "last_seen", "parent", "nonsense"])
        assert cells == [["00001", "c8y_Sensor", "2026-11-20 08:01", "", ""]]


class TestSelection:
    def test_all_that_match_minus_and_plus_single_rows(self) -> None:
        source, selection = Source(fleet()), Selection()
        selection.everything(source, Query("north"))
        assert selection.count(source) == 30
        selection.set(source, np.array([1, 2]), on=False)
        selection.set(source, np.array([4]), on=True)
        assert selection.count(source) == 30
        assert selection.exceptions == (["00004"], ["00001"])
        selection.set(source, np.array([1]), on=True)
        assert selection.exceptions == (["00004"], [])

    def test_all_that_match_holds_for_rows_that_arrive_later(self) -> None:
        selection = Selection()
        selection.everything(Source(fleet(10)), Query("north"))
        assert selection.count(Source(fleet(100))) == 50

    def test_a_second_question_keeps_what_the_first_found(self) -> None:
        source, selection = Source(fleet()), Selection()
        selection.everything(source, Query("north"))
        selection.set(source, np.array([1]), on=False)
        selection.everything(source, Query("status:online"))
        assert selection.count(source) == 59
        assert not selection.flags(source)[1]

    def test_clear_and_replace(self) -> None:
        source, selection = Source(fleet()), Selection()
        selection.replace(["00003", "nobody"])
        assert selection.count(source) == 1
        selection.clear()
        assert selection.count(source) == 0
