"""The query language, read: SELECT, FROM, WHERE, GROUP BY WINDOW, ORDER BY, and the limits on the text."""

from dataclasses import dataclass

from iotnb.sandbox.iotcentral.conditions import Condition, ConditionError, Parser
from iotnb.sandbox.iotcentral.wire import parse_duration

LONGEST, COLUMNS, OPERATORS, ROWS = 350, 15, 10, 10_000
AGGREGATES = ("SUM", "MAX", "MIN", "COUNT", "AVG", "FIRST", "LAST")
_CLAUSES = frozenset({"FROM", "WHERE", "GROUP", "ORDER", "AS", "SELECT", "BY"})


@dataclass(frozen=True, slots=True)
class Item:
    """One column: a path, the function over it ("" for none), and its key in the answer."""

    path: str
    function: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A query as written; `width` is the bucket of GROUP BY in milliseconds."""

    items: tuple[Item, ...]
    template: str
    top: int
    where: Condition | None
    width: int | None
    order: tuple[tuple[str, bool], ...]
    """Keys or paths, each with whether it descends."""


def parse(text: str) -> Query:
    """A query; ConditionError in words for what is not allowed."""
    if len(text) > LONGEST:
        raise ConditionError(f"a query has at most {LONGEST} characters, this one has {len(text)}")
    parser = Parser(text)
    parser.expect("SELECT")
    top = _top(parser)
    items = [_item(parser)]
    while parser.accept(","):
        items.append(_item(parser))
    if len(items) > COLUMNS:
        raise ConditionError(f"SELECT takes at most {COLUMNS} columns, these are {len(items)}")
    parser.expect("FROM")
    source = parser.take()
    if source.kind != "dtmi":
        raise ConditionError("FROM takes the id of one device template, without quotes")
    if parser.peek.text == ",":
        raise ConditionError("FROM takes one device template only")
    where = parser.condition() if parser.accept("WHERE") else None
    if parser.operators > OPERATORS:
        raise ConditionError(f"a query has at most {OPERATORS} operators, this one has {parser.operators}")
    query = Query(
        items=tuple(items),
        template=source.text,
        top=top,
        where=where,
        width=_group(parser),
        order=_order(parser),
    )
    parser.end()
    _check(query)
    return query


def _top(parser: Parser) -> int:
    if not parser.accept("TOP"):
        return ROWS
    found = parser.take()
    if found.kind != "number" or not found.text.isdigit() or int(found.text) < 1:
        raise ConditionError("TOP takes a whole number from 1 up")
    return min(int(found.text), ROWS)


def _item(parser: Parser) -> Item:
    if parser.peek.text == "*":
        raise ConditionError("* is not supported, name the columns")
    name = _name(parser)
    function = ""
    if name.upper() in AGGREGATES and parser.peek.text == "(":
        function = name.upper()
        parser.expect("(")
        if parser.peek.text == "*":
            raise ConditionError(f"{function}(*) is not supported, name the column")
        name = _name(parser)
        parser.expect(")")
    key = f"{function.lower()}_{name}" if function else name
    if parser.accept("AS"):
        key = _name(parser)
    return Item(name, function, key)


def _name(parser: Parser) -> str:
    found = parser.take()
    if found.kind != "word" or found.text.upper() in _CLAUSES:
        raise ConditionError(f"expected a column before {found.text or 'the end'!r}")
    return found.text


def _group(parser: Parser) -> int | None:
    if not parser.accept("GROUP"):
        return None
    parser.expect("BY")
    parser.expect("WINDOW")
    parser.expect("(")
    found = parser.take()
    width = parse_duration(found.text) if found.kind == "word" else None
    if not width:
        raise ConditionError("WINDOW takes a duration such as PT10M")
    parser.expect(")")
    return width


def _order(parser: Parser) -> tuple[tuple[str, bool], ...]:
    if not parser.accept("ORDER"):
        return ()
    parser.expect("BY")
    found = []
    while True:
        name = _name(parser)
        descending = parser.accept("DESC")
        if not descending:
            parser.accept("ASC")
        found.append((name, descending))
        if not parser.accept(","):
            return tuple(found)


def _check(query: Query) -> None:
    keys = [item.key for item in query.items]
    if len(set(keys)) < len(keys):
        raise ConditionError("two columns have the same name")
    aggregated = [item for item in query.items if item.function]
    plain = [item for item in query.items if not item.function and item.path != "$ts"]
    if query.width is not None and not aggregated:
        raise ConditionError("GROUP BY needs an aggregate function in SELECT")
    if aggregated and plain:
        raise ConditionError(f"{plain[0].path} stands beside an aggregate function")
    if (
        aggregated
        and query.width is None
        and any(item.path == "$ts" and not item.function for item in query.items)
    ):
        raise ConditionError("$ts stands beside an aggregate function without GROUP BY")
