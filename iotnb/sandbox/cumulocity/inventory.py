"""The inventory's endpoints: managed objects, their queries, and what is computed about one of them."""

import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from iotnb.sandbox.cumulocity.fleetdocs import MANY
from iotnb.sandbox.cumulocity.identity import Key, external_key, register_all
from iotnb.sandbox.cumulocity.objects import CHILDREN, PARENTS, Objects, not_found
from iotnb.sandbox.cumulocity.query import All, Compare, Has, Node, Query, Tree, parse, with_ids
from iotnb.sandbox.cumulocity.scan import restricted_page
from iotnb.sandbox.cumulocity.state import TENANT, Platform, number
from iotnb.sandbox.cumulocity.wire import (
    Answer,
    Call,
    Page,
    Refused,
    collection,
    done,
    encode,
    forbidden,
    invalid,
)

_MOST_AT_ONCE = 50
_CACHED_FROM = 200  # pages of this size and more are kept for a while
_KEPT_MS, _KEPT_MS_LARGE = 10_000, 300_000  # how long; in a large fleet a page is expensive


class _Parentless(Node):
    """Objects without a parent: `onlyRoots`."""

    def matches(self, document: Mapping[str, Any], tree: Tree) -> bool:
        """Whether the object has no parent."""
        return isinstance(tree, Objects) and tree.is_root(int(document["id"]))


def reference(
    call: Call, platform: Platform, number: int, holder: str, *, names: bool = True
) -> dict[str, Any]:
    """One entry of a block of references; `holder` is the block's own URL."""
    target: dict[str, Any] = {"id": str(number), "self": call.url("inventory", "managedObjects", number)}
    name = platform.objects.name(number) if names else None
    if name is not None:
        target["name"] = name
    return {"managedObject": target, "self": f"{holder}/{number}"}


def rendered(platform: Platform, call: Call, found: int, *, single: bool = False) -> dict[str, Any]:
    """A managed object with its links, and with the references that the parameters ask for."""
    objects = platform.objects
    own = f"{call.origin}/inventory/managedObjects/{found}"
    document = objects.document(found)
    document["self"] = own
    with_children = call.flag("withChildren", platform.switches.with_children_default)
    names = not call.flag("skipChildrenNames")
    counted, parents, groups = (call.flag(n) for n in ("withChildrenCount", "withParents", "withGroups"))
    for relation in CHILDREN:
        children = objects.children(found, relation) if with_children or counted else []
        holder = f"{own}/{relation}"
        shown = [reference(call, platform, c, holder, names=names) for c in children] if with_children else []
        document[relation] = {"self": holder, "references": shown}
        if counted and children:
            document[relation]["count"] = len(children)
    for relation, block in PARENTS.items():
        holder = f"{own}/{block}"
        above: Iterable[int] = ()
        if parents:
            every = platform.switches.since("2026")  # before, only the direct parents
            above = objects.above(found, (relation,)) if every else objects.parents(found, relation)
        elif groups and relation == "childAssets":
            above = objects.parents(found, relation)
        document[block] = {
            "self": holder,
            "references": [reference(call, platform, n, holder) for n in above],
        }
    if call.flag("withLatestValues"):
        document |= platform.measured.latest_fragments(found)
    if single or len(platform.fleet) <= MANY:
        counts = platform.history.alarm_counts(found)
        if counts is not None:
            document["c8y_ActiveAlarmsStatus"] = counts
    return document


def query_of(platform: Platform, call: Call) -> Query:
    """The filter that the parameters of a list make together."""
    any_case = platform.switches.since("2026")  # before, a wildcard minded upper and lower case
    text = call.one("query") or call.one("q")
    query = parse(text, any_case=any_case) if text else Query(All())
    parts: list[Node] = [query.filter]
    if call.one("q"):
        parts.append(Has(("c8y_IsDevice",)))
    if call.one("type") and not call.one("query"):
        parts.append(Compare(("type",), "eq", call.one("type"), True))
    if call.one("fragmentType"):
        parts.append(Has((call.one("fragmentType"),)))
    if call.one("owner"):
        parts.append(Compare(("owner",), "eq", call.one("owner"), True))
    if call.one("text"):
        parts.append(Compare(("text",), "eq", call.one("text"), True))
    if call.flag("onlyRoots"):
        parts.append(_Parentless())
    flat: list[Node] = []
    for part in parts:
        flat += part.parts if isinstance(part, All) else (part,)
    more = with_ids(All(tuple(flat)))
    return Query(more.filter, query.low, query.high, query.order)


