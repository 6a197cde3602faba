"""The inventory's query language: `$filter=(has(c8y_IsDevice) and name eq 'A*') $orderby=_id desc`.

`parse` makes a Query; `Query.matches` judges one document; `Query.bounds` and `Query.verdict` say in
advance what holds for every object of a kind, so that a large inventory need not be built to be searched.
"""

import fnmatch
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from iotnb.sandbox.cumulocity.wire import Refused, parse_time

Document = Mapping[str, Any]
_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*'|\"[^\"]*\")|(?P<mark>[(),])"
    r"|\+?(?P<part>\$(?:filter|orderby)\s*=)"  # clients encode the `+` that should be a blank
    r"|(?P<word>[^\s(),'\"]+))"
)
_OPERATORS = frozenset({"eq", "gt", "ge", "lt", "le"})
_FUNCTIONS = frozenset({"has", "hasany", "bygroupid", "isinhierarchyof"})
_DECIMAL = re.compile(r"-?\d+(?:\.\d+)?[fd]")
_WHOLE = re.compile(r"-?\d+")


class Tree(Protocol):
    """What a query needs to know beyond one document."""

    def members(self, group: int) -> frozenset[int]:
        """The direct members of a group."""
        ...

    def descendants(self, root: int) -> frozenset[int]:
        """The object itself and everything below it."""
        ...

    def text_matches(self, document: Document, text: str) -> bool:
        """Whether the full text search finds this document."""
        ...


def not_understood() -> Refused:
    """422 in the platform's words."""
    message = "Find by filter query failed : Query could not be understood."
    return Refused(422, "inventory/Invalid Data", message)


def values_at(value: Any, path: Sequence[str]) -> Iterator[Any]:
    """Everything found at a path; lists are looked into, also the last one."""
    if isinstance(value, list):
        for item in value:
            yield from values_at(item, path)
    elif not path:
        yield value
    elif isinstance(value, Mapping):
        if path[0] in value:
            yield from values_at(value[path[0]], path[1:])
        elif len(path) > 1 and (joined := ".".join(path)) in value:
            yield from values_at(value[joined], ())


class Node(ABC):
    """A part of a filter; `verdict` is True or False when it holds for all or none, else None."""

    @abstractmethod
    def matches(self, document: Document, tree: Tree) -> bool:
        """Whether the document satisfies this part."""

    def verdict(self, known: "Known") -> bool | None:
        """What is known without a document."""
        del known
        return None


Known = Callable[["Node"], "bool | None"]


@dataclass(frozen=True, slots=True)
class All(Node):
    """Every part must hold; no part at all always holds."""

    parts: tuple[Node, ...] = ()

    def matches(self, document: Document, tree: Tree) -> bool:
        """Whether every part holds."""
        return all(part.matches(document, tree) for part in self.parts)

    def verdict(self, known: Known) -> bool | None:
        """False when one part never holds, True when all always do."""
        found = [part.verdict(known) for part in self.parts]
        return False if False in found else None if None in found else True


@dataclass(frozen=True, slots=True)
class AnyOf(Node):
    """One part must hold."""

    parts: tuple[Node, ...]

    def matches(self, document: Document, tree: Tree) -> bool:
        """Whether one part holds."""
        return any(part.matches(document, tree) for part in self.parts)

    def verdict(self, known: Known) -> bool | None:
        """True when one part always holds, False when none ever does."""
        found = [part.verdict(known) for part in self.parts]
        return True if True in found else None if None in found else False


@dataclass(frozen=True, slots=True)
class Not(Node):
    """The part must not hold."""

    part: Node

    def matches(self, document: Document, tree: Tree) -> bool:
        """Whether the part does not hold."""
        return not self.part.matches(document, tree)

    def verdict(self, known: Known) -> bool | None:
        """The opposite of the part's."""
        found = self.part.verdict(known)
        return None if found is None else not found


