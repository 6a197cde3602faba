"""The words of curl lines, as a shell would take them apart, and more patiently: documents lose things."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from iotnb.errors import ConfigError

HOLDER: Final = re.compile(
    r"<(?!(?:a|b|i|p|br|em|div|span|[uo]l|li|strong|html|body|head|script|table|t[rdh]|h[1-6])>)"
    r"[A-Za-z_][^<>=\r\n\"']{0,79}>|"
    r"\$\{\w{1,60}\}|\{\{[\w .-]{1,60}\}\}|\{[A-Za-z][\w .-]{0,60}\}|\[[A-Z][A-Z0-9_ -]{1,40}\]|"
    r"\$[A-Z][A-Z0-9_]{1,40}|[•…]{3,}|\*{3,}|\b[Xx]{4,}\b"
)
"""What a document writes for a value of your own: <token>, {id}, {{id}}, ${ID}, $ID, [ENDPOINTS]; no HTML."""


def split(text: str) -> list[str]:
    """The curl lines of a text, each with its continuations and comments; what is between them is dropped."""
    found: list[list[str]] = []
    quote_open = ""
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        # an open quote is often one that a document lost: a line that can only be a command is one
        begins = (_COMMAND if quote_open else _CURL).match(line)
        if begins:
            found.append([])
            quote_open = ""
        if found:
            found[-1].append(line)
            if quote_open or not _COMMENT.match(line):
                quote_open = _open_quote(line, quote_open)
    if not found:
        raise ConfigError("there is no curl line: one begins with the word curl")
    return ["\n".join(lines).rstrip() for lines in found]


_CURL: Final = re.compile(r"^\s*(?:[$%>#]\s*)?curl(?:\.exe)?(?=\s|$)")
_COMMAND: Final = re.compile(r"^\s*(?:[$%>#]\s*)?curl(?:\.exe)?\s+(?:-|https?://|['\"<\\])")
_COMMENT: Final = re.compile(r"^\s*(?://|#)")
DASHES: Final = ("\u2013", "\u2014", "\u2212")  # a typesetter's
_QUOTES: Final = {
    "'": "'",
    '"': '"',
    "\u201c": "\u201d",
    "\u2018": "\u2019",
    "\u201d": "\u201d",
}  # straight, curly
# what may begin the next line of a command whose backslash was lost
_GOES_ON: Final = re.compile(r"\n\s*(?:[-\u2013\u2014\u2212'\"\u201c#]|//|https?://|[HXd]\s+['\"])")


def _open_quote(line: str, quoted: str) -> str:
    """The quote that is still open at the end of a line."""
    i = 0
    while i < len(line):
        c = line[i]
        if c == "\\" and quoted != "'":
            i += 1
        elif quoted:
            quoted = "" if c == quoted else quoted
        elif c in _QUOTES:
            quoted = _QUOTES[c]
        i += 1
    return quoted


def words(line: str) -> list[str]:
    """The words of a command, as a shell would see them, and more patiently."""
    return list(_Lexer(_CURL.sub("", line, count=1)).words())


_GAP: Final = re.compile(r"[ \t\u00a0]+|\\{1,2}[ \t]*(?:\n|$)|[`^][ \t]*(?:\n|$)|\n\s*$")
_REMARK: Final = re.compile(r"(?://|#)[^\n]*(?:\n|$)")
_REDIRECT: Final = re.compile(r"\d?>{1,2}&?[ \t]*[^\s<>]+(?=\s|$)")


class _Lexer:
    """Reads words; `caret` says that a caret quotes, as in the Windows command line."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.caret = bool(re.search(r"\^[ \t]*(?:\n|$)", text)) or '^"' in text

    def words(self) -> Iterator[str]:
        while True:
            if self._skip():
                return
            yield self._word()

    def _skip(self) -> bool:
        """Goes to the next word, over blanks, continuations and comments; True at the end."""
        text = self.text
        while self.at < len(text):
            rest = text[self.at :]
            fresh = self.at == 0 or text[self.at - 1] in " \t\n"
            found = _GAP.match(rest) or (_REMARK.match(rest) if fresh else None) or _REDIRECT.match(rest)
            if found:
                self.at += found.end()
            elif rest[0] == "\n" and _GOES_ON.match(rest):
                self.at += 1
            else:
                # another command begins, jq or echo, or the text of the document goes on
                return rest[0] in "\n|;" or bool(re.match(r"&(?:&|\s|$)", rest))
        return True

    def _word(self) -> str:
        parts: list[str] = []
        text = self.text
        while self.at < len(text):
            c, rest = text[self.at], text[self.at :]
            if c in " \t\n\u00a0|" or re.match(r";(?:\s|$)", rest):
                break
            holder = HOLDER.match(rest)
            if holder and c in "<{[$":  # it may hold blanks
                parts.append(holder.group())
                self.at += holder.end()
            elif rest.startswith("$'"):
                parts.append(self._ansi())
            elif self.caret and c == "^" and len(rest) > 1:
                if rest[1] == "\n":
                    break
                self.at += 1
                if text[self.at] == '"':
                    parts.append(self._caret_quoted())
                else:
                    parts.append(text[self.at])
                    self.at += 1
            elif c in _QUOTES:
                parts.append(self._quoted(c))
            elif c == "\\" and len(rest) > 1:
                if re.match(r"\\{1,2}[ \t]*\n", rest):
                    break
                parts.append(rest[1])
                self.at += 2
            else:
                parts.append(c)
                self.at += 1
        return "".join(parts)

    def _quoted(self, opening: str) -> str:
        """A quoted piece; one that is not closed ends with its line, as where a document lost the quote."""
        closing, text = _QUOTES[opening], self.text
        self.at += 1
        if closing not in text[self.at :]:
            closing = "\n"
        parts: list[str] = []
        while self.at < len(text) and text[self.at] != closing:
            c = text[self.at]
            following = text[self.at + 1 : self.at + 2]
            if c == "\\" and opening == '"' and following in {'"', "\\", "$", "`", "\n"}:
                parts.append("" if following == "\n" else following)
                self.at += 2
            else:
                parts.append(c)
                self.at += 1
        self.at += 1
        return "".join(parts)

    def _ansi(self) -> str:
        """`$'...'` with the escapes of C, as browsers copy a request."""
        found = re.match(r"\$'((?:\\.|[^'\\])*)'?", self.text[self.at :], re.DOTALL)
        if found is None:
            raise ConfigError("a quote after $ is not closed")
        self.at += found.end()
        return re.sub(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", _escaped, found[1], flags=re.DOTALL)

    def _caret_quoted(self) -> str:
        """`^"...^"` of the Windows command line, in which a caret quotes the next character."""
        found = re.match(r'"((?:\^\\\^"|\^[^"]|[^^])*)(?:\^"|$)', self.text[self.at :], re.DOTALL)
        if found is None:
            raise ConfigError("a quote after ^ is not closed")
        self.at += found.end()
        return re.sub(
            r"\^(\\\^\"|.)", lambda each: '"' if each[1] == '\\^"' else each[1], found[1], flags=re.DOTALL
        )


def _escaped(found: re.Match[str]) -> str:
    code = found[1]
    if len(code) > 1:
        return chr(int(code[1:], 16))
    return {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "a": "\a", "e": "\x1b"}.get(
        code, code
    )
