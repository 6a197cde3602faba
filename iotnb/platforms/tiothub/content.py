"""What a message holds: text, JSON as text or as object, base64; decoded, or kept with the reason why not."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

EXACT = 2**53  # whole numbers beyond are identifiers rather than values: float64 would round them
BASE64, JSON = "1", "3"  # encodings of `cnf`


@dataclass(frozen=True)
class Content:
    """A decoded content: JSON, or a text. `reason` says why it could not be decoded, "" when it could."""

    value: Any
    reason: str = ""


def decode(content: Any, format: Any = None) -> Content:
    """A message's `con` by its `cnf`, `<mime>:<encoding>`; what contradicts itself stays text.

    Objects stay as they are. A text that is JSON is decoded even where `cnf` calls it plain text.
    """
    mime, encoding = _format(format)
    if not isinstance(content, str):
        return Content(content)
    text = content
    if encoding == BASE64:
        plain = _from_base64(content)
        if plain is None:
            return _broken(content, "the content is not base64, as its format says")
        try:
            text = plain.decode("utf-8")
        except UnicodeDecodeError:
            return Content(content, f"{len(plain)} bytes of {mime or 'unknown type'} are no text")
    declared = mime.endswith(("/json", "+json")) or encoding == JSON
    if not declared and text.lstrip()[:1] not in ("{", "["):
        return Content(text)
    try:
        value = _json(text)
        if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
            value = _json(value)  # JSON that was written as a JSON text once more
    except (ValueError, RecursionError) as error:
        return Content(text, f"no JSON, as its format says ({_words(error)})" if declared else "")
    return Content(value)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, float | None, str | None]]:
    """Each leaf of a content as (dotted path, number, text); null is left out.

    A list stays whole, as JSON text; true and false are texts; a whole number that float64 cannot hold too.
    """
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, bool):
        yield path, None, "true" if value else "false"
    elif isinstance(value, int):
        yield (path, float(value), None) if abs(value) <= EXACT else (path, None, str(value))
    elif isinstance(value, float):
        yield path, value, None
    elif isinstance(value, str):
        yield path, None, value
    elif value is not None:
        yield path, None, json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _format(format: Any) -> tuple[str, str]:
    """Mime type (lower case, without parameters) and encoding; ("", "0") when it is missing."""
    text = format.strip().lower() if isinstance(format, str) else ""
    mime, colon, encoding = text.rpartition(":")
    if not colon or not encoding.isdigit():
        mime, encoding = text, "0"
    return mime.partition(";")[0].strip(), encoding


def _from_base64(text: str) -> bytes | None:
    packed = "".join(text.split()).translate({45: "+", 95: "/"})
    try:
        return base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _broken(text: str, reason: str) -> Content:
    """A content whose format is wrong: JSON is still recognized."""
    if text.lstrip()[:1] in ("{", "["):
        try:
            return Content(_json(text))
        except (ValueError, RecursionError):
            pass
    return Content(text, reason)


def _json(text: str) -> Any:
    return _DECODER.decode(text)


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)  # the C scanner; whole numbers keep all their digits


def _words(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)