@dataclass(frozen=True, slots=True)
class Has(Node):
    """One of the fragments is there; a dotted name looks inside."""

    names: tuple[str, ...]

    def matches(self, document: Document, tree: Tree) -> bool:
        """Whether a fragment is there and not null."""
        del tree
        return any(
            any(value is not None for value in _present(document, name.split("."))) for name in self.names
        )

    def verdict(self, known: Known) -> bool | None:
        """As the caller knows."""
        return known(self)


def _present(document: Document, path: Sequence[str]) -> Iterator[Any]:
    """The fragment itself, also when it is an empty object or list."""
    head = document.get(path[0])
    if len(path) == 1:
        yield head
    else:
        yield from values_at(head, path[1:])


@dataclass(frozen=True, slots=True)
class In(Node):
    """Membership of a group (`deep` False) or of a hierarchy."""

    roots: tuple[int, ...]
    deep: bool

    def matches(self, document: Document, tree: Tree) -> bool:
        """Whether the object lies in one of them."""
        find = tree.descendants if self.deep else tree.members
        return any(int(document["id"]) in find(root) for root in self.roots)


@dataclass(frozen=True, slots=True)
class Compare(Node):
    """`path operator value`; the value is text, whole number, float, boolean or None."""

    path: tuple[str, ...]
    operator: str
    value: Any
    quoted: bool = False
    any_case: bool = True

    @property
    def is_id(self) -> bool:
        """Whether the object's own id is compared."""
        return self.path in (("_id",), ("id",))

    @property
    def is_time(self) -> bool:
        """Whether the values are points in time."""
        return self.path[-1] == "date" or self.path in (("creationTime",), ("lastUpdated",))

    def verdict(self, known: Known) -> bool | None:
        """As the caller knows."""
        return known(self)

    def matches(self, document: Document, tree: Tree) -> bool:
        """Whether one of the values at the path compares as asked."""
        if self.path == ("text",) and self.operator == "eq" and "text" not in document:
            return tree.text_matches(document, str(self.value))
        if self.is_id:
            return self.compare_id(int(document["id"]))
        if self.is_time and self.path[-1] == "date":
            return any(self._compare_time(found) for found in values_at(document, self.path[:-1]))
        found = list(values_at(document, self.path))
        if self.value is None:
            return self.operator == "eq" and all(value is None for value in found)
        judge = self._compare_time if self.is_time else self.compare
        return any(judge(value) for value in found)

    def compare_id(self, number: int) -> bool:
        """Ids compare as numbers, quoted or not."""
        text = str(self.value)
        if self.operator == "eq" and "*" in text:
            return fnmatch.fnmatchcase(str(number), text)
        if not _WHOLE.fullmatch(text):
            return False
        return _ordered(self.operator, number, int(text))

    def _compare_time(self, found: Any) -> bool:
        try:
            return _ordered(self.operator, parse_time(found), parse_time(str(self.value)))
        except Refused:
            return False

    def compare(self, found: Any) -> bool:
        """One value of a document against the query's value."""
        wanted = self.value
        if isinstance(found, bool) or isinstance(wanted, bool):
            return self.operator == "eq" and (found is wanted or str(found).lower() == str(wanted).lower())
        if isinstance(found, int | float) and isinstance(wanted, int | float):
            return _ordered(self.operator, found, wanted)
        if not isinstance(found, str):  # text and numbers never equal each other: `3.5` lacks its suffix
            return False
        text, pattern = found, str(wanted)
        if self.operator != "eq":
            return _ordered(self.operator, text, pattern)
        if "*" in pattern:
            return _wildcard(pattern, self.any_case).fullmatch(text) is not None
        return text == pattern


def _ordered(operator: str, left: Any, right: Any) -> bool:
    """One of the five comparisons."""
    if operator == "eq":
        return bool(left == right)
    if operator in ("gt", "ge"):
        return bool(left > right or (operator == "ge" and left == right))
    return bool(left < right or (operator == "le" and left == right))


