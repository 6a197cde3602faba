"""The tree of a devices table, without a widget: which lines, in which order, and none lost."""

import numpy as np
import pandas as pd

from iotnb.widgets.source import Query, Source
from iotnb.widgets.tree import Tree


def table(parents: dict[str, str]) -> Source:
    return Source(pd.DataFrame({"device": list(parents), "parent": list(parents.values())}, dtype="str"))


def shown(source: Source, opened: str = "", *, only: str = "", backwards: bool = False) -> list[str]:
    """The lines as texts: a dot for each level, then the id."""
    tree = Tree(source)
    ranked = source.order(Query(), ("device", "descending") if backwards else None)
    if only:
        wanted = np.isin(np.arange(len(source)), source.positions(only.split()))
        ranked = ranked[tree.with_ancestors(wanted)[ranked]]
    flags = np.zeros(len(source), dtype=bool)
    flags[source.positions(opened.split())] = True
    lines = tree.lines(ranked, flags)
    names = source.frame["device"].iloc[lines.positions]
    return ["." * int(depth) + name for depth, name in zip(lines.depths, names, strict=True)]


FAMILY = {"a": "", "b": "a", "c": "a", "d": "b", "e": "", "f": "e", "g": "nobody"}


def test_roots_are_shown_first_and_children_below_what_is_unfolded() -> None:
    source = table(FAMILY)
    assert shown(source) == ["a", "e", "g"]
    assert shown(source, "a") == ["a", ".b", ".c", "e", "g"]
    assert shown(source, "a b e") == ["a", ".b", "..d", ".c", "e", ".f", "g"]
    assert shown(source, "b") == ["a", "e", "g"]  # what is unfolded inside a folded row stays hidden


def test_siblings_are_sorted_and_parents_stay_above() -> None:
    assert shown(table(FAMILY), "a b e", backwards=True) == ["g", "e", ".f", "a", ".c", ".b", "..d"]


def test_what_matches_comes_with_all_that_it_stands_below() -> None:
    source = table(FAMILY)
    assert shown(source, "a b", only="d") == ["a", ".b", "..d"]
    above = Tree(source).above(np.isin(np.arange(7), source.positions(["d"])))
    assert list(source.frame["device"][above]) == ["a", "b"]


def test_children_are_counted() -> None:
    source = table(FAMILY)
    lines = Tree(source).lines(source.order(Query()), np.zeros(7, dtype=bool))
    assert lines.children.tolist() == [2, 1, 0]
    assert not lines.opened.any()


def test_circles_lose_no_row_and_end() -> None:
    source = table({"a": "b", "b": "a", "c": "c", "d": "a"})
    assert sorted(shown(source, "a b c d")) == ["a", "b", "c", "d"]


def test_a_table_without_parents_has_no_tree() -> None:
    assert not Tree(Source(pd.DataFrame({"device": ["1", "2"]}, dtype="str")))
    assert not Tree(table({"1": "", "2": "elsewhere"}))
    assert Tree(table(FAMILY))
    assert shown(Source(pd.DataFrame({"device": []}, dtype="str"))) == []


def test_a_chain_of_thousands_and_a_hundred_thousand_rows() -> None:
    chain = table({str(i): str(i - 1) for i in range(3000)})
    assert len(shown(chain, " ".join(map(str, range(3000))))) == 3000
    many = table({str(i): str(i // 25 * 25) for i in range(100_000)})
    everything = Tree(many).lines(many.order(Query()), np.ones(100_000, dtype=bool))
    assert sorted(everything.positions) == list(range(100_000))
    assert int((everything.depths == 1).sum()) == 96_000
