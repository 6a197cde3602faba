"""The login form, built from what a platform declares: FIELDS, METHODS and the known values."""

from __future__ import annotations

import html
import itertools
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

import ipywidgets as ipw

from iotnb import transport
from iotnb.auth import Field, Method
from iotnb.profiles import Resolved
from iotnb.secret import Secret
from iotnb.widgets.choices import ChoiceField
from iotnb.widgets.leaves import SecretField

AUTO = "auto"


class Form:
    """The widgets of one platform's fields; `box` holds those that the chosen way to log in uses.

    `submit` is called at Enter, with name and value of the field where that is a secret one.
    `typed` tells of each change in a field that is no secret.
    """

    def __init__(
        self,
        fields: Sequence[Field],
        methods: Sequence[Method],
        *,
        submit: Callable[..., None],
        typed: Callable[[], None],
    ) -> None:
        self.fields = {field.name: field for field in fields}
        self.methods = list(methods)
        self.resolved = Resolved()
        self.secrets: dict[str, SecretField] = {}
        self.inputs: dict[str, ipw.Text | ipw.Dropdown | ChoiceField] = {}
        self.hints: dict[str, ipw.HTML] = {}
        self._groups: dict[str, ipw.Widget] = {}
        self.active: list[str] = []
        for field in fields:
            if field.name != "method":
                self._groups[field.name] = self._make(field, submit, typed)
        self.method = ipw.Dropdown(
            description="Log in with",
            options=self._choices(),
            layout={"display": "" if len(methods) > 1 else "none"},
        )
        self.method.add_class("iotnb-field").add_class("iotnb-wide")
        self.box = ipw.Box([]).add_class("iotnb-row2")
        self.more = ipw.Box([]).add_class("iotnb-row2")
        self.arrange()

    def arrange(self, *, code_only: bool = False) -> None:
        """Shows the fields of the chosen way to log in; with `code_only` just that of the second factor."""
        main, rare = self._split()
        self.active = [*main, *rare]
        if code_only:
            main, rare = [name for name in self.fields if is_code(name)], []
        picker = () if code_only else (self.method,)
        self.box.children = (*picker, *(self._groups[name] for name in main))
        self.more.children = tuple(self._groups[name] for name in rare)

    @property
    def shown(self) -> list[str]:
        """The names of the fields that are shown, in the order of the form."""
        visible = [*self.box.children, *self.more.children]
        return [name for name, group in self._groups.items() if group in visible]

    @property
    def chosen(self) -> Method:
        """The way to log in whose fields are shown."""
        if self.method.value == AUTO or not self.methods:
            return self.methods[-1]  # the plainest stands last
        return next(method for method in self.methods if method.name == self.method.value)

    def values(self) -> dict[str, str]:
        """What was typed or chosen in fields that are no secrets; what came from elsewhere is left out."""
        typed = {
            name: str(widget.value).strip()
            for name, widget in self.inputs.items()
            if name in self.active and str(widget.value).strip() and str(widget.value) != self.known(name)
        }
        if self.method.value != AUTO and "method" in self.fields and len(self.methods) > 1:
            typed["method"] = str(self.method.value)
        return typed

    def entered(self) -> dict[str, str]:
        """All that stands in the fields that are no secrets, to be kept when the cell is run again."""
        return {name: str(widget.value) for name, widget in self.inputs.items() if widget.value}

    def known(self, name: str) -> str:
        """The value that a field has from elsewhere; empty for secrets and for unknown ones."""
        value = self.resolved.values.get(name, "")
        return "" if isinstance(value, Secret) else value

    def fill(self, resolved: Resolved, kept: Mapping[str, str]) -> None:
        """Takes values from environment, keyring and profile, and what was typed before."""
        self.resolved = resolved
        for name, widget in self.inputs.items():
            value = kept.get(name) or self.known(name)
            if not isinstance(widget, ipw.Dropdown) or value in widget.options:
                widget.value = value
            self.hint(name)
        for name in self.secrets:
            self.hint(name)

    def hint(self, name: str, problem: str = "") -> None:
        """Writes what stands below a field: a problem, where its value comes from, or its help text."""
        field, source = self.fields[name], self.resolved.sources.get(name, "")
        origin = f"Set from {source}." if source and source != "default" else ""
        if name in self.secrets:
            leaf = self.secrets[name]
            leaf.invalid = bool(problem)
            leaf.hint = problem or (f"{origin} Leave empty to use it." if origin else field.help)
            return
        widget = self.inputs[name]
        same = str(widget.value) == self.known(name)
        text = problem or check_url(name, str(widget.value)) or (origin if same and origin else field.help)
        if isinstance(widget, ChoiceField):
            widget.hint = text
            return
        (widget.add_class if problem else widget.remove_class)("iotnb-invalid")
        (self.hints[name].add_class if problem else self.hints[name].remove_class)("iotnb-problem")
        self.hints[name].value = html.escape(text)
        self.hints[name].layout.display = "" if text else "none"

    def lacking(self, names: Sequence[str]) -> None:
        """Marks the fields that are missing and puts the focus into the first; unmarks the others."""
        for name in (*self.inputs, *self.secrets):
            self.hint(name, f"{self.fields[name].label} is missing." if name in names else "")
        visible = [name for name in self.shown if name in names]
        if visible:
            self.focus(visible[0])

    def refuse(self, names: Sequence[str]) -> None:
        """Marks the fields that the server did not accept, and puts the focus into the first secret one."""
        for name in names:
            self.hint(name, f"{self.fields[name].label} was not accepted.")
        shown = [name for name in self.shown if name in self.secrets]
        first = next((name for name in shown if name in names), shown[0] if shown else "")
        if first:
            self.focus(first)

    def focus(self, name: str) -> None:
        """Puts the focus into a field, in every view."""
        if name in self.secrets:
            self.secrets[name].send({"do": "focus"})
        elif name in self.inputs:
            self.inputs[name].focus()

    def enable(self, on: bool) -> None:
        """Lets the fields be changed, or not."""
        for widget in (*self.inputs.values(), *self.secrets.values(), self.method):
            widget.disabled = not on

    def wipe(self) -> None:
        """Empties the secret fields in every view."""
        for leaf in self.secrets.values():
            leaf.wipe()

    def _choices(self) -> list[tuple[str, str]]:
        named = [(method.label[:1].upper() + method.label[1:], method.name) for method in self.methods]
        automatic = "method" in self.fields and AUTO in self.fields["method"].choices
        plainest = self.methods[-1].label.partition(" (")[0] if self.methods else ""
        return (
            [(f"Automatic ({plainest}, the best way on offer)", AUTO), *reversed(named)]
            if automatic
            else named
        )

    def _split(self) -> tuple[list[str], list[str]]:
        """The fields of the chosen way: those to show at once, and the rare ones behind "More options"."""
        method = self.chosen
        order = [name for name in self.fields if name in {*method.needs, *method.uses} and not is_code(name)]
        last = max((order.index(name) for name in method.needs if name in order), default=-1)
        # a secret right behind a needed field belongs to it, as a passphrase does
        beside = {name for before, name in itertools.pairwise(order) if before in method.needs}
        main = [
            name
            for at, name in enumerate(order)
            if name in method.needs
            or self.fields[name].several
            or self._plain(name, at <= last, name in beside)
        ]
        return main, [name for name in order if name not in main]

    def _plain(self, name: str, early: bool, beside: bool) -> bool:
        """Whether a field that need not be filled is shown at once all the same."""
        field = self.fields[name]
        if field.secret:
            return beside
        return early and not (field.default and (field.choices or name.endswith("url")))

    def _make(self, field: Field, submit: Callable[..., None], typed: Callable[[], None]) -> ipw.Widget:
        wide = field.name.endswith("url") or field.path
        if field.secret:
            leaf = SecretField(label=field.label, on_submit=lambda value: submit(field.name, value))
            self.secrets[field.name] = leaf
            return leaf.add_class("iotnb-wide")
        if field.several:
            chooser = ChoiceField(field.several, label=field.label)
            self.inputs[field.name] = chooser
            chooser.observe(lambda _: self._changed(field.name, typed), "value")
            return chooser
        widget: ipw.Text | ipw.Dropdown
        if field.choices:
            widget = ipw.Dropdown(description=field.label, options=list(field.choices))
        else:
            widget = ipw.Text(description=field.label, placeholder=field.placeholder or field.default)
            widget.on_msg(lambda _, content, __: submit() if content.get("event") == "submit" else None)
        widget.add_class("iotnb-field")
        hint = ipw.HTML().add_class("iotnb-hint")
        self.inputs[field.name], self.hints[field.name] = widget, hint
        widget.observe(lambda _: self._changed(field.name, typed), "value")
        group = ipw.VBox([widget, hint]).add_class("iotnb-group")
        return group.add_class("iotnb-wide") if wide else group

    def _changed(self, name: str, typed: Callable[[], None]) -> None:
        self.hint(name)
        typed()


def is_code(name: str) -> bool:
    """Whether a field is the code of a second factor: asked for only when the platform wants one."""
    return name.endswith("_code")


def check_url(name: str, text: str) -> str:
    """What is to be said about an address: a wrong scheme, or passwords in clear; empty when nothing is."""
    if not name.endswith("url") or not text.strip():
        return ""
    if "://" not in text:
        return "https:// is put before it."
    parts = urlsplit(text.strip())
    if parts.scheme not in {"http", "https"}:
        return f"{parts.scheme}:// is no web address: write https:// ..."
    if parts.scheme == "http" and not transport.loopback(parts.hostname):
        return "http:// sends your password unencrypted: write https:// unless you are sure."
    return ""
