"""Which line of `client.api` sends a request: found by rehearsing each of its methods, sending nothing."""

from __future__ import annotations

import contextvars
import inspect
import itertools
import re
import types
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from iotnb.auth import Auth
from iotnb.client import Client
from iotnb.curl import HOLDER
from iotnb.errors import NotFound
from iotnb.secret import Secret
from iotnb.session import Session

_MARK: Final = re.compile(r"zq(\d+)qz|70000(\d\d)")
_TEXTS: Final = re.compile(r"^(str|object)\b")
_LISTS: Final = re.compile(r"^(Sequence|Iterable|list|Collection)\[")
_BODIES: Final = re.compile(r"^(Mapping|dict|Any|Document|Resource|bytes)\b")
_COUNTS: Final = re.compile(r"(?i)size|page|limit|offset|count|skip|max|^top$|^lim$")
_PLAINER: Final = ("get", "page", "list", "create", "update", "delete", "send")
_MISSING: contextvars.ContextVar[bool] = contextvars.ContextVar("iotnb_rehearsed_missing", default=False)
_WAITING: Final = {"timeout", "interval", "seconds", "every", "sleep"}
MOST: Final = 6  # optional parameters of a method that are tried
_DEEP: Final = 3  # how far below `client.api` methods are looked for

Pairs = list[tuple[str, str]]


@dataclass(frozen=True)
class Sent:
    """What a method asks for: the session, the path below its base, the query, JSON body and headers."""

    session: Session
    method: str
    path: str
    query: Pairs
    body: Any
    headers: Mapping[str, Any]


class _Seen(Exception):
    """Ends a rehearsal at the first request."""

    def __init__(self, sent: Sent) -> None:
        super().__init__(sent.path)
        self.sent = sent


class _Rehearsal(Session):
    """A session that is asked and sends nothing: it has no connection and no credentials."""

    def __init__(self, real: Session) -> None:
        self.__dict__.update(vars(real))
        self.auth, self.exchanges, self._http, self._real = Auth(), deque(), None, real  # type: ignore[assignment]

    def request(self, method: str, path: str, **options: Any) -> NoReturn:
        """Tells what would be sent."""
        address = urlsplit(self.url(path, options.get("params")))
        body = options.get("json")
        if body is None and isinstance(options.get("data"), bytes | str | Mapping):
            body = options["data"]
        base = urlsplit(self.base_url).path.rstrip("/")
        below = address.path.removeprefix(base) or "/"
        pairs = parse_qsl(address.query, keep_blank_values=True)
        if _MISSING.get() and method.upper() == "GET":
            _MISSING.set(False)  # the first one only: who asks again waits for something
            raise NotFound(404, "GET", address.path, "rehearsed")
        raise _Seen(Sent(self._real, method.upper(), below, pairs, body, dict(options.get("headers") or {})))


@dataclass(frozen=True)
class Endpoint:
    """One method of `client.api`, as `call`, and what it sends when its parameters are markers."""

    call: str
    function: Callable[..., Any]
    parameters: Sequence[inspect.Parameter]
    sent: Sent
    many: bool  # reads page after page

    @property
    def open(self) -> bool:
        """Whether it takes filters of any name."""
        return any(
            each.kind is each.VAR_KEYWORD for each in inspect.signature(self.function).parameters.values()
        )


@dataclass
class Match:
    """A line of `client.api` that sends a request, and in what it differs from what was asked."""

    line: str
    session: Session
    path: str
    differences: list[str] = field(default_factory=list)
    headers: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    rank: tuple[int, ...] = ()


def endpoints(client: Client) -> list[Endpoint]:
    """All that the methods of `client.api` can send, one entry a method and way to call it."""
    stage = _copied(client.api, {})
    found: list[Endpoint] = []
    for name, method in _methods(stage, "", _DEEP):
        many = "Iterator" in str(inspect.signature(method).return_annotation)
        for arguments, used in _rehearsals(method):
            found += [Endpoint(name, method, used, sent, many) for sent in _play(method, arguments)]
    return found


def find(
    known: Sequence[Endpoint],
    method: str,
    path: str,
    *,
    query: Pairs | None = None,
    body: Any = None,
    name: str = "client",
) -> Match | None:
    """The line of `client.api` that sends what is asked, verified by a rehearsal; None when there is none.

    `path` may begin with what stands before the API's own paths in a document, and may hold placeholders
    (`<tenant>`) where the client knows the value itself.
    """
    matches = [
        match
        for endpoint in known
        if endpoint.sent.method == method.upper()
        if (caught := _fits(endpoint, path)) is not None
        if (match := _matched(endpoint, caught, list(query or []), body, name)) is not None
    ]
    return max(matches, key=lambda match: match.rank, default=None)


# -- the copy of the API that is rehearsed


