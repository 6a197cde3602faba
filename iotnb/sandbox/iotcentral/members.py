"""Checks of the members of a body: types, read-only ones, unknown ones in strict mode, the repeated id."""

from collections.abc import Set
from typing import Any

from iotnb.sandbox.iotcentral.call import Call
from iotnb.sandbox.iotcentral.wire import invalid

Json = dict[str, Any]


class Members:
    """A body whose members are read one by one; 422 for what does not fit.

    `id` may be repeated if it is the one of the path. Unknown members are ignored, strict: refused.
    """

    def __init__(
        self, call: Call, known: Set[str], *, read_only: Set[str] = frozenset(), name: str = ""
    ) -> None:
        self.body = call.document()
        for member in self.body:
            if member in read_only:
                raise invalid(f"{member} is read-only.")
            if call.strict and member not in known and member not in ("id", "etag"):
                raise invalid(f"{member} is not known here.")
        if name and self.body.get("id", name) != name:
            raise invalid("id must be the one in the path.")

    def text(self, member: str) -> str | None:
        """A text, or None when it is not there."""
        found = self.body.get(member)
        if found is not None and not isinstance(found, str):
            raise invalid(f"{member} must be a string.")
        return found

    def boolean(self, member: str) -> bool | None:
        """True or false, or None when it is not there."""
        found = self.body.get(member)
        if found is not None and not isinstance(found, bool):
            raise invalid(f"{member} must be a boolean.")
        return found

    def texts(self, member: str) -> list[str] | None:
        """A list of texts, or None when it is not there."""
        found = self.body.get(member)
        if found is None:
            return None
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise invalid(f"{member} must be a list of strings.")
        return found

    def needed(self, member: str) -> Any:
        """A member that must be there."""
        if self.body.get(member) is None:
            raise invalid(f"{member} is needed.")
        return self.body[member]
