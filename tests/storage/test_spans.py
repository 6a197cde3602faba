"""Arithmetic on spans, against sets of whole moments."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from iotnb.storage.spans import common, union, without

spans = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=6)


def moments(listed):
    return {moment for start, end in listed for moment in range(start, end)}


def tidy(listed):
    return all(start < end for start, end in listed) and all(
        before[1] < after[0] for before, after in pairwise(listed)
    )


@given(one=spans, other=spans)
def test_they_are_as_sets_of_moments(one, other):
    assert moments(union([*one, *other])) == moments(one) | moments(other)
    assert moments(without(one, other)) == moments(one) - moments(other)
    assert moments(common(one, other)) == moments(one) & moments(other)
    assert tidy(union([*one, *other]))
    assert tidy(without(one, other))
    assert tidy(common(one, other))
