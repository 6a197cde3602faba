"""POST /query: the query language over the telemetry of the devices of one template.

A row is a message. Columns of other components are empty in it. Rows come in the order of `$ts` unless
ORDER BY says otherwise; windows include their start and not their end.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iotnb.sandbox.fleet.noise import Times
from iotnb.sandbox.iotcentral.aggregate import aggregate
from iotnb.sandbox.iotcentral.application import Application
from iotnb.sandbox.iotcentral.call import Call
from iotnb.sandbox.iotcentral.conditions import (
    Between,
    Both,
    Compare,
    Condition,
    ConditionError,
    Contains,
    Either,
    In,
    Not,
    Window,
    chosen,
    holds,
    paths,
    renamed,
)
from iotnb.sandbox.iotcentral.devices import visible
from iotnb.sandbox.iotcentral.dtdl import Model
from iotnb.sandbox.iotcentral.lanes import Block, Lane, lanes
from iotnb.sandbox.iotcentral.members import Members
from iotnb.sandbox.iotcentral.platform import Platform
from iotnb.sandbox.iotcentral.querytext import Query, parse
from iotnb.sandbox.iotcentral.registry import Device, oldest
from iotnb.sandbox.iotcentral.routes import Route
from iotnb.sandbox.iotcentral.wire import Answer, bad_request, invalid, parse_duration
from iotnb.sandbox.wire import parse_time

SYSTEM = ("$id", "$ts", "$provisioned", "$simulated")
_OPS: dict[str, Callable[[Any, Any], Any]] = {
    "=": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    ">": np.greater,
    "<=": np.less_equal,
    ">=": np.greater_equal,
}
Mask = NDArray[np.bool_] | bool


@dataclass(slots=True)
class Picked:
    """Rows of a block that were chosen."""

    block: Block
    rows: Times


def run(platform: Platform, call: Call) -> Answer:
    """POST /query: `{"results": [...]}`; 400 in words for what the language does not allow."""
    text = Members(call, {"query"}).body.get("query")
    if not isinstance(text, str):
        raise invalid("query must be a string.")
    try:
        query = parse(text)
        return Answer(body={"results": results(platform, call, query)})
    except ConditionError as error:
        raise bad_request(f"The query is not valid: {error}.", "InvalidQuery") from None


def results(platform: Platform, call: Call, query: Query) -> list[dict[str, Any]]:
    """The rows of a query; ConditionError for an unknown template or column."""
    app = call.application
    model = app.model(query.template)
    if model is None:
        raise ConditionError(f"there is no device template {query.template}")
    where = _resolved(platform, query, model)
    start, end = _window(platform, where)
    found: list[Lane] = []
    for device in _devices(app, where):
        if device.template == query.template and visible(call, device):
            found += [lane for lane in lanes(app, device) if decide(where, lane) is not False]
    if any(item.function for item in query.items):
        blocks = (lane.block(start, end) for lane in found)
        pairs = ((block, mask_of(where, block)) for block in blocks if block.times.size)
        return ordered(aggregate(query, pairs, model), query.order)[: query.top]
    times = {"$ts", *(item.key for item in query.items if item.path == "$ts")}
    if len(query.order) <= 1 and (not query.order or query.order[0][0] in times):
        return _by_time(query, found, where, (start, end), descending=bool(query.order and query.order[0][1]))
    extra = [name for name, _ in query.order if name not in {item.key for item in query.items}]
    rows = _rows(query, _pick(found, where, start, end), extra)
    for row in (rows := ordered(rows, query.order)[: query.top]):
        for name in extra:
            row.pop(name, None)
    return rows


def _devices(app: Application, where: Condition | None) -> Iterable[Device]:
    """The devices that a condition leaves possible by their ids."""
    for part in where.parts if isinstance(where, Both) else (where,):
        wanted: tuple[Any, ...] | None = None
        if isinstance(part, Compare) and part.path == "$id" and part.op == "=":
            wanted = (part.value,)
        elif isinstance(part, In) and part.path == "$id":
            wanted = part.values
        if wanted is not None:
            found = (app.registry.get(str(one)) for one in dict.fromkeys(wanted))
            return [device for device in found if device is not None]
    return app.registry


def ordered(rows: list[dict[str, Any]], order: Sequence[tuple[str, bool]]) -> list[dict[str, Any]]:
    """Rows sorted by keys, the first one counts most; what is empty comes first."""
    for name, descending in reversed(order):
        rows = sorted(rows, key=lambda row: _rank(row.get(name)), reverse=descending)
    return rows


def _rank(value: Any) -> tuple[int, Any]:
    if value is None:
        return 0, 0
    if isinstance(value, int | float):
        return 1, value
    return 2, str(value)


# names and windows


def _resolved(platform: Platform, query: Query, model: Model) -> Condition | None:
    """The condition with aliases and windows replaced by what they stand for; every name is checked."""
    for item in query.items:
        _check_path(model, item.path)
    aliases = {item.key: item.path for item in query.items if not item.function}
    keys = {item.key for item in query.items}
    for name, _ in query.order:
        if name not in keys and not (query.width is not None and name == "$ts"):
            _check_path(model, name)
    names = {name: aliases.get(name, name) for name in paths(query.where)}
    for path in names.values():
        _check_path(model, path)
    return None if query.where is None else _spelled_out(platform, query.where, names)


def _spelled_out(platform: Platform, condition: Condition, names: dict[str, str]) -> Condition:
    if isinstance(condition, Window):
        return Between(*_span(platform, condition.text))
    if isinstance(condition, Both | Either):
        return type(condition)(tuple(_spelled_out(platform, part, names) for part in condition.parts))
    if isinstance(condition, Not | Contains):
        raise ConditionError("NOT and CONTAINS are not known here")
    if isinstance(condition, Compare) and names[condition.path] == "$ts":
        at = parse_time(condition.value) if isinstance(condition.value, str) else condition.value
        if at is None or isinstance(at, bool):
            raise ConditionError(f"{condition.value!r} is no time")
        return Compare("$ts", condition.op, at)
    return renamed(condition, names)


def _check_path(model: Model, path: str) -> None:
    if path not in SYSTEM and model.find_telemetry(path) is None:
        raise ConditionError(f"the template has no telemetry {path}")


def _span(platform: Platform, text: str) -> tuple[int, int]:
    now = platform.now()
    if "/" in text:
        low, high = (parse_time(part) for part in text.split("/", 1))
        if low is None or high is None or low > high:
            raise ConditionError(f"{text!r} is no pair of times in order")
        return low, high
    width = parse_duration(text)
    if width is None:
        raise ConditionError(f"{text!r} is no duration")
    return now - width, now + 1


def _window(platform: Platform, where: Condition | None) -> tuple[int, int]:
    """What may be in the answer: the windows that must hold, and what retention has left."""
    start, end = oldest(platform.now(), platform.switches.retention_days), platform.now() + 1
    for part in where.parts if isinstance(where, Both) else (where,):
        if isinstance(part, Between):
            start, end = max(start, part.start), min(end, part.end)
    return start, max(start, end)


# choosing rows


def _constant(lane: Lane, path: str) -> tuple[bool, Any]:
    """Whether a name is the same for all messages of a lane, and its value."""
    if path == "$id":
        return True, lane.device.id
    if path in ("$provisioned", "$simulated"):
        return True, bool(lane.device.held.get(path[1:]))
    if path == "$ts":
        return False, None
    component, _, name = path.rpartition(".")
    return (False, None) if component == lane.component and name in lane.names else (True, None)


def decide(condition: Condition | None, lane: Lane) -> bool | None:
    """What a condition says about every message of a lane, None if that depends on the message."""
    if condition is None:
        return True
    if isinstance(condition, Both | Either):
        found = [decide(part, lane) for part in condition.parts]
        decisive = isinstance(condition, Either)
        if decisive in found:
            return decisive
        return None if None in found else not decisive
    if isinstance(condition, Compare | In):
        constant, value = _constant(lane, condition.path)
        return chosen(condition, lambda _: value) if constant else None
    return None


def mask_of(condition: Condition | None, block: Block) -> Mask:
    """Which messages of a block a condition chooses: one answer for all, or one for each."""
    if condition is None:
        return True
    if isinstance(condition, Both | Either):
        either = isinstance(condition, Either)
        total: Mask = not either
        for part in condition.parts:
            found = mask_of(part, block)
            if isinstance(found, bool) and found is either:
                return found
            total = np.logical_or(total, found) if either else np.logical_and(total, found)
        return bool(total) if np.ndim(total) == 0 else total
    if isinstance(condition, Between):
        return (block.times >= condition.start) & (block.times < condition.end)
    decided = decide(condition, block.lane)
    if decided is not None:
        return decided
    if isinstance(condition, Compare | In):
        values = block.times if condition.path == "$ts" else block.column(condition.path.rpartition(".")[2])
        return _compared(condition, values)
    return False


def _compared(condition: Compare | In, values: NDArray[Any]) -> NDArray[np.bool_]:
    if isinstance(condition, In):
        rows = (any(holds(one, "=", wanted) for wanted in condition.values) for one in values.tolist())
        return np.fromiter(rows, dtype=bool, count=values.size)
    if values.dtype != object:
        if condition.value is None:
            return np.full(values.size, condition.op == "!=")
        if isinstance(condition.value, int | float) and not isinstance(condition.value, bool):
            return np.asarray(_OPS[condition.op](values, condition.value))
        return np.full(values.size, condition.op == "!=")
    rows = (holds(one, condition.op, condition.value) for one in values.tolist())
    return np.fromiter(rows, dtype=bool, count=values.size)


def _pick(found: Iterable[Lane], where: Condition | None, start: int, end: int) -> list[Picked]:
    """The chosen rows of every lane in a window."""
    picked = []
    for lane in found:
        block = lane.block(start, end)
        if not block.times.size:
            continue
        mask = mask_of(where, block)
        if mask is False:
            continue
        rows = np.arange(block.times.size) if mask is True else np.flatnonzero(mask)
        if rows.size:
            picked.append(Picked(block, rows))
    return picked


def _by_time(
    query: Query, found: Sequence[Lane], where: Condition | None, window: tuple[int, int], *, descending: bool
) -> list[dict[str, Any]]:
    """The first rows in the order of time; the window is read piece by piece until there are enough."""
    start, end = window
    rate = sum(lane.rate for lane in found)
    width = max(60_000, int(1.2 * query.top / rate)) if rate else end - start
    rows: list[dict[str, Any]] = []
    while start < end and len(rows) < query.top:
        low, high = (max(start, end - width), end) if descending else (start, min(end, start + width))
        part = _rows(query, _pick(found, where, low, high))
        rows += reversed(part) if descending else part
        start, end = (start, low) if descending else (high, end)
        width *= 2
    return rows[: query.top]


def _rows(query: Query, picked: Sequence[Picked], extra: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The rows as the answer holds them, in the order of time."""
    if not picked:
        return []
    columns = [(item.key, item.path) for item in query.items] + [(name, name) for name in extra]
    keys = [key for key, _ in columns]
    made: list[dict[str, Any]] = []
    for one in picked:
        parts = [_values(one, path) for _, path in columns]
        made += [dict(zip(keys, row, strict=True)) for row in zip(*parts, strict=True)]
    order = np.argsort(np.concatenate([one.block.times[one.rows] for one in picked]), kind="stable")
    return [made[n] for n in order.tolist()]


def _values(picked: Picked, path: str) -> list[Any]:
    block, rows = picked.block, picked.rows
    if path == "$ts":
        texts = np.datetime_as_string(block.times[rows].astype("M8[ms]"), unit="ms")
        return [f"{text}Z" for text in texts.tolist()]
    constant, value = _constant(block.lane, path)
    if constant:
        return [value] * rows.size
    found: list[Any] = block.column(path.rpartition(".")[2], rows).tolist()
    return found


ROUTES = [Route("POST", "/query", run, preview=True)]
