"""A field of many words: choosing one by one and in sets, and what came of them."""

from typing import Any

import pandas as pd

from iotnb.auth import Choice
from iotnb.widgets.choices import ChoiceField, ChoiceReport, Words, marked

CHOICES = [
    Choice(name="few", help="the first two", includes=("a", "b")),
    Choice(name="all", help="every one", includes=("a", "b", "c", "d")),
    *(Choice(name=name, help=f"opens {name.upper()}") for name in "abcd"),
]


class TestWords:
    def test_sets_are_expanded_each_word_once(self) -> None:
        assert Words(CHOICES).expanded("few, c a other") == ["a", "b", "c", "other"]

    def test_a_selection_is_written_as_short_as_it_gets(self) -> None:
        words = Words(CHOICES)
        assert words.changed("few", ["c"], on=True) == "few c"
        assert words.changed("few c", ["d"], on=True) == "all"
        assert words.changed("all", ["a"], on=False) == "b c d"
        assert words.changed("b", ["a"], on=True) == "few"
        assert words.changed("few", ["a", "b"], on=False) == ""
        assert words.changed("few other", ["other"], on=False) == "few"

    def test_nothing_is_lost_between_text_and_selection(self) -> None:
        words = Words(CHOICES)
        for text in ("", "few", "all", "few d", "a c", "few other"):
            assert set(words.expanded(words.changed(text, [], on=True))) == set(words.expanded(text))


class TestField:
    def field(self, page: Any) -> ChoiceField:
        field = ChoiceField(CHOICES, label="Scopes", value="few")
        page.say(field, {"kind": "open", "view": "v1"})
        return field

    def test_the_page_gets_words_as_messages_and_no_trait_holds_them(self, page: Any) -> None:
        field = self.field(page)
        options, state = page.messages(field)
        assert options["sets"] == [["few", "the first two", 2], ["all", "every one", 4]]
        assert options["rows"][0] == ["a", "opens A"]
        assert (state["chosen"], state["text"], state["extra"]) == (["a", "b"], "few", [])
        assert "opens A" not in repr({k: v for k, v in field.get_state().items() if k[0] != "_"})

    def test_clicks_change_the_text_and_every_view_hears_of_it(self, page: Any) -> None:
        field, seen = self.field(page), []
        field.observe(lambda change: seen.append(change["new"]), "value")
        page.say(field, {"kind": "set", "names": ["c"], "on": True})
        page.say(field, {"kind": "set", "names": ["typed.by.hand"], "on": True})
        page.say(field, {"kind": "take", "name": "all"})
        page.say(field, {"kind": "take", "name": "nonsense"})
        assert seen == ["few c", "few c typed.by.hand", "all", ""]
        assert page.messages(field)[-1]["chosen"] == []
        field.value = "x"
        assert page.messages(field)[-1]["extra"] == ["x"]

    def test_a_field_that_is_switched_off_stays_as_it_is(self, page: Any) -> None:
        field = self.field(page)
        field.disabled = True
        page.say(field, {"kind": "set", "names": ["c"], "on": True})
        assert field.value == "few"


class TestReport:
    FRAME = pd.DataFrame(
        {
            "scope": ["a", "b", "c", "d", "e"],
            "asked": [True, True, True, False, True],
            "granted": [True, False, False, False, None],
            "lost": [False, False, True, False, False],
            "blocks": ["", "devices()", "alarms()", "events()", ""],
            "opens": ["series()", "devices()", "alarms()", "events()", "x"],
        }
    ).astype({"asked": "boolean", "granted": "boolean", "lost": "boolean"})

    def test_what_is_missing_comes_first_with_what_it_blocks(self) -> None:
        assert marked(self.FRAME) == [
            ["c", "lost", "blocks alarms()"],
            ["b", "dropped", "blocks devices()"],
            ["d", "not asked", "blocks events()"],
            ["e", "asked", "x"],
            ["a", "granted", "series()"],
        ]

    def test_a_view_that_opens_gets_the_present_state(self, page: Any) -> None:
        report = ChoiceReport(lambda: self.FRAME, label="Scopes")
        page.say(report, {"kind": "open", "view": "v3"})
        (answer,) = page.messages(report)
        assert (answer["kind"], answer["view"], len(answer["rows"])) == ("report", "v3", 5)
