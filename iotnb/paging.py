"""Page walkers: they yield whole pages, never filter, and never end early without an error."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from iotnb.errors import BadAnswer
from iotnb.secret import scrub
from iotnb.session import Answer


@dataclass(frozen=True)
class Page:
    """One page of a collection: its documents, and the answer that they came in."""

    items: list[dict[str, Any]]
    document: dict[str, Any]
    answer: Answer


def follow(
    get: Callable[[str], Answer],
    first: str,
    *,
    items: str,
    next_link: str = "next",
    number: str | None = None,
) -> Iterator[Page]:
    """Pages by next link, as the server gives it.

    `get` fetches a URL, `first` is the first one. `items` and `next_link` are the keys of the list and the
    link in a page. `number` is the link's parameter that counts pages: with it, an empty page ends the walk
    only when the link goes on by at most one, since a server that shows a user only some of the documents
    may answer an empty page before more of them. Raises BadAnswer when a page has no list, or a link repeats.
    """
    url, seen = first, {_canonical(first)}
    while True:
        answer = get(url)
        document = answer.json()
        found = document.get(items) if isinstance(document, dict) else None
        if not isinstance(found, list):
            raise BadAnswer(f"{_name(answer)}: the answer holds no list {items!r}")
        yield Page(found, document, answer)
        following = document.get(next_link)
        if not following:
            return
        if not isinstance(following, str):
            raise BadAnswer(f"{_name(answer)}: the {next_link} link is no text")
        if number is not None and not found and _step(url, following, number) <= 1:
            return
        if _canonical(following) in seen:
            raise BadAnswer(
                f"{_name(answer)}: the next link leads back to a page that was read already; "
                "the collection cannot be read to its end"
            )
        seen.add(_canonical(following))
        url = following


def page_number(url: str, parameter: str) -> int:
    """The number that a link's parameter holds; 1 when there is none, as in a first request."""
    values = parse_qs(urlsplit(url).query).get(parameter, ["1"])
    return int(values[0]) if re.fullmatch(r"\d+", values[0]) else 1


def _step(url: str, following: str, number: str) -> int:
    return page_number(following, number) - page_number(url, number)


def _name(answer: Answer) -> str:
    return f"{answer.status} {answer.method} {scrub(urlsplit(answer.url).path)}"


def _canonical(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{'&'.join(sorted(parts.query.split('&')))}"
