"""What the platform's refusals mean: 409 is also "not found", 412 names the parameter, 403 the section."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from iotnb import errors
from iotnb.errors import RequestError

E = TypeVar("E", bound=RequestError)

_MISSING = re.compile(r"not\s+(?:exist|found)|n't\s+exist|no\s+such|there\s+is\s+no|unknown", re.IGNORECASE)


def told(error: RequestError, *, reading: bool, role: str = "") -> RequestError:
    """The same refusal as the class that it means, with what stands in its list of parameters.

    `reading` says that nothing was to be changed: a 409 then can only mean that there is no such thing. One
    of the refresh, on the way, is none of these: the session has ended.
    """
    if isinstance(error, errors.Unauthorized):
        return error
    details = parameters(error.body)
    general = "" if any(each.endswith(error.words) for each in details) else error.words.rstrip(".")
    words = "; ".join(dict.fromkeys(filter(None, [general, *details])))
    if error.status == 409 and (reading or _MISSING.search(words)):
        hint = "It was deleted, its name is misspelt, or it is in a company that is not yours."
        return again(error, errors.NotFound, words=words, hint=hint)
    if error.status == 403:
        section = re.sub(r"^.*/api/v[\d.]+/", "", error.path).split("/")[0]
        who = f"the role {role!r}" if role else "your role"
        hint = f"{who} is not allowed the section {section!r}: an administrator of the solution can allow it."
        return again(error, errors.Forbidden, words=words, hint=hint[0].upper() + hint[1:])
    return again(error, type(error), words=words)


def parameters(body: Mapping[str, Any] | None) -> list[str]:
    """`param: message` of each entry in an error's list; the platform also sends an object there, or null."""
    listed = (body or {}).get("error")
    entries = listed if isinstance(listed, list) else [listed]
    found = []
    for each in entries:
        if isinstance(each, Mapping):
            name, message = (str(each.get(member) or "") for member in ("param", "message"))
            found.append(": ".join(filter(None, ["" if message.startswith(name) else name, message])))
    return [each for each in found if each]


def again(error: RequestError, cls: type[E], *, words: str = "", hint: str = "") -> E:
    """The same answer as an error of class `cls`, with other words or another hint."""
    return cls(
        error.status,
        error.method,
        error.path,
        words or error.words,
        hint=hint or error.hint,
        request_id=error.request_id,
        retry_after=error.retry_after,
        body=error.body,
    )