def _copied(value: Any, seen: dict[int, Any]) -> Any:
    """A copy of the API's objects in which each session is one that sends nothing."""
    if id(value) in seen:
        return seen[id(value)]
    if isinstance(value, Session):
        made: Any = _Rehearsal(value)
    elif isinstance(value, Secret | type) or not _ours(value):
        return value
    elif isinstance(value, Auth):
        made = Auth()
    elif isinstance(value, types.MethodType):
        return types.MethodType(value.__func__, _copied(value.__self__, seen))
    elif isinstance(value, types.FunctionType):
        return _silent  # it may hold a session that nobody sees
    elif isinstance(value, dict):
        return {key: _copied(each, seen) for key, each in value.items()}
    elif isinstance(value, list | tuple | set):
        return type(value)(_copied(each, seen) for each in value)
    else:
        made = seen[id(value)] = object.__new__(type(value))
        made.__dict__.update({key: _copied(each, seen) for key, each in vars(value).items()})
    seen[id(value)] = made
    return made


def _ours(value: Any) -> bool:
    if isinstance(value, dict | list | tuple | set | types.MethodType | types.FunctionType):
        return True
    return type(value).__module__.startswith("iotnb.") and hasattr(value, "__dict__")


def _silent(*_: Any, **__: Any) -> NoReturn:
    raise LookupError("not rehearsed")


def _methods(stage: Any, prefix: str, deep: int) -> Iterator[tuple[str, Callable[..., Any]]]:
    """The public methods of the API's objects, with the names that lead to them."""
    for name in dir(type(stage)):
        method = None if name.startswith("_") else inspect.getattr_static(type(stage), name)
        if isinstance(method, types.FunctionType):
            yield f"{prefix}.{name}", getattr(stage, name)
    for name, part in sorted(vars(stage).items()) if deep else ():
        if not name.startswith("_") and _ours(part) and _is_chapter(part):
            yield from _methods(part, f"{prefix}.{name}", deep - 1)


def _is_chapter(part: Any) -> bool:
    return hasattr(part, "__dict__") and not callable(part) and not isinstance(part, Session | Auth)


# -- the rehearsal


def _play(method: Callable[..., Any], arguments: Mapping[str, Any]) -> list[Sent]:
    """What a call would send first, and what it would send if that looked for something that is not there.

    Empty when it sends nothing, or does not take these arguments.
    """
    found = []
    waits = _WAITING & inspect.signature(method).parameters.keys()
    for missing in (False,) if waits else (False, True):
        token = _MISSING.set(missing)
        try:
            made = method(**arguments)
            if isinstance(made, Iterator):
                next(made)
        except _Seen as seen:
            found.append(seen.sent)
        except Exception:  # noqa: BLE001, S110  # a marker may be refused in any way: not how to call it
            pass
        finally:
            _MISSING.reset(token)
        if not found or found[0].method != "GET":
            break
    return found


def _rehearsals(method: Callable[..., Any]) -> Iterator[tuple[dict[str, Any], list[inspect.Parameter]]]:
    """Ways to call a method with markers: with what it needs, and with up to two, or all, optional ones."""
    parameters = [
        each
        for each in inspect.signature(method).parameters.values()
        if each.kind in {each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY}
    ]
    needed = [each for each in parameters if each.default is each.empty]
    others = [each for each in parameters if each not in needed and _marker(each, 0) is not None][:MOST]
    counts = sorted({0, min(1, len(others)), min(2, len(others)), len(others)})
    for way in (each for count in counts for each in itertools.combinations(others, count)):
        used = [*needed, *way]
        values = {each.name: _marker(each, i) for i, each in enumerate(used)}
        if None not in values.values():
            yield values, used


def _marker(parameter: inspect.Parameter, number: int) -> Any:
    kind = str(parameter.annotation)
    text = f"zq{number}qz"
    if _TEXTS.match(kind):
        return text
    if _LISTS.match(kind):
        return [text]
    if _BODIES.match(kind):
        return {text: text}
    return 7_000_000 + number if kind.startswith("int") else None


# -- from a request to a line


def _fits(endpoint: Endpoint, path: str) -> dict[int, str] | None:
    """What stands in a path at the markers of an endpoint; None when it is another path."""
    asked = [each for each in path.split("/") if each]
    own = [each for each in endpoint.sent.path.split("/") if each]
    if len(asked) < len(own) or (not own and asked):
        return None
    base = [each for each in urlsplit(endpoint.sent.session.base_url).path.split("/") if each]
    before = asked[: len(asked) - len(own)]
    if before and before != base and not _generic(before, own):
        return None
    caught: dict[int, str] = {}
    for given, wanted in zip(asked[len(before) :], own, strict=True):
        if found := _MARK.search(unquote(wanted)):
            pattern = re.escape(unquote(wanted)).replace(found.group(), "(.+)")
            inner = re.fullmatch(pattern, unquote(given))
            if inner is None:
                return None
            caught[int(found[1] or found[2])] = inner[1]
        elif unquote(given) != unquote(wanted) and not HOLDER.fullmatch(unquote(given)):
            return None
    return caught


def _generic(before: Sequence[str], own: Sequence[str]) -> bool:
    """Whether what stands before a path can be another server's way to the same API."""
    return len(before) <= 3 and any(not _MARK.search(each) for each in own)