def _named(platform: Platform, call: Call) -> list[int] | None:
    """The objects that `ids` or a child parameter name, or None when there is no such parameter."""
    objects = platform.objects
    found: list[int] | None = None
    if call.words("ids"):
        found = [int(word) for word in call.words("ids") if word.isdigit()]
    for name, relation in zip(("childDeviceId", "childAssetId", "childAdditionId"), CHILDREN, strict=True):
        text = call.one(name)
        if text:
            parents = objects.parents(number(text, not_found(text)), relation)
            found = parents if found is None else [one for one in found if one in parents]
    return found


def _runs(platform: Platform, query: Query, named: list[int] | None) -> Iterable[range]:
    """The matching ids as runs, in the order asked for."""
    objects = platform.objects
    if named is None and query.by_id:
        return objects.runs(query)
    if named is None:
        numbers = [n for run in objects.runs(query) for n in run]
    else:
        views = ((n, objects.view(n)) for n in dict.fromkeys(named))
        numbers = [n for n, view in views if view is not None and query.matches(view, objects)]
    if query.order:
        documents: list[Mapping[str, Any]] = [view for n in numbers if (view := objects.view(n)) is not None]
        query.sort(documents)
        numbers = [int(document["id"]) for document in documents]
    return [range(n, n + 1) for n in numbers]


def _slice(runs: Iterable[range], page: Page) -> tuple[list[int], int | None]:
    """(the ids of a page, the total if it is wanted) out of runs."""
    shown: list[int] = []
    passed = 0
    for run in runs:
        start = max(0, page.first - passed)
        shown += run[start : start + page.size - len(shown)]
        passed += len(run)
        if len(shown) == page.size and not page.wants_total:
            return shown, None
    return shown, passed if page.wants_total else None


