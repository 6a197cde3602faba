"""The connection management side: product lists, details and find, with the limits of its backends."""

from collections.abc import Iterator
from typing import Any

import msgspec

from iotnb.sandbox.tiothub import lifecycle
from iotnb.sandbox.tiothub.platform import Platform
from iotnb.sandbox.tiothub.problems import correlation, problem, problem_body
from iotnb.sandbox.tiothub.sims import Connection
from iotnb.sandbox.tiothub.state import CMO, TENANT
from iotnb.sandbox.tiothub.wire import Answer, Call

SLOW_BACKEND = "1NCE"
_LARGEST_PAGE, _PAGE = 100, 10


def cmo(platform: Platform, call: Call) -> Answer:
    """One request; the path after the tenant is in `call.segments`."""
    reads = call.method in ("GET", "HEAD") or call.segments == ("product", "find")
    if call.client is None or not call.client.may(CMO, write=not reads):
        raise problem(call, 403, "The access lacks the permission")
    if call.tenant != TENANT:
        raise problem(call, 404, f"Tenant {call.tenant} not found")
    match call.method, call.segments:
        case ("GET" | "HEAD", ("product",)):
            return _list(platform, call)
        case ("POST", ("product", "find")):
            return _find(platform, call)
        case (_, ("product", "find")) | (_, ("product",)):
            raise problem(call, 405, f"Method {call.method} not allowed")
        case ("GET" | "HEAD", ("product", product_id)):
            return _detail(platform, call, product_id)
        case ("PATCH", ("product", product_id)):
            _throttle(platform, call, product_id)
            return lifecycle.patch(platform, call, product_id)
        case ("GET" | "HEAD", ("monitor", monitor_id)):
            return lifecycle.monitor(platform, call, monitor_id)
        case (_, ("product" | "monitor", _)):
            raise problem(call, 405, f"Method {call.method} not allowed")
    raise problem(call, 404, f"No such resource: {'/'.join(call.segments)}")


def _throttle(platform: Platform, call: Call, product_id: str) -> None:
    """429 when the backend of a product has had its requests of this second."""
    if product_id.startswith(f"{SLOW_BACKEND}-"):
        wait = platform.meter.wait(platform.switches.backend_rate)
        if wait > 0:
            raise problem(call, 429, f"{SLOW_BACKEND}: too many requests", headers={"Retry-After": "1"})


def base_of(call: Call) -> str:
    """The URL in front of the API's name."""
    return f"{call.origin}{call.prefix}"


# lists


def _list(platform: Platform, call: Call) -> Answer:
    size, number = _whole(call, "pageSize", _PAGE), _whole(call, "pageNumber", 1)
    size = min(size, _LARGEST_PAGE)
    switches = platform.switches
    first = (number - 1) * size
    if switches.repeat_page and number > 1:
        first -= size
    every = platform.products.all()
    page = [] if switches.empty_first_page and number == 1 else every[first : first + size]
    fields = [name for text in call.all("fields") for name in text.split(",") if name]
    entities = [_chosen(platform.products.bundle(one, base_of(call)), fields) for one in page]
    links = [{"type": "self", "url": _link(call, call.raw_query)}]
    if switches.next_link and first + size < len(every):
        others = [f"{name}={value}" for name, value in call.pairs if name not in ("pageNumber", "pageSize")]
        query = "&".join([f"pageSize={size}", f"pageNumber={number + 1}", *others])
        links.append({"type": "next", "url": _link(call, query)})
    statistics = {"currentPage": number, "pageSize": size if len(page) == size else 1}
    return Answer(body={"entities": entities, "statistics": statistics, "links": links})


def _chosen(product: dict[str, Any], fields: list[str]) -> dict[str, Any]:
    return {name: value for name, value in product.items() if name in fields} if fields else product


def _link(call: Call, query: str) -> str:
    """Links of lists lack the version."""
    return f"{base_of(call)}/{CMO}/{TENANT}/product" + (f"?{query}" if query else "")


def _whole(call: Call, name: str, default: int) -> int:
    text = call.one(name)
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise problem(call, 400, f"{name} must be a whole number from 1 up, not {text}")
    return int(text)


# one and many


def _detail(platform: Platform, call: Call, product_id: str) -> Answer:
    _throttle(platform, call, product_id)
    found = platform.products.find(product_id)
    if found is None:
        raise problem(call, 404, f"Product with id {product_id} not found")
    return Answer(body={**platform.products.document(found, base_of(call)), **correlation()})


def _find(platform: Platform, call: Call) -> Answer:
    """Those found in `entities`, one problem for each other id in `errors`: 200 in any case."""
    try:
        body = call.json()
    except msgspec.DecodeError as error:
        raise problem(call, 400, f"The body is not JSON: {error}") from None
    body = body if isinstance(body, dict) else {}
    lists = {name: body.get(name, []) for name in ("iccidList", "terminalSNList")}
    if not any(lists.values()):
        raise problem(call, 400, "iccidList or terminalSNList is needed")
    if not all(isinstance(ids, list) and all(isinstance(one, str) for one in ids) for ids in lists.values()):
        raise problem(call, 400, "iccidList and terminalSNList are lists of texts")
    entities, errors = [], []
    for number, (kind, text, found) in enumerate(_looked_up(platform, lists), 1):
        trouble = _trouble(platform, number, kind, text, found)
        if found is not None and trouble is None:
            entities.append({**platform.products.bundle(found, base_of(call)), **correlation()})
        else:
            status, detail = trouble or (404, f"Product with {kind} {text} not found")
            errors.append(problem_body(call, status, detail))
    return Answer(body={"entities": entities, "errors": errors})


def _looked_up(
    platform: Platform, lists: dict[str, list[str]]
) -> Iterator[tuple[str, str, Connection | None]]:
    for text in lists["iccidList"]:
        yield "iccid", text, platform.products.by_number(text, satellite=False)
    for text in lists["terminalSNList"]:
        yield "terminalSN", text, platform.products.by_number(text, satellite=True)


def _trouble(
    platform: Platform, number: int, kind: str, text: str, found: Connection | None
) -> tuple[int, str] | None:
    """Why a backend did not answer for one id, or None."""
    switches = platform.switches
    if switches.find_fails_every and number % switches.find_fails_every == 0:
        return 502, f"Backend did not answer for {kind} {text}"
    if found is not None and found.backend == SLOW_BACKEND and platform.meter.wait(switches.backend_rate) > 0:
        return 429, f"{SLOW_BACKEND}: too many requests for {kind} {text}"
    return None
