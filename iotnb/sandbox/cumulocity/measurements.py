"""The measurements' endpoints: pages as JSON or CSV, creation one by one or in bulk, deletion."""

import csv
import io
import math
import zlib
from collections.abc import Mapping
from typing import Any

import msgspec

from iotnb.sandbox.cumulocity.lanes import Rows, Wanted, document_text
from iotnb.sandbox.cumulocity.scan import restricted_page
from iotnb.sandbox.cumulocity.state import Platform, number
from iotnb.sandbox.cumulocity.units import Units
from iotnb.sandbox.cumulocity.wire import (
    Answer,
    Call,
    Page,
    Refused,
    done,
    encode,
    invalid,
    missing,
    page_parts,
    parse_time,
)
from iotnb.sandbox.store import Document, Match

HOUR = 3_600_000
_COMPRESSED_FROM = 100_000  # bytes of a page that is kept in the cache


def units_of(call: Call) -> Units:
    """The system of units that the request asks for."""
    return Units(call.headers.get("x-cumulocity-system-of-units", "").strip().lower() == "imperial")


def newest_first(platform: Platform, call: Call) -> bool:
    """The order of measurements and series: a default of the tenant, `revert` for ranges only."""
    default = platform.switches.revert_default
    if not (call.one("dateFrom") or call.one("dateTo")):
        return default
    return call.flag("revert", default)


def wanted_of(call: Call) -> Wanted:
    """What the parameters of a list or a deletion select."""
    start, end = call.range("dateFrom", "dateTo")
    text = call.one("source")
    source = number(text, Refused(422, "measurement/Invalid Data", f"Not an ID: {text}")) if text else None
    return Wanted(
        source=source,
        types=tuple(call.words("type")) if call.one("type") else (),
        fragment=call.one("valueFragmentType"),
        series=call.one("valueFragmentSeries"),
        any_fragment=call.one("fragmentType"),
        start=start,
        end=end,
    )


def list_measurements(platform: Platform, call: Call) -> Answer:
    """GET /measurement/measurements."""
    page = Page.of(call)
    wanted = wanted_of(call)
    if wanted.source is not None and platform.objects.exists(wanted.source):
        platform.access.check(call.user, "MEASUREMENT", "READ", wanted.source)
    visible = platform.access.visible(call.user, "MEASUREMENT")
    if "text/csv" in call.accept:
        return _csv(platform, call, wanted, page, visible)
    if visible is not None:
        return _restricted(platform, call, wanted, visible)
    return _cached(platform, call, wanted, page)


def _rows(platform: Platform, call: Call, wanted: Wanted, page: Page) -> Rows:
    return platform.measured.rows(
        wanted, newest_first=newest_first(platform, call), skip=page.first, count=page.size
    )


def _cached(platform: Platform, call: Call, wanted: Wanted, page: Page) -> Answer:
    """A page, out of the cache when it lies wholly in the past and nothing was written since."""
    units = units_of(call)
    switches = platform.switches
    settled = not switches.retention and not page.wants_total
    key = ("measurements", call.origin, call.link(), platform.store.version, units.imperial)
    body = platform.cache.get(key) if settled else None
    if body is not None:
        return Answer(body=body, kind="measurementcollection", gzipped=True)
    rows = _rows(platform, call, wanted, page)
    texts = rows.render(call.origin, units, switches.tz)
    total = platform.measured.count(wanted) if page.wants_total else None
    head = encode(page_parts(call, page, len(rows), total)).decode()
    body = f'{head[:-1]},"measurements":[{",".join(texts)}]}}'.encode()
    full = len(rows) == page.size and not newest_first(platform, call)
    past = wanted.end is not None and wanted.end <= platform.now()
    if settled and len(body) >= _COMPRESSED_FROM and (full or past):
        coder = zlib.compressobj(1, zlib.DEFLATED, 31)
        packed = coder.compress(body) + coder.flush()
        platform.cache.put(key, packed)
        if "gzip" in call.headers.get("accept-encoding", ""):
            return Answer(body=packed, kind="measurementcollection", gzipped=True)
    return Answer(body=body, kind="measurementcollection")