def list_objects(platform: Platform, call: Call) -> Answer:
    """GET /inventory/managedObjects."""
    page = Page.of(call)
    query = query_of(platform, call)
    visible = platform.access.visible(call.user, "INVENTORY")
    if visible is not None:
        numbers = [n for run in _runs(platform, query, _named(platform, call)) for n in run]
        return restricted_page(
            platform,
            call,
            "managedObjects",
            "managedobjectcollection",
            lambda skip, count: numbers[skip : skip + count],
            lambda n: n in visible,
            lambda n: rendered(platform, call, n),
        )
    if page.size < _CACHED_FROM:
        return _page(platform, call, query, page)
    kept = _KEPT_MS_LARGE if len(platform.fleet) > MANY else _KEPT_MS
    key = ("inventory", call.link(), call.origin, platform.store.version, platform.now() // kept)
    body = platform.cache.get(key)
    if body is None:
        coder = zlib.compressobj(1, zlib.DEFLATED, 31)
        body = coder.compress(encode(_page(platform, call, query, page).body)) + coder.flush()
        platform.cache.put(key, body)
    return Answer(body=body, kind="managedobjectcollection", gzipped=True)


def _page(platform: Platform, call: Call, query: Query, page: Page) -> Answer:
    shown, total = _slice(_runs(platform, query, _named(platform, call)), page)
    items = [rendered(platform, call, one) for one in shown]
    return collection(call, "managedObjects", "managedobjectcollection", items, page=page, total=total)


def object_number(platform: Platform, text: str) -> int:
    """An id from a path; 404 when there is no such object."""
    found = number(text, not_found(text))
    if not platform.objects.exists(found):
        raise not_found(text)
    return found


def get_object(platform: Platform, call: Call, text: str) -> Answer:
    """GET /inventory/managedObjects/{id}."""
    found = object_number(platform, text)
    platform.access.check(call.user, "INVENTORY", "READ", found)
    return Answer(body=rendered(platform, call, found, single=True), kind="managedobject")


def _checked(body: Any) -> dict[str, Any]:
    """A document to create or change; 422 for a wrong kind of name, type or owner."""
    if not isinstance(body, dict):
        raise invalid("A managed object must be a JSON object")
    for name in ("name", "type", "owner"):
        if not isinstance(body.get(name), str | None):
            raise invalid(f"Field {name} must be text")
    return body


def make(platform: Platform, call: Call, body: dict[str, Any]) -> int:
    """Create one managed object from a body, with its external IDs if it brings some."""
    keys: list[Key] = []
    if platform.switches.since("latest") and isinstance(body.get("externalIds"), list):
        keys = [external_key(entry) for entry in body["externalIds"]]
        body = {key: value for key, value in body.items() if key != "externalIds"}
        if any(platform.identities.find(*key) is not None for key in keys):
            raise Refused(409, "identity/Duplicate", "Identity already bound to a different Global ID")
    found = platform.objects.create(body, body.get("owner") or call.user.name)
    register_all(platform, keys, found)
    group = platform.store.setting("joins", call.user.name) if call.user.is_device else None
    if group is not None and "c8y_IsDevice" in body:
        platform.store.unset("joins", call.user.name)
        if str(group).isdigit() and platform.objects.exists(int(group)):
            platform.objects.link(int(group), "childAssets", found)
    announce(platform, call, found, "CREATE")
    return found


def announce(platform: Platform, call: Call, found: int, action: str) -> None:
    """Tell the real-time clients of a change in the inventory, unless the request wants no announcement."""
    if call.mode != "QUIESCENT" and platform.hub.is_watched("managedobjects", found):
        data: Any = str(found) if action == "DELETE" else rendered(platform, call, found)
        platform.hub.publish("managedobjects", found, action, data)


def create_objects(platform: Platform, call: Call) -> Answer:
    """POST /inventory/managedObjects: one object, or up to 50 in a collection."""
    platform.access.need(
        call.user, "ROLE_INVENTORY_ADMIN", "ROLE_INVENTORY_CREATE", "ROLE_MANAGED_OBJECT_ADMIN"
    )
    body = _checked(call.document())
    several = body.get("managedObjects")
    if isinstance(several, list) and platform.switches.since("latest"):
        if len(several) > _MOST_AT_ONCE:
            raise invalid(f"At most {_MOST_AT_ONCE} managed objects can be created in one request")
        checked = [_checked(one) for one in several]
        made = [rendered(platform, call, make(platform, call, one)) for one in checked]
        answer = {"self": call.link(), "managedObjects": made}
        return call.made("managedobjectcollection", answer, call.link())
    found = make(platform, call, body)
    return call.made(
        "managedobject", rendered(platform, call, found), call.url("inventory", "managedObjects", found)
    )


def change(platform: Platform, call: Call, found: int, body: dict[str, Any]) -> dict[str, Any]:
    """Apply a PUT; a body without a change is a heartbeat and is answered with the id only."""
    platform.access.check(call.user, "INVENTORY", "ADMIN", found)
    if not call.is_application:
        platform.objects.heard(found)
    if not set(body) - {"id"}:
        return {"id": str(found), "self": call.url("inventory", "managedObjects", found)}
    platform.objects.update(found, body)
    announce(platform, call, found, "UPDATE")
    return rendered(platform, call, found, single=True)


def update_object(platform: Platform, call: Call, text: str) -> Answer:
    """PUT /inventory/managedObjects/{id}."""
    found = object_number(platform, text)
    return call.changed("managedobject", change(platform, call, found, _checked(call.document())))


def update_objects(platform: Platform, call: Call) -> Answer:
    """PUT /inventory/managedObjects: up to 50 objects at once (latest edition)."""
    platform.need_edition("latest")
    several = call.document().get("managedObjects")
    if not isinstance(several, list) or len(several) > _MOST_AT_ONCE:
        raise invalid(f"managedObjects must be a list of at most {_MOST_AT_ONCE} objects")
    pairs = [(object_number(platform, str(_checked(one).get("id", ""))), one) for one in several]
    made = [change(platform, call, found, one) for found, one in pairs]
    return call.changed("managedobjectcollection", {"self": call.link(), "managedObjects": made})


def _doomed(platform: Platform, found: int, *, cascade: bool, force: bool) -> list[int]:
    """The objects that go when one is deleted: subgroups with their group, more with cascade."""
    objects = platform.objects
    document = objects.view(found) or {}
    if force:
        return objects.below(found, CHILDREN)
    is_group = "c8y_IsDeviceGroup" in document
    if cascade and (is_group or "c8y_IsDevice" in document):
        return objects.below(found, CHILDREN)
    doomed = [found]
    if is_group:
        for child in objects.children(found, "childAssets"):
            if "c8y_IsDeviceGroup" in (objects.view(child) or {}):
                doomed += _doomed(platform, child, cascade=False, force=False)
    return doomed


def delete_object(platform: Platform, call: Call, text: str) -> Answer:
    """DELETE /inventory/managedObjects/{id}: with everything that belongs to it."""
    found = object_number(platform, text)
    platform.access.check(call.user, "INVENTORY", "ADMIN", found)
    doomed = _doomed(platform, found, cascade=call.flag("cascade"), force=call.flag("forceCascade"))
    users = call.flag("withDeviceUser")

    def delete(_: int) -> None:
        for one in doomed:
            erase(platform, call, one, with_user=users)

    platform.soon(delete)
    return done()


def erase(platform: Platform, call: Call, found: int, *, with_user: bool) -> None:
    """Remove one object with its identities, data, and on request the device's user."""
    if not platform.objects.exists(found):
        return
    owner = platform.objects.owner(found)
    platform.identities.erase(found)
    platform.measured.erase(found)
    platform.history.erase(found)
    announce(platform, call, found, "DELETE")
    platform.objects.remove(found)
    if with_user and owner.startswith("device_"):
        platform.directory.remove(TENANT, owner)


def _readable(platform: Platform, call: Call, text: str, *apis: str) -> int:
    found = object_number(platform, text)
    if not any(platform.access.may(call.user, api, "READ", found) for api in apis):
        platform.access.check(call.user, apis[0], "READ", found)
    return found


def supported_series(platform: Platform, call: Call, text: str) -> Answer:
    """GET .../supportedSeries: `fragment.series` of everything numeric that was ever measured."""
    found = _readable(platform, call, text, "INVENTORY", "MEASUREMENT")
    names = [f"{fragment}.{series}" for fragment, series in platform.measured.series(found)]
    return Answer(body={"c8y_SupportedSeries": names})


def supported_measurements(platform: Platform, call: Call, text: str) -> Answer:
    """GET .../supportedMeasurements: the fragments."""
    found = _readable(platform, call, text, "INVENTORY", "MEASUREMENT")
    names = dict.fromkeys(fragment for fragment, _ in platform.measured.series(found))
    return Answer(body={"c8y_SupportedMeasurements": list(names)})


def availability(platform: Platform, call: Call, text: str) -> Answer:
    """GET .../availability; 404 for an object that is not monitored."""
    found = _readable(platform, call, text, "INVENTORY")
    state = platform.objects.availability(found, platform.objects.view(found) or {})
    if state is None:
        raise Refused(404, "inventory/Not Found", f"Availability data of managed object {found} not found")
    keys = platform.identities.of(found)
    state["externalId"] = keys[0][1] if keys else None
    return Answer(body=state)


def get_device_user(platform: Platform, call: Call, text: str) -> Answer:
    """GET .../user: the device's user and whether it may log in."""
    found = _readable(platform, call, text, "INVENTORY")
    owner = platform.objects.owner(found)
    kept = platform.directory.get(TENANT, owner) or {}
    body = {"self": call.link(), "userName": owner, "enabled": bool(kept.get("enabled", False))}
    return Answer(body=body, kind="managedobjectuser")


def put_device_user(platform: Platform, call: Call, text: str) -> Answer:
    """PUT .../user: let the device's user log in, or not."""
    found = object_number(platform, text)
    platform.access.check(call.user, "INVENTORY", "ADMIN", found)
    owner = platform.objects.owner(found)
    kept = platform.directory.get(TENANT, owner)
    if kept is None:
        raise Refused(404, "users/Not Found", f"Error retrieving user {owner}!")
    if not owner.startswith("device_") and "ROLE_DEVICE" not in platform.directory.roles(kept):
        raise forbidden(f"{owner} is no device's user")
    kept["enabled"] = bool(call.document().get("enabled", True))
    platform.directory.save(TENANT, kept)
    body = {"self": call.link(), "userName": owner, "enabled": kept["enabled"]}
    return call.changed("managedobjectuser", body)


ROUTES = (
    ("GET", "/inventory/managedObjects", list_objects),
    ("POST", "/inventory/managedObjects", create_objects),
    ("PUT", "/inventory/managedObjects", update_objects),
    ("GET", "/inventory/managedObjects/{id}", get_object),
    ("PUT", "/inventory/managedObjects/{id}", update_object),
    ("DELETE", "/inventory/managedObjects/{id}", delete_object),
    ("GET", "/inventory/managedObjects/{id}/supportedSeries", supported_series),
    ("GET", "/inventory/managedObjects/{id}/supportedMeasurements", supported_measurements),
    ("GET", "/inventory/managedObjects/{id}/availability", availability),
    ("GET", "/inventory/managedObjects/{id}/user", get_device_user),
    ("PUT", "/inventory/managedObjects/{id}/user", put_device_user),
)
