"""Golden documents: requests with `{names}` to fill in, answers with `<kinds>` in place of what differs."""

import re
from collections.abc import Mapping
from typing import Any

KINDS = {
    "<guid>": r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
    "<time>": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
    "<base64>": r"[A-Za-z0-9+/]+=*",
    "<jwt>": r"[\w-]+\.[\w-]+\.[\w-]+",
    "<text>": r"(?s).+",
}
_TYPES: dict[str, tuple[type, ...]] = {
    "<bool>": (bool,),
    "<number>": (int, float),
    "<object>": (dict,),
    "<list>": (list,),
}


def filled(document: Any, values: Mapping[str, str]) -> Any:
    """A document with its `{names}` replaced; other braces stay."""
    if isinstance(document, dict):
        return {key: filled(value, values) for key, value in document.items()}
    if isinstance(document, list):
        return [filled(one, values) for one in document]
    if isinstance(document, str):
        return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[0]), document)
    return document


def differs(wanted: Any, found: Any, place: str = "answer") -> str:
    """Where an answer is not the documented one, or ""; its members are those of the document and no others.

    A list whose last item is "<more>" may be longer than the document; "<any>" stands for anything.
    """
    if wanted == "<any>":
        return ""
    if isinstance(wanted, str) and wanted in _TYPES:
        return "" if isinstance(found, _TYPES[wanted]) else f"{place}: {found!r} is no {wanted}"
    if isinstance(wanted, str) and wanted in KINDS:
        fits = isinstance(found, str) and re.fullmatch(KINDS[wanted], found)
        return "" if fits else f"{place}: {found!r} is no {wanted}"
    if isinstance(wanted, dict) and isinstance(found, dict):
        if set(wanted) != set(found):
            return f"{place}: members {sorted(set(wanted) ^ set(found))}"
        parts = (differs(value, found[name], f"{place}.{name}") for name, value in wanted.items())
        return next(filter(None, parts), "")
    if isinstance(wanted, list) and isinstance(found, list):
        open_end = wanted[-1:] == ["<more>"]
        items = wanted[:-1] if open_end else wanted
        if len(found) < len(items) or (len(found) > len(items) and not open_end):
            return f"{place}: {len(found)} items"
        pairs = zip(items, found, strict=False)
        return next(filter(None, (differs(*pair, f"{place}[{n}]") for n, pair in enumerate(pairs))), "")
    return "" if type(wanted) is type(found) and wanted == found else f"{place}: {found!r} is not {wanted!r}"


def pointed(body: Any, path: str) -> Any:
    """One value out of an answer, by a dotted path: `data.0.guid`."""
    for part in path.split("."):
        body = body[int(part)] if isinstance(body, list) else body[part]
    return body