def _restricted(platform: Platform, call: Call, wanted: Wanted, visible: frozenset[int]) -> Answer:
    """A page for a user who sees only some devices."""
    down = newest_first(platform, call)

    def read(skip: int, count: int) -> list[tuple[int, Rows]]:
        rows = platform.measured.rows(wanted, newest_first=down, skip=skip, count=count)
        return [(source, rows.cut(n, 1)) for n, source in enumerate(rows.sources())]

    def render(found: tuple[int, Rows]) -> Any:

        text = found[1].render(call.origin, units_of(call), platform.switches.tz)[0]
        return msgspec.Raw(text.encode())

    return restricted_page(
        platform,
        call,
        "measurements",
        "measurementcollection",
        read,
        lambda found: found[0] in visible,
        render,
    )


def _csv(
    platform: Platform, call: Call, wanted: Wanted, page: Page, visible: frozenset[int] | None
) -> Answer:
    """A page as comma separated values, one line per series."""

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(("time", "source", "device_name", "fragment.series", "value", "unit"))
    rows = _rows(platform, call, wanted, page)
    for text in rows.render(call.origin, units_of(call), platform.switches.tz):
        document = msgspec.json.decode(text, type=dict[str, Any])
        source = document["source"]["id"]
        if visible is not None and int(source) not in visible:
            continue
        name = platform.objects.name(int(source)) or ""
        for fragment, series, value in numeric_values(document):
            cell = (
                document["time"],
                source,
                name,
                f"{fragment}.{series}",
                value["value"],
                value.get("unit", ""),
            )
            writer.writerow(cell)
    return Answer(body=out.getvalue().encode(), content_type="text/csv;charset=UTF-8")