def _wildcard(pattern: str, any_case: bool) -> re.Pattern[str]:
    """A pattern in which `*` stands for any characters."""
    text = ".*".join(re.escape(part) for part in pattern.split("*"))
    return re.compile(text, (re.IGNORECASE if any_case else re.NOFLAG) | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query: a filter without the comparisons of ids, their bounds, and an order."""

    filter: Node
    low: int | None = None  # the smallest id that can match
    high: int | None = None  # the first id that cannot match any more
    order: tuple[tuple[tuple[str, ...], bool], ...] = ()  # (path, descending)

    def matches(self, document: Document, tree: Tree) -> bool:
        """Whether the document satisfies the filter; ids are the caller's business."""
        return self.filter.matches(document, tree)

    def verdict(self, known: Known) -> bool | None:
        """What is known of every object between the bounds."""
        return self.filter.verdict(known)

    @property
    def by_id(self) -> bool:
        """Whether the natural order by id, up or down, is the one asked for."""
        return not self.order or self.order[0][0] in (("_id",), ("id",))

    @property
    def descending(self) -> bool:
        """Whether ids run downwards."""
        return bool(self.order) and self.by_id and self.order[0][1]

    def sort(self, documents: list[Document]) -> None:
        """Sort in place by the order asked for; missing values come first, as null is smallest."""
        for path, descending in reversed(self.order):
            documents.sort(key=partial(_sort_key, path), reverse=descending)


def _sort_key(path: tuple[str, ...], document: Document) -> tuple[int, Any]:
    """A key that orders values of different kinds: nothing, numbers, text."""
    if path in (("_id",), ("id",)):
        return (1, int(document["id"]))
    if path[-1] == "date":
        path = path[:-1]
    found = next(values_at(document, path), None)
    if isinstance(found, int | float):
        return (1, found)
    return (0, 0) if found is None else (2, str(found))


def with_ids(node: Node, order: tuple[tuple[tuple[str, ...], bool], ...] = ()) -> Query:
    """A Query of a filter: comparisons of ids that must hold become bounds."""
    low: int | None = None
    high: int | None = None
    rest: list[Node] = []
    for part in node.parts if isinstance(node, All) else (node,):
        if not (isinstance(part, Compare) and part.is_id and _WHOLE.fullmatch(str(part.value))):
            rest.append(part)
            continue
        number = int(part.value)
        if part.operator in ("gt", "ge", "eq"):
            least = number + (part.operator == "gt")
            low = least if low is None else max(low, least)
        if part.operator in ("lt", "le", "eq"):
            end = number + (part.operator != "lt")
            high = end if high is None else min(high, end)
    return Query(rest[0] if len(rest) == 1 else All(tuple(rest)), low, high, order)


def parse(text: str, *, any_case: bool = True) -> Query:
    """Parse a query; what cannot be understood is the platform's 422."""
    parser = _Parser(_tokens(text), any_case)
    return parser.query()


def _tokens(text: str) -> list[tuple[str, str]]:
    """(kind, text) of every token."""
    found: list[tuple[str, str]] = []
    position, text = 0, text.strip()
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None or token.lastgroup is None:
            raise not_understood()
        found.append((token.lastgroup, token.group(token.lastgroup)))
        position = token.end()
    return found


class _Parser:
    """Recursive descent: or < and < not < comparison, function or parentheses."""

    def __init__(self, tokens: list[tuple[str, str]], any_case: bool) -> None:
        self.tokens = tokens
        self.position = 0
        self.any_case = any_case

    def peek(self) -> tuple[str, str]:
        """The token at hand; empty at the end."""
        return self.tokens[self.position] if self.position < len(self.tokens) else ("", "")

    def take(self, text: str | None = None) -> tuple[str, str]:
        """The token at hand, which must read `text` if that is given; goes on to the next."""
        kind, found = self.peek()
        if not kind or (text is not None and found.lower() != text):
            raise not_understood()
        self.position += 1
        return kind, found

    def query(self) -> Query:
        """`$filter=.. $orderby=..`, either alone, or a bare expression."""
        node: Node = All()
        order: tuple[tuple[tuple[str, ...], bool], ...] = ()
        while self.peek()[0]:
            kind, text = self.peek()
            if kind == "part":
                self.take()
                if text.startswith("$orderby"):
                    order = self.order()
                    continue
            elif self.position:
                raise not_understood()
            if self.peek()[0] not in ("", "part"):
                node = self.either()
        return with_ids(node, order)

    def order(self) -> tuple[tuple[tuple[str, ...], bool], ...]:
        """`field [asc|desc], ..`."""
        found: list[tuple[tuple[str, ...], bool]] = []
        while True:
            kind, text = self.take()
            if kind not in ("word", "text"):
                raise not_understood()
            descending = False
            if self.peek()[1].lower() in ("asc", "desc"):
                descending = self.take()[1].lower() == "desc"
            found.append((tuple(text.strip("'").split(".")), descending))
            if self.peek()[1] != ",":
                return tuple(found)
            self.take(",")

    def either(self) -> Node:
        """Parts joined by or."""
        parts = [self.both()]
        while self.peek() and self.peek()[0] == "word" and self.peek()[1].lower() == "or":
            self.take()
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def both(self) -> Node:
        """Parts joined by and."""
        parts = [self.negated()]
        while self.peek()[0] == "word" and self.peek()[1].lower() == "and":
            self.take()
            parts.append(self.negated())
        flat: list[Node] = []
        for part in parts:
            flat += part.parts if isinstance(part, All) else (part,)
        return flat[0] if len(flat) == 1 else All(tuple(flat))

    def negated(self) -> Node:
        """`not ..` or a primary."""
        if self.peek()[0] == "word" and self.peek()[1].lower() == "not":
            self.take()
            return Not(self.negated())
        return self.primary()

    def primary(self) -> Node:
        """Parentheses, a function or a comparison."""
        kind, text = self.take()
        if text == "(" and kind == "mark":
            node = self.either()
            self.take(")")
            return node
        if kind != "word":
            raise not_understood()
        if text.lower() in _FUNCTIONS and self.peek()[1] == "(":
            return self.function(text.lower())
        operator = self.take()[1].lower()
        if operator not in _OPERATORS:
            raise not_understood()
        kind, value = self.take()
        if kind not in ("word", "text"):
            raise not_understood()
        return Compare(tuple(text.split(".")), operator, _value(kind, value), kind == "text", self.any_case)

    def function(self, name: str) -> Node:
        """`name(argument, ..)`."""
        self.take("(")
        arguments = [self.argument()]
        while self.peek()[1] == ",":
            self.take(",")
            arguments.append(self.argument())
        self.take(")")
        if name in ("has", "hasany"):
            return Has(tuple(arguments))
        if not all(_WHOLE.fullmatch(argument) for argument in arguments):
            raise not_understood()
        return In(tuple(int(argument) for argument in arguments), deep=name == "isinhierarchyof")

    def argument(self) -> str:
        """One argument of a function, quoted or not."""
        kind, text = self.take()
        if kind not in ("word", "text"):
            raise not_understood()
        return text.strip("'\"")


def _value(kind: str, text: str) -> Any:
    """The value of a token: quoted text, null, boolean, whole number, `3.5d`, or a bare word."""
    if kind == "text":
        return text[1:-1].replace("''", "'") if text[0] == "'" else text[1:-1]
    lowered = text.lower()
    if lowered in ("null", "true", "false"):
        return {"null": None, "true": True, "false": False}[lowered]
    if _WHOLE.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(lowered):
        return float(lowered[:-1])
    return text
