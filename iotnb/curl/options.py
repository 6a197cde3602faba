"""The options of a curl line, as a request."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, quote_plus, unquote, urlsplit, urlunsplit

import msgspec

from iotnb.curl.words import DASHES, HOLDER, split, words
from iotnb.errors import ConfigError
from iotnb.secret import Secret, scrub

VALUED: Final = {
    "X": "request", "H": "header", "d": "data", "F": "form", "u": "user", "A": "user-agent", "e": "referer",
    "b": "cookie", "c": "cookie-jar", "o": "output", "x": "proxy", "E": "cert", "T": "upload-file",
    "m": "max-time", "w": "write-out", "D": "dump-header", "r": "range", "K": "config", "U": "proxy-user",
}  # fmt: skip
PLAIN: Final = {
    "k": "insecure", "G": "get", "I": "head", "i": "include", "v": "verbose", "L": "location", "s": "silent",
    "S": "show-error", "f": "fail", "O": "remote-name", "J": "remote-header-name", "N": "no-buffer",
    "g": "globoff", "#": "progress-bar", "q": "disable", "0": "http1.0", "4": "ipv4", "6": "ipv6", "j": "",
    "n": "netrc", "Z": "parallel", "V": "version", "h": "help",
}  # fmt: skip
LONG_VALUED: Final = {
    *VALUED.values(), "data-ascii", "data-raw", "data-binary", "data-urlencode", "json", "form-string", "url",
    "url-query", "oauth2-bearer", "key", "cacert", "capath", "pass", "cert-type", "key-type", "retry",
    "retry-delay", "connect-timeout", "resolve", "connect-to", "ciphers", "tls-max", "interface",
    "limit-rate",
}  # fmt: skip
LONG_PLAIN: Final = {
    *PLAIN.values(), "compressed", "http1.1", "http2", "tlsv1.2", "tlsv1.3", "no-progress-meter",
    "fail-with-body",
    "path-as-is", "basic", "digest", "anyauth", "location-trusted", "ssl-no-revoke", "no-keepalive",
} - {""}  # fmt: skip
AUTHORIZING: Final = {"authorization", "proxy-authorization", "cookie", "x-xsrf-token"}
LOCAL: Final = {"output", "remote-name", "remote-header-name", "dump-header", "write-out", "cookie-jar"}
LOGIN: Final = {"cert", "key", "pass", "cacert", "capath", "cert-type", "key-type"}


@dataclass(frozen=True)
class Part:
    """One part of a multipart form: a value, or the name of a file (`file=True`) to be read when sent."""

    name: str
    value: str
    file: bool = False
    type: str = ""


@dataclass
class Request:
    """What one curl line asks for.

    `headers` holds what is no credential; `credentials` names what the line brought of them ("Authorization",
    "-u") and `literals` those whose value is no placeholder. `data` is the body, `forms` the parts of a
    multipart one, `reads` names files whose content the body wants (`@name`). `notes` say what was understood
    otherwise than it was written, or is not done.
    """

    method: str = "GET"
    url: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    data: str | None = None
    forms: list[Part] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    insecure: bool = False
    credentials: dict[str, Secret] = field(default_factory=dict, repr=False)
    literals: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def placeholders(self) -> list[str]:
        """The placeholders in address, headers and body, each once, in the order of the line."""
        texts = [self.url, *self.headers.values(), self.data or "", *(part.value for part in self.forms)]
        found = [each for text in texts for each in HOLDER.findall(unquote(text))]
        return list(dict.fromkeys(found))

    @property
    def json(self) -> object:
        """The body decoded from JSON; None when it is none."""
        if self.data is None:
            return None
        try:
            found: object = msgspec.json.decode(self.data.encode())
        except msgspec.DecodeError:
            return None
        return found


def parse(text: str) -> Request:
    """One curl line as a request; raises ConfigError for what is no curl line, or has options of no meaning.

    Understood are line continuations (backslash, caret, backtick), quotes of every kind, comments that begin
    a line with `//` or `#`, a prompt before the word curl, placeholders, and lines that lost their backslash.
    """
    lines = split(text)
    if len(lines) != 1:
        raise ConfigError(
            f"{len(lines)} curl lines instead of one: give one, or take them apart with split()"
        )
    return _request(words(lines[0]))


@dataclass
class _Line:
    """What the options of a line have said so far."""

    made: Request = field(default_factory=Request)
    method: str = ""
    data: list[str] = field(default_factory=list)
    query: list[str] = field(default_factory=list)
    get: bool = False
    head: bool = False
    kind: str = ""

    def note(self, words: str) -> None:
        if words not in self.made.notes:
            self.made.notes.append(words)


def _request(words: list[str]) -> Request:
    line = _Line()
    given = iter(words)
    for word in given:
        if word[:1] in DASHES:
            word = ("--" if len(word) > 2 else "-") + word[1:]
        if word == "--":
            continue
        if word.startswith("--"):
            name, _, value = word[2:].partition("=")
            _long(line, name, value, given)
        elif word.startswith("-") and len(word) > 1:
            _short(line, word, given)
        elif word in {"H", "X", "d"}:
            line.note(f"{word} was read as -{word}: its dash is missing")
            _valued(line, VALUED[word], next(given, ""))
        elif not line.made.url:
            line.made.url = word
        elif word:
            line.note(f"{word[:40]!r} belongs to no option and was left out")
    return _finished(line)


def _long(line: _Line, name: str, value: str, given: Iterator[str]) -> None:
    if name in LONG_VALUED:
        _valued(line, name, value or next(given, ""))
    elif name in LONG_PLAIN or name.startswith("no-"):
        _plain(line, name)
    else:
        raise ConfigError(f"--{name} is no option of curl that is known here: take it out")


def _short(line: _Line, word: str, given: Iterator[str]) -> None:
    """A group of short options (`-sSLX POST`, `-XPOST`), or a long one with a dash too few (`-cert x`)."""
    if len(word) > 3 and word[1:] in LONG_VALUED | LONG_PLAIN and word[1:] not in {"data", "url"}:
        line.note(f"{word} was read as -{word}")
        _long(line, word[1:], "", given)
        return
    for i, letter in enumerate(word[1:], 1):
        if letter in VALUED:
            _valued(line, VALUED[letter], word[i + 1 :] or next(given, ""))
            return
        if letter not in PLAIN:
            raise ConfigError(f"-{letter} is no option of curl that is known here: take it out")
        _plain(line, PLAIN[letter])


def _plain(line: _Line, name: str) -> None:
    if name == "insecure":
        line.made.insecure = True
    elif name == "get":
        line.get = True
    elif name == "head":
        line.head = True
    elif name in LOCAL:
        line.note(f"--{name} is not done: the answer is shown, not written to a file")
    elif name in {"version", "help"}:
        raise ConfigError(f"curl --{name} asks no server: there is nothing to send")


def _valued(line: _Line, name: str, value: str) -> None:
    made = line.made
    if name == "request":
        line.method = value.strip().upper()
    elif name == "url":
        made.url = made.url or value
    elif name == "header":
        _header(line, value)
    elif name in {"data", "data-ascii", "data-raw", "data-binary", "data-urlencode", "json"}:
        _data(line, name, value)
    elif name in {"form", "form-string"}:
        made.forms.append(_part(value, plain=name == "form-string"))
    elif name in {"user", "oauth2-bearer", "cookie"}:
        _credential(line, {"user": "-u", "cookie": "Cookie"}.get(name, "Authorization"), value)
    elif name == "user-agent":
        made.headers["User-Agent"] = value
    elif name == "referer":
        made.headers["Referer"] = value
    elif name == "range":
        made.headers["Range"] = f"bytes={value}"
    elif name == "url-query":
        line.query.append(_encoded(value))
    elif name in LOCAL:
        line.note(f"--{name} is not done: the answer is shown, not written to a file")
    elif name in LOGIN:
        line.note(f"--{name} is left to the login: iotnb.connect() takes certificates and authorities")
    elif name in {"proxy", "proxy-user", "resolve", "connect-to", "interface", "config", "upload-file"}:
        raise ConfigError(f"--{name} is not done here: take it out, the login says how the server is reached")


def _header(line: _Line, text: str) -> None:
    name, colon, value = text.partition(":")
    name, value = name.strip(), value.strip()
    if not colon:
        line.note("a header without a colon was left out")
    elif name.lower() in AUTHORIZING:
        _credential(line, name, value)
    elif name.lower() not in {"host", "content-length", "connection", "accept-encoding", "transfer-encoding"}:
        line.made.headers[name] = value


def _credential(line: _Line, name: str, value: str) -> None:
    line.made.credentials[name] = Secret(value)
    bare = re.sub(r"(?i)^(?:Bearer|Basic)\b", "", value).strip()
    if (
        bare
        and not HOLDER.search(bare)
        and not re.fullmatch(r"(?i)(?:your|my)?[ _-]?(?:token|key|password)s?", bare)
    ):
        line.made.literals.append(name)


def _data(line: _Line, name: str, value: str) -> None:
    if name == "json":
        line.kind = "application/json"
    if name == "data-urlencode":
        line.data.append(_encoded(value))
    elif value.startswith("@") and name != "data-raw":
        line.made.reads.append(value[1:])
        line.data.append("")
    else:
        line.data.append(value)


def _encoded(value: str) -> str:
    """`name=content` with the content encoded, as --data-urlencode does; placeholders stay as they are."""
    name, equals, content = value.partition("=")
    if not equals:
        return _quoted(value)
    return f"{name}={_quoted(content)}" if name else _quoted(content)


def _quoted(text: str) -> str:
    """Encoded for a form, but placeholders, which are still to be filled in."""
    at, parts = 0, []
    for found in HOLDER.finditer(text):
        parts += [quote_plus(text[at : found.start()]), found.group()]
        at = found.end()
    return "".join([*parts, quote_plus(text[at:])])


def _part(text: str, *, plain: bool) -> Part:
    name, _, value = text.partition("=")
    if plain or value[:1] not in {"@", "<"} or HOLDER.match(value):
        return Part(name, value.strip('"') if not plain else value)
    value, *more = value[1:].split(";")
    kinds = [each.partition("=")[2] for each in more if each.strip().startswith("type=")]
    return Part(name, value.strip('"'), file=True, type=kinds[0] if kinds else "")


def _finished(line: _Line) -> Request:
    made = line.made
    if not made.url:
        raise ConfigError("the curl line names no address")
    body = ("" if line.kind else "&").join(line.data) if line.data else None
    if line.get and body is not None:
        line.query.append(body)
        body = None
    if made.forms and body is not None:
        raise ConfigError("-F and -d exclude each other: a body is either a form in parts or data")
    if body is not None:
        made.data = _without_comments(line, body)
        made.headers = _typed(made.headers, line.kind or "application/x-www-form-urlencoded")
    made.url = _without_user(line, made.url)
    if line.kind and "accept" not in {name.lower() for name in made.headers}:
        made.headers.setdefault("Accept", line.kind)
    made.url = _address(made.url, line.query)
    made.literals += [where for where, text in _texts(made) if scrub(text) != text]
    posts = (made.data is not None or bool(made.forms)) and not line.get
    made.method = line.method or ("HEAD" if line.head else "POST" if posts else "GET")
    return made


def _texts(made: Request) -> Iterator[tuple[str, str]]:
    """The parts of a request that may hold a secret; what a document put in its place reads as one."""
    yield "address", HOLDER.sub("<own>", made.url)
    yield "body", HOLDER.sub("<own>", made.data or "")
    for name, value in made.headers.items():
        yield name, HOLDER.sub("<own>", f"{name}: {value}")
    for part in made.forms:
        yield part.name, HOLDER.sub("<own>", f"{part.name}={part.value}")


def _typed(headers: dict[str, str], kind: str) -> dict[str, str]:
    known = any(name.lower() == "content-type" for name in headers)
    return headers if known else {**headers, "Content-Type": kind}


def _without_comments(line: _Line, body: str) -> str:
    """JSON as documents print it: with comment lines, which no server takes."""
    if not body.lstrip().startswith(("{", "[")) or "//" not in body:
        return body
    try:
        msgspec.json.decode(body.encode())
    except msgspec.DecodeError:
        kept = "\n".join(each for each in body.split("\n") if not each.lstrip().startswith("//"))
        if kept != body:
            line.note("comment lines in the body were left out")
        return kept
    return body


def _without_user(line: _Line, url: str) -> str:
    """The address without user and password, which are credentials."""
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]*://)?([^/@\s<>]+:[^/@\s]*)@", url)
    if found is None:
        return url
    _credential(line, "user in the address", found[2])
    return (found[1] or "") + url[found.end() :]


def _address(url: str, query: list[str]) -> str:
    """The address with a scheme and all of its query; blanks that a document left in it are encoded."""
    text = url.strip()
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text) and not text.startswith("/"):
        text = f"https://{text}" if not HOLDER.match(text) or "/" in text else text
    text = _spaced(text)
    try:
        parts = urlsplit(re.sub(HOLDER, lambda found: quote(found.group(), safe=""), text))
    except ValueError:
        raise ConfigError("the curl line's address is none: check its host") from None
    query = [each for each in [parts.query, *query] if each]
    whole = urlunsplit((parts.scheme, parts.netloc, parts.path, "&".join(query), ""))
    return re.sub(r"%3C[^%<>/]*(?:%20[^%<>/]*)*%3E|%7B[^/]*?%7D|%24\w+|%5B[A-Z0-9_%-]*?%5D", _restored, whole)


def _restored(found: re.Match[str]) -> str:
    text = unquote(found.group())
    return text if HOLDER.fullmatch(text) else found.group()


def _spaced(text: str) -> str:
    at, parts = 0, []
    for found in HOLDER.finditer(text):
        parts += [text[at : found.start()].replace(" ", "%20"), found.group()]
        at = found.end()
    return "".join([*parts, text[at:].replace(" ", "%20")])