def numeric_values(document: Mapping[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """(fragment, series, {value, unit}) of a measurement."""
    found: list[tuple[str, str, dict[str, Any]]] = []
    for fragment, content in document.items():
        if not isinstance(content, dict) or fragment == "source":
            continue
        found += [(fragment, name, series) for name, series in content.items() if _is_series(series)]
    return found


def _is_series(value: Any) -> bool:
    """Whether something inside a fragment is a value with perhaps a unit."""
    if not isinstance(value, dict):
        return False
    found = value.get("value")
    return isinstance(found, int | float) and not isinstance(found, bool) and math.isfinite(found)


def _stored(platform: Platform, call: Call, body: Any) -> Document:
    """A checked measurement, without an id; 422 when something mandatory is missing."""
    if not isinstance(body, dict):
        raise invalid("A measurement must be a JSON object")
    source = body.get("source")
    absent = [name for name in ("type", "time") if not body.get(name)]
    if not isinstance(source, dict) or "id" not in source:
        absent.insert(0, "source")
    if absent or not isinstance(source, dict):
        raise missing(*absent)
    if not isinstance(body["type"], str):
        raise invalid("Field type must be text")
    at = parse_time(body["time"])
    found = platform.access.source(call.user, "MEASUREMENT", "ADMIN", source["id"])
    kept = {name: value for name, value in body.items() if name not in ("id", "self", "source")}
    for name, content in kept.items():
        if isinstance(content, dict):
            numeric = {series: value for series, value in content.items() if _is_series(value)}
            kept[name] = numeric or content
    names = {f"{fragment}.{series}": str(v.get("unit", "")) for fragment, series, v in numeric_values(kept)}
    if call.mode != "TRANSIENT":
        platform.measured.learn(found, names)
    now = platform.now()
    return Document(
        id=0,
        source=found,
        time=at,
        created=now,
        updated=now,
        type=body["type"],
        status=" ".join(names),
        body=encode(kept),
    )


def create_measurements(platform: Platform, call: Call) -> Answer:
    """POST /measurement/measurements: one, or a collection, all or none."""
    body = call.document()
    several = body.get("measurements")
    is_collection = isinstance(several, list)
    if isinstance(several, list):
        documents = [_stored(platform, call, one) for one in several]
    else:
        documents = [_stored(platform, call, body)]
    ids = platform.next_ids("measurement", len(documents))
    documents = [one._replace(id=number) for number, one in zip(ids, documents, strict=True)]
    if call.mode != "TRANSIENT":
        platform.store.put("measurement", documents)
    if not call.is_application:
        for source in {one.source for one in documents}:
            platform.objects.heard(source)

    raw = [msgspec.Raw(document_text(one, call.origin, Units()).encode()) for one in documents]
    _announce(platform, call, documents, raw)
    if is_collection:
        return call.made("measurementcollection", {"self": call.link(), "measurements": raw}, call.link())
    location = call.url("measurement", "measurements", documents[0].id)
    return call.made("measurement", raw[0], location)


def _announce(platform: Platform, call: Call, documents: list[Document], raw: list[Any]) -> None:
    if call.mode == "QUIESCENT":
        return
    for document, text in zip(documents, raw, strict=True):
        if platform.hub.is_watched("measurements", document.source):
            platform.hub.publish("measurements", document.source, "CREATE", text)


def _not_found(text: str) -> Refused:
    return Refused(
        404,
        "measurement/Not Found",
        f"Finding measurement from database failed : No measurement for gid '{text}'!",
    )


def get_measurement(platform: Platform, call: Call, text: str) -> Answer:
    """GET /measurement/measurements/{id}: not on time-series tenants."""

    if platform.switches.persistence == "timeseries":
        raise Refused(422, "measurement/Invalid Data", "Finding a measurement by ID is not supported")
    wanted = number(text, _not_found(text))
    document = platform.store.get("measurement", wanted)
    if document is not None:
        source, body = document.source, document_text(document, call.origin, units_of(call))
    else:
        found = platform.measured.find(wanted)
        if found is None:
            raise _not_found(text)
        lane, times = found
        source = lane.source
        body = lane.render(times, call.origin, units_of(call), platform.switches.tz)[0]
    platform.access.check(call.user, "MEASUREMENT", "READ", source)
    return Answer(body=msgspec.Raw(body.encode()), kind="measurement")


def delete_measurement(platform: Platform, call: Call, text: str) -> Answer:
    """DELETE /measurement/measurements/{id}."""
    wanted = number(text, _not_found(text))
    document = platform.store.get("measurement", wanted)
    found = None if document is not None else platform.measured.find(wanted)
    if document is None and found is None:
        raise _not_found(text)
    source = document.source if document is not None else found[0].source if found is not None else 0
    platform.access.check(call.user, "MEASUREMENT", "ADMIN", source)
    if document is not None:
        platform.store.delete("measurement", Match(ids=(wanted, wanted + 1)))
    else:
        platform.measured.hide(wanted)
    return done()


def delete_measurements(platform: Platform, call: Call) -> Answer:
    """DELETE /measurement/measurements by source or dates."""
    wanted = wanted_of(call)
    if (
        platform.switches.since("2024")
        and wanted.source is None
        and wanted.start is None
        and wanted.end is None
    ):
        raise Refused(
            422, "measurement/Invalid Data", "At least one of source, dateFrom and dateTo must be given"
        )
    if platform.switches.persistence == "timeseries":
        bounds = (at for at in (wanted.start, wanted.end) if at is not None)
        if any(at % HOUR for at in bounds):
            raise Refused(422, "measurement/Invalid Data", "dateFrom and dateTo must be full hours")
    if wanted.source is None:
        platform.access.need(call.user, "ROLE_MEASUREMENT_ADMIN")
    else:
        platform.access.check(call.user, "MEASUREMENT", "ADMIN", wanted.source)
    platform.soon(lambda _: platform.measured.delete(wanted))
    return done()


ROUTES = (
    ("GET", "/measurement/measurements", list_measurements),
    ("POST", "/measurement/measurements", create_measurements),
    ("DELETE", "/measurement/measurements", delete_measurements),
    ("GET", "/measurement/measurements/{id}", get_measurement),
    ("DELETE", "/measurement/measurements/{id}", delete_measurement),
)
