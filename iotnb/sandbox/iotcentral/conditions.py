"""Conditions in the service's three small languages: queries, filters of groups and exports, OData."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>'(?:[^'\\]|''|\\.)*'|"(?:[^"\\]|""|\\.)*")
    | (?P<dtmi>dtmi:[A-Za-z0-9_:;]+)
    | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    | (?P<word>[$@A-Za-z_][\w.$@]*)
    | (?P<mark><=|>=|<>|!=|==|[=<>()\[\],*])
    )""",
    re.VERBOSE,
)
_OPERATORS = {"=": "=", "==": "=", "!=": "!=", "<>": "!=", "<": "<", ">": ">", "<=": "<=", ">=": ">="}
_ODATA = {"eq": "=", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


class ConditionError(ValueError):
    """A condition that cannot be read."""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of text: its kind, what stands there, and where."""

    kind: str
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Compare:
    """`path op value`; a value None is NULL."""

    path: str
    op: str
    value: Any


@dataclass(frozen=True, slots=True)
class In:
    """`path IN [values]`."""

    path: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Contains:
    """`CONTAINS(path, text)`, without regard to case."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Window:
    """`WITHIN_WINDOW(...)`: a duration, or two times with a slash between."""

    text: str


@dataclass(frozen=True, slots=True)
class Between:
    """The time lies in [start, end), in milliseconds: a window that was worked out."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Both:
    """All parts hold."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Either:
    """One of the parts holds."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: "Condition"


Condition = Compare | In | Contains | Window | Between | Both | Either | Not


def tokens(text: str) -> list[Token]:
    """The tokens of a text; ConditionError at the first place that is none."""
    found, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise ConditionError(f"cannot read {text[at:].strip()[:20]!r} at position {at}")
        found.append(Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
        at = match.end()
    return found


def unquoted(text: str) -> str:
    """The content of a quoted text."""
    mark, body = text[0], text[1:-1]
    return body.replace(mark * 2, mark) if "\\" not in body else re.sub(r"\\(.)", r"\1", body)


class Parser:
    """Reads conditions; the languages differ in their comparison words."""

    def __init__(self, text: str, *, words: bool = False) -> None:
        self._tokens = tokens(text)
        self._at = 0
        self._words = words
        self.operators = 0
        """Comparisons, IN, AND and OR that were read."""

    # tokens

    @property
    def peek(self) -> Token:
        """The next token."""
        if self._at < len(self._tokens):
            return self._tokens[self._at]
        return Token("end", "", -1)

    def take(self) -> Token:
        """The next token, which counts as read."""
        found = self.peek
        self._at += 1
        return found

    def accept(self, *words: str) -> bool:
        """Read the next token if it is one of these words or marks."""
        if self.peek.kind in ("word", "mark") and self.peek.text.upper() in words:
            self._at += 1
            return True
        return False

    def expect(self, word: str) -> None:
        """Read a word or mark that must come."""
        if not self.accept(word):
            raise ConditionError(f"expected {word} before {self.peek.text or 'the end'!r}")

    def end(self) -> None:
        """Nothing may follow."""
        if self.peek.kind != "end":
            raise ConditionError(f"unexpected {self.peek.text!r}")

    # conditions

    def condition(self) -> Condition:
        """A condition up to where it ends."""
        parts = [self._both()]
        while self.accept("OR"):
            self.operators += 1
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def _both(self) -> Condition:
        parts = [self._one()]
        while self.accept("AND"):
            self.operators += 1
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else Both(tuple(parts))

    def _one(self) -> Condition:
        if self.accept("NOT"):
            return Not(self._one())
        if self.accept("("):
            inner = self.condition()
            self.expect(")")
            return inner
        name = self.take()
        if name.kind != "word":
            raise ConditionError(f"expected a name before {name.text or 'the end'!r}")
        if name.text.upper() == "WITHIN_WINDOW" and self.peek.text == "(":
            return self._window()
        if name.text.upper() == "CONTAINS" and self.peek.text == "(":
            return self._contains()
        return self._comparison(name.text)

    def _window(self) -> Condition:
        self.expect("(")
        found = self.take()
        if found.kind not in ("text", "word"):
            raise ConditionError("WITHIN_WINDOW takes a duration or a quoted pair of times")
        self.expect(")")
        return Window(unquoted(found.text) if found.kind == "text" else found.text)

    def _contains(self) -> Condition:
        self.expect("(")
        path = self.take()
        self.expect(",")
        text = self.take()
        self.expect(")")
        if path.kind != "word" or text.kind != "text":
            raise ConditionError("CONTAINS takes a name and a quoted text")
        self.operators += 1
        found = Contains(path.text, unquoted(text.text))
        if self._operator_next():
            op, value = self._operator(), self.literal()
            if op not in ("=", "!=") or not isinstance(value, bool):
                raise ConditionError("contains is compared with true or false only")
            return found if value is (op == "=") else Not(found)
        return found

    def _operator_next(self) -> bool:
        found = self.peek
        return found.text in _OPERATORS or (self._words and found.text.lower() in _ODATA)

    def _operator(self) -> str:
        found = self.take()
        op = _ODATA.get(found.text.lower()) if self._words else _OPERATORS.get(found.text)
        if op is None:
            raise ConditionError(f"expected a comparison before {found.text or 'the end'!r}")
        return op

    def _comparison(self, path: str) -> Condition:
        self.operators += 1
        if self.accept("IN"):
            close = "]" if self.accept("[") else ")"
            if close == ")":
                self.expect("(")
            values = [self.literal()]
            while self.accept(","):
                values.append(self.literal())
            self.expect(close)
            return In(path, tuple(values))
        op = self._operator()
        return Compare(path, op, self.literal())

    def literal(self) -> Any:
        """A number, a quoted text, true, false or NULL (None)."""
        found = self.take()
        if found.kind == "text":
            return unquoted(found.text)
        if found.kind == "number":
            return float(found.text) if any(c in found.text for c in ".eE") else int(found.text)
        known: dict[str, Any] = {"TRUE": True, "FALSE": False, "NULL": None}
        if found.kind == "word" and found.text.upper() in known:
            return known[found.text.upper()]
        raise ConditionError(f"expected a value before {found.text or 'the end'!r}")


def odata(text: str, names: Mapping[str, str]) -> Condition:
    """An OData filter; `names` maps its fields to our own; ConditionError for anything else."""
    parser = Parser(text, words=True)
    found = parser.condition()
    parser.end()
    return renamed(found, names)


def renamed(condition: Condition, names: Mapping[str, str]) -> Condition:
    """The same condition over other names; ConditionError for a name that is not known."""
    if isinstance(condition, Both):
        return Both(tuple(renamed(part, names) for part in condition.parts))
    if isinstance(condition, Either):
        return Either(tuple(renamed(part, names) for part in condition.parts))
    if isinstance(condition, Not):
        return Not(renamed(condition.part, names))
    if isinstance(condition, Window | Between):
        raise ConditionError("WITHIN_WINDOW is for queries only")
    if condition.path not in names:
        raise ConditionError(f"the field {condition.path} cannot be filtered by")
    path = names[condition.path]
    if isinstance(condition, Compare):
        return Compare(path, condition.op, condition.value)
    return In(path, condition.values) if isinstance(condition, In) else Contains(path, condition.text)


def device_filter(text: str) -> Condition | None:
    """The condition of `SELECT * FROM devices [WHERE ...]`, None for all; ConditionError for the rest."""
    parser = Parser(text)
    for word in ("SELECT", "*", "FROM", "DEVICES"):
        parser.expect(word)
    found = parser.condition() if parser.accept("WHERE") else None
    parser.end()
    return found


def bare_filter(text: str) -> Condition | None:
    """A device filter, or its condition alone as exports accept it."""
    if not text.strip():
        return None
    if text.strip().upper().startswith("SELECT"):
        return device_filter(text)
    parser = Parser(text)
    found = parser.condition()
    parser.end()
    return found


def paths(condition: Condition | None) -> set[str]:
    """The names that a condition uses."""
    if condition is None or isinstance(condition, Window | Between):
        return set()
    if isinstance(condition, Both | Either):
        return {path for part in condition.parts for path in paths(part)}
    return paths(condition.part) if isinstance(condition, Not) else {condition.path}


def holds(left: Any, op: str, right: Any) -> bool:
    """One comparison; what is not there compares with NULL only, and kinds do not mix."""
    if right is None:
        return (left is None) is (op == "=")
    if left is None:
        return False
    if op in ("=", "!="):
        same = type(left) is bool and type(right) is bool and left == right
        if not isinstance(left, bool) and not isinstance(right, bool):
            same = left == right
        return same is (op == "=")
    numbers = isinstance(left, int | float) and isinstance(right, int | float)
    if not numbers and not (isinstance(left, str) and isinstance(right, str)):
        return False
    return bool({"<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}[op])


def chosen(condition: Condition | None, get: Callable[[str], Any]) -> bool:
    """Whether a condition holds for something whose members `get` knows."""
    if condition is None:
        return True
    if isinstance(condition, Both):
        return all(chosen(part, get) for part in condition.parts)
    if isinstance(condition, Either):
        return any(chosen(part, get) for part in condition.parts)
    if isinstance(condition, Not):
        return not chosen(condition.part, get)
    if isinstance(condition, Window | Between):
        return True
    value = get(condition.path)
    if isinstance(condition, Contains):
        return condition.text.lower() in str(value or "").lower()
    if isinstance(condition, In):
        return any(holds(value, "=", one) for one in condition.values)
    if isinstance(value, list | tuple):  # organizations: one of them
        return any(holds(one, condition.op, condition.value) for one in value)
    return holds(value, condition.op, condition.value)
