"""A field of many words, such as scopes: searched and chosen one by one or in sets; and what came of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import traitlets

from iotnb.auth import Choice
from iotnb.widgets.leaves import ChoiceLeaf

if TYPE_CHECKING:
    import pandas as pd


class Words:
    """The words that a field takes: expands a text to single ones, writes a selection as a short text."""

    def __init__(self, choices: Sequence[Choice]) -> None:
        self.sets = {each.name: each.includes for each in choices if each.includes}
        self.singles = {each.name: each.help for each in choices if not each.includes}

    def expanded(self, text: str) -> list[str]:
        """The single words of a text, each once; a word that stands for many is replaced by these."""
        words = text.replace(",", " ").split()
        found = [name for word in words for name in self.sets.get(word, (word,))]
        return list(dict.fromkeys(found))

    def changed(self, text: str, names: Iterable[str], *, on: bool) -> str:
        """The text with some single words put in or taken out, as short as it gets."""
        wanted = dict.fromkeys(self.expanded(text))
        for name in names:
            if on:
                wanted[name] = None
            else:
                wanted.pop(name, None)
        return self.short(wanted, before=text)

    def short(self, wanted: Iterable[str], *, before: str = "") -> str:
        """Single words as a text: the sets that are whole in it, those of `before` first, then the rest."""
        left = dict.fromkeys(wanted)
        exact = next((name for name, inside in self.sets.items() if set(inside) == set(left)), "")
        if exact:
            return exact
        kept = [word for word in before.split() if word in self.sets and set(self.sets[word]) <= set(left)]
        covered = {name for word in kept for name in self.sets[word]}
        return " ".join([*kept, *(name for name in left if name not in covered)])


class ChoiceField(ChoiceLeaf):
    """A searchable list to choose many words from; `value` is the text, which never becomes a synced trait.

    The words travel as messages: they are many, and a saved notebook need not hold them.
    """

    value = traitlets.Unicode("")

    def __init__(self, choices: Sequence[Choice], **traits: Any) -> None:
        self.words = Words(choices)
        self._helps = {each.name: each.help for each in choices}
        super().__init__(**traits)
        self.on_msg(self._receive)
        self.observe(lambda _: self._tell(), "value")

    @property
    def chosen(self) -> list[str]:
        """The single words that are chosen."""
        return self.words.expanded(self.value)

    def focus(self) -> None:
        """Puts the focus into the field, in every view."""
        self.send({"do": "focus"})

    def _receive(self, _: Any, content: Mapping[str, Any], __: Any = None) -> None:
        kind = content.get("kind")
        if kind == "open":
            rows = [[name, text] for name, text in self.words.singles.items()]
            sets = [[name, self._helps[name], len(set(inside))] for name, inside in self.words.sets.items()]
            self.send({"kind": "options", "view": content.get("view"), "sets": sets, "rows": rows})
            self._tell()
        elif self.disabled:
            self._tell()
        elif kind == "take":
            self.value = str(content["name"]) if content["name"] in self.words.sets else ""
            self._tell()
        elif kind == "set":
            names = [str(each) for each in content["names"]]
            self.value = self.words.changed(self.value, names, on=bool(content["on"]))
            self._tell()

    def _tell(self) -> None:
        chosen = self.chosen
        extra = [name for name in chosen if name not in self.words.singles]
        self.send({"kind": "state", "chosen": chosen, "extra": extra, "text": self.value})


class ChoiceReport(ChoiceLeaf):
    """What came of the words that were asked for: granted, dropped, lost; and what the missing ones block."""

    def __init__(self, rows: Callable[[], pd.DataFrame | None], **traits: Any) -> None:
        self._rows = rows
        super().__init__(report=True, **traits)
        self.on_msg(self._receive)

    def _receive(self, _: Any, content: Mapping[str, Any], __: Any = None) -> None:
        frame = self._rows() if content.get("kind") == "open" else None
        if frame is not None:
            self.send({"kind": "report", "view": content.get("view"), "rows": marked(frame)})


def marked(scopes: pd.DataFrame) -> list[list[str]]:
    """Rows of name, mark (dropped, lost, granted, asked, not asked) and text, the missing ones first."""
    rows = []
    for row in scopes.astype(object).where(scopes.notna(), None).to_dict("records"):
        if row["granted"] is None:
            mark = "asked" if row["asked"] else "not asked"
        elif row["granted"]:
            mark = "granted"
        else:
            mark = "lost" if row["lost"] else "dropped" if row["asked"] else "not asked"
        blocked = mark in {"dropped", "lost", "not asked"} and row["blocks"]
        text = f"blocks {row['blocks']}" if blocked else str(row["opens"] or "")
        rows.append([str(row["scope"]), mark, text])
    order = ("lost", "dropped", "not asked", "asked", "granted")
    return sorted(rows, key=lambda each: (order.index(each[1]), each[0]))
