"""How a search becomes the platform's query language."""

import pytest

from iotnb.errors import ConfigError
from iotnb.platforms.cumulocity import inventory
from iotnb.platforms.cumulocity.api import quoted


@pytest.mark.parametrize(
    ("query", "parts"),
    [
        ("", ("", "")),
        ("type eq 'a'", ("type eq 'a'", "")),
        ("$filter=type eq 'a'", ("type eq 'a'", "")),
        ("$filter=(a eq 1) $orderby=name desc", ("(a eq 1)", "name desc")),
        ("$orderby=creationTime", ("", "creationTime")),
    ],
)
def test_condition_and_order(query: str, parts: tuple[str, str]) -> None:
    assert inventory.split(query) == parts


def test_an_unknown_clause_says_what_to_write() -> None:
    with pytest.raises(ConfigError, match="filter="):
        inventory.split("$where=1")


def test_quotes_are_doubled() -> None:
    assert quoted("O'Neill") == "'O''Neill'"
