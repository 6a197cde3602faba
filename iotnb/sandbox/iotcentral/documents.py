"""Documents that are listed, read, put, patched and deleted by their ids: what these handlers share."""

import abc
import re
from collections.abc import Callable
from typing import Any

from iotnb.sandbox.iotcentral.application import Application
from iotnb.sandbox.iotcentral.call import Call, check_match, listing, page_of
from iotnb.sandbox.iotcentral.platform import Platform
from iotnb.sandbox.iotcentral.routes import Route
from iotnb.sandbox.iotcentral.templates import filtered, ordered
from iotnb.sandbox.iotcentral.wire import Answer, invalid, not_found, plain_etag
from iotnb.sandbox.shelf import Shelf

Json = dict[str, Any]
_ID = re.compile(r"[a-zA-Z0-9:;_-]{1,255}")


class Documents(abc.ABC):
    """Five handlers for one kind of document, in the preview only.

    A kind says how a document is `shown`, what of a body is `checked`, what is kept `beside` it, and when
    it may not be made or removed: `room`, `free`. `read` is the right that reading needs.
    """

    def __init__(
        self, path: str, word: str, shelf: Callable[[Application], Shelf], *, read: str = "read"
    ) -> None:
        self.path, self.word = path, word
        self._shelf, self._read = shelf, read

    @abc.abstractmethod
    def shown(self, name: str, held: Json) -> Json:
        """A document as the API shows it."""

    @abc.abstractmethod
    def checked(self, call: Call, name: str, old: Json) -> Json:
        """The body of a request on top of what is there; 422 for what does not fit."""

    def beside(self, _call: Call) -> Json:
        """What is kept with a document whenever it was written."""
        return {}

    def room(self, _call: Call) -> None:  # noqa: B027  # most kinds have no limit
        """Refuse one more document."""

    def free(self, _call: Call, _name: str) -> None:  # noqa: B027  # most may be removed at any time
        """Refuse to remove a document."""

    def routes(self) -> list[Route]:
        """The endpoints."""
        one = f"{self.path}/{{id}}"
        return [
            Route("GET", self.path, self.list, self._read, True),
            Route("GET", one, self.get, self._read, True),
            Route("PUT", one, self.put, "build", True),
            Route("PATCH", one, self.patch, "build", True),
            Route("DELETE", one, self.delete, "build", True),
        ]

    def held(self, call: Call, name: str) -> Json:
        """A document as it is kept; 404 if there is none."""
        found: Json | None = self._shelf(call.application).get(name)
        if found is None:
            raise not_found(f"The {self.word} {name} does not exist.")
        return found

    def list(self, _platform: Platform, call: Call) -> Answer:
        """GET the collection."""
        page = page_of(call, filters=True)
        rows = [self.shown(n, h) for n, h in self._shelf(call.application).items()]
        names = {"id": "id", "displayName": "displayName"}
        return listing(call, ordered(filtered(rows, page.filter, names), page.orderby), page)

    def get(self, _platform: Platform, call: Call, name: str) -> Answer:
        """GET one."""
        return Answer(body=self.shown(name, self.held(call, name)))

    def put(self, _platform: Platform, call: Call, name: str) -> Answer:
        """PUT one."""
        if not _ID.fullmatch(name):
            raise invalid(f"The id of a {self.word} is made of letters, digits, :, ;, - and _.")
        body = self.checked(call, name, {})
        if name not in self._shelf(call.application):
            self.room(call)
        return self._keep(call, name, body)

    def patch(self, _platform: Platform, call: Call, name: str) -> Answer:
        """PATCH one."""
        held = self.held(call, name)
        check_match(call, plain_etag(self.word, name, held["rev"]))
        return self._keep(call, name, self.checked(call, name, held["body"]))

    def _keep(self, call: Call, name: str, body: Json) -> Answer:
        shelf = self._shelf(call.application)
        old = shelf.get(name)
        held = {"body": body, "rev": old["rev"] + 1 if old else 0, **self.beside(call)}
        shelf.put(name, held)
        return Answer(body=self.shown(name, held))

    def delete(self, _platform: Platform, call: Call, name: str) -> Answer:
        """DELETE one."""
        self.held(call, name)
        self.free(call, name)
        self._shelf(call.application).drop(name)
        return Answer(204)