def _matched(
    endpoint: Endpoint, caught: Mapping[int, str], query: Pairs, body: Any, name: str
) -> Match | None:
    values: dict[str, Any] = {}
    for number, text in caught.items():
        parameter = endpoint.parameters[number]
        whole = str(parameter.annotation).startswith("int") and text.isdigit()
        values[parameter.name] = int(text) if whole else text
    rest = _from_query(endpoint, query, values)
    _from_body(endpoint, endpoint.sent.body, body, values)
    if any(each.name not in values for each in endpoint.parameters if each.default is each.empty):
        return None
    played = _play(endpoint.function, {**values, **rest})
    if not played and rest:
        rest, played = {}, _play(endpoint.function, values)
    sent = next((each for each in played if each.method == endpoint.sent.method), None)
    if sent is None:
        return None
    for key in list(rest):  # what the method sends by itself need not be said
        shorter = {each: value for each, value in rest.items() if each != key}
        again = _play(endpoint.function, {**values, **shorter})
        if any(sorted(each.query) == sorted(sent.query) for each in again):
            rest = shorter
    lacking = [pair for pair in query if pair not in sent.query]
    more = [pair for pair in sent.query if pair not in query]
    same = _agree(_plain(body), _plain(sent.body))
    differences = [f"it does not send {_pair(pair)}" for pair in lacking]
    differences += [f"it also sends {_pair(pair)}" for pair in more]
    differences += [] if same else ["it sends another body"]
    differences += ["it reads page after page"] if endpoint.many else []
    literal = sum(not _MARK.search(each) for each in endpoint.sent.path.split("/") if each)
    last = endpoint.call.rpartition(".")[2]
    plain = -_PLAINER.index(last) if last in _PLAINER else -len(_PLAINER)
    line = f"{name}.api{endpoint.call}({_arguments(endpoint, values, rest)})"
    rank = (literal, int(same), -len(lacking), -int(endpoint.many), -len(more), plain, -len(values))
    return Match(line, sent.session, sent.path, differences, sent.headers, sent.body, rank)


def _from_query(endpoint: Endpoint, query: Pairs, values: dict[str, Any]) -> dict[str, Any]:
    """Parameters that a query names: those of the rehearsal, the others as filters where it takes any."""
    marked = {key: _MARK.fullmatch(value) for key, value in endpoint.sent.query}
    rest: dict[str, Any] = {}
    for key, value in query:
        found = marked.get(key)
        if found:
            values[endpoint.parameters[int(found[1] or found[2])].name] = value
        elif endpoint.open and key.isidentifier():
            counted = value.isdigit() and _COUNTS.search(
                key
            )  # identifiers are text, also when they are digits
            rest[key] = int(value) if counted else {"true": True, "false": False}.get(value, value)
    return rest


def _from_body(endpoint: Endpoint, wanted: Any, given: Any, values: dict[str, Any]) -> None:
    """Parameters that the body holds, at the places where the rehearsal had their markers."""
    found = _MARK.fullmatch(next(iter(wanted), "")) if _is_marker(wanted) else None
    if found is None and isinstance(wanted, str):
        found = _MARK.fullmatch(wanted)
    if found and given is not None:
        parameter = endpoint.parameters[int(found[1] or found[2])]
        # a placeholder for what the login knows by itself is no value
        if parameter.default is parameter.empty or not (isinstance(given, str) and HOLDER.search(given)):
            values[parameter.name] = given
    elif isinstance(wanted, Mapping) and isinstance(given, Mapping):
        for key in wanted.keys() & given.keys():
            _from_body(endpoint, wanted[key], given[key], values)


def _is_marker(value: Any) -> bool:
    return isinstance(value, Mapping) and len(value) == 1 and all(key == each for key, each in value.items())


def _arguments(endpoint: Endpoint, values: Mapping[str, Any], rest: Mapping[str, Any]) -> str:
    """The arguments of a call as they are written: what is needed by its place, the others by name."""
    told = []
    for each in inspect.signature(endpoint.function).parameters.values():
        if each.name in values:
            needed = each.default is each.empty and each.kind is not each.KEYWORD_ONLY
            told.append(repr(values[each.name]) if needed else f"{each.name}={values[each.name]!r}")
    return ", ".join([*told, *(f"{name}={value!r}" for name, value in rest.items())])


def _agree(given: Any, sent: Any) -> bool:
    """Whether two bodies say the same; what is a placeholder in the first may be anything in the second."""
    if isinstance(given, dict) and isinstance(sent, dict):
        return given.keys() == sent.keys() and all(_agree(given[key], sent[key]) for key in given)
    if isinstance(given, list) and isinstance(sent, list):
        return len(given) == len(sent) and all(map(_agree, given, sent))
    return bool(given == sent) or (
        isinstance(given, str) and HOLDER.search(given) is not None and sent is not None
    )


def _plain(body: Any) -> Any:
    if isinstance(body, bytes):
        try:
            return msgspec.json.decode(body)
        except msgspec.DecodeError:
            return body.decode("utf-8", "replace")
    return msgspec.to_builtins(body) if body is not None else None


def _pair(pair: tuple[str, str]) -> str:
    return f"{pair[0]}={pair[1]}"
